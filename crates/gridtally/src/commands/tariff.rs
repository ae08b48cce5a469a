//! `gridtally tariff`: try tariffs before they are published.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use client::frequency_file::FrequencyRow;
use client::tariff_file::{MeanPrice, TariffFile, try_tariff};
use primitives::calendar::LocalTime;
use serde_json::{Value, json};

use crate::cli::Global;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Try tariffs.
#[derive(Debug, Subcommand)]
pub enum Tariff {
    /// Price every slot of a frequency file with a tariff.
    Try(Try),
}

/// Price every slot of a frequency file with a tariff.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    gridtally tariff try --tariff examples/tariffs/eb-frequency-curve.toml --frequency FILE.csv\n\n\
    The CSV file has the columns date, time, block, freq_hz; others are ignored.")]
pub struct Try {
    /// The tariff.
    #[arg(long, value_name = "FILE.toml")]
    tariff: PathBuf,
    /// The frequencies.
    #[arg(long, value_name = "FILE.csv")]
    frequency: PathBuf,
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
        let rows = client::frequency_file::read(&self.frequency).end_with(Exit::Usage)?;
        if !tariff.terms.is_by_slot() {
            let reason = "the tariff prices a month's energy by slabs, not single slots";
            return Err(anyhow!(reason)).end_with(Exit::Usage);
        }
        let time = |row: &FrequencyRow| LocalTime { day: row.day, minute: row.minute };
        let slots: Vec<_> = rows.iter().map(|row| (time(row), row.frequency)).collect();
        let prices = try_tariff(&tariff.terms, &slots);
        let mean = MeanPrice::of(&prices)
            .ok_or_else(|| anyhow!("{} has no slots", self.frequency.display()))
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
}
