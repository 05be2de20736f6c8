//! Calls and short messages: kept once, summed by span, gone on with after a restart.

use simbell_core::effect::{Change, TotalsQuery};
use simbell_core::ident::{ModemId, OperatorCode};
use simbell_core::ledger::Zone;
use simbell_core::number::NumberClass;
use simbell_core::time::Timestamp;
use simbell_core::voice::{
    CallEnd, CallId, CallRecord, CallSums, OpenCall, SmsDirection, SmsId, SmsRecord, SmsSums, VoiceCounts,
};
use simbell_store::{Reader, Store};

use crate::common::{Dir, HOUR, NOVEMBER, at, boot, iccid, open, sim};

fn call(id: i64, incoming: bool, seconds: u32, began: Option<Timestamp>) -> CallRecord {
    CallRecord {
        id: CallId(id),
        iccid: Some(iccid(1)),
        incoming,
        class: NumberClass::National,
        party: Some("0123456789abcdef".to_owned()),
        zone: Zone::Home,
        answered: true,
        began,
        boot: Some(boot("boot-1")),
        began_boot_ms: 5_000,
        seconds,
        seconds_min: seconds,
        end: CallEnd::Seen,
    }
}

fn sms(id: i64, direction: SmsDirection, parts: u32, when: i64) -> SmsRecord {
    SmsRecord {
        id: SmsId(id),
        iccid: Some(iccid(1)),
        direction,
        parts,
        zone: Zone::Home,
        party: None,
        at: Some(at(when)),
        boot: Some(boot("boot-1")),
        at_boot_ms: 6_000,
        digest: None,
    }
}

fn span(from: i64, until: Option<i64>) -> TotalsQuery {
    TotalsQuery { iccid: iccid(1), from: at(from), until: until.map(at) }
}

#[test]
fn calls_and_messages_are_summed_by_span() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let abroad = Zone::Roaming(Some(OperatorCode::new("26202").unwrap()));
    let missed =
        CallRecord { answered: false, seconds: 0, seconds_min: 0, ..call(4, true, 0, Some(at(NOVEMBER))) };
    let to = |id, party: &str| SmsRecord {
        party: Some(party.to_owned()),
        ..sms(id, SmsDirection::Sent, 3, NOVEMBER)
    };
    store
        .apply(&[
            Change::KeepCall(call(1, true, 61, Some(at(NOVEMBER)))),
            Change::KeepCall(CallRecord { zone: abroad, ..call(2, false, 30, Some(at(NOVEMBER))) }),
            Change::KeepCall(CallRecord {
                seconds_min: 5,
                end: CallEnd::Unknown,
                ..call(3, false, 31, Some(at(NOVEMBER + HOUR)))
            }),
            Change::KeepCall(missed),
            Change::KeepSms(to(1, "a")),
            Change::KeepSms(to(2, "b")),
            Change::KeepSms(to(3, "b")),
            Change::KeepSms(sms(4, SmsDirection::Failed, 1, NOVEMBER)),
            Change::KeepSms(sms(5, SmsDirection::Received, 2, NOVEMBER + HOUR)),
        ])
        .unwrap();
    let all = store.counts(&span(NOVEMBER, None)).unwrap();
    let made = CallSums { answered: 2, unanswered: 0, end_unknown: 1, seconds: 61, seconds_min: 35 };
    assert_eq!(all.sums.made, made);
    assert_eq!(all.sums.made_roaming.seconds, 30);
    assert_eq!(
        all.sums.taken,
        CallSums { answered: 1, unanswered: 1, end_unknown: 0, seconds: 61, seconds_min: 61 }
    );
    assert_eq!(all.sums.sent, SmsSums { messages: 3, parts: 9 });
    assert_eq!((all.sums.failed.messages, all.sums.received.parts), (1, 2));
    assert_eq!(all.recipients.len(), 2);
    let hour = store.counts(&span(NOVEMBER, Some(NOVEMBER + HOUR))).unwrap();
    assert_eq!((hour.sums.made.seconds, hour.sums.received.parts), (30, 0));
}

#[test]
fn a_message_shown_again_is_counted_once_and_one_of_unknown_outcome_may_turn_out_sent() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let received = SmsRecord { digest: Some("d".to_owned()), ..sms(1, SmsDirection::Received, 1, NOVEMBER) };
    let again = SmsRecord { id: SmsId(2), ..received.clone() };
    store
        .apply(&[
            Change::KeepSms(received),
            Change::KeepSms(again),
            Change::KeepSms(sms(3, SmsDirection::Unknown, 2, NOVEMBER)),
        ])
        .unwrap();
    store.apply(&[Change::KeepSms(sms(3, SmsDirection::Sent, 2, NOVEMBER))]).unwrap();
    let sums = store.counts(&span(NOVEMBER, None)).unwrap().sums;
    assert_eq!((sums.received.messages, sums.sent.parts, sums.unknown.messages), (1, 2, 0));
}

