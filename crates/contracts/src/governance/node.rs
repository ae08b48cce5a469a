//! Nodes: who runs which, and where the others reach it.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Text;
use primitives::identifier::{KeyAddress, PartyId};
use primitives::key::PublicKey;

use crate::registry::Role;
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;
use crate::transaction::Who;

/// Nodes on a ledger: bounds the peers of each.
pub const MAX_NODES: usize = 512;

/// Those who may run nodes, and ask something of all nodes.
pub(super) const ORGANISATIONS: &[Who] = &[
    Who::Role(Role::Regulator),
    Who::Role(Role::GridOperator),
    Who::Role(Role::Distributor),
    Who::Role(Role::Aggregator),
    Who::Role(Role::NetworkProvider),
];

/// A node of an organisation. Its key speaks for the node among nodes and sends no transactions.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Node {
    /// Who runs it.
    pub organisation: PartyId,
    /// Its key: a validator votes with it, every node is known to its peers by it.
    pub key: PublicKey,
    /// Where its peers reach it, `host:port`; empty when it only calls others.
    pub peer_address: Text<255>,
}

impl dyn State + '_ {
    /// A registered node.
    ///
    /// # Errors
    /// [`Rejection::NodeUnknown`].
    pub fn node(&self, key: &KeyAddress) -> Result<Node, Rejection> {
        self.read(&state_key::node(key)).ok_or(Rejection::NodeUnknown)
    }

    /// Every registered node, in order of the addresses of their keys.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        let decode = |bytes: &[u8]| {
            primitives::codec::decode(bytes).expect("state values are written by this crate")
        };
        let entries = self.scan(&state_key::nodes(), None, MAX_NODES);
        entries.iter().map(|(_, value)| decode(value)).collect()
    }

    pub(super) fn put_node(&mut self, node: &Node) {
        self.write(state_key::node(&node.key.address()), node);
    }
}
