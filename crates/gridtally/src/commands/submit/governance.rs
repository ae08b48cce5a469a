//! The clock of a trial ledger.

use clap::{Args, Subcommand};
use contracts::governance::AdvanceClock;
use primitives::envelope::Submission;
use primitives::units::Timestamp;

use super::signing::Signatory;
use super::values;
use crate::exit::Ended;

/// The transactions of governance.
#[derive(Debug, Subcommand)]
pub enum Governance {
    /// Move a virtual clock forward.
    ///
    /// Sent by the clock keeper that the genesis names; refused on ledgers that keep the system's
    /// time.
    #[command(after_help = "Example:\n  gridtally submit advance-clock \
        --to 2026-07-02T00:00:00+05:30 --key keeper.key")]
    AdvanceClock(AdvanceClockFlags),
}

/// See [`AdvanceClock`].
#[derive(Debug, Args)]
pub struct AdvanceClockFlags {
    /// The new time, later than the newest block's.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    to: Timestamp,
}

impl Governance {
    /// Builds and signs it.
    pub fn sign(self, signatory: Signatory) -> Result<Submission, Ended> {
        match self {
            Self::AdvanceClock(AdvanceClockFlags { to }) => signatory.sign(AdvanceClock { to }),
        }
    }
}
