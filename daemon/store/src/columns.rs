//! Many rows at once, column by column: what an export is made of.

use rusqlite::{Connection, params};
use simbell_core::ident::Iccid;
use simbell_core::ledger::{Correction, Gap, Source, Volume, Zone};
use simbell_core::time::Timestamp;

use crate::carrier::{CORRECTION, correction};
use crate::lists::gap;
use crate::open::Store;
use crate::packed;
use crate::reader::Reader;
use crate::rollup;
use crate::rows::{QueryError, collect, unsigned};
use crate::totals::corrections;
use crate::usage::{source, text};

const HOUR: i64 = 3_600_000;

/// Usage by hour, oldest first: when and of which kind by runs, how much in columns of equal length. Times are
/// milliseconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// The kinds of rows there are: where, by which counter.
    pub series: Vec<(Zone, Source)>,
    /// When the rows were, and of which kind; the sum of their `rows` is the length of the columns.
    pub runs: Vec<RowRun>,
    /// Bytes received.
    pub rx: Vec<u64>,
    /// Bytes sent.
    pub tx: Vec<u64>,
}

/// Rows of one kind and length, each of which begins where the one before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRun {
    /// The first instant of the first row.
    pub start: i64,
    /// How long each row lasts.
    pub length: i64,
    /// Place in [`Columns::series`].
    pub kind: usize,
    /// How many rows.
    pub rows: usize,
}

impl RowRun {
    /// The first instant of a row, counted from 0; of the one after the last it is where the run ends.
    #[must_use]
    pub fn start_of(&self, row: usize) -> i64 {
        self.start.saturating_add(self.length.saturating_mul(i64::try_from(row).unwrap_or(i64::MAX)))
    }
}

/// Everything in a span, summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Σ of the entries whose slots start in it.
    pub volume: Volume,
    /// Σ of the corrections that count in it: signed bytes of both directions.
    pub corrections: i64,
}

/// Something in a span that is not usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// A correction.
    Correction(Correction),
    /// A gap.
    Gap(Gap),
}

/// Reads that an export is made of, on the writer's connection or on a reader's.
macro_rules! exports {
    ($type:ty) => {
        impl $type {
            /// What a SIM used in a half-open span of slot starts, summed.
            ///
            /// # Errors
            /// When the ledger cannot be read, or a sum does not fit.
            pub fn sums(&self, iccid: &Iccid, from: Timestamp, until: Timestamp) -> Result<Sums, QueryError> {
                let tx = self.conn.unchecked_transaction()?;
                sums(&tx, iccid, from, until)
            }

            /// A SIM's usage by UTC hour (folded and imported slots as long as they are) in a half-open span: at least
            /// `most` rows where there are so many, and where to go on.
            ///
            /// # Errors
            /// When the ledger cannot be read, or a sum does not fit.
            pub fn hours(
                &self,
                iccid: &Iccid,
                from: Timestamp,
                until: Timestamp,
                most: usize,
            ) -> Result<(Columns, Option<Timestamp>), QueryError> {
                let tx = self.conn.unchecked_transaction()?;
                hours(&tx, iccid, from, until, most)
            }

            /// Corrections and gaps of a SIM that count in, or touch, a half-open span: at most `most` of each,
            /// numbered, after the numbers in `after`, in their order. Without a SIM, the gaps of no known SIM.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn marks(
                &self,
                iccid: Option<&Iccid>,
                from: Timestamp,
                until: Timestamp,
                after: (i64, i64),
                most: u32,
            ) -> Result<Vec<(i64, Mark)>, QueryError> {
                marks(&self.conn, iccid, from, until, after, most)
            }

            /// How often history has been changed after the fact, by folding, import or its undoing: rows read before
            /// and after such a change do not belong together.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn generation(&self) -> Result<i64, QueryError> {
                Ok(times(&self.conn, GENERATION)?)
            }
        }
    };
}

exports!(Store);
exports!(Reader);

