//! One ledger vouches for the heads of another, on two real nodes.

use data_encoding::BASE64URL_NOPAD;

use crate::process::{expect, json};
use crate::world::World;

const BEGIN: &str = "2026-06-30T00:00:00+05:30";

#[test]
fn heads_of_another_ledger_are_notarised_from_its_node_or_a_file() {
    let (north, notary) = (World::found(BEGIN), World::found(BEGIN));
    let (genesis, url) = (north.at("node/genesis.json"), north.node.url.clone());
    let id = json(&["show", "head", "--json", "--node", &url])["ledger_id"].clone();
    let id = id.as_str().unwrap();
    let admit = ["admit-ledger", "--other", &genesis];
    let from_node = ["notarise-head", "--head", &url];
    let file = notary.at("head.json");
    let from_file = ["notarise-head", "--head", &file, "--since-epoch", "0"];
    let write_head = || {
        let head = json(&["show", "head", "--json", "--node", &url]);
        std::fs::write(&file, head.to_string()).unwrap();
    };
    write_head();
    notary.refused("LedgerUnknown", "regulator", &from_file);
    notary.refused("SenderNotPermitted", "grid-operator", &admit);
    notary.submit("regulator", &admit);
    let own = notary.at("node/genesis.json");
    let itself = ["submit", "--node", &notary.node.url, "--key", &notary.key("regulator")];
    expect(2, &[&itself[..], &["admit-ledger", "--other", &own]].concat());
    notary.submit("regulator", &from_node);

    north.admit("newcomer", "consumer");
    write_head();
    notary.refused("SenderNotPermitted", "grid-operator", &from_file);
    let proven = notary.submit("regulator", &from_file);
    let ledgers = notary.json(&["show", "ledgers"]);
    let ledger = &ledgers["items"][0];
    let head = json(&["show", "head", "--json", "--node", &url]);
    assert_eq!((&ledger["ledger_id"], &ledgers["items"][1]), (&head["ledger_id"], &().into()));
    assert_eq!(ledger["newest"]["header_hash"], head["header_hash"]);
    assert!(ledger["forked_at_height"].is_null());
    let heads = notary.json(&["show", "heads", id]);
    let heights: Vec<u64> = heads["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|head| head["height"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(heights.len(), 3, "the genesis and two heads: {heights:?}");
    assert!(heights.is_sorted(), "{heights:?}");

    // What was notarised is proven like everything else, to whoever holds the notary's genesis.
    let proof = notary.at("notarised.json");
    let node = ["--node", notary.node.url.as_str(), "--key", &notary.key("regulator")];
    expect(
        0,
        &[&["export", "proof", "--transaction", &proven, "--out", &proof], &node[..]].concat(),
    );
    expect(0, &["verify", "--genesis", &own, &proof]);

    // A head whose signature has a bit changed is final for nobody.
    north.admit("second-newcomer", "consumer");
    write_head();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut wrong: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut bytes = BASE64URL_NOPAD.decode(wrong["proof"].as_str().unwrap().as_bytes()).unwrap();
    let place = bytes.len() - 40;
    bytes[place] ^= 1;
    wrong["proof"] = BASE64URL_NOPAD.encode(&bytes).into();
    std::fs::write(&file, wrong.to_string()).unwrap();
    notary.refused("HeadNotFinal", "regulator", &from_file);
    write_head();
    notary.submit("regulator", &from_file);
}
