//! The state that rules read and write: ordered bytes under ordered keys, and nothing else.
//!
//! The floor above gives a [`State`] over its store; each module of this crate adds its own typed
//! access with `impl dyn State + '_ { … }`, so a rule reads `state.usage_point(id)?`.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec;
use primitives::envelope::SignedTransaction;

use crate::event::Event;

/// Where a transaction stands: block height and index in the block, from 0.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Position {
    /// Height of the block, from 1.
    pub height: u64,
    /// Index of the transaction in its block, from 0.
    pub index: u32,
}

/// Ordered bytes under ordered keys, plus the history that rules may look at.
///
/// Absent, empty and failed are three answers: `None` is absent; an implementation that fails to
/// read must remember the failure and refuse the whole block, never pretend that a key is absent.
pub trait State {
    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;
    /// Writes `value` under `key`.
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>);
    /// Removes `key`; removing an absent key is no error.
    fn delete(&mut self, key: &[u8]);
    /// Up to `limit` entries whose key starts with `prefix` and lies after `after`, in key order.
    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)>;
    /// The payload that travelled beside the transaction at `position`; `None` once erased.
    fn payload(&self, position: Position) -> Option<Vec<u8>>;
    /// The ordered transaction at `position`.
    fn transaction(&self, position: Position) -> Option<SignedTransaction>;
    /// Tells explorers and displays what happened; kept in the receipt, in order.
    fn emit(&mut self, event: Event);
}

impl dyn State + '_ {
    /// Reads and decodes a value that this crate wrote.
    pub(crate) fn read<T: BorshDeserialize>(&self, key: &[u8]) -> Option<T> {
        self.get(key).map(|bytes| {
            codec::decode(&bytes).expect("state values are written by this crate in this encoding")
        })
    }

    /// Encodes and writes a value.
    pub(crate) fn write<T: BorshSerialize>(&mut self, key: Vec<u8>, value: &T) {
        self.put(key, codec::encode(value));
    }
}

/// Keys and their new values; `None` = removed.
pub type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Writes kept apart from the state below them, to be merged or dropped as one.
pub struct Overlay<'a> {
    base: &'a dyn State,
    writes: Writes,
    events: Vec<Event>,
}

impl<'a> Overlay<'a> {
    /// An overlay without writes.
    #[must_use]
    pub fn new(base: &'a dyn State) -> Self {
        Self { base, writes: Writes::new(), events: Vec::new() }
    }

    /// The writes and events, in order.
    #[must_use]
    pub fn into_parts(self) -> (Writes, Vec<Event>) {
        (self.writes, self.events)
    }
}

impl State for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        match self.writes.get(key) {
            Some(value) => value.clone(),
            None => self.base.get(key),
        }
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.insert(key, Some(value));
    }

    fn delete(&mut self, key: &[u8]) {
        self.writes.insert(key.to_vec(), None);
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        scan_merged(&self.writes, prefix, after, limit, &|after, limit| {
            self.base.scan(prefix, after, limit)
        })
    }

    fn payload(&self, position: Position) -> Option<Vec<u8>> {
        self.base.payload(position)
    }

    fn transaction(&self, position: Position) -> Option<SignedTransaction> {
        self.base.transaction(position)
    }

    fn emit(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// A page of entries: keys and values in key order.
pub type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// A scan over `base` as seen through `writes`; shared by every layered [`State`].
///
/// `base(after, limit)` reads the layer below. It is asked again, page by page, as long as removed
/// keys leave the answer short.
pub fn scan_merged(
    writes: &Writes,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
    base: &dyn Fn(Option<&[u8]>, usize) -> Entries,
) -> Entries {
    let mut answer = BTreeMap::new();
    let mut cursor = after.map(<[u8]>::to_vec);
    loop {
        let page = base(cursor.as_deref(), limit);
        let exhausted = page.len() < limit;
        cursor = page.last().map(|(key, _)| key.clone()).or(cursor);
        answer.extend(page.into_iter().filter(|(key, _)| !writes.contains_key(key)));
        if exhausted || answer.len() >= limit {
            break;
        }
    }
    for (key, value) in writes.range(prefix.to_vec()..) {
        if !key.starts_with(prefix) {
            break;
        }
        if after.is_some_and(|after| key.as_slice() <= after) {
            continue;
        }
        if let Some(value) = value {
            answer.insert(key.clone(), value.clone());
        }
    }
    answer.into_iter().take(limit).collect()
}
