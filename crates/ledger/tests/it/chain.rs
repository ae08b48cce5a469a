//! Opening, appending, reading, proving.

use std::sync::Arc;

use contracts::Position;
use ledger::store::{Durability, Fault, Keyspace, MemoryStore, Store, WriteBatch};
use ledger::{Ledger, LedgerError};
use primitives::envelope::Submission;
use primitives::hash::Hash;
use primitives::header::Certificate;
use primitives::proof::{TrustedGenesis, verify_event};
use primitives::units::{BlockHeight, Timestamp};

use crate::kit::{START, advance, append, appoint, genesis, next_block, open, rejected, validator};

#[test]
fn a_ledger_is_founded_once_and_belongs_to_its_genesis() {
    let store = MemoryStore::new();
    assert!(matches!(Ledger::open(Arc::new(store.clone()), None), Err(LedgerError::NoLedger)));
    let id = open(store.clone()).rules().ledger_id();
    let again = Ledger::open(Arc::new(store.clone()), None).unwrap();
    assert_eq!(again.rules().ledger_id(), id);
    let other = Ledger::open(Arc::new(store), Some(genesis("other")));
    assert!(matches!(other, Err(LedgerError::OtherLedger { found, .. }) if found == id));
}

#[test]
fn a_store_of_another_format_is_not_opened() {
    for format in [None, Some(1_u32)] {
        let store = MemoryStore::new();
        drop(open(store.clone()));
        let mut batch = WriteBatch::new();
        match format {
            Some(version) => {
                batch.put(Keyspace::Meta, ledger::layout::FORMAT, version.to_le_bytes());
            }
            None => batch.delete(Keyspace::Meta, ledger::layout::FORMAT),
        }
        store.commit(batch, Durability::Synced).unwrap();
        let opened = Ledger::open(Arc::new(store), Some(genesis("test")));
        assert!(matches!(opened, Err(LedgerError::OtherFormat)));
    }
}

#[test]
fn accepted_and_rejected_transactions_leave_receipts() {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    let receipts = append(&ledger, vec![appoint(&rules, 1, 1), rejected(&rules, 2)]).unwrap();
    assert_eq!(receipts.iter().map(|r| r.code).collect::<Vec<_>>(), [0, 106]);
    let view = ledger.view();
    assert_eq!(view.height(), 1);
    assert_eq!(view.receipts(1).unwrap(), receipts);
    assert_eq!(view.head().transactions, 2);
    for (index, receipt) in (0..).zip(&receipts) {
        let position = view.position_of(&receipt.transaction).unwrap();
        assert_eq!(position, Some(Position { height: 1, index }));
    }
    assert_eq!(view.read(|state| state.census().regulators).unwrap(), 1);
}

#[test]
fn a_view_stays_at_its_height() {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    let before = ledger.view();
    append(&ledger, vec![appoint(&rules, 1, 1)]).unwrap();
    assert_eq!(before.height(), 0);
    assert_eq!(before.read(|state| state.census().regulators).unwrap(), 0);
    assert_eq!(ledger.view().read(|state| state.census().regulators).unwrap(), 1);
}

#[test]
fn the_first_receipt_stays_the_answer_for_an_id() {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    let first = append(&ledger, vec![appoint(&rules, 1, 1)]).unwrap();
    let again = append(&ledger, vec![appoint(&rules, 1, 1)]).unwrap();
    assert_eq!(again[0].code, 100);
    let view = ledger.view();
    let position = view.position_of(&first[0].transaction).unwrap().unwrap();
    assert_eq!(position.height, 1);
    assert_eq!(view.receipt(position).unwrap().unwrap().code, 0);
}

#[test]
fn who_orders_learns_what_may_have_been_ordered_before() {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    let of = |submission: Submission| {
        let envelope = &submission.transaction.envelope;
        (envelope.signer.address(), envelope.sequence)
    };
    let news = |ledger: &Ledger, sequences: &[u64]| {
        let asked = sequences.iter().map(|sequence| of(appoint(&rules, 7, *sequence)));
        ledger.surely_new(asked).unwrap()
    };
    assert_eq!(news(&ledger, &[1, 2, 1_024, 1_025]), [true, true, true, false]);
    append(&ledger, vec![appoint(&rules, 7, 1)]).unwrap();
    assert_eq!(news(&ledger, &[1, 2, 1_025, 1_026]), [false, true, true, false]);
    // A transaction that was refused for lying beyond the window has used its sequence up as well.
    let high = append(&ledger, vec![appoint(&rules, 8, 1_500)]).unwrap();
    assert_eq!(high[0].code, 101);
    for sequence in 2..=1_400 {
        append(&ledger, vec![appoint(&rules, 9, sequence)]).unwrap();
    }
    assert_eq!(news(&ledger, &[1_401, 1_500, 1_501]), [true, false, true]);
    let ledger = Ledger::open(Arc::clone(ledger.store()), None).unwrap();
    let again = append(&ledger, vec![appoint(&rules, 8, 1_500)]).unwrap();
    assert_eq!(again[0].code, 100, "it never acts");
    let position = ledger.view().position_of(&high[0].transaction).unwrap();
    assert_eq!(position.map(|position| position.height), Some(2), "its first receipt stays");
}

