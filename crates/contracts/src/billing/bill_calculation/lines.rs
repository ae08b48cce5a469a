//! From the sums of a bill's segments to its lines.
//!
//! Energy lines carry exact products. What comes after them is computed from amounts as they stand on
//! the bill, so that a reader of the bill can check it: the minimum lifts the posted amounts, taxes
//! are a share of them. Each line is rounded once; an `exact` that 10⁻³ micro cannot hold is cut off,
//! which rounds to the same amount.

use std::collections::BTreeMap;

use primitives::calendar::LocalDay;
use primitives::rounding::div_floor;
use primitives::units::{BasisPoints, MicroCurrency, MilliMicro, OutOfRange, WattHours};

use super::day_share::DayShare;
use super::prices::{RunSums, Sum};
use super::{BillInputs, TariffSegment};
use crate::billing::{BillLine, LineKind};
use crate::tariff::charges::ChargeName;
use crate::tariff::{FixedBasis, FixedCharge, PriceRule, Slabs, TaxKind};

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month {
    year: i16,
    month: i8,
    /// How many days it has.
    days: u8,
}

impl Month {
    pub(super) fn of(day: LocalDay) -> Self {
        let (year, month, _) = day.civil();
        Self { year, month, days: day.days_in_month() }
    }
}

/// What a segment of a bill comes to in one month.
#[derive(Default)]
pub(super) struct MonthSums {
    pub(super) import: WattHours,
    pub(super) days: DayShare,
}

/// What a segment of a bill comes to.
#[derive(Default)]
pub(super) struct SegmentSums {
    pub(super) import: Sum,
    pub(super) export: Sum,
    pub(super) months: BTreeMap<Month, MonthSums>,
}

impl SegmentSums {
    /// Adds a run of `slots` of a day that has `of`.
    pub(super) fn add(
        &mut self,
        run: &RunSums,
        month: Month,
        (slots, of): (u16, u16),
    ) -> Result<(), OutOfRange> {
        self.import.join(run.import)?;
        self.export.join(run.export)?;
        let sums = self.months.entry(month).or_default();
        sums.import = sums.import.checked_add(run.import.energy)?;
        sums.days.add_slots(slots, of);
        Ok(())
    }

    fn days(&self) -> DayShare {
        let mut days = DayShare::default();
        self.months.values().for_each(|month| days.add(&month.days));
        days
    }
}

/// All lines of a bill, by segment.
pub(super) fn bill_lines(
    inputs: &BillInputs,
    sums: &[SegmentSums],
    minor_unit_micro: i64,
) -> Result<Vec<BillLine>, OutOfRange> {
    let slabs = slab_energies(&inputs.segments, sums)?;
    lines_of(inputs, sums, &slabs, minor_unit_micro)
}

/// The same, when it is known what energy of each segment falls into which slab.
pub(super) fn lines_of(
    inputs: &BillInputs,
    sums: &[SegmentSums],
    slab_energies: &[Vec<WattHours>],
    minor_unit_micro: i64,
) -> Result<Vec<BillLine>, OutOfRange> {
    let mut all = Vec::new();
    for ((segment, sums), slabs) in inputs.segments.iter().zip(sums).zip(slab_energies) {
        let mut lines = SegmentLines { segment, minor_unit_micro, lines: Vec::new() };
        lines.energy(sums, slabs)?;
        let days = sums.days();
        for charge in &segment.version.terms.fixed {
            lines.fixed(charge, inputs, &days)?;
        }
        lines.minimum(&days)?;
        lines.taxes()?;
        all.append(&mut lines.lines);
    }
    Ok(all)
}

/// The lines of one segment so far.
struct SegmentLines<'a> {
    segment: &'a TariffSegment,
    minor_unit_micro: i64,
    lines: Vec<BillLine>,
}

