//! A tariff is amended for the past, with a regulator's consent.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::identifier::TariffId;

use super::{TariffTerms, put_version};
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Puts other terms in force from a period on that has begun, until the next version begins.
///
/// A regulator cosigns, since it changes what was promised. Bills that name the former version keep
/// it and are stale: they may be issued anew.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AmendTariff {
    /// The tariff.
    pub tariff: TariffId,
    /// The first period that is amended, not before the tariff's first one.
    pub first_period: SettlementPeriod,
    /// The terms from then on.
    pub terms: TariffTerms,
}

impl Transaction for AmendTariff {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];

    fn check(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        self.terms.check()?;
        self.terms.check_slots(rules.genesis().slot_minutes)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let publisher = context.party()?;
        let tariff = state.tariff(self.tariff)?;
        if tariff.publisher != publisher {
            return Err(Rejection::NotThePublisher);
        }
        if !context.signed_by_role(state, Role::Regulator) {
            return Err(Rejection::QuorumNotReached { signed: 0, wanted: 1 });
        }
        // Rule: what has not begun needs no amendment; it is published in order.
        if self.first_period > context.period {
            return Err(Rejection::TariffVersionsOutOfOrder);
        }
        if tariff.version_in(self.first_period).is_none() {
            return Err(Rejection::TariffMissing { period: u64::from(self.first_period.get()) });
        }
        put_version(context, state, (self.tariff, tariff), self.first_period, self.terms.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (north, south) = (network.north.clone(), network.south.clone());
        let regulator = network.regulators[0].key.clone();
        let tariff = network.northern_tariff(flat(5_000_000));
        let (first, before) = (network.next(), network.now());
        network.end_day(network.day(0));
        let amend =
            |tariff, first_period, price| AmendTariff { tariff, first_period, terms: flat(price) };
        let later = network.next();
        let by_both = |body| by(&[&north.key, &regulator], body);
        network.check(&[
            (by(&[&south.key], amend(TariffId::default(), later, -1)), WRONG_FIELD),
            (
                by(&[&south.key], amend(TariffId::default(), later, 1)),
                breaks(Rejection::TariffUnknown),
            ),
            (by(&[&south.key], amend(tariff, later, 1)), breaks(Rejection::NotThePublisher)),
            (
                by(&[&north.key], amend(tariff, later, 1)),
                breaks(Rejection::QuorumNotReached { signed: 0, wanted: 1 }),
            ),
            (by_both(amend(tariff, later, 1)), breaks(Rejection::TariffVersionsOutOfOrder)),
            (
                by_both(amend(tariff, before, 1)),
                breaks(Rejection::TariffMissing { period: u64::from(before.get()) }),
            ),
            (by_both(amend(tariff, first, 6_000_000)), emits(&["TariffPublished"])),
        ]);
    }

    #[test]
    fn an_amendment_holds_until_the_next_version_begins() {
        let mut network = Network::new();
        let (north, regulator) = (network.north.clone(), network.regulators[0].key.clone());
        let tariff = network.northern_tariff(flat(1));
        let first = network.next();
        let second = first.offset(50).unwrap();
        let publish = crate::tariff::PublishTariff {
            tariff: Some(tariff),
            name: "rate".parse().unwrap(),
            first_period: second,
            terms: flat(2),
        };
        network.accept(&by(&[&north.key], publish));
        network.end_day(network.day(0));
        let third = first.offset(20).unwrap();
        for (first_period, price) in [(third, 3), (third, 4), (second, 5)] {
            let body = AmendTariff { tariff, first_period, terms: flat(price) };
            network.accept(&by(&[&north.key, &regulator], body));
        }
        let held = network.state().tariff(tariff).unwrap();
        let version = |slot: u32| held.version_in(first.offset(slot).unwrap());
        assert_eq!([0, 19, 20, 49, 50].map(version), [1, 1, 4, 4, 5].map(Some));
        assert_eq!(network.state().tariff_version(tariff, 3).unwrap().terms, flat(3));
    }
}
