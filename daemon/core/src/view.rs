//! What a rule sees: a value, taken from the state when its trigger fired. Rules hold no handle to anything.

use std::sync::Arc;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::action::Permission;
use crate::health::Warning;
use crate::ident::{ChannelName, Iccid, OperatorCode, ReminderKey, RuleName};
use crate::ledger::Zone;
use crate::modem::{ModemState, SmsView};
use crate::observation::Calibration;
use crate::plan::Counts;
use crate::reminder::DeliveryState;
use crate::schedule::Schedule;
use crate::time::Timestamp;
use crate::voice::VoiceSums;

/// On what occasion a rule is asked. One evaluation is about one SIM at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "on")]
pub enum Trigger {
    /// A SIM's usage, plan or cycle changed.
    Usage {
        /// Whose.
        sim: Iccid,
    },
    /// A time named by the rule has come; for each SIM, or once where no SIM is known.
    Schedule {
        /// About which SIM.
        sim: Option<Iccid>,
        /// Which of the rule's schedules, counted from 0.
        index: usize,
        /// When it was due: earlier than now where it was missed.
        due: Timestamp,
    },
    /// A short message came in.
    Sms {
        /// By which SIM, where known.
        sim: Option<Iccid>,
        /// The message.
        sms: SmsView,
    },
    /// A SIM began or ended to roam, or roams elsewhere.
    Roaming {
        /// Which.
        sim: Iccid,
    },
    /// A SIM's billing cycle began.
    CycleBegan {
        /// Whose.
        sim: Iccid,
    },
    /// A SIM's billing cycle is over.
    CycleEnded {
        /// Whose.
        sim: Iccid,
        /// The cycle.
        ended: EndedCycle,
    },
    /// A modem uses another SIM or eSIM profile than before.
    SimChanged {
        /// The one in use now.
        sim: Iccid,
        /// The one before.
        before: Iccid,
    },
    /// A modem is lost or back, or cannot be used any more or again.
    Modems,
    /// The service's health changed.
    Health,
}

/// A billing cycle that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedCycle {
    /// First day, ISO 8601.
    pub start: String,
    /// First day after it, ISO 8601.
    pub end: String,
    /// Bytes used in it, as the plan counts them.
    pub used_bytes: u64,
    /// The allowance it had, where the plan has one.
    pub allowance_bytes: Option<u64>,
}

impl Trigger {
    /// The kind's name: `usage`, `schedule`, `sms`, `roaming`, `cycle-start`, `cycle-end`, `sim-change`, `modems` or
    /// `health`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Usage { .. } => "usage",
            Self::Schedule { .. } => "schedule",
            Self::Sms { .. } => "sms",
            Self::Roaming { .. } => "roaming",
            Self::CycleBegan { .. } => "cycle-start",
            Self::CycleEnded { .. } => "cycle-end",
            Self::SimChanged { .. } => "sim-change",
            Self::Modems => "modems",
            Self::Health => "health",
        }
    }

    /// Whether findings hold for as long as they are raised (usage, roaming, modems, health), or are said once
    /// each time (the others).
    #[must_use]
    pub const fn is_level(&self) -> bool {
        matches!(self, Self::Usage { .. } | Self::Roaming { .. } | Self::Modems | Self::Health)
    }

    /// The SIM it is about.
    #[must_use]
    pub const fn sim(&self) -> Option<&Iccid> {
        match self {
            Self::Usage { sim }
            | Self::Roaming { sim }
            | Self::CycleBegan { sim }
            | Self::CycleEnded { sim, .. }
            | Self::SimChanged { sim, .. } => Some(sim),
            Self::Schedule { sim, .. } | Self::Sms { sim, .. } => sim.as_ref(),
            Self::Modems | Self::Health => None,
        }
    }
}

