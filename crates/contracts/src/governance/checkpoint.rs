//! Checkpoints: the validators agree on a root over the whole state at one height.
//!
//! The state root of headers is a chain over write sets: it shows a divergence at its first block, but
//! a state that somebody hands over cannot be held against it. A checkpoint can be: every validator
//! computes the root of the whole state at the height of the request and attests it, and what more
//! than two thirds of those in office attest is agreed. The event that says so is proven like any
//! other, and with it a snapshot. See `docs/decisions/0013-snapshots.md`.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;
use primitives::hash::Hash;
use primitives::header::{MAX_VALIDATORS, ValidatorSet};
use primitives::identifier::KeyAddress;
use primitives::units::{BlockHeight, Timestamp};

use crate::state::{Position, State};
use crate::state_key;

/// A request that is not agreed on may be replaced by the next one after ten minutes: long enough for
/// a pass over a large state.
pub const CHECKPOINT_PATIENCE_MS: u64 = 600_000;

/// What one validator computed.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Attestation {
    /// The address of its key.
    pub validator: KeyAddress,
    /// The root.
    pub root: Hash,
}

/// A checkpoint that was requested and is not agreed on yet.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OpenCheckpoint {
    /// Whose state: the one after the block with this height, which holds the request.
    pub height: BlockHeight,
    /// The time of that block.
    pub requested_at: Timestamp,
    /// What validators attested, in the order of their attestations.
    pub attestations: Bounded<Attestation, MAX_VALIDATORS>,
}

/// The newest checkpoint that was agreed on.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AgreedCheckpoint {
    /// Whose state: the one after the block with this height.
    pub height: BlockHeight,
    /// The root that was agreed on.
    pub root: Hash,
    /// Where the attestation stands that made the majority; its receipt holds the event.
    pub position: Position,
}

impl OpenCheckpoint {
    /// Have more than two thirds of `validators` attested this root?
    pub(super) fn is_agreed(&self, root: Hash, validators: &ValidatorSet) -> bool {
        let attested = |validator: &KeyAddress| {
            self.attestations.iter().any(|it| it.validator == *validator && it.root == root)
        };
        let count = validators.keys().iter().filter(|key| attested(&key.address())).count();
        3 * count > 2 * validators.len()
    }
}

impl dyn State + '_ {
    /// The checkpoint that waits for attestations.
    #[must_use]
    pub fn open_checkpoint(&self) -> Option<OpenCheckpoint> {
        self.read(&state_key::open_checkpoint())
    }

    /// The newest checkpoint that was agreed on.
    #[must_use]
    pub fn agreed_checkpoint(&self) -> Option<AgreedCheckpoint> {
        self.read(&state_key::agreed_checkpoint())
    }
}
