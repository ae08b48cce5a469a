//! What changes how the ledger itself runs: its clock, its nodes, its validators, its parameters.
//!
//! Shape: an organisation registers its [`Node`]s; a node is an observer until it holds a *seat*
//! among the validators. Seats, parameters, endorsements and the protocol's version change by a
//! [`Proposal`] that a majority of the regulators and more than two thirds of the organisations in
//! office approve. What is approved in epoch e acts in epoch e + 2 at the earliest, so that a final
//! header of e + 1 commits to it before it acts (protocol §11).
//!
//! On request the validators agree on a *checkpoint*: a root over the whole state, against which a
//! snapshot of it can be held.

mod advance_clock;
mod approve_change;
mod attest_checkpoint;
mod change;
mod checkpoint;
mod endorsement;
mod node;
mod office;
mod proposal;
mod propose_change;
mod register_node;
mod remove_node;
mod request_checkpoint;
mod rotate_node_key;
mod schedule;
mod seats;

pub use advance_clock::AdvanceClock;
pub use approve_change::ApproveChange;
pub use attest_checkpoint::AttestCheckpoint;
pub use change::Change;
pub use checkpoint::{AgreedCheckpoint, Attestation, CHECKPOINT_PATIENCE_MS, OpenCheckpoint};
pub use endorsement::{Endorsement, Endorsements, MAX_ENDORSEMENTS};
pub use node::{MAX_NODES, Node};
pub use office::{MAX_REGULATORS, Office};
pub use proposal::{PROPOSAL_LIFETIME_MS, Proposal};
pub use propose_change::ProposeChange;
pub use register_node::RegisterNode;
pub use remove_node::RemoveNode;
pub use request_checkpoint::RequestCheckpoint;
pub use rotate_node_key::RotateNodeKey;
pub use schedule::{MAX_SCHEDULED, Schedule};

pub(crate) use office::{enter_office, leave_office};
