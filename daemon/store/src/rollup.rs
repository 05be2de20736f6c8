//! Sums of usage by UTC day and by UTC month: derived from `usage`, never a source of their own.
//!
//! They cover the whole days from 1970 until a mark (`note.key = 'usage_sums_until_ms'`), which moves on once a day, so
//! that a commit writes nothing more for them. Whatever changes usage before the mark afterwards changes them in the
//! same transaction. A total is then the sum of hours at both edges of its span, of days and of months between.

use std::cell::OnceCell;

use chrono::{Datelike, Months, NaiveTime};
use rusqlite::{Connection, OptionalExtension, params};
use simbell_core::ident::Iccid;
use simbell_core::ledger::{Source, Volume, Zone};
use simbell_core::time::Timestamp;

use crate::apply::{Failure, Made};
use crate::open::Store;
use crate::packed;
use crate::prune::PruneError;
use crate::rows::{QueryError, collect, unsigned};
use crate::totals::fits;
use crate::usage::{source, text};
use crate::voice_months;

pub(crate) const DAY: i64 = 86_400_000;

const MARK: &str = "usage_sums_until_ms";

/// Starts of the UTC month of `usage_day.day_ms`, in SQL.
const MONTH_OF_DAY: &str =
    "CAST(strftime('%s', day_ms / 1000, 'unixepoch', 'start of month') AS INTEGER) * 1000";

/// Sums the days of a SIM in a half-open span.
const DAYS_OF_SIM: &str = "INSERT INTO usage_day
     SELECT iccid, start_ms - start_ms % 86400000 AS day_ms, zone, source, sum(rx_bytes), sum(tx_bytes)
     FROM usage WHERE iccid = ?1 AND start_ms >= ?2 AND start_ms < ?3 GROUP BY iccid, day_ms, zone, source";

/// Usage that is added to a slot.
pub(crate) struct More<'a> {
    pub(crate) iccid: &'a str,
    pub(crate) start: i64,
    pub(crate) zone: &'a str,
    pub(crate) source: &'a str,
    pub(crate) rx: i64,
    pub(crate) tx: i64,
}

pub(crate) const FIND_MARK: &str = "SELECT CAST(value AS INTEGER) FROM note WHERE key = ?1";

/// Until when days are summed; none before the first time.
pub(crate) fn mark(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached(FIND_MARK)?.query_row([MARK], |row| row.get(0)).optional()
}

/// [`mark`], asked for once in a transaction that does not move it.
#[derive(Debug, Default)]
pub(crate) struct Mark(OnceCell<Option<i64>>);

impl Mark {
    fn get(&self, conn: &Connection) -> rusqlite::Result<Option<i64>> {
        if let Some(known) = self.0.get() {
            return Ok(*known);
        }
        let found = mark(conn)?;
        Ok(*self.0.get_or_init(|| found))
    }
}

/// Usage that comes in before the mark is added to the sums too.
pub(crate) fn add(tx: &Connection, more: &More<'_>, mark: &Mark) -> Made {
    if more.start < 0 || mark.get(tx)?.is_none_or(|mark| more.start >= mark) {
        return Ok(());
    }
    let day = more.start.div_euclid(DAY).saturating_mul(DAY);
    let month = month_start(day).unwrap_or(day);
    packed::forget(tx, more.iccid, month, month.saturating_add(1))?;
    for (sql, start, figure) in [
        (
            "INSERT INTO usage_day VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET rx_bytes = rx_bytes + ?5, tx_bytes = tx_bytes + ?6",
            day,
            "the day's sum",
        ),
        (
            "INSERT INTO usage_month VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET rx_bytes = rx_bytes + ?5, tx_bytes = tx_bytes + ?6",
            month,
            "the month's sum",
        ),
    ] {
        tx.prepare_cached(sql)?
            .execute(params![more.iccid, start, more.zone, more.source, more.rx, more.tx])
            .map_err(|error| too_large(error, figure))?;
    }
    Ok(())
}

/// SQLite turns an integer sum that does not fit into a real number, which a strict column refuses.
pub(crate) fn too_large(error: rusqlite::Error, figure: &'static str) -> Failure {
    match error.sqlite_error() {
        Some(failure) if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_DATATYPE => {
            Failure::Overflow(figure)
        }
        _ => Failure::Sqlite(error),
    }
}

