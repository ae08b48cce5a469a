//! `gridtally load --network`: traffic on a network that runs, and a log of what it acknowledged.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use contracts::registry::Role;
use serde_json::json;
use simulator::load::{PurchaseReport, Purchases, purchase};

use super::{latency, thousandths};
use crate::cli::Global;
use crate::commands::interrupt::Interrupt;
use crate::commands::network::{Folder, household};
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Traffic instead of a measurement.
#[derive(Debug, Args)]
pub struct Traffic {
    /// A network of `gridtally network up` that runs: instead of measuring fresh nodes its households
    /// buy tokens through all of its nodes, one purchase after the other each. What a node does not
    /// answer is sent to the next one, the very same bytes. Ctrl-C ends it before its time.
    #[arg(
        long, value_name = "DIR",
        conflicts_with_all = ["homes", "slots", "clients", "per_request", "single", "batch",
            "requests_per_second", "payments", "lone", "nodes", "dir",
            "catch_up"]
    )]
    network: Option<PathBuf>,
    /// How long, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "network")]
    seconds: u64,
    /// A file that gets a line for each acknowledged purchase: its id, a blank, its height.
    #[arg(long, value_name = "FILE", requires = "network")]
    acknowledged: Option<PathBuf>,
}

impl Traffic {
    /// The network, when one was named.
    pub fn network(&self) -> Option<&Path> {
        self.network.as_deref()
    }

    /// Buys until the time is over or somebody asks to stop.
    pub fn run(&self, dir: &Path, global: &Global) -> Result<Exit, Ended> {
        let interrupt = Interrupt::listen()?;
        let plan = plan(dir)?;
        let log =
            self.acknowledged.as_deref().map(File::create).transpose().context("--acknowledged")?;
        let log = Mutex::new(log);
        let until = Instant::now() + Duration::from_secs(self.seconds);
        let report =
            purchase(&plan, &|| !interrupt.asked() && Instant::now() < until, &|id, height| {
                match &mut *log.lock().expect("no write panics") {
                    // One write each: a line is there whole, whenever this process ends.
                    Some(log) => log.write_all(format!("{id} {}\n", height.get()).as_bytes()),
                    None => Ok(()),
                }
            });
        tell(&plan, &report.map_err(anyhow::Error::from)?, global)?;
        Ok(Exit::Success)
    }
}

/// The households of a network, its aggregator and its nodes.
fn plan(dir: &Path) -> Result<Purchases, Ended> {
    let folder = Folder::to_read(dir)?;
    let network = folder.founded_network()?;
    if network.households == 0 {
        return Err(anyhow!("the network in {} has no households", dir.display()))
            .end_with(Exit::Usage);
    }
    let aggregator = network.organisations.iter().find(|one| one.is(Role::Aggregator));
    let aggregator = aggregator.context("every network has an aggregator")?;
    let buyers = (1..=network.households).map(|number| folder.key(&household(number)));
    Ok(Purchases {
        urls: network.nodes.iter().map(|node| node.url()).collect(),
        buyers: buyers.collect::<Result<_, _>>()?,
        aggregator: folder.key(&aggregator.name)?,
    })
}

fn tell(plan: &Purchases, report: &PurchaseReport, global: &Global) -> Result<(), Ended> {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (wall, pause) = (milliseconds(report.wall), milliseconds(report.longest_pause));
    let per_second = report.acknowledged * 1_000 / wall.max(1);
    if global.json {
        return output::json(&json!({
            "nodes": plan.urls.len(),
            "households": plan.buyers.len(),
            "acknowledged": report.acknowledged,
            "unanswered": report.unanswered,
            "sent_again": report.sent_again,
            "seconds": thousandths(wall)?,
            "per_second": per_second,
            "latency_ms": latency(&report.latency)?,
            "longest_pause_ms": pause,
        }));
    }
    let ms = |microseconds: u64| output::decimal(i128::from(microseconds), 3, 2);
    output::line(&format!(
        "{} purchases of {} households acknowledged by {} nodes, {per_second}/s; {} without an \
         answer, {} sent again\nlatency p50 {} p95 {} p99 {} ms, nothing acknowledged for {pause} ms \
         at the longest",
        report.acknowledged,
        plan.buyers.len(),
        plan.urls.len(),
        report.unanswered,
        report.sent_again,
        ms(report.latency.p50_us),
        ms(report.latency.p95_us),
        ms(report.latency.p99_us),
    ))
}
