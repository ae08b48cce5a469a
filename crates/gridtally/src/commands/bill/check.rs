//! `gridtally bill check`: what the household does with a bill that nobody else can check.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use client::proof_file::ProofFile;
use client::readings_file::{self, SlotDay};
use client::verify::{TrustAnchor, verify_proof};
use contracts::Rules;
use contracts::billing::bill_proof::BillProof;
use primitives::calendar::LocalDay;
use primitives::identifier::BillId;
use primitives::reading::Reading;
use serde_json::json;

use crate::cli::Global;
use crate::commands::connect::{self, NodeAddress, OwnKey, ended};
use crate::commands::submit::write_whole;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// A bill and what it is checked against.
#[derive(Debug, Args)]
pub struct Check {
    /// The bill's id.
    #[arg(value_name = "BILL")]
    bill: BillId,
    /// Your own readings: a table or NEM12 file, as `import readings` takes it.
    #[arg(long, value_name = "FILE")]
    readings: Option<PathBuf>,
    /// Which meter of the file it is, where there are several.
    #[arg(long, value_name = "NAME", requires = "readings")]
    meter: Option<String>,
    /// The genesis of the ledger that you trust; by default the node's.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Keep the proof in this file, for `gridtally verify`.
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
    #[command(flatten)]
    node: NodeAddress,
    #[command(flatten)]
    key: OwnKey,
}

impl Check {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let node = self.node.connect_as(&self.key)?;
        let genesis = match &self.genesis {
            Some(file) => client::genesis_file::read(file).end_with(Exit::Usage)?,
            None => connect::rules(&node)?.genesis().clone(),
        };
        let rules = Rules::new(genesis.clone()).end_with(Exit::Usage)?;
        let bytes = node.bill_proof(&self.bill).map_err(ended)?;
        if let Some(out) = &self.out {
            write_whole(out, &bytes)?;
        }
        let file = ProofFile::parse(&bytes).end_with(Exit::Failure)?;
        let difference = match verify_proof(&TrustAnchor::Genesis(Box::new(genesis)), &file) {
            Err(error) => Some(error.to_string()),
            Ok(bill) if bill.bill != self.bill => Some(format!("it is about bill {}", bill.bill)),
            Ok(_) => match &self.readings {
                Some(readings) => self.compare(&rules, readings, file.proof())?,
                None => None,
            },
        };
        self.show(difference.as_deref(), global)
    }

    /// The first slot in which the sealed readings are others than those of the file.
    fn compare(
        &self,
        rules: &Rules,
        file: &Path,
        proof: &BillProof,
    ) -> Result<Option<String>, Ended> {
        let calendar = rules.calendar();
        let intervals = readings_file::read(file, calendar, None).end_with(Exit::Usage)?;
        let labels: Vec<&str> = intervals.labels().collect();
        let label = match (&self.meter, labels.as_slice()) {
            (Some(meter), _) => meter.as_str(),
            (None, [only]) => only,
            (None, several) => {
                let error =
                    anyhow!("the file has {} meters: say which with --meter", several.len());
                return Err(error).end_with(Exit::Usage);
            }
        };
        let (days, _) = intervals.days(calendar);
        let own = |day: LocalDay| days.iter().find(|own| own.label == label && own.day == day);
        let (first, last) = proof.bill.period.days().end_with(Exit::Failure)?;
        let billed = (first.get()..=last.get()).filter_map(|day| LocalDay::new(day).ok());
        let mut sealed = billed.zip(&proof.days);
        Ok(sealed.find_map(|(day, sealed)| difference(day, own(day), &sealed.readings)))
    }

    fn show(&self, difference: Option<&str>, global: &Global) -> Result<Exit, Ended> {
        if global.json {
            output::json(&json!({
                "bill": self.bill.to_string(),
                "equal": difference.is_none(),
                "difference": difference,
                "own_readings": self.readings.is_some(),
            }))?;
        } else {
            output::line(&match (difference, &self.readings) {
                (Some(difference), _) => format!("bill {} DIFFERS: {difference}", self.bill),
                (None, None) => format!(
                    "bill {} is equal: every line follows from the readings that were sealed",
                    self.bill
                ),
                (None, Some(_)) => format!(
                    "bill {} is equal: the readings that were sealed are yours, and every line follows \
                     from them",
                    self.bill
                ),
            })?;
        }
        Ok(if difference.is_some() { Exit::Failure } else { Exit::Success })
    }
}

/// How a day that was sealed differs from one's own, in words.
fn difference(day: LocalDay, own: Option<&SlotDay>, sealed: &[Reading]) -> Option<String> {
    let Some(own) = own else { return Some(format!("{day} is not in your file")) };
    let pairs = (0_u16..).zip(own.slots.iter().zip(sealed));
    pairs.into_iter().find_map(|(slot, (own, sealed))| {
        let energy = |reading: &Reading| (reading.import_wh.get(), reading.export_wh.get());
        let theirs = energy(sealed);
        match own.as_ref().map(energy) {
            Some(ours) if ours == theirs => None,
            Some(ours) => Some(format!(
                "{day}, slot {slot}: sealed are {} Wh drawn and {} Wh injected, your file has {} and {}",
                theirs.0, theirs.1, ours.0, ours.1
            )),
            None => Some(format!("{day}, slot {slot} is missing in your file")),
        }
    })
}
