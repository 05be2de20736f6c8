//! The ledger as the sqlite3 program sees it, and SCHEMA.md as its guide.

use std::process::{Command, Output};

use simbell_core::effect::Change;
use simbell_core::ledger::{Gap, GapReason};
use simbell_core::reminder::{DeliveryState, ReminderState};

use crate::changes::{baseline, delivery, epoch, reminder};
use crate::common::{Dir, NOVEMBER, at, iccid, open, sim, usage};

const GUIDE: &str = include_str!("../../SCHEMA.md");

fn sqlite3(dir: &Dir, sql: &str) -> Output {
    Command::new("sqlite3")
        .arg("-readonly")
        .arg(dir.ledger())
        .arg(sql)
        .output()
        .expect("install the sqlite3 program (Debian: apt-get install sqlite3)")
}

fn answer(dir: &Dir, sql: &str) -> String {
    let output = sqlite3(dir, sql);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{sql}\n{complaint}");
    String::from_utf8(output.stdout).unwrap()
}

fn filled(dir: &Dir) -> simbell_store::Store {
    let mut store = open(&dir.ledger());
    store
        .apply(&[
            Change::KeepSim(sim(1)),
            Change::OpenEpoch(epoch(1, 1)),
            Change::SetBaseline(baseline("link:1", 1)),
            usage(1, 1, NOVEMBER + 86_400_000, 1_000, 24),
            Change::AppendGap(Gap {
                iccid: Some(iccid(1)),
                from: Some(at(NOVEMBER)),
                until: None,
                reason: GapReason::CounterReset,
                detail: "wwan0".to_owned(),
            }),
            Change::KeepReminder(reminder("data/a", ReminderState::Firing)),
            Change::KeepDelivery(delivery("q", DeliveryState::Queued, NOVEMBER)),
        ])
        .unwrap();
    store
}

#[test]
fn every_block_of_the_guide_answers_while_the_service_writes() {
    let dir = Dir::new();
    let _store = filled(&dir);
    let blocks: Vec<&str> = GUIDE
        .split("```sql\n")
        .skip(1)
        .map(|rest| rest.split_once("```").expect("a block of SQL ends").0)
        .collect();
    assert!(blocks.len() >= 8, "{}", blocks.len());
    for block in &blocks {
        for statement in block.split_inclusive(";\n") {
            assert!(!answer(&dir, statement).trim().is_empty(), "no answer:\n{statement}");
        }
    }
    let used = blocks.iter().find(|block| block.contains("used_bytes")).unwrap();
    assert_eq!(answer(&dir, used).trim(), format!("{}|1024", iccid(1)));
}

#[test]
fn the_guide_names_every_table_and_view_and_each_says_what_it_is() {
    let dir = Dir::new();
    let _store = filled(&dir);
    let names = answer(&dir, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')");
    assert!(names.lines().count() >= 20);
    for name in names.lines() {
        assert!(GUIDE.contains(&format!("`{name}`")), "SCHEMA.md does not speak of {name}");
        let sql = answer(&dir, &format!("SELECT sql FROM sqlite_schema WHERE name = '{name}'"));
        assert!(sql.contains("\n    -- "), "{name} does not say what it is:\n{sql}");
    }
    let loose = answer(
        &dir,
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
        AND NOT strict AND name NOT LIKE 'sqlite_%'",
    );
    assert_eq!(loose, "", "every table is STRICT");
}

#[test]
fn views_show_times_in_utc() {
    let dir = Dir::new();
    let _store = filled(&dir);
    let iccid = iccid(1);
    for (sql, expected) in [
        ("SELECT * FROM usage_by_day", format!("{iccid}|2026-11-02|home|kernel|1000|24")),
        ("SELECT * FROM usage_by_hour", format!("{iccid}|2026-11-02T00:00:00Z|home|kernel|1000|24")),
        ("SELECT * FROM usage_by_month", format!("{iccid}|2026-11|home|kernel|1000|24")),
        ("SELECT since, until, reason FROM gaps", "2026-11-01T00:00:00Z||counter-reset".to_owned()),
        ("SELECT state, raised_at FROM reminders_now", "firing|2026-11-01T00:00:00Z".to_owned()),
        ("SELECT id, created_at FROM outbox", "q|2026-11-01T00:00:00Z".to_owned()),
        ("SELECT * FROM sims", format!("{iccid}|Example|2026-11-01T00:00:00Z|2026-11-01T00:00:00Z")),
    ] {
        assert_eq!(answer(&dir, sql).trim(), expected, "{sql}");
    }
}

#[test]
fn the_shell_cannot_put_a_figure_where_a_figure_does_not_fit() {
    let dir = Dir::new();
    drop(filled(&dir));
    let output = Command::new("sqlite3")
        .arg(dir.ledger())
        .arg("UPDATE usage SET rx_bytes = 'many'")
        .output()
        .expect("install the sqlite3 program (Debian: apt-get install sqlite3)");
    assert!(!output.status.success(), "STRICT tables refuse it");
}

#[test]
fn a_ledger_opened_alone_is_closed_to_the_shell_until_it_is_closed() {
    let dir = Dir::new();
    drop(filled(&dir));
    let options = simbell_store::StoreOptions { readers: false, ..simbell_store::StoreOptions::default() };
    let mut store = simbell_store::Store::open(&dir.ledger(), &options).unwrap();
    store.apply(&[usage(1, 1, NOVEMBER, 1, 0)]).unwrap();
    assert!(!store.is_shared() && !dir.path().join("ledger.db-shm").exists());
    let refused = sqlite3(&dir, "SELECT * FROM sims");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("locked"));
    drop(store);
    assert_eq!(answer(&dir, "SELECT sum(rx_bytes) FROM usage").trim(), "1001");
}
