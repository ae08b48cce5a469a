//! Private payloads in memory, for the simulator and for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use primitives::identifier::UsagePointId;

use super::{PayloadKey, PrivateStore};
use crate::store::StoreError;

/// Private payloads in memory. Copies are the same store, so that it outlives its node.
#[derive(Debug, Clone, Default)]
pub struct PrivateMemory(Arc<Mutex<BTreeMap<PayloadKey, Vec<u8>>>>);

impl PrivateMemory {
    fn held(&self) -> MutexGuard<'_, BTreeMap<PayloadKey, Vec<u8>>> {
        self.0.lock().expect("nothing panics while it holds the payloads")
    }
}

impl PrivateStore for PrivateMemory {
    fn put(&self, key: &PayloadKey, payload: &[u8]) -> Result<(), StoreError> {
        self.held().insert(*key, payload.to_vec());
        Ok(())
    }

    fn get(&self, key: &PayloadKey) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.held().get(key).cloned())
    }

    fn remove(&self, key: &PayloadKey) -> Result<(), StoreError> {
        self.held().remove(key);
        Ok(())
    }

    fn keys_of(&self, usage_point: UsagePointId) -> Result<Vec<PayloadKey>, StoreError> {
        Ok(self.held().keys().filter(|key| key.usage_point == usage_point).copied().collect())
    }

    fn usage_points(&self) -> Result<Vec<UsagePointId>, StoreError> {
        let points: BTreeSet<_> = self.held().keys().map(|key| key.usage_point).collect();
        Ok(points.into_iter().collect())
    }
}
