//! A transaction with its receipt.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::event::EventEntry;

/// A transaction, decoded for display, and what became of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TransactionDetail {
    /// Its id.
    pub transaction_id: String,
    /// The block in which it stands.
    pub height: String,
    /// Its place in the block, from 0.
    pub index: u32,
    /// The block's time.
    pub time: String,
    /// Version of its envelope.
    pub version: u8,
    /// The ledger.
    pub ledger_id: String,
    /// Who acted.
    pub signer: String,
    /// Who agreed.
    pub cosigners: Vec<String>,
    /// The signer's own count.
    pub sequence: String,
    /// Until when it could be ordered; `null` when its kind never expires.
    pub valid_until: Option<String>,
    /// The number of its kind.
    pub kind: u16,
    /// The name of its kind.
    pub kind_name: &'static str,
    /// Its fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What became of it.
    pub receipt: ReceiptEntry,
    /// The canonical bytes with signatures, base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// The canonical bytes of the values that travelled beside it, base64url, unless erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Body, bytes and payload are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
    /// Body, bytes and payload were pruned on this node: it keeps what became of the transaction.
    #[serde(skip_serializing_if = "super::is_false")]
    pub pruned: bool,
}

/// What became of a transaction.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReceiptEntry {
    /// 0 when it acted, else the number of the rule that it broke.
    pub code: u16,
    /// The rule's name, or `Accepted`.
    pub name: &'static str,
    /// The rule in words, with its numbers.
    pub text: String,
    /// What happened, in order.
    pub events: Vec<EventEntry>,
}
