//! Rules and plugins as they are read from their folders, one by one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simbell_core::ident::RuleName;
use simbell_core::view::RuleDescription;

use super::{About, IdleRule, LoadOptions, Rule, RuleSet};
use crate::compile::{Compiled, ModulePlaces, compile};
use crate::files::{read, read_within};
use crate::manifest::{Manifest, PluginKind};
use crate::plugins::Plugin;
use crate::problem::{Problem, Source};
use crate::settings::Settings;
use crate::text::{short, slug};
use crate::texts::{Places, Texts, languages_in};

impl RuleSet {
    /// The entries of a folder in the order of their names; hidden ones left out.
    pub(super) fn entries(&mut self, dir: &Path) -> Vec<PathBuf> {
        let shown = dir.display().to_string();
        let listed = match fs::read_dir(dir) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => Err(error),
        };
        match listed {
            Ok(entries) => {
                let mut paths: Vec<PathBuf> = entries
                    .into_iter()
                    .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
                    .map(|entry| entry.path())
                    .collect();
                paths.sort();
                paths
            }
            Err(error) => {
                let source = Source { file: &shown, text: None };
                let problem = source.problem(None, format!("the folder cannot be read: {error}"));
                // What it held is not known to be gone.
                let held = |rule: &&Rule| rule.path.starts_with(dir) && rule.compiled.is_some();
                for mut rule in self.before.values().filter(held).cloned().collect::<Vec<_>>() {
                    rule.description.outdated = Some(problem.to_string());
                    if let Some(compiled) = &rule.compiled {
                        self.shelf.take_over(&self.before_shelf, &compiled.parts.modules);
                    }
                    self.rules.insert(rule.description.name.clone(), rule);
                }
                self.problems.push(problem);
                Vec::new()
            }
        }
    }

    pub(super) fn load_file(&mut self, options: &LoadOptions, path: &Path) {
        let file = path.display().to_string();
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(name) = self.name(&stem, &file) else {
            return;
        };
        let text = read(path, &self.limits);
        let summary = text.as_deref().map(first_comment).unwrap_or_default();
        if options.disabled.iter().any(|off| off == name.as_str()) {
            self.idle.push(IdleRule { name, file, summary, plugin: false });
            return;
        }
        let compiled = match &text {
            Ok(text) => self.texts(options, name.as_str(), None).and_then(|texts| {
                self.follow(&name, text);
                let source = Source { file: &file, text: Some(text) };
                let places = ModulePlaces { home: None, shelf: &self.shelf };
                compile(&mut self.engine, &self.limits, &source, text, &Settings::default(), &texts, places)
                    .map_err(|problem| vec![problem])
            }),
            Err(error) => Err(vec![Source { file: &file, text: None }.problem(None, error)]),
        };
        // The owner's own file says by what it does what it asks for.
        let may = options.allowed.get(name.as_str()).cloned().unwrap_or_default();
        let about = About { plugin: false, summary, may };
        self.keep(name, file, path, about, compiled);
    }

    pub(super) fn load_plugin(&mut self, options: &LoadOptions, dir: &Path) {
        let manifest_path = dir.join("plugin.toml");
        let manifest_file = manifest_path.display().to_string();
        let main = dir.join("main.rhai");
        let file = main.display().to_string();
        let manifest = match read_within(dir, "plugin.toml", &self.limits) {
            Ok(text) => Manifest::parse(&Source { file: &manifest_file, text: Some(&text) }, &text),
            Err(error) => Err(vec![Source { file: &manifest_file, text: None }.problem(None, error)]),
        };
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(problems) => return self.refuse_plugin(options, dir, problems),
        };
        let Some(plugin) = self.unless_later(Plugin::of(&manifest, dir, options)) else {
            return;
        };
        let (enabled, approved): (bool, BTreeSet<String>) = (
            plugin.enabled,
            plugin.permissions.iter().filter(|one| one.approved).map(|one| one.name.clone()).collect(),
        );
        self.plugins.insert(plugin.name.clone(), plugin);
        if manifest.kind != PluginKind::Rule {
            // A channel is loaded with what goes by it; nothing asks a carrier.
            return;
        }
        let Some(name) = self.name(&manifest.name, &manifest_file) else {
            return;
        };
        let summary = manifest.summary(&options.language);
        self.idle.retain(|idle| idle.name != name);
        if !enabled {
            self.rules.remove(&name);
            self.idle.push(IdleRule { name, file, summary, plugin: true });
            return;
        }
        let compiled = self.compile_plugin(&manifest, &main, &file, options);
        let allowed = options.allowed.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let may = manifest
            .permissions
            .iter()
            .filter(|one| allowed.contains(one) && approved.contains(one.as_str()))
            .copied()
            .collect();
        self.keep(name, file, &main, About { plugin: true, summary, may }, compiled);
    }

    /// Tells of a plugin that cannot be used, by the name of its folder.
    pub(super) fn refuse_plugin(&mut self, options: &LoadOptions, dir: &Path, problems: Vec<Problem>) {
        let said = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
        let Some(plugin) = self.unless_later(Plugin::broken(dir, said, options)) else {
            return;
        };
        self.plugins.insert(plugin.name.clone(), plugin);
        let folder = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let path = dir.join("plugin.toml");
        let file = path.display().to_string();
        if let Some(name) = self.name(&folder, &file) {
            let about = About { plugin: true, ..About::default() };
            self.keep(name, file, &path, about, Err(problems));
        }
    }

    /// The plugin, unless it waits to be enabled while another of its name runs: that runs on.
    fn unless_later(&mut self, plugin: Plugin) -> Option<Plugin> {
        let runs = self.plugins.get(&plugin.name).is_some_and(|other| other.enabled);
        if runs && plugin.is_for_later() {
            self.later.insert(plugin.name.clone(), plugin);
            return None;
        }
        self.later.remove(&plugin.name);
        Some(plugin)
    }

    fn compile_plugin(
        &mut self,
        manifest: &Manifest,
        main: &Path,
        file: &str,
        options: &LoadOptions,
    ) -> Result<Compiled, Vec<Problem>> {
        let source = Source { file, text: None };
        let settings = manifest.settings(options.settings.get(&manifest.name)).map_err(|wrong| {
            let problems: Vec<Problem> = wrong
                .into_iter()
                .map(|one| {
                    let key = format!("plugins.{}.settings.{}", manifest.name, one.name);
                    // What is wrong stands in the configuration, and is mended there.
                    match options.places.get(&key) {
                        Some(place) => Source { file: place, text: None }
                            .problem(None, format!("{}: {}", short(&key), one.message)),
                        None => source.problem(None, one.message),
                    }
                    .hint(one.hint)
                })
                .collect();
            self.settings_wrong.extend(problems.iter().cloned());
            problems
        })?;
        let dir = main.parent().unwrap_or(Path::new("."));
        let text =
            read_within(dir, "main.rhai", &self.limits).map_err(|error| vec![source.problem(None, error)])?;
        let texts = self.texts(options, &manifest.name, main.parent())?;
        if let Ok(name) = RuleName::new(&manifest.name) {
            self.follow(&name, &text);
        }
        let source = Source { file, text: Some(&text) };
        let places = ModulePlaces { home: main.parent(), shelf: &self.shelf };
        compile(&mut self.engine, &self.limits, &source, &text, &settings, &texts, places)
            .map_err(|problem| vec![problem])
    }

    /// Keeps what was compiled, where its lines are followed: the file may be another one by then.
    fn follow(&mut self, name: &RuleName, text: &str) {
        if self.shelf.follows() {
            self.followed.insert(name.clone(), text.to_owned());
        }
    }

    /// The texts of a rule or plugin; what is wrong with those that the owner adds does not keep it from running.
    fn texts(
        &mut self,
        options: &LoadOptions,
        name: &str,
        dir: Option<&Path>,
    ) -> Result<Texts, Vec<Problem>> {
        let own = dir.map(|dir| dir.join("texts"));
        let added = options.texts_dir.as_ref().map(|dir| dir.join(name));
        self.languages.extend(own.iter().chain(&added).flat_map(|dir| languages_in(dir)));
        let places =
            Places { own: own.as_deref(), added: added.as_deref(), language: options.language.as_str() };
        let (texts, problems) = Texts::load(&places, &self.limits)?;
        self.problems.extend(problems);
        Ok(texts)
    }

    fn keep(
        &mut self,
        name: RuleName,
        file: String,
        path: &Path,
        about: About,
        compiled: Result<Compiled, Vec<Problem>>,
    ) {
        self.wrong.remove(&name);
        let (compiled, problem, outdated) = match compiled {
            Ok(compiled) => (Some(Arc::new(compiled)), None, None),
            Err(problems) => {
                let said = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
                self.wrong.insert(name.clone(), problems);
                match self.before.get(&name).and_then(|before| before.compiled.clone()) {
                    Some(before) => {
                        self.shelf.take_over(&self.before_shelf, &before.parts.modules);
                        (Some(before), None, Some(said))
                    }
                    None => (None, Some(said), None),
                }
            }
        };
        let mut triggers: Vec<String> = compiled
            .iter()
            .flat_map(|compiled| &compiled.hooks)
            .map(|hook| hook.trigger.to_owned())
            .collect();
        triggers.dedup();
        let About { plugin, summary, may } = about;
        let schedules = compiled.as_ref().map(|compiled| compiled.schedules.clone()).unwrap_or_default();
        let description = RuleDescription {
            name: name.clone(),
            file,
            plugin,
            summary,
            triggers,
            schedules,
            problem,
            suspended: false,
            may,
            outdated,
            version: compiled.as_ref().map(|compiled| compiled.version.clone()).unwrap_or_default(),
            channels: compiled
                .iter()
                .flat_map(|compiled| compiled.channels.iter().map(|(_, name)| name.clone()))
                .collect(),
        };
        self.rules.insert(name, Rule { description, path: path.to_owned(), compiled });
    }

    fn name(&mut self, text: &str, file: &str) -> Option<RuleName> {
        match RuleName::new(text) {
            Ok(name) => Some(name),
            Err(error) => {
                let source = Source { file, text: None };
                let problem = source.problem(None, format!("the file's name is no name of a rule: {error}"));
                let legal = Some(slug(text)).filter(|legal| RuleName::new(legal).is_ok());
                self.problems.push(problem.hint(legal.map(|legal| format!("call it `{legal}`"))));
                None
            }
        }
    }
}

/// The first line of the comment at the top of a file.
fn first_comment(text: &str) -> String {
    fn comment(line: &str) -> Option<&str> {
        line.strip_prefix("//").map(|comment| comment.trim_start_matches(['/', '!']).trim())
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.find(|line| comment(line).is_none_or(|comment| !comment.starts_with("api:")));
    crate::text::harmless(first.and_then(comment).unwrap_or_default(), 120)
}
