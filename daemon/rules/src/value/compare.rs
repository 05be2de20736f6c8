//! `<`, `<=`, `>` and `>=` of everything with everything.
//!
//! Rhai answers `false` when the two sides are of different types: `sim.used > 5`, or a share that is absent, would
//! silently never remind. Here it is an error that says what is missing.

use std::cmp::Ordering;

use rhai::Dynamic;
use rust_decimal::Decimal;

use super::{DataSize, Date, Edge, Fallible, LocalTime, Money, Percent, Span, Watched, fail};
use crate::registry::Registry;

/// Registers the four operators.
pub(super) fn register(registry: &mut Registry<'_>) {
    // The usual pairs by their own types, so that they are found at once; all others by the wildcard.
    macro_rules! same {
        ($($type:ty),*) => {$(
            registry
                .operator("<", "Whether the first is less, or earlier.", |a: $type, b: $type| {
                    a.compared(&b, Edge::Reached);
                    a < b
                })
                .operator("<=", "Whether the first is not more, or not later.", |a: $type, b: $type| {
                    a.compared(&b, Edge::Passed);
                    a <= b
                })
                .operator(">", "Whether the first is more, or later.", |a: $type, b: $type| {
                    a.compared(&b, Edge::Passed);
                    a > b
                })
                .operator(">=", "Whether the first is not less, or not earlier.", |a: $type, b: $type| {
                    a.compared(&b, Edge::Reached);
                    a >= b
                });
        )*};
    }
    same!(i64, Decimal, DataSize, Percent, Span, Date, LocalTime);
    registry
        .operator("<", "Whether the first is less, or earlier.", |a: Dynamic, b: Dynamic| {
            order("<", &a, &b).map(Ordering::is_lt)
        })
        .operator("<=", "Whether the first is not more, or not later.", |a: Dynamic, b: Dynamic| {
            order("<=", &a, &b).map(Ordering::is_le)
        })
        .operator(">", "Whether the first is more, or later.", |a: Dynamic, b: Dynamic| {
            order(">", &a, &b).map(Ordering::is_gt)
        })
        .operator(">=", "Whether the first is not less, or not earlier.", |a: Dynamic, b: Dynamic| {
            order(">=", &a, &b).map(Ordering::is_ge)
        });
}

fn order(op: &str, a: &Dynamic, b: &Dynamic) -> Fallible<Ordering> {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return Ok(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (instant(a), instant(b)) {
        return Ok(a.cmp(&b));
    }
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return Ok(a.as_str().cmp(b.as_str()));
    }
    if let (Ok(a), Ok(b)) = (a.as_char(), b.as_char()) {
        return Ok(a.cmp(&b));
    }
    let side = match (a.is_unit(), b.is_unit()) {
        (true, _) => Some("left"),
        (_, true) => Some("right"),
        _ => None,
    };
    if let Some(side) = side {
        return fail(format!(
            "the {side} side of `{op}` is absent, `()`\ntest it first, as in `if sim.share != () && sim.share {op} …`"
        ));
    }
    let (left, right) = (kind(a), kind(b));
    let plain = number(a).is_some() || number(b).is_some();
    let hint = match (plain, left, right) {
        (true, "DataSize", _) | (true, _, "DataSize") => "\na number needs a unit: 5.GB, 500.MB",
        (true, "Percent", _) | (true, _, "Percent") => "\na number needs a unit: 80.percent",
        (true, "Money", _) | (true, _, "Money") => "\na number needs a currency: 5.EUR, 12.50.CNY",
        (true, "Span", _) | (true, _, "Span") => "\na number needs a unit: 3.days, 12.hours",
        (_, "Date" | "LocalTime", "string") | (_, "string", "Date" | "LocalTime") => {
            "\na date is written date(\"2026-11-22\")"
        }
        _ => "",
    };
    fail(format!("`{op}` cannot compare {left} with {right}{hint}"))
}

/// Whether one value comes before another of its kind, as lists are sorted.
///
/// # Errors
/// When they are of kinds that have no order, or none with each other.
pub(crate) fn before(a: &Dynamic, b: &Dynamic) -> Fallible<bool> {
    macro_rules! both {
        ($($type:ty),*) => {$(
            if let (Some(a), Some(b)) = (a.read_lock::<$type>(), b.read_lock::<$type>()) {
                a.compared(&b, Edge::Reached);
                return Ok(*a < *b);
            }
        )*};
    }
    both!(DataSize, Percent, Span);
    if let (Some(a), Some(b)) = (a.read_lock::<Money>(), b.read_lock::<Money>()) {
        return a.order(*b, "<").map(Ordering::is_lt);
    }
    if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        return Ok(!a && b);
    }
    if a.is_unit() || b.is_unit() {
        return fail(
            "what is absent, `()`, has no place in an order\ntake it out first: list.filter(|x| x != ())",
        );
    }
    order("<", a, b).map(Ordering::is_lt)
}

