//! What became of a transaction, and the trees that make it provable.
//!
//! Three trees stand above each other. The leaves of a receipt are its outcome and its events; the
//! leaves of a block are the roots of its receipts; the leaves of the accumulator are the roots of
//! all blocks, one for each height from 1. Each header carries the root of the accumulator, so one
//! certificate proves every event that ever happened.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::Bounded;
use crate::hash::Hash;
use crate::identifier::TransactionId;
use crate::merkle::{MerkleError, MerklePath, MerkleTree, leaf_hash_of, root_of_leaf_hashes};

/// The largest event in bytes.
pub const MAX_EVENT_BYTES: usize = 4_096;
/// The largest number of events in a receipt: eight for each usage point of the largest bulk run.
pub const MAX_EVENTS: usize = 8_192;

/// The canonical bytes of one event; the floor of the rules knows what they say.
pub type EventBytes = Bounded<u8, MAX_EVENT_BYTES>;

/// The outcome of one ordered transaction. It holds codes and numbers, never text.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// The transaction.
    pub transaction: TransactionId,
    /// 0 when it acted, else the number of the rule that was broken.
    pub code: u16,
    /// What happened, in order.
    pub events: Bounded<EventBytes, MAX_EVENTS>,
}

impl Receipt {
    /// The tree of the receipt: leaf 0 the outcome, leaf 1 + i the event i.
    #[must_use]
    pub fn tree(&self) -> MerkleTree {
        MerkleTree::from_leaf_hashes(self.leaves())
    }

    fn leaves(&self) -> Vec<Hash> {
        let mut leaves = Vec::with_capacity(1 + self.events.len());
        leaves.push(outcome_leaf(&self.transaction, self.code));
        leaves.extend(self.events.iter().map(|event| event_leaf(event)));
        leaves
    }

    /// The root of the receipt.
    #[must_use]
    pub fn root(&self) -> Hash {
        root_of_leaf_hashes(self.leaves())
    }

    /// The path from event `event`, counted from 0, to the root of the receipt.
    ///
    /// # Errors
    /// [`MerkleError::IndexOutOfRange`] when there is no such event.
    pub fn event_path(&self, event: u64) -> Result<MerklePath, MerkleError> {
        let leaf_count = self.events.len() as u64 + 1;
        let out_of_range = MerkleError::IndexOutOfRange { index: event, leaf_count };
        self.tree().path(event.checked_add(1).ok_or(out_of_range)?)
    }
}

/// The leaf hash of a receipt's outcome; leaf data are 0x00 ‖ transaction id ‖ code u16 LE.
#[must_use]
pub fn outcome_leaf(transaction: &TransactionId, code: u16) -> Hash {
    leaf_hash_of(&[&[0x00], transaction.as_bytes(), &code.to_le_bytes()])
}

/// The leaf hash of an event in its receipt; leaf data are 0x01 ‖ event bytes. The first byte keeps
/// an event from passing as an outcome.
#[must_use]
pub fn event_leaf(event: &[u8]) -> Hash {
    leaf_hash_of(&[&[0x01], event])
}

/// The leaf with which a tree enters the tree above it, as a receipt its block or a block the
/// accumulator; leaf data are its root ‖ its number of leaves u64 LE.
///
/// A root alone does not commit to the number of its leaves, so a path could be read as another place
/// in a tree of another size. With the number in the leaf above, a proof has one form only.
#[must_use]
pub fn subtree_leaf(root: &Hash, leaf_count: u64) -> Hash {
    leaf_hash_of(&[root.as_bytes(), &leaf_count.to_le_bytes()])
}

/// The tree of a block's receipts in the order of its transactions.
#[must_use]
pub fn receipts_tree(receipts: &[Receipt]) -> MerkleTree {
    let leaves = receipts
        .iter()
        .map(|receipt| subtree_leaf(&receipt.root(), 1 + receipt.events.len() as u64));
    MerkleTree::from_leaf_hashes(leaves.collect())
}

/// The leaf hash with which a block enters the accumulator.
#[must_use]
pub fn block_leaf(receipts: &MerkleTree) -> Hash {
    subtree_leaf(&receipts.root(), receipts.leaf_count())
}
