//! One file per command.

pub mod bill;
pub mod completions;
pub mod connect;
pub mod demo;
pub mod export;
mod founders;
pub mod import;
pub mod init;
pub mod interrupt;
pub mod keep;
pub mod keys;
pub mod ledger;
pub mod load;
pub mod meter;
pub mod network;
pub mod node;
pub mod play;
pub mod proof;
pub mod prune;
pub mod read_model;
pub mod reference;
pub mod replay;
pub mod show;
pub mod simulate;
pub mod simulate_network;
pub mod snapshot;
pub mod submit;
pub mod tariff;
pub mod verify;

use crate::cli::{Cli, Command};
use crate::exit::{Ended, Exit};

/// Runs a command.
///
/// # Errors
/// What ended it, with its exit code.
pub fn run(cli: Cli) -> Result<Exit, Ended> {
    let global = cli.global;
    match cli.command {
        Command::Demo(command) => command.run(&global),
        Command::Simulate(command) => command.run(&global),
        Command::Load(command) => command.run(&global),
        Command::Init(command) => command.run(&global),
        Command::Node(command) => command.run(&global),
        Command::Network(command) => command.run(&global),
        Command::Ledger(command) => command.run(&global),
        Command::Keys(command) => command.run(&global),
        Command::Verify(command) => command.run(&global),
        Command::Replay(command) => command.run(&global),
        Command::Prune(command) => command.run(&global),
        Command::Snapshot(command) => command.run(&global),
        Command::ReadModel(command) => command.run(&global),
        Command::Tariff(command) => command.run(&global),
        Command::Submit(command) => command.run(&global),
        Command::Import(command) => command.run(&global),
        Command::Meter(command) => command.run(&global),
        Command::Export(command) => command.run(&global),
        Command::Bill(command) => command.run(&global),
        Command::Show(command) => command.run(&global),
        Command::Reference(command) => command.run(&global),
        Command::Completions(command) => command.run(&global),
    }
}
