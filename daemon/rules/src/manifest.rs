//! `plugin.toml`.

use std::collections::BTreeMap;

use rhai::Dynamic;
use simbell_core::action::Permission;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::channel::Host;
use crate::compile::newer;
use crate::problem::{Problem, Source, nearest};
use crate::settings::{CHANNEL_KINDS, KINDS, Kind, Raw, Settings};
use crate::text::{harmless, short};

/// The version of the rule language that this crate speaks.
pub const API: i64 = 1;

/// Values of a plugin's settings by name, as the configuration gives them.
pub type SettingValues = serde_json::Map<String, serde_json::Value>;

const KEYS: [&str; 10] = [
    "api",
    "name",
    "kind",
    "description",
    "languages",
    "enabled",
    "permissions",
    "hosts",
    "settings",
    "license",
];
const SETTING_KEYS: [&str; 4] = ["type", "list", "default", "description"];
const CHANNEL_SETTING_KEYS: [&str; 5] = ["type", "list", "default", "optional", "description"];

/// Keys of a channel's section in the configuration that every channel has: no setting can be called so.
const CHANNEL_KEYS: [&str; 7] =
    ["kind", "daily_cap", "while_roaming", "deadline", "timeout", "ca_file", "allow_plaintext"];

/// The most hosts that one channel may send to.
const MOST_HOSTS: usize = 16;

/// What a plugin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginKind {
    /// Decides when to remind.
    Rule,
    /// Knows a carrier. Nothing in this version asks one.
    Carrier,
    /// Carries reminders to a service on the network.
    Channel,
}

impl PluginKind {
    /// As manifests name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Carrier => "carrier",
            Self::Channel => "channel",
        }
    }
}

/// What a plugin says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) kind: PluginKind,
    /// By language.
    pub(crate) description: BTreeMap<String, String>,
    /// Languages that it names.
    pub(crate) languages: Vec<String>,
    /// Whether it runs unless the configuration says otherwise.
    pub(crate) enabled: bool,
    /// What it may want done, where the configuration allows it too.
    pub(crate) permissions: Vec<Permission>,
    /// Where a channel may send to; none of a rule.
    pub(crate) hosts: Vec<Host>,
    pub(crate) settings: BTreeMap<String, Declared>,
}

/// A setting as the manifest declares it.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) kind: Kind,
    pub(crate) list: bool,
    /// One line.
    pub(crate) description: String,
    /// The default as the manifest writes it.
    pub(crate) shown: Option<String>,
    /// None where the configuration has to give it, or may leave it out.
    pub(crate) default: Option<Dynamic>,
    pub(crate) optional: bool,
}

