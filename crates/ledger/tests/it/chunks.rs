//! What was ordered is read back as it was: across chunks, with and without payloads, large and small.

use std::sync::Arc;

use contracts::metering::{GatewayBatch, GatewayEntry, SealGatewayBatch, SubmitReading};
use contracts::{Body, Position, Rules};
use ledger::store::MemoryStore;
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::codec;
use primitives::envelope::Submission;
use primitives::identifier::UsagePointId;
use primitives::reading::{DayPayload, DaySeed, Quality, Reading, ReadingPayload};
use primitives::units::WattHours;

use crate::kit::{append, appoint, key, open, rejected, signed};

fn value(number: u64) -> Reading {
    Reading {
        import_wh: WattHours::new(number * number * 977 % 5_003),
        export_wh: WattHours::new(number * number * 31 % 701),
        quality: Quality::Actual,
    }
}

fn with_payload(rules: &Rules, body: impl Into<Body>, payload: Vec<u8>, number: u8) -> Submission {
    let mut submission = signed(rules, body, &[&key(number)], u64::from(number));
    submission.payload = payload.try_into().unwrap();
    submission
}

/// A reading of a meter that nobody knows: rejected, but ordered.
pub fn reading(rules: &Rules, number: u8) -> Submission {
    let usage_point = UsagePointId::new([number; 16]);
    let period = SettlementPeriod::new(1_627_000 + u32::from(number));
    let payload = ReadingPayload { reading: value(u64::from(number)), salt: [number; 32] };
    let leaf = payload.leaf(usage_point, period);
    let body = SubmitReading { usage_point, period, leaf };
    with_payload(rules, body, codec::encode(&payload), number)
}

/// A day of many meters: a payload that stands in a row of its own.
pub fn gateway_batch(rules: &Rules, number: u8) -> Submission {
    gateway_batch_with(rules, number, [1; 32])
}

/// The same; the first meter's salts come from this seed.
pub fn gateway_batch_with(rules: &Rules, number: u8, seed: [u8; 32]) -> Submission {
    let day = LocalDay::from_civil(2016, 6, 1).unwrap();
    let entry = |entry: u8| GatewayEntry {
        usage_point: UsagePointId::new([entry; 16]),
        day: DayPayload {
            readings: (0..96)
                .map(|slot| value(u64::from(entry) * 96 + slot))
                .collect::<Vec<_>>()
                .try_into()
                .unwrap(),
            seed: DaySeed::new(if entry == 1 { seed } else { [entry; 32] }),
        },
    };
    let batch =
        GatewayBatch { entries: (1..=20).map(entry).collect::<Vec<_>>().try_into().unwrap() };
    let body = SealGatewayBatch { day, entries: 20, root: batch.tree(rules, day).root() };
    let payload = codec::encode(&batch);
    assert!(payload.len() > 4_096, "it is large");
    with_payload(rules, body, payload, number)
}

#[test]
fn what_was_ordered_is_read_back_as_it_was() {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    let mut submissions: Vec<_> = (1..=190).map(|number| reading(&rules, number)).collect();
    submissions.insert(130, gateway_batch(&rules, 191));
    submissions.insert(0, appoint(&rules, 192, 1));
    submissions.push(rejected(&rules, 2));
    let more: Vec<_> = (3..131).map(|sequence| rejected(&rules, sequence)).collect();
    for (height, ordered) in [(1, submissions), (2, more)] {
        let receipts = append(&ledger, ordered.clone()).unwrap();
        let view = ledger.view();
        let (block, sealed) = view.block(height).unwrap().unwrap();
        assert_eq!(block.submissions.as_slice(), ordered.as_slice());
        assert_eq!(sealed.transactions as usize, ordered.len());
        assert_eq!(view.receipts(height).unwrap(), receipts);
        for (index, (submission, receipt)) in (0..).zip(ordered.iter().zip(&receipts)) {
            let position = Position { height, index };
            assert_eq!(view.position_of(&receipt.transaction).unwrap(), Some(position));
            assert_eq!(view.receipt(position).unwrap().as_ref(), Some(receipt));
            let seen = view.transaction(position).unwrap();
            assert_eq!(seen.as_ref(), Some(&submission.transaction), "{position:?}");
            let seen = view.payload(position).unwrap().unwrap_or_default();
            assert_eq!(seen, submission.payload.as_slice(), "{position:?}");
            let read = view.read(|state| (state.transaction(position), state.payload(position)));
            let (transaction, payload) = read.unwrap();
            assert_eq!(transaction.as_ref(), Some(&submission.transaction));
            assert_eq!(payload.unwrap_or_default(), submission.payload.as_slice());
        }
        let behind = Position { height, index: ordered.len() as u32 };
        assert_eq!(view.transaction(behind).unwrap(), None);
        assert_eq!(view.receipt(behind).unwrap(), None);
        assert_eq!(view.payload(behind).unwrap(), None);
    }
}
