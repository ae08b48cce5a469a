//! The rulebook is whole: every transaction is pinned and documented, every rule has a number of
//! its own and a test that breaks it, no golden file is left over, and the faults of the forerunners
//! that `docs/threats.md` lists are those that tests hold.
//!
//! Read from the two tables `crates/contracts/src/{transaction,rejection}.rs` as text, so that the
//! check works on a tree that does not compile.

use std::collections::BTreeMap;

use super::rust_text::{is_identifier, without_tests};
use super::{Finding, TextFile, rust_files};

const TRANSACTIONS: &str = "crates/contracts/src/transaction.rs";
const REJECTIONS: &str = "crates/contracts/src/rejection.rs";
const THREATS: &str = "docs/threats.md";
const FORERUNNERS: &str = "crates/contracts/src/tests/published.rs";
const TRANSACTION_GOLDEN: &str = "crates/contracts/golden/";
const TRANSACTION_REFERENCE: &str = "docs/reference/transactions.md";

pub fn check(files: &[TextFile]) -> Vec<Finding> {
    let mut findings = transactions(files);
    findings.extend(rejections(files));
    findings.extend(orphans(files));
    findings.extend(forerunners(files));
    findings
}

/// The faults of the forerunners: each test that holds one is listed, and each that is listed exists.
fn forerunners(files: &[TextFile]) -> Vec<Finding> {
    let names = |path: &str, opening: &str| {
        let text = files.iter().find(|file| file.path == path).map_or("", |file| &file.text);
        let mut names = BTreeMap::new();
        for (line, number) in text.lines().zip(1..) {
            for (start, _) in line.match_indices(opening) {
                let rest = line[start + opening.len()..].chars();
                let name: String = rest.take_while(|char| is_identifier(*char)).collect();
                if name.starts_with("eb_") || name.starts_with("bx_") {
                    names.insert(name, number);
                }
            }
        }
        names
    };
    let (listed, tested) = (names(THREATS, "`"), names(FORERUNNERS, "fn "));
    let missing = |from: &BTreeMap<String, usize>, to: &BTreeMap<String, usize>, path, other| {
        let alone = from.iter().filter(|(name, _)| !to.contains_key(*name));
        let finding = |(name, line): (&String, &usize)| {
            Finding::new(path, *line, format!("{name} is missing in {other}"))
        };
        alone.map(finding).collect::<Vec<_>>()
    };
    let mut findings = missing(&listed, &tested, THREATS, FORERUNNERS);
    findings.extend(missing(&tested, &listed, FORERUNNERS, THREATS));
    findings
}

/// A line of one of the tables: its number and its name.
struct Entry {
    line: usize,
    number: u16,
    name: String,
}

fn transactions(files: &[TextFile]) -> Vec<Finding> {
    let entries = table(files, TRANSACTIONS, "transactions! {");
    let mut findings = repeated_numbers(TRANSACTIONS, &entries);
    let golden: Vec<&TextFile> =
        files.iter().filter(|file| file.path.starts_with(TRANSACTION_GOLDEN)).collect();
    let reference = files.iter().find(|file| file.path == TRANSACTION_REFERENCE);
    for Entry { line, name, .. } in &entries {
        let names = [name.clone(), snake_case(name)];
        let pinned = |file: &&TextFile| {
            names.iter().any(|name| has_word(&file.path, name) || has_word(&file.text, name))
        };
        if !golden.iter().any(pinned) {
            let message = format!("{name} has no vector in {TRANSACTION_GOLDEN}");
            findings.push(Finding::new(TRANSACTIONS, *line, message));
        }
        // The reference is generated; until it exists there is nothing to compare.
        if reference.is_some_and(|file| !has_word(&file.text, name)) {
            let message = format!("{name} is missing in {TRANSACTION_REFERENCE}");
            findings.push(Finding::new(TRANSACTIONS, *line, message));
        }
    }
    findings
}

fn rejections(files: &[TextFile]) -> Vec<Finding> {
    let entries = table(files, REJECTIONS, "rejections! {");
    let mut findings = repeated_numbers(REJECTIONS, &entries);
    let tests: Vec<&str> = rust_files(files)
        .map(|file| &file.text[without_tests(&file.path, &file.text).len()..])
        .filter(|text| !text.is_empty())
        .collect();
    for Entry { line, number, name } in &entries {
        if *number < 100 {
            let message = format!("{name}: the codes of rules start at 100");
            findings.push(Finding::new(REJECTIONS, *line, message));
        }
        if !tests.iter().any(|text| has_word(text, name)) {
            let message = format!("no test breaks the rule {name} ({number})");
            findings.push(Finding::new(REJECTIONS, *line, message));
        }
    }
    findings
}

