//! `simbelld replay`: a rule run over the past that a ledger knows. What simbellctl executes for `rules replay`.
//!
//! The past comes from the service, told on standard input, so that whoever may ask the service may replay; or from a
//! ledger or a copy of one, read as it lies. What comes out are lines of [`simbell_api::ReplayLine`].

mod aside;
mod past;
mod rings;
mod run;
mod tell;
mod told;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use simbell_core::settings::Settings;
use simbell_core::time::{Span, Timestamp};
use simbell_rules::{LoadOptions, RehearsalError, RuleSet};
use simbell_store::{OpenError, QueryError};

use crate::app::{load_config, looked_in, rule_options};
use crate::config::{Environment, Loaded};
use past::{Past, Window};

const EX_CONFIG: u8 = 78;

/// The longest span, in days: what simbellctl offers.
pub const MOST_DAYS: u32 = 4_000;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplayOptions {
    /// The configuration, as for the service.
    pub config: Option<PathBuf>,
    /// The rule: a file, a plugin's folder, or a name.
    pub rule: PathBuf,
    /// An older version of it, to compare with.
    pub old: Option<PathBuf>,
    /// The ledger, or a copy of one; the past is told on standard input where there is none.
    pub ledger: Option<PathBuf>,
    /// How many days; 90 unless given.
    pub days: Option<u32>,
    /// From when on, instead of `days`.
    pub from: Option<String>,
    /// Until when.
    pub to: Option<String>,
    /// About which SIM alone, by name or ICCID.
    pub sim: Option<String>,
    /// Settings of the plugin, each `KEY=VALUE`.
    pub settings: Vec<String>,
}

/// Why nothing was replayed.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    /// What is asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// There is no such SIM.
    #[error("{0}")]
    NoSim(String),
    /// There is no such rule.
    #[error("{0}")]
    NoRule(String),
    /// The rule cannot run: as `check` says it.
    #[error("{0}")]
    Rule(String),
    /// The ledger cannot be opened.
    #[error("{}", unopened(.0))]
    Open(#[from] OpenError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Somebody writes it again and again.
    #[error(
        "the ledger was written each time that it was read: replay a copy of it, which `simbellctl backup` makes"
    )]
    Written,
    /// Nothing has happened yet.
    #[error("the ledger is empty: nothing was ever measured, so there is nothing to replay")]
    Empty,
    /// Nothing is known of the span.
    #[error(
        "the ledger knows nothing of {from} to {until}, and only hours that are over are replayed: widen it with --days, \
         --from or --to, or name another --sim"
    )]
    Nothing {
        /// From.
        from: String,
        /// Until.
        until: String,
    },
    /// All that is known is of the hour that has begun.
    #[error(
        "the ledger knows of no hour that is over, and only those are replayed: wait until {0}, or replay the hour that has \
         begun with --to {0}"
    )]
    TooEarly(String),
    /// Standard input cannot be read.
    #[error("the past cannot be read from standard input: {0}")]
    Stdin(io::Error),
    /// It ended before its last line.
    #[error(
        "the past on standard input was cut off: the service or simbellctl was ended meanwhile; replay again"
    )]
    CutOff,
    /// A line of it is none.
    #[error("the past on standard input is not understood ({0}): use simbellctl and simbelld of one version")]
    Line(serde_json::Error),
    /// Something in it makes no sense.
    #[error("the past on standard input makes no sense ({0}): use simbellctl and simbelld of one version")]
    Told(String),
    /// More rings than anybody reads.
    #[error(
        "the rule rings without end: more than 10,000 times by {0}. Make it say less, or replay fewer days"
    )]
    RingsWithoutEnd(String),
    /// It cannot be run any further.
    #[error("the replay cannot go on: {0}. Make the rule say less often what it says, or replay fewer days")]
    Rehearsal(#[from] RehearsalError),
}

/// The span that is asked for.
#[derive(Debug)]
struct Wanted {
    days: u32,
    from: Option<String>,
    to: Option<String>,
}

