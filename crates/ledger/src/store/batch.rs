//! The batch of writes that a commit makes atomic.

use super::Keyspace;

/// Longest key in bytes; every key of ours is under 100.
pub const KEY_BYTES_MAX: usize = 1024;

/// Longest value in bytes: a block of 10,000 transactions takes about 2 MB, and the longest
/// submissions of one block stay far below this.
pub const VALUE_BYTES_MAX: usize = 256 << 20;

/// One write: the value that a key gets, or none when it is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) space: Keyspace,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

/// Writes over any keyspaces that become visible and durable together.
///
/// The last write of a key wins, whatever came before it in the same batch.
///
/// # Examples
/// ```
/// use ledger::store::{Durability, Keyspace, MemoryStore, Store, WriteBatch};
///
/// let store = MemoryStore::new();
/// let mut batch = WriteBatch::new();
/// batch.put(Keyspace::Meta, b"tip".as_slice(), 7_u64.to_be_bytes());
/// batch.delete(Keyspace::State, b"offer/1".as_slice());
/// store.commit(batch, Durability::Synced)?;
/// assert_eq!(store.get(Keyspace::Meta, b"tip")?, Some(7_u64.to_be_bytes().to_vec()));
/// # Ok::<(), ledger::store::StoreError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    /// By keyspace: rows of one keyspace mostly come in the order of their keys, so sorting each
    /// alone finds long runs.
    spaces: [Vec<Operation>; Keyspace::ALL.len()],
}

impl WriteBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a key. The value may be empty, which is not the same as absent.
    ///
    /// # Panics
    /// When the key is empty or longer than [`KEY_BYTES_MAX`], or the value longer than
    /// [`VALUE_BYTES_MAX`]: keys and values are built by us and bounded before they come here.
    pub fn put(&mut self, space: Keyspace, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        let value = value.into();
        assert!(value.len() <= VALUE_BYTES_MAX, "values are bounded by the limits on a block");
        self.push(space, key.into(), Some(value));
    }

    /// Removes a key; nothing happens when it is not there.
    ///
    /// # Panics
    /// When the key is empty or longer than [`KEY_BYTES_MAX`].
    pub fn delete(&mut self, space: Keyspace, key: impl Into<Vec<u8>>) {
        self.push(space, key.into(), None);
    }

    /// How many writes were added, repeated keys included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spaces.iter().map(Vec::len).sum()
    }

    /// Whether the batch writes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spaces.iter().all(Vec::is_empty)
    }

    /// Leaves out all writes to other keyspaces.
    pub(crate) fn keep(&mut self, kept: impl Fn(Keyspace) -> bool) {
        for space in Keyspace::ALL.into_iter().filter(|space| !kept(*space)) {
            self.spaces[space.position()].clear();
        }
    }

    fn push(&mut self, space: Keyspace, key: Vec<u8>, value: Option<Vec<u8>>) {
        assert!(
            (1..=KEY_BYTES_MAX).contains(&key.len()),
            "keys are built by us from parts of fixed length"
        );
        self.spaces[space.position()].push(Operation { space, key, value });
    }

    /// The writes in the order of keyspace and key, each key once, with the last value it got.
    ///
    /// Engines give all rows of a commit one sequence number and would otherwise be free to keep
    /// either of two writes of a key; in order, the rows are also cheaper to insert.
    pub(crate) fn into_operations(self) -> Vec<Operation> {
        let mut all = Vec::with_capacity(self.len());
        for mut operations in self.spaces {
            // The sort is stable: writes of one key keep their order, so the last of a run wins.
            operations.sort_by(|a, b| a.key.cmp(&b.key));
            operations.dedup_by(|later, kept| {
                let same = later.key == kept.key;
                if same {
                    kept.value = later.value.take();
                }
                same
            });
            all.append(&mut operations);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_write_of_a_key_wins_and_rows_come_in_order() {
        let mut batch = WriteBatch::new();
        batch.put(Keyspace::State, *b"b", *b"1");
        batch.put(Keyspace::State, *b"a", *b"1");
        batch.delete(Keyspace::State, *b"b");
        batch.put(Keyspace::Meta, *b"b", *b"2");
        batch.put(Keyspace::State, *b"b", *b"3");
        batch.delete(Keyspace::State, *b"a");
        let row = |space, key: &[u8], value: Option<&[u8]>| Operation {
            space,
            key: key.to_vec(),
            value: value.map(<[u8]>::to_vec),
        };
        assert_eq!(
            batch.into_operations(),
            [
                row(Keyspace::Meta, b"b", Some(b"2")),
                row(Keyspace::State, b"a", None),
                row(Keyspace::State, b"b", Some(b"3")),
            ]
        );
    }
}
