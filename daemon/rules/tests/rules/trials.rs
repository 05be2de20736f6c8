//! Tests of rules in their own language: those of every shipped plugin, and how failing, empty and hostile ones end.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simbell_core::decision::Decision;
use simbell_core::event::RuleResult;
use simbell_core::ident::{ChannelName, Iccid, ReminderKey};
use simbell_core::reminder::DeliveryState;
use simbell_core::view::{DeliveryFacts, ModemFacts, RuleInput, SimFacts, Trigger};
use simbell_core::zone::ZoneRules;
use simbell_rules::{
    Limits, LoadOptions, RuleSet, Subject, TrialOptions, TrialReport, read_record, run_tests, subjects, trace,
};

use crate::inputs::{Folder, NOW, input, on_usage, rule, used};

pub fn options() -> TrialOptions {
    let zones = |name: &str| match name {
        "Europe/Berlin" => Ok(ZoneRules {
            name: name.to_owned(),
            first_offset_s: 3_600,
            transitions: vec![(1_774_746_000, 7_200), (1_792_890_000, 3_600)],
        }),
        other => Err(format!("there is no zone {other}")),
    };
    TrialOptions { limits: Limits::default(), zones: Arc::new(zones), filter: None, sender: None }
}

/// Everything that failed, as text.
pub fn failures(report: &TrialReport) -> String {
    let mut out = String::new();
    if let Some(problem) = &report.problem {
        writeln!(out, "{problem}").unwrap();
    }
    for ran in &report.ran {
        if let Some(failure) = &ran.failure {
            writeln!(out, "{}: {}", ran.name, failure.problem).unwrap();
            for line in &failure.happened {
                writeln!(out, "    {line}").unwrap();
            }
        }
    }
    out
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/rules")
}

