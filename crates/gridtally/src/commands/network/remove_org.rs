//! `gridtally network remove-org`: an organisation's validator leaves a network that runs.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::Args;
use contracts::governance::RemoveNode;
use primitives::key::PublicKey;
use serde_json::json;

use super::folder::{Folder, LedgerEntry};
use super::organisations::tolerated_faults;
use super::process::{Process, stop};
use super::seats::{Acts, Seats, Step, tell};
use crate::cli::Global;
use crate::commands::interrupt::Interrupt;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Take an organisation's validator out of a network that runs.
///
/// The regulator proposes that it loses its seat, the organisations with seats vote, and when the set
/// without it acts, its node is removed from the ledger and stopped, also when it was down already.
/// The organisation stays a party of the ledger with its key in DIR: what it owes and is owed goes
/// on, and add-org brings it back with a new node.
///
/// The rules refuse a set without a regulator, and one in which an organisation would hold a third of
/// the seats or more. Fewer than four validators tolerate no fault; the command says so and goes on.
/// Run it again when it was interrupted: it goes on where it stood.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gridtally network remove-org dist-c --dir net")]
pub struct RemoveOrg {
    /// The organisation's name.
    #[arg(value_name = "NAME")]
    name: String,
    /// The network's directory.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// How long all of it may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

impl RemoveOrg {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let until = Instant::now() + Duration::from_secs(self.timeout);
        let interrupt = Interrupt::listen_patiently()?;
        let folder = Folder::existing(&self.dir)?;
        let network = folder.founded_network()?;
        let Some(node) = network.node(&self.name) else {
            let names: Vec<&str> = network.nodes.iter().map(|node| node.name.as_str()).collect();
            return Err(anyhow!(
                "{:?} has no node in {}; there are {}",
                self.name,
                self.dir.display(),
                names.join(", ")
            ))
            .end_with(Exit::Usage);
        };
        let key: PublicKey = node.key.parse().map_err(anyhow::Error::new)?;
        let seats = Seats::beside(&folder, &self.name, &interrupt, until)?;
        let has_seat =
            |ledger: &&LedgerEntry| ledger.nodes.iter().any(|seat| seat.name == self.name);
        for ledger in network.ledgers.iter().filter(has_seat) {
            tell(&format!(
                "its node also leaves the further ledger {}, where its seat stays empty",
                ledger.name
            ));
        }
        let acts = self.leave(&seats, key)?;
        if let Some(process) = Process::of(&folder, &self.name) {
            tell(&format!("{} stops its node", self.name));
            stop(&[(&self.name, process)])?;
        }
        let mut network = seats.network;
        folder.remove_node(&mut network, &self.name)?;
        let tolerated = tolerated_faults(acts.seats);
        if global.json {
            output::json(&json!({
                "name": self.name,
                "key": key.to_string(),
                "epoch": acts.epoch.to_string(),
                "from_height": acts.from_height.to_string(),
                "validators": acts.seats,
                "tolerated_faults": tolerated,
            }))?;
        } else {
            output::line(&format!(
                "{} validates no more since epoch {} (block {}) and its node is stopped; {} \
                 validators, {tolerated} may fail",
                self.name, acts.epoch, acts.from_height, acts.seats
            ))?;
        }
        Ok(Exit::Success)
    }

    /// Gives up the seat and then the node; gives the set without it.
    fn leave(&self, seats: &Seats<'_>, key: PublicKey) -> Result<Acts, Ended> {
        let seats_now = seats.settled(Step::Give, &key)?.map(|acts| acts.seats);
        if let Some(left) = seats_now.map(|seats| seats - 1)
            && tolerated_faults(left) == 0
        {
            tell(&format!(
                "{left} validators will tolerate no fault: the ledger stops whenever one of them is \
                 away; four go on without one"
            ));
        }
        let acts = seats.vote(Step::Take, &self.name, key)?;
        let Acts { epoch, from_height, .. } = acts;
        tell(&format!("accepted: it acts in epoch {epoch}, from block {from_height} on"));
        seats.wait("waiting for the set without it", || Ok(seats.height()? >= from_height))?;
        let is_gone = |seats: &Seats<'_>| {
            let known = seats.key(&key)?;
            Ok(known["registered"] != true || known["revoked"] == true)
        };
        let what = format!("{} removes its node from the ledger", self.name);
        let signer = seats.folder.key(&self.name)?;
        seats.ensure(&what, is_gone, RemoveNode { node: key.address() }, (signer, &[]))?;
        Ok(acts)
    }
}
