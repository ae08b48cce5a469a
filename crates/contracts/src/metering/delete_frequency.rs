//! The grid operator takes a frequency back without a new value.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;

use super::correct_frequency::replace;
use crate::execute::Context;
use crate::registry::Role;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Takes a published frequency back. The value stays in the history; the period is unpriced until a
/// correction brings a new one, and a bill over it is refused.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DeleteFrequency {
    /// The period.
    pub period: SettlementPeriod,
}

impl Transaction for DeleteFrequency {
    const SENDERS: &'static [Who] = &[Who::Role(Role::GridOperator)];
    const EXPIRES: bool = false;

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        replace(context, state, self.period, None)
    }
}

#[cfg(test)]
mod tests {
    use crate::rejection::Rejection;

    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (day, grid) = (network.day(0), network.grid.key.clone());
        network.end_day(day);
        let period = network.period(day, 5);
        let number = u64::from(period.get());
        let delete = |period| by(&[&grid], DeleteFrequency { period });
        let beyond = SettlementPeriod::new(u32::MAX);
        let cases = [
            (delete(beyond), breaks(Rejection::PeriodNotEnded { period: u64::from(u32::MAX) })),
            (delete(period), breaks(Rejection::FrequencyMissing { period: number })),
            (network.publish(period, &[50_000]), emits(&["FrequencyPublished"])),
            (delete(period), emits(&["FrequencyCorrected"])),
            (delete(period), KNOWN),
        ];
        network.check(&cases);
        assert_eq!(network.state().frequency_day(day).at(5), None);
    }
}
