//! What the 43 homes of the month measured: the files, and the slots that they say by the documented
//! rule, read here with code of its own.
//!
//! The real files (Smart Grid Smart City trial, half hours in kWh) may not be published here; who has
//! them names their folder in `GRIDTALLY_DATA`, or puts it beside the repository as `shared/data`.
//! [`generated`] makes files of the same shape from a seed, which are always tested.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Homes of the month.
pub const HOMES: usize = 43;
/// The first of its 28 days, and how many there are.
pub const FIRST_DAY: (i32, u32, u32) = (2013, 4, 5);
pub const DAYS: usize = 28;
/// Slots of a day.
pub const SLOTS: usize = 96;

/// The input files of a month.
pub struct Files {
    /// A wide table of half hours in kWh, one column for each home.
    pub import: String,
    /// The same for those that inject.
    pub export: String,
    /// Hertz of each quarter hour.
    pub frequency: String,
}

/// The day of the month's number `day`, counted from 0, as `2013-04-05`.
pub fn date(day: usize) -> String {
    let (year, month, first) = FIRST_DAY;
    let day_of_april = first + u32::try_from(day).unwrap();
    if day_of_april <= 30 {
        format!("{year}-{month:02}-{day_of_april:02}")
    } else {
        format!("{year}-{:02}-{:02}", month + 1, day_of_april - 30)
    }
}

/// The beginning of a slot on the clock, as `00:15`.
pub fn clock(slot: usize) -> String {
    format!("{:02}:{:02}", slot / 4, slot % 4 * 15)
}

fn folder() -> PathBuf {
    std::env::var_os("GRIDTALLY_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    )
}

/// The real files, when they are there. The homes are of 2013, their frequencies of the first 28 days
/// of 2025: the days are counted alike.
pub fn real() -> Option<Files> {
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).ok();
    let import = read("households/sgsc_43homes_30min_28d_kwh.csv")?;
    let export = read("households/community_43homes_15pv_30min_28d_export_kwh.csv")?;
    let accounts = read("india_dsm/india_freq_price_15min.csv")?;
    let mut frequency = "date,time,freq_hz\n".to_owned();
    for (index, line) in accounts.lines().skip(1).take(DAYS * SLOTS).enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let (day, slot) = (index / SLOTS, index % SLOTS);
        assert_eq!(cells[1], clock(slot), "the accounts have a gap");
        frequency.push_str(&format!("{},{},{}\n", date(day), cells[1], cells[3]));
    }
    Some(Files { import, export, frequency })
}

/// Files of the same shape from a seed: 43 homes with a morning and an evening of their own, 15 of
/// them with a roof that gives at noon, and frequencies that swing about 50 Hz.
pub fn generated(seed: u64) -> Files {
    let mut random = Random(seed);
    let labels: Vec<String> = (1..=HOMES).map(|home| format!("G{home:02}")).collect();
    let roofs: Vec<usize> = (0..HOMES).filter(|home| home % 3 == 0).collect();
    let mut import = format!("reading_datetime,{}\n", labels.join(","));
    let names: Vec<&str> = roofs.iter().map(|home| labels[*home].as_str()).collect();
    let mut export = format!("time,{}\n", names.join(","));
    for day in 0..DAYS {
        let cloud = 30 + random.below(70);
        for half_hour in 0..SLOTS / 2 {
            let time = format!("{}T{}", date(day), clock(half_hour * 2));
            let busy = match half_hour {
                12..=17 => 3,
                34..=44 => 5,
                _ => 1,
            };
            let drawn = |home: usize, random: &mut Random| {
                let watt_hours = random.below(60 + 11 * home as u64) * busy;
                // Some meters count tenths of a watt-hour.
                format!("{}.{:03}{}", watt_hours / 1_000, watt_hours % 1_000, home % 5)
            };
            let cells: Vec<String> = (0..HOMES).map(|home| drawn(home, &mut random)).collect();
            import.push_str(&format!("{time},{}\n", cells.join(",")));
            let sun = (half_hour as u64).min(48 - half_hour as u64).saturating_sub(12);
            let given = |home: &usize| {
                let watt_hours = sun * cloud * (1 + *home as u64 % 7) / 4;
                format!("{}.{:03}", watt_hours / 1_000, watt_hours % 1_000)
            };
            let cells: Vec<String> = roofs.iter().map(given).collect();
            export.push_str(&format!("{time},{}\n", cells.join(",")));
        }
    }
    Files { import, export, frequency: swinging_frequency(&mut random) }
}

