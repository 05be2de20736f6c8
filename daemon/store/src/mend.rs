//! A damaged index is made anew of its table.
//!
//! Going on from a copy would lose what was measured and corrected since; an index holds nothing that its table does not, so
//! that making it anew loses nothing. But a table that is garbled disagrees with its index as well, and then the index is
//! what is right: nothing is mended where that may be.

use rusqlite::{Connection, ErrorCode};

use crate::backup::check;
use crate::readable::unreadable;

/// Makes every index anew, in one transaction. Tells whether all is well after that; otherwise nothing is changed.
pub(crate) fn indexes(conn: &Connection) -> rusqlite::Result<bool> {
    match mended(conn) {
        // Of an index or of a table: a damaged table is nothing to mend.
        Err(error) if is_damage(&error) => Ok(false),
        done => done,
    }
}

fn mended(conn: &Connection) -> rusqlite::Result<bool> {
    let names: Vec<(String, String)> = {
        let mut all = conn.prepare("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index'")?;
        let all = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        all.collect::<rusqlite::Result<_>>()?
    };
    let tx = conn.unchecked_transaction()?;
    for (index, table) in &names {
        match knows_better(&tx, index, table) {
            Ok(true) => return Ok(false),
            // One that cannot be read says nothing against its table.
            Ok(false) => {}
            Err(error) if is_damage(&error) => {}
            Err(error) => return Err(error),
        }
    }
    for (index, _) in &names {
        tx.execute_batch(&format!("REINDEX \"{index}\""))?;
    }
    // What a damaged index led to may be another's pages: then two have them now.
    if !check(&tx)?.is_empty() || unreadable(&tx)?.is_some() {
        return Ok(false);
    }
    tx.commit()?;
    Ok(true)
}

/// Whether an index by SIM has an entry of a SIM that is known, and its table no such row: either may be what was garbled.
/// No figure depends on the other indexes.
fn knows_better(conn: &Connection, index: &str, table: &str) -> rusqlite::Result<bool> {
    let columns: Vec<String> = {
        let mut all = conn.prepare("SELECT name FROM pragma_index_info(?1) ORDER BY seqno")?;
        let all = all.query_map([index], |row| row.get(0))?;
        all.collect::<rusqlite::Result<_>>()?
    };
    if !index.ends_with("_by_sim") || columns.first().is_none_or(|first| first != "iccid") {
        return Ok(false);
    }
    let columns = columns.join(", ");
    conn.query_row(
        &format!(
            "SELECT EXISTS (SELECT * FROM (SELECT {columns}, rowid FROM {table} INDEXED BY {index}
             EXCEPT SELECT {columns}, rowid FROM {table} NOT INDEXED) WHERE iccid IN (SELECT iccid FROM sim))"
        ),
        [],
        |row| row.get(0),
    )
}

/// Two rows of one key are damage here too: no commit made them.
fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation)
    )
}
