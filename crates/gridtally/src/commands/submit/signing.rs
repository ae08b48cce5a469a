//! Who signs, for which ledger, and what a transaction needs besides its own flags.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};
use clap::Args;
use client::connection::Connection;
use client::transaction_builder::{BuildError, Signer};
use contracts::genesis::Clock;
use contracts::{Body, Rules};
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::envelope::Submission;
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;
use primitives::key::{PublicKey, SigningKey};
use primitives::reading::DaySeed;
use primitives::units::{Sequence, Timestamp};

use super::values::{KeyOrFile, Moment};
use crate::commands::connect::{self, NodeAddress, OwnKey, ended};
use crate::commands::keys::{Passphrase, read_key};
use crate::exit::{EndWith, Ended, Exit};

/// Flags of every transaction.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signing and sending")]
pub struct Signing {
    #[command(flatten)]
    pub node: NodeAddress,
    #[command(flatten)]
    pub key: OwnKey,
    /// A key file that cosigns; repeat it for several.
    #[arg(long = "cosigner", global = true, value_name = "FILE")]
    cosigners: Vec<PathBuf>,
    /// How long the transaction may wait for its block, by the ledger's clock. Readings, seals and
    /// frequencies do not expire.
    #[arg(
        long = "valid-for",
        global = true,
        value_name = "MINUTES",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=1_440)
    )]
    valid_for_minutes: u64,
    /// The key's sequence number; by default the next one, as the node counts.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sequence: Option<u64>,
    /// Sign for the ledger of this genesis file, whatever the node says. With --sequence and --out
    /// on a ledger that keeps the system's time, no node is asked at all.
    #[arg(long, global = true, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Write the signed transaction to a file instead of sending it; `submit raw FILE` sends it.
    #[arg(long, global = true, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// A key that is about to sign one transaction for one ledger.
pub struct Signatory {
    node: Connection,
    rules: Rules,
    signer: Signer,
    cosigners: Vec<SigningKey>,
    passphrase: Passphrase,
    valid_for_minutes: u64,
    /// Not where everything that it would say was given, to sign on a machine without a network.
    asks_node: bool,
}

impl Signing {
    /// Opens the keys and learns about the ledger. The keys come first: with a wrong passphrase
    /// nobody is asked anything.
    ///
    /// # Errors
    /// No key, a key that cannot be opened, a file that is no genesis, or no answer.
    pub fn signatory(&self) -> Result<Signatory, Ended> {
        let key = self.key.open()?.ok_or_else(|| Ended {
            exit: Exit::Usage,
            error: anyhow!("who signs? give a key file with --key (or GRIDTALLY_KEY)"),
        })?;
        let mut cosigners = Vec::with_capacity(self.cosigners.len());
        for file in &self.cosigners {
            add_cosigner(&mut cosigners, &key, self.key.open_file(file)?);
        }
        let node = match self.is_offline() {
            true => self.node.connect()?,
            false => self.node.connect_with(|| Ok(Some(key.clone())))?,
        };
        let rules = match &self.genesis {
            Some(file) => {
                let genesis = client::genesis_file::read(file).end_with(Exit::Usage)?;
                Rules::new(genesis).end_with(Exit::Usage)?
            }
            None => connect::rules(&node)?,
        };
        let sequence = match self.sequence {
            Some(sequence) => Sequence::new(sequence),
            None => {
                let highest = node.highest_sequence(&key.public().address()).map_err(ended)?;
                highest.checked_add(Sequence::new(1)).end_with(Exit::Failure)?
            }
        };
        Ok(Signatory {
            node,
            signer: Signer::new(key, rules.ledger_id(), sequence),
            rules,
            cosigners,
            passphrase: self.key.passphrase(),
            valid_for_minutes: self.valid_for_minutes,
            asks_node: !self.is_offline(),
        })
    }

    /// Was everything given that a node would say?
    const fn is_offline(&self) -> bool {
        self.genesis.is_some() && self.sequence.is_some() && self.out.is_some()
    }
}

/// A key signs once, however often it is named.
fn add_cosigner(cosigners: &mut Vec<SigningKey>, signer: &SigningKey, key: SigningKey) {
    let known = cosigners.iter().chain([signer]).any(|other| other.public() == key.public());
    if !known {
        cosigners.push(key);
    }
}

impl Signatory {
    /// The rules of the ledger.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The key that signs.
    pub const fn own_key(&self) -> &SigningKey {
        self.signer.key()
    }

    /// The node, for what only it knows.
    pub const fn node(&self) -> &Connection {
        &self.node
    }

    /// Lets the node's answers from now on be those for the party of the signing key.
    ///
    /// # Errors
    /// When the key speaks for no party, or there is no answer.
    pub fn log_in(&self) -> Result<(), Ended> {
        self.node.log_in(self.signer.key().clone()).map(drop).map_err(ended)
    }

    /// The settlement period that begins at a moment.
    ///
    /// # Errors
    /// When none begins at that time.
    pub fn period(&self, moment: Moment) -> Result<SettlementPeriod, Ended> {
        let time = match moment {
            Moment::Period(period) => return Ok(period),
            Moment::Time(time) => time,
        };
        let calendar = self.rules.calendar();
        let period = calendar.period_at(time).end_with(Exit::Usage)?;
        let start = calendar.start_of(period);
        if start == time {
            return Ok(period);
        }
        // Rounding it would make a guess of what was meant, and readings are written once.
        Err(anyhow!(
            "no period begins at {time}; it lies in period {}, from {start} to {}",
            period.get(),
            calendar.end_of(period)
        ))
        .end_with(Exit::Usage)
    }

