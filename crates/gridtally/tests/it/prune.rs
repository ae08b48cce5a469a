//! Pruning by command lines: stopped and running, killed, and what a pruned node still does.

use std::path::Path;
use std::time::{Duration, Instant};

use client::connection::Connection;
use nix::sys::signal::Signal;
use primitives::identifier::TransactionId;
use serde_json::Value;

use crate::process::{NodeProcess, expect, gridtally, json, run};
use crate::snapshot::checkpoint;
use crate::world::World;

/// A network whose members bought tokens, and the ids of the purchases.
fn busy(purchases: u32) -> (World, Vec<TransactionId>) {
    let world = World::found("2025-06-01T00:00:00+05:30");
    let (aggregator, cosigner) = (world.party("aggregator"), world.key("aggregator"));
    let buy = |number| {
        let reference = format!("payment-{number}");
        let buy = ["buy-tokens", "--aggregator", &aggregator, "--reference", &reference];
        let more = ["--coin-amount", "5.0", "--cosigner", &cosigner];
        let answer = world.send("distributor-1", &[&buy[..], &more].concat());
        assert_eq!(answer["status"], "accepted", "{answer}");
        answer["transaction_id"].as_str().unwrap().parse().unwrap()
    };
    let bought = (0..purchases).map(buy).collect();
    (world, bought)
}

fn transaction(url: &str, id: &TransactionId) -> Value {
    Connection::new(url).unwrap().get_json(&format!("/v1/transactions/{id}")).unwrap()
}

fn number(document: &Value, name: &str) -> u64 {
    document[name].as_str().unwrap_or_else(|| panic!("{name} in {document}")).parse().unwrap()
}

