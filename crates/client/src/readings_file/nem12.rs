//! NEM12: the interval metering data of the Australian market (AEMO's meter data file format).
//!
//! | record | what is read |
//! |---|---|
//! | 100 | the header; the file must say `NEM12` |
//! | 200 | one channel of one connection point (NMI): its suffix, unit and interval length |
//! | 300 | one day of that channel, its values and quality |
//! | 400 | the quality of a part of the day, when record 300 says `V` |
//! | 500 | retailers' notes; passed over |
//! | 900 | the end |
//!
//! The suffix's letter tells the direction: `E` is drawn from the grid (`E1`, and `E2` for a
//! controlled load: added up), `B` is injected. Reactive energy, voltages and the like are passed over.
//! The NMI is the meter's name. A day begins at midnight and has all its intervals.
//!
//! Quality: `A` actual, `E` estimated, `S` substituted, `F` final (a substitute that stays), `N`
//! nothing: the value is missing. A number behind the letter is the method and not kept.

use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord, Trim};
use primitives::calendar::LocalDay;
use primitives::reading::Quality;

use super::tables::{csv_error, energy, line_of};
use super::{Direction, Intervals, Minute, ReadingsFileError, Value};

/// Whether a text says that it is NEM12.
#[must_use]
pub fn is_nem12(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').starts_with("100,NEM12")
}

/// Reads a file.
///
/// # Errors
/// [`ReadingsFileError`] names the line.
pub fn parse(text: &str) -> Result<Intervals, ReadingsFileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let mut file = File::default();
    let mut record = StringRecord::new();
    let mut ended = false;
    while reader.read_record(&mut record).map_err(|error| csv_error(&error))? {
        let line = line_of(text, &record);
        let wrong = |reason| ReadingsFileError::Line { line, reason };
        if ended {
            return Err(wrong("a record after the end (900)".to_owned()));
        }
        let done = match (record.get(0).unwrap_or_default(), line) {
            ("100", 1) => Ok(()),
            ("200", _) => file.channel(&record, line),
            ("300", _) => file.day(&record, line),
            ("400", _) => file.qualities(&record, line),
            ("500", _) => Ok(()),
            ("900", _) => {
                ended = true;
                file.end_of_day()
            }
            (other, _) => Err((line, format!("{other:?} is no kind of record here"))),
        };
        done.map_err(|(line, reason)| ReadingsFileError::Line { line, reason })?;
    }
    if !ended {
        let line = text.lines().count() as u64;
        let reason = "the file breaks off: there is no end (900)".to_owned();
        return Err(ReadingsFileError::Line { line, reason });
    }
    file.into_intervals()
}

type Wrong = (u64, String);
/// One interval of a channel: its line, energy in 10⁻⁶ Wh, and quality (`None`: nothing was measured).
type Cell = (u64, u64, Option<Quality>);

/// Where a record 300 belongs.
#[derive(Clone)]
struct Channel {
    nmi: String,
    suffix: String,
    direction: Option<Direction>,
    /// 9 when the unit is kWh, 6 for Wh, 12 for MWh.
    places: u32,
    minutes: u16,
}

/// The day that is being read: record 400 may still speak about its quality.
struct Day {
    line: u64,
    day: LocalDay,
    energies: Vec<u64>,
    qualities: Vec<Option<Quality>>,
    /// Which intervals a record 400 has spoken about; `None` when record 300 says it for all.
    told: Option<Vec<bool>>,
}

#[derive(Default)]
struct File {
    channel: Option<Channel>,
    day: Option<Day>,
    /// By NMI, suffix and day, so that the same channel twice is noticed.
    days: BTreeMap<(String, String, LocalDay), (Channel, Vec<Cell>)>,
}

