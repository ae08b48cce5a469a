//! A store in memory that fails and crashes from a seed: what the simulator runs on.
//!
//! Without faults it behaves as a disk may behave at its best. [`MemoryStore::crash`] shows what a
//! restart would find: everything up to the last sync, and of the later commits as many as the seed
//! says, oldest first, each one whole. That much every engine may do to us; a [`Fault::TornCommit`]
//! goes beyond it and leaves a part of a commit, so that a test can prove that the ledger notices.
//!
//! Rows are kept in versions, one per commit, as long as an open snapshot or the last sync can still
//! see them; so snapshots and crashes copy nothing while the store runs.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    Durability, Keyspace, Row, Scan, Snapshot, Store, StoreError, WriteBatch, batch::Operation,
};

/// Number of a commit; 0 is the content the store began with.
type Version = u64;
type History = Vec<(Version, Option<Arc<[u8]>>)>;

/// A failure that a test plants for the next occasion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next commit or sync fails; the commit may still be found after the crash.
    FailedWrite,
    /// The same, as a full disk.
    FullDisk,
    /// The next read fails; the one after it works again.
    FailedRead,
    /// The next crash leaves a part of a commit that was not yet synced, if there is one.
    TornCommit,
}

/// How often faults happen by themselves, in parts per million of the occasions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// Commits and syncs that fail.
    pub failed_writes: u32,
    /// Reads that fail.
    pub failed_reads: u32,
    /// Crashes that leave a part of a commit.
    pub torn_commits: u32,
}

/// An in-memory [`Store`]; clones are handles to the same content.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    content: RwLock<Content>,
    random: Random,
    rates: FaultRates,
}

#[derive(Debug, Default)]
struct Content {
    spaces: [BTreeMap<Vec<u8>, History>; Keyspace::ALL.len()],
    /// The newest commit that readers see.
    version: Version,
    /// The newest commit that a crash cannot take away.
    synced: Version,
    /// Open snapshots: version → how many.
    pins: BTreeMap<Version, usize>,
    /// Rows with more than one version, to be trimmed when nobody needs the old ones any more.
    crowded: Vec<(Keyspace, Vec<u8>)>,
    /// The commit that failed: on the disk or not, nobody knows before the restart.
    in_doubt: Option<Vec<Operation>>,
    planted: Vec<Fault>,
    poisoned: bool,
    crashed: bool,
    bytes: u64,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store that never fails by itself.
    #[must_use]
    pub fn new() -> Self {
        Self::seeded(0, FaultRates::default())
    }

    /// An empty store whose faults and crashes follow from the seed.
    #[must_use]
    pub fn seeded(seed: u64, rates: FaultRates) -> Self {
        Self::with(Content::default(), Random::new(seed), rates)
    }

    fn with(content: Content, random: Random, rates: FaultRates) -> Self {
        Self { shared: Arc::new(Shared { content: RwLock::new(content), random, rates }) }
    }

    /// Lets a failure happen at the next occasion for it.
    pub fn plant(&self, fault: Fault) {
        self.shared.write().planted.push(fault);
    }

    /// What a restart after a power loss at this moment finds.
    ///
    /// The crashed store and its clones answer every further call with [`StoreError::Io`], as a dead
    /// process would write nothing any more.
    #[must_use]
    pub fn crash(&self) -> Self {
        let shared = &self.shared;
        let mut content = shared.write();
        content.crashed = true;
        let lost = content.version.saturating_sub(content.synced);
        let survivor = content.synced.saturating_add(shared.random.up_to(lost));
        let mut found = content.as_of(survivor);
        let torn = content.take(Fault::TornCommit) || shared.random.hits(shared.rates.torn_commits);
        // The first commit that did not survive whole: the next one, or the one that failed.
        if survivor < content.version {
            if torn {
                let written = content.operations_of(survivor.saturating_add(1));
                found.load(shared.random.part_of(written));
            }
        } else if let Some(written) = content.in_doubt.take() {
            if torn {
                found.load(shared.random.part_of(written));
            } else if shared.random.up_to(1) == 1 {
                found.load(written);
            }
        }
        Self::with(found, Random::new(shared.random.next()), shared.rates)
    }
}

