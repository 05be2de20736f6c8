//! Calls and messages, page by page.

use proptest::prelude::*;
use simbell_core::effect::{Change, SimRecord};
use simbell_core::ledger::Zone;
use simbell_core::number::NumberClass;
use simbell_core::voice::{CallEnd, CallId, SmsDirection, SmsId};
use simbell_core::zone::ZoneRules;
use simbell_store::UsageBy;

use super::*;
use crate::kept::ledger;

const DAY: i64 = 86_400_000;
/// 2026-01-01T00:00:00Z.
const JANUARY: i64 = 1_767_225_600_000;
const DAYS: i64 = 500;

fn iccid(number: u8) -> Iccid {
    Iccid::new(format!("894900000000000001{number}")).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(JANUARY + millis)
}

/// A call or a message: of which SIM, when, of which kind, and how much.
type Entry = (u8, i64, u8, u32);

fn zone(kind: u8) -> Zone {
    if kind & 1 == 0 { Zone::Home } else { Zone::Roaming(None) }
}

fn call(id: i64, (sim, when, kind, much): Entry) -> CallRecord {
    CallRecord {
        id: CallId(id),
        iccid: Some(iccid(sim)),
        incoming: kind & 2 == 0,
        class: if kind & 4 == 0 { NumberClass::National } else { NumberClass::Free },
        party: None,
        zone: zone(kind),
        answered: much > 5,
        began: Some(at(when)),
        boot: None,
        began_boot_ms: 0,
        seconds: much,
        seconds_min: much / 2,
        end: if kind & 8 == 0 { CallEnd::Seen } else { CallEnd::Unknown },
    }
}

fn sms(id: i64, (sim, when, kind, much): Entry) -> SmsRecord {
    let ways = [SmsDirection::Sent, SmsDirection::Received, SmsDirection::Failed, SmsDirection::Unknown];
    let direction = ways[usize::from(kind >> 1) % 4];
    SmsRecord {
        id: SmsId(id),
        iccid: Some(iccid(sim)),
        direction,
        parts: much,
        zone: zone(kind),
        party: (direction == SmsDirection::Sent).then(|| format!("{:02}", much % 7)),
        at: Some(at(when)),
        boot: None,
        at_boot_ms: 0,
        digest: None,
    }
}

/// Every page, one after the other.
fn all<T>(question: &mut Question, mut page: impl FnMut(&Question) -> (Vec<T>, Option<String>)) -> Vec<T> {
    let mut rows = Vec::new();
    for _ in 0..5_000 {
        let (more, next) = page(question);
        rows.extend(more);
        let Some(next) = next else { return rows };
        let next = cursor(&next).unwrap();
        assert!(question.after.as_ref().is_none_or(|before| *before < next), "a page leads on");
        question.after = Some(next);
    }
    panic!("pages without an end");
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec((0..2_u8, 0..DAYS * DAY, 0..16_u8, 1..90_u32), 0..120)
}

