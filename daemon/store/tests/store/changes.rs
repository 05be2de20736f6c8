//! Every change comes back as it was given, and all of a batch or none.

use simbell_core::action::{Action, ActionRecord, ActionState};
use simbell_core::effect::{Change, ModemRecord, SimRecord};
use simbell_core::ident::{ChannelName, Eid, IfIndex, Imsi, ModemId, OperatorCode, ReminderKey, RuleName};
use simbell_core::ledger::{
    Baseline, Correction, Epoch, EpochId, Figures, Gap, GapReason, Session, Source, UsageSlot, Volume, When,
    Zone,
};
use simbell_core::memory::{Memory, Remembered};
use simbell_core::observation::{Observation, ObservationId, ObservationSource};
use simbell_core::plan::AnchorDay;
use simbell_core::reminder::{Delivery, DeliveryState, Message, Reminder, ReminderState, Repeat, Urgency};
use simbell_core::schedule::{Schedule, TimeOfDay};
use simbell_core::state::restored::{FirstUse, Restored, ScheduleMark, SmsDigest};
use simbell_core::time::Span;
use simbell_store::ErrorKind;

use crate::common::{Dir, HOUR, NOVEMBER, at, boot, ever, iccid, open, sim, slot, sum, usage};

pub fn epoch(id: i64, tail: u32) -> Epoch {
    Epoch {
        id: EpochId(id),
        iccid: iccid(tail),
        zone: Zone::Roaming(Some(OperatorCode::new("26202").unwrap())),
        source: Source::Kernel,
        boot: boot("boot-a"),
        ifindex: Some(IfIndex(7)),
        interface: Some("wwan0".into()),
        apn: Some("internet".into()),
        began: Some(at(NOVEMBER)),
        began_boot_ms: 12_345,
        session: Some(EpochId(3)),
        modem: Some(ModemId::new("350000000000017").unwrap()),
    }
}

pub fn session(id: i64, tail: u32) -> Session {
    Session {
        id: EpochId(id),
        iccid: iccid(tail),
        modem: Some(ModemId::new("350000000000017").unwrap()),
        apn: Some("internet".into()),
        interface: Some("wwan0".into()),
        source: Source::Modem,
        boot: boot("boot-a"),
        began: Some(at(NOVEMBER)),
        began_boot_ms: 12_345,
        ended: None,
        over: false,
        kernel: Some(Figures { grown: Volume { rx: 1_000, tx: 10 }, from_rx: -5, from_tx: 7 }),
        told: Some(Figures { grown: Volume { rx: 900_000, tx: 9 }, from_rx: 0, from_tx: 0 }),
    }
}

pub fn baseline(counter: &str, epoch: i64) -> Baseline {
    Baseline {
        counter: counter.into(),
        boot: boot("boot-a"),
        ifindex: Some(IfIndex(7)),
        interface: Some("wwan0".into()),
        rx_bytes: 1_000_000_000_000,
        tx_bytes: 5,
        connection_start: Some(at(NOVEMBER - 1)),
        iccid: Some(iccid(1)),
        zone: Zone::Roaming(None),
        epoch: Some(EpochId(epoch)),
        read_at: Some(at(NOVEMBER + 2)),
        read_boot_ms: 99,
        modem: Some(ModemId::new("352099001761481").unwrap()),
        apn: Some("internet".into()),
    }
}

pub fn reminder(key: &str, state: ReminderState) -> Reminder {
    Reminder {
        key: ReminderKey::new(key).unwrap(),
        rule: RuleName::new("data").unwrap(),
        sim: Some(iccid(1)),
        state,
        urgency: Urgency::Critical,
        text: "80 % used; \u{202e}hostile \"text\"\nwith '; DROP TABLE usage".to_owned(),
        repeat: Repeat::At(Schedule::Monthly(AnchorDay::Last, TimeOfDay { hour: 7, minute: 0 })),
        channels: vec![ChannelName::new("mail").unwrap()],
        raised_at: at(NOVEMBER + 3),
        next_at: Some(at(NOVEMBER + HOUR)),
        occurrence: 2,
        trigger: "usage".to_owned(),
        late: Some(Span::secs(90)),
    }
}

