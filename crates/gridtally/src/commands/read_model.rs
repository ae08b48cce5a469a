//! `gridtally read-model`: the file from which a node answers searches.

use std::path::PathBuf;

use api::ReadModel;
use clap::{Args, Subcommand};
use ledger::Ledger;
use serde_json::json;

use crate::cli::Global;
use crate::directory::Directory;
use crate::exit::{Ended, Exit};
use crate::output;

/// The file from which a node answers searches.
#[derive(Debug, Subcommand)]
pub enum ReadModelCommand {
    /// Drop it and build it again from the ledger.
    Rebuild(Rebuild),
}

/// Drop the read model and build it again from the ledger.
///
/// A node does this by itself when the file is damaged or of an older form. Stop the node first; the
/// ledger is only read.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// The node's directory.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

/// Where a directory's read model lies.
pub fn file(directory: &Directory) -> PathBuf {
    directory.path().join("read-model.sqlite")
}

impl ReadModelCommand {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        match self {
            Self::Rebuild(command) => command.run(global),
        }
    }
}

impl Rebuild {
    fn run(self, global: &Global) -> Result<Exit, Ended> {
        let directory = Directory::existing(&self.dir)?;
        let ledger = Ledger::open(directory.open_store()?, Some(directory.genesis()?))?;
        let path = file(&directory);
        let model = ReadModel::new(&path);
        model.drop_file().map_err(anyhow::Error::from)?;
        let view = ledger.view();
        model.catch_up(&view).map_err(anyhow::Error::from)?;
        let transactions = view.head().transactions;
        if global.json {
            output::json(&json!({
                "height": view.height().to_string(),
                "transactions": transactions.to_string(),
            }))?;
        } else {
            output::line(&format!(
                "{} built up to block {}, {transactions} transactions",
                path.display(),
                view.height()
            ))?;
        }
        Ok(Exit::Success)
    }
}
