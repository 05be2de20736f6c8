//! What the ledger forgets, so that it does not grow without end. Usage, corrections, calls and
//! counts of messages are kept for ever.

use rusqlite::{Connection, TransactionBehavior, params};
use simbell_core::effect::Change;
use simbell_core::time::{Span, Timestamp};

use crate::failure::ErrorKind;
use crate::open::Store;

/// Most handled messages that are remembered: more than the stores of a modem and its SIM hold.
const SMS_DIGESTS: i64 = 4096;
/// Most ended deliveries that are kept.
const ENDED_DELIVERIES: i64 = 2_000;
/// Most resolved reminders that are kept.
const RESOLVED_REMINDERS: i64 = 1_000;
/// Most gaps that are kept.
const GAPS: i64 = 20_000;

/// How long ended things are kept. Counts cap them besides, whatever the clock says: 4,096 message digests, 2,000
/// ended deliveries, 1,000 resolved reminders, 20,000 gaps, the newest of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Deliveries that ended, since they were put in the outbox.
    pub ended_deliveries: Span,
    /// Reminders, since they were resolved.
    pub resolved_reminders: Span,
    /// Digests of messages, since they were seen.
    pub sms_digests: Span,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: i64 = 86_400;
        Self {
            ended_deliveries: Span::secs(400 * DAY),
            resolved_reminders: Span::secs(400 * DAY),
            sms_digests: Span::secs(400 * DAY),
        }
    }
}

/// How many rows were forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Deliveries.
    pub deliveries: usize,
    /// Reminders.
    pub reminders: usize,
    /// Message digests.
    pub sms_digests: usize,
    /// Epochs that no entry and no baseline names.
    pub epochs: usize,
}

impl Store {
    /// Forgets what ended longer ago than `retention` says, in one transaction. `now` is a trusted wall clock: a wrong
    /// one would forget too much.
    ///
    /// # Errors
    /// When SQLite fails; then nothing is forgotten.
    pub fn prune(&mut self, now: Timestamp, retention: &Retention) -> Result<Pruned, PruneError> {
        let before = |span: Span| now.as_millis().saturating_sub(span.as_millis());
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let deliveries = tx.execute(
            "DELETE FROM delivery WHERE state NOT IN ('queued', 'sending') AND created_ms < ?1",
            [before(retention.ended_deliveries)],
        )?;
        let reminders = tx.execute(
            "DELETE FROM reminder WHERE state = 'resolved' AND state_ms < ?1
             AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.reminder = reminder.key)",
            [before(retention.resolved_reminders)],
        )?;
        let sms_digests =
            tx.execute("DELETE FROM sms_digest WHERE at_ms < ?1", [before(retention.sms_digests)])?;
        // The newest epoch stays: the next identity is counted from it.
        let epochs = tx.execute(
            "DELETE FROM epoch WHERE id < (SELECT max(id) FROM epoch)
             AND id NOT IN (SELECT epoch FROM usage)
             AND id NOT IN (SELECT epoch FROM usage_undated)
             AND id NOT IN (SELECT epoch FROM baseline WHERE epoch IS NOT NULL)",
            [],
        )?;
        tx.commit()?;
        Ok(Pruned { deliveries, reminders, sms_digests, epochs })
    }
}

/// Why nothing was forgotten, summed or folded.
#[derive(Debug, thiserror::Error)]
#[error("the ledger cannot be tidied: {source} ({hint})", hint = ErrorKind::of_sqlite(source).hint())]
pub struct PruneError {
    /// What SQLite says.
    #[from]
    source: rusqlite::Error,
}

impl PruneError {
    /// The kind, for programs.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::of_sqlite(&self.source)
    }
}

/// Holds the caps on what `changes` may have made too many of.
pub(crate) fn hold_caps(tx: &Connection, changes: &[Change]) -> rusqlite::Result<()> {
    let any = |wanted: fn(&Change) -> bool| changes.iter().any(wanted);
    if any(|change| matches!(change, Change::KeepSmsDigest { .. })) {
        cap(
            tx,
            "DELETE FROM sms_digest WHERE digest IN
             (SELECT digest FROM sms_digest ORDER BY at_ms DESC, digest LIMIT -1 OFFSET ?1)",
            SMS_DIGESTS,
        )?;
    }
    if any(|change| matches!(change, Change::KeepDelivery(_))) {
        cap(
            tx,
            "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE state NOT IN ('queued', 'sending')
             ORDER BY created_ms DESC, id LIMIT -1 OFFSET ?1)",
            ENDED_DELIVERIES,
        )?;
    }
    if any(|change| matches!(change, Change::KeepReminder(_))) {
        cap(
            tx,
            "DELETE FROM reminder WHERE key IN (SELECT key FROM reminder WHERE state = 'resolved'
             ORDER BY state_ms DESC, key LIMIT -1 OFFSET ?1)",
            RESOLVED_REMINDERS,
        )?;
    }
    if any(|change| matches!(change, Change::AppendGap(_))) {
        cap(tx, "DELETE FROM gap WHERE id <= (SELECT max(id) FROM gap) - ?1", GAPS)?;
    }
    Ok(())
}

fn cap(tx: &Connection, sql: &str, most: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(sql)?.execute(params![most])?;
    Ok(())
}
