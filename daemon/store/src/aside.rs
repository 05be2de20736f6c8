//! A ledger, or a copy of one, read as it lies: nothing of it is changed, and nobody who writes it is in the way.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::OpenFlags;
use simbell_core::effect::SimRecord;
use simbell_core::observation::Observation;
use simbell_core::time::Timestamp;

use crate::carrier::newest_observations;
use crate::lists::sims;
use crate::lock::beside;
use crate::migrate::{APPLICATION_ID, SCHEMA_VERSION};
use crate::open::{OpenError, sqlite_failure};
use crate::reader::Reader;
use crate::restore::newest;
use crate::rows::QueryError;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A ledger that is read as it lies.
#[derive(Debug)]
pub(crate) struct Aside {
    path: PathBuf,
    seen: Seen,
    commits: i64,
}

/// What tells that a file was written or replaced. SQLite counts no change in the file of a ledger that has a log.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    /// Whether a log lies beside it: somebody has it open, or ended without closing it.
    log: bool,
}

impl Seen {
    fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self::by(path, &std::fs::metadata(path)?))
    }

    fn by(path: &Path, about: &std::fs::Metadata) -> Self {
        Self {
            file: (about.dev(), about.ino()),
            size: about.len(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
            log: beside(path, "-wal").exists(),
        }
    }
}

impl Reader {
    /// Opens any ledger of this schema for reading, whether or not a service has it. One that nobody has open is read as
    /// a file that does not change: no lock is taken, and no file put beside it. Whether it did not is asked for by
    /// [`Self::is_unchanged`] once everything is read.
    ///
    /// # Errors
    /// When it is not there, belongs to another program, is damaged, or has another schema.
    pub fn open_aside(path: &Path) -> Result<Self, OpenError> {
        let file = |source| OpenError::File { path: path.to_owned(), action: "read", source };
        let about = std::fs::metadata(path).map_err(file)?;
        // A pipe would be waited for; that a folder is none, reading it says.
        if !about.is_file() && !about.is_dir() {
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
        let seen = Seen::by(path, &about);
        let mut head = Vec::with_capacity(MAGIC.len());
        let length = u64::try_from(MAGIC.len()).unwrap_or_default();
        File::open(path).map_err(file)?.take(length).read_to_end(&mut head).map_err(file)?;
        // Beside a log the file's own head may not be written yet.
        if !seen.log && head != MAGIC {
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
        let failed = |error| sqlite_failure(path, "opened", error);
        let reader = if seen.log {
            Self::connect(path.as_os_str(), OpenFlags::empty())
        } else {
            Self::connect(&still(path), OpenFlags::SQLITE_OPEN_URI)
        };
        let mut reader = reader.map_err(failed)?;
        let asked = |pragma| reader.conn.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
        let (application, version) =
            (asked("application_id").map_err(failed)?, asked("user_version").map_err(failed)?);
        let path = path.to_owned();
        match (application, version) {
            (APPLICATION_ID, SCHEMA_VERSION) => {
                let commits = reader.commits().map_err(failed)?;
                reader.aside = Some(Aside { path, seen, commits });
                Ok(reader)
            }
            (APPLICATION_ID, found) if found > SCHEMA_VERSION => {
                Err(OpenError::Newer { path, found, known: SCHEMA_VERSION })
            }
            (APPLICATION_ID, found) => Err(OpenError::Older { path, found, known: SCHEMA_VERSION }),
            _ => Err(OpenError::Foreign { path }),
        }
    }

    /// Whether nobody wrote the ledger since it was opened by [`Self::open_aside`]: only then what was read of it by several
    /// questions belongs together; and where it was read as a file that does not change, only then it was a ledger at all.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        let Some(aside) = &self.aside else { return true };
        let same = Seen::of(&aside.path).is_ok_and(|now| now == aside.seen);
        if aside.seen.log { self.commits().is_ok_and(|now| now == aside.commits) } else { same }
    }

    /// Whether it is read beside whoever writes it, so that each question is answered of one state.
    #[must_use]
    pub fn is_beside_a_writer(&self) -> bool {
        self.aside.as_ref().is_none_or(|aside| aside.seen.log)
    }

    /// Moves with each commit of others.
    fn commits(&self) -> rusqlite::Result<i64> {
        self.conn.pragma_query_value(None, "data_version", |row| row.get(0))
    }

    /// The last instant that anything in it speaks of; none of an empty ledger.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn newest(&self) -> Result<Option<Timestamp>, QueryError> {
        newest(&self.conn)
    }

    /// As [`crate::Store::sims`].
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn sims(&self) -> Result<Vec<SimRecord>, QueryError> {
        sims(&self.conn)
    }

    /// The newest of the carrier's figures of each SIM, in order of their numbers.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn newest_observations(&self) -> Result<Vec<Observation>, QueryError> {
        newest_observations(&self.conn)
    }
}

/// The address of a file that SQLite is told nobody changes.
fn still(path: &Path) -> OsString {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    OsString::from(uri)
}
