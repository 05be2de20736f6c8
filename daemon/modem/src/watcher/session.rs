//! What is known over one connection: messages and time in, events and messages to send out. No I/O.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use simbell_core::event::Event;
use simbell_core::health::WarningCode;
use simbell_core::ident::ModemId;
use tokio::time::Instant;
use zbus::message::Type;
use zbus::{Message, OwnedObjectPath, OwnedVariant};

use crate::commands::OwnMessages;
use crate::names;
use crate::props::{Props, Raw};

use super::Timing;
use super::ask::{Ask, Questions, Refusal};
use super::hear::Hearing;
use super::modem::{Details, Modem};
use super::recent::Recent;

/// More objects than this are not followed.
const MODEMS_MOST: usize = 64;
/// The list of objects is asked for again after this long, then twice as long, and so on.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(64);

/// Whether ModemManager is there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    Unknown,
    Absent,
    /// Its unique name; none peer to peer.
    Present(Option<String>),
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    pub(super) timing: Timing,
    owner: Owner,
    told_present: Option<bool>,
    refused: bool,
    retry: Option<Instant>,
    objects_attempt: u32,
    pub(super) questions: Questions,
    pub(super) events: VecDeque<Event>,
    pub(super) modems: BTreeMap<String, Modem>,
    pub(super) details: Details,
    pub(super) recent: Recent,
    pub(super) own: OwnMessages,
    pub(super) hearing: Hearing,
    directory_changed: bool,
}

impl Session {
    /// Nothing known yet.
    pub fn new(timing: Timing, own: OwnMessages) -> Self {
        Self {
            timing,
            owner: Owner::Unknown,
            told_present: None,
            refused: false,
            retry: None,
            objects_attempt: 0,
            questions: Questions::new(timing.call),
            events: VecDeque::new(),
            modems: BTreeMap::new(),
            details: Details::default(),
            recent: Recent::default(),
            own,
            hearing: Hearing::default(),
            directory_changed: false,
        }
    }

    /// A connection came up: to a bus, or straight to a ModemManager.
    pub fn connected(&mut self, bus: bool, now: Instant) {
        self.clear();
        let modems = std::mem::take(&mut self.hearing.modems);
        self.hearing = Hearing { bus, modems, ..Hearing::default() };
        self.owner = Owner::Unknown;
        self.events.push_back(Event::BusConnected);
        if bus {
            for rule in match_rules() {
                self.questions.ask(Ask::Match(rule), 0, None, now);
            }
            self.questions.ask(Ask::Owner, 0, None, now);
        } else {
            self.owner = Owner::Present(None);
            self.questions.ask(Ask::Version, 0, None, now);
        }
    }

    /// The connection is lost, or none could be made.
    pub fn disconnected(&mut self, reason: String) {
        self.clear();
        self.owner = Owner::Unknown;
        self.tell_absent();
        self.told_present = None;
        self.events.push_back(Event::BusLost(reason));
    }

    /// Handles one message: an answer or a signal.
    pub fn message(&mut self, message: &Message, now: Instant) {
        match message.message_type() {
            Type::MethodReturn | Type::Error => self.reply(message, now),
            Type::Signal => self.signal(message, now),
            Type::MethodCall => {}
        }
        self.work(now);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        for asked in self.questions.expired(now) {
            tracing::warn!(ask = ?asked.ask, "ModemManager does not answer");
            self.refused_answer(asked.ask, asked.attempt, &Refusal::Timeout, now);
        }
        if self.retry.is_some_and(|at| at <= now) {
            self.retry = None;
            self.ask(Ask::Objects, self.objects_attempt, now);
        }
        self.work(now);
    }

    /// When [`Session::tick`] is to be called; none while nothing is under way.
    pub fn deadline(&self) -> Option<Instant> {
        let others = [self.questions.deadline(), self.retry, self.figures_due()].into_iter().flatten().min();
        self.modems
            .values()
            .fold(others, |first, modem| modem.deadline_before(first, &self.details).or(first))
    }

    /// The modems that can be called, and where, if that changed since the last time.
    pub fn directory(&mut self) -> Option<(Option<String>, BTreeMap<ModemId, String>)> {
        if !std::mem::take(&mut self.directory_changed) {
            return None;
        }
        let modems = self
            .modems
            .iter()
            .filter_map(|(path, modem)| Some((modem.sent.as_ref()?.id.clone(), path.clone())))
            .collect();
        Some((self.to().map(str::to_owned), modems))
    }

    /// Whether a ModemManager is there to be called.
    pub fn present(&self) -> bool {
        matches!(self.owner, Owner::Present(_))
    }

    pub(super) fn ask(&mut self, ask: Ask, attempt: u32, now: Instant) {
        let Self { owner, questions, .. } = self;
        let to = match owner {
            Owner::Present(name) => name.as_deref(),
            _ => None,
        };
        questions.ask(ask, attempt, to, now);
    }

    pub(super) fn directory_changes(&mut self) {
        self.directory_changed = true;
    }

