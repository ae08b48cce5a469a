//! One made-up value of every type that leaves a node. The golden files hold their bytes.

use crate::calendar::SettlementPeriod;
use crate::codec::Bounded;
use crate::envelope::{ENVELOPE_VERSION, Envelope, SignedTransaction};
use crate::hash::Hash;
use crate::header::{Executed, HEADER_VERSION, Header, ValidatorSet};
use crate::identifier::{LedgerId, TransactionId, UsagePointId};
use crate::key::SigningKey;
use crate::reading::{DayPayload, DaySeed, Quality, Reading};
use crate::receipt::{EventBytes, Receipt};
use crate::units::{BlockHeight, Sequence, Timestamp, WattHours};

/// The period of 2016-06-01T00:00:00Z in a ledger of quarter hours.
pub const PERIOD: SettlementPeriod = SettlementPeriod::new(1_627_488);

pub fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

pub fn validators(numbers: std::ops::RangeInclusive<u8>) -> ValidatorSet {
    ValidatorSet::new(numbers.map(|number| key(number).public()).collect()).unwrap()
}

pub fn ledger_id() -> LedgerId {
    LedgerId::from_genesis_hash(Hash::of(b"genesis"), true)
}

pub fn usage_point() -> UsagePointId {
    UsagePointId::from_hash(&Hash::of(b"usage point"))
}

pub fn transaction() -> SignedTransaction {
    let (signer, cosigner) = (key(1), key(2));
    let envelope = Envelope {
        version: ENVELOPE_VERSION,
        ledger_id: ledger_id(),
        signer: signer.public(),
        cosigners: vec![cosigner.public()].try_into().unwrap(),
        sequence: Sequence::new(7),
        valid_until: Timestamp::new(1_464_739_200_000),
        kind: 201,
        body: b"body"[..].try_into().unwrap(),
    };
    SignedTransaction::sign(envelope, &[&signer, &cosigner])
}

pub fn event(text: &str) -> EventBytes {
    text.as_bytes().try_into().unwrap()
}

pub fn receipt(events: usize) -> Receipt {
    let events: Vec<_> = (0..events).map(|number| event(&format!("event {number}"))).collect();
    Receipt {
        transaction: TransactionId::from_hash(&Hash::of(b"transaction")),
        code: 0,
        events: events.try_into().unwrap(),
    }
}

pub fn header(height: u64, set: &ValidatorSet) -> Header {
    Header {
        version: HEADER_VERSION,
        ledger_id: ledger_id(),
        height: BlockHeight::new(height),
        parent: Hash::of(b"parent"),
        time: Timestamp::new(1_464_739_200_000 + height),
        proposer: set[0],
        epoch: 0,
        validators_hash: set.hash(),
        next_validators_hash: set.hash(),
        transactions_root: crate::envelope::transactions_root(&[transaction().id()]),
        executed: Executed {
            height: BlockHeight::new(height - 1),
            state_root: Hash::of(b"state"),
            receipts: Hash::of(b"receipts"),
        },
        context: Bounded::new(),
    }
}

/// A day of 96 quarter hours: sleeping, working and one estimated value.
pub fn day_payload() -> DayPayload {
    let reading = |slot: u64| Reading {
        import_wh: WattHours::new(if slot < 24 { 50 } else { 50 + slot * slot % 37 }),
        export_wh: WattHours::new(if (40..56).contains(&slot) { 300 + slot } else { 0 }),
        quality: if slot == 60 { Quality::Estimated } else { Quality::Actual },
    };
    DayPayload {
        readings: (0..96).map(reading).collect::<Vec<_>>().try_into().unwrap(),
        seed: DaySeed::new([9; 32]),
    }
}
