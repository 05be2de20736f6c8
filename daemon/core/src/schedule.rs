//! When a rule or a repeated reminder is due: daily, weekly, monthly at a local time, or as a crontab says.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Serialize};

use crate::cron::Cron;
use crate::plan::AnchorDay;
use crate::time::{Span, Timestamp};
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
    /// Every so many seconds (1 at least), at whole multiples since the epoch: for demonstrations and probes.
    Every(u32),
    /// Each day.
    Daily(TimeOfDay),
    /// Each week: weekday 1 (Monday) to 7 (Sunday).
    Weekly(u8, TimeOfDay),
    /// Each month, clamped to its end.
    Monthly(AnchorDay, TimeOfDay),
    /// By the five fields of a crontab.
    Cron(Cron),
}

/// Local hours in which only critical reminders are said. May pass midnight; empty where both ends are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// From, included.
    pub from: TimeOfDay,
    /// Until, excluded.
    pub until: TimeOfDay,
}

/// Why a text is not a time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a time of day; write hours and minutes of a 24-hour clock, such as 07:00 or 22:30")]
pub struct TimeOfDayError;

/// How many local dates around an instant are tried; more than one is needed only where a zone skips a day.
const TRIES: usize = 4;

impl Schedule {
    /// The newest due instant after `after` (excluded) until `now` (included).
    ///
    /// However many were missed, one is found, so a missed tick still rings once. A local time that does not
    /// exist is due at the first instant after the gap; one that comes twice is due the first time.
    #[must_use]
    pub fn last_due(&self, zone: &ZoneRules, after: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let due = match self {
            Self::Every(seconds) => {
                let step = every_ms(*seconds);
                Some(Timestamp::from_millis(now.as_millis().div_euclid(step).saturating_mul(step)))
            }
            Self::Cron(cron) => cron.newest_due(zone, now),
            _ => self.newest(zone, now),
        };
        due.filter(|due| *due > after && *due <= now)
    }

    /// The first due instant after `now`; the end of the calendar where there is none.
    #[must_use]
    pub fn next_due(&self, zone: &ZoneRules, now: Timestamp) -> Timestamp {
        if let Self::Every(seconds) = self {
            let step = every_ms(*seconds);
            let ticks = now.as_millis().div_euclid(step).saturating_add(1);
            return Timestamp::from_millis(ticks.saturating_mul(step));
        }
        let never = Timestamp::from(DateTime::<chrono::Utc>::MAX_UTC);
        if let Self::Cron(cron) = self {
            return cron.next_due(zone, now).unwrap_or(never);
        }
        let mut date = zone.date(now).pred_opt();
        for _ in 0..TRIES {
            let Some(due) = date.and_then(|date| self.date_from(date)) else { break };
            let at = zone.instant(due.and_time(self.time()));
            if at > now {
                return at;
            }
            date = due.succ_opt();
        }
        never
    }

    fn newest(&self, zone: &ZoneRules, now: Timestamp) -> Option<Timestamp> {
        let today = zone.date(now);
        let mut date = today.succ_opt().or(Some(today));
        for _ in 0..TRIES {
            let due = self.date_until(date?)?;
            let at = zone.instant(due.and_time(self.time()));
            if at <= now {
                return Some(at);
            }
            date = due.pred_opt();
        }
        None
    }

    fn time(&self) -> NaiveTime {
        match self {
            Self::Every(_) | Self::Cron(_) => NaiveTime::MIN,
            Self::Daily(time) | Self::Weekly(_, time) | Self::Monthly(_, time) => time.to_time(),
        }
    }

    /// The newest date it is due on, not after `date`.
    fn date_until(&self, date: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Every(_) | Self::Daily(_) | Self::Cron(_) => Some(date),
            Self::Weekly(weekday, _) => {
                let back = (date.weekday().number_from_monday() + 7 - weekday_number(*weekday)) % 7;
                date.checked_sub_days(Days::new(u64::from(back)))
            }
            Self::Monthly(anchor, _) => {
                let this = anchor.in_month_of(date);
                if this <= date { Some(this) } else { anchor.in_month_before(date) }
            }
        }
    }

    /// The first date it is due on, not before `date`.
    fn date_from(&self, date: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Every(_) | Self::Daily(_) | Self::Cron(_) => Some(date),
            Self::Weekly(weekday, _) => {
                let ahead = (weekday_number(*weekday) + 7 - date.weekday().number_from_monday()) % 7;
                date.checked_add_days(Days::new(u64::from(ahead)))
            }
            Self::Monthly(anchor, _) => {
                let this = anchor.in_month_of(date);
                if this >= date { Some(this) } else { anchor.in_month_after(date) }
            }
        }
    }
}

