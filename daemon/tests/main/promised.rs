//! Every fault that daemon/README.md promises something about names the tests that prove it: they are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const GUIDE: &str = include_str!("../../README.md");

/// Where tests of a package may stand.
fn sources(package: &str) -> PathBuf {
    let daemon = Path::new(env!("CARGO_MANIFEST_DIR"));
    match package {
        "" => daemon.join("tests/main"),
        "control" => daemon.join("src/control"),
        "core" => daemon.join("core/src"),
        "engine" => daemon.join("src/engine"),
        "src" => daemon.join("src"),
        other => daemon.join(other).join("tests"),
    }
}

fn files_below(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

/// Tests of a source: functions marked as one, and those that `everywhere!` makes.
fn tests_of(text: &str) -> BTreeSet<&str> {
    let mut tests = BTreeSet::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        match line {
            "#[test]" | "#[tokio::test]" | "everywhere!(" => marked = true,
            _ if line.starts_with("#[") || line.starts_with("//") => {}
            _ => {
                let name = line.trim_start_matches("async ").trim_start_matches("fn ");
                let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
                if std::mem::take(&mut marked) {
                    tests.insert(&name[..end]);
                }
            }
        }
    }
    tests
}

/// What is wrong with a proof, if anything.
fn missing(proof: &str) -> Option<String> {
    if let Some(scenario) = proof.strip_prefix("scenario ") {
        let file = sources("core").join("../scenarios").join(format!("{scenario}.jsonl"));
        return (!file.is_file()).then(|| format!("{proof}: there is no {}", file.display()));
    }
    let (package, path) = proof.rsplit_once(' ').unwrap_or(("", proof));
    let (module, test) = path.rsplit_once("::")?;
    let mut files = Vec::new();
    files_below(&sources(package), &mut files);
    let module = format!("/{}.rs", module.replace("::", "/"));
    let mut named = files.iter().filter(|file| file.display().to_string().ends_with(&module));
    let found = named.any(|file| tests_of(&fs::read_to_string(file).unwrap()).contains(test));
    (!found).then(|| format!("{proof}: no such test in any {module} below {}", sources(package).display()))
}

#[test]
fn every_promise_names_tests_that_are_there() {
    let (_, faults) = GUIDE.split_once("\n## Faults\n").expect("a chapter of faults");
    let faults = faults.split("\n## ").next().unwrap();
    let rows = faults.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let mut wrong = Vec::new();
    let mut proofs = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [fault, promise, tests] = cells[..] else { panic!("a row of three: {row}") };
        if fault == "fault" {
            continue;
        }
        assert!(!promise.is_empty(), "{fault}: nothing is promised");
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            wrong.push(format!("{fault}: no test is named"));
        }
        wrong.extend(named.iter().filter_map(|proof| missing(proof)));
        proofs.extend(named);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(proofs.len() > 80, "{} proofs only", proofs.len());
}

#[test]
fn what_is_not_there_is_found_out() {
    for (proof, there) in [
        ("promised::what_is_not_there_is_found_out", true),
        ("promised::sources", false),
        ("storm::what_is_not_there_is_found_out", false),
        ("store failing::an_error_of_the_disk_at_any_request_loses_and_doubles_nothing", true),
        ("store failing::commits", false),
        ("src clock::boot_time_does_not_go_back", true),
        ("scenario leap-day", true),
        ("scenario leap-year", false),
    ] {
        assert_eq!(missing(proof).is_none(), there, "{proof}");
    }
}
