//! `gridtally prune`: bodies, signatures and payloads of old transactions go.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use ledger::prune::{Pruned, Pruning, prune};
use ledger::store::{FjallOptions, FjallStore};
use ledger::{Ledger, LedgerError};
use serde_json::json;

use super::keep::KeepArgs;
use super::node::Config;
use crate::cli::Global;
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Let bodies, signatures and payloads of old transactions go.
///
/// Headers, certificates, ids, receipts and whatever rules and the proofs of bills may still need stay:
/// every proof can be made as before, and the node goes on like one that keeps all. It can no longer
/// replay its ledger, and its snapshots hold what it holds. When the state of an agreed checkpoint is
/// kept, the blocks above it stay whole.
///
/// The node is stopped; a node that runs prunes by itself with `--keep-days` or `--keep-blocks`. May be
/// interrupted: the next run goes on.
#[derive(Debug, Args)]
pub struct Prune {
    /// The node's directory.
    #[arg(long, value_name = "DIR", env = "GRIDTALLY_DIR")]
    dir: PathBuf,
    /// Which blocks stay whole; without it, what gridtally.toml says.
    #[command(flatten)]
    keep: KeepArgs,
    /// Also go over blocks that were pruned before, for what was needed then and is not any more.
    #[arg(long)]
    again: bool,
}

impl Prune {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let directory = Directory::existing(&self.dir)?;
        let keep = self.keep.or(Config::read(&directory)?.history)?;
        let keep = keep
            .ok_or_else(|| anyhow!("what is kept whole? Say it with --keep-days or --keep-blocks"))
            .end_with(Exit::Usage)?;
        let store = directory.open_store()?;
        let before = store.disk_bytes().map_err(LedgerError::from)?;
        let ledger = Ledger::open(store, Some(directory.genesis()?))?;
        let ledger_id = ledger.rules().ledger_id();
        let states = directory.checkpoints();
        let bar = output::progress(0, "blocks");
        bar.set_prefix("pruning");
        let pruning = Pruning { keep, states: Some(&states), again: self.again };
        let pruned = prune(&ledger, pruning, &mut |progress| {
            bar.set_length(progress.last);
            bar.set_position(progress.height);
            Ok(())
        })?;
        let through = ledger.pruned()?.map_or(0, |mark| mark.through.get());
        drop(ledger);
        bar.set_prefix("merging");
        let after = FjallStore::purge(directory.ledger(), FjallOptions::default())
            .map_err(LedgerError::from)?;
        bar.finish_and_clear();
        let Pruned { blocks, transactions, bytes_before, bytes_after } = pruned;
        if global.json {
            output::json(&json!({
                "ledger_id": ledger_id.to_string(),
                "pruned_through": through.to_string(),
                "blocks": blocks.to_string(),
                "transactions": transactions.to_string(),
                "row_bytes_before": bytes_before.to_string(),
                "row_bytes_after": bytes_after.to_string(),
                "disk_bytes_before": before.to_string(),
                "disk_bytes_after": after.to_string(),
            }))?;
        } else {
            output::line(&format!(
                "blocks up to {through} are pruned: {transactions} transactions of {blocks} blocks now"
            ))?;
            output::line(&format!("rows   {bytes_before} bytes before, {bytes_after} now"))?;
            output::line(&format!("disk   {before} bytes before, {after} now"))?;
        }
        Ok(Exit::Success)
    }
}
