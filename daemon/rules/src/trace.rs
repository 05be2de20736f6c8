//! What a rule did on a recorded occasion: asked again, offline, on all that it saw then, line by line.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use simbell_core::decision::Decision;
use simbell_core::ident::RuleName;

use crate::files::read;
use crate::lines::Trail;
use crate::ruleset::{LoadOptions, RuleSet};

/// Every line of a rule, and what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The rule's file.
    pub file: PathBuf,
    /// Its lines, in order.
    pub lines: Vec<TracedLine>,
    /// The numbers of the lines in the order in which they ran, at most ten thousand.
    pub order: Vec<usize>,
    /// Whether it says now what it said then. Where it does not, the rule or its settings are others now.
    pub same: bool,
    /// What it says now, where that is an error.
    pub error: Option<String>,
}

/// One line of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedLine {
    /// Its text.
    pub text: String,
    /// How often a statement that begins on it ran; none where none begins on it.
    pub times: Option<u64>,
}

/// Asks a rule again, as the configuration has it now, on what it saw then. The same record gives the same trace.
///
/// # Errors
/// When there is no such rule, or it cannot run.
pub fn trace(options: &LoadOptions, decision: &Decision) -> Result<Trace, String> {
    let name = &decision.result.rule;
    let path = place(options, name)?;
    let trail = Arc::new(Trail::default());
    let plain = RuleSet::alone(options, &path, None);
    let followed = RuleSet::alone(options, &path, Some(&trail));
    let Some(rule) = plain.descriptions().into_iter().next() else {
        return Err(format!("{}: there is no rule here", path.display()));
    };
    if let Some(problem) = rule.problem {
        return Err(problem);
    }
    let loaded = trail.order().len();
    let ask = |rules: &RuleSet| {
        rules.evaluate_knowing(&rule.name, &decision.result.trigger, &decision.input, &decision.memory)
    };
    drop(ask(&followed));
    let now = ask(&plain);
    let then = &decision.result;
    let same = now.findings == then.findings
        && now.resolved == then.resolved
        && now.actions == then.actions
        && now.memory == then.memory
        && now.error.is_some() == then.error.is_some();
    let file = if path.is_dir() { path.join("main.rhai") } else { path };
    let own = file.display().to_string();
    let text = read(&file, &options.limits)?;
    // What ran as it was loaded is no part of the occasion; what ran in a module is shown by the call of it.
    let mine = |(name, line): (String, usize)| (name == own).then_some(line);
    let order: Vec<usize> = trail.order().into_iter().skip(loaded).filter_map(mine).collect();
    let statements: BTreeSet<usize> = trail.statements().into_iter().filter_map(mine).collect();
    let lines = text.lines().enumerate().map(|(nth, text)| {
        let number = nth.saturating_add(1);
        let times = order.iter().filter(|line| **line == number).count();
        let times = statements.contains(&number).then(|| u64::try_from(times).unwrap_or(u64::MAX));
        TracedLine { text: text.to_owned(), times }
    });
    Ok(Trace { lines: lines.collect(), file, order, same, error: now.error })
}

/// Where a rule is: its file, or its plugin's folder.
fn place(options: &LoadOptions, name: &RuleName) -> Result<PathBuf, String> {
    let options = LoadOptions { disabled: Vec::new(), ..options.clone() };
    let options = LoadOptions { enabled: vec![name.as_str().to_owned()], ..options };
    let set = RuleSet::load(&options);
    let Some(path) = set.path_of(name) else {
        return Err(format!("the configuration has no rule `{name}`"));
    };
    let within = path.parent().filter(|dir| dir.join("plugin.toml").is_file());
    Ok(within.unwrap_or(path).to_owned())
}

/// A record as `simbellctl rules why --json` gives it: the decision itself, or the reply that holds it.
///
/// # Errors
/// What is wrong with the text.
pub fn read_record(text: &str) -> Result<Decision, String> {
    let value: serde_json::Value = serde_json::from_str(text.trim()).map_err(|error| error.to_string())?;
    let held = value.get("decision").and_then(|decision| decision.get("record"));
    match held.or_else(|| value.get("record")).and_then(|record| record.as_str()) {
        Some(record) => serde_json::from_str(record).map_err(|error| error.to_string()),
        None => serde_json::from_value(value).map_err(|error| error.to_string()),
    }
}
