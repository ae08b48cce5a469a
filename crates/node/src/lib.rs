//! Floor 4: the running node. It takes transactions, has them ordered, and hands final blocks to the
//! ledger.
//!
//! The way of a transaction: [`Node::submitter`] checks its form (signatures in batches, on all
//! cores) → [`mempool`] → the [`orderer`] makes it final in a block → `ledger` executes it and makes
//! it durable → whoever waits gets the answer. An answer is given only after the fsync.
//!
//! This floor alone touches the clock and, later, peers. It knows nothing of HTTP.
//!
//! Where to start reading: [`Node::start`], [`solo`], [`mempool`].

pub mod checking;
pub mod checkpoints;
mod clock;
pub mod error;
pub mod mempool;
pub mod node;
pub mod orderer;
pub mod private;
mod pruning;
pub mod quota;
mod service;
pub mod signal;
pub mod solo;
pub mod verifier;

pub use clock::{SystemClock, WallClock};
pub use error::NodeError;
pub use node::{Node, NodeConfig, NodeStatus, assemble};
pub use orderer::{Orderer, Ordering};
pub use private::PrivatePayloads;
pub use service::{Doors, Patience};
pub use solo::Solo;
pub use verifier::Threads;
