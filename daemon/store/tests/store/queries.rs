//! Usage by hour, day and cycle; what is forgotten.

use simbell_core::effect::{Change, TotalsQuery};
use simbell_core::ledger::{Correction, EpochId, Gap, GapReason, Source, UsageSlot, Volume, Zone};
use simbell_core::reminder::{DeliveryState, ReminderState};
use simbell_core::time::{Span, Timestamp};
use simbell_core::zone::ZoneRules;
use simbell_store::{Entry, ImportRow, Pruned, Retention, Store, UsageBy, UsagePage, UsageQuery, UsageRow};

use crate::changes::{baseline, delivery, epoch, reminder};
use crate::common::{Dir, HOUR, NOVEMBER, at, boot, ever, iccid, open, slot, sum, usage};

const DAY: i64 = 24 * HOUR;

fn query(by: UsageBy, from: i64, until: i64) -> UsageQuery {
    UsageQuery { iccid: iccid(1), by, from: at(from), until: at(until), limit: 1_000 }
}

fn received(row: &UsageRow) -> u64 {
    match &row.entry {
        Entry::Usage { volume, .. } => volume.rx,
        _ => 0,
    }
}

/// Start, end and bytes received of each row.
fn spans(page: &UsagePage) -> Vec<(i64, i64, u64)> {
    page.rows.iter().map(|row| (row.start.as_millis(), row.end.as_millis(), received(row))).collect()
}

/// Every row, gathered page by page.
fn gathered(store: &Store, mut query: UsageQuery, limit: usize) -> Vec<UsageRow> {
    query.limit = limit;
    let mut rows = Vec::new();
    loop {
        let page = store.usage(&query).unwrap();
        assert!(page.rows.len() < limit + 8, "a page holds the rows of one span beyond its limit at most");
        rows.extend(page.rows);
        match page.next {
            Some(next) => {
                assert!(next > query.from, "pages go on");
                query.from = next;
            }
            None => return rows,
        }
    }
}

#[test]
fn an_hour_holds_its_slots_by_zone_and_source() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let roaming = UsageSlot { zone: Zone::Roaming(None), ..slot(1, 2, NOVEMBER, 7, 1) };
    let modem = UsageSlot { source: Source::Modem, ..slot(1, 3, NOVEMBER, 9, 2) };
    store
        .apply(&[
            usage(1, 1, NOVEMBER, 1, 10),
            usage(1, 1, NOVEMBER + HOUR / 2, 2, 20),
            usage(1, 9, NOVEMBER, 4, 40),
            usage(1, 1, NOVEMBER + 5 * HOUR, 100, 0),
            usage(2, 1, NOVEMBER, 1_000, 0),
            Change::AddUsage(roaming),
            Change::AddUsage(modem),
        ])
        .unwrap();
    let page = store.usage(&query(UsageBy::Hour, NOVEMBER, NOVEMBER + DAY)).unwrap();
    let row = |start: i64, zone, source, rx, tx| UsageRow {
        start: at(start),
        end: at(start + HOUR),
        entry: Entry::Usage { zone, source, volume: Volume { rx, tx } },
    };
    assert_eq!(
        page.rows,
        vec![
            row(NOVEMBER, Zone::Home, Source::Kernel, 7, 70),
            row(NOVEMBER, Zone::Home, Source::Modem, 9, 2),
            row(NOVEMBER, Zone::Roaming(None), Source::Kernel, 7, 1),
            row(NOVEMBER + 5 * HOUR, Zone::Home, Source::Kernel, 100, 0),
        ]
    );
    assert_eq!(page.next, None);
}

