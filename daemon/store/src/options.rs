//! How the ledger file is written.

/// How the ledger file is written. The defaults are chosen for few writes to flash and for safety through a power cut;
/// README.md of this crate has the measurements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// Bytes per page of a new ledger: a power of two, 512 to 65536. A commit writes whole pages.
    pub page_size: u32,
    /// Pages in the write-ahead log before they are moved into the ledger file.
    pub wal_autocheckpoint: u32,
    /// When a commit counts as done.
    pub synchronous: Synchronous,
    /// Whether others (the sqlite3 shell) may read the ledger while it is open, where the file system allows it. Alone,
    /// a commit costs less than half the bytes: the index that readers share is written back as well.
    pub readers: bool,
    /// Memory for pages, in KiB.
    pub cache_kib: u32,
    /// How long to wait for a reader or a person's sqlite3 shell that holds the write lock, in milliseconds.
    pub busy_timeout_ms: u32,
}

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// When it is on the disk: a power cut loses nothing that was committed.
    Full,
    /// When the kernel has it: a power cut may lose the last commits, never the ledger's consistency.
    Normal,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            page_size: 1024,
            wal_autocheckpoint: 1000,
            synchronous: Synchronous::Full,
            readers: true,
            cache_kib: 256,
            busy_timeout_ms: 2000,
        }
    }
}

impl Synchronous {
    pub(crate) const fn pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}
