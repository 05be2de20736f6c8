//! What a test of a channel plays at: the channel as it is configured, the message under way, and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime};
use rhai::Map;
use simbell_core::reminder::{Message, Urgency};
use simbell_core::request::{HttpAnswer, Verdict};
use simbell_core::time::{Span, Timestamp};
use simbell_core::zone::ZoneRules;

use super::shown::Shown;
use super::{Fate, Sender};
use crate::channel::{ChannelEngine, ChannelPlugin, ChannelScript, ChannelSettingKind, Given, Host};
use crate::limits::Limits;
use crate::lines::Trail;
use crate::problem::nearest;
use crate::text::{harmless, short};
use crate::trial::plan::known;
use crate::trial::{Subject, TrialOptions};

const MESSAGE_KEYS: [&str; 8] = ["title", "text", "urgency", "key", "sim", "id", "language", "raised_at"];

/// Messages of one test.
const MOST_MESSAGES: u32 = 1_000;

/// So many of the latest lines of what happened are shown.
const MOST_LINES: usize = 20;

/// So many characters of a text in them.
const MOST_TEXT: usize = 200;

/// What every test of a channel begins with.
#[derive(Clone)]
pub(in crate::trial) struct Setup {
    plugin: ChannelPlugin,
    limits: Limits,
    sender: Arc<dyn Sender>,
    trail: Arc<Trail>,
}

impl Setup {
    /// # Errors
    /// Why the channel cannot be tested.
    pub(in crate::trial) fn new(
        subject: &Subject,
        options: &TrialOptions,
        trail: &Arc<Trail>,
    ) -> Result<Self, String> {
        let Some(sender) = options.sender.clone() else {
            return Err(format!("{}: channels cannot be tested here", subject.path.display()));
        };
        let plugin = ChannelPlugin::load(&subject.path)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let Some(plugin) = plugin else {
            return Err(format!("{}: there is no channel here", subject.path.display()));
        };
        let setup = Self { plugin, limits: options.limits, sender, trail: Arc::clone(trail) };
        // Its lines are known from here on, whether or not a test gets so far as to send.
        let made_up = setup.plugin.made_up();
        let script = setup.plugin.followed(&setup.limits, &made_up, &setup.trail);
        match script.problem() {
            Some(problem) => Err(problem.to_string()),
            None => Ok(setup),
        }
    }
}

/// A test of a channel under way.
pub(crate) struct Desk {
    setup: Setup,
    /// What the test gives, beside what every channel is given.
    values: BTreeMap<String, serde_json::Value>,
    now: Timestamp,
    language: String,
    scripts: Option<Scripts>,
    request: Option<Shown>,
    fate: Option<Fate>,
    messages: u32,
    told: Vec<String>,
    /// What helps whoever reads of the failure.
    pub(super) hint: Option<String>,
}

/// The script, and its copy that tells of its lines: which is asked beside it and not listened to.
struct Scripts {
    script: ChannelScript,
    followed: ChannelScript,
    /// Addresses as the configuration gives them.
    addresses: BTreeMap<String, String>,
    secrets: Vec<String>,
}

impl Scripts {
    /// Names of what is not shown.
    fn sealed(&self) -> Vec<String> {
        self.secrets.iter().chain(self.addresses.keys()).cloned().collect()
    }
}

