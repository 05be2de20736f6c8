//! Calls and short messages.

use rusqlite::{Connection, OptionalExtension, Row, params};
use simbell_core::effect::TotalsQuery;
use simbell_core::ident::{BootId, Iccid};
use simbell_core::ledger::Zone;
use simbell_core::number::NumberClass;
use simbell_core::party::PartyKey;
use simbell_core::time::Timestamp;
use simbell_core::voice::{
    CallEnd, CallGroups, CallId, CallRecord, SmsDirection, SmsGroups, SmsId, SmsRecord, VoiceCounts,
};

use crate::apply::{Made, run, signed};
use crate::open::Store;
use crate::reader::Reader;
use crate::rows::{QueryError, collect, from_json, instant, optional_ident, unsigned};
use crate::voice_months;

/// So many digests of messages counted are given back at the start.
const DIGESTS_GIVEN_BACK: u32 = 4_096;

const CALL: &str = "id, iccid, incoming, number_class, party, zone, answered, began_ms, boot, began_boot_ms, seconds, \
    seconds_min, ending, open";

/// As [`CALL`], without what no sum is made of: whose it is, the other party, the boot, and how one goes on.
pub(crate) const COUNTED_CALL: &str = "id, NULL, incoming, number_class, NULL, zone, answered, began_ms, NULL, 0, seconds, \
    seconds_min, ending, NULL";
/// Of a message, without what no sum is made of: whose it is, the boot, and what tells it from its copies.
pub(crate) const COUNTED_SMS: &str = "id, NULL, direction, parts, zone, party, at_ms, NULL, 0, NULL";

/// Reads that answers about calls and messages are made of, on the writer's connection or on a reader's.
macro_rules! voices {
    ($type:ty) => {
        impl $type {
            /// Calls that began in a half-open span and are over, oldest first, handed to `each` until that says false.
            /// Without what no sum is made of: whose they are, the other party, and the boot.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn calls(
                &self,
                iccid: &Iccid,
                from: Timestamp,
                until: Option<Timestamp>,
                each: impl FnMut(CallRecord) -> bool,
            ) -> Result<(), QueryError> {
                calls(&self.conn, iccid, span(from, until), each).map(drop)
            }

            /// Messages of a half-open span, oldest first, handed to `each` until that says false. Without what no sum
            /// is made of: whose they are, the boot, and what tells one from its copies.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn messages(
                &self,
                iccid: &Iccid,
                from: Timestamp,
                until: Option<Timestamp>,
                each: impl FnMut(SmsRecord) -> bool,
            ) -> Result<(), QueryError> {
                messages(&self.conn, iccid, span(from, until), each).map(drop)
            }

            /// Calls that began in a half-open span and are over, summed, and how many rows that took.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn call_groups(
                &self,
                iccid: &Iccid,
                from: Timestamp,
                until: Option<Timestamp>,
            ) -> Result<(CallGroups, usize), QueryError> {
                let tx = self.conn.unchecked_transaction()?;
                voice_months::groups(&tx, iccid, span(from, until))
            }

            /// Messages of a half-open span, summed, and how many rows that took.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn message_groups(
                &self,
                iccid: &Iccid,
                from: Timestamp,
                until: Option<Timestamp>,
            ) -> Result<(SmsGroups, usize), QueryError> {
                let tx = self.conn.unchecked_transaction()?;
                voice_months::groups(&tx, iccid, span(from, until))
            }

            /// When the first call of a half-open span that is over began.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn first_call(
                &self,
                iccid: &Iccid,
                from: Timestamp,
                until: Timestamp,
            ) -> Result<Option<Timestamp>, QueryError> {
                first(&self.conn, FIRST_CALL, iccid, span(from, Some(until)))
            }

            /// When the first message of a half-open span was.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn first_message(
                &self,
                iccid: &Iccid,
                from: Timestamp,
                until: Timestamp,
            ) -> Result<Option<Timestamp>, QueryError> {
                first(&self.conn, FIRST_SMS, iccid, span(from, Some(until)))
            }

            /// Sums of a span's calls and messages; calls under way are not in it.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn counts(&self, query: &TotalsQuery) -> Result<VoiceCounts, QueryError> {
                let tx = self.conn.unchecked_transaction()?;
                let span = span(query.from, query.until);
                let (calls, _) = voice_months::groups(&tx, &query.iccid, span)?;
                let (messages, _) = voice_months::groups(&tx, &query.iccid, span)?;
                let mut counts = VoiceCounts::default();
                counts.add_groups(&calls, messages);
                Ok(counts)
            }
        }
    };
}

voices!(Store);
voices!(Reader);

fn span(from: Timestamp, until: Option<Timestamp>) -> (i64, i64) {
    (from.as_millis(), until.map_or(i64::MAX, Timestamp::as_millis))
}

