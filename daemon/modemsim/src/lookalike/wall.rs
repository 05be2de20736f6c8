//! The wall clock, for what ModemManager dates by it.

/// Seconds since 1970-01-01T00:00:00Z.
pub(crate) fn seconds() -> u64 {
    #[allow(clippy::disallowed_methods, reason = "a simulated daemon dates its own records")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Now as ModemManager writes time stamps: ISO 8601 with the offset in hours.
pub(crate) fn iso() -> String {
    let seconds = i64::try_from(seconds()).unwrap_or_default();
    simbell_core::time::Timestamp::from_secs(seconds).to_utc().format("%Y-%m-%dT%H:%M:%S+00").to_string()
}
