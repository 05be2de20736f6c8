//! A rule run over the past: what goes in (`simbelld replay --past` reads it) and what comes out (`simbelld replay`
//! prints it, and `simbellctl rules replay --json` passes it on), one object a line.

use serde::{Deserialize, Serialize};

use crate::carrier::Observation;
use crate::export::ExportPart;
use crate::status::Sim;
use crate::voice::{CallsRow, MessagesRow};

/// One line of the past, as the service tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PastLine {
    /// A SIM as it is known now.
    Sim(Box<Sim>),
    /// Usage by the hour, corrections and gaps.
    Part(Box<ExportPart>),
    /// Calls of an hour.
    Calls(Box<CallsRow>),
    /// Messages of an hour.
    Messages(Box<MessagesRow>),
    /// A figure of the carrier.
    Observation(Box<Observation>),
    /// The last line: without it the past is not whole.
    End,
}

/// One line of what came of it, told apart by its `record`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ReplayLine {
    /// The rule would have rung.
    Ring(Box<ReplayRing>),
    /// The rule failed.
    Failure(Box<ReplayFailure>),
    /// A SIM's usage at the end of a day.
    Day(Box<ReplayDay>),
    /// The end.
    Summary(Box<ReplaySummary>),
}

named! {
    /// A reminder that would have been said, from the first time until it was over.
    pub struct ReplayRing {
        /// `ring`.
        pub record: String,
        /// Of two versions compared: `old`, `new`, or `both`; null where one is replayed.
        pub side: Option<String>,
        /// When it would have been said first, RFC 3339 in the plan's zone.
        pub at: String,
        /// When it was raised: earlier than `at` where quiet hours held it back.
        pub raised_at: String,
        /// About which SIM; null for none.
        pub iccid: Option<String>,
        /// What the configuration calls the SIM; null for none.
        pub sim: Option<String>,
        /// The key, as `simbellctl reminders` would show it.
        pub key: String,
        /// The key as the rule gives it.
        pub name: String,
        /// `info`, `warning` or `critical`.
        pub urgency: String,
        /// What would have been said.
        pub text: String,
        /// What the old version would have said, where both ring and say something else; null otherwise.
        pub old_text: Option<String>,
        /// On what occasion: `usage`, `schedule` and so on.
        pub trigger: String,
        /// How many times it would have been said.
        pub times: u64,
        /// When it would have been said for the last time.
        pub last_at: String,
        /// How late it was the first time, seconds; null when on time.
        pub late_seconds: Option<i64>,
        /// When it was over; null where it still held at the end.
        pub resolved_at: Option<String>,
    }

    /// The rule failed: what it said before holds.
    pub struct ReplayFailure {
        /// `failure`.
        pub record: String,
        /// Of two versions compared: `old` or `new`; null where one is replayed.
        pub side: Option<String>,
        /// When, RFC 3339.
        pub at: String,
        /// About which SIM; null for none.
        pub sim: Option<String>,
        /// Why: file, line, column.
        pub error: String,
        /// Whether the service would have suspended the rule then: it is asked no more.
        pub suspended: bool,
    }

    /// What a SIM had used of its allowance as a day ended.
    pub struct ReplayDay {
        /// `day`.
        pub record: String,
        /// Whose.
        pub iccid: String,
        /// What the configuration calls the SIM; its ICCID where it has no name.
        pub sim: String,
        /// Which day, ISO 8601, in the plan's zone.
        pub date: String,
        /// Used in the cycle by the day's end, as the plan counts it, bytes.
        pub used_bytes: u64,
        /// The allowance; null where there is none.
        pub allowance_bytes: Option<u64>,
        /// Whether something of the day could not be known, or is known by the day or the cycle only.
        pub partial: bool,
    }

    /// One version of a rule, and how often it rang.
    pub struct ReplayedRule {
        /// Its name.
        pub name: String,
        /// Its file.
        pub file: String,
        /// Reminders that would have been said.
        pub rings: u64,
        /// How many times in all, repetitions included.
        pub times: u64,
        /// How many times it was asked.
        pub evaluations: u64,
        /// How many times it failed.
        pub failures: u64,
        /// When the service would have suspended it; null where it would not.
        pub suspended_at: Option<String>,
    }

    /// The end of a replay.
    pub struct ReplaySummary {
        /// `summary`.
        pub record: String,
        /// From, RFC 3339.
        pub from: String,
        /// Until, excluded.
        pub to: String,
        /// Days in it, rounded.
        pub days: u64,
        /// How many SIMs it is about.
        pub sims: u64,
        /// The rule; of two versions compared the old one, then the new one.
        pub rules: Vec<ReplayedRule>,
        /// What only the old version rings; null where one is replayed.
        pub only_old: Option<u64>,
        /// What only the new version rings; null where one is replayed.
        pub only_new: Option<u64>,
        /// What both ring; null where one is replayed.
        pub both: Option<u64>,
        /// What the past cannot tell, and what else is to be known.
        pub notes: Vec<String>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_it_is() {
        let failure = ReplayLine::Failure(Box::new(ReplayFailure {
            record: "failure".to_owned(),
            side: None,
            at: "2026-11-22T10:00:00Z".to_owned(),
            sim: None,
            error: "x".to_owned(),
            suspended: false,
        }));
        let text = serde_json::to_string(&failure).unwrap();
        assert!(text.starts_with(r#"{"record":"failure""#), "{text}");
        assert_eq!(serde_json::from_str::<ReplayLine>(&text).unwrap(), failure);
        assert_eq!(serde_json::to_string(&PastLine::End).unwrap(), r#""end""#);
    }
}
