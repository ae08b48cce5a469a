//! The engine of the product: `fjall`, a log-structured merge tree in pure Rust.
//!
//! A data directory holds `lock` (held while the store is open) and `fjall/`. In there, a commit goes
//! as one checksummed record into a journal, which is synced when asked; background threads sort the
//! rows into table files, one tree per keyspace, and drop journals that are no longer needed.
//!
//! What this module adds to the engine: it creates the directory in one step, so that a crash in the
//! first second leaves nothing half made; it checks the journals before the engine replays them
//! ([`super::fjall_journal`]); and it waits for the background threads itself, because a commit
//! inside the engine would wait for ever for threads that have died of a full disk.
//!
//! Why this engine and with which settings: `docs/decisions/0003-store.md`.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use ::fjall::{
    AbstractTree, CompressionType, Database, Keyspace as Tree, KeyspaceCreateOptions, PersistMode,
    Readable,
    config::{CompressionPolicy, PartitioningPolicy, PinningPolicy},
};

use super::{
    Durability, Keyspace, Row, Scan, Snapshot, Store, StoreError, WriteBatch,
    batch::Operation,
    fjall_journal::{self, COMMIT_KEY, Commit},
};

const LOCK_FILE: &str = "lock";
pub(super) const ENGINE_DIRECTORY: &str = "fjall";
/// Where a new store is made before it gets its name.
const UNFINISHED_DIRECTORY: &str = "fjall.unfinished";
/// The tree that numbers the commits; apart from ours, so that no scan meets its one row.
const COMMITS: &str = "commits";

/// Rows of a keyspace held in memory before they are sorted into a table file; up to three such
/// buffers of a busy keyspace exist at once. Blocks, which make up most of a commit, get the most room;
/// the rows of single readings and of the index by id get enough that they do not lie in tables while
/// blocks still keep the journal which holds them too.
const MEMTABLE_BYTES: u64 = 8 << 20;
const LARGE_MEMTABLE_BYTES: u64 = 16 << 20;
const BLOCKS_MEMTABLE_BYTES: u64 = 24 << 20;
/// Journals kept before the engine flushes whatever holds the oldest one back. This much of the disk
/// is taken whatever the ledger's size, and this much at most is replayed when the store is opened.
const JOURNAL_BYTES_MAX: u64 = 128 << 20;
/// One thread to flush and two to compact: with one alone, a long compaction would stop the commits.
/// With two, the flushing one asks without a pause whether the other is done with compacting, and an
/// eighth of all processor time goes there.
const WORKER_THREADS: usize = 3;
/// Buffers waiting to be flushed, and unsorted table files, above which a commit waits. The engine
/// stops at 4 and 30 by itself, but there it would not notice that its threads have died.
const WAITING_BUFFERS_MAX: usize = 1;
const UNSORTED_TABLES_MAX: usize = 24;
pub(super) const WAIT: Duration = Duration::from_millis(1);

/// How a [`FjallStore`] uses the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FjallOptions {
    /// Bytes of table files kept in memory; 32 MiB unless told otherwise.
    pub cache_bytes: u64,
}

impl Default for FjallOptions {
    fn default() -> Self {
        Self { cache_bytes: 32 << 20 }
    }
}

/// A [`Store`] on disk; clones are handles to the same open directory.
#[derive(Clone)]
pub struct FjallStore {
    pub(super) open: Arc<OpenStore>,
}

/// Everything that lives as long as a handle or a snapshot does. The lock goes last.
pub(super) struct OpenStore {
    writer: Mutex<Writer>,
    pub(super) spaces: [Tree; Keyspace::ALL.len()],
    pub(super) commits: Tree,
    pub(super) database: Database,
    directory: PathBuf,
    pub(super) _lock: File,
}

/// What only the one commit at a time may touch.
pub(super) struct Writer {
    newest: Commit,
    poisoned: bool,
}

