//! What a rule remembers from one evaluation to the next: small named values, kept in the ledger.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Everything that one rule remembers, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Memory(pub BTreeMap<String, Remembered>);

/// One value, as the rule language knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remembered {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Whole(i64),
    /// A decimal number.
    Number(Decimal),
    /// A text; may be hostile.
    Text(String),
    /// An amount of data, bytes.
    Size(Decimal),
    /// A share, per cent.
    Percent(Decimal),
    /// A span, milliseconds.
    Span(i64),
    /// Money and its currency by ISO 4217.
    Money(Decimal, String),
    /// A civil date.
    Date(NaiveDate),
    /// Local time.
    LocalTime(NaiveDateTime),
    /// Several of them.
    List(Vec<Remembered>),
}

impl Memory {
    /// How much it holds, about as many bytes as the ledger keeps of it.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.0
            .iter()
            .map(|(name, value)| name.len().saturating_add(value.weight()))
            .fold(0, usize::saturating_add)
    }
}

impl fmt::Display for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{}", number.normalize()),
            Self::Text(text) => f.write_str(text),
            Self::Size(bytes) => write!(f, "{} B", bytes.normalize()),
            Self::Percent(share) => write!(f, "{} %", share.normalize()),
            Self::Span(ms) => write!(f, "{} s", Decimal::new(*ms, 3).normalize()),
            Self::Money(amount, currency) => write!(f, "{amount} {currency}"),
            Self::Date(date) => write!(f, "{date}"),
            Self::LocalTime(time) => write!(f, "{}", time.format("%Y-%m-%d %H:%M")),
            Self::List(list) => {
                for (nth, one) in list.iter().enumerate() {
                    write!(f, "{}{one}", if nth == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

impl Remembered {
    /// About as many bytes as the ledger keeps of it.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len().saturating_add(8),
            Self::List(list) => list.iter().map(Self::weight).fold(8, usize::saturating_add),
            _ => 24,
        }
    }
}
