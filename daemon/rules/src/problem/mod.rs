//! What is wrong with a rule or a plugin: where, what, and what to do.

mod code;
mod excerpt;
mod running;
mod syntax;
mod usual;

use std::fmt;

use rhai::{EvalAltResult, Position};

use crate::modules::text_of;
use crate::registry::Book;
use crate::text::harmless;

pub(crate) use code::{Code, Open};
pub(crate) use excerpt::Excerpt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The rule cannot run.
    Error,
    /// The rule runs, and something will go wrong on some input.
    Warning,
}

/// One problem of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as shown to people.
    pub file: String,
    /// Line and column, both from 1, where known.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The source line.
    pub(crate) excerpt: Option<Box<Excerpt>>,
}

impl fmt::Display for Problem {
    /// `file:line:column: message`, then the source line with a caret below the place, then the hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        let kind = if self.severity == Severity::Warning { "warning: " } else { "" };
        write!(f, ": {kind}{}", self.message)?;
        if let (Some((line, _)), Some(excerpt)) = (self.at, &self.excerpt) {
            let number = line.to_string();
            let (width, before) = (number.len(), excerpt.before);
            write!(f, "\n  {number} | {}\n  {:width$} | {:before$}^", excerpt.line, "", "")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// A file under examination: its name as shown, and its text for excerpts where it is at hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: Option<&'a str>,
}

impl Source<'_> {
    pub(crate) fn problem(&self, at: Option<(usize, usize)>, message: impl Into<String>) -> Problem {
        let excerpt = at.zip(self.text).and_then(|(at, text)| Excerpt::of(text, at)).map(Box::new);
        Problem {
            severity: Severity::Error,
            file: self.file.to_owned(),
            at,
            message: harmless(&message.into(), 500),
            hint: None,
            excerpt,
        }
    }

    pub(crate) fn offset(&self, offset: usize) -> Option<(usize, usize)> {
        let before = self.text?.get(..offset)?;
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()).saturating_add(1);
        Some((line, column))
    }

    /// A problem found while compiling.
    pub(crate) fn parse(&self, error: &rhai::ParseError, names: &[String]) -> Problem {
        let at = place(error.position());
        let usual =
            at.zip(self.text).and_then(|(at, text)| usual::of_syntax(text, at, error.err_type(), names));
        if let Some(found) = usual {
            return self.problem(Some(found.at), found.message).hint(found.hint);
        }
        let (message, hint) = syntax::words(error.err_type(), names);
        self.problem(at, message).hint(hint)
    }

    /// A failed test: where the test itself failed, not a function of its own that it called; the test as a whole where
    /// Rhai tells no place.
    pub(crate) fn test(&self, name: &str, error: &EvalAltResult, functions: &[String]) -> Problem {
        let problem = self.run_in(name, error, functions);
        Problem {
            message: problem.message.replacen("the rule was ended", "the test was ended", 1),
            ..problem
        }
    }

    /// A problem found while running; `functions` are those of the file.
    pub(crate) fn run(&self, error: &EvalAltResult, functions: &[String]) -> Problem {
        self.run_knowing(error, functions, Book::shown)
    }

    /// As [`Self::run`], of a script that knows something else than rules do.
    pub(crate) fn run_knowing(
        &self,
        error: &EvalAltResult,
        functions: &[String],
        book: fn() -> &'static Book,
    ) -> Problem {
        let mut inner = error;
        let mut position = inner.position();
        let mut module = "";
        while let EvalAltResult::ErrorInFunctionCall(_, source, deeper, _) = inner {
            inner = deeper;
            if !inner.position().is_none() {
                position = inner.position();
                module = source;
            }
        }
        let (message, hint) = running::words(inner, functions, book);
        if module.is_empty() || module == self.file {
            return self.problem(place(position), message).hint(hint);
        }
        let text = text_of(module);
        Source { file: module, text: text.as_deref() }.problem(place(position), message).hint(hint)
    }

    /// The same in a hook, which is the place where Rhai tells none.
    pub(crate) fn run_in(&self, hook: &str, error: &EvalAltResult, functions: &[String]) -> Problem {
        let problem = self.run(error, functions);
        match self.text.filter(|_| problem.at.is_none()).and_then(|text| Code::of(text).function(hook)) {
            Some(at) => self.problem(Some(at), problem.message).hint(problem.hint),
            None => problem,
        }
    }
}

impl Problem {
    pub(crate) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into().map(|hint| harmless(&hint, 500));
        self
    }

    pub(crate) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

/// The candidate most like `name`, if any is alike enough to be meant.
pub(crate) fn nearest<S: AsRef<str>>(name: &str, candidates: impl IntoIterator<Item = S>) -> Option<String> {
    let most = name.chars().count().div_euclid(3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let (a, b) = (name.to_lowercase(), candidate.as_ref().to_lowercase());
            (strsim::damerau_levenshtein(&a, &b), candidate)
        })
        .filter(|(distance, candidate)| *distance <= most && candidate.as_ref() != name)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.as_ref().to_owned())
}

fn place(position: Position) -> Option<(usize, usize)> {
    position.line().map(|line| (line, position.position().unwrap_or(1)))
}

fn meant(name: Option<String>) -> Option<String> {
    name.map(|name| format!("did you mean `{name}`?"))
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().collect::<String>() + characters.as_str()
        }
        _ => text.to_owned(),
    }
}
