//! What the lab asks of the bus and of ModemManager.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zbus::fdo::{DBusProxy, ManagedObjects, ObjectManagerProxy};
use zbus::names::{BusName, OwnedInterfaceName};
use zbus::{OwnedObjectPath, OwnedVariant, Variant};

use super::PATIENCE;
use super::error::LabError;
use super::usb::Port;
use crate::at::Plugin;

const NAME: &str = "org.freedesktop.ModemManager1";
const ROOT: &str = "/org/freedesktop/ModemManager1";
const MODEM: &str = "org.freedesktop.ModemManager1.Modem";
const BETWEEN: Duration = Duration::from_millis(20);

/// Modem.State: registered.
const REGISTERED: i32 = 8;
/// Modem.State: initializing and unknown; what is below and above is settled (failed is -1).
const UNSETTLED: [i32; 2] = [0, 1];

/// A connection to the lab's bus.
#[derive(Debug)]
pub(super) struct Client {
    connection: zbus::Connection,
    log: PathBuf,
}

impl Client {
    pub async fn connect(address: &str, dir: &Path) -> Result<Self, LabError> {
        let connection = zbus::connection::Builder::address(address)
            .build()
            .await
            .map_err(|source| LabError::Bus { action: "connecting to the private bus", source })?;
        Ok(Self { connection, log: dir.join("modemmanager.log") })
    }

    pub fn connection(&self) -> &zbus::Connection {
        &self.connection
    }

    pub async fn wait_for_name(&self, name: &'static str) -> Result<(), LabError> {
        self.until(format!("{name} on the bus"), async || self.has_name(name).await.then_some(())).await
    }

    pub async fn wait_for_no_name(&self, name: &'static str) -> Result<(), LabError> {
        self.until(format!("{name} off the bus"), async || (!self.has_name(name).await).then_some(())).await
    }

    async fn has_name(&self, name: &'static str) -> bool {
        let Ok(name) = BusName::try_from(name) else { return false };
        match DBusProxy::new(&self.connection).await {
            Ok(bus) => bus.name_has_owner(name).await.unwrap_or(false),
            Err(_) => false,
        }
    }

    pub async fn set_profile(&self, id: &str, plugin: Plugin, sockets: &[String]) -> Result<(), LabError> {
        let body = (id, plugin.name(), sockets);
        self.connection
            .call_method(Some(NAME), ROOT, Some("org.freedesktop.ModemManager1.Test"), "SetProfile", &body)
            .await
            .map(drop)
            .map_err(|source| LabError::Bus { action: "Test.SetProfile", source })
    }

    pub async fn inhibit(&self, device: &str, inhibit: bool) -> Result<(), LabError> {
        self.connection
            .call_method(Some(NAME), ROOT, Some(NAME), "InhibitDevice", &(device, inhibit))
            .await
            .map(drop)
            .map_err(|source| LabError::Bus { action: "InhibitDevice", source })
    }

    pub async fn report_event(&self, port: &Port, action: &str) -> Result<(), LabError> {
        let properties: HashMap<&str, Variant<'_>> = [
            ("action", Variant::from(action)),
            ("subsystem", Variant::from(port.subsystem)),
            ("name", Variant::from(port.name.as_str())),
        ]
        .into();
        self.connection
            .call_method(Some(NAME), ROOT, Some(NAME), "ReportKernelEvent", &(properties,))
            .await
            .map(drop)
            .map_err(|source| LabError::Bus { action: "ReportKernelEvent", source })
    }

    /// Waits for the modem of a device in a settled state.
    pub async fn modem_path(&self, device: &str) -> Result<OwnedObjectPath, LabError> {
        self.until(format!("the modem of {device} in ModemManager"), async || {
            let (path, state) = self.find(device).await?;
            (!UNSETTLED.contains(&state)).then_some(path)
        })
        .await
    }

    pub async fn wait_for_removal(&self, device: &str) -> Result<(), LabError> {
        self.until(format!("the removal of {device}"), async || {
            let objects = self.objects().await?;
            find(&objects, device).is_none().then_some(())
        })
        .await
    }

    pub async fn set_enabled(&self, path: &OwnedObjectPath, enabled: bool) -> Result<(), LabError> {
        self.connection
            .call_method(Some(NAME), path, Some(MODEM), "Enable", &(enabled))
            .await
            .map(drop)
            .map_err(|source| LabError::Bus { action: "Modem.Enable", source })
    }

    pub async fn enable(&self, path: &OwnedObjectPath) -> Result<(), LabError> {
        self.set_enabled(path, true).await?;
        self.until(format!("the registration of {}", path.as_str()), async || {
            let objects = self.objects().await?;
            let state = state(objects.get(path)?)?;
            (state >= REGISTERED).then_some(())
        })
        .await
    }

    async fn find(&self, device: &str) -> Option<(OwnedObjectPath, i32)> {
        find(&self.objects().await?, device)
    }

    async fn objects(&self) -> Option<ManagedObjects> {
        let proxy = ObjectManagerProxy::builder(&self.connection).destination(NAME).path(ROOT).build().await;
        proxy.ok()?.get_managed_objects().await.ok()
    }

    fn end_of_log(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let end = log.get(log.len().saturating_sub(4000)..).unwrap_or_default();
        String::from_utf8_lossy(end).into_owned()
    }

    /// Looks again and again until there is something to see.
    async fn until<T>(&self, what: String, look: impl AsyncFn() -> Option<T>) -> Result<T, LabError> {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(BETWEEN).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.map_err(|_| LabError::TimedOut {
            what,
            waited: PATIENCE,
            log: self.end_of_log(),
        })
    }
}

fn find(objects: &ManagedObjects, device: &str) -> Option<(OwnedObjectPath, i32)> {
    objects.iter().find_map(|(path, interfaces)| {
        let found = String::try_from(property(interfaces, "Device")?).ok()?;
        (found == device).then_some((path.clone(), state(interfaces)?))
    })
}

type Interfaces = HashMap<OwnedInterfaceName, HashMap<String, OwnedVariant>>;

fn state(interfaces: &Interfaces) -> Option<i32> {
    i32::try_from(property(interfaces, "State")?).ok()
}

fn property(interfaces: &Interfaces, name: &str) -> Option<OwnedVariant> {
    let modem = interfaces.iter().find(|(interface, _)| interface.as_str() == MODEM)?.1;
    modem.get(name).cloned()
}
