//! From properties to what the core sees: types checked, texts bounded, codes named.

use simbell_core::ident::{Eid, Iccid, Imsi, ModemId, OperatorCode, PhoneNumber};
use simbell_core::modem::{
    BearerStats, BearerView, CallState, CallView, EsimStatus, ModemState, ModemView, Registration, SimKind,
    SimView,
};
use simbell_core::time::Timestamp;

use crate::props::{Props, fields_of, number_of, text_of};

/// Longest name, in characters.
const NAME: usize = 128;
/// Longest device path, in characters.
const DEVICE: usize = 200;
/// Most own numbers, slots, ports or bearers of one modem.
const MANY: usize = 64;
/// `MM_MODEM_PORT_TYPE_NET`.
const PORT_NET: u64 = 2;
/// `MM_BEARER_IP_METHOD_PPP`.
const IP_METHOD_PPP: u64 = 1;

/// `MMModemAccessTechnology`, bit by bit.
const ACCESS: [&str; 18] = [
    "pots",
    "gsm",
    "gsm-compact",
    "gprs",
    "edge",
    "umts",
    "hsdpa",
    "hsupa",
    "hspa",
    "hspa-plus",
    "1xrtt",
    "evdo0",
    "evdoa",
    "evdob",
    "lte",
    "5gnr",
    "lte-cat-m",
    "lte-nb-iot",
];

/// `MMModemLock`.
const LOCKS: [&str; 17] = [
    "unknown",
    "none",
    "sim-pin",
    "sim-pin2",
    "sim-puk",
    "sim-puk2",
    "ph-sp-pin",
    "ph-sp-puk",
    "ph-net-pin",
    "ph-net-puk",
    "ph-sim-pin",
    "ph-corp-pin",
    "ph-corp-puk",
    "ph-fsim-pin",
    "ph-fsim-puk",
    "ph-netsub-pin",
    "ph-netsub-puk",
];
/// Locks that keep no modem from working: none at all, and the second PIN with its PUK.
const HARMLESS_LOCKS: [&str; 4] = ["unknown", "none", "sim-pin2", "sim-puk2"];

/// `MMModemStateFailedReason`.
const FAILURES: [&str; 6] =
    ["none", "unknown", "sim-missing", "sim-error", "unknown-capabilities", "esim-without-profiles"];

/// The IMEI, or the device where the modem tells none. All zeros, which unset modems tell, is none.
///
/// None for a modem that tells neither: it cannot be told from another.
pub fn modem_id(modem: &Props) -> Option<ModemId> {
    equipment(modem).or_else(|| device_id(modem))
}

/// The device as an identity: for modems without an IMEI, or with that of another.
pub fn device_id(modem: &Props) -> Option<ModemId> {
    let device = modem.text("Device", DEVICE)?;
    let plain: String = device.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect();
    ModemId::new(plain).ok()
}

fn equipment(modem: &Props) -> Option<ModemId> {
    let text = modem.text("EquipmentIdentifier", NAME)?;
    if text.trim().chars().all(|c| c == '0') {
        return None;
    }
    ModemId::new(text).ok()
}

/// A modem's view of itself, without SIMs and bearers.
pub fn modem(id: ModemId, path: &str, modem: &Props, registration: Option<&Props>) -> ModemView {
    let nothing = Props::default();
    let network = registration.unwrap_or(&nothing);
    let state = modem_state(modem.signed("State"));
    ModemView {
        id,
        path: path.to_owned(),
        device: modem.text("Device", DEVICE).unwrap_or_default(),
        manufacturer: modem.text("Manufacturer", NAME).unwrap_or_default(),
        model: modem.text("Model", NAME).unwrap_or_default(),
        state,
        failed_reason: (state == ModemState::Failed)
            .then(|| name_of(&FAILURES, modem.number("StateFailedReason")).unwrap_or("unknown").to_owned()),
        unlock_required: name_of(&LOCKS, modem.number("UnlockRequired"))
            .filter(|lock| !HARMLESS_LOCKS.contains(lock))
            .map(str::to_owned),
        own_numbers: modem
            .texts("OwnNumbers", NAME)
            .into_iter()
            .take(MANY)
            .filter_map(|number| PhoneNumber::new(number).ok())
            .collect(),
        sim: None,
        slots: Vec::new(),
        primary_slot: modem.number("PrimarySimSlot").filter(|slot| *slot != 0),
        registration: registration_state(network.number("RegistrationState")),
        operator_code: network.text("OperatorCode", NAME).and_then(|code| OperatorCode::new(code).ok()),
        operator_name: network.text("OperatorName", NAME),
        access: access(modem.number("AccessTechnologies").unwrap_or(0)),
        signal_percent: signal(modem),
        bearers: Vec::new(),
        net_ports: net_ports(modem),
    }
}

/// A SIM as it is read; what is not valid is left out.
pub fn sim(sim: &Props) -> SimView {
    SimView {
        iccid: sim.text("SimIdentifier", NAME).and_then(|text| Iccid::new(text).ok()),
        imsi: sim.text("Imsi", NAME).and_then(|text| Imsi::new(text).ok()),
        eid: sim.text("Eid", NAME).and_then(|text| Eid::new(text).ok()),
        operator_code: sim.text("OperatorIdentifier", NAME).and_then(|text| OperatorCode::new(text).ok()),
        operator_name: sim.text("OperatorName", NAME),
        kind: match sim.number("SimType") {
            Some(1) => SimKind::Physical,
            Some(2) => SimKind::Esim,
            _ => SimKind::Unknown,
        },
        esim: match sim.number("EsimStatus") {
            Some(1) => EsimStatus::NoProfiles,
            Some(2) => EsimStatus::WithProfiles,
            _ => EsimStatus::Unknown,
        },
        // Older ModemManagers know only the SIM in use.
        active: sim.flag("Active").unwrap_or(true),
    }
}