impl Desk {
    pub(super) fn new(setup: Setup) -> Self {
        let first = NaiveDate::from_ymd_opt(2026, 11, 1).unwrap_or_default();
        Self {
            setup,
            values: BTreeMap::new(),
            now: ZoneRules::utc().day_start(first),
            language: "en".to_owned(),
            scripts: None,
            request: None,
            fate: None,
            messages: 0,
            told: Vec::new(),
            hint: None,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn happened(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let left_out = self.told.len().saturating_sub(MOST_LINES);
        if left_out > 0 {
            lines.push(format!("({left_out} earlier left out)"));
        }
        lines.extend(self.told.iter().skip(left_out).cloned());
        if self.told.is_empty() {
            lines.push("nothing: no message was sent".to_owned());
        }
        lines
    }

    fn tell(&mut self, line: &str) {
        self.told.push(harmless(line.trim_end(), MOST_TEXT).replace('\n', "\\n"));
    }

    /// Gives settings as the configuration does; `None` takes one away again.
    pub(super) fn settings(
        &mut self,
        given: BTreeMap<String, Option<serde_json::Value>>,
    ) -> Result<(), String> {
        for (name, value) in given {
            let Some(setting) = self.setup.plugin.settings().find(|setting| setting.name == name) else {
                let names: Vec<String> =
                    self.setup.plugin.settings().map(|one| one.name.to_owned()).collect();
                self.hint = nearest(&name, &names).map(|near| format!("did you mean `{near}`?"));
                return Err(format!("the plugin has no setting `{}`", short(&name)));
            };
            let Some(value) = value else {
                self.values.remove(&name);
                continue;
            };
            let fits = match setting.kind {
                ChannelSettingKind::Secret | ChannelSettingKind::Url { .. } if value.is_string() => Ok(()),
                ChannelSettingKind::Secret => {
                    Err("a text: any, as it is only ever shown by its name".to_owned())
                }
                ChannelSettingKind::Url { .. } => Err("an address in quotes".to_owned()),
                ChannelSettingKind::Value => self.setup.plugin.fits(&name, &value),
            };
            fits.map_err(|expected| format!("the setting `{}`: expected {expected}", short(&name)))?;
            self.values.insert(name, value);
        }
        self.scripts = None;
        Ok(())
    }

    fn scripts(&mut self) -> Result<&Scripts, String> {
        if self.scripts.is_none() {
            let Setup { plugin, limits, trail, .. } = &self.setup;
            let (mut given, mut addresses, mut secrets) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
            for setting in plugin.settings() {
                let name = setting.name.to_owned();
                let value = self.values.get(&name);
                match setting.kind {
                    ChannelSettingKind::Value => match value {
                        Some(value) => drop(given.insert(name, Given::Value(value.clone()))),
                        None if setting.required => {
                            return Err(format!(
                                "the setting `{name}` has no default: give it with settings(#{{ {name}: … }})"
                            ));
                        }
                        None => {}
                    },
                    ChannelSettingKind::Secret if value.is_some() || setting.required => {
                        secrets.push(name.clone());
                        given.insert(name, Given::Sealed);
                    }
                    ChannelSettingKind::Secret => {}
                    ChannelSettingKind::Url { default } => {
                        let given_one = value.and_then(|value| value.as_str().map(str::to_owned));
                        let made_up = setting.required.then(|| made_up_address(plugin, &name));
                        if let Some(address) = given_one.or(default).or(made_up) {
                            addresses.insert(name.clone(), address);
                            given.insert(name, Given::Sealed);
                        }
                    }
                }
            }
            let script = plugin.script(&ChannelEngine::new(limits), &given);
            if let Some(problem) = script.problem() {
                return Err(format!("the channel cannot run:\n{problem}"));
            }
            let followed = plugin.followed(limits, &given, trail);
            self.scripts = Some(Scripts { script, followed, addresses, secrets });
        }
        self.scripts.as_ref().ok_or_else(|| "there is no script".to_owned())
    }

    pub(super) fn set_clock(&mut self, text: &str) -> Result<(), String> {
        self.now = instant(text)?;
        Ok(())
    }

    pub(super) fn advance(&mut self, span: Span) -> Result<(), String> {
        if span.0 < 0 {
            return Err("time does not go backward".to_owned());
        }
        self.now = self.now.saturating_add(span);
        Ok(())
    }

    pub(super) fn set_language(&mut self, language: &str) {
        language.clone_into(&mut self.language);
    }

    fn message(&self, given: &Map) -> Result<Message, String> {
        known(given, &MESSAGE_KEYS, "a message")?;
        let text = |key: &str, otherwise: &str| match given.get(key) {
            None => Ok(otherwise.to_owned()),
            Some(value) => match value.as_immutable_string_ref() {
                Ok(text) => Ok(text.to_string()),
                Err(_) => Err(format!("a message's `{key}` is a text in quotes")),
            },
        };
        let urgency = match text("urgency", "warning")?.as_str() {
            "info" => Urgency::Info,
            "warning" => Urgency::Warning,
            "critical" => Urgency::Critical,
            _ => return Err("a message's `urgency` is \"info\", \"warning\" or \"critical\"".to_owned()),
        };
        let sim_name = match given.get("sim") {
            Some(value) if value.is_unit() => None,
            _ => Some(text("sim", "home")?),
        };
        let raised_at = match given.get("raised_at") {
            Some(_) => instant(&text("raised_at", "")?)?,
            None => self.now,
        };
        Ok(Message {
            title: text("title", "SIM home: 80% used")?,
            text: text("text", "home: 80% of the data used.")?,
            urgency,
            key: text("key", "data-thresholds/80")?,
            sim_name,
            raised_at,
            id: text("id", "data-thresholds/80#1/phone")?,
            language: text("language", &self.language)?,
        })
    }

    /// As [`Self::send`], where a test says of a message that it is not sent.
    pub(super) fn send_another(&mut self, given: &Map) -> Result<(), String> {
        if self.request.is_some() {
            self.tell("another message, which is not to be sent:");
        }
        self.send(given)
    }

    /// Has a message sent; the error is why it is not.
    pub(super) fn send(&mut self, given: &Map) -> Result<(), String> {
        self.messages = self.messages.saturating_add(1);
        if self.messages > MOST_MESSAGES {
            return Err(format!("a test sends {MOST_MESSAGES} messages at most"));
        }
        (self.request, self.fate) = (None, None);
        let message = self.message(given)?;
        let now = self.now;
        let (sender, plugin) = (Arc::clone(&self.setup.sender), self.setup.plugin.clone());
        let scripts = self.scripts()?;
        drop(scripts.followed.request(&message, now));
        let request = scripts.script.request(&message, now);
        let filled = match &request {
            Ok(request) => sender
                .fill(&plugin, &scripts.addresses, &scripts.secrets, request)
                .map_err(|why| format!("the request is not sent: {why}")),
            Err(problem) => Err(format!("the channel failed:\n{problem}")),
        };
        let sealed = scripts.sealed();
        if let Ok(request) = &request {
            let media = filled.as_ref().ok().cloned().flatten();
            let shown = Shown::of(request, &sealed, media);
            let how = if filled.is_ok() { "sent" } else { "made, and did not send," };
            self.tell(&format!("{how} {} {}", shown.method, shown.url));
            for (name, value) in &shown.headers {
                self.tell(&format!("  {name}: {value}"));
            }
            if !shown.body.is_empty() {
                self.tell(&format!("  {}", shown.body));
            }
            self.request = Some(shown);
        }
        if let Err(why) = filled {
            self.request = None;
            self.tell(&format!("not sent: {}", why.replace('\n', " ")));
            return Err(why);
        }
        Ok(())
    }

    /// Has the service answer what was sent.
    pub(super) fn answer(&mut self, status: u16, body: String) -> Result<(), String> {
        self.sent()?;
        let sender = Arc::clone(&self.setup.sender);
        let answer = HttpAnswer { status, body };
        let scripts = self.scripts()?;
        // A redirect is not followed, and the script is not asked of it.
        let judged = if (300..400).contains(&status) {
            Ok(Verdict::ByStatus)
        } else {
            drop(scripts.followed.judge(&answer));
            scripts.script.judge(&answer)
        };
        self.tell(&format!("answered {status} {}", answer.body));
        let verdict = judged.map_err(|problem| format!("the channel failed:\n{problem}"))?;
        let fate = sender.fate(&answer, verdict);
        self.tell(&fate.to_string());
        self.fate = Some(fate);
        Ok(())
    }

    pub(super) fn sent(&self) -> Result<&Shown, String> {
        self.request.as_ref().ok_or_else(|| "no request was sent: call send() before".to_owned())
    }

    pub(super) fn fate(&self) -> Result<&Fate, String> {
        self.fate.as_ref().ok_or_else(|| "no answer was given: call answer(200) before".to_owned())
    }
}

impl std::fmt::Display for Fate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Delivered => f.write_str("delivered"),
            Self::Refused { why } => write!(f, "refused for good: {why}"),
            Self::Retried { why, after: None } => write!(f, "to be tried again: {why}"),
            Self::Retried { why, after: Some(after) } => {
                write!(f, "to be tried again after {} s: {why}", after.as_secs())
            }
        }
    }
}

/// An address that the plugin's manifest lets it reach.
fn made_up_address(plugin: &ChannelPlugin, name: &str) -> String {
    let own = Host::OfSetting(name.to_owned());
    let host = plugin.hosts().iter().find(|host| matches!(host, Host::Named { .. }));
    match host.filter(|_| !plugin.hosts().contains(&own)) {
        Some(host) => format!("https://{host}/made-up"),
        None => "https://service.example.org".to_owned(),
    }
}

/// `2026-11-20 07:00` or `2026-11-20`, in UTC.
fn instant(text: &str) -> Result<Timestamp, String> {
    let zone = ZoneRules::utc();
    let civil = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").map(|civil| zone.instant(civil));
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|date| zone.day_start(date));
    civil
        .or_else(|_| date())
        .map_err(|_| format!("`{}` is no time: write \"2026-11-20 07:00\" or \"2026-11-20\"", short(text)))
}
