//! `simbelld check`: configuration, rules and plugins, offline. What simbellctl executes for `config check` and
//! `rules check`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use simbell_core::action::Permission;
use simbell_core::ident::RuleName;
use simbell_rules::{
    Limits, PluginKind, Problem, RuleSet, Severity, Subject, check_channels, check_file_within,
    check_plugin_within, check_tests, check_wishes, is_rule, plugin_kind,
};

use crate::app::{CONFIG, absent_groups, load_config, rule_options};
use crate::config::{self, Environment, Loaded};
use crate::options::What;

const EX_CONFIG: u8 = 78;

/// Longest text that is added to a configuration.
const MOST_ADDED: u64 = 1 << 20;

/// Everything found, and what was looked at.
#[derive(Debug, Default)]
struct Found {
    config: Vec<String>,
    rules: Vec<String>,
    warnings: Vec<String>,
    files: usize,
    /// The system's configuration, where there is none.
    nothing_at: Option<PathBuf>,
    /// Rules, channels and carriers without a problem.
    good: [usize; 3],
}

impl Found {
    fn good(&mut self, kind: usize) {
        if let Some(count) = self.good.get_mut(kind) {
            *count = count.saturating_add(1);
        }
    }
}

/// Checks, prints what was found, and gives the exit status: 0 when all is well, 78 when the configuration has
/// errors, 1 when only rules have.
pub fn run(config: Option<&Path>, rules: &[PathBuf], what: What, json: bool) -> ExitCode {
    let mut found = Found::default();
    match rules {
        [] => configured(config, what, &mut found),
        // A whole configuration, rather than a folder of rules.
        [dir] if dir.join("simbell.toml").is_file() => configured(Some(dir), what, &mut found),
        rules => match Bounds::of(config) {
            Ok(bounds) => named(rules, &bounds, &mut found),
            Err(problems) => found.config = problems,
        },
    }
    print(&found, what, json);
    if !found.config.is_empty() {
        ExitCode::from(EX_CONFIG)
    } else if !found.rules.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Checks the configuration as if the text on standard input stood in `file` of its `conf.d`; prints each problem.
pub fn run_with(config: Option<&Path>, file: &Path) -> ExitCode {
    let env = Environment::of_process().assuming_secrets();
    let mut text = String::new();
    if let Err(error) = std::io::stdin().take(MOST_ADDED).read_to_string(&mut text) {
        eprintln!("error: standard input cannot be read: {error}");
        return ExitCode::FAILURE;
    }
    match config::load_with(config.unwrap_or(Path::new(CONFIG)), (file, &text), &env) {
        Ok(_) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems.list() {
                eprintln!("{problem}");
            }
            ExitCode::from(EX_CONFIG)
        }
    }
}

/// What rules may have done, by their names.
type Allowed = BTreeMap<RuleName, Vec<Permission>>;

/// What a configuration says of rules that are named by their path.
#[derive(Debug, Default)]
struct Bounds {
    limits: Limits,
    allowed: Allowed,
    /// The channels that there are; none where that is not known.
    channels: Option<Vec<String>>,
}

impl Bounds {
    /// By the configuration that is given; or what rules may have done, and by which channels they may remind, by the
    /// system's, where it can be read.
    fn of(config: Option<&Path>) -> Result<Self, Vec<String>> {
        let env = Environment::of_process().assuming_secrets();
        let bounds = |Loaded { settings, service, .. }: Loaded| Self {
            limits: service.rules.limits,
            allowed: service.rules.allowed,
            channels: Some(settings.channels.iter().map(|one| one.name.as_str().to_owned()).collect()),
        };
        let loaded = load_config(config, &env).map(bounds);
        if config.is_none() {
            let system = loaded.ok().filter(|_| Path::new(CONFIG).exists()).unwrap_or_default();
            return Ok(Self { limits: Limits::default(), ..system });
        }
        loaded.map_err(|problems| problems.list().iter().map(ToString::to_string).collect())
    }
}

/// What a rule asks for that nobody allows.
fn wishes(path: &Path, limits: &Limits, allowed: &Allowed) -> Vec<Problem> {
    let name = path.file_stem().and_then(|name| RuleName::new(name.to_string_lossy()).ok());
    let allowed = name.and_then(|name| allowed.get(&name)).map_or(&[][..], Vec::as_slice);
    check_wishes(path, limits, allowed)
}

fn configured(config: Option<&Path>, what: What, found: &mut Found) {
    // Whoever checks need not be who may read the secrets.
    let env = Environment::of_process().assuming_secrets();
    let Loaded { settings, service, files } = match load_config(config, &env) {
        Ok(loaded) => loaded,
        Err(problems) => {
            found.config = problems.list().iter().map(ToString::to_string).collect();
            // A wrong configuration does not say where rules are: those beside it are the ones that are meant.
            let path = config.unwrap_or(Path::new(CONFIG));
            let dir = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
            let rules = dir.join("rules.d");
            if what != What::Config && rules.is_dir() {
                named(&[rules], &Bounds::default(), found);
            }
            return;
        }
    };
    found.files = files.len();
    found.nothing_at = Some(PathBuf::from(CONFIG)).filter(|path| config.is_none() && !path.exists());
    found.warnings.extend(absent_groups(&service));
    let options = rule_options(&service, &settings);
    let set = RuleSet::load(&options);
    if what == What::Config {
        found.warnings.extend(set.misfits().map(ToString::to_string));
        return;
    }
    found.warnings.extend(set.problems().iter().map(ToString::to_string));
    let problems: BTreeSet<&String> =
        service.scripted.values().filter_map(|one| one.problem.as_ref()).collect();
    found.rules.extend(problems.into_iter().cloned());
    for rule in set.descriptions() {
        match rule.problem {
            Some(problem) => match set.problems_of(&rule.name) {
                [] => found.rules.push(problem),
                each => found.rules.extend(each.iter().map(ToString::to_string)),
            },
            None => found.good(0),
        }
    }
    found.warnings.extend(tests_of_nothing(&service.rules.dir));
    // A rule that loads may still name a property that no SIM has: each hook is tried on a made-up occasion.
    let own = std::fs::read_dir(&service.rules.dir).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in own.filter(|path| is_rule(path)) {
        let warnings =
            check_file_within(&path, &options.limits).into_iter().filter(|p| p.severity == Severity::Warning);
        found.warnings.extend(warnings.map(|p| p.to_string()));
        let wishes = wishes(&path, &options.limits, &service.rules.allowed);
        found.warnings.extend(wishes.iter().map(ToString::to_string));
        // Wrong tests keep no rule from running.
        found.warnings.extend(check_tests(&Subject::of(&path)).iter().map(ToString::to_string));
    }
}

