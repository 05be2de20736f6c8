//! Health warnings: what is wrong with the service itself, in words, until it is mended.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One thing that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What, stable, for programs.
    pub code: WarningCode,
    /// Which one, where there can be several (a rule, a channel, an interface); empty otherwise.
    pub subject: String,
    /// What happened, what it means, what to do.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarningCode {
    /// The D-Bus connection is down.
    BusLost,
    /// ModemManager is not on the bus.
    ModemManagerGone,
    /// A commit failed; changes are queued.
    LedgerNotWritable,
    /// The ledger was damaged and is set aside; the service went on from a copy, or anew.
    LedgerDamaged,
    /// The wall clock cannot be believed yet.
    ClockUntrusted,
    /// A rule has an error and is disabled.
    RuleDisabled,
    /// A rule's file has an error as it is now, and the version before runs on.
    RuleOutdated,
    /// A rule failed, and is asked again.
    RuleFailing,
    /// What a rule wanted done was not allowed, or went wrong.
    ActionFailed,
    /// A file of the owner's own texts is wrong, and the texts without it are said.
    TextsOutdated,
    /// The configuration names a rule or plugin that is not there.
    NameUnknown,
    /// A plugin asks for more than what was approved: that waits.
    PermissionWaits,
    /// A channel failed the last time it was used.
    ChannelFailing,
    /// A rule reminds by a channel that the configuration does not have.
    ChannelUnknown,
    /// A folder that the configuration names is not there.
    FolderMissing,
    /// The plugin of a channel cannot be used as it is on disk, and the version before, if there is one, stays in use.
    ChannelOutdated,
    /// A connected bearer has no counter that can be read.
    NotMeasured,
    /// The configuration on disk is not the one in use: its reload failed.
    ConfigRejected,
    /// A call by ModemManager was refused for want of a polkit rule.
    NotAuthorized,
    /// A task of the service ended unexpectedly and was started anew.
    TaskRestarted,
    /// A sum does not fit and was not booked.
    Overflow,
    /// Corrections take more from a cycle than was counted in it: usage does not show.
    Overdrawn,
    /// A modem is failed or locked.
    ModemUnusable,
    /// Traffic bypasses the kernel's counters; ModemManager's figures count instead.
    CountersBypassed,
    /// The quota helper was asked for and does not do its work: crossings are noticed at the next reading only.
    QuotaHelper,
}

impl WarningCode {
    /// As shown and kept, such as `ledger-not-writable`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BusLost => "bus-lost",
            Self::ModemManagerGone => "modemmanager-gone",
            Self::LedgerNotWritable => "ledger-not-writable",
            Self::LedgerDamaged => "ledger-damaged",
            Self::ClockUntrusted => "clock-untrusted",
            Self::RuleDisabled => "rule-disabled",
            Self::RuleOutdated => "rule-outdated",
            Self::RuleFailing => "rule-failing",
            Self::ActionFailed => "action-failed",
            Self::NameUnknown => "name-unknown",
            Self::PermissionWaits => "permission-waits",
            Self::TextsOutdated => "texts-outdated",
            Self::ChannelFailing => "channel-failing",
            Self::ChannelUnknown => "channel-unknown",
            Self::FolderMissing => "folder-missing",
            Self::ChannelOutdated => "channel-outdated",
            Self::NotMeasured => "not-measured",
            Self::ConfigRejected => "config-rejected",
            Self::NotAuthorized => "not-authorized",
            Self::TaskRestarted => "task-restarted",
            Self::Overflow => "overflow",
            Self::Overdrawn => "overdrawn",
            Self::ModemUnusable => "modem-unusable",
            Self::CountersBypassed => "counters-bypassed",
            Self::QuotaHelper => "quota-helper",
        }
    }
}
