//! What came of a rehearsal, in order.

use simbell_core::action::ActionRecord;
use simbell_core::ident::{ChannelName, Iccid, ReminderKey, RuleName};
use simbell_core::reminder::Urgency;
use simbell_core::time::{Span, Timestamp};

/// One thing that a rule brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// Whose doing.
    pub rule: RuleName,
    /// About which SIM.
    pub sim: Option<Iccid>,
    /// What.
    pub what: Happening,
}

/// What a rule brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A reminder was said.
    Said(Saying),
    /// A reminder was raised, and is held back by quiet hours.
    Held(Saying),
    /// A reminder that holds says something else from now on; it is not said again for that.
    Reworded(Saying),
    /// Somebody acknowledged a reminder.
    Acknowledged(ReminderKey),
    /// Somebody put a reminder off until then.
    Snoozed(ReminderKey, Timestamp),
    /// A reminder is over.
    Resolved(ReminderKey),
    /// The rule wanted something done: as it was taken up, or refused.
    Acted(ActionRecord),
    /// The rule failed: file, line, column, what and why.
    Failed(String),
}

/// A reminder as it is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    /// Its whole key: `RULE/KEY/SIM`.
    pub reminder: ReminderKey,
    /// What the reader is told.
    pub text: String,
    /// How loud.
    pub urgency: Urgency,
    /// Which time since it was raised.
    pub occurrence: u32,
    /// How late it is.
    pub late: Option<Span>,
    /// By which channels.
    pub channels: Vec<ChannelName>,
}

impl Happening {
    /// The reminder it is about.
    #[must_use]
    pub const fn reminder(&self) -> Option<&ReminderKey> {
        match self {
            Self::Said(saying) | Self::Held(saying) | Self::Reworded(saying) => Some(&saying.reminder),
            Self::Acknowledged(key) | Self::Snoozed(key, _) | Self::Resolved(key) => Some(key),
            Self::Acted(_) | Self::Failed(_) => None,
        }
    }
}

impl Moment {
    /// The key by which the rule knows the reminder or the action: the part that it wrote itself.
    #[must_use]
    pub fn own_key(&self) -> Option<&str> {
        let whole = match &self.what {
            Happening::Acted(record) => record.key.as_str(),
            other => other.reminder()?.as_str(),
        };
        let own = whole.strip_prefix(self.rule.as_str())?.strip_prefix('/')?;
        let about = self.sim.is_some() || matches!(self.what, Happening::Acted(_));
        Some(if about { own.rsplit_once('/').map_or(own, |(key, _)| key) } else { own })
    }
}
