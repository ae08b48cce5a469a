//! The state as one block sees it: a snapshot of the store under the writes made so far.

use std::cell::RefCell;

use contracts::metering::day_of_slot_reading;
use contracts::state::{Entries, Writes, scan_merged};
use contracts::{Body, Event, Position, State};
use primitives::envelope::SignedTransaction;
use primitives::hash::{Hash, Hasher};

use crate::check::CheckedTransaction;
use crate::chunk::{Record, StoredTransaction};
use crate::error::LedgerError;
use crate::history::History;
use crate::layout::space_of_state;
use crate::private_store::{PayloadKey, PrivateStore};
use crate::state_cache::{CacheOfBlock, TakenSlots};
use crate::store::Scan;

/// A read-only or writable view of the state.
///
/// A failed read of the store cannot be told to a rule; it is remembered here and refuses the whole
/// block afterwards ([`BlockState::take_failure`]), so that absent and failed never look alike.
pub struct BlockState<'a> {
    history: History<'a>,
    /// The block being executed: history that is not in the store yet.
    height: u64,
    transactions: &'a [CheckedTransaction],
    writes: Writes,
    /// The newest state in memory, the writes so far included as long as it has room.
    cache: Option<CacheOfBlock<'a>>,
    /// Values that this node of a private ledger holds; never while a block is executed.
    private: Option<&'a dyn PrivateStore>,
    failure: RefCell<Option<LedgerError>>,
}

impl<'a> BlockState<'a> {
    /// The state under a block that is being executed.
    #[must_use]
    pub fn new(history: History<'a>, height: u64, transactions: &'a [CheckedTransaction]) -> Self {
        let failure = RefCell::new(None);
        let (cache, private) = (None, None);
        Self { history, height, transactions, writes: Writes::new(), cache, private, failure }
    }

    /// The same with the values that this node holds, for queries.
    #[must_use]
    pub(crate) fn showing(mut self, private: Option<&'a dyn PrivateStore>) -> Self {
        self.private = private;
        self
    }

    /// The same with the newest state in memory.
    #[must_use]
    pub(crate) fn cached(mut self, cache: CacheOfBlock<'a>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// The state of a snapshot, for queries.
    #[must_use]
    pub fn at_rest(history: History<'a>) -> Self {
        Self::new(history, u64::MAX, &[])
    }

    /// The writes and the cache, or the first failure of the store.
    ///
    /// # Errors
    /// The first read that failed.
    pub(crate) fn into_parts(self) -> Result<(Writes, Option<CacheOfBlock<'a>>), LedgerError> {
        self.take_failure()?;
        Ok((self.writes, self.cache))
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
        let value = self.found(self.history.snapshot.get(space_of_state(key), key))?;
        if let Some(cache) = &self.cache {
            cache.remember(key, value.as_deref());
        }
        value
    }

    /// The row of a single reading. Most are new: then the slots taken on that day answer, in place
    /// of the store.
    fn slot_reading(
        &self,
        cache: &CacheOfBlock<'_>,
        key: &[u8],
        day: &[u8],
        slot: u16,
    ) -> Option<Vec<u8>> {
        let taken = cache.taken_slots(day).unwrap_or_else(|| {
            let mut taken = TakenSlots::default();
            for (row, _) in self.scan(day, None, TakenSlots::MAX) {
                if let Some((_, slot)) = day_of_slot_reading(&row) {
                    taken.set(slot, true);
                }
            }
            cache.remember_day(day, taken);
            taken
        });
        taken.holds(slot).then(|| match self.writes.get(key) {
            Some(value) => value.clone(),
            None => self.found(self.history.snapshot.get(space_of_state(key), key))?,
        })?
    }

    /// Remembers what the block writes.
    fn remember(&self, key: &[u8], value: Option<&[u8]>) {
        let Some(cache) = &self.cache else { return };
        match day_of_slot_reading(key) {
            Some((day, slot)) => cache.remember_slot(day, slot, value.is_some()),
            None => cache.remember(key, value),
        }
    }

    fn record(&self, position: Position) -> Option<Record> {
        self.found(self.history.record(position)).flatten()
    }

    /// The values behind a transaction of a private ledger, as far as this node holds them.
    fn private_payload(&self, record: Record) -> Option<Vec<u8>> {
        let private = self.private?;
        let StoredTransaction::Whole(transaction) = record.transaction else { return None };
        let envelope = &transaction.envelope;
        let (usage_point, day) = Body::decode(envelope.kind, &envelope.body).ok()?.private_day()?;
        let key = PayloadKey { usage_point, day, transaction: transaction.id() };
        self.found(private.get(&key)).flatten()
    }

    /// What was read; a failure is remembered.
    fn found<T>(&self, read: Result<T, impl Into<LedgerError>>) -> Option<T> {
        read.map_err(|error| {
            self.failure.borrow_mut().get_or_insert(error.into());
        })
        .ok()
    }
}

impl State for BlockState<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        if let (Some(cache), Some((day, slot))) = (&self.cache, day_of_slot_reading(key)) {
            return self.slot_reading(cache, key, day, slot);
        }
        if let Some(known) = self.cache.as_ref().and_then(|cache| cache.get(key)) {
            return known;
        }
        match self.writes.get(key) {
            Some(value) => value.clone(),
            None => self.read_state(key),
        }
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.remember(&key, Some(&value));
        self.writes.insert(key, Some(value));
    }

    fn delete(&mut self, key: &[u8]) {
        self.remember(key, None);
        self.writes.insert(key.to_vec(), None);
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Entries {
        scan_merged(&self.writes, prefix, after, limit, &|after, limit| {
            let scan = Scan::prefix(prefix).limit(limit);
            let scan = match after {
                Some(after) => scan.behind(after),
                None => scan,
            };
            let rows = self.history.snapshot.range(space_of_state(prefix), &scan);
            self.found(rows).unwrap_or_default()
        })
    }

    fn payload(&self, position: Position) -> Option<Vec<u8>> {
        if let Some(checked) = self.in_block(position) {
            return Some(checked.submission().payload.to_vec());
        }
        let record = self.record(position)?;
        let payload = self.found(self.history.payload(position, &record))?;
        if payload.is_empty() { self.private_payload(record) } else { Some(payload) }
    }

    fn transaction(&self, position: Position) -> Option<SignedTransaction> {
        if let Some(checked) = self.in_block(position) {
            return Some(checked.submission().transaction.clone());
        }
        let kept = self.record(position)?.transaction;
        self.found(kept.whole(position.height))
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
