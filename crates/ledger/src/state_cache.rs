//! The newest values of the state that were asked for or written lately.
//!
//! A gateway's thousand readings ask for the same usage points, sequences and days over and over; a
//! store answers each time from scratch. What stands here equals the store's newest state, also that
//! a key is absent, so execution comes to the same result with and without it.

#![expect(clippy::disallowed_types, reason = "looked up only, never walked through")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of keys and values at most; when they are reached everything is forgotten.
const MAX_BYTES: usize = 32 << 20;
/// What a row costs beside its key and value.
const ROW_BYTES: usize = 96;

/// The cache. Its content belongs to one head, the newest.
#[derive(Default)]
pub struct StateCache(Mutex<Content>);

#[derive(Default)]
struct Content {
    height: u64,
    rows: HashMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
}

impl Content {
    fn insert(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let key_bytes = key.len();
        let bytes =
            |value: &Option<Vec<u8>>| key_bytes + value.as_ref().map_or(0, Vec::len) + ROW_BYTES;
        if self.bytes + bytes(&value) > MAX_BYTES {
            self.forget();
        }
        self.bytes += bytes(&value);
        if let Some(before) = self.rows.insert(key, value) {
            self.bytes -= bytes(&before);
        }
    }

    fn forget(&mut self) {
        (self.rows, self.bytes) = (HashMap::new(), 0);
    }
}

impl StateCache {
    /// The cache for the block after `parent`; there is one at a time.
    pub fn above(&self, parent: u64) -> CacheOfBlock<'_> {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
