//! Amounts of data.

use std::fmt;

use rust_decimal::Decimal;

use super::{
    Fallible, Origin, Percent, decimal_unit, fit, register_decimal_arithmetic, register_value, shown,
};
use crate::registry::Registry;

/// An amount of data, or a difference of two; bytes inside.
#[derive(Debug, Clone, Copy)]
pub struct DataSize {
    pub(crate) value: Decimal,
    pub(crate) origin: Origin,
}

decimal_unit!(DataSize);

/// Units that rules may write, with their bytes: decimal (`GB`) as plans are sold, binary (`GiB`) as some show them.
pub(crate) const UNITS: [(&str, i64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

impl DataSize {
    /// From a count of bytes.
    #[must_use]
    pub fn from_bytes(bytes: u64) -> Self {
        Self::fixed(Decimal::from(bytes))
    }
}

impl fmt::Display for DataSize {
    /// In the largest decimal unit of which there is one at least, with at most two fractional digits: `8.42 GB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = ["TB", "GB", "MB", "kB"].into_iter().find_map(|name| {
            let bytes =
                UNITS.iter().find(|(unit, _)| *unit == name).map(|(_, bytes)| Decimal::from(*bytes))?;
            (self.value.abs() >= bytes).then_some((name, bytes))
        });
        match unit.and_then(|(name, bytes)| Some((name, self.value.checked_div(bytes)?))) {
            Some((name, value)) => write!(f, "{} {name}", shown(value, 2)),
            None => write!(f, "{} B", shown(self.value, 0)),
        }
    }
}

/// Registers the units on numbers and the arithmetic.
pub(super) fn register(registry: &mut Registry<'_>) {
    register_value!(registry, DataSize, "An amount of data, or a difference of two; exact.");
    register_decimal_arithmetic!(registry, DataSize);
    registry.operator("*", "That share of it.", |a: DataSize, b: Percent| part(a, b)).operator(
        "*",
        "That share of it.",
        |a: Percent, b: DataSize| part(b, a),
    );
    for (name, bytes) in UNITS {
        let bytes = Decimal::from(bytes);
        registry
            .property(
                name,
                "DataSize",
                "So much data: `5.GB`; 1 GB is 1,000 MB, 1 GiB is 1,024 MiB.",
                move |n: &mut i64| fit(Decimal::from(*n).checked_mul(bytes)).map(DataSize::fixed),
            )
            .property(
                name,
                "DataSize",
                "So much data: `5.GB`; 1 GB is 1,000 MB, 1 GiB is 1,024 MiB.",
                move |n: &mut Decimal| fit(n.checked_mul(bytes)).map(DataSize::fixed),
            )
            .property(name, "decimal", "How many of that unit it is.", move |size: &mut DataSize| {
                size.origin.lost();
                fit(size.value.checked_div(bytes)).map(|value| value.normalize())
            });
    }
}

fn part(size: DataSize, share: Percent) -> Fallible<DataSize> {
    let hundredfold = size.value.checked_mul(share.value);
    let origin = Origin::product((size.value, size.origin), (share.value, share.origin));
    DataSize::reckoned(hundredfold, origin)?.over(Decimal::ONE_HUNDRED)
}
