//! What one bill is about: whole local days.

use std::fmt;
use std::str::FromStr;

use borsh::io::{Read, Result as IoResult};
use borsh::{BorshDeserialize, BorshSerialize};
use jiff::civil::Date;

use super::LocalDay;
use crate::codec::invalid;
use crate::units::OutOfRange;

/// A run of whole local days that is billed together.
///
/// The fields are open, so that a period can be written down in code; [`BillingPeriod::days`] tells
/// whether it exists. Decoding and `FromStr` give only periods that do. Years go from 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub enum BillingPeriod {
    /// One day. Text `2016-06-01`.
    Day {
        /// The day.
        day: LocalDay,
    },
    /// A calendar month. Text `2016-06`.
    Month {
        /// The year.
        year: u16,
        /// 1–12.
        month: u8,
    },
    /// Three calendar months. Text `2016-Q2`.
    Quarter {
        /// The year.
        year: u16,
        /// 1–4.
        quarter: u8,
    },
    /// Six calendar months. Text `2016-H1`.
    HalfYear {
        /// The year.
        year: u16,
        /// 1 or 2.
        half: u8,
    },
    /// A calendar year. Text `2016`.
    Year {
        /// The year.
        year: u16,
    },
    /// Any other run of days, at most [`BillingPeriod::MAX_DAYS`]. Text `2016-06-01..2016-06-14`.
    Custom {
        /// The first day.
        first_day: LocalDay,
        /// The last day; it belongs to the period.
        last_day: LocalDay,
    },
}

const REFUSED: OutOfRange = OutOfRange::of("BillingPeriod");

impl BillingPeriod {
    /// The largest number of days in a billing period: a leap year.
    pub const MAX_DAYS: usize = 366;

    /// The first and the last day, both included.
    ///
    /// # Errors
    /// [`OutOfRange`] when there is no such period: month 13, a custom period that ends before it
    /// begins or is longer than [`Self::MAX_DAYS`].
    pub fn days(&self) -> Result<(LocalDay, LocalDay), OutOfRange> {
        match *self {
            Self::Day { day } => Ok((day, day)),
            Self::Month { year, month } => months(year, month, 1, 12),
            Self::Quarter { year, quarter } => months(year, quarter, 3, 4),
            Self::HalfYear { year, half } => months(year, half, 6, 2),
            Self::Year { year } => months(year, 1, 12, 1),
            Self::Custom { first_day, last_day } => {
                let days = i64::from(last_day.get()) - i64::from(first_day.get()) + 1;
                if (1..=Self::MAX_DAYS as i64).contains(&days) {
                    Ok((first_day, last_day))
                } else {
                    Err(REFUSED)
                }
            }
        }
    }

    fn checked(self) -> Result<Self, OutOfRange> {
        self.days().map(|_| self)
    }
}

/// The days of part `number` (from 1) of a year that is cut in `parts` of `length` months.
fn months(
    year: u16,
    number: u8,
    length: u8,
    parts: u8,
) -> Result<(LocalDay, LocalDay), OutOfRange> {
    if !(1970..=9999).contains(&year) || !(1..=parts).contains(&number) {
        return Err(REFUSED);
    }
    let date = |month: u8| {
        let (year, month) = (i16::try_from(year).ok()?, i8::try_from(month).ok()?);
        Date::new(year, month, 1).ok()
    };
    let first = date((number - 1) * length + 1).ok_or(REFUSED)?;
    let last = date(number * length).ok_or(REFUSED)?.last_of_month();
    Ok((LocalDay::from_date(first)?, LocalDay::from_date(last)?))
}

impl BorshDeserialize for BillingPeriod {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let kind = u8::deserialize_reader(reader)?;
        if kind > 5 {
            return Err(invalid(format_args!("unknown kind {kind} of BillingPeriod")));
        }
        let period = match kind {
            0 => Self::Day { day: LocalDay::deserialize_reader(reader)? },
            5 => Self::Custom {
                first_day: LocalDay::deserialize_reader(reader)?,
                last_day: LocalDay::deserialize_reader(reader)?,
            },
            _ => {
                let year = u16::deserialize_reader(reader)?;
                match kind {
                    1 => Self::Month { year, month: u8::deserialize_reader(reader)? },
                    2 => Self::Quarter { year, quarter: u8::deserialize_reader(reader)? },
                    3 => Self::HalfYear { year, half: u8::deserialize_reader(reader)? },
                    _ => Self::Year { year },
                }
            }
        };
        period.checked().map_err(invalid)
    }
}

impl fmt::Display for BillingPeriod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day { day } => write!(formatter, "{day}"),
            Self::Month { year, month } => write!(formatter, "{year:04}-{month:02}"),
            Self::Quarter { year, quarter } => write!(formatter, "{year:04}-Q{quarter}"),
            Self::HalfYear { year, half } => write!(formatter, "{year:04}-H{half}"),
            Self::Year { year } => write!(formatter, "{year:04}"),
            Self::Custom { first_day, last_day } => write!(formatter, "{first_day}..{last_day}"),
        }
    }
}

/// Reads exactly the form that `Display` writes.
impl FromStr for BillingPeriod {
    type Err = OutOfRange;

    fn from_str(text: &str) -> Result<Self, OutOfRange> {
        let number = |digits: &str| digits.parse::<u8>().map_err(|_| REFUSED);
        let period = if let Some((first, last)) = text.split_once("..") {
            Self::Custom { first_day: first.parse()?, last_day: last.parse()? }
        } else if text.matches('-').count() == 2 {
            Self::Day { day: text.parse()? }
        } else {
            let (year, part) = text.split_once('-').unwrap_or((text, ""));
            let year = year.parse::<u16>().map_err(|_| REFUSED)?;
            if part.is_empty() {
                Self::Year { year }
            } else if let Some(quarter) = part.strip_prefix('Q') {
                Self::Quarter { year, quarter: number(quarter)? }
            } else if let Some(half) = part.strip_prefix('H') {
                Self::HalfYear { year, half: number(half)? }
            } else {
                Self::Month { year, month: number(part)? }
            }
        };
        // Writing it again refuses signs, missing zeros and dangling dashes in one place.
        if period.to_string() == text { period.checked() } else { Err(REFUSED) }
    }
}
