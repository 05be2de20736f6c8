//! Roll-ups and retention: whatever is summed or folded, no total changes.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use proptest::prelude::*;
use simbell_core::cycle::cycle_at;
use simbell_core::effect::{Change, TotalsQuery};
use simbell_core::ledger::{Correction, Source, UsageSlot, Volume, When, Zone};
use simbell_core::plan::{AnchorDay, Period};
use simbell_core::zone::ZoneRules;
use simbell_store::{Entry, Fold, ImportRow, Reader, Store, UsageBy, UsageQuery, UsageRow};

use crate::common::{Dir, HOUR, NOVEMBER, at, boot, iccid, open, slot, usage};

const DAY: i64 = 24 * HOUR;

fn zones() -> [ZoneRules; 4] {
    let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp();
    let zone = |name: &str, first_offset_s, transitions| ZoneRules {
        name: name.to_owned(),
        first_offset_s,
        transitions,
    };
    [
        ZoneRules::utc(),
        // Summer time ends within the days that are used here.
        zone("Berlin", 7200, vec![(at("2026-11-05T01:00:00Z"), 3600)]),
        // Midnight comes twice, and in a zone of half hours.
        zone("Lord Howe", 39_600, vec![(at("2026-11-04T13:30:00Z"), 37_800)]),
        zone("Kolkata", 19_800, Vec::new()),
    ]
}

/// Everything in `usage`, as the plainest sum there is.
fn plain(store: &Store, sim: u32, from: i64, until: i64) -> BTreeMap<(String, String), (i64, i64)> {
    let conn = rusqlite::Connection::open(store.path()).unwrap();
    let mut rows = conn
        .prepare(
            "SELECT zone, source, sum(rx_bytes), sum(tx_bytes) FROM usage
             WHERE iccid = ?1 AND start_ms >= ?2 AND start_ms < ?3 GROUP BY zone, source",
        )
        .unwrap();
    rows.query_map(rusqlite::params![iccid(sim).as_str(), from, until], |row| {
        Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?)))
    })
    .unwrap()
    .map(Result::unwrap)
    .collect()
}

/// One row of `usage` with a date.
#[derive(Debug, Clone)]
struct Row {
    start: i64,
    /// Of a cycle alone.
    until: Option<i64>,
    kind: (String, String),
    bytes: (i64, i64),
}

fn all_rows(store: &Store, sim: u32) -> Vec<Row> {
    let conn = rusqlite::Connection::open(store.path()).unwrap();
    let mut rows = conn
        .prepare(
            "SELECT start_ms, iif(span = 'cycle', until_ms, NULL), zone, source, rx_bytes, tx_bytes FROM usage
             WHERE iccid = ?1 AND start_ms IS NOT NULL",
        )
        .unwrap();
    rows.query_map([iccid(sim).as_str()], |row| {
        Ok(Row {
            start: row.get(0)?,
            until: row.get(1)?,
            kind: (row.get(2)?, row.get(3)?),
            bytes: (row.get(4)?, row.get(5)?),
        })
    })
    .unwrap()
    .map(Result::unwrap)
    .collect()
}

type Sums<K> = BTreeMap<K, (i64, i64)>;

fn add<K: Ord>(sums: &mut Sums<K>, key: K, (rx, tx): (i64, i64)) {
    let sum = sums.entry(key).or_default();
    *sum = (sum.0 + rx, sum.1 + tx);
}

/// What a fold may not change: received and sent by zone and source, of each cycle, and of each day that no row of a cycle
/// lies over by then.
fn kept(fold: &Fold, rows: &[Row], after: &[Row]) -> Sums<(NaiveDate, bool, String, String)> {
    let date = |instant| fold.zone.date(at(instant));
    let summed: Vec<(NaiveDate, NaiveDate)> =
        after.iter().filter_map(|row| Some((date(row.start), date(row.until? - 1)))).collect();
    let mut sums = Sums::new();
    for row in rows {
        let day = date(row.start);
        let cycle = cycle_at(&fold.period, day).unwrap().start;
        let (zone, source) = row.kind.clone();
        add(&mut sums, (cycle, true, zone.clone(), source.clone()), row.bytes);
        if !summed.iter().any(|(first, last)| (*first..=*last).contains(&day)) {
            add(&mut sums, (day, false, zone, source), row.bytes);
        }
    }
    sums
}

