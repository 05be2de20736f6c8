//! Power cuts at every write and every sync: whatever the disk made of what was not synced, the ledger opens, is whole,
//! and holds exactly what a number of commits made, none torn, and each that was reported durable among them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::RangeInclusive;
use std::path::Path;

use rusqlite::types::Value;
use simbell_core::effect::Change;
use simbell_core::ledger::{Baseline, Correction, Gap, GapReason};
use simbell_core::plan::{AnchorDay, Period};
use simbell_core::reminder::{DeliveryState, ReminderState};
use simbell_core::zone::ZoneRules;
use simbell_faultfs::{Cuts, Disk, FaultFs, Image, Op, Verdict};
use simbell_store::{Fold, Retention, Store, StoreOptions, Synchronous};

use crate::changes::{baseline, delivery, epoch, reminder};
use crate::common::{Dir, HOUR, NOVEMBER, at, iccid, open, sim, usage, with_root};
use crate::opening::{V1, V2};

/// What is done to the ledger, one after the other; each is a commit, or none.
pub enum Step {
    Apply(Vec<Change>),
    Prune,
    /// Sums of days.
    RollUp,
    /// Old hours become days.
    Fold,
    Backup,
    Reopen,
}

/// Every row of every table.
pub type Dump = BTreeMap<String, BTreeSet<String>>;

pub fn dump(ledger: &Path) -> Dump {
    let conn = rusqlite::Connection::open(ledger).unwrap();
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    names
        .into_iter()
        .map(|table| {
            // Each ledger draws a key of its own.
            let but = if table == "note" { "WHERE key <> 'party_key'" } else { "" };
            let mut all = conn.prepare(&format!("SELECT * FROM \"{table}\" {but}")).unwrap();
            let columns = all.column_count();
            let row = |row: &rusqlite::Row<'_>| {
                (0..columns).map(|n| row.get::<_, Value>(n)).collect::<Result<Vec<_>, _>>()
            };
            let rows = all.query_map([], row).unwrap().map(|row| format!("{:?}", row.unwrap())).collect();
            (table, rows)
        })
        .collect()
}

/// The service's own kinds of commits: usage with its baseline, reminders with their deliveries, corrections, gaps.
pub fn workload() -> Vec<Step> {
    let counted = |n: u64| {
        let start = NOVEMBER + i64::try_from(n / 4).unwrap() * HOUR;
        let read = Baseline { rx_bytes: n * 1_000, ..baseline("link:7", 1) };
        vec![usage(1, 1, start, 1_000, n), Change::SetBaseline(read)]
    };
    let old = NOVEMBER - 500 * 24 * HOUR;
    let mut steps = vec![
        Step::Apply(vec![Change::KeepSim(sim(1)), Change::OpenEpoch(epoch(1, 1))]),
        Step::Apply(counted(1)),
        Step::Apply(vec![
            Change::KeepReminder(reminder("data/a", ReminderState::Firing)),
            Change::KeepDelivery(delivery("d1", DeliveryState::Queued, NOVEMBER)),
            Change::KeepDelivery(delivery("d0", DeliveryState::Delivered, old)),
        ]),
        Step::Apply(counted(2)),
        Step::Apply(vec![
            Change::AppendCorrection(Correction {
                iccid: iccid(1),
                at: at(NOVEMBER),
                bytes: -7,
                author: "uid 1000".to_owned(),
                reason: "carrier's page".to_owned(),
                undoes: None,
            }),
            Change::AppendGap(Gap {
                iccid: Some(iccid(1)),
                from: Some(at(NOVEMBER)),
                until: None,
                reason: GapReason::Rebooted,
                detail: String::new(),
            }),
        ]),
        Step::Prune,
        Step::Backup,
    ];
    steps.extend((3..9).map(|n| Step::Apply(counted(n))));
    // More than one page, and more than the log may hold: a checkpoint, and a log begun anew.
    let mut large = counted(9);
    large.extend((0..60).map(|n| usage(2, 1, NOVEMBER + n * HOUR, 5, 5)));
    steps.push(Step::Apply(large));
    steps.push(Step::RollUp);
    steps.push(Step::Fold);
    steps.push(Step::Reopen);
    steps.extend((10..13).map(|n| Step::Apply(counted(n))));
    steps
}

/// A log so short that it is moved into the ledger often.
pub fn short_log() -> StoreOptions {
    StoreOptions { wal_autocheckpoint: 12, cache_kib: 16, ..StoreOptions::default() }
}

