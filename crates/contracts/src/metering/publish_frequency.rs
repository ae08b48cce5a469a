//! The grid operator publishes the average frequency of settlement periods.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::codec::Bounded;
use primitives::units::MilliHertz;

use super::require_ended;
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Periods that one signature publishes.
pub const MAX_PUBLISHED: usize = 100;

/// Publishes the average frequency of 1..=100 consecutive periods, in millihertz.
///
/// The same values again are harmless. Another value for a published period is refused and needs
/// `CorrectFrequency`. A value outside 40–70 Hz does not decode at all.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PublishFrequency {
    /// The first period.
    pub first_period: SettlementPeriod,
    /// The averages, in order.
    pub frequencies: Bounded<MilliHertz, MAX_PUBLISHED>,
}

impl Transaction for PublishFrequency {
    const SENDERS: &'static [Who] = &[Who::Role(Role::GridOperator)];
    const EXPIRES: bool = false;

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if self.frequencies.is_empty() {
            return Err(Malformed::Field("at least one frequency is published"));
        }
        if self.first_period.offset(self.frequencies.len() as u32).is_err() {
            return Err(Malformed::Field("the periods leave their range"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let calendar = context.rules.calendar();
        let mut written = false;
        for (offset, frequency) in (0_u32..).zip(self.frequencies.iter()) {
            let period = self.first_period.offset(offset).expect("checked before");
            require_ended(context, period)?;
            let (day, slot) = context.rules.slot_of(period)?;
            let mut frequency_day = state.frequency_day(day);
            match frequency_day.at(slot) {
                Some(known) if known == *frequency => continue,
                Some(_) => {
                    return Err(Rejection::FrequencyExists { period: u64::from(period.get()) });
                }
                // Rule: after a deletion in a sealed day only a correction brings a value back, so
                // that the seal's history stays whole.
                None if frequency_day.seal.is_some() => {
                    return Err(Rejection::FrequencyExists { period: u64::from(period.get()) });
                }
                None => {}
            }
            frequency_day.set(slot, calendar.periods_of(day).count, Some(*frequency));
            state.put_frequency_day(day, &frequency_day);
            written = true;
        }
        let count = self.frequencies.len() as u16;
        state.emit(if written {
            Event::FrequencyPublished { first_period: self.first_period, count }
        } else {
            Event::AlreadyRecorded {}
        });
        Ok(())
    }
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
        let period = |slot| network.period(day, slot);
        let number = |slot| u64::from(period(slot).get());
        let cases = [
            (network.publish(period(0), &[]), WRONG_FIELD),
            (network.publish(SettlementPeriod::new(u32::MAX), &[50_000]), WRONG_FIELD),
            (network.publish(period(0), &[50_000; 2]), emits(&["FrequencyPublished"])),
            (network.publish(period(0), &[50_000; 2]), KNOWN),
            (
                network.publish(period(1), &[50_001]),
                breaks(Rejection::FrequencyExists { period: number(1) }),
            ),
            // The first period that is wrong is named: here the first after the day's end.
            (
                network.publish(period(95), &[50_000; 3]),
                breaks(Rejection::PeriodNotEnded { period: number(95) + 1 }),
            ),
            (network.publish(period(1), &[50_000; 95]), emits(&["FrequencyPublished"])),
        ];
        network.check(&cases);
        let seal = network.seal_frequencies(day);
        let (period, number) = (network.period(day, 7), u64::from(network.period(day, 7).get()));
        network.check(&[
            (seal, emits(&["FrequencyDaySealed"])),
            (by(&[&grid], DeleteFrequency { period }), emits(&["FrequencyCorrected"])),
            (
                network.publish(period, &[50_000]),
                breaks(Rejection::FrequencyExists { period: number }),
            ),
        ]);
    }
}
