//! The hostile corpus: each script of `tests/hostile` is refused or ended as its first line says, within its memory,
//! on a small stack, and without harm to the rule beside it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use simbell_rules::{Limits, LoadOptions, Outcome, RuleSet};

use crate::inputs::{Folder, input, on_schedule, on_usage, rule, sim};

const GOOD: &str = "fn on_usage(sim) { remind(\"good\", `used ${sim.used}`); }";

/// The cap is asked at each operation, and one operation may at most double what is held.
fn most_bytes() -> u64 {
    Limits::default().memory * 2
}

fn scripts() -> Vec<(String, String)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut scripts: Vec<_> = fs::read_dir(dir)
        .expect("the corpus")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a text"))
        })
        .collect();
    scripts.sort();
    scripts
}

/// Runs one script; what was wrong with how it went, in words.
fn run(name: &str, text: &str) -> Result<(), String> {
    let head = text.lines().next().and_then(|line| line.strip_prefix("// ")).ok_or("no first line")?;
    let (outcome, words) = head.split_once(": ").ok_or("the first line says no outcome")?;
    let folder = Folder::new();
    folder.write(&format!("{name}.rhai"), text);
    folder.write("good.rhai", GOOD);
    // On a machine that is busy, what ends by any other limit must not end by time.
    let rules = RuleSet::load(&LoadOptions {
        user_dir: Some(folder.path().to_owned()),
        limits: Limits { deadline: Duration::from_secs(60), ..Limits::default() },
        language: "en".to_owned(),
        ..LoadOptions::default()
    });
    let description =
        rules.descriptions().into_iter().find(|d| d.name.as_str() == name).ok_or("not described")?;
    let result = match (outcome, description.problem) {
        ("refused", Some(problem)) => located(&problem, words),
        ("refused", None) => Err("it was loaded".to_owned()),
        (_, Some(problem)) => Err(format!("it was refused: {problem}")),
        (_, None) => {
            let mut result = Err("it has no hook that is asked here".to_owned());
            for trigger in [on_usage(), on_schedule()] {
                if description.triggers.iter().all(|kind| kind != trigger.kind()) {
                    continue;
                }
                let ran = rules.evaluate(&rule(name), &trigger, &input(Some(sim()), "en"));
                if ran.stats.peak_bytes > most_bytes() {
                    return Err(format!("it held {} bytes", ran.stats.peak_bytes));
                }
                result = match (outcome, ran.error) {
                    ("ended", Some(error)) if ran.findings.is_empty() => located(&error, words),
                    ("harmless", None) => match ran.findings.first() {
                        Some(finding) if words == "*" || finding.text == words => Ok(()),
                        other => Err(format!("it found {other:?}")),
                    },
                    (_, error) => Err(format!("error {error:?}, findings {:?}", ran.findings)),
                };
            }
            result
        }
    };
    result?;
    let good = rules.evaluate(&rule("good"), &on_usage(), &input(Some(sim()), "en"));
    if good.error.is_some() || good.findings.first().is_none_or(|finding| finding.text != "used 2 GB") {
        return Err(format!("the rule beside it was harmed: {good:?}"));
    }
    Ok(())
}

fn located(problem: &str, words: &str) -> Result<(), String> {
    let escape = problem.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    let place = problem.contains(".rhai:") && !problem.contains(":0:");
    if !problem.contains(words) || !place || escape || problem.len() > 2_000 {
        return Err(format!("it said: {problem:?}"));
    }
    Ok(())
}

#[test]
fn every_hostile_script_ends_as_it_should() {
    // The default stack of a thread, and so of a pool for blocking work.
    let worker = std::thread::Builder::new().stack_size(2 << 20);
    let failures = worker
        .spawn(|| {
            let scripts = scripts();
            assert!(scripts.len() >= 60, "only {} scripts", scripts.len());
            let failed =
                |(name, text): &(String, String)| run(name, text).err().map(|why| format!("{name}: {why}"));
            scripts.iter().filter_map(failed).collect::<Vec<_>>()
        })
        .expect("a thread")
        .join()
        .expect("no panic");
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

/// Everything but one limit out of reach.
fn limited(limits: Limits, body: &str) -> Outcome {
    let folder = Folder::new();
    folder.write("r.rhai", &format!("fn on_usage(sim) {{ {body} }}"));
    let rules = RuleSet::load(&LoadOptions {
        user_dir: Some(folder.path().to_owned()),
        limits,
        ..LoadOptions::default()
    });
    rules.evaluate(&rule("r"), &on_usage(), &input(Some(sim()), "en"))
}

fn roomy() -> Limits {
    Limits {
        operations: 2_000_000,
        deadline: Duration::from_secs(60),
        memory: 1 << 20,
        string_bytes: 1 << 25,
        array_elements: 1 << 20,
        map_entries: 1 << 20,
        ..Limits::default()
    }
}

#[test]
fn the_cap_on_memory_ends_whatever_the_other_limits_let_through() {
    for body in [
        "let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; }",
        "let l = []; loop { l.push(`a string that is too long to be kept in place, and one more ${l.len()}`); }",
        "let m = #{ a: 1 }; loop { m.b = m; m.c = m; }",
        "let l = [1]; loop { l = [l, l]; }",
        "let s = \"x\"; loop { s += s; }",
        "let l = []; loop { l.push(|x| x); l += l; }",
    ] {
        let outcome = limited(roomy(), body);
        let error = outcome.error.expect("it is ended");
        assert!(error.contains("the rule was ended: it held more than 1 MiB of memory"), "{body}: {error}");
        // A list that grows by half and a copy of it at once are the most that one operation adds.
        assert!(outcome.stats.peak_bytes <= 4 << 20, "{body}: {:?}", outcome.stats);
    }
}

#[test]
fn operations_and_time_are_limited_each_by_itself() {
    let few = Limits { operations: 1_000, ..roomy() };
    let outcome = limited(few, "loop { let x = 1; }");
    assert!(outcome.error.expect("ended").contains("the rule was ended: too many operations"));
    assert_eq!(outcome.stats.operations, 1_000);
    let short = Limits { operations: u64::MAX, deadline: Duration::from_millis(20), ..roomy() };
    let caught = limited(short, "loop { try { loop { let x = 1; } } catch { } }");
    assert!(caught.error.expect("ended").contains("the rule was ended: it ran for too long"));
}

#[test]
fn what_a_run_held_is_given_back() {
    let folder = Folder::new();
    folder.write("r.rhai", "fn on_usage(sim) { let l = []; for i in 0..100 { l.push(`number ${i}`); } }");
    let rules = folder.load();
    let input = input(Some(sim()), "en");
    for _ in 0..5 {
        let _ = rules.evaluate(&rule("r"), &on_usage(), &input);
    }
    let meter = simbell_alloc::Meter::arm();
    for _ in 0..200 {
        let outcome = rules.evaluate(&rule("r"), &on_usage(), &input);
        assert_eq!(outcome.error, None);
    }
    let kept = simbell_alloc::held();
    drop(meter);
    assert!(kept.abs() < 10_000, "200 runs kept {kept} bytes");
}
