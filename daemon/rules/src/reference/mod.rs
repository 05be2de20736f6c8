//! The reference of the rule language, made of what is registered: in Markdown, as definitions for an editor's language
//! server, and as entries for a terminal.

mod definitions;
mod markdown;
mod standard;

use std::any::TypeId;

use rust_decimal::Decimal;

use crate::channel::CHANNEL_HOOKS;
use crate::compile::{HOOKS, SCHEDULE_FUNCTION};
use crate::limits::Limits;
use crate::registry::{Book, Operator, Property, name_of};
use crate::settings::{CHANNEL_KINDS, KINDS};

pub use definitions::{channel_definitions, definitions, standard_definitions, test_definitions};
pub use markdown::markdown;
pub(crate) use standard::STANDARD;

/// Something that rules know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Its heading in the reference.
    pub section: String,
    /// Its name; of a property with its type in front, as `Sim.share`.
    pub name: String,
    /// What it looks like, such as `daily(time: string) -> Schedule`.
    pub form: String,
    /// How it is used; may be empty.
    pub example: String,
    /// One line of what it is.
    pub doc: String,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A function that the service calls.
    Hook,
    /// A function that rules call.
    Function,
    /// A type of values.
    Type,
    /// A read-only property of a type; of numbers, a unit.
    Property,
    /// An operator.
    Operator,
    /// A type of settings.
    Setting,
    /// A limit with its default.
    Limit,
}

impl EntryKind {
    /// Its name in data.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Function => "function",
            Self::Type => "type",
            Self::Property => "property",
            Self::Operator => "operator",
            Self::Setting => "setting",
            Self::Limit => "limit",
        }
    }
}

/// Operators that compare: any two values of one kind.
const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// Everything that rules, channels and their tests know, in the order of the reference.
#[must_use]
pub fn entries() -> Vec<Entry> {
    let mut entries = rule_entries();
    entries.extend(channel_entries());
    entries.extend(test_entries());
    entries.extend(channel_test_entries());
    entries
}

/// What the scripts of channels know beyond rules.
fn channel_entries() -> Vec<Entry> {
    let hooks = CHANNEL_HOOKS.iter().map(|(name, form, doc)| Entry {
        kind: EntryKind::Hook,
        section: "Channels: hooks".to_owned(),
        name: (*name).to_owned(),
        form: (*form).to_owned(),
        example: String::new(),
        doc: (*doc).to_owned(),
    });
    hooks.chain(beyond_rules(crate::channel::book())).collect()
}

/// What tests of rules know beyond rules.
fn test_entries() -> Vec<Entry> {
    beyond_rules(crate::trial::book())
}

/// What tests of channels know beyond rules.
fn channel_test_entries() -> Vec<Entry> {
    beyond_rules(crate::trial::channel_book())
}

fn beyond_rules(book: &Book) -> Vec<Entry> {
    let rules = Book::shown();
    let known: Vec<Entry> = functions(rules).into_iter().chain(types(rules)).collect();
    let own = functions(book).into_iter().chain(types(book));
    own.filter(|entry| !known.iter().any(|one| one.kind == entry.kind && one.form == entry.form)).collect()
}

fn rule_entries() -> Vec<Entry> {
    let book = Book::shown();
    let mut entries = hooks();
    entries.extend(functions(book));
    entries.extend(types(book));
    entries.extend(operators(book));
    entries.extend(STANDARD.iter().map(|known| Entry {
        kind: EntryKind::Function,
        section: known.section.to_owned(),
        name: name_of(known.form).to_owned(),
        form: known.form.to_owned(),
        example: known.example.to_owned(),
        doc: known.doc.to_owned(),
    }));
    entries.extend(KINDS.iter().chain(&CHANNEL_KINDS).map(|(name, kind)| Entry {
        kind: EntryKind::Setting,
        section: "Settings".to_owned(),
        name: (*name).to_owned(),
        form: format!("type = \"{name}\""),
        example: format!("default = {}", kind.example()),
        doc: format!("{}{}.", kind.expected().get(..1).unwrap_or_default().to_uppercase(), {
            kind.expected().get(1..).unwrap_or_default()
        }),
    }));
    entries.extend(Limits::default().described().into_iter().map(|(name, value, doc)| Entry {
        kind: EntryKind::Limit,
        section: "Limits".to_owned(),
        name: name.to_owned(),
        form: format!("{name} = {value}"),
        example: String::new(),
        doc: doc.to_owned(),
    }));
    entries
}

