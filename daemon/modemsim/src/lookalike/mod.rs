//! A look-alike of ModemManager 1.20.4 on D-Bus: the objects, properties, signals and habits of the real one,
//! without modems. It serves a message bus, or clients directly (peer to peer) with no bus at all.
//!
//! Calls are answered from a message stream and not through an object server: one there announces every object
//! beneath an object manager, where ModemManager announces modems alone, and it keeps one state per connection,
//! where here all clients look at the same modems.

mod answer;
mod builder;
mod cards;
mod device;
mod fault;
mod front;
mod interfaces;
mod links;
mod messages;
mod methods;
mod private_bus;
mod shape;
mod spec;
mod tree;
mod voice;
mod wall;
mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, watch};

pub use builder::Builder;
pub use fault::Fault;
pub use front::ServeError;
pub use interfaces::{Interface, MM, Member, ROOT, interface, interfaces, introspection};
pub use private_bus::{BusError, PrivateBus};
pub use spec::{BearerSpec, ModemSpec, Network, Refusal, Report, SentSms, SimSpec, Technology};

use world::World;

/// A running look-alike; clones are the same one. It needs a tokio runtime.
#[derive(Debug, Clone)]
pub struct Lookalike {
    world: Arc<Mutex<World>>,
    /// Whether the daemon lives; fronts wait on it.
    alive: watch::Sender<bool>,
}

/// A connection made by [`Lookalike::connect_bearer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerHandle {
    modem: usize,
    number: usize,
}

impl Lookalike {
    /// Number of the modem of that name, for the other calls.
    ///
    /// # Errors
    /// `Core.NotFound` where there is none.
    pub fn modem(&self, name: &str) -> Result<usize, Fault> {
        let world = self.lock();
        let found = world.devices.iter().position(|device| device.spec.name == name);
        found.ok_or_else(|| Fault::core("NotFound", &format!("no modem is named {name}")))
    }

    /// Object path of a modem now.
    #[must_use]
    pub fn modem_path(&self, modem: usize) -> Option<String> {
        self.lock().devices.get(modem)?.shown.as_ref().map(|shown| shown.path.clone())
    }

    /// A modem dials: it is connecting until [`Lookalike::connect_bearer`] connects it, as it may be for seconds.
    ///
    /// # Errors
    /// As ModemManager refuses.
    pub fn dial(&self, modem: usize) -> Result<(), Fault> {
        let mut world = self.lock();
        world.shown(modem)?;
        world.set_state(modem, device::state::CONNECTING, 1);
        Ok(())
    }

    /// Connects a bearer, as NetworkManager would; an unregistered modem is enabled first.
    ///
    /// # Errors
    /// As ModemManager answers: `Core.WrongState`, `Core.NotFound`.
    pub fn connect_bearer(&self, modem: usize, spec: BearerSpec) -> Result<BearerHandle, Fault> {
        let number = self.lock().connect(modem, spec)?;
        Ok(BearerHandle { modem, number })
    }

    /// The connected bearer with that APN and interface; each may be left open.
    #[must_use]
    pub fn bearer(&self, modem: usize, apn: Option<&str>, interface: Option<&str>) -> Option<BearerHandle> {
        let number = self.lock().find_bearer(modem, apn, interface)?;
        Some(BearerHandle { modem, number })
    }

    /// Object path of a bearer now.
    #[must_use]
    pub fn bearer_path(&self, bearer: &BearerHandle) -> Option<String> {
        let world = self.lock();
        let shown = world.devices.get(bearer.modem)?.shown.as_ref()?;
        shown.bearers.get(bearer.number).map(|bearer| bearer.path.clone())
    }

    /// Ends a connection; with an error (name and text) where the network ended it.
    pub fn disconnect(&self, bearer: &BearerHandle, error: Option<(&str, &str)>) {
        self.lock().disconnect(bearer.modem, bearer.number, error);
    }