#[test]
fn a_call_under_way_comes_back_and_is_dated_with_its_boot() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let under_way = CallRecord {
        end: CallEnd::Open(OpenCall {
            modem: ModemId::new("350000000000017").unwrap(),
            service: Some(":1.7".to_owned()),
            path: "/org/freedesktop/ModemManager1/Call/0".to_owned(),
            told_boot_ms: 5_000,
            seen_boot_ms: 65_000,
            before_ms: 0,
            doubt_ms: 0,
        }),
        ..call(1, false, 60, None)
    };
    store.apply(&[Change::KeepCall(under_way.clone())]).unwrap();
    let key = store.restore(&boot("boot-1")).unwrap().party_key;
    drop(store);
    let mut store = open(&dir.ledger());
    let restored = store.restore(&boot("boot-1")).unwrap();
    assert_eq!(restored.open_calls, std::slice::from_ref(&under_way));
    assert_eq!((restored.next_call, restored.party_key), (CallId(2), key));
    assert_eq!(store.counts(&span(0, None)).unwrap().sums.made.answered, 0, "under way is not in the sums");

    store.apply(&[Change::KeepCall(CallRecord { end: CallEnd::Seen, ..under_way })]).unwrap();
    let offset_ms = NOVEMBER;
    store.apply(&[Change::DateEntries { boot: boot("boot-1"), offset_ms }]).unwrap();
    let dated = store.counts(&span(NOVEMBER + 5_000, Some(NOVEMBER + 5_001))).unwrap();
    assert_eq!(dated.sums.made.seconds, 60);
    assert!(store.restore(&boot("boot-1")).unwrap().open_calls.is_empty());
}

#[test]
fn each_ledger_has_a_key_of_its_own() {
    let keys: Vec<_> = (0..2)
        .map(|_| {
            let dir = Dir::new();
            open(&dir.ledger()).restore(&boot("b")).unwrap().party_key
        })
        .collect();
    assert_ne!(keys[0], keys[1]);
}

/// Counts of a span by its rows alone, whatever is counted by month.
fn one_by_one(store: &Store, query: &TotalsQuery) -> VoiceCounts {
    let mut counts = VoiceCounts::default();
    store
        .calls(&query.iccid, query.from, query.until, |call| {
            counts.sums.add_call(&call);
            true
        })
        .unwrap();
    store
        .messages(&query.iccid, query.from, query.until, |sms| {
            counts.add_sms(sms.direction, sms.parts, &sms.zone, sms.party.as_deref());
            true
        })
        .unwrap();
    counts
}

#[test]
fn months_that_are_over_are_counted_and_counted_anew_once_something_in_them_changes() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let day = |day: i64| NOVEMBER + day * 24 * HOUR;
    let party = |id: i64, at: i64| SmsRecord {
        party: Some(format!("{:02}", id % 7)),
        ..sms(id, SmsDirection::Sent, 2, at)
    };
    // From August until the first days of December.
    let mut changes: Vec<Change> = vec![Change::KeepSim(sim(1))];
    changes.extend((0..125).map(|n| Change::KeepCall(call(n + 1, n % 3 == 0, 60, Some(at(day(n - 92)))))));
    changes.extend((0..125).map(|n| Change::KeepSms(party(n + 1, day(n - 92)))));
    store.apply(&changes).unwrap();
    let months = |store: &Store| -> i64 {
        let conn = rusqlite::Connection::open(store.path()).unwrap();
        conn.query_row("SELECT count(*) FROM voice_month", [], |row| row.get(0)).unwrap()
    };
    let holds = |store: &Store| {
        for (from, until) in
            [(0, None), (day(-80), Some(day(31))), (day(-92), Some(day(0))), (day(1), Some(day(2)))]
        {
            let query = span(from, until);
            assert_eq!(store.counts(&query).unwrap(), one_by_one(store, &query));
            let beside = Reader::open(store.path()).unwrap().counts(&query).unwrap();
            assert_eq!(beside, one_by_one(store, &query));
        }
    };
    holds(&store);
    store.roll_up(at(day(33))).unwrap();
    assert_eq!(months(&store), 4);
    holds(&store);
    // One more in October, one of August turns out otherwise, one is dated.
    store.apply(&[Change::KeepCall(call(900, false, 5, Some(at(day(-3)))))]).unwrap();
    assert_eq!(months(&store), 3);
    store.apply(&[Change::KeepSms(SmsRecord { at: None, ..sms(1, SmsDirection::Failed, 2, 0) })]).unwrap();
    assert_eq!(months(&store), 2);
    holds(&store);
    let undated = CallRecord { boot: Some(boot("boot-1")), ..call(901, false, 7, None) };
    store.apply(&[Change::KeepCall(undated)]).unwrap();
    store.apply(&[Change::DateEntries { boot: boot("boot-1"), offset_ms: day(-40) }]).unwrap();
    assert_eq!(months(&store), 0);
    holds(&store);
    store.roll_up(at(day(33))).unwrap();
    assert_eq!(months(&store), 4);
    holds(&store);
    // Counts that cannot be read are passed over.
    let conn = rusqlite::Connection::open(store.path()).unwrap();
    conn.execute("UPDATE voice_month SET calls = x'01', messages = x'02' WHERE month_ms < ?1", [day(-70)])
        .unwrap();
    drop(conn);
    holds(&store);
}
