//! The grid operator pays a distributor the export credits that it collected.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::PartyId;
use primitives::units::MicroCurrency;

use crate::account::{Account, posting, require_positive};
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Pays what stands open between the grid operator and a distributor outside of bills: the export
/// credits of households whose claims passed to the distributor, less what the distributor owes for
/// its boundaries.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PayDues {
    /// The distributor.
    pub creditor: PartyId,
    /// The amount, positive, at most what is owed.
    pub amount: MicroCurrency,
}

impl Transaction for PayDues {
    const SENDERS: &'static [Who] = &[Who::Role(Role::GridOperator)];
    const WHEN_SUSPENDED: bool = true;

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        require_positive(self.amount)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let payer = context.party()?;
        let creditor = state.party(self.creditor)?;
        if !creditor.holds(Role::Distributor) {
            return Err(Rejection::PartyLacksRole);
        }
        let balance = state.balance(&Account::dues(payer, self.creditor));
        let owed = balance.min(MicroCurrency::ZERO).get().unsigned_abs();
        if self.amount.get().unsigned_abs() > owed {
            return Err(Rejection::MoreThanOwed { owed_micro: owed });
        }
        posting::pay(state, payer, self.creditor, self.amount)
    }
}
