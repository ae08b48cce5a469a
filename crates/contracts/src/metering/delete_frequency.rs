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
