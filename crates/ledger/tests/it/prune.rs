//! Pruning: bodies go, proofs stay, the ledger goes on alike, and a kill at any write leaves it whole.

use std::path::Path;
use std::sync::Arc;

use contracts::Position;
use ledger::layout::PrunedTo;
use ledger::prune::{Keep, Pruned, Pruning, prune};
use ledger::replay::replay;
use ledger::store::{
    Durability, Fault, FaultRates, FjallOptions, FjallStore, Keyspace, MemoryStore, Scan, Store,
    WriteBatch,
};
use ledger::{CheckedBlock, CheckedTransaction, InLine, Ledger, LedgerError, StoredTransaction};
use primitives::header::Certificate;
use primitives::units::{BlockHeight, Timestamp};

use crate::chunks::{gateway_batch, gateway_batch_with, reading};
use crate::kit::*;

fn keep_blocks(ledger: &Ledger, kept: u64) -> Pruned {
    let pruning = Pruning { keep: Keep::Blocks(kept), states: None, again: false };
    prune(ledger, pruning, &mut |_| Ok(())).unwrap()
}

/// Regulators, rejections, single readings and a batch whose payload stands apart.
fn fill(ledger: &Ledger) {
    let rules = Arc::clone(ledger.rules());
    append(ledger, vec![appoint(&rules, 1, 1), rejected(&rules, 2)]).unwrap();
    let mut readings: Vec<_> = (1..=190).map(|number| reading(&rules, number)).collect();
    readings.insert(130, gateway_batch(&rules, 191));
    append(ledger, readings).unwrap();
    append(ledger, (3..=140).map(|sequence| rejected(&rules, sequence)).collect()).unwrap();
    append(ledger, vec![appoint(&rules, 2, 141)]).unwrap();
    append(ledger, Vec::new()).unwrap();
}

fn positions(ledger: &Ledger) -> Vec<Position> {
    let view = ledger.view();
    let of_block = |height| {
        let count = view.sealed_header(height).unwrap().unwrap().transactions;
        (0..count).map(move |index| Position { height, index })
    };
    (1..=view.height()).flat_map(of_block).collect()
}

fn rows(store: &dyn Store) -> Vec<(Keyspace, Vec<u8>, Vec<u8>)> {
    let snapshot = store.snapshot().unwrap();
    let of = |space| snapshot.range(space, &Scan::all()).unwrap();
    Keyspace::ALL
        .into_iter()
        .flat_map(|space| of(space).into_iter().map(move |(key, value)| (space, key, value)))
        .collect()
}

#[test]
fn bodies_go_and_everything_that_is_proven_stays() {
    let (ledger, whole) = (open(MemoryStore::new()), open(MemoryStore::new()));
    fill(&ledger);
    fill(&whole);
    let before = (ledger.view(), whole.view());
    let pruned = keep_blocks(&ledger, 2);
    assert_eq!((pruned.blocks, pruned.transactions), (3, 2 + 191 + 138));
    assert!(pruned.bytes_after * 2 < pruned.bytes_before, "{pruned:?}");
    let through = BlockHeight::new(3);
    assert_eq!(ledger.pruned().unwrap(), Some(PrunedTo { through, state: BlockHeight::new(5) }));

    let (ours, theirs) = (ledger.view(), whole.view());
    for position in positions(&whole) {
        let receipt = theirs.receipt(position).unwrap();
        assert_eq!(ours.receipt(position).unwrap(), receipt);
        let proof = theirs.receipt_proof(position).unwrap();
        assert_eq!(ours.receipt_proof(position).unwrap(), proof);
        let id = receipt.unwrap().transaction;
        assert_eq!(ours.position_of(&id).unwrap(), Some(position));
        let transaction = theirs.transaction(position).unwrap().unwrap();
        let kept = ours.kept(position).unwrap().unwrap();
        assert_eq!(kept.id(), id);
        if position.height > 3 {
            assert_eq!(kept, StoredTransaction::Whole(transaction));
            continue;
        }
        let mut envelope = transaction.envelope;
        envelope.body = Vec::new().try_into().unwrap();
        assert_eq!(*kept.envelope(), envelope);
        for refused in [
            ours.transaction(position).map(|_| ()),
            ours.payload(position).map(|_| ()),
            ours.read(|state| assert_eq!(state.transaction(position), None)),
            ours.read(|state| assert_eq!(state.payload(position), None)),
        ] {
            let Err(LedgerError::Pruned { height }) = refused else { panic!("{refused:?}") };
            assert_eq!(height.get(), position.height, "never taken for absent or erased");
        }
    }
    assert!(matches!(ours.block(2), Err(LedgerError::Pruned { .. })));
    assert_eq!(ours.block(4).unwrap(), theirs.block(4).unwrap());
    let apart = ledger.store().snapshot().unwrap().range(Keyspace::Payloads, &Scan::all());
    assert!(apart.unwrap().is_empty(), "large payloads go too");
    // Who looked before still sees what was there.
    assert_eq!(before.0.block(2).unwrap(), before.1.block(2).unwrap());

    let next = appoint(whole.rules(), 3, 142);
    let (block, certificate) = next_block(&whole, vec![next]);
    whole.append(&block, &certificate).unwrap();
    ledger.append(&block, &certificate).unwrap();
    assert_eq!(ledger.head(), whole.head());
    // An ordered transaction is known by its id, pruned or not.
    let again = append(&ledger, vec![appoint(ledger.rules(), 1, 1)]).unwrap();
    assert_eq!(again[0].code, 100);
    let replayed = replay(&ledger, Arc::new(MemoryStore::new()), &InLine::default(), &mut |_| ());
    let Err(LedgerError::Pruned { height }) = replayed else { panic!("{replayed:?}") };
    assert_eq!(height.get(), 1);
}

