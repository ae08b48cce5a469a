//! `cargo xtask tidy`: the habits of the house that a tool can hold.
//!
//! Each rule is a pure function from the texts of the repository to findings, in a module of its
//! own with its tests. A rule that needs a file which does not exist yet is silent.
//! A [`Finding`] fails the check; a note is printed and fails nothing.

mod dead_files;
mod documents;
mod floors;
mod functions;
mod module_heads;
mod purity;
mod rulebook;
mod rust_text;
mod words;

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;

/// A text file under version control.
pub struct TextFile {
    /// Relative to the workspace, with `/`.
    pub path: String,
    pub text: String,
}

/// One place that breaks a rule of the house.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    pub path: String,
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
    pub message: String,
}

impl Finding {
    pub fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.path, self.message),
            line => write!(formatter, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Runs every rule over the repository; fails when there is a finding.
pub fn run(root: &Path) -> Result<()> {
    let files = text_files(root)?;
    let mut findings = floors::check(root, &files)?;
    findings.extend(words::check(&files));
    findings.extend(module_heads::check(&files));
    findings.extend(dead_files::check(&files));
    findings.extend(purity::check(&files));
    findings.extend(functions::check(&files));
    findings.extend(rulebook::check(&files));
    findings.extend(documents::check(root, &files));
    for note in functions::long_files(&files) {
        println!("note: {note}");
    }
    findings.sort();
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!("{} text files, nothing found", files.len());
    Ok(())
}

/// Every text file that git tracks or would track: a new file is checked before it is committed.
fn text_files(root: &Path) -> Result<Vec<TextFile>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let listing = process::output(&mut git)?;
    let mut files = Vec::new();
    for path in listing.split('\0').filter(|path| !path.is_empty()) {
        // A file that was deleted but not yet committed, or is no text, has nothing to check.
        if let Ok(text) = std::fs::read_to_string(root.join(path)) {
            files.push(TextFile { path: path.to_owned(), text });
        }
    }
    Ok(files)
}

/// The Rust sources of the workspace.
fn rust_files(files: &[TextFile]) -> impl Iterator<Item = &TextFile> {
    files.iter().filter(|file| file.path.starts_with("crates/") && file.path.ends_with(".rs"))
}

#[cfg(test)]
fn file(path: &str, text: &str) -> TextFile {
    TextFile { path: path.to_owned(), text: text.to_owned() }
}
