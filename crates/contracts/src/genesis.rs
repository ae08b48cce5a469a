//! The first agreement: what every member of a ledger fixed before its first block.
//!
//! The ledger's id is the hash of the genesis, and the id is bound into every signature, so two
//! ledgers never accept each other's transactions. Nothing in the genesis changes later.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{Calendar, CalendarError, GridZone, LocalDay, SettlementPeriod};
use primitives::codec::{self, Bounded, Text};
use primitives::hash::Hash;
use primitives::header::{Executed, Header, ValidatorSet};
use primitives::identifier::LedgerId;
use primitives::key::PublicKey;
use primitives::merkle::Frontier;
use primitives::units::{BlockHeight, MicroCurrency, Timestamp};
use thiserror::Error;

use crate::metering::MAX_SLOTS;
use crate::rejection::Rejection;

/// Members of the owner's council at most.
pub const MAX_OWNER_KEYS: usize = 16;

/// Blocks of the shortest epoch.
pub const MIN_EPOCH_BLOCKS: u32 = 4;

/// Blocks of an epoch when a genesis is made without a wish: some minutes.
pub const DEFAULT_EPOCH_BLOCKS: u32 = 300;

/// The end of the year 9999 in milliseconds since 1970: no block, day or period is later.
pub const LATEST_MS: u64 = 253_402_300_799_999;

/// What drives time on this ledger (protocol §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Clock {
    /// The validators' clocks, within the bounds of the protocol.
    System,
    /// Only `AdvanceClock` of the clock keeper moves time: demo, simulation, tests.
    Virtual,
}

/// Who sees payloads (protocol §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Privacy {
    /// Every node holds every payload; execution uses them.
    Open,
    /// Only the nodes of those whom the values are about hold payloads; execution never sees one.
    Private,
}

/// The one unit of account; a token is this unit (protocol §8).
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Currency {
    /// ISO 4217 code, three capital letters, or a community's own.
    pub code: Text<3>,
    /// Decimals of the minor unit, 0..=6: 2 means that a bill line is rounded to 0.01.
    pub minor_unit_decimals: u8,
}

impl Currency {
    /// The minor unit in micro-currency: 10 000 for two decimals.
    #[must_use]
    pub const fn minor_unit_micro(&self) -> i64 {
        10_i64.pow(6_u32.saturating_sub(self.minor_unit_decimals as u32))
    }
}

/// The council that appoints and removes regulators.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Owner {
    /// How many of the keys must sign, 1..=number of keys.
    pub threshold: u8,
    /// The council's keys.
    pub keys: Bounded<PublicKey, MAX_OWNER_KEYS>,
}

/// Parameters of the rules.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Parameters {
    /// Does a registration need the countersignature of a network provider?
    pub registration_needs_network_provider: bool,
    /// Does a registration need the signatures of a majority of the active parties?
    pub registration_needs_majority: bool,
    /// Price of one token in micro of the reference coin; 500 000 = half a coin.
    pub token_price_micro_coin: MicroCurrency,
    /// Ordered rejections of one party within an hour before nodes refuse its transactions.
    pub rejections_per_hour: u32,
}

impl Parameters {
    /// Are the parameters possible?
    ///
    /// # Errors
    /// What is wrong with them.
    pub const fn check(&self) -> Result<(), &'static str> {
        if self.token_price_micro_coin.get() > 0 {
            Ok(())
        } else {
            Err("the price of a token must be positive")
        }
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            registration_needs_network_provider: true,
            registration_needs_majority: false,
            token_price_micro_coin: MicroCurrency::new(500_000),
            rejections_per_hour: 100,
        }
    }
}

/// The first agreement of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Genesis {
    /// Format version, 1.
    pub version: u8,
    /// Name of the network for people.
    pub name: Text<64>,
    /// Are this ledger's keys public demonstration keys? Shown in the ledger id itself.
    pub demo: bool,
    /// What drives time.
    pub clock: Clock,
    /// Who sees payloads.
    pub privacy: Privacy,
    /// Time of the genesis; the first block is later.
    pub time: Timestamp,
    /// Length of a settlement period in minutes: 5, 15, 30 or 60.
    pub slot_minutes: u8,
    /// The grid's own time zone, with its clock changes.
    pub zone: GridZone,
    /// The unit of account.
    pub currency: Currency,
    /// The owner's council.
    pub owner: Owner,
    /// Who moves a virtual clock; on a system clock it can do nothing.
    pub clock_keeper: Option<PublicKey>,
    /// The first validators; a solo ledger has one.
    pub validators: ValidatorSet,
    /// Blocks of an epoch, at least [`MIN_EPOCH_BLOCKS`]; the validators change only at its end.
    pub epoch_blocks: u32,
    /// Parameters of the rules.
    pub parameters: Parameters,
}

