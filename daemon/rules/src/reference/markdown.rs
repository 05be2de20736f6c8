//! `plugins/REFERENCE.md`.

use super::{Entry, EntryKind, channel_entries, channel_test_entries, rule_entries, test_entries};
use crate::manifest::API;

/// The reference as a page.
#[must_use]
pub fn markdown() -> String {
    let entries = rule_entries();
    let of = |kind: EntryKind| entries.iter().filter(move |entry| entry.kind == kind);
    let mut page = format!(
        "# The rule language, version {API}: reference\n\n\
         Made from what the service registers; `simbellctl rules reference [NAME]` prints it in the terminal. What the\n\
         words mean, and how to write a rule, is told in [README.md](README.md).\n\n\
         - [Hooks](#hooks)\n- [Functions](#functions)\n- [Types](#types)\n- [Operators](#operators)\n\
         - [What Rhai brings](#what-rhai-brings)\n- [Settings](#settings)\n- [Limits](#limits)\n\
         - [Channels](#channels)\n- [Tests](#tests)\n- [Tests of channels](#tests-of-channels)\n\n\
         A type with `?` behind it may be absent, `()`: test it before you compare it or look into it. `any` is any\n\
         value, `A | B` either.\n\n## Hooks\n\nFunctions of a rule that the service calls. A rule has one at least.\n"
    );
    page += &table(
        &["function", "called"],
        of(EntryKind::Hook).map(|entry| vec![code(&entry.form), entry.doc.clone()]),
    );
    page += "\n## Functions\n";
    let own: Vec<&Entry> = of(EntryKind::Function).take_while(|entry| entry.section != "Any value").collect();
    let rhai: Vec<&Entry> = of(EntryKind::Function).skip(own.len()).collect();
    page += &by_section(&own);
    page += "\n## Types\n";
    page += &by_type(&entries);
    page += "\n## Operators\n\nValues of different kinds, an absent one included, are never compared: it is an error \
             that says so.\nOnly `==` and `!=` take `()`.\n";
    page += &table(
        &["operator", "gives", "what"],
        of(EntryKind::Operator).map(|entry| {
            let (form, gives) = entry.form.split_once(" -> ").unwrap_or((&entry.form, ""));
            vec![code(form), code(gives), entry.doc.clone()]
        }),
    );
    page += "\n## What Rhai brings\n\nA function of a value may be written behind it: `text.len()` is `len(text)`. \
             `function` is an anonymous\none, such as `|x| x > 1`.\n";
    page += &by_section(&rhai);
    page += "\n## Settings\n\nTypes of settings in `plugin.toml`; `list = true` makes a list of them.\n";
    page += &table(
        &["type", "value", "such as"],
        of(EntryKind::Setting).map(|entry| {
            let example = entry.example.strip_prefix("default = ").unwrap_or(&entry.example);
            vec![code(&entry.name), entry.doc.clone(), code(example)]
        }),
    );
    page += "\n## Limits\n\nOf one evaluation, or of a rule; each is a key of `[rules.limits]` in the configuration.\n";
    page += &table(
        &["key", "default", "of what"],
        of(EntryKind::Limit).map(|entry| {
            let (name, value) = entry.form.split_once(" = ").unwrap_or((&entry.form, ""));
            vec![code(name), value.to_owned(), entry.doc.clone()]
        }),
    );
    page += "\n## Channels\n\nWhat the script of a channel plugin has beside functions, types and operators of rules, \
             without those that\ntell of SIMs and remind. It is called for each message.\n";
    page += &chapter(&channel_entries());
    page += "\n## Tests\n\nWhat `tests.rhai` and `NAME.test.rhai` have beside all that rules have: a story is told, and \
             expectations are\nmet in between.\n";
    page += &chapter(&test_entries());
    page += "\n## Tests of channels\n\nWhat `tests.rhai` of a channel plugin has beside units, dates and texts: messages are \
             sent and answered, and\nexpectations are met in between. `[NAME]` stands for the secret or address NAME.\n";
    page += &chapter(&channel_test_entries());
    page
}

/// Hooks, functions and types of one kind of script.
fn chapter(entries: &[Entry]) -> String {
    let of = |kind: EntryKind| entries.iter().filter(move |entry| entry.kind == kind);
    let mut page = String::new();
    if of(EntryKind::Hook).next().is_some() {
        let rows = of(EntryKind::Hook).map(|entry| vec![code(&entry.form), entry.doc.clone()]);
        page += &table(&["function", "called"], rows);
    }
    page += &by_section(&of(EntryKind::Function).collect::<Vec<_>>());
    page += &by_type(entries);
    page
}

fn by_type(entries: &[Entry]) -> String {
    let of = |kind: EntryKind| entries.iter().filter(move |entry| entry.kind == kind);
    let mut page = String::new();
    for kind in of(EntryKind::Type) {
        page += &format!("\n### {}\n\n{}\n", kind.name, kind.doc);
        let own: Vec<&Entry> =
            of(EntryKind::Property).filter(|entry| entry.section == kind.section).collect();
        if !own.is_empty() {
            let rows = own.iter().map(|entry| {
                let (name, of) = entry.form.split_once(": ").unwrap_or((&entry.form, ""));
                let name = name.split_once('.').map_or(name, |(_, name)| name);
                vec![code(name), code(of), entry.doc.clone()]
            });
            page += &table(&["property", "type", "what"], rows);
        }
    }
    page
}

fn by_section(entries: &[&Entry]) -> String {
    let mut page = String::new();
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|entry| entry.section == first.section).count();
        let (section, more) = rest.split_at(count);
        page += &format!("\n### {}\n", first.section);
        let rows =
            section.iter().map(|entry| vec![code(&entry.form), entry.doc.clone(), code(&entry.example)]);
        page += &table(&["function", "what", "such as"], rows);
        rest = more;
    }
    page
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = format!("\n| {} |\n|{}\n", head.join(" | "), " --- |".repeat(head.len()));
    for row in rows {
        // A bar ends a cell, in code as well.
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}