impl Store for MemoryStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let mut content = self.shared.write();
        content.alive("opening a snapshot")?;
        let version = content.version;
        let pins = content.pins.entry(version).or_default();
        *pins = pins.saturating_add(1);
        Ok(Box::new(MemorySnapshot { shared: Arc::clone(&self.shared), version }))
    }

    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError> {
        let mut content = self.shared.write();
        let operations = batch.into_operations();
        if let Err(error) = self.shared.may_write(&mut content) {
            if content.poisoned && !matches!(error, StoreError::Poisoned) {
                content.in_doubt = Some(operations);
            }
            return Err(error);
        }
        content.apply(operations);
        if durability == Durability::Synced {
            content.synced = content.version;
        }
        content.trim();
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut content = self.shared.write();
        self.shared.may_write(&mut content)?;
        content.synced = content.version;
        content.trim();
        Ok(())
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.shared.read().bytes)
    }

    fn get(&self, space: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let content = self.shared.may_read()?;
        Ok(content.value(space, key, content.version))
    }
}

struct MemorySnapshot {
    shared: Arc<Shared>,
    version: Version,
}

impl Snapshot for MemorySnapshot {
    fn get(&self, space: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.shared.may_read()?.value(space, key, self.version))
    }

    fn range(&self, space: Keyspace, scan: &Scan) -> Result<Vec<Row>, StoreError> {
        let content = self.shared.may_read()?;
        let Some(bounds) = scan.bounds() else { return Ok(Vec::new()) };
        let rows = content.spaces[space.position()].range::<[u8], _>(bounds);
        scan.collect(rows, |(key, history)| {
            Ok(value_at(history, self.version).map(|value| (key.clone(), value.to_vec())))
        })
    }
}

impl Drop for MemorySnapshot {
    fn drop(&mut self) {
        let mut content = self.shared.write();
        if let Some(pins) = content.pins.get_mut(&self.version) {
            *pins = pins.saturating_sub(1);
            if *pins == 0 {
                content.pins.remove(&self.version);
            }
        }
    }
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_read(&self) -> Result<RwLockReadGuard<'_, Content>, StoreError> {
        let planted = self.read().planted.contains(&Fault::FailedRead);
        let failed = planted && self.write().take(Fault::FailedRead);
        if failed || self.random.hits(self.rates.failed_reads) {
            return Err(broken("reading the store", "planted read failure"));
        }
        let content = self.read();
        content.alive("reading the store")?;
        Ok(content)
    }

    fn may_write(&self, content: &mut Content) -> Result<(), StoreError> {
        const ACTION: &str = "writing a commit";
        content.alive(ACTION)?;
        if content.poisoned {
            return Err(StoreError::Poisoned);
        }
        let error = if content.take(Fault::FullDisk) {
            StoreError::from_io(ACTION, io::Error::from(io::ErrorKind::StorageFull))
        } else if content.take(Fault::FailedWrite) || self.random.hits(self.rates.failed_writes) {
            broken(ACTION, "planted write failure")
        } else {
            return Ok(());
        };
        content.poisoned = true;
        Err(error)
    }
}

impl Content {
    fn alive(&self, action: &'static str) -> Result<(), StoreError> {
        if self.crashed { Err(broken(action, "the store has crashed")) } else { Ok(()) }
    }

    fn take(&mut self, fault: Fault) -> bool {
        let place = self.planted.iter().position(|planted| *planted == fault);
        place.map(|place| self.planted.remove(place)).is_some()
    }

    fn value(&self, space: Keyspace, key: &[u8], version: Version) -> Option<Vec<u8>> {
        value_at(self.spaces[space.position()].get(key)?, version).map(|value| value.to_vec())
    }

