//! `gridtally verify`: check bills and receipts from their proof files, offline.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use client::proof_file::ProofFile;
use client::transaction_proof::{self, VerifiedTransaction};
use client::verify::{TrustAnchor, verify_proof};
use contracts::billing::bill_proof::VerifiedBill;
use primitives::identifier::LedgerId;
use serde_json::{Value, json};

use crate::cli::Global;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Check bills and receipts of transactions from their proof files, offline.
///
/// Of a transaction are checked its receipt, the way from it to a final block, the validators'
/// signatures and, where the file holds it, its own. Of a bill:
///
/// Checked are the signatures of the meter's and the grid operator's seals, every reading and
/// frequency against them, the tariff, the arithmetic of every line and fine, the way from the bill to a
/// final block, and the validators' signatures. Nothing is asked of any server.
///
/// Say which ledger you trust by --genesis or --ledger; without either a proof is only consistent in
/// itself, and anybody could have made it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gridtally verify --genesis demo/genesis.json demo/proofs/*.json\n  \
    gridtally verify --ledger grid-5b0c… --require-anchor bill.json\n\n\
    Exit codes: 0 right · 1 wrong, in words · 2 not a proof file · 3 right, but not anchored and \
    --require-anchor was given")]
pub struct Verify {
    /// Proof files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The genesis of the ledger that you trust.
    #[arg(long, value_name = "FILE", conflicts_with = "ledger")]
    genesis: Option<PathBuf>,
    /// The id of the ledger that you trust.
    #[arg(long, value_name = "ID")]
    ledger: Option<LedgerId>,
    /// Do not accept a proof whose ledger was not compared.
    #[arg(long)]
    require_anchor: bool,
}

/// What became of one file.
enum Verdict {
    /// The bill, and its total with the currency's code.
    Right(Box<VerifiedBill>, String),
    /// What became of a transaction.
    Receipt(Box<VerifiedTransaction>),
    Wrong(String),
    NotAProof(String),
}

impl Verify {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let trusted = self.trusted()?;
        let mut exit = Exit::Success;
        let mut results = Vec::with_capacity(self.files.len());
        for path in &self.files {
            let verdict = judge(&trusted, path);
            let this = self.exit_of(&verdict);
            if exit == Exit::Success || this == Exit::Failure {
                exit = this;
            }
            if global.json {
                results.push(json_of(path, &verdict, this));
            } else {
                for line in text_of(path, &verdict) {
                    output::line(&line)?;
                }
            }
        }
        if global.json {
            output::json(&json!({
                "ledger_id": trusted.ledger_id().map(|id| id.to_string()),
                "valid": exit == Exit::Success,
                "files": results,
            }))?;
        } else if exit == Exit::NotAnchored {
            eprintln!(
                "gridtally: right in itself, but the ledger was not compared; give --genesis or \
                 --ledger"
            );
        }
        Ok(exit)
    }

    fn trusted(&self) -> Result<TrustAnchor, Ended> {
        if let Some(path) = &self.genesis {
            let genesis = client::genesis_file::read(path).end_with(Exit::Usage)?;
            return Ok(TrustAnchor::Genesis(Box::new(genesis)));
        }
        Ok(self.ledger.map_or(TrustAnchor::Nothing, TrustAnchor::Ledger))
    }

    fn exit_of(&self, verdict: &Verdict) -> Exit {
        match verdict {
            Verdict::Wrong(_) => Exit::Failure,
            Verdict::NotAProof(_) => Exit::Usage,
            Verdict::Right(bill, _) if self.require_anchor && !bill.anchored => Exit::NotAnchored,
            Verdict::Receipt(receipt) if self.require_anchor && !receipt.anchored => {
                Exit::NotAnchored
            }
            Verdict::Right(..) | Verdict::Receipt(_) => Exit::Success,
        }
    }
}

/// The largest proof file that is read: a year of readings is far smaller.
const MAX_BYTES: u64 = 16 << 20;

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let length = std::fs::metadata(path).context("cannot be read")?.len();
    if length > MAX_BYTES {
        return Err(anyhow!("has {length} bytes; a proof file has at most {MAX_BYTES}"));
    }
    std::fs::read(path).context("cannot be read")
}

