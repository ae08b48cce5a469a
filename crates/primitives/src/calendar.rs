//! Settlement periods, local days and billing periods.
//!
//! A settlement period is a slot of UTC: its number is the seconds since 1970 divided by the slot's
//! length. People are billed by local days, and a local day has 92, 96 or 100 quarter hours, none at
//! all where a country jumped over the date line, or starts at one o'clock where the clocks change
//! at midnight. The rules of a region are therefore carried by the ledger's own genesis
//! ([`GridZone`]): no time zone database of any machine can make two nodes disagree.

use std::fmt;
use std::str::FromStr;

use borsh::io::{Read, Result as IoResult};
use borsh::{BorshDeserialize, BorshSerialize};
use jiff::SignedDuration;
use jiff::civil::Date;

use crate::codec::{Bounded, Text, invalid};
use crate::units::{OutOfRange, Timestamp};

/// A slot of time for readings, schedules and prices: UTC seconds since 1970 divided by the slot
/// length of the ledger. Its start is a matter of the [`Calendar`].
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
)]
pub struct SettlementPeriod(u32);

impl SettlementPeriod {
    /// Wraps the period's number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The period's number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The period that follows.
    ///
    /// # Errors
    /// [`OutOfRange`] after the last number.
    pub fn next(self) -> Result<Self, OutOfRange> {
        self.offset(1)
    }

    /// The period `slots` later.
    ///
    /// # Errors
    /// [`OutOfRange`] after the last number.
    pub fn offset(self, slots: u32) -> Result<Self, OutOfRange> {
        self.0.checked_add(slots).map(Self).ok_or(OutOfRange::of("SettlementPeriod"))
    }
}

impl fmt::Display for SettlementPeriod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// A calendar day of the grid zone: days since 1970-01-01, from 1969-12-31 (which is where the first
/// UTC second lies west of Greenwich) to 9999-12-31. Text: `2016-06-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub struct LocalDay(i32);

impl LocalDay {
    /// 1969-12-31.
    pub const MIN: Self = Self(-1);
    /// 9999-12-31.
    pub const MAX: Self = Self(2_932_896);

    const EPOCH: Date = Date::constant(1970, 1, 1);

    /// Wraps the number of days since 1970-01-01.
    ///
    /// # Errors
    /// [`OutOfRange`] outside [`Self::MIN`]`..=`[`Self::MAX`].
    pub const fn new(days: i32) -> Result<Self, OutOfRange> {
        if days < Self::MIN.0 || days > Self::MAX.0 {
            return Err(OutOfRange::of("LocalDay"));
        }
        Ok(Self(days))
    }

    /// The number of days since 1970-01-01.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The day of a date of the Gregorian calendar.
    ///
    /// # Errors
    /// [`OutOfRange`] when there is no such date or it lies outside the range of days.
    pub fn from_civil(year: i16, month: i8, day: i8) -> Result<Self, OutOfRange> {
        let date = Date::new(year, month, day).map_err(|_| OutOfRange::of("LocalDay"))?;
        Self::from_date(date)
    }

    fn from_date(date: Date) -> Result<Self, OutOfRange> {
        let days = date.duration_since(Self::EPOCH).as_hours() / 24;
        i32::try_from(days).map_err(|_| OutOfRange::of("LocalDay")).and_then(Self::new)
    }

    fn date(self) -> Date {
        let since_epoch = SignedDuration::from_hours(i64::from(self.0) * 24);
        Self::EPOCH.checked_add(since_epoch).expect("the range of days lies within that of dates")
    }

    /// Year, month (1–12) and day (1–31).
    #[must_use]
    pub fn civil(self) -> (i16, i8, i8) {
        let date = self.date();
        (date.year(), date.month(), date.day())
    }

    /// The day of the week: 0 = Monday to 6 = Sunday.
    #[must_use]
    pub const fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        (self.0 + 3).rem_euclid(7) as u8
    }

    /// How many days the day's month has: 28 to 31.
    #[must_use]
    pub fn days_in_month(self) -> u8 {
        self.date().days_in_month().unsigned_abs()
    }

    /// The day `days` later, or earlier when negative.
    ///
    /// # Errors
    /// [`OutOfRange`] outside the range of days.
    pub fn offset(self, days: i32) -> Result<Self, OutOfRange> {
        self.0.checked_add(days).ok_or(OutOfRange::of("LocalDay")).and_then(Self::new)
    }

    /// The day that follows.
    ///
    /// # Errors
    /// [`OutOfRange`] after the last day.
    pub fn next(self) -> Result<Self, OutOfRange> {
        self.offset(1)
    }
}

impl BorshDeserialize for LocalDay {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        Self::new(i32::deserialize_reader(reader)?).map_err(invalid)
    }
}

impl fmt::Display for LocalDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(formatter, "{year:04}-{month:02}-{day:02}")
    }
}

/// Reads exactly the form that `Display` writes.
impl FromStr for LocalDay {
    type Err = OutOfRange;

