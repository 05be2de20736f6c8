//! Sections about the service itself: where it keeps things, who may change them, rules and plugins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use simbell_core::action::Permission;
use simbell_core::ident::{ChannelName, RuleName};
use simbell_core::time::Span;

use super::channels::Channels;
use super::environment::Environment;
use super::limits;
use super::merged::Value;
use super::numbers::{length, number, span};
use super::problem::{ProblemKind, Show};
use super::section::{Field, Report, Section, nearest, quoted};
use super::settings::{
    Durability, HistorySettings, LogLevel, PluginSettings, RulesSettings, ServiceSettings, StorageSettings,
};
use crate::clock::Trust;

/// Where plugins are installed that come with the program.
const SHIPPED_PLUGINS: &str = "/usr/share/simbell/plugins";

pub(super) fn read(
    root: &mut Section<'_>,
    config_dir: &Path,
    env: &Environment,
    report: &mut Report<'_>,
) -> ServiceSettings {
    let state_dir = env.state_dir.clone().unwrap_or_else(|| PathBuf::from("/var/lib/simbell"));
    let runtime_dir = env.runtime_dir.clone().unwrap_or_else(|| PathBuf::from("/run/simbell"));
    let mut settings = ServiceSettings {
        state_dir,
        socket: runtime_dir.join("control.sock"),
        bus: None,
        admin_groups: Vec::new(),
        log_level: LogLevel::Info,
        clock_trust: Trust::Auto,
        storage: StorageSettings { durability: Durability::Full },
        history: HistorySettings::default(),
        quota: None,
        rules: RulesSettings {
            dir: config_dir.join("rules.d"),
            plugin_dirs: vec![PathBuf::from(SHIPPED_PLUGINS), config_dir.join("plugins")],
            owner_plugin_dir: Some(config_dir.join("plugins")),
            named_dirs: Vec::new(),
            places: BTreeMap::new(),
            disabled: Vec::new(),
            limits: simbell_rules::Limits::default(),
            allowed: BTreeMap::new(),
            suspend_after: SUSPEND_AFTER,
            actions_a_day: ACTIONS_A_DAY,
        },
        plugins: BTreeMap::new(),
        channels: BTreeMap::new(),
        scripted: BTreeMap::new(),
        unchecked_secrets: Vec::new(),
    };
    if let Some(mut section) = root.get("service").and_then(|f| f.section("a section [service]", report)) {
        service(&mut section, &mut settings, report);
        section.finish(report);
    }
    if let Some(mut section) = root.get("history").and_then(|f| f.section("a section [history]", report)) {
        history(&mut section, &mut settings.history, report);
        section.finish(report);
    }
    if let Some(mut section) = root.get("control").and_then(|f| f.section("a section [control]", report)) {
        if let Some(field) = section.get("admin_groups") {
            let items = field.items("a list of groups", report);
            for item in items {
                let Some(name) = group(&item, report) else { continue };
                let key = format!("control.admin_groups.{name}");
                settings.rules.places.insert(key, report.location(item.place()));
                settings.admin_groups.push(name);
            }
        }
        section.finish(report);
    }
    if let Some(mut section) = root.get("rules").and_then(|f| f.section("a section [rules]", report)) {
        rules(&mut section, &mut settings.rules, report);
        section.finish(report);
    }
    let plugins = root.get("plugins").and_then(|f| f.section("sections [plugins.NAME]", report));
    for (name, field) in plugins.iter().flat_map(Section::entries) {
        if let (Some(name), Some(found)) = (rule_name(name, &field, report), plugin(&field, report)) {
            places(&name, &field, &mut settings.rules.places, report);
            settings.plugins.insert(name, found);
        }
    }
    settings
}

/// The channels a list names, each of which must be there.
pub(super) fn channel_names(
    field: &Field<'_>,
    channels: &Channels,
    report: &mut Report<'_>,
) -> Vec<ChannelName> {
    let mut names: Vec<ChannelName> = Vec::new();
    for item in field.items("a list of channels", report) {
        let Some(text) = item.line("the name of a channel", report) else { continue };
        if !channels.named.iter().any(|name| name == text) {
            let hint = match nearest(text, channels.named.iter().map(String::as_str)) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None if channels.named.is_empty() => format!("add a section [channels.{text}]"),
                None => format!("there are: {}", channels.named.join(", ")),
            };
            let message = format!("there is no channel {}", quoted(text));
            report.add(ProblemKind::UnknownName, item.place(), Show::Line, item.path(), message, Some(hint));
            continue;
        }
        match ChannelName::new(text) {
            Ok(name) if names.contains(&name) => {
                item.invalid(report, format!("{} stands here twice", quoted(text)))
            }
            Ok(name) => names.push(name),
            // The channel's own section has said so.
            Err(_) => {}
        }
    }
    names
}

