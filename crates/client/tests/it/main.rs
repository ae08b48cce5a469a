//! The client from outside: transactions, files and proofs, against rules run in memory.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod connection;
mod files;
mod kit;
mod proofs;
mod tariffs;
mod transaction_proofs;
