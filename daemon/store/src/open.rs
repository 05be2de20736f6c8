//! Opening the ledger: made, migrated or refused.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ffi::{SQLITE_BUSY, SQLITE_IOERR, SQLITE_READONLY};
use rusqlite::{Connection, OpenFlags};

use crate::access::{Access, reserve_index};
use crate::apply;
use crate::backup::{self, BackupError};
use crate::failure::ErrorKind;
use crate::lock::{LockFailure, WriterLock, beside};
use crate::mend;
use crate::migrate::{SCHEMA_VERSION, migrate, missing_column};
use crate::options::StoreOptions;
use crate::probe::{Found, ProbeFailure, probe};

/// The ledger, open for writing. There is one in the world for each file.
#[derive(Debug)]
pub struct Store {
    // Dropped in this order: the connection before the file that its locks hang on, and before another writer may
    // have the ledger.
    pub(crate) conn: Connection,
    /// Whether the log still is as an earlier writer left it: see [`Store::settle`].
    unsettled: bool,
    index: Option<File>,
    path: PathBuf,
    /// What was wrong with an index, which was made anew.
    mended: Option<String>,
    /// Device and inode of the ledger.
    file: Option<(u64, u64)>,
    pub(crate) lock: WriterLock,
}

/// Why the ledger was not opened. Unless a migration began, its contents are untouched; a migration is one
/// transaction and leaves the old version where it fails.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes it.
    #[error("{path}: the ledger is in use by {owner}: {hint}", path = path.display(),
        owner = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}")),
        hint = ErrorKind::Locked.hint())]
    Locked {
        /// The ledger.
        path: PathBuf,
        /// The other process, where it told.
        pid: Option<u32>,
    },
    /// A newer version wrote it.
    #[error("{path}: the ledger has schema version {found}, written by a newer simbelld; this one knows versions up \
        to {known}. It was not touched: {hint}", path = path.display(), hint = ErrorKind::Newer.hint())]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Its schema version.
        found: i32,
        /// The newest version known here.
        known: i32,
    },
    /// An older version wrote it, and it is to be read as it is.
    #[error("{path}: the ledger has schema version {found}, written by an older simbelld; it is read from version \
        {known} on. It was not touched: start the service with it once, which brings it up to date",
        path = path.display())]
    Older {
        /// The ledger.
        path: PathBuf,
        /// Its schema version.
        found: i32,
        /// The version known here.
        known: i32,
    },
    /// It belongs to another program.
    #[error("{path}: the file is no ledger of simbelld. It was not touched: {hint}", path = path.display(),
        hint = ErrorKind::Foreign.hint())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged.
    #[error("{path}: the ledger is damaged ({detail}): {hint}", path = path.display(),
        hint = ErrorKind::Damaged.hint())]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// It could not be copied before its migration.
    #[error("{path}: the ledger was not migrated from schema version {from}, because it could not be copied before",
        path = path.display())]
    NotBackedUp {
        /// The ledger.
        path: PathBuf,
        /// Its schema version.
        from: i32,
        /// Why.
        source: BackupError,
    },
    /// SQLite failed.
    #[error("{path}: the ledger cannot be {action}: {source} ({hint})", path = path.display(),
        hint = ErrorKind::of_sqlite(source).hint())]
    Sqlite {
        /// The ledger.
        path: PathBuf,
        /// What was tried: `opened`, `checked`, `mended`, `migrated`.
        action: &'static str,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The file system failed.
    #[error("{path}: cannot be {action}: {source} ({hint})", path = path.display(),
        hint = ErrorKind::of_io(source).hint())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
}

impl OpenError {
    /// The kind, for programs.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Locked { .. } => ErrorKind::Locked,
            Self::Newer { .. } => ErrorKind::Newer,
            Self::Older { .. } => ErrorKind::Older,
            Self::Foreign { .. } => ErrorKind::Foreign,
            Self::Damaged { .. } => ErrorKind::Damaged,
            Self::NotBackedUp { source, .. } => source.kind(),
            Self::Sqlite { source, .. } => ErrorKind::of_sqlite(source),
            Self::File { source, .. } => ErrorKind::of_io(source),
        }
    }
}

impl Store {
    /// Opens the ledger at `path` for writing: makes it where there is none, migrates an older one after a copy of it
    /// was put beside it (`PATH.v1`). One that its last writer did not close is checked first, and always what corrections
    /// and the carrier's figures are found by. Where nothing but an index is damaged, it is made anew of its table: see
    /// [`Store::mended`].
    ///
    /// # Errors
    /// See [`OpenError`]; [`OpenError::kind`] tells a program what to do.
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Self, OpenError> {
        Self::open_and_look(path, options, false)
    }

