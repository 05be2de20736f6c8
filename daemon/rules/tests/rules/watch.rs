//! What an evaluation says about when to ask again: never later than an answer changes.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use rust_decimal::Decimal;
use simbell_core::ident::Iccid;
use simbell_core::view::{RuleInput, SimFacts};
use simbell_core::watch::Watch;
use simbell_rules::{LoadOptions, Outcome, RuleSet};

use crate::inputs::{Folder, ask, bare_sim, input, on_usage, rule, sim, used};

const GB: u64 = 1_000_000_000;

fn watch(text: &str, facts: SimFacts) -> Watch {
    let outcome = ask(text, &on_usage(), &input(Some(facts), "en"));
    assert_eq!(outcome.error, None, "{text}");
    outcome.watch
}

/// Of a condition, at 2 of 10 GB.
fn of(condition: &str) -> Watch {
    watch(&format!("fn on_usage(sim) {{ if {condition} {{ remind(\"k\", \"t\"); }} }}"), used(2 * GB))
}

fn shipped(settings: &str) -> RuleSet {
    RuleSet::load(&LoadOptions {
        plugin_dirs: vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugins")],
        settings: toml::from_str(settings).expect("valid TOML"),
        language: "en".to_owned(),
        ..LoadOptions::default()
    })
}

fn shipped_watch(rules: &RuleSet, name: &str, facts: SimFacts) -> Watch {
    let outcome = rules.evaluate(&rule(name), &on_usage(), &input(Some(facts), "en"));
    assert_eq!(outcome.error, None, "{name}");
    outcome.watch
}

#[test]
fn comparisons_tell_where_they_turn() {
    for (condition, at) in [
        ("sim.used >= 5.GB", Some(5 * GB)),
        ("sim.used > 5.GB", Some(5 * GB)),
        ("5.GB <= sim.used", Some(5 * GB)),
        ("5.GB > sim.used", Some(5 * GB)),
        ("sim.used == 3.GB", Some(3 * GB)),
        ("sim.used != 3.GB", Some(3 * GB)),
        ("sim.used < 1.GB", None),
        ("sim.used == 1.GB", None),
        ("sim.used > 2.GB", Some(2 * GB + 1)),
        ("sim.used == 2.GB", Some(2 * GB + 1)),
        ("sim.used >= 2.GB", None),
        ("sim.share >= 80.percent", Some(8 * GB)),
        ("sim.share >= 80.05.percent", Some(8_005_000_000)),
        ("sim.remaining < 1.GB", Some(9 * GB)),
        ("sim.remaining <= 1.GB", Some(9 * GB)),
        ("sim.remaining >= 9.GB", None),
        ("sim.remaining < 0.B", Some(10 * GB)),
        ("sim.used >= sim.allowance * 80.percent", Some(8 * GB)),
        ("sim.used > sim.remaining", Some(5 * GB)),
        ("sim.used - 1.GB >= sim.allowance / 2", Some(6 * GB)),
        ("-sim.used <= -(4.GB)", Some(4 * GB)),
        ("sim.used * 2 >= 5.GB", Some(2_500_000_000)),
        ("sim.used / 2 >= 2.5.GB", Some(5 * GB)),
        ("sim.used / -2 <= -(2.5.GB)", Some(5 * GB)),
        ("sim.used * 0 >= 5.GB", None),
        ("sim.used - sim.used >= 5.GB", None),
        ("sim.share * 50.percent >= 20.percent", Some(4 * GB)),
        ("sim.allowance * sim.share >= 3.GB", Some(3 * GB)),
        ("100.percent - sim.share <= 10.percent", Some(9 * GB)),
        ("max(sim.used, 3.GB) >= 4.GB", Some(3 * GB)),
        ("min(sim.used, 3.GB) >= 2.5.GB", Some(2_500_000_000)),
        ("sim.used in [3.GB, 4.GB]", Some(3 * GB)),
        ("[sim.used] == [4.GB]", Some(4 * GB)),
        ("sim.used >= 7.GB || sim.used >= 3.GB", Some(3 * GB)),
        ("sim.used >= 3.GB && sim.used >= 2.5.GB", Some(3 * GB)),
        ("sims()[0].used >= 5.GB", Some(5 * GB)),
        ("sim.used >= 99999999999.GB", None),
        ("sim.used_roaming > 1.GB", None),
        ("sim.allowance >= 5.GB", None),
        ("sim.signal < 20.percent", None),
        ("sim.forecast.end_of_cycle > 10.GB", None),
        ("sim.cycle.days_left < 3", None),
        ("1 < 2", None),
    ] {
        assert_eq!(of(condition), Watch { at, unknown: false }, "{condition}");
    }
}

