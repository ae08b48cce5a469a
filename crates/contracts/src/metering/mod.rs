//! What meters and the grid operator report: readings, day seals, frequencies.
//!
//! A reading's value never stands in a transaction: the transaction commits to it (a leaf, or a
//! Merkle root over a day), the value travels beside it as payload and can be erased without
//! breaking the chain. The state keeps, per usage point and day, where the seal and the corrections
//! stand in the history; [`DayReadings`] puts the values together from there. Where nothing was
//! reported, [`estimation`] says what takes its place.
//!
//! On a private ledger days are sealed by [`SealPrivateDay`] and [`SubstituteDay`]: nothing in them is a
//! value, and no rule reads one. The values lie with those whom they are about (`entitlement.rs`), until
//! they are erased ([`ErasePayloads`]).
//!
//! Frequencies are public: their values stand in the transaction and in the state.
//!
//! Nothing is ever overwritten in silence: the same content again is harmless (`AlreadyRecorded`),
//! other content under the same period is refused, a correction leaves the former value in the
//! history and raises the day's revision.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::codec::Bounded;
use primitives::hash::Hash;
use primitives::identifier::{BillId, TransactionId, UsagePointId};
use primitives::merkle::MerkleTree;
use primitives::reading::{MAX_SLOTS_PER_DAY, Reading, frequency_leaf};
use primitives::units::{MilliHertz, WattHours};

use crate::execute::{Context, Sender};
use crate::genesis::Rules;
use crate::registry::UsagePoint;
use crate::rejection::Rejection;
use crate::state::{Position, State};
use crate::state_key;

mod correct_frequency;
mod correct_reading;
mod day_readings;
mod delete_frequency;
mod entitlement;
mod erase_payloads;
mod erasure;
mod estimate_day;
pub mod estimation;
mod estimation_inputs;
mod private_day;
mod publish_frequency;
mod publish_standard_profile;
mod registers;
mod seal_day;
mod seal_frequency_day;
mod seal_gateway_batch;
mod seal_private_day;
mod submit_reading;
mod substitute_day;

pub use correct_frequency::CorrectFrequency;
pub use correct_reading::CorrectReading;
pub use day_readings::DayReadings;
pub use delete_frequency::DeleteFrequency;
pub use erase_payloads::{ErasePayloads, MAX_ERASED_DAYS};
pub use erasure::{Erasure, MAX_ERASURES};
pub use estimate_day::EstimateDay;
pub use estimation_inputs::{MAX_STRETCH_DAYS, clock_slots};
pub use private_day::{PrivateDayPayload, registers_commitment};
pub use publish_frequency::PublishFrequency;
pub use publish_standard_profile::{PublishStandardProfile, StandardProfile};
pub use registers::{Installed, RegisterMark, Registers};
pub(crate) use registers::{Stretch, require_below, require_continues};
pub use seal_day::SealDay;
pub use seal_frequency_day::SealFrequencyDay;
pub use seal_gateway_batch::{
    GatewayBatch, GatewayEntry, MAX_GATEWAY_ENTRIES, SealGatewayBatch, gateway_leaf,
};
pub use seal_private_day::SealPrivateDay;
pub use submit_reading::{LATE_AFTER_PERIODS, SubmitReading, day_of_slot_reading, is_slot_reading};
pub use substitute_day::SubstituteDay;

/// Slots of one local day at most, as a bound of lists (5-minute slots, day of 25 hours).
pub const MAX_SLOTS: usize = MAX_SLOTS_PER_DAY;

/// Who sealed a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum SealedBy {
    /// The meter itself.
    Meter,
    /// A gateway; the entry's index in its batch.
    Gateway {
        /// The entry's index in the batch.
        entry: u16,
    },
    /// The ledger's rule, on behalf of who bills: missing slots are estimated.
    Estimate {
        /// How many slots are.
        slots: u16,
    },
    /// The meter itself, on a private ledger.
    PrivateMeter,
    /// Who bills, on a private ledger: in the place of the meter's own seal, or of one that never
    /// came.
    Substitute {
        /// The meter's own seal of the day; `None` while there is none.
        meter: Option<MeterSeal>,
    },
}

/// The meter's own seal of a day that a substitute took the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MeterSeal {
    /// Its transaction.
    pub transaction: TransactionId,
    /// Where it stands.
    pub position: Position,
    /// The root that it sealed.
    pub day_root: Hash,
}