fn judge(trusted: &TrustAnchor, path: &Path) -> Verdict {
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(error) => return Verdict::NotAProof(format!("{error:#}")),
    };
    if transaction_proof::is_one(&bytes) {
        return match transaction_proof::verify(trusted, &bytes) {
            Ok(receipt) => Verdict::Receipt(Box::new(receipt)),
            Err(error) if error.is_not_a_proof() => Verdict::NotAProof(error.to_string()),
            Err(error) => Verdict::Wrong(error.to_string()),
        };
    }
    let file = match ProofFile::parse(&bytes) {
        Ok(file) => file,
        Err(error) if error.is_not_a_proof() => return Verdict::NotAProof(error.to_string()),
        Err(error) => return Verdict::Wrong(error.to_string()),
    };
    match verify_proof(trusted, &file) {
        Ok(bill) => {
            let currency = &file.proof().genesis.currency;
            let total = output::amount(bill.total.get(), currency.minor_unit_decimals);
            Verdict::Right(Box::new(bill), format!("{total} {}", currency.code.as_str()))
        }
        Err(error) => Verdict::Wrong(error.to_string()),
    }
}

fn text_of(path: &Path, verdict: &Verdict) -> Vec<String> {
    let path = path.display();
    match verdict {
        Verdict::NotAProof(why) => vec![format!("{path}: not a proof file: {why}")],
        Verdict::Wrong(why) => vec![format!("{path}: WRONG: {why}")],
        Verdict::Receipt(receipt) => {
            let mut lines = Vec::new();
            lines.extend(not_compared(&path, receipt.anchored, receipt.ledger_id));
            let outcome = match receipt.code {
                0 => "acted".to_owned(),
                code => format!("was rejected by rule {code}"),
            };
            lines.push(format!(
                "{path}: right: {} {} {outcome} (block {}, {})",
                receipt.kind_name.unwrap_or("transaction"),
                receipt.transaction_id,
                receipt.height.get(),
                receipt.events.join(", "),
            ));
            lines
        }
        Verdict::Right(bill, total) => {
            let mut lines = Vec::new();
            lines.extend(not_compared(&path, bill.anchored, bill.ledger_id));
            lines.push(format!(
                "{path}: right: bill {} of usage point {}, {}: {} ({} signatures, block {}{})",
                bill.bill,
                bill.usage_point,
                bill.period,
                total,
                bill.signatures,
                bill.height.get(),
                match bill.corrections {
                    0 => String::new(),
                    count => format!(", {count} corrected values"),
                },
            ));
            lines
        }
    }
}

/// The first line about a proof whose ledger was not compared.
fn not_compared(path: &dyn std::fmt::Display, anchored: bool, ledger: LedgerId) -> Option<String> {
    let line = format!("{path}: consistent in itself; ledger id NOT compared ({ledger})");
    (!anchored).then_some(line)
}

fn json_of(path: &Path, verdict: &Verdict, exit: Exit) -> Value {
    let path = path.display().to_string();
    match verdict {
        Verdict::NotAProof(why) => {
            json!({ "file": path, "valid": false, "proof_file": false, "reason": why,
                    "exit_code": exit as u8 })
        }
        Verdict::Wrong(why) => {
            json!({ "file": path, "valid": false, "proof_file": true, "reason": why,
                    "exit_code": exit as u8 })
        }
        Verdict::Receipt(receipt) => json!({
            "file": path,
            "valid": exit == Exit::Success,
            "proof_file": true,
            "anchored": receipt.anchored,
            "ledger_id": receipt.ledger_id.to_string(),
            "transaction_id": receipt.transaction_id.to_string(),
            "kind_name": receipt.kind_name,
            "code": receipt.code,
            "events": receipt.events,
            "height": receipt.height.get().to_string(),
            "index": receipt.index.to_string(),
            "exit_code": exit as u8,
        }),
        Verdict::Right(bill, _) => json!({
            "file": path,
            "valid": exit == Exit::Success,
            "proof_file": true,
            "anchored": bill.anchored,
            "ledger_id": bill.ledger_id.to_string(),
            "bill": bill.bill.to_string(),
            "usage_point": bill.usage_point.to_string(),
            "period": bill.period.to_string(),
            "total_micro": bill.total.get().to_string(),
            "fine_micro": bill.fine.get().to_string(),
            "arrears_micro": bill.account.arrears.get().to_string(),
            "open_at_issue_micro": bill.open_at_issue.get().to_string(),
            "height": bill.height.get().to_string(),
            "signatures": bill.signatures,
            "corrections": bill.corrections,
            "exit_code": exit as u8,
        }),
    }
}
