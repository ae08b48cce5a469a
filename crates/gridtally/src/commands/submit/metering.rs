//! Readings, seals, frequencies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use client::estimation_json::estimation_inputs;
use client::transaction_builder::{
    BuildError, EstimatedDay, GatewayDay, MeterDay, Signer, new_salt, slot_salt,
};
use contracts::Rules;
use contracts::metering::{
    CorrectFrequency, DeleteFrequency, ErasePayloads, PublishFrequency, PublishStandardProfile,
    Registers,
};
use primitives::calendar::LocalDay;
use primitives::codec::{Bounded, Text};
use primitives::envelope::Submission;
use primitives::identifier::{TransactionId, UsagePointId};
use primitives::reading::{Quality, Reading};
use primitives::units::{MilliHertz, WattHours};

use super::csv_file::{self, Columns, Row};
use super::signing::Signatory;
use super::values::{self, Moment};
use super::{bounded, rising};
use crate::commands::connect::{ended, field_u64};
use crate::exit::{EndWith, Ended, Exit};

/// The transactions of metering.
#[derive(Debug, Subcommand)]
pub enum Metering {
    /// Report what one usage point drew and injected in one settlement period.
    ///
    /// Sent by the usage point's meter, or by its gateway: an aggregator or distributor. The value is
    /// written once; the day's seal of the same key agrees with it.
    #[command(after_help = "Example:\n  gridtally submit submit-reading --usage-point ID \
        --period 2026-07-01T10:15:00+05:30 --import-wh 250 --key meter.key")]
    SubmitReading(ReadingFlags),
    /// Seal the readings of a usage point's local day.
    ///
    /// Sent by the usage point's meter. The file has one row per slot of the day (92, 96 or 100 with
    /// slots of 15 minutes) and the columns import_wh, export_wh and, if wanted, quality (A actual,
    /// E estimated, S substituted, F final). On the day of a swap the slots before it repeat what
    /// stands on the ledger, and the first registers are those of the new meter's installation.
    #[command(after_help = "Example:\n  gridtally submit seal-day --usage-point ID \
        --day 2026-07-01 --file readings.csv --first-import-wh 120500 --first-export-wh 0 \
        --key meter.key")]
    SealDay(SealDayFlags),
    /// Put another value in the place of a reading.
    ///
    /// Sent by the usage point's meter, or by who bills it: the distributor, at a boundary the grid
    /// operator. Only the meter reports an actual value. What was billed from the former is stale.
    #[command(after_help = "Example:\n  gridtally submit correct-reading --usage-point ID \
        --period 2026-07-01T10:15:00+05:30 --import-wh 240 --quality estimated \
        --key distributor.key")]
    CorrectReading(ReadingFlags),
    /// Seal the same local day of many meters.
    ///
    /// Sent by their gateway: an aggregator or a distributor. A meter's own seal stays where there
    /// is one. The file has one row per meter and slot, in any order, with the columns usage_point,
    /// slot (from 0), import_wh, export_wh and, if wanted, quality.
    #[command(after_help = "Example:\n  gridtally submit seal-gateway-batch --day 2026-07-01 \
        --file batch.csv --key gateway.key")]
    SealGatewayBatch(SealGatewayBatchFlags),
    /// Publish the grid's frequency of 1 to 100 consecutive periods.
    ///
    /// Sent by a grid operator. The values stand on the command line, or a whole day of them in a file
    /// with the columns date (2026-07-01), time (00:15, the beginning of the slot) and freq_hz.
    #[command(after_help = "Examples:\n  gridtally submit publish-frequency \
        --first-period 2026-07-01T10:15:00+05:30 --hertz 50.012,49.98 --key operator.key\n  \
        gridtally submit publish-frequency --day 2026-07-01 --file frequency.csv \
        --key operator.key")]
    PublishFrequency(PublishFrequencyFlags),
    /// Put another frequency in the place of a published one.
    ///
    /// Sent by a grid operator. The former value stays in the history; what was billed from it is
    /// stale.
    #[command(after_help = "Example:\n  gridtally submit correct-frequency \
        --period 2026-07-01T10:15:00+05:30 --millihertz 50013 --key operator.key")]
    CorrectFrequency(CorrectFrequencyFlags),
    /// Take a published frequency back without a new value.
    ///
    /// Sent by a grid operator. The period is unpriced until a correction brings a new value.
    #[command(after_help = "Example:\n  gridtally submit delete-frequency \
        --period 2026-07-01T10:15:00+05:30 --key operator.key")]
    DeleteFrequency(DeleteFrequencyFlags),
    /// Seal the frequencies of a local day.
    ///
    /// Sent by a grid operator, when every slot of the day is published. The seal is made over the
    /// values of a file (columns date, time and freq_hz); without one over those that the node shows
    /// as published.
    #[command(after_help = "Example:\n  gridtally submit seal-frequency-day --day 2026-07-01 \
        --key operator.key")]
    SealFrequencyDay(SealFrequencyDayFlags),
    /// Fill the gaps of a usage point's day by the ledger's rule, and seal it.
    ///
    /// Sent by who bills the usage point: the distributor, at a boundary the grid operator. The node
    /// tells what is known, the values are computed here, and the ledger compares them with its own.
    /// The meter's own seal takes their place when it comes.
    #[command(after_help = "Example:\n  gridtally submit estimate-day --usage-point ID \
        --day 2026-07-01 --profile TRANSACTION_ID --key distributor.key")]
    EstimateDay(EstimateDayFlags),
    /// Publish how a typical customer's day runs, for estimates that have nothing better.
    ///
    /// Sent by a distributor or a grid operator. The file has one row per slot of an ordinary day and
    /// the columns import_wh and, if wanted, export_wh. The profile is named by the transaction's id.
    #[command(after_help = "Example:\n  gridtally submit publish-standard-profile \
        --name household --file profile.csv --key distributor.key")]
    PublishStandardProfile(PublishStandardProfileFlags),
    /// Seal the readings of a usage point's local day on a private ledger.
    ///
    /// Sent by the usage point's meter, to a node of the household or of who bills it: the values go to
    /// that node alone, which passes them on to nobody but those who may hold them. The file is that of
    /// `seal-day`.
    #[command(after_help = "Example:\n  gridtally submit seal-private-day --usage-point ID \
        --day 2026-07-01 --file readings.csv --first-import-wh 120500 --first-export-wh 0 \
        --node http://distributor.example:7410 --key meter.key")]
    SealPrivateDay(SealPrivateDayFlags),
    /// Put other readings in the place of a day's on a private ledger.
    ///
    /// Sent by who bills the usage point: the distributor, at a boundary the grid operator; to a node of
    /// its own or of the household. The file has one row per slot and the columns import_wh, export_wh
    /// and, if wanted, quality (E estimated, S substituted, F final; S by default). The meter's own seal
    /// stays in the history, and a bill over the former values is stale.
    #[command(after_help = "Example:\n  gridtally submit substitute-day --usage-point ID \
        --day 2026-07-01 --file readings.csv --key distributor.key")]
    SubstituteDay(SubstituteDayFlags),
    /// Have the values of some days erased on every node of a private ledger that holds them.
    ///
    /// Sent by any party, also a suspended one, for a usage point whose customer it is, once the days are
    /// billed; before that, and by who bills it, with a regulator as cosigner. Hashes and bills stay.
    #[command(after_help = "Example:\n  gridtally submit erase-payloads --usage-point ID \
        --first-day 2025-01-01 --last-day 2025-12-31 --key home-17.key")]
    ErasePayloads(ErasePayloadsFlags),
}

