//! `gridtally network add-org`: an organisation and its validator come to a network that runs.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::Args;
use client::connection::Connection;
use contracts::governance::RegisterNode;
use contracts::registry::{AppointRegulator, Role};
use primitives::key::{PublicKey, SigningKey};
use serde_json::json;

use super::folder::{Folder, NetworkFile, NodeEntry};
use super::founding::{free_ports, fresh, on_loopback, prepare};
use super::organisations::{MAX_ORGANISATIONS, Organisation, tolerated_faults};
use super::process::Process;
use super::registration::{party_of, text};
use super::seats::{Acts, Seats, Step, tell};
use super::up::answers;
use crate::cli::Global;
use crate::commands::connect::field_u64;
use crate::commands::interrupt::Interrupt;
use crate::commands::keys::{Passphrase, read_key, write_key};
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// A node that is this near has caught up: the others go on while it is asked.
const NEAR_BLOCKS: u64 = 2;

/// Add an organisation and its validator to a network that runs.
///
/// Makes the organisation's key and its node, has the regulator register it with the network
/// provider's countersignature, registers the node, starts it and waits until it has caught up; then
/// the regulator proposes a validator's seat for it and the organisations with seats vote. What they
/// approve in one epoch acts in the one after the next. The command returns when the new node's
/// signature counts, and says from which epoch and block on.
///
/// A name that begins with `grid` or `regulator` makes a grid operator or a regulator, every other
/// one a distributor. The keys in DIR sign for everybody, as `network up` left them; docs/network.md
/// shows the same steps for separate machines. Run it again when it was interrupted: it goes on where
/// it stood.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gridtally network add-org dist-c --dir net\n  \
    gridtally network status --dir net")]
pub struct AddOrg {
    /// The organisation's name: small letters, digits and dashes.
    #[arg(value_name = "NAME")]
    name: String,
    /// The network's directory.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The port of the new node's API; a free one unless told otherwise.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    api_port: Option<u16>,
    /// The port on which the new node listens for the others; a free one unless told otherwise.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    peer_port: Option<u16>,
    /// How long all of it may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

/// What a newcomer signs with.
struct Newcomer {
    organisation: Organisation,
    key: SigningKey,
    node: NodeEntry,
    node_key: SigningKey,
}

impl AddOrg {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let until = Instant::now() + Duration::from_secs(self.timeout);
        let interrupt = Interrupt::listen_patiently()?;
        let folder = Folder::existing(&self.dir)?;
        let mut seats = Seats::beside(&folder, &self.name, &interrupt, until)?;
        let newcomer = self.prepare(&folder, &mut seats.network)?;
        register(&seats, &newcomer)?;
        start(&seats, &newcomer)?;
        let acts = seats.vote(Step::Give, &self.name, newcomer.node_key.public())?;
        let signed = count(&seats, &newcomer, &acts)?;
        self.say(&seats, &newcomer, (acts, signed), global)?;
        Ok(Exit::Success)
    }

    /// Keys, ports and configuration; what is there already is taken.
    fn prepare(&self, folder: &Folder, network: &mut NetworkFile) -> Result<Newcomer, Ended> {
        let organisation = match network.organisation(&self.name) {
            Some(known) => known.clone(),
            None => Organisation::newcomer(&self.name)?,
        };
        let key_file = folder.key_file(&self.name);
        if !key_file.exists() {
            write_key(&key_file, &fresh()?, None)?;
        }
        let key = folder.key(&self.name)?;
        if let Some(node) = network.node(&self.name).cloned() {
            let directory = Directory::existing(&folder.node(&self.name))?;
            let node_key = read_key(&directory.node_key_file(), &Passphrase::default())?;
            return Ok(Newcomer { organisation, key, node, node_key });
        }
        if network.nodes.len() >= MAX_ORGANISATIONS {
            return Err(anyhow!("a network on one machine has {MAX_ORGANISATIONS} nodes at most"))
                .end_with(Exit::Usage);
        }
        let node_key = fresh()?;
        let free = free_ports(2, node_key.public())?;
        let node = NodeEntry {
            name: self.name.clone(),
            key: node_key.public().to_string(),
            api: on_loopback(self.api_port.unwrap_or(free[0])),
            peer: on_loopback(self.peer_port.unwrap_or(free[1])),
        };
        // A directory that the network does not list was left behind by a command that was cut short.
        let directory = folder.node(&self.name);
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        let first = network.nodes.first().map(|first| folder.node(&first.name));
        let genesis = Directory::existing(&first.unwrap_or_default())?.genesis()?;
        prepare(folder, &node, &node_key, &genesis, &network.nodes)?;
        if network.organisation(&self.name).is_none() {
            network.organisations.push(organisation.clone());
        }
        network.nodes.push(node.clone());
        folder.write(network)?;
        tell(&format!("{} has keys and a node, API {}", self.name, node.url()));
        Ok(Newcomer { organisation, key, node, node_key })
    }

