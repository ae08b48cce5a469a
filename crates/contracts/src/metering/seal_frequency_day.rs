//! The grid operator seals the frequencies of a day.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalDay;
use primitives::codec::Bounded;
use primitives::hash::Hash;

use super::{FrequencySeal, frequency_root, later, require_day_ended};
use crate::event::Event;
use crate::execute::Context;
use crate::registry::Role;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Seals the frequencies of a local day under one root, so that a bill's proof needs one signature
/// for the day. Every slot must be published. Corrections may follow and are bound to the bill each.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealFrequencyDay {
    /// The local day.
    pub day: LocalDay,
    /// The Merkle root over the day's frequency leaves.
    pub day_root: Hash,
}

impl Transaction for SealFrequencyDay {
    const SENDERS: &'static [Who] = &[Who::Role(Role::GridOperator)];
    const EXPIRES: bool = false;

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        require_day_ended(context, self.day)?;
        let mut frequency_day = state.frequency_day(self.day);
        if let Some(seal) = frequency_day.seal {
            if seal.day_root != self.day_root {
                return Err(Rejection::FrequencySealDisagrees);
            }
            state.emit(Event::AlreadyRecorded {});
            return Ok(());
        }
        let periods = context.rules.calendar().periods_of(self.day);
        let Some(root) = frequency_root(context.rules, self.day, &frequency_day.slots) else {
            let missing = (0..periods.count).find(|slot| frequency_day.at(*slot).is_none());
            let period = later(periods.first, missing.unwrap_or(0));
            return Err(Rejection::FrequencyMissing { period: u64::from(period.get()) });
        };
        if root != self.day_root {
            return Err(Rejection::FrequencySealDisagrees);
        }
        frequency_day.seal = Some(FrequencySeal {
            transaction: context.transaction,
            position: context.position,
            day_root: self.day_root,
        });
        // What was corrected before the seal is part of the sealed values.
        frequency_day.corrections = Bounded::default();
        frequency_day.revision += 1;
        state.put_frequency_day(self.day, &frequency_day);
        state.emit(Event::FrequencyDaySealed { day: self.day, day_root: self.day_root });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (day, running) = (network.day(0), network.day(1));
        network.end_day(day);
        let grid = network.grid.key.clone();
        let seal = |day, day_root| by(&[&grid], SealFrequencyDay { day, day_root });
        let missing = |slot| {
            let period = u64::from(network.period(day, slot).get());
            breaks(Rejection::FrequencyMissing { period })
        };
        let (first, rest) = (network.period(day, 0), network.period(day, 1));
        let cases = [
            (seal(running, Hash::ZERO), breaks(Rejection::DayNotEnded)),
            (seal(day, Hash::ZERO), missing(0)),
            (network.publish(first, &[50_000]), emits(&["FrequencyPublished"])),
            (seal(day, Hash::ZERO), missing(1)),
            (network.publish(rest, &[50_000; 95]), emits(&["FrequencyPublished"])),
            (seal(day, Hash::ZERO), breaks(Rejection::FrequencySealDisagrees)),
        ];
        network.check(&cases);
        let good = network.seal_frequencies(day);
        network.check(&[
            (good.clone(), emits(&["FrequencyDaySealed"])),
            (good, KNOWN),
            (seal(day, Hash::ZERO), breaks(Rejection::FrequencySealDisagrees)),
        ]);
    }

    #[test]
    fn what_was_corrected_before_the_seal_is_part_of_the_sealed_values() {
        use crate::metering::CorrectFrequency;
        let mut network = Network::new();
        let (day, grid) = (network.day(0), network.grid.key.clone());
        network.end_day(day);
        network.accept(&network.publish(network.period(day, 0), &[50_000; 96]));
        let correct = |network: &Network, millihertz| {
            let period = network.period(day, 7);
            by(&[&grid], CorrectFrequency { period, frequency: hertz(millihertz) })
        };
        network.accept(&correct(&network, 49_900));
        network.accept(&network.seal_frequencies(day));
        let sealed = network.state().frequency_day(day);
        assert_eq!((sealed.at(7), sealed.corrections.len()), (Some(hertz(49_900)), 0));
        network.accept(&correct(&network, 49_910));
        assert_eq!(network.state().frequency_day(day).corrections.len(), 1);
    }
}
