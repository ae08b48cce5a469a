//! Frequencies of settlement periods from a CSV file.
//!
//! The first line names the columns. `date` (`2025-01-06`), `time` (`00:15`, the beginning of the
//! period) and `freq_hz` (up to three decimals) have to be there, in any order; others may be.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};
use primitives::calendar::LocalDay;
use primitives::units::MilliHertz;
use thiserror::Error;

use crate::decimal;

/// Rows of one file at most: 28 years of quarter hours.
pub const MAX_ROWS: usize = 1_000_000;

/// One period of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrequencyRow {
    /// The line in the file, from 1.
    pub line: u64,
    /// The local day.
    pub day: LocalDay,
    /// The minute of the day at which the period begins, 0..1440.
    pub minute: u16,
    /// The average frequency.
    pub frequency: MilliHertz,
}

/// Why a frequency file cannot be read.
#[derive(Debug, Error)]
pub enum FrequencyFileError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file is no CSV: another number of columns, no UTF-8.
    #[error("not a table of frequencies: {0}")]
    Csv(#[from] csv::Error),
    /// A column is missing in the first line.
    #[error("line 1: there is no column {0}; wanted are date, time and freq_hz")]
    ColumnMissing(&'static str),
    /// A value is none of its column.
    #[error("line {line}, column {column}: {value:?} is wrong, {wanted}")]
    Value {
        /// The line, from 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// The value.
        value: String,
        /// What is wanted.
        wanted: String,
    },
    /// There is no row, or there are too many.
    #[error("the file has {0} rows, wanted are 1 to {MAX_ROWS}")]
    RowCount(usize),
}

/// Reads a file.
///
/// # Errors
/// [`FrequencyFileError`] names line and column.
pub fn read(path: &Path) -> Result<Vec<FrequencyRow>, FrequencyFileError> {
    let file = File::open(path)
        .map_err(|error| FrequencyFileError::File { path: path.to_owned(), error })?;
    parse(file)
}

/// Reads rows from anywhere.
///
/// # Errors
/// [`FrequencyFileError`] names line and column.
pub fn parse(source: impl Read) -> Result<Vec<FrequencyRow>, FrequencyFileError> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(source);
    let columns = Columns::of(reader.headers()?)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        if rows.len() == MAX_ROWS {
            return Err(FrequencyFileError::RowCount(rows.len() + 1));
        }
        rows.push(columns.row(&record?)?);
    }
    if rows.is_empty() {
        return Err(FrequencyFileError::RowCount(0));
    }
    Ok(rows)
}

/// Where the columns stand.
struct Columns {
    date: usize,
    time: usize,
    frequency: usize,
}

impl Columns {
    fn of(headers: &StringRecord) -> Result<Self, FrequencyFileError> {
        // Spreadsheets put a byte order mark in front of the first name.
        let found = |name| headers.iter().position(|it| it.trim_start_matches('\u{feff}') == name);
        let column = |name| found(name).ok_or(FrequencyFileError::ColumnMissing(name));
        Ok(Self { date: column("date")?, time: column("time")?, frequency: column("freq_hz")? })
    }

    fn row(&self, record: &StringRecord) -> Result<FrequencyRow, FrequencyFileError> {
        let line = record.position().map_or(0, csv::Position::line);
        let value = |index: usize| record.get(index).unwrap_or_default();
        let wrong = |column, index, wanted: String| FrequencyFileError::Value {
            line,
            column,
            value: value(index).chars().take(40).collect(),
            wanted,
        };
        let day = value(self.date).parse().map_err(|_| {
            wrong("date", self.date, "wanted is a day such as 2025-01-06".to_owned())
        })?;
        let minute = minute_of_day(value(self.time))
            .ok_or_else(|| wrong("time", self.time, "wanted is a time such as 00:15".to_owned()))?;
        let frequency = decimal::parse(value(self.frequency), 3)
            .map_err(|error| wrong("freq_hz", self.frequency, error.to_string()))?;
        let frequency = u32::try_from(frequency).ok().and_then(|it| MilliHertz::new(it).ok());
        let frequency = frequency.ok_or_else(|| {
            wrong("freq_hz", self.frequency, "a grid runs between 40 and 70 Hz".to_owned())
        })?;
        Ok(FrequencyRow { line, day, minute, frequency })
    }
}

/// `HH:MM`, exactly.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |part: &str, below: u16| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>().ok().filter(|number| digits && *number < below)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "date,time,block,freq_hz,note\n";

    #[test]
    fn rows_are_exact() {
        let text = format!(
            "{HEAD}2025-01-06,00:00,1,50.01,a\n2025-01-06,00:15,2,50.0,\n\
                            2025-01-06,23:45,96,49.875,c\n"
        );
        let rows = parse(text.as_bytes()).unwrap();
        let found: Vec<_> =
            rows.iter().map(|row| (row.line, row.minute, row.frequency.get())).collect();
        assert_eq!(found, [(2, 0, 50_010), (3, 15, 50_000), (4, 1_425, 49_875)]);
        assert_eq!(rows[0].day.to_string(), "2025-01-06");
        let marked = "\u{feff}freq_hz,time,date\r\n 50 , 00:00 ,2025-01-06\r\n";
        assert_eq!(parse(marked.as_bytes()).unwrap()[0].frequency.get(), 50_000);
    }

    #[test]
    fn errors_name_line_and_column() {
        let check = |rows: &str, wanted: &str| {
            let error = parse(format!("{HEAD}2025-01-06,00:00,1,50.01,a\n{rows}").as_bytes());
            let error = error.unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        };
        check("2025-01-06,00:15,2,50.0105,\n", "line 3, column freq_hz: \"50.0105\"");
        check(
            "2025-01-06,00:15,2,39.999,\n",
            "line 3, column freq_hz: \"39.999\" is wrong, a grid",
        );
        check("2025-01-06,00:15,2,,\n", "line 3, column freq_hz");
        check("2025-01-06,24:00,2,50,\n", "line 3, column time");
        check("2025-02-29,00:00,2,50,\n", "line 3, column date");
        check("2025-01-06,00:15\n", "not a table of frequencies");
        let missing = parse("date,time,block\n".as_bytes()).unwrap_err();
        assert!(matches!(missing, FrequencyFileError::ColumnMissing("freq_hz")));
        assert!(matches!(parse(HEAD.as_bytes()), Err(FrequencyFileError::RowCount(0))));
    }
}
