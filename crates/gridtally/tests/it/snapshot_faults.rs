//! Snapshots on a full disk and killed: never a half ledger or file, and a second run succeeds.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{expect, gridtally, json, run};
use crate::snapshot::{checkpoint, state_root};
use crate::world::World;

/// A stopped node with a checkpoint, and its snapshot.
fn source() -> (World, String, String) {
    let mut world = World::found("2025-06-01T00:00:00+05:30");
    for number in 0..20 {
        world.buy_tokens("distributor-1", &format!("payment-{number}"), 10);
    }
    checkpoint(&world.node.url, &world.key("grid-operator"));
    world.node.stop();
    let (source, file) = (world.at("node"), world.at("a.snapshot"));
    expect(0, &["snapshot", "create", "--dir", &source, &file]);
    (world, source, file)
}

fn kills() -> u32 {
    if std::env::var_os("GRIDTALLY_LONG").is_some() { 100 } else { 10 }
}

/// Kills a command line after a part of the time that it took when it was let alone.
fn killed_at(arguments: &[&str], took: Duration, (part, of): (u32, u32)) {
    let mut command = gridtally();
    let mut child =
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(took * part / of);
    // It may have ended already.
    let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    child.wait().unwrap();
}

/// Runs a command line that may write so many KiB into a file at most, which looks like a full disk.
fn limited(kibibytes: u32, arguments: &[&str]) -> Option<i32> {
    let blocks = kibibytes * 2;
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_gridtally")]).args(arguments);
    command.stdin(Stdio::null()).output().unwrap().status.code()
}

#[test]
fn a_killed_restore_leaves_no_half_ledger() {
    let (world, source, file) = source();
    let (target, genesis) = (world.at("other"), world.at("node/genesis.json"));
    let restore = ["snapshot", "restore", "--dir", &target, "--genesis", &genesis, &file];
    let begin = Instant::now();
    expect(0, &restore);
    let took = begin.elapsed();
    let wanted = state_root(&target);
    let ledger = Path::new(&target).join("ledger");
    let mut whole = 0;
    for part in 1..=kills() {
        std::fs::remove_dir_all(&target).unwrap();
        killed_at(&restore, took, (part, kills()));
        if ledger.exists() {
            whole += 1;
        } else {
            expect(0, &restore);
        }
        assert!(!Path::new(&target).join("ledger.unfinished").exists());
        assert_eq!(state_root(&target), wanted, "what has the name is whole");
    }
    assert!(whole < kills(), "some were killed before their end");
    assert_eq!(wanted, state_root(&source));
}

#[test]
fn a_killed_create_leaves_no_half_file() {
    let (world, source, wanted) = source();
    let (file, genesis) = (world.at("b.snapshot"), world.at("node/genesis.json"));
    let create = ["snapshot", "create", "--dir", &source, &file];
    let begin = Instant::now();
    expect(0, &create);
    let took = begin.elapsed();
    let wanted = std::fs::read(wanted).unwrap();
    for part in 1..=kills() {
        std::fs::remove_file(&file).unwrap();
        killed_at(&create, took, (part, kills()));
        if !Path::new(&file).exists() {
            expect(0, &create);
        }
        assert!(std::fs::read(&file).unwrap() == wanted, "what has the name is whole");
    }
    expect(0, &["snapshot", "verify", "--require-anchor", "--genesis", &genesis, &file]);
}

#[test]
fn a_full_disk_leaves_nothing_and_room_helps() {
    let (world, source, file) = source();
    let (target, genesis) = (world.at("other"), world.at("node/genesis.json"));
    let restore = ["snapshot", "restore", "--dir", &target, "--genesis", &genesis, &file];
    let bytes = std::fs::metadata(&file).unwrap().len();
    for kibibytes in [0, 1, 16, 64_000] {
        assert_eq!(limited(kibibytes, &restore), Some(6), "{kibibytes} KiB");
        for left in ["ledger", "ledger.unfinished"] {
            assert!(!Path::new(&target).join(left).exists(), "{left} with {kibibytes} KiB");
        }
    }
    expect(0, &restore);
    assert_eq!(state_root(&target), state_root(&source));

    let other = world.at("b.snapshot");
    let create = ["snapshot", "create", "--dir", &source, &other];
    for kibibytes in [0, 1, u32::try_from(bytes / 1_024).unwrap() - 1] {
        let code = limited(kibibytes, &create);
        // Opening the store may need room as well.
        assert_eq!(code, Some(6), "{kibibytes} KiB");
        assert!(!Path::new(&other).exists());
        assert!(!Path::new(&world.at("b.snapshot.unfinished")).exists());
    }
    expect(0, &create);
    assert!(std::fs::read(&other).unwrap() == std::fs::read(&file).unwrap());

    // Pruning: what could not be written is as before, and the next run does it.
    let prune = ["prune", "--json", "--dir", &source, "--keep-blocks", "0"];
    assert_eq!(limited(1, &prune), Some(6));
    let before = state_root(&source);
    let done = json(&prune);
    assert_ne!(done["transactions"], "0", "{done}");
    let replayed = run(&["replay", "--dir", &source]);
    assert_eq!(replayed.status.code(), Some(1), "it was pruned after {before:?}");
}
