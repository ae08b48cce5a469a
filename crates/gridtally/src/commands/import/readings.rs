//! Readings: from tables and NEM12 to seals of days.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use client::connection::Connection;
use client::readings_file::{self, DayRefused, Intervals, SlotDay};
use client::transaction_builder::{GatewayDay, MeterDay, Signer, slot_salt};
use contracts::Rules;
use contracts::metering::Registers;
use primitives::calendar::LocalDay;
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;
use primitives::key::SigningKey;
use primitives::reading::{DaySeed, Reading, day_root};
use primitives::units::{Sequence, WattHours};
use serde_json::{Value, json};
use simulator::demo_keys::{DemoKeys, DemoRole};

use super::delivery::{Delivery, Item};
use crate::cli::Global;
use crate::commands::connect::{self, NodeAddress, OwnKey, ended, field_u64};
use crate::commands::submit::csv_file::{self, Columns};
use crate::commands::submit::day_seed;
use crate::commands::submit::values;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Meters of one gateway's batch: their values stay well below a payload's 1 MiB.
const BATCH: usize = 250;

/// See [`super::Import`].
#[derive(Debug, Args)]
pub struct Readings {
    /// The table or NEM12 file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What was injected: a second wide table of the same meters.
    #[arg(long, value_name = "FILE.csv")]
    export: Option<PathBuf>,
    #[command(flatten)]
    signers: Signers,
    /// With --gateway-key: a table with the columns label and usage_point, such as the members.csv of
    /// `import members`. Without it labels are looked up on the node with the gateway's rights.
    #[arg(long, value_name = "FILE.csv", requires = "gateway_key")]
    map: Option<PathBuf>,
    /// Only days from this one on.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    from: Option<LocalDay>,
    /// Only days up to this one.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    until: Option<LocalDay>,
    /// Length of the intervals, where the file's times do not show it.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u16).range(1..=60))]
    interval_minutes: Option<u16>,
    /// A day with missing slots: `skip` refuses it, `single` sends the slots that are there one by one.
    #[arg(long, value_name = "HOW", value_enum, default_value = "skip")]
    incomplete: Incomplete,
    /// The import register of every meter before its first day in the file, in Wh. Without it the node
    /// tells what the meter showed last before that day, with the rights of --reader-key.
    #[arg(long, value_name = "WH", conflicts_with = "gateway_key")]
    first_import_wh: Option<u64>,
    /// The same for the export register.
    #[arg(long, value_name = "WH", requires = "first_import_wh")]
    first_export_wh: Option<u64>,
    /// A key of who may see the meters' registers, to go on from them: the customer, the biller, the
    /// grid operator. With --demo-seed it is the demonstration's grid operator.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["gateway_key", "first_import_wh"])]
    reader_key: Option<PathBuf>,
    /// Read and count only; nothing is signed or sent.
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: the calendar of this genesis file, so that no node is asked.
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    genesis: Option<PathBuf>,
    #[command(flatten)]
    node: NodeAddress,
    /// Read the passphrase of key files from the first line of a file; `-` is standard input.
    #[arg(long, value_name = "FILE", env = "GRIDTALLY_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Who signs.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Signers {
    /// A folder with each meter's key in LABEL.key; the key says which usage point it measures.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// The public keys of a demonstration of this seed: the file's meters in the order of their names
    /// are its meters 1, 2, ….
    #[arg(long, value_name = "SEED")]
    demo_seed: Option<u64>,
    /// A gateway's key, which signs one batch a day for all meters.
    #[arg(long, value_name = "FILE")]
    gateway_key: Option<PathBuf>,
}

/// What happens to a day with missing slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Incomplete {
    /// It is refused.
    Skip,
    /// The slots that are there are sent one by one.
    Single,
}

