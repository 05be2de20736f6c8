//! The guide of those who write rules: every example in it is compiled and run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simbell_rules::{
    Limits, LoadOptions, RuleSet, Severity, Subject, TrialOptions, check_file, check_plugin, run_tests,
};

use crate::inputs::{Folder, ask, bare_sim, input, on_sms, on_usage, rule, sim, used};

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/README.md");
    fs::read_to_string(path).expect("the guide")
}

/// The blocks of one kind, in order.
fn blocks(kind: &str) -> Vec<String> {
    let guide = guide();
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in guide.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some((kind.to_owned(), String::new())),
            (Some(_), Some(_)) => {
                blocks.extend(open.take().filter(|(found, _)| found == kind).map(|(_, text)| text))
            }
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn every_rule_of_the_guide_is_without_a_problem() {
    let rules = blocks("rhai");
    assert!(rules.len() >= 8, "only {} rules found", rules.len());
    let folder = Folder::new();
    for text in rules {
        let path = folder.write("example.rhai", &text);
        let problems: Vec<String> = check_file(&path).iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{text}\n{}", problems.join("\n"));
    }
}

#[test]
fn the_first_rule_reminds_as_the_guide_says() {
    let first = blocks("rhai").into_iter().next().expect("a rule");
    let about = |facts| {
        let outcome = ask(&first, &on_usage(), &input(Some(facts), "en"));
        assert_eq!(outcome.error, None);
        outcome.findings.into_iter().map(|finding| finding.text).collect::<Vec<_>>()
    };
    assert_eq!(about(sim()), [""; 0]);
    assert_eq!(about(bare_sim()), [""; 0]);
    assert_eq!(about(used(9_400_000_000)), ["router: only 600 MB left until 2026-12-01."]);
    // The misspelling that the guide shows, and what is said of it.
    let folder = Folder::new();
    let path = folder
        .write("big-day.rhai", &first.replace("sim.remaining != () && sim.remaining <", "sim.remainig <"));
    let problems = check_file(&path);
    assert_eq!(problems[0].severity, Severity::Warning);
    let said = problems[0].to_string().replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(format!("{said}\n"), blocks("text")[0]);
}

#[test]
fn the_tests_of_the_guide_pass_and_reach_every_line() {
    let folder = Folder::new();
    let path = folder.write("big-day.rhai", &blocks("rhai").into_iter().next().expect("a rule"));
    folder.write("big-day.test.rhai", &blocks("rhai test").into_iter().next().expect("its tests"));
    let options = TrialOptions {
        limits: Limits::default(),
        zones: Arc::new(|name: &str| Err(format!("there is no zone {name}"))),
        filter: None,
        sender: None,
    };
    let report = run_tests(&Subject::of(&path), &options);
    let failed: Vec<_> = report.ran.iter().filter_map(|ran| ran.failure.as_ref()).collect();
    assert!(report.problem.is_none() && failed.is_empty(), "{:?} {failed:?}", report.problem);
    assert_eq!((report.ran.len(), report.unreached.len()), (2, 0));
}

#[test]
fn the_example_of_messages_reminds() {
    let text =
        blocks("rhai").into_iter().find(|text| text.contains("on_sms")).expect("a rule about messages");
    let outcome = ask(&text, &on_sms("80100", "500 MB left"), &input(Some(sim()), "en"));
    assert_eq!(outcome.findings[0].text, "router: 500 MB left");
    assert_eq!(outcome.findings[0].key, "carrier-0a1b2c3d");
    assert_eq!(ask(&text, &on_sms("BANK", "Your code is 1234"), &input(Some(sim()), "en")).findings, []);
}

#[test]
fn the_plugin_of_the_guide_is_without_a_problem() {
    let folder = Folder::new();
    let manifest = blocks("toml").into_iter().next().expect("a manifest");
    let main = blocks("rhai plugin").into_iter().next().expect("a plugin's rule");
    folder.write("big-download/plugin.toml", &manifest);
    folder.write("big-download/main.rhai", &main);
    assert_eq!(check_plugin(&folder.path().join("big-download")), []);
}

#[test]
fn the_texts_of_the_guide_are_without_a_problem_and_said() {
    let folder = Folder::new();
    folder.write("rules.d/told.rhai", &blocks("rhai texts").into_iter().next().expect("a rule with texts"));
    folder.write("texts/told/en.ftl", &blocks("ftl").into_iter().next().expect("its texts"));
    let problems: Vec<String> =
        check_file(&folder.path().join("rules.d/told.rhai")).iter().map(ToString::to_string).collect();
    assert_eq!(problems, [""; 0]);
    let rules = RuleSet::load(&LoadOptions {
        user_dir: Some(folder.path().join("rules.d")),
        texts_dir: Some(folder.path().join("texts")),
        ..LoadOptions::default()
    });
    let outcome = rules.evaluate(&rule("told"), &on_usage(), &input(Some(used(10_000_000_000)), "en"));
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.findings[0].text, "router: all 10 GB used, 9 days before the cycle ends.");
}

#[test]
fn every_shipped_rule_is_in_the_guide() {
    let guide = guide();
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    for entry in fs::read_dir(dir.join("rules")).expect("shipped rules") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(guide.contains(&format!("[{name}](rules/{name}/README.md)")), "{name} is not in the guide");
    }
}

#[test]
fn the_channel_of_the_guide_is_ten_lines_without_a_problem() {
    let manifest =
        blocks("toml").into_iter().find(|text| text.contains("kind = \"channel\"")).expect("a manifest");
    let main = blocks("rhai channel").into_iter().next().expect("a channel's script");
    assert!(main.lines().count() <= 10, "{main}");
    let folder = Folder::new();
    folder.write("doorbell/plugin.toml", &manifest);
    folder.write("doorbell/main.rhai", &main);
    assert_eq!(check_plugin(&folder.path().join("doorbell")), []);
}

#[test]
fn every_shipped_channel_is_in_the_guide_and_without_a_problem() {
    let guide = guide();
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugins/channels");
    let mut count = 0;
    for entry in fs::read_dir(dir).expect("shipped channels") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(
            guide.contains(&format!("[{name}](channels/{name}/README.md)")),
            "{name} is not in the guide"
        );
        let problems: Vec<String> = check_plugin(&path).iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        let readme = fs::read_to_string(path.join("README.md")).expect("its README");
        assert!(readme.contains("\nSource:"), "{name} names no source");
        count += 1;
    }
    assert_eq!(count, 12);
}
