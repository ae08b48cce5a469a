//! What validators sign: the header of a block, and the certificate that makes it final.
//!
//! A vote signs the bytes that Commonware's simplex protocol signs for "finalize", so the same
//! certificate comes out of a solo node and out of a network of validators.

use std::ops::Deref;

use borsh::io::{Read, Result as IoResult};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::{Bounded, encode, invalid};
use crate::column::write_varint;
use crate::hash::{Hash, tag};
use crate::identifier::LedgerId;
use crate::key::{PublicKey, Signature, SigningKey, verify};
use crate::units::{BlockHeight, Timestamp};

/// The version of the header that this crate writes.
pub const HEADER_VERSION: u8 = 1;
/// The largest number of validators.
pub const MAX_VALIDATORS: usize = 128;
/// The largest context of the engine in bytes.
pub const MAX_CONTEXT_BYTES: usize = 1_024;

/// How far the block's maker had executed, and to what result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Executed {
    /// The last executed height; below that of the header itself.
    pub height: BlockHeight,
    /// The state root after it.
    pub state_root: Hash,
    /// The root of the accumulator over the receipts of heights 1 to it.
    pub receipts: Hash,
}

/// The header of a block. The genesis has height 0, parent [`Hash::ZERO`] and no certificate.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    /// [`HEADER_VERSION`].
    pub version: u8,
    /// The ledger.
    pub ledger_id: LedgerId,
    /// The block's position.
    pub height: BlockHeight,
    /// The hash of the header before it.
    pub parent: Hash,
    /// The block's time, later than its parent's.
    pub time: Timestamp,
    /// The validator that made the block.
    pub proposer: PublicKey,
    /// The epoch, during which the set of validators stays the same.
    pub epoch: u64,
    /// The hash of the validators that sign this header.
    pub validators_hash: Hash,
    /// The hash of the validators of the next epoch.
    pub next_validators_hash: Hash,
    /// The root over the ids of the block's transactions.
    pub transactions_root: Hash,
    /// Execution follows ordering at a distance; this is how far it was.
    pub executed: Executed,
    /// What the engine needs to find again; opaque to everybody else.
    pub context: Bounded<u8, MAX_CONTEXT_BYTES>,
}

impl Header {
    /// The header's hash: the block's name, and what a vote is about.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of_domain(tag::HEADER, &[&encode(self)])
    }
}

/// The state root after a block: it continues the one before with the block's height and the hash of
/// its sorted writes.
#[must_use]
pub fn next_state_root(previous: &Hash, height: BlockHeight, writes: &Hash) -> Hash {
    let height = height.get().to_le_bytes();
    Hash::of_domain(tag::STATE, &[previous.as_bytes(), &height, writes.as_bytes()])
}

/// Why a list of keys is not a set of validators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// There is nobody in it.
    #[error("set of validators without members")]
    Empty,
    /// There are more than [`MAX_VALIDATORS`].
    #[error("set of {0} validators, at most {MAX_VALIDATORS} are allowed")]
    TooLarge(usize),
    /// A key is in it twice.
    #[error("validator {0:?} is listed twice")]
    Double(PublicKey),
}

/// The validators of an epoch, at least one, none twice, in the order of the genesis or of the change
/// that made the set; a validator is named by its place.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct ValidatorSet(Bounded<PublicKey, MAX_VALIDATORS>);

impl ValidatorSet {
    /// The set of these keys, in this order.
    ///
    /// # Errors
    /// [`ValidatorSetError`] when it is empty, too large or lists a key twice.
    pub fn new(keys: Vec<PublicKey>) -> Result<Self, ValidatorSetError> {
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ValidatorSetError::Double(pair[0]));
        }
        let length = keys.len();
        if length == 0 {
            return Err(ValidatorSetError::Empty);
        }
        keys.try_into().map(Self).map_err(|_| ValidatorSetError::TooLarge(length))
    }

    /// The keys in their order.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// The hash that headers carry.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of_domain(tag::VALIDATORS, &[&encode(self)])
    }

    /// How many of the validators have to sign.
    ///
    /// Rule: n − ⌊(n − 1) / 3⌋, always more than two thirds; of one validator it is one.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.0.len() - (self.0.len() - 1) / 3
    }
}

impl Deref for ValidatorSet {
    type Target = [PublicKey];

    fn deref(&self) -> &[PublicKey] {
        &self.0
    }
}

impl BorshDeserialize for ValidatorSet {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let keys = Bounded::<PublicKey, MAX_VALIDATORS>::deserialize_reader(reader)?;
        Self::new(keys.into_vec()).map_err(invalid)
    }
}