/// Golden files that no source of their crate names: nothing compares them.
fn orphans(files: &[TextFile]) -> Vec<Finding> {
    let golden = files.iter().filter_map(|file| {
        let (folder, name) = file.path.split_once("/golden/")?;
        folder.starts_with("crates/").then_some((file, folder, name))
    });
    let is_named = |folder: &str, name: &str| {
        let stem = name.rsplit('/').next().unwrap_or(name);
        let stem = stem.split('.').next().unwrap_or(stem);
        let mut sources = rust_files(files).filter(|source| source.path.starts_with(folder));
        // Vectors of transactions are named after the line of the table.
        sources
            .any(|source| has_word(&source.text, stem) || has_word(&source.text, &camel_case(stem)))
    };
    golden
        .filter(|(_, folder, name)| !is_named(folder, name))
        .map(|(file, ..)| {
            Finding::new(&file.path, 0, "no source of the crate names this golden file")
        })
        .collect()
}

/// The lines `number Name …` between the opening of a table and its closing brace.
fn table(files: &[TextFile], path: &str, opening: &str) -> Vec<Entry> {
    let text = files.iter().find(|file| file.path == path).map_or("", |file| &file.text);
    let lines = text.lines().zip(1..);
    let inside =
        lines.skip_while(|(line, _)| *line != opening).take_while(|(line, _)| *line != "}");
    inside.filter_map(|(content, line)| entry(content, line)).collect()
}

fn entry(content: &str, line: usize) -> Option<Entry> {
    let (number, rest) = content.trim_start().split_once(' ')?;
    let name: String = rest.chars().take_while(|char| is_identifier(*char)).collect();
    Some(Entry { line, number: number.parse().ok()?, name })
}

fn repeated_numbers(path: &str, entries: &[Entry]) -> Vec<Finding> {
    let mut seen: BTreeMap<u16, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for Entry { line, number, name } in entries {
        if let Some(other) = seen.insert(*number, name) {
            let message = format!("{name} reuses the number {number} of {other}");
            findings.push(Finding::new(path, *line, message));
        }
    }
    findings
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        !before.is_some_and(is_identifier) && !after.is_some_and(is_identifier)
    })
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for char in name.chars() {
        if char.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(char.to_lowercase());
    }
    snake
}

fn camel_case(name: &str) -> String {
    let capital = |part: &str| {
        let mut chars = part.chars();
        chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>())
    };
    name.split('_').filter_map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    const TABLE: &str = "//! transactions! {\ntransactions! {\n    metering {\n        201 SealDay,\n        \
                         // 202 Dropped\n        203 SubmitReading,\n    }\n}\n204 Outside,\n";

    fn messages(files: &[TextFile]) -> Vec<String> {
        check(files).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_transaction_without_a_vector_or_reference_is_found() {
        let mut files = vec![
            file(TRANSACTIONS, TABLE),
            file("crates/contracts/golden/transactions.txt", "seal_day 00ff\n"),
            file("crates/contracts/tests/golden.rs", "\"transactions.txt\""),
        ];
        assert_eq!(messages(&files), ["SubmitReading has no vector in crates/contracts/golden/"]);
        files[1].text.push_str("SubmitReading 00ff\n");
        assert!(messages(&files).is_empty());
        files.push(file(TRANSACTION_REFERENCE, "# Transactions\n\n## SealDay\n"));
        assert_eq!(
            messages(&files),
            ["SubmitReading is missing in docs/reference/transactions.md"]
        );
    }

    #[test]
    fn rules_have_their_own_number_and_a_test() {
        let table = "rejections! {\n    /// Why.\n    100 SequenceUsed { sequence } => \"x\";\n    \
                     100 KeyUnknown => \"y\";\n}\n";
        let tests = "fn a() { KeyUnknown }\n#[cfg(test)]\nmod tests { SequenceUsed }\n";
        let files = [file(REJECTIONS, table), file("crates/contracts/src/a.rs", tests)];
        assert_eq!(
            messages(&files),
            [
                "KeyUnknown reuses the number 100 of SequenceUsed",
                "no test breaks the rule KeyUnknown (100)"
            ]
        );
    }

    #[test]
    fn a_golden_file_that_nobody_compares_is_found() {
        let source = "check_golden(\"keys.txt\")";
        let files = [
            file("crates/primitives/src/golden.rs", source),
            file("crates/primitives/golden/keys.txt", ""),
            file("crates/primitives/golden/left_over.txt", ""),
        ];
        let paths: Vec<_> = check(&files).into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, ["crates/primitives/golden/left_over.txt"]);
    }

    #[test]
    fn faults_of_the_forerunners_are_listed_and_tested() {
        let mut files = vec![
            file(THREATS, "| floats | `eb_floats` |\n| anyone | `bx_anyone` |\n`other`\n"),
            file(FORERUNNERS, "fn eb_floats() {}\nfn bx_receipts() {}\nfn kit() {}\n"),
        ];
        let wanted = |name: &str, path: &str| format!("{name} is missing in {path}");
        let found = [wanted("bx_anyone", FORERUNNERS), wanted("bx_receipts", THREATS)];
        assert_eq!(messages(&files), found);
        files[1].text.push_str("fn bx_anyone() {}");
        files[0].text.push_str("`bx_receipts`");
        assert!(messages(&files).is_empty());
    }

    #[test]
    fn names_translate_both_ways() {
        assert_eq!(snake_case("SubmitMeterReading"), "submit_meter_reading");
        assert_eq!(camel_case("submit_meter_reading"), "SubmitMeterReading");
    }
}
