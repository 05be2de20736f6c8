//! Reminders, schedules and the outbox, step by step.

mod billed;
mod clock_steps;
mod ledger;
mod moments;
mod plugins;
mod power;
mod random;
mod reading;
mod scenarios;
mod thresholds;
mod totals;
mod voice;
mod wishes;

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::*;
use crate::bytes::Bytes;
use crate::counter::{LinkCounters, LinkReading};
use crate::effect::Evaluation;
use crate::event::{DeliveryOutcome, RuleResult};
use crate::ident::{ChannelName, IfIndex, PlanName, SimName};
use crate::modem::{BearerView, EsimStatus, ModemState, Registration, SimKind, SimView};
use crate::number::OwnNumbers;
use crate::plan::{AnchorDay, Counts, Period, Plan};
use crate::reminder::{DeliveryState, Finding, ReminderState, Repeat, Urgency};
use crate::schedule::{QuietHours, Schedule, TimeOfDay};
use crate::settings::{ChannelSettings, SimSettings};
use crate::time::Span;
use crate::view::Trigger;
use crate::watch::Watch;

const SIM: &str = "8900100000000000017";

fn iccid() -> Iccid {
    Iccid::new(SIM).unwrap()
}

fn channel(name: &str, kind: &str, cap: Option<u32>) -> ChannelSettings {
    ChannelSettings {
        name: ChannelName::new(name).unwrap(),
        kind: kind.to_owned(),
        daily_cap: cap,
        while_roaming: false,
        deadline: Span::secs(86_400),
    }
}

pub(super) fn settings() -> Settings {
    let plan = Plan {
        name: PlanName::new("home").unwrap(),
        data: Some(Bytes(1_000_000)),
        period: Period::Monthly(AnchorDay::Day(1)),
        counts: Counts::Both,
        roaming_counts: true,
        increment: None,
        free_hours: Vec::new(),
        calibrate: false,
    };
    let sim = SimSettings {
        name: Some(SimName::new("home").unwrap()),
        plan: Some(plan),
        zone: ZoneRules::utc(),
        source: crate::settings::SourceChoice::Auto,
        uncounted_apns: Vec::new(),
        numbers: OwnNumbers::default(),
    };
    Settings {
        zone: ZoneRules::utc(),
        language: "en".to_owned(),
        sims: BTreeMap::from([(iccid(), sim)]),
        sample_every: Span::secs(20),
        line_rate: 125_000_000,
        max_unsaved_bytes: Some(10_000_000),
        max_unsaved_time: Span::secs(300),
        default_channels: vec![ChannelName::new("mail").unwrap()],
        channels: vec![channel("mail", "email", None), channel("sms", "sms", Some(2))],
        quiet: None,
        suspend_after: 3,
        actions_a_day: 10,
        ppp_interface: None,
    }
}

fn rule(name: &str, trigger: &str, schedules: Vec<Schedule>) -> RuleDescription {
    RuleDescription {
        name: RuleName::new(name).unwrap(),
        file: format!("{name}.rhai"),
        plugin: false,
        summary: String::new(),
        triggers: vec![trigger.to_owned()],
        schedules,
        problem: None,
        suspended: false,
        may: Vec::new(),
        outdated: None,
        version: String::new(),
        channels: Vec::new(),
    }
}

/// 2026-11-10T00:00:00Z.
const DAY: i64 = 1_794_268_800;

/// A state, and a clock that the test turns.
struct Bench {
    state: State,
    secs: i64,
    trusted: bool,
}

impl Bench {
    fn new(settings: Settings, rules: &[RuleDescription]) -> Self {
        let state = State::restored(settings, Restored::empty());
        let mut bench = Self { state, secs: DAY + 12 * 3600 - 120, trusted: true };
        bench.feed(&Event::Started { boot: BootId::new("boot-1").unwrap(), links: Vec::new() });
        bench.feed(&Event::RulesLoaded(rules.to_vec()));
        // Past the beginning, in which nothing is held to be over.
        bench.secs += 120;
        bench
    }