/// What is known of a loaded rule: what wakes it, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleDescription {
    /// Its name.
    pub name: RuleName,
    /// The file, as shown to people.
    pub file: String,
    /// Whether it came with the program or a plugin, rather than from rules.d.
    pub plugin: bool,
    /// One line of what it does.
    pub summary: String,
    /// Which kinds of trigger it answers (see [`Trigger::kind`]).
    pub triggers: Vec<String>,
    /// When it is due, for trigger `schedule`.
    pub schedules: Vec<Schedule>,
    /// Why it is disabled; file, line and column included.
    pub problem: Option<String>,
    /// Whether it is disabled because it failed again and again while it ran: it can be taken up again.
    #[serde(default)]
    pub suspended: bool,
    /// What it may ask the service to do.
    #[serde(default)]
    pub may: Vec<Permission>,
    /// What is wrong with the file as it is now, where the version before runs on instead.
    #[serde(default)]
    pub outdated: Option<String>,
    /// Tells versions of it apart: of all that it is made from.
    #[serde(default)]
    pub version: String,
    /// Channels that its text names.
    #[serde(default)]
    pub channels: Vec<ChannelName>,
}

/// Everything a rule sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleInput {
    /// Local time now, in the zone of the SIM's plan.
    pub now: LocalNow,
    /// BCP 47 language that texts should be in.
    pub language: String,
    /// The SIM this evaluation is about.
    pub sim: Option<SimFacts>,
    /// Every SIM known; shared between the inputs of one occasion.
    pub sims: Arc<[SimFacts]>,
    /// Every modem known, those that are lost included; shared as well.
    pub modems: Arc<[ModemFacts]>,
    /// The newest deliveries of this service, newest first, 32 at most; shared as well.
    pub deliveries: Arc<[DeliveryFacts]>,
    /// What is wrong with the service.
    pub warnings: Vec<Warning>,
    /// How late the occasion is served, seconds; 0 when on time.
    pub late_s: i64,
}

/// What a rule looked at beside the SIM that it was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// Other SIMs.
    pub sims: bool,
    /// Modems that those SIMs are not in.
    pub modems: bool,
    /// What became of messages.
    pub deliveries: bool,
}

impl Sight {
    /// Its own SIM alone.
    pub const NOTHING: Self = Self { sims: false, modems: false, deliveries: false };
    /// Everything.
    pub const ALL: Self = Self { sims: true, modems: true, deliveries: true };
}

impl Default for Sight {
    /// Where nobody noted it, anything may have been looked at.
    fn default() -> Self {
        Self::ALL
    }
}

impl RuleInput {
    /// Without what the rule did not look at: asked again on this, it says the same. So what is kept of each SIM's
    /// decisions does not grow with the number of the others.
    #[must_use]
    pub fn seen(&self, sight: Sight, trigger: &Trigger) -> Self {
        let before = match trigger {
            Trigger::SimChanged { before, .. } => Some(before),
            _ => None,
        };
        let own = self.sim.as_ref().map(|facts| &facts.iccid);
        // A hook without a SIM is called for the first.
        let first = self.sims.first().map(|facts| &facts.iccid);
        let named = |iccid: &Iccid| [own, first, before].contains(&Some(iccid));
        let sims: Arc<[SimFacts]> = if sight.sims {
            Arc::clone(&self.sims)
        } else {
            self.sims.iter().filter(|facts| named(&facts.iccid)).cloned().collect()
        };
        let within = |iccid: &Iccid| sims.iter().any(|facts| facts.iccid == *iccid);
        let modems = if sight.modems {
            Arc::clone(&self.modems)
        } else {
            self.modems.iter().filter(|modem| modem.sim.as_ref().is_some_and(within)).cloned().collect()
        };
        let deliveries = if sight.deliveries { Arc::clone(&self.deliveries) } else { Arc::default() };
        Self { sims, modems, deliveries, ..self.clone() }
    }
}

/// What is known of one modem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModemFacts {
    /// Manufacturer and model.
    pub name: String,
    /// Tells modems of one model apart: the last digits of the IMEI.
    pub tail: String,
    /// Whether it is there; a modem that is gone for less than a minute is.
    pub present: bool,
    /// When it was seen last, where it is not there.
    pub lost_since: Option<Timestamp>,
    /// `Modem.State`; none where it is not there.
    pub state: Option<ModemState>,
    /// Why it cannot be used, where it cannot: `Modem.StateFailedReason`, or what has to be unlocked.
    pub unusable: Option<String>,
    /// The SIM in use, or the one it had.
    pub sim: Option<Iccid>,
    /// The network it is registered with.
    pub network: Option<String>,
    /// `Modem.AccessTechnologies` in words, such as `lte`.
    pub access: Vec<String>,
    /// Signal, 0 to 100.
    pub signal_percent: Option<u8>,
}

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryFacts {
    /// The reminder it says.
    pub reminder: ReminderKey,
    /// The channel.
    pub channel: ChannelName,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many times it was tried.
    pub attempts: u32,
    /// When it was put in the outbox.
    pub created_at: Timestamp,
    /// What went wrong last; hostile text.
    pub last_error: Option<String>,
}

