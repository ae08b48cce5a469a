//! What can be said of the lines of a bill whose readings are not known.
//!
//! On a private ledger who bills states the lines. How much energy there was, and at which times, only
//! those know who hold the readings; everything else follows from tariff, days and frequencies and is
//! computed here: an energy line costs no less than the lowest and no more than the highest price of its
//! slots (where there is one price, exactly that), slabs are filled in their order, and what comes after
//! the energy follows from the lines before it.

use std::collections::BTreeSet;

use primitives::units::{MicroCurrency, MicroPerKilowattHour, OutOfRange, WattHours};
use thiserror::Error;

use super::lines::{Month, SegmentSums, lines_of, quota, slab_energies};
use super::prices::{PriceRange, RunSums, Sum, terms_key};
use super::{BillCalculation, BillInputs, CalculationError, Calculator, TariffSegment, run_from};
use crate::billing::{BillLine, LineKind};
use crate::tariff::{PriceRule, Slabs};

/// Why stated lines cannot stand.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StatedError {
    /// The tariff gives no bill at all.
    #[error(transparent)]
    Calculation(#[from] CalculationError),
    /// A line, counted from 1, is not what tariff, days and the lines before it give.
    #[error("line {0} is not what tariff, days and the lines before it give")]
    Line(usize),
}

impl From<OutOfRange> for StatedError {
    fn from(error: OutOfRange) -> Self {
        Self::Calculation(error.into())
    }
}

/// What is stated of one segment.
struct Stated {
    sums: SegmentSums,
    slabs: Vec<WattHours>,
    prices: PriceRange,
    /// Where its first energy line each way stands.
    import_at: usize,
    export_at: usize,
}

impl Calculator<'_> {
    /// The calculation that stated lines amount to. `inputs` holds no readings.
    ///
    /// # Errors
    /// [`StatedError`] names the first line that cannot stand.
    pub fn stated(
        &mut self,
        inputs: &BillInputs,
        lines: &[BillLine],
    ) -> Result<BillCalculation, StatedError> {
        let mut stated = self.frame(inputs)?;
        read_lines(&inputs.segments, lines, &mut stated)?;
        for one in &stated {
            one.require_priced()?;
        }
        require_filled(&inputs.segments, &mut stated)?;
        let slabs: Vec<_> = stated.iter().map(|one| one.slabs.clone()).collect();
        let sums: Vec<_> = stated.into_iter().map(|one| one.sums).collect();
        let wanted = lines_of(inputs, &sums, &slabs, self.minor_unit_micro)?;
        let mut pairs = lines.iter().zip(&wanted);
        if let Some(index) = pairs.position(|(stated, wanted)| stated != wanted) {
            return Err(StatedError::Line(index + 1));
        }
        if lines.len() != wanted.len() {
            return Err(StatedError::Line(lines.len().min(wanted.len()) + 1));
        }
        let import = WattHours::sum(sums.iter().map(|sums| sums.import.energy))?;
        let export = WattHours::sum(sums.iter().map(|sums| sums.export.energy))?;
        Ok(BillCalculation {
            total: MicroCurrency::sum(lines.iter().map(|line| line.amount))?,
            lines: wanted,
            metered_import: import,
            metered_export: export,
            residual_import: import,
            residual_export: export,
        })
    }

    /// The days and prices of each segment, without any energy.
    fn frame(&mut self, inputs: &BillInputs) -> Result<Vec<Stated>, CalculationError> {
        let segments = &inputs.segments;
        let mut frame: Vec<_> = segments.iter().map(Stated::of).collect();
        let keys: Vec<_> = segments.iter().map(|it| terms_key(&it.version.terms)).collect();
        for day in &inputs.days {
            let periods = self.calendar.periods_of(day.day);
            let mut from = 0;
            while from < periods.count {
                let (index, end) = run_from(segments, periods, from)?;
                let terms = (&segments[index].version.terms, keys[index]);
                let prices = self.prices.day(self.calendar, terms, day, periods)?;
                frame[index].prices.join(prices.range(periods, (from, end))?);
                let share = (end - from, periods.count);
                frame[index].sums.add(&RunSums::default(), Month::of(day.day), share)?;
                from = end;
            }
        }
        Ok(frame)
    }
}

