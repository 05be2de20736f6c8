//! First stage: the files of a configuration, read and parsed one by one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use simbell_rules::{Links, Unread};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::merged::{Entry, Node, Place, Table, Value};
use super::problem::{Problem, ProblemKind, Show};

/// Largest file that is read.
const MAX_FILE: usize = 1 << 20;

/// Most files that are read.
const MAX_FILES: usize = 256;

/// One file.
#[derive(Debug)]
pub(super) struct Fragment {
    pub path: PathBuf,
    pub text: String,
    pub table: Table,
    /// From this line on the text is not understood, because a list before it is not closed.
    pub lost_from: Option<usize>,
}

/// Reads a file, or of a directory `simbell.toml` and `conf.d/*.toml`, the latter in the order of their names.
///
/// A directory without any of them is an empty configuration.
pub(super) fn read(path: &Path) -> (Vec<Fragment>, Vec<Problem>) {
    read_with(path, None)
}

/// As [`read`], as if there were one file more in `conf.d`, or another text in one that is there.
pub(super) fn read_with(path: &Path, added: Option<(&Path, &str)>) -> (Vec<Fragment>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut files = match fs::metadata(path) {
        Ok(found) if found.is_dir() => files_of(path, &mut problems),
        Ok(_) => vec![path.to_owned()],
        Err(error) => {
            problems.push(unreadable(path, &error));
            Vec::new()
        }
    };
    if let Some((added, _)) = added
        && !files.iter().any(|file| file == added)
    {
        // After the main file, in the order of names.
        let main = path.join("simbell.toml");
        let after = files.iter().position(|file| *file != main && file.as_path() > added);
        files.insert(after.unwrap_or(files.len()), added.to_owned());
    }
    let mut fragments = Vec::new();
    for path in files {
        let text = match added.filter(|(added, _)| *added == path) {
            Some((_, text)) => Ok(text.to_owned()),
            None => read_text(&path),
        };
        match text {
            Ok(text) => {
                let (fragment, mut wrong) = parse(path, text, fragments.len());
                problems.append(&mut wrong);
                fragments.push(fragment);
            }
            Err(problem) => problems.push(*problem),
        }
    }
    (fragments, problems)
}

/// Parses one text as the file number `index`; goes on after errors as far as they can be told apart.
pub(super) fn parse(path: PathBuf, text: String, index: usize) -> (Fragment, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(&text);
    let table = owned_table(table.get_ref(), index);
    let mut problems: Vec<Problem> = errors.iter().map(|error| syntax(&path, &text, error)).collect();
    // What follows on a line after its first error is mostly the error's echo.
    problems.sort_by_key(Problem::position);
    problems.dedup_by_key(|problem| problem.line());
    let lost_from = lost_from(&text, &errors);
    if let Some(lost) = lost_from {
        let (before, _): (Vec<_>, Vec<_>) = problems.into_iter().partition(|problem| problem.line() < lost);
        problems = before;
        let start = line_start(&text, lost);
        let place = (path.as_path(), text.as_str(), start..start);
        let message = "not TOML: a list before this line is not closed; add `]` where it ends";
        problems.push(Problem::at(ProblemKind::Syntax, place, Show::Line, "", message.to_owned()));
    }
    (Fragment { path, text, table, lost_from }, problems)
}

fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Problem {
    let place = (path, text, error.span().unwrap_or(0..0));
    Problem::at(ProblemKind::Syntax, place, Show::Line, "", format!("not TOML: {}", error.message()))
}

/// The first of the lines until the end that a list which is not closed has swallowed: each of them lacks a
/// comma before its first word.
fn lost_from(text: &str, errors: &[toml::de::Error]) -> Option<usize> {
    if !errors.iter().any(|error| error.message().starts_with("unclosed array")) {
        return None;
    }
    let lines_without_comma: BTreeSet<usize> = errors
        .iter()
        .filter(|error| error.message().starts_with("missing comma between array elements"))
        .filter_map(|error| {
            let before = text.get(..error.span()?.start)?;
            let line_start = before.rfind('\n').map_or(0, |i| i.saturating_add(1));
            before
                .get(line_start..)?
                .trim()
                .is_empty()
                .then(|| before.matches('\n').count().saturating_add(1))
        })
        .collect();
    let mut lost = None;
    let lines: Vec<&str> = text.lines().collect();
    for (number, line) in lines.iter().enumerate().rev().map(|(index, line)| (index.saturating_add(1), line))
    {
        if lines_without_comma.contains(&number) {
            lost = Some(number);
        } else if !(line.trim().is_empty() || line.trim_start().starts_with('#')) {
            break;
        }
    }
    lost
}

fn line_start(text: &str, line: usize) -> usize {
    let breaks = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
    std::iter::once(0).chain(breaks).nth(line.saturating_sub(1)).unwrap_or(text.len())
}

fn files_of(dir: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let main = dir.join("simbell.toml");
    match fs::metadata(&main) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        _ => files.push(main),
    }
    let drop_ins = dir.join("conf.d");
    let listed = match fs::read_dir(&drop_ins) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return files,
        Err(error) => {
            problems.push(unreadable(&drop_ins, &error));
            return files;
        }
    };
    let mut found = Vec::new();
    for entry in listed {
        match entry {
            Ok(entry) => {
                let name = entry.file_name();
                let hidden = name.as_encoded_bytes().starts_with(b".");
                if !hidden && Path::new(&name).extension().is_some_and(|e| e == "toml") {
                    found.push(entry.path());
                }
            }
            Err(error) => problems.push(unreadable(&drop_ins, &error)),
        }
    }
    found.sort();
    if found.len() > MAX_FILES {
        let message = format!("holds {} files; {MAX_FILES} are read at most: join some", found.len());
        problems.push(Problem::in_file(ProblemKind::Unreadable, &drop_ins, message));
        found.truncate(MAX_FILES);
    }
    files.append(&mut found);
    files
}

fn read_text(path: &Path) -> Result<String, Box<Problem>> {
    let refuse = |message: String| Box::new(Problem::in_file(ProblemKind::Unreadable, path, message));
    simbell_rules::read_text(path, MAX_FILE, Links::Followed).map_err(|unread| match unread {
        Unread::Failed(error) => Box::new(unreadable(path, &error)),
        Unread::NoFile => refuse("is not a regular file; put a TOML file there".to_owned()),
        Unread::TooLarge => {
            refuse("is larger than 1 MiB, which no configuration needs; is it the right file?".to_owned())
        }
        Unread::NoText(at) => refuse(format!("is not UTF-8 text (from byte {at} on); save it as UTF-8")),
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let way_out = match error.kind() {
        std::io::ErrorKind::NotFound => "create it, or name another file or folder",
        std::io::ErrorKind::PermissionDenied => "let the service's user read it",
        _ => "see whether its disk is well",
    };
    Problem::in_file(ProblemKind::Unreadable, path, format!("cannot be read ({error}); {way_out}"))
}

fn owned_table(table: &DeTable<'_>, file: usize) -> Table {
    table
        .iter()
        .map(|(key, value)| {
            let key_place = Place { file, span: key.span() };
            (key.get_ref().to_string(), Entry { key_place, node: owned(value, file) })
        })
        .collect()
}

fn owned(value: &Spanned<DeValue<'_>>, file: usize) -> Node {
    let place = Place { file, span: value.span() };
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(yes) => Value::Boolean(*yes),
        DeValue::Datetime(datetime) => Value::Date(*datetime),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| owned(item, file)).collect()),
        DeValue::Table(table) => Value::Table(owned_table(table, file)),
    };
    Node { value, place }
}