/// The entries of that name: a function, a property by itself or with its type, a type with its properties, …
///
/// # Errors
/// The name that is most like it, where one is.
pub fn entries_named(name: &str) -> Result<Vec<Entry>, Option<String>> {
    let wanted = name.strip_suffix("()").unwrap_or(name);
    let all = entries();
    let own = |entry: &Entry| entry.name == wanted || entry.name.rsplit('.').next() == Some(wanted);
    let found: Vec<Entry> = all
        .iter()
        .filter(|entry| own(entry) || entry.name.split_once('.').is_some_and(|(owner, _)| owner == wanted))
        .cloned()
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let names =
        all.iter().flat_map(|entry| [entry.name.as_str(), entry.name.rsplit('.').next().unwrap_or_default()]);
    Err(crate::problem::nearest(wanted, names))
}

fn hooks() -> Vec<Entry> {
    let hook = |name: &str, form: &str, example: &str, doc: &str| Entry {
        kind: EntryKind::Hook,
        section: "Hooks".to_owned(),
        name: name.to_owned(),
        form: form.to_owned(),
        example: example.to_owned(),
        doc: doc.to_owned(),
    };
    let mut hooks: Vec<Entry> =
        HOOKS.iter().map(|known| hook(known.name, known.form, "", known.doc)).collect();
    hooks.push(hook(
        SCHEDULE_FUNCTION,
        "fn schedule()",
        "fn schedule() { [daily(\"07:00\"), monthly(\"last\", \"20:00\")] }",
        "When the rule is loaded: gives the times of `on_schedule`, one or a list of them.",
    ));
    hooks
}

fn functions(book: &Book) -> Vec<Entry> {
    let mut functions: Vec<Entry> = Vec::new();
    let mut sections: Vec<&str> = Vec::new();
    for function in &book.functions {
        if !sections.contains(&function.section) {
            sections.push(function.section);
        }
    }
    // Registered first, looked up last.
    sections.sort_by_key(|section| *section == UNITS);
    for section in sections {
        functions.extend(book.functions.iter().filter(|one| one.section == section).map(|one| Entry {
            kind: EntryKind::Function,
            section: section.to_owned(),
            name: name_of(one.form).to_owned(),
            form: one.form.to_owned(),
            example: one.example.to_owned(),
            doc: one.doc.to_owned(),
        }));
    }
    functions
}

fn types(book: &Book) -> Vec<Entry> {
    let property = |owner: &str, one: &Property| Entry {
        kind: EntryKind::Property,
        section: owner.to_owned(),
        name: format!("{owner}.{}", one.name),
        form: format!("{owner}.{}: {}", one.name, one.of),
        example: String::new(),
        doc: one.doc.to_owned(),
    };
    let mut entries = vec![Entry {
        kind: EntryKind::Type,
        section: NUMBER.to_owned(),
        name: NUMBER.to_owned(),
        form: NUMBER.to_owned(),
        example: "0.1 + 0.2 == 0.3".to_owned(),
        doc: "A whole number, `int`, or an exact `decimal`; a property gives it a unit.".to_owned(),
    }];
    // Whole numbers and decimals have the same units.
    entries.extend(book.properties_with(TypeId::of::<Decimal>()).map(|one| property(NUMBER, one)));
    for kind in &book.types {
        entries.push(Entry {
            kind: EntryKind::Type,
            section: kind.name.to_owned(),
            name: kind.name.to_owned(),
            form: kind.name.to_owned(),
            example: String::new(),
            doc: kind.doc.to_owned(),
        });
        entries.extend(book.properties_with(kind.id).map(|one| property(kind.name, one)));
    }
    entries
}

/// Names of what Rhai brings.
pub(crate) fn standard_names() -> impl Iterator<Item = &'static str> {
    STANDARD.iter().map(|known| name_of(known.form))
}

/// The heading of functions of values with units.
pub(crate) const UNITS: &str = "Units, dates and numbers";

/// What numbers are called where either kind will do.
const NUMBER: &str = "number";

fn operators(book: &Book) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for operator in &book.operators {
        let entry = Entry {
            kind: EntryKind::Operator,
            section: "Operators".to_owned(),
            name: operator.symbol.to_owned(),
            form: form_of(book, operator),
            example: String::new(),
            doc: operator.doc.to_owned(),
        };
        if !entries.iter().any(|known| known.form == entry.form) {
            entries.push(entry);
        }
    }
    entries.sort_by_key(|entry| COMPARISONS.contains(&entry.name.as_str()));
    entries
}

fn form_of(book: &Book, operator: &Operator) -> String {
    let name = |id: &TypeId| match book.name(*id) {
        "int" | "decimal" => NUMBER,
        name => name,
    };
    let gives = name(&operator.signature.gives);
    match operator.signature.takes.as_slice() {
        [_, _] if COMPARISONS.contains(&operator.symbol) => format!("a {} b -> {gives}", operator.symbol),
        [left, right] => format!("{} {} {} -> {gives}", name(left), operator.symbol, name(right)),
        [one] => format!("{}{} -> {gives}", operator.symbol, name(one)),
        _ => operator.symbol.to_owned(),
    }
}

#[cfg(test)]
mod tests;
