//! What lies in a network's directory.
//!
//! `network.lock` marks it and keeps two commands apart · `network.json` the nodes and where they
//! listen · `keys/` the keys of the owner, the organisations, the households and their meters ·
//! `nodes/NAME/` a node's directory · `logs/NAME.log` what a node logs · `ledgers/NAME/` genesis and
//! owner's key of a further ledger.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use primitives::key::SigningKey;
use serde::{Deserialize, Serialize};

use super::organisations::Organisation;
use crate::commands::keys::{Passphrase, read_key};
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};

const LOCK: &str = "network.lock";
const FILE: &str = "network.json";
const KEYS: &str = "keys";
const NODES: &str = "nodes";
const LOGS: &str = "logs";
const LEDGERS: &str = "ledgers";

/// A network's directory, held by this command alone while it is not read only.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: Option<File>,
}

/// What `network.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFile {
    /// The ledger.
    pub ledger_id: String,
    /// Households that are clients of the network.
    pub households: u32,
    /// Has the ledger accepted the organisations and the households?
    pub registered: bool,
    /// The organisations in the order of `--orgs`, then those that were added. Who gave up its node
    /// is still a party of the ledger, and stays.
    pub organisations: Vec<Organisation>,
    /// The nodes, in the order of their organisations at first.
    pub nodes: Vec<NodeEntry>,
    /// The further ledgers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ledgers: Vec<LedgerEntry>,
}

/// A further ledger of some of the nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerEntry {
    /// Its name on the nodes.
    pub name: String,
    /// Its id.
    pub ledger_id: String,
    /// Has it accepted its organisations?
    pub registered: bool,
    /// Its organisations and what each of them does on it.
    pub organisations: Vec<Organisation>,
    /// Their nodes, in the same order at first.
    pub nodes: Vec<LedgerSeat>,
}

/// A validator of a further ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerSeat {
    /// The organisation, whose node it is.
    pub name: String,
    /// Its public key on this ledger.
    pub key: String,
    /// Where it listens for the others of this ledger.
    pub peer: SocketAddr,
}

impl NetworkFile {
    /// The node of an organisation.
    pub fn node(&self, name: &str) -> Option<&NodeEntry> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// An organisation.
    pub fn organisation(&self, name: &str) -> Option<&Organisation> {
        self.organisations.iter().find(|organisation| organisation.name == name)
    }
}

/// A node of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeEntry {
    /// The organisation.
    pub name: String,
    /// The validator's public key.
    pub key: String,
    /// Where its API listens.
    pub api: SocketAddr,
    /// Where it listens for the others.
    pub peer: SocketAddr,
}

impl NodeEntry {
    /// The address of its API.
    pub fn url(&self) -> String {
        format!("http://{}", self.api)
    }
}

impl Folder {
    /// The directory of a network that is there or is to be founded, for this command alone.
    ///
    /// # Errors
    /// Usage: it holds something else. [`Exit::Taken`]: another command works on it.
    pub fn create(path: &Path) -> Result<Self, Ended> {
        let path = std::path::absolute(path)?;
        let directory = Directory::create(&path)?;
        let is_empty = std::fs::read_dir(directory.path())?.next().is_none();
        if !is_empty && !path.join(LOCK).exists() {
            return Err(anyhow!("{} is not empty and holds no network", path.display()))
                .end_with(Exit::Usage);
        }
        Self::locked(path)
    }

    /// The directory of a network, for this command alone.
    ///
    /// # Errors
    /// Usage: it holds no network. [`Exit::Taken`]: another command works on it.
    pub fn existing(path: &Path) -> Result<Self, Ended> {
        Self::locked(Self::to_read(path)?.path)
    }

    /// The directory of a network, to look at.
    ///
    /// # Errors
    /// Usage: it holds no network.
    pub fn to_read(path: &Path) -> Result<Self, Ended> {
        let path = std::path::absolute(path)?;
        if !path.join(LOCK).exists() {
            return Err(anyhow!(
                "{} holds no network; `gridtally network up --dir` founds one",
                path.display()
            ))
            .end_with(Exit::Usage);
        }
        Ok(Self { path, lock: None })
    }

