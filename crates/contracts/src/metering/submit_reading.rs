//! A meter, or its gateway, reports one settlement period.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::codec;
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;
use primitives::reading::{ReadingPayload, reading_leaf};

use super::{require_ended, require_reporter, require_within_limit};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::{Position, State};
use crate::state_key;
use crate::transaction::{Body, Transaction, Who};

/// The commitment to what one usage point drew and injected in one settlement period.
///
/// The value travels beside it as [`ReadingPayload`]. A reading is written once: the same again is
/// harmless, another value is refused and needs `CorrectReading`. The day's seal follows and must
/// agree.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SubmitReading {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The period.
    pub period: SettlementPeriod,
    /// The reading's leaf (`primitives::reading::reading_leaf`).
    pub leaf: Hash,
}

impl Transaction for SubmitReading {
    const SENDERS: &'static [Who] =
        &[Who::Meter, Who::Role(Role::Aggregator), Who::Role(Role::Distributor)];
    const EXPIRES: bool = false;

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        check_leaf(self.usage_point, self.period, &self.leaf, payload).map(|_| ())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let usage_point = state.usage_point(self.usage_point)?;
        require_reporter(context, self.usage_point, &usage_point)?;
        require_ended(context, self.period)?;
        let payload: ReadingPayload = codec::decode(context.payload).expect("checked before");
        require_within_limit(context.rules, &usage_point, self.period, &payload.reading)?;
        match leaf_in_force(context.rules, state, self.usage_point, self.period)? {
            Some(leaf) if leaf == self.leaf => {
                state.emit(Event::AlreadyRecorded {});
                return Ok(());
            }
            Some(_) => {
                return Err(Rejection::ReadingExists { period: u64::from(self.period.get()) });
            }
            None => {}
        }
        let (day, slot) = context.rules.slot_of(self.period)?;
        let key = state_key::slot_reading(&self.usage_point, day, slot);
        state.write(key, &context.position);
        state.emit(Event::ReadingSubmitted { usage_point: self.usage_point, period: self.period });
        Ok(())
    }
}

/// The payload must hash to the leaf.
pub(super) fn check_leaf(
    usage_point: UsagePointId,
    period: SettlementPeriod,
    leaf: &Hash,
    payload: &[u8],
) -> Result<ReadingPayload, Malformed> {
    let payload: ReadingPayload = codec::decode(payload)?;
    if reading_leaf(&payload.salt, usage_point, period, &payload.reading) != *leaf {
        return Err(Malformed::Payload("the reading does not hash to the leaf"));
    }
    Ok(payload)
}

/// The leaf that a transaction of a single reading or correction committed to.
pub(super) fn leaf_at(state: &dyn State, position: Position) -> Hash {
    let transaction = state.transaction(position).expect("the state names ordered transactions");
    let envelope = &transaction.envelope;
    match Body::decode(envelope.kind, &envelope.body) {
        Ok(Body::SubmitReading(body)) => body.leaf,
        Ok(Body::CorrectReading(body)) => body.leaf,
        _ => unreachable!("a reading's position names a reading or a correction"),
    }
}

/// The leaf of the value in force, if there is one.
pub(super) fn leaf_in_force(
    rules: &Rules,
    state: &dyn State,
    usage_point: UsagePointId,
    period: SettlementPeriod,
) -> Result<Option<Hash>, Rejection> {
    let (day, slot) = rules.slot_of(period)?;
    let metered_day = state.metered_day(usage_point, day);
    if let Some(seal) = metered_day.seal {
        if let Some(correction) = metered_day.corrections.iter().find(|c| c.slot == slot) {
            return Ok(Some(leaf_at(state, correction.position)));
        }
        let sealed = super::day_readings::sealed_payload(state, seal.position, seal.by)?;
        let salt = primitives::reading::salt(&sealed.seed, u32::from(slot));
        let reading = &sealed.readings[usize::from(slot)];
        return Ok(Some(reading_leaf(&salt, usage_point, period, reading)));
    }
    let key = state_key::slot_reading(&usage_point, day, slot);
    Ok(state.read::<Position>(&key).map(|position| leaf_at(state, position)))
}
