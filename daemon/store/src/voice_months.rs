//! Calls and messages of months that are over, counted: derived from `call` and `sms`, never a source of their own.
//!
//! Whatever changes a month's calls or messages drops its counts in the same transaction; once a day they are made anew.
//! Numbers as [`crate::packed`] writes them, texts with their length before them. `calls`: how many groups, and of each
//! whether the other party called, the kind of number, the zone, and the sums in the order of their fields. `messages`:
//! how many groups, and of each the way, the zone, the sums, how many other parties, and each one's digest.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use simbell_core::ident::Iccid;
use simbell_core::ledger::Zone;
use simbell_core::number::NumberClass;
use simbell_core::time::Timestamp;
use simbell_core::voice::{CallGroups, CallKey, CallSums, SmsGroups, SmsKey, SmsSums};

use crate::apply::Failure;
use crate::packed::{Bytes, number, of};
use crate::prune::PruneError;
use crate::rollup::{mark, month_after, month_start};
use crate::rows::QueryError;
use crate::voice;

/// Calls or messages, summed by what tells them apart.
pub(crate) trait Groups: Default {
    /// The months of a SIM that lie in a span, oldest first: start, end and what is kept of it.
    const MONTHS: &'static str;

    /// Adds those of a half-open span one by one, and says how many there were.
    fn one_by_one(&mut self, conn: &Connection, iccid: &Iccid, span: (i64, i64))
    -> Result<usize, QueryError>;

    /// As kept of a month.
    fn packed(&self) -> Vec<u8>;

    /// Adds what is kept of a month; false, and nothing added, where that cannot be read.
    #[must_use]
    fn add_packed(&mut self, kept: &[u8]) -> bool;
}

/// Sums a span, months that are counted as they are and what lies between them one by one; and how many rows that took.
pub(crate) fn groups<T: Groups>(
    conn: &Connection,
    iccid: &Iccid,
    (mut at, until): (i64, i64),
) -> Result<(T, usize), QueryError> {
    let mut all = T::default();
    let mut took = 0_usize;
    let mut months = conn.prepare_cached(T::MONTHS)?;
    let mut rows = months.query(params![iccid.as_str(), at, until])?;
    while let Some(row) = rows.next()? {
        let (start, end): (i64, i64) = (row.get(0)?, row.get(1)?);
        took = took.saturating_add(1);
        // One that cannot be read is counted one by one.
        let kept = row.get_ref(2)?.as_blob().unwrap_or_default();
        if at <= start && month_after(start) == Some(end) && all.add_packed(kept) {
            took = took.saturating_add(between(&mut all, conn, iccid, (at, start))?);
            at = end;
        }
    }
    took = took.saturating_add(between(&mut all, conn, iccid, (at, until))?);
    Ok((all, took))
}

fn between<T: Groups>(
    all: &mut T,
    conn: &Connection,
    iccid: &Iccid,
    span: (i64, i64),
) -> Result<usize, QueryError> {
    if span.0 >= span.1 { Ok(0) } else { all.one_by_one(conn, iccid, span) }
}

impl Groups for CallGroups {
    const MONTHS: &'static str = "SELECT month_ms, until_ms, calls FROM voice_month
        WHERE iccid = ?1 AND month_ms >= ?2 AND until_ms <= ?3 ORDER BY month_ms";

    fn one_by_one(
        &mut self,
        conn: &Connection,
        iccid: &Iccid,
        span: (i64, i64),
    ) -> Result<usize, QueryError> {
        voice::calls(conn, iccid, span, |call| {
            self.entry(call.key()).or_default().add(&call);
            true
        })
    }

    fn packed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        number(of(self.len()), &mut out);
        for ((incoming, class, zone), sums) in self {
            number(u64::from(*incoming), &mut out);
            text(class.as_str(), &mut out);
            text(&zone.to_text(), &mut out);
            let CallSums { answered, unanswered, end_unknown, seconds, seconds_min } = *sums;
            for figure in [answered, unanswered, end_unknown, seconds, seconds_min] {
                number(figure, &mut out);
            }
        }
        out
    }

    fn add_packed(&mut self, kept: &[u8]) -> bool {
        let Some(groups) = read(kept, call_group) else { return false };
        for (key, sums) in groups {
            self.entry(key).or_default().add_sums(&sums);
        }
        true
    }
}

fn call_group(from: &mut Bytes<'_>) -> Option<(CallKey, CallSums)> {
    let incoming = match from.number()? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let key = (incoming, NumberClass::from_text(from.text()?), Zone::from_text(from.text()?));
    let sums = CallSums {
        answered: from.number()?,
        unanswered: from.number()?,
        end_unknown: from.number()?,
        seconds: from.number()?,
        seconds_min: from.number()?,
    };
    Some((key, sums))
}

impl Groups for SmsGroups {
    const MONTHS: &'static str = "SELECT month_ms, until_ms, messages FROM voice_month
        WHERE iccid = ?1 AND month_ms >= ?2 AND until_ms <= ?3 ORDER BY month_ms";

    fn one_by_one(
        &mut self,
        conn: &Connection,
        iccid: &Iccid,
        span: (i64, i64),
    ) -> Result<usize, QueryError> {
        voice::messages(conn, iccid, span, |sms| {
            let (sums, parties) = self.entry((sms.direction, sms.zone)).or_default();
            sums.add(sms.parts);
            parties.extend(sms.party);
            true
        })
    }

