//! What a rule wants besides reminders: actions, things over, things remembered; and the occasions of modems, SIMs and
//! cycles.

use std::sync::Arc;

use simbell_core::action::{Action, ActionRequest, Permission};
use simbell_core::effect::Evaluation;
use simbell_core::ident::ModemId;
use simbell_core::memory::{Memory, Remembered};
use simbell_core::modem::ModemState;
use simbell_core::time::Timestamp;
use simbell_core::view::{EndedCycle, ModemFacts, RuleInput, Trigger};
use simbell_rules::{LoadOptions, RuleSet};

use crate::inputs::{Folder, NOW, ask, iccid, input, on_usage, rule, sim, unwell};

fn said(text: &str, trigger: &Trigger, input: &Arc<RuleInput>) -> String {
    let outcome = ask(text, trigger, input);
    assert_eq!(outcome.error, None, "{text}");
    outcome.findings.into_iter().map(|finding| finding.text).collect::<Vec<_>>().join("\n")
}

fn wrong(statement: &str) -> String {
    let text = format!("fn on_usage(sim) {{ {statement} }}");
    ask(&text, &on_usage(), &input(Some(sim()), "en")).error.expect(statement)
}

#[test]
fn actions_are_asked_for_by_key() {
    let text = r#"
        fn on_usage(sim) {
            send_sms("ask", "80100", "  BAL ");
            send_sms("ask", "+491710000000", "BAL");
            send_ussd("balance", "*100#");
            disconnect("stop");
        }"#;
    let outcome = ask(text, &on_usage(), &input(Some(sim()), "en"));
    let wish = |key: &str, action| ActionRequest { key: key.to_owned(), action };
    let (to, text) = ("+491710000000".to_owned(), "BAL".to_owned());
    let expected = [
        wish("ask", Action::SendSms { to, text }),
        wish("balance", Action::SendUssd { code: "*100#".to_owned() }),
        wish("stop", Action::Disconnect),
    ];
    assert_eq!(outcome.actions, expected);
}

