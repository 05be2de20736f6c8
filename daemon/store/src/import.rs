//! Usage that another program measured, taken in: as entries of their own, which can be taken out again.

use std::collections::BTreeMap;
use std::convert::Infallible;

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};
use simbell_core::ident::Iccid;
use simbell_core::ledger::{EpochId, Source, Volume, Zone};
use simbell_core::time::{Span, Timestamp};

use crate::columns::next_generation;
use crate::lost::says;
use crate::open::Store;
use crate::prune::PruneError;
use crate::rollup::recompute;

const HOUR: Span = Span::secs(3_600);

/// One row to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportRow {
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
    /// When its last byte passed at the latest: the end, or now where it is not over.
    pub last: Timestamp,
    /// Bytes.
    pub volume: Volume,
}

/// What became of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Rows taken in.
    pub rows: u64,
    /// What they carried.
    pub volume: Volume,
    /// Rows left out, since the ledger has entries of that time.
    pub left_out_rows: u64,
    /// What those carried.
    pub left_out: Volume,
}

impl Store {
    /// Takes rows of an interface in, in one transaction. A row during which the ledger has an entry of the SIM already,
    /// its own or an imported one, is left out: so the same rows twice change nothing. `dry`: nothing is changed.
    ///
    /// # Errors
    /// When SQLite fails; then nothing is taken in.
    pub fn import(
        &mut self,
        iccid: &Iccid,
        interface: &str,
        rows: &[ImportRow],
        dry: bool,
    ) -> Result<Imported, PruneError> {
        let Ok((done, ())) = self.import_seen(iccid, interface, rows, dry, |_| Ok::<_, Infallible>(()))?;
        Ok(done)
    }

    /// As [`Store::import`], and what `seen` makes of the ledger with those rows in it, before that is kept or, of a dry run
    /// and where `seen` fails, taken back.
    ///
    /// # Errors
    /// When SQLite fails; then nothing is taken in.
    pub fn import_seen<T, E>(
        &mut self,
        iccid: &Iccid,
        interface: &str,
        rows: &[ImportRow],
        dry: bool,
        seen: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<Result<(Imported, T), E>, PruneError> {
        let tx = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate)?;
        let epoch = match epoch(&tx, iccid, interface)? {
            Some(epoch) => epoch,
            None => new_epoch(&tx, iccid, interface, rows.first().map(|row| row.start))?,
        };
        let mut done = Imported::default();
        let mut taken = Taken::of(&tx, iccid, rows)?;
        for row in rows {
            let sum = |sum: Volume| {
                let sum = sum.checked_add(row.volume);
                sum.ok_or(rusqlite::Error::IntegralValueOutOfRange(0, i64::MAX))
            };
            if !taken.add(row.start.as_millis(), row.end.as_millis()) {
                done.left_out_rows = done.left_out_rows.saturating_add(1);
                done.left_out = sum(done.left_out)?;
                continue;
            }
            insert(&tx, iccid, epoch, row)?;
            done.rows = done.rows.saturating_add(1);
            done.volume = sum(done.volume)?;
        }
        let made = match seen(self) {
            Ok(made) => made,
            Err(error) => return Ok(Err(error)),
        };
        if !dry && done.rows > 0 {
            let first = rows.iter().map(|row| row.start.as_millis()).min().unwrap_or(0);
            let last = rows.iter().map(|row| row.start.as_millis()).max().unwrap_or(0);
            recompute(&tx, iccid, first, last.saturating_add(1))?;
            next_generation(&tx)?;
            says(&tx)?;
            tx.commit()?;
        }
        Ok(Ok((done, made)))
    }

    /// What was imported of an interface: its epoch, and where its rows begin. None where nothing was.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn imported(
        &self,
        iccid: &Iccid,
        interface: &str,
    ) -> Result<Option<(EpochId, Vec<Timestamp>)>, PruneError> {
        let tx = self.conn.unchecked_transaction()?;
        let Some(epoch) = epoch(&tx, iccid, interface)? else { return Ok(None) };
        let mut rows = tx.prepare(
            "SELECT start_ms FROM usage WHERE iccid = ?1 AND epoch = ?2 AND start_ms IS NOT NULL ORDER BY start_ms",
        )?;
        let starts = rows.query_map(params![iccid.as_str(), epoch], |row| row.get(0))?;
        let starts =
            starts.map(|start| start.map(Timestamp::from_millis)).collect::<rusqlite::Result<_>>()?;
        Ok(Some((EpochId(epoch), starts)))
    }

    /// Takes out again what was imported of an interface: how many rows, and what they carried.
    ///
    /// # Errors
    /// When SQLite fails; then nothing is taken out.
    pub fn undo_import(&mut self, iccid: &Iccid, interface: &str) -> Result<Imported, PruneError> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(epoch) = epoch(&tx, iccid, interface)? else { return Ok(Imported::default()) };
        let values = params![iccid.as_str(), epoch];
        let (rows, rx, sent, first, last): (i64, i64, i64, i64, i64) = tx.query_row(
            "SELECT count(*), coalesce(sum(rx_bytes), 0), coalesce(sum(tx_bytes), 0), coalesce(min(start_ms), 0),
             coalesce(max(start_ms), 0) FROM usage WHERE iccid = ?1 AND epoch = ?2",
            values,
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
        )?;
        tx.execute("DELETE FROM usage WHERE iccid = ?1 AND epoch = ?2", values)?;
        tx.execute("DELETE FROM epoch WHERE id = ?1", [epoch])?;
        recompute(&tx, iccid, first, last.saturating_add(1))?;
        next_generation(&tx)?;
        says(&tx)?;
        tx.commit()?;
        let volume = Volume { rx: u64::try_from(rx).unwrap_or(0), tx: u64::try_from(sent).unwrap_or(0) };
        Ok(Imported { rows: u64::try_from(rows).unwrap_or(0), volume, ..Imported::default() })
    }
}

