//! A distributor or the grid operator publishes a tariff, or a further version of one.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::codec::{Bounded, Text};
use primitives::identifier::TariffId;

use super::{Tariff, TariffTerms, put_version};
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Publishes the first version of a tariff (`tariff` is `None`; its id is the beginning of this
/// transaction's id) or a further one. A version acts from its first period on, which must not have
/// begun; a former version stays for the periods before.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PublishTariff {
    /// The tariff that gets a further version; `None` makes a new one.
    pub tariff: Option<TariffId>,
    /// Its name for people; only the first version's counts.
    pub name: Text<64>,
    /// The first period it holds in.
    pub first_period: SettlementPeriod,
    /// Its terms.
    pub terms: TariffTerms,
}

impl Transaction for PublishTariff {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];

    fn check(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        self.terms.check()?;
        self.terms.check_slots(rules.genesis().slot_minutes)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let publisher = context.party()?;
        if self.first_period <= context.period {
            return Err(Rejection::TariffStartsInThePast {
                period: u64::from(self.first_period.get()),
            });
        }
        let (id, tariff) = match self.tariff {
            Some(id) => (id, state.tariff(id)?),
            None => (
                TariffId::from_transaction(&context.transaction),
                Tariff { name: self.name.clone(), publisher, versions: Bounded::default() },
            ),
        };
        if tariff.publisher != publisher {
            return Err(Rejection::NotThePublisher);
        }
        if tariff.versions.last().is_some_and(|last| last.first_period >= self.first_period) {
            return Err(Rejection::TariffVersionsOutOfOrder);
        }
        put_version(context, state, (id, tariff), self.first_period, self.terms.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::units::MicroCurrency;

    use crate::tariff::time_of_use::TimeWindow;
    use crate::tariff::{ExportRule, FixedCharge, PriceRule, Slabs, Tax, TimeOfUse};
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (north, south) = (network.north.clone(), network.south.clone());
        let known = network.northern_tariff(flat(5_000_000));
        let (now, first) = (network.now(), network.next());
        let later = first.offset(1).unwrap();
        let version = |tariff, first_period, price| PublishTariff {
            tariff,
            name: "rate".parse().unwrap(),
            first_period,
            terms: flat(price),
        };
        let unknown = Some(TariffId::default());
        let begun = u64::from(now.get());
        network.check(&[
            (by(&[&south.key], version(unknown, now, -1)), WRONG_FIELD),
            (
                by(&[&south.key], version(unknown, now, 1)),
                breaks(Rejection::TariffStartsInThePast { period: begun }),
            ),
            (by(&[&south.key], version(unknown, first, 1)), breaks(Rejection::TariffUnknown)),
            (by(&[&south.key], version(Some(known), first, 1)), breaks(Rejection::NotThePublisher)),
            (
                by(&[&north.key], version(Some(known), first, 1)),
                breaks(Rejection::TariffVersionsOutOfOrder),
            ),
            (by(&[&north.key], version(Some(known), later, 1)), emits(&["TariffPublished"])),
            (by(&[&south.key], version(None, first, 1)), emits(&["TariffPublished"])),
        ]);
    }

    #[test]
    fn impossible_terms_are_refused() {
        let mut network = Network::new();
        let north = network.north.clone();
        let first_period = network.next();
        let slabs = || full().import;
        let ExportRule::Separate(PriceRule::TimeOfUse(by_clock)) = full().export else {
            unreachable!("export of these terms is by the clock");
        };
        let window = |from_minute, to_minute| {
            let window = TimeWindow { from_minute, to_minute, ..by_clock.windows[0] };
            let windows = vec![window].try_into().unwrap();
            PriceRule::TimeOfUse(TimeOfUse { windows, ..by_clock.clone() })
        };
        let nameless = |terms: &mut TariffTerms| {
            let charge = FixedCharge { name: "".parse().unwrap(), ..terms.fixed[0].clone() };
            terms.fixed = vec![charge].try_into().unwrap();
        };
        let nameless_tax = |terms: &mut TariffTerms| {
            let tax = Tax { name: "".parse().unwrap(), ..terms.taxes[0].clone() };
            terms.taxes = vec![tax].try_into().unwrap();
        };
        let edits: [&dyn Fn(&mut TariffTerms); 10] = [
            &|terms| terms.import = PriceRule::Slabs(Slabs { steps: Bounded::new() }),
            &|terms| terms.export = ExportRule::SameAsImport,
            &|terms| terms.export = ExportRule::Separate(slabs()),
            &|terms| terms.export = ExportRule::Separate(window(60, 60)),
            // Inside a slot of a quarter hour, and at its edge below.
            &|terms| terms.export = ExportRule::Separate(window(65, 120)),
            &|terms| terms.import = window(60, 121),
            &|terms| terms.minimum = Some(MicroCurrency::new(-1)),
            &|terms| terms.minimum = Some(MicroCurrency::MAX),
            &nameless,
            &nameless_tax,
        ];
        let publish = |edit: &dyn Fn(&mut TariffTerms)| {
            let (tariff, name, mut terms) = (None, "rate".parse().unwrap(), full());
            edit(&mut terms);
            by(&[&north.key], PublishTariff { tariff, name, first_period, terms })
        };
        for edit in edits {
            network.check(&[(publish(edit), WRONG_FIELD)]);
        }
        network.check(&[
            (publish(&|_| ()), emits(&["TariffPublished"])),
            (publish(&|terms| terms.import = window(75, 120)), emits(&["TariffPublished"])),
        ]);
    }

    #[test]
    fn a_tariff_has_at_most_256_versions() {
        let mut network = Network::new();
        let north = network.north.clone();
        let tariff = Some(network.northern_tariff(flat(0)));
        let publish = |network: &mut Network, number: u32| {
            let first_period = network.next().offset(number).unwrap();
            let name = "rate".parse().unwrap();
            let body = PublishTariff { tariff, name, first_period, terms: flat(1) };
            network.send(&by(&[&north.key], body)).code
        };
        for number in 1..256 {
            assert_eq!(publish(&mut network, number), 0);
        }
        assert_eq!(publish(&mut network, 256), Rejection::TooManyVersions { bound: 256 }.code());
    }
}
