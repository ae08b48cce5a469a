//! Where a node of a private ledger keeps the values that it may hold.
//!
//! Apart from the ledger: nothing here takes part in execution, in the state root or in what nodes send
//! each other as blocks. A payload stands under the transaction that commits to it. Erasing is removing a
//! file: a store that only ever appends would go on holding what it was told to forget.
//!
//! There are two implementations: [`PrivateFiles`], the product's, and [`PrivateMemory`] for the
//! simulator and for tests.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalDay;
use primitives::identifier::{TransactionId, UsagePointId};

use crate::store::StoreError;

mod files;
mod memory;

pub use files::PrivateFiles;
pub use memory::PrivateMemory;

/// Which values: those of a usage point's day, behind one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct PayloadKey {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The local day.
    pub day: LocalDay,
    /// The transaction that commits to them.
    pub transaction: TransactionId,
}

/// Private payloads on disk. Every change is durable when it returns.
pub trait PrivateStore: Send + Sync {
    /// Keeps a payload.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] or [`StoreError::Io`].
    fn put(&self, key: &PayloadKey, payload: &[u8]) -> Result<(), StoreError>;

    /// The payload under a key; `None` when it is not held.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn get(&self, key: &PayloadKey) -> Result<Option<Vec<u8>>, StoreError>;

    /// Erases a payload; one that is not held is no error.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn remove(&self, key: &PayloadKey) -> Result<(), StoreError>;

    /// What is held of a usage point, in the order of the keys.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn keys_of(&self, usage_point: UsagePointId) -> Result<Vec<PayloadKey>, StoreError>;

    /// The usage points of which something is held, in order.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn usage_points(&self) -> Result<Vec<UsagePointId>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(point: u8, day: i32, transaction: u8) -> PayloadKey {
        PayloadKey {
            usage_point: UsagePointId::new([point; 16]),
            day: LocalDay::new(day).unwrap(),
            transaction: TransactionId::new([transaction; 32]),
        }
    }

    /// What both implementations promise.
    fn keeps_and_forgets(store: &dyn PrivateStore) {
        assert_eq!(store.usage_points().unwrap(), []);
        let keys = [key(1, 20_000, 1), key(1, 20_000, 2), key(1, 20_001, 1), key(2, -1, 1)];
        for (number, key) in (1_u8..).zip(&keys) {
            store.put(key, &[number]).unwrap();
        }
        store.put(&keys[1], b"anew").unwrap();
        assert_eq!(store.get(&keys[1]).unwrap().as_deref(), Some(&b"anew"[..]));
        assert_eq!(store.get(&key(1, 20_000, 3)).unwrap(), None);
        let points = [keys[0].usage_point, keys[3].usage_point];
        assert_eq!(store.usage_points().unwrap(), points);
        assert_eq!(store.keys_of(points[0]).unwrap(), keys[..3]);
        store.remove(&keys[0]).unwrap();
        store.remove(&keys[0]).unwrap();
        store.remove(&keys[3]).unwrap();
        assert_eq!(store.get(&keys[0]).unwrap(), None);
        assert_eq!(store.keys_of(points[0]).unwrap(), keys[1..3]);
        assert_eq!(store.usage_points().unwrap(), points[..1]);
        assert_eq!(store.keys_of(points[1]).unwrap(), []);
    }

    #[test]
    fn both_stores_keep_and_forget() {
        keeps_and_forgets(&PrivateMemory::default());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("private");
        keeps_and_forgets(&PrivateFiles::open(&path).unwrap());
        let left = [key(1, 20_000, 2), key(1, 20_001, 1)];
        // What a crash left half written is gone with the next start, and what is whole stays.
        let folder = path.join(left[0].usage_point.to_string());
        std::fs::write(folder.join(".2024-10-04-0101.part"), b"half a day").unwrap();
        let again = PrivateFiles::open(&path).unwrap();
        assert_eq!(again.keys_of(left[0].usage_point).unwrap(), left);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
    }
}
