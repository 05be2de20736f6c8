//! Lengths of time.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::{Fallible, fail, fit, register_value, shown};
use crate::registry::Registry;

/// A signed length of time in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub(crate) i64);

/// Units that rules may write, one and many, with their milliseconds.
pub(crate) const UNITS: [(&str, &str, i64); 5] = [
    ("second", "seconds", 1_000),
    ("minute", "minutes", 60_000),
    ("hour", "hours", 3_600_000),
    ("day", "days", 86_400_000),
    ("week", "weeks", 604_800_000),
];

impl Span {
    /// From whole seconds; none where they do not fit.
    #[must_use]
    pub fn from_secs(secs: i64) -> Option<Self> {
        secs.checked_mul(1_000).map(Self)
    }
}

impl From<Span> for simbell_core::time::Span {
    fn from(span: Span) -> Self {
        Self(span.0)
    }
}

impl fmt::Display for Span {
    /// In the largest unit up to days of which there is one at least, with at most one fractional digit: `2.5 hours`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, many, millis) = UNITS
            .into_iter()
            .filter(|(one, ..)| *one != "week")
            .rfind(|(.., millis)| self.0.unsigned_abs() >= millis.unsigned_abs())
            .unwrap_or(("second", "seconds", 1_000));
        let value = Decimal::from(self.0).checked_div(Decimal::from(millis)).unwrap_or_default();
        let text = shown(value, 1);
        let unit = if matches!(text.as_str(), "1" | "-1") { one } else { many };
        write!(f, "{text} {unit}")
    }
}

/// Registers the units on numbers and the arithmetic.
pub(super) fn register(registry: &mut Registry<'_>) {
    register_value!(registry, Span, "A length of time, in whole milliseconds; may be below 0.");
    for (one, many, millis) in UNITS {
        for name in [one, many] {
            registry
                .property(name, "Span", "So much time: `3.days`, `1.hour`.", move |n: &mut i64| {
                    fit(n.checked_mul(millis)).map(Span)
                })
                .property(name, "Span", "So much time: `3.days`, `1.hour`.", move |n: &mut Decimal| {
                    fit(n.checked_mul(millis.into())).and_then(whole)
                });
        }
        registry.property(many, "decimal", "How many of that unit it is.", move |span: &mut Span| {
            fit(Decimal::from(span.0).checked_div(millis.into())).map(|value| value.normalize())
        });
    }
    registry
        .operator("+", "The sum.", |a: Span, b: Span| fit(a.0.checked_add(b.0)).map(Span))
        .operator("-", "The difference.", |a: Span, b: Span| fit(a.0.checked_sub(b.0)).map(Span))
        .operator("-", "The same below 0.", |a: Span| fit(a.0.checked_neg()).map(Span))
        .operator("*", "So many times as much.", |a: Span, b: i64| fit(a.0.checked_mul(b)).map(Span))
        .operator("*", "So many times as much.", |a: i64, b: Span| fit(b.0.checked_mul(a)).map(Span))
        .operator("*", "So many times as much.", |a: Span, b: Decimal| {
            fit(Decimal::from(a.0).checked_mul(b)).and_then(whole)
        })
        .operator("*", "So many times as much.", |a: Decimal, b: Span| {
            fit(Decimal::from(b.0).checked_mul(a)).and_then(whole)
        })
        .operator("/", "One part of so many.", |a: Span, b: i64| {
            fit(Decimal::from(a.0).checked_div(b.into())).and_then(whole)
        })
        .operator("/", "One part of so many.", |a: Span, b: Decimal| {
            fit(Decimal::from(a.0).checked_div(b)).and_then(whole)
        })
        .operator("/", "How many times one goes into the other: a number.", |a: Span, b: Span| {
            fit(Decimal::from(a.0).checked_div(b.0.into()))
        });
}

/// A span is kept in whole milliseconds: finer ones are cut off, toward zero.
fn whole(millis: Decimal) -> Fallible<Span> {
    match millis.trunc().to_i64() {
        Some(millis) => Ok(Span(millis)),
        None => fail("this span of time does not fit"),
    }
}