#[test]
fn what_cannot_be_followed_is_said_to_be_unknown() {
    for condition in [
        "sim.used.GB >= 5",
        "sim.share.number >= 80",
        "sim.used / sim.allowance >= 0.8",
        "sim.share * sim.share >= 50.percent",
        "sim.allowance * sim.share * sim.share >= 5.GB",
        "sim.used.MB.floor() % 100 == 0",
        "sim.allowance * sim.share == sim.used",
        "sim.used / 3 * 3 - sim.used == 0.B",
    ] {
        assert_eq!(of(condition), Watch::UNKNOWN, "{condition}");
    }
    assert_eq!(of("sim.used >= 5.GB || sim.used.GB > 7"), Watch { at: Some(5 * GB), unknown: true });
    let abroad = SimFacts { roaming: Some(true), ..used(2 * GB) };
    let text = "fn on_usage(sim) { if sim.used_roaming > 1.GB { remind(\"k\", \"t\"); } }";
    assert_eq!(watch(text, abroad), Watch::UNKNOWN);
}

#[test]
fn another_sim_s_usage_is_not_this_one_s() {
    let other = SimFacts { iccid: Iccid::new("8949000000000000026").expect("valid"), ..used(GB) };
    let facts = used(2 * GB);
    let both = Arc::new(RuleInput {
        sims: Arc::from([other, facts.clone()]),
        ..(*input(Some(facts), "en")).clone()
    });
    let of = |body: &str| ask(&format!("fn on_usage(sim) {{ {body} }}"), &on_usage(), &both).watch;
    assert_eq!(of("if sims()[0].used >= 5.GB { remind(\"k\", \"t\"); }"), Watch::UNKNOWN);
    assert_eq!(of("if sims()[1].used >= 5.GB { remind(\"k\", \"t\"); }"), Watch::at(5 * GB));
    assert_eq!(
        of(
            "let all = 0.GB; for one in sims() { all += one.used; } if all >= 50.GB { remind(\"k\", \"t\"); }"
        ),
        Watch::UNKNOWN
    );
}

#[test]
fn telling_usage_to_people_is_no_comparison() {
    let text = "fn on_usage(sim) { remind(\"k\", `${sim.used}, ${sim.share} used, ${sim.remaining} left`); }";
    assert_eq!(watch(text, sim()), Watch::NOTHING);
    assert_eq!(watch(text, bare_sim()), Watch::NOTHING);
}

#[test]
fn the_shipped_rules_are_followed() {
    let rules = shipped("");
    let thresholds = |bytes| shipped_watch(&rules, "data-thresholds", used(bytes));
    assert_eq!(thresholds(0), Watch::at(5 * GB));
    assert_eq!(thresholds(5 * GB - 1), Watch::at(5 * GB));
    assert_eq!(thresholds(8_130_000_000), Watch { at: Some(10 * GB), unknown: false });
    assert_eq!(thresholds(11 * GB), Watch::NOTHING);
    assert_eq!(shipped_watch(&rules, "data-thresholds", bare_sim()), Watch::NOTHING);
    assert_eq!(shipped_watch(&rules, "no-plan", bare_sim()), Watch::NOTHING);
    assert_eq!(shipped_watch(&rules, "plan-expires", sim()), Watch::NOTHING);
    let running_out = SimFacts { exhausted_at: Some(crate::inputs::NOW), ..sim() };
    assert_eq!(shipped_watch(&rules, "will-run-out", running_out), Watch::at(10 * GB));
}

#[test]
fn a_list_of_settings_is_followed_to_its_nearest_element() {
    let rules = shipped("[data-thresholds]\nsteps = [12.5, \"30%\", 95]");
    for (bytes, at) in [(GB, 1_250_000_000), (1_250_000_000, 3 * GB), (4 * GB, 9_500_000_000)] {
        assert_eq!(shipped_watch(&rules, "data-thresholds", used(bytes)), Watch::at(at), "{bytes}");
    }
}

#[test]
fn millions_of_comparisons_cost_no_memory() {
    let text = "fn on_usage(sim) { let n = 0; while n < 100000 { n += 1; if sim.used > n.MB { n += 1; } } }";
    let folder = Folder::new();
    folder.write("r.rhai", text);
    let limits = simbell_rules::Limits {
        operations: 100_000_000,
        deadline: std::time::Duration::from_secs(120),
        ..simbell_rules::Limits::default()
    };
    let rules = RuleSet::load(&LoadOptions {
        user_dir: Some(folder.path().to_owned()),
        limits,
        ..LoadOptions::default()
    });
    let few = ask("fn on_usage(sim) { if sim.used > 1.MB { } }", &on_usage(), &input(Some(sim()), "en"));
    let many = rules.evaluate(&rule("r"), &on_usage(), &input(Some(sim()), "en"));
    assert_eq!(many.error, None);
    assert!(many.stats.operations > 500_000, "{:?}", many.stats);
    assert!(
        many.stats.peak_bytes < few.stats.peak_bytes + 4096,
        "{} and {}",
        many.stats.peak_bytes,
        few.stats.peak_bytes
    );
    assert!(many.watch.at.is_some_and(|at| at > 2 * GB && at <= 2 * GB + 2_000_000), "{:?}", many.watch);
}

