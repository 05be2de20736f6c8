//! Questions to the bus and to ModemManager: sent, awaited by serial number, given up in time.
//!
//! Answers are taken from the same stream as signals, so what was said first is heard first: a property
//! read never overwrites a younger signal, and an answer from a previous ModemManager finds no question.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use zbus::Message;

use crate::names;

/// More questions than this wait for their turn, so that a thousand stored messages are no flood.
const AT_ONCE: usize = 16;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Every signal from ModemManager is to be forwarded, and every change of its name's owner.
    Match(String),
    /// Signals of a former [`Ask::Match`] are not to be forwarded any more.
    Unmatch(String),
    /// Who owns ModemManager's name.
    Owner,
    /// ModemManager's version.
    Version,
    /// All objects.
    Objects,
    /// All properties of an interface; on whose behalf, where a modem's removal voids the question.
    Interface {
        /// Object path.
        path: String,
        /// Which interface.
        interface: &'static str,
        /// Path of the modem it is about.
        modem: Option<String>,
    },
    /// A bearer's figures alone; its object path.
    Stats(String),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// None came in time.
    Timeout,
    /// A D-Bus error; name and text, hostile.
    Error(String, String),
}

/// A question under way.
#[derive(Debug)]
pub struct Asked {
    /// What was asked.
    pub ask: Ask,
    /// How often before.
    pub attempt: u32,
    deadline: Instant,
}

/// The questions under way and those that wait.
#[derive(Debug)]
pub struct Questions {
    timeout: Duration,
    under_way: BTreeMap<u32, Asked>,
    waiting: VecDeque<(Ask, u32)>,
    /// Messages to be sent now.
    pub outbox: VecDeque<Message>,
}

impl Questions {
    /// None yet; each is to be answered within `timeout`.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, under_way: BTreeMap::new(), waiting: VecDeque::new(), outbox: VecDeque::new() }
    }

    /// Asks as soon as it may. `to` is ModemManager's unique name, none peer to peer.
    pub fn ask(&mut self, ask: Ask, attempt: u32, to: Option<&str>, now: Instant) {
        // In order: what is asked after a rule for signals is answered after it.
        if self.under_way.len() >= AT_ONCE || !self.waiting.is_empty() {
            self.waiting.push_back((ask, attempt));
            return;
        }
        self.put(ask, attempt, to, now);
    }

    fn put(&mut self, ask: Ask, attempt: u32, to: Option<&str>, now: Instant) {
        match build(&ask, to) {
            Ok(message) => {
                let serial = message.primary_header().serial_num().get();
                let deadline = now.checked_add(self.timeout).unwrap_or(now);
                self.under_way.insert(serial, Asked { ask, attempt, deadline });
                self.outbox.push_back(message);
            }
            Err(error) => tracing::warn!(%error, ?ask, "a question could not be put"),
        }
    }

    /// Asks what waited, as far as there is room.
    pub fn proceed(&mut self, to: Option<&str>, now: Instant) {
        while self.under_way.len() < AT_ONCE
            && let Some((ask, attempt)) = self.waiting.pop_front()
        {
            self.put(ask, attempt, to, now);
        }
    }

    /// The question that a reply of this serial number answers.
    pub fn answered(&mut self, serial: u32) -> Option<Asked> {
        self.under_way.remove(&serial)
    }

    /// Gives up the questions whose time is over.
    pub fn expired(&mut self, now: Instant) -> Vec<Asked> {
        let late: Vec<u32> = self
            .under_way
            .iter()
            .filter(|(_, asked)| asked.deadline <= now)
            .map(|(serial, _)| *serial)
            .collect();
        late.into_iter().filter_map(|serial| self.under_way.remove(&serial)).collect()
    }

    /// When the next question is given up.
    pub fn deadline(&self) -> Option<Instant> {
        self.under_way.values().map(|asked| asked.deadline).min()
    }

    /// Forgets all questions: whoever was asked is gone.
    pub fn forget(&mut self) {
        self.under_way.clear();
        self.waiting.clear();
        self.outbox.clear();
    }

    /// Forgets the questions about a modem that is gone.
    pub fn forget_modem(&mut self, path: &str) {
        let about = |ask: &Ask| matches!(ask, Ask::Interface { modem: Some(modem), .. } if modem == path);
        self.under_way.retain(|_, asked| !about(&asked.ask));
        self.waiting.retain(|(ask, _)| !about(ask));
    }
}

fn build(ask: &Ask, to: Option<&str>) -> zbus::Result<Message> {
    let to_bus =
        |member| Message::method_call(names::BUS_PATH, member).destination(names::BUS).interface(names::BUS);
    let to_modem_manager = |path, interface, member| {
        let call = Message::method_call(path, member).interface(interface);
        match to {
            Some(name) => call.destination(name),
            None => call,
        }
    };
    match ask {
        Ask::Match(rule) => to_bus("AddMatch").build(&rule.as_str()),
        Ask::Unmatch(rule) => to_bus("RemoveMatch").build(&rule.as_str()),
        Ask::Owner => to_bus("GetNameOwner").build(&names::SERVICE),
        Ask::Version => to_modem_manager(names::ROOT, names::PROPERTIES, "GetAll").build(&names::MANAGER),
        Ask::Objects => to_modem_manager(names::ROOT, names::OBJECT_MANAGER, "GetManagedObjects").build(&()),
        Ask::Interface { path, interface, .. } => {
            to_modem_manager(path.as_str(), names::PROPERTIES, "GetAll").build(interface)
        }
        Ask::Stats(path) => {
            to_modem_manager(path.as_str(), names::PROPERTIES, "Get").build(&(names::BEARER, names::STATS))
        }
    }
}