    fn at(&self) -> Stamp {
        Stamp {
            wall: Timestamp::from_secs(self.secs),
            boot_ms: u64::try_from((self.secs - DAY) * 1000).unwrap(),
            trusted: self.trusted,
        }
    }

    /// One step; totals that are asked for are answered with nothing in the ledger.
    fn feed(&mut self, event: &Event) -> Effects {
        let at = self.at();
        let mut fx = self.state.step(at, event);
        for query in std::mem::take(&mut fx.load_totals) {
            let loaded = Event::TotalsLoaded {
                query,
                by_zone: Vec::new(),
                units: Vec::new(),
                corrections: 0,
                first_at: None,
            };
            let more = self.state.step(at, &loaded);
            fx.evaluate.extend(more.evaluate);
            fx.deliver.extend(more.deliver);
        }
        fx
    }

    fn after(&mut self, secs: i64) -> Effects {
        self.secs += secs;
        self.feed(&Event::WakeReached)
    }

    fn evaluated(&mut self, rule: &str, trigger: Trigger, findings: Vec<Finding>) -> Effects {
        let result = RuleResult { findings, ..RuleResult::nothing(RuleName::new(rule).unwrap(), trigger) };
        self.feed(&Event::RulesEvaluated(vec![result]))
    }

    fn only_reminder(&self) -> &Reminder {
        let mut all = self.state.reminders();
        let first = all.next().expect("one reminder");
        assert!(all.next().is_none(), "only one reminder");
        first
    }
}

fn finding(key: &str) -> Finding {
    Finding {
        key: key.to_owned(),
        sim: Some(iccid()),
        text: "80 % used".to_owned(),
        urgency: Urgency::Warning,
        repeat: Repeat::Once,
        channels: None,
    }
}

fn usage() -> Trigger {
    Trigger::Usage { sim: iccid() }
}

fn said(fx: &Effects) -> usize {
    fx.notices.iter().filter(|n| matches!(n, Notice::ReminderSaid { .. })).count()
}

#[test]
fn while_a_rule_keeps_raising_it_is_one_reminder_said_once() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    let first = bench.evaluated("r", usage(), vec![finding("eighty")]);
    assert_eq!((said(&first), first.deliver.len()), (1, 1));
    for _ in 0..3 {
        bench.secs += 60;
        let again = bench.evaluated("r", usage(), vec![finding("eighty")]);
        assert_eq!((said(&again), again.deliver.len()), (0, 0));
    }
    assert_eq!(bench.only_reminder().occurrence, 1);
    assert_eq!(bench.only_reminder().key.as_str(), "r/eighty/0017");
}

#[test]
fn what_is_no_longer_raised_is_resolved_and_may_ring_anew() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    bench.evaluated("r", usage(), vec![finding("eighty")]);
    // Another kind of trigger says nothing about what usage raised.
    bench.evaluated("r", Trigger::Roaming { sim: iccid() }, vec![]);
    assert_eq!(bench.only_reminder().state, ReminderState::Firing);
    bench.evaluated("r", usage(), vec![]);
    assert!(matches!(bench.only_reminder().state, ReminderState::Resolved { .. }));
    bench.secs += 60;
    assert_eq!(said(&bench.evaluated("r", usage(), vec![finding("eighty")])), 1);
}

#[test]
fn rules_whose_names_begin_alike_end_what_is_their_own_alone() {
    let names = ["q", "r", "r-2", "r.x", "r0", "rr"];
    let mut bench = Bench::new(settings(), &names.map(|name| rule(name, "usage", vec![])));
    for name in names {
        bench.evaluated(name, usage(), vec![finding("eighty"), finding("ninety")]);
    }
    bench.evaluated("r", usage(), vec![finding("ninety")]);
    let over = |r: &&Reminder| matches!(r.state, ReminderState::Resolved { .. });
    let keys: Vec<&str> = bench.state.reminders().filter(over).map(|r| r.key.as_str()).collect();
    assert_eq!(keys, ["r/eighty/0017"]);
}

