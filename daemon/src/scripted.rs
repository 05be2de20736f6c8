//! Channels that go by a plugin, made anew as its files change on disk or more of it is approved. What is wrong with a
//! plugin does not take the place of what runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use simbell_core::ident::ChannelName;
use simbell_notify::{Channel, ChannelConfig, Reach, ScriptConfig, ScriptValue, build_channels};
use simbell_rules::{
    ChannelEngine, ChannelPlugin, ChannelSettingKind, Given, Host, Limits, Plugin, RuleSet, channel_plugins,
};

use crate::config::ServiceSettings;
use crate::script::Script;

/// A channel by plugin, as the configuration has it.
#[derive(Debug, Clone)]
pub struct Scripted {
    /// As it is in use.
    pub config: ScriptConfig,
    /// What the configuration gives, as far as the script may know it.
    pub given: BTreeMap<String, Given>,
    /// What it gives and the script may not know.
    pub values: BTreeMap<String, ScriptValue>,
    /// Whether the script in use can run.
    pub runs: bool,
    /// Why the plugin cannot be used as it is on disk.
    pub problem: Option<String>,
}

/// Every channel by plugin of the configuration in use.
#[derive(Debug, Clone)]
pub struct ScriptedChannels {
    dirs: Vec<PathBuf>,
    limits: Limits,
    channels: BTreeMap<ChannelName, Scripted>,
}

impl ScriptedChannels {
    /// Those of a configuration that is about to be used: a script that cannot run leaves the one before in its place,
    /// and what was not approved is marked so in `service.channels` as well.
    #[must_use]
    pub fn new(service: &mut ServiceSettings, rules: &RuleSet, before: Option<&Self>) -> Self {
        let mut channels = std::mem::take(&mut service.scripted);
        for (name, channel) in &mut channels {
            if let Some(before) = before.and_then(|before| before.channels.get(name)) {
                channel.keep_running(before);
            }
            approve(&mut channel.config.reach, rules.plugin(&channel.config.plugin));
            service.channels.insert(name.clone(), ChannelConfig::Script(channel.config.clone()));
        }
        Self { dirs: service.rules.plugin_dirs.clone(), limits: service.rules.limits, channels }
    }

    /// Reads the plugins again, and gives the channels to be used from now on.
    #[must_use]
    pub fn read_anew(&mut self, rules: &RuleSet) -> BTreeMap<ChannelName, Channel> {
        if self.channels.is_empty() {
            return BTreeMap::new();
        }
        let plugins = channel_plugins(&self.dirs);
        // Another one: modules that were read once are kept with it.
        let engine = ChannelEngine::new(&self.limits);
        let mut renewed = BTreeMap::new();
        for (name, channel) in &mut self.channels {
            let remade = match plugins.get(&channel.config.plugin) {
                Some(Ok(plugin)) => channel.remade(name, plugin, &engine),
                Some(Err(problems)) => Err(lines(problems)),
                None => Err(format!(
                    "there is no channel plugin {} any more, which [channels.{name}] names",
                    channel.config.plugin
                )),
            };
            let made = remade.and_then(|mut config| {
                approve(&mut config.reach, rules.plugin(&config.plugin));
                let made = build_channels([(name.clone(), ChannelConfig::Script(config.clone()))], None);
                made.map(|made| (config, made)).map_err(|errors| lines(&errors))
            });
            match made {
                Ok((config, made)) => {
                    renewed.extend(made);
                    (channel.config, channel.runs, channel.problem) = (config, true, None);
                }
                Err(problem) => channel.problem = Some(problem),
            }
        }
        renewed
    }

    /// Why plugins cannot be used as they are on disk.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        self.channels.values().filter_map(|channel| channel.problem.clone())
    }

    /// Channels with what keeps their plugin from being used as it is on disk, in words for people.
    pub fn outdated(&self) -> impl Iterator<Item = (ChannelName, String)> {
        self.channels.iter().filter_map(|(name, channel)| {
            let then = if channel.runs {
                "The version before stays in use, until the file is mended."
            } else {
                "Nothing goes by this channel until the file is mended; reminders wait for it until their deadline."
            };
            channel.problem.as_ref().map(|problem| (name.clone(), format!("{problem}\n{then}")))
        })
    }

    /// What keeps a plugin from being used as it is on disk.
    #[must_use]
    pub fn problem_of(&self, plugin: &str) -> Option<String> {
        self.channels.values().filter(|one| one.config.plugin == plugin).find_map(|one| one.problem.clone())
    }
}

impl Scripted {
    /// The script before goes on where the new one cannot run, if it was given the same.
    fn keep_running(&mut self, before: &Self) {
        let same = self.config.plugin == before.config.plugin && self.given == before.given;
        if !self.runs && before.runs && same {
            self.config.composer = Arc::clone(&before.config.composer);
            self.runs = true;
        }
    }

