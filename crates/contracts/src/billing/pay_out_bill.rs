//! A bill with a negative total is paid out to the customer.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::BillId;
use primitives::units::MicroCurrency;

use crate::account::posting;
use crate::event::Event;
use crate::execute::Context;
use crate::registry::Role;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Pays the whole of a negative bill from the grid operator's wallet: it owes the export credits.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PayOutBill {
    /// The bill.
    pub bill: BillId,
}

impl Transaction for PayOutBill {
    const SENDERS: &'static [Who] = &[Who::Role(Role::GridOperator)];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let payer = context.party()?;
        let bill = state.bill(self.bill)?;
        if bill.export_payer != payer {
            return Err(Rejection::NotTheBiller);
        }
        if bill.total >= MicroCurrency::ZERO {
            return Err(Rejection::BillNotNegative);
        }
        let mut bill_state = state.bill_state(self.bill)?;
        if bill_state.open == MicroCurrency::ZERO {
            return Err(Rejection::NothingOpen);
        }
        let out_of_range = |_| Rejection::AmountOutOfRange;
        let amount = bill_state.open.checked_neg().map_err(out_of_range)?;
        posting::pay(state, payer, bill.customer, amount)?;
        bill_state.paid = bill_state.paid.checked_sub(amount).map_err(out_of_range)?;
        bill_state.open = MicroCurrency::ZERO;
        state.put_bill_state(self.bill, &bill_state);
        state.emit(Event::BillPaidOut { bill: self.bill, amount });
        Ok(())
    }
}
