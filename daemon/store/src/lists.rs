//! Lists of what the ledger keeps, paged where they can be long.

use rusqlite::params;
use simbell_core::effect::SimRecord;
use simbell_core::ident::{Iccid, ReminderKey};
use simbell_core::ledger::{Correction, Gap, Session};
use simbell_core::reminder::{Delivery, Reminder};
use simbell_core::time::Timestamp;

use crate::open::Store;
use crate::rows::{self, QueryError, collect, from_word, instant, optional_ident, unsigned};
use crate::totals::fits;

/// A correction and its place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCorrection {
    /// Its number, growing.
    pub id: i64,
    /// The correction.
    pub correction: Correction,
    /// The number of the correction that takes this one back.
    pub undone_by: Option<i64>,
}

/// A gap and its place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptGap {
    /// Its number, growing.
    pub id: i64,
    /// The gap.
    pub gap: Gap,
}

/// Calls and short messages of a SIM in a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Calls made.
    pub calls_out: u64,
    /// Seconds of calls made.
    pub seconds_out: u64,
    /// Calls taken.
    pub calls_in: u64,
    /// Seconds of calls taken.
    pub seconds_in: u64,
    /// Parts of short messages sent.
    pub sms_parts: u64,
}

impl Store {
    /// Every SIM ever seen, by ICCID.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn sims(&self) -> Result<Vec<SimRecord>, QueryError> {
        let sql = format!("SELECT {} FROM sim ORDER BY iccid", rows::SIM);
        collect(&mut self.conn.prepare_cached(&sql)?, [], rows::sim)
    }

    /// Gaps, newest first: at most `limit` with numbers below `before`. Those of a SIM include those of no known SIM.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn gaps(
        &self,
        iccid: Option<&Iccid>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<KeptGap>, QueryError> {
        collect(
            &mut self.conn.prepare_cached(
                "SELECT id, iccid, from_ms, until_ms, reason, detail FROM gap
                 WHERE id < ?2 AND (?1 IS NULL OR iccid IS NULL OR iccid = ?1) ORDER BY id DESC LIMIT ?3",
            )?,
            params![iccid.map(Iccid::as_str), before.unwrap_or(i64::MAX), limit],
            |row| Ok(KeptGap { id: row.get(0)?, gap: gap(row)? }),
        )
    }

    /// Sessions of a SIM that touch a half-open span, in the order they began: what the kernel and what ModemManager
    /// counted of each. One that lasts is as it was last kept, at most an hour ago; one whose beginning has no date
    /// yet is told with those that last.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn sessions(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Session>, QueryError> {
        let sql = format!(
            "SELECT {} FROM session WHERE iccid = ?1 AND coalesce(began_ms < ?3, ended = 0)
             AND (ended = 0 OR coalesce(ended_ms, began_ms) >= ?2) ORDER BY id",
            rows::SESSION
        );
        collect(
            &mut self.conn.prepare_cached(&sql)?,
            params![iccid.as_str(), from.as_millis(), until.as_millis()],
            rows::session,
        )
    }

    /// Reminders by key: at most `limit` with keys after `after`; the resolved ones only where asked for.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn reminders(
        &self,
        resolved_too: bool,
        after: Option<&ReminderKey>,
        limit: u32,
    ) -> Result<Vec<Reminder>, QueryError> {
        let sql = format!(
            "SELECT {} FROM reminder WHERE key > ?1 AND (?2 OR state <> 'resolved') ORDER BY key LIMIT ?3",
            rows::REMINDER
        );
        collect(
            &mut self.conn.prepare_cached(&sql)?,
            params![after.map_or("", ReminderKey::as_str), resolved_too, limit],
            rows::reminder,
        )
    }

    /// One reminder.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn reminder(&self, key: &ReminderKey) -> Result<Option<Reminder>, QueryError> {
        let sql = format!("SELECT {} FROM reminder WHERE key = ?1", rows::REMINDER);
        let found = collect(&mut self.conn.prepare_cached(&sql)?, params![key.as_str()], rows::reminder)?;
        Ok(found.into_iter().next())
    }

    /// The newest deliveries of a reminder, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn deliveries(&self, reminder: &ReminderKey, limit: u32) -> Result<Vec<Delivery>, QueryError> {
        let sql = format!(
            "SELECT {} FROM delivery WHERE reminder = ?1 ORDER BY created_ms DESC, id DESC LIMIT ?2",
            rows::DELIVERY
        );
        collect(&mut self.conn.prepare_cached(&sql)?, params![reminder.as_str(), limit], rows::delivery)
    }

    /// Calls that began and messages that were sent in a half-open span.
    ///
    /// # Errors
    /// When the ledger cannot be read, or a sum does not fit.
    pub fn counts(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Counts, QueryError> {
        let span = params![iccid.as_str(), from.as_millis(), until.map(Timestamp::as_millis)];
        let mut counts = self
            .conn
            .prepare_cached(
                "SELECT count(*) FILTER (WHERE NOT incoming),
                        coalesce(sum(seconds) FILTER (WHERE NOT incoming), 0),
                        count(*) FILTER (WHERE incoming),
                        coalesce(sum(seconds) FILTER (WHERE incoming), 0)
                 FROM call WHERE iccid = ?1 AND began_ms >= ?2 AND (?3 IS NULL OR began_ms < ?3)",
            )?
            .query_row(span, |row| {
                Ok([
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, i64>(3)?,
                ])
            })
            .map_err(|error| fits(error.into(), "call seconds"))
            .and_then(|[calls_out, seconds_out, calls_in, seconds_in]| {
                Ok(Counts {
                    calls_out: unsigned(calls_out, "call.id")?,
                    seconds_out: unsigned(seconds_out, "call.seconds")?,
                    calls_in: unsigned(calls_in, "call.id")?,
                    seconds_in: unsigned(seconds_in, "call.seconds")?,
                    sms_parts: 0,
                })
            })?;
        let parts: i64 = self
            .conn
            .prepare_cached(
                "SELECT coalesce(sum(parts), 0) FROM sms
                 WHERE direction = 'sent' AND iccid = ?1 AND at_ms >= ?2 AND (?3 IS NULL OR at_ms < ?3)",
            )?
            .query_row(span, |row| row.get(0))
            .map_err(|error| fits(error.into(), "message parts"))?;
        counts.sms_parts = unsigned(parts, "sms.parts")?;
        Ok(counts)
    }
}

/// Columns 1 to 5: iccid, from_ms, until_ms, reason, detail.
pub(crate) fn gap(row: &rusqlite::Row<'_>) -> Result<Gap, QueryError> {
    Ok(Gap {
        iccid: optional_ident(row.get(1)?, "gap.iccid")?,
        from: instant(row.get(2)?),
        until: instant(row.get(3)?),
        reason: from_word(row.get(4)?, "gap.reason")?,
        detail: row.get(5)?,
    })
}
