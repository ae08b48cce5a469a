//! `gridtally init`: found a ledger in a directory.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use client::transaction_builder::new_key;
use contracts::genesis::{Clock, Currency, DEFAULT_EPOCH_BLOCKS, Owner, Parameters, Privacy};
use contracts::{Genesis, Rules};
use node::{SystemClock, WallClock};
use primitives::codec::{Bounded, Text};
use primitives::header::ValidatorSet;
use primitives::key::{PublicKey, SigningKey};
use primitives::units::Timestamp;
use serde_json::json;

use super::keys::{Protect, write_key};
use super::submit::values;
use crate::cli::Global;
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Name of a network unless told otherwise.
const DEFAULT_NAME: &str = "Gridtally";

/// Found a ledger in a directory: genesis, validator key, owner key.
///
/// The owner's council appoints the regulators, and they admit everybody else. The genesis never
/// changes: look at DIR/genesis.json before you start the node.
#[derive(Debug, Args)]
pub struct Init {
    /// The directory; it must not hold a ledger yet.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// What the ledger is about.
    #[command(flatten)]
    pub founding: Founding,
    /// How the new key files are protected.
    #[command(flatten)]
    pub protect: Protect,
}

/// What a genesis says.
#[derive(Debug, Clone, Args)]
pub struct Founding {
    /// Name of the network [default: Gridtally].
    #[arg(long)]
    pub name: Option<String>,
    /// The grid's time zone, by its IANA name.
    #[arg(long, value_name = "ZONE", default_value = "Asia/Kolkata")]
    pub zone: String,
    /// Length of a settlement period in minutes.
    #[arg(long, value_name = "MINUTES", default_value_t = 15)]
    pub slot_minutes: u8,
    /// The currency's code.
    #[arg(long, value_name = "CODE", default_value = "INR")]
    pub currency: String,
    /// Decimals of the currency's minor unit.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub minor_unit_decimals: u8,
    /// What drives time. A virtual clock moves only by `submit advance-clock` of the clock keeper,
    /// whose key is made as clock-keeper.key: for trials.
    #[arg(long, value_enum, default_value = "system")]
    pub clock: ClockKind,
    /// When a virtual clock begins, so that readings of the past can be tried; by default now.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub begin: Option<Timestamp>,
    /// A key of the owner's council, `ed25519:…`; repeat it for several. Without any, a new
    /// owner.key is made.
    #[arg(long, value_name = "KEY")]
    pub owner: Vec<PublicKey>,
    /// How many of the council's keys must sign.
    #[arg(long, value_name = "M", default_value_t = 1)]
    pub owner_threshold: u8,
    /// The key of a further validator beside this node's, `ed25519:…`; repeat it for each. With four
    /// validators in all, one of them may fail.
    #[arg(long, visible_alias = "member", value_name = "KEY")]
    pub validator: Vec<PublicKey>,
    /// Blocks of an epoch, at least 4. An approved change of the validators acts two epochs later, so
    /// that everybody sees it before.
    #[arg(long, value_name = "BLOCKS", default_value_t = DEFAULT_EPOCH_BLOCKS, value_parser = clap::value_parser!(u32).range(4..))]
    pub epoch_blocks: u32,
    /// A private ledger: readings lie only on the nodes of the household, of who bills it, and while a
    /// bill over them is in dispute of the regulators; everybody else holds hashes.
    #[arg(long)]
    pub private: bool,
}

/// What drives time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClockKind {
    /// The node's clock.
    System,
    /// `AdvanceClock` transactions.
    Virtual,
}

