//! Ledger entries: the only source of every total.
//!
//! Texts that each counter, session and baseline carries are shared: a commit makes no copies of them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ident::{BootId, Iccid, IfIndex, ModemId, OperatorCode};
use crate::time::Timestamp;

/// Where a SIM was when it carried bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Zone {
    /// Registered in the home network.
    Home,
    /// Roaming, with the visited network where known.
    Roaming(Option<OperatorCode>),
    /// Not known at the time.
    #[default]
    Unknown,
}

impl Zone {
    /// As kept in the ledger: `home`, `unknown`, `roaming` or `roaming:26202`.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Home => "home".to_owned(),
            Self::Unknown => "unknown".to_owned(),
            Self::Roaming(None) => "roaming".to_owned(),
            Self::Roaming(Some(code)) => format!("roaming:{code}"),
        }
    }

    /// Reads back [`Zone::to_text`]; anything else is [`Zone::Unknown`].
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match text {
            "home" => Self::Home,
            "roaming" => Self::Roaming(None),
            other => other
                .strip_prefix("roaming:")
                .and_then(|code| OperatorCode::new(code).ok())
                .map_or(Self::Unknown, |code| Self::Roaming(Some(code))),
        }
    }
}

/// Where a figure came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The kernel's interface counters.
    Kernel,
    /// ModemManager's bearer statistics.
    Modem,
    /// A person.
    User,
    /// Another program's records, such as vnStat's.
    Import,
}

impl Source {
    /// As kept in the ledger and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Modem => "modem",
            Self::User => "user",
            Self::Import => "import",
        }
    }
}

/// Identity of a counter epoch in the ledger: assigned by the core, unique for ever, growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EpochId(pub i64);

/// One unbroken run of one counter, on behalf of one SIM in one zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Identity.
    pub id: EpochId,
    /// Whose bytes.
    pub iccid: Iccid,
    /// Where.
    pub zone: Zone,
    /// By which counter.
    pub source: Source,
    /// In which boot.
    pub boot: BootId,
    /// Interface index, for a kernel counter.
    pub ifindex: Option<IfIndex>,
    /// Interface name, for a kernel counter.
    pub interface: Option<Arc<str>>,
    /// Access point name of the bearer.
    pub apn: Option<Arc<str>>,
    /// When it began: by the wall clock where that was trusted.
    pub began: Option<Timestamp>,
    /// When it began by `CLOCK_BOOTTIME`, milliseconds.
    pub began_boot_ms: u64,
    /// The session it is a part of; none for what no session is known of.
    pub session: Option<EpochId>,
    /// The modem whose bearer used the counter.
    pub modem: Option<ModemId>,
}

/// One packet data connection as long as one SIM used it through one counter: what the kernel and what ModemManager
/// counted, side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Identity: that of its first epoch. A change of zone begins an epoch, not a session.
    pub id: EpochId,
    /// Whose bytes.
    pub iccid: Iccid,
    /// In which modem.
    pub modem: Option<ModemId>,
    /// Access point name of the bearer.
    pub apn: Option<Arc<str>>,
    /// Network interface; none where the bearer has none.
    pub interface: Option<Arc<str>>,
    /// Whose figures are in the ledger now.
    pub source: Source,
    /// In which boot.
    pub boot: BootId,
    /// When it began: by the wall clock where that was trusted.
    pub began: Option<Timestamp>,
    /// When it began by `CLOCK_BOOTTIME`, milliseconds.
    pub began_boot_ms: u64,
    /// When it ended: by the wall clock where that was trusted.
    pub ended: Option<Timestamp>,
    /// Whether it is over.
    pub over: bool,
    /// By the interface's counters; none where there is no interface.
    pub kernel: Option<Figures>,
    /// By ModemManager's bearer statistics; none where the modem tells none.
    pub told: Option<Figures>,
}

impl Session {
    /// Whether it is the same as one of another copy of the ledger, which may number it otherwise.
    #[must_use]
    pub fn began_as(&self, other: &Self) -> bool {
        (&self.boot, self.began_boot_ms, &self.iccid, &self.modem, &self.apn, &self.interface)
            == (&other.boot, other.began_boot_ms, &other.iccid, &other.modem, &other.apn, &other.interface)
    }
}

/// What one counter says of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Growth since the session began, IP bytes.
    pub grown: Volume,
    /// The counter's received bytes that count as 0; negative where a reset was bridged.
    pub from_rx: i64,
    /// The counter's sent bytes that count as 0.
    pub from_tx: i64,
}

/// The last reading of one counter that is already in the ledger. Committed together with the entries made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Which counter: `link:IFINDEX` or `bearer:MODEM:PATH`, unique in a boot.
    pub counter: Arc<str>,
    /// In which boot the reading was taken.
    pub boot: BootId,
    /// Interface index, for a kernel counter.
    pub ifindex: Option<IfIndex>,
    /// Interface name, for a kernel counter.
    pub interface: Option<Arc<str>>,
    /// IP bytes received.
    pub rx_bytes: u64,
    /// IP bytes sent.
    pub tx_bytes: u64,
    /// Start of the connection by ModemManager, which tells two connections on one path apart.
    pub connection_start: Option<Timestamp>,
    /// The modem whose bearer used it.
    pub modem: Option<ModemId>,
    /// Access point name of that bearer.
    pub apn: Option<Arc<str>>,
    /// Whose bytes it was counting; none while no bearer used it.
    pub iccid: Option<Iccid>,
    /// Where that SIM was.
    pub zone: Zone,
    /// The epoch that growth belongs to.
    pub epoch: Option<EpochId>,
    /// When it was read: by the wall clock where that was trusted.
    pub read_at: Option<Timestamp>,
    /// When it was read by `CLOCK_BOOTTIME`, milliseconds.
    pub read_boot_ms: u64,
}

