//! The read model of a real node: it follows, survives a restart, and is dropped and built again with
//! the same answers, byte for byte.

use client::connection::Connection;
use nix::sys::signal::Signal;

use crate::import::Network;
use crate::process::{NodeProcess, expect, json};

/// The answers to a list of questions, all from one height, page by page.
fn answers(network: &Network, height: u64) -> Vec<(String, Vec<u8>)> {
    let node = Connection::new(&network.node.url).unwrap();
    // From here on the connection asks for this height at least.
    assert_eq!(node.status().unwrap().height.get(), height);
    let home = network.usage_point("M01");
    let customer = network.json(&["show", "usage-point", &home])["customer"].clone();
    let customer = customer.as_str().unwrap().to_owned();
    let mut answers = Vec::new();
    for question in [
        "/v1/search/transactions?limit=7".to_owned(),
        format!("/v1/search/transactions?limit=7&party={customer}"),
        format!("/v1/search/transactions?limit=7&usage_point={home}&kind=SealDay"),
        "/v1/search/transactions?limit=7&code=0&from_day=2016-06-01&to_day=2016-06-01".to_owned(),
        "/v1/search/bills?limit=1&state=paid".to_owned(),
        "/v1/search/bills?limit=1&amount_min=1".to_owned(),
        "/v1/search/payments?limit=3".to_owned(),
        "/v1/search/disputes?limit=1".to_owned(),
        "/v1/search/parties?limit=3&state=active".to_owned(),
        "/v1/search/meters?limit=1&state=in_service".to_owned(),
        format!("/v1/search/readings?limit=50&usage_point={home}"),
        format!("/v1/accounts/{customer}/history?limit=2"),
        format!("/v1/usage-points/{home}/statement?limit=2"),
    ] {
        let mut next = String::new();
        loop {
            let bytes = node.get(&format!("{question}{next}")).unwrap();
            let page: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            answers.push((format!("{question}{next}"), bytes));
            let Some(cursor) = page["next"].as_str() else { break };
            next = format!("&after={cursor}");
        }
    }
    answers
}

fn height(network: &Network) -> u64 {
    network.json(&["show", "status"])["height"].as_str().unwrap().parse().unwrap()
}

/// Stops the node, does something to its directory, and starts it again.
fn between(network: Network, work: impl FnOnce(&std::path::Path)) -> Network {
    let Network { _dir, path, node } = network;
    node.signal(Signal::SIGTERM);
    assert_eq!(node.wait(), Some(0));
    work(&path);
    let node = NodeProcess::start(&path, &[]);
    Network { _dir, path, node }
}

fn pay(network: &Network, amount: &str) {
    let (home, key) = (network.usage_point("M01"), network.key("household-1"));
    let node = &network.node.url;
    let pay = ["submit", "pay-bill", "--node", node, "--key", &key, "--usage-point", &home];
    expect(0, &[&pay[..], &["--amount", amount]].concat());
}

#[test]
fn dropped_rebuilt_or_left_behind_it_answers_the_same() {
    let mut network = Network::start();
    let at = height(&network);
    let before = answers(&network, at);
    assert!(before.len() > 30, "{} pages", before.len());

    // By the command.
    network = between(network, |path| {
        let dir = path.to_str().unwrap();
        let built = json(&["read-model", "rebuild", "--json", "--dir", dir]);
        assert_eq!(built["height"], at.to_string());
    });
    assert_eq!(height(&network), at, "a restart orders nothing");
    assert_eq!(answers(&network, at), before);

    // By the node itself, when nothing is there, and when there is something else.
    let mut left_behind = Vec::new();
    network = between(network, |path| {
        let file = path.join("read-model.sqlite");
        left_behind = std::fs::read(&file).unwrap();
        std::fs::remove_file(file).unwrap();
    });
    assert_eq!(answers(&network, at), before);
    network = between(network, |path| {
        std::fs::write(path.join("read-model.sqlite"), b"no database").unwrap();
    });
    assert_eq!(answers(&network, at), before);

    // A file from before catches up with what happened since.
    network.advance("2016-07-03T00:00:00+05:30");
    let later = height(&network);
    let newer = answers(&network, later);
    assert_ne!(newer, before);
    network = between(network, |path| {
        std::fs::write(path.join("read-model.sqlite"), &left_behind).unwrap();
        for ending in ["-wal", "-shm"] {
            // They go with the file that they belong to.
            let _ = std::fs::remove_file(path.join(format!("read-model.sqlite{ending}")));
        }
    });
    assert_eq!(answers(&network, later), newer);
}

#[test]
fn the_command_line_shows_dues_statements_history_and_finds() {
    let network = Network::start();
    let url = network.node.url.clone();
    let home = network.usage_point("M01");
    let point = network.json(&["show", "usage-point", &home]);
    let (customer, biller) =
        (point["customer"].as_str().unwrap(), point["biller"].as_str().unwrap());
    let dues = network.json(&["show", "dues", &home]);
    assert_eq!(dues["usage_point"], home.as_str());
    let statement = network.json(&["show", "statement", &home, "--from", "2016-06-01"]);
    let open = dues["open_micro"].as_str().unwrap().parse::<i64>().unwrap();
    if open > 0 {
        pay(&network, "0.01");
        let after = network.json(&["show", "dues", &home]);
        assert_eq!(after["open_micro"], (open - 10_000).to_string());
    }
    assert!(!statement["items"].as_array().unwrap().is_empty(), "{statement}");
    for (question, wanted) in [
        (vec!["dues", &home], "open"),
        (vec!["dues", "--party", biller], "usage point"),
        (vec!["disputes", "--state", "open"], "upheld"),
        (vec!["statement", &home, "--until", "2016-07-01"], "balance"),
        (vec!["statements", &home], "revision"),
        (vec!["history", customer, "--account", "wallet"], "amount"),
        (vec!["search", "transactions", "--kind", "SealDay", "--limit", "3"], "SealDay"),
        (vec!["search", "bills", "--usage-point", &home, "--amount-min", "0.01"], "total"),
        (vec!["search", "payments", "--party", customer], "payer"),
        (vec!["search", "disputes", "--bill", &"0".repeat(32)], "held"),
        (vec!["search", "parties", "--role", "grid_operator"], "grid_operator"),
        (vec!["search", "meters", "--usage-point", &home], "in_service"),
        (vec!["search", "readings", "--usage-point", &home, "--limit", "5"], "sealed"),
    ] {
        let text = expect(0, &[&["show", "--node", &url], &question[..]].concat());
        assert!(text.contains(wanted), "{question:?}: {text}");
        let more = ["show", "--json", "--node", &url];
        json(&[&more[..], &question[..]].concat());
    }
    expect(2, &["show", "--node", &url, "dues"]);
    expect(2, &["show", "--node", &url, "search", "readings"]);
    expect(2, &["show", "--node", &url, "search", "bills", "--state", "open&limit=1"]);
    expect(1, &["show", "--node", &url, "dispute", &"0".repeat(32)]);
}
