//! `gridtally replay`: every block of a directory again, on an empty store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use ledger::store::{FjallOptions, FjallStore};
use ledger::{Ledger, LedgerError};
use node::Threads;
use serde_json::json;

use crate::cli::Global;
use crate::directory::Directory;
use crate::exit::{Ended, Exit};
use crate::output;

/// Execute every block of a directory again and print height and roots.
///
/// Form, signatures, certificates and execution are checked from the genesis on; the first height
/// whose result differs from the recorded one is named (exit 5). The directory is only read; stop
/// its node first.
#[derive(Debug, Args)]
pub struct Replay {
    /// The node's directory.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

impl Replay {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let directory = Directory::existing(&self.dir)?;
        let source = Ledger::open(directory.open_store()?, Some(directory.genesis()?))?;
        let scratch = tempfile::tempdir().context("no temporary directory can be made")?;
        let target =
            FjallStore::open(scratch.path(), FjallOptions::default()).map_err(LedgerError::from)?;
        let bar = output::progress(source.head().header.height.get(), "blocks");
        bar.set_prefix("replaying");
        let started = Instant::now();
        let replayed = ledger::replay::replay(
            &source,
            Arc::new(target),
            &Threads::per_core(),
            &mut |height| bar.set_position(height),
        )?;
        let seconds = started.elapsed().as_secs_f64();
        bar.finish_and_clear();
        let executed = &replayed.executed;
        if global.json {
            output::json(&json!({
                "ledger_id": source.rules().ledger_id().to_string(),
                "height": replayed.height.get().to_string(),
                "transactions": replayed.transactions.to_string(),
                "readings": replayed.readings.to_string(),
                "seconds": seconds,
                "state_root": executed.state_root.to_string(),
                "receipts_root": executed.receipts.to_string(),
            }))?;
        } else {
            output::line(&format!("ledger        {}", source.rules().ledger_id()))?;
            output::line(&format!("height        {}", replayed.height.get()))?;
            output::line(&format!("transactions  {}", replayed.transactions))?;
            output::line(&format!("readings      {}", replayed.readings))?;
            output::line(&format!("seconds       {seconds:.3}"))?;
            output::line(&format!("state root    {}", executed.state_root))?;
            output::line(&format!("receipts root {}", executed.receipts))?;
        }
        Ok(Exit::Success)
    }
}
