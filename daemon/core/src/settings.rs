//! What the configuration asks of the core.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ident::{Apn, ChannelName, Iccid, SimName};
use crate::number::OwnNumbers;
use crate::plan::Plan;
use crate::schedule::QuietHours;
use crate::time::Span;
use crate::zone::ZoneRules;

/// Everything that the configuration decides for the core. Replaced whole by a reload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Zone rules for everything without a plan of its own.
    pub zone: ZoneRules,
    /// BCP 47 language of texts, such as `en` or `zh`.
    pub language: String,
    /// SIMs that the configuration names, by ICCID.
    pub sims: BTreeMap<Iccid, SimSettings>,
    /// How often counters are read while something is connected and no threshold is near.
    pub sample_every: Span,
    /// The most that passes in a second, both directions together, in bytes: how far off a threshold is in time.
    pub line_rate: u64,
    /// At most this much usage of all SIMs is held in memory before it is committed; none: of each SIM a thousandth of
    /// its plan's allowance, and 10 MB at least (100 MB where there is no allowance). One that is given holds beside what
    /// the line carries in a second, whatever flows.
    pub max_unsaved_bytes: Option<u64>,
    /// At most for this long usage is held in memory before it is committed.
    pub max_unsaved_time: Span,
    /// Channels a reminder goes to unless its rule names others.
    pub default_channels: Vec<ChannelName>,
    /// Every configured channel with its kind.
    pub channels: Vec<ChannelSettings>,
    /// No reminder below critical is delivered within these local hours; it waits for their end.
    pub quiet: Option<QuietHours>,
    /// A rule that fails so many times in a row is suspended; 1 at least.
    pub suspend_after: u32,
    /// What rules want done is refused beyond so many a local day and rule.
    pub actions_a_day: u32,
    /// Network interface that carries a PPP bearer, where the bearer names only an AT port.
    pub ppp_interface: Option<String>,
}

/// One SIM of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimSettings {
    /// The name a person gave it.
    pub name: Option<SimName>,
    /// Its plan.
    pub plan: Option<Plan>,
    /// Zone rules of the plan.
    pub zone: ZoneRules,
    /// Whose figures of its traffic are booked.
    pub source: SourceChoice,
    /// Connections to these are none of the plan's, and not counted.
    #[serde(default)]
    pub uncounted_apns: Vec<Apn>,
    /// Numbers that the owner classes by hand.
    pub numbers: OwnNumbers,
}

/// Whose figures of a SIM's traffic are booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceChoice {
    /// The kernel's; ModemManager's where there is no network interface, or traffic bypasses its counters.
    #[default]
    Auto,
    /// The kernel's interface counters, whatever ModemManager says.
    Kernel,
    /// ModemManager's bearer statistics, whatever the kernel says.
    Modem,
}

/// What the core needs to know of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelSettings {
    /// Its name.
    pub name: ChannelName,
    /// Its kind: `email`, `ntfy`, `webhook`, `sms`, `desktop`, `journal`.
    pub kind: String,
    /// At most so many deliveries per local day; none for no cap. Always set for SMS.
    pub daily_cap: Option<u32>,
    /// Whether it may be used while the SIM that carries it roams.
    pub while_roaming: bool,
    /// After this long an undelivered message is given up.
    pub deadline: Span,
}
