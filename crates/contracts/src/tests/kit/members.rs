//! Who takes part in the small network, and the genesis that founds it.

use contracts::genesis::{Clock, Currency, Owner, Parameters, Privacy};
use contracts::{Genesis, Rules};
use primitives::calendar::{Calendar, GridZone, LocalDay};
use primitives::header::ValidatorSet;
use primitives::identifier::{PartyId, UsagePointId};
use primitives::key::SigningKey;
use primitives::units::Timestamp;

use super::key;

/// A registered party and its first key.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: PartyId,
    pub key: SigningKey,
}

/// A usage point with its customer and its meter.
#[derive(Clone, Debug)]
pub struct Home {
    pub point: UsagePointId,
    pub customer: Member,
    pub meter: SigningKey,
}

pub fn kolkata() -> GridZone {
    GridZone {
        name: "Asia/Kolkata".parse().expect("a short name"),
        base_offset_seconds: 19_800,
        transitions: Vec::new().try_into().expect("no transition"),
    }
}

/// A zone with summer time: the clocks of Madrid in 2025.
pub fn madrid() -> GridZone {
    // 2025-03-30 and 2025-10-26, each at 01:00 UTC.
    let transitions = vec![(1_743_296_400, 7_200), (1_761_440_400, 3_600)];
    GridZone {
        name: "Europe/Madrid".parse().expect("a short name"),
        base_offset_seconds: 3_600,
        transitions: transitions.try_into().expect("two transitions"),
    }
}

pub fn owner_keys() -> Vec<SigningKey> {
    ["owner 1", "owner 2", "owner 3"].map(key).to_vec()
}

/// A demonstration ledger with quarter hours and two decimals, founded one slot before `day`.
pub fn genesis(zone: GridZone, day: LocalDay) -> Genesis {
    let calendar = Calendar::new(15, zone.clone()).expect("quarter hours fit the zone");
    let first = calendar.start_of(calendar.periods_of(day).first);
    let owner: Vec<_> = owner_keys().iter().map(SigningKey::public).collect();
    Genesis {
        version: 1,
        name: "Test network".parse().expect("a short name"),
        demo: true,
        clock: Clock::Virtual,
        privacy: Privacy::Open,
        time: first.checked_sub(Timestamp::new(900_000)).expect("after 1970"),
        slot_minutes: 15,
        zone,
        currency: Currency { code: "INR".parse().expect("three letters"), minor_unit_decimals: 2 },
        owner: Owner { threshold: 2, keys: owner.try_into().expect("three keys") },
        clock_keeper: Some(key("clock keeper").public()),
        validators: ValidatorSet::new(vec![key("validator").public()]).expect("one validator"),
        epoch_blocks: contracts::genesis::DEFAULT_EPOCH_BLOCKS,
        parameters: Parameters::default(),
    }
}

pub fn rules(genesis: Genesis) -> Rules {
    Rules::new(genesis).expect("the test genesis is possible")
}
