//! What anybody can check: that an event happened in this ledger.
//!
//! A proof leads from the bytes of an event through its receipt, its block and the accumulator to a
//! final header (the anchor), and from the validators that one trusts, through every change of their
//! set, to those that signed it. Nothing here reads a file or a clock.
//!
//! Rule: every field of a proof is checked. What is not checked has no place in it.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::Bounded;
use crate::hash::Hash;
use crate::header::{Certificate, CertificateError, Header, ValidatorSet};
use crate::identifier::LedgerId;
use crate::merkle::{MerkleError, MerklePath};
use crate::receipt::{EventBytes, Receipt, event_leaf, subtree_leaf};
use crate::units::{BlockHeight, OutOfRange, Timestamp};

/// The largest number of set changes in a proof: one a week for five years.
pub const MAX_SET_CHANGES: usize = 256;

/// A final header and the signatures that make it so.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Anchor {
    /// The header; its accumulator is the root of the proof.
    pub header: Header,
    /// Its certificate.
    pub certificate: Certificate,
}

/// A step from one set of validators to the next: a header that the old set made final and that
/// commits to the new one.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SetChange {
    /// A header of the last epoch of the old set.
    pub header: Header,
    /// Its certificate, by more than two thirds of the old set.
    pub certificate: Certificate,
    /// The set that acts from the following epoch.
    pub next_validators: ValidatorSet,
}

/// A final header with the way to those who signed it: what another ledger, or a light client, needs of
/// this one.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct HeadProof {
    /// Every change of the validators from the genesis to the header, in order.
    pub set_changes: Bounded<SetChange, MAX_SET_CHANGES>,
    /// The final header.
    pub head: Anchor,
}

/// The way from an event to the root of the accumulator.
///
/// Every level commits to the number of leaves below it (`receipt::subtree_leaf`), the accumulator's is
/// the executed height of the header: so the path proves the event and its exact place.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct EventPath {
    /// The event among the leaves of its receipt, where leaf 0 is the outcome.
    pub event_in_receipt: MerklePath,
    /// The receipt among those of its block.
    pub receipt_in_block: MerklePath,
    /// The block among all heights from 1.
    pub block_in_accumulator: MerklePath,
}

impl EventPath {
    /// The root of the accumulator to which the path leads from the bytes of an event.
    ///
    /// # Errors
    /// [`ProofError::Path`] naming the part whose shape is wrong.
    pub fn accumulator_root(&self, event: &[u8]) -> Result<Hash, ProofError> {
        let path = |part, error| ProofError::Path { part, error };
        let receipt = self.event_in_receipt.root_of(&event_leaf(event));
        let receipt = receipt.map_err(|error| path("event in receipt", error))?;
        let leaf = subtree_leaf(&receipt, self.event_in_receipt.leaf_count);
        let block = self.receipt_in_block.root_of(&leaf);
        let block = block.map_err(|error| path("receipt in block", error))?;
        let leaf = subtree_leaf(&block, self.receipt_in_block.leaf_count);
        let root = self.block_in_accumulator.root_of(&leaf);
        root.map_err(|error| path("block in accumulator", error))
    }

    /// The height of the block in which the event happened.
    ///
    /// # Errors
    /// [`OutOfRange`] when the index of the block is the largest `u64`.
    pub fn height(&self) -> Result<BlockHeight, OutOfRange> {
        BlockHeight::new(self.block_in_accumulator.index).next()
    }
}

/// The whole proof of one event.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct EventProof {
    /// The validators with which the chain of changes starts: those of the genesis.
    pub validators: ValidatorSet,
    /// Every change of the set from there to the anchor, in order; none in a solo ledger.
    pub set_changes: Bounded<SetChange, MAX_SET_CHANGES>,
    /// The final header.
    pub anchor: Anchor,
    /// The way from the event to the header's accumulator.
    pub path: EventPath,
    /// The canonical bytes of the event.
    pub event: EventBytes,
}

