//! Sizes, as habits: a function fits on a screen, a file holds one noun.
//!
//! The limit on functions is a ratchet. What stands in `crates/xtask/long-functions.txt` may stay
//! as long as it is, but may not grow, and leaves the list when it has become short. Long tests
//! are tables, and tables are read line by line: they are not counted.

use std::collections::BTreeMap;

use super::rust_text::{is_identifier, is_test_path, mask, without_tests};
use super::{Finding, TextFile, rust_files};

const ALLOWED_PATH: &str = "crates/xtask/long-functions.txt";
const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_NOTED: usize = 800;

/// A function in a file; two of one name in one file count as the longer one.
type Place = (String, String);

struct Length {
    line: usize,
    lines: usize,
}

/// Functions that have grown past the limit, and entries of the list that are no longer needed.
pub fn check(files: &[TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let allowed = allowed(files, &mut findings);
    let mut long: BTreeMap<Place, Length> = BTreeMap::new();
    for file in rust_files(files) {
        for (name, length) in functions(without_tests(&file.path, &file.text)) {
            let place = (file.path.clone(), name);
            let longest = long.get(&place).map_or(0, |length| length.lines);
            if length.lines > FUNCTION_LINES_MAX && length.lines > longest {
                long.insert(place, length);
            }
        }
    }
    for ((path, name), Length { line, lines }) in &long {
        let limit =
            allowed.get(&(path.clone(), name.clone())).map_or(FUNCTION_LINES_MAX, |it| it.lines);
        if *lines > limit {
            let message = format!("fn {name} has {lines} lines, at most {limit}: split it");
            findings.push(Finding::new(path, *line, message));
        }
    }
    for (place, entry) in allowed.iter().filter(|(place, _)| !long.contains_key(*place)) {
        let message =
            format!("fn {} in {} is not long (any more): remove the line", place.1, place.0);
        findings.push(Finding::new(ALLOWED_PATH, entry.line, message));
    }
    findings
}

/// Files in which two nouns may live. A note, not a finding: length alone proves nothing.
pub fn long_files(files: &[TextFile]) -> Vec<Finding> {
    let lines = |file: &TextFile| file.text.lines().count();
    rust_files(files)
        .filter(|file| lines(file) > FILE_LINES_NOTED)
        .map(|file| {
            let kind = if is_test_path(&file.path) { "tests" } else { "do two nouns live here?" };
            Finding::new(&file.path, 0, format!("{} lines: {kind}", lines(file)))
        })
        .collect()
}

/// The list: one line `path function lines` for each; empty lines and `#` comments are skipped.
fn allowed(files: &[TextFile], findings: &mut Vec<Finding>) -> BTreeMap<Place, Length> {
    let mut allowed = BTreeMap::new();
    let text = files.iter().find(|file| file.path == ALLOWED_PATH).map_or("", |file| &file.text);
    for (content, line) in text.lines().zip(1..) {
        if content.trim().is_empty() || content.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = content.split_whitespace().collect();
        let entry = match words[..] {
            [path, name, lines] => lines.parse().ok().map(|lines| (path, name, lines)),
            _ => None,
        };
        if let Some((path, name, lines)) = entry {
            allowed.insert((path.to_owned(), name.to_owned()), Length { line, lines });
        } else {
            findings.push(Finding::new(ALLOWED_PATH, line, "expected `path function lines`"));
        }
    }
    allowed
}

/// Every function with a body, with the lines from `fn` to its closing brace.
fn functions(source: &str) -> Vec<(String, Length)> {
    let masked = mask(source);
    let mut found = Vec::new();
    for (start, _) in masked.match_indices("fn ") {
        let before = masked[..start].chars().next_back().unwrap_or(' ');
        let after = &masked[start + "fn ".len()..];
        let name: String = after.chars().take_while(|char| is_identifier(*char)).collect();
        // `Fn (`, `fn $name` and the type `fn (…)` have no name here.
        if is_identifier(before) || name.is_empty() {
            continue;
        }
        if let Some(end) = body_end(after) {
            let line = masked[..start].matches('\n').count() + 1;
            let lines = after[..end].matches('\n').count() + 1;
            found.push((name, Length { line, lines }));
        }
    }
    found
}

/// Where the body closes; `None` for a declaration without one.
fn body_end(signature_and_body: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for (at, char) in signature_and_body.char_indices() {
        match char {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces <= 1 => return (braces == 1).then_some(at),
            '}' => braces -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn function_of(lines: usize) -> String {
        format!("fn long(array: [u8; 3]) {{\n{}}}\n", "    work(\"}\");\n".repeat(lines - 2))
    }

    fn messages(files: &[TextFile]) -> Vec<String> {
        check(files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_function_on_the_limit_passes_and_one_line_more_does_not() {
        assert!(messages(&[file("crates/a/src/lib.rs", &function_of(70))]).is_empty());
        let found = messages(&[file("crates/a/src/lib.rs", &function_of(71))]);
        assert_eq!(found, ["crates/a/src/lib.rs:1: fn long has 71 lines, at most 70: split it"]);
    }

    #[test]
    fn the_list_lets_old_ones_stay_but_not_grow() {
        let list = file(ALLOWED_PATH, "# why\ncrates/a/src/lib.rs long 80\n");
        let with = |lines| {
            messages(&[
                file(&list.path, &list.text),
                file("crates/a/src/lib.rs", &function_of(lines)),
            ])
        };
        assert!(with(80).is_empty());
        assert_eq!(with(81).len(), 1);
        assert_eq!(
            with(10),
            [format!(
                "{ALLOWED_PATH}:2: fn long in crates/a/src/lib.rs is not long (any more): remove the line"
            )]
        );
    }

    #[test]
    fn declarations_types_and_tests_are_not_counted() {
        let source = "trait A { fn a(&self); }\ntype B = fn (u8);\n";
        assert!(functions(source).is_empty());
        assert!(messages(&[file("crates/a/tests/it/main.rs", &function_of(99))]).is_empty());
    }
}
