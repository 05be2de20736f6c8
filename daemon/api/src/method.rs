//! Methods: their parameters and replies.

use crate::channel::Channel;
use crate::plan::Plan;
use crate::reminder::Reminder;
use crate::rule::Rule;
use crate::status::{ModemManager, Service, Sim};

/// The methods of the interface, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "described in the interface description")]
pub enum Method {
    GetVersion,
    GetStatus,
    ListSims,
    GetUsage,
    ExplainUsage,
    SetUsage,
    ListPlans,
    ShowPlan,
    ListRules,
    ListPlugins,
    ListReminders,
    Acknowledge,
    Snooze,
    ListChannels,
    TestChannel,
    Monitor,
    Reload,
    BugReport,
    ExportUsage,
    CreateBackup,
    ListBackups,
    RestoreBackup,
    GetBilled,
    ListCorrections,
    UndoCorrection,
    ListObservations,
    ObserveUsage,
    WithdrawObservation,
    ImportUsage,
    UndoImport,
    GetCalls,
    GetMessages,
    ExplainReminder,
    ResumeRule,
    EnablePlugin,
    DisablePlugin,
    ApprovePlugin,
}

impl Method {
    /// Every method, in the order of the interface description.
    pub const ALL: [Self; 37] = [
        Self::GetVersion,
        Self::GetStatus,
        Self::ListSims,
        Self::GetUsage,
        Self::ExplainUsage,
        Self::SetUsage,
        Self::ListPlans,
        Self::ShowPlan,
        Self::ListRules,
        Self::ListPlugins,
        Self::ListReminders,
        Self::Acknowledge,
        Self::Snooze,
        Self::ListChannels,
        Self::TestChannel,
        Self::Monitor,
        Self::Reload,
        Self::BugReport,
        Self::ExportUsage,
        Self::CreateBackup,
        Self::ListBackups,
        Self::RestoreBackup,
        Self::GetBilled,
        Self::ListCorrections,
        Self::UndoCorrection,
        Self::ListObservations,
        Self::ObserveUsage,
        Self::WithdrawObservation,
        Self::ImportUsage,
        Self::UndoImport,
        Self::GetCalls,
        Self::GetMessages,
        Self::ExplainReminder,
        Self::ResumeRule,
        Self::EnablePlugin,
        Self::DisablePlugin,
        Self::ApprovePlugin,
    ];

    /// Its name without the interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetVersion => "GetVersion",
            Self::GetStatus => "GetStatus",
            Self::ListSims => "ListSims",
            Self::GetUsage => "GetUsage",
            Self::ExplainUsage => "ExplainUsage",
            Self::SetUsage => "SetUsage",
            Self::ListPlans => "ListPlans",
            Self::ShowPlan => "ShowPlan",
            Self::ListRules => "ListRules",
            Self::ListPlugins => "ListPlugins",
            Self::ListReminders => "ListReminders",
            Self::Acknowledge => "Acknowledge",
            Self::Snooze => "Snooze",
            Self::ListChannels => "ListChannels",
            Self::TestChannel => "TestChannel",
            Self::Monitor => "Monitor",
            Self::Reload => "Reload",
            Self::BugReport => "BugReport",
            Self::ExportUsage => "ExportUsage",
            Self::CreateBackup => "CreateBackup",
            Self::ListBackups => "ListBackups",
            Self::RestoreBackup => "RestoreBackup",
            Self::GetBilled => "GetBilled",
            Self::ListCorrections => "ListCorrections",
            Self::UndoCorrection => "UndoCorrection",
            Self::ListObservations => "ListObservations",
            Self::ObserveUsage => "ObserveUsage",
            Self::WithdrawObservation => "WithdrawObservation",
            Self::ImportUsage => "ImportUsage",
            Self::UndoImport => "UndoImport",
            Self::GetCalls => "GetCalls",
            Self::GetMessages => "GetMessages",
            Self::ExplainReminder => "ExplainReminder",
            Self::ResumeRule => "ResumeRule",
            Self::EnablePlugin => "EnablePlugin",
            Self::DisablePlugin => "DisablePlugin",
            Self::ApprovePlugin => "ApprovePlugin",
        }
    }

    /// The method with this whole name, such as `org.simbell.Control.GetStatus`.
    #[must_use]
    pub fn from_full_name(name: &str) -> Option<Self> {
        let short = name.strip_prefix(crate::INTERFACE)?.strip_prefix('.')?;
        Self::ALL.into_iter().find(|method| method.name() == short)
    }

    /// Whether it changes something, so that not every reader may call it.
    #[must_use]
    pub const fn changes(self) -> bool {
        matches!(
            self,
            Self::SetUsage
                | Self::UndoCorrection
                | Self::ObserveUsage
                | Self::WithdrawObservation
                | Self::ImportUsage
                | Self::UndoImport
                | Self::Acknowledge
                | Self::Snooze
                | Self::ResumeRule
                | Self::EnablePlugin
                | Self::DisablePlugin
                | Self::ApprovePlugin
                | Self::TestChannel
                | Self::Reload
                | Self::CreateBackup
                | Self::RestoreBackup
        )
    }

    /// Whether it answers with a stream and so must be called with `more`.
    #[must_use]
    pub const fn streams(self) -> bool {
        matches!(self, Self::Monitor | Self::BugReport | Self::ExportUsage)
    }
}

