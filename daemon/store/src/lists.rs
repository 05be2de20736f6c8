//! Lists of what the ledger keeps, paged where they can be long.

use rusqlite::{Connection, params};
use simbell_core::effect::SimRecord;
use simbell_core::ident::{Iccid, ReminderKey};
use simbell_core::ledger::{Correction, Gap, Session};
use simbell_core::reminder::{Delivery, Reminder};
use simbell_core::time::Timestamp;

use crate::open::Store;
use crate::rows::{self, QueryError, collect, from_word, instant, optional_ident};

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

impl Store {
    /// Every SIM ever seen, by ICCID.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn sims(&self) -> Result<Vec<SimRecord>, QueryError> {
        sims(&self.conn)
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

    /// Sessions that are over and began as one of these did: what another copy of the ledger knows of those that last.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn ended<'a>(&self, lasting: impl Iterator<Item = &'a Session>) -> Result<Vec<Session>, QueryError> {
        let sql = format!(
            "SELECT {} FROM session WHERE iccid = ?1 AND boot = ?2 AND began_boot_ms = ?3 AND ended <> 0",
            rows::SESSION
        );
        let mut found = Vec::new();
        for session in lasting {
            let began = i64::try_from(session.began_boot_ms).unwrap_or(i64::MAX);
            let values = params![session.iccid.as_str(), session.boot.as_str(), began];
            found.extend(collect(&mut self.conn.prepare_cached(&sql)?, values, rows::session)?);
        }
        Ok(found)
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
}

/// As [`Store::sims`], on any connection.
pub(crate) fn sims(conn: &Connection) -> Result<Vec<SimRecord>, QueryError> {
    let sql = format!("SELECT {} FROM sim ORDER BY iccid", rows::SIM);
    collect(&mut conn.prepare_cached(&sql)?, [], rows::sim)
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
