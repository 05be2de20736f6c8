//! One writer: a lock file beside the ledger, held for as long as the store lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Holds the lock; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // Closing alone would leave the lock to a child that was forked and has not reached its exec yet.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "the lock file is left to the kernel");
        }
    }
}

/// Why the lock was not had.
pub(crate) enum LockFailure {
    /// Another process has it; its id where the file tells one.
    Held(Option<u32>),
    /// The file cannot be made or locked.
    File(PathBuf, std::io::Error),
}

impl WriterLock {
    /// Takes the lock of the ledger at `ledger`, or says who has it.
    pub(crate) fn take(ledger: &Path) -> Result<Self, LockFailure> {
        let path = beside(ledger, "-lock");
        let fail = |error| LockFailure::File(path.clone(), error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockFailure::Held(written_pid(&mut file))),
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        // Who holds it is a courtesy: a full disk must not keep the ledger shut.
        if let Err(error) = write_pid(&mut file) {
            tracing::debug!(%error, "the lock file does not name this process");
        }
        Ok(Self { file })
    }
}

/// The path of a file that belongs to the ledger: its name with `suffix`.
pub(crate) fn beside(ledger: &Path, suffix: &str) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

fn written_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
