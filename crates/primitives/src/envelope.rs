//! What people sign and send: the envelope around every transaction.
//!
//! The body of a transaction is opaque here; the floor of the rules knows its kinds. The id of a
//! transaction is the hash of its unsigned envelope, and each signer signs the id's 32 bytes. Values
//! that belong to a transaction but not into a block travel beside it, in a [`Submission`].

use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::{Bounded, CodecError, decode_prefix, encode};
use crate::hash::{Hash, tag};
use crate::identifier::{LedgerId, TransactionId};
use crate::key::{PublicKey, Signature, SignatureError, SigningKey, verify};
use crate::merkle::{leaf_hash, root_of_leaf_hashes};
use crate::units::{Sequence, Timestamp};

/// The version of the envelope that this crate writes.
pub const ENVELOPE_VERSION: u8 = 1;
/// The largest number of cosigners.
pub const MAX_COSIGNERS: usize = 64;
/// The largest number of signatures: the signer's and those of all cosigners.
pub const MAX_SIGNATURES: usize = MAX_COSIGNERS + 1;
/// The largest body in bytes.
pub const MAX_BODY_BYTES: usize = 262_144;
/// The largest payload in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// A transaction without its signatures.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Envelope {
    /// [`ENVELOPE_VERSION`]; another one is a matter of form, refused by the rules.
    pub version: u8,
    /// The ledger for which it is meant, and no other.
    pub ledger_id: LedgerId,
    /// Who acts, with the full key.
    pub signer: PublicKey,
    /// Who agrees, in the order of their signatures.
    pub cosigners: Bounded<PublicKey, MAX_COSIGNERS>,
    /// The signer's own count; it makes equal contents different transactions.
    pub sequence: Sequence,
    /// After this moment the transaction is no longer taken into a block.
    pub valid_until: Timestamp,
    /// The number of the transaction's kind.
    pub kind: u16,
    /// The canonical bytes of the transaction of that kind.
    pub body: Bounded<u8, MAX_BODY_BYTES>,
}

impl Envelope {
    /// The transaction's id: the hash of the canonical bytes.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        Self::id_of(&encode(self))
    }

    fn id_of(bytes: &[u8]) -> TransactionId {
        TransactionId::from_hash(&Hash::of_domain(tag::TRANSACTION, &[bytes]))
    }

    /// The keys that have to sign: the signer, then the cosigners in order.
    pub fn signers(&self) -> impl Iterator<Item = &PublicKey> {
        std::iter::once(&self.signer).chain(&self.cosigners)
    }
}

/// A transaction with its signatures, as it stands in a block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedTransaction {
    /// What was signed.
    pub envelope: Envelope,
    /// One signature of the id for each of [`Envelope::signers`], in the same order.
    pub signatures: Bounded<Signature, MAX_SIGNATURES>,
}

impl SignedTransaction {
    /// Signs `envelope` with the keys in the order of [`Envelope::signers`].
    ///
    /// The keys are not compared with the envelope: a wrong one gives a transaction whose
    /// [`Self::verify_signatures`] fails.
    ///
    /// # Panics
    /// With more than [`MAX_SIGNATURES`] keys.
    #[must_use]
    pub fn sign(envelope: Envelope, keys: &[&SigningKey]) -> Self {
        let id = envelope.id().hash();
        let signatures: Vec<_> = keys.iter().map(|key| key.sign_hash(&id)).collect();
        let signatures = signatures.try_into().expect("no more keys than an envelope has signers");
        Self { envelope, signatures }
    }

    /// The transaction's id; signatures are no part of it.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        self.envelope.id()
    }

    /// Every key with its signature, for a batch; each is over the 32 bytes of [`Self::id`].
    ///
    /// # Errors
    /// [`SignatureError`] when there are not exactly as many signatures as signers.
    pub fn signature_pairs(&self) -> Result<Vec<(PublicKey, Signature)>, SignatureError> {
        if self.signatures.len() != 1 + self.envelope.cosigners.len() {
            return Err(SignatureError);
        }
        Ok(self.envelope.signers().copied().zip(self.signatures.iter().copied()).collect())
    }

    /// Checks every signature, one by one.
    ///
    /// # Errors
    /// [`SignatureError`] when one is missing, superfluous or wrong.
    pub fn verify_signatures(&self) -> Result<(), SignatureError> {
        let id = self.id();
        let pairs = self.signature_pairs()?;
        pairs.iter().try_for_each(|(key, signature)| verify(key, id.as_bytes(), signature))
    }
}

/// What a client sends: a transaction and, beside it, the values that it commits to.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Submission {
    /// The transaction.
    pub transaction: SignedTransaction,
    /// The canonical bytes of its payload; empty when its kind has none.
    pub payload: Bounded<u8, MAX_PAYLOAD_BYTES>,
}

impl Submission {
    /// The id of the transaction whose submission stands at the start of `bytes`, and what follows it,
    /// for whoever holds submissions as bytes. The bytes are decoded as strictly as ever; nothing of
    /// them is kept.
    ///
    /// # Errors
    /// [`CodecError`] as for [`decode_prefix`].
    pub fn id_in(bytes: &[u8]) -> Result<(TransactionId, &[u8]), CodecError> {
        let (_, behind) = decode_prefix::<Envelope>(bytes)?;
        let envelope = &bytes[..bytes.len() - behind.len()];
        let (_, behind) = decode_prefix::<Bounded<Signature, MAX_SIGNATURES>>(behind)?;
        let (_, behind) = decode_prefix::<Bounded<u8, MAX_PAYLOAD_BYTES>>(behind)?;
        Ok((Envelope::id_of(envelope), behind))
    }
}

/// The root over the transactions of a block, in its order; leaf data are the ids.
#[must_use]
pub fn transactions_root(ids: &[TransactionId]) -> Hash {
    root_of_leaf_hashes(ids.iter().map(|id| leaf_hash(id.as_ref())).collect())
}