impl FjallStore {
    /// Does a handle, of this or another process, have the store of this directory open?
    #[must_use]
    pub fn is_held(directory: impl AsRef<Path>) -> bool {
        let file = File::open(directory.as_ref().join(LOCK_FILE));
        file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Opens the store in a directory, or makes an empty one there.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another handle or process has it open, [`StoreError::Corrupt`] when
    /// a file is damaged or missing, [`StoreError::DiskFull`] or [`StoreError::Io`] when the system
    /// refuses.
    pub fn open(directory: impl AsRef<Path>, options: FjallOptions) -> Result<Self, StoreError> {
        let directory = directory.as_ref();
        let lock = lock(directory)?;
        let engine = directory.join(ENGINE_DIRECTORY);
        if !engine.try_exists().map_err(opening)? {
            create(directory, options)?;
        }
        check_trees(&engine)?;
        let newest_in_journals = fjall_journal::recover(&engine)?;
        let database = open_engine(&engine, options)?;
        let tree = |name| existing_tree(&database, name);
        let commits = tree(COMMITS)?;
        let [meta, state, blocks, payloads, transactions, receipts, accumulator, index, by_time] =
            Keyspace::ALL.map(|space| tree(space.name()));
        let spaces = [
            meta?,
            state?,
            blocks?,
            payloads?,
            transactions?,
            receipts?,
            accumulator?,
            index?,
            by_time?,
        ];
        let newest = newest_commit(&commits, &spaces, newest_in_journals)?;
        let writer = Mutex::new(Writer { newest, poisoned: false });
        let directory = directory.to_path_buf();
        let open = OpenStore { writer, spaces, commits, database, directory, _lock: lock };
        Ok(Self { open: Arc::new(open) })
    }
}

impl Store for FjallStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let moment = self.open.database.snapshot();
        Ok(Box::new(FjallSnapshot { moment, open: Arc::clone(&self.open) }))
    }

    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError> {
        if batch.is_empty() {
            return match durability {
                Durability::Buffered => Ok(()),
                Durability::Synced => self.sync(),
            };
        }
        let operations = batch.into_operations();
        self.open.write(|open, newest| open.append(operations, durability, newest))
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.open.write(|open, newest| {
            open.database.persist(PersistMode::SyncData)?;
            newest.synced = newest.number;
            Ok(())
        })
    }

    fn disk_bytes(&self) -> Result<u64, StoreError> {
        bytes_below(&self.open.directory)
            .map_err(|source| StoreError::from_io("measuring the store", source))
    }

    fn get(&self, space: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        read(space, || Ok(self.open.tree(space).get(key)?.map(|value| value.to_vec())))
    }

    fn reclaim(&self) -> Result<(), StoreError> {
        self.open.reclaim()
    }
}

struct FjallSnapshot {
    moment: ::fjall::Snapshot,
    open: Arc<OpenStore>,
}

impl Snapshot for FjallSnapshot {
    fn get(&self, space: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        read(space, || Ok(self.moment.get(self.open.tree(space), key)?.map(|value| value.to_vec())))
    }

    fn range(&self, space: Keyspace, scan: &Scan) -> Result<Vec<Row>, StoreError> {
        let Some(bounds) = scan.bounds() else { return Ok(Vec::new()) };
        read(space, || {
            let rows = self.moment.range::<&[u8], _>(self.open.tree(space), bounds);
            scan.collect(rows, |row| {
                let (key, value) = row.into_inner()?;
                Ok(Some((key.to_vec(), value.to_vec())))
            })
        })
    }
}

impl OpenStore {
    pub(super) const fn tree(&self, space: Keyspace) -> &Tree {
        &self.spaces[space.position()]
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the one write of this moment; its failure is the last thing that happens to the disk.
    fn write(
        &self,
        write: impl FnOnce(&Self, &mut Commit) -> Result<(), ::fjall::Error>,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer();
        if writer.poisoned {
            return Err(StoreError::Poisoned);
        }
        let written = self.wait_for_room().and_then(|()| write(self, &mut writer.newest));
        written.map_err(|error| {
            writer.poisoned = true;
            let error = match error {
                ::fjall::Error::Poisoned => self.cause_of_background_failure(),
                other => from_engine("writing a commit", other),
            };
            tracing::error!(%error, "a write failed, the store takes no more until a restart");
            error
        })
    }

    fn append(
        &self,
        operations: Vec<Operation>,
        durability: Durability,
        newest: &mut Commit,
    ) -> Result<(), ::fjall::Error> {
        let mut commit = Commit { number: newest.number.saturating_add(1), ..*newest };
        let mode = match durability {
            Durability::Buffered => PersistMode::Buffer,
            Durability::Synced => PersistMode::SyncData,
        };
        let mut batch = self.database.batch().durability(Some(mode));
        batch.insert(&self.commits, COMMIT_KEY, commit.to_bytes());
        for Operation { space, key, value } in operations {
            match value {
                Some(value) => batch.insert(self.tree(space), key, value),
                None => batch.remove(self.tree(space), key),
            }
        }
        batch.commit()?;
        if durability == Durability::Synced {
            commit.synced = commit.number;
        }
        *newest = commit;
        Ok(())
    }

    /// Waits while the background threads are behind; fails when they have stopped.
    fn wait_for_room(&self) -> Result<(), ::fjall::Error> {
        let is_behind = |tree: &Tree| {
            tree.sealed_memtable_count() > WAITING_BUFFERS_MAX
                || tree.tree.l0_run_count() > UNSORTED_TABLES_MAX
        };
        while self.spaces.iter().any(is_behind) {
            // This writes nothing new; it tells whether a background thread has failed.
            self.database.persist(PersistMode::Buffer)?;
            thread::sleep(WAIT);
        }
        Ok(())
    }

    /// The engine only says that a background thread has failed; a full disk shows when tried.
    pub(super) fn cause_of_background_failure(&self) -> StoreError {
        const ACTION: &str = "sorting rows into table files";
        const PROBE_BYTES: usize = 1 << 20;
        let path = self.directory.join("probe");
        let probe = File::create(&path).and_then(|mut file| {
            file.write_all(&vec![0xa5; PROBE_BYTES])?;
            file.sync_all()
        });
        // The probe says what it has to say; a leftover of it is overwritten by the next one.
        drop(fs::remove_file(&path));
        let why = || io::Error::other("a background thread of the engine has failed");
        StoreError::from_io(ACTION, probe.err().unwrap_or_else(why))
    }
}

fn opening(source: io::Error) -> StoreError {
    StoreError::from_io("opening the store", source)
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    fs::create_dir_all(directory).map_err(opening)?;
    let path = directory.join(LOCK_FILE);
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).read(true).write(true).open(path);
    let file = file.map_err(opening)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::Locked { directory: directory.to_path_buf() })
        }
        Err(TryLockError::Error(source)) => Err(opening(source)),
    }
}

