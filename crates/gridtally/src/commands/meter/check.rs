//! A light client: the node's word that a transaction was recorded, checked against the genesis.
//!
//! The block's header must belong to the ledger, be final by the signatures of the genesis'
//! validators, and commit to a list of transactions in which ours stands. A node that cannot show
//! that has not recorded it, whatever it says.

use std::collections::BTreeSet;

use anyhow::{Context, anyhow, ensure};
use client::connection::Connection;
use contracts::Rules;
use data_encoding::BASE64URL_NOPAD;
use primitives::codec::{Bounded, decode};
use primitives::envelope::transactions_root;
use primitives::header::{Certificate, Header};
use primitives::identifier::TransactionId;
use primitives::units::BlockHeight;
use serde_json::Value;

use crate::commands::connect::{ended, field_u64};
use crate::exit::{EndWith, Ended, Exit};

/// Transactions of one page of a block.
const PAGE: usize = 1_000;

/// Fetches a block and checks it; gives the transactions that it holds.
///
/// # Errors
/// No answer; exit code 5 when the block is proven wrong.
pub fn block(
    node: &Connection,
    rules: &Rules,
    height: BlockHeight,
) -> Result<BTreeSet<TransactionId>, Ended> {
    let mut ids = Vec::new();
    let mut after = String::new();
    let first = loop {
        let path = format!("/v1/blocks/{height}?limit={PAGE}{after}");
        let page = node.get_json(&path).map_err(ended)?;
        let list = page["transactions"]["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = list
            .iter()
            .filter_map(|it| it["transaction_id"].as_str()?.parse::<TransactionId>().ok());
        let before = ids.len();
        ids.extend(found);
        match page["transactions"]["next"].as_str() {
            Some(next) if ids.len() > before => after = format!("&after={next}"),
            _ => break page,
        }
    };
    verify(rules, height, &first, &ids)
        .with_context(|| format!("block {height} of {} is wrong", node.address()))
        .end_with(Exit::Damaged)?;
    Ok(ids.into_iter().collect())
}

fn verify(
    rules: &Rules,
    height: BlockHeight,
    block: &Value,
    ids: &[TransactionId],
) -> anyhow::Result<()> {
    let bytes = block["header"]["bytes"].as_str().context("it has no header")?;
    let bytes = BASE64URL_NOPAD.decode(bytes.as_bytes()).context("its header is not base64url")?;
    let header: Header = decode(&bytes).context("its header is none")?;
    ensure!(header.ledger_id == rules.ledger_id(), "it belongs to ledger {}", header.ledger_id);
    ensure!(header.height == height, "its header has height {}", header.height);
    let certificate = certificate(&block["certificate"])?;
    let validators = &rules.genesis().validators;
    certificate.verify(&header, validators).context("it is not final")?;
    ensure!(transactions_root(ids) == header.transactions_root, "its transactions are others");
    Ok(())
}

fn certificate(document: &Value) -> anyhow::Result<Certificate> {
    let number = |value: &Value, name: &str| {
        field_u64(value, name).ok_or_else(|| anyhow!("its certificate has no {name}"))
    };
    let votes = document["signatures"].as_array().context("it has no certificate")?;
    let mut signatures = Vec::with_capacity(votes.len());
    for vote in votes {
        let validator = u16::try_from(number(vote, "validator")?)?;
        let signature = vote["signature"].as_str().context("a vote has no signature")?;
        let signature = signature.parse().map_err(|_| anyhow!("a signature is none"))?;
        signatures.push((validator, signature));
    }
    Ok(Certificate {
        view: number(document, "view")?,
        parent_view: number(document, "parent_view")?,
        signatures: Bounded::try_from(signatures).context("too many signatures")?,
    })
}
