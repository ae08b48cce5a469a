//! Ids: one type for each thing that has one, so that two of them cannot be swapped.
//!
//! An id is 32 or 16 raw bytes, in text lower-case hexadecimal. A thing takes its id from the
//! transaction that created it: 32-byte ids the whole hash, 16-byte ids its first half (the state
//! refuses a second thing with the same id).

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use data_encoding::HEXLOWER;

use crate::hash::Hash;

/// Text that is not the id it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {type_name}: {wanted}")]
pub struct ParseIdError {
    /// The type that was wanted.
    pub type_name: &'static str,
    /// What its text looks like.
    pub wanted: &'static str,
}

/// `N` bytes from exactly 2·`N` lower-case hexadecimal digits.
pub(crate) fn parse_hex<const N: usize>(
    type_name: &'static str,
    text: &str,
) -> Result<[u8; N], ParseIdError> {
    let wanted = match N {
        16 => "wanted are 32 lower-case hexadecimal digits",
        32 => "wanted are 64 lower-case hexadecimal digits",
        64 => "wanted are 128 lower-case hexadecimal digits",
        _ => "wanted are lower-case hexadecimal digits of its length",
    };
    let error = ParseIdError { type_name, wanted };
    let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| error)?;
    bytes.try_into().map_err(|_| error)
}

macro_rules! identifiers {
    ($($(#[$attribute:meta])* $name:ident($length:literal)),+ $(,)?) => {$(
        $(#[$attribute])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            BorshSerialize, BorshDeserialize,
        )]
        pub struct $name([u8; $length]);

        impl $name {
            /// The length in bytes.
            pub const LENGTH: usize = $length;

            /// Takes the raw bytes of an id.
            #[must_use]
            pub const fn new(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// The id that a hash stands for: as many of its first bytes as the id is long.
            #[must_use]
            pub fn from_hash(hash: &Hash) -> Self {
                let mut bytes = [0; $length];
                bytes.copy_from_slice(&hash.as_bytes()[..$length]);
                Self(bytes)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let start = HEXLOWER.encode(&self.0[..4]);
                write!(formatter, concat!(stringify!($name), "({}…)"), start)
            }
        }
    )+};
}

macro_rules! hexadecimal_text {
    ($($name:ident),+ $(,)?) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&HEXLOWER.encode(&self.0))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(stringify!($name), text).map(Self)
            }
        }
    )+};
}

macro_rules! from_transaction {
    ($($name:ident),+ $(,)?) => {$(
        impl $name {
            /// The id of the thing that `transaction` creates.
            #[must_use]
            pub fn from_transaction(transaction: &TransactionId) -> Self {
                Self::from_hash(&transaction.hash())
            }
        }
    )+};
}

identifiers! {
    /// A ledger: the hash of its genesis. Text: `grid-` and 64 digits; for a demo, whose first four
    /// bytes are the ASCII letters `demo`, `demo-` and the other 56.
    LedgerId(32),
    /// A transaction: the hash of its unsigned envelope, which is what its signers sign.
    TransactionId(32),
    /// A party: the id of the transaction that registered it. It never changes; keys map to it.
    PartyId(32),
    /// A key: the hash of its kind and bytes.
    KeyAddress(32),
    /// Where energy is delivered or taken and measured. The meter can be replaced, this stays.
    UsagePointId(16),
    /// A distributor's station.
    StationId(16),
    /// A published tariff.
    TariffId(16),
    /// An issued bill.
    BillId(16),
}

hexadecimal_text!(TransactionId, PartyId, KeyAddress, UsagePointId, StationId, TariffId, BillId);
from_transaction!(PartyId, UsagePointId, StationId, TariffId, BillId);

impl TransactionId {
    /// The id as the hash that it is.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        Hash::new(self.0)
    }
}

impl LedgerId {
    /// What the first four bytes of a demo ledger's id are.
    const DEMO: [u8; 4] = *b"demo";

    /// The id of the ledger whose genesis has this hash and says `demo`.
    ///
    /// A demo has keys that everybody knows; its id says so wherever it is shown. Should the hash of
    /// another genesis begin with these letters by chance or by effort, its first byte is inverted,
    /// so that [`LedgerId::is_demo`] never lies.
    #[must_use]
    pub fn from_genesis_hash(hash: Hash, demo: bool) -> Self {
        let mut bytes = *hash.as_bytes();
        if demo {
            bytes[..4].copy_from_slice(&Self::DEMO);
        } else if bytes[..4] == Self::DEMO {
            bytes[0] = !bytes[0];
        }
        Self(bytes)
    }

    /// Whether this is the id of a demo ledger, whose keys are public.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.0[..4] == Self::DEMO
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.is_demo() {
            format!("demo-{}", HEXLOWER.encode(&self.0[4..]))
        } else {
            format!("grid-{}", HEXLOWER.encode(&self.0))
        };
        formatter.pad(&text)
    }
}

impl FromStr for LedgerId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        const REFUSED: ParseIdError = ParseIdError {
            type_name: "LedgerId",
            wanted: "wanted is grid- with 64 or demo- with 56 lower-case hexadecimal digits",
        };
        let mut bytes = Self::DEMO.to_vec();
        if let Some(digits) = text.strip_prefix("demo-") {
            bytes.extend(HEXLOWER.decode(digits.as_bytes()).map_err(|_| REFUSED)?);
        } else {
            let digits = text.strip_prefix("grid-").ok_or(REFUSED)?;
            bytes = HEXLOWER.decode(digits.as_bytes()).map_err(|_| REFUSED)?;
        }
        let id = Self(bytes.try_into().map_err(|_| REFUSED)?);
        // A demo's id written as `grid-…` would be a second text for the same id.
        if id.is_demo() != text.starts_with("demo-") {
            return Err(REFUSED);
        }
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledger_ids_say_whether_they_are_a_demo() {
        let hash = Hash::of(b"genesis");
        let grid = LedgerId::from_genesis_hash(hash, false);
        let demo = LedgerId::from_genesis_hash(hash, true);
        assert!(!grid.is_demo() && demo.is_demo());
        assert_eq!(grid.to_string(), format!("grid-{hash}"));
        assert_eq!(demo.to_string(), format!("demo-{}", &hash.to_string()[8..]));
        for id in [grid, demo] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        let disguised = format!("grid-64656d6f{}", &hash.to_string()[8..]);
        let short = &grid.to_string()[..68];
        let upper = grid.to_string().to_uppercase();
        let bare = hash.to_string();
        for wrong in [&disguised, short, &upper, &bare, "demo-", "grid-", "", "demo-é"] {
            assert!(wrong.parse::<LedgerId>().is_err(), "{wrong}");
        }
        let looks_like_demo = Hash::new(*demo.as_bytes());
        assert!(!LedgerId::from_genesis_hash(looks_like_demo, false).is_demo());
    }

    #[test]
    fn ids_take_the_first_bytes_of_the_transaction() {
        let transaction = TransactionId::from_hash(&Hash::of(b"transaction"));
        let usage_point = UsagePointId::from_transaction(&transaction);
        assert_eq!(usage_point.as_bytes()[..], transaction.as_bytes()[..16]);
        assert_eq!(PartyId::from_transaction(&transaction).as_bytes(), transaction.as_bytes());
        assert_eq!(usage_point.to_string().parse(), Ok(usage_point));
        assert!(transaction.to_string().parse::<UsagePointId>().is_err());
        assert!(format!("{usage_point:?}").starts_with("UsagePointId("));
    }
}
