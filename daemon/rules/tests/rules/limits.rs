//! Each limit by itself: what meets it exactly is done, what is one beyond it is ended or refused, and the error names
//! the limit's key in the configuration.

use std::time::Duration;

use simbell_rules::{Limits, LoadOptions, Outcome, RuleSet};

use crate::inputs::{Folder, input, on_usage, rule, sim};

/// What comes of a file under these limits.
fn outcome(limits: Limits, text: &str) -> Outcome {
    let folder = Folder::new();
    folder.write("r.rhai", text);
    let options = LoadOptions { user_dir: Some(folder.path().to_owned()), limits, ..LoadOptions::default() };
    RuleSet::load(&options).evaluate(&rule("r"), &on_usage(), &input(Some(sim()), "en"))
}

fn usage(body: &str) -> String {
    format!("fn on_usage(sim) {{ {body} }}")
}

/// `within` is done, `beyond` ends by this limit and no other.
fn meets(key: &str, limits: Limits, within: &str, beyond: &str) {
    let fits = outcome(limits, within);
    assert_eq!(fits.error, None, "{key}: {within}");
    let error = outcome(limits, beyond).error.unwrap_or_else(|| panic!("{key} lets through: {beyond}"));
    assert!(error.contains(&format!("`{key}` in [rules.limits]")), "{key}: {error}");
}

#[test]
fn operations() {
    let text = usage("let n = 0; for i in 0..10 { n += i; }");
    let used = outcome(Limits::default(), &text).stats.operations;
    let most = |operations| Limits { operations, ..Limits::default() };
    assert_eq!(outcome(most(used), &text).error, None);
    let error = outcome(most(used - 1), &text).error.expect("ended");
    assert!(
        error.contains("too many operations") && error.contains("`operations` in [rules.limits]"),
        "{error}"
    );
}

#[test]
fn time() {
    let limits = Limits { deadline: Duration::from_millis(20), operations: u64::MAX, ..Limits::default() };
    meets("time", limits, &usage("let x = 1;"), &usage("loop { let x = 1; }"));
}

#[test]
fn memory() {
    let limits = Limits { memory: 50_000, array_elements: 10_000, ..Limits::default() };
    let fill = |count| usage(&format!("let l = []; for i in 0..{count} {{ l.push(i); }}"));
    meets("memory", limits, &fill(500), &fill(5_000));
    let error = outcome(limits, &fill(5_000)).error.expect("ended");
    assert!(error.contains("held more than 50000 bytes of memory"), "{error}");
}

#[test]
fn stack() {
    let limits = Limits { stack: 200_000, call_levels: 1_000, ..Limits::default() };
    let deep = |count| format!("{} fn f(n) {{ if n > 0 {{ f(n - 1); }} }}", usage(&format!("f({count});")));
    meets("stack", limits, &deep(1), &deep(500));
}

#[test]
fn calls() {
    let limits = Limits { call_levels: 5, ..Limits::default() };
    let deep = |count| format!("{} fn f(n) {{ if n > 1 {{ f(n - 1); }} }}", usage(&format!("f({count});")));
    meets("calls", limits, &deep(5), &deep(6));
}

#[test]
fn nesting() {
    let limits = Limits { expression_depth: 10, ..Limits::default() };
    let deep = |count: usize| usage(&format!("let x = {}1{};", "(1 + ".repeat(count), ")".repeat(count)));
    meets("nesting", limits, &deep(2), &deep(3));
}

#[test]
fn text() {
    let limits = Limits { string_bytes: 12, ..Limits::default() };
    meets(
        "text",
        limits,
        &usage("let x = \"123456\" + \"789012\";"),
        &usage("let x = \"123456\" + \"7890123\";"),
    );
    meets("text", limits, &usage("let x = \"123456789012\";"), &usage("let x = \"1234567890123\";"));
    meets(
        "text",
        limits,
        &usage("let x = \"aa\"; x.replace(\"a\", \"123456\");"),
        &usage("let x = \"aa\"; x.replace(\"a\", \"123456789012\");"),
    );
}

