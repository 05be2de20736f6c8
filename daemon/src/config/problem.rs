//! What is wrong with a configuration, said so that it can be mended.

use std::fmt;
use std::path::{Path, PathBuf};

use simbell_core::text::{is_control, is_hidden};
use unicode_width::UnicodeWidthChar;

/// Longest piece of a source line that is shown, in columns.
const SHOWN_COLUMNS: usize = 120;

/// Most problems that are kept; a file of another kind altogether has one on every line.
const MOST: usize = 200;

/// This many digits in a row may be an ICCID or a telephone number, which no log may hold.
const PRIVATE_DIGITS: usize = 9;

/// Words in a line that make its value unfit to be shown.
const SECRET_WORDS: [&str; 9] =
    ["pass", "token", "secret", "auth", "cookie", "key", "credential", "topic", "url"];

/// What kind of problem, stable, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// A file or directory cannot be read.
    Unreadable,
    /// The text is not TOML.
    Syntax,
    /// No such key is known.
    UnknownKey,
    /// A key that is needed is not there.
    MissingKey,
    /// The value is of another type than wanted.
    WrongType,
    /// The value is of the right type and not valid.
    InvalidValue,
    /// Two keys, or two sections, contradict each other.
    Conflict,
    /// A name is used that is defined nowhere.
    UnknownName,
    /// A secret cannot be used as it is given.
    Secret,
}

impl ProblemKind {
    /// As logged and compared, such as `unknown-key`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Syntax => "syntax",
            Self::UnknownKey => "unknown-key",
            Self::MissingKey => "missing-key",
            Self::WrongType => "wrong-type",
            Self::InvalidValue => "invalid-value",
            Self::Conflict => "conflict",
            Self::UnknownName => "unknown-name",
            Self::Secret => "secret",
        }
    }
}

/// One problem. Holds no secret: neither its texts nor the piece of source it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    kind: ProblemKind,
    file: PathBuf,
    at: Option<Spot>,
    key: String,
    message: String,
    hint: Option<String>,
}

/// Where in a file, and what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spot {
    line: usize,
    column: usize,
    shown: String,
    indent: usize,
    width: usize,
}

/// How much of a source line may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// All of it, unless it looks as if it held a secret.
    Line,
    /// Up to the end of the marked piece.
    UpToMark,
    /// Nothing.
    Nothing,
}

impl Problem {
    pub(super) fn in_file(kind: ProblemKind, file: &Path, message: String) -> Self {
        Self { kind, file: file.to_owned(), at: None, key: String::new(), message, hint: None }
    }

    pub(super) fn at(
        kind: ProblemKind,
        (file, text, span): (&Path, &str, std::ops::Range<usize>),
        show: Show,
        key: &str,
        message: String,
    ) -> Self {
        let at = Some(spot(text, span, show));
        Self { kind, file: file.to_owned(), at, key: harmless(key), message: harmless(&message), hint: None }
    }

    /// The line, from 1; 0 where no place is meant.
    pub(super) fn line(&self) -> usize {
        self.at.as_ref().map_or(0, |spot| spot.line)
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(harmless(&hint.into()));
        self
    }

    /// What kind of problem.
    #[must_use]
    pub const fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The file it is in.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Line and column, both from 1, the column in characters; none when the file as a whole is meant.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        self.at.as_ref().map(|spot| (spot.line, spot.column))
    }

    /// The dotted key, such as `sims.home.plan.data`; empty when no key is meant.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wrong, in one line, the way out included.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}; {hint}", self.message),
            None => self.message.clone(),
        }
    }
}

/// One line that names file, line, column, key and what is wrong, then the source line with a caret below.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", harmless(&self.file.to_string_lossy()))?;
        if let Some(spot) = &self.at {
            write!(f, ":{}:{}", spot.line, spot.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message())?;
        if let Some(spot) = &self.at
            && !spot.shown.is_empty()
        {
            let gutter = spot.line.to_string();
            write!(f, "\n  {gutter} | {}", spot.shown)?;
            let pad = " ".repeat(gutter.len());
            write!(f, "\n  {pad} | {}{}", " ".repeat(spot.indent), "^".repeat(spot.width.max(1)))?;
        }
        Ok(())
    }
}

/// Every problem of a configuration, in the order of files and lines; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    left_out: usize,
}

impl Problems {
    pub(super) fn new(mut list: Vec<Problem>, order: &[PathBuf]) -> Self {
        let rank = |file: &Path| order.iter().position(|other| other == file).unwrap_or(usize::MAX);
        list.sort_by_key(|problem| (rank(&problem.file), problem.position(), problem.kind));
        list.dedup();
        let left_out = list.len().saturating_sub(MOST);
        list.truncate(MOST);
        Self { list, left_out }
    }

