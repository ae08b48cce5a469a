//! One day on a fresh node: what `demo` and `simulate` share.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use client::connection::Connection;
use client::genesis_file;
use client::proof_file::ProofFile;
use client::verify::{TrustAnchor, verify};
use contracts::registry::UsagePointKind;
use indicatif::ProgressBar;
use primitives::calendar::LocalDay;
use primitives::units::{MicroCurrency, MilliHertz};
use serde_json::{Value, json};
use simulator::demo_keys::DemoRole;
use simulator::desk::LedgerDesk;
use simulator::pace::WallPace;
use simulator::plan::DayPlan;
use simulator::report::{BillRow, DayReport, Phase, Progress, Totals};

use super::connect::ended;
use super::founders::{Founders, NodeChild};
use super::keys::write_key;
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;
use crate::serve::{LedgerParts, Running, Serve};

/// Validators of a demonstration at most; a former one's are looked for up to this number.
pub const MAX_NODES: u32 = 16;

/// What is played and where.
pub struct Play {
    /// The plan.
    pub plan: DayPlan,
    /// The directory; a former demonstration in it is replaced.
    pub dir: PathBuf,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// How long a slot takes.
    pub per_slot: Duration,
    /// Validators: this process is the first, the others are processes of their own.
    pub nodes: u32,
}

/// A day that was played, on a node that still runs.
pub struct Played {
    /// What came out.
    pub report: DayReport,
    /// How many proofs were written and verified.
    pub proofs: usize,
    /// The node.
    pub running: Running,
    /// The other validators.
    pub others: Vec<NodeChild>,
    /// The directory.
    pub directory: Directory,
}

impl Play {
    /// Plays the day, proves every bill, verifies every proof, and writes all of it down.
    ///
    /// # Errors
    /// The first thing that went wrong; a proof that does not verify is one.
    pub fn run(self) -> Result<Played, Ended> {
        let founders = Founders::new(self.dir.clone(), &self.plan, self.nodes)?;
        let genesis = founders.genesis().clone();
        let directory = fresh_directory(&self.dir)?;
        let keys = self.plan.keys();
        let validator = keys.key(DemoRole::Validator, 0);
        write_demo_keys(&directory, &self.plan)?;
        let running = Serve {
            ledger: LedgerParts {
                store: directory.open_store()?,
                genesis: genesis.clone(),
                key: validator,
                open_reads: true,
                read_model: Some(super::read_model::file(&directory)),
                checkpoints: None,
                private: None,
                keep: None,
                bft: founders.orderer(0, &directory),
            },
            listen: self.listen,
            clock_offset_ms: 0,
            hosts: Vec::new(),
            further: None,
        }
        .start()?;
        // Written when the port is ours: whoever finds a genesis finds its ledger.
        genesis_file::write(&directory.genesis_file(), &genesis).map_err(anyhow::Error::from)?;
        eprintln!("gridtally: node at http://localhost:{}", running.address.port());
        let others = (1..self.nodes).map(|place| founders.start(place));
        let others = others.collect::<Result<Vec<_>, _>>()?;

        let mut desk = LedgerDesk::new(
            running.node().submitter(),
            running.node().reader(),
            running.runtime.handle().clone(),
        );
        let mut pace = WallPace::new(self.per_slot);
        let mut bars = Bars::default();
        let report =
            simulator::run_day(&self.plan, &mut desk, &mut pace, &mut |step| bars.show(step))
                .map_err(anyhow::Error::from)?;
        bars.finish();
        let proofs = prove(&running, &directory, &report)?;
        require_agreement(&running, &others)?;
        let played = Played { report, proofs, running, others, directory };
        write_atomic(&played.directory.path().join("summary.json"), &played.summary())?;
        Ok(played)
    }
}