    /// Adds a commit as the next version.
    fn apply(&mut self, operations: Vec<Operation>) {
        self.version = self.version.saturating_add(1);
        for Operation { space, key, value } in operations {
            let history = self.spaces[space.position()].entry(key.clone()).or_default();
            let old = history.last().and_then(|(_, value)| value.as_ref());
            self.bytes = self.bytes.saturating_sub(row_bytes(&key, old));
            let value = value.map(Arc::from);
            self.bytes = self.bytes.saturating_add(row_bytes(&key, value.as_ref()));
            history.push((self.version, value));
            self.crowded.push((space, key));
        }
    }

    /// Forgets the versions that neither a snapshot nor a crash can still ask for.
    fn trim(&mut self) {
        let oldest_pin = self.pins.first_key_value().map_or(self.version, |(version, _)| *version);
        let oldest = oldest_pin.min(self.synced);
        if oldest < self.version {
            return;
        }
        for (space, key) in std::mem::take(&mut self.crowded) {
            let rows = &mut self.spaces[space.position()];
            let Some(history) = rows.get_mut(&key) else { continue };
            let last = history.pop().and_then(|(version, value)| Some((version, value?)));
            match last {
                None => drop(rows.remove(&key)),
                Some((version, value)) => *history = vec![(version, Some(value))],
            }
        }
    }

    /// The content right after a commit, as a store of its own.
    fn as_of(&self, version: Version) -> Self {
        let mut found = Self::default();
        for space in Keyspace::ALL {
            for (key, history) in &self.spaces[space.position()] {
                if let Some(value) = value_at(history, version) {
                    let key = key.clone();
                    let bytes = row_bytes(&key, Some(value));
                    found.bytes = found.bytes.saturating_add(bytes);
                    found.spaces[space.position()].insert(key, vec![(0, Some(Arc::clone(value)))]);
                }
            }
        }
        found
    }

    /// The writes of one commit, which must not be synced yet.
    fn operations_of(&self, version: Version) -> Vec<Operation> {
        let mut operations = Vec::new();
        for space in Keyspace::ALL {
            for (key, history) in &self.spaces[space.position()] {
                let written = history.iter().find(|(written, _)| *written == version);
                operations.extend(written.map(|(_, value)| Operation {
                    space,
                    key: key.clone(),
                    value: value.as_deref().map(<[u8]>::to_vec),
                }));
            }
        }
        operations
    }

    /// Writes that were found on the disk at the restart.
    fn load(&mut self, operations: Vec<Operation>) {
        self.apply(operations);
        self.synced = self.version;
        self.trim();
    }
}

fn value_at(history: &History, version: Version) -> Option<&Arc<[u8]>> {
    history.iter().rfind(|(written, _)| *written <= version).and_then(|(_, value)| value.as_ref())
}

fn row_bytes(key: &[u8], value: Option<&Arc<[u8]>>) -> u64 {
    value.map_or(0, |value| (key.len() as u64).saturating_add(value.len() as u64))
}

fn broken(action: &'static str, why: &'static str) -> StoreError {
    StoreError::from_io(action, io::Error::other(why))
}

/// SplitMix64 (Steele, Lea, Flood 2014): the stream follows from the seed alone, on every machine.
#[derive(Debug)]
struct Random(AtomicU64);

impl Random {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        let mut mixed = self.0.fetch_add(Self::STEP, Relaxed).wrapping_add(Self::STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `most`, both included; the bias of the remainder does not matter here.
    fn up_to(&self, most: u64) -> u64 {
        most.checked_add(1).map_or_else(|| self.next(), |choices| self.next() % choices)
    }

    fn hits(&self, per_million: u32) -> bool {
        per_million > 0 && self.up_to(999_999) < u64::from(per_million)
    }

    /// The first rows of a commit, never all of them.
    fn part_of(&self, mut operations: Vec<Operation>) -> Vec<Operation> {
        let most = operations.len().saturating_sub(1);
        let kept = self.up_to(most as u64);
        operations.truncate(usize::try_from(kept).unwrap_or(most));
        operations
    }
}
