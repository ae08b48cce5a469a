//! `gridtally tariff`: try tariffs before they are published.

mod example;

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use client::frequency_file::FrequencyRow;
use client::tariff_file::{MeanPrice, TariffFile, try_tariff};
use primitives::calendar::LocalTime;
use serde_json::{Value, json};

use self::example::Use;
use crate::cli::Global;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Try tariffs.
#[derive(Debug, Subcommand)]
pub enum Tariff {
    /// Price every slot of a frequency file with a tariff, or bill somebody's use with it.
    Try(Try),
}

/// Price every slot of a frequency file with a tariff, or bill somebody's use with it.
///
/// With --profile or --household it makes an example bill with the function that the ledger bills
/// with: energy by slabs, fixed charges, minimum and taxes included.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gridtally tariff try --tariff examples/tariffs/eb-frequency-curve.toml --frequency FILE.csv\n  \
    gridtally tariff try --tariff examples/tariffs/slabs-with-taxes.toml --household 7\n  \
    gridtally tariff try --tariff examples/tariffs/time-of-use.toml --profile july.csv --label M01\n\n\
    The frequency file has the columns date, time, block, freq_hz; others are ignored. Where it has \
    not the days of the use, its slots are taken one after the other and repeat.")]
pub struct Try {
    /// The tariff.
    #[arg(long, value_name = "FILE.toml")]
    tariff: PathBuf,
    /// The frequencies; needed for single slots and for tariffs that follow the frequency.
    #[arg(long, value_name = "FILE.csv", required_unless_present_any = ["profile", "household"])]
    frequency: Option<PathBuf>,
    #[command(flatten)]
    usage: Use,
}

impl Tariff {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        match self {
            Self::Try(command) => command.run(global),
        }
    }
}

impl Try {
    fn run(&self, global: &Global) -> Result<Exit, Ended> {
        let tariff = TariffFile::read(&self.tariff).end_with(Exit::Usage)?;
        let rows = match &self.frequency {
            Some(file) => client::frequency_file::read(file).end_with(Exit::Usage)?,
            None => Vec::new(),
        };
        if self.usage.is_given() {
            return self.usage.bill(&tariff, &rows, global);
        }
        if !tariff.terms.is_by_slot() {
            let reason = "the tariff prices a month's energy by slabs, not single slots: see what \
                          it charges with --profile FILE or --household N";
            return Err(anyhow!(reason)).end_with(Exit::Usage);
        }
        slots(&tariff, &rows, global)
    }
}

/// What each slot of a frequency file costs.
fn slots(tariff: &TariffFile, rows: &[FrequencyRow], global: &Global) -> Result<Exit, Ended> {
    let time = |row: &FrequencyRow| LocalTime { day: row.day, minute: row.minute };
    let slots: Vec<_> = rows.iter().map(|row| (time(row), row.frequency)).collect();
    let prices = try_tariff(&tariff.terms, &slots);
    let mean = MeanPrice::of(&prices)
        .ok_or_else(|| anyhow!("the frequency file has no slots"))
        .end_with(Exit::Usage)?
        .paise_per_kwh();
    let slots = rows.iter().zip(&prices);
    if global.json {
        let slots: Vec<_> = slots
            .map(|(row, price)| {
                json!({
                    "date": row.day.to_string(),
                    "time": format!("{:02}:{:02}", row.minute / 60, row.minute % 60),
                    "frequency_millihertz": row.frequency.get(),
                    "price_micro_per_kwh": price.get().to_string(),
                })
            })
            .collect();
        // A statistic with four decimals, not a quantity that anything is computed from.
        let mean: Value = serde_json::from_str(&mean).map_err(anyhow::Error::from)?;
        output::json(&json!({
            "tariff": tariff.name.as_str(),
            "slots": slots,
            "mean_paise_per_kwh": mean,
        }))?;
        return Ok(Exit::Success);
    }
    let mut table = output::table(&["date", "time", "Hz", "paise/kWh"], 2);
    for (row, price) in slots {
        table.add_row([
            row.day.to_string(),
            format!("{:02}:{:02}", row.minute / 60, row.minute % 60),
            output::decimal(i128::from(row.frequency.get()), 3, 3),
            output::decimal(i128::from(price.get()), 4, 4),
        ]);
    }
    output::line(&table.to_string())?;
    output::line(&format!("mean of {} slots: {mean} paise per kWh", rows.len()))?;
    Ok(Exit::Success)
}