/// Usage of one epoch in one UTC hour. Adding the same slot again adds to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageSlot {
    /// Which epoch.
    pub epoch: EpochId,
    /// Whose bytes.
    pub iccid: Iccid,
    /// Where.
    pub zone: Zone,
    /// By which counter.
    pub source: Source,
    /// When.
    pub when: When,
    /// IP bytes received, to be added.
    pub rx_bytes: u64,
    /// IP bytes sent, to be added.
    pub tx_bytes: u64,
    /// First instant covered.
    pub from: i64,
    /// Last instant covered, same clock as `from`: wall milliseconds when dated, boot milliseconds when not.
    pub until: i64,
}

/// When something was measured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// In the slot that starts here: a UTC hour, or the part of one from the start of a billing cycle on. The entry
    /// counts at this instant, whole.
    Hour(Timestamp),
    /// Before the clock was trusted: in this boot, in this hour of `CLOCK_BOOTTIME` (its start, milliseconds).
    Undated {
        /// Which boot.
        boot: BootId,
        /// Start of the hour by `CLOCK_BOOTTIME`, milliseconds.
        boot_hour_ms: u64,
    },
}

/// Something that could not be known, said instead of guessed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Whose bytes are missing, where known.
    pub iccid: Option<Iccid>,
    /// Since when, where known.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: GapReason,
    /// Which interface or bearer, in words for a person.
    pub detail: String,
}

/// Why something could not be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The interface vanished while the service did not run.
    InterfaceVanished,
    /// The machine was started anew while the service held uncommitted or uncounted usage.
    Rebooted,
    /// A counter fell inside an epoch, or as its link went; what it lost cannot be known.
    CounterReset,
    /// The SIM in use changed while the service did not run.
    SimChanged,
    /// Netlink or D-Bus lost messages and the interface was gone afterwards.
    EventsLost,
    /// There is no counter that can be read.
    NoCounter,
    /// A connection was up while nobody watched: what it carried cannot be told from what passed before it.
    ConnectedUnseen,
    /// The ledger was damaged and an older copy took its place.
    LedgerDamaged,
    /// A person had an older copy of the ledger take its place.
    LedgerRestored,
}

impl GapReason {
    /// As kept in the ledger and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InterfaceVanished => "interface-vanished",
            Self::Rebooted => "rebooted",
            Self::CounterReset => "counter-reset",
            Self::SimChanged => "sim-changed",
            Self::EventsLost => "events-lost",
            Self::NoCounter => "no-counter",
            Self::ConnectedUnseen => "connected-unseen",
            Self::LedgerDamaged => "ledger-damaged",
            Self::LedgerRestored => "ledger-restored",
        }
    }

    /// What it means, in a sentence for a person.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::InterfaceVanished => {
                "The network interface went away while the service was not running, and took along what it had \
                 counted since it was last read."
            }
            Self::LedgerDamaged => {
                "The ledger was damaged and an older copy took its place: what only the damaged one knew is missing."
            }
            Self::LedgerRestored => {
                "Somebody had an older copy of the ledger take its place: what only the newer one knew is missing."
            }
            Self::Rebooted => {
                "The machine was started anew, and what had been counted since the last entry of the ledger went \
                 with it."
            }
            Self::CounterReset => {
                "The counter began anew in the middle of a connection, or was set back as its interface went; what it \
                 had counted since it was last read is lost."
            }
            Self::SimChanged => {
                "The SIM was changed while nobody watched; whose the bytes in between are cannot be told."
            }
            Self::EventsLost => {
                "The system lost messages about the interface, and the interface was gone afterwards, with what it \
                 had counted since it was last read."
            }
            Self::NoCounter => "The connection had no counter that could be read.",
            Self::ConnectedUnseen => {
                "A connection was up while nobody watched; what it carried cannot be told from what had passed before."
            }
        }
    }
}

/// An append-only correction by a person: bytes added to (or taken from) a SIM's usage at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// Whose usage.
    pub iccid: Iccid,
    /// At which instant it counts.
    pub at: Timestamp,
    /// Bytes received and sent together; negative takes away.
    pub bytes: i64,
    /// Who, such as `uid 1000`.
    pub author: String,
    /// Why, in the author's words; hostile text.
    pub reason: String,
    /// The number, in the ledger, of the correction that this one takes back.
    pub undoes: Option<i64>,
}

/// Bytes received and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Volume {
    /// Received.
    pub rx: u64,
    /// Sent.
    pub tx: u64,
}

impl Volume {
    /// Both directions together; saturates.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.rx.saturating_add(self.tx)
    }

    /// Both directions together, none when the sum does not fit.
    #[must_use]
    pub const fn both(self) -> Option<u64> {
        self.rx.checked_add(self.tx)
    }

    /// The sum of two volumes, none when it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self { rx: self.rx.checked_add(other.rx)?, tx: self.tx.checked_add(other.tx)? })
    }
}
