//! Rates of a line as they are sold.

use std::fmt;
use std::str::FromStr;

/// How much passes in a second, in whole bits: `300 Mbit/s`, `1 Gbit/s`, `1.5 Gbit/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

/// Why a text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// No number at its start.
    #[error("does not start with a number; write such as \"300 Mbit/s\" or \"1 Gbit/s\"")]
    Number,
    /// No unit, or another one.
    #[error("has no unit that is a rate; write kbit/s, Mbit/s or Gbit/s after the number")]
    Unit,
    /// It is no whole number of bits, or too large.
    #[error("is not a whole number of bits in a second")]
    Bits,
}

const UNITS: [(&str, u64); 3] = [("Gbit/s", 1_000_000_000), ("Mbit/s", 1_000_000), ("kbit/s", 1_000)];

impl Rate {
    /// From megabits a second; saturates.
    #[must_use]
    pub const fn from_mbit(mbit: u64) -> Self {
        Self(mbit.saturating_mul(1_000_000))
    }

    /// Whole bytes a second, 1 at least.
    #[must_use]
    pub fn bytes(self) -> u64 {
        (self.0 / 8).max(1)
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let text = text.trim();
        let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || part.is_empty() || part.contains('.') {
            return Err(RateError::Number);
        }
        let unit = unit.trim_start();
        let (_, bits) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(RateError::Unit)?;
        let part_digits = u32::try_from(part.len()).map_err(|_| RateError::Bits)?;
        let scale = 10_u64.checked_pow(part_digits).ok_or(RateError::Bits)?;
        let read = |digits: &str| digits.parse::<u64>().map_err(|_| RateError::Bits);
        let part = read(part)?.checked_mul(*bits).ok_or(RateError::Bits)?;
        if !part.is_multiple_of(scale) {
            return Err(RateError::Bits);
        }
        let whole = read(whole)?.checked_mul(*bits).ok_or(RateError::Bits)?;
        whole.checked_add(part / scale).map(Self).ok_or(RateError::Bits)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, bits)| self.0 > 0 && self.0.is_multiple_of(*bits));
        match unit {
            Some((name, bits)) => write!(f, "{} {name}", self.0 / bits),
            None => write!(f, "{} bit/s", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_strictly() {
        for (text, bytes, shown) in [
            ("1 Gbit/s", 125_000_000, "1 Gbit/s"),
            ("300Mbit/s", 37_500_000, "300 Mbit/s"),
            ("1.5 Gbit/s", 187_500_000, "1500 Mbit/s"),
            ("64 kbit/s", 8_000, "64 kbit/s"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.bytes(), rate.to_string().as_str()), (bytes, shown), "{text}");
        }
        for (text, error) in [
            ("", RateError::Number),
            ("fast", RateError::Number),
            ("-1 Gbit/s", RateError::Number),
            ("1. Gbit/s", RateError::Number),
            ("1.2.3 Gbit/s", RateError::Number),
            ("1", RateError::Unit),
            ("1 GB/s", RateError::Unit),
            ("1 Gbps", RateError::Unit),
            ("1 gbit/s", RateError::Unit),
            ("0.0001 kbit/s", RateError::Bits),
            ("99999999999999999999 Gbit/s", RateError::Bits),
            ("99999999999 Gbit/s", RateError::Bits),
        ] {
            assert_eq!(text.parse::<Rate>(), Err(error), "{text}");
        }
    }
}
