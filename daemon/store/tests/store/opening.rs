//! What is made, migrated, refused.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use simbell_core::effect::{Change, TotalsQuery};
use simbell_core::ident::OperatorCode;
use simbell_core::ledger::{EpochId, Volume, Zone};
use simbell_core::plugin::{PluginChoice, PluginDecision, PluginPlace};
use simbell_store::{APPLICATION_ID, ErrorKind, OpenError, SCHEMA_VERSION, Store, StoreOptions};

use crate::changes::baseline;
use crate::common::{Dir, NOVEMBER, at, boot, ever, iccid, open, sum, usage};

/// A ledger of version 1.
pub const V1: &[u8] = include_bytes!("fixtures/ledger-v1.db");
/// The same, of version 2.
pub const V2: &[u8] = include_bytes!("fixtures/ledger-v2.db");

fn refused(path: &Path) -> OpenError {
    Store::open(path, &StoreOptions::default()).unwrap_err()
}

/// Name and SQL of everything in a ledger.
fn schema(path: &Path) -> BTreeMap<String, Option<String>> {
    let conn = Connection::open(path).unwrap();
    let mut all = conn.prepare("SELECT type || ' ' || name, sql FROM sqlite_schema").unwrap();
    all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// Names and bytes of the files in a directory, without the lock.
fn files(dir: &Dir) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| !name.ends_with("-lock") && !name.ends_with("-shm"))
        .collect()
}

#[test]
fn older_installations_are_upgraded_with_equal_sums_and_a_copy_kept() {
    upgraded(V1, 1);
    upgraded(V2, 2);
}

fn upgraded(old: &[u8], from: i32) {
    let dir = Dir::new();
    std::fs::write(dir.ledger(), old).unwrap();
    let mut store = open(&dir.ledger());

    let totals = store.totals(&ever(1)).unwrap();
    // Σ of 1000 + n and of 10 + n for n in 0..100.
    let home = Volume { rx: 104_950, tx: 5_950 };
    let away = Zone::Roaming(Some(OperatorCode::new("26202").unwrap()));
    assert_eq!(totals.by_zone, vec![(Zone::Home, home), (away, Volume { rx: 7, tx: 70 })]);
    assert_eq!(totals.corrections, 6_000_000_000);
    assert_eq!(totals.first_at, Some(at(1_790_002_800_000)));
    let other = store.totals(&ever(2)).unwrap();
    assert_eq!(other.by_zone, vec![(Zone::Unknown, Volume { rx: u64::MAX >> 1, tx: 0 })]);
    assert_eq!(other.undated, Volume { rx: 33, tx: 44 });
    let one_hour =
        TotalsQuery { iccid: iccid(1), from: at(1_790_006_400_000), until: Some(at(1_790_010_000_000)) };
    assert_eq!(sum(&store.totals(&one_hour).unwrap()), (1001, 11));

    let restored = store.restore(&boot("boot-1")).unwrap();
    assert_eq!(restored.sims.len(), 2);
    assert_eq!(restored.baselines[0].rx_bytes, 123_456_789_012);
    assert_eq!(restored.epochs[0].id, EpochId(2));
    assert_eq!(restored.next_epoch, EpochId(6));
    assert_eq!(restored.reminders.len(), 1);
    assert_eq!(restored.deliveries[0].message.text, "x");
    assert_eq!(restored.undated_boots, vec![boot("boot-2")]);
    assert_eq!(store.gaps(None, None, 9).unwrap().len(), 1);
    assert!(store.integrity_check().unwrap().is_empty());
    // It can be written as any other.
    store.apply(&[usage(1, 1, NOVEMBER, 1, 0), Change::SetBaseline(baseline("link:4", 2))]).unwrap();
    drop(store);

    let kept = dir.path().join(format!("ledger.db.v{from}"));
    assert_eq!(open(&dir.ledger()).totals(&ever(1)).unwrap().by_zone[0].1.rx, 104_951);
    let copy = Connection::open(&kept).unwrap();
    let version: i32 = copy.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let rows: i64 = copy.query_row("SELECT count(*) FROM usage", [], |row| row.get(0)).unwrap();
    assert_eq!((version, rows), (from, 102));

    let fresh = Dir::new();
    drop(open(&fresh.ledger()));
    assert_eq!(schema(&dir.ledger()), schema(&fresh.ledger()), "old and new ledgers have one schema");
}

