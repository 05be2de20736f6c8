//! Shares.

use std::fmt;

use rust_decimal::Decimal;

use super::{Origin, decimal_unit, fit, register_decimal_arithmetic, register_value, shown};
use crate::registry::Registry;

/// A share in percent; may be below 0 and above 100.
#[derive(Debug, Clone, Copy)]
pub struct Percent {
    pub(crate) value: Decimal,
    pub(crate) origin: Origin,
}

decimal_unit!(Percent);

impl Percent {
    /// From a share where 1 is the whole; none where it does not fit.
    #[must_use]
    pub fn from_share(share: Decimal) -> Option<Self> {
        share.checked_mul(Decimal::ONE_HUNDRED).map(Self::fixed)
    }
}

impl fmt::Display for Percent {
    /// With at most one fractional digit: `81.3%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", shown(self.value, 1))
    }
}

/// Registers `80.percent` and the arithmetic.
pub(super) fn register(registry: &mut Registry<'_>) {
    register_value!(registry, Percent, "A share in percent; may be below 0 and above 100.");
    register_decimal_arithmetic!(registry, Percent);
    registry
        .property("percent", "Percent", "So many percent: `80.percent`.", |n: &mut i64| {
            Percent::fixed(Decimal::from(*n))
        })
        .property("percent", "Percent", "So many percent: `80.percent`.", |n: &mut Decimal| {
            Percent::fixed(*n)
        })
        .property("number", "decimal", "The number of percent: 80 of `80.percent`.", |share: &mut Percent| {
            share.origin.lost();
            share.value.normalize()
        })
        .operator("*", "The share of the share.", |a: Percent, b: Percent| {
            let product = a.value.checked_mul(b.value);
            let origin = Origin::product((a.value, a.origin), (b.value, b.origin));
            Percent::reckoned(product, origin)?.over(Decimal::ONE_HUNDRED)
        });
}
