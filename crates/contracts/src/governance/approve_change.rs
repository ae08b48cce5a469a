//! Those in office approve a proposal.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::TransactionId;

use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Approves a proposal, by the sender and every cosigner with a voice in it. The last approval that
/// is needed lets the change act; it is refused when the change has become impossible meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ApproveChange {
    /// The proposal: the id of the proposing transaction.
    pub proposal: TransactionId,
}

impl Transaction for ApproveChange {
    const SENDERS: &'static [Who] = &[Who::AnyParty];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let proposal = state.proposal(&self.proposal)?;
        if !proposal.has_voice(context.party()?) {
            return Err(Rejection::NotInOffice);
        }
        if proposal.acts_from.is_some() || proposal.valid_until < context.time {
            return Err(Rejection::ProposalEnded);
        }
        proposal.approve(context, state, self.proposal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governance::{Change, PROPOSAL_LIFETIME_MS, ProposeChange};
    use crate::registry::RemoveRegulator;
    use crate::tests::kit::*;
    use primitives::units::Timestamp;

    const ACCEPTED: &[&str] = &["ChangeApproved", "ValidatorsScheduled", "ChangeAccepted"];

    fn approve(signers: &[&SigningKey], proposal: TransactionId) -> Draft {
        by(signers, ApproveChange { proposal })
    }

    fn proposed(network: &mut Network, signer: &SigningKey, change: Change) -> TransactionId {
        network.accept(&by(&[signer], ProposeChange { change })).id
    }

    /// Four validators of four organisations, two epochs on.
    fn four() -> (Network, [SigningKey; 4], SigningKey) {
        let mut network = Network::new();
        let council = network.council();
        network.accept(&network.proposal(council.four_seats()));
        network.enter_epoch(2);
        let members = [&network.regulators[0], &network.grid, &network.north, &network.south];
        let keys = members.map(|member| member.key.clone());
        (network, keys, council.south)
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let (mut network, [one, grid, north, south], seat) = four();
        let two = network.regulators[1].key.clone();
        let customer = network.homes[0].customer.key.clone();
        let proposal = proposed(&mut network, &grid, seats(&[&seat], &[]));
        let again = proposed(&mut network, &grid, seats(&[&seat], &[]));
        network.check(&[
            (approve(&[&one], TransactionId::default()), breaks(Rejection::ProposalUnknown)),
            (approve(&[&customer], proposal), breaks(Rejection::NotInOffice)),
            (approve(&[&grid], proposal), breaks(Rejection::ApprovedBefore)),
            (approve(&[&one], proposal), emits(&["ChangeApproved"])),
            (approve(&[&north, &one], proposal), emits(&["ChangeApproved"])),
            // Three of four organisations, but one of three regulators.
            (approve(&[&one], proposal), breaks(Rejection::ApprovedBefore)),
            (approve(&[&two], proposal), emits(ACCEPTED)),
            (approve(&[&south], proposal), breaks(Rejection::ProposalEnded)),
            // What was possible when it was proposed is so no longer.
            (approve(&[&one, &two], again), emits(&["ChangeApproved", "ChangeApproved"])),
            (approve(&[&north], again), breaks(Rejection::NoSeat)),
        ]);
        let state = network.state();
        let seated = [2, 3, 4].map(|epoch| state.validators_of(&network.rules, epoch).len());
        assert_eq!(seated, [4, 4, 3], "what is approved in epoch 2 acts in epoch 4");
    }

    #[test]
    fn neither_the_regulators_nor_the_organisations_alone_change_anything() {
        let (mut network, [one, grid, north, south], seat) = four();
        let [two, three] = [1, 2].map(|index: usize| network.regulators[index].key.clone());
        let by_regulators = proposed(&mut network, &one, seats(&[&seat], &[]));
        network.accept(&approve(&[&two, &three], by_regulators));
        let by_organisations = proposed(&mut network, &grid, seats(&[&seat], &[]));
        network.accept(&approve(&[&north, &south, &one], by_organisations));
        let state = network.state();
        for id in [by_regulators, by_organisations] {
            assert_eq!(state.proposal(&id).unwrap().acts_from, None);
        }
        assert_eq!(state.validators_of(&network.rules, 4).len(), 4);
    }

    #[test]
    fn the_owner_cannot_touch_an_open_proposal() {
        let (mut network, [one, grid, north, _], seat) = four();
        let proposal = proposed(&mut network, &one, seats(&[&seat], &[]));
        network.accept(&approve(&[&grid, &north], proposal));
        // The owner appoints five of its own and dismisses the others.
        let friends = ["friend 1", "friend 2", "friend 3"].map(|name| network.appoint(name));
        let owners = [network.owner[0].clone(), network.owner[1].clone()];
        for index in [1, 2] {
            let party = network.regulators[index].id;
            network.accept(&by(&[&owners[0], &owners[1]], RemoveRegulator { party }));
        }
        let own = by(&[&friends[0].key], ProposeChange { change: seats(&[&seat], &[]) });
        let two = network.regulators[1].key.clone();
        network.check(&[
            (approve(&[&friends[0].key], proposal), breaks(Rejection::NotInOffice)),
            (own.clone(), breaks(Rejection::NotInOffice)),
            (approve(&[&two], proposal), emits(ACCEPTED)),
        ]);
        network.enter_epoch(4);
        let gone = by(&[&two], ProposeChange { change: seats(&[], &[&seat]) });
        let back = by(&[&friends[0].key], ProposeChange { change: seats(&[], &[&seat]) });
        network.check(&[
            (gone, breaks(Rejection::NotInOffice)),
            (back, emits(&["ChangeProposed", "ChangeApproved"])),
        ]);
    }

    #[test]
    fn a_proposal_waits_thirty_days() {
        let (mut network, [one, grid, ..], seat) = four();
        let proposal = proposed(&mut network, &one, seats(&[&seat], &[]));
        let end = network.time.get() + PROPOSAL_LIFETIME_MS;
        network.time = Timestamp::new(end);
        let mut late = network.clone();
        late.time = Timestamp::new(end + 1);
        network.check(&[(approve(&[&grid], proposal), emits(&["ChangeApproved"]))]);
        late.check(&[(approve(&[&grid], proposal), breaks(Rejection::ProposalEnded))]);
    }
}
