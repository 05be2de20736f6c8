//! What rules remember and want done, and the modems they are told of.

use rusqlite::{Connection, Row, params};
use simbell_core::action::ActionRecord;
use simbell_core::effect::ModemRecord;
use simbell_core::ident::RuleName;
use simbell_core::memory::Memory;
use simbell_core::time::Timestamp;

use crate::apply::{Made, run};
use crate::rows::{QueryError, collect, from_json, from_word, ident, instant, optional_ident, word};

/// Most actions that are kept.
const ACTIONS: i64 = 1_000;
/// Actions of so long are given back at a start: what counts towards a day's cap, in any zone.
const RECENT_MS: i64 = 2 * 86_400_000;

pub(crate) fn keep_memory(tx: &Connection, rule: &RuleName, memory: &Memory) -> Made {
    if memory.0.is_empty() {
        return run(tx, "DELETE FROM rule_memory WHERE rule = ?1", params![rule.as_str()]);
    }
    run(
        tx,
        "INSERT OR REPLACE INTO rule_memory VALUES (?1, ?2)",
        params![rule.as_str(), serde_json::to_string(memory)?],
    )
}

pub(crate) fn keep_action(tx: &Connection, record: &ActionRecord) -> Made {
    run(
        tx,
        "INSERT OR REPLACE INTO action VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            record.key,
            record.rule.as_str(),
            record.sim.as_str(),
            serde_json::to_string(&record.action)?,
            word(&record.state)?,
            record.at.as_millis(),
            record.trigger,
            record.wished,
            record.note,
        ],
    )?;
    run(
        tx,
        "DELETE FROM action WHERE wished = 0 AND state <> 'intended' AND key NOT IN
         (SELECT key FROM action ORDER BY at_ms DESC LIMIT ?1)",
        params![ACTIONS],
    )
}

pub(crate) fn keep_modem(tx: &Connection, modem: &ModemRecord) -> Made {
    run(
        tx,
        "INSERT OR REPLACE INTO modem VALUES (?1, ?2, ?3, ?4)",
        params![
            modem.id.as_str(),
            modem.name,
            modem.sim.as_ref().map(|iccid| iccid.as_str()),
            modem.lost_at.map(|at| at.as_millis()),
        ],
    )
}

pub(crate) fn memories(conn: &Connection) -> Result<Vec<(RuleName, Memory)>, QueryError> {
    collect(&mut &mut conn.prepare("SELECT rule, memory FROM rule_memory ORDER BY rule")?, [], |row| {
        let rule = ident(&row.get::<_, String>(0)?, "rule_memory.rule")?;
        Ok((rule, from_json(&row.get::<_, String>(1)?, "rule_memory.memory")?))
    })
}

pub(crate) fn actions(conn: &Connection) -> Result<Vec<ActionRecord>, QueryError> {
    let sql = "SELECT key, rule, iccid, action, state, at_ms, trigger, wished, note FROM action
               WHERE wished OR state = 'intended' OR at_ms > (SELECT max(at_ms) FROM action) - ?1 ORDER BY key";
    collect(&mut &mut conn.prepare(sql)?, params![RECENT_MS], action)
}

fn action(row: &Row<'_>) -> Result<ActionRecord, QueryError> {
    Ok(ActionRecord {
        key: row.get(0)?,
        rule: ident(&row.get::<_, String>(1)?, "action.rule")?,
        sim: ident(&row.get::<_, String>(2)?, "action.iccid")?,
        action: from_json(&row.get::<_, String>(3)?, "action.action")?,
        state: from_word(row.get(4)?, "action.state")?,
        at: Timestamp::from_millis(row.get(5)?),
        trigger: row.get(6)?,
        wished: row.get(7)?,
        note: row.get(8)?,
    })
}

pub(crate) fn modems(conn: &Connection) -> Result<Vec<ModemRecord>, QueryError> {
    collect(&mut &mut conn.prepare("SELECT id, name, iccid, lost_ms FROM modem ORDER BY id")?, [], |row| {
        Ok(ModemRecord {
            id: ident(&row.get::<_, String>(0)?, "modem.id")?,
            name: row.get(1)?,
            sim: optional_ident(row.get::<_, Option<String>>(2)?, "modem.iccid")?,
            lost_at: instant(row.get(3)?),
        })
    })
}