impl TimeOfDay {
    /// Checks an hour, 0 to 23, and a minute, 0 to 59.
    ///
    /// # Errors
    /// When one of them is out of range.
    pub const fn new(hour: u8, minute: u8) -> Result<Self, TimeOfDayError> {
        if hour > 23 || minute > 59 {
            return Err(TimeOfDayError);
        }
        Ok(Self { hour, minute })
    }

    /// As chrono's type; the last minute of the day or hour where a part is out of range.
    #[must_use]
    pub fn to_time(self) -> NaiveTime {
        let (hour, minute) = (u32::from(self.hour.min(23)), u32::from(self.minute.min(59)));
        NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or(NaiveTime::MIN)
    }
}

impl fmt::Display for Schedule {
    /// In one way only: the ledger knows a schedule by it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(seconds) => write!(f, "every {seconds} s"),
            Self::Daily(at) => write!(f, "daily {at}"),
            Self::Weekly(day, at) => write!(f, "weekly {day} {at}"),
            Self::Monthly(anchor, at) => write!(f, "monthly {anchor} {at}"),
            Self::Cron(cron) => write!(f, "cron {cron}"),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    /// Reads `07:00`: two digits each.
    fn from_str(text: &str) -> Result<Self, TimeOfDayError> {
        let (hour, minute) = text.split_once(':').ok_or(TimeOfDayError)?;
        let number = |text: &str| match text.as_bytes() {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok((tens - b'0') * 10 + (ones - b'0')),
            _ => Err(TimeOfDayError),
        };
        Self::new(number(hour)?, number(minute)?)
    }
}

impl QuietHours {
    /// Whether a local time lies in them.
    #[must_use]
    pub fn contains(&self, local: NaiveDateTime) -> bool {
        let (from, until, time) = (self.from.to_time(), self.until.to_time(), local.time());
        if from <= until { from <= time && time < until } else { time >= from || time < until }
    }

    /// When the quiet hours that `now` lies in end: the first instant after it whose local time is not quiet.
    /// None when `now` is not quiet.
    #[must_use]
    pub fn ends_at(&self, zone: &ZoneRules, now: Timestamp) -> Option<Timestamp> {
        if !self.contains(zone.civil(now)) {
            return None;
        }
        let horizon = now.saturating_add(Span::secs(2 * 86_400));
        let transitions = zone.transitions_within(now, horizon);
        let offsets =
            std::iter::once(zone.offset_at(now)).chain(transitions.iter().map(|(_, offset)| *offset));
        let today = zone.date(now);
        // A zone that skips a whole day (Apia, 2011) makes the day after tomorrow the next one.
        let tomorrow = today.succ_opt();
        let dates = [today.pred_opt(), Some(today), tomorrow, tomorrow.and_then(|date| date.succ_opt())];
        // Quiet ends at the wanted local time under whichever offset then holds, or because the clocks
        // were put forward past it.
        let at_the_time = offsets.flat_map(|offset| {
            dates.iter().flatten().filter_map(move |date| {
                let naive = date.and_time(self.until.to_time()).and_utc().timestamp();
                let at = Timestamp::from_secs(naive.saturating_sub(i64::from(offset)));
                (zone.offset_at(at) == offset).then_some(at)
            })
        });
        let by_a_change = transitions.iter().map(|(from, _)| Timestamp::from_secs(*from));
        at_the_time.chain(by_a_change).filter(|at| *at > now && !self.contains(zone.civil(*at))).min()
    }
}

fn every_ms(seconds: u32) -> i64 {
    i64::from(seconds.max(1)) * 1000
}