impl File {
    fn channel(&mut self, record: &StringRecord, line: u64) -> Result<(), Wrong> {
        self.end_of_day()?;
        let cell = |index| record.get(index).unwrap_or_default();
        let (nmi, suffix, unit) = (cell(1), cell(4), cell(7).to_ascii_lowercase());
        if nmi.is_empty() || suffix.is_empty() {
            return Err((line, "record 200 names no NMI or no suffix".to_owned()));
        }
        let direction = match suffix.as_bytes()[0] {
            b'E' => Some(Direction::Import),
            b'B' => Some(Direction::Export),
            _ => None,
        };
        let minutes = match (cell(8), direction) {
            ("5", _) => 5,
            ("15", _) => 15,
            ("30", _) | (_, None) => 30,
            (other, Some(_)) => {
                let reason = format!("{other:?}: wanted are intervals of 5, 15 or 30 minutes");
                return Err((line, reason));
            }
        };
        let places = match (unit.as_str(), direction) {
            ("kwh", _) => 9,
            ("wh", _) => 6,
            ("mwh", _) => 12,
            (_, None) => 9,
            (other, Some(_)) => {
                return Err((line, format!("{other:?}: wanted is the unit kWh, Wh or MWh")));
            }
        };
        let (nmi, suffix) = (nmi.to_owned(), suffix.to_owned());
        self.channel = Some(Channel { nmi, suffix, direction, places, minutes });
        Ok(())
    }

    fn day(&mut self, record: &StringRecord, line: u64) -> Result<(), Wrong> {
        self.end_of_day()?;
        let Some(channel) = &self.channel else {
            return Err((line, "record 300 before any record 200".to_owned()));
        };
        if channel.direction.is_none() {
            return Ok(());
        }
        let count = usize::from(24 * 60 / channel.minutes);
        let day = day_of(record.get(1).unwrap_or_default()).map_err(|reason| (line, reason))?;
        if record.len() < 2 + count + 1 {
            let reason = format!(
                "{} values, a day has {count} of {} minutes",
                record.len().saturating_sub(3),
                channel.minutes
            );
            return Err((line, reason));
        }
        let flag = record.get(2 + count).unwrap_or_default();
        let in_parts = flag.starts_with('V');
        let quality = if in_parts { None } else { quality(flag).map_err(|why| (line, why))? };
        let mut energies = Vec::with_capacity(count);
        for (index, cell) in record.iter().skip(2).take(count).enumerate() {
            let missing = quality.is_none() && !in_parts;
            let read =
                if missing && cell.is_empty() { Ok(0) } else { energy(cell, channel.places) };
            energies.push(read.map_err(|why| (line, format!("interval {}: {why}", index + 1)))?);
        }
        let told = in_parts.then(|| vec![false; count]);
        self.day = Some(Day { line, day, energies, qualities: vec![quality; count], told });
        Ok(())
    }

    fn qualities(&mut self, record: &StringRecord, line: u64) -> Result<(), Wrong> {
        if self.channel.as_ref().is_some_and(|channel| channel.direction.is_none()) {
            return Ok(());
        }
        let Some(Day { qualities, told: Some(told), .. }) = &mut self.day else {
            return Err((line, "record 400 follows a record 300 of quality V only".to_owned()));
        };
        let number = |index| record.get(index).and_then(|cell| cell.parse::<usize>().ok());
        let range = number(1).zip(number(2));
        let range =
            range.filter(|(first, last)| *first >= 1 && first <= last && *last <= told.len());
        let Some((first, last)) = range else {
            let reason = format!("wanted are two intervals of 1 to {}, rising", told.len());
            return Err((line, reason));
        };
        let quality =
            quality(record.get(3).unwrap_or_default()).map_err(|reason| (line, reason))?;
        for index in first - 1..last {
            if told[index] {
                return Err((line, format!("interval {} has its quality twice", index + 1)));
            }
            told[index] = true;
            qualities[index] = quality;
        }
        Ok(())
    }