inline! {
    /// Who asks.
    #[derive(Default)]
    pub struct GetVersionParams {
        /// Version of the caller's program.
        #[serde(default)]
        pub client: Option<String>,
    }

    /// Who answers.
    pub struct VersionReply {
        /// Version of the service.
        pub version: String,
    }

    /// How the service is.
    pub struct StatusReply {
        /// The service itself.
        pub service: Service,
        /// ModemManager.
        pub modemmanager: ModemManager,
    }

    /// Which page of a list.
    #[derive(Default)]
    pub struct PageParams {
        /// The `next` of the page before; null for the first page.
        #[serde(default)]
        pub after: Option<String>,
        /// At most so many items; the service may give fewer. Null for as many as fit.
        #[serde(default)]
        pub limit: Option<u32>,
    }

    /// One page of SIMs, by ICCID.
    pub struct SimsPage {
        /// The SIMs.
        pub sims: Vec<Sim>,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }

    /// What usage is asked for.
    #[derive(Default)]
    pub struct GetUsageParams {
        /// Name or ICCID; null for every SIM.
        #[serde(default)]
        pub sim: Option<String>,
        /// `hour`, `day` or `cycle`.
        pub by: String,
        /// From, included: RFC 3339, or an ISO 8601 date in the plan's zone; null for the beginning of the cycle. Usage is
        /// kept by the hour: of an instant within one the whole hour counts. Calls and messages are of their instants.
        #[serde(default)]
        pub from: Option<String>,
        /// Until, excluded, likewise; null for now.
        #[serde(default)]
        pub to: Option<String>,
        /// The `next` of the page before; null for the first page.
        #[serde(default)]
        pub after: Option<String>,
        /// At most so many rows; the service may give fewer. Null for as many as fit.
        #[serde(default)]
        pub limit: Option<u32>,
    }

    /// What the usage of the cycle really is.
    pub struct SetUsageParams {
        /// Name or ICCID; null where there is only one.
        #[serde(default)]
        pub sim: Option<String>,
        /// Usage of the cycle up to now, bytes; 10^16 at most.
        pub bytes: u64,
        /// Why, for the ledger.
        #[serde(default)]
        pub reason: Option<String>,
    }

    /// One page of plans, by ICCID.
    pub struct PlansPage {
        /// The plans.
        pub plans: Vec<Plan>,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }

    /// Whose plan.
    #[derive(Default)]
    pub struct ShowPlanParams {
        /// Name or ICCID; null where there is only one.
        #[serde(default)]
        pub sim: Option<String>,
    }

    /// One plan.
    pub struct ShowPlanReply {
        /// The plan.
        pub plan: Plan,
    }

    /// One page of rules, by name.
    pub struct RulesPage {
        /// The rules.
        pub rules: Vec<Rule>,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }

    /// One page of reminders, by key.
    pub struct RemindersPage {
        /// The reminders.
        pub reminders: Vec<Reminder>,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }

    /// Which reminder.
    pub struct AcknowledgeParams {
        /// Its key.
        pub key: String,
    }

    /// Which reminder, for how long.
    pub struct SnoozeParams {
        /// Its key.
        pub key: String,
        /// For so many seconds, 1 at least.
        pub seconds: u64,
    }

    /// A reminder as it is after the change.
    pub struct ReminderReply {
        /// The reminder.
        pub reminder: Reminder,
    }

    /// One page of channels, by name.
    pub struct ChannelsPage {
        /// The channels.
        pub channels: Vec<Channel>,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }

    /// Which channel.
    pub struct TestChannelParams {
        /// Its name.
        pub name: String,
    }

    /// What is in use now.
    pub struct ReloadReply {
        /// How many SIMs the configuration names.
        pub sims: u32,
        /// How many rules run.
        pub rules: u32,
        /// What loaded with a problem, each in a line.
        pub problems: Vec<String>,
    }

    /// A part of a recording.
    pub struct BugReportChunk {
        /// Text, to be joined to the part before.
        pub text: String,
    }
}
