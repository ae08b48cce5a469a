//! A household, or who bills it with a regulator's order, has values of a private ledger erased.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalDay;
use primitives::identifier::UsagePointId;

use super::{Erasure, MAX_ERASURES, MeteredDay};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::{Privacy, Rules};
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who, no_payload};

/// Days of one erasure: a year and a month.
pub const MAX_ERASED_DAYS: u32 = 397;

/// Has the values of a usage point's days erased on every node that holds them.
///
/// The customer may ask for it alone once the days are billed; before, and for the biller, a regulator
/// cosigns. While a bill over a day is in dispute its values are kept. What was ordered before the
/// erasure is erased, also where it would still arrive; seals, roots and bills stay, and this record. A
/// file that somebody exported before still proves the bill.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ErasePayloads {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The first local day.
    pub first_day: LocalDay,
    /// The last local day.
    pub last_day: LocalDay,
}

impl Transaction for ErasePayloads {
    const SENDERS: &'static [Who] = &[Who::AnyParty];
    const WHEN_SUSPENDED: bool = true;
    const PRIVACY: Option<Privacy> = Some(Privacy::Private);

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        let days = i64::from(self.last_day.get()) - i64::from(self.first_day.get()) + 1;
        if (1..=i64::from(MAX_ERASED_DAYS)).contains(&days) {
            Ok(())
        } else {
            Err(Malformed::Field("days rise, and one erasure is about 397 of them at most"))
        }
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let usage_point = state.usage_point(self.usage_point)?;
        let by = context.party()?;
        if by != usage_point.customer && by != usage_point.biller {
            return Err(Rejection::NotTheCustomer);
        }
        let ordered = context.signed_by_role(state, Role::Regulator);
        if by != usage_point.customer && !ordered {
            return Err(Rejection::CosignatureMissing);
        }
        let erasures = state.erasures(self.usage_point);
        let mut is_new = false;
        for number in self.first_day.get()..=self.last_day.get() {
            let day = LocalDay::new(number).expect("between two days");
            let metered_day = state.metered_day(self.usage_point, day);
            let Some(seal) = metered_day.seal else { continue };
            self.require_erasable(state, day, &metered_day, ordered)?;
            is_new |= !erasures.iter().any(|it| it.covers(day, seal.position));
        }
        if !is_new && !erasures.is_empty() {
            state.emit(Event::AlreadyRecorded {});
            return Ok(());
        }
        if erasures.len() >= MAX_ERASURES {
            return Err(Rejection::TooManyErasures { bound: MAX_ERASURES as u64 });
        }
        let Self { usage_point, first_day, last_day } = *self;
        let (at, position) = (context.time, context.position);
        let erasure = Erasure { first_day, last_day, by, at, position };
        state.write(state_key::erasure(&usage_point, (first_day, last_day)), &erasure);
        state.emit(Event::PayloadsErased { usage_point, first_day, last_day, by });
        Ok(())
    }
}

impl ErasePayloads {
    fn require_erasable(
        &self,
        state: &dyn State,
        day: LocalDay,
        metered_day: &MeteredDay,
        ordered: bool,
    ) -> Result<(), Rejection> {
        let number = u64::from(day.get().unsigned_abs());
        if state.is_in_dispute(self.usage_point, day) {
            return Err(Rejection::DayInDispute { day: number });
        }
        // Rule: the biller keeps what it needs until it has billed, unless a regulator orders it.
        if metered_day.billed.is_none() && !ordered {
            return Err(Rejection::DayNotBilled { day: number });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::{DisputeBill, bill_id};
    use crate::state::Position;
    use crate::tests::kit::*;
    use primitives::calendar::BillingPeriod;
    use primitives::hash::Hash;
    use primitives::identifier::PartyId;
    use primitives::units::{MicroCurrency, Timestamp};

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::private();
        network.northern_tariff(flat(5_000_000));
        let (day, home) = (network.day(0), network.homes[0].clone());
        network.measure_privately(day, std::slice::from_ref(&home), reading(250, 0));
        let (customer, north) = (home.customer.key.clone(), network.north.key.clone());
        let (regulator, south) = (network.regulators[0].key.clone(), network.south.key.clone());
        let erase = |signers: &[&SigningKey], usage_point, last_day| {
            by(signers, ErasePayloads { usage_point, first_day: day, last_day })
        };
        let number = u64::from(day.get().unsigned_abs());
        let unknown = UsagePointId::default();
        let (before, too_late) = (day.offset(-1).unwrap(), day.offset(397).unwrap());
        network.check(&[
            (erase(&[&customer], unknown, before), WRONG_FIELD),
            (erase(&[&customer], unknown, too_late), WRONG_FIELD),
            (erase(&[&customer], unknown, day), breaks(Rejection::UsagePointUnknown)),
            (erase(&[&south], home.point, day), breaks(Rejection::NotTheCustomer)),
            (erase(&[&north], home.point, day), breaks(Rejection::CosignatureMissing)),
            (erase(&[&customer], home.point, day), breaks(Rejection::DayNotBilled { day: number })),
        ]);
        let mut ordered = network.clone();
        let order = erase(&[&north, &regulator], home.point, day);
        ordered.check(&[(order.clone(), emits(&["PayloadsErased"])), (order, KNOWN)]);
        network.accept(&network.bill_privately(&home, day));
        let bill = bill_id(home.point, BillingPeriod::Day { day }, 1);
        let mut disputed = network.clone();
        let amount = MicroCurrency::new(1);
        disputed.accept(&by(&[&customer], DisputeBill { bill, amount, reason_hash: Hash::ZERO }));
        disputed.check(&[(
            erase(&[&customer], home.point, day),
            breaks(Rejection::DayInDispute { day: number }),
        )]);
        network.check(&[
            (erase(&[&customer], home.point, day), emits(&["PayloadsErased"])),
            (erase(&[&customer], home.point, day), KNOWN),
        ]);
        let sealed = network.state().metered_day(home.point, day).seal.unwrap();
        assert!(network.state().is_erased(home.point, day, sealed.position));
        assert!(!network.state().is_erased(home.point, network.day(1), sealed.position));
        // The bill stands, and what is sealed afterwards has values again.
        assert!(network.state().bill(bill).is_ok());
        network.accept(&network.substitute(&home, day, 3));
        let sealed = network.state().metered_day(home.point, day).seal.unwrap();
        assert!(!network.state().is_erased(home.point, day, sealed.position));
    }

    #[test]
    fn a_usage_point_has_so_many_erasures_and_no_more() {
        let mut network = Network::private();
        let (day, home) = (network.day(0), network.homes[0].clone());
        network.measure_privately(day, std::slice::from_ref(&home), reading(250, 0));
        for number in 0..MAX_ERASURES {
            let first_day = day.offset(-10 - i32::try_from(number).unwrap()).unwrap();
            let erasure = Erasure {
                first_day,
                last_day: first_day,
                by: PartyId::default(),
                at: Timestamp::ZERO,
                position: Position { height: 1, index: 0 },
            };
            let key = state_key::erasure(&home.point, (first_day, first_day));
            network.state.entries.insert(key, primitives::codec::encode(&erasure));
        }
        let body = ErasePayloads { usage_point: home.point, first_day: day, last_day: day };
        let regulator = network.regulators[0].key.clone();
        network.check(&[(
            by(&[&home.customer.key, &regulator], body),
            breaks(Rejection::TooManyErasures { bound: MAX_ERASURES as u64 }),
        )]);
    }
}
