//! All rules of the service: loaded, described, asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhai::{Engine, Scope};
use simbell_core::action::{ActionRequest, Permission};
use simbell_core::effect::Evaluation;
use simbell_core::event::RuleResult;
use simbell_core::ident::{ChannelName, RuleName};
use simbell_core::memory::Memory;
use simbell_core::plugin::PluginStandings;
use simbell_core::reminder::Finding;
use simbell_core::view::{RuleDescription, RuleInput, Sight, Trigger};
use simbell_core::watch::Watch;

use crate::compile::{Compiled, ModulePlaces, compile, schedules};
use crate::engine;
use crate::evaluate;
use crate::files::{read, read_again, read_within};
use crate::host::changed;
use crate::limits::Limits;
use crate::lines::{self, Trail};
use crate::manifest::{Manifest, PluginKind, SettingValues};
use crate::meter::Stats;
use crate::modules::Shelf;
use crate::plugins::{Plugin, twins};
use crate::problem::{Problem, Source, nearest};
use crate::settings::Settings;
use crate::text::{short, slug};
use crate::texts::{Places, Texts, languages_in, speaks};

/// What a problem with the configured language is told of.
const LANGUAGE: &str = "language";

/// Where rules are, and what the configuration says of them.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The folder of the user's own rules, one `.rhai` file each; a folder that is not there has none.
    pub user_dir: Option<PathBuf>,
    /// Folders of plugins, each plugin a folder of its own in it or in its `rules`. Of two plugins of one name the
    /// later folder's is taken, unless it waits to be enabled and the other runs.
    pub plugin_dirs: Vec<PathBuf>,
    /// Rules to run that would not run by themselves.
    pub enabled: Vec<String>,
    /// Rules not to run.
    pub disabled: Vec<String>,
    /// Settings of plugins by the plugin's name.
    pub settings: BTreeMap<String, SettingValues>,
    /// What each rule may ask for, as far as the configuration decides: a plugin's manifest has to name it too.
    pub allowed: BTreeMap<String, Vec<Permission>>,
    /// Plugins that a channel of the configuration goes by.
    pub used: Vec<String>,
    /// Folders of the owner's: a plugin copied there waits until somebody enables it, unless the configuration names it.
    pub owner_dirs: Vec<PathBuf>,
    /// What was decided about plugins, by name.
    pub standings: PluginStandings,
    /// Limits of each evaluation.
    pub limits: Limits,
    /// The owner's texts: `NAME/LANGUAGE.ftl` for the rule or plugin NAME.
    pub texts_dir: Option<PathBuf>,
    /// The channels of the configuration, which rules may name; none where it is not known which there are.
    pub channels: Option<Vec<String>>,
    /// Where in the configuration something stands, as `file:line`, by its key: `rules.disabled.NAME`,
    /// `rules.allow.NAME`, `plugins.NAME` and `plugins.NAME.settings.SETTING`.
    pub places: BTreeMap<String, String>,
    /// Folders that the configuration names, each with its key: a warning where one is not there.
    pub named_dirs: Vec<(&'static str, PathBuf)>,
    /// BCP 47 language of summaries and texts; texts of every language are loaded where it is empty.
    pub language: String,
}

/// What one evaluation came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What the rule found; none where it failed.
    pub findings: Vec<Finding>,
    /// Keys of reminders that it says are over.
    pub resolved: Vec<String>,
    /// What it wants done.
    pub actions: Vec<ActionRequest>,
    /// All that it remembers from now on; none where that is as it was.
    pub memory: Option<Memory>,
    /// Why it failed: file, line, column, what and why.
    pub error: Option<String>,
    /// What it used.
    pub stats: Stats,
    /// At which usage of its SIM it is to be asked again; nothing where it failed.
    pub watch: Watch,
    /// What it looked at.
    pub sight: Sight,
}

