//! Frequencies: the missing periods are published, whole days sealed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use client::connection::Connection;
use client::frequency_file::{self, FrequencyRow};
use client::transaction_builder::Signer;
use contracts::Rules;
use contracts::metering::PublishFrequency;
use primitives::calendar::LocalDay;
use primitives::units::{MilliHertz, Timestamp};
use serde_json::json;

use super::delivery::{Delivery, Item};
use crate::cli::Global;
use crate::commands::connect::{self, NodeAddress, OwnKey, ended, field_u64};
use crate::exit::{EndWith, Ended, Exit};

/// Frequencies of one transaction.
const MAX_PUBLISHED: usize = 100;

/// See [`super::Import`].
#[derive(Debug, Args)]
pub struct Frequency {
    /// The table: columns date, time and freq_hz, one row for each slot.
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// Publish only; whole days are not sealed.
    #[arg(long)]
    no_seal: bool,
    /// Read and compare only; nothing is signed or sent.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    node: NodeAddress,
    #[command(flatten)]
    key: OwnKey,
}

/// A day of the file, and what is to be done.
struct Day {
    day: LocalDay,
    /// For each slot of the day the row of the file.
    rows: Vec<Option<FrequencyRow>>,
    /// What the ledger has.
    published: Vec<Option<u32>>,
    sealed: bool,
}

impl Frequency {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let rows = frequency_file::read(&self.file).end_with(Exit::Usage)?;
        let node = self.node.connect_with(|| self.key.open())?;
        let rules = connect::rules(&node)?;
        let mut by_day: BTreeMap<LocalDay, Vec<FrequencyRow>> = BTreeMap::new();
        for row in rows {
            by_day.entry(row.day).or_default().push(row);
        }
        let mut days = Vec::with_capacity(by_day.len());
        for (day, rows) in by_day {
            let rows = in_slots(&rules, day, rows)
                .map_err(|error| anyhow!("{}: {error}", self.file.display()))
                .end_with(Exit::Usage)?;
            days.push(Day::compared(&node, day, rows)?);
        }
        let missing: usize = days.iter().map(Day::missing).sum();
        let more = json!({ "days": days.len(), "periods": missing });
        let mut delivery = Delivery::new(&node, days.len() as u64, "transactions")?;
        if self.dry_run {
            for day in &days {
                if day.missing() == 0 {
                    delivery.already()
                }
            }
            return delivery.finish()?.show("transactions", &more, global);
        }
        let key = self.key.open()?;
        let key = key.ok_or_else(|| anyhow!("who publishes? give the grid operator's --key"));
        let mut signer = node.signer(key.end_with(Exit::Usage)?).map_err(ended)?;
        for day in &days {
            if !day.send(&mut delivery, &rules, &mut signer, self.no_seal)? {
                break;
            }
        }
        delivery.finish()?.show("transactions", &more, global)
    }
}

/// Puts the rows of a day into its slots.
fn in_slots(
    rules: &Rules,
    day: LocalDay,
    rows: Vec<FrequencyRow>,
) -> Result<Vec<Option<FrequencyRow>>, String> {
    let slots = rules.calendar().periods_of(day).count;
    let slot_minutes = u16::from(rules.genesis().slot_minutes);
    // Where the clocks change, times of day are missing or stand twice: there the order counts.
    if slots * slot_minutes != 24 * 60 {
        if rows.len() != usize::from(slots) {
            let found = rows.len();
            return Err(format!(
                "{found} rows of {day}, on which clocks change: wanted are {slots}"
            ));
        }
        return Ok(rows.into_iter().map(Some).collect());
    }
    let mut places: Vec<Option<FrequencyRow>> = vec![None; usize::from(slots)];
    for row in rows {
        if row.minute % slot_minutes != 0 {
            return Err(format!("line {}: no slot begins at this time", row.line));
        }
        let place = &mut places[usize::from(row.minute / slot_minutes)];
        if let Some(former) = place
            && former.frequency != row.frequency
        {
            return Err(format!("line {}: line {} has another value", row.line, former.line));
        }
        *place = Some(row);
    }
    Ok(places)
}

