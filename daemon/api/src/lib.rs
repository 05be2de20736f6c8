//! The control protocol of simbelld: its types, its description and its client.
//!
//! simbelld speaks [Varlink](https://varlink.org) on a Unix socket, `/run/simbell/control.sock`: JSON messages, each
//! ended by a NUL byte. The interface is `org.simbell.Control`; its description is the file
//! `org.simbell.Control.varlink` beside this crate, generated from the types here and compared by a test.
//!
//! # What holds for every message
//! - Amounts of data are integers in bytes, times RFC 3339 with offset, dates ISO 8601, spans integers in seconds.
//! - What is not known or does not apply is `null`; a key is never left out.
//! - Words that may grow in number (states, kinds, codes) are strings, so that an older reader stands a newer service.
//! - Lists come in pages: ask again with `after` set to the `next` of the page before, until `next` is null.
//! - Every error carries a `message` for people and a `hint` at what to do next.
//!
//! The types promise things to others and change by addition only. The daemon's own types do not appear here.

#[macro_use]
mod shape;

mod backup;
mod carrier;
mod channel;
mod client;
mod error;
mod explain;
mod export;
#[cfg(test)]
mod idl;
mod import;
mod method;
mod monitor;
mod output;
mod plan;
mod plugin;
mod reminder;
mod replay;
mod rule;
mod status;
mod usage;
mod voice;
mod why;

pub use backup::{Backup, BackupReply, BackupsPage, RestoreBackupParams, RestoreReply};
pub use carrier::{
    BilledPage, BilledSpan, Correction, CorrectionsPage, EntriesParams, Observation, ObservationReply,
    ObservationsPage, ObserveUsageParams, UndoCorrectionParams, UndoneReply, WithdrawObservationParams,
};
pub use channel::{Channel, ChannelTest};
pub use client::{Client, ClientError, Export, Onward, Pages, Stream};
pub use error::ControlError;
pub use explain::{
    ExplainPage, ExplainSpan, ExplainSum, ExplainUsageParams, ExplainedCorrection, ExplainedGap,
    ExplainedObservation, ExplainedRun, ExplainedSession,
};
pub use export::{ExportCorrection, ExportGap, ExportKind, ExportPart, ExportRun, ExportUsageParams};
pub use import::{CorrectedCycle, ImportReply, ImportUsageParams, ImportedRow, UndoImportParams};
pub use method::{
    AcknowledgeParams, BugReportChunk, ChannelsPage, GetUsageParams, GetVersionParams, Method, PageParams,
    PlansPage, ReloadReply, ReminderReply, RemindersPage, RulesPage, SetUsageParams, ShowPlanParams,
    ShowPlanReply, SimsPage, SnoozeParams, StatusReply, TestChannelParams, VersionReply,
};
pub use monitor::{MonitorEvent, MonitorKind};
pub use output::{
    CallsOutput, CheckOutput, ExportedCorrection, ExportedGap, ExportedUsage, Failure, FailureOutput,
    MessagesOutput, PlanAddOutput, RuleLine, RuleTestOutput, RuleTestedOutput, RuleTestsOutput,
    RuleTraceOutput, StatusOutput, UsageOutput, VersionOutput,
};
pub use plan::{FreeHours, Plan};
pub use plugin::{DecidePluginParams, Plugin, PluginPermission, PluginReply, PluginSetting, PluginsPage};
pub use reminder::{Delivery, Reminder};
pub use replay::{PastLine, ReplayDay, ReplayFailure, ReplayLine, ReplayRing, ReplaySummary, ReplayedRule};
pub use rule::Rule;
pub use status::{Calibration, Cycle, Forecast, ModemManager, Service, Session, Sim, UsedParts, Warning};
pub use usage::{UsageChange, UsagePage, UsageRow, UsageTotal};
pub use voice::{CallsPage, CallsRow, CallsTotal, MessagesPage, MessagesRow, MessagesTotal};
pub use why::{
    Decision, ExplainReminderParams, ExplainReminderReply, Input, Raised, ResumeRuleParams, RuleAction,
    RuleReply,
};

/// The interface's name.
pub const INTERFACE: &str = "org.simbell.Control";

/// Where the service listens unless told otherwise.
pub const SOCKET_PATH: &str = "/run/simbell/control.sock";

/// The longest call the service reads, bytes, its NUL included.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The interface's description, as the service hands it out.
pub const DESCRIPTION: &str = include_str!("../org.simbell.Control.varlink");

/// The version of this crate: what both sides report.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
