//! `simbelld check`: a rule compiled and tried on made-up inputs.

use std::path::Path;
use std::sync::Arc;

use simbell_core::action::Permission;

use crate::channel::{self, ChannelPlugin};
use crate::compile::{ModulePlaces, channels_named, compile};
use crate::engine;
use crate::evaluate;
use crate::files::{read, read_within};
use crate::fixture;
use crate::limits::Limits;
use crate::lint;
use crate::manifest::{Manifest, PluginKind};
use crate::modules::Shelf;
use crate::problem::{Code, Problem, Severity, Source};
use crate::ruleset::unknown_channels;
use crate::settings::Settings;
use crate::text::short;
use crate::texts::{Places, Texts, check_calls, uneven};

/// Everything found wrong with one rule file: what keeps it from running, and what fails on made-up inputs.
#[must_use]
pub fn check_file(path: &Path) -> Vec<Problem> {
    check_file_within(path, &Limits::default())
}

/// As [`check_file`], with limits other than the usual.
#[must_use]
pub fn check_file_within(path: &Path, limits: &Limits) -> Vec<Problem> {
    let name = path.file_stem().unwrap_or_default();
    let added = path.parent().and_then(Path::parent).map(|dir| dir.join("texts").join(name));
    let places = Places { own: None, added: added.as_deref(), language: "" };
    check(path, limits, &Settings::default(), &places, None)
}

/// Everything found wrong with a plugin's folder: its manifest, and its script with the default settings.
#[must_use]
pub fn check_plugin(dir: &Path) -> Vec<Problem> {
    check_plugin_within(dir, &Limits::default())
}

/// As [`check_plugin`], with limits other than the usual.
#[must_use]
pub fn check_plugin_within(dir: &Path, limits: &Limits) -> Vec<Problem> {
    let manifest = match manifest(dir) {
        Ok(manifest) => manifest,
        Err(problems) => return problems,
    };
    let file = dir.join("plugin.toml").display().to_string();
    let source = Source { file: &file, text: None };
    match manifest.kind {
        PluginKind::Rule => {}
        PluginKind::Channel => {
            return match ChannelPlugin::load(dir) {
                Ok(plugin) => plugin.iter().flat_map(|plugin| channel::check(plugin, limits)).collect(),
                Err(problems) => problems,
            };
        }
        PluginKind::Carrier => {
            let message =
                "this version has no use for carrier plugins: the manifest is right, and nothing runs it";
            return vec![source.problem(None, message).warning()];
        }
    }
    match manifest.settings(None) {
        Ok(settings) => {
            let texts = dir.join("texts");
            let places = Places { own: Some(&texts), added: None, language: "" };
            let mut problems = unspoken(&manifest, &source, &texts);
            problems.extend(check(&dir.join("main.rhai"), limits, &settings, &places, Some(dir)));
            problems
        }
        Err(wrong) => wrong.into_iter().map(|one| source.problem(None, one.message).hint(one.hint)).collect(),
    }
}

/// Everything that the plugin in a folder may do beyond looking and saying, as its manifest asks for it, each in one
/// word that stays the same: `send-sms`, `host:api.example.org`, or `host:{url}` for the host that the owner gives to
/// the setting `url`.
///
/// # Errors
/// Every problem of the manifest.
pub fn plugin_permissions(dir: &Path) -> Result<Vec<String>, Vec<Problem>> {
    manifest(dir).map(|manifest| manifest.permission_names())
}

/// What kind of plugin a folder's manifest says it is; none where there is no manifest, or a wrong one.
#[must_use]
pub fn plugin_kind(dir: &Path) -> Option<PluginKind> {
    manifest(dir).ok().map(|manifest| manifest.kind)
}

/// Reads the manifest of a plugin's folder.
pub(crate) fn manifest(dir: &Path) -> Result<Manifest, Vec<Problem>> {
    let path = dir.join("plugin.toml");
    let file = path.display().to_string();
    let text = read_within(dir, "plugin.toml", &Limits::default())
        .map_err(|error| vec![Source { file: &file, text: None }.problem(None, error)])?;
    Manifest::parse(&Source { file: &file, text: Some(&text) }, &text)
}

/// Languages that the manifest names and that have no file, where the plugin keeps texts in files at all.
fn unspoken(manifest: &Manifest, source: &Source<'_>, texts: &Path) -> Vec<Problem> {
    let missing = |language: &&String| texts.is_dir() && !texts.join(format!("{language}.ftl")).is_file();
    let problem = |language: &String| {
        source
            .problem(None, format!("`languages` names `{}`, and texts/{0}.ftl is not there", short(language)))
    };
    manifest.languages.iter().filter(missing).map(problem).collect()
}

