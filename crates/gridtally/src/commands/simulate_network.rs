//! `gridtally simulate network`: whole networks with faults, each from one seed.

use std::str::FromStr;

use clap::Args;
use network_simulator::{Faults, SeedReport, simulate};
use serde_json::json;

use crate::cli::Global;
use crate::exit::{Ended, Exit};
use crate::output;

/// Whole networks with faults, each from one seed.
///
/// The real node code runs on simulated time, network and disks, and what must hold is checked at
/// every block: no fork, equal roots, energy and money conserved, nothing lost that was answered,
/// progress after healing. A seed that fails fails again: run it alone with `--seeds N..N+1`.
#[derive(Debug, Args)]
pub struct SimulateNetwork {
    /// The seeds, from the first up to the one before the last: `0..100`.
    #[arg(long, value_name = "A..B", default_value = "0..25")]
    seeds: Seeds,
    /// What strikes: `none`, `crash`, `network` (loss, delay, partitions, skewed clocks), `storage`,
    /// `byzantine` (one of the four lies), `membership` (validators crash, and one may lie, while others take their seats)
    /// or `all` (all but the last).
    #[arg(long, value_name = "FAULTS", default_value = "all")]
    faults: Faults,
}

#[derive(Debug, Clone, Copy)]
struct Seeds {
    first: u64,
    end: u64,
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "wanted is A..B with A below B";
        let (first, end) = text.split_once("..").ok_or(wanted)?;
        let parse = |number: &str| number.parse().map_err(|_| wanted);
        let (first, end) = (parse(first)?, parse(end)?);
        if first < end { Ok(Self { first, end }) } else { Err(wanted.to_owned()) }
    }
}

impl SimulateNetwork {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let Seeds { first, end } = self.seeds;
        let (mut blocks, mut violations, mut failing) = (0, 0_usize, None::<SeedReport>);
        for seed in first..end {
            let report = simulate(seed, self.faults, None);
            blocks += report.blocks;
            violations += report.violations.len();
            if !report.violations.is_empty() && failing.is_none() {
                eprintln!("gridtally: seed {seed}: {}", report.violations[0]);
                failing = Some(report);
            }
        }
        let seeds = end - first;
        if global.json {
            output::json(&json!({
                "seeds": seeds,
                "violations": violations,
                "blocks": blocks,
                "first_failing_seed": failing.as_ref().map(|report| report.seed),
                "first_violation": failing.as_ref().map(|report| &report.violations[0]),
            }))?;
        } else {
            output::line(&format!("{seeds} seeds, {blocks} blocks, {violations} violations"))?;
        }
        Ok(if failing.is_none() { Exit::Success } else { Exit::Failure })
    }
}
