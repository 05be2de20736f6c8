//! The configuration, in three stages: the files as they are (`fragments`), one tree in which each value knows
//! where it came from (`merged`), and settings that are checked whole (`settings`).
//!
//! Every problem is found at once, in every file, with file, line, column, key and a way out. What may be
//! written is shown in `contrib/conf.d/example.toml`.

mod billing;
mod block;
mod channels;
mod duration;
mod environment;
mod fragments;
mod limits;
mod merged;
mod numbers;
mod problem;
mod rate;
mod scripts;
mod secrets;
mod section;
mod service;
mod settings;
mod sims;
#[cfg(test)]
mod tests;
mod transports;
mod zoneinfo;
mod zones;

use std::path::{Path, PathBuf};

use simbell_core::bytes::Bytes;
use simbell_core::schedule::{QuietHours, TimeOfDay};
use simbell_core::settings::Settings;
use simbell_core::time::Span;
use simbell_core::zone::ZoneRules;

pub use block::{PlanFields, plan_block};
pub use duration::{Length, LengthError};
pub use environment::Environment;
pub use problem::{Problem, ProblemKind, Problems};
pub use settings::{
    Durability, HistorySettings, LogLevel, PluginSettings, RulesSettings, ServiceSettings, StorageSettings,
};
pub use zoneinfo::{ZoneError, system_zone, zone_rules};

use fragments::Fragment;
use numbers::{bytes, length, span};
use rate::Rate;
use section::{Report, Section};
use zones::Zones;

pub(crate) use service::is_bus_address;

/// A configuration without a problem.
#[derive(Debug)]
pub struct Loaded {
    /// For the core.
    pub settings: Settings,
    /// For the shell.
    pub service: ServiceSettings,
    /// The files it was read from, in their order.
    pub files: Vec<PathBuf>,
}

/// Reads a configuration: one file, or a directory with `simbell.toml` and `conf.d/*.toml`.
///
/// Of a directory the files in `conf.d` are laid over `simbell.toml` in the order of their names: sections are
/// merged key by key, any other value is replaced whole. Relative paths start at the file they stand in; rules and
/// plugins of the owner are looked for beside the configuration. A directory without files is a valid
/// configuration: SIMs are tracked without plans, and reminders go to the journal.
///
/// # Errors
/// Every problem of every file.
pub fn load(path: &Path, env: &Environment) -> Result<Loaded, Problems> {
    let (fragments, problems) = fragments::read(path);
    read(&fragments, problems, path, env)
}

/// As [`load`] of a directory, as if there were one file more in its `conf.d`.
///
/// # Errors
/// Every problem of every file.
pub fn load_with(path: &Path, added: (&Path, &str), env: &Environment) -> Result<Loaded, Problems> {
    let (fragments, problems) = fragments::read_with(path, Some(added));
    read(&fragments, problems, path, env)
}

/// The configuration of a machine that has none: SIMs are tracked without plans, reminders go to the journal.
///
/// # Errors
/// When not even the system's time zone can be read.
pub fn defaults(dir: &Path, env: &Environment) -> Result<Loaded, Problems> {
    read(&[], Vec::new(), dir, env)
}

fn read(
    fragments: &[Fragment],
    mut problems: Vec<Problem>,
    path: &Path,
    env: &Environment,
) -> Result<Loaded, Problems> {
    let files: Vec<PathBuf> = fragments.iter().map(|fragment| fragment.path.clone()).collect();
    let dir = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let tree = merged::merge(fragments);
    let mut report = Report::new(fragments, path);
    let mut zones = Zones::new(env);
    let mut root = Section::root(&tree);
    let (settings, mut service) = root_section(&mut root, &mut zones, dir, env, &mut report);
    root.finish(&mut report);
    service.unchecked_secrets = report.take_notes();
    let found = report.into_problems().into_iter().filter(|found| is_sound(found, &problems, fragments));
    let mut found: Vec<Problem> = found.collect();
    problems.append(&mut found);
    if problems.is_empty() {
        Ok(Loaded { settings, service, files })
    } else {
        Err(Problems::new(problems, &files))
    }
}

/// Whether a problem is one of its own and not the echo of a text that could not be parsed.
fn is_sound(found: &Problem, syntax: &[Problem], fragments: &[Fragment]) -> bool {
    if syntax.is_empty() {
        return true;
    }
    // What seems to be missing may stand where the text could not be read.
    if matches!(found.kind(), ProblemKind::MissingKey | ProblemKind::UnknownName) {
        return false;
    }
    let lost = fragments.iter().find(|fragment| fragment.path == found.file()).and_then(|f| f.lost_from);
    if lost.is_some_and(|lost| found.line() >= lost) {
        return false;
    }
    let on_its_line = syntax.iter().any(|s| s.file() == found.file() && s.line() == found.line());
    !on_its_line || matches!(found.kind(), ProblemKind::Secret | ProblemKind::UnknownKey)
}

