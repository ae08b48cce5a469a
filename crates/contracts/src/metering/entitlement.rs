//! Who may hold the values of a usage point on a private ledger.
//!
//! The customer and who bills it, always; each regulator, while a bill over the day is in dispute and
//! as long as that lasts. Everybody reads this from the ledger, so a node that is asked for values knows
//! whether it may give them.

use primitives::calendar::LocalDay;
use primitives::codec;
use primitives::hash::Hash;
use primitives::identifier::{KeyAddress, PartyId, UsagePointId};

use super::{MeterSeal, MeteredDay, SealedBy};
use crate::registry::{Holder, PartyStatus, Role};
use crate::state::State;
use crate::state_key;

/// Days of one look into the state.
const DAYS: usize = 100;

impl MeteredDay {
    /// The meter's own seal of a day on a private ledger, in force or behind a substitute.
    #[must_use]
    pub fn seal_of_meter(&self) -> Option<MeterSeal> {
        let seal = self.seal?;
        match seal.by {
            SealedBy::PrivateMeter => Some(MeterSeal {
                transaction: seal.transaction,
                position: seal.position,
                day_root: seal.day_root,
            }),
            SealedBy::Substitute { meter } => meter,
            SealedBy::Meter | SealedBy::Gateway { .. } | SealedBy::Estimate { .. } => None,
        }
    }

    /// The root that the meter itself sealed.
    #[must_use]
    pub fn root_of_meter(&self) -> Option<Hash> {
        self.seal_of_meter().map(|seal| seal.day_root)
    }
}

impl dyn State + '_ {
    /// May a party hold the values of a usage point's day?
    #[must_use]
    pub fn may_hold_values(
        &self,
        party: PartyId,
        usage_point: UsagePointId,
        day: LocalDay,
    ) -> bool {
        let Ok(point) = self.usage_point(usage_point) else { return false };
        let Ok(record) = self.party(party) else { return false };
        if record.status == PartyStatus::Closed {
            return false;
        }
        let decides = record.holds(Role::Regulator) && record.status == PartyStatus::Active;
        party == point.customer
            || party == point.biller
            || decides && self.is_in_dispute(usage_point, day)
    }

    /// Is the bill over a day in dispute and not decided?
    #[must_use]
    pub fn is_in_dispute(&self, usage_point: UsagePointId, day: LocalDay) -> bool {
        let bill = self.metered_day(usage_point, day).billed;
        let dispute = bill.and_then(|bill| self.dispute(bill));
        dispute.is_some_and(|dispute| dispute.decided.is_none())
    }

    /// The organisation that runs a node, as long as the node's key stands.
    #[must_use]
    pub fn organisation_of(&self, node: &KeyAddress) -> Option<PartyId> {
        let record = self.key_record(node).filter(|record| !record.revoked)?;
        match record.holder {
            Holder::Node(organisation) => Some(organisation),
            Holder::Party(_) | Holder::Meter(_) => None,
        }
    }

    /// The last of some days, both included, that the meter itself sealed on a private ledger.
    #[must_use]
    pub(crate) fn last_day_sealed_by_meter(
        &self,
        usage_point: UsagePointId,
        (from, until): (LocalDay, LocalDay),
    ) -> Option<LocalDay> {
        let (mut after, mut last) = (from.offset(-1).ok(), None);
        loop {
            let days = self.metered_days(usage_point, after, DAYS);
            let mut sealed = days.iter().filter(|(day, metered_day)| {
                *day <= until && metered_day.root_of_meter().is_some()
            });
            last = sealed.next_back().map(|(day, _)| *day).or(last);
            match days.last() {
                Some((day, _)) if days.len() == DAYS && *day < until => after = Some(*day),
                _ => return last,
            }
        }
    }

    /// Up to `limit` days of a usage point behind `after`, rising: those of which anything is known.
    #[must_use]
    pub fn metered_days(
        &self,
        usage_point: UsagePointId,
        after: Option<LocalDay>,
        limit: usize,
    ) -> Vec<(LocalDay, MeteredDay)> {
        let prefix = state_key::metered_days(&usage_point);
        let after = after.map(|day| state_key::metered_day(&usage_point, day));
        self.scan(&prefix, after.as_deref(), limit)
            .into_iter()
            .map(|(key, value)| {
                let day = state_key::day_of_metered_day(&key);
                let value = codec::decode(&value).expect("a day is written by this crate");
                (day.expect("the key ends with a day"), value)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::{DecideDispute, DisputeBill, bill_id};
    use crate::registry::{CloseParty, RemoveRegulator};
    use crate::tests::kit::*;
    use primitives::calendar::BillingPeriod;
    use primitives::units::MicroCurrency;

    #[test]
    fn regulators_may_hold_values_while_a_bill_over_them_is_in_dispute() {
        let mut network = Network::private();
        network.northern_tariff(flat(5_000_000));
        let (day, home) = (network.day(0), network.homes[0].clone());
        network.measure_privately(day, std::slice::from_ref(&home), reading(250, 0));
        network.accept(&network.bill_privately(&home, day));
        let may =
            |network: &Network, party, day| network.state().may_hold_values(party, home.point, day);
        let found = |network: &Network, day| {
            let others = [network.grid.id, network.south.id, network.homes[1].customer.id];
            assert!(others.iter().all(|other| !may(network, *other, day)));
            assert!(may(network, home.customer.id, day) && may(network, network.north.id, day));
            let regulators = network.regulators.iter().map(|it| may(network, it.id, day));
            regulators.collect::<Vec<_>>()
        };
        assert_eq!(found(&network, day), [false; 3]);
        let bill = bill_id(home.point, BillingPeriod::Day { day }, 1);
        let amount = MicroCurrency::new(1_000_000);
        let dispute = DisputeBill { bill, amount, reason_hash: Hash::ZERO };
        network.accept(&by(&[&home.customer.key], dispute));
        assert_eq!(found(&network, day), [true; 3]);
        assert_eq!(found(&network, network.day(1)), [false; 3], "only the bill's days");
        let (first, second) = (network.owner[0].clone(), network.owner[1].clone());
        let party = network.regulators[2].id;
        network.accept(&by(&[&first, &second], RemoveRegulator { party }));
        assert_eq!(found(&network, day), [true, true, false]);
        let regulator = network.regulators[0].key.clone();
        let upheld = MicroCurrency::new(0);
        network.accept(&by(&[&regulator], DecideDispute { bill, upheld }));
        assert_eq!(found(&network, day), [false; 3]);
    }

    #[test]
    fn a_node_speaks_for_its_organisation_until_its_key_is_gone() {
        let mut network = Network::private();
        let (node, north) = (key("node of the north"), network.north.clone());
        let address = node.public().address();
        assert_eq!(network.state().organisation_of(&address), None);
        network.accept(&network.node(&north, &node));
        assert_eq!(network.state().organisation_of(&address), Some(north.id));
        let member = network.homes[0].meter.public().address();
        assert_eq!(network.state().organisation_of(&member), None, "a meter is no node");
        network.accept(&by(&[&north.key], crate::governance::RemoveNode { node: address }));
        assert_eq!(network.state().organisation_of(&address), None);
        // A closed party holds nothing any more.
        let (home, day) = (network.homes[2].clone(), network.day(0));
        let regulator = network.regulators[0].key.clone();
        assert!(network.state().may_hold_values(home.customer.id, home.point, day));
        network.accept(&by(&[&regulator], CloseParty { party: home.customer.id }));
        assert!(!network.state().may_hold_values(home.customer.id, home.point, day));
    }
}
