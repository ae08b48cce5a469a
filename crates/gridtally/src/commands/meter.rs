//! `gridtally meter`: the program of a meter, or of a gateway box beside it.
//!
//! It holds its key, builds and signs everything itself, and trusts nobody's answer: the genesis is
//! pinned at first use, and whatever the node says it recorded is checked against a final header
//! ([`check`]). What cannot be sent waits on disk ([`outbox`]) and is sent as the same bytes later;
//! what the meter itself has to remember stands in [`memory`]. Where its values come from is told in
//! [`source`].

mod check;
mod memory;
mod outbox;
mod provisional;
mod run;
mod source;

use clap::Subcommand;

use crate::cli::Global;
use crate::exit::{Ended, Exit};

/// The program of a meter.
#[derive(Debug, Subcommand)]
pub enum Meter {
    /// Report what a meter measures: from a file, a simulated home, or a pipe.
    ///
    /// Each slot is signed and sent when it has ended, each whole day is sealed. While the node is away
    /// everything waits in --state and is sent later, the same bytes again, so nothing is lost and
    /// nothing acts twice. Every answer is checked against the pinned genesis: the receipt's proof, its
    /// header and certificate. A rejected transaction is kept in STATE/refused with its reason.
    #[command(after_help = "Examples:\n  \
        gridtally meter run --key meter.key --state meter/ --file july.csv --speed max --once\n  \
        gridtally meter run --key meter.key --state meter/ --simulate 7\n  \
        read-registers | gridtally meter run --key meter.key --state meter/ --stdin\n\n\
        Lines of --stdin: IMPORT_REGISTER_WH EXPORT_REGISTER_WH [TIME], or JSON with the fields \
        import_register_wh, export_register_wh and, if wanted, time.\n\
        Exit codes: 4 with --once: the node is away and something waits · 5 the node's answer is \
        proven wrong")]
    Run(Box<run::Run>),
}

impl Meter {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        match self {
            Self::Run(run) => run.run(global),
        }
    }
}
