//! Nodes that are killed, run on a wrong clock, or cannot write.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use client::connection::Connection;
use nix::sys::signal::Signal;

use super::traffic::Traffic;
use super::{NAMES, TestNetwork, buy_for, height, is_long};
use crate::kills::{TOKENS, kills, wallets};
use crate::process::{NodeProcess, gridtally};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn one_of_four_is_killed_under_load_and_the_rest_go_on() {
    let network = TestNetwork::up();
    let mut load = network.load("grid");
    buy_for(&mut load, Duration::from_secs(1));
    network.kill("dist-b");
    let before = load.acknowledged();
    buy_for(&mut load, Duration::from_secs(4));
    assert!(load.acknowledged() > before, "the others go on");
    let there = height(&network.url("grid"));
    network.start();
    let urls = network.urls(&NAMES);
    network.agree(&urls, there + 1, PATIENCE);
    // Nothing that was answered is lost, at any node.
    for url in &urls {
        load.compare(url);
    }
}

#[test]
fn kills_of_any_node_at_random_moments_lose_nothing() {
    let network = TestNetwork::up();
    let traffic = Traffic::start(&network);
    let urls = network.urls(&NAMES);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..kills() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis(seed >> 33 & 0x1ff));
        let victim = NAMES[(seed >> 62) as usize];
        network.kill(victim);
        // What was on its way to the victim is sent to another node.
        traffic.goes_on();
        // Each turn of the one that is away costs a second.
        traffic.goes_on_within(Duration::from_secs(3));
        network.start();
        // Who has just come back has to take part again: without it and the next one two were away.
        let others = urls.iter().map(|url| height(url)).max().unwrap();
        network.agree(&urls, others, PATIENCE);
        println!("kill {round} of {victim}: {} acknowledged", traffic.acknowledged());
    }
    let traffic = traffic.stop();
    network.agree(&urls, height(&urls[0]), PATIENCE);
    traffic.compare(&urls);
    network.stop();
    for name in NAMES {
        let held: i64 = wallets(&network.path(&format!("nodes/{name}"))).iter().sum();
        let acted = held / TOKENS;
        assert_eq!(held % TOKENS, 0, "a purchase acts wholly, at {name}");
        assert!(traffic.may_have_acted().contains(&acted), "{acted} acted at {name}");
    }
}

#[test]
fn two_of_four_are_killed_and_the_ledger_stands_still_until_they_are_back() {
    if !is_long() {
        return;
    }
    let network = TestNetwork::up();
    let traffic = Traffic::start(&network);
    traffic.flows_for(Duration::from_secs(2));
    network.kill("dist-a");
    network.kill("dist-b");
    let url = network.url("grid");
    std::thread::sleep(Duration::from_secs(2));
    let (stands, acknowledged) = (height(&url), traffic.acknowledged());
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(traffic.acknowledged(), acknowledged, "nobody may say that something was accepted");
    assert_eq!(height(&url), stands, "two of four make no block");
    network.start();
    let back = Instant::now();
    while height(&url) <= stands {
        assert!(back.elapsed() < Duration::from_secs(5), "it does not go on");
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("went on {:?} after both were back", back.elapsed());
    traffic.goes_on();
    traffic.flows_for(Duration::from_secs(1));
    let traffic = traffic.stop();
    let urls = network.urls(&NAMES);
    network.agree(&urls, stands + 1, PATIENCE);
    traffic.compare(&urls);
}

#[test]
fn a_wrong_clock_on_one_node_moves_nobody_elses() {
    if !is_long() {
        return;
    }
    for offset in ["3600000", "-3600000"] {
        let network = TestNetwork::up();
        network.kill("dist-b");
        let wrong = NodeProcess::start(&network.path("nodes/dist-b"), &["--clock-offset", offset]);
        let traffic = Traffic::start(&network);
        traffic.flows_for(Duration::from_secs(15));
        let traffic = traffic.stop();
        let mut urls = network.urls(&["grid", "dist-a", "regulator"]);
        let node = Connection::new(&urls[0]).unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let off = node.status().unwrap().time.get().abs_diff(now.as_millis() as u64);
        assert!(off < 10_000, "the ledger's time is off by {off} ms");
        urls.push(wrong.url.clone());
        network.agree(&urls, height(&urls[0]), PATIENCE);
        traffic.compare(&urls);
        wrong.signal(Signal::SIGTERM);
        assert_eq!(wrong.wait(), Some(0));
    }
}

#[test]
fn a_full_disk_ends_one_node_and_the_rest_go_on() {
    if !is_long() {
        return;
    }
    let network = TestNetwork::up();
    network.kill("dist-b");
    let dir = network.path("nodes/dist-b");
    // The signal of a file that grows too large is ignored, so that the write fails as on a full disk.
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; exec \"$0\" \"$@\"";
    command.args(["-c", script, gridtally().get_program().to_str().unwrap()]);
    command.args(["node", "--json", "--listen", "127.0.0.1:0", "--dir"]).arg(&dir);
    // Its log lies on the full disk as well.
    let log = network.path("logs/full.log");
    command.stdin(Stdio::null()).stderr(File::create(&log).unwrap());
    let full = NodeProcess::wait_for(command);
    let traffic = Traffic::start(&network);
    traffic.flows_for(Duration::from_secs(2));
    let pid = full.id().to_string();
    let limited = Command::new("prlimit").args(["--fsize=4096", "--pid", &pid]).status();
    if !limited.is_ok_and(|status| status.success()) {
        println!("SKIPPED: prlimit is not there, so no disk can be made to look full");
        return;
    }
    traffic.flows_for(Duration::from_secs(5));
    let code = full.wait();
    let said = std::fs::read_to_string(&log).unwrap();
    assert_eq!(code, Some(6), "it ends with the code of a full disk: {said}");
    traffic.goes_on();
    let traffic = traffic.stop();
    network.start();
    let urls = network.urls(&NAMES);
    network.agree(&urls, height(&urls[0]), PATIENCE);
    traffic.compare(&urls);
}
