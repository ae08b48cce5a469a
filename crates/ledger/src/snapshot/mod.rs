//! Snapshots: the ledger in one file, from which a node begins without executing the history.
//!
//! The state root of a header is a chain over write sets, against which a state that somebody hands
//! over cannot be held. So the validators agree, on request, on a [`Checkpoint`]: a root over every row
//! of the state after one block, and whatever else execution goes on from. The event that says so is
//! provable like any other. A snapshot holds the rows, that proof, and all blocks up to the header
//! that anchors it: those below the checkpoint are read for proofs and never executed again, those
//! above it are executed by whoever restores the snapshot.
//!
//! | file | [`MAGIC`], then frames: kind u8, length u32 LE, SHA-256 of kind, length and content, content |
//! |---|---|
//! | 0 | [`Manifest`]: the first frame |
//! | 1 | rows of the state, compressed |
//! | 2 | rows of whole blocks, compressed |
//! | 3 | the end: SHA-256 over the hashes of all frames before |
//!
//! Start reading at [`Checkpoint::compute`], then [`create()`], [`verify`], [`restore()`].
//! Why: `docs/decisions/0013-snapshots.md`.

mod checkpoint;
mod create;
mod frames;
pub mod read;
mod restore;
pub(crate) mod rows;
mod state_file;

use borsh::{BorshDeserialize, BorshSerialize};
use contracts::Genesis;
use primitives::proof::{EventProof, ProofError};
use thiserror::Error;

use crate::error::LedgerError;

pub use checkpoint::Checkpoint;
pub use create::create;
pub use read::{Verified, read_frames, verify};
pub use restore::restore;
pub(crate) use state_file::KeptState;
pub use state_file::{StateFile, state_file};

/// The first bytes of a snapshot.
pub const MAGIC: &[u8; 8] = b"gridsnap";
/// The version of everything that follows them.
pub const SNAPSHOT_VERSION: u32 = 1;

/// What a snapshot says of itself; all that follows is held against it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Manifest {
    /// [`SNAPSHOT_VERSION`].
    pub version: u32,
    /// The genesis of the ledger.
    pub genesis: Genesis,
    /// The checkpoint whose state it holds.
    pub checkpoint: Checkpoint,
    /// The proof that the checkpoint was agreed on. Its anchor is the last block of the snapshot.
    pub proof: EventProof,
}

/// What is wrong with a snapshot, or with making one.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// It is not a snapshot at all, or one of another version.
    #[error("it is not a snapshot that this program knows")]
    NotASnapshot,
    /// Its end is missing.
    #[error("it ends too early: copy it again")]
    Truncated,
    /// Bytes of it were changed on the way, or do not decode.
    #[error("{what} is damaged: copy it again")]
    Damaged {
        /// Which part.
        what: &'static str,
    },
    /// It belongs to another ledger than the one that is trusted.
    #[error("it holds the ledger {found}, wanted is {wanted}")]
    OtherLedger {
        /// The ledger in it.
        found: primitives::identifier::LedgerId,
        /// The ledger that was asked for.
        wanted: primitives::identifier::LedgerId,
    },
    /// The checkpoint is not proven.
    #[error("the proof of its checkpoint is wrong: {0}")]
    Proof(#[from] ProofError),
    /// What it holds is not what was agreed on or made final.
    #[error("{0}")]
    Wrong(String),
    /// No checkpoint can be proven yet.
    #[error("{0}")]
    NotReady(&'static str),
    /// The ledger refuses it, or its store failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] std::io::Error),
}

impl From<crate::store::StoreError> for SnapshotError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Ledger(error.into())
    }
}