impl Stated {
    fn of(segment: &TariffSegment) -> Self {
        let slabs = match &segment.version.terms.import {
            PriceRule::Slabs(rule) => vec![WattHours::ZERO; rule.steps.len()],
            _ => Vec::new(),
        };
        let (sums, prices) = (SegmentSums::default(), PriceRange::default());
        Self { sums, slabs, prices, import_at: 0, export_at: 0 }
    }

    /// Takes up an energy line; false when the tariff has no such line.
    fn take(&mut self, line: &BillLine, at: usize) -> Result<bool, OutOfRange> {
        let sum = Sum { energy: line.energy, exact: line.exact };
        match line.kind {
            LineKind::EnergyImport if self.slabs.is_empty() => {
                self.import_at = at;
                self.sums.import.join(sum)?;
            }
            LineKind::SlabImport { number } => {
                let index = usize::from(number).checked_sub(1);
                let Some(slab) = index.and_then(|index| self.slabs.get_mut(index)) else {
                    return Ok(false);
                };
                self.import_at = at;
                *slab = slab.checked_add(line.energy)?;
                self.sums.import.join(sum)?;
            }
            LineKind::EnergyExport => {
                self.export_at = at;
                let exact = line.exact.checked_neg()?;
                self.sums.export.join(Sum { exact, ..sum })?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Energy costs what its tariff allows.
    fn require_priced(&self) -> Result<(), StatedError> {
        let fits = |sum: Sum, range: Option<(MicroPerKilowattHour, MicroPerKilowattHour)>| {
            range.is_none_or(|(lowest, highest)| {
                (lowest.cost(sum.energy)..=highest.cost(sum.energy)).contains(&sum.exact)
            })
        };
        // The price of a slab is its own, and its lines are computed from it.
        if self.slabs.is_empty() && !fits(self.sums.import, self.prices.import) {
            return Err(StatedError::Line(self.import_at));
        }
        if !fits(self.sums.export, self.prices.export) {
            return Err(StatedError::Line(self.export_at));
        }
        Ok(())
    }
}

/// Takes the energy lines of each segment; what stands between them is compared later.
fn read_lines(
    segments: &[TariffSegment],
    lines: &[BillLine],
    stated: &mut [Stated],
) -> Result<(), StatedError> {
    let mut lines = (1..).zip(lines).peekable();
    for (segment, stated) in segments.iter().zip(stated) {
        let of_segment = (segment.version.tariff, segment.version.version);
        while let Some((at, line)) =
            lines.next_if(|(_, line)| (line.tariff, line.version) == of_segment)
        {
            let is_energy = matches!(
                line.kind,
                LineKind::EnergyImport | LineKind::EnergyExport | LineKind::SlabImport { .. }
            );
            if is_energy && !stated.take(line, at)? {
                return Err(StatedError::Line(at));
            }
        }
    }
    match lines.next() {
        Some((at, _)) => Err(StatedError::Line(at)),
        None => Ok(()),
    }
}

/// Slabs are filled in their order, as far as that is known: what of several months' energy was drawn
/// in which of them is not stated, so there only the sum of their quotas bounds each slab.
fn require_filled(segments: &[TariffSegment], stated: &mut [Stated]) -> Result<(), StatedError> {
    let (mut segments, mut stated) = (segments, stated);
    while let Some(first) = segments.first() {
        let rule = &first.version.terms.import;
        let same = segments.iter().take_while(|it| it.version.terms.import == *rule).count();
        let (group, rest) = stated.split_at_mut(same);
        if let PriceRule::Slabs(slabs) = rule {
            let months: BTreeSet<Month> =
                group.iter().flat_map(|one| one.sums.months.keys().copied()).collect();
            match months.first() {
                Some(month) if months.len() == 1 => {
                    require_month(&segments[..same], group, *month)?;
                }
                _ => require_quotas(slabs, group)?,
            }
        }
        (segments, stated) = (&segments[same..], rest);
    }
    Ok(())
}

/// All energy was drawn in one month: the slabs are filled as the calculation fills them.
fn require_month(
    segments: &[TariffSegment],
    group: &mut [Stated],
    month: Month,
) -> Result<(), StatedError> {
    for one in group.iter_mut() {
        one.sums.months.entry(month).or_default().import = one.sums.import.energy;
    }
    let sums: Vec<_> = group.iter_mut().map(|one| std::mem::take(&mut one.sums)).collect();
    let wanted = slab_energies(segments, &sums)?;
    group.iter_mut().zip(sums).for_each(|(one, sums)| one.sums = sums);
    let differs = group.iter().zip(&wanted).find(|(one, wanted)| one.slabs != **wanted);
    differs.map_or(Ok(()), |(one, _)| Err(StatedError::Line(one.import_at)))
}

/// Up to each step there is no more energy than the months' quotas together.
fn require_quotas(slabs: &Slabs, group: &[Stated]) -> Result<(), StatedError> {
    let mut filled = WattHours::ZERO;
    for (index, step) in slabs.steps.iter().enumerate() {
        for one in group {
            filled = filled.checked_add(one.slabs[index])?;
        }
        let Some(up_to) = step.up_to else { continue };
        let mut bound = WattHours::ZERO;
        for (month, sums) in group.iter().flat_map(|one| &one.sums.months) {
            bound = bound.checked_add(quota(up_to, *month, &sums.days)?)?;
        }
        // Each share of a quota is rounded down, so the bound lacks less than one Wh for each.
        let shares = group.iter().map(|one| one.sums.months.len() as u64).sum();
        if filled > bound.checked_add(WattHours::new(shares))? {
            let at = group.iter().map(|one| one.import_at).max();
            return Err(StatedError::Line(at.unwrap_or(0)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::bill_calculation::{DayInput, no_allocation};
    use crate::tariff::TariffVersion;
    use crate::tests::kit::*;
    use primitives::identifier::TariffId;
    use primitives::reading::Reading;
    use primitives::units::{MilliMicro, Watts};

    /// Days in a row with these readings, under one tariff.
    fn inputs(network: &Network, terms: crate::tariff::TariffTerms, days: i32) -> BillInputs {
        let first_period = network.period(network.day(0), 0);
        let version =
            TariffVersion { tariff: TariffId::new([6; 16]), version: 1, first_period, terms };
        let day = |number| DayInput {
            day: network.day(number),
            readings: (0..96).map(|slot| reading(slot * 7 % 300, 300 - slot * 3)).collect(),
            frequencies: (0..96).map(|slot| Some(hertz(49_900 + slot * 2))).collect(),
        };
        BillInputs {
            segments: vec![TariffSegment { first_period, version }],
            days: (0..days).map(day).collect(),
            connection_limit: Watts::new(5_000),
        }
    }

    fn without_readings(inputs: &BillInputs) -> BillInputs {
        let mut bare = inputs.clone();
        bare.days.iter_mut().for_each(|day| day.readings = Vec::<Reading>::new());
        bare
    }

    #[test]
    fn the_lines_of_any_true_bill_stand() {
        let network = Network::new();
        for days in [1, 30, 45] {
            for terms in [flat(5_000_000), curve(), full()] {
                let inputs = inputs(&network, terms, days);
                let calendar = network.rules.calendar();
                let mut calculator = Calculator::new(calendar, 10_000);
                let bill = calculator.bill(&inputs, &no_allocation).unwrap();
                let stated = calculator.stated(&without_readings(&inputs), &bill.lines);
                assert_eq!(stated.as_ref(), Ok(&bill), "{days} days");
            }
        }
    }

    #[test]
    fn a_line_that_is_not_the_tariffs_is_named() {
        let network = Network::new();
        let calendar = network.rules.calendar();
        let mut calculator = Calculator::new(calendar, 10_000);
        let inputs = inputs(&network, full(), 1);
        let bare = without_readings(&inputs);
        let lines = calculator.bill(&inputs, &no_allocation).unwrap().lines;
        assert!(lines.len() > 4, "slabs, export, charges and taxes: {lines:?}");
        for index in 0..lines.len() {
            let spoiled: [&dyn Fn(&mut BillLine); 3] = [
                &|line| line.amount = line.amount.checked_add(MicroCurrency::new(10_000)).unwrap(),
                &|line| line.version = 2,
                &|line| line.kind = LineKind::Fine,
            ];
            for spoil in spoiled {
                let mut lines = lines.clone();
                spoil(&mut lines[index]);
                let found = calculator.stated(&bare, &lines).unwrap_err();
                assert!(matches!(found, StatedError::Line(_)), "line {index}: {found}");
            }
            // Of what was sold nothing else on the bill tells.
            if lines[index].kind != LineKind::EnergyExport {
                let mut fewer = lines.clone();
                fewer.remove(index);
                assert!(calculator.stated(&bare, &fewer).is_err(), "without line {index}");
            }
            let mut doubled = lines.clone();
            doubled.insert(index, lines[index].clone());
            assert!(calculator.stated(&bare, &doubled).is_err(), "line {index} twice");
        }
    }

    #[test]
    fn energy_costs_no_less_and_no_more_than_the_prices_of_its_slots() {
        let network = Network::new();
        let calendar = network.rules.calendar();
        let mut calculator = Calculator::new(calendar, 10_000);
        let inputs = inputs(&network, curve(), 1);
        let bare = without_readings(&inputs);
        let lines = calculator.bill(&inputs, &no_allocation).unwrap().lines;
        let prices = calculator.frame(&bare).unwrap()[0].prices.import.unwrap();
        assert!(prices.0 < prices.1);
        let energy = lines[0].energy;
        let stated = |exact: i128| {
            let mut lines = lines.clone();
            lines[0].exact = MilliMicro::new(exact);
            lines[0].amount = lines[0].exact.round_to(10_000).unwrap();
            lines
        };
        let (lowest, highest) = (prices.0.cost(energy).get(), prices.1.cost(energy).get());
        for (exact, stands) in
            [(lowest, true), (highest, true), (lowest - 1, false), (highest + 1, false)]
        {
            let found = calculator.stated(&bare, &stated(exact));
            let wanted = if stands { None } else { Some(StatedError::Line(1)) };
            assert_eq!(found.err(), wanted, "{exact} of {lowest} to {highest}");
        }
    }

    #[test]
    fn slabs_are_filled_in_their_order() {
        let network = Network::new();
        let calendar = network.rules.calendar();
        let mut calculator = Calculator::new(calendar, 10_000);
        for days in [1, 45] {
            let inputs = inputs(&network, full(), days);
            let bare = without_readings(&inputs);
            let lines = calculator.bill(&inputs, &no_allocation).unwrap().lines;
            let PriceRule::Slabs(rule) = &full().import else { panic!("slabs") };
            // All energy into the first slab, at its price.
            let mut cheap = lines.clone();
            let energy = lines.iter().filter(|it| matches!(it.kind, LineKind::SlabImport { .. }));
            let energy = WattHours::sum(energy.map(|it| it.energy)).unwrap();
            cheap
                .retain(|line| !matches!(line.kind, LineKind::SlabImport { number } if number > 1));
            cheap[0].energy = energy;
            cheap[0].exact = rule.steps[0].price.cost(energy);
            cheap[0].amount = cheap[0].exact.round_to(10_000).unwrap();
            assert_eq!(calculator.stated(&bare, &cheap), Err(StatedError::Line(1)), "{days} days");
        }
    }

    #[test]
    fn a_slot_without_a_frequency_is_named() {
        let network = Network::new();
        let mut calculator = Calculator::new(network.rules.calendar(), 10_000);
        let mut bare = without_readings(&inputs(&network, curve(), 1));
        bare.days[0].frequencies[7] = None;
        let missing = CalculationError::FrequencyMissing(network.period(network.day(0), 7));
        assert_eq!(calculator.stated(&bare, &[]), Err(StatedError::Calculation(missing)));
    }
}