/// Why a genesis cannot found a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// Another format version.
    #[error("genesis version {0} is not known, this program reads version 1")]
    Version(u8),
    /// The slot length does not fit the zone.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// A field is impossible.
    #[error("genesis: {0}")]
    Field(&'static str),
}

impl Genesis {
    /// The ledger's id: hash of these bytes, with `demo` in front on demonstration ledgers.
    #[must_use]
    pub fn ledger_id(&self) -> LedgerId {
        let hash = Hash::of_domain("gridtally/genesis/v1", &[&codec::encode(self)]);
        LedgerId::from_genesis_hash(hash, self.demo)
    }

    /// Does the key act by the genesis itself: as a member of the owner's council or clock keeper?
    #[must_use]
    pub fn names(&self, key: &PublicKey) -> bool {
        self.owner.keys.contains(key) || self.clock_keeper.as_ref() == Some(key)
    }

    /// The state root before the first block.
    #[must_use]
    pub fn state_root(&self) -> Hash {
        Hash::of_domain("gridtally/state/v1", &[self.ledger_id().as_bytes()])
    }

    /// The header at height 0. It has no certificate: everybody computes it.
    #[must_use]
    pub fn header(&self) -> Header {
        let validators_hash = self.validators.hash();
        Header {
            version: 1,
            ledger_id: self.ledger_id(),
            height: BlockHeight::new(0),
            parent: Hash::ZERO,
            time: self.time,
            proposer: self.validators[0],
            epoch: 0,
            validators_hash,
            next_validators_hash: validators_hash,
            transactions_root: primitives::merkle::MerkleTree::from_leaf_hashes(Vec::new()).root(),
            executed: Executed {
                height: BlockHeight::new(0),
                state_root: self.state_root(),
                receipts: Frontier::default().root(),
            },
            context: Bounded::default(),
        }
    }
}

/// A genesis that was checked, with what is computed from it once.
#[derive(Debug, Clone)]
pub struct Rules {
    genesis: Genesis,
    ledger_id: LedgerId,
    calendar: Calendar,
}

impl Rules {
    /// Checks a genesis.
    ///
    /// # Errors
    /// [`GenesisError`] names the field that is impossible; 60-minute slots in a zone at +05:30
    /// are refused here.
    pub fn new(genesis: Genesis) -> Result<Self, GenesisError> {
        let field = |ok: bool, what| if ok { Ok(()) } else { Err(GenesisError::Field(what)) };
        if genesis.version != 1 {
            return Err(GenesisError::Version(genesis.version));
        }
        field(!genesis.validators.is_empty(), "there must be a validator")?;
        field(
            (1..=genesis.owner.keys.len()).contains(&usize::from(genesis.owner.threshold)),
            "the owner's threshold must lie between 1 and the number of its keys",
        )?;
        field(distinct(&genesis.owner.keys), "an owner key stands twice")?;
        field(distinct(&genesis.validators), "a validator stands twice")?;
        field(genesis.currency.minor_unit_decimals <= 6, "at most 6 decimals of the minor unit")?;
        field(
            genesis.currency.code.len() == 3
                && genesis.currency.code.bytes().all(|b| b.is_ascii_uppercase()),
            "the currency code is three capital letters",
        )?;
        field(
            genesis.clock == Clock::System || genesis.clock_keeper.is_some(),
            "a virtual clock needs a clock keeper",
        )?;
        field(
            genesis.clock_keeper.is_none_or(|keeper| !genesis.owner.keys.contains(&keeper)),
            "the clock keeper has a key of its own",
        )?;
        field(genesis.epoch_blocks >= MIN_EPOCH_BLOCKS, "an epoch has at least four blocks")?;
        genesis.parameters.check().map_err(GenesisError::Field)?;
        field(genesis.time.get() <= LATEST_MS, "the genesis lies before the year 10000")?;
        let calendar = Calendar::new(genesis.slot_minutes, genesis.zone.clone())?;
        field(
            longest_day(&calendar) <= MAX_SLOTS,
            "a day of the zone has more slots than one seal holds",
        )?;
        let ledger_id = genesis.ledger_id();
        field(
            ledger_id.is_demo() == genesis.demo,
            "the id of this genesis looks like a demonstration's; change its name",
        )?;
        Ok(Self { genesis, ledger_id, calendar })
    }

    /// The genesis.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The ledger's id.
    #[must_use]
    pub const fn ledger_id(&self) -> LedgerId {
        self.ledger_id
    }

    /// Do only some nodes hold the values of readings?
    #[must_use]
    pub const fn is_private(&self) -> bool {
        matches!(self.genesis.privacy, Privacy::Private)
    }

    /// Settlement periods and local days.
    #[must_use]
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The epoch of the block at a height. The genesis counts as the first block of epoch 0.
    #[must_use]
    pub const fn epoch_of(&self, height: u64) -> u64 {
        height / self.genesis.epoch_blocks as u64
    }