/// The whole proof of what became of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReceiptProof {
    /// The validators with which the chain of changes starts: those of the genesis.
    pub validators: ValidatorSet,
    /// Every change of the set from there to the anchor, in order; none in a solo ledger.
    pub set_changes: Bounded<SetChange, MAX_SET_CHANGES>,
    /// The final header.
    pub anchor: Anchor,
    /// The receipt among those of its block.
    pub receipt_in_block: MerklePath,
    /// The block among all heights from 1.
    pub block_in_accumulator: MerklePath,
    /// The receipt: the transaction, its code and its events.
    pub receipt: Receipt,
}

impl ReceiptProof {
    /// The root of the accumulator to which the path leads from the receipt.
    ///
    /// # Errors
    /// [`ProofError::Path`] naming the part whose shape is wrong.
    pub fn accumulator_root(&self) -> Result<Hash, ProofError> {
        let path = |part, error| ProofError::Path { part, error };
        let tree = self.receipt.tree();
        let leaf = subtree_leaf(&tree.root(), tree.leaf_count());
        let block = self.receipt_in_block.root_of(&leaf);
        let block = block.map_err(|error| path("receipt in block", error))?;
        let leaf = subtree_leaf(&block, self.receipt_in_block.leaf_count);
        let root = self.block_in_accumulator.root_of(&leaf);
        root.map_err(|error| path("block in accumulator", error))
    }
}

/// What the reader trusts beforehand, from the genesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedGenesis {
    /// The id of the ledger.
    pub ledger_id: LedgerId,
    /// Its first validators.
    pub validators: ValidatorSet,
}

/// What a proof proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedEvent {
    /// The ledger.
    pub ledger_id: LedgerId,
    /// The block in which it happened.
    pub height: BlockHeight,
    /// The height of the final header.
    pub anchor_height: BlockHeight,
    /// The time of the final header.
    pub anchor_time: Timestamp,
    /// Whether the chain of signatures starts at validators that the reader trusts. If not, the
    /// proof is consistent in itself, and anybody could have made it.
    pub anchored: bool,
}

/// What is wrong with a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The proof starts with other validators than those of the trusted genesis.
    #[error("proof starts with other validators than the genesis")]
    OtherValidators,
    /// A header belongs to another ledger.
    #[error("header of height {height} belongs to ledger {found}, wanted is {wanted}")]
    OtherLedger {
        /// The header.
        height: BlockHeight,
        /// The ledger it names.
        found: LedgerId,
        /// The ledger it should name.
        wanted: LedgerId,
    },
    /// Headers do not go forward: each change has to lie above the one before and in a later epoch,
    /// and the anchor above the last change.
    #[error("header of height {height} does not come after the change of validators before it")]
    NotAscending {
        /// The header.
        height: BlockHeight,
    },
    /// A header that should change the set of validators commits to another one than the proof
    /// carries, or to the one that it has.
    #[error("header of height {height} does not commit to the next validators")]
    NextValidators {
        /// The header.
        height: BlockHeight,
    },
    /// A header is not final.
    #[error("certificate of height {height}: {error}")]
    Certificate {
        /// The header.
        height: BlockHeight,
        /// What is wrong with its certificate.
        error: CertificateError,
    },
    /// A part of the path has the wrong shape.
    #[error("path of {part}: {error}")]
    Path {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        error: MerkleError,
    },
    /// The accumulator of the path has not as many blocks as the header executed.
    #[error("path into {found} executed blocks, the header has {wanted}")]
    OtherAccumulator {
        /// The leaf count of the path.
        found: u64,
        /// The executed height of the header.
        wanted: u64,
    },
    /// The path does not lead to the header.
    #[error("it does not lead to the accumulator of the header")]
    OtherRoot,
}

/// Checks that the event of `proof` happened.
///
/// With a `genesis` the result is anchored: ledger id and first validators are the ones the reader
/// trusts. Without one the proof is only checked to be consistent in itself.
///
/// # Errors
/// [`ProofError`], naming the first thing that is wrong.
pub fn verify_event(
    genesis: Option<&TrustedGenesis>,
    proof: &EventProof,
) -> Result<VerifiedEvent, ProofError> {
    let chain = Chain {
        validators: &proof.validators,
        set_changes: &proof.set_changes,
        anchor: &proof.anchor,
    };
    let root = || proof.path.accumulator_root(&proof.event);
    chain.verify(genesis, &proof.path.block_in_accumulator, root)
}

