//! Where a value comes from: whether, and how, it moves with the usage of the SIM that a rule is asked about.
//!
//! A value that moves in a straight line keeps its slope through sums, differences and products with plain numbers, so
//! that each comparison of it tells at which usage it would come out differently. The nearest of them is when the
//! rule is asked again.

use std::cell::Cell;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::{Date, LocalTime, Span};

/// How a value moves with usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Origin {
    /// It does not.
    #[default]
    Fixed,
    /// By this slope for each byte used.
    Usage(Slope),
    /// In a way that nobody knows.
    Lost,
}

/// A quotient, which stays exact where a share of an odd allowance would not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slope {
    num: Decimal,
    /// Above 0.
    den: Decimal,
}

/// What a comparison turns on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// `<` and `>=`: whether the left side reaches the right one.
    Reached,
    /// `>` and `<=`: whether it is past it.
    Passed,
    /// `==` and `!=`.
    Equal,
}

/// What one evaluation compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// So many bytes more, at least 1, and a comparison comes out differently; never too many.
    pub(crate) nearest: Option<u64>,
    /// Usage was reckoned with in a way that keeps no slope.
    pub(crate) lost: bool,
}

/// Values that can be compared.
pub(super) trait Watched {
    /// Notes that the two were compared.
    fn compared(&self, _other: &Self, _edge: Edge) {}
}

impl Watched for i64 {}
impl Watched for Decimal {}
impl Watched for bool {}
impl Watched for char {}
impl Watched for Span {}
impl Watched for Date {}
impl Watched for LocalTime {}

/// What is rounded away in 28 digits is far less, in bytes.
const MARGIN: Decimal = Decimal::from_parts(1, 0, 0, false, 3);

thread_local! {
    // An evaluation stays on one thread, and operators are given nothing that could name the run.
    static SEEN: Cell<Seen> = const { Cell::new(Seen { nearest: None, lost: false }) };
}

/// An evaluation begins: nothing is compared yet.
pub(crate) fn begin() {
    SEEN.set(Seen::default());
}

/// What was compared since.
pub(crate) fn seen() -> Seen {
    SEEN.get()
}

/// A value left the reach of what can be followed.
pub(crate) fn lost() {
    SEEN.set(Seen { lost: true, ..SEEN.get() });
}

impl Origin {
    /// Moves by `num / den` for each byte.
    pub(crate) fn usage(num: Decimal, den: Decimal) -> Self {
        if num.is_zero() {
            return Self::Fixed;
        }
        match (den.is_zero(), den.is_sign_negative()) {
            (true, _) => Self::Lost,
            (false, true) => Self::Usage(Slope { num: -num, den: -den }),
            (false, false) => Self::Usage(Slope { num, den }),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Lost, _) | (_, Self::Lost) => Self::Lost,
            (Self::Fixed, origin) | (origin, Self::Fixed) => origin,
            (Self::Usage(a), Self::Usage(b)) => match a.plus(b) {
                // Quotients cancel each other out but for their last digits, which move as they like.
                Some(sum) if sum.num.is_zero() && sum.den != Decimal::ONE => Self::Lost,
                Some(sum) => Self::usage(sum.num, sum.den),
                None => Self::Lost,
            },
        }
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Usage(slope) => Self::Usage(Slope { num: -slope.num, ..slope }),
            origin => origin,
        }
    }

    pub(super) fn times(self, by: Decimal) -> Self {
        match self {
            Self::Usage(slope) => {
                slope.num.checked_mul(by).map_or(Self::Lost, |num| Self::usage(num, slope.den))
            }
            origin => origin,
        }
    }

    pub(super) fn over(self, by: Decimal) -> Self {
        match self {
            Self::Usage(slope) => {
                slope.den.checked_mul(by).map_or(Self::Lost, |den| Self::usage(slope.num, den))
            }
            origin => origin,
        }
    }

    /// Of a product; of two values that both move it is no straight line.
    pub(super) fn product((a, of_a): (Decimal, Self), (b, of_b): (Decimal, Self)) -> Self {
        match (of_a, of_b) {
            (Self::Fixed, moving) => moving.times(a),
            (moving, Self::Fixed) => moving.times(b),
            _ => Self::Lost,
        }
    }

    /// The value becomes a plain number, which keeps nothing of this.
    pub(crate) fn lost(self) {
        if self != Self::Fixed {
            lost();
        }
    }
}

impl Slope {
    fn plus(self, other: Self) -> Option<Self> {
        if self.den == other.den {
            return Some(Self { num: self.num.checked_add(other.num)?, den: self.den });
        }
        let num = self.num.checked_mul(other.den)?.checked_add(other.num.checked_mul(self.den)?)?;
        Some(Self { num, den: self.den.checked_mul(other.den)? })
    }
}

/// Notes a comparison of two values.
pub(super) fn compared((a, of_a): (Decimal, Origin), (b, of_b): (Decimal, Origin), edge: Edge) {
    if of_a == Origin::Fixed && of_b == Origin::Fixed {
        return;
    }
    match of_a.plus(of_b.negated()) {
        // Both move alike.
        Origin::Fixed => {}
        Origin::Lost => lost(),
        Origin::Usage(slope) => match a.checked_sub(b).map(|ahead| turns(ahead, slope, edge)) {
            Some(Turn::Never) => {}
            Some(Turn::After(bytes)) => {
                let seen = SEEN.get();
                let nearest = Some(seen.nearest.map_or(bytes, |nearest| nearest.min(bytes)));
                SEEN.set(Seen { nearest, ..seen });
            }
            Some(Turn::Unknown) | None => lost(),
        },
    }
}

enum Turn {
    Never,
    After(u64),
    Unknown,
}

/// After how many bytes more the comparison comes out differently; `ahead` is how far its left side is ahead now.
fn turns(ahead: Decimal, slope: Slope, edge: Edge) -> Turn {
    let rises = slope.num.is_sign_positive();
    let (reached, passed) = (ahead >= Decimal::ZERO, ahead > Decimal::ZERO);
    // Rising, a side that is behind comes to reach, then to pass; falling, it ceases to.
    let turns = match (edge, rises) {
        (Edge::Reached, true) => !reached,
        (Edge::Passed | Edge::Equal, true) => !passed,
        (Edge::Reached | Edge::Equal, false) => reached,
        (Edge::Passed, false) => passed,
    };
    if !turns {
        return Turn::Never;
    }
    let bytes = ahead
        .abs()
        .checked_mul(slope.den)
        .and_then(|way| way.checked_div(slope.num.abs()))
        .and_then(|bytes| bytes.checked_sub(MARGIN));
    match bytes {
        // Equal now, or less than a byte away.
        Some(bytes) if bytes <= Decimal::ONE => Turn::After(1),
        // More than can ever be counted.
        Some(bytes) => bytes.ceil().to_u64().map_or(Turn::Never, Turn::After),
        None => Turn::Unknown,
    }
}
