//! `gridtally network`: a network of several organisations on this machine, each with a node in a
//! process of its own.
//!
//! [`folder`] says what lies where, [`founding`] makes it, [`process`] starts and stops nodes,
//! [`registration`] makes the organisations known to the ledger, [`seats`] changes who validates,
//! [`further`] reaches further ledgers.

mod add_org;
mod create_ledger;
mod down;
mod folder;
mod founding;
mod further;
mod organisations;
mod process;
mod registration;
mod remove_org;
mod seats;
mod status;
mod up;

use clap::Subcommand;
pub use folder::Folder;
pub use founding::{free_ports, household};

use crate::cli::Global;
use crate::exit::{Ended, Exit};

/// A network of several organisations on this machine.
///
/// Each organisation has a key, a configuration and a validator in a process of its own, as it would
/// have on a machine of its own; docs/network.md shows the same with separate machines.
#[derive(Debug, Subcommand)]
pub enum Network {
    /// Found a network and start its nodes, or start a stopped one again.
    Up(up::Up),
    /// Add an organisation and its validator to a network that runs.
    AddOrg(add_org::AddOrg),
    /// Take an organisation's validator out of a network that runs.
    RemoveOrg(remove_org::RemoveOrg),
    /// Found a further ledger of some of the organisations of a network that runs.
    CreateLedger(create_ledger::CreateLedger),
    /// What every node of a network says of itself.
    Status(status::Status),
    /// Stop a network and remove it.
    Down(down::Down),
}

impl Network {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        match self {
            Self::Up(command) => command.run(global),
            Self::AddOrg(command) => command.run(global),
            Self::RemoveOrg(command) => command.run(global),
            Self::CreateLedger(command) => command.run(global),
            Self::Status(command) => command.run(global),
            Self::Down(command) => command.run(global),
        }
    }
}
