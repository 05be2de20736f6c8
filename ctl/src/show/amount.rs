//! Amounts of data as carriers write them: decimal units, two places.

/// `4.90 GB`; bytes below a kilobyte whole.
pub(crate) fn amount(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000)];
    // 999.995 and more of one unit rounds to 1.00 of the next.
    let fits = |unit: u64| hundredths(bytes, unit) < 100_000;
    let Some((name, unit)) = UNITS.into_iter().find(|(_, unit)| fits(*unit)).or(UNITS.last().copied()) else {
        return format!("{bytes} B");
    };
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let hundredths = hundredths(bytes, unit);
    format!("{}.{:02} {name}", hundredths / 100, hundredths % 100)
}

/// As [`amount`], with a sign.
pub(crate) fn signed(bytes: i64) -> String {
    let sign = if bytes < 0 { "-" } else { "+" };
    format!("{sign}{}", amount(bytes.unsigned_abs()))
}

/// To the byte, in groups of three: `1,234,567`.
pub(crate) fn exact(bytes: u64) -> String {
    let digits = bytes.to_string();
    let mut out = String::with_capacity(digits.len().saturating_add(digits.len() / 3));
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// As [`exact`], with a minus where it is negative, and `plus` where it is not.
pub(crate) fn exact_signed(bytes: i64, plus: &str) -> String {
    format!("{}{}", if bytes < 0 { "-" } else { plus }, exact(bytes.unsigned_abs()))
}

/// Of an amount there may not be, or a dash.
pub(crate) fn maybe(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), amount)
}

/// `82 %` of an allowance, rounded down; nothing where there is none.
pub(crate) fn share(used: u64, allowance: Option<u64>) -> Option<String> {
    let allowance = allowance.filter(|allowance| *allowance > 0)?;
    Some(format!("{} %", u128::from(used).saturating_mul(100) / u128::from(allowance)))
}

/// In hundredths of a unit, rounded half up.
fn hundredths(bytes: u64, unit: u64) -> u128 {
    let unit = u128::from(unit);
    u128::from(bytes).saturating_mul(100).saturating_add(unit / 2) / unit
}

/// So many of something, such as `1 row` and `2 rows`.
pub(crate) fn number_of(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_places_and_the_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (123_456_789, "123.46 MB"),
            (999_994_999, "999.99 MB"),
            (999_995_000, "1.00 GB"),
            (4_900_000_000, "4.90 GB"),
            (u64::MAX, "18446744.07 TB"),
        ] {
            assert_eq!(amount(bytes), text);
        }
        assert_eq!(signed(-1_100_000_000), "-1.10 GB");
        assert_eq!(signed(0), "+0 B");
        assert_eq!(exact(0), "0");
        assert_eq!(exact(999), "999");
        assert_eq!(exact(1_000), "1,000");
        assert_eq!(exact(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(exact_signed(-123_456, "+"), "-123,456");
        assert_eq!(exact_signed(12, "+"), "+12");
        assert_eq!(share(999, Some(1000)).unwrap(), "99 %");
        assert_eq!(share(5, Some(0)), None);
    }
}