    /// Each of them.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// The name of the kind of the first, stable.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.list.first().map_or("configuration", |problem| problem.kind.as_str())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            writeln!(f, "{problem}")?;
        }
        let total = self.list.len().saturating_add(self.left_out);
        let noun = if total == 1 { "problem" } else { "problems" };
        write!(f, "{total} {noun} in the configuration")?;
        if self.left_out > 0 {
            write!(f, ", the last {} not shown", self.left_out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// `text` on one line, without characters that a terminal obeys or that turn the direction of writing.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if is_control(c) || is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

fn spot(text: &str, span: std::ops::Range<usize>, show: Show) -> Spot {
    let start = floor_boundary(text, span.start);
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |i| i.saturating_add(1));
    let rest = text.get(line_start..).unwrap_or_default();
    let line = rest.lines().next().unwrap_or_default();
    let line_end = line_start.saturating_add(line.len());
    let end = floor_boundary(text, span.end.clamp(start, line_end.max(start)));
    let ahead = text.get(line_start..start).unwrap_or_default();
    let marked = text.get(start..end).unwrap_or_default();

    // A line without a key of its own goes on from the last line that has one.
    let above = before.get(..line_start.saturating_sub(1)).unwrap_or_default();
    let key_line = above.lines().rev().find(|line| line.contains('=') || line.trim_start().starts_with('['));
    let previous = above.lines().next_back();
    let guarded =
        [Some(line), previous, key_line.filter(|_| !line.contains('='))].into_iter().flatten().any(|line| {
            let lower = line.to_ascii_lowercase();
            SECRET_WORDS.iter().any(|word| lower.contains(word)) || has_private_digits(line)
        });
    let kept = match show {
        // A header holds nothing private and reads better whole.
        Show::UpToMark if line.trim_start().starts_with('[') => {
            line.find(']').map_or(end.saturating_sub(line_start), |i| i.saturating_add(1))
        }
        Show::UpToMark => end.saturating_sub(line_start),
        Show::Nothing => 0,
        Show::Line if !guarded => line.len(),
        Show::Line => line.find('=').map_or(
            // Without an equals sign a header is harmless; anything else may be the rest of a value.
            if line.trim_start().starts_with('[') && !line.contains('"') { line.len() } else { 0 },
            |i| i.saturating_add(1),
        ),
    };
    let visible = line.get(..kept).unwrap_or_default();
    let cut = if visible.len() < line.len() { " …" } else { "" };
    let mut shown = String::new();
    let mut columns = 0_usize;
    for c in visible.chars() {
        columns = columns.saturating_add(width(c));
        if columns > SHOWN_COLUMNS {
            break;
        }
        shown.push(if is_control(c) || is_hidden(c) { ' ' } else { c });
    }
    let indent: usize = ahead.chars().map(width).sum();
    let hidden = indent >= columns && !cut.is_empty();
    let indent = if hidden { columns.saturating_add(1) } else { indent };
    if visible.is_empty() || columns > SHOWN_COLUMNS && indent >= SHOWN_COLUMNS {
        shown.clear();
    } else {
        shown.push_str(cut);
    }
    let room = columns.min(SHOWN_COLUMNS).saturating_sub(indent).max(1);
    Spot {
        line: before.matches('\n').count().saturating_add(1),
        column: ahead.chars().count().saturating_add(1),
        shown,
        indent,
        width: if hidden { 1 } else { marked.chars().map(width).sum::<usize>().clamp(1, room) },
    }
}

fn has_private_digits(line: &str) -> bool {
    line.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() >= PRIVATE_DIGITS)
}

fn width(c: char) -> usize {
    if is_control(c) || is_hidden(c) { 1 } else { c.width().unwrap_or(1) }
}

fn floor_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index = index.saturating_sub(1);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, piece: &str, show: Show) -> String {
        let start = text.find(piece).unwrap();
        let place = (Path::new("a.toml"), text, start..start + piece.len());
        Problem::at(ProblemKind::InvalidValue, place, show, "a.b", "is wrong".to_owned()).to_string()
    }

    #[test]
    fn a_caret_stands_under_the_piece() {
        assert_eq!(
            shown("x = 1\nname = \"dta\" # c", "\"dta\"", Show::Line),
            "a.toml:2:8: a.b: is wrong\n  2 | name = \"dta\" # c\n    |        ^^^^^"
        );
        assert_eq!(
            shown("家 = 家里", "家里", Show::Line),
            "a.toml:1:5: a.b: is wrong\n  1 | 家 = 家里\n    |      ^^^^"
        );
    }

    #[test]
    fn a_line_that_may_hold_a_secret_is_not_shown() {
        for (text, piece) in [
            ("password = \"hunter2\" x", "x"),
            ("Authorization = \"hunter2\"", "\"hunter2\""),
            ("token =\n\"hunter2\"", "\"hunter2\""),
            ("token = [\n\n  # mine\n  \"hunter2\" x\n]", "x"),
        ] {
            let text = shown(text, piece, Show::Line);
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert!(!shown("pasword = \"hunter2\"", "pasword", Show::UpToMark).contains("hunter2"));
    }

    #[test]
    fn controls_and_long_lines_are_tamed() {
        let text = format!("a = \"\u{1b}[31m\u{202e}\" {} z", "y".repeat(5000));
        let shown = shown(&text, "z", Show::Line);
        assert!(
            shown.chars().all(|c| c == '\n' || !(is_control(c) || is_hidden(c))) && shown.len() < 400,
            "{shown}"
        );
        let place = (Path::new("a.toml"), "é", 1..9);
        let problem = Problem::at(ProblemKind::Syntax, place, Show::Line, "", "\u{7}".to_owned());
        assert_eq!(problem.position(), Some((1, 1)));
    }
}
