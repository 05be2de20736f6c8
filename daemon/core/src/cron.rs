//! Recurring times in the five fields of crontab(5), in a plan's own zone.
//!
//! The calendar is our own rather than a crate's: what is due at a change of the clocks is decided by the same
//! [`ZoneRules`] as everything else here, and a schedule stays a small value that can be copied, compared and kept.

mod text;

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};
use crate::zone::ZoneRules;

pub use text::CronError;

/// Minute, hour, day of the month, month and weekday, as sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cron {
    /// Bits 0 to 59.
    minutes: u64,
    /// Bits 0 to 23.
    hours: u32,
    /// Bits 1 to 31.
    days: u32,
    /// The last day of the month, whichever it is.
    last_day: bool,
    /// Bits 1 to 12.
    months: u16,
    /// Bits 1 (Monday) to 7 (Sunday).
    weekdays: u8,
}
const ALL_MINUTES: u64 = (1 << 60) - 1;
const ALL_HOURS: u32 = (1 << 24) - 1;
const ALL_DAYS: u32 = !1;
const ALL_MONTHS: u16 = 0b1_1111_1111_1110;
const ALL_WEEKDAYS: u8 = 0b1111_1110;

/// So many months hold every date there is but one in 29 February of a century's end: eight years.
const MOST_MONTHS: usize = 12 * 8 + 2;
/// So many changes of the clocks at most lie between two due times.
const MOST_CHANGES: usize = 64;
/// So many due minutes at most lie in a time that comes twice: a day.
const MOST_REPEATED: usize = 1_500;

impl Cron {
    /// The first due instant after `now`; none within the calendar.
    ///
    /// Where the hour is `*` it is due at each matching minute that the clock shows: in a repeated hour both times, in
    /// one that is left out never. A fixed hour is due once: the first time where it comes twice, and at the first
    /// instant after a gap where it does not come.
    #[must_use]
    pub fn next_due(&self, zone: &ZoneRules, now: Timestamp) -> Option<Timestamp> {
        if self.hours == ALL_HOURS { self.next_shown(zone, now) } else { self.around(zone, now).1 }
    }

    /// The newest due instant, not after `now`.
    #[must_use]
    pub fn newest_due(&self, zone: &ZoneRules, now: Timestamp) -> Option<Timestamp> {
        if self.hours == ALL_HOURS { self.newest_shown(zone, now) } else { self.around(zone, now).0 }
    }

    /// The newest due instant until `now` and the first after it, each local time counted once.
    fn around(&self, zone: &ZoneRules, now: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
        let civil = zone.civil(now);
        let mut newest = self.until(civil).map(|due| zone.instant(due));
        let mut from = civil;
        // In the second pass of a repeated time, what the clock will show again has been already.
        for _ in 0..MOST_REPEATED {
            let Some(due) = self.after(from) else { return (newest, None) };
            let at = zone.instant(due);
            if at > now {
                return (newest, Some(at));
            }
            newest = Some(at);
            from = due;
        }
        (newest, None)
    }

    fn next_shown(&self, zone: &ZoneRules, now: Timestamp) -> Option<Timestamp> {
        let far = now.saturating_add(Span::secs(9 * 366 * 86_400));
        let changes = zone.transitions_within(now, far);
        let mut offset = zone.offset_at(now);
        let mut due = self.after(zone.civil(now))?;
        for (from, next) in changes.iter().take(MOST_CHANGES) {
            let at = instant(due, offset);
            if at < Timestamp::from_secs(*from) {
                return Some(at);
            }
            offset = *next;
            due = self.not_before(civil(*from, offset)?)?;
        }
        Some(instant(due, offset))
    }

