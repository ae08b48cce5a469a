//! Organisations that come to a network that runs, and leave it.

use std::time::{Duration, Instant};

use client::connection::Connection;
use client::transaction_proof;
use client::verify::TrustAnchor;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::traffic::Traffic;
use super::{NAMES, TestNetwork, height, is_long};
use crate::kills::Load;
use crate::process::{expect, gridtally, json, run};

const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that nothing may be acknowledged.
const PAUSE: Duration = Duration::from_secs(2);

fn number(document: &Value, field: &str) -> u64 {
    let text = document[field].as_str().unwrap_or_else(|| panic!("{field} of {document}"));
    text.parse().unwrap()
}

impl TestNetwork {
    fn change(&self, command: &str, name: &str) -> Value {
        json(&["network", command, name, "--json", "--dir", &self.dir()])
    }

    fn header(&self, node: &str, height: u64) -> Value {
        let connection = Connection::new(&self.url(node)).unwrap();
        connection.get_json(&format!("/v1/blocks/{height}")).unwrap()["header"].clone()
    }

    /// The proof of the newest purchase as a node serves it, verified from the genesis alone.
    fn proof(&self, node: &str, load: &Load) -> Value {
        let connection = Connection::new(&self.url(node)).unwrap();
        let (id, height) = load.last_acknowledged();
        connection.get(&format!("/v1/status?at_least={height}")).unwrap();
        // Its receipt is for the buyer alone.
        connection.log_in(self.key("household-1")).unwrap();
        let proof = connection.transaction_proof(&id).unwrap();
        let genesis = client::genesis_file::read(&self.path("nodes/grid/genesis.json")).unwrap();
        let trusted = TrustAnchor::Genesis(Box::new(genesis));
        assert!(transaction_proof::verify(&trusted, &proof).unwrap().anchored);
        serde_json::from_slice(&proof).unwrap()
    }
}

/// Does the certificate of a verified proof count a validator of the newest set?
fn counts(proof: &Value, key: &str) -> bool {
    let newest = proof["set_changes"].as_array().unwrap().last();
    let set = newest.and_then(|change| change["next_validators"].as_array());
    let place = set.and_then(|set| set.iter().position(|validator| validator == key));
    let signatures = proof["anchor"]["certificate"]["signatures"].as_array().unwrap();
    place.is_some_and(|place| signatures.iter().any(|it| it["validator"] == place))
}

#[test]
fn an_organisation_comes_under_load() {
    let network = TestNetwork::up();
    let traffic = Traffic::start(&network);
    let began = Instant::now();
    let added = network.change("add-org", "dist-c");
    let took = began.elapsed();
    let traffic = traffic.stop();
    let longest = traffic.longest_pause();
    println!("added in {took:?}, nothing acknowledged for {longest:?} at the longest");
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert!(longest < PAUSE, "nothing was acknowledged for {longest:?}");
    assert_eq!((&added["validators"], &added["tolerated_faults"]), (&5.into(), &1.into()));

    // Its certificate counts from the stated epoch on: that of the block before is of another set.
    let key = added["key"].as_str().unwrap();
    let (epoch, from) = (number(&added, "epoch"), number(&added, "from_height"));
    assert!(number(&added, "signed") >= from);
    let (before, first) = (network.header("dist-c", from - 1), network.header("dist-c", from));
    assert_eq!((number(&before, "epoch") + 1, number(&first, "epoch")), (epoch, epoch));
    assert_eq!(first["validators_hash"], before["next_validators_hash"]);
    assert_ne!(first["validators_hash"], before["validators_hash"]);
    let mut load = network.load("grid");
    let until = Instant::now() + PATIENCE;
    loop {
        load.step().unwrap();
        let proof = network.proof("dist-c", &load);
        assert_eq!(proof["anchor"]["header"]["validators_hash"], first["validators_hash"]);
        if counts(&proof, key) {
            break;
        }
        assert!(Instant::now() < until, "no certificate carries its signature");
    }

    let all = [&NAMES[..], &["dist-c"]].concat();
    let urls = network.urls(&all);
    network.agree(&urls, height(&urls[0]), PATIENCE);
    traffic.compare(&urls);
    assert_eq!(network.node("dist-c")["role"], "validator");
    // A network that is started again knows it.
    let again = network.start();
    assert_eq!((&again["started"], again["nodes"].as_array().unwrap().len()), (&0.into(), 5));
    assert_eq!(network.change("add-org", "dist-c")["from_height"], added["from_height"]);
}