fn signed(volume: Volume) -> (i64, i64) {
    (i64::try_from(volume.rx).unwrap(), i64::try_from(volume.tx).unwrap())
}

/// The same by every way there is to ask: totals, rows by hour, day and cycle, in pages, columns.
fn asked(
    store: &Store,
    sim: u32,
    from: i64,
    until: i64,
    zone: &ZoneRules,
    limit: usize,
) -> Vec<BTreeMap<(String, String), (i64, i64)>> {
    let reader = Reader::open(store.path()).unwrap();
    let mut answers = Vec::new();
    let bounds = (-40..60).map(|n| at(NOVEMBER + n * 11 * DAY / 2)).collect();
    let hours = UsageBy::HourOfDay(zone.clone());
    for by in [UsageBy::Hour, hours, UsageBy::Day(zone.clone()), UsageBy::Bounds(bounds)] {
        let mut sums: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
        let mut query = UsageQuery { iccid: iccid(sim), by, from: at(from), until: at(until), limit };
        let mut in_columns = in_columns(&reader, &query);
        loop {
            let page = reader.usage(&query).unwrap();
            assert_eq!(page, store.usage(&query).unwrap());
            for row in page.rows.into_iter().filter(|row| !matches!(row.entry, Entry::Correction { .. })) {
                if query.by != UsageBy::Hour {
                    assert_eq!(in_columns.next(), Some(row.clone()), "columns are the rows");
                }
                let Entry::Usage { zone, source, volume } = row.entry else { panic!("only usage was given") };
                assert!(row.start < row.end);
                let sum = sums.entry((zone.to_text(), source.as_str().to_owned())).or_default();
                let (rx, tx) = signed(volume);
                *sum = (sum.0 + rx, sum.1 + tx);
            }
            let Some(next) = page.next else { break };
            assert!(next > query.from, "pages get on");
            query.from = next;
        }
        assert!(query.by == UsageBy::Hour || in_columns.next().is_none());
        answers.push(sums);
    }
    let mut sums: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
    let mut next = Some(at(from));
    while let Some(from) = next {
        let (columns, more) = reader.hours(&iccid(sim), from, at(until), limit).unwrap();
        let kinds = columns.runs.iter().flat_map(|run| std::iter::repeat_n(run.kind, run.rows));
        for (place, kind) in kinds.enumerate() {
            let (zone, source) = &columns.series[kind];
            let sum = sums.entry((zone.to_text(), source.as_str().to_owned())).or_default();
            let (rx, tx) = signed(Volume { rx: columns.rx[place], tx: columns.tx[place] });
            *sum = (sum.0 + rx, sum.1 + tx);
        }
        next = more;
    }
    answers.push(sums);
    answers
}

/// Every row of a question, as columns give them, in parts.
fn in_columns(reader: &Reader, query: &UsageQuery) -> std::vec::IntoIter<UsageRow> {
    let mut rows = Vec::new();
    let mut query = query.clone();
    loop {
        let (columns, next) = reader.columns(&query).unwrap();
        let mut figures = columns.rx.iter().zip(&columns.tx);
        for run in &columns.runs {
            let (zone, source) = columns.series[run.kind].clone();
            for (place, (rx, tx)) in figures.by_ref().take(run.rows).enumerate() {
                let volume = Volume { rx: *rx, tx: *tx };
                let entry = Entry::Usage { zone: zone.clone(), source, volume };
                rows.push(UsageRow {
                    start: at(run.start_of(place)),
                    end: at(run.start_of(place + 1)),
                    entry,
                });
            }
        }
        let Some(next) = next else { return rows.into_iter() };
        assert!(next > query.from, "parts get on");
        query.from = next;
    }
}

