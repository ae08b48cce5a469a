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
/// its boundaries. What the grid operator owes on the bills of the boundaries themselves is paid out
/// or carried with these bills, so that nothing is paid twice.
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
        let on_bills = state.boundary_claims(payer, self.creditor);
        let owed = balance.checked_add(on_bills).map_err(|_| Rejection::AmountOutOfRange)?;
        let owed_micro = owed.min(MicroCurrency::ZERO).get().unsigned_abs();
        if self.amount.get().unsigned_abs() > owed_micro {
            return Err(Rejection::MoreThanOwed { owed_micro });
        }
        posting::pay(state, payer, self.creditor, self.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::billing::{CarryBill, PayOutBill};

    #[test]
    fn what_stands_on_a_boundarys_bill_is_paid_once() {
        let mut network = Network::new();
        let (grid, north) = (network.grid.clone(), network.north.clone());
        network.fund(&grid, 1_000_000_000);
        network.fund(&north, 1_000_000_000);
        network.northern_tariff(flat(5_000_000));
        network.boundary_tariff(flat(4_000_000));
        // The boundary injects 24 kWh at 4: 96 are owed on its bill, and nothing beside it.
        let first = network.bill_boundary(network.day(0), reading(0, 250));
        let pay = |micro| {
            let amount = MicroCurrency::new(micro);
            by(&[&grid.key], PayDues { creditor: north.id, amount })
        };
        let dues = |network: &Network| network.balance(Account::dues(north.id, grid.id));
        let none = breaks(Rejection::MoreThanOwed { owed_micro: 0 });
        assert_eq!(dues(&network), 96_000_000);
        network.check(&[
            (pay(1), none.clone()),
            (
                by(&[&grid.key], PayOutBill { bill: first }),
                emits(&["Posted", "Posted", "BillPaidOut"]),
            ),
            (pay(1), none.clone()),
        ]);
        assert_eq!(dues(&network), 0);
        // Carried instead, it waits as credit of the boundary and pays its next bill.
        let second = network.bill_boundary(network.day(1), reading(0, 250));
        let carry = by(&[&north.key], CarryBill { bill: second });
        network.check(&[(carry, emits(&["BillCarried", "CreditChanged"])), (pay(1), none.clone())]);
        network.bill_boundary(network.day(2), reading(250, 0));
        assert_eq!((dues(&network), network.open(&network.boundary)), (0, 0));
        // Credits of households that the distributor collected are paid here, less what it owes.
        let (home, day) = (network.homes[0].clone(), network.day(3));
        network.measure_day(day, std::slice::from_ref(&home), reading(250, 250));
        network.accept(&network.bill(&[&home], day));
        let day = network.day(4);
        network.bill_boundary(day, reading(125, 0));
        let boundary = network.boundary.clone();
        network.check(&[
            (pay(72_000_001), breaks(Rejection::MoreThanOwed { owed_micro: 72_000_000 })),
            // What the distributor pays too much on the boundary's bill is credit there.
            (
                network.pay(&boundary, 50_000_000),
                emits(&["Posted", "Posted", "BillPaid", "CreditChanged"]),
            ),
            (pay(120_000_001), breaks(Rejection::MoreThanOwed { owed_micro: 120_000_000 })),
            (pay(120_000_000), emits(&["Posted", "Posted"])),
            (pay(1), none),
        ]);
        assert_eq!(dues(&network), 2_000_000, "the credit");
        assert_eq!(network.state().boundary_claims(grid.id, north.id).get(), 2_000_000);
        network.assert_books();
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let home = network.homes[0].clone();
        network.northern_tariff(flat(5_000_000));
        let day = network.day(0);
        // 24 kWh at 5 either way: 120 stand open between grid operator and distributor.
        network.measure_day(day, std::slice::from_ref(&home), reading(250, 250));
        network.accept(&network.bill(&[&home], day));
        let grid = network.grid.clone();
        let pay = |creditor, micro| {
            by(&[&grid.key], PayDues { creditor, amount: MicroCurrency::new(micro) })
        };
        let owed_micro = 120_000_000;
        let cases = [
            (pay(PartyId::default(), 0), WRONG_FIELD),
            (pay(PartyId::default(), 120_000_001), breaks(Rejection::PartyUnknown)),
            (pay(home.customer.id, 120_000_001), breaks(Rejection::PartyLacksRole)),
            (pay(network.south.id, 1), breaks(Rejection::MoreThanOwed { owed_micro: 0 })),
            (pay(network.north.id, 120_000_001), breaks(Rejection::MoreThanOwed { owed_micro })),
            (
                pay(network.north.id, 120_000_000),
                breaks(Rejection::InsufficientFunds { balance_micro: 0 }),
            ),
        ];
        network.check(&cases);
        network.fund(&grid, 200_000_000);
        let north = network.north.id;
        network.check(&[
            (pay(north, 20_000_000), emits(&["Posted", "Posted"])),
            (pay(north, 100_000_000), emits(&["Posted", "Posted"])),
            (pay(north, 1), breaks(Rejection::MoreThanOwed { owed_micro: 0 })),
        ]);
        network.assert_books();
    }
}
