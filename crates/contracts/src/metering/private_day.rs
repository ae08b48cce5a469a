//! The values of a day on a private ledger, and the commitment to what the meter's registers showed.
//!
//! Registers are readings: two of them tell what was drawn between. So the seal of a private day holds
//! a hash of them, salted from the day's seed, and they travel with the values.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::codec;
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;
use primitives::reading::{DayPayload, DaySeed, salt};

use super::{Registers, later};
use crate::genesis::Rules;
use crate::state::State;

/// The number under which the seed gives the salt of the registers: no day has such a slot.
const REGISTERS: u32 = u32::MAX;

/// What lies behind the seal of a private day. It is handed to the entitled nodes and to nobody else.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PrivateDayPayload {
    /// The readings, and the seed of all salts.
    pub values: DayPayload,
    /// Registers at the beginning of the day, or where the meter was installed in it.
    pub first: Registers,
    /// Registers at its end.
    pub last: Registers,
}

impl PrivateDayPayload {
    /// The commitment to the registers of a day.
    #[must_use]
    pub fn registers(&self, usage_point: UsagePointId, day: LocalDay) -> Hash {
        registers_commitment(&self.values.seed, (usage_point, day), &self.first, &self.last)
    }
}

impl dyn State + '_ {
    /// What the meter of a private ledger showed before a day: at the end of the last day that it sealed,
    /// or nothing at its installation. `None` without a meter, or when that day's values are not held.
    #[must_use]
    pub fn private_registers_before(
        &self,
        rules: &Rules,
        (usage_point, day): (UsagePointId, LocalDay),
    ) -> Option<(SettlementPeriod, Registers)> {
        let meter = self.installed_meter(usage_point)?;
        let (installed_on, _) = rules.slot_of(meter.from_period).ok()?;
        let until = day.offset(-1).ok()?;
        let Some(last) = self.last_day_sealed_by_meter(usage_point, (installed_on, until)) else {
            return Some((meter.from_period, Registers::ZERO));
        };
        let seal = self.metered_day(usage_point, last).seal_of_meter()?;
        let payload: PrivateDayPayload = codec::decode(&self.payload(seal.position)?).ok()?;
        let periods = rules.calendar().periods_of(last);
        Some((later(periods.first, periods.count), payload.last))
    }
}

/// What a seal says of the registers: nobody guesses them from it, the seed opens it.
#[must_use]
pub fn registers_commitment(
    seed: &DaySeed,
    (usage_point, day): (UsagePointId, LocalDay),
    first: &Registers,
    last: &Registers,
) -> Hash {
    let shown = codec::encode(&(usage_point, day, first, last));
    Hash::of_domain("gridtally/registers/v1", &[&salt(seed, REGISTERS), &shown])
}