impl Manifest {
    /// Reads a manifest; every problem that can be found at once.
    pub(crate) fn parse(source: &Source<'_>, text: &str) -> Result<Self, Vec<Problem>> {
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let at = error.span().and_then(|span| source.offset(span.start));
                return Err(vec![source.problem(at, error.message())]);
            }
        };
        let mut reader = Reader { source, problems: Vec::new() };
        let table = table.get_ref();
        reader.unknown_keys(table, &KEYS, "the manifest");
        let manifest = reader.manifest(table);
        match manifest {
            Some(manifest) if reader.problems.is_empty() => Ok(manifest),
            _ => Err(reader.problems),
        }
    }

    /// Everything that the plugin may do beyond looking and saying, each in one word: `send-sms`, `host:example.org`,
    /// `host:{url}` for the host that the owner gives to the setting `url`.
    pub(crate) fn permission_names(&self) -> Vec<String> {
        let actions = self.permissions.iter().map(|one| one.as_str().to_owned());
        actions.chain(self.hosts.iter().map(|host| format!("host:{host}"))).collect()
    }

    /// One line of what the plugin does, in `language` where it can.
    pub(crate) fn summary(&self, language: &str) -> String {
        let primary = language.split(['-', '_']).next().unwrap_or(language);
        [language, primary, "en"]
            .into_iter()
            .find_map(|wanted| self.description.get(wanted))
            .or_else(|| self.description.values().next())
            .cloned()
            .unwrap_or_default()
    }

    /// The settings with the values that the configuration gives; what is wrong with those in words.
    pub(crate) fn settings(&self, given: Option<&SettingValues>) -> Result<Settings, Vec<WrongSetting>> {
        let mut values: BTreeMap<String, Dynamic> = self
            .settings
            .iter()
            .filter_map(|(name, declared)| Some((name.clone(), declared.default.clone()?)))
            .collect();
        let mut problems = Vec::new();
        for (name, value) in given.into_iter().flatten() {
            match self.settings.get(name) {
                Some(declared) => {
                    // One value alone is a list of one.
                    let alone = declared.list && !value.is_array();
                    let value = Raw::from(value);
                    let value = if alone { Raw::List(vec![value]) } else { value };
                    match declared.kind.value(&value, declared.list) {
                        Ok(value) => {
                            values.insert(name.clone(), value);
                        }
                        Err(expected) => {
                            let message =
                                format!("the setting `{}` of `{}` is {expected}", short(name), self.name);
                            problems.push(WrongSetting { name: name.clone(), message, hint: None });
                        }
                    }
                }
                None => {
                    let hint = nearest(name, self.settings.keys())
                        .map(|near| format!("did you mean `{near}`?"))
                        .or_else(|| {
                            let known: Vec<&str> = self.settings.keys().map(String::as_str).collect();
                            Some(if known.is_empty() {
                                "it has no settings".to_owned()
                            } else {
                                format!("its settings are: {}", known.join(", "))
                            })
                        });
                    let message = format!("`{}` has no setting `{}`", self.name, short(name));
                    problems.push(WrongSetting { name: name.clone(), message, hint });
                }
            }
        }
        if problems.is_empty() { Ok(Settings::new(values)) } else { Err(problems) }
    }
}

/// A setting that cannot be given as it is.
#[derive(Debug)]
pub(crate) struct WrongSetting {
    /// Its name.
    pub(crate) name: String,
    /// What is wrong with it.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

struct Reader<'a> {
    source: &'a Source<'a>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn manifest(&mut self, table: &DeTable<'_>) -> Option<Manifest> {
        match self.need(table, "api").map(raw) {
            Some(Raw::Number(number)) if number == API.into() => {}
            Some(Raw::Number(number)) if number > API.into() && number.is_integer() => {
                let at = table.get("api").and_then(|value| self.source.offset(value.span().start));
                self.problems.push(newer(self.source, at, &number.to_string()));
            }
            Some(_) => self.wrong(table, "api", &format!("`api` is {API}, the only version there is")),
            None => {}
        }
        let kind = match self.need(table, "kind").map(raw) {
            Some(Raw::Text(kind)) if kind == "rule" => PluginKind::Rule,
            Some(Raw::Text(kind)) if kind == "carrier" => PluginKind::Carrier,
            Some(Raw::Text(kind)) if kind == "channel" => PluginKind::Channel,
            Some(_) => {
                self.wrong(table, "kind", "`kind` is \"rule\", \"channel\" or \"carrier\"");
                PluginKind::Rule
            }
            None => PluginKind::Rule,
        };
        let name = match self.need(table, "name").map(raw) {
            Some(Raw::Text(name)) if !name.is_empty() && name == crate::text::slug(&name) => Some(name),
            Some(_) => {
                self.wrong(table, "name", "`name` is a text of small letters, digits and `-`");
                None
            }
            None => None,
        };
        let description = self.description(table);
        let enabled = match table.get("enabled").map(raw) {
            None => true,
            Some(Raw::Bool(enabled)) => enabled,
            Some(_) => {
                self.wrong(table, "enabled", "`enabled` is true or false");
                false
            }
        };
        let languages = self.languages(table);
        let permissions = self.permissions(kind, table);
        let mut settings = BTreeMap::new();
        match table.get("settings").map(Spanned::get_ref) {
            None => {}
            Some(DeValue::Table(declared)) => {
                for (name, value) in declared {
                    if let Some(declared) = self.setting(kind, name, value) {
                        settings.insert(name.get_ref().to_string(), declared);
                    }
                }
            }
            Some(_) => self.wrong(table, "settings", "`settings` is a table: [settings.NAME]"),
        }
        let hosts = self.hosts(kind, table, &settings);
        Some(Manifest { name: name?, kind, description, languages, enabled, permissions, hosts, settings })
    }