pub fn delivery(id: &str, state: DeliveryState, created: i64) -> Delivery {
    Delivery {
        id: id.to_owned(),
        reminder: ReminderKey::new("data/a").unwrap(),
        channel: ChannelName::new("mail").unwrap(),
        state,
        attempts: 3,
        created_at: at(created),
        next_at: Some(at(created + 5)),
        last_error: Some("421 busy".to_owned()),
        message: Message {
            title: "t".to_owned(),
            text: "x".to_owned(),
            urgency: Urgency::Info,
            key: "data/a".to_owned(),
            sim_name: None,
            raised_at: at(NOVEMBER),
            id: id.to_owned(),
            language: "en".to_owned(),
        },
    }
}

fn memory() -> Memory {
    let list =
        vec![Remembered::Bool(true), Remembered::Whole(-3), Remembered::Number("1.50".parse().unwrap())];
    let values = [
        ("list", Remembered::List(list)),
        ("text", Remembered::Text("a \"b\"".to_owned())),
        ("size", Remembered::Size("1.5".parse().unwrap())),
        ("share", Remembered::Percent("80".parse().unwrap())),
        ("span", Remembered::Span(1_500)),
        ("date", Remembered::Date("2026-11-01".parse().unwrap())),
        ("time", Remembered::LocalTime("2026-11-01T07:00:00".parse().unwrap())),
    ];
    Memory(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn action(key: &str, when: i64) -> ActionRecord {
    ActionRecord {
        key: key.to_owned(),
        rule: RuleName::new("data").unwrap(),
        sim: iccid(1),
        action: Action::SendSms { to: "80100".to_owned(), text: "BAL".to_owned() },
        state: ActionState::Intended,
        at: at(when),
        trigger: "usage".to_owned(),
        wished: true,
        note: Some("one".to_owned()),
    }
}

fn modem() -> ModemRecord {
    ModemRecord {
        id: ModemId::new("352099001761481").unwrap(),
        name: "Example LTE".to_owned(),
        sim: Some(iccid(1)),
        lost_at: None,
    }
}

#[test]
fn everything_that_the_state_needs_comes_back_as_given() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let empty = store.restore(&boot("boot-a")).unwrap();
    assert_eq!(empty, Restored { party_key: empty.party_key, ..Restored::empty() });

    let full_sim = SimRecord {
        imsi: Some(Imsi::new("262011234567890").unwrap()),
        eid: Some(Eid::new("89049032000000000000000000000001").unwrap()),
        last_seen: at(NOVEMBER + 9),
        ..sim(1)
    };
    let bare_baseline = Baseline {
        counter: "bearer:m:1".into(),
        ifindex: None,
        interface: None,
        connection_start: None,
        iccid: None,
        zone: Zone::Unknown,
        epoch: None,
        read_at: None,
        modem: None,
        apn: None,
        ..baseline("", 0)
    };
    let states = [
        ReminderState::Pending,
        ReminderState::Firing,
        ReminderState::Acknowledged { at: at(NOVEMBER) },
        ReminderState::Snoozed { until: at(NOVEMBER + HOUR) },
        ReminderState::Resolved { at: at(NOVEMBER) },
    ];
    let reminders: Vec<Reminder> =
        states.iter().enumerate().map(|(n, state)| reminder(&format!("data/{n}"), state.clone())).collect();
    let plain = Reminder {
        key: ReminderKey::new("data/9").unwrap(),
        sim: None,
        repeat: Repeat::Every(Span::secs(60)),
        next_at: None,
        late: None,
        ..reminder("x", ReminderState::Firing)
    };
    let mut changes = vec![
        Change::KeepSim(sim(1)),
        Change::KeepSim(full_sim.clone()),
        Change::OpenEpoch(epoch(3, 1)),
        Change::OpenEpoch(epoch(4, 1)),
        Change::KeepSession(Box::new(Session { over: true, ..session(3, 1) })),
        Change::KeepSession(Box::new(Session { kernel: None, ..session(4, 1) })),
        Change::KeepSession(Box::new(session(4, 1))),
        Change::SetBaseline(Baseline { rx_bytes: 1, ..baseline("link:7", 3) }),
        Change::SetBaseline(baseline("link:7", 4)),
        Change::SetBaseline(baseline("link:8", 3)),
        Change::SetBaseline(bare_baseline.clone()),
        Change::DropBaseline { counter: "link:8".into() },
        Change::KeepReminder(plain.clone()),
        Change::KeepDelivery(delivery("q", DeliveryState::Queued, NOVEMBER)),
        Change::KeepDelivery(delivery("s", DeliveryState::Sending, NOVEMBER)),
        Change::KeepDelivery(delivery("d", DeliveryState::Delivered, NOVEMBER)),
        Change::KeepDelivery(delivery("f", DeliveryState::Failed, NOVEMBER)),
        Change::KeepDelivery(delivery("u", DeliveryState::Suppressed, NOVEMBER)),
        Change::KeepSmsDigest { digest: "d1".to_owned(), at: at(NOVEMBER) },
        Change::KeepScheduleMark { key: "daily#0".to_owned(), served: at(1) },
        Change::KeepScheduleMark { key: "daily#0".to_owned(), served: at(NOVEMBER + 4) },
        Change::KeepFirstUse { iccid: iccid(1), plan: "30 days".to_owned(), at: at(NOVEMBER + 5) },
        Change::KeepMemory { rule: RuleName::new("gone").unwrap(), memory: memory() },
        Change::KeepMemory { rule: RuleName::new("gone").unwrap(), memory: Memory::default() },
        Change::KeepMemory { rule: RuleName::new("data").unwrap(), memory: memory() },
        Change::KeepAction(ActionRecord { state: ActionState::Done, wished: false, ..action("data/old", 0) }),
        Change::KeepAction(action("data/a", NOVEMBER)),
        Change::KeepAction(ActionRecord { state: ActionState::Refused, ..action("data/b", NOVEMBER) }),
        Change::KeepModem(ModemRecord { lost_at: Some(at(NOVEMBER)), ..modem() }),
        Change::KeepModem(modem()),
        Change::AddUsage(UsageSlot {
            when: When::Undated { boot: boot("boot-a"), boot_hour_ms: 0 },
            ..slot(1, 4, 0, 1, 1)
        }),
        Change::AddUsage(UsageSlot {
            when: When::Undated { boot: boot("boot-0"), boot_hour_ms: 0 },
            ..slot(1, 4, 0, 1, 1)
        }),
    ];
    changes.extend(reminders.iter().cloned().map(Change::KeepReminder));
    store.apply(&changes).unwrap();
    drop(store);

    let store = open(&dir.ledger());
    let mut all_reminders = reminders;
    all_reminders.push(plain);
    let expected = Restored {
        sims: vec![full_sim],
        baselines: vec![bare_baseline, baseline("link:7", 4)],
        epochs: vec![epoch(4, 1)],
        sessions: vec![session(4, 1)],
        ended: Vec::new(),
        next_epoch: EpochId(5),
        observations: Vec::new(),
        next_observation: ObservationId(1),
        open_calls: Vec::new(),
        next_call: simbell_core::voice::CallId(1),
        next_sms: simbell_core::voice::SmsId(1),
        counted_sms: Vec::new(),
        party_key: simbell_core::party::PartyKey::default(),
        memories: vec![(RuleName::new("data").unwrap(), memory())],
        actions: vec![
            action("data/a", NOVEMBER),
            ActionRecord { state: ActionState::Refused, ..action("data/b", NOVEMBER) },
        ],
        plugin_decisions: Vec::new(),
        modems: vec![modem()],
        newest: Some(at(NOVEMBER + 9)),
        undated_boots: vec![boot("boot-a"), boot("boot-0")],
        reminders: all_reminders,
        deliveries: vec![
            delivery("d", DeliveryState::Delivered, NOVEMBER),
            delivery("f", DeliveryState::Failed, NOVEMBER),
            delivery("q", DeliveryState::Queued, NOVEMBER),
            delivery("s", DeliveryState::Sending, NOVEMBER),
            delivery("u", DeliveryState::Suppressed, NOVEMBER),
        ],
        schedule_marks: vec![ScheduleMark { key: "daily#0".to_owned(), served: at(NOVEMBER + 4) }],
        sms_digests: vec![SmsDigest { digest: "d1".to_owned(), at: at(NOVEMBER) }],
        first_uses: vec![FirstUse { iccid: iccid(1), plan: "30 days".to_owned(), at: at(NOVEMBER + 5) }],
    };
    let restored = store.restore(&boot("boot-a")).unwrap();
    // The key of its digests is each ledger's own.
    let expected = Restored { party_key: restored.party_key, ..expected };
    assert_eq!(restored, expected);
    assert_eq!(store.restore(&boot("boot-0")).unwrap().undated_boots, vec![boot("boot-0"), boot("boot-a")]);
}

#[test]
fn append_only_entries_are_listed_as_given() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let gap = Gap {
        iccid: Some(iccid(1)),
        from: Some(at(NOVEMBER)),
        until: None,
        reason: GapReason::InterfaceVanished,
        detail: "wwan0".to_owned(),
    };
    let unknown =
        Gap { iccid: None, from: None, until: Some(at(5)), reason: GapReason::Rebooted, ..gap.clone() };
    let correction = Correction {
        iccid: iccid(1),
        at: at(NOVEMBER),
        bytes: -7,
        author: "uid 1000".to_owned(),
        reason: "as the carrier says".to_owned(),
        undoes: None,
    };
    store
        .apply(&[
            Change::AppendGap(gap.clone()),
            Change::AppendGap(unknown.clone()),
            Change::AppendCorrection(correction.clone()),
            Change::KeepDelivery(delivery("old", DeliveryState::Delivered, 1)),
            Change::KeepDelivery(delivery("new", DeliveryState::Queued, 2)),
            Change::KeepReminder(reminder("data/a", ReminderState::Firing)),
            Change::KeepReminder(reminder("data/b", ReminderState::Resolved { at: at(1) })),
        ])
        .unwrap();

    let gaps: Vec<Gap> = store.gaps(Some(&iccid(1)), None, 10).unwrap().into_iter().map(|g| g.gap).collect();
    assert_eq!(gaps, vec![unknown.clone(), gap.clone()]);
    let first = store.gaps(None, None, 1).unwrap();
    assert_eq!(first[0].gap, unknown);
    assert_eq!(store.gaps(None, Some(first[0].id), 10).unwrap()[0].gap, gap);
    let others: Vec<Gap> =
        store.gaps(Some(&iccid(2)), None, 10).unwrap().into_iter().map(|g| g.gap).collect();
    assert_eq!(others, vec![unknown]);
    assert_eq!(store.corrections(Some(&iccid(1)), None, 10).unwrap()[0].correction, correction);
    assert!(store.corrections(Some(&iccid(2)), None, 10).unwrap().is_empty());
    let key = ReminderKey::new("data/a").unwrap();
    let ids: Vec<String> = store.deliveries(&key, 10).unwrap().into_iter().map(|d| d.id).collect();
    assert_eq!(ids, ["new", "old"]);
    assert_eq!(store.reminder(&key).unwrap(), Some(reminder("data/a", ReminderState::Firing)));
    assert_eq!(store.reminders(false, None, 10).unwrap().len(), 1);
    let page = store.reminders(true, Some(&key), 10).unwrap();
    assert_eq!(page, vec![reminder("data/b", ReminderState::Resolved { at: at(1) })]);
}

