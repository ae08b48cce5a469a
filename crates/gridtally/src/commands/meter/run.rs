//! The life of a meter: take a slot, sign, put down, send, check, take out.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use client::connection::{Connection, ConnectionError, SubmitOutcome, SubmitStatus};
use client::transaction_builder::{MeterDay, Signer, derived_seed, new_salt, slot_salt};
use contracts::genesis::Clock;
use contracts::metering::Registers;
use contracts::{Body, Rejection, Rules};
use data_encoding::HEXLOWER;
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::codec::decode;
use primitives::envelope::Submission;
use primitives::identifier::UsagePointId;
use primitives::reading::{DayPayload, DaySeed, Reading, ReadingPayload};
use primitives::units::{Sequence, Timestamp, WattHours};
use serde_json::json;

use super::check;
use super::memory::Memory;
use super::outbox::Outbox;
use super::provisional::Provisional;
use super::source::{Home, Measured, Next, Pipe, Source, simulated, taken};
use crate::cli::Global;
use crate::commands::connect::{self, NodeAddress, OwnKey, ended, field_u64};
use crate::commands::interrupt::Interrupt;
use crate::commands::submit::{system_time, values};
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Transactions of one request.
const BATCH: usize = 100;
/// How long the meter rests when there is nothing to do.
const REST: Duration = Duration::from_millis(200);
/// Between two tries to reach a node that is away: doubled from the first to the last.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// See [`super::Meter`].
#[derive(Debug, Args)]
pub struct Run {
    /// The meter's key file.
    #[arg(long, value_name = "FILE", env = "GRIDTALLY_KEY")]
    key: PathBuf,
    /// The usage point; by default the one whose meter the key is. Another one is refused.
    #[arg(long, value_name = "ID")]
    usage_point: Option<UsagePointId>,
    /// The folder in which the meter keeps its memory and what waits to be sent.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The genesis of the ledger that you trust; by default the node's at first use, pinned from then.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    #[command(flatten)]
    origin: Origin,
    /// The meter's name in --file; needed when the file has several.
    #[arg(long, value_name = "LABEL", requires = "file")]
    label: Option<String>,
    /// Which home is simulated, from 1.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "simulate",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    home: u32,
    /// Simulate these days at once instead of living on: the first.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day, requires = "until", requires = "simulate")]
    from_day: Option<LocalDay>,
    /// The last.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day, requires = "from_day")]
    until: Option<LocalDay>,
    /// How fast known slots are replayed: so many times faster than time, or `max`.
    #[arg(long, value_name = "FACTOR", default_value = "max", value_parser = speed)]
    speed: Speed,
    /// At the first use: what the import register shows before the first slot, in watt-hours.
    #[arg(long, value_name = "WH", default_value_t = 0)]
    first_import_wh: u64,
    /// At the first use: what the export register shows, in watt-hours.
    #[arg(long, value_name = "WH", default_value_t = 0)]
    first_export_wh: u64,
    /// Send the seal of each whole day only, and no single readings.
    #[arg(long)]
    seals_only: bool,
    /// Send what can be sent and end, also when the node is away.
    #[arg(long)]
    once: bool,
    /// How many transactions may wait on disk; then nothing more is taken until the node is back.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    queue: usize,
    #[command(flatten)]
    node: NodeAddress,
    /// Read the passphrase of the key file from the first line of a file; `-` is standard input.
    #[arg(long, value_name = "FILE", env = "GRIDTALLY_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Where values come from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Origin {
    /// A table or NEM12 file, replayed.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A home of the SimBench extract.
    #[arg(long, value_name = "SEED")]
    simulate: Option<u64>,
    /// Registers on standard input.
    #[arg(long)]
    stdin: bool,
    /// Nothing new: send what waits.
    #[arg(long)]
    flush: bool,
}

/// How fast known slots are replayed; `None` = as fast as they go.
type Speed = Option<std::num::NonZeroU32>;

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(None);
    }
    let factor = text.parse().ok();
    factor.map(Some).ok_or_else(|| "wanted is a factor of 1 or more, or max".to_owned())
}

/// What became of what the meter sent.
#[derive(Default)]
struct Tally {
    slots: u64,
    recorded: u64,
    refused: u64,
}

/// A meter at work.
struct Meter {
    rules: Rules,
    node: Connection,
    signer: Signer,
    usage_point: UsagePointId,
    state: PathBuf,
    memory: Memory,
    outbox: Outbox,
    tally: Tally,
    away: Option<ConnectionError>,
    retry_at: Instant,
    retry: Duration,
    seals_only: bool,
}

