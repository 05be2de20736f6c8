//! A plugin's settings: declared in its manifest, set in the configuration, seen by its rule as `settings.NAME`.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use rhai::{Array, Dynamic, ImmutableString};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::problem::nearest;
use crate::registry::Registry;
use crate::text::{harmless, short};
use crate::value::{DataSize, Fallible, Money, Percent, Span, fail, size_units, span_units};

/// The settings of one rule, with their values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings(Arc<BTreeMap<String, Dynamic>>);

/// What kind of value a setting takes, as the manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int,
    Decimal,
    Text,
    Size,
    Span,
    Percent,
    Money,
    /// An address of the web, in channels.
    Url,
    /// What only the shell knows, in channels.
    Secret,
}

/// The kinds by name.
pub(crate) const KINDS: [(&str, Kind); 8] = [
    ("bool", Kind::Bool),
    ("int", Kind::Int),
    ("decimal", Kind::Decimal),
    ("text", Kind::Text),
    ("size", Kind::Size),
    ("span", Kind::Span),
    ("percent", Kind::Percent),
    ("money", Kind::Money),
];

/// The kinds that only channels have, by name.
pub(crate) const CHANNEL_KINDS: [(&str, Kind); 2] = [("url", Kind::Url), ("secret", Kind::Secret)];

/// A value as TOML gives it, numbers exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw {
    Bool(bool),
    Number(Decimal),
    Text(String),
    List(Vec<Self>),
    Other(&'static str),
}

impl Settings {
    pub(crate) fn new(values: BTreeMap<String, Dynamic>) -> Self {
        Self(Arc::new(values))
    }

    /// Registers `settings.NAME`.
    pub(crate) fn register(registry: &mut Registry<'_>) {
        registry
            .kind::<Self>("Settings", "The settings of a plugin, each by its name: `settings.limit`.")
            .engine()
            .register_indexer_get(|settings: &mut Self, name: ImmutableString| settings.get(&name));
    }

    fn get(&self, name: &str) -> Fallible<Dynamic> {
        match self.0.get(name) {
            Some(value) => Ok(value.clone()),
            None if self.0.is_empty() => fail(
                "this rule has no settings\na plugin declares them in its plugin.toml; in a single file, write a `const`",
            ),
            None => {
                let hint = nearest(name, self.0.keys())
                    .map_or_else(String::new, |near| format!("\ndid you mean `{near}`?"));
                fail(format!("there is no setting `{}`{hint}", short(name)))
            }
        }
    }
}

impl Kind {
    /// `raw` as a value of this kind.
    ///
    /// # Errors
    /// What was expected, in words.
    pub(crate) fn value(self, raw: &Raw, list: bool) -> Result<Dynamic, String> {
        if !list {
            return self.single(raw);
        }
        match raw {
            Raw::List(elements) if elements.len() <= 64 => {
                let values = elements.iter().map(|raw| self.single(raw)).collect::<Result<Array, _>>()?;
                Ok(Dynamic::from_array(values))
            }
            Raw::List(_) => Err("64 elements at most".to_owned()),
            _ => Err(format!("a list, each element {}", self.expected())),
        }
    }

    fn single(self, raw: &Raw) -> Result<Dynamic, String> {
        let value = match (self, raw) {
            (Self::Bool, Raw::Bool(value)) => Some(Dynamic::from(*value)),
            (Self::Int, Raw::Number(value)) if value.is_integer() => value.to_i64().map(Dynamic::from),
            (Self::Decimal, Raw::Number(value)) => Some(Dynamic::from_decimal(*value)),
            (Self::Decimal, Raw::Text(text)) => Decimal::from_str(text).ok().map(Dynamic::from_decimal),
            (Self::Text, Raw::Text(text)) if text.len() <= 2_000 => Some(Dynamic::from(text.clone())),
            (Self::Url, Raw::Text(text)) if text.len() <= 2_000 && is_address(text) => {
                Some(Dynamic::from(text.clone()))
            }
            (Self::Money, Raw::Text(text)) => Money::parse(text).map(Dynamic::from),
            (Self::Percent, Raw::Number(value)) => Some(Dynamic::from(Percent::fixed(*value))),
            (Self::Percent, Raw::Text(text)) => text
                .strip_suffix('%')
                .and_then(|n| Decimal::from_str(n.trim()).ok())
                .map(|n| Dynamic::from(Percent::fixed(n))),
            (Self::Size, Raw::Text(text)) => {
                measured(text, size_units()).map(|bytes| Dynamic::from(DataSize::fixed(bytes)))
            }
            (Self::Span, Raw::Text(text)) => {
                measured(text, span_units()).and_then(|ms| ms.to_i64()).map(|ms| Dynamic::from(Span(ms)))
            }
            _ => None,
        };
        value.ok_or_else(|| self.expected().to_owned())
    }

    /// A value as `plugin.toml` has it.
    pub(crate) const fn example(self) -> &'static str {
        match self {
            Self::Bool => "true",
            Self::Int => "3",
            Self::Decimal => "0.8",
            Self::Text => "\"a text\"",
            Self::Size => "\"5 GB\"",
            Self::Span => "\"3 days\"",
            Self::Percent => "80",
            Self::Money => "\"12.50 EUR\"",
            Self::Url => "\"https://push.example.org\"",
            Self::Secret => "\"\"",
        }
    }

    /// What it is, in words.
    pub(crate) const fn expected(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Decimal => "a number such as 0.8",
            Self::Text => "a text in quotes, 2000 bytes at most",
            Self::Size => "an amount of data such as \"5 GB\" or \"500 MB\"",
            Self::Span => "a span of time such as \"3 days\" or \"12 hours\"",
            Self::Money => "an amount of money such as \"12.50 EUR\"",
            Self::Percent => "a percentage such as 80 or \"80%\"",
            Self::Url => "an address in quotes such as \"https://example.org\"",
            Self::Secret => "a secret: { credential = \"name\" } or { file = \"…\" }",
        }
    }
}

impl From<&serde_json::Value> for Raw {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Bool(value) => Self::Bool(*value),
            // By its shortest text, which is what was written: 0.8 stays 0.8.
            serde_json::Value::Number(number) => Self::number(&number.to_string()),
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Array(list) => Self::List(list.iter().map(Self::from).collect()),
            serde_json::Value::Object(_) => Self::Other("a table"),
            serde_json::Value::Null => Self::Other("nothing"),
        }
    }
}

impl Raw {
    /// As people write it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => harmless(text, 200),
            Self::List(list) => {
                let shown: Vec<String> = list.iter().map(Self::shown).collect();
                format!("[{}]", shown.join(", "))
            }
            Self::Other(what) => (*what).to_owned(),
        }
    }

    pub(crate) fn number(text: &str) -> Self {
        let plain = text.replace('_', "");
        Decimal::from_str(&plain).map_or(Self::Other("a number out of range"), Self::Number)
    }
}

fn is_address(text: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
}

/// `3 days` as the number times its unit.
fn measured(text: &str, mut units: impl Iterator<Item = (&'static str, i64)>) -> Option<Decimal> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let number = Decimal::from_str(number.trim()).ok()?;
    let (_, scale) = units.find(|(name, _)| *name == unit)?;
    number.checked_mul(scale.into())
}
