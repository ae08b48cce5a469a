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