/// The seal of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Seal {
    /// Where the sealing transaction stands; its payload holds the values.
    pub position: Position,
    /// Its id.
    pub transaction: TransactionId,
    /// The Merkle root over the day's reading leaves.
    pub day_root: Hash,
    /// Who sealed.
    pub by: SealedBy,
}

/// A correction in force: the latest of its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SlotCorrection {
    /// Slot of the local day, from 0.
    pub slot: u16,
    /// Where the correcting transaction stands.
    pub position: Position,
    /// Its id.
    pub transaction: TransactionId,
}

/// A usage point's day, as the state keeps it. Values are not here but in payloads.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct MeteredDay {
    /// Counts seals and corrections: what was computed at another revision is stale.
    pub revision: u32,
    /// The seal in force.
    pub seal: Option<Seal>,
    /// Corrections after the seal, the latest of each slot, rising.
    pub corrections: Bounded<SlotCorrection, MAX_SLOTS>,
    /// Slots charged (EB's per-slot bill), rising runs as a bitmap.
    pub charged: crate::billing::SlotSet,
    /// The bill in force that the day is part of.
    pub billed: Option<BillId>,
}

impl MeteredDay {
    /// What a bill commits to; `None` while the day is not sealed.
    #[must_use]
    pub fn commitment(&self, usage_point: UsagePointId, day: LocalDay) -> Option<DayCommitment> {
        let seal = self.seal.as_ref()?;
        let corrections: Vec<_> =
            self.corrections.iter().map(|c| (c.slot, c.transaction)).collect();
        Some(DayCommitment {
            usage_point: Some(usage_point),
            day,
            seal: seal.transaction,
            day_root: seal.day_root,
            corrections: corrections.try_into().expect("bounded alike"),
        })
    }
}

/// The correction of a frequency in force: the latest of its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FrequencyCorrection {
    /// Slot of the local day, from 0.
    pub slot: u16,
    /// The correcting or deleting transaction.
    pub transaction: TransactionId,
    /// Where it stands.
    pub position: Position,
    /// The value before the first correction since the seal: what the seal holds.
    pub original: Option<MilliHertz>,
}

/// The seal of a day's frequencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FrequencySeal {
    /// The sealing transaction.
    pub transaction: TransactionId,
    /// Where it stands.
    pub position: Position,
    /// The Merkle root over the day's frequency leaves.
    pub day_root: Hash,
}

/// The frequencies of a local day.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct FrequencyDay {
    /// Counts corrections, deletions and the seal.
    pub revision: u32,
    /// The value in force per slot; `None` where none is published or it was deleted.
    pub slots: Bounded<Option<MilliHertz>, MAX_SLOTS>,
    /// The seal.
    pub seal: Option<FrequencySeal>,
    /// Corrections after the seal, the latest of each slot, rising.
    pub corrections: Bounded<FrequencyCorrection, MAX_SLOTS>,
}

impl FrequencyDay {
    /// The value of a slot.
    #[must_use]
    pub fn at(&self, slot: u16) -> Option<MilliHertz> {
        self.slots.get(usize::from(slot)).copied().flatten()
    }

    /// Puts a value into a slot of a day of `count` slots.
    pub(crate) fn set(&mut self, slot: u16, count: u16, value: Option<MilliHertz>) {
        let mut slots = self.slots.to_vec();
        slots.resize(usize::from(count), None);
        slots[usize::from(slot)] = value;
        self.slots = Bounded::try_from(slots).expect("a day has at most MAX_SLOTS slots");
    }
}

impl dyn State + '_ {
    /// A usage point's day; an empty one when nothing was reported yet.
    #[must_use]
    pub fn metered_day(&self, usage_point: UsagePointId, day: LocalDay) -> MeteredDay {
        self.read(&state_key::metered_day(&usage_point, day)).unwrap_or_default()
    }

    pub(crate) fn put_metered_day(
        &mut self,
        usage_point: UsagePointId,
        day: LocalDay,
        value: &MeteredDay,
    ) {
        self.write(state_key::metered_day(&usage_point, day), value);
    }

    /// The frequencies of a day; an empty one when nothing was published yet.
    #[must_use]
    pub fn frequency_day(&self, day: LocalDay) -> FrequencyDay {
        self.read(&state_key::frequency_day(day)).unwrap_or_default()
    }

    pub(crate) fn put_frequency_day(&mut self, day: LocalDay, value: &FrequencyDay) {
        self.write(state_key::frequency_day(day), value);
    }
}

