//! What energy costs: tariffs as data on the ledger, in versions that begin at a settlement period.
//!
//! A tariff gives a price for energy drawn and one for energy injected: flat, by frequency, by time,
//! or by the month's energy in slabs. Beside it stand fixed charges, a minimum and taxes. All of it
//! is data, so anybody can publish another tariff without new code. A bill names the versions it
//! used; a change in mid-period is exact to the slot.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{LocalTime, SettlementPeriod};
use primitives::codec::{Bounded, Text};
use primitives::identifier::{PartyId, TariffId, UsagePointId};
use primitives::units::{MicroCurrency, MicroPerKilowattHour, MilliHertz};

use crate::event::Event;
use crate::execute::Context;
use crate::rejection::{Malformed, Rejection};
use crate::state::{Position, State};
use crate::state_key;

mod amend_tariff;
mod assign_tariff;
pub mod charges;
pub mod frequency_curve;
mod publish_tariff;
pub mod slabs;
pub mod time_of_use;

pub use amend_tariff::AmendTariff;
pub use assign_tariff::{AssignTariff, AssignmentTarget};
pub use charges::{FixedBasis, FixedCharge, Tax, TaxKind};
pub use frequency_curve::FrequencyCurve;
pub use publish_tariff::PublishTariff;
pub use slabs::Slabs;
pub use time_of_use::TimeOfUse;

/// Versions of one tariff, and assignments of one usage point.
pub const MAX_VERSIONS: usize = 256;

/// How the price of energy comes about.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum PriceRule {
    /// The same price in every period.
    Flat {
        /// The price, not negative.
        price: MicroPerKilowattHour,
    },
    /// A price that follows the grid's frequency.
    FrequencyLinked(FrequencyCurve),
    /// A price by the clock.
    TimeOfUse(TimeOfUse),
    /// Prices by the month's energy; a single period has none.
    Slabs(Slabs),
}

impl PriceRule {
    /// The price of a period that begins at `time` and has this frequency; `None` when it needs one
    /// and there is none, and for slabs.
    #[must_use]
    pub fn price(
        &self,
        time: LocalTime,
        frequency: Option<MilliHertz>,
    ) -> Option<MicroPerKilowattHour> {
        match self {
            Self::Flat { price } => Some(*price),
            Self::FrequencyLinked(curve) => frequency.map(|frequency| curve.price(frequency)),
            Self::TimeOfUse(rule) => Some(rule.price(time)),
            Self::Slabs(_) => None,
        }
    }

    /// Does the price depend on the frequency?
    #[must_use]
    pub const fn needs_frequency(&self) -> bool {
        matches!(self, Self::FrequencyLinked(_))
    }

    /// # Errors
    /// What is impossible by itself.
    pub fn check(&self) -> Result<(), Malformed> {
        match self {
            Self::Flat { price } => check_price(*price),
            Self::FrequencyLinked(curve) => curve.check(),
            Self::TimeOfUse(rule) => rule.check(),
            Self::Slabs(slabs) => slabs.check(),
        }
    }

    fn check_slots(&self, slot_minutes: u8) -> Result<(), Malformed> {
        match self {
            Self::TimeOfUse(rule) => rule.check_slots(slot_minutes),
            Self::Flat { .. } | Self::FrequencyLinked(_) | Self::Slabs(_) => Ok(()),
        }
    }
}

fn check_price(price: MicroPerKilowattHour) -> Result<(), Malformed> {
    if (0..=frequency_curve::MAX_PRICE).contains(&price.get()) {
        Ok(())
    } else {
        Err(Malformed::Field("a price is not negative and not beyond its range"))
    }
}

/// What energy injected into the grid is credited with.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ExportRule {
    /// The price of energy drawn in the same period (EB).
    SameAsImport,
    /// A feed-in price of its own.
    Separate(PriceRule),
    /// Nothing.
    NotCredited,
}

/// The terms of a tariff version.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TariffTerms {
    /// What energy drawn costs.
    pub import: PriceRule,
    /// What energy injected is credited with; never by slabs.
    pub export: ExportRule,
    /// What is charged whatever the energy.
    pub fixed: Bounded<FixedCharge, { charges::MAX_FIXED }>,
    /// The least that energy drawn and fixed charges come to, per day.
    pub minimum: Option<MicroCurrency>,
    /// The taxes, in the order of the bill's lines.
    pub taxes: Bounded<Tax, { charges::MAX_TAXES }>,
}

