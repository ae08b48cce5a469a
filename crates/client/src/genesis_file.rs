//! `genesis.json`: the first agreement of a ledger, as people read it.
//!
//! The file names the ledger's id beside the genesis, and a reader computes it again: a genesis that
//! was changed by one letter is another ledger's, and is refused.

use std::io;
use std::path::{Path, PathBuf};

use contracts::genesis::{Clock, Currency, GenesisError, Owner, Parameters, Privacy};
use contracts::{Genesis, Rules};
use jiff::tz::TimeZoneDatabase;
use primitives::calendar::GridZone;
use primitives::codec::{Bounded, CodecError, Text};
use primitives::header::{ValidatorSet, ValidatorSetError};
use primitives::identifier::LedgerId;
use primitives::key::PublicKey;
use primitives::units::{MicroCurrency, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::atomic_file::{self, Existing};
use crate::json::{Written, unwritten, written};

/// What the file says that it is.
pub const FORMAT: &str = "gridtally-genesis/1";
/// No genesis is larger: 128 validators, 512 clock changes.
const MAX_BYTES: u64 = 1 << 20;

/// Why a genesis file cannot be read or written.
#[derive(Debug, Error)]
pub enum GenesisFileError {
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The text is no genesis file: broken JSON, an unknown or missing field, a wrong value.
    #[error("not a genesis file: {0}")]
    Json(#[from] serde_json::Error),
    /// The file says that it is something else.
    #[error("not a genesis file of format {FORMAT}: it says {0:?}")]
    Format(String),
    /// A list or text is too long or not allowed.
    #[error("genesis: {0}")]
    Codec(#[from] CodecError),
    /// The validators are no set.
    #[error("genesis: {0}")]
    Validators(#[from] ValidatorSetError),
    /// The genesis cannot found a ledger.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The id beside the genesis is another one: the file was changed.
    #[error("the genesis belongs to ledger {found}, the file names {named}: it was changed")]
    OtherLedger {
        /// The id of the genesis in the file.
        found: LedgerId,
        /// The id that the file names.
        named: LedgerId,
    },
    /// The time zone database does not know the name.
    #[error("no time zone named {0:?}; wanted is a name such as Asia/Kolkata")]
    UnknownZone(String),
    /// The years of a zone are not in order, or outside 1970 to 9999.
    #[error("years {0} to {1}: wanted are years from 1970 to 9999 in order")]
    Years(i16, i16),
}

/// The JSON text of a genesis.
///
/// # Errors
/// [`GenesisFileError::Genesis`] when it cannot found a ledger.
pub fn to_json(genesis: &Genesis) -> Result<String, GenesisFileError> {
    let rules = Rules::new(genesis.clone())?;
    let file = GenesisFile {
        format: FORMAT.to_owned(),
        ledger_id: Written(rules.ledger_id()),
        genesis: GenesisJson::of(rules.genesis()),
    };
    let mut text = serde_json::to_string_pretty(&file)?;
    text.push('\n');
    Ok(text)
}

/// The genesis of a JSON text.
///
/// # Errors
/// [`GenesisFileError`]; the ledger's id in the text must be the one of the genesis.
pub fn from_json(text: &str) -> Result<Genesis, GenesisFileError> {
    #[derive(Deserialize)]
    struct Head {
        format: String,
    }
    let head: Head = serde_json::from_str(text)?;
    if head.format != FORMAT {
        return Err(GenesisFileError::Format(head.format));
    }
    let file: GenesisFile = serde_json::from_str(text)?;
    let rules = Rules::new(file.genesis.genesis()?)?;
    if rules.ledger_id() != file.ledger_id.0 {
        let (found, named) = (rules.ledger_id(), file.ledger_id.0);
        return Err(GenesisFileError::OtherLedger { found, named });
    }
    Ok(rules.genesis().clone())
}

/// Reads a genesis file.
///
/// # Errors
/// [`GenesisFileError`].
pub fn read(path: &Path) -> Result<Genesis, GenesisFileError> {
    let text = crate::atomic_file::read_text(path, MAX_BYTES)
        .map_err(|error| GenesisFileError::File { path: path.to_owned(), error })?;
    from_json(&text)
}

/// Writes a genesis file; one that is there already is replaced.
///
/// # Errors
/// [`GenesisFileError`].
pub fn write(path: &Path, genesis: &Genesis) -> Result<(), GenesisFileError> {
    let text = to_json(genesis)?;
    atomic_file::write(path, text.as_bytes(), Existing::Replace, false)
        .map_err(|error| GenesisFileError::File { path: path.to_owned(), error })
}

/// The zone of India's grid: +05:30 since 1970, without changes of the clock.
///
/// # Panics
/// Never: the name is short.
#[must_use]
pub fn zone_of_india() -> GridZone {
    GridZone {
        name: Text::new("Asia/Kolkata").expect("a short name"),
        base_offset_seconds: 19_800,
        transitions: Bounded::new(),
    }
}

/// The zone of a name of the IANA time zone database, with its clock changes from the beginning of
/// `from_year` to the end of `to_year`. The database is the one that this program was built with.
///
/// # Errors
/// [`GenesisFileError`]: no such zone, wrong years, or more than 512 changes of the clock.
pub fn zone_from_iana(
    name: &str,
    from_year: i16,
    to_year: i16,
) -> Result<GridZone, GenesisFileError> {
    if from_year < 1970 || to_year < from_year || to_year > 9_998 {
        return Err(GenesisFileError::Years(from_year, to_year));
    }
    let unknown = || GenesisFileError::UnknownZone(name.to_owned());
    let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())?;
    let start_of = |year: i16| {
        let start = jiff::civil::Date::new(year, 1, 1).map_err(|_| unknown())?;
        start
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map(|zoned| zoned.timestamp())
            .map_err(|_| unknown())
    };
    let (start, end) = (start_of(from_year)?, start_of(to_year + 1)?);
    let base_offset_seconds = zone.to_offset(start).seconds();
    let mut transitions = Bounded::new();
    let mut offset = base_offset_seconds;
    for transition in zone.following(start) {
        if transition.timestamp() >= end {
            break;
        }
        let next = transition.offset().seconds();
        // The database also lists changes of the abbreviation alone.
        if next != offset {
            transitions.push((transition.timestamp().as_second(), next))?;
            offset = next;
        }
    }
    Ok(GridZone { name: Text::new(name)?, base_offset_seconds, transitions })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GenesisFile {
    format: String,
    ledger_id: Written<LedgerId>,
    genesis: GenesisJson,
}

/// A genesis in JSON, for the genesis file and for the proof file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GenesisJson {
    version: u8,
    name: String,
    demo: bool,
    clock: ClockJson,
    privacy: PrivacyJson,
    time: Written<Timestamp>,
    slot_minutes: u8,
    zone: ZoneJson,
    currency: CurrencyJson,
    owner: OwnerJson,
    clock_keeper: Option<Written<PublicKey>>,
    validators: Vec<Written<PublicKey>>,
    epoch_blocks: u32,
    parameters: ParametersJson,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ClockJson {
    System,
    Virtual,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PrivacyJson {
    Open,
    Private,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneJson {
    name: String,
    base_offset_seconds: i32,
    transitions: Vec<TransitionJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TransitionJson {
    unix_seconds: Written<i64>,
    offset_seconds: i32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CurrencyJson {
    code: String,
    minor_unit_decimals: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnerJson {
    threshold: u8,
    keys: Vec<Written<PublicKey>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParametersJson {
    registration_needs_network_provider: bool,
    registration_needs_majority: bool,
    token_price_micro_coin: Written<i64>,
    rejections_per_hour: u32,
}

impl GenesisJson {
    pub(crate) fn of(genesis: &Genesis) -> Self {
        let transition = |&(at, offset_seconds): &(i64, i32)| TransitionJson {
            unix_seconds: Written(at),
            offset_seconds,
        };
        let parameters = &genesis.parameters;
        Self {
            version: genesis.version,
            name: genesis.name.to_string(),
            demo: genesis.demo,
            clock: match genesis.clock {
                Clock::System => ClockJson::System,
                Clock::Virtual => ClockJson::Virtual,
            },
            privacy: match genesis.privacy {
                Privacy::Open => PrivacyJson::Open,
                Privacy::Private => PrivacyJson::Private,
            },
            time: Written(genesis.time),
            slot_minutes: genesis.slot_minutes,
            zone: ZoneJson {
                name: genesis.zone.name.to_string(),
                base_offset_seconds: genesis.zone.base_offset_seconds,
                transitions: genesis.zone.transitions.iter().map(transition).collect(),
            },
            currency: CurrencyJson {
                code: genesis.currency.code.to_string(),
                minor_unit_decimals: genesis.currency.minor_unit_decimals,
            },
            owner: OwnerJson {
                threshold: genesis.owner.threshold,
                keys: written(&genesis.owner.keys),
            },
            clock_keeper: genesis.clock_keeper.map(Written),
            validators: written(&genesis.validators),
            epoch_blocks: genesis.epoch_blocks,
            parameters: ParametersJson {
                registration_needs_network_provider: parameters.registration_needs_network_provider,
                registration_needs_majority: parameters.registration_needs_majority,
                token_price_micro_coin: Written(parameters.token_price_micro_coin.get()),
                rejections_per_hour: parameters.rejections_per_hour,
            },
        }
    }

    /// The genesis, with bounded lists; whether it can found a ledger is for [`Rules`] to say.
    pub(crate) fn genesis(self) -> Result<Genesis, GenesisFileError> {
        let transition = |it: TransitionJson| (it.unix_seconds.0, it.offset_seconds);
        let transitions: Vec<_> = self.zone.transitions.into_iter().map(transition).collect();
        Ok(Genesis {
            version: self.version,
            name: Text::new(self.name)?,
            demo: self.demo,
            clock: match self.clock {
                ClockJson::System => Clock::System,
                ClockJson::Virtual => Clock::Virtual,
            },
            privacy: match self.privacy {
                PrivacyJson::Open => Privacy::Open,
                PrivacyJson::Private => Privacy::Private,
            },
            time: self.time.0,
            slot_minutes: self.slot_minutes,
            zone: GridZone {
                name: Text::new(self.zone.name)?,
                base_offset_seconds: self.zone.base_offset_seconds,
                transitions: transitions.try_into()?,
            },
            currency: Currency {
                code: Text::new(self.currency.code)?,
                minor_unit_decimals: self.currency.minor_unit_decimals,
            },
            owner: Owner {
                threshold: self.owner.threshold,
                keys: unwritten(self.owner.keys).try_into()?,
            },
            clock_keeper: self.clock_keeper.map(|key| key.0),
            validators: ValidatorSet::new(unwritten(self.validators))?,
            epoch_blocks: self.epoch_blocks,
            parameters: Parameters {
                registration_needs_network_provider: self
                    .parameters
                    .registration_needs_network_provider,
                registration_needs_majority: self.parameters.registration_needs_majority,
                token_price_micro_coin: MicroCurrency::new(
                    self.parameters.token_price_micro_coin.0,
                ),
                rejections_per_hour: self.parameters.rejections_per_hour,
            },
        })
    }
}