impl Day {
    fn compared(
        node: &Connection,
        day: LocalDay,
        rows: Vec<Option<FrequencyRow>>,
    ) -> Result<Self, Ended> {
        let document = node.get_json(&format!("/v1/frequency?day={day}")).map_err(ended)?;
        let slots = document["slots"].as_array().context("the node's answer has no slots")?;
        let value =
            |slot| field_u64(slot, "frequency_millihertz").and_then(|it| it.try_into().ok());
        let mut published: Vec<Option<u32>> = slots.iter().map(value).collect();
        published.resize(rows.len(), None);
        Ok(Self { day, rows, published, sealed: !document["seal"].is_null() })
    }

    /// How many periods the ledger lacks.
    fn missing(&self) -> usize {
        self.rows
            .iter()
            .zip(&self.published)
            .filter(|(row, it)| row.is_some() && it.is_none())
            .count()
    }

    /// Sends what is missing; tells whether to go on.
    fn send(
        &self,
        delivery: &mut Delivery<'_>,
        rules: &Rules,
        signer: &mut Signer,
        no_seal: bool,
    ) -> Result<bool, Ended> {
        let mut differs = false;
        for (row, published) in self.rows.iter().zip(&self.published) {
            if let (Some(row), Some(published)) = (row, published)
                && row.frequency.get() != *published
            {
                let reason = format!(
                    "the ledger has {published} mHz; `submit correct-frequency` puts another in its \
                     place"
                );
                delivery.refuse(row.line, format!("frequency of {}", self.day), reason);
                differs = true;
            }
        }
        for (slot, rows) in self.runs() {
            let frequencies: Vec<MilliHertz> = rows.iter().map(|row| row.frequency).collect();
            let first_period = rules.calendar().periods_of(self.day).first;
            let first_period = first_period.offset(slot as u32).end_with(Exit::Usage)?;
            let frequencies = frequencies.try_into().end_with(Exit::Usage)?;
            let body = PublishFrequency { first_period, frequencies };
            let submission =
                signer.submission(body, Vec::new(), &[], Timestamp::ZERO).end_with(Exit::Usage)?;
            let what = format!("{} frequencies of {}", rows.len(), self.day);
            if !delivery.send(Item { line: rows[0].line, what, submission })? {
                return Ok(false);
            }
        }
        let values: Option<Vec<MilliHertz>> = self
            .rows
            .iter()
            .zip(&self.published)
            .map(|(row, it)| row.map(|row| row.frequency).or_else(|| MilliHertz::new((*it)?).ok()))
            .collect();
        match values {
            _ if self.sealed && self.missing() == 0 && !differs => delivery.already(),
            Some(values) if !no_seal && !self.sealed && !differs => {
                let submission =
                    signer.seal_frequency_day(rules, self.day, &values).end_with(Exit::Usage)?;
                let line = self.rows.iter().flatten().next().map_or(0, |row| row.line);
                let what = format!("seal of the frequencies of {}", self.day);
                return delivery.send(Item { line, what, submission });
            }
            _ => {}
        }
        Ok(!delivery.stopped())
    }

    /// Runs of missing periods, each with its first slot.
    fn runs(&self) -> Vec<(usize, Vec<FrequencyRow>)> {
        let mut runs: Vec<(usize, Vec<FrequencyRow>)> = Vec::new();
        for (slot, (row, published)) in self.rows.iter().zip(&self.published).enumerate() {
            let (Some(row), None) = (row, published) else { continue };
            match runs.last_mut() {
                Some((first, run)) if *first + run.len() == slot && run.len() < MAX_PUBLISHED => {
                    run.push(*row);
                }
                _ => runs.push((slot, vec![*row])),
            }
        }
        runs
    }
}