#[test]
fn time_is_the_virtual_clocks_and_always_rises() {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    append(&ledger, vec![]).unwrap();
    assert_eq!(ledger.head().header.time, Timestamp::new(START + 1));
    append(&ledger, vec![advance(&rules, START + 900_000, 1)]).unwrap();
    append(&ledger, vec![]).unwrap();
    assert_eq!(ledger.head().header.time, Timestamp::new(START + 900_000));
    append(&ledger, vec![]).unwrap();
    assert_eq!(ledger.head().header.time, Timestamp::new(START + 900_001));
}

#[test]
fn an_event_is_proven_once_a_later_header_commits_to_it() {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    for number in 1..=9 {
        append(&ledger, vec![appoint(&rules, number, u64::from(number))]).unwrap();
    }
    let view = ledger.view();
    assert_eq!(view.provable_height(), 8);
    let last = Position { height: 9, index: 0 };
    assert!(view.event_proof(last, 0).unwrap().is_none());
    append(&ledger, vec![]).unwrap();
    let trusted = TrustedGenesis {
        ledger_id: rules.ledger_id(),
        validators: rules.genesis().validators.clone(),
    };
    for height in 1..=9 {
        for event in 0..2 {
            let position = Position { height, index: 0 };
            let proof = ledger.view().event_proof(position, event).unwrap().unwrap();
            let verified = verify_event(Some(&trusted), &proof).unwrap();
            assert_eq!(verified.height, BlockHeight::new(height));
            assert!(verified.anchored);
        }
    }
}

#[test]
fn a_block_that_does_not_follow_the_head_is_refused() {
    let ledger = open(MemoryStore::new());
    let (block, certificate) = next_block(&ledger, vec![]);
    ledger.append(&block, &certificate).unwrap();
    let refused = ledger.append(&block, &certificate);
    assert!(matches!(refused, Err(LedgerError::Block { .. })), "{refused:?}");
    assert_eq!(ledger.view().height(), 1);
}

#[test]
fn another_result_of_execution_is_a_divergence_that_names_its_height() {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    append(&ledger, vec![appoint(&rules, 1, 1)]).unwrap();
    let time = ledger.next_time(Timestamp::new(0)).unwrap();
    let mut header = ledger.next_header(validator().public(), time).unwrap();
    header.executed.state_root = Hash::of(b"another state");
    let block = ledger::CheckedBlock::assemble(header, vec![]);
    let certificate = Certificate::solo(block.header(), &validator());
    let refused = ledger.append(&block, &certificate);
    let Err(LedgerError::Diverged { height }) = refused else { panic!("{refused:?}") };
    assert_eq!(height, BlockHeight::new(1));
}

#[test]
fn a_failed_write_publishes_nothing_and_a_restart_finds_whole_blocks() {
    for fault in [Fault::FailedWrite, Fault::FullDisk] {
        let store = MemoryStore::new();
        let ledger = open(store.clone());
        let rules = Arc::clone(ledger.rules());
        append(&ledger, vec![appoint(&rules, 1, 1)]).unwrap();
        store.plant(fault);
        let failed = append(&ledger, vec![appoint(&rules, 2, 2)]);
        assert!(matches!(failed, Err(LedgerError::Store(_))), "{failed:?}");
        assert_eq!(ledger.view().height(), 1);
        assert!(append(&ledger, vec![]).is_err(), "a poisoned store takes nothing more");

        let restarted = open(store.crash());
        let height = restarted.view().height();
        assert!((1..=2).contains(&height));
        let regulators = restarted.view().read(|state| state.census().regulators).unwrap();
        assert_eq!(u64::from(regulators), height, "a block is there whole or not at all");
        append(&restarted, vec![]).unwrap();
    }
}

#[test]
fn a_failed_read_refuses_the_block_instead_of_reading_as_absent() {
    let store = MemoryStore::new();
    let ledger = open(store.clone());
    let rules = Arc::clone(ledger.rules());
    append(&ledger, vec![appoint(&rules, 1, 1)]).unwrap();
    let (block, certificate) = next_block(&ledger, vec![appoint(&rules, 2, 2)]);
    store.plant(Fault::FailedRead);
    let failed = ledger.append(&block, &certificate);
    assert!(matches!(failed, Err(LedgerError::Store(_))), "{failed:?}");
    assert_eq!(ledger.view().height(), 1);
    ledger.append(&block, &certificate).unwrap();
    assert_eq!(ledger.view().read(|state| state.census().regulators).unwrap(), 2);
}
