//! Plans: what a SIM may use, and for how long.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Months, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::billing::{FreeHours, Increment};
use crate::bytes::Bytes;
use crate::ident::PlanName;
use crate::ledger::{Volume, Zone};

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
    /// The step that usage is rounded up to; none where each byte is billed.
    pub increment: Option<Increment>,
    /// Hours that cost nothing.
    pub free_hours: Vec<FreeHours>,
    /// Whether what rules see as used is calibrated to the carrier's own figures.
    pub calibrate: bool,
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
    /// The direction that carried more over the whole cycle.
    Max,
}

/// Why a text or number is not a day of the month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a day of the month; write 1 to 31, or last")]
pub struct AnchorDayError;

/// Why a text does not say which direction counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a direction; write both, download, upload or max")]
pub struct CountsError;

impl Plan {
    /// Whether what is used in `zone` counts against the allowance.
    ///
    /// A zone that is not known counts: a warning too early costs less than one too late.
    #[must_use]
    pub const fn charges(&self, zone: &Zone) -> bool {
        !matches!(zone, Zone::Roaming(_)) || self.roaming_counts
    }

    /// Whether sums by zone do not say what is billed: sessions or days are rounded, or hours cost nothing.
    #[must_use]
    pub const fn bills_by_unit(&self) -> bool {
        self.increment.is_some() || !self.free_hours.is_empty()
    }

    /// Whether its allowance starts anew by itself.
    #[must_use]
    pub const fn renews(&self) -> bool {
        match self.period {
            Period::Monthly(_) => true,
            Period::Days { renews, .. } => renews,
            Period::Bucket { .. } => false,
        }
    }

    /// Allowance minus usage, never below 0; none without an allowance.
    #[must_use]
    pub fn remaining(&self, used: Bytes) -> Option<Bytes> {
        self.data.map(|data| data.saturating_sub(used))
    }
}

impl Counts {
    /// Bytes of the volume of a whole cycle that count; none when the sum does not fit.
    #[must_use]
    pub fn of(self, volume: Volume) -> Option<u64> {
        match self {
            Self::Both => volume.rx.checked_add(volume.tx),
            Self::Download => Some(volume.rx),
            Self::Upload => Some(volume.tx),
            Self::Max => Some(volume.rx.max(volume.tx)),
        }
    }

    /// As configured and shown: `both`, `download`, `upload` or `max`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Download => "download",
            Self::Upload => "upload",
            Self::Max => "max",
        }
    }
}

impl FromStr for Counts {
    type Err = CountsError;

    fn from_str(text: &str) -> Result<Self, CountsError> {
        [Self::Both, Self::Download, Self::Upload, Self::Max]
            .into_iter()
            .find(|c| c.as_str() == text)
            .ok_or(CountsError)
    }
}

impl AnchorDay {
    /// Checks a day of the month.
    ///
    /// # Errors
    /// When it is not 1 to 31.
    pub const fn new(day: u8) -> Result<Self, AnchorDayError> {
        match day {
            1..=31 => Ok(Self::Day(day)),
            _ => Err(AnchorDayError),
        }
    }

    /// The day it falls on in the month that `date` lies in: the month's end where the month is shorter.
    #[must_use]
    pub fn in_month_of(self, date: NaiveDate) -> NaiveDate {
        let wanted = match self {
            Self::Day(day) => u32::from(day.clamp(1, 31)),
            Self::Last => 31,
        };
        // Every month has a day 28, so the search ends.
        (28..=wanted)
            .rev()
            .find_map(|day| date.with_day(day))
            .or_else(|| date.with_day(wanted))
            .unwrap_or(date)
    }

    /// The day it falls on in the month after the one that `date` lies in; none beyond the calendar.
    #[must_use]
    pub fn in_month_after(self, date: NaiveDate) -> Option<NaiveDate> {
        date.with_day(1)?.checked_add_months(Months::new(1)).map(|first| self.in_month_of(first))
    }