/// The bytes that a validator signs to make a header final.
///
/// varint(length of ns) ‖ ns ‖ varint(epoch) ‖ varint(view) ‖ varint(parent view) ‖ header hash, where
/// ns = `gridtally/vote/v1/` ‖ ledger id ‖ `_FINALIZE` and varint is unsigned LEB128.
#[must_use]
pub fn vote_message(
    ledger_id: &LedgerId,
    epoch: u64,
    view: u64,
    parent_view: u64,
    header_hash: &Hash,
) -> Vec<u8> {
    let namespace = [b"gridtally/vote/v1/", &ledger_id.as_bytes()[..], b"_FINALIZE"].concat();
    let mut message = Vec::with_capacity(namespace.len() + 64);
    write_varint(namespace.len() as u128, &mut message);
    message.extend(namespace);
    for number in [epoch, view, parent_view] {
        write_varint(u128::from(number), &mut message);
    }
    message.extend(header_hash.as_bytes());
    message
}

/// Why a certificate does not make its header final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The header names another set of validators.
    #[error("header was made by another set of validators")]
    WrongValidators,
    /// Signatures are not in strictly ascending order of their validators.
    #[error("signature of validator {0} is double or out of order")]
    NotAscending(u16),
    /// There is no such validator.
    #[error("there is no validator {0}")]
    UnknownValidator(u16),
    /// There are fewer signatures than the quorum.
    #[error("{signatures} signatures, the quorum is {quorum}")]
    NoQuorum {
        /// How many there are.
        signatures: usize,
        /// How many are needed.
        quorum: usize,
    },
    /// A signature does not hold.
    #[error("signature of validator {0} is wrong")]
    WrongSignature(u16),
}

/// The signatures that make a header final.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Certificate {
    /// The view in which the block was made; for a solo node its height.
    pub view: u64,
    /// The view of its parent; for a solo node the height before.
    pub parent_view: u64,
    /// (place of the validator in the set, signature), strictly ascending.
    pub signatures: Bounded<(u16, Signature), MAX_VALIDATORS>,
}

impl Certificate {
    /// The certificate of a ledger with one validator.
    ///
    /// # Panics
    /// For the genesis, which has no certificate.
    #[must_use]
    pub fn solo(header: &Header, key: &SigningKey) -> Self {
        let view = header.height.get();
        let parent_view = view.checked_sub(1).expect("the genesis has no certificate");
        let mut certificate = Self { view, parent_view, signatures: Bounded::new() };
        let signature = key.sign_bytes(&certificate.message(header));
        certificate.signatures.push((0, signature)).expect("the first of up to 128");
        certificate
    }

    /// Stands where a block has no certificate of its own, because a later one made it final. It
    /// verifies nothing.
    #[must_use]
    pub fn absent() -> Self {
        Self { view: 0, parent_view: 0, signatures: Bounded::new() }
    }

    /// Is this [`Certificate::absent`]?
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.signatures.is_empty()
    }

    /// The bytes that each of the signatures is over.
    #[must_use]
    pub fn message(&self, header: &Header) -> Vec<u8> {
        let hash = header.hash();
        vote_message(&header.ledger_id, header.epoch, self.view, self.parent_view, &hash)
    }

    /// Checks that the certificate makes `header` final under `set`.
    ///
    /// # Errors
    /// [`CertificateError`]: the set has to be the one of the header, every signature has to hold,
    /// in strictly ascending order, and there have to be as many as the quorum. A wrong signature
    /// among enough right ones is refused too: a file has no unchecked parts.
    pub fn verify(&self, header: &Header, set: &ValidatorSet) -> Result<(), CertificateError> {
        if set.hash() != header.validators_hash {
            return Err(CertificateError::WrongValidators);
        }
        let mut earlier = None;
        for &(place, _) in &self.signatures {
            if earlier.is_some_and(|earlier| earlier >= place) {
                return Err(CertificateError::NotAscending(place));
            }
            earlier = Some(place);
        }
        if let Some(place) = earlier.filter(|&place| usize::from(place) >= set.keys().len()) {
            return Err(CertificateError::UnknownValidator(place));
        }
        let (signatures, quorum) = (self.signatures.len(), set.quorum());
        if signatures < quorum {
            return Err(CertificateError::NoQuorum { signatures, quorum });
        }
        let message = self.message(header);
        for (place, signature) in &self.signatures {
            verify(&set.keys()[usize::from(*place)], &message, signature)
                .map_err(|_| CertificateError::WrongSignature(*place))?;
        }
        Ok(())
    }
}
