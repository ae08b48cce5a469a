//! Days, periods, zones and billing periods.

use proptest::prelude::*;

use crate::calendar::{
    BillingPeriod, Calendar, CalendarError, GridZone, LocalDay, LocalTime, SettlementPeriod,
};
use crate::codec::{decode, encode};
use crate::units::Timestamp;

fn zone(base_offset_seconds: i32, transitions: &[(&str, i32)]) -> GridZone {
    let transitions: Vec<_> = transitions
        .iter()
        .map(|(moment, offset)| {
            let moment: Timestamp = moment.parse().unwrap();
            (moment.get() as i64 / 1_000, *offset)
        })
        .collect();
    GridZone {
        name: "Test/Zone".parse().unwrap(),
        base_offset_seconds,
        transitions: transitions.try_into().unwrap(),
    }
}

fn quarter_hours(base: i32, transitions: &[(&str, i32)]) -> Calendar {
    Calendar::new(15, zone(base, transitions)).unwrap()
}

/// The first moment of a day and its number of slots.
fn day(calendar: &Calendar, text: &str) -> (String, u16) {
    let periods = calendar.periods_of(text.parse().unwrap());
    (calendar.start_of(periods.first).to_string(), periods.count)
}

#[test]
fn days_of_real_zones() {
    let kolkata = quarter_hours(19_800, &[]);
    assert_eq!(day(&kolkata, "2016-06-01"), ("2016-05-31T18:30:00Z".into(), 96));

    let berlin =
        quarter_hours(3_600, &[("2016-03-27T01:00:00Z", 7_200), ("2016-10-30T01:00:00Z", 3_600)]);
    assert_eq!(day(&berlin, "2016-03-27"), ("2016-03-26T23:00:00Z".into(), 92));
    assert_eq!(day(&berlin, "2016-06-01"), ("2016-05-31T22:00:00Z".into(), 96));
    assert_eq!(day(&berlin, "2016-10-30"), ("2016-10-29T22:00:00Z".into(), 100));
    assert_eq!(day(&berlin, "2016-12-31"), ("2016-12-30T23:00:00Z".into(), 96));

    // São Paulo changed its clocks at midnight: this day began at one o'clock, and the day before
    // the change back had the hour from 23 to 24 twice.
    let sao_paulo = quarter_hours(
        -10_800,
        &[
            ("2017-10-15T03:00:00Z", -7_200),
            ("2018-02-18T02:00:00Z", -10_800),
            ("2018-11-04T03:00:00Z", -7_200),
        ],
    );
    assert_eq!(day(&sao_paulo, "2018-11-04"), ("2018-11-04T03:00:00Z".into(), 92));
    assert_eq!(day(&sao_paulo, "2018-11-05"), ("2018-11-05T02:00:00Z".into(), 96));
    assert_eq!(day(&sao_paulo, "2018-02-17"), ("2018-02-17T02:00:00Z".into(), 100));
    assert_eq!(day(&sao_paulo, "2018-02-18"), ("2018-02-18T03:00:00Z".into(), 96));

    // Havana went from 01:00 back to midnight: the hour that comes twice belongs to the new day.
    let havana = quarter_hours(-14_400, &[("2016-11-06T05:00:00Z", -18_000)]);
    assert_eq!(day(&havana, "2016-11-05"), ("2016-11-05T04:00:00Z".into(), 96));
    assert_eq!(day(&havana, "2016-11-06"), ("2016-11-06T04:00:00Z".into(), 100));

    // Clocks that go back from 00:30 to 23:30 do not bring yesterday back.
    let half_past = quarter_hours(3_600, &[("2016-11-05T23:30:00Z", 0)]);
    assert_eq!(day(&half_past, "2016-11-06"), ("2016-11-05T23:00:00Z".into(), 100));
    let repeated = half_past.period_at("2016-11-05T23:45:00Z".parse().unwrap()).unwrap();
    assert_eq!(half_past.slot_in_day(repeated), Ok(("2016-11-06".parse().unwrap(), 3)));

    // Samoa left out 2011-12-30 when it crossed the date line.
    let apia = quarter_hours(-36_000, &[("2011-12-30T10:00:00Z", 50_400)]);
    assert_eq!(day(&apia, "2011-12-29"), ("2011-12-29T10:00:00Z".into(), 96));
    assert_eq!(day(&apia, "2011-12-30"), ("2011-12-30T10:00:00Z".into(), 0));
    assert_eq!(day(&apia, "2011-12-31"), ("2011-12-30T10:00:00Z".into(), 96));
}