#[test]
fn every_shipped_rule_passes_its_tests_which_reach_every_line() {
    let all = subjects(&shipped());
    assert!(all.len() >= 8, "{all:?}");
    let mut wrong = String::new();
    for subject in all {
        let report = run_tests(&subject, &options());
        wrong.push_str(&failures(&report));
        assert!(report.problem.is_some() || report.ran.len() >= 2, "{}: too few tests", subject.name);
        for line in &report.unreached {
            writeln!(wrong, "{}:{}: no test reaches: {}", line.file.display(), line.line, line.text).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

const RULE: &str = "// Half of it.\nfn on_usage(sim) {\n    if sim.share != () && sim.share >= 50.percent {\n        \
                    remind(\"half\", `${sim.name}: half is used.`);\n    }\n}\n";

/// What the tests of a rule come to, with the folder's name left out.
fn tried(rule: &str, tests: &str) -> (TrialReport, String) {
    let folder = Folder::new();
    let path = folder.write("half.rhai", rule);
    folder.write("half.test.rhai", tests);
    folder.write(
        "usage.csv",
        "record,iccid,sim,start,end,zone,source,rx_bytes,tx_bytes\r\n\
         usage,1,home,2026-11-02T00:00:00Z,2026-11-02T01:00:00Z,home,kernel,4000000000,0\r\n\
         usage,1,home,2026-11-02T01:00:00Z,2026-11-02T02:00:00Z,home,kernel,2000000000,0\r\n\
         usage,2,other,2026-11-02T01:00:00Z,2026-11-02T02:00:00Z,home,kernel,1,0\r\n",
    );
    let report = run_tests(&Subject::of(&path), &options());
    let text = failures(&report).replace(&folder.path().display().to_string(), "DIR");
    (report, text)
}

fn passes(rule: &str, tests: &str) -> TrialReport {
    let (report, text) = tried(rule, tests);
    assert!(text.is_empty() && !report.ran.is_empty(), "{text}");
    report
}

#[test]
fn a_failed_expectation_says_where_what_and_what_happened_instead() {
    let tests = "fn test_a() {\n    let home = sim(\"home\", #{ plan: #{ data: \"10 GB\" } });\n    home.uses(6.GB);\n    \
                 expect_reminder(\"halv\");\n}\n";
    let (report, text) = tried(RULE, tests);
    assert_eq!(report.ran.len(), 1);
    assert_eq!(
        text,
        "test_a: DIR/half.test.rhai:4:5: the reminder `halv` was not said\n  \
         4 |     expect_reminder(\"halv\");\n    |     ^\n  hint: did you mean `half`?\n    \
         2026-11-01 00:00  said half (home) [info]: home: half is used.\n    \
         the clock shows 2026-11-01 00:00\n    home: 6.00 GB of 10.00 GB used\n"
    );
}

#[test]
fn each_expectation_fails_in_its_own_words() {
    let begin = "let home = sim(\"home\", #{ plan: #{ data: \"10 GB\" } }); home.uses(6.GB); ";
    for (tail, expected) in [
        ("expect_no_reminder();", "no reminder was expected, but this was said: 2026-11-01 00:00  said half"),
        (
            "expect_reminder(\"half\", #{ contains: \"80\" });",
            "its text does not contain \"80\": home: half is used.",
        ),
        ("expect_reminder(\"half\", #{ urgency: \"critical\" });", "its urgency is info"),
        ("expect_reminder(\"half\", #{ at: \"07:00\" });", "it was at 2026-11-01 00:00, not at 07:00"),
        ("expect_reminder(\"half\", #{ at: \"25:99\" });", "`at` is a time, a date or both"),
        ("expect_reminder(\"half\", #{ late: true });", "it was not late"),
        ("expect_reminder(\"half\", #{ sim: \"other\" });", "it is about home"),
        ("expect_reminder(\"half\", #{ txt: \"x\" });", "an expectation has no `txt`: did you mean `text`?"),
        ("expect_reminder(\"half\"); expect_reminder(\"half\");", "was not said again: it was once"),
        ("expect_resolved(\"half\");", "the reminder `half` was not resolved"),
        ("expect_held(\"half\");", "the reminder `half` was not held back"),
        ("expect_count(\"half\", 2);", "was said 1 times, not 2"),
        ("expect_action(\"renew\");", "the action `renew` was not asked for"),
        ("expect_equal(home.used(), 5.GB);", "expected 5 GB, found 6 GB"),
        ("expect_equal(home.used(), 6.GB + 1.B);", "expected 6000000001 B, found 6000000000 B"),
        ("expect_equal(5, \"5\");", "expected \"5\", found 5"),
        ("expect_equal([home.used(), ()], [6.GB, 1]);", "expected [6 GB, 1], found [6 GB, ()]"),
        (
            "expect_equal(#{ a: 1.EUR }, #{ a: 1.001.EUR });",
            "expected #{\"a\": 1.001 EUR}, found #{\"a\": 1 EUR}",
        ),
        ("expect_equal((), 5);", "expected 5, found ()"),
        ("expect(home.used() < 5.GB, \"too much\");", "too much"),
        ("clock(\"2026-10-01\");", "time does not go backward"),
        ("clock(\"noon\");", "`noon` is no time"),
        ("home.lose_modem();", "unknown function `lose_modem`"),
        ("home.loses_modem(); home.uses(1.GB);", "`home` is not connected"),
        ("sim(\"home\");", "there is a SIM `home` already"),
        ("sim(\"b\", #{ plan: #{ daat: \"5 GB\" } });", "a plan has no `daat`: did you mean `data`?"),
        ("sim(\"b\", #{ plan: #{ data: \"5\" } });", "a plan's `data` has no unit"),
        ("unwell(\"ledger-broken\");", "there is no warning `ledger-broken`"),
        ("timezone(\"Mars/Olympus\");", "there is no zone Mars/Olympus"),
        ("settings(#{ steps: 5 });", "a single file has no settings"),
        ("home.plays(\"../x.csv\");", "no file beside the test"),
        ("play(\"usage.csv\");", "tells of the SIM `other`"),
        ("acknowledge(\"none\");", "no reminder `none` was raised"),
    ] {
        let (_, text) = tried(RULE, &format!("fn test_a() {{ {begin}{tail} }}"));
        assert!(text.contains(expected), "{tail}\n{text}");
        assert!(text.contains("half.test.rhai:1:"), "{tail}: says where\n{text}");
    }
}

#[test]
fn a_rule_that_fails_fails_its_test_at_its_own_line() {
    let rule = "fn on_usage(sim) {\n    let x = sim.used > 5;\n}\n";
    let (_, text) = tried(rule, "fn test_a() {\n    sim(\"home\");\n}\n");
    assert!(text.contains("half.test.rhai:2:5: the rule failed:"), "{text}");
    assert!(text.contains("half.rhai:2:") && text.contains("a number needs a unit"), "{text}");
}

#[test]
fn files_without_tests_and_with_mistakes_say_what_to_write() {
    for (rule, tests, expected) in [
        (RULE, "// none yet\n", "the file has no test"),
        (RULE, "fn test_a() {\n  let\n}\n", "half.test.rhai:3:1"),
        (RULE, "fn test_a() { hoem.uses(1.GB); }\n", "unknown variable `hoem`"),
        ("fn on_usage(sim) { \n", "fn test_a() { }\n", "half.rhai:1:18"),
        ("fn on_nothing(sim) { }\n", "fn test_a() { }\n", "there is no hook `on_nothing`"),
    ] {
        let (report, text) = tried(rule, tests);
        assert!(report.ran.is_empty() && text.contains(expected), "{expected}\n{text}");
    }
    let folder = Folder::new();
    let path = folder.write("half.rhai", RULE);
    let subject = Subject::of(&path);
    assert!(!subject.has_tests());
    let text = failures(&run_tests(&subject, &options()));
    assert!(text.contains("there are no tests") && text.contains("fn test_rings"), "{text}");
}

#[test]
fn hostile_tests_are_ended_and_the_others_go_on() {
    let tests = "fn test_a() { loop { } }\nfn test_b() { let x = []; loop { x.push(\"aaaa\"); } }\n\
                 fn test_c() { test_c(); }\nfn test_d() { sim(\"a\"); advance(100000000.days); }\n\
                 fn test_e() { let a = \"x\"; loop { a += a; } }\nfn test_f() { loop { sim(\"a\"); } }\n\
                 fn test_g() { eval(\"1\"); }\nfn test_h() { throw #{ }; }\n";
    let (report, _) = tried(RULE, &tests.replace("fn test_g() { eval(\"1\"); }\n", ""));
    assert_eq!(report.ran.len(), 7);
    for ran in &report.ran {
        assert!(ran.failure.is_some(), "{}", ran.name);
    }
    let (_, text) = tried(RULE, tests);
    assert!(text.contains("half.test.rhai:7:"), "no eval: {text}");
    let (report, _) =
        tried(RULE, "fn test_a() { loop { } }\nfn test_b() { sim(\"home\"); expect_no_reminder(); }\n");
    assert_eq!(report.ran.iter().map(|ran| ran.failure.is_none()).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn lines_that_no_test_reached_are_listed() {
    let rule = "fn on_usage(sim) {\n    if sim.share == () {\n        return;\n    } else if sim.share >= 90.percent {\n        \
                remind(\"much\", \"x\");\n    }\n    for other in sims().filter(|s| s.active) {\n        \
                check(other);\n    }\n}\nfn check(sim) {\n    switch sim.name {\n        \"home\" => 1,\n        _ => 2,\n    }\n}\n";
    let report = passes(rule, "fn test_a() { sim(\"home\", #{ plan: #{ data: \"1 GB\" } }); }");
    let lines: Vec<usize> = report.unreached.iter().map(|line| line.line).collect();
    assert_eq!((lines, report.statements), (vec![3, 5, 14], 9));
    let report =
        passes(rule, "fn test_a() { sim(\"home\"); sim(\"a\", #{ plan: #{ data: \"1 GB\" } }).uses(2.GB); }");
    assert_eq!(report.unreached, []);
}

#[test]
fn what_is_asked_as_a_sim_appears_belongs_to_the_story() {
    let rule = "fn on_usage(sim) {\n    if recall(\"x\") == () {\n        remember(\"x\", sim.used);\n        \
                return;\n    }\n    remind(\"again\", \"x\");\n}\n";
    let report = passes(
        rule,
        "fn test_a() {\n    let home = sim(\"home\", #{ plan: #{ data: \"10 GB\" } });\n    home.uses(8.GB);\n    \
         expect_reminder(\"again\", #{ at: \"2026-11-01 00:00\" });\n}\n",
    );
    assert_eq!(report.unreached, [], "what runs as the first SIM appears is seen");
    passes(
        "fn on_usage(sim) { remind(`${sim.name}`, \"x\"); }",
        "fn test_a() {\n    sim(\"home\");\n    expect_reminder(\"home\", #{ at: \"2026-11-01 00:00\" });\n    \
         advance(1.hours);\n    sim(\"other\");\n    expect_reminder(\"other\", #{ at: \"2026-11-01 01:00\" });\n    \
         expect_count(\"*\", 2);\n}\n",
    );
    passes(
        "fn schedule() { cron(\"30 * * * *\") }\nfn on_schedule() { remind(\"look\", \"x\"); }",
        "fn test_a() {\n    advance(1.minutes);\n    expect_no_reminder();\n    advance(30.minutes);\n    \
         expect_reminder(\"look\", #{ at: \"2026-11-01 00:30\" });\n    expect_count(\"look\", 1);\n}\n",
    );
}

#[test]
fn a_recorded_history_is_played_by_its_own_clock() {
    passes(
        RULE,
        "fn test_a() {\n    let home = sim(\"home\", #{ plan: #{ data: \"10 GB\" } });\n    home.plays(\"usage.csv\");\n    \
         expect_reminder(\"half\", #{ at: \"2026-11-02 01:30\" });\n    expect_equal(home.used(), 6.GB);\n}\n\
         fn test_b() {\n    sim(\"home\", #{ plan: #{ data: \"10 GB\" } });\n    sim(\"other\");\n    play(\"usage.csv\");\n    \
         expect_reminder(\"half\", #{ at: \"2026-11-02 01:30\", sim: \"home\" });\n    \
         expect(now().time == \"02:00\");\n}\n",
    );
}

#[test]
fn what_a_rule_wants_done_and_hears_is_told() {
    let rule = "fn on_sms(sim, sms) {\n    if sms.text == \"STOP\" { disconnect(\"stop\"); }\n    \
                if sms.text == \"MORE\" { send_sms(\"more\", \"80100\", \"YES\"); send_ussd(\"ask\", \"*100#\"); }\n}\n\
                fn on_sim_change(sim, before) { remind(\"changed\", `${before.name} to ${sim.name}`); }\n\
                fn on_modems(modems) { for m in modems { if !m.present { remind(\"lost\", \"gone\"); } } }\n\
                fn on_usage(sim) { if sim.calls.made > 1 && sim.sms.sent == 1 { remind(\"calls\", `${sim.calls.time_out}`); } }\n";
    let report = passes(
        rule,
        "fn test_actions() {\n    let home = sim(\"home\");\n    home.receives(\"80100\", \"MORE\");\n    \
         expect_action(\"more\", #{ kind: \"send-sms\", to: \"80100\", text: \"YES\", sim: home });\n    \
         expect_action(\"ask\", #{ code: \"*100#\" });\n    expect_no_action();\n    deny(\"disconnect\");\n    \
         home.receives(\"80100\", \"STOP\");\n    expect_action(\"stop\", #{ kind: \"disconnect\", refused: true });\n}\n\
         fn test_changes() {\n    let a = sim(\"a\");\n    let b = sim(\"b\", #{ modem: false });\n    a.changes_to(b);\n    \
         expect_reminder(\"changed\", #{ text: \"a to b\", sim: b });\n    b.loses_modem();\n    advance(2.minutes);\n    \
         expect_reminder(\"lost\");\n    b.modem_returns();\n    expect_resolved(\"lost\");\n}\n\
         fn test_calls() {\n    let a = sim(\"a\");\n    a.calls(\"+491710000000\", 3.minutes).calls(\"+491710000001\", 2.minutes);\n    \
         a.sends_sms(\"+491710000000\");\n    advance(1.day);\n    expect_reminder(\"calls\", #{ contains: \"5 minutes\" });\n}\n",
    );
    assert_eq!(report.unreached, []);
}

#[test]
fn a_filter_leaves_out_tests_and_says_nothing_of_lines() {
    let folder = Folder::new();
    let path = folder.write("half.rhai", RULE);
    let tests = folder.write("half.test.rhai", "fn test_one() { }\nfn test_two() { }\n");
    let options = TrialOptions { filter: Some("two".to_owned()), ..options() };
    let report = run_tests(&Subject::of(&path), &options);
    assert_eq!((report.ran.len(), report.filtered, report.unreached.len()), (1, 1, 0));
    assert_eq!(subjects(&tests), [Subject::of(&path)]);
    assert_eq!(subjects(folder.path()).len(), 1, "a file of tests is no rule");
    assert_eq!(folder.load().descriptions().len(), 1);
}

#[test]
fn a_decision_is_traced_line_by_line_from_its_record() {
    let folder = Folder::new();
    folder.write("half.rhai", RULE);
    let load = LoadOptions { user_dir: Some(folder.path().to_owned()), ..LoadOptions::default() };
    let rules = RuleSet::load(&load);
    let (trigger, input) = (on_usage(), input(Some(used(6_000_000_000)), "en"));
    let outcome = rules.evaluate(&rule("half"), &trigger, &input);
    let decision = Decision {
        at: input.now.at,
        input,
        memory: Arc::default(),
        result: RuleResult {
            findings: outcome.findings,
            watch: outcome.watch,
            ..RuleResult::nothing(rule("half"), trigger)
        },
    };
    let record = serde_json::to_string(&decision).unwrap();
    let reply = serde_json::json!({ "rule": {}, "decision": { "record": record } }).to_string();
    for text in [record.as_str(), reply.as_str()] {
        let read = read_record(text).unwrap();
        let traced = trace(&load, &read).unwrap();
        assert_eq!((traced.order.as_slice(), traced.same), (&[3, 4][..], true));
        let times: Vec<Option<u64>> = traced.lines.iter().map(|line| line.times).collect();
        assert_eq!(times, [None, None, Some(1), Some(1), None, None]);
        assert_eq!(trace(&load, &read), trace(&load, &read));
    }
    folder.write("half.rhai", &RULE.replace("50.percent", "70.percent"));
    let changed = trace(&load, &decision).unwrap();
    assert_eq!((changed.order.as_slice(), changed.same), (&[3][..], false), "the rule is another one now");
    let other = RuleResult { rule: rule("gone"), ..decision.result.clone() };
    let error = trace(&load, &Decision { result: other, ..decision }).unwrap_err();
    assert!(error.contains("no rule `gone`"), "{error}");
    assert!(read_record("nonsense").is_err() && read_record("{}").is_err());
}

#[test]
fn lines_of_a_plugins_modules_count() {
    let folder = Folder::new();
    folder.write(
        "p/plugin.toml",
        "api = 1\nname = \"p\"\nkind = \"rule\"\ndescription = \"x\"\n[settings.most]\ntype = \"size\"\ndefault = \"1 GB\"\n\
         description = \"x\"\n",
    );
    folder.write(
        "p/main.rhai",
        "// x\nimport \"lib\" as lib;\nfn on_usage(sim) {\n    if lib::much(sim, settings.most) {\n        \
         remind(\"much\", \"x\");\n    }\n}\n",
    );
    folder.write(
        "p/lib.rhai",
        "fn much(sim, most) {\n    if sim.roaming == true {\n        return true;\n    }\n    sim.used > most\n}\n",
    );
    folder.write(
        "p/tests.rhai",
        "fn test_a() { let a = sim(\"a\"); a.uses(2.GB); expect_reminder(\"much\"); }\n\
         fn test_b() { settings(#{ most: 3.GB }); sim(\"a\").uses(2.GB); expect_no_reminder(); }\n",
    );
    let report = run_tests(&Subject::of(&folder.path().join("p")), &options());
    assert_eq!(failures(&report), "");
    let unreached: Vec<(String, usize)> = report
        .unreached
        .iter()
        .map(|line| (line.file.file_name().unwrap().to_string_lossy().into_owned(), line.line))
        .collect();
    assert_eq!((unreached, report.statements), (vec![("lib.rhai".to_owned(), 3)], 5));
}

#[test]
fn lists_and_maps_are_equal_by_their_elements() {
    passes(
        "fn on_usage(sim) { }",
        "fn test_a() {\n    expect_equal([1, 2.GB, [\"x\"]], [1.0, 2000.MB, [\"x\"]]);\n    \
         expect_equal(#{ a: 5.EUR, b: () }, #{ b: (), a: 5.EUR });\n    sim(\"home\");\n}\n",
    );
}

/// What is kept of a decision is what the rule looked at, and no more: with many SIMs the others are most of it.
#[test]
fn asked_again_on_what_it_looked_at_a_rule_says_the_same() {
    let facts = |n: u64| SimFacts {
        iccid: Iccid::new(format!("89490000000000000{n:02}")).unwrap(),
        name: format!("sim{n}"),
        ..used(n * 1_000_000_000)
    };
    let modem = |n: u64| ModemFacts {
        name: format!("modem{n}"),
        tail: format!("{n}"),
        present: true,
        lost_since: None,
        state: None,
        unusable: None,
        sim: Some(facts(n).iccid),
        network: None,
        access: Vec::new(),
        signal_percent: None,
    };
    let delivery = DeliveryFacts {
        reminder: ReminderKey::new("a/b").unwrap(),
        channel: ChannelName::new("mail").unwrap(),
        state: DeliveryState::Failed,
        attempts: 3,
        created_at: NOW,
        last_error: Some("gone".to_owned()),
    };
    let own = facts(5);
    let whole = Arc::new(RuleInput {
        sim: Some(own.clone()),
        sims: (0..8).map(facts).collect(),
        modems: (0..8).map(modem).collect(),
        deliveries: Arc::from([delivery]),
        ..(*input(None, "en")).clone()
    });
    let usage = Trigger::Usage { sim: own.iccid.clone() };
    let schedule = Trigger::Schedule { sim: Some(own.iccid.clone()), index: 0, due: NOW };
    let changed = Trigger::SimChanged { sim: own.iccid.clone(), before: facts(2).iccid };
    for (text, trigger, (sims, modems, deliveries)) in [
        ("fn on_usage(sim) { remind(\"k\", `${sim.name} ${sim.used}`); }", &usage, (2, 2, 0)),
        ("fn on_usage(sim) { remind(\"k\", sim.modem.name); }", &usage, (2, 2, 0)),
        ("fn on_usage(sim) { remind(\"k\", `${sims().len()}`); }", &usage, (8, 8, 0)),
        ("fn on_usage(sim) { remind(\"k\", sims()[7].modem.name); }", &usage, (8, 8, 0)),
        ("fn on_usage(sim) { remind(\"k\", modems()[7].sim); }", &usage, (8, 8, 0)),
        ("fn on_usage(sim) { remind(\"k\", deliveries()[0].error); }", &usage, (2, 2, 1)),
        ("fn on_usage(sim) { if sims().len() > 3 { throw \"many\"; } }", &usage, (8, 8, 0)),
        (
            "fn schedule() { at(\"07:00\") }\nfn on_schedule() { remind(\"k\", \"once\"); }",
            &schedule,
            (2, 2, 0),
        ),
        ("fn on_sim_change(sim, before) { remind(\"k\", before.name); }", &changed, (3, 3, 0)),
    ] {
        let folder = Folder::new();
        folder.write("r.rhai", text);
        let rules = folder.load();
        let ask = |input: &Arc<RuleInput>| {
            let outcome = rules.evaluate(&rule("r"), trigger, input);
            (outcome.findings, outcome.error, outcome.sight)
        };
        let (findings, error, sight) = ask(&whole);
        let seen = Arc::new(whole.seen(sight, trigger));
        assert_eq!(ask(&seen), (findings, error, sight), "{text}");
        assert_eq!(
            (seen.sims.len(), seen.modems.len(), seen.deliveries.len()),
            (sims, modems, deliveries),
            "{text}"
        );
    }
}
