//! Tables and NEM12 files, right ones and broken ones.

use std::path::PathBuf;

use primitives::calendar::GridZone;

use super::*;
use crate::genesis_file::zone_of_india;

fn india(slot_minutes: u8) -> Calendar {
    Calendar::new(slot_minutes, zone_of_india()).unwrap()
}

/// Central Europe in 2026: summer time from 29 March to 25 October.
fn europe() -> Calendar {
    let transitions = vec![(1_774_746_000, 7_200), (1_792_890_000, 3_600)];
    let zone = GridZone {
        name: "Europe".parse().unwrap(),
        base_offset_seconds: 3_600,
        transitions: transitions.try_into().unwrap(),
    };
    Calendar::new(15, zone).unwrap()
}

fn days(text: &str, calendar: &Calendar) -> Vec<SlotDay> {
    let (days, refused) =
        tables::parse(text, calendar, None, EnergyUnit::KilowattHours).unwrap().days(calendar);
    assert_eq!(refused, []);
    days
}

fn refused(text: &str, calendar: &Calendar) -> String {
    tables::parse(text, calendar, None, EnergyUnit::KilowattHours).unwrap().days(calendar).1[0]
        .to_string()
}

/// Import of the slots that are there.
fn imports(day: &SlotDay) -> Vec<u64> {
    day.slots.iter().flatten().map(|reading| reading.import_wh.get()).collect()
}

#[test]
fn rounding_is_cumulative_so_that_the_day_is_exact() {
    // 96 slots of 0.0004 kWh: each one alone would be rounded away.
    let mut text = "time,M01,M02\n".to_owned();
    for slot in 0..96 {
        let (hour, minute) = (slot / 4, slot % 4 * 15);
        text.push_str(&format!("2016-06-01T{hour:02}:{minute:02},0.0004,1.234567891\n"));
    }
    let days = days(&text, &india(15));
    assert_eq!(days.len(), 2);
    // 38.4 Wh, and 96 × 1234.567891 = 118 518.517536 Wh.
    assert_eq!(imports(&days[0]).iter().sum::<u64>(), 38);
    assert_eq!(imports(&days[1]).iter().sum::<u64>(), 118_519);
    assert!(imports(&days[0]).iter().all(|it| *it <= 1));
    assert!(imports(&days[1]).iter().all(|it| (1_234..=1_235).contains(it)));
}

#[test]
fn half_hours_are_split_and_the_odd_watt_hour_comes_first() {
    let text = "time,M01\n2016-06-01 00:00:00,0.007\n2016-06-01 00:30:00,0.0075\n\
                2016-06-01 01:00:00,0.0005\n";
    let day = &days(text, &india(15))[0];
    // 7, then 7.5 with 14.5 → 15 together, then 0.5 with 15 together.
    assert_eq!(imports(day), [4, 3, 4, 4, 0, 0]);
    assert_eq!((day.missing(), day.whole()), (90, None));
    // Into slots of 5 minutes: six each.
    assert_eq!(imports(&days(text, &india(5))[0])[..6], [2, 1, 1, 1, 1, 1]);
    // Into slots of an hour: added up, and the half hour alone is missing.
    let hours = india(30);
    assert_eq!(imports(&days(text, &hours)[0]), [7, 8, 0]);
}

#[test]
fn shorter_intervals_are_added_up_and_a_missing_part_is_a_missing_slot() {
    let text = "time,M01\n2016-06-01T00:00,0.0004\n2016-06-01T00:05,0.0004\n2016-06-01T00:10,0.0004\n\
                2016-06-01T00:15,1\n2016-06-01T00:20,\n2016-06-01T00:25,1\n2016-06-01T00:30,0.001\n\
                2016-06-01T00:35,0.001\n2016-06-01T00:40,0.0005\n";
    let day = &days(text, &india(15))[0];
    let first: Vec<_> = day.slots[..3].iter().map(|it| it.map(|it| it.import_wh.get())).collect();
    // 1.2 Wh, missing, 2.5 Wh: 3.7 together.
    assert_eq!(first, [Some(1), None, Some(3)]);
}

