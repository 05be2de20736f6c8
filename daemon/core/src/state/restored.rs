//! What the ledger gives back when the service begins: all that the state cannot learn anew.

use serde::{Deserialize, Serialize};

use crate::action::ActionRecord;
use crate::effect::{ModemRecord, SimRecord};
use crate::ident::{BootId, Iccid, RuleName};
use crate::ledger::{Baseline, Epoch, EpochId, Session};
use crate::memory::Memory;
use crate::observation::{Observation, ObservationId};
use crate::party::PartyKey;
use crate::plugin::PluginDecision;
use crate::reminder::{Delivery, Reminder};
use crate::time::Timestamp;
use crate::voice::{CallId, CallRecord, SmsId};

/// The ledger's contents that the state is built from. Lists are ordered by their keys, so that the same ledger
/// always gives the same value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    /// Every SIM ever seen.
    pub sims: Vec<SimRecord>,
    /// The last reading accounted for of every counter, those of earlier boots too: `baseline.boot` tells them
    /// apart. A baseline of an earlier boot says what was connected when that boot ended.
    pub baselines: Vec<Baseline>,
    /// The epochs that the baselines name.
    pub epochs: Vec<Epoch>,
    /// Sessions that are not over.
    pub sessions: Vec<Session>,
    /// Of a ledger that takes another's place, sessions that are over in it and began as one did that lasts.
    #[serde(default)]
    pub ended: Vec<Session>,
    /// The first epoch identity never given out.
    pub next_epoch: EpochId,
    /// The newest instant that any dated entry, baseline, reminder, delivery or mark speaks of: a wall clock before
    /// it is wrong.
    pub newest: Option<Timestamp>,
    /// Boots with entries that wait for their date: this boot's first where it has some, then earlier ones.
    pub undated_boots: Vec<BootId>,
    /// Reminders that are not resolved, and those resolved recently enough to matter to a rule that raises them again.
    pub reminders: Vec<Reminder>,
    /// Deliveries that are queued, or were being tried when the service ended, and the latest that ended.
    pub deliveries: Vec<Delivery>,
    /// Up to when each schedule was served.
    pub schedule_marks: Vec<ScheduleMark>,
    /// What rules remember.
    pub memories: Vec<(RuleName, Memory)>,
    /// What rules wanted done: still wanted, or asked for in the last two days.
    pub actions: Vec<ActionRecord>,
    /// What was decided about plugins, in order.
    #[serde(default)]
    pub plugin_decisions: Vec<PluginDecision>,
    /// Every modem seen in the last year.
    pub modems: Vec<ModemRecord>,
    /// Messages handled lately.
    pub sms_digests: Vec<SmsDigest>,
    /// First instants that bundles count from.
    pub first_uses: Vec<FirstUse>,
    /// The newest of the carrier's figures of each SIM, and what takes them back.
    pub observations: Vec<Observation>,
    /// The first identity of an observation never given out.
    pub next_observation: ObservationId,
    /// Calls whose end is not in the ledger yet.
    pub open_calls: Vec<CallRecord>,
    /// The first identity of a call never given out.
    pub next_call: CallId,
    /// The first identity of a message never given out.
    pub next_sms: SmsId,
    /// Messages received and counted lately, by their digests.
    pub counted_sms: Vec<String>,
    /// The key of this ledger's digests of numbers.
    pub party_key: PartyKey,
}

impl Restored {
    /// What an empty ledger gives back.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            sims: Vec::new(),
            baselines: Vec::new(),
            epochs: Vec::new(),
            sessions: Vec::new(),
            ended: Vec::new(),
            next_epoch: EpochId(1),
            newest: None,
            undated_boots: Vec::new(),
            reminders: Vec::new(),
            deliveries: Vec::new(),
            schedule_marks: Vec::new(),
            memories: Vec::new(),
            actions: Vec::new(),
            plugin_decisions: Vec::new(),
            modems: Vec::new(),
            sms_digests: Vec::new(),
            first_uses: Vec::new(),
            observations: Vec::new(),
            next_observation: ObservationId(1),
            open_calls: Vec::new(),
            next_call: CallId(1),
            next_sms: SmsId(1),
            counted_sms: Vec::new(),
            party_key: PartyKey(0, 0),
        }
    }
}

impl Default for Restored {
    fn default() -> Self {
        Self::empty()
    }
}

/// Up to when a schedule was served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleMark {
    /// Which rule, schedule and SIM: `RULE#N SCHEDULE#ICCID`.
    pub key: String,
    /// Up to when.
    pub served: Timestamp,
}

/// A message that was handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsDigest {
    /// Its identity.
    pub digest: String,
    /// When it was seen.
    pub at: Timestamp,
}

/// The first instant a bundle counts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstUse {
    /// Whose.
    pub iccid: Iccid,
    /// Name of the plan.
    pub plan: String,
    /// When.
    pub at: Timestamp,
}