/// Makes an empty store beside its place and moves it there when it is complete.
fn create(directory: &Path, options: FjallOptions) -> Result<(), StoreError> {
    let unfinished = directory.join(UNFINISHED_DIRECTORY);
    if unfinished.try_exists().map_err(opening)? {
        fs::remove_dir_all(&unfinished).map_err(opening)?;
    }
    let database = open_engine(&unfinished, options)?;
    let make = |name, options| {
        database.keyspace(name, || options).map_err(|error| from_engine("making the store", error))
    };
    make(COMMITS, KeyspaceCreateOptions::default())?;
    for space in Keyspace::ALL {
        make(space.name(), tree_options(space))?;
    }
    drop(database);
    fs::rename(&unfinished, directory.join(ENGINE_DIRECTORY)).map_err(opening)?;
    sync_directory(directory).map_err(opening)
}

/// These settings are kept by the engine when a keyspace is made; later changes touch new stores only.
fn tree_options(space: Keyspace) -> KeyspaceCreateOptions {
    let memtable_bytes = match space {
        Keyspace::Blocks => BLOCKS_MEMTABLE_BYTES,
        Keyspace::StateByTime | Keyspace::TransactionIndex => LARGE_MEMTABLE_BYTES,
        _ => MEMTABLE_BYTES,
    };
    // Filters and indexes in pages, of which the cache keeps those in use. As one piece per table,
    // which is the engine's own choice, they take megabytes each: with ten million rows they pushed
    // each other out of the cache, and a read took a hundred times as long.
    let options = KeyspaceCreateOptions::default()
        .max_memtable_size(memtable_bytes)
        .filter_block_partitioning_policy(PartitioningPolicy::all(true))
        .filter_block_pinning_policy(PinningPolicy::all(true))
        .index_block_partitioning_policy(PartitioningPolicy::all(true))
        .index_block_pinning_policy(PinningPolicy::all(true));
    match space {
        // Random keys and short values: nothing to compress, and asked for keys that are not there.
        Keyspace::TransactionIndex => {
            options.data_block_compression_policy(CompressionPolicy::disabled())
        }
        // Rows come in order of their keys, so tables move down the tree unchanged: they must be
        // compressed at the top already. Who asks for such a row knows that it is there.
        Keyspace::Blocks
        | Keyspace::Payloads
        | Keyspace::Receipts
        | Keyspace::Accumulator
        | Keyspace::StateByTime => options
            .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
            .expect_point_read_hits(true),
        Keyspace::Meta | Keyspace::State | Keyspace::Index => {
            options.data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
        }
    }
}

/// Refuses a tree without its root: the engine would take it for one never finished and remove it.
fn check_trees(engine: &Path) -> Result<(), StoreError> {
    const ROOT: &str = "current";
    for entry in fs::read_dir(engine.join("keyspaces")).map_err(opening)? {
        let root = entry.map_err(opening)?.path().join(ROOT);
        if !root.try_exists().map_err(opening)? {
            return Err(StoreError::Corrupt { what: format!("{} is missing", root.display()) });
        }
    }
    Ok(())
}