#[test]
fn the_change_that_can_never_be_made_is_named_and_the_others_can() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let observed = Change::AppendObservation(Observation {
        id: ObservationId(7),
        iccid: iccid(1),
        at: at(NOVEMBER),
        cycle_start: at(NOVEMBER),
        bytes: 7,
        billed: 7,
        corrections: 0,
        terms: String::new(),
        source: ObservationSource::User,
        author: String::new(),
        note: String::new(),
        withdraws: None,
    });
    store.apply(&[Change::KeepSim(sim(1)), observed.clone()]).unwrap();
    let mut changes = vec![usage(1, 1, NOVEMBER, 1, 2), observed, usage(1, 1, NOVEMBER, 3, 4)];
    let error = store.apply(&changes).unwrap_err();
    assert_eq!((error.kind(), error.impossible()), (ErrorKind::Internal, Some(1)), "{error}");
    changes.remove(1);
    store.apply(&changes).unwrap();
    assert_eq!(sum(&store.totals(&ever(1)).unwrap()), (4, 6));
    // What may be another time stays: here a table is gone.
    rusqlite::Connection::open(dir.ledger()).unwrap().execute("DROP TABLE gap", []).unwrap();
    let gap = Change::AppendGap(Gap {
        iccid: None,
        from: None,
        until: None,
        reason: GapReason::Rebooted,
        detail: String::new(),
    });
    assert_eq!(store.apply(&[gap]).unwrap_err().impossible(), None);
}

