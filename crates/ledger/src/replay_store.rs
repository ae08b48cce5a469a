//! The store under a replay: state of its own above the history of the ledger that is replayed.
//!
//! What is replayed is there already, byte by byte, and its hashes are compared on the way; writing it
//! a second time would prove nothing and cost more than the execution. So transactions, receipts and
//! their index stay where they are, and the target holds only what follows from them.

use std::sync::Arc;

use crate::store::{Durability, Keyspace, Row, Scan, Snapshot, Store, StoreError, WriteBatch};

/// Reads history from one store and keeps everything else in another.
pub struct ReplayStore {
    history: Arc<dyn Snapshot>,
    target: Arc<dyn Store>,
}

impl ReplayStore {
    pub fn new(history: Arc<dyn Snapshot>, target: Arc<dyn Store>) -> Self {
        Self { history, target }
    }
}

/// Does the replayed ledger answer for this keyspace?
///
/// What followed from execution there must not: state, the head, sets of validators.
const fn is_history(space: Keyspace) -> bool {
    match space {
        Keyspace::Meta | Keyspace::State | Keyspace::StateByTime | Keyspace::Index => false,
        Keyspace::Blocks
        | Keyspace::Payloads
        | Keyspace::TransactionIndex
        | Keyspace::Receipts
        | Keyspace::Accumulator => true,
    }
}

impl Store for ReplayStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let history = Arc::clone(&self.history);
        Ok(Box::new(ReplaySnapshot { history, target: self.target.snapshot()? }))
    }

    fn commit(&self, mut batch: WriteBatch, durability: Durability) -> Result<(), StoreError> {
        batch.keep(|space| !is_history(space));
        self.target.commit(batch, durability)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.target.sync()
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        self.target.disk_bytes()
    }
}

struct ReplaySnapshot {
    history: Arc<dyn Snapshot>,
    target: Box<dyn Snapshot>,
}

impl ReplaySnapshot {
    fn of(&self, space: Keyspace) -> &dyn Snapshot {
        if is_history(space) { &*self.history } else { &*self.target }
    }
}

impl Snapshot for ReplaySnapshot {
    fn get(&self, space: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.of(space).get(space, key)
    }

    fn range(&self, space: Keyspace, scan: &Scan) -> Result<Vec<Row>, StoreError> {
        self.of(space).range(space, scan)
    }
}