#[test]
fn that_a_sim_came_into_use_is_over_with_the_next_change() {
    let travel = Iccid::new("8900100000000000025").unwrap();
    let mut bench =
        Bench::new(settings(), &[rule("r", "sim-change", vec![]), rule("s", "sim-change", vec![])]);
    let changed =
        |sim: &Iccid, before: &Iccid| Trigger::SimChanged { sim: sim.clone(), before: before.clone() };
    let about = |sim: &Iccid| Finding { sim: Some(sim.clone()), ..finding("changed") };
    for name in ["r", "s"] {
        bench.evaluated(name, changed(&travel, &iccid()), vec![about(&travel)]);
    }
    bench.evaluated("r", changed(&iccid(), &travel), vec![about(&iccid())]);
    let firing = |r: &&Reminder| r.state == ReminderState::Firing;
    let keys: Vec<&str> = bench.state.reminders().filter(firing).map(|r| r.key.as_str()).collect();
    assert_eq!(keys, ["r/changed/0017", "s/changed/0025"], "of another rule nothing is known");
}

#[test]
fn it_repeats_until_acknowledged() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    let repeating = Finding { repeat: Repeat::Every(Span::secs(3600)), ..finding("eighty") };
    bench.evaluated("r", usage(), vec![repeating]);
    assert_eq!(said(&bench.after(3599)), 0);
    let again = bench.after(1);
    assert_eq!((said(&again), bench.only_reminder().occurrence), (1, 2));
    let key = bench.only_reminder().key.clone();
    bench.feed(&Event::ReminderAcknowledged(key));
    assert_eq!(said(&bench.after(7200)), 0);
    assert!(matches!(bench.only_reminder().state, ReminderState::Acknowledged { .. }));
}

#[test]
fn snoozed_is_said_again_when_the_time_is_over() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    bench.evaluated("r", usage(), vec![finding("eighty")]);
    let key = bench.only_reminder().key.clone();
    bench.feed(&Event::ReminderSnoozed { key, span: Span::secs(600) });
    assert_eq!(said(&bench.after(599)), 0);
    assert_eq!(said(&bench.after(1)), 1);
}

#[test]
fn quiet_hours_hold_back_all_but_the_critical() {
    let mut quiet = settings();
    let time = |hour| TimeOfDay::new(hour, 0).unwrap();
    quiet.quiet = Some(QuietHours { from: time(11), until: time(14) });
    let mut bench = Bench::new(quiet, &[rule("r", "usage", vec![])]);
    let critical = Finding { urgency: Urgency::Critical, ..finding("all") };
    let fx = bench.evaluated("r", usage(), vec![finding("eighty"), critical]);
    assert_eq!(said(&fx), 1, "the critical one");
    assert_eq!(said(&bench.after(2 * 3600 - 1)), 0);
    assert_eq!(said(&bench.after(1)), 1, "the other at 14:00");
}

#[test]
fn a_missed_schedule_rings_once_and_says_that_it_is_late() {
    let seven = Schedule::Daily(TimeOfDay::new(7, 0).unwrap());
    let mut bench = Bench::new(settings(), &[rule("daily", "schedule", vec![seven])]);
    // Three days asleep: three times missed.
    let woken = bench.after(3 * 86_400 + 3600);
    let [Evaluation { trigger, .. }] = woken.evaluate.as_slice() else {
        panic!("one evaluation, not {:?}", woken.evaluate)
    };
    let Trigger::Schedule { due, .. } = trigger else { panic!("a schedule") };
    assert_eq!(due.as_secs(), DAY + 3 * 86_400 + 7 * 3600, "the newest missed time");
    assert!(bench.after(1).evaluate.is_empty(), "not asked twice while it runs");
    let fx = bench.evaluated("daily", trigger.clone(), vec![finding("summary")]);
    assert!(fx.deliver[0].message.text.contains("late by 6 h"), "{}", fx.deliver[0].message.text);
    let marks = fx.changes.iter().filter(|c| matches!(c, Change::KeepScheduleMark { .. })).count();
    assert_eq!(marks, 1, "served, in the same transaction as what came of it");
    assert!(bench.after(60).evaluate.is_empty());
}

