//! A customer pays what is open under a usage point, or part of it.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::UsagePointId;
use primitives::units::MicroCurrency;

use super::settling::{pay_open_bills, put_credit};
use crate::account::{posting, require_positive};
use crate::execute::Context;
use crate::genesis::Rules;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Pays any part at any time: the oldest open bill first, inside a bill fine, tax, arrears and current
/// charges, and nothing of what is in dispute; what is left over stays as credit of the usage point and
/// is used up by its next bill.
///
/// BX's fixed point: 500 kWh at 5 are 2500; pay 2000 and 500 is open at once; pay 500 and it is 0.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PayBill {
    /// The usage point whose bills are paid.
    pub usage_point: UsagePointId,
    /// The amount, positive.
    pub amount: MicroCurrency,
}

impl Transaction for PayBill {
    const SENDERS: &'static [Who] = &[Who::AnyParty];
    const WHEN_SUSPENDED: bool = true;

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        require_positive(self.amount)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let payer = context.party()?;
        let usage_point = state.usage_point(self.usage_point)?;
        if usage_point.customer != payer {
            return Err(Rejection::NotTheCustomer);
        }
        if state.open_bills(self.usage_point, 0, 1).is_empty() {
            return Err(Rejection::NothingOpen);
        }
        posting::pay(state, payer, usage_point.biller, self.amount)?;
        let left = pay_open_bills(context, state, self.usage_point, self.amount)?;
        let out_of_range = |_| Rejection::AmountOutOfRange;
        let mut account = state.billing_account(self.usage_point);
        account.payments = account.payments.checked_add(self.amount).map_err(out_of_range)?;
        let credit = account.credit.checked_add(left).map_err(out_of_range)?;
        state.put_billing_account(self.usage_point, &account)?;
        if left > MicroCurrency::ZERO {
            put_credit(state, self.usage_point, credit)?;
        }
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
        let (home, other) = (network.homes[0].clone(), network.homes[1].clone());
        network.northern_tariff(flat(5_000_000));
        network.fund(&home.customer, 3_000_000_000);
        let day = network.day(0);
        network.measure_day(day, std::slice::from_ref(&home), reading(6_250, 0));
        let mut nowhere = home.clone();
        nowhere.point = UsagePointId::default();
        let bill = network.bill(&[&home], day);
        let pay = |network: &Network, micro| network.pay(&home, micro);
        network.check(&[
            (network.pay(&nowhere, 0), WRONG_FIELD),
            (network.pay(&nowhere, -1), WRONG_FIELD),
            (
                network.pay(&nowhere, 9_000_000_000).sent_by(&other.customer.key),
                breaks(Rejection::UsagePointUnknown),
            ),
            (
                pay(&network, 9_000_000_000).sent_by(&other.customer.key),
                breaks(Rejection::NotTheCustomer),
            ),
            (pay(&network, 9_000_000_000), breaks(Rejection::NothingOpen)),
            (bill, emits(&["Posted", "BillIssued"])),
            (
                pay(&network, 9_000_000_000),
                breaks(Rejection::InsufficientFunds { balance_micro: 3_000_000_000 }),
            ),
            (pay(&network, 1_000_000), emits(&["Posted", "Posted", "BillPaid"])),
            (pay(&network, 2_999_000_000), emits(&["Posted", "Posted", "BillPaid"])),
            (pay(&network, 1), breaks(Rejection::NothingOpen)),
        ]);
        network.assert_books();
    }
}
