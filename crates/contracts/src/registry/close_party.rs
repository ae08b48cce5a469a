//! A regulator closes a party for ever.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::PartyId;

use super::{PartyStatus, Role, put_status, regulated_party};
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Closes a party: only after settlement, with every account at zero. Its history stays.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CloseParty {
    /// The party.
    pub party: PartyId,
}

impl Transaction for CloseParty {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn execute(&self, _context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let party = regulated_party(state, self.party, |status| status != PartyStatus::Closed)?;
        if state.has_balance(self.party) {
            return Err(Rejection::BalanceNotZero);
        }
        let mut census = state.census();
        census.parties -= 1;
        state.put_census(census);
        put_status(state, self.party, party, PartyStatus::Closed);
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
        let (rich, poor) = (network.homes[0].customer.clone(), network.homes[1].customer.id);
        network.fund(&rich, 1_000_000);
        let before = network.state().census().parties;
        let close = |party| by(&[&regulator], CloseParty { party });
        network.check(&[
            (close(PartyId::default()), breaks(Rejection::PartyUnknown)),
            (close(network.regulators[1].id), breaks(Rejection::SenderNotPermitted)),
            (close(rich.id), breaks(Rejection::BalanceNotZero)),
            (close(poor), emits(&["PartyStatusChanged"])),
            (close(poor), breaks(Rejection::PartyStatusDiffers)),
        ]);
        assert_eq!(network.state().census().parties, before - 1);
    }
}
