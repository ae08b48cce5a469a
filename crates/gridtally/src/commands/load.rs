//! `gridtally load`: signed work against a node in a process of its own, measured; or traffic on a
//! network that runs.

mod traffic;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use client::connection::Connection;
use primitives::calendar::LocalDay;
use serde_json::{Value, json};
use simulator::load::{Latency, LoadPlan, LoadReport, Rate, Target, run};
use simulator::plan::DayPlan;

use super::connect::ended;
use super::founders::{Founders, NodeChild};
use crate::cli::Global;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Signed work against a node in a process of its own, measured.
///
/// A fresh node is started on a temporary directory and loaded over its API on loopback, as a
/// gateway sends: up to 1,000 signed transactions per request. Signing is done before the clock runs.
/// Beside the rate of readings stands the bare batch verification of the same signatures on the same
/// threads in the same run; beside the latency a bare fdatasync.
#[derive(Debug, Args)]
#[command(after_help = "Figures depend on the build: use a release build \
    (cargo build --release) and look at the load average printed beside them.\n\nExample, with \
    traffic on a network that runs:\n  gridtally load --network net --seconds 60 --acknowledged \
    log.txt")]
pub struct Load {
    /// Usage points, each with a meter.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    homes: u32,
    /// Settlement periods with a signature each, per usage point; from 97 on over several days.
    #[arg(long, value_name = "N", default_value_t = 96)]
    slots: u32,
    /// Connections that send readings at the same time.
    #[arg(long, value_name = "N", default_value_t = 8)]
    clients: u32,
    /// Transactions in one request.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    per_request: u32,
    /// One transaction in each request: the same as --per-request 1.
    #[arg(long, conflicts_with = "per_request")]
    single: bool,
    /// Which readings are sent: `none` batches (a signature each), `day` seals, or both.
    #[arg(long, value_enum, default_value = "both")]
    batch: Batch,
    /// Requests per second over all clients (open loop: latency counts from the time a request is
    /// due); as fast as they are answered when 0 (closed loop).
    #[arg(long, value_name = "N", default_value_t = 0)]
    requests_per_second: u32,
    /// Payments of 64 payers to one account.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    payments: u32,
    /// Submits of a lone client.
    #[arg(long, value_name = "N", default_value_t = 500)]
    lone: u32,
    /// Nodes, each a validator in a process of its own; one of them is loaded, and the CPU time of all
    /// is counted.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=32))]
    nodes: u32,
    /// The last of the nodes is started only when everything is in the ledger, and how fast it catches
    /// up is measured. Until then each of its turns costs the others a second.
    #[arg(long, requires = "nodes")]
    catch_up: bool,
    /// Where the nodes' directories go; a temporary folder unless told otherwise.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    traffic: traffic::Traffic,
}

/// How readings are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Batch {
    /// A signature for each reading.
    None,
    /// A signature for each meter's day.
    Day,
    /// First the one, then the other.
    Both,
}

impl Load {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        if let Some(network) = self.traffic.network() {
            return self.traffic.run(network, global);
        }
        let temporary = tempfile::Builder::new()
            .prefix("gridtally-load-")
            .tempdir()
            .context("no temporary folder can be made; give --dir")?;
        let dir = self.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
        let day = LocalDay::from_civil(2016, 6, 1).map_err(anyhow::Error::from)?;
        let day_plan = DayPlan::new(day, 1, 1);
        if self.catch_up && self.nodes < 4 {
            return Err(anyhow!("--catch-up needs --nodes 4: fewer do not go on without one"))
                .end_with(Exit::Usage);
        }
        let founders = Founders::new(dir, &day_plan, self.nodes)?;
        let started = self.nodes - u32::from(self.catch_up);
        let nodes = (0..started).map(|place| founders.start(place));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        let plan = LoadPlan {
            homes: self.homes,
            slots: if self.batch == Batch::Day { 0 } else { self.slots },
            seals: self.batch != Batch::None,
            clients: self.clients,
            per_request: if self.single { 1 } else { self.per_request },
            requests_per_second: self.requests_per_second,
            payments: self.payments,
            lone: self.lone,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        };
        let target = Target {
            url: nodes[0].url.clone(),
            validators: self.nodes,
            processes: nodes.iter().map(NodeChild::id).collect(),
            store: nodes[0].dir.join("ledger"),
        };
        let spinner = output::progress(0, "");
        let report = run(&plan, &day_plan, &target, &mut |step| {
            spinner.set_prefix(step.to_owned());
        });
        let report = report.map_err(anyhow::Error::from)?;
        spinner.set_prefix("catching up");
        let caught_up =
            self.catch_up.then(|| catch_up(&founders, started, &nodes[0].url)).transpose()?;
        spinner.finish_and_clear();
        self.tell(&plan, &report, caught_up, global)?;
        Ok(Exit::Success)
    }

    fn tell(
        &self,
        plan: &LoadPlan,
        report: &LoadReport,
        caught_up: Option<Duration>,
        global: &Global,
    ) -> Result<(), Ended> {
        let milliseconds = caught_up.map_or(0, |time| time.as_millis().max(1) as u64);
        let behind = report.readings.count + report.seals.count;
        let per_second = behind * 1_000 / milliseconds.max(1);
        if global.json {
            let mut document = document(plan, report)?;
            document["nodes"] = json!(self.nodes);
            if caught_up.is_some() {
                let seconds = thousandths(milliseconds)?;
                document["catch_up"] =
                    json!({ "readings": behind, "seconds": seconds, "per_second": per_second });
            }
            return output::json(&document);
        }
        for line in lines(plan, report) {
            output::line(&line)?;
        }
        if caught_up.is_some() {
            let seconds = output::decimal(i128::from(milliseconds), 3, 1);
            output::line(&format!(
                "{:<22}{behind:>10} of {per_second:>9}/s, {seconds} s from its start on",
                "catching up"
            ))?;
        }
        Ok(())
    }
}

