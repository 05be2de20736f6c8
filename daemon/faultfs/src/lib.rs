//! A disk that fails as it is told and loses power anywhere: for tests, linked by no program.
//!
//! [`FaultFs`] is a file system in memory, mounted through FUSE. It writes down each operation that changes it
//! ([`Op`]); it asks the test what becomes of each ([`FaultFs::on_each`]): done, refused with any error, done in part,
//! held until the test says more, or, for a sync, a lie. From what it wrote down a [`Disk`] tells what a power cut at
//! any instant may leave ([`Disk::images`]).
//!
//! # Why a file system, and not a shim inside SQLite
//! The ledger is written by SQLite, but copied, renamed, set aside and removed by the standard library, and the service is a
//! program of its own. A file system sees all of it, from the unchanged program, and needs no unsafe code. What it
//! cannot show is an index shared through mapped memory: simbelld does not share it on a file system that it does not
//! know ("Full disks" in daemon/store/README.md), and after a power cut SQLite never reads it.
//!
//! # What a power cut may leave
//! Everything written to a file before it was last synced, and every name made, changed or removed in a directory
//! before that directory was last synced, is there. Of the rest, each independently of the others:
//!
//! - any 512-byte sector holds what it held at any instant since the last sync, or is torn inside, or holds garbage
//!   wherever it was written to;
//! - the file has any size that it had since the last sync; what was not written then is zeros or garbage;
//! - any change of a directory is there or not, in any combination. A rename is one change: both names or neither.
//!
//! That is more than ext4 or XFS would do (they keep the order of names, and a synced file keeps its name), and all
//! that POSIX allows. A disk that says that it has synced and has not ([`Verdict::Lie`]) can lose anything, and nothing
//! can be promised on it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "linked by tests alone, which say what is wrong by panicking"
)]

mod disk;
mod image;
mod op;
mod serve;
mod tree;
mod wire;

pub use disk::{Cuts, Disk};
pub use image::Image;
pub use op::{Ino, Kind, Op, Request, Verdict};
pub use rustix::io::Errno;
pub use serve::FaultFs;
