//! Readings of many meters from files, brought into the slots of the ledger exactly.
//!
//! Three forms are read, and told apart by their first line: **wide** tables (a column of times, a
//! column of kWh for each meter), **long** tables (a row for each meter and time) and **NEM12**, the
//! Australian market's format with its quality flags. [`tables`] and [`nem12`] read them into
//! [`Intervals`]; here the intervals become slots.
//!
//! Files count in decimal kWh or Wh, the ledger in whole Wh. The rules of the conversion:
//!
//! - Values are kept in 10⁻⁶ Wh; nothing finer is read, nothing is lost on the way.
//! - Intervals shorter than a slot are added up first. A slot of which a part is missing is missing.
//! - Rounding is cumulative over the local day: a value is the rounded sum up to its end less the
//!   rounded sum up to its beginning (half away from zero). So no value is off by 1 Wh or more, and
//!   the day's sum by at most half a Wh, however many slots it has.
//! - Intervals longer than a slot are split evenly after that; what is left over, in whole Wh, goes to
//!   the first slots: 7 Wh of half an hour are 4 Wh and 3 Wh.
//! - A slot has the weakest quality of its parts: estimated, then substituted, final, actual.

pub mod nem12;
pub mod tables;

mod wall_time;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use primitives::calendar::{Calendar, LocalDay};
use primitives::reading::{Quality, Reading};
use primitives::rounding::div_half_away;
use primitives::units::WattHours;
use thiserror::Error;

use crate::atomic_file;
pub(crate) use wall_time::Minute;

/// No file is larger: a month of 1,000 homes is a quarter of it. Larger ones are split by month.
pub const MAX_BYTES: u64 = 256 << 20;
/// Values of one file at most.
pub const MAX_VALUES: usize = 8_000_000;
/// 10⁻⁶ Wh in one Wh.
const MICRO: i128 = 1_000_000;

/// Why a file of readings cannot be read.
#[derive(Debug, Error)]
pub enum ReadingsFileError {
    /// The file cannot be read, is too large or no text.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A line is not as it should be.
    #[error("line {line}: {reason}")]
    Line {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The file has no value, or too many.
    #[error("the file has {0} values, wanted are 1 to {MAX_VALUES}")]
    ValueCount(usize),
}

/// Energy goes one way or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Drawn from the grid.
    Import,
    /// Injected into the grid.
    Export,
}

/// What the numbers of a wide table count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnergyUnit {
    /// As a rule.
    KilowattHours,
    /// Where the file's name says so.
    WattHours,
}

impl EnergyUnit {
    /// The unit of a wide table: Wh where the file's name ends in `_wh.csv`, else kWh.
    #[must_use]
    pub fn of_file(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
        match name.is_some_and(|name| name.ends_with("_wh.csv")) {
            true => Self::WattHours,
            false => Self::KilowattHours,
        }
    }

    /// Decimal places down to 10⁻⁶ Wh.
    const fn places(self) -> u32 {
        match self {
            Self::KilowattHours => 9,
            Self::WattHours => 6,
        }
    }
}

/// One value of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    /// Its line, from 1.
    pub line: u64,
    /// Where in the local day it begins.
    pub minute: Minute,
    /// How long it is, in minutes; 0 until the step of the file is known.
    pub minutes: u16,
    /// The energy in 10⁻⁶ Wh.
    pub energy: u64,
    /// How it came about.
    pub quality: Quality,
}

type Channel = BTreeMap<LocalDay, Vec<Value>>;

#[derive(Debug, Default)]
struct Meter {
    import: Channel,
    export: Channel,
}

/// The values of a file, meter by meter.
#[derive(Debug, Default)]
pub struct Intervals {
    meters: BTreeMap<String, Meter>,
    count: usize,
}

/// One local day of one meter, in the slots of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotDay {
    /// The meter's name in the file.
    pub label: String,
    /// The local day.
    pub day: LocalDay,
    /// The line of its first value.
    pub line: u64,
    /// One for each slot of the day; `None` where the file has no whole value.
    pub slots: Vec<Option<Reading>>,
}

impl SlotDay {
    /// All readings, when none is missing.
    #[must_use]
    pub fn whole(&self) -> Option<Vec<Reading>> {
        self.slots.iter().copied().collect()
    }

    /// How many slots are missing.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.slots.iter().filter(|slot| slot.is_none()).count()
    }
}

/// A local day of a meter that cannot be brought into slots.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {label} on {day}: {reason}")]
pub struct DayRefused {
    /// The meter's name in the file.
    pub label: String,
    /// The local day.
    pub day: LocalDay,
    /// The line at which it shows.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
}

/// Reads a file, whichever of the three forms it has. `interval_minutes` is the length of a table's
/// intervals where its times do not show it; NEM12 says it itself.
///
/// # Errors
/// [`ReadingsFileError`] names the line.
pub fn read(
    path: &Path,
    calendar: &Calendar,
    interval_minutes: Option<u16>,
) -> Result<Intervals, ReadingsFileError> {
    let text = read_text(path)?;
    if nem12::is_nem12(&text) {
        return nem12::parse(&text);
    }
    tables::parse(&text, calendar, interval_minutes, EnergyUnit::of_file(path))
}

