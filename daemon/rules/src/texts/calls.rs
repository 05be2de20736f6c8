//! `text("name", #{ … })` in a rule's source: whether the message is there, and given all it takes.

use std::collections::BTreeSet;

use super::{Texts, unknown};
use crate::problem::{Problem, Source};

/// One call with a name that can be read off the source.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    offset: usize,
    message: String,
    /// What it is given; none where the source does not tell.
    given: Option<BTreeSet<String>>,
}

/// What is wrong with the calls of `text`, branches that no made-up input reaches included.
pub(crate) fn check_calls(source: &Source<'_>, text: &str, texts: &Texts) -> Vec<Problem> {
    let mut problems = Vec::new();
    if texts.languages().next().is_none() {
        return problems;
    }
    for call in calls(text) {
        let at = source.offset(call.offset);
        let needs: Vec<(&str, &BTreeSet<String>)> = texts
            .languages()
            .filter_map(|language| Some((language, texts.needs(language, &call.message)?)))
            .collect();
        if needs.is_empty() {
            let known: Vec<String> =
                texts.languages().flat_map(|one| texts.messages(one)).map(str::to_owned).collect();
            problems.push(source.problem(at, unknown(&call.message, known.iter())));
            continue;
        }
        let Some(given) = call.given else { continue };
        let missing: BTreeSet<(&str, &str)> = needs
            .iter()
            .flat_map(|(language, needs)| needs.difference(&given).map(|name| (name.as_str(), *language)))
            .collect();
        if let Some((name, language)) = missing.first() {
            let said =
                format!("the message `{}` ({language}.ftl) needs `{name}`, which is not given", call.message);
            problems.push(source.problem(at, said).hint(format!("add `{name}: …` to the map")));
        }
    }
    problems
}

/// Calls whose first value is a text in double quotes. Comments and texts are skipped; what stands in back quotes is
/// read like source, since `${…}` within is.
fn calls(text: &str) -> Vec<Call> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let word = before.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
        if rest.starts_with("//") || rest.starts_with("/*") {
            at = at.saturating_add(comment(rest));
        } else if *byte == b'"' {
            at = at.saturating_add(quoted(rest));
        } else if !word && rest.starts_with("text(") {
            let (call, _) = read_call(rest, at);
            found.extend(call);
            at = at.saturating_add("text(".len());
        } else {
            at = at.saturating_add(1);
        }
    }
    found
}

fn comment(rest: &str) -> usize {
    let end = if rest.starts_with("//") {
        rest.find('\n')
    } else {
        rest.find("*/").map(|end| end.saturating_add(2))
    };
    end.unwrap_or(rest.len()).max(1)
}

/// How long the text in quotes is that `rest` begins with.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index.saturating_add(1),
            _ => {}
        }
    }
    rest.len()
}

fn read_call(rest: &str, offset: usize) -> (Option<Call>, usize) {
    let inside = rest.strip_prefix("text(").unwrap_or(rest).trim_start();
    if !inside.starts_with('"') {
        return (None, 0);
    }
    let length = quoted(inside);
    let message = inside.get(1..length.saturating_sub(1)).unwrap_or_default().to_owned();
    let after = inside.get(length..).unwrap_or_default().trim_start();
    let given = if after.starts_with(')') {
        Some(BTreeSet::new())
    } else {
        after.strip_prefix(',').map(str::trim_start).and_then(|after| after.strip_prefix("#{")).and_then(keys)
    };
    (Some(Call { offset, message, given }), length)
}

/// The keys of a map's source, which begins after its `#{`; none where it does not end.
fn keys(map: &str) -> Option<BTreeSet<String>> {
    let mut keys = BTreeSet::new();
    let (mut depth, mut at, mut start) = (0_usize, 0_usize, 0_usize);
    let bytes = map.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = at.saturating_add(quoted(map.get(at..)?)).saturating_sub(1),
            b'{' | b'(' | b'[' => depth = depth.saturating_add(1),
            b'}' if depth == 0 => return Some(keys),
            b'}' | b')' | b']' => depth = depth.checked_sub(1)?,
            b':' if depth == 0 && start <= at => {
                let key = map.get(start..at)?.trim().trim_matches('"');
                keys.insert(key.to_owned());
                start = map.len();
            }
            b',' if depth == 0 => start = at.saturating_add(1),
            _ => {}
        }
        at = at.saturating_add(1);
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Call, calls};

    #[test]
    fn calls_are_read_off_the_source() {
        let source = r#"
            // text("in-a-comment")
            let a = "text(\"in-a-text\")";
            remind("k", text("used", #{ sim: sim.name, share: `${f(#{ x: 1 })}`, "left": a[1] }), #{ urgency: "info" });
            mytext("no"); sms.text("no"); text(name); text("plain"); text("other", args)
        "#;
        let given =
            |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
        let found: Vec<(String, Option<BTreeSet<String>>)> =
            calls(source).into_iter().map(|Call { message, given, .. }| (message, given)).collect();
        assert_eq!(
            found,
            [
                ("used".to_owned(), given(&["sim", "share", "left"])),
                ("plain".to_owned(), given(&[])),
                ("other".to_owned(), None),
            ]
        );
    }

    #[test]
    fn source_that_ends_early_is_no_fault() {
        for source in ["text(", "text(\"", "text(\"a", "text(\"a\", #{", "text(\"a\", #{ b: \"", "/*", "\"\\"]
        {
            assert!(calls(source).iter().all(|call| call.given.is_none()), "{source}");
        }
    }
}
