//! The newest values of the state that were asked for or written lately.
//!
//! A gateway's thousand readings ask for the same usage points, sequences and days over and over; a
//! store answers each time from scratch. What stands here equals the store's newest state, also that
//! a key is absent, so execution comes to the same result with and without it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use contracts::state::Writes;

/// Bytes of keys and values at most; when they are reached everything is forgotten.
const MAX_BYTES: usize = 32 << 20;
/// What a row costs beside its key and value.
const ROW_BYTES: usize = 96;

/// The cache. Its content belongs to one head, the newest.
#[derive(Default)]
pub struct StateCache {
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    height: u64,
    rows: Writes,
    bytes: usize,
}

impl Content {
    fn insert(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len) + ROW_BYTES;
        if self.bytes > MAX_BYTES {
            self.rows = BTreeMap::new();
            self.bytes = key.len() + value.as_ref().map_or(0, Vec::len) + ROW_BYTES;
        }
        self.rows.insert(key, value);
    }
}

impl StateCache {
    /// The value at `height`: `None` when it is not known here, `Some(None)` when it is absent.
    pub fn get(&self, height: u64, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let content = self.content.lock().expect(UNPOISONED);
        if content.height == height { content.rows.get(key).cloned() } else { None }
    }

    /// Remembers what the store answered at `height`.
    pub fn remember(&self, height: u64, key: &[u8], value: Option<Vec<u8>>) {
        let mut content = self.content.lock().expect(UNPOISONED);
        if content.height == height {
            content.insert(key.to_vec(), value);
        }
    }

    /// The block at `height` was committed with these writes.
    pub fn advance(&self, height: u64, writes: Writes) {
        let mut content = self.content.lock().expect(UNPOISONED);
        content.height = height;
        for (key, value) in writes {
            content.insert(key, value);
        }
    }
}

const UNPOISONED: &str = "nothing panics while it holds the cache";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_at_its_height_only() {
        let cache = StateCache::default();
        cache.remember(0, b"key", Some(vec![1]));
        assert_eq!(cache.get(0, b"key"), Some(Some(vec![1])));
        assert_eq!(cache.get(1, b"key"), None);
        cache.remember(7, b"other", None);
        assert_eq!(cache.get(7, b"other"), None);
        cache.advance(1, Writes::from([(b"gone".to_vec(), None)]));
        assert_eq!(cache.get(1, b"key"), Some(Some(vec![1])));
        assert_eq!(cache.get(1, b"gone"), Some(None));
        assert_eq!(cache.get(0, b"key"), None);
    }

    #[test]
    fn it_forgets_instead_of_growing() {
        let cache = StateCache::default();
        for number in 0..40_u8 {
            cache.remember(0, &[number], Some(vec![0; 1 << 20]));
        }
        let content = cache.content.lock().unwrap();
        assert!(content.bytes <= MAX_BYTES);
        assert!(content.rows.len() < 40);
    }
}
