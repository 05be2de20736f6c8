//! Retention: hours that are old become days, old days become cycles. Exact in sum: nothing is forgotten, only when in
//! the day, or in the cycle, it was.

use rusqlite::{Transaction, TransactionBehavior, params};
use simbell_core::cycle::cycle_at;
use simbell_core::ident::Iccid;
use simbell_core::plan::{AnchorDay, Period};
use simbell_core::time::Timestamp;
use simbell_core::zone::ZoneRules;

use crate::columns::next_generation;
use crate::open::Store;
use crate::prune::PruneError;
use crate::rollup::recompute;

/// At most so many slots are folded in one go, so that nothing waits long for the ledger.
const AT_ONCE: u32 = 4_000;

/// What of a SIM's usage is old enough. Callers never name an instant within the current cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Whose.
    pub iccid: Iccid,
    /// Zone of its days.
    pub zone: ZoneRules,
    /// Its cycles; outside of them calendar months.
    pub period: Period,
    /// Hours of days that ended by then become days.
    pub hours_until: Option<Timestamp>,
    /// Days of cycles that ended by then become cycles.
    pub days_until: Option<Timestamp>,
}

/// How much was folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Folded {
    /// Slots that were hours.
    pub hours: usize,
    /// Slots that were days.
    pub days: usize,
    /// Whether there may be more.
    pub more: bool,
}

impl Store {
    /// Folds a part of what is old, in one transaction; call it again while [`Folded::more`].
    ///
    /// What was folded loses its epoch, except for imports, which can be undone: their epochs are negative.
    ///
    /// # Errors
    /// When SQLite fails; then nothing is folded.
    pub fn fold(&mut self, fold: &Fold) -> Result<Folded, PruneError> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut folded = Folded::default();
        if let Some(until) = fold.hours_until {
            let day = |start: Timestamp| {
                let date = fold.zone.date(start);
                let end = fold.zone.day_start(date.succ_opt()?);
                let begin = fold.zone.day_start(date);
                // Where a clock that is set back repeats midnight, the second part of the day goes to its beginning.
                (end <= until && begin < end).then_some((begin, end.max(start)))
            };
            folded.hours = move_slots(&tx, &fold.iccid, ("hour", "day"), until, day)?;
        }
        if let Some(until) = fold.days_until {
            let cycle = |start: Timestamp| {
                let date = fold.zone.date(start);
                let cycle = cycle_at(&fold.period, date)
                    .or_else(|| cycle_at(&Period::Monthly(AnchorDay::Day(1)), date))?;
                let (begin, end) = cycle.bounds(&fold.zone);
                end.filter(|end| *end <= until).map(|end| (begin, end))
            };
            folded.days = move_slots(&tx, &fold.iccid, ("day", "cycle"), until, cycle)?;
        }
        let most = usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
        folded.more = folded.hours >= most || folded.days >= most;
        if folded.hours > 0 || folded.days > 0 {
            next_generation(&tx)?;
            tx.commit()?;
        }
        Ok(folded)
    }
}

/// A slot that is to be folded.
struct Old {
    start: i64,
    epoch: i64,
    zone: String,
    source: String,
    rx: i64,
    tx: i64,
    first: i64,
    last: i64,
    into: (Timestamp, Timestamp),
}

fn move_slots(
    tx: &Transaction<'_>,
    iccid: &Iccid,
    (from, to): (&str, &str),
    until: Timestamp,
    target: impl Fn(Timestamp) -> Option<(Timestamp, Timestamp)>,
) -> rusqlite::Result<usize> {
    let mut old: Vec<Old> = Vec::new();
    {
        let mut slots = tx.prepare_cached(
            "SELECT start_ms, epoch, zone, source, rx_bytes, tx_bytes, first_ms, last_ms FROM usage
             WHERE iccid = ?1 AND start_ms < ?2 AND span = ?3 ORDER BY start_ms LIMIT ?4",
        )?;
        let mut rows = slots.query(params![iccid.as_str(), until.as_millis(), from, AT_ONCE])?;
        while let Some(row) = rows.next()? {
            let start = row.get(0)?;
            let Some(into) = target(Timestamp::from_millis(start)) else { continue };
            old.push(Old {
                start,
                epoch: row.get(1)?,
                zone: row.get(2)?,
                source: row.get(3)?,
                rx: row.get(4)?,
                tx: row.get(5)?,
                first: row.get(6)?,
                last: row.get(7)?,
                into,
            });
        }
    }
    // All go before the first one comes: a day begins where its first hour did.
    for slot in &old {
        tx.prepare_cached(
            "DELETE FROM usage WHERE iccid = ?1 AND start_ms = ?2 AND epoch = ?3 AND zone = ?4 AND source = ?5",
        )?
        .execute(params![iccid.as_str(), slot.start, slot.epoch, slot.zone, slot.source])?;
    }
    for slot in &old {
        let (start, end) = (slot.into.0.as_millis(), slot.into.1.as_millis());
        tx.prepare_cached(
            "INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT DO UPDATE SET rx_bytes = rx_bytes + excluded.rx_bytes,
             tx_bytes = tx_bytes + excluded.tx_bytes, first_ms = min(first_ms, excluded.first_ms),
             last_ms = max(last_ms, excluded.last_ms), span = excluded.span, until_ms = excluded.until_ms",
        )?
        .execute(params![
            iccid.as_str(),
            start,
            slot.epoch.min(0),
            slot.zone,
            slot.source,
            slot.rx,
            slot.tx,
            slot.first,
            slot.last,
            to,
            end
        ])?;
    }
    let first = old.iter().map(|slot| slot.start.min(slot.into.0.as_millis())).min();
    let last = old.iter().map(|slot| slot.start.max(slot.into.0.as_millis())).max();
    if let (Some(first), Some(last)) = (first, last) {
        recompute(tx, iccid, first, last.saturating_add(1))?;
    }
    Ok(old.len())
}
