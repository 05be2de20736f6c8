//! The schema's versions, one numbered file each. A new ledger takes every step too, so that old and new ones
//! end with the same schema, to the letter.

use rusqlite::{Connection, TransactionBehavior};

/// `application_id` of a ledger: "SimB". Tells it from any other SQLite file.
pub const APPLICATION_ID: i32 = 0x5369_6d42;

/// `user_version` of the ledger that this version writes.
pub const SCHEMA_VERSION: i32 = 6;

const STEPS: [(i32, &str); 6] = [
    (1, include_str!("migrations/0001.sql")),
    (2, include_str!("migrations/0002.sql")),
    (3, include_str!("migrations/0003.sql")),
    (4, include_str!("migrations/0004.sql")),
    (5, include_str!("migrations/0005.sql")),
    (SCHEMA_VERSION, include_str!("migrations/0006.sql")),
];

/// Takes every step after `from`, in one transaction.
pub(crate) fn migrate(conn: &mut Connection, from: i32) -> rusqlite::Result<()> {
    if from == SCHEMA_VERSION {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (version, sql) in STEPS {
        if version > from {
            tx.execute_batch(sql)?;
        }
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    tx.commit()
}

/// Every column of the current schema, as `table.column`, in order.
const COLUMNS: &str = include_str!("migrations/columns.txt");

/// The first column, as `table.column`, that the current schema has and a ledger lacks: SQLite misses neither it nor its
/// table before somebody asks for it.
pub(crate) fn missing_column(conn: &Connection) -> rusqlite::Result<Option<String>> {
    let found = columns(conn)?;
    let lacks = |column: &&str| found.binary_search_by(|found| found.as_str().cmp(column)).is_err();
    Ok(COLUMNS.lines().find(lacks).map(str::to_owned))
}

fn columns(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT m.name || '.' || c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c
        WHERE m.type = 'table' ORDER BY 1";
    conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_without_holes_and_end_at_the_current_version() {
        let numbers: Vec<i32> = STEPS.iter().map(|(version, _)| *version).collect();
        assert_eq!(numbers, (1..=SCHEMA_VERSION).collect::<Vec<_>>());
    }

    #[test]
    fn a_failing_step_leaves_the_old_version() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(STEPS[0].1).unwrap();
        conn.pragma_update(None, "user_version", 1).unwrap();
        // Usage of an epoch that is not there has no SIM: the step must fail rather than drop it.
        conn.execute_batch("INSERT INTO usage VALUES (9, 0, 1, 1, 0, 0)").unwrap();
        migrate(&mut conn, 1).unwrap_err();
        let version: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, 1);
        let kept: i64 = conn.query_row("SELECT sum(rx_bytes) FROM usage", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 1);
    }

    #[test]
    fn the_columns_are_those_that_the_steps_make() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, 0).unwrap();
        let made = columns(&conn).unwrap().join("\n") + "\n";
        if std::env::var_os("SIMBELL_WRITE").is_some() {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/migrations/columns.txt");
            std::fs::write(file, &made).unwrap();
        }
        assert_eq!(COLUMNS, made, "write it anew with SIMBELL_WRITE=1");
        assert_eq!(missing_column(&conn).unwrap(), None);
    }
}