/// Adds what is injected from a second, wide table.
///
/// # Errors
/// [`ReadingsFileError`] names the line.
pub fn read_export(
    into: &mut Intervals,
    path: &Path,
    calendar: &Calendar,
    interval_minutes: Option<u16>,
) -> Result<(), ReadingsFileError> {
    let text = read_text(path)?;
    let form = (calendar, interval_minutes, EnergyUnit::of_file(path));
    tables::parse_wide(into, &text, Direction::Export, form)
}

fn read_text(path: &Path) -> Result<String, ReadingsFileError> {
    atomic_file::read_text(path, MAX_BYTES)
        .map_err(|error| ReadingsFileError::File { path: path.to_owned(), error })
}

impl Intervals {
    /// The meters' names in the file, in their order.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.meters.keys().map(String::as_str)
    }

    /// How many values there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn push(
        &mut self,
        (label, direction): (&str, Direction),
        day: LocalDay,
        value: Value,
    ) -> Result<(), ReadingsFileError> {
        self.count += 1;
        if self.count > MAX_VALUES {
            return Err(ReadingsFileError::ValueCount(self.count));
        }
        if !self.meters.contains_key(label) {
            self.meters.insert(label.to_owned(), Meter::default());
        }
        let meter = self.meters.get_mut(label).expect("it was put there");
        let channel = match direction {
            Direction::Import => &mut meter.import,
            Direction::Export => &mut meter.export,
        };
        channel.entry(day).or_default().push(value);
        Ok(())
    }

    /// Gives the values of a table their length: the smallest step between two of one meter and day.
    pub(crate) fn set_length(&mut self, direction: Option<Direction>, given: Option<u16>) {
        let wanted = |channel| direction.is_none_or(|direction| direction == channel);
        let mut step = None;
        for (_, values) in self.channels().filter(|(channel, _)| wanted(*channel)) {
            let mut minutes: Vec<u16> = values.iter().map(|value| value.minute.number()).collect();
            minutes.sort_unstable();
            let smallest = minutes.windows(2).map(|pair| pair[1] - pair[0]).filter(|it| *it > 0);
            step = smallest.chain(step).min();
        }
        let length = given.or(step).unwrap_or(0);
        for meter in self.meters.values_mut() {
            let sides =
                [(Direction::Import, &mut meter.import), (Direction::Export, &mut meter.export)];
            for (_, channel) in sides.into_iter().filter(|(channel, _)| wanted(*channel)) {
                for value in channel.values_mut().flatten() {
                    value.minutes = length;
                }
            }
        }
    }

    fn channels(&self) -> impl Iterator<Item = (Direction, &Vec<Value>)> {
        self.meters.values().flat_map(|meter| {
            let import = meter.import.values().map(|values| (Direction::Import, values));
            import.chain(meter.export.values().map(|values| (Direction::Export, values)))
        })
    }

    /// The days of all meters, by meter and day, and those that cannot be brought into slots.
    #[must_use]
    pub fn days(&self, calendar: &Calendar) -> (Vec<SlotDay>, Vec<DayRefused>) {
        let (mut days, mut refused) = (Vec::new(), Vec::new());
        for (label, meter) in &self.meters {
            let mut numbers: Vec<LocalDay> =
                meter.import.keys().chain(meter.export.keys()).copied().collect();
            numbers.sort_unstable();
            numbers.dedup();
            for day in numbers {
                match meter.slots(calendar, day) {
                    Ok((line, slots)) => {
                        days.push(SlotDay { label: label.clone(), day, line, slots });
                    }
                    Err((line, reason)) => {
                        refused.push(DayRefused { label: label.clone(), day, line, reason });
                    }
                }
            }
        }
        (days, refused)
    }
}

/// A line and what is wrong there.
type Wrong = (u64, String);
/// Whole Wh of a slot, and how they came about.
type Slot = Option<(u64, Quality)>;

impl Meter {
    fn slots(
        &self,
        calendar: &Calendar,
        day: LocalDay,
    ) -> Result<(u64, Vec<Option<Reading>>), Wrong> {
        let slot_minutes = (calendar.slot_seconds() / 60) as u16;
        let count = calendar.periods_of(day).count;
        let lines = [&self.import, &self.export].into_iter().filter_map(|it| it.get(&day));
        let line = lines.flatten().map(|value| value.line).min().unwrap_or(0);
        if count == 0 {
            return Err((line, "the grid's calendar has no such day".to_owned()));
        }
        let side = |channel: &Channel| -> Result<Vec<Slot>, Wrong> {
            match channel.get(&day) {
                Some(values) => in_slots(values, slot_minutes, count),
                // A meter that counts one way only has nothing of the other. A channel that is there
                // on other days is missing on this one, and what is missing is not zero.
                None if channel.is_empty() => {
                    Ok(vec![Some((0, Quality::Actual)); usize::from(count)])
                }
                None => Ok(vec![None; usize::from(count)]),
            }
        };
        let (imports, exports) = (side(&self.import)?, side(&self.export)?);
        let slots = imports.into_iter().zip(exports).map(|(import, export)| {
            let ((import, first), (export, second)) = (import?, export?);
            Some(Reading {
                import_wh: WattHours::new(import),
                export_wh: WattHours::new(export),
                quality: weaker(first, second),
            })
        });
        Ok((line, slots.collect()))
    }
}

