//! What is asked of the disk, what is done, and what the test says to it.

use rustix::io::Errno;

/// The number of a file or directory. The root directory is 1.
pub type Ino = u64;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Opens a file that is there.
    Open,
    /// Makes a file or a directory.
    Create,
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Sets the size.
    Resize,
    /// Reserves room.
    Reserve,
    /// Syncs a file.
    Sync,
    /// Syncs a directory.
    SyncDir,
    /// Removes a name.
    Unlink,
    /// Changes a name.
    Rename,
}

impl Kind {
    /// Whether it may change what is on the disk: what a disk that is full, failing or read-only refuses.
    #[must_use]
    pub const fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::Read)
    }
}

/// One thing asked of the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What.
    pub kind: Kind,
    /// Of which file, from the root on, such as `ledger.db-wal`.
    pub path: String,
    /// Whether it is opened for writing too; only of [`Kind::Open`].
    pub for_writing: bool,
    /// Size of the file before, in bytes.
    pub size: usize,
    /// First byte after what is written or reserved; the new size of [`Kind::Resize`].
    pub end: usize,
}

impl Request {
    /// Whether it asks for room that the file has not had yet.
    #[must_use]
    pub const fn grows(&self) -> bool {
        self.end > self.size || matches!(self.kind, Kind::Create)
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Pass,
    /// It is refused, and changes nothing.
    Fail(Errno),
    /// Of a write, only so many bytes are taken.
    Short(usize),
    /// A sync fails, and what was to be synced is forgotten: it still shows, no later sync brings it to the disk, and
    /// that sync succeeds. So Linux does after an error of the disk.
    Forget(Errno),
    /// A sync says that it is done, and nothing is.
    Lie,
    /// Nothing happens until [`crate::FaultFs::release`] says what becomes of it; everything else waits too.
    Hold,
}

/// Something that changed the disk, as it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A file or directory was made.
    Create {
        /// Where.
        dir: Ino,
        /// Its name.
        name: String,
        /// Its number.
        ino: Ino,
        /// Whether it is a directory.
        directory: bool,
    },
    /// Bytes were written.
    Write {
        /// To which file.
        ino: Ino,
        /// Where.
        offset: usize,
        /// What.
        data: Vec<u8>,
    },
    /// A size was set.
    Resize {
        /// Of which file.
        ino: Ino,
        /// In bytes.
        size: usize,
    },
    /// A name was removed.
    Unlink {
        /// Where.
        dir: Ino,
        /// Which.
        name: String,
    },
    /// A name was changed; what had the new one lost it.
    Rename {
        /// From where.
        dir: Ino,
        /// The old name.
        name: String,
        /// To where.
        to_dir: Ino,
        /// The new name.
        to: String,
    },
    /// A file was synced.
    Sync(Ino),
    /// A directory was synced.
    SyncDir(Ino),
    /// A sync failed, and what was to be synced is forgotten.
    Forget(Ino),
    /// The test made a mark ([`crate::FaultFs::mark`]).
    Mark(u64),
}
