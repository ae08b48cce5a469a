//! Statements and the history of accounts.

use contracts::billing::Statement;
use schemars::JsonSchema;
use serde::Serialize;

/// A statement that was issued: the sum of monthly bills.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StatementEntry {
    /// The usage point.
    pub usage_point: String,
    /// A quarter, half-year or year.
    pub billing_period: String,
    /// Its first day.
    pub first_day: Option<String>,
    /// Its last day.
    pub last_day: Option<String>,
    /// Counts the statements of this period, from 1.
    pub revision: u32,
    /// When it was issued.
    pub issued_at: String,
    /// The block in which it was issued.
    pub height: String,
    /// Hash of the whole statement.
    pub statement_hash: String,
    /// The bills that it sums, month by month.
    pub bills: Vec<StatedBillEntry>,
    /// Its sums.
    #[serde(flatten)]
    pub amounts: Option<StatementAmounts>,
    /// The sums are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

/// A monthly bill of a statement.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StatedBillEntry {
    /// The bill.
    pub bill: String,
    /// Hash of the whole bill.
    pub bill_hash: String,
    /// Its total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_micro: Option<String>,
}

/// The sums of a statement.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StatementAmounts {
    /// Energy drawn by the meter.
    pub metered_import_wh: String,
    /// Energy injected by the meter.
    pub metered_export_wh: String,
    /// The sum of the bills' totals.
    pub total_micro: String,
}

impl StatementEntry {
    /// A statement; `seen` = the reader may see its sums.
    #[must_use]
    pub fn new(statement: &Statement, seen: bool) -> Self {
        let days = statement.period.days().ok();
        let bills = statement.bills.iter().map(|bill| StatedBillEntry {
            bill: bill.bill.to_string(),
            bill_hash: bill.hash.to_string(),
            total_micro: seen.then(|| bill.total.get().to_string()),
        });
        Self {
            usage_point: statement.usage_point.to_string(),
            billing_period: statement.period.to_string(),
            first_day: days.map(|(first, _)| first.to_string()),
            last_day: days.map(|(_, last)| last.to_string()),
            revision: statement.revision,
            issued_at: statement.issued_at.to_string(),
            height: statement.position.height.to_string(),
            statement_hash: statement.hash().to_string(),
            bills: bills.collect(),
            amounts: seen.then(|| StatementAmounts {
                metered_import_wh: statement.metered_import.get().to_string(),
                metered_export_wh: statement.metered_export.get().to_string(),
                total_micro: statement.total.get().to_string(),
            }),
            withheld: !seen,
        }
    }
}

/// The account of a usage point over some days: what its customer owes under it, and what moved that.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AccountStatement {
    /// The usage point.
    pub usage_point: String,
    /// The first local day; `null` from the beginning.
    pub from_day: Option<String>,
    /// The last local day; `null` until now.
    pub to_day: Option<String>,
    /// What was owed before the first day; below zero what the customer had to its credit.
    pub opening_micro: Option<String>,
    /// What is owed at the end of the last day: the opening balance and all entries of these days.
    pub closing_micro: Option<String>,
    /// The entries of this page, oldest first.
    pub items: Vec<AccountEntry>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// The amounts are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

/// An entry of a usage point's account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AccountEntry {
    /// The block's time.
    pub time: String,
    /// The block.
    pub height: String,
    /// The transaction.
    pub transaction_id: String,
    /// `bill`, `fine` (of the bill before it), `credit_note`, `payment`, `payout`, `dispute_credit` or
    /// `fine_reversal`.
    pub kind: String,
    /// The bill that it is about.
    pub bill: Option<String>,
    /// Above zero the customer owes more, below zero less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_micro: Option<String>,
    /// What is owed after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance_micro: Option<String>,
}

/// A posting, as one of its two accounts sees it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PostingEntry {
    /// The block's time.
    pub time: String,
    /// The block.
    pub height: String,
    /// The transaction's place in the block, from 0.
    pub index: u32,
    /// The transaction.
    pub transaction_id: String,
    /// The name of its kind.
    pub kind_name: &'static str,
    /// The account among those of the party, as in `/v1/accounts/{party}`.
    pub account: String,
    /// Whose account the other side of the entry is.
    pub other_party: String,
    /// That account among those of its party.
    pub other_account: String,
    /// By how much the account rose; below zero it fell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_micro: Option<String>,
    /// The amount is not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}
