//! Why a reminder is as it is, or why a rule says nothing.

use crate::reminder::Reminder;
use crate::rule::Rule;

inline! {
    /// Of what the reason is asked.
    pub struct ExplainReminderParams {
        /// A reminder's key, or a part of it that only one has; or a rule's name.
        pub key: String,
        /// About this SIM, by name or ICCID, where a rule is named; null for any.
        #[serde(default)]
        pub sim: Option<String>,
    }

    /// Why.
    pub struct ExplainReminderReply {
        /// The rule.
        pub rule: Rule,
        /// The reminder, resolved or not; null where a rule was named, or nothing was raised yet.
        pub reminder: Option<Reminder>,
        /// Where it stands and what holds it back, in sentences.
        pub standing: Vec<String>,
        /// What the rule said last; null where that is not known.
        pub decision: Option<Decision>,
        /// What the rule wanted done, the newest first, 16 at most.
        pub actions: Vec<RuleAction>,
    }

    /// Which rule.
    pub struct ResumeRuleParams {
        /// Its name.
        pub name: String,
    }

    /// A rule as it is after the change.
    pub struct RuleReply {
        /// The rule.
        pub rule: Rule,
    }
}

named! {
    /// One evaluation of a rule: on what occasion, and what came of it.
    pub struct Decision {
        /// When, RFC 3339.
        pub at: String,
        /// Kind of occasion, such as `usage` or `schedule`.
        pub trigger: String,
        /// The occasion in words.
        pub occasion: String,
        /// The main things that the rule saw, named as rules name them.
        pub inputs: Vec<Input>,
        /// What it raised.
        pub raised: Vec<Raised>,
        /// Keys of reminders that it said are over.
        pub resolved: Vec<String>,
        /// What it wanted done, in words.
        pub wanted: Vec<String>,
        /// Why it failed; null where it did not.
        pub error: Option<String>,
        /// Usage of the SIM, as the plan counts it, at which it is asked again at once; null for none.
        pub asked_again_at_bytes: Option<u64>,
        /// Whether it is what the ledger keeps of the reminder, rather than the newest since the service began.
        pub kept: bool,
        /// All that the rule saw and remembered, and what it said: JSON, for `simbelld rules trace`.
        pub record: String,
    }

    /// One thing that a rule saw.
    pub struct Input {
        /// As rules name it, such as `sim.used`.
        pub name: String,
        /// With its unit, for people.
        pub value: String,
    }

    /// What a rule raised.
    pub struct Raised {
        /// The rule's own part of the key.
        pub key: String,
        /// `info`, `warning` or `critical`.
        pub urgency: String,
        /// What the reader is told.
        pub text: String,
    }

    /// What a rule wanted the service to do.
    pub struct RuleAction {
        /// `RULE/KEY/ICCID`.
        pub key: String,
        /// What, in words.
        pub what: String,
        /// `intended`, `done`, `failed`, `unknown` or `refused`.
        pub state: String,
        /// When it was asked for, RFC 3339.
        pub at: String,
        /// The answer, or what went wrong; null for neither.
        pub note: Option<String>,
    }
}
