//! Floor 3, beside the ledger: what every program needs that talks to a node or checks its word.
//!
//! Build and sign transactions ([`transaction_builder`]), send them and read answers
//! ([`connection`], with the rights of a party: [`session`]), check a bill alone ([`verify`]), and the files that people keep: keys
//! ([`key_file`], [`encryption_key`]), the genesis ([`genesis_file`]), proofs ([`proof_file`], [`transaction_proof`]), tariffs ([`tariff_file`]),
//! frequencies ([`frequency_file`]) and readings ([`readings_file`]). This crate knows no node and no store; what it is told by
//! one, it checks.
//!
//! ```
//! use client::transaction_builder::Signer;
//! use primitives::calendar::SettlementPeriod;
//! use primitives::hash::Hash;
//! use primitives::identifier::{LedgerId, UsagePointId};
//! use primitives::key::SigningKey;
//! use primitives::reading::{Quality, Reading};
//! use primitives::units::{Sequence, WattHours};
//!
//! let ledger_id = LedgerId::from_genesis_hash(Hash::of(b"a genesis"), true);
//! let mut meter = Signer::new(SigningKey::from_seed([7; 32]), ledger_id, Sequence::new(1));
//! let reading = Reading {
//!     import_wh: WattHours::new(250),
//!     export_wh: WattHours::ZERO,
//!     quality: Quality::Actual,
//! };
//! let usage_point = UsagePointId::new([1; 16]);
//! let period = SettlementPeriod::new(1_627_488);
//! let submission = meter.submit_reading(usage_point, period, reading, [9; 32]).unwrap();
//! assert!(submission.transaction.verify_signatures().is_ok());
//! assert_eq!(meter.next_sequence(), Sequence::new(2));
//! ```

pub mod connection;
pub mod encryption_key;
pub mod estimation_json;
pub mod frequency_file;
pub mod genesis_file;
pub mod key_file;
pub mod private_bill_json;
pub mod proof_file;
pub mod readings_file;
pub mod session;
pub mod tariff_file;
pub mod transaction_builder;
pub mod transaction_proof;
pub mod verify;

mod atomic_file;
mod bill_json;
mod chain_json;
mod decimal;
mod fine_json;
mod json;
mod proof_columns;
mod proof_json;
mod tariff_json;
mod tariff_toml;