impl Store {
    /// Sums the days that are over, up to the UTC day that `now` lies in, packs the months that are over and counts
    /// their calls and messages: once a day. `now` is a trusted wall clock.
    ///
    /// # Errors
    /// When SQLite fails, or a sum does not fit; then totals are summed from hours, and exports made of them, as before.
    pub fn roll_up(&mut self, now: Timestamp) -> Result<(), PruneError> {
        self.sum_days(now)?;
        packed::pack(&mut self.conn)?;
        voice_months::pack(&mut self.conn)
    }

    fn sum_days(&mut self, now: Timestamp) -> Result<(), PruneError> {
        let until = now.as_millis().max(0).div_euclid(DAY).saturating_mul(DAY);
        let tx = self.conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let from = mark(&tx)?.unwrap_or(0);
        if from >= until {
            return Ok(());
        }
        // Each SIM by its own range: usage has no index by time alone, and what is sorted is held in memory.
        let sims: Vec<String> = tx
            .prepare_cached(
                "WITH RECURSIVE sims (iccid) AS (SELECT min(iccid) FROM usage UNION ALL
                     SELECT (SELECT min(iccid) FROM usage WHERE usage.iccid > sims.iccid) FROM sims
                     WHERE sims.iccid IS NOT NULL)
                 SELECT iccid FROM sims WHERE iccid IS NOT NULL",
            )?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for iccid in &sims {
            tx.prepare_cached(DAYS_OF_SIM)?.execute(params![iccid, from, until])?;
        }
        tx.execute(
            &format!(
                "INSERT INTO usage_month
                 SELECT iccid, {MONTH_OF_DAY} AS month_ms, zone, source, sum(rx_bytes), sum(tx_bytes)
                 FROM usage_day WHERE day_ms >= ?1 AND day_ms < ?2 GROUP BY iccid, month_ms, zone, source
                 ON CONFLICT DO UPDATE SET rx_bytes = rx_bytes + excluded.rx_bytes,
                 tx_bytes = tx_bytes + excluded.tx_bytes"
            ),
            [from, until],
        )?;
        tx.execute("INSERT OR REPLACE INTO note VALUES (?1, ?2)", params![MARK, until.to_string()])?;
        tx.commit()?;
        Ok(())
    }
}

/// Makes the sums of a SIM's days from `from` until `until` anew, where they are before the mark.
pub(crate) fn recompute(tx: &Connection, iccid: &Iccid, from: i64, until: i64) -> rusqlite::Result<()> {
    let Some(mark) = mark(tx)? else { return Ok(()) };
    let from = from.max(0).div_euclid(DAY).saturating_mul(DAY);
    let until = until.saturating_add(DAY - 1).div_euclid(DAY).saturating_mul(DAY).min(mark);
    if from >= until {
        return Ok(());
    }
    let first_month = month_start(from).unwrap_or(0);
    let months_end = month_after(until.saturating_sub(1)).unwrap_or(mark);
    let iccid = iccid.as_str();
    packed::forget(tx, iccid, first_month, months_end)?;
    tx.execute(
        "DELETE FROM usage_day WHERE iccid = ?1 AND day_ms >= ?2 AND day_ms < ?3",
        params![iccid, from, until],
    )?;
    tx.execute(DAYS_OF_SIM, params![iccid, from, until])?;
    tx.execute(
        "DELETE FROM usage_month WHERE iccid = ?1 AND month_ms >= ?2 AND month_ms < ?3",
        params![iccid, first_month, months_end],
    )?;
    tx.execute(
        &format!(
            "INSERT INTO usage_month
             SELECT iccid, {MONTH_OF_DAY} AS month_ms, zone, source, sum(rx_bytes), sum(tx_bytes)
             FROM usage_day WHERE iccid = ?1 AND day_ms >= ?2 AND day_ms < ?3
             GROUP BY iccid, month_ms, zone, source"
        ),
        params![iccid, first_month, months_end],
    )?;
    Ok(())
}