    fn languages(&mut self, table: &DeTable<'_>) -> Vec<String> {
        let list = match table.get("languages").map(raw) {
            None => return Vec::new(),
            Some(Raw::List(list)) => list,
            Some(_) => vec![Raw::Other("no list")],
        };
        let texts: Option<Vec<String>> =
            list.into_iter().map(|one| if let Raw::Text(text) = one { Some(text) } else { None }).collect();
        texts.unwrap_or_else(|| {
            self.wrong(table, "languages", "`languages` is a list such as [\"en\", \"zh\"]");
            Vec::new()
        })
    }

    fn permissions(&mut self, kind: PluginKind, table: &DeTable<'_>) -> Vec<Permission> {
        let Some(value) = table.get("permissions") else { return Vec::new() };
        if kind == PluginKind::Channel {
            self.wrong(
                table,
                "permissions",
                "a channel has no `permissions`: it sends to its `hosts`, and does nothing else",
            );
            return Vec::new();
        }
        let Raw::List(list) = raw(value) else {
            self.wrong(table, "permissions", "`permissions` is a list such as [\"send-sms\"]");
            return Vec::new();
        };
        let mut permissions = Vec::new();
        for one in list {
            match one {
                Raw::Text(text) => match text.parse() {
                    Ok(permission) => permissions.push(permission),
                    Err(error) => {
                        let message = format!("in `permissions`: `{}` {error}", short(&text));
                        self.wrong(table, "permissions", &message);
                    }
                },
                _ => self.wrong(table, "permissions", "`permissions` is a list of texts"),
            }
        }
        permissions
    }

    fn hosts(
        &mut self,
        kind: PluginKind,
        table: &DeTable<'_>,
        settings: &BTreeMap<String, Declared>,
    ) -> Vec<Host> {
        if kind != PluginKind::Channel {
            if table.contains_key("hosts") {
                self.wrong(table, "hosts", "a rule reaches no host: `hosts` are of kind = \"channel\"");
            }
            return Vec::new();
        }
        const FORM: &str = "`hosts` is a list of 1 to 16 hosts, such as [\"api.example.org\"] or [\"{url}\"]";
        let list = match self.need(table, "hosts").map(raw) {
            Some(Raw::List(list)) if (1..=MOST_HOSTS).contains(&list.len()) => list,
            Some(_) => {
                self.wrong(table, "hosts", FORM);
                return Vec::new();
            }
            None => return Vec::new(),
        };
        let mut hosts = Vec::new();
        for one in list {
            let Raw::Text(text) = one else {
                self.wrong(table, "hosts", FORM);
                continue;
            };
            match text.parse() {
                Ok(Host::OfSetting(name)) if settings.get(&name).is_none_or(|of| of.kind != Kind::Url) => {
                    let message = format!("in `hosts`: `{}` is no setting of type \"url\"", short(&name));
                    self.wrong(table, "hosts", &message);
                }
                Ok(host) => hosts.push(host),
                Err(error) => {
                    let message = format!("in `hosts`: `{}` {error}", short(&text));
                    self.wrong(table, "hosts", &message);
                }
            }
        }
        hosts
    }

    fn description(&mut self, table: &DeTable<'_>) -> BTreeMap<String, String> {
        let wrong = "`description` is a text, or a text by language: { en = \"…\", zh = \"…\" }";
        let mut description = BTreeMap::new();
        let Some(value) = self.need(table, "description") else {
            return description;
        };
        match value.get_ref() {
            DeValue::String(text) => {
                description.insert("en".to_owned(), text.to_string());
            }
            DeValue::Table(by_language) => {
                for (language, text) in by_language {
                    match text.get_ref() {
                        DeValue::String(text) => {
                            description.insert(language.get_ref().to_string(), text.to_string());
                        }
                        _ => self.wrong(table, "description", wrong),
                    }
                }
            }
            _ => self.wrong(table, "description", wrong),
        }
        description
    }