    fn newest_shown(&self, zone: &ZoneRules, now: Timestamp) -> Option<Timestamp> {
        let far = now.saturating_add(Span::secs(-9 * 366 * 86_400));
        let mut offset = zone.offset_at(now);
        let mut until = zone.civil(now);
        for (from, _) in zone.transitions_within(far, now).iter().rev().take(MOST_CHANGES) {
            let from = Timestamp::from_secs(*from);
            if let Some(at) = self.until(until).map(|due| instant(due, offset)).filter(|at| *at >= from) {
                return Some(at);
            }
            let before = Timestamp::from_millis(from.as_millis().saturating_sub(1));
            offset = zone.offset_at(before);
            until = zone.civil(before);
        }
        self.until(until).map(|due| instant(due, offset))
    }

    /// The first matching local minute after a local time.
    fn after(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let minute = local.with_second(0)?.with_nanosecond(0)?;
        self.not_before(minute.checked_add_signed(chrono::TimeDelta::minutes(1))?)
    }

    /// The first matching local minute, not before a local time.
    fn not_before(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let floor = local.with_second(0)?.with_nanosecond(0)?;
        let minute =
            if floor < local { floor.checked_add_signed(chrono::TimeDelta::minutes(1))? } else { floor };
        if self.on(minute.date())
            && let Some(time) = self.time_from(minute.hour(), minute.minute())
        {
            return Some(minute.date().and_time(time));
        }
        let first = self.time_from(0, 0)?;
        self.date_from(minute.date().succ_opt()?).map(|date| date.and_time(first))
    }

    /// The newest matching local minute, not after a local time.
    fn until(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        if self.on(local.date())
            && let Some(time) = self.time_until(local.hour(), local.minute())
        {
            return Some(local.date().and_time(time));
        }
        let last = self.time_until(23, 59)?;
        self.date_until(local.date().pred_opt()?).map(|date| date.and_time(last))
    }

    fn time_from(&self, hour: u32, minute: u32) -> Option<NaiveTime> {
        let within = |hour: u32, least: u32| {
            let minute = (least..60).find(|minute| self.minutes >> minute & 1 == 1)?;
            NaiveTime::from_hms_opt(hour, minute, 0)
        };
        (hour..24)
            .filter(|hour| self.hours >> hour & 1 == 1)
            .find_map(|one| within(one, if one == hour { minute } else { 0 }))
    }

    fn time_until(&self, hour: u32, minute: u32) -> Option<NaiveTime> {
        let within = |hour: u32, most: u32| {
            let minute = (0..=most).rev().find(|minute| self.minutes >> minute & 1 == 1)?;
            NaiveTime::from_hms_opt(hour, minute, 0)
        };
        (0..=hour)
            .rev()
            .filter(|hour| self.hours >> hour & 1 == 1)
            .find_map(|one| within(one, if one == hour { minute } else { 59 }))
    }

    fn in_month(&self, date: NaiveDate) -> bool {
        self.months >> date.month() & 1 == 1
    }

    /// Whether it is due on a date. Where both a day of the month and a weekday are given, either will do.
    fn on(&self, date: NaiveDate) -> bool {
        if !self.in_month(date) {
            return false;
        }
        let weekday = self.weekdays >> date.weekday().number_from_monday() & 1 == 1;
        let last = || date.checked_add_days(Days::new(1)).is_none_or(|next| next.day() == 1);
        let day = self.days >> date.day() & 1 == 1 || self.last_day && last();
        match (self.any_day(), self.weekdays == ALL_WEEKDAYS) {
            (true, _) => weekday,
            (false, true) => day,
            (false, false) => day || weekday,
        }
    }

    const fn any_day(&self) -> bool {
        self.days == ALL_DAYS
    }

    fn date_from(&self, date: NaiveDate) -> Option<NaiveDate> {
        let mut date = date;
        for _ in 0..MOST_MONTHS {
            let next = date.with_day(1)?.checked_add_months(Months::new(1))?;
            if self.in_month(date)
                && let Some(found) = date.iter_days().take_while(|day| *day < next).find(|day| self.on(*day))
            {
                return Some(found);
            }
            date = next;
        }
        None
    }

