//! The real binary from outside: the demo, proofs, replay, and a node that is killed, filled and
//! misused.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod acceptance;
mod commands;
mod demo;
mod hostile;
mod import;
mod kills;
mod ledgers;
mod liar;
mod meter;
mod month;
mod network;
mod node;
mod notary;
mod private;
mod process;
mod proofs;
mod prune;
mod read_model;
mod snapshot;
mod snapshot_faults;
mod wire;
mod world;
