//! The store in memory: the shared suite, and what its planted faults and crashes leave behind.

use ledger::store::{
    Durability, Fault, FaultRates, Keyspace, MemoryStore, Scan, Store, StoreError, WriteBatch,
};

use crate::store_suite::{Engine, a_poisoned_store_refuses_writes_and_reads_on, one, store_suite};

struct Memory(MemoryStore);

impl Engine for Memory {
    fn fresh() -> Self {
        Self(MemoryStore::new())
    }

    fn store(&self) -> &dyn Store {
        &self.0
    }

    fn reopen(self) -> Self {
        Self(self.0.crash())
    }
}

store_suite!(Memory);

/// Commit `number`: three rows that name it in different keyspaces.
fn numbered(number: u8) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for space in [Keyspace::State, Keyspace::Blocks, Keyspace::Index] {
        batch.put(space, [number], [number]);
        batch.put(space, *b"last", [number]);
    }
    batch
}

/// How many of the numbered commits are there: whole ones, and whether a part of a next one is.
fn found(store: &MemoryStore) -> (u8, bool) {
    let snapshot = store.snapshot().expect("reads");
    let has =
        |space, number: u8| usize::from(snapshot.get(space, &[number]).expect("reads").is_some());
    let rows = |number| {
        has(Keyspace::State, number) + has(Keyspace::Blocks, number) + has(Keyspace::Index, number)
    };
    let whole = (1..=u8::MAX).take_while(|number| rows(*number) == 3).last().unwrap_or(0);
    let after: usize = (whole.saturating_add(1)..=u8::MAX).map(rows).sum();
    let last = [Keyspace::State, Keyspace::Blocks, Keyspace::Index]
        .map(|space| snapshot.get(space, b"last").expect("reads").unwrap_or_default());
    let torn = after > 0 || last.iter().any(|last| last.first().copied().unwrap_or(0) != whole);
    (whole, torn)
}

/// Four commits of which the first two are synced.
fn two_synced_two_buffered(seed: u64, rates: FaultRates) -> MemoryStore {
    let store = MemoryStore::seeded(seed, rates);
    for number in 1..=4 {
        let synced = if number == 2 { Durability::Synced } else { Durability::Buffered };
        store.commit(numbered(number), synced).expect("no fault planted");
    }
    store
}

#[test]
fn a_crash_loses_only_whole_commits_behind_the_last_sync() {
    let mut survivors = [0_u32; 5];
    for seed in 0..200 {
        let (whole, torn) = found(&two_synced_two_buffered(seed, FaultRates::default()).crash());
        assert!(!torn, "seed {seed}");
        survivors[usize::from(whole)] += 1;
    }
    assert_eq!(survivors[..2], [0, 0], "what is synced stays");
    assert!(survivors[2..].iter().all(|times| *times > 20), "each outcome occurs: {survivors:?}");
}

#[test]
fn the_same_seed_leaves_the_same_rows() {
    let rates = FaultRates { torn_commits: 500_000, ..FaultRates::default() };
    for seed in 0..50 {
        let [one, other] = [(); 2].map(|()| {
            let after = two_synced_two_buffered(seed, rates).crash();
            let snapshot = after.snapshot().expect("reads");
            Keyspace::ALL.map(|space| snapshot.range(space, &Scan::all()).expect("reads"))
        });
        assert_eq!(one, other, "seed {seed}");
    }
}

#[test]
fn a_torn_commit_leaves_a_part_only_where_it_was_planted() {
    let mut torn_ones = 0;
    for seed in 0..100 {
        let store = two_synced_two_buffered(seed, FaultRates::default());
        store.plant(Fault::TornCommit);
        let (whole, torn) = found(&store.crash());
        assert!(whole >= 2, "seed {seed}: what is synced stays");
        torn_ones += u32::from(torn);
    }
    assert!(torn_ones > 20, "{torn_ones} of 100");

    let store =
        MemoryStore::seeded(7, FaultRates { torn_commits: 1_000_000, ..Default::default() });
    store.commit(numbered(1), Durability::Synced).expect("no fault planted");
    assert_eq!(found(&store.crash()), (1, false), "a synced commit cannot be torn");
}

