//! `gridtally ledger`: the further ledgers of a node.
//!
//! A further ledger is a directory like that of a main one, below it. [`place`] puts it there whole or
//! not at all, so that a node that runs takes it up by itself.

mod create;
mod join;
mod leave;
mod list;
pub mod place;
mod prepare;

use clap::Subcommand;

use crate::cli::Global;
use crate::exit::{Ended, Exit};

/// The further ledgers of a node.
///
/// One node serves several ledgers, each with a genesis, members, a store and a network of its own.
/// They lie in DIR/ledgers, beside the node's main ledger, and are reached below
/// /ledgers/NAME of the node's address, by the keys that they know and nobody else. A node that runs
/// takes up what is put there, or gives up what leaves, within a second.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Make the key with which this node is to be a validator of a further ledger.
    Prepare(prepare::Prepare),
    /// Found a further ledger for chosen members.
    Create(Box<create::Create>),
    /// Put a further ledger in place that somebody else founded.
    Join(join::Join),
    /// The ledgers in a node's directory.
    List(list::List),
    /// Give up a further ledger and remove it.
    Leave(leave::Leave),
}

impl LedgerCommand {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        match self {
            Self::Prepare(command) => command.run(global),
            Self::Create(command) => command.run(global),
            Self::Join(command) => command.run(global),
            Self::List(command) => command.run(global),
            Self::Leave(command) => command.run(global),
        }
    }
}
