//! Nodes, validators, proposals, and what governance has changed since the genesis.

use std::collections::BTreeMap;

use contracts::governance::{Change, Endorsement, Node, Proposal};
use primitives::header::ValidatorSet;
use primitives::identifier::TransactionId;
use primitives::key::PublicKey;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::status::ParametersEntry;
use super::{party, texts};

/// A registered node.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NodeEntry {
    /// The address of its key.
    pub node: String,
    /// Its key.
    pub node_key: String,
    /// Who runs it.
    pub organisation: String,
    /// Where its peers reach it, `host:port`; empty when it only calls others.
    pub peer_address: String,
    /// Does it hold a validator's seat in the running epoch?
    pub holds_seat: bool,
}

impl NodeEntry {
    /// A node beside the running epoch's validators.
    #[must_use]
    pub fn new(node: &Node, validators: &ValidatorSet) -> Self {
        Self {
            node: node.key.address().to_string(),
            node_key: node.key.to_string(),
            organisation: node.organisation.to_string(),
            peer_address: node.peer_address.to_string(),
            holds_seat: validators.contains(&node.key),
        }
    }
}

/// A validator's seat.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeatEntry {
    /// The key that votes.
    pub node_key: String,
    /// Who runs the node; `null` for a seat of the genesis that nobody has claimed.
    pub organisation: Option<String>,
}

/// A set of validators and from when on it acts.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeatsEntry {
    /// The epoch.
    pub epoch: String,
    /// The height of the epoch's first block.
    pub from_height: String,
    /// How many of the validators must sign a block.
    pub quorum: u8,
    /// How many may fail or lie before the ledger stops.
    pub tolerated: u8,
    /// The seats, in order.
    pub seats: Vec<SeatEntry>,
}

impl SeatsEntry {
    /// A set, with the nodes that are known.
    #[must_use]
    pub fn new(
        (epoch, from_height): (u64, u64),
        set: &ValidatorSet,
        nodes: &BTreeMap<PublicKey, Node>,
    ) -> Self {
        let narrow = |number: usize| u8::try_from(number).expect("at most 128 seats");
        let seat = |key: &PublicKey| SeatEntry {
            node_key: key.to_string(),
            organisation: nodes.get(key).map(|node| node.organisation.to_string()),
        };
        Self {
            epoch: epoch.to_string(),
            from_height: from_height.to_string(),
            quorum: narrow(set.quorum()),
            tolerated: narrow(set.len() - set.quorum()),
            seats: set.keys().iter().map(seat).collect(),
        }
    }
}

/// Parameters and from when on they hold.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ScheduledParameters {
    /// The height of the first block in which they do.
    pub from_height: String,
    /// All of them.
    pub parameters: ParametersEntry,
}

/// What a kind of transaction needs beside its sender's signature, and from when on.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EndorsementsEntry {
    /// The kind's number.
    pub kind: u16,
    /// The kind's name.
    pub kind_name: String,
    /// The height of the first block in which it does.
    pub from_height: String,
    /// The signatures; empty = the sender's is enough.
    pub endorsements: Vec<EndorsementEntry>,
}

/// So many parties with this role.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EndorsementEntry {
    /// The role.
    pub role: &'static str,
    /// How many.
    pub count: u8,
}

impl EndorsementEntry {
    /// An endorsement.
    #[must_use]
    pub const fn new(it: &Endorsement) -> Self {
        Self { role: party::role(it.role), count: it.count }
    }
}

/// How the ledger runs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Governance {
    /// The epoch of the next block.
    pub epoch: String,
    /// Blocks of an epoch.
    pub epoch_blocks: u32,
    /// The validators of the running epoch and of those to come, as far as they are fixed.
    pub validators: Vec<SeatsEntry>,
    /// The parameters in force, and those to come.
    pub parameters: Vec<ScheduledParameters>,
    /// The version of the protocol in force.
    pub protocol_version: u8,
    /// What was set for kinds of transactions, in force or to come.
    pub endorsements: Vec<EndorsementsEntry>,
}

/// A proposed change.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProposalEntry {
    /// The proposal: the id of the proposing transaction.
    pub proposal: String,
    /// Who proposed it.
    pub proposer: String,
    /// `open`, `accepted` or `expired`.
    pub status: &'static str,
    /// What is proposed.
    pub change: Value,
    /// Until when it may be approved.
    pub valid_until: String,
    /// Who approved it.
    pub approvals: Vec<String>,
    /// Who else may.
    pub awaited: Vec<String>,
    /// Regulators that approved.
    pub regulators_approving: u8,
    /// Regulators that must.
    pub regulators_needed: u8,
    /// Organisations with seats that approved.
    pub organisations_approving: u8,
    /// Organisations with seats that must.
    pub organisations_needed: u8,
    /// The height of the first block in which the change acts; `null` while it is not accepted.
    pub acts_from_height: Option<String>,
}

impl ProposalEntry {
    /// A proposal; `is_over` = its time to be approved is.
    #[must_use]
    pub fn new(id: &TransactionId, it: &Proposal, is_over: bool) -> Self {
        let narrow = |number: usize| u8::try_from(number).expect("at most 129 have a voice");
        let (regulators, regulators_needed) = it.regulators_approving();
        let (organisations, organisations_needed) = it.organisations_approving();
        let mut awaited: Vec<_> = it.regulators.iter().chain(&it.organisations).collect();
        awaited.sort_unstable();
        awaited.dedup();
        awaited.retain(|party| !it.approvals.contains(party));
        Self {
            proposal: id.to_string(),
            proposer: it.proposer.to_string(),
            status: match it.acts_from {
                Some(_) => "accepted",
                None if is_over => "expired",
                None => "open",
            },
            change: change(&it.change),
            valid_until: it.valid_until.to_string(),
            approvals: texts(&it.approvals),
            awaited: awaited.into_iter().map(ToString::to_string).collect(),
            regulators_approving: narrow(regulators),
            regulators_needed: narrow(regulators_needed),
            organisations_approving: narrow(organisations),
            organisations_needed: narrow(organisations_needed),
            acts_from_height: it.acts_from.map(|height| height.to_string()),
        }
    }
}

/// A change, as it was proposed.
#[must_use]
pub fn change(change: &Change) -> Value {
    match change {
        Change::Seats { remove, add } => {
            json!({ "change": "seats", "remove": texts(remove), "add": texts(add) })
        }
        Change::Parameters { from_height, parameters } => json!({
            "change": "parameters",
            "from_height": from_height.get().to_string(),
            "parameters": ParametersEntry::new(parameters),
        }),
        Change::Endorsements { from_height, kind, endorsements } => {
            let endorsements: Vec<_> = endorsements.iter().map(EndorsementEntry::new).collect();
            json!({
                "change": "endorsements",
                "from_height": from_height.get().to_string(),
                "kind": kind,
                "kind_name": crate::routes::kind_name(*kind),
                "endorsements": endorsements,
            })
        }
        Change::Protocol { from_height, version } => json!({
            "change": "protocol",
            "from_height": from_height.get().to_string(),
            "version": version,
        }),
    }
}