    /// Puts the day that was read away; no record 400 can follow any more.
    fn end_of_day(&mut self) -> Result<(), Wrong> {
        let (Some(day), Some(channel)) = (self.day.take(), &self.channel) else { return Ok(()) };
        if let Some(index) = day.told.iter().flatten().position(|told| !told) {
            let reason = format!("quality V, and no record 400 for interval {}", index + 1);
            return Err((day.line, reason));
        }
        let cells = day.energies.into_iter().zip(day.qualities);
        let cells: Vec<Cell> = cells.map(|(energy, quality)| (day.line, energy, quality)).collect();
        let key = (channel.nmi.clone(), channel.suffix.clone(), day.day);
        if let Some((_, former)) = self.days.get(&key) {
            let same =
                former.iter().zip(&cells).all(|(one, other)| one.1 == other.1 && one.2 == other.2);
            if same && former.len() == cells.len() {
                return Ok(());
            }
            let reason =
                format!("{} {} on {}: line {} has other values", key.0, key.1, key.2, former[0].0);
            return Err((day.line, reason));
        }
        self.days.insert(key, (channel.clone(), cells));
        Ok(())
    }

    /// Adds up the channels of one direction.
    fn into_intervals(self) -> Result<Intervals, ReadingsFileError> {
        let mut sums: BTreeMap<(String, bool, LocalDay), (Channel, Vec<Cell>)> = BTreeMap::new();
        for ((nmi, _, day), (channel, cells)) in self.days {
            let is_export = channel.direction == Some(Direction::Export);
            let Some((former, sum)) = sums.get_mut(&(nmi.clone(), is_export, day)) else {
                sums.insert((nmi, is_export, day), (channel, cells));
                continue;
            };
            if former.minutes != channel.minutes {
                let reason = format!(
                    "{nmi} on {day}: {} has intervals of {} minutes, {} of {}",
                    former.suffix, former.minutes, channel.suffix, channel.minutes
                );
                return Err(ReadingsFileError::Line { line: cells[0].0, reason });
            }
            for (sum, cell) in sum.iter_mut().zip(cells) {
                sum.1 += cell.1;
                sum.2 = sum.2.zip(cell.2).map(|(one, other)| super::weaker(one, other));
            }
        }
        let mut intervals = Intervals::default();
        for ((nmi, is_export, day), (channel, cells)) in sums {
            let direction = if is_export { Direction::Export } else { Direction::Import };
            for (number, (line, energy, quality)) in (0_u16..).zip(cells) {
                let Some(quality) = quality else { continue };
                let minute = Minute::Wall(number * channel.minutes);
                let minutes = channel.minutes;
                intervals.push(
                    (&nmi, direction),
                    day,
                    Value { line, minute, minutes, energy, quality },
                )?;
            }
        }
        if intervals.count() == 0 {
            return Err(ReadingsFileError::ValueCount(0));
        }
        Ok(intervals)
    }
}

/// `20230301`.
fn day_of(text: &str) -> Result<LocalDay, String> {
    let wanted = || format!("{text:?}: wanted is a day such as 20230301");
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wanted());
    }
    format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]).parse().map_err(|_| wanted())
}

/// The quality of a flag with its method; `None` when nothing was measured.
fn quality(flag: &str) -> Result<Option<Quality>, String> {
    let method = flag.get(1..).unwrap_or_default();
    let known = method.len() <= 2 && method.bytes().all(|byte| byte.is_ascii_digit());
    match (flag.as_bytes().first(), known) {
        (Some(b'A'), true) => Ok(Some(Quality::Actual)),
        (Some(b'E'), true) => Ok(Some(Quality::Estimated)),
        (Some(b'S'), true) => Ok(Some(Quality::Substituted)),
        (Some(b'F'), true) => Ok(Some(Quality::Final)),
        (Some(b'N'), true) => Ok(None),
        _ => Err(format!("{flag:?}: wanted is a quality A, E, F, N, S or V")),
    }
}