/// A rule that does not run because nobody wants it to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdleRule {
    /// Its name.
    pub name: RuleName,
    /// Its file, as shown to people.
    pub file: String,
    /// One line of what it does.
    pub summary: String,
    /// Whether it is a plugin.
    pub plugin: bool,
}

/// The rules as loaded, over one shared engine.
#[derive(Debug)]
pub struct RuleSet {
    engine: Engine,
    /// The modules that rules import.
    shelf: Shelf,
    limits: Limits,
    rules: BTreeMap<RuleName, Rule>,
    idle: Vec<IdleRule>,
    plugins: BTreeMap<String, Plugin>,
    /// Plugins that wait to be enabled while another of their name runs.
    later: BTreeMap<String, Plugin>,
    problems: Vec<Problem>,
    /// Names in the configuration that nothing has, with what is said of them.
    unknown: BTreeMap<String, Problem>,
    /// Folders that the configuration names and that are not there, with what is said of them.
    missing: BTreeMap<PathBuf, Problem>,
    /// Channels that rules name and that are not there.
    channels: Vec<Problem>,
    /// Each problem of the rules that do not run as they are on disk.
    wrong: BTreeMap<RuleName, Vec<Problem>>,
    /// Settings of plugins that cannot be given as they are.
    settings_wrong: Vec<Problem>,
    /// What ran before, while a set is loaded: it runs on where a file is wrong now.
    before: BTreeMap<RuleName, Rule>,
    /// The modules of what ran before.
    before_shelf: Shelf,
    /// Languages that rules have files of texts in.
    languages: BTreeSet<String>,
    /// The texts of rules whose lines are followed, as they were compiled.
    followed: BTreeMap<RuleName, String>,
}

#[derive(Debug, Clone)]
struct Rule {
    description: RuleDescription,
    path: PathBuf,
    compiled: Option<Arc<Compiled>>,
}

/// What came of asking a rule so far, in one step.
#[derive(Debug, Default)]
struct Asked {
    rule: Option<RuleName>,
    /// On which kinds of occasion it failed, how, and what it had looked at.
    failed: Vec<(&'static str, String, Sight)>,
    /// What it remembers by now, where that is not what it did.
    memory: Option<Arc<Memory>>,
}

/// What is known of a rule whether or not it can run.
#[derive(Debug, Default)]
struct About {
    plugin: bool,
    summary: String,
    may: Vec<Permission>,
}

impl RuleSet {
    /// Loads every rule. Never fails as a whole: a rule that cannot run is described with its problem.
    #[must_use]
    pub fn load(options: &LoadOptions) -> Self {
        Self::load_over(options, None)
    }

    /// As [`Self::load`], beside a set that runs: of a rule whose file is wrong now, what ran before runs on, and its
    /// description says so.
    #[must_use]
    pub fn load_over(options: &LoadOptions, before: Option<&Self>) -> Self {
        let mut set = Self::empty(options);
        if let Some(before) = before {
            set.before.clone_from(&before.rules);
            set.before_shelf = before.shelf.clone();
        }
        if !simbell_alloc::installed() {
            tracing::warn!("rules run without a cap on memory: the counting allocator is not this program's");
        }
        for dir in &options.plugin_dirs {
            // As installed, plugins are sorted by kind; in a folder of one's own they need not be.
            let kinds = ["rules", "channels", "carriers"].map(|kind| dir.join(kind));
            let paths: Vec<PathBuf> = [set.entries(dir)]
                .into_iter()
                .chain(kinds.map(|kind| set.entries(&kind)))
                .flatten()
                .collect();
            let folders: Vec<PathBuf> =
                paths.into_iter().filter(|path| path.join("plugin.toml").is_file()).collect();
            let mut twins = twins(&folders);
            for folder in folders {
                match twins.remove(&folder) {
                    Some(problem) => set.refuse_plugin(options, &folder, vec![problem]),
                    None => set.load_plugin(options, &folder),
                }
            }
        }
        if let Some(dir) = &options.user_dir {
            for path in set.entries(dir) {
                if is_rule(&path) {
                    set.load_file(options, &path);
                }
            }
        }
        set.check_folders(options);
        set.check_names(options);
        set.check_channels(options);
        set.check_language(options);
        set.before.clear();
        set.before_shelf = Shelf::default();
        set
    }