    fn say(
        &self,
        seats: &Seats<'_>,
        newcomer: &Newcomer,
        (acts, signed): (Acts, u64),
        global: &Global,
    ) -> Result<(), Ended> {
        let Newcomer { organisation, key, node, .. } = newcomer;
        let tolerated = tolerated_faults(acts.seats);
        let folder = seats.folder;
        if global.json {
            return output::json(&json!({
                "name": node.name,
                "roles": organisation.role_names(),
                "party": seats.key(&key.public())?["party"],
                "api": node.url(),
                "peer": node.peer.to_string(),
                "key": node.key,
                "key_file": folder.key_file(&node.name).display().to_string(),
                "log": folder.log(&node.name).display().to_string(),
                "pid": Process::of(folder, &node.name).map(|process| process.pid),
                "epoch": acts.epoch.to_string(),
                "from_height": acts.from_height.to_string(),
                "signed": signed.to_string(),
                "validators": acts.seats,
                "tolerated_faults": tolerated,
            }));
        }
        output::line(&format!(
            "{} validates since epoch {} (block {}), block {signed} carries its signature; {} \
             validators, {tolerated} may fail\nkey     {}\nlook    gridtally network status --dir {}",
            node.name,
            acts.epoch,
            acts.from_height,
            acts.seats,
            folder.key_file(&node.name).display(),
            self.dir.display()
        ))
    }
}

/// Makes the organisation and its node known to the ledger.
fn register(seats: &Seats<'_>, newcomer: &Newcomer) -> Result<(), Ended> {
    let Newcomer { organisation, key, node, node_key } = newcomer;
    let name = &organisation.name;
    let is_registered =
        |key: PublicKey| move |seats: &Seats<'_>| Ok(seats.key(&key)?["registered"] == true);
    if seats.key(&node_key.public())?["revoked"] == true {
        return Err(anyhow!(
            "the node of {name} was removed; finish that with `gridtally network remove-org {name} \
             --dir {}`, then add it again",
            seats.folder.path().display()
        ))
        .end_with(Exit::Failure);
    }
    let is_known = is_registered(key.public());
    if organisation.is(Role::Regulator) {
        let body = AppointRegulator {
            alias: text(name)?,
            key: key.public(),
            encryption_key: client::encryption_key::public(key),
        };
        let owner = seats.folder.key("owner")?;
        let what = format!("the owner appoints {name}");
        seats.ensure(&what, is_known, body, (owner, &[key]))?;
    } else {
        let body = party_of(name, organisation.roles.clone(), key)?;
        let regulator = seats.first(Role::Regulator)?;
        let provider = seats.first(Role::NetworkProvider)?;
        let what = format!("{} registers {name}, {} countersigns", regulator.name, provider.name);
        let cosigner = seats.folder.key(&provider.name)?;
        let signer = seats.folder.key(&regulator.name)?;
        seats.ensure(&what, is_known, body, (signer, &[key, &cosigner]))?;
    }
    let body = RegisterNode { key: node_key.public(), peer_address: text(&node.peer.to_string())? };
    let what = format!("{name} registers its node, which listens at {}", node.peer);
    seats.ensure(&what, is_registered(node_key.public()), body, (key.clone(), &[node_key]))
}

/// Starts the node, unless it runs, and waits until it has caught up: a seat for a node that is
/// behind costs the others a second at each of its turns.
fn start(seats: &Seats<'_>, newcomer: &Newcomer) -> Result<(), Ended> {
    let node = &newcomer.node;
    if Process::of(seats.folder, &node.name).is_none() {
        tell(&format!("{} starts its node", node.name));
        Process::start(seats.folder, &node.name)?;
    }
    answers(seats.folder, &seats.network, node, seats.interrupt, seats.until)?;
    let own = own_node(node)?;
    let mut reached = 0;
    seats.wait("catching up", || {
        reached = own.status().map_or(0, |status| status.height.get());
        Ok(reached + NEAR_BLOCKS >= seats.height()?)
    })?;
    tell(&format!("{} has caught up, block {reached}", node.name));
    Ok(())
}

fn own_node(node: &NodeEntry) -> Result<Connection, Ended> {
    Connection::with_timeout(&node.url(), Duration::from_secs(3))
        .map_err(crate::commands::connect::ended)
}

/// Waits until the newcomer's signature stands in a block of its first epoch or a later one; gives
/// the block.
fn count(seats: &Seats<'_>, newcomer: &Newcomer, acts: &Acts) -> Result<u64, Ended> {
    let Acts { epoch, from_height, .. } = acts;
    tell(&format!("accepted: it acts in epoch {epoch}, from block {from_height} on"));
    let key = newcomer.node.key.as_str();
    let mut signed = 0;
    seats.wait("waiting for its signature", || {
        let network = seats.node.get_json("/v1/network");
        let network = network.map_err(crate::commands::connect::ended)?;
        let validators = network["validators"].as_array().cloned().unwrap_or_default();
        let own = validators.iter().find(|it| it["validator"] == key);
        signed = own.and_then(|own| field_u64(own, "last_signed")).unwrap_or_default();
        Ok(signed >= *from_height)
    })?;
    Ok(signed)
}
