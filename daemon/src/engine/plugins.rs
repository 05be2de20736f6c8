//! Rules and plugins that changed on disk, and what is approved of what plugins ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use simbell_api::{ControlError, DecidePluginParams, PluginReply};
use simbell_core::event::Event;
use simbell_core::health::WarningCode;
use simbell_core::ident::ChannelName;
use simbell_core::plugin::{PluginChoice, PluginDecision};
use simbell_notify::Channel;
use simbell_rules::{Decided, Plugin, PluginKind, RuleSet};

use super::Engine;
use crate::control::Answer;
use crate::scripted::ScriptedChannels;

/// Who approved what the configuration named as it first appeared.
const CONFIGURATION: &str = "configuration";
/// Who says of what place older decisions are.
const UPGRADE: &str = "upgrade";

impl Engine {
    /// Rules, plugins and texts as they are on disk take the place of those that run, all at once.
    pub(super) async fn take_rules(
        &mut self,
        rules: RuleSet,
        scripted: ScriptedChannels,
        renewed: BTreeMap<ChannelName, Channel>,
    ) {
        let told: Vec<String> = self.rules.problems().iter().map(ToString::to_string).collect();
        for problem in rules.problems().iter().map(ToString::to_string).filter(|one| !told.contains(one)) {
            tracing::warn!("{problem}");
        }
        // Where no rule is another one none is asked anew.
        let same = rules.descriptions() == self.rules.descriptions();
        self.rules = Arc::new(rules);
        self.scripted = scripted;
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.renew(renewed);
        }
        if !same {
            tracing::info!(rules = self.rules.descriptions().len(), "rules were read anew");
            self.feed(Event::RulesLoaded(self.rules.descriptions())).await;
        }
        self.look_at_plugins().await;
    }

    /// Warns of what is wrong on disk and was left out: plugins of channels, the owner's own texts, and what the
    /// configuration says of rules that are not there.
    async fn tell_of_outdated(&mut self) {
        let channels = self
            .scripted
            .outdated()
            .map(|(name, text)| (WarningCode::ChannelOutdated, name.as_str().to_owned(), text));
        let texts = self.rules.problems().iter().filter(|problem| problem.file.ends_with(".ftl"));
        let texts = texts.map(|problem| {
            let text = format!("{problem}\nThe texts without this file are said, until it is mended.");
            (WarningCode::TextsOutdated, problem.file.clone(), text)
        });
        let names = self.rules.unknown_names().iter().map(|(name, problem)| {
            let hint = problem.hint.as_deref().map_or_else(|| ".".to_owned(), |hint| format!("; {hint}"));
            let place = match problem.file.as_str() {
                "rules" => String::new(),
                place => format!(" ({place})"),
            };
            let text = format!(
                "The configuration names {name}{place}, and no rule and no plugin is called so: what it says of that has no \
                 effect{hint}"
            );
            (WarningCode::NameUnknown, name.clone(), text)
        });
        let folders = self.rules.missing_dirs().iter().map(|(dir, problem)| {
            let hint = problem.hint.as_deref().unwrap_or_default();
            let text = format!("{}: {}; {hint}, then `simbellctl reload`.", problem.file, problem.message);
            (WarningCode::FolderMissing, dir.display().to_string(), text)
        });
        let mut outdated = BTreeSet::new();
        for (code, subject, text) in channels.chain(texts).chain(names).chain(folders).collect::<Vec<_>>() {
            // Of several problems of a file the first is told; the log has them all.
            if outdated.insert((code, subject.clone())) {
                self.report(code, &subject, Some(text)).await;
            }
        }
        for over in std::mem::replace(&mut self.outdated, outdated) {
            if !self.outdated.contains(&over) {
                self.report(over.0, &over.1, None).await;
            }
        }
    }

    /// Remembers what plugins ask for that the configuration names for the first time, and warns of what waits.
    pub(super) async fn look_at_plugins(&mut self) {
        let rules = Arc::clone(&self.rules);
        // What an older ledger says of a name holds from now on for the plugin that has it, and for no other.
        for plugin in rules.plugins().filter(|plugin| plugin.unplaced) {
            self.plugin_is_decided(plugin, UPGRADE.to_owned(), PluginChoice::Approve, None).await;
        }
        for plugin in rules.plugins().filter(|plugin| plugin.first_seen) {
            let asked = Some(plugin.asks_for());
            self.plugin_is_decided(plugin, CONFIGURATION.to_owned(), PluginChoice::Approve, asked).await;
        }
        self.tell_of_outdated().await;
        let mut waiting = BTreeSet::new();
        // Of a kind of channel that no channel is of, nothing waits.
        let of_use = |plugin: &&Plugin| plugin.kind != Some(PluginKind::Channel) || plugin.used;
        for plugin in rules.plugins().filter(of_use) {
            if !plugin.enabled || plugin.waiting().next().is_none() {
                continue;
            }
            waiting.insert(plugin.name.clone());
            self.report(WarningCode::PermissionWaits, &plugin.name, Some(waits(plugin))).await;
        }
        for over in std::mem::replace(&mut self.waiting, waiting) {
            if !self.waiting.contains(&over) {
                self.report(WarningCode::PermissionWaits, &over, None).await;
            }
        }
    }
}

