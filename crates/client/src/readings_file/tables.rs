//! Tables of readings as spreadsheets and databases write them, wide and long.
//!
//! **Wide**: the first column holds the times (`time`, `timestamp` or `reading_datetime`), every other
//! one a meter, named in the first line, with the energy that it drew, in kWh or, where the file's name
//! ends in `_wh.csv`, in Wh. What was injected stands in a second file of the same form. **Long**: columns `usage_point` or `label`, `time`, `import_kwh`
//! (or `import_wh`), and if wanted `export_kwh` (or `export_wh`) and `quality`, in any order.
//!
//! A time is where an interval begins. An empty cell is a missing value, which is not zero. A column
//! that nobody knows is refused in long tables, for it may be a misspelt one that counts.

use csv::{ReaderBuilder, StringRecord, Trim};
use primitives::calendar::{Calendar, LocalDay};
use primitives::reading::Quality;

use super::wall_time::{Minute, moment};
use super::{Direction, EnergyUnit, Intervals, ReadingsFileError, Value};
use crate::decimal;

/// Names of the column of times in wide tables.
const TIME_COLUMNS: [&str; 3] = ["time", "timestamp", "reading_datetime"];
/// No interval holds more: 1 GWh, in 10⁻⁶ Wh.
const MAX_ENERGY: i64 = 1_000_000_000_000_000;

/// Reads a table of either form; `unit` is a wide table's, the columns of a long one name theirs.
///
/// # Errors
/// [`ReadingsFileError`] names the line.
pub fn parse(
    text: &str,
    calendar: &Calendar,
    interval_minutes: Option<u16>,
    unit: EnergyUnit,
) -> Result<Intervals, ReadingsFileError> {
    let mut intervals = Intervals::default();
    let head = text.lines().next().unwrap_or_default();
    if head.contains("import_kwh") || head.contains("import_wh") {
        parse_long(&mut intervals, text, (calendar, interval_minutes))?;
    } else {
        parse_wide(&mut intervals, text, Direction::Import, (calendar, interval_minutes, unit))?;
    }
    if intervals.count() == 0 {
        return Err(ReadingsFileError::ValueCount(0));
    }
    Ok(intervals)
}

/// Reads a wide table of one direction.
///
/// # Errors
/// [`ReadingsFileError`] names the line.
pub fn parse_wide(
    into: &mut Intervals,
    text: &str,
    direction: Direction,
    (calendar, interval_minutes, unit): (&Calendar, Option<u16>, EnergyUnit),
) -> Result<(), ReadingsFileError> {
    let table = Table::of(text)?;
    let mut columns = table.head.iter();
    if !columns.next().is_some_and(|name| TIME_COLUMNS.contains(&name)) {
        let reason = format!("the first column of a wide table is {}", TIME_COLUMNS.join(" or "));
        return Err(ReadingsFileError::Line { line: 1, reason });
    }
    let labels: Vec<&str> = columns.collect();
    for (index, label) in labels.iter().enumerate() {
        let twice = labels.iter().take(index).any(|other| other == label);
        if label.is_empty() || twice {
            let reason =
                format!("a column's name is {}", if twice { "there twice" } else { "empty" });
            return Err(ReadingsFileError::Line {
                line: 1,
                reason: format!("{reason}: {label:?}"),
            });
        }
    }
    table.rows(|line, record| {
        let (day, minute) = moment(record.get(0).unwrap_or_default(), calendar)
            .map_err(|reason| ReadingsFileError::Line { line, reason })?;
        for (label, cell) in labels.iter().zip(record.iter().skip(1)) {
            if cell.is_empty() {
                continue;
            }
            let energy = energy(cell, unit.places()).map_err(|reason| ReadingsFileError::Line {
                line,
                reason: format!("column {label}: {reason}"),
            })?;
            let value = value(line, minute, energy);
            into.push((label, direction), day, value)?;
        }
        Ok(())
    })?;
    into.set_length(Some(direction), interval_minutes);
    Ok(())
}

fn parse_long(
    into: &mut Intervals,
    text: &str,
    (calendar, interval_minutes): (&Calendar, Option<u16>),
) -> Result<(), ReadingsFileError> {
    let table = Table::of(text)?;
    let columns =
        Columns::of(&table.head).map_err(|reason| ReadingsFileError::Line { line: 1, reason })?;
    table.rows(|line, record| {
        let row = columns.row(record, calendar);
        let row = row.map_err(|reason| ReadingsFileError::Line { line, reason })?;
        let sides = [(Direction::Import, row.import), (Direction::Export, row.export)];
        for (direction, energy) in sides {
            if let Some(energy) = energy {
                let value = Value { quality: row.quality, ..value(line, row.minute, energy) };
                into.push((&row.label, direction), row.day, value)?;
            }
        }
        Ok(())
    })?;
    into.set_length(None, interval_minutes);
    Ok(())
}

const fn value(line: u64, minute: Minute, energy: u64) -> Value {
    Value { line, minute, minutes: 0, energy, quality: Quality::Actual }
}