fn service(section: &mut Section<'_>, settings: &mut ServiceSettings, report: &mut Report<'_>) {
    if let Some(path) = section.get("state_dir").and_then(|f| path(&f, report)) {
        settings.state_dir = path;
    }
    if let Some(path) = section.get("socket").and_then(|f| path(&f, report)) {
        settings.socket = path;
    }
    if let Some(field) = section.get("bus") {
        settings.bus = bus(&field, report);
    }
    if let Some(field) = section.get("log") {
        let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
        let choices = levels.map(|level| (level.as_str(), level));
        settings.log_level = field.one_of(&choices, report).unwrap_or(settings.log_level);
    }
    if let Some(field) = section.get("clock") {
        let choices =
            [("auto", Trust::Auto), ("synchronised", Trust::Synchronised), ("plausible", Trust::Plausible)];
        settings.clock_trust = field.one_of(&choices, report).unwrap_or(Trust::Auto);
    }
    if let Some(field) = section.get("durability") {
        let choices = [("full", Durability::Full), ("normal", Durability::Normal)];
        settings.storage.durability = field.one_of(&choices, report).unwrap_or(Durability::Full);
    }
}

fn history(section: &mut Section<'_>, settings: &mut HistorySettings, report: &mut Report<'_>) {
    let mut kept = |key: &'static str, before: Option<Span>, report: &mut Report<'_>| match section.get(key) {
        None => before,
        Some(field) if matches!(field.value(), Value::Text(text) if text == "forever") => None,
        Some(field) => length(&field, 31 * 86_400, 100 * 366 * 86_400, report).map(span).or(before),
    };
    settings.hours = kept("hours", settings.hours, report);
    settings.days = kept("days", settings.days, report);
    if let (Some(hours), Some(days)) = (settings.hours, settings.days) {
        // Days that end before their hours do would leave nothing between hours and cycles.
        settings.days = Some(days.max(hours));
    }
    if let Some(field) = section.get("backups") {
        settings.backups = number(&field, 0, 100, report).unwrap_or(settings.backups);
    }
}

pub(super) const SUSPEND_AFTER: u32 = 3;
pub(super) const ACTIONS_A_DAY: u32 = 10;

fn rules(section: &mut Section<'_>, rules: &mut RulesSettings, report: &mut Report<'_>) {
    if let Some(path) = section.get("dir").and_then(|f| path(&f, report)) {
        if !is_usual(&path, &rules.dir) {
            rules.named_dirs.push(("rules.dir", path.clone()));
        }
        rules.dir = path;
    }
    if let Some(field) = section.get("plugin_dirs") {
        let items = field.items("a list of directories", report);
        rules.plugin_dirs = items.iter().filter_map(|item| path(item, report)).collect();
        let own = rules.owner_plugin_dir.as_deref();
        let named = rules.plugin_dirs.iter().filter(|dir| own.is_none_or(|own| !is_usual(dir, own)));
        rules.named_dirs.extend(named.map(|dir| ("rules.plugin_dirs", dir.clone())));
    }
    if let Some(field) = section.get("disabled") {
        for item in field.items("a list of rules", report) {
            let name = item.line("the name of a rule", report);
            let Some(name) = name.and_then(|name| rule_name(name, &item, report)) else { continue };
            rules.places.insert(format!("rules.disabled.{name}"), report.location(item.place()));
            rules.disabled.push(name);
        }
    }
    if let Some(after) = section.get("suspend_after").and_then(|f| number(&f, 1, 1_000, report)) {
        rules.suspend_after = after;
    }
    if let Some(most) = section.get("actions_a_day").and_then(|f| number(&f, 0, 1_000, report)) {
        rules.actions_a_day = most;
    }
    if let Some(section) = section.get("allow").and_then(|f| f.section("a section [rules.allow]", report)) {
        for (name, field) in section.entries() {
            if let Some(name) = rule_name(name, &field, report) {
                rules.places.insert(format!("rules.allow.{name}"), report.location(field.key_place()));
                rules.allowed.insert(name, permissions(&field, report));
            }
        }
    }
    if let Some(mut section) =
        section.get("limits").and_then(|f| f.section("a section [rules.limits]", report))
    {
        rules.limits = limits::read(&mut section, report);
        section.finish(report);
    }
}

/// Whether a folder is that which is looked into anyway, and which need not be there.
fn is_usual(dir: &Path, usual: &Path) -> bool {
    let parent = |path: &Path| {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new(".")).canonicalize().ok()
    };
    dir.file_name() == usual.file_name() && parent(dir).is_some_and(|found| Some(found) == parent(usual))
}

fn plugin(field: &Field<'_>, report: &mut Report<'_>) -> Option<PluginSettings> {
    let mut section = field.section("a section such as [plugins.data-thresholds]", report)?;
    let enabled = match section.get("enabled") {
        None => Some(true),
        Some(field) => field.boolean(report),
    };
    let settings = match section.get("settings") {
        None => Some(serde_json::Map::new()),
        Some(field) => field.section("names with values", report).and_then(|section| map(&section, report)),
    };
    let allowed = section.get("allow").map(|field| permissions(&field, report)).unwrap_or_default();
    section.finish(report);
    Some(PluginSettings { enabled: enabled?, allowed, settings: settings? })
}