    /// Lets bytes pass; they show in `Bearer.Stats` at the next [`Builder::stats_every`].
    ///
    /// # Errors
    /// `Core.WrongState` where the bearer is not connected.
    pub fn add_traffic(&self, bearer: &BearerHandle, rx: u64, tx: u64) -> Result<(), Fault> {
        self.lock().add_traffic(bearer.modem, bearer.number, rx, tx)
    }

    /// Sets a connection's counters outright, be it backwards, and tells them.
    ///
    /// # Errors
    /// `Core.WrongState` where the bearer is not connected.
    pub fn set_stats(&self, bearer: &BearerHandle, rx: u64, tx: u64) -> Result<(), Fault> {
        self.lock().set_stats(bearer.modem, bearer.number, rx, tx)
    }

    /// Tells `Bearer.Stats` of every connected bearer now.
    pub fn publish_stats(&self) {
        self.lock().publish_stats();
    }

    /// A short message of one part comes in; `timestamp` as ModemManager writes it, now where none is given.
    ///
    /// # Errors
    /// `Core.NotFound` where there is no such modem.
    pub fn receive_sms(
        &self,
        modem: usize,
        number: &str,
        text: &str,
        timestamp: Option<&str>,
    ) -> Result<(), Fault> {
        self.lock().sms_arrives(modem, number, text, timestamp, true).map(|_| ())
    }

    /// The first part of a longer message comes in: it shows without text until [`Lookalike::complete_sms`] is
    /// called with the number returned.
    ///
    /// # Errors
    /// `Core.NotFound` where there is no such modem.
    pub fn begin_sms(&self, modem: usize, number: &str, text: &str) -> Result<usize, Fault> {
        self.lock().sms_arrives(modem, number, text, None, false)
    }

    /// The last part comes in.
    ///
    /// # Errors
    /// `Core.NotFound` where there is no such message.
    pub fn complete_sms(&self, modem: usize, message: usize) -> Result<(), Fault> {
        self.lock().sms_completes(modem, message)
    }

    /// Every short message that clients had sent, oldest first.
    #[must_use]
    pub fn sent_sms(&self) -> Vec<SentSms> {
        self.lock().sent.clone()
    }

    /// What happens from now on.
    #[must_use]
    pub fn reports(&self) -> broadcast::Receiver<Report> {
        self.lock().reports.subscribe()
    }

    /// Moves a modem to a network: the operator's code changes first, then, after `gap`, the rest.
    ///
    /// # Errors
    /// `Core.NotFound` where there is no such modem.
    pub async fn move_to(&self, modem: usize, network: Network, gap: Duration) -> Result<(), Fault> {
        {
            let mut world = self.lock();
            world.device(modem)?.network = network;
            world.register_code(modem);
        }
        if !gap.is_zero() {
            tokio::time::sleep(gap).await;
        }
        self.lock().register_state(modem);
        Ok(())
    }

    /// Sets the signal quality, 0 to 100.
    ///
    /// # Errors
    /// `Core.NotFound` where there is no such modem.
    pub fn set_signal(&self, modem: usize, percent: u32) -> Result<(), Fault> {
        self.lock().set_signal(modem, percent)
    }

    /// Enables or disables a modem, as a client would.
    ///
    /// # Errors
    /// As ModemManager answers.
    pub fn enable(&self, modem: usize, enable: bool) -> Result<(), Fault> {
        let mut world = self.lock();
        if enable { world.enable(modem) } else { world.disable(modem) }
    }

    /// Pulls a modem out: no bearer is told.
    ///
    /// # Errors
    /// `Core.NotFound` where there is no such modem.
    pub fn unplug(&self, modem: usize) -> Result<(), Fault> {
        let mut world = self.lock();
        world.device(modem)?.plugged = false;
        world.vanish(modem);
        Ok(())
    }

    /// Plugs a modem in again: it appears under the next number.
    ///
    /// # Errors
    /// `Core.NotFound` where there is no such modem.
    pub fn plug(&self, modem: usize) -> Result<(), Fault> {
        let mut world = self.lock();
        world.device(modem)?.plugged = true;
        if world.booted {
            world.appear(modem);
        }
        Ok(())
    }

