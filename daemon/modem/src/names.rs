//! ModemManager's names on the bus, and which properties are kept.
//!
//! Source: the D-Bus API reference of ModemManager 1.20 to 1.24.

/// The service.
pub const SERVICE: &str = "org.freedesktop.ModemManager1";
/// The object that manages the others; every other path lies below.
pub const ROOT: &str = "/org/freedesktop/ModemManager1";
/// Of the root object: its `Version`.
pub const MANAGER: &str = "org.freedesktop.ModemManager1";
/// Bearers lie below this path.
pub const BEARERS: &str = "/org/freedesktop/ModemManager1/Bearer";
/// Everything else that is followed lies below these.
pub const OTHERS: [&str; 4] = [
    "/org/freedesktop/ModemManager1/Modem",
    "/org/freedesktop/ModemManager1/SIM",
    "/org/freedesktop/ModemManager1/SMS",
    "/org/freedesktop/ModemManager1/Call",
];
/// A modem is an object with this interface.
pub const MODEM: &str = "org.freedesktop.ModemManager1.Modem";
/// Registration.
pub const MODEM_3GPP: &str = "org.freedesktop.ModemManager1.Modem.Modem3gpp";
/// Connecting and disconnecting in one call.
pub const SIMPLE: &str = "org.freedesktop.ModemManager1.Modem.Simple";
/// USSD sessions.
pub const USSD: &str = "org.freedesktop.ModemManager1.Modem.Modem3gpp.Ussd";
/// Short messages of a modem.
pub const MESSAGING: &str = "org.freedesktop.ModemManager1.Modem.Messaging";
/// Calls of a modem.
pub const VOICE: &str = "org.freedesktop.ModemManager1.Modem.Voice";
/// A SIM.
pub const SIM: &str = "org.freedesktop.ModemManager1.Sim";
/// A packet data connection.
pub const BEARER: &str = "org.freedesktop.ModemManager1.Bearer";
/// Its figures.
pub const STATS: &str = "Stats";
/// A short message.
pub const SMS: &str = "org.freedesktop.ModemManager1.Sms";
/// A call.
pub const CALL: &str = "org.freedesktop.ModemManager1.Call";

/// `org.freedesktop.DBus.Properties`.
pub const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// `org.freedesktop.DBus.ObjectManager`.
pub const OBJECT_MANAGER: &str = "org.freedesktop.DBus.ObjectManager";
/// The bus itself, as service and as interface.
pub const BUS: &str = "org.freedesktop.DBus";
/// The bus's own object.
pub const BUS_PATH: &str = "/org/freedesktop/DBus";

/// The properties of `interface` that are kept; everything else is dropped as it arrives.
#[must_use]
pub fn kept(interface: &str) -> &'static [&'static str] {
    match interface {
        MANAGER => &["Version"],
        MODEM => &[
            "AccessTechnologies",
            "Bearers",
            "Device",
            "EquipmentIdentifier",
            "Manufacturer",
            "Model",
            "OwnNumbers",
            "Ports",
            "PrimarySimSlot",
            "SignalQuality",
            "Sim",
            "SimSlots",
            "State",
            "StateFailedReason",
            "UnlockRequired",
        ],
        MODEM_3GPP => &["OperatorCode", "OperatorName", "RegistrationState"],
        USSD => &["NetworkNotification", "NetworkRequest"],
        MESSAGING => &["Messages"],
        VOICE => &["Calls"],
        SIM => &[
            "Active",
            "Eid",
            "EsimStatus",
            "Imsi",
            "OperatorIdentifier",
            "OperatorName",
            "SimIdentifier",
            "SimType",
        ],
        BEARER => &[
            "Connected",
            "ConnectionError",
            "Interface",
            "Ip4Config",
            "Ip6Config",
            "Properties",
            "ReloadStatsSupported",
            STATS,
        ],
        SMS => &["Data", "Number", "PduType", "State", "Text", "Timestamp"],
        CALL => &["Direction", "Number", "State"],
        _ => &[],
    }
}

/// The entries of the dictionary `property` that are read; the others are dropped as it arrives.
#[must_use]
pub fn entries(property: &str) -> &'static [&'static str] {
    match property {
        "Ip4Config" | "Ip6Config" => &["method"],
        "Properties" => &["apn"],
        STATS => &["duration", "rx-bytes", "start-date", "tx-bytes"],
        _ => &[],
    }
}
