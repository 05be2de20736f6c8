//! SIMs: exchanged, switched, locked and unlocked.

use std::collections::HashMap;

use super::device::state;
use super::fault::Fault;
use super::interfaces::{FIRMWARE, GPP, MODEM, SIM, SIMPLE, VOICE};
use super::shape::{self, text};
use super::spec::{Network, SimSpec};
use super::world::World;

impl World {
    /// Exchanges what is in a slot; the modem must be shown again for ModemManager to see it.
    pub(crate) fn fill_slot(&mut self, index: usize, slot: usize, sims: Vec<SimSpec>) -> Result<(), Fault> {
        let device = self.device(index)?;
        let filled = device.slots.get_mut(slot).ok_or_else(|| Fault::core("NotFound", "no such slot"))?;
        *filled = sims;
        device.network = Network::Home;
        Ok(())
    }

    /// Makes the eSIM profile of that ICCID the one in use; which slot it is in.
    pub(crate) fn use_profile(&mut self, index: usize, iccid: &str) -> Result<usize, Fault> {
        let device = self.device(index)?;
        for (slot, sims) in device.slots.iter_mut().enumerate() {
            if let Some(at) = sims.iter().position(|sim| sim.iccid == iccid) {
                sims.swap(0, at);
                return Ok(slot);
            }
        }
        Err(Fault::core("NotFound", "no such profile in this modem"))
    }

    /// Locks the SIM: the modem is shown again, locked.
    pub(crate) fn lock(&mut self, index: usize) -> Result<(), Fault> {
        let device = self.device(index)?;
        device.locked = true;
        device.pin_tries = 3;
        self.vanish(index);
        self.appear(index);
        Ok(())
    }

    /// Unlocks the SIM: single interfaces go and come on the same path.
    pub(crate) fn unlock(&mut self, index: usize) -> Result<(), Fault> {
        let device = self.device(index)?;
        device.locked = false;
        device.pin_tries = 3;
        let Some(sim) = device.sim().cloned() else { return Ok(()) };
        let Some(shown) = device.shown.as_ref().filter(|shown| shown.state == state::LOCKED) else {
            return Ok(());
        };
        let path = shown.path.clone();
        let sim_path = shown.sim_paths.get(device.primary).cloned().unwrap_or_default();
        let mut interfaces = shape::modem(device, state::DISABLED, &[], 0);
        self.tree.set(&path, MODEM, [("UnlockRequired", 1_u32.into())]);
        self.set_state(index, 1, 0);
        self.tree.set(
            &sim_path,
            SIM,
            [
                ("Imsi", text(&sim.imsi)),
                ("OperatorIdentifier", text(&sim.operator_code)),
                ("OperatorName", text(&sim.operator_name)),
            ],
        );
        self.tree.remove_interfaces(&path, &[GPP, VOICE, FIRMWARE]);
        interfaces.retain(|(name, _)| ![MODEM, SIMPLE].contains(name));
        self.tree.add(&path, interfaces);
        let numbers = vec![sim.number].into_iter().filter(|number| !number.is_empty()).collect::<Vec<_>>();
        self.tree.set(&path, MODEM, [("OwnNumbers", numbers.into())]);
        self.set_state(index, state::DISABLED, 0);
        if self.auto_enable { self.enable(index) } else { Ok(()) }
    }

    /// A PIN given by a client.
    pub(crate) fn enter_pin(&mut self, index: usize, pin: &str) -> Result<(), Fault> {
        let device = self.device(index)?;
        if device.spec.pin == pin {
            return self.unlock(index);
        }
        device.pin_tries = device.pin_tries.saturating_sub(1);
        let retries = HashMap::from([(2_u32, device.pin_tries), (4, 10), (3, 3), (5, 10)]);
        let path = self.shown(index)?.path.clone();
        self.tree.set(&path, MODEM, [("UnlockRetries", retries.into())]);
        Err(Fault::new("MobileEquipment.IncorrectPassword", "Incorrect password"))
    }
}
