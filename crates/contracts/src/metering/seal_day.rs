//! A meter seals its day: one signature over all readings of a local day.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{DayPeriods, LocalDay, SettlementPeriod};
use primitives::codec::{self, Bounded};
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;
use primitives::reading::{DayPayload, Reading, day_root, reading_leaf, salt};
use primitives::units::WattHours;

use super::registers::moved;
use super::submit_reading::leaf_at;
use super::{
    DayReadings, MAX_SLOTS, MeteredDay, RegisterMark, Registers, Seal, SealedBy, Stretch,
    connection_limit_wh, later, require_below, require_continues, require_day_ended,
    require_reporter, require_within_limit,
};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::{Privacy, Rules};
use crate::registry::{InstalledMeter, UsagePoint, is_rising};
use crate::rejection::{Malformed, Rejection};
use crate::state::{Position, State};
use crate::state_key;
use crate::transaction::{Transaction, Who};

/// Seals the readings of one usage point and local day (92, 96 or 100 slots of 15 minutes).
///
/// The values travel beside it as [`DayPayload`]: readings and the seed of their salts. The registers
/// must move by the day's sums and go on from the days sealed before and after. Single readings sent
/// before must agree, or their slots are named in `corrects`. A gateway's seal or an estimate of the
/// same day gives way to the meter's own.
///
/// On the day of its installation the registers count from the swap on, and the slots before it repeat
/// what stands on the ledger: the former meter's single readings, else an estimate.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealDay {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The local day in the grid's zone.
    pub day: LocalDay,
    /// Counts this meter's seals, rising from 1.
    pub sequence: u32,
    /// Registers at the beginning of the day, or where the meter was installed in it.
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
    const PRIVACY: Option<Privacy> = Some(Privacy::Open);

    fn check(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
        let payload: DayPayload = codec::decode(payload)?;
        if self.sequence == 0 {
            return Err(Malformed::Field("seal sequences count from 1"));
        }
        if !is_rising(&self.corrects) {
            return Err(Malformed::Field("corrected slots rise, none twice"));
        }
        check_day(rules, self.usage_point, self.day, &self.day_root, &payload)?;
        check_registers((&self.first, &self.last), &payload)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let usage_point = state.usage_point(self.usage_point)?;
        require_reporter(context, self.usage_point, &usage_point)?;
        require_day_ended(context, self.day)?;
        let periods = context.rules.calendar().periods_of(self.day);
        let mut meter =
            state.installed_meter(self.usage_point).expect("the sender is an installed meter");
        // A day that the zone skipped has no slot of its own.
        meter.require_measured(periods.iter().next_back().unwrap_or(periods.first))?;
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
        if self.sequence <= meter.seal_sequence {
            return Err(Rejection::SealSequenceUsed {
                sequence: u64::from(self.sequence),
                last: u64::from(meter.seal_sequence),
            });
        }
        let payload: DayPayload = codec::decode(context.payload).expect("checked before");
        require_day_within_limit(context.rules, &usage_point, self.day, &payload)?;
        let run = OwnRun::of(&meter, periods);
        let slot_limit_wh = connection_limit_wh(context.rules, &usage_point);
        self.require_movement(&meter, run, &payload)?;
        self.put_marks(state, &mut meter, run, slot_limit_wh)?;
        self.require_former_values(context, state, run, &payload)?;
        absorb_slot_readings(context, state, self, run, &payload)?;

        meter.seal_sequence = self.sequence;
        state.put_installed_meter(self.usage_point, &meter);
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

/// The part of a day that the sealing meter measured: all of it, or what follows its installation.
#[derive(Debug, Clone, Copy)]
struct OwnRun {
    /// The day's slots before it.
    skipped: u16,
    /// Its first period.
    first: SettlementPeriod,
    /// The period after the day.
    end: SettlementPeriod,
}

impl OwnRun {
    fn of(meter: &InstalledMeter, periods: DayPeriods) -> Self {
        let skipped = periods.slot_of(meter.from_period).unwrap_or(0);
        let end = later(periods.first, periods.count);
        Self { skipped, first: later(periods.first, skipped), end }
    }
}

/// What no roll-over and no swap explains: registers that move up by more than all readings. The
/// rest needs the meter, so `execute` looks at it.
pub(super) fn check_registers(
    (first, last): (&Registers, &Registers),
    payload: &DayPayload,
) -> Result<(), Malformed> {
    let registers = first.both().into_iter().zip(last.both());
    for ((first, last), sum) in registers.zip(sums(&payload.readings)) {
        if last.checked_sub(first).is_some_and(|moved| u128::from(moved) > sum) {
            return Err(Malformed::Payload("the registers move by more than the readings"));
        }
    }
    Ok(())
}

impl SealDay {
    /// The registers must move by exactly what the meter's own readings add up to.
    fn require_movement(
        &self,
        meter: &InstalledMeter,
        run: OwnRun,
        payload: &DayPayload,
    ) -> Result<(), Rejection> {
        let limit = meter.register_limit;
        require_below(&self.first, limit)?;
        require_below(&self.last, limit)?;
        let sums = sums(&payload.readings[usize::from(run.skipped)..]);
        let registers = self.first.both().into_iter().zip(self.last.both());
        for (register, ((first, last), sum)) in (0_u64..).zip(registers.zip(sums)) {
            let moved_wh = moved(first, last, limit).ok_or(Rejection::RegisterWentBackwards {
                register,
                before_wh: first,
                now_wh: last,
            })?;
            let shown = if limit == WattHours::ZERO { sum } else { sum % u128::from(limit.get()) };
            if u128::from(moved_wh) != shown {
                let readings_wh = u64::try_from(sum).unwrap_or(u64::MAX);
                return Err(Rejection::RegistersDisagree { register, moved_wh, readings_wh });
            }
        }
        Ok(())
    }

    /// The registers go on from the mark before to the mark after; then they are marks themselves.
    /// Between the run's ends there is none: no meter seals over the days of another.
    fn put_marks(
        &self,
        state: &mut dyn State,
        meter: &mut InstalledMeter,
        run: OwnRun,
        slot_limit_wh: u64,
    ) -> Result<(), Rejection> {
        let id = self.usage_point;
        let register_limit = meter.register_limit;
        let stretch = |from: SettlementPeriod, to: SettlementPeriod| Stretch {
            slots: to.get() - from.get(),
            slot_limit_wh,
            register_limit,
        };
        let (before, after) = state.register_marks_around(id, meter.latest_mark, run.first);
        let (before_at, before) = before.expect("the installation left a mark");
        require_continues(&before.registers, &self.first, stretch(before_at, run.first))?;
        if let Some((at, mark)) = &after {
            require_continues(&self.last, &mark.registers, stretch(run.end, *at))?;
        }
        if run.first == run.end {
            return Ok(());
        }
        let mark = |registers, previous| RegisterMark {
            registers,
            register_limit,
            installed: None,
            previous: Some(previous),
        };
        if before_at != run.first {
            state.put_register_mark(id, run.first, &mark(self.first, before_at));
        }
        match after {
            Some((at, mut following)) => {
                following.previous = Some(if at == run.end { run.first } else { run.end });
                state.put_register_mark(id, at, &following);
                if at != run.end {
                    state.put_register_mark(id, run.end, &mark(self.last, run.first));
                }
            }
            None => {
                state.put_register_mark(id, run.end, &mark(self.last, run.first));
                meter.latest_mark = run.end;
            }
        }
        Ok(())
    }

    /// The slots before the meter's installation repeat what stands on the ledger. Before the very
    /// first meter nothing was connected: there they are zero.
    fn require_former_values(
        &self,
        context: &Context<'_>,
        state: &dyn State,
        run: OwnRun,
        payload: &DayPayload,
    ) -> Result<(), Rejection> {
        if run.skipped == 0 {
            return Ok(());
        }
        let mark = state.register_mark(self.usage_point, run.first);
        let first_of_all = mark.is_some_and(|mark| mark.previous.is_none());
        let periods = context.rules.calendar().periods_of(self.day);
        let known = DayReadings::load(context.rules, state, self.usage_point, self.day)?;
        let slots = known.slots.iter().zip(payload.readings.iter()).zip(periods.iter());
        for (slot, ((known, sealed), period)) in (0..run.skipped).zip(slots) {
            let agrees = match known {
                Some(known) => known == sealed,
                None if first_of_all => {
                    sealed.import_wh == WattHours::ZERO && sealed.export_wh == WattHours::ZERO
                }
                None => return Err(Rejection::ReadingMissing { period: u64::from(period.get()) }),
            };
            if !agrees {
                return Err(Rejection::SealDisagreesWithReading { slot: u64::from(slot) });
            }
        }
        Ok(())
    }
}

/// Import and export over some slots.
fn sums(readings: &[Reading]) -> [u128; 2] {
    let sum = |value: fn(&Reading) -> WattHours| {
        readings.iter().map(|reading| u128::from(value(reading).get())).sum()
    };
    [sum(|reading| reading.import_wh), sum(|reading| reading.export_wh)]
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
    run: OwnRun,
    payload: &DayPayload,
) -> Result<(), Rejection> {
    let first = context.rules.calendar().periods_of(seal.day).first;
    let prefix = state_key::slot_readings(&seal.usage_point, seal.day);
    for (key, position) in state.scan(&prefix, None, MAX_SLOTS) {
        let slot = key[prefix.len()..].try_into().expect("the key ends with a slot");
        let slot = u16::from_be_bytes(slot);
        if slot < run.skipped {
            // The former meter's: compared by value, since only that meter knew the salts.
            state.delete(&key);
            continue;
        }
        let position: Position = codec::decode(&position).expect("a slot reading is a position");
        let sealed = reading_leaf(
            &salt(&payload.seed, u32::from(slot)),
            seal.usage_point,
            later(first, slot),
            &payload.readings[usize::from(slot)],
        );
        if sealed != leaf_at(state, position)? && !seal.corrects.contains(&slot) {
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
            (edited(&good, |seal| seal.last.export = WattHours::new(97)), WRONG_PAYLOAD),
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
            (
                edited(&good, |seal| seal.last.export = WattHours::new(95)),
                breaks(Rejection::RegistersDisagree { register: 1, moved_wh: 95, readings_wh: 96 }),
            ),
            (
                edited(&good, |seal| seal.first.import = WattHours::new(u64::MAX)),
                breaks(Rejection::RegisterWentBackwards {
                    register: 0,
                    before_wh: u64::MAX,
                    now_wh: 480,
                }),
            ),
            (
                edited(&good, |seal| {
                    seal.first.import = WattHours::new(1);
                    seal.last.import = WattHours::new(481);
                }),
                breaks(Rejection::RegisterJumped {
                    register: 0,
                    before_wh: 0,
                    now_wh: 1,
                    bound_wh: 0,
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
        assert_eq!(network.state().installed_meter(meter).unwrap().seal_sequence, 1);
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
