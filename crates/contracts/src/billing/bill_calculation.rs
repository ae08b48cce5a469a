//! From readings, frequencies and tariff versions to the lines of a bill. Pure: the ledger issues
//! with this function, and everybody's verifier checks with the same one.
//!
//! Per slot the residual energy is multiplied by the slot's price and kept exactly (Wh × micro per
//! kWh = 10⁻³ micro); a line sums these products and is rounded once, half away from zero, to the
//! currency's minor unit. `prices` has the loop over the slots, `lines` what follows from its sums:
//! slabs, fixed charges, minimum and taxes. `stated` goes the other way: what can be said of lines whose
//! readings are not known.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{Calendar, DayPeriods, LocalDay, SettlementPeriod};
use primitives::codec;
use primitives::hash::Hash;
use primitives::reading::Reading;
use primitives::units::{MicroCurrency, MilliHertz, OutOfRange, WattHours, Watts};
use thiserror::Error;

use self::lines::{Month, SegmentSums, bill_lines};
use self::prices::{PriceCache, sum_run, terms_key};
pub use self::stated::StatedError;
use super::BillLine;
use crate::tariff::TariffVersion;

mod day_share;
mod lines;
mod prices;
mod stated;

/// A tariff version and the first period of the bill that it prices.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TariffSegment {
    /// The first period that it prices in this bill.
    pub first_period: SettlementPeriod,
    /// The version.
    pub version: TariffVersion,
}

/// One local day of a usage point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayInput {
    /// The day.
    pub day: LocalDay,
    /// One reading per slot.
    pub readings: Vec<Reading>,
    /// One frequency per slot; empty when no price needs one.
    pub frequencies: Vec<Option<MilliHertz>>,
}

/// Energy of one slot that trades, auctions, community keys and own storage account for. The
/// retailer's bill is about the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allocation {
    /// Of the energy drawn.
    pub import: WattHours,
    /// Of the energy injected.
    pub export: WattHours,
}

impl Allocation {
    fn checked_add(self, other: Self) -> Result<Self, OutOfRange> {
        let import = self.import.checked_add(other.import)?;
        Ok(Self { import, export: self.export.checked_add(other.export)? })
    }
}

/// Everything that a bill is computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillInputs {
    /// Tariff versions, rising by first period; the first covers the first slot.
    pub segments: Vec<TariffSegment>,
    /// The days of the billing period, in order.
    pub days: Vec<DayInput>,
    /// The limit of the usage point's connection, by which some fixed charges are counted.
    pub connection_limit: Watts,
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillCalculation {
    /// The lines, by segment: import before export, fixed charges, minimum, taxes. Lines without
    /// energy and without an amount are left out.
    pub lines: Vec<BillLine>,
    /// Energy drawn by the meter.
    pub metered_import: WattHours,
    /// Energy injected by the meter.
    pub metered_export: WattHours,
    /// Energy that is billed.
    pub residual_import: WattHours,
    /// Energy that is credited.
    pub residual_export: WattHours,
    /// The sum of the lines.
    pub total: MicroCurrency,
}

/// Why a bill cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CalculationError {
    /// A price needs the frequency of a period that has none.
    #[error("period {} has no frequency", .0.get())]
    FrequencyMissing(SettlementPeriod),
    /// No tariff segment covers a period.
    #[error("period {} has no tariff", .0.get())]
    TariffMissing(SettlementPeriod),
    /// More energy is allocated than was metered.
    #[error("more energy is allocated than metered in period {}", .0.get())]
    OverAllocated(SettlementPeriod),
    /// A day has another number of slots than its readings or frequencies.
    #[error("day {0} has another number of slots")]
    SlotCount(LocalDay),
    /// A sum leaves its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// The hash of the segments that a bill commits to.
#[must_use]
pub fn tariff_hash(segments: &[TariffSegment]) -> Hash {
    let parts: Vec<Vec<u8>> = segments.iter().map(codec::encode).collect();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Hash::of_domain("gridtally/tariff/v1", &parts)
}

/// Metered less allocated, both ways.
///
/// # Errors
/// [`OutOfRange`] when more is allocated than metered.
pub fn residual(
    reading: &Reading,
    allocation: &Allocation,
) -> Result<(WattHours, WattHours), OutOfRange> {
    Ok((
        reading.import_wh.checked_sub(allocation.import)?,
        reading.export_wh.checked_sub(allocation.export)?,
    ))
}

