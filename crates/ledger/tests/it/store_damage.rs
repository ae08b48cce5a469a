//! The store on disk after its files were cut, overwritten or removed.
//!
//! What a power loss can do to the end of the journal heals by itself, back to a whole commit. What
//! it cannot do is damage: the store names the file and refuses, and changes nothing.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use ledger::store::{
    Durability, FjallOptions, FjallStore, Keyspace, Scan, Store, StoreError, WriteBatch,
};
use tempfile::TempDir;

const VALUE_BYTES: usize = 6_000;

fn open(directory: &TempDir) -> Result<FjallStore, StoreError> {
    FjallStore::open(directory.path(), FjallOptions::default())
}

/// A value that does not compress, so that it stands in the journal as it is.
fn value(number: u8) -> Vec<u8> {
    let words =
        (0_u32..).map(|word| (word ^ (u32::from(number) << 16)).wrapping_mul(2_654_435_761));
    words.flat_map(u32::to_le_bytes).take(VALUE_BYTES).collect()
}

fn numbered(number: u8) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(Keyspace::Blocks, [number], value(number));
    batch.put(Keyspace::State, [number], *b"row");
    batch.put(Keyspace::Meta, *b"tip", [number]);
    batch
}

/// A closed store with one commit per entry, and where each ends in the journal.
fn closed_store(durabilities: &[Durability]) -> (TempDir, Vec<u64>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(&directory).expect("opens");
    let mut ends = vec![0];
    for (number, durability) in (1..).zip(durabilities) {
        store.commit(numbered(number), *durability).expect("commits");
        ends.push(length_used(&journal(directory.path())));
    }
    drop(store);
    (directory, ends)
}

fn journal(directory: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(directory.join("fjall"))
        .expect("reads")
        .map(|entry| entry.expect("reads").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .collect();
    files.pop().filter(|_| files.is_empty()).expect("one journal")
}

/// A journal is made long and full of zeros; a record ends with a byte that is not zero.
fn length_used(path: &Path) -> u64 {
    let mut bytes = Vec::new();
    // A few records: no need to read all the zeros behind them.
    fs::File::open(path).expect("opens").take(1 << 20).read_to_end(&mut bytes).expect("reads");
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).expect("opens");
    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(bytes)).expect("writes");
}

fn flip(path: &Path, at: u64) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).expect("opens");
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut byte)).expect("reads");
    overwrite(path, at, &[byte[0] ^ 0x10]);
}

/// The store shows exactly the commits 1 to `newest`, takes the next one and keeps it.
fn stands_at(directory: &TempDir, newest: u8, what: &str) {
    let store = open(directory).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let tip = store.get(Keyspace::Meta, b"tip").expect("reads").unwrap_or(vec![0]);
    assert_eq!(tip, [newest], "{what}");
    let snapshot = store.snapshot().expect("reads");
    for space in [Keyspace::Blocks, Keyspace::State] {
        let rows = snapshot.range(space, &Scan::all()).expect("reads");
        let numbers: Vec<u8> = rows.iter().map(|(key, _)| key[0]).collect();
        assert_eq!(numbers, (1..=newest).collect::<Vec<_>>(), "{what}: {space:?}");
    }
    drop(snapshot);
    store.commit(numbered(newest + 1), Durability::Synced).expect("commits");
    drop(store);
    let store = open(directory).unwrap_or_else(|error| panic!("{what}, then a commit: {error:?}"));
    assert_eq!(store.get(Keyspace::Blocks, &[newest + 1]).expect("reads"), Some(value(newest + 1)));
}

/// The store refuses to open, names what is damaged, and does so again: nothing was changed.
fn is_refused(directory: &TempDir, named: &str, what: &str) {
    for _ in 0..2 {
        match open(directory).map(|_| ()) {
            Err(StoreError::Corrupt { what: found }) if found.contains(named) => {}
            other => panic!("{what}: {other:?}"),
        }
    }
}

use Durability::{Buffered, Synced};

#[test]
fn a_journal_cut_short_ends_with_its_last_whole_commit() {
    for part in [1, 300, 5_000] {
        let (directory, ends) = closed_store(&[Synced, Synced, Synced]);
        let path = journal(directory.path());
        let file = OpenOptions::new().write(true).open(path).expect("opens");
        file.set_len(ends[3] - part).expect("cuts");
        stands_at(&directory, 2, &format!("{part} bytes are missing at the end"));
    }
}

#[test]
fn a_last_commit_of_which_pages_are_missing_is_cut_off() {
    // The power failed while the last commit was being synced: its end is there, its middle is not.
    // The same for a flipped byte: a store alone cannot tell it from a page that was not written.
    for at in [1, 700, 5_000] {
        let (directory, ends) = closed_store(&[Synced, Synced, Synced]);
        overwrite(&journal(directory.path()), ends[2] + at, &[0; 500]);
        stands_at(&directory, 2, &format!("a hole at byte {at} of the last commit"));
        let (directory, ends) = closed_store(&[Synced, Synced, Synced]);
        flip(&journal(directory.path()), ends[2] + at);
        stands_at(&directory, 2, &format!("a flipped bit in byte {at} of the last commit"));
    }
}