#[test]
fn decisions_of_a_ledger_of_version_4_have_no_place() {
    let dir = Dir::new();
    drop(open(&dir.ledger()));
    let now = schema(&dir.ledger());
    let conn = Connection::open(dir.ledger()).unwrap();
    let old = "ALTER TABLE plugin_decision DROP COLUMN place;
               INSERT INTO plugin_decision VALUES (1, 'bell', 0, 'uid 0', 'enable', '[\"send-sms\"]')";
    conn.execute_batch(old).unwrap();
    conn.pragma_update(None, "user_version", 4).unwrap();
    drop(conn);
    let store = open(&dir.ledger());
    let kept = store.restore(&boot("boot-1")).unwrap().plugin_decisions;
    assert_eq!((kept.len(), kept[0].place, kept[0].what), (1, None, PluginChoice::Enable));
    drop(store);
    assert_eq!(schema(&dir.ledger()), now);
}

#[test]
fn a_ledger_of_version_3_learns_of_plugins_and_of_months_of_calls() {
    for without in ["DROP TABLE plugin_decision", "DROP TABLE plugin_decision; DROP TABLE voice_month"] {
        learns_what_version_3_lacks(without);
    }
}

fn learns_what_version_3_lacks(without: &str) {
    let dir = Dir::new();
    drop(open(&dir.ledger()));
    let now = schema(&dir.ledger());
    let conn = Connection::open(dir.ledger()).unwrap();
    conn.execute_batch(without).unwrap();
    conn.pragma_update(None, "user_version", 3).unwrap();
    drop(conn);
    let mut store = open(&dir.ledger());
    let decision = PluginDecision {
        plugin: "bell".to_owned(),
        place: Some(PluginPlace::Owner),
        at: at(1_790_000_000_000),
        author: "uid 1000".to_owned(),
        what: PluginChoice::Enable,
        approved: Some(["host:api.example.org".to_owned()].into()),
    };
    let off = PluginDecision { what: PluginChoice::Disable, approved: None, ..decision.clone() };
    let decisions = [decision, off];
    store.apply(&decisions.clone().map(Change::AppendPluginDecision)).unwrap();
    assert_eq!(store.restore(&boot("boot-1")).unwrap().plugin_decisions, decisions);
    drop(store);
    assert_eq!(schema(&dir.ledger()), now);
}

#[test]
fn an_upgrade_that_fails_leaves_the_old_ledger() {
    let dir = Dir::new();
    std::fs::write(dir.ledger(), V1).unwrap();
    let conn = Connection::open(dir.ledger()).unwrap();
    conn.execute("INSERT INTO usage VALUES (99, 0, 1, 1, 0, 0)", []).unwrap();
    drop(conn);
    let error = refused(&dir.ledger());
    assert!(error.to_string().contains("cannot be migrated"), "{error}");
    let conn = Connection::open(dir.ledger()).unwrap();
    let version: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let rows: i64 = conn.query_row("SELECT count(*) FROM usage", [], |row| row.get(0)).unwrap();
    assert_eq!((version, rows), (1, 103));
}

#[test]
fn a_newer_schema_is_refused_untouched() {
    let dir = Dir::new();
    drop(open(&dir.ledger()));
    let conn = Connection::open(dir.ledger()).unwrap();
    conn.pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    drop(conn);
    let before = files(&dir);
    let error = refused(&dir.ledger());
    assert_eq!(error.kind(), ErrorKind::Newer);
    let text = error.to_string();
    let versions = [format!("version {}", SCHEMA_VERSION + 1), format!("up to {SCHEMA_VERSION}")];
    assert!(versions.iter().all(|said| text.contains(said)) && text.contains("install that"), "{text}");
    assert_eq!(files(&dir), before);
}

#[test]
fn a_newer_schema_that_lies_in_the_log_alone_is_refused_untouched() {
    let source = Dir::new();
    drop(open(&source.ledger()));
    let conn = Connection::open(source.ledger()).unwrap();
    conn.pragma_update(None, "user_version", SCHEMA_VERSION + 7).unwrap();
    // As a kill -9 leaves it: the log not moved into the file.
    let dir = Dir::new();
    for name in ["ledger.db", "ledger.db-wal"] {
        std::fs::copy(source.path().join(name), dir.path().join(name)).unwrap();
    }
    drop(conn);
    let before = files(&dir);
    assert!(!before["ledger.db-wal"].is_empty());
    assert!(
        matches!(refused(&dir.ledger()), OpenError::Newer { found, known: SCHEMA_VERSION, .. } if found == SCHEMA_VERSION + 7)
    );
    assert_eq!(files(&dir), before);
}