impl Founding {
    /// The genesis with these keys.
    ///
    /// # Errors
    /// Usage: a value that no ledger can have.
    pub fn genesis(
        &self,
        validator: PublicKey,
        owners: Vec<PublicKey>,
        clock_keeper: Option<PublicKey>,
        time: Timestamp,
    ) -> Result<Genesis, Ended> {
        let year = 1970 + i16::try_from(time.get() / 31_556_952_000).unwrap_or(8_000);
        let zone = client::genesis_file::zone_from_iana(&self.zone, year, year + 50)
            .end_with(Exit::Usage)?;
        let mut validators = vec![validator];
        validators.extend(&self.validator);
        let genesis = Genesis {
            version: 1,
            name: Text::new(self.name.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned()))
                .context("--name")
                .end_with(Exit::Usage)?,
            demo: false,
            clock: match self.clock {
                ClockKind::System => Clock::System,
                ClockKind::Virtual => Clock::Virtual,
            },
            privacy: if self.private { Privacy::Private } else { Privacy::Open },
            time,
            slot_minutes: self.slot_minutes,
            zone,
            currency: Currency {
                code: Text::new(self.currency.clone())
                    .context("--currency")
                    .end_with(Exit::Usage)?,
                minor_unit_decimals: self.minor_unit_decimals,
            },
            owner: Owner {
                threshold: self.owner_threshold,
                keys: Bounded::try_from(owners).context("--owner").end_with(Exit::Usage)?,
            },
            clock_keeper,
            validators: ValidatorSet::new(validators)
                .context("--validator")
                .end_with(Exit::Usage)?,
            epoch_blocks: self.epoch_blocks,
            parameters: Parameters::default(),
        };
        Rules::new(genesis.clone()).end_with(Exit::Usage)?;
        Ok(genesis)
    }
}

impl Init {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let directory = found(&self.dir, &self.founding, &self.protect)?;
        let genesis = directory.genesis()?;
        if global.json {
            output::json(&json!({
                "ledger_id": genesis.ledger_id().to_string(),
                "dir": directory.path().display().to_string(),
            }))?;
        } else {
            output::line(&format!("ledger {}", genesis.ledger_id()))?;
            output::line(&format!("start it with: gridtally node --dir {}", self.dir.display()))?;
        }
        Ok(Exit::Success)
    }
}

/// Founds a ledger: keys first, the genesis last, so that a directory with a genesis is whole.
pub fn found(
    dir: &std::path::Path,
    founding: &Founding,
    protect: &Protect,
) -> Result<Directory, Ended> {
    if founding.begin.is_some() && founding.clock == ClockKind::System {
        return Err(anyhow!("--begin needs --clock virtual")).end_with(Exit::Usage);
    }
    let directory = Directory::create(dir)?;
    if directory.genesis_file().exists() {
        return Err(anyhow!("{} holds a ledger already", dir.display())).end_with(Exit::Usage);
    }
    let fresh = || -> Result<SigningKey, Ended> {
        Ok(new_key().context("the operating system gives no random bytes")?)
    };
    let validator = fresh()?;
    let mut owners = founding.owner.clone();
    let owner = owners.is_empty().then(fresh).transpose()?;
    owners.extend(owner.as_ref().map(SigningKey::public));
    let clock_keeper = (founding.clock == ClockKind::Virtual).then(fresh).transpose()?;
    let genesis = founding.genesis(
        validator.public(),
        owners,
        clock_keeper.as_ref().map(SigningKey::public),
        founding.begin.unwrap_or_else(|| SystemClock::default().now()),
    )?;
    // A founding that was cut short left keys of no ledger: nothing can be signed with them yet.
    let clock_key_file = directory.path().join("clock-keeper.key");
    for leftover in [directory.node_key_file(), directory.owner_key_file(), clock_key_file.clone()]
    {
        if leftover.exists() {
            std::fs::remove_file(&leftover)?;
        }
    }
    let passphrase = protect.new_passphrase()?;
    write_key(&directory.node_key_file(), &validator, passphrase.as_ref())?;
    if let Some(owner) = owner {
        write_key(&directory.owner_key_file(), &owner, passphrase.as_ref())?;
    }
    if let Some(clock_keeper) = clock_keeper {
        write_key(&clock_key_file, &clock_keeper, passphrase.as_ref())?;
    }
    client::genesis_file::write(&directory.genesis_file(), &genesis)
        .map_err(anyhow::Error::from)?;
    Ok(directory)
}
