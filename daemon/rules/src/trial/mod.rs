//! Tests of rules and channels, in their own folder and language: `tests.rhai` of a plugin, `NAME.test.rhai` beside a
//! single file. Each function `test_…` is a story told to a [`crate::Rehearsal`], with expectations of what it rings; of
//! a channel, messages sent and answered, with expectations of requests and of what becomes of the message.
//!
//! A test runs in the same sandbox as a rule, with more time; the world it plays in lives on a thread of its own, so
//! that the limits of the test and those of the script it asks do not mix.

mod channel;
mod expect;
mod history;
mod language;
mod plan;
mod shown;
mod stage;
mod story;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rhai::{AST, CallFnOptions, Dynamic, Engine, Scope};
use simbell_core::zone::ZoneRules;

use crate::engine;
use crate::files::read;
use crate::host::{Constants, Tag};
use crate::limits::Limits;
use crate::lines::Trail;
use crate::meter::RunMeter;
use crate::problem::{Code, Problem, Source};
use crate::registry::{Book, Registry};
use crate::ruleset::is_rule;
pub(crate) use channel::Desk;
pub(crate) use channel::book as channel_book;
#[cfg(test)]
pub(crate) use channel::register as register_channel;
pub use channel::{Fate, Sender};
pub(crate) use language::book;
#[cfg(test)]
pub(crate) use language::register;
pub(crate) use stage::Stage;
use story::Setup;
pub(crate) use story::Story;

/// Gives the rules of a time zone by its name, or says what is wrong with that.
pub type ZoneSource = Arc<dyn Fn(&str) -> Result<ZoneRules, String> + Send + Sync>;

/// A test's own limits: far above what a story of a few hundred steps needs.
fn story_limits() -> Limits {
    Limits { operations: 2_000_000, deadline: Duration::from_secs(60), memory: 32 << 20, ..Limits::default() }
}

/// Threads of a test need as much stack as the service's have.
const STACK: usize = 4 << 20;

/// Most tests of one file.
const MOST_TESTS: usize = 500;

/// How tests are run.
#[derive(Clone)]
pub struct TrialOptions {
    /// Limits of each evaluation of the rule.
    pub limits: Limits,
    /// Time zones.
    pub zones: ZoneSource,
    /// Only tests whose name holds this.
    pub filter: Option<String>,
    /// What a channel's request and the answer come to; none where only rules are tested.
    pub sender: Option<Arc<dyn Sender>>,
}

/// A rule, or a channel's plugin, and its tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The rule's name.
    pub name: String,
    /// Its file, or its plugin's folder.
    pub path: PathBuf,
    /// The file of its script.
    pub rule: PathBuf,
    /// The file of its tests, which need not be there.
    pub tests: PathBuf,
}

/// What came of the tests of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialReport {
    /// The rule's name.
    pub name: String,
    /// The file of its script.
    pub rule: PathBuf,
    /// The file of its tests.
    pub tests: PathBuf,
    /// What kept them from running.
    pub problem: Option<String>,
    /// Each test that ran, in the order of the file.
    pub ran: Vec<Ran>,
    /// Tests that the filter left out.
    pub filtered: usize,
    /// Lines of the script with a statement that no test reached; nothing is said of them where a filter left out some.
    pub unreached: Vec<Unreached>,
    /// Lines with a statement.
    pub statements: usize,
}

/// A line of a rule that no test reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// Its file: the rule's, or that of one of its modules.
    pub file: PathBuf,
    /// Its number, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
}

/// One test that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its function.
    pub name: String,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// How long it took.
    pub took: Duration,
}

/// Why a test failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where and why: with the line and a caret below the place.
    pub problem: Problem,
    /// What happened in the story, line by line.
    pub happened: Vec<String>,
}

impl Subject {
    /// The rule of a file or a plugin's folder.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let shown = |name: Option<&std::ffi::OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let name = crate::check::manifest(path)
                .map_or_else(|_| shown(path.file_name()), |manifest| manifest.name);
            Self { name, path: path.to_owned(), rule: path.join("main.rhai"), tests: path.join("tests.rhai") }
        } else {
            Self {
                name: shown(path.file_stem()),
                path: path.to_owned(),
                rule: path.to_owned(),
                tests: path.with_extension("test.rhai"),
            }
        }
    }

    /// Whether somebody wrote tests.
    #[must_use]
    pub fn has_tests(&self) -> bool {
        self.tests.is_file()
    }
}

