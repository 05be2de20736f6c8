//! Days and cycles as billed, page by page.

use simbell_core::billing::{FreeHours, Increment, Per};
use simbell_core::bytes::Bytes;
use simbell_core::effect::Change;
use simbell_core::ident::{BootId, PlanName};
use simbell_core::ledger::{Correction, Epoch, EpochId, Source, UsageSlot, Zone};
use simbell_core::plan::{AnchorDay, Counts, Period};
use simbell_core::zone::ZoneRules;
use simbell_store::Fold;

use super::*;
use crate::kept::{Kept, ledger};

const DAY: i64 = 86_400_000;
/// 2026-09-01T00:00:00Z.
const SEPTEMBER: i64 = 1_788_220_800_000;

fn iccid() -> Iccid {
    Iccid::new("8949000000000000018").unwrap()
}

fn epoch(id: i64, session: i64) -> Change {
    Change::OpenEpoch(Epoch {
        id: EpochId(id),
        iccid: iccid(),
        zone: Zone::Home,
        source: Source::Kernel,
        boot: BootId::new("boot-1").unwrap(),
        ifindex: None,
        interface: None,
        apn: None,
        began: None,
        began_boot_ms: 0,
        session: Some(EpochId(session)),
        modem: None,
    })
}

fn usage(epoch: i64, at: i64, rx: u64, tx: u64) -> Change {
    Change::AddUsage(UsageSlot {
        epoch: EpochId(epoch),
        iccid: iccid(),
        zone: Zone::Home,
        source: Source::Kernel,
        when: When::Hour(Timestamp::from_millis(at)),
        rx_bytes: rx,
        tx_bytes: tx,
        from: at,
        until: at + 1,
    })
}

fn corrected(at: i64, bytes: i64) -> Change {
    Change::AppendCorrection(Correction {
        iccid: iccid(),
        at: Timestamp::from_millis(at),
        bytes,
        author: "uid 0".to_owned(),
        reason: String::new(),
        undoes: None,
    })
}

fn plan(counts: Counts, increment: Option<(u64, Per)>) -> Plan {
    Plan {
        name: PlanName::new("p").unwrap(),
        data: None,
        period: Period::Monthly(AnchorDay::Day(1)),
        counts,
        roaming_counts: true,
        increment: increment.map(|(bytes, per)| Increment { bytes: Bytes(bytes), per }),
        free_hours: Vec::new(),
        calibrate: false,
    }
}

type Row = (i64, u64, Option<u64>, i64);

/// Every page from the beginning of September until the end of October, days since then: measured, billed, corrected.
fn pages(ledger: &Kept, plan: &Plan, by_cycle: bool, room: usize) -> Vec<Row> {
    pages_of(ledger, plan, by_cycle, room, SLOTS_LOOKED_AT)
}

/// The same, so many slots looked at a page.
fn pages_of(ledger: &Kept, plan: &Plan, by_cycle: bool, room: usize, slots: usize) -> Vec<Row> {
    let zone = ZoneRules::utc();
    let tariff = Tariff { plan, zone: &zone };
    let until = Timestamp::from_millis(SEPTEMBER + 61 * DAY);
    let from = Timestamp::from_millis(SEPTEMBER);
    let mut place = Walk::beginning(tariff, from);
    let mut rows = Vec::new();
    loop {
        let walk = Walk::new(tariff, by_cycle, (from, until), place.clone());
        let mut slots = slots;
        let (spans, next) = walk.page(&Ledger::Through(&ledger.store), &iccid(), room, &mut slots).unwrap();
        assert!(spans.len() <= room && spans.is_sorted_by_key(|span| span.start));
        rows.extend(spans.into_iter().map(|span| {
            let day = (span.start.as_millis() - SEPTEMBER) / DAY;
            (day, span.measured, span.billed, span.corrections)
        }));
        match next {
            Some(next) => {
                assert!(next.at > place.at, "a page leads on");
                // It goes through a caller's hands.
                let (whose, read) = place::read(&next.to_text(&iccid())).unwrap();
                assert_eq!((whose, &read), (iccid(), &next));
                place = read;
            }
            None => return rows,
        }
    }
}

/// Two connections over three days and the turn of a month, and corrections on days of their own.
fn sample() -> Vec<Change> {
    vec![
        epoch(1, 1),
        epoch(2, 1),
        epoch(3, 3),
        usage(1, SEPTEMBER, 30, 0),
        usage(2, SEPTEMBER + DAY, 30, 5),
        usage(3, SEPTEMBER + DAY + 3_600_000, 0, 10),
        usage(3, SEPTEMBER + 29 * DAY, 95, 0),
        usage(3, SEPTEMBER + 30 * DAY, 1, 0),
        corrected(SEPTEMBER + 5 * DAY, -7),
        corrected(SEPTEMBER + 5 * DAY + 1, 3),
        corrected(SEPTEMBER + 40 * DAY, 9),
    ]
}