#[test]
fn long_tables_have_both_directions_qualities_and_any_order() {
    let text = "\u{feff}time,label,export_kwh,import_kwh,quality\r\n\
                2016-06-01T00:15:00+05:30,flat-2,0,0.25,\r\n\r\n\
                2016-06-01T00:00:00+05:30,flat-2,0.1,0.2,E\r\n\
                2016-05-31T18:30:00Z,flat-10,0,1.5,substituted\r\n\
                2016-06-01T00:15:00+05:30,flat-10,,1.5,S\r\n";
    let days = days(text, &india(15));
    let shown: Vec<_> = days.iter().map(|day| (day.label.as_str(), day.line)).collect();
    assert_eq!(shown, [("flat-10", 5), ("flat-2", 2)]);
    let reading = |day: usize, slot: usize| {
        days[day].slots[slot].map(|it| (it.import_wh.get(), it.export_wh.get(), it.quality))
    };
    assert_eq!(reading(0, 0), Some((1_500, 0, Quality::Substituted)));
    assert_eq!(reading(0, 1), None, "an export that is missing is not zero");
    assert_eq!(reading(1, 0), Some((200, 100, Quality::Estimated)));
    assert_eq!(reading(1, 1), Some((250, 0, Quality::Actual)));
    let in_wh = "usage_point,time,import_wh\nab,2016-06-01T00:00,250\nab,2016-06-01T00:15,1.5\n";
    assert_eq!(imports(&self::days(in_wh, &india(15))[0]), [250, 2]);
}

#[test]
fn where_clocks_change_the_order_counts() {
    let table = |hours: &[u8]| {
        let mut text = "time,M01\n".to_owned();
        for hour in hours {
            for minute in [0, 30] {
                text.push_str(&format!("2026-10-25T{hour:02}:{minute:02},0.002\n"));
            }
        }
        text
    };
    // 02:00 comes twice: 25 hours, 100 slots.
    let hours: Vec<u8> = (0..3).chain(2..24).collect();
    let long = days(&table(&hours), &europe());
    assert_eq!((long[0].slots.len(), long[0].missing()), (100, 0));
    let short: Vec<u8> = (0..24).collect();
    let error = refused(&table(&short), &europe());
    assert!(error.contains("25 hours") && error.contains("wanted are its 50 values"), "{error}");
    // With offsets nothing is in doubt.
    let exact = "time,M01\n2026-10-25T02:30:00+02:00,0.002\n2026-10-25T02:00:00+01:00,0.003\n";
    let exact = &days(exact, &europe())[0];
    let at: Vec<usize> = (0..100).filter(|slot| exact.slots[*slot].is_some()).collect();
    assert_eq!(at, [10, 11, 12, 13]);
}

