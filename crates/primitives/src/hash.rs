//! SHA-256 with a name for every use.
//!
//! Whatever is signed or committed to is hashed under a tag of its own ([`tag`]), so that bytes made
//! for one purpose can never be shown as something else.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::identifier::ParseIdError;

/// The tags of all domain-separated hashes of this floor.
pub mod tag {
    /// A ledger id, from the genesis.
    pub const GENESIS: &str = "gridtally/genesis/v1";
    /// A block's header.
    pub const HEADER: &str = "gridtally/header/v1";
    /// The address of a key.
    pub const KEY: &str = "gridtally/key/v1";
    /// The chain of state roots.
    pub const STATE: &str = "gridtally/state/v1";
    /// A transaction's id, which is what its signers sign.
    pub const TRANSACTION: &str = "gridtally/transaction/v1";
    /// A set of validators.
    pub const VALIDATORS: &str = "gridtally/validators/v1";

    /// All of them, for the golden file.
    pub const ALL: [&str; 6] = [GENESIS, HEADER, KEY, STATE, TRANSACTION, VALIDATORS];
}

/// A SHA-256 hash. Text: 64 lower-case hexadecimal digits.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of nothing that exists: 32 zero bytes, the parent of the genesis.
    pub const ZERO: Self = Self([0; 32]);

    /// Takes 32 bytes that already are a hash.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// SHA-256 of `bytes` alone, without a tag.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// SHA-256 of: length of `tag` as one byte ‖ `tag` ‖ all `parts` in order.
    ///
    /// The parts are not delimited: give fixed-length parts, or one canonical encoding.
    ///
    /// # Panics
    /// When the tag is longer than 255 bytes.
    #[must_use]
    pub fn of_domain(tag: &'static str, parts: &[&[u8]]) -> Self {
        let mut hasher = Hasher::with_domain(tag);
        for part in parts {
            hasher.update(part);
        }
        hasher.finish()
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hash({}…)", HEXLOWER.encode(&self.0[..4]))
    }
}

impl FromStr for Hash {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        crate::identifier::parse_hex("Hash", text).map(Self)
    }
}

/// A hash of bytes that come piece by piece.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Starts without a tag, as [`Hash::of`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts with a tag, as [`Hash::of_domain`].
    ///
    /// # Panics
    /// When the tag is longer than 255 bytes.
    #[must_use]
    pub fn with_domain(tag: &'static str) -> Self {
        let length = u8::try_from(tag.len()).expect("tags are short constants of the code");
        let mut hasher = Self::new();
        hasher.update(&[length]);
        hasher.update(tag.as_bytes());
        hasher
    }

    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes added.
    #[must_use]
    pub fn finish(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // FIPS 180-2, appendix B.
        assert_eq!(
            Hash::of(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(Hash::of_domain("ab", &[b"c", b"", b"de"]), Hash::of(b"\x02abcde"));
    }

    #[test]
    fn text_there_and_back() {
        let hash = Hash::of(b"abc");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for wrong in ["", "ba", &hash.to_string().to_uppercase(), &format!("{hash}00")] {
            assert!(wrong.parse::<Hash>().is_err(), "{wrong}");
        }
        assert_eq!(format!("{hash:?}"), "Hash(ba7816bf…)");
    }

    #[test]
    fn tags_are_named_alike_and_differ() {
        let mut tags = tag::ALL.to_vec();
        tags.dedup();
        assert_eq!(tags.len(), tag::ALL.len());
        assert!(tags.is_sorted());
        assert!(tags.iter().all(|tag| tag.starts_with("gridtally/") && tag.ends_with("/v1")));
    }
}
