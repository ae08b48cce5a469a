//! What became of a submission.

use ledger::{Outcome, SubmitError};
use primitives::identifier::TransactionId;
use schemars::JsonSchema;
use serde::Serialize;

use super::receipt;

/// The answers to a list of submissions, in its order.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Results {
    /// One for each submission.
    pub results: Vec<SubmitResult>,
}

/// The answer to one submission.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SubmitResult {
    /// The transaction.
    pub transaction_id: String,
    /// `accepted`: executed and durable. `rejected`: ordered, but it broke a rule. `malformed`: its
    /// form is wrong, it was not ordered. `refused`: the node did not take it; it may be sent again.
    pub status: &'static str,
    /// The number of the rule or form error; 0 when it acted or the node did not take it.
    pub code: u16,
    /// The name of the rule, of the form error, of the refusal, or `Accepted`.
    pub name: &'static str,
    /// The same in words.
    pub detail: String,
    /// The block in which it stands, when it was ordered.
    pub height: Option<String>,
    /// Its place in the block, from 0.
    pub index: Option<u32>,
    /// The numbers of a rejection.
    pub numbers: Vec<String>,
}

impl SubmitResult {
    /// The answer to an ordered transaction; `numbers` of its receipt, when it was rejected.
    #[must_use]
    pub fn ordered(outcome: &Outcome, numbers: &[u64]) -> Self {
        let (status, code, name) = ordered(outcome.code);
        Self {
            transaction_id: outcome.id.to_string(),
            status,
            code,
            name,
            detail: receipt::text(outcome.code, numbers),
            height: Some(outcome.position.height.to_string()),
            index: Some(outcome.position.index),
            numbers: numbers.iter().map(ToString::to_string).collect(),
        }
    }

    /// The answer to a transaction that was not ordered.
    #[must_use]
    pub fn not_ordered(id: TransactionId, error: &SubmitError) -> Self {
        let (status, code, name) = refusal(error);
        Self {
            transaction_id: id.to_string(),
            status,
            code,
            name,
            detail: error.to_string(),
            height: None,
            index: None,
            numbers: Vec::new(),
        }
    }
}

/// Status, code and name of an answer.
pub(crate) fn outcome(answer: &Result<Outcome, SubmitError>) -> (&'static str, u16, &'static str) {
    match answer {
        Ok(outcome) => ordered(outcome.code),
        Err(error) => refusal(error),
    }
}

fn ordered(code: u16) -> (&'static str, u16, &'static str) {
    (if code == 0 { "accepted" } else { "rejected" }, code, receipt::name(code))
}

fn refusal(error: &SubmitError) -> (&'static str, u16, &'static str) {
    match error {
        SubmitError::Malformed(malformed) => {
            ("malformed", malformed.code(), receipt::name(malformed.code()))
        }
        SubmitError::KeyNotRegistered => ("refused", 0, "KeyNotRegistered"),
        SubmitError::QuotaExceeded { .. } => ("refused", 0, "QuotaExceeded"),
        SubmitError::NotEntitled { .. } | SubmitError::KeepsNoValues => {
            ("refused", 0, "NodeNotEntitled")
        }
        SubmitError::Overloaded => ("refused", 0, "Overloaded"),
        SubmitError::Stopping => ("refused", 0, "Stopping"),
    }
}
