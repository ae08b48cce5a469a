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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

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
