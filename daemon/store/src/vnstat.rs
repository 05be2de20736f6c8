//! Reads a vnStat 2 database: what it says of one interface, each byte once.
//!
//! vnStat keeps the same traffic by hour, day, month and year, and forgets the finer of them first, the oldest of each before
//! the others. What a row says beyond its finer rows passed before the first of them: it is told as a shorter row of its own.
//! Where there is no time before, a day is told by its own row; of a month or a year, which would keep all of its days away
//! where the ledger has an entry of one, it is left out, and said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use simbell_core::ledger::Volume;

/// The schema that vnStat 2 writes (`info.dbversion`).
const KNOWN: &str = "1";

/// Bytes a second that no network of today can carry: 20 Gbit/s, as of what counters say.
pub const FASTEST: u64 = 2_500_000_000;

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
    /// Where it ends before that: at the first of its finer rows.
    pub until: Option<NaiveDateTime>,
    /// Bytes as vnStat counted them: link-layer bytes of the interface.
    pub volume: Volume,
}

/// What a database says of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VnstatRows {
    /// Each byte once, oldest first.
    pub rows: Vec<VnstatRow>,
    /// Rows left out, since they cannot be: a figure that is none or more than any network carries, a date that is none.
    pub impossible: u64,
    /// Rows of which a part was left out, since nothing tells when in their time it passed.
    pub undated_rows: u64,
    /// Those parts.
    pub undated: Volume,
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
    fn end(self, start: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Self::Hour => start.checked_add_signed(TimeDelta::hours(1)),
            Self::Day => start.checked_add_days(Days::new(1)),
            Self::Month => start.checked_add_months(Months::new(1)),
            Self::Year => start.checked_add_months(Months::new(12)),
        }
    }

    /// The beginning of the one that an instant lies in.
    fn start(self, at: NaiveDateTime) -> NaiveDateTime {
        let date = at.date();
        let first = match self {
            Self::Hour => return at,
            Self::Day => Some(date),
            Self::Month => date.with_day(1),
            Self::Year => NaiveDate::from_ymd_opt(date.year(), 1, 1),
        };
        first.map_or(at, |first| first.and_time(NaiveTime::MIN))
    }

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
pub fn read(path: &Path, interface: &str) -> Result<VnstatRows, VnstatError> {
    let file = |source| VnstatError::File { path: path.to_owned(), source };
    let about = std::fs::File::open(path).and_then(|file| file.metadata()).map_err(file)?;
    let foreign = |problem: String| VnstatError::Foreign { path: path.to_owned(), problem };
    if about.is_dir() {
        return Err(foreign("it is a directory".to_owned()));
    }
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
    let mut told = Told::default();
    for span in [VnstatSpan::Hour, VnstatSpan::Day, VnstatSpan::Month, VnstatSpan::Year] {
        let table = told.table(&conn, span, id).map_err(failed)?;
        told.coarser(table, span);
    }
    told.all.undated_rows = u64::try_from(told.undated.len()).unwrap_or(u64::MAX);
    told.all.undated = told.undated.iter().fold(Volume::default(), |sum, (_, left)| plus(sum, *left));
    told.all.rows = told.parts.into_values().flatten().collect();
    told.all.rows.retain(|row| row.volume != Volume::default());
    told.all.rows.sort_by_key(|row| row.start);
    Ok(told.all)
}

#[derive(Default)]
struct Told {
    /// What is told, by the beginning of the coarsest row looked at so far.
    parts: BTreeMap<NaiveDateTime, Vec<VnstatRow>>,
    /// Where rows begin that cannot be: their traffic may be what a coarser row says beyond its finer ones.
    garbled: BTreeSet<NaiveDateTime>,
    /// What was left out of rows since nothing tells when it passed, by their beginnings: a coarser row has it too.
    undated: Vec<(NaiveDateTime, Volume)>,
    all: VnstatRows,
}

/// Saturates, which it never does: what no network carries was left out before.
fn plus(a: Volume, b: Volume) -> Volume {
    Volume { rx: a.rx.saturating_add(b.rx), tx: a.tx.saturating_add(b.tx) }
}

impl Told {
    /// Each row of a coarser table by its parts and what is left of it. Parts without such a row stand for themselves.
    fn coarser(&mut self, table: BTreeMap<NaiveDateTime, Volume>, span: VnstatSpan) {
        let mut grouped: BTreeMap<NaiveDateTime, Vec<VnstatRow>> = BTreeMap::new();
        for (start, rows) in std::mem::take(&mut self.parts) {
            grouped.entry(span.start(start)).or_default().extend(rows);
        }
        for (start, volume) in table {
            let start = span.start(start);
            let row = VnstatRow { start, span, until: None, volume };
            let Some(parts) = grouped.get_mut(&start) else {
                grouped.insert(start, vec![row]);
                continue;
            };
            let sum = parts.iter().fold(Volume::default(), |sum, part| plus(sum, part.volume));
            let told = self.undated.iter().filter(|(row, _)| span.start(*row) == start);
            let told = told.fold(sum, |sum, (_, left)| plus(sum, *left));
            let left =
                Volume { rx: volume.rx.saturating_sub(told.rx), tx: volume.tx.saturating_sub(told.tx) };
            let short = sum.rx > volume.rx || sum.tx > volume.tx;
            let first = parts.iter().map(|part| part.start).min().unwrap_or(start);
            let before = first > start && !self.garbled.iter().any(|garbled| span.start(*garbled) == start);
            match span {
                VnstatSpan::Hour | VnstatSpan::Day if short || (left != Volume::default() && !before) => {
                    *parts = vec![row]
                }
                _ if left == Volume::default() => {}
                _ if before => parts.push(VnstatRow { until: Some(first), volume: left, ..row }),
                _ => self.undated.push((start, left)),
            }
        }
        self.parts = grouped;
    }

