//! The further ledgers of a network, reached through the nodes of their members.

use std::time::{Duration, Instant};

use client::connection::{Connection, ConnectionError};

use super::folder::{Folder, LedgerEntry, NetworkFile, NodeEntry};
use super::process::{LOOK, Process};
use super::up::{check, silent};
use crate::commands::connect::ended;
use crate::commands::interrupt::Interrupt;
use crate::exit::Ended;

/// The address of a further ledger on a node.
pub fn url(node: &NodeEntry, ledger: &str) -> String {
    format!("{}/ledgers/{ledger}", node.url())
}

/// A further ledger on a member's node, in a session of the key that the node has there.
///
/// # Errors
/// The key cannot be read, no answer, or the node does not serve it.
pub fn enter(
    folder: &Folder,
    node: &NodeEntry,
    ledger: &LedgerEntry,
    patience: Duration,
) -> Result<Result<Connection, ConnectionError>, Ended> {
    let key = folder.ledger_key(&node.name, &ledger.name)?;
    let connection = Connection::with_timeout(&url(node, &ledger.name), patience).map_err(ended)?;
    Ok(connection.enter(key).map(|_| connection))
}

/// Waits until the nodes of all members serve their further ledgers.
///
/// # Errors
/// A process ends, or it takes too long; with the end of its log.
pub fn all_answer(
    folder: &Folder,
    network: &NetworkFile,
    interrupt: &Interrupt,
    until: Instant,
) -> Result<(), Ended> {
    network
        .ledgers
        .iter()
        .try_for_each(|ledger| answers(folder, network, ledger, interrupt, until).map(drop))
}

/// Waits until the nodes of all members serve a ledger; gives a connection to each.
///
/// # Errors
/// A process ends, or it takes too long; with the end of its log.
pub fn answers(
    folder: &Folder,
    network: &NetworkFile,
    ledger: &LedgerEntry,
    interrupt: &Interrupt,
    until: Instant,
) -> Result<Vec<Connection>, Ended> {
    let mut connections = Vec::with_capacity(ledger.nodes.len());
    for node in ledger.nodes.iter().filter_map(|seat| network.node(&seat.name)) {
        connections.push(loop {
            check(interrupt)?;
            if Process::of(folder, &node.name).is_none() {
                return Err(silent(folder, node, "its process ended"));
            }
            match enter(folder, node, ledger, Duration::from_secs(10))? {
                Ok(connection) => break connection,
                Err(error) if Instant::now() > until => {
                    let why = format!("{}: {error}", ledger.name);
                    return Err(silent(folder, node, &why));
                }
                Err(_) => std::thread::sleep(LOOK),
            }
        });
    }
    Ok(connections)
}