#[derive(Debug, Clone)]
enum Step {
    Use { sim: u32, epoch: i64, quarter: i64, zone: u8, source: u8, rx: u64 },
    Undated { quarter: i64, rx: u64 },
    Date,
    RollUp { day: i64 },
    Fold { sim: u32, zone: usize, anchor: u8, hours: i64, days: i64 },
    Import { day: i64, rows: i64, hours: i64, rx: u64 },
    UndoImport,
    Correct { quarter: i64, bytes: i64 },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (1..=2_u32, 1..4_i64, -1_500..2_000_i64, 0..3_u8, 0..2_u8, 0..1_u64 << 40)
            .prop_map(|(sim, epoch, quarter, zone, source, rx)| Step::Use { sim, epoch, quarter, zone, source, rx }),
        2 => (0..2_000_i64, 1..1_u64 << 30).prop_map(|(quarter, rx)| Step::Undated { quarter, rx }),
        1 => Just(Step::Date),
        // October is over, and for the latest ones November.
        3 => (-1..40_i64).prop_map(|day| Step::RollUp { day }),
        3 => (1..=2_u32, 0..4_usize, 1..=31_u8, 0..22_i64, 0..22_i64)
            .prop_map(|(sim, zone, anchor, hours, days)| Step::Fold { sim, zone, anchor, hours, days }),
        2 => (-40..40_i64, 1..30_i64, 1..40_i64, 0..1_u64 << 30)
            .prop_map(|(day, rows, hours, rx)| Step::Import { day, rows, hours, rx }),
        1 => Just(Step::UndoImport),
        1 => (-1_500..2_000_i64, -9..9_i64).prop_map(|(quarter, bytes)| Step::Correct { quarter, bytes }),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_the_plain_sum(
        steps in prop::collection::vec(step(), 1..60),
        spans in prop::collection::vec((-1_600..2_100_i64, 0..3_700_i64), 1..6),
        limit in 1..80_usize, zone in 0..4_usize,
    ) {
        let dir = Dir::new();
        let mut store = open(&dir.ledger());
        let mut given: BTreeMap<u32, Sums<(String, String)>> = BTreeMap::new();
        let mut waiting = Vec::new();
        let imported = || (Zone::Unknown.to_text(), Source::Import.as_str().to_owned());
        for step in &steps {
            match *step {
                Step::Use { sim, epoch, quarter, zone, source, rx } => {
                    let start = NOVEMBER + quarter * HOUR / 4;
                    let zone = [Zone::Home, Zone::Roaming(None), Zone::Unknown][usize::from(zone)].clone();
                    let source = [Source::Kernel, Source::Modem][usize::from(source)];
                    let kind = (zone.to_text(), source.as_str().to_owned());
                    let used = UsageSlot { zone, source, ..slot(sim, epoch, start, rx, rx / 3) };
                    store.apply(&[Change::AddUsage(used)]).unwrap();
                    add(given.entry(sim).or_default(), kind, signed(Volume { rx, tx: rx / 3 }));
                }
                Step::Undated { quarter, rx } => {
                    let first = quarter * HOUR / 4;
                    store.apply(&[Change::AddUsage(UsageSlot {
                        when: When::Undated { boot: boot("a"), boot_hour_ms: u64::try_from(first / HOUR * HOUR).unwrap() },
                        from: first,
                        until: first + 1,
                        ..slot(1, 9, 0, rx, 1)
                    })]).unwrap();
                    waiting.push(signed(Volume { rx, tx: 1 }));
                }
                Step::Date => {
                    store.apply(&[Change::DateEntries { boot: boot("a"), offset_ms: NOVEMBER }]).unwrap();
                    for bytes in waiting.drain(..) {
                        let kind = (Zone::Home.to_text(), Source::Kernel.as_str().to_owned());
                        add(given.entry(1).or_default(), kind, bytes);
                    }
                }
                Step::RollUp { day } => store.roll_up(at(NOVEMBER + day * DAY + HOUR)).unwrap(),
                Step::Fold { sim, zone, anchor, hours, days } => {
                    let fold = Fold {
                        iccid: iccid(sim),
                        zone: zones()[zone].clone(),
                        period: Period::Monthly(AnchorDay::Day(anchor)),
                        hours_until: Some(at(NOVEMBER + hours * DAY)),
                        days_until: Some(at(NOVEMBER + days * DAY)),
                    };
                    let before = all_rows(&store, sim);
                    store.fold(&fold).unwrap();
                    let after = all_rows(&store, sim);
                    prop_assert_eq!(kept(&fold, &after, &after), kept(&fold, &before, &after));
                }
                Step::Import { day, rows, hours, rx } => {
                    let rows: Vec<ImportRow> = (0..rows)
                        .map(|row| ImportRow {
                            start: at(NOVEMBER + day * DAY + row * hours * HOUR),
                            end: at(NOVEMBER + day * DAY + (row + 1) * hours * HOUR),
                            last: at(NOVEMBER + day * DAY + (row + 1) * hours * HOUR),
                            volume: Volume { rx, tx: 2 },
                        })
                        .collect();
                    let taken = store.import(&iccid(1), "wwan0", &rows, false).unwrap().volume;
                    add(given.entry(1).or_default(), imported(), signed(taken));
                }
                Step::UndoImport => {
                    let out = store.undo_import(&iccid(1), "wwan0").unwrap().volume;
                    let (rx, tx) = signed(out);
                    add(given.entry(1).or_default(), imported(), (-rx, -tx));
                }
                Step::Correct { quarter, bytes } => {
                    let at = at(NOVEMBER + quarter * HOUR / 4);
                    let (author, reason) = ("uid 0".to_owned(), String::new());
                    let correction = Correction { iccid: iccid(1), at, bytes, author, reason, undoes: None };
                    store.apply(&[Change::AppendCorrection(correction)]).unwrap();
                }
                Step::Reopen => {
                    drop(store);
                    store = open(&dir.ledger());
                }
            }
        }
        for sim in 1..=2 {
            for (from, length) in spans.iter().copied().chain([(-4_000_000, 8_000_000)]) {
                let from = NOVEMBER + from * HOUR / 4;
                let until = from + length * HOUR / 4;
                let expected = plain(&store, sim, from, until);
                for answer in asked(&store, sim, from, until, &zones()[zone], limit) {
                    prop_assert_eq!(&answer, &expected);
                }
                let totals = store.totals(&TotalsQuery { iccid: iccid(sim), from: at(from), until: Some(at(until)) }).unwrap();
                let mut by_zone: BTreeMap<String, (i64, i64)> = BTreeMap::new();
                for ((zone, _), (rx, tx)) in &expected {
                    let sum = by_zone.entry(zone.clone()).or_default();
                    *sum = (sum.0 + rx, sum.1 + tx);
                }
                let got: BTreeMap<String, (i64, i64)> =
                    totals.by_zone.iter().map(|(zone, volume)| (zone.to_text(), signed(*volume))).collect();
                prop_assert_eq!(got, by_zone);
            }
            // Nothing that was given is lost or goes elsewhere, whatever was folded.
            let but_none = |sums: Sums<(String, String)>| -> Sums<(String, String)> {
                sums.into_iter().filter(|(_, bytes)| *bytes != (0, 0)).collect()
            };
            let all = plain(&store, sim, i64::MIN, i64::MAX);
            prop_assert_eq!(but_none(all), but_none(given.remove(&sim).unwrap_or_default()));
        }
    }
}

