//! Meter readings, how a day of them is sealed, and the values that travel beside the blocks.
//!
//! A meter signs one hash per local day: the Merkle root over the day's readings. Each leaf carries a
//! salt that is made of one seed per meter and day, so that nobody can guess a reading from its
//! hash, while one seed opens the whole day. The values themselves ([`DayPayload`],
//! [`ReadingPayload`]) travel with the transaction but are not part of the block, and can be erased
//! without breaking the chain.

use std::fmt;

use borsh::io::{Read, Result as IoResult, Write};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::calendar::SettlementPeriod;
use crate::codec::{Bounded, invalid, refuse};
use crate::column::{decode_column, encode_column};
use crate::hash::{Hash, Hasher};
use crate::identifier::UsagePointId;
use crate::merkle::{MerkleTree, leaf_hash};
use crate::units::{MilliHertz, WattHours};

/// The largest number of slots that can be sealed together: a day of 25 hours in 5-minute slots.
pub const MAX_SLOTS_PER_DAY: usize = 300;

/// How a reading came about. Bytes: the ASCII letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Quality {
    /// Measured.
    Actual = b'A',
    /// Estimated, until the measurement comes.
    Estimated = b'E',
    /// Put in place of a measurement that was lost or wrong.
    Substituted = b'S',
    /// Declared final.
    Final = b'F',
}

impl Quality {
    /// All qualities.
    pub const ALL: [Self; 4] = [Self::Actual, Self::Estimated, Self::Substituted, Self::Final];

    /// The letter that stands for it.
    #[must_use]
    pub const fn letter(self) -> u8 {
        self as u8
    }

    /// The quality of a letter, if it has one.
    #[must_use]
    pub fn from_letter(letter: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|quality| quality.letter() == letter)
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&char::from(self.letter()), formatter)
    }
}

impl BorshSerialize for Quality {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        self.letter().serialize(writer)
    }
}

impl BorshDeserialize for Quality {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let letter = u8::deserialize_reader(reader)?;
        Self::from_letter(letter).ok_or_else(|| unknown_quality(u64::from(letter)))
    }
}

fn unknown_quality(number: u64) -> borsh::io::Error {
    invalid(format_args!("unknown reading quality {number}"))
}

/// What one usage point drew and injected in one settlement period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Reading {
    /// Energy drawn from the grid.
    pub import_wh: WattHours,
    /// Energy injected into the grid.
    pub export_wh: WattHours,
    /// How the values came about.
    pub quality: Quality,
}

/// The secret of one meter and one day, from which the salts of its readings are made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct DaySeed([u8; 32]);

impl DaySeed {
    /// Takes 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DaySeed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DaySeed(hidden)")
    }
}

/// The salt of slot `slot` of a local day, counted from 0: SHA-256(seed ‖ slot u32 LE).
#[must_use]
pub fn salt(seed: &DaySeed, slot: u32) -> [u8; 32] {
    let mut hasher = Hasher::new();
    hasher.update(&seed.0);
    hasher.update(&slot.to_le_bytes());
    *hasher.finish().as_bytes()
}

/// The leaf of one reading: the hash that a meter commits to.
///
/// SHA-256(0x00 ‖ salt ‖ usage point ‖ period u32 LE ‖ import u64 LE ‖ export u64 LE ‖ quality).
#[must_use]
pub fn reading_leaf(
    salt: &[u8; 32],
    usage_point: UsagePointId,
    period: SettlementPeriod,
    reading: &Reading,
) -> Hash {
    let mut hasher = Hasher::new();
    hasher.update(&[0x00]);
    hasher.update(salt);
    hasher.update(usage_point.as_bytes());
    hasher.update(&period.get().to_le_bytes());
    hasher.update(&reading.import_wh.get().to_le_bytes());
    hasher.update(&reading.export_wh.get().to_le_bytes());
    hasher.update(&[reading.quality.letter()]);
    hasher.finish()
}

