//! Calls and messages of months that are over, counted: derived from `call` and `sms`, never a source of their own.
//!
//! Whatever changes a month's calls or messages drops its counts in the same transaction; once a day they are made anew.
//! Numbers as [`crate::packed`] writes them: the sums in the order of their fields, then how many recipients, and each
//! one's length and text.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use simbell_core::effect::TotalsQuery;
use simbell_core::ident::Iccid;
use simbell_core::time::Timestamp;
use simbell_core::voice::{CallSums, SmsSums, VoiceCounts, VoiceSums};

use crate::apply::Failure;
use crate::packed::{Bytes, number, of};
use crate::prune::PruneError;
use crate::rollup::{mark, month_after, month_start};
use crate::rows::QueryError;
use crate::voice;

/// Counts a span: months that are counted, and what lies between them one by one.
pub(crate) fn counts(conn: &Connection, query: &TotalsQuery) -> Result<VoiceCounts, QueryError> {
    let iccid = &query.iccid;
    let (mut at, until) = (query.from.as_millis(), query.until.map_or(i64::MAX, Timestamp::as_millis));
    let mut all = VoiceCounts::default();
    let mut months = conn.prepare_cached(
        "SELECT month_ms, until_ms, counts FROM voice_month
         WHERE iccid = ?1 AND month_ms >= ?2 AND until_ms <= ?3 ORDER BY month_ms",
    )?;
    let mut rows = months.query(params![iccid.as_str(), at, until])?;
    while let Some(row) = rows.next()? {
        let (start, end): (i64, i64) = (row.get(0)?, row.get(1)?);
        let kept = row.get_ref(2)?.as_blob().unwrap_or_default();
        // One that cannot be read is counted one by one.
        let Some(month) = Month::read(kept).filter(|_| at <= start && month_after(start) == Some(end)) else {
            continue;
        };
        voice::count(conn, iccid, (at, start), &mut all)?;
        month.add_to(&mut all);
        at = end;
    }
    voice::count(conn, iccid, (at, until), &mut all)?;
    Ok(all)
}

/// Drops the counts of the month that an instant lies in.
pub(crate) fn forget(
    tx: &Transaction<'_>,
    iccid: Option<&Iccid>,
    at: Option<Timestamp>,
) -> rusqlite::Result<()> {
    let month = at.and_then(|at| month_start(at.as_millis()));
    let Some((iccid, month)) = iccid.zip(month) else { return Ok(()) };
    tx.prepare_cached("DELETE FROM voice_month WHERE iccid = ?1 AND month_ms = ?2")?
        .execute(params![iccid.as_str(), month])?;
    Ok(())
}

/// The same of a row that is about to be replaced: `of` asks for its SIM and its instant by its number.
pub(crate) fn forget_kept(tx: &Transaction<'_>, of: &str, id: i64) -> Result<(), Failure> {
    let kept: Option<(Option<String>, Option<i64>)> =
        tx.prepare_cached(of)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    if let Some((Some(iccid), Some(at))) = kept {
        forget(tx, Iccid::new(&iccid).ok().as_ref(), Some(Timestamp::from_millis(at)))?;
    }
    Ok(())
}

/// Drops the counts of every month: they are made anew within a day.
pub(crate) fn forget_all(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM voice_month", [])?;
    Ok(())
}

/// Counts the months that are over and not counted, SIM by SIM.
pub(crate) fn pack(conn: &mut Connection) -> Result<(), PruneError> {
    let Some(complete) = mark(conn)?.and_then(month_start) else { return Ok(()) };
    let sims: Vec<String> = conn
        .prepare_cached("SELECT iccid FROM sim")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for iccid in sims.iter().filter_map(|iccid| Iccid::new(iccid).ok()) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match pack_sim(&tx, &iccid, complete) {
            Ok(()) => tx.commit()?,
            Err(QueryError::Sqlite(error)) => return Err(error.into()),
            // Whoever asks for them is told.
            Err(QueryError::Unreadable { .. } | QueryError::Overflow { .. }) => {}
        }
    }
    Ok(())
}