/// Hands calls of a half-open span that are over to `each` until that says false, and says how many.
pub(crate) fn calls(
    conn: &Connection,
    iccid: &Iccid,
    (from, until): (i64, i64),
    mut each: impl FnMut(CallRecord) -> bool,
) -> Result<usize, QueryError> {
    let sql = format!(
        "SELECT {COUNTED_CALL} FROM call WHERE iccid = ?1 AND began_ms >= ?2 AND began_ms < ?3
         AND ending <> 'open' ORDER BY began_ms, id"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![iccid.as_str(), from, until])?;
    let mut handed = 0_usize;
    while let Some(row) = rows.next()? {
        handed = handed.saturating_add(1);
        if !each(call(row)?) {
            break;
        }
    }
    Ok(handed)
}

/// Hands messages of a half-open span to `each` until that says false, and says how many.
pub(crate) fn messages(
    conn: &Connection,
    iccid: &Iccid,
    (from, until): (i64, i64),
    mut each: impl FnMut(SmsRecord) -> bool,
) -> Result<usize, QueryError> {
    let sql = format!(
        "SELECT {COUNTED_SMS} FROM sms WHERE iccid = ?1 AND at_ms >= ?2 AND at_ms < ?3 ORDER BY at_ms, id"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![iccid.as_str(), from, until])?;
    let mut handed = 0_usize;
    while let Some(row) = rows.next()? {
        handed = handed.saturating_add(1);
        if !each(message(row)?) {
            break;
        }
    }
    Ok(handed)
}

pub(crate) const FIRST_CALL: &str = "SELECT began_ms FROM call WHERE iccid = ?1 AND began_ms >= ?2 AND began_ms < ?3 \
    AND ending <> 'open' ORDER BY began_ms LIMIT 1";
pub(crate) const FIRST_SMS: &str =
    "SELECT at_ms FROM sms WHERE iccid = ?1 AND at_ms >= ?2 AND at_ms < ?3 ORDER BY at_ms LIMIT 1";

/// When the first one of a half-open span was.
pub(crate) fn first(
    conn: &Connection,
    sql: &str,
    iccid: &Iccid,
    (from, until): (i64, i64),
) -> Result<Option<Timestamp>, QueryError> {
    let found = conn.prepare_cached(sql)?.query_row(params![iccid.as_str(), from, until], |row| row.get(0));
    Ok(found.optional()?.map(Timestamp::from_millis))
}

pub(crate) fn open_calls(conn: &Connection) -> Result<Vec<CallRecord>, QueryError> {
    let sql = format!("SELECT {CALL} FROM call WHERE ending = 'open' ORDER BY id");
    collect(&mut &mut conn.prepare(&sql)?, [], call)
}

pub(crate) fn next_call(conn: &Connection) -> Result<CallId, QueryError> {
    next(conn, "SELECT coalesce(max(id), 0) FROM call").map(CallId)
}

pub(crate) fn next_sms(conn: &Connection) -> Result<SmsId, QueryError> {
    next(conn, "SELECT coalesce(max(id), 0) FROM sms").map(SmsId)
}

fn next(conn: &Connection, sql: &str) -> Result<i64, QueryError> {
    let highest: i64 = conn.query_row(sql, [], |row| row.get(0))?;
    highest.checked_add(1).ok_or(QueryError::Overflow { what: "identities" })
}

/// The newest digests of messages counted, the oldest first.
pub(crate) fn counted(conn: &Connection) -> Result<Vec<String>, QueryError> {
    let sql = format!(
        "SELECT digest FROM (SELECT id, digest FROM sms WHERE digest IS NOT NULL ORDER BY id DESC
         LIMIT {DIGESTS_GIVEN_BACK}) ORDER BY id"
    );
    collect(&mut &mut conn.prepare(&sql)?, [], |row| Ok(row.get(0)?))
}

pub(crate) fn party_key(conn: &Connection) -> Result<PartyKey, QueryError> {
    let text: Option<String> =
        conn.query_row("SELECT value FROM note WHERE key = 'party_key'", [], |row| row.get(0)).optional()?;
    let key = text.as_deref().and_then(PartyKey::from_hex);
    key.ok_or(QueryError::Unreadable { column: "note.value", problem: "no key for parties".to_owned() })
}

