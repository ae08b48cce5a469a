//! `gridtally submit`: sign a transaction and send it, one sub-command for each line of the table of
//! transactions.
//!
//! One file per module of the rules: the flags of its transactions and how they become a body.
//! [`signing`] knows who signs for which ledger; [`values`] reads quantities from text.

mod account;
mod billing;
pub mod csv_file;
mod governance;
mod metering;
mod notary;
mod registry;
mod signing;
mod tariff;
pub mod values;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use client::connection::{SubmitOutcome, SubmitStatus};
use contracts::Body;
use primitives::codec::{Bounded, decode, encode};
use primitives::envelope::Submission;
use primitives::identifier::{PartyId, StationId, TariffId, TransactionId, UsagePointId};
use serde_json::{Value, json};

pub use self::registry::role_name;
use self::signing::{Signatory, Signing};
pub use self::signing::{day_seed, system_time, valid_until};
use crate::cli::Global;
use crate::commands::connect::ended;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// No submission is larger: 256 KiB of body, 1 MiB of payload, keys and signatures.
const MAX_SUBMISSION_BYTES: u64 = 2 << 20;

/// Sign a transaction and send it to a node.
///
/// The answer comes when the transaction is executed and durable on the node: exit code 0 when it was
/// accepted (also when the same had been recorded before), 1 when a rule rejects it. A rejected
/// transaction stands in a block with its receipt; its sequence number is used up.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Example: household 17 pays part of its bill\n  gridtally submit pay-bill \
                  --usage-point ID --amount 2000.00 --key home-17.key"
)]
pub struct Submit {
    #[command(subcommand)]
    transaction: Transaction,
    #[command(flatten)]
    signing: Signing,
}

/// What is sent.
#[derive(Debug, Subcommand)]
enum Transaction {
    #[command(flatten)]
    Registry(registry::Registry),
    #[command(flatten)]
    Metering(metering::Metering),
    #[command(flatten)]
    Tariff(tariff::Tariff),
    #[command(flatten)]
    Billing(billing::Billing),
    #[command(flatten)]
    Account(account::Account),
    #[command(flatten)]
    Notary(notary::Notary),
    #[command(flatten)]
    Governance(governance::Governance),
    /// Send a signed transaction that --out wrote.
    ///
    /// Anybody may carry it to a node: it holds its signatures.
    #[command(after_help = "Example:\n  gridtally submit raw payment.bin")]
    Raw(Raw),
}

/// A signed transaction in a file.
#[derive(Debug, Args)]
struct Raw {
    /// The file, in canonical encoding.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Submit {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let Self { transaction, signing } = self;
        let submission = transaction.submission(|| signing.signatory())?;
        if let Some(file) = &signing.out {
            write_whole(file, &encode(&submission))?;
            return show_written(file, &submission, global);
        }
        let node = signing.node.connect_with(|| signing.key.open())?;
        let outcomes = node.submit(std::slice::from_ref(&submission)).map_err(ended)?;
        let outcome = outcomes.first().ok_or_else(|| anyhow!("the node gave no answer"))?;
        show_outcome(outcome, &submission, global)
    }
}

impl Transaction {
    /// Builds and signs it, or reads what was signed; only the former needs a signatory.
    fn submission(
        self,
        signatory: impl FnOnce() -> Result<Signatory, Ended>,
    ) -> Result<Submission, Ended> {
        match self {
            Self::Raw(Raw { file }) => {
                let bytes = csv_file::read_bytes(&file, MAX_SUBMISSION_BYTES)?;
                decode(&bytes)
                    .map_err(|error| anyhow!("{} holds no submission: {error}", file.display()))
                    .end_with(Exit::Usage)
            }
            Self::Registry(transaction) => transaction.sign(signatory()?),
            Self::Metering(transaction) => transaction.sign(signatory()?),
            Self::Tariff(transaction) => transaction.sign(signatory()?),
            Self::Billing(transaction) => transaction.sign(signatory()?),
            Self::Account(transaction) => transaction.sign(signatory()?),
            Self::Notary(transaction) => transaction.sign(signatory()?),
            Self::Governance(transaction) => transaction.sign(signatory()?),
        }
    }
}

/// Writes a file, whole or not at all; one that is there is replaced.
///
/// # Errors
/// When it cannot be written.
pub fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), Ended> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let write = || -> std::io::Result<()> {
        let mut scratch = tempfile::NamedTempFile::new_in(parent.unwrap_or(Path::new(".")))?;
        scratch.write_all(bytes)?;
        scratch.as_file().sync_all()?;
        scratch.persist(file).map_err(|error| error.error)?;
        Ok(())
    };
    Ok(write().with_context(|| format!("{} cannot be written", file.display()))?)
}

fn show_written(file: &Path, submission: &Submission, global: &Global) -> Result<Exit, Ended> {
    let id = submission.transaction.id();
    if global.json {
        output::json(&json!({
            "transaction_id": id.to_string(),
            "file": file.display().to_string(),
            "created": created_json(submission),
        }))?;
    } else {
        output::line(&format!("written to   {}", file.display()))?;
        show_ids(id, submission)?;
    }
    Ok(Exit::Success)
}