impl Run {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let mut meter = self.open()?;
        let mut source = self.source(&meter)?;
        let interrupt = Interrupt::listen()?;
        let mut told = Instant::now();
        loop {
            if interrupt.asked() {
                break;
            }
            if meter.outbox.is_full() {
                while meter.pump()? {}
                if meter.outbox.is_full() && (self.once || !interrupt.wait(REST)) {
                    break;
                }
                continue;
            }
            // What is known has ended, or nobody would know it.
            let now = match source {
                Source::Known(_) => Timestamp::ZERO,
                _ => meter.now(),
            };
            let told_before = meter.memory.seen.is_some();
            let next = source.next(&meter.rules, now, &mut meter.memory.seen)?;
            if !told_before && meter.memory.seen.is_some() {
                // From here on registers count: what moves from now must not be lost with a crash.
                meter.memory.write(&meter.state)?;
            }
            match next {
                Next::Slot(measured) => {
                    meter.take(measured)?;
                    if !self.pause(&meter, &source, &interrupt) {
                        break;
                    }
                    if meter.outbox.len() < BATCH && self.speed.is_none() {
                        continue;
                    }
                }
                Next::End if meter.outbox.len() == 0 => break,
                Next::Later if self.once && !self.origin.stdin => {
                    while meter.pump()? {}
                    break;
                }
                Next::End if self.once => {
                    meter.retry_at = Instant::now();
                    while meter.pump()? {}
                    break;
                }
                Next::End | Next::Later => {
                    if !interrupt.wait(REST) {
                        break;
                    }
                }
            }
            while meter.pump()? {}
            if !global.json && told.elapsed() >= Duration::from_secs(1) {
                told = Instant::now();
                meter.tell();
            }
        }
        meter.memory.write(&meter.state)?;
        meter.end(global)
    }

    fn open(&self) -> Result<Meter, Ended> {
        let key = OwnKey { key: None, passphrase_file: self.passphrase_file.clone() };
        let key = key.open_file(&self.key)?;
        let node = self.node.connect()?;
        // A meter whose node is away goes on storing: it enters a further ledger when it is back.
        node.enter_when_used(key.clone());
        make_private_folder(&self.state)?;
        let rules = self.pinned(&node)?;
        if rules.is_private() && !self.seals_only {
            let error = anyhow!(
                "this ledger is private, and takes no single readings: give --seals-only, and the node \
                 of the household or of who bills it with --node"
            );
            return Err(error).end_with(Exit::Usage);
        }
        let outbox = Outbox::open(&self.state, self.queue)?;
        let known = Memory::read(&self.state)?;
        let mut memory = match known {
            Some(memory) => memory,
            None => {
                let address = key.public().address().to_string();
                let mut memory = first_use(&node, &rules, &address)?;
                memory.registers = [self.first_import_wh, self.first_export_wh];
                memory
            }
        };
        let usage_point: UsagePointId = memory.usage_point.parse().end_with(Exit::Damaged)?;
        let other = |what: &str| {
            Err(anyhow!("{} belongs to another {what}", self.state.display())).end_with(Exit::Usage)
        };
        if memory.ledger_id != rules.ledger_id().to_string() {
            return other("ledger");
        }
        if self.usage_point.is_some_and(|wanted| wanted != usage_point) {
            return other("usage point");
        }
        // A crash may have left transactions behind that the memory does not know.
        let unknown = outbox.from(memory.next_sequence)?;
        memory.next_sequence = memory.next_sequence.max(outbox.highest().map_or(0, |it| it + 1));
        memory.write(&self.state)?;
        let signer = Signer::new(key, rules.ledger_id(), Sequence::new(memory.next_sequence));
        let mut meter = Meter {
            rules,
            node,
            signer,
            usage_point,
            state: self.state.clone(),
            memory,
            outbox,
            tally: Tally::default(),
            away: None,
            retry_at: Instant::now(),
            retry: FIRST_RETRY,
            seals_only: self.seals_only,
        };
        meter.adopt(&unknown)?;
        Ok(meter)
    }

    /// The rules of the ledger that this meter trusts, written down at first use.
    fn pinned(&self, node: &Connection) -> Result<Rules, Ended> {
        let pin = self.state.join("genesis.json");
        let read = |file: &Path| client::genesis_file::read(file).end_with(Exit::Usage);
        let pinned = if pin.exists() { Some(read(&pin)?) } else { None };
        let genesis = match (&self.genesis, pinned) {
            (Some(file), pinned) => {
                let genesis = read(file)?;
                if pinned.is_some_and(|pinned| pinned.ledger_id() != genesis.ledger_id()) {
                    let (file, state) = (file.display(), self.state.display());
                    return Err(anyhow!("{file} is not the genesis that is pinned in {state}"))
                        .end_with(Exit::Usage);
                }
                Some(genesis)
            }
            (None, pinned) => pinned,
        };
        let Some(genesis) = genesis else {
            let rules = connect::rules(node)?;
            client::genesis_file::write(&pin, rules.genesis()).map_err(anyhow::Error::from)?;
            return Ok(rules);
        };
        if !pin.exists() {
            client::genesis_file::write(&pin, &genesis).map_err(anyhow::Error::from)?;
        }
        Rules::new(genesis).end_with(Exit::Usage)
    }

    fn source(&self, meter: &Meter) -> Result<Source, Ended> {
        let rules = &meter.rules;
        let mut slots = if let Some(file) = &self.origin.file {
            self.slots_of(file, rules)?
        } else if let Some(seed) = self.origin.simulate {
            let home = self.home - 1;
            let (Some(from), Some(until)) = (self.from_day, self.until) else {
                let last = meter.memory.last_period.map(SettlementPeriod::new);
                let next = match last {
                    Some(last) => last.next().end_with(Exit::Failure)?,
                    None => rules.calendar().period_at(meter.now()).end_with(Exit::Failure)?,
                };
                return Ok(Source::Home(Box::new(Home::new(seed, home, next))));
            };
            simulated(rules, (seed, home), (from, until))?
        } else if self.origin.stdin {
            return Ok(Source::Pipe(Pipe::open()?));
        } else {
            VecDeque::new()
        };
        // What was taken before is on its way or recorded.
        slots.retain(|(period, _)| meter.memory.last_period.is_none_or(|last| period.get() > last));
        Ok(Source::Known(slots))
    }

    fn slots_of(&self, file: &Path, rules: &Rules) -> Result<VecDeque<Measured>, Ended> {
        let intervals = client::readings_file::read(file, rules.calendar(), None)
            .with_context(|| format!("{} cannot be used", file.display()))
            .end_with(Exit::Usage)?;
        let mut labels = intervals.labels();
        let label = match (&self.label, labels.next(), labels.next()) {
            (Some(label), ..) => label.clone(),
            (None, Some(only), None) => only.to_owned(),
            _ => {
                return Err(anyhow!("{} has several meters: give --label", file.display()))
                    .end_with(Exit::Usage);
            }
        };
        let (days, refused) = intervals.days(rules.calendar());
        if let Some(refused) = refused.iter().find(|day| day.label == label) {
            return Err(anyhow!("{}: {refused}", file.display())).end_with(Exit::Usage);
        }
        let mut slots = VecDeque::new();
        for day in days.iter().filter(|day| day.label == label) {
            let periods = rules.calendar().periods_of(day.day).iter();
            slots.extend(periods.zip(&day.slots).filter_map(|(at, it)| Some((at, (*it)?))));
        }
        if slots.is_empty() {
            return Err(anyhow!("{} has no value of {label:?}", file.display()))
                .end_with(Exit::Usage);
        }
        Ok(slots)
    }

    /// Waits for as long as a replayed slot takes; tells whether to go on.
    fn pause(&self, meter: &Meter, source: &Source, interrupt: &Interrupt) -> bool {
        match (source, self.speed) {
            (Source::Known(_), Some(factor)) => {
                let slot = u64::from(meter.rules.calendar().slot_seconds()) * 1_000;
                interrupt.wait(Duration::from_millis(slot / u64::from(factor.get())))
            }
            _ => true,
        }
    }
}

