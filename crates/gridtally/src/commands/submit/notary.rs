//! Other ledgers: which are admitted, and their heads.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use client::connection::Connection;
use contracts::notary::{AdmitLedger, NotariseHead};
use data_encoding::BASE64URL_NOPAD;
use primitives::codec::decode;
use primitives::envelope::Submission;
use primitives::identifier::LedgerId;
use primitives::proof::HeadProof;
use serde_json::Value;

use super::signing::Signatory;
use super::{bounded, csv_file};
use crate::commands::connect::ended;
use crate::exit::{EndWith, Ended, Exit};

/// No answer with a head is larger: 256 changes of 128 validators each.
const MAX_HEAD_BYTES: u64 = 8 << 20;

/// The transactions about other ledgers.
#[derive(Debug, Subcommand)]
pub enum Notary {
    /// Admit another ledger, so that its heads can be notarised on this one.
    ///
    /// Sent by a regulator. The genesis is all the proof: it names the first validators.
    #[command(after_help = "Example:\n  gridtally submit admit-ledger --other north/genesis.json \
        --key regulator.key")]
    AdmitLedger(AdmitLedgerFlags),
    /// Notarise the newest final header of an admitted ledger.
    ///
    /// Sent by a regulator. The header is proven by the signatures of its validators, whose changes
    /// are followed from the newest head here. A second final header of a height that is notarised
    /// already is recorded as the proof of a fork.
    #[command(after_help = "Examples:\n  gridtally submit notarise-head \
        --head http://north.example.org:7410 --key regulator.key\n  gridtally show head --json \
        --node http://north.example.org:7410 > head.json\n  gridtally submit notarise-head --head \
        head.json --key regulator.key")]
    NotariseHead(NotariseHeadFlags),
}

/// See [`AdmitLedger`].
#[derive(Debug, Args)]
pub struct AdmitLedgerFlags {
    /// The other ledger's genesis file.
    #[arg(long, value_name = "FILE")]
    other: PathBuf,
}

/// See [`NotariseHead`].
#[derive(Debug, Args)]
pub struct NotariseHeadFlags {
    /// A node of the other ledger, or a file with what `show head --json` wrote there. A further ledger of
    /// a node, http://HOST:PORT/ledgers/NAME, has to know the signing key.
    #[arg(long, value_name = "URL|FILE")]
    head: String,
    /// Leave out changes of validators before this epoch; by default that of the newest head here.
    #[arg(long, value_name = "EPOCH")]
    since_epoch: Option<u64>,
}

impl Notary {
    /// Builds and signs it.
    pub fn sign(self, signatory: Signatory) -> Result<Submission, Ended> {
        match self {
            Self::AdmitLedger(AdmitLedgerFlags { other }) => {
                let genesis = client::genesis_file::read(&other)
                    .with_context(|| format!("{} is not a genesis", other.display()))
                    .end_with(Exit::Usage)?;
                signatory.sign(AdmitLedger { genesis })
            }
            Self::NotariseHead(flags) => {
                let HeadProof { set_changes, head } = flags.proof(&signatory)?;
                let ledger_id = head.header.ledger_id;
                let since = match flags.since_epoch {
                    Some(epoch) => epoch,
                    None => newest_epoch(signatory.node(), &ledger_id)?,
                };
                let needed =
                    set_changes.into_vec().into_iter().filter(|it| it.header.epoch >= since);
                let set_changes = bounded("changes of validators", needed.collect())?;
                signatory.sign(NotariseHead { ledger_id, set_changes, head })
            }
        }
    }
}

impl NotariseHeadFlags {
    fn proof(&self, signatory: &Signatory) -> Result<HeadProof, Ended> {
        let answer: Value = if self.head.starts_with("http://") || self.head.starts_with("https://")
        {
            let node = Connection::new(&self.head).map_err(ended)?;
            // A further ledger shows its head to those it knows: the notary is one of them.
            node.enter(signatory.own_key().clone()).map_err(ended)?;
            node.get_json("/v1/head").map_err(ended)?
        } else {
            let bytes = csv_file::read_bytes(self.head.as_ref(), MAX_HEAD_BYTES)?;
            serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is not JSON", self.head))
                .end_with(Exit::Usage)?
        };
        let bytes = answer["proof"].as_str().map(|text| BASE64URL_NOPAD.decode(text.as_bytes()));
        let bytes = bytes.and_then(Result::ok);
        bytes
            .and_then(|bytes| decode(&bytes).ok())
            .ok_or_else(|| anyhow!("{} does not hold the head of a ledger", self.head))
            .end_with(Exit::Usage)
    }
}

/// The epoch of the newest head of a ledger on the node that is sent to.
fn newest_epoch(node: &Connection, ledger_id: &LedgerId) -> Result<u64, Ended> {
    let ledger = node.get_json(&format!("/v1/ledgers/{ledger_id}")).map_err(ended)?;
    let epoch = ledger["newest"]["epoch"].as_str().and_then(|epoch| epoch.parse().ok());
    Ok(epoch.ok_or_else(|| anyhow!("the node does not say which head is the newest"))?)
}