fn open_engine(path: &Path, options: FjallOptions) -> Result<Database, StoreError> {
    const ACTION: &str = "opening the store";
    // The engine meets some kinds of damage with a panic.
    let opened = catch_unwind(|| {
        Database::builder(path)
            .cache_size(options.cache_bytes)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .worker_threads(WORKER_THREADS)
            .open()
    });
    match opened {
        Ok(opened) => opened.map_err(|error| from_engine(ACTION, error)),
        Err(_) => {
            Err(StoreError::Corrupt { what: format!("{} cannot be decoded", path.display()) })
        }
    }
}

fn existing_tree(database: &Database, name: &str) -> Result<Tree, StoreError> {
    if !database.keyspace_exists(name) {
        return Err(StoreError::Corrupt { what: format!("the keyspace {name} is missing") });
    }
    database
        .keyspace(name, KeyspaceCreateOptions::default)
        .map_err(|error| from_engine("opening the store", error))
}

/// The last commit, after a check that no table file knows of a later one.
///
/// A table may only hold rows that the journal held before. If one is newer than the newest numbered
/// commit, the end of the journal is lost, and keyspaces would show different moments.
fn newest_commit(
    commits: &Tree,
    spaces: &[Tree],
    in_journals: Option<Commit>,
) -> Result<Commit, StoreError> {
    let row = commits.get(COMMIT_KEY).map_err(|error| from_engine("opening the store", error))?;
    let newest = match row {
        None => Commit::default(),
        Some(bytes) => Commit::from_bytes(&bytes).ok_or_else(|| StoreError::Corrupt {
            what: "the number of the last commit does not decode".to_owned(),
        })?,
    };
    if in_journals.is_some_and(|commit| commit.number != newest.number) {
        let what = format!("the journal does not end with commit {}", newest.number);
        return Err(StoreError::Corrupt { what });
    }
    let numbered = commits.tree.get_highest_seqno();
    for tree in spaces {
        if tree.tree.get_highest_seqno() > numbered {
            let what = format!(
                "the journal ends with commit {}, but the tables of {} hold later rows",
                newest.number,
                tree.name()
            );
            return Err(StoreError::Corrupt { what });
        }
    }
    // Whatever is found at the start is on the disk: the engine has synced the journal it replayed.
    Ok(Commit { synced: newest.number, ..newest })
}

/// Runs a read of the engine, which meets some kinds of damage with a panic.
fn read<T>(
    space: Keyspace,
    read: impl FnOnce() -> Result<T, ::fjall::Error>,
) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(found) => found.map_err(|error| match from_engine("reading the store", error) {
            StoreError::Corrupt { what } => {
                StoreError::Corrupt { what: format!("keyspace {}: {what}", space.name()) }
            }
            other => other,
        }),
        Err(_) => {
            let what = format!("keyspace {}: a table file cannot be decoded", space.name());
            Err(StoreError::Corrupt { what })
        }
    }
}

pub(super) fn from_engine(action: &'static str, error: ::fjall::Error) -> StoreError {
    match error {
        ::fjall::Error::Io(source) | ::fjall::Error::Storage(::fjall::LsmError::Io(source)) => {
            match source.kind() {
                // A file of the engine that is too short or not there at all.
                io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound => {
                    StoreError::Corrupt { what: source.to_string() }
                }
                _ => StoreError::from_io(action, source),
            }
        }
        ::fjall::Error::Poisoned => StoreError::Poisoned,
        ::fjall::Error::Locked => {
            StoreError::from_io(action, io::Error::other("the engine's own lock is held"))
        }
        damaged => StoreError::Corrupt { what: damaged.to_string() },
    }
}

/// Space on the disk, not length: journals are made long and filled later.
pub(super) fn bytes_below(path: &Path) -> io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let size = match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => Ok(bytes_of(&metadata)),
            Err(error) => Err(error),
        };
        match size {
            Ok(size) => bytes = bytes.saturating_add(size),
            // The engine removes files while we count.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

#[cfg(unix)]
fn bytes_of(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    const SECTOR_BYTES: u64 = 512;
    metadata.blocks().saturating_mul(SECTOR_BYTES)
}

#[cfg(not(unix))]
fn bytes_of(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

/// Makes a rename in the directory survive a power loss.
#[cfg(unix)]
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Other systems do not let a directory be opened for this.
#[cfg(not(unix))]
pub(super) fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}
