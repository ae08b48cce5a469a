//! Every Rust file opens with a module head: what it is for, before how it does it.

use super::{Finding, TextFile, rust_files};

pub fn check(files: &[TextFile]) -> Vec<Finding> {
    rust_files(files)
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| Finding::new(&file.path, 1, "open the file with `//! ` and what it is for"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn a_file_without_a_head_is_found() {
        let files = [
            file("crates/a/src/lib.rs", "//! What it is for.\nuse b;\n"),
            file("crates/a/src/c.rs", "use b;\n//! Too late.\n"),
            file("docs/example.rs", "use b;\n"),
        ];
        let paths: Vec<_> = check(&files).into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, ["crates/a/src/c.rs"]);
    }
}
