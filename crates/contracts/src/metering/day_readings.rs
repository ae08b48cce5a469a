//! The readings of one usage point and day, put together from seal, corrections and single readings.

use primitives::calendar::LocalDay;
use primitives::codec;
use primitives::identifier::UsagePointId;
use primitives::reading::{DayPayload, Reading, ReadingPayload};

use super::seal_gateway_batch::entry_day;
use super::{MeteredDay, PrivateDayPayload, SealedBy};
use crate::genesis::Rules;
use crate::rejection::Rejection;
use crate::state::{Position, State};
use crate::state_key;

/// The values in force of one usage point and day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayReadings {
    /// One per slot; `None` where nothing was reported.
    pub slots: Vec<Option<Reading>>,
    /// What the state keeps of the day.
    pub metered_day: MeteredDay,
}

impl DayReadings {
    /// Puts the day together.
    ///
    /// # Errors
    /// [`Rejection::PayloadErased`] when values were erased.
    pub fn load(
        rules: &Rules,
        state: &dyn State,
        usage_point: UsagePointId,
        day: LocalDay,
    ) -> Result<Self, Rejection> {
        let metered_day = state.metered_day(usage_point, day);
        let count = usize::from(rules.calendar().periods_of(day).count);
        let mut slots = vec![None; count];
        if let Some(seal) = &metered_day.seal {
            let sealed = sealed_payload(state, seal.position, seal.by)?;
            for (slot, reading) in slots.iter_mut().zip(sealed.readings.iter()) {
                *slot = Some(*reading);
            }
            for correction in metered_day.corrections.iter() {
                let payload = single_payload(state, correction.position)?;
                slots[usize::from(correction.slot)] = Some(payload.reading);
            }
        } else {
            let prefix = state_key::slot_readings(&usage_point, day);
            for (key, position) in state.scan(&prefix, None, count) {
                let slot = key[prefix.len()..].try_into().expect("the key ends with a slot");
                let position = codec::decode(&position).expect("a slot reading is a position");
                let payload = single_payload(state, position)?;
                slots[usize::from(u16::from_be_bytes(slot))] = Some(payload.reading);
            }
        }
        Ok(Self { slots, metered_day })
    }
}

/// The values under a seal.
///
/// # Errors
/// [`Rejection::PayloadErased`].
pub fn sealed_payload(
    state: &dyn State,
    position: Position,
    by: SealedBy,
) -> Result<DayPayload, Rejection> {
    let bytes = state.payload(position).ok_or(Rejection::PayloadErased)?;
    let checked = "a payload was decoded and compared with its root before it was kept";
    Ok(match by {
        SealedBy::Meter | SealedBy::Estimate { .. } | SealedBy::Substitute { .. } => {
            codec::decode(&bytes).expect(checked)
        }
        SealedBy::PrivateMeter => codec::decode::<PrivateDayPayload>(&bytes).expect(checked).values,
        SealedBy::Gateway { entry } => entry_day(&bytes, entry).expect(checked),
    })
}

/// The value of a single reading or correction.
pub(crate) fn single_payload(
    state: &dyn State,
    position: Position,
) -> Result<ReadingPayload, Rejection> {
    let bytes = state.payload(position).ok_or(Rejection::PayloadErased)?;
    Ok(codec::decode(&bytes).expect("a payload was decoded and compared before it was ordered"))
}
