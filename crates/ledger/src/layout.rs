//! The rows that the ledger keeps beside the state, in one place. See `docs/format.md`.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `Meta` | `format` | [`FORMAT_VERSION`], u32 LE |
//! | `Meta` | `genesis` | the genesis |
//! | `Meta` | `head` | [`Head`] |
//! | `Meta` | `restored` | height of the snapshot's anchor, when the ledger began with one |
//! | `Meta` | `pruned` | [`PrunedTo`], when blocks were pruned |
//! | `Meta` | `votes` | [`Votes`], when the ledger came from a snapshot or a copy |
//! | `Blocks` | height | header and certificate |
//! | `Blocks` | height, chunk number | a chunk of transactions with payloads and receipts, see `chunk.rs` |
//! | `Payloads` | height, index | a large payload, while it is not erased |
//! | `Receipts` | height, index | the events of a transaction that has many |
//! | `TransactionIndex` | piece u24, first 12 bytes of the id | position: height u40, index u16 |
//! | `Accumulator` | `n`, level, index | complete node |
//! | `Accumulator` | `e`, height | what was executed after it |
//! | `Index` | `b`, usage point, bill number | bill id |
//! | `Index` | `u`, hash of a header without a certificate of its own | its height |
//! | `Index` | `v`, height | the validators that act after the epoch ending there |
//!
//! Integers in keys are big endian, so that keys sort as their numbers do.

use borsh::{BorshDeserialize, BorshSerialize};
use contracts::Position;
use contracts::metering::is_slot_reading;
use primitives::codec;
use primitives::hash::Hash;
use primitives::header::{Certificate, Executed, Header};
use primitives::identifier::{TransactionId, UsagePointId};
use primitives::key::PublicKey;
use primitives::merkle::Frontier;
use primitives::units::BlockHeight;

use crate::error::LedgerError;
use crate::store::Keyspace;

/// The row of the format.
pub const FORMAT: &[u8] = b"format";
/// The version of everything that this file describes: stores of another one are not opened.
pub const FORMAT_VERSION: u32 = 4;
/// The row of the genesis.
pub const GENESIS: &[u8] = b"genesis";
/// The row of the anchor of the snapshot with which the ledger began here; absent otherwise.
pub const RESTORED: &[u8] = b"restored";
/// The row that says how far blocks were pruned; absent when none was.
pub const PRUNED: &[u8] = b"pruned";
/// The row that says from when this node's key votes; absent when nothing speaks against it.
pub const VOTES: &[u8] = b"votes";
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

/// How far blocks were pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PrunedTo {
    /// The blocks up to this height were pruned: of them only what rules and proofs may still need is
    /// whole.
    pub through: BlockHeight,
    /// Needed is what the state after this block names, and states after it. An earlier state may have
    /// named more.
    pub state: BlockHeight,
}

/// From when the key of a node votes whose ledger came from a snapshot or a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Votes {
    /// The node's key.
    pub key: PublicKey,
    /// The first epoch in which it votes; `None` while it may not.
    pub from: Option<u64>,
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

/// Key of a block's header.
pub fn block(height: u64) -> Vec<u8> {
    height.to_be_bytes().to_vec()
}

/// Key of a chunk of a block's transactions, counted from 0.
pub fn chunk(height: u64, number: u32) -> Vec<u8> {
    at(Position { height, index: number })
}

/// Key of what is too large for the chunk of its transaction.
pub fn at(position: Position) -> Vec<u8> {
    let mut key = block(position.height);
    key.extend_from_slice(&position.index.to_be_bytes());
    key
}

/// How many transactions a piece of the index by id holds, not counting the rest of a block.
///
/// Ids are random, so a store sorts each new one into all old ones; within pieces it sorts the new
/// ones into their own piece alone, and a row costs the same however long the history is. Who looks
/// for an id looks into each piece.
const PIECE_TRANSACTIONS: u64 = 1 << 20;

/// The piece of the index by id that a block belongs to, by the transactions ordered before it.
pub const fn piece(transactions_before: u64) -> u32 {
    (transactions_before / PIECE_TRANSACTIONS) as u32
}

/// Key of a transaction's position in a piece of the index.
///
/// # Panics
/// From 2⁴⁴ transactions on, which a million in a second reach after half a year, and a billion in
/// a day after 48 years.
pub fn by_id(piece: u32, id: &TransactionId) -> Vec<u8> {
    let [0, piece @ ..] = piece.to_be_bytes() else { panic!("pieces are bounded far below") };
    [piece.as_slice(), &id.as_bytes()[..12]].concat()
}

/// Value of a transaction's position.
///
/// # Panics
/// Above a height of 2⁴⁰, which a block each millisecond reaches after 34 years, or 65,536
/// transactions in a block.
pub fn position(position: Position) -> Vec<u8> {
    let index = u16::try_from(position.index).expect("blocks are bounded far below");
    let height = position.height.to_be_bytes();
    assert_eq!(height[..3], [0; 3], "blocks are far apart");
    [&height[3..], &index.to_be_bytes()].concat()
}

/// A transaction's position from its value.
pub fn position_from(bytes: &[u8]) -> Result<Position, LedgerError> {
    let damaged = LedgerError::Damaged { what: "transaction position" };
    let [a, b, c, d, e, high, low] = *bytes else { return Err(damaged) };
    let height = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
    Ok(Position { height, index: u32::from(u16::from_be_bytes([high, low])) })
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

/// Key of the validators that act after the epoch whose last block has this height.
pub fn set_change(height: u64) -> Vec<u8> {
    let mut key = set_changes();
    key.extend_from_slice(&height.to_be_bytes());
    key
}

/// Key of the height of a block that has no certificate of its own: it is asked for by its hash alone.
pub fn uncertified(hash: &Hash) -> Vec<u8> {
    [b"u", &hash.as_bytes()[..]].concat()
}

/// Beginning of the keys of all changes of validators.
pub fn set_changes() -> Vec<u8> {
    vec![b'v']
}

/// The height in the key of a change of validators.
pub fn height_of_set_change(key: &[u8]) -> Option<u64> {
    key.get(1..)?.try_into().ok().map(u64::from_be_bytes)
}

/// The keyspace of a row of the state.
pub fn space_of_state(key: &[u8]) -> Keyspace {
    if is_slot_reading(key) { Keyspace::StateByTime } else { Keyspace::State }
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