    fn from_str(text: &str) -> Result<Self, OutOfRange> {
        const REFUSED: OutOfRange = OutOfRange::of("LocalDay");
        let mut numbers = text.splitn(3, '-').map(|part| part.parse::<i16>().map_err(|_| REFUSED));
        let mut number = || numbers.next().unwrap_or(Err(REFUSED));
        let (year, month, day) = (number()?, number()?, number()?);
        let small = |value: i16| i8::try_from(value).map_err(|_| REFUSED);
        let parsed = Self::from_civil(year, small(month)?, small(day)?)?;
        if parsed.to_string() == text { Ok(parsed) } else { Err(REFUSED) }
    }
}

/// What the clocks of the grid's zone show when a period begins.
///
/// The day is the one that the period is billed in. It differs from the date on the clock only where
/// clocks are set back over midnight: what happens then a second time stays in the new day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime {
    /// The local day.
    pub day: LocalDay,
    /// Minutes since midnight on the clock, 0–1,439.
    pub minute: u16,
}

/// The largest number of changes of the clocks that a zone may list: 250 years of summer time.
pub const MAX_TRANSITIONS: usize = 512;

/// The local time of a grid, as its genesis tells it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct GridZone {
    /// A name for people, such as `Asia/Kolkata`; no rule reads it.
    pub name: Text<64>,
    /// Local time minus UTC before the first transition, in seconds.
    pub base_offset_seconds: i32,
    /// Changes of the offset: (first UTC second with the new offset, new offset in seconds),
    /// strictly ascending.
    pub transitions: Bounded<(i64, i32), MAX_TRANSITIONS>,
}

/// Why a zone and a slot length make no calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// Slots are 5, 15, 30 or 60 minutes long.
    #[error("slots of {0} minutes, allowed are 5, 15, 30 and 60")]
    SlotLength(u8),
    /// An offset is a day or more.
    #[error("offset of {0} seconds, it has to be less than a day")]
    OffsetTooLarge(i32),
    /// An offset is not a whole number of slots, so days would start inside a slot.
    #[error("offset of {0} seconds is not a whole number of slots")]
    OffsetDividesSlot(i32),
    /// A transition does not lie on the edge of a slot.
    #[error("transition at {0} lies inside a slot")]
    TransitionDividesSlot(i64),
    /// A transition lies outside 1970 to 9999.
    #[error("transition at {0} lies outside the years 1970 to 9999")]
    TransitionOutOfRange(i64),
    /// Transitions are not strictly ascending.
    #[error("transition at {0} does not come after the one before it")]
    TransitionOrder(i64),
}

/// The slots and days of one ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    slot_seconds: u32,
    zone: GridZone,
    /// (first UTC second, offset), ascending; the first begins before all time.
    spans: Vec<(i64, i64)>,
}

const DAY_SECONDS: i64 = 86_400;
/// 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;

impl Calendar {
    /// The calendar of slots of `slot_minutes` in `zone`.
    ///
    /// # Errors
    /// [`CalendarError`] unless the slot is 5, 15, 30 or 60 minutes and divides every offset and
    /// transition of the zone; 60 minutes are therefore refused at +05:30.
    pub fn new(slot_minutes: u8, zone: GridZone) -> Result<Self, CalendarError> {
        if ![5, 15, 30, 60].contains(&slot_minutes) {
            return Err(CalendarError::SlotLength(slot_minutes));
        }
        let slot = i64::from(slot_minutes) * 60;
        let mut spans = vec![(i64::MIN, check_offset(zone.base_offset_seconds, slot)?)];
        let mut earlier = -1;
        for &(start, offset) in &zone.transitions {
            if !(0..=LAST_SECOND).contains(&start) {
                return Err(CalendarError::TransitionOutOfRange(start));
            }
            if start <= earlier {
                return Err(CalendarError::TransitionOrder(start));
            }
            if start % slot != 0 {
                return Err(CalendarError::TransitionDividesSlot(start));
            }
            spans.push((start, check_offset(offset, slot)?));
            earlier = start;
        }
        Ok(Self { slot_seconds: u32::from(slot_minutes) * 60, zone, spans })
    }

    /// The slot length in seconds.
    #[must_use]
    pub const fn slot_seconds(&self) -> u32 {
        self.slot_seconds
    }

    /// The zone that the calendar was made of.
    #[must_use]
    pub const fn zone(&self) -> &GridZone {
        &self.zone
    }

    /// The period in which `time` lies.
    ///
    /// # Errors
    /// [`OutOfRange`] when no period is numbered so high, tens of thousands of years from now.
    pub fn period_at(&self, time: Timestamp) -> Result<SettlementPeriod, OutOfRange> {
        let number = time.get() / 1_000 / u64::from(self.slot_seconds);
        let number = u32::try_from(number).map_err(|_| OutOfRange::of("SettlementPeriod"))?;
        Ok(SettlementPeriod(number))
    }

    /// The first moment of `period`.
    #[must_use]
    pub const fn start_of(&self, period: SettlementPeriod) -> Timestamp {
        // 2³² slots of an hour in milliseconds stay far below 2⁶⁴.
        Timestamp::new(period.0 as u64 * self.slot_seconds as u64 * 1_000)
    }