/// A SIM's usage in a half-open span of slot starts, by zone and source, in their order.
pub(crate) fn sums(
    conn: &Connection,
    iccid: &Iccid,
    from: i64,
    until: i64,
) -> Result<Vec<(Zone, Source, Volume)>, QueryError> {
    let [first_day, first_month, last_month, last_day] = edges(from, until, mark(conn)?);
    collect(
        &mut conn.prepare_cached(
            "SELECT zone, source, sum(rx_bytes), sum(tx_bytes) FROM (
                 SELECT zone, source, rx_bytes, tx_bytes FROM usage
                 WHERE iccid = ?1 AND start_ms >= ?2 AND start_ms < ?3
                 UNION ALL SELECT zone, source, rx_bytes, tx_bytes FROM usage_day
                 WHERE iccid = ?1 AND day_ms >= ?3 AND day_ms < ?4
                 UNION ALL SELECT zone, source, rx_bytes, tx_bytes FROM usage_month
                 WHERE iccid = ?1 AND month_ms >= ?4 AND month_ms < ?5
                 UNION ALL SELECT zone, source, rx_bytes, tx_bytes FROM usage_day
                 WHERE iccid = ?1 AND day_ms >= ?5 AND day_ms < ?6
                 UNION ALL SELECT zone, source, rx_bytes, tx_bytes FROM usage
                 WHERE iccid = ?1 AND start_ms >= ?6 AND start_ms < ?7)
             GROUP BY zone, source ORDER BY zone, source",
        )?,
        params![iccid.as_str(), from, first_day, first_month, last_month, last_day, until],
        |row| {
            let volume = Volume {
                rx: unsigned(row.get(2)?, "usage.rx_bytes")?,
                tx: unsigned(row.get(3)?, "usage.tx_bytes")?,
            };
            Ok((Zone::from_text(text(row, 0, "usage.zone")?), source(text(row, 1, "usage.source")?)?, volume))
        },
    )
    .map_err(|error| fits(error, "usage"))
}

/// Where hours give way to days, days to months, and back: ascending between `from` and `until`.
fn edges(from: i64, until: i64, mark: Option<i64>) -> [i64; 4] {
    let none = [until; 4];
    let Some(mark) = mark else { return none };
    let first_day = from.max(0).saturating_add(DAY - 1).div_euclid(DAY).saturating_mul(DAY);
    let last_day = until.min(mark).div_euclid(DAY).saturating_mul(DAY);
    if first_day >= last_day {
        return none;
    }
    let months = month_after(first_day.saturating_sub(1)).zip(month_start(last_day));
    match months {
        Some((first, last)) if first < last => [first_day, first, last, last_day],
        _ => [first_day, last_day, last_day, last_day],
    }
}

pub(crate) fn month_start(at: i64) -> Option<i64> {
    let date = Timestamp::from_millis(at).to_utc().date_naive().with_day(1)?;
    Some(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
}

/// The first start of a month after `at`.
pub(crate) fn month_after(at: i64) -> Option<i64> {
    let date =
        Timestamp::from_millis(at).to_utc().date_naive().with_day(1)?.checked_add_months(Months::new(1))?;
    Some(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    #[test]
    fn edges_ascend_and_lie_on_days_and_months() {
        let day = ms("2026-11-20T00:00:00Z");
        let mark = Some(day);
        assert_eq!(
            edges(ms("2024-02-28T12:00:00Z"), ms("2026-11-19T01:00:00Z"), mark),
            [
                ms("2024-02-29T00:00:00Z"),
                ms("2024-03-01T00:00:00Z"),
                ms("2026-11-01T00:00:00Z"),
                ms("2026-11-19T00:00:00Z")
            ]
        );
        let whole = (ms("2026-01-01T00:00:00Z"), ms("2027-01-01T00:00:00Z"));
        assert_eq!(edges(whole.0, whole.1, mark), [whole.0, whole.0, ms("2026-11-01T00:00:00Z"), day]);
        assert_eq!(edges(whole.0, whole.1, None), [whole.1; 4]);
        // A span within one day, one across midnight, and the ends of time.
        let (from, until) = (ms("2026-03-03T03:00:00Z"), ms("2026-03-03T09:00:00Z"));
        assert_eq!(edges(from, until, mark), [until; 4]);
        let all = edges(i64::MIN, i64::MAX, mark);
        assert_eq!((all[0], all[3]), (0, day));
    }
}