/// Computes a bill. `allocation` tells what trades account for; [`no_allocation`] when there are none.
///
/// # Errors
/// As [`Calculator::bill`].
pub fn calculate(
    calendar: &Calendar,
    inputs: &BillInputs,
    minor_unit_micro: i64,
    allocation: &dyn Fn(SettlementPeriod) -> Allocation,
) -> Result<BillCalculation, CalculationError> {
    Calculator::new(calendar, minor_unit_micro).bill(inputs, allocation)
}

/// Computes many bills; the prices of a day are worked out once for all of them.
pub struct Calculator<'a> {
    calendar: &'a Calendar,
    minor_unit_micro: i64,
    prices: PriceCache,
}

impl<'a> Calculator<'a> {
    /// A calculator for one ledger's calendar and currency.
    #[must_use]
    pub fn new(calendar: &'a Calendar, minor_unit_micro: i64) -> Self {
        Self { calendar, minor_unit_micro, prices: PriceCache::default() }
    }

    /// Computes a bill.
    ///
    /// # Errors
    /// [`CalculationError`] names the first period or day that stands against it.
    pub fn bill(
        &mut self,
        inputs: &BillInputs,
        allocation: &dyn Fn(SettlementPeriod) -> Allocation,
    ) -> Result<BillCalculation, CalculationError> {
        let keys = inputs.segments.iter().map(|segment| terms_key(&segment.version.terms));
        let mut work = Work {
            keys: keys.collect(),
            sums: inputs.segments.iter().map(|_| SegmentSums::default()).collect(),
            metered: Allocation::default(),
            residual: Allocation::default(),
        };
        for day in &inputs.days {
            self.day(&inputs.segments, day, allocation, &mut work)?;
        }
        let lines = bill_lines(inputs, &work.sums, self.minor_unit_micro)?;
        Ok(BillCalculation {
            total: MicroCurrency::sum(lines.iter().map(|line| line.amount))?,
            lines,
            metered_import: work.metered.import,
            metered_export: work.metered.export,
            residual_import: work.residual.import,
            residual_export: work.residual.export,
        })
    }

    /// Adds a day, run by run: a run ends where the day or its tariff version does.
    fn day(
        &mut self,
        segments: &[TariffSegment],
        day: &DayInput,
        allocation: &dyn Fn(SettlementPeriod) -> Allocation,
        work: &mut Work,
    ) -> Result<(), CalculationError> {
        let periods = self.calendar.periods_of(day.day);
        let count = usize::from(periods.count);
        if day.readings.len() != count
            || !(day.frequencies.is_empty() || day.frequencies.len() == count)
        {
            return Err(CalculationError::SlotCount(day.day));
        }
        let month = Month::of(day.day);
        let mut from = 0;
        while from < periods.count {
            let (index, end) = run_from(segments, periods, from)?;
            let terms = (&segments[index].version.terms, work.keys[index]);
            let prices = self.prices.day(self.calendar, terms, day, periods)?;
            let readings = &day.readings[usize::from(from)..usize::from(end)];
            let run = sum_run(prices, (periods.first, usize::from(from)), readings, allocation)?;
            work.sums[index].add(&run, month, (end - from, periods.count))?;
            work.metered = work.metered.checked_add(run.metered)?;
            let residual = Allocation { import: run.import.energy, export: run.export.energy };
            work.residual = work.residual.checked_add(residual)?;
            from = end;
        }
        Ok(())
    }
}

/// The segment that prices a slot of a day, and the slot up to which it does.
fn run_from(
    segments: &[TariffSegment],
    periods: DayPeriods,
    from: u16,
) -> Result<(usize, u16), CalculationError> {
    let period = periods.first.offset(u32::from(from))?;
    let next = segments.partition_point(|segment| segment.first_period <= period);
    let index = next.checked_sub(1).ok_or(CalculationError::TariffMissing(period))?;
    let end = segments.get(next).and_then(|it| periods.slot_of(it.first_period));
    // Segments of a hostile proof may be out of order; a run still goes forward.
    Ok((index, end.filter(|end| *end > from).unwrap_or(periods.count)))
}

/// The sums of one bill so far.
struct Work {
    /// A key of each segment's terms.
    keys: Vec<Hash>,
    sums: Vec<SegmentSums>,
    metered: Allocation,
    residual: Allocation,
}

/// Before there is a market nothing is allocated.
#[must_use]
pub fn no_allocation(_period: SettlementPeriod) -> Allocation {
    Allocation::default()
}

#[cfg(test)]
mod tests;
