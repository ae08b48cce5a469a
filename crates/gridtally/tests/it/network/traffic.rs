//! `gridtally load` on a network that runs, and its log compared with what the nodes hold.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use client::connection::Connection;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::TestNetwork;
use crate::process::gridtally;

const PATIENCE: Duration = Duration::from_secs(30);

/// Households that buy through all nodes of a network, in a process of their own.
pub struct Traffic {
    child: Option<Child>,
    log: PathBuf,
}

impl Traffic {
    pub fn start(network: &TestNetwork) -> Self {
        let log = network.folder.path().join("acknowledged.txt");
        let mut command = gridtally();
        command.args(["load", "--json", "--seconds", "3600", "--network", &network.dir()]);
        let child = command.arg("--acknowledged").arg(&log).stdout(Stdio::piped()).spawn().unwrap();
        let traffic = Self { child: Some(child), log };
        traffic.goes_on();
        traffic
    }

    /// How many purchases were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        std::fs::read(&self.log).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count()
    }

    /// Waits until more is acknowledged than now.
    pub fn goes_on(&self) {
        self.goes_on_within(PATIENCE);
    }

    /// The same, which must not take longer.
    pub fn goes_on_within(&self, within: Duration) {
        let before = self.acknowledged();
        let until = Instant::now() + within;
        while self.acknowledged() <= before {
            assert!(Instant::now() < until, "nothing was acknowledged for {within:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Goes on for a while, in which something must be acknowledged.
    pub fn flows_for(&self, time: Duration) {
        let before = self.acknowledged();
        std::thread::sleep(time);
        assert!(self.acknowledged() > before, "nothing was acknowledged for {time:?}");
    }

    /// Ends it as Ctrl-C does; gives what it says of itself.
    pub fn stop(mut self) -> Stopped {
        let child = self.child.take().expect("it is stopped once");
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", output.status);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = std::fs::read_to_string(&self.log).unwrap();
        let log: Vec<(String, u64)> = text
            .lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(id, height)| (id.to_owned(), height.parse().unwrap()))
            .collect();
        assert_eq!(report["acknowledged"], log.len(), "{report}");
        println!("load: {report}");
        Stopped { report, log }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Traffic that has ended.
pub struct Stopped {
    pub report: Value,
    log: Vec<(String, u64)>,
}

impl Stopped {
    /// The longest time in which nothing was acknowledged.
    pub fn longest_pause(&self) -> Duration {
        Duration::from_millis(self.report["longest_pause_ms"].as_u64().unwrap())
    }

    /// How many purchases may have acted: those without an answer or not.
    pub fn may_have_acted(&self) -> RangeInclusive<i64> {
        let acknowledged = i64::try_from(self.log.len()).unwrap();
        acknowledged..=acknowledged + self.report["unanswered"].as_i64().unwrap()
    }

    /// Every acknowledged purchase stands in the blocks of every one of these nodes at its height,
    /// and nowhere else, and the node finds it by its id.
    pub fn compare(&self, urls: &[String]) {
        let heights = self.log.iter().map(|(_, height)| *height);
        let (first, newest) = (heights.clone().min().unwrap(), heights.max().unwrap());
        for url in urls {
            let node = Connection::new(url).unwrap();
            node.get(&format!("/v1/status?at_least={newest}")).unwrap();
            let head = node.status().unwrap().height.get();
            let mut ordered: BTreeMap<String, Vec<u64>> = BTreeMap::new();
            for height in first..=head {
                let block = node.get_json(&format!("/v1/blocks/{height}")).unwrap();
                assert!(block["transactions"]["next"].is_null(), "{block}");
                for transaction in block["transactions"]["items"].as_array().unwrap() {
                    let id = transaction["transaction_id"].as_str().unwrap();
                    ordered.entry(id.to_owned()).or_default().push(height);
                }
            }
            for (id, height) in &self.log {
                assert_eq!(ordered.get(id), Some(&vec![*height]), "{id} at {url}");
                let found = node.get_json(&format!("/v1/transactions/{id}")).unwrap();
                assert_eq!(found["height"], height.to_string(), "{id} at {url}");
            }
        }
        println!("{} purchases compared at {} nodes", self.log.len(), urls.len());
    }
}