#[test]
fn bad_lines_are_named() {
    let cases = [
        ("", "line 1: the first column of a wide table is time"),
        ("hour,M01\n", "line 1: the first column of a wide table is time"),
        ("time,M01,M01\n", "line 1: a column's name is there twice: \"M01\""),
        ("time,\n", "line 1: a column's name is empty"),
        ("time,M01\n", "0 values"),
        ("time,M01\n2016-06-01T00:00,0.1,2\n", "line 2: 3 cells, the first line names 2 columns"),
        (
            "time,M01\n\n2016-06-01T00:00,-0.1\n",
            "line 3: column M01: \"-0.1\": energy is not negative",
        ),
        ("time,M01\n2016-06-01T00:00,1e3\n", "line 2: column M01: \"1e3\""),
        ("time,M01\n2016-06-01T00:00,1.0000000001\n", "at most 9 places"),
        ("time,M01\n2016-06-01T00:00,1000001\n", "no interval holds more than 1 GWh"),
        ("time,M01\n01/06/2016 00:00,1\n", "line 2: \"01/06/2016 00:00\": wanted is a time"),
        ("time,M01\n2016-06-01T24:00,1\n", "line 2"),
        ("label,import_kwh\n", "line 1: column time is missing"),
        ("label,time,import_kwh,kind\n", "line 1: column \"kind\" is not known"),
        (
            "label,time,import_kwh,import_wh\n",
            "line 1: columns import_kwh and import_wh say the same",
        ),
        ("label,time,import_kwh\n,2016-06-01T00:00,1\n", "line 2: the meter's name is empty"),
        (
            "label,time,import_kwh,quality\na,2016-06-01T00:00,1,B\n",
            "line 2: \"B\": wanted is A actual",
        ),
    ];
    for (text, wanted) in cases {
        let error = tables::parse(text, &india(15), None, EnergyUnit::KilowattHours)
            .unwrap_err()
            .to_string();
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
}

#[test]
fn days_that_do_not_fit_are_named() {
    let cases = [
        (
            "time,M01\n2016-06-01T00:00,1\n2016-06-01T00:10,1\n",
            "intervals of 10 minutes do not fit",
        ),
        (
            "time,M01\n2016-06-01T00:00,1\n2016-06-01T00:15,1\n2016-06-01T00:15,2\n",
            "line 4: M01 on 2016-06-01: line 3 has another value",
        ),
        ("time,M01\n2016-06-01T00:07,1\n2016-06-01T00:22,1\n", "begins 7 minutes after midnight"),
    ];
    for (text, wanted) in cases {
        let error = refused(text, &india(15));
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
    // The same again is harmless.
    let twice = "time,M01\n2016-06-01T00:00,1\n2016-06-01T00:15,1\n2016-06-01T00:15,1\n";
    assert_eq!(imports(&days(twice, &india(15))[0]), [1_000, 1_000]);
}

fn sample(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/nem12")).join(name)
}

fn read_sample(name: &str) -> (Vec<SlotDay>, Vec<DayRefused>) {
    let calendar = india(15);
    read(&sample(&format!("Example_NEM12_{name}.csv")), &calendar, None).unwrap().days(&calendar)
}

#[test]
fn a_month_of_a_home_with_solar() {
    let (days, refused) = read_sample("month_solar");
    assert_eq!((days.len(), refused.len()), (31, 0));
    let sum = |energy: fn(&Reading) -> u64| -> u64 {
        days.iter().flat_map(|day| day.whole().unwrap()).map(|it| energy(&it)).sum()
    };
    // The file's records add up to 270.738 and 589.172 kWh; no day has a fraction of a Wh.
    assert_eq!(sum(|it| it.import_wh.get()), 270_738);
    assert_eq!(sum(|it| it.export_wh.get()), 589_172);
    assert!(days.iter().all(|day| day.slots.len() == 96));
}

#[test]
fn qualities_of_parts_of_a_day() {
    let (days, _) = read_sample("multiple_quality");
    let quality: Vec<_> = days[0].whole().unwrap().iter().map(|it| it.quality).collect();
    // Half hours 1–20 final, 21–24 actual, 25–48 substituted.
    let runs = [(0..40, Quality::Final), (40..48, Quality::Actual), (48..96, Quality::Substituted)];
    for (slots, wanted) in runs {
        assert!(quality[slots.clone()].iter().all(|it| *it == wanted), "{slots:?}");
    }
    assert_eq!(imports(&days[0])[..2], [9_012, 9_011]);
}

#[test]
fn reactive_energy_and_voltages_are_passed_over_and_registers_added_up() {
    let (days, refused) = read_sample("substituted_interval");
    assert_eq!((days.len(), refused.len()), (1, 0));
    assert_eq!(imports(&days[0]).iter().sum::<u64>(), 48 * 2_312);
    assert!(days[0].slots.iter().flatten().all(|it| it.quality == Quality::Final));
    let (days, _) = read_sample("different_interval_length");
    // 9 + 4 kWh of E1 and E2 in the first half hour, 2 + 1 in the second.
    assert_eq!(imports(&days[0])[..4], [6_500, 6_500, 1_500, 1_500]);
}

#[test]
fn a_channel_that_is_missing_on_a_day_is_not_zero() {
    let (days, refused) = read_sample("partialchannel");
    assert_eq!((days.len(), refused.len()), (31, 0));
    assert_eq!(days[0].missing(), 0);
    assert!(days[1..].iter().all(|day| day.missing() == 96));
}

#[test]
fn broken_nem12_files_are_named_by_line() {
    let values = vec!["1"; 48].join(",");
    let head = "100,NEM12,200404201300,MDA1,Ret1\n200,NMI1,E1,1,E1,N1,M,kWh,30,\n";
    let day = |quality: &str| format!("{head}300,20040417,{values},{quality},,,\n");
    let cases = [
        (format!("{}900\n", day("X")), "line 3: \"X\": wanted is a quality"),
        (day("A"), "line 3: the file breaks off"),
        (format!("{}900\n", day("V")), "line 3: quality V, and no record 400 for interval 1"),
        (format!("{}400,1,47,A,,\n900\n", day("V")), "no record 400 for interval 48"),
        (format!("{}400,1,49,A,,\n900\n", day("V")), "line 4: wanted are two intervals of 1 to 48"),
        (
            format!("{}400,1,2,A,,\n400,2,48,A,,\n900\n", day("V")),
            "line 5: interval 2 has its quality twice",
        ),
        (
            format!("{}400,1,48,A,,\n900\n", day("A")),
            "line 4: record 400 follows a record 300 of quality V",
        ),
        (format!("{}900\n300\n", day("A")), "line 5: a record after the end"),
        (format!("{}600\n", day("A")), "line 4: \"600\" is no kind of record"),
        (format!("{head}300,20040431,{values},A\n900\n"), "line 3: \"20040431\": wanted is a day"),
        (format!("{head}300,20040417,1,2,A\n900\n"), "line 3: 2 values, a day has 48"),
        (
            format!("{head}300,20040417,{}x,A\n900\n", &values[..values.len() - 1]),
            "line 3: interval 48",
        ),
        (
            format!("{}300,20040417,2,{},A\n900\n", day("A"), &values[2..]),
            "line 4: NMI1 E1 on 2004-04-17: line 3 has other values",
        ),
        (
            "100,NEM12\n300,20040417,1,A\n900\n".to_owned(),
            "line 2: record 300 before any record 200",
        ),
        (
            "100,NEM12\n200,NMI1,E1,1,E1,N1,M,kVA,30,\n900\n".to_owned(),
            "line 2: \"kva\": wanted is the unit",
        ),
        (
            "100,NEM12\n200,NMI1,E1,1,E1,N1,M,kWh,7,\n900\n".to_owned(),
            "line 2: \"7\": wanted are intervals",
        ),
        ("100,NEM12\n900\n".to_owned(), "0 values"),
    ];
    for (text, wanted) in cases {
        let error = nem12::parse(&text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}\n{error}");
    }
    // Nothing measured is missing.
    let intervals = nem12::parse(&format!("{}400,1,2,N,,\n400,3,48,A,,\n900\n", day("V"))).unwrap();
    assert_eq!(intervals.days(&india(30)).0[0].missing(), 2);
}

#[test]
fn the_name_of_a_wide_table_says_that_it_counts_in_watt_hours() {
    let text = "time,M1\n2016-06-01T00:00,230\n2016-06-01T00:15,129.5\n";
    let folder = tempfile::tempdir().unwrap();
    let sum = |name: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let (days, refused) = read(&file, &india(15), None).unwrap().days(&india(15));
        assert_eq!(refused, []);
        let slots = days[0].slots.iter().flatten();
        slots.map(|slot| slot.import_wh.get()).sum::<u64>()
    };
    assert_eq!(sum("import_wh.csv"), 360);
    assert_eq!(sum("IMPORT_WH.CSV"), 360);
    assert_eq!(sum("import.csv"), 359_500);
}
