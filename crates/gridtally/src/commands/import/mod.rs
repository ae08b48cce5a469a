//! `gridtally import`: files of others become signed transactions.
//!
//! Every import can be run again: what the ledger has already is skipped, so an import that was
//! stopped, by Ctrl-C or by a node that went away, goes on where it was. Everything is read and checked
//! before the first transaction is sent; a file with a bad line sends nothing.

mod delivery;
mod frequency;
mod members;
mod readings;

use clap::Subcommand;

use crate::cli::Global;
use crate::exit::{Ended, Exit};

/// Bring readings, frequencies or members from files to the ledger.
///
/// Each import can be run again and goes on where it was stopped. Exit code 1 says that something was
/// refused; each refusal is named with its line.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Readings of meters: a wide or long CSV table, or NEM12.
    ///
    /// A wide table has a column `time` and one column of kWh for each meter, or of Wh where the file's
    /// name ends in _wh.csv (what was injected stands in a second table, --export); a long one has
    /// usage_point or label, time, import_kwh and, if wanted, export_kwh and quality. NEM12 brings its
    /// channels (E drawn, B injected) and qualities. Decimal kWh become whole Wh by cumulative rounding,
    /// so that a day's sum is right within half a Wh; intervals longer than a slot are split evenly, odd
    /// Wh to the first part; shorter ones are added up. Each whole day becomes a seal, signed with the
    /// meter's key, or is part of a gateway's batch.
    #[command(after_help = "Examples:\n  \
        gridtally import readings july.csv --keys meters/\n  \
        gridtally import readings nem12.csv --gateway-key distributor.key --map members.csv\n  \
        gridtally import readings import.csv --export export.csv --keys meters/ --dry-run")]
    Readings(Box<readings::Readings>),
    /// Grid frequencies: a CSV with the columns date, time and freq_hz.
    ///
    /// The missing periods are published, up to 100 in one transaction, and each whole day is sealed.
    #[command(
        after_help = "Example:\n  gridtally import frequency frequency.csv --key operator.key"
    )]
    Frequency(frequency::Frequency),
    /// Households with their usage points and meters: a CSV with the columns alias, label and station.
    ///
    /// Optional columns: role (consumer, producer or prosumer), region, connection_limit_w. For each row
    /// a party and a meter get a key in the folder (readable by its owner alone), the party is
    /// registered by the regulator, its usage point and meter by the distributor. members.csv in the
    /// folder says which label has which ids.
    #[command(after_help = "Example:\n  gridtally import members members.csv --keys keys/ \
        --regulator-key regulator.key --network-provider-key provider.key \
        --distributor-key distributor.key --plain")]
    Members(Box<members::Members>),
}

impl Import {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        match self {
            Self::Readings(import) => import.run(global),
            Self::Frequency(import) => import.run(global),
            Self::Members(import) => import.run(global),
        }
    }
}
