//! Starting the binary, and a node that is stopped when the test ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// The binary with a clean environment for its own settings.
pub fn gridtally() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridtally"));
    for (name, _) in std::env::vars() {
        if name.starts_with("GRIDTALLY_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command line to its end.
pub fn run(arguments: &[&str]) -> Output {
    gridtally().args(arguments).output().unwrap()
}

/// Runs a command line that must end with this exit code; gives standard output.
pub fn expect(code: i32, arguments: &[&str]) -> String {
    let output = run(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}\n{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Runs a command line that must end well and print one JSON document.
pub fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&expect(0, arguments)).unwrap()
}

/// A running node.
pub struct NodeProcess {
    /// None when somebody else looks after the process.
    child: Option<Child>,
    pub url: String,
}

impl NodeProcess {
    /// Starts `gridtally node` on a free port and waits until it answers.
    pub fn start(dir: &Path, more: &[&str]) -> Self {
        let mut command = gridtally();
        command.args(["node", "--json", "--listen", "127.0.0.1:0", "--dir"]).arg(dir).args(more);
        Self::wait_for(command)
    }

    pub fn wait_for(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut text = String::new();
        while let Some(line) = lines.next().transpose().unwrap() {
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        let document: Value = serde_json::from_str(&text).expect("the node says where it listens");
        Self { child: Some(child), url: document["url"].as_str().unwrap().to_owned() }
    }

    /// A further ledger of a node that somebody else looks after.
    pub const fn elsewhere(url: String) -> Self {
        Self { child: None, url }
    }

    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id().cast_signed()), signal).unwrap();
    }

    /// Asks it to stop and waits for its graceful end.
    pub fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        assert_eq!(self.child.as_mut().unwrap().wait().unwrap().code(), Some(0));
    }

    /// Waits for the end; gives the exit code, or `None` when a signal ended it.
    pub fn wait(mut self) -> Option<i32> {
        self.child.take().unwrap().wait().unwrap().code()
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
