//! `gridtally ledger leave`: give up a further ledger.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use ledger::store::FjallStore;
use serde_json::json;

use crate::cli::Global;
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// How often it is looked whether the node has let go of the ledger.
const LOOK: Duration = Duration::from_millis(50);

/// Give up a further ledger and remove it.
///
/// A node that runs stops serving it within a second; then its directory is removed, the key and all
/// data in it included. Give up a validator's seat first (docs/network.md, "An organisation leaves"):
/// to the others it is a node that is away. The node's other ledgers go on.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gridtally ledger leave north --dir /var/lib/gridtally")]
pub struct Leave {
    /// The ledger's name on this node.
    #[arg(value_name = "NAME")]
    name: String,
    /// The node's directory.
    #[arg(long, value_name = "DIR", env = "GRIDTALLY_DIR")]
    dir: PathBuf,
    /// How long the node may take to let go of it, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

impl Leave {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let main = Directory::existing(&self.dir)?;
        let place = main.further(&self.name)?;
        if !place.path().exists() {
            let error = anyhow!("{} has no further ledger {}", self.dir.display(), self.name);
            return Err(error).end_with(Exit::Usage);
        }
        std::fs::write(place.leaving_mark(), "A node that finds this stops serving the ledger.\n")
            .with_context(|| format!("{} cannot be marked", place.path().display()))?;
        let until = Instant::now() + Duration::from_secs(self.timeout);
        while FjallStore::is_held(place.ledger()) {
            if Instant::now() > until {
                return Err(anyhow!(
                    "the node still holds the ledger {}; it is removed when the same command is run \
                     after the node has stopped",
                    self.name
                ))
                .end_with(Exit::Taken);
            }
            std::thread::sleep(LOOK);
        }
        std::fs::remove_dir_all(place.path())
            .with_context(|| format!("{} cannot be removed", place.path().display()))?;
        if global.json {
            output::json(&json!({ "name": self.name, "removed": true }))?;
        } else {
            output::line(&format!("{} is given up and removed", self.name))?;
        }
        Ok(Exit::Success)
    }
}