impl Engine {
    /// Every plugin, as callers see it.
    pub(super) fn plugins_shown(&self) -> Vec<simbell_api::Plugin> {
        let all = self.rules.plugins().flat_map(|plugin| [Some(plugin), self.rules.later(&plugin.name)]);
        all.flatten().map(|plugin| self.shown(plugin)).collect()
    }

    /// Somebody decides about a plugin: it is in the ledger, and the rules are read with it, before the answer.
    pub(super) async fn decide_plugin(
        &mut self,
        choice: PluginChoice,
        which: &DecidePluginParams,
        uid: u32,
    ) -> Answer<()> {
        let plugin = match self.rules.later(&which.name) {
            // Which of one's name is to run is what this one waits for.
            Some(later) if choice == PluginChoice::Enable => later.clone(),
            _ => self.plugin_named(&which.name)?,
        };
        if choice != PluginChoice::Disable {
            may_be_approved(&plugin, which, choice)?;
        }
        let asked = (choice != PluginChoice::Disable).then(|| plugin.asks_for());
        self.plugin_is_decided(&plugin, format!("uid {uid}"), choice, asked).await;
        self.committed()
    }

    /// A decision about a plugin where it lies, now.
    async fn plugin_is_decided(
        &mut self,
        plugin: &Plugin,
        author: String,
        what: PluginChoice,
        approved: Option<BTreeSet<String>>,
    ) {
        self.feed(Event::PluginDecided(PluginDecision {
            plugin: plugin.name.clone(),
            place: Some(plugin.place),
            at: self.stamp().wall,
            author,
            what,
            approved,
        }))
        .await;
    }

    /// What came of a decision.
    pub(super) fn plugin_decided(&self, choice: PluginChoice, name: &str) -> Answer<PluginReply> {
        let plugin = self.plugin_named(name)?;
        Ok(PluginReply { note: note(&plugin, choice), plugin: self.shown(&plugin) })
    }

    fn shown(&self, plugin: &Plugin) -> simbell_api::Plugin {
        let mut shown = shown(plugin);
        if self.rules.later(&plugin.name).is_none_or(|later| later.dir != plugin.dir) {
            shown.problem = shown.problem.or_else(|| self.scripted.problem_of(&plugin.name));
        }
        shown
    }

    fn plugin_named(&self, name: &str) -> Answer<Plugin> {
        self.rules.plugin(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.rules.plugins().map(|plugin| plugin.name.as_str()).take(20).collect();
            let shown: String = name.chars().take(80).collect();
            ControlError::UnknownPlugin {
                message: format!("no plugin is called {shown:?}"),
                hint: if known.is_empty() {
                    "copy its folder into `plugins` beside the configuration".to_owned()
                } else {
                    format!("there are: {}; `simbellctl plugins` lists them", known.join(", "))
                },
            }
        })
    }
}