    /// Loads one rule alone, a file or a plugin's folder, whether or not the configuration has it run.
    #[must_use]
    pub fn load_one(options: &LoadOptions, path: &Path) -> Self {
        Self::alone(options, path, None)
    }

    /// No rule at all.
    pub(crate) fn empty(options: &LoadOptions) -> Self {
        Self {
            engine: engine::build(&options.limits),
            shelf: Shelf::default(),
            limits: options.limits,
            rules: BTreeMap::new(),
            idle: Vec::new(),
            plugins: BTreeMap::new(),
            later: BTreeMap::new(),
            problems: Vec::new(),
            unknown: BTreeMap::new(),
            missing: BTreeMap::new(),
            channels: Vec::new(),
            wrong: BTreeMap::new(),
            settings_wrong: Vec::new(),
            before: BTreeMap::new(),
            before_shelf: Shelf::default(),
            languages: BTreeSet::new(),
            followed: BTreeMap::new(),
        }
    }

    /// Loads one rule alone, a file or a plugin's folder, wanted or not; it may ask for all that it can ask for but
    /// what `options.allowed` leaves out where that names it. With a trail, the lines that run are told to it.
    pub(crate) fn alone(options: &LoadOptions, path: &Path, trail: Option<&Arc<Trail>>) -> Self {
        let mut set = Self::empty(options);
        set.shelf.follow(trail);
        let plugin = path.is_dir();
        let name = if plugin {
            crate::check::manifest(path).map(|manifest| manifest.name).ok()
        } else {
            path.file_stem().map(|stem| stem.to_string_lossy().into_owned())
        };
        let mut options = LoadOptions { disabled: Vec::new(), ..options.clone() };
        options.enabled.extend(name.clone());
        if let Some(name) = name {
            options.allowed.entry(name).or_insert_with(|| Permission::ALL.to_vec());
        }
        if plugin {
            set.load_plugin(&options, path);
        } else {
            set.load_file(&options, path);
        }
        if let Some(trail) = trail {
            let Self { engine, rules, followed, .. } = &mut set;
            for (name, rule) in rules {
                let own = rule.compiled.as_mut().and_then(Arc::get_mut);
                let (Some(compiled), Some(text)) = (own, followed.remove(name)) else {
                    continue;
                };
                let mut scope = Scope::new();
                for name in compiled.parts.constants.keys() {
                    scope.push(name.as_str(), ());
                }
                let source = Source { file: &rule.description.file, text: Some(&text) };
                let mut functions = lines::followed(engine, &compiled.parts.ast, &source, &scope, trail);
                functions.clear_statements();
                compiled.parts.set_functions(functions);
                // Asked for as a rule is loaded, and never again.
                drop(schedules(engine, &options.limits, &source, &text, compiled));
            }
        }
        set
    }

    /// The file of a rule's script.
    pub(crate) fn path_of(&self, name: &RuleName) -> Option<&Path> {
        self.rules.get(name).map(|rule| rule.path.as_path())
    }

    /// What is known of each rule, those with a problem included, by name.
    #[must_use]
    pub fn descriptions(&self) -> Vec<RuleDescription> {
        self.rules.values().map(|rule| rule.description.clone()).collect()
    }

    /// Each problem that keeps a rule from running as it is on disk.
    #[must_use]
    pub fn problems_of(&self, rule: &RuleName) -> &[Problem] {
        self.wrong.get(rule).map_or(&[], Vec::as_slice)
    }

