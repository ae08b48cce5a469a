//! A regulator suspends a party.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::PartyId;

use super::{PartyStatus, Role, put_status, regulated_party};
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Suspends a party: no new business, what is open may be settled, its keys looked after.
/// Regulators answer to the owner, not to each other: they are not suspended this way.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SuspendParty {
    /// The party.
    pub party: PartyId,
}

impl Transaction for SuspendParty {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn execute(&self, _context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let party = regulated_party(state, self.party, |status| status == PartyStatus::Active)?;
        put_status(state, self.party, party, PartyStatus::Suspended);
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
        let suspend = |party| by(&[&regulator], SuspendParty { party });
        network.check(&[
            (suspend(PartyId::default()), breaks(Rejection::PartyUnknown)),
            (suspend(network.regulators[1].id), breaks(Rejection::SenderNotPermitted)),
            (suspend(network.south.id), emits(&["PartyStatusChanged"])),
            (suspend(network.south.id), breaks(Rejection::PartyStatusDiffers)),
        ]);
    }
}