/// A reading of one period.
#[derive(Debug, Args)]
pub struct ReadingFlags {
    /// The usage point.
    #[arg(long, value_name = "ID")]
    usage_point: UsagePointId,
    /// The period: its number, or the time at which it begins.
    #[arg(long, value_name = "PERIOD|TIME")]
    period: Moment,
    /// Energy drawn, in watt-hours.
    #[arg(long, value_name = "WH")]
    import_wh: u64,
    /// Energy injected, in watt-hours.
    #[arg(long, value_name = "WH", default_value_t = 0)]
    export_wh: u64,
    /// How the value came about: actual, estimated, substituted or final.
    #[arg(long, value_name = "QUALITY", default_value = "actual", value_parser = values::quality)]
    quality: Quality,
}

/// See [`SealDay`](contracts::metering::SealDay).
#[derive(Debug, Args)]
pub struct SealDayFlags {
    /// The usage point.
    #[arg(long, value_name = "ID")]
    usage_point: UsagePointId,
    /// The local day in the grid's zone.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    day: LocalDay,
    /// The readings: columns import_wh, export_wh and, if wanted, quality; one row per slot.
    #[arg(long, value_name = "FILE.csv")]
    file: PathBuf,
    /// The meter's import register at the beginning of the day, in watt-hours.
    #[arg(long, value_name = "WH")]
    first_import_wh: u64,
    /// The meter's export register at the beginning of the day, in watt-hours.
    #[arg(long, value_name = "WH")]
    first_export_wh: u64,
    /// The value in watt-hours at which the registers start again, as the installation says; 0 = never.
    #[arg(long, value_name = "WH", default_value_t = 0)]
    register_limit_wh: u64,
    /// On the day of its installation: how many slots of the day lie before it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    former_slots: u16,
    /// The number of this seal, rising from 1; by default the next one, as the node counts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    seal_sequence: Option<u32>,
    /// Slots (from 0) whose single readings this seal corrects; several with commas.
    #[arg(long = "corrects-slot", value_name = "SLOT", value_delimiter = ',')]
    corrects_slots: Vec<u16>,
}