    /// The first moment after `period`.
    #[must_use]
    pub const fn end_of(&self, period: SettlementPeriod) -> Timestamp {
        Timestamp::new((period.0 as u64 + 1) * self.slot_seconds as u64 * 1_000)
    }

    /// The local day to which `period` belongs.
    ///
    /// # Errors
    /// [`OutOfRange`] for periods after the year 9999.
    pub fn day_of(&self, period: SettlementPeriod) -> Result<LocalDay, OutOfRange> {
        let second = i64::from(period.0) * i64::from(self.slot_seconds);
        // The day has begun when any second up to now had its date: clocks set back over midnight
        // do not lead back into the day before. Only changes of the last two days can matter, since
        // offsets are shorter than a day.
        let span = self.spans.partition_point(|&(start, _)| start <= second) - 1;
        let mut latest = second + self.spans[span].1;
        for pair in self.spans[..=span].windows(2).rev() {
            let (before, (start, _)) = (pair[0].1, pair[1]);
            if start < second - 2 * DAY_SECONDS {
                break;
            }
            latest = latest.max(start - 1 + before);
        }
        let day = latest.div_euclid(DAY_SECONDS);
        i32::try_from(day).map_err(|_| OutOfRange::of("LocalDay")).and_then(LocalDay::new)
    }

    /// All periods of `day`. There are none on a day that the zone skipped, and none before 1970.
    #[must_use]
    pub fn periods_of(&self, day: LocalDay) -> DayPeriods {
        let slot = i64::from(self.slot_seconds);
        let first = self.start_second(i64::from(day.0)).max(0) / slot;
        let end = self.start_second(i64::from(day.0) + 1).max(0) / slot;
        DayPeriods {
            first: SettlementPeriod(u32::try_from(first).expect("days end with the year 9999")),
            count: u16::try_from(end - first).expect("a day and two offsets are under 1000 slots"),
        }
    }

    /// The local day of `period` and its number in that day, counted from 0.
    ///
    /// # Errors
    /// [`OutOfRange`] for periods after the year 9999.
    pub fn slot_in_day(&self, period: SettlementPeriod) -> Result<(LocalDay, u16), OutOfRange> {
        let day = self.day_of(period)?;
        let slot = period.0 - self.periods_of(day).first.0;
        Ok((day, u16::try_from(slot).map_err(|_| OutOfRange::of("SettlementPeriod"))?))
    }

    /// What the clocks show when `period` begins.
    ///
    /// # Errors
    /// [`OutOfRange`] for periods after the year 9999.
    pub fn local_time(&self, period: SettlementPeriod) -> Result<LocalTime, OutOfRange> {
        let second = i64::from(period.0) * i64::from(self.slot_seconds);
        let span = self.spans.partition_point(|&(start, _)| start <= second) - 1;
        let minute = (second + self.spans[span].1).rem_euclid(DAY_SECONDS) / 60;
        let minute = u16::try_from(minute).expect("a day has 1,440 minutes");
        Ok(LocalTime { day: self.day_of(period)?, minute })
    }

    /// Rule: local day d starts with the smallest UTC second t for which t + offset(t) ≥ 86400·d.
    fn start_second(&self, day: i64) -> i64 {
        let local = day * DAY_SECONDS;
        // Spans that end before this second cannot reach the day with any allowed offset.
        let skipped = self.spans.partition_point(|&(start, _)| start <= local - DAY_SECONDS);
        let first = skipped.saturating_sub(1);
        for (index, &(start, offset)) in self.spans.iter().enumerate().skip(first) {
            let candidate = start.max(local - offset);
            let end = self.spans.get(index + 1).map_or(i64::MAX, |next| next.0);
            if candidate < end {
                return candidate;
            }
        }
        unreachable!("the last span has no end")
    }
}

fn check_offset(offset: i32, slot: i64) -> Result<i64, CalendarError> {
    let seconds = i64::from(offset);
    if seconds.abs() >= DAY_SECONDS {
        return Err(CalendarError::OffsetTooLarge(offset));
    }
    if seconds % slot != 0 {
        return Err(CalendarError::OffsetDividesSlot(offset));
    }
    Ok(seconds)
}

/// The periods of one local day, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayPeriods {
    /// The first period.
    pub first: SettlementPeriod,
    /// How many there are: 92, 96 or 100 quarter hours, 0 on a day that was skipped.
    pub count: u16,
}

impl DayPeriods {
    /// The periods, ascending.
    pub fn iter(self) -> impl ExactSizeIterator<Item = SettlementPeriod> + DoubleEndedIterator {
        (0..self.count).map(move |slot| SettlementPeriod(self.first.0 + u32::from(slot)))
    }

    /// Whether `period` is one of them.
    #[must_use]
    pub fn contains(self, period: SettlementPeriod) -> bool {
        self.slot_of(period).is_some()
    }

    /// The number of `period` in the day, counted from 0; `None` for a period of another day.
    #[must_use]
    pub fn slot_of(self, period: SettlementPeriod) -> Option<u16> {
        let slot = u16::try_from(period.0.checked_sub(self.first.0)?).ok()?;
        (slot < self.count).then_some(slot)
    }
}

mod billing_period;
pub use billing_period::BillingPeriod;