#[test]
fn a_schedule_that_has_come_due_is_a_reason_to_wake_until_it_is_served() {
    let mut bench = Bench::new(settings(), &[rule("often", "schedule", vec![Schedule::Every(60)])]);
    bench.secs -= 120;
    let wake = |bench: &Bench| bench.state.next_wake(bench.at()).map(|wake| wake.after);
    assert_eq!(wake(&bench), Some(Span::secs(60)));
    bench.secs += 60;
    assert_eq!(wake(&bench), Some(Span::ZERO));
    bench.secs += 1;
    assert_eq!(wake(&bench), Some(Span::ZERO), "a moment later too");
    assert_eq!(bench.feed(&Event::WakeReached).evaluate.len(), 1);
    assert_eq!(wake(&bench), Some(Span::secs(59)));
}

#[test]
fn each_time_a_schedule_is_due_it_is_said() {
    let seven = Schedule::Daily(TimeOfDay::new(7, 0).unwrap());
    let mut bench = Bench::new(settings(), &[rule("daily", "schedule", vec![seven])]);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let to_seven = 86_400 - (bench.secs - DAY - 7 * 3600).rem_euclid(86_400);
        let woken = bench.after(to_seven);
        let trigger = woken.evaluate[0].trigger.clone();
        let fx = bench.evaluated("daily", trigger, vec![finding("summary")]);
        assert_eq!(fx.deliver.len(), 1);
        ids.push(fx.deliver[0].id.clone());
        bench.feed(&Event::DeliveryEnded {
            id: ids[ids.len() - 1].clone(),
            outcome: DeliveryOutcome::Delivered,
        });
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each has a dedupe key of its own");
}

#[test]
fn before_the_clock_is_trusted_nothing_is_asked_but_health() {
    let seven = Schedule::Daily(TimeOfDay::new(7, 0).unwrap());
    let rules = [rule("u", "usage", vec![]), rule("s", "schedule", vec![seven]), rule("h", "health", vec![])];
    let state = State::restored(settings(), Restored::empty());
    let mut bench = Bench { state, secs: DAY + 60, trusted: false };
    bench.feed(&Event::Started { boot: BootId::new("boot-1").unwrap(), links: Vec::new() });
    let fx = bench.feed(&Event::RulesLoaded(rules.to_vec()));
    let asked: Vec<&str> = fx.evaluate.iter().map(|e| e.trigger.kind()).collect();
    assert_eq!(asked, ["health"]);
    assert!(bench.after(86_400).evaluate.iter().all(|e| e.trigger.kind() == "health"));
    bench.trusted = true;
    let fx = bench.feed(&Event::ClockChanged);
    assert!(fx.evaluate.iter().any(|e| e.trigger.kind() == "usage"));
    assert!(fx.changes.iter().any(|c| matches!(c, Change::DateEntries { .. })));
}

#[test]
fn a_failed_delivery_is_tried_again_and_then_given_up() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    let fx = bench.evaluated("r", usage(), vec![finding("eighty")]);
    let id = fx.deliver[0].id.clone();
    let failed = DeliveryOutcome::Retry { error: "refused".to_owned(), after: None };
    let mut tries = 0;
    loop {
        bench.feed(&Event::DeliveryEnded { id: id.clone(), outcome: failed.clone() });
        tries += 1;
        let delivery = bench.state.deliveries().find(|d| d.id == id).unwrap();
        let Some(next) = delivery.next_at else {
            assert_eq!(delivery.state, DeliveryState::Failed);
            break;
        };
        let wait = next.as_secs() - bench.secs + 1;
        assert_eq!(bench.after(wait).deliver.len(), 1);
        assert!(tries < 100, "it ends");
    }
    assert!(tries > 10, "it was tried {tries} times within a day");
    assert!(bench.state.warnings().any(|w| w.code == WarningCode::ChannelFailing));
}

