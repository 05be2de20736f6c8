//! From a file's text to something that can be called.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;

use rhai::{AST, CallFnOptions, Dynamic, Engine, Scope};
use simbell_core::ident::ChannelName;
use simbell_core::schedule::Schedule as CoreSchedule;

use crate::host::{Constants, Run, Schedule, Tag};
use crate::limits::{Limits, in_units, limit};
use crate::manifest::API;
use crate::meter::RunMeter;
use crate::modules::{self, Imported, ModuleConstants, Shelf, settle};
use crate::problem::{Code, Problem, Source, nearest};
use crate::settings::Settings;
use crate::text::short;
use crate::texts::Texts;

/// A rule that can be asked.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// Its functions, constants and modules.
    pub(crate) parts: Parts,
    /// The hooks that the file has.
    pub(crate) hooks: Vec<Hook>,
    /// When it is due.
    pub(crate) schedules: Vec<CoreSchedule>,
    /// What it says, by language.
    pub(crate) texts: Texts,
    /// Tells versions apart: of the text, the settings, the texts and the modules.
    pub(crate) version: String,
    /// Channels that its text names, each with its place.
    pub(crate) channels: Vec<((usize, usize), ChannelName)>,
}

/// Channels that a rule's text names.
pub(crate) fn channels_named(text: &str) -> Vec<((usize, usize), ChannelName)> {
    if !text.contains("channels") {
        return Vec::new();
    }
    let texts = Code::of(text).texts_of("channels");
    texts.into_iter().filter_map(|(at, name)| ChannelName::new(name).ok().map(|name| (at, name))).collect()
}

/// A function that the service calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hook {
    /// Its name, such as `on_usage`.
    pub(crate) name: &'static str,
    /// How many values it takes.
    pub(crate) arity: usize,
    /// The trigger it answers, as [`simbell_core::view::Trigger::kind`] names it.
    pub(crate) trigger: &'static str,
    /// What it is to look like.
    pub(crate) form: &'static str,
    /// One line: when it is called.
    pub(crate) doc: &'static str,
}

/// Every hook of the rule language. `on_schedule` and `on_sms` also come without a SIM.
pub(crate) const HOOKS: [Hook; 11] = [
    Hook {
        name: "on_usage",
        arity: 1,
        trigger: "usage",
        form: "fn on_usage(sim)",
        doc: "When the SIM's usage, plan or billing cycle changed.",
    },
    Hook {
        name: "on_roaming",
        arity: 1,
        trigger: "roaming",
        form: "fn on_roaming(sim)",
        doc: "When the SIM began or ended to roam, or roams elsewhere.",
    },
    Hook {
        name: "on_sms",
        arity: 2,
        trigger: "sms",
        form: "fn on_sms(sim, sms)",
        doc: "When a message came in, where its SIM is known.",
    },
    Hook { name: "on_sms", arity: 1, trigger: "sms", form: "fn on_sms(sms)", doc: "When a message came in." },
    Hook {
        name: "on_schedule",
        arity: 1,
        trigger: "schedule",
        form: "fn on_schedule(sim)",
        doc: "When a time of `schedule()` has come, for each SIM.",
    },
    Hook {
        name: "on_schedule",
        arity: 0,
        trigger: "schedule",
        form: "fn on_schedule()",
        doc: "When a time of `schedule()` has come, once.",
    },
    Hook {
        name: "on_cycle_start",
        arity: 1,
        trigger: "cycle-start",
        form: "fn on_cycle_start(sim)",
        doc: "When the SIM's billing cycle began.",
    },
    Hook {
        name: "on_cycle_end",
        arity: 2,
        trigger: "cycle-end",
        form: "fn on_cycle_end(sim, ended)",
        doc: "When a billing cycle of the SIM is over.",
    },
    Hook {
        name: "on_sim_change",
        arity: 2,
        trigger: "sim-change",
        form: "fn on_sim_change(sim, before)",
        doc: "When a modem has another SIM or profile in use than before.",
    },
    Hook {
        name: "on_modems",
        arity: 1,
        trigger: "modems",
        form: "fn on_modems(modems)",
        doc: "When a modem was lost or came back.",
    },
    Hook {
        name: "on_health",
        arity: 1,
        trigger: "health",
        form: "fn on_health(health)",
        doc: "When something about the service itself went wrong, or well again.",
    },
];

/// The function that says when `on_schedule` is called.
pub(crate) const SCHEDULE_FUNCTION: &str = "schedule";

