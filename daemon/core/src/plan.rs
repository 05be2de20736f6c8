//! Plans: what a SIM may use, and for how long.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::ident::PlanName;

/// A plan of one SIM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    pub name: PlanName,
    /// Data that may be used in a cycle; none for unlimited or unknown.
    pub data: Option<Bytes>,
    /// How long an allowance lasts.
    pub period: Period,
    /// Which bytes count.
    pub counts: Counts,
    /// Whether bytes used while roaming count against `data`.
    pub roaming_counts: bool,
}

/// How long an allowance lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    /// Starts anew each month on this day.
    Monthly(AnchorDay),
    /// Lasts this many days from its start date. With `renews`, again and again.
    Days {
        /// How many days: 30, 28, 7, 1.
        days: u16,
        /// First day of the (first) bundle.
        start: NaiveDate,
        /// Whether a new bundle follows by itself.
        renews: bool,
    },
    /// Ends when it is used up, whenever that is; counted from a date.
    Bucket {
        /// First day.
        start: NaiveDate,
    },
}

/// The day of the month a cycle starts on: 1 to 31, clamped to a month's end and coming back, or the last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnchorDay {
    /// 1 to 31.
    Day(u8),
    /// The last day of each month.
    Last,
}

/// Which direction counts against the allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// Received and sent together.
    Both,
    /// Received only.
    Download,
    /// Sent only.
    Upload,
}
