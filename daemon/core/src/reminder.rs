//! Reminders: one per key, from raised to resolved, and what is delivered of them.

use serde::{Deserialize, Serialize};

use crate::ident::{ChannelName, Iccid, ReminderKey, RuleName};
use crate::schedule::Schedule;
use crate::time::{Span, Timestamp};

/// What a rule found: raised under a key for as long as it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's own part of the key.
    pub key: String,
    /// The SIM it is about.
    pub sim: Option<Iccid>,
    /// What the reader is told.
    pub text: String,
    /// How loud.
    pub urgency: Urgency,
    /// How often it is said again while it holds and nobody answers.
    pub repeat: Repeat,
    /// By which channels; the configured default where none.
    pub channels: Option<Vec<ChannelName>>,
}

/// How loud a reminder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// Good to know.
    Info,
    /// Something should be done.
    Warning,
    /// Something must be done now; quiet hours do not hold it back.
    Critical,
}

/// How often a reminder that holds is said again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeat {
    /// Once.
    Once,
    /// Again after each such span until acknowledged.
    Every(Span),
    /// Again at each such local time until acknowledged.
    At(Schedule),
}

/// Where a reminder stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum ReminderState {
    /// Raised, and held back by quiet hours or an untrusted clock.
    Pending,
    /// Raised and said.
    Firing,
    /// A person has seen it: not said again while it holds.
    Acknowledged {
        /// When.
        at: Timestamp,
    },
    /// A person put it off.
    Snoozed {
        /// Until when.
        until: Timestamp,
    },
    /// The rule no longer raises it.
    Resolved {
        /// When.
        at: Timestamp,
    },
}

/// One reminder as kept in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminder {
    /// Its key, unique.
    pub key: ReminderKey,
    /// The rule that raised it.
    pub rule: RuleName,
    /// The SIM it is about.
    pub sim: Option<Iccid>,
    /// Where it stands.
    pub state: ReminderState,
    /// How loud.
    pub urgency: Urgency,
    /// What the reader is told.
    pub text: String,
    /// How often it is said again.
    pub repeat: Repeat,
    /// By which channels.
    pub channels: Vec<ChannelName>,
    /// When it was first raised since it last was resolved.
    pub raised_at: Timestamp,
    /// When it is said next, if at all.
    pub next_at: Option<Timestamp>,
    /// How many times it has been said: part of each delivery's dedupe key.
    pub occurrence: u32,
    /// What kind of trigger raised it: only the same kind may resolve it.
    pub trigger: String,
    /// How late it is said, where a due time was missed.
    pub late: Option<Span>,
}

/// One message on its way by one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Dedupe key: reminder key, time raised, occurrence and channel. Sent along where the channel has a place for it.
    pub id: String,
    /// The reminder it says.
    pub reminder: ReminderKey,
    /// The channel.
    pub channel: ChannelName,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many times it was tried.
    pub attempts: u32,
    /// When it was put in the outbox.
    pub created_at: Timestamp,
    /// When it is tried next.
    pub next_at: Option<Timestamp>,
    /// What went wrong last; hostile text.
    pub last_error: Option<String>,
    /// The message, as decided when it was put in the outbox.
    pub message: Message,
}

/// What a channel carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// One line.
    pub title: String,
    /// The text.
    pub text: String,
    /// How loud.
    pub urgency: Urgency,
    /// The reminder's key.
    pub key: String,
    /// The name of the SIM it is about.
    pub sim_name: Option<String>,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// Dedupe key.
    pub id: String,
    /// BCP 47 language the text is in.
    pub language: String,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// Waits for its first or next try.
    Queued,
    /// Being tried; after a crash tried again.
    Sending,
    /// Accepted by the channel.
    Delivered,
    /// Given up: the deadline passed, or the receiver refused it for good.
    Failed,
    /// Not sent because a cap or a roaming rule forbade it.
    Suppressed,
}