#[test]
fn another_programs_file_is_refused_untouched() {
    let dir = Dir::new();
    for name in ["text", "sqlite", "sqlite-with-id"] {
        let path = dir.path().join(name);
        if name == "text" {
            std::fs::write(&path, "not a database, but long enough to be read as one: ".repeat(9)).unwrap();
        } else {
            let conn = Connection::open(&path).unwrap();
            conn.execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1);").unwrap();
            if name == "sqlite-with-id" {
                conn.pragma_update(None, "application_id", 7).unwrap();
                conn.pragma_update(None, "user_version", 2).unwrap();
            }
        }
        let before = files(&dir);
        assert_eq!(refused(&path).kind(), ErrorKind::Foreign, "{name}");
        assert_eq!(files(&dir), before, "{name}");
    }
}

#[test]
fn a_second_writer_is_refused_and_told_who_is_first() {
    let dir = Dir::new();
    let first = open(&dir.ledger());
    let error = refused(&dir.ledger());
    assert!(
        matches!(&error, OpenError::Locked { pid: Some(pid), .. } if *pid == std::process::id()),
        "{error}"
    );
    assert!(error.to_string().contains(&format!("process {}", std::process::id())));
    drop(first);
    drop(open(&dir.ledger()));
}

#[test]
fn damage_is_told_apart_from_every_other_trouble() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let many: Vec<Change> = (0..2_000).map(|n| usage(1, 1, NOVEMBER + n, 1, 1)).collect();
    store.apply(&many).unwrap();
    drop(store);
    let whole = std::fs::read(dir.ledger()).unwrap();
    assert!(whole.len() > 20_000);

    let mut blank_header = whole.clone();
    blank_header[..1024].fill(0);
    let mut torn_schema = whole.clone();
    torn_schema[100..1024].fill(0xa5);
    for (name, bytes) in
        [("blank header", blank_header), ("torn schema", torn_schema), ("cut header", whole[..60].to_vec())]
    {
        std::fs::write(dir.ledger(), &bytes).unwrap();
        let error = refused(&dir.ledger());
        assert_eq!(error.kind(), ErrorKind::Damaged, "{name}: {error}");
        assert!(error.to_string().contains(".recover"), "{error}");
        assert_eq!(std::fs::read(dir.ledger()).unwrap(), bytes, "{name}: kept as found");
    }

    // Damage in the middle is found by the check, or when it is read.
    let mut torn_page = whole;
    let middle = torn_page.len() / 2 / 1024 * 1024;
    torn_page[middle..middle + 1024].fill(0xa5);
    std::fs::write(dir.ledger(), &torn_page).unwrap();
    let store = open(&dir.ledger());
    let checked = store.integrity_check();
    assert!(checked.as_ref().map_or(true, |found| !found.is_empty()), "{checked:?}");
    assert_eq!(store.totals(&ever(1)).unwrap_err().kind(), ErrorKind::Damaged);
}

#[test]
fn a_creation_that_was_killed_is_begun_again() {
    let dir = Dir::new();
    let conn = Connection::open(dir.ledger()).unwrap();
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)).unwrap();
    drop(conn);
    let mut store = open(&dir.ledger());
    store.apply(&[usage(1, 1, NOVEMBER, 1, 2)]).unwrap();
    assert_eq!(sum(&store.totals(&ever(1)).unwrap()), (1, 2));
}

#[test]
fn a_missing_directory_is_named() {
    let dir = Dir::new();
    let error = refused(&dir.path().join("nowhere/ledger.db"));
    assert_eq!(error.kind(), ErrorKind::Missing);
    assert!(error.to_string().contains("nowhere") && error.to_string().contains("create"), "{error}");
}

#[test]
fn a_new_ledger_is_marked_as_one_and_a_copy_of_it_is_whole() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    store.apply(&[usage(1, 1, NOVEMBER, 5, 6)]).unwrap();
    let copy = dir.path().join("copy.db");
    std::fs::write(&copy, "an older copy").unwrap();
    store.backup(&copy).unwrap();
    store.apply(&[usage(1, 1, NOVEMBER, 5, 6)]).unwrap();

    let header = std::fs::read(&copy).unwrap();
    assert_eq!(header[68..72], APPLICATION_ID.to_be_bytes());
    assert_eq!(header[60..64], SCHEMA_VERSION.to_be_bytes());
    assert_eq!(sum(&open(&copy).totals(&ever(1)).unwrap()), (5, 6));
    assert_eq!(sum(&store.totals(&ever(1)).unwrap()), (10, 12));
    let names: Vec<String> = files(&dir).into_keys().filter(|name| name.contains("part")).collect();
    assert!(names.is_empty(), "{names:?}");
    let error = store.backup(&dir.path().join("nowhere/copy.db")).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}