/// See [`SealPrivateDay`](contracts::metering::SealPrivateDay).
#[derive(Debug, Args)]
pub struct SealPrivateDayFlags {
    #[command(flatten)]
    day: SealDayFlags,
    /// Leave the values out: only the seal is sent, to whatever node. They can be handed over later by
    /// the same command without this flag.
    #[arg(long)]
    without_values: bool,
}

/// See [`SubstituteDay`](contracts::metering::SubstituteDay).
#[derive(Debug, Args)]
pub struct SubstituteDayFlags {
    /// The usage point.
    #[arg(long, value_name = "ID")]
    usage_point: UsagePointId,
    /// The local day in the grid's zone.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    day: LocalDay,
    /// The readings: columns import_wh, export_wh and, if wanted, quality; one row per slot.
    #[arg(long, value_name = "FILE.csv")]
    file: PathBuf,
}

/// See [`ErasePayloads`].
#[derive(Debug, Args)]
pub struct ErasePayloadsFlags {
    /// The usage point.
    #[arg(long, value_name = "ID")]
    usage_point: UsagePointId,
    /// The first local day.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    first_day: LocalDay,
    /// The last local day, at most 396 days later.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    last_day: LocalDay,
}

/// See [`SealGatewayBatch`](contracts::metering::SealGatewayBatch).
#[derive(Debug, Args)]
pub struct SealGatewayBatchFlags {
    /// The local day in the grid's zone.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    day: LocalDay,
    /// The readings: columns usage_point, slot, import_wh, export_wh and, if wanted, quality.
    #[arg(long, value_name = "FILE.csv")]
    file: PathBuf,
}

/// See [`EstimateDay`](contracts::metering::EstimateDay).
#[derive(Debug, Args)]
pub struct EstimateDayFlags {
    /// The usage point.
    #[arg(long, value_name = "ID")]
    usage_point: UsagePointId,
    /// The local day in the grid's zone.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    day: LocalDay,
    /// The standard profile for slots that nothing else tells: the id of its transaction.
    #[arg(long, value_name = "ID")]
    profile: Option<TransactionId>,
    /// What is known about the day, as a node answered it; by default it is asked for now, with the
    /// rights of the signing key.
    #[arg(long, value_name = "FILE.json")]
    inputs: Option<PathBuf>,
}

/// See [`PublishStandardProfile`].
#[derive(Debug, Args)]
pub struct PublishStandardProfileFlags {
    /// What people call it, at most 64 bytes.
    #[arg(long, value_name = "TEXT")]
    name: Text<64>,
    /// The profile: columns import_wh and, if wanted, export_wh; one row per slot of 24 hours.
    #[arg(long, value_name = "FILE.csv")]
    file: PathBuf,
}

