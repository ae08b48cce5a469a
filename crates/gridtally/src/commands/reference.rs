//! `gridtally reference`: the page docs/reference/cli.md, made of the command line itself.

use std::collections::BTreeSet;

use clap::{Args, Command, CommandFactory};

use crate::cli::{Cli, Global};
use crate::exit::{Ended, Exit};

/// Print the reference of the command line as Markdown.
#[derive(Debug, Args)]
pub struct Reference {}

/// Every exit code and when a command ends with it.
const EXITS: [(Exit, &str); 9] = [
    (Exit::Success, "everything went right"),
    (Exit::Failure, "it failed, was rejected by a rule, in part refused, or a proof is wrong"),
    (Exit::Usage, "the command line is wrong, or a file is not what it should be"),
    (
        Exit::NotAnchored,
        "a proof is right in itself, its ledger was not compared, and \
                         `--require-anchor` was given",
    ),
    (Exit::Unreachable, "no node answers; `meter run --once`: and something waits to be sent"),
    (
        Exit::Damaged,
        "a ledger diverged or its store is damaged; `meter run`: the node's answer is \
                     proven wrong",
    ),
    (Exit::DiskFull, "the disk is full, or cannot be written"),
    (Exit::Taken, "another program listens on the port, or has the directory open"),
    (Exit::Key, "the passphrase is wrong, or a key file cannot be read"),
];

impl Reference {
    pub fn run(self, _global: &Global) -> Result<Exit, Ended> {
        crate::output::line(page().trim_end())?;
        Ok(Exit::Success)
    }
}

fn page() -> String {
    // The width and the environment of whoever prints it change nothing.
    let mut root = settled(Cli::command().term_width(96));
    root.build();
    let mut page = String::from(
        "# The command line\n\nMade of the program by `gridtally reference > docs/reference/cli.md`; \
         a test compares it. Do not edit it by hand.\n\n## Exit codes\n\nOf every command:\n\n\
         | code | when |\n|---|---|\n",
    );
    for (exit, when) in EXITS {
        page.push_str(&format!("| {} | {when} |\n", exit as u8));
    }
    page.push_str("\nOptions of a command hold for those below it and are told once.\n");
    describe(&mut root, "gridtally", &BTreeSet::new(), &mut page);
    page
}

fn settled(command: Command) -> Command {
    command.mut_args(|argument| argument.hide_env_values(true)).mut_subcommands(settled)
}

/// One command and those below it; `inherited` are the options that were told above.
fn describe(command: &mut Command, name: &str, inherited: &BTreeSet<String>, page: &mut String) {
    let shown = std::mem::take(command);
    *command = shown.mut_args(|argument| {
        let told = inherited.contains(argument.get_id().as_str());
        if told { argument.hide(true) } else { argument }
    });
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", help.join("\n").trim_end()));
    let global = command.get_arguments().filter(|argument| argument.is_global_set());
    let told: BTreeSet<String> =
        global.map(|argument| argument.get_id().to_string()).chain(inherited.clone()).collect();
    for inner in command.get_subcommands_mut() {
        if !inner.is_hide_set() && inner.get_name() != "help" {
            let name = format!("{name} {}", inner.get_name());
            describe(inner, &name, &told, page);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_is_told_once() {
        for (number, (exit, _)) in (0_u8..).zip(EXITS) {
            assert_eq!(exit as u8, number);
        }
    }

    #[test]
    fn the_page_of_the_repository_is_the_one_of_the_program() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/cli.md");
        let page = page();
        if std::env::var_os("GRIDTALLY_GOLDEN").is_some_and(|it| it == "write") {
            std::fs::write(path, &page).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap();
        assert!(found == page, "docs/reference/cli.md is out of date: GRIDTALLY_GOLDEN=write");
    }
}
