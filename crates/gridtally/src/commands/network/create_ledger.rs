//! `gridtally network create-ledger`: a further ledger of some of the organisations.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::Args;
use client::connection::Connection;
use consensus_bft::Peer;
use contracts::Genesis;
use node::{SystemClock, WallClock};
use primitives::key::{PublicKey, SigningKey};
use serde_json::{Value, json};

use super::folder::{Folder, LedgerEntry, LedgerSeat, NetworkFile};
use super::founding::{free_ports, fresh, on_loopback};
use super::further::{answers, url};
use super::organisations::{Organisation, on_further_ledger, tolerated_faults};
use super::process::LOOK;
use super::registration::{Founders, Seat, send, steps_of};
use super::seats::tell;
use super::up::{EPOCH_BLOCKS, check};
use crate::cli::Global;
use crate::commands::connect::ended;
use crate::commands::init::{ClockKind, Founding};
use crate::commands::interrupt::Interrupt;
use crate::commands::keys::{Passphrase, Protect, read_key, write_key};
use crate::commands::ledger::place::{self, Meeting};
use crate::directory::{Directory, check_ledger_name};
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Found a further ledger of some of the organisations of a network that runs.
///
/// Makes an owner's key, a key for each member's node, one genesis and a port each, puts the ledger in
/// place at the nodes, which take it up while the main ledger goes on, registers the members with their
/// own keys, and returns when the nodes of all of them have the same state. The other organisations'
/// nodes neither receive nor serve anything of it. Where no regulator is a member, the last member
/// regulates this ledger. Run it again when it was interrupted: it goes on where it stood.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gridtally network create-ledger north --members \
    grid,dist-a,regulator --dir net\n  gridtally show parties --node ADDRESS/ledgers/north --key \
    net/keys/dist-a.key")]
pub struct CreateLedger {
    /// The ledger's name: small letters, digits and dashes.
    #[arg(value_name = "NAME")]
    name: String,
    /// The members; each one runs a validator of it. Four of them tolerate that one is away.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    members: Vec<String>,
    /// A private ledger: readings lie only on the nodes of those whom they are about.
    #[arg(long)]
    private: bool,
    /// The network's directory.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// How long all of it may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
}