/// See [`PublishFrequency`].
#[derive(Debug, Args)]
pub struct PublishFrequencyFlags {
    /// The first period: its number, or the time at which it begins.
    #[arg(
        long,
        value_name = "PERIOD|TIME",
        required_unless_present = "file",
        conflicts_with = "file"
    )]
    first_period: Option<Moment>,
    /// With --file: the local day whose rows are published.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day, requires = "file")]
    day: Option<LocalDay>,
    #[command(flatten)]
    frequencies: Frequencies,
}

/// Frequencies, written one way or the other.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Frequencies {
    /// The averages in hertz, in order; several with commas.
    #[arg(long, value_name = "HZ", value_delimiter = ',', value_parser = values::hertz)]
    hertz: Vec<MilliHertz>,
    /// The averages in millihertz, in order; several with commas.
    #[arg(long, value_name = "MHZ", value_delimiter = ',', value_parser = values::millihertz)]
    millihertz: Vec<MilliHertz>,
    /// A file with the columns date, time and freq_hz.
    #[arg(long, value_name = "FILE.csv", requires = "day")]
    file: Option<PathBuf>,
}

/// See [`CorrectFrequency`].
#[derive(Debug, Args)]
pub struct CorrectFrequencyFlags {
    /// The period: its number, or the time at which it begins.
    #[arg(long, value_name = "PERIOD|TIME")]
    period: Moment,
    #[command(flatten)]
    frequency: Frequency,
}

/// One frequency, written one way or the other.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Frequency {
    /// The new average in hertz.
    #[arg(long, value_name = "HZ", value_parser = values::hertz)]
    hertz: Option<MilliHertz>,
    /// The new average in millihertz.
    #[arg(long, value_name = "MHZ", value_parser = values::millihertz)]
    millihertz: Option<MilliHertz>,
}

/// See [`DeleteFrequency`].
#[derive(Debug, Args)]
pub struct DeleteFrequencyFlags {
    /// The period: its number, or the time at which it begins.
    #[arg(long, value_name = "PERIOD|TIME")]
    period: Moment,
}

/// See [`SealFrequencyDay`](contracts::metering::SealFrequencyDay).
#[derive(Debug, Args)]
pub struct SealFrequencyDayFlags {
    /// The local day in the grid's zone.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    day: LocalDay,
    /// Your own values: a file with the columns date, time and freq_hz.
    #[arg(long, value_name = "FILE.csv")]
    file: Option<PathBuf>,
}

impl Metering {
    /// Builds and signs it.
    pub fn sign(self, signatory: Signatory) -> Result<Submission, Ended> {
        match self {
            Self::SubmitReading(flags) => submit_reading(&flags, signatory),
            Self::SealDay(flags) => seal_day(flags, signatory, Signer::seal_day),
            Self::SealPrivateDay(SealPrivateDayFlags { day, without_values }) => {
                let mut seal = seal_day(day, signatory, Signer::seal_private_day)?;
                if without_values {
                    seal.payload = Bounded::default();
                }
                Ok(seal)
            }
            Self::SubstituteDay(flags) => substitute_day(&flags, signatory),
            Self::ErasePayloads(ErasePayloadsFlags { usage_point, first_day, last_day }) => {
                signatory.sign(ErasePayloads { usage_point, first_day, last_day })
            }
            Self::CorrectReading(flags) => {
                let period = signatory.period(flags.period)?;
                // Fresh, so that the new leaf tells nothing about how far the value moved.
                let salt = new_salt().context("the operating system gives no random bytes")?;
                signatory.seal(|signer, _| {
                    signer.correct_reading(flags.usage_point, period, flags.reading(), salt)
                })
            }
            Self::SealGatewayBatch(flags) => seal_gateway_batch(&flags, signatory),
            Self::PublishFrequency(flags) => publish_frequency(flags, signatory),
            Self::CorrectFrequency(CorrectFrequencyFlags { period, frequency }) => {
                let period = signatory.period(period)?;
                let frequency = frequency.hertz.or(frequency.millihertz);
                let frequency = frequency.expect("the group asks for one of both");
                signatory.sign(CorrectFrequency { period, frequency })
            }
            Self::DeleteFrequency(flags) => {
                let period = signatory.period(flags.period)?;
                signatory.sign(DeleteFrequency { period })
            }
            Self::SealFrequencyDay(SealFrequencyDayFlags { day, file }) => {
                let frequencies = match file {
                    Some(file) => day_of_file(signatory.rules(), &file, day)?,
                    None => published_frequencies(&signatory, day)?,
                };
                signatory.seal(|signer, rules| signer.seal_frequency_day(rules, day, &frequencies))
            }
            Self::EstimateDay(flags) => estimate_day(&flags, signatory),
            Self::PublishStandardProfile(flags) => publish_standard_profile(flags, signatory),
        }
    }
}

