//! Properties of each interface as they are when an object appears.

use std::collections::HashMap;

use zbus::{ObjectPath, Variant};

use super::device::{Bearer, Device, state};
use super::interfaces::{
    BEARER, CALL, FIRMWARE, GPP, LOCATION, MESSAGING, MODEM, PROFILES, SIGNAL, SIM, SIMPLE, SMS, TIME, USSD,
    VOICE,
};
use super::spec::{ModemSpec, SimSpec, Technology};
use super::tree::{Props, object};

/// An `a{sv}`.
pub(crate) type Dict = HashMap<String, Variant<'static>>;

/// Builds an `a{sv}`.
pub(crate) fn dict<const N: usize>(pairs: [(&str, Variant<'static>); N]) -> Dict {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

pub(crate) fn text(value: &str) -> Variant<'static> {
    Variant::from(value.to_owned())
}

pub(crate) fn path(value: &str) -> Variant<'static> {
    Variant::from(object(value))
}

pub(crate) fn paths<'a>(values: impl IntoIterator<Item = &'a str>) -> Variant<'static> {
    Variant::from(values.into_iter().map(object).collect::<Vec<ObjectPath<'static>>>())
}

fn empty() -> Variant<'static> {
    Dict::new().into()
}

fn texts(values: &[String]) -> Variant<'static> {
    values.to_vec().into()
}

/// `MMModemMode`: 2G, 3G, 4G, 5G bits a technology allows.
fn modes(technology: Technology) -> u32 {
    match technology {
        Technology::Gsm => 1 << 1,
        Technology::Umts => 1 << 1 | 1 << 2,
        Technology::Lte => 1 << 1 | 1 << 2 | 1 << 3,
        Technology::Nr5g => 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4,
    }
}

/// The interfaces of a modem that is disabled, locked or failed.
pub(crate) fn modem(
    device: &Device,
    state: i32,
    sim_paths: &[String],
    primary: usize,
) -> Vec<(&'static str, Props)> {
    let spec = &device.spec;
    let mut interfaces = vec![
        (MODEM, modem_interface(device, state, sim_paths, primary)),
        (FIRMWARE, Props::from([("UpdateSettings", Variant::from((0_u32, Dict::new())))])),
        (VOICE, Props::from([("Calls", paths([])), ("EmergencyOnly", false.into())])),
    ];
    if state != self::state::FAILED {
        interfaces.push((GPP, gpp(spec)));
        interfaces.push((SIMPLE, Props::new()));
    }
    if state == self::state::DISABLED {
        interfaces.extend(unlocked());
    }
    interfaces
}

