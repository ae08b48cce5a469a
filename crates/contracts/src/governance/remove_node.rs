//! A node leaves.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::KeyAddress;

use crate::event::Event;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who};

/// Removes a node: its organisation does, or a majority of the regulators. A validator gives up its
/// seat first, by a vote. Its key is never registered again.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RemoveNode {
    /// The address of the node's key.
    pub node: KeyAddress,
}

impl Transaction for RemoveNode {
    const SENDERS: &'static [Who] = &[Who::AnyParty];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let node = state.node(&self.node)?;
        if node.organisation != context.party()? {
            context.require_regulators(state)?;
        }
        let epoch = context.epoch();
        let sits_now = state.validators_of(context.rules, epoch).contains(&node.key);
        let seats = state.seats();
        let sits_later = seats.iter().any(|(from, set)| from > epoch && set.contains(&node.key));
        if sits_now || sits_later {
            return Err(Rejection::NodeHoldsSeat);
        }
        let mut record = state.key_record(&self.node).ok_or(Rejection::KeyUnknown)?;
        record.revoked = true;
        state.put_key_record(&record);
        state.delete(&state_key::node(&self.node));
        state.emit(Event::NodeRemoved { organisation: node.organisation, node: self.node });
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
        let [one, two] = [0, 1].map(|index: usize| network.regulators[index].key.clone());
        let (grid, north) = (network.grid.key.clone(), network.north.key.clone());
        let remove = |signers: &[&SigningKey], node: &SigningKey| {
            by(signers, RemoveNode { node: node.public().address() })
        };
        network.accept(&network.proposal(seats(&[], &[&council.grid, &council.south])));
        let again = network.node(&network.north.clone(), &council.north);
        network.check(&[
            (remove(&[&north], &key("nobody")), breaks(Rejection::NodeUnknown)),
            (
                remove(&[&grid], &council.north),
                breaks(Rejection::QuorumNotReached { signed: 0, wanted: 2 }),
            ),
            (
                remove(&[&one], &council.north),
                breaks(Rejection::QuorumNotReached { signed: 1, wanted: 2 }),
            ),
            (remove(&[&one], &council.regulator), breaks(Rejection::NodeHoldsSeat)),
            (remove(&[&grid], &council.grid), breaks(Rejection::NodeHoldsSeat)),
            (remove(&[&one, &two], &council.north), emits(&["NodeRemoved"])),
            (remove(&[&north], &council.north), breaks(Rejection::NodeUnknown)),
            (again, breaks(Rejection::KeyAlreadyRegistered)),
        ]);
    }
}
