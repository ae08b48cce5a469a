//! Tables in files, as spreadsheets write them: comma-separated, the first line names the columns.
//!
//! Columns may stand in any order. A column that nobody knows is refused, for it may be a misspelt
//! one that counts; every error names its line.

use std::path::Path;

use anyhow::{Context, anyhow};
use csv::{ReaderBuilder, StringRecord, Trim};

use crate::exit::{EndWith, Ended, Exit};

/// No table is larger: 1,000 meters with a long day of 5-minute slots.
const MAX_BYTES: u64 = 64 << 20;

/// Reads a table, one item per row. `row` reads its cells by name and says what is wrong.
///
/// # Errors
/// The file cannot be read, or a line is not as it should be: a usage error that names it.
pub fn read<T>(
    path: &Path,
    columns: &Columns<'_>,
    row: impl FnMut(&Row<'_>) -> Result<T, String>,
) -> Result<Vec<T>, Ended> {
    let text = read_text(path, MAX_BYTES)?;
    parse(&text, columns, row)
        .map_err(|error| anyhow!("{}: {error}", path.display()))
        .end_with(Exit::Usage)
}

/// Reads a text file of bounded length.
///
/// # Errors
/// When it cannot be read, is longer, or is no UTF-8 text: a usage error that names the file.
pub fn read_text(path: &Path, max_bytes: u64) -> Result<String, Ended> {
    let bytes = read_bytes(path, max_bytes)?;
    String::from_utf8(bytes)
        .with_context(|| format!("{} is no text", path.display()))
        .end_with(Exit::Usage)
}

/// Reads a file of bounded length.
///
/// # Errors
/// When it cannot be read or is longer: a usage error that names the file.
pub fn read_bytes(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Ended> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(max_bytes + 1).read_to_end(&mut bytes))
        .with_context(|| format!("{} cannot be read", path.display()))
        .end_with(Exit::Usage)?;
    if bytes.len() as u64 > max_bytes {
        return Err(anyhow!("{} is larger than {max_bytes} bytes", path.display()))
            .end_with(Exit::Usage);
    }
    Ok(bytes)
}

/// The columns of a table.
pub struct Columns<'a> {
    /// Those that it must have.
    pub required: &'a [&'a str],
    /// Those that it may have.
    pub optional: &'a [&'a str],
}

impl Columns<'_> {
    fn check(&self, head: &StringRecord) -> Result<(), String> {
        for (index, name) in head.iter().enumerate() {
            if !self.required.contains(&name) && !self.optional.contains(&name) {
                let known = [self.required, self.optional].concat().join(", ");
                return Err(format!("line 1: column {name:?} is not known; known are {known}"));
            }
            if head.iter().take(index).any(|other| other == name) {
                return Err(format!("line 1: column {name:?} stands twice"));
            }
        }
        match self.required.iter().find(|name| head.iter().all(|other| other != **name)) {
            Some(missing) => Err(format!("line 1: column {missing:?} is missing")),
            None => Ok(()),
        }
    }
}

/// One row.
pub struct Row<'a> {
    /// Its line, from 1.
    pub line: u64,
    head: &'a StringRecord,
    cells: &'a StringRecord,
}

impl Row<'_> {
    /// A cell; `None` when the table has no such column or the cell is empty.
    #[must_use]
    pub fn cell(&self, column: &str) -> Option<&str> {
        let index = self.head.iter().position(|name| name == column)?;
        self.cells.get(index).filter(|cell| !cell.is_empty())
    }

    /// Reads a cell that must be there.
    ///
    /// # Errors
    /// It is empty, or what `read` says.
    pub fn read<T>(
        &self,
        column: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        let cell = self.cell(column).ok_or_else(|| format!("{column} is empty"))?;
        read(cell).map_err(|error| format!("{column}: {error}"))
    }
}

fn parse<T>(
    text: &str,
    columns: &Columns<'_>,
    mut row: impl FnMut(&Row<'_>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    // Spreadsheets write a byte-order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
    let head = reader.headers().map_err(|error| error.to_string())?.clone();
    columns.check(&head)?;
    let mut items = Vec::new();
    for cells in reader.records() {
        let cells = cells.map_err(|error| error.to_string())?;
        let line = cells.position().map_or(0, |position| line_of(text, position));
        let item = row(&Row { line, head: &head, cells: &cells });
        items.push(item.map_err(|error| format!("line {line}: {error}"))?);
    }
    Ok(items)
}

/// The line on which a row begins: its position names the empty lines in front of it.
fn line_of(text: &str, position: &csv::Position) -> u64 {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let empty = text.bytes().skip(start).take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + empty.filter(|byte| *byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: Columns<'_> = Columns { required: &["wh"], optional: &["note"] };

    fn numbers(text: &str) -> Result<Vec<u8>, String> {
        parse(text, &COLUMNS, |row| {
            row.read("wh", |cell| cell.parse().map_err(|_| "no number".to_owned()))
        })
    }

    #[test]
    fn columns_in_any_order_and_every_error_with_its_line() {
        let cases = [
            ("wh\n1\n2\n", Ok(vec![1, 2])),
            ("\u{feff}note, wh\r\n,1\r\n\r\n\"x, y\",2", Ok(vec![1, 2])),
            ("wh\n", Ok(vec![])),
            ("", Err("line 1: column \"wh\" is missing")),
            ("note\n", Err("line 1: column \"wh\" is missing")),
            ("wh,kwh\n", Err("line 1: column \"kwh\" is not known; known are wh, note")),
            ("wh,wh\n", Err("line 1: column \"wh\" stands twice")),
            ("wh,note\n,x\n", Err("line 2: wh is empty")),
            ("wh\n\n-1\n", Err("line 3: wh: no number")),
        ];
        for (text, wanted) in cases {
            assert_eq!(numbers(text), wanted.map_err(str::to_owned), "{text:?}");
        }
        let ragged = numbers("wh\n1\n2,3\n").unwrap_err();
        assert!(ragged.contains("line: 3"), "{ragged}");
    }
}