/// Averages that keep a part of their deviation from slot to slot, as real ones do, in millihertz.
fn swinging_frequency(random: &mut Random) -> String {
    let mut csv = "date,time,freq_hz\n".to_owned();
    let mut deviation = 0_i64;
    for day in 0..DAYS {
        for slot in 0..SLOTS {
            let push = i64::try_from(random.below(161)).unwrap() - 82;
            deviation = (deviation * 2 + push * 2) / 3;
            let millihertz = 50_000 + deviation;
            let (whole, part) = (millihertz / 1_000, millihertz % 1_000);
            csv.push_str(&format!("{},{},{whole}.{part:03}\n", date(day), clock(slot)));
        }
    }
    csv
}

/// A small generator, the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

/// Energy of one usage point in Wh by slot of the month, drawn and injected.
#[derive(Clone)]
pub struct Energy {
    pub import: Vec<i64>,
    pub export: Vec<i64>,
}

/// What the tables say of each label, by slot.
pub fn energies(files: &Files) -> BTreeMap<String, Energy> {
    let (mut import, mut export) = (quarters(&files.import), quarters(&files.export));
    let none = vec![0; DAYS * SLOTS];
    let labels: Vec<String> = import.keys().cloned().collect();
    labels
        .into_iter()
        .map(|label| {
            let given = export.remove(&label).unwrap_or_else(|| none.clone());
            let energy = Energy { import: import.remove(&label).unwrap(), export: given };
            (label, energy)
        })
        .collect()
}

/// Half hours of kWh as quarter hours of whole Wh. Rule: the running sum of the day is rounded, half
/// away from zero, so that what is cut off is not lost; an odd Wh goes to the first quarter.
fn quarters(table: &str) -> BTreeMap<String, Vec<i64>> {
    let mut lines = table.lines();
    let labels: Vec<&str> = lines.next().unwrap().split(',').skip(1).collect();
    let mut sums = vec![0_i64; labels.len()];
    let mut slots: Vec<Vec<i64>> = vec![Vec::new(); labels.len()];
    for (row, line) in lines.enumerate() {
        if row % (SLOTS / 2) == 0 {
            sums.fill(0);
        }
        for (home, cell) in line.split(',').skip(1).enumerate() {
            let before = (sums[home] + 500_000) / 1_000_000;
            sums[home] += decimal(cell, 9);
            let watt_hours = (sums[home] + 500_000) / 1_000_000 - before;
            slots[home].extend([watt_hours - watt_hours / 2, watt_hours / 2]);
        }
    }
    assert!(slots.iter().all(|slots| slots.len() == DAYS * SLOTS), "28 days of 48 half hours");
    labels.into_iter().map(ToOwned::to_owned).zip(slots).collect()
}

/// A decimal number times ten to the power of `places`.
pub fn decimal(text: &str, places: usize) -> i64 {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    format!("{whole}{part:0<places$}").parse().unwrap()
}

/// Millihertz by slot of the month.
pub fn frequencies(files: &Files) -> Vec<i64> {
    let hertz = files.frequency.lines().skip(1).map(|line| line.split(',').nth(2).unwrap());
    hertz.map(|hertz| decimal(hertz, 3)).collect()
}

/// What flows through the boundary of a station: what its homes draw less what they inject.
pub fn boundary(homes: &[&Energy]) -> Energy {
    let net = (0..DAYS * SLOTS)
        .map(|slot| homes.iter().map(|home| home.import[slot] - home.export[slot]).sum::<i64>());
    let (import, export) = net.map(|net| (net.max(0), (-net).max(0))).unzip();
    Energy { import, export }
}

/// A wide table of quarter hours in kWh.
pub fn wide(columns: &[(&str, &[i64])]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut table = format!("time,{}\n", names.join(","));
    for index in 0..DAYS * SLOTS {
        table.push_str(&format!("{}T{}", date(index / SLOTS), clock(index % SLOTS)));
        for (_, slots) in columns {
            table.push_str(&format!(",{}.{:03}", slots[index] / 1_000, slots[index] % 1_000));
        }
        table.push('\n');
    }
    table
}
