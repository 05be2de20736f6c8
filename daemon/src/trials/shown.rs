//! What came of tests, for people and for programs. A reader that has gone away (`| head`) is no fault of a test.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use simbell_api::{RuleLine, RuleTestOutput, RuleTestedOutput, RuleTestsOutput};
use simbell_rules::{Failure, Ran, TrialReport};

use super::Sum;

/// So many lines that no test reached are listed of one rule.
const MOST_LINES: usize = 30;

/// Where results are printed.
pub(super) struct Shown {
    json: bool,
    color: bool,
    began: Instant,
    /// Failures are told once all have run.
    failures: Vec<String>,
    unreached: Vec<String>,
}

impl Shown {
    pub(super) fn new(json: bool) -> Self {
        // https://no-color.org: any value but an empty one.
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let color = std::io::stdout().is_terminal() && !unwanted && !dumb && !json;
        Self { json, color, began: Instant::now(), failures: Vec::new(), unreached: Vec::new() }
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(super) fn report(&mut self, report: &TrialReport) {
        if self.json {
            for ran in &report.ran {
                line(&serde_json::to_string(&test(report, ran)).unwrap_or_default());
            }
            line(&serde_json::to_string(&rule(report)).unwrap_or_default());
            return;
        }
        line(&format!("{} ({})", self.paint(&report.name, "1"), report.tests.display()));
        if let Some(problem) = &report.problem {
            line(&format!("  {}", self.paint("cannot be tested", "31")));
            self.failures.push(format!("{}\n{problem}", report.name));
        }
        for ran in &report.ran {
            let verdict = match ran.failure {
                None => self.paint("ok    ", "32"),
                Some(_) => self.paint("FAILED", "31"),
            };
            line(&format!("  {verdict}  {}", ran.name));
            if let Some(failure) = &ran.failure {
                self.failures.push(told(&report.name, ran, failure));
            }
        }
        let count = report.unreached.len();
        for unreached in report.unreached.iter().take(MOST_LINES) {
            let place = format!("{}:{}", unreached.file.display(), unreached.line);
            self.unreached.push(format!("  {place}: {}", unreached.text.trim()));
        }
        if count > MOST_LINES {
            self.unreached.push(format!("  … and {} more", count.saturating_sub(MOST_LINES)));
        }
    }

    pub(super) fn sum(&self, sum: &Sum, filter: Option<&str>) {
        if self.json {
            let sum = RuleTestsOutput {
                record: "summary".to_owned(),
                ok: sum.ok(),
                passed: sum.passed,
                failed: sum.failed,
                filtered: sum.filtered,
                without_tests: sum.without_tests.clone(),
            };
            line(&serde_json::to_string(&sum).unwrap_or_default());
            return;
        }
        if !self.failures.is_empty() {
            line(&format!("\n{}", self.paint("Failures", "1")));
            for failure in &self.failures {
                line(&format!("\n{failure}"));
            }
        }
        if !self.unreached.is_empty() {
            line(&format!("\n{}", self.paint("Lines that no test reached", "1")));
            for unreached in &self.unreached {
                line(unreached);
            }
        }
        if !sum.without_tests.is_empty() {
            line(&format!("\nWithout tests: {}", sum.without_tests.join(", ")));
        }
        let verdict = if sum.ok() { self.paint("ok", "32") } else { self.paint("FAILED", "31") };
        let reached = match (sum.statements, sum.unreached) {
            _ if sum.filtered > 0 => String::new(),
            (0, _) => String::new(),
            (_, 0) => "; every line reached".to_owned(),
            (all, some) => format!("; {some} of {all} lines not reached"),
        };
        line(&format!(
            "\n{verdict}: {} passed, {} failed, {} filtered out{reached}; in {}",
            sum.passed,
            sum.failed,
            sum.filtered,
            seconds(self.began.elapsed())
        ));
        if sum.passed == 0 && sum.failed == 0 {
            let mut err = std::io::stderr().lock();
            // Nobody reads it where it is closed.
            let _ = match filter {
                Some(filter) if sum.filtered > 0 => {
                    writeln!(err, "error: no test has {filter:?} in its name")
                }
                _ => writeln!(
                    err,
                    "error: there are no tests\n  hint: write functions that begin with `test_` into tests.rhai in a plugin's \
                     folder, or NAME.test.rhai beside NAME.rhai; plugins/README.md, \"Test your rule\""
                ),
            };
        }
    }
}

fn seconds(took: Duration) -> String {
    format!("{}.{:02} s", took.as_secs(), took.subsec_millis() / 10)
}

fn told(rule: &str, ran: &Ran, failure: &Failure) -> String {
    let mut out = format!("{rule}: {}\n{}", ran.name, failure.problem);
    if !failure.happened.is_empty() {
        out.push_str("\n  what happened:");
        for line in &failure.happened {
            out.push_str(&format!("\n    {line}"));
        }
    }
    out
}

fn test(report: &TrialReport, ran: &Ran) -> RuleTestOutput {
    let failure = ran.failure.as_ref();
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let at = failure.and_then(|failure| failure.problem.at);
    RuleTestOutput {
        record: "test".to_owned(),
        rule: report.name.clone(),
        test: ran.name.clone(),
        ok: failure.is_none(),
        file: report.tests.display().to_string(),
        line: at.map(|(line, _)| number(line)),
        column: at.map(|(_, column)| number(column)),
        message: failure.map(|failure| failure.problem.message.clone()),
        hint: failure.and_then(|failure| failure.problem.hint.clone()),
        happened: failure.map(|failure| failure.happened.clone()).unwrap_or_default(),
    }
}

fn rule(report: &TrialReport) -> RuleTestedOutput {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let unreached = report.unreached.iter();
    RuleTestedOutput {
        record: "rule".to_owned(),
        rule: report.name.clone(),
        file: report.rule.display().to_string(),
        problem: report.problem.clone(),
        statements: number(report.statements),
        unreached: unreached
            .map(|line| RuleLine {
                file: line.file.display().to_string(),
                line: number(line.line),
                text: line.text.clone(),
                times: Some(0),
            })
            .collect(),
    }
}

fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