/// Compiles a file, runs its top once for its constants, and asks for its schedule.
///
/// # Errors
/// The first problem that keeps the rule from running.
pub(crate) fn compile(
    engine: &mut Engine,
    limits: &Limits,
    source: &Source<'_>,
    text: &str,
    settings: &Settings,
    texts: &Texts,
    places: ModulePlaces<'_>,
) -> Result<Compiled, Problem> {
    let parts = parts(engine, limits, source, text, settings, places)?;
    let hooks = hooks(&parts.ast, source, text)?;
    let mut version = DefaultHasher::new();
    (text, format!("{settings:?}"), texts.digest()).hash(&mut version);
    if let Some(imported) = parts.imported {
        imported.hash(&mut version);
    }
    let compiled = Compiled {
        parts,
        hooks,
        schedules: Vec::new(),
        texts: texts.clone(),
        version: format!("{:016x}", version.finish()),
        channels: channels_named(text),
    };
    let schedules = schedules(engine, limits, source, text, &compiled)?;
    Ok(Compiled { schedules, ..compiled })
}

/// Where a rule's modules are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModulePlaces<'a> {
    /// The plugin's folder; none for a single file.
    pub(crate) home: Option<&'a Path>,
    /// Where compiled modules are kept.
    pub(crate) shelf: &'a Shelf,
}

/// What every script comes to, whatever it is for.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Functions, and what brings modules in; the text it came from is gone.
    pub(crate) ast: AST,
    /// The names of its functions and of those of its modules, for hints.
    pub(crate) functions: Vec<String>,
    /// The file's constants and settings.
    pub(crate) constants: Constants,
    /// The constants of the modules that it uses.
    pub(crate) modules: ModuleConstants,
    /// Tells the texts of its modules from others, where it has any.
    pub(crate) imported: Option<u64>,
    /// What brings the modules in before a function is called; none where there are none.
    head: Option<AST>,
}

impl Parts {
    /// What goes along with a call.
    pub(crate) fn tag(&self, texts: Texts, run: Option<Run>) -> Tag {
        Tag {
            constants: Arc::clone(&self.constants),
            modules: Arc::clone(&self.modules),
            texts,
            run,
            stage: None,
            desk: None,
        }
    }

    /// Other functions in the place of its own, such as those that tell which lines run.
    pub(crate) fn set_functions(&mut self, mut functions: AST) {
        if let Some(head) = &self.head {
            functions = head.merge(&functions);
            functions.clear_source();
        }
        self.ast = functions;
    }

    /// How its functions are called.
    pub(crate) fn options(&self, tag: Tag) -> CallFnOptions<'_> {
        CallFnOptions::new().eval_ast(self.head.is_some()).with_tag(tag)
    }
}

/// Compiles a file with its modules, and runs its top once for its constants.
pub(crate) fn parts(
    engine: &mut Engine,
    limits: &Limits,
    source: &Source<'_>,
    text: &str,
    settings: &Settings,
    places: ModulePlaces<'_>,
) -> Result<Parts, Problem> {
    let parts = compile_importing(engine, limits, source, text, settings, places);
    settle(engine, places.shelf);
    engine.set_default_tag(Dynamic::UNIT);
    parts
}

fn compile_importing(
    engine: &mut Engine,
    limits: &Limits,
    source: &Source<'_>,
    text: &str,
    settings: &Settings,
    places: ModulePlaces<'_>,
) -> Result<Parts, Problem> {
    if text.len() > limits.source_bytes {
        return Err(source.problem(None, too_large(limits)).hint(limit("file")));
    }
    check_version(source, text)?;
    let mut scope = Scope::new();
    scope.push_constant("settings", settings.clone());
    engine.set_strict_variables(false);
    let ast = engine.compile_with_scope(&scope, text).map_err(|error| source.parse(&error, &[]))?;
    let imported = modules::load(engine, limits, places.shelf, places.home, source, &ast)?;
    let given = Constants::new([("settings".to_owned(), Dynamic::from(settings.clone()))].into());
    let tag = Tag { constants: given, modules: Arc::clone(&imported.constants), ..Tag::default() };
    let constants = constants(engine, limits, source, text, &ast, scope, tag)?;
    let names: Vec<String> = constants.keys().cloned().collect();

    // Compiled again with the names of the constants at hand, so that any other unknown name is found now.
    let mut scope = Scope::new();
    for name in &names {
        scope.push(name.as_str(), ());
    }
    engine.set_strict_variables(true);
    let mut ast = engine
        .compile_with_scope(&scope, text)
        .map_err(|error| source.parse(&error, &[names.as_slice(), &parameters_of(text)].concat()))?;
    ast.clear_statements();
    let mut functions: Vec<String> =
        ast.iter_functions().filter(|f| !f.name.starts_with("anon$")).map(|f| f.name.to_owned()).collect();
    functions.extend(imported.functions.iter().cloned());
    ast.clear_source();
    let Imported { head, constants: modules, digest, .. } = imported;
    let imported = head.as_ref().map(|_| digest);
    let mut parts = Parts { ast: AST::empty(), functions, constants, modules, imported, head };
    parts.set_functions(ast);
    Ok(parts)
}