/// The sender must be the usage point's meter or its gateway.
pub(crate) fn require_reporter(
    context: &Context<'_>,
    id: UsagePointId,
    usage_point: &UsagePoint,
) -> Result<(), Rejection> {
    let allowed = match context.sender {
        Sender::Meter(meter_of) => meter_of == id,
        Sender::Party(party) => usage_point.gateway == Some(party),
        _ => false,
    };
    if allowed { Ok(()) } else { Err(Rejection::SenderIsNotTheMeter) }
}

/// A meter reports only what it has measured; a gateway or the biller is not asked.
pub(crate) fn require_measured(
    context: &Context<'_>,
    state: &dyn State,
    period: SettlementPeriod,
) -> Result<(), Rejection> {
    match context.sender {
        Sender::Meter(id) => state
            .installed_meter(id)
            .expect("a meter's key is registered by its installation")
            .require_measured(period),
        _ => Ok(()),
    }
}

/// The period of a slot of a day that begins with `first`.
pub(crate) fn later(first: SettlementPeriod, slot: u16) -> SettlementPeriod {
    first.offset(u32::from(slot)).expect("every slot of a day of the calendar is a period")
}

/// A period must have ended by the parent block's time.
pub(crate) fn require_ended(
    context: &Context<'_>,
    period: SettlementPeriod,
) -> Result<(), Rejection> {
    if period < context.period {
        Ok(())
    } else {
        Err(Rejection::PeriodNotEnded { period: u64::from(period.get()) })
    }
}

/// All periods of a local day must have ended.
pub(crate) fn require_day_ended(context: &Context<'_>, day: LocalDay) -> Result<(), Rejection> {
    let periods = context.rules.calendar().periods_of(day);
    let after = u64::from(periods.first.get()) + u64::from(periods.count);
    if after <= u64::from(context.period.get()) { Ok(()) } else { Err(Rejection::DayNotEnded) }
}

/// The most that a connection carries in one period, in Wh.
#[must_use]
pub fn connection_limit_wh(rules: &Rules, usage_point: &UsagePoint) -> u64 {
    let watts = i128::from(usage_point.connection_limit.get());
    let wh = watts * i128::from(rules.genesis().slot_minutes) / 60;
    u64::try_from(wh).unwrap_or(0)
}

/// Readings must stay within the connection's limit, either way.
pub(crate) fn require_within_limit(
    rules: &Rules,
    usage_point: &UsagePoint,
    period: SettlementPeriod,
    reading: &Reading,
) -> Result<(), Rejection> {
    let limit_wh = connection_limit_wh(rules, usage_point);
    let limit = WattHours::new(limit_wh);
    if reading.import_wh > limit || reading.export_wh > limit {
        return Err(Rejection::AboveConnectionLimit { period: u64::from(period.get()), limit_wh });
    }
    Ok(())
}

/// The Merkle root over the frequencies of a day; `None` when a slot has none.
#[must_use]
pub fn frequency_root(rules: &Rules, day: LocalDay, slots: &[Option<MilliHertz>]) -> Option<Hash> {
    let periods = rules.calendar().periods_of(day);
    if slots.len() != usize::from(periods.count) {
        return None;
    }
    let leaves: Option<Vec<Hash>> = periods
        .iter()
        .zip(slots)
        .map(|(period, value)| value.map(|value| frequency_leaf(period, value)))
        .collect();
    leaves.map(|leaves| MerkleTree::from_leaf_hashes(leaves).root())
}

/// What a bill commits to for one day of readings or frequencies: a leaf of `readings_root` and
/// `frequency_root`. Binding the seal's and the corrections' transaction ids binds their signers.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DayCommitment {
    /// The usage point; `None` for frequencies.
    pub usage_point: Option<UsagePointId>,
    /// The local day.
    pub day: LocalDay,
    /// The sealing transaction.
    pub seal: TransactionId,
    /// The sealed root.
    pub day_root: Hash,
    /// Slot and transaction of the corrections in force, rising by slot.
    pub corrections: Bounded<(u16, TransactionId), MAX_SLOTS>,
}

impl DayCommitment {
    /// The Merkle root over one leaf per day.
    #[must_use]
    pub fn root(days: &[Self]) -> Hash {
        let leaves = days
            .iter()
            .map(|day| primitives::merkle::leaf_hash(&primitives::codec::encode(day)))
            .collect();
        MerkleTree::from_leaf_hashes(leaves).root()
    }
}
