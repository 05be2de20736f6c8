//! Values with units, as rules see them: amounts of data, spans, shares, money, dates and times.
//!
//! All of them are exact: decimals or whole milliseconds, with checked arithmetic. What does not fit is a script
//! error, never a wrapped or rounded figure.

mod calendar;
mod compare;
mod money;
mod origin;
mod percent;
mod size;
mod span;

use rhai::{Dynamic, EvalAltResult, Position};
use rust_decimal::Decimal;

use crate::registry::Registry;
pub(crate) use calendar::weekday_name;
pub use calendar::{Date, LocalTime};
pub(crate) use compare::{before, below_zero, equal, exact, kind, needs_unit};
pub use money::{Currency, Money};
use origin::{Edge, Watched};
pub(crate) use origin::{Origin, Seen, begin, seen};
pub use percent::Percent;
pub use size::DataSize;
pub use span::Span;

/// What a function of the rule language gives back.
pub(crate) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Makes the values and their operators known to rules.
pub(crate) fn register(registry: &mut Registry<'_>) {
    registry.section(crate::reference::UNITS);
    size::register(registry);
    span::register(registry);
    percent::register(registry);
    money::register(registry);
    calendar::register(registry);
    compare::register(registry);
}

/// A script error in plain words; Rhai fills in the position.
pub(crate) fn fail<T>(message: impl Into<String>) -> Fallible<T> {
    Err(Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(message.into()), Position::NONE)))
}

/// A checked result, or the error that it does not fit.
pub(crate) fn fit<T>(value: Option<T>) -> Fallible<T> {
    value.map_or_else(
        || fail("the result does not fit\nthe numbers are too large, or the divisor is 0: test it first"),
        Ok,
    )
}

/// `value` with at most `digits` fractional digits and no trailing zeros, for people.
pub(crate) fn shown(value: Decimal, digits: u32) -> String {
    value
        .round_dp_with_strategy(digits, rust_decimal::RoundingStrategy::MidpointAwayFromZero)
        .normalize()
        .to_string()
}

/// Registers `+ - * /` of a unit that is a decimal inside: with itself and with plain numbers.
macro_rules! register_decimal_arithmetic {
    ($registry:ident, $unit:ident) => {
        $registry
            .operator("+", "The sum.", |a: $unit, b: $unit| {
                $unit::reckoned(a.value.checked_add(b.value), a.origin.plus(b.origin))
            })
            .operator("-", "The difference.", |a: $unit, b: $unit| {
                $unit::reckoned(a.value.checked_sub(b.value), a.origin.plus(b.origin.negated()))
            })
            .operator("-", "The same below 0.", |a: $unit| $unit {
                value: -a.value,
                origin: a.origin.negated(),
            })
            .operator("*", "So many times as much.", |a: $unit, b: i64| a.times(b.into()))
            .operator("*", "So many times as much.", |a: i64, b: $unit| b.times(a.into()))
            .operator("*", "So many times as much.", |a: $unit, b: Decimal| a.times(b))
            .operator("*", "So many times as much.", |a: Decimal, b: $unit| b.times(a))
            .operator("/", "One part of so many.", |a: $unit, b: i64| a.over(b.into()))
            .operator("/", "One part of so many.", |a: $unit, b: Decimal| a.over(b))
            .operator("/", "How many times one goes into the other: a number.", |a: $unit, b: $unit| {
                a.origin.plus(b.origin).lost();
                fit(a.value.checked_div(b.value))
            });
    };
}

