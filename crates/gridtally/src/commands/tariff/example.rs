//! The bill that a tariff would make of somebody's use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use client::frequency_file::FrequencyRow;
use client::tariff_file::{ExampleUse, TariffFile, example_bill};
use contracts::billing::bill_calculation::BillCalculation;
use contracts::billing::{BillLine, LineKind};
use primitives::calendar::{Calendar, LocalDay};
use primitives::reading::Reading;
use primitives::units::{MilliHertz, Watts};
use serde_json::{Value, json};
use simulator::households::Extract;

use crate::cli::Global;
use crate::commands::submit::values;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Days of one example: a year.
const MAX_DAYS: i32 = 366;
/// The minor unit of a currency with two decimals, in micro.
const MINOR_UNIT_MICRO: i64 = 10_000;

/// Whose use is billed.
#[derive(Debug, Args)]
pub struct Use {
    /// Bill the readings of a file: a table or NEM12, as `import readings` takes them.
    #[arg(long, value_name = "FILE", conflicts_with = "household")]
    profile: Option<PathBuf>,
    /// The meter's name in --profile; needed when the file has several.
    #[arg(long, value_name = "LABEL", requires = "profile")]
    label: Option<String>,
    /// Bill a home of the SimBench extract, from 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    household: Option<u32>,
    /// The first local day of --household.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day,
          default_value = "2016-06-01", requires = "household")]
    from: LocalDay,
    /// How many days of --household.
    #[arg(long, value_name = "N", default_value_t = 30, requires = "household",
          value_parser = clap::value_parser!(i32).range(1..=i64::from(MAX_DAYS)))]
    days: i32,
    /// The connection's limit in watts, by which some fixed charges are counted.
    #[arg(long, value_name = "WATTS", default_value_t = 5_000,
          value_parser = clap::value_parser!(i64).range(1..))]
    connection_limit_w: i64,
}

impl Use {
    /// Is any use given?
    pub const fn is_given(&self) -> bool {
        self.profile.is_some() || self.household.is_some()
    }

    /// Prints the bill.
    pub fn bill(
        &self,
        tariff: &TariffFile,
        rows: &[FrequencyRow],
        global: &Global,
    ) -> Result<Exit, Ended> {
        let zone = client::genesis_file::zone_of_india();
        let calendar = Calendar::new(15, zone).end_with(Exit::Usage)?;
        let (first_day, readings) = match &self.profile {
            Some(file) => self.of_file(file, &calendar)?,
            None => self.of_home()?,
        };
        let frequencies = if tariff.terms.needs_frequency() {
            frequencies(&calendar, (first_day, readings.len()), rows)?
        } else {
            Vec::new()
        };
        let usage = ExampleUse {
            first_day,
            readings: &readings,
            frequencies: &frequencies,
            connection_limit: Watts::new(self.connection_limit_w),
            minor_unit_micro: MINOR_UNIT_MICRO,
        };
        let bill = example_bill(&tariff.terms, &calendar, &usage).end_with(Exit::Usage)?;
        let last_day = first_day.offset(days_of(&calendar, readings.len())? - 1);
        let days = (first_day, last_day.end_with(Exit::Usage)?);
        print(tariff, days, &bill, global)
    }

    fn of_home(&self) -> Result<(LocalDay, Vec<Reading>), Ended> {
        let (extract, home) = (Extract::simbench(), self.household.unwrap_or(1) - 1);
        let mut readings = Vec::new();
        for offset in 0..self.days {
            let day = self.from.offset(offset).end_with(Exit::Usage)?;
            readings.extend(extract.home(home, day, 1).readings());
        }
        Ok((self.from, readings))
    }

    /// The whole days of a file that follow on its first whole one.
    fn of_file(&self, file: &Path, calendar: &Calendar) -> Result<(LocalDay, Vec<Reading>), Ended> {
        let intervals = client::readings_file::read(file, calendar, None)
            .with_context(|| format!("{} cannot be used", file.display()))
            .end_with(Exit::Usage)?;
        let mut labels = intervals.labels();
        let label = match (&self.label, labels.next(), labels.next()) {
            (Some(label), ..) => label.clone(),
            (None, Some(only), None) => only.to_owned(),
            _ => {
                return Err(anyhow!("{} has several meters: give --label", file.display()))
                    .end_with(Exit::Usage);
            }
        };
        let (days, _) = intervals.days(calendar);
        let (mut first, mut readings) = (None, Vec::new());
        let mut wanted = None;
        for day in days.iter().filter(|day| day.label == label) {
            let Some(whole) = day.whole() else { continue };
            if wanted.is_some_and(|wanted| wanted != day.day) {
                break;
            }
            first.get_or_insert(day.day);
            readings.extend(whole);
            wanted = day.day.next().ok();
        }
        first
            .map(|first| (first, readings))
            .ok_or_else(|| anyhow!("{} has no whole day of {label:?}", file.display()))
            .end_with(Exit::Usage)
    }
}

