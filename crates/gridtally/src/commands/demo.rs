//! `gridtally demo`: the main job, from the signed reading to the proven bill.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use primitives::calendar::LocalDay;
use simulator::plan::DayPlan;

use super::play::{self, Play};
use crate::cli::Global;
use crate::exit::{Ended, Exit};
use crate::output;

/// One day of real homes, from the signed reading to the proven bill, on a fresh node.
///
/// A grid operator, two distributors and 40 homes of the SimBench data set (16 with solar export),
/// and one customer with 500 kWh at a flat rate of 5. Every slot is priced by its frequency and
/// charged, every home billed, every bill paid or paid out, every bill proven and its proof
/// verified. Then the node stays up until Ctrl-C: look at it in the browser.
#[derive(Debug, Args)]
#[command(after_help = "Afterwards, in another shell:\n  \
    gridtally verify --genesis DIR/genesis.json DIR/proofs/*.json\n  \
    gridtally show usage-points\n  \
    gridtally replay --dir DIR   (when the node is stopped)")]
pub struct Demo {
    /// Where the ledger, the proofs and the summary go; a temporary folder unless told otherwise. A
    /// former demonstration there is replaced.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// End after the summary instead of staying up.
    #[arg(long)]
    once: bool,
    /// What is played.
    #[command(flatten)]
    day: Day,
    /// Validators: this process and further ones in processes of their own, which order together.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(play::MAX_NODES)))]
    nodes: u32,
    /// Where the API listens [default: 127.0.0.1:7410, a free port with --once].
    #[arg(long, value_name = "ADDRESS", env = "GRIDTALLY_LISTEN")]
    listen: Option<SocketAddr>,
}

/// What is played.
#[derive(Debug, Clone, Args)]
pub struct Day {
    /// Frequencies from a CSV file with the columns date, time, block, freq_hz instead of generated
    /// ones: the day itself if the file has it, else its first 96 slots.
    #[arg(long, value_name = "FILE")]
    pub frequency: Option<PathBuf>,
    /// How many homes; beyond 40 the profiles repeat with a seeded shift.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub homes: u32,
    /// The local day; profiles cover June 2016 and repeat.
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2016-06-01")]
    pub day: LocalDay,
    /// Of which keys, generated frequencies and shifts are made.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

impl Day {
    /// The plan.
    ///
    /// # Errors
    /// When the frequency file holds no whole day.
    pub fn plan(&self) -> Result<DayPlan, Ended> {
        let plan = DayPlan::new(self.day, self.homes, self.seed);
        Ok(match play::frequencies(self.frequency.as_ref(), self.day)? {
            Some(frequency) => plan.with_frequency(frequency),
            None => plan,
        })
    }
}

impl Demo {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let temporary = match self.dir {
            Some(_) => None,
            None => Some(
                tempfile::Builder::new()
                    .prefix("gridtally-demo-")
                    .tempdir()
                    .context("no temporary folder can be made; give --dir")?,
            ),
        };
        let dir = match (&self.dir, &temporary) {
            (Some(dir), _) => dir.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => unreachable!("one of the two is there"),
        };
        let port = if self.once { 0 } else { 7410 };
        let listen = self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port)));
        let play = Play {
            plan: self.day.plan()?,
            dir: dir.clone(),
            listen,
            per_slot: Duration::ZERO,
            nodes: self.nodes,
        };
        let played = play.run()?;
        if global.json {
            output::json(&played.summary())?;
        } else {
            play::print(&played)?;
        }
        if self.once {
            played.running.stop()?;
            return Ok(Exit::Success);
        }
        if !global.json {
            output::line(&format!(
                "\nlook at it    http://localhost:{}\nfiles         {}\nstop it       Ctrl-C",
                played.running.address.port(),
                dir.display()
            ))?;
        }
        played.running.until_stopped()?;
        Ok(Exit::Success)
    }
}
