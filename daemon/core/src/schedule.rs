//! When a rule or a repeated reminder is due: daily, weekly, monthly at a local time.

use serde::{Deserialize, Serialize};

use crate::plan::AnchorDay;
use crate::time::Timestamp;
use crate::zone::ZoneRules;

/// A local time of day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

/// A recurring local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Every so many seconds (1 at least): for demonstrations and probes.
    Every(u32),
    /// Each day.
    Daily(TimeOfDay),
    /// Each week: weekday 1 (Monday) to 7 (Sunday).
    Weekly(u8, TimeOfDay),
    /// Each month, clamped to its end.
    Monthly(AnchorDay, TimeOfDay),
}

/// Local hours in which only critical reminders are said. May pass midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// From, included.
    pub from: TimeOfDay,
    /// Until, excluded.
    pub until: TimeOfDay,
}
