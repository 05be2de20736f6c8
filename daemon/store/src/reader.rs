//! Long reads, beside the one writer and never in its way.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::aside::Aside;
use crate::rows::QueryError;

/// Memory for pages of a reader, in KiB: a page of usage is read from a hundred pages of the ledger.
const CACHE_KIB: i64 = 512;

/// The ledger, open for reading, where its writer shares it ([`crate::Store::is_shared`]). Each query is one read
/// transaction, so that a reader that takes its time never keeps the log from being moved into the ledger.
#[derive(Debug)]
pub struct Reader {
    pub(crate) conn: Connection,
    /// Of a ledger that is read as it lies: what it was as it was opened.
    pub(crate) aside: Option<Aside>,
}

impl Reader {
    /// Opens the ledger that a [`crate::Store`] of this process holds open.
    ///
    /// # Errors
    /// When SQLite cannot open it.
    pub fn open(path: &Path) -> Result<Self, QueryError> {
        Ok(Self::connect(path.as_os_str(), OpenFlags::empty())?)
    }

    pub(crate) fn connect(path: &OsStr, more: OpenFlags) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE
            | more;
        let conn = Connection::open_with_flags(path, flags)?;
        conn.busy_timeout(Duration::from_secs(2))?;
        conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.pragma_update(None, "trusted_schema", false)?;
        conn.pragma_update(None, "cell_size_check", true)?;
        Ok(Self { conn, aside: None })
    }
}
