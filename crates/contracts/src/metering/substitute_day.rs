//! Who bills a usage point seals a day in the place of its meter, on a private ledger.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalDay;
use primitives::codec;
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;
use primitives::reading::{DayPayload, Quality};

use super::seal_day::{check_day, put_seal};
use super::{SealedBy, require_day_ended};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::{Privacy, Rules};
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Puts other readings in the place of a day's: where the meter stayed silent, or measured wrong.
///
/// It carries the biller's signature and says so; the meter's own seal stays in the history and is named
/// by the day. The values (`DayPayload`) are handed to a node of the biller or of the household; none of
/// them is of quality A. The day's revision rises, so that a bill over the former values is stale.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SubstituteDay {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The local day in the grid's zone.
    pub day: LocalDay,
    /// The Merkle root over the day's reading leaves.
    pub day_root: Hash,
}

impl Transaction for SubstituteDay {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];
    const EXPIRES: bool = false;
    const PRIVACY: Option<Privacy> = Some(Privacy::Private);

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        if state.usage_point(self.usage_point)?.biller != context.party()? {
            return Err(Rejection::NotTheBiller);
        }
        require_day_ended(context, self.day)?;
        let mut metered_day = state.metered_day(self.usage_point, self.day);
        if metered_day.seal.is_some_and(|seal| seal.day_root == self.day_root) {
            state.emit(Event::AlreadyRecorded {});
            return Ok(());
        }
        let by = SealedBy::Substitute { meter: metered_day.seal_of_meter() };
        let day = (self.usage_point, self.day);
        put_seal(context, state, day, &mut metered_day, self.day_root, by);
        Ok(())
    }

    fn private_day(&self) -> Option<(UsagePointId, LocalDay)> {
        Some((self.usage_point, self.day))
    }

    fn check_private(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
        let payload: DayPayload = codec::decode(payload)?;
        check_day(rules, self.usage_point, self.day, &self.day_root, &payload)?;
        if payload.readings.iter().any(|reading| reading.quality == Quality::Actual) {
            return Err(Malformed::Payload("only the meter itself reports quality A"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::private();
        let (day, running) = (network.day(0), network.day(1));
        network.end_day(day);
        let (home, south) = (network.homes[0].clone(), network.south.key.clone());
        let substitute = |day, import| network.substitute(&home, day, import);
        let (not_ended, good) = (substitute(running, 4), substitute(day, 4));
        let other = substitute(day, 3);
        let mut shown = good.clone();
        shown.payload = vec![1];
        let seal = network.seal_privately(&home, day, &network.even_day(day, reading(5, 1)));
        let mut nowhere = home.clone();
        nowhere.point = UsagePointId::default();
        let unknown = network.substitute(&nowhere, running, 4);
        network.check(&[
            (shown, WRONG_PAYLOAD),
            (unknown, breaks(Rejection::UsagePointUnknown)),
            (not_ended.sent_by(&south), breaks(Rejection::NotTheBiller)),
            (not_ended, breaks(Rejection::DayNotEnded)),
            (good.clone(), emits(&["DaySealed"])),
            (good.clone(), KNOWN),
            // The meter's own seal takes its place when it comes, and stands behind the next one.
            (seal.clone(), emits(&["DaySealed"])),
            (good, emits(&["DaySealed"])),
            (other, emits(&["DaySealed"])),
            (seal, KNOWN),
        ]);
        let metered_day = network.state().metered_day(home.point, day);
        assert_eq!(metered_day.revision, 4);
        let Some(SealedBy::Substitute { meter: Some(meter) }) = metered_day.seal.map(|it| it.by)
        else {
            panic!("the meter's own seal is named: {metered_day:?}");
        };
        assert_eq!(Some(meter.day_root), metered_day.root_of_meter());
        assert!(network.state.transaction(meter.position).is_some());
    }

    #[test]
    fn a_substitute_says_actual_of_nothing() {
        let network = Network::private();
        let (day, home) = (network.day(0), network.homes[0].clone());
        let draft = network.substitute(&home, day, 4);
        let values = network.substituted(day, 4);
        let check =
            |values: &DayPayload| draft.body.check_private(&codec::encode(values), &network.rules);
        assert_eq!(check(&values), Ok(()));
        assert!(matches!(check(&network.substituted(day, 5)), Err(Malformed::Payload(_))));
        let actual = network.even_day(day, reading(4, 0));
        let body = SubstituteDay {
            usage_point: home.point,
            day,
            day_root: actual.root(home.point, network.periods(day).first),
        };
        let refused = body.check_private(&codec::encode(&actual), &network.rules);
        assert_eq!(refused, Err(Malformed::Payload("only the meter itself reports quality A")));
    }
}
