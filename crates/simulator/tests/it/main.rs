//! The day on a ledger in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod direct_desk;
mod one_day;
mod pruned_day;
