//! The types of the answers, converted from the types of the lower floors by hand.
//!
//! Rules of the form: 64-bit numbers are decimal strings with the unit in the field's name, since a
//! JavaScript number loses digits above 2⁵³; ids, hashes and keys are lower-case hexadecimal text;
//! bytes are base64url without padding; moments are RFC 3339 with `Z` and, as `…_ms`, exact
//! milliseconds; enumerations are in snake_case, names of transactions, events and rules as in the
//! reference. Where a reader lacks the rights, the values are missing and `withheld` is true.

pub mod account;
pub mod bill;
pub mod block;
pub mod body;
pub mod day;
pub mod dues;
pub mod estimate;
pub mod event;
pub mod governance;
pub mod network;
pub mod notary;
pub mod party;
pub mod receipt;
pub mod search;
pub mod statement;
pub mod status;
pub mod submit;
pub mod tariff;
pub mod transaction;
pub mod usage_point;

use std::fmt::Display;

use primitives::calendar::{Calendar, LocalDay, SettlementPeriod};
use primitives::units::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// A page of a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Where the next page begins: the value for `after` (of blocks, which fall: `before`). `null` on
    /// the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts a list that was read with one item more than `limit`.
    pub(crate) fn cut(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}

/// A settlement period, with its beginning in the grid's own zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Period {
    /// Its number: UTC seconds since 1970 divided by the slot length.
    pub period: u32,
    /// Such as `2016-06-01T00:00:00+05:30`; `null` after the year 9999.
    pub starts_at: Option<String>,
}

impl Period {
    /// The period in a calendar.
    #[must_use]
    pub fn new(calendar: &Calendar, period: SettlementPeriod) -> Self {
        let starts_at = in_zone(calendar, calendar.start_of(period));
        Self { period: period.get(), starts_at }
    }
}

/// A moment in the grid's own zone, to the second.
#[must_use]
pub fn in_zone(calendar: &Calendar, moment: Timestamp) -> Option<String> {
    let seconds = i64::try_from(moment.get() / 1_000).ok()?;
    let zone = calendar.zone();
    let passed = zone.transitions.partition_point(|(start, _)| *start <= seconds);
    let offset = match passed.checked_sub(1) {
        Some(index) => zone.transitions[index].1,
        None => zone.base_offset_seconds,
    };
    let local = seconds.checked_add(i64::from(offset))?;
    let day = LocalDay::new(i32::try_from(local.div_euclid(86_400)).ok()?).ok()?;
    let of_day = local.rem_euclid(86_400);
    let (hours, minutes) = (of_day / 3_600, of_day / 60 % 60);
    let sign = if offset < 0 { '-' } else { '+' };
    let (offset_hours, offset_minutes) = (offset.abs() / 3_600, offset.abs() / 60 % 60);
    Some(format!(
        "{day}T{hours:02}:{minutes:02}:{:02}{sign}{offset_hours:02}:{offset_minutes:02}",
        of_day % 60
    ))
}

/// The text of every item.
pub(crate) fn texts<T: Display>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

/// Nothing to say in JSON when something is not withheld.
pub(crate) const fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use primitives::calendar::GridZone;

    use super::*;

    fn calendar(base: i32, transitions: Vec<(i64, i32)>) -> Calendar {
        let zone = GridZone {
            name: "zone".parse().unwrap(),
            base_offset_seconds: base,
            transitions: transitions.try_into().unwrap(),
        };
        Calendar::new(15, zone).unwrap()
    }

    #[test]
    fn a_period_begins_in_the_grids_own_zone() {
        let kolkata = calendar(19_800, vec![]);
        let first = kolkata.periods_of("2016-06-01".parse().unwrap()).first;
        let period = Period::new(&kolkata, first);
        assert_eq!(period.starts_at.as_deref(), Some("2016-06-01T00:00:00+05:30"));
        let late = Period::new(&kolkata, SettlementPeriod::new(u32::MAX));
        assert_eq!(late.starts_at, None);
        let newfoundland = calendar(-12_600, vec![]);
        let text = in_zone(&newfoundland, Timestamp::new(0)).unwrap();
        assert_eq!(text, "1969-12-31T20:30:00-03:30");
    }

    #[test]
    fn the_hour_that_comes_twice_differs_by_its_offset() {
        let madrid = calendar(3_600, vec![(1_743_296_400, 7_200), (1_761_440_400, 3_600)]);
        let at = |seconds: u64| in_zone(&madrid, Timestamp::new(seconds * 1_000)).unwrap();
        assert_eq!(at(1_761_440_400 - 900), "2025-10-26T02:45:00+02:00");
        assert_eq!(at(1_761_440_400 + 2_700), "2025-10-26T02:45:00+01:00");
    }

    #[test]
    fn a_page_says_where_the_next_begins() {
        let page = Page::cut(vec![1, 2, 3], 2, ToString::to_string);
        assert_eq!((page.items, page.next.as_deref()), (vec![1, 2], Some("2")));
        assert_eq!(Page::cut(vec![1, 2], 2, ToString::to_string).next, None);
    }
}