fn weekday_number(weekday: u8) -> u32 {
    u32::from(weekday.clamp(1, 7))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::zone::tests::{apia, berlin, civil, lord_howe, sao_paulo, utc};

    fn at(text: &str) -> TimeOfDay {
        text.parse().unwrap()
    }

    fn long_ago() -> Timestamp {
        utc("1990-01-01T00:00:00")
    }

    #[test]
    fn daily_is_due_at_the_local_time() {
        let schedule = Schedule::Daily(at("07:00"));
        let now = utc("2026-11-22T06:00:00");
        assert_eq!(schedule.last_due(&berlin(), long_ago(), now), Some(now));
        assert_eq!(schedule.next_due(&berlin(), now), utc("2026-11-23T06:00:00"));
        let just_before = Timestamp::from_millis(now.as_millis() - 1);
        assert_eq!(schedule.last_due(&berlin(), long_ago(), just_before), Some(utc("2026-11-21T06:00:00")));
        assert_eq!(schedule.next_due(&berlin(), just_before), now);
    }

    #[test]
    fn a_missed_tick_rings_once_and_a_served_one_not_again() {
        let schedule = Schedule::Daily(at("07:00"));
        let now = utc("2026-11-22T12:00:00");
        let due = schedule.last_due(&berlin(), utc("2026-11-10T12:00:00"), now).unwrap();
        assert_eq!(due, utc("2026-11-22T06:00:00"));
        assert_eq!(schedule.last_due(&berlin(), due, now), None);
        assert_eq!(schedule.last_due(&berlin(), now, now), None);
        assert_eq!(schedule.last_due(&berlin(), utc("2026-11-23T00:00:00"), now), None);
    }

    #[test]
    fn weekly_and_monthly_find_their_days() {
        // 2026-11-22 is a Sunday.
        let weekly = Schedule::Weekly(1, at("07:00"));
        let now = utc("2026-11-22T12:00:00");
        assert_eq!(weekly.last_due(&berlin(), long_ago(), now), Some(utc("2026-11-16T06:00:00")));
        assert_eq!(weekly.next_due(&berlin(), now), utc("2026-11-23T06:00:00"));
        assert_eq!(Schedule::Weekly(7, at("13:00")).next_due(&berlin(), now), utc("2026-11-29T12:00:00"));
        let monthly = Schedule::Monthly(AnchorDay::Day(31), at("00:00"));
        assert_eq!(monthly.last_due(&berlin(), long_ago(), now), Some(utc("2026-10-30T23:00:00")));
        assert_eq!(monthly.next_due(&berlin(), now), utc("2026-11-29T23:00:00"));
        let last = Schedule::Monthly(AnchorDay::Last, at("23:59"));
        assert_eq!(last.next_due(&ZoneRules::utc(), utc("2028-02-01T00:00:00")), utc("2028-02-29T23:59:00"));
    }

    #[test]
    fn a_time_that_does_not_exist_rings_after_the_gap() {
        let schedule = Schedule::Daily(at("02:30"));
        let after_gap = utc("2026-03-29T01:00:00");
        assert_eq!(schedule.next_due(&berlin(), utc("2026-03-28T12:00:00")), after_gap);
        assert_eq!(
            schedule.last_due(&berlin(), utc("2026-03-28T12:00:00"), utc("2026-03-29T12:00:00")),
            Some(after_gap)
        );
        assert_eq!(schedule.next_due(&berlin(), after_gap), utc("2026-03-30T00:30:00"));
        let midnight = Schedule::Daily(at("00:00"));
        assert_eq!(midnight.next_due(&sao_paulo(), utc("2018-11-04T02:59:59")), utc("2018-11-04T03:00:00"));
        let half = Schedule::Daily(at("02:15"));
        assert_eq!(half.next_due(&lord_howe(), utc("2026-10-03T12:00:00")), utc("2026-10-03T15:30:00"));
    }

    #[test]
    fn a_time_that_comes_twice_rings_once() {
        let schedule = Schedule::Daily(at("02:30"));
        let first = utc("2026-10-25T00:30:00");
        let second = utc("2026-10-25T01:30:00");
        assert_eq!(schedule.next_due(&berlin(), utc("2026-10-24T12:00:00")), first);
        assert_eq!(schedule.last_due(&berlin(), first, second), None);
        assert_eq!(schedule.next_due(&berlin(), first), utc("2026-10-26T01:30:00"));
    }

    #[test]
    fn a_day_left_out_rings_when_the_next_begins() {
        let schedule = Schedule::Daily(at("07:00"));
        let begins = utc("2011-12-30T10:00:00");
        assert_eq!(schedule.next_due(&apia(), utc("2011-12-30T09:00:00")), begins);
        assert_eq!(schedule.next_due(&apia(), begins), utc("2011-12-30T17:00:00"));
    }

    #[test]
    fn every_so_many_seconds_is_aligned() {
        let now = utc("2026-11-22T12:00:07");
        let schedule = Schedule::Every(5);
        assert_eq!(schedule.last_due(&berlin(), long_ago(), now), Some(utc("2026-11-22T12:00:05")));
        assert_eq!(schedule.next_due(&berlin(), now), utc("2026-11-22T12:00:10"));
        assert_eq!(Schedule::Every(0).next_due(&berlin(), now), utc("2026-11-22T12:00:08"));
    }

    #[test]
    fn times_of_day_are_read_strictly() {
        assert_eq!(at("07:05").to_string(), "07:05");
        for bad in ["7:00", "24:00", "12:60", "07:00:00", "0700", "", "+7:00", "07:0", "ab:cd", "07:00 "] {
            assert_eq!(bad.parse::<TimeOfDay>(), Err(TimeOfDayError), "{bad}");
        }
    }

    #[test]
    fn quiet_hours_pass_midnight_and_end() {
        let quiet = QuietHours { from: at("22:00"), until: at("07:00") };
        assert!(quiet.contains(civil("2026-11-22T22:00:00")) && quiet.contains(civil("2026-11-22T06:59:59")));
        assert!(
            !quiet.contains(civil("2026-11-22T07:00:00")) && !quiet.contains(civil("2026-11-22T21:59:59"))
        );
        assert_eq!(quiet.ends_at(&berlin(), utc("2026-11-22T21:30:00")), Some(utc("2026-11-23T06:00:00")));
        assert_eq!(quiet.ends_at(&berlin(), utc("2026-11-23T03:00:00")), Some(utc("2026-11-23T06:00:00")));
        assert_eq!(quiet.ends_at(&berlin(), utc("2026-11-23T06:00:00")), None);
        let never = QuietHours { from: at("07:00"), until: at("07:00") };
        assert!(!never.contains(civil("2026-11-22T07:00:00")));
    }

    #[test]
    fn quiet_hours_end_right_when_the_clocks_change() {
        // At the second 02:10 the quiet time ends at the second 02:45, not a day later.
        let quiet = QuietHours { from: at("01:00"), until: at("02:45") };
        assert_eq!(quiet.ends_at(&berlin(), utc("2026-10-25T01:10:00")), Some(utc("2026-10-25T01:45:00")));
        assert_eq!(quiet.ends_at(&berlin(), utc("2026-10-25T00:10:00")), Some(utc("2026-10-25T00:45:00")));
        // 02:45 does not exist: quiet ends when the clocks are put forward.
        assert_eq!(quiet.ends_at(&berlin(), utc("2026-03-29T00:30:00")), Some(utc("2026-03-29T01:00:00")));
    }

    fn schedules() -> impl Strategy<Value = Schedule> {
        let time = (0_u8..24, 0_u8..60).prop_map(|(hour, minute)| TimeOfDay { hour, minute });
        prop_oneof![
            (1_u32..100_000).prop_map(Schedule::Every),
            time.clone().prop_map(Schedule::Daily),
            (0_u8..9, time.clone()).prop_map(|(day, time)| Schedule::Weekly(day, time)),
            (1_u8..=31, time.clone()).prop_map(|(day, time)| Schedule::Monthly(AnchorDay::Day(day), time)),
            time.prop_map(|time| Schedule::Monthly(AnchorDay::Last, time)),
        ]
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

    fn near_a_change() -> impl Strategy<Value = (ZoneRules, Timestamp)> {
        (zones(), 0_usize..4, -4_000_000_000_i64..4_000_000_000).prop_map(|(zone, index, shift)| {
            let around =
                zone.transitions.get(index % zone.transitions.len().max(1)).map_or(0, |(from, _)| *from);
            let now = Timestamp::from_millis(around * 1000 + shift);
            (zone, now)
        })
    }

    proptest! {
        #[test]
        fn what_is_next_becomes_the_last((zone, now) in near_a_change(), schedule in schedules()) {
            let next = schedule.next_due(&zone, now);
            prop_assert!(next > now);
            prop_assert_eq!(schedule.last_due(&zone, now, next), Some(next));
            prop_assert_eq!(schedule.last_due(&zone, now, Timestamp::from_millis(next.as_millis() - 1)), None);
        }

        #[test]
        fn quiet_ends_where_it_is_not_quiet(
            (zone, now) in near_a_change(), from in (0_u8..24, 0_u8..60), until in (0_u8..24, 0_u8..60),
        ) {
            let quiet = QuietHours {
                from: TimeOfDay { hour: from.0, minute: from.1 },
                until: TimeOfDay { hour: until.0, minute: until.1 },
            };
            match quiet.ends_at(&zone, now) {
                None => prop_assert!(!quiet.contains(zone.civil(now))),
                Some(end) => {
                    prop_assert!(end > now && !quiet.contains(zone.civil(end)));
                    let mut before = now;
                    while before < end {
                        prop_assert!(quiet.contains(zone.civil(before)), "not quiet at {before:?}");
                        before = before.saturating_add(Span::secs(600));
                    }
                    prop_assert!(quiet.contains(zone.civil(Timestamp::from_millis(end.as_millis() - 1))));
                }
            }
        }
    }
}