impl ReadingFlags {
    const fn reading(&self) -> Reading {
        Reading {
            import_wh: WattHours::new(self.import_wh),
            export_wh: WattHours::new(self.export_wh),
            quality: self.quality,
        }
    }
}

fn publish_frequency(
    flags: PublishFrequencyFlags,
    signatory: Signatory,
) -> Result<Submission, Ended> {
    let Frequencies { hertz, millihertz, file } = flags.frequencies;
    let (first_period, frequencies) = match (flags.first_period, flags.day, file) {
        (Some(first), _, None) => (signatory.period(first)?, [hertz, millihertz].concat()),
        (None, Some(day), Some(file)) => {
            let first_period = signatory.rules().calendar().periods_of(day).first;
            (first_period, day_of_file(signatory.rules(), &file, day)?)
        }
        _ => {
            return Err(anyhow!("wanted is --first-period with values, or --day with --file"))
                .end_with(Exit::Usage);
        }
    };
    let frequencies = bounded("frequencies", frequencies)?;
    signatory.sign(PublishFrequency { first_period, frequencies })
}

fn submit_reading(flags: &ReadingFlags, signatory: Signatory) -> Result<Submission, Ended> {
    let period = signatory.period(flags.period)?;
    let day = signatory.rules().calendar().day_of(period).end_with(Exit::Usage)?;
    let seed = signatory.day_seed(flags.usage_point, day);
    let salt = slot_salt(signatory.rules(), &seed, period).end_with(Exit::Usage)?;
    signatory
        .seal(|signer, _| signer.submit_reading(flags.usage_point, period, flags.reading(), salt))
}

/// How a signer seals a day: openly or privately.
type SealOf = for<'a> fn(&mut Signer, &Rules, &MeterDay<'a>) -> Result<Submission, BuildError>;

fn seal_day(flags: SealDayFlags, signatory: Signatory, seal: SealOf) -> Result<Submission, Ended> {
    let columns = Columns { required: &["import_wh", "export_wh"], optional: &["quality"] };
    let readings = csv_file::read(&flags.file, &columns, reading)?;
    let seal_sequence = match flags.seal_sequence {
        Some(sequence) => sequence,
        None => next_seal_sequence(&signatory, flags.usage_point)?,
    };
    let corrects = rising(flags.corrects_slots);
    let day = MeterDay {
        usage_point: flags.usage_point,
        day: flags.day,
        seal_sequence,
        first: Registers {
            import: WattHours::new(flags.first_import_wh),
            export: WattHours::new(flags.first_export_wh),
        },
        register_limit: WattHours::new(flags.register_limit_wh),
        former_slots: flags.former_slots,
        readings: &readings,
        seed: signatory.day_seed(flags.usage_point, flags.day),
        corrects: &corrects,
    };
    signatory.seal(|signer, rules| seal(signer, rules, &day))
}

fn substitute_day(flags: &SubstituteDayFlags, signatory: Signatory) -> Result<Submission, Ended> {
    let columns = Columns { required: &["import_wh", "export_wh"], optional: &["quality"] };
    let readings = csv_file::read(&flags.file, &columns, |row| {
        let given = row.cell("quality").is_some();
        let value = reading(row)?;
        Ok(if given { value } else { Reading { quality: Quality::Substituted, ..value } })
    })?;
    let day = (flags.usage_point, flags.day);
    let seed = signatory.day_seed(flags.usage_point, flags.day);
    signatory.seal(|signer, rules| signer.substitute_day(rules, day, &readings, seed))
}

