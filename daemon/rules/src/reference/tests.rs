//! What is told of the language is true of the engine.

use std::any::TypeId;

use rhai::Dynamic;

use super::{
    EntryKind, channel_definitions, definitions, entries, entries_named, standard_definitions,
    test_definitions,
};
use crate::registry::{Book, Function};

#[test]
fn everything_registered_has_its_line() {
    let mut seen = Vec::new();
    for entry in entries() {
        let line = &entry.doc;
        let well = line.ends_with('.') && !line.contains('\n') && (5..=110).contains(&line.chars().count());
        assert!(well, "{}: {line:?} is not one line of what it is", entry.form);
        assert!(!seen.contains(&(entry.section.clone(), entry.form.clone())), "{} is told twice", entry.form);
        if entry.kind == EntryKind::Function {
            assert!(!entry.example.is_empty(), "{} has no example", entry.form);
        }
        seen.push((entry.section, entry.form));
    }
    assert!(seen.len() > 250, "only {}", seen.len());
}

/// The parameters' types of `name(a: string, b: string | map) -> type`, and what it gives.
fn form_types(form: &str) -> (Vec<String>, String) {
    let (head, gives) = form.split_once(" -> ").unwrap_or((form, "()"));
    let list = head.split_once('(').map_or("", |(_, list)| list.trim_end_matches(')'));
    let types =
        list.split(", ").filter_map(|one| one.split_once(": ")).map(|(_, of)| of.to_owned()).collect();
    (types, gives.to_owned())
}

fn wrong(book: &Book, function: &Function) -> Option<String> {
    let (takes, gives) = form_types(function.form);
    // A value of any kind is checked by the function itself, which says what it takes.
    let fits = |told: &str, id: TypeId| id == TypeId::of::<Dynamic>() || book.name(id) == told;
    let signature = &function.signature;
    let all = takes.len() == signature.takes.len()
        && takes.iter().zip(&signature.takes).all(|(told, id)| fits(told, *id))
        && fits(&gives, signature.gives);
    (!all).then(|| {
        let names: Vec<&str> = signature.takes.iter().map(|id| book.name(*id)).collect();
        format!("{}: takes ({}), gives {}", function.form, names.join(", "), book.name(signature.gives))
    })
}

#[test]
fn forms_and_types_are_those_registered() {
    let rules = Book::of_all();
    for book in [&rules, crate::channel::book()] {
        told_truly(book);
    }
    // The types of values are told by the book of rules.
    let mut all = rules;
    all.note(crate::trial::register);
    all.note(crate::trial::register_channel);
    told_truly(&all);
}

