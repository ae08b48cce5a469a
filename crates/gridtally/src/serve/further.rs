//! The further ledgers of a node: started when they are put in place, stopped when they are given up.
//!
//! What is hosted is what lies in the directory, looked at once a second: a ledger's directory is whole
//! when it holds a genesis. So a ledger comes and goes without a restart, and nothing has to be told to
//! a node over a way that somebody else could use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, anyhow};
use api::Hosting;
use node::Node;
use primitives::identifier::LedgerId;
use serde::Deserialize;

use super::ledger::{LedgerParts, RunningLedger, Surroundings};
use super::network::NetworkConfig;
use crate::commands::keep::HistoryConfig;
use crate::commands::keys::Unlocker;
use crate::commands::read_model;
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};

/// What the configuration of a further ledger may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FurtherConfig {
    #[serde(default)]
    network: NetworkConfig,
    #[serde(default)]
    history: HistoryConfig,
}

/// When genesis and configuration were written last.
type Written = [Option<SystemTime>; 2];

/// The further ledgers of a node's directory.
pub struct FurtherLedgers {
    directory: Directory,
    main: LedgerId,
    unlocker: Unlocker,
    running: BTreeMap<String, (LedgerId, RunningLedger)>,
    /// Those that could not be started or ended by themselves. They are tried again when somebody has
    /// changed what lies there.
    failed: BTreeMap<String, (Written, Ended)>,
}

impl FurtherLedgers {
    /// Those of this directory, whose main ledger is `main`.
    pub const fn new(directory: Directory, main: LedgerId, unlocker: Unlocker) -> Self {
        Self { directory, main, unlocker, running: BTreeMap::new(), failed: BTreeMap::new() }
    }

    /// The nodes of those that run.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.running.values().map(|(_, running)| &*running.node)
    }

    /// Names and ids of those that run.
    pub fn served(&self) -> impl Iterator<Item = (&str, &LedgerId)> {
        self.running.iter().map(|(name, (id, _))| (name.as_str(), id))
    }

    /// From now on nobody is asked for a passphrase.
    pub const fn ask_no_more(&mut self) {
        self.unlocker.ask_no_more();
    }

    /// Starts what was put in place, stops what is given up, and notes what ended by itself. None of
    /// it touches another ledger.
    pub fn look(&mut self, around: &Surroundings, hosting: &Hosting) {
        self.note_ends(hosting);
        let found = match self.directory.all_further() {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "the further ledgers cannot be listed");
                return;
            }
        };
        let is_whole = |directory: &Directory| {
            directory.genesis_file().exists() && !directory.leaving_mark().exists()
        };
        let is_there = |name: &str| {
            found.iter().any(|(other, directory)| other == name && is_whole(directory))
        };
        let gone: Vec<String> =
            self.running.keys().filter(|name| !is_there(name)).cloned().collect();
        for name in gone {
            self.give_up(&name, hosting);
        }
        // Its readers were told that it ended; now it is let go of altogether.
        for (name, _) in self.failed.extract_if(.., |name, _| !is_there(name)) {
            hosting.remove(&name);
        }
        for (name, directory) in found.iter().filter(|(_, directory)| is_whole(directory)) {
            let written = written(directory);
            let is_tried = self.failed.get(name).is_some_and(|(tried, _)| *tried == written);
            if is_tried || self.running.contains_key(name) {
                continue;
            }
            match self.start(name, directory, around, hosting) {
                Ok(()) => drop(self.failed.remove(name)),
                Err(ended) => self.fail(name, directory, ended, hosting),
            }
        }
    }

    fn start(
        &mut self,
        name: &str,
        directory: &Directory,
        around: &Surroundings,
        hosting: &Hosting,
    ) -> Result<(), Ended> {
        let genesis = directory.genesis()?;
        let ledger_id = genesis.ledger_id();
        if ledger_id == self.main || self.running.values().any(|(id, _)| *id == ledger_id) {
            let error = anyhow!("the node serves the ledger {ledger_id} already");
            return Err(error).end_with(Exit::Usage);
        }
        let key = self.unlocker.open(&directory.node_key_file())?;
        let FurtherConfig { network, history } = configuration(directory)?;
        let flags = ["`listen` in the table [network]", "`peers` in the table [network]"];
        let bft = network.orderer(&genesis, &key, directory, flags)?;
        let parts = LedgerParts {
            store: directory.open_store()?,
            genesis,
            key,
            // Nobody outside sees a further ledger, whatever its genesis says.
            open_reads: false,
            read_model: Some(read_model::file(directory)),
            checkpoints: Some(directory.checkpoints()),
            private: Some(directory.private()),
            keep: history.keep()?,
            bft,
        };
        let (running, api) = parts.start(around, Arc::default())?;
        hosting.host(name, api)?;
        // A note of an earlier end; when it cannot be removed it is only old.
        let _ = std::fs::remove_file(directory.ended_note());
        tracing::info!(name, ledger = %ledger_id, "a further ledger is served");
        self.running.insert(name.to_owned(), (ledger_id, running));
        Ok(())
    }

    fn give_up(&mut self, name: &str, hosting: &Hosting) {
        hosting.remove(name);
        let Some((ledger_id, running)) = self.running.remove(name) else { return };
        tracing::info!(name, ledger = %ledger_id, "a further ledger is given up");
        if let Err(error) = running.stop() {
            tracing::error!(name, %error, "a further ledger ended with an error");
        }
    }

    /// A ledger that ended by itself is served no more; the others go on.
    fn note_ends(&mut self, hosting: &Hosting) {
        let ended: Vec<String> = self
            .running
            .iter()
            .filter(|(_, (_, running))| running.node.has_ended())
            .map(|(name, _)| name.clone())
            .collect();
        for name in ended {
            let Some((_, running)) = self.running.remove(&name) else { continue };
            let Err(error) = running.stop() else { continue };
            if let Ok(directory) = self.directory.further(&name) {
                self.fail(&name, &directory, error.into(), hosting);
            }
        }
    }

    fn fail(&mut self, name: &str, directory: &Directory, ended: Ended, hosting: &Hosting) {
        hosting.has_ended(Some(name));
        tracing::error!(
            name, error = %ended,
            "this further ledger is not served; the node goes on with its others"
        );
        // On a full disk the log has to do.
        let _ = std::fs::write(directory.ended_note(), format!("{ended}\n"));
        self.failed.insert(name.to_owned(), (written(directory), ended));
    }

    /// Those that run, to be stopped, and why one is not served that should be.
    pub fn into_parts(self) -> (Vec<RunningLedger>, Option<Ended>) {
        let running = self.running.into_values().map(|(_, running)| running).collect();
        (running, self.failed.into_values().map(|(_, ended)| ended).next())
    }
}

fn written(directory: &Directory) -> Written {
    [directory.genesis_file(), directory.config_file()]
        .map(|file| std::fs::metadata(file).and_then(|it| it.modified()).ok())
}

/// What the configuration of a further ledger says.
///
/// # Errors
/// Usage: the file cannot be read or says something else.
fn configuration(directory: &Directory) -> Result<FurtherConfig, Ended> {
    let path = directory.config_file();
    if !path.exists() {
        return Ok(FurtherConfig::default());
    }
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    toml::from_str(&text)
        .with_context(|| format!("{} is not the configuration of a further ledger", path.display()))
        .end_with(Exit::Usage)
}
