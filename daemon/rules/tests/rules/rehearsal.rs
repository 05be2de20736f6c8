//! Rehearsals: the shipped rules in a made-up world, over days that take no time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use simbell_core::bytes::Bytes;
use simbell_core::ident::{Iccid, PlanName, SimName};
use simbell_core::ledger::{Volume, Zone};
use simbell_core::number::OwnNumbers;
use simbell_core::plan::{AnchorDay, Counts, Period, Plan};
use simbell_core::schedule::{QuietHours, TimeOfDay};
use simbell_core::settings::{Settings, SimSettings, SourceChoice};
use simbell_core::time::{Span, Timestamp};
use simbell_core::zone::ZoneRules;
use simbell_rules::{Flow, Happening, LoadOptions, Rehearsal, RehearsalError, RuleSet, network_code};

const GB: u64 = 1_000_000_000;

fn sim(n: u32) -> Iccid {
    Iccid::new(format!("89490000000000000{n:02}")).expect("valid")
}

fn at(text: &str) -> Timestamp {
    Timestamp::from(text.parse::<DateTime<Utc>>().expect("an instant"))
}

fn settings(sims: u32) -> Settings {
    let plan = Plan {
        name: PlanName::new("home").expect("valid"),
        data: Some(Bytes(10 * GB)),
        period: Period::Monthly(AnchorDay::Day(1)),
        counts: Counts::Both,
        roaming_counts: true,
        increment: None,
        free_hours: Vec::new(),
        calibrate: false,
    };
    let known = |n: u32| SimSettings {
        name: Some(SimName::new(format!("router{n}")).expect("valid")),
        plan: Some(plan.clone()),
        zone: ZoneRules::utc(),
        source: SourceChoice::Auto,
        uncounted_apns: Vec::new(),
        numbers: OwnNumbers::default(),
    };
    Settings {
        zone: ZoneRules::utc(),
        language: "en".to_owned(),
        sims: (0..sims).map(|n| (sim(n), known(n))).collect::<BTreeMap<_, _>>(),
        sample_every: Span::secs(20),
        line_rate: 125_000_000,
        max_unsaved_bytes: None,
        max_unsaved_time: Span::secs(300),
        default_channels: Vec::new(),
        channels: Vec::new(),
        quiet: None,
        suspend_after: 3,
        actions_a_day: 10,
        ppp_interface: None,
    }
}

fn shipped() -> Arc<RuleSet> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    Arc::new(RuleSet::load(&LoadOptions {
        plugin_dirs: vec![dir],
        enabled: vec!["carrier-sms".to_owned(), "daily-summary".to_owned()],
        ..LoadOptions::default()
    }))
}

/// A world with that many SIMs in modems, from 2026-11-10T12:00:00Z on.
fn world(settings: Settings) -> Rehearsal {
    let sims: Vec<Iccid> = settings.sims.keys().cloned().collect();
    let mut world = Rehearsal::begin(settings, shipped(), at("2026-11-10T12:00:00Z")).expect("it begins");
    for sim in &sims {
        world.insert(sim, Some("Example")).expect("a modem");
    }
    world
}

/// `DAY HH:MM:SS what key` of one rule, the rest left out.
fn told(world: &Rehearsal, rule: &str) -> Vec<String> {
    let mine = world.timeline().iter().filter(|moment| moment.rule.as_str() == rule);
    mine.map(|moment| {
        let what = match &moment.what {
            Happening::Said(saying) if saying.late.is_some() => "said late",
            Happening::Said(_) => "said",
            Happening::Held(_) => "held",
            Happening::Resolved(_) => "resolved",
            Happening::Reworded(_) => "reworded",
            Happening::Acknowledged(_) => "acknowledged",
            Happening::Snoozed(..) => "snoozed",
            Happening::Acted(_) => "acted",
            Happening::Failed(error) => error.as_str(),
        };
        let key = moment.own_key().unwrap_or_default();
        format!("{} {what} {key}", moment.at.to_utc().format("%m-%d %H:%M:%S"))
    })
    .filter(|line| !line.contains("reworded"))
    .collect()
}

#[test]
fn thresholds_are_crossed_once_each_and_a_new_cycle_resolves() {
    let mut world = world(settings(1));
    let flow = Flow { iccid: sim(0), zone: None, volume: Volume { rx: 9 * GB, tx: 2 * GB } };
    // 11 GB in 11 hours: a gigabyte an hour.
    world.flow(&[flow], at("2026-11-10T23:00:00Z")).expect("it flows");
    world.advance_to(at("2026-12-02T00:00:00Z")).expect("time passes");
    assert_eq!(
        told(&world, "data-thresholds"),
        [
            "11-10 17:00:00 said data-50",
            "11-10 20:00:00 resolved data-50",
            "11-10 20:00:00 said data-80",
            "11-10 22:00:00 resolved data-80",
            "11-10 22:00:00 said data-100",
            "12-01 00:00:00 resolved data-100",
        ]
        .map(str::to_owned)
        .into_iter()
        .collect::<Vec<_>>()
    );
}

