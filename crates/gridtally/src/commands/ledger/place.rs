//! A further ledger in its place below a node's directory.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, anyhow};
use clap::Args;
use client::transaction_builder::new_key;
use consensus_bft::Peer;
use contracts::Genesis;
use primitives::key::{PublicKey, SigningKey};

use crate::commands::keys::{Protect, write_key};
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};

/// How the node meets the others of a further ledger.
#[derive(Debug, Clone, Default, Args)]
pub struct Meeting {
    /// Where this node listens for the others of this ledger: a port of its own, not that of another
    /// ledger.
    #[arg(long, value_name = "ADDRESS")]
    pub peer_listen: Option<SocketAddr>,
    /// Another node of this ledger, as `ed25519:HEX@ADDRESS:PORT`. Repeat it for each.
    #[arg(long, value_name = "PEER")]
    pub peer: Vec<Peer>,
}

impl Meeting {
    /// Whether a node with this key can take up the ledger: it would be tried as soon as it is there.
    ///
    /// # Errors
    /// Usage: there are others, and not all that is needed to meet them is said.
    pub fn check(&self, genesis: &Genesis, own: &PublicKey) -> Result<(), Ended> {
        if genesis.validators.keys() == [*own] {
            return Ok(());
        }
        if self.peer_listen.is_none() {
            return Err(anyhow!(
                "this ledger has other validators: say with --peer-listen where this node listens for \
                 them"
            ))
            .end_with(Exit::Usage);
        }
        let mut others = genesis.validators.iter().filter(|other| *other != own);
        match others.next().filter(|_| self.peer.is_empty()) {
            Some(other) => Err(anyhow!(
                "whom does this node call? Say it with --peer, as {other}@ADDRESS:PORT"
            ))
            .end_with(Exit::Usage),
            None => Ok(()),
        }
    }

    /// The configuration of the ledger.
    fn text(&self) -> String {
        let mut text = "[network]\n".to_owned();
        if let Some(listen) = self.peer_listen {
            text.push_str(&format!("listen = \"{listen}\"\n"));
        }
        text.push_str("peers = [\n");
        for Peer { key, address } in &self.peer {
            text.push_str(&format!("  \"{key}@{address}\",\n"));
        }
        text.push_str("]\n");
        text
    }
}

/// The place of a further ledger that is not there yet, below the directory of a node.
///
/// # Errors
/// Usage: a name that is none, a directory without a ledger, a place that is taken.
pub fn free(dir: &Path, name: &str) -> Result<Directory, Ended> {
    let main = Directory::existing(dir)?;
    let place = main.further(name)?;
    if place.leaving_mark().exists() {
        return Err(anyhow!(
            "{name} is being given up; finish that with `gridtally ledger leave {name} --dir {}`",
            dir.display()
        ))
        .end_with(Exit::Usage);
    }
    if place.genesis_file().exists() {
        return Err(anyhow!("{} holds a ledger already", place.path().display()))
            .end_with(Exit::Usage);
    }
    Directory::create(place.path())
}

/// The node's key for a ledger: the one that was prepared, else a new one.
///
/// # Errors
/// When it cannot be read or made.
pub fn node_key(place: &Directory, protect: &Protect) -> Result<SigningKey, Ended> {
    let file = place.node_key_file();
    if file.exists() {
        return protect.open(&file);
    }
    let key = new_key().context("the operating system gives no random bytes")?;
    write_key(&file, &key, protect.new_passphrase()?.as_ref())?;
    Ok(key)
}

/// Puts a ledger in its place: the genesis comes last, and with it the ledger is whole.
///
/// # Errors
/// Usage: the node has this ledger already. When something cannot be written.
pub fn put(
    dir: &Path,
    place: &Directory,
    meeting: &Meeting,
    genesis: &Genesis,
) -> Result<(), Ended> {
    let main = Directory::existing(dir)?;
    let id = genesis.ledger_id();
    let others = main.all_further()?.into_iter().map(|(_, directory)| directory);
    for known in others.chain([main]).filter(|known| known.genesis_file().exists()) {
        if known.genesis()?.ledger_id() == id {
            return Err(anyhow!("the ledger {id} lies in {} already", known.path().display()))
                .end_with(Exit::Usage);
        }
    }
    std::fs::write(place.config_file(), meeting.text())
        .with_context(|| format!("{} cannot be written", place.config_file().display()))?;
    client::genesis_file::write(&place.genesis_file(), genesis).map_err(anyhow::Error::from)?;
    Ok(())
}