    /// As the plugin is now.
    fn remade(
        &self,
        name: &ChannelName,
        plugin: &ChannelPlugin,
        engine: &ChannelEngine,
    ) -> Result<ScriptConfig, String> {
        let place = plugin.dir().join("plugin.toml");
        let wrong = |what: String| {
            Err(format!("{}: {what}; mend one of them, then `simbellctl reload`", place.display()))
        };
        let mut left: Vec<&String> = self.given.keys().collect();
        for setting in plugin.settings() {
            let key = setting.name;
            left.retain(|given| *given != key);
            let fits = match (self.given.get(key), &setting.kind) {
                (None, _) if setting.required => {
                    return wrong(format!(
                        "asks for the setting `{key}`, which [channels.{name}] does not give"
                    ));
                }
                (None, _) => Ok(()),
                (Some(Given::Value(value)), ChannelSettingKind::Value) => plugin.fits(key, value),
                (Some(Given::Sealed), kind) => match (self.values.get(key), kind) {
                    (Some(ScriptValue::Secret(_)), ChannelSettingKind::Secret)
                    | (Some(ScriptValue::Url(_)), ChannelSettingKind::Url { .. }) => Ok(()),
                    _ => Err("another type".to_owned()),
                },
                (Some(Given::Value(_)), _) => Err("a secret or an address".to_owned()),
            };
            if let Err(expected) = fits {
                return wrong(format!(
                    "what [channels.{name}] gives for the setting `{key}` does not fit any more, expected {expected}"
                ));
            }
        }
        if let Some(key) = left.first() {
            return wrong(format!(
                "[channels.{name}] gives the setting `{key}`, which is no longer declared"
            ));
        }
        let values = with_defaults(plugin, &self.values);
        let reach = reach(plugin, &values);
        for (key, value) in &self.values {
            if let ScriptValue::Url(url) = value
                && let Some(to) = Reach::of_address(url.expose_secret(), String::new())
                && !reach.iter().any(|known| known.leads_as(&to))
            {
                return wrong(format!(
                    "`hosts` no longer names the host of `{key}`, which [channels.{name}] gives"
                ));
            }
        }
        let script = plugin.script(engine, &self.given);
        if let Some(problem) = script.problem() {
            return Err(problem.to_string());
        }
        let composer = Arc::new(Script::new(script));
        Ok(ScriptConfig { composer, values, reach, ..self.config.clone() })
    }
}

/// A channel sends to hosts that were approved. What is for another one waits in the outbox until it is, too. The manifest
/// may have been written anew since `plugin` was read of it: what that does not name is not approved.
fn approve(reach: &mut [Reach], plugin: Option<&Plugin>) {
    let approved: Vec<&str> = plugin
        .into_iter()
        .flat_map(|plugin| &plugin.permissions)
        .filter(|permission| permission.approved)
        .map(|permission| permission.name.as_str())
        .collect();
    for reach in reach {
        reach.approved = approved.contains(&reach.permission.as_str());
    }
}

/// Addresses that a plugin has where none is given, beside those that are.
pub(crate) fn with_defaults(
    plugin: &ChannelPlugin,
    values: &BTreeMap<String, ScriptValue>,
) -> BTreeMap<String, ScriptValue> {
    let mut all = values.clone();
    for setting in plugin.settings() {
        if let ChannelSettingKind::Url { default: Some(url) } = setting.kind {
            all.entry(setting.name.to_owned()).or_insert_with(|| ScriptValue::Url(SecretString::from(url)));
        }
    }
    all
}

/// Where the plugin may send to, given the owner's addresses; all of it taken as approved.
pub(crate) fn reach(plugin: &ChannelPlugin, values: &BTreeMap<String, ScriptValue>) -> Vec<Reach> {
    let reach = |host: &Host| {
        let permission = format!("host:{host}");
        match host {
            Host::Named { host, port } => {
                Some(Reach { host: host.clone(), port: *port, plain: false, permission, approved: true })
            }
            Host::OfSetting(name) => match values.get(name) {
                Some(ScriptValue::Url(url)) => Reach::of_address(url.expose_secret(), permission),
                _ => None,
            },
        }
    };
    plugin.hosts().iter().filter_map(reach).collect()
}

fn lines(problems: &[impl ToString]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use simbell_core::plugin::PluginPlace;
    use simbell_rules::{Decided, PluginKind, PluginPermission};

    use super::*;

    #[test]
    fn a_host_that_nobody_approved_is_not_sent_to_whichever_reading_of_the_manifest_names_it() {
        let permission =
            |name: &str, approved| PluginPermission { name: name.to_owned(), approved, allowed: true };
        let plugin = Plugin {
            name: "ringer".to_owned(),
            kind: Some(PluginKind::Channel),
            dir: PathBuf::new(),
            place: PluginPlace::Owner,
            description: String::new(),
            languages: Vec::new(),
            enabled: true,
            decided: Decided::Configuration,
            used: true,
            permissions: vec![permission("host:a.example", true), permission("host:b.example", false)],
            settings: Vec::new(),
            problem: None,
            first_seen: false,
            unplaced: false,
        };
        let reach = |host: &str| Reach {
            host: host.to_owned(),
            port: 443,
            plain: false,
            permission: format!("host:{host}"),
            approved: true,
        };
        // The third was added between two readings.
        let mut all = ["a.example", "b.example", "c.example"].map(reach);
        approve(&mut all, Some(&plugin));
        assert_eq!(all.each_ref().map(|reach| reach.approved), [true, false, false]);
        approve(&mut all, None);
        assert_eq!(all.each_ref().map(|reach| reach.approved), [false; 3]);
    }
}