/// The interfaces that come once the SIM is unlocked.
pub(crate) fn unlocked() -> Vec<(&'static str, Props)> {
    vec![
        (PROFILES, Props::from([("IndexField", text("profile-id"))])),
        (
            USSD,
            Props::from([
                ("State", 0_u32.into()),
                ("NetworkNotification", text("")),
                ("NetworkRequest", text("")),
            ]),
        ),
        (
            LOCATION,
            Props::from([
                // MM_MODEM_LOCATION_SOURCE_3GPP_LAC_CI.
                ("Capabilities", 1_u32.into()),
                ("SupportedAssistanceData", 0_u32.into()),
                ("Enabled", 0_u32.into()),
                ("SignalsLocation", false.into()),
                ("Location", HashMap::<u32, Variant<'static>>::new().into()),
                ("SuplServer", text("")),
                ("AssistanceDataServers", texts(&[])),
                ("GpsRefreshRate", 0_u32.into()),
            ]),
        ),
        (
            MESSAGING,
            Props::from([
                ("Messages", paths([])),
                // MM_SMS_STORAGE_SM, MM_SMS_STORAGE_ME.
                ("SupportedStorages", vec![1_u32, 2_u32].into()),
                ("DefaultStorage", 0_u32.into()),
            ]),
        ),
        (
            SIGNAL,
            Props::from([
                ("Rate", 0_u32.into()),
                ("RssiThreshold", 0_u32.into()),
                ("ErrorRateThreshold", false.into()),
                ("Cdma", empty()),
                ("Evdo", empty()),
                ("Gsm", empty()),
                ("Umts", empty()),
                ("Lte", empty()),
                ("Nr5g", empty()),
            ]),
        ),
        (TIME, Props::from([("NetworkTimezone", empty())])),
    ]
}

fn modem_interface(device: &Device, state: i32, sim_paths: &[String], primary: usize) -> Props {
    let spec = &device.spec;
    let failed = state == self::state::FAILED;
    let locked = state == self::state::LOCKED;
    let modes = modes(spec.technology);
    let slots = device.slots.len() > 1;
    // MM_MODEM_CAPABILITY_GSM_UMTS, _LTE and _5GNR.
    let capabilities = match spec.technology {
        Technology::Gsm | Technology::Umts => 4_u32,
        Technology::Lte => 4 | 8,
        Technology::Nr5g => 4 | 8 | 64,
    };
    let numbers: Vec<String> =
        device.sim().into_iter().map(|sim| sim.number.clone()).filter(|number| !number.is_empty()).collect();
    let retries = HashMap::from([(2_u32, device.pin_tries), (4, 10), (3, 3), (5, 10)]);
    Props::from([
        ("Sim", path(sim_paths.get(primary).map_or("/", String::as_str))),
        ("SimSlots", paths(sim_paths.iter().map(String::as_str).filter(|_| slots))),
        ("PrimarySimSlot", u32::try_from(primary + 1).ok().filter(|_| slots).unwrap_or_default().into()),
        ("Bearers", paths([])),
        ("SupportedCapabilities", vec![capabilities].into()),
        ("CurrentCapabilities", capabilities.into()),
        ("MaxBearers", 4_u32.into()),
        ("MaxActiveBearers", 4_u32.into()),
        ("MaxActiveMultiplexedBearers", 0_u32.into()),
        ("Manufacturer", text(&spec.manufacturer)),
        ("Model", text(&spec.model)),
        ("Revision", text(&spec.revision)),
        ("CarrierConfiguration", text("")),
        ("CarrierConfigurationRevision", text("")),
        ("HardwareRevision", text("")),
        ("DeviceIdentifier", text(&format!("{:0>40}", spec.imei))),
        ("Device", text(&spec.device)),
        ("Drivers", texts(&["simbell".to_owned()])),
        ("Plugin", text(&spec.plugin)),
        ("PrimaryPort", text("ttySIM0")),
        // MM_MODEM_PORT_TYPE_AT, _NET.
        ("Ports", vec![("ttySIM0".to_owned(), 3_u32), (spec.net_port.clone(), 2_u32)].into()),
        ("EquipmentIdentifier", text(&spec.imei)),
        // MM_MODEM_LOCK_NONE, _SIM_PIN, _UNKNOWN.
        ("UnlockRequired", (if locked { 2_u32 } else { u32::from(!failed) }).into()),
        ("UnlockRetries", if failed { HashMap::<u32, u32>::new() } else { retries }.into()),
        ("State", state.into()),
        // MM_MODEM_STATE_FAILED_REASON_SIM_MISSING.
        ("StateFailedReason", (if failed { 2_u32 } else { 0 }).into()),
        ("AccessTechnologies", 0_u32.into()),
        ("SignalQuality", (0_u32, false).into()),
        ("OwnNumbers", texts(if locked || failed { &[] } else { &numbers })),
        // MM_MODEM_POWER_STATE_ON.
        ("PowerState", 3_u32.into()),
        ("SupportedModes", vec![(modes, 0_u32)].into()),
        ("CurrentModes", (modes, 0_u32).into()),
        ("SupportedBands", vec![0_u32; 0].into()),
        ("CurrentBands", vec![0_u32; 0].into()),
        // MM_BEARER_IP_FAMILY_IPV4, _IPV6, _IPV4V6.
        ("SupportedIpFamilies", 7_u32.into()),
    ])
}

fn gpp(spec: &ModemSpec) -> Props {
    Props::from([
        ("Imei", text(&spec.imei)),
        // MM_MODEM_3GPP_REGISTRATION_STATE_UNKNOWN.
        ("RegistrationState", 4_u32.into()),
        ("OperatorCode", text("")),
        ("OperatorName", text("")),
        ("EnabledFacilityLocks", 0_u32.into()),
        ("SubscriptionState", 0_u32.into()),
        ("EpsUeModeOperation", 0_u32.into()),
        ("Pco", Vec::<(u32, bool, Vec<u8>)>::new().into()),
        ("InitialEpsBearer", path("/")),
        ("InitialEpsBearerSettings", empty()),
        ("PacketServiceState", 0_u32.into()),
        ("Nr5gRegistrationSettings", empty()),
    ])
}

/// A SIM object; one that is not in use or locked shows no IMSI.
pub(crate) fn sim(spec: &SimSpec, active: bool, readable: bool) -> Vec<(&'static str, Props)> {
    let open = active && readable;
    let seen = |value: &str| text(if open { value } else { "" });
    // MM_SIM_TYPE_PHYSICAL, _ESIM; MM_SIM_ESIM_STATUS_NO_PROFILES, _WITH_PROFILES; MM_SIM_REMOVABILITY_*.
    let (kind, esim, removable) = match (spec.esim, spec.iccid.is_empty()) {
        (false, _) => (1_u32, 0_u32, 1_u32),
        (true, true) => (2, 1, 2),
        (true, false) => (2, 2, 2),
    };
    let props = Props::from([
        ("Active", active.into()),
        ("SimIdentifier", text(&spec.iccid)),
        ("Imsi", seen(&spec.imsi)),
        ("Eid", text(&spec.eid)),
        ("OperatorIdentifier", seen(&spec.operator_code)),
        ("OperatorName", seen(&spec.operator_name)),
        ("EmergencyNumbers", texts(&[])),
        ("PreferredNetworks", Vec::<(String, u32)>::new().into()),
        ("Gid1", vec![0_u8; 0].into()),
        ("Gid2", vec![0_u8; 0].into()),
        ("SimType", kind.into()),
        ("EsimStatus", esim.into()),
        ("Removability", removable.into()),
    ]);
    vec![(SIM, props)]
}

/// `Bearer.Ip4Config` of a connected bearer with an address, of PPP, or of none.
pub(crate) fn ip4(bearer: &Bearer) -> Variant<'static> {
    if bearer.connected.is_none() {
        return dict([("method", 0_u32.into())]).into();
    }
    if bearer.spec.ppp {
        return dict([("method", 1_u32.into())]).into();
    }
    // MM_BEARER_IP_METHOD_STATIC, in a range for documentation (RFC 5737).
    dict([
        ("method", 2_u32.into()),
        ("address", text("192.0.2.2")),
        ("prefix", 24_u32.into()),
        ("gateway", text("192.0.2.1")),
        ("dns1", text("192.0.2.1")),
        ("mtu", 1500_u32.into()),
    ])
    .into()
}

