//! The place of a modem in the lab.

use std::path::Path;

use super::usb::{Port, UsbDevice};
use crate::at::{Modem, Plugin};

/// A modem and where it is plugged in.
#[derive(Debug)]
pub(super) struct Slot {
    pub modem: Modem,
    pub number: u8,
    pub plugged: bool,
    /// The virtual kind: ModemManager knows the device and was told to leave it alone.
    pub inhibited: bool,
    /// The virtual kind: the sockets' names; made once.
    pub sockets: Vec<String>,
}

impl Slot {
    /// `Modem.Device` of this modem.
    pub fn device(&self, lab: &Path) -> String {
        if self.sockets.is_empty() {
            UsbDevice::new(lab, self.number).path().display().to_string()
        } else {
            format!("/virtual/{}", self.id())
        }
    }

    pub fn id(&self) -> String {
        format!("modem{}", self.number)
    }

    /// The network interface, where the modem has one.
    pub fn interface(&self) -> Option<String> {
        (self.modem.profile().plugin == Plugin::Ublox).then(|| format!("wwan{}", self.number))
    }

    /// The ports the kernel shows: terminals first.
    pub fn ports(&self) -> Vec<Port> {
        let count = self.modem.profile().ports;
        let terminals = (0..count).map(|port| {
            let name = format!("ttyACM{}", u32::from(self.number) * u32::from(count) + u32::from(port));
            Port { subsystem: "tty", name }
        });
        terminals.chain(self.interface().map(|name| Port { subsystem: "net", name })).collect()
    }
}
