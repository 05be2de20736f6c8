//! Whether others may read the ledger while it is open.
//!
//! Readers of a write-ahead log share an index with the writer, in a file that both map into memory. Where the disk is
//! full and a page of that file has no block of its own, writing to it ends the process (SIGBUS), and no code can answer
//! that. So the index is shared only where its blocks can be reserved for good; elsewhere it lies in the writer's own
//! memory, and the ledger is closed to others while it is open.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate, statfs};

use crate::lock::beside;

/// ext2, ext3 and ext4; XFS; tmpfs: they keep a block in place once it is reserved. Those that write a changed block
/// elsewhere (btrfs, F2FS, UBIFS) or reserve nothing (NFS, JFFS2) are not among them.
const KEEP_BLOCKS: [i128; 3] = [0xef53, 0x5846_5342, 0x0102_1994];

/// Room for the index of 30,000 pages of log: thirty times what is there when nobody hinders a checkpoint.
const INDEX_BYTES: u64 = 256 * 1024;

/// Least free space, in bytes, for the index to be begun at all.
const LEAST_FREE: u64 = 1024 * 1024;

/// How the ledger is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Others may read it meanwhile.
    Shared,
    /// It is this process's alone.
    Alone,
}

impl Access {
    /// What the file system of `ledger` allows now.
    pub(crate) fn allowed(ledger: &Path) -> Self {
        match statfs(directory(ledger)) {
            Ok(system)
                if KEEP_BLOCKS.contains(&i128::from(system.f_type))
                    && free(system.f_bavail, system.f_bsize) >= i128::from(LEAST_FREE) =>
            {
                Self::Shared
            }
            _ => Self::Alone,
        }
    }
}

/// Reserves the blocks of the index of an open ledger.
///
/// The file that is given back must outlive the connection: closing it would drop SQLite's own locks on that file
/// (`fcntl` locks belong to the process).
pub(crate) fn reserve_index(ledger: &Path) -> std::io::Result<File> {
    let index = OpenOptions::new().read(true).write(true).open(beside(ledger, "-shm"))?;
    fallocate(&index, FallocateFlags::empty(), 0, INDEX_BYTES)?;
    Ok(index)
}

fn directory(ledger: &Path) -> &Path {
    ledger.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn free(blocks: impl Into<i128>, size: impl Into<i128>) -> i128 {
    blocks.into().saturating_mul(size.into())
}