    fn setting(
        &mut self,
        of: PluginKind,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Declared> {
        let label = format!("settings.{}", short(name.get_ref()));
        let DeValue::Table(table) = value.get_ref() else {
            self.problem(
                name.span().start,
                format!("`{label}` is a table with type, default and description"),
                None,
            );
            return None;
        };
        let channel = of == PluginKind::Channel;
        if channel && !name.get_ref().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            self.problem(
                name.span().start,
                format!("`{label}`: a name has letters, digits, `_` and `-` only"),
                None,
            );
        }
        if channel && CHANNEL_KEYS.contains(&name.get_ref().as_ref()) {
            let message =
                format!("`{}` is a key that every channel has; name the setting otherwise", name.get_ref());
            self.problem(name.span().start, message, None);
        }
        let keys: &[&str] = if channel { &CHANNEL_SETTING_KEYS } else { &SETTING_KEYS };
        self.unknown_keys(table, keys, &format!("`{label}`"));
        let list = matches!(table.get("list").map(raw), Some(Raw::Bool(true)));
        let optional = matches!(table.get("optional").map(raw), Some(Raw::Bool(true)));
        let kinds: Vec<(&str, Kind)> =
            KINDS.into_iter().chain(CHANNEL_KINDS.into_iter().filter(|_| channel)).collect();
        let kind = match table.get("type").map(raw) {
            Some(Raw::Text(kind)) => kinds.iter().find(|(name, _)| *name == kind).map(|(_, kind)| *kind),
            _ => None,
        };
        let Some(kind) = kind else {
            let kinds: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
            let at = table.get("type").map_or(name.span().start, |kind| kind.span().start);
            self.problem(at, format!("`{label}.type` is one of: {}", kinds.join(", ")), None);
            return None;
        };
        if list && CHANNEL_KINDS.iter().any(|(_, single)| *single == kind) {
            self.problem(name.span().start, format!("`{label}`: there are no lists of this type"), None);
        }
        let default = match table.get("default") {
            Some(default) if kind == Kind::Secret => {
                self.problem(
                    default.span().start,
                    format!("`{label}` is a secret, which has no default"),
                    None,
                );
                None
            }
            Some(default) => match kind.value(&raw(default), list) {
                Ok(default) => Some(default),
                Err(expected) => {
                    self.problem(default.span().start, format!("`{label}.default` is {expected}"), None);
                    return None;
                }
            },
            // A channel cannot know its owner's address: what has no default has to be given.
            None if channel => None,
            None => {
                self.problem(name.span().start, format!("`{label}` needs a `default`"), None);
                return None;
            }
        };
        let description = match table.get("description").map(raw) {
            Some(Raw::Text(text)) => harmless(&text, 200),
            _ => String::new(),
        };
        let shown = default.as_ref().and(table.get("default")).map(|default| raw(default).shown());
        Some(Declared { kind, list, description, shown, default, optional })
    }

    fn need<'t>(&mut self, table: &'t DeTable<'_>, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        let found = table.get(key);
        if found.is_none() {
            self.problem(0, format!("the manifest needs `{key}`"), None);
        }
        found
    }

    fn wrong(&mut self, table: &DeTable<'_>, key: &str, message: &str) {
        let at = table.get(key).map_or(0, |value| value.span().start);
        self.problem(at, message.to_owned(), None);
    }

    fn unknown_keys(&mut self, table: &DeTable<'_>, known: &[&str], owner: &str) {
        for (key, _) in table {
            if !known.contains(&key.get_ref().as_ref()) {
                let hint = nearest(key.get_ref(), known).map_or_else(
                    || format!("it has: {}", known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                self.problem(
                    key.span().start,
                    format!("{owner} has no key `{}`", short(key.get_ref())),
                    Some(hint),
                );
            }
        }
    }

    fn problem(&mut self, offset: usize, message: String, hint: Option<String>) {
        self.problems.push(self.source.problem(self.source.offset(offset), message).hint(hint));
    }
}

fn raw(value: &Spanned<DeValue<'_>>) -> Raw {
    match value.get_ref() {
        DeValue::Boolean(value) => Raw::Bool(*value),
        DeValue::Integer(number) if number.radix() == 10 => Raw::number(number.as_str()),
        DeValue::Integer(_) => Raw::Other("a number that is not decimal"),
        DeValue::Float(number) => Raw::number(number.as_str()),
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Array(list) => Raw::List(list.iter().map(raw).collect()),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}
