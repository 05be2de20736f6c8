//! What `simbellctl --json` prints, where that is not what the service sent.

use crate::channel::Channel;
use crate::reminder::Reminder;
use crate::status::{ModemManager, Service, Sim};
use crate::usage::{UsageRow, UsageTotal};

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

    /// `usage --json`.
    pub struct UsageOutput {
        /// The rows, oldest first.
        pub rows: Vec<UsageRow>,
        /// Their sum.
        pub total: UsageTotal,
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