fn sums(conn: &Connection, iccid: &Iccid, from: Timestamp, until: Timestamp) -> Result<Sums, QueryError> {
    let (from, until) = (from.as_millis(), until.as_millis());
    let mut volume = Volume::default();
    for (_, _, more) in rollup::sums(conn, iccid, from, until)? {
        volume = volume.checked_add(more).ok_or(QueryError::Overflow { what: "usage" })?;
    }
    Ok(Sums { volume, corrections: corrections(conn, iccid, from, Some(until))? })
}

/// As [`Store::hours`], in a transaction.
pub(crate) fn hours(
    tx: &Connection,
    iccid: &Iccid,
    from: Timestamp,
    until: Timestamp,
    most: usize,
) -> Result<(Columns, Option<Timestamp>), QueryError> {
    let mut out = Columns::default();
    let (mut at, until) = (from.as_millis(), until.as_millis());
    loop {
        // By rows up to the next month that is packed, or over it where it cannot be believed.
        let packed = packed::next(tx, iccid, at, until)?;
        let begins = packed.as_ref().map_or(until, |month| month.start);
        if let Some(next) = rows(tx, iccid, (at, begins), most, &mut out)? {
            return Ok((out, Some(Timestamp::from_millis(next))));
        }
        let Some(month) = packed else { return Ok((out, None)) };
        if out.rx.len() >= most.max(1) {
            return Ok((out, Some(Timestamp::from_millis(begins))));
        }
        if !month.unpack(&mut out)
            && let Some(next) = rows(tx, iccid, (month.start, month.end), usize::MAX, &mut out)?
        {
            return Ok((out, Some(Timestamp::from_millis(next))));
        }
        at = month.end;
    }
}

/// Adds the rows of a half-open span, as they are kept; says where to go on once there are `most`.
pub(crate) fn rows(
    conn: &Connection,
    iccid: &Iccid,
    (from, until): (i64, i64),
    most: usize,
    out: &mut Columns,
) -> Result<Option<i64>, QueryError> {
    if from >= until {
        return Ok(None);
    }
    let mut slots = conn.prepare_cached(
        "SELECT start_ms, zone, source, rx_bytes, tx_bytes, until_ms FROM usage
         WHERE iccid = ?1 AND start_ms >= ?2 AND start_ms < ?3 ORDER BY start_ms",
    )?;
    let mut rows = slots.query(params![iccid.as_str(), from, until])?;
    // The words of the row before, so that they are understood once where nothing changes.
    let mut before: (String, String, usize) = (String::new(), String::new(), usize::MAX);
    let mut hour = i64::MIN;
    let mut of_hour: Vec<Hourly> = Vec::new();
    while let Some(row) = rows.next()? {
        let start: i64 = row.get(0)?;
        let this_hour = start.div_euclid(HOUR).saturating_mul(HOUR);
        if this_hour != hour {
            out.extend(&mut of_hour);
            if out.rx.len() >= most.max(1) {
                return Ok(Some(this_hour.max(from)));
            }
            hour = this_hour;
        }
        let (zone, by) = (text(row, 1, "usage.zone")?, text(row, 2, "usage.source")?);
        if before.2 == usize::MAX || before.0 != zone || before.1 != by {
            let kind = out.kind_of((Zone::from_text(zone), source(by)?));
            before = (zone.to_owned(), by.to_owned(), kind);
        }
        let (rx, tx): (u64, u64) =
            (unsigned(row.get(3)?, "usage.rx_bytes")?, unsigned(row.get(4)?, "usage.tx_bytes")?);
        let hour_end = this_hour.saturating_add(HOUR);
        let coarse: Option<i64> = row.get::<_, Option<i64>>(5)?.filter(|end| *end > hour_end);
        let (start, end) = coarse.map_or((this_hour.max(from), hour_end.min(until)), |end| (start, end));
        add(&mut of_hour, Hourly { start, end, kind: before.2, rx, tx })?;
    }
    out.extend(&mut of_hour);
    Ok(None)
}

/// A row of an hour.
struct Hourly {
    start: i64,
    end: i64,
    kind: usize,
    rx: u64,
    tx: u64,
}

