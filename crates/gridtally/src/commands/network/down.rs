//! `gridtally network down`: stop a network and remove it.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::folder::Folder;
use super::process::{Process, stop};
use crate::cli::Global;
use crate::exit::{Ended, Exit};
use crate::output;

/// Stop a network and remove it.
///
/// Every node is asked to stop and has 15 seconds to do so; then it is killed. The network's data,
/// keys included, are removed unless they are kept; what else lies in the directory stays.
#[derive(Debug, Args)]
pub struct Down {
    /// The network's directory.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Keep the data: `network up` on the same directory goes on where it stopped.
    #[arg(long)]
    keep: bool,
}

impl Down {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let folder = Folder::existing(&self.dir)?;
        let network = folder.network()?;
        let nodes = network.as_ref().map_or(&[][..], |network| &network.nodes);
        let running: Vec<(&str, Process)> = nodes
            .iter()
            .filter_map(|node| Some((node.name.as_str(), Process::of(&folder, &node.name)?)))
            .collect();
        stop(&running)?;
        let stopped = running.len();
        let is_gone = if self.keep { false } else { folder.remove()? };
        if global.json {
            return output::json(&json!({
                "stopped": stopped,
                "kept": self.keep,
                "removed": !self.keep,
                "dir_removed": is_gone,
            }))
            .map(|()| Exit::Success);
        }
        let dir = self.dir.display();
        output::line(&match (self.keep, is_gone) {
            (true, _) => format!(
                "{stopped} nodes stopped; `gridtally network up --dir {dir}` starts them again"
            ),
            (false, true) => format!("{stopped} nodes stopped, {dir} removed"),
            (false, false) => format!(
                "{stopped} nodes stopped, the network in {dir} removed; something else stays there"
            ),
        })?;
        Ok(Exit::Success)
    }
}
