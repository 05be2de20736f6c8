//! Amounts of money, each in its currency.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use rhai::{Dynamic, EvalAltResult, ImmutableString, Position};
use rust_decimal::Decimal;

use super::{Fallible, Percent, fail, fit, needs_unit};
use crate::registry::Registry;
use crate::text::short;

/// An exact amount in one currency; may be below 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    pub(crate) amount: Decimal,
    pub(crate) currency: Currency,
}

/// A currency of ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    code: &'static str,
    /// Digits of its smallest unit.
    digits: u32,
}

/// Currencies in use, by the digits of their smallest unit (ISO 4217).
const CURRENCIES: [(u32, &str); 3] = [
    (
        2,
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP \
         CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR \
         IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN \
         NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP \
         STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG",
    ),
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
];

/// Those that the reference tells of.
const SHOWN: [&str; 2] = ["EUR", "CNY"];

/// Longest amount that is read from a text.
const MOST_DIGITS: usize = 40;

impl Currency {
    /// By its code, such as `EUR`.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        CURRENCIES.iter().find_map(|(digits, codes)| {
            let code = codes.split(' ').find(|known| *known == code)?;
            Some(Self { code, digits: *digits })
        })
    }

    /// Its code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.code
    }
}

impl Money {
    /// Reads `12.50 EUR`.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (amount, code) = text.trim().split_once(' ')?;
        Some(Self { amount: amount_of(amount)?, currency: Currency::of(code.trim())? })
    }

    /// The bare number.
    pub(crate) const fn amount(self) -> Decimal {
        self.amount
    }

    /// Its currency.
    pub(crate) const fn currency(self) -> Currency {
        self.currency
    }

    /// The two amounts, where they are of one currency.
    fn pair(self, other: Self, what: &str) -> Fallible<(Decimal, Decimal)> {
        if self.currency != other.currency {
            let (a, b) = (self.currency.code, other.currency.code);
            return fail(format!(
                "`{what}` of {a} and {b}: nothing here knows what one is worth in the other"
            ));
        }
        Ok((self.amount, other.amount))
    }

    fn reckoned(self, amount: Option<Decimal>) -> Fallible<Self> {
        fit(amount).map(|amount| Self { amount, ..self })
    }

    fn times(self, by: Decimal) -> Fallible<Self> {
        self.reckoned(self.amount.checked_mul(by))
    }

    fn over(self, by: Decimal) -> Fallible<Self> {
        self.reckoned(self.amount.checked_div(by))
    }

    fn part(self, share: Percent) -> Fallible<Self> {
        share.origin.lost();
        self.times(share.value)?.over(Decimal::ONE_HUNDRED)
    }

    /// Which is more.
    ///
    /// # Errors
    /// When they are of different currencies.
    pub(crate) fn order(self, other: Self, op: &str) -> Fallible<Ordering> {
        self.pair(other, op).map(|(a, b)| a.cmp(&b))
    }
}

impl fmt::Display for Money {
    /// Rounded to the currency's smallest unit, `12.50 EUR`; less than one whole keeps two digits more, as prices of a
    /// megabyte or a minute have them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.currency.digits;
        let most = if self.amount.abs() < Decimal::ONE { digits.saturating_add(2) } else { digits };
        let away = rust_decimal::RoundingStrategy::MidpointAwayFromZero;
        let mut amount = self.amount.round_dp_with_strategy(most, away).normalize();
        if amount.scale() < digits {
            amount.rescale(digits);
        }
        write!(f, "{amount} {}", self.currency.code)
    }
}

/// A decimal written out: no exponent, no separators.
fn amount_of(text: &str) -> Option<Decimal> {
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
    (text.len() <= MOST_DIGITS && text.chars().all(plain))
        .then(|| Decimal::from_str_exact(text).ok())
        .flatten()
}

fn currency(code: &str) -> Fallible<Currency> {
    match Currency::of(code) {
        Some(currency) => Ok(currency),
        None => {
            let upper = code.to_ascii_uppercase();
            let hint =
                Currency::of(&upper).map_or("a code of three letters, such as EUR or CNY", Currency::code);
            fail(format!("there is no currency `{}`: write {hint}", short(code)))
        }
    }
}

