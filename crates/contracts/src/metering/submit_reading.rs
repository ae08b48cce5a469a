//! A meter, or its gateway, reports one settlement period.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::codec;
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;
use primitives::reading::{ReadingPayload, reading_leaf};

use super::{SealedBy, require_ended, require_measured, require_reporter, require_within_limit};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::{Privacy, Rules};
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::{Position, State};
use crate::state_key;
use crate::transaction::{Body, Transaction, Who};

/// A single reading that comes more periods than this after the end of its own is flagged: meters
/// send what they measured within the hour, or after an outage; two days tell of a clock that drifts.
pub const LATE_AFTER_PERIODS: u32 = 192;

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
    const PRIVACY: Option<Privacy> = Some(Privacy::Open);

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        check_leaf(self.usage_point, self.period, &self.leaf, payload).map(|_| ())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let usage_point = state.usage_point(self.usage_point)?;
        require_reporter(context, self.usage_point, &usage_point)?;
        require_ended(context, self.period)?;
        require_measured(context, state, self.period)?;
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
        // `require_ended` saw that the period lies before the running one.
        let late_periods = context.period.get() - self.period.get() - 1;
        if late_periods > LATE_AFTER_PERIODS {
            let (usage_point, period) = (self.usage_point, self.period);
            state.emit(Event::ReadingLate { usage_point, period, late_periods });
        }
        Ok(())
    }
}

/// Is this the key of a single reading, or the beginning of some? Their rows come in the order of time,
/// so a store that keeps them apart need not sort new ones into all that there are.
#[must_use]
pub fn is_slot_reading(key: &[u8]) -> bool {
    key.first() == Some(&b'r')
}

