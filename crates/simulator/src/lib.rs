//! Floor 5: whole networks from one seed, and the day that shows the ledger at work.
//!
//! [`day`] plays one day of a small grid on a ledger: parties are registered, meters report,
//! frequencies are published, slots are charged, bills are issued and paid. `gridtally demo` and
//! `gridtally simulate` run it against a node; tests run it against a ledger in memory. It reaches
//! the ledger through one small door, [`desk::Desk`], and time through another, [`pace::Pace`].
//!
//! Everything comes from the plan's seed: keys ([`demo_keys`]), the grid's frequency
//! ([`frequency_generator`]), what the homes draw and inject ([`households`]). The same plan gives
//! the same transactions, the same blocks and the same roots.
//!
//! Nothing in here is for a real network: the keys are public, so a day is only played on a ledger
//! whose genesis says `demo: true`.

pub mod day;
pub mod demo_keys;
pub mod desk;
pub mod frequency_generator;
pub mod households;
pub mod load;
pub mod pace;
pub mod plan;
pub mod report;

mod random;

pub use day::{DayError, run_day};
pub use desk::{Desk, DeskError, LedgerDesk};
pub use plan::{DayPlan, genesis};
pub use report::{BillRow, DayReport, Phase, Progress, Totals};