#[test]
fn items() {
    let limits = Limits { array_elements: 3, ..Limits::default() };
    // A literal of as many is one too many already.
    meets("items", limits, &usage("let x = [1, 2];"), &usage("let x = [1, 2, 3, 4];"));
    meets(
        "items",
        limits,
        &usage("let x = [1, 2]; x.push(3);"),
        &usage("let x = [1, 2]; x.push(3); x.push(4);"),
    );
}

#[test]
fn entries() {
    let limits = Limits { map_entries: 2, ..Limits::default() };
    meets("entries", limits, &usage("let x = #{ a: 1, b: 2 };"), &usage("let x = #{ a: 1, b: 2, c: 3 };"));
    meets(
        "entries",
        limits,
        &usage("let x = #{ a: 1 }; x.set(\"b\", 2);"),
        &usage("let x = #{ a: 1, b: 2 }; x.set(\"c\", 3);"),
    );
}

#[test]
fn variables() {
    let limits = Limits { variables: 3, ..Limits::default() };
    meets("variables", limits, &usage("let a = 1; let b = 2;"), &usage("let a = 1; let b = 2; let c = 3;"));
}

#[test]
fn functions() {
    let limits = Limits { functions: 2, ..Limits::default() };
    let one = format!("{} fn a() {{ }}", usage(""));
    meets("functions", limits, &one, &format!("{one} fn b() {{ }}"));
}

#[test]
fn file() {
    let text = usage("let x = 1;");
    let limits = Limits { source_bytes: text.len(), ..Limits::default() };
    meets("file", limits, &text, &format!("{text} "));
}

#[test]
fn reminders() {
    let limits = Limits { findings: 2, ..Limits::default() };
    let some = |count| usage(&format!("for i in 0..{count} {{ remind(`k${{i}}`, \"t\"); }}"));
    meets("reminders", limits, &some(2), &some(3));
    let over = |count| usage(&format!("for i in 0..{count} {{ resolve(`k${{i}}`); }}"));
    meets("reminders", limits, &over(2), &over(3));
}

#[test]
fn reminder_text() {
    // A text too long is cut: half a reminder is better than none.
    let limits = Limits { text_chars: 5, ..Limits::default() };
    let said =
        |text| outcome(limits, &usage(&format!("remind(\"k\", \"{text}\");"))).findings[0].text.clone();
    assert_eq!((said("12345"), said("123456")), ("12345".to_owned(), "1234…".to_owned()));
}

#[test]
fn remembered() {
    let limits = Limits { memory_keys: 2, ..Limits::default() };
    let some = |count| usage(&format!("for i in 0..{count} {{ remember(`k${{i}}`, i); }}"));
    meets("remembered", limits, &some(2), &some(3));
}

#[test]
fn remembered_bytes() {
    let limits = Limits { memory_bytes: 200, ..Limits::default() };
    let some = |count: usize| usage(&format!("remember(\"k\", \"{}\");", "x".repeat(count)));
    meets("remembered_bytes", limits, &some(100), &some(200));
}

#[test]
fn actions() {
    let limits = Limits { actions: 2, ..Limits::default() };
    let some = |count| usage(&format!("for i in 0..{count} {{ send_ussd(`k${{i}}`, \"*100#\"); }}"));
    meets("actions", limits, &some(2), &some(3));
}

#[test]
fn schedules() {
    let limits = Limits { schedules: 2, ..Limits::default() };
    let some = |list: &str| format!("{} fn schedule() {{ [{list}] }} fn on_schedule(sim) {{ }}", usage(""));
    meets(
        "schedules",
        limits,
        &some("at(\"7:00\"), every(1.day)"),
        &some("at(\"7:00\"), every(1.day), at(\"8:00\")"),
    );
}

#[test]
fn constant_items() {
    let limits = Limits { constant_elements: 3, ..Limits::default() };
    let list = |list: &str| format!("const L = [{list}]; {}", usage(""));
    meets("constant_items", limits, &list("1, 2, 3"), &list("1, [2, 3]"));
}
