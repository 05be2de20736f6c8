//! Times: as on the clock of their zone, and how far off.

use std::time::SystemTime;

use chrono::DateTime;

/// Seconds since the epoch now. A wrong clock only makes "in 2 h" wrong; nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock, for display alone")]
pub(crate) fn now() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or(0)
}

/// `2026-11-22 21:00 (2 h ago)`; the text itself where it is no RFC 3339 time.
pub(crate) fn both(at: &str, now: i64) -> String {
    match DateTime::parse_from_rfc3339(at) {
        Ok(time) => format!("{} ({})", time.format("%Y-%m-%d %H:%M"), off(time.timestamp(), now)),
        Err(_) => super::text::safe(at),
    }
}

/// `2026-11-22 21:00`; the text itself where it is no RFC 3339 time.
pub(crate) fn absolute(at: &str) -> String {
    DateTime::parse_from_rfc3339(at)
        .map_or_else(|_| super::text::safe(at), |time| time.format("%Y-%m-%d %H:%M").to_string())
}

/// `2026-11-22 07:00:03 to 09:14:10`, the day once where it is the same; a side that is not known is said to be so,
/// other words than RFC 3339 times are left as they are.
pub(crate) fn span(from: Option<&str>, until: Option<&str>) -> String {
    let read = |at: Option<&str>| at.and_then(|at| DateTime::parse_from_rfc3339(at).ok());
    let (begin, end) = (read(from), read(until));
    let midnight = |time: &DateTime<_>| time.time() == chrono::NaiveTime::MIN;
    if let (Some(begin), Some(end)) = (begin, end)
        && midnight(&begin)
        && midnight(&end)
    {
        let (first, after) = (begin.date_naive(), end.date_naive());
        return if first.succ_opt() == Some(after) {
            first.to_string()
        } else {
            format!("{first} until before {after}")
        };
    }
    let whole = |time: &DateTime<_>| time.format("%Y-%m-%d %H:%M:%S").to_string();
    let shown = |time: Option<DateTime<_>>, text: Option<&str>| {
        time.as_ref().map_or_else(|| text.map_or_else(|| "not known".to_owned(), super::text::safe), whole)
    };
    let first = shown(begin, from);
    match (begin, end) {
        (Some(begin), Some(end)) if begin == end => first,
        (Some(begin), Some(end)) if begin.date_naive() == end.date_naive() => {
            format!("{first} to {}", end.format("%H:%M:%S"))
        }
        _ => format!("{first} to {}", shown(end, until)),
    }
}

/// `21:00:07`, for lines that follow each other.
pub(crate) fn clock(at: &str) -> String {
    DateTime::parse_from_rfc3339(at)
        .map_or_else(|_| super::text::safe(at), |time| time.format("%H:%M:%S").to_string())
}

/// `in 3 d`, `2 h ago`, `now`.
fn off(at: i64, now: i64) -> String {
    let seconds = at.saturating_sub(now);
    let span = match seconds.unsigned_abs() {
        0..60 => return "now".to_owned(),
        s @ 60..3_600 => format!("{} min", s / 60),
        s @ 3_600..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    };
    if seconds > 0 { format!("in {span}") } else { format!("{span} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_and_near() {
        let noon = DateTime::parse_from_rfc3339("2026-11-22T12:00:00Z").unwrap().timestamp();
        assert_eq!(both("2026-11-22T13:00:30+01:00", noon), "2026-11-22 13:00 (now)");
        assert_eq!(both("2026-11-22T12:05:00Z", noon), "2026-11-22 12:05 (in 5 min)");
        assert_eq!(both("2026-11-21T07:00:00Z", noon), "2026-11-21 07:00 (29 h ago)");
        assert_eq!(both("2026-12-15T12:00:00Z", noon), "2026-12-15 12:00 (in 23 d)");
        assert_eq!(both("soon\u{1b}", noon), "soon\u{fffd}");
        let at = |time: &str| format!("2026-11-22T{time}+01:00");
        let over = |one: &str, other: &str| span(Some(one), Some(other));
        assert_eq!(over(&at("07:00:03"), &at("09:14:10")), "2026-11-22 07:00:03 to 09:14:10");
        assert_eq!(over(&at("07:00:03"), &at("07:00:03")), "2026-11-22 07:00:03");
        assert_eq!(over(&at("00:00:00"), "2026-11-23T00:00:00+01:00"), "2026-11-22");
        assert_eq!(over(&at("00:00:00"), "2026-12-22T00:00:00+01:00"), "2026-11-22 until before 2026-12-22");
        assert_eq!(
            over(&at("23:00:00"), "2026-11-23T00:00:01+01:00"),
            "2026-11-22 23:00:00 to 2026-11-23 00:00:01"
        );
        assert_eq!(over(&at("07:00:00"), "now"), "2026-11-22 07:00:00 to now");
        assert_eq!(span(None, None), "not known to not known");
        assert_eq!(absolute("2026-11-22T13:00:30+08:00"), "2026-11-22 13:00");
    }
}
