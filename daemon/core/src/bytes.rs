//! Amounts of data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Every unit that is read, largest first within its kind.
const UNITS: [(&str, u64); 9] = [
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// The units that amounts are shown in, smallest first.
const SHOWN: [(&str, u64); 4] =
    [("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000)];

/// Longest text that is looked at.
const MAX_LEN: usize = 64;

/// More digits after the point than this are refused; 18 still fit the exact arithmetic.
const MAX_FRACTION: usize = 18;

/// An amount of data in bytes.
///
/// Read by [`FromStr`], which is strict; shown by [`fmt::Display`] for people, rounded, and by
/// [`Bytes::exact`] without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// Why a text is not an amount of data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BytesError {
    /// Nothing was written.
    #[error("is empty; write an amount with its unit, such as 6 GB or 500 MB")]
    Empty,
    /// A minus stands before it.
    #[error("is negative; an amount of data is 0 or more")]
    Negative,
    /// The part before the unit is no number.
    #[error("does not start with a number such as 6 or 1.5; write 6 GB or 1.5 GiB")]
    Number,
    /// A comma, blank or underscore stands within the number.
    #[error(
        "has a comma or other separator in its number; write a point for the fraction and no grouping, such as 1.5 GB"
    )]
    Separator,
    /// A number other than 0 has no unit.
    #[error(
        "has no unit; write B, kB, MB, GB or TB after the number (or KiB, MiB, GiB, TiB for powers of 1024)"
    )]
    NoUnit,
    /// The unit can be meant in two ways.
    #[error("has the unit {unit:?}, which can mean two things; {hint}")]
    AmbiguousUnit {
        /// The unit as written, made harmless.
        unit: String,
        /// What to write instead.
        hint: &'static str,
    },
    /// The unit is not known.
    #[error(
        "has the unknown unit {unit:?}; use B, kB, MB, GB or TB (or KiB, MiB, GiB, TiB for powers of 1024)"
    )]
    UnknownUnit {
        /// The unit as written, made harmless.
        unit: String,
    },
    /// It is not a whole number of bytes.
    #[error("is not a whole number of bytes; write fewer digits after the point or a smaller unit")]
    FractionOfByte,
    /// It does not fit 64 bits.
    #[error("is too large; the most that can be counted is 18446744073709551615 B")]
    TooLarge,
}

impl BytesError {
    /// Stable name for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Negative => "negative",
            Self::Number => "number",
            Self::Separator => "separator",
            Self::NoUnit => "no-unit",
            Self::AmbiguousUnit { .. } => "ambiguous-unit",
            Self::UnknownUnit { .. } => "unknown-unit",
            Self::FractionOfByte => "fraction-of-byte",
            Self::TooLarge => "too-large",
        }
    }
}

impl Bytes {
    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum, none when it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, never below 0.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// A form that loses nothing and is read back by [`FromStr`]: `6 GB`, `1.25 GB`, `1 GiB`, `1234567891 B`.
    ///
    /// The largest decimal unit that needs two digits after the point at most, else the largest binary
    /// unit that divides, else bytes.
    #[must_use]
    pub fn exact(self) -> String {
        for (name, unit) in SHOWN.iter().rev() {
            let hundredth = unit / 100;
            if self.0 < *unit || !self.0.is_multiple_of(hundredth) {
                continue;
            }
            let (whole, rest) = (self.0 / unit, self.0 % unit / hundredth);
            return match rest {
                0 => format!("{whole} {name}"),
                rest if rest % 10 == 0 => format!("{whole}.{} {name}", rest / 10),
                rest => format!("{whole}.{rest:02} {name}"),
            };
        }
        for (name, unit) in UNITS.iter().filter(|(name, _)| name.ends_with("iB")) {
            if self.0 >= *unit && self.0.is_multiple_of(*unit) {
                return format!("{} {name}", self.0 / unit);
            }
        }
        format!("{} B", self.0)
    }
}