/// `Bearer.Stats` as they stand now.
pub(crate) fn stats(bearer: &Bearer) -> Variant<'static> {
    let seconds = bearer.connected.map_or(0, |since| since.elapsed().as_secs());
    let short = |value: u64| Variant::from(u32::try_from(value).unwrap_or(u32::MAX));
    let seen = |value: u64| Variant::from(if bearer.spec.stats { value } else { 0 });
    dict([
        ("start-date", bearer.start_date.into()),
        ("duration", short(seconds)),
        ("rx-bytes", seen(bearer.rx)),
        ("tx-bytes", seen(bearer.tx)),
        ("attempts", bearer.attempts.into()),
        ("failed-attempts", bearer.failed_attempts.into()),
        ("total-duration", short(bearer.total_duration.saturating_add(seconds))),
        ("total-rx-bytes", seen(bearer.total_rx.saturating_add(bearer.rx))),
        ("total-tx-bytes", seen(bearer.total_tx.saturating_add(bearer.tx))),
        ("uplink-speed", 0_u64.into()),
        ("downlink-speed", 0_u64.into()),
    ])
    .into()
}

/// A bearer object, not connected.
pub(crate) fn bearer(bearer: &Bearer) -> Vec<(&'static str, Props)> {
    let properties = dict([
        ("apn", text(&bearer.spec.apn)),
        // MM_BEARER_IP_FAMILY_IPV4.
        ("ip-type", 1_u32.into()),
        ("allow-roaming", true.into()),
        ("rm-protocol", 0_u32.into()),
        ("apn-type", 0_u32.into()),
        ("access-type-preference", 0_u32.into()),
        ("profile-id", (-1_i32).into()),
        ("allowed-auth", 0_u32.into()),
    ]);
    let props = Props::from([
        ("Interface", text("")),
        ("Connected", false.into()),
        ("ConnectionError", (String::new(), String::new()).into()),
        ("Suspended", false.into()),
        ("Multiplexed", false.into()),
        ("Ip4Config", ip4(bearer)),
        ("Ip6Config", dict([("method", 0_u32.into())]).into()),
        ("Stats", stats(bearer)),
        ("ReloadStatsSupported", bearer.spec.stats.into()),
        ("IpTimeout", 20_u32.into()),
        // MM_BEARER_TYPE_DEFAULT.
        ("BearerType", 1_u32.into()),
        ("ProfileId", (-1_i32).into()),
        ("Properties", properties.into()),
    ]);
    vec![(BEARER, props)]
}

/// An SMS object; `state` and `pdu` are `MMSmsState` and `MMSmsPduType`, `storage` `MMSmsStorage`.
pub(crate) fn sms(
    (state, pdu, storage): (u32, u32, u32),
    number: &str,
    content: &str,
    timestamp: &str,
) -> Vec<(&'static str, Props)> {
    let validity = zbus::Structure::from((0_u32, Variant::Variant(Box::new(Variant::Bool(false)))));
    let props = Props::from([
        ("State", state.into()),
        ("PduType", pdu.into()),
        ("Number", text(number)),
        ("Text", text(content)),
        ("Data", vec![0_u8; 0].into()),
        ("SMSC", text("")),
        ("Validity", Variant::Structure(validity)),
        ("Class", (-1_i32).into()),
        ("TeleserviceId", 0_u32.into()),
        ("ServiceCategory", 0_u32.into()),
        ("DeliveryReportRequest", false.into()),
        ("MessageReference", 0_u32.into()),
        ("Timestamp", text(timestamp)),
        ("DischargeTimestamp", text("")),
        // MM_SMS_DELIVERY_STATE_UNKNOWN.
        ("DeliveryState", 0x100_u32.into()),
        ("Storage", storage.into()),
    ]);
    vec![(SMS, props)]
}

/// A call object; `state` and `direction` are `MMCallState` and `MMCallDirection`.
pub(crate) fn call(state: i32, direction: i32, number: &str) -> Vec<(&'static str, Props)> {
    let props = Props::from([
        ("State", state.into()),
        ("StateReason", 0_i32.into()),
        ("Direction", direction.into()),
        ("Number", text(number)),
        ("Multiparty", false.into()),
        ("AudioPort", text("")),
        ("AudioFormat", empty()),
    ]);
    vec![(CALL, props)]
}
