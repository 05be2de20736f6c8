//! Second stage: all files as one tree, in which each value knows the file and the place it came from.

use std::collections::BTreeMap;
use std::ops::Range;

use super::fragments::Fragment;

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Which fragment, counted from 0.
    pub file: usize,
    /// Which bytes.
    pub span: Range<usize>,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub value: Value,
    pub place: Place,
}

/// A value, TOML's kinds.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    /// None where it does not fit 64 bits.
    Integer(Option<i64>),
    /// Never used: amounts are exact.
    Float,
    Boolean(bool),
    Date(toml::value::Datetime),
    Array(Vec<Node>),
    Table(Table),
}

impl Value {
    /// What it is, with an article.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float => "a number with a fraction",
            Self::Boolean(_) => "true or false",
            Self::Date(_) => "a date or time",
            Self::Array(_) => "a list",
            Self::Table(_) => "a section",
        }
    }
}

/// Keys with their values.
pub(super) type Table = BTreeMap<String, Entry>;

/// A value with the place of its key.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key_place: Place,
    pub node: Node,
}

/// Lays later files over earlier ones: sections are merged key by key, every other value is replaced whole.
pub(super) fn merge(fragments: &[Fragment]) -> Table {
    let mut merged = Table::new();
    for fragment in fragments {
        lay_over(&mut merged, &fragment.table);
    }
    merged
}

fn lay_over(below: &mut Table, above: &Table) {
    for (key, entry) in above {
        match (below.get_mut(key).map(|old| &mut old.node.value), &entry.node.value) {
            (Some(Value::Table(old)), Value::Table(new)) => lay_over(old, new),
            _ => {
                below.insert(key.clone(), entry.clone());
            }
        }
    }
}
