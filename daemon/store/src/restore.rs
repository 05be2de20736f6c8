//! What the state is built from when the service begins.

use rusqlite::{Connection, OptionalExtension, Row};
use simbell_core::ident::BootId;
use simbell_core::ledger::EpochId;
use simbell_core::state::restored::{FirstUse, Restored, ScheduleMark, SmsDigest};
use simbell_core::time::Timestamp;

use crate::carrier;
use crate::open::Store;
use crate::plugins;
use crate::rows::{self, QueryError, collect, ident};
use crate::voice;
use crate::wishes;

/// Resolved reminders given back: the newest of them, so that a rule that raises one again finds it.
const RESOLVED_GIVEN_BACK: u32 = 200;

/// Most ended deliveries of one channel that are given back: they tell what became of a reminder and count towards a channel's
/// daily cap, over a restart too.
const ENDED_GIVEN_BACK: u32 = 500;

impl Store {
    /// Gives back what the state is built from, as of one instant. `boot` is this boot: its undated entries come first.
    ///
    /// # Errors
    /// When the ledger cannot be read, or holds a value that no version wrote.
    pub fn restore(&self, boot: &BootId) -> Result<Restored, QueryError> {
        let tx = self.conn.unchecked_transaction()?;
        let mut undated_boots = list(&tx, "SELECT DISTINCT boot FROM usage_undated ORDER BY boot", |row| {
            ident::<BootId>(&row.get::<_, String>(0)?, "usage_undated.boot")
        })?;
        undated_boots.sort_by_key(|other| other != boot);
        Ok(Restored {
            sims: list(&tx, &format!("SELECT {} FROM sim ORDER BY iccid", rows::SIM), rows::sim)?,
            baselines: list(
                &tx,
                &format!("SELECT {} FROM baseline ORDER BY counter", rows::BASELINE),
                rows::baseline,
            )?,
            epochs: list(
                &tx,
                &format!(
                    "SELECT {} FROM epoch WHERE id IN (SELECT epoch FROM baseline) ORDER BY id",
                    rows::EPOCH
                ),
                rows::epoch,
            )?,
            sessions: list(
                &tx,
                &format!("SELECT {} FROM session WHERE ended = 0 ORDER BY id", rows::SESSION),
                rows::session,
            )?,
            ended: Vec::new(),
            next_epoch: next_epoch(&tx)?,
            observations: carrier::newest_observations(&tx)?,
            next_observation: carrier::next_observation(&tx)?,
            open_calls: voice::open_calls(&tx)?,
            next_call: voice::next_call(&tx)?,
            next_sms: voice::next_sms(&tx)?,
            counted_sms: voice::counted(&tx)?,
            party_key: voice::party_key(&tx)?,
            memories: wishes::memories(&tx)?,
            actions: wishes::actions(&tx)?,
            plugin_decisions: plugins::decisions(&tx)?,
            modems: wishes::modems(&tx)?,
            newest: newest(&tx)?,
            undated_boots,
            reminders: reminders(&tx)?,
            deliveries: list(
                &tx,
                &format!(
                    "SELECT {} FROM delivery WHERE state IN ('queued', 'sending') OR id IN (SELECT id FROM
                     (SELECT id, row_number() OVER (PARTITION BY channel ORDER BY created_ms DESC, id) AS place
                     FROM delivery WHERE state NOT IN ('queued', 'sending'))
                     WHERE place <= {ENDED_GIVEN_BACK}) ORDER BY id",
                    rows::DELIVERY
                ),
                rows::delivery,
            )?,
            schedule_marks: list(&tx, "SELECT key, served_ms FROM schedule_mark ORDER BY key", |row| {
                Ok(ScheduleMark { key: row.get(0)?, served: Timestamp::from_millis(row.get(1)?) })
            })?,
            sms_digests: list(&tx, "SELECT digest, at_ms FROM sms_digest ORDER BY digest", |row| {
                Ok(SmsDigest { digest: row.get(0)?, at: Timestamp::from_millis(row.get(1)?) })
            })?,
            first_uses: list(&tx, "SELECT iccid, plan, at_ms FROM first_use ORDER BY iccid, plan", |row| {
                Ok(FirstUse {
                    iccid: ident(&row.get::<_, String>(0)?, "first_use.iccid")?,
                    plan: row.get(1)?,
                    at: Timestamp::from_millis(row.get(2)?),
                })
            })?,
        })
    }
}

fn list<T>(
    conn: &Connection,
    sql: &str,
    convert: impl Fn(&Row<'_>) -> Result<T, QueryError>,
) -> Result<Vec<T>, QueryError> {
    // Asked once in the life of a process: not worth a place among the kept statements.
    collect(&mut &mut conn.prepare(sql)?, [], convert)
}

fn reminders(conn: &Connection) -> Result<Vec<simbell_core::reminder::Reminder>, QueryError> {
    list(
        conn,
        &format!(
            "SELECT {} FROM reminder WHERE state <> 'resolved' OR key IN (SELECT key FROM reminder
             WHERE state = 'resolved' ORDER BY state_ms DESC, key LIMIT {RESOLVED_GIVEN_BACK}) ORDER BY key",
            rows::REMINDER
        ),
        rows::reminder,
    )
}

fn next_epoch(conn: &Connection) -> Result<EpochId, QueryError> {
    let highest: Option<i64> = conn.query_row(
        "SELECT max(id) FROM (SELECT max(id) AS id FROM epoch
         UNION ALL SELECT max(id) FROM session
         UNION ALL SELECT max(epoch) FROM usage_undated UNION ALL SELECT max(epoch) FROM baseline)",
        [],
        |row| row.get(0),
    )?;
    highest.unwrap_or(0).checked_add(1).map(EpochId).ok_or(QueryError::Overflow { what: "epoch identities" })
}

/// Only what the clock said when it was trusted: not what a person, a schedule or an import says of the future. Usage is
/// asked for its latest slots by SIM, for it is long.
pub(crate) fn newest(conn: &Connection) -> Result<Option<Timestamp>, QueryError> {
    let newest: Option<i64> = conn
        .query_row(
            "WITH RECURSIVE
                 sims (iccid) AS (SELECT min(iccid) FROM usage UNION ALL
                     SELECT (SELECT min(iccid) FROM usage WHERE usage.iccid > sims.iccid) FROM sims
                     WHERE sims.iccid IS NOT NULL),
                 latest (at) AS (SELECT (SELECT max(last_ms) FILTER (WHERE source <> 'import')
                     FROM (SELECT last_ms, source FROM usage
                     WHERE usage.iccid = sims.iccid ORDER BY start_ms DESC LIMIT 16)) FROM sims)
             SELECT max(at) FROM (SELECT max(at) AS at FROM latest
             UNION ALL SELECT max(read_ms) FROM baseline
             UNION ALL SELECT max(until_ms) FROM gap
             UNION ALL SELECT max(last_seen_ms) FROM sim
             UNION ALL SELECT max(raised_ms) FROM reminder
             UNION ALL SELECT max(created_ms) FROM delivery
             UNION ALL SELECT max(served_ms) FROM schedule_mark
             UNION ALL SELECT max(at_ms) FROM sms_digest
             UNION ALL SELECT max(at_ms) FROM first_use
             UNION ALL SELECT max(began_ms) FROM call
             UNION ALL SELECT max(at_ms) FROM sms)",
            [],
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    Ok(newest.map(Timestamp::from_millis))
}