/// Does `steps` to the ledger at `path`, telling before and after each how many are done; 0 before it is open.
fn run(path: &Path, options: &StoreOptions, steps: &[Step], told: &mut dyn FnMut(&'static str, u64)) {
    let mut store = Some(Store::open(path, options).unwrap());
    told("done", 0);
    for (n, step) in (1..).zip(steps) {
        told("begun", n);
        let open = store.as_mut().unwrap();
        match step {
            Step::Apply(changes) => open.apply(changes).unwrap(),
            Step::Prune => assert_eq!(open.prune(at(NOVEMBER), &Retention::default()).unwrap().deliveries, 1),
            Step::RollUp => open.roll_up(at(NOVEMBER + 70 * HOUR)).unwrap(),
            Step::Fold => {
                let fold = Fold {
                    iccid: iccid(2),
                    zone: ZoneRules::utc(),
                    period: Period::Monthly(AnchorDay::Day(1)),
                    hours_until: Some(at(NOVEMBER + 48 * HOUR)),
                    days_until: None,
                };
                assert_eq!(open.fold(&fold).unwrap().hours, 48);
            }
            Step::Backup => open.backup(&path.with_extension("copy")).unwrap(),
            Step::Reopen => {
                drop(store.take());
                store = Some(Store::open(path, options).unwrap());
            }
        }
        told("done", n);
    }
}

/// What the ledger holds after each step, where nothing goes wrong.
pub fn expected(before: &Image, options: &StoreOptions, steps: &[Step]) -> Vec<Dump> {
    let dir = Dir::in_memory();
    before.write_to(dir.path());
    let mut dumps = Vec::new();
    run(&dir.ledger(), options, steps, &mut |what, _| {
        if what == "done" {
            dumps.push(dump(&dir.ledger()));
        }
    });
    dumps
}

pub struct Recorded {
    /// How much of the log only lays out what was there before.
    pub given: usize,
    pub log: Vec<Op>,
    pub expected: Vec<Dump>,
}

fn record(before: &Image, options: &StoreOptions, steps: &[Step], honest: bool) -> Recorded {
    let dir = Dir::new();
    let fs = FaultFs::mount(dir.path());
    for (path, content) in &before.files {
        std::fs::write(dir.path().join(path), content).unwrap();
    }
    let given = fs.log().len();
    if !honest {
        fs.on_each(|request| match request.kind {
            simbell_faultfs::Kind::Sync | simbell_faultfs::Kind::SyncDir => Verdict::Lie,
            _ => Verdict::Pass,
        });
    }
    run(&dir.ledger(), options, steps, &mut |what, n| fs.mark(n * 2 + u64::from(what == "done")));
    Recorded { given, log: fs.log(), expected: expected(before, options, steps) }
}

/// How many images were looked at, and what was wrong with some.
pub struct Outcome {
    pub instants: usize,
    pub images: usize,
    pub wrong: Vec<String>,
}

impl Outcome {
    #[track_caller]
    pub fn is_right(&self, least: usize) {
        let few = &self.wrong[..3.min(self.wrong.len())];
        assert!(self.wrong.is_empty(), "{} of {} images are wrong: {few:#?}", self.wrong.len(), self.images);
        assert!(self.images >= least, "{} images only", self.images);
    }
}

/// Cuts the power after each operation.
fn cut_everywhere(recorded: &Recorded, cuts: Cuts, durable: bool) -> Outcome {
    cut_where(recorded, cuts, durable, &|_| true)
}

/// Cuts the power after those operations that are `meant`.
pub fn cut_where(recorded: &Recorded, cuts: Cuts, durable: bool, meant: &dyn Fn(&Op) -> bool) -> Outcome {
    let dir = Dir::in_memory();
    let mut disk = Disk::default();
    let (given, log) = recorded.log.split_at(recorded.given);
    for op in given {
        disk.take(op);
    }
    disk.settle();
    let mut outcome = Outcome { instants: 0, images: 0, wrong: Vec::new() };
    let mut seen = HashSet::new();
    let (mut begun, mut done) = (0, 0);
    for (instant, op) in log.iter().enumerate() {
        disk.take(op);
        if let Op::Mark(mark) = op {
            if mark % 2 == 1 { done = mark / 2 } else { begun = mark / 2 }
        }
        if !meant(op) {
            continue;
        }
        let allowed = (if durable { done } else { 0 })..=begun;
        outcome.instants += 1;
        for mut image in disk.images(cuts, u64::try_from(instant).unwrap()) {
            // Whose lock it was says nothing after a reboot.
            image.files.remove("ledger.db-lock");
            if !seen.insert((image.digest(), allowed.clone())) {
                continue;
            }
            outcome.images += 1;
            if let Err(wrong) = is_whole(&image, dir.path(), &recorded.expected, allowed.clone()) {
                let files: Vec<_> = image.files.iter().map(|(name, bytes)| (name, bytes.len())).collect();
                outcome.wrong.push(format!("at {instant}, {:?}: {wrong}; {files:?}", brief(op)));
            }
        }
    }
    outcome
}

fn brief(op: &Op) -> String {
    let text = format!("{op:?}");
    text.chars().take(90).collect()
}

fn is_whole(image: &Image, at: &Path, expected: &[Dump], allowed: RangeInclusive<u64>) -> Result<(), String> {
    image.write_to(at);
    let ledger = at.join("ledger.db");
    let alone = StoreOptions { readers: false, ..StoreOptions::default() };
    let store = Store::open(&ledger, &alone).map_err(|error| format!("{error:?}"))?;
    let problems = store.integrity_check().map_err(|error| format!("{error:?}"))?;
    if !problems.is_empty() {
        return Err(format!("{problems:?}"));
    }
    drop(store);
    let holds = dump(&ledger);
    let commits = (0_u64..).zip(expected).find(|(n, dump)| allowed.contains(n) && **dump == holds);
    if commits.is_none() {
        let other = expected.iter().position(|dump| *dump == holds);
        return Err(format!("holds the commits up to {other:?}, and not {allowed:?}"));
    }
    // It can be written as any other, and is then as whole.
    if image.digest().is_multiple_of(8) {
        let mut store = open(&ledger);
        store.apply(&[usage(3, 9, NOVEMBER, 1, 1)]).map_err(|error| format!("{error:?}"))?;
        if !store.integrity_check().unwrap().is_empty() {
            return Err("damaged by a commit after it".to_owned());
        }
    }
    // A copy that is there is whole.
    for copy in ["ledger.copy", "ledger.db.v1", "ledger.db.v2"] {
        if image.files.contains_key(copy) {
            let conn = rusqlite::Connection::open(at.join(copy)).unwrap();
            let well: Result<String, _> = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0));
            if well.as_deref() != Ok("ok") {
                return Err(format!("{copy}: {well:?}"));
            }
        }
    }
    Ok(())
}

