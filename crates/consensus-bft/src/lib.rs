//! Floor 5: Byzantine fault tolerant ordering among several validators.
//!
//! The protocol is Commonware's simplex, with marshal beside it, which orders final blocks, fetches
//! what is missing from peers and keeps what was agreed on disk; this crate is the only one that knows
//! Commonware. Behind the node's `Orderer` seam stands [`Bft`]; the ledger and its rules are the same
//! as in a solo node.
//!
//! One simplex engine runs per epoch, one marshal for the whole chain ([`engine`]). A block is our
//! header and transactions, with the engine's context in the header ([`block`]); validators vote on
//! its form ([`application`]), and when it is final it is executed, made durable and only then
//! acknowledged ([`delivery`]). Transactions that wait are passed on to the others ([`gossip`]); values
//! of a private ledger go from one entitled node to another ([`private_channel`]).
//! Certificates are turned into our own, byte for byte the same votes ([`certificate`]). A key that may
//! have voted in a directory that was lost does not vote ([`abstention`]). The engine keeps the newest
//! blocks itself and takes older ones from the ledger (`archive`).
//!
//! Everything is generic over the runtime: the operating system's clock, disks and sockets in a node
//! ([`orderer`], with its `handshake`), and a deterministic one in the simulator.
//!
//! Where to start reading: [`engine`], then [`application`] and [`delivery`].

pub mod abstention;
mod ahead;
pub mod application;
mod archive;
pub mod block;
mod bridge;
pub mod certificate;
mod connected;
pub mod delivery;
pub mod engine;
pub mod gossip;
mod handshake;
pub mod membership;
pub mod orderer;
pub mod private_channel;

pub use abstention::{Abstains, Told};
pub use application::Application;
pub use archive::Retention;
pub use block::OrderedBlock;
pub use connected::Connected;
pub use engine::{Config, Network, run};
pub use orderer::{Bft, Peer};
