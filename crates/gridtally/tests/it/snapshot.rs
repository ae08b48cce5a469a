//! A node's directory from a snapshot, made and checked by command lines.

use std::fs;
use std::path::Path;

use crate::process::{NodeProcess, expect, json, run};
use crate::world::World;

fn height(url: &str) -> u64 {
    let status = json(&["show", "--json", "--node", url, "status"]);
    status["height"].as_str().unwrap().parse().unwrap()
}

/// Asks for a checkpoint and waits until it is agreed on and proven: two blocks, each with a closing
/// one behind it.
pub fn checkpoint(url: &str, key: &str) {
    let before = height(url);
    expect(0, &["submit", "--node", url, "--key", key, "request-checkpoint"]);
    let begin = std::time::Instant::now();
    while height(url) < before + 4 {
        assert!(begin.elapsed().as_secs() < 60, "the node attests what was asked for");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

pub fn state_root(directory: &str) -> (String, String) {
    let replayed = json(&["replay", "--json", "--dir", directory]);
    let text = |name: &str| replayed[name].as_str().unwrap().to_owned();
    (text("state_root"), text("receipts_root"))
}

#[test]
fn a_node_goes_on_from_a_snapshot() {
    let mut world = World::found("2025-06-01T00:00:00+05:30");
    checkpoint(&world.node.url, &world.key("grid-operator"));
    world.station("north", "distributor-1");
    let (source, file, target) = (world.at("node"), world.at("a.snapshot"), world.at("other"));
    let genesis = world.at("node/genesis.json");
    let locked = run(&["snapshot", "create", "--dir", &source, &file]);
    assert_eq!(locked.status.code(), Some(7), "a running node has the directory open");
    world.node.stop();

    let made = json(&["snapshot", "create", "--json", "--dir", &source, &file]);
    expect(2, &["snapshot", "create", "--dir", &source, &file]);
    let found = json(&["snapshot", "verify", "--json", "--genesis", &genesis, &file]);
    for field in ["ledger_id", "height", "root", "anchor_height"] {
        assert_eq!(found[field], made[field], "{field}");
    }
    assert_eq!(found["anchored"], true);
    let ledger = made["ledger_id"].as_str().unwrap();
    let unanchored = expect(0, &["snapshot", "verify", &file]);
    assert!(unanchored.contains("ledger id NOT compared"), "{unanchored}");
    expect(3, &["snapshot", "verify", "--require-anchor", &file]);
    expect(3, &["snapshot", "restore", "--dir", &target, &file]);
    expect(0, &["snapshot", "restore", "--dir", &target, "--ledger", ledger, &file]);
    expect(2, &["snapshot", "restore", "--dir", &target, "--ledger", ledger, &file]);
    assert_eq!(state_root(&target), state_root(&source));

    // With the key it is the node.
    fs::copy(world.at("node/node.key"), world.at("other/node.key")).unwrap();
    let mut node = NodeProcess::start(Path::new(&target), &[]);
    let key = world.key("grid-operator");
    let status = json(&["show", "--json", "--node", &node.url, "status"]);
    assert_eq!(status["height"], made["anchor_height"], "nothing was lost");
    checkpoint(&node.url, &key);
    node.stop();
    let next = world.at("next.snapshot");
    expect(0, &["snapshot", "create", "--dir", &target, &next]);
    expect(0, &["snapshot", "verify", "--require-anchor", "--ledger", ledger, &next]);
}

#[test]
fn a_wrong_snapshot_makes_no_directory() {
    let mut world = World::found("2025-06-01T00:00:00+05:30");
    let (source, file) = (world.at("node"), world.at("a.snapshot"));
    world.node.stop();
    let early = run(&["snapshot", "create", "--dir", &source, &file]);
    assert_eq!(early.status.code(), Some(1), "nobody has agreed on a checkpoint");
    assert!(!Path::new(&file).exists());
    let mut node = NodeProcess::start(Path::new(&source), &[]);
    let key = world.key("grid-operator");
    checkpoint(&node.url, &key);
    node.stop();
    expect(0, &["snapshot", "create", "--dir", &source, &file]);
    let genesis = world.at("node/genesis.json");
    let bytes = fs::read(&file).unwrap();
    let (bad, target) = (world.at("bad.snapshot"), world.at("target"));
    let restore = ["snapshot", "restore", "--dir", &target, "--genesis", &genesis, &bad];
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    for (content, exit) in
        [(&flipped[..], 1), (&bytes[..bytes.len() - 40], 1), (b"no snapshot at all", 2)]
    {
        fs::write(&bad, content).unwrap();
        expect(exit, &["snapshot", "verify", "--genesis", &genesis, &bad]);
        expect(exit, &restore);
        assert!(!Path::new(&target).join("ledger").exists());
        assert!(!Path::new(&target).join("ledger.unfinished").exists());
    }
    // What a kill left is in nobody's way.
    fs::create_dir_all(Path::new(&target).join("ledger.unfinished/half")).unwrap();
    fs::write(&bad, &bytes).unwrap();
    expect(0, &restore);
    let other = world.at("founded");
    expect(0, &["init", "--plain", "--dir", &other]);
    let stranger = world.at("founded/genesis.json");
    expect(1, &["snapshot", "verify", "--genesis", &stranger, &file]);
    fs::remove_dir_all(&target).unwrap();
    expect(2, &["snapshot", "restore", "--dir", &source, "--genesis", &genesis, &file]);
    expect(2, &["snapshot", "verify", &world.at("missing")]);
}
