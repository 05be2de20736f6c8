//! One writer: a lock file beside the ledger, held for as long as the store lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Holds the lock; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
    writing: bool,
}

/// Follows the process in the file once it has committed, until it closes the ledger.
const WRITING: &str = "writing";

impl Drop for WriterLock {
    fn drop(&mut self) {
        // The ledger is closed by now.
        if let Err(error) = self.file.set_len(0) {
            tracing::debug!(%error, "the lock file goes on naming this process");
        }
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
        if let Err(error) = write(&mut file, "") {
            tracing::debug!(%error, "the lock file does not name this process");
        }
        Ok(Self { file, writing: false })
    }

    /// There is a commit: a log that is gone without the ledger being closed is missing from now on.
    pub(crate) fn writes(&mut self) {
        if !self.writing {
            self.writing = true;
            if let Err(error) = write(&mut self.file, WRITING) {
                tracing::debug!(%error, "the lock file does not say that the ledger is written");
            }
        }
    }

    /// When the last process that wrote a ledger first did so, where it ended without closing it. Asked before the lock is
    /// taken.
    pub(crate) fn writing_since(ledger: &Path) -> Option<SystemTime> {
        let mut file = File::open(beside(ledger, "-lock")).ok()?;
        let since = file.metadata().and_then(|about| about.modified()).ok()?;
        (read(&mut file).ok()?.split_whitespace().nth(1) == Some(WRITING)).then_some(since)
    }
}

/// The path of a file that belongs to the ledger: its name with `suffix`.
pub(crate) fn beside(ledger: &Path, suffix: &str) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// This process, and what it does.
fn write(file: &mut File, what: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{} {what}", std::process::id())
}

fn written_pid(file: &mut File) -> Option<u32> {
    read(file).ok()?.split_whitespace().next()?.parse().ok()
}

fn read(file: &mut File) -> std::io::Result<String> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text)?;
    Ok(text)
}