    fn packed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        number(of(self.len()), &mut out);
        for ((direction, zone), (sums, parties)) in self {
            text(direction.as_str(), &mut out);
            text(&zone.to_text(), &mut out);
            number(sums.messages, &mut out);
            number(sums.parts, &mut out);
            number(of(parties.len()), &mut out);
            for party in parties {
                text(party, &mut out);
            }
        }
        out
    }

    fn add_packed(&mut self, kept: &[u8]) -> bool {
        let Some(groups) = read(kept, sms_group) else { return false };
        for (key, sums, parties) in groups {
            let (all, known) = self.entry(key).or_default();
            all.add_sums(&sums);
            // Mostly those of the month before.
            for party in parties {
                if !known.contains(party) {
                    known.insert(party.to_owned());
                }
            }
        }
        true
    }
}

/// A group of messages where it lies.
type SmsGroup<'a> = (SmsKey, SmsSums, Vec<&'a str>);

fn sms_group<'a>(from: &mut Bytes<'a>) -> Option<SmsGroup<'a>> {
    let key = (voice::direction(from.text()?).ok()?, Zone::from_text(from.text()?));
    let sums = SmsSums { messages: from.number()?, parts: from.number()? };
    let parties = (0..from.count()?).map(|_| from.text()).collect::<Option<_>>()?;
    Some((key, sums, parties))
}

fn read<'a, T>(kept: &'a [u8], group: impl Fn(&mut Bytes<'a>) -> Option<T>) -> Option<Vec<T>> {
    let mut from = Bytes(kept);
    let groups = (0..from.count()?).map(|_| group(&mut from)).collect::<Option<_>>()?;
    from.0.is_empty().then_some(groups)
}

fn text(text: &str, out: &mut Vec<u8>) {
    number(of(text.len()), out);
    out.extend_from_slice(text.as_bytes());
}

/// Drops the counts of the month that an instant lies in.
pub(crate) fn forget(tx: &Connection, iccid: Option<&Iccid>, at: Option<Timestamp>) -> rusqlite::Result<()> {
    let month = at.and_then(|at| month_start(at.as_millis()));
    let Some((iccid, month)) = iccid.zip(month) else { return Ok(()) };
    tx.prepare_cached("DELETE FROM voice_month WHERE iccid = ?1 AND month_ms = ?2")?
        .execute(params![iccid.as_str(), month])?;
    Ok(())
}

/// The same of a row that is about to be replaced: `of` asks for its SIM and its instant by its number.
pub(crate) fn forget_kept(tx: &Connection, of: &str, id: i64) -> Result<(), Failure> {
    let kept: Option<(Option<String>, Option<i64>)> =
        tx.prepare_cached(of)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    if let Some((Some(iccid), Some(at))) = kept {
        forget(tx, Iccid::new(&iccid).ok().as_ref(), Some(Timestamp::from_millis(at)))?;
    }
    Ok(())
}

/// Drops the counts of every month: they are made anew within a day.
pub(crate) fn forget_all(tx: &Connection) -> rusqlite::Result<()> {
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
        let (mut calls, mut messages) = (CallGroups::default(), SmsGroups::default());
        calls.one_by_one(tx, iccid, (start, end))?;
        messages.one_by_one(tx, iccid, (start, end))?;
        tx.prepare_cached("INSERT INTO voice_month VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            iccid.as_str(),
            start,
            end,
            calls.packed(),
            messages.packed(),
        ])?;
    }
    Ok(())
}

/// When a SIM's first call or message was in a half-open span.
fn first(tx: &Transaction<'_>, iccid: &Iccid, from: i64, until: i64) -> Result<Option<i64>, QueryError> {
    let firsts = [voice::FIRST_CALL, voice::FIRST_SMS].map(|sql| voice::first(tx, sql, iccid, (from, until)));
    let [call, sms] = firsts;
    Ok([call?, sms?].into_iter().flatten().min().map(Timestamp::as_millis))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simbell_core::voice::SmsDirection;

    use super::*;

    fn zone() -> impl Strategy<Value = Zone> {
        prop_oneof![Just(Zone::Home), Just(Zone::Roaming(None)), Just(Zone::from_text("roaming:26202"))]
    }

    fn calls() -> impl Strategy<Value = CallGroups> {
        let key = (any::<bool>(), prop::sample::select(NumberClass::ALL.to_vec()), zone());
        let sums = any::<[u64; 5]>().prop_map(|[answered, unanswered, end_unknown, seconds, seconds_min]| {
            CallSums { answered, unanswered, end_unknown, seconds, seconds_min }
        });
        prop::collection::btree_map(key, sums, 0..5)
    }

    fn messages() -> impl Strategy<Value = SmsGroups> {
        use SmsDirection::{Failed, Received, Sent, Unknown};
        let key = (prop::sample::select(vec![Sent, Received, Failed, Unknown]), zone());
        let sums = any::<[u64; 2]>().prop_map(|[messages, parts]| SmsSums { messages, parts });
        prop::collection::btree_map(key, (sums, prop::collection::btree_set("[0-9a-f]{0,40}", 0..9)), 0..5)
    }

    /// What is packed comes out, and what is cut or longer is not read.
    fn comes_out<T: Groups + PartialEq + std::fmt::Debug>(groups: &T, cut: usize) {
        let bytes = groups.packed();
        let read = |bytes: &[u8]| {
            let mut all = T::default();
            all.add_packed(bytes).then_some(all)
        };
        assert_eq!(read(&bytes).as_ref(), Some(groups));
        let short = bytes.get(..bytes.len().saturating_sub(cut)).unwrap();
        assert!(read(short).is_none());
        assert!(read(&[bytes, vec![0]].concat()).is_none());
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out(calls in calls(), messages in messages(), cut in 1..9_usize) {
            comes_out(&calls, cut);
            comes_out(&messages, cut);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = CallGroups::default().add_packed(&bytes);
            let _ = SmsGroups::default().add_packed(&bytes);
        }
    }
}
