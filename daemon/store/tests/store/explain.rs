//! What a total is made of: every part once, on pages of any size, and to the byte.

use simbell_core::effect::{Change, TotalsQuery};
use simbell_core::ident::BootId;
use simbell_core::ledger::{
    Correction, Epoch, EpochId, Gap, GapReason, Source, UsageSlot, Volume, When, Zone,
};
use simbell_store::{ExplainCursor, ExplainPage, ExplainQuery, Part, Run, Store};

use crate::changes::{epoch, session};
use crate::common::{Dir, HOUR, NOVEMBER, at, boot, iccid, open, slot, usage};

const DAY: i64 = 24 * HOUR;

fn query(limit: u32) -> ExplainQuery {
    ExplainQuery { iccid: iccid(1), from: at(NOVEMBER), until: at(NOVEMBER + DAY), after: None, limit }
}

/// Every part, gathered on pages of `limit`; each page tells the same sums.
fn gathered(store: &Store, limit: u32) -> ExplainPage {
    let mut query = query(limit);
    let mut whole: Option<ExplainPage> = None;
    loop {
        let page = store.explain(&query).unwrap();
        assert!(page.parts.len() <= limit as usize);
        query.after = page.next;
        let last = page.next.is_none();
        match &mut whole {
            None => whole = Some(page),
            Some(whole) => {
                assert_eq!(
                    (whole.counted, whole.corrections, whole.undated),
                    (page.counted, page.corrections, page.undated)
                );
                whole.parts.extend(page.parts);
                whole.next = page.next;
            }
        }
        if last {
            return whole.unwrap();
        }
        assert!(query.after.is_some(), "pages go on");
    }
}

fn correction(at_ms: i64, bytes: i64) -> Change {
    Change::AppendCorrection(Correction {
        iccid: iccid(1),
        at: at(at_ms),
        bytes,
        author: "uid 1000".to_owned(),
        reason: "the carrier says so".to_owned(),
        undoes: None,
    })
}

fn gap(sim: Option<u32>, from: Option<i64>, until: Option<i64>) -> Change {
    Change::AppendGap(Gap {
        iccid: sim.map(iccid),
        from: from.map(at),
        until: until.map(at),
        reason: GapReason::Rebooted,
        detail: "wwan0".to_owned(),
    })
}

fn filled(dir: &Dir) -> Store {
    let mut store = open(&dir.ledger());
    let boot: BootId = boot("boot-b");
    let undated = UsageSlot {
        when: When::Undated { boot: boot.clone(), boot_hour_ms: 0 },
        from: 5,
        until: 9,
        ..slot(1, 12, 0, 77, 7)
    };
    let home = Epoch { zone: Zone::Home, ..epoch(11, 1) };
    let abroad =
        UsageSlot { zone: Zone::Roaming(None), source: Source::Modem, ..slot(1, 12, NOVEMBER + HOUR, 9, 2) };
    let own = |id, began: i64, ended: i64| {
        Change::KeepSession(Box::new(simbell_core::ledger::Session {
            began: Some(at(began)),
            ended: Some(at(ended)),
            over: true,
            ..session(id, 1)
        }))
    };
    store
        .apply(&[
            Change::OpenEpoch(home),
            Change::OpenEpoch(Epoch { boot, interface: None, ..epoch(12, 1) }),
            usage(1, 11, NOVEMBER - HOUR, 1_000_000, 1),
            usage(1, 11, NOVEMBER, 100, 10),
            usage(1, 11, NOVEMBER + 5 * HOUR, 200, 20),
            Change::AddUsage(abroad),
            usage(1, 11, NOVEMBER + DAY, 1_000_000, 1),
            usage(2, 13, NOVEMBER, 1_000_000, 1),
            Change::AddUsage(undated),
            correction(NOVEMBER - 1, 5),
            correction(NOVEMBER, 1_000),
            correction(NOVEMBER + HOUR, -300),
            gap(Some(1), Some(NOVEMBER - HOUR), Some(NOVEMBER + 1)),
            gap(None, None, Some(NOVEMBER + 3)),
            gap(None, None, None),
            gap(Some(1), Some(NOVEMBER - HOUR), Some(NOVEMBER)),
            gap(Some(1), Some(NOVEMBER + DAY), None),
            gap(Some(2), Some(NOVEMBER), Some(NOVEMBER + 1)),
            own(1, NOVEMBER - HOUR, NOVEMBER - 1),
            own(11, NOVEMBER, NOVEMBER + HOUR),
            own(13, NOVEMBER + DAY, NOVEMBER + DAY + 1),
        ])
        .unwrap();
    store
}

#[test]
fn every_part_of_a_day_comes_once_whatever_the_pages() {
    let dir = Dir::new();
    let store = filled(&dir);
    let whole = gathered(&store, 1_000);
    for limit in [1, 2, 3, 5] {
        assert_eq!(gathered(&store, limit), whole, "pages of {limit}");
    }
    let runs: Vec<&Run> = whole
        .parts
        .iter()
        .filter_map(|part| if let Part::Counted(run) = part { Some(run) } else { None })
        .collect();
    assert_eq!(runs.len(), 2);
    assert_eq!((runs[0].epoch, runs[0].volume), (EpochId(11), Volume { rx: 300, tx: 30 }));
    assert_eq!(runs[0].measured, Some((at(NOVEMBER), at(NOVEMBER + 5 * HOUR + 60_000))));
    assert_eq!((runs[0].interface.as_deref(), runs[0].apn.as_deref()), (Some("wwan0"), Some("internet")));
    assert_eq!(runs[0].modem.as_ref().unwrap().as_str(), "350000000000017");
    assert_eq!(
        (&runs[1].zone, runs[1].source, runs[1].interface.as_deref()),
        (&Zone::Roaming(None), Source::Modem, None)
    );
    let count = |is: fn(&Part) -> bool| whole.parts.iter().filter(|part| is(part)).count();
    assert_eq!(count(|part| matches!(part, Part::Corrected(_))), 2);
    assert_eq!(count(|part| matches!(part, Part::Gap(_))), 3, "what touches the day, or might");
    assert_eq!(count(|part| matches!(part, Part::Session(session) if session.id == EpochId(11))), 1);
    assert_eq!(count(|part| matches!(part, Part::Session(_))), 1);
    assert_eq!(count(|part| matches!(part, Part::Undated(run) if run.volume == Volume { rx: 77, tx: 7 })), 1);
}

