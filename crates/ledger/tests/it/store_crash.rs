//! The store on disk, killed while it commits, and writing where no room is left.
//!
//! The test binary starts itself again as the writer ([`writer`]), so that a real process dies with
//! all its buffers. What it has acknowledged on its output must be found afterwards.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use ledger::store::{
    Durability, FjallOptions, FjallStore, Keyspace, Scan, Store, StoreError, WriteBatch,
};

use crate::store_suite::{a_poisoned_store_refuses_writes_and_reads_on, one};

const DIRECTORY: &str = "LEDGER_STORE_WRITER_DIRECTORY";
const TASK: &str = "LEDGER_STORE_WRITER_TASK";
const ACKNOWLEDGED: &str = "acknowledged ";

/// The body of the child process; nothing to do when it is run as one test among others.
#[test]
fn writer() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    match env::var(TASK).as_deref() {
        Ok("commit") => commit_for_ever(Path::new(&directory)),
        Ok("fill") => fill_the_disk(Path::new(&directory)),
        other => panic!("no such task: {other:?}"),
    }
}

fn open(directory: &Path) -> FjallStore {
    FjallStore::open(directory, FjallOptions::default()).expect("opens")
}

fn tell(line: &str) {
    let mut output = io::stdout().lock();
    output.write_all(line.as_bytes()).and_then(|()| output.flush()).expect("the parent reads");
}

/// Bytes that do not compress and differ from commit to commit.
fn noise(seed: u32, bytes: usize) -> Vec<u8> {
    let words = (0_u32..).map(|word| word.wrapping_add(seed << 20).wrapping_mul(2_654_435_761));
    let mut noise: Vec<u8> = words.take(bytes.div_ceil(4)).flat_map(u32::to_le_bytes).collect();
    noise.truncate(bytes);
    noise
}

/// The value that commit `number` leaves in a keyspace: large ones among small ones.
fn value(space: Keyspace, number: u32) -> Vec<u8> {
    let bytes = match space {
        Keyspace::Blocks => 1_000 * (number as usize * 37 % 200),
        Keyspace::Payloads => 45 * (number as usize % 100),
        _ => 40,
    };
    noise(number, bytes)
}

fn numbered(number: u32) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for space in Keyspace::ALL {
        batch.put(space, number.to_be_bytes(), value(space, number));
        batch.put(space, *b"tip", number.to_be_bytes());
    }
    batch.delete(Keyspace::State, (number / 2).to_be_bytes());
    batch
}

fn tip(store: &dyn Store, space: Keyspace) -> u32 {
    let tip = store.get(space, b"tip").expect("reads");
    tip.map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().expect("four bytes")))
}

fn commit_for_ever(directory: &Path) {
    let store = open(directory);
    for number in tip(&store, Keyspace::Meta) + 1.. {
        // A kill of the process spares what was handed to the system, synced or not.
        let synced = if number % 3 == 0 { Durability::Synced } else { Durability::Buffered };
        store.commit(numbered(number), synced).expect("commits");
        tell(&format!("{ACKNOWLEDGED}{number}\n"));
    }
}

fn child(program: &mut Command, task: &str, directory: &Path) -> Child {
    program.args(["store_crash::writer", "--exact", "--nocapture", "--test-threads=1"]);
    program.env(DIRECTORY, directory).env(TASK, task);
    program.stdout(Stdio::piped()).spawn().expect("the test binary starts again")
}

/// The number on the last whole line of acknowledgement.
fn acknowledged(line: &str) -> Option<u32> {
    line.split_once(ACKNOWLEDGED)?.1.parse().ok()
}

/// Checks that the store shows exactly the commits 1 to its tip, and returns the tip.
fn whole_commits(store: &dyn Store) -> u32 {
    let newest = tip(store, Keyspace::Meta);
    let snapshot = store.snapshot().expect("reads");
    for space in Keyspace::ALL {
        assert_eq!(tip(store, space), newest, "{space:?}");
        let rows = snapshot.range(space, &Scan::all()).expect("reads");
        let oldest = if space == Keyspace::State { newest / 2 + 1 } else { 1 };
        let numbers: Vec<u32> = (oldest..=newest).collect();
        assert_eq!(rows.len(), numbers.len() + 1, "{space:?} at {newest}");
        for (number, (key, found)) in numbers.into_iter().zip(rows) {
            assert_eq!(key, number.to_be_bytes(), "{space:?} at {newest}");
            assert!(found == value(space, number), "{space:?}: commit {number} is whole");
        }
    }
    newest
}