fn named(rules: &[PathBuf], bounds: &Bounds, found: &mut Found) {
    let limits = &bounds.limits;
    found.warnings.extend(rules.iter().flat_map(|path| tests_of_nothing(path)));
    for path in rules.iter().flat_map(|path| within(path)) {
        let mut problems =
            if path.is_dir() { check_plugin_within(&path, limits) } else { check_file_within(&path, limits) };
        problems.extend(wishes(&path, limits, &bounds.allowed));
        let channels = bounds.channels.iter().flat_map(|known| check_channels(&path, limits, known));
        problems.extend(channels);
        problems.extend(check_tests(&Subject::of(&path)));
        if problems.iter().all(|p| p.severity != Severity::Error) {
            found.good(match plugin_kind(&path) {
                Some(PluginKind::Channel) => 1,
                Some(PluginKind::Carrier) => 2,
                Some(PluginKind::Rule) | None => 0,
            });
        }
        for problem in problems {
            match problem.severity {
                Severity::Error => found.rules.push(problem.to_string()),
                Severity::Warning => found.warnings.push(problem.to_string()),
            }
        }
    }
}

/// Tests in a folder, or a file of tests, whose rule is not there: they test nothing.
fn tests_of_nothing(path: &Path) -> Vec<String> {
    const TESTS: &str = ".test.rhai";
    let mut files: Vec<PathBuf> = match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => vec![path.to_owned()],
    };
    files.sort();
    let told = |file: PathBuf| {
        let name = file.file_name()?.to_str()?.strip_suffix(TESTS)?;
        let rule = format!("{name}.rhai");
        let alone = !name.is_empty() && !name.starts_with('.') && !file.with_file_name(&rule).exists();
        alone.then(|| {
            format!(
                "{}: warning: these are tests of {rule}, which is not there\n  hint: name the file after the rule that it \
                 tests",
                file.display()
            )
        })
    };
    files.into_iter().filter_map(told).collect()
}

/// A rule, a plugin, or whatever rules and plugins a directory holds.
fn within(path: &Path) -> Vec<PathBuf> {
    let is_plugin = |path: &Path| path.join("plugin.toml").exists();
    if !path.is_dir() || is_plugin(path) {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|entry| is_plugin(entry) || (entry.is_file() && is_rule(entry))).collect();
    found.sort();
    if found.is_empty() && path.file_name().is_none_or(|name| name != "rules.d") {
        // Said by the check of a plugin: neither rules nor a manifest are here.
        found.push(path.to_owned());
    }
    found
}

/// Prints what was found. A reader that has gone away (`| head`) is no fault of the check.
fn print(found: &Found, what: What, json: bool) {
    let good = found.config.is_empty() && found.rules.is_empty();
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    if json {
        let answer = json!({
            "ok": good,
            "problems": found.config.iter().chain(&found.rules).collect::<Vec<_>>(),
            "warnings": found.warnings,
        });
        let _ = writeln!(out, "{answer}");
        return;
    }
    for said in found.config.iter().chain(&found.rules).chain(&found.warnings) {
        let _ = writeln!(err, "{said}\n");
    }
    let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let _ = if good {
        let warnings = if found.warnings.is_empty() {
            String::new()
        } else {
            format!(", {}", count(found.warnings.len(), "warning", "warnings"))
        };
        let kinds = [("rule", "rules"), ("channel", "channels"), ("carrier", "carriers")];
        let kinds: Vec<String> = (found.good.iter().zip(kinds))
            .filter(|(n, _)| **n > 0)
            .map(|(n, (one, many))| count(*n, one, many))
            .collect();
        let rules = if kinds.is_empty() { count(0, "rule", "rules") } else { kinds.join(", ") };
        match &found.nothing_at {
            Some(path) => writeln!(
                out,
                "{} is not there: the service would run with its defaults. {rules}: no errors{warnings}\n  hint: a \
                 configuration elsewhere is named with --config",
                path.display()
            ),
            None if what == What::Config => {
                let files = count(found.files, "file of configuration", "files of configuration");
                writeln!(out, "{files}: no errors{warnings}")
            }
            None if found.files > 0 => {
                let files = count(found.files, "file of configuration", "files of configuration");
                writeln!(out, "{files}, {rules}: no errors{warnings}")
            }
            None => writeln!(out, "{rules}: no errors{warnings}"),
        }
    } else {
        // What has none is not worth a word: mostly it was not looked at.
        let counts = [
            (found.config.len(), "problem in the configuration", "problems in the configuration"),
            (found.rules.len(), "problem in the rules", "problems in the rules"),
        ];
        let counts = counts.iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| count(*n, one, many));
        writeln!(err, "{}", counts.collect::<Vec<_>>().join(", "))
    };
}
