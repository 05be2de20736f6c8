//! A disk that fails at any one write, sync, or anything else: the store says so and keeps what it had, the same changes
//! given again are made once, and what was reported is there after a power cut.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use simbell_core::effect::Change;
use simbell_faultfs::{Cuts, Errno, FaultFs, Image, Kind, Op, Request, Verdict};
use simbell_store::{ErrorKind, Store, StoreOptions};

use crate::changes::epoch;
use crate::common::{Dir, NOVEMBER, sim, usage, with_root};
use crate::power::{Dump, Recorded, Step, cut_where, dump, expected};

/// How it fails.
#[derive(Debug, Clone, Copy)]
struct Fault {
    verdict: fn(&Request) -> Verdict,
    /// How many requests in a row it befalls.
    lasts: usize,
    /// Whether the service is killed by it, and started again.
    kills: bool,
    /// What the store may say.
    kinds: &'static [ErrorKind],
}

fn commits() -> Vec<Vec<Change>> {
    let mut all = vec![vec![Change::KeepSim(sim(1)), Change::OpenEpoch(epoch(1, 1))]];
    all.extend((1..7).map(|n| {
        // Some larger than the log may grow, so that it is moved into the ledger.
        let slots = if n % 3 == 0 { 40 } else { 1 };
        (0..slots).map(|hour| usage(1, 1, NOVEMBER + hour * 3_600_000, n, 1)).collect()
    }));
    all
}

fn options() -> StoreOptions {
    StoreOptions { wal_autocheckpoint: 8, cache_kib: 16, ..StoreOptions::default() }
}

/// Works as the service does while the `nth` request for a change, and those after it, go wrong. Gives how many
/// requests there were.
fn work(name: &str, fault: Fault, nth: usize, expected: &[Dump]) -> usize {
    let dir = Dir::new();
    let fs = FaultFs::mount(dir.path());
    let asked = Arc::new(AtomicUsize::new(0));
    fs.on_each({
        let asked = Arc::clone(&asked);
        move |request| {
            if !request.kind.changes() || request.path.ends_with("-lock") {
                return Verdict::Pass;
            }
            let n = asked.fetch_add(1, Ordering::Relaxed);
            if (nth..nth + fault.lasts).contains(&n) { (fault.verdict)(request) } else { Verdict::Pass }
        }
    });
    let context = |what: &str| format!("{name}, request {nth}: {what}");
    let refusals = Cell::new(0);
    let well = |kind: ErrorKind, error: &dyn std::fmt::Display| {
        refusals.set(refusals.get() + 1);
        assert!(refusals.get() < 20, "{}", context(&format!("it does not end: {error}")));
        assert!(fault.kinds.contains(&kind), "{}", context(&format!("{kind:?} {error}")));
    };
    let place = Dir::in_memory();
    let holds = || {
        Image::read_from(dir.path()).write_to(place.path());
        dump(&place.ledger())
    };
    let again = || loop {
        match Store::open(&dir.ledger(), &options()) {
            Ok(store) => break store,
            Err(error) => well(error.kind(), &error),
        }
    };
    let mut store = again();
    fs.mark(1);
    let commits = commits();
    let (mut made, mut tried) = (0, 0);
    while made < commits.len() {
        tried = commits.len().min(tried + 1);
        fs.mark(mark(tried, false));
        match store.apply(&commits[made..tried].concat()) {
            Ok(()) => {
                made = tried;
                fs.mark(mark(made, true));
            }
            Err(error) => {
                well(error.kind(), &error);
                if fault.kills {
                    store = killed_and_started_again(store, &fs, &again);
                    // What was not reported may be there all the same.
                    let there = holds();
                    let found = expected.iter().position(|dump| *dump == there);
                    assert!(
                        found.is_some_and(|n| n >= made && n <= tried),
                        "{}",
                        context("it holds what it may")
                    );
                    (made, tried) = (found.unwrap_or(made), found.unwrap_or(made));
                }
            }
        }
    }
    assert_eq!(store.integrity_check().unwrap(), [""; 0], "{}", context("it is whole"));
    let log = fs.log();
    assert!(holds() == expected[expected.len() - 1], "{}", context("killed, it holds all once"));
    drop(store);
    assert!(holds() == expected[expected.len() - 1], "{}", context("closed, it holds all once"));

    // As a power cut would leave it after each report: nothing that was not synced, or all of it.
    let recorded = Recorded { given: 0, log, expected: expected.to_vec() };
    let bare = Cuts { exhaustive: 0, alone: 0, random: 0 };
    let reported = |op: &Op| matches!(op, Op::Mark(mark) if mark % 2 == 1);
    let outcome = cut_where(&recorded, bare, true, &reported);
    assert!(outcome.wrong.is_empty(), "{}", context(&format!("{:#?}", &outcome.wrong[..1])));
    asked.load(Ordering::Relaxed)
}