/// For people: `0 B`, `999 B`, `4.20 GB`. Decimal units, exact below 1 kB, otherwise two digits after the
/// point, rounded half to even; the largest unit is TB.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1_000 {
            return f.pad(&format!("{} B", self.0));
        }
        let mut shown = None;
        for (name, unit) in SHOWN {
            let hundredths = hundredths_half_even(self.0, unit);
            shown = Some((hundredths, name));
            // Asked after the rounding: 999.995 kB would be 1000.00 kB and reads 1.00 MB.
            if hundredths < 100_000 {
                break;
            }
        }
        let (hundredths, name) = shown.unwrap_or((0, "kB"));
        f.pad(&format!("{}.{:02} {name}", hundredths / 100, hundredths % 100))
    }
}

impl FromStr for Bytes {
    type Err = BytesError;

    /// Reads `6GB`, `1.5 GiB`, `500 MB`, `123 B`, `0`. Units are decimal (kB or KB, MB, GB, TB: powers of
    /// 1000) or binary (KiB to TiB: powers of 1024).
    fn from_str(text: &str) -> Result<Self, BytesError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BytesError::Empty);
        }
        if text.len() > MAX_LEN {
            return Err(BytesError::TooLarge);
        }
        if text.starts_with(['-', '\u{2212}']) {
            return Err(BytesError::Negative);
        }
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, rest) = text.split_at(split);
        if number.is_empty() {
            return Err(BytesError::Number);
        }
        let unit = rest.trim_start();
        if rest.starts_with([',', '_', '\'', '\u{2019}']) || unit.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(BytesError::Separator);
        }
        let (whole, fraction) = match number.split_once('.') {
            None => (number, ""),
            Some((whole, fraction)) => {
                if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
                    return Err(BytesError::Number);
                }
                (whole, fraction.trim_end_matches('0'))
            }
        };
        let unit = match unit {
            "" if fraction.is_empty() && whole.bytes().all(|b| b == b'0') => 1,
            "" => return Err(BytesError::NoUnit),
            unit => unit_of(unit)?,
        };
        if fraction.len() > MAX_FRACTION {
            return Err(BytesError::FractionOfByte);
        }
        let whole: u64 = whole.parse().map_err(|_| BytesError::TooLarge)?;
        let whole = u128::from(whole) * u128::from(unit);
        let part: u64 =
            if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| BytesError::FractionOfByte)? };
        let scale = (0..fraction.len()).fold(1_u128, |scale, _| scale * 10);
        let part = u128::from(part) * u128::from(unit);
        if part % scale != 0 {
            return Err(BytesError::FractionOfByte);
        }
        u64::try_from(whole + part / scale).map(Self).map_err(|_| BytesError::TooLarge)
    }
}

fn unit_of(text: &str) -> Result<u64, BytesError> {
    if text == "KB" {
        return Ok(1_000);
    }
    if let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == text) {
        return Ok(*unit);
    }
    let unit: String = text.chars().take(12).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
    let hint = match text {
        "b" | "kb" | "Kb" | "Mb" | "Gb" | "Tb" | "bit" | "kbit" | "Mbit" | "Gbit" | "Kib" | "Mib" | "Gib"
        | "Tib" => "a small b is a bit: write B for bytes, such as 500 MB",
        "k" | "K" | "m" | "M" | "g" | "G" | "t" | "T" | "Ki" | "Mi" | "Gi" | "Ti" => {
            "write the whole unit: GB for powers of 1000, GiB for powers of 1024"
        }
        other if UNITS.iter().any(|(name, _)| name.eq_ignore_ascii_case(other)) => {
            "mind the case: kB, MB, GB, TB, KiB, MiB, GiB, TiB"
        }
        _ => return Err(BytesError::UnknownUnit { unit }),
    };
    Err(BytesError::AmbiguousUnit { unit, hint })
}