    /// The day it falls on in the month before the one that `date` lies in; none beyond the calendar.
    #[must_use]
    pub fn in_month_before(self, date: NaiveDate) -> Option<NaiveDate> {
        date.with_day(1)?.checked_sub_months(Months::new(1)).map(|first| self.in_month_of(first))
    }
}

impl fmt::Display for AnchorDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{day}"),
            Self::Last => f.write_str("last"),
        }
    }
}

impl FromStr for AnchorDay {
    type Err = AnchorDayError;

    fn from_str(text: &str) -> Result<Self, AnchorDayError> {
        match text {
            "last" => Ok(Self::Last),
            text if text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().map_err(|_| AnchorDayError).and_then(Self::new)
            }
            _ => Err(AnchorDayError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::OperatorCode;
    use crate::zone::tests::date;

    fn plan(counts: Counts, roaming_counts: bool) -> Plan {
        Plan {
            name: PlanName::new("6 GB").unwrap(),
            data: Some(Bytes(6_000)),
            period: Period::Monthly(AnchorDay::Day(1)),
            counts,
            roaming_counts,
            increment: None,
            free_hours: Vec::new(),
            calibrate: false,
        }
    }

    #[test]
    fn counts_the_chosen_directions() {
        let volume = Volume { rx: 70, tx: 7 };
        assert_eq!(Counts::Both.of(volume), Some(77));
        assert_eq!(Counts::Download.of(volume), Some(70));
        assert_eq!(Counts::Upload.of(volume), Some(7));
        assert_eq!(Counts::Max.of(volume), Some(70));
        assert_eq!(Counts::Max.of(Volume { rx: 7, tx: 70 }), Some(70));
        assert_eq!(Counts::Both.of(Volume { rx: u64::MAX, tx: 1 }), None);
        assert_eq!(Counts::Max.of(Volume { rx: u64::MAX, tx: 1 }), Some(u64::MAX));
    }

    #[test]
    fn free_roaming_does_not_count() {
        let abroad = Zone::Roaming(Some(OperatorCode::new("26202").unwrap()));
        assert!(!plan(Counts::Both, false).charges(&abroad));
        assert!(plan(Counts::Both, true).charges(&abroad));
        assert!(plan(Counts::Both, false).charges(&Zone::Unknown));
        assert!(plan(Counts::Both, false).charges(&Zone::Home));
    }

    #[test]
    fn remaining_never_falls_below_nothing() {
        assert_eq!(plan(Counts::Both, true).remaining(Bytes(1)), Some(Bytes(5_999)));
        assert_eq!(plan(Counts::Both, true).remaining(Bytes(9_000)), Some(Bytes(0)));
    }

    #[test]
    fn anchors_clamp_to_the_end_of_the_month() {
        for (anchor, month, day) in [
            ("1", "2026-02-10", "2026-02-01"),
            ("31", "2026-02-10", "2026-02-28"),
            ("30", "2024-02-10", "2024-02-29"),
            ("31", "2026-04-30", "2026-04-30"),
            ("last", "2026-02-01", "2026-02-28"),
            ("last", "2026-12-01", "2026-12-31"),
            ("29", "2026-12-31", "2026-12-29"),
        ] {
            let anchor: AnchorDay = anchor.parse().unwrap();
            assert_eq!(anchor.in_month_of(date(month)), date(day), "{anchor} in {month}");
        }
        assert_eq!(AnchorDay::Day(31).in_month_after(date("2026-01-31")), Some(date("2026-02-28")));
        assert_eq!(AnchorDay::Day(31).in_month_before(date("2026-01-01")), Some(date("2025-12-31")));
    }

    #[test]
    fn anchors_and_directions_are_read_strictly() {
        for bad in ["0", "32", "", "-1", "+1", "Last", "1st", "001"] {
            assert_eq!(bad.parse::<AnchorDay>(), Err(AnchorDayError), "{bad}");
        }
        assert_eq!("31".parse(), Ok(AnchorDay::Day(31)));
        assert_eq!("upload".parse(), Ok(Counts::Upload));
        assert_eq!("max".parse(), Ok(Counts::Max));
        assert_eq!("Upload".parse::<Counts>(), Err(CountsError));
    }
}