impl SegmentLines<'_> {
    fn push(&mut self, kind: LineKind, name: ChargeName, sum: Sum) -> Result<(), OutOfRange> {
        let amount = match kind {
            LineKind::TaxInclusive => MicroCurrency::ZERO,
            // Rule: rounded once per line, half away from zero, to the minor unit (protocol §8).
            _ => sum.exact.round_to(self.minor_unit_micro)?,
        };
        self.lines.push(BillLine {
            kind,
            name,
            tariff: self.segment.version.tariff,
            version: self.segment.version.version,
            energy: sum.energy,
            exact: sum.exact,
            amount,
        });
        Ok(())
    }

    /// A line without energy; left out when it comes to nothing.
    fn push_charge(
        &mut self,
        kind: LineKind,
        name: &ChargeName,
        exact: i128,
    ) -> Result<(), OutOfRange> {
        if exact == 0 {
            return Ok(());
        }
        let sum = Sum { energy: WattHours::ZERO, exact: MilliMicro::new(exact) };
        self.push(kind, name.clone(), sum)
    }

    /// Lines of energy, import before export; left out where there is none.
    fn energy(&mut self, sums: &SegmentSums, slabs: &[WattHours]) -> Result<(), OutOfRange> {
        let mut lines = Vec::new();
        if let PriceRule::Slabs(rule) = &self.segment.version.terms.import {
            for ((number, slab), energy) in (1..).zip(&rule.steps).zip(slabs) {
                let sum = Sum { energy: *energy, exact: slab.price.cost(*energy) };
                lines.push((LineKind::SlabImport { number }, sum));
            }
        } else {
            lines.push((LineKind::EnergyImport, sums.import));
        }
        let credited = Sum { exact: sums.export.exact.checked_neg()?, ..sums.export };
        lines.push((LineKind::EnergyExport, credited));
        for (kind, sum) in lines {
            if sum.energy > WattHours::ZERO {
                self.push(kind, ChargeName::default(), sum)?;
            }
        }
        Ok(())
    }

    fn fixed(
        &mut self,
        charge: &FixedCharge,
        inputs: &BillInputs,
        days: &DayShare,
    ) -> Result<(), OutOfRange> {
        let price = i128::from(charge.price.get());
        // Micro per kW times W is 10⁻³ micro, as micro times 1,000 is.
        let factor = match charge.per {
            FixedBasis::Day => 1_000,
            FixedBasis::KilowattDay => i128::from(inputs.connection_limit.get()),
        };
        // The product of two 64-bit numbers fits.
        self.push_charge(LineKind::FixedCharge, &charge.name, days.times(price * factor, 1)?)
    }

    /// What the customer is charged in this segment so far, in micro.
    fn charged(&self) -> Result<i128, OutOfRange> {
        let charges = self.lines.iter().filter(|line| line.kind != LineKind::EnergyExport);
        let sum = MicroCurrency::sum(charges.map(|line| line.amount))?;
        Ok(i128::from(sum.get()))
    }

    fn minimum(&mut self, days: &DayShare) -> Result<(), OutOfRange> {
        let Some(minimum) = self.segment.version.terms.minimum else { return Ok(()) };
        let minimum = days.times(i128::from(minimum.get()) * 1_000, 1)?;
        let missing = minimum - self.charged()? * 1_000;
        self.push_charge(LineKind::MinimumCharge, &ChargeName::default(), missing.max(0))
    }

    fn taxes(&mut self) -> Result<(), OutOfRange> {
        let charged = self.charged()?;
        let taxes = &self.segment.version.terms.taxes;
        let rate = |rate: BasisPoints| i128::from(rate.get());
        let whole = i128::from(BasisPoints::MAX.get());
        let contained = taxes.iter().filter(|tax| tax.kind == TaxKind::Inclusive);
        let contained: i128 = contained.map(|tax| rate(tax.rate)).sum();
        for tax in taxes {
            // Rule: prices hold all inclusive taxes together, so gross = net · (1 + their sum).
            let (kind, basis) = match tax.kind {
                TaxKind::Exclusive => (LineKind::TaxExclusive, whole),
                TaxKind::Inclusive => (LineKind::TaxInclusive, whole + contained),
            };
            let exact = div_floor(charged * 1_000 * rate(tax.rate), basis);
            self.push_charge(kind, &tax.name, exact)?;
        }
        Ok(())
    }
}

/// For each segment the energy of each of its slabs; empty where energy is priced otherwise.
///
/// Rule: quotas are per calendar month. A month's energy runs up through the slabs in order of time;
/// where the rule holds for a part of the month, its quotas are the share of those days, rounded
/// down. A version that follows with the same slabs goes on where the former one stood.
pub(super) fn slab_energies(
    segments: &[TariffSegment],
    sums: &[SegmentSums],
) -> Result<Vec<Vec<WattHours>>, OutOfRange> {
    let mut all = Vec::with_capacity(segments.len());
    let mut rest = segments;
    while let Some((first, _)) = rest.split_first() {
        let rule = &first.version.terms.import;
        let same = rest.iter().take_while(|it| it.version.terms.import == *rule).count();
        let group = &sums[all.len()..all.len() + same];
        match rule {
            PriceRule::Slabs(slabs) => all.extend(fill_slabs(slabs, group)?),
            _ => all.extend(std::iter::repeat_n(Vec::new(), same)),
        }
        rest = &rest[same..];
    }
    Ok(all)
}

/// The energies of segments that follow each other under one rule.
fn fill_slabs(slabs: &Slabs, group: &[SegmentSums]) -> Result<Vec<Vec<WattHours>>, OutOfRange> {
    let mut months: BTreeMap<Month, DayShare> = BTreeMap::new();
    for (month, sums) in group.iter().flat_map(|segment| &segment.months) {
        months.entry(*month).or_default().add(&sums.days);
    }
    let mut filled: BTreeMap<Month, WattHours> = BTreeMap::new();
    let mut energies = Vec::with_capacity(group.len());
    for segment in group {
        let mut by_slab = vec![WattHours::ZERO; slabs.steps.len()];
        for (month, sums) in &segment.months {
            let below = filled.entry(*month).or_default();
            let above = below.checked_add(sums.import)?;
            let mut begin = *below;
            for (slab, energy) in slabs.steps.iter().zip(&mut by_slab) {
                let end = match slab.up_to {
                    Some(up_to) => quota(up_to, *month, &months[month])?.clamp(begin, above),
                    None => above,
                };
                *energy = energy.checked_add(end.checked_sub(begin)?)?;
                begin = end;
            }
            *below = above;
        }
        energies.push(by_slab);
    }
    Ok(energies)
}

/// The share of a month's quota that belongs to some of its days, rounded down.
pub(super) fn quota(
    up_to: WattHours,
    month: Month,
    days: &DayShare,
) -> Result<WattHours, OutOfRange> {
    let share = days.times(i128::from(up_to.get()), i128::from(month.days))?;
    u64::try_from(share).map(WattHours::new).map_err(|_| OutOfRange::of("WattHours"))
}
