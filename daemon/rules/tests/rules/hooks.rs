//! Each hook: when it is called, what it sees, what its findings say.

use std::sync::Arc;

use simbell_core::health::WarningCode;
use simbell_core::plan::AnchorDay;
use simbell_core::reminder::{Finding, Repeat, Urgency};
use simbell_core::schedule::{Schedule, TimeOfDay};
use simbell_core::time::{Span, Timestamp};
use simbell_core::view::{CycleFacts, RuleInput, SimFacts, Trigger};

use crate::inputs::{
    Folder, NOW, ask, bare_sim, iccid, input, on_roaming, on_schedule, on_sms, on_usage, rule, sim, unwell,
};

fn findings(text: &str, trigger: &Trigger, input: &Arc<RuleInput>) -> Vec<Finding> {
    let outcome = ask(text, trigger, input);
    assert_eq!(outcome.error, None, "{text}");
    outcome.findings
}

/// The texts found, one a line.
fn texts(text: &str, trigger: &Trigger, input: &Arc<RuleInput>) -> String {
    findings(text, trigger, input).into_iter().map(|finding| finding.text).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_finding_has_what_remind_was_given() {
    let text = r#"
        fn on_usage(sim) {
            remind("plain", "a");
            remind("span", "b", #{ urgency: "warning", repeat: 1.days, channels: ["mail", "phone"] });
            remind("daily", "c", #{ urgency: "critical", repeat: daily("7:05") });
            remind("once", "d", #{ repeat: "once", channels: "mail" });
            remind("every", "e", #{ repeat: every(90.seconds) });
            remind("plain", "a, and better");
        }"#;
    let found = findings(text, &on_usage(), &input(Some(sim()), "en"));
    let channel = |name: &str| simbell_core::ident::ChannelName::new(name).unwrap();
    let expected = |key: &str, text: &str, urgency, repeat, channels: Option<Vec<_>>| Finding {
        key: key.to_owned(),
        sim: Some(iccid()),
        text: text.to_owned(),
        urgency,
        repeat,
        channels,
    };
    assert_eq!(
        found,
        [
            expected("plain", "a, and better", Urgency::Info, Repeat::Once, None),
            expected(
                "span",
                "b",
                Urgency::Warning,
                Repeat::Every(Span::secs(86_400)),
                Some(vec![channel("mail"), channel("phone")])
            ),
            expected(
                "daily",
                "c",
                Urgency::Critical,
                Repeat::At(Schedule::Daily(TimeOfDay { hour: 7, minute: 5 })),
                None
            ),
            expected("once", "d", Urgency::Info, Repeat::Once, Some(vec![channel("mail")])),
            expected("every", "e", Urgency::Info, Repeat::Every(Span::secs(90)), None),
        ]
    );
}

#[test]
fn texts_come_in_the_language_asked_for_or_english() {
    let text = "fn on_usage(sim) { remind(\"k\", #{ en: \"used\", zh: \"已用\", \"pt-BR\": \"usado\" }); }";
    for (language, expected) in [
        ("en", "used"),
        ("zh", "已用"),
        ("zh-Hans-CN", "已用"),
        ("zh_CN", "已用"),
        ("pt-BR", "usado"),
        ("de", "used"),
        ("", "used"),
    ] {
        assert_eq!(texts(text, &on_usage(), &input(Some(sim()), language)), expected, "{language}");
    }
    let only = "fn on_usage(sim) { remind(\"k\", #{ fr: \"utilisé\" }); }";
    assert_eq!(texts(only, &on_usage(), &input(Some(sim()), "en")), "utilisé");
}

#[test]
fn a_sim_shows_everything_known() {
    let text = r#"
        fn on_usage(sim) {
            let c = sim.cycle;
            let f = sim.forecast;
            remind("k", `${sim.name} ${sim.iccid} ${sim.operator} ${sim.network} ${sim.active} ${sim.roaming} `
                + `${sim.connected} ${sim.measured} ${sim.signal} ${sim.plan} ${sim.used} ${sim.used_roaming} `
                + `${sim.allowance} ${sim.remaining} ${sim.share} ${c.start} ${c.end} ${c.days_left} ${c.time_left} `
                + `${c.last} ${f.exhausted_at} ${f.end_of_cycle} ${f.reliable}`);
        }"#;
    let facts = SimFacts { exhausted_at: Some(Timestamp::from_millis(NOW.as_millis() + 3_600_000)), ..sim() };
    assert_eq!(
        texts(text, &on_usage(), &input(Some(facts), "en")),
        "router 8949000000000000018 Example Example true false true true 60% home 2 GB 0 B 10 GB 8 GB 20% 2026-11-01 \
         2026-12-01 9 8.7 days false 2026-11-22 08:05 3 GB true"
    );
}

#[test]
fn what_is_not_known_is_absent() {
    let text = r#"
        fn on_usage(sim) {
            let all = [sim.operator, sim.network, sim.roaming, sim.signal, sim.plan, sim.allowance, sim.remaining,
                sim.share, sim.cycle, sim.forecast.exhausted_at, sim.forecast.end_of_cycle];
            remind("k", `${all.len()} ${all.all(|it| it == ())}`);
        }"#;
    assert_eq!(texts(text, &on_usage(), &input(Some(bare_sim()), "en")), "11 true");
    let bucket = SimFacts {
        cycle: Some(CycleFacts {
            start: "2026-11-01".to_owned(),
            end: None,
            days_left: None,
            seconds_left: None,
            last: true,
        }),
        ..sim()
    };
    let text = "fn on_usage(sim) { let c = sim.cycle; remind(\"k\", `${c.end == ()} ${c.days_left == ()} ${c.last}`); }";
    assert_eq!(texts(text, &on_usage(), &input(Some(bucket), "en")), "true true true");
}

#[test]
fn other_sims_are_seen_by_sims() {
    let text = r#"
        fn on_usage(sim) {
            let total = 0.GB;
            for other in sims() { total += other.used; }
            let named = sims().filter(|other| other.name != "router").map(|other| other.name);
            remind("k", `${sims().len()} SIMs, ${total}, ${named}`);
        }"#;
    let other = SimFacts { name: "spare".to_owned(), ..sim() };
    let both = Arc::new(RuleInput { sims: [sim(), other].into(), ..(*input(Some(sim()), "en")).clone() });
    assert_eq!(texts(text, &on_usage(), &both), "2 SIMs, 4 GB, [\"spare\"]");
}

#[test]
fn only_the_hook_of_the_occasion_is_called() {
    let text = r#"
        fn on_usage(sim) { remind("usage", "u") }
        fn on_roaming(sim) { remind("roaming", "r") }
        fn on_sms(sim, sms) { remind("sms", `${sms.number}: ${sms.text} (${sms.id})`) }
        fn schedule() { [daily("07:00"), weekly("Monday", "07:00"), monthly(1, "7:00"), monthly("last", "23:59")] }
        fn on_schedule(sim) { let o = occasion(); remind("due", `${o.kind} ${o.schedule} ${o.due} late ${o.late}`) }
        fn on_health(health) { for w in health { remind(w.code, `${w.code} ${w.subject} ${w.text} ${w.since}`) } }"#;
    let about = input(Some(sim()), "en");
    assert_eq!(texts(text, &on_usage(), &about), "u");
    assert_eq!(texts(text, &on_roaming(), &about), "r");
    assert_eq!(texts(text, &on_sms("80100", "500 MB left"), &about), "80100: 500 MB left (0a1b2c3d)");
    let late = Arc::new(RuleInput { late_s: 7_200, ..(*about).clone() });
    let due = Timestamp::from_millis(NOW.as_millis() - 7_200_000);
    let missed = Trigger::Schedule { sim: Some(iccid()), index: 2, due };
    assert_eq!(texts(text, &missed, &late), "schedule 2 2026-11-22 05:05 late 2 hours");
    let wrong = unwell(&[(WarningCode::BusLost, ""), (WarningCode::NotMeasured, "wwan0")], "en");
    assert_eq!(
        texts(text, &Trigger::Health, &wrong),
        "bus-lost  in words 2026-11-22 06:05\nnot-measured wwan0 in words 2026-11-22 06:05"
    );

    let folder = Folder::new();
    folder.write("r.rhai", text);
    let description = folder.load().descriptions().pop().unwrap();
    assert_eq!(description.triggers, ["usage", "roaming", "sms", "schedule", "health"]);
    let at = |hour, minute| TimeOfDay { hour, minute };
    assert_eq!(
        description.schedules,
        [
            Schedule::Daily(at(7, 0)),
            Schedule::Weekly(1, at(7, 0)),
            Schedule::Monthly(AnchorDay::Day(1), at(7, 0)),
            Schedule::Monthly(AnchorDay::Last, at(23, 59)),
        ]
    );
}

#[test]
fn times_may_be_written_as_at_and_as_cron() {
    let folder = Folder::new();
    let text = r#"
        fn schedule() { [at("07:00"), cron("0 7 * * mon-fri"), cron("*/15 * L dec *")] }
        fn on_schedule(sim) { remind("k", "due", #{ repeat: cron("0 9 * * 1") }) }"#;
    folder.write("r.rhai", text);
    let description = folder.load().descriptions().pop().unwrap();
    assert_eq!(description.problem, None);
    assert_eq!(
        description.schedules,
        [
            Schedule::Daily(TimeOfDay { hour: 7, minute: 0 }),
            Schedule::Cron("0 7 * * 1-5".parse().unwrap()),
            Schedule::Cron("*/15 * L 12 *".parse().unwrap()),
        ]
    );
    let found = findings(text, &on_schedule(), &input(Some(sim()), "en"));
    assert_eq!(found[0].repeat, Repeat::At(Schedule::Cron("0 9 * * mon".parse().unwrap())));
}

#[test]
fn zone_plan_and_operators_are_seen() {
    let text = r#"
        fn on_usage(sim) {
            let z = sim.zone;
            let p = sim.plan;
            remind("k", `${sim.operator_code} ${sim.network_code} ${z} ${z.kind} ${z.network_code} ${z.mcc} ${z.mnc} `
                + `${p} ${p.name} ${p.data} ${p.counts} ${p.roaming_counts} ${p.renews} ${p == "home"} ${"home" != p}`);
        }"#;
    assert_eq!(
        texts(text, &on_usage(), &input(Some(sim()), "en")),
        "26201 26201 home home    home home 10 GB both true true true false"
    );
    let code = simbell_core::ident::OperatorCode::new("310260").ok();
    let zone = simbell_core::ledger::Zone::Roaming(code.clone());
    let abroad = SimFacts { zone, network_code: code, roaming: Some(true), ..sim() };
    let text = "fn on_usage(sim) { let z = sim.zone; remind(\"k\", `${z}; ${z.kind} ${z.mcc} ${z.mnc}`); }";
    assert_eq!(texts(text, &on_usage(), &input(Some(abroad), "en")), "roaming in 310260; roaming 310 260");
    let text = "fn on_usage(sim) { remind(\"k\", `${sim.zone} ${sim.plan == ()} ${health().len()}`); }";
    assert_eq!(texts(text, &on_usage(), &input(Some(bare_sim()), "en")), "unknown true 0");
}

#[test]
fn a_schedule_or_message_without_a_sim_reaches_the_hooks_that_need_none() {
    let about_each = "fn schedule() { every(10.seconds) } fn on_schedule(sim) { remind(\"k\", sim.name) }";
    let once = "fn schedule() { every(10.seconds) } fn on_schedule() { remind(\"k\", \"rent\") }";
    let nobody = Trigger::Schedule { sim: None, index: 0, due: NOW };
    assert_eq!(texts(about_each, &nobody, &input(None, "en")), "");
    assert_eq!(texts(once, &nobody, &input(None, "en")), "rent");
    assert_eq!(texts(about_each, &on_schedule(), &input(Some(sim()), "en")), "router");
    // Asked for each SIM, it speaks for the first only.
    assert_eq!(texts(once, &on_schedule(), &input(Some(sim()), "en")), "rent");
    let second = SimFacts { iccid: simbell_core::ident::Iccid::new("8949000000000000026").unwrap(), ..sim() };
    let of_two =
        Arc::new(RuleInput { sims: [sim(), second.clone()].into(), ..(*input(Some(second), "en")).clone() });
    assert_eq!(texts(once, &on_schedule(), &of_two), "");

    let Trigger::Sms { sms, .. } = on_sms("80100", "hello") else { panic!("an SMS") };
    let stray = Trigger::Sms { sim: None, sms };
    let text = "fn on_sms(sim, sms) { remind(\"a\", sim.name) } fn on_sms(sms) { remind(\"b\", sms.text) }";
    assert_eq!(texts(text, &stray, &input(None, "en")), "hello");
    assert_eq!(texts(text, &on_sms("80100", "hello"), &input(Some(sim()), "en")), "router\nhello");
}

#[test]
fn messages_are_hostile_text() {
    let long = "x".repeat(40_000);
    let text = "fn on_sms(sim, sms) { remind(\"k\", sms.text) }";
    let about = input(Some(sim()), "en");
    let found = texts(text, &on_sms("80100", &long), &about);
    assert_eq!(found.chars().count(), 1_000);
    assert!(found.ends_with('…'));
    let wide = texts(text, &on_sms("80100", &"流".repeat(40_000)), &about);
    assert_eq!(wide.chars().count(), 1_000);
    assert_eq!(texts(text, &on_sms("80100", "a\u{1b}]0;x\u{7}\u{202e}b"), &about), "a\u{fffd}]0;x\u{fffd}b");
}

#[test]
fn constants_are_seen_by_every_function() {
    let text = r#"
        const LIMIT = 1.5.GB;
        const names = #{ router: "the router" };
        const STEPS = [1.GB, LIMIT];
        fn on_usage(sim) {
            let over = STEPS.filter(|step| step >= LIMIT).len();
            if sim.used > LIMIT { remind("k", `${name_of(sim.name)}: ${over} over ${LIMIT}`); }
        }
        fn name_of(LIMIT) { names[LIMIT] }"#;
    assert_eq!(texts(text, &on_usage(), &input(Some(sim()), "en")), "the router: 1 over 1.5 GB");
}

#[test]
fn a_rule_that_failed_has_said_nothing_and_works_again() {
    let folder = Folder::new();
    folder.write("r.rhai", "fn on_usage(sim) { remind(\"k\", \"t\"); if sim.cycle.days_left < 100 { } }");
    let rules = folder.load();
    let failed = rules.evaluate(&rule("r"), &on_usage(), &input(Some(bare_sim()), "en"));
    assert!(failed.error.is_some());
    assert_eq!(failed.findings, []);
    let well = rules.evaluate(&rule("r"), &on_usage(), &input(Some(sim()), "en"));
    assert_eq!((well.error, well.findings.len()), (None, 1));
    assert!(well.stats.operations > 0);
    let unknown = rules.evaluate(&rule("none"), &on_usage(), &input(Some(sim()), "en"));
    assert_eq!(unknown.error.as_deref(), Some("there is no rule `none`: it is not loaded"));
}