#[test]
fn a_short_message_is_capped_and_not_sent_again_after_a_crash() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    let by_sms =
        |key: &str| Finding { channels: Some(vec![ChannelName::new("sms").unwrap()]), ..finding(key) };
    let fx = bench.evaluated("r", usage(), vec![by_sms("a"), by_sms("b"), by_sms("c")]);
    assert_eq!(fx.deliver.len(), 2, "the cap of a day");
    let sending = fx
        .changes
        .iter()
        .filter_map(|c| match c {
            Change::KeepDelivery(d) if d.state == DeliveryState::Sending => Some(d.clone()),
            _ => None,
        })
        .collect::<Vec<_>>();
    assert_eq!(sending.len(), 2, "in the ledger before it leaves");
    let suppressed = bench.state.deliveries().find(|d| d.state == DeliveryState::Suppressed).unwrap();
    assert!(suppressed.last_error.as_deref().unwrap().contains("cap of 2"));

    let restored = Restored { deliveries: sending, ..Restored::empty() };
    let mut after =
        Bench { state: State::restored(settings(), restored), secs: bench.secs + 5, trusted: true };
    let fx = after.feed(&Event::Started { boot: BootId::new("boot-1").unwrap(), links: Vec::new() });
    assert!(fx.deliver.is_empty());
    assert!(after.state.deliveries().all(|d| d.state == DeliveryState::Failed));
}

#[test]
fn a_reminder_by_a_channel_that_is_not_there_goes_another_way() {
    let name = |name: &str| ChannelName::new(name).unwrap();
    let by = |key: &str, names: &[&str]| Finding {
        channels: Some(names.iter().map(|one| name(one)).collect()),
        ..finding(key)
    };
    let went = |fx: &Effects| -> Vec<String> {
        fx.deliver.iter().map(|delivery| delivery.channel.as_str().to_owned()).collect()
    };
    let told = |bench: &Bench| -> Vec<String> {
        let all = bench.state.warnings().filter(|one| one.code == WarningCode::ChannelUnknown);
        all.map(|one| format!("{}: {}", one.subject, one.text)).collect()
    };
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    assert_eq!(went(&bench.evaluated("r", usage(), vec![by("a", &["mali"])])), ["mail"], "as without a name");
    assert!(bench.state.deliveries().all(|delivery| delivery.state != DeliveryState::Failed));
    let said = told(&bench);
    assert!(
        said.len() == 1 && said[0].starts_with("r: The rule r reminds by \"mali\" (did you mean \"mail\"?)"),
        "{said:?}"
    );

    // Where one of them is there, that one alone.
    assert_eq!(went(&bench.evaluated("r", usage(), vec![by("b", &["nochan", "sms"])])), ["sms"]);
    assert!(told(&bench)[0].contains("\"mali\" (did you mean \"mail\"?), \"nochan\","), "{:?}", told(&bench));

    // A channel that a reload takes away or brings: what is said again goes the way that is there then.
    let mut more = settings();
    more.channels.push(channel("mali", "email", None));
    more.channels.push(channel("nochan", "email", None));
    bench.feed(&Event::SettingsLoaded(Box::new(more)));
    assert_eq!(told(&bench), Vec::<String>::new());
    bench.feed(&Event::SettingsLoaded(Box::new(settings())));
    assert_eq!(told(&bench).len(), 1);

    // What a rule's text names is told before the rule has anything to say, and is over with the rule's mending.
    let text = |names: &[&str], version: &str| RuleDescription {
        channels: names.iter().map(|one| name(one)).collect(),
        version: version.to_owned(),
        ..rule("r", "usage", vec![])
    };
    let mut bench = Bench::new(settings(), &[text(&["nochan", "mail"], "1")]);
    assert!(
        told(&bench)[0].contains("reminds by \"nochan\", and")
            && told(&bench)[0].contains("there are: mail, sms")
    );
    bench.feed(&Event::RulesLoaded(vec![text(&["mail"], "2")]));
    assert_eq!(told(&bench), Vec::<String>::new());
}