#[test]
fn periods_number_the_slots_of_utc() {
    let calendar = quarter_hours(19_800, &[]);
    let moment: Timestamp = "2016-05-31T18:44:59.999Z".parse().unwrap();
    let period = calendar.period_at(moment).unwrap();
    assert_eq!(calendar.start_of(period).to_string(), "2016-05-31T18:30:00Z");
    assert_eq!(calendar.end_of(period).to_string(), "2016-05-31T18:45:00Z");
    assert_eq!(calendar.slot_in_day(period), Ok(("2016-06-01".parse().unwrap(), 0)));
    let periods = calendar.periods_of("2016-06-01".parse().unwrap());
    assert_eq!(periods.iter().len(), 96);
    assert_eq!(periods.iter().next(), Some(period));
    let last = periods.iter().next_back().unwrap();
    assert!(periods.contains(last) && !periods.contains(last.next().unwrap()));
    assert_eq!(periods.slot_of(last), Some(95));
    assert_eq!(calendar.slot_in_day(last), Ok(("2016-06-01".parse().unwrap(), 95)));
    // A day of five-minute slots has more of them than a byte can count.
    let five = Calendar::new(5, zone(19_800, &[])).unwrap();
    assert_eq!(five.periods_of("2016-06-01".parse().unwrap()).count, 288);
}

#[test]
fn the_clock_of_a_period() {
    let at = |calendar: &Calendar, moment: &str| {
        let period = calendar.period_at(moment.parse().unwrap()).unwrap();
        let LocalTime { day, minute } = calendar.local_time(period).unwrap();
        format!("{day} {:02}:{:02}", minute / 60, minute % 60)
    };
    let kolkata = quarter_hours(19_800, &[]);
    assert_eq!(at(&kolkata, "2016-05-31T18:30:00Z"), "2016-06-01 00:00");
    assert_eq!(at(&kolkata, "2016-06-01T18:29:59Z"), "2016-06-01 23:45");
    let berlin =
        quarter_hours(3_600, &[("2016-03-27T01:00:00Z", 7_200), ("2016-10-30T01:00:00Z", 3_600)]);
    // The hour from two to three does not come in spring and comes twice in autumn.
    assert_eq!(at(&berlin, "2016-03-27T00:45:00Z"), "2016-03-27 01:45");
    assert_eq!(at(&berlin, "2016-03-27T01:00:00Z"), "2016-03-27 03:00");
    assert_eq!(at(&berlin, "2016-10-30T00:30:00Z"), "2016-10-30 02:30");
    assert_eq!(at(&berlin, "2016-10-30T01:30:00Z"), "2016-10-30 02:30");
    let half_past = quarter_hours(3_600, &[("2016-11-05T23:30:00Z", 0)]);
    assert_eq!(at(&half_past, "2016-11-05T23:45:00Z"), "2016-11-06 23:45");
    assert!(kolkata.local_time(SettlementPeriod::new(u32::MAX)).is_err());
    let weekday = |text: &str| text.parse::<LocalDay>().unwrap().weekday();
    assert_eq!(["1970-01-01", "2016-06-05", "2016-06-06"].map(weekday), [3, 6, 0]);
    assert_eq!(LocalDay::MIN.weekday(), 2);
    let length = |text: &str| text.parse::<LocalDay>().unwrap().days_in_month();
    assert_eq!(["2016-02-29", "2015-02-01", "2016-12-31"].map(length), [29, 28, 31]);
}

