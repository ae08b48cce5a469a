//! How many of a sender's transactions were rejected within the last hour.
//!
//! An ordered rejection costs everybody room and its sender nothing else, so nodes stop taking more
//! from who has too many. The count is each node's own: it is not part of the state.

use std::collections::{BTreeMap, VecDeque};

use contracts::Sender;
use primitives::units::Timestamp;

const HOUR_MS: u64 = 3_600_000;

/// Times of rejections by sender, the last hour's.
#[derive(Debug, Default)]
pub struct RejectionQuota {
    rejections: BTreeMap<Sender, VecDeque<Timestamp>>,
}

impl RejectionQuota {
    /// Notes a rejection in a block of this time.
    pub fn note(&mut self, sender: Sender, time: Timestamp) {
        self.rejections.entry(sender).or_default().push_back(time);
    }

    /// Has the sender reached `bound` rejections within the hour before `now`?
    pub fn is_reached(&mut self, sender: &Sender, bound: u32, now: Timestamp) -> bool {
        let Some(times) = self.rejections.get_mut(sender) else { return false };
        while times.front().is_some_and(|time| time.get() + HOUR_MS <= now.get()) {
            times.pop_front();
        }
        let reached = times.len() >= bound as usize;
        if times.is_empty() {
            self.rejections.remove(sender);
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_before_now_counts() {
        let key = Sender::Owner;
        let at = |ms| Timestamp::new(ms);
        let mut quota = RejectionQuota::default();
        quota.note(key, at(0));
        quota.note(key, at(10));
        assert!(quota.is_reached(&key, 2, at(HOUR_MS - 1)));
        assert!(!quota.is_reached(&key, 2, at(HOUR_MS)));
        assert!(quota.is_reached(&key, 1, at(HOUR_MS)));
        assert!(!quota.is_reached(&key, 1, at(HOUR_MS + 10)));
        assert!(quota.rejections.is_empty());
    }
}
