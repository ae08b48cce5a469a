//! The state as one block sees it: a snapshot of the store under the writes made so far.

use std::cell::RefCell;

use contracts::state::{Entries, Writes, scan_merged};
use contracts::{Event, Position, State};
use primitives::envelope::SignedTransaction;
use primitives::hash::{Hash, Hasher};

use crate::check::CheckedTransaction;
use crate::error::LedgerError;
use crate::layout;
use crate::state_cache::StateCache;
use crate::store::{Keyspace, Scan, Snapshot};

/// A read-only or writable view of the state.
///
/// A failed read of the store cannot be told to a rule; it is remembered here and refuses the whole
/// block afterwards ([`BlockState::into_writes`]), so that absent and failed never look alike.
pub struct BlockState<'a> {
    snapshot: &'a dyn Snapshot,
    /// The block being executed: history that is not in the store yet.
    height: u64,
    transactions: &'a [CheckedTransaction],
    writes: Writes,
    /// The newest state in memory, and the height that it must be of.
    cache: Option<(&'a StateCache, u64)>,
    failure: RefCell<Option<LedgerError>>,
}

impl<'a> BlockState<'a> {
    /// The state under a block that is being executed.
    #[must_use]
    pub fn new(
        snapshot: &'a dyn Snapshot,
        height: u64,
        transactions: &'a [CheckedTransaction],
    ) -> Self {
        let failure = RefCell::new(None);
        Self { snapshot, height, transactions, writes: Writes::new(), cache: None, failure }
    }

    /// The same with the newest state in memory, which must be that of `parent`.
    #[must_use]
    pub(crate) fn cached(mut self, cache: &'a StateCache, parent: u64) -> Self {
        self.cache = Some((cache, parent));
        self
    }

    /// The state of a snapshot, for queries.
    #[must_use]
    pub fn at_rest(snapshot: &'a dyn Snapshot) -> Self {
        Self::new(snapshot, u64::MAX, &[])
    }

    /// The writes, or the first failure of the store.
    ///
    /// # Errors
    /// The first read that failed.
    pub fn into_writes(self) -> Result<Writes, LedgerError> {
        match self.failure.into_inner() {
            Some(failure) => Err(failure),
            None => Ok(self.writes),
        }
    }

    /// The first read that failed, once.
    ///
    /// # Errors
    /// That failure.
    pub fn take_failure(&self) -> Result<(), LedgerError> {
        self.failure.borrow_mut().take().map_or(Ok(()), Err)
    }

    fn in_block(&self, position: Position) -> Option<&CheckedTransaction> {
        (position.height == self.height)
            .then(|| self.transactions.get(position.index as usize))
            .flatten()
    }

    fn read_state(&self, key: &[u8]) -> Option<Vec<u8>> {
        let Some((cache, parent)) = self.cache else { return self.read(Keyspace::State, key) };
        if let Some(known) = cache.get(parent, key) {
            return known;
        }
        match self.snapshot.get(Keyspace::State, key) {
            Ok(value) => {
                cache.remember(parent, key, value.clone());
                value
            }
            Err(error) => {
                self.remember(error.into());
                None
            }
        }
    }

    fn read(&self, space: Keyspace, key: &[u8]) -> Option<Vec<u8>> {
        match self.snapshot.get(space, key) {
            Ok(value) => value,
            Err(error) => {
                self.remember(error.into());
                None
            }
        }
    }

    fn remember(&self, error: LedgerError) {
        self.failure.borrow_mut().get_or_insert(error);
    }
}

impl State for BlockState<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        match self.writes.get(key) {
            Some(value) => value.clone(),
            None => self.read_state(key),
        }
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.insert(key, Some(value));
    }

    fn delete(&mut self, key: &[u8]) {
        self.writes.insert(key.to_vec(), None);
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Entries {
        scan_merged(&self.writes, prefix, after, limit, &|after, limit| {
            let scan = Scan::prefix(prefix).limit(limit);
            let scan = match after {
                Some(after) => scan.behind(after),
                None => scan,
            };
            self.snapshot.range(Keyspace::State, &scan).unwrap_or_else(|error| {
                self.remember(error.into());
                Vec::new()
            })
        })
    }

    fn payload(&self, position: Position) -> Option<Vec<u8>> {
        match self.in_block(position) {
            Some(checked) => Some(checked.submission().payload.to_vec()),
            None => self.read(Keyspace::Payloads, &layout::at(position)),
        }
    }

    fn transaction(&self, position: Position) -> Option<SignedTransaction> {
        if let Some(checked) = self.in_block(position) {
            return Some(checked.submission().transaction.clone());
        }
        let bytes = self.read(Keyspace::Blocks, &layout::at(position))?;
        match layout::row(&bytes, "transaction") {
            Ok(transaction) => Some(transaction),
            Err(error) => {
                self.remember(error);
                None
            }
        }
    }

    fn emit(&mut self, _event: Event) {
        unreachable!("events are collected by the overlay of each transaction");
    }
}

/// The hash of a block's sorted writes: key, whether it is written or removed, value.
#[must_use]
pub fn writes_hash(writes: &Writes) -> Hash {
    let mut hasher = Hasher::with_domain("gridtally/writes/v1");
    for (key, value) in writes {
        hasher.update(&(key.len() as u32).to_le_bytes());
        hasher.update(key);
        match value {
            Some(value) => {
                hasher.update(&[1]);
                hasher.update(&(value.len() as u32).to_le_bytes());
                hasher.update(value);
            }
            None => hasher.update(&[0]),
        }
    }
    hasher.finish()
}