/// Runs the top of a file: what it defines are the constants.
pub(crate) fn constants(
    engine: &mut Engine,
    limits: &Limits,
    source: &Source<'_>,
    text: &str,
    ast: &AST,
    mut scope: Scope<'_>,
    tag: Tag,
) -> Result<Constants, Problem> {
    engine.set_default_tag(Dynamic::from(tag));
    let meter = RunMeter::start(limits);
    let ran = engine.run_ast_with_scope(&mut scope, ast);
    drop(meter);
    engine.set_default_tag(Dynamic::UNIT);
    ran.map_err(|error| source.run(&error, &[]))?;
    let mut constants = BTreeMap::new();
    for (name, constant, value) in scope.iter_raw() {
        let at = || position_of(source, text, &[if constant { "const" } else { "let" }, name]);
        if !constant {
            return Err(source
                .problem(
                    at(),
                    format!("the top of a rule has constants and functions only, not `let {name}`"),
                )
                .hint(format!("write `const {name}`, or move it into a function")));
        }
        let most = limits.constant_elements;
        if elements(value) > most {
            let message = format!("the constant `{name}` has more than {most} elements");
            return Err(source.problem(at(), message).hint(limit("constant_items")));
        }
        constants.insert(name.to_owned(), value.clone());
    }
    Ok(Arc::new(constants))
}

fn elements(value: &Dynamic) -> usize {
    if let Ok(list) = value.as_array_ref() {
        return list.iter().map(|element| elements(element).saturating_add(1)).sum();
    }
    if let Ok(map) = value.as_map_ref() {
        return map.values().map(|element| elements(element).saturating_add(1)).sum();
    }
    0
}

fn hooks(ast: &AST, source: &Source<'_>, text: &str) -> Result<Vec<Hook>, Problem> {
    let mut found = Vec::new();
    for function in ast.iter_functions() {
        let forms: Vec<&Hook> = HOOKS.iter().filter(|hook| hook.name == function.name).collect();
        let at = || position_of(source, text, &["fn", function.name]);
        if let Some(hook) = forms.iter().find(|hook| hook.arity == function.params.len()) {
            found.push(**hook);
        } else if !forms.is_empty() {
            let forms: Vec<&str> = forms.iter().map(|hook| hook.form).collect();
            let given = function.params.len();
            return Err(source
                .problem(at(), format!("the hook `{}` does not take {given} values", function.name))
                .hint(format!("write it as `{}`", forms.join("` or `"))));
        } else if function.name.starts_with("on_") {
            let names = HOOKS.iter().map(|hook| hook.name);
            let hint = nearest(function.name, names)
                .map_or_else(all_hooks, |near| format!("did you mean `{near}`?"));
            return Err(source.problem(at(), format!("there is no hook `{}`", function.name)).hint(hint));
        }
    }
    if let (true, Some((_, at))) = (found.is_empty(), Code::of(text).open) {
        return Err(source
            .problem(Some(at), "the comment that begins here does not end: nothing of the rule is left")
            .hint("close it with `*/`".to_owned()));
    }
    if found.is_empty() {
        // `onUsage` and `OnUsage` are what other languages would have it called.
        let plain = |name: &str| name.to_ascii_lowercase().replace('_', "");
        let alike = |name: &str| HOOKS.iter().find(|hook| plain(hook.name) == plain(name));
        if let Some((function, hook)) =
            ast.iter_functions().find_map(|function| Some((function.name, alike(function.name)?)))
        {
            let at = position_of(source, text, &["fn", function]);
            return Err(source
                .problem(at, format!("there is no hook `{}`", short(function)))
                .hint(format!("write it as `{}`", hook.form)));
        }
    }
    // In the order of the table, whatever the order in the file.
    found.sort_by_key(|hook| HOOKS.iter().position(|known| known == hook));
    if found.is_empty() {
        return Err(source
            .problem(None, "the rule has no hook, so nothing would ever call it")
            .hint(all_hooks()));
    }
    Ok(found)
}

fn all_hooks() -> String {
    let forms: Vec<&str> = HOOKS.iter().map(|hook| hook.form).collect();
    format!("hooks are {}", forms.join(", "))
}

