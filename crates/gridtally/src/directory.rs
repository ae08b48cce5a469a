//! What lies in a node's directory.
//!
//! `genesis.json` the first agreement · `node.key` the validator's key · `owner.key` the owner's,
//! when this directory founded the ledger · `gridtally.toml` the configuration, when there is one ·
//! `ledger/` the store · `private/` the values of a private ledger that this node holds ·
//! `checkpoints/` the states that snapshots are made from · `consensus/` the journal and the archives of
//! a validator among several.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use contracts::Genesis;
use ledger::store::{FjallOptions, FjallStore, Store};

use crate::exit::{EndWith, Ended, Exit};

/// A node's directory.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

impl Directory {
    /// The directory at `path`, made when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path) -> Result<Self, Ended> {
        std::fs::create_dir_all(path)
            .with_context(|| format!("the directory {} cannot be made", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// The directory at `path`, which must hold a ledger.
    ///
    /// # Errors
    /// When there is none.
    pub fn existing(path: &Path) -> Result<Self, Ended> {
        let directory = Self(path.to_owned());
        if directory.genesis_file().exists() {
            Ok(directory)
        } else {
            Err(anyhow!(
                "{} holds no ledger (no genesis.json); found one with `gridtally init --dir {0}`",
                path.display()
            ))
            .end_with(Exit::Usage)
        }
    }

    /// The path itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The first agreement.
    #[must_use]
    pub fn genesis_file(&self) -> PathBuf {
        self.0.join("genesis.json")
    }

    /// The validator's key.
    #[must_use]
    pub fn node_key_file(&self) -> PathBuf {
        self.0.join("node.key")
    }

    /// The owner's key.
    #[must_use]
    pub fn owner_key_file(&self) -> PathBuf {
        self.0.join("owner.key")
    }

    /// The configuration.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.0.join("gridtally.toml")
    }

    /// The store.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.0.join("ledger")
    }

    /// The states of checkpoints, from which snapshots are made.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.0.join("checkpoints")
    }

    /// The values of a private ledger that this node holds.
    #[must_use]
    pub fn private(&self) -> PathBuf {
        self.0.join("private")
    }

    /// What the engine keeps that orders among several validators.
    #[must_use]
    pub fn consensus(&self) -> PathBuf {
        self.0.join("consensus")
    }

    /// Proof files of the demo.
    #[must_use]
    pub fn proofs(&self) -> PathBuf {
        self.0.join("proofs")
    }

    /// Reads the genesis.
    ///
    /// # Errors
    /// When the file cannot be read or is not a genesis.
    pub fn genesis(&self) -> Result<Genesis, Ended> {
        let path = self.genesis_file();
        client::genesis_file::read(&path)
            .with_context(|| format!("{} is not a genesis", path.display()))
            .end_with(Exit::Usage)
    }

    /// Opens the store.
    ///
    /// # Errors
    /// When it is damaged or another process has it open.
    pub fn open_store(&self) -> Result<Arc<dyn Store>, Ended> {
        let store = FjallStore::open(self.ledger(), FjallOptions::default())
            .map_err(ledger::LedgerError::from)?;
        Ok(Arc::new(store))
    }
}
