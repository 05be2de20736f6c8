//! Words for what Rhai says of a text that it cannot read.

use rhai::{LexError, ParseErrorType};

use super::{lower_first, meant, nearest};
use crate::engine::DISABLED;
use crate::limits::limit;
use crate::text::short;

/// What is wrong, and what to do about it where that is known.
pub(super) fn words(error: &ParseErrorType, names: &[String]) -> (String, Option<String>) {
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
                word if DISABLED.contains(&word) => {
                    "rules have no eval, no function pointers by name and no curry"
                }
                _ => return (text(error), None),
            };
            (text(error), Some(hint.to_owned()))
        }
        ParseErrorType::ExprTooDeep => {
            (text(error), Some(format!("split the expression with `let`; {}", limit("nesting"))))
        }
        ParseErrorType::TooManyFunctions => (text(error), Some(limit("functions"))),
        ParseErrorType::LiteralTooLarge(what, _) => (text(error), Some(limit(size_key(what)))),
        ParseErrorType::BadInput(LexError::StringTooLong(_)) => (text(error), Some(limit("text"))),
        _ => (text(error), None),
    }
}

/// The key of the limit that a value is too large for, by Rhai's words for it.
pub(super) fn size_key(what: &str) -> &'static str {
    match what.to_ascii_lowercase() {
        what if what.contains("string") => "text",
        what if what.contains("map") => "entries",
        _ => "items",
    }
}

fn text(error: &ParseErrorType) -> String {
    lower_first(&error.to_string())
}