/// Local civil time, broken down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalNow {
    /// The instant.
    pub at: Timestamp,
    /// ISO 8601 date, `2026-11-22`.
    pub date: String,
    /// `07:00`.
    pub time: String,
    /// 1 for Monday to 7 for Sunday.
    pub weekday: u8,
    /// Day of the month.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
}

/// What is known of one SIM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimFacts {
    /// Its identity.
    pub iccid: Iccid,
    /// The name a person gave it, or `SIM …1234`.
    pub name: String,
    /// Home operator's name.
    pub operator: Option<String>,
    /// Home operator's code, where a modem tells it.
    #[serde(default)]
    pub operator_code: Option<OperatorCode>,
    /// The network it is registered with now.
    pub network: Option<String>,
    /// That network's code.
    #[serde(default)]
    pub network_code: Option<OperatorCode>,
    /// Where it is: in its home network, or roaming and where; unknown where it is in no modem.
    #[serde(default)]
    pub zone: Zone,
    /// Whether it is in a modem and in use.
    pub active: bool,
    /// Whether it roams; none where not known.
    pub roaming: Option<bool>,
    /// Whether a bearer is connected.
    pub connected: bool,
    /// Whether usage is measured; false when a connected bearer has no counter.
    pub measured: bool,
    /// Signal, 0 to 100.
    pub signal_percent: Option<u8>,
    /// Name of its plan.
    pub plan: Option<String>,
    /// What else its plan says.
    #[serde(default)]
    pub terms: Option<PlanTerms>,
    /// Bytes used in this cycle, as the plan counts them: as billed, or calibrated where the plan says so.
    pub used_bytes: u64,
    /// Bytes measured in this cycle, both directions, corrections included.
    pub measured_bytes: u64,
    /// Bytes of this cycle as the plan bills them, corrections included; as measured without a plan.
    pub billed_bytes: u64,
    /// Bytes of this cycle as the carrier is likely to count them; none where its figures teach nothing.
    pub calibrated_bytes: Option<u64>,
    /// What the carrier's figures teach.
    pub calibration: Option<Calibration>,
    /// Bytes of `used_bytes` while roaming.
    pub roaming_bytes: u64,
    /// The allowance, where the plan has one.
    pub allowance_bytes: Option<u64>,
    /// Allowance minus usage, never below 0.
    pub remaining_bytes: Option<u64>,
    /// Used share of the allowance, where there is one; may exceed 1.
    pub used_share: Option<Decimal>,
    /// Cycle, where the plan has one.
    pub cycle: Option<CycleFacts>,
    /// When the allowance runs out at this rate; none when it lasts.
    pub exhausted_at: Option<Timestamp>,
    /// Usage at the end of the cycle at this rate.
    pub end_of_cycle_bytes: Option<u64>,
    /// Whether the forecast rests on enough measurement to speak of.
    pub forecast_reliable: bool,
    /// Calls and messages of this cycle, calls under way included.
    pub voice: VoiceSums,
    /// To how many recipients messages went in this cycle.
    pub recipients: u64,
}

/// What a plan says besides its name and allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanTerms {
    /// Which bytes count.
    pub counts: Counts,
    /// Whether what is used while roaming counts.
    pub roaming_counts: bool,
    /// Whether a cycle follows each cycle by itself.
    pub renews: bool,
}

/// A cycle, broken down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleFacts {
    /// First day, ISO 8601.
    pub start: String,
    /// First day after it, ISO 8601; none for a bucket with no end.
    pub end: Option<String>,
    /// Whole days left, today included; none for no end.
    pub days_left: Option<i64>,
    /// Seconds left.
    pub seconds_left: Option<i64>,
    /// Whether the plan ends for good with this cycle instead of starting anew.
    pub last: bool,
}