fn told_truly(book: &Book) {
    let mut failures: Vec<String> = book.functions.iter().filter_map(|one| wrong(book, one)).collect();
    for one in &book.properties {
        let told = one.of.trim_end_matches('?');
        let owner = book.name(one.owner);
        if owner == "?" || (one.gives != TypeId::of::<Dynamic>() && book.name(one.gives) != one.of) {
            failures.push(format!("{owner}.{}: {told}, not {}", one.name, book.name(one.gives)));
        }
        let known = ["bool", "int", "decimal", "string", "list", "map"].contains(&told)
            || book.types.iter().any(|kind| kind.name == told);
        if !known {
            failures.push(format!("{owner}.{}: there is no type {told}", one.name));
        }
    }
    for one in &book.operators {
        let ids = one.signature.takes.iter().chain([&one.signature.gives]);
        failures.extend(
            ids.filter(|id| book.name(**id) == "?")
                .map(|_| format!("`{}`: a type without a name", one.symbol)),
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn an_entry_is_found_by_its_name() {
    let names = |name: &str| {
        entries_named(name).map(|found| found.into_iter().map(|entry| entry.form).collect::<Vec<_>>())
    };
    assert_eq!(names("every"), Ok(vec!["every(span: Span) -> Schedule".to_owned()]));
    assert_eq!(names("every()"), names("every"));
    assert_eq!(names("Cycle.last"), Ok(vec!["Cycle.last: bool".to_owned()]));
    assert_eq!(names("last"), names("Cycle.last"));
    assert_eq!(names("Sms").map(|found| found.len()), Ok(4));
    assert_eq!(names("remnid"), Err(Some("remind".to_owned())));
    assert_eq!(names("Sim.shares"), Err(Some("Sim.share".to_owned())));
    assert_eq!(names("no such thing"), Err(None));
}

#[test]
fn limits_are_told_by_the_keys_that_the_configuration_has() {
    let example = include_str!("../../../../contrib/conf.d/example.toml");
    let section = example.split("[rules.limits]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let configured = section.lines().filter_map(|line| line.split_once(" = "));
    let mut configured: Vec<(&str, &str)> =
        configured.map(|(key, value)| (key, value.trim_matches('"'))).collect();
    let limits = crate::limits::Limits::default().described();
    let mut told: Vec<(&str, &str)> = limits.iter().map(|(key, value, _)| (*key, value.as_str())).collect();
    configured.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, configured);
}

/// A declaration as a function that Rhai itself reads: names and parameters are ones.
fn as_script(line: &str) -> Option<String> {
    let line = line.strip_suffix(';')?;
    let head = line.split(" -> ").next()?;
    let (name, list) = head.split_once('(')?;
    let parameters: Vec<&str> =
        list.trim_end_matches(')').split(", ").filter_map(|one| one.split(": ").next()).collect();
    // With a letter in front: `print` is a word of Rhai.
    let name = name.strip_prefix("fn get ").or_else(|| name.strip_prefix("fn "))?;
    Some(format!("fn x_{name}({}) {{}}", parameters.join(", ")))
}

#[test]
fn definitions_are_declarations_that_rhai_can_read() {
    let engine = rhai::Engine::new_raw();
    let files = [
        (definitions(), 90),
        (standard_definitions(), 90),
        (channel_definitions(), 25),
        (test_definitions(), 55),
    ];
    for (text, least) in files {
        let mut declared = 0;
        assert!(text.starts_with("///"), "{text}");
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("///")) {
            let other = line == "module static;"
                || line == "const settings: Settings;"
                || (line.starts_with("type ") && line.ends_with(" = ...;"))
                || (line.starts_with("op ") && line.ends_with(';'));
            if !other {
                let script = as_script(line);
                let read = script.as_ref().map(|script| engine.compile(script).map(|_| ()));
                assert!(matches!(read, Some(Ok(()))), "{line}: {script:?} {read:?}");
                declared += 1;
            }
            assert!(!line.contains("any") || !line.contains(": any"), "{line}");
        }
        assert!(declared > least, "only {declared}");
    }
}

/// With `--features metadata` alone: what the engine itself says that it has.
#[cfg(feature = "metadata")]
mod registered {
    use std::collections::BTreeSet;

    use super::super::standard::{STANDARD, UNTOLD};
    use crate::engine;
    use crate::limits::Limits;
    use crate::registry::{Book, name_of};

    /// A function's name, and the type of a property's owner.
    fn named(signature: &str) -> (Option<&str>, &str) {
        let (head, list) = signature.split_once('(').unwrap_or((signature, ""));
        let owner = list.split_once(": ").and_then(|(_, of)| of.split([',', ')']).next());
        // Rhai's own names of the two kinds of number differ from place to place.
        let owner = owner.map(|of| match of.trim_start_matches("&mut ") {
            "i64" => "int",
            "Decimal" => "decimal",
            of => of,
        });
        match head.strip_prefix("get$").or_else(|| head.strip_prefix("get ")) {
            Some(property) => (owner, property),
            None => (None, head),
        }
    }

    #[test]
    fn nothing_is_registered_that_is_not_told() {
        let book = Book::of_all();
        let engine = engine::build(&Limits::default());
        let told: BTreeSet<&str> = book
            .function_names()
            .chain(STANDARD.iter().map(|known| name_of(known.form)))
            .chain(UNTOLD.iter().copied())
            .collect();
        let own: BTreeSet<&str> = book.types.iter().map(|kind| kind.name).chain(["int", "decimal"]).collect();
        let properties: BTreeSet<(&str, &str)> =
            book.properties.iter().map(|one| (book.name(one.owner), one.name)).collect();
        let signatures = engine.gen_fn_signatures(true);
        let mut untold = BTreeSet::new();
        let (mut functions, mut getters) = (BTreeSet::new(), BTreeSet::new());
        for signature in &signatures {
            let (owner, name) = named(signature);
            let known = match owner {
                // What Rhai's own types have as properties, it has as functions too.
                Some(owner) => {
                    getters.insert((owner, name));
                    properties.contains(&(owner, name)) || told.contains(name)
                }
                None => {
                    functions.insert(name);
                    !name.starts_with(|c: char| c.is_alphabetic()) || told.contains(name)
                }
            };
            // `settings.NAME` is told with its type; codes of currencies are all told with the euro.
            let code = name.len() == 3 && name.chars().all(|c| c.is_ascii_uppercase());
            let currency = owner.is_some_and(|of| of == "int" || of == "decimal")
                && code
                && signature.contains("::Money");
            let indexer = ["Settings", "Decimal", "decimal"]
                .iter()
                .any(|of| signature.starts_with(&format!("index$get$(_: &mut {of}")));
            if !known && !currency && !indexer {
                untold.insert(signature.as_str());
            }
        }
        assert!(functions.len() > 100 && getters.len() > 100, "{functions:?} {getters:?}");
        assert_eq!(untold, BTreeSet::new());
        // And nothing is told that is not there; `type_of` is a word of the language.
        let gone: Vec<_> =
            told.iter().filter(|name| !functions.contains(**name) && **name != "type_of").collect();
        assert!(gone.is_empty(), "{gone:?}");
        let gone: Vec<_> =
            properties.iter().filter(|one| own.contains(one.0) && !getters.contains(*one)).collect();
        assert!(gone.is_empty(), "{gone:?}: the engine has {getters:?}");
    }
}
