//! Modems with a SIM each, its plan of 100 GB and its connection: for the examples that measure.

use std::collections::BTreeMap;

use simbell_core::bytes::Bytes;
use simbell_core::counter::{LinkCounters, LinkReading};
use simbell_core::ident::{Iccid, IfIndex, ModemId, PlanName};
use simbell_core::modem::{BearerView, EsimStatus, ModemState, ModemView, Registration, SimKind, SimView};
use simbell_core::plan::{AnchorDay, Counts, Period, Plan};
use simbell_core::settings::{Settings, SimSettings, SourceChoice};
use simbell_core::time::Span;
use simbell_core::zone::ZoneRules;

/// 2026-11-22T12:00:00Z.
pub const NOON: i64 = 1_795_348_800;

pub fn iccid(number: u32) -> Iccid {
    let text = format!("89001000000{number:07}");
    (0..10).find_map(|digit| Iccid::new(format!("{text}{digit}")).ok()).expect("an ICCID")
}

pub fn link(number: u32, rx_bytes: u64) -> LinkReading {
    LinkReading {
        ifindex: IfIndex(number.saturating_add(7)),
        name: format!("wwan{number}").as_str().into(),
        ethernet: false,
        ppp: false,
        counters: LinkCounters { rx_bytes, rx_packets: 1, tx_bytes: 0, tx_packets: 0 },
    }
}

pub fn settings(sims: u32) -> Settings {
    let plan = Plan {
        name: PlanName::new("home").expect("a name"),
        data: Some(Bytes(100_000_000_000)),
        period: Period::Monthly(AnchorDay::Day(1)),
        counts: Counts::Both,
        roaming_counts: true,
        increment: None,
        free_hours: Vec::new(),
        calibrate: false,
    };
    let sim = SimSettings {
        name: None,
        plan: Some(plan),
        zone: ZoneRules::utc(),
        source: SourceChoice::Auto,
        uncounted_apns: Vec::new(),
        numbers: simbell_core::number::OwnNumbers::default(),
    };
    let sims = (0..sims).map(|number| (iccid(number), sim.clone())).collect::<BTreeMap<_, _>>();
    Settings {
        zone: ZoneRules::utc(),
        language: "en".to_owned(),
        sims,
        sample_every: Span::secs(60),
        line_rate: 125_000_000,
        max_unsaved_bytes: None,
        max_unsaved_time: Span::secs(300),
        default_channels: Vec::new(),
        channels: Vec::new(),
        quiet: None,
        suspend_after: 3,
        actions_a_day: 10,
        ppp_interface: None,
    }
}

pub fn modem(number: u32) -> ModemView {
    let sim = SimView {
        iccid: Some(iccid(number)),
        imsi: None,
        eid: None,
        operator_code: None,
        operator_name: None,
        kind: SimKind::Unknown,
        esim: EsimStatus::Unknown,
        active: true,
    };
    let bearer = BearerView {
        path: format!("/bearer/{number}"),
        connected: true,
        interface: Some(format!("wwan{number}").into()),
        ppp: false,
        apn: None,
        stats: None,
        stats_supported: false,
        connection_error: None,
    };
    ModemView {
        id: identity(number),
        path: format!("/modem/{number}"),
        device: "/sys/x".to_owned(),
        manufacturer: String::new(),
        model: String::new(),
        state: ModemState::Connected,
        failed_reason: None,
        unlock_required: None,
        own_numbers: Vec::new(),
        sim: Some(sim),
        slots: Vec::new(),
        primary_slot: None,
        registration: Registration::Home,
        operator_code: None,
        operator_name: None,
        access: Vec::new(),
        signal_percent: None,
        bearers: vec![bearer],
        net_ports: vec![format!("wwan{number}")],
    }
}

fn identity(number: u32) -> ModemId {
    let text = format!("35000000{number:06}");
    (0..10).find_map(|digit| ModemId::new(format!("{text}{digit}")).ok()).expect("an IMEI")
}