/// The two prices of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotPrice {
    /// Per kWh drawn.
    pub import: MicroPerKilowattHour,
    /// Per kWh injected.
    pub export: MicroPerKilowattHour,
}

impl TariffTerms {
    /// Terms that charge for energy only.
    #[must_use]
    pub const fn energy(import: PriceRule, export: ExportRule) -> Self {
        Self { import, export, fixed: Bounded::new(), minimum: None, taxes: Bounded::new() }
    }

    /// The prices of a period; `None` when a frequency is needed and missing, or when energy drawn is
    /// priced by slabs.
    #[must_use]
    pub fn prices(&self, time: LocalTime, frequency: Option<MilliHertz>) -> Option<SlotPrice> {
        let import = self.import.price(time, frequency)?;
        let export = self.export_price(time, frequency, import)?;
        Some(SlotPrice { import, export })
    }

    /// As [`Self::prices`]; with slabs, whose prices follow from the month, the import price is zero.
    #[must_use]
    pub fn direct_prices(
        &self,
        time: LocalTime,
        frequency: Option<MilliHertz>,
    ) -> Option<SlotPrice> {
        let PriceRule::Slabs(_) = self.import else { return self.prices(time, frequency) };
        let import = MicroPerKilowattHour::ZERO;
        let export = self.export_price(time, frequency, import)?;
        Some(SlotPrice { import, export })
    }

    fn export_price(
        &self,
        time: LocalTime,
        frequency: Option<MilliHertz>,
        import: MicroPerKilowattHour,
    ) -> Option<MicroPerKilowattHour> {
        match &self.export {
            ExportRule::SameAsImport => Some(import),
            ExportRule::Separate(rule) => rule.price(time, frequency),
            ExportRule::NotCredited => Some(MicroPerKilowattHour::ZERO),
        }
    }

    /// Does each period have a price of its own?
    #[must_use]
    pub const fn is_by_slot(&self) -> bool {
        !matches!(self.import, PriceRule::Slabs(_))
    }

    /// Does a price depend on the frequency?
    #[must_use]
    pub const fn needs_frequency(&self) -> bool {
        self.import.needs_frequency()
            || matches!(&self.export, ExportRule::Separate(rule) if rule.needs_frequency())
    }

    /// # Errors
    /// What is impossible by itself.
    pub fn check(&self) -> Result<(), Malformed> {
        self.import.check()?;
        match &self.export {
            ExportRule::Separate(PriceRule::Slabs(_)) => {
                return Err(Malformed::Field("energy injected is not credited by slabs"));
            }
            ExportRule::SameAsImport if !self.is_by_slot() => {
                return Err(Malformed::Field(
                    "beside slabs, export has a price of its own or none",
                ));
            }
            ExportRule::Separate(rule) => rule.check()?,
            ExportRule::SameAsImport | ExportRule::NotCredited => {}
        }
        self.fixed.iter().try_for_each(FixedCharge::check)?;
        self.minimum.map_or(Ok(()), charges::check_daily)?;
        self.taxes.iter().try_for_each(Tax::check)
    }

    /// # Errors
    /// [`Malformed::Field`] when a window of time begins or ends inside a slot of `slot_minutes`.
    pub fn check_slots(&self, slot_minutes: u8) -> Result<(), Malformed> {
        self.import.check_slots(slot_minutes)?;
        match &self.export {
            ExportRule::Separate(rule) => rule.check_slots(slot_minutes),
            ExportRule::SameAsImport | ExportRule::NotCredited => Ok(()),
        }
    }
}

/// A tariff: its publisher and where its versions begin.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Tariff {
    /// Its name for people.
    pub name: Text<64>,
    /// Who may publish further versions.
    pub publisher: PartyId,
    /// Where its versions begin, rising by first period. A version that an amendment replaced
    /// altogether is no longer among them; its terms stay, for the bills that name it.
    pub versions: Bounded<VersionStart, MAX_VERSIONS>,
}

/// Where a version of a tariff begins; it holds until the next one of the list does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct VersionStart {
    /// The first period it holds in.
    pub first_period: SettlementPeriod,
    /// The version, from 1; an amendment has a higher one than the versions behind it.
    pub version: u16,
    /// Where it was published.
    pub position: Position,
}

