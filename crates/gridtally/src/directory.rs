//! What lies in a node's directory.
//!
//! `genesis.json` the first agreement · `node.key` the validator's key · `owner.key` the owner's,
//! when this directory founded the ledger · `gridtally.toml` the configuration, when there is one ·
//! `ledger/` the store · `private/` the values of a private ledger that this node holds ·
//! `checkpoints/` the states that snapshots are made from · `consensus/` the journal and the archives of
//! a validator among several.
//! `ledgers/NAME/` a directory of the same form for each further ledger, with a key of its own.

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

    /// The directories of the further ledgers.
    #[must_use]
    pub fn ledgers(&self) -> PathBuf {
        self.0.join("ledgers")
    }

    /// The directory of a further ledger, whether there is one or not.
    ///
    /// # Errors
    /// Usage: a name that is none.
    pub fn further(&self, name: &str) -> Result<Self, Ended> {
        check_ledger_name(name).map_err(|why| anyhow!(why)).end_with(Exit::Usage)?;
        Ok(Self(self.ledgers().join(name)))
    }

    /// The further ledgers by their names; also those that are prepared only.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn all_further(&self) -> std::io::Result<Vec<(String, Self)>> {
        let entries = match std::fs::read_dir(self.ledgers()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && check_ledger_name(&name).is_ok()
            {
                found.push((name, Self(entry.path())));
            }
        }
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(found)
    }

    /// Marks a further ledger that is to be given up: a node that runs stops it.
    #[must_use]
    pub fn leaving_mark(&self) -> PathBuf {
        self.0.join("leaving")
    }

    /// Why a further ledger ended by itself, when it did.
    #[must_use]
    pub fn ended_note(&self) -> PathBuf {
        self.0.join("ended.txt")
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

/// Is it the name of a further ledger: a folder, and a part of an address?
///
/// # Errors
/// What is wanted.
pub fn check_ledger_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 32 || name.starts_with('-') || !name.chars().all(is_plain) {
        return Err(format!(
            "{name:?} is no name of a ledger; wanted are up to 32 small letters, digits and dashes"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_ledgers_have_names_that_lead_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::create(dir.path()).unwrap();
        assert!(directory.all_further().unwrap().is_empty());
        for wrong in ["", "-x", "North", "../x", "a/b", &"a".repeat(33)] {
            assert_eq!(directory.further(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
        for name in ["south", "north"] {
            std::fs::create_dir_all(directory.further(name).unwrap().path()).unwrap();
        }
        std::fs::create_dir_all(directory.ledgers().join("Not a ledger")).unwrap();
        let names: Vec<_> =
            directory.all_further().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["north", "south"]);
    }
}