/// The rules and channels at a path: a rule's file or that of its tests, a plugin's folder, or a folder with any of them,
/// in the order of their names.
#[must_use]
pub fn subjects(path: &Path) -> Vec<Subject> {
    if path.is_file() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let rule = match name.strip_suffix(".test.rhai") {
            Some(stem) => path.with_file_name(format!("{stem}.rhai")),
            None => path.to_owned(),
        };
        let within = path.parent().filter(|dir| dir.join("plugin.toml").is_file());
        return vec![Subject::of(within.unwrap_or(&rule))];
    }
    if path.join("plugin.toml").is_file() {
        return vec![Subject::of(path)];
    }
    let mut entries: Vec<PathBuf> = [path.to_owned(), path.join("rules"), path.join("channels")]
        .iter()
        .flat_map(fs::read_dir)
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    entries
        .iter()
        .filter(|entry| if entry.is_dir() { entry.join("plugin.toml").is_file() } else { is_rule(entry) })
        .map(|entry| Subject::of(entry))
        .collect()
}

/// Runs the tests of a rule or a channel.
#[must_use]
pub fn run_tests(subject: &Subject, options: &TrialOptions) -> TrialReport {
    let mut report = TrialReport {
        name: subject.name.clone(),
        rule: subject.rule.clone(),
        tests: subject.tests.clone(),
        problem: None,
        ran: Vec::new(),
        filtered: 0,
        unreached: Vec::new(),
        statements: 0,
    };
    let trail = Arc::new(Trail::default());
    let (script, world) = match read_tests(subject, options, &trail) {
        Ok(read) => read,
        Err(problem) => {
            report.problem = Some(problem);
            return report;
        }
    };
    for (name, wrong) in &script.tests {
        if options.filter.as_ref().is_some_and(|filter| !name.contains(filter.as_str())) {
            report.filtered = report.filtered.saturating_add(1);
            continue;
        }
        let began = Instant::now();
        let failure = match (wrong, &world) {
            (Some(problem), _) => Some(Failure { problem: problem.clone(), happened: Vec::new() }),
            (None, World::Rule(setup)) => script.run::<Story>(name, setup.clone()),
            (None, World::Channel(setup)) => script.run::<Desk>(name, setup.clone()),
        };
        report.ran.push(Ran { name: name.clone(), failure, took: began.elapsed() });
    }
    report.statements = trail.statements().len();
    if report.filtered == 0 {
        let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (file, line) in trail.unreached() {
            let text = texts.entry(file.clone()).or_insert_with(|| {
                let text = read(Path::new(&file), &options.limits).unwrap_or_default();
                text.lines().map(str::to_owned).collect()
            });
            let text = text.get(line.saturating_sub(1)).cloned().unwrap_or_default();
            report.unreached.push(Unreached { file: PathBuf::from(file), line, text });
        }
    }
    report
}

/// What is wrong with the tests of a rule or a channel, as far as that shows before they run; nothing where it has none.
#[must_use]
pub fn check_tests(subject: &Subject) -> Vec<Problem> {
    if !subject.has_tests() {
        return Vec::new();
    }
    match Script::read(&subject.tests, &subject.tests.display().to_string(), Tongue::of(subject)) {
        Ok(script) => script.tests.into_iter().filter_map(|(_, wrong)| wrong).collect(),
        Err(problem) => vec![problem],
    }
}

/// What each test of a file begins with.
enum World {
    Rule(Setup),
    Channel(channel::Setup),
}

/// The tests, and what they are told to.
fn read_tests(
    subject: &Subject,
    options: &TrialOptions,
    trail: &Arc<Trail>,
) -> Result<(Script, World), String> {
    let kind = crate::check::manifest(&subject.path).map(|manifest| manifest.kind);
    let file = subject.tests.display().to_string();
    let read = |tongue| Script::read(&subject.tests, &file, tongue).map_err(|problem| problem.to_string());
    match kind {
        Ok(crate::PluginKind::Carrier) => {
            Err(format!("{}: only rules and channels have tests", subject.path.display()))
        }
        Ok(crate::PluginKind::Channel) => {
            let script = read(Tongue::Channels)?;
            Ok((script, World::Channel(channel::Setup::new(subject, options, trail)?)))
        }
        Ok(crate::PluginKind::Rule) | Err(_) => {
            let script = read(Tongue::Rules)?;
            let setup = Setup::new(subject, options, trail);
            setup.check()?;
            Ok((script, World::Rule(setup)))
        }
    }
}

