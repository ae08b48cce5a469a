//! The rows that the ledger keeps beside the state, in one place. See `docs/format.md`.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `Meta` | `genesis` | the genesis |
//! | `Meta` | `head` | [`Head`] |
//! | `Blocks` | height | header and certificate |
//! | `Blocks` | height, index | signed transaction |
//! | `Payloads` | height, index | payload, while it is not erased |
//! | `Receipts` | height, index | code and events |
//! | `TransactionIndex` | first 16 bytes of the id | position |
//! | `Accumulator` | `n`, level, index | complete node |
//! | `Accumulator` | `e`, height | what was executed after it |
//! | `Index` | `b`, usage point, bill number | bill id |
//!
//! Integers in keys are big endian, so that keys sort as their numbers do.

use borsh::{BorshDeserialize, BorshSerialize};
use contracts::Position;
use primitives::codec::{self, Bounded};
use primitives::hash::Hash;
use primitives::header::{Certificate, Executed, Header};
use primitives::identifier::{TransactionId, UsagePointId};
use primitives::merkle::Frontier;
use primitives::receipt::EventBytes;

use crate::error::LedgerError;

/// The row of the genesis.
pub const GENESIS: &[u8] = b"genesis";
/// The row of the head.
pub const HEAD: &[u8] = b"head";

/// Where the ledger stands: the newest block, executed and stored.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Head {
    /// The newest header.
    pub header: Header,
    /// Its hash.
    pub hash: Hash,
    /// The result of executing it.
    pub executed: Executed,
    /// The accumulator over the receipts of heights 1 to it.
    pub frontier: Frontier,
    /// The newest height that has a transaction, 0 when none has.
    pub last_non_empty: u64,
    /// Transactions ordered so far.
    pub transactions: u64,
}

/// Header and certificate as stored.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealedHeader {
    /// The header.
    pub header: Header,
    /// What makes it final.
    pub certificate: Certificate,
    /// How many transactions the block holds.
    pub transactions: u32,
}

/// Code and events as stored; the transaction's id is known from its position.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StoredReceipt {
    /// 0, or the code of the rule that was broken.
    pub code: u16,
    /// Encoded events.
    pub events: Bounded<EventBytes, { primitives::receipt::MAX_EVENTS }>,
}

/// Key of a block's header.
pub fn block(height: u64) -> Vec<u8> {
    height.to_be_bytes().to_vec()
}

/// Key of what belongs to one transaction of a block.
pub fn at(position: Position) -> Vec<u8> {
    let mut key = block(position.height);
    key.extend_from_slice(&position.index.to_be_bytes());
    key
}

/// Key of a transaction's position.
pub fn by_id(id: &TransactionId) -> Vec<u8> {
    id.as_bytes()[..16].to_vec()
}

/// Key of a complete node of the accumulator.
pub fn accumulator_node(level: u8, index: u64) -> Vec<u8> {
    let mut key = vec![b'n', level];
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// Key of what was executed after a height.
pub fn executed(height: u64) -> Vec<u8> {
    let mut key = vec![b'e'];
    key.extend_from_slice(&height.to_be_bytes());
    key
}

/// Key of a usage point's bill.
pub fn bill_of(usage_point: &UsagePointId, number: u32) -> Vec<u8> {
    let mut key = bills_of(usage_point);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// Beginning of the keys of a usage point's bills.
pub fn bills_of(usage_point: &UsagePointId) -> Vec<u8> {
    let mut key = vec![b'b'];
    key.extend_from_slice(usage_point.as_bytes());
    key
}

/// Decodes a row, naming what is damaged when it cannot be.
pub fn row<T: BorshDeserialize>(bytes: &[u8], what: &'static str) -> Result<T, LedgerError> {
    codec::decode(bytes).map_err(|_| LedgerError::Damaged { what })
}