    pub(super) fn to(&self) -> Option<&str> {
        match &self.owner {
            Owner::Present(name) => name.as_deref(),
            _ => None,
        }
    }

    pub(super) fn work(&mut self, now: Instant) {
        self.send_views(now);
        self.settle_hearing(now);
        let to = self.to().map(str::to_owned);
        self.questions.proceed(to.as_deref(), now);
    }

    fn clear(&mut self) {
        self.questions.forget();
        self.own.clear();
        self.modems.clear();
        self.details = Details::default();
        self.retry = None;
        self.objects_attempt = 0;
        self.directory_changed = true;
    }

    fn tell_absent(&mut self) {
        if self.told_present != Some(false) {
            self.told_present = Some(false);
            self.events.push_back(Event::ModemManagerVanished);
        }
    }

    fn owner_is(&mut self, name: Option<String>, now: Instant) {
        let owner = name.map_or(Owner::Absent, |name| Owner::Present(Some(name)));
        if owner == self.owner {
            return;
        }
        let before = std::mem::replace(&mut self.owner, owner);
        if before != Owner::Unknown || self.owner == Owner::Absent {
            self.clear();
            self.forget_heard(now);
            self.tell_absent();
        }
        if self.present() {
            self.ask(Ask::Version, 0, now);
        }
    }

    fn reply(&mut self, message: &Message, now: Instant) {
        let header = message.header();
        let Some(asked) = header.reply_serial().and_then(|serial| self.questions.answered(serial.get()))
        else {
            return;
        };
        if message.message_type() == Type::Error {
            let name = header.error_name().map(|name| name.as_str().to_owned()).unwrap_or_default();
            let text: String = message.body().deserialize().unwrap_or_default();
            let refusal = Refusal::Error(name, text.chars().take(500).collect());
            return self.refused_answer(asked.ask, asked.attempt, &refusal, now);
        }
        let body = message.body();
        match asked.ask {
            Ask::Match(_) | Ask::Unmatch(_) => {}
            Ask::Owner => {
                let name: Option<String> =
                    body.deserialize().ok().filter(|name: &String| name.starts_with(':'));
                self.owner_is(name, now);
            }
            Ask::Version => {
                let mut props = Props::default();
                props.merge(names::MANAGER, body.deserialize::<Raw>().unwrap_or_default());
                self.appeared(props.text("Version", 64).unwrap_or_default(), now);
            }
            Ask::Objects => match body.deserialize::<HashMap<OwnedObjectPath, HashMap<String, Raw>>>() {
                Ok(objects) => self.objects(objects, now),
                Err(error) => {
                    tracing::warn!(%error, "ModemManager's list of objects cannot be read");
                    self.ask_objects_later(asked.attempt, now);
                }
            },
            Ask::Interface { path, interface, modem } => {
                let raw = body.deserialize::<Raw>().unwrap_or_default();
                self.interface_read(&path, interface, modem.as_deref(), raw, now);
            }
            Ask::Stats(path) => {
                if let Ok(stats) = body.deserialize::<OwnedVariant>() {
                    let raw = Raw::from([(names::STATS.to_owned(), stats)]);
                    self.properties_changed(&path, names::BEARER, raw, &[], now);
                }
            }
        }
    }

    fn refused_answer(&mut self, ask: Ask, attempt: u32, refusal: &Refusal, now: Instant) {
        match ask {
            Ask::Unmatch(rule) => tracing::debug!(?refusal, rule, "the bus keeps forwarding signals"),
            // They are read again soon, and now and then with all else of the bearer.
            Ask::Stats(path) => tracing::debug!(?refusal, path, "a bearer's figures cannot be read"),
            Ask::Match(rule) => tracing::warn!(?refusal, rule, "the bus refuses to forward signals"),
            // A bus that is busy tells it later; a refusal means that nobody owns the name.
            Ask::Owner if *refusal == Refusal::Timeout => {
                self.ask(Ask::Owner, attempt.saturating_add(1), now)
            }
            Ask::Owner => self.owner_is(None, now),
            Ask::Version => self.appeared(String::new(), now),
            Ask::Objects => {
                if let Refusal::Error(name, text) = refusal
                    && name.ends_with(".AccessDenied")
                {
                    self.refused = true;
                    self.events.push_back(Event::HealthReported {
                        code: WarningCode::NotAuthorized,
                        subject: "ModemManager".to_owned(),
                        text: Some(format!(
                            "The bus does not let this user read ModemManager's modems ({text}): \
                             see its policy in /usr/share/dbus-1/system.d"
                        )),
                    });
                }
                self.ask_objects_later(attempt, now);
            }
            Ask::Interface { path, interface, modem } => {
                self.interface_unread(&path, interface, modem, attempt, refusal, now);
            }
        }
    }

    fn appeared(&mut self, version: String, now: Instant) {
        self.told_present = Some(true);
        self.directory_changed = true;
        self.events.push_back(Event::ModemManagerAppeared { version });
        self.ask(Ask::Objects, 0, now);
    }

