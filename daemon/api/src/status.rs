//! How the service, ModemManager and the SIMs are.

use crate::voice::{CallsTotal, MessagesTotal};

named! {
    /// The service itself.
    pub struct Service {
        /// Its version.
        pub version: String,
        /// `starting`, `running`, `degraded` (something in `warnings` keeps it from its work) or `stopping`.
        pub state: String,
        /// Whether the wall clock may be believed; until then nothing that depends on the date is said.
        pub clock_trusted: bool,
        /// What is wrong now; empty when all is well.
        pub warnings: Vec<Warning>,
    }

    /// One thing that is wrong with the service now.
    pub struct Warning {
        /// What, stable, for programs: `ledger-not-writable`, `modemmanager-gone`, `rule-disabled` and so on.
        pub code: String,
        /// Which one, where there can be several (a rule, a channel, an interface); empty otherwise.
        pub subject: String,
        /// What happened, what it means, what to do.
        pub text: String,
        /// Since when, RFC 3339.
        pub since: String,
    }

    /// ModemManager as seen from the service.
    pub struct ModemManager {
        /// Whether it is on the bus.
        pub present: bool,
        /// Its version; null while it is absent.
        pub version: Option<String>,
    }

    /// One SIM or eSIM profile that the service knows.
    pub struct Sim {
        /// Its identity, 18 to 22 digits.
        pub iccid: String,
        /// The name the configuration gives it; null where it gives none.
        pub name: Option<String>,
        /// Subscriber; null while it could not be read.
        pub imsi: Option<String>,
        /// The eUICC it lives on; null for a plain SIM.
        pub eid: Option<String>,
        /// `physical` or `esim`; null where the modem does not tell or the SIM is in none.
        pub kind: Option<String>,
        /// Whether it is in a modem, in use or not; null while ModemManager is away, when nobody can tell.
        pub present: Option<bool>,
        /// The slot it is in, counted from 1; null where the modem tells of no slots or the SIM is in none.
        pub slot: Option<u32>,
        /// Its own telephone numbers, as the modem tells them; often none, and none unless it is in use.
        pub own_numbers: Vec<String>,
        /// The home operator's name.
        pub operator: Option<String>,
        /// The network it is registered with now.
        pub network: Option<String>,
        /// Whether it roams; null where not known.
        pub roaming: Option<bool>,
        /// Whether it is in a modem and in use; null while ModemManager is away.
        pub active: Option<bool>,
        /// Whether a data connection is up; null while ModemManager is away.
        pub connected: Option<bool>,
        /// Whether what it uses is measured; false when a connection has no counter, and while nobody can tell whose a
        /// counter is.
        pub measured: bool,
        /// Its data connections that are up now, with what the kernel and what ModemManager counted of each.
        pub sessions: Vec<Session>,
        /// Signal, 0 to 100.
        pub signal_percent: Option<u8>,
        /// Name of its plan; null where it has none.
        pub plan: Option<String>,
        /// What the plan allows in a cycle; null for no limit.
        pub allowance_bytes: Option<u64>,
        /// Bytes of the ledger in this cycle, both directions, corrections included; of the calendar month without a plan.
        pub measured_bytes: u64,
        /// Bytes as the plan counts them in this cycle, corrections included; null without a plan.
        pub billed_bytes: Option<u64>,
        /// Bytes used in this cycle as rules and thresholds see them: as billed, calibrated where the plan says so, as
        /// measured without a plan.
        pub used_bytes: u64,
        /// By so many bytes the corrections of this cycle are more than what was counted in it: usage shows as 0, and as
        /// much of what follows does not show. Null where they are not.
        pub overdrawn_bytes: Option<u64>,
        /// Bytes of this cycle as the carrier is likely to count them; null where its figures teach nothing.
        pub calibrated_bytes: Option<u64>,
        /// What the carrier's own figures teach; its members are null where nothing can be said.
        pub calibration: Calibration,
        /// What `used_bytes` is made of; null where the service does not say.
        #[serde(default)]
        pub parts: Option<UsedParts>,
        /// Bytes left of the allowance, never below 0; null where there is no allowance, and while the cycle is not known.
        pub remaining_bytes: Option<u64>,
        /// Whether the cycle and what was used in it are known: not before the clock is trusted. Until then the bytes used
        /// are what was measured since the service began, and the cycle has at least as many.
        pub cycle_known: bool,
        /// Bytes of this cycle used while roaming.
        pub roaming_bytes: u64,
        /// The billing cycle; the calendar month without a plan; its members are null before the clock is trusted.
        pub cycle: Cycle,
        /// Where this leads; its members are null where nothing can be said.
        pub forecast: Forecast,
        /// Calls of this cycle, those under way included.
        #[serde(default)]
        pub calls: CallsTotal,
        /// Short messages of this cycle.
        #[serde(default)]
        pub messages: MessagesTotal,
        /// When it was last seen in a modem, RFC 3339; null where never.
        pub last_seen: Option<String>,
    }

    /// One data connection as long as one SIM uses it.
    pub struct Session {
        /// Its number in the ledger.
        pub id: i64,
        /// When it began, RFC 3339; null before the clock is trusted.
        pub began: Option<String>,
        /// The network interface; null where there is none.
        pub interface: Option<String>,
        /// Access point name.
        pub apn: Option<String>,
        /// Whose figures count: `kernel` or `modem`.
        pub source: String,
        /// Whether traffic was found to bypass the kernel's counters, such as by hardware flow offload.
        pub bypass: bool,
        /// Bytes received by the interface's counters; null where there is none.
        pub kernel_rx_bytes: Option<u64>,
        /// Bytes sent by the interface's counters.
        pub kernel_tx_bytes: Option<u64>,
        /// Bytes received by ModemManager's statistics, up to half a minute old; null where the modem tells none.
        pub modem_rx_bytes: Option<u64>,
        /// Bytes sent by ModemManager's statistics.
        pub modem_tx_bytes: Option<u64>,
        /// ModemManager's figure minus the kernel's, both directions; null where one is missing.
        pub gap_bytes: Option<i64>,
    }

    /// What the usage of a cycle is made of.
    pub struct UsedParts {
        /// Bytes measured, both directions, corrections apart.
        pub measured_bytes: u64,
        /// Those as the plan bills them, corrections apart; without a plan as measured.
        pub billed_bytes: u64,
        /// Bytes billed as the carrier is likely to count them, corrections apart; null where its figures teach nothing.
        pub calibrated_bytes: Option<u64>,
        /// Which of them is used: the calibrated ones where the plan says so, else the billed ones.
        pub counted_bytes: u64,
        /// Sum of the corrections, signed bytes: they are added as they are.
        pub correction_bytes: i64,
    }

    /// How far the carrier counts beside what is billed, learnt from its own figures.
    #[derive(Default)]
    pub struct Calibration {
        /// What the carrier counts for 1,000,000 bytes billed: the median.
        pub factor_millionths: Option<u64>,
        /// The least of those it was learnt from.
        pub lowest_millionths: Option<u64>,
        /// The greatest.
        pub highest_millionths: Option<u64>,
        /// How many it was learnt from.
        pub observations: Option<u32>,
    }

    /// A billing cycle.
    #[derive(Default)]
    pub struct Cycle {
        /// First day, ISO 8601.
        pub start: Option<String>,
        /// First day after it, ISO 8601; null for a bucket with no end.
        pub end: Option<String>,
        /// Whole days left, today included; null for no end.
        pub days_left: Option<i64>,
        /// Whether the plan ends with this cycle instead of starting anew.
        pub last: Option<bool>,
    }

    /// A simple forecast.
    #[derive(Default)]
    pub struct Forecast {
        /// When the allowance runs out at this rate, RFC 3339; null when it lasts or nothing can be said.
        pub exhausted_at: Option<String>,
        /// Bytes at the end of the cycle at this rate; null when nothing can be said.
        pub end_of_cycle_bytes: Option<u64>,
        /// Whether enough was measured to rely on it.
        pub reliable: Option<bool>,
    }
}
