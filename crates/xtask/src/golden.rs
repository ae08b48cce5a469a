//! Golden files: the bytes that may not change by accident.
//!
//! Tests compare what the code makes with `crates/*/golden/`. With `GRIDTALLY_GOLDEN=write` in the
//! environment they write instead, and the diff that git then shows is the change of format to
//! approve. Regenerating is approving.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{self, cargo};

/// Every golden file with its bytes, keyed by its path.
pub type Contents = BTreeMap<PathBuf, Vec<u8>>;

/// Lets the golden tests write, and shows what that changed.
pub fn rewrite(root: &Path) -> Result<()> {
    let before = contents(root)?;
    // By name: a golden test says so in its name, and only those write.
    let mut tests = cargo(root, &["test", "--workspace", "--all-targets", "--", "golden"]);
    process::run(tests.env("GRIDTALLY_GOLDEN", "write"))?;
    let after = contents(root)?;
    let changed = differences(&before, &after);
    println!("\n{} golden files, {} changed by this run", after.len(), changed.len());
    let folders: Vec<PathBuf> = folders(root)?;
    if !folders.is_empty() {
        let mut git = Command::new("git");
        git.args(["diff", "--stat", "--"]).args(folders).current_dir(root);
        process::run(&mut git)?;
    }
    println!("Read the diff: each changed line is a change of format that you approve.");
    Ok(())
}

/// All golden files as they are on the disk now.
pub fn contents(root: &Path) -> Result<Contents> {
    let mut found = Contents::new();
    let mut open = folders(root)?;
    while let Some(folder) = open.pop() {
        for entry in read_folder(&folder)? {
            if entry.is_dir() {
                open.push(entry);
            } else {
                let bytes = std::fs::read(&entry)
                    .with_context(|| format!("failed to read {}", entry.display()))?;
                found.insert(entry, bytes);
            }
        }
    }
    Ok(found)
}

/// Fails and names the files when a golden file is not what it was.
pub fn unchanged_since(root: &Path, before: &Contents) -> Result<()> {
    let changed = differences(before, &contents(root)?);
    if !changed.is_empty() {
        let names: Vec<_> = changed.iter().map(|path| path.display().to_string()).collect();
        bail!("golden files changed while the checks ran: {}", names.join(", "));
    }
    println!("{} golden files, unchanged", before.len());
    Ok(())
}

fn differences(before: &Contents, after: &Contents) -> Vec<PathBuf> {
    let mut changed: Vec<PathBuf> = Vec::new();
    changed.extend(before.keys().filter(|path| before.get(*path) != after.get(*path)).cloned());
    changed.extend(after.keys().filter(|path| !before.contains_key(*path)).cloned());
    changed
}

fn folders(root: &Path) -> Result<Vec<PathBuf>> {
    let crates = read_folder(&root.join("crates"))?;
    Ok(crates.into_iter().map(|path| path.join("golden")).filter(|path| path.is_dir()).collect())
}

/// The entries of a folder, sorted.
fn read_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("failed to list {}", folder.display());
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(context)? {
        entries.push(entry.with_context(context)?.path());
    }
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_added_and_removed_files_are_named() {
        let files = |pairs: &[(&str, &str)]| -> Contents {
            pairs
                .iter()
                .map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()))
                .collect()
        };
        let before = files(&[("same", "1"), ("changed", "1"), ("removed", "1")]);
        let after = files(&[("same", "1"), ("changed", "2"), ("added", "1")]);
        let names: Vec<_> = differences(&before, &after);
        assert_eq!(names, ["changed", "removed", "added"].map(PathBuf::from));
    }
}