/// The day that the state key of a single reading belongs to, as the prefix of all its keys
/// (`state_key::slot_readings`), and the slot; `None` for every other key. Who remembers which slots
/// of a day are taken need not look for a new reading among the old ones.
#[must_use]
pub fn day_of_slot_reading(key: &[u8]) -> Option<(&[u8], u16)> {
    const DAY_BYTES: usize = 1 + size_of::<UsagePointId>() + size_of::<i32>();
    let (day, slot) = key.split_at_checked(DAY_BYTES)?;
    is_slot_reading(day).then_some((day, u16::from_be_bytes(slot.try_into().ok()?)))
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
///
/// # Errors
/// [`Rejection::PayloadErased`], which nobody sees: what the state names was ordered, so when it is not
/// there a read has failed, and the whole block is refused.
pub(super) fn leaf_at(state: &dyn State, position: Position) -> Result<Hash, Rejection> {
    let transaction = state.transaction(position).ok_or(Rejection::PayloadErased)?;
    let envelope = &transaction.envelope;
    Ok(match Body::decode(envelope.kind, &envelope.body) {
        Ok(Body::SubmitReading(body)) => body.leaf,
        Ok(Body::CorrectReading(body)) => body.leaf,
        _ => unreachable!("a reading's position names a reading or a correction"),
    })
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
            return leaf_at(state, correction.position).map(Some);
        }
        let key = state_key::slot_reading(&usage_point, day, slot);
        // An estimate keeps single readings, with salts of its own.
        if let (SealedBy::Estimate { .. }, Some(position)) = (seal.by, state.read(&key)) {
            return leaf_at(state, position).map(Some);
        }
        let sealed = super::day_readings::sealed_payload(state, seal.position, seal.by)?;
        let salt = primitives::reading::salt(&sealed.seed, u32::from(slot));
        let reading = &sealed.readings[usize::from(slot)];
        return Ok(Some(reading_leaf(&salt, usage_point, period, reading)));
    }
    let key = state_key::slot_reading(&usage_point, day, slot);
    state.read::<Position>(&key).map(|position| leaf_at(state, position)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    const TOO_MUCH: u64 = 25_000_001;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let day = network.day(0);
        network.end_day(day);
        let home = network.homes[0].clone();
        let mut unknown = home.clone();
        unknown.point = UsagePointId::default();
        let (running, ended) = (network.now(), network.period(day, 7));
        let at = |period, import| network.submit(&home, period, reading(import, 0));
        let mut bare = at(ended, 5);
        bare.payload.clear();
        let mut other_value = at(ended, 5);
        other_value.payload = at(ended, 6).payload;
        let stranger = network.homes[1].meter.clone();
        let limit = |period: SettlementPeriod| Rejection::AboveConnectionLimit {
            period: u64::from(period.get()),
            limit_wh: 25_000_000,
        };
        let period = u64::from(running.get());
        let cases = [
            (bare, WRONG_ENCODING),
            (other_value, WRONG_PAYLOAD),
            (
                network.submit(&unknown, running, reading(TOO_MUCH, 0)).sent_by(&stranger),
                breaks(Rejection::UsagePointUnknown),
            ),
            (at(running, TOO_MUCH).sent_by(&stranger), breaks(Rejection::SenderIsNotTheMeter)),
            (at(running, TOO_MUCH), breaks(Rejection::PeriodNotEnded { period })),
            (at(ended, TOO_MUCH), breaks(limit(ended))),
            (network.submit(&home, ended, reading(0, TOO_MUCH)), breaks(limit(ended))),
            (at(ended, 5), emits(&["ReadingSubmitted"])),
            (at(ended, 5), KNOWN),
            (at(ended, 6), breaks(Rejection::ReadingExists { period: u64::from(ended.get()) })),
        ];
        network.check(&cases);
    }

    #[test]
    fn a_key_of_the_state_tells_day_and_slot() {
        let (point, day) =
            (UsagePointId::new([7; 16]), primitives::calendar::LocalDay::new(9).unwrap());
        let key = state_key::slot_reading(&point, day, 299);
        let prefix = state_key::slot_readings(&point, day);
        assert_eq!(day_of_slot_reading(&key), Some((prefix.as_slice(), 299)));
        assert!(is_slot_reading(&key) && is_slot_reading(&prefix));
        let others = [prefix, state_key::metered_day(&point, day), [&key[..], &[0]].concat()];
        assert!(others.iter().all(|other| day_of_slot_reading(other).is_none()));
        assert!(!is_slot_reading(&others[1]));
    }

    #[test]
    fn a_gateway_reports_once_it_is_authorised() {
        let mut network = Network::new();
        let day = network.day(0);
        network.end_day(day);
        let home = network.homes[0].clone();
        let gateway = network.aggregator.clone();
        let draft =
            network.submit(&home, network.period(day, 0), reading(1, 2)).sent_by(&gateway.key);
        network.check(&[(draft.clone(), breaks(Rejection::SenderIsNotTheMeter))]);
        network.authorize_gateway(&home, Some(gateway.id));
        network.check(&[(draft, emits(&["ReadingSubmitted"]))]);
    }

    #[test]
    fn under_a_seal_the_same_is_known_and_the_rest_is_refused() {
        let mut network = Network::new();
        let day = network.day(0);
        let home = network.homes[0].clone();
        network.measure_day(day, std::slice::from_ref(&home), reading(5, 0));
        let period = network.period(day, 95);
        let same = network.submit(&home, period, reading(5, 0));
        let other = network.submit(&home, period, reading(6, 0));
        let number = u64::from(period.get());
        network.check(&[
            (same.clone(), KNOWN),
            (other, breaks(Rejection::ReadingExists { period: number })),
        ]);
        network.state.erase_payloads();
        network.check(&[(same, breaks(Rejection::PayloadErased))]);
    }

    #[test]
    fn the_period_ends_by_the_parents_time_not_by_the_blocks_own() {
        let mut network = Network::new();
        let day = network.day(0);
        network.end_day(day);
        let home = network.homes[0].clone();
        let period = network.period(day, 95);
        let draft = network.submit(&home, period, reading(1, 0));
        let just_before = primitives::units::Timestamp::new(network.time.get() - 1);
        let outcome = network.order(&draft, just_before);
        assert_eq!(outcome.code, Rejection::PeriodNotEnded { period: 0 }.code());
        assert_eq!(network.order(&draft, network.time).code, 0);
    }
}
