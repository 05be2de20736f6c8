//! What `simbellctl --json` prints, where that is not what the service sent.

use crate::carrier::BilledSpan;
use crate::channel::Channel;
use crate::reminder::Reminder;
use crate::status::{ModemManager, Service, Sim};
use crate::usage::{UsageRow, UsageTotal};
use crate::voice::{CallsRow, CallsTotal, MessagesRow, MessagesTotal};

named! {
    /// `status --json`.
    pub struct StatusOutput {
        /// The service itself.
        pub service: Service,
        /// ModemManager.
        pub modemmanager: ModemManager,
        /// Every SIM known.
        pub sims: Vec<Sim>,
        /// Every reminder that is not resolved.
        pub reminders: Vec<Reminder>,
        /// Every channel.
        pub channels: Vec<Channel>,
    }

    /// `usage calls --json`.
    pub struct CallsOutput {
        /// The rows, oldest first.
        pub rows: Vec<CallsRow>,
        /// Their sum.
        pub total: CallsTotal,
    }

    /// `usage sms --json`.
    pub struct MessagesOutput {
        /// The rows, oldest first.
        pub rows: Vec<MessagesRow>,
        /// Their sum.
        pub total: MessagesTotal,
    }

    /// `usage --json`.
    pub struct UsageOutput {
        /// The rows, oldest first.
        pub rows: Vec<UsageRow>,
        /// Their sum.
        pub total: UsageTotal,
        /// Each day or cycle as measured and as billed, SIM by SIM; empty by hour.
        pub billed: Vec<BilledSpan>,
    }

    /// `usage export --format json`: what was used.
    pub struct ExportedUsage {
        /// `usage`.
        pub record: String,
        /// Whose.
        pub iccid: String,
        /// What the configuration calls the SIM; its ICCID where it has no name.
        pub sim: String,
        /// From, RFC 3339 in the plan's zone.
        pub start: String,
        /// Until, excluded.
        pub end: String,
        /// `home`, `roaming`, `roaming:MCCMNC` or `unknown`.
        pub zone: String,
        /// `kernel`, `modem`, `user` or `import`.
        pub source: String,
        /// Bytes received.
        pub rx_bytes: u64,
        /// Bytes sent.
        pub tx_bytes: u64,
    }

    /// `usage export --format json`: a person's correction.
    pub struct ExportedCorrection {
        /// `correction`.
        pub record: String,
        /// Whose.
        pub iccid: String,
        /// What the configuration calls the SIM; its ICCID where it has no name.
        pub sim: String,
        /// At which instant it counts, RFC 3339.
        pub start: String,
        /// Signed bytes of both directions.
        pub correction_bytes: i64,
        /// Who, such as `uid 1000`.
        pub author: String,
        /// Why, in the author's words.
        pub reason: String,
    }

    /// `usage export --format json`: something that could not be known.
    pub struct ExportedGap {
        /// `gap`.
        pub record: String,
        /// Whose; null where not known.
        pub iccid: Option<String>,
        /// What the configuration calls the SIM; null where not known.
        pub sim: Option<String>,
        /// Since when, RFC 3339; null where not known.
        pub start: Option<String>,
        /// Until when, RFC 3339; null where not known.
        pub end: Option<String>,
        /// Such as `rebooted`.
        pub reason: String,
        /// Which interface or bearer, in words.
        pub detail: String,
    }

    /// `version --json`.
    pub struct VersionOutput {
        /// Version of simbellctl.
        pub client: String,
        /// Version of the service; null when it is not reachable.
        pub service: Option<String>,
        /// What a difference means; null for none.
        pub skew: Option<String>,
    }

    /// `config check`, `rules check` and `plan check` with `--json`.
    pub struct CheckOutput {
        /// Whether nothing is wrong.
        pub ok: bool,
        /// What simbelld said, line by line.
        pub lines: Vec<String>,
    }

    /// `rules test --json`: one test.
    pub struct RuleTestOutput {
        /// `test`.
        pub record: String,
        /// The rule's name.
        pub rule: String,
        /// The test's function.
        pub test: String,
        /// Whether it passed.
        pub ok: bool,
        /// The file of the tests.
        pub file: String,
        /// The line that failed; null where it passed, or no line is to blame.
        pub line: Option<u64>,
        /// The column; null as the line is.
        pub column: Option<u64>,
        /// Why it failed; null where it passed.
        pub message: Option<String>,
        /// What to do about it; null where nothing can be said.
        pub hint: Option<String>,
        /// What happened in the story, line by line; empty where it passed.
        pub happened: Vec<String>,
    }

    /// `rules test --json`: one rule, after its tests.
    pub struct RuleTestedOutput {
        /// `rule`.
        pub record: String,
        /// The rule's name.
        pub rule: String,
        /// Its file.
        pub file: String,
        /// What kept its tests from running; null for nothing.
        pub problem: Option<String>,
        /// Lines with a statement.
        pub statements: u64,
        /// Those that no test reached; empty where a filter left out tests.
        pub unreached: Vec<RuleLine>,
    }

    /// A line of a rule.
    pub struct RuleLine {
        /// Its file.
        pub file: String,
        /// Its number, from 1.
        pub line: u64,
        /// Its text.
        pub text: String,
        /// How often a statement that begins on it ran; null where none begins on it.
        pub times: Option<u64>,
    }

    /// `rules test --json`: all of them, at the end.
    pub struct RuleTestsOutput {
        /// `summary`.
        pub record: String,
        /// Whether there are tests, and all passed.
        pub ok: bool,
        /// Tests that passed.
        pub passed: u64,
        /// Tests that failed, and rules whose tests could not run.
        pub failed: u64,
        /// Tests that the filter left out.
        pub filtered: u64,
        /// Rules without tests, by name.
        pub without_tests: Vec<String>,
    }

    /// `rules trace --json`.
    pub struct RuleTraceOutput {
        /// The rule's name.
        pub rule: String,
        /// Its file.
        pub file: String,
        /// When it was asked, RFC 3339.
        pub at: String,
        /// On what occasion, such as `usage`.
        pub trigger: String,
        /// Whether it says now what it said then.
        pub same: bool,
        /// What it fails with now; null where it does not.
        pub error: Option<String>,
        /// Every line of the rule.
        pub lines: Vec<RuleLine>,
        /// The numbers of the lines that ran, in order.
        pub order: Vec<u64>,
    }

    /// `plan add --json`.
    pub struct PlanAddOutput {
        /// The block, TOML.
        pub toml: String,
        /// The file it was written to; null for none.
        pub file: Option<String>,
    }

    /// What `--json` prints when a verb fails.
    pub struct FailureOutput {
        /// What failed.
        pub error: Failure,
    }

    /// A failure, for programs and for people.
    pub struct Failure {
        /// Stable name.
        pub kind: String,
        /// In words.
        pub message: String,
        /// What to do next; null where nothing can be said.
        pub hint: Option<String>,
    }
}
