//! A price by the clock: windows of local time, weekday and season.
//!
//! The first window that holds for a period prices it, else the price `otherwise`. Time, weekday and
//! date are those of the grid's zone when the period begins; where clocks are set back, the hour that
//! comes twice is priced alike twice. A window over midnight belongs on either side to the day of
//! the period: "Saturday, 22:00 to 06:00" is the early morning and the late evening of Saturday.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalTime;
use primitives::codec::Bounded;
use primitives::units::MicroPerKilowattHour;

use super::check_price;
use crate::rejection::Malformed;

/// Windows of one price rule.
pub const MAX_WINDOWS: usize = 64;
/// Minutes of a day on the clock.
pub const DAY_MINUTES: u16 = 1_440;

/// Days of the week, one bit each: Monday is bit 0, Sunday bit 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Weekdays(pub u8);

impl Weekdays {
    /// Monday to Sunday.
    pub const ALL: Self = Self(0b111_1111);

    /// Is the day of the week (0 = Monday) one of them?
    #[must_use]
    pub const fn contains(self, weekday: u8) -> bool {
        weekday < 7 && self.0 >> weekday & 1 == 1
    }
}

/// A day of the year, whatever the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct DayOfYear {
    /// 1–12.
    pub month: u8,
    /// 1–31, as many as the month has in a leap year.
    pub day: u8,
}

impl DayOfYear {
    fn exists(self) -> bool {
        const LENGTHS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let length = usize::from(self.month).checked_sub(1).and_then(|month| LENGTHS.get(month));
        length.is_some_and(|length| (1..=*length).contains(&self.day))
    }
}

/// A run of days of the year, both ends included; it goes over new year when it ends before it
/// begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Season {
    /// The first day.
    pub first: DayOfYear,
    /// The last day.
    pub last: DayOfYear,
}

impl Season {
    /// The whole year.
    pub const ALL_YEAR: Self =
        Self { first: DayOfYear { month: 1, day: 1 }, last: DayOfYear { month: 12, day: 31 } };

    fn contains(self, day: DayOfYear) -> bool {
        let (begun, not_over) = (day >= self.first, day <= self.last);
        if self.first <= self.last { begun && not_over } else { begun || not_over }
    }
}

/// A window of time and its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TimeWindow {
    /// The first minute of the day, 0–1,439.
    pub from_minute: u16,
    /// The first minute after the window, 1–1,440; before `from_minute` it lies behind midnight.
    pub to_minute: u16,
    /// On which days of the week, at least one.
    pub weekdays: Weekdays,
    /// In which season.
    pub season: Season,
    /// The price.
    pub price: MicroPerKilowattHour,
}

impl TimeWindow {
    /// Does the window hold at this time?
    #[must_use]
    pub fn contains(&self, time: LocalTime) -> bool {
        let (begun, not_over) = (time.minute >= self.from_minute, time.minute < self.to_minute);
        let on_the_clock =
            if self.from_minute < self.to_minute { begun && not_over } else { begun || not_over };
        on_the_clock && self.weekdays.contains(time.day.weekday()) && {
            let (_, month, day) = time.day.civil();
            let date = DayOfYear { month: month.unsigned_abs(), day: day.unsigned_abs() };
            self.season.contains(date)
        }
    }

    /// # Errors
    /// What is impossible by itself.
    pub fn check(&self) -> Result<(), Malformed> {
        if self.from_minute >= DAY_MINUTES
            || !(1..=DAY_MINUTES).contains(&self.to_minute)
            || self.from_minute == self.to_minute
        {
            return Err(Malformed::Field("a window has two different ends between 0:00 and 24:00"));
        }
        if self.weekdays.0 == 0 || self.weekdays.0 > Weekdays::ALL.0 {
            return Err(Malformed::Field("a window has at least one day of the week"));
        }
        if !self.season.first.exists() || !self.season.last.exists() {
            return Err(Malformed::Field("a season has two days of the year"));
        }
        check_price(self.price)
    }
}

/// A price by windows of time.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TimeOfUse {
    /// The windows; the first that holds gives the price.
    pub windows: Bounded<TimeWindow, MAX_WINDOWS>,
    /// The price when none holds.
    pub otherwise: MicroPerKilowattHour,
}

impl TimeOfUse {
    /// The price of a period that begins at this time.
    #[must_use]
    pub fn price(&self, time: LocalTime) -> MicroPerKilowattHour {
        let window = self.windows.iter().find(|window| window.contains(time));
        window.map_or(self.otherwise, |window| window.price)
    }

    /// # Errors
    /// What is impossible by itself.
    pub fn check(&self) -> Result<(), Malformed> {
        self.windows.iter().try_for_each(TimeWindow::check)?;
        check_price(self.otherwise)
    }