    /// Rules that are switched off.
    #[must_use]
    pub fn idle(&self) -> &[IdleRule] {
        &self.idle
    }

    /// Every plugin, by name; of several of one name the one that counts.
    pub fn plugins(&self) -> impl Iterator<Item = &Plugin> {
        self.plugins.values()
    }

    /// A plugin by its name.
    #[must_use]
    pub fn plugin(&self, name: &str) -> Option<&Plugin> {
        self.plugins.get(name)
    }

    /// The plugin that waits to be enabled while another of its name runs.
    #[must_use]
    pub fn later(&self, name: &str) -> Option<&Plugin> {
        self.later.get(name)
    }

    /// What is wrong besides single rules: folders that cannot be read, names in the configuration that no rule has.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Names in the configuration that no rule and no plugin has, with what is said of them.
    #[must_use]
    pub const fn unknown_names(&self) -> &BTreeMap<String, Problem> {
        &self.unknown
    }

    /// Folders that the configuration names and that are not there, with what is said of them.
    #[must_use]
    pub const fn missing_dirs(&self) -> &BTreeMap<PathBuf, Problem> {
        &self.missing
    }

    /// What the configuration and the rules say of each other that does not fit: names of rules, folders, settings,
    /// channels and the language.
    pub fn misfits(&self) -> impl Iterator<Item = &Problem> {
        let folders = self.missing.values().chain(self.unknown.values());
        folders.chain(&self.settings_wrong).chain(&self.channels).chain(self.language_problem())
    }

