//! Civil time: zone rules as data.

use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

const DAY_S: i64 = 86_400;

/// A time zone's offsets from UTC over time, materialised: the shell reads them from the system's zoneinfo.
///
/// Offsets lie within a day of UTC; transitions ascend.
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

    /// The civil date at an instant.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> NaiveDate {
        self.civil(at).date()
    }

    /// The instant of a civil time. In a gap (spring) the first instant after it; twice (autumn) the first.
    #[must_use]
    pub fn instant(&self, civil: NaiveDateTime) -> Timestamp {
        let naive = civil.and_utc().timestamp_millis();
        // Offsets stay within a day, so every run of one offset that ended two days earlier is out of question.
        let settled = naive.div_euclid(1000).saturating_sub(2 * DAY_S);
        let first = self.transitions.partition_point(|(from, _)| *from <= settled);
        let mut offset = match first.checked_sub(1).and_then(|i| self.transitions.get(i)) {
            Some((_, offset)) => *offset,
            None => self.first_offset_s,
        };
        for (from, next_offset) in self.transitions.get(first..).unwrap_or_default() {
            let from = from.saturating_mul(1000);
            let candidate = before_offset(naive, offset);
            if candidate < from {
                return Timestamp::from_millis(candidate);
            }
            if before_offset(naive, *next_offset) < from {
                return Timestamp::from_millis(from);
            }
            offset = *next_offset;
        }
        Timestamp::from_millis(before_offset(naive, offset))
    }

    /// The transitions after one instant until another, the latter included.
    #[must_use]
    pub fn transitions_within(&self, after: Timestamp, until: Timestamp) -> &[(i64, i32)] {
        let first =
            self.transitions.partition_point(|(from, _)| from.saturating_mul(1000) <= after.as_millis());
        let end =
            self.transitions.partition_point(|(from, _)| from.saturating_mul(1000) <= until.as_millis());
        self.transitions.get(first..end).unwrap_or_default()
    }

    /// Whether its days begin within hours of UTC, by any offset of this century.
    #[must_use]
    pub fn days_begin_within_hours(&self) -> bool {
        const CENTURY: Timestamp = Timestamp::from_secs(946_684_800);
        let later = self.transitions_within(CENTURY, Timestamp::from_millis(i64::MAX));
        let offsets = later.iter().map(|(_, offset)| *offset).chain([self.offset_at(CENTURY)]);
        offsets.into_iter().any(|offset| offset % 3_600 != 0)
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

fn before_offset(naive_ms: i64, offset_s: i32) -> i64 {
    naive_ms.saturating_sub(i64::from(offset_s).saturating_mul(1000))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str, first_offset_s: i32, transitions: &[(&str, i32)]) -> ZoneRules {
        let transitions = transitions.iter().map(|(at, offset)| (utc(at).as_secs(), *offset)).collect();
        ZoneRules { name: name.to_owned(), first_offset_s, transitions }
    }

    /// Central European summer time in 2025 and 2026.
    pub(crate) fn berlin() -> ZoneRules {
        zone(
            "Europe/Berlin",
            3600,
            &[
                ("2025-03-30T01:00:00", 7200),
                ("2025-10-26T01:00:00", 3600),
                ("2026-03-29T01:00:00", 7200),
                ("2026-10-25T01:00:00", 3600),
            ],
        )
    }

    /// Summer time that began and ended at midnight.
    pub(crate) fn sao_paulo() -> ZoneRules {
        zone(
            "America/Sao_Paulo",
            -10_800,
            &[("2018-11-04T03:00:00", -7200), ("2019-02-17T02:00:00", -10_800)],
        )
    }

    /// Summer time of half an hour.
    pub(crate) fn lord_howe() -> ZoneRules {
        zone(
            "Australia/Lord_Howe",
            39_600,
            &[("2026-04-04T15:00:00", 37_800), ("2026-10-03T15:30:00", 39_600)],
        )
    }

    /// A whole day, 2011-12-30, left out.
    pub(crate) fn apia() -> ZoneRules {
        zone("Pacific/Apia", -36_000, &[("2011-12-30T10:00:00", 50_400)])
    }

    pub(crate) fn utc(text: &str) -> Timestamp {
        Timestamp::from(civil(text).and_utc())
    }

    pub(crate) fn civil(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    pub(crate) fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_gap_gives_the_first_instant_after_it() {
        assert_eq!(berlin().instant(civil("2026-03-29T02:30:00")), utc("2026-03-29T01:00:00"));
        assert_eq!(berlin().instant(civil("2026-03-29T01:59:59.999")), utc("2026-03-29T00:59:59.999"));
        assert_eq!(berlin().instant(civil("2026-03-29T03:00:00")), utc("2026-03-29T01:00:00"));
        assert_eq!(sao_paulo().day_start(date("2018-11-04")), utc("2018-11-04T03:00:00"));
        assert_eq!(lord_howe().instant(civil("2026-10-04T02:15:00")), utc("2026-10-03T15:30:00"));
        assert_eq!(lord_howe().instant(civil("2026-10-04T02:30:00")), utc("2026-10-03T15:30:00"));
        assert_eq!(apia().instant(civil("2011-12-30T12:00:00")), utc("2011-12-30T10:00:00"));
    }

    #[test]
    fn a_time_that_comes_twice_is_its_first() {
        assert_eq!(berlin().instant(civil("2026-10-25T02:30:00")), utc("2026-10-25T00:30:00"));
        assert_eq!(sao_paulo().instant(civil("2019-02-16T23:30:00")), utc("2019-02-17T01:30:00"));
        assert_eq!(sao_paulo().day_start(date("2019-02-17")), utc("2019-02-17T03:00:00"));
        assert_eq!(lord_howe().instant(civil("2026-04-05T01:45:00")), utc("2026-04-04T14:45:00"));
    }

    #[test]
    fn civil_time_follows_the_offset() {
        assert_eq!(berlin().civil(utc("2026-10-25T00:59:59")), civil("2026-10-25T02:59:59"));
        assert_eq!(berlin().civil(utc("2026-10-25T01:00:00")), civil("2026-10-25T02:00:00"));
        assert_eq!(berlin().rfc3339(utc("2026-07-01T00:00:00")), "2026-07-01T02:00:00+02:00");
        assert_eq!(berlin().date(utc("2026-06-30T22:00:00")), date("2026-07-01"));
    }

    #[test]
    fn transitions_within_excludes_the_first_instant() {
        let at = utc("2026-10-25T01:00:00");
        assert!(berlin().transitions_within(at, at.saturating_add(crate::time::Span::secs(9))).is_empty());
        assert_eq!(berlin().transitions_within(Timestamp::from_millis(at.as_millis() - 1), at).len(), 1);
    }

    fn zones() -> impl Strategy<Value = ZoneRules> {
        prop_oneof![
            Just(berlin()),
            Just(sao_paulo()),
            Just(lord_howe()),
            Just(apia()),
            Just(ZoneRules::utc())
        ]
    }

    proptest! {
        /// The definition itself, tried on every offset: the first instant that shows this civil time.
        #[test]
        fn instant_is_the_first_that_shows_it(zone in zones(), near in 0_usize..4, shift in -200_000_000_i64..200_000_000) {
            let anchor = zone.transitions.get(near % zone.transitions.len().max(1)).map_or(0, |(from, _)| *from);
            let at = Timestamp::from_millis(anchor * 1000 + shift);
            let local = zone.civil(at);
            let found = zone.instant(local);
            prop_assert_eq!(zone.civil(found), local);
            prop_assert!(found <= at);
            let naive = local.and_utc().timestamp_millis();
            let brute = std::iter::once(zone.first_offset_s)
                .chain(zone.transitions.iter().map(|(_, offset)| *offset))
                .map(|offset| Timestamp::from_millis(naive - i64::from(offset) * 1000))
                .filter(|candidate| zone.civil(*candidate) == local)
                .min();
            prop_assert_eq!(Some(found), brute);
        }

        #[test]
        fn instants_never_go_back(zone in zones(), near in 0_usize..4, shift in -200_000_000_i64..200_000_000, step in 0_i64..90_000_000) {
            let anchor = zone.transitions.get(near % zone.transitions.len().max(1)).map_or(0, |(from, _)| *from);
            let naive = Timestamp::from_millis(anchor * 1000 + shift).to_utc().naive_utc();
            let later = naive + chrono::TimeDelta::milliseconds(step);
            prop_assert!(zone.instant(naive) <= zone.instant(later));
        }
    }
}
