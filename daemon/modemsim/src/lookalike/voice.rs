//! USSD and calls.

use zbus::Variant;

use super::fault::Fault;
use super::interfaces::{CALL, USSD, VOICE};
use super::shape::{self, paths, text};
use super::spec::Report;
use super::tree::object;
use super::world::World;

impl World {
    /// The network says something by USSD without being asked, or asks.
    pub(crate) fn ussd_from_network(&mut self, index: usize, content: &str, asks: bool) -> Result<(), Fault> {
        let path = self.shown(index)?.path.clone();
        if asks {
            self.tree.set(&path, USSD, [("State", 3_u32.into()), ("NetworkRequest", text(content))]);
        } else {
            self.tree.set(&path, USSD, [("NetworkNotification", text(content))]);
        }
        Ok(())
    }

    /// A client's USSD code or response.
    pub(crate) fn ussd_asked(&mut self, index: usize, code: &str) -> Result<String, Fault> {
        let modem = self.device(index)?.spec.name.clone();
        let path = self.shown(index)?.path.clone();
        self.report(Report::UssdAsked { modem, code: code.to_owned() });
        self.tree.set(&path, USSD, [("State", 2_u32.into())]);
        let Some(answer) = self.ussd.iter().find(|answer| answer.code == code).cloned() else {
            self.tree.set(&path, USSD, [("State", 1_u32.into())]);
            return Err(Fault::new("MobileEquipment.NotSupported", "USSD code not known to the network"));
        };
        self.tree.set(&path, USSD, [("State", (if answer.menu { 3_u32 } else { 1 }).into())]);
        Ok(answer.reply)
    }

    /// A call begins: `incoming` rings, outgoing has not been started. Its path.
    pub(crate) fn new_call(&mut self, index: usize, number: &str, incoming: bool) -> Result<String, Fault> {
        self.shown(index)?;
        let call = self.numbers.next("Call");
        let (state, direction) = if incoming { (3, 1) } else { (0, 2) };
        self.tree.add(&call, shape::call(state, direction, number));
        let shown = self.shown(index)?;
        shown.calls.push(call.clone());
        let (path, calls) = (shown.path.clone(), shown.calls.clone());
        self.tree.set(&path, VOICE, [("Calls", paths(calls.iter().map(String::as_str)))]);
        self.tree.emit(&path, VOICE, "CallAdded", &object(&call));
        Ok(call)
    }

    /// A call's state changes; `new` and `reason` are `MMCallState` and `MMCallStateReason`.
    pub(crate) fn set_call(&mut self, call: &str, new: i32, reason: u32) {
        let Some(Variant::I32(old)) = self.tree.property(call, CALL, "State") else { return };
        let old = *old;
        if old == new {
            return;
        }
        let stored = i32::try_from(reason).unwrap_or_default();
        self.tree.set(call, CALL, [("State", new.into()), ("StateReason", stored.into())]);
        self.tree.emit(call, CALL, "StateChanged", &(old, new, reason));
    }

    pub(crate) fn delete_call(&mut self, index: usize, call: &str) -> Result<(), Fault> {
        let shown = self.shown(index)?;
        let known = shown.calls.iter().position(|known| known == call);
        let known = known.ok_or_else(|| Fault::core("NotFound", "no such call"))?;
        shown.calls.remove(known);
        let (path, calls) = (shown.path.clone(), shown.calls.clone());
        self.tree.remove(call);
        self.tree.set(&path, VOICE, [("Calls", paths(calls.iter().map(String::as_str)))]);
        self.tree.emit(&path, VOICE, "CallDeleted", &object(call));
        Ok(())
    }
}