#[test]
fn the_ends_of_time_are_errors() {
    let last = SettlementPeriod::new(u32::MAX);
    assert!(last.next().is_err());
    let calendar = quarter_hours(0, &[]);
    assert!(calendar.day_of(last).is_err());
    assert!(calendar.slot_in_day(last).is_err());
    assert!(calendar.period_at(Timestamp::MAX).is_err());
    assert_eq!(calendar.periods_of(LocalDay::MAX).count, 96);
    assert_eq!(calendar.periods_of(LocalDay::MIN).count, 0);
    // West of Greenwich the first periods belong to 1969.
    let west = quarter_hours(-18_000, &[]);
    assert_eq!(west.day_of(SettlementPeriod::new(0)), Ok(LocalDay::MIN));
    assert_eq!(west.periods_of(LocalDay::MIN).count, 20);
    assert_eq!(west.slot_in_day(SettlementPeriod::new(20)), Ok((LocalDay::new(0).unwrap(), 0)));
}

#[test]
fn calendars_that_do_not_fit_are_refused() {
    let summer = ("2016-03-27T01:00:00Z", 7_200);
    let cases = [
        (60, zone(19_800, &[]), CalendarError::OffsetDividesSlot(19_800)),
        (30, zone(20_700, &[]), CalendarError::OffsetDividesSlot(20_700)),
        (10, zone(0, &[]), CalendarError::SlotLength(10)),
        (0, zone(0, &[]), CalendarError::SlotLength(0)),
        (15, zone(-86_400, &[]), CalendarError::OffsetTooLarge(-86_400)),
        (15, zone(0, &[("2016-03-27T01:00:00Z", 60)]), CalendarError::OffsetDividesSlot(60)),
        (15, zone(0, &[summer, summer]), CalendarError::TransitionOrder(1_459_040_400)),
        (
            15,
            zone(0, &[("2016-03-27T01:07:00Z", 3_600)]),
            CalendarError::TransitionDividesSlot(1_459_040_820),
        ),
    ];
    for (slot, zone, wanted) in cases {
        assert_eq!(Calendar::new(slot, zone), Err(wanted));
    }
    let mut endless = zone(0, &[]);
    endless.transitions.push((i64::MAX, 0)).unwrap();
    let outside = CalendarError::TransitionOutOfRange(i64::MAX);
    assert_eq!(Calendar::new(15, endless), Err(outside));
    assert!(Calendar::new(30, zone(19_800, &[])).is_ok());
    assert!(Calendar::new(15, zone(20_700, &[])).is_ok(), "Nepal is at +05:45");
}

#[test]
fn days_have_dates() {
    for (text, number) in [
        ("1969-12-31", -1),
        ("1970-01-01", 0),
        ("2000-02-29", 11_016),
        ("2016-06-01", 16_953),
        ("9999-12-31", 2_932_896),
    ] {
        let day = LocalDay::new(number).unwrap();
        assert_eq!(day.to_string(), text);
        assert_eq!(text.parse(), Ok(day));
        let (year, month, date) = day.civil();
        assert_eq!(LocalDay::from_civil(year, month, date), Ok(day));
    }
    for wrong in [
        "",
        "2016",
        "2016-06",
        "2016-6-1",
        "2016-06-01 ",
        "+2016-06-01",
        "2015-02-29",
        "2016-13-01",
        "2016-00-01",
        "1969-12-30",
        "2016-06-01-01",
        "99999-01-01",
        "-1-01-01",
    ] {
        assert!(wrong.parse::<LocalDay>().is_err(), "{wrong:?}");
    }
    assert!(LocalDay::MAX.next().is_err());
    assert!(LocalDay::MIN.offset(-1).is_err());
}

