//! The regulators say when and how much is fined.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;
use primitives::identifier::PartyId;
use primitives::units::MicroCurrency;

use super::fine::{FineRules, MAX_RULE_CHANGES, day_at};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who, no_payload};

/// Sets fine rules, in general or for one distributor, from the next local day on. What was fined
/// before stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SetFineRules {
    /// Whose customers they are for; `None` = of everybody that has no rules of its own.
    pub distributor: Option<PartyId>,
    /// The rules.
    pub rules: FineRules,
}

impl Transaction for SetFineRules {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        let zero = MicroCurrency::ZERO;
        if self.rules.threshold < zero || self.rules.fixed < zero {
            return Err(Malformed::Field("threshold and fixed part are not negative"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        context.require_regulators(state)?;
        if let Some(distributor) = self.distributor {
            let party = state.party(distributor)?;
            if !party.holds(Role::Distributor) && !party.holds(Role::GridOperator) {
                return Err(Rejection::PartyLacksRole);
            }
        }
        let today = day_at(context.rules, context.time);
        let from = today.next().map_err(|_| Rejection::AmountOutOfRange)?;
        let mut history = state.fine_rules_history(self.distributor).into_vec();
        match history.last_mut() {
            Some((_, last)) if *last == self.rules => {
                state.emit(Event::AlreadyRecorded {});
                return Ok(());
            }
            Some((last, rules)) if *last == from => *rules = self.rules,
            _ => history.push((from, self.rules)),
        }
        let bound = MAX_RULE_CHANGES as u64;
        let history: Bounded<_, MAX_RULE_CHANGES> =
            Bounded::try_from(history).map_err(|_| Rejection::TooManyVersions { bound })?;
        state.write(state_key::fine_rules(self.distributor.as_ref()), &history);
        let (distributor, rules) = (self.distributor, self.rules);
        state.emit(Event::FineRulesSet { distributor, from, rules });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use primitives::units::BasisPoints;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let regulators = [0, 1].map(|index: usize| network.regulators[index].key.clone());
        let set = |distributor, threshold| SetFineRules {
            distributor,
            rules: FineRules {
                threshold: MicroCurrency::new(threshold),
                grace_days: 10,
                fixed: MicroCurrency::new(50_000_000),
                daily: BasisPoints::new(5).unwrap(),
                cap: BasisPoints::new(2_000).unwrap(),
            },
        };
        let both = |body| by(&[&regulators[0], &regulators[1]], body);
        let unknown = Some(PartyId::default());
        network.check(&[
            (by(&[&regulators[0]], set(unknown, -1)), WRONG_FIELD),
            (
                by(&[&regulators[0]], set(unknown, 1)),
                breaks(Rejection::QuorumNotReached { signed: 1, wanted: 2 }),
            ),
            (both(set(unknown, 1)), breaks(Rejection::PartyUnknown)),
            (both(set(Some(network.homes[0].customer.id), 1)), breaks(Rejection::PartyLacksRole)),
            (both(set(Some(network.north.id), 1)), emits(&["FineRulesSet"])),
            (both(set(Some(network.north.id), 1)), KNOWN),
            (both(set(Some(network.north.id), 2)), emits(&["FineRulesSet"])),
            (both(set(None, 1)), emits(&["FineRulesSet"])),
        ]);
        let history = network.state().fine_rules_history(Some(network.north.id));
        assert_eq!(history.len(), 1, "one a day");
        for number in 0..64 {
            network.end_day(network.day(number));
            let outcome = network.send(&both(set(Some(network.north.id), i64::from(number) + 3)));
            let full = Rejection::TooManyVersions { bound: 64 }.code();
            assert_eq!(outcome.code, if number == 63 { full } else { 0 });
        }
    }
}