/// When the rule is due, as its `schedule()` says.
pub(crate) fn schedules(
    engine: &Engine,
    limits: &Limits,
    source: &Source<'_>,
    text: &str,
    compiled: &Compiled,
) -> Result<Vec<CoreSchedule>, Problem> {
    let Compiled { parts, hooks, .. } = compiled;
    let Parts { ast, functions, .. } = parts;
    let defined = ast.iter_functions().any(|f| f.name == SCHEDULE_FUNCTION && f.params.is_empty());
    let hooked = hooks.iter().any(|hook| hook.trigger == "schedule");
    let at = |name: &str| position_of(source, text, &["fn", name]);
    match (defined, hooked) {
        (false, false) => return Ok(Vec::new()),
        (true, false) => {
            return Err(source
                .problem(
                    at(SCHEDULE_FUNCTION),
                    "the rule has `schedule()`, but no `on_schedule(sim)` to be called then",
                )
                .hint(
                    "add `fn on_schedule(sim) { … }`, or `fn on_schedule() { … }` where no SIM is meant"
                        .to_owned(),
                ));
        }
        (false, true) => {
            return Err(source
                .problem(at("on_schedule"), "the rule has `on_schedule`, but no `schedule()` that says when")
                .hint("add `fn schedule() { daily(\"07:00\") }`".to_owned()));
        }
        (true, true) => {}
    }
    let meter = RunMeter::start(limits);
    let options = parts.options(parts.tag(Texts::default(), None));
    let given =
        engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), ast, SCHEDULE_FUNCTION, ());
    drop(meter);
    let given = given.map_err(|error| source.run(&error, functions))?;
    let list = if given.is_array() { given.into_array().unwrap_or_default() } else { vec![given] };
    let schedules: Vec<CoreSchedule> =
        list.iter().filter_map(|value| value.read_lock::<Schedule>().map(|schedule| schedule.0)).collect();
    let most = limits.schedules;
    if schedules.len() == list.len() && schedules.len() > most {
        let message = format!("`schedule()` gives {} times, more than {most}", schedules.len());
        return Err(source.problem(at(SCHEDULE_FUNCTION), message).hint(limit("schedules")));
    }
    if schedules.len() != list.len() || schedules.is_empty() {
        let message = format!("`schedule()` does not give a time, or a list of 1 to {most} of them");
        let forms = "at(\"07:00\"), weekly(\"mon\", \"07:00\"), monthly(\"last\", \"07:00\"), \
                     cron(\"0 7 * * mon\"), every(10.minutes)";
        return Err(source.problem(at(SCHEDULE_FUNCTION), message).hint(forms.to_owned()));
    }
    Ok(schedules)
}

/// The version that a file asks for in a comment above its first statement, `// api: 1`, as plugins do in plugin.toml.
fn check_version(source: &Source<'_>, text: &str) -> Result<(), Problem> {
    let comments = text.lines().enumerate().map(|(index, line)| (index, line.trim()));
    for (index, line) in comments.take_while(|(_, line)| line.is_empty() || line.starts_with("//")) {
        let Some(asked) = line.trim_start_matches('/').trim().strip_prefix("api:") else { continue };
        let at = Some((index.saturating_add(1), 1));
        return match asked.trim().parse::<i64>() {
            Ok(API) => Ok(()),
            Ok(higher) if higher > API => Err(newer(source, at, &higher.to_string())),
            _ => Err(source
                .problem(at, "this is no version of the rule language")
                .hint(format!("write `// api: {API}`"))),
        };
    }
    Ok(())
}

/// What is said of a rule or plugin for a later version of the rule language.
pub(crate) fn newer(source: &Source<'_>, at: Option<(usize, usize)>, asked: &str) -> Problem {
    let message = format!(
        "this is written for version {asked} of the rule language; this simbell speaks version {API}"
    );
    source.problem(at, message).hint("update simbell, or use an older version of it".to_owned())
}

/// What is said of a file beyond the limit.
pub(crate) fn too_large(limits: &Limits) -> String {
    format!("the file is larger than {}", in_units(limits.source_bytes))
}

/// Where the words stand one after the other, such as `fn on_usage`.
pub(crate) fn position_of(source: &Source<'_>, text: &str, words: &[&str]) -> Option<(usize, usize)> {
    let (first, rest) = words.split_first()?;
    text.match_indices(first).find_map(|(start, _)| {
        let mut tail = text.get(start.checked_add(first.len())?..)?;
        for word in rest {
            let trimmed = tail.trim_start();
            if trimmed.len() == tail.len() {
                return None;
            }
            tail = trimmed.strip_prefix(word)?;
        }
        let ends = !tail.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        ends.then(|| source.offset(start)).flatten()
    })
}

/// Names that a misspelt variable may have meant: the parameters and `let`s of the file, found by their looks.
pub(crate) fn parameters_of(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in text.lines().map(str::trim_start) {
        let list = if let Some(head) = line.strip_prefix("fn ") {
            head.split_once('(').and_then(|(_, tail)| tail.split_once(')')).map(|(list, _)| list)
        } else {
            line.strip_prefix("let ").and_then(|tail| tail.split('=').next())
        };
        let found = list.into_iter().flat_map(|list| list.split(',')).map(|name| name.trim().to_owned());
        names.extend(found.filter(|name| !name.is_empty()));
    }
    names
}