/// Checks that the receipt of `proof` is what became of its transaction.
///
/// With a `genesis` the result is anchored, as in [`verify_event`].
///
/// # Errors
/// [`ProofError`], naming the first thing that is wrong.
pub fn verify_receipt(
    genesis: Option<&TrustedGenesis>,
    proof: &ReceiptProof,
) -> Result<VerifiedEvent, ProofError> {
    let chain = Chain {
        validators: &proof.validators,
        set_changes: &proof.set_changes,
        anchor: &proof.anchor,
    };
    chain.verify(genesis, &proof.block_in_accumulator, || proof.accumulator_root())
}

/// Checks that `head` is a final header of the ledger, made so by `validators` or by the last set to
/// which `set_changes` lead from them.
///
/// # Errors
/// [`ProofError`], naming the first thing that is wrong.
pub fn verify_head(
    ledger_id: &LedgerId,
    validators: &ValidatorSet,
    set_changes: &[SetChange],
    head: &Anchor,
) -> Result<(), ProofError> {
    verify_anchor(ledger_id, &Chain { validators, set_changes, anchor: head })
}

/// What leads from the first validators to a final header.
struct Chain<'a> {
    validators: &'a ValidatorSet,
    set_changes: &'a [SetChange],
    anchor: &'a Anchor,
}

impl Chain<'_> {
    /// Checks the chain, and that the path, whose root is `root`, leads to its anchor.
    fn verify(
        &self,
        genesis: Option<&TrustedGenesis>,
        block_in_accumulator: &MerklePath,
        root: impl FnOnce() -> Result<Hash, ProofError>,
    ) -> Result<VerifiedEvent, ProofError> {
        let header = &self.anchor.header;
        let ledger_id = match genesis {
            Some(genesis) if genesis.validators != *self.validators => {
                return Err(ProofError::OtherValidators);
            }
            Some(genesis) => genesis.ledger_id,
            None => header.ledger_id,
        };
        verify_anchor(&ledger_id, self)?;
        let (root, executed) = (root()?, header.executed);
        let leaf_count = block_in_accumulator.leaf_count;
        if leaf_count != executed.height.get() {
            return Err(ProofError::OtherAccumulator {
                found: leaf_count,
                wanted: executed.height.get(),
            });
        }
        if root != executed.receipts {
            return Err(ProofError::OtherRoot);
        }
        Ok(VerifiedEvent {
            ledger_id,
            height: BlockHeight::new(block_in_accumulator.index + 1),
            anchor_height: header.height,
            anchor_time: header.time,
            anchored: genesis.is_some(),
        })
    }
}

/// Follows the sets of validators from the first to those of the anchor.
///
/// Rule: a set change counts only when more than two thirds of the old set signed its header, and
/// the new set acts from the next epoch.
fn verify_anchor(ledger_id: &LedgerId, chain: &Chain<'_>) -> Result<(), ProofError> {
    let mut validators = chain.validators;
    let mut earlier: Option<&Header> = None;
    for change in chain.set_changes {
        let header = &change.header;
        verify_final(ledger_id, earlier, validators, header, &change.certificate)?;
        let next = change.next_validators.hash();
        if next != header.next_validators_hash || next == header.validators_hash {
            return Err(ProofError::NextValidators { height: header.height });
        }
        validators = &change.next_validators;
        earlier = Some(header);
    }
    let Anchor { header, certificate } = chain.anchor;
    verify_final(ledger_id, earlier, validators, header, certificate)
}

fn verify_final(
    ledger_id: &LedgerId,
    earlier: Option<&Header>,
    validators: &ValidatorSet,
    header: &Header,
    certificate: &Certificate,
) -> Result<(), ProofError> {
    let height = header.height;
    if header.ledger_id != *ledger_id {
        let (found, wanted) = (header.ledger_id, *ledger_id);
        return Err(ProofError::OtherLedger { height, found, wanted });
    }
    let forward = |earlier: &Header| height > earlier.height && header.epoch > earlier.epoch;
    if !earlier.is_none_or(forward) {
        return Err(ProofError::NotAscending { height });
    }
    certificate
        .verify(header, validators)
        .map_err(|error| ProofError::Certificate { height, error })
}
