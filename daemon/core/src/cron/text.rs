//! A cron expression as it is written: the five fields read, and shown in one way only.

use std::fmt;
use std::str::FromStr;

use super::{ALL_DAYS, ALL_HOURS, ALL_MINUTES, ALL_MONTHS, ALL_WEEKDAYS, Cron};

/// Why a text is not a cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five fields.
    #[error(
        "has {0} fields, not five: minute, hour, day of the month, month, weekday, as in \"0 7 * * mon\""
    )]
    Fields(usize),
    /// A name such as `@daily`.
    #[error("is a name; write five fields, as in \"0 7 * * mon\", or daily(\"07:00\")")]
    Name,
    /// Something in a field that is no number or name of it.
    #[error("the {field} {text:?} is not {expected}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What stands there.
        text: String,
        /// What may.
        expected: &'static str,
    },
    /// A range that runs backwards.
    #[error("the {field} {text:?} runs backwards; write two ranges with a comma")]
    Backwards {
        /// Which field.
        field: &'static str,
        /// The range.
        text: String,
    },
    /// A step that goes nowhere, or beyond the field.
    #[error("the {field} {text:?} has a step that is not 1 to {most}")]
    Stride {
        /// Which field.
        field: &'static str,
        /// What stands there.
        text: String,
        /// The longest.
        most: u8,
    },
    /// A step without a range.
    #[error("the {field} {text:?} has a step without a range; write */5 or 10-50/5")]
    Step {
        /// Which field.
        field: &'static str,
        /// What stands there.
        text: String,
    },
    /// Longer than anybody writes.
    #[error("is longer than {MOST_BYTES} characters")]
    Long,
    /// 31 February and the like.
    #[error("never comes: none of these months has such a day")]
    Never,
}

/// One field's name, range, names of its values and what may stand in it.
struct Field {
    name: &'static str,
    from: u8,
    to: u8,
    names: &'static [&'static str],
    expected: &'static str,
}

const MINUTE: Field = Field { name: "minute", from: 0, to: 59, names: &[], expected: "0 to 59" };
const HOUR: Field = Field { name: "hour", from: 0, to: 23, names: &[], expected: "0 to 23" };
const DAY: Field =
    Field { name: "day of the month", from: 1, to: 31, names: &[], expected: "1 to 31, or L for the last" };
const MONTH: Field = Field {
    name: "month",
    from: 1,
    to: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    expected: "1 to 12 or jan to dec",
};
/// From Sunday to Sunday: both 0 and 7 are one.
const WEEKDAY: Field = Field {
    name: "weekday",
    from: 0,
    to: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    expected: "0 to 7 (0 and 7 are Sunday) or sun to sat",
};
/// Longest expression.
const MOST_BYTES: usize = 200;

impl Field {
    /// The values that a field's text names, as bits.
    fn read(&self, text: &str) -> Result<u64, CronError> {
        text.split(',').try_fold(0, |set, part| Ok(set | self.part(part)?))
    }

    fn part(&self, text: &str) -> Result<u64, CronError> {
        let (range, step) = match text.split_once('/') {
            None => (text, 1),
            Some((range, step)) => {
                let most = self.to - self.from;
                let step = small(step).filter(|step| (1..=most).contains(step));
                let stride = || CronError::Stride { field: self.name, text: shown(text), most };
                (range, step.ok_or_else(stride)?)
            }
        };
        let (from, to) = if range == "*" {
            // All weekdays are seven, not eight.
            (self.from, if self.names.len() == 7 { 6 } else { self.to })
        } else if let Some((from, to)) = range.split_once('-') {
            let (from, to) = (self.value(from, text)?, self.value(to, text)?);
            // A week that begins on Monday ends on Sunday, which is 7 as well.
            (from, if self.names.len() == 7 && to == 0 && from > 0 { 7 } else { to })
        } else {
            let value = self.value(range, text)?;
            if text.contains('/') {
                return Err(CronError::Step { field: self.name, text: shown(text) });
            }
            (value, value)
        };
        if from > to {
            return Err(CronError::Backwards { field: self.name, text: shown(text) });
        }
        Ok((from..=to).step_by(usize::from(step)).fold(0, |set, value| set | 1 << value))
    }