#[test]
fn an_organisation_leaves_under_load() {
    if !is_long() {
        return;
    }
    let network = TestNetwork::up();
    let traffic = Traffic::start(&network);
    let removed = network.change("remove-org", "dist-b");
    let traffic = traffic.stop();
    let longest = traffic.longest_pause();
    assert!(longest < PAUSE, "nothing was acknowledged for {longest:?}");
    assert_eq!((&removed["validators"], &removed["tolerated_faults"]), (&3.into(), &0.into()));
    assert_eq!(network.status().len(), 3);
    assert!(!network.path("nodes/dist-b").exists());
    let from = number(&removed, "from_height");
    let (before, first) = (network.header("grid", from - 1), network.header("grid", from));
    assert_eq!(number(&first, "epoch"), number(&removed, "epoch"));
    assert_eq!(first["validators_hash"], before["next_validators_hash"]);
    assert_ne!(first["validators_hash"], before["validators_hash"]);
    let key = removed["key"].as_str().unwrap();
    let mut load = network.load("grid");
    load.step().unwrap();
    assert!(!counts(&network.proof("dist-a", &load), key));
    let urls = network.urls(&["grid", "dist-a", "regulator"]);
    network.agree(&urls, height(&urls[0]), PATIENCE);
    traffic.compare(&urls);
}

#[test]
fn what_the_rules_refuse_changes_nothing() {
    let network = TestNetwork::up();
    let dir = network.dir();
    let refused = run(&["network", "remove-org", "regulator", "--dir", &dir]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("no regulator would hold a seat"), "{said}");
    for wrong in ["nobody", "owner", "../x"] {
        expect(2, &["network", "remove-org", wrong, "--dir", &dir]);
    }
    expect(2, &["network", "add-org", "../x", "--dir", &dir]);
    assert_eq!(network.status().len(), 4);
}

#[test]
fn a_change_that_is_killed_again_and_again_goes_on_where_it_stood() {
    if !is_long() {
        return;
    }
    let network = TestNetwork::up();
    for (command, kinds) in [("add-org", Signal::SIGKILL), ("remove-org", Signal::SIGINT)] {
        let mut attempts = 0_u64;
        loop {
            let dir = network.dir();
            let arguments = ["network", command, "dist-c", "--json", "--dir", &dir];
            let mut child = gridtally().args(arguments).spawn().unwrap();
            let until = Instant::now() + Duration::from_millis(40 + 97 * attempts);
            while Instant::now() < until && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
            if child.try_wait().unwrap().is_none() {
                kill(Pid::from_raw(child.id().cast_signed()), kinds).unwrap();
            }
            let status = child.wait().unwrap();
            if status.success() {
                break;
            }
            assert!(status.code().is_none_or(|code| code == 1), "{status}");
            attempts += 1;
            assert!(attempts < 60, "it never comes to its end");
        }
        println!("{command}: {attempts} attempts were cut short");
        assert!(attempts > 3);
        let names: Vec<&str> = match command {
            "add-org" => [&NAMES[..], &["dist-c"]].concat(),
            _ => NAMES.to_vec(),
        };
        let urls = network.urls(&names);
        assert_eq!(network.status().len(), urls.len());
        network.agree(&urls, height(&urls[0]), PATIENCE);
    }
}

#[test]
fn a_dead_organisation_is_replaced_by_two_new_ones() {
    if !is_long() {
        return;
    }
    let network = TestNetwork::up();
    network.kill("dist-b");
    let mut load = network.load("grid");
    let removed = run(&["network", "remove-org", "dist-b", "--dir", &network.dir()]);
    let said = String::from_utf8_lossy(&removed.stderr);
    assert_eq!(removed.status.code(), Some(0), "{said}");
    assert!(said.contains("3 validators will tolerate no fault"), "{said}");
    load.step().unwrap();
    for (name, validators) in [("grid-2", 4), ("regulator-2", 5)] {
        assert_eq!(network.change("add-org", name)["validators"], validators);
        load.step().unwrap();
    }
    // Under its old name and key, with a new node.
    assert_eq!(network.change("add-org", "dist-b")["validators"], 6);
    network.stop();
    assert_eq!(network.start()["started"], 6);
    let all = ["grid", "dist-a", "dist-b", "regulator", "grid-2", "regulator-2"];
    let urls = network.urls(&all);
    load.step().unwrap();
    network.agree(&urls, height(&urls[0]), PATIENCE);
    for url in &urls {
        load.compare(url);
    }
}
