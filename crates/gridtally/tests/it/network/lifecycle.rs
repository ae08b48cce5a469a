//! Up, status, down.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{NAMES, TestNetwork};
use crate::process::{expect, gridtally, run};

/// Does a process run that has this text on its command line?
fn runs_with(text: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.into_iter().any(|entry| {
        let pid = entry.file_name().to_string_lossy().into_owned();
        let is_us = pid == std::process::id().to_string();
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        !is_us && String::from_utf8_lossy(&line).contains(text)
    })
}

fn text<'a>(node: &'a Value, field: &str) -> &'a str {
    node[field].as_str().unwrap_or_else(|| panic!("{field} of {node}"))
}

#[test]
fn a_network_comes_up_stops_goes_on_and_leaves_nothing_behind() {
    let network = TestNetwork::up();
    let dir = network.dir();
    let nodes = network.status();
    assert_eq!(nodes.len(), 4);
    for (node, name) in nodes.iter().zip(NAMES) {
        assert_eq!((text(node, "name"), text(node, "role")), (name, "validator"));
        assert!(text(node, "api").starts_with("http://127.0.0.1:"), "{node}");
        assert!(node["pid"].is_u64() && node["peers"].is_u64(), "{node}");
        assert_eq!(text(node, "state_root").len(), 64);
        assert!(text(node, "height").parse::<u64>().unwrap() > 0, "{node}");
    }
    // The first transaction of somebody who was registered.
    let mut load = network.load("dist-b");
    load.step().unwrap();

    let again = network.start();
    assert_eq!(again["started"], 0, "it runs already");
    let busy = run(&["network", "up", "--dir", &dir, "--orgs", "a,b"]);
    assert_eq!(busy.status.code(), Some(2), "two organisations are too few");

    let before = network.agree(&network.urls(&NAMES), 1, Duration::from_secs(20));
    network.stop();
    assert!(!runs_with(&dir), "every node has ended");
    let down = run(&["network", "status", "--dir", &dir]);
    assert_eq!(down.status.code(), Some(1));
    let went_on = network.start();
    assert_eq!(went_on["started"], 4);
    network.agree(&network.urls(&NAMES), before + 1, Duration::from_secs(20));
    load.step().unwrap();
    load.compare(&network.url("grid"));

    expect(0, &["network", "down", "--dir", &dir]);
    assert!(!fs::exists(&dir).unwrap() && !runs_with(&dir));
    expect(2, &["network", "down", "--dir", &dir]);
}

#[test]
fn a_directory_that_is_no_networks_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    let dir = folder.path().to_str().unwrap();
    for command in ["up", "status", "down"] {
        expect(2, &["network", command, "--dir", dir]);
    }
    assert_eq!(fs::read_dir(dir).unwrap().count(), 1);
}

#[test]
fn a_node_that_does_not_answer_is_named_with_its_log_and_nothing_stays() {
    let network = TestNetwork::up();
    let dir = network.dir();
    network.stop();
    // Its ledger cannot be opened any more.
    let genesis = network.path("nodes/dist-b/genesis.json");
    let whole = fs::read(&genesis).unwrap();
    fs::write(&genesis, &whole[..whole.len() / 2]).unwrap();
    let failed = run(&["network", "up", "--dir", &dir]);
    let said = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("dist-b") && said.contains("genesis.json"), "{said}");
    assert!(!runs_with(&dir), "what was started is stopped again");
    fs::write(&genesis, whole).unwrap();
    network.start();
}

#[test]
fn an_interrupt_during_up_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("net").to_str().unwrap().to_owned();
    let mut up = gridtally();
    up.args(["network", "up", "--dir", &dir, "--households", "0"]);
    let mut up = up.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while !fs::exists(format!("{dir}/nodes/dist-b/process.json")).unwrap() {
        assert!(Instant::now() < until, "no node is started");
        std::thread::sleep(Duration::from_millis(1));
    }
    for _ in 0..2 {
        kill(Pid::from_raw(up.id().cast_signed()), Signal::SIGINT).unwrap();
    }
    let mut said = String::new();
    BufReader::new(up.stderr.take().unwrap()).read_to_string(&mut said).unwrap();
    let status = up.wait().unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.lines().any(|line| line.contains("interrupted")), "{said}");
    assert!(BufReader::new(up.stdout.take().unwrap()).lines().next().is_none());
    assert!(!runs_with(&dir), "{said}");
    expect(0, &["network", "down", "--dir", &dir]);
    assert!(!fs::exists(&dir).unwrap());
}

#[test]
fn a_process_with_the_number_of_a_node_that_ended_is_left_alone() {
    let network = TestNetwork::up();
    network.kill("dist-a");
    let file = network.path("nodes/dist-a/process.json");
    let mut stranger = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let mut process: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    process["pid"] = stranger.id().into();
    fs::write(&file, process.to_string()).unwrap();
    expect(0, &["network", "down", "--dir", &network.dir()]);
    assert!(stranger.try_wait().unwrap().is_none(), "it still sleeps");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