#[test]
fn a_batch_with_one_bad_change_leaves_nothing_behind() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    store.apply(&[usage(1, 1, NOVEMBER, 10, 20)]).unwrap();
    let before = store.restore(&boot("b")).unwrap();
    let most = u64::MAX >> 1;

    for bad in [usage(1, 1, NOVEMBER, most - 9, 0), usage(1, 1, NOVEMBER, 0, most + 1)] {
        let error = store
            .apply(&[
                Change::KeepSim(sim(1)),
                Change::SetBaseline(baseline("link:1", 1)),
                usage(1, 1, NOVEMBER, 1, 1),
                bad,
            ])
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Overflow);
        assert!(error.to_string().contains("change 3 (add-usage)"), "{error}");
        assert_eq!(store.restore(&boot("b")).unwrap(), before);
        assert_eq!(sum(&store.totals(&ever(1)).unwrap()), (10, 20));
    }
    store.apply(&[usage(1, 1, NOVEMBER, most - 10, 0)]).unwrap();
    assert_eq!(sum(&store.totals(&ever(1)).unwrap()), (most, 20));
    // Each slot fits, their sum does not.
    store.apply(&[usage(1, 1, NOVEMBER + HOUR, 1, 0)]).unwrap();
    assert_eq!(store.totals(&ever(1)).unwrap_err().kind(), ErrorKind::Overflow);
}

