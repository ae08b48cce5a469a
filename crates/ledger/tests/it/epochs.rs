//! Validators change at the end of an epoch, and everybody can follow it from the genesis.

use std::sync::Arc;

use contracts::governance::{Change, ProposeChange, RegisterNode, RotateNodeKey};
use contracts::{Genesis, Position};
use ledger::replay::replay;
use ledger::store::MemoryStore;
use ledger::{CheckedBlock, CheckedTransaction, InLine, Ledger, LedgerError};
use primitives::codec::Bounded;
use primitives::envelope::Submission;
use primitives::header::{Certificate, CertificateError};
use primitives::key::SigningKey;
use primitives::proof::{EventProof, ProofError, TrustedGenesis, verify_event};
use primitives::units::{BlockHeight, Timestamp};

use crate::kit::{append, appoint, genesis, key, signed, validator};

const REGULATOR: u8 = 1;

fn successor() -> SigningKey {
    key(210)
}

fn short_epochs() -> Genesis {
    Genesis { epoch_blocks: 4, ..genesis("epochs") }
}

fn founded() -> Ledger {
    Ledger::open(Arc::new(MemoryStore::new()), Some(short_epochs())).unwrap()
}

fn node(ledger: &Ledger, node: &SigningKey, sequence: u64) -> Submission {
    let body = RegisterNode { key: node.public(), peer_address: "".parse().unwrap() };
    signed(ledger.rules(), body, &[&key(REGULATOR), node], sequence)
}

/// Appends a block that `by` orders.
fn append_by(
    ledger: &Ledger,
    by: &SigningKey,
    submissions: Vec<Submission>,
) -> Result<(), LedgerError> {
    let checked = CheckedTransaction::check_many(submissions, ledger.rules(), &InLine::default());
    let checked = checked.into_iter().map(Result::unwrap).collect();
    let time = ledger.next_time(Timestamp::new(0))?;
    let block = CheckedBlock::assemble(ledger.next_header(by.public(), time)?, checked);
    let certificate = Certificate::solo(block.header(), by);
    ledger.append(&block, &certificate).map(drop)
}

/// The seat moves from the first validator to its successor: approved in epoch 0, so it acts in
/// epoch 2, from height 8 on.
fn handed_over() -> Ledger {
    let ledger = founded();
    let rules = Arc::clone(ledger.rules());
    append(&ledger, vec![appoint(&rules, REGULATOR, 1)]).unwrap();
    append(&ledger, vec![node(&ledger, &validator(), 1), node(&ledger, &successor(), 2)]).unwrap();
    let body =
        RotateNodeKey { from: validator().public().address(), to: successor().public().address() };
    let rotate = signed(&rules, body, &[&key(REGULATOR), &validator()], 3);
    let receipts = append(&ledger, vec![rotate]).unwrap();
    assert_eq!(receipts[0].code, 0);
    for _ in 4..=7 {
        append(&ledger, vec![]).unwrap();
    }
    for _ in 8..=13 {
        append_by(&ledger, &successor(), vec![]).unwrap();
    }
    ledger
}

fn proof(ledger: &Ledger) -> EventProof {
    ledger.view().event_proof(Position { height: 1, index: 0 }, 0).unwrap().unwrap()
}

fn trusted(ledger: &Ledger) -> TrustedGenesis {
    TrustedGenesis {
        ledger_id: ledger.rules().ledger_id(),
        validators: ledger.rules().genesis().validators.clone(),
    }
}

#[test]
fn headers_name_epoch_and_validators_two_epochs_after_the_approval() {
    let ledger = handed_over();
    let view = ledger.view();
    let [old, new] = [validator(), successor()]
        .map(|key| primitives::header::ValidatorSet::new(vec![key.public()]).unwrap().hash());
    let cases = [(1, 0, old, old), (3, 0, old, old), (4, 1, old, new), (7, 1, old, new)];
    for (height, epoch, current, next) in cases.into_iter().chain([(8, 2, new, new)]) {
        let header = view.header(height).unwrap().unwrap();
        assert_eq!(header.epoch, epoch, "height {height}");
        assert_eq!(header.validators_hash, current, "height {height}");
        assert_eq!(header.next_validators_hash, next, "height {height}");
    }
}

