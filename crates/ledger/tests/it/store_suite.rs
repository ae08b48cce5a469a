//! What every store must do, whichever engine is behind it: one list, run by all of them.

use std::{
    ops::Bound,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use ledger::store::{Durability, Keyspace, Scan, Snapshot, Store, StoreError, WriteBatch};

/// A store under test that can be closed and opened again.
pub trait Engine: Sized {
    /// A store with nothing in it.
    fn fresh() -> Self;

    /// The store, open.
    fn store(&self) -> &dyn Store;

    /// Closes the store and opens it again, as a restart does.
    fn reopen(self) -> Self;
}

/// Makes one test of each case for an engine.
macro_rules! store_suite {
    ($engine:ty) => {
        $crate::store_suite::store_suite!($engine:
            a_commit_shows_in_all_keyspaces_at_once,
            the_last_write_of_a_key_in_a_batch_wins,
            rows_come_in_the_order_of_their_bytes,
            bounds_limits_and_directions_of_a_scan,
            an_empty_or_inverted_range_has_no_rows,
            a_snapshot_does_not_see_later_commits,
            a_deleted_row_is_gone_and_can_come_back,
            an_empty_value_is_not_an_absent_one,
            a_value_of_four_megabytes_comes_back_whole,
            a_synced_commit_is_there_after_a_restart,
            a_buffered_commit_is_there_after_a_sync_and_a_restart,
            an_empty_batch_changes_nothing,
            readers_never_see_a_part_of_a_commit,
            bytes_on_disk_grow_with_the_rows,
        );
    };
    ($engine:ty: $($case:ident,)+) => {
        $(#[test] fn $case() { $crate::store_suite::$case::<$engine>(); })+
    };
}
pub(crate) use store_suite;

/// A batch of one row.
pub fn one(space: Keyspace, key: &[u8], value: &[u8]) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(space, key, value);
    batch
}

fn commit(store: &dyn Store, batch: WriteBatch) {
    store.commit(batch, Durability::Buffered).expect("nothing was planted");
}

fn get(store: &dyn Store, space: Keyspace, key: &[u8]) -> Option<Vec<u8>> {
    let by_store = store.get(space, key).expect("nothing was planted");
    let by_snapshot = snapshot(store).get(space, key).expect("nothing was planted");
    assert_eq!(by_store, by_snapshot, "both ways of reading agree");
    by_store
}

fn snapshot(store: &dyn Store) -> Box<dyn Snapshot> {
    store.snapshot().expect("nothing was planted")
}

fn keys(store: &dyn Store, space: Keyspace, scan: &Scan) -> Vec<Vec<u8>> {
    let rows = snapshot(store).range(space, scan).expect("nothing was planted");
    rows.into_iter().map(|(key, _)| key).collect()
}

pub fn a_commit_shows_in_all_keyspaces_at_once<E: Engine>() {
    let engine = E::fresh();
    let mut batch = WriteBatch::new();
    for space in Keyspace::ALL {
        batch.put(space, *b"key", space.name());
    }
    commit(engine.store(), batch);
    for space in Keyspace::ALL {
        let found = get(engine.store(), space, b"key");
        assert_eq!(found.as_deref(), Some(space.name().as_bytes()), "{space:?}");
    }
    assert_eq!(get(engine.store(), Keyspace::Meta, b"other"), None);
}

pub fn the_last_write_of_a_key_in_a_batch_wins<E: Engine>() {
    let engine = E::fresh();
    let mut batch = WriteBatch::new();
    batch.put(Keyspace::State, *b"a", *b"1");
    batch.put(Keyspace::State, *b"b", *b"1");
    batch.put(Keyspace::State, *b"a", *b"2");
    batch.delete(Keyspace::State, *b"b");
    commit(engine.store(), batch);
    assert_eq!(get(engine.store(), Keyspace::State, b"a"), Some(b"2".to_vec()));
    assert_eq!(get(engine.store(), Keyspace::State, b"b"), None);
}

pub fn rows_come_in_the_order_of_their_bytes<E: Engine>() {
    let engine = E::fresh();
    let unsorted: [&[u8]; 6] = [&[0xff, 0xff], b"b", b"a\0", &[0], b"a", &[0xff]];
    for key in unsorted {
        commit(engine.store(), one(Keyspace::Index, key, b"x"));
    }
    let mut sorted = unsorted.map(<[u8]>::to_vec);
    sorted.sort();
    assert_eq!(keys(engine.store(), Keyspace::Index, &Scan::all()), sorted);
    sorted.reverse();
    assert_eq!(keys(engine.store(), Keyspace::Index, &Scan::all().descending()), sorted);
}

pub fn bounds_limits_and_directions_of_a_scan<E: Engine>() {
    let engine = E::fresh();
    let mut batch = WriteBatch::new();
    for key in [b"a1", b"a2", b"b1", b"b2", b"b3", b"c1"] {
        batch.put(Keyspace::State, *key, *key);
        batch.put(Keyspace::Receipts, *key, *b"of another keyspace");
    }
    commit(engine.store(), batch);
    let found = |scan: Scan| {
        let keys = keys(engine.store(), Keyspace::State, &scan);
        keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect::<Vec<_>>()
    };
    let included = |key: &'static [u8]| Bound::Included(key);
    let excluded = |key: &'static [u8]| Bound::Excluded(key);
    let to_b3 = Scan::between(Bound::Unbounded, included(b"b3"));
    assert_eq!(found(Scan::prefix(b"b")), ["b1", "b2", "b3"]);
    assert_eq!(found(Scan::prefix(b"b").descending()), ["b3", "b2", "b1"]);
    assert_eq!(found(Scan::prefix(b"b").limit(2)), ["b1", "b2"]);
    assert_eq!(found(Scan::prefix(b"b").descending().limit(1)), ["b3"]);
    assert_eq!(found(Scan::after(b"b1").limit(2)), ["b2", "b3"]);
    assert_eq!(found(Scan::between(included(b"a2"), excluded(b"b2"))), ["a2", "b1"]);
    assert_eq!(found(Scan::between(excluded(b"a2"), included(b"b2"))), ["b1", "b2"]);
    assert_eq!(found(to_b3.descending().limit(2)), ["b3", "b2"]);
    assert_eq!(found(Scan::all().limit(usize::MAX)).len(), 6);
    let rows = snapshot(engine.store()).range(Keyspace::State, &Scan::prefix(b"c"));
    assert_eq!(rows.expect("nothing was planted"), [(b"c1".to_vec(), b"c1".to_vec())]);
}

pub fn an_empty_or_inverted_range_has_no_rows<E: Engine>() {
    let engine = E::fresh();
    commit(engine.store(), one(Keyspace::State, b"k", b"v"));
    let included = Bound::Included(b"k".as_slice());
    let excluded = Bound::Excluded(b"k".as_slice());
    let inverted = Scan::between(Bound::Included(b"z"), Bound::Included(b"a"));
    for scan in [
        inverted,
        Scan::between(excluded, excluded),
        Scan::between(included, excluded),
        Scan::between(excluded, included),
        Scan::all().limit(0),
        Scan::prefix(b"kk"),
    ] {
        assert!(keys(engine.store(), Keyspace::State, &scan).is_empty(), "{scan:?}");
    }
    let exact = Scan::between(included, included);
    assert_eq!(keys(engine.store(), Keyspace::State, &exact), [b"k"]);
}

pub fn a_snapshot_does_not_see_later_commits<E: Engine>() {
    let engine = E::fresh();
    let empty = snapshot(engine.store());
    let mut batch = one(Keyspace::State, b"kept", b"old");
    batch.put(Keyspace::Blocks, *b"removed", *b"old");
    commit(engine.store(), batch);
    let before = snapshot(engine.store());
    let mut batch = one(Keyspace::State, b"kept", b"new");
    batch.put(Keyspace::State, *b"added", *b"new");
    batch.delete(Keyspace::Blocks, *b"removed");
    commit(engine.store(), batch);

    assert_eq!(empty.range(Keyspace::State, &Scan::all()).expect("reads"), []);
    assert_eq!(before.get(Keyspace::State, b"kept").expect("reads"), Some(b"old".to_vec()));
    assert_eq!(before.get(Keyspace::State, b"added").expect("reads"), None);
    assert_eq!(before.get(Keyspace::Blocks, b"removed").expect("reads"), Some(b"old".to_vec()));
    let rows = before.range(Keyspace::State, &Scan::all()).expect("reads");
    assert_eq!(rows, [(b"kept".to_vec(), b"old".to_vec())]);
    drop((empty, before));
    commit(engine.store(), one(Keyspace::Meta, b"after", b"the snapshots"));
    assert_eq!(get(engine.store(), Keyspace::State, b"kept"), Some(b"new".to_vec()));
    assert_eq!(get(engine.store(), Keyspace::Blocks, b"removed"), None);
    assert_eq!(keys(engine.store(), Keyspace::State, &Scan::all()), [&b"added"[..], b"kept"]);
}

pub fn a_deleted_row_is_gone_and_can_come_back<E: Engine>() {
    let engine = E::fresh();
    commit(engine.store(), one(Keyspace::State, b"k", b"1"));
    let mut batch = WriteBatch::new();
    batch.delete(Keyspace::State, *b"k");
    batch.delete(Keyspace::State, *b"never there");
    commit(engine.store(), batch);
    assert_eq!(get(engine.store(), Keyspace::State, b"k"), None);
    assert!(keys(engine.store(), Keyspace::State, &Scan::all()).is_empty());
    commit(engine.store(), one(Keyspace::State, b"k", b"2"));
    assert_eq!(get(engine.store(), Keyspace::State, b"k"), Some(b"2".to_vec()));
}

pub fn an_empty_value_is_not_an_absent_one<E: Engine>() {
    let engine = E::fresh();
    let batch = one(Keyspace::State, b"k", b"");
    engine.store().commit(batch, Durability::Synced).expect("nothing was planted");
    assert_eq!(get(engine.store(), Keyspace::State, b"k"), Some(Vec::new()));
    let engine = engine.reopen();
    assert_eq!(get(engine.store(), Keyspace::State, b"k"), Some(Vec::new()));
    assert_eq!(keys(engine.store(), Keyspace::State, &Scan::all()), [b"k"]);
}

pub fn a_value_of_four_megabytes_comes_back_whole<E: Engine>() {
    let engine = E::fresh();
    // Every kilobyte differs, so that a page in the wrong place would show.
    let value: Vec<u8> =
        (0_u32..1 << 20).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let mut batch = one(Keyspace::Blocks, b"block", &value);
    batch.put(Keyspace::Payloads, *b"payload", vec![7; value.len()]);
    engine.store().commit(batch, Durability::Synced).expect("nothing was planted");
    assert!(get(engine.store(), Keyspace::Blocks, b"block").as_ref() == Some(&value));
    let engine = engine.reopen();
    assert!(get(engine.store(), Keyspace::Blocks, b"block").as_ref() == Some(&value));
    let payload = get(engine.store(), Keyspace::Payloads, b"payload");
    assert!(payload == Some(vec![7; value.len()]));
}

pub fn a_synced_commit_is_there_after_a_restart<E: Engine>() {
    let mut engine = E::fresh();
    for round in 0_u8..3 {
        let mut batch = one(Keyspace::Blocks, &[round], &[round]);
        batch.put(Keyspace::Meta, *b"tip", [round]);
        batch.delete(Keyspace::State, *b"old");
        batch.put(Keyspace::State, [b's', round], *b"s");
        engine.store().commit(batch, Durability::Synced).expect("nothing was planted");
        engine = engine.reopen();
        assert_eq!(get(engine.store(), Keyspace::Meta, b"tip"), Some(vec![round]));
        let blocks = keys(engine.store(), Keyspace::Blocks, &Scan::all());
        assert_eq!(blocks, (0..=round).map(|height| vec![height]).collect::<Vec<_>>());
    }
}

pub fn a_buffered_commit_is_there_after_a_sync_and_a_restart<E: Engine>() {
    let engine = E::fresh();
    commit(engine.store(), one(Keyspace::State, b"a", b"1"));
    engine.store().sync().expect("nothing was planted");
    let engine = engine.reopen();
    assert_eq!(get(engine.store(), Keyspace::State, b"a"), Some(b"1".to_vec()));
    commit(engine.store(), one(Keyspace::State, b"b", b"2"));
    let empty = WriteBatch::new();
    engine.store().commit(empty, Durability::Synced).expect("an empty batch syncs");
    let engine = engine.reopen();
    assert_eq!(get(engine.store(), Keyspace::State, b"b"), Some(b"2".to_vec()));
}

pub fn an_empty_batch_changes_nothing<E: Engine>() {
    let engine = E::fresh();
    commit(engine.store(), one(Keyspace::State, b"k", b"v"));
    commit(engine.store(), WriteBatch::new());
    for space in Keyspace::ALL {
        let expected = usize::from(space == Keyspace::State);
        assert_eq!(keys(engine.store(), space, &Scan::all()).len(), expected, "{space:?}");
    }
}

pub fn readers_never_see_a_part_of_a_commit<E: Engine>() {
    const COMMITS: u32 = 300;
    let engine = E::fresh();
    let store = engine.store();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: [_; 3] = std::array::from_fn(|_| {
            scope.spawn(|| {
                let mut newest = 0;
                while !done.load(Relaxed) {
                    let seen = one_moment(&*snapshot(store));
                    assert!(seen >= newest, "time runs forward: {newest}, then {seen}");
                    newest = seen;
                }
                newest
            })
        });
        for number in 1..=COMMITS {
            let mut batch = WriteBatch::new();
            for space in Keyspace::ALL {
                batch.put(space, *b"counter", number.to_be_bytes());
            }
            batch.put(Keyspace::State, number.to_be_bytes(), *b"row");
            commit(store, batch);
        }
        done.store(true, Relaxed);
        for reader in readers {
            assert!(reader.join().expect("no assertion failed") <= COMMITS);
        }
    });
    assert_eq!(one_moment(&*snapshot(store)), COMMITS);
}

