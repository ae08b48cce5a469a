//! A ledger on a store, its owner, and a short way to sign, order and append.

use std::sync::Arc;

use contracts::genesis::{Clock, Currency, Genesis, Owner, Parameters, Privacy};
use contracts::governance::AdvanceClock;
use contracts::registry::{AppointRegulator, SuspendParty};
use contracts::{Body, Rules};
use ledger::store::Store;
use ledger::{CheckedBlock, CheckedTransaction, InLine, Ledger, LedgerError};
use primitives::calendar::GridZone;
use primitives::codec::{Bounded, Text};
use primitives::envelope::{ENVELOPE_VERSION, Envelope, SignedTransaction, Submission};
use primitives::header::{Certificate, ValidatorSet};
use primitives::identifier::PartyId;
use primitives::key::SigningKey;
use primitives::receipt::Receipt;
use primitives::units::{Sequence, Timestamp};

pub const START: u64 = 1_464_719_400_000;

pub fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

pub fn validator() -> SigningKey {
    key(200)
}

pub fn owner() -> SigningKey {
    key(201)
}

pub fn clock_keeper() -> SigningKey {
    key(202)
}

pub fn genesis(name: &str) -> Genesis {
    Genesis {
        version: 1,
        name: Text::new(name).unwrap(),
        demo: false,
        clock: Clock::Virtual,
        privacy: Privacy::Open,
        time: Timestamp::new(START),
        slot_minutes: 15,
        zone: GridZone {
            name: Text::new("Asia/Kolkata").unwrap(),
            base_offset_seconds: 19_800,
            transitions: Bounded::default(),
        },
        currency: Currency { code: Text::new("INR").unwrap(), minor_unit_decimals: 2 },
        owner: Owner { threshold: 1, keys: vec![owner().public()].try_into().unwrap() },
        clock_keeper: Some(clock_keeper().public()),
        validators: ValidatorSet::new(vec![validator().public()]).unwrap(),
        epoch_blocks: contracts::genesis::DEFAULT_EPOCH_BLOCKS,
        parameters: Parameters::default(),
    }
}

pub fn open(store: impl Store + 'static) -> Ledger {
    Ledger::open(Arc::new(store), Some(genesis("test"))).unwrap()
}

/// Signs a body by the first key, cosigned by the others.
pub fn signed(
    rules: &Rules,
    body: impl Into<Body>,
    keys: &[&SigningKey],
    sequence: u64,
) -> Submission {
    let body = body.into();
    let cosigners: Vec<_> = keys[1..].iter().map(|key| key.public()).collect();
    let envelope = Envelope {
        version: ENVELOPE_VERSION,
        ledger_id: rules.ledger_id(),
        signer: keys[0].public(),
        cosigners: cosigners.try_into().unwrap(),
        sequence: Sequence::new(sequence),
        valid_until: Timestamp::new(if body.entry().expires { START + 3_600_000 } else { 0 }),
        kind: body.kind(),
        body: body.encode().try_into().unwrap(),
    };
    Submission { transaction: SignedTransaction::sign(envelope, keys), payload: Bounded::default() }
}

/// The owner appoints regulator `number`.
pub fn appoint(rules: &Rules, number: u8, sequence: u64) -> Submission {
    let regulator = key(number);
    let body = AppointRegulator {
        alias: Text::new(format!("regulator-{number}")).unwrap(),
        key: regulator.public(),
        encryption_key: [number; 32],
    };
    signed(rules, body, &[&owner(), &regulator], sequence)
}

/// A transaction of the owner that is always rejected: only regulators suspend.
pub fn rejected(rules: &Rules, sequence: u64) -> Submission {
    signed(rules, SuspendParty { party: PartyId::new([9; 32]) }, &[&owner()], sequence)
}

pub fn advance(rules: &Rules, to: u64, sequence: u64) -> Submission {
    signed(rules, AdvanceClock { to: Timestamp::new(to) }, &[&clock_keeper()], sequence)
}

/// Makes the next block of these transactions, without appending it.
pub fn next_block(ledger: &Ledger, submissions: Vec<Submission>) -> (CheckedBlock, Certificate) {
    let checked = CheckedTransaction::check_many(submissions, ledger.rules(), &InLine::default());
    let checked = checked.into_iter().map(Result::unwrap).collect();
    let time = ledger.next_time(Timestamp::new(0)).unwrap();
    let header = ledger.next_header(validator().public(), time).unwrap();
    let block = CheckedBlock::assemble(header, checked);
    let certificate = Certificate::solo(block.header(), &validator());
    (block, certificate)
}

pub fn append(ledger: &Ledger, submissions: Vec<Submission>) -> Result<Vec<Receipt>, LedgerError> {
    let (block, certificate) = next_block(ledger, submissions);
    ledger.append(&block, &certificate)
}
