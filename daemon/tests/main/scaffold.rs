//! `simbelld new-rule` and `simbelld reference`, as simbellctl executes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of this test's own, empty.
fn temp_dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("simbell-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn simbelld(dir: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simbelld")).args(words).current_dir(dir).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_new_rule_is_written_once_and_says_what_to_do_next() {
    let dir = temp_dir("new-rule");
    let written = simbelld(&dir, &["new-rule", "--dir", "own", "--", "little-left"]);
    assert!(written.status.success(), "{written:?}");
    let text = said(&written);
    for part in ["wrote own/little-left.rhai", "little-left.test.rhai", "rules check", "rules test", "reload"]
    {
        assert!(text.contains(part), "{text}");
    }
    let rule = dir.join("own/little-left.rhai");
    fs::write(&rule, "// mine\n").unwrap();
    let again = simbelld(&dir, &["new-rule", "--dir", "own", "little-left"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        said(&again).contains("own/little-left.rhai is there already, and is left as it is"),
        "{again:?}"
    );
    assert_eq!(fs::read_to_string(&rule).unwrap(), "// mine\n");
    let bad = simbelld(&dir, &["new-rule", "--json", "--dir", "own", "../x"]);
    let answer: serde_json::Value = serde_json::from_slice(&bad.stdout).unwrap();
    assert_eq!(answer["ok"], false);
    assert!(answer["error"].as_str().unwrap().contains("../x"), "{answer}");
    assert!(!dir.join("x.rhai").exists());
}

#[test]
fn a_plugin_is_a_folder_and_checks_well() {
    let dir = temp_dir("new-plugin");
    let written =
        simbelld(&dir, &["new-rule", "--plugin", "--kind", "sms", "--dir", ".", "--json", "from-carrier"]);
    let answer: serde_json::Value = serde_json::from_slice(&written.stdout).unwrap();
    assert_eq!(
        (answer["ok"].as_bool(), answer["files"].as_array().unwrap().len()),
        (Some(true), 6),
        "{answer}"
    );
    let checked = simbelld(&dir, &["check", "--only", "rules", "--rules", "from-carrier"]);
    assert!(checked.status.success(), "{checked:?}");
    let again = simbelld(&dir, &["new-rule", "--plugin", "--dir", ".", "from-carrier"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
}

#[test]
fn the_reference_tells_one_thing_or_all() {
    let dir = temp_dir("reference");
    let one = said(&simbelld(&dir, &["reference", "every"]));
    assert_eq!(
        one,
        "Schedules\n  every(span: Span) -> Schedule\n      Again and again after that span.\n      every(10.minutes)\n"
    );
    let all = said(&simbelld(&dir, &["reference"]));
    assert!(all.lines().count() > 500 && all.contains("fn on_usage(sim)"), "{all}");
    let wrong = simbelld(&dir, &["reference", "remnid"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("hint: did you mean `remind`?"), "{wrong:?}");
    let json = said(&simbelld(&dir, &["reference", "--json", "Sim.share"]));
    let entry: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(entry["form"], "Sim.share: Percent?");
}