    /// Exchanges what a slot holds (1-based; several SIMs are eSIM profiles, the first in use; none is an empty slot).
    /// The modem goes, and comes back after `gap` under the next number.
    ///
    /// # Errors
    /// `Core.NotFound` where there is no such modem or slot.
    pub async fn swap_sim(
        &self,
        modem: usize,
        slot: usize,
        sims: Vec<SimSpec>,
        gap: Duration,
    ) -> Result<(), Fault> {
        self.lock().fill_slot(modem, slot.saturating_sub(1), sims)?;
        self.reappear(modem, gap).await;
        Ok(())
    }

    /// Makes another slot (1-based) the primary one; the modem goes and comes back.
    ///
    /// # Errors
    /// `Core.NotFound` where there is no such modem or slot.
    pub async fn switch_slot(&self, modem: usize, slot: usize, gap: Duration) -> Result<(), Fault> {
        {
            let mut world = self.lock();
            let device = world.device(modem)?;
            if slot == 0 || slot > device.slots.len() {
                return Err(Fault::core("NotFound", "no such SIM slot"));
            }
            device.primary = slot - 1;
        }
        self.reappear(modem, gap).await;
        Ok(())
    }

    /// Enables another eSIM profile of the modem by ICCID; the modem goes and comes back.
    ///
    /// # Errors
    /// `Core.NotFound` where the modem holds no such profile.
    pub async fn switch_profile(&self, modem: usize, iccid: &str, gap: Duration) -> Result<(), Fault> {
        {
            let mut world = self.lock();
            let slot = world.use_profile(modem, iccid)?;
            world.device(modem)?.primary = slot;
        }
        self.reappear(modem, gap).await;
        Ok(())
    }

    /// Locks the SIM by its PIN; the modem comes back locked.
    ///
    /// # Errors
    /// `Core.NotFound` where there is no such modem.
    pub fn lock_sim(&self, modem: usize) -> Result<(), Fault> {
        self.lock().lock(modem)
    }

    /// Unlocks it: interfaces go and come on the same path.
    ///
    /// # Errors
    /// As ModemManager answers.
    pub fn unlock_sim(&self, modem: usize) -> Result<(), Fault> {
        self.lock().unlock(modem)
    }

    /// The network says something by USSD unasked, or (`asks`) waits for a response.
    ///
    /// # Errors
    /// `Core.NotFound` where the modem is not on the bus.
    pub fn ussd(&self, modem: usize, text: &str, asks: bool) -> Result<(), Fault> {
        self.lock().ussd_from_network(modem, text, asks)
    }

    /// A call begins: incoming it rings, outgoing it dials. Its path, for [`Lookalike::set_call`].
    ///
    /// # Errors
    /// `Core.NotFound` where the modem is not on the bus.
    pub fn begin_call(&self, modem: usize, number: &str, incoming: bool) -> Result<String, Fault> {
        let mut world = self.lock();
        let call = world.new_call(modem, number, incoming)?;
        if !incoming {
            world.set_call(&call, 1, 1);
        }
        Ok(call)
    }

    /// A call's state changes; `MMCallState` and `MMCallStateReason`.
    pub fn set_call(&self, call: &str, state: i32, reason: u32) {
        self.lock().set_call(call, state, reason);
    }

    /// Answers a method with an error, or with nothing, from now on.
    pub fn refuse(&self, refusal: Refusal) {
        self.lock().refusals.push(refusal);
    }

    /// ModemManager dies: clients on a bus see its name go, others lose their connection; paths are forgotten.
    pub fn crash(&self) {
        self.alive.send_replace(false);
        self.lock().die();
    }

    /// ModemManager starts again; numbering begins at 0.
    pub fn revive(&self) {
        self.alive.send_replace(true);
    }

    /// Whether ModemManager lives.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        *self.alive.borrow()
    }

    async fn reappear(&self, modem: usize, gap: Duration) {
        self.lock().vanish(modem);
        if !gap.is_zero() {
            tokio::time::sleep(gap).await;
        }
        let mut world = self.lock();
        if world.booted {
            world.appear(modem);
        }
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn report(&self, report: Report) {
        self.lock().report(report);
    }
}