    fn ask_objects_later(&mut self, attempt: u32, now: Instant) {
        let wait = RETRY_FIRST.saturating_mul(1 << attempt.min(6)).min(RETRY_MOST);
        self.objects_attempt = attempt.saturating_add(1);
        self.retry = now.checked_add(wait);
    }

    fn objects(&mut self, objects: HashMap<OwnedObjectPath, HashMap<String, Raw>>, now: Instant) {
        self.objects_attempt = 0;
        if std::mem::take(&mut self.refused) {
            self.events.push_back(Event::HealthReported {
                code: WarningCode::NotAuthorized,
                subject: "ModemManager".to_owned(),
                text: None,
            });
        }
        let gone: Vec<String> = self
            .modems
            .keys()
            .filter(|known| !objects.keys().any(|path| path.as_str() == known.as_str()))
            .cloned()
            .collect();
        for path in gone {
            self.forget_modem(&path);
        }
        // In the order of paths, so that the same list always gives the same events.
        let ordered: BTreeMap<_, _> = objects.into_iter().map(|(path, of)| (path.to_string(), of)).collect();
        for (path, interfaces) in ordered {
            self.interfaces_added(&path, interfaces, now);
        }
    }

    fn signal(&mut self, message: &Message, now: Instant) {
        let header = message.header();
        let (Some(path), Some(interface), Some(member)) =
            (header.path(), header.interface(), header.member())
        else {
            return;
        };
        let sender = header.sender().map(|name| name.as_str());
        let body = message.body();
        if sender == Some(names::BUS) {
            if member.as_str() == "NameOwnerChanged"
                && let Ok((name, _, new)) = body.deserialize::<(String, String, String)>()
                && name == names::SERVICE
            {
                self.owner_is(Some(new).filter(|new| !new.is_empty()), now);
            }
            return;
        }
        match &self.owner {
            Owner::Present(Some(owner)) if sender != Some(owner) => return,
            Owner::Present(_) => {}
            _ => return,
        }
        let path = path.as_str();
        match (interface.as_str(), member.as_str()) {
            (names::OBJECT_MANAGER, "InterfacesAdded") => {
                if let Ok((path, interfaces)) = body.deserialize::<(OwnedObjectPath, HashMap<String, Raw>)>()
                {
                    self.interfaces_added(path.as_str(), interfaces, now);
                }
            }
            (names::OBJECT_MANAGER, "InterfacesRemoved") => {
                if let Ok((path, interfaces)) = body.deserialize::<(OwnedObjectPath, Vec<String>)>() {
                    self.interfaces_removed(path.as_str(), &interfaces, now);
                }
            }
            (names::PROPERTIES, "PropertiesChanged") => {
                if let Ok((interface, changed, invalidated)) =
                    body.deserialize::<(String, Raw, Vec<String>)>()
                {
                    self.properties_changed(path, &interface, changed, &invalidated, now);
                }
            }
            (names::MESSAGING, "Added") => {
                if let Ok((sms, received)) = body.deserialize::<(OwnedObjectPath, bool)>() {
                    self.sms_seen(path, sms.as_str(), !received, now);
                }
            }
            (names::MESSAGING, "Deleted") => {
                if let Ok(sms) = body.deserialize::<OwnedObjectPath>() {
                    self.sms_deleted(path, sms.as_str());
                }
            }
            (names::VOICE, "CallAdded") => {
                if let Ok(call) = body.deserialize::<OwnedObjectPath>() {
                    self.call_seen(path, call.as_str(), now);
                }
            }
            (names::VOICE, "CallDeleted") => {
                if let Ok(call) = body.deserialize::<OwnedObjectPath>() {
                    self.call_deleted(path, call.as_str());
                }
            }
            (names::CALL, "StateChanged") => {
                if let Ok((_, state, _)) = body.deserialize::<(i32, i32, u32)>() {
                    self.call_state_changed(path, state);
                }
            }
            // Its numbers can come out of order: the state is read anew.
            (names::MODEM, "StateChanged") => self.state_changed(path, now),
            _ => {}
        }
    }

    fn interfaces_added(&mut self, path: &str, interfaces: HashMap<String, Raw>, now: Instant) {
        if !self.modems.contains_key(path) && self.modems.len() >= MODEMS_MOST {
            tracing::warn!(path, "more than {MODEMS_MOST} modems: this one is not followed");
            return;
        }
        let ordered: BTreeMap<_, _> = interfaces.into_iter().collect();
        for (interface, raw) in ordered {
            self.modem_interface(path, &interface, raw, now);
        }
    }
}

/// Who owns ModemManager's name, its list of objects, and all that it says but of bearers: see [`super::hear`].
fn match_rules() -> Vec<String> {
    let (service, root, bus) = (names::SERVICE, names::ROOT, names::BUS);
    let owner =
        format!("type='signal',sender='{bus}',interface='{bus}',member='NameOwnerChanged',arg0='{service}'");
    let list = format!("type='signal',sender='{service}',path='{root}'");
    let others =
        names::OTHERS.map(|below| format!("type='signal',sender='{service}',path_namespace='{below}'"));
    [owner, list].into_iter().chain(others).collect()
}