    /// What a table says of an interface, but for rows that cannot be.
    fn table(
        &mut self,
        conn: &Connection,
        span: VnstatSpan,
        interface: i64,
    ) -> rusqlite::Result<BTreeMap<NaiveDateTime, Volume>> {
        let name = span.as_str();
        let mut statement =
            conn.prepare(&format!("SELECT CAST(date AS TEXT), rx, tx FROM {name} WHERE interface = ?1"))?;
        let mut rows = statement.query([interface])?;
        let mut found = BTreeMap::new();
        while let Some(row) = rows.next()? {
            // A date that is no text in UTF-8 is none.
            let text = row.get::<_, Option<String>>(0).ok().flatten().unwrap_or_default();
            let whole = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S").ok();
            let date =
                || NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().map(|d| d.and_time(NaiveTime::MIN));
            let at = whole.or_else(date);
            let bytes =
                |column: usize| row.get::<_, i64>(column).ok().and_then(|value| u64::try_from(value).ok());
            let volume = bytes(1).zip(bytes(2)).map(|(rx, tx)| Volume { rx, tx });
            let credible = |at: &NaiveDateTime, volume: &Volume| {
                let seconds = span.end(*at).map_or(0, |end| (end - *at).num_seconds());
                let most = FASTEST.saturating_mul(u64::try_from(seconds).unwrap_or(0));
                volume.rx < most && volume.tx < most
            };
            match at.zip(volume).filter(|(at, volume)| credible(at, volume)) {
                Some((at, volume)) => {
                    found.insert(at, volume);
                }
                None => {
                    self.all.impossible = self.all.impossible.saturating_add(1);
                    self.garbled.extend(at);
                }
            }
        }
        Ok(found)
    }
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
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vnstat.db");
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
        let rows: Vec<VnstatRow> =
            told.into_iter().flat_map(|told: Result<VnstatRows, _>| told.unwrap().rows).collect();
        assert_eq!(rows.len(), 300);
        let coarse = rows.iter().filter(|row| row.span != VnstatSpan::Hour).count();
        assert_eq!(coarse, 0, "an hour is told as an hour");
    }

    /// The tables that are read of, with one interface and no row of it.
    fn make(conn: &Connection) {
        let mut made = "CREATE TABLE info (name, value); INSERT INTO info VALUES ('dbversion', '1');
             CREATE TABLE interface (id, name); INSERT INTO interface VALUES (1, 'wwan0');"
            .to_owned();
        for name in ["hour", "day", "month", "year"] {
            made.push_str(&format!("CREATE TABLE {name} (interface DEFAULT 1, date, rx, tx);"));
        }
        conn.execute_batch(&made).unwrap();
    }

    fn told_of(rows: &str) -> VnstatRows {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vnstat.db");
        let conn = Connection::open(&path).unwrap();
        make(&conn);
        conn.execute_batch(rows).unwrap();
        drop(conn);
        read(&path, "wwan0").unwrap()
    }

    fn shown(told: &VnstatRows) -> Vec<String> {
        let shown = told.rows.iter().map(|row| {
            let until = row.until.map(|until| format!(" until {}", until.format("%m-%d %H")));
            let start = row.start.format("%Y-%m-%d %H");
            format!("{start} {}{} {}", row.span.as_str(), until.unwrap_or_default(), row.volume.rx)
        });
        shown.collect()
    }

    #[test]
    fn what_a_month_leaves_out_the_year_does_not_leave_out_again() {
        let days = "INSERT INTO day (date, rx, tx) VALUES ('2025-02-01', 10, 0), ('2025-02-20', 11, 0);";
        let months =
            "INSERT INTO month (date, rx, tx) VALUES ('2025-01-01', 1000, 0), ('2025-02-01', 31, 0);";
        // Of February 10 at any time, of the year 17 more.
        for (name, year, undated) in [("more", 1_048, (2, 27)), ("as-much", 1_031, (1, 10))] {
            let year = format!("INSERT INTO year (date, rx, tx) VALUES ('2025-01-01', {year}, 0)");
            let told = told_of(&format!("{days}{months}{year}"));
            assert_eq!((told.undated_rows, told.undated.rx), undated, "{name}");
            let known: u64 = told.rows.iter().map(|row| row.volume.rx).sum();
            assert_eq!(known, 1_021, "{name}");
        }
    }

    #[test]
    fn what_a_year_says_beyond_its_months_keeps_none_of_them_away() {
        let months = "INSERT INTO month (date, rx, tx) VALUES ('2025-10-01', 10, 0), ('2025-11-01', 20, 0);";
        // Older months were forgotten: what is left of the year was before.
        let told =
            told_of(&format!("{months} INSERT INTO year (date, rx, tx) VALUES ('2025-01-01', 100, 5)"));
        assert_eq!(
            shown(&told),
            ["2025-01-01 00 year until 10-01 00 70", "2025-10-01 00 month 10", "2025-11-01 00 month 20"]
        );
        assert_eq!((told.undated_rows, told.rows[0].volume.tx), (0, 5));
        // No time is left before the first month, or a row of it is garbled: nothing tells when it was.
        for (name, more) in [
            ("whole", "INSERT INTO month (date, rx, tx) VALUES ('2025-01-01', 5, 0);"),
            ("garbled", "INSERT INTO month (date, rx, tx) VALUES ('2025-12-01', -5, 0);"),
        ] {
            let year = "INSERT INTO year (date, rx, tx) VALUES ('2025-01-01', 100, 0)";
            let told = told_of(&format!("{months}{more}{year}"));
            assert!(
                shown(&told).ends_with(&["2025-10-01 00 month 10".into(), "2025-11-01 00 month 20".into()])
            );
            let known: u64 = told.rows.iter().map(|row| row.volume.rx).sum();
            assert_eq!((told.undated_rows, told.undated.rx + known), (1, 100), "{name}");
        }
        // Nor does a year that says less.
        let told = told_of(&format!("{months} INSERT INTO year (date, rx, tx) VALUES ('2025-01-01', 1, 0)"));
        assert_eq!(shown(&told), ["2025-10-01 00 month 10", "2025-11-01 00 month 20"]);
    }

    #[test]
    fn months_beyond_their_days_and_days_beyond_their_hours_keep_what_is_finer() {
        let told = told_of("INSERT INTO hour (date, rx, tx) VALUES ('2025-03-02 13:00:00', 7, 0), ('2025-03-02 14:00:00', 1, 0);
             INSERT INTO hour (date, rx, tx) VALUES ('2025-03-03 00:00:00', 4, 0);
             INSERT INTO day (date, rx, tx) VALUES ('2025-03-02', 10, 0), ('2025-03-03', 9, 0);
             INSERT INTO month (date, rx, tx) VALUES ('2025-03-01', 50, 0);",
        );
        assert_eq!(
            shown(&told),
            [
                "2025-03-01 00 month until 03-02 00 31",
                "2025-03-02 00 day until 03-02 13 2",
                "2025-03-02 13 hour 7",
                "2025-03-02 14 hour 1",
                // Nothing tells at which of its hours the rest was.
                "2025-03-03 00 day 9",
            ]
        );
    }

    #[test]
    fn rows_that_cannot_be_are_counted_each_and_keep_nothing_else_away() {
        let told = told_of("INSERT INTO hour (date, rx, tx) VALUES ('2025-03-02 13:00:00', 7, 0),
             ('2025-03-02 14:00:00', 9000000000000, 0), ('2025-03-02 15:00:00', 0, 9223372036854775807),
             ('2025-03-03 15:00:00', 9223372036854775807, 0), ('2025-03-04 15:00:00', -1, 0), ('yesterday', 1, 1),
             (x'00ff', 5, 6),
             ('2025-03-05 15:00:00', 3, 0);
             INSERT INTO day (date, rx, tx) VALUES ('2025-03-02', 7, 0), ('2025-03-03', 8, 0), ('2025-03-05', 3, 0);",
        );
        assert_eq!(told.impossible, 6);
        assert_eq!(shown(&told), ["2025-03-02 13 hour 7", "2025-03-03 00 day 8", "2025-03-05 15 hour 3"]);
    }

    #[test]
    fn what_cannot_be_read_is_told_apart_from_what_is_of_another_program() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vnstat.db");
        let conn = Connection::open(&path).unwrap();
        let told = || read(&path, "wwan0").unwrap_err();
        conn.execute_batch("CREATE TABLE other (x)").unwrap();
        assert!(matches!(told(), VnstatError::Foreign { .. }), "{}", told());
        let directory = read(dir.path(), "wwan0").unwrap_err();
        assert!(matches!(&directory, VnstatError::Foreign { problem, .. } if problem == "it is a directory"));
        make(&conn);
        conn.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let locked = told();
        assert!(matches!(locked, VnstatError::Unreadable { .. }), "{locked}");
        drop(conn);
        std::fs::write(&path, vec![b'x'; 4_096]).unwrap();
        assert!(matches!(told(), VnstatError::Foreign { .. }), "{}", told());
    }
}
