//! The values of a proof file: columns over all slots of the bill, cut into its days, and the
//! corrections, put to theirs.

use contracts::billing::Bill;
use contracts::billing::bill_proof::{DayProof, FrequencyDayProof, FrequencyPatch, ReadingPatch};
use contracts::metering::MAX_SLOTS;
use contracts::{Genesis, Rules};
use primitives::calendar::LocalDay;
use primitives::codec::{Bounded, decode};
use primitives::column::{decode_column, encode_column};
use primitives::envelope::SignedTransaction;
use primitives::hash::Hash;
use primitives::reading::{DaySeed, Quality, Reading};
use primitives::units::{MilliHertz, WattHours};
use serde::{Deserialize, Serialize};

use crate::json::{Base64, Written};
use crate::proof_file::ProofFileError;

/// A day of the bill and how many slots it has.
pub(crate) type DaySlots = (LocalDay, usize);
type Readings = Bounded<Reading, MAX_SLOTS>;
type Frequencies = Bounded<Option<MilliHertz>, MAX_SLOTS>;
type ReadingPatches = Bounded<ReadingPatch, MAX_SLOTS>;
type FrequencyPatches = Bounded<FrequencyPatch, MAX_SLOTS>;

/// The days of the bill, each with its number of slots in the ledger's calendar.
pub(crate) fn slots_of(genesis: &Genesis, bill: &Bill) -> Result<Vec<DaySlots>, ProofFileError> {
    let rules = Rules::new(genesis.clone())?;
    let refused = |_| ProofFileError::Value("bill.period is no range of days".to_owned());
    let (first, last) = bill.period.days().map_err(refused)?;
    let mut days = Vec::new();
    for day in first.get()..=last.get() {
        let day = LocalDay::new(day).map_err(refused)?;
        days.push((day, usize::from(rules.calendar().periods_of(day).count)));
    }
    Ok(days)
}

/// One number for each slot of all days (`primitives::column`). A deleted frequency is 0, a quality
/// the number of its letter.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Columns {
    import_wh: Base64,
    export_wh: Base64,
    frequency_mhz: Base64,
    quality: Base64,
}

impl Columns {
    pub(crate) fn of(days: &[DayProof], frequency_days: &[FrequencyDayProof]) -> Self {
        let column = |value: fn(&Reading) -> u64| {
            let numbers: Vec<_> =
                days.iter().flat_map(|day| day.readings.iter().map(value)).collect();
            Base64(encode_column(&numbers))
        };
        let frequencies = frequency_days.iter().flat_map(|day| day.frequencies.iter());
        let frequencies: Vec<_> =
            frequencies.map(|it| it.map_or(0, |value| u64::from(value.get()))).collect();
        Self {
            import_wh: column(|reading| reading.import_wh.get()),
            export_wh: column(|reading| reading.export_wh.get()),
            frequency_mhz: Base64(encode_column(&frequencies)),
            quality: column(|reading| u64::from(reading.quality.letter())),
        }
    }

    pub(crate) fn readings(&self, days: &[DaySlots]) -> Result<Vec<Readings>, ProofFileError> {
        let imports = numbers("columns.import_wh", &self.import_wh, days)?;
        let exports = numbers("columns.export_wh", &self.export_wh, days)?;
        let qualities = numbers("columns.quality", &self.quality, days)?;
        let mut readings = Vec::with_capacity(imports.len());
        for ((import, export), quality) in imports.into_iter().zip(exports).zip(qualities) {
            let letter = u8::try_from(quality).ok().and_then(Quality::from_letter);
            readings.push(Reading {
                import_wh: WattHours::new(import),
                export_wh: WattHours::new(export),
                quality: letter.ok_or_else(|| {
                    ProofFileError::Value(format!("columns.quality: there is no quality {quality}"))
                })?,
            });
        }
        cut(readings, days)
    }