/// A bearer as it is read.
pub fn bearer(path: &str, bearer: &Props) -> BearerView {
    let ppp = |config| bearer.entry(config, "method").and_then(number_of) == Some(IP_METHOD_PPP);
    let error = bearer.fields("ConnectionError");
    let error_name = error.first().and_then(|name| text_of(name, NAME));
    let error_text = error.get(1).and_then(|text| text_of(text, NAME));
    BearerView {
        path: path.to_owned(),
        connected: bearer.flag("Connected").unwrap_or(false),
        interface: bearer.text("Interface", NAME).map(Into::into),
        ppp: ppp("Ip4Config") || ppp("Ip6Config"),
        apn: bearer.entry("Properties", "apn").and_then(|apn| text_of(apn, NAME)).map(Into::into),
        stats: stats(bearer),
        stats_supported: bearer.flag("ReloadStatsSupported").unwrap_or(false),
        connection_error: match (error_name, error_text) {
            (Some(name), Some(text)) => Some(format!("{name}: {text}")),
            (name, text) => name.or(text),
        },
    }
}

/// A call as it is read.
pub fn call(path: &str, call: &Props) -> CallView {
    CallView {
        // Filled in by whoever knows whom it talks to.
        service: None,
        path: path.to_owned(),
        number: call.text("Number", NAME),
        // `MM_CALL_DIRECTION_INCOMING`
        incoming: call.signed("Direction") == Some(1),
        state: call_state(call.signed("State")),
    }
}

/// `MMCallState` by number.
pub fn call_state(number: Option<i32>) -> CallState {
    match number {
        Some(1) => CallState::Dialing,
        Some(2) => CallState::RingingOut,
        Some(3) => CallState::RingingIn,
        Some(4) => CallState::Active,
        Some(5) => CallState::Held,
        Some(6) => CallState::Waiting,
        Some(7) => CallState::Terminated,
        _ => CallState::Unknown,
    }
}

fn modem_state(number: Option<i32>) -> ModemState {
    match number {
        Some(-1) => ModemState::Failed,
        Some(1) => ModemState::Initializing,
        Some(2) => ModemState::Locked,
        Some(3) => ModemState::Disabled,
        Some(4) => ModemState::Disabling,
        Some(5) => ModemState::Enabling,
        Some(6) => ModemState::Enabled,
        Some(7) => ModemState::Searching,
        Some(8) => ModemState::Registered,
        Some(9) => ModemState::Disconnecting,
        Some(10) => ModemState::Connecting,
        Some(11) => ModemState::Connected,
        _ => ModemState::Unknown,
    }
}

/// The variants of home and roaming (SMS only, CSFB not preferred) bill like the plain ones.
fn registration_state(number: Option<u32>) -> Registration {
    match number {
        Some(0) => Registration::Idle,
        Some(1 | 6 | 9) => Registration::Home,
        Some(2) => Registration::Searching,
        // Emergency calls only: nothing that is billed is possible.
        Some(3 | 8) => Registration::Denied,
        Some(5 | 7 | 10) => Registration::Roaming,
        _ => Registration::Unknown,
    }
}

fn access(bits: u32) -> Vec<String> {
    // MM_MODEM_ACCESS_TECHNOLOGY_ANY
    if bits == u32::MAX {
        return Vec::new();
    }
    (0_u32..).zip(ACCESS).filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| name.to_owned()).collect()
}

fn signal(modem: &Props) -> Option<u8> {
    let quality = modem.fields("SignalQuality").first().and_then(number_of)?;
    u8::try_from(quality).ok().filter(|percent| *percent <= 100)
}

fn net_ports(modem: &Props) -> Vec<String> {
    modem
        .list("Ports")
        .iter()
        .take(MANY)
        .filter_map(|port| {
            let fields = fields_of(port);
            let kind = fields.get(1).and_then(number_of)?;
            (kind == PORT_NET).then(|| text_of(fields.first()?, NAME)).flatten()
        })
        .collect()
}

fn stats(bearer: &Props) -> Option<BearerStats> {
    let figure = |key| bearer.entry(crate::names::STATS, key).and_then(number_of);
    let duration = figure("duration");
    let (rx_bytes, tx_bytes) = (figure("rx-bytes"), figure("tx-bytes"));
    if duration.is_none() && rx_bytes.is_none() && tx_bytes.is_none() {
        return None;
    }
    Some(BearerStats {
        rx_bytes: rx_bytes.unwrap_or(0),
        tx_bytes: tx_bytes.unwrap_or(0),
        duration_s: duration.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(0),
        start: figure("start-date")
            .filter(|start| *start != 0)
            .and_then(|start| i64::try_from(start).ok())
            .map(Timestamp::from_secs),
    })
}

fn name_of(names: &'static [&'static str], number: Option<u32>) -> Option<&'static str> {
    names.get(usize::try_from(number?).ok()?).copied()
}