fn make_private_folder(path: &Path) -> Result<(), Ended> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).with_context(|| format!("{} cannot be made", path.display()))?;
    Ok(())
}

/// What the node knows of a meter that has no memory yet.
fn first_use(node: &Connection, rules: &Rules, address: &str) -> Result<Memory, Ended> {
    let found = node.status().map_err(ended)?.ledger_id;
    if found != rules.ledger_id() {
        let wanted = rules.ledger_id();
        return Err(anyhow!("{} runs ledger {found}, trusted is {wanted}", node.address()))
            .end_with(Exit::Usage);
    }
    let document = node.get_json(&format!("/v1/keys/{address}")).map_err(ended)?;
    let usage_point = document["usage_point"]
        .as_str()
        .ok_or_else(|| anyhow!("the key is no meter's on this ledger: install the meter first"))
        .end_with(Exit::Usage)?;
    let secret = new_salt().context("the operating system gives no random bytes")?;
    let ledger_id = rules.ledger_id().to_string();
    let mut memory = Memory::new(ledger_id, usage_point.to_owned(), HEXLOWER.encode(&secret));
    memory.next_sequence = field_u64(&document, "next_sequence").unwrap_or(1);
    let point = node.get_json(&format!("/v1/usage-points/{usage_point}")).map_err(ended)?;
    let seals = field_u64(&point, "seal_sequence").and_then(|it| it.try_into().ok());
    memory.seal_sequence = seals.unwrap_or(0);
    memory.register_limit_wh = field_u64(&point, "register_limit_wh").unwrap_or(0);
    Ok(memory)
}