fn root_section(
    root: &mut Section<'_>,
    zones: &mut Zones<'_>,
    dir: &Path,
    env: &Environment,
    report: &mut Report<'_>,
) -> (Settings, ServiceSettings) {
    let language = root.get("language").and_then(|field| language(&field, report));
    let zone = zone(root, zones, report);
    let sims = sims::read(root, &zone, zones, report);
    let mut settings = Settings {
        zone,
        language: language.unwrap_or_else(|| "en".to_owned()),
        sims,
        sample_every: Span::secs(60),
        line_rate: 125_000_000,
        max_unsaved_bytes: None,
        max_unsaved_time: Span::secs(300),
        default_channels: Vec::new(),
        channels: Vec::new(),
        quiet: None,
        suspend_after: service::SUSPEND_AFTER,
        actions_a_day: service::ACTIONS_A_DAY,
        ppp_interface: None,
    };
    let quota = counting(root, &mut settings, report);
    let mut service = service::read(root, dir, env, report);
    let mut channels = channels::read(root, &settings.sims, &service.rules, env, report);
    if channels.named.is_empty() {
        channels.add_journal();
    }
    reminders(root, &channels, &mut settings, report);
    settings.channels = channels.known;
    service.channels = channels.configs;
    service.scripted = channels.scripted;
    service.quota = quota;
    settings.suspend_after = service.rules.suspend_after;
    settings.actions_a_day = service.rules.actions_a_day;
    (settings, service)
}

fn zone(root: &mut Section<'_>, zones: &mut Zones<'_>, report: &mut Report<'_>) -> ZoneRules {
    if let Some(field) = root.get("timezone") {
        return zones.read(&field, report).unwrap_or_else(ZoneRules::utc);
    }
    zones.system().unwrap_or_else(|(name, error)| {
        let message =
            format!("the system's time zone {name} {error}; or name one: timezone = \"Europe/Berlin\"");
        report.add_without_place(ProblemKind::InvalidValue, "timezone", message);
        ZoneRules::utc()
    })
}

fn language(field: &section::Field<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = field.line("a language such as \"en\" or \"zh\"", report)?;
    let mut parts = text.split('-');
    let first = parts
        .next()
        .is_some_and(|part| (2..=3).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphabetic()));
    let rest =
        parts.all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()));
    if !(first && rest && text.len() <= 35) {
        field.invalid(report, "is not a language (BCP 47), such as \"en\", \"zh\" or \"pt-BR\"");
        return None;
    }
    Some(text.to_owned())
}

/// Also gives where the quota helper listens.
fn counting(root: &mut Section<'_>, settings: &mut Settings, report: &mut Report<'_>) -> Option<PathBuf> {
    let mut section = root.get("counting").and_then(|f| f.section("a section [counting]", report))?;
    if let Some(every) = section.get("sample_every").and_then(|f| length(&f, 1, 3_600, report)) {
        settings.sample_every = span(every);
    }
    if let Some(rate) = section.get("line_rate").and_then(|f| line_rate(&f, report)) {
        settings.line_rate = rate.bytes();
    }
    if let Some(field) = section.get("max_unsaved_bytes")
        && let Some(most) = bytes(&field, Bytes(0), Bytes(1_000_000_000_000), report)
    {
        settings.max_unsaved_bytes = Some(most.get());
    }
    if let Some(time) = section.get("max_unsaved_time").and_then(|f| length(&f, 1, 86_400, report)) {
        settings.max_unsaved_time = span(time);
    }
    if let Some(field) = section.get("ppp_interface") {
        settings.ppp_interface = field.line("the name of a network interface", report).and_then(|name| {
            // The kernel's own rule (dev_valid_name).
            let valid = name.len() < 16
                && !matches!(name, "." | "..")
                && !name.chars().any(|c| c == '/' || c == ':' || c.is_whitespace());
            if !valid {
                field.invalid(report, "is not the name of a network interface, such as \"ppp0\"");
            }
            valid.then(|| name.to_owned())
        });
    }
    let quota = section.get("quota").and_then(|field| service::quota(&field, report));
    section.finish(report);
    quota
}

fn line_rate(field: &section::Field<'_>, report: &mut Report<'_>) -> Option<Rate> {
    let (least, most) = (Rate::from_mbit(1), Rate::from_mbit(400_000));
    let rate: Rate = field.parsed("a rate in quotes such as \"300 Mbit/s\" or \"1 Gbit/s\"", report)?;
    if !(least..=most).contains(&rate) {
        field.invalid(report, format!("is out of range, expected {least} to {most}"));
        return None;
    }
    Some(rate)
}

fn reminders(
    root: &mut Section<'_>,
    channels: &channels::Channels,
    settings: &mut Settings,
    report: &mut Report<'_>,
) {
    settings.default_channels = channels.known.iter().map(|channel| channel.name.clone()).collect();
    let Some(mut section) = root.get("reminders").and_then(|f| f.section("a section [reminders]", report))
    else {
        return;
    };
    if let Some(field) = section.get("channels") {
        settings.default_channels = service::channel_names(&field, channels, report);
    }
    if let Some(mut quiet) = section
        .get("quiet")
        .and_then(|field| field.section("{ from = \"22:00\", until = \"07:00\" }", report))
    {
        const TIME: &str = "a time of day in quotes such as \"07:00\"";
        let from = quiet.need("from", "from = \"22:00\"", report);
        let from: Option<TimeOfDay> = from.and_then(|field| field.parsed(TIME, report));
        let until_field = quiet.need("until", "until = \"07:00\"", report);
        let until: Option<TimeOfDay> = until_field.as_ref().and_then(|field| field.parsed(TIME, report));
        quiet.finish(report);
        if let (Some(from), Some(until), Some(field)) = (from, until, until_field) {
            if from == until {
                field.invalid(
                    report,
                    "is the same as `from`, which leaves no quiet hours; remove `quiet` instead",
                );
            }
            settings.quiet = Some(QuietHours { from, until });
        }
    }
    section.finish(report);
}
