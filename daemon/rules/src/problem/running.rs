//! Words for what goes wrong while a rule runs.

use rhai::EvalAltResult;

use super::{lower_first, meant, nearest, syntax};
use crate::limits::limit;
use crate::reference::standard_names;
use crate::registry::Book;
use crate::text::short;

/// What is wrong, and what to do about it where that is known.
pub(super) fn words(
    error: &EvalAltResult,
    functions: &[String],
    book: fn() -> &'static Book,
) -> (String, Option<String>) {
    match error {
        // What a function says goes over two lines where it knows a way out.
        EvalAltResult::ErrorRuntime(text, _) => {
            let text = text.to_string();
            match text.split_once('\n') {
                Some((message, hint)) => (message.to_owned(), Some(hint.replace('\n', " "))),
                None => (text, None),
            }
        }
        EvalAltResult::ErrorArrayBounds(count, index, _) => (
            format!("there is no element {index}: the list has {count}, counted from 0"),
            Some(format!("`list.get({index})` is absent, `()`, where there is none")),
        ),
        EvalAltResult::ErrorAssignmentToConstant(name, _) => (
            format!("`{}` is a constant: it stays as it is", short(name)),
            Some("make a variable of it, as in `let sum = LIMIT;`, and change that".to_owned()),
        ),
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
            Some(format!("a rule works on few and small values; {}", limit(syntax::size_key(what)))),
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
            let [given, wanted] = [given, wanted].map(|of| known_as(of));
            (
                format!("this is {given}, but {wanted} is needed here"),
                (absent && wanted == "bool").then(|| hint.to_owned()),
            )
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => unknown_function(signature, functions, book),
        EvalAltResult::ErrorDotExpr(text, _) => unknown_property(text, book),
        EvalAltResult::ErrorParsing(error, _) => syntax::words(error, &[]),
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
        let unit = [("DataSize", "5.GB"), ("Percent", "80.percent"), ("Span", "3.days"), ("Money", "5.EUR")]
            .into_iter()
            .find(|(unit, _)| arguments.contains(unit) && arguments.contains("number"));
        let hint = match unit {
            _ if arguments.contains("()") => Some(
                "a value on one side is absent, `()`: test it first, as in `if x != () { … }`".to_owned(),
            ),
            Some((_, example)) => Some(format!("a number needs a unit here, as in {example}")),
            None if arguments.contains("string") => Some(
                "a text in quotes is no amount: write 5.GB, 3.days, 80.percent or date(\"2026-11-22\")"
                    .to_owned(),
            ),
            None => None,
        };
        return (format!("`{name}` does not work on {}", listed(&arguments)), hint);
    }
    let book = book();
    let known = || book.function_names().chain(["print"]);
    if known().any(|known| known == name) || functions.iter().any(|own| own == name) {
        let mut examples = book.examples(name);
        // `min` is there for each unit, and written in one way.
        let mut seen = std::collections::BTreeSet::new();
        examples.retain(|example| seen.insert(*example));
        let hint = (!examples.is_empty()).then(|| format!("write it as `{}`", examples.join("` or `")));
        let message = match arguments.as_str() {
            "()" | "" => format!("`{name}` needs to be given something"),
            given => format!("`{name}` does not take {}", listed(given)),
        };
        return (message, hint);
    }
    let own = functions.iter().cloned();
    let hint = elsewhere(name).or_else(|| {
        meant(nearest(name, known().chain(standard_names()).map(str::to_owned).chain(own)))
            .or_else(|| Some("`simbellctl rules reference` lists what there is".to_owned()))
    });
    (format!("unknown function `{}`", short(name)), hint)
}

/// Rhai's name of a type, as people know it.
fn known_as(of: &str) -> &str {
    match of {
        "i64" => "a whole number",
        "decimal" => "a number",
        of if of.contains("::Range") => "a range",
        of => of,
    }
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
        let hint = format!("keep a value of your own, as in `let {property} = …;`");
        return (format!("`{property}` cannot be set: what a rule sees is read-only"), Some(hint));
    }
    if shown == "()" {
        let hint = "test the value first, as in `if sim.cycle != () { … }`".to_owned();
        return (format!("`.{property}` of an absent value, `()`"), Some(hint));
    }
    let known = book().properties_of(shown);
    let hint = elsewhere(property)
        .or_else(|| meant(nearest(property, known.iter().copied())))
        .or_else(|| (!known.is_empty()).then(|| format!("it has: {}", known.join(", "))))
        .or_else(|| meant(nearest(property, standard_names()).map(|name| format!("{name}()"))));
    let owner = match shown {
        "i64" | "decimal" => "a number",
        "array" => "a list",
        "string" => "a text",
        other => other,
    };
    (format!("{owner} has no property `{}`", short(property)), hint)
}

/// How Rhai has what other languages call so.
fn elsewhere(name: &str) -> Option<String> {
    let here = match name {
        "length" | "size" | "count" | "strlen" => "len()",
        "toUpperCase" | "upper" | "uppercase" => "to_upper()",
        "toLowerCase" | "lower" | "lowercase" => "to_lower()",
        "includes" | "has" | "indexOf" | "has_key" | "contains_key" => "contains(…)",
        "startsWith" | "startswith" => "starts_with(…)",
        "endsWith" | "endswith" => "ends_with(…)",
        "add" | "push_back" => "push(…)",
        "forEach" => "for x in list { … }",
        "toString" | "str" => "to_string()",
        "substring" | "substr" | "slice" => "sub_string(…)",
        "parseInt" => "parse_int(…)",
        "strip" => "trim()",
        "floatval" | "parseFloat" | "float" => "parse_decimal(…)",
        "log" | "println" | "printf" | "echo" | "puts" => "print(…)",
        "notify" | "alert" | "send" => "remind(\"key\", \"text\")",
        _ => return None,
    };
    Some(format!("write `{here}`"))
}
