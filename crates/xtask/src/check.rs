//! `cargo xtask check`: everything that a change has to pass, in one command.
//!
//! The cheap steps come first and the tests last; a failed step does not hide the ones after it.
//! Optional programs are used when they are there and loudly missed when they are not.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};

use crate::process::{self, cargo};
use crate::{golden, reference, tidy};

/// How much of the tests runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Everything but the tests.
    Fast,
    /// Everything.
    Whole,
    /// Everything, and the tests in their long variants.
    Long,
}

impl Scope {
    pub fn from_flags(flags: &[&str]) -> Result<Self> {
        match flags {
            [] => Ok(Self::Whole),
            ["--fast"] => Ok(Self::Fast),
            ["--long"] => Ok(Self::Long),
            _ => bail!("unknown flags `{}`: --fast or --long", flags.join(" ")),
        }
    }
}

enum Verdict {
    Passed,
    Failed(String),
    Skipped(&'static str),
}

struct Outcome {
    name: &'static str,
    verdict: Verdict,
    milliseconds: u128,
}

/// Runs all steps and fails when one of them did.
pub fn run(root: &Path, scope: Scope) -> Result<()> {
    let mut report = Report::default();
    // Golden files are read before the first step: nothing below may change them.
    let golden_before = golden::contents(root)?;
    report.step("fmt", || process::run(&mut cargo(root, &["fmt", "--all", "--check"])));
    report.step("clippy", || process::run(&mut clippy(root)));
    report.step("tidy", || tidy::run(root));
    report.step("reference", || reference::check(root));
    report.step("doc", || process::run(&mut documentation(root)));
    optional_steps(root, &mut report);
    if scope == Scope::Fast {
        report.skip("tests", "left out by --fast");
    } else {
        tests(root, scope, &mut report);
    }
    report.step("golden", || golden::unchanged_since(root, &golden_before));
    report.print();
    report.verdict()
}

fn clippy(root: &Path) -> Command {
    let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    cargo(root, &arguments)
}

fn documentation(root: &Path) -> Command {
    let mut command = cargo(root, &["doc", "--workspace", "--no-deps", "--document-private-items"]);
    command.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links");
    command
}

/// Checkers that not everybody has; the pipeline that publishes has them all.
fn optional_steps(root: &Path, report: &mut Report) {
    let cargo_tool = |name: &str| process::is_installed(&mut cargo(root, &[name, "--version"]));
    if cargo_tool("deny") {
        report.step("deny", || process::run(&mut cargo(root, &["deny", "check"])));
    } else {
        report.skip("deny", "NOT INSTALLED, skipped; cargo install --locked cargo-deny");
    }
    if cargo_tool("machete") {
        report.step("machete", || process::run(&mut cargo(root, &["machete"])));
    } else {
        report.skip("machete", "NOT INSTALLED, skipped; cargo install --locked cargo-machete");
    }
    if process::is_installed(Command::new("typos").arg("--version")) {
        report.step("typos", || process::run(Command::new("typos").current_dir(root)));
    } else {
        report.skip("typos", "NOT INSTALLED, skipped; cargo install --locked typos-cli");
    }
}

/// How cargo's test runner begins its last line.
const CARGO_SUMMARY: &str = "test result:";

fn tests(root: &Path, scope: Scope, report: &mut Report) {
    let mut summaries = Vec::new();
    let nextest = process::is_installed(&mut cargo(root, &["nextest", "--version"]));
    let (arguments, marker): (&[&str], _) = if nextest {
        // A failing test's own output is shown too, so only nextest's last line counts.
        (&["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests", "pass"], "Summary [")
    } else {
        (&["test", "--workspace", "--all-targets", "--no-fail-fast"], CARGO_SUMMARY)
    };
    let long = |mut command: Command| {
        if scope == Scope::Long {
            command.env("GRIDTALLY_LONG", "1");
        }
        command
    };
    report.step("tests", || {
        process::run_tests(&mut long(cargo(root, arguments)), marker, &mut summaries)
    });
    report.step("doctests", || {
        let mut command = cargo(root, &["test", "--workspace", "--doc", "--no-fail-fast"]);
        process::run_tests(&mut command, CARGO_SUMMARY, &mut summaries)
    });
    report.summaries = summaries;
}

#[derive(Default)]
struct Report {
    outcomes: Vec<Outcome>,
    summaries: Vec<String>,
}

impl Report {
    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        eprintln!("── {name}");
        let start = Instant::now();
        let verdict = match work() {
            Ok(()) => Verdict::Passed,
            Err(error) => {
                eprintln!("{name} failed: {error:#}");
                Verdict::Failed(format!("{error:#}"))
            }
        };
        self.outcomes.push(Outcome { name, verdict, milliseconds: start.elapsed().as_millis() });
    }

    fn skip(&mut self, name: &'static str, reason: &'static str) {
        eprintln!("── {name}: {reason}");
        self.outcomes.push(Outcome { name, verdict: Verdict::Skipped(reason), milliseconds: 0 });
    }

    fn print(&self) {
        println!("\n── summary");
        for outcome in &self.outcomes {
            let (seconds, tenths) =
                (outcome.milliseconds / 1000, outcome.milliseconds % 1000 / 100);
            let (word, detail) = match &outcome.verdict {
                Verdict::Passed => ("ok", ""),
                Verdict::Failed(text) => ("FAILED", text.lines().next().unwrap_or_default()),
                Verdict::Skipped(reason) => ("skipped", *reason),
            };
            println!("{:<9} {word:<8} {seconds:>5}.{tenths} s  {detail}", outcome.name);
        }
        for line in &self.summaries {
            println!("{line}");
        }
    }

    fn verdict(&self) -> Result<()> {
        let failed = |outcome: &&Outcome| matches!(outcome.verdict, Verdict::Failed(_));
        let names: Vec<_> = self.outcomes.iter().filter(failed).map(|step| step.name).collect();
        if names.is_empty() { Ok(()) } else { Err(anyhow!("failed: {}", names.join(", "))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_fails_the_check_and_the_rest_still_runs() {
        let mut report = Report::default();
        report.step("first", || bail!("broken"));
        report.step("second", || Ok(()));
        report.skip("third", "not installed");
        assert_eq!(report.outcomes.len(), 3);
        assert_eq!(
            report.verdict().map_err(|error| error.to_string()),
            Err("failed: first".into())
        );
    }

    #[test]
    fn flags_exclude_each_other() {
        assert_eq!(Scope::from_flags(&["--fast"]).ok(), Some(Scope::Fast));
        assert_eq!(Scope::from_flags(&[]).ok(), Some(Scope::Whole));
        assert!(Scope::from_flags(&["--fast", "--long"]).is_err());
    }
}
