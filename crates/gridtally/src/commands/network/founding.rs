//! A new network on disk: keys, one genesis, and a directory with a configuration for each node.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, anyhow};
use client::transaction_builder::new_key;
use contracts::Genesis;
use node::{SystemClock, WallClock};
use primitives::key::{PublicKey, SigningKey};

use super::folder::{Folder, NetworkFile, NodeEntry};
use super::organisations::Organisation;
use crate::commands::init::Founding;
use crate::commands::keys::write_key;
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};

/// Ports are sought from here on, below those that the system gives to outgoing connections, so that
/// they are free when a stopped network starts again.
const FIRST_PORT: u16 = 12_000;
const LAST_PORT: u16 = 32_000;
/// So far apart two processes seek that were started one after the other.
const APART: u32 = 64;

/// Makes the network. What a founding that was cut short left behind is removed first: no node of it
/// was ever started.
///
/// # Errors
/// When something cannot be written, or no ports are free.
pub fn found(
    folder: &Folder,
    organisations: &[Organisation],
    households: u32,
    founding: &Founding,
) -> Result<NetworkFile, Ended> {
    folder.clear()?;
    for path in [folder.keys(), folder.logs()] {
        std::fs::create_dir(&path)?;
    }
    let owner = key(folder, "owner")?;
    let validators = organisations.iter().map(|_| fresh()).collect::<Result<Vec<_>, _>>()?;
    for organisation in organisations {
        key(folder, &organisation.name)?;
    }
    for number in 1..=households {
        key(folder, &household(number))?;
        key(folder, &meter(number))?;
    }
    let public: Vec<PublicKey> = validators.iter().map(SigningKey::public).collect();
    let mut founding = founding.clone();
    founding.validator = public[1..].to_vec();
    let time = SystemClock::default().now();
    let genesis = founding.genesis(public[0], vec![owner.public()], None, time)?;
    let ports = free_ports(2 * organisations.len(), public[0])?;
    let nodes: Vec<NodeEntry> = (organisations.iter().zip(&public).zip(ports.chunks(2)))
        .map(|((organisation, key), ports)| NodeEntry {
            name: organisation.name.clone(),
            key: key.to_string(),
            api: on_loopback(ports[0]),
            peer: on_loopback(ports[1]),
        })
        .collect();
    for (node, validator) in nodes.iter().zip(&validators) {
        prepare(folder, node, validator, &genesis, &nodes)?;
    }
    let network = NetworkFile {
        ledger_id: genesis.ledger_id().to_string(),
        households,
        registered: false,
        organisations: organisations.to_vec(),
        nodes,
        ledgers: Vec::new(),
    };
    folder.write(&network)?;
    Ok(network)
}

/// A port of this machine.
pub fn on_loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Makes a node's directory: its key, the genesis, and a configuration that names the others.
///
/// # Errors
/// When something cannot be written.
pub fn prepare(
    folder: &Folder,
    node: &NodeEntry,
    key: &SigningKey,
    genesis: &Genesis,
    others: &[NodeEntry],
) -> Result<(), Ended> {
    let directory = Directory::create(&folder.node(&node.name))?;
    write_key(&directory.node_key_file(), key, None)?;
    client::genesis_file::write(&directory.genesis_file(), genesis).map_err(anyhow::Error::from)?;
    Ok(std::fs::write(directory.config_file(), configuration(node, others))?)
}

/// The name of a household's key.
pub fn household(number: u32) -> String {
    format!("household-{number}")
}

/// The name of the key of a household's meter.
pub fn meter(number: u32) -> String {
    format!("meter-{number}")
}

/// A new key.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn fresh() -> Result<SigningKey, Ended> {
    Ok(new_key().context("the operating system gives no random bytes")?)
}

fn key(folder: &Folder, name: &str) -> Result<SigningKey, Ended> {
    let key = fresh()?;
    write_key(&folder.key_file(name), &key, None)?;
    Ok(key)
}

/// The configuration of a node: where it listens, and where the others do.
fn configuration(node: &NodeEntry, all: &[NodeEntry]) -> String {
    let mut text = format!(
        "# The node of {}.\nlisten = \"{}\"\n\n[network]\nlisten = \"{}\"\npeers = [\n",
        node.name, node.api, node.peer
    );
    for other in all.iter().filter(|other| other.name != node.name) {
        let _ = writeln!(text, "  \"{}@{}\", # {}", other.key, other.peer, other.name);
    }
    text.push_str("]\n");
    text
}

/// Ports that nobody listens on. The search begins at a place that differs from network to network and
/// from process to process, so that two that are founded at the same time do not meet, not even two
/// demonstrations, which have the same keys.
///
/// # Errors
/// [`Exit::Taken`] when there are not enough.
pub fn free_ports(count: usize, key: PublicKey) -> Result<Vec<u16>, Ended> {
    let range = LAST_PORT - FIRST_PORT;
    let of_key = u32::from(u16::from_be_bytes([key.bytes[0], key.bytes[1]]));
    let of_process = std::process::id().wrapping_mul(APART);
    let start = (of_key.wrapping_add(of_process) % u32::from(range)) as u16;
    let candidates = (0..range).map(|step| FIRST_PORT + (start + step) % range);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let ports: Vec<u16> = candidates.filter(is_free).take(count).collect();
    if ports.len() < count {
        return Err(anyhow!("fewer than {count} ports are free on this machine"))
            .end_with(Exit::Taken);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_two_networks_are_free_and_apart() {
        let ports = free_ports(8, PublicKey::ed25519([7; 32])).unwrap();
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, ports[3])).unwrap();
        let others = free_ports(8, PublicKey::ed25519([7; 32])).unwrap();
        assert!(!others.contains(&ports[3]), "somebody listens there");
        drop(taken);
        let far = free_ports(8, PublicKey::ed25519([200; 32])).unwrap();
        assert!(far.iter().all(|port| !ports.contains(port)));
    }
}
