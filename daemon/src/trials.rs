//! `simbelld rules test`: the tests of rules and channels, run without the service. What simbellctl executes for `rules test`.

mod sender;
mod shown;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use simbell_rules::{Subject, TrialOptions, TrialReport, run_tests, subjects};

use crate::app::{load_config, looked_in, rule_options};
use crate::config::{Environment, zone_rules};
use crate::options::Tests;
use sender::Rehearsed;
use shown::Shown;

#[cfg(test)]
mod tests;

const EX_CONFIG: u8 = 78;

/// What came of a run.
#[derive(Debug, Default)]
struct Sum {
    passed: u64,
    failed: u64,
    filtered: u64,
    statements: usize,
    unreached: usize,
    without_tests: Vec<String>,
}

impl Sum {
    /// A run without a test proves nothing.
    const fn ok(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

/// Which rules and channels are to be tested.
struct Chosen {
    subjects: Vec<Subject>,
    /// Whether they were named one by one: then each has to have tests.
    named: bool,
    options: TrialOptions,
}

/// Runs the tests, prints what came of them, and gives the exit status: 0 all passed, 1 some failed, there are
/// none, or a name or path names nothing, 78 the configuration has errors.
#[must_use]
pub fn run(tests: &Tests) -> ExitCode {
    if tests.watch {
        return watch::run(tests);
    }
    match chosen(tests) {
        Ok(chosen) if once(tests, &chosen).ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(code) => code,
    }
}

/// One run.
fn once(tests: &Tests, chosen: &Chosen) -> Sum {
    let mut shown = Shown::new(tests.json);
    let mut sum = Sum::default();
    for subject in &chosen.subjects {
        if !chosen.named && !subject.has_tests() {
            sum.without_tests.push(subject.name.clone());
            continue;
        }
        let report = run_tests(subject, &chosen.options);
        add(&mut sum, &report);
        shown.report(&report);
    }
    shown.sum(&sum, tests.filter.as_deref());
    sum
}

fn add(sum: &mut Sum, report: &TrialReport) {
    let failed = report.ran.iter().filter(|ran| ran.failure.is_some()).count();
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    sum.failed = sum.failed.saturating_add(count(failed)).saturating_add(u64::from(report.problem.is_some()));
    sum.passed = sum.passed.saturating_add(count(report.ran.len().saturating_sub(failed)));
    sum.filtered = sum.filtered.saturating_add(count(report.filtered));
    sum.statements = sum.statements.saturating_add(report.statements);
    sum.unreached = sum.unreached.saturating_add(report.unreached.len());
}

fn chosen(tests: &Tests) -> Result<Chosen, ExitCode> {
    let env = Environment::of_process().assuming_secrets();
    // Where everything is named by its path, only the limits of a configuration that is given have a say.
    let by_path = !tests.rules.is_empty() && tests.rules.iter().all(|rule| Path::new(rule).exists());
    let mut limits = simbell_rules::Limits::default();
    let mut all: BTreeMap<String, Subject> = BTreeMap::new();
    if !by_path || tests.config.is_some() {
        let loaded = load_config(tests.config.as_deref(), &env).map_err(|problems| {
            eprintln!("{problems}");
            ExitCode::from(EX_CONFIG)
        })?;
        let options = rule_options(&loaded.service, &loaded.settings);
        limits = options.limits;
        // Of two of one name the later one is taken, as by the service.
        let places = options.plugin_dirs.iter().chain(&options.user_dir);
        all.extend(places.flat_map(|dir| subjects(dir)).map(|subject| (subject.name.clone(), subject)));
    }
    let options = TrialOptions {
        limits,
        zones: Arc::new(move |name: &str| {
            zone_rules(&env.zoneinfo_dir, name).map_err(|error| format!("\"{name}\" {error}"))
        }),
        filter: tests.filter.clone(),
        sender: Some(Arc::new(Rehearsed)),
    };
    if tests.rules.is_empty() {
        return Ok(Chosen { subjects: all.into_values().collect(), named: false, options });
    }
    let mut found: Vec<Subject> = Vec::new();
    let mut named = true;
    for rule in &tests.rules {
        let path = PathBuf::from(rule);
        let at_path = if path.exists() { subjects(&path) } else { Vec::new() };
        let several = path.is_dir() && !path.join("plugin.toml").is_file();
        named &= !several;
        match all.get(rule) {
            _ if !at_path.is_empty() => found.extend(at_path),
            Some(subject) => found.push(subject.clone()),
            None => {
                let what =
                    if path.exists() { "holds no rule" } else { "is neither a file nor a rule's name" };
                eprintln!("error: {rule:?} {what}");
                let near = all.keys().find(|name| name.contains(rule.as_str()));
                match near {
                    Some(near) => eprintln!("  hint: did you mean `{near}`?"),
                    None => eprintln!(
                        "  hint: name a rule's file, a plugin's folder, or a rule, which is {}",
                        looked_in(tests.config.as_deref())
                    ),
                }
                return Err(ExitCode::FAILURE);
            }
        }
    }
    found.dedup();
    Ok(Chosen { subjects: found, named, options })
}