/// `12.50.EUR`; what is no currency is as unknown as any other property.
fn unit(amount: Decimal, code: &str, shown: &str) -> Fallible<Money> {
    match Currency::of(code) {
        Some(currency) => Ok(Money { amount, currency }),
        None => Err(Box::new(EvalAltResult::ErrorDotExpr(
            format!("Unknown property '{code}' - a getter is not registered for type '{shown}'"),
            Position::NONE,
        ))),
    }
}

fn money(amount: Decimal, code: &str) -> Fallible<Money> {
    Ok(Money { amount, currency: currency(code)? })
}

/// Registers the currencies on numbers, `money`, and the arithmetic.
pub(super) fn register(registry: &mut Registry<'_>) {
    registry
        .kind::<Money>("Money", "An exact amount in one currency: `12.50.EUR`. Currencies are never mixed.");
    // For the reference: every other code of ISO 4217 is a unit as well, found by what stands behind these.
    for (code, doc) in SHOWN
        .into_iter()
        .zip(["So many euros; any currency in use is a unit, by its code of ISO 4217.", "So many yuan."])
    {
        registry
            .property(code, "Money", doc, move |n: &mut i64| unit(Decimal::from(*n), code, "i64"))
            .property(code, "Money", doc, move |n: &mut Decimal| unit(*n, code, "decimal"));
    }
    let engine = registry.engine();
    engine.register_indexer_get(|n: &mut Decimal, code: ImmutableString| unit(*n, &code, "decimal"));
    // Rhai keeps the indexer of whole numbers to itself.
    for code in CURRENCIES.iter().flat_map(|(_, codes)| codes.split(' ')).filter(|code| !SHOWN.contains(code))
    {
        engine.register_get(code, move |n: &mut i64| unit(Decimal::from(*n), code, "i64"));
    }
    registry
        .function(
            "money(amount: string, currency: string) -> Money",
            "money(\"12.50\", \"EUR\")",
            "An amount in a currency that is known by its code.",
            |amount: &str, code: &str| match amount_of(amount) {
                Some(amount) => money(amount, code),
                None => fail(format!("`{}` is not an amount: write it as \"12.50\"", short(amount))),
            },
        )
        .function(
            "money(amount: int, currency: string) -> Money",
            "money(12, \"EUR\")",
            "An amount in a currency that is known by its code.",
            |amount: i64, code: &str| money(amount.into(), code),
        )
        .function(
            "money(amount: decimal, currency: string) -> Money",
            "money(12.50, \"EUR\")",
            "An amount in a currency that is known by its code.",
            |amount: Decimal, code: &str| money(amount, code),
        )
        .property("amount", "decimal", "The bare number, exact.", |money: &mut Money| {
            money.amount.normalize()
        })
        .property("currency", "string", "The currency's code, such as `EUR`.", |money: &mut Money| {
            ImmutableString::from(money.currency.code)
        })
        .function(
            "to_string(value: Money) -> string",
            "value.to_string()",
            "As people read it.",
            |a: &mut Money| a.to_string(),
        )
        .function(
            "to_debug(value: Money) -> string",
            "value.to_debug()",
            "As `debug` shows it.",
            |a: &mut Money| a.to_string(),
        )
        .function(
            "min(a: Money, b: Money) -> Money",
            "min(a, b)",
            "The smaller of the two.",
            |a: Money, b: Money| a.order(b, "min").map(|order| if order.is_gt() { b } else { a }),
        )
        .function(
            "max(a: Money, b: Money) -> Money",
            "max(a, b)",
            "The larger of the two.",
            |a: Money, b: Money| a.order(b, "max").map(|order| if order.is_lt() { b } else { a }),
        );
    arithmetic(registry);
}

