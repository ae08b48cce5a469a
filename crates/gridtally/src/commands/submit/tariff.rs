//! Tariffs: published as data, assigned to usage points.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use client::tariff_file::TariffFile;
use contracts::tariff::{AmendTariff, AssignTariff, AssignmentTarget, PublishTariff};
use primitives::envelope::Submission;
use primitives::identifier::{StationId, TariffId, UsagePointId};

use super::signing::Signatory;
use super::values::Moment;
use crate::exit::{EndWith, Ended, Exit};

/// The transactions of tariffs.
#[derive(Debug, Subcommand)]
#[expect(clippy::enum_variant_names, reason = "each is named as its transaction")]
pub enum Tariff {
    /// Publish a tariff, or a further version of one.
    ///
    /// Sent by a distributor or a grid operator. It acts from a period on that has not begun;
    /// `gridtally tariff try` shows its prices beforehand.
    #[command(after_help = "Example:\n  gridtally submit publish-tariff curve.toml \
        --first-period 2026-07-01T00:00:00+05:30 --key distributor.key")]
    PublishTariff(PublishTariffFlags),
    /// Assign a tariff to a usage point, or to all that you bill below a station.
    ///
    /// Sent by who bills the usage points: the distributor, at a boundary the grid operator. It acts
    /// from a period on that has not begun.
    #[command(after_help = "Example:\n  gridtally submit assign-tariff --station STATION_ID \
        --tariff TARIFF_ID --first-period 2026-07-01T00:00:00+05:30 --key distributor.key")]
    AssignTariff(AssignTariffFlags),
    /// Amend a tariff for the past, until its next version begins.
    ///
    /// Sent by the distributor or grid operator that publishes it; a regulator cosigns. Bills that
    /// used the former terms are stale and may be issued anew.
    #[command(
        after_help = "Example:\n  gridtally submit amend-tariff curve.toml --tariff TARIFF_ID \
        --first-period 2026-06-01T00:00:00+05:30 --key distributor.key --cosigner regulator.key"
    )]
    AmendTariff(AmendTariffFlags),
}

/// See [`PublishTariff`].
#[derive(Debug, Args)]
pub struct PublishTariffFlags {
    /// The tariff's name and terms, a TOML file.
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// The first period it holds in: its number, or the time at which it begins.
    #[arg(long, value_name = "PERIOD|TIME")]
    first_period: Moment,
    /// The tariff that gets a further version; without it a new tariff is made.
    #[arg(long, value_name = "ID")]
    tariff: Option<TariffId>,
}

/// See [`AssignTariff`].
#[derive(Debug, Args)]
pub struct AssignTariffFlags {
    #[command(flatten)]
    target: Target,
    /// The tariff.
    #[arg(long, value_name = "ID")]
    tariff: TariffId,
    /// The first period it holds in: its number, or the time at which it begins.
    #[arg(long, value_name = "PERIOD|TIME")]
    first_period: Moment,
}

/// See [`AmendTariff`].
#[derive(Debug, Args)]
pub struct AmendTariffFlags {
    /// The terms, a TOML file; its name is not used.
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// The tariff.
    #[arg(long, value_name = "ID")]
    tariff: TariffId,
    /// The first period that is amended: its number, or the time at which it begins.
    #[arg(long, value_name = "PERIOD|TIME")]
    first_period: Moment,
}

/// One usage point, or all that the sender bills below a station.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Target {
    /// One usage point.
    #[arg(long, value_name = "ID")]
    pub usage_point: Option<UsagePointId>,
    /// All that you bill below a station.
    #[arg(long, value_name = "ID")]
    pub station: Option<StationId>,
}

impl Target {
    /// Either the one or the other, as the transaction names it.
    pub fn either<T>(self, usage_point: fn(UsagePointId) -> T, station: fn(StationId) -> T) -> T {
        let one = self.usage_point.map(usage_point);
        one.or_else(|| self.station.map(station)).expect("the group asks for one of both")
    }
}

impl Tariff {
    /// Builds and signs it.
    pub fn sign(self, signatory: Signatory) -> Result<Submission, Ended> {
        match self {
            Self::PublishTariff(flags) => {
                let file = TariffFile::read(&flags.file).end_with(Exit::Usage)?;
                let first_period = signatory.period(flags.first_period)?;
                signatory.sign(PublishTariff {
                    tariff: flags.tariff,
                    name: file.name,
                    first_period,
                    terms: file.terms,
                })
            }
            Self::AssignTariff(flags) => {
                let target =
                    flags.target.either(AssignmentTarget::UsagePoint, AssignmentTarget::Station);
                let first_period = signatory.period(flags.first_period)?;
                signatory.sign(AssignTariff { target, tariff: flags.tariff, first_period })
            }
            Self::AmendTariff(flags) => {
                let terms = TariffFile::read(&flags.file).end_with(Exit::Usage)?.terms;
                let first_period = signatory.period(flags.first_period)?;
                signatory.sign(AmendTariff { tariff: flags.tariff, first_period, terms })
            }
        }
    }
}