impl Wanted {
    /// From when until when; `end` is where what is known ends.
    fn window(&self, settings: &Settings, end: Timestamp) -> Result<Window, ReplayError> {
        let instant = |text: &str, option: &str| {
            if let Ok(date) = text.parse::<NaiveDate>() {
                return Ok(settings.zone.day_start(date));
            }
            DateTime::parse_from_rfc3339(text)
                .map(|at| Timestamp::from_millis(at.timestamp_millis()))
                .map_err(|_| {
                    let shown: String = text.chars().take(40).collect();
                    ReplayError::Usage(format!(
                        "{option} is {shown:?}, which is neither a date nor an instant; write 2026-11-01, or \
                         2026-11-01T07:00:00+01:00"
                    ))
                })
        };
        let until = self.to.as_deref().map(|text| instant(text, "--to")).transpose()?.unwrap_or(end);
        let span = |days: u32| Span::secs(i64::from(days).saturating_mul(86_400));
        let earliest = until.saturating_add(Span(span(self.days).as_millis().saturating_neg()));
        let from = self.from.as_deref().map(|text| instant(text, "--from")).transpose()?.unwrap_or(earliest);
        if from >= until {
            return Err(ReplayError::Usage(format!(
                "the span is empty: it begins {} and ends {}; give an earlier --from",
                settings.zone.rfc3339(from),
                settings.zone.rfc3339(until)
            )));
        }
        if until.since(from) > span(MOST_DAYS) {
            return Err(ReplayError::Usage(format!(
                "the span is longer than {MOST_DAYS} days; replay it in parts with --from and --to"
            )));
        }
        Ok(Window::of(settings, from, until))
    }
}

