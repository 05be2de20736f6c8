//! What is seen of a modem: plain values, taken whole at each change, compared by the core.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ident::{Eid, Iccid, Imsi, ModemId, OperatorCode, PhoneNumber};
use crate::time::Timestamp;

/// One modem, as ModemManager shows it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModemView {
    /// IMEI, or the device where there is none.
    pub id: ModemId,
    /// D-Bus object path: for calls, never an identity.
    pub path: String,
    /// `Modem.Device`: sysfs path of the physical device.
    pub device: String,
    /// `Modem.Manufacturer`.
    pub manufacturer: String,
    /// `Modem.Model`.
    pub model: String,
    /// `Modem.State`.
    pub state: ModemState,
    /// `Modem.StateFailedReason` in words, where the state is failed.
    pub failed_reason: Option<String>,
    /// `Modem.UnlockRequired` in words (`sim-pin`), where something is locked.
    pub unlock_required: Option<String>,
    /// `Modem.OwnNumbers`; often empty.
    pub own_numbers: Vec<PhoneNumber>,
    /// The SIM in use, from `Modem.Sim`.
    pub sim: Option<SimView>,
    /// `Modem.SimSlots`; empty where the modem tells none.
    pub slots: Vec<Option<SimView>>,
    /// `Modem.PrimarySimSlot`, 1-based.
    pub primary_slot: Option<u32>,
    /// `Modem3gpp.RegistrationState`.
    pub registration: Registration,
    /// `Modem3gpp.OperatorCode`.
    pub operator_code: Option<OperatorCode>,
    /// `Modem3gpp.OperatorName`; hostile text.
    pub operator_name: Option<String>,
    /// `Modem.AccessTechnologies` in words, such as `lte`.
    pub access: Vec<String>,
    /// `Modem.SignalQuality`, 0 to 100.
    pub signal_percent: Option<u8>,
    /// Every bearer listed in `Modem.Bearers`.
    pub bearers: Vec<BearerView>,
    /// Names of the network interfaces in `Modem.Ports`.
    pub net_ports: Vec<String>,
}

/// `MMModemState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "named as MMModemState names them")]
pub enum ModemState {
    Failed,
    Unknown,
    Initializing,
    Locked,
    Disabled,
    Disabling,
    Enabling,
    Enabled,
    Searching,
    Registered,
    Disconnecting,
    Connecting,
    Connected,
}

/// `MMModem3gppRegistrationState`, as far as it matters to a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "named as MMModem3gppRegistrationState names them")]
pub enum Registration {
    Unknown,
    Idle,
    Home,
    Searching,
    Denied,
    Roaming,
}

/// One SIM or eSIM profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimView {
    /// `Sim.SimIdentifier`; absent where the modem could not read it.
    pub iccid: Option<Iccid>,
    /// `Sim.Imsi`; absent while locked.
    pub imsi: Option<Imsi>,
    /// `Sim.Eid`, of an eUICC.
    pub eid: Option<Eid>,
    /// `Sim.OperatorIdentifier`: the home network.
    pub operator_code: Option<OperatorCode>,
    /// `Sim.OperatorName`; hostile text.
    pub operator_name: Option<String>,
    /// `Sim.SimType`.
    pub kind: SimKind,
    /// `Sim.EsimStatus`.
    pub esim: EsimStatus,
    /// `Sim.Active`.
    pub active: bool,
}

/// `MMSimType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "named as MMSimType names them")]
pub enum SimKind {
    Unknown,
    Physical,
    Esim,
}

/// `MMSimEsimStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "named as MMSimEsimStatus names them")]
pub enum EsimStatus {
    Unknown,
    NoProfiles,
    WithProfiles,
}

/// One packet data connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BearerView {
    /// D-Bus object path: identity only until ModemManager restarts.
    pub path: String,
    /// `Bearer.Connected`.
    pub connected: bool,
    /// `Bearer.Interface`: a network interface, or for PPP the AT port's name.
    pub interface: Option<Arc<str>>,
    /// Whether the link is PPP (`Ip4Config` method 1), so that `interface` is no network interface.
    pub ppp: bool,
    /// APN from `Bearer.Properties`.
    pub apn: Option<Arc<str>>,
    /// `Bearer.Stats`.
    pub stats: Option<BearerStats>,
    /// `Bearer.ReloadStatsSupported`: whether rx and tx in `stats` mean anything.
    pub stats_supported: bool,
    /// `Bearer.ConnectionError`, name and text; hostile text.
    pub connection_error: Option<String>,
}

/// `Bearer.Stats`: updated by ModemManager every 30 s at best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BearerStats {
    /// Bytes received in this connection.
    pub rx_bytes: u64,
    /// Bytes sent in this connection.
    pub tx_bytes: u64,
    /// Seconds connected.
    pub duration_s: u32,
    /// When the connection began by ModemManager's wall clock.
    pub start: Option<Timestamp>,
}

/// A received or sent short message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsView {
    /// Sender or recipient; hostile text.
    pub number: String,
    /// Text, all parts joined; hostile text.
    pub text: String,
    /// The service centre's time stamp as given, RFC 3339 with offset where it could be read.
    pub timestamp: Option<String>,
    /// SHA-256-like digest over sender, time stamp and PDU content, hexadecimal: the message's identity, since
    /// ModemManager shows stored messages again under new paths.
    pub digest: String,
}

/// `MMCallState` and direction of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallView {
    /// Unique bus name of the ModemManager that shows it; none peer to peer. It is never given to another.
    #[serde(default)]
    pub service: Option<String>,
    /// D-Bus path: tells calls of one ModemManager apart.
    pub path: String,
    /// The other party, where shown; hostile text.
    pub number: Option<String>,
    /// Whether the other party called.
    pub incoming: bool,
    /// `Call.State`.
    pub state: CallState,
}

/// `MMCallState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "named as MMCallState names them")]
pub enum CallState {
    Unknown,
    Dialing,
    RingingOut,
    RingingIn,
    Active,
    Held,
    Waiting,
    Terminated,
}
