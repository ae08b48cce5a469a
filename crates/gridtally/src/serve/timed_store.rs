//! A store that tells the metrics how long its durable commits take.

use std::sync::Arc;
use std::time::Instant;

use api::Metrics;
use ledger::store::{Durability, Keyspace, Snapshot, Store, StoreError, WriteBatch};

/// The store, watched.
pub struct TimedStore {
    /// The store itself.
    pub store: Arc<dyn Store>,
    /// Who is told.
    pub metrics: Arc<Metrics>,
}

impl Store for TimedStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.store.snapshot()
    }

    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError> {
        let start = Instant::now();
        let result = self.store.commit(batch, durability);
        if durability == Durability::Synced {
            self.metrics.committed(start.elapsed());
        }
        result
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.store.sync()
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        self.store.disk_bytes()
    }

    fn get(&self, space: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(space, key)
    }

    fn reclaim(&self) -> Result<(), StoreError> {
        self.store.reclaim()
    }
}
