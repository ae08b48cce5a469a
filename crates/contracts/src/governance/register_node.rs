//! An organisation registers a node.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Text;
use primitives::key::PublicKey;

use crate::event::Event;
use crate::execute::Context;
use crate::registry::Holder;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

use super::node::ORGANISATIONS;
use super::{MAX_NODES, Node};

/// Registers a node of the sender's organisation, or claims a validator's seat of the genesis for
/// it; the node's key cosigns as proof of its possession. Sent again for a node of the same
/// organisation it changes the peer address. A registered node follows the ledger as an observer;
/// a seat takes a vote.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RegisterNode {
    /// The node's key.
    pub key: PublicKey,
    /// Where its peers reach it, `host:port`; empty when it only calls others.
    pub peer_address: Text<255>,
}

impl Transaction for RegisterNode {
    const SENDERS: &'static [Who] = ORGANISATIONS;

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let organisation = context.party()?;
        if !context.cosigned_by(&self.key) {
            return Err(Rejection::CosignatureMissing);
        }
        let node = Node { organisation, key: self.key, peer_address: self.peer_address.clone() };
        match state.node(&self.key.address()) {
            Ok(known) if known == node => {
                state.emit(Event::AlreadyRecorded {});
                return Ok(());
            }
            Ok(known) if known.organisation == organisation => {}
            _ => {
                let holder = Holder::Node(organisation);
                state.add_key_record(context.rules, self.key, holder, context.time)?;
                if state.nodes().len() >= MAX_NODES {
                    return Err(Rejection::TooManyNodes { bound: MAX_NODES as u64 });
                }
            }
        }
        state.put_node(&node);
        state.emit(Event::NodeRegistered { organisation, node: self.key.address() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::AddKey;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (grid, north) = (network.grid.clone(), network.north.clone());
        let (node, taken) = (key("node"), network.homes[0].meter.clone());
        let moved = |member: &Member| {
            let peer_address = "127.0.0.1:7002".parse().unwrap();
            by(&[&member.key, &node], RegisterNode { key: node.public(), peer_address })
        };
        let mut unsigned = network.node(&grid, &node);
        unsigned.signers.pop();
        network.check(&[
            (unsigned, breaks(Rejection::CosignatureMissing)),
            (network.node(&grid, &taken), breaks(Rejection::KeyAlreadyRegistered)),
            (network.node(&grid, &network.owner[0]), breaks(Rejection::KeyAlreadyRegistered)),
            (network.node(&grid, &node), emits(&["NodeRegistered"])),
            (network.node(&grid, &node), emits(&["AlreadyRecorded"])),
            (moved(&north), breaks(Rejection::KeyAlreadyRegistered)),
            (moved(&grid), emits(&["NodeRegistered"])),
        ]);
        let known = network.state().node(&node.public().address()).unwrap();
        assert_eq!(known.peer_address.as_str(), "127.0.0.1:7002");
        assert_eq!(network.state().nodes(), [known]);
    }

    #[test]
    fn a_node_sends_no_transaction() {
        let mut network = Network::new();
        let (node, tablet) = (network.council().grid, key("tablet"));
        let add = by(&[&node, &tablet], AddKey { key: tablet.public() });
        network.check(&[(add, breaks(Rejection::SenderNotPermitted))]);
    }

    #[test]
    fn a_ledger_has_no_more_nodes_than_a_peer_can_know() {
        let mut network = Network::new();
        let grid = network.grid.clone();
        for number in 0..MAX_NODES {
            let draft = network.node(&grid, &key(&format!("node {number}")));
            network.accept(&draft);
        }
        let one_more = network.node(&grid, &key("one more"));
        network.check(&[(one_more, breaks(Rejection::TooManyNodes { bound: 512 }))]);
    }
}