/// Refuses what cannot run, and to approve what whoever approves has not seen.
fn may_be_approved(plugin: &Plugin, which: &DecidePluginParams, choice: PluginChoice) -> Answer<()> {
    let refuse = |message: String, hint: &str| Err(ControlError::Refused { message, hint: hint.to_owned() });
    if let Some(problem) = &plugin.problem {
        let message = format!("the plugin {} cannot be used: {problem}", plugin.name);
        return refuse(message, "mend its plugin.toml; `simbellctl plugins check` says when it is right");
    }
    if plugin.kind == Some(PluginKind::Carrier) && choice == PluginChoice::Enable {
        let message = format!("{} is a carrier plugin, which this version has no use for", plugin.name);
        return refuse(message, "plugins of the kinds rule and channel can be enabled");
    }
    let seen: BTreeSet<String> = which.approve.iter().cloned().collect();
    if seen != plugin.asks_for() {
        let asked: Vec<String> = plugin.asks_for().into_iter().collect();
        let message = if asked.is_empty() {
            format!("the plugin {} asks for nothing", plugin.name)
        } else {
            format!(
                "the plugin {} asks for {}: that is what has to be approved",
                plugin.name,
                asked.join(", ")
            )
        };
        return refuse(message, "look at it with `simbellctl plugins show`, then decide");
    }
    Ok(())
}

/// What keeps a decision from having the effect that is meant.
fn note(plugin: &Plugin, choice: PluginChoice) -> Option<String> {
    let wanted = match choice {
        PluginChoice::Enable => true,
        PluginChoice::Disable => false,
        PluginChoice::Approve => plugin.enabled,
    };
    if plugin.decided == Decided::Configuration && plugin.enabled != wanted {
        let says = if plugin.enabled { "on" } else { "off" };
        return Some(format!(
            "This is kept, and has no effect: the configuration, which outranks it, has {0} {says}. Change it there: \
             [plugins.{0}], `disabled` under [rules], or the channel that goes by it.",
            plugin.name
        ));
    }
    let missing: Vec<&str> =
        plugin.permissions.iter().filter(|one| !one.allowed).map(|one| one.name.as_str()).collect();
    (choice != PluginChoice::Disable && !missing.is_empty()).then(|| {
        format!(
            "It may do that once the configuration allows it, too: allow = {missing:?} under [plugins.{}].",
            plugin.name
        )
    })
}

fn shown(plugin: &Plugin) -> simbell_api::Plugin {
    let setting = |setting: &simbell_rules::PluginSetting| simbell_api::PluginSetting {
        name: setting.name.clone(),
        kind: if setting.list { format!("list of {}", setting.kind) } else { setting.kind.to_owned() },
        description: setting.description.clone(),
        default: setting.default.clone(),
        value: if setting.secret || plugin.kind == Some(PluginKind::Channel) {
            None
        } else {
            setting.configured.clone().or_else(|| setting.default.clone())
        },
        origin: if plugin.kind == Some(PluginKind::Channel) {
            "channel"
        } else if setting.configured.is_some() {
            "configuration"
        } else {
            "default"
        }
        .to_owned(),
        secret: setting.secret,
    };
    simbell_api::Plugin {
        name: plugin.name.clone(),
        kind: plugin.kind.map_or("unknown", PluginKind::as_str).to_owned(),
        api: plugin.kind.and(u32::try_from(simbell_rules::API).ok()),
        folder: plugin.dir.display().to_string(),
        description: plugin.description.clone(),
        languages: plugin.languages.clone(),
        enabled: plugin.enabled,
        decided_by: plugin.decided.as_str().to_owned(),
        permissions: plugin
            .permissions
            .iter()
            .map(|one| simbell_api::PluginPermission {
                name: one.name.clone(),
                approved: one.approved,
                allowed: one.allowed,
            })
            .collect(),
        settings: plugin.settings.iter().map(setting).collect(),
        problem: plugin.problem.clone(),
    }
}

fn waits(plugin: &Plugin) -> String {
    let asked: Vec<&str> = plugin.waiting().collect();
    let many = if asked.len() == 1 { "that is" } else { "those are" };
    format!(
        "The plugin {} asks for {}, and {many} not approved: it goes on without. Look at it, then approve it: \
         `simbellctl plugins approve {}`.",
        plugin.name,
        asked.join(", "),
        plugin.name
    )
}