/// Whether a figure is below 0; none where it is no figure.
pub(crate) fn below_zero(value: &Dynamic) -> Option<bool> {
    if let Some(number) = number(value) {
        return Some(number < Decimal::ZERO);
    }
    macro_rules! unit {
        ($($type:ident),*) => {$(
            if let Some(value) = value.read_lock::<$type>() {
                let nothing = $type::fixed(Decimal::ZERO);
                value.compared(&nothing, Edge::Reached);
                return Some(*value < nothing);
            }
        )*};
    }
    unit!(DataSize, Percent);
    if let Some(span) = value.read_lock::<Span>() {
        return Some(span.0 < 0);
    }
    value.read_lock::<Money>().map(|money| money.amount() < Decimal::ZERO)
}

/// A value with nothing rounded away, for whoever looks for the difference of two that are shown alike.
pub(crate) fn exact(value: &Dynamic) -> String {
    if let Ok(list) = value.as_array_ref() {
        return format!("[{}]", list.iter().map(exact).collect::<Vec<_>>().join(", "));
    }
    if let Ok(map) = value.as_map_ref() {
        let entry = |(name, value): (&rhai::Identifier, &Dynamic)| format!("{name:?}: {}", exact(value));
        return format!("#{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return format!("{:?}", text.as_str());
    }
    if let Some(size) = value.read_lock::<DataSize>() {
        return format!("{} B", size.value.normalize());
    }
    if let Some(share) = value.read_lock::<Percent>() {
        return format!("{}%", share.value.normalize());
    }
    if let Some(span) = value.read_lock::<Span>() {
        return format!("{} ms", span.0);
    }
    if let Some(money) = value.read_lock::<Money>() {
        return format!("{} {}", money.amount().normalize(), money.currency().code());
    }
    if value.is_unit() { "()".to_owned() } else { value.to_string() }
}

/// The error of a value with a unit beside a plain number.
pub(crate) fn needs_unit<T>(op: &str, kind: &str) -> Fallible<T> {
    let hint = match kind {
        "DataSize" => "a number needs a unit: 5.GB, 500.MB",
        "Percent" => "a number needs a unit: 80.percent",
        "Span" => "a number needs a unit: 3.days, 12.hours",
        "Money" => "a number needs a currency: 5.EUR, 12.50.CNY",
        "Date" => "a date is written date(\"2026-11-22\")",
        "LocalTime" => "a time has a `date`, an `hour` and a `minute`, which are numbers or dates",
        _ => "write both with their unit",
    };
    fail(format!("`{op}` cannot compare {kind} with a plain number\n{hint}"))
}

fn number(value: &Dynamic) -> Option<Decimal> {
    value.as_int().map(Decimal::from).or_else(|_| value.as_decimal()).ok()
}

fn instant(value: &Dynamic) -> Option<LocalTime> {
    value
        .read_lock::<LocalTime>()
        .map(|time| *time)
        .or_else(|| value.read_lock::<Date>().map(|date| date.start()))
}

/// What a value is called in messages.
pub(crate) fn kind(value: &Dynamic) -> &'static str {
    if value.is_unit() {
        "()"
    } else if value.is_int() || value.is_decimal() {
        "a plain number"
    } else if value.is_string() {
        "string"
    } else if value.is_bool() {
        "bool"
    } else if value.is_array() {
        "array"
    } else if value.is_map() {
        "map"
    } else if value.is::<DataSize>() {
        "DataSize"
    } else if value.is::<Percent>() {
        "Percent"
    } else if value.is::<Span>() {
        "Span"
    } else if value.is::<Money>() {
        "Money"
    } else if value.is::<Date>() {
        "Date"
    } else if value.is::<LocalTime>() {
        "LocalTime"
    } else {
        value.type_name().rsplit("::").next().map_or("value", |name| match name {
            "SimView" => "Sim",
            "Schedule" => "Schedule",
            _ => "value",
        })
    }
}

/// Whether two plain values are the same; values of different kinds are not.
///
/// # Errors
/// When they are money of different currencies.
pub(crate) fn equal(a: &Dynamic, b: &Dynamic) -> Fallible<bool> {
    match (a.read_lock::<Money>(), b.read_lock::<Money>()) {
        (Some(a), Some(b)) => a.order(*b, "==").map(Ordering::is_eq),
        _ => Ok(same(a, b)),
    }
}

fn same(a: &Dynamic, b: &Dynamic) -> bool {
    macro_rules! both {
        ($type:ty) => {
            match (a.read_lock::<$type>(), b.read_lock::<$type>()) {
                (Some(a), Some(b)) => {
                    a.compared(&b, Edge::Equal);
                    *a == *b
                }
                _ => false,
            }
        };
    }
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return a == b;
    }
    if let (Some(a), Some(b)) = (instant(a), instant(b)) {
        return a == b;
    }
    (a.is_unit() && b.is_unit())
        || matches!((a.as_immutable_string_ref(), b.as_immutable_string_ref()), (Ok(a), Ok(b)) if *a == *b)
        || both!(bool)
        || both!(char)
        || both!(DataSize)
        || both!(Percent)
        || both!(Span)
}