fn estimate_day(flags: &EstimateDayFlags, signatory: Signatory) -> Result<Submission, Ended> {
    let answer = match &flags.inputs {
        Some(file) => std::fs::read(file)
            .with_context(|| format!("failed to read {}", file.display()))
            .end_with(Exit::Usage)?,
        None => {
            signatory.log_in()?;
            let (usage_point, day) = (flags.usage_point, flags.day);
            let profile = flags.profile.map(|id| format!("&profile={id}")).unwrap_or_default();
            let path = format!("/v1/usage-points/{usage_point}/estimate?day={day}{profile}");
            signatory.node().get(&path).map_err(ended)?
        }
    };
    let inputs = estimation_inputs(&answer).end_with(Exit::Usage)?;
    let estimated = EstimatedDay {
        usage_point: flags.usage_point,
        day: flags.day,
        inputs: &inputs,
        profile: flags.profile,
        seed: signatory.day_seed(flags.usage_point, flags.day),
    };
    signatory.seal(|signer, rules| signer.estimate_day(rules, &estimated)).map_err(|ended| {
        let Some(BuildError::ProfileNeeded(_)) = ended.error.downcast_ref() else { return ended };
        let hint = "name one with --profile; `submit publish-standard-profile` publishes it";
        Ended { exit: ended.exit, error: ended.error.context(hint) }
    })
}

fn publish_standard_profile(
    flags: PublishStandardProfileFlags,
    signatory: Signatory,
) -> Result<Submission, Ended> {
    let columns = Columns { required: &["import_wh"], optional: &["export_wh"] };
    let wanted = "wanted are whole watt-hours below 4,294,967,296, in digits";
    let rows = csv_file::read(&flags.file, &columns, |row| {
        let weight =
            |column| row.read(column, |cell| cell.parse::<u32>().map_err(|_| wanted.into()));
        let export = row.cell("export_wh").map(|_| weight("export_wh")).transpose()?;
        Ok((weight("import_wh")?, export))
    })?;
    let export: Vec<u32> = rows.iter().filter_map(|(_, export)| *export).collect();
    let import: Vec<u32> = rows.into_iter().map(|(import, _)| import).collect();
    signatory.sign(PublishStandardProfile {
        name: flags.name,
        import_wh: bounded("--file", import)?,
        export_wh: bounded("--file", export)?,
    })
}

/// The number after the last seal that the node knows of.
fn next_seal_sequence(signatory: &Signatory, usage_point: UsagePointId) -> Result<u32, Ended> {
    let path = format!("/v1/usage-points/{usage_point}");
    let document = signatory.node().get_json(&path).map_err(ended)?;
    let last = field_u64(&document, "seal_sequence").and_then(|last| u32::try_from(last).ok());
    last.and_then(|last| last.checked_add(1))
        .ok_or_else(|| anyhow!("the node does not show the last seal; give --seal-sequence"))
        .end_with(Exit::Usage)
}

fn seal_gateway_batch(
    flags: &SealGatewayBatchFlags,
    signatory: Signatory,
) -> Result<Submission, Ended> {
    let columns = Columns {
        required: &["usage_point", "slot", "import_wh", "export_wh"],
        optional: &["quality"],
    };
    let rows = csv_file::read(&flags.file, &columns, |row| {
        let usage_point = row.read("usage_point", |cell| {
            cell.parse::<UsagePointId>().map_err(|error| error.to_string())
        })?;
        let slot = row.read("slot", |cell| {
            cell.parse::<u16>().map_err(|_| "wanted is a slot of the day, from 0".to_owned())
        })?;
        Ok((usage_point, slot, reading(row)?))
    })?;
    let meters = meters_of(rows).map_err(|error| anyhow!("{}: {error}", flags.file.display()));
    let mut days = Vec::new();
    for (usage_point, readings) in meters.end_with(Exit::Usage)? {
        let seed = signatory.day_seed(usage_point, flags.day);
        days.push(GatewayDay { usage_point, readings, seed });
    }
    signatory.seal(|signer, rules| signer.gateway_batch(rules, flags.day, days))
}

