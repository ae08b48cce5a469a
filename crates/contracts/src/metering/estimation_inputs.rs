//! What the ledger knows about a day with gaps: the inputs of [`estimate`](super::estimation::estimate)
//! read from the state.
//!
//! Estimates are never estimated from: a value of quality E is kept where it stands, but no line is
//! drawn to it and no other day borrows it. Times of day are those of the grid's clocks, so the days on
//! which they change find the same hour on other days.

use primitives::calendar::{Calendar, LocalDay, SettlementPeriod};
use primitives::identifier::UsagePointId;
use primitives::reading::{Quality, Reading};

use super::estimation::{Energy, EstimationInputs, KnownStretch, WEEKS_BACK};
use super::registers::{PlacedMark, moved};
use super::{DayReadings, MAX_SLOTS, StandardProfile, later};
use crate::genesis::Rules;
use crate::rejection::Rejection;
use crate::state::State;

/// Days between two marks of the registers beyond which their difference is not shared out: so many
/// days of readings one estimate looks at.
pub const MAX_STRETCH_DAYS: i32 = 31;

impl EstimationInputs {
    /// Reads what is known about a day.
    ///
    /// # Errors
    /// [`Rejection::PayloadErased`] when values that the estimate depends on were erased.
    pub fn load(
        rules: &Rules,
        state: &dyn State,
        (usage_point, day): (UsagePointId, LocalDay),
        profile: Option<&StandardProfile>,
    ) -> Result<Self, Rejection> {
        let source = Source { rules, state, usage_point };
        let known = source.readings(day)?;
        let missing = |reading: Option<&Option<Reading>>| matches!(reading, Some(None));
        let mut inputs = Self::default();
        if missing(known.first()) {
            inputs.before = source.neighbour(day.offset(-1).ok(), <[_]>::last)?;
        }
        if missing(known.last()) {
            inputs.after = source.neighbour(day.next().ok(), <[_]>::first)?;
        }
        inputs.weekday = source.weekdays(day, &known)?;
        if let Some(profile) = profile {
            let clocks = clock_slots(rules.calendar(), day);
            inputs.profile = clocks.into_iter().map(|clock| profile.at(clock)).collect();
        }
        inputs.stretches = source.stretches(day, &known)?;
        inputs.known = known;
        Ok(inputs)
    }
}

/// The time of day at which each slot of `day` begins on the grid's clocks, counted in slots from
/// midnight. Where the clocks are set back an hour comes twice, where they are set forward one is left
/// out.
#[must_use]
pub fn clock_slots(calendar: &Calendar, day: LocalDay) -> Vec<u16> {
    let zone = calendar.zone();
    let slot_seconds = i64::from(calendar.slot_seconds());
    let clock = |period: SettlementPeriod| {
        let second = i64::from(period.get()) * slot_seconds;
        let changed = zone.transitions.iter().rev().find(|(start, _)| *start <= second);
        let offset = changed.map_or(zone.base_offset_seconds, |(_, offset)| *offset);
        let of_day = (second + i64::from(offset)).rem_euclid(86_400);
        u16::try_from(of_day / slot_seconds).expect("a day has at most 288 slots")
    };
    calendar.periods_of(day).iter().map(clock).collect()
}

/// A measured value; an estimate is none.
fn measured(reading: &Reading) -> Option<Energy> {
    let energy = [reading.import_wh.get(), reading.export_wh.get()];
    (reading.quality != Quality::Estimated).then_some(energy)
}

struct Source<'a> {
    rules: &'a Rules,
    state: &'a dyn State,
    usage_point: UsagePointId,
}