#[test]
fn schedules_come_by_the_clock_and_late_after_a_night_without_power() {
    let mut world = world(settings(1));
    world.advance_to(at("2026-11-12T08:00:00Z")).expect("time passes");
    world.power_off().expect("off");
    world.advance_to(at("2026-11-14T09:30:00Z")).expect("time passes");
    assert_eq!(world.use_data(&sim(0), 1), Err(RehearsalError::Off));
    world.power_on().expect("on");
    assert_eq!(
        told(&world, "daily-summary").into_iter().filter(|line| line.contains("said")).collect::<Vec<_>>(),
        ["11-11 07:00:00 said summary", "11-12 07:00:00 said summary", "11-14 09:30:00 said late summary"]
    );
}

#[test]
fn quiet_hours_hold_back_until_morning() {
    let time = |hour| TimeOfDay::new(hour, 0).expect("valid");
    let quiet = Some(QuietHours { from: time(22), until: time(7) });
    let mut world = world(Settings { quiet, ..settings(1) });
    world.advance_to(at("2026-11-10T23:00:00Z")).expect("time passes");
    world.use_data(&sim(0), 6 * GB).expect("used");
    world.advance_to(at("2026-11-11T12:00:00Z")).expect("time passes");
    assert_eq!(
        told(&world, "data-thresholds"),
        ["11-10 23:00:00 held data-50", "11-11 07:00:00 said data-50"]
    );
}

#[test]
fn roaming_messages_and_modems_are_told_as_they_are_seen() {
    let mut world = world(settings(1));
    let abroad = Zone::Roaming(Some(network_code("Visited").expect("a code")));
    world.place(&sim(0), abroad, Some("Visited")).expect("it roams");
    world.use_data(&sim(0), GB).expect("used");
    assert_eq!(world.state().facts(&sim(0)).expect("facts").roaming_bytes, GB);
    world.place(&sim(0), Zone::Home, None).expect("home");
    world.receive_sms(&sim(0), "80100", "500 MB of data left").expect("a message");
    assert_eq!(
        told(&world, "roaming-began"),
        ["11-10 12:00:00 said roaming", "11-10 12:00:00 resolved roaming"]
    );
    assert_eq!(told(&world, "carrier-sms").len(), 1);
    world.lose_modem(&sim(0)).expect("gone");
    assert!(matches!(world.use_data(&sim(0), 1), Err(RehearsalError::NotConnected(_))));
    world.bring_back_modem(&sim(0)).expect("back");
    world.use_data(&sim(0), GB).expect("used");
    assert_eq!(world.state().facts(&sim(0)).expect("facts").used_bytes, 2 * GB);
}

#[test]
fn ninety_days_of_hours_of_two_sims_sum_up_to_the_byte() {
    let mut world = world(settings(2));
    let began = world.now();
    let before = Volume { rx: 3 * GB, tx: 0 };
    world.add_history(&sim(1), at("2026-11-02T00:00:00Z"), Zone::Home, before);
    world.history_added().expect("summed");
    for hour in 0..90 * 24_u64 {
        let flows: Vec<Flow> = (0..2_u32)
            .map(|n| Flow {
                iccid: sim(n),
                zone: None,
                volume: Volume { rx: 20_000_000 + hour, tx: n.into() },
            })
            .collect();
        let until = began.saturating_add(Span::secs(i64::try_from(hour + 1).expect("small") * 3_600));
        world.flow(&flows, until).expect("it flows");
    }
    // Since 2027-02-01, the beginning of the cycle.
    let since = at("2027-02-01T00:00:00Z").since(began).as_secs() / 3_600;
    let (since, all) = (u64::try_from(since).expect("later"), 90 * 24);
    let expected: u64 = (since..all).map(|hour| 20_000_000 + hour + 1).sum();
    assert_eq!(world.state().facts(&sim(1)).expect("facts").used_bytes, expected);
    // Three gigabytes that were there before bring the half forward by as much.
    let first = |n: u32| {
        let key = format!("data-thresholds/data-50/{}", sim(n).tail());
        let said = world.timeline().iter().find(
            |moment| matches!(&moment.what, Happening::Said(saying) if saying.reminder.as_str() == key),
        );
        said.expect("said").at
    };
    assert!(first(1) < first(0), "{} before {}", first(1).to_utc(), first(0).to_utc());
    let rounds = world.timeline().iter().filter(|moment| moment.own_key() == Some("data-80")).count();
    assert!(rounds >= 2 * 3, "each SIM, each cycle: {rounds}");
}

#[test]
fn what_never_ends_is_ended() {
    let mut world = world(settings(1));
    world.bound(50);
    let error = world.advance_to(at("2036-11-10T12:00:00Z")).expect_err("ten years of summaries");
    assert!(matches!(error, RehearsalError::TooMuch(_)) && error.to_string().contains("steps"), "{error}");
    assert_eq!(world.advance_to(at("2020-01-01T00:00:00Z")), Err(RehearsalError::Backward));
}