    /// As [`Store::open`]; `whole`: every page is looked at.
    pub(crate) fn open_and_look(path: &Path, options: &StoreOptions, whole: bool) -> Result<Self, OpenError> {
        let lock = take_lock(path)?;
        let access = if options.readers { Access::allowed(path) } else { Access::Alone };
        let found = look(path, access)?;
        let version = match found {
            Found::Nothing => 0,
            Found::Ledger { version, .. } if version > SCHEMA_VERSION => {
                return Err(OpenError::Newer {
                    path: path.to_owned(),
                    found: version,
                    known: SCHEMA_VERSION,
                });
            }
            Found::Ledger { version, .. } => version,
            Found::Foreign => return Err(OpenError::Foreign { path: path.to_owned() }),
            Found::Damaged => {
                return Err(OpenError::Damaged {
                    path: path.to_owned(),
                    detail: "its header is gone".to_owned(),
                });
            }
        };
        let failed = |action| move |source| sqlite_failure(path, action, source);
        let (mut conn, index) = connect(path, options, access).map_err(failed("opened"))?;
        // SQLite opens what it may not write for reading alone, and says so at the first commit as an error of the disk.
        if conn.is_readonly("main").map_err(failed("opened"))? {
            let source = rusqlite::ffi::Error::new(SQLITE_READONLY);
            let why = "the file may not be written".to_owned();
            return Err(failed("opened")(rusqlite::Error::SqliteFailure(source, Some(why))));
        }
        if version == SCHEMA_VERSION
            && let Some(column) = missing_column(&conn).map_err(failed("checked"))?
        {
            return Err(OpenError::Damaged { path: path.to_owned(), detail: format!("{column} is missing") });
        }
        let left_open = matches!(found, Found::Ledger { left_open: true, .. });
        let problem = problem(&conn, version, left_open || whole).map_err(failed("checked"))?;
        if let Some(detail) = &problem {
            let damaged = || OpenError::Damaged { path: path.to_owned(), detail: detail.clone() };
            // Nothing is added to a log that may not be on the disk.
            settle_log(&conn).map_err(|_| damaged())?;
            if !mend::indexes(&conn).map_err(failed("mended"))? {
                return Err(damaged());
            }
            tracing::error!(
                why = detail,
                "an index of the ledger was damaged, and was made anew of its table"
            );
        }
        let mut unsettled = false;
        if left_open && let Err(error) = settle_log(&conn) {
            if version < SCHEMA_VERSION {
                return Err(failed("settled")(error));
            }
            tracing::warn!(%error, "what an earlier writer left is not on the disk yet; it is tried again");
            unsettled = true;
        }
        if version > 0 && version < SCHEMA_VERSION {
            backup::copy(&conn, &beside(path, &format!(".v{version}")))
                .map_err(|source| OpenError::NotBackedUp { path: path.to_owned(), from: version, source })?;
        }
        migrate(&mut conn, version).map_err(failed("migrated"))?;
        // SQLite does not tell when this fails: without their names the ledger and its log are lost by a power cut.
        backup::sync_directory(path).map_err(|source| OpenError::File {
            path: path.to_owned(),
            action: "synced",
            source,
        })?;
        conn.set_prepared_statement_cache_capacity(48);
        Ok(Self {
            conn,
            unsettled,
            mended: problem,
            index,
            path: path.to_owned(),
            file: identity(path),
            lock,
        })
    }

    /// What was wrong with an index as the ledger was opened: it was made anew of its table, and nothing is missing.
    #[must_use]
    pub fn mended(&self) -> Option<&str> {
        self.mended.as_deref()
    }

    /// Moves what an earlier writer left in the log into the ledger, once.
    ///
    /// It may have died of a disk that failed to sync: what it could not sync still shows, until the power goes, and no
    /// sync after that brings it to the disk. So nothing is added to such a log: it is written once more, elsewhere.
    pub(crate) fn settle(&mut self) -> rusqlite::Result<()> {
        if self.unsettled {
            settle_log(&self.conn)?;
            self.unsettled = false;
        }
        Ok(())
    }

    /// Whether others may read the ledger while it is open here. They may not where the file system cannot promise to
    /// keep the blocks of the index that readers share.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.index.is_some()
    }

    /// Returns the memory of what is prepared, but for commits of usage, and of pages that are not in use; what is asked
    /// next costs a little more.
    ///
    /// # Errors
    /// As SQLite says; nothing is lost.
    pub fn give_back(&self) -> rusqlite::Result<()> {
        // What is in use is not let go of, and goes back to its place afterwards.
        let kept = apply::OF_USAGE.map(|sql| self.conn.prepare_cached(sql));
        self.conn.flush_prepared_statement_cache();
        drop(kept);
        self.conn.execute_batch("PRAGMA shrink_memory")
    }

    /// Whether the file that is written still is the one of its name: what is written to another is gone with the process.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        match std::fs::metadata(&self.path) {
            Ok(found) => self.file.is_none_or(|file| file == (found.dev(), found.ino())),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    /// Where the ledger lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// What SQLite finds wrong with a ledger; nothing with one that is not there yet.
