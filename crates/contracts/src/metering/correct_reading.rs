//! A reading is corrected; the former value stays in the history.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::codec::{self, Bounded};
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;
use primitives::reading::{Quality, ReadingPayload};

use super::submit_reading::{check_leaf, leaf_in_force};
use super::{SlotCorrection, require_measured, require_within_limit};
use crate::event::Event;
use crate::execute::{Context, Sender};
use crate::genesis::{Privacy, Rules};
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who};

/// Puts another value in the place of a reading, by the meter itself or by who bills the usage point.
///
/// A biller may estimate, substitute or declare final; only the meter reports an actual value. What
/// was billed from the former value is stale from then on.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CorrectReading {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The period.
    pub period: SettlementPeriod,
    /// The new reading's leaf.
    pub leaf: Hash,
}

impl Transaction for CorrectReading {
    const SENDERS: &'static [Who] =
        &[Who::Meter, Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];
    const EXPIRES: bool = false;
    const PRIVACY: Option<Privacy> = Some(Privacy::Open);

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        check_leaf(self.usage_point, self.period, &self.leaf, payload).map(|_| ())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let usage_point = state.usage_point(self.usage_point)?;
        let payload: ReadingPayload = codec::decode(context.payload).expect("checked before");
        match context.sender {
            Sender::Meter(meter_of) if meter_of == self.usage_point => {}
            Sender::Party(party) if party == usage_point.biller => {
                if payload.reading.quality == Quality::Actual {
                    return Err(Rejection::ActualOnlyFromMeter);
                }
            }
            _ => return Err(Rejection::SenderIsNotTheMeter),
        }
        require_measured(context, state, self.period)?;
        require_within_limit(context.rules, &usage_point, self.period, &payload.reading)?;
        match leaf_in_force(context.rules, state, self.usage_point, self.period)? {
            None => {
                return Err(Rejection::ReadingMissing { period: u64::from(self.period.get()) });
            }
            Some(leaf) if leaf == self.leaf => {
                state.emit(Event::AlreadyRecorded {});
                return Ok(());
            }
            Some(_) => {}
        }
        self.replace(context, state)
    }
}

impl CorrectReading {
    fn replace(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let (day, slot) = context.rules.slot_of(self.period)?;
        let mut metered_day = state.metered_day(self.usage_point, day);
        metered_day.revision += 1;
        if metered_day.seal.is_some() {
            let mut corrections = metered_day.corrections.to_vec();
            let correction = SlotCorrection {
                slot,
                position: context.position,
                transaction: context.transaction,
            };
            match corrections.binary_search_by_key(&slot, |c| c.slot) {
                Ok(index) => corrections[index] = correction,
                Err(index) => corrections.insert(index, correction),
            }
            metered_day.corrections =
                Bounded::try_from(corrections).expect("one correction per slot at most");
        } else {
            let key = state_key::slot_reading(&self.usage_point, day, slot);
            state.write(key, &context.position);
        }
        state.put_metered_day(self.usage_point, day, &metered_day);
        state.emit(Event::ReadingCorrected {
            usage_point: self.usage_point,
            period: self.period,
            revision: metered_day.revision,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::metering::DayReadings;
    use crate::transaction::Body;

    use super::*;
    use crate::tests::kit::*;

    fn letter(network: &Network, draft: &Draft, quality: Quality) -> Draft {
        let Body::CorrectReading(body) = &draft.body else { unreachable!("a correction") };
        let mut payload: ReadingPayload = codec::decode(&draft.payload).unwrap();
        payload.reading.quality = quality;
        let leaf = payload.leaf(body.usage_point, body.period);
        let body = CorrectReading { leaf, ..body.clone() };
        by(&[&network.north.key], body).carrying(&payload)
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let day = network.day(0);
        network.end_day(day);
        let home = network.homes[0].clone();
        let mut unknown = home.clone();
        unknown.point = UsagePointId::default();
        let period = network.period(day, 3);
        let at = |import| network.correct(&home, period, reading(import, 0));
        let (too_much, stranger) = (at(25_000_001), network.homes[1].meter.clone());
        let mut bare = at(5);
        bare.payload.clear();
        let mut other_value = at(5);
        other_value.payload = at(6).payload;
        let number = u64::from(period.get());
        let (north, south) = (network.north.key.clone(), network.south.key.clone());
        let nowhere = network.correct(&unknown, period, reading(25_000_001, 0));
        let cases = [
            (bare, WRONG_ENCODING),
            (other_value, WRONG_PAYLOAD),
            (nowhere.sent_by(&stranger), breaks(Rejection::UsagePointUnknown)),
            (too_much.sent_by(&stranger), breaks(Rejection::SenderIsNotTheMeter)),
            (too_much.sent_by(&south), breaks(Rejection::SenderIsNotTheMeter)),
            (too_much.sent_by(&north), breaks(Rejection::ActualOnlyFromMeter)),
            (
                too_much,
                breaks(Rejection::AboveConnectionLimit { period: number, limit_wh: 25_000_000 }),
            ),
            (at(5), breaks(Rejection::ReadingMissing { period: number })),
            (network.submit(&home, period, reading(5, 0)), emits(&["ReadingSubmitted"])),
            (at(5), KNOWN),
            (at(6), emits(&["ReadingCorrected"])),
            (at(6), KNOWN),
            (letter(&network, &at(7), Quality::Estimated), emits(&["ReadingCorrected"])),
        ];
        network.check(&cases);
        let readings = DayReadings::load(&network.rules, network.state(), home.point, day).unwrap();
        let found = readings.slots[3].unwrap();
        assert_eq!((found.import_wh.get(), found.quality), (7, Quality::Estimated));
    }

    #[test]
    fn a_sealed_reading_is_corrected_and_the_seal_stays() {
        let mut network = Network::new();
        let day = network.day(0);
        let home = network.homes[0].clone();
        network.measure_day(day, std::slice::from_ref(&home), reading(5, 0));
        let period = network.period(day, 3);
        let at = |import| network.correct(&home, period, reading(import, 0));
        let cases = [
            (at(5), KNOWN),
            (at(6), emits(&["ReadingCorrected"])),
            (at(7), emits(&["ReadingCorrected"])),
            (at(7), KNOWN),
            (letter(&network, &at(7), Quality::Final), emits(&["ReadingCorrected"])),
        ];
        let again = at(4);
        network.check(&cases);
        let metered_day = network.state().metered_day(home.point, day);
        assert_eq!((metered_day.revision, metered_day.corrections.len()), (4, 1));
        let readings = DayReadings::load(&network.rules, network.state(), home.point, day).unwrap();
        assert_eq!(readings.slots[3].unwrap().import_wh.get(), 7);
        // The correction itself is known by its leaf; beside it the sealed values are gone.
        network.state.erase_payloads();
        let elsewhere = network.correct(&home, network.period(day, 4), reading(1, 0));
        network.check(&[
            (elsewhere, breaks(Rejection::PayloadErased)),
            (again, emits(&["ReadingCorrected"])),
        ]);
    }
}
