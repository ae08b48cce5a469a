//! A light client: the node's word that a transaction was recorded, checked against the genesis.
//!
//! What was recorded has a receipt, and the node has to show its proof: from the receipt to a header
//! that the validators of the genesis made final. What was rejected has to stand in a block. A node
//! that cannot show that has not done it, whatever it says.

use std::collections::BTreeSet;

use anyhow::{Context, anyhow, ensure};
use client::connection::{Connection, ConnectionError, SubmitOutcome};
use client::transaction_proof;
use client::verify::TrustAnchor;
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

/// Fetches the proof of a receipt and checks that the transaction acted, where the node says.
///
/// # Errors
/// No answer, or not yet: exit code 4. Exit code 5 when the node shows another proof, or none.
pub fn receipt(node: &Connection, rules: &Rules, outcome: &SubmitOutcome) -> Result<(), Ended> {
    let id = outcome.transaction_id;
    let file = node.transaction_proof(&id).map_err(|error| match error {
        ConnectionError::Unreachable { .. } | ConnectionError::Overloaded { .. } => {
            Ended { exit: Exit::Unreachable, error: error.into() }
        }
        error => {
            let error = anyhow!(error).context(format!("no proof that {id} was recorded"));
            Ended { exit: Exit::Damaged, error }
        }
    })?;
    let trusted = TrustAnchor::Ledger(rules.ledger_id());
    let shown = transaction_proof::verify(&trusted, &file).map_err(anyhow::Error::from);
    let checked = shown.and_then(|shown| {
        ensure!(shown.transaction_id == id, "it is about transaction {}", shown.transaction_id);
        ensure!(shown.code == 0, "the transaction was rejected by rule {}", shown.code);
        let named = outcome.height.map(BlockHeight::get);
        ensure!(named == Some(shown.height.get()), "it stands in block {}", shown.height);
        Ok(())
    });
    checked
        .with_context(|| format!("the proof that {} recorded {id} is wrong", node.address()))
        .end_with(Exit::Damaged)
}

/// Checks that a block holds a transaction.
///
/// # Errors
/// No answer; exit code 5 when it does not, or the block is proven wrong.
pub fn in_block(node: &Connection, rules: &Rules, outcome: &SubmitOutcome) -> Result<(), Ended> {
    let id = outcome.transaction_id;
    let height = outcome.height.context("the node names no block").end_with(Exit::Damaged)?;
    if block(node, rules, height)?.contains(&id) {
        return Ok(());
    }
    Err(anyhow!("the node says that block {height} holds transaction {id}, and it does not"))
        .end_with(Exit::Damaged)
}

/// Fetches a block and checks it; gives the transactions that it holds.
fn block(
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
