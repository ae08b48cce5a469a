//! Networks of several organisations: real processes, brought up and down, killed, cut apart.

mod faults;
mod ledgers;
mod lifecycle;
mod machines;
mod organisations;
mod partition;
mod proxy;
mod strangers;
mod traffic;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use client::connection::Connection;
use client::key_file::KeyFile;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use primitives::key::SigningKey;
use serde_json::Value;

use crate::kills::Load;
use crate::process::{expect, run};

/// The usual organisations.
const NAMES: [&str; 4] = ["grid", "dist-a", "dist-b", "regulator"];

/// Long tests run only when they are asked for.
fn is_long() -> bool {
    let is_long = std::env::var_os("GRIDTALLY_LONG").is_some();
    if !is_long {
        println!("SKIPPED: takes long; GRIDTALLY_LONG=1 runs it");
    }
    is_long
}

/// A network in a folder of its own; it is stopped and removed when the test ends.
struct TestNetwork {
    folder: tempfile::TempDir,
}

impl TestNetwork {
    fn up() -> Self {
        let network = Self { folder: tempfile::tempdir().unwrap() };
        network.start();
        network
    }

    fn dir(&self) -> String {
        self.folder.path().join("net").to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("net").join(name)
    }

    /// Starts whatever does not run.
    fn start(&self) -> Value {
        let dir = self.dir();
        let text = expect(0, &["network", "up", "--json", "--dir", &dir, "--households", "2"]);
        serde_json::from_str(&text).unwrap()
    }

    fn stop(&self) {
        expect(0, &["network", "down", "--keep", "--dir", &self.dir()]);
    }

    /// The nodes as `network status` lists them, whatever its exit code.
    fn status(&self) -> Vec<Value> {
        let output = run(&["network", "status", "--json", "--dir", &self.dir()]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document["nodes"].as_array().unwrap().clone()
    }

    fn node(&self, name: &str) -> Value {
        self.status().into_iter().find(|node| node["name"] == name).unwrap()
    }

    fn url(&self, name: &str) -> String {
        self.node(name)["api"].as_str().unwrap().to_owned()
    }

    fn kill(&self, name: &str) {
        let pid = self.node(name)["pid"].as_u64().unwrap();
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
        // Its ports and its directory are free when it is gone.
        while !self.node(name)["pid"].is_null() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn key(&self, name: &str) -> SigningKey {
        KeyFile::read(&self.path(&format!("keys/{name}.key"))).unwrap().unlock(None).unwrap()
    }

    /// A household that buys through a node.
    fn load(&self, name: &str) -> Load {
        Load::of(&self.url(name), self.key("household-1"), self.key("grid"))
    }

    /// Waits until these nodes stand at least at a height, and compares the block at the lowest
    /// height of them; gives that height.
    fn agree(&self, urls: &[String], at_least: u64, within: Duration) -> u64 {
        let until = Instant::now() + within;
        let heights = || -> Vec<u64> { urls.iter().map(|url| height(url)).collect() };
        while heights().iter().any(|height| *height < at_least) {
            assert!(Instant::now() < until, "{:?} do not reach {at_least}", heights());
            std::thread::sleep(Duration::from_millis(50));
        }
        let lowest = heights().into_iter().min().unwrap();
        let block = |url: &String| {
            let connection = Connection::new(url).unwrap();
            let block = connection.get_json(&format!("/v1/blocks/{lowest}")).unwrap();
            let header = &block["header"];
            assert_eq!(header["height"], lowest.to_string(), "{block}");
            (header["bytes"].clone(), header["executed"]["state_root"].clone())
        };
        let first = block(&urls[0]);
        for url in &urls[1..] {
            assert_eq!(block(url), first, "{url} and {} differ at {lowest}", urls[0]);
        }
        lowest
    }

    fn urls(&self, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| self.url(name)).collect()
    }

    /// What the nodes said last; a test that failed shows it.
    fn print_logs(&self) {
        let Ok(logs) = std::fs::read_dir(self.path("logs")) else { return };
        for log in logs.flatten() {
            let text = std::fs::read_to_string(log.path()).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            println!("--- {}", log.path().display());
            for line in &lines[lines.len().saturating_sub(60)..] {
                println!("{line}");
            }
        }
    }
}

impl Drop for TestNetwork {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_logs();
        }
        // A test may have removed it already.
        run(&["network", "down", "--dir", &self.dir()]);
    }
}

/// How far a node is; 0 while it does not answer.
fn height(url: &str) -> u64 {
    let connection = Connection::with_timeout(url, Duration::from_secs(2)).unwrap();
    connection.status().map_or(0, |status| status.height.get())
}

/// Buys for a while; every purchase must be answered.
fn buy_for(load: &mut Load, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        load.step().expect("the network goes on");
    }
}
