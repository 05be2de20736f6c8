//! Damage of every kind: set aside, never lost, and gone on from the last good copy.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use simbell_core::effect::{Change, TotalsQuery};
use simbell_core::ledger::{Correction, Gap, GapReason, Volume};
use simbell_store::{Backups, Doubt, ErrorKind, ImportRow, Occasion, Reader, Recovery, Store, StoreOptions};

use crate::changes::baseline;
use crate::common::{Dir, HOUR, NOVEMBER, at, boot, ever, iccid, open, sim, sum, usage};

fn filled(path: &Path, n: i64) -> Store {
    let mut store = open(path);
    let changes: Vec<Change> = (0..n)
        .map(|n| usage(1, 1, NOVEMBER + n * HOUR, 10, 1))
        .chain([Change::KeepSim(sim(1)), Change::SetBaseline(baseline("link:1", 1))])
        .collect();
    store.apply(&changes).unwrap();
    store
}

fn recover(dir: &Dir, suspicious: bool) -> (Store, Option<Recovery>) {
    let doubt = if suspicious { Doubt::Look } else { Doubt::None };
    let backups = Backups::of(&dir.ledger());
    Store::open_or_recover(&dir.ledger(), &StoreOptions::default(), &backups, &doubt, at(NOVEMBER)).unwrap()
}

fn received(store: &Store) -> u64 {
    sum(&store.totals(&ever(1)).unwrap()).0
}

#[test]
fn a_copy_is_made_while_the_ledger_is_written_and_taken_back() {
    let dir = Dir::new();
    let backups = Backups::of(&dir.ledger());
    let mut store = filled(&dir.ledger(), 100);
    let reader = Reader::open(store.path()).unwrap();
    let copy = reader.copy_to(&backups, Occasion::Asked, at(NOVEMBER)).unwrap();
    assert_eq!(copy.name, "asked-20261101T000000Z.db");
    store.apply(&[usage(1, 1, NOVEMBER, 5, 0)]).unwrap();
    // A second one in the same second has a name of its own.
    let second = store.copy_to(&backups, Occasion::Asked, at(NOVEMBER)).unwrap();
    assert_eq!(second.name, "asked-20261101T000000Z.1.db");
    for day in 0..5 {
        store.copy_to(&backups, Occasion::Daily, at(NOVEMBER + day * 24 * HOUR)).unwrap();
        backups.thin(3).unwrap();
    }
    let names: Vec<String> = backups.list().unwrap().into_iter().map(|copy| copy.name).collect();
    assert_eq!(
        names,
        [
            "daily-20261105T000000Z.db",
            "daily-20261104T000000Z.db",
            "daily-20261103T000000Z.db",
            "asked-20261101T000000Z.1.db",
            "asked-20261101T000000Z.db",
        ]
    );
    drop((store, reader));
    let found = backups.find(&copy.name).unwrap().unwrap();
    let (store, aside) =
        Store::restore_copy(&dir.ledger(), &StoreOptions::default(), &found, at(NOVEMBER)).unwrap();
    assert_eq!(received(&store), 1_000);
    assert_eq!(received(&open(&aside)), 1_005, "the one before is whole");
}

#[test]
fn what_a_copy_that_was_cut_short_left_goes_and_nothing_else_does() {
    let dir = Dir::new();
    let backups = Backups::of(&dir.ledger());
    backups.clear().unwrap();
    let copy = filled(&dir.ledger(), 1).copy_to(&backups, Occasion::Asked, at(NOVEMBER)).unwrap();
    let at = |name: &str| backups.dir().join(name);
    for name in ["daily-20261101T000000Z.db.part", "asked-20261101T000000Z.db.part-journal"] {
        fs::write(at(name), "half").unwrap();
    }
    for name in ["mine.part", "mine.db.part-journal"] {
        fs::write(at(name), "not ours").unwrap();
    }
    backups.clear().unwrap();
    let mut left: Vec<String> = fs::read_dir(backups.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, [copy.name.as_str(), "mine.db.part-journal", "mine.part"]);
}

