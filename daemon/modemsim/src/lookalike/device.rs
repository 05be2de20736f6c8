//! A modem as hardware: what stays when ModemManager dies, and what ModemManager shows of it.

use tokio::time::Instant;

use super::spec::{BearerSpec, ModemSpec, Network, SimSpec};

/// One modem with all that hangs on it.
#[derive(Debug)]
pub(crate) struct Device {
    pub spec: ModemSpec,
    /// Slots as they are filled now.
    pub slots: Vec<Vec<SimSpec>>,
    /// 0-based.
    pub primary: usize,
    pub plugged: bool,
    pub locked: bool,
    pub pin_tries: u32,
    pub network: Network,
    pub signal: u32,
    pub stored: Vec<Stored>,
    pub shown: Option<Shown>,
}

/// What the running ModemManager knows of a modem.
#[derive(Debug)]
pub(crate) struct Shown {
    pub path: String,
    /// `MMModemState`.
    pub state: i32,
    pub sim_paths: Vec<String>,
    pub bearers: Vec<Bearer>,
    pub calls: Vec<String>,
    /// Messages created by clients, by path; those received are in `stored`.
    pub drafts: Vec<Draft>,
}

#[derive(Debug)]
pub(crate) struct Bearer {
    pub path: String,
    pub spec: BearerSpec,
    pub connected: Option<Instant>,
    pub start_date: u64,
    pub rx: u64,
    pub tx: u64,
    pub total_rx: u64,
    pub total_tx: u64,
    pub total_duration: u64,
    pub attempts: u32,
    pub failed_attempts: u32,
}

/// A short message in the modem's memory.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub number: String,
    pub text: String,
    pub timestamp: String,
    pub complete: bool,
    pub path: Option<String>,
}

/// A message a client created.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub path: String,
    pub number: String,
    pub text: String,
}

/// Values of `MMModemState`.
pub(crate) mod state {
    pub(crate) const FAILED: i32 = -1;
    pub(crate) const LOCKED: i32 = 2;
    pub(crate) const DISABLED: i32 = 3;
    pub(crate) const DISABLING: i32 = 4;
    pub(crate) const ENABLING: i32 = 5;
    pub(crate) const ENABLED: i32 = 6;
    pub(crate) const SEARCHING: i32 = 7;
    pub(crate) const REGISTERED: i32 = 8;
    pub(crate) const DISCONNECTING: i32 = 9;
    pub(crate) const CONNECTING: i32 = 10;
    pub(crate) const CONNECTED: i32 = 11;
}

impl Device {
    pub(crate) fn new(spec: ModemSpec) -> Self {
        Self {
            slots: spec.slots.clone(),
            primary: spec.primary_slot.saturating_sub(1),
            plugged: spec.plugged,
            locked: spec.locked,
            pin_tries: 3,
            network: Network::Home,
            signal: spec.signal,
            stored: Vec::new(),
            shown: None,
            spec,
        }
    }

    /// The SIM in use.
    pub(crate) fn sim(&self) -> Option<&SimSpec> {
        self.slots.get(self.primary)?.first()
    }

    pub(crate) fn connected(&self) -> bool {
        self.shown.iter().flat_map(|shown| &shown.bearers).any(|bearer| bearer.connected.is_some())
    }
}
