//! Billing cycles: half-open spans of civil dates in the plan's zone.

use chrono::{Days, NaiveDate};
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

/// The cycle that `today` lies in.
///
/// None before the first day of a plan, from the end of a bundle that does not renew, and at the far ends of
/// the calendar. A monthly plan has no first day: its cycles go back for ever. A bundle of 0 days is taken as
/// one of 1 day; an anchor beyond 1 to 31 as the nearest.
#[must_use]
pub fn cycle_at(period: &Period, today: NaiveDate) -> Option<Cycle> {
    match *period {
        Period::Monthly(anchor) => {
            let this = anchor.in_month_of(today);
            let (start, end) = if today >= this {
                (this, anchor.in_month_after(today)?)
            } else {
                (anchor.in_month_before(today)?, this)
            };
            Some(Cycle { start, end: Some(end), last: false })
        }
        Period::Days { days, start, renews } => {
            let elapsed = u64::try_from(today.signed_duration_since(start).num_days()).ok()?;
            let days = u64::from(days.max(1));
            if !renews && elapsed >= days {
                return None;
            }
            let start = start.checked_add_days(Days::new(elapsed - elapsed % days))?;
            Some(Cycle { start, end: Some(start.checked_add_days(Days::new(days))?), last: !renews })
        }
        Period::Bucket { start } => (today >= start).then_some(Cycle { start, end: None, last: true }),
    }
}

/// The first cycle that starts after `today`; none where no cycle follows.
#[must_use]
pub fn cycle_after(period: &Period, today: NaiveDate) -> Option<Cycle> {
    if let Some(current) = cycle_at(period, today) {
        return current.next(period);
    }
    match *period {
        Period::Monthly(_) => None,
        Period::Days { start, .. } | Period::Bucket { start } => {
            if today < start {
                cycle_at(period, start)
            } else {
                None
            }
        }
    }
}

impl Cycle {
    /// The cycle after this one; none where nothing follows.
    #[must_use]
    pub fn next(&self, period: &Period) -> Option<Self> {
        if self.last {
            return None;
        }
        cycle_at(period, self.end?)
    }

    /// The cycle before this one; none before the first.
    #[must_use]
    pub fn previous(&self, period: &Period) -> Option<Self> {
        cycle_at(period, self.start.pred_opt()?)
    }

    /// Whether a civil date lies in it.
    #[must_use]
    pub fn contains(&self, date: NaiveDate) -> bool {
        date >= self.start && self.end.is_none_or(|end| date < end)
    }

    /// Its first instant, included, and its end, excluded, in the plan's zone.
    #[must_use]
    pub fn bounds(&self, zone: &ZoneRules) -> (Timestamp, Option<Timestamp>) {
        (zone.day_start(self.start), self.end.map(|end| zone.day_start(end)))
    }

    /// How many days it has; none for no end.
    #[must_use]
    pub fn length_days(&self) -> Option<i64> {
        self.end.map(|end| end.signed_duration_since(self.start).num_days())
    }

    /// Whole days left, `today` included; 0 from its end on; none for no end.
    #[must_use]
    pub fn days_left(&self, today: NaiveDate) -> Option<i64> {
        self.end.map(|end| end.signed_duration_since(today).num_days().max(0))
    }