///
/// `quick_check` does not compare indexes with their tables, and a total is read by an index: a correction that its index
/// does not know is missing without a word. Of ten years of hours, calls, messages and connections of 16 SIMs (180 MB) the
/// whole check takes 1.8 s of CPU instead of 1.0 s, which an end without order is worth. Otherwise the tables alone are looked
/// at that totals are made of and that have an index, but for calls and messages: 2,000 corrections take 5 ms, 230,000 calls
/// and messages 0.6 s, and the daily copy finds those. Hours have no index.
fn problem(conn: &Connection, version: i32, whole: bool) -> rusqlite::Result<Option<String>> {
    let mut found = Vec::new();
    if whole && version > 0 {
        found = backup::check(conn)?;
    } else if version == SCHEMA_VERSION {
        for table in ["correction", "observation"] {
            found.extend(backup::check_table(conn, table)?);
        }
    }
    Ok(found.into_iter().next())
}

/// See [`Store::settle`].
fn settle_log(conn: &Connection) -> rusqlite::Result<()> {
    let busy: bool = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        return Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(SQLITE_BUSY), None));
    }
    Ok(())
}

pub(crate) fn take_lock(path: &Path) -> Result<WriterLock, OpenError> {
    WriterLock::take(path).map_err(|failure| match failure {
        LockFailure::Held(pid) => OpenError::Locked { path: path.to_owned(), pid },
        LockFailure::File(path, source) => OpenError::File { path, action: "locked", source },
    })
}

pub(crate) fn look(path: &Path, access: Access) -> Result<Found, OpenError> {
    probe(path, access).map_err(|failure| match failure {
        // Reading a directory fails, and following a link that leads to itself.
        ProbeFailure::File(source)
            if matches!(source.kind(), std::io::ErrorKind::IsADirectory)
                || source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) =>
        {
            OpenError::Foreign { path: path.to_owned() }
        }
        ProbeFailure::File(source) => OpenError::File { path: path.to_owned(), action: "read", source },
        ProbeFailure::Sqlite(source) => sqlite_failure(path, "opened", source),
    })
}

pub(crate) fn sqlite_failure(path: &Path, action: &'static str, source: rusqlite::Error) -> OpenError {
    if ErrorKind::of_sqlite(&source) == ErrorKind::Damaged {
        return OpenError::Damaged { path: path.to_owned(), detail: source.to_string() };
    }
    OpenError::Sqlite { path: path.to_owned(), action, source }
}

/// Connects, shared if `access` and the file system allow; the open index comes along.
fn connect(
    path: &Path,
    options: &StoreOptions,
    access: Access,
) -> rusqlite::Result<(Connection, Option<File>)> {
    if access == Access::Shared {
        let conn = prepare(path, options, Access::Shared)?;
        match reserve_index(path) {
            Ok(index) => return Ok((conn, Some(index))),
            Err(error) => tracing::debug!(%error, "the ledger's index cannot be shared"),
        }
        drop(conn);
    }
    Ok((prepare(path, options, Access::Alone)?, None))
}

fn prepare(path: &Path, options: &StoreOptions, access: Access) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(Duration::from_millis(u64::from(options.busy_timeout_ms)))?;
    // Takes effect in a new file only.
    conn.pragma_update(None, "page_size", options.page_size)?;
    if access == Access::Alone {
        // Before the log is touched: then its index is never a file.
        conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    set_journal_mode(&conn, "wal")?;
    conn.pragma_update(None, "synchronous", options.synchronous.pragma())?;
    conn.pragma_update(None, "wal_autocheckpoint", options.wal_autocheckpoint)?;
    conn.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    // The log and its index are there from the first read on.
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    Ok(conn)
}

/// Sets the journal mode, and does not believe its first word: SQLite names the new mode, and only then writes it. In
/// another mode than was asked for, a power cut may take back what was committed.
pub(crate) fn set_journal_mode(conn: &Connection, mode: &str) -> rusqlite::Result<()> {
    conn.pragma(None, "journal_mode", mode, |_| Ok(()))?;
    let now: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if now == mode {
        return Ok(());
    }
    let text = format!("its journal mode is {now}, and cannot be made {mode}");
    Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(SQLITE_IOERR), Some(text)))
}
