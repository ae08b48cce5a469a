//! The automation of this repository, in Rust, so that it needs nothing but the toolchain.
//!
//! `cargo xtask check` is the one command that says whether a change may go in; continuous
//! integration runs the same. Every task is a module of its own; start reading at [`check`].
//! Nothing of the product depends on this crate, and it decides nothing about the network.

mod check;
mod golden;
mod process;
mod reference;
mod simbench;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
cargo xtask <task>

  check [--fast] [--long]   everything a change has to pass; --fast leaves the tests out,
                            --long lets the tests run their long variants (GRIDTALLY_LONG=1)
  tidy                      what the compiler does not see: floors, words, sizes, links, rulebook
  golden                    rewrites the golden files and shows what changed
  reference                 rewrites docs/reference from the tables of the rules
  simbench --from DIR       rebuilds data/simbench from the extract in DIR
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    let root = workspace_root()?;
    match words {
        ["check", flags @ ..] => check::run(&root, check::Scope::from_flags(flags)?),
        ["tidy"] => tidy::run(&root),
        ["golden"] => golden::rewrite(&root),
        ["reference"] => reference::write(&root),
        ["simbench", "--from", source] => {
            simbench::convert(Path::new(source), &root.join("data/simbench"))
        }
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => bail!("unknown task `{}`\n\n{USAGE}", words.join(" ")),
    }
}

/// The folder that holds the workspace's manifest.
fn workspace_root() -> Result<PathBuf> {
    // Read while running, not while compiling: a cached binary may serve another clone.
    let manifest = std::env::var("CARGO_MANIFEST_DIR")
        .context("failed to find the workspace: start this as `cargo xtask`")?;
    let root = Path::new(&manifest).ancestors().nth(2).map(Path::to_path_buf);
    root.context("failed to find the workspace above crates/xtask")
}
