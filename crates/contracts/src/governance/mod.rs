//! What changes how the ledger itself runs.

mod advance_clock;

pub use advance_clock::AdvanceClock;