#[test]
fn any_other_message_is_delivered_after_a_crash() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    let fx = bench.evaluated("r", usage(), vec![finding("eighty")]);
    let restored = Restored { deliveries: fx.deliver.clone(), ..Restored::empty() };
    let mut after =
        Bench { state: State::restored(settings(), restored), secs: bench.secs + 5, trusted: true };
    let again = after.feed(&Event::Started { boot: BootId::new("boot-1").unwrap(), links: Vec::new() });
    assert_eq!(again.deliver[0].id, fx.deliver[0].id, "under the same dedupe key");
}

#[test]
fn a_rule_with_an_error_is_disabled_alone() {
    let mut bench = Bench::new(settings(), &[rule("bad", "usage", vec![]), rule("good", "usage", vec![])]);
    let error = Some("bad.rhai:3:1: unknown".to_owned());
    let result = RuleResult { error, ..RuleResult::nothing(RuleName::new("bad").unwrap(), usage()) };
    let two = vec![result.clone(), result.clone()];
    bench.feed(&Event::RulesEvaluated(two));
    bench.feed(&Event::RulesEvaluated(vec![result.clone()]));
    let is = |bench: &Bench, code| bench.state.warnings().any(|w| w.code == code && w.subject == "bad");
    assert!(is(&bench, WarningCode::RuleFailing) && !is(&bench, WarningCode::RuleDisabled));
    bench.feed(&Event::RulesEvaluated(vec![result]));
    assert!(!is(&bench, WarningCode::RuleFailing));
    assert!(bench.state.warnings().any(|w| w.code == WarningCode::RuleDisabled && w.subject == "bad"));
    bench.feed(&Event::UsageCorrected(crate::ledger::Correction {
        iccid: iccid(),
        at: Timestamp::from_secs(bench.secs),
        bytes: 900_000,
        author: "uid 0".to_owned(),
        reason: String::new(),
        undoes: None,
    }));
    let at = bench.at();
    let input = bench.state.facts(&iccid()).unwrap();
    assert_eq!(input.used_bytes, 900_000);
    assert_eq!(at.wall.as_secs(), bench.secs);
}

/// Of a ledger that holds such corrections already: nothing but a warning would show it.
#[test]
fn corrections_that_take_more_than_was_counted_are_warned_of_until_they_do_not() {
    let mut bench = Bench::new(settings(), &[]);
    let mut correct = |bytes| {
        bench.feed(&Event::UsageCorrected(crate::ledger::Correction {
            iccid: iccid(),
            at: Timestamp::from_secs(bench.secs),
            bytes,
            author: "uid 0".to_owned(),
            reason: String::new(),
            undoes: None,
        }));
        let warned =
            bench.state.warnings().find(|w| w.code == WarningCode::Overdrawn).map(|w| w.text.clone());
        (bench.state.overdrawn(&iccid()), warned)
    };
    assert_eq!(correct(900), (None, None));
    let (missing, text) = correct(-2_000_000_900);
    assert_eq!(missing, Some(2_000_000_000));
    assert!(text.unwrap().contains("-2.00 GB together"));
    assert_eq!(correct(2_000_000_000), (None, None));
}

