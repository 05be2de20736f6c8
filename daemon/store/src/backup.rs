//! Copies of the ledger, made while it is in use, and its check.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::failure::ErrorKind;
use crate::lock::beside;
use crate::migrate::missing_column;
use crate::open::{Store, set_journal_mode};
use crate::readable::unreadable;
use crate::rows::QueryError;

/// Why a copy of the ledger was not made. The ledger itself is untouched.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// SQLite failed.
    #[error("{path}: the ledger's copy cannot be written: {source} ({hint})", path = path.display(),
        hint = ErrorKind::of_sqlite(source).hint())]
    Sqlite {
        /// Where the copy should be.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The file system failed.
    #[error("{path}: the ledger's copy cannot be put in place: {source} ({hint})", path = path.display(),
        hint = ErrorKind::of_io(source).hint())]
    File {
        /// Where the copy should be.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The ledger is damaged: so is its copy, which was not kept.
    #[error("{path}: the ledger was not copied, for it is damaged ({detail})", path = path.display())]
    Damaged {
        /// Where the copy should be.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The ledger was written too often meanwhile.
    #[error("{path}: the ledger did not hold still long enough to be copied: try again", path = path.display())]
    Busy {
        /// Where the copy should be.
        path: PathBuf,
    },
}

impl BackupError {
    /// The kind, for programs.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Sqlite { source, .. } => ErrorKind::of_sqlite(source),
            Self::File { source, .. } => ErrorKind::of_io(source),
            Self::Damaged { .. } => ErrorKind::Damaged,
            Self::Busy { .. } => ErrorKind::Busy,
        }
    }
}

impl Store {
    /// Writes a copy of the ledger to `to`, whole and on the disk when it returns. A file there is replaced at the end,
    /// in one step.
    ///
    /// # Errors
    /// When the copy cannot be written; a file at `to` is then as it was.
    pub fn backup(&self, to: &Path) -> Result<(), BackupError> {
        copy(&self.conn, to)
    }

    /// Checks the whole ledger, page by page: what is wrong with it in SQLite's words, nothing when all is well.
    ///
    /// # Errors
    /// When the check itself cannot be made.
    pub fn integrity_check(&self) -> Result<Vec<String>, QueryError> {
        check(&self.conn).map_err(QueryError::from)
    }
}

/// The problems that `integrity_check` finds.
pub(crate) fn check(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    problems(conn, "PRAGMA integrity_check")
}

/// The same of one table and its indexes.
pub(crate) fn check_table(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    problems(conn, &format!("PRAGMA integrity_check({table})"))
}

fn problems(conn: &Connection, pragma: &str) -> rusqlite::Result<Vec<String>> {
    let found: rusqlite::Result<Vec<String>> =
        conn.prepare(pragma)?.query_map([], |row| row.get(0))?.collect();
    let mut found = found?;
    if found.iter().all(|line| line == "ok") {
        found.clear();
    }
    // The first is told: one that names an index says more than that its page is garbled.
    found.sort_by_key(|line| !line.contains(" index "));
    Ok(found)
}

pub(crate) fn copy(conn: &Connection, to: &Path) -> Result<(), BackupError> {
    copy_and(conn, to, |_| Ok(()))
}

/// As [`copy`], and looks through the copy before it has its name; `rows_too`: at what its rows say as well.
pub(crate) fn copy_checked(conn: &Connection, to: &Path, rows_too: bool) -> Result<(), BackupError> {
    copy_and(conn, to, |copied| {
        let sqlite = |source: rusqlite::Error| match ErrorKind::of_sqlite(&source) {
            ErrorKind::Damaged => BackupError::Damaged { path: to.to_owned(), detail: source.to_string() },
            _ => BackupError::Sqlite { path: to.to_owned(), source },
        };
        let mut problems = check(copied).map_err(sqlite)?;
        problems.extend(missing_column(copied).map_err(sqlite)?.map(|column| format!("{column} is missing")));
        // A row that nothing can read is no better in the copy.
        let first = match problems.into_iter().next() {
            None if !rows_too => None,
            None => unreadable(copied).map_err(sqlite)?,
            first => first,
        };
        match first {
            Some(detail) => Err(BackupError::Damaged { path: to.to_owned(), detail }),
            None => Ok(()),
        }
    })
}

/// Memory for pages of a copy in the making, in KiB.
const COPY_CACHE_KIB: i64 = 128;

fn copy_and(
    conn: &Connection,
    to: &Path,
    then: impl FnOnce(&Connection) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let unfinished = beside(to, ".part");
    let file = |source| BackupError::File { path: to.to_owned(), source };
    let sqlite = |source| BackupError::Sqlite { path: to.to_owned(), source };
    if let Err(error) = std::fs::remove_file(&unfinished)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(file(error));
    }
    let copied = (|| {
        let mut target = Connection::open(&unfinished).map_err(sqlite)?;
        // Pages are written and looked through in order: more of them in memory serve nothing.
        target.pragma_update(None, "cache_size", -COPY_CACHE_KIB).map_err(sqlite)?;
        // Nobody else reads it yet, and an index shared through mapped memory is not safe on every file system.
        target.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(sqlite)?;
        let step = Backup::new(conn, &mut target).and_then(|backup| backup.step(-1)).map_err(sqlite)?;
        if step != StepResult::Done {
            return Err(BackupError::Busy { path: to.to_owned() });
        }
        // A copy that is one file, without a log beside it.
        set_journal_mode(&target, "delete").map_err(sqlite)?;
        then(&target)?;
        target.close().map_err(|(_, error)| sqlite(error))?;
        File::open(&unfinished).and_then(|copy| copy.sync_all()).map_err(file)?;
        std::fs::rename(&unfinished, to).map_err(file)?;
        sync_directory(to).map_err(file)
    })();
    if copied.is_err() && unfinished.exists() {
        // Half a copy helps nobody; the error that led here is the one to tell.
        let _ = std::fs::remove_file(&unfinished);
    }
    copied
}

pub(crate) fn sync_directory(of: &Path) -> std::io::Result<()> {
    let parent = of.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