#[test]
fn billing_periods_have_days() {
    for (text, first, last) in [
        ("2016-06-01", "2016-06-01", "2016-06-01"),
        ("2016-02", "2016-02-01", "2016-02-29"),
        ("2015-02", "2015-02-01", "2015-02-28"),
        ("9999-12", "9999-12-01", "9999-12-31"),
        ("2016-Q1", "2016-01-01", "2016-03-31"),
        ("2016-Q2", "2016-04-01", "2016-06-30"),
        ("2016-Q4", "2016-10-01", "2016-12-31"),
        ("2016-H1", "2016-01-01", "2016-06-30"),
        ("2016-H2", "2016-07-01", "2016-12-31"),
        ("2016", "2016-01-01", "2016-12-31"),
        ("2016-06-01..2016-06-14", "2016-06-01", "2016-06-14"),
        ("2016-01-01..2016-12-31", "2016-01-01", "2016-12-31"),
    ] {
        let period: BillingPeriod = text.parse().unwrap();
        assert_eq!(period.to_string(), text);
        assert_eq!(period.days(), Ok((first.parse().unwrap(), last.parse().unwrap())), "{text}");
        assert_eq!(decode(&encode(&period)), Ok(period), "{text}");
    }
    for wrong in [
        "",
        "-",
        "2016-",
        "16",
        "02016",
        "+2016",
        "1969",
        "10000",
        "2016-0",
        "2016-00",
        "2016-6",
        "2016-13",
        "2016-Q",
        "2016-Q0",
        "2016-Q5",
        "2016-q1",
        "2016-H0",
        "2016-H3",
        "2016-Q+1",
        "2016-06-31",
        "2016-06-14..2016-06-01",
        "2016-01-01..2017-01-01",
        "2016-06-01..",
    ] {
        assert!(wrong.parse::<BillingPeriod>().is_err(), "{wrong:?}");
    }
    let [first_day, last_day] = ["2016-06-14", "2016-06-01"].map(|day| day.parse().unwrap());
    for wrong in [
        BillingPeriod::Month { year: 2016, month: 13 },
        BillingPeriod::Month { year: 1969, month: 12 },
        BillingPeriod::Quarter { year: 2016, quarter: 0 },
        BillingPeriod::HalfYear { year: 2016, half: 3 },
        BillingPeriod::Year { year: 10_000 },
        BillingPeriod::Custom { first_day, last_day },
    ] {
        assert!(wrong.days().is_err() && decode::<BillingPeriod>(&encode(&wrong)).is_err());
    }
}

proptest! {
    /// Any zone at all: the days follow each other without gap, each starts by the rule, and every
    /// period lies in the day that lists it.
    #[test]
    fn days_cut_time_without_gap(
        base in -95..=95_i32,
        changes in prop::collection::btree_map(200..1_500_i64, -95..=95_i32, 0..12),
    ) {
        let transitions: Vec<_> =
            changes.iter().map(|(slot, offset)| (slot * 900, offset * 900)).collect();
        let calendar = Calendar::new(15, GridZone {
            name: "Any".parse().unwrap(),
            base_offset_seconds: base * 900,
            transitions: transitions.clone().try_into().unwrap(),
        }).unwrap();
        let local = |second: i64| {
            let change = transitions.iter().rev().find(|(start, _)| *start <= second);
            second + i64::from(change.map_or(base * 900, |(_, offset)| *offset))
        };
        let mut expected = None;
        for day in 2..18 {
            let periods = calendar.periods_of(LocalDay::new(day).unwrap());
            let by_rule = (0..3_000_i64).find(|slot| local(slot * 900) >= i64::from(day) * 86_400);
            prop_assert_eq!(Some(i64::from(periods.first.get())), by_rule);
            prop_assert!(expected.is_none_or(|expected| expected == periods.first));
            for (slot, period) in periods.iter().enumerate() {
                let (found_day, found_slot) = calendar.slot_in_day(period).unwrap();
                prop_assert_eq!((found_day.get(), usize::from(found_slot)), (day, slot));
            }
            expected = Some(periods.first.offset(u32::from(periods.count)).unwrap());
        }
    }
}