fn epoch(tx: &Transaction<'_>, iccid: &Iccid, interface: &str) -> rusqlite::Result<Option<i64>> {
    tx.query_row(
        "SELECT id FROM epoch WHERE iccid = ?1 AND interface = ?2 AND source = ?3",
        params![iccid.as_str(), interface, Source::Import.as_str()],
        |row| row.get(0),
    )
    .optional()
}

/// Epochs of what was imported are numbered downwards from -1: no counter's epoch ever has such a number.
fn new_epoch(
    tx: &Transaction<'_>,
    iccid: &Iccid,
    interface: &str,
    began: Option<Timestamp>,
) -> rusqlite::Result<i64> {
    let id: i64 = tx.query_row("SELECT min(coalesce(min(id), 0), 0) - 1 FROM epoch", [], |row| row.get(0))?;
    tx.execute(
        "INSERT INTO epoch (id, iccid, zone, source, boot, interface, began_ms, began_boot_ms)
         VALUES (?1, ?2, ?3, ?4, 'imported', ?5, ?6, 0)",
        params![
            id,
            iccid.as_str(),
            Zone::Unknown.to_text(),
            Source::Import.as_str(),
            interface,
            began.map(Timestamp::as_millis)
        ],
    )?;
    Ok(id)
}

/// The times of which the ledger has entries, by their beginnings; none touch.
struct Taken(BTreeMap<i64, i64>);

impl Taken {
    /// Those that rows may meet. They are asked for once, not row by row: of entries that end later than they begin anew,
    /// such as a year, none but all of before can be asked for.
    fn of(tx: &Transaction<'_>, iccid: &Iccid, rows: &[ImportRow]) -> rusqlite::Result<Self> {
        let first = rows.iter().map(|row| row.start.as_millis()).min().unwrap_or(0);
        let last = rows.iter().map(|row| row.end.as_millis()).max().unwrap_or(0);
        // An hour's slot has no end of its own.
        let mut found = tx.prepare_cached(
            "SELECT start_ms, coalesce(until_ms, start_ms - start_ms % 3600000 + 3600000) AS end_ms FROM usage
             WHERE iccid = ?1 AND start_ms < ?3 AND end_ms > ?2",
        )?;
        let mut found = found.query(params![iccid.as_str(), first, last])?;
        let mut taken = Self(BTreeMap::new());
        while let Some(row) = found.next()? {
            taken.join(row.get(0)?, row.get(1)?);
        }
        Ok(taken)
    }

    /// Whether nothing of a time was taken; it is from now on.
    fn add(&mut self, start: i64, end: i64) -> bool {
        let free = self.0.range(..end).next_back().is_none_or(|(_, until)| *until <= start);
        if free {
            self.join(start, end);
        }
        free
    }

    fn join(&mut self, mut start: i64, mut end: i64) {
        while let Some((from, until)) = self.0.range(..=end).next_back().map(|(from, until)| (*from, *until))
            && until >= start
        {
            self.0.remove(&from);
            (start, end) = (start.min(from), end.max(until));
        }
        self.0.insert(start, end);
    }
}

fn insert(tx: &Transaction<'_>, iccid: &Iccid, epoch: i64, row: &ImportRow) -> rusqlite::Result<()> {
    let signed =
        |bytes: u64| i64::try_from(bytes).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, i64::MAX));
    let length = row.end.since(row.start);
    let (span, until) = match length {
        // One of a zone such as India's begins within an hour, and ends in the next.
        length if length <= HOUR => {
            ("hour", (row.start.hour_start() != row.start).then(|| row.end.as_millis()))
        }
        length if length <= Span::secs(26 * 3_600) => ("day", Some(row.end.as_millis())),
        _ => ("cycle", Some(row.end.as_millis())),
    };
    tx.prepare_cached(
        "INSERT INTO usage (iccid, start_ms, epoch, zone, source, rx_bytes, tx_bytes, first_ms, last_ms, span, until_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?2, ?8, ?9, ?10)",
    )?
    .execute(params![
        iccid.as_str(),
        row.start.as_millis(),
        epoch,
        Zone::Unknown.to_text(),
        Source::Import.as_str(),
        signed(row.volume.rx)?,
        signed(row.volume.tx)?,
        row.last.as_millis(),
        span,
        until,
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_is_taken_once(
            kept in prop::collection::vec((0..60_i64, 1..20_i64), 0..12),
            given in prop::collection::vec((0..60_i64, 1..20_i64), 0..12),
        ) {
            let mut all: Vec<(i64, i64)> = kept.into_iter().map(|(start, length)| (start, start + length)).collect();
            let mut taken = Taken(BTreeMap::new());
            for (start, end) in &all {
                taken.join(*start, *end);
            }
            for (start, length) in given {
                let end = start + length;
                let free = all.iter().all(|(from, until)| *until <= start || *from >= end);
                prop_assert_eq!(taken.add(start, end), free, "{}..{} in {:?}", start, end, all);
                if free {
                    all.push((start, end));
                }
            }
        }
    }
}
