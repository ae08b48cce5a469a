//! Which old blocks a node keeps whole.

use anyhow::anyhow;
use clap::Args;
use ledger::prune::Keep;
use serde::Deserialize;

use crate::exit::{EndWith, Ended, Exit};

/// Which blocks stay whole.
#[derive(Debug, Clone, Copy, Args)]
pub struct KeepArgs {
    /// Keep the blocks of the last so many days whole; of older ones bodies, signatures and payloads go
    /// that neither rules nor proofs need.
    #[arg(long, value_name = "DAYS", env = "GRIDTALLY_KEEP_DAYS")]
    keep_days: Option<u32>,
    /// The same, counted in blocks.
    #[arg(
        long,
        value_name = "BLOCKS",
        env = "GRIDTALLY_KEEP_BLOCKS",
        conflicts_with = "keep_days"
    )]
    keep_blocks: Option<u64>,
}

/// The table `[history]` of DIR/gridtally.toml.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryConfig {
    keep_days: Option<u32>,
    keep_blocks: Option<u64>,
}

impl KeepArgs {
    /// What the command line or the environment says, else the file; `None` when all is kept.
    ///
    /// # Errors
    /// The file says two things: a usage error.
    pub fn or(self, file: HistoryConfig) -> Result<Option<Keep>, Ended> {
        match keep(self.keep_days, self.keep_blocks) {
            Some(said) => Ok(Some(said)),
            None => file.keep(),
        }
    }
}

impl HistoryConfig {
    /// What the file says; `None` when all is kept.
    ///
    /// # Errors
    /// It says two things: a usage error.
    pub fn keep(self) -> Result<Option<Keep>, Ended> {
        if self.keep_days.is_some() && self.keep_blocks.is_some() {
            let error = anyhow!("[history]: say keep_days or keep_blocks, not both");
            return Err(error).end_with(Exit::Usage);
        }
        Ok(keep(self.keep_days, self.keep_blocks))
    }
}

fn keep(days: Option<u32>, blocks: Option<u64>) -> Option<Keep> {
    days.map(Keep::Days).or(blocks.map(Keep::Blocks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_the_file() {
        let args = |keep_days, keep_blocks| KeepArgs { keep_days, keep_blocks };
        let file = |text: &str| toml::from_str::<HistoryConfig>(text).unwrap();
        let cases = [
            (args(None, None), "", None),
            (args(None, None), "keep_days = 30", Some(Keep::Days(30))),
            (args(None, None), "keep_blocks = 500", Some(Keep::Blocks(500))),
            (args(Some(7), None), "keep_blocks = 500", Some(Keep::Days(7))),
            (args(None, Some(0)), "keep_days = 30\nkeep_blocks = 1", Some(Keep::Blocks(0))),
        ];
        for (args, text, wanted) in cases {
            assert_eq!(args.or(file(text)).unwrap(), wanted, "{text}");
        }
        let both = args(None, None).or(file("keep_days = 30\nkeep_blocks = 1")).unwrap_err();
        assert_eq!(both.exit, Exit::Usage);
        assert!(toml::from_str::<HistoryConfig>("keep = 3").is_err());
    }
}
