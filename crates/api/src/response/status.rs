//! The node's word about itself, and the genesis.

use contracts::Genesis;
use contracts::genesis::{Clock, Parameters, Privacy};
use data_encoding::BASE64URL_NOPAD;
use ledger::View;
use primitives::codec::encode;
use primitives::header::Executed;
use schemars::JsonSchema;
use serde::Serialize;

use super::texts;

/// The unit of account.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CurrencyEntry {
    /// Three capital letters.
    pub code: String,
    /// Decimals of the minor unit.
    pub minor_unit_decimals: u8,
}

/// What was executed up to a height.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ExecutedEntry {
    /// The height.
    pub height: String,
    /// The state root after it.
    pub state_root: String,
    /// The root of the accumulator over the receipts up to it.
    pub receipts_root: String,
}

impl ExecutedEntry {
    /// The result of an execution.
    #[must_use]
    pub fn new(executed: &Executed) -> Self {
        Self {
            height: executed.height.to_string(),
            state_root: executed.state_root.to_string(),
            receipts_root: executed.receipts.to_string(),
        }
    }
}

/// The node's ledger and where it stands.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Status {
    /// The ledger.
    pub ledger_id: String,
    /// Its name for people.
    pub name: String,
    /// Are its keys public demonstration keys?
    pub demo: bool,
    /// Does everybody see everything?
    pub open_reads: bool,
    /// `system` or `virtual`.
    pub clock: &'static str,
    /// The unit of account.
    pub currency: CurrencyEntry,
    /// Length of a settlement period.
    pub slot_minutes: u8,
    /// The grid's own zone.
    pub zone: String,
    /// The newest block, executed and durable here.
    pub height: String,
    /// Its hash.
    pub block_hash: String,
    /// Its time.
    pub time: String,
    /// Its time, exact.
    pub time_ms: String,
    /// The state root after it.
    pub state_root: String,
    /// What the newest header commits to: so far everything can be proven.
    pub executed: ExecutedEntry,
    /// Transactions ordered so far.
    pub transactions: String,
}

impl Status {
    /// Where a view stands.
    #[must_use]
    pub fn new(view: &View, open_reads: bool) -> Self {
        let (genesis, head) = (view.rules().genesis(), view.head());
        Self {
            ledger_id: view.rules().ledger_id().to_string(),
            name: genesis.name.to_string(),
            demo: genesis.demo,
            open_reads,
            clock: clock(genesis.clock),
            currency: currency(genesis),
            slot_minutes: genesis.slot_minutes,
            zone: genesis.zone.name.to_string(),
            height: view.height().to_string(),
            block_hash: head.hash.to_string(),
            time: head.header.time.to_string(),
            time_ms: head.header.time.get().to_string(),
            state_root: head.executed.state_root.to_string(),
            executed: ExecutedEntry::new(&head.header.executed),
            transactions: head.transactions.to_string(),
        }
    }
}

/// The first agreement of the ledger.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct GenesisEntry {
    /// The ledger.
    pub ledger_id: String,
    /// The canonical bytes, base64url: the id is their hash.
    pub bytes: String,
    /// Format version.
    pub version: u8,
    /// Name for people.
    pub name: String,
    /// Are its keys public demonstration keys?
    pub demo: bool,
    /// `system` or `virtual`.
    pub clock: &'static str,
    /// `open`.
    pub privacy: &'static str,
    /// Time of the genesis.
    pub time: String,
    /// The same, exact.
    pub time_ms: String,
    /// Length of a settlement period.
    pub slot_minutes: u8,
    /// The grid's own zone.
    pub zone: ZoneEntry,
    /// The unit of account.
    pub currency: CurrencyEntry,
    /// The owner's council.
    pub owner: OwnerEntry,
    /// Who moves a virtual clock.
    pub clock_keeper: Option<String>,
    /// The first validators, in order.
    pub validators: Vec<String>,
    /// Blocks of an epoch; the validators change only at its end.
    pub epoch_blocks: u32,
    /// Parameters of the rules.
    pub parameters: ParametersEntry,
}

/// A grid's zone.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ZoneEntry {
    /// Its name.
    pub name: String,
    /// Local time minus UTC before the first change.
    pub base_offset_seconds: i32,
    /// Changes of the clocks.
    pub transitions: Vec<TransitionEntry>,
}

/// A change of the clocks.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TransitionEntry {
    /// The first UTC second with the new offset.
    pub unix_seconds: String,
    /// Local time minus UTC from then on.
    pub offset_seconds: i32,
}

/// The owner's council.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct OwnerEntry {
    /// How many of the keys must sign.
    pub threshold: u8,
    /// The keys.
    pub keys: Vec<String>,
}

/// Parameters of the rules.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ParametersEntry {
    /// Does a registration need a network provider's countersignature?
    pub registration_needs_network_provider: bool,
    /// Does a registration need the signatures of a majority?
    pub registration_needs_majority: bool,
    /// Price of one token in micro of the reference coin.
    pub token_price_micro_coin: String,
    /// Rejections of one party within an hour.
    pub rejections_per_hour: u32,
}

impl GenesisEntry {
    /// A genesis in readable form.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        let transitions = genesis.zone.transitions.iter().map(|(start, offset)| TransitionEntry {
            unix_seconds: start.to_string(),
            offset_seconds: *offset,
        });
        Self {
            ledger_id: genesis.ledger_id().to_string(),
            bytes: BASE64URL_NOPAD.encode(&encode(genesis)),
            version: genesis.version,
            name: genesis.name.to_string(),
            demo: genesis.demo,
            clock: clock(genesis.clock),
            privacy: match genesis.privacy {
                Privacy::Open => "open",
                Privacy::Private => "private",
            },
            time: genesis.time.to_string(),
            time_ms: genesis.time.get().to_string(),
            slot_minutes: genesis.slot_minutes,
            zone: ZoneEntry {
                name: genesis.zone.name.to_string(),
                base_offset_seconds: genesis.zone.base_offset_seconds,
                transitions: transitions.collect(),
            },
            currency: currency(genesis),
            owner: OwnerEntry {
                threshold: genesis.owner.threshold,
                keys: texts(&genesis.owner.keys),
            },
            clock_keeper: genesis.clock_keeper.map(|key| key.to_string()),
            validators: texts(genesis.validators.keys()),
            epoch_blocks: genesis.epoch_blocks,
            parameters: ParametersEntry::new(&genesis.parameters),
        }
    }
}

impl ParametersEntry {
    /// Parameters in readable form.
    #[must_use]
    pub fn new(parameters: &Parameters) -> Self {
        Self {
            registration_needs_network_provider: parameters.registration_needs_network_provider,
            registration_needs_majority: parameters.registration_needs_majority,
            token_price_micro_coin: parameters.token_price_micro_coin.get().to_string(),
            rejections_per_hour: parameters.rejections_per_hour,
        }
    }
}

const fn clock(clock: Clock) -> &'static str {
    match clock {
        Clock::System => "system",
        Clock::Virtual => "virtual",
    }
}

fn currency(genesis: &Genesis) -> CurrencyEntry {
    CurrencyEntry {
        code: genesis.currency.code.to_string(),
        minor_unit_decimals: genesis.currency.minor_unit_decimals,
    }
}
