//! A ledger for a test: a file of its own with what the test puts into it.

use simbell_core::effect::Change;
use simbell_store::{Store, StoreOptions};
use tempfile::TempDir;

/// A ledger of its own, gone with the test.
pub(crate) struct Kept {
    pub(crate) store: Store,
    _dir: TempDir,
}

/// A new ledger with these changes committed.
pub(crate) fn ledger(changes: &[Change]) -> Kept {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&dir.path().join("ledger.db"), &StoreOptions::default()).unwrap();
    store.apply(changes).unwrap();
    Kept { store, _dir: dir }
}