#[test]
fn a_stopped_node_is_pruned_and_goes_on() {
    let (mut world, bought) = busy(6);
    let directory = world.at("node");
    let proof = |world: &World| {
        let node = world.connection("regulator");
        bought.iter().map(|id| node.transaction_proof(id).unwrap()).collect::<Vec<_>>()
    };
    let wallet = |world: &World| {
        let party = world.party("distributor-1");
        world.as_party("distributor-1", &["show", "accounts", &party])
    };
    let (proofs, accounts) = (proof(&world), wallet(&world));
    expect(7, &["prune", "--dir", &directory, "--keep-blocks", "2"]);
    world.node.stop();
    expect(2, &["prune", "--dir", &directory]);
    expect(2, &["prune", "--dir", &directory, "--keep-blocks", "2", "--keep-days", "2"]);
    expect(2, &["prune", "--dir", &world.at("nowhere"), "--keep-blocks", "2"]);
    let none = json(&["prune", "--json", "--dir", &directory, "--keep-days", "1"]);
    assert_eq!((number(&none, "blocks"), number(&none, "pruned_through")), (0, 0), "{none}");

    std::fs::write(world.path("node/gridtally.toml"), "[history]\nkeep_blocks = 2\n").unwrap();
    let done = json(&["prune", "--json", "--dir", &directory]);
    assert!(number(&done, "transactions") >= 12, "{done}");
    assert!(number(&done, "row_bytes_after") < number(&done, "row_bytes_before"), "{done}");
    assert!(number(&done, "disk_bytes_after") > 0, "{done}");
    let text = expect(0, &["prune", "--dir", &directory, "--again"]);
    assert!(text.contains(": 0 transactions of"), "{text}");
    let replayed = run(&["replay", "--dir", &directory]);
    assert_eq!(replayed.status.code(), Some(1));
    let said = String::from_utf8_lossy(&replayed.stderr).into_owned();
    assert!(said.contains("block 1 were pruned here") && said.contains("ask a node"), "{said}");

    std::fs::remove_file(world.path("node/gridtally.toml")).unwrap();
    std::fs::remove_file(world.path("node/read-model.sqlite")).unwrap();
    let world = World { node: NodeProcess::start(Path::new(&directory), &[]), ..world };
    let shown = transaction(&world.node.url, &bought[0]);
    assert_eq!((&shown["pruned"], &shown["kind_name"]), (&true.into(), &"BuyTokens".into()));
    // The receipt, its paths and the anchor are as before; the transaction itself is not in the file.
    let node = world.connection("regulator");
    // The newest purchase stands in one of the two blocks that stay whole.
    for (id, before) in bought[..5].iter().zip(&proofs) {
        let file = world.at("receipt.json");
        std::fs::write(&file, node.transaction_proof(id).unwrap()).unwrap();
        let genesis = world.at("node/genesis.json");
        expect(0, &["verify", "--genesis", &genesis, "--require-anchor", &file]);
        let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let (mut before, after) = (parsed(before), parsed(&std::fs::read(&file).unwrap()));
        before["transaction"] = after["transaction"].clone();
        assert_eq!(after["transaction"], Value::Null);
        for part in ["events", "code", "transaction_id"] {
            assert_eq!(before[part], after[part], "{part}");
        }
    }
    assert_eq!(wallet(&world), accounts);
    world.buy_tokens("distributor-1", "another", 10);
    // The read model was made anew from what is left.
    let node = world.connection("regulator");
    let begin = Instant::now();
    let found = loop {
        match node.get_json("/v1/search/transactions?kind=BuyTokens") {
            Ok(found) => break found,
            Err(error) => assert!(begin.elapsed().as_secs() < 60, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(found["items"].as_array().map(Vec::len), Some(7), "{found}");
}

#[test]
fn a_node_prunes_while_it_runs_and_its_snapshot_is_restored() {
    let (mut world, bought) = busy(5);
    world.node.stop();
    let directory = world.at("node");
    let mut command = gridtally();
    command.args(["node", "--json", "--listen", "127.0.0.1:0", "--dir", &directory]);
    command.env("GRIDTALLY_KEEP_BLOCKS", "3");
    world.node = NodeProcess::wait_for(command);
    let is_pruned =
        |world: &World, id: &TransactionId| transaction(&world.node.url, id)["pruned"] == true;
    let wait_until_pruned = |world: &World, id: &TransactionId| {
        let begin = Instant::now();
        while !is_pruned(world, id) {
            // It rests a hundred times as long as it worked, which is long on a busy disk.
            assert!(begin.elapsed().as_secs() < 300, "it prunes by itself");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    wait_until_pruned(&world, &bought[0]);
    assert!(!is_pruned(&world, bought.last().unwrap()), "the newest blocks stay whole");
    // From its next checkpoint it makes snapshots again, and prunes no further than that.
    checkpoint(&world.node.url, &world.key("grid-operator"));
    wait_until_pruned(&world, bought.last().unwrap());
    world.buy_tokens("distributor-1", "later", 10);
    let (file, target) = (world.at("a.snapshot"), world.at("other"));
    let key = world.key("regulator");
    let made = ["snapshot", "create", "--json", "--node", &world.node.url, "--key", &key, &file];
    let made = json(&made);
    let genesis = world.at("node/genesis.json");
    expect(0, &["snapshot", "verify", "--require-anchor", "--genesis", &genesis, &file]);
    expect(0, &["snapshot", "restore", "--dir", &target, "--genesis", &genesis, &file]);
    world.node.stop();
    std::fs::copy(world.at("node/node.key"), world.at("other/node.key")).unwrap();
    let world = World { node: NodeProcess::start(Path::new(&target), &[]), ..world };
    let status = json(&["show", "--json", "--node", &world.node.url, "status"]);
    assert_eq!(status["height"], made["anchor_height"]);
    assert!(is_pruned(&world, &bought[0]), "it has what the snapshot has");
    world.buy_tokens("distributor-1", "on the other", 10);
}

#[test]
fn a_killed_pruning_leaves_a_whole_ledger() {
    let (mut world, bought) = busy(3);
    world.node.stop();
    let directory = world.at("node");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..8 {
        let mut command = gridtally();
        command.args(["prune", "--again", "--keep-blocks", "0", "--dir", &directory]);
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis(seed >> 33 & 0x7f));
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(child.id().cast_signed()),
            Signal::SIGKILL,
        )
        .unwrap();
        child.wait().unwrap();
    }
    expect(0, &["prune", "--keep-blocks", "0", "--dir", &directory]);
    let world = World { node: NodeProcess::start(Path::new(&directory), &[]), ..world };
    for id in &bought {
        assert_eq!(transaction(&world.node.url, id)["receipt"]["code"], 0);
    }
    world.buy_tokens("distributor-1", "afterwards", 10);
}