fn days_of(calendar: &Calendar, slots: usize) -> Result<i32, Ended> {
    let of_day = 86_400 / usize::try_from(calendar.slot_seconds()).unwrap_or(900);
    i32::try_from(slots / of_day).end_with(Exit::Usage)
}

/// A frequency for each slot: that of its time where the file has it, else the file's own slots one
/// after the other.
fn frequencies(
    calendar: &Calendar,
    (first_day, count): (LocalDay, usize),
    rows: &[FrequencyRow],
) -> Result<Vec<MilliHertz>, Ended> {
    if rows.is_empty() {
        let reason = "the tariff follows the grid's frequency: give --frequency FILE.csv";
        return Err(anyhow!(reason)).end_with(Exit::Usage);
    }
    let known: BTreeMap<(LocalDay, u16), MilliHertz> =
        rows.iter().map(|row| ((row.day, row.minute), row.frequency)).collect();
    let minutes = u16::try_from(calendar.slot_seconds() / 60).unwrap_or(15);
    let (mut day, mut minute) = (first_day, 0);
    let mut found = Vec::with_capacity(count);
    for index in 0..count {
        let own = known.get(&(day, minute)).copied();
        found.push(own.unwrap_or(rows[index % rows.len()].frequency));
        minute += minutes;
        if minute >= 1_440 {
            (day, minute) = (day.next().end_with(Exit::Usage)?, 0);
        }
    }
    Ok(found)
}

fn words(line: &BillLine) -> String {
    let of = match line.kind {
        LineKind::EnergyImport => "energy drawn".to_owned(),
        LineKind::EnergyExport => "energy sold".to_owned(),
        LineKind::SlabImport { number } => format!("energy drawn, slab {number}"),
        LineKind::FixedCharge => "fixed charge".to_owned(),
        LineKind::MinimumCharge => "minimum charge".to_owned(),
        LineKind::TaxExclusive => "tax on top".to_owned(),
        LineKind::TaxInclusive => "tax contained".to_owned(),
        LineKind::Fine => "fine".to_owned(),
    };
    let name = line.name.as_str();
    if name.is_empty() { of } else { format!("{of}: {name}") }
}

fn print(
    tariff: &TariffFile,
    (first, last): (LocalDay, LocalDay),
    bill: &BillCalculation,
    global: &Global,
) -> Result<Exit, Ended> {
    if global.json {
        let lines: Vec<Value> = bill
            .lines
            .iter()
            .map(|line| {
                json!({
                    "line": words(line),
                    "energy_wh": line.energy.get().to_string(),
                    "exact_milli_micro": line.exact.get().to_string(),
                    "amount_micro": line.amount.get().to_string(),
                })
            })
            .collect();
        output::json(&json!({
            "tariff": tariff.name.as_str(),
            "first_day": first.to_string(),
            "last_day": last.to_string(),
            "metered_import_wh": bill.metered_import.get().to_string(),
            "metered_export_wh": bill.metered_export.get().to_string(),
            "lines": lines,
            "total_micro": bill.total.get().to_string(),
        }))?;
        return Ok(Exit::Success);
    }
    let mut table = output::table(&["line", "kWh", "exact", "amount"], 1);
    for line in &bill.lines {
        table.add_row([
            words(line),
            output::decimal(i128::from(line.energy.get()), 3, 3),
            output::decimal(line.exact.get(), 9, 6),
            output::amount(line.amount.get(), 2),
        ]);
    }
    output::line(&table.to_string())?;
    let (drawn, sold) = (bill.metered_import.get(), bill.metered_export.get());
    output::line(&format!(
        "{} from {first} to {last}: {} kWh drawn, {} kWh sold, {} to pay",
        tariff.name.as_str(),
        output::decimal(i128::from(drawn), 3, 3),
        output::decimal(i128::from(sold), 3, 3),
        output::amount(bill.total.get(), 2)
    ))?;
    Ok(Exit::Success)
}
