//! `at`, `daily`, `weekly`, `monthly`, `cron` and `every`.

use rhai::ImmutableString;
use simbell_core::plan::AnchorDay;
use simbell_core::schedule::{Schedule as CoreSchedule, TimeOfDay};

use crate::registry::Registry;
use crate::value::{Fallible, Span, fail};

/// A recurring time, as a rule's `schedule()` gives it and `repeat:` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule(pub(crate) CoreSchedule);

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Registers the functions.
pub(super) fn register(registry: &mut Registry<'_>) {
    registry
        .kind::<Schedule>("Schedule", "A recurring time: what `schedule()` gives and `repeat` takes.")
        .function("at(time: string) -> Schedule", "at(\"07:00\")", "Each day at that local time.", daily)
        .function("daily(time: string) -> Schedule", "daily(\"07:00\")", "The same as `at`.", daily)
        .function(
            "cron(fields: string) -> Schedule",
            "cron(\"0 7 * * mon\")",
            "As a crontab says: minute, hour, day of the month, month, weekday.",
            |text: &str| match text.parse() {
                Ok(cron) => Ok(Schedule(CoreSchedule::Cron(cron))),
                Err(error) => fail(format!("cron: {error}")),
            },
        )
        .function(
            "weekly(day: string, time: string) -> Schedule",
            "weekly(\"mon\", \"07:00\")",
            "Each week on that day.",
            |day: &str, time: &str| {
                let day = weekday(day)?;
                time_of_day(time).map(|time| Schedule(CoreSchedule::Weekly(day, time)))
            },
        )
        .function(
            "monthly(day: int, time: string) -> Schedule",
            "monthly(1, \"07:00\")",
            "Each month on that day, or the last where the month is shorter.",
            |day: i64, time: &str| {
                let anchor = match u8::try_from(day) {
                    Ok(day @ 1..=31) => AnchorDay::Day(day),
                    _ => {
                        return fail(format!("there is no day {day} in a month\nwrite 1 to 31, or \"last\""));
                    }
                };
                Ok(Schedule(CoreSchedule::Monthly(anchor, time_of_day(time)?)))
            },
        )
        .function(
            "monthly(day: string, time: string) -> Schedule",
            "monthly(\"last\", \"07:00\")",
            "Each month on its last day.",
            |day: ImmutableString, time: &str| {
                if day != "last" {
                    return fail(format!(
                        "`{}` is not a day of a month\nwrite 1 to 31, or \"last\"",
                        crate::text::short(&day)
                    ));
                }
                Ok(Schedule(CoreSchedule::Monthly(AnchorDay::Last, time_of_day(time)?)))
            },
        )
        .function(
            "every(span: Span) -> Schedule",
            "every(10.minutes)",
            "Again and again after that span.",
            |span: Span| match u32::try_from(span.0.div_euclid(1_000)) {
                Ok(secs) if secs >= 1 && span.0 % 1_000 == 0 => Ok(Schedule(CoreSchedule::Every(secs))),
                _ => fail(format!(
                    "every({span}) is not possible: whole seconds, 1 at least, as in every(10.minutes)"
                )),
            },
        );
}

fn daily(time: &str) -> Fallible<Schedule> {
    time_of_day(time).map(|time| Schedule(CoreSchedule::Daily(time)))
}

fn time_of_day(text: &str) -> Fallible<TimeOfDay> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let well_formed =
            (1..=2).contains(&hour.len()) && minute.len() == 2 && digits(hour) && digits(minute);
        let time = TimeOfDay { hour: hour.parse().ok()?, minute: minute.parse().ok()? };
        (well_formed && time.hour < 24 && time.minute < 60).then_some(time)
    });
    match parsed {
        Some(time) => Ok(time),
        None => fail(format!(
            "`{}` is not a time of day\nwrite it as \"07:00\", from \"00:00\" to \"23:59\"",
            crate::text::short(text)
        )),
    }
}

fn weekday(text: &str) -> Fallible<u8> {
    let wanted = text.to_ascii_lowercase();
    let found = WEEKDAYS
        .iter()
        .zip(1_u8..)
        .find(|(name, _)| wanted == **name || name.get(..3) == Some(wanted.as_str()));
    match found {
        Some((_, day)) => Ok(day),
        None => fail(format!(
            "`{}` is not a weekday\nweekdays are mon, tue, wed, thu, fri, sat or sun",
            crate::text::short(text)
        )),
    }
}