fn arithmetic(registry: &mut Registry<'_>) {
    for symbol in ["==", "!="] {
        registry
            .engine()
            .register_fn(symbol, move |_: Money, _: i64| needs_unit::<bool>(symbol, "Money"))
            .register_fn(symbol, move |_: i64, _: Money| needs_unit::<bool>(symbol, "Money"))
            .register_fn(symbol, move |_: Money, _: Decimal| needs_unit::<bool>(symbol, "Money"))
            .register_fn(symbol, move |_: Decimal, _: Money| needs_unit::<bool>(symbol, "Money"));
    }
    registry
        .operator("==", "Whether both are the same.", |a: Money, b: Money| {
            a.order(b, "==").map(Ordering::is_eq)
        })
        .operator("!=", "Whether they differ.", |a: Money, b: Money| a.order(b, "!=").map(Ordering::is_ne))
        .operator("<", "Whether the first is less.", |a: Money, b: Money| {
            a.order(b, "<").map(Ordering::is_lt)
        })
        .operator("<=", "Whether the first is not more.", |a: Money, b: Money| {
            a.order(b, "<=").map(Ordering::is_le)
        })
        .operator(">", "Whether the first is more.", |a: Money, b: Money| {
            a.order(b, ">").map(Ordering::is_gt)
        })
        .operator(">=", "Whether the first is not less.", |a: Money, b: Money| {
            a.order(b, ">=").map(Ordering::is_ge)
        })
        .operator("+", "The sum, of one currency.", |a: Money, b: Money| {
            let (x, y) = a.pair(b, "+")?;
            a.reckoned(x.checked_add(y))
        })
        .operator("-", "The difference, of one currency.", |a: Money, b: Money| {
            let (x, y) = a.pair(b, "-")?;
            a.reckoned(x.checked_sub(y))
        })
        .operator("-", "The same below 0.", |a: Money| Money { amount: -a.amount, ..a })
        .operator("*", "So many times as much.", |a: Money, b: i64| a.times(b.into()))
        .operator("*", "So many times as much.", |a: i64, b: Money| b.times(a.into()))
        .operator("*", "So many times as much.", |a: Money, b: Decimal| a.times(b))
        .operator("*", "So many times as much.", |a: Decimal, b: Money| b.times(a))
        .operator("*", "The share of the amount.", |a: Money, b: Percent| a.part(b))
        .operator("*", "The share of the amount.", |a: Percent, b: Money| b.part(a))
        .operator("/", "One part of so many.", |a: Money, b: i64| a.over(b.into()))
        .operator("/", "One part of so many.", |a: Money, b: Decimal| a.over(b))
        .operator("/", "How many times the second, of one currency.", |a: Money, b: Money| {
            let (x, y) = a.pair(b, "/")?;
            fit(x.checked_div(y)).map(|times| times.normalize())
        });
}

impl FromStr for Money {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not an amount of money such as \"12.50 EUR\"".to_owned())
    }
}

impl From<Money> for Dynamic {
    fn from(money: Money) -> Self {
        Self::from::<Money>(money)
    }
}

#[cfg(test)]
mod tests {
    use super::{CURRENCIES, Currency, Money};

    #[test]
    fn codes_are_three_letters_each_once() {
        let mut codes: Vec<&str> = CURRENCIES.iter().flat_map(|(_, codes)| codes.split(' ')).collect();
        assert!(codes.iter().all(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase())));
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!((count, codes.len()), (codes.len(), count));
        assert!(count > 150, "{count}");
        assert_eq!(Currency::of("EUR").map(Currency::code), Some("EUR"));
        for no in ["", "eur", "EU", "EURO", "EUR CNY", "R C", "XXX"] {
            assert_eq!(Currency::of(no), None, "{no}");
        }
    }

    #[test]
    fn amounts_are_read_strictly() {
        assert_eq!(Money::parse("12.50 EUR").map(|m| m.to_string()).as_deref(), Some("12.50 EUR"));
        for bad in [
            "12.50",
            "EUR",
            "12,50 EUR",
            "1e3 EUR",
            "1_000 EUR",
            "12.50EUR",
            "NaN EUR",
            "12.5.0 EUR",
            " EUR",
            "- EUR",
        ] {
            assert_eq!(Money::parse(bad), None, "{bad}");
        }
    }
}
