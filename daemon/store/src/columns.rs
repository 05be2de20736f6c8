//! Many rows at once, column by column: what an export is made of.

use rusqlite::{Connection, params};
use simbell_core::ident::Iccid;
use simbell_core::ledger::{Correction, Gap, Source, Volume, Zone};
use simbell_core::time::Timestamp;

use crate::carrier::{CORRECTION, correction};
use crate::lists::gap;
use crate::open::Store;
use crate::reader::Reader;
use crate::rollup;
use crate::rows::{QueryError, collect, unsigned};
use crate::totals::corrections;
use crate::usage::{source, text};

const HOUR: i64 = 3_600_000;

/// Usage by hour in columns of equal length, in order of time. Times are milliseconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// The kinds of rows there are: where, by which counter.
    pub series: Vec<(Zone, Source)>,
    /// First instants.
    pub start: Vec<i64>,
    /// First instants after them.
    pub end: Vec<i64>,
    /// Places in `series`.
    pub kind: Vec<usize>,
    /// Bytes received.
    pub rx: Vec<u64>,
    /// Bytes sent.
    pub tx: Vec<u64>,
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
                hours(&self.conn, iccid, from, until, most)
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
                Ok(generation(&self.conn)?)
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

fn hours(
    conn: &Connection,
    iccid: &Iccid,
    from: Timestamp,
    until: Timestamp,
    most: usize,
) -> Result<(Columns, Option<Timestamp>), QueryError> {
    let mut out = Columns::default();
    let mut slots = conn.prepare_cached(
        "SELECT start_ms, zone, source, rx_bytes, tx_bytes, until_ms FROM usage
         WHERE iccid = ?1 AND start_ms >= ?2 AND start_ms < ?3 ORDER BY start_ms",
    )?;
    let mut rows = slots.query(params![iccid.as_str(), from.as_millis(), until.as_millis()])?;
    // The words of the row before, so that they are understood once where nothing changes.
    let mut before: (String, String, usize) = (String::new(), String::new(), usize::MAX);
    let mut hour_begins = 0;
    let mut hour = i64::MIN;
    while let Some(row) = rows.next()? {
        let start: i64 = row.get(0)?;
        let this_hour = start.div_euclid(HOUR).saturating_mul(HOUR);
        if this_hour != hour {
            if out.start.len() >= most.max(1) {
                return Ok((out, Some(Timestamp::from_millis(start))));
            }
            hour = this_hour;
            hour_begins = out.start.len();
        }
        let (zone, by) = (text(row, 1, "usage.zone")?, text(row, 2, "usage.source")?);
        if before.2 == usize::MAX || before.0 != zone || before.1 != by {
            let series = (Zone::from_text(zone), source(by)?);
            let place = out.series.iter().position(|known| *known == series);
            before = (zone.to_owned(), by.to_owned(), place.unwrap_or(out.series.len()));
            if place.is_none() {
                out.series.push(series);
            }
        }
        let (rx, tx): (u64, u64) =
            (unsigned(row.get(3)?, "usage.rx_bytes")?, unsigned(row.get(4)?, "usage.tx_bytes")?);
        let hour_end = this_hour.saturating_add(HOUR);
        let coarse: Option<i64> = row.get::<_, Option<i64>>(5)?.filter(|end| *end > hour_end);
        let (start, end) = coarse
            .map_or((this_hour.max(from.as_millis()), hour_end.min(until.as_millis())), |end| (start, end));
        out.add(hour_begins, (start, end, before.2), (rx, tx))?;
    }
    Ok((out, None))
}

impl Columns {
    /// Adds to the row of the same hour and kind, or as a row of its own.
    fn add(
        &mut self,
        hour_begins: usize,
        (start, end, kind): (i64, i64, usize),
        (rx, tx): (u64, u64),
    ) -> Result<(), QueryError> {
        let overflow = || QueryError::Overflow { what: "usage" };
        for place in hour_begins..self.start.len() {
            let same = self.kind.get(place) == Some(&kind)
                && self.start.get(place) == Some(&start)
                && self.end.get(place) == Some(&end);
            if let (true, Some(sum_rx), Some(sum_tx)) = (same, self.rx.get_mut(place), self.tx.get_mut(place))
            {
                *sum_rx = sum_rx.checked_add(rx).ok_or_else(overflow)?;
                *sum_tx = sum_tx.checked_add(tx).ok_or_else(overflow)?;
                return Ok(());
            }
        }
        self.start.push(start);
        self.end.push(end);
        self.kind.push(kind);
        self.rx.push(rx);
        self.tx.push(tx);
        Ok(())
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

fn generation(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT coalesce((SELECT CAST(value AS INTEGER) FROM note WHERE key = ?1), 0)")?
        .query_row([GENERATION], |row| row.get(0))
}

/// History is changed after the fact.
pub(crate) fn next_generation(conn: &Connection) -> rusqlite::Result<()> {
    let next = generation(conn)?.saturating_add(1);
    conn.execute("INSERT OR REPLACE INTO note VALUES (?1, ?2)", params![GENERATION, next.to_string()])?;
    Ok(())
}