/// A fresh directory; a former demonstration in it makes way, anything else does not.
fn fresh_directory(dir: &Path) -> Result<Directory, Ended> {
    let directory = Directory::create(dir)?;
    let mut entries = std::fs::read_dir(dir)?;
    if entries.next().is_none() {
        return Ok(directory);
    }
    let is_former = directory.genesis_file().exists() && directory.genesis()?.demo;
    let is_unfinished = dir.join(MARK).exists();
    if !is_former && !is_unfinished {
        return Err(anyhow!(
            "{} is not empty and holds no demonstration; choose another --dir",
            dir.display()
        ))
        .end_with(Exit::Usage);
    }
    // The store's lock tells whether its node still runs.
    drop(directory.open_store()?);
    let of_others = (1..=MAX_NODES).map(|number| format!("node-{number}"));
    for name in
        ["proofs", "keys", "ledger", "consensus"].map(str::to_owned).into_iter().chain(of_others)
    {
        let path = dir.join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path)
                .with_context(|| format!("{} cannot be removed", path.display()))?;
        }
    }
    for path in [dir.join("summary.json"), directory.node_key_file(), directory.genesis_file()] {
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(directory)
}

/// Says that a directory is a demonstration's, from before its first file on.
const MARK: &str = "DEMONSTRATION";

/// The public keys of the demonstration as files, so that its transactions can be tried by hand.
fn write_demo_keys(directory: &Directory, plan: &DayPlan) -> Result<(), Ended> {
    std::fs::write(
        directory.path().join(MARK),
        "A demonstration of Gridtally. Its keys are known to everybody; `gridtally demo` replaces it.\n",
    )?;
    let keys = plan.keys();
    write_key(&directory.node_key_file(), &keys.key(DemoRole::Validator, 0), None)?;
    let folder = directory.path().join("keys");
    std::fs::create_dir_all(&folder)?;
    let single = [
        ("owner", DemoRole::Owner),
        ("clock-keeper", DemoRole::ClockKeeper),
        ("regulator", DemoRole::Regulator),
        ("network-provider", DemoRole::NetworkProvider),
        ("grid-operator", DemoRole::GridOperator),
        ("aggregator", DemoRole::Aggregator),
    ];
    for (name, role) in single {
        write_key(&folder.join(format!("{name}.key")), &keys.key(role, 0), None)?;
    }
    let several = [
        ("distributor", DemoRole::Distributor, 2),
        ("household", DemoRole::Household, plan.homes.min(10) + 1),
        ("meter", DemoRole::Meter, plan.homes.min(10) + 1),
    ];
    for (name, role, count) in several {
        for index in 0..count {
            let path = folder.join(format!("{name}-{}.key", index + 1));
            write_key(&path, &keys.key(role, index), None)?;
        }
    }
    Ok(())
}

/// One bar for each act of the day.
#[derive(Default)]
struct Bars {
    bar: Option<ProgressBar>,
    phase: Option<Phase>,
}

