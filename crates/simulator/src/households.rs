//! What homes draw and inject: 40 real profiles, 30 days of quarter hours.
//!
//! The profiles are an extract of SimBench (June 2016), see `data/simbench/README.md` for its
//! source, licence and attribution. They are part of the program, so a demonstration needs no file.
//!
//! More homes than profiles repeat them: homes 0..40 take the profiles as they are; from home 40 on
//! each home takes the profile of its number modulo 40 and reads it from another place. The place is
//! moved by 0..30 whole days and by −8..=8 slots (two hours either way), both drawn from the plan's
//! seed and the home's number; the 30 days are a ring. Days outside of June 2016 fall on the ring
//! alike: day d reads the profile's day (d − 2016-06-01) modulo 30.

use primitives::calendar::LocalDay;
use primitives::reading::{Quality, Reading};
use primitives::units::WattHours;
use thiserror::Error;

use crate::random::SplitMix;

const IMPORT: &str = include_str!("../../../data/simbench/import_wh.csv");
const EXPORT: &str = include_str!("../../../data/simbench/export_wh.csv");

/// Meters of the extract.
pub const PROFILES: usize = 40;
/// Days of the extract.
pub const DAYS: usize = 30;
/// Slots of each of its days.
pub const SLOTS_PER_DAY: usize = 96;

/// Slots of the whole extract.
const RING: usize = DAYS * SLOTS_PER_DAY;
/// How far a repeated profile is moved within the day, in slots, either way.
const MAX_SLOT_SHIFT: usize = 8;
/// The first of a run of streams of the seed, one for each home.
const STREAMS: u64 = 1 << 32;

/// Why the extract cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("profiles, line {line}: {reason}")]
pub struct ProfileError {
    /// The line of the file, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// What one home draws and injects on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The meter's name in the extract, `M01` to `M40`.
    pub name: String,
    /// Can it inject at all?
    pub has_solar: bool,
    /// Energy drawn in each slot.
    pub import_wh: Vec<u64>,
    /// Energy injected in each slot.
    pub export_wh: Vec<u64>,
}

impl Profile {
    /// The day as a meter reports it.
    #[must_use]
    pub fn readings(&self) -> Vec<Reading> {
        let slots = self.import_wh.iter().zip(&self.export_wh);
        slots.map(|(import, export)| actual(*import, *export)).collect()
    }
}

/// A measured reading.
pub(crate) const fn actual(import_wh: u64, export_wh: u64) -> Reading {
    Reading {
        import_wh: WattHours::new(import_wh),
        export_wh: WattHours::new(export_wh),
        quality: Quality::Actual,
    }
}

/// The 40 profiles with their 30 days.
#[derive(Debug, Clone)]
pub struct Extract {
    meters: Vec<Meter>,
}

#[derive(Debug, Clone)]
struct Meter {
    name: String,
    import: Vec<u64>,
    /// Empty without solar.
    export: Vec<u64>,
}

impl Extract {
    /// The extract that is part of the program.
    ///
    /// # Panics
    /// Never: the tests of this crate read it.
    #[must_use]
    pub fn simbench() -> Self {
        Self::parse(IMPORT, EXPORT).expect("the files of the repository are read by the tests")
    }

    fn parse(import: &str, export: &str) -> Result<Self, ProfileError> {
        let imports = columns(import)?;
        let mut exports = columns(export)?;
        let mut meters = Vec::with_capacity(imports.len());
        for (name, import) in imports {
            let place = exports.iter().position(|(other, _)| *other == name);
            let export = place.map_or_else(Vec::new, |place| exports.swap_remove(place).1);
            meters.push(Meter { name, import, export });
        }
        if !exports.is_empty() {
            return Err(ProfileError { line: 1, reason: "a meter exports but has no import" });
        }
        if meters.len() != PROFILES {
            return Err(ProfileError { line: 1, reason: "there are not 40 meters" });
        }
        Ok(Self { meters })
    }

    /// The profile of home `home`, counted from 0, on a day.
    #[must_use]
    pub fn home(&self, home: u32, day: LocalDay, seed: u64) -> Profile {
        let (repeat, index) = (home / PROFILES as u32, home as usize % PROFILES);
        let meter = &self.meters[index];
        let start = ring_start(day) + if repeat == 0 { 0 } else { shift(seed, home) };
        let slots = |column: &[u64]| -> Vec<u64> {
            let slot = |slot| column.get((start + slot) % RING).copied().unwrap_or(0);
            (0..SLOTS_PER_DAY).map(slot).collect()
        };
        Profile {
            name: meter.name.clone(),
            has_solar: !meter.export.is_empty(),
            import_wh: slots(&meter.import),
            export_wh: slots(&meter.export),
        }
    }
}

