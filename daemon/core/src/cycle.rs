//! Billing cycles: half-open spans of civil dates in the plan's zone.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::plan::Period;
use crate::time::Timestamp;
use crate::zone::ZoneRules;

/// One cycle: from a first day, included, until a day, excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// First day.
    pub start: NaiveDate,
    /// First day after it; none for no end.
    pub end: Option<NaiveDate>,
    /// Whether nothing follows it.
    pub last: bool,
}
