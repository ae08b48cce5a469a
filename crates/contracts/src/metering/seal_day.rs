//! A meter seals its day: one signature over all readings of a local day.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalDay;
use primitives::codec::{self, Bounded};
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;
use primitives::reading::{DayPayload, day_root, reading_leaf, salt};
use primitives::units::WattHours;

use super::submit_reading::leaf_at;
use super::{
    MAX_SLOTS, MeteredDay, Seal, SealedBy, later, require_day_ended, require_reporter,
    require_within_limit,
};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::{UsagePoint, is_rising};
use crate::rejection::{Malformed, Rejection};
use crate::state::{Position, State};
use crate::state_key;
use crate::transaction::{Transaction, Who};

/// The cumulative registers of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Registers {
    /// Energy drawn since the meter was made.
    pub import: WattHours,
    /// Energy injected since the meter was made.
    pub export: WattHours,
}

/// Seals the readings of one usage point and local day (92, 96 or 100 slots of 15 minutes).
///
/// The values travel beside it as [`DayPayload`]: readings and the seed of their salts. The registers
/// must differ by the day's sums. Single readings sent before must agree, or their slots are named in
/// `corrects`. A gateway's seal of the same day gives way to the meter's own.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealDay {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The local day in the grid's zone.
    pub day: LocalDay,
    /// Counts this meter's seals, rising from 1.
    pub sequence: u32,
    /// Registers at the beginning of the day.
    pub first: Registers,
    /// Registers at its end.
    pub last: Registers,
    /// The Merkle root over the day's reading leaves.
    pub day_root: Hash,
    /// Slots whose single readings this seal corrects, rising.
    pub corrects: Bounded<u16, MAX_SLOTS>,
}

impl Transaction for SealDay {
    const SENDERS: &'static [Who] = &[Who::Meter];
    const EXPIRES: bool = false;

    fn check(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
        let payload: DayPayload = codec::decode(payload)?;
        if self.sequence == 0 {
            return Err(Malformed::Field("seal sequences count from 1"));
        }
        if !is_rising(&self.corrects) {
            return Err(Malformed::Field("corrected slots rise, none twice"));
        }
        check_day(rules, self.usage_point, self.day, &self.day_root, &payload)?;
        self.check_registers(&payload)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let mut usage_point = state.usage_point(self.usage_point)?;
        require_reporter(context, self.usage_point, &usage_point)?;
        require_day_ended(context, self.day)?;
        let mut metered_day = state.metered_day(self.usage_point, self.day);
        if let Some(seal) = metered_day.seal
            && seal.by == SealedBy::Meter
        {
            if seal.day_root != self.day_root {
                return Err(Rejection::DayAlreadySealed);
            }
            state.emit(Event::AlreadyRecorded {});
            return Ok(());
        }
        if self.sequence <= usage_point.seal_sequence {
            return Err(Rejection::SealSequenceUsed {
                sequence: u64::from(self.sequence),
                last: u64::from(usage_point.seal_sequence),
            });
        }
        let payload: DayPayload = codec::decode(context.payload).expect("checked before");
        require_day_within_limit(context.rules, &usage_point, self.day, &payload)?;
        absorb_slot_readings(context, state, self, &payload)?;

        usage_point.seal_sequence = self.sequence;
        state.put_usage_point(self.usage_point, &usage_point);
        put_seal(
            context,
            state,
            (self.usage_point, self.day),
            &mut metered_day,
            self.day_root,
            SealedBy::Meter,
        );
        Ok(())
    }
}

impl SealDay {
    /// The registers must move by exactly what the day's readings say.
    fn check_registers(&self, payload: &DayPayload) -> Result<(), Malformed> {
        let sum = |value: fn(&primitives::reading::Reading) -> WattHours| -> u128 {
            payload.readings.iter().map(|reading| u128::from(value(reading).get())).sum()
        };
        let moved = |first: WattHours, last: WattHours| {
            u128::from(last.get()).checked_sub(u128::from(first.get()))
        };
        let import = moved(self.first.import, self.last.import);
        let export = moved(self.first.export, self.last.export);
        if import != Some(sum(|r| r.import_wh)) || export != Some(sum(|r| r.export_wh)) {
            return Err(Malformed::Payload("the registers do not move by the day's readings"));
        }
        Ok(())
    }
}

/// The payload must have the day's number of slots and hash to its root.
pub(super) fn check_day(
    rules: &Rules,
    usage_point: UsagePointId,
    day: LocalDay,
    root: &Hash,
    payload: &DayPayload,
) -> Result<(), Malformed> {
    let periods = rules.calendar().periods_of(day);
    if payload.readings.len() != usize::from(periods.count) {
        return Err(Malformed::Payload("the readings are not as many as the day has slots"));
    }
    if day_root(&payload.seed, usage_point, periods.first, &payload.readings) != *root {
        return Err(Malformed::Payload("the readings do not hash to the day's root"));
    }
    Ok(())
}

/// Every reading of a day must stay within the connection's limit.
pub(super) fn require_day_within_limit(
    rules: &Rules,
    usage_point: &UsagePoint,
    day: LocalDay,
    payload: &DayPayload,
) -> Result<(), Rejection> {
    let periods = rules.calendar().periods_of(day);
    for (period, reading) in periods.iter().zip(payload.readings.iter()) {
        require_within_limit(rules, usage_point, period, reading)?;
    }
    Ok(())
}

