//! The simulated ModemManager with its modems: every change is made here, under one lock, and told in order.

use std::time::Duration;

use tokio::sync::broadcast;

use super::device::{Device, Shown, state};
use super::fault::Fault;
use super::interfaces::{BEARER, GPP, LOCATION, MESSAGING, MM, MODEM, ROOT, USSD, VOICE};
use super::shape::{self, paths, text};
use super::spec::{ModemSpec, Network, Refusal, Report, SentSms};
use super::tree::{Props, Tree};

/// Everything there is.
#[derive(Debug)]
pub(crate) struct World {
    pub tree: Tree,
    pub devices: Vec<Device>,
    pub numbers: Numbers,
    pub refusals: Vec<Refusal>,
    pub ussd: Vec<UssdReply>,
    pub sent: Vec<SentSms>,
    pub reports: broadcast::Sender<Report>,
    /// Whether whoever uses modems (NetworkManager, usually) enables them as they appear.
    pub auto_enable: bool,
    pub stats_every: Duration,
    /// Whether the daemon has shown its modems.
    pub booted: bool,
}

/// Next free object numbers; they begin at 0 with each start of the daemon.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    modem: u32,
    sim: u32,
    bearer: u32,
    sms: u32,
    call: u32,
}

/// A USSD code and what the network answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UssdReply {
    pub code: String,
    pub reply: String,
    /// Whether the network then waits for a response.
    pub menu: bool,
}

impl Numbers {
    pub(crate) fn next(&mut self, kind: &str) -> String {
        let counter = match kind {
            "Modem" => &mut self.modem,
            "SIM" => &mut self.sim,
            "Bearer" => &mut self.bearer,
            "SMS" => &mut self.sms,
            _ => &mut self.call,
        };
        let path = format!("{ROOT}/{kind}/{counter}");
        *counter += 1;
        path
    }
}

impl World {
    pub(crate) fn new(modems: Vec<ModemSpec>) -> Self {
        Self {
            tree: Tree::default(),
            devices: modems.into_iter().map(Device::new).collect(),
            numbers: Numbers::default(),
            refusals: Vec::new(),
            ussd: Vec::new(),
            sent: Vec::new(),
            reports: broadcast::channel(1024).0,
            auto_enable: true,
            stats_every: Duration::from_secs(1),
            booted: false,
        }
    }

    pub(crate) fn report(&self, report: Report) {
        // Nobody needs to listen.
        let _ = self.reports.send(report);
    }

    /// Makes the daemon's own object, so that it answers; its modems come with [`World::boot`].
    pub(crate) fn prepare(&mut self) {
        if self.tree.interfaces_of(ROOT).is_none() {
            let props = Props::from([("Version", text("1.20.4"))]);
            self.tree.add(ROOT, vec![(MM, props)]);
        }
    }

    /// Shows the modems, once in a life of the daemon.
    pub(crate) fn boot(&mut self) {
        if self.booted {
            return;
        }
        self.prepare();
        self.booted = true;
        for index in 0..self.devices.len() {
            self.appear(index);
        }
    }

    /// The daemon dies: objects, numbers and clients go without a word; the hardware stays.
    pub(crate) fn die(&mut self) {
        self.tree.collapse();
        self.numbers = Numbers::default();
        self.booted = false;
        for device in &mut self.devices {
            device.shown = None;
            device.stored.iter_mut().for_each(|sms| sms.path = None);
        }
    }

    pub(crate) fn device(&mut self, index: usize) -> Result<&mut Device, Fault> {
        self.devices.get_mut(index).ok_or_else(|| Fault::core("NotFound", "no such modem"))
    }

    pub(crate) fn shown(&mut self, index: usize) -> Result<&mut Shown, Fault> {
        self.device(index)?.shown.as_mut().ok_or_else(|| Fault::core("NotFound", "modem not on the bus"))
    }

