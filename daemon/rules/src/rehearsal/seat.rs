//! Modems of a rehearsal: one for each SIM, with a network interface of its own.

use simbell_core::counter::{LinkCounters, LinkReading};
use simbell_core::ident::{Iccid, IdentError, IfIndex, ModemId, OperatorCode};
use simbell_core::ledger::{Volume, Zone};
use simbell_core::modem::{BearerView, EsimStatus, ModemState, ModemView, Registration, SimKind, SimView};

/// A modem and the SIM in it.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub(super) modem: ModemId,
    pub(super) number: u32,
    pub(super) sim: Iccid,
    /// The home operator's name.
    pub(super) operator: Option<String>,
    /// Where the SIM is.
    pub(super) zone: Zone,
    /// The name of the network it roams in.
    pub(super) visited: Option<String>,
    pub(super) connected: bool,
    /// Whether the modem is on the bus.
    pub(super) present: bool,
    /// Why it cannot be used.
    pub(super) locked: bool,
    pub(super) signal_percent: Option<u8>,
    pub(super) counters: LinkCounters,
}

impl Seat {
    /// Modem `number`, from 1.
    pub(super) fn new(number: u32, sim: Iccid, operator: Option<String>) -> Result<Self, IdentError> {
        Ok(Self {
            modem: ModemId::new(format!("{:015}", 350_000_000_000_000_u64.saturating_add(number.into())))?,
            number,
            sim,
            operator,
            zone: Zone::Home,
            visited: None,
            connected: true,
            present: true,
            locked: false,
            signal_percent: Some(70),
            counters: LinkCounters::default(),
        })
    }

    fn interface(&self) -> String {
        format!("wwan{}", self.number.saturating_sub(1))
    }

    pub(super) const fn ifindex(&self) -> IfIndex {
        IfIndex(self.number.saturating_add(9))
    }

    /// Whether what the SIM carries is counted.
    pub(super) const fn carries(&self) -> bool {
        self.present && self.connected && !self.locked
    }

    pub(super) const fn carry(&mut self, volume: Volume) {
        self.counters.rx_bytes = self.counters.rx_bytes.saturating_add(volume.rx);
        self.counters.tx_bytes = self.counters.tx_bytes.saturating_add(volume.tx);
        self.counters.rx_packets = self.counters.rx_packets.saturating_add(volume.rx.div_ceil(1_400));
        self.counters.tx_packets = self.counters.tx_packets.saturating_add(volume.tx.div_ceil(1_400));
    }

    pub(super) fn reading(&self) -> LinkReading {
        LinkReading {
            ifindex: self.ifindex(),
            name: self.interface().as_str().into(),
            ethernet: false,
            ppp: false,
            counters: self.counters,
        }
    }

    /// As ModemManager shows it.
    pub(super) fn view(&self) -> ModemView {
        let (registration, visited) = match &self.zone {
            Zone::Home => (Registration::Home, None),
            Zone::Roaming(network) => (Registration::Roaming, network.clone()),
            Zone::Unknown => (Registration::Unknown, None),
        };
        let state = match (self.locked, self.connected) {
            (true, _) => ModemState::Locked,
            (false, true) => ModemState::Connected,
            (false, false) => ModemState::Registered,
        };
        let home = OperatorCode::new("90101").ok();
        let network = match &self.zone {
            Zone::Home => self.operator.clone(),
            _ => self.visited.clone(),
        };
        ModemView {
            id: self.modem.clone(),
            path: format!("/org/freedesktop/ModemManager1/Modem/{}", self.number),
            device: format!("/sys/devices/modem{}", self.number),
            manufacturer: "Example".to_owned(),
            model: format!("LTE {}", self.number),
            state,
            failed_reason: None,
            unlock_required: self.locked.then(|| "sim-pin".to_owned()),
            own_numbers: Vec::new(),
            sim: Some(SimView {
                iccid: Some(self.sim.clone()),
                imsi: None,
                eid: None,
                operator_code: home.clone(),
                operator_name: self.operator.clone(),
                kind: SimKind::Physical,
                esim: EsimStatus::Unknown,
                active: true,
            }),
            slots: Vec::new(),
            primary_slot: None,
            registration,
            operator_code: if self.zone == Zone::Home { home } else { visited },
            operator_name: network,
            access: vec!["lte".to_owned()],
            signal_percent: self.signal_percent,
            bearers: vec![BearerView {
                path: format!("/org/freedesktop/ModemManager1/Bearer/{}", self.number),
                connected: self.connected && !self.locked,
                interface: Some(self.interface().into()),
                ppp: false,
                apn: Some("internet".into()),
                stats: None,
                stats_supported: false,
                connection_error: None,
            }],
            net_ports: vec![self.interface()],
        }
    }
}