impl Bars {
    fn show(&mut self, step: &Progress) {
        if self.phase != Some(step.phase) {
            self.finish();
            let bar = output::progress(u64::from(step.slots), "slots");
            bar.set_prefix(step.phase.name());
            self.bar = Some(bar);
            self.phase = Some(step.phase);
        }
        let Some(bar) = &self.bar else { return };
        bar.set_position(u64::from(step.slot));
        let frequency = step.frequency.map_or_else(String::new, |frequency| {
            format!("{} Hz", output::decimal(i128::from(frequency.get()), 3, 3))
        });
        let price = step.price.map_or_else(String::new, |price| {
            format!("{}/kWh", output::decimal(i128::from(price.get()), 6, 4))
        });
        bar.set_message(format!(
            "{frequency} {price} in {} out {} kWh, block {}",
            output::kilowatt_hours(step.import.get()),
            output::kilowatt_hours(step.export.get()),
            step.height
        ));
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Writes and verifies the proof of every bill, each one against the genesis file on disk.
fn prove(running: &Running, directory: &Directory, report: &DayReport) -> Result<usize, Ended> {
    std::fs::create_dir_all(directory.proofs())?;
    let trusted = TrustAnchor::Genesis(Box::new(directory.genesis()?));
    let reader = running.node().reader();
    let last = reader.view()?.head().last_non_empty;
    running.runtime.block_on(reader.provable(last));
    let view = reader.view()?;
    let bar = output::progress(report.bills.len() as u64, "bills");
    bar.set_prefix("proofs");
    for row in &report.bills {
        let proof = view
            .bill_proof(row.bill)?
            .ok_or_else(|| anyhow!("the bill of {} cannot be proven", row.label))?;
        let path = directory.proofs().join(format!("{}-{}.json", row.label, row.bill));
        ProofFile::new(proof).and_then(|file| file.write(&path)).map_err(anyhow::Error::from)?;
        let bytes = std::fs::read(&path)?;
        verify(&trusted, &bytes).with_context(|| format!("{} does not verify", path.display()))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(report.bills.len())
}

/// Every validator must have the same block where the first one stands, and so the same state.
fn require_agreement(running: &Running, others: &[NodeChild]) -> Result<(), Ended> {
    let height = running.node().reader().view()?.height();
    let block = |url: &str| -> Result<Value, Ended> {
        let connection = Connection::new(url).map_err(ended)?;
        let path = format!("/v1/blocks/{height}?at_least={height}");
        Ok(connection.get_json(&path).map_err(ended)?["header"]["bytes"].take())
    };
    let own = block(&format!("http://127.0.0.1:{}", running.address.port()))?;
    for other in others {
        if block(&other.url)? != own {
            return Err(anyhow!("{} has another block {height}", other.dir.display()).into());
        }
    }
    Ok(())
}

impl Played {
    /// The day as one JSON document.
    pub fn summary(&self) -> Value {
        let mut document = summary(&self.report, self.proofs);
        document["nodes"] = json!(1 + self.others.len());
        document
    }
}

fn summary(report: &DayReport, proofs: usize) -> Value {
    let micro = |amount: MicroCurrency| amount.get().to_string();
    let totals = |totals: &Totals| {
        json!({
            "import_wh": totals.import.get().to_string(),
            "export_wh": totals.export.get().to_string(),
            "billed_micro": micro(totals.billed),
            "paid_micro": micro(totals.paid),
            "paid_out_micro": micro(totals.paid_out),
            "open_micro": micro(totals.open),
            "negative_bills": totals.negative_bills,
        })
    };
    let bills: Vec<_> = report.bills.iter().map(bill_json).collect();
    let fixed = &report.fixed_point;
    json!({
        "ledger_id": report.ledger_id.to_string(),
        "homes": report.homes,
        "slots": report.slots,
        "readings": report.readings.to_string(),
        "transactions": report.transactions.to_string(),
        "height": report.height.to_string(),
        "state_root": report.state_root.to_string(),
        "frequency_millihertz_mean": report.frequency_mean.get(),
        "price_micro_per_kwh_mean": report.price_mean.get().to_string(),
        "households": totals(&report.households),
        "boundaries": totals(&report.boundaries),
        "flat_rate_500_kwh": {
            "usage_point": fixed.usage_point.to_string(),
            "total_micro": micro(fixed.total),
            "first_payment_micro": micro(fixed.first_payment),
            "open_after_first_micro": micro(fixed.open_after_first),
            "second_payment_micro": micro(fixed.second_payment),
            "open_after_second_micro": micro(fixed.open_after_second),
        },
        "proofs_verified": proofs,
        "bills": bills,
        "elapsed_ms": u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
    })
}

fn bill_json(row: &BillRow) -> Value {
    json!({
        "station": row.station,
        "label": row.label,
        "kind": match row.kind {
            UsagePointKind::Household => "household",
            UsagePointKind::Boundary => "boundary",
        },
        "usage_point": row.usage_point.to_string(),
        "bill": row.bill.to_string(),
        "import_wh": row.import.get().to_string(),
        "export_wh": row.export.get().to_string(),
        "total_micro": row.total.get().to_string(),
        "paid_micro": row.paid.get().to_string(),
        "open_micro": row.open.get().to_string(),
    })
}

fn write_atomic(path: &Path, document: &Value) -> Result<(), Ended> {
    let mut text = serde_json::to_string_pretty(document).map_err(anyhow::Error::from)?;
    text.push('\n');
    let beside = path.with_extension("json.part");
    std::fs::write(&beside, text)?;
    Ok(std::fs::rename(&beside, path)?)
}

/// The frequencies of the day from a file, or none.
///
/// # Errors
/// When the file holds no whole day.
pub fn frequencies(
    file: Option<&PathBuf>,
    day: LocalDay,
) -> Result<Option<Vec<MilliHertz>>, Ended> {
    let Some(path) = file else { return Ok(None) };
    let rows = client::frequency_file::read(path).end_with(Exit::Usage)?;
    // The day itself when the file has it, else its first 96 slots.
    let of_day: Vec<_> =
        rows.iter().filter(|row| row.day == day).map(|row| row.frequency).collect();
    let series =
        if of_day.is_empty() { rows.iter().map(|r| r.frequency).collect() } else { of_day };
    if series.len() < 96 {
        return Err(anyhow!("{} has {} slots, a day has 96", path.display(), series.len()))
            .end_with(Exit::Usage);
    }
    Ok(Some(series[..96].to_vec()))
}

/// What people read: the table of bills, then the day in a few lines.
pub fn print(played: &Played) -> Result<(), Ended> {
    let currency = played.directory.genesis()?.currency;
    let money = Money { code: currency.code.as_str(), decimals: currency.minor_unit_decimals };
    let report = &played.report;
    output::line(&bill_table(report, &money).to_string())?;
    for line in summary_lines(report, played.proofs, &money) {
        output::line(&line)?;
    }
    if !played.others.is_empty() {
        let nodes = 1 + played.others.len();
        output::line(&format!("nodes        {nodes} validators agree on every block"))?;
    }
    Ok(())
}

/// How amounts are shown.
struct Money<'a> {
    code: &'a str,
    decimals: u8,
}

impl Money<'_> {
    fn text(&self, amount: MicroCurrency) -> String {
        output::amount(amount.get(), self.decimals)
    }
}

fn bill_table(report: &DayReport, money: &Money<'_>) -> comfy_table::Table {
    let bill = format!("bill {}", money.code);
    let head = ["station", "usage point", "drawn kWh", "injected kWh", &bill, "paid", "open"];
    let mut table = output::table(&head, 2);
    for row in &report.bills {
        table.add_row([
            row.station.clone(),
            row.label.clone(),
            output::kilowatt_hours(row.import.get()),
            output::kilowatt_hours(row.export.get()),
            money.text(row.total),
            money.text(row.paid),
            money.text(row.open),
        ]);
    }
    table
}

fn summary_lines(report: &DayReport, proofs: usize, money: &Money<'_>) -> [String; 7] {
    let fixed = &report.fixed_point;
    let households = &report.households;
    let code = money.code;
    [
        format!("ledger       {}", report.ledger_id),
        format!(
            "day          {} slots, mean {} Hz, mean price {} {code}/kWh",
            report.slots,
            output::decimal(i128::from(report.frequency_mean.get()), 3, 3),
            output::decimal(i128::from(report.price_mean.get()), 6, 4)
        ),
        format!(
            "readings     {} in {} transactions, {} blocks, {}.{:03} s",
            report.readings,
            report.transactions,
            report.height,
            report.elapsed.as_secs(),
            report.elapsed.subsec_millis()
        ),
        format!(
            "households   drawn {} kWh, injected {} kWh, billed {} {code}, {} paid out on {} \
             negative bills",
            output::kilowatt_hours(households.import.get()),
            output::kilowatt_hours(households.export.get()),
            money.text(households.billed),
            money.text(households.paid_out),
            households.negative_bills
        ),
        format!(
            "flat rate    500 kWh: bill {}, paid {} leaves {}, paid {} leaves {}",
            money.text(fixed.total),
            money.text(fixed.first_payment),
            money.text(fixed.open_after_first),
            money.text(fixed.second_payment),
            money.text(fixed.open_after_second)
        ),
        "books        every account adds up to zero".to_owned(),
        format!("proofs       {proofs} of {} bills verified", report.bills.len()),
    ]
}
