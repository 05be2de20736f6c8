//! Values with units, as rules see them: amounts of data, spans, shares, dates and times.
//!
//! All of them are exact: decimals or whole milliseconds, with checked arithmetic. What does not fit is a script
//! error, never a wrapped or rounded figure.

mod calendar;
mod compare;
mod percent;
mod size;
mod span;

use rhai::{Dynamic, Engine, EvalAltResult, Position};
use rust_decimal::Decimal;

pub(crate) use calendar::weekday_name;
pub use calendar::{Date, LocalTime};
pub(crate) use compare::{equal, kind};
pub use percent::Percent;
pub use size::DataSize;
pub use span::Span;

/// What a function of the rule language gives back.
pub(crate) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Makes the values and their operators known to rules.
pub(crate) fn register(engine: &mut Engine) {
    size::register(engine);
    span::register(engine);
    percent::register(engine);
    calendar::register(engine);
    compare::register(engine);
}

/// A script error in plain words; Rhai fills in the position.
pub(crate) fn fail<T>(message: impl Into<String>) -> Fallible<T> {
    Err(Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(message.into()), Position::NONE)))
}

/// A checked result, or the error that it does not fit.
pub(crate) fn fit<T>(value: Option<T>) -> Fallible<T> {
    value.map_or_else(|| fail("the result does not fit: the numbers are too large, or the divisor is 0"), Ok)
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
    ($engine:ident, $unit:ident) => {
        $engine
            .register_fn("+", |a: $unit, b: $unit| fit(a.0.checked_add(b.0)).map($unit))
            .register_fn("-", |a: $unit, b: $unit| fit(a.0.checked_sub(b.0)).map($unit))
            .register_fn("-", |a: $unit| $unit(-a.0))
            .register_fn("*", |a: $unit, b: i64| fit(a.0.checked_mul(b.into())).map($unit))
            .register_fn("*", |a: i64, b: $unit| fit(b.0.checked_mul(a.into())).map($unit))
            .register_fn("*", |a: $unit, b: Decimal| fit(a.0.checked_mul(b)).map($unit))
            .register_fn("*", |a: Decimal, b: $unit| fit(b.0.checked_mul(a)).map($unit))
            .register_fn("/", |a: $unit, b: i64| fit(a.0.checked_div(b.into())).map($unit))
            .register_fn("/", |a: $unit, b: Decimal| fit(a.0.checked_div(b)).map($unit))
            .register_fn("/", |a: $unit, b: $unit| fit(a.0.checked_div(b.0)));
    };
}

/// Registers equality, and the texts that people and `debug` see.
macro_rules! register_value {
    ($engine:ident, $type:ident) => {
        $engine
            .register_type_with_name::<$type>(stringify!($type))
            .register_fn("==", |a: $type, b: $type| a == b)
            .register_fn("!=", |a: $type, b: $type| a != b)
            .register_fn("min", |a: $type, b: $type| if b < a { b } else { a })
            .register_fn("max", |a: $type, b: $type| if b > a { b } else { a })
            .register_fn("to_string", |a: &mut $type| a.to_string())
            .register_fn("to_debug", |a: &mut $type| a.to_string());
    };
}

pub(crate) use {register_decimal_arithmetic, register_value};

/// Units of data with their bytes.
pub(crate) fn size_units() -> impl Iterator<Item = (&'static str, i64)> {
    size::UNITS.into_iter()
}

/// Units of time with their milliseconds, one and many.
pub(crate) fn span_units() -> impl Iterator<Item = (&'static str, i64)> {
    span::UNITS.into_iter().flat_map(|(one, many, millis)| [(one, millis), (many, millis)])
}
