//! `gridtally simulate network`: whole networks with faults, each from one seed.

use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

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
/// progress after healing. A seed that fails fails again: run it alone with `--seed N`.
#[derive(Debug, Args)]
pub struct SimulateNetwork {
    /// The seeds, from the first up to the one before the last: `0..100`.
    #[arg(long, value_name = "A..B", default_value = "0..25")]
    seeds: Seeds,
    /// One seed alone.
    #[arg(
        long, value_name = "N", conflicts_with = "seeds",
        value_parser = clap::value_parser!(u64).range(..u64::MAX)
    )]
    seed: Option<u64>,
    /// What strikes: `none`, `crash`, `network` (loss, delay, partitions, skewed clocks), `storage`,
    /// `byzantine` (one of the four lies), `membership` (validators crash, and one may lie, while
    /// others take their seats) or `all` (all but the last).
    #[arg(long, value_name = "FAULTS", default_value = "all")]
    faults: Faults,
    /// Seeds that run at the same time; as many as the machine has processors unless told otherwise.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
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

/// What came of the seeds so far.
#[derive(Default)]
struct Tally {
    blocks: u64,
    violations: usize,
    /// The first of those that failed, by number.
    failing: Option<SeedReport>,
}

impl Tally {
    fn add(&mut self, report: SeedReport) {
        self.blocks += report.blocks;
        self.violations += report.violations.len();
        let Some(violation) = report.violations.first() else { return };
        eprintln!("gridtally: seed {}: {violation}", report.seed);
        if self.failing.as_ref().is_none_or(|first| report.seed < first.seed) {
            self.failing = Some(report);
        }
    }
}

impl SimulateNetwork {
    fn seeds(&self) -> Seeds {
        self.seed.map_or(self.seeds, |seed| Seeds { first: seed, end: seed + 1 })
    }

    /// Each seed is a run of its own, so they run side by side; what comes out is the same.
    fn simulate(&self) -> Tally {
        let Seeds { first, end } = self.seeds();
        let bar = output::progress(end - first, "seeds");
        let (next, tally) = (AtomicU64::new(first), Mutex::new(Tally::default()));
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    return;
                }
                let report = simulate(seed, self.faults, None);
                tally.lock().expect("nothing panics while it holds the tally").add(report);
                bar.inc(1);
            }
        };
        let cores = || thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let jobs = self.jobs.map_or_else(cores, usize::from);
        thread::scope(|scope| {
            for _ in 1..jobs {
                scope.spawn(work);
            }
            work();
        });
        bar.finish_and_clear();
        tally.into_inner().expect("nothing panics while it holds the tally")
    }

    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let Seeds { first, end } = self.seeds();
        let seeds = end - first;
        let Tally { blocks, violations, failing } = self.simulate();
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