fn mark(commits: usize, reported: bool) -> u64 {
    u64::try_from(commits).unwrap() * 2 + u64::from(reported)
}

/// A kill lets nobody tidy up: nothing that is done to the disk while the store is closed gets there.
fn killed_and_started_again(store: Store, fs: &FaultFs, again: &dyn Fn() -> Store) -> Store {
    fs.on_each(|request| if request.kind.changes() { Verdict::Fail(Errno::IO) } else { Verdict::Pass });
    drop(store);
    fs.heal();
    again()
}

/// At each request, in turn, until there are no more.
fn everywhere(name: &str, fault: Fault) {
    let steps: Vec<Step> = commits().into_iter().map(Step::Apply).collect();
    let expected = expected(&Image::default(), &options(), &steps);
    let mut nth = 0;
    while work(name, fault, nth, &expected) > nth {
        nth += 1;
    }
    assert!(nth > 60, "{nth} requests only");
}

macro_rules! everywhere {
    ($name:ident, $fault:expr) => {
        #[test]
        fn $name() {
            let name = concat!("failing::", stringify!($name));
            with_root(name, || everywhere(stringify!($name), $fault));
        }
    };
}

everywhere!(
    an_error_of_the_disk_at_any_request_loses_and_doubles_nothing,
    Fault {
        verdict: |_| Verdict::Fail(Errno::IO),
        lasts: 1,
        kills: false,
        kinds: &[ErrorKind::Io, ErrorKind::ReadOnly]
    }
);

everywhere!(
    a_disk_that_is_full_for_a_while_loses_and_doubles_nothing,
    Fault {
        verdict: |request| if request.grows() { Verdict::Fail(Errno::NOSPC) } else { Verdict::Pass },
        lasts: 9,
        kills: false,
        kinds: &[ErrorKind::Full, ErrorKind::Io, ErrorKind::ReadOnly],
    }
);

everywhere!(
    a_disk_that_is_read_only_for_a_while_loses_and_doubles_nothing,
    Fault {
        verdict: |_| Verdict::Fail(Errno::ROFS),
        lasts: 7,
        kills: false,
        kinds: &[ErrorKind::ReadOnly, ErrorKind::Io]
    }
);

everywhere!(
    writes_that_are_taken_in_part_lose_and_double_nothing,
    Fault {
        verdict: |request| match request.kind {
            Kind::Write => Verdict::Short((request.end % 512).max(1)),
            _ => Verdict::Pass,
        },
        lasts: 5,
        kills: false,
        kinds: &[ErrorKind::Full, ErrorKind::Io],
    }
);

// What Linux does after an error: the next sync succeeds, and what the failed one should have written is on no disk.
everywhere!(
    a_sync_that_fails_and_then_seems_to_succeed_is_not_believed,
    Fault {
        verdict: |request| match request.kind {
            Kind::Sync => Verdict::Forget(Errno::IO),
            Kind::SyncDir => Verdict::Fail(Errno::IO),
            _ => Verdict::Pass,
        },
        lasts: 1,
        kills: false,
        kinds: &[ErrorKind::Io],
    }
);

everywhere!(
    a_log_that_a_killed_service_could_not_sync_is_not_believed,
    Fault {
        verdict: |request| match request.kind {
            Kind::Sync => Verdict::Forget(Errno::IO),
            _ => Verdict::Pass,
        },
        lasts: 1,
        kills: true,
        kinds: &[ErrorKind::Io],
    }
);
