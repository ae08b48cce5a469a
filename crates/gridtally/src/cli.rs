//! The command line, from which `--help`, completions and the reference are made.

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    bill, completions, demo, export, import, init, keys, ledger, load, meter, network, node, prune,
    read_model, reference, replay, show, simulate, snapshot, submit, tariff, verify,
};

/// A permissioned ledger for electricity: metering, verifiable billing, trading between neighbours.
#[derive(Debug, Parser)]
#[command(
    name = "gridtally",
    version,
    about,
    long_about = "A permissioned ledger for electricity: metering, verifiable billing, trading \
                  between neighbours.\n\nStart with `gridtally demo`: one day of 40 homes with real \
                  profiles, billed by the grid's frequency, every bill proven. Then read \
                  `gridtally verify --help` to check one of its bills yourself.",
    after_help = "Exit codes: 0 right · 1 failed, rejected, proof wrong · 2 wrong command line or \
                  file · 3 proof not anchored · 4 no node answers · 5 ledger diverged or damaged · \
                  6 disk full · 7 port or directory taken · 8 wrong passphrase or key file",
    arg_required_else_help = true,
    propagate_version = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

impl Cli {
    /// Does the command cause faults on purpose? Then nobody wants to be warned of them.
    pub const fn expects_faults(&self) -> bool {
        matches!(&self.command, Command::Simulate(simulate) if simulate.is_of_network())
    }
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Print one JSON document instead of text for people.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to log to standard error, as in `info`, `ledger=debug,warn`. Unless told, warnings; `simulate
    /// network` logs nothing, because the faults are meant.
    #[arg(long, global = true, value_name = "FILTER", env = "GRIDTALLY_LOG")]
    pub log: Option<String>,
    /// How log lines look.
    #[arg(long, global = true, value_enum, env = "GRIDTALLY_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One day of real homes, from the signed reading to the proven bill, on a fresh node.
    Demo(demo::Demo),
    /// A day scaled to seconds: N households, slot by slot, with a summary.
    Simulate(simulate::Simulate),
    /// Signed work against a node in a process of its own, measured.
    Load(load::Load),
    /// Found a ledger in a directory: genesis, validator key, owner key.
    Init(init::Init),
    /// Run the node of a directory with its API.
    Node(node::NodeCommand),
    /// A network of several organisations on this machine.
    #[command(subcommand)]
    Network(network::Network),
    /// The further ledgers of a node.
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// The program of a meter.
    #[command(subcommand)]
    Meter(meter::Meter),
    /// Make and look at key files.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Check bills from their proof files, offline.
    Verify(verify::Verify),
    /// Execute every block of a directory again and print height and roots.
    Replay(replay::Replay),
    /// Let bodies, signatures and payloads of old transactions go.
    Prune(prune::Prune),
    /// The ledger in one file, from which a node begins.
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    /// The file from which a node answers searches.
    #[command(subcommand)]
    ReadModel(read_model::ReadModelCommand),
    /// Try tariffs.
    #[command(subcommand)]
    Tariff(tariff::Tariff),
    /// Sign a transaction and send it to a node.
    Submit(Box<submit::Submit>),
    /// Bring readings, frequencies or members from files to the ledger.
    #[command(subcommand)]
    Import(import::Import),
    /// Write bills, proofs, readings, charges and statements to files.
    Export(export::Export),
    /// Bills on paper.
    #[command(subcommand)]
    Bill(bill::Bill),
    /// Ask a node.
    Show(show::Show),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
    /// Print the reference of the command line as Markdown.
    #[command(hide = true)]
    Reference(reference::Reference),
}
