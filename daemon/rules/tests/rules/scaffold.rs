//! What `rules new` writes: it has no problem, its tests pass and reach every line, and bad names are refused.

use simbell_rules::{Subject, check_file, check_plugin, new_rule, run_tests};

use crate::inputs::Folder;
use crate::trials::{failures, options};

const KINDS: [&str; 5] = ["usage", "schedule", "sms", "roaming", "health"];

#[test]
fn what_is_written_is_without_a_problem_and_passes_its_tests() {
    for kind in KINDS {
        for plugin in [false, true] {
            let folder = Folder::new();
            for file in new_rule("my-rule", kind, plugin).expect("a rule") {
                assert!(!file.text.contains("NAME") && file.text.ends_with('\n'), "{kind}: {}", file.text);
                folder.write(&file.path, &file.text);
            }
            let path = folder.path().join(if plugin { "my-rule" } else { "my-rule.rhai" });
            let problems = if plugin { check_plugin(&path) } else { check_file(&path) };
            assert_eq!(problems, [], "{kind}");
            let report = run_tests(&Subject::of(&path), &options());
            assert_eq!(failures(&report), "", "{kind}, plugin {plugin}");
            assert!(!report.ran.is_empty() && report.unreached.is_empty(), "{kind}: {:?}", report.unreached);
        }
    }
}

#[test]
fn bad_names_and_kinds_are_refused_with_the_reason() {
    let refused = |name: &str, kind: &str| {
        let error = new_rule(name, kind, false).expect_err(name);
        format!("{}; {}", error.message, error.hint)
    };
    for (name, expected) in [
        ("", "a rule needs a name; a name has small letters a-z, digits and `-`, such as `little-left`"),
        (
            "Little Left",
            "`Little Left` is no name for a rule: it has `L`; a name has small letters a-z, digits and `-`: `little-left`",
        ),
        (
            "../etc/passwd",
            "`../etc/passwd` is no name for a rule: it has `.`; a name has small letters a-z, digits and `-`: `etc-passwd`",
        ),
        (
            "流量",
            "`流量` is no name for a rule: it has `流`; a name has small letters a-z, digits and `-`, such as `little-left`",
        ),
        (
            "-x",
            "`-x` is no name for a rule: it begins with a letter, and does not end with `-`; a name has small letters a-z, digits and `-`: `x`",
        ),
        (
            "1x",
            "`1x` is no name for a rule: it begins with a letter, and does not end with `-`; a name has small letters a-z, digits and `-`: `x`",
        ),
    ] {
        assert_eq!(refused(name, "usage"), expected);
    }
    assert!(refused(&"x".repeat(41), "usage").starts_with("the name has 41 characters: 40 at most"));
    assert_eq!(refused("x", "usages"), "there is no kind `usages`; did you mean `usage`?");
    assert_eq!(refused("x", "y"), "there is no kind `y`; kinds are: usage, schedule, sms, roaming, health");
}
