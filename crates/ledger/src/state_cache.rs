//! The newest values of the state that were asked for or written lately.
//!
//! A gateway's thousand readings ask for the same usage points, sequences and days over and over; a
//! store answers each time from scratch. What stands here equals the store's newest state, also that
//! a key is absent, so execution comes to the same result with and without it.
//!
//! Of single readings only the taken slots of each day are remembered: rules ask whether there is one
//! already, which takes a bit, and nobody asks for their values again before the day is sealed.

#![expect(clippy::disallowed_types, reason = "looked up only, never walked through")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use foldhash::fast::RandomState;

/// Bytes of keys and values at most; when they are reached everything is forgotten.
const MAX_BYTES: usize = 16 << 20;
/// What a row costs beside its key and value.
const ROW_BYTES: usize = 96;

/// The cache. Its content belongs to one head, the newest.
#[derive(Default)]
pub struct StateCache(Mutex<Content>);

#[derive(Default)]
struct Content {
    height: u64,
    rows: HashMap<Vec<u8>, Option<Vec<u8>>, RandomState>,
    days: HashMap<Vec<u8>, TakenSlots, RandomState>,
    bytes: usize,
}

/// The slots of a day that have a single reading, a bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenSlots([u64; TakenSlots::MAX / 64]);

impl TakenSlots {
    /// Slots that can be remembered; no day has so many (`primitives::reading::MAX_SLOTS_PER_DAY`).
    pub const MAX: usize = 320;

    /// Is there a reading?
    pub const fn holds(&self, slot: u16) -> bool {
        self.0[slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    /// There is a reading from now on, or there is none any more.
    pub const fn set(&mut self, slot: u16, taken: bool) {
        let (word, bit) = (&mut self.0[slot as usize / 64], 1 << (slot % 64));
        if taken { *word |= bit } else { *word &= !bit }
    }
}

const _: () = assert!(primitives::reading::MAX_SLOTS_PER_DAY <= TakenSlots::MAX);

impl Content {
    fn insert(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let key_bytes = key.len();
        let bytes =
            |value: &Option<Vec<u8>>| key_bytes + value.as_ref().map_or(0, Vec::len) + ROW_BYTES;
        self.make_room(bytes(&value));
        if let Some(before) = self.rows.insert(key, value) {
            self.bytes -= bytes(&before);
        }
    }

    fn make_room(&mut self, bytes: usize) {
        if self.bytes + bytes > MAX_BYTES {
            self.forget();
        }
        self.bytes += bytes;
    }

    fn forget(&mut self) {
        (self.rows, self.days, self.bytes) = (HashMap::default(), HashMap::default(), 0);
    }
}

impl StateCache {
    /// The cache for the block after `parent`; there is one at a time.
    pub fn above(&self, parent: u64) -> CacheOfBlock<'_> {
        Self::of(self.0.lock().unwrap_or_else(PoisonError::into_inner), parent)
    }

    /// The same, when nobody else has it.
    pub fn try_above(&self, parent: u64) -> Option<CacheOfBlock<'_>> {
        match self.0.try_lock() {
            Ok(content) => Some(Self::of(content, parent)),
            Err(TryLockError::Poisoned(content)) => Some(Self::of(content.into_inner(), parent)),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn of(mut content: MutexGuard<'_, Content>, parent: u64) -> CacheOfBlock<'_> {
        if content.height != parent {
            content.forget();
        }
        CacheOfBlock { content: RefCell::new(content), kept: false }
    }
}

/// The newest state as a block reads and changes it. Dropped without [`CacheOfBlock::keep`] it
/// forgets everything: the block was not committed, or nobody knows.
pub struct CacheOfBlock<'a> {
    content: RefCell<MutexGuard<'a, Content>>,
    kept: bool,
}

impl CacheOfBlock<'_> {
    /// The value of a key: `None` when it is not known here, `Some(None)` when it is absent.
    pub fn get(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        self.content.borrow().rows.get(key).cloned()
    }

    /// Remembers what the store answered, or what the block wrote.
    pub fn remember(&self, key: &[u8], value: Option<&[u8]>) {
        self.content.borrow_mut().insert(key.to_vec(), value.map(<[u8]>::to_vec));
    }

    /// Which slots of a day have a single reading; `None` when it is not known here.
    pub fn taken_slots(&self, day: &[u8]) -> Option<TakenSlots> {
        self.content.borrow().days.get(day).copied()
    }

    /// Remembers which slots of a day have a single reading.
    pub fn remember_day(&self, day: &[u8], taken: TakenSlots) {
        let mut content = self.content.borrow_mut();
        content.make_room(day.len() + ROW_BYTES);
        content.days.insert(day.to_vec(), taken);
    }

    /// A single reading was written or removed.
    pub fn remember_slot(&self, day: &[u8], slot: u16, taken: bool) {
        if let Some(known) = self.content.borrow_mut().days.get_mut(day) {
            known.set(slot, taken);
        }
    }

    /// The block was committed at this height.
    pub fn keep(mut self, height: u64) {
        self.content.get_mut().height = height;
        self.kept = true;
    }
}

impl Drop for CacheOfBlock<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.content.get_mut().forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_block_wrote_is_known_once_it_is_committed() {
        let cache = StateCache::default();
        let first = cache.above(0);
        assert_eq!(first.get(b"key"), None);
        first.remember(b"key", Some(&[1]));
        first.remember(b"absent", None);
        assert_eq!(first.get(b"key"), Some(Some(vec![1])));
        first.keep(1);

        let second = cache.above(1);
        assert_eq!(second.get(b"key"), Some(Some(vec![1])));
        assert_eq!(second.get(b"absent"), Some(None));
        second.remember(b"key", None);
        drop(second);
        assert_eq!(cache.above(1).get(b"key"), None, "the second was not committed");
    }

    #[test]
    fn it_belongs_to_one_height() {
        let cache = StateCache::default();
        let block = cache.above(0);
        block.remember(b"key", Some(&[1]));
        block.keep(1);
        assert_eq!(cache.above(2).get(b"key"), None);
    }

    #[test]
    fn taken_slots_follow_what_is_written() {
        let cache = StateCache::default();
        let block = cache.above(0);
        block.remember_slot(b"unknown", 3, true);
        assert_eq!(block.taken_slots(b"unknown"), None, "one slot says nothing of the others");
        block.remember_day(b"day", TakenSlots::default());
        block.remember_slot(b"day", 3, true);
        let taken = block.taken_slots(b"day").expect("known");
        assert!(taken.holds(3) && !taken.holds(2) && !taken.holds(299));
        block.remember_slot(b"day", 3, false);
        assert_eq!(block.taken_slots(b"day"), Some(TakenSlots::default()));
        drop(block);
        assert_eq!(cache.above(0).taken_slots(b"day"), None, "the block was not committed");
    }

    #[test]
    fn it_forgets_instead_of_growing() {
        let cache = StateCache::default();
        let block = cache.above(0);
        for number in 0..40_u8 {
            block.remember(&[number], Some(&vec![0; 1 << 20]));
        }
        let content = block.content.borrow();
        assert!(content.bytes <= MAX_BYTES);
        assert!(content.rows.len() < 40);
    }
}