#[test]
fn a_killed_writer_has_lost_nothing_acknowledged_and_halved_nothing() {
    const KILLS: u32 = 5;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut before = 0;
    for kill in 0..KILLS {
        let program = env::current_exe().expect("the path of this test");
        let mut writer = child(&mut Command::new(program), "commit", directory.path());
        let output = BufReader::new(writer.stdout.take().expect("piped"));
        // Killed as soon as so many commits are acknowledged: then it is in the midst of the next.
        let enough = before + 7 + kill * 29;
        let mut last = 0;
        for line in output.lines() {
            last = acknowledged(&line.expect("text")).unwrap_or(last);
            if last == enough {
                writer.kill().expect("it runs");
            }
        }
        assert!(!writer.wait().expect("it has ended").success(), "it was killed");
        assert!(last >= enough, "{last}: it ran until the kill");
        let found = whole_commits(&open(directory.path()));
        assert!(found >= last, "kill {kill}: {last} were acknowledged, {found} are there");
        assert!(found <= last + 1, "kill {kill}: {found} found after {last}");
        before = found;
    }
}

/// One commit that is longer than the largest file allowed, after two that fit.
fn fill_the_disk(directory: &Path) {
    const VALUES: u32 = 20;
    const VALUE_BYTES: usize = 8 << 20;
    let store = open(directory);
    store.commit(one(Keyspace::State, b"k", b"v"), Durability::Synced).expect("there is room");
    store.commit(numbered(1), Durability::Buffered).expect("there is room");
    let mut batch = numbered(2);
    for number in 0..VALUES {
        batch.put(Keyspace::Index, number.to_le_bytes(), noise(number, VALUE_BYTES));
    }
    let failed = store.commit(batch, Durability::Synced);
    assert!(matches!(failed, Err(StoreError::DiskFull { .. })), "{failed:?}");
    assert_eq!(tip(&store, Keyspace::Meta), 1, "a failed commit does not show");
    a_poisoned_store_refuses_writes_and_reads_on(&store, b"k", b"v");
    tell("the disk was full\n");
}

#[test]
#[cfg(unix)]
fn a_write_without_room_is_named_poisons_and_leaves_whole_commits() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    // The shell counts in 512 or in 1,024 bytes: 72 or 143 MB, more than a new journal and less than
    // the third commit. The signal that would end the process at the limit is ignored.
    const LIMITED: &str = "trap '' XFSZ; ulimit -f 140000; exec \"$0\" \"$@\"";
    let program = env::current_exe().expect("the path of this test");
    let mut shell = Command::new("sh");
    let shell = shell.arg("-c").arg(LIMITED).arg(program);
    let output = child(shell, "fill", directory.path()).wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("the disk was full"), "{text}");

    let store = open(directory.path());
    assert_eq!(store.get(Keyspace::State, b"k").expect("reads"), Some(b"v".to_vec()));
    assert_eq!(tip(&store, Keyspace::Meta), 1);
    let rows = store.snapshot().expect("reads").range(Keyspace::Index, &Scan::all());
    assert_eq!(rows.expect("reads").len(), 2, "nothing of the commit that failed");
    store.commit(numbered(2), Durability::Synced).expect("there is room again");
}

#[test]
fn a_failure_of_the_background_threads_is_met_with_an_error_not_a_standstill() {
    const COMMITS_MAX: u32 = 200;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    store.commit(one(Keyspace::State, b"k", b"v"), Durability::Synced).expect("nothing is wrong");
    // Where the engine wants to put its table files there is no directory any more.
    let trees = directory.path().join("fjall/keyspaces");
    for tree in trees.read_dir().expect("reads") {
        std::fs::remove_dir_all(tree.expect("reads").path().join("tables")).expect("removes");
    }
    let failed = (0..COMMITS_MAX).find_map(|number| {
        let batch = one(Keyspace::Blocks, &number.to_be_bytes(), &noise(number, 1 << 20));
        store.commit(batch, Durability::Buffered).err()
    });
    assert!(matches!(failed, Some(StoreError::Io { .. })), "{failed:?}");
    a_poisoned_store_refuses_writes_and_reads_on(&store, b"k", b"v");
}
