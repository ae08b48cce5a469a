//! The store on disk: the shared suite, and what only a real directory can show.

use std::sync::Arc;

use ledger::store::{FjallOptions, FjallStore, Store, StoreError};
use tempfile::TempDir;

use crate::store_suite::{Engine, store_suite};

struct Fjall {
    store: FjallStore,
    directory: TempDir,
}

impl Engine for Fjall {
    fn fresh() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = FjallStore::open(directory.path(), FjallOptions::default()).expect("opens");
        Self { store, directory }
    }

    fn store(&self) -> &dyn Store {
        &self.store
    }

    fn reopen(self) -> Self {
        let Self { store, directory } = self;
        drop(store);
        let store = FjallStore::open(directory.path(), FjallOptions::default()).expect("reopens");
        Self { store, directory }
    }
}

store_suite!(Fjall);

#[test]
fn a_directory_in_use_is_refused_by_name_and_free_after_the_last_handle() {
    let Fjall { store, directory } = Fjall::fresh();
    let open = || FjallStore::open(directory.path(), FjallOptions::default());
    let refused = open().map(|_| ()).expect_err("it is open");
    assert!(
        matches!(&refused, StoreError::Locked { directory: named } if named == directory.path())
    );
    let snapshot = Arc::new(store).snapshot().expect("reads");
    assert!(matches!(open(), Err(StoreError::Locked { .. })), "a snapshot holds it too");
    drop(snapshot);
    open().map(|_| ()).expect("nobody holds it any more");
}
