//! Channels by plugin: the section's keys are the settings that the plugin's manifest declares.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::ExposeSecret;
use simbell_notify::{Reach, ScriptConfig, ScriptValue};
use simbell_rules::{
    ChannelEngine, ChannelPlugin, ChannelSettingKind, Given, Limits, Problem, channel_plugins,
};

use super::problem::ProblemKind;
use super::secrets::{secret, text_or_secret};
use super::section::{Field, Report, Section, nearest, quoted};
use super::service::json;
use super::settings::RulesSettings;
use super::transports::{Around, allow_plaintext, ca_file, timeout, url_allowed};
use crate::script::Script;
use crate::scripted::{Scripted, reach, with_defaults};

/// Stands for an address that is not read.
const ASSUMED: &str = "https://assumed.invalid/";

/// The channel plugins that are installed, looked for when the first is named.
pub(super) struct Scripts {
    dirs: Vec<PathBuf>,
    limits: Limits,
    plugins: OnceCell<BTreeMap<String, Result<ChannelPlugin, Vec<Problem>>>>,
    engine: OnceCell<ChannelEngine>,
    scripted: BTreeMap<String, Scripted>,
}

impl Scripts {
    pub fn new(rules: &RulesSettings) -> Self {
        Self {
            dirs: rules.plugin_dirs.clone(),
            limits: rules.limits,
            plugins: OnceCell::new(),
            engine: OnceCell::new(),
            scripted: BTreeMap::new(),
        }
    }

    /// The channels that were read, by name.
    pub fn into_scripted(self) -> BTreeMap<String, Scripted> {
        self.scripted
    }

    /// The plugin that the kind of a channel names; `kinds` are those that need none.
    pub fn plugin(
        &self,
        field: &Field<'_>,
        word: &str,
        kinds: &[&str],
        report: &mut Report<'_>,
    ) -> Option<ChannelPlugin> {
        let plugins = self.plugins.get_or_init(|| channel_plugins(&self.dirs));
        match plugins.get(word) {
            Some(Ok(plugin)) => Some(plugin.clone()),
            Some(Err(problems)) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let message = format!("is a plugin with a wrong manifest: {}", problems.join("\n"));
                field.invalid(report, message);
                None
            }
            None => {
                let known = || kinds.iter().copied().chain(plugins.keys().map(String::as_str));
                let hint = match nearest(word, known()) {
                    Some(nearest) => format!("did you mean \"{nearest}\"?"),
                    None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
                };
                field.invalid(
                    report,
                    format!("{} is no kind of channel and no channel plugin; {hint}", quoted(word)),
                );
                None
            }
        }
    }

    /// The section of the channel `channel`, which goes by `plugin`.
    pub fn read(
        &mut self,
        channel: &str,
        plugin: &ChannelPlugin,
        section: &mut Section<'_>,
        around: &Around<'_>,
        report: &mut Report<'_>,
    ) -> Option<ScriptConfig> {
        let allowed = allow_plaintext(section, report);
        let ca_file = ca_file(section, report);
        let timeout = timeout(section, plugin.name(), report);
        let (mut values, mut given, mut good) = (BTreeMap::new(), BTreeMap::new(), true);
        let mut addresses = Vec::new();
        for setting in plugin.settings() {
            let (name, field) = (setting.name, section.named(setting.name));
            let value = match (field, setting.kind) {
                (None, kind) if setting.required => {
                    section.missing(name, &example(name, &kind), report);
                    None
                }
                (None, _) => continue,
                (Some(field), ChannelSettingKind::Secret) => {
                    secret(&field, around.env, report).map(|secret| {
                        values.insert(name.to_owned(), ScriptValue::Secret(secret));
                        Given::Sealed
                    })
                }
                (Some(field), ChannelSettingKind::Url { .. }) => {
                    let url = text_or_secret(&field, "an address", ASSUMED, around.env, report)
                        .filter(|url| url_allowed(&field, url.expose_secret(), allowed, report));
                    url.map(|url| {
                        values.insert(name.to_owned(), ScriptValue::Url(url));
                        addresses.push((name.to_owned(), field));
                        Given::Sealed
                    })
                }
                (Some(field), ChannelSettingKind::Value) => json(&field, report).and_then(|value| {
                    let fits = plugin.fits(name, &value).map_err(|expected| {
                        field.invalid(report, format!("is not what the plugin takes, expected {expected}"));
                    });
                    fits.ok().map(|()| Given::Value(value))
                }),
            };
            match value {
                Some(value) => drop(given.insert(name.to_owned(), value)),
                None => good = false,
            }
        }
        let all = with_defaults(plugin, &values);
        let reach = reach(plugin, &all);
        for (name, field) in addresses {
            good &= leads_there(plugin, &name, &field, &values, &reach, report);
        }
        if !good {
            return None;
        }
        let engine = self.engine.get_or_init(|| ChannelEngine::new(&self.limits));
        let script = plugin.script(engine, &given);
        let problem = script.problem().map(ToString::to_string);
        let composer = Arc::new(Script::new(script));
        let config =
            ScriptConfig { plugin: plugin.name().to_owned(), composer, values: all, reach, ca_file, timeout };
        let scripted = Scripted { config: config.clone(), given, values, runs: problem.is_none(), problem };
        self.scripted.insert(channel.to_owned(), scripted);
        Some(config)
    }
}

/// Whether an address is one, and of a host that the plugin may send to.
fn leads_there(
    plugin: &ChannelPlugin,
    name: &str,
    field: &Field<'_>,
    values: &BTreeMap<String, ScriptValue>,
    reach: &[Reach],
    report: &mut Report<'_>,
) -> bool {
    let Some(ScriptValue::Url(url)) = values.get(name) else { return true };
    let url = url.expose_secret();
    if url == ASSUMED {
        return true;
    }
    let Some(to) = Reach::of_address(url, String::new()) else {
        let message = "is not an address, expected one such as https://example.org/path, without a login";
        field.invalid_hidden(ProblemKind::InvalidValue, report, message);
        return false;
    };
    if reach.iter().any(|known| known.leads_as(&to)) {
        return true;
    }
    let hosts: Vec<String> = plugin.hosts().iter().map(ToString::to_string).collect();
    let scheme = if to.plain { "http" } else { "https" };
    let message = format!(
        "leads to {scheme}://{}:{}, but the plugin \"{}\" sends by https to {} only",
        to.host,
        to.port,
        plugin.name(),
        hosts.join(", ")
    );
    field.invalid_hidden(ProblemKind::InvalidValue, report, message);
    false
}

fn example(name: &str, kind: &ChannelSettingKind) -> String {
    match kind {
        ChannelSettingKind::Secret => format!("{name} = {{ credential = \"name\" }} or {{ file = \"…\" }}"),
        ChannelSettingKind::Url { .. } => format!("{name} = \"https://…\""),
        ChannelSettingKind::Value => format!("{name} = …, as the plugin's README says"),
    }
}