/// Midnight in India is within an hour of UTC, and so are all hours of theirs.
#[test]
fn an_hour_is_of_one_day_where_days_begin_within_one() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let india =
        ZoneRules { name: "Asia/Kolkata".to_owned(), first_offset_s: 19_800, transitions: Vec::new() };
    let midnight = NOVEMBER + 18 * HOUR + HOUR / 2;
    store
        .apply(&[
            usage(1, 1, midnight - HOUR / 2, 1, 0),
            usage(1, 1, midnight, 2, 0),
            usage(1, 1, midnight + HOUR / 2, 4, 0),
        ])
        .unwrap();
    let (start, end) = (at(midnight + 5 * HOUR), at(midnight + 6 * HOUR));
    let imported = ImportRow { start, end, last: end, volume: Volume { rx: 8, tx: 0 } };
    assert_eq!(store.import(&iccid(1), "wwan0", &[imported, imported], false).unwrap().rows, 1);
    let hours = query(UsageBy::hours_of(&india), NOVEMBER, NOVEMBER + 2 * DAY);
    assert_eq!(
        spans(&store.usage(&hours).unwrap()),
        vec![
            (midnight - HOUR / 2, midnight, 1),
            (midnight, midnight + HOUR / 2, 2),
            (midnight + HOUR / 2, midnight + 3 * HOUR / 2, 4),
            (midnight + 5 * HOUR, midnight + 6 * HOUR, 8),
        ]
    );
    assert_eq!(UsageBy::hours_of(&ZoneRules::utc()), UsageBy::Hour);
}

#[test]
fn days_follow_the_zone_through_both_changes_of_the_clock() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    // Berlin in 2026: +2 h from 29 March, +1 h from 25 October, both at 01:00 UTC.
    let berlin = ZoneRules {
        name: "Europe/Berlin".to_owned(),
        first_offset_s: 3600,
        transitions: vec![(1_774_746_000, 7200), (1_792_890_000, 3600)],
    };
    for (spring, hours) in [(1_774_738_800_000_i64, 23), (1_792_879_200_000, 25)] {
        let changes: Vec<Change> = (-1..=hours).map(|n| usage(1, 1, spring + n * HOUR, 1, 0)).collect();
        store.apply(&changes).unwrap();
        let day = query(UsageBy::Day(berlin.clone()), spring, spring + 40 * HOUR);
        assert_eq!(
            spans(&store.usage(&day).unwrap()),
            vec![
                (spring, spring + hours * HOUR, u64::try_from(hours).unwrap()),
                (spring + hours * HOUR, spring + 40 * HOUR, 1)
            ]
        );
    }
}

#[test]
fn a_cycle_that_begins_inside_a_utc_hour_gets_the_slots_from_there_on() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    // Midnight in Kathmandu (+5:45) is 18:15 UTC; the slot of 18:00 is split there.
    let kathmandu =
        ZoneRules { name: "Asia/Kathmandu".to_owned(), first_offset_s: 20_700, transitions: Vec::new() };
    let midnight = NOVEMBER + 18 * HOUR + HOUR / 4;
    store
        .apply(&[
            usage(1, 1, NOVEMBER + 18 * HOUR, 3, 0),
            usage(1, 1, midnight, 5, 0),
            usage(1, 1, NOVEMBER + 19 * HOUR, 7, 0),
        ])
        .unwrap();
    let total = |from, until| {
        let query = TotalsQuery { iccid: iccid(1), from: at(from), until: Some(at(until)) };
        sum(&store.totals(&query).unwrap()).0
    };
    assert_eq!((total(0, midnight), total(midnight, midnight + DAY)), (3, 12));
    let days = query(UsageBy::Day(kathmandu), midnight - DAY, midnight + DAY);
    assert_eq!(
        spans(&store.usage(&days).unwrap()),
        vec![(midnight - DAY, midnight, 3), (midnight, midnight + DAY, 12)]
    );
    let cycles = query(UsageBy::Bounds(vec![at(midnight)]), 0, midnight + DAY);
    assert_eq!(spans(&store.usage(&cycles).unwrap()), vec![(0, midnight, 3), (midnight, midnight + DAY, 12)]);
    let hours = query(UsageBy::Hour, NOVEMBER, NOVEMBER + DAY);
    assert_eq!(
        spans(&store.usage(&hours).unwrap()),
        vec![
            (NOVEMBER + 18 * HOUR, NOVEMBER + 19 * HOUR, 8),
            (NOVEMBER + 19 * HOUR, NOVEMBER + 20 * HOUR, 7)
        ]
    );
}

