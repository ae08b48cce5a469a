//! The charge of one settlement period: EB's per-slot bill, computed on demand.

use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::identifier::{TariffId, UsagePointId};
use primitives::reading::Reading;
use primitives::units::{MilliHertz, MilliMicro};

use super::bill_calculation::{Allocation, residual};
use crate::genesis::Rules;
use crate::metering::DayReadings;
use crate::rejection::Rejection;
use crate::state::State;
use crate::tariff::{SlotPrice, TariffTerms};

/// What one slot costs, exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotCharge {
    /// The period.
    pub period: SettlementPeriod,
    /// The reading in force, if there is one.
    pub reading: Option<Reading>,
    /// The frequency in force, if there is one.
    pub frequency: Option<MilliHertz>,
    /// Tariff and version, if one is assigned.
    pub tariff: Option<(TariffId, u16)>,
    /// Does the tariff give each slot a price? Slabs do not.
    pub by_slot: bool,
    /// The prices, when tariff and frequency give them.
    pub prices: Option<SlotPrice>,
    /// Import charge less export credit, when reading and prices are there.
    pub amount: Option<MilliMicro>,
    /// Was the slot charged, and the charge not withdrawn?
    pub charged: bool,
}

/// The slots of a usage point's day, each with what it costs as far as it is known.
///
/// # Errors
/// [`Rejection::UsagePointUnknown`], [`Rejection::PayloadErased`], [`Rejection::AmountOutOfRange`].
pub fn slot_charges(
    rules: &Rules,
    state: &dyn State,
    usage_point: UsagePointId,
    day: LocalDay,
) -> Result<Vec<SlotCharge>, Rejection> {
    state.usage_point(usage_point)?;
    let readings = DayReadings::load(rules, state, usage_point, day)?;
    let frequencies = state.frequency_day(day);
    let mut charges = Vec::with_capacity(readings.slots.len());
    let mut version = None;
    for (slot, period) in (0_u16..).zip(rules.calendar().periods_of(day).iter()) {
        let reading = readings.slots[usize::from(slot)];
        let frequency = frequencies.at(slot);
        version = current_version(state, usage_point, period, version);
        let terms = version.as_ref().map(|version| &version.terms);
        let time = rules.calendar().local_time(period);
        let time = time.map_err(|_| Rejection::AmountOutOfRange)?;
        let prices = terms.and_then(|terms| terms.prices(time, frequency));
        let amount = match (&reading, &prices) {
            (Some(reading), Some(prices)) => Some(amount(reading, prices)?),
            _ => None,
        };
        charges.push(SlotCharge {
            period,
            reading,
            frequency,
            tariff: version.as_ref().map(|version| (version.tariff, version.version)),
            by_slot: terms.is_none_or(TariffTerms::is_by_slot),
            prices,
            amount,
            charged: readings.metered_day.charged.contains(slot),
        });
    }
    Ok(charges)
}

/// The version that holds in `period`; looked up anew only where an assignment or version begins.
fn current_version(
    state: &dyn State,
    usage_point: UsagePointId,
    period: SettlementPeriod,
    before: Option<crate::tariff::TariffVersion>,
) -> Option<crate::tariff::TariffVersion> {
    let begins = before.is_none()
        || state.tariff_assignments(usage_point).iter().any(|(first, _)| *first == period)
        || before.as_ref().is_some_and(|version| {
            state.tariff(version.tariff).is_ok_and(|tariff| tariff.begins_in(period))
        });
    if begins { state.tariff_in(usage_point, period).ok() } else { before }
}

/// Import charge less export credit of one slot, exact.
pub(super) fn amount(reading: &Reading, prices: &SlotPrice) -> Result<MilliMicro, Rejection> {
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let (import, export) = residual(reading, &Allocation::default()).map_err(out_of_range)?;
    prices.import.cost(import).checked_sub(prices.export.cost(export)).map_err(out_of_range)
}
