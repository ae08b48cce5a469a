//! Just enough of Rust's lexical rules to look at code without its comments and literals.
//!
//! A parser would do more, but costs every build a large dependency. This never fails: text that
//! is not Rust gives nonsense, not a panic, and the compiler has the last word on it.

/// The source with comments and the contents of literals blanked out, line for line.
pub fn mask(source: &str) -> String {
    let mut masked = String::with_capacity(source.len());
    let mut rest = source;
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        let length = opaque_length(rest, previous);
        let taken = if length == 0 { first.len_utf8() } else { length };
        let (token, after) = rest.split_at(taken);
        if length == 0 {
            masked.push(first);
        } else {
            masked.extend(token.chars().map(|char| if char == '\n' { '\n' } else { ' ' }));
        }
        previous = token.chars().last().unwrap_or(' ');
        rest = after;
    }
    masked
}

/// The code of a file without its tests: nothing for a file of tests, else all that stands before
/// the test module at the bottom.
pub fn without_tests<'a>(path: &str, source: &'a str) -> &'a str {
    if is_test_path(path) {
        return "";
    }
    let end = source.match_indices("#[cfg(test)]\n").find_map(|(start, attribute)| {
        let at_line_start = start == 0 || source.as_bytes().get(start - 1) == Some(&b'\n');
        let after = source[start + attribute.len()..].trim_start();
        let item = after.strip_prefix("pub(crate) ").unwrap_or(after);
        (at_line_start && item.starts_with("mod ")).then_some(start)
    });
    &source[..end.unwrap_or(source.len())]
}

/// Whether a path is one where only tests live.
pub fn is_test_path(path: &str) -> bool {
    let folder = |name: &str| path.split('/').rev().skip(1).any(|part| part == name);
    let file = path.rsplit('/').next().unwrap_or(path);
    folder("tests")
        || folder("benches")
        || folder("testing")
        || matches!(file, "tests.rs" | "testing.rs")
        || file.ends_with("_tests.rs")
}

pub fn is_identifier(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

/// The length of the comment or literal that the text starts with; 0 when it starts with code.
fn opaque_length(text: &str, previous: char) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment_length(text);
    }
    if text.starts_with('\'') {
        return character_length(text);
    }
    if text.starts_with('"') {
        return string_length(text);
    }
    if is_identifier(previous) {
        return 0;
    }
    raw_string_length(text)
}

fn block_comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// A character literal, not a lifetime: `'a'` and `'\''`, but not `'a`.
fn character_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            let closing = chars.find(|(_, char)| *char == '\'');
            closing.map_or(0, |(at, _)| at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `r"…"`, `br#"…"#`, `cr##"…"##`.
fn raw_string_length(text: &str) -> usize {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    });
    let Some(prefix) = prefix else { return 0 };
    let hashes = text[prefix.len()..].bytes().take_while(|byte| *byte == b'#').count();
    let start = prefix.len() + hashes + 1;
    let closing = format!("\"{}", "#".repeat(hashes));
    text[start..].find(&closing).map_or(text.len(), |at| start + at + closing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        for (source, expected) in [
            ("a // fn b\nc", "a        \nc"),
            ("a /* x /* y */ z */ b", "a                   b"),
            ("f(\"{ \\\" }\")", "f(        )"),
            ("f('{', 'a', '\\'')", "f(   ,    ,     )"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("r#\"a \" b\"# c", "           c"),
            ("for\"x\"", "for   "),
            ("\"one\ntwo\" x", "    \n     x"),
        ] {
            assert_eq!(mask(source), expected, "{source}");
        }
    }

    #[test]
    fn half_written_text_does_not_panic() {
        for source in ["\"", "'", "'\\", "/*", "r#\"", "br", "/* /* */", "é'é"] {
            assert_eq!(mask(source).chars().count(), source.chars().count(), "{source}");
        }
    }

    #[test]
    fn tests_at_the_bottom_are_cut_off() {
        let source = "fn a() {}\n#[cfg(test)]\nfn b() {}\n\n#[cfg(test)]\nmod tests {}\n";
        assert_eq!(without_tests("src/a.rs", source), "fn a() {}\n#[cfg(test)]\nfn b() {}\n\n");
        assert_eq!(without_tests("crates/x/tests/it/main.rs", source), "");
        assert_eq!(without_tests("crates/x/src/tests.rs", source), "");
    }
}