fn modem(registration: Registration, connected: bool) -> ModemView {
    ModemView {
        id: ModemId::new("350000000000017").unwrap(),
        path: "/org/freedesktop/ModemManager1/Modem/0".to_owned(),
        device: "/sys/x".to_owned(),
        manufacturer: "a".to_owned(),
        model: "b".to_owned(),
        state: if connected { ModemState::Connected } else { ModemState::Registered },
        failed_reason: None,
        unlock_required: None,
        own_numbers: Vec::new(),
        sim: Some(SimView {
            iccid: Some(iccid()),
            imsi: None,
            eid: None,
            operator_code: None,
            operator_name: Some("Home".to_owned()),
            kind: SimKind::Unknown,
            esim: EsimStatus::Unknown,
            active: true,
        }),
        slots: Vec::new(),
        primary_slot: None,
        registration,
        operator_code: None,
        operator_name: None,
        access: Vec::new(),
        signal_percent: None,
        bearers: vec![BearerView {
            path: "/bearer/0".to_owned(),
            connected,
            interface: Some("wwan0".into()),
            ppp: false,
            apn: None,
            stats: None,
            stats_supported: false,
            connection_error: None,
        }],
        net_ports: vec!["wwan0".to_owned()],
    }
}

fn link(rx: u64) -> LinkReading {
    LinkReading {
        ifindex: IfIndex(7),
        name: "wwan0".into(),
        ethernet: false,
        ppp: false,
        counters: LinkCounters { rx_bytes: rx, rx_packets: 1, tx_bytes: 0, tx_packets: 0 },
    }
}

#[test]
fn growth_while_connected_counts_and_rules_are_asked_when_it_matters() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    bench.feed(&Event::LinkAppeared(link(5_000)));
    bench.feed(&Event::LinksRead(vec![link(5_000)]));
    bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Home, true))));
    let small = bench.feed(&Event::LinksRead(vec![link(5_100)]));
    assert!(small.evaluate.is_empty(), "less than a thousandth of the allowance");
    let fx = bench.feed(&Event::LinksRead(vec![link(805_000)]));
    assert_eq!(fx.evaluate.len(), 1);
    assert_eq!(bench.state.facts(&iccid()).unwrap().used_bytes, 800_000, "not what passed before");
    assert!(bench.state.next_read(bench.at(), false).is_some());
    bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Home, false))));
    assert!(bench.state.next_read(bench.at(), false).is_none(), "nothing connected, nothing to read");
}

#[test]
fn roaming_asks_the_rules_and_opens_a_zone_of_its_own() {
    let mut bench = Bench::new(settings(), &[rule("r", "roaming", vec![])]);
    bench.feed(&Event::LinkAppeared(link(0)));
    bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Home, true))));
    bench.feed(&Event::LinksRead(vec![link(1_000)]));
    let fx = bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Roaming, true))));
    assert_eq!(fx.evaluate.len(), 1);
    bench.feed(&Event::LinksRead(vec![link(4_000)]));
    let facts = bench.state.facts(&iccid()).unwrap();
    assert_eq!((facts.used_bytes, facts.roaming_bytes), (4_000, 3_000));
}

#[test]
fn a_new_cycle_begins_at_midnight_and_asks_the_ledger() {
    let mut bench = Bench::new(settings(), &[]);
    let december = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
    bench.after(60);
    let until = ZoneRules::utc().day_start(december).as_secs() - bench.secs;
    let wake = bench.state.next_wake(bench.at()).unwrap();
    assert_eq!((wake.reason, wake.after.as_secs()), ("cycle ends", until));
    bench.secs += until;
    let at = bench.at();
    let fx = bench.state.step(at, &Event::WakeReached);
    assert_eq!(fx.load_totals.len(), 1);
    assert_eq!(fx.load_totals[0].from, ZoneRules::utc().day_start(december));
}

#[test]
fn rules_about_usage_are_asked_once_each_local_day() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    assert_eq!(bench.after(0).evaluate.len(), 1, "once the beginning is over");
    assert!(bench.after(60).evaluate.is_empty());
    let wake = bench.state.next_wake(bench.at()).unwrap();
    assert_eq!(wake.reason, "a new day");
    let asked = bench.after(wake.after.as_secs());
    assert_eq!(asked.evaluate.len(), 1);
    assert!(bench.after(60).evaluate.is_empty());
}