#[test]
fn corrections_and_gaps_stand_in_the_spans_they_touch() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let gap = |iccid, from: Option<i64>, until: Option<i64>, reason| {
        Change::AppendGap(Gap {
            iccid,
            from: from.map(at),
            until: until.map(at),
            reason,
            detail: String::new(),
        })
    };
    let correction = |tail, when: i64, bytes| {
        Change::AppendCorrection(Correction {
            iccid: iccid(tail),
            at: at(when),
            bytes,
            author: "uid 0".to_owned(),
            reason: String::new(),
            undoes: None,
        })
    };
    store
        .apply(&[
            usage(1, 1, NOVEMBER + 2 * HOUR, 5, 0),
            gap(Some(iccid(1)), Some(NOVEMBER - DAY), Some(NOVEMBER + 2 * HOUR + 1), GapReason::Rebooted),
            gap(None, None, Some(NOVEMBER + HOUR), GapReason::EventsLost),
            gap(Some(iccid(2)), Some(NOVEMBER), Some(NOVEMBER + DAY), GapReason::NoCounter),
            gap(Some(iccid(1)), None, None, GapReason::SimChanged),
            correction(1, NOVEMBER + 4 * HOUR, -9),
            correction(1, NOVEMBER + 4 * HOUR + 1, 2),
            correction(2, NOVEMBER, 1_000),
        ])
        .unwrap();
    let hours = query(UsageBy::Hour, NOVEMBER, NOVEMBER + DAY);
    let row = |hour: i64, entry| UsageRow {
        start: at(NOVEMBER + hour * HOUR),
        end: at(NOVEMBER + (hour + 1) * HOUR),
        entry,
    };
    let rebooted = Entry::Gap { reason: GapReason::Rebooted };
    let carried = Entry::Usage { zone: Zone::Home, source: Source::Kernel, volume: Volume { rx: 5, tx: 0 } };
    assert_eq!(
        gathered(&store, hours, 100),
        vec![
            row(0, rebooted.clone()),
            row(1, Entry::Gap { reason: GapReason::EventsLost }),
            row(1, rebooted.clone()),
            row(2, carried),
            row(2, rebooted),
            row(4, Entry::Correction { bytes: -7 }),
        ]
    );
}

#[test]
fn pages_of_any_size_hold_the_same_rows() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let mut changes: Vec<Change> = (0..200_i64)
        .filter(|n| n % 7 != 3)
        .map(|n| usage(1, 1, NOVEMBER + n * HOUR, u64::try_from(n).unwrap(), 1))
        .collect();
    changes.push(Change::AppendGap(Gap {
        iccid: Some(iccid(1)),
        from: Some(at(NOVEMBER + 9 * HOUR)),
        until: Some(at(NOVEMBER + 40 * HOUR)),
        reason: GapReason::InterfaceVanished,
        detail: String::new(),
    }));
    store.apply(&changes).unwrap();
    for by in [UsageBy::Hour, UsageBy::Day(ZoneRules::utc()), UsageBy::Bounds(vec![at(NOVEMBER + 50 * HOUR)])]
    {
        let all = gathered(&store, query(by.clone(), 0, i64::MAX), 10_000);
        assert_eq!(all.iter().map(received).sum::<u64>(), sum(&store.totals(&ever(1)).unwrap()).0);
        for limit in [1, 2, 7, 50] {
            assert_eq!(gathered(&store, query(by.clone(), 0, i64::MAX), limit), all, "{by:?} by {limit}");
        }
    }
}