fn pack_sim(tx: &Transaction<'_>, iccid: &Iccid, complete: i64) -> Result<(), QueryError> {
    let mut at = 0;
    while let Some(first) = first(tx, iccid, at, complete)? {
        let Some((start, end)) = month_start(first).zip(month_after(first)) else { return Ok(()) };
        at = end;
        let counted = tx
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM voice_month WHERE iccid = ?1 AND month_ms = ?2)")?
            .query_row(params![iccid.as_str(), start], |row| row.get::<_, bool>(0))?;
        if counted {
            continue;
        }
        let mut month = VoiceCounts::default();
        voice::count(tx, iccid, (start, end), &mut month)?;
        tx.prepare_cached("INSERT INTO voice_month VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            iccid.as_str(),
            start,
            end,
            packed(month)
        ])?;
    }
    Ok(())
}

/// When a SIM's first call or message was in a half-open span.
fn first(tx: &Transaction<'_>, iccid: &Iccid, from: i64, until: i64) -> rusqlite::Result<Option<i64>> {
    tx.prepare_cached(
        "SELECT min(at) FROM (
             SELECT (SELECT began_ms FROM call WHERE iccid = ?1 AND began_ms >= ?2 AND began_ms < ?3
                 ORDER BY began_ms LIMIT 1) AS at
             UNION ALL SELECT (SELECT at_ms FROM sms WHERE iccid = ?1 AND at_ms >= ?2 AND at_ms < ?3
                 ORDER BY at_ms LIMIT 1))",
    )?
    .query_row(params![iccid.as_str(), from, until], |row| row.get(0))
}

fn packed(mut counts: VoiceCounts) -> Vec<u8> {
    let mut out = Vec::new();
    for figure in figures(&mut counts.sums) {
        number(*figure, &mut out);
    }
    number(of(counts.recipients.len()), &mut out);
    for recipient in &counts.recipients {
        number(of(recipient.len()), &mut out);
        out.extend_from_slice(recipient.as_bytes());
    }
    out
}

/// A month's counts where they lie: its recipients are mostly those of the month before.
struct Month<'a> {
    sums: VoiceSums,
    recipients: Vec<&'a str>,
}

impl<'a> Month<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut from = Bytes(bytes);
        let mut month = Self { sums: VoiceSums::default(), recipients: Vec::new() };
        for figure in figures(&mut month.sums) {
            *figure = from.number()?;
        }
        for _ in 0..from.count()? {
            month.recipients.push(from.text()?);
        }
        from.0.is_empty().then_some(month)
    }

    fn add_to(mut self, all: &mut VoiceCounts) {
        for (sum, more) in figures(&mut all.sums).into_iter().zip(figures(&mut self.sums)) {
            *sum = sum.saturating_add(*more);
        }
        for recipient in self.recipients {
            if !all.recipients.contains(recipient) {
                all.recipients.insert(recipient.to_owned());
            }
        }
    }
}

fn figures(sums: &mut VoiceSums) -> Vec<&mut u64> {
    let VoiceSums {
        made,
        made_free,
        made_roaming,
        taken,
        taken_roaming,
        sent,
        sent_roaming,
        received,
        failed,
        unknown,
    } = sums;
    let calls = [made, made_free, made_roaming, taken, taken_roaming].into_iter().flat_map(|calls| {
        let CallSums { answered, unanswered, end_unknown, seconds, seconds_min } = calls;
        [answered, unanswered, end_unknown, seconds, seconds_min]
    });
    let messages = [sent, sent_roaming, received, failed, unknown].into_iter().flat_map(|messages| {
        let SmsSums { messages, parts } = messages;
        [messages, parts]
    });
    calls.chain(messages).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_out(
            given in prop::collection::vec(any::<u64>(), 35),
            recipients in prop::collection::btree_set("[0-9a-f]{0,40}", 0..9),
            cut in 1..9_usize,
        ) {
            let mut counts = VoiceCounts { recipients, ..VoiceCounts::default() };
            prop_assert_eq!(figures(&mut counts.sums).len(), given.len());
            for (figure, given) in figures(&mut counts.sums).into_iter().zip(given) {
                *figure = given;
            }
            let bytes = packed(counts.clone());
            let mut all = VoiceCounts::default();
            Month::read(&bytes).unwrap().add_to(&mut all);
            prop_assert_eq!(all, counts);
            prop_assert!(Month::read(&bytes[..bytes.len() - cut]).is_none());
            let longer = [bytes, vec![0]].concat();
            prop_assert!(Month::read(&longer).is_none());
        }
    }
}
