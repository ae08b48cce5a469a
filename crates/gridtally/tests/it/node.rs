//! A node that is misused: taken ports and directories, wrong keys, damaged files, a full disk.

use std::fs;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::process::{NodeProcess, expect, gridtally, json, run};

fn init(dir: &std::path::Path) -> String {
    let path = dir.join("node").to_str().unwrap().to_owned();
    expect(0, &["init", "--plain", "--dir", &path]);
    path
}

#[test]
fn an_empty_directory_is_founded_and_answers_within_two_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new");
    let started = std::time::Instant::now();
    let node = NodeProcess::start(&path, &[]);
    let status = json(&["show", "--json", "--node", &node.url, "status"]);
    assert!(started.elapsed().as_secs() < 20, "far beyond any expectation");
    assert_eq!(status["height"], "0");
    for file in ["genesis.json", "node.key", "owner.key"] {
        assert!(path.join(file).exists(), "{file}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for file in ["node.key", "owner.key"] {
            let mode = fs::metadata(path.join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }
}

#[test]
fn a_node_stops_gracefully_and_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = init(dir.path());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let node = NodeProcess::start(path.as_ref(), &[]);
        node.signal(signal);
        assert_eq!(node.wait(), Some(0), "{signal}");
    }
}

#[test]
fn a_taken_port_and_a_taken_directory_are_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = init(dir.path());
    let node = NodeProcess::start(path.as_ref(), &[]);
    let address = node.url.trim_start_matches("http://").to_owned();
    let other = dir.path().join("other").to_str().unwrap().to_owned();
    let taken = run(&["node", "--dir", &other, "--listen", &address]);
    assert_eq!(taken.status.code(), Some(7));
    let text = String::from_utf8_lossy(&taken.stderr);
    assert!(text.contains(&address) && text.contains("--listen"), "{text}");

    let taken = run(&["node", "--dir", &path, "--listen", "127.0.0.1:0"]);
    assert_eq!(taken.status.code(), Some(7));
    let text = String::from_utf8_lossy(&taken.stderr);
    assert!(text.contains("in use by another process"), "{text}");
    assert_eq!(run(&["replay", "--dir", &path]).status.code(), Some(7));
}

#[test]
fn a_directory_without_a_ledger_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter.txt"), "dear").unwrap();
    let path = dir.path().to_str().unwrap();
    expect(2, &["node", "--dir", path, "--listen", "127.0.0.1:0"]);
    expect(2, &["replay", "--dir", path]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_half_written_genesis_or_configuration_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = init(dir.path());
    let genesis = format!("{path}/genesis.json");
    let whole = fs::read(&genesis).unwrap();
    fs::write(&genesis, &whole[..whole.len() / 2]).unwrap();
    let output = run(&["node", "--dir", &path, "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("genesis.json"));
    fs::write(&genesis, &whole).unwrap();

    let config = format!("{path}/gridtally.toml");
    fs::write(&config, "lisen = \"127.0.0.1:0\"\n").unwrap();
    let output = run(&["node", "--dir", &path]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("gridtally.toml") && text.contains("lisen"), "{text}");
}

#[test]
fn the_later_of_file_environment_and_flag_wins() {
    let dir = tempfile::tempdir().unwrap();
    let path = init(dir.path());
    fs::write(format!("{path}/gridtally.toml"), "listen = \"192.0.2.1:1\"\n").unwrap();
    let from_file = run(&["node", "--dir", &path]);
    let text = String::from_utf8_lossy(&from_file.stderr).into_owned();
    assert!(text.contains("192.0.2.1:1"), "{text}");
    let mut command = gridtally();
    command.args(["node", "--dir", &path]).env("GRIDTALLY_LISTEN", "192.0.2.2:2");
    let from_environment = command.output().unwrap();
    let text = String::from_utf8_lossy(&from_environment.stderr).into_owned();
    assert!(text.contains("192.0.2.2:2"), "{text}");
    command.args(["--listen", "192.0.2.3:3"]);
    let from_flag = command.output().unwrap();
    let text = String::from_utf8_lossy(&from_flag.stderr).into_owned();
    // Not loopback, and no proxy was promised.
    assert!(text.contains("192.0.2.3:3") && text.contains("--behind-proxy"), "{text}");
    assert_eq!(from_flag.status.code(), Some(2));
}

#[test]
fn passphrases_are_asked_for_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let right = dir.path().join("right");
    let wrong = dir.path().join("wrong");
    fs::write(&right, "correct horse\n").unwrap();
    fs::write(&wrong, "battery staple\n").unwrap();
    let (right, wrong) = (right.to_str().unwrap(), wrong.to_str().unwrap());
    let path = dir.path().join("node").to_str().unwrap().to_owned();
    expect(0, &["init", "--dir", &path, "--passphrase-file", right]);
    let key = format!("{path}/owner.key");
    expect(0, &["keys", "check", &key, "--passphrase-file", right]);
    expect(8, &["keys", "check", &key, "--passphrase-file", wrong]);
    expect(8, &["keys", "check", &key]);
    let shown = json(&["keys", "show", "--json", &key]);
    assert_eq!(shown["encrypted"], true);
    expect(8, &["node", "--dir", &path, "--listen", "127.0.0.1:0", "--passphrase-file", wrong]);
    let node = NodeProcess::start(path.as_ref(), &["--passphrase-file", right]);
    drop(node);
    // A key never appears in a log or in an error.
    let secret: Value = serde_json::from_str(&fs::read_to_string(&key).unwrap()).unwrap();
    let secret = secret["secret"].as_str().unwrap();
    let output = run(&["keys", "check", &key, "--passphrase-file", wrong, "--log", "trace"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains(secret));
}

#[test]
fn a_full_disk_ends_the_node_with_its_own_code_and_the_ledger_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = init(dir.path());
    // The signal of a file that grows too large is ignored, so that the write fails as on a full disk.
    let binary = env!("CARGO_BIN_EXE_gridtally");
    let script =
        format!("trap '' XFSZ; exec {binary} node --json --dir {path} --listen 127.0.0.1:0");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stdin(Stdio::null()).stderr(Stdio::null());
    let node = NodeProcess::wait_for(command);
    let mut load = crate::kills::Load::start(&node.url, &path);
    for _ in 0..20 {
        load.step().unwrap();
    }
    // From now on no file may be written beyond its first 4 KiB.
    let pid = node.id().to_string();
    let limited = Command::new("prlimit").args(["--fsize=4096", "--pid", &pid]).status();
    if !limited.is_ok_and(|status| status.success()) {
        println!("SKIPPED: prlimit is not there, so no disk can be made to look full");
        return;
    }
    assert!((0..1_000).any(|_| load.step().is_err()), "a write must fail");
    assert_eq!(node.wait(), Some(6));
    let node = NodeProcess::start(path.as_ref(), &[]);
    load.compare(&node.url);
}
