//! Snapshots of ledgers that were pruned.

use std::path::Path;
use std::sync::Arc;

use contracts::Position;
use ledger::prune::{Keep, Pruning, prune};
use ledger::snapshot::{SnapshotError, create};
use ledger::store::MemoryStore;
use ledger::{Ledger, LedgerError};

use crate::kit::*;
use crate::snapshot::{agree, request, restored, verified};

/// Three blocks, a checkpoint after the fourth that was agreed on, and blocks after it.
fn with_checkpoint(kept: &Path) -> Ledger {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    append(&ledger, vec![appoint(&rules, 1, 1), rejected(&rules, 2)]).unwrap();
    append(&ledger, (3..=150).map(|sequence| rejected(&rules, sequence)).collect()).unwrap();
    append(&ledger, vec![appoint(&rules, 2, 151)]).unwrap();
    request(&ledger, 1);
    agree(&ledger, kept, 1);
    append(&ledger, vec![appoint(&rules, 3, 152)]).unwrap();
    append(&ledger, Vec::new()).unwrap();
    ledger
}

fn pruned(ledger: &Ledger, kept: u64, states: Option<&Path>) -> u64 {
    let pruning = Pruning { keep: Keep::Blocks(kept), states, again: false };
    prune(ledger, pruning, &mut |_| Ok(())).unwrap().blocks
}

fn made(ledger: &Ledger, kept: &Path) -> Result<Vec<u8>, SnapshotError> {
    let mut bytes = Vec::new();
    create(&ledger.view(), kept, &mut bytes, &mut |_| {})?;
    Ok(bytes)
}

#[test]
fn a_snapshot_of_a_pruned_ledger_is_restored_and_goes_on_alike() {
    let kept = tempfile::tempdir().unwrap();
    let ledger = with_checkpoint(kept.path());
    let large = made(&ledger, kept.path()).unwrap();
    // Blocks above the checkpoint stay whole: whoever restores executes them.
    assert_eq!(pruned(&ledger, 0, Some(kept.path())), 4);
    assert!(ledger.view().block(5).unwrap().is_some());
    let bytes = made(&ledger, kept.path()).unwrap();
    let saved = large.len() - bytes.len();
    assert!(saved > 148 * 32, "a signature and a body are more than an id: {saved}");
    assert_eq!(verified(&bytes).unwrap(), verified(&large).unwrap());
    let (other, _) = restored(&bytes).unwrap();
    assert_eq!(other.head(), ledger.head());
    let mark = ledger.pruned().unwrap().unwrap();
    assert_eq!((mark.through.get(), mark.state.get()), (4, 4));
    assert_eq!(other.pruned().unwrap(), Some(mark), "it knows that it holds less");
    for (height, count) in [(1, 2), (2, 148), (3, 1), (4, 1)] {
        for index in 0..count {
            let position = Position { height, index };
            let (ours, theirs) = (other.view(), ledger.view());
            assert_eq!(
                ours.receipt_proof(position).unwrap(),
                theirs.receipt_proof(position).unwrap()
            );
            assert_eq!(ours.kept(position).unwrap(), theirs.kept(position).unwrap());
            assert!(matches!(ours.transaction(position), Err(LedgerError::Pruned { .. })));
        }
    }
    let (block, certificate) = next_block(&ledger, vec![appoint(ledger.rules(), 4, 153)]);
    ledger.append(&block, &certificate).unwrap();
    other.append(&block, &certificate).unwrap();
    assert_eq!(other.head(), ledger.head());
    // Pruned anew, with the next checkpoint.
    request(&other, 2);
    agree(&other, kept.path(), 2);
    assert_eq!(pruned(&other, 1, Some(kept.path())), 6, "up to the block of the request");
    let (third, _) = restored(&made(&other, kept.path()).unwrap()).unwrap();
    assert_eq!(third.head(), other.head());
}

#[test]
fn a_ledger_pruned_by_a_later_state_waits_for_its_next_checkpoint() {
    let kept = tempfile::tempdir().unwrap();
    let ledger = with_checkpoint(kept.path());
    assert_eq!(pruned(&ledger, 2, None), 6, "nobody said that snapshots are made from here");
    let refused = made(&ledger, kept.path()).unwrap_err().to_string();
    assert!(refused.contains("pruned by a later state"), "{refused}");
    request(&ledger, 2);
    agree(&ledger, kept.path(), 2);
    let bytes = made(&ledger, kept.path()).unwrap();
    assert_eq!(restored(&bytes).unwrap().0.head(), ledger.head());
    // An older state is not gone back to.
    assert_eq!(ledger.pruned().unwrap().unwrap().state.get(), 8);
    assert_eq!(pruned(&ledger, 0, Some(kept.path())), 3);
    assert_eq!(ledger.pruned().unwrap().unwrap().state.get(), 9);
}

#[test]
fn a_state_that_cannot_be_read_holds_nothing_back() {
    let kept = tempfile::tempdir().unwrap();
    let ledger = with_checkpoint(kept.path());
    let file = ledger::snapshot::state_file(kept.path(), 4);
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(pruned(&ledger, 2, Some(kept.path())), 6);
    assert_eq!(ledger.pruned().unwrap().unwrap().state.get(), 8, "the newest state was asked");
}
