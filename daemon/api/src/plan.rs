//! Plans as configured.

use crate::status::{Cycle, UsedParts};

named! {
    /// Local hours that cost nothing.
    pub struct FreeHours {
        /// From, included, such as `00:00`.
        pub from: String,
        /// Until, excluded; on the next day where it is not after `from`.
        pub until: String,
        /// On which weekdays they begin: `mon` to `sun`.
        pub days: Vec<String>,
    }

    /// The plan of one SIM.
    pub struct Plan {
        /// Whose.
        pub iccid: String,
        /// The SIM's name; null where it has none.
        pub sim: Option<String>,
        /// The plan's name.
        pub name: String,
        /// What may be used in a cycle; null for no limit.
        pub data_bytes: Option<u64>,
        /// `month` (starts anew each month), `days` (lasts a number of days) or `bucket` (ends when used).
        pub period: String,
        /// The day a month's cycle starts on: `1` to `31`, or `last`; null for other periods.
        pub day: Option<String>,
        /// How many days a bundle lasts; null for other periods.
        pub days: Option<u32>,
        /// First day of a bundle or bucket, ISO 8601; null for a month.
        pub start: Option<String>,
        /// Whether a new bundle follows by itself; null for other periods.
        pub renews: Option<bool>,
        /// Which direction counts: `both`, `download`, `upload`, or `max` for the one that carried more in the cycle.
        pub counts: String,
        /// Whether bytes used while roaming count.
        pub roaming_counts: bool,
        /// The step in bytes that usage is rounded up to; null where each byte is billed.
        pub increment_bytes: Option<u64>,
        /// What is rounded up: each `session` or each `day`; null where each byte is billed.
        pub increment_per: Option<String>,
        /// Local hours that cost nothing; empty where there are none.
        pub free_hours: Vec<FreeHours>,
        /// Whether rules and thresholds see usage calibrated to the carrier's own figures.
        pub calibrate: bool,
        /// Time zone of its days, IANA name.
        pub timezone: String,
        /// The cycle now.
        pub cycle: Cycle,
        /// Bytes used in the cycle, as the plan counts them.
        pub billed_bytes: Option<u64>,
        /// Bytes used in the cycle as rules and thresholds see them: as billed, or calibrated.
        pub used_bytes: Option<u64>,
        /// Bytes measured in the cycle, both directions, corrections included.
        pub measured_bytes: Option<u64>,
        /// What `used_bytes` is made of; null where the service does not say.
        #[serde(default)]
        pub parts: Option<UsedParts>,
        /// Bytes left, never below 0; null for no limit, and while the cycle is not known.
        pub remaining_bytes: Option<u64>,
        /// Whether the cycle and what was used in it are known: not before the clock is trusted. Until then the bytes used
        /// are what was measured since the service began, and the cycle has at least as many.
        pub cycle_known: bool,
    }
}
