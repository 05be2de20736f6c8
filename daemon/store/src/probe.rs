//! What a file is, before anything may change it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::access::Access;
use crate::lock::beside;
use crate::migrate::APPLICATION_ID;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What lies at the ledger's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing, or nothing yet.
    Nothing,
    /// A ledger with this schema; whether its last writer ended without closing it.
    Ledger { version: i32, left_open: bool },
    /// Another program's file.
    Foreign,
    /// A file whose head is gone.
    Damaged,
}

/// Why it cannot be told.
pub(crate) enum ProbeFailure {
    File(std::io::Error),
    Sqlite(rusqlite::Error),
}

/// Looks at the file's header, and through SQLite only where a log beside it may hold another one.
pub(crate) fn probe(path: &Path, access: Access) -> Result<Found, ProbeFailure> {
    let mut header = [0_u8; 100];
    let (there, read) = match File::open(path) {
        Ok(mut file) => (true, read_up_to(&mut file, &mut header).map_err(ProbeFailure::File)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (false, 0),
        Err(error) => return Err(ProbeFailure::File(error)),
    };
    let left = |suffix| std::fs::metadata(beside(path, suffix)).is_ok_and(|log| log.len() > 0);
    // A journal without its file is one of a creation that a power cut undid.
    let left_open = left("-wal") || (there && left("-journal"));
    if read == 0 && !left_open {
        return Ok(Found::Nothing);
    }
    let strange = read > 0 && !header.starts_with(MAGIC);
    if left_open {
        // A power cut may have torn the header while it was written: what it was to be is in the log.
        return match through_sqlite(path, access) {
            Err(error) if strange && error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                Ok(without_magic(&header))
            }
            other => other.map_err(ProbeFailure::Sqlite),
        };
    }
    if strange {
        return Ok(without_magic(&header));
    }
    if read < header.len() {
        return Ok(Found::Damaged);
    }
    let (application, version) = (big_endian(&header, 68), big_endian(&header, 60));
    if application == 0 && version == 0 {
        // A creation that was killed before its first commit leaves an empty database.
        return through_sqlite(path, access).map_err(ProbeFailure::Sqlite);
    }
    Ok(judge(application, version, false))
}

fn without_magic(header: &[u8; 100]) -> Found {
    let blank = header.iter().all(|byte| *byte == 0);
    if blank { Found::Damaged } else { Found::Foreign }
}

/// Asks SQLite without letting it move the log into the file: a newer ledger stays as it is.
fn through_sqlite(path: &Path, access: Access) -> rusqlite::Result<Found> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if access == Access::Alone {
        conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    let application: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application == 0 && version == 0 && tables == 0 {
        return Ok(Found::Nothing);
    }
    Ok(judge(application, version, true))
}

fn judge(application: i32, version: i32, left_open: bool) -> Found {
    match (application, version) {
        (APPLICATION_ID, 1..) => Found::Ledger { version, left_open },
        (APPLICATION_ID, _) => Found::Damaged,
        _ => Found::Foreign,
    }
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let read = file.read(rest)?;
        if read == 0 {
            break;
        }
        filled = filled.saturating_add(read);
    }
    Ok(filled)
}

fn big_endian(header: &[u8; 100], at: usize) -> i32 {
    header.get(at..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |bytes| i32::from_be_bytes(*bytes))
}