    fn locked(path: PathBuf) -> Result<Self, Ended> {
        let name = path.join(LOCK);
        let lock = File::options().create(true).append(true).open(&name);
        let mut lock = lock.with_context(|| format!("{} cannot be written", name.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(anyhow!(
                    "another `gridtally network` command works on {}",
                    path.display()
                ))
                .end_with(Exit::Taken);
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        if lock.metadata()?.len() == 0 {
            lock.write_all(b"A network of `gridtally network up`; `network down` removes it.\n")?;
        }
        Ok(Self { path, lock: Some(lock) })
    }

    /// The path itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of a node.
    pub fn node(&self, name: &str) -> PathBuf {
        self.path.join(NODES).join(name)
    }

    /// Genesis and owner's key of a further ledger.
    pub fn ledger(&self, name: &str) -> PathBuf {
        self.path.join(LEDGERS).join(name)
    }

    /// The key of a node on a further ledger.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn ledger_key(&self, node: &str, ledger: &str) -> Result<SigningKey, Ended> {
        let directory = Directory::existing(&self.node(node))?.further(ledger)?;
        read_key(&directory.node_key_file(), &Passphrase::default())
    }

    /// The folder of the keys.
    pub fn keys(&self) -> PathBuf {
        self.path.join(KEYS)
    }

    /// A key file.
    pub fn key_file(&self, name: &str) -> PathBuf {
        self.keys().join(format!("{name}.key"))
    }

    /// A key of the network; they are plain files.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn key(&self, name: &str) -> Result<SigningKey, Ended> {
        read_key(&self.key_file(name), &Passphrase::default())
    }

    /// The folder of the logs.
    pub fn logs(&self) -> PathBuf {
        self.path.join(LOGS)
    }

    /// What a node logs.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// What the network is; none when its founding was cut short.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn network(&self) -> Result<Option<NetworkFile>, Ended> {
        let path = self.path.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text =
            std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let read = serde_json::from_slice(&text);
        let read = read.with_context(|| format!("{} describes no network", path.display()));
        read.map(Some).end_with(Exit::Usage)
    }

    /// What the network is.
    ///
    /// # Errors
    /// When its founding was cut short, or the file cannot be read.
    pub fn founded_network(&self) -> Result<NetworkFile, Ended> {
        self.network()?.ok_or_else(|| {
            let dir = self.path.display();
            let error = anyhow!(
                "the founding of the network in {dir} was cut short; `gridtally network up --dir \
                 {dir}` begins it again"
            );
            Ended { exit: Exit::Failure, error }
        })
    }

    /// Writes down what the network is, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, network: &NetworkFile) -> Result<(), Ended> {
        let fresh = self.path.join("network.json.new");
        let mut file = File::create(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(network).map_err(anyhow::Error::from)?)?;
        file.sync_all()?;
        Ok(std::fs::rename(&fresh, self.path.join(FILE))?)
    }

    /// Takes a node out: out of what the network is, its directory, and what the others were told of
    /// it. Its key file and its log stay.
    ///
    /// # Errors
    /// When something cannot be written or removed.
    pub fn remove_node(&self, network: &mut NetworkFile, name: &str) -> Result<(), Ended> {
        let Some(gone) = network.node(name).cloned() else { return Ok(()) };
        network.nodes.retain(|node| node.name != name);
        for ledger in &mut network.ledgers {
            ledger.nodes.retain(|seat| seat.name != name);
        }
        self.write(network)?;
        let entry = format!("\"{}@", gone.key);
        for node in &network.nodes {
            let path = self.node(&node.name).join("gridtally.toml");
            let text = std::fs::read_to_string(&path)?;
            let lines = text.split_inclusive('\n').filter(|line| !line.contains(&entry));
            std::fs::write(&path, lines.collect::<String>())?;
        }
        Ok(std::fs::remove_dir_all(self.node(name))?)
    }

    /// Removes everything that belongs to the network but the mark.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn clear(&self) -> Result<(), Ended> {
        for name in [FILE, "network.json.new"] {
            let path = self.path.join(name);
            if path.exists() {
                std::fs::remove_file(&path)
                    .with_context(|| format!("{} cannot be removed", path.display()))?;
            }
        }
        for name in [NODES, KEYS, LOGS, LEDGERS] {
            let path = self.path.join(name);
            if path.exists() {
                std::fs::remove_dir_all(&path)
                    .with_context(|| format!("{} cannot be removed", path.display()))?;
            }
        }
        Ok(())
    }

    /// Removes the network; true when the directory itself is gone, false when it holds something
    /// else beside it.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn remove(self) -> Result<bool, Ended> {
        self.clear()?;
        std::fs::remove_file(self.path.join(LOCK))?;
        drop(self.lock);
        Ok(std::fs::remove_dir(&self.path).is_ok())
    }
}
