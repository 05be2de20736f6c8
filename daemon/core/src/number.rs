//! Telephone numbers by what they cost: the class of a number as dialled, by the numbering plan of the SIM's home.
//!
//! Sources: ITU-T E.164 (numbers, country codes), E.212 (mobile country codes), 3GPP TS 22.030 (dialled codes), 3GPP TS
//! 22.101, 10.1 (emergency numbers); the plans are in `plans.txt`. Numbers are hostile text: what is no number has class
//! [`NumberClass::Unknown`], whatever it holds.

mod plans;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use plans::Country;

/// Longest number as given, in characters: separators included.
const LONGEST: usize = 64;
/// Most digits of a number, international prefix included.
const MOST_DIGITS: usize = 22;
/// Most digits of an international number (E.164, 6.1), without prefix.
const MOST_INTERNATIONAL: usize = 15;

/// What kind of number it is, as far as it matters to a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NumberClass {
    /// 112, 911, and those of the home and the visited country.
    Emergency,
    /// One that the owner's configuration says costs nothing.
    Free,
    /// Free for callers by the national plan, or universal (+800).
    TollFree,
    /// A few digits, such as a carrier's service.
    Short,
    /// In the home country.
    National,
    /// In another country.
    International,
    /// Premium rate or shared cost: charged apart from other numbers.
    Premium,
    /// The other party does not show it.
    Withheld,
    /// No number, or none that can be told.
    Unknown,
}

impl NumberClass {
    /// Every class.
    pub const ALL: [Self; 9] = [
        Self::Emergency,
        Self::Free,
        Self::TollFree,
        Self::Short,
        Self::National,
        Self::International,
        Self::Premium,
        Self::Withheld,
        Self::Unknown,
    ];

    /// As kept in the ledger and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Free => "free",
            Self::TollFree => "toll-free",
            Self::Short => "short",
            Self::National => "national",
            Self::International => "international",
            Self::Premium => "premium",
            Self::Withheld => "withheld",
            Self::Unknown => "unknown",
        }
    }

    /// Reads back [`NumberClass::as_str`]; anything else is [`NumberClass::Unknown`].
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self::ALL.into_iter().find(|class| class.as_str() == text).unwrap_or(Self::Unknown)
    }
}

/// Numbers that the owner classes by hand: they win over every plan but emergency numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OwnNumbers(pub Vec<(NumberPattern, NumberClass)>);

/// A number, or the beginning of numbers: `+491801*`, `22*`, `10086`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NumberPattern {
    digits: String,
    beginning: bool,
}

/// Why a text is no pattern of numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a number as dialled or in international form, such as \"10086\" or \"+4930123456\", or the beginning of \
     numbers with `*` at the end, such as \"+4918*\""
)]
pub struct NumberPatternError;

impl FromStr for NumberPattern {
    type Err = NumberPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, beginning) = match text.strip_suffix('*') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let bare = digits.strip_prefix('+').unwrap_or(digits);
        let fits = (1..=MOST_DIGITS).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_digit());
        if fits { Ok(Self { digits: digits.to_owned(), beginning }) } else { Err(NumberPatternError) }
    }
}

impl TryFrom<String> for NumberPattern {
    type Error = NumberPatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<NumberPattern> for String {
    fn from(pattern: NumberPattern) -> Self {
        format!("{}{}", pattern.digits, if pattern.beginning { "*" } else { "" })
    }
}

impl fmt::Debug for NumberPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NumberPattern(…)")
    }
}

impl NumberPattern {
    fn fits(&self, number: &str) -> bool {
        if self.beginning { number.starts_with(&self.digits) } else { number == self.digits }
    }
}

/// A number, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What kind.
    pub class: NumberClass,
    /// The same text for the same party, however it was dialled; none where there is no number. Not to be kept: only its
    /// digest is.
    pub party: Option<String>,
}

