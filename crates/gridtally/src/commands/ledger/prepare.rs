//! `gridtally ledger prepare`: a key before there is a ledger.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::place;
use crate::cli::Global;
use crate::commands::keys::Protect;
use crate::exit::{Ended, Exit};
use crate::output;

/// Make the key with which this node is to be a validator of a further ledger.
///
/// Send the public key to whoever founds the ledger; it belongs to this ledger alone, so that nobody can
/// tell from it which organisation stands behind it. The key that is there already is told again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gridtally ledger prepare north --dir /var/lib/gridtally \
    --passphrase-file /etc/gridtally/passphrase")]
pub struct Prepare {
    /// The ledger's name on this node: small letters, digits and dashes.
    #[arg(value_name = "NAME")]
    name: String,
    /// The node's directory.
    #[arg(long, value_name = "DIR", env = "GRIDTALLY_DIR")]
    dir: PathBuf,
    /// How the new key is protected: as the node's other keys are.
    #[command(flatten)]
    protect: Protect,
}

impl Prepare {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let place = place::free(&self.dir, &self.name)?;
        let key = place::node_key(&place, &self.protect)?.public();
        if global.json {
            output::json(&json!({
                "name": self.name,
                "public_key": key.to_string(),
                "file": place.node_key_file().display().to_string(),
            }))?;
        } else {
            output::line(&format!("public key  {key}"))?;
            output::line(&format!("file        {}", place.node_key_file().display()))?;
        }
        Ok(Exit::Success)
    }
}
