//! A bill with a negative total is paid out to the customer.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::BillId;

use super::settling::{owed_to_customer, settle_negative};
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
        let amount = owed_to_customer(state, &bill)?;
        posting::pay(state, payer, bill.customer, amount)?;
        settle_negative(context, state, &bill)?;
        state.emit(Event::BillPaidOut { bill: self.bill, amount });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::billing::bill_id;
    use primitives::calendar::BillingPeriod;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (buyer, seller) = (network.homes[0].clone(), network.homes[1].clone());
        network.northern_tariff(flat(5_000_000));
        let day = network.day(0);
        network.measure_day(day, std::slice::from_ref(&buyer), reading(250, 0));
        network.accept(&network.seal(&seller, day, &network.even_day(day, reading(0, 250))));
        network.accept(&network.bill(&[&buyer, &seller], day));
        let other_grid = network.admit("second grid operator", &[Role::GridOperator]);
        let grid = network.grid.clone();
        let bill = |home: &Home| bill_id(home.point, BillingPeriod::Day { day }, 1);
        let pay_out = |bill| by(&[&grid.key], PayOutBill { bill });
        network.check(&[
            (pay_out(BillId::default()), breaks(Rejection::BillUnknown)),
            (pay_out(bill(&buyer)).sent_by(&other_grid.key), breaks(Rejection::NotTheBiller)),
            (pay_out(bill(&buyer)), breaks(Rejection::BillNotNegative)),
            (pay_out(bill(&seller)), breaks(Rejection::InsufficientFunds { balance_micro: 0 })),
        ]);
        network.fund(&grid, 200_000_000);
        network.check(&[
            (pay_out(bill(&seller)), emits(&["Posted", "Posted", "BillPaidOut"])),
            (pay_out(bill(&seller)), breaks(Rejection::NothingOpen)),
        ]);
        network.assert_books();
    }
}
