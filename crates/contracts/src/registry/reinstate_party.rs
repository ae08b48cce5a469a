//! A regulator lets a suspended party act again.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::PartyId;

use super::{PartyStatus, Role, put_status, regulated_party};
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Ends a suspension.
/// Regulators answer to the owner, not to each other: they are not suspended this way.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReinstateParty {
    /// The party.
    pub party: PartyId,
}

impl Transaction for ReinstateParty {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn execute(&self, _context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let party = regulated_party(state, self.party, |status| status == PartyStatus::Suspended)?;
        put_status(state, self.party, party, PartyStatus::Active);
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
        let reinstate = |party| by(&[&regulator], ReinstateParty { party });
        network.check(&[
            (reinstate(PartyId::default()), breaks(Rejection::PartyUnknown)),
            (reinstate(network.regulators[1].id), breaks(Rejection::SenderNotPermitted)),
            (reinstate(network.south.id), emits(&["PartyStatusChanged"])),
            (reinstate(network.south.id), breaks(Rejection::PartyStatusDiffers)),
        ]);
    }
}