#[test]
fn what_cannot_be_done_is_an_error_in_words() {
    for (statement, says) in [
        (r#"send_sms("k", "80100; rm", "x")"#, "`80100; rm` is no number"),
        (r#"send_sms("k", 80100, "x")"#, "a number is a string such as"),
        (r#"send_sms("k", "80100", " ")"#, "1 to 320 characters"),
        (r#"send_sms("80100", "x")"#, "`send_sms` does not take"),
        (r#"send_ussd("k", "tel:112")"#, "is no USSD code"),
        (r#"disconnect()"#, "`disconnect`"),
        (r#"for n in 0..9 { disconnect(`k${n}`); }"#, "8 actions at most"),
        (r#"remember("k", sim)"#, "cannot be remembered"),
        (r#"remember("k", ())"#, "`forget` the key instead"),
        (r#"remember("a key", 1)"#, "is not a key"),
        (r#"for n in 0..65 { remember(`k${n}`, n); }"#, "64 values at most"),
        (
            r#"let t = "0123456789"; t = t + t + t + t; for n in 0..60 { remember(`k${n}`, t + t); }"#,
            "4096 bytes at most",
        ),
        (r#"resolve(5)"#, "the key of `resolve` is a string"),
    ] {
        let error = wrong(statement);
        assert!(error.contains(says), "{statement}: {error}");
    }
    let unasked = ask("fn on_health(health) { disconnect(\"k\"); }", &Trigger::Health, &unwell(&[], "en"));
    assert!(unasked.error.unwrap().contains("needs a SIM"));
}

#[test]
fn what_is_resolved_is_not_raised_and_what_is_raised_last_holds() {
    let text = r#"fn on_usage(sim) { remind("a", "x"); resolve("a"); resolve("b"); remind("b", "y"); resolve("c"); }"#;
    let outcome = ask(text, &on_usage(), &input(Some(sim()), "en"));
    let raised: Vec<&str> = outcome.findings.iter().map(|finding| finding.key.as_str()).collect();
    assert_eq!((raised, outcome.resolved), (vec!["b"], vec!["a".to_owned(), "c".to_owned()]));
}

#[test]
fn everything_that_can_be_remembered_comes_back_as_it_was() {
    let folder = Folder::new();
    folder.write(
        "r.rhai",
        r#"
        fn on_usage(sim) {
            if recall("first", true) {
                remember("first", false);
                remember("all", [7, 1.5, "text", 5.GB, 80.percent, 2.hours, date("2026-11-22"), now().local, [true]]);
                remember("gone", 1);
            } else {
                forget("gone");
                remind("k", `${recall("all")} ${recall("gone")} ${recall("gone", "nothing")} ${recall("all")[3] > 4.GB}`);
            }
        }"#,
    );
    let rules = folder.load();
    let evaluation = || Evaluation {
        rule: rule("r"),
        trigger: on_usage(),
        input: input(Some(sim()), "en"),
        memory: Arc::default(),
    };
    let results = rules.evaluate_all(vec![evaluation(), evaluation(), evaluation()]);
    assert_eq!(results.iter().map(|result| result.error.clone()).collect::<Vec<_>>(), [None, None, None]);
    let text = &results[1].findings[0].text;
    assert_eq!(
        text,
        "[7, 1.5, \"text\", 5 GB, 80%, 2 hours, 2026-11-22, 2026-11-22 07:05, [true]]  nothing true"
    );
    assert!(results[2].memory.is_none(), "as it was: nothing to keep");
    let kept = results[1].memory.as_ref().unwrap();
    assert_eq!(kept.0.keys().collect::<Vec<_>>(), ["all", "first"]);

    let memory = Arc::new(Memory([("first".to_owned(), Remembered::Bool(false))].into()));
    let outcome = rules.evaluate_knowing(&rule("r"), &on_usage(), &input(Some(sim()), "en"), &memory);
    assert!(outcome.error.is_some(), "what was never remembered is absent, and has no fourth value");
}

/// However the rules of a step are mixed, each sees its own past, and a failure of one is not the other's.
#[test]
fn answers_come_in_the_order_of_the_questions() {
    let folder = Folder::new();
    let counts = r#"fn on_usage(sim) { let n = recall("n", 0) + 1; remember("n", n); remind(`k${n}`, "x"); }
        fn on_health(health) { throw "unwell"; }"#;
    for name in ["a", "b"] {
        folder.write(&format!("{name}.rhai"), counts);
    }
    let rules = folder.load();
    let asked = |name: &str, trigger: &Trigger| Evaluation {
        rule: rule(name),
        trigger: trigger.clone(),
        input: input(Some(sim()), "en"),
        memory: Arc::default(),
    };
    let (usage, health) = (on_usage(), Trigger::Health);
    let questions = [
        ("b", &usage, "k1"),
        ("a", &usage, "k1"),
        ("b", &health, "unwell"),
        ("a", &usage, "k2"),
        ("b", &usage, "k2"),
        ("b", &health, "unwell"),
        ("a", &health, "unwell"),
        ("a", &usage, "k3"),
    ];
    let results = rules.evaluate_all(questions.iter().map(|(name, on, _)| asked(name, on)).collect());
    assert_eq!(results.len(), questions.len());
    for (result, (name, trigger, says)) in results.iter().zip(questions) {
        assert_eq!((&result.rule, &result.trigger), (&rule(name), trigger));
        match &result.error {
            Some(error) => assert!(error.contains(says), "{error}"),
            None => assert_eq!(result.findings[0].key.as_str(), says),
        }
    }
}

#[test]
fn a_rule_that_fails_remembers_nothing_and_wants_nothing() {
    let text = "fn on_usage(sim) { remember(\"n\", 1); disconnect(\"k\"); resolve(\"x\"); throw \"no\"; }";
    let outcome = ask(text, &on_usage(), &input(Some(sim()), "en"));
    assert!(outcome.error.is_some());
    assert_eq!((outcome.memory, outcome.actions.len(), outcome.resolved.len()), (None, 0, 0));
}

#[test]
fn the_end_of_a_cycle_and_the_beginning_of_the_next() {
    let ended = EndedCycle {
        start: "2026-10-22".to_owned(),
        end: "2026-11-22".to_owned(),
        used_bytes: 8_400_000_000,
        allowance_bytes: Some(10_000_000_000),
    };
    let trigger = Trigger::CycleEnded { sim: iccid(), ended };
    let text = r#"fn on_cycle_end(sim, ended) {
        remind("end", `${sim.name} ${ended.start} ${ended.end - 1.day} ${ended.used} of ${ended.allowance}, ${ended.share}`);
    }"#;
    let heard = said(text, &trigger, &input(Some(sim()), "en"));
    assert_eq!(heard, "router 2026-10-22 2026-11-21 8.4 GB of 10 GB, 84%");
    let began = Trigger::CycleBegan { sim: iccid() };
    let heard =
        said("fn on_cycle_start(sim) { remind(\"k\", sim.name); }", &began, &input(Some(sim()), "en"));
    assert_eq!(heard, "router");
}

#[test]
fn another_sim() {
    let other = simbell_core::ident::Iccid::new("8949000000000000026").unwrap();
    let mut second = sim();
    second.iccid = other.clone();
    second.name = "Tablet".to_owned();
    let both = Arc::new(RuleInput { sims: [sim(), second].into(), ..(*input(Some(sim()), "en")).clone() });
    let text = "fn on_sim_change(sim, before) { remind(\"k\", `${sim.name} instead of ${if before == () { \"?\" } else { before.name }}`); }";
    let swap = |before| Trigger::SimChanged { sim: iccid(), before };
    assert_eq!(said(text, &swap(other), &both), "router instead of Tablet");
    let unknown = simbell_core::ident::Iccid::new("8949000000000000034").unwrap();
    assert_eq!(said(text, &swap(unknown), &both), "router instead of ?");
}

fn modem(tail: &str, lost: bool) -> ModemFacts {
    let _ = ModemId::new(tail).unwrap();
    ModemFacts {
        name: "Example LTE".to_owned(),
        tail: tail.to_owned(),
        present: !lost,
        lost_since: lost.then(|| Timestamp::from_millis(NOW.as_millis() - 600_000)),
        state: (!lost).then_some(ModemState::Connected),
        unusable: None,
        sim: Some(iccid()),
        network: (!lost).then(|| "Net\u{202e}work".to_owned()),
        access: vec!["lte".to_owned()],
        signal_percent: Some(70),
    }
}

#[test]
fn modems_that_are_there_and_lost() {
    let modems: Arc<[ModemFacts]> = [modem("1481", false), modem("1499", true)].into();
    let known = Arc::new(RuleInput { modems, ..(*input(Some(sim()), "en")).clone() });
    let text = r#"fn on_modems(modems) {
        for modem in modems {
            if !modem.present {
                remind(`lost-${modem.id}`, `${modem.name} (${modem.sim}) is lost for ${modem.lost_for}, since ${modem.lost_since}`);
            } else {
                remind(`here-${modem.id}`, `${modem.state} in ${modem.network} by ${modem.access}, ${modem.signal}`);
            }
        }
    }"#;
    let heard = said(text, &Trigger::Modems, &known);
    assert_eq!(
        heard,
        "connected in Network by [\"lte\"], 70%\nExample LTE (router) is lost for 10 minutes, since 2026-11-22 06:55"
    );
    let of_sim =
        said("fn on_usage(sim) { remind(\"k\", `${sim.modem.id} ${modems().len()}`); }", &on_usage(), &known);
    assert_eq!(of_sim, "1481 2");
}

#[test]
fn what_a_rule_may_have_done_is_named_by_both_its_manifest_and_the_configuration() {
    let folder = Folder::new();
    let manifest = |permissions: &str| {
        format!("api = 1\nname = \"p\"\nkind = \"rule\"\ndescription = \"x\"\npermissions = {permissions}\n")
    };
    folder.write("plugins/p/plugin.toml", &manifest("[\"send-sms\", \"disconnect\"]"));
    folder.write("plugins/p/main.rhai", "fn on_usage(sim) {}");
    folder.write("own/o.rhai", "fn on_usage(sim) {}");
    let load = |allowed: &[(&str, Vec<Permission>)]| {
        let set = RuleSet::load(&LoadOptions {
            user_dir: Some(folder.path().join("own")),
            plugin_dirs: vec![folder.path().join("plugins")],
            allowed: allowed.iter().map(|(name, may)| ((*name).to_owned(), may.clone())).collect(),
            ..LoadOptions::default()
        });
        set.descriptions().into_iter().map(|rule| (rule.name.to_string(), rule.may)).collect::<Vec<_>>()
    };
    let named = |o, p| vec![("o".to_owned(), o), ("p".to_owned(), p)];
    assert_eq!(load(&[]), named(vec![], vec![]));
    let both = vec![Permission::SendSms, Permission::SendUssd];
    let allowed = load(&[("p", both.clone()), ("o", both.clone())]);
    assert_eq!(allowed, named(both, vec![Permission::SendSms]), "its manifest does not name send-ussd");
    folder.write("plugins/p/plugin.toml", &manifest("[\"send-smoke\"]"));
    let set = RuleSet::load(&LoadOptions {
        plugin_dirs: vec![folder.path().join("plugins")],
        ..LoadOptions::default()
    });
    let problem = set.descriptions().pop().unwrap().problem.unwrap();
    assert!(
        problem.contains("plugin.toml:5:") && problem.contains("`send-smoke` is no permission"),
        "{problem}"
    );
}
