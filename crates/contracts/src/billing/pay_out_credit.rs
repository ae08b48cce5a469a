//! Credit of a usage point is paid out to its customer.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::UsagePointId;
use primitives::units::MicroCurrency;

use super::settling::put_credit;
use crate::account::{posting, require_positive};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Pays credit of a usage point from the wallet of who bills it: what was paid too much, carried or
/// decided for the customer, instead of leaving it to the next bills. The rest stays as credit.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PayOutCredit {
    /// The usage point whose credit falls.
    pub usage_point: UsagePointId,
    /// The amount, positive, at most the credit.
    pub amount: MicroCurrency,
}

impl Transaction for PayOutCredit {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];
    const WHEN_SUSPENDED: bool = true;

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        require_positive(self.amount)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let payer = context.party()?;
        let usage_point = state.usage_point(self.usage_point)?;
        if usage_point.biller != payer {
            return Err(Rejection::NotTheBiller);
        }
        let credit = state.billing_account(self.usage_point).credit;
        if self.amount > credit {
            return Err(Rejection::MoreThanOwed { owed_micro: credit.get().unsigned_abs() });
        }
        let left = credit.checked_sub(self.amount).map_err(|_| Rejection::AmountOutOfRange)?;
        posting::pay(state, payer, usage_point.customer, self.amount)?;
        let Self { usage_point, amount } = *self;
        state.emit(Event::CreditPaidOut { usage_point, amount });
        put_credit(state, usage_point, left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::account::Account;
    use crate::billing::PayDues;

    fn pay_out(sender: &Member, home: &Home, micro: i64) -> Draft {
        let amount = MicroCurrency::new(micro);
        by(&[&sender.key], PayOutCredit { usage_point: home.point, amount })
    }

    fn credit(network: &Network, home: &Home) -> i64 {
        network.state().billing_account(home.point).credit.get()
    }

    /// A household that paid 200 for a bill of 120.
    fn stage() -> Network {
        let mut network = Network::new();
        let home = network.homes[0].clone();
        network.northern_tariff(flat(5_000_000));
        network.fund(&home.customer, 200_000_000);
        network.measure_day(network.day(0), std::slice::from_ref(&home), reading(250, 0));
        network.accept(&network.bill(&[&home], network.day(0)));
        network.accept(&network.pay(&home, 200_000_000));
        network
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = stage();
        let (home, other) = (network.homes[0].clone(), network.homes[1].clone());
        let (north, south) = (network.north.clone(), network.south.clone());
        network.accept(&by(
            &[&north.key, &network.aggregator.key],
            crate::account::RedeemTokens {
                aggregator: network.aggregator.id,
                reference: "all but 50".parse().unwrap(),
                coin_amount: MicroCurrency::new(75_000_000),
                tokens: MicroCurrency::new(150_000_000),
            },
        ));
        let mut nowhere = home.clone();
        nowhere.point = UsagePointId::default();
        let owed_micro = 80_000_000;
        network.check(&[
            (pay_out(&south, &nowhere, 0), WRONG_FIELD),
            (pay_out(&south, &nowhere, -1), WRONG_FIELD),
            (pay_out(&south, &nowhere, 80_000_001), breaks(Rejection::UsagePointUnknown)),
            (pay_out(&south, &home, 80_000_001), breaks(Rejection::NotTheBiller)),
            (pay_out(&network.grid, &home, 80_000_001), breaks(Rejection::NotTheBiller)),
            (pay_out(&north, &other, 1), breaks(Rejection::MoreThanOwed { owed_micro: 0 })),
            (pay_out(&north, &home, 80_000_001), breaks(Rejection::MoreThanOwed { owed_micro })),
            (
                pay_out(&north, &home, 80_000_000),
                breaks(Rejection::InsufficientFunds { balance_micro: 50_000_000 }),
            ),
            (
                pay_out(&north, &home, 30_000_000),
                emits(&["Posted", "Posted", "CreditPaidOut", "CreditChanged"]),
            ),
            (
                pay_out(&north, &home, 50_000_001),
                breaks(Rejection::MoreThanOwed { owed_micro: 50_000_000 }),
            ),
        ]);
        assert_eq!(network.balance(Account::wallet(home.customer.id)), 30_000_000);
        assert_eq!(network.balance(Account::dues(home.customer.id, north.id)), 50_000_000);
        network.assert_books();
    }

    #[test]
    fn what_is_left_pays_the_next_bill() {
        let mut network = stage();
        let (home, north) = (network.homes[0].clone(), network.north.clone());
        network.accept(&pay_out(&north, &home, 60_000_000));
        assert_eq!(credit(&network, &home), 20_000_000);
        network.measure_day(network.day(1), std::slice::from_ref(&home), reading(250, 0));
        network.accept(&network.bill(&[&home], network.day(1)));
        assert_eq!((credit(&network, &home), network.open(&home)), (0, 100_000_000));
        let dues = network.balance(Account::dues(home.customer.id, north.id));
        assert_eq!(dues, -100_000_000);
        network.check(&[(
            pay_out(&north, &home, 1),
            breaks(Rejection::MoreThanOwed { owed_micro: 0 }),
        )]);
        network.assert_books();
    }

    #[test]
    fn credit_of_a_boundary_is_paid_by_the_grid_operator_once() {
        let mut network = Network::new();
        let (grid, north) = (network.grid.clone(), network.north.clone());
        let boundary = network.boundary.clone();
        network.fund(&grid, 1_000_000_000);
        network.fund(&north, 1_000_000_000);
        network.boundary_tariff(flat(4_000_000));
        // 24 kWh at 4 are 96; what is paid beyond that is credit.
        network.bill_boundary(network.day(0), reading(250, 0));
        network.accept(&network.pay(&boundary, 100_000_000));
        let standing = |network: &Network| {
            let claims = network.state().boundary_claims(grid.id, north.id).get();
            (credit(network, &boundary), claims, network.balance(Account::dues(north.id, grid.id)))
        };
        assert_eq!(standing(&network), (4_000_000, 4_000_000, 4_000_000));
        let dues = |micro| {
            let amount = MicroCurrency::new(micro);
            by(&[&grid.key], PayDues { creditor: north.id, amount })
        };
        let nothing = breaks(Rejection::MoreThanOwed { owed_micro: 0 });
        network.check(&[
            (dues(1), nothing.clone()),
            (pay_out(&north, &boundary, 1), breaks(Rejection::NotTheBiller)),
            (
                pay_out(&grid, &boundary, 3_000_000),
                emits(&["Posted", "Posted", "CreditPaidOut", "CreditChanged"]),
            ),
            (dues(1), nothing.clone()),
        ]);
        assert_eq!(standing(&network), (1_000_000, 1_000_000, 1_000_000));
        network.check(&[
            (
                pay_out(&grid, &boundary, 1_000_000),
                emits(&["Posted", "Posted", "CreditPaidOut", "CreditChanged"]),
            ),
            (pay_out(&grid, &boundary, 1), nothing.clone()),
            (dues(1), nothing),
        ]);
        assert_eq!(standing(&network), (0, 0, 0));
        network.assert_books();
    }
}