#[test]
fn an_evaluation_knows_nothing_of_the_one_before() {
    let folder = Folder::new();
    folder.write("a.rhai", "fn on_usage(sim) { if sim.used.GB > 5 || sim.used > 3.GB { } }");
    folder.write("b.rhai", "fn on_usage(sim) { if sim.connected { } }");
    folder.write("c.rhai", "fn on_usage(sim) { if sim.used > 3.GB { } throw \"no\"; }");
    let rules = folder.load();
    let ask = |name| rules.evaluate(&rule(name), &on_usage(), &input(Some(sim()), "en"));
    assert_eq!(ask("a").watch, Watch { at: Some(3 * GB), unknown: true });
    assert_eq!(ask("b").watch, Watch::NOTHING);
    let Outcome { watch, error, .. } = ask("c");
    assert!(error.is_some());
    assert_eq!(watch, Watch::NOTHING, "a rule that failed is asked no more");
}

/// What is compared, as text of the rule language.
fn amount() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("sim.used".to_owned()),
        Just("sim.remaining".to_owned()),
        Just("sim.allowance".to_owned()),
        Just("(sim.allowance * sim.share)".to_owned()),
        (0_u64..4_000).prop_map(|n| format!("{n}.B")),
        (0_u64..4_000, 1_u32..1_000).prop_map(|(n, part)| format!("{n}.{part}.kB")),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} - {b})")),
            (inner.clone(), -5_i32..6).prop_map(|(a, by)| format!("({a} * {by})")),
            (inner.clone(), 1_u32..7).prop_map(|(a, by)| format!("({a} / {by})")),
            (inner.clone(), 0_u32..300, 0_u32..100)
                .prop_map(|(a, by, part)| format!("({a} * {by}.{part}.percent)")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("max({a}, {b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("min({a}, {b})")),
        ]
    })
}

fn condition() -> impl Strategy<Value = String> {
    let op = prop_oneof![Just("<"), Just("<="), Just(">"), Just(">="), Just("=="), Just("!=")];
    (amount(), op, amount()).prop_map(|(a, op, b)| format!("{a} {op} {b}"))
}

fn facts(allowance: u64, bytes: u64) -> SimFacts {
    SimFacts {
        used_bytes: bytes,
        allowance_bytes: Some(allowance),
        remaining_bytes: Some(allowance.saturating_sub(bytes)),
        used_share: Decimal::from(bytes).checked_div(Decimal::from(allowance)),
        ..sim()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// Between the usage it was asked at and the one it names, a rule would have answered the same.
    #[test]
    fn no_answer_changes_before_it_is_asked_again(
        conditions in proptest::collection::vec(condition(), 1..4),
        allowance in prop_oneof![1_u64..5_000_000, 1_u64..5_000],
        start in 0_u64..5_000_000,
        steps in proptest::collection::vec(prop_oneof![0_u64..3_000_000, 0_u64..50], 1..12),
    ) {
        let mut text = "fn on_usage(sim) {\n".to_owned();
        for (n, condition) in conditions.iter().enumerate() {
            writeln!(text, "    if {condition} {{ remind(\"k{n}\", \"t\"); }}").unwrap();
        }
        text.push('}');
        let folder = Folder::new();
        folder.write("r.rhai", &text);
        let rules = folder.load();
        let at = |bytes| rules.evaluate(&rule("r"), &on_usage(), &input(Some(facts(allowance, bytes)), "en"));
        let first = at(start);
        prop_assert_eq!(&first.error, &None, "{}", text);
        if let Some(next) = first.watch.at {
            prop_assert!(next > start, "it gets on");
        }
        prop_assume!(!first.watch.unknown);
        // What is left stays at nothing from the allowance on: the core asks there by itself.
        let kink = if start < allowance { allowance } else { u64::MAX };
        let until = first.watch.at.unwrap_or(u64::MAX).min(kink);
        let mut usages: Vec<u64> = steps.iter().map(|step| start + step).filter(|bytes| *bytes < until).collect();
        usages.extend(until.checked_sub(1).filter(|bytes| *bytes > start && until != u64::MAX));
        for bytes in usages {
            prop_assert_eq!(&at(bytes).findings, &first.findings, "at {} of {}: {}", bytes, allowance, text);
        }
    }
}
