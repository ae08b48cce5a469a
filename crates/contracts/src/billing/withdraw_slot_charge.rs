//! The charge of a slot is withdrawn.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::identifier::UsagePointId;

use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Privacy;
use crate::registry::Role;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Withdraws the charge of one slot (EB's deletion of a per-slot bill). Since a charge posts
/// nothing, no money moves; that it was made and withdrawn stays in the history.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct WithdrawSlotCharge {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The period.
    pub period: SettlementPeriod,
}

impl Transaction for WithdrawSlotCharge {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];
    const PRIVACY: Option<Privacy> = Some(Privacy::Open);

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        if state.usage_point(self.usage_point)?.biller != context.party()? {
            return Err(Rejection::NotTheBiller);
        }
        let (day, slot) = context.rules.slot_of(self.period)?;
        let mut metered_day = state.metered_day(self.usage_point, day);
        if !metered_day.charged.contains(slot) {
            return Err(Rejection::SlotNotCharged { period: u64::from(self.period.get()) });
        }
        metered_day.charged.set(slot, false);
        state.put_metered_day(self.usage_point, day, &metered_day);
        state.emit(Event::SlotChargeWithdrawn {
            usage_point: self.usage_point,
            period: self.period,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::billing::{ChargeSlots, ChargeTarget};

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (north, south) = (network.north.clone(), network.south.clone());
        network.northern_tariff(curve());
        let day = network.day(0);
        let home = network.homes[0].clone();
        network.measure_day(day, std::slice::from_ref(&home), reading(250, 0));
        let (first, beyond) = (network.period(day, 0), SettlementPeriod::new(u32::MAX));
        let number = u64::from(first.get());
        let withdraw =
            |usage_point, period| by(&[&north.key], WithdrawSlotCharge { usage_point, period });
        let target = ChargeTarget::UsagePoint(home.point);
        let charge = by(&[&north.key], ChargeSlots { target, first_period: first, count: 1 });
        network.check(&[
            (withdraw(UsagePointId::default(), beyond), breaks(Rejection::UsagePointUnknown)),
            (withdraw(home.point, beyond).sent_by(&south.key), breaks(Rejection::NotTheBiller)),
            (
                withdraw(home.point, beyond),
                breaks(Rejection::PeriodNotEnded { period: u64::from(u32::MAX) }),
            ),
            (withdraw(home.point, first), breaks(Rejection::SlotNotCharged { period: number })),
            (charge.clone(), emits(&["SlotsCharged"])),
            (withdraw(home.point, first), emits(&["SlotChargeWithdrawn"])),
            (withdraw(home.point, first), breaks(Rejection::SlotNotCharged { period: number })),
            (charge, emits(&["SlotsCharged"])),
        ]);
    }
}
