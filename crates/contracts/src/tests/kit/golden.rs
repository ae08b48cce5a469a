//! Golden files: `GRIDTALLY_GOLDEN=write` writes them, everything else compares.

use std::path::Path;

/// Compares `text` with `golden/<file>`, line by line, or writes it when asked to.
#[track_caller]
pub fn compare(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(file);
    if std::env::var_os("GRIDTALLY_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, text).expect("the golden file can be written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    for (stored, ours) in stored.lines().zip(text.lines()) {
        assert_eq!(stored, ours, "{file} differs");
    }
    assert_eq!(stored.lines().count(), text.lines().count(), "{file}: another number of lines");
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes every text");
        text
    })
}
