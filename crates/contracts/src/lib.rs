//! Floor 2: the rules of the network, as one deterministic state machine.
//!
//! A transaction comes in signed and ordered; this crate says whether it may act and what it does.
//! It knows no disk, no network, no clock, no threads, no floats and no randomness: the same
//! transactions in the same order give the same state on every machine.
//!
//! Where to start reading:
//! - [`transaction`]: the table of all transactions and the trait each of them fills;
//! - [`execute`]: what happens to one ordered transaction, from its sequence to its receipt;
//! - [`rejection`]: every rule that can be broken, with its stable number;
//! - a transaction of your choice, for example [`metering::SealDay`]: one file, its data, rules, effect;
//! - [`reach`]: what of the history a rule may still read;
//! - [`billing::bill_calculation`]: from readings, frequencies and a tariff to the lines of a bill.
//!
//! Invariants: energy and money are integers from the meter to the bill; every posting debits one
//! account and credits another, so the sum over all accounts is always zero; a rejected transaction
//! writes nothing but the sequence it used up.

pub mod account;
pub mod billing;
pub mod event;
pub mod execute;
pub mod genesis;
pub mod governance;
pub mod metering;
pub mod notary;
pub mod reach;
pub mod registry;
pub mod rejection;
pub mod state;
pub mod state_key;
pub mod tariff;
pub mod transaction;

pub use event::Event;
pub use execute::{Context, Sender, execute_transaction};
pub use genesis::{Genesis, Rules};
pub use rejection::{Malformed, Rejection};
pub use state::{Overlay, Position, State};
pub use transaction::{Body, Transaction, Who};

#[cfg(test)]
extern crate self as contracts;
#[cfg(test)]
mod tests;