/// What a rule asks for that is refused: each such function where it is named first, as a warning. `allowed` is what the
/// configuration allows a single file; a plugin's manifest has to name it, whatever the configuration says.
#[must_use]
pub fn check_wishes(path: &Path, limits: &Limits, allowed: &[Permission]) -> Vec<Problem> {
    let (script, allowed, plugin) = match manifest(path) {
        Ok(manifest) if manifest.kind == PluginKind::Rule => {
            (path.join("main.rhai"), manifest.permissions, true)
        }
        Ok(_) => return Vec::new(),
        Err(_) => (path.to_owned(), allowed.to_vec(), false),
    };
    let text = if plugin { read_within(path, "main.rhai", limits) } else { read(path, limits) };
    let Ok(text) = text else { return Vec::new() };
    let file = script.display().to_string();
    let source = Source { file: &file, text: Some(&text) };
    let name = short(&path.file_stem().unwrap_or_default().to_string_lossy());
    let words = Code::of(&text).words();
    let refused = |permission: &Permission| {
        let function = permission.as_str().replace('-', "_");
        let at = words.iter().find(|(_, word)| *word == function).map(|(at, _)| *at)?;
        let (message, hint) = if plugin {
            (
                format!("`{function}` is refused: the plugin does not ask for it"),
                format!("in plugin.toml write `permissions = [\"{permission}\"]`"),
            )
        } else {
            (
                format!("`{function}` is refused unless the configuration allows it"),
                format!("under [rules.allow] write `{name} = [\"{permission}\"]`"),
            )
        };
        Some(source.problem(Some(at), message).hint(hint).warning())
    };
    Permission::ALL.iter().filter(|one| !allowed.contains(one)).filter_map(refused).collect()
}

/// Channels that a rule's text names and that are none of those that are there, each as a warning.
#[must_use]
pub fn check_channels(path: &Path, limits: &Limits, known: &[String]) -> Vec<Problem> {
    let (script, text) = match manifest(path) {
        Ok(manifest) if manifest.kind == PluginKind::Rule => {
            (path.join("main.rhai"), read_within(path, "main.rhai", limits))
        }
        Ok(_) => return Vec::new(),
        Err(_) => (path.to_owned(), read(path, limits)),
    };
    let Ok(text) = text else { return Vec::new() };
    let file = script.display().to_string();
    unknown_channels(&Source { file: &file, text: Some(&text) }, &channels_named(&text), known)
}

fn check(
    path: &Path,
    limits: &Limits,
    settings: &Settings,
    places: &Places<'_>,
    home: Option<&Path>,
) -> Vec<Problem> {
    let file = path.display().to_string();
    let text = home.map_or_else(|| read(path, limits), |home| read_within(home, "main.rhai", limits));
    match text {
        Ok(text) => {
            let source = Source { file: &file, text: Some(&text) };
            examine(&source, &text, limits, settings, places, home)
        }
        Err(error) => vec![Source { file: &file, text: None }.problem(None, error)],
    }
}

/// Everything found wrong with the text of a rule that is in no file.
#[must_use]
pub fn check_text(text: &str, limits: &Limits) -> Vec<Problem> {
    let places = Places { own: None, added: None, language: "" };
    let source = Source { file: "text", text: Some(text) };
    examine(&source, text, limits, &Settings::default(), &places, None)
}

/// Everything found wrong with the text of a manifest that is in no file, its settings' defaults included.
#[must_use]
pub fn check_manifest(text: &str) -> Vec<Problem> {
    let source = Source { file: "plugin.toml", text: Some(text) };
    match Manifest::parse(&source, text).map(|manifest| manifest.settings(None)) {
        Ok(Ok(_)) => Vec::new(),
        Ok(Err(wrong)) => {
            wrong.into_iter().map(|one| source.problem(None, one.message).hint(one.hint)).collect()
        }
        Err(problems) => problems,
    }
}

fn examine(
    source: &Source<'_>,
    text: &str,
    limits: &Limits,
    settings: &Settings,
    places: &Places<'_>,
    home: Option<&Path>,
) -> Vec<Problem> {
    let mut engine = engine::build(limits);
    let (texts, mut problems) = match Texts::load(places, limits) {
        Ok(loaded) => loaded,
        Err(problems) => return problems,
    };
    let shelf = Shelf::default();
    let modules = ModulePlaces { home, shelf: &shelf };
    let compiled = match compile(&mut engine, limits, source, text, settings, &texts, modules) {
        Ok(compiled) => compiled,
        Err(problem) => return vec![problem],
    };
    problems.extend(lint::warnings(source, text));
    problems.extend(check_calls(source, text, &texts));
    problems.extend(places.own.into_iter().flat_map(|dir| uneven(&texts, dir)));
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return problems;
    }
    for (trigger, input) in fixture::inputs() {
        let evaluated = evaluate::run(&engine, limits, &compiled, &trigger, &input, &Arc::default());
        if let Some(failure) = evaluated.failure {
            let problem = failure.problem(source, &compiled.parts.functions).warning();
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems
}
