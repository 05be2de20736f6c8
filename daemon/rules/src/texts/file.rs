//! One Fluent file: read within bounds, and what its messages need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fluent_bundle::FluentResource;
use fluent_syntax::ast::{CallArguments, Entry, Expression, InlineExpression, Pattern, PatternElement};

use super::read_text;
use crate::limits::Limits;
use crate::problem::{Problem, Source, nearest};
use crate::text::short;

/// Braces and brackets of one message: the parser calls itself for each within another.
const MOST_BRACKETS: usize = 100;
/// Bytes of one message. With the runtime's hundred placeables this bounds what a message can become.
const MOST_BYTES: usize = 4_000;
const MOST_MESSAGES: usize = 500;
/// Messages within messages.
const MOST_DEPTH: usize = 5;

/// One file that could be read.
pub(super) struct TextFile {
    pub(super) name: String,
    pub(super) resource: FluentResource,
}

/// What the messages and terms of a language refer to.
#[derive(Default)]
pub(super) struct Needs {
    entries: BTreeMap<String, Uses>,
}

/// What one message refers to itself; names of terms begin with `-`.
#[derive(Debug, Default)]
struct Uses {
    file: String,
    at: Option<(usize, usize)>,
    line: String,
    values: BTreeSet<String>,
    entries: BTreeSet<String>,
    /// A part of Fluent that is not there.
    absent: Option<&'static str>,
}

/// What an entry comes to with all that it refers to.
#[derive(Debug, Clone)]
struct Settled {
    /// Entries within entries.
    depth: usize,
    values: BTreeSet<String>,
}

impl TextFile {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// Every problem, each with its line.
    pub(super) fn read(path: &Path, limits: &Limits) -> Result<Self, Vec<Problem>> {
        let name = path.display().to_string();
        let text = read_text(path, limits).map_err(|problem| vec![problem])?;
        Self::parsed(name, text)
    }

    /// Parses the text of a file.
    ///
    /// # Errors
    /// Every problem, each with its line.
    pub(super) fn parsed(name: String, text: String) -> Result<Self, Vec<Problem>> {
        let source = Source { file: &name, text: Some(&text) };
        bounded(&source, &text).map_err(|problem| vec![problem])?;
        let parsed = FluentResource::try_new(text.clone());
        match parsed {
            Ok(resource) => Ok(Self { name, resource }),
            Err((_, errors)) => Err(errors
                .iter()
                .take(8)
                .map(|error| {
                    let at = source.offset(error.pos.start.min(text.len()));
                    let hint = "a message is `name = Text with { $value }`, its further lines indented";
                    source.problem(at, lower(&error.kind.to_string())).hint(hint.to_owned())
                })
                .collect()),
        }
    }
}

/// Refuses what the parser or the runtime could be led astray by, before either sees it. A line that begins with
/// `name =` ends whatever the parser was in the middle of, so that each message is counted by itself.
fn bounded(source: &Source<'_>, text: &str) -> Result<(), Problem> {
    let (mut messages, mut brackets, mut bytes) = (0_usize, 0_usize, 0_usize);
    for (index, line) in text.lines().enumerate() {
        let at = Some((index.saturating_add(1), 1));
        if begins_entry(line) {
            (brackets, bytes) = (0, 0);
            messages = messages.saturating_add(1);
        }
        brackets = brackets.saturating_add(line.matches(['{', '(']).count());
        bytes = bytes.saturating_add(line.len());
        if messages > MOST_MESSAGES {
            return Err(source.problem(at, format!("the file has more than {MOST_MESSAGES} messages")));
        }
        if brackets > MOST_BRACKETS {
            return Err(source.problem(at, format!("a message may have {MOST_BRACKETS} of {{ and ( at most")));
        }
        if bytes > MOST_BYTES && !line.starts_with('#') {
            return Err(source.problem(at, format!("a message may have {MOST_BYTES} bytes at most")));
        }
    }
    Ok(())
}

fn begins_entry(line: &str) -> bool {
    let name = line.strip_prefix('-').unwrap_or(line);
    let rest = name.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && rest.trim_start_matches(' ').starts_with('=')
}

impl Needs {
    pub(super) fn take(&mut self, file: &TextFile) {
        for entry in file.resource.entries() {
            let (name, value) = match entry {
                Entry::Message(message) => (message.id.name.to_owned(), message.value.as_ref()),
                Entry::Term(term) => (format!("-{}", term.id.name), Some(&term.value)),
                _ => continue,
            };
            let mut uses = Uses { file: file.name.clone(), ..Uses::default() };
            let text = file.resource.source();
            let line = text.lines().enumerate().find(|(_, line)| {
                let rest = line.strip_prefix(name.as_str()).map(|rest| rest.trim_start_matches(' '));
                rest.is_some_and(|rest| rest.starts_with('='))
            });
            if let Some((index, line)) = line {
                uses.at = Some((index.saturating_add(1), 1));
                line.clone_into(&mut uses.line);
            }
            if let Some(value) = value {
                uses.pattern(value);
                self.entries.insert(name, uses);
            }
        }
    }

