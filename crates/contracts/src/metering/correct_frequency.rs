//! The grid operator corrects a frequency; the former value stays in the history.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::codec::Bounded;
use primitives::units::MilliHertz;

use super::FrequencyCorrection;
use crate::event::Event;
use crate::execute::Context;
use crate::registry::Role;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Puts another frequency in the place of a published one, or gives a deleted one a new value. What
/// was billed from the former value is stale from then on.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CorrectFrequency {
    /// The period.
    pub period: SettlementPeriod,
    /// The new average.
    pub frequency: MilliHertz,
}

impl Transaction for CorrectFrequency {
    const SENDERS: &'static [Who] = &[Who::Role(Role::GridOperator)];
    const EXPIRES: bool = false;

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        replace(context, state, self.period, Some(self.frequency))
    }
}

/// Puts `after` in the place of the value in force; `None` deletes it.
pub(super) fn replace(
    context: &Context<'_>,
    state: &mut dyn State,
    period: SettlementPeriod,
    after: Option<MilliHertz>,
) -> Result<(), Rejection> {
    let calendar = context.rules.calendar();
    let (day, slot) = context.rules.slot_of(period)?;
    let mut frequency_day = state.frequency_day(day);
    let before = frequency_day.at(slot);
    let was_deleted = frequency_day.corrections.iter().any(|c| c.slot == slot);
    if before.is_none() && !was_deleted {
        return Err(Rejection::FrequencyMissing { period: u64::from(period.get()) });
    }
    if before == after {
        state.emit(Event::AlreadyRecorded {});
        return Ok(());
    }
    frequency_day.set(slot, calendar.periods_of(day).count, after);
    frequency_day.revision += 1;
    let mut correction = FrequencyCorrection {
        slot,
        transaction: context.transaction,
        position: context.position,
        original: before,
    };
    let mut corrections = frequency_day.corrections.to_vec();
    match corrections.binary_search_by_key(&slot, |c| c.slot) {
        Ok(index) => {
            correction.original = corrections[index].original;
            corrections[index] = correction;
        }
        Err(index) => corrections.insert(index, correction),
    }
    frequency_day.corrections =
        Bounded::try_from(corrections).expect("one correction per slot at most");
    state.put_frequency_day(day, &frequency_day);
    let revision = frequency_day.revision;
    state.emit(Event::FrequencyCorrected { period, before, after, revision });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::metering::DeleteFrequency;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (day, grid) = (network.day(0), network.grid.key.clone());
        network.end_day(day);
        let period = network.period(day, 5);
        let number = u64::from(period.get());
        let correct =
            |millihertz| by(&[&grid], CorrectFrequency { period, frequency: hertz(millihertz) });
        let beyond = SettlementPeriod::new(u32::MAX);
        let cases = [
            (
                by(&[&grid], CorrectFrequency { period: beyond, frequency: hertz(50_000) }),
                breaks(Rejection::PeriodNotEnded { period: u64::from(u32::MAX) }),
            ),
            (correct(50_000), breaks(Rejection::FrequencyMissing { period: number })),
            (network.publish(period, &[50_000]), emits(&["FrequencyPublished"])),
            (correct(50_000), KNOWN),
            (correct(50_010), emits(&["FrequencyCorrected"])),
            (correct(50_010), KNOWN),
            (by(&[&grid], DeleteFrequency { period }), emits(&["FrequencyCorrected"])),
            (correct(50_020), emits(&["FrequencyCorrected"])),
        ];
        network.check(&cases);
        let frequency_day = network.state().frequency_day(day);
        assert_eq!((frequency_day.revision, frequency_day.at(5)), (3, Some(hertz(50_020))));
    }
}
