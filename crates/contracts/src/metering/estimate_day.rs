//! Who bills a usage point has the gaps of a day filled by the ledger's rule.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalDay;
use primitives::codec;
use primitives::hash::Hash;
use primitives::identifier::{TransactionId, UsagePointId};
use primitives::reading::DayPayload;

use super::estimation::{Estimate, EstimationInputs, Method, ProfileNeeded, estimate};
use super::seal_day::{check_day, put_seal};
use super::{SealedBy, require_day_ended};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::{Privacy, Rules};
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Seals a day that its meter did not seal: readings that stand on the ledger are kept, missing slots
/// are estimated by rule.
///
/// The values travel beside it as `DayPayload`. The ledger computes them too ([`estimate`]) and refuses
/// others, so the sender asserts nothing. The meter's own seal, or a gateway's, takes the estimate's
/// place whenever it comes; single slots are corrected as usual.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct EstimateDay {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The local day in the grid's zone.
    pub day: LocalDay,
    /// The standard profile for slots that nothing else tells, by the transaction that published it.
    pub profile: Option<TransactionId>,
    /// The Merkle root over the day's reading leaves.
    pub day_root: Hash,
}

impl Transaction for EstimateDay {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];
    const EXPIRES: bool = false;
    const PRIVACY: Option<Privacy> = Some(Privacy::Open);

    fn check(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
        let payload: DayPayload = codec::decode(payload)?;
        check_day(rules, self.usage_point, self.day, &self.day_root, &payload)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        if state.usage_point(self.usage_point)?.biller != context.party()? {
            return Err(Rejection::NotTheBiller);
        }
        require_day_ended(context, self.day)?;
        let mut metered_day = state.metered_day(self.usage_point, self.day);
        if let Some(seal) = metered_day.seal {
            if seal.day_root != self.day_root {
                return Err(Rejection::DayAlreadySealed);
            }
            state.emit(Event::AlreadyRecorded {});
            return Ok(());
        }
        let estimate = self.estimate(context, state)?;
        let payload: DayPayload = codec::decode(context.payload).expect("checked before");
        let values = estimate.readings.iter().zip(payload.readings.iter());
        if let Some((slot, _)) = (0_u64..).zip(values).find(|(_, (ours, theirs))| ours != theirs) {
            return Err(Rejection::EstimateDiffers { slot });
        }
        let slots = u16::try_from(estimate.estimated()).expect("a day has at most MAX_SLOTS slots");
        let day = (self.usage_point, self.day);
        let by = SealedBy::Estimate { slots };
        put_seal(context, state, day, &mut metered_day, self.day_root, by);
        state.emit(self.event(&estimate));
        Ok(())
    }
}

impl EstimateDay {
    fn estimate(&self, context: &Context<'_>, state: &dyn State) -> Result<Estimate, Rejection> {
        let sender = context.party()?;
        let profile = match &self.profile {
            None => None,
            Some(id) => {
                let own = state.standard_profile(id).filter(|it| it.publisher == sender);
                Some(own.ok_or(Rejection::StandardProfileUnknown)?)
            }
        };
        let day = (self.usage_point, self.day);
        let inputs = EstimationInputs::load(context.rules, state, day, profile.as_ref())?;
        estimate(&inputs).map_err(|ProfileNeeded { slot }| Rejection::StandardProfileMissing {
            slot: u64::from(slot),
        })
    }

    fn event(&self, estimate: &Estimate) -> Event {
        let count = |method| {
            let slots = estimate.methods.iter().filter(|it| **it == Some(method)).count();
            u16::try_from(slots).expect("a day has at most MAX_SLOTS slots")
        };
        Event::DayEstimated {
            usage_point: self.usage_point,
            day: self.day,
            interpolated: count(Method::Interpolation),
            same_weekday: count(Method::SameWeekday),
            standard_profile: count(Method::StandardProfile),
            unmoved: count(Method::Registers),
        }
    }
}

#[cfg(test)]
mod tests;