pub(crate) fn keep_call(tx: &Connection, call: &CallRecord) -> Made {
    voice_months::forget_kept(tx, "SELECT iccid, began_ms FROM call WHERE id = ?1", call.id.0)?;
    voice_months::forget(tx, call.iccid.as_ref(), call.began)?;
    let (ending, open) = match &call.end {
        CallEnd::Seen => ("seen", None),
        CallEnd::Unknown => ("unknown", None),
        CallEnd::Open(open) => ("open", Some(serde_json::to_string(open)?)),
    };
    run(
        tx,
        "INSERT OR REPLACE INTO call VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            call.id.0,
            call.iccid.as_ref().map(|i| i.as_str()),
            call.incoming,
            call.class.as_str(),
            call.party,
            call.zone.to_text(),
            call.answered,
            call.began.map(Timestamp::as_millis),
            call.boot.as_ref().map(|b| b.as_str()),
            signed(call.began_boot_ms, "call.began_boot_ms")?,
            call.seconds,
            call.seconds_min,
            ending,
            open,
        ],
    )
}

pub(crate) fn keep_sms(tx: &Connection, sms: &SmsRecord) -> Made {
    voice_months::forget_kept(tx, "SELECT iccid, at_ms FROM sms WHERE id = ?1", sms.id.0)?;
    voice_months::forget(tx, sms.iccid.as_ref(), sms.at)?;
    // One received that is there already is left as it is; anything else is as it is now.
    run(
        tx,
        "INSERT INTO sms VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO UPDATE SET direction = excluded.direction
         ON CONFLICT (digest) WHERE digest IS NOT NULL DO NOTHING",
        params![
            sms.id.0,
            sms.iccid.as_ref().map(|i| i.as_str()),
            sms.direction.as_str(),
            sms.parts,
            sms.zone.to_text(),
            sms.party,
            sms.at.map(Timestamp::as_millis),
            sms.boot.as_ref().map(|b| b.as_str()),
            signed(sms.at_boot_ms, "sms.at_boot_ms")?,
            sms.digest,
        ],
    )
}

/// Calls and messages of a boot get their date.
pub(crate) fn date(tx: &Connection, boot: &BootId, offset_ms: i64) -> Made {
    voice_months::forget_all(tx)?;
    run(
        tx,
        "UPDATE call SET began_ms = began_boot_ms + ?2 WHERE boot = ?1 AND began_ms IS NULL",
        params![boot.as_str(), offset_ms],
    )?;
    run(
        tx,
        "UPDATE sms SET at_ms = at_boot_ms + ?2 WHERE boot = ?1 AND at_ms IS NULL",
        params![boot.as_str(), offset_ms],
    )
}

pub(crate) fn call(row: &Row<'_>) -> Result<CallRecord, QueryError> {
    let open: Option<String> = row.get(13)?;
    let end = match (text(row, 12)?, open) {
        ("open", Some(open)) => CallEnd::Open(from_json(&open, "call.open")?),
        ("seen", _) => CallEnd::Seen,
        _ => CallEnd::Unknown,
    };
    Ok(CallRecord {
        id: CallId(row.get(0)?),
        iccid: optional_ident(row.get(1)?, "call.iccid")?,
        incoming: row.get(2)?,
        class: NumberClass::from_text(text(row, 3)?),
        party: row.get(4)?,
        zone: Zone::from_text(text(row, 5)?),
        answered: row.get(6)?,
        began: instant(row.get(7)?),
        boot: optional_ident(row.get(8)?, "call.boot")?,
        began_boot_ms: unsigned(row.get(9)?, "call.began_boot_ms")?,
        seconds: unsigned(row.get(10)?, "call.seconds")?,
        seconds_min: unsigned(row.get(11)?, "call.seconds_min")?,
        end,
    })
}

pub(crate) fn message(row: &Row<'_>) -> Result<SmsRecord, QueryError> {
    Ok(SmsRecord {
        id: SmsId(row.get(0)?),
        iccid: optional_ident(row.get(1)?, "sms.iccid")?,
        direction: direction(text(row, 2)?)?,
        parts: unsigned(row.get(3)?, "sms.parts")?,
        zone: Zone::from_text(text(row, 4)?),
        party: row.get(5)?,
        at: instant(row.get(6)?),
        boot: optional_ident(row.get(7)?, "sms.boot")?,
        at_boot_ms: unsigned(row.get(8)?, "sms.at_boot_ms")?,
        digest: row.get(9)?,
    })
}

pub(crate) fn direction(word: &str) -> Result<SmsDirection, QueryError> {
    let all = [SmsDirection::Sent, SmsDirection::Received, SmsDirection::Failed, SmsDirection::Unknown];
    all.into_iter().find(|one| one.as_str() == word).ok_or_else(|| QueryError::Unreadable {
        column: "sms.direction",
        problem: format!("{word:?} is no way that a message goes"),
    })
}

/// A text where it lies: a page reads thousands of them.
fn text<'row>(row: &'row Row<'_>, column: usize) -> rusqlite::Result<&'row str> {
    Ok(row.get_ref(column)?.as_str()?)
}