#[test]
fn a_proof_follows_the_change_from_the_genesis() {
    let ledger = handed_over();
    let proof = proof(&ledger);
    let heights: Vec<_> = proof.set_changes.iter().map(|change| change.header.height).collect();
    assert_eq!(heights, [BlockHeight::new(7)], "the last header of the old set");
    let verified = verify_event(Some(&trusted(&ledger)), &proof).unwrap();
    assert_eq!(verified.anchor_height, BlockHeight::new(13));
}

#[test]
fn the_old_keys_can_forge_no_header_of_a_later_epoch() {
    let ledger = handed_over();
    let trusted = trusted(&ledger);
    let mut forged = proof(&ledger);
    forged.anchor.certificate = Certificate::solo(&forged.anchor.header, &validator());
    assert_eq!(
        verify_event(Some(&trusted), &forged),
        Err(ProofError::Certificate {
            height: BlockHeight::new(13),
            error: CertificateError::WrongSignature(0),
        })
    );
    // Neither by leaving the change out, nor by naming the old set in a header of its own making.
    let mut hidden = proof(&ledger);
    hidden.set_changes = Bounded::default();
    assert!(matches!(
        verify_event(Some(&trusted), &hidden),
        Err(ProofError::Certificate { error: CertificateError::WrongValidators, .. })
    ));
    let mut own = proof(&ledger);
    own.anchor.header.validators_hash = trusted.validators.hash();
    own.anchor.certificate = Certificate::solo(&own.anchor.header, &validator());
    assert!(matches!(
        verify_event(Some(&trusted), &own),
        Err(ProofError::Certificate { error: CertificateError::WrongValidators, .. })
    ));
}

#[test]
fn a_header_with_other_validators_or_epoch_is_no_block_of_the_ledger() {
    let ledger = handed_over();
    let time = ledger.next_time(Timestamp::new(0)).unwrap();
    let header = ledger.next_header(successor().public(), time).unwrap();
    let mut other_set = header.clone();
    other_set.next_validators_hash = ledger.rules().genesis().validators.hash();
    let mut other_epoch = header;
    other_epoch.epoch += 1;
    for header in [other_set, other_epoch] {
        let block = CheckedBlock::assemble(header, vec![]);
        let certificate = Certificate::solo(block.header(), &successor());
        let refused = ledger.append(&block, &certificate);
        assert!(matches!(refused, Err(LedgerError::Block { .. })), "{refused:?}");
    }
}

#[test]
fn a_replay_knows_who_was_in_office() {
    let ledger = handed_over();
    let target = Arc::new(MemoryStore::new());
    let replayed = replay(&ledger, target, &InLine::default(), &mut |_| ()).unwrap();
    assert_eq!(replayed.height, BlockHeight::new(13));
    assert_eq!(replayed.executed, ledger.head().executed);
}

#[test]
fn a_program_stops_before_a_protocol_that_it_does_not_know() {
    let ledger = founded();
    let rules = Arc::clone(ledger.rules());
    append(&ledger, vec![appoint(&rules, REGULATOR, 1)]).unwrap();
    append(&ledger, vec![node(&ledger, &validator(), 1)]).unwrap();
    let from_height = BlockHeight::new(8);
    let change = Change::Protocol { from_height, version: 2 };
    let propose = signed(&rules, ProposeChange { change }, &[&key(REGULATOR)], 2);
    assert_eq!(append(&ledger, vec![propose]).unwrap()[0].code, 0);
    for _ in 4..=7 {
        append(&ledger, vec![]).unwrap();
    }
    let stopped = append(&ledger, vec![]);
    assert!(
        matches!(stopped, Err(LedgerError::ProtocolUnknown { height, version: 2 }) if height == from_height),
        "{stopped:?}"
    );
    assert_eq!(ledger.view().height(), 7, "nothing is lost");
}
