//! Reads a vnStat 2 database: what it says of one interface, each byte once.
//!
//! vnStat keeps the same traffic by hour, day, month and year, and forgets the finer of them first. A day is told by its
//! hours where these sum up to it, a month by its days, a year by its months; otherwise by its own row. What is told sums
//! up to the years, which vnStat never forgets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{Datelike, NaiveDate, NaiveDateTime};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use simbell_core::ledger::Volume;

/// The schema that vnStat 2 writes (`info.dbversion`).
const KNOWN: &str = "1";

/// What one row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VnstatSpan {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

/// One row, in the local time of the machine that vnStat ran on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VnstatRow {
    /// Its beginning.
    pub start: NaiveDateTime,
    /// How long it is.
    pub span: VnstatSpan,
    /// Bytes as vnStat counted them: link-layer bytes of the interface.
    pub volume: Volume,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum VnstatError {
    /// It cannot be opened.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is locked or damaged, or the disk fails.
    #[error("{} cannot be read: {problem}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What SQLite or a row says.
        problem: String,
    },
    /// It is no vnStat 2 database.
    #[error("{} is no vnStat 2 database: {problem}", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The interface is not in it.
    #[error("{} knows no interface {interface:?}; it has {known}", path.display())]
    UnknownInterface {
        /// Which file.
        path: PathBuf,
        /// Which was asked for.
        interface: String,
        /// Those there are.
        known: String,
    },
}

