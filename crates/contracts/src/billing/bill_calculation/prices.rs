//! The prices of a day's slots, worked out once for all usage points, and what a run of slots costs.
//!
//! This is the part of the calculation that runs once for each slot of each usage point; everything
//! that follows from the tariff alone is worked out before it.

use std::collections::BTreeMap;

use primitives::calendar::{Calendar, DayPeriods, LocalDay, SettlementPeriod};
use primitives::codec;
use primitives::hash::Hash;
use primitives::reading::Reading;
use primitives::units::{MicroPerKilowattHour, MilliHertz, MilliMicro, OutOfRange, WattHours};

use super::{Allocation, CalculationError, DayInput, residual};
use crate::tariff::{SlotPrice, TariffTerms};

/// Days that are kept: a year of one tariff, a month of thirty.
const MAX_KEPT: usize = 1_024;

/// What the terms say, as a key: two versions with the same terms have the same prices.
pub(super) fn terms_key(terms: &TariffTerms) -> Hash {
    Hash::of(&codec::encode(terms))
}

/// The prices of one day under one set of terms.
pub(super) struct DayPrices {
    slots: Vec<SlotPrice>,
    /// Slots without a price, because their frequency is missing; rising.
    missing: Vec<usize>,
    /// The frequencies that the prices follow from; empty when none is needed.
    frequencies: Vec<Option<MilliHertz>>,
}

impl DayPrices {
    fn new(
        calendar: &Calendar,
        terms: &TariffTerms,
        day: &DayInput,
        periods: DayPeriods,
    ) -> Result<Self, OutOfRange> {
        let mut slots = Vec::with_capacity(usize::from(periods.count));
        let mut missing = Vec::new();
        for (slot, period) in periods.iter().enumerate() {
            let frequency = day.frequencies.get(slot).copied().flatten();
            let price = terms.direct_prices(calendar.local_time(period)?, frequency);
            let free = MicroPerKilowattHour::ZERO;
            slots.push(price.unwrap_or_else(|| {
                missing.push(slot);
                SlotPrice { import: free, export: free }
            }));
        }
        Ok(Self { slots, missing, frequencies: needed(terms, day).to_vec() })
    }
}

fn needed<'a>(terms: &TariffTerms, day: &'a DayInput) -> &'a [Option<MilliHertz>] {
    if terms.needs_frequency() { &day.frequencies } else { &[] }
}

impl DayPrices {
    /// The lowest and the highest price of some slots, each way.
    ///
    /// # Errors
    /// [`CalculationError::FrequencyMissing`] of the first slot that has no price.
    pub(super) fn range(
        &self,
        periods: DayPeriods,
        (from, until): (u16, u16),
    ) -> Result<PriceRange, CalculationError> {
        let (from, until) = (usize::from(from), usize::from(until));
        if let Some(slot) = self.missing.iter().find(|slot| (from..until).contains(*slot)) {
            let slot = u32::try_from(*slot).expect("a day has few slots");
            return Err(CalculationError::FrequencyMissing(periods.first.offset(slot)?));
        }
        let mut range = PriceRange::default();
        self.slots[from..until].iter().for_each(|price| range.add(price));
        Ok(range)
    }
}

/// The lowest and the highest of some prices; `None` of no price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PriceRange {
    pub(super) import: Option<(MicroPerKilowattHour, MicroPerKilowattHour)>,
    pub(super) export: Option<(MicroPerKilowattHour, MicroPerKilowattHour)>,
}

impl PriceRange {
    fn add(&mut self, price: &SlotPrice) {
        self.join(Self {
            import: Some((price.import, price.import)),
            export: Some((price.export, price.export)),
        });
    }

    pub(super) fn join(&mut self, other: Self) {
        for (ours, theirs) in [(&mut self.import, other.import), (&mut self.export, other.export)] {
            *ours = match (*ours, theirs) {
                (Some((low, high)), Some((lower, higher))) => {
                    Some((low.min(lower), high.max(higher)))
                }
                (one, other) => one.or(other),
            };
        }
    }
}

/// Prices by terms and day.
#[derive(Default)]
pub(super) struct PriceCache {
    days: BTreeMap<(LocalDay, Hash), DayPrices>,
}

impl PriceCache {
    /// The prices of a day; `key` is that of the terms.
    pub(super) fn day(
        &mut self,
        calendar: &Calendar,
        (terms, key): (&TariffTerms, Hash),
        day: &DayInput,
        periods: DayPeriods,
    ) -> Result<&DayPrices, OutOfRange> {
        let place = (day.day, key);
        let kept = self.days.get(&place);
        if kept.is_none_or(|kept| kept.frequencies != needed(terms, day)) {
            if self.days.len() >= MAX_KEPT {
                self.days.clear();
            }
            self.days.insert(place, DayPrices::new(calendar, terms, day, periods)?);
        }
        Ok(&self.days[&place])
    }
}

/// Energy of one direction, and what it costs exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) energy: WattHours,
    pub(super) exact: MilliMicro,
}

impl Sum {
    #[inline]
    fn add(&mut self, energy: WattHours, price: MicroPerKilowattHour) -> Result<(), OutOfRange> {
        self.energy = self.energy.checked_add(energy)?;
        self.exact = self.exact.checked_add(price.cost(energy))?;
        Ok(())
    }

    pub(super) fn join(&mut self, other: Self) -> Result<(), OutOfRange> {
        self.energy = self.energy.checked_add(other.energy)?;
        self.exact = self.exact.checked_add(other.exact)?;
        Ok(())
    }
}

/// What a run of slots comes to: the residual energy with its cost, and what the meter counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RunSums {
    pub(super) import: Sum,
    pub(super) export: Sum,
    pub(super) metered: Allocation,
}

/// Sums the slots of a day from `from` on, as many as there are `readings`.
pub(super) fn sum_run(
    prices: &DayPrices,
    (first, from): (SettlementPeriod, usize),
    readings: &[Reading],
    allocation: &dyn Fn(SettlementPeriod) -> Allocation,
) -> Result<RunSums, CalculationError> {
    let period = |slot: usize| {
        let slot = u32::try_from(slot).expect("a day has few slots");
        first.offset(slot).expect("a period of the calendar's last day at most")
    };
    let until = from + readings.len();
    if let Some(slot) = prices.missing.iter().find(|slot| (from..until).contains(*slot)) {
        return Err(CalculationError::FrequencyMissing(period(*slot)));
    }
    let mut sums = RunSums::default();
    for (index, (reading, price)) in readings.iter().zip(&prices.slots[from..until]).enumerate() {
        let (import, export) = residual(reading, &allocation(period(from + index)))
            .map_err(|_| CalculationError::OverAllocated(period(from + index)))?;
        sums.import.add(import, price.import)?;
        sums.export.add(export, price.export)?;
        sums.metered.import = sums.metered.import.checked_add(reading.import_wh)?;
        sums.metered.export = sums.metered.export.checked_add(reading.export_wh)?;
    }
    Ok(sums)
}
