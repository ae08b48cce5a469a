//! Words that do not belong into a published repository.
//!
//! Open ends are named with a person and a reason or not at all, and no file tells where or with
//! what it was written. The words are put together here so that this file passes its own rule.

use super::rust_text::without_tests;
use super::{Finding, TextFile};

struct Word {
    text: &'static str,
    why: &'static str,
    applies: fn(path: &str) -> bool,
}

const WORDS: [Word; 11] = [
    Word { text: concat!("FIX", "ME"), why: OPEN_END, applies: everywhere },
    Word { text: concat!("X", "XX"), why: OPEN_END, applies: in_code },
    Word { text: concat!("lorem ", "ipsum"), why: "say it or leave it out", applies: everywhere },
    Word { text: concat!("<<<<", "<<< "), why: "an unfinished merge", applies: everywhere },
    Word { text: concat!(">>>>", ">>> "), why: "an unfinished merge", applies: everywhere },
    Word { text: concat!("/wo", "rk/"), why: ONE_MACHINE, applies: everywhere },
    Word { text: concat!("/ro", "ot/"), why: ONE_MACHINE, applies: everywhere },
    Word { text: concat!("/tm", "p/"), why: ONE_MACHINE, applies: in_code },
    Word { text: concat!("/ho", "me/"), why: ONE_MACHINE, applies: in_code },
    Word { text: concat!("sub", "agent"), why: WORKPLACE, applies: everywhere },
    Word { text: concat!("language ", "model"), why: WORKPLACE, applies: everywhere },
];

const OPEN_END: &str = "an open end: do it, or open an issue";
const ONE_MACHINE: &str = "a path of one machine";
const WORKPLACE: &str = "the workplace, not the product";
const TASK: &str = concat!("TO", "DO");

pub fn check(files: &[TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !is_foreign(&file.path)) {
        let tests_from = without_tests(&file.path, &file.text).lines().count();
        for (line, number) in file.text.lines().zip(1..) {
            let in_tests = file.path.ends_with(".rs") && number > tests_from;
            for word in WORDS.iter().filter(|word| (word.applies)(&file.path)) {
                // Tests may name any path: they look for it.
                let excused = in_tests && word.why == ONE_MACHINE;
                if line.to_lowercase().contains(&word.text.to_lowercase()) && !excused {
                    let message = format!("`{}`: {}", word.text, word.why);
                    findings.push(Finding::new(&file.path, number, message));
                }
            }
            if line.split(TASK).skip(1).any(|after| !has_name_and_reason(after)) {
                let message = format!("write `{TASK}(name): reason`, or do it");
                findings.push(Finding::new(&file.path, number, message));
            }
        }
    }
    findings
}

/// Texts that others wrote and we only pass on.
fn is_foreign(path: &str) -> bool {
    path.starts_with("LICENSE") || path.contains("/LICENSE") || path == "Cargo.lock"
}

fn everywhere(_path: &str) -> bool {
    true
}

/// Prose may name a temporary folder in an example.
fn in_code(path: &str) -> bool {
    !path.ends_with(".md")
}

/// `(name): reason`, with something in both places.
fn has_name_and_reason(after: &str) -> bool {
    let Some((name, rest)) = after.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
        return false;
    };
    let reason = rest.strip_prefix(':').unwrap_or_default();
    !name.trim().is_empty() && reason.trim().len() > 3
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&[file(path, text)]).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn open_ends_need_a_name_and_a_reason() {
        let text = format!(
            "a\n// {TASK} later\n// {TASK}(ann): when slots are five minutes\n// {TASK}(): x\n"
        );
        assert_eq!(lines("crates/a/src/lib.rs", &text), [2, 4]);
    }

    #[test]
    fn paths_of_one_machine_are_found_outside_tests() {
        let path = concat!("/tm", "p/");
        let text = format!("let a = \"{path}x\";\n\n#[cfg(test)]\nmod tests {{ \"{path}y\" }}\n");
        assert_eq!(lines("crates/a/src/lib.rs", &text), [1]);
        assert!(lines("crates/a/tests/it/main.rs", &text).is_empty());
        assert!(lines("docs/README.md", &text).is_empty());
        assert!(lines("LICENSE-MIT", &text).is_empty());
    }
}