impl CreateLedger {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let until = Instant::now() + Duration::from_secs(self.timeout);
        check_ledger_name(&self.name).map_err(|why| anyhow!(why)).end_with(Exit::Usage)?;
        let interrupt = Interrupt::listen_patiently()?;
        let folder = Folder::existing(&self.dir)?;
        let mut network = folder.founded_network()?;
        let members = self.members_of(&network)?;
        let place = match network.ledgers.iter().position(|ledger| ledger.name == self.name) {
            Some(place) => place,
            None => self.found(&folder, &mut network, members)?,
        };
        let ledger = network.ledgers[place].clone();
        let genesis = Directory::existing(&folder.ledger(&self.name))?.genesis()?;
        put_in_place(&folder, &ledger, &genesis)?;
        let nodes = answers(&folder, &network, &ledger, &interrupt, until)?;
        if !ledger.registered {
            register(&folder, &network, &ledger, genesis, (&interrupt, until))?;
            network.ledgers[place].registered = true;
            folder.write(&network)?;
        }
        let (height, root) = agreed(&nodes, &interrupt, until)?;
        self.say(&folder, &network, &network.ledgers[place], (height, &root), global)?;
        Ok(Exit::Success)
    }

    /// The members as organisations of this network.
    fn members_of(&self, network: &NetworkFile) -> Result<Vec<Organisation>, Ended> {
        let mut members: Vec<Organisation> = Vec::with_capacity(self.members.len());
        for name in &self.members {
            let known = network.organisation(name).filter(|_| network.node(name).is_some());
            let Some(member) = known else {
                let names: Vec<&str> =
                    network.nodes.iter().map(|node| node.name.as_str()).collect();
                return Err(anyhow!(
                    "--members: {name:?} has no node in {}; there are {}",
                    self.dir.display(),
                    names.join(", ")
                ))
                .end_with(Exit::Usage);
            };
            if members.iter().any(|other| other.name == *name) {
                return Err(anyhow!("--members names {name:?} twice")).end_with(Exit::Usage);
            }
            members.push(member.clone());
        }
        let known = network.ledgers.iter().find(|ledger| ledger.name == self.name);
        if let Some(known) = known
            && !known.organisations.iter().map(|it| &it.name).eq(members.iter().map(|it| &it.name))
        {
            return Err(anyhow!("there is a ledger {:?} with other members", self.name))
                .end_with(Exit::Usage);
        }
        on_further_ledger(members)
    }

    /// Makes keys and genesis and writes the ledger down; gives its place in the list. What a founding
    /// that was cut short left behind was put in place nowhere.
    fn found(
        &self,
        folder: &Folder,
        network: &mut NetworkFile,
        members: Vec<Organisation>,
    ) -> Result<usize, Ended> {
        let home = Directory::create(&folder.ledger(&self.name))?;
        let owner = owner_key(&home)?;
        let mut keys = Vec::with_capacity(members.len());
        for member in &members {
            let place = place::free(&folder.node(&member.name), &self.name)?;
            keys.push(place::node_key(&place, &Protect::plain())?.public());
        }
        let genesis = self.genesis(network, folder, &keys, owner.public())?;
        if home.genesis_file().exists() {
            std::fs::remove_file(home.genesis_file())?;
        }
        client::genesis_file::write(&home.genesis_file(), &genesis).map_err(anyhow::Error::from)?;
        let ports = free_ports(members.len(), keys[0])?;
        let seats = members.iter().zip(&keys).zip(ports);
        let nodes = seats.map(|((member, key), port)| LedgerSeat {
            name: member.name.clone(),
            key: key.to_string(),
            peer: on_loopback(port),
        });
        network.ledgers.push(LedgerEntry {
            name: self.name.clone(),
            ledger_id: genesis.ledger_id().to_string(),
            registered: false,
            nodes: nodes.collect(),
            organisations: members,
        });
        folder.write(network)?;
        tell(&format!("{} is founded, ledger {}", self.name, genesis.ledger_id()));
        Ok(network.ledgers.len() - 1)
    }

    /// Zone, slots and currency are those of the main ledger.
    fn genesis(
        &self,
        network: &NetworkFile,
        folder: &Folder,
        keys: &[PublicKey],
        owner: PublicKey,
    ) -> Result<Genesis, Ended> {
        let main = network.nodes.first().map(|node| folder.node(&node.name)).unwrap_or_default();
        let main = Directory::existing(&main)?.genesis()?;
        let founding = Founding {
            name: Some(self.name.clone()),
            zone: main.zone.name.to_string(),
            slot_minutes: main.slot_minutes,
            currency: main.currency.code.to_string(),
            minor_unit_decimals: main.currency.minor_unit_decimals,
            clock: ClockKind::System,
            begin: None,
            owner: Vec::new(),
            owner_threshold: 1,
            validator: keys[1..].to_vec(),
            epoch_blocks: EPOCH_BLOCKS,
            private: self.private,
        };
        founding.genesis(keys[0], vec![owner], None, SystemClock::default().now())
    }

    fn say(
        &self,
        folder: &Folder,
        network: &NetworkFile,
        ledger: &LedgerEntry,
        (height, root): (u64, &str),
        global: &Global,
    ) -> Result<(), Ended> {
        let home = Directory::create(&folder.ledger(&self.name))?;
        let tolerated = tolerated_faults(ledger.nodes.len());
        let members = ledger.nodes.iter().zip(&ledger.organisations).map(|(seat, organisation)| {
            json!({
                "name": seat.name,
                "roles": organisation.role_names(),
                "url": network.node(&seat.name).map(|node| url(node, &ledger.name)),
                "peer": seat.peer.to_string(),
                "key": seat.key,
                "key_file": folder.key_file(&seat.name).display().to_string(),
            })
        });
        let members: Vec<Value> = members.collect();
        if global.json {
            return output::json(&json!({
                "name": ledger.name,
                "ledger_id": ledger.ledger_id,
                "genesis": home.genesis_file().display().to_string(),
                "owner_key_file": home.owner_key_file().display().to_string(),
                "tolerated_faults": tolerated,
                "height": height.to_string(),
                "state_root": root,
                "members": members,
            }));
        }
        output::line(&format!(
            "ledger {} {}, block {height} is the same at its {} members, {tolerated} may fail",
            ledger.name,
            ledger.ledger_id,
            members.len()
        ))?;
        let mut table = output::table(&["member", "is", "API"], 3);
        for (seat, organisation) in ledger.nodes.iter().zip(&ledger.organisations) {
            let url = network.node(&seat.name).map(|node| url(node, &ledger.name));
            let roles = organisation.role_names().join(", ");
            table.add_row([seat.name.clone(), roles, url.unwrap_or_default()]);
        }
        output::line(&table.to_string())?;
        output::line(&format!("genesis {}", home.genesis_file().display()))
    }
}

