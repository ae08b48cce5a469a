//! What is owed for a negative bill is carried to the next bills.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::BillId;

use super::settling::{add_credit, owed_to_customer, settle_negative};
use crate::account::posting;
use crate::event::Event;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Turns what a customer is owed for a negative bill into credit of the usage point, which pays its
/// open and coming bills; instead of a payout. The collecting distributor steps in: it owes the
/// customer, and the grid operator owes it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CarryBill {
    /// The bill.
    pub bill: BillId,
}

impl Transaction for CarryBill {
    const SENDERS: &'static [Who] = &[Who::AnyParty];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let sender = context.party()?;
        let bill = state.bill(self.bill)?;
        if sender != bill.customer && sender != bill.biller {
            return Err(Rejection::NotTheCustomer);
        }
        let amount = owed_to_customer(state, &bill)?;
        if bill.export_payer != bill.biller {
            let sides = (bill.export_payer, bill.customer);
            posting::interpose(state, sides, bill.biller, amount)?;
        }
        settle_negative(context, state, &bill)?;
        state.emit(Event::BillCarried { bill: self.bill, amount });
        add_credit(context, state, bill.usage_point, amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::account::Account;
    use crate::billing::{PayOutBill, bill_id};
    use primitives::calendar::BillingPeriod;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (buyer, seller) = (network.homes[0].clone(), network.homes[1].clone());
        let (north, south) = (network.north.clone(), network.south.clone());
        network.northern_tariff(flat(5_000_000));
        let day = network.day(0);
        network.measure_day(day, std::slice::from_ref(&buyer), reading(250, 0));
        network.accept(&network.seal(&seller, day, &network.even_day(day, reading(0, 250))));
        network.accept(&network.bill(&[&buyer, &seller], day));
        let bill = |home: &Home| bill_id(home.point, BillingPeriod::Day { day }, 1);
        let carry = |bill| by(&[&north.key], CarryBill { bill });
        let pay_out = by(&[&network.grid.key], PayOutBill { bill: bill(&seller) });
        network.check(&[
            (carry(BillId::default()), breaks(Rejection::BillUnknown)),
            (carry(bill(&buyer)).sent_by(&south.key), breaks(Rejection::NotTheCustomer)),
            (carry(bill(&buyer)), breaks(Rejection::BillNotNegative)),
            (
                carry(bill(&seller)),
                emits(&["Posted", "Posted", "Posted", "BillCarried", "CreditChanged"]),
            ),
            (carry(bill(&seller)).sent_by(&seller.customer.key), breaks(Rejection::NothingOpen)),
            (pay_out, breaks(Rejection::NothingOpen)),
        ]);
        assert_eq!(network.balance(Account::dues(north.id, network.grid.id)), 120_000_000);
        assert_eq!(network.balance(Account::dues(seller.customer.id, north.id)), 120_000_000);
        network.assert_books();
    }

    #[test]
    fn what_is_carried_pays_open_and_coming_bills() {
        let mut network = Network::new();
        let home = network.homes[0].clone();
        network.northern_tariff(flat(5_000_000));
        // 24 kWh drawn, 48 sold, 6 drawn: 120, −240, 30.
        let days = [(250, 0), (0, 500), (62, 0)].map(|(import, export)| reading(import, export));
        for (number, value) in (0..).zip(days) {
            let day = network.day(number);
            network.measure_day(day, std::slice::from_ref(&home), value);
            network.accept(&network.bill(&[&home], day));
            if number == 1 {
                let bill = bill_id(home.point, BillingPeriod::Day { day }, 1);
                network.accept(&by(&[&home.customer.key], CarryBill { bill }));
                assert_eq!(network.open(&home), 0);
                let credit = network.state().billing_account(home.point).credit;
                assert_eq!(credit.get(), 120_000_000);
            }
        }
        assert_eq!(network.open(&home), 0);
        let credit = network.state().billing_account(home.point).credit.get();
        assert_eq!(credit, 120_000_000 - 29_760_000);
        network.assert_books();
    }
}