/// Adds to the row of the same hour and kind, or as a row of its own.
fn add(of_hour: &mut Vec<Hourly>, more: Hourly) -> Result<(), QueryError> {
    let overflow = || QueryError::Overflow { what: "usage" };
    let same = |row: &&mut Hourly| (row.kind, row.start, row.end) == (more.kind, more.start, more.end);
    match of_hour.iter_mut().find(same) {
        Some(row) => {
            row.rx = row.rx.checked_add(more.rx).ok_or_else(overflow)?;
            row.tx = row.tx.checked_add(more.tx).ok_or_else(overflow)?;
        }
        None => of_hour.push(more),
    }
    Ok(())
}

impl Columns {
    /// The place of a kind of rows in [`Columns::series`], where it is put if need be.
    #[must_use]
    pub fn kind_of(&mut self, series: (Zone, Source)) -> usize {
        self.series.iter().position(|known| *known == series).unwrap_or_else(|| {
            self.series.push(series);
            self.series.len().saturating_sub(1)
        })
    }

    /// Adds a row that lasts from one instant until another.
    pub fn push(&mut self, (start, end): (i64, i64), kind: usize, volume: Volume) {
        self.push_run(RowRun { start, length: end.saturating_sub(start), kind, rows: 1 });
        self.rx.push(volume.rx);
        self.tx.push(volume.tx);
    }

    /// Says when rows are whose figures are put into the columns beside.
    pub(crate) fn push_run(&mut self, run: RowRun) {
        match self.runs.last_mut() {
            Some(last)
                if (last.kind, last.length) == (run.kind, run.length)
                    && last.start_of(last.rows) == run.start =>
            {
                last.rows = last.rows.saturating_add(run.rows);
            }
            _ => self.runs.push(run),
        }
    }

    fn extend(&mut self, of_hour: &mut Vec<Hourly>) {
        for row in of_hour.drain(..) {
            self.push((row.start, row.end), row.kind, Volume { rx: row.rx, tx: row.tx });
        }
    }
}

fn marks(
    conn: &Connection,
    iccid: Option<&Iccid>,
    from: Timestamp,
    until: Timestamp,
    after: (i64, i64),
    most: u32,
) -> Result<Vec<(i64, Mark)>, QueryError> {
    let (from, until) = (from.as_millis(), until.as_millis());
    let sql = format!(
        "SELECT {CORRECTION} FROM correction AS c
         WHERE c.iccid = ?1 AND c.at_ms >= ?2 AND c.at_ms < ?3 AND c.id > ?4 ORDER BY c.id LIMIT ?5"
    );
    let mut out = collect(
        &mut conn.prepare_cached(&sql)?,
        params![iccid.map(Iccid::as_str), from, until, after.0, most],
        |row| {
            let kept = correction(row)?;
            Ok((kept.id, Mark::Correction(kept.correction)))
        },
    )?;
    out.extend(collect(
        &mut conn.prepare_cached(
            "SELECT id, iccid, from_ms, until_ms, reason, detail FROM gap
             WHERE iccid IS ?1 AND id > ?4 AND coalesce(from_ms, until_ms, ?2) < ?3
             AND max(coalesce(until_ms, from_ms, ?2), coalesce(from_ms + 1, until_ms, ?2 + 1)) > ?2
             ORDER BY id LIMIT ?5",
        )?,
        params![iccid.map(Iccid::as_str), from, until, after.1, most],
        |row| Ok((row.get(0)?, Mark::Gap(gap(row)?))),
    )?);
    Ok(out)
}

const GENERATION: &str = "history_generation";

/// History is changed after the fact.
pub(crate) fn next_generation(conn: &Connection) -> rusqlite::Result<()> {
    count_up(conn, GENERATION)
}

/// How often something was counted in the ledger's notes.
pub(crate) fn times(conn: &Connection, key: &str) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT coalesce((SELECT CAST(value AS INTEGER) FROM note WHERE key = ?1), 0)")?
        .query_row([key], |row| row.get(0))
}

/// Once more than [`times`].
pub(crate) fn count_up(conn: &Connection, key: &str) -> rusqlite::Result<()> {
    let next = times(conn, key)?.saturating_add(1);
    conn.prepare_cached("INSERT OR REPLACE INTO note VALUES (?1, ?2)")?
        .execute(params![key, next.to_string()])?;
    Ok(())
}