#[test]
fn what_is_kept_is_counted_in_blocks_or_days() {
    let day = 24 * 3_600_000;
    let made = || {
        let ledger = open(MemoryStore::new());
        for number in 0..7 {
            let time = Timestamp::new(START + 1 + u64::from(number) * day);
            let header = ledger.next_header(validator().public(), time).unwrap();
            let reading =
                CheckedTransaction::check(reading(ledger.rules(), number + 1), ledger.rules());
            let block = CheckedBlock::assemble(header, vec![reading.unwrap()]);
            let certificate = Certificate::solo(block.header(), &validator());
            ledger.append(&block, &certificate).unwrap();
        }
        ledger
    };
    let blocks = |keep, again| {
        let ledger = made();
        let pruning = Pruning { keep, states: None, again };
        let pruned = prune(&ledger, pruning, &mut |_| Ok(())).unwrap();
        assert_eq!(pruned.blocks, pruned.transactions);
        pruned.blocks
    };
    let table = [
        (Keep::Blocks(0), 6, "no header commits to the last one's execution"),
        (Keep::Blocks(3), 4, "three of seven"),
        (Keep::Blocks(7), 0, "all"),
        (Keep::Blocks(u64::MAX), 0, "more than all"),
        (Keep::Days(0), 6, "the newest block's own time"),
        (Keep::Days(2), 4, "the last three are two days old at most"),
        (Keep::Days(6), 0, "all"),
        (Keep::Days(u32::MAX), 0, "since before 1970"),
    ];
    for (keep, wanted, what) in table {
        assert_eq!(blocks(keep, false), wanted, "{keep:?}: {what}");
    }
    let ledger = made();
    assert_eq!(keep_blocks(&ledger, 4).blocks, 3);
    assert_eq!(keep_blocks(&ledger, 2).blocks, 2, "it goes on where it stood");
    assert_eq!(keep_blocks(&ledger, 5), Pruned::default(), "what is done is done");
    let again = Pruning { keep: Keep::Blocks(5), states: None, again: true };
    let again = prune(&ledger, again, &mut |_| Ok(())).unwrap();
    assert_eq!((again.blocks, again.transactions), (2, 0));
    assert_eq!(ledger.pruned().unwrap().unwrap().through.get(), 5, "the mark never goes back");
}

/// Enough blocks for several steps, with something to prune in each.
fn long_history() -> MemoryStore {
    let store = MemoryStore::new();
    let ledger = open(store.clone());
    let rules = Arc::clone(ledger.rules());
    for number in 1..=9_000_u64 {
        let some = if number % 1_000 == 7 { vec![rejected(&rules, number)] } else { Vec::new() };
        append(&ledger, some).unwrap();
    }
    store
}

/// A store with the same rows, whose faults and crashes follow from the seed.
fn copied(rows: &[(Keyspace, Vec<u8>, Vec<u8>)], seed: u64) -> MemoryStore {
    let store = MemoryStore::seeded(seed, FaultRates::default());
    let mut batch = WriteBatch::new();
    for (space, key, value) in rows {
        batch.put(*space, key.clone(), value.clone());
    }
    store.commit(batch, Durability::Synced).unwrap();
    store
}

