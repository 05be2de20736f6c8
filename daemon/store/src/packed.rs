//! Months that are over, packed: what exports read instead of a row for each hour, which is where their time would go.
//!
//! A pack is what [`crate::Reader::hours`] gives for the month, made once a day for months whose sums are complete.
//! Whatever changes usage of the month drops its pack in the same transaction. A pack that does not add up to the
//! month's sums, or cannot be read, is passed over: the rows are the source.
//!
//! Numbers of 7 bits a byte, least first, the top bit set on all but the last: how many kinds, and for each the length
//! and the bytes of its zone and of its source; how many runs, and for each the time from the end of the one before (of
//! the first: from the month's start) as a zigzag number, the length of a row, its kind and its count of rows; then for
//! each row the bytes received and the bytes sent.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use simbell_core::ident::Iccid;
use simbell_core::ledger::Zone;

use crate::columns::{Columns, RowRun, rows};
use crate::prune::PruneError;
use crate::rollup::{mark, month_after, month_start};
use crate::rows::QueryError;
use crate::usage::source;

/// A month's rows. Times are milliseconds since 1970 UTC.
pub(crate) struct Month {
    pub(crate) start: i64,
    pub(crate) end: i64,
    rows: Vec<u8>,
    sums: (u64, u64),
}

/// A SIM's first packed month that lies within a half-open span as a whole.
pub(crate) fn next(
    conn: &Connection,
    iccid: &Iccid,
    from: i64,
    until: i64,
) -> Result<Option<Month>, QueryError> {
    let found = conn
        .prepare_cached(
            "SELECT month_ms, until_ms, rows, (SELECT sum(rx_bytes) FROM usage_month AS m
                 WHERE m.iccid = p.iccid AND m.month_ms = p.month_ms),
                 (SELECT sum(tx_bytes) FROM usage_month AS m WHERE m.iccid = p.iccid AND m.month_ms = p.month_ms)
             FROM usage_packed AS p WHERE iccid = ?1 AND month_ms >= ?2 AND month_ms < ?3
             ORDER BY month_ms LIMIT 1",
        )?
        .query_row(params![iccid.as_str(), from, until], |row| {
            let sum = |at| row.get::<_, Option<i64>>(at).map(|sum| sum.and_then(|sum| u64::try_from(sum).ok()));
            let sums = sum(3)?.zip(sum(4)?);
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?, sums))
        })
        .optional()?;
    // Only what `pack` writes: a month that begins and ends as months do, and is summed.
    Ok(found.and_then(|(start, end, rows, sums)| {
        (end <= until && Some(end) == month_after(start)).then_some(Month { start, end, rows, sums: sums? })
    }))
}

/// Drops the packs of a SIM's months that begin in a half-open span.
pub(crate) fn forget(conn: &Connection, iccid: &str, from: i64, until: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM usage_packed WHERE iccid = ?1 AND month_ms >= ?2 AND month_ms < ?3")?
        .execute(params![iccid, from, until])?;
    Ok(())
}

