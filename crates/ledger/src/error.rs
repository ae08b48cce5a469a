//! What can go wrong below the rules: the store, the history, the blocks of others.

use primitives::units::BlockHeight;
use thiserror::Error;

use crate::store::StoreError;

/// A failure of the ledger. Rules that are broken are not failures: they are receipts.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The store failed; it says what to do.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row of the store is not what this program writes.
    #[error("the store holds a damaged {what}; restore the directory from a copy or replay it")]
    Damaged {
        /// What could not be read.
        what: &'static str,
    },
    /// The store was written by a version of this program that keeps its rows otherwise.
    #[error(
        "the directory was written by another version of this program: open it with that one, or \
         begin with an empty directory"
    )]
    OtherFormat,
    /// The store belongs to another ledger.
    #[error("the directory holds the ledger {found}, wanted is {wanted}")]
    OtherLedger {
        /// The ledger in the store.
        found: primitives::identifier::LedgerId,
        /// The ledger that was asked for.
        wanted: primitives::identifier::LedgerId,
    },
    /// The store is empty and no genesis was given.
    #[error("the directory holds no ledger and no genesis was given")]
    NoLedger,
    /// The genesis cannot found a ledger.
    #[error(transparent)]
    Genesis(#[from] contracts::genesis::GenesisError),
    /// A final header committed to another result than this node's execution.
    #[error("execution diverged at height {height}: stop and compare this node with the others")]
    Diverged {
        /// The first height whose result differs.
        height: BlockHeight,
    },
    /// A block does not follow the head.
    #[error("block {height}: {reason}")]
    Block {
        /// The block's height.
        height: BlockHeight,
        /// What is wrong with it.
        reason: String,
    },
    /// The ledger goes on with a version of the protocol that this program does not know.
    #[error(
        "from height {height} on the ledger runs version {version} of the protocol, which this program does not know: install a newer one, nothing is lost"
    )]
    ProtocolUnknown {
        /// The height of the first block of that version.
        height: BlockHeight,
        /// The version.
        version: u8,
    },
    /// A transaction was removed that no rule and no proof needs any more.
    #[error(
        "transactions of block {height} were pruned here: headers, receipts and proofs are kept; ask a \
         node that keeps all transactions"
    )]
    Pruned {
        /// The block.
        height: BlockHeight,
    },
    /// The validators changed more often than one proof can tell.
    #[error(
        "the validators changed too often for one proof from the genesis: anchor it at a final header"
    )]
    TooManySetChanges,
    /// What a bill was computed from is not there any more.
    #[error("the bill cannot be proven any more: {0}")]
    Unprovable(#[from] contracts::billing::bill_proof::CollectError),
    /// The ledger is shutting down or its orderer ended.
    #[error("the node is stopping")]
    Stopping,
}