/// Where a plugin and each of its settings stand.
fn places(
    name: &RuleName,
    field: &Field<'_>,
    places: &mut BTreeMap<String, String>,
    report: &mut Report<'_>,
) {
    let key = format!("plugins.{name}");
    places.insert(key.clone(), report.location(field.key_place()));
    let Value::Table(table) = field.value() else { return };
    let Some(Value::Table(given)) = table.get("settings").map(|entry| &entry.node.value) else { return };
    for (setting, entry) in given {
        places.insert(format!("{key}.settings.{setting}"), report.location(&entry.key_place));
    }
}

/// What a rule may have done: a list of permissions.
fn permissions(field: &Field<'_>, report: &mut Report<'_>) -> Vec<Permission> {
    let mut allowed = Vec::new();
    for item in field.items("a list of permissions, such as [\"send-sms\"]", report) {
        let Some(text) = item.line("the name of a permission", report) else { continue };
        match text.parse() {
            Ok(permission) => allowed.push(permission),
            Err(error) => item.invalid(report, format!("{} {error}", quoted(text))),
        }
    }
    allowed
}

fn map(section: &Section<'_>, report: &mut Report<'_>) -> Option<serde_json::Map<String, serde_json::Value>> {
    let mut read = serde_json::Map::new();
    let mut all = true;
    for (key, field) in section.entries() {
        match json(&field, report) {
            Some(value) => {
                read.insert(key.to_owned(), value);
            }
            None => all = false,
        }
    }
    all.then_some(read)
}

pub(super) fn json(field: &Field<'_>, report: &mut Report<'_>) -> Option<serde_json::Value> {
    const WANTED: &str = "a text, a whole number, true or false, a list or names with values";
    match field.value() {
        Value::Text(text) => Some(text.clone().into()),
        Value::Integer(Some(number)) => Some((*number).into()),
        Value::Integer(None) => {
            field.invalid(report, "does not fit 64 bits");
            None
        }
        Value::Boolean(yes) => Some((*yes).into()),
        Value::Date(date) => Some(date.to_string().into()),
        Value::Float => {
            field.invalid(
                report,
                "is a number with a fraction, which is not exact; write it in quotes: \"0.8\"",
            );
            None
        }
        Value::Array(_) => {
            let items = field.items(WANTED, report);
            let read: Vec<_> = items.iter().filter_map(|item| json(item, report)).collect();
            (read.len() == items.len()).then_some(serde_json::Value::Array(read))
        }
        Value::Table(_) => field
            .section(WANTED, report)
            .and_then(|section| map(&section, report))
            .map(serde_json::Value::Object),
    }
}

/// The quota helper's socket: where its unit listens, elsewhere, or none.
pub(super) fn quota(field: &Field<'_>, report: &mut Report<'_>) -> Option<PathBuf> {
    match field.value() {
        Value::Boolean(true) => Some(PathBuf::from(simbell_quota::protocol::SOCKET)),
        Value::Boolean(false) => None,
        Value::Text(text) if Path::new(text).is_absolute() => path(field, report),
        _ => {
            field.invalid(
                report,
                "is true or false without quotes, or the absolute path of the helper's socket in quotes",
            );
            None
        }
    }
}

fn path(field: &Field<'_>, report: &mut Report<'_>) -> Option<PathBuf> {
    let text = field.line("a path", report)?;
    Some(report.directory(field.place()).join(text))
}

/// A D-Bus address; none for the system bus.
fn bus(field: &Field<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = field.line("\"system\" or a D-Bus address", report)?;
    if text == "system" {
        return None;
    }
    if is_bus_address(text) {
        return Some(text.to_owned());
    }
    field.invalid(report, "is not a D-Bus address; write \"system\", or such as \"unix:path=/run/bus\"");
    None
}

/// Whether a text has the form of a D-Bus address (D-Bus specification, "Server Addresses").
pub(crate) fn is_bus_address(text: &str) -> bool {
    text.split(';').all(|address| address.split_once(':').is_some_and(|(_, rest)| rest.contains('=')))
}

fn group(field: &Field<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = field.line("the name of a group", report)?;
    let valid = text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c));
    if !valid {
        field.invalid(report, format!("{} is not the name of a group, such as \"adm\"", quoted(text)));
    }
    valid.then(|| text.to_owned())
}

fn rule_name(name: &str, field: &Field<'_>, report: &mut Report<'_>) -> Option<RuleName> {
    RuleName::new(name).map_err(|error| field.invalid_hidden(ProblemKind::InvalidValue, report, error)).ok()
}
