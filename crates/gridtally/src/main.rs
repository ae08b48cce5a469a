//! The one binary: it wires the floors below together and decides nothing itself.
//!
//! One file per command in `commands/`; what several need stands beside them: [`exit`] (exit codes),
//! [`directory`] (what lies in a node's directory), [`serve`] (a node with its API), [`output`]
//! (tables and JSON), [`logging`].

mod cli;
mod commands;
mod directory;
mod exit;
mod logging;
mod output;
mod serve;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, everything else is a wrong command line.
            let is_answer = !error.use_stderr();
            let _ = error.print();
            return if is_answer { exit::Exit::Success } else { exit::Exit::Usage }.into();
        }
    };
    logging::start(&cli.global, if cli.expects_faults() { "off" } else { "warn" });
    match commands::run(cli) {
        Ok(exit) => exit.into(),
        Err(ended) => {
            // A log on the same full disk takes no line any more; the exit code still tells.
            let _ = writeln!(std::io::stderr(), "gridtally: {ended}");
            ended.exit.into()
        }
    }
}