/// The leaf of one grid frequency: SHA-256(0x00 ‖ period u32 LE ‖ millihertz u32 LE).
#[must_use]
pub fn frequency_leaf(period: SettlementPeriod, frequency: MilliHertz) -> Hash {
    let mut data = [0; 8];
    data[..4].copy_from_slice(&period.get().to_le_bytes());
    data[4..].copy_from_slice(&frequency.get().to_le_bytes());
    leaf_hash(&data)
}

/// The tree over a day's readings; slot i is leaf i and lies in the period `first_period` + i.
///
/// Period numbers are counted modulo 2³² here; no calendar has a day that gets there.
#[must_use]
pub fn day_tree(
    seed: &DaySeed,
    usage_point: UsagePointId,
    first_period: SettlementPeriod,
    readings: &[Reading],
) -> MerkleTree {
    let leaf = |(slot, reading): (u32, &Reading)| {
        let period = SettlementPeriod::new(first_period.get().wrapping_add(slot));
        reading_leaf(&salt(seed, slot), usage_point, period, reading)
    };
    MerkleTree::from_leaf_hashes((0..).zip(readings).map(leaf).collect())
}

/// The root over a day's readings, which the meter signs; see [`day_tree`].
#[must_use]
pub fn day_root(
    seed: &DaySeed,
    usage_point: UsagePointId,
    first_period: SettlementPeriod,
    readings: &[Reading],
) -> Hash {
    day_tree(seed, usage_point, first_period, readings).root()
}

/// The value behind a single committed reading.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReadingPayload {
    /// The reading.
    pub reading: Reading,
    /// The salt of its leaf.
    pub salt: [u8; 32],
}

impl ReadingPayload {
    /// The leaf that this value opens.
    #[must_use]
    pub fn leaf(&self, usage_point: UsagePointId, period: SettlementPeriod) -> Hash {
        reading_leaf(&self.salt, usage_point, period, &self.reading)
    }
}

/// The values behind a sealed day.
///
/// Bytes: three columns ([`crate::column`]), each a list of bytes, for import, export and quality
/// letter; then the seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayPayload {
    /// One reading for each slot of the day, in order.
    pub readings: Bounded<Reading, MAX_SLOTS_PER_DAY>,
    /// The seed of the salts.
    pub seed: DaySeed,
}

impl DayPayload {
    /// The root that these values open.
    #[must_use]
    pub fn root(&self, usage_point: UsagePointId, first_period: SettlementPeriod) -> Hash {
        day_root(&self.seed, usage_point, first_period, &self.readings)
    }
}

/// No column of a day is longer: every number takes ten bytes at most, and a run one more.
const MAX_COLUMN_BYTES: usize = 11 * MAX_SLOTS_PER_DAY;
type ColumnBytes = Bounded<u8, MAX_COLUMN_BYTES>;

impl BorshSerialize for DayPayload {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        let column = |value: fn(&Reading) -> u64| {
            encode_column(&self.readings.iter().map(value).collect::<Vec<_>>())
        };
        column(|reading| reading.import_wh.get()).serialize(writer)?;
        column(|reading| reading.export_wh.get()).serialize(writer)?;
        column(|reading| u64::from(reading.quality.letter())).serialize(writer)?;
        self.seed.serialize(writer)
    }
}

impl BorshDeserialize for DayPayload {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let mut column = || {
            let bytes = ColumnBytes::deserialize_reader(reader)?;
            decode_column(&bytes, MAX_SLOTS_PER_DAY).map_err(refuse)
        };
        let (imports, exports, qualities) = (column()?, column()?, column()?);
        if exports.len() != imports.len() || qualities.len() != imports.len() {
            return Err(invalid("columns of different length"));
        }
        let mut readings = Bounded::new();
        for ((import, export), letter) in imports.into_iter().zip(exports).zip(qualities) {
            let quality = u8::try_from(letter).ok().and_then(Quality::from_letter);
            let reading = Reading {
                import_wh: WattHours::new(import),
                export_wh: WattHours::new(export),
                quality: quality.ok_or_else(|| unknown_quality(letter))?,
            };
            readings.push(reading).map_err(refuse)?;
        }
        Ok(Self { readings, seed: DaySeed::deserialize_reader(reader)? })
    }
}
