//! Values that hold from a block or an epoch on.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;

use crate::rejection::Rejection;

/// Values of one schedule that may be known at a time: the one in force and those to come.
pub const MAX_SCHEDULED: usize = 8;

/// What holds from which height or epoch on, rising. Before the first entry the genesis holds.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Schedule<T>(Bounded<(u64, T), MAX_SCHEDULED>);

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self(Bounded::default())
    }
}

impl<T: Clone> Schedule<T> {
    /// What holds at `point`, a height or epoch not before the newest change that acts already.
    #[must_use]
    pub fn at(&self, point: u64) -> Option<&T> {
        self.0.iter().rev().find(|(from, _)| *from <= point).map(|(_, value)| value)
    }

    /// What will hold when everything scheduled acts.
    #[must_use]
    pub fn newest(&self) -> Option<&T> {
        self.0.last().map(|(_, value)| value)
    }

    /// From when on which value holds, rising.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.0.iter().map(|(from, value)| (*from, value))
    }

    /// Lets `value` hold from `from` on, in place of what was to begin there, and forgets what no
    /// longer holds at `now`.
    pub(crate) fn set(&mut self, now: u64, from: u64, value: T) -> Result<(), Rejection> {
        let mut entries = self.0.to_vec();
        let in_force = entries.iter().rposition(|(begins, _)| *begins <= now).unwrap_or(0);
        entries.drain(..in_force);
        match entries.binary_search_by_key(&from, |(begins, _)| *begins) {
            Ok(index) => entries[index].1 = value,
            Err(index) => entries.insert(index, (from, value)),
        }
        let bound = MAX_SCHEDULED as u64;
        self.0 = Bounded::try_from(entries).map_err(|_| Rejection::TooManyScheduled { bound })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_that_has_begun_holds() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.at(7), None);
        schedule.set(1, 10, 'a').unwrap();
        schedule.set(1, 30, 'c').unwrap();
        schedule.set(1, 20, 'b').unwrap();
        for (point, expected) in
            [(9, None), (10, Some(&'a')), (19, Some(&'a')), (20, Some(&'b')), (99, Some(&'c'))]
        {
            assert_eq!(schedule.at(point), expected, "at {point}");
        }
        schedule.set(1, 20, 'd').unwrap();
        assert_eq!(schedule.at(20), Some(&'d'));
        assert_eq!(schedule.newest(), Some(&'c'));
    }

    #[test]
    fn only_what_is_over_is_forgotten() {
        let mut schedule = Schedule::default();
        for from in 0..MAX_SCHEDULED as u64 {
            schedule.set(0, 10 * from + 10, from).unwrap();
        }
        let bound = MAX_SCHEDULED as u64;
        assert_eq!(schedule.set(9, 500, 9), Err(Rejection::TooManyScheduled { bound }));
        assert_eq!(schedule.set(19, 500, 9), Err(Rejection::TooManyScheduled { bound }));
        schedule.set(20, 500, 9).unwrap();
        assert_eq!(schedule.at(20), Some(&1), "what holds now stays");
        assert_eq!(schedule.at(19), None, "what held before is forgotten");
    }
}