fn by() -> impl Strategy<Value = UsageBy> {
    prop_oneof![
        Just(UsageBy::Hour),
        Just(UsageBy::Day(ZoneRules::utc())),
        prop::collection::btree_set(-10..DAYS, 0..12)
            .prop_map(|days| { UsageBy::Bounds(days.into_iter().map(|day| at(day * DAY)).collect()) }),
        // Where cycles are months, and where they are two.
        Just(UsageBy::Bounds([0, 31, 59, 90, 120].map(|day| at(day * DAY)).to_vec())),
        Just(UsageBy::Bounds([0, 59, 365].map(|day| at(day * DAY)).to_vec())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever is asked for, the pages together are the entries by span, and each tells the sums of all that was
    /// asked for; whether months are counted already or not.
    #[test]
    fn pages_are_the_entries_by_span(
        entries in entries(),
        open in prop::collection::vec((0..2_u8, 0..DAYS * DAY, 0..8_u8, 6..90_u32), 0..3),
        by in by(),
        (first, length) in (-5 * DAY..DAYS * DAY, DAY..DAYS * DAY),
        (limit, looks) in (1..9_usize, 1..80_usize),
        rolled_until in prop::option::of(0..DAYS),
    ) {
        let (from, until) = (at(first), at(first + length));
        let known = |sim| Change::KeepSim(SimRecord {
            iccid: iccid(sim),
            imsi: None,
            eid: None,
            operator: None,
            first_seen: at(0),
            last_seen: at(0),
        });
        let numbered = || (1..).zip(entries.iter().copied());
        let mut changes = vec![known(0), known(1)];
        changes.extend(numbered().map(|(id, entry)| Change::KeepCall(call(id, entry))));
        changes.extend(numbered().map(|(id, entry)| Change::KeepSms(sms(id, entry))));
        let mut kept = ledger(&changes);
        if let Some(day) = rolled_until {
            kept.store.roll_up(at(day * DAY)).unwrap();
        }
        let under_way = |sim| open.iter().filter(|one| one.0 == sim).map(|one| call(900, *one)).collect();
        let asked = |sim| Asked {
            iccid: iccid(sim),
            name: String::new(),
            zone: ZoneRules::utc(),
            by: by.clone(),
            from,
            until,
        };
        let sims = [0, 1].map(|sim| (asked(sim), under_way(sim))).to_vec();
        let question = Question { sims, after: None, limit, looks };
        let ledger = Ledger::Through(&kept.store);
        let within = |when: i64| at(when) >= from && at(when) < until;
        let span = |when: i64| {
            let (start, end) = by.span(at(when));
            let zone = ZoneRules::utc();
            (zone.rfc3339(start.max(from)), zone.rfc3339(end.min(until)))
        };

        let mut sums = VoiceSums::default();
        let mut rows = BTreeMap::new();
        let all_calls = entries.iter().map(|one| (one, 0)).chain(open.iter().map(|one| (one, 1)));
        for (entry, under_way) in all_calls.filter(|(one, _)| within(one.1)) {
            let one = call(1, *entry);
            sums.add_call(&one);
            let sum: &mut (CallSums, u64) = rows.entry((iccid(entry.0), span(entry.1), one.key())).or_default();
            sum.0.add(&one);
            sum.1 += under_way;
        }
        let shown = all(&mut question.clone(), |question| {
            let page = question.calls(&ledger).unwrap();
            assert_eq!(page.total, calls_total(&sums));
            (page.rows, page.next)
        });
        let shown: BTreeMap<_, _> = shown.into_iter().map(|row| {
            let key = (row.direction == "taken", NumberClass::from_text(&row.number_class), Zone::from_text(&row.zone));
            let sums = CallSums {
                answered: row.answered,
                unanswered: row.unanswered,
                end_unknown: row.end_unknown,
                seconds: row.seconds,
                seconds_min: row.seconds_min,
            };
            ((Iccid::new(&row.iccid).unwrap(), (row.start, row.end), key), (sums, row.under_way))
        }).collect();
        prop_assert_eq!(shown, rows);

        let mut counts = VoiceCounts::default();
        let mut rows = BTreeMap::new();
        for entry in entries.iter().filter(|one| within(one.1)) {
            let one = sms(1, *entry);
            counts.add_sms(one.direction, one.parts, &one.zone, one.party.as_deref());
            let key = (iccid(entry.0), span(entry.1), (one.direction.as_str().to_owned(), one.zone));
            let sum: &mut (SmsSums, BTreeSet<String>) = rows.entry(key).or_default();
            sum.0.add(one.parts);
            sum.1.extend(one.party);
        }
        let shown = all(&mut question.clone(), |question| {
            let page = question.messages(&ledger).unwrap();
            assert_eq!(page.total, messages_total(&counts.sums, count(counts.recipients.len())));
            (page.rows, page.next)
        });
        let rows: Vec<_> = rows.into_iter().map(|(key, (sums, parties))| (key, sums, count(parties.len()))).collect();
        let mut shown: Vec<_> = shown.into_iter().map(|row| {
            let key = (row.direction, Zone::from_text(&row.zone));
            let sums = SmsSums { messages: row.messages, parts: row.parts };
            ((Iccid::new(&row.iccid).unwrap(), (row.start, row.end), key), sums, row.recipients)
        }).collect();
        shown.sort_by(|one, other| one.0.cmp(&other.0));
        prop_assert_eq!(shown, rows);
    }
}
