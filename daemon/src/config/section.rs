//! Reading of the merged tree: each step notes what is wrong and goes on.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::NaiveDate;

use super::fragments::Fragment;
use super::merged::{Entry, Node, Place, Table, Value};
use super::problem::{Problem, ProblemKind, Show};

/// Longest text that is taken from a configuration, in characters.
const MAX_TEXT: usize = 16_384;

/// Collects problems.
pub(super) struct Report<'a> {
    fragments: &'a [Fragment],
    /// Named where a problem is in no file.
    whole: &'a Path,
    problems: Vec<Problem>,
    notes: Vec<String>,
}

impl<'a> Report<'a> {
    pub fn new(fragments: &'a [Fragment], whole: &'a Path) -> Self {
        Self { fragments, whole, problems: Vec::new(), notes: Vec::new() }
    }

    /// Keeps what a person should know though it is no problem.
    pub fn note(&mut self, note: String) {
        self.notes.push(super::problem::harmless(&note));
    }

    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// The directory of the file that a value stands in.
    pub fn directory(&self, place: &Place) -> PathBuf {
        let file = self.fragments.get(place.file).map(|fragment| fragment.path.as_path());
        file.and_then(Path::parent).map(Path::to_owned).unwrap_or_default()
    }

    /// `file:line` of a place.
    pub fn location(&self, place: &Place) -> String {
        let Some(fragment) = self.fragments.get(place.file) else { return "?".to_owned() };
        let before = fragment.text.get(..place.span.start).unwrap_or_default();
        format!("{}:{}", fragment.path.display(), before.matches('\n').count().saturating_add(1))
    }

    /// A problem of what no file says.
    pub fn add_without_place(&mut self, kind: ProblemKind, key: &str, message: String) {
        self.problems.push(Problem::in_file(kind, self.whole, format!("{key}: {message}")));
    }

    pub fn add(
        &mut self,
        kind: ProblemKind,
        place: &Place,
        show: Show,
        key: &str,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        let problem = match self.fragments.get(place.file) {
            Some(fragment) => {
                let at = (fragment.path.as_path(), fragment.text.as_str(), place.span.clone());
                Problem::at(kind, at, show, key, message.into())
            }
            None => Problem::in_file(kind, self.whole, message.into()),
        };
        self.problems.push(match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
    }
}

/// A table being read. Every key that is asked for is known; [`Section::finish`] reports the others.
pub(super) struct Section<'a> {
    path: String,
    place: Place,
    table: &'a Table,
    known: BTreeSet<Cow<'static, str>>,
}

impl<'a> Section<'a> {
    pub fn root(table: &'a Table) -> Self {
        Self { path: String::new(), place: Place { file: 0, span: 0..0 }, table, known: BTreeSet::new() }
    }

    /// The value of a key, where it is there.
    pub fn get(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.insert(Cow::Borrowed(key));
        self.table.get(key).map(|entry| self.field(key, entry))
    }

    /// As [`Self::get`], of a key that a plugin's manifest names.
    pub fn named(&mut self, key: &str) -> Option<Field<'a>> {
        self.known.insert(Cow::Owned(key.to_owned()));
        self.table.get(key).map(|entry| self.field(key, entry))
    }

    /// The value of a key; reports when it is not there.
    pub fn need(&mut self, key: &'static str, example: &str, report: &mut Report<'_>) -> Option<Field<'a>> {
        let found = self.get(key);
        if found.is_none() {
            self.missing(key, example, report);
        }
        found
    }

    /// Reports that a key is not there.
    pub fn missing(&self, key: &str, example: &str, report: &mut Report<'_>) {
        let message = format!("the key `{key}` is missing");
        let hint = Some(format!("add {example}"));
        let show = Show::UpToMark;
        report.add(ProblemKind::MissingKey, &self.place, show, &self.path, message, hint);
    }

    /// Every key with its value, for tables whose keys are names.
    pub fn entries(&self) -> Vec<(&'a str, Field<'a>)> {
        self.table.iter().map(|(key, entry)| (key.as_str(), self.field(key, entry))).collect()
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Reports each key that nothing asked for, with the nearest that is known.
    pub fn finish(self, report: &mut Report<'_>) {
        for (key, entry) in self.table {
            if self.known.contains(key.as_str()) {
                continue;
            }
            let hint = match nearest(key, self.known.iter().map(AsRef::as_ref)) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!(
                    "known here: {}",
                    self.known.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
                ),
            };
            let path = dotted(&self.path, key);
            report.add(
                ProblemKind::UnknownKey,
                &entry.key_place,
                Show::UpToMark,
                &path,
                "unknown key",
                Some(hint),
            );
        }
    }

    fn field(&self, key: &str, entry: &'a Entry) -> Field<'a> {
        Field { path: dotted(&self.path, key), key_place: &entry.key_place, node: &entry.node }
    }
}

/// One value being read.
pub(super) struct Field<'a> {
    path: String,
    key_place: &'a Place,
    node: &'a Node,
}