/// `value / unit` in hundredths, rounded half to even.
fn hundredths_half_even(value: u64, unit: u64) -> u128 {
    let scaled = u128::from(value) * 100;
    let unit = u128::from(unit.max(1));
    let (quotient, rest) = (scaled / unit, scaled % unit);
    match (rest * 2).cmp(&unit) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient % 2,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<u64, &'static str> {
        text.parse::<Bytes>().map(Bytes::get).map_err(|e| e.kind())
    }

    #[test]
    fn reads_decimal_and_binary_units() {
        for (text, bytes) in [
            ("0", 0),
            ("0 GB", 0),
            ("123 B", 123),
            ("6GB", 6_000_000_000),
            (" 1.5 GiB ", 1_610_612_736),
            ("500 MB", 500_000_000),
            ("1kB", 1_000),
            ("1 KB", 1_000),
            ("1 KiB", 1_024),
            ("2 TiB", 2_199_023_255_552),
            ("0.001 kB", 1),
            ("1.500000000000000000000000 GB", 1_500_000_000),
            ("18446744073709551615 B", u64::MAX),
            ("18446744.073709551615 TB", u64::MAX),
        ] {
            assert_eq!(read(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn refuses_what_could_be_misread() {
        for (text, kind) in [
            ("", "empty"),
            ("-1 GB", "negative"),
            ("GB", "number"),
            (".5 GB", "number"),
            ("5. GB", "number"),
            ("1.2.3 GB", "number"),
            ("+5 GB", "number"),
            ("٣ GB", "number"),
            ("1,5 GB", "separator"),
            ("1_000 B", "separator"),
            ("1 000 B", "separator"),
            ("1000", "no-unit"),
            ("0.5", "no-unit"),
            ("10 Gb", "ambiguous-unit"),
            ("5G", "ambiguous-unit"),
            ("5 m", "ambiguous-unit"),
            ("5 gb", "ambiguous-unit"),
            ("5 kIb", "ambiguous-unit"),
            ("5 PB", "unknown-unit"),
            ("5 GB/s", "unknown-unit"),
            ("1e3 B", "unknown-unit"),
            ("0.5 B", "fraction-of-byte"),
            ("1.0001 kB", "fraction-of-byte"),
            ("0.0000000000000000001 TB", "fraction-of-byte"),
            ("18446744073709551616 B", "too-large"),
            ("18446744.073709551616 TB", "too-large"),
            ("99999999999999999999999999 GB", "too-large"),
        ] {
            assert_eq!(read(text), Err(kind), "{text}");
        }
    }

    #[test]
    fn errors_carry_no_hostile_text() {
        let error = "5 \u{1b}[31m\u{202e}x".parse::<Bytes>().unwrap_err().to_string();
        assert!(error.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{error}");
    }

    #[test]
    fn shows_for_people_rounded_half_to_even() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (1_005, "1.00 kB"),
            (1_015, "1.02 kB"),
            (4_200_000_000, "4.20 GB"),
            (999_994, "999.99 kB"),
            (999_995, "1.00 MB"),
            (999_985, "999.98 kB"),
            (u64::MAX, "18446744.07 TB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        assert_eq!(format!("{:>9}|", Bytes(1)), "      1 B|");
    }

    #[test]
    fn exact_form_reads_well() {
        for (bytes, text) in [
            (0, "0 B"),
            (6_000_000_000, "6 GB"),
            (1_250_000_000, "1.25 GB"),
            (1_500_000, "1.5 MB"),
            (1_073_741_824, "1 GiB"),
            (1_010, "1.01 kB"),
            (1_234_567_891, "1234567891 B"),
        ] {
            assert_eq!(Bytes(bytes).exact(), text);
        }
    }

    proptest! {
        #[test]
        fn exact_round_trips(bytes in prop_oneof![any::<u64>(), 0..10_000_u64, (0..20_u64).prop_map(|n| n << 40)]) {
            prop_assert_eq!(Bytes(bytes).exact().parse::<Bytes>(), Ok(Bytes(bytes)));
        }

        #[test]
        fn shown_is_within_half_a_hundredth(bytes in any::<u64>()) {
            let shown: Bytes = Bytes(bytes).to_string().parse().unwrap();
            let unit = SHOWN.iter().rev().find(|(_, unit)| bytes >= *unit).map_or(1, |(_, unit)| *unit);
            prop_assert!(u128::from(shown.0.abs_diff(bytes)) * 200 <= u128::from(unit));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = text.parse::<Bytes>();
        }
    }
}