const CUTS: Cuts = Cuts { exhaustive: 4, alone: 4, random: 6 };

#[test]
fn a_power_cut_anywhere_leaves_every_commit_that_was_reported() {
    with_root("power::a_power_cut_anywhere_leaves_every_commit_that_was_reported", || {
        let recorded = record(&Image::default(), &short_log(), &workload(), true);
        cut_everywhere(&recorded, CUTS, true).is_right(2_000);
    });
}

#[test]
fn a_power_cut_during_an_upgrade_leaves_the_old_ledger_or_the_new_one() {
    with_root("power::a_power_cut_during_an_upgrade_leaves_the_old_ledger_or_the_new_one", || {
        let some = Cuts { exhaustive: 4, alone: 4, random: 4 };
        for old in [V1, V2] {
            let before =
                Image { files: BTreeMap::from([("ledger.db".to_owned(), old.to_vec())]), ..Image::default() };
            let steps = [Step::Apply(vec![usage(1, 1, NOVEMBER, 1, 0)])];
            let recorded = record(&before, &StoreOptions::default(), &steps, true);
            cut_everywhere(&recorded, some, true).is_right(150);
        }
    });
}

/// With less than every commit synced the last ones may be lost, and nothing else.
#[test]
fn commits_that_are_not_synced_may_be_lost_from_the_end_only() {
    with_root("power::commits_that_are_not_synced_may_be_lost_from_the_end_only", || {
        let options = StoreOptions { synchronous: Synchronous::Normal, ..short_log() };
        let steps: Vec<Step> = workload().into_iter().take(11).collect();
        let recorded = record(&Image::default(), &options, &steps, true);
        let few = Cuts { exhaustive: 3, alone: 3, random: 4 };
        cut_everywhere(&recorded, few, false).is_right(400);
        let strict = cut_everywhere(&recorded, few, true);
        assert!(!strict.wrong.is_empty(), "what was reported and not synced can be lost");
    });
}

/// On a disk that says that it has synced and has not, nothing holds: the cuts above would notice a sync too few.
#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    with_root("power::a_disk_that_lies_about_syncs_is_found_out", || {
        let steps: Vec<Step> = workload().into_iter().take(5).collect();
        let recorded = record(&Image::default(), &short_log(), &steps, false);
        let few = Cuts { exhaustive: 2, alone: 2, random: 2 };
        let outcome = cut_everywhere(&recorded, few, true);
        assert!(outcome.wrong.iter().any(|wrong| wrong.contains("holds the commits up to")), "a lost commit");
        assert!(outcome.wrong.iter().any(|wrong| wrong.contains("Damaged")), "a torn ledger");
    });
}