#[test]
fn the_parts_are_the_total_to_the_byte() {
    let dir = Dir::new();
    let store = filled(&dir);
    let whole = gathered(&store, 2);
    let mut counted = Volume::default();
    let mut corrections = 0;
    for part in &whole.parts {
        match part {
            Part::Counted(run) => counted = counted.checked_add(run.volume).unwrap(),
            Part::Corrected(kept) => corrections += kept.correction.bytes,
            _ => {}
        }
    }
    let span = TotalsQuery { iccid: iccid(1), from: at(NOVEMBER), until: Some(at(NOVEMBER + DAY)) };
    let totals = store.totals(&span).unwrap();
    let total = totals.by_zone.iter().fold(Volume::default(), |sum, (_, v)| sum.checked_add(*v).unwrap());
    assert_eq!((counted, corrections), (total, totals.corrections));
    assert_eq!((whole.counted, whole.corrections), (total, totals.corrections));
    assert_eq!(whole.undated, totals.undated);
}

#[test]
fn what_was_taken_back_says_by_what() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    store
        .apply(&[correction(NOVEMBER, 1_000), correction(NOVEMBER, 7), correction(NOVEMBER, -1_000)])
        .unwrap();
    let shell = rusqlite::Connection::open(dir.ledger()).unwrap();
    assert_eq!(shell.execute("UPDATE correction SET undoes = 1 WHERE id = 3", []).unwrap(), 1);
    let told = "INSERT INTO observation (iccid, at_ms, cycle_start_ms, bytes, billed_bytes, correction_bytes, terms, source, author, note, \
                withdraws) VALUES (?1, ?2, ?2, ?3, 90, 0, '', 'user', 'uid 0', 'app', ?4)";
    shell.execute(told, rusqlite::params![iccid(1).as_str(), NOVEMBER, 100, None::<i64>]).unwrap();
    shell.execute(told, rusqlite::params![iccid(1).as_str(), NOVEMBER, 0, 1]).unwrap();
    drop(shell);
    let parts = gathered(&store, 1).parts;
    let fates: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Corrected(kept) => Some((kept.id, kept.correction.undoes, kept.undone_by)),
            _ => None,
        })
        .collect();
    assert_eq!(fates, [(1, None, Some(3)), (2, None, None), (3, Some(1), None)]);
    let told: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Observed { observation: o, withdrawn } => {
                Some((o.bytes, o.billed, o.withdraws.map(|id| id.0), *withdrawn))
            }
            _ => None,
        })
        .collect();
    assert_eq!(told, [(100, 90, None, true), (0, 90, Some(1), false)]);
}

#[test]
fn a_long_span_is_told_stretch_by_stretch_and_adds_up() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let until = NOVEMBER + 900 * DAY;
    // Two connections in turn, one of them all along.
    let mut changes = vec![Change::OpenEpoch(epoch(1, 1)), Change::OpenEpoch(epoch(2, 1))];
    changes.extend((0..450).map(|n| usage(1, 1 + n % 2, NOVEMBER + n * 2 * DAY, 10, 1)));
    changes.push(correction(NOVEMBER + 500 * DAY, -7));
    store.apply(&changes).unwrap();
    for rolled_up in [false, true] {
        if rolled_up {
            store.roll_up(at(NOVEMBER + 800 * DAY)).unwrap();
        }
        for limit in [1, 2, 48] {
            let mut query = ExplainQuery { until: at(until), ..query(limit) };
            let (mut counted, mut corrected, mut pages) = (Volume::default(), 0, 0);
            loop {
                let page = store.explain(&query).unwrap();
                assert_eq!((page.counted, page.corrections), (Volume { rx: 4_500, tx: 450 }, -7));
                for part in page.parts {
                    match part {
                        Part::Counted(run) => counted = counted.checked_add(run.volume).unwrap(),
                        Part::Corrected(kept) => corrected += kept.correction.bytes,
                        other => panic!("nothing else was given: {other:?}"),
                    }
                }
                pages += 1;
                query.after = page.next;
                if page.next.is_none() {
                    break;
                }
            }
            assert_eq!((counted, corrected), (Volume { rx: 4_500, tx: 450 }, -7), "{limit} at a time");
            assert!(pages >= 3, "a stretch a page: {pages}");
        }
    }
    // A place of nobody's making harms nobody.
    for stretch in [i64::MIN, 0, until + 1, i64::MAX] {
        let after = Some(ExplainCursor { kind: 0, given: 0, stretch: Some(at(stretch)) });
        store.explain(&ExplainQuery { after, until: at(until), ..query(5) }).unwrap();
    }
    assert_eq!(store.explain(&ExplainQuery { until: at(0), ..query(5) }).unwrap().counted, Volume::default());
}
