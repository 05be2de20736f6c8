//! The USB device ModemManager sees in sysfs: what its kernel-event mode reads of a modem.

use std::path::{Path, PathBuf};

use super::error::LabError;
use crate::at::{Plugin, Profile};

/// A port of a plugged-in modem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    /// `tty` or `net`.
    pub subsystem: &'static str,
    /// `ttyACM0`, `wwan0`.
    pub name: String,
}

impl Port {
    /// Writes the kernel event in ModemManager's own form.
    pub fn event(&self, action: &str) -> String {
        format!("action={action},subsystem={},name={}", self.subsystem, self.name)
    }
}

/// The USB device of modem `number`.
#[derive(Debug, Clone)]
pub(super) struct UsbDevice {
    root: PathBuf,
    number: u8,
}

impl UsbDevice {
    pub fn new(lab: &Path, number: u8) -> Self {
        Self { root: lab.join("sys"), number }
    }

    /// The device's path, which ModemManager gives as `Modem.Device`.
    pub fn path(&self) -> PathBuf {
        self.root.join(format!("devices/usb1/1-{}", self.number))
    }

    /// Writes the tree of a modem with these ports.
    pub fn write(&self, profile: &Profile, ports: &[Port]) -> Result<(), LabError> {
        let device = self.path();
        let (vendor, product) = match profile.plugin {
            Plugin::Ublox => ("1546", "1102"),
            Plugin::Telit => ("1bc7", "1201"),
            Plugin::Quectel => ("2c7c", "0125"),
            Plugin::Generic => ("16c0", "05e1"),
        };
        for (attribute, value) in [
            ("idVendor", vendor),
            ("idProduct", product),
            ("bcdDevice", "0100"),
            ("manufacturer", &profile.manufacturer),
            ("product", &profile.model),
        ] {
            write(&device.join(attribute), value)?;
        }
        self.on_bus(&device, "usb")?;
        for (number, port) in ports.iter().enumerate() {
            let interface = device.join(format!("1-{}:1.{}", self.number, number * 2));
            write(&interface.join("bInterfaceClass"), "02")?;
            write(&interface.join("bInterfaceSubClass"), "02")?;
            write(&interface.join("bInterfaceProtocol"), "01")?;
            write(&interface.join("bInterfaceNumber"), &format!("{:02x}", number * 2))?;
            // ModemManager's strict filter takes ttys of this driver whatever else the device has.
            self.on_bus(&interface, if port.subsystem == "tty" { "option1" } else { "cdc_ether" })?;
            let class = self.root.join("class").join(port.subsystem);
            let entry = interface.join(port.subsystem).join(&port.name);
            make_dir(&entry)?;
            link(&class, &entry.join("subsystem"))?;
            link(&entry, &class.join(&port.name))?;
        }
        Ok(())
    }

    /// Takes the tree away.
    pub fn remove(&self, ports: &[Port]) -> Result<(), LabError> {
        for port in ports {
            let entry = self.root.join("class").join(port.subsystem).join(&port.name);
            std::fs::remove_file(&entry).map_err(|source| LabError::File { path: entry, source })?;
        }
        let path = self.path();
        std::fs::remove_dir_all(&path).map_err(|source| LabError::File { path, source })
    }

    fn on_bus(&self, dir: &Path, driver: &str) -> Result<(), LabError> {
        link(&self.root.join("bus/usb"), &dir.join("subsystem"))?;
        link(&self.root.join("bus/usb/drivers").join(driver), &dir.join("driver"))
    }
}

fn write(path: &Path, value: &str) -> Result<(), LabError> {
    if let Some(dir) = path.parent() {
        make_dir(dir)?;
    }
    std::fs::write(path, format!("{value}\n"))
        .map_err(|source| LabError::File { path: path.to_owned(), source })
}

fn make_dir(path: &Path) -> Result<(), LabError> {
    std::fs::create_dir_all(path).map_err(|source| LabError::File { path: path.to_owned(), source })
}

fn link(target: &Path, path: &Path) -> Result<(), LabError> {
    std::os::unix::fs::symlink(target, path)
        .map_err(|source| LabError::File { path: path.to_owned(), source })
}
