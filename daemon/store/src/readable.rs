//! Whether every row that a figure is made of says something that this program writes. SQLite looks at pages, not at what is
//! in them: a bit that flips in a word leaves its ledger in order.

use rusqlite::{Connection, Row};
use simbell_core::ledger::Zone;

use crate::carrier::{self, OBSERVATION};
use crate::failure::ErrorKind;
use crate::lists::gap;
use crate::rows::{self, QueryError, ident, unsigned};
use crate::usage::{source, text};
use crate::voice::{self, COUNTED_CALL, COUNTED_SMS};

/// The first row that cannot be read, in words. Ten years of hours of 16 SIMs take 1 s of CPU.
pub(crate) fn unreadable(conn: &Connection) -> rusqlite::Result<Option<String>> {
    match looked_through(conn) {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Damaged => Ok(Some(error.to_string())),
        Err(QueryError::Sqlite(error)) => Err(error),
        // A sum is made of no row here.
        Err(QueryError::Overflow { .. } | QueryError::Unreadable { .. }) => Ok(None),
    }
}

fn looked_through(conn: &Connection) -> Result<(), QueryError> {
    for table in ["usage", "usage_undated"] {
        let sql = format!("SELECT iccid, zone, source, rx_bytes, tx_bytes FROM {table}");
        let mut before = (String::new(), String::new(), String::new());
        each(conn, &sql, |row| {
            let words =
                (text(row, 0, "usage.iccid")?, text(row, 1, "usage.zone")?, text(row, 2, "usage.source")?);
            // Rows that follow one another are mostly of one SIM in one zone.
            if words != (before.0.as_str(), before.1.as_str(), before.2.as_str()) {
                ident::<simbell_core::ident::Iccid>(words.0, "usage.iccid")?;
                zone(words.1, "usage.zone")?;
                source(words.2)?;
                before = (words.0.to_owned(), words.1.to_owned(), words.2.to_owned());
            }
            unsigned::<u64>(row.get(3)?, "usage.rx_bytes")?;
            unsigned::<u64>(row.get(4)?, "usage.tx_bytes")?;
            Ok(())
        })?;
    }
    each(conn, &format!("SELECT {} FROM epoch", rows::EPOCH), |row| {
        zone(text(row, 2, "epoch.zone")?, "epoch.zone")?;
        rows::epoch(row).map(drop)
    })?;
    each(conn, &format!("SELECT {} FROM session", rows::SESSION), |row| rows::session(row).map(drop))?;
    // Which one takes another back is nothing of its own.
    let corrections = "SELECT id, iccid, at_ms, bytes, author, reason, undoes, NULL FROM correction";
    each(conn, corrections, |row| carrier::correction(row).map(drop))?;
    each(conn, &format!("SELECT {OBSERVATION} FROM observation"), |row| carrier::observation(row).map(drop))?;
    each(conn, "SELECT id, iccid, from_ms, until_ms, reason, detail FROM gap", |row| gap(row).map(drop))?;
    let counted = |columns: &str| columns.replacen("NULL", "iccid", 1);
    each(conn, &format!("SELECT {} FROM call", counted(COUNTED_CALL)), |row| {
        zone(text(row, 5, "call.zone")?, "call.zone")?;
        voice::call(row).map(drop)
    })?;
    each(conn, &format!("SELECT {} FROM sms", counted(COUNTED_SMS)), |row| {
        zone(text(row, 4, "sms.zone")?, "sms.zone")?;
        voice::message(row).map(drop)
    })
}

/// Reading is lenient towards a zone, which may be a newer version's; what one that reads it back would not write is garbled.
fn zone(word: &str, column: &'static str) -> Result<(), QueryError> {
    if Zone::from_text(word).to_text() == word {
        return Ok(());
    }
    Err(QueryError::Unreadable { column, problem: format!("unknown zone {word:?}") })
}

fn each(
    conn: &Connection,
    sql: &str,
    mut looks_at: impl FnMut(&Row<'_>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        looks_at(row)?;
    }
    Ok(())
}