/// The key of the ledger's owner; one that is there already is taken.
fn owner_key(home: &Directory) -> Result<SigningKey, Ended> {
    let file = home.owner_key_file();
    if !file.exists() {
        write_key(&file, &fresh()?, None)?;
    }
    read_key(&file, &Passphrase::default())
}

/// Puts the ledger in place at each member that has not got it yet.
fn put_in_place(folder: &Folder, ledger: &LedgerEntry, genesis: &Genesis) -> Result<(), Ended> {
    for seat in &ledger.nodes {
        let dir = folder.node(&seat.name);
        let directory = Directory::existing(&dir)?.further(&ledger.name)?;
        if directory.genesis_file().exists() {
            continue;
        }
        let mut peer = Vec::new();
        for other in ledger.nodes.iter().filter(|other| other.name != seat.name) {
            let key: PublicKey = other.key.parse().map_err(anyhow::Error::new)?;
            peer.push(Peer { key, address: other.peer });
        }
        let meeting = Meeting { peer_listen: Some(seat.peer), peer };
        place::put(&dir, &directory, &meeting, genesis)?;
    }
    Ok(())
}

/// Makes the members known to the ledger.
fn register(
    folder: &Folder,
    network: &NetworkFile,
    ledger: &LedgerEntry,
    genesis: Genesis,
    (interrupt, until): (&Interrupt, Instant),
) -> Result<(), Ended> {
    let seat = |seat: &LedgerSeat| -> Result<Seat, Ended> {
        let key = folder.ledger_key(&seat.name, &ledger.name)?;
        Ok(Seat { key, peer: seat.peer.to_string() })
    };
    let seats = ledger.nodes.iter().map(seat).collect::<Result<Vec<_>, _>>()?;
    let owner = owner_key(&Directory::existing(&folder.ledger(&ledger.name))?)?;
    let founders = Founders { owner: owner.clone(), organisations: &ledger.organisations, seats };
    let first = ledger.nodes.first().and_then(|seat| network.node(&seat.name));
    let first = first.map(|node| url(node, &ledger.name)).unwrap_or_default();
    for step in steps_of(folder, genesis, founders, 0)? {
        check(interrupt)?;
        tell(step.name);
        send(&first, Some(&owner), &step, until)?;
    }
    Ok(())
}

/// Waits until all nodes have executed the same block; gives its height and the state that its header
/// commits to.
fn agreed(
    nodes: &[Connection],
    interrupt: &Interrupt,
    until: Instant,
) -> Result<(u64, String), Ended> {
    let mut height = 0;
    for node in nodes {
        height = height.max(node.status().map_err(ended)?.height.get());
    }
    let mut headers: Vec<Value> = Vec::with_capacity(nodes.len());
    for node in nodes {
        while node.status().map_err(ended)?.height.get() < height {
            check(interrupt)?;
            if Instant::now() > until {
                return Err(anyhow!("{} stays behind block {height}", node.address()))
                    .end_with(Exit::Failure);
            }
            std::thread::sleep(LOOK);
        }
        let block = node.get_json(&format!("/v1/blocks/{height}")).map_err(ended)?;
        headers.push(block["header"].clone());
    }
    let bytes = |header: &Value| header["bytes"].clone();
    if headers.iter().any(|header| bytes(header) != bytes(&headers[0])) {
        return Err(anyhow!("the members' nodes have different blocks {height}"))
            .end_with(Exit::Damaged);
    }
    let root = headers[0]["executed"]["state_root"].as_str().unwrap_or_default();
    Ok((height, root.to_owned()))
}