/// Starts the node that was away; the time from then until it stands where the others do.
fn catch_up(founders: &Founders<'_>, place: u32, others: &str) -> Result<Duration, Ended> {
    let height = |url: &str| -> Result<u64, Ended> {
        let connection = Connection::new(url).map_err(ended)?;
        Ok(connection.status().map_err(ended)?.height.get())
    };
    let wanted = height(others)?;
    let began = Instant::now();
    let late = founders.start(place)?;
    while height(&late.url)? < wanted {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(began.elapsed())
}

/// A number with decimals as JSON has it, from whole thousandths.
fn thousandths(value: u64) -> Result<Value, Ended> {
    let text = output::decimal(i128::from(value), 3, 3);
    Ok(serde_json::from_str(&text).map_err(anyhow::Error::from)?)
}

fn rate(rate: &Rate) -> Result<Value, Ended> {
    Ok(json!({
        "count": rate.count,
        "per_second": rate.per_second(),
        "cpu_us": thousandths(rate.cpu_nanoseconds())?,
        "node_cpu_us": thousandths(rate.node_cpu_nanoseconds())?,
    }))
}

fn latency(latency: &Latency) -> Result<Value, Ended> {
    Ok(json!({
        "p50": thousandths(latency.p50_us)?,
        "p95": thousandths(latency.p95_us)?,
        "p99": thousandths(latency.p99_us)?,
    }))
}

/// Per cent of the bare batch verification that the readings reach, in whole per cent.
fn of_bare(report: &LoadReport) -> u64 {
    report.readings.per_second() * 100 / report.bare_verify.per_second().max(1)
}

fn document(plan: &LoadPlan, report: &LoadReport) -> Result<Value, Ended> {
    let mut readings = rate(&report.readings)?;
    readings["bare_verify_us"] = thousandths(report.bare_verify.cpu_nanoseconds())?;
    readings["bare_verify_per_second"] = json!(report.bare_verify.per_second());
    readings["per_cent_of_bare_verify"] = json!(of_bare(report));
    readings["disk_bytes"] = json!(report.readings_disk_bytes);
    readings["first_100k_node_cpu_us"] = thousandths(report.readings_growth.0)?;
    readings["last_100k_node_cpu_us"] = thousandths(report.readings_growth.1)?;
    readings["request_latency_ms"] = latency(&report.readings_latency)?;
    let mut seals = rate(&report.seals)?;
    seals["disk_bytes"] = json!(report.seals_disk_bytes);
    let load = |hundredths: u64| thousandths(hundredths * 10);
    Ok(json!({
        "homes": plan.homes,
        "slots": plan.slots,
        "clients": plan.clients,
        "readings": readings,
        "day_seals": seals,
        "agreeing_day_seals": rate(&report.agreeing_seals)?,
        "charges": rate(&report.charges)?,
        "bills": rate(&report.bills)?,
        "payments": rate(&report.payments)?,
        "latency_ms": latency(&report.lone)?,
        "fsync_ms": thousandths(report.fsync_us)?,
        "rss_mb": report.rss_kib / 1_024,
        "peak_rss_mb": report.peak_rss_kib / 1_024,
        "threads": report.threads,
        "load_average": [load(report.load_average.0)?, load(report.load_average.1)?],
    }))
}

fn lines(plan: &LoadPlan, report: &LoadReport) -> Vec<String> {
    let micro = |nanoseconds: u64| output::decimal(i128::from(nanoseconds), 3, 1);
    let of = |name: &str, rate: &Rate| {
        format!(
            "{name:<22}{:>10} of {:>9}/s {:>9} us CPU each, {} of them the node's",
            rate.count,
            rate.per_second(),
            micro(rate.cpu_nanoseconds()),
            micro(rate.node_cpu_nanoseconds())
        )
    };
    let ms = |microseconds: u64| output::decimal(i128::from(microseconds), 3, 2);
    vec![
        format!(
            "{} homes, {} slots, {} clients, {} threads, load {} to {}",
            plan.homes,
            plan.slots,
            plan.clients,
            report.threads,
            output::decimal(i128::from(report.load_average.0), 2, 2),
            output::decimal(i128::from(report.load_average.1), 2, 2)
        ),
        of("signed readings", &report.readings),
        format!(
            "{:<22}{} us of the node each in the first 100,000, {} in the last",
            "  as history grows",
            micro(report.readings_growth.0),
            micro(report.readings_growth.1)
        ),
        of("bare verification", &report.bare_verify),
        format!("{:<22}{:>10} per cent", "  of the bare rate", of_bare(report)),
        of("readings in seals", &report.seals),
        of("  after single ones", &report.agreeing_seals),
        of("slots charged", &report.charges),
        of("bills", &report.bills),
        of("payments, one account", &report.payments),
        format!(
            "{:<22}p50 {} p95 {} p99 {} ms, bare fsync {} ms",
            "lone client",
            ms(report.lone.p50_us),
            ms(report.lone.p95_us),
            ms(report.lone.p99_us),
            ms(report.fsync_us)
        ),
        format!(
            "{:<22}{} B per signed reading, {} B in day seals, memory {} MB, at most {} MB",
            "space",
            report.readings_disk_bytes,
            report.seals_disk_bytes,
            report.rss_kib / 1_024,
            report.peak_rss_kib / 1_024
        ),
    ]
}
