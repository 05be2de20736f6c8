//! Plans as configured.

use crate::status::Cycle;

named! {
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
        /// Which direction counts: `both`, `download` or `upload`.
        pub counts: String,
        /// Whether bytes used while roaming count.
        pub roaming_counts: bool,
        /// Time zone of its days, IANA name.
        pub timezone: String,
        /// The cycle now.
        pub cycle: Cycle,
        /// Bytes used in the cycle, as the plan counts them.
        pub billed_bytes: Option<u64>,
        /// Bytes left, never below 0; null for no limit.
        pub remaining_bytes: Option<u64>,
    }
}
