//! A validator changes its key and keeps its seat.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::KeyAddress;

use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

use super::change::newest_set;
use super::seats;

/// Gives the seat of one node to another node of the same organisation, two epochs from now. The
/// key that holds the seat cosigns: an organisation's own key alone moves no seat. Whoever lost
/// that key needs a vote.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RotateNodeKey {
    /// The node with the seat.
    pub from: KeyAddress,
    /// The node that gets it, registered before.
    pub to: KeyAddress,
}

impl Transaction for RotateNodeKey {
    const SENDERS: &'static [Who] = &[Who::AnyParty];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let organisation = context.party()?;
        let (from, to) = (state.node(&self.from)?, state.node(&self.to)?);
        if from.organisation != organisation || to.organisation != organisation {
            return Err(Rejection::KeyNotOfParty);
        }
        if !context.cosigned_by(&from.key) {
            return Err(Rejection::CosignatureMissing);
        }
        let set = seats::replaced(&newest_set(context, state), &from.key, &to.key)?;
        seats::schedule(context, state, set)?;
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
        let council = network.council();
        let (regulator, grid) = (network.regulators[0].clone(), network.grid.key.clone());
        let spare = key("spare node");
        let registration = network.node(&regulator, &spare);
        let rotate = |signers: &[&SigningKey], from: &SigningKey, to: &SigningKey| {
            let [from, to] = [from, to].map(|key| key.public().address());
            by(signers, RotateNodeKey { from, to })
        };
        let (one, seat) = (&regulator.key, &council.regulator);
        network.check(&[
            (rotate(&[one, seat], seat, &spare), breaks(Rejection::NodeUnknown)),
            (registration, emits(&["NodeRegistered"])),
            (rotate(&[&grid, seat], seat, &spare), breaks(Rejection::KeyNotOfParty)),
            (rotate(&[one, seat], seat, &council.grid), breaks(Rejection::KeyNotOfParty)),
            (rotate(&[one], seat, &spare), breaks(Rejection::CosignatureMissing)),
            (rotate(&[one, &spare], &spare, seat), breaks(Rejection::SeatTaken)),
            (rotate(&[one, seat], seat, &spare), emits(&["ValidatorsScheduled"])),
            (rotate(&[one, seat], seat, &spare), breaks(Rejection::SeatTaken)),
        ]);
        let state = network.state();
        let validators = [0, 1, 2].map(|epoch| state.validators_of(&network.rules, epoch)[0]);
        assert_eq!(validators, [seat.public(), seat.public(), spare.public()]);
    }

    #[test]
    fn a_node_without_a_seat_has_none_to_give() {
        let mut network = Network::new();
        let (council, grid) = (network.council(), network.grid.clone());
        let spare = key("spare node");
        let registration = network.node(&grid, &spare);
        network.accept(&registration);
        let [from, to] = [&council.grid, &spare].map(|key| key.public().address());
        let rotate = by(&[&grid.key, &council.grid], RotateNodeKey { from, to });
        network.check(&[(rotate, breaks(Rejection::NoSeat))]);
    }
}