    /// What is wrong with the language of the configuration.
    #[must_use]
    pub fn language_problem(&self) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.file == LANGUAGE)
    }

    /// Asks one rule. Runs on the calling thread until the rule ends or a limit ends it, so call it on a thread that
    /// may block, with a stack of 2 MiB at least. A panic in it is caught and is the rule's error.
    #[must_use]
    pub fn evaluate(&self, rule: &RuleName, trigger: &Trigger, input: &Arc<RuleInput>) -> Outcome {
        self.evaluate_knowing(rule, trigger, input, &Arc::default())
    }

    /// As [`Self::evaluate`], with what the rule remembers.
    #[must_use]
    pub fn evaluate_knowing(
        &self,
        rule: &RuleName,
        trigger: &Trigger,
        input: &Arc<RuleInput>,
        memory: &Arc<Memory>,
    ) -> Outcome {
        let Some(rule) = self.rules.get(rule) else {
            let error = Some(format!("there is no rule `{rule}`: it is not loaded"));
            return Outcome { error, ..Outcome::default() };
        };
        let Some(compiled) = &rule.compiled else {
            return Outcome { error: rule.description.problem.clone(), ..Outcome::default() };
        };
        let evaluated = evaluate::run(&self.engine, &self.limits, compiled, trigger, input, memory);
        let said = evaluated.said;
        Outcome {
            watch: if evaluated.failure.is_some() { Watch::NOTHING } else { evaluated.watch },
            error: evaluated.failure.map(|failure| {
                // The text is not kept in memory: it is read again for the line that failed.
                let text = if rule.description.outdated.is_some() {
                    None // the file is another one by now
                } else {
                    read_again(&rule.path)
                };
                let source = Source { file: &rule.description.file, text: text.as_deref() };
                failure.problem(&source, &compiled.parts.functions).to_string()
            }),
            findings: said.findings,
            resolved: said.resolved,
            actions: said.actions,
            memory: changed(said.memory, memory),
            stats: evaluated.stats,
            sight: evaluated.sight,
        }
    }

    /// Asks every rule of a step: what one remembers, the next evaluation of the same rule sees. A rule that fails for
    /// one SIM is not asked the same about the next: it would use up its time for each of them. Answers come in the
    /// order of the questions.
    #[must_use]
    pub fn evaluate_all(&self, evaluations: Vec<Evaluation>) -> Vec<RuleResult> {
        // Rule by rule: what a thousand are compiled to does not fit into a processor's cache, what one is does.
        let mut by_rule: Vec<(usize, Evaluation)> = evaluations.into_iter().enumerate().collect();
        by_rule.sort_by(|(_, a), (_, b)| a.rule.cmp(&b.rule));
        let mut results: Vec<(usize, RuleResult)> = Vec::with_capacity(by_rule.len());
        let mut asked = Asked::default();
        for (place, Evaluation { rule, trigger, input, memory }) in by_rule {
            if asked.rule.as_ref() != Some(&rule) {
                asked = Asked { rule: Some(rule.clone()), ..Asked::default() };
            }
            let nothing = RuleResult::nothing(rule, trigger);
            let kind = nothing.trigger.kind();
            if let Some((_, error, sight)) = asked.failed.iter().find(|(failed, ..)| *failed == kind) {
                let (error, sight) = (Some(error.clone()), *sight);
                results.push((place, RuleResult { error, sight, ..nothing }));
                continue;
            }
            let memory = asked.memory.as_ref().unwrap_or(&memory);
            let outcome = self.evaluate_knowing(&nothing.rule, &nothing.trigger, &input, memory);
            if let Some(error) = &outcome.error {
                asked.failed.push((kind, error.clone(), outcome.sight));
            }
            if let Some(memory) = &outcome.memory {
                asked.memory = Some(Arc::new(memory.clone()));
            }
            let said = RuleResult {
                findings: outcome.findings,
                resolved: outcome.resolved,
                actions: outcome.actions,
                memory: outcome.memory,
                error: outcome.error,
                watch: outcome.watch,
                sight: outcome.sight,
                ..nothing
            };
            results.push((place, said));
        }
        results.sort_unstable_by_key(|(place, _)| *place);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Calls a rule's function as the script engine alone would: no deadline, no count of memory, no guard against a
    /// panic, findings thrown away. What [`Self::evaluate`] is measured against; false where nothing was called.
    #[must_use]
    pub fn call_bare(&self, rule: &RuleName, trigger: &Trigger, input: &Arc<RuleInput>) -> bool {
        self.rules
            .get(rule)
            .and_then(|rule| rule.compiled.as_ref())
            .is_some_and(|compiled| evaluate::bare(&self.engine, &self.limits, compiled, trigger, input))
    }

    /// The entries of a folder in the order of their names; hidden ones left out.
    fn entries(&mut self, dir: &Path) -> Vec<PathBuf> {
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

    fn load_file(&mut self, options: &LoadOptions, path: &Path) {
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

    fn load_plugin(&mut self, options: &LoadOptions, dir: &Path) {
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
    fn refuse_plugin(&mut self, options: &LoadOptions, dir: &Path, problems: Vec<Problem>) {
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

    /// A language that nothing is written in gives another one, which nobody asked for.
    fn check_language(&mut self, options: &LoadOptions) {
        let wanted = options.language.as_str();
        let known = &self.languages;
        if wanted.is_empty() || known.is_empty() || known.iter().any(|known| speaks(known, wanted)) {
            return;
        }
        let all: Vec<String> = known.iter().take(20).map(|known| short(known)).collect();
        let wanted = short(wanted);
        let message =
            format!("`language` is \"{wanted}\", and no rule has texts in it: they are said in English");
        let place = options.texts_dir.as_deref().unwrap_or(Path::new("/etc/simbell/texts"));
        let hint = format!(
            "there are: {}; another is added as {wanted}.ftl in {}/NAME, for the rule NAME",
            all.join(", "),
            place.display()
        );
        let source = Source { file: LANGUAGE, text: None };
        self.problems.push(source.problem(None, message).hint(hint).warning());
    }

    /// A folder that the configuration names and that is not there has nothing in it, which nobody meant.
    fn check_folders(&mut self, options: &LoadOptions) {
        for (key, dir) in &options.named_dirs {
            let wrong = match fs::metadata(dir) {
                Ok(found) if found.is_dir() => continue,
                Ok(_) => "is no folder",
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is not there",
                // Told as it is read.
                Err(_) => continue,
            };
            let shown = dir.display();
            let message = format!("the folder {shown} {wrong}: nothing that should be in it runs");
            let hint = format!(
                "make it, mend the path (a relative one begins at its file), or take it out of {key}"
            );
            let problem = Source { file: key, text: None }.problem(None, message).hint(hint).warning();
            self.problems.push(problem.clone());
            self.missing.insert(dir.clone(), problem);
        }
    }

    /// Channels that rules name in their texts and that the configuration does not have.
    fn check_channels(&mut self, options: &LoadOptions) {
        let Some(known) = &options.channels else { return };
        let mut found = Vec::new();
        for rule in self.rules.values() {
            let Some(compiled) = rule.compiled.as_ref().filter(|compiled| !compiled.channels.is_empty())
            else {
                continue;
            };
            // The text is not kept in memory; where the file is wrong now, places in it mean nothing.
            let text = if rule.description.outdated.is_some() { None } else { read_again(&rule.path) };
            let source = Source { file: &rule.description.file, text: text.as_deref() };
            found.extend(unknown_channels(&source, &compiled.channels, known));
        }
        self.problems.extend(found.iter().cloned());
        self.channels = found;
    }

    fn check_names(&mut self, options: &LoadOptions) {
        let known: Vec<String> = self
            .rules
            .keys()
            .map(RuleName::to_string)
            .chain(self.idle.iter().map(|idle| idle.name.to_string()))
            .chain(self.plugins.keys().cloned())
            .collect();
        let lists = options.enabled.iter().chain(&options.disabled);
        let named: BTreeSet<&String> =
            lists.chain(options.settings.keys()).chain(options.allowed.keys()).collect();
        for name in named.into_iter().filter(|name| !known.contains(name)) {
            let hint = nearest(name, &known).map(|near| format!("did you mean `{near}`?"));
            let keys = ["plugins", "rules.allow", "rules.disabled"].map(|key| format!("{key}.{name}"));
            let stands = keys.iter().find_map(|key| Some((key, options.places.get(key)?)));
            let problem = match stands {
                Some((key, place)) => {
                    let key = if key.starts_with("rules.disabled.") { "rules.disabled" } else { key };
                    let message = format!("{}: there is no rule and no plugin `{}`", short(key), short(name));
                    Source { file: place, text: None }.problem(None, message)
                }
                None => {
                    let message = format!(
                        "the configuration names `{}`, and no rule and no plugin is called so",
                        short(name)
                    );
                    Source { file: "rules", text: None }.problem(None, message)
                }
            };
            let problem = problem.hint(hint);
            self.problems.push(problem.clone());
            self.unknown.insert(name.clone(), problem);
        }
    }
}

/// Each channel that a rule's text names and that is not there, once.
pub(crate) fn unknown_channels(
    source: &Source<'_>,
    named: &[((usize, usize), ChannelName)],
    known: &[String],
) -> Vec<Problem> {
    let mut told: BTreeSet<&ChannelName> = BTreeSet::new();
    let mut problems = Vec::new();
    for (at, name) in named {
        if known.iter().any(|known| known == name.as_str()) || !told.insert(name) {
            continue;
        }
        let message = format!("there is no channel `{name}` in the configuration");
        let hint = match nearest(name.as_str(), known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}; another is added as [channels.{name}]", known.join(", ")),
        };
        problems
            .push(source.problem(Some(*at).filter(|_| source.text.is_some()), message).hint(hint).warning());
    }
    problems
}

/// Whether a file of the folder of rules is one: `NAME.rhai`. A `NAME.test.rhai` beside it holds its tests.
#[must_use]
pub fn is_rule(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".rhai") && !name.ends_with(".test.rhai")
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