#[test]
fn damage_to_a_commit_that_was_acknowledged_as_synced_is_refused_by_name() {
    // The tag, the row count, the sequence, the tag and the length of a row, its value.
    let from_start = [0, 1, 7, 13, 31, 700, 5_000];
    for at in from_start {
        let (directory, ends) = closed_store(&[Synced, Synced, Synced]);
        flip(&journal(directory.path()), ends[1] + at);
        is_refused(&directory, ".jnl", &format!("a flipped bit in byte {at} of the second commit"));
    }
    let (directory, ends) = closed_store(&[Synced, Synced, Synced]);
    flip(&journal(directory.path()), ends[2] - 6);
    is_refused(&directory, ".jnl", "a flipped bit in the sum of the second commit");
    let (directory, _) = closed_store(&[Synced, Synced, Synced]);
    flip(&journal(directory.path()), 700);
    is_refused(&directory, ".jnl", "a flipped bit in the first commit");
}

#[test]
fn commits_that_were_never_synced_may_be_missing_from_the_first_damaged_on() {
    let (directory, ends) = closed_store(&[Synced, Buffered, Buffered, Buffered]);
    overwrite(&journal(directory.path()), ends[2] + 700, &[0; 500]);
    stands_at(&directory, 2, "a hole in the third commit, before the fourth");
}

/// The table files that hold more than the engine's own few rows.
fn tables(directory: &Path) -> Vec<PathBuf> {
    let trees = fs::read_dir(directory.join("fjall/keyspaces")).expect("reads");
    let tables = trees.flat_map(|tree| {
        let tables = tree.expect("reads").path().join("tables");
        fs::read_dir(tables).expect("reads").map(|entry| entry.expect("reads").path())
    });
    tables.filter(|path| path.metadata().is_ok_and(|found| found.len() > 1 << 20)).collect()
}

/// A closed store whose rows stand partly in a table file.
fn store_with_tables() -> (TempDir, Vec<PathBuf>) {
    const COMMITS_MAX: u32 = 400;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(&directory).expect("opens");
    let large = vec![5; 1 << 18];
    for number in 0..COMMITS_MAX {
        let mut batch = WriteBatch::new();
        batch.put(Keyspace::TransactionIndex, number.to_be_bytes(), large.as_slice());
        store.commit(batch, Synced).expect("commits");
        if !tables(directory.path()).is_empty() {
            break;
        }
    }
    drop(store);
    let tables = tables(directory.path());
    (directory, tables)
}

#[test]
fn a_damaged_table_file_gives_an_error_never_other_rows() {
    let (directory, tables) = store_with_tables();
    let table = tables.first().expect("the engine has written a table");
    let length = table.metadata().expect("reads").len();
    flip(table, length / 2);
    let store = match open(&directory) {
        Ok(store) => store,
        Err(error) => {
            assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
            return;
        }
    };
    let rows = store.snapshot().expect("reads").range(Keyspace::TransactionIndex, &Scan::all());
    assert!(matches!(rows, Err(StoreError::Corrupt { .. })), "the flipped row is met");
    for number in 0_u32..40 {
        match store.get(Keyspace::TransactionIndex, &number.to_be_bytes()) {
            Ok(found) => assert!(found.is_none_or(|found| found == vec![5; 1 << 18])),
            Err(error) => assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}"),
        }
    }
}

#[test]
fn a_table_file_cut_short_or_removed_is_refused_at_the_opening() {
    let (directory, tables) = store_with_tables();
    let table = tables.first().expect("the engine has written a table");
    let file = OpenOptions::new().write(true).open(table).expect("opens");
    file.set_len(table.metadata().expect("reads").len() / 2).expect("cuts");
    is_refused(&directory, "", "a table cut in half");
    fs::remove_file(table).expect("removes");
    is_refused(&directory, "", "a table removed");
}

#[test]
fn a_keyspace_without_its_root_is_refused_before_the_engine_removes_it() {
    let (directory, tables) = store_with_tables();
    let tree = tables[0].parent().and_then(Path::parent).expect("below its tree");
    fs::remove_file(tree.join("current")).expect("removes");
    is_refused(&directory, "current", "the root of a tree removed");
    assert!(tables[0].exists(), "the rows are still there");
}

#[test]
fn a_removed_journal_is_noticed_by_tables_that_are_newer() {
    let (directory, _) = store_with_tables();
    fs::remove_file(journal(directory.path())).expect("removes");
    is_refused(&directory, "transaction_index", "the journal removed");
}

#[test]
fn a_store_whose_making_was_interrupted_is_made_anew() {
    let (directory, _) = closed_store(&[]);
    let engine = directory.path().join("fjall");
    fs::rename(&engine, directory.path().join("fjall.unfinished")).expect("renames");
    stands_at(&directory, 0, "an unfinished store");
    assert!(!directory.path().join("fjall.unfinished").exists());
}
