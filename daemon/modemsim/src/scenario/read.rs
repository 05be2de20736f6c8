//! Reads one block of a scenario key by key, and remembers every problem with its line.

use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing wrong in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {key}: {text}")]
pub struct Problem {
    /// 1-based.
    pub line: usize,
    /// Dotted key, as `step[2].at`.
    pub key: String,
    /// What is wrong and what was expected.
    pub text: String,
}

/// Where problems of a document are gathered.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    source: &'a str,
    pub found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, found: Vec::new() }
    }

    pub(crate) fn add(&mut self, offset: usize, key: &str, text: impl Into<String>) {
        let before = self.source.get(..offset).unwrap_or(self.source);
        let line = before.matches('\n').count() + 1;
        self.found.push(Problem { line, key: key.to_owned(), text: text.into() });
    }
}

/// One table being read; keys asked for are known, all others are problems at [`Block::finish`].
pub(crate) struct Block<'a, 'i> {
    name: String,
    offset: usize,
    table: &'a DeTable<'i>,
    known: Vec<&'static str>,
}

impl<'a, 'i> Block<'a, 'i> {
    pub(crate) fn new(name: String, offset: usize, table: &'a DeTable<'i>) -> Self {
        Self { name, offset, table, known: Vec::new() }
    }

    /// Dotted name of a key of this block.
    pub(crate) fn key(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Where a key's value begins; the block's own place where it is not there.
    pub(crate) fn offset_of(&self, key: &str) -> usize {
        self.find(key).map_or(self.offset, |value| value.span().start)
    }

    fn find(&self, key: &str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn take<T>(
        &mut self,
        problems: &mut Problems<'_>,
        key: &'static str,
        expected: &str,
        read: impl Fn(&DeValue<'i>) -> Option<T>,
    ) -> Option<T> {
        self.known.push(key);
        let value = self.find(key)?;
        let found = read(value.get_ref());
        if found.is_none() {
            problems.add(value.span().start, &self.key(key), format!("expected {expected}"));
        }
        found
    }

    pub(crate) fn text(&mut self, problems: &mut Problems<'_>, key: &'static str) -> Option<String> {
        self.take(problems, key, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn flag(&mut self, problems: &mut Problems<'_>, key: &'static str) -> Option<bool> {
        self.take(problems, key, "true or false", DeValue::as_bool)
    }

    pub(crate) fn number(&mut self, problems: &mut Problems<'_>, key: &'static str) -> Option<u32> {
        self.take(problems, key, "a whole number from 0 to 4294967295", |value| {
            integer(value)?.try_into().ok()
        })
    }

    /// A span such as `"500ms"`, `"2s"`, `"1m"`, `"1h"`.
    pub(crate) fn span(&mut self, problems: &mut Problems<'_>, key: &'static str) -> Option<Duration> {
        self.take(problems, key, "a span such as \"500ms\", \"2s\", \"1m\"", |value| {
            parse_span(value.as_str()?)
        })
    }

    /// Bytes: a number, or text such as `"10MB"`, `"512 KiB"`.
    pub(crate) fn bytes(&mut self, problems: &mut Problems<'_>, key: &'static str) -> Option<u64> {
        self.take(problems, key, "bytes such as 1500, \"10MB\" or \"512KiB\"", |value| match value.as_str() {
            Some(text) => parse_bytes(text),
            None => integer(value),
        })
    }

    /// Lists of names in a list.
    pub(crate) fn lists(
        &mut self,
        problems: &mut Problems<'_>,
        key: &'static str,
    ) -> Option<Vec<Vec<String>>> {
        self.take(problems, key, "a list of lists of SIM names, such as [[\"home\"], []]", |value| {
            let names = |list: &Spanned<DeValue<'i>>| -> Option<Vec<String>> {
                let list = list.get_ref().as_array()?;
                list.iter().map(|name| name.get_ref().as_str().map(str::to_owned)).collect()
            };
            value.as_array()?.iter().map(names).collect()
        })
    }

    /// The tables of an array of tables, each as a block.
    pub(crate) fn blocks(&mut self, problems: &mut Problems<'_>, key: &'static str) -> Vec<Block<'a, 'i>> {
        self.known.push(key);
        let Some(value) = self.find(key) else { return Vec::new() };
        let tables = value.get_ref().as_array().map(|array| {
            let tables = array.iter().enumerate().map(|(index, table)| {
                let offset = table.span().start;
                let block = table.get_ref().as_table()?;
                Some(Block::new(format!("{key}[{index}]"), offset, block))
            });
            tables.collect::<Option<Vec<_>>>()
        });
        tables.flatten().unwrap_or_else(|| {
            problems.add(value.span().start, key, format!("expected tables, each headed [[{key}]]"));
            Vec::new()
        })
    }

    /// Reports every key that was not asked for, with the nearest that was.
    pub(crate) fn finish(self, problems: &mut Problems<'_>) {
        for (name, _) in self.table {
            let name_text: &str = name.get_ref();
            if self.known.contains(&name_text) {
                continue;
            }
            let nearest = nearest(name_text, self.known.iter().copied());
            let hint = nearest.map_or_else(String::new, |near| format!("; did you mean “{near}”?"));
            problems.add(name.span().start, &self.key(name_text), format!("unknown key{hint}"));
        }
    }
}

/// The candidate most like `text`, if any is near.
pub(crate) fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(text, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(2))
        .min()
        .map(|(_, candidate)| candidate)
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let value = value.as_integer()?;
    u64::from_str_radix(value.as_str(), value.radix()).ok()
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    Some((text.get(..end)?.parse().ok()?, text.get(end..)?.trim_start()))
}

pub(crate) fn parse_span(text: &str) -> Option<Duration> {
    let (value, unit) = split(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    value.checked_mul(millis).map(Duration::from_millis)
}

pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    let (value, unit) = split(text)?;
    let factor = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    value.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::{nearest, parse_bytes, parse_span};
    use std::time::Duration;

    #[test]
    fn spans_and_bytes() {
        assert_eq!(parse_span("1500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(parse_span("2m"), Some(Duration::from_secs(120)));
        assert_eq!(parse_span("2"), None);
        assert_eq!(parse_span("-2s"), None);
        assert_eq!(parse_span("18446744073709551615h"), None);
        assert_eq!(parse_bytes("10 MB"), Some(10_000_000));
        assert_eq!(parse_bytes("1KiB"), Some(1024));
        assert_eq!(parse_bytes("1.5MB"), None);
        assert_eq!(parse_bytes("99999999999999999999"), None);
    }

    #[test]
    fn nearest_is_near() {
        assert_eq!(nearest("apm", ["at", "apn", "modem"].into_iter()), Some("apn"));
        assert_eq!(nearest("zzzzzz", ["at", "apn"].into_iter()), None);
    }
}
