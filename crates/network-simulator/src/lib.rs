//! Floor 6: whole networks of the real node code, in one thread, from one seed.
//!
//! Validators with the real ledger, mempool and engine run on a deterministic runtime: its time,
//! its network and its disks are simulated, and everything that happens follows from the seed. Clients
//! send transactions, faults strike, one validator may lie; what must hold is checked all along
//! ([`checks`]). A seed that failed fails again.
//!
//! [`simulate`] runs one seed; [`scenario`] changes the validators step by step; [`Bug`] plants a bug in the network, to prove that it is found.

pub mod checks;
mod clients;
mod conduct;
mod council;
mod network;
mod random;
pub mod scenario;
mod spoiled;
mod world;

pub use conduct::Bug;
pub use world::{Faults, SeedReport, simulate};
