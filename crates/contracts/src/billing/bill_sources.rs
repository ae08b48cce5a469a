//! What a bill was computed from: where its seals and corrections stand in the history.
//!
//! A later seal or correction takes the former one's place in a day's record. The bill keeps its own
//! list, so that it stays provable whatever is amended after it was issued.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::codec::Bounded;
use primitives::identifier::{BillId, TariffId};

use super::bill_calculation::TariffSegment;
use super::bill_proof::{MAX_DAYS, MAX_SEGMENTS};
use super::fine::FineBasis;
use crate::metering::{FrequencyDay, MAX_SLOTS, MeteredDay, SealedBy};
use crate::rejection::Rejection;
use crate::state::{Position, State};
use crate::state_key;

/// Slots and the corrections that were in force, rising by slot.
pub type CorrectionPositions = Bounded<(u16, Position), MAX_SLOTS>;

/// One day of readings.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DaySources {
    /// Where the seal in force stands.
    pub seal: Position,
    /// Who sealed.
    pub by: SealedBy,
    /// The corrections after it.
    pub corrections: CorrectionPositions,
}

/// Everything that a bill was computed from.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BillSources {
    /// One entry for each day of the billing period.
    pub days: Bounded<DaySources, MAX_DAYS>,
    /// The frequencies' corrections after their seal, likewise; empty when no price needs one.
    pub frequency_days: Bounded<CorrectionPositions, MAX_DAYS>,
    /// The first period, tariff and version of each segment.
    pub segments: Bounded<(SettlementPeriod, TariffId, u16), MAX_SEGMENTS>,
    /// What the fine was counted from.
    pub fine: FineBasis,
}

impl BillSources {
    /// No day and no tariff yet.
    pub(super) const fn new(fine: FineBasis) -> Self {
        Self {
            days: Bounded::new(),
            frequency_days: Bounded::new(),
            segments: Bounded::new(),
            fine,
        }
    }

    /// Notes a sealed day of readings; an unsealed one leaves no note.
    pub(super) fn note_readings(&mut self, metered_day: &MeteredDay) {
        let Some(seal) = metered_day.seal else { return };
        let corrections: Vec<_> =
            metered_day.corrections.iter().map(|it| (it.slot, it.position)).collect();
        let corrections = corrections.try_into().expect("bounded alike");
        let sources = DaySources { seal: seal.position, by: seal.by, corrections };
        self.days.push(sources).expect("a billing period has at most MAX_DAYS days");
    }

    /// Notes a day of frequencies.
    pub(super) fn note_frequencies(&mut self, frequency_day: &FrequencyDay) {
        let corrections: Vec<_> =
            frequency_day.corrections.iter().map(|it| (it.slot, it.position)).collect();
        let corrections = corrections.try_into().expect("bounded alike");
        self.frequency_days.push(corrections).expect("at most MAX_DAYS days");
    }

    /// Notes the tariff versions.
    ///
    /// # Errors
    /// [`Rejection::TooMuchWork`].
    pub(super) fn note_segments(&mut self, segments: &[TariffSegment]) -> Result<(), Rejection> {
        let note = |it: &TariffSegment| (it.first_period, it.version.tariff, it.version.version);
        let segments: Vec<_> = segments.iter().map(note).collect();
        self.segments = segments
            .try_into()
            .map_err(|_| Rejection::TooMuchWork { bound: MAX_SEGMENTS as u64 })?;
        Ok(())
    }
}

impl dyn State + '_ {
    /// What a bill was computed from.
    ///
    /// # Errors
    /// [`Rejection::BillUnknown`].
    pub fn bill_sources(&self, id: BillId) -> Result<BillSources, Rejection> {
        self.read(&state_key::bill_sources(&id)).ok_or(Rejection::BillUnknown)
    }
}
