//! `simbelld rules trace`: which lines of a rule ran on an occasion, by the record that `simbellctl rules why --json`
//! gives. The rule is asked again on what it saw then; the service is not asked.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use simbell_api::{RuleLine, RuleTraceOutput};
use simbell_core::decision::Decision;
use simbell_core::zone::ZoneRules;
use simbell_rules::{Trace, read_record, trace};

use crate::app::{load_config, looked_in, rule_options};
use crate::config::Environment;

const EX_CONFIG: u8 = 78;

/// Larger than any record.
const MOST: u64 = 16 << 20;

/// Prints the trace of a record, and gives the exit status: 0 done, 1 the record or the rule cannot be used, 78 the
/// configuration has errors.
#[must_use]
pub fn run(config: Option<&Path>, file: Option<&Path>, json: bool) -> ExitCode {
    let loaded = match load_config(config, &Environment::of_process().assuming_secrets()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    let options = rule_options(&loaded.service, &loaded.settings);
    let traced = read(file)
        .and_then(|text| {
            read_record(&text).map_err(|error| {
                format!("this is no record of a decision: {error}\n  hint: give what `simbellctl rules why KEY --json` printed")
            })
        })
        .and_then(|decision| {
            let said = |error| format!("{error}\n  hint: the rule is {}", looked_in(config));
            trace(&options, &decision).map(|traced| (decision, traced)).map_err(said)
        });
    let zone = &loaded.settings.zone;
    match traced {
        Ok((decision, traced)) => {
            let page = if json { as_json(&decision, &traced, zone) } else { page(&traced) };
            // A reader that has gone away is no fault of the trace.
            let _ = std::io::stdout().lock().write_all(page.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read(file: Option<&Path>) -> Result<String, String> {
    let mut text = String::new();
    let done = match file {
        Some(path) => File::open(path)
            .and_then(|file| file.take(MOST).read_to_string(&mut text))
            .map_err(|error| format!("{} cannot be read: {error}", path.display())),
        None => std::io::stdin()
            .lock()
            .take(MOST)
            .read_to_string(&mut text)
            .map_err(|error| format!("standard input cannot be read: {error}")),
    };
    done.map(|_| text)
}

/// The rule's text: before each line how often it ran, `-` where it could have and did not.
fn page(traced: &Trace) -> String {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = std::io::stdout().is_terminal() && !unwanted;
    let mut out = format!("{}\n", traced.file.display());
    let digits = traced.lines.len().to_string().len();
    for (nth, line) in traced.lines.iter().enumerate() {
        let times = match line.times {
            None => String::new(),
            Some(0) => "-".to_owned(),
            Some(1) => ">".to_owned(),
            Some(times) => format!(">{times}"),
        };
        let shown = format!("{times:>4} {:>digits$} | {}", nth.saturating_add(1), harmless(&line.text));
        let taken = line.times.is_some_and(|times| times > 0);
        out.push_str(&if color && taken { format!("\u{1b}[1m{shown}\u{1b}[0m") } else { shown });
        out.push('\n');
    }
    out.push_str("\n`>` ran, `>3` ran three times, `-` did not run.\n");
    if let Some(error) = &traced.error {
        out.push_str(&format!("It fails: {error}\n"));
    }
    out.push_str(if traced.same {
        "Asked again on what it saw then, it says the same.\n"
    } else {
        "Asked again on what it saw then, it says something else: the rule, its settings or its texts changed since.\n"
    });
    out
}

fn harmless(text: &str) -> String {
    text.chars()
        .filter(|c| *c == '\t' || !(simbell_core::text::is_control(*c) || simbell_core::text::is_hidden(*c)))
        .collect()
}

fn as_json(decision: &Decision, traced: &Trace, zone: &ZoneRules) -> String {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let lines = traced.lines.iter().enumerate().map(|(nth, line)| RuleLine {
        file: traced.file.display().to_string(),
        line: number(nth.saturating_add(1)),
        text: line.text.clone(),
        times: line.times,
    });
    let output = RuleTraceOutput {
        rule: decision.result.rule.as_str().to_owned(),
        file: traced.file.display().to_string(),
        at: zone.rfc3339(decision.at),
        trigger: decision.result.trigger.kind().to_owned(),
        same: traced.same,
        error: traced.error.clone(),
        lines: lines.collect(),
        order: traced.order.iter().map(|line| number(*line)).collect(),
    };
    serde_json::to_string(&output).unwrap_or_default() + "\n"
}
