//! The reference and the editor's definitions are those of the engine, and what they tell of values is so.
//! `SIMBELL_WRITE=1` writes the files anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use simbell_core::health::WarningCode;
use simbell_core::observation::Calibration;
use simbell_core::view::{RuleInput, SimFacts, Trigger};
use simbell_rules::reference::{
    EntryKind, channel_definitions, definitions, entries, markdown, standard_definitions, test_definitions,
};

use crate::inputs::{ask, bare_sim, input, on_schedule, on_sms, on_usage, sim, unwell};

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")
}

#[test]
fn the_files_are_current() {
    let files = [
        ("REFERENCE.md", markdown()),
        ("definitions/simbell.d.rhai", definitions()),
        ("definitions/channels.d.rhai", channel_definitions()),
        ("definitions/tests.d.rhai", test_definitions()),
        ("definitions/rhai.d.rhai", standard_definitions()),
    ];
    for (name, text) in files {
        let path = plugins().join(name);
        if env::var_os("SIMBELL_WRITE").is_some() {
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(&path, &text).expect("written");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "plugins/{name} is not current: SIMBELL_WRITE=1 cargo test -p simbell-rules");
    }
}

/// What a rule of one hook, with this body, says under the key `said`.
fn said(hook: &str, body: &str, trigger: &Trigger, input: &Arc<RuleInput>) -> String {
    let schedule = if hook.contains("on_schedule") { "fn schedule() { daily(\"07:00\") }" } else { "" };
    let rule = format!("fn {hook} {{ {body} }}\n{schedule}\n");
    let outcome = ask(&rule, trigger, input);
    assert_eq!(outcome.error, None, "{rule}");
    outcome.findings.first().map(|finding| finding.text.clone()).expect("it reminds")
}

#[test]
fn examples_of_what_rhai_brings_hold() {
    let words = ["Any value", "Strings", "Lists", "Maps", "Numbers", "Ranges"];
    let mut count = 0;
    for entry in entries().into_iter().filter(|entry| words.contains(&entry.section.as_str())) {
        let only_run = entry.name == "print" || entry.name == "debug";
        let body = if only_run {
            format!("{}; remind(\"said\", \"true\");", entry.example)
        } else {
            format!("let held = {}; remind(\"said\", held.to_string());", entry.example)
        };
        assert_eq!(
            said("on_usage(sim)", &body, &on_usage(), &input(Some(sim()), "en")),
            "true",
            "{}",
            entry.form
        );
        count += 1;
    }
    assert!(count > 100, "only {count}");
}

/// A SIM of which everything is known.
fn whole() -> SimFacts {
    let learnt = Calibration { factor: 1_050_000, lowest: 1_000_000, highest: 1_100_000, count: 3 };
    SimFacts {
        calibration: Some(learnt),
        calibrated_bytes: Some(2_100_000_000),
        exhausted_at: Some(crate::inputs::NOW),
        ..sim()
    }
}

/// How a value of a type is come by: the hook, the expression, and the occasion.
fn come_by(owner: &str, facts: SimFacts) -> Option<(&'static str, String, Trigger, Arc<RuleInput>)> {
    let usage = |expression: &str| {
        Some(("on_usage(sim)", expression.to_owned(), on_usage(), input(Some(facts.clone()), "en")))
    };
    match owner {
        "Sim" => usage("sim"),
        "Cycle" => usage("sim.cycle"),
        "Forecast" => usage("sim.forecast"),
        "Calls" => usage("sim.calls"),
        "Messages" => usage("sim.sms"),
        "Calibration" => usage("sim.calibration"),
        "Now" => usage("now()"),
        "DataSize" => usage("5.GB"),
        "Span" => usage("3.days"),
        "Percent" => usage("80.percent"),
        "Date" => usage("now().date"),
        "LocalTime" => usage("now().local"),
        "number" => usage("(5)"),
        "Occasion" => {
            Some(("on_schedule(sim)", "occasion()".to_owned(), on_schedule(), input(Some(facts), "en")))
        }
        "Sms" => {
            Some(("on_sms(sim, sms)", "sms".to_owned(), on_sms("80100", "text"), input(Some(facts), "en")))
        }
        "Warning" => {
            let input = unwell(&[(WarningCode::ChannelFailing, "mail")], "en");
            Some(("on_health(health)", "health[0]".to_owned(), Trigger::Health, input))
        }
        _ => None,
    }
}

#[test]
fn properties_are_of_the_types_that_are_told() {
    let mut count = 0;
    for entry in entries().into_iter().filter(|entry| entry.kind == EntryKind::Property) {
        let (name, told) = entry.form.split_once(": ").expect("a type");
        let (owner, property) = name.split_once('.').expect("an owner");
        for (known, facts) in [(true, whole()), (false, bare_sim())] {
            let Some((hook, expression, trigger, input)) = come_by(owner, facts) else { continue };
            let body = format!(
                "let owner = {expression}; \
                 remind(\"said\", if owner == () {{ \"nobody\" }} else {{ type_of(owner.{property}) }});"
            );
            let given = said(hook, &body, &trigger, &input);
            let given = match given.as_str() {
                "i64" => "int",
                "decimal" => "decimal",
                "array" => "list",
                other => other,
            };
            let absent = given == "()" && told.ends_with('?') || given == "nobody" && !known;
            // Of a modem nothing is known here.
            assert!(given == told.trim_end_matches('?') || absent, "{name} is {given}, not {told}");
            count += 1;
        }
    }
    assert!(count > 150, "only {count}");
}
