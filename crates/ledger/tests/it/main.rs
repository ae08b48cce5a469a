//! Integration tests of the ledger: one binary, one module per subject.

mod store_crash;
mod store_damage;
mod store_fjall;
mod store_memory;
mod store_suite;