/// The weaker of two qualities.
fn weaker(one: Quality, other: Quality) -> Quality {
    let order = [Quality::Estimated, Quality::Substituted, Quality::Final, Quality::Actual];
    order.into_iter().find(|it| *it == one || *it == other).unwrap_or(one)
}

/// One channel's day in the slots of the ledger.
fn in_slots(values: &[Value], slot_minutes: u16, count: u16) -> Result<Vec<Slot>, Wrong> {
    let first = values[0];
    if let Some(other) = values.iter().find(|value| value.minutes != first.minutes) {
        let reason =
            format!("intervals of {} and {} minutes on one day", first.minutes, other.minutes);
        return Err((other.line, reason));
    }
    // A lone value says nothing about its length: it is one slot.
    let minutes = if first.minutes == 0 { slot_minutes } else { first.minutes };
    let (parts, pieces) = match (slot_minutes.checked_rem(minutes), minutes % slot_minutes) {
        (Some(0), _) => (slot_minutes / minutes, 1),
        (_, 0) => (1, minutes / slot_minutes),
        _ => {
            let reason = format!(
                "intervals of {minutes} minutes do not fit slots of {slot_minutes} minutes"
            );
            return Err((first.line, reason));
        }
    };
    let cells = placed(values, minutes, slot_minutes * count)?;
    let mut sums: Vec<Option<(u64, Quality)>> = Vec::with_capacity(usize::from(count));
    for group in cells.chunks(usize::from(parts)) {
        let mut sum = Some((0_u64, Quality::Actual));
        for (index, cell) in group.iter().enumerate() {
            sum = sum.zip(*cell).map(|((energy, quality), (more, other))| {
                let quality = if index == 0 { other } else { weaker(quality, other) };
                (energy + more, quality)
            });
        }
        sums.push(sum);
    }
    let rounded = whole_watt_hours(&sums);
    let split = rounded.into_iter().flat_map(|slot| {
        (0..u64::from(pieces)).map(move |piece| {
            slot.map(|(energy, quality)| {
                let (share, rest) = (energy / u64::from(pieces), energy % u64::from(pieces));
                (share + u64::from(piece < rest), quality)
            })
        })
    });
    Ok(split.collect())
}

/// The energy and quality of each interval of the day, in order.
fn placed(
    values: &[Value],
    minutes: u16,
    day_minutes: u16,
) -> Result<Vec<Option<(u64, Quality)>>, Wrong> {
    let intervals = usize::from(day_minutes / minutes);
    let by_order = day_minutes != 24 * 60
        && values.iter().any(|value| matches!(value.minute, Minute::Wall(_)));
    // Where the clocks change, times of day are missing or stand twice: there the order counts.
    if by_order && values.len() != intervals {
        let reason = format!(
            "the clocks change on this day of {} hours; wanted are its {intervals} values in their \
             order, found {}",
            day_minutes / 60,
            values.len()
        );
        return Err((values[0].line, reason));
    }
    let mut cells: Vec<Option<(&Value, u64, Quality)>> = vec![None; intervals];
    for (order, value) in values.iter().enumerate() {
        let minute = value.minute.number();
        let index = if by_order { order } else { usize::from(minute / minutes) };
        let wrong = |reason: String| Err((value.line, reason));
        if !by_order && minute % minutes != 0 {
            return wrong(format!(
                "an interval of {minutes} minutes begins {minute} minutes after midnight"
            ));
        }
        let Some(cell) = cells.get_mut(index) else {
            return wrong("the value lies after the end of the day".to_owned());
        };
        match cell {
            None => *cell = Some((value, value.energy, value.quality)),
            Some((_, energy, quality)) if (*energy, *quality) == (value.energy, value.quality) => {}
            Some((former, ..)) => {
                return wrong(format!("line {} has another value for the same time", former.line));
            }
        }
    }
    Ok(cells.into_iter().map(|cell| cell.map(|(_, energy, quality)| (energy, quality))).collect())
}

/// Whole Wh by cumulative rounding: what is rounded away here is not lost, it comes with a later value.
fn whole_watt_hours(sums: &[Option<(u64, Quality)>]) -> Vec<Slot> {
    let (mut exact, mut given) = (0_i128, 0_i128);
    let rounded = sums.iter().map(|sum| {
        let (energy, quality) = (*sum)?;
        exact += i128::from(energy);
        let up_to = div_half_away(exact, MICRO);
        let watt_hours = up_to - given;
        given = up_to;
        Some((u64::try_from(watt_hours).expect("a sum that only rises"), quality))
    });
    rounded.collect()
}

#[cfg(test)]
mod tests;