/// The number of the commit that a snapshot shows, which all keyspaces must agree on.
fn one_moment(snapshot: &dyn Snapshot) -> u32 {
    let counter = |space| {
        let value = snapshot.get(space, b"counter").expect("nothing was planted");
        value.map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().expect("four bytes written")))
    };
    let seen = counter(Keyspace::Meta);
    for space in Keyspace::ALL {
        assert_eq!(counter(space), seen, "{space:?}");
    }
    let to_counter = Scan::between(Bound::Unbounded, Bound::Excluded(b"counter"));
    let rows = snapshot.range(Keyspace::State, &to_counter).expect("nothing was planted");
    assert_eq!(rows.len(), usize::try_from(seen).expect("a few hundred"));
    seen
}

pub fn bytes_on_disk_grow_with_the_rows<E: Engine>() {
    let engine = E::fresh();
    let before = engine.store().disk_bytes().expect("nothing was planted");
    let noise: Vec<u8> =
        (0_u32..1 << 16).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let batch = one(Keyspace::Blocks, b"noise", &noise);
    engine.store().commit(batch, Durability::Synced).expect("nothing was planted");
    let after = engine.store().disk_bytes().expect("nothing was planted");
    assert!(after >= before + noise.len() as u64, "{before} then {after}");
}

/// What holds once a write has failed; the engines differ in how they are made to fail.
pub fn a_poisoned_store_refuses_writes_and_reads_on(store: &dyn Store, key: &[u8], value: &[u8]) {
    for durability in [Durability::Buffered, Durability::Synced] {
        let refused = store.commit(one(Keyspace::State, b"late", b"late"), durability);
        assert!(matches!(refused, Err(StoreError::Poisoned)), "{refused:?}");
    }
    let refused = store.commit(WriteBatch::new(), Durability::Synced);
    assert!(matches!(refused, Err(StoreError::Poisoned)), "{refused:?}");
    let refused = store.sync();
    assert!(matches!(refused, Err(StoreError::Poisoned)), "{refused:?}");
    assert_eq!(get(store, Keyspace::State, key).as_deref(), Some(value));
    assert_eq!(get(store, Keyspace::State, b"late"), None);
}