/// From where a number is dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caller<'a> {
    /// Mobile country code of the SIM's home, or its whole operator code.
    pub home: Option<&'a str>,
    /// The same of the network it is in.
    pub visited: Option<&'a str>,
}

/// Judges a number as dialled, or as the network shows it; `incoming`: the other party called.
#[must_use]
pub fn judge(number: Option<&str>, incoming: bool, caller: Caller<'_>, own: &OwnNumbers) -> Judged {
    let given = number.unwrap_or_default();
    if given.is_empty() {
        let class = if incoming { NumberClass::Withheld } else { NumberClass::Unknown };
        return Judged { class, party: None };
    }
    let Some(dialled) = dialled(given) else {
        return Judged { class: NumberClass::Unknown, party: None };
    };
    let home = caller.home.and_then(Country::of);
    let visited = caller.visited.and_then(Country::of);
    let international = international(&dialled, home.as_ref());
    let party = match (&international, &home) {
        (Some(number), _) => format!("+{number}"),
        (None, Some(home)) if dialled.len() > home.short => {
            format!("+{}{}", home.code, home.significant(&dialled))
        }
        (None, _) => dialled.clone(),
    };
    let countries = [home.as_ref(), visited.as_ref()];
    let emergency = !incoming
        && (["112", "911"].contains(&dialled.as_str())
            || countries.into_iter().flatten().any(|country| country.is_emergency(&dialled)));
    let owners = own.0.iter().find(|(pattern, _)| pattern.fits(&dialled) || pattern.fits(&party));
    let class = if emergency {
        NumberClass::Emergency
    } else if let Some((_, class)) = owners {
        *class
    } else {
        match (&international, &home) {
            (Some(number), home) => abroad(number, home.as_ref()),
            (None, Some(home)) => home.class_of(&dialled),
            (None, None) if dialled.len() <= plans::SHORT => NumberClass::Short,
            (None, None) => NumberClass::Unknown,
        }
    };
    Judged { class, party: Some(party) }
}

/// Digits, with `+` before them where given: separators (RFC 3966, 5.1.1) and the codes that show or hide the caller's
/// own number (3GPP TS 22.030, annex B) taken off. None where it is no number.
fn dialled(given: &str) -> Option<String> {
    if given.len() > LONGEST {
        return None;
    }
    let given = given.trim_matches(' ');
    let given = given.strip_prefix("*31#").or_else(|| given.strip_prefix("#31#")).unwrap_or(given);
    let bare: String = given.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    let most = if bare.starts_with('+') { MOST_INTERNATIONAL } else { MOST_DIGITS };
    let fits = (1..=most).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then_some(bare)
}

/// The international number, country code first, where it was dialled as one.
fn international(dialled: &str, home: Option<&Country<'_>>) -> Option<String> {
    let number = match dialled.strip_prefix('+') {
        Some(number) => number,
        None => {
            let prefixes = home.map_or("00", |home| home.prefixes);
            let prefix = plans::list(prefixes).filter(|p| dialled.starts_with(p)).max_by_key(|p| p.len())?;
            dialled.strip_prefix(prefix)?
        }
    };
    // Shorter ones, such as 000, are numbers of their own.
    (number.len() >= 5 && number.len() <= MOST_INTERNATIONAL || dialled.starts_with('+'))
        .then(|| number.to_owned())
}

fn abroad(number: &str, home: Option<&Country<'_>>) -> NumberClass {
    if number.starts_with("800") {
        return NumberClass::TollFree;
    }
    if number.starts_with("979") {
        return NumberClass::Premium;
    }
    let Some(home) = home else { return NumberClass::Unknown };
    if let Some(significant) = number.strip_prefix(home.code)
        && home.holds(significant)
    {
        return home.class_of_significant(significant);
    }
    let known = number.len() >= 7 && plans::is_country_code(number);
    if known { NumberClass::International } else { NumberClass::Unknown }
}

#[cfg(test)]
mod tests;
