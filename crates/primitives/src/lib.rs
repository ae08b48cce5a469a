//! Floor 1: the nouns that every other floor speaks, and the bytes they are made of.
//!
//! Units, ids, keys and signatures, hashes, Merkle proofs, the canonical codec, and the shapes that
//! leave a node: envelope, header, certificate, receipt, proof. Everything here is pure: no file, no
//! socket, no clock, no random numbers, no floats, no hash-map order. The same code therefore runs
//! in a node, in a meter, in the command line and in anybody's own verifier.
//!
//! The bytes of every type are written down in `docs/format.md` and pinned by the files in
//! `crates/primitives/golden/`; changing one of them is a deliberate act.
//!
//! Where to start reading: [`units`] and [`codec`] (how values stay in range on their way through
//! the wire), then [`envelope`] (what people sign), [`header`] (what validators sign) and [`proof`]
//! (what anybody can check).
//!
//! ```
//! use primitives::units::{MicroPerKilowattHour, WattHours};
//!
//! // 250 Wh at 4.00 per kWh cost exactly 1.00.
//! let price = MicroPerKilowattHour::new(4_000_000);
//! let exact = price.cost(WattHours::new(250));
//! assert_eq!(exact.round_to(10_000).unwrap().get(), 1_000_000);
//! ```

pub mod calendar;
pub mod codec;
pub mod column;
pub mod envelope;
pub mod hash;
pub mod header;
pub mod identifier;
pub mod key;
pub mod merkle;
pub mod proof;
pub mod reading;
pub mod receipt;
pub mod rounding;
pub mod units;

#[cfg(test)]
mod tests;
