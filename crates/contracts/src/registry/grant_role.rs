//! A regulator gives a party a further role.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::PartyId;

use super::{PartyStatus, Role, with_role};
use crate::event::Event;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Adds a role to an active party: a household that installs panels becomes Consumer and Producer.
/// The role Regulator is not grantable this way.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct GrantRole {
    /// The party.
    pub party: PartyId,
    /// The role.
    pub role: Role,
}

impl Transaction for GrantRole {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn execute(&self, _context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        if self.role == Role::Regulator {
            return Err(Rejection::RoleNotGrantable);
        }
        let mut party = state.party(self.party)?;
        if party.status != PartyStatus::Active {
            return Err(Rejection::PartyStatusDiffers);
        }
        with_role(&mut party, self.role)?;
        state.put_party(self.party, &party);
        state.emit(Event::RoleGranted { party: self.party, role: self.role });
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
        network.suspend(network.south.id);
        let grant = |party, role| by(&[&regulator], GrantRole { party, role });
        let nobody = PartyId::default();
        network.check(&[
            (grant(nobody, Role::Regulator), breaks(Rejection::RoleNotGrantable)),
            (grant(nobody, Role::Distributor), breaks(Rejection::PartyUnknown)),
            (grant(network.south.id, Role::Distributor), breaks(Rejection::PartyStatusDiffers)),
            (grant(network.north.id, Role::Distributor), breaks(Rejection::RoleAlreadyHeld)),
            (grant(network.north.id, Role::Aggregator), emits(&["RoleGranted"])),
        ]);
    }
}
