//! Dates and local times.

use std::fmt;

use super::{Fallible, Span, fail, fit, register_value};
use crate::registry::Registry;
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

const DAY_MS: i64 = 86_400_000;

/// A calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub(crate) NaiveDate);

/// A local date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime(pub(crate) NaiveDateTime);

impl Date {
    /// From `2026-11-22`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Self)
    }

    /// Its first minute.
    #[must_use]
    pub fn start(self) -> LocalTime {
        LocalTime(self.0.and_time(NaiveTime::MIN))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d"))
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d %H:%M"))
    }
}

/// The short English name of a weekday, as rules write it: `mon` to `sun`.
pub(crate) fn weekday_name(date: NaiveDate) -> &'static str {
    let index = usize::try_from(date.weekday().num_days_from_monday()).unwrap_or_default();
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].get(index).copied().unwrap_or_default()
}

/// Registers dates, times and their arithmetic.
pub(super) fn register(registry: &mut Registry<'_>) {
    register_value!(registry, Date, "A calendar day.");
    register_value!(registry, LocalTime, "A local date and time.");
    registry
        .function(
            "date(text: string) -> Date",
            "date(\"2026-11-22\")",
            "The day that is written so.",
            |text: &str| match Date::parse(text) {
                Some(date) => Ok(date),
                None => fail(format!(
                    "`{}` is not a date\nwrite it as date(\"2026-11-22\")",
                    crate::text::short(text)
                )),
            },
        )
        .property("year", "int", "The year.", |date: &mut Date| i64::from(date.0.year()))
        .property("month", "int", "The month, 1 to 12.", |date: &mut Date| i64::from(date.0.month()))
        .property("day", "int", "The day of the month.", |date: &mut Date| i64::from(date.0.day()))
        .property("weekday", "string", "`mon` to `sun`.", |date: &mut Date| weekday_name(date.0))
        .property("date", "Date", "The day of it.", |time: &mut LocalTime| Date(time.0.date()))
        .property("time", "string", "The time of day, such as `07:05`.", |time: &mut LocalTime| {
            time.0.format("%H:%M").to_string()
        })
        .property("year", "int", "The year.", |time: &mut LocalTime| i64::from(time.0.year()))
        .property("month", "int", "The month, 1 to 12.", |time: &mut LocalTime| i64::from(time.0.month()))
        .property("day", "int", "The day of the month.", |time: &mut LocalTime| i64::from(time.0.day()))
        .property("weekday", "string", "`mon` to `sun`.", |time: &mut LocalTime| weekday_name(time.0.date()))
        .property("hour", "int", "The hour, 0 to 23.", |time: &mut LocalTime| i64::from(time.0.hour()))
        .property("minute", "int", "The minute.", |time: &mut LocalTime| i64::from(time.0.minute()))
        .operator("-", "The time between: below 0 where the second is later.", |a: Date, b: Date| {
            between(a.start(), b.start())
        })
        .operator(
            "-",
            "The time between: below 0 where the second is later.",
            |a: LocalTime, b: LocalTime| between(a, b),
        )
        .operator("-", "The time between: below 0 where the second is later.", |a: Date, b: LocalTime| {
            between(a.start(), b)
        })
        .operator("-", "The time between: below 0 where the second is later.", |a: LocalTime, b: Date| {
            between(a, b.start())
        })
        .operator("+", "So much later.", |a: LocalTime, b: Span| moved(a, b))
        .operator("-", "So much earlier.", |a: LocalTime, b: Span| {
            fit(b.0.checked_neg()).and_then(|back| moved(a, Span(back)))
        })
        .operator("+", "So many whole days later.", |a: Date, b: Span| days_moved(a, b))
        .operator("-", "So many whole days earlier.", |a: Date, b: Span| {
            fit(b.0.checked_neg()).and_then(|back| days_moved(a, Span(back)))
        });
}

fn between(a: LocalTime, b: LocalTime) -> Fallible<Span> {
    Ok(Span(a.0.signed_duration_since(b.0).num_milliseconds()))
}

fn moved(time: LocalTime, span: Span) -> Fallible<LocalTime> {
    fit(TimeDelta::try_milliseconds(span.0).and_then(|delta| time.0.checked_add_signed(delta))).map(LocalTime)
}

fn days_moved(date: Date, span: Span) -> Fallible<Date> {
    if span.0 % DAY_MS != 0 {
        return fail("a date moves by whole days only\nuse 1.day, 2.days, 1.week");
    }
    fit(TimeDelta::try_milliseconds(span.0).and_then(|delta| date.0.checked_add_signed(delta))).map(Date)
}
