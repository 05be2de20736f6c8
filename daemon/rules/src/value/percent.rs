//! Shares.

use std::fmt;

use rhai::Engine;
use rust_decimal::Decimal;

use super::{fit, register_decimal_arithmetic, register_value, shown};

/// A share in percent; may be below 0 and above 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub(crate) Decimal);

impl Percent {
    /// From a share where 1 is the whole; none where it does not fit.
    #[must_use]
    pub fn from_share(share: Decimal) -> Option<Self> {
        share.checked_mul(Decimal::ONE_HUNDRED).map(Self)
    }
}

impl fmt::Display for Percent {
    /// With at most one fractional digit: `81.3%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", shown(self.0, 1))
    }
}

/// Registers `80.percent` and the arithmetic.
pub(super) fn register(engine: &mut Engine) {
    register_value!(engine, Percent);
    register_decimal_arithmetic!(engine, Percent);
    engine
        .register_get("percent", |n: &mut i64| Percent(Decimal::from(*n)))
        .register_get("percent", |n: &mut Decimal| Percent(*n))
        .register_get("number", |share: &mut Percent| share.0.normalize())
        .register_fn("*", |a: Percent, b: Percent| {
            fit(a.0.checked_mul(b.0).and_then(|product| product.checked_div(Decimal::ONE_HUNDRED)))
                .map(Percent)
        });
}
