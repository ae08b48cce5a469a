//! `gridtally ledger create`: found a further ledger.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use client::transaction_builder::new_key;
use node::{SystemClock, WallClock};
use primitives::key::SigningKey;
use serde_json::json;

use super::place::{self, Meeting};
use crate::cli::Global;
use crate::commands::init::{ClockKind, Founding};
use crate::commands::keys::{Protect, write_key};
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Found a further ledger for chosen members.
///
/// This node is a validator of it, and so is each --member, by the key that `ledger prepare` made there.
/// The genesis and the name under which the others know it are for them alone; they take it with
/// `ledger join`. Without --owner a new owner.key is made beside it. A node that runs takes the ledger up
/// within a second.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  gridtally ledger create north --dir /var/lib/gridtally --plain\n  \
    gridtally ledger create north --dir /var/lib/gridtally --member DIST_A_KEY --member \
    REGULATOR_KEY --peer-listen 10.0.0.11:7421 --peer DIST_A_KEY@10.0.0.12:7421 --peer \
    REGULATOR_KEY@10.0.0.14:7421 --passphrase-file /etc/gridtally/passphrase"
)]
pub struct Create {
    /// The ledger's name on this node: small letters, digits and dashes.
    #[arg(value_name = "NAME")]
    ledger: String,
    /// The node's directory.
    #[arg(long, value_name = "DIR", env = "GRIDTALLY_DIR")]
    dir: PathBuf,
    /// What the ledger is about; its name is NAME unless --name says more.
    #[command(flatten)]
    founding: Founding,
    /// How this node meets the others.
    #[command(flatten)]
    meeting: Meeting,
    /// How new key files are protected: as the node's other keys are.
    #[command(flatten)]
    protect: Protect,
}

impl Create {
    pub fn run(mut self, global: &Global) -> Result<Exit, Ended> {
        if self.founding.begin.is_some() && self.founding.clock == ClockKind::System {
            return Err(anyhow!("--begin needs --clock virtual")).end_with(Exit::Usage);
        }
        let place = place::free(&self.dir, &self.ledger)?;
        let key = place::node_key(&place, &self.protect)?;
        let own = key.public();
        self.founding.validator.retain(|member| *member != own);
        self.founding.name.get_or_insert_with(|| self.ledger.clone());
        let mut owners = self.founding.owner.clone();
        let owner = owners.is_empty().then(fresh).transpose()?;
        owners.extend(owner.as_ref().map(SigningKey::public));
        let keeper = (self.founding.clock == ClockKind::Virtual).then(fresh).transpose()?;
        let begin = self.founding.begin.unwrap_or_else(|| SystemClock::default().now());
        let keeper_key = keeper.as_ref().map(SigningKey::public);
        let genesis = self.founding.genesis(own, owners, keeper_key, begin)?;
        self.meeting.check(&genesis, &own)?;
        let new_keys =
            [(place.owner_key_file(), owner), (place.path().join("clock-keeper.key"), keeper)];
        let passphrase = match new_keys.iter().any(|(_, key)| key.is_some()) {
            true => self.protect.new_passphrase()?,
            false => None,
        };
        for (file, key) in new_keys {
            // What a founding that was cut short left behind belongs to no ledger.
            if file.exists() {
                std::fs::remove_file(&file)?;
            }
            if let Some(key) = key {
                write_key(&file, &key, passphrase.as_ref())?;
            }
        }
        place::put(&self.dir, &place, &self.meeting, &genesis)?;
        let (id, file) = (genesis.ledger_id(), place.genesis_file());
        if global.json {
            output::json(&json!({
                "name": self.ledger,
                "ledger_id": id.to_string(),
                "genesis": file.display().to_string(),
                "validators": genesis.validators.len(),
                "path": format!("/ledgers/{}", self.ledger),
            }))?;
        } else {
            output::line(&format!("ledger   {id}"))?;
            output::line(&format!("genesis  {}", file.display()))?;
            output::line(&format!("address  that of the node, and /ledgers/{}", self.ledger))?;
        }
        Ok(Exit::Success)
    }
}

fn fresh() -> Result<SigningKey, Ended> {
    Ok(new_key().context("the operating system gives no random bytes")?)
}