#[test]
fn a_failed_write_poisons_and_may_or_may_not_be_found_later() {
    let (mut there, mut absent) = (0, 0);
    for seed in 0..50 {
        let store = MemoryStore::seeded(seed, FaultRates::default());
        store.commit(numbered(1), Durability::Synced).expect("no fault planted");
        store.plant(Fault::FailedWrite);
        let failed = store.commit(numbered(2), Durability::Synced);
        assert!(matches!(failed, Err(StoreError::Io { .. })), "{failed:?}");
        a_poisoned_store_refuses_writes_and_reads_on(&store, &[1], &[1]);
        assert_eq!(found(&store), (1, false), "a failed commit does not show");
        let after = store.crash();
        match found(&after) {
            (1, false) => absent += 1,
            (2, false) => there += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
        after.commit(numbered(3), Durability::Synced).expect("a restart heals");
    }
    assert!(there > 5 && absent > 5, "{there} there, {absent} absent");
}

#[test]
fn a_full_disk_is_told_apart_and_poisons() {
    let store = MemoryStore::new();
    store.commit(numbered(1), Durability::Buffered).expect("no fault planted");
    store.plant(Fault::FullDisk);
    let failed = store.sync();
    assert!(matches!(failed, Err(StoreError::DiskFull { .. })), "{failed:?}");
    a_poisoned_store_refuses_writes_and_reads_on(&store, &[1], &[1]);
}

#[test]
fn a_failed_read_fails_once_and_is_no_absent_row() {
    let store = MemoryStore::new();
    store.commit(numbered(1), Durability::Synced).expect("no fault planted");
    store.plant(Fault::FailedRead);
    let failed = store.get(Keyspace::State, &[1]);
    assert!(matches!(failed, Err(StoreError::Io { .. })), "{failed:?}");
    assert_eq!(store.get(Keyspace::State, &[1]).expect("reads again"), Some(vec![1]));
    store.commit(numbered(2), Durability::Synced).expect("a failed read does not poison");
}

#[test]
fn rates_make_faults_happen_by_themselves() {
    let rates = FaultRates { failed_reads: 200_000, failed_writes: 50_000, torn_commits: 0 };
    let store = MemoryStore::seeded(3, rates);
    let written = (0_u32..1000).take_while(|number| {
        let batch = one(Keyspace::State, &number.to_be_bytes(), b"x");
        store.commit(batch, Durability::Synced).is_ok()
    });
    assert!((1..500).contains(&written.count()), "one write in twenty fails");
    let failed = (0..1000).filter(|_| store.get(Keyspace::State, b"k").is_err()).count();
    assert!((100..300).contains(&failed), "one read in five fails: {failed}");
}

#[test]
fn a_crashed_store_answers_nobody() {
    let store = MemoryStore::new();
    let clone = store.clone();
    store.commit(numbered(1), Durability::Synced).expect("no fault planted");
    let after = store.crash();
    let dead = clone.commit(numbered(2), Durability::Synced);
    assert!(matches!(dead, Err(StoreError::Io { .. })), "{dead:?}");
    assert!(clone.get(Keyspace::State, &[1]).is_err());
    assert!(clone.snapshot().is_err());
    assert_eq!(found(&after), (1, false));
}

#[test]
fn old_versions_go_when_no_snapshot_needs_them() {
    let store = MemoryStore::new();
    for _ in 0..10 {
        store.commit(numbered(1), Durability::Synced).expect("no fault planted");
    }
    let before = store.disk_bytes().expect("known");
    let mut batch = WriteBatch::new();
    for space in [Keyspace::State, Keyspace::Blocks, Keyspace::Index] {
        batch.delete(space, [1]);
        batch.delete(space, *b"last");
    }
    store.commit(batch, Durability::Synced).expect("no fault planted");
    assert_eq!((before, store.disk_bytes().expect("known")), (3 * (2 + 5), 0));
}