fn show_outcome(
    outcome: &SubmitOutcome,
    submission: &Submission,
    global: &Global,
) -> Result<Exit, Ended> {
    let accepted = outcome.status == SubmitStatus::Accepted;
    if global.json {
        output::json(&json!({
            "transaction_id": outcome.transaction_id.to_string(),
            "status": status_name(outcome.status),
            "code": outcome.code,
            "name": outcome.name,
            "detail": outcome.detail,
            "height": outcome.height.map(|height| height.to_string()),
            "index": outcome.index,
            "numbers": outcome.numbers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "created": if accepted { created_json(submission) } else { Value::Null },
        }))?;
    } else {
        output::line(&sentence(outcome))?;
        if accepted {
            show_ids(outcome.transaction_id, submission)?;
        } else {
            output::line(&format!("transaction  {}", outcome.transaction_id))?;
        }
    }
    Ok(if accepted { Exit::Success } else { Exit::Failure })
}

const fn status_name(status: SubmitStatus) -> &'static str {
    match status {
        SubmitStatus::Accepted => "accepted",
        SubmitStatus::Rejected => "rejected",
        SubmitStatus::Malformed => "malformed",
        SubmitStatus::Refused => "refused",
    }
}

/// What became of it, in one line.
fn sentence(outcome: &SubmitOutcome) -> String {
    let SubmitOutcome { code, name, detail, .. } = outcome;
    let block = match outcome.height {
        Some(height) => format!(" in block {height}"),
        None => String::new(),
    };
    match outcome.status {
        SubmitStatus::Accepted => format!("accepted{block}"),
        SubmitStatus::Rejected => {
            format!("rejected{block} by rule {code} {name}: {}", in_currency(detail))
        }
        SubmitStatus::Malformed => format!("malformed, not ordered: {code} {name}: {detail}"),
        SubmitStatus::Refused => format!("not taken by the node: {name}: {detail}"),
    }
}

/// A rule's sentence for people: amounts that it tells in micro stand in the currency.
fn in_currency(detail: &str) -> String {
    let Some((before, after)) = detail.split_once(" micro") else { return detail.to_owned() };
    let digits = before.rfind(|letter: char| !letter.is_ascii_digit()).map_or(0, |at| at + 1);
    match before[digits..].parse() {
        Ok(micro) => {
            let decimals = if micro % 10_000 == 0 { 2 } else { 6 };
            format!("{}{}{after}", &before[..digits], output::amount(micro, decimals))
        }
        Err(_) => detail.to_owned(),
    }
}

fn show_ids(id: TransactionId, submission: &Submission) -> Result<(), Ended> {
    output::line(&format!("transaction  {id}"))?;
    if let Some((what, id)) = created(submission) {
        output::line(&format!("{what:<12} {id}"))?;
    }
    let envelope = &submission.transaction.envelope;
    let billed = match Body::decode(envelope.kind, &envelope.body) {
        Ok(Body::IssueBill(body)) => match body.usage_points[..] {
            [usage_point] => Some(usage_point),
            _ => None,
        },
        Ok(Body::IssuePrivateBill(body)) => Some(body.usage_point),
        _ => None,
    };
    if let Some(usage_point) = billed {
        output::line(&format!("see          gridtally show bills {usage_point}"))?;
    }
    Ok(())
}

fn created_json(submission: &Submission) -> Value {
    created(submission).map_or(Value::Null, |(what, id)| json!({ "kind": what, "id": id }))
}

/// What the transaction creates under an id of its own.
fn created(submission: &Submission) -> Option<(&'static str, String)> {
    let transaction = &submission.transaction;
    let id = transaction.id();
    let envelope = &transaction.envelope;
    Some(match Body::decode(envelope.kind, &envelope.body).ok()? {
        Body::AppointRegulator(_) | Body::RegisterParty(_) => {
            ("party", PartyId::from_transaction(&id).to_string())
        }
        Body::RegisterStation(_) => ("station", StationId::from_transaction(&id).to_string()),
        Body::RegisterUsagePoint(_) => {
            ("usage point", UsagePointId::from_transaction(&id).to_string())
        }
        Body::PublishTariff(body) if body.tariff.is_none() => {
            ("tariff", TariffId::from_transaction(&id).to_string())
        }
        _ => return None,
    })
}

/// The values in rising order, none twice, as lists stand in transactions.
fn rising<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

/// A list that must keep within its bound.
fn bounded<T, const MAX: usize>(flag: &str, values: Vec<T>) -> Result<Bounded<T, MAX>, Ended> {
    let count = values.len();
    Bounded::try_from(values)
        .map_err(|_| anyhow!("{flag}: {count} values, at most {MAX} are allowed"))
        .end_with(Exit::Usage)
}