    /// Seconds left, rounded down; 0 from its end on; none for no end.
    #[must_use]
    pub fn seconds_left(&self, zone: &ZoneRules, now: Timestamp) -> Option<i64> {
        self.bounds(zone).1.map(|end| end.since(now).as_secs().max(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::AnchorDay;
    use crate::zone::tests::{berlin, date, sao_paulo, utc};

    fn starts(period: &Period, from: &str, count: usize) -> Vec<String> {
        let first = cycle_at(period, date(from));
        std::iter::successors(first, |cycle| cycle.next(period))
            .take(count)
            .map(|c| c.start.to_string())
            .collect()
    }

    #[test]
    fn the_31st_clamps_and_comes_back() {
        assert_eq!(
            starts(&Period::Monthly(AnchorDay::Day(31)), "2027-01-31", 4),
            ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]
        );
        assert_eq!(
            starts(&Period::Monthly(AnchorDay::Day(30)), "2028-02-28", 3),
            ["2028-01-30", "2028-02-29", "2028-03-30"]
        );
        assert_eq!(
            starts(&Period::Monthly(AnchorDay::Last), "2026-12-31", 3),
            ["2026-12-31", "2027-01-31", "2027-02-28"]
        );
    }

    #[test]
    fn the_day_itself_starts_the_cycle() {
        let period = Period::Monthly(AnchorDay::Day(15));
        let before = cycle_at(&period, date("2026-11-14")).unwrap();
        assert_eq!((before.start, before.end), (date("2026-10-15"), Some(date("2026-11-15"))));
        assert_eq!(before.days_left(date("2026-11-14")), Some(1));
        let on = cycle_at(&period, date("2026-11-15")).unwrap();
        assert_eq!(on, before.next(&period).unwrap());
        assert_eq!(on.previous(&period), Some(before));
        assert_eq!(on.length_days(), Some(30));
    }

    #[test]
    fn a_bundle_starts_ends_and_renews() {
        let once = Period::Days { days: 30, start: date("2026-11-01"), renews: false };
        assert_eq!(cycle_at(&once, date("2026-10-31")), None);
        assert_eq!(cycle_after(&once, date("2026-10-31")).unwrap().start, date("2026-11-01"));
        let cycle = cycle_at(&once, date("2026-11-30")).unwrap();
        assert_eq!((cycle.end, cycle.last), (Some(date("2026-12-01")), true));
        assert_eq!(cycle_at(&once, date("2026-12-01")), None);
        assert_eq!(cycle_after(&once, date("2026-12-01")), None);
        assert_eq!(cycle.next(&once), None);
        let again = Period::Days { days: 30, start: date("2026-11-01"), renews: true };
        assert_eq!(starts(&again, "2026-12-15", 2), ["2026-12-01", "2026-12-31"]);
        assert_eq!(cycle_at(&again, date("2026-11-01")).unwrap().previous(&again), None);
    }

    #[test]
    fn a_bucket_has_no_end() {
        let period = Period::Bucket { start: date("2026-11-01") };
        assert_eq!(cycle_at(&period, date("2026-10-31")), None);
        let cycle = cycle_at(&period, date("2036-01-01")).unwrap();
        assert_eq!(cycle, Cycle { start: date("2026-11-01"), end: None, last: true });
        assert_eq!(cycle.days_left(date("2036-01-01")), None);
        assert_eq!(cycle.bounds(&berlin()), (utc("2026-10-31T23:00:00"), None));
        assert_eq!(cycle.seconds_left(&berlin(), utc("2036-01-01T00:00:00")), None);
    }

    #[test]
    fn bounds_follow_the_zone_across_summer_time() {
        let cycle = cycle_at(&Period::Monthly(AnchorDay::Day(1)), date("2026-03-10")).unwrap();
        assert_eq!(cycle.bounds(&berlin()), (utc("2026-02-28T23:00:00"), Some(utc("2026-03-31T22:00:00"))));
        assert_eq!(cycle.seconds_left(&berlin(), utc("2026-03-31T21:59:30")), Some(30));
        assert_eq!(cycle.seconds_left(&berlin(), utc("2026-04-02T00:00:00")), Some(0));
        assert_eq!(cycle.days_left(date("2026-04-02")), Some(0));
        // This midnight does not exist: the cycle starts with the first instant of the day.
        let cycle = cycle_at(&Period::Monthly(AnchorDay::Day(4)), date("2018-11-04")).unwrap();
        assert_eq!(cycle.bounds(&sao_paulo()).0, utc("2018-11-04T03:00:00"));
    }

    #[test]
    fn nonsense_and_the_ends_of_the_calendar_do_not_panic() {
        let never = Period::Days { days: 0, start: date("2026-11-01"), renews: true };
        assert_eq!(cycle_at(&never, date("2026-11-03")).unwrap().length_days(), Some(1));
        for day in [NaiveDate::MIN, NaiveDate::MAX] {
            for anchor in [AnchorDay::Day(0), AnchorDay::Day(255), AnchorDay::Day(15), AnchorDay::Last] {
                let _ = cycle_at(&Period::Monthly(anchor), day)
                    .map(|c| (c.previous(&never), c.bounds(&berlin())));
            }
            let bundle = Period::Days { days: u16::MAX, start: NaiveDate::MIN, renews: true };
            let _ = cycle_at(&bundle, day).map(|c| (c.next(&bundle), c.bounds(&berlin())));
        }
    }

    fn periods() -> impl Strategy<Value = Period> {
        let start = (-2_000_i64..2_000).prop_map(|d| date("2026-01-01") + chrono::TimeDelta::days(d));
        prop_oneof![
            (1_u8..=31).prop_map(|day| Period::Monthly(AnchorDay::Day(day))),
            Just(Period::Monthly(AnchorDay::Last)),
            (1_u16..400, start.clone(), any::<bool>()).prop_map(|(days, start, renews)| Period::Days {
                days,
                start,
                renews
            }),
            start.prop_map(|start| Period::Bucket { start }),
        ]
    }

    proptest! {
        #[test]
        fn each_date_lies_in_the_one_cycle_found_for_it(period in periods(), day in -5_000_i64..5_000) {
            let today = date("2026-01-01") + chrono::TimeDelta::days(day);
            let Some(cycle) = cycle_at(&period, today) else {
                let (start, end) = match period {
                    Period::Days { days, start, renews: false } => (start, Some(start + Days::new(u64::from(days)))),
                    Period::Days { start, .. } | Period::Bucket { start } => (start, None),
                    Period::Monthly(_) => return Err(TestCaseError::fail("a month always has a cycle")),
                };
                prop_assert!(today < start || end.is_some_and(|end| today >= end));
                return Ok(());
            };
            prop_assert!(cycle.contains(today));
            prop_assert_eq!(cycle_at(&period, cycle.start), Some(cycle));
            if let Some(end) = cycle.end {
                prop_assert!(cycle.start < end);
                prop_assert_eq!(cycle_at(&period, end.pred_opt().unwrap()), Some(cycle));
            }
            if let Some(before) = cycle.previous(&period) {
                prop_assert_eq!(before.end, Some(cycle.start));
                prop_assert!(!before.contains(today));
                prop_assert_eq!(before.next(&period), Some(cycle));
            }
            match cycle.next(&period) {
                Some(after) => {
                    prop_assert_eq!(cycle.end, Some(after.start));
                    prop_assert_eq!(cycle_after(&period, today), Some(after));
                }
                None => prop_assert!(cycle.last),
            }
        }

        #[test]
        fn a_monthly_cycle_starts_in_each_month_once(day in 1_u8..=31, year in 1990_i32..2100) {
            use chrono::Datelike;
            let period = Period::Monthly(AnchorDay::Day(day));
            let mut cycle = cycle_at(&period, NaiveDate::from_ymd_opt(year, 1, 31).unwrap()).unwrap();
            for month in 1..=12 {
                prop_assert_eq!((cycle.start.year(), cycle.start.month()), (year, month));
                let month_end = cycle.start.with_day(1).unwrap() + chrono::Months::new(1) - Days::new(1);
                prop_assert_eq!(cycle.start.day(), u32::from(day).min(month_end.day()));
                cycle = cycle.next(&period).unwrap();
            }
        }
    }
}
