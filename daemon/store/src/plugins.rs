//! What was decided about plugins.

use rusqlite::{Connection, params};
use simbell_core::plugin::{PluginChoice, PluginDecision, PluginPlace};
use simbell_core::time::Timestamp;

use crate::apply::{Made, run};
use crate::rows::{QueryError, collect, from_json, from_word, word};

pub(crate) fn append(tx: &Connection, decision: &PluginDecision) -> Made {
    let approved = decision.approved.as_ref().map(serde_json::to_string).transpose()?;
    run(
        tx,
        "INSERT INTO plugin_decision (plugin, at_ms, author, choice, approved, place) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            decision.plugin,
            decision.at.as_millis(),
            decision.author,
            word(&decision.what)?,
            approved,
            decision.place.as_ref().map(word).transpose()?,
        ],
    )
}

/// Every decision, in order.
pub(crate) fn decisions(conn: &Connection) -> Result<Vec<PluginDecision>, QueryError> {
    let sql = "SELECT plugin, at_ms, author, choice, approved, place FROM plugin_decision ORDER BY id";
    collect(&mut &mut conn.prepare(sql)?, [], |row| {
        let approved: Option<String> = row.get(4)?;
        let place: Option<String> = row.get(5)?;
        Ok(PluginDecision {
            plugin: row.get(0)?,
            place: place.map(|word| from_word::<PluginPlace>(word, "plugin_decision.place")).transpose()?,
            at: Timestamp::from_millis(row.get(1)?),
            author: row.get(2)?,
            what: from_word::<PluginChoice>(row.get(3)?, "plugin_decision.choice")?,
            approved: approved.map(|json| from_json(&json, "plugin_decision.approved")).transpose()?,
        })
    })
}
