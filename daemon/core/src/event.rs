//! Everything that happens, as values: recorded before it is handled, replayed in tests.

use serde::{Deserialize, Serialize};

use crate::action::{ActionRequest, ActionState};
use crate::billing::UnitSum;
use crate::counter::{LinkEnd, LinkReading};
use crate::effect::TotalsQuery;
use crate::health::WarningCode;
use crate::ident::{BootId, ChannelName, Iccid, ModemId, ReminderKey, RuleName};
use crate::ledger::{Correction, GapReason, Volume, Zone};
use crate::memory::Memory;
use crate::modem::{CallView, ModemView, SmsView};
use crate::observation::Observation;
use crate::plugin::PluginDecision;
use crate::reminder::Finding;
use crate::settings::Settings;
use crate::state::restored::Restored;
use crate::time::{Span, Stamp, Timestamp};
use crate::view::{RuleDescription, Sight, Trigger};
use crate::voice::VoiceCounts;
use crate::watch::Watch;

/// One thing that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// When.
    pub at: Stamp,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event", content = "data")]
pub enum Event {
    /// The service began, in this boot; the kernel's links as found, before anything else.
    Started {
        /// This boot.
        boot: BootId,
        /// Links as found.
        links: Vec<LinkReading>,
    },
    /// The ledger was replaced while the service runs: by an older copy, or by an empty one.
    LedgerReplaced {
        /// What the ledger holds now.
        restored: Box<Restored>,
        /// The kernel's links, all of them.
        links: Vec<LinkReading>,
        /// Why.
        reason: GapReason,
    },
    /// Usage of the past was added to the ledger or taken from it, by an import: sums are read anew.
    HistoryChanged,
    /// The configuration was read or read again.
    SettingsLoaded(Box<Settings>),
    /// Rules were loaded or loaded again: those that can run, and those that cannot with the reason.
    RulesLoaded(Vec<RuleDescription>),
    /// The D-Bus connection came up.
    BusConnected,
    /// The D-Bus connection was lost; the reason in words.
    BusLost(String),
    /// ModemManager owns its name; its version.
    ModemManagerAppeared {
        /// `ModemManager1.Version`.
        version: String,
    },
    /// ModemManager lost its name; every path is void.
    ModemManagerVanished,
    /// A modem as it is now, after any change of it.
    ModemSeen(Box<ModemView>),
    /// A modem is gone from the bus.
    ModemVanished {
        /// Which.
        modem: ModemId,
    },
    /// A short message came in.
    SmsReceived {
        /// By which modem.
        modem: ModemId,
        /// The message.
        sms: SmsView,
    },
    /// A short message left by somebody's hand; parts sent.
    SmsSent {
        /// By which modem.
        modem: ModemId,
        /// How many parts.
        parts: u32,
        /// To whom; hostile text.
        #[serde(default)]
        to: Option<String>,
    },
    /// A short message did not leave, or nobody knows whether it did.
    SmsFailed {
        /// By which modem.
        modem: ModemId,
        /// How many parts.
        parts: u32,
        /// To whom; hostile text.
        to: Option<String>,
        /// Whether it may have left.
        unknown: bool,
    },
    /// Every call that a modem shows, told once after it is first seen.
    CallsListed {
        /// Which modem.
        modem: ModemId,
        /// Its calls, those that have ended and are still shown included.
        calls: Vec<CallView>,
    },
    /// A call changed its state.
    CallChanged {
        /// By which modem.
        modem: ModemId,
        /// The call.
        call: CallView,
    },
    /// The network said something by USSD.
    UssdReceived {
        /// By which modem.
        modem: ModemId,
        /// The text; hostile.
        text: String,
    },
    /// The kernel's counters were read.
    LinksRead(Vec<LinkReading>),
    /// A link appeared; its counters at that moment.
    LinkAppeared(LinkReading),
    /// A link vanished; its final counters.
    LinkVanished(LinkEnd),
    /// Netlink dropped messages; a fresh dump of all links follows here.
    LinksResynchronised(Vec<LinkReading>),
    /// Time asked for by `next_wake` has come.
    WakeReached,
    /// The wall clock was set, or is trusted now, or is not any more.
    ClockChanged,
    /// Changes given earlier are in the ledger.
    Committed,
    /// Changes given earlier could not be committed; they stay queued.
    CommitFailed(String),
    /// The answer to a query for totals.
    TotalsLoaded {
        /// What was asked.
        query: TotalsQuery,
        /// Σ of the entries, by zone; corrections in their own figure.
        by_zone: Vec<(Zone, Volume)>,
        /// Σ of the entries by what the plan rounds; empty where it bills by zone alone.
        units: Vec<UnitSum>,
        /// Σ of corrections, signed bytes.
        corrections: i64,
        /// Start of the first entry ever of this SIM, for a forecast's base.
        first_at: Option<Timestamp>,
    },
    /// Sums of calls and messages for the same query, told before [`Event::TotalsLoaded`]. Calls under way are not in it.
    CountsLoaded {
        /// What was asked.
        query: TotalsQuery,
        /// Σ of the entries.
        counts: Box<VoiceCounts>,
    },
    /// Rules were evaluated, all that one step asked for: their findings are kept in one transaction.
    RulesEvaluated(Vec<RuleResult>),
    /// What a rule wanted done was done, or was not.
    ActionEnded {
        /// Which.
        key: String,
        /// What became of it.
        state: ActionState,
        /// The answer, or what went wrong; hostile text.
        note: Option<String>,
    },
    /// A person takes up a rule again that was suspended.
    RuleResumed(RuleName),
    /// Somebody decided about a plugin, or the configuration did.
    PluginDecided(PluginDecision),
    /// A delivery ended.
    DeliveryEnded {
        /// Which.
        id: String,
        /// How.
        outcome: DeliveryOutcome,
    },
    /// A person acknowledged a reminder.
    ReminderAcknowledged(ReminderKey),
    /// A person put a reminder off.
    ReminderSnoozed {
        /// Which.
        key: ReminderKey,
        /// For how long.
        span: Span,
    },
    /// A person corrected a SIM's usage.
    UsageCorrected(Correction),
    /// The carrier's own figure became known, or was taken back: judged by [`crate::observation::observe`].
    UsageObserved(Observation),
    /// A channel is to say a test message.
    ChannelTested(ChannelName),
    /// Something about the service went wrong (`text`), or is well again (none).
    HealthReported {
        /// What.
        code: WarningCode,
        /// Which one.
        subject: String,
        /// In words; none when it is well again.
        text: Option<String>,
    },
    /// Somebody follows the service: what waits for the desktop can be shown.
    FollowerArrived,
    /// A SIM was renamed or its plan changed by hand, outside a reload.
    SimNoticed(Iccid),
    /// The service was asked to stop: everything is to be committed.
    StopRequested,
}