/// Compares single readings with the seal and removes their rows: from now on the seal speaks.
fn absorb_slot_readings(
    context: &Context<'_>,
    state: &mut dyn State,
    seal: &SealDay,
    payload: &DayPayload,
) -> Result<(), Rejection> {
    let first = context.rules.calendar().periods_of(seal.day).first;
    let prefix = state_key::slot_readings(&seal.usage_point, seal.day);
    for (key, position) in state.scan(&prefix, None, MAX_SLOTS) {
        let slot = key[prefix.len()..].try_into().expect("the key ends with a slot");
        let slot = u16::from_be_bytes(slot);
        let position: Position = codec::decode(&position).expect("a slot reading is a position");
        let sealed = reading_leaf(
            &salt(&payload.seed, u32::from(slot)),
            seal.usage_point,
            later(first, slot),
            &payload.readings[usize::from(slot)],
        );
        if sealed != leaf_at(state, position) && !seal.corrects.contains(&slot) {
            return Err(Rejection::SealDisagreesWithReading { slot: u64::from(slot) });
        }
        state.delete(&key);
    }
    Ok(())
}

/// Writes a seal into the day.
pub(super) fn put_seal(
    context: &Context<'_>,
    state: &mut dyn State,
    (usage_point, day): (UsagePointId, LocalDay),
    metered_day: &mut MeteredDay,
    day_root: Hash,
    by: SealedBy,
) {
    metered_day.revision += 1;
    metered_day.corrections = Bounded::default();
    metered_day.seal =
        Some(Seal { position: context.position, transaction: context.transaction, day_root, by });
    state.put_metered_day(usage_point, day, metered_day);
    let revision = metered_day.revision;
    state.emit(Event::DaySealed { usage_point, day, day_root, revision });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::transaction::Body;

    fn edited(draft: &Draft, edit: impl FnOnce(&mut SealDay)) -> Draft {
        let mut draft = draft.clone();
        let Body::SealDay(body) = &mut draft.body else { unreachable!("a seal") };
        edit(body);
        draft
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (day, running) = (network.day(0), network.day(1));
        network.end_day(day);
        let home = network.homes[0].clone();
        let stranger = network.homes[1].meter.clone();
        let small = network.even_day(day, reading(5, 1));
        let large = network.even_day(running, reading(25_000_001, 0));
        let good = network.seal(&home, day, &small);
        let not_ended = network.seal(&home, running, &large);
        let too_large = network.seal(&home, day, &network.even_day(day, reading(25_000_001, 0)));
        let short = network.payload(vec![reading(5, 1); 95]);
        let mut bare = good.clone();
        bare.payload.clear();
        // One single reading that the seal contradicts.
        network.accept(&network.submit(&home, network.period(day, 9), reading(6, 1)));
        let (meter, first) = (home.point, network.periods(day).first);
        let unknown = UsagePointId::default();
        let limit_wh = 25_000_000;
        network.check(&[
            (bare, WRONG_ENCODING),
            (edited(&good, |seal| seal.sequence = 0), WRONG_FIELD),
            (edited(&good, |seal| seal.corrects = vec![9, 9].try_into().unwrap()), WRONG_FIELD),
            (network.seal(&home, day, &short), WRONG_PAYLOAD),
            (edited(&good, |seal| seal.day_root = Hash::ZERO), WRONG_PAYLOAD),
            (edited(&good, |seal| seal.last.export = WattHours::new(95)), WRONG_PAYLOAD),
            (edited(&good, |seal| seal.first.import = WattHours::new(u64::MAX)), WRONG_PAYLOAD),
            (
                edited(&not_ended, |seal| {
                    seal.usage_point = unknown;
                    seal.day_root = large.root(unknown, network.periods(running).first);
                }),
                breaks(Rejection::UsagePointUnknown),
            ),
            (not_ended.sent_by(&stranger), breaks(Rejection::SenderIsNotTheMeter)),
            (not_ended, breaks(Rejection::DayNotEnded)),
            (
                too_large.clone(),
                breaks(Rejection::AboveConnectionLimit {
                    period: u64::from(first.get()),
                    limit_wh,
                }),
            ),
            (good.clone(), breaks(Rejection::SealDisagreesWithReading { slot: 9 })),
            (
                edited(&good, |seal| seal.corrects = vec![9].try_into().unwrap()),
                emits(&["DaySealed"]),
            ),
            (good.clone(), KNOWN),
            (too_large, breaks(Rejection::DayAlreadySealed)),
        ]);
        assert_eq!(network.state().usage_point(meter).unwrap().seal_sequence, 1);
        // The next day's seal needs a higher sequence.
        network.end_day(running);
        let tomorrow = network.seal(&home, running, &network.even_day(running, reading(5, 1)));
        network.check(&[
            (
                edited(&tomorrow, |seal| seal.sequence = 1),
                breaks(Rejection::SealSequenceUsed { sequence: 1, last: 1 }),
            ),
            (edited(&tomorrow, |seal| seal.sequence = 7), emits(&["DaySealed"])),
        ]);
    }

    #[test]
    fn the_meters_own_seal_replaces_a_gateways() {
        let mut network = Network::new();
        let day = network.day(0);
        network.end_day(day);
        let home = network.homes[0].clone();
        let gateway = network.aggregator.clone();
        network.authorize_gateway(&home, Some(gateway.id));
        let guessed = network.even_day(day, reading(5, 0));
        let batch = network.gateway_batch(&gateway, day, &[(&home, guessed)]);
        let own = network.seal(&home, day, &network.even_day(day, reading(4, 0)));
        network.check(&[
            (batch.clone(), emits(&["DaySealed"])),
            (own.clone(), emits(&["DaySealed"])),
            (own, KNOWN),
            (batch, KNOWN),
        ]);
        let seal = network.state().metered_day(home.point, day).seal.unwrap();
        assert_eq!(seal.by, SealedBy::Meter);
    }
}
