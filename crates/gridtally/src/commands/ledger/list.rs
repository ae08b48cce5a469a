//! `gridtally ledger list`: what lies in a node's directory.

use std::path::PathBuf;

use clap::Args;
use ledger::store::FjallStore;
use serde_json::{Value, json};

use crate::cli::Global;
use crate::directory::Directory;
use crate::exit::{Ended, Exit};
use crate::output;

/// The ledgers in a node's directory.
///
/// Only who reads the directory is told: the API names no further ledger. One that ended by itself is
/// listed with the reason.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gridtally ledger list --dir /var/lib/gridtally")]
pub struct List {
    /// The node's directory.
    #[arg(long, value_name = "DIR", env = "GRIDTALLY_DIR")]
    dir: PathBuf,
}

/// A ledger and how it is.
struct Entry {
    /// None for the main ledger.
    name: Option<String>,
    ledger_id: Option<String>,
    title: String,
    validators: usize,
    state: &'static str,
    reason: Option<String>,
}

impl Entry {
    fn of(name: Option<String>, directory: &Directory) -> Result<Self, Ended> {
        let mut entry = Self {
            name,
            ledger_id: None,
            title: String::new(),
            validators: 0,
            state: "prepared",
            reason: None,
        };
        if !directory.genesis_file().exists() {
            return Ok(entry);
        }
        let genesis = directory.genesis()?;
        entry.ledger_id = Some(genesis.ledger_id().to_string());
        entry.title = genesis.name.to_string();
        entry.validators = genesis.validators.len();
        entry.reason = std::fs::read_to_string(directory.ended_note()).ok();
        entry.reason = entry.reason.map(|reason| reason.trim().to_owned());
        entry.state = if directory.leaving_mark().exists() {
            "leaving"
        } else if entry.reason.is_some() {
            "ended"
        } else if FjallStore::is_held(directory.ledger()) {
            "running"
        } else {
            "stopped"
        };
        Ok(entry)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "ledger_id": self.ledger_id,
            "title": self.title,
            "validators": self.validators,
            "state": self.state,
            "reason": self.reason,
        })
    }
}

impl List {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let main = Directory::existing(&self.dir)?;
        let mut entries = vec![Entry::of(None, &main)?];
        for (name, directory) in main.all_further()? {
            entries.push(Entry::of(Some(name), &directory)?);
        }
        if global.json {
            let ledgers: Vec<Value> = entries.iter().map(Entry::json).collect();
            output::json(&json!({ "ledgers": ledgers }))?;
            return Ok(Exit::Success);
        }
        let mut table = output::table(&["ledger", "title", "validators", "state", "id"], 5);
        for entry in &entries {
            table.add_row([
                entry.name.clone().unwrap_or_else(|| "(main)".to_owned()),
                entry.title.clone(),
                entry.validators.to_string(),
                entry.state.to_owned(),
                entry.ledger_id.clone().unwrap_or_default(),
            ]);
        }
        output::line(&table.to_string())?;
        for entry in &entries {
            if let (Some(name), Some(reason)) = (&entry.name, &entry.reason) {
                output::line(&format!("{name}: {reason}"))?;
            }
        }
        Ok(Exit::Success)
    }
}
