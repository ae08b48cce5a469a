//! Sending many transactions in few requests, and telling what became of each.

use anyhow::anyhow;
use client::connection::{Connection, ConnectionError, SubmitOutcome, SubmitStatus};
use indicatif::ProgressBar;
use primitives::codec::encode;
use primitives::envelope::Submission;
use serde_json::{Value, json};

use crate::cli::Global;
use crate::commands::connect::ended;
use crate::commands::interrupt::Interrupt;
use crate::exit::{Ended, Exit};
use crate::output;

/// Transactions of one request: small enough that Ctrl-C is answered soon.
const MAX_ITEMS: usize = 200;
/// Bytes of one request, well below what a block holds.
const MAX_BYTES: usize = 2 << 20;
/// How often an overloaded node is asked again.
const MAX_TRIES: u32 = 60;

/// A transaction that came from a file.
pub struct Item {
    /// The line of the file.
    pub line: u64,
    /// What it says, as in `M01 on 2016-06-01`.
    pub what: String,
    /// The transaction.
    pub submission: Submission,
}

/// What was not taken.
pub struct Refusal {
    /// The line of the file.
    pub line: u64,
    /// What stands there.
    pub what: String,
    /// Why it was not taken.
    pub reason: String,
}

/// What became of an import.
#[derive(Default)]
pub struct Report {
    /// Transactions that the ledger took.
    pub recorded: u64,
    /// What the ledger had before.
    pub already: u64,
    /// What was not taken.
    pub refused: Vec<Refusal>,
    /// Stopped before the end.
    pub interrupted: bool,
}

/// Transactions on their way to a node.
pub struct Delivery<'a> {
    node: &'a Connection,
    bar: ProgressBar,
    interrupt: Interrupt,
    waiting: Vec<Item>,
    bytes: usize,
    report: Report,
}

impl<'a> Delivery<'a> {
    /// A delivery of `length` things.
    ///
    /// # Errors
    /// When Ctrl-C cannot be listened to.
    pub fn new(node: &'a Connection, length: u64, unit: &'static str) -> Result<Self, Ended> {
        let bar = output::progress(length, unit);
        bar.set_prefix("import");
        Ok(Self {
            node,
            bar,
            interrupt: Interrupt::listen()?,
            waiting: Vec::new(),
            bytes: 0,
            report: Report::default(),
        })
    }

    /// The ledger has it already.
    pub fn already(&mut self) {
        self.report.already += 1;
        self.bar.inc(1);
    }

    /// It is not sent.
    pub fn refuse(&mut self, line: u64, what: impl Into<String>, reason: impl Into<String>) {
        self.report.refused.push(Refusal { line, what: what.into(), reason: reason.into() });
        self.bar.inc(1);
    }

    /// Sends it, together with others; tells whether to go on.
    ///
    /// # Errors
    /// No answer: what was recorded so far stands.
    pub fn send(&mut self, item: Item) -> Result<bool, Ended> {
        let bytes = encode(&item.submission).len();
        if self.waiting.len() == MAX_ITEMS || self.bytes + bytes > MAX_BYTES {
            self.flush()?;
        }
        if self.interrupt.asked() {
            self.report.interrupted = true;
            self.waiting.clear();
            return Ok(false);
        }
        self.bytes += bytes;
        self.waiting.push(item);
        Ok(true)
    }

    /// Sends what waits, and gives for each whether the ledger took it.
    ///
    /// # Errors
    /// No answer: what was recorded so far stands.
    pub fn flush(&mut self) -> Result<Vec<bool>, Ended> {
        let items = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let submissions: Vec<Submission> =
            items.iter().map(|item| item.submission.clone()).collect();
        let outcomes = self.submit(&submissions)?;
        let mut taken = Vec::with_capacity(items.len());
        for (item, outcome) in items.iter().zip(&outcomes) {
            taken.push(outcome.status == SubmitStatus::Accepted);
            match refusal(outcome) {
                None => self.report.recorded += 1,
                Some(reason) => {
                    let what = item.what.clone();
                    self.report.refused.push(Refusal { line: item.line, what, reason });
                }
            }
            self.bar.inc(1);
        }
        Ok(taken)
    }

    fn submit(&self, submissions: &[Submission]) -> Result<Vec<SubmitOutcome>, Ended> {
        for _ in 0..MAX_TRIES {
            match self.node.submit(submissions) {
                Err(ConnectionError::Overloaded { retry_after, .. }) => {
                    if !self.interrupt.wait(retry_after) {
                        break;
                    }
                }
                Ok(outcomes) => return Ok(outcomes),
                Err(error) => {
                    let Ended { exit, error } = ended(error);
                    let recorded = self.report.recorded;
                    let error = error.context(format!(
                        "{recorded} transactions are recorded; run the same command again to go on"
                    ));
                    return Err(Ended { exit, error });
                }
            }
        }
        let error = anyhow!("the node stays overloaded; run the same command again to go on");
        Err(Ended { exit: Exit::Failure, error })
    }

    /// Whether somebody asked to stop.
    pub fn stopped(&mut self) -> bool {
        self.report.interrupted |= self.interrupt.asked();
        self.report.interrupted
    }

    /// Sends the rest; gives what became of everything.
    ///
    /// # Errors
    /// No answer: what was recorded so far stands.
    pub fn finish(mut self) -> Result<Report, Ended> {
        if !self.report.interrupted {
            self.flush()?;
        }
        self.bar.finish_and_clear();
        Ok(self.report)
    }
}

/// Why the node did not take it.
fn refusal(outcome: &SubmitOutcome) -> Option<String> {
    let SubmitOutcome { code, name, detail, .. } = outcome;
    match outcome.status {
        SubmitStatus::Accepted => None,
        SubmitStatus::Rejected => Some(format!("rejected by rule {code} {name}: {detail}")),
        SubmitStatus::Malformed => Some(format!("malformed: {code} {name}: {detail}")),
        SubmitStatus::Refused => Some(format!("not taken by the node: {name}: {detail}")),
    }
}

impl Report {
    /// Prints it; `more` stands beside the counts.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn show(&self, unit: &str, more: &Value, global: &Global) -> Result<Exit, Ended> {
        let failed = self.interrupted || !self.refused.is_empty();
        if global.json {
            let refused = self
                .refused
                .iter()
                .map(|it| json!({ "line": it.line, "what": it.what, "reason": it.reason }));
            let mut document = json!({
                "recorded": self.recorded.to_string(),
                "already_recorded": self.already.to_string(),
                "refused": refused.collect::<Vec<_>>(),
                "interrupted": self.interrupted,
            });
            if let (Some(fields), Some(more)) = (document.as_object_mut(), more.as_object()) {
                fields.extend(more.clone());
            }
            output::json(&document)?;
        } else {
            for Refusal { line, what, reason } in &self.refused {
                eprintln!("gridtally: line {line}: {what}: {reason}");
            }
            output::line(&format!(
                "{} {unit} recorded, {} known before, {} refused",
                self.recorded,
                self.already,
                self.refused.len()
            ))?;
            if self.interrupted {
                eprintln!("gridtally: stopped; run the same command again to go on");
            }
        }
        Ok(if failed { Exit::Failure } else { Exit::Success })
    }
}
