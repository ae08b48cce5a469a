//! What is played: the day, the homes, the seed, the grid's frequency; and the genesis that fits.

use client::genesis_file::zone_of_india;
use contracts::genesis::{Clock, Currency, Genesis, Owner, Parameters, Privacy};
use primitives::calendar::{Calendar, DayPeriods, LocalDay};
use primitives::codec::{Bounded, Text};
use primitives::header::ValidatorSet;
use primitives::units::MilliHertz;
use thiserror::Error;

use crate::demo_keys::{DemoKeys, DemoRole};
use crate::frequency_generator::FrequencyGenerator;

/// Length of a settlement period in minutes.
pub const SLOT_MINUTES: u8 = 15;
/// Slots of every day: the zone never changes its clocks.
pub const SLOTS: u16 = 96;
/// The most homes that one day is played with.
pub const MAX_HOMES: u32 = 100_000;

/// The plan of one day. The same plan gives the same blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayPlan {
    /// The local day, in the grid's zone.
    pub day: LocalDay,
    /// Homes with profiles of the SimBench extract, 1..=100,000; one more customer comes on top, who
    /// draws exactly 500 kWh on a flat rate.
    pub homes: u32,
    /// Of which keys, generated frequency and shifts of repeated profiles are made.
    pub seed: u64,
    /// The average frequency of each of the day's 96 slots.
    pub frequency: Vec<MilliHertz>,
    /// Homes, from the first on, whose meters report every slot during the day; all meters seal
    /// their day after it.
    pub live_homes: u32,
}

/// Why a plan cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// There must be a home, and not too many.
    #[error("{0} homes, wanted are 1 to {MAX_HOMES}")]
    Homes(u32),
    /// There must be one frequency for each slot.
    #[error("{0} frequencies, wanted are {SLOTS}, one for each slot of the day")]
    Frequencies(usize),
    /// The genesis lies on the day before, which must not lie before 1970.
    #[error("the day {0} lies too early or too late, wanted are 1970-01-03 to 9999-12-30")]
    Day(LocalDay),
}

impl DayPlan {
    /// A day with generated frequencies; three homes report during the day.
    #[must_use]
    pub fn new(day: LocalDay, homes: u32, seed: u64) -> Self {
        let frequency = FrequencyGenerator::new(seed).slots(usize::from(SLOTS));
        Self { day, homes, seed, frequency, live_homes: 3 }
    }

    /// The same day with other frequencies, for example from a file.
    #[must_use]
    pub fn with_frequency(self, frequency: Vec<MilliHertz>) -> Self {
        Self { frequency, ..self }
    }

    /// Whether the plan can be played.
    ///
    /// # Errors
    /// [`PlanError`] with the first thing that is wrong.
    pub fn check(&self) -> Result<(), PlanError> {
        if !(1..=MAX_HOMES).contains(&self.homes) {
            return Err(PlanError::Homes(self.homes));
        }
        if self.frequency.len() != usize::from(SLOTS) {
            return Err(PlanError::Frequencies(self.frequency.len()));
        }
        if self.day.get() < 2 || self.day >= LocalDay::MAX {
            return Err(PlanError::Day(self.day));
        }
        Ok(())
    }

    /// The day's settlement periods.
    #[must_use]
    pub fn periods(&self) -> DayPeriods {
        calendar().periods_of(self.day)
    }

    /// The keys of the plan's seed.
    #[must_use]
    pub const fn keys(&self) -> DemoKeys {
        DemoKeys::new(self.seed)
    }
}

impl Default for DayPlan {
    /// 2016-06-01, the first day of the profiles, with 40 homes.
    fn default() -> Self {
        let day = LocalDay::from_civil(2016, 6, 1).expect("a date");
        Self::new(day, 40, 1)
    }
}

fn calendar() -> Calendar {
    Calendar::new(SLOT_MINUTES, zone_of_india()).expect("a quarter hour divides +05:30")
}

/// The genesis of the ledger on which the plan is played: a demonstration with public keys, a
/// virtual clock that begins at local midnight of the day before, Indian time and currency, and one
/// validator, [`DemoRole::Validator`] number 0 of [`DayPlan::keys`].
///
/// # Errors
/// [`PlanError`] when the plan cannot be played.
///
/// # Panics
/// Never: every name is short enough and every list has one member.
pub fn genesis(plan: &DayPlan) -> Result<Genesis, PlanError> {
    genesis_among(plan, 1)
}

/// The same with several validators, [`DemoRole::Validator`] from number 0 on; 1..=128.
///
/// # Errors
/// [`PlanError`] when the plan cannot be played.
///
/// # Panics
/// With no validator or more than 128.
pub fn genesis_among(plan: &DayPlan, validators: u32) -> Result<Genesis, PlanError> {
    plan.check()?;
    let calendar = calendar();
    let day_before = plan.day.offset(-1).expect("checked above");
    let public = |role| plan.keys().key(role, 0).public();
    let keys = vec![public(DemoRole::Owner)];
    let validator = |index| plan.keys().key(DemoRole::Validator, index).public();
    let validators: Vec<_> = (0..validators).map(validator).collect();
    Ok(Genesis {
        version: 1,
        name: Text::new("Gridtally demonstration").expect("short"),
        demo: true,
        clock: Clock::Virtual,
        privacy: Privacy::Open,
        time: calendar.start_of(calendar.periods_of(day_before).first),
        slot_minutes: SLOT_MINUTES,
        zone: zone_of_india(),
        currency: Currency { code: Text::new("INR").expect("short"), minor_unit_decimals: 2 },
        owner: Owner { threshold: 1, keys: Bounded::try_from(keys).expect("one key") },
        clock_keeper: Some(public(DemoRole::ClockKeeper)),
        validators: ValidatorSet::new(validators).expect("1 to 128 keys, none twice"),
        epoch_blocks: contracts::genesis::DEFAULT_EPOCH_BLOCKS,
        parameters: Parameters::default(),
    })
}