#[test]
fn days_sum_up_to_their_cycle() {
    let ledger = ledger(&sample());
    let sessions = plan(Counts::Both, Some((100, Per::Session)));
    let days = [
        (0, 30, Some(100), 0),
        // The first connection is within its step still; the second begins one.
        (1, 45, Some(100), 0),
        (5, 0, Some(0), -4),
        (29, 95, Some(100), 0),
        // Another cycle: the same connection begins a step.
        (30, 1, Some(100), 0),
        (40, 0, Some(0), 9),
    ];
    assert_eq!(pages(&ledger, &sessions, false, 64), days);
    let cycles = [(0, 170, Some(300), -4), (30, 1, Some(100), 9)];
    assert_eq!(pages(&ledger, &sessions, true, 64), cycles);
    let larger = plan(Counts::Max, None);
    let days: Vec<_> = pages(&ledger, &larger, false, 64).iter().map(|row| row.2).collect();
    assert_eq!(days, [Some(30), Some(30), Some(0), Some(95), Some(1), Some(0)]);
    let upload = pages(&ledger, &plan(Counts::Upload, None), true, 64);
    assert_eq!(upload.iter().map(|row| row.2).collect::<Vec<_>>(), [Some(15), Some(0)]);
}

#[test]
fn pages_of_any_size_say_the_same() {
    let ledger = ledger(&sample());
    for plan in [
        plan(Counts::Both, Some((100, Per::Session))),
        plan(Counts::Max, Some((7, Per::Session))),
        plan(Counts::Max, Some((7, Per::Day))),
        plan(Counts::Download, Some((100, Per::Day))),
        plan(Counts::Max, None),
        plan(Counts::Both, None),
    ] {
        for by_cycle in [false, true] {
            let whole = pages(&ledger, &plan, by_cycle, 64);
            for room in 1..8 {
                assert_eq!(pages(&ledger, &plan, by_cycle, room), whole, "{room} at a time");
                for slots in 1..4 {
                    assert_eq!(
                        pages_of(&ledger, &plan, by_cycle, room, slots),
                        whole,
                        "{slots} slots, {room} at a time"
                    );
                }
            }
        }
    }
}

#[test]
fn a_question_from_the_midst_of_a_cycle_knows_what_came_before() {
    let ledger = ledger(&sample());
    let zone = ZoneRules::utc();
    let from = Timestamp::from_millis(SEPTEMBER + DAY + 3_600_000);
    let until = Timestamp::from_millis(SEPTEMBER + 30 * DAY);
    for (plan, expected) in [
        // The second connection has its step to itself, whatever the first one used.
        (plan(Counts::Both, Some((100, Per::Session))), [100, 100]),
        // 65 of the day's 100 were used before.
        (plan(Counts::Both, Some((100, Per::Day))), [0, 100]),
        // Downloads were ahead by 55 and stay it.
        (plan(Counts::Max, Some((1, Per::Session))), [0, 95]),
        (plan(Counts::Max, None), [0, 95]),
        (plan(Counts::Upload, None), [10, 0]),
    ] {
        let tariff = Tariff { plan: &plan, zone: &zone };
        for slots in [1, SLOTS_LOOKED_AT] {
            let (mut billed, mut place) = (Vec::new(), Some(Walk::beginning(tariff, from)));
            while let Some(at) = place {
                let walk = Walk::new(tariff, false, (from, until), at);
                let page = walk.page(&Ledger::Through(&ledger.store), &iccid(), 64, &mut { slots }).unwrap();
                let of = page.0.iter().filter(|span| span.measured > 0);
                billed.extend(of.map(|span| span.billed.unwrap()));
                place = page.1;
            }
            assert_eq!(billed, expected, "{:?} {:?}, {slots} slots a page", plan.counts, plan.increment);
        }
    }
}

#[test]
fn what_came_before_the_first_cycle_is_one_row() {
    let ledger = ledger(&sample());
    let start = chrono::NaiveDate::from_ymd_opt(2026, 9, 30).unwrap();
    for period in [Period::Days { days: 28, start, renews: true }, Period::Bucket { start }] {
        let sessions = Plan { period: period.clone(), ..plan(Counts::Both, Some((100, Per::Session))) };
        let plain = Plan { period, ..plan(Counts::Max, None) };
        let rows = [(0, 75, Some(200), -4), (29, 96, Some(100), 9)];
        let larger = [(0, 75, Some(60), -4), (29, 96, Some(96), 9)];
        for room in [1, 2, 64] {
            for slots in [1, 2, SLOTS_LOOKED_AT] {
                assert_eq!(pages_of(&ledger, &sessions, true, room, slots), rows);
                assert_eq!(pages_of(&ledger, &plain, true, room, slots), larger);
            }
        }
        let days: Vec<i64> = pages(&ledger, &sessions, false, 64).iter().map(|row| row.0).collect();
        assert_eq!(days, [0, 1, 5, 29, 30, 40], "days are days");
    }
}

