//! `plugins/definitions/*.d.rhai`: what the Rhai language server reads.

use std::collections::BTreeSet;

use super::{Entry, EntryKind, STANDARD, channel_entries, channel_test_entries, test_entries};
use crate::compile::{HOOKS, SCHEDULE_FUNCTION};
use crate::registry::Book;

const HEAD: &str = "/// Made from what simbell registers for scripts.\nmodule static;\n";

/// Hooks, functions, types, properties and operators of simbell's own.
#[must_use]
pub fn definitions() -> String {
    let book = Book::shown();
    let mut text = HEAD.to_owned();
    for kind in &book.types {
        text += &format!("\n/// {}\ntype {} = ...;\n", kind.doc, kind.name);
    }
    text += "\n/// The settings of a plugin, each by its name.\nconst settings: Settings;\n";
    for function in &book.functions {
        text += &declared(function.form, function.doc, function.example);
    }
    text += &declared(
        &format!("{SCHEDULE_FUNCTION}() -> Schedule | list"),
        "Gives the times of `on_schedule`.",
        "",
    );
    // Hooks are the rule's own functions: here for what is shown where one is written.
    for hook in HOOKS {
        let form = hook.form.strip_prefix("fn ").unwrap_or(hook.form);
        let typed = [
            ("sim", "Sim"),
            ("sms", "Sms"),
            ("ended", "EndedCycle"),
            ("before", "Sim | ()"),
            ("modems", "list"),
            ("health", "list"),
        ]
        .into_iter()
        .fold(form.to_owned(), |form, (name, of)| {
            form.replace(&format!("({name}"), &format!("({name}: {of}"))
                .replace(&format!(", {name}"), &format!(", {name}: {of}"))
        });
        text += &declared(&typed, hook.doc, "");
    }
    for property in &book.properties {
        text += &getter(property.doc, property.name, book.name(property.owner), property.of);
    }
    let mut told = BTreeSet::new();
    for operator in &book.operators {
        let takes: Vec<String> = operator.signature.takes.iter().map(|id| type_of(book.name(*id))).collect();
        let declaration = format!(
            "op {}({}) -> {};",
            operator.symbol,
            takes.join(", "),
            type_of(book.name(operator.signature.gives))
        );
        if told.insert(declaration.clone()) {
            text += &format!("\n/// {}\n{declaration}\n", operator.doc);
        }
    }
    text
}

/// Functions, types and properties that the scripts of channels have beyond rules.
#[must_use]
pub fn channel_definitions() -> String {
    let typed = [("message", "Message"), ("answer", "Answer")];
    of_entries(&channel_entries(), &typed)
}

/// Functions, types and properties that tests, of rules or of channels, have beyond rules.
#[must_use]
pub fn test_definitions() -> String {
    let mut entries = test_entries();
    let others = channel_test_entries();
    // What both have is declared once.
    let more: Vec<Entry> =
        others.into_iter().filter(|other| !entries.iter().any(|entry| entry.form == other.form)).collect();
    entries.extend(more);
    of_entries(&entries, &[])
}

fn of_entries(entries: &[Entry], typed: &[(&str, &str)]) -> String {
    let mut text = HEAD.to_owned();
    for entry in entries {
        text += &match entry.kind {
            EntryKind::Type => format!("\n/// {}\ntype {} = ...;\n", entry.doc, entry.name),
            EntryKind::Property => {
                let (owner, name) = entry.name.split_once('.').unwrap_or(("", &entry.name));
                let of = entry.form.split_once(": ").map_or("any", |(_, of)| of);
                getter(&entry.doc, name, owner, of)
            }
            EntryKind::Hook => {
                let form = entry.form.strip_prefix("fn ").unwrap_or(&entry.form).to_owned();
                let form = typed.iter().fold(form, |form, (name, of)| {
                    form.replace(&format!("({name})"), &format!("({name}: {of})"))
                });
                declared(&form, &entry.doc, &entry.example)
            }
            _ => declared(&entry.form, &entry.doc, &entry.example),
        };
    }
    text
}

fn getter(doc: &str, name: &str, owner: &str, of: &str) -> String {
    format!("\n/// {doc}\nfn get {name}(value: {}) -> {};\n", type_of(owner), type_of(of))
}

/// What Rhai brings.
#[must_use]
pub fn standard_definitions() -> String {
    let mut text = HEAD.to_owned();
    for known in STANDARD {
        text += &declared(known.form, known.doc, known.example);
    }
    text
}

/// `name(a: string) -> any` as a declaration with its words above.
fn declared(form: &str, doc: &str, example: &str) -> String {
    let (head, gives) = form.split_once(" -> ").unwrap_or((form, "()"));
    let name = head.split('(').next().unwrap_or(head);
    let list = head.get(name.len()..).unwrap_or_default();
    let list = list.strip_prefix('(').and_then(|list| list.strip_suffix(')')).unwrap_or(list);
    let parameters: Vec<String> = list
        .split(", ")
        .filter_map(|parameter| parameter.split_once(": "))
        .map(|(name, of)| format!("{}: {}", parameter_name(name), type_of(of)))
        .collect();
    let example = if example.is_empty() {
        String::new()
    } else {
        format!("///\n/// ```rhai\n/// {example}\n/// ```\n")
    };
    format!("\n/// {doc}\n{example}fn {name}({}) -> {};\n", parameters.join(", "), type_of(gives))
}

/// Words of Rhai cannot be names.
fn parameter_name(name: &str) -> String {
    if ["with", "new", "in"].contains(&name) { format!("{name}_") } else { name.to_owned() }
}

/// A type as the language server names it.
fn type_of(shown: &str) -> String {
    if let Some(present) = shown.strip_suffix('?') {
        return format!("{} | ()", type_of(present));
    }
    let one = |name: &str| match name {
        "any" => "?".to_owned(),
        "string" => "String".to_owned(),
        "list" => "Array".to_owned(),
        "map" => "Map".to_owned(),
        "decimal" => "Decimal".to_owned(),
        "function" => "FnPtr".to_owned(),
        other => other.to_owned(),
    };
    shown.split(" | ").map(one).collect::<Vec<_>>().join(" | ")
}
