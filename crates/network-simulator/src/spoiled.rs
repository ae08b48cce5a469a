//! A store that gives one node other balances than it wrote: the planted divergence of execution.

use ledger::store::{
    Durability, Keyspace, MemoryStore, Row, Scan, Snapshot, Store, StoreError, WriteBatch,
};

/// How the keys of balances begin, by `docs/format.md`.
const BALANCES: u8 = b'a';

/// Answers for balances are off by one.
pub struct SpoiledStore(pub MemoryStore);

impl Store for SpoiledStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(SpoiledSnapshot(self.0.snapshot()?)))
    }

    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError> {
        self.0.commit(batch, durability)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.0.sync()
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        self.0.disk_bytes()
    }
}

struct SpoiledSnapshot(Box<dyn Snapshot>);

impl Snapshot for SpoiledSnapshot {
    fn get(&self, space: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut found = self.0.get(space, key)?;
        if space == Keyspace::State
            && key.first() == Some(&BALANCES)
            && let Some(lowest) = found.as_mut().and_then(|value| value.first_mut())
        {
            *lowest ^= 1;
        }
        Ok(found)
    }

    fn range(&self, space: Keyspace, scan: &Scan) -> Result<Vec<Row>, StoreError> {
        self.0.range(space, scan)
    }
}