    /// The values that each message takes, those of the messages within it included.
    ///
    /// # Errors
    /// What is referred to and not there, or refers to itself.
    pub(super) fn settled(self) -> Result<BTreeMap<String, BTreeSet<String>>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut settled = BTreeMap::new();
        let mut known = BTreeMap::new();
        for (name, uses) in &self.entries {
            let values = match self.collect(name, 0, &mut known) {
                Ok(Settled { values, .. }) => values,
                Err(wrong) => {
                    // The line of the message, not of what it refers to: that is where it can be mended.
                    let at = uses.at.map(|(_, column)| (1, column));
                    let mut problem = Source { file: &uses.file, text: Some(&uses.line) }.problem(at, wrong);
                    problem.at = uses.at;
                    problems.push(problem);
                    continue;
                }
            };
            if !name.starts_with('-') {
                settled.insert(name.clone(), values);
            }
        }
        if problems.is_empty() { Ok(settled) } else { Err(problems) }
    }

    /// Each entry is looked at once: a few messages of which each holds all of the next would else be millions.
    fn collect<'a>(
        &'a self,
        name: &'a str,
        depth: usize,
        known: &mut BTreeMap<&'a str, Settled>,
    ) -> Result<Settled, String> {
        let Some(uses) = self.entries.get(name) else {
            let hint = nearest(name, self.entries.keys())
                .map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
            return Err(format!("there is no `{}` to refer to{hint}", short(name)));
        };
        let below = known.get(name).map_or(0, |settled| settled.depth);
        if depth.saturating_add(below) > MOST_DEPTH {
            return Err(format!(
                "messages within messages deeper than {MOST_DEPTH}: does `{}` refer to itself?",
                short(name)
            ));
        }
        if let Some(settled) = known.get(name) {
            return Ok(settled.clone());
        }
        if let Some(absent) = uses.absent {
            return Err(format!("texts have no {absent}"));
        }
        // A term is given its values by who refers to it.
        let own = uses.values.iter().filter(|_| !name.starts_with('-'));
        let mut settled = Settled { depth: 0, values: own.cloned().collect() };
        for within in &uses.entries {
            let more = self.collect(within, depth.saturating_add(1), known)?;
            settled.depth = settled.depth.max(more.depth.saturating_add(1));
            settled.values.extend(more.values);
        }
        known.insert(name, settled.clone());
        Ok(settled)
    }
}

impl Uses {
    fn pattern(&mut self, pattern: &Pattern<&str>) {
        for element in &pattern.elements {
            if let PatternElement::Placeable { expression } = element {
                self.expression(expression);
            }
        }
    }

    fn expression(&mut self, expression: &Expression<&str>) {
        match expression {
            Expression::Inline(inline) => self.inline(inline),
            Expression::Select { selector, variants } => {
                self.inline(selector);
                for variant in variants {
                    self.pattern(&variant.value);
                }
            }
        }
    }

    fn inline(&mut self, inline: &InlineExpression<&str>) {
        match inline {
            InlineExpression::StringLiteral { .. } | InlineExpression::NumberLiteral { .. } => {}
            InlineExpression::VariableReference { id } => {
                self.values.insert(id.name.to_owned());
            }
            InlineExpression::MessageReference { id, attribute } => {
                self.entries.insert(id.name.to_owned());
                if attribute.is_some() {
                    self.absent = Some("attributes (`message.attribute`)");
                }
            }
            InlineExpression::TermReference { id, attribute, arguments } => {
                self.entries.insert(format!("-{}", id.name));
                if attribute.is_some() {
                    self.absent = Some("attributes (`-term.attribute`)");
                }
                self.arguments(arguments.as_ref());
            }
            InlineExpression::FunctionReference { .. } => {
                self.absent = Some("functions such as NUMBER(): values come as they are to be shown");
            }
            InlineExpression::Placeable { expression } => self.expression(expression),
        }
    }

    fn arguments(&mut self, arguments: Option<&CallArguments<&str>>) {
        let Some(arguments) = arguments else { return };
        for one in arguments.positional.iter().chain(arguments.named.iter().map(|named| &named.value)) {
            self.inline(one);
        }
    }
}

fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_lowercase().collect::<String>() + characters.as_str())
        .unwrap_or_default()
}
