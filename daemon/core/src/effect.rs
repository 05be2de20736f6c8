//! What has to be done, as values: committed first, then said.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::action::ActionRecord;
use crate::decision::Decision;
use crate::ident::{Eid, Iccid, Imsi, ModemId, ReminderKey, RuleName};
use crate::ledger::{Baseline, Correction, Epoch, Gap, Session, UsageSlot};
use crate::memory::Memory;
use crate::observation::Observation;
use crate::plugin::PluginDecision;
use crate::reminder::{Delivery, Reminder};
use crate::time::{Span, Timestamp};
use crate::view::{RuleInput, Trigger};
use crate::voice::{CallRecord, SmsRecord};

/// Everything one step asks for. `changes` are committed before any of the rest is done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effects {
    /// One transaction.
    pub changes: Vec<Change>,
    /// Totals to be summed from the ledger, after the commit, answered before the next event.
    pub load_totals: Vec<TotalsQuery>,
    /// Rules to be evaluated, after the commit.
    pub evaluate: Vec<Evaluation>,
    /// What rules want done, after the commit.
    pub act: Vec<ActionRecord>,
    /// Deliveries to be tried now, after the commit.
    pub deliver: Vec<Delivery>,
    /// Whether the counters are to be read now.
    pub read_links: bool,
    /// What followers of the service are told, after the commit.
    pub notices: Vec<Notice>,
}

/// One change of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change", content = "data")]
pub enum Change {
    /// A SIM is known, or known better.
    KeepSim(SimRecord),
    /// A counter epoch began.
    OpenEpoch(Epoch),
    /// A session as it is now.
    KeepSession(Box<Session>),
    /// A counter's last reading that is accounted for; replaces the one of the same counter.
    SetBaseline(Baseline),
    /// A counter is gone; so is its baseline.
    DropBaseline {
        /// Its key.
        counter: Arc<str>,
    },
    /// Usage, added to its slot.
    AddUsage(UsageSlot),
    /// Something that could not be known.
    AppendGap(Gap),
    /// A person's correction.
    AppendCorrection(Correction),
    /// The carrier's figure, or that an earlier one is taken back.
    AppendObservation(Observation),
    /// Undated entries of a boot get their date: wall = boot time + offset.
    DateEntries {
        /// Which boot.
        boot: crate::ident::BootId,
        /// Wall milliseconds minus boot milliseconds.
        offset_ms: i64,
    },
    /// Undated entries of earlier boots, whose clock was never trusted, get a date that is as late as it can be: each
    /// boot ended before the next began.
    DateEarlierBoots {
        /// This boot, whose entries are not meant.
        boot: crate::ident::BootId,
        /// When this boot began.
        before: Timestamp,
        /// No entry is dated before this: the newest instant that the ledger knew before.
        after: Option<Timestamp>,
    },
    /// A reminder as it is now.
    KeepReminder(Reminder),
    /// A delivery as it is now.
    KeepDelivery(Delivery),
    /// A message was handled: shown again, it is not new.
    KeepSmsDigest {
        /// Its identity.
        digest: String,
        /// When it was seen.
        at: Timestamp,
    },
    /// A schedule was served up to this instant.
    KeepScheduleMark {
        /// Which rule, schedule and SIM: `RULE#N SCHEDULE#ICCID`.
        key: String,
        /// Up to when.
        served: Timestamp,
    },
    /// The first instant a bundle counts from: `from first use`.
    KeepFirstUse {
        /// Whose.
        iccid: Iccid,
        /// Name of the plan.
        plan: String,
        /// When.
        at: Timestamp,
    },
    /// A call as it is now.
    KeepCall(CallRecord),
    /// A short message as it is now; one received that is there already is left as it is.
    KeepSms(SmsRecord),
    /// All that a rule remembers.
    KeepMemory {
        /// Which rule.
        rule: RuleName,
        /// What.
        memory: Memory,
    },
    /// What a rule said last of a reminder, and on what.
    KeepDecision {
        /// Which reminder.
        reminder: ReminderKey,
        /// What was said.
        decision: Box<Decision>,
    },
    /// An action as it is now.
    KeepAction(ActionRecord),
    /// A modem as it was seen last.
    KeepModem(ModemRecord),
    /// What was decided about a plugin, added to what was decided before.
    AppendPluginDecision(PluginDecision),
}

/// A SIM as kept in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimRecord {
    /// Its identity.
    pub iccid: Iccid,
    /// Subscriber.
    pub imsi: Option<Imsi>,
    /// The eUICC it lives on.
    pub eid: Option<Eid>,
    /// Home operator's name; hostile text.
    pub operator: Option<String>,
    /// When first seen.
    pub first_seen: Timestamp,
    /// When last seen in a modem.
    pub last_seen: Timestamp,
}

/// A modem as kept in the ledger: what a rule about lost modems and changed SIMs needs after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModemRecord {
    /// Its identity.
    pub id: ModemId,
    /// Manufacturer and model; hostile text.
    pub name: String,
    /// The SIM it used last.
    pub sim: Option<Iccid>,
    /// When it was gone; none while it is there.
    pub lost_at: Option<Timestamp>,
}

/// A question to the ledger: the sum of a SIM's entries in a half-open span.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TotalsQuery {
    /// Whose.
    pub iccid: Iccid,
    /// From, included.
    pub from: Timestamp,
    /// Until, excluded; none for everything since.
    pub until: Option<Timestamp>,
}

/// A rule to be evaluated on an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Which rule.
    pub rule: RuleName,
    /// On what occasion.
    pub trigger: Trigger,
    /// What it sees; shared between the rules asked on one occasion.
    pub input: Arc<RuleInput>,
    /// What it remembers.
    pub memory: Arc<Memory>,
}

/// What followers are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "notice", content = "data")]
pub enum Notice {
    /// Usage of a SIM grew.
    UsageGrew(Iccid),
    /// A reminder changed.
    ReminderChanged(ReminderKey),
    /// A reminder is said now, on the terminal and the desktop.
    ReminderSaid {
        /// Which.
        key: ReminderKey,
        /// Which time.
        occurrence: u32,
    },
    /// Modems, SIMs, registration or health changed.
    StatusChanged,
    /// A line for a person who watches.
    Happened(String),
}

/// When the core wants to be woken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// After this long.
    pub after: Span,
    /// Why, for logs and tests.
    pub reason: &'static str,
}