impl Tariff {
    /// The version (from 1) that holds in `period`; `None` before the first.
    #[must_use]
    pub fn version_in(&self, period: SettlementPeriod) -> Option<u16> {
        let begun = self.versions.partition_point(|start| start.first_period <= period);
        begun.checked_sub(1).map(|index| self.versions[index].version)
    }

    /// The highest version published so far, 0 when there is none.
    #[must_use]
    pub fn last_version(&self) -> u16 {
        self.versions.iter().map(|start| start.version).max().unwrap_or(0)
    }

    /// Does a version begin with this period?
    #[must_use]
    pub fn begins_in(&self, period: SettlementPeriod) -> bool {
        self.versions.binary_search_by_key(&period, |start| start.first_period).is_ok()
    }
}

/// One version of a tariff, as published.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TariffVersion {
    /// The tariff.
    pub tariff: TariffId,
    /// Counts from 1.
    pub version: u16,
    /// The first period it holds in.
    pub first_period: SettlementPeriod,
    /// Its terms.
    pub terms: TariffTerms,
}

/// From which period on which tariff holds for a usage point, rising.
pub type TariffAssignments = Bounded<(SettlementPeriod, TariffId), MAX_VERSIONS>;

/// Puts the next version of a tariff into its place among the versions, and writes both.
pub(crate) fn put_version(
    context: &Context<'_>,
    state: &mut dyn State,
    (id, mut tariff): (TariffId, Tariff),
    first_period: SettlementPeriod,
    terms: TariffTerms,
) -> Result<(), Rejection> {
    let too_many = Rejection::TooManyVersions { bound: MAX_VERSIONS as u64 };
    let version = tariff.last_version() + 1;
    if usize::from(version) > MAX_VERSIONS {
        return Err(too_many);
    }
    let start = VersionStart { first_period, version, position: context.position };
    let mut versions = tariff.versions.into_vec();
    match versions.binary_search_by_key(&first_period, |start| start.first_period) {
        Ok(index) => versions[index] = start,
        Err(index) => versions.insert(index, start),
    }
    tariff.versions = Bounded::try_from(versions).map_err(|_| too_many)?;
    state.write(state_key::tariff(&id), &tariff);
    let record = TariffVersion { tariff: id, version, first_period, terms };
    state.write(state_key::tariff_version(&id, version), &record);
    state.emit(Event::TariffPublished { tariff: id, version, first_period });
    Ok(())
}

impl dyn State + '_ {
    /// A tariff.
    ///
    /// # Errors
    /// [`Rejection::TariffUnknown`].
    pub fn tariff(&self, id: TariffId) -> Result<Tariff, Rejection> {
        self.read(&state_key::tariff(&id)).ok_or(Rejection::TariffUnknown)
    }

    /// A version of a tariff.
    ///
    /// # Errors
    /// [`Rejection::TariffUnknown`].
    pub fn tariff_version(&self, id: TariffId, version: u16) -> Result<TariffVersion, Rejection> {
        self.read(&state_key::tariff_version(&id, version)).ok_or(Rejection::TariffUnknown)
    }

    /// The assignments of a usage point; empty when it has none.
    #[must_use]
    pub fn tariff_assignments(&self, usage_point: UsagePointId) -> TariffAssignments {
        self.read(&state_key::tariff_assignments(&usage_point)).unwrap_or_default()
    }

    /// The tariff version that holds for a usage point in a period.
    ///
    /// # Errors
    /// [`Rejection::TariffMissing`] when none is assigned or the tariff has not begun.
    pub fn tariff_in(
        &self,
        usage_point: UsagePointId,
        period: SettlementPeriod,
    ) -> Result<TariffVersion, Rejection> {
        let missing = Rejection::TariffMissing { period: u64::from(period.get()) };
        let assignments = self.tariff_assignments(usage_point);
        let index = assignments.partition_point(|(first, _)| *first <= period);
        let Some((_, id)) = index.checked_sub(1).map(|index| assignments[index]) else {
            return Err(missing);
        };
        let version = self.tariff(id)?.version_in(period).ok_or(missing)?;
        self.tariff_version(id, version)
    }
}