/// Where a day begins on the ring.
fn ring_start(day: LocalDay) -> usize {
    let first = LocalDay::from_civil(2016, 6, 1).expect("a date");
    let days = (day.get() - first.get()).rem_euclid(DAYS as i32);
    usize::try_from(days).expect("not negative") * SLOTS_PER_DAY
}

/// How far a repeated profile is moved, as slots forward on the ring.
fn shift(seed: u64, home: u32) -> usize {
    let mut random = SplitMix::new(seed, STREAMS + u64::from(home));
    let days = random.below(DAYS as u32) as usize;
    let slots = random.below(2 * MAX_SLOT_SHIFT as u32 + 1) as usize;
    days * SLOTS_PER_DAY + RING - MAX_SLOT_SHIFT + slots
}

/// The columns of a file by meter; the first column is the time.
fn columns(text: &str) -> Result<Vec<(String, Vec<u64>)>, ProfileError> {
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let names = head.split(',').skip(1);
    let mut columns: Vec<_> =
        names.map(|name| (name.to_owned(), Vec::with_capacity(RING))).collect();
    for (line, text) in (2..).zip(lines) {
        let mut values = text.split(',').skip(1);
        for (_, column) in &mut columns {
            let value = values.next().and_then(|value| value.parse().ok());
            let reason = "a value is missing or no whole number of Wh";
            column.push(value.ok_or(ProfileError { line, reason })?);
        }
        if values.next().is_some() {
            return Err(ProfileError { line, reason: "more values than meters" });
        }
    }
    match columns.first() {
        Some((_, column)) if column.len() == RING => Ok(columns),
        _ => Err(ProfileError { line: 1, reason: "there are not 30 days of 96 slots" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn june(day: i8) -> LocalDay {
        LocalDay::from_civil(2016, 6, day).unwrap()
    }

    #[test]
    fn the_extract_has_the_sums_of_its_read_me() {
        let extract = Extract::simbench();
        let (mut import, mut export, mut solar) = (0, 0, 0);
        for home in 0..PROFILES as u32 {
            for day in 1..=DAYS as i8 {
                let profile = extract.home(home, june(day), 1);
                import += profile.import_wh.iter().sum::<u64>();
                export += profile.export_wh.iter().sum::<u64>();
                solar += u32::from(profile.has_solar && day == 1);
            }
        }
        assert_eq!((import, export, solar), (3_762_466, 11_817_309, 16));
    }

    #[test]
    fn a_home_reads_its_own_column_from_midnight() {
        let profile = Extract::simbench().home(0, june(1), 1);
        assert_eq!((profile.name.as_str(), &profile.import_wh[..2]), ("M01", &[230, 291][..]));
        assert_eq!(profile.readings().len(), SLOTS_PER_DAY);
    }

    #[test]
    fn repeated_profiles_are_shifted_and_follow_from_the_seed() {
        let extract = Extract::simbench();
        assert_eq!(extract.home(43, june(1), 1), extract.home(43, june(1), 1));
        let moved = |seed| (40..80).map(|home| shift(seed, home)).collect::<Vec<_>>();
        assert_ne!(moved(1), moved(2));
        let first = extract.home(0, june(1), 1);
        assert_eq!(first, extract.home(0, june(1), 2), "the first 40 are taken as they are");
        assert_ne!(first, extract.home(40, june(1), 1));
    }

    #[test]
    fn days_outside_of_the_extract_fall_on_its_ring() {
        let extract = Extract::simbench();
        let july = LocalDay::from_civil(2016, 7, 1).unwrap();
        let may = LocalDay::from_civil(2016, 5, 31).unwrap();
        assert_eq!(extract.home(3, july, 1), extract.home(3, june(1), 1));
        assert_eq!(extract.home(3, may, 1), extract.home(3, june(30), 1));
    }

    #[test]
    fn a_damaged_file_is_named_by_line() {
        let refused = |text: &str| columns(text).unwrap_err();
        assert_eq!(refused("time,M01\nx,12\nx,\n").line, 3);
        assert_eq!(refused("time,M01\nx,12,13\n").line, 2);
        assert_eq!(refused("").line, 1);
    }
}
