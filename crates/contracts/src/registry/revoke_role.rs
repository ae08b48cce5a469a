//! A regulator takes a role from a party.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::PartyId;

use super::{Role, without_role};
use crate::event::Event;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Takes a role from a party. What it did in that role stays. Regulators are removed by the owner.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RevokeRole {
    /// The party.
    pub party: PartyId,
    /// The role.
    pub role: Role,
}

impl Transaction for RevokeRole {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn execute(&self, _context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        if self.role == Role::Regulator {
            return Err(Rejection::RoleNotGrantable);
        }
        let mut party = state.party(self.party)?;
        without_role(&mut party, self.role)?;
        state.put_party(self.party, &party);
        state.emit(Event::RoleRevoked { party: self.party, role: self.role });
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
        let regulator = network.regulators[0].key.clone();
        let revoke = |party, role| by(&[&regulator], RevokeRole { party, role });
        network.check(&[
            (revoke(PartyId::default(), Role::Regulator), breaks(Rejection::RoleNotGrantable)),
            (revoke(PartyId::default(), Role::Producer), breaks(Rejection::PartyUnknown)),
            (revoke(network.north.id, Role::Producer), breaks(Rejection::RoleNotHeld)),
            (revoke(network.north.id, Role::Distributor), emits(&["RoleRevoked"])),
            (revoke(network.north.id, Role::Distributor), breaks(Rejection::RoleNotHeld)),
        ]);
    }
}
