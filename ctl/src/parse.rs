//! Values on the command line: amounts, spans, thresholds. All exact.

use std::str::FromStr;

/// An amount of data as the configuration writes it: `6GB`, `500 MB`, `1.5GiB`. Exact to the byte, or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(pub u64);

const UNITS: [(&str, u128); 10] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("{text:?} is no amount of data; write it like 6GB, 500MB or 1.5GiB");
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(|| {
            format!("{text:?} has no unit; write it like 6GB, 500MB, or 6000000000B for bytes")
        })?;
        let (number, unit) = trimmed.split_at(split);
        let unit = unit_of(unit.trim()).map_err(|hint| {
            hint.map_or_else(expected, |hint| format!("{text:?} can be read in two ways: {hint}"))
        })?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || (number.contains('.') && part.is_empty()) || part.len() > 12 {
            return Err(expected());
        }
        let whole: u128 = whole.parse().map_err(|_| expected())?;
        let scale = 10_u128.pow(u32::try_from(part.len()).unwrap_or(0));
        let part: u128 = if part.is_empty() { 0 } else { part.parse().map_err(|_| expected())? };
        let scaled = whole.checked_mul(scale).and_then(|whole| whole.checked_add(part));
        let scaled = scaled.and_then(|scaled| scaled.checked_mul(unit));
        if scaled.is_some_and(|scaled| scaled % scale != 0) {
            return Err(format!("{text:?} ends within a byte; write an amount that is whole in bytes"));
        }
        scaled
            .and_then(|scaled| u64::try_from(scaled / scale).ok())
            .filter(|bytes| i64::try_from(*bytes).is_ok())
            .map(Self)
            .ok_or_else(|| format!("{text:?} is more than any SIM can use"))
    }
}

/// A unit's bytes; or why it could mean two things, where it could.
fn unit_of(unit: &str) -> Result<u128, Option<&'static str>> {
    if let Some((_, bytes)) = UNITS.iter().find(|(name, _)| *name == unit) {
        return Ok(*bytes);
    }
    Err(match unit {
        "b" | "kb" | "Kb" | "Mb" | "Gb" | "Tb" | "bit" | "kbit" | "Mbit" | "Gbit" | "Kib" | "Mib" | "Gib"
        | "Tib" => Some("a small b is a bit; write B for bytes, such as 500MB"),
        "k" | "K" | "m" | "M" | "g" | "G" | "t" | "T" | "Ki" | "Mi" | "Gi" | "Ti" => {
            Some("write the whole unit: GB for powers of 1000, GiB for powers of 1024")
        }
        other if UNITS.iter().any(|(name, _)| name.eq_ignore_ascii_case(other)) => {
            Some("mind the case: kB, MB, GB, TB, KiB, MiB, GiB, TiB")
        }
        _ => None,
    })
}

/// The longest span that the service takes, in seconds: 366 days.
const YEAR: u64 = 366 * 86_400;

/// A length of time in seconds, at most a year: `90s`, `30m`, `2h`, `1d`, `1w`, `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub u64);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("{text:?} is no length of time; write it like 30m, 2h, 1d or 1h30m");
        let mut total: u64 = 0;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(expected());
        }
        while !rest.is_empty() {
            let split = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(expected)?;
            let (number, tail) = rest.split_at(split);
            let number: u64 = number.parse().map_err(|_| expected())?;
            let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(end);
            let unit: u64 = match unit.trim() {
                "s" | "sec" => 1,
                "m" | "min" => 60,
                "h" => 3_600,
                "d" => 86_400,
                "w" => 604_800,
                _ => return Err(expected()),
            };
            total = number.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(expected)?;
            rest = tail;
        }
        match total {
            0 => Err(expected()),
            1..=YEAR => Ok(Self(total)),
            _ => Err(format!("{text:?} is longer than a year")),
        }
    }
}

/// The number of an entry of the ledger.
pub fn entry(text: &str) -> Result<i64, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("{text:?} is no number of an entry; write it like 3, as the list shows it"))
}

/// What `usage --check` compares with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// A share of the allowance, in thousandths of a percent.
    Share(u64),
    /// An amount of data.
    Amount(Amount),
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = |c: char| c.is_ascii_digit() || c == '.';
        if !text.trim().is_empty() && text.trim().chars().all(bare) {
            let share = text.trim();
            return Err(format!(
                "{text:?} has no unit; write {share}% for a share of the plan, or an amount like 6GB"
            ));
        }
        let Some(number) = text.trim().strip_suffix('%') else { return text.parse().map(Self::Amount) };
        let expected = || format!("{text:?} is no share; write it like 80%");
        let (whole, part) = number.trim().split_once('.').unwrap_or((number.trim(), ""));
        if part.len() > 3 {
            return Err(expected());
        }
        let digits = format!("{whole}{part:0<3}");
        if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(expected());
        }
        digits.parse().map(Self::Share).map_err(|_| expected())
    }
}

impl Threshold {
    /// Whether usage reaches it; a share of nothing is never reached.
    pub fn reached(self, used: u64, allowance: Option<u64>) -> bool {
        match self {
            Self::Amount(Amount(limit)) => used >= limit,
            Self::Share(thousandths) => allowance.is_some_and(|allowance| {
                u128::from(used).saturating_mul(100_000)
                    >= u128::from(allowance).saturating_mul(u128::from(thousandths))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, bytes) in [
            ("6GB", 6_000_000_000),
            ("500 MB", 500_000_000),
            ("1.5GiB", 1_610_612_736),
            ("0.000000001GB", 1),
            ("7B", 7),
            ("9.2TB", 9_200_000_000_000),
            ("1KiB", 1_024),
            ("0.000000000001TB", 1),
        ] {
            assert_eq!(text.parse(), Ok(Amount(bytes)), "{text}");
        }
        for text in ["6", "GB", "1.GB", ".5GB", "-1GB", "6XB", "", "1e3GB", "99999999999TB", "1.2.3GB"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
        for (text, why) in [
            ("10 Gb", "a small b is a bit"),
            ("10kb", "a small b is a bit"),
            ("10gb", "mind the case"),
            ("10G", "write the whole unit"),
            ("0.5B", "ends within a byte"),
            ("1.0001kB", "ends within a byte"),
        ] {
            assert!(text.parse::<Amount>().unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn spans_add_up() {
        for (text, seconds) in
            [("90s", 90), ("2h", 7200), ("1h30m", 5400), ("1d 2h", 93_600), ("1w", 604_800)]
        {
            assert_eq!(text.parse(), Ok(Span(seconds)), "{text}");
        }
        for text in ["", "2", "h", "0h", "2y", "-2h", "367d", "99999999999999999999h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn thresholds_hold_at_their_very_value() {
        let share: Threshold = "80%".parse().unwrap();
        assert!(share.reached(800, Some(1000)));
        assert!(!share.reached(799, Some(1000)));
        assert!(!share.reached(799, None));
        let finer: Threshold = "99.5%".parse().unwrap();
        assert!(finer.reached(995, Some(1000)));
        assert!(!finer.reached(994, Some(1000)));
        let amount: Threshold = "5GB".parse().unwrap();
        assert!(amount.reached(5_000_000_000, None));
        assert!(!amount.reached(4_999_999_999, None));
        for text in ["%", "x%", "1.2345%", "80"] {
            assert!(text.parse::<Threshold>().is_err(), "{text}");
        }
        assert!("80".parse::<Threshold>().unwrap_err().contains("write 80% for a share"));
    }
}