    /// The height of an epoch's first block: the genesis in epoch 0.
    ///
    /// # Panics
    /// For an epoch that no chain reaches.
    #[must_use]
    pub const fn first_height_of(&self, epoch: u64) -> u64 {
        epoch.checked_mul(self.genesis.epoch_blocks as u64).expect("no chain is as long")
    }

    /// The minor unit of the currency in micro.
    #[must_use]
    pub const fn minor_unit_micro(&self) -> i64 {
        self.genesis.currency.minor_unit_micro()
    }

    /// The settlement period that runs at a block's time.
    ///
    /// # Panics
    /// After the year 9999: no block carries such a time.
    #[must_use]
    pub fn period_at(&self, time: Timestamp) -> SettlementPeriod {
        self.calendar.period_at(time).expect("no block is later than the year 9999")
    }

    /// Day and slot of a period.
    ///
    /// # Errors
    /// [`Rejection::PeriodNotEnded`] for a period after the calendar's end: it has not ended.
    pub fn slot_of(&self, period: SettlementPeriod) -> Result<(LocalDay, u16), Rejection> {
        self.calendar
            .slot_in_day(period)
            .map_err(|_| Rejection::PeriodNotEnded { period: u64::from(period.get()) })
    }
}

/// Slots of the longest day: an ordinary one, or one in which the clocks were set back.
fn longest_day(calendar: &Calendar) -> usize {
    let slots = |day: LocalDay| usize::from(calendar.periods_of(day).count);
    let second = |unix: i64| Timestamp::new(unix.unsigned_abs() * 1_000);
    let changes = calendar.zone().transitions.iter().filter_map(|(start, _)| {
        let day = calendar.day_of(calendar.period_at(second(*start)).ok()?).ok()?;
        // A change at midnight may make the day before it the long one.
        Some(slots(day).max(day.offset(-1).map_or(0, slots)))
    });
    let ordinary = 86_400 / calendar.slot_seconds() as usize;
    changes.fold(ordinary, usize::max)
}

fn distinct(keys: &[PublicKey]) -> bool {
    let set: std::collections::BTreeSet<_> = keys.iter().collect();
    set.len() == keys.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::{genesis, key, kolkata, madrid};

    type Spoil = fn(&mut Genesis);

    fn good() -> Genesis {
        genesis(kolkata(), LocalDay::from_civil(2025, 6, 1).unwrap())
    }

    #[test]
    fn a_genesis_that_is_impossible_founds_nothing() {
        let cases: &[(&str, Spoil)] = &[
            ("version 2", |genesis| genesis.version = 2),
            ("between 1 and", |genesis| genesis.owner.threshold = 0),
            ("between 1 and", |genesis| genesis.owner.threshold = 4),
            ("owner key stands twice", |genesis| {
                let one = genesis.owner.keys[0];
                genesis.owner.keys = vec![one, one].try_into().unwrap();
            }),
            ("6 decimals", |genesis| genesis.currency.minor_unit_decimals = 7),
            ("capital letters", |genesis| genesis.currency.code = "inr".parse().unwrap()),
            ("capital letters", |genesis| genesis.currency.code = "IN".parse().unwrap()),
            ("clock keeper", |genesis| genesis.clock_keeper = None),
            ("price of a token", |genesis| {
                genesis.parameters.token_price_micro_coin = MicroCurrency::ZERO;
            }),
            ("year 10000", |genesis| genesis.time = Timestamp::new(LATEST_MS + 1)),
            ("slots of 20 minutes", |genesis| genesis.slot_minutes = 20),
            ("19800 seconds", |genesis| genesis.slot_minutes = 60),
            // The clocks of an Antarctic station went back by three hours: 324 slots of 5 minutes.
            ("more slots than one seal", |genesis| {
                genesis.slot_minutes = 5;
                genesis.zone.base_offset_seconds = 39_600;
                genesis.zone.transitions = vec![(1_267_714_800, 28_800)].try_into().unwrap();
            }),
        ];
        assert!(Rules::new(good()).is_ok());
        for (words, spoil) in cases {
            let mut genesis = good();
            spoil(&mut genesis);
            let error = Rules::new(genesis).unwrap_err().to_string();
            assert!(error.contains(words), "{error}, wanted: {words}");
        }
    }

    #[test]
    fn every_slot_length_fits_a_zone_with_summer_time() {
        for slot_minutes in [5, 15, 30, 60] {
            let genesis = Genesis { slot_minutes, zone: madrid(), ..good() };
            assert!(Rules::new(genesis).is_ok(), "{slot_minutes} minutes");
        }
    }

    #[test]
    fn the_id_says_whether_it_is_a_demonstration_and_follows_from_every_field() {
        let id = good().ledger_id();
        assert!(id.is_demo());
        let mut other = good();
        other.clock_keeper = Some(key("another").public());
        assert_ne!(other.ledger_id(), id);
        other.demo = false;
        assert!(!other.ledger_id().is_demo());
        assert_eq!(good().header().ledger_id, id);
    }
}
