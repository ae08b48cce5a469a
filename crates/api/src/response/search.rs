//! What a search finds; bills are found as [`super::bill::BillEntry`].

use schemars::JsonSchema;
use serde::Serialize;

use super::Period;

/// A transaction.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TransactionFound {
    /// Its id.
    pub transaction_id: String,
    /// The block in which it stands.
    pub height: String,
    /// Its place in the block, from 0.
    pub index: u32,
    /// The block's time.
    pub time: String,
    /// The number of its kind.
    pub kind: u16,
    /// The name of its kind.
    pub kind_name: &'static str,
    /// The party that signed; `null` for a meter, the owner and the clock's keeper.
    pub party: Option<String>,
    /// 0 when it acted, else the number of the rule that it broke.
    pub code: u16,
    /// The rule's name, or `Accepted`.
    pub code_name: &'static str,
    /// The first settlement period that its events are about.
    pub first_period: Option<Period>,
    /// The last one.
    pub last_period: Option<Period>,
}

/// Tokens that moved from one party to another.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PaymentFound {
    /// The transaction.
    pub transaction_id: String,
    /// The block in which it stands.
    pub height: String,
    /// Its place in the block, from 0.
    pub index: u32,
    /// The block's time.
    pub time: String,
    /// `PayBill`, `PayOutBill`, `PayOutCredit`, `PayDues`, `BuyTokens`, `RedeemTokens`, …
    pub kind_name: &'static str,
    /// Whose account fell.
    pub payer: String,
    /// Whose account rose.
    pub payee: String,
    /// How much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_micro: Option<String>,
    /// The usage point that it was for.
    pub usage_point: Option<String>,
    /// A bill that it was for; the transaction names all of them.
    pub bill: Option<String>,
    /// The amount is not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

/// A meter at a usage point.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct MeterFound {
    /// The address of its key.
    pub meter: String,
    /// The usage point.
    pub usage_point: String,
    /// The block in which it was installed.
    pub height: String,
    /// The first settlement period that it measures.
    pub from_period: Period,
    /// The first one that the meter in its place measures.
    pub until_period: Option<Period>,
    /// `in_service` or `replaced`.
    pub state: &'static str,
}

/// The reading of a settlement period, as the ledger holds it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReadingFound {
    /// The usage point.
    pub usage_point: String,
    /// The period.
    #[serde(flatten)]
    pub period: Period,
    /// `single`: reported alone and not yet sealed; `sealed`; `corrected` after the seal.
    pub state: &'static str,
    /// The transaction that holds the value in force.
    pub transaction_id: String,
    /// The value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<super::day::ReadingEntry>,
    /// The value is not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}