#[test]
fn a_kill_at_every_write_leaves_a_whole_ledger_and_the_next_run_goes_on() {
    let untouched = long_history();
    let before = rows(&untouched);
    let ledger = open(untouched.clone());
    let mut steps = Vec::new();
    let pruning = Pruning { keep: Keep::Blocks(10), states: None, again: false };
    let all = prune(&ledger, pruning, &mut |progress| {
        steps.push(progress.height);
        Ok(())
    })
    .unwrap();
    assert_eq!((steps.len(), steps.last()), (3, Some(&8_990)));
    assert_eq!(all.transactions, 9);
    let wanted = rows(&untouched);
    for step in 0..steps.len() {
        for fault in [Fault::FullDisk, Fault::FailedWrite] {
            let store = copied(&before, step as u64);
            let ledger = open(store.clone());
            let mut left = step;
            let mut progress = |_| {
                left -= 1;
                if left == 0 {
                    store.plant(fault);
                }
                Ok(())
            };
            if step == 0 {
                store.plant(fault);
            }
            let failed = prune(&ledger, pruning, &mut progress);
            assert!(matches!(failed, Err(LedgerError::Store(_))), "{failed:?}");
            let found = store.crash();
            let ledger = open(found.clone());
            assert_eq!(ledger.head().header.height.get(), 9_000);
            let through = ledger.pruned().unwrap().map_or(0, |mark| mark.through.get());
            let sure = step.checked_sub(1).map_or(0, |done| steps[done]);
            assert!(through >= sure && steps.iter().chain([&0]).any(|it| *it == through));
            for height in 1..=9_000 {
                let is_pruned = ledger.view().kept(Position { height, index: 0 }).unwrap();
                if let Some(kept) = is_pruned {
                    assert_eq!(kept.is_pruned(), height <= through, "block {height}");
                }
                ledger.view().receipts(height).unwrap();
            }
            prune(&ledger, pruning, &mut |_| Ok(())).unwrap();
            assert!(rows(&found) == wanted, "the same as without a kill");
        }
    }
}

#[test]
fn who_is_told_of_the_progress_may_end_it() {
    let ledger = open(long_history());
    let pruning = Pruning { keep: Keep::Blocks(0), states: None, again: false };
    let ended = prune(&ledger, pruning, &mut |progress| {
        assert_eq!(progress.last, 8_999);
        Err(LedgerError::Stopping)
    });
    assert!(matches!(ended, Err(LedgerError::Stopping)));
    assert_eq!(ledger.pruned().unwrap().unwrap().through.get(), 4_096, "what was done is done");
}

/// Do these bytes stand anywhere in the files below a directory?
fn stands_in(directory: &Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return stands_in(&path, wanted);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(wanted.len()).any(|part| part == wanted)
    })
}

/// Bytes that no compression touches.
fn secret(seed: u8) -> [u8; 32] {
    *primitives::hash::Hash::of(&[seed]).as_bytes()
}

#[test]
fn what_was_pruned_is_gone_from_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let opened = || FjallStore::open(directory.path(), FjallOptions::default()).unwrap();
    let store = opened();
    let ledger = open(store.clone());
    let rules = Arc::clone(ledger.rules());
    // A signature ends in 32 bytes that nothing else holds.
    let signature = |submission: &primitives::envelope::Submission| {
        submission.transaction.signatures[0].as_bytes()[32..].to_vec()
    };
    let (old, kept) = (appoint(&rules, 1, 1), appoint(&rules, 2, 2));
    let (gone, stays) = (signature(&old), signature(&kept));
    let batch = gateway_batch_with(&rules, 191, secret(1));
    append(&ledger, vec![old, batch]).unwrap();
    append(&ledger, Vec::new()).unwrap();
    append(&ledger, vec![kept]).unwrap();
    append(&ledger, Vec::new()).unwrap();
    let wanted = ledger.head();
    drop(ledger);
    store.sync().unwrap();
    for bytes in [&gone[..], &stays, &secret(1)] {
        assert!(stands_in(directory.path(), bytes), "it is in the journal at least");
    }
    // In a running store the tables are merged.
    let ledger = open(store.clone());
    assert_eq!(keep_blocks(&ledger, 2).transactions, 2);
    store.reclaim().unwrap();
    append(&ledger, Vec::new()).unwrap();
    drop((ledger, store));
    // In a closed one the journals are emptied as well.
    for _ in 0..2 {
        FjallStore::purge(directory.path(), FjallOptions::default()).unwrap();
        assert!(!stands_in(directory.path(), &gone), "the signature of a pruned transaction");
        assert!(!stands_in(directory.path(), &secret(1)), "the payload of a pruned transaction");
        assert!(stands_in(directory.path(), &stays));
    }
    let ledger = open(opened());
    assert_eq!(ledger.head().header.height.get(), 5);
    assert_eq!(ledger.head().header.parent, wanted.hash, "nothing else was lost");
    append(&ledger, vec![appoint(&rules, 3, 3)]).unwrap();
    drop(ledger);
    assert_eq!(open(opened()).head().header.height.get(), 6, "commits are numbered on");
}
