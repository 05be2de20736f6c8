//! What runs and yet is hardly meant: said by a check, never while the service runs.

use crate::problem::{Code, Problem, Source};
use crate::registry::Book;

/// Warnings of a rule's text.
pub(crate) fn warnings(source: &Source<'_>, text: &str) -> Vec<Problem> {
    let code = Code::of(text);
    let words = code.words();
    let mut problems = Vec::new();
    let mut warn = |at, message: &str, hint: &str| {
        problems.push(source.problem(Some(at), message).hint(hint.to_owned()).warning());
    };
    if let Some(at) = interpolated(&code) {
        warn(
            at,
            "`${…}` in double quotes is said as it stands here",
            "values go into a text in back quotes: `${sim.name}`, with ` on both sides",
        );
    }
    for (at, list) in
        words.iter().filter(|(_, word)| ["sims", "modems", "deliveries"].contains(&word.as_str()))
    {
        let rest: String =
            code.line(at.0).iter().skip(at.1.saturating_sub(1)).filter(|c| **c != ' ').collect();
        if rest.starts_with(&format!("{list}()==()")) || rest.starts_with(&format!("{list}()!=()")) {
            warn(
                *at,
                &format!("`{list}()` is a list, and never absent"),
                &format!("write `{list}().is_empty()`"),
            );
        }
    }
    if let Some(at) = code.return_at_the_top() {
        warn(
            at,
            "`return` outside of a function: constants behind it are not made",
            "the top of a file has constants and functions only; delete it, or move it into a function",
        );
    }
    for pair in words.windows(2) {
        if let [(at, keyword), (_, name)] = pair
            && keyword == "fn"
            && Book::shown().function_names().any(|known| known == name)
        {
            warn(
                *at,
                &format!("`{name}` is simbell's own: this function takes its place in this file"),
                "give it another name, unless that is what you want",
            );
        }
    }
    let calls =
        |names: &[&str]| words.iter().find(|(_, word)| names.contains(&word.as_str())).map(|(at, _)| *at);
    let effects = ["remind", "resolve", "remember", "forget", "send_sms", "send_ussd", "disconnect"];
    if let (Some(at), None, None) = (calls(&["print"]), calls(&effects), calls(&["import"])) {
        warn(
            at,
            "`print` writes to the service's log: this rule reminds of nothing",
            "write `remind(\"key\", \"text\")`",
        );
    }
    problems
}

/// The first `${` within double quotes.
fn interpolated(code: &Code) -> Option<(usize, usize)> {
    (1..=code.count()).find_map(|number| {
        let (line, raw) = (code.line(number), code.raw(number));
        let mut quoted = false;
        line.iter().zip(raw).enumerate().find_map(|(index, (kept, character))| {
            if *kept == '"' {
                quoted = !quoted;
            }
            let brace = raw.get(index.saturating_add(1)) == Some(&'{');
            (quoted && *character == '$' && brace).then_some((number, index.saturating_add(1)))
        })
    })
}
