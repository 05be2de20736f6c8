//! `simbelld check`: a rule compiled and tried on made-up inputs.

use std::path::Path;
use std::sync::Arc;

use crate::compile::compile;
use crate::engine;
use crate::evaluate;
use crate::fixture;
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::problem::{Problem, Source};
use crate::ruleset::read;
use crate::settings::Settings;

/// Everything found wrong with one rule file: what keeps it from running, and what fails on made-up inputs.
#[must_use]
pub fn check_file(path: &Path) -> Vec<Problem> {
    check(path, &Settings::default())
}

/// Everything found wrong with a plugin's folder: its manifest, and its rule with the default settings.
#[must_use]
pub fn check_plugin(dir: &Path) -> Vec<Problem> {
    let path = dir.join("plugin.toml");
    let file = path.display().to_string();
    let text = match read(&path, &Limits::default()) {
        Ok(text) => text,
        Err(error) => return vec![Source { file: &file, text: None }.problem(None, error)],
    };
    let source = Source { file: &file, text: Some(&text) };
    let manifest = match Manifest::parse(&source, &text) {
        Ok(manifest) => manifest,
        Err(problems) => return problems,
    };
    match manifest.settings(None) {
        Ok(settings) => check(&dir.join("main.rhai"), &settings),
        Err(wrong) => {
            wrong.into_iter().map(|(message, hint)| source.problem(None, message).hint(hint)).collect()
        }
    }
}

fn check(path: &Path, settings: &Settings) -> Vec<Problem> {
    let limits = Limits::default();
    let file = path.display().to_string();
    let text = match read(path, &limits) {
        Ok(text) => text,
        Err(error) => return vec![Source { file: &file, text: None }.problem(None, error)],
    };
    let source = Source { file: &file, text: Some(&text) };
    let mut engine = engine::build(&limits);
    let compiled = match compile(&mut engine, &limits, &source, &text, settings) {
        Ok(compiled) => compiled,
        Err(problem) => return vec![problem],
    };
    let mut problems: Vec<Problem> = Vec::new();
    for (trigger, input) in fixture::inputs() {
        let evaluated = evaluate::run(&engine, &limits, &compiled, &trigger, &input, &Arc::default());
        if let Some(failure) = evaluated.failure {
            let problem = failure.problem(&source, &compiled.functions).warning();
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems
}