    fn value(&self, text: &str, whole: &str) -> Result<u8, CronError> {
        let lower = text.to_ascii_lowercase();
        let named = (self.from..).zip(self.names).find(|(_, name)| **name == lower).map(|(value, _)| value);
        named
            .or_else(|| small(text))
            .filter(|value| (self.from..=self.to).contains(value))
            .ok_or_else(|| self.wrong(whole))
    }

    fn wrong(&self, text: &str) -> CronError {
        CronError::Field { field: self.name, text: shown(text), expected: self.expected }
    }
}

/// A number of one or two digits.
fn small(text: &str) -> Option<u8> {
    ((1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn shown(text: &str) -> String {
    text.chars().take(20).collect()
}

/// The bits as a type that has room for them.
fn narrow<T: TryFrom<u64> + Default>(set: u64) -> T {
    T::try_from(set).unwrap_or_default()
}

impl FromStr for Cron {
    type Err = CronError;

    /// Reads five fields: numbers, names of months and weekdays, `*`, lists, ranges and steps; `L` for the last day.
    fn from_str(text: &str) -> Result<Self, CronError> {
        if text.len() > MOST_BYTES {
            return Err(CronError::Long);
        }
        if text.trim_start().starts_with('@') {
            return Err(CronError::Name);
        }
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(CronError::Fields(fields.len()));
        };
        let mut last_day = false;
        let mut days = 0;
        for part in day.split(',') {
            if part.eq_ignore_ascii_case("l") {
                last_day = true;
            } else {
                days |= DAY.read(part)?;
            }
        }
        let weekdays = WEEKDAY.read(weekday)?;
        // Sunday is 0 in a crontab and 7 here.
        let weekdays = (weekdays | (weekdays & 1) << 7) & !1;
        let cron = Self {
            minutes: MINUTE.read(minute)?,
            hours: narrow(HOUR.read(hour)?),
            days: narrow(days),
            last_day,
            months: narrow(MONTH.read(month)?),
            weekdays: narrow(weekdays),
        };
        if cron.comes() { Ok(cron) } else { Err(CronError::Never) }
    }
}

impl fmt::Display for Cron {
    /// In one way only, whatever way it was written: `0 7 * * 1-5`, Sunday as 7.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = listed(u64::from(self.days), u64::from(ALL_DAYS));
        let days = match (self.last_day, self.days) {
            (false, _) => days,
            (true, 0) => "L".to_owned(),
            (true, _) => format!("{days},L"),
        };
        write!(
            f,
            "{} {} {days} {} {}",
            listed(self.minutes, ALL_MINUTES),
            listed(u64::from(self.hours), u64::from(ALL_HOURS)),
            listed(u64::from(self.months), u64::from(ALL_MONTHS)),
            listed(u64::from(self.weekdays), u64::from(ALL_WEEKDAYS)),
        )
    }
}

/// A set as ranges: `1-5,7`.
fn listed(set: u64, all: u64) -> String {
    if set == all {
        return "*".to_owned();
    }
    let has = |value: u32| value < 64 && set >> value & 1 == 1;
    let mut parts = Vec::new();
    let mut value = 0;
    while value < 64 {
        if !has(value) {
            value += 1;
            continue;
        }
        let from = value;
        while has(value + 1) {
            value += 1;
        }
        parts.push(match value - from {
            0 => from.to_string(),
            1 => format!("{from},{value}"),
            _ => format!("{from}-{value}"),
        });
        value += 1;
    }
    parts.join(",")
}

impl TryFrom<String> for Cron {
    type Error = CronError;

    fn try_from(text: String) -> Result<Self, CronError> {
        text.parse()
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> Self {
        cron.to_string()
    }
}
