//! `gridtally completions`: tab completion for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::{Cli, Global};
use crate::exit::{Ended, Exit};

/// Print a completion script, for example `gridtally completions bash > /etc/bash_completion.d/gridtally`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub fn run(self, _global: &Global) -> Result<Exit, Ended> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "gridtally", &mut script);
        crate::output::line(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Success)
    }
}
