//! What rules said and were told, by reminder.

use rusqlite::{Connection, params};
use simbell_core::decision::Decision;
use simbell_core::ident::ReminderKey;

use crate::apply::{Made, run};
use crate::open::Store;
use crate::rows::{QueryError, collect, from_json};

/// Most decisions that are kept.
const KEPT: i64 = 100;
/// Larger ones are not: with very many SIMs and modems they would be most of the ledger.
const LONGEST: usize = 64 << 10;

pub(crate) fn keep(tx: &Connection, reminder: &ReminderKey, decision: &Decision) -> Made {
    let json = serde_json::to_string(decision)?;
    if json.len() > LONGEST {
        // The one before explains nothing of what the reminder is now.
        return run(tx, "DELETE FROM decision WHERE reminder = ?1", params![reminder.as_str()]);
    }
    run(
        tx,
        "INSERT OR REPLACE INTO decision VALUES (?1, ?2, ?3)",
        params![reminder.as_str(), decision.at.as_millis(), json],
    )?;
    run(
        tx,
        "DELETE FROM decision WHERE reminder IN
         (SELECT reminder FROM decision ORDER BY at_ms DESC, reminder LIMIT -1 OFFSET ?1)",
        params![KEPT],
    )
}

impl Store {
    /// What the rule of a reminder said as it last changed it; none where it is not kept (any more): of the newest 100,
    /// those up to 64 KiB are.
    ///
    /// # Errors
    /// When SQLite fails or a row makes no sense.
    pub fn decision(&self, reminder: &ReminderKey) -> Result<Option<Decision>, QueryError> {
        let sql = "SELECT decision FROM decision WHERE reminder = ?1";
        let found = collect(&mut self.conn.prepare_cached(sql)?, params![reminder.as_str()], |row| {
            from_json(&row.get::<_, String>(0)?, "decision.decision")
        })?;
        Ok(found.into_iter().next())
    }
}
