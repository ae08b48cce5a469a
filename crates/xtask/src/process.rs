//! Starting other programs: cargo, git, and the optional checkers.

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

/// A call of the cargo that started this task, in the workspace.
pub fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root);
    // A check never rewrites what it checks.
    command.env_remove("GRIDTALLY_GOLDEN");
    command
}

/// Runs to the end, with this terminal; an exit code other than 0 is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("failed to start {command:?}"))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// What a program prints on its standard output; fails when the program does.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("failed to start {command:?}"))?;
    if !output.status.success() {
        bail!("{} ended with {}", shown(command), output.status);
    }
    String::from_utf8(output.stdout).context("failed to read the output as UTF-8")
}

/// Whether a program answers when asked for its version.
pub fn is_installed(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Like [`run`], and keeps the lines with `marker` by which a test runner tells how many tests
/// passed, so that they can be repeated at the very end.
pub fn run_tests(
    command: &mut Command,
    marker: &'static str,
    summary: &mut Vec<String>,
) -> Result<()> {
    if std::io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("failed to start {command:?}"))?;
    let out = child.stdout.take().context("failed to read the standard output")?;
    let err = child.stderr.take().context("failed to read the standard error")?;
    let errors = thread::spawn(move || copy_lines(err, std::io::stderr(), marker));
    summary.extend(copy_lines(out, std::io::stdout(), marker));
    if let Ok(lines) = errors.join() {
        summary.extend(lines);
    }
    let status = child.wait().context("failed to wait for the tests")?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Passes every line on and keeps those with the marker.
fn copy_lines(from: impl Read, mut to: impl Write, marker: &str) -> Vec<String> {
    let mut kept = Vec::new();
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    // Bytes, not text: a failing test may print anything.
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // A closed terminal is no reason to stop reading: the child would block.
        let _ = to.write_all(&line);
        let text = String::from_utf8_lossy(&line);
        if text.contains(marker) {
            kept.push(text.trim().to_owned());
        }
        line.clear();
    }
    kept
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    format!("`{}`", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_passed_on_and_the_summary_kept() {
        let text = "one\n    Summary [ 0.4s] 9 tests run: 9 passed\nSummary of a bill\n";
        let mut passed_on = Vec::new();
        let kept = copy_lines(text.as_bytes(), &mut passed_on, "Summary [");
        assert_eq!(passed_on, text.as_bytes());
        assert_eq!(kept, ["Summary [ 0.4s] 9 tests run: 9 passed"]);
    }
}
