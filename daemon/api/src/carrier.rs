//! The carrier's view: as billed, the carrier's own figures, and corrections.

use crate::status::{Calibration, UsedParts};

named! {
    /// What one SIM used in one day or cycle, as measured and as its plan bills it.
    pub struct BilledSpan {
        /// Whose.
        pub iccid: String,
        /// From, RFC 3339.
        pub start: String,
        /// Until, excluded, RFC 3339.
        pub end: String,
        /// Bytes measured, both directions; corrections apart.
        pub measured_bytes: u64,
        /// By so much the span raised what its cycle is billed at, in bytes, corrections apart: the days of a cycle sum
        /// up to it. Null without a plan, and where old usage was folded so that it is not known any more.
        pub billed_bytes: Option<u64>,
        /// Sum of the corrections that count in it, signed bytes.
        pub correction_bytes: i64,
    }

    /// A person's correction. Never changed: taken back by another one.
    pub struct Correction {
        /// Its number in the ledger.
        pub id: i64,
        /// Whose usage.
        pub iccid: String,
        /// The SIM's name; null where it has none.
        pub sim: Option<String>,
        /// At which instant it counts, RFC 3339.
        pub at: String,
        /// Signed bytes.
        pub bytes: i64,
        /// Who, such as `uid 1000`.
        pub author: String,
        /// Why, in the author's words.
        pub reason: String,
        /// The number of the correction that it takes back; null for none.
        pub undoes: Option<i64>,
        /// The number of the correction that takes it back; null while it holds.
        pub undone_by: Option<i64>,
    }

    /// The carrier's own figure of a cycle. Never changed: taken back by another entry.
    pub struct Observation {
        /// Its number in the ledger.
        pub id: i64,
        /// Whose usage.
        pub iccid: String,
        /// The SIM's name; null where it has none.
        pub sim: Option<String>,
        /// When the figure held, RFC 3339.
        pub at: String,
        /// First day of the cycle it is about, ISO 8601.
        pub cycle_start: String,
        /// Used in the cycle, as the carrier says, bytes.
        pub observed_bytes: u64,
        /// Used in the cycle until then, as the plan billed what was measured, bytes; corrections apart.
        pub billed_bytes: u64,
        /// Sum of the corrections in the cycle until then, signed bytes.
        pub correction_bytes: i64,
        /// What the carrier counted for 1,000,000 bytes billed, corrections left out on both sides; null where nothing
        /// can be said.
        pub factor_millionths: Option<u64>,
        /// `used` for the factor, or why not: `insignificant`, `withdrawn`, `withdrawal`, `other-plan`, `older`.
        pub standing: String,
        /// `user`, `ussd` or `sms`.
        pub source: String,
        /// Who, such as `uid 1000`.
        pub author: String,
        /// In the author's words.
        pub note: String,
        /// The number of the entry that it takes back, in which case its own figures say nothing; null for none.
        pub withdraws: Option<i64>,
    }
}

inline! {
    /// One page of spans, oldest first, SIM by SIM.
    pub struct BilledPage {
        /// The spans.
        pub spans: Vec<BilledSpan>,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }

    /// Whose entries, and which page of them.
    #[derive(Default)]
    pub struct EntriesParams {
        /// Name or ICCID; null for every SIM.
        #[serde(default)]
        pub sim: Option<String>,
        /// The `next` of the page before; null for the first page.
        #[serde(default)]
        pub after: Option<String>,
        /// At most so many entries; the service may give fewer. Null for as many as fit.
        #[serde(default)]
        pub limit: Option<u32>,
    }

    /// One page of corrections, newest first.
    pub struct CorrectionsPage {
        /// The corrections.
        pub corrections: Vec<Correction>,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }

    /// Which correction to take back.
    pub struct UndoCorrectionParams {
        /// Its number.
        pub id: i64,
        /// Why, for the ledger.
        pub reason: String,
    }

    /// What taking a correction back did.
    pub struct UndoneReply {
        /// The entry that was added.
        pub correction: Correction,
        /// Usage of the cycle that the entry counts in before, bytes.
        pub before_bytes: u64,
        /// Usage of that cycle now, bytes.
        pub bytes: u64,
    }

    /// One page of observations, newest entry first.
    pub struct ObservationsPage {
        /// The observations.
        pub observations: Vec<Observation>,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }

    /// The carrier's own figure.
    pub struct ObserveUsageParams {
        /// Name or ICCID; null where there is only one.
        #[serde(default)]
        pub sim: Option<String>,
        /// Used in the cycle, as the carrier says, bytes; 10^16 at most.
        pub bytes: u64,
        /// When the figure held: RFC 3339, or an ISO 8601 date in the plan's zone, which is its first instant; null for now.
        #[serde(default)]
        pub at: Option<String>,
        /// For the ledger.
        #[serde(default)]
        pub note: Option<String>,
    }

    /// Which observation to take back.
    pub struct WithdrawObservationParams {
        /// Its number.
        pub id: i64,
        /// Why, for the ledger.
        pub note: String,
    }

    /// What an observation taught.
    pub struct ObservationReply {
        /// The entry that was added.
        pub observation: Observation,
        /// What the carrier's figures teach now.
        pub calibration: Calibration,
        /// Usage of the cycle as calibrated now, bytes, corrections included; null where nothing can be said.
        pub calibrated_bytes: Option<u64>,
        /// What the usage of the cycle is made of now; null where the service does not say.
        #[serde(default)]
        pub parts: Option<UsedParts>,
    }
}