impl VnstatSpan {
    /// As told to others: `hour`, `day`, `month` or `year`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// Everything that the database says of an interface, oldest first.
///
/// # Errors
/// When the file is not there, is no vnStat 2 database, is damaged, or does not know the interface.
pub fn read(path: &Path, interface: &str) -> Result<Vec<VnstatRow>, VnstatError> {
    std::fs::File::open(path).map_err(|source| VnstatError::File { path: path.to_owned(), source })?;
    let foreign = |problem: String| VnstatError::Foreign { path: path.to_owned(), problem };
    // Of another program's file SQLite says that a table is missing, or that it is no database at all.
    let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
        None | Some(ErrorCode::Unknown | ErrorCode::NotADatabase) => foreign(error.to_string()),
        Some(_) => VnstatError::Unreadable { path: path.to_owned(), problem: error.to_string() },
    };
    let conn =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(failed)?;
    // What vnStat writes meanwhile must not come in between: hours that are older than their day do not sum up to it.
    let conn = conn.unchecked_transaction().map_err(failed)?;
    let version: Option<String> = conn
        .query_row("SELECT CAST(value AS TEXT) FROM info WHERE name = 'dbversion'", [], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    match version.as_deref() {
        Some(KNOWN) => {}
        Some(other) => {
            return Err(foreign(format!("its schema is version {other:?}, and {KNOWN} is known")));
        }
        None => return Err(foreign("it does not tell its version".to_owned())),
    }
    let id: Option<i64> = conn
        .query_row("SELECT id FROM interface WHERE name = ?1", [interface], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    let Some(id) = id else { return Err(unknown(&conn, path, interface)) };
    let table = |name: &str| {
        let told = table(&conn, name, id).map_err(failed)?;
        told.map_err(|problem| VnstatError::Unreadable { path: path.to_owned(), problem })
    };
    let (hours, days, months, years) = (table("hour")?, table("day")?, table("month")?, table("year")?);
    let day_of = |at: &NaiveDateTime| at.date().and_time(chrono::NaiveTime::MIN);
    let first = |date: Option<NaiveDate>, at: &NaiveDateTime| {
        date.map_or(*at, |d| d.and_time(chrono::NaiveTime::MIN))
    };
    let month_of = |at: &NaiveDateTime| first(at.date().with_day(1), at);
    let year_of = |at: &NaiveDateTime| first(NaiveDate::from_ymd_opt(at.year(), 1, 1), at);
    let days = coarser(rows(hours, VnstatSpan::Hour), days, VnstatSpan::Day, day_of);
    let months = coarser(days, months, VnstatSpan::Month, month_of);
    let years = coarser(months, years, VnstatSpan::Year, year_of);
    let mut told: Vec<VnstatRow> = years.into_values().flatten().collect();
    told.retain(|row| row.volume != Volume::default());
    told.sort_by_key(|row| row.start);
    Ok(told)
}

type Parts = BTreeMap<NaiveDateTime, Vec<VnstatRow>>;

fn rows(table: BTreeMap<NaiveDateTime, Volume>, span: VnstatSpan) -> Parts {
    table.into_iter().map(|(start, volume)| (start, vec![VnstatRow { start, span, volume }])).collect()
}

/// Each row of a coarser table by its parts where these sum up to it. Parts without such a row stand for themselves.
fn coarser(
    parts: Parts,
    table: BTreeMap<NaiveDateTime, Volume>,
    span: VnstatSpan,
    of: impl Fn(&NaiveDateTime) -> NaiveDateTime,
) -> Parts {
    let mut grouped: Parts = BTreeMap::new();
    for (start, rows) in parts {
        grouped.entry(of(&start)).or_default().extend(rows);
    }
    for (start, volume) in table {
        let start = of(&start);
        let sum = grouped
            .get(&start)
            .and_then(|rows| rows.iter().try_fold(Volume::default(), |sum, row| sum.checked_add(row.volume)));
        if sum != Some(volume) {
            grouped.insert(start, vec![VnstatRow { start, span, volume }]);
        }
    }
    grouped
}

/// What a table says of an interface, or which of its rows says nothing that makes sense.
type Told = Result<BTreeMap<NaiveDateTime, Volume>, String>;

fn table(conn: &Connection, name: &str, interface: i64) -> rusqlite::Result<Told> {
    let mut statement =
        conn.prepare(&format!("SELECT CAST(date AS TEXT), rx, tx FROM {name} WHERE interface = ?1"))?;
    let mut rows = statement.query([interface])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        let whole = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S").ok();
        let date =
            || NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().map(|d| d.and_time(chrono::NaiveTime::MIN));
        let Some(at) = whole.or_else(date) else {
            return Ok(Err(format!("table {name}: {text:?} is no date")));
        };
        let bytes =
            |column: usize| row.get::<_, i64>(column).ok().and_then(|value| u64::try_from(value).ok());
        let (Some(rx), Some(tx)) = (bytes(1), bytes(2)) else {
            return Ok(Err(format!("table {name}: the row of {text} has a figure that is none")));
        };
        found.insert(at, Volume { rx, tx });
    }
    Ok(Ok(found))
}

fn unknown(conn: &Connection, path: &Path, interface: &str) -> VnstatError {
    let names = conn.prepare("SELECT name FROM interface ORDER BY name LIMIT 20").and_then(|mut all| {
        all.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<String>>>()
    });
    let known = match names {
        Ok(names) if !names.is_empty() => names.join(", "),
        _ => "none".to_owned(),
    };
    VnstatError::UnknownInterface { path: path.to_owned(), interface: interface.to_owned(), known }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// vnStat writes each table in turn, in one transaction; hours of before and a day of after are no whole.
    #[test]
    fn a_database_that_is_written_meanwhile_is_read_as_of_one_instant() {
        let dir = std::env::temp_dir().join(format!("simbell-vnstat-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("vnstat.db");
        let mut conn = Connection::open(&path).unwrap();
        let mut made = "PRAGMA journal_mode = WAL;
             CREATE TABLE info (name, value); INSERT INTO info VALUES ('dbversion', '1');
             CREATE TABLE interface (id, name); INSERT INTO interface VALUES (1, 'wwan0');"
            .to_owned();
        for (name, date) in [
            ("hour", "2025-03-02 13:00:00"),
            ("day", "2025-03-02"),
            ("month", "2025-03-01"),
            ("year", "2025-01-01"),
        ] {
            made.push_str(&format!(
                "CREATE TABLE {name} (interface, date, rx, tx); INSERT INTO {name} VALUES (1, '{date}', 1, 1);"
            ));
        }
        conn.execute_batch(&made).unwrap();
        let over = AtomicBool::new(false);
        let told: Vec<_> = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let tx = conn.transaction().unwrap();
                    for name in ["hour", "day", "month", "year"] {
                        tx.execute(&format!("UPDATE {name} SET rx = rx + 1"), []).unwrap();
                    }
                    tx.commit().unwrap();
                }
            });
            let told = (0..300).map(|_| read(&path, "wwan0")).collect();
            over.store(true, Ordering::Relaxed);
            told
        });
        std::fs::remove_dir_all(&dir).unwrap();
        let rows: Vec<VnstatRow> = told.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(rows.len(), 300);
        let coarse = rows.iter().filter(|row| row.span != VnstatSpan::Hour).count();
        assert_eq!(coarse, 0, "an hour is told as an hour");
    }

    #[test]
    fn what_cannot_be_read_is_told_apart_from_what_is_of_another_program() {
        let dir = std::env::temp_dir().join(format!("simbell-foreign-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("vnstat.db");
        let conn = Connection::open(&path).unwrap();
        let told = || read(&path, "wwan0").unwrap_err();
        conn.execute_batch("CREATE TABLE other (x)").unwrap();
        assert!(matches!(told(), VnstatError::Foreign { .. }), "{}", told());
        let mut made = "CREATE TABLE info (name, value); INSERT INTO info VALUES ('dbversion', '1');
             CREATE TABLE interface (id, name); INSERT INTO interface VALUES (1, 'wwan0');"
            .to_owned();
        for name in ["hour", "day", "month", "year"] {
            made.push_str(&format!("CREATE TABLE {name} (interface, date, rx, tx);"));
        }
        conn.execute_batch(&made).unwrap();
        conn.execute_batch("INSERT INTO day VALUES (1, '2025-03-02', 1, -1)").unwrap();
        let damaged = told().to_string();
        assert!(
            damaged.ends_with("cannot be read: table day: the row of 2025-03-02 has a figure that is none")
        );
        conn.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let locked = told();
        assert!(matches!(locked, VnstatError::Unreadable { .. }), "{locked}");
        drop(conn);
        std::fs::write(&path, vec![b'x'; 4_096]).unwrap();
        assert!(matches!(told(), VnstatError::Foreign { .. }), "{}", told());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
