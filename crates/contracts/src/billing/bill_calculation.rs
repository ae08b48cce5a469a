//! From readings, frequencies and tariff versions to the lines of a bill. Pure: the ledger issues
//! with this function, and everybody's verifier checks with the same one.
//!
//! Per slot the residual energy is multiplied by the slot's price and kept exactly (Wh × micro per
//! kWh = 10⁻³ micro); a line sums these products and is rounded once, half away from zero, to the
//! currency's minor unit.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{Calendar, LocalDay, SettlementPeriod};
use primitives::codec;
use primitives::hash::Hash;
use primitives::reading::Reading;
use primitives::units::{MicroCurrency, MilliHertz, MilliMicro, OutOfRange, WattHours};
use thiserror::Error;

use super::{BillLine, LineKind};
use crate::tariff::TariffVersion;

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

/// Everything that a bill is computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillInputs {
    /// Tariff versions, rising by first period; the first covers the first slot.
    pub segments: Vec<TariffSegment>,
    /// The days of the billing period, in order.
    pub days: Vec<DayInput>,
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillCalculation {
    /// The lines, by segment, import before export. Lines without energy are left out.
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

/// Sums of one segment and direction.
#[derive(Clone, Copy)]
struct Sum {
    energy: WattHours,
    exact: MilliMicro,
}

impl Sum {
    const ZERO: Self = Self { energy: WattHours::ZERO, exact: MilliMicro::ZERO };

    fn add(&mut self, energy: WattHours, exact: MilliMicro) -> Result<(), OutOfRange> {
        self.energy = self.energy.checked_add(energy)?;
        self.exact = self.exact.checked_add(exact)?;
        Ok(())
    }
}

/// Computes a bill. `allocation` tells what trades account for; [`no_allocation`] when there are none.
///
/// # Errors
/// [`CalculationError`] names the first period or day that stands against it.
pub fn calculate(
    calendar: &Calendar,
    inputs: &BillInputs,
    minor_unit_micro: i64,
    allocation: &dyn Fn(SettlementPeriod) -> Allocation,
) -> Result<BillCalculation, CalculationError> {
    let mut sums = vec![(Sum::ZERO, Sum::ZERO); inputs.segments.len()];
    let mut metered = Allocation::default();
    let mut residuals = Allocation::default();
    for day in &inputs.days {
        let periods = calendar.periods_of(day.day);
        let count = usize::from(periods.count);
        if day.readings.len() != count
            || !(day.frequencies.is_empty() || day.frequencies.len() == count)
        {
            return Err(CalculationError::SlotCount(day.day));
        }
        for (slot, period) in periods.iter().enumerate() {
            let reading = &day.readings[slot];
            let (import, export) = residual(reading, &allocation(period))
                .map_err(|_| CalculationError::OverAllocated(period))?;
            let segment = inputs.segments.partition_point(|s| s.first_period <= period);
            let segment = segment.checked_sub(1).ok_or(CalculationError::TariffMissing(period))?;
            let frequency = day.frequencies.get(slot).copied().flatten();
            let prices = inputs.segments[segment]
                .version
                .terms
                .prices(frequency)
                .ok_or(CalculationError::FrequencyMissing(period))?;
            sums[segment].0.add(import, prices.import.cost(import))?;
            sums[segment].1.add(export, prices.export.cost(export))?;
            metered.import = metered.import.checked_add(reading.import_wh)?;
            metered.export = metered.export.checked_add(reading.export_wh)?;
            residuals.import = residuals.import.checked_add(import)?;
            residuals.export = residuals.export.checked_add(export)?;
        }
    }
    let lines = lines(&inputs.segments, &sums, minor_unit_micro)?;
    Ok(BillCalculation {
        total: MicroCurrency::sum(lines.iter().map(|line| line.amount))?,
        lines,
        metered_import: metered.import,
        metered_export: metered.export,
        residual_import: residuals.import,
        residual_export: residuals.export,
    })
}

/// Before there is a market nothing is allocated.
#[must_use]
pub fn no_allocation(_period: SettlementPeriod) -> Allocation {
    Allocation::default()
}

fn lines(
    segments: &[TariffSegment],
    sums: &[(Sum, Sum)],
    minor_unit_micro: i64,
) -> Result<Vec<BillLine>, OutOfRange> {
    let mut lines = Vec::new();
    for (segment, (import, export)) in segments.iter().zip(sums) {
        let credited = Sum { exact: export.exact.checked_neg()?, ..*export };
        for (kind, sum) in [(LineKind::EnergyImport, *import), (LineKind::EnergyExport, credited)] {
            if sum.energy == WattHours::ZERO {
                continue;
            }
            lines.push(BillLine {
                kind,
                tariff: segment.version.tariff,
                version: segment.version.version,
                energy: sum.energy,
                exact: sum.exact,
                // Rule: rounded once per line, half away from zero, to the minor unit (protocol §8).
                amount: sum.exact.round_to(minor_unit_micro)?,
            });
        }
    }
    Ok(lines)
}
