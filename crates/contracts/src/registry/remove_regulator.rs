//! The owner's council takes the regulator's role from a party.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::PartyId;

use super::{PartyStatus, Role, without_role};
use crate::event::Event;
use crate::execute::Context;
use crate::governance::leave_office;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Removes a regulator from office; the party and its other roles stay. At least one regulator must
/// remain, else nobody could admit anyone any more.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RemoveRegulator {
    /// The regulator.
    pub party: PartyId,
}

impl Transaction for RemoveRegulator {
    const SENDERS: &'static [Who] = &[Who::Owner];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        context.require_owner()?;
        let mut party = state.party(self.party)?;
        without_role(&mut party, Role::Regulator)?;
        let mut census = state.census();
        if party.status == PartyStatus::Active {
            if census.regulators == 1 {
                return Err(Rejection::LastRegulator);
            }
            census.regulators -= 1;
        }
        state.put_census(census);
        leave_office(context, state, self.party);
        state.put_party(self.party, &party);
        state.emit(Event::RoleRevoked { party: self.party, role: Role::Regulator });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (one, two) = (network.owner[0].clone(), network.owner[1].clone());
        let remove = |party| RemoveRegulator { party };
        let ids: Vec<_> = network.regulators.iter().map(|regulator| regulator.id).collect();
        network.check(&[
            (
                by(&[&one], remove(PartyId::default())),
                breaks(Rejection::QuorumNotReached { signed: 1, wanted: 2 }),
            ),
            (by(&[&one, &two], remove(PartyId::default())), breaks(Rejection::PartyUnknown)),
            (by(&[&one, &two], remove(network.grid.id)), breaks(Rejection::RoleNotHeld)),
            (by(&[&one, &two], remove(ids[0])), emits(&["RoleRevoked"])),
            (by(&[&one, &two], remove(ids[1])), emits(&["RoleRevoked"])),
            (by(&[&one, &two], remove(ids[2])), breaks(Rejection::LastRegulator)),
        ]);
    }
}