    fn date_until(&self, date: NaiveDate) -> Option<NaiveDate> {
        let mut date = date;
        for _ in 0..MOST_MONTHS {
            let first = date.with_day(1)?;
            if self.in_month(date) {
                let mut day = date;
                while day >= first {
                    if self.on(day) {
                        return Some(day);
                    }
                    day = day.pred_opt()?;
                }
            }
            date = first.pred_opt()?;
        }
        None
    }

    /// Whether any date matches at all: 30 and 31 February, and 31 of short months, do not exist.
    fn comes(&self) -> bool {
        if self.any_day() || self.last_day || self.weekdays != ALL_WEEKDAYS {
            return true;
        }
        (1..=12_u32).filter(|month| self.months >> month & 1 == 1).any(|month| {
            let longest = match month {
                2 => 29,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (1..=longest).any(|day| self.days >> day & 1 == 1)
        })
    }
}

fn civil(at_s: i64, offset_s: i32) -> Option<NaiveDateTime> {
    chrono::DateTime::from_timestamp(at_s.checked_add(i64::from(offset_s))?, 0).map(|at| at.naive_utc())
}

fn instant(civil: NaiveDateTime, offset_s: i32) -> Timestamp {
    Timestamp::from_secs(civil.and_utc().timestamp().saturating_sub(i64::from(offset_s)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::zone::tests::{apia, berlin, civil, lord_howe, sao_paulo, utc};

    fn cron(text: &str) -> Cron {
        text.parse().unwrap()
    }

    fn next(text: &str, zone: &ZoneRules, now: &str) -> Timestamp {
        cron(text).next_due(zone, utc(now)).unwrap()
    }

    #[test]
    fn the_five_fields_find_their_times() {
        let utc_zone = ZoneRules::utc();
        for (text, now, due) in [
            ("0 7 * * mon", "2026-11-22T12:00:00", "2026-11-23T07:00:00"),
            ("0 7 * * MON-fri", "2026-11-27T07:00:00", "2026-11-30T07:00:00"),
            ("*/15 * * * *", "2026-11-22T12:00:00", "2026-11-22T12:15:00"),
            ("5-50/20 9,17 * * *", "2026-11-22T09:25:00", "2026-11-22T09:45:00"),
            ("5-50/20 9,17 * * *", "2026-11-22T09:45:00", "2026-11-22T17:05:00"),
            ("0 0 1 jan *", "2026-11-22T12:00:00", "2027-01-01T00:00:00"),
            ("30 23 L * *", "2026-11-22T12:00:00", "2026-11-30T23:30:00"),
            ("0 0 29 2 *", "2026-11-22T12:00:00", "2028-02-29T00:00:00"),
            ("0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00"),
            ("0 12 13 * 5", "2026-11-22T12:00:00", "2026-11-27T12:00:00"),
            ("0 12 1,L * *", "2026-11-30T12:00:00", "2026-12-01T12:00:00"),
            ("0 0 * * 0", "2026-11-22T12:00:00", "2026-11-29T00:00:00"),
            ("0 0 * * 7", "2026-11-22T12:00:00", "2026-11-29T00:00:00"),
        ] {
            assert_eq!(next(text, &utc_zone, now), utc(due), "{text} after {now}");
            let newest = cron(text).newest_due(&utc_zone, utc(due));
            assert_eq!(newest, Some(utc(due)), "{text} at {due}");
        }
        assert_eq!(
            cron("0 7 * * mon").newest_due(&utc_zone, utc("2026-11-22T12:00:00")),
            Some(utc("2026-11-16T07:00:00"))
        );
    }

    #[test]
    fn a_fixed_hour_comes_once_when_the_clocks_change() {
        // 02:30 does not exist on 29 March, and comes twice on 25 October.
        let after_gap = utc("2026-03-29T01:00:00");
        assert_eq!(next("30 2 * * *", &berlin(), "2026-03-28T12:00:00"), after_gap);
        assert_eq!(next("*/10 2 * * *", &berlin(), "2026-03-29T00:59:59"), after_gap);
        assert_eq!(next("*/10 2 * * *", &berlin(), "2026-03-29T01:00:00"), utc("2026-03-30T00:00:00"));
        let first = utc("2026-10-25T00:30:00");
        assert_eq!(next("30 2 * * *", &berlin(), "2026-10-24T12:00:00"), first);
        assert_eq!(next("30 2 * * *", &berlin(), "2026-10-25T00:30:00"), utc("2026-10-26T01:30:00"));
        assert_eq!(cron("30 2 * * *").newest_due(&berlin(), utc("2026-10-25T01:10:00")), Some(first));
        assert_eq!(next("0 0 * * *", &sao_paulo(), "2018-11-04T02:59:59"), utc("2018-11-04T03:00:00"));
        assert_eq!(next("0 7 * * *", &apia(), "2011-12-30T09:00:00"), utc("2011-12-30T10:00:00"));
    }

    #[test]
    fn every_hour_follows_what_the_clock_shows() {
        let each = |zone: &ZoneRules, from: &str, count: usize| {
            let mut at = utc(from);
            let mut times = Vec::new();
            for _ in 0..count {
                at = cron("30 * * * *").next_due(zone, at).unwrap();
                times.push(zone.civil(at).format("%H:%M").to_string());
            }
            times
        };
        // Both 02:30 of October, and no 02:30 in March.
        assert_eq!(each(&berlin(), "2026-10-24T23:00:00", 4), ["01:30", "02:30", "02:30", "03:30"]);
        assert_eq!(each(&berlin(), "2026-03-28T23:45:00", 3), ["01:30", "03:30", "04:30"]);
        assert_eq!(
            cron("30 * * * *").newest_due(&berlin(), utc("2026-10-25T01:10:00")),
            Some(utc("2026-10-25T00:30:00"))
        );
        assert_eq!(
            cron("45 * * * *").newest_due(&lord_howe(), utc("2026-10-03T15:31:00")),
            Some(utc("2026-10-03T15:15:00"))
        );
    }

    #[test]
    fn what_is_no_cron_expression_is_refused_in_words() {
        for (text, words) in [
            ("", "has 0 fields, not five"),
            ("0 7 * *", "has 4 fields, not five"),
            ("0 0 7 * * mon", "has 6 fields, not five"),
            ("@daily", "is a name"),
            ("60 7 * * *", "the minute \"60\" is not 0 to 59"),
            ("0 24 * * *", "the hour \"24\" is not 0 to 23"),
            ("0 7 0 * *", "the day of the month \"0\" is not 1 to 31"),
            ("0 7 32 * *", "the day of the month"),
            ("0 7 * 13 *", "the month \"13\" is not"),
            ("0 7 * * 8", "the weekday \"8\" is not"),
            ("0 7 * * monday", "the weekday \"monday\" is not"),
            ("0 7 * * fri-mon", "runs backwards"),
            ("5/15 * * * *", "a step without a range"),
            ("*/0 * * * *", "the minute \"*/0\" has a step that is not 1 to 59"),
            ("*/90 * * * *", "has a step that is not 1 to 59"),
            ("0 */24 * * *", "the hour \"*/24\" has a step that is not 1 to 23"),
            ("-1 * * * *", "the minute"),
            ("1,,2 * * * *", "the minute \"\" is not"),
            ("0 0 31 2,4 *", "never comes"),
            ("0 0 30 feb *", "never comes"),
            ("999999999999999999999 * * * *", "the minute"),
        ] {
            let error = text.parse::<Cron>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert_eq!("1,".repeat(200).parse::<Cron>(), Err(CronError::Long));
    }

    #[test]
    fn it_is_shown_in_one_way() {
        for (text, shown) in [
            ("00 07 * * mon,tue,wed,thu,fri", "0 7 * * 1-5"),
            ("*/30 0-23 1-31 jan-dec 0-6", "0,30 * * * *"),
            ("0 0 l,15 * sun", "0 0 15,L * 7"),
            ("1,2,3,5 4 * * *", "1-3,5 4 * * *"),
            ("0 7 * * mon-sun", "0 7 * * *"),
            ("0 7 * * fri-sun", "0 7 * * 5-7"),
            ("0 7 * * sun-tue", "0 7 * * 1,2,7"),
            ("0 7 * * 4-0", "0 7 * * 4-7"),
            ("0 7 * * sun", "0 7 * * 7"),
            ("*/59 */23 * * *", "0,59 0,23 * * *"),
        ] {
            assert_eq!(cron(text).to_string(), shown);
            assert_eq!(cron(shown), cron(text));
        }
        let json = serde_json::to_string(&cron("0 7 * * mon")).unwrap();
        assert_eq!(json, "\"0 7 * * 1\"");
        assert_eq!(serde_json::from_str::<Cron>(&json).unwrap(), cron("0 7 * * mon"));
    }

    fn crons() -> impl Strategy<Value = Cron> {
        let field = |texts: &'static [&'static str]| proptest::sample::select(texts);
        (
            field(&["0", "30", "*/7", "59", "*"]),
            field(&["*", "2", "0", "0-3", "23", "1,13"]),
            field(&["*", "1", "29-31", "L", "4,25"]),
            field(&["*", "2-4", "10", "11,12"]),
            field(&["*", "sun", "mon-fri"]),
        )
            .prop_map(|(a, b, c, d, e)| cron(&format!("{a} {b} {c} {d} {e}")))
    }

    proptest! {
        /// By brute force, minute for minute, over the change of the clocks.
        #[test]
        fn next_is_the_first_minute_that_matches(
            cron in crons(),
            zone in prop_oneof![Just(berlin()), Just(sao_paulo()), Just(lord_howe()), Just(ZoneRules::utc())],
            near in 0_usize..4,
            shift in -200_000_i64..200_000,
        ) {
            let anchor = zone.transitions.get(near % zone.transitions.len().max(1)).map_or(1_790_000_000, |(from, _)| *from);
            let now = Timestamp::from_secs(anchor + shift);
            let minute = Timestamp::from_secs(now.as_secs().div_euclid(60) * 60);
            let matches = |at: Timestamp| {
                let local = zone.civil(at);
                cron.until(local).is_some_and(|due| due == local)
            };
            let due_at = |at: Timestamp| {
                let local = zone.civil(at);
                if cron.hours == ALL_HOURS {
                    return matches(at);
                }
                // The first instant that shows a time, or the end of a gap in which one lies.
                let skipped = zone.transitions_within(Timestamp::from_millis(at.as_millis() - 1), at).first().is_some_and(|_| {
                    let before = zone.civil(Timestamp::from_millis(at.as_millis() - 1));
                    local > before && cron.not_before(before).is_some_and(|due| due < local)
                });
                skipped || matches(at) && zone.instant(local) == at
            };
            let steps = 2 * 24 * 60;
            let found = (1..steps).map(|n| minute.saturating_add(Span::secs(60 * n))).find(|at| due_at(*at));
            let next = cron.next_due(&zone, now);
            match found {
                Some(at) => prop_assert_eq!(next, Some(at)),
                None => prop_assert!(next.is_none_or(|at| at >= minute.saturating_add(Span::secs(60 * steps)))),
            }
            let back = (0..steps).map(|n| minute.saturating_add(Span::secs(-60 * n))).find(|at| due_at(*at));
            let newest = cron.newest_due(&zone, now);
            match back {
                Some(at) => prop_assert_eq!(newest, Some(at)),
                None => prop_assert!(newest.is_none_or(|at| at <= minute.saturating_add(Span::secs(-60 * steps)))),
            }
        }
    }

    #[test]
    fn the_end_of_the_calendar_is_no_end_of_the_program() {
        let far = Timestamp::from_millis(i64::MAX);
        let _ = cron("0 0 29 2 *").next_due(&berlin(), far);
        let _ = cron("0 0 29 2 *").newest_due(&berlin(), Timestamp::from_millis(i64::MIN));
        let _ = civil("2026-01-01T00:00:00");
    }
}