/// Packs the months whose sums are complete and that are not packed, each in a transaction of its own.
pub(crate) fn pack(conn: &mut Connection) -> Result<(), PruneError> {
    let Some(complete) = mark(conn)?.and_then(month_start) else { return Ok(()) };
    let missing: Vec<(String, i64)> = conn
        .prepare_cached(
            "SELECT DISTINCT iccid, month_ms FROM usage_month AS m WHERE month_ms < ?1 AND NOT EXISTS
                 (SELECT 1 FROM usage_packed AS p WHERE p.iccid = m.iccid AND p.month_ms = m.month_ms)",
        )?
        .query_map([complete], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (iccid, start) in missing {
        let (Ok(iccid), Some(end)) = (Iccid::new(&iccid), month_after(start)) else { continue };
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut columns = Columns::default();
        match rows(&tx, &iccid, (start, end), usize::MAX, &mut columns) {
            Ok(_) => {}
            Err(QueryError::Sqlite(error)) => return Err(error.into()),
            // Whoever exports it is told.
            Err(QueryError::Unreadable { .. } | QueryError::Overflow { .. }) => continue,
        }
        tx.prepare_cached("INSERT OR REPLACE INTO usage_packed VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![iccid.as_str(), start, end, packed(&columns, start)])?;
        tx.commit()?;
    }
    Ok(())
}

fn packed(columns: &Columns, month: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(columns.rx.len().saturating_mul(9).saturating_add(64));
    number(of(columns.series.len()), &mut out);
    for (zone, source) in &columns.series {
        for text in [zone.to_text().as_str(), source.as_str()] {
            number(of(text.len()), &mut out);
            out.extend_from_slice(text.as_bytes());
        }
    }
    number(of(columns.runs.len()), &mut out);
    let mut before = month;
    for run in &columns.runs {
        let after = run.start.wrapping_sub(before);
        number(((after << 1) ^ (after >> 63)).cast_unsigned(), &mut out);
        number(run.length.cast_unsigned(), &mut out);
        number(of(run.kind), &mut out);
        number(of(run.rows), &mut out);
        before = run.start_of(run.rows);
    }
    for (rx, tx) in columns.rx.iter().zip(&columns.tx) {
        number(*rx, &mut out);
        number(*tx, &mut out);
    }
    out
}

impl Month {
    /// Adds its rows; adds nothing and says no where the pack is not what the ledger's sums say.
    pub(crate) fn unpack(&self, out: &mut Columns) -> bool {
        let before = (out.series.len(), out.runs.clone(), out.rx.len());
        let whole = self.read(out).is_some();
        if !whole {
            out.series.truncate(before.0);
            out.runs = before.1;
            out.rx.truncate(before.2);
            out.tx.truncate(before.2);
        }
        whole
    }

    fn read(&self, out: &mut Columns) -> Option<()> {
        let mut from = Bytes(&self.rows);
        let mut kinds = Vec::new();
        for _ in 0..from.count()? {
            let zone = Zone::from_text(from.text()?);
            let source = source(from.text()?).ok()?;
            kinds.push(out.kind_of((zone, source)));
        }
        let mut before = self.start;
        let mut rows: usize = 0;
        for _ in 0..from.count()? {
            let after = from.number()?;
            let after = (after >> 1).cast_signed() ^ (after & 1).cast_signed().wrapping_neg();
            let start = before.checked_add(after)?;
            let length = i64::try_from(from.number()?).ok()?;
            let kind = *kinds.get(usize::try_from(from.number()?).ok()?)?;
            let run = RowRun { start, length, kind, rows: from.count()? };
            before = run.start_of(run.rows);
            rows = rows.checked_add(run.rows)?;
            out.push_run(run);
        }
        // Each row takes two bytes at least: a lie about their number costs no memory.
        if rows > from.0.len() {
            return None;
        }
        out.rx.reserve(rows);
        out.tx.reserve(rows);
        let mut sums = (0_u64, 0_u64);
        for _ in 0..rows {
            let (rx, tx) = (from.number()?, from.number()?);
            sums = (sums.0.checked_add(rx)?, sums.1.checked_add(tx)?);
            out.rx.push(rx);
            out.tx.push(tx);
        }
        (from.0.is_empty() && sums == self.sums).then_some(())
    }
}

pub(crate) fn of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

pub(crate) fn number(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or(0));
}

/// What is still to be read.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        let mut shift = 0_u32;
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            // What does not fit is no number of ours.
            if shift > 63 || (shift == 63 && bits > 1) {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }

    pub(crate) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let length = self.count()?;
        let text = self.0.get(..length)?;
        self.0 = self.0.get(length..)?;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simbell_core::ledger::{Source, Volume};

    use super::*;

    const MONTH: i64 = 1_793_491_200_000;
    const HOUR: i64 = 3_600_000;

    fn columns(rows: &[(i64, bool, u64, u64)]) -> Columns {
        let mut out = Columns::default();
        let mut at = MONTH;
        for (skip, home, rx, tx) in rows {
            at += skip * HOUR;
            let zone = if *home { Zone::Home } else { Zone::Unknown };
            let kind = out.kind_of((zone, Source::Kernel));
            out.push((at, at + HOUR), kind, Volume { rx: *rx, tx: *tx });
            at += HOUR;
        }
        out
    }

    fn month(columns: &Columns) -> Month {
        let sums = (columns.rx.iter().sum(), columns.tx.iter().sum());
        Month { start: MONTH, end: MONTH + 720 * HOUR, rows: packed(columns, MONTH), sums }
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out(
            rows in prop::collection::vec((-1..2_i64, any::<bool>(), 0..=u64::MAX >> 8, 0..9_u64), 0..50),
        ) {
            let packed = columns(&rows);
            let mut out = Columns::default();
            prop_assert!(month(&packed).unpack(&mut out));
            prop_assert_eq!(out, packed);
        }

        #[test]
        fn what_is_not_whole_adds_nothing(
            rows in prop::collection::vec((-1..2_i64, any::<bool>(), 0..=u64::MAX >> 8, 0..9_u64), 1..50),
            cut in 1..20_usize, junk in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let before = columns(&rows);
            let whole = month(&before);
            let mut shorter = month(&before);
            shorter.rows.truncate(whole.rows.len().saturating_sub(cut));
            let mut longer = month(&before);
            longer.rows.push(0);
            let mut other = month(&before);
            other.sums.0 += 1;
            let noise = Month { rows: junk, sums: (1, u64::MAX), ..month(&before) };
            for broken in [shorter, longer, other, noise] {
                let mut out = before.clone();
                prop_assert!(!broken.unpack(&mut out));
                prop_assert_eq!(&out, &before);
            }
        }
    }
}