impl Meter {
    /// The time by the clock that drives the ledger; a virtual one stands while the node is away.
    fn now(&self) -> Timestamp {
        match self.rules.genesis().clock {
            Clock::System => system_time().unwrap_or(Timestamp::ZERO),
            Clock::Virtual => self.node.status().map_or(Timestamp::ZERO, |status| status.time),
        }
    }

    fn seed(&self, day: LocalDay) -> Result<DaySeed, Ended> {
        let secret = HEXLOWER.decode(self.memory.secret.as_bytes()).ok();
        let secret: Option<[u8; 32]> = secret.and_then(|it| it.try_into().ok());
        let secret = secret.context("the meter's secret is damaged").end_with(Exit::Damaged)?;
        Ok(derived_seed(&secret, self.usage_point, day))
    }

    /// Takes a slot: signed, put down, remembered.
    fn take(&mut self, (period, reading): Measured) -> Result<(), Ended> {
        let (day, _) = self.rules.calendar().slot_in_day(period).end_with(Exit::Failure)?;
        if self.memory.open_day().is_some_and(|open| open != day) {
            self.close_day()?;
        }
        self.note((period, reading))?;
        if !self.seals_only {
            self.put_reading(day, period, reading)?;
        }
        self.tally.slots += 1;
        let periods = self.rules.calendar().periods_of(day);
        if self.memory.slots.len() == usize::from(periods.count) {
            self.close_day()?;
        }
        self.remember()
    }