#[test]
fn usage_is_held_back_as_the_allowance_permits() {
    let mut settings = settings();
    settings.max_unsaved_bytes = None;
    if let Some(plan) = settings.sims.get_mut(&iccid()).and_then(|sim| sim.plan.as_mut()) {
        plan.data = Some(Bytes(100_000_000_000));
    }
    let mut bench = Bench::new(settings, &[]);
    bench.feed(&Event::LinkAppeared(link(0)));
    bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Home, true))));
    bench.secs += 60;
    // What is left lasts more than a second at this rate.
    let held = bench.feed(&Event::LinksRead(vec![link(98_000_000)]));
    assert_eq!(held.changes, [], "less than a thousandth");
    let saved = bench.feed(&Event::LinksRead(vec![link(100_000_000)]));
    assert!(
        saved.changes.iter().any(|c| matches!(c, Change::AddUsage(slot) if slot.rx_bytes == 100_000_000))
    );
}

#[test]
fn what_a_restart_has_not_seen_yet_is_not_held_to_be_over() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Home, false))));
    bench.evaluated("r", usage(), vec![finding("eighty")]);
    let key = bench.only_reminder().key.clone();
    bench.feed(&Event::ReminderAcknowledged(key));
    let reminders = vec![bench.only_reminder().clone()];

    let restored = Restored { reminders, ..Restored::empty() };
    let mut after =
        Bench { state: State::restored(settings(), restored), secs: bench.secs + 5, trusted: true };
    after.feed(&Event::Started { boot: BootId::new("boot-1").unwrap(), links: Vec::new() });
    after.feed(&Event::RulesLoaded(vec![rule("r", "usage", vec![])]));
    // The rule sees a SIM that no modem shows yet, and raises nothing.
    after.evaluated("r", usage(), vec![]);
    assert!(matches!(after.only_reminder().state, ReminderState::Acknowledged { .. }));
    after.feed(&Event::ModemSeen(Box::new(modem(Registration::Home, false))));
    after.evaluated("r", usage(), vec![finding("eighty")]);
    assert!(matches!(after.only_reminder().state, ReminderState::Acknowledged { .. }));
    // Seen, and no longer raised: that is the end.
    after.evaluated("r", usage(), vec![]);
    assert!(matches!(after.only_reminder().state, ReminderState::Resolved { .. }));
}

#[test]
fn a_sim_in_a_second_slot_is_present_and_one_that_left_was_seen_until_then() {
    let mut bench = Bench::new(settings(), &[]);
    let second = Iccid::new("8900100000000000025").unwrap();
    let mut view = modem(Registration::Home, false);
    let spare = SimView { iccid: Some(second.clone()), active: false, ..view.sim.clone().unwrap() };
    view.slots = vec![view.sim.clone(), Some(spare), None];
    view.primary_slot = Some(1);
    bench.feed(&Event::ModemSeen(Box::new(view.clone())));
    let slots = [iccid(), second.clone()].map(|iccid| bench.state.seat_of(&iccid).and_then(|seat| seat.slot));
    assert_eq!(slots, [Some(1), Some(2)]);
    assert!(bench.state.modem_with(&second).is_none(), "there, and not in use");

    view.slots[1] = None;
    bench.secs += 3_600;
    let left_at = bench.at().wall;
    let fx = bench.feed(&Event::ModemSeen(Box::new(view)));
    assert!(bench.state.seat_of(&second).is_none());
    let kept = fx.changes.iter().any(
        |change| matches!(change, Change::KeepSim(sim) if sim.iccid == second && sim.last_seen == left_at),
    );
    assert!(kept, "{:?}", fx.changes);

    bench.secs += 3_600;
    let fx = bench.feed(&Event::ModemManagerVanished);
    let left_at = bench.at().wall;
    assert!(fx.changes.iter().any(
        |change| matches!(change, Change::KeepSim(sim) if sim.iccid == iccid() && sim.last_seen == left_at),
    ));
}
