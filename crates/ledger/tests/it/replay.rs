//! Replay on an empty store gives the same roots; a changed history is found.

use std::sync::Arc;

use ledger::replay::replay;
use ledger::store::{Durability, Keyspace, MemoryStore, Store, WriteBatch};
use ledger::{InLine, LedgerError};

use crate::kit::{advance, append, appoint, open, rejected};

fn history(store: &MemoryStore) -> ledger::Ledger {
    let ledger = open(store.clone());
    let rules = Arc::clone(ledger.rules());
    let start = crate::kit::START;
    append(&ledger, vec![appoint(&rules, 1, 1), rejected(&rules, 2)]).unwrap();
    append(&ledger, vec![]).unwrap();
    append(&ledger, vec![advance(&rules, start + 900_000, 1), appoint(&rules, 2, 4)]).unwrap();
    append(&ledger, vec![appoint(&rules, 2, 3), appoint(&rules, 3, 5)]).unwrap();
    append(&ledger, vec![]).unwrap();
    ledger
}

#[test]
fn the_same_blocks_give_the_same_roots() {
    let ledger = history(&MemoryStore::new());
    let mut seen = Vec::new();
    let replayed =
        replay(&ledger, Arc::new(MemoryStore::new()), &InLine::default(), &mut |h| seen.push(h))
            .unwrap();
    assert_eq!(replayed.executed, ledger.head().executed);
    assert_eq!(replayed.transactions, 6);
    assert_eq!(seen, [1, 2, 3, 4, 5]);
}

/// Changes one byte of one row.
fn damage(store: &MemoryStore, space: Keyspace, key: &[u8], at: impl Fn(usize) -> usize) {
    let mut value = store.get(space, key).unwrap().unwrap();
    let at = at(value.len());
    value[at] ^= 1;
    let mut batch = WriteBatch::new();
    batch.put(space, key, value);
    store.commit(batch, Durability::Synced).unwrap();
}

#[test]
fn a_changed_history_is_found() {
    let chunk = ledger::layout::chunk(3, 0);
    let executed = ledger::layout::executed(4);
    let header = ledger::layout::block(2);
    type At = fn(usize) -> usize;
    let cases: &[(&str, Keyspace, &[u8], At)] = &[
        ("the length of a chunk", Keyspace::Blocks, &chunk, |_| 1),
        ("the beginning of a chunk", Keyspace::Blocks, &chunk, |_| 12),
        ("a transaction in a chunk", Keyspace::Blocks, &chunk, |length| length / 2),
        ("a header's time", Keyspace::Blocks, &header, |_| 75),
        ("a certificate", Keyspace::Blocks, &header, |length| length - 10),
        ("a recorded result", Keyspace::Accumulator, &executed, |_| 20),
    ];
    for (what, space, key, at) in cases {
        let store = MemoryStore::new();
        drop(history(&store));
        damage(&store, *space, key, at);
        let ledger = open(store);
        let result = replay(&ledger, Arc::new(MemoryStore::new()), &InLine::default(), &mut |_| {});
        let found = matches!(
            result,
            Err(LedgerError::Block { .. }
                | LedgerError::Diverged { .. }
                | LedgerError::Damaged { .. })
        );
        assert!(found, "{what}: {result:?}");
    }
}