/// What one evaluation of a rule came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleResult {
    /// Which rule.
    pub rule: RuleName,
    /// On what occasion.
    pub trigger: Trigger,
    /// What it found.
    pub findings: Vec<Finding>,
    /// Keys of reminders of this rule and SIM that are over.
    #[serde(default)]
    pub resolved: Vec<String>,
    /// What the rule wants done.
    #[serde(default)]
    pub actions: Vec<ActionRequest>,
    /// All that it remembers from now on; none where that is as it was.
    #[serde(default)]
    pub memory: Option<Memory>,
    /// Why it failed, where it did: nothing else is in the result then.
    pub error: Option<String>,
    /// At which usage of its SIM it is to be asked again.
    #[serde(default)]
    pub watch: Watch,
    /// What it looked at; of no use but to whoever keeps what it was told.
    #[serde(skip)]
    pub sight: Sight,
}

impl RuleResult {
    /// The rule found nothing, and wants nothing.
    #[must_use]
    pub const fn nothing(rule: RuleName, trigger: Trigger) -> Self {
        Self {
            rule,
            trigger,
            findings: Vec::new(),
            resolved: Vec::new(),
            actions: Vec::new(),
            memory: None,
            error: None,
            watch: Watch::NOTHING,
            sight: Sight::ALL,
        }
    }
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryOutcome {
    /// The channel accepted it.
    Delivered,
    /// It failed and may be tried again, not before the given span where the receiver named one.
    Retry {
        /// What went wrong; hostile text.
        error: String,
        /// `Retry-After`, where given.
        after: Option<Span>,
    },
    /// It failed for good.
    Refused {
        /// What went wrong; hostile text.
        error: String,
    },
}