    /// # Errors
    /// [`Malformed::Field`] when a window begins or ends inside a slot of `slot_minutes`.
    pub fn check_slots(&self, slot_minutes: u8) -> Result<(), Malformed> {
        let slot = u16::from(slot_minutes);
        let on_edge =
            |window: &TimeWindow| (window.from_minute % slot, window.to_minute % slot) == (0, 0);
        if self.windows.iter().all(on_edge) {
            Ok(())
        } else {
            Err(Malformed::Field("a window begins and ends where a slot does"))
        }
    }
}

#[cfg(test)]
mod tests {
    use primitives::calendar::LocalDay;

    use super::*;

    fn window(from_minute: u16, to_minute: u16) -> TimeWindow {
        let price = MicroPerKilowattHour::new(1);
        let (weekdays, season) = (Weekdays::ALL, Season::ALL_YEAR);
        TimeWindow { from_minute, to_minute, weekdays, season, price }
    }

    fn at(day: &str, minute: u16) -> LocalTime {
        LocalTime { day: day.parse::<LocalDay>().unwrap(), minute }
    }

    const fn season(first: (u8, u8), last: (u8, u8)) -> Season {
        Season {
            first: DayOfYear { month: first.0, day: first.1 },
            last: DayOfYear { month: last.0, day: last.1 },
        }
    }

    #[test]
    fn windows_go_over_midnight() {
        let holds = |window: &TimeWindow| {
            [0, 345, 360, 1_305, 1_320, 1_439].map(|it| window.contains(at("2025-06-02", it)))
        };
        let (yes, no) = (true, false);
        assert_eq!(holds(&window(360, 1_320)), [no, no, yes, yes, no, no]);
        assert_eq!(holds(&window(1_320, 360)), [yes, yes, no, no, yes, yes]);
        assert_eq!(holds(&window(1_320, 1_440)), [no, no, no, no, yes, yes]);
        assert_eq!(holds(&window(0, 1_440)), [yes; 6]);
    }

    #[test]
    fn seasons_go_over_new_year() {
        let days = ["2025-01-01", "2025-02-28", "2024-02-29", "2025-03-01", "2025-11-01"];
        let holds = |season: Season| {
            days.map(|day| TimeWindow { season, ..window(0, 1_440) }.contains(at(day, 0)))
        };
        let (yes, no) = (true, false);
        assert_eq!(holds(season((11, 1), (2, 28))), [yes, yes, no, no, yes]);
        assert_eq!(holds(season((11, 1), (2, 29))), [yes, yes, yes, no, yes]);
        assert_eq!(holds(season((2, 28), (10, 31))), [no, yes, yes, yes, no]);
        assert_eq!(holds(season((3, 1), (3, 1))), [no, no, no, yes, no]);
        assert_eq!(holds(Season::ALL_YEAR), [yes; 5]);
    }

    #[test]
    fn the_first_window_that_holds_gives_the_price() {
        let price = MicroPerKilowattHour::new;
        let monday = TimeWindow { weekdays: Weekdays(1), price: price(7), ..window(0, 720) };
        let windows = vec![monday, window(600, 1_200)].try_into().unwrap();
        let rule = TimeOfUse { windows, otherwise: price(3) };
        let cases = [
            ("2025-06-02", 600, 7),
            ("2025-06-02", 720, 1),
            ("2025-06-03", 600, 1),
            ("2025-06-03", 585, 3),
        ];
        for (day, minute, wanted) in cases {
            assert_eq!(rule.price(at(day, minute)), price(wanted), "{day} {minute}");
        }
    }

    #[test]
    fn impossible_windows_are_refused() {
        let wrong = [
            window(600, 600),
            window(1_440, 600),
            window(600, 0),
            window(0, 1_441),
            TimeWindow { weekdays: Weekdays(0), ..window(0, 60) },
            TimeWindow { weekdays: Weekdays(128), ..window(0, 60) },
            TimeWindow { season: season((0, 1), (1, 1)), ..window(0, 60) },
            TimeWindow { season: season((1, 1), (13, 1)), ..window(0, 60) },
            TimeWindow { season: season((1, 0), (1, 1)), ..window(0, 60) },
            TimeWindow { season: season((1, 1), (2, 30)), ..window(0, 60) },
            TimeWindow { price: MicroPerKilowattHour::new(-1), ..window(0, 60) },
        ];
        for window in wrong {
            assert!(matches!(window.check(), Err(Malformed::Field(_))), "{window:?}");
        }
        let rule = |window| TimeOfUse {
            windows: vec![window].try_into().unwrap(),
            otherwise: MicroPerKilowattHour::new(0),
        };
        assert_eq!(rule(window(30, 1_440)).check(), Ok(()));
        assert_eq!(rule(window(30, 1_440)).check_slots(30), Ok(()));
        for (from, to) in [(30, 120), (60, 90)] {
            assert!(rule(window(from, to)).check_slots(60).is_err(), "{from}–{to}");
        }
    }
}
