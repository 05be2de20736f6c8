//! A ledger for a test: a file of its own with what the test puts into it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use simbell_core::effect::Change;
use simbell_store::{Store, StoreOptions};

/// A ledger of its own, gone with the test.
pub(crate) struct Kept {
    dir: PathBuf,
    pub(crate) store: Store,
}

impl Drop for Kept {
    fn drop(&mut self) {
        // What is left in a directory for temporary files harms nobody.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A new ledger with these changes committed.
pub(crate) fn ledger(changes: &[Change]) -> Kept {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("simbell-kept-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let mut store = Store::open(&dir.join("ledger.db"), &StoreOptions::default()).unwrap();
    store.apply(changes).unwrap();
    Kept { dir, store }
}
