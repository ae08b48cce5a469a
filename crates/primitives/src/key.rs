//! Keys and signatures: Ed25519 under one rule, ZIP-215.
//!
//! Rule: a signature is valid when the cofactored equation holds; keys and nonces of small order and
//! their non-canonical encodings are accepted, a scalar above the group order is not (ZIP-215). With
//! any other rule a single check and a batch could disagree, and two honest nodes with them.
//!
//! Randomness comes from nowhere in here: a key is made of a seed and a batch of the caller's
//! entropy.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use borsh::io::{Read, Result as IoResult, Write};
use borsh::{BorshDeserialize, BorshSerialize};
use data_encoding::HEXLOWER;
use ed25519_zebra::{VerificationKey, VerificationKeyBytes, batch};
use rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroize;

use crate::codec::invalid;
use crate::hash::{Hash, Hasher, tag};
use crate::identifier::{KeyAddress, ParseIdError, parse_hex};

/// A way to sign. Bytes: its number as one byte; others are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SignatureKind {
    /// Ed25519 under ZIP-215.
    Ed25519 = 1,
}

impl SignatureKind {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name in the text of a key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
        }
    }
}

impl BorshSerialize for SignatureKind {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        self.number().serialize(writer)
    }
}

impl BorshDeserialize for SignatureKind {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        match u8::deserialize_reader(reader)? {
            1 => Ok(Self::Ed25519),
            other => Err(invalid(format_args!("unknown signature kind {other}"))),
        }
    }
}

/// A public key. Text: `ed25519:` and 64 lower-case hexadecimal digits.
///
/// That the bytes are a point of the curve is found out when a signature is checked; no signature
/// is valid under a key that is not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct PublicKey {
    /// How the key signs.
    pub kind: SignatureKind,
    /// The key's 32 bytes.
    pub bytes: [u8; 32],
}

impl PublicKey {
    /// The Ed25519 key of these bytes.
    #[must_use]
    pub const fn ed25519(bytes: [u8; 32]) -> Self {
        Self { kind: SignatureKind::Ed25519, bytes }
    }

    /// The address under which the state knows the key.
    #[must_use]
    pub fn address(&self) -> KeyAddress {
        KeyAddress::from_hash(&Hash::of_domain(tag::KEY, &[&[self.kind.number()], &self.bytes]))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}:{}", self.kind.name(), HEXLOWER.encode(&self.bytes)))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({}…)", HEXLOWER.encode(&self.bytes[..4]))
    }
}

impl FromStr for PublicKey {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        const REFUSED: ParseIdError = ParseIdError {
            type_name: "PublicKey",
            wanted: "wanted is ed25519: with 64 lower-case hexadecimal digits",
        };
        let digits = text.strip_prefix("ed25519:").ok_or(REFUSED)?;
        parse_hex("PublicKey", digits).map(Self::ed25519).map_err(|_| REFUSED)
    }
}

/// A signature: 64 bytes, for Ed25519 R ‖ s. Text: 128 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the 64 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    fn zebra(&self) -> ed25519_zebra::Signature {
        ed25519_zebra::Signature::from_bytes(&self.0)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signature({}…)", HEXLOWER.encode(&self.0[..4]))
    }
}

impl FromStr for Signature {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        parse_hex("Signature", text).map(Self)
    }
}

/// A private key. It is wiped from memory when dropped and never printed.
#[derive(Clone)]
pub struct SigningKey(ed25519_zebra::SigningKey);

impl SigningKey {
    /// The key of a seed: 32 random bytes, or the ones of a key file.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ed25519_zebra::SigningKey::from(seed))
    }

    /// The seed, for writing a key file.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::ed25519(VerificationKeyBytes::from(&self.0).into())
    }

    /// Signs the 32 bytes of a domain-separated hash, such as a transaction id.
    #[must_use]
    pub fn sign_hash(&self, hash: &Hash) -> Signature {
        self.sign_bytes(hash.as_bytes())
    }

    /// Signs bytes that carry their own domain, such as a block vote.
    #[must_use]
    pub fn sign_bytes(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey(of {:?})", self.public())
    }
}

/// The signature is not one of this key over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signature does not fit key and message")]
pub struct SignatureError;

/// Checks one signature under ZIP-215.
///
/// # Errors
/// [`SignatureError`] when it does not hold or the key is not a point of the curve.
pub fn verify(
    key: &PublicKey,
    message: &[u8],
    signature: &Signature,
) -> Result<(), SignatureError> {
    match key.kind {
        SignatureKind::Ed25519 => VerificationKey::try_from(key.bytes)
            .and_then(|key| key.verify(&signature.zebra(), message))
            .map_err(|_| SignatureError),
    }
}

/// Many signatures checked at once, for about half the price of checking each.
///
/// All hold or at least one does not; which one is found with [`verify`]. Several signatures of one
/// key cost less than those of different keys.
pub struct BatchVerifier {
    ed25519: batch::Verifier,
    /// All that was queued: the random factors depend on it, so that nobody who knows the entropy
    /// beforehand can choose signatures that cancel each other.
    transcript: Hasher,
    count: usize,
}

impl Default for BatchVerifier {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchVerifier {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self { ed25519: batch::Verifier::new(), transcript: Hasher::new(), count: 0 }
    }

    /// Adds a signature; the message is hashed at once and not kept.
    pub fn queue(&mut self, key: PublicKey, signature: Signature, message: impl AsRef<[u8]>) {
        let message = message.as_ref();
        self.transcript.update(&[key.kind.number()]);
        self.transcript.update(&key.bytes);
        self.transcript.update(&signature.0);
        self.transcript.update(Hash::of(message).as_bytes());
        match key.kind {
            SignatureKind::Ed25519 => {
                let key = VerificationKeyBytes::from(key.bytes);
                self.ed25519.queue((key, signature.zebra(), message));
            }
        }
        self.count += 1;
    }

    /// How many signatures are queued.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing is queued.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether every queued signature holds, exactly as [`verify`] would say of each.
    ///
    /// `entropy` should be unknown to the signers; the simulator gives bytes from its seed.
    #[must_use]
    pub fn verify(self, entropy: [u8; 32]) -> bool {
        let mut seed = self.transcript;
        seed.update(&entropy);
        self.ed25519.verify(HashStream::new(seed.finish())).is_ok()
    }
}

impl fmt::Debug for BatchVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BatchVerifier({} signatures)", self.count)
    }
}

/// The random factors of a batch: SHA-256(seed ‖ counter u64 LE), block after block.
struct HashStream {
    seed: Hash,
    counter: u64,
    block: Hash,
    used: usize,
}

impl HashStream {
    fn new(seed: Hash) -> Self {
        Self { seed, counter: 0, block: Hash::ZERO, used: 32 }
    }
}

impl TryRng for HashStream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for byte in target {
            if self.used == 32 {
                let mut hasher = Hasher::new();
                hasher.update(self.seed.as_bytes());
                hasher.update(&self.counter.to_le_bytes());
                self.block = hasher.finish();
                self.counter += 1;
                self.used = 0;
            }
            *byte = self.block.as_bytes()[self.used];
            self.used += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for HashStream {}
