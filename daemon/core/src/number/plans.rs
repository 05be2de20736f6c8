//! The numbering plans, read from the table beside this file line by line: numbers are rare, memory is not.

use super::NumberClass;

const PLANS: &str = include_str!("plans.txt");

/// Longest short code where a plan says nothing else, in digits.
pub(super) const SHORT: usize = 6;

/// Country codes of no mobile country code here: Diego Garcia, Ascension, Australian territories, shared cost, and
/// networks of satellites and of no country (ITU-T E.164, list of assigned country codes).
const OTHER_CODES: [&str; 9] = ["246", "247", "672", "808", "870", "878", "881", "882", "883"];

/// A country's plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Country<'a> {
    /// Mobile country codes.
    mccs: &'a str,
    /// Country code (E.164).
    pub code: &'a str,
    /// What is dialled before the number of another country.
    pub prefixes: &'a str,
    trunks: &'a str,
    emergency: &'a str,
    free: &'a str,
    premium: &'a str,
    areas: &'a str,
    /// Longest short code, in digits.
    pub short: usize,
}

impl Country<'static> {
    /// The country of a mobile country code, or of an operator code or subscriber identity that begins with one.
    pub fn of(code: &str) -> Option<Self> {
        let mcc = code.get(..3)?;
        lines().filter_map(read).find(|country| list(country.mccs).any(|known| known == mcc))
    }
}

impl Country<'_> {
    pub fn is_emergency(&self, dialled: &str) -> bool {
        list(self.emergency).any(|number| number == dialled)
    }

    /// The national significant number of what is dialled at home.
    pub fn significant<'d>(&self, dialled: &'d str) -> &'d str {
        if self.trunks == "-" {
            return dialled;
        }
        let trunk =
            list(self.trunks).filter(|trunk| dialled.starts_with(trunk)).max_by_key(|trunk| trunk.len());
        trunk.and_then(|trunk| dialled.strip_prefix(trunk)).unwrap_or(dialled)
    }

    /// Whether a significant number under its country code is its own, where several countries share one.
    pub fn holds(&self, significant: &str) -> bool {
        let within = |areas: &str| list(areas).any(|area| significant.starts_with(area));
        if !self.areas.is_empty() {
            return within(self.areas) || self.service(significant).is_some();
        }
        !lines()
            .filter_map(read)
            .any(|other| other.code == self.code && other.mccs != self.mccs && within(other.areas))
    }

    /// What is dialled at home, without international prefix.
    pub fn class_of(&self, dialled: &str) -> NumberClass {
        let as_dialled = |entries: &str| {
            list(entries).any(|entry| entry.strip_prefix('=').is_some_and(|start| dialled.starts_with(start)))
        };
        if as_dialled(self.free) {
            NumberClass::TollFree
        } else if as_dialled(self.premium) {
            NumberClass::Premium
        } else if dialled.len() <= self.short {
            NumberClass::Short
        } else {
            let significant = self.significant(dialled);
            let shared = !self.areas.is_empty() || self.code == "1" || self.code == "7";
            // Ten digits of a number plan that countries share may be another country's.
            if shared && significant.len() == 10 && !self.holds(significant) {
                NumberClass::International
            } else {
                self.class_of_significant(significant)
            }
        }
    }

    /// A national significant number (E.164, 3.6).
    pub fn class_of_significant(&self, significant: &str) -> NumberClass {
        match significant.len() {
            0..=2 | 14.. => NumberClass::Unknown,
            _ => self.service(significant).unwrap_or(NumberClass::National),
        }
    }

    fn service(&self, significant: &str) -> Option<NumberClass> {
        let longest = |entries| {
            list(entries).filter(|start| significant.starts_with(start)).map(str::len).max().unwrap_or(0)
        };
        match (longest(self.free), longest(self.premium)) {
            (0, 0) => None,
            (free, premium) if free >= premium => Some(NumberClass::TollFree),
            _ => Some(NumberClass::Premium),
        }
    }
}

/// Whether an international number begins with an assigned country code.
pub(super) fn is_country_code(number: &str) -> bool {
    OTHER_CODES.iter().any(|code| number.starts_with(code))
        || lines().filter_map(read).any(|country| number.starts_with(country.code))
}

/// The parts of a list.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|part| !part.is_empty())
}

fn lines() -> impl Iterator<Item = &'static str> {
    PLANS.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

fn read(line: &str) -> Option<Country<'_>> {
    let mut words = line.split(' ');
    let mut country = Country {
        mccs: words.next()?,
        code: words.next()?,
        prefixes: "00",
        trunks: "0",
        emergency: "",
        free: "",
        premium: "",
        areas: "",
        short: SHORT,
    };
    for word in words {
        let (key, value) = word.split_once('=')?;
        match key {
            "i" => country.prefixes = value,
            "t" => country.trunks = value,
            "e" => country.emergency = value,
            "f" => country.free = value,
            "p" => country.premium = value,
            "a" => country.areas = value,
            "s" => country.short = value.parse().ok()?,
            _ => return None,
        }
    }
    Some(country)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_line_can_be_read_and_no_mobile_country_code_stands_twice() {
        let mut mccs = BTreeSet::new();
        for line in lines() {
            let country = read(line).unwrap_or_else(|| panic!("{line}"));
            assert!((1..=3).contains(&country.code.len()), "{line}");
            let lists = [country.mccs, country.prefixes, country.emergency, country.areas];
            let marked = [country.free, country.premium].map(|entries| entries.replace('=', ""));
            for part in lists.into_iter().chain(marked.iter().map(String::as_str)).flat_map(list) {
                assert!(part.bytes().all(|b| b.is_ascii_digit()), "{part} in {line}");
            }
            assert!(country.trunks == "-" || list(country.trunks).all(|t| t.parse::<u8>().is_ok()), "{line}");
            for mcc in list(country.mccs) {
                assert!(mcc.len() == 3 && (b'2'..=b'7').contains(&mcc.as_bytes()[0]), "{line}");
                assert!(mccs.insert(mcc), "{mcc} stands twice");
            }
            assert!((3..=SHORT).contains(&country.short), "{line}");
        }
        assert!(mccs.len() > 225, "{} mobile country codes", mccs.len());
    }

    #[test]
    fn no_country_code_is_the_beginning_of_another() {
        let codes: BTreeSet<&str> = lines().filter_map(read).map(|country| country.code).collect();
        for code in &codes {
            for other in codes.iter().copied().chain(OTHER_CODES).filter(|other| other != code) {
                assert!(!other.starts_with(code), "{code} and {other}");
            }
        }
    }
}