#[test]
fn old_hours_become_days_and_old_days_cycles() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let berlin = zones()[1].clone();
    let mut changes: Vec<Change> = (0..30 * 24).map(|n| usage(1, 1, NOVEMBER + n * HOUR, 10, 1)).collect();
    changes.push(usage(1, 2, NOVEMBER + 5 * HOUR, 7, 7));
    store.apply(&changes).unwrap();
    store.roll_up(at(NOVEMBER + 29 * DAY)).unwrap();
    let fold = Fold {
        iccid: iccid(1),
        zone: berlin.clone(),
        period: Period::Monthly(AnchorDay::Day(4)),
        hours_until: Some(berlin.day_start("2026-11-11".parse().unwrap())),
        days_until: Some(berlin.day_start("2026-11-10".parse().unwrap())),
    };
    let folded = store.fold(&fold).unwrap();
    // The cycle of 4 October ended with 3 November; the day of 31 October UTC is one of November's in Berlin.
    assert_eq!((folded.hours, folded.more), (10 * 24 - 1 + 1, false));
    assert_eq!(folded.days, 3);
    let query = UsageQuery {
        iccid: iccid(1),
        by: UsageBy::Hour,
        from: at(NOVEMBER - 60 * DAY),
        until: at(NOVEMBER + 30 * DAY),
        limit: 10,
    };
    let rows = store.usage(&query).unwrap().rows;
    let shown = |n: usize| {
        let Entry::Usage { volume, .. } = &rows[n].entry else { panic!("usage") };
        (berlin.rfc3339(rows[n].start), berlin.rfc3339(rows[n].end), volume.rx)
    };
    let row = |start: &str, end: &str, rx| (start.to_owned(), end.to_owned(), rx);
    assert_eq!(shown(0), row("2026-10-04T00:00:00+02:00", "2026-11-04T00:00:00+02:00", 10 * 70 + 7));
    assert_eq!(shown(1), row("2026-11-04T00:00:00+02:00", "2026-11-05T00:00:00+02:00", 240));
    assert_eq!(shown(2), row("2026-11-05T00:00:00+02:00", "2026-11-06T00:00:00+01:00", 250));
    assert_eq!(shown(8), row("2026-11-11T00:00:00+01:00", "2026-11-11T01:00:00+01:00", 10));
    assert_eq!(store.fold(&fold).unwrap(), simbell_store::Folded::default());
    assert_eq!(store.generation().unwrap(), 1);
}