#[test]
fn a_name_leads_nowhere_else() {
    let dir = Dir::new();
    let backups = Backups::of(&dir.ledger());
    let store = filled(&dir.ledger(), 1);
    store.copy_to(&backups, Occasion::Asked, at(NOVEMBER)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", backups.dir().join("asked-20261102T000000Z.db")).unwrap();
    for name in ["../ledger.db", "/etc/passwd", "asked-20261102T000000Z.db", "", "."] {
        assert_eq!(backups.find(name).unwrap(), None, "{name}");
    }
}

#[test]
fn a_copy_of_a_damaged_ledger_is_not_kept() {
    let dir = Dir::new();
    let backups = Backups::of(&dir.ledger());
    drop(filled(&dir.ledger(), 3_000));
    let file = fs::OpenOptions::new().write(true).open(dir.ledger()).unwrap();
    file.write_all_at(&[0xa5; 1024], 40 * 1024).unwrap();
    let store = open(&dir.ledger());
    let error = store.copy_to(&backups, Occasion::Daily, at(NOVEMBER)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert_eq!(fs::read_dir(backups.dir()).unwrap().count(), 0);
}

/// A ledger with an entry behind each index that a figure is found by.
fn indexed(path: &Path) -> Store {
    let mut store = filled(path, 10);
    store.apply(&[correction()]).unwrap();
    store
}

fn correction() -> Change {
    Change::AppendCorrection(Correction {
        iccid: iccid(1),
        at: at(NOVEMBER),
        bytes: 1_130_000_000,
        author: "uid 0".to_owned(),
        reason: String::new(),
        undoes: None,
    })
}

fn corrected(store: &Store) -> i64 {
    store.totals(&ever(1)).unwrap().corrections
}

#[test]
fn a_damaged_index_is_made_anew_and_costs_nothing() {
    for (doubtful, index) in
        [(false, "correction_by_sim"), (true, "correction_by_sim"), (true, "call_by_sim")]
    {
        let dir = Dir::new();
        let store = indexed(&dir.ledger());
        store.copy_to(&Backups::of(&dir.ledger()), Occasion::Daily, at(NOVEMBER)).unwrap();
        drop(store);
        let conn = rusqlite::Connection::open(dir.ledger()).unwrap();
        if index == "call_by_sim" {
            let call = "INSERT INTO call (iccid, incoming, number_class, zone, answered, began_ms, began_boot_ms, seconds,
                 seconds_min, ending) SELECT iccid, 0, 'national', 'home', 1, last_seen_ms, 1, 60, 60, 'seen' FROM sim";
            conn.execute(call, []).unwrap();
        }
        let root = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        let root: u32 = conn.query_row(root, [index], |row| row.get(0)).unwrap();
        let end = u64::from(root) * 1024 - 40;
        conn.close().unwrap();
        let file = fs::OpenOptions::new().read(true).write(true).open(dir.ledger()).unwrap();
        let mut bytes = [0; 40];
        file.read_exact_at(&mut bytes, end).unwrap();
        file.write_all_at(&bytes.map(|byte| byte ^ 0x15), end).unwrap();

        let (store, recovery) = recover(&dir, doubtful);
        assert_eq!(recovery, None, "{index}");
        assert!(store.mended().is_some_and(|why| why.contains(index)), "{:?}", store.mended());
        assert!(store.integrity_check().unwrap().is_empty());
        assert_eq!((corrected(&store), received(&store)), (1_130_000_000, 100));
        drop(store);
        assert_eq!(recover(&dir, doubtful).0.mended(), None, "for good");
    }
}

#[test]
fn a_table_that_is_garbled_is_not_taken_for_what_its_index_should_say() {
    let dir = Dir::new();
    let store = indexed(&dir.ledger());
    store.copy_to(&Backups::of(&dir.ledger()), Occasion::Daily, at(NOVEMBER)).unwrap();
    drop(store);
    // As a bit that flips in the row: its index is taken out of the schema meanwhile.
    let schema = |sql: &str| {
        let conn = rusqlite::Connection::open(dir.ledger()).unwrap();
        conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
        conn.execute_batch(&format!("PRAGMA writable_schema = ON; {sql}")).unwrap();
    };
    schema(
        "CREATE TABLE held AS SELECT * FROM sqlite_schema WHERE name = 'correction_by_sim';
         DELETE FROM sqlite_schema WHERE name = 'correction_by_sim'",
    );
    schema("UPDATE correction SET at_ms = at_ms + 35184372088832");
    schema("INSERT INTO sqlite_schema SELECT * FROM held; DELETE FROM held");
    let (store, recovery) = recover(&dir, false);
    assert!(recovery.is_some_and(|recovery| recovery.from.is_some()));
    let november = TotalsQuery { until: Some(at(NOVEMBER + 24 * HOUR)), ..ever(1) };
    assert_eq!(store.totals(&november).unwrap().corrections, 1_130_000_000);
}

#[test]
fn a_row_that_cannot_be_read_is_found_and_the_last_copy_without_it_goes_on() {
    for garbled in [
        "UPDATE usage SET source = 'kerneL' WHERE start_ms = 1793491200000",
        "UPDATE usage SET zone = 'h/me' WHERE start_ms = 1793491200000",
        "UPDATE usage SET rx_bytes = -5 WHERE start_ms = 1793491200000",
        "UPDATE usage SET zone = CAST(x'ff6f6d65' AS TEXT) WHERE start_ms = 1793491200000",
        "UPDATE correction SET iccid = '89492110000O0000001'",
        "INSERT INTO gap (reason, detail) VALUES ('reboote$', '')",
    ] {
        let dir = Dir::new();
        let backups = Backups::of(&dir.ledger());
        let store = indexed(&dir.ledger());
        store.copy_to(&backups, Occasion::Daily, at(NOVEMBER)).unwrap();
        drop(store);
        rusqlite::Connection::open(dir.ledger()).unwrap().execute(garbled, []).unwrap();
        let store = open(&dir.ledger());
        let error = store.copy_to(&backups, Occasion::Daily, at(NOVEMBER)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{garbled}: {error}");
        drop(store);
        // As older versions left them.
        fs::copy(dir.ledger(), backups.dir().join("daily-20270101T000000Z.db")).unwrap();
        let (store, recovery) = recover(&dir, true);
        let recovery = recovery.unwrap();
        assert_eq!(recovery.from.as_deref(), Some("daily-20261101T000000Z.db"), "{garbled}");
        assert_eq!(recovery.damaged_copies.len(), 1);
        assert_eq!((corrected(&store), received(&store)), (1_130_000_000, 100));
    }
}

#[test]
fn a_row_that_cannot_be_read_does_not_cost_the_others_without_a_good_copy() {
    let dir = Dir::new();
    let backups = Backups::of(&dir.ledger());
    drop(indexed(&dir.ledger()));
    let garbled = "UPDATE usage SET source = 'kerneL' WHERE start_ms = 1793491200000";
    rusqlite::Connection::open(dir.ledger()).unwrap().execute(garbled, []).unwrap();
    let (store, recovery) = recover(&dir, true);
    let recovery = recovery.unwrap();
    assert_eq!((recovery.aside, recovery.from), (None, None));
    assert_eq!(store.corrections(None, None, 9).unwrap().len(), 1);
    // A copy of it is better than none: where the ledger is lost later, it goes on.
    let copy = store.copy_to(&backups.of_any_rows(), Occasion::Daily, at(NOVEMBER)).unwrap();
    drop(store);
    fs::write(dir.ledger(), "garbage").unwrap();
    let (store, recovery) = recover(&dir, false);
    assert_eq!(recovery.unwrap().from, Some(copy.name));
    assert_eq!(store.corrections(None, None, 9).unwrap().len(), 1);
}

#[test]
fn without_a_good_copy_the_ledger_begins_anew_and_nothing_is_removed() {
    let dir = Dir::new();
    let backups = Backups::of(&dir.ledger());
    drop(filled(&dir.ledger(), 10));
    fs::create_dir(backups.dir()).unwrap();
    fs::write(backups.dir().join("daily-20261101T000000Z.db"), "no ledger at all").unwrap();
    for round in 0..3 {
        fs::write(dir.ledger(), format!("garbage {round}").repeat(500)).unwrap();
        let (store, recovery) = recover(&dir, false);
        let recovery = recovery.unwrap();
        assert_eq!((recovery.from, recovery.damaged_copies.len()), (None, 1));
        assert_eq!(
            fs::read(recovery.aside.as_ref().unwrap()).unwrap(),
            format!("garbage {round}").repeat(500).as_bytes()
        );
        assert_eq!(received(&store), 0);
        assert!(store.restore(&boot("b")).unwrap().baselines.is_empty());
    }
    assert!(backups.dir().join("daily-20261101T000000Z.db").exists());
}

#[test]
fn an_emptied_or_lost_ledger_is_not_taken_for_a_new_one() {
    for (how, lost, log) in
        [("empty", false, false), ("gone", true, false), ("gone", true, true), ("empty", false, true)]
    {
        let dir = Dir::new();
        let backups = Backups::of(&dir.ledger());
        let store = filled(&dir.ledger(), 10);
        store.copy_to(&backups, Occasion::Daily, at(NOVEMBER)).unwrap();
        drop(store);
        fs::write(dir.ledger(), "").unwrap();
        if lost {
            fs::remove_file(dir.ledger()).unwrap();
        }
        // Whoever removes all that is called ledger removes this, too.
        fs::remove_file(dir.path().join("ledger.db-lock")).unwrap();
        if log {
            fs::write(dir.path().join("ledger.db-wal"), "what was written last").unwrap();
        }
        let (store, recovery) = recover(&dir, false);
        let recovery = recovery.unwrap();
        assert!(recovery.why.contains(how), "{}", recovery.why);
        assert!(recovery.from.is_some());
        // Something lies there until somebody has looked.
        assert_eq!(fs::metadata(recovery.aside.as_ref().unwrap()).unwrap().len(), 0);
        let aside = PathBuf::from(format!("{}-wal", recovery.aside.unwrap().display()));
        assert_eq!(fs::read(aside).ok(), log.then(|| b"what was written last".to_vec()));
        assert_eq!(received(&store), 100);
    }
}

#[test]
fn a_ledger_that_is_taken_away_while_it_is_open_is_put_back() {
    for another in [false, true] {
        let dir = Dir::new();
        let mut store = filled(&dir.ledger(), 10);
        assert!(store.is_in_place());
        for suffix in ["", "-wal", "-shm", "-lock"] {
            let _none = fs::remove_file(format!("{}{suffix}", dir.ledger().display()));
        }
        if another {
            fs::write(dir.ledger(), "another").unwrap();
        }
        assert!(!store.is_in_place());
        store.apply(&[usage(1, 1, NOVEMBER, 1, 0)]).unwrap();
        store.put_back(at(NOVEMBER)).unwrap();
        drop(store);
        let store = open(&dir.ledger());
        assert_eq!(received(&store), 101);
        assert!(store.is_in_place());
        let names =
            fs::read_dir(dir.path()).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap());
        let aside: Vec<_> = names.filter(|name| name.contains(".replaced-")).collect();
        let [aside] = &aside[..] else { panic!("{aside:?}") };
        assert_eq!(fs::read(dir.path().join(aside)).unwrap(), if another { &b"another"[..] } else { b"" });
    }
}

#[test]
fn a_lost_ledger_without_a_good_copy_begins_anew_and_leaves_a_sign() {
    let dir = Dir::new();
    let backups = Backups::of(&dir.ledger());
    drop(filled(&dir.ledger(), 10));
    fs::create_dir(backups.dir()).unwrap();
    fs::write(backups.dir().join("daily-20261101T000000Z.db"), "no ledger at all").unwrap();
    fs::remove_file(dir.ledger()).unwrap();
    let (store, recovery) = recover(&dir, false);
    let recovery = recovery.unwrap();
    assert_eq!((recovery.from, received(&store)), (None, 0));
    assert_eq!(fs::metadata(recovery.aside.as_ref().unwrap()).unwrap().len(), 0);
}

#[test]
fn a_ledger_whose_making_was_cut_short_is_made() {
    let dir = Dir::new();
    drop(filled(&dir.ledger(), 10));
    fs::write(dir.ledger(), "").unwrap();
    let (store, recovery) = recover(&dir, false);
    assert_eq!((recovery, received(&store)), (None, 0));
}

#[test]
fn another_programs_file_is_refused_all_the_same() {
    let dir = Dir::new();
    fs::write(dir.ledger(), "somebody's notes").unwrap();
    let backups = Backups::of(&dir.ledger());
    let options = StoreOptions::default();
    let error =
        Store::open_or_recover(&dir.ledger(), &options, &backups, &Doubt::Look, at(NOVEMBER)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Foreign, "{error}");
    assert_eq!(fs::read(dir.ledger()).unwrap(), b"somebody's notes");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is written over the file or its log, or cut off: the ledger opens, tells no figure that was never
    /// committed, and what was there lies aside.
    #[test]
    fn damage_anywhere_is_survived(
        at_kib in 0..200_usize, offset in 0..1024_usize, length in 1..4_000_usize, byte in any::<u8>(),
        cut in prop::option::of(0..200_000_u64), log in any::<bool>(), left_open in any::<bool>(),
    ) {
        let dir = Dir::new();
        let backups = Backups::of(&dir.ledger());
        let mut store = filled(&dir.ledger(), 1_000);
        store.copy_to(&backups, Occasion::Daily, at(NOVEMBER)).unwrap();
        store.apply(&[usage(1, 1, NOVEMBER + 2_000 * HOUR, 77, 0)]).unwrap();
        let log_path = dir.path().join("ledger.db-wal");
        let live = (fs::read(dir.ledger()).unwrap(), fs::read(&log_path).unwrap());
        drop(store);
        if left_open {
            fs::write(dir.ledger(), live.0).unwrap();
            fs::write(&log_path, live.1).unwrap();
        }
        let victim = if log && left_open { log_path } else { dir.ledger() };
        let mut bytes = fs::read(&victim).unwrap();
        let from = (at_kib * 1024 + offset).min(bytes.len());
        let until = (from + length).min(bytes.len());
        bytes[from..until].fill(byte);
        if let Some(cut) = cut {
            bytes.truncate(usize::try_from(cut).unwrap());
        }
        fs::write(&victim, &bytes).unwrap();
        let (mut store, recovery) = recover(&dir, true);
        prop_assert!(store.integrity_check().unwrap().is_empty());
        let got = received(&store);
        match recovery {
            Some(recovery) => {
                prop_assert!(recovery.aside.unwrap().exists());
                prop_assert_eq!(recovery.from.as_deref(), Some("daily-20261101T000000Z.db"));
                prop_assert_eq!(got, 10_000);
            }
            // Harmless to the structure, or the log alone: as before, as the copy, or as any commit between.
            None => prop_assert!(got <= 10_077 || !log, "{}", got),
        }
        store.apply(&[usage(1, 1, NOVEMBER, 1, 0)]).unwrap();
        prop_assert_eq!(received(&store), got + 1);
    }
}

/// What a process that is killed leaves behind: the ledger is written, and nothing of it closed.
fn killed(store: &Store, backups: &Backups) -> Dir {
    let dir = Dir::new();
    for suffix in ["", "-wal", "-shm", "-lock"] {
        let from = store.path().with_file_name(format!("ledger.db{suffix}"));
        fs::copy(&from, dir.path().join(from.file_name().unwrap())).unwrap();
    }
    let copies = Backups::of(&dir.ledger());
    fs::create_dir(copies.dir()).unwrap();
    for copy in backups.list().unwrap() {
        fs::copy(backups.dir().join(&copy.name), copies.dir().join(&copy.name)).unwrap();
    }
    dir
}

fn log_of(dir: &Dir) -> PathBuf {
    dir.path().join("ledger.db-wal")
}

fn without_its_log(dir: &Dir) {
    fs::remove_file(log_of(dir)).unwrap();
}

fn with_a_garbled_log(dir: &Dir) {
    let log = fs::OpenOptions::new().write(true).open(log_of(dir)).unwrap();
    log.write_all_at(&[0xa5; 4_000], 0).unwrap();
}

fn with_an_empty_log(dir: &Dir) {
    fs::write(log_of(dir), "").unwrap();
}

#[test]
fn a_log_that_is_lost_is_missed_and_the_copy_that_holds_more_goes_on() {
    for spoil in [without_its_log, with_a_garbled_log, with_an_empty_log] {
        let dir = Dir::new();
        let backups = Backups::of(&dir.ledger());
        // Made anew, all of it but its head is in the log; later what was added since.
        for old in [false, true] {
            let mut store = filled(&dir.ledger(), 10);
            if old {
                drop(store);
                store = open(&dir.ledger());
                store.apply(&[usage(1, 1, NOVEMBER + 20 * HOUR, 7, 0)]).unwrap();
            }
            store.copy_to(&backups, Occasion::Asked, at(NOVEMBER + i64::from(old) * HOUR)).unwrap();
            let (held, image) = (received(&store), killed(&store, &backups));
            let (found, recovery) = recover(&image, false);
            assert_eq!((received(&found), recovery), (held, None), "as it was left");
            drop(found);
            let image = killed(&store, &backups);
            spoil(&image);
            let (found, recovery) = recover(&image, false);
            let recovery = recovery.unwrap();
            assert_eq!(received(&found), held, "{recovery:?}");
            assert!(recovery.from.is_some() && recovery.aside.is_some(), "{recovery:?}");
            drop(found);
            assert_eq!(recover(&image, false).1, None, "it was closed since");
        }
    }
}

#[test]
fn a_log_that_is_lost_without_a_copy_is_said_and_the_ledger_goes_on_itself() {
    for spoil in [without_its_log, with_a_garbled_log, with_an_empty_log] {
        let dir = Dir::new();
        drop(filled(&dir.ledger(), 10));
        let mut store = open(&dir.ledger());
        let held = received(&store);
        store.apply(&[usage(1, 1, NOVEMBER + 20 * HOUR, 7, 0)]).unwrap();
        let image = killed(&store, &Backups::of(&dir.ledger()));
        spoil(&image);
        let (found, recovery) = recover(&image, false);
        assert_eq!(received(&found), held);
        let recovery = recovery.unwrap();
        assert!(
            recovery.log_lost && recovery.aside.is_none() && recovery.why.contains("its log"),
            "{recovery:?}"
        );
    }
}

#[test]
fn a_log_that_another_program_took_into_the_ledger_is_not_missed() {
    let dir = Dir::new();
    let store = filled(&dir.ledger(), 10);
    let image = killed(&store, &Backups::of(&dir.ledger()));
    // As the sqlite3 shell does when it is left.
    let shell = rusqlite::Connection::open(image.ledger()).unwrap();
    shell.query_row("SELECT count(*) FROM sim", [], |row| row.get::<_, i64>(0)).unwrap();
    drop(shell);
    assert!(!log_of(&image).exists());
    let (found, recovery) = recover(&image, false);
    assert_eq!((received(&found), recovery), (100, None));
}

/// A closed ledger with two copies; the older one's name.
fn twice_copied() -> (Dir, Backups, String) {
    let dir = Dir::new();
    let backups = Backups::of(&dir.ledger());
    let mut store = filled(&dir.ledger(), 10);
    let old = store.copy_to(&backups, Occasion::Asked, at(NOVEMBER)).unwrap();
    store.apply(&[usage(1, 1, NOVEMBER + 20 * HOUR, 7, 0)]).unwrap();
    store.copy_to(&backups, Occasion::Asked, at(NOVEMBER + HOUR)).unwrap();
    (dir, backups, old.name)
}

#[test]
fn a_ledger_that_somebody_put_there_is_not_replaced_by_a_newer_copy() {
    let (dir, backups, old) = twice_copied();
    fs::copy(backups.dir().join(old), dir.ledger()).unwrap();
    let (found, recovery) = recover(&dir, false);
    assert_eq!((received(&found), recovery), (100, None));
}

#[test]
fn a_copy_of_before_says_nothing_of_what_a_kill_left() {
    let (dir, backups, old) = twice_copied();
    fs::copy(backups.dir().join(old), dir.ledger()).unwrap();
    let mut store = open(&dir.ledger());
    store.apply(&[usage(1, 1, NOVEMBER + 10 * HOUR, 3, 0)]).unwrap();
    let image = killed(&store, &backups);
    let lock = fs::OpenOptions::new().write(true).open(image.path().join("ledger.db-lock")).unwrap();
    let later = lock.metadata().unwrap().modified().unwrap() + std::time::Duration::from_secs(60);
    lock.set_modified(later).unwrap();
    let (found, recovery) = recover(&image, false);
    assert_eq!((received(&found), recovery), (103, None));
}

#[test]
fn a_ledger_that_was_restored_before_a_kill_is_not_replaced_by_a_newer_copy() {
    let (dir, backups, old) = twice_copied();
    let found = backups.find(&old).unwrap().unwrap();
    let (mut store, _) =
        Store::restore_copy(&dir.ledger(), &StoreOptions::default(), &found, at(NOVEMBER)).unwrap();
    // While the clock was not believed: nobody knows until when.
    let restored = Gap {
        iccid: None,
        from: None,
        until: None,
        reason: GapReason::LedgerRestored,
        detail: String::new(),
    };
    store.apply(&[Change::AppendGap(restored)]).unwrap();
    let (found, recovery) = recover(&killed(&store, &backups), false);
    assert_eq!((received(&found), recovery), (100, None));
}

#[test]
fn what_a_person_was_told_and_said_is_missed_with_the_log() {
    let dir = Dir::new();
    let backups = Backups::of(&dir.ledger());
    drop(filled(&dir.ledger(), 10));
    let mut store = open(&dir.ledger());
    store.apply(&[correction()]).unwrap();
    store.copy_to(&backups, Occasion::Asked, at(NOVEMBER)).unwrap();
    let image = killed(&store, &backups);
    without_its_log(&image);
    let (found, recovery) = recover(&image, false);
    let from = recovery.and_then(|recovery| recovery.from);
    assert_eq!((corrected(&found), from.is_some()), (1_130_000_000, true));
}

/// A clock that was ahead while the copy was made, a counter that is gone since, an import that was taken out.
#[test]
fn a_copy_that_speaks_of_later_holds_no_more_for_that() {
    let ahead = |_: &mut Store| vec![Change::SetBaseline(baseline("link:1", 1))];
    let gone = |_: &mut Store| vec![Change::DropBaseline { counter: "link:1".into() }];
    let taken_out = |store: &mut Store| {
        store.undo_import(&iccid(1), "wwan0").unwrap();
        vec![Change::KeepSim(sim(1))]
    };
    let since: [fn(&mut Store) -> Vec<Change>; 3] = [ahead, gone, taken_out];
    for since in since {
        let dir = Dir::new();
        let backups = Backups::of(&dir.ledger());
        let mut store = filled(&dir.ledger(), 1);
        let (start, end) = (at(NOVEMBER - 24 * HOUR), at(NOVEMBER - 23 * HOUR));
        let row = ImportRow { start, end, last: end, volume: Volume { rx: 7, tx: 0 } };
        store.import(&iccid(1), "wwan0", &[row], false).unwrap();
        let mut later = baseline("link:1", 1);
        later.read_at = Some(at(NOVEMBER + 1_000 * HOUR));
        store.apply(&[Change::SetBaseline(later)]).unwrap();
        store.copy_to(&backups, Occasion::Asked, at(NOVEMBER)).unwrap();
        let changes = since(&mut store);
        store.apply(&changes).unwrap();
        let (held, image) = (received(&store), killed(&store, &backups));
        let (found, recovery) = recover(&image, false);
        assert_eq!((received(&found), recovery), (held, None));
    }
}

#[test]
fn a_ledger_without_one_of_its_tables_is_damaged() {
    for copied in [false, true] {
        for lack in ["DROP TABLE baseline", "DROP TABLE correction", "ALTER TABLE gap DROP COLUMN detail"] {
            let dir = Dir::new();
            let backups = Backups::of(&dir.ledger());
            let store = filled(&dir.ledger(), 10);
            if copied {
                store.copy_to(&backups, Occasion::Asked, at(NOVEMBER)).unwrap();
            }
            drop(store);
            let conn = rusqlite::Connection::open(dir.ledger()).unwrap();
            conn.execute_batch(
                "PRAGMA legacy_alter_table = ON; DROP VIEW IF EXISTS gaps; DROP VIEW IF EXISTS corrections",
            )
            .unwrap();
            conn.execute_batch(lack).unwrap_or_else(|error| panic!("{lack}: {error}"));
            drop(conn);
            let (found, recovery) = recover(&dir, false);
            let recovery = recovery.unwrap_or_else(|| panic!("{lack}"));
            assert!(recovery.why.contains("is missing"), "{recovery:?}");
            assert_eq!((recovery.from.is_some(), received(&found)), (copied, if copied { 100 } else { 0 }));
        }
    }
}

#[test]
fn a_table_that_goes_while_the_ledger_is_open_is_damage() {
    let dir = Dir::new();
    let backups = Backups::of(&dir.ledger());
    let mut store = filled(&dir.ledger(), 10);
    let other = rusqlite::Connection::open(dir.ledger()).unwrap();
    other.execute_batch("DROP TABLE baseline").unwrap();
    let error = store.apply(&[Change::SetBaseline(baseline("link:2", 2))]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let error = store.copy_to(&backups, Occasion::Asked, at(NOVEMBER)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert_eq!(backups.list().unwrap(), []);
}

#[test]
fn what_is_no_file_in_the_ledgers_place_is_set_aside() {
    for link in [false, true] {
        let dir = Dir::new();
        let backups = Backups::of(&dir.ledger());
        let store = filled(&dir.ledger(), 10);
        store.copy_to(&backups, Occasion::Asked, at(NOVEMBER)).unwrap();
        drop(store);
        fs::remove_file(dir.ledger()).unwrap();
        if link {
            std::os::unix::fs::symlink("ledger.db", dir.ledger()).unwrap();
        } else {
            fs::create_dir(dir.ledger()).unwrap();
        }
        let (found, recovery) = recover(&dir, false);
        let recovery = recovery.unwrap();
        assert!(recovery.from.is_some() && recovery.aside.is_some(), "{recovery:?}");
        assert_eq!(received(&found), 100);
    }
}
