//! `[channels.NAME]`: the ways a reminder can go.

use std::collections::BTreeMap;

use simbell_core::ident::{ChannelName, Iccid};
use simbell_core::settings::{ChannelSettings, SimSettings};
use simbell_notify::{ChannelConfig, build_channels};

use super::duration::Length;
use super::environment::Environment;
use super::merged::Value;
use super::numbers::{length, number, span};
use super::problem::{ProblemKind, Show};
use super::scripts::Scripts;
use super::section::{Field, Report, Section};
use super::settings::RulesSettings;
use super::transports::{self, Around};
use crate::scripted::Scripted;

/// Short messages per day where the configuration names no number.
const SMS_DAILY_CAP: u32 = 5;

/// A message that could not be delivered for this long is given up, where the configuration names no time.
const DEADLINE: Length = Length::from_secs(2 * 86_400);

const JOURNAL: &str = "journal";

const KINDS: [(&str, Kind); 7] = [
    ("email", Kind::Email),
    ("ntfy", Kind::Ntfy),
    ("webhook", Kind::Webhook),
    ("sms", Kind::Sms),
    ("desktop", Kind::Desktop),
    (JOURNAL, Kind::Journal),
    ("terminal", Kind::Journal),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Email,
    Ntfy,
    Webhook,
    Sms,
    Desktop,
    Journal,
}

/// The channels, twice: what the core needs to know of them, and how to reach them.
pub(super) struct Channels {
    pub known: Vec<ChannelSettings>,
    pub configs: BTreeMap<ChannelName, ChannelConfig>,
    /// Every name that is there, also of channels that have problems of their own.
    pub named: Vec<String>,
    /// Those of `configs` that go by a plugin.
    pub scripted: BTreeMap<ChannelName, Scripted>,
}

impl Channels {
    /// Adds the one channel that needs nothing, so that a reminder is never said to nobody.
    pub fn add_journal(&mut self) {
        let Ok(name) = ChannelName::new(JOURNAL) else { return };
        self.named.push(name.as_str().to_owned());
        self.known.push(ChannelSettings {
            name: name.clone(),
            kind: JOURNAL.to_owned(),
            daily_cap: None,
            while_roaming: true,
            deadline: span(DEADLINE),
        });
        self.configs.insert(name, ChannelConfig::Journal);
    }
}

pub(super) fn read(
    root: &mut Section<'_>,
    sims: &BTreeMap<Iccid, SimSettings>,
    rules: &RulesSettings,
    env: &Environment,
    report: &mut Report<'_>,
) -> Channels {
    let mut channels = Channels {
        known: Vec::new(),
        configs: BTreeMap::new(),
        named: Vec::new(),
        scripted: BTreeMap::new(),
    };
    let section = root.get("channels").and_then(|field| field.section("sections [channels.NAME]", report));
    let around = Around { sims, env };
    let mut scripts = Scripts::new(rules);
    for (word, field) in section.iter().flat_map(Section::entries) {
        channels.named.push(word.to_owned());
        let name = ChannelName::new(word)
            .map_err(|error| field.invalid_hidden(ProblemKind::InvalidValue, report, error))
            .ok();
        let Some(mut section) = field.section("a section such as [channels.mail]", report) else { continue };
        // Which keys are known depends on the kind: without it nothing more can be said.
        let read = channel(word, &mut section, &around, &mut scripts, report);
        let Some((config, common)) = read else { continue };
        section.finish(report);
        let (Some(name), Some(config)) = (name, config) else { continue };
        let Some(config) = tried(&name, config, &field, report) else { continue };
        let costs = matches!(config, ChannelConfig::Sms(_));
        channels.known.push(ChannelSettings {
            name: name.clone(),
            kind: config.kind().to_owned(),
            daily_cap: common.daily_cap.or(costs.then_some(SMS_DAILY_CAP)),
            while_roaming: common.while_roaming.unwrap_or(!costs),
            deadline: span(common.deadline.unwrap_or(DEADLINE)),
        });
        channels.configs.insert(name, config);
    }
    for (name, scripted) in scripts.into_scripted() {
        let name = ChannelName::new(&name).ok().filter(|name| channels.configs.contains_key(name));
        channels.scripted.extend(name.map(|name| (name, scripted)));
    }
    channels
}

struct Common {
    daily_cap: Option<u32>,
    while_roaming: Option<bool>,
    deadline: Option<Length>,
}

/// Has the channel made once, so that whatever the sender would refuse is a problem now.
fn tried(
    name: &ChannelName,
    config: ChannelConfig,
    field: &Field<'_>,
    report: &mut Report<'_>,
) -> Option<ChannelConfig> {
    let copy = match &config {
        ChannelConfig::Email(email) => ChannelConfig::Email(email.clone()),
        ChannelConfig::Ntfy(ntfy) => ChannelConfig::Ntfy(ntfy.clone()),
        ChannelConfig::Webhook(webhook) => ChannelConfig::Webhook(webhook.clone()),
        ChannelConfig::Script(script) => ChannelConfig::Script(script.clone()),
        // Only with a modem at hand can these be made.
        ChannelConfig::Sms(_) | ChannelConfig::Desktop | ChannelConfig::Journal => return Some(config),
    };
    let Err(errors) = build_channels([(name.clone(), copy)], None) else { return Some(config) };
    for error in errors {
        let key = format!("{}.{}", field.path(), error.key);
        let place = match field.value() {
            Value::Table(table) => table.get(error.key).map_or(field.key_place(), |entry| &entry.key_place),
            _ => field.key_place(),
        };
        report.add(ProblemKind::InvalidValue, place, Show::UpToMark, &key, error.problem, None);
    }
    None
}

fn channel(
    name: &str,
    section: &mut Section<'_>,
    around: &Around<'_>,
    scripts: &mut Scripts,
    report: &mut Report<'_>,
) -> Option<(Option<ChannelConfig>, Common)> {
    const EXAMPLE: &str = "kind = \"email\", \"ntfy\", \"webhook\", \"sms\", \"desktop\", \"journal\", or the name of a \
                           channel plugin such as \"telegram\"";
    let field = section.need("kind", EXAMPLE, report)?;
    let word = field.line("the kind of channel, such as \"email\" or \"telegram\"", report)?;
    let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == word) else {
        let plugin = scripts.plugin(&field, word, &KINDS.map(|(known, _)| known), report)?;
        let common = common(section, report);
        return Some((
            scripts.read(name, &plugin, section, around, report).map(ChannelConfig::Script),
            common,
        ));
    };
    let common = common(section, report);
    let config = match kind {
        Kind::Email => transports::email(section, around, report).map(ChannelConfig::Email),
        Kind::Ntfy => transports::ntfy(section, around, report).map(ChannelConfig::Ntfy),
        Kind::Webhook => transports::webhook(section, around, report).map(ChannelConfig::Webhook),
        Kind::Sms => transports::sms(section, around, report).map(ChannelConfig::Sms),
        Kind::Desktop => Some(ChannelConfig::Desktop),
        Kind::Journal => Some(ChannelConfig::Journal),
    };
    Some((config, common))
}

fn common(section: &mut Section<'_>, report: &mut Report<'_>) -> Common {
    Common {
        daily_cap: section.get("daily_cap").and_then(|f| number(&f, 1, 10_000, report)),
        while_roaming: section.get("while_roaming").and_then(|f| f.boolean(report)),
        deadline: section.get("deadline").and_then(|f| length(&f, 60, 30 * 86_400, report)),
    }
}