    /// Shows one modem on the bus under new paths, and enables it where that is wanted.
    pub(crate) fn appear(&mut self, index: usize) {
        let Self { devices, numbers, tree, .. } = self;
        let Some(device) = devices.get_mut(index).filter(|device| device.plugged && device.shown.is_none())
        else {
            return;
        };
        let mut sim_paths = Vec::new();
        for (slot, sims) in device.slots.iter().enumerate() {
            let Some(sim) = sims.first() else {
                sim_paths.push("/".to_owned());
                continue;
            };
            let sim_path = numbers.next("SIM");
            tree.add(&sim_path, shape::sim(sim, slot == device.primary, !device.locked));
            sim_paths.push(sim_path);
        }
        let state = match device.sim() {
            None => state::FAILED,
            Some(_) if device.locked => state::LOCKED,
            Some(_) => state::DISABLED,
        };
        let modem = numbers.next("Modem");
        tree.add(&modem, shape::modem(device, state, &sim_paths, device.primary));
        device.shown = Some(Shown {
            path: modem,
            state,
            sim_paths,
            bearers: Vec::new(),
            calls: Vec::new(),
            drafts: Vec::new(),
        });
        if self.auto_enable && state == state::DISABLED {
            // It is disabled and shown, so enabling cannot be refused.
            let _ = self.enable(index);
        }
    }

    /// Takes a modem off the bus: its own object is announced, what hangs on it goes unsaid.
    pub(crate) fn vanish(&mut self, index: usize) {
        let Self { devices, tree, .. } = self;
        let Some(device) = devices.get_mut(index) else { return };
        let Some(shown) = device.shown.take() else { return };
        tree.remove(&shown.path);
        let stored = device.stored.iter_mut().filter_map(|sms| sms.path.take());
        let bearers = shown.bearers.into_iter().map(|bearer| bearer.path);
        let drafts = shown.drafts.into_iter().map(|draft| draft.path);
        for path in shown.sim_paths.into_iter().chain(bearers).chain(drafts).chain(shown.calls).chain(stored)
        {
            tree.remove(&path);
        }
    }

    /// Sets `Modem.State` and says so.
    pub(crate) fn set_state(&mut self, index: usize, new: i32, reason: u32) {
        let Ok(shown) = self.shown(index) else { return };
        let (old, path) = (shown.state, shown.path.clone());
        if old == new {
            return;
        }
        shown.state = new;
        self.tree.set(&path, MODEM, [("State", new.into())]);
        self.tree.emit(&path, MODEM, "StateChanged", &(old, new, reason));
    }

    pub(crate) fn enable(&mut self, index: usize) -> Result<(), Fault> {
        let shown = self.shown(index)?;
        match shown.state {
            state::FAILED => return Err(Fault::core("WrongState", "modem in failed state")),
            state::LOCKED => return Err(Fault::core("WrongState", "modem in locked state")),
            state::DISABLED => {}
            _ => return Ok(()),
        }
        let path = shown.path.clone();
        // MM_MODEM_STATE_CHANGE_REASON_USER_REQUESTED.
        self.set_state(index, state::ENABLING, 1);
        self.tree.set(&path, USSD, [("State", 1_u32.into())]);
        self.tree.set(&path, LOCATION, [("Enabled", 1_u32.into())]);
        self.tree.set(&path, MESSAGING, [("DefaultStorage", 2_u32.into())]);
        self.set_state(index, state::ENABLED, 1);
        self.show_stored(index);
        self.register(index);
        Ok(())
    }

    pub(crate) fn disable(&mut self, index: usize) -> Result<(), Fault> {
        let shown = self.shown(index)?;
        if matches!(shown.state, state::DISABLED | state::LOCKED | state::FAILED) {
            return Ok(());
        }
        let path = shown.path.clone();
        for number in 0..self.shown(index)?.bearers.len() {
            self.disconnect(index, number, None);
        }
        self.set_state(index, state::DISABLING, 1);
        self.hide_stored(index);
        self.tree.set(&path, USSD, [("State", 0_u32.into())]);
        self.tree.set(
            &path,
            GPP,
            [
                ("RegistrationState", 4_u32.into()),
                ("PacketServiceState", 0_u32.into()),
                ("OperatorCode", text("")),
                ("OperatorName", text("")),
            ],
        );
        self.tree.set(
            &path,
            MODEM,
            [("AccessTechnologies", 0_u32.into()), ("SignalQuality", (0_u32, false).into())],
        );
        self.set_state(index, state::DISABLED, 1);
        Ok(())
    }

    /// Brings what is shown in line with the network: the operator's code first, the rest after it.
    pub(crate) fn register(&mut self, index: usize) {
        self.register_code(index);
        self.register_state(index);
    }

