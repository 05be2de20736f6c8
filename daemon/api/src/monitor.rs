//! What followers are told.

use crate::channel::Channel;
use crate::reminder::Reminder;
use crate::status::{ModemManager, Service, Sim};

inline! {
    /// One thing that a follower is told. The full state comes first (`service`, then `sim`, `reminder` and `channel`
    /// for each there is, then `ready`); what follows are changes, each carrying the thing whole as it is now.
    pub struct MonitorEvent {
        /// `service`, `sim`, `reminder`, `channel`, `ready`, `said`, `happened` or `heartbeat`; newer services may
        /// send others, to be passed over.
        pub event: String,
        /// When, RFC 3339.
        pub at: String,
        /// The service as it is now, for `service`.
        pub service: Option<Service>,
        /// ModemManager as it is now, for `service`.
        pub modemmanager: Option<ModemManager>,
        /// The SIM as it is now, for `sim`.
        pub sim: Option<Sim>,
        /// The reminder as it is now, for `reminder` and `said`.
        pub reminder: Option<Reminder>,
        /// The channel as it is now, for `channel`.
        pub channel: Option<Channel>,
        /// A line for a person, for `happened`.
        pub text: Option<String>,
    }
}

/// What a [`MonitorEvent`] is about, read from its `event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorKind {
    /// The service or ModemManager.
    Service,
    /// A SIM.
    Sim,
    /// A reminder changed.
    Reminder,
    /// A channel.
    Channel,
    /// The full state has been sent.
    Ready,
    /// A reminder is said now, on the terminal and the desktop.
    Said,
    /// A line for a person who watches.
    Happened,
    /// Nothing happened for a while.
    Heartbeat,
    /// Something this version does not know.
    Other,
}

impl MonitorEvent {
    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> MonitorKind {
        match self.event.as_str() {
            "service" => MonitorKind::Service,
            "sim" => MonitorKind::Sim,
            "reminder" => MonitorKind::Reminder,
            "channel" => MonitorKind::Channel,
            "ready" => MonitorKind::Ready,
            "said" => MonitorKind::Said,
            "happened" => MonitorKind::Happened,
            "heartbeat" => MonitorKind::Heartbeat,
            _ => MonitorKind::Other,
        }
    }

    /// The service and ModemManager as they are now.
    #[must_use]
    pub fn service(at: String, service: Service, modemmanager: ModemManager) -> Self {
        Self { service: Some(service), modemmanager: Some(modemmanager), ..Self::bare("service", at) }
    }

    /// A SIM as it is now.
    #[must_use]
    pub fn sim(at: String, sim: Sim) -> Self {
        Self { sim: Some(sim), ..Self::bare("sim", at) }
    }

    /// A reminder as it is now.
    #[must_use]
    pub fn reminder(at: String, reminder: Reminder) -> Self {
        Self { reminder: Some(reminder), ..Self::bare("reminder", at) }
    }

    /// A channel as it is now.
    #[must_use]
    pub fn channel(at: String, channel: Channel) -> Self {
        Self { channel: Some(channel), ..Self::bare("channel", at) }
    }

    /// The full state has been sent.
    #[must_use]
    pub fn ready(at: String) -> Self {
        Self::bare("ready", at)
    }

    /// A reminder is said now: shown by whoever follows, once for each `raised_at` and `occurrence`.
    #[must_use]
    pub fn said(at: String, reminder: Reminder) -> Self {
        Self { reminder: Some(reminder), ..Self::bare("said", at) }
    }

    /// A line for a person who watches.
    #[must_use]
    pub fn happened(at: String, text: String) -> Self {
        Self { text: Some(text), ..Self::bare("happened", at) }
    }

    /// Nothing happened for a while.
    #[must_use]
    pub fn heartbeat(at: String) -> Self {
        Self::bare("heartbeat", at)
    }

    fn bare(event: &str, at: String) -> Self {
        Self {
            event: event.to_owned(),
            at,
            service: None,
            modemmanager: None,
            sim: None,
            reminder: None,
            channel: None,
            text: None,
        }
    }
}