impl Readings {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let Signers { keys, demo_seed, gateway_key } = &self.signers;
        if !self.dry_run && keys.is_none() && demo_seed.is_none() && gateway_key.is_none() {
            let error =
                anyhow!("who signs? give --keys, --gateway-key or --demo-seed, or --dry-run");
            return Err(error).end_with(Exit::Usage);
        }
        let reader = self.reader_key.as_ref().or(gateway_key.as_ref());
        let node = self.node.connect_with(|| reader.map(|file| self.key(file)).transpose())?;
        let rules = match &self.genesis {
            Some(file) => {
                let genesis = client::genesis_file::read(file).end_with(Exit::Usage)?;
                Rules::new(genesis).end_with(Exit::Usage)?
            }
            None => connect::rules(&node)?,
        };
        if rules.is_private() && (gateway_key.is_some() || self.incomplete == Incomplete::Single) {
            let error = anyhow!(
                "on a private ledger each meter seals whole days: leave --gateway-key and \
                 --incomplete single out"
            );
            return Err(error).end_with(Exit::Usage);
        }
        let intervals = self.read(&rules)?;
        let (mut days, mut refused) = intervals.days(rules.calendar());
        let wanted = |day: LocalDay| {
            self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
        };
        days.retain(|day| wanted(day.day));
        refused.retain(|day| wanted(day.day));
        let summary = summary(&intervals, &days)?;
        if self.dry_run {
            return dry_run(&days, &refused, &summary, global);
        }
        let mut delivery = Delivery::new(&node, (days.len() + refused.len()) as u64, "days")?;
        for DayRefused { label, day, line, reason } in refused {
            delivery.refuse(line, format!("{label} on {day}"), reason);
        }
        if let Some(file) = &self.signers.gateway_key {
            self.send_batches(&mut delivery, (&node, &rules), &days, &self.key(file)?)?;
        } else {
            self.send_seals(&mut delivery, (&node, &rules), &intervals, days)?;
        }
        delivery.finish()?.show("transactions", &summary, global)
    }

    fn read(&self, rules: &Rules) -> Result<Intervals, Ended> {
        let named = |file: &Path, error: readings_file::ReadingsFileError| {
            let error = match error {
                readings_file::ReadingsFileError::File { .. } => anyhow!("{error}"),
                error => anyhow!("{}: {error}", file.display()),
            };
            Ended { exit: Exit::Usage, error }
        };
        let (calendar, minutes) = (rules.calendar(), self.interval_minutes);
        let mut intervals = readings_file::read(&self.file, calendar, minutes)
            .map_err(|error| named(&self.file, error))?;
        if let Some(file) = &self.export {
            readings_file::read_export(&mut intervals, file, calendar, minutes)
                .map_err(|error| named(file, error))?;
        }
        Ok(intervals)
    }

    fn key(&self, file: &Path) -> Result<SigningKey, Ended> {
        OwnKey { key: None, passphrase_file: self.passphrase_file.clone() }.open_file(file)
    }

    /// Lets the node show the registers from which the meters go on.
    fn log_in(&self, node: &Connection) -> Result<(), Ended> {
        let key = match (&self.reader_key, self.signers.demo_seed) {
            (Some(file), _) => self.key(file)?,
            (None, Some(seed)) => DemoKeys::new(seed).key(DemoRole::GridOperator, 0),
            (None, None) => return Ok(()),
        };
        node.log_in(key).map(drop).map_err(ended)
    }

    /// The key of a meter; what stands against it in words.
    fn meter_key(
        &self,
        rules: &Rules,
        label: &str,
        number: u32,
    ) -> Result<Result<SigningKey, String>, Ended> {
        if let Some(seed) = self.signers.demo_seed {
            if !rules.genesis().demo {
                let error = anyhow!("--demo-seed: this is no demonstration; its keys are secret");
                return Err(error).end_with(Exit::Usage);
            }
            return Ok(Ok(DemoKeys::new(seed).key(DemoRole::Meter, number)));
        }
        let folder = self.signers.keys.as_deref().unwrap_or(Path::new("."));
        if label.contains(['/', '\\']) || label.starts_with('.') {
            return Ok(Err("its name is no name of a key file".to_owned()));
        }
        let file = folder.join(format!("{label}.key"));
        if !file.exists() {
            return Ok(Err(format!("there is no key file {}", file.display())));
        }
        self.key(&file).map(Ok)
    }

    fn send_seals(
        &self,
        delivery: &mut Delivery<'_>,
        (node, rules): (&Connection, &Rules),
        intervals: &Intervals,
        days: Vec<SlotDay>,
    ) -> Result<(), Ended> {
        self.log_in(node)?;
        let mut of_meter: BTreeMap<String, Vec<SlotDay>> = BTreeMap::new();
        for day in days {
            of_meter.entry(day.label.clone()).or_default().push(day);
        }
        for (number, label) in (0_u32..).zip(intervals.labels()) {
            let Some(days) = of_meter.remove(label) else { continue };
            let key = self.meter_key(rules, label, number)?;
            let meter = match key {
                Ok(key) => self.meter(node, rules, key, days[0].day)?,
                Err(reason) => Err(reason),
            };
            match meter {
                Ok(mut meter) => {
                    for day in &days {
                        if !meter.send(delivery, (node, rules), day, self.incomplete)? {
                            return Ok(());
                        }
                    }
                }
                Err(reason) => {
                    for day in days {
                        delivery.refuse(day.line, format!("{label} on {}", day.day), &reason);
                    }
                }
            }
        }
        Ok(())
    }

    /// What the node knows of a meter.
    fn meter(
        &self,
        node: &Connection,
        rules: &Rules,
        key: SigningKey,
        first_day: LocalDay,
    ) -> Result<Result<Meter, String>, Ended> {
        let address = key.public().address();
        let document = node.get_json(&format!("/v1/keys/{address}")).map_err(ended)?;
        let Some(usage_point) = document["usage_point"].as_str() else {
            return Ok(Err(format!("the key {} is no meter's on this ledger", key.public())));
        };
        let usage_point: UsagePointId =
            usage_point.parse().context("the node's answer names no usage point")?;
        let sequence = field_u64(&document, "next_sequence").unwrap_or(1);
        let document = node.get_json(&format!("/v1/usage-points/{usage_point}")).map_err(ended)?;
        let seals = field_u64(&document, "seal_sequence").and_then(|it| u32::try_from(it).ok());
        let limit =
            field_u64(&document, "register_limit_wh").map_or(WattHours::ZERO, WattHours::new);
        let registers = match self.first_import_wh {
            Some(import) => Registers {
                import: WattHours::new(import),
                export: WattHours::new(self.first_export_wh.unwrap_or(0)),
            },
            None => match registers_before(node, usage_point, first_day)? {
                Ok(registers) => registers,
                Err(reason) => return Ok(Err(reason)),
            },
        };
        Ok(Ok(Meter {
            signer: Signer::new(key, rules.ledger_id(), Sequence::new(sequence)),
            usage_point,
            seals: seals.unwrap_or(0),
            registers,
            register_limit: limit,
        }))
    }

    fn send_batches(
        &self,
        delivery: &mut Delivery<'_>,
        (node, rules): (&Connection, &Rules),
        days: &[SlotDay],
        key: &SigningKey,
    ) -> Result<(), Ended> {
        let names = self.usage_points(node, key)?;
        let mut signer = node.signer(key.clone()).map_err(ended)?;
        let mut by_day: BTreeMap<LocalDay, Vec<&SlotDay>> = BTreeMap::new();
        for day in days {
            by_day.entry(day.day).or_default().push(day);
        }
        for (day, meters) in by_day {
            let mut batch = Vec::new();
            let mut line = u64::MAX;
            for meter in meters {
                let what = format!("{} on {day}", meter.label);
                let usage_point = match meter.label.parse::<UsagePointId>() {
                    Ok(id) => Some(id),
                    Err(_) => names.get(&meter.label).copied(),
                };
                let Some(usage_point) = usage_point else {
                    delivery.refuse(meter.line, what, "no usage point has this label");
                    continue;
                };
                let Some(readings) = meter.whole() else {
                    delivery.refuse(meter.line, what, missing(meter));
                    continue;
                };
                let seed = day_seed(key, usage_point, day);
                match sealed(node, usage_point, day)? {
                    Some(root) if root == root_of(rules, usage_point, day, &readings, seed) => {
                        delivery.already();
                        continue;
                    }
                    _ => {}
                }
                line = line.min(meter.line);
                batch.push(GatewayDay { usage_point, readings, seed });
            }
            for part in batch.chunks(BATCH) {
                let what = format!("batch of {} meters on {day}", part.len());
                let submission =
                    signer.gateway_batch(rules, day, part.to_vec()).end_with(Exit::Usage)?;
                if !delivery.send(Item { line, what, submission })? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Labels and their usage points, for a gateway.
    fn usage_points(
        &self,
        node: &Connection,
        key: &SigningKey,
    ) -> Result<BTreeMap<String, UsagePointId>, Ended> {
        if let Some(file) = &self.map {
            let columns = Columns {
                required: &["label", "usage_point"],
                optional: &["alias", "party", "station", "meter_key", "role", "region"],
            };
            let rows = csv_file::read(file, &columns, |row| {
                let id = row.read("usage_point", |cell| {
                    cell.parse::<UsagePointId>().map_err(|error| error.to_string())
                })?;
                Ok((row.read("label", |cell| Ok(cell.to_owned()))?, id))
            })?;
            return Ok(rows.into_iter().collect());
        }
        node.log_in(key.clone()).map_err(ended)?;
        let items = connect::all(node, "/v1/usage-points")?;
        Ok(items
            .iter()
            .filter_map(|item| {
                let label = item["label"].as_str()?.to_owned();
                Some((label, item["usage_point"].as_str()?.parse().ok()?))
            })
            .collect())
    }
}

/// A meter that seals its days.
struct Meter {
    signer: Signer,
    usage_point: UsagePointId,
    /// The number of its last seal.
    seals: u32,
    /// Before the next day.
    registers: Registers,
    /// Where they start again; 0 = never.
    register_limit: WattHours,
}

impl Meter {
    /// Sends a day; tells whether to go on.
    fn send(
        &mut self,
        delivery: &mut Delivery<'_>,
        (node, rules): (&Connection, &Rules),
        day: &SlotDay,
        incomplete: Incomplete,
    ) -> Result<bool, Ended> {
        let what = format!("{} on {}", day.label, day.day);
        let seed = day_seed(self.signer.key(), self.usage_point, day.day);
        let Some(readings) = day.whole() else {
            let known: Vec<Reading> = day.slots.iter().flatten().copied().collect();
            self.registers = self.after(&known)?;
            if incomplete == Incomplete::Skip {
                delivery.refuse(day.line, what, missing(day));
                return Ok(!delivery.stopped());
            }
            return self.send_singly(delivery, rules, day, seed);
        };
        let first = self.registers;
        self.registers = self.after(&readings)?;
        if self.seals > 0
            && let Some(root) = sealed(node, self.usage_point, day.day)?
            && root == root_of(rules, self.usage_point, day.day, &readings, seed)
        {
            delivery.already();
            return Ok(!delivery.stopped());
        }
        self.seals += 1;
        let sealed_day = MeterDay {
            usage_point: self.usage_point,
            day: day.day,
            seal_sequence: self.seals,
            first,
            register_limit: self.register_limit,
            former_slots: 0,
            readings: &readings,
            seed,
            corrects: &[],
        };
        let submission = self.signer.seal_meter_day(rules, &sealed_day).end_with(Exit::Usage)?;
        delivery.send(Item { line: day.line, what, submission })
    }

    fn send_singly(
        &mut self,
        delivery: &mut Delivery<'_>,
        rules: &Rules,
        day: &SlotDay,
        seed: DaySeed,
    ) -> Result<bool, Ended> {
        for (period, reading) in rules.calendar().periods_of(day.day).iter().zip(&day.slots) {
            let Some(reading) = *reading else { continue };
            let what = format!("{} in period {period}", day.label);
            let salt = slot_salt(rules, &seed, period).end_with(Exit::Usage)?;
            let submission = self
                .signer
                .submit_reading(self.usage_point, period, reading, salt)
                .end_with(Exit::Usage)?;
            if !delivery.send(Item { line: day.line, what, submission })? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The registers after these readings.
    fn after(&self, readings: &[Reading]) -> Result<Registers, Ended> {
        let sum = |energy: fn(&Reading) -> WattHours| {
            WattHours::sum(readings.iter().map(energy)).end_with(Exit::Usage)
        };
        let moved = Registers { import: sum(|it| it.import_wh)?, export: sum(|it| it.export_wh)? };
        self.registers.advanced(moved, self.register_limit).end_with(Exit::Usage)
    }
}

fn missing(day: &SlotDay) -> String {
    format!(
        "{} of {} slots are missing, so the day cannot be sealed",
        day.missing(),
        day.slots.len()
    )
}

/// The root of the seal that the ledger has of a day.
fn sealed(
    node: &Connection,
    usage_point: UsagePointId,
    day: LocalDay,
) -> Result<Option<Hash>, Ended> {
    let path = format!("/v1/usage-points/{usage_point}/readings?day={day}");
    let document = node.get_json(&path).map_err(ended)?;
    if document["not_held"] == true {
        // Sealed without its values: they are handed over with the same seal once more.
        return Ok(None);
    }
    Ok(document["seal"]["day_root"].as_str().and_then(|root| root.parse().ok()))
}

fn root_of(
    rules: &Rules,
    usage_point: UsagePointId,
    day: LocalDay,
    readings: &[Reading],
    seed: DaySeed,
) -> Hash {
    day_root(&seed, usage_point, rules.calendar().periods_of(day).first, readings)
}

/// What the meter showed last before a day, if the reader may know it.
fn registers_before(
    node: &Connection,
    usage_point: UsagePointId,
    day: LocalDay,
) -> Result<Result<Registers, String>, Ended> {
    let path = format!("/v1/usage-points/{usage_point}/registers?day={day}");
    let document = node.get_json(&path).map_err(ended)?;
    let register = |name| field_u64(&document, name).map(WattHours::new);
    Ok(match (register("import_wh"), register("export_wh")) {
        (Some(import), Some(export)) => Ok(Registers { import, export }),
        _ if document["withheld"] == true => {
            Err("its registers are not for this reader: give --reader-key or --first-import-wh"
                .to_owned())
        }
        _ => Err("the meter was installed later".to_owned()),
    })
}

/// What the file holds.
fn summary(intervals: &Intervals, days: &[SlotDay]) -> Result<Value, Ended> {
    let readings = || days.iter().flat_map(|day| day.slots.iter().flatten());
    let import = WattHours::sum(readings().map(|it| it.import_wh)).end_with(Exit::Usage)?;
    let export = WattHours::sum(readings().map(|it| it.export_wh)).end_with(Exit::Usage)?;
    Ok(json!({
        "meters": intervals.labels().count(),
        "days": days.len(),
        "incomplete_days": days.iter().filter(|day| day.missing() > 0).count(),
        "values": intervals.count(),
        "import_wh": import.get().to_string(),
        "export_wh": export.get().to_string(),
    }))
}

fn dry_run(
    days: &[SlotDay],
    refused: &[DayRefused],
    summary: &Value,
    global: &Global,
) -> Result<Exit, Ended> {
    let exit = if refused.is_empty() { Exit::Success } else { Exit::Failure };
    if global.json {
        let refused: Vec<_> = refused
            .iter()
            .map(|it| json!({ "line": it.line, "what": it.label, "reason": it.to_string() }))
            .collect();
        let mut document = summary.clone();
        document["refused"] = json!(refused);
        document["dry_run"] = json!(true);
        output::json(&document)?;
        return Ok(exit);
    }
    let mut table =
        output::table(&["meter", "day", "line", "slots", "missing", "in kWh", "out kWh"], 2);
    for day in days {
        let sum = |energy: fn(&Reading) -> u64| -> u64 {
            day.slots.iter().flatten().map(energy).fold(0, u64::saturating_add)
        };
        table.add_row([
            day.label.clone(),
            day.day.to_string(),
            day.line.to_string(),
            day.slots.len().to_string(),
            day.missing().to_string(),
            output::kilowatt_hours(sum(|it| it.import_wh.get())),
            output::kilowatt_hours(sum(|it| it.export_wh.get())),
        ]);
    }
    output::line(&table.to_string())?;
    for day in refused {
        eprintln!("gridtally: {day}");
    }
    output::line("nothing was sent (--dry-run)")?;
    Ok(exit)
}
