//! Giving back the room of rows that were written again or deleted.
//!
//! The engine keeps an old row until it merges the tables that hold it with those above them, which for
//! rows that come in order of their keys may be never. So after a pruning the trees of blocks and
//! payloads are merged as a whole, beside whatever else the store does. Old rows also lie in the
//! journals, up to 128 MiB of them: a running store overwrites these as it goes on, and
//! [`FjallStore::purge`] empties them at once.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use ::fjall::{AbstractTree, Keyspace as Tree, PersistMode};

use super::fjall::{
    ENGINE_DIRECTORY, FjallOptions, FjallStore, OpenStore, WAIT, bytes_below, from_engine,
};
use super::fjall_journal::journals;
use super::{Keyspace, StoreError};

/// The keyspaces whose rows are written again or deleted when blocks are pruned.
const PRUNED_SPACES: [Keyspace; 2] = [Keyspace::Blocks, Keyspace::Payloads];
const ACTION: &str = "giving back room";

impl FjallStore {
    /// Opens the store in a directory, removes from its files whatever was overwritten or deleted, and
    /// closes it. Gives the bytes that it takes on disk then.
    ///
    /// A kill at any moment leaves the store as it was: all rows lie in tables before a journal is
    /// emptied.
    ///
    /// # Errors
    /// As [`FjallStore::open`], and [`StoreError::DiskFull`] when there is no room to merge tables, which
    /// needs as much as the kept rows take.
    pub fn purge(directory: impl AsRef<Path>, options: FjallOptions) -> Result<u64, StoreError> {
        let directory = directory.as_ref();
        let store = Self::open(directory, options)?;
        store.open.reclaim()?;
        for tree in store.open.spaces.iter().chain([&store.open.commits]) {
            store.open.flush(tree)?;
        }
        let open = Arc::into_inner(store.open).expect("opened here, and handed to nobody");
        let OpenStore { spaces, commits, database, _lock: lock, .. } = open;
        drop((spaces, commits, database));
        let purging = |source| StoreError::from_io(ACTION, source);
        let mut journals = journals(&directory.join(ENGINE_DIRECTORY)).map_err(purging)?;
        let newest = journals.pop();
        for journal in journals {
            std::fs::remove_file(journal).map_err(purging)?;
        }
        if let Some(newest) = newest {
            let file = OpenOptions::new().write(true).open(newest).map_err(purging)?;
            file.set_len(0).and_then(|()| file.sync_all()).map_err(purging)?;
        }
        let bytes = bytes_below(directory).map_err(purging)?;
        drop(lock);
        Ok(bytes)
    }
}

impl OpenStore {
    /// Merges the trees whose rows pruning touches. A failure leaves the old tables in force.
    pub(super) fn reclaim(&self) -> Result<(), StoreError> {
        for tree in PRUNED_SPACES.map(|space| self.tree(space)) {
            self.flush(tree)?;
            tree.major_compact().map_err(|error| from_engine(ACTION, error))?;
        }
        Ok(())
    }

    /// Sorts what a tree holds in memory into a table, and waits for it.
    fn flush(&self, tree: &Tree) -> Result<(), StoreError> {
        tree.rotate_memtable().map_err(|error| from_engine(ACTION, error))?;
        while tree.tree.sealed_memtable_count() > 0 {
            // This writes nothing new; it tells whether a background thread has failed.
            if let Err(error) = self.database.persist(PersistMode::Buffer) {
                return Err(match error {
                    ::fjall::Error::Poisoned => self.cause_of_background_failure(),
                    other => from_engine(ACTION, other),
                });
            }
            thread::sleep(WAIT);
        }
        Ok(())
    }
}
