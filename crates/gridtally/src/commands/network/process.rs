//! The process of a node: started, recognised again, stopped.
//!
//! A process is known by its number and the moment at which it began, so that another program that
//! was given the same number later is left alone.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};

use super::folder::Folder;
use crate::exit::{EndWith, Ended, Exit};

/// How often it is looked whether something has happened.
pub const LOOK: Duration = Duration::from_millis(20);
/// How long a node may take to stop by itself.
const GRACE: Duration = Duration::from_secs(15);
/// How long a killed process may take to disappear.
const DEATH: Duration = Duration::from_secs(5);

/// A process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it began, as the operating system tells it.
    began: String,
}

fn file(folder: &Folder, name: &str) -> PathBuf {
    folder.node(name).join("process.json")
}

impl Process {
    /// The process of a node, when one was started and still runs.
    pub fn of(folder: &Folder, name: &str) -> Option<Self> {
        let text = std::fs::read(file(folder, name)).ok()?;
        let process: Self = serde_json::from_slice(&text).ok()?;
        process.runs().then_some(process)
    }

    /// Starts the node of a directory, apart from this terminal, and writes down which process it is.
    ///
    /// # Errors
    /// When it cannot be started or written down; then it does not run.
    pub fn start(folder: &Folder, name: &str) -> Result<(Self, Child), Ended> {
        let log = File::options().create(true).append(true).open(folder.log(name))?;
        let program = std::env::current_exe().context("this program's own path is not known")?;
        let mut command = Command::new(program);
        command.args(["node", "--log", "info", "--dir"]).arg(folder.node(name));
        // The configuration file says everything; what is meant for this command is not for the node.
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("GRIDTALLY_") {
                command.env_remove(variable);
            }
        }
        command.current_dir(folder.node(name));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // Ctrl-C in this terminal is not for the nodes.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().context("the node cannot be started")?;
        let written = began(child.id()).context("it ended at once").and_then(|began| {
            let process = Self { pid: child.id(), began };
            std::fs::write(file(folder, name), serde_json::to_vec(&process)?)?;
            Ok(process)
        });
        match written {
            Ok(process) => Ok((process, child)),
            Err(error) => {
                // It may have ended already.
                let _ = child.kill();
                let _ = child.wait();
                Err(error.into())
            }
        }
    }

    /// Does it still run?
    pub fn runs(&self) -> bool {
        began(self.pid).is_some_and(|began| began == self.began)
    }

    /// Asks it to stop; it has [`Process::stopped`] to end.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::Terminate);
    }

    /// Waits for the end of a process that was asked to stop; kills it when it takes too long.
    ///
    /// # Errors
    /// When it does not even end then.
    pub fn stopped(&self, name: &str) -> Result<(), Ended> {
        if self.ends_within(GRACE) {
            return Ok(());
        }
        eprintln!("gridtally: {name} (process {}) does not stop and is killed", self.pid);
        self.signal(Signal::Kill);
        if self.ends_within(DEATH) {
            return Ok(());
        }
        Err(anyhow!("{name} (process {}) cannot be stopped", self.pid)).end_with(Exit::Failure)
    }

    fn ends_within(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while self.runs() {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }

    fn signal(&self, signal: Signal) {
        if self.runs() {
            send(self.pid, signal);
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Signal {
    Terminate,
    Kill,
}

#[cfg(unix)]
fn send(pid: u32, signal: Signal) {
    let signal = match signal {
        Signal::Terminate => nix::sys::signal::Signal::SIGTERM,
        Signal::Kill => nix::sys::signal::Signal::SIGKILL,
    };
    // It may end by itself at any moment; whether it has is asked afterwards.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), signal);
}

#[cfg(not(unix))]
fn send(pid: u32, _signal: Signal) {
    // Only an end at once is known there.
    let _ = Command::new("taskkill").args(["/F", "/PID", &pid.to_string()]).status();
}

/// When a process began; none when there is no such process, or only its exit code waits to be read.
fn began(pid: u32) -> Option<String> {
    if !Path::new("/proc/self/stat").exists() {
        return began_by_ps(pid);
    }
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold blanks: count from behind it.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    if matches!(fields.first(), None | Some(&("Z" | "X"))) {
        return None;
    }
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{} {}", fields.get(19)?, boot.trim()))
}

fn began_by_ps(pid: u32) -> Option<String> {
    let output =
        Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The last lines of a log.
pub fn tail(path: &Path, lines: usize) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Stops processes together: all are asked first, then waited for.
///
/// # Errors
/// The first that does not end.
pub fn stop(processes: &[(&str, Process)]) -> Result<(), Ended> {
    for (_, process) in processes {
        process.ask_to_stop();
    }
    let ends = processes.iter().map(|(name, process)| process.stopped(name));
    ends.fold(Ok(()), Result::and)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_another_process_has_now_is_not_ours() {
        let own = std::process::id();
        let began = began(own).unwrap();
        let process = Process { pid: own, began: began.clone() };
        assert!(process.runs());
        let stranger = Process { pid: own, began: format!("{began}0") };
        assert!(!stranger.runs());
        // It runs on: it was not ours to stop.
        stranger.ask_to_stop();
        stranger.stopped("stranger").unwrap();
    }

    #[test]
    fn the_end_of_a_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "a\nb\nc\n").unwrap();
        assert_eq!(tail(&path, 2), "b\nc");
        assert_eq!(tail(&path, 9), "a\nb\nc");
        assert_eq!(tail(&dir.path().join("none"), 9), "");
    }
}
