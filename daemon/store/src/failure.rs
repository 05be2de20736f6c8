//! What went wrong, in kinds that a program can act on.

use rusqlite::ErrorCode;

/// The kind of a failure, stable for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Another process writes this ledger.
    Locked,
    /// The ledger was written by a newer version.
    Newer,
    /// The ledger was written by an older version, and may not be brought up to date.
    Older,
    /// The file belongs to another program.
    Foreign,
    /// The ledger is damaged.
    Damaged,
    /// The file or its directory cannot be written.
    ReadOnly,
    /// The disk or the quota is full.
    Full,
    /// The directory does not exist.
    Missing,
    /// Somebody held the ledger's write lock for too long.
    Busy,
    /// A figure does not fit.
    Overflow,
    /// The disk or the file system failed.
    Io,
    /// Anything else: a mistake in this program.
    Internal,
}

impl ErrorKind {
    /// As logged and shown, such as `read-only`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Newer => "newer",
            Self::Older => "older",
            Self::Foreign => "foreign",
            Self::Damaged => "damaged",
            Self::ReadOnly => "read-only",
            Self::Full => "full",
            Self::Missing => "missing",
            Self::Busy => "busy",
            Self::Overflow => "overflow",
            Self::Io => "io",
            Self::Internal => "internal",
        }
    }

    /// What a person does next.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Locked => "stop the other process first",
            Self::Newer => "install that version again, or restore the backup beside the ledger",
            Self::Older => "start the service with it once, which brings it up to date",
            Self::Foreign => "choose another state directory, or move away what lies there",
            Self::Damaged => "keep a copy of the file; sqlite3's .recover may save its contents",
            Self::ReadOnly => {
                "make the state directory writable for the service's user; what lies beside the ledger under its name with \
                 -wal or -shm has to be a file"
            }
            Self::Full => "free some space: nothing was changed",
            Self::Missing => "create the state directory, owned by the service's user",
            Self::Busy => "end the sqlite3 session that holds a transaction open",
            Self::Overflow => "the figure was not booked: report it",
            Self::Io => "look into the kernel's log (dmesg) for the disk's errors",
            Self::Internal => "report it with the log",
        }
    }

    pub(crate) fn of_sqlite(error: &rusqlite::Error) -> Self {
        // Every ledger has what is asked for: one that lacks it has lost it.
        if let rusqlite::Error::SqliteFailure(_, Some(text))
        | rusqlite::Error::SqlInputError { msg: text, .. } = error
            && ["no such table: ", "no such column: "].iter().any(|lack| text.starts_with(lack))
        {
            return Self::Damaged;
        }
        match error.sqlite_error() {
            Some(failure) => Self::of_code(failure.code, failure.extended_code),
            None => match error {
                rusqlite::Error::IntegralValueOutOfRange(..) => Self::Overflow,
                // Columns have types, and texts of ours are UTF-8: what is none was garbled.
                rusqlite::Error::FromSqlConversionFailure(_, rusqlite::types::Type::Text, _)
                | rusqlite::Error::Utf8Error(..) => Self::Damaged,
                _ => Self::Internal,
            },
        }
    }

    fn of_code(code: ErrorCode, extended: i32) -> Self {
        match code {
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => Self::ReadOnly,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            // A short read means that the file ends before its own page count says.
            ErrorCode::SystemIoFailure if extended == rusqlite::ffi::SQLITE_IOERR_SHORT_READ => Self::Damaged,
            // The shared memory beside the log could not grow: on a full disk the first thing to fail.
            ErrorCode::SystemIoFailure if extended == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => Self::Full,
            ErrorCode::SystemIoFailure => Self::Io,
            _ => Self::Internal,
        }
    }

    pub(crate) fn of_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        match error.kind() {
            Io::StorageFull | Io::QuotaExceeded => Self::Full,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => Self::ReadOnly,
            Io::NotFound | Io::NotADirectory => Self::Missing,
            Io::IsADirectory => Self::Foreign,
            _ => Self::Io,
        }
    }
}
