//! Nodes that do not belong to the network: another genesis, another key, no node at all.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{NAMES, TestNetwork, buy_for, height};
use crate::process::{NodeProcess, expect, json};

impl TestNetwork {
    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("logs/{name}.log"))).unwrap()
    }

    /// Lines of a node's log with all of these words.
    fn said(&self, name: &str, words: &[&str]) -> usize {
        let log = self.log(name);
        log.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }
}

#[test]
fn a_node_with_another_genesis_is_refused_and_said_once() {
    let network = TestNetwork::up();
    network.kill("dist-b");
    // Its key and its addresses, with a genesis that nobody else has.
    let other = network.folder.path().join("other");
    let other = other.to_str().unwrap();
    let keys: Vec<String> =
        network.status().iter().map(|node| node["key"].as_str().unwrap().to_owned()).collect();
    let mut init = vec!["init", "--plain", "--dir", other];
    keys.iter().for_each(|key| init.extend(["--validator", key]));
    expect(0, &init);
    let fresh = json(&["keys", "show", "--json", &format!("{other}/node.key")]);
    let nowhere = format!("{}@127.0.0.1:9", fresh["public_key"].as_str().unwrap());
    let ours = network.path("nodes/dist-b");
    fs::copy(ours.join("node.key"), format!("{other}/node.key")).unwrap();
    let config = fs::read_to_string(ours.join("gridtally.toml")).unwrap();
    let config = config.replace("peers = [", &format!("peers = [\n  \"{nowhere}\","));
    fs::write(format!("{other}/gridtally.toml"), config).unwrap();
    let stranger = NodeProcess::start(other.as_ref(), &[]);

    let mut load = network.load("grid");
    let until = Instant::now() + Duration::from_secs(30);
    let key = network.node("dist-b")["key"].as_str().unwrap().to_owned();
    let words = ["another genesis", key.as_str()];
    while network.said("grid", &words) == 0 {
        assert!(Instant::now() < until, "{}", network.log("grid"));
        load.step().unwrap();
    }
    buy_for(&mut load, Duration::from_secs(3));
    for name in ["grid", "dist-a", "regulator"] {
        // Once as the one that dials, once as the one that is dialled.
        assert!(network.said(name, &words) <= 2, "{}", network.log(name));
        assert_eq!(network.said(name, &["panicked"]), 0, "{}", network.log(name));
    }
    assert_eq!(height(&stranger.url), 0, "nobody makes blocks with it");
    drop(stranger);
    network.start();
    let urls = network.urls(&NAMES);
    network.agree(&urls, height(&urls[0]), Duration::from_secs(30));
    load.compare(&urls[2]);
}

#[test]
fn who_does_not_speak_as_a_node_is_refused_and_said_once() {
    let network = TestNetwork::up();
    let text = fs::read_to_string(network.path("network.json")).unwrap();
    let text: serde_json::Value = serde_json::from_str(&text).unwrap();
    let peer = text["nodes"][0]["peer"].as_str().unwrap().to_owned();
    let mut load = network.load("grid");
    for round in 0..20_u8 {
        let mut stream = TcpStream::connect(&peer).unwrap();
        let garbage = match round % 4 {
            0 => vec![0xff; 64],
            1 => b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            2 => vec![0; 4_096],
            _ => (0..=255).map(|byte: u8| byte.wrapping_mul(round)).collect(),
        };
        // It may be cut off before everything is written.
        let _ = stream.write_all(&garbage);
        drop(stream);
        load.step().unwrap();
    }
    let said = network.said("grid", &["does not speak as a node"]);
    assert!((1..=4).contains(&said), "{said}: {}", network.log("grid"));
    assert_eq!(network.said("grid", &["panicked"]), 0);
    let urls = network.urls(&NAMES);
    network.agree(&urls, height(&urls[0]), Duration::from_secs(30));
}

#[test]
fn a_node_with_an_unknown_key_is_refused_and_said_once() {
    let network = TestNetwork::up();
    let dir = network.folder.path().join("stranger");
    let dir = dir.to_str().unwrap();
    expect(0, &["init", "--plain", "--dir", dir]);
    let ours = network.path("nodes/dist-b");
    for file in ["genesis.json", "gridtally.toml"] {
        fs::copy(ours.join(file), format!("{dir}/{file}")).unwrap();
    }
    let stranger = NodeProcess::start(dir.as_ref(), &["--peer-listen", "127.0.0.1:0"]);
    let key = json(&["keys", "show", "--json", &format!("{dir}/node.key")]);
    let words = ["no member's", key["public_key"].as_str().unwrap()];
    let until = Instant::now() + Duration::from_secs(30);
    let mut load = network.load("grid");
    while network.said("grid", &words) == 0 {
        assert!(Instant::now() < until, "{}", network.log("grid"));
        load.step().unwrap();
    }
    buy_for(&mut load, Duration::from_secs(3));
    for name in ["grid", "dist-a", "regulator"] {
        assert!(network.said(name, &words) <= 1, "{}", network.log(name));
    }
    assert_eq!(height(&stranger.url), 0, "nobody tells it anything");
    assert_eq!(network.node("grid")["peers"], 3);
}