#[test]
fn undated_entries_count_once_dated_at_the_first_instant_they_cover() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let undated = |start: u64, first, rx| {
        Change::AddUsage(UsageSlot {
            when: When::Undated { boot: boot("b"), boot_hour_ms: start },
            from: first,
            until: first + 10,
            ..slot(1, 1, 0, rx, 0)
        })
    };
    store
        .apply(&[
            Change::OpenEpoch(Epoch { began: None, began_boot_ms: 500, boot: boot("b"), ..epoch(1, 1) }),
            undated(0, 2_000, 1),
            undated(0, 1_000, 2),
            undated(3_600_000, 3_600_000, 4),
            usage(1, 1, NOVEMBER + 1_000, 100, 0),
        ])
        .unwrap();
    let totals = store.totals(&ever(1)).unwrap();
    assert_eq!((sum(&totals), totals.undated), ((100, 0), Volume { rx: 7, tx: 0 }));
    assert_eq!(store.restore(&boot("b")).unwrap().undated_boots, vec![boot("b")]);

    store.apply(&[Change::DateEntries { boot: boot("other"), offset_ms: 1 }]).unwrap();
    assert_eq!(store.totals(&ever(1)).unwrap().undated.rx, 7);
    store.apply(&[Change::DateEntries { boot: boot("b"), offset_ms: NOVEMBER }]).unwrap();
    let totals = store.totals(&ever(1)).unwrap();
    assert_eq!((sum(&totals), totals.undated), ((107, 0), Volume::default()));
    assert_eq!(totals.first_at, Some(at(NOVEMBER + 1_000)));
    // The first slot began at 1,000 after boot and joined the dated one that starts there.
    let query = |from: i64, until: i64| simbell_core::effect::TotalsQuery {
        iccid: iccid(1),
        from: at(from),
        until: Some(at(until)),
    };
    assert_eq!(sum(&store.totals(&query(NOVEMBER + 1_000, NOVEMBER + 1_001)).unwrap()), (103, 0));
    assert_eq!(sum(&store.totals(&query(NOVEMBER + HOUR, NOVEMBER + HOUR + 1)).unwrap()), (4, 0));
    assert!(store.restore(&boot("b")).unwrap().undated_boots.is_empty());
}

