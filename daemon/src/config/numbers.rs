//! Lengths and numbers within bounds.

use simbell_core::bytes::Bytes;
use simbell_core::time::Span;

use super::duration::Length;
use super::section::{Field, Report};

/// A length of time between two, seconds, both included.
pub(super) fn length(field: &Field<'_>, least: u64, most: u64, report: &mut Report<'_>) -> Option<Length> {
    length_within(field, Length::from_secs(least), Length::from_secs(most), report)
}

/// A length of time between two, both included.
pub(super) fn length_within(
    field: &Field<'_>,
    least: Length,
    most: Length,
    report: &mut Report<'_>,
) -> Option<Length> {
    let length: Length = field.parsed("a length of time in quotes such as \"20s\" or \"5min\"", report)?;
    if !(least..=most).contains(&length) {
        field.invalid(report, format!("is out of range, expected {least} to {most}"));
        return None;
    }
    Some(length)
}

/// An amount of data between two, both included.
pub(super) fn bytes(field: &Field<'_>, least: Bytes, most: Bytes, report: &mut Report<'_>) -> Option<Bytes> {
    let bytes: Bytes = field.parsed("an amount of data in quotes such as \"10 MB\"", report)?;
    if !(least..=most).contains(&bytes) {
        field.invalid(report, format!("is out of range, expected {} to {}", least.exact(), most.exact()));
        return None;
    }
    Some(bytes)
}

/// A whole number between two, both included.
pub(super) fn number(field: &Field<'_>, least: u32, most: u32, report: &mut Report<'_>) -> Option<u32> {
    let number = field.integer(i64::from(least), i64::from(most), report)?;
    u32::try_from(number).ok()
}

/// As the core's type.
pub(super) fn span(length: Length) -> Span {
    Span(i64::try_from(length.millis()).unwrap_or(i64::MAX))
}