#[test]
fn what_ended_long_ago_is_forgotten_and_nothing_else() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let now = NOVEMBER + 1_000 * DAY;
    let old = Timestamp::from_millis(NOVEMBER);
    store
        .apply(&[
            Change::KeepDelivery(delivery("old", DeliveryState::Delivered, NOVEMBER)),
            Change::KeepDelivery(delivery("old-waiting", DeliveryState::Queued, NOVEMBER)),
            Change::KeepDelivery(delivery("new", DeliveryState::Failed, now)),
            Change::KeepReminder(reminder("data/a", ReminderState::Resolved { at: old })),
            Change::KeepReminder(reminder("data/b", ReminderState::Resolved { at: old })),
            Change::KeepReminder(reminder("data/c", ReminderState::Acknowledged { at: old })),
            Change::KeepSmsDigest { digest: "old".to_owned(), at: old },
            Change::KeepSmsDigest { digest: "new".to_owned(), at: at(now) },
            usage(1, 1, NOVEMBER, 5, 6),
            Change::OpenEpoch(epoch(1, 1)),
            Change::OpenEpoch(epoch(2, 1)),
            Change::OpenEpoch(epoch(3, 1)),
            Change::OpenEpoch(epoch(4, 1)),
            Change::SetBaseline(baseline("link:7", 3)),
        ])
        .unwrap();
    let pruned = store.prune(at(now), &Retention::default()).unwrap();
    // data/a has a delivery that waits; epoch 2 alone is named by nothing and is not the newest.
    assert_eq!(pruned, Pruned { deliveries: 1, reminders: 1, sms_digests: 1, epochs: 1 });
    let restored = store.restore(&boot("b")).unwrap();
    let given: Vec<&str> = restored.deliveries.iter().map(|d| d.id.as_str()).collect();
    assert_eq!(given, ["new", "old-waiting"]);
    assert_eq!(restored.sms_digests.len(), 1);
    assert_eq!(restored.next_epoch, EpochId(5));
    let keys: Vec<String> = restored.reminders.iter().map(|r| r.key.to_string()).collect();
    assert_eq!(keys, ["data/a", "data/c"]);
    assert_eq!(sum(&store.totals(&ever(1)).unwrap()), (5, 6));
    let again = store.prune(at(now), &Retention { sms_digests: Span(-1), ..Retention::default() }).unwrap();
    assert_eq!(again, Pruned { sms_digests: 1, ..Pruned::default() });
}

#[test]
fn floods_do_not_grow_the_ledger_without_end() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let flood: Vec<Change> = (0..5_000_i64)
        .flat_map(|n| {
            let ended = delivery(&format!("d{n:05}"), DeliveryState::Delivered, n);
            let gone = reminder(&format!("data/{n:05}"), ReminderState::Resolved { at: at(n) });
            [
                Change::KeepSmsDigest { digest: format!("{n:05}"), at: at(n) },
                Change::KeepDelivery(ended),
                Change::KeepReminder(gone),
            ]
        })
        .collect();
    store.apply(&[Change::KeepDelivery(delivery("waiting", DeliveryState::Queued, 0))]).unwrap();
    store.apply(&flood).unwrap();
    let restored = store.restore(&boot("b")).unwrap();
    let digests: Vec<&str> = restored.sms_digests.iter().map(|d| d.digest.as_str()).collect();
    assert_eq!((digests.len(), digests[0], digests[4_095]), (4_096, "00904", "04999"));
    // What waits, and the latest that ended.
    let given: Vec<&str> = restored.deliveries.iter().map(|d| d.id.as_str()).collect();
    assert_eq!((given.len(), given[0], given[499], given[500]), (501, "d04500", "d04999", "waiting"));
    assert_eq!(restored.reminders.len(), 200);
    let all = store.reminders(true, None, 10_000).unwrap();
    assert_eq!((all.len(), all[0].key.to_string().as_str()), (1_000, "data/04000"));
    let key = simbell_core::ident::ReminderKey::new("data/a").unwrap();
    let kept = store.deliveries(&key, 10_000).unwrap();
    assert_eq!((kept.len(), kept[0].id.as_str()), (2_001, "d04999"));
}