#[test]
fn usage_of_boots_whose_clock_was_never_trusted_is_dated_as_late_as_it_can_be() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let undated = |name: &str, id, first: i64, last: i64, rx| {
        Change::AddUsage(UsageSlot {
            when: When::Undated { boot: boot(name), boot_hour_ms: 0 },
            from: first,
            until: last,
            ..slot(1, id, 0, rx, 0)
        })
    };
    let began =
        |name: &str, id| Epoch { began: None, began_boot_ms: 1_000, boot: boot(name), ..epoch(id, 1) };
    store
        .apply(&[
            Change::OpenEpoch(began("z-first", 1)),
            Change::OpenEpoch(began("a-second", 2)),
            Change::OpenEpoch(began("now", 3)),
            undated("z-first", 1, 1_000, 60_000, 1),
            undated("a-second", 2, 1_000, 30_000, 10),
            undated("now", 3, 1_000, 2_000, 100),
            Change::KeepSession(Box::new(Session {
                began: None,
                began_boot_ms: 1_000,
                boot: boot("a-second"),
                ..session(2, 1)
            })),
        ])
        .unwrap();
    let before = at(NOVEMBER + HOUR);
    let date = |after| Change::DateEarlierBoots { boot: boot("now"), before, after };
    store.apply(&[date(Some(at(NOVEMBER + HOUR - 70_000)))]).unwrap();
    let conn = rusqlite::Connection::open(dir.ledger()).unwrap();
    let mut rows = conn
        .prepare(
            "SELECT u.rx_bytes, u.start_ms - ?1, u.last_ms - ?1, e.about, e.began_ms - ?1 FROM usage AS u
                  JOIN epoch AS e ON e.id = u.epoch ORDER BY u.epoch",
        )
        .unwrap();
    let rows: Vec<[i64; 5]> = rows
        .query_map([NOVEMBER + HOUR], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    // The second ended as this boot began, the first as the second began, and nothing before what was known before.
    assert_eq!(rows, [[1, -70_000, -30_000, 1, -70_000], [10, -29_000, 0, 1, -29_000]]);
    assert_eq!(store.restore(&boot("now")).unwrap().undated_boots, [boot("now")], "this boot's waits");
    let found = store.sessions(&iccid(1), at(NOVEMBER), at(NOVEMBER + HOUR)).unwrap();
    assert_eq!(found.iter().map(|s| s.began).collect::<Vec<_>>(), [Some(at(NOVEMBER + HOUR - 29_000))]);
    // Kept again by who does not know the date, while it lasts and at its end, the session stays dated.
    for over in [false, true] {
        let kept = Session {
            began: None,
            boot: boot("a-second"),
            over,
            told: Some(Figures { grown: Volume { rx: 5, tx: 6 }, from_rx: 0, from_tx: 0 }),
            ..found[0].clone()
        };
        store.apply(&[Change::KeepSession(Box::new(kept.clone()))]).unwrap();
        let again = store.sessions(&iccid(1), at(NOVEMBER), at(NOVEMBER + HOUR)).unwrap();
        assert_eq!(again, [Session { began: found[0].began, ..kept }]);
    }
}

#[test]
fn sessions_are_found_by_the_span_they_touch() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let over = |id, from, until| {
        let ended = Some(at(NOVEMBER + until));
        Change::KeepSession(Box::new(Session {
            began: Some(at(NOVEMBER + from)),
            ended,
            over: true,
            ..session(id, 1)
        }))
    };
    store
        .apply(&[
            over(1, 0, 10),
            over(2, 20, 30),
            Change::KeepSession(Box::new(Session { began: Some(at(NOVEMBER + 25)), ..session(3, 1) })),
            Change::KeepSession(Box::new(Session { began: None, ..session(4, 1) })),
            Change::KeepSession(Box::new(session(5, 2))),
        ])
        .unwrap();
    let ids = |from, until| -> Vec<i64> {
        let found = store.sessions(&iccid(1), at(NOVEMBER + from), at(NOVEMBER + until)).unwrap();
        found.into_iter().map(|session| session.id.0).collect()
    };
    assert_eq!(ids(0, 100), [1, 2, 3, 4]);
    assert_eq!(ids(11, 21), [2, 4]);
    assert_eq!(ids(40, 50), [3, 4], "what lasts, and what has no date yet");
}

#[test]
fn after_memory_was_given_back_all_goes_on() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    store.apply(&[Change::KeepSim(sim(1)), Change::OpenEpoch(epoch(1, 1))]).unwrap();
    for round in 1..=3 {
        store.apply(&[usage(1, 1, NOVEMBER, 10, 1)]).unwrap();
        assert_eq!(sum(&store.totals(&ever(1)).unwrap()), (round * 10, round));
        store.give_back().unwrap();
        assert_eq!(sum(&store.totals(&ever(1)).unwrap()), (round * 10, round));
    }
}