/// Replays, prints what came of it, and gives the exit status: 0 when it was done, 2 when what is asked for makes no
/// sense, 78 when the configuration has errors, 1 for anything else.
#[must_use]
pub fn run(options: &ReplayOptions) -> ExitCode {
    // Whoever replays need not be who may read the secrets.
    let env = Environment::of_process().assuming_secrets();
    let loaded = match load_config(options.config.as_deref(), &env) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let said = replay(options, loaded).and_then(|lines| {
        for line in &lines {
            let text = serde_json::to_string(line).map_err(|error| ReplayError::Told(error.to_string()))?;
            // A reader that has gone away is no fault of the replay.
            if writeln!(out, "{text}").is_err() {
                return Ok(());
            }
        }
        let _gone = out.flush();
        Ok(())
    });
    match said {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if matches!(error, ReplayError::Usage(_)) { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn replay(options: &ReplayOptions, loaded: Loaded) -> Result<Vec<simbell_api::ReplayLine>, ReplayError> {
    let Loaded { mut settings, service, .. } = loaded;
    let rules = rule_options(&service, &settings);
    // Before the past is read: a rule that cannot run is the first thing to say.
    let paths = options.old.iter().chain([&options.rule]);
    let sets: Vec<Arc<RuleSet>> =
        paths.map(|path| load(path, &rules, options).map(Arc::new)).collect::<Result<_, _>>()?;
    let wanted =
        Wanted { days: options.days.unwrap_or(90), from: options.from.clone(), to: options.to.clone() };
    let mut past = match &options.ledger {
        Some(path) => aside::read(path, &settings, &wanted, crate::clock::wall())?,
        None => told::read(&mut io::stdin().lock(), &settings, &wanted, crate::clock::wall())?,
    };
    if let Some(name) = &options.sim {
        alone(&mut past, &mut settings, name).map_err(|unknown| {
            let hint = format!(
                "`simbellctl sims` lists them\n  hint: its name is {}",
                looked_in(options.config.as_deref())
            );
            ReplayError::NoSim(format!("{unknown}; {hint}"))
        })?;
    }
    if past.is_empty() {
        if let Some(first) = past.begins_later().filter(|_| options.to.is_none()) {
            return Err(ReplayError::TooEarly(settings.zone.rfc3339(next_hour(first))));
        }
        let (from, until) =
            (settings.zone.rfc3339(past.window.from), settings.zone.rfc3339(past.window.until));
        return Err(ReplayError::Nothing { from, until });
    }
    let mut ran = Vec::new();
    for set in sets {
        ran.push((Arc::clone(&set), run::run(set, &settings, &past)?));
    }
    Ok(tell::lines(ran, &settings, &past))
}

/// When the hour is over that an instant lies in.
fn next_hour(at: Timestamp) -> Timestamp {
    at.hour_start().saturating_add(Span::secs(3_600))
}

/// Why a ledger cannot be opened, for who only wants to read it.
fn unopened(error: &OpenError) -> String {
    const WHICH: &str = "name the service's ledger, ledger.db in its state directory, or a copy of it, which `simbellctl \
                         backup` makes";
    match error {
        OpenError::Foreign { path } => format!("{}: this is no ledger of simbell; {WHICH}", path.display()),
        OpenError::File { path, source, .. } => {
            let path = path.display();
            match source.kind() {
                io::ErrorKind::NotFound => format!("{path}: there is no such file; {WHICH}"),
                io::ErrorKind::IsADirectory => format!("{path}: this is a folder; {WHICH}"),
                io::ErrorKind::PermissionDenied => format!(
                    "{path}: you may not read it; leave --ledger out, and the service is asked, or replay a copy of it, \
                     which `simbellctl backup` makes"
                ),
                _ => format!("{path}: it cannot be read: {source}"),
            }
        }
        other => other.to_string(),
    }
}

/// Leaves one SIM, by name or ICCID.
fn alone(past: &mut Past, settings: &mut Settings, name: &str) -> Result<(), String> {
    let named = |iccid: &simbell_core::ident::Iccid| {
        let known = settings.sims.get(iccid).and_then(|sim| sim.name.as_ref());
        iccid.as_str() == name || known.is_some_and(|known| known.as_str() == name)
    };
    let Some(iccid) = past.sims.keys().find(|iccid| named(iccid)).cloned() else {
        let shown: String = name.chars().take(40).collect();
        return Err(format!("the ledger knows no SIM {shown:?}"));
    };
    past.sims.retain(|other, _| *other == iccid);
    past.observations.retain(|figure| figure.iccid == iccid);
    settings.sims.retain(|other, _| *other == iccid);
    Ok(())
}

/// Loads one rule: a file, a plugin's folder, or one that the service would find under this name.
fn load(path: &Path, options: &LoadOptions, asked: &ReplayOptions) -> Result<RuleSet, ReplayError> {
    let found = find(path, options, asked.config.as_deref())?;
    let given = &asked.settings;
    let mut options = options.clone();
    let mut sound = false;
    if !given.is_empty() {
        let name = RuleSet::load_one(&options, &found).descriptions().into_iter().next();
        sound = name.as_ref().is_some_and(|rule| rule.problem.is_none());
        let name = name.filter(|rule| rule.plugin).map(|rule| rule.name.to_string()).ok_or_else(|| {
            ReplayError::Usage(format!("{} has no settings: it is no plugin", found.display()))
        })?;
        // What is given here stands nowhere in the configuration.
        options.places.retain(|key, _| !key.starts_with(&format!("plugins.{name}.settings.")));
        let values = options.settings.entry(name).or_default();
        for setting in given {
            let (key, value) = setting.split_once('=').ok_or_else(|| {
                ReplayError::Usage(format!(
                    "{setting:?} is no setting; write it like limit=50GB, a list like steps=[\"5%\",\"10%\"]"
                ))
            })?;
            // `5`, `true` and `["a", "b"]` are what they are; anything else is a text.
            let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
            values.insert(key.trim().to_owned(), value);
        }
    }
    let set = RuleSet::load_one(&options, &found);
    match set.descriptions().as_slice() {
        // A channel or a carrier has no hooks to ask.
        [] if set.problems().is_empty() => Err(ReplayError::Rule(format!(
            "{} is a plugin, but no rule: only rules are replayed; `simbellctl plugins check` tries a channel",
            found.display()
        ))),
        [rule] => match &rule.problem {
            // What was given is what is wrong.
            Some(problem) if sound => Err(ReplayError::Usage(problem.clone())),
            Some(problem) => Err(ReplayError::Rule(problem.clone())),
            None => Ok(set),
        },
        _ => {
            let problems: Vec<String> = set.problems().iter().map(ToString::to_string).collect();
            Err(ReplayError::Rule(problems.join("\n")))
        }
    }
}

fn find(path: &Path, options: &LoadOptions, config: Option<&Path>) -> Result<PathBuf, ReplayError> {
    let shown = path.display();
    if path.is_dir() {
        return if path.join("plugin.toml").is_file() {
            Ok(path.to_owned())
        } else {
            Err(ReplayError::NoRule(format!("{shown}: this folder is no plugin, for it has no plugin.toml")))
        };
    }
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let name = path.to_str().filter(|name| !name.contains('/') && !name.ends_with(".rhai"));
    let Some(name) = name else {
        return Err(ReplayError::NoRule(format!("{shown}: there is no such file")));
    };
    let own =
        options.user_dir.iter().map(|dir| dir.join(format!("{name}.rhai"))).filter(|file| file.is_file());
    // Of two plugins of one name the later folder's is taken.
    let plugins =
        options.plugin_dirs.iter().rev().flat_map(|dir| [dir.join("rules").join(name), dir.join(name)]);
    own.chain(plugins.filter(|dir| dir.join("plugin.toml").is_file())).next().ok_or_else(|| {
        ReplayError::NoRule(format!(
            "{shown}: there is no such file, and no rule or plugin of this name; `simbellctl rules` lists them\n  hint: \
             it was {}", looked_in(config)
        ))
    })
}
