//! What is said of a wrong rule: file, line, column, what, the line itself, and what to do.

use crate::inputs::{Folder, ask, bare_sim, input, on_usage, sim};
use simbell_rules::check_file;

/// The problem that keeps `text` from being loaded.
fn refused(text: &str) -> String {
    let folder = Folder::new();
    folder.write("r.rhai", text);
    let description = folder.load().descriptions().pop().expect("one rule");
    let problem = description.problem.expect("a problem");
    problem.replace(&format!("{}/", folder.path().display()), "")
}

/// The error that `text` ends with.
fn failed(text: &str) -> String {
    ask(text, &on_usage(), &input(Some(sim()), "en")).error.expect("an error")
}

/// Compares, showing both in full.
#[track_caller]
fn says(given: &str, expected: &str) {
    assert!(given == expected, "it says:\n{given}\nexpected:\n{expected}");
}

#[test]
fn syntax_errors() {
    says(
        &refused("fn on_usage(sim) {\n    if sim.share >= 80.percent {\n        remind(\"a\", \"b\")\n"),
        r#"r.rhai:2:32: the `{` of line 2 is not closed: the file ends before its `}`
  2 |     if sim.share >= 80.percent {
    |                                ^
  hint: add `}` where the block or the list that begins here is to end"#,
    );
    says(
        &refused("fn on_usage(sim) {\n    let x = ;\n}\n"),
        r#"r.rhai:2:13: unexpected ';'
  2 |     let x = ;
    |             ^"#,
    );
    says(
        &refused("fn on_usage(sim) {\n\tlet 数 = 5.GB; if sim.used > { }\n}\n"),
        r#"r.rhai:2:6: `数`, U+6570, is no character of the language
  2 |  let 数 = 5.GB; if sim.used > { }
    |      ^
  hint: names are of a-z, A-Z, 0-9 and _; what is said to people stands in quotes"#,
    );
    says(
        &refused("fn on_usage(sim) { import \"x\" as x; }"),
        r#"r.rhai:1:20: imports stand at the top of a file
  1 | fn on_usage(sim) { import "x" as x; }
    |                    ^
  hint: move it above the first function"#,
    );
    says(
        &refused("fn on_usage(sim) { let f = Fn(\"x\"); }"),
        r#"r.rhai:1:28: reserved keyword 'Fn' is disabled
  1 | fn on_usage(sim) { let f = Fn("x"); }
    |                            ^
  hint: rules have no eval, no function pointers by name and no curry"#,
    );
}

#[test]
fn unknown_names() {
    says(
        &refused("const LIMIT = 5.GB;\nfn on_usage(sim) {\n    if sim.used > LIMTI { }\n}\n"),
        r#"r.rhai:3:19: unknown variable `LIMTI`
  3 |     if sim.used > LIMTI { }
    |                   ^
  hint: did you mean `LIMIT`?"#,
    );
    says(
        &refused("fn on_usage(sim) {\n    if smi.used > 5.GB { }\n}\n"),
        r#"r.rhai:2:8: unknown variable `smi`
  2 |     if smi.used > 5.GB { }
    |        ^
  hint: did you mean `sim`?"#,
    );
    says(
        &refused(
            "fn on_usage(sim) {\n    let big = 5.GB;\n    let l = sims().filter(|s| s.used > big);\n}\n",
        ),
        r#"r.rhai:3:40: an anonymous function does not see `big`
  3 |     let l = sims().filter(|s| s.used > big);
    |                                        ^
  hint: it sees its parameters and the constants of the file: make it a `const`, or use a `for` loop"#,
    );
    says(
        &failed("fn on_usage(sim) {\n    remnid(\"a\", \"b\");\n}\n"),
        r#"r.rhai:2:5: unknown function `remnid`
  2 |     remnid("a", "b");
    |     ^
  hint: did you mean `remind`?"#,
    );
    says(
        &failed("fn on_usage(sim) {\n    remind(\"a\");\n}\n"),
        r#"r.rhai:2:5: `remind` does not take string
  2 |     remind("a");
    |     ^
  hint: write it as `remind("key", "text")` or `remind("key", "text", #{ urgency: "warning" })`"#,
    );
    says(
        &failed("fn on_usage(sim) {\n    if sim.shares > 80.percent { }\n}\n"),
        r#"r.rhai:2:12: Sim has no property `shares`
  2 |     if sim.shares > 80.percent { }
    |            ^
  hint: did you mean `share`?"#,
    );
    says(
        &failed("fn on_usage(sim) {\n    let x = 5.Gb;\n}\n"),
        r#"r.rhai:2:15: a number has no property `Gb`
  2 |     let x = 5.Gb;
    |               ^
  hint: did you mean `GB`?"#,
    );
    says(
        &failed("fn on_usage(sim) {\n    let x = sim.cycle.finish;\n}\n"),
        r#"r.rhai:2:23: Cycle has no property `finish`
  2 |     let x = sim.cycle.finish;
    |                       ^
  hint: it has: start, end, days_left, time_left, last"#,
    );
    says(
        &failed("fn on_usage(sim) {\n    let x = settings.steps;\n}\n"),
        r#"r.rhai:2:21: this rule has no settings
  2 |     let x = settings.steps;
    |                     ^
  hint: a plugin declares them in its plugin.toml; in a single file, write a `const`"#,
    );
    says(
        &failed("fn helper(s) {\n    s.usde\n}\nfn on_usage(sim) {\n    helper(sim);\n}\n"),
        r#"r.rhai:2:7: Sim has no property `usde`
  2 |     s.usde
    |       ^
  hint: did you mean `used`?"#,
    );
}

#[test]
fn wrong_types_and_absent_values() {
    says(
        &failed("fn on_usage(sim) {\n    if sim.used > 5 { }\n}\n"),
        r#"r.rhai:2:17: `>` cannot compare DataSize with a plain number
  2 |     if sim.used > 5 { }
    |                 ^
  hint: a number needs a unit: 5.GB, 500.MB"#,
    );
    says(
        &failed("fn on_usage(sim) {\n    let x = sim.used + 5;\n}\n"),
        r#"r.rhai:2:22: `+` does not work on DataSize, number
  2 |     let x = sim.used + 5;
    |                      ^
  hint: a number needs a unit here, as in 5.GB"#,
    );
    says(
        &failed("fn on_usage(sim) {\n    let x = sim.forecast.exhausted_at.date;\n}\n"),
        r#"r.rhai:2:39: `.date` of an absent value, `()`
  2 |     let x = sim.forecast.exhausted_at.date;
    |                                       ^
  hint: test the value first, as in `if sim.cycle != () { … }`"#,
    );
    says(
        &failed("fn on_usage(sim) {\n    sim.used = 5.GB;\n}\n"),
        r#"r.rhai:2:9: `used` cannot be set: what a rule sees is read-only
  2 |     sim.used = 5.GB;
    |         ^
  hint: keep a value of your own, as in `let used = …;`"#,
    );
    let bare = |text: &str| ask(text, &on_usage(), &input(Some(bare_sim()), "en")).error.expect("an error");
    says(
        &bare("fn on_usage(sim) {\n    if sim.share >= 80.percent { }\n}\n"),
        r#"r.rhai:2:18: the left side of `>=` is absent, `()`
  2 |     if sim.share >= 80.percent { }
    |                  ^
  hint: test it first, as in `if sim.share != () && sim.share >= …`"#,
    );
    says(
        &bare("fn on_usage(sim) {\n    if sim.cycle.days_left < 3 { }\n}\n"),
        r#"r.rhai:2:18: `.days_left` of an absent value, `()`
  2 |     if sim.cycle.days_left < 3 { }
    |                  ^
  hint: test the value first, as in `if sim.cycle != () { … }`"#,
    );
    says(
        &bare("fn on_usage(sim) {\n    let x = sim.remaining - 1.GB;\n}\n"),
        r#"r.rhai:2:27: `-` does not work on (), DataSize
  2 |     let x = sim.remaining - 1.GB;
    |                           ^
  hint: a value on one side is absent, `()`: test it first, as in `if x != () { … }`"#,
    );
    says(
        &bare("fn on_usage(sim) {\n    if sim.roaming { remind(\"a\", \"b\"); }\n}\n"),
        r#"r.rhai:2:11: this is (), but bool is needed here
  2 |     if sim.roaming { remind("a", "b"); }
    |           ^
  hint: an absent value, `()`, is neither true nor false: write `if sim.roaming == true`"#,
    );
}

#[test]
fn hooks_and_schedules() {
    says(
        &refused("fn on_usage() { }\n"),
        r#"r.rhai:1:1: the hook `on_usage` does not take 0 values
  1 | fn on_usage() { }
    | ^
  hint: write it as `fn on_usage(sim)`"#,
    );
    says(
        &refused("\nfn on_use(sim) { }\n"),
        r#"r.rhai:2:1: there is no hook `on_use`
  2 | fn on_use(sim) { }
    | ^
  hint: did you mean `on_usage`?"#,
    );
    says(
        &refused("fn helper() { }\n"),
        r#"r.rhai: the rule has no hook, so nothing would ever call it
  hint: hooks are fn on_usage(sim), fn on_roaming(sim), fn on_sms(sim, sms), fn on_sms(sms), fn on_schedule(sim), fn on_schedule(), fn on_cycle_start(sim), fn on_cycle_end(sim, ended), fn on_sim_change(sim, before), fn on_modems(modems), fn on_health(health)"#,
    );
    says(
        &refused("fn on_schedule(sim) { }\n"),
        r#"r.rhai:1:1: the rule has `on_schedule`, but no `schedule()` that says when
  1 | fn on_schedule(sim) { }
    | ^
  hint: add `fn schedule() { daily("07:00") }`"#,
    );
    says(
        &refused("fn schedule() { daily(\"07:00\") }\nfn on_usage(sim) { }\n"),
        r#"r.rhai:1:1: the rule has `schedule()`, but no `on_schedule(sim)` to be called then
  1 | fn schedule() { daily("07:00") }
    | ^
  hint: add `fn on_schedule(sim) { … }`, or `fn on_schedule() { … }` where no SIM is meant"#,
    );
    says(
        &refused("fn schedule() { \"07:00\" }\nfn on_schedule(sim) { }\n"),
        r#"r.rhai:1:1: `schedule()` does not give a time, or a list of 1 to 16 of them
  1 | fn schedule() { "07:00" }
    | ^
  hint: at("07:00"), weekly("mon", "07:00"), monthly("last", "07:00"), cron("0 7 * * mon"), every(10.minutes)"#,
    );
    says(
        &refused("fn schedule() { weekly(\"moon\", \"07:00\") }\nfn on_schedule(sim) { }\n"),
        r#"r.rhai:1:17: `moon` is not a weekday
  1 | fn schedule() { weekly("moon", "07:00") }
    |                 ^
  hint: weekdays are mon, tue, wed, thu, fri, sat or sun"#,
    );
    says(
        &refused("fn schedule() { monthly(32, \"07:00\") }\nfn on_schedule(sim) { }\n"),
        r#"r.rhai:1:17: there is no day 32 in a month
  1 | fn schedule() { monthly(32, "07:00") }
    |                 ^
  hint: write 1 to 31, or "last""#,
    );
    says(
        &refused("let x = 5;\nfn on_usage(sim) { }\n"),
        r#"r.rhai:1:1: the top of a rule has constants and functions only, not `let x`
  1 | let x = 5;
    | ^
  hint: write `const x`, or move it into a function"#,
    );
}

#[test]
fn a_check_runs_every_hook_on_made_up_inputs_and_warns() {
    let folder = Folder::new();
    let path = folder.write(
        "r.rhai",
        "fn on_usage(sim) {\n    if sim.share > 80.percent { }\n}\nfn on_health(health) {\n    for w in health { w.sins; }\n}\n",
    );
    let problems: Vec<String> = check_file(&path).iter().map(ToString::to_string).collect();
    let shown = problems.join("\n").replace(&format!("{}/", folder.path().display()), "");
    says(
        &shown,
        r#"r.rhai:5:25: warning: Warning has no property `sins`
  5 |     for w in health { w.sins; }
    |                         ^
  hint: it has: code, subject, text, since
r.rhai:2:18: warning: the left side of `>` is absent, `()`
  2 |     if sim.share > 80.percent { }
    |                  ^
  hint: test it first, as in `if sim.share != () && sim.share > …`"#,
    );
    let good = folder.write("good.rhai", "fn on_usage(sim) { if sim.plan == () { remind(\"a\", \"b\"); } }");
    assert_eq!(check_file(&good), []);
    assert_eq!(check_file(&folder.path().join("none.rhai")).len(), 1);
}