    /// The frequencies of each day; no day at all when the column is empty.
    pub(crate) fn frequencies(
        &self,
        days: &[DaySlots],
    ) -> Result<Vec<Frequencies>, ProofFileError> {
        if self.frequency_mhz.0.is_empty() {
            return Ok(Vec::new());
        }
        let mut frequencies = Vec::new();
        for number in numbers("columns.frequency_mhz", &self.frequency_mhz, days)? {
            let value = u32::try_from(number).ok().and_then(|value| MilliHertz::new(value).ok());
            if number != 0 && value.is_none() {
                let reason = format!("columns.frequency_mhz: {number} mHz is no grid's frequency");
                return Err(ProofFileError::Value(reason));
            }
            frequencies.push(value);
        }
        cut(frequencies, days)
    }
}

/// The numbers of a column, exactly one for each slot.
fn numbers(
    what: &'static str,
    column: &Base64,
    days: &[DaySlots],
) -> Result<Vec<u64>, ProofFileError> {
    let wanted = days.iter().map(|(_, slots)| slots).sum();
    let numbers = decode_column(&column.0, wanted)
        .map_err(|error| ProofFileError::Value(format!("{what}: {error}")))?;
    if numbers.len() != wanted {
        return Err(ProofFileError::Count { what, found: numbers.len(), wanted });
    }
    Ok(numbers)
}

fn cut<T, const MAX: usize>(
    values: Vec<T>,
    days: &[DaySlots],
) -> Result<Vec<Bounded<T, MAX>>, ProofFileError> {
    let mut values = values.into_iter();
    let mut cut = Vec::with_capacity(days.len());
    for (_, slots) in days {
        cut.push(values.by_ref().take(*slots).collect::<Vec<_>>().try_into()?);
    }
    Ok(cut)
}

/// A correction, beside the day it is about.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Patch {
    /// The signed correction of a reading.
    Reading {
        day: Written<LocalDay>,
        transaction: Base64,
        salt: Base64,
        sealed_leaf: Written<Hash>,
    },
    /// The signed correction or deletion of a frequency.
    Frequency { day: Written<LocalDay>, transaction: Base64, sealed_mhz: u32 },
}

/// The corrections of each day, of readings and of frequencies.
pub(crate) fn patches_by_day(
    patches: Vec<Patch>,
    days: &[DaySlots],
    frequency_days: usize,
) -> Result<(Vec<ReadingPatches>, Vec<FrequencyPatches>), ProofFileError> {
    let mut readings = vec![ReadingPatches::new(); days.len()];
    let mut frequencies = vec![FrequencyPatches::new(); frequency_days];
    let unknown = |day| ProofFileError::Value(format!("patches: the bill is not about {day}"));
    let index_of =
        |day: LocalDay| days.binary_search_by_key(&day, |(day, _)| *day).map_err(|_| unknown(day));
    for patch in patches {
        match patch {
            Patch::Reading { day, transaction: bytes, salt, sealed_leaf } => {
                let transaction = transaction(&bytes)?;
                let patch = ReadingPatch {
                    transaction,
                    salt: bytes_32("patches: salt", &salt)?,
                    sealed_leaf: sealed_leaf.0,
                };
                readings[index_of(day.0)?].push(patch)?;
            }
            Patch::Frequency { day, transaction: bytes, sealed_mhz } => {
                let sealed = MilliHertz::new(sealed_mhz);
                let sealed = sealed.map_err(|error| ProofFileError::Value(error.to_string()))?;
                let list = frequencies.get_mut(index_of(day.0)?).ok_or_else(|| unknown(day.0))?;
                list.push(FrequencyPatch { transaction: transaction(&bytes)?, sealed })?;
            }
        }
    }
    Ok((readings, frequencies))
}

/// A signed transaction out of its canonical bytes.
pub(crate) fn transaction(bytes: &Base64) -> Result<SignedTransaction, ProofFileError> {
    Ok(decode(&bytes.0)?)
}

/// The seed of a day.
pub(crate) fn seed(bytes: &Base64) -> Result<DaySeed, ProofFileError> {
    bytes_32("day_seeds", bytes).map(DaySeed::new)
}

fn bytes_32(what: &str, bytes: &Base64) -> Result<[u8; 32], ProofFileError> {
    let found = bytes.0.len();
    bytes.0[..]
        .try_into()
        .map_err(|_| ProofFileError::Value(format!("{what}: {found} bytes, wanted are 32")))
}
