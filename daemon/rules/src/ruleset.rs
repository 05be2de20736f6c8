//! All rules of the service: loaded, described, asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhai::{Engine, Scope};
use simbell_core::action::{ActionRequest, Permission};
use simbell_core::effect::Evaluation;
use simbell_core::event::RuleResult;
use simbell_core::ident::RuleName;
use simbell_core::memory::Memory;
use simbell_core::plugin::PluginStandings;
use simbell_core::reminder::Finding;
use simbell_core::view::{RuleDescription, RuleInput, Sight, Trigger};
use simbell_core::watch::Watch;

use crate::compile::{Compiled, schedules};
use crate::engine;
use crate::evaluate;
use crate::files::read_again;
use crate::host::changed;
use crate::limits::Limits;
use crate::lines::{self, Trail};
use crate::manifest::SettingValues;
use crate::meter::Stats;
use crate::modules::Shelf;
use crate::plugins::{Plugin, twins};
use crate::problem::{Problem, Source};

mod checks;
mod load;

pub(crate) use checks::unknown_channels;

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
}

/// Whether a file of the folder of rules is one: `NAME.rhai`. A `NAME.test.rhai` beside it holds its tests.
#[must_use]
pub fn is_rule(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".rhai") && !name.ends_with(".test.rhai")
}