    /// First half of a registration: `OperatorCode` and technology, some ms before the rest.
    pub(crate) fn register_code(&mut self, index: usize) {
        let Some((path, device)) = self.enabled(index) else { return };
        let home = device.sim().map_or_else(String::new, |sim| sim.operator_code.clone());
        let technology = device.spec.technology.bit();
        let (code, technology) = match device.network.clone() {
            Network::Home => (home, technology),
            Network::Roaming { code, .. } => (code, technology),
            Network::Searching | Network::Denied => return,
        };
        self.tree.set(&path, MODEM, [("AccessTechnologies", technology.into())]);
        self.tree.set(&path, GPP, [("OperatorCode", text(&code))]);
    }

    /// Second half: `RegistrationState`, name, `Modem.State`, signal.
    pub(crate) fn register_state(&mut self, index: usize) {
        let Some((path, device)) = self.enabled(index) else { return };
        let home = device.sim().map_or_else(String::new, |sim| sim.operator_name.clone());
        let signal = device.signal;
        let connected = device.connected();
        // MMModem3gppRegistrationState; MMModem3gppPacketServiceState is 2 attached, 1 detached.
        let (registration, name, modem_state) = match device.network.clone() {
            Network::Home => (1_u32, Some(home), state::REGISTERED),
            Network::Roaming { name, .. } => (5, Some(name), state::REGISTERED),
            Network::Searching => (2, None, state::SEARCHING),
            Network::Denied => (3, None, state::ENABLED),
        };
        if let Some(name) = name {
            if !connected {
                self.set_state(index, modem_state, 0);
            }
            self.tree.set(
                &path,
                GPP,
                [
                    ("RegistrationState", registration.into()),
                    ("PacketServiceState", 2_u32.into()),
                    ("OperatorName", text(&name)),
                ],
            );
            self.tree.set(&path, VOICE, [("EmergencyOnly", false.into())]);
            self.tree.set(&path, MODEM, [("SignalQuality", (signal, true).into())]);
        } else {
            if !connected {
                self.set_state(index, modem_state, 0);
            }
            self.tree.set(
                &path,
                GPP,
                [
                    ("RegistrationState", registration.into()),
                    ("PacketServiceState", 1_u32.into()),
                    ("OperatorName", text("")),
                    ("OperatorCode", text("")),
                ],
            );
            self.tree.set(
                &path,
                MODEM,
                [("AccessTechnologies", 0_u32.into()), ("SignalQuality", (0_u32, false).into())],
            );
        }
    }

    fn enabled(&self, index: usize) -> Option<(String, &Device)> {
        let device = self.devices.get(index)?;
        let shown = device.shown.as_ref().filter(|shown| shown.state >= state::ENABLED)?;
        Some((shown.path.clone(), device))
    }

    pub(crate) fn set_signal(&mut self, index: usize, percent: u32) -> Result<(), Fault> {
        self.device(index)?.signal = percent;
        if let Some((path, _)) = self.enabled(index) {
            self.tree.set(&path, MODEM, [("SignalQuality", (percent, true).into())]);
        }
        Ok(())
    }

    /// Tells `Bearer.Stats` of every connected bearer as they stand now.
    pub(crate) fn publish_stats(&mut self) {
        let Self { devices, tree, .. } = self;
        let bearers = devices.iter().filter_map(|device| device.shown.as_ref()).flat_map(|s| &s.bearers);
        for bearer in bearers.filter(|bearer| bearer.connected.is_some()) {
            tree.set(&bearer.path, BEARER, [("Stats", shape::stats(bearer))]);
        }
    }

    /// The path a client speaks of, as the modem it belongs to.
    pub(crate) fn owner_of(&self, object: &str) -> Option<usize> {
        self.devices.iter().position(|device| {
            device.shown.as_ref().is_some_and(|shown| {
                shown.path == object
                    || shown.sim_paths.iter().any(|path| path == object)
                    || shown.bearers.iter().any(|bearer| bearer.path == object)
                    || shown.calls.iter().any(|path| path == object)
                    || shown.drafts.iter().any(|draft| draft.path == object)
            }) || device.stored.iter().any(|sms| sms.path.as_deref() == Some(object))
        })
    }

    /// Shows the bearers a modem has.
    pub(crate) fn tell_bearers(&mut self, index: usize) {
        let Some(shown) = self.devices.get(index).and_then(|device| device.shown.as_ref()) else { return };
        let list = paths(shown.bearers.iter().map(|bearer| bearer.path.as_str()));
        self.tree.set(&shown.path, MODEM, [("Bearers", list)]);
    }
}