    /// A public key of the command line. One given as its file also cosigns.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn key(&mut self, key: &KeyOrFile) -> Result<PublicKey, Ended> {
        match key {
            KeyOrFile::Public(key) => Ok(*key),
            KeyOrFile::File(file) => {
                let key = read_key(file, &self.passphrase)?;
                let public = key.public();
                add_cosigner(&mut self.cosigners, self.signer.key(), key);
                Ok(public)
            }
        }
    }

    /// The key at hand that belongs to a public one.
    pub fn signing_key(&self, public: PublicKey) -> Option<&SigningKey> {
        let own = std::iter::once(self.signer.key());
        own.chain(&self.cosigners).find(|key| key.public() == public)
    }

    /// See [`day_seed`], of the signer's key.
    pub fn day_seed(&self, usage_point: UsagePointId, day: LocalDay) -> DaySeed {
        day_seed(self.signer.key(), usage_point, day)
    }

    /// Signs a transaction without payload, after the check that every node makes.
    ///
    /// # Errors
    /// What is impossible by itself; no answer where the ledger's time is needed.
    pub fn sign(mut self, body: impl Into<Body>) -> Result<Submission, Ended> {
        let body = body.into();
        body.check(&[], &self.rules).end_with(Exit::Usage)?;
        let valid_until = if body.entry().expires { self.valid_until()? } else { Timestamp::ZERO };
        let cosigners: Vec<&SigningKey> = self.cosigners.iter().collect();
        self.signer.submission(body, Vec::new(), &cosigners, valid_until).end_with(Exit::Usage)
    }

    /// Signs a commitment to metered values, whose payload travels beside it.
    ///
    /// # Errors
    /// What `build` says; a cosigner, of which such a transaction has none.
    pub fn seal(
        mut self,
        build: impl FnOnce(&mut Signer, &Rules) -> Result<Submission, BuildError>,
    ) -> Result<Submission, Ended> {
        if !self.cosigners.is_empty() {
            return Err(anyhow!("readings and seals have one signer; leave --cosigner out"))
                .end_with(Exit::Usage);
        }
        let submission = build(&mut self.signer, &self.rules).end_with(Exit::Usage)?;
        // Values that a node of this ledger would refuse do not leave this machine.
        let envelope = &submission.transaction.envelope;
        let body = Body::decode(envelope.kind, &envelope.body).end_with(Exit::Usage)?;
        body.require_privacy(&self.rules).end_with(Exit::Usage)?;
        Ok(submission)
    }

    /// The end of the transaction's life, by the clock that drives the ledger.
    fn valid_until(&self) -> Result<Timestamp, Ended> {
        let virtual_clock = self.rules.genesis().clock == Clock::Virtual;
        let node = (self.asks_node || virtual_clock).then_some(&self.node);
        valid_until(&self.rules, node, self.valid_for_minutes)
    }
}

/// The end of a transaction's life, by the clock that drives the ledger. Without a node this
/// machine's clock tells, which a ledger of virtual time does not follow.
///
/// # Errors
/// No answer, or a clock that stands before 1970.
pub fn valid_until(
    rules: &Rules,
    node: Option<&Connection>,
    minutes: u64,
) -> Result<Timestamp, Ended> {
    let of_ledger = node.map(|node| node.status().map_err(ended)).transpose()?.map(|it| it.time);
    let now = match (rules.genesis().clock, of_ledger) {
        (Clock::Virtual, Some(time)) => time,
        // Not the newest block's time alone: on a quiet ledger that may be days ago.
        (_, time) => system_time()?.max(time.unwrap_or(Timestamp::ZERO)),
    };
    now.plus_milliseconds(minutes * 60_000).end_with(Exit::Usage)
}

/// The secret from which the salts of a day's readings are made. It follows from the signer's key,
/// so that a reading sent during the day and the day's seal agree, and the same reading sent again is
/// the same, without anything to be stored.
#[must_use]
pub fn day_seed(key: &SigningKey, usage_point: UsagePointId, day: LocalDay) -> DaySeed {
    let secret = Hash::of_domain("gridtally/meter-secret/v1", &[key.seed()]);
    client::transaction_builder::derived_seed(secret.as_bytes(), usage_point, day)
}

/// The time by this machine's clock.
///
/// # Errors
/// When it stands before 1970.
pub fn system_time() -> Result<Timestamp, Ended> {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("this machine's clock stands before 1970")?;
    Ok(Timestamp::new(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
impl Signatory {
    /// A signatory whose node nobody answers for.
    pub fn offline(rules: Rules, key: SigningKey) -> Self {
        Self {
            node: Connection::new("http://127.0.0.1:9").unwrap(),
            signer: Signer::new(key, rules.ledger_id(), Sequence::new(1)),
            rules,
            cosigners: Vec::new(),
            passphrase: Passphrase::default(),
            valid_for_minutes: 60,
            asks_node: false,
        }
    }
}