/// Which functions tests have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tongue {
    Rules,
    Channels,
}

impl Tongue {
    fn of(subject: &Subject) -> Self {
        match crate::check::manifest(&subject.path) {
            Ok(manifest) if manifest.kind == crate::PluginKind::Channel => Self::Channels,
            _ => Self::Rules,
        }
    }

    /// A function that tests of the other kind have, and these have not.
    fn belongs_elsewhere(self, message: &str) -> Option<&'static str> {
        let name = message.strip_prefix("unknown function `")?.strip_suffix('`')?;
        let (other, hint) = match self {
            Self::Rules => {
                (channel_book(), "that is for tests of channels; a test of a rule begins with sim(\"home\")")
            }
            Self::Channels => (book(), "that is for tests of rules; a test of a channel begins with send()"),
        };
        let mut names = other.function_names();
        names.any(|known| known == name).then_some(hint)
    }

    fn limits(self) -> Limits {
        match self {
            Self::Rules => story_limits(),
            // A request is one text, and longer than any of a rule.
            Self::Channels => Limits { string_bytes: 256 << 10, ..story_limits() },
        }
    }

    fn engine(self) -> Engine {
        let mut engine = engine::build(&self.limits());
        let mut registry = Registry::new(&mut engine, None);
        match self {
            Self::Rules => language::register(&mut registry),
            Self::Channels => channel::register(&mut registry),
        }
        engine
    }

    fn book(self) -> &'static Book {
        match self {
            Self::Rules => book(),
            Self::Channels => channel_book(),
        }
    }

    fn how_to_begin(self) -> String {
        match self {
            Self::Rules => how_to_begin(),
            Self::Channels => channel::how_to_begin(),
        }
    }
}

/// Where a test's functions play: a rule's story, or a channel.
trait Place: Sized + 'static {
    type Setup: Send + 'static;

    fn begin(setup: Self::Setup) -> Self;

    /// What goes along with each call of the test.
    fn at(stage: Stage<Self>, tag: Tag) -> Tag;

    /// What helps whoever reads of a failure, and what happened.
    fn told(&mut self) -> (Option<String>, Vec<String>);
}

impl Place for Story {
    type Setup = Setup;

    fn begin(setup: Setup) -> Self {
        Self::new(setup)
    }

    fn at(stage: Stage<Self>, tag: Tag) -> Tag {
        Tag { stage: Some(stage), ..tag }
    }

    fn told(&mut self) -> (Option<String>, Vec<String>) {
        (self.take_hint(), self.happened())
    }
}

/// A file of tests, compiled.
struct Script {
    tongue: Tongue,
    file: String,
    text: String,
    ast: AST,
    constants: Constants,
    functions: Vec<String>,
    /// Names of the tests, in the order of the file, with what keeps one from running.
    tests: Vec<(String, Option<Problem>)>,
}

