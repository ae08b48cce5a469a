//! Integration tests of the ledger: one binary, one module per subject.

mod chain;
mod form;
mod kit;
mod replay;
mod store_crash;
mod store_damage;
mod store_fjall;
mod store_memory;
mod store_suite;