/// All rows of a SIM's columns, page by page: first instant, end, kind, figures.
fn rows(store: &Store, from: i64, until: i64, limit: usize) -> Vec<(i64, i64, String, u64, u64)> {
    let mut rows = Vec::new();
    let mut next = Some(at(from));
    while let Some(from) = next {
        let (columns, more) = store.hours(&iccid(1), from, at(until), limit).unwrap();
        assert!(more.is_none_or(|more| more > from), "pages get on");
        let mut figures = columns.rx.iter().zip(&columns.tx);
        for run in &columns.runs {
            let kind = format!("{:?}", columns.series[run.kind]);
            for row in 0..run.rows {
                let (rx, tx) = figures.next().unwrap();
                rows.push((run.start_of(row), run.start_of(row + 1), kind.clone(), *rx, *tx));
            }
        }
        assert!(figures.next().is_none());
        next = more;
    }
    rows
}

#[test]
fn a_month_that_is_over_is_packed_and_gives_the_same_rows() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let roaming = |epoch, start, rx| {
        Change::AddUsage(UsageSlot { zone: Zone::Roaming(None), ..slot(1, epoch, start, rx, 2) })
    };
    let mut changes: Vec<Change> = (-40 * 24..40 * 24)
        .filter(|n| n % 11 != 0)
        .map(|n| usage(1, 1, NOVEMBER + n * HOUR, 300, 1))
        .collect();
    changes.extend((0..50).map(|n| roaming(2, NOVEMBER + (n - 25) * HOUR, 9)));
    // A cycle begins inside this hour; an epoch begins in the other.
    changes.push(usage(1, 1, NOVEMBER - 7 * HOUR + HOUR / 2, 4, 4));
    changes.push(usage(1, 3, NOVEMBER - 9 * HOUR, 5, 5));
    store.apply(&changes).unwrap();
    let conn = rusqlite::Connection::open(store.path()).unwrap();
    let spans = [
        (-50 * DAY, 50 * DAY, 70),
        (-50 * DAY, 50 * DAY, 100_000),
        (-31 * DAY, 30 * DAY, 5),
        (-31 * DAY + 1, 30 * DAY - 1, 100),
        (-9 * DAY, 2 * DAY, 100),
    ];
    let asked = |store: &Store| -> Vec<_> {
        spans.map(|(from, until, limit)| rows(store, NOVEMBER + from, NOVEMBER + until, limit)).into()
    };
    let expected = asked(&store);
    let packed = || -> Vec<i64> {
        let mut packs = conn.prepare("SELECT (month_ms - ?1) / ?2 FROM usage_packed ORDER BY 1").unwrap();
        packs.query_map([NOVEMBER, DAY], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    store.roll_up(at(NOVEMBER + 29 * DAY)).unwrap();
    assert_eq!(packed(), [-61, -31]);
    assert_eq!(asked(&store), expected);
    store.roll_up(at(NOVEMBER + 30 * DAY)).unwrap();
    assert_eq!(packed(), [-61, -31, 0]);
    assert_eq!(asked(&store), expected);
    // They are what is read: where nothing but the packs is left, they still tell.
    conn.execute_batch("CREATE TABLE aside AS SELECT * FROM usage; DELETE FROM usage").unwrap();
    assert_eq!(rows(&store, NOVEMBER - 31 * DAY, NOVEMBER + 30 * DAY, 5), expected[2]);
    conn.execute_batch("INSERT INTO usage SELECT * FROM aside; DROP TABLE aside").unwrap();
    // One that does not add up is passed over.
    conn.execute(
        "UPDATE usage_packed SET rows = (SELECT rows FROM usage_packed WHERE month_ms = ?1)",
        [NOVEMBER],
    )
    .unwrap();
    assert_eq!(asked(&store), expected);
    // Usage that is dated late drops the pack of its month until the next day.
    store.apply(&[usage(1, 4, NOVEMBER + 3 * HOUR, 1, 1)]).unwrap();
    assert_eq!(packed(), [-61, -31]);
    let changed = asked(&store);
    assert_ne!(changed, expected);
    store.roll_up(at(NOVEMBER + 31 * DAY)).unwrap();
    assert_eq!(packed(), [-61, -31, 0]);
    assert_eq!(asked(&store), changed);
}

#[test]
fn a_day_that_does_not_fit_is_refused_by_name_and_keeps_nothing_else_away() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let most = u64::try_from(i64::MAX).unwrap();
    store.apply(&[usage(1, 1, NOVEMBER, most, 0)]).unwrap();
    store.roll_up(at(NOVEMBER + 2 * DAY)).unwrap();
    let error = store.apply(&[usage(1, 1, NOVEMBER + HOUR, 1, 0)]).unwrap_err();
    assert!(error.to_string().contains("the day's sum"), "{error}");
    store.apply(&[usage(1, 1, NOVEMBER + HOUR, 0, 1)]).unwrap();
}

/// Whether the clock can be right is judged by the newest entry: what another program says of the future is none.
#[test]
fn what_was_imported_is_not_the_newest_word_of_the_clock() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    store.apply(&[usage(1, 1, NOVEMBER, 5, 5)]).unwrap();
    let known = store.restore(&boot("boot-1")).unwrap().newest;
    assert!(known.is_some());
    let month = ImportRow {
        start: at(NOVEMBER + 40 * DAY),
        end: at(NOVEMBER + 70 * DAY),
        last: at(NOVEMBER + 70 * DAY),
        volume: Volume { rx: 1, tx: 1 },
    };
    assert_eq!(store.import(&iccid(1), "wwan0", &[month], false).unwrap().rows, 1);
    assert_eq!(store.restore(&boot("boot-1")).unwrap().newest, known);
}