impl Source<'_> {
    fn readings(&self, day: LocalDay) -> Result<Vec<Option<Reading>>, Rejection> {
        DayReadings::load(self.rules, self.state, self.usage_point, day).map(|day| day.slots)
    }

    /// The measured value at one end of a neighbouring day.
    fn neighbour(
        &self,
        day: Option<LocalDay>,
        end: fn(&[Option<Reading>]) -> Option<&Option<Reading>>,
    ) -> Result<Option<Energy>, Rejection> {
        let Some(day) = day else { return Ok(None) };
        let readings = self.readings(day)?;
        Ok(end(&readings).and_then(|reading| reading.as_ref().and_then(measured)))
    }

    /// The nearest measured value of the same weekday and time of day, for each missing slot.
    fn weekdays(
        &self,
        day: LocalDay,
        known: &[Option<Reading>],
    ) -> Result<Vec<Option<Energy>>, Rejection> {
        let calendar = self.rules.calendar();
        let clocks = clock_slots(calendar, day);
        let mut found: Vec<Option<Energy>> = vec![None; known.len()];
        for week in 1..=WEEKS_BACK {
            let open = |slot: &usize| known[*slot].is_none() && found[*slot].is_none();
            let open: Vec<usize> = (0..known.len()).filter(open).collect();
            let Ok(earlier) = day.offset(-7 * week) else { break };
            let sealed = self.state.metered_day(self.usage_point, earlier).seal.is_some();
            if open.is_empty() || !sealed {
                continue;
            }
            let readings = self.readings(earlier)?;
            let earlier_clocks = clock_slots(calendar, earlier);
            for slot in open {
                let same = earlier_clocks.iter().position(|clock| *clock == clocks[slot]);
                found[slot] = same.and_then(|it| readings[it].as_ref()).and_then(measured);
            }
        }
        Ok(found)
    }

    /// The stretches of the day between neighbouring marks of the registers.
    fn stretches(
        &self,
        day: LocalDay,
        known: &[Option<Reading>],
    ) -> Result<Vec<KnownStretch>, Rejection> {
        let Some(meter) = self.state.installed_meter(self.usage_point) else {
            return Ok(Vec::new());
        };
        let periods = self.rules.calendar().periods_of(day);
        let (first, end) = (periods.first, later(periods.first, periods.count));
        let in_day = |from: SettlementPeriod, to: SettlementPeriod| {
            let slot = |at: SettlementPeriod| (at.clamp(first, end).get() - first.get()) as usize;
            slot(from)..slot(to)
        };
        let (before, _) =
            self.state.register_marks_around(self.usage_point, meter.latest_mark, first);
        let mut marks: Vec<PlacedMark> = before.into_iter().collect();
        for mark in self.state.register_marks_after(self.usage_point, first, MAX_SLOTS + 1) {
            marks.push(mark);
            if mark.0 >= end {
                break;
            }
        }
        let mut stretches = Vec::new();
        // Before the first meter of all nothing was connected.
        if let Some((at, mark)) = marks.first()
            && mark.previous.is_none()
            && *at > first
        {
            let missing_wh = [Some(0); 2];
            stretches.push(KnownStretch { slots: in_day(first, *at), missing_wh });
        }
        for pair in marks.windows(2) {
            let slots = in_day(pair[0].0, pair[1].0);
            if known[slots.clone()].iter().any(Option::is_none) {
                let missing_wh = self.missing(day, known, &pair[0], &pair[1])?;
                stretches.push(KnownStretch { slots, missing_wh });
            }
        }
        Ok(stretches)
    }

    /// What the missing slots of `day` between two marks add up to: the registers' difference less all
    /// that is known between them; when slots of other days are missing too, the share of this day's
    /// by their number. Whoever is estimated last gets the rest, so the difference is always met.
    fn missing(
        &self,
        day: LocalDay,
        known: &[Option<Reading>],
        from: &PlacedMark,
        to: &PlacedMark,
    ) -> Result<[Option<u64>; 2], Rejection> {
        const NOTHING: [Option<u64>; 2] = [None; 2];
        let calendar = self.rules.calendar();
        let Some(incoming) = to.1.incoming() else { return Ok(NOTHING) };
        let (first_day, _) = self.rules.slot_of(from.0)?;
        let (end_day, end_slot) = self.rules.slot_of(to.0)?;
        let last_day = end_day.get() - i32::from(end_slot == 0);
        if last_day - first_day.get() >= MAX_STRETCH_DAYS {
            return Ok(NOTHING);
        }
        let (mut sums, mut missing, mut missing_today) = ([0_u128; 2], 0_u128, 0_u128);
        for other in first_day.get()..=last_day {
            let other = LocalDay::new(other).expect("between two days of the calendar");
            let loaded = if other == day { known.to_vec() } else { self.readings(other)? };
            for (period, reading) in calendar.periods_of(other).iter().zip(&loaded) {
                if period < from.0 || period >= to.0 {
                    continue;
                }
                match reading {
                    Some(reading) => {
                        sums[0] += u128::from(reading.import_wh.get());
                        sums[1] += u128::from(reading.export_wh.get());
                    }
                    None => {
                        missing += 1;
                        missing_today += u128::from(other == day);
                    }
                }
            }
        }
        let (before, now) = (from.1.registers.both(), incoming.both());
        Ok([0, 1].map(|direction| {
            let moved = moved(before[direction], now[direction], from.1.register_limit)?;
            // Known readings above the registers' difference: one of both is wrong, so neither rules.
            let rest = u128::from(moved).checked_sub(sums[direction])?;
            u64::try_from(rest * missing_today / missing.max(1)).ok()
        }))
    }
}
