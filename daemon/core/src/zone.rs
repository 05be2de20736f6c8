//! Civil time: zone rules as data.

use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A time zone's offsets from UTC over time, materialised: the shell reads them from the system's zoneinfo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneRules {
    /// IANA name, such as `Europe/Berlin`.
    pub name: String,
    /// Offset in seconds east of UTC before the first transition.
    pub first_offset_s: i32,
    /// Instants (seconds since the epoch, ascending) from which the given offset (seconds east of UTC) holds.
    pub transitions: Vec<(i64, i32)>,
}

impl ZoneRules {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), first_offset_s: 0, transitions: Vec::new() }
    }

    /// Offset in seconds east of UTC at an instant.
    #[must_use]
    pub fn offset_at(&self, at: Timestamp) -> i32 {
        let index = self.transitions.partition_point(|(from, _)| *from <= at.as_secs());
        index.checked_sub(1).and_then(|i| self.transitions.get(i)).map_or(self.first_offset_s, |(_, o)| *o)
    }

    /// Civil time at an instant.
    #[must_use]
    pub fn civil(&self, at: Timestamp) -> NaiveDateTime {
        let shifted =
            Timestamp::from_millis(at.as_millis().saturating_add(i64::from(self.offset_at(at)) * 1000));
        shifted.to_utc().naive_utc()
    }

    /// The instant of a civil time. In a gap (spring) the first instant after it; twice (autumn) the first.
    #[must_use]
    pub fn instant(&self, civil: NaiveDateTime) -> Timestamp {
        let naive = civil.and_utc().timestamp_millis();
        let mut best: Option<i64> = None;
        let offsets =
            std::iter::once(self.first_offset_s).chain(self.transitions.iter().map(|(_, offset)| *offset));
        // Only offsets in force within a day of the naive instant can matter.
        let mut tried: Vec<i32> = Vec::new();
        for offset in offsets {
            if tried.contains(&offset) {
                continue;
            }
            tried.push(offset);
            let candidate = naive.saturating_sub(i64::from(offset).saturating_mul(1000));
            if self.offset_at(Timestamp::from_millis(candidate)) == offset {
                best = Some(best.map_or(candidate, |b: i64| b.min(candidate)));
            }
        }
        Timestamp::from_millis(best.unwrap_or_else(|| self.first_instant_after_gap(naive)))
    }

    fn first_instant_after_gap(&self, naive: i64) -> i64 {
        for (index, (from, offset)) in self.transitions.iter().enumerate() {
            let before = index
                .checked_sub(1)
                .and_then(|i| self.transitions.get(i))
                .map_or(self.first_offset_s, |(_, offset)| *offset);
            let local_before = from.saturating_add(i64::from(before)).saturating_mul(1000);
            let local_after = from.saturating_add(i64::from(*offset)).saturating_mul(1000);
            if naive >= local_before && naive < local_after {
                return from.saturating_mul(1000);
            }
        }
        naive.saturating_sub(i64::from(self.first_offset_s).saturating_mul(1000))
    }

    /// The first instant of a civil day.
    #[must_use]
    pub fn day_start(&self, date: NaiveDate) -> Timestamp {
        self.instant(date.and_time(chrono::NaiveTime::MIN))
    }

    /// RFC 3339 with offset, to the second.
    #[must_use]
    pub fn rfc3339(&self, at: Timestamp) -> String {
        let offset = self.offset_at(at);
        match chrono::FixedOffset::east_opt(offset) {
            Some(zone) => at.to_utc().with_timezone(&zone).to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            None => at.to_utc().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        }
    }
}