impl Script {
    fn read(path: &Path, file: &str, tongue: Tongue) -> Result<Self, Problem> {
        let nowhere = Source { file, text: None };
        if !path.exists() {
            return Err(nowhere.problem(None, "there are no tests").hint(tongue.how_to_begin()));
        }
        let text = read(path, &tongue.limits()).map_err(|error| nowhere.problem(None, error))?;
        let source = Source { file, text: Some(&text) };
        let mut engine = tongue.engine();
        let mut scope = Scope::new();
        engine.set_strict_variables(false);
        let top = engine.compile(&text).map_err(|error| source.parse(&error, &[]))?;
        let meter = RunMeter::start(&tongue.limits());
        let ran = engine.run_ast_with_scope(&mut scope, &top);
        drop(meter);
        ran.map_err(|error| source.run(&error, &[]))?;
        let constants: Constants =
            Arc::new(scope.iter_raw().map(|(name, _, value)| (name.to_owned(), value.clone())).collect());
        let mut names = Scope::new();
        for name in constants.keys() {
            names.push(name.as_str(), ());
        }
        engine.set_strict_variables(true);
        let known: Vec<String> = constants.keys().cloned().collect();
        let mut ast =
            engine.compile_with_scope(&names, &text).map_err(|error| source.parse(&error, &known))?;
        ast.clear_statements();
        let functions: Vec<String> = ast
            .iter_functions()
            .map(|function| function.name.to_owned())
            .filter(|name| !name.starts_with("anon$"))
            .chain(tongue.book().function_names().chain(["date", "print"]).map(str::to_owned))
            .collect();
        let mut tests: Vec<((usize, usize), String, Option<Problem>)> = Vec::new();
        let code = Code::of(&text);
        for function in ast.iter_functions().filter(|function| function.name.starts_with("test")) {
            let at = code.function(function.name);
            let wrong = (!function.params.is_empty()).then(|| {
                let message =
                    format!("the test `{}` takes values, which nobody would give it", function.name);
                let hint = "a test is `fn test_…()`; a function that tests call has another name";
                source.problem(at, message).hint(hint.to_owned())
            });
            tests.push((at.unwrap_or_default(), function.name.to_owned(), wrong));
        }
        tests.sort_by(|(a, one, _), (b, other, _)| (a, one).cmp(&(b, other)));
        if tests.is_empty() || tests.len() > MOST_TESTS {
            let message = match tests.len() {
                0 => "the file has no test: a function whose name begins with `test`".to_owned(),
                many => format!("the file has {many} tests; {MOST_TESTS} are enough for one"),
            };
            return Err(source.problem(None, message).hint(tongue.how_to_begin()));
        }
        let tests = tests.into_iter().map(|(_, name, wrong)| (name, wrong)).collect();
        Ok(Self { tongue, file: file.to_owned(), text, ast, constants, functions, tests })
    }

    /// Tells one story on a thread of its own.
    fn run<P: Place>(&self, name: &str, setup: P::Setup) -> Option<Failure> {
        let source = Source { file: &self.file, text: Some(&self.text) };
        let fault = |what: String| Failure {
            problem: source
                .problem(None, what)
                .hint("this is a fault of simbell: please report it".to_owned()),
            happened: Vec::new(),
        };
        let stage = match Stage::open(move || P::begin(setup)) {
            Ok(stage) => stage,
            Err(error) => return Some(fault(format!("a thread could not be made: {error}"))),
        };
        let told = {
            let stage = stage.clone();
            std::thread::scope(|scope| {
                let teller = std::thread::Builder::new()
                    .stack_size(STACK)
                    .spawn_scoped(scope, || self.tell(name, &source, stage));
                teller.map_err(|error| error.to_string()).and_then(|teller| {
                    teller.join().map_err(|_| "the program panicked while it ran this test".to_owned())
                })
            })
        };
        let problem = match told {
            Ok(None) => return None,
            Ok(Some(problem)) => problem,
            Err(what) => return Some(fault(what)),
        };
        let (hint, happened) = stage.ask(P::told).unwrap_or_default();
        let problem = if hint.is_some() { problem.hint(hint) } else { problem };
        Some(Failure { problem, happened })
    }

    fn tell<P: Place>(&self, name: &str, source: &Source<'_>, stage: Stage<P>) -> Option<Problem> {
        let engine = self.tongue.engine();
        let tag = P::at(stage, Tag { constants: Arc::clone(&self.constants), ..Tag::default() });
        let options = CallFnOptions::new().eval_ast(false).with_tag(tag);
        let meter = RunMeter::start(&self.tongue.limits());
        let called = engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &self.ast, name, ());
        drop(meter);
        let problem = source.test(name, &*called.err()?, &self.functions);
        match self.tongue.belongs_elsewhere(&problem.message) {
            Some(hint) => Some(problem.hint(hint.to_owned())),
            None => Some(problem),
        }
    }
}

fn how_to_begin() -> String {
    "write one beside the rule, such as\n        fn test_rings_at_80_percent() {\n            let home = sim(\"home\", #{ \
     plan: #{ data: \"10 GB\", every: \"month\" } });\n            home.uses(8.GB);\n            \
     expect_reminder(\"data-80\");\n        }"
        .to_owned()
}
