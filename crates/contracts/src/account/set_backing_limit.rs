//! Regulators set how many tokens an aggregator may issue.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::PartyId;
use primitives::units::MicroCurrency;

use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who, no_payload};

/// Sets how far an aggregator's issuing account may go below zero. Signed by a majority of the
/// regulators in office. A limit below what is issued stops further issues and takes nothing back.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SetBackingLimit {
    /// The aggregator.
    pub aggregator: PartyId,
    /// The limit, not negative.
    pub limit: MicroCurrency,
}

impl Transaction for SetBackingLimit {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if self.limit.get() < 0 {
            return Err(Malformed::Field("a backing limit is not negative"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        context.require_regulators(state)?;
        state.party_with_role(self.aggregator, Role::Aggregator)?;
        state.write(state_key::backing_limit(&self.aggregator), &self.limit);
        state.emit(Event::BackingLimitSet { aggregator: self.aggregator, limit: self.limit });
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
        let [one, two] = [0, 1].map(|index| network.regulators[index].key.clone());
        let suspended = network.admit("second aggregator", &[Role::Aggregator]);
        network.suspend(suspended.id);
        let body =
            |aggregator, limit| SetBackingLimit { aggregator, limit: MicroCurrency::new(limit) };
        let nobody = PartyId::default();
        network.check(&[
            (by(&[&one], body(nobody, -1)), WRONG_FIELD),
            (
                by(&[&one], body(nobody, 1)),
                breaks(Rejection::QuorumNotReached { signed: 1, wanted: 2 }),
            ),
            (
                by(&[&one, &network.grid.key], body(nobody, 1)),
                breaks(Rejection::QuorumNotReached { signed: 1, wanted: 2 }),
            ),
            (by(&[&one, &two], body(nobody, 1)), breaks(Rejection::PartyUnknown)),
            (by(&[&one, &two], body(network.grid.id, 1)), breaks(Rejection::PartyLacksRole)),
            (by(&[&one, &two], body(suspended.id, 1)), breaks(Rejection::PartyStatusDiffers)),
            (by(&[&two, &one], body(network.aggregator.id, 1)), emits(&["BackingLimitSet"])),
        ]);
        assert_eq!(network.state().backing_limit(network.aggregator.id).get(), 1);
    }
}