/// The readings of each meter in the order of their slots. How many a day must have is looked at
/// when it is sealed; here none may be missing in between or stand twice.
fn meters_of(
    rows: Vec<(UsagePointId, u16, Reading)>,
) -> Result<BTreeMap<UsagePointId, Vec<Reading>>, String> {
    let mut slots: BTreeMap<UsagePointId, BTreeMap<u16, Reading>> = BTreeMap::new();
    for (usage_point, slot, reading) in rows {
        if slots.entry(usage_point).or_default().insert(slot, reading).is_some() {
            return Err(format!("slot {slot} of usage point {usage_point} stands twice"));
        }
    }
    let mut meters = BTreeMap::new();
    for (usage_point, slots) in slots {
        if let Some((wanted, _)) =
            (0_u16..).zip(slots.keys()).find(|(wanted, slot)| wanted != *slot)
        {
            return Err(format!("slot {wanted} of usage point {usage_point} is missing"));
        }
        meters.insert(usage_point, slots.into_values().collect());
    }
    Ok(meters)
}

fn reading(row: &Row<'_>) -> Result<Reading, String> {
    let energy = |column| {
        row.read(column, |cell| {
            let wanted = || format!("{cell:?}: wanted are whole watt-hours, in digits");
            let watt_hours = values::decimal(cell, 0).map_err(|_| wanted())?;
            u64::try_from(watt_hours).map(WattHours::new).map_err(|_| wanted())
        })
    };
    let quality = match row.cell("quality") {
        Some(_) => row.read("quality", values::quality)?,
        None => Quality::Actual,
    };
    Ok(Reading { import_wh: energy("import_wh")?, export_wh: energy("export_wh")?, quality })
}

/// The frequencies of a day in a file, one for each of its slots.
fn day_of_file(rules: &Rules, file: &Path, day: LocalDay) -> Result<Vec<MilliHertz>, Ended> {
    let rows = client::frequency_file::read(file).end_with(Exit::Usage)?;
    let rows: Vec<_> = rows.into_iter().filter(|row| row.day == day).collect();
    let slots = rules.calendar().periods_of(day).count;
    let wrong = |reason: String| Err(anyhow!("{}: {reason}", file.display())).end_with(Exit::Usage);
    if rows.len() != usize::from(slots) {
        return wrong(format!("{} rows of {day}, which has {slots} slots", rows.len()));
    }
    let slot_minutes = u16::from(rules.genesis().slot_minutes);
    // Where the clocks change, times of day are missing or stand twice: there the order counts.
    if slots * slot_minutes == 24 * 60 {
        let due = |index: u16| index * slot_minutes;
        if let Some((index, row)) = (0..).zip(&rows).find(|(index, row)| row.minute != due(*index))
        {
            let (hour, minute) = (due(index) / 60, due(index) % 60);
            let line = row.line;
            return wrong(format!("line {line}: wanted is the slot of {hour:02}:{minute:02}"));
        }
    }
    Ok(rows.into_iter().map(|row| row.frequency).collect())
}

/// What the node shows as published. A wrong answer seals nothing wrong: the seal's root is compared
/// with the state when it is executed.
fn published_frequencies(signatory: &Signatory, day: LocalDay) -> Result<Vec<MilliHertz>, Ended> {
    let document = signatory.node().get_json(&format!("/v1/frequency?day={day}")).map_err(ended)?;
    let slots = document["slots"]
        .as_array()
        .context("the node's answer has no list of slots; give the values with --file")?;
    let mut frequencies = Vec::with_capacity(slots.len());
    for (index, slot) in slots.iter().enumerate() {
        let millihertz = field_u64(slot, "frequency_millihertz")
            .and_then(|value| u32::try_from(value).ok())
            .and_then(|value| MilliHertz::new(value).ok())
            .ok_or_else(|| anyhow!("slot {index} of {day} is not published yet"))?;
        frequencies.push(millihertz);
    }
    Ok(frequencies)
}