    /// Remembers what was put down before a crash and not remembered: the same slots are not taken
    /// again, and a day that was sealed stays closed.
    fn adopt(&mut self, unknown: &[Submission]) -> Result<(), Ended> {
        for submission in unknown {
            let envelope = &submission.transaction.envelope;
            match Body::decode(envelope.kind, &envelope.body).end_with(Exit::Damaged)? {
                Body::SubmitReading(body) => {
                    let payload: ReadingPayload =
                        decode(&submission.payload).end_with(Exit::Damaged)?;
                    self.adopt_slot((body.period, payload.reading))?;
                }
                Body::SealDay(body) => {
                    let payload: DayPayload =
                        decode(&submission.payload).end_with(Exit::Damaged)?;
                    let periods = self.rules.calendar().periods_of(body.day).iter();
                    for measured in periods.zip(payload.readings.iter().copied()) {
                        self.adopt_slot(measured)?;
                    }
                    self.memory.seal_sequence = body.sequence;
                    self.memory.registers = body.last.both();
                    self.memory.slots.clear();
                    self.memory.day = None;
                }
                _ => {}
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let whole = |day| usize::from(self.rules.calendar().periods_of(day).count);
        if self.memory.open_day().is_some_and(|day| self.memory.slots.len() == whole(day)) {
            self.close_day()?;
        }
        self.remember()
    }

    /// Remembers a slot that was put down, unless it is known.
    fn adopt_slot(&mut self, measured: Measured) -> Result<(), Ended> {
        let (period, _) = measured;
        if self.memory.last_period.is_some_and(|last| last >= period.get()) {
            return Ok(());
        }
        let (day, _) = self.rules.calendar().slot_in_day(period).end_with(Exit::Failure)?;
        if self.memory.open_day().is_some_and(|open| open != day) {
            self.close_day()?;
        }
        taken(&mut self.memory.seen, &measured);
        self.note(measured)
    }

    /// Notes a slot of the open day.
    fn note(&mut self, (period, reading): Measured) -> Result<(), Ended> {
        let (day, slot) = self.rules.calendar().slot_in_day(period).end_with(Exit::Failure)?;
        self.memory.day = Some(day.to_string());
        let letter = char::from(reading.quality.letter());
        let value = (reading.import_wh.get(), reading.export_wh.get(), letter);
        self.memory.slots.insert(slot, value);
        self.memory.last_period = Some(period.get());
        Ok(())
    }

    fn remember(&mut self) -> Result<(), Ended> {
        self.memory.next_sequence = self.signer.next_sequence().get();
        self.memory.write(&self.state)
    }

    fn put_reading(
        &mut self,
        day: LocalDay,
        period: SettlementPeriod,
        reading: Reading,
    ) -> Result<(), Ended> {
        let salt = slot_salt(&self.rules, &self.seed(day)?, period).end_with(Exit::Failure)?;
        let submission = self
            .signer
            .submit_reading(self.usage_point, period, reading, salt)
            .end_with(Exit::Failure)?;
        self.outbox.put(&submission, self.rules.calendar().end_of(period))
    }

    /// Seals the open day; one with missing slots is left to its single readings.
    fn close_day(&mut self) -> Result<(), Ended> {
        let Some(day) = self.memory.open_day() else { return Ok(()) };
        let periods = self.rules.calendar().periods_of(day);
        let slots: Vec<Option<Reading>> =
            (0..periods.count).map(|slot| self.memory.reading(slot)).collect();
        let [import, export] = self.memory.registers.map(WattHours::new);
        let first = Registers { import, export };
        let register_limit = WattHours::new(self.memory.register_limit_wh);
        let whole: Option<Vec<Reading>> = slots.iter().copied().collect();
        if let Some(readings) = whole {
            let sealed = MeterDay {
                usage_point: self.usage_point,
                day,
                seal_sequence: self.memory.seal_sequence + 1,
                first,
                register_limit,
                former_slots: 0,
                readings: &readings,
                seed: self.seed(day)?,
                corrects: &[],
            };
            let submission =
                self.signer.seal_meter_day(&self.rules, &sealed).end_with(Exit::Failure)?;
            let last = periods.iter().next_back().unwrap_or(periods.first);
            self.outbox.put(&submission, self.rules.calendar().end_of(last))?;
            self.memory.seal_sequence += 1;
        } else {
            let missing = slots.iter().filter(|slot| slot.is_none()).count();
            eprintln!("gridtally: {day} lacks {missing} slots and is not sealed");
            if self.seals_only {
                for (period, reading) in periods.iter().zip(&slots) {
                    if let Some(reading) = *reading {
                        self.put_reading(day, period, reading)?;
                    }
                }
            }
        }
        let sum = |energy: fn(&Reading) -> WattHours| {
            WattHours::sum(slots.iter().flatten().map(energy)).end_with(Exit::Failure)
        };
        let moved = Registers { import: sum(|it| it.import_wh)?, export: sum(|it| it.export_wh)? };
        let now = first.advanced(moved, register_limit).end_with(Exit::Failure)?;
        self.memory.registers = now.both();
        self.memory.slots.clear();
        self.memory.day = None;
        Ok(())
    }

    /// Sends what is due; tells whether there may be more.
    fn pump(&mut self) -> Result<bool, Ended> {
        if self.outbox.len() == 0 || Instant::now() < self.retry_at {
            return Ok(false);
        }
        let waiting = self.outbox.due(self.now(), BATCH)?;
        if waiting.is_empty() {
            return self.reachable().map(|()| false);
        }
        let outcomes = match self.node.submit(&waiting) {
            Ok(outcomes) => outcomes,
            Err(error) => return self.later(error).map(|()| false),
        };
        (self.away, self.retry) = (None, FIRST_RETRY);
        let mut moved = false;
        for (submission, outcome) in waiting.iter().zip(&outcomes) {
            moved |= self.settle(submission, outcome)?;
        }
        if !moved {
            self.retry_at = Instant::now() + self.retry;
        }
        Ok(moved)
    }

    /// Whether the node is there when nothing is due.
    fn reachable(&mut self) -> Result<(), Ended> {
        match self.node.status() {
            Ok(_) => {
                self.away = None;
                self.retry_at = Instant::now() + REST;
                Ok(())
            }
            Err(error) => self.later(error),
        }
    }

    /// The node is away or busy: later. Any other error ends the meter.
    fn later(&mut self, error: ConnectionError) -> Result<(), Ended> {
        match error {
            ConnectionError::Unreachable { .. } | ConnectionError::Overloaded { .. } => {
                self.away = Some(error);
                self.retry_at = Instant::now() + self.retry;
                self.retry = (self.retry * 2).min(LAST_RETRY);
                Ok(())
            }
            error => Err(ended(error)),
        }
    }

    /// What an answer means; tells whether the transaction left the queue.
    fn settle(&mut self, submission: &Submission, outcome: &SubmitOutcome) -> Result<bool, Ended> {
        let sequence = submission.transaction.envelope.sequence.get();
        let SubmitOutcome { code, name, detail, .. } = outcome;
        match outcome.status {
            SubmitStatus::Accepted => {
                if !self.shown(check::receipt(&self.node, &self.rules, outcome))? {
                    return Ok(false);
                }
                self.tally.recorded += 1;
                self.outbox.done(sequence)?;
                Ok(true)
            }
            SubmitStatus::Rejected if is_transient(*code) => {
                self.sign_again(submission)?;
                self.outbox.done(sequence)?;
                self.retry_at = Instant::now() + self.retry;
                Ok(false)
            }
            SubmitStatus::Rejected
                if !self.shown(check::in_block(&self.node, &self.rules, outcome))? =>
            {
                Ok(false)
            }
            SubmitStatus::Rejected | SubmitStatus::Malformed => {
                let reason = format!("rule {code} {name}: {detail}");
                eprintln!("gridtally: transaction {} refused: {reason}", outcome.transaction_id);
                self.tally.refused += 1;
                self.outbox.refuse(sequence, &reason)?;
                Ok(true)
            }
            SubmitStatus::Refused => {
                tracing::warn!(name, detail, "the node does not take it yet");
                Ok(false)
            }
        }
    }

    /// Whether the node has shown that what it says is so; `false` when it is away or not yet able to.
    fn shown(&mut self, checked: Result<(), Ended>) -> Result<bool, Ended> {
        match checked {
            Ok(()) => Ok(true),
            // Recorded or not: the same bytes are sent again and checked again.
            Err(error) if error.exit == Exit::Unreachable => {
                self.retry_at = Instant::now() + self.retry;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The rejection used the sequence up: the same content under a new one.
    fn sign_again(&mut self, submission: &Submission) -> Result<(), Ended> {
        let envelope = &submission.transaction.envelope;
        let body = Body::decode(envelope.kind, &envelope.body).end_with(Exit::Damaged)?;
        let again = self
            .signer
            .submission(body, submission.payload.to_vec(), &[], Timestamp::ZERO)
            .end_with(Exit::Failure)?;
        self.outbox.put(&again, self.now())?;
        self.remember()
    }

    /// One line about where the meter stands.
    fn tell(&self) {
        let provisional = match self.away {
            None => Provisional::ask(&self.node, self.usage_point).text(),
            Some(_) => "the node is away".to_owned(),
        };
        let (slots, waiting) = (self.tally.slots, self.outbox.len());
        let recorded = self.tally.recorded;
        eprintln!("{slots} slots, {recorded} recorded, {waiting} waiting; {provisional}");
    }

    fn end(self, global: &Global) -> Result<Exit, Ended> {
        let Tally { slots, recorded, refused } = self.tally;
        let waiting = self.outbox.len();
        let provisional = match self.away {
            None => Provisional::ask(&self.node, self.usage_point),
            Some(_) => Provisional::default(),
        };
        if global.json {
            output::json(&json!({
                "usage_point": self.usage_point.to_string(),
                "slots": slots,
                "recorded": recorded,
                "refused": refused,
                "waiting": waiting,
                "node": if self.away.is_none() { "answers" } else { "away" },
                "provisional": provisional.json(),
            }))?;
        } else {
            output::line(&format!(
                "{slots} slots taken; {recorded} transactions recorded and checked, {refused} \
                 refused, {waiting} waiting; {}",
                provisional.text()
            ))?;
        }
        if let (Some(error), true) = (&self.away, waiting > 0) {
            eprintln!(
                "gridtally: {error}; {waiting} transactions wait in {}",
                self.state.display()
            );
            return Ok(Exit::Unreachable);
        }
        Ok(if refused > 0 { Exit::Failure } else { Exit::Success })
    }
}

/// Whether the same content may be taken later.
fn is_transient(code: u16) -> bool {
    let not_ended = [Rejection::PeriodNotEnded { period: 0 }.code(), Rejection::DayNotEnded.code()];
    not_ended.contains(&code)
}
