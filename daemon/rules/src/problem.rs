//! What is wrong with a rule or a plugin: where, what, and what to do.

use std::fmt;

use rhai::{EvalAltResult, LexError, ParseErrorType, Position};

use crate::engine::DISABLED;
use crate::limits::limit;
use crate::modules::text_of;
use crate::registry::Book;
use crate::text::{harmless, short};

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
    pub excerpt: Option<Box<str>>,
}

impl fmt::Display for Problem {
    /// `file:line:column: message`, then the source line with a caret below the column, then the hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        let kind = if self.severity == Severity::Warning { "warning: " } else { "" };
        write!(f, ": {kind}{}", self.message)?;
        if let (Some((line, column)), Some(excerpt)) = (self.at, &self.excerpt) {
            let number = line.to_string();
            let blank: String = excerpt
                .chars()
                .take(column.saturating_sub(1))
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            write!(f, "\n  {number} | {excerpt}\n  {:1$} | {blank}^", "", number.len())?;
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
        let excerpt = at
            .zip(self.text)
            .and_then(|((line, _), text)| text.lines().nth(line.saturating_sub(1)))
            .map(|line| harmless(line.trim_end(), 160).into());
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
        let (message, hint) = parse_words(error.err_type(), names);
        let at = place(error.position());
        let beyond = at.zip(self.text).is_some_and(|((line, _), text)| line > text.lines().count());
        let unclosed =
            || beyond.then(|| "the file ends here: is a `}`, `)` or quote missing above?".to_owned());
        self.problem(at, message).hint(hint.or_else(unclosed))
    }

    /// A failed test: where the test itself failed, not a function of its own that it called.
    pub(crate) fn test(&self, error: &EvalAltResult, functions: &[String]) -> Problem {
        let problem = self.run(error, functions);
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
        let (message, hint) = run_words(inner, functions, book);
        if module.is_empty() || module == self.file {
            return self.problem(place(position), message).hint(hint);
        }
        let text = text_of(module);
        Source { file: module, text: text.as_deref() }.problem(place(position), message).hint(hint)
    }
}

impl Problem {
    pub(crate) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
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

fn parse_words(error: &ParseErrorType, names: &[String]) -> (String, Option<String>) {
    match error {
        ParseErrorType::VariableUndefined(name) if name == "settings" => {
            let hint = "a module sees no settings: let its functions take what they need as a value";
            ("unknown variable `settings`".to_owned(), Some(hint.to_owned()))
        }
        ParseErrorType::ModuleUndefined(name) => {
            let hint = format!("import it at the top of the file: import \"{0}\" as {0};", short(name));
            (format!("unknown module `{}`", short(name)), Some(hint))
        }
        ParseErrorType::VariableUndefined(name) => {
            let known = names.iter().map(String::as_str).chain(["settings"]);
            let hint = meant(nearest(name, known)).or_else(|| {
                let text = "a function sees its parameters, its own `let`, the constants of the file and `settings`; \
                            an anonymous function sees only its parameters and constants";
                Some(text.to_owned())
            });
            (format!("unknown variable `{}`", short(name)), hint)
        }
        ParseErrorType::Reserved(word) | ParseErrorType::BadInput(LexError::ImproperSymbol(word, _)) => {
            let hint = match word.as_str() {
                "===" | "!==" => "write `==` or `!=`",
                word if DISABLED.contains(&word) => {
                    "rules have no eval, no function pointers by name and no curry"
                }
                _ => return (error_text(error), None),
            };
            (error_text(error), Some(hint.to_owned()))
        }
        ParseErrorType::ExprTooDeep => {
            (error_text(error), Some(format!("split the expression with `let`; {}", limit("nesting"))))
        }
        ParseErrorType::TooManyFunctions => (error_text(error), Some(limit("functions"))),
        ParseErrorType::LiteralTooLarge(what, _) => (error_text(error), Some(limit(size_key(what)))),
        ParseErrorType::BadInput(LexError::StringTooLong(_)) => (error_text(error), Some(limit("text"))),
        _ => (error_text(error), None),
    }
}

/// The key of the limit that a value is too large for, by Rhai's words for it.
fn size_key(what: &str) -> &'static str {
    match what.to_ascii_lowercase() {
        what if what.contains("string") => "text",
        what if what.contains("map") => "entries",
        _ => "items",
    }
}