#[test]
fn a_page_ends_early_where_much_is_to_be_looked_at() {
    let mut changes: Vec<Change> = vec![epoch(1, 1)];
    // More slots a day than there are hours, as edges make them.
    let slots = i64::try_from(SLOTS_LOOKED_AT).unwrap();
    changes.extend((0..2 * slots).map(|n| usage(1, SEPTEMBER + n * 5 * DAY / (2 * slots), 1, 0)));
    let ledger = ledger(&changes);
    let zone = ZoneRules::utc();
    let sessions = plan(Counts::Both, Some((1_000_000, Per::Session)));
    let tariff = Tariff { plan: &sessions, zone: &zone };
    let (from, until) = (Timestamp::from_millis(SEPTEMBER), Timestamp::from_millis(SEPTEMBER + 30 * DAY));
    for by_cycle in [false, true] {
        let walk = Walk::new(tariff, by_cycle, (from, until), Place::at(from));
        let mut left = SLOTS_LOOKED_AT;
        let (spans, next) = walk.page(&Ledger::Through(&ledger.store), &iccid(), 64, &mut left).unwrap();
        assert!(left == 0 && next.is_some());
        assert_eq!(spans.len(), if by_cycle { 0 } else { 2 }, "days that are over are told");
    }
    let days = pages(&ledger, &sessions, false, 64);
    assert_eq!(days.iter().map(|row| row.1).sum::<u64>(), 2 * slots.unsigned_abs());
    assert_eq!(days.iter().map(|row| row.2.unwrap()).sum::<u64>(), 1_000_000, "one connection, one step");
}

#[test]
fn what_was_folded_is_told_only_where_it_is_known() {
    let mut ledger = ledger(&sample());
    let nights = FreeHours {
        from: "00:00".parse().unwrap(),
        until: "06:00".parse().unwrap(),
        days: (1..=7).collect(),
    };
    let free = Plan { free_hours: vec![nights], ..plan(Counts::Both, None) };
    let sessions = plan(Counts::Both, Some((100, Per::Session)));
    let days = plan(Counts::Both, Some((100, Per::Day)));
    let plain = plan(Counts::Both, None);
    let billed = |ledger: &Kept, plan: &Plan| -> Vec<Option<u64>> {
        pages(ledger, plan, true, 64).iter().map(|row| row.2).collect()
    };
    let before = (billed(&ledger, &days), billed(&ledger, &plain));
    assert_eq!(before, (vec![Some(300), Some(100)], vec![Some(170), Some(1)]));
    let october = Some(Timestamp::from_millis(SEPTEMBER + 30 * DAY));
    let mut fold = Fold {
        iccid: iccid(),
        zone: ZoneRules::utc(),
        period: Period::Monthly(AnchorDay::Day(1)),
        hours_until: october,
        days_until: None,
    };
    ledger.store.fold(&fold).unwrap();
    assert_eq!((billed(&ledger, &days), billed(&ledger, &plain)), before, "days are days still");
    assert_eq!(billed(&ledger, &sessions), [None, Some(100)]);
    assert_eq!(billed(&ledger, &free), [None, Some(0)]);
    fold.days_until = october;
    ledger.store.fold(&fold).unwrap();
    assert_eq!(billed(&ledger, &plain), before.1);
    assert_eq!(billed(&ledger, &days), [None, Some(100)]);
}

#[test]
fn a_cycle_gone_by_is_looked_up_to_the_instant() {
    let ledger = ledger(&sample());
    let zone = ZoneRules::utc();
    let sessions = plan(Counts::Both, Some((100, Per::Session)));
    let tariff = Tariff { plan: &sessions, zone: &zone };
    let at = |days: i64, more: i64| {
        let at = Timestamp::from_millis(SEPTEMBER + days * DAY + more);
        spent(&tariff, &ledger.store, &iccid(), at)
            .unwrap()
            .map(|spent| ((spent.cycle_start.as_millis() - SEPTEMBER) / DAY, spent.billed, spent.corrections))
    };
    assert_eq!(at(1, 0), Some((0, 100, 0)), "a slot counts from the instant after its start on");
    assert_eq!(at(1, 3_600_001), Some((0, 200, 0)));
    assert_eq!(at(5, 0), Some((0, 200, -7)));
    assert_eq!(at(29, 1), Some((0, 300, -4)));
    assert_eq!(at(30, 0), Some((30, 0, 0)));
    assert_eq!(at(40, 0), Some((30, 100, 9)));
    let start = chrono::NaiveDate::from_ymd_opt(2026, 9, 1).unwrap();
    let bundle = Plan { period: Period::Days { days: 7, start, renews: false }, ..sessions.clone() };
    let tariff = Tariff { plan: &bundle, zone: &zone };
    let after = Timestamp::from_millis(SEPTEMBER + 8 * DAY);
    assert_eq!(spent(&tariff, &ledger.store, &iccid(), after).unwrap(), None);
}
