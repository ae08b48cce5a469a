//! The seam between the ledger and the disk: ordered keyspaces, atomic commits, snapshots.
//!
//! Everything the ledger keeps goes through [`Store`]. A [`WriteBatch`] is committed as a whole over
//! all keyspaces or not at all, also when the process is killed or the power fails; a [`Snapshot`]
//! shows one moment, whatever is committed meanwhile. The store knows bytes only: what a key or a
//! value means is written down by the modules that use it, and no other crate touches the disk.
//!
//! There are two implementations: [`FjallStore`], the engine of the product, and [`MemoryStore`],
//! which the simulator crashes and damages from a seed. Both pass one suite of tests. Why this
//! engine: `docs/decisions/0003-store.md`.
//!
//! **After a failed write a store is poisoned.** What reached the disk is then unknown, and a second
//! fsync may report success for data that the kernel has dropped. So every later commit is refused
//! with [`StoreError::Poisoned`], reads go on, and the way out is a restart: reopening finds the last
//! whole commit.
//!
//! Start reading at [`Store`].

mod batch;
mod error;
mod fjall;
mod fjall_journal;
mod fjall_reclaim;
mod memory;
mod scan;

pub use batch::{KEY_BYTES_MAX, VALUE_BYTES_MAX, WriteBatch};
pub use error::StoreError;
pub use fjall::{FjallOptions, FjallStore};
pub use memory::{Fault, FaultRates, MemoryStore};
pub use scan::{Order, Row, Scan};

/// The fixed list of ordered maps from bytes to bytes that a store holds.
///
/// The number of a keyspace is part of the format on disk: never change or reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Keyspace {
    /// A few rows about the store itself: format, genesis, tip.
    Meta = 0,
    /// The state of the contracts, apart from what lies in [`Keyspace::StateByTime`].
    State = 1,
    /// Header, certificate and transactions of each block, by height.
    Blocks = 2,
    /// Values that travel beside a block and may be erased later.
    Payloads = 3,
    /// Where a transaction stands, by its id.
    TransactionIndex = 4,
    /// What became of each transaction of a block.
    Receipts = 5,
    /// Nodes of the Merkle tree over all blocks.
    Accumulator = 6,
    /// Further lookups derived from the rest.
    Index = 7,
    /// The rows of the state whose keys come in the order of time.
    StateByTime = 8,
}

impl Keyspace {
    /// Every keyspace, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Meta,
        Self::State,
        Self::Blocks,
        Self::Payloads,
        Self::TransactionIndex,
        Self::Receipts,
        Self::Accumulator,
        Self::Index,
        Self::StateByTime,
    ];

    /// The name of the keyspace on disk and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::State => "state",
            Self::Blocks => "blocks",
            Self::Payloads => "payloads",
            Self::TransactionIndex => "transaction_index",
            Self::Receipts => "receipts",
            Self::Accumulator => "accumulator",
            Self::Index => "index",
            Self::StateByTime => "state_by_time",
        }
    }

    /// Position in [`Keyspace::ALL`] and in every array with one entry per keyspace.
    pub(crate) const fn position(self) -> usize {
        self as usize
    }
}

/// What a commit has reached when it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Handed to the operating system: survives a kill of the process. After a power loss any number
    /// of the latest commits since the last sync may be missing, each one wholly.
    Buffered,
    /// fdatasync has returned: survives a power loss, together with every earlier commit.
    Synced,
}

/// Ordered keyspaces on disk with atomic commits. One writer at a time is expected; readers are free.
pub trait Store: Send + Sync {
    /// The content at this moment. Later commits do not show in it.
    ///
    /// Keep it for one request, not for ever: it holds back the reclaiming of old rows.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the engine cannot be read.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// Writes the batch as a whole, over all keyspaces, after every commit that returned before.
    ///
    /// An empty batch with [`Durability::Synced`] is a [`Store::sync`].
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] or [`StoreError::Io`] when writing failed: the commit may or may not
    /// be there after a restart, never a part of it, and the store is poisoned from then on;
    /// [`StoreError::Poisoned`] when an earlier write failed.
    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError>;

    /// Makes every commit that returned before survive a power loss.
    ///
    /// # Errors
    /// As [`Store::commit`]; a failed sync poisons the store as well.
    fn sync(&self) -> Result<(), StoreError>;

    /// Bytes the store takes on disk now, files of the engine's own included.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the directory cannot be read.
    fn disk_bytes(&self) -> Result<u64, StoreError>;

    /// The newest value under a key, without the cost of a snapshot.
    ///
    /// # Errors
    /// As [`Snapshot::get`].
    fn get(&self, space: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.snapshot()?.get(space, key)
    }

    /// Gives back the room that rows of pruned blocks took before they were written again or deleted.
    /// May take long; commits and reads go on.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] or [`StoreError::Io`] when it cannot be done; every row is there as
    /// before.
    fn reclaim(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// One consistent moment of a [`Store`], over all keyspaces.
pub trait Snapshot: Send + Sync {
    /// The value under a key.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the stored bytes fail their checksum, [`StoreError::Io`] when
    /// they cannot be read.
    fn get(&self, space: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The rows of a range, in the order of the scan, at most as many as its limit.
    ///
    /// An empty or inverted range gives no rows.
    ///
    /// # Errors
    /// As [`Snapshot::get`].
    fn range(&self, space: Keyspace, scan: &Scan) -> Result<Vec<Row>, StoreError>;
}