/// Energy in 10⁻⁶ Wh: the places are those of the unit.
pub(super) fn energy(cell: &str, places: u32) -> Result<u64, String> {
    // Rule: NEM12 writes `.048` for 0.048.
    let padded = if cell.starts_with('.') { format!("0{cell}") } else { cell.to_owned() };
    let number = decimal::parse(&padded, places).map_err(|error| format!("{cell:?}: {error}"))?;
    if number < 0 {
        return Err(format!("{cell:?}: energy is not negative; the other way has its own column"));
    }
    if number > MAX_ENERGY {
        return Err(format!("{cell:?}: no interval holds more than 1 GWh"));
    }
    Ok(number.unsigned_abs())
}

struct Table<'a> {
    text: &'a str,
    head: StringRecord,
}

impl<'a> Table<'a> {
    fn of(text: &'a str) -> Result<Self, ReadingsFileError> {
        // Spreadsheets write a byte-order mark in front.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
        let head = reader.headers().map_err(|error| csv_error(&error))?.clone();
        Ok(Self { text, head })
    }

    fn rows(
        &self,
        mut row: impl FnMut(u64, &StringRecord) -> Result<(), ReadingsFileError>,
    ) -> Result<(), ReadingsFileError> {
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(self.text.as_bytes());
        let mut record = StringRecord::new();
        while reader.read_record(&mut record).map_err(|error| csv_error(&error))? {
            row(line_of(self.text, &record), &record)?;
        }
        Ok(())
    }
}

/// The line on which a record begins: its position names the empty lines in front of it.
pub(super) fn line_of(text: &str, record: &StringRecord) -> u64 {
    let Some(position) = record.position() else { return 0 };
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = text.as_bytes().get(start..).unwrap_or_default();
    let empty = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + empty.filter(|byte| **byte == b'\n').count() as u64
}

pub(super) fn csv_error(error: &csv::Error) -> ReadingsFileError {
    let line = error.position().map_or(1, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} cells, the first line names {expected_len} columns")
        }
        _ => error.to_string(),
    };
    ReadingsFileError::Line { line, reason }
}

/// Where the columns of a long table stand.
struct Columns {
    label: usize,
    time: usize,
    import: (usize, u32),
    export: Option<(usize, u32)>,
    quality: Option<usize>,
}

struct Row {
    label: String,
    day: LocalDay,
    minute: Minute,
    import: Option<u64>,
    export: Option<u64>,
    quality: Quality,
}

impl Columns {
    fn of(head: &StringRecord) -> Result<Self, String> {
        const KNOWN: [&str; 8] = [
            "usage_point",
            "label",
            "time",
            "import_kwh",
            "import_wh",
            "export_kwh",
            "export_wh",
            "quality",
        ];
        if let Some(unknown) = head.iter().find(|name| !KNOWN.contains(name)) {
            return Err(format!("column {unknown:?} is not known; known are {}", KNOWN.join(", ")));
        }
        let find = |name: &str| head.iter().position(|other| other == name);
        let either = |one: &str, other: &str| match (find(one), find(other)) {
            (Some(_), Some(_)) => Err(format!("columns {one} and {other} say the same")),
            (one, other) => Ok((one, other)),
        };
        let (usage_point, label) = either("usage_point", "label")?;
        let energy = |(kwh, wh): (Option<usize>, Option<usize>)| {
            let kwh = kwh.map(|column| (column, EnergyUnit::KilowattHours.places()));
            kwh.or(wh.map(|column| (column, EnergyUnit::WattHours.places())))
        };
        let missing = |name: &str| format!("column {name} is missing");
        Ok(Self {
            label: usage_point.or(label).ok_or_else(|| missing("usage_point or label"))?,
            time: find("time").ok_or_else(|| missing("time"))?,
            import: energy(either("import_kwh", "import_wh")?)
                .ok_or_else(|| missing("import_kwh"))?,
            export: energy(either("export_kwh", "export_wh")?),
            quality: find("quality"),
        })
    }

    fn row(&self, record: &StringRecord, calendar: &Calendar) -> Result<Row, String> {
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let energy = |(column, places)| match cell(column) {
            "" => Ok(None),
            text => energy(text, places).map(Some),
        };
        let label = cell(self.label);
        if label.is_empty() {
            return Err("the meter's name is empty".to_owned());
        }
        let (day, minute) = moment(cell(self.time), calendar)?;
        let quality = match self.quality.map(cell) {
            None | Some("") => Quality::Actual,
            Some(text) => quality(text)?,
        };
        Ok(Row {
            label: label.to_owned(),
            day,
            minute,
            import: energy(self.import)?,
            export: self.export.map(energy).transpose()?.flatten(),
            quality,
        })
    }
}

fn quality(text: &str) -> Result<Quality, String> {
    let by_word = match text {
        "actual" => Some(Quality::Actual),
        "estimated" => Some(Quality::Estimated),
        "substituted" => Some(Quality::Substituted),
        "final" => Some(Quality::Final),
        _ => None,
    };
    let by_letter = || match text.as_bytes() {
        [letter] => Quality::from_letter(*letter),
        _ => None,
    };
    by_word.or_else(by_letter).ok_or_else(|| {
        format!("{text:?}: wanted is A actual, E estimated, S substituted or F final")
    })
}