impl<'a> Field<'a> {
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn place(&self) -> &'a Place {
        &self.node.place
    }

    pub fn key_place(&self) -> &'a Place {
        self.key_place
    }

    pub fn value(&self) -> &'a Value {
        &self.node.value
    }

    /// Reports that the value is not valid; the message follows on "the value".
    pub fn invalid(&self, report: &mut Report<'_>, message: impl Display) {
        report.add(
            ProblemKind::InvalidValue,
            self.place(),
            Show::Line,
            &self.path,
            message.to_string(),
            None,
        );
    }

    /// Reports that the value is not valid, without showing it.
    pub fn invalid_hidden(&self, kind: ProblemKind, report: &mut Report<'_>, message: impl Display) {
        // An item of a list has no key of its own to point at.
        let show = if *self.key_place == self.node.place { Show::Nothing } else { Show::UpToMark };
        report.add(kind, self.key_place, show, &self.path, message.to_string(), None);
    }

    pub fn wrong_type(&self, wanted: &str, report: &mut Report<'_>) {
        let message = format!("is {}, expected {wanted}", self.node.value.what());
        report.add(ProblemKind::WrongType, self.place(), Show::Line, &self.path, message, None);
    }

    /// A text, not empty.
    pub fn text(&self, wanted: &str, report: &mut Report<'_>) -> Option<&'a str> {
        let Value::Text(text) = &self.node.value else {
            self.wrong_type(wanted, report);
            return None;
        };
        if text.trim().is_empty() {
            self.invalid(report, format!("is empty, expected {wanted}"));
            return None;
        }
        if text.chars().count() > MAX_TEXT {
            self.invalid(report, format!("is longer than {MAX_TEXT} characters"));
            return None;
        }
        Some(text)
    }

    /// A text on one line.
    pub fn line(&self, wanted: &str, report: &mut Report<'_>) -> Option<&'a str> {
        let text = self.text(wanted, report)?;
        if text.chars().any(char::is_control) {
            self.invalid(report, "holds a control character or line break");
            return None;
        }
        Some(text)
    }

    /// A text that parses; the error's text follows on the value.
    pub fn parsed<T>(&self, wanted: &str, report: &mut Report<'_>) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        let text = self.line(wanted, report)?;
        text.parse().map_err(|error| self.invalid(report, format!("{} {error}", quoted(text)))).ok()
    }

    /// One of a few words.
    pub fn one_of<T: Copy>(&self, choices: &[(&str, T)], report: &mut Report<'_>) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let text = self.line(&format!("one of {}", words.join(", ")), report)?;
        if let Some((_, found)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*found);
        }
        let hint = match nearest(text, words.iter().copied()) {
            Some(nearest) => format!("did you mean \"{nearest}\"?"),
            None => format!("write one of {}", words.join(", ")),
        };
        self.invalid(report, format!("{} is not known here; {hint}", quoted(text)));
        None
    }

    pub fn boolean(&self, report: &mut Report<'_>) -> Option<bool> {
        let Value::Boolean(yes) = self.node.value else {
            self.wrong_type("true or false", report);
            return None;
        };
        Some(yes)
    }

    /// A whole number between two, both included.
    pub fn integer(&self, least: i64, most: i64, report: &mut Report<'_>) -> Option<i64> {
        let wanted = format!("a whole number from {least} to {most}");
        let Value::Integer(number) = self.node.value else {
            self.wrong_type(&wanted, report);
            return None;
        };
        match number {
            Some(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                self.invalid(report, format!("is out of range, expected {wanted}"));
                None
            }
        }
    }

    /// A date without a time.
    pub fn date(&self, report: &mut Report<'_>) -> Option<NaiveDate> {
        const WANTED: &str = "a date without quotes and time, such as 2026-11-01";
        let Value::Date(found) = self.node.value else {
            self.wrong_type(WANTED, report);
            return None;
        };
        let date = match found {
            toml::value::Datetime { date: Some(date), time: None, offset: None } => date,
            _ => {
                self.wrong_type(WANTED, report);
                return None;
            }
        };
        let date = NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day));
        if date.is_none() {
            self.invalid(report, "is not in the calendar");
        }
        date
    }

    /// Each item of a list. One text alone is taken as a list of one.
    pub fn items(&self, wanted: &str, report: &mut Report<'_>) -> Vec<Field<'a>> {
        match &self.node.value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| Field {
                    path: format!("{}[{index}]", self.path),
                    key_place: &node.place,
                    node,
                })
                .collect(),
            Value::Text(_) => vec![Field { path: self.path.clone(), ..*self }],
            _ => {
                self.wrong_type(wanted, report);
                Vec::new()
            }
        }
    }

    pub fn section(&self, wanted: &str, report: &mut Report<'_>) -> Option<Section<'a>> {
        let Value::Table(table) = &self.node.value else {
            self.wrong_type(wanted, report);
            return None;
        };
        Some(Section {
            path: self.path.clone(),
            place: self.key_place.clone(),
            table,
            known: BTreeSet::new(),
        })
    }
}

/// The nearest of some names, where one is near enough to be a slip.
pub(super) fn nearest<'n>(text: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let text: String = text.chars().take(64).collect::<String>().to_lowercase();
    let allowed = (text.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(&text, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= allowed && *distance < name.chars().count())
        .min()
        .map(|(_, name)| name)
}

/// A text in quotes, short.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().count() > 40 {
        format!("\"{}…\"", text.chars().take(40).collect::<String>())
    } else {
        format!("\"{text}\"")
    }
}

fn dotted(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}
