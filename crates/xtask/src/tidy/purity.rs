//! What the rules of the network may never touch: clock, files, sockets, threads, chance, floats.
//!
//! The compiler and clippy hold most of it; this holds the rest for the two lowest floors, where
//! one call of the kind would let two nodes disagree.

use super::rust_text::{is_identifier, mask, without_tests};
use super::{Finding, TextFile, rust_files};

const PURE: [&str; 2] = ["crates/primitives/src/", "crates/contracts/src/"];

/// A path or type, and what it would bring in.
const IMPURE: [(&str, &str); 12] = [
    ("std::fs", "the disk"),
    ("std::net", "the network"),
    ("std::env", "the environment of the process"),
    ("std::process", "other programs"),
    ("std::thread", "threads"),
    ("SystemTime", "the clock of the machine"),
    ("Instant", "the clock of the machine"),
    ("HashMap", "an order that differs from run to run"),
    ("HashSet", "an order that differs from run to run"),
    ("f32", "floating point"),
    ("f64", "floating point"),
    ("async fn", "an async runtime"),
];

pub fn check(files: &[TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let pure = |file: &&TextFile| PURE.iter().any(|folder| file.path.starts_with(folder));
    for file in rust_files(files).filter(pure) {
        let code = mask(without_tests(&file.path, &file.text));
        for (line, number) in code.lines().zip(1..) {
            for (word, what) in IMPURE.iter().filter(|(word, _)| contains_word(line, word)) {
                let message = format!("`{word}` brings in {what}: the rules stay pure");
                findings.push(Finding::new(&file.path, number, message));
            }
        }
    }
    findings
}

/// Whether the line has the word, not as a part of a longer one.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(is_identifier) && !after.is_some_and(is_identifier)
    })
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn impure_words_are_found_in_code_of_the_low_floors_only() {
        let source = "//! Not an f64.\nuse std::fs;\nstruct InstantPower(f64x);\nlet now: Instant;\n\
                      #[cfg(test)]\nmod tests { use std::fs; }\n";
        let lines: Vec<_> = check(&[file("crates/contracts/src/lib.rs", source)])
            .into_iter()
            .map(|finding| finding.line)
            .collect();
        assert_eq!(lines, [2, 4]);
        assert!(check(&[file("crates/ledger/src/lib.rs", source)]).is_empty());
    }
}
