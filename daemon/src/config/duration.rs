//! Lengths of time as people write them.

use std::str::FromStr;
use std::time::Duration;

/// A length of time in whole milliseconds: `500ms`, `20s`, `5min`, `2h`, `3 days`, `1 week`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Length(u64);

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LengthError {
    /// No whole number at its start.
    #[error("does not start with a whole number; write such as 20s, 5min, 2h or 3 days")]
    Number,
    /// No unit.
    #[error("has no unit; write s, min, h, days or weeks after the number")]
    NoUnit,
    /// A unit that can mean two things.
    #[error("has the unit m, which can mean minutes or months; write min")]
    Ambiguous,
    /// A unit that is not known.
    #[error(
        "has an unknown unit; use one of ms, s, min, h, days, weeks, and one number only (90min, not 1h 30min)"
    )]
    UnknownUnit,
    /// It is longer than can be told.
    #[error("is longer than 100 years")]
    TooLong,
}

/// A hundred years of 366 days.
const MOST_MS: u64 = 100 * 366 * 86_400_000;

impl Length {
    /// Milliseconds.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// As the standard library's type.
    #[must_use]
    pub const fn to_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// From seconds; saturates.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// From milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }
}

impl FromStr for Length {
    type Err = LengthError;

    fn from_str(text: &str) -> Result<Self, LengthError> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        if number.is_empty() {
            return Err(LengthError::Number);
        }
        let number: u64 = number.parse().map_err(|_| LengthError::TooLong)?;
        let unit = match unit.trim_start() {
            "" if number == 0 => 1,
            "" => return Err(LengthError::NoUnit),
            "ms" => 1,
            "s" | "sec" | "second" | "seconds" => 1_000,
            "min" | "minute" | "minutes" => 60_000,
            "h" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            "week" | "weeks" => 7 * 86_400_000,
            "m" | "M" => return Err(LengthError::Ambiguous),
            unit if unit.starts_with(['.', ',']) => return Err(LengthError::Number),
            _ => return Err(LengthError::UnknownUnit),
        };
        number.checked_mul(unit).filter(|millis| *millis <= MOST_MS).map(Self).ok_or(LengthError::TooLong)
    }
}

impl std::fmt::Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const DAY: u64 = 86_400_000;
        for (unit, name) in [(DAY, " days"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")] {
            if self.0 > 0 && self.0.is_multiple_of(unit) {
                let name = if self.0 == DAY { " day" } else { name };
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_strictly() {
        for (text, secs) in [
            ("20s", 20),
            ("3000ms", 3),
            ("5min", 300),
            ("2h", 7_200),
            ("3 days", 259_200),
            ("1 day", 86_400),
            ("2 weeks", 1_209_600),
            ("0", 0),
        ] {
            assert_eq!(text.parse(), Ok(Length::from_secs(secs)), "{text}");
            assert_eq!(Length::from_secs(secs).to_string().parse(), Ok(Length::from_secs(secs)), "{text}");
        }
        assert_eq!("250ms".parse::<Length>().map(Length::to_duration), Ok(Duration::from_millis(250)));
        assert_eq!(Length::from_millis(250).to_string(), "250ms");
        for (text, error) in [
            ("", LengthError::Number),
            ("-5s", LengthError::Number),
            ("1.5h", LengthError::Number),
            ("5", LengthError::NoUnit),
            ("5m", LengthError::Ambiguous),
            ("5 fortnights", LengthError::UnknownUnit),
            ("1h 30min", LengthError::UnknownUnit),
            ("99999999999999999999s", LengthError::TooLong),
            ("40000 days", LengthError::TooLong),
        ] {
            assert_eq!(text.parse::<Length>(), Err(error), "{text}");
        }
    }
}
