//! `gridtally ledger join`: take up a further ledger of others.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::place::{self, Meeting};
use crate::cli::Global;
use crate::commands::keys::Protect;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Put a further ledger in place that somebody else founded.
///
/// Compare the ledger's id, which is printed, with the one that the founder named. A node whose key has
/// a seat in the genesis validates; one that comes later follows as soon as it is registered there
/// (`gridtally submit register-node`). A node that runs takes the ledger up within a second.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  gridtally ledger join north --dir /var/lib/gridtally --genesis \
    north.json --peer-listen 10.0.0.12:7421 --peer GRID_KEY@10.0.0.11:7421 --passphrase-file \
    /etc/gridtally/passphrase"
)]
pub struct Join {
    /// The ledger's name on this node: small letters, digits and dashes.
    #[arg(value_name = "NAME")]
    name: String,
    /// The node's directory.
    #[arg(long, value_name = "DIR", env = "GRIDTALLY_DIR")]
    dir: PathBuf,
    /// The ledger's genesis file, as its founder sent it.
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// How this node meets the others.
    #[command(flatten)]
    meeting: Meeting,
    /// How the key is protected, or unlocked when it was prepared.
    #[command(flatten)]
    protect: Protect,
}

impl Join {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let genesis = client::genesis_file::read(&self.genesis)
            .with_context(|| format!("{} is not a genesis", self.genesis.display()))
            .end_with(Exit::Usage)?;
        let place = place::free(&self.dir, &self.name)?;
        let key = place::node_key(&place, &self.protect)?.public();
        self.meeting.check(&genesis, &key)?;
        place::put(&self.dir, &place, &self.meeting, &genesis)?;
        let (id, has_seat) = (genesis.ledger_id(), genesis.validators.contains(&key));
        if global.json {
            output::json(&json!({
                "name": self.name,
                "ledger_id": id.to_string(),
                "public_key": key.to_string(),
                "has_seat": has_seat,
                "path": format!("/ledgers/{}", self.name),
            }))?;
        } else {
            output::line(&format!("ledger      {id}"))?;
            output::line(&format!("public key  {key}"))?;
            output::line(match has_seat {
                true => "its key has a seat in the genesis: it validates",
                false => {
                    "its key has no seat in the genesis: it follows once it is registered there"
                }
            })?;
        }
        Ok(Exit::Success)
    }
}
