//! A reading is corrected; the former value stays in the history.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::codec::{self, Bounded};
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;
use primitives::reading::{Quality, ReadingPayload};

use super::submit_reading::{check_leaf, leaf_in_force};
use super::{SlotCorrection, require_within_limit};
use crate::event::Event;
use crate::execute::{Context, Sender};
use crate::genesis::Rules;
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
