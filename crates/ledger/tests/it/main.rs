//! Integration tests of the ledger: one binary, one module per subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chain;
mod chunks;
mod epochs;
mod form;
mod kit;
mod prune;
mod pruned_snapshot;
mod replay;
mod snapshot;
mod store_crash;
mod store_damage;
mod store_fjall;
mod store_memory;
mod store_suite;