/// What a unit that is a decimal inside can do: it knows where it comes from.
macro_rules! decimal_unit {
    ($unit:ident) => {
        impl $unit {
            /// A value that does not move with usage.
            #[must_use]
            pub(crate) const fn fixed(value: ::rust_decimal::Decimal) -> Self {
                Self { value, origin: $crate::value::Origin::Fixed }
            }

            fn reckoned(
                value: Option<::rust_decimal::Decimal>,
                origin: $crate::value::Origin,
            ) -> $crate::value::Fallible<Self> {
                fit(value).map(|value| Self { value, origin })
            }

            fn times(self, by: ::rust_decimal::Decimal) -> $crate::value::Fallible<Self> {
                Self::reckoned(self.value.checked_mul(by), self.origin.times(by))
            }

            fn over(self, by: ::rust_decimal::Decimal) -> $crate::value::Fallible<Self> {
                Self::reckoned(self.value.checked_div(by), self.origin.over(by))
            }
        }

        impl PartialEq for $unit {
            fn eq(&self, other: &Self) -> bool {
                self.value == other.value
            }
        }

        impl Eq for $unit {}

        impl PartialOrd for $unit {
            fn partial_cmp(&self, other: &Self) -> Option<::std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $unit {
            fn cmp(&self, other: &Self) -> ::std::cmp::Ordering {
                self.value.cmp(&other.value)
            }
        }

        impl $crate::value::Watched for $unit {
            fn compared(&self, other: &Self, edge: $crate::value::Edge) {
                $crate::value::origin::compared((self.value, self.origin), (other.value, other.origin), edge);
            }
        }
    };
}

/// Registers equality, and the texts that people and `debug` see.
macro_rules! register_value {
    ($registry:ident, $type:ident, $doc:literal) => {
        $registry
            .kind::<$type>(stringify!($type), $doc)
            .operator("==", "Whether both are the same.", |a: $type, b: $type| {
                $crate::value::Watched::compared(&a, &b, $crate::value::Edge::Equal);
                a == b
            })
            .operator("!=", "Whether they differ.", |a: $type, b: $type| {
                $crate::value::Watched::compared(&a, &b, $crate::value::Edge::Equal);
                a != b
            })
            .function(
                concat!("min(a: ", stringify!($type), ", b: ", stringify!($type), ") -> ", stringify!($type)),
                "min(a, b)",
                "The smaller, or earlier, of the two.",
                |a: $type, b: $type| {
                    $crate::value::Watched::compared(&a, &b, $crate::value::Edge::Passed);
                    if b < a { b } else { a }
                },
            )
            .function(
                concat!("max(a: ", stringify!($type), ", b: ", stringify!($type), ") -> ", stringify!($type)),
                "max(a, b)",
                "The larger, or later, of the two.",
                |a: $type, b: $type| {
                    $crate::value::Watched::compared(&a, &b, $crate::value::Edge::Reached);
                    if b > a { b } else { a }
                },
            )
            .function(
                concat!("to_string(value: ", stringify!($type), ") -> string"),
                "value.to_string()",
                "As people read it, rounded.",
                |a: &mut $type| a.to_string(),
            )
            .function(
                concat!("to_debug(value: ", stringify!($type), ") -> string"),
                "value.to_debug()",
                "As `print` and `debug` show it.",
                |a: &mut $type| a.to_string(),
            );
        // A value with a unit is not compared with a plain number, which Rhai would take to be another value.
        for symbol in ["==", "!="] {
            $registry
                .engine()
                .register_fn(symbol, move |_: $type, _: i64| {
                    $crate::value::needs_unit::<bool>(symbol, stringify!($type))
                })
                .register_fn(symbol, move |_: i64, _: $type| {
                    $crate::value::needs_unit::<bool>(symbol, stringify!($type))
                })
                .register_fn(symbol, move |_: $type, _: ::rust_decimal::Decimal| {
                    $crate::value::needs_unit::<bool>(symbol, stringify!($type))
                })
                .register_fn(symbol, move |_: ::rust_decimal::Decimal, _: $type| {
                    $crate::value::needs_unit::<bool>(symbol, stringify!($type))
                });
        }
    };
}

pub(crate) use {decimal_unit, register_decimal_arithmetic, register_value};

/// Units of data with their bytes.
pub(crate) fn size_units() -> impl Iterator<Item = (&'static str, i64)> {
    size::UNITS.into_iter()
}

/// Units of time with their milliseconds, one and many.
pub(crate) fn span_units() -> impl Iterator<Item = (&'static str, i64)> {
    span::UNITS.into_iter().flat_map(|(one, many, millis)| [(one, millis), (many, millis)])
}