fn error_text(error: &ParseErrorType) -> String {
    lower_first(&error.to_string())
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

fn run_words(
    error: &EvalAltResult,
    functions: &[String],
    book: fn() -> &'static Book,
) -> (String, Option<String>) {
    match error {
        EvalAltResult::ErrorRuntime(text, _) => (text.to_string(), None),
        EvalAltResult::ErrorTerminated(reason, _) => {
            let reason = reason.to_string();
            let key = match &reason {
                reason if reason.contains("memory") => "memory",
                reason if reason.contains("deeply") => "stack",
                _ => "time",
            };
            let hint = format!("is there an endless loop, or a list that grows? {}", limit(key));
            (format!("the rule was ended: it {reason}"), Some(hint))
        }
        EvalAltResult::ErrorTooManyOperations(_) => (
            "the rule was ended: too many operations".to_owned(),
            Some(format!("is there an endless loop? {}", limit("operations"))),
        ),
        EvalAltResult::ErrorStackOverflow(_) => (
            "the rule was ended: too many calls within calls".to_owned(),
            Some(format!("does a function call itself? {}", limit("calls"))),
        ),
        EvalAltResult::ErrorDataTooLarge(what, _) => (
            format!("too large: {}", lower_first(what)),
            Some(format!("a rule works on few and small values; {}", limit(size_key(what)))),
        ),
        EvalAltResult::ErrorTooManyVariables(_) => {
            ("the rule was ended: too many variables".to_owned(), Some(limit("variables")))
        }
        EvalAltResult::ErrorTooManyModules(_) => {
            ("the rule imports too many modules".to_owned(), Some(limit("modules")))
        }
        EvalAltResult::ErrorMismatchDataType(wanted, given, _) => {
            let absent = given == "()";
            let hint = "an absent value, `()`, is neither true nor false: write `if sim.roaming == true`";
            (
                format!("this is {given}, but {wanted} is needed here"),
                (absent && wanted == "bool").then(|| hint.to_owned()),
            )
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => unknown_function(signature, functions, book),
        EvalAltResult::ErrorDotExpr(text, _) => unknown_property(text, book),
        EvalAltResult::ErrorParsing(error, _) => parse_words(error, &[]),
        other => {
            let text = other.to_string();
            let text = text.rfind(" (line ").and_then(|end| text.get(..end)).unwrap_or(&text);
            (lower_first(text), None)
        }
    }
}

fn unknown_function(
    signature: &str,
    functions: &[String],
    book: fn() -> &'static Book,
) -> (String, Option<String>) {
    let (name, arguments) = signature.split_once(' ').unwrap_or((signature, ""));
    // Rhai's names of types, as people know them.
    let arguments = arguments
        .replace("&str | ImmutableString | String", "string")
        .replace("i64", "number")
        .replace("decimal", "number");
    if name.chars().all(|c| c.is_ascii_punctuation() && c != '_') {
        let unit = [("DataSize", "5.GB"), ("Percent", "80.percent"), ("Span", "3.days")]
            .into_iter()
            .find(|(unit, _)| arguments.contains(unit) && arguments.contains("number"));
        let hint = match unit {
            _ if arguments.contains("()") => Some(
                "a value on one side is absent, `()`: test it first, as in `if x != () { … }`".to_owned(),
            ),
            Some((_, example)) => Some(format!("a number needs a unit here, as in {example}")),
            None => None,
        };
        return (format!("`{name}` does not work on {}", listed(&arguments)), hint);
    }
    let book = book();
    let known = || book.function_names().chain(["print"]);
    if known().any(|known| known == name) || functions.iter().any(|own| own == name) {
        let examples = book.examples(name);
        let hint = (!examples.is_empty()).then(|| format!("write it as `{}`", examples.join("` or `")));
        let given = if arguments == "()" { "nothing" } else { listed(&arguments) };
        return (format!("`{name}` does not take {given}"), hint);
    }
    let hint = meant(nearest(name, known().map(str::to_owned).chain(functions.iter().cloned())));
    (format!("unknown function `{}`", short(name)), hint)
}

/// `(string, number)` without its parentheses.
fn listed(arguments: &str) -> &str {
    arguments.strip_prefix('(').and_then(|list| list.strip_suffix(')')).unwrap_or(arguments)
}

/// Rhai says: `Unknown property 'x' - a getter is not registered for type 'Sim'`.
fn unknown_property(text: &str, book: fn() -> &'static Book) -> (String, Option<String>) {
    let mut quoted = text.split('\'').skip(1).step_by(2);
    let (Some(property), Some(shown)) = (quoted.next(), quoted.next()) else {
        return (lower_first(text), None);
    };
    if text.starts_with("No writable") {
        return (format!("`{property}` cannot be set: what a rule sees is read-only"), None);
    }
    if shown == "()" {
        let hint = "test the value first, as in `if sim.cycle != () { … }`".to_owned();
        return (format!("`.{property}` of an absent value, `()`"), Some(hint));
    }
    let known = book().properties_of(shown);
    let hint = meant(nearest(property, known.iter().copied()))
        .or_else(|| (!known.is_empty()).then(|| format!("it has: {}", known.join(", "))));
    let owner = match shown {
        "i64" | "decimal" => "a number",
        other => other,
    };
    (format!("{owner} has no property `{}`", short(property)), hint)
}
