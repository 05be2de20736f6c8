//! The real ModemManager in a room of its own, with simulated AT modems plugged into it.
//!
//! A [`Lab`] starts a private dbus-daemon and the real ModemManager (Debian's, 1.20), takes [`Modem`]s in and out, and
//! kills and restarts ModemManager. Everything ends with the lab, even when its process is killed.
//!
//! ```no_run
//! # async fn demo() -> Result<(), simbell_modemsim::lab::LabError> {
//! use simbell_modemsim::at::{IncomingSms, Profile};
//! use simbell_modemsim::lab::{Lab, LabOptions};
//!
//! let mut lab = Lab::start(LabOptions::default()).await?;      // or LabOptions::kernel(), LabOptions::system()
//! let modem = lab.add_modem(Profile::lte()).await?;            // plugged in, known to ModemManager
//! lab.enable(&modem).await?;                                   // enabled and registered
//! modem.receive_sms(&IncomingSms::new("10086", "hello"))?;
//! let daemon = lab.command("simbelld")?;                       // with the bus in its environment, in the lab's namespaces
//! lab.unplug(&modem).await?;
//! lab.plug(&modem).await?;
//! lab.mm_kill();
//! lab.mm_start().await?;                                       // what was plugged in is there again, disabled
//! # Ok(()) }
//! ```
//!
//! Two kinds of lab:
//! - [`Kind::Virtual`]: ports are abstract sockets made known by ModemManager's test interface. Needs no root; every
//!   bearer is PPP, whose `Interface` is the AT port's name and whose byte counts stay 0.
//! - [`Kind::Kernel`]: ports are terminals and a veth interface shown to ModemManager as a USB device, plugged in and
//!   out by kernel events. Needs root. [`Profile::ublox`] has bearers on a real interface (`wwan0`); [`Lab::link`]
//!   sends traffic over it. Programs that shall see that interface run through [`Lab::command`].
//!
//! What ModemManager itself cannot do over AT (eSIM, SIM slots, byte counts in `Bearer.Stats`) needs the look-alike.

mod bus;
mod client;
mod consent;
mod console;
mod dir;
mod error;
mod link;
mod options;
mod process;
mod room;
mod slot;
mod usb;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use zbus::OwnedObjectPath;

use crate::at::{Modem, Profile};
pub use bus::Bus;
use client::Client;
pub use console::{ConsoleError, WORDS, obey};
use dir::Dir;
pub use error::LabError;
pub use link::Link;
pub use options::{Kind, LabOptions};
use process::{MMCLI, MODEM_MANAGER, POLKITD, Running, SETPRIV, Starter, finished, shown};
use room::Room;
use slot::Slot;
use usb::UsbDevice;

/// How long the lab waits for ModemManager; far beyond what it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A private bus, ModemManager and modems; see the module.
#[derive(Debug)]
pub struct Lab {
    options: LabOptions,
    slots: Vec<Slot>,
    client: Client,
    address: String,
    modem_manager: Option<Running>,
    // Dropped in this order: who uses the bus, the bus, the namespaces, the starter, the directory.
    _polkit: Option<Running>,
    _bus: Running,
    room: Option<Room>,
    starter: Starter,
    dir: Dir,
}

/// Shows a modem to a real ModemManager on a bus that is there already, started with `--test-enable`. It is served
/// as long as a handle of the modem lives.
///
/// # Errors
/// [`LabError::Bus`] when there is no such bus or no ModemManager with its test interface.
pub async fn attach(address: &str, profile: Profile) -> Result<Modem, LabError> {
    let client = Client::connect(address, Path::new("/nonexistent")).await?;
    let modem = Modem::start(profile)?;
    let id = format!("simbell{}", std::process::id());
    let sockets = listen(&modem, &id)?;
    client.set_profile(&id, modem.profile().plugin, &sockets).await?;
    Ok(modem)
}

/// Opens the sockets of a virtual modem.
fn listen(modem: &Modem, prefix: &str) -> Result<Vec<String>, LabError> {
    let mut sockets = Vec::new();
    for port in 0..modem.profile().ports {
        let name = format!("abstract:{prefix}-{port}");
        modem.listen(&name)?;
        sockets.push(name);
    }
    Ok(sockets)
}

impl Lab {
    /// Starts the bus, polkitd on a system bus, and ModemManager, and waits until it is on the bus.
    ///
    /// # Errors
    /// [`LabError::Missing`] names the Debian package of a program that is not installed.
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        for program in [MODEM_MANAGER, MMCLI, SETPRIV] {
            program.find()?;
        }
        let dir = Dir::new()?;
        let starter = Starter::new()?;
        let room = match (options.kind, options.bus) {
            (Kind::Virtual, Bus::Session) => None,
            (kind, _) => Some(Room::new(dir.path(), &starter, kind == Kind::Kernel)?),
        };
        let (bus, address) = bus::start(options.bus, dir.path(), &starter)?;
        let client = Client::connect(&address, dir.path()).await?;
        let mut lab = Self {
            slots: Vec::new(),
            client,
            address,
            modem_manager: None,
            _polkit: None,
            _bus: bus,
            room,
            starter,
            dir,
            options,
        };
        if lab.options.bus == Bus::Session {
            consent::serve(lab.connection()).await?;
        } else {
            lab.polkit_rules(&lab.options.polkit_rules)?;
            let mut polkitd = lab.command(POLKITD.find()?)?;
            polkitd.arg("--no-debug");
            lab._polkit = Some(lab.starter.start_logged(polkitd, &lab.dir.path().join("polkitd.log"))?);
            lab.client.wait_for_name("org.freedesktop.PolicyKit1").await?;
        }
        lab.mm_start().await?;
        Ok(lab)
    }

    /// The address of the private bus.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The lab's directory, removed with it; ModemManager's log is `modemmanager.log` in it.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A connection to the bus, as root or whoever runs the test.
    pub fn connection(&self) -> &zbus::Connection {
        self.client.connection()
    }

    /// A command that runs where ModemManager runs (its namespaces, if it has some) with the private bus as both
    /// the session and the system bus.
    ///
    /// # Errors
    /// [`LabError::Missing`].
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command, LabError> {
        let mut command = match &self.room {
            Some(room) => room.command(program)?,
            None => Command::new(program),
        };
        command.env("DBUS_SYSTEM_BUS_ADDRESS", &self.address).env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        Ok(command)
    }

    /// The same as another user (`nobody`), without any capability.
    ///
    /// # Errors
    /// [`LabError::Missing`].
    pub fn command_as(&self, user: &str, program: impl AsRef<OsStr>) -> Result<Command, LabError> {
        let mut command = self.command(SETPRIV.find()?)?;
        command
            .args(["--reuid", user, "--clear-groups", "--inh-caps=-all", "--no-new-privs", "--"])
            .arg(program);
        Ok(command)
    }

    /// Runs mmcli on the lab's bus and returns what it prints.
    ///
    /// # Errors
    /// [`LabError::Failed`] with what it said.
    pub async fn mmcli(&self, arguments: &[&str]) -> Result<String, LabError> {
        let mut command = self.command(MMCLI.find()?)?;
        command.args(arguments);
        let shown = shown(&command);
        let output = tokio::process::Command::from(command)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| LabError::Start { program: shown.clone(), source })?;
        finished(shown, &output)
    }

    /// Replaces the polkit rules; polkitd takes them within some seconds.
    ///
    /// # Errors
    /// [`LabError::File`]; [`LabError::Unknown`] on a session bus, where polkit is not asked.
    pub fn polkit_rules(&self, rules: &str) -> Result<(), LabError> {
        if self.options.bus != Bus::System {
            return Err(LabError::Unknown {
                what: "a session bus has no polkit; start the lab with Bus::System",
            });
        }
        let file = self.dir.path().join("rules.d/50-lab.rules");
        std::fs::write(&file, rules).map_err(|source| LabError::File { path: file, source })
    }

    // --- modems ---

    /// Starts a modem, plugs it in and waits until ModemManager knows it (disabled, locked or failed).
    ///
    /// # Errors
    /// [`LabError::TimedOut`] when ModemManager does not take it.
    pub async fn add_modem(&mut self, profile: Profile) -> Result<Modem, LabError> {
        let modem = Modem::start(profile)?;
        let number = u8::try_from(self.slots.len()).unwrap_or(u8::MAX);
        let sockets = match self.options.kind {
            Kind::Virtual => listen(&modem, &format!("{}-{number}", self.dir.name()))?,
            Kind::Kernel => Vec::new(),
        };
        self.slots.push(Slot { modem: modem.clone(), number, plugged: false, inhibited: false, sockets });
        self.plug(&modem).await?;
        Ok(modem)
    }

    /// Plugs a modem in and waits until ModemManager knows it. Nothing happens when it is in already.
    ///
    /// # Errors
    /// [`LabError::TimedOut`] when ModemManager does not take it.
    pub async fn plug(&mut self, modem: &Modem) -> Result<(), LabError> {
        let at = self.slot(modem)?;
        if self.slots[at].plugged {
            return Ok(());
        }
        match self.options.kind {
            Kind::Virtual if self.slots[at].inhibited => {
                self.client.inhibit(&self.slots[at].device(self.dir.path()), false).await?;
                self.slots[at].inhibited = false;
            }
            Kind::Virtual => self.set_profile(&self.slots[at]).await?,
            Kind::Kernel => {
                self.furnish(at)?;
                for port in self.slots[at].ports() {
                    self.client.report_event(&port, "add").await?;
                }
            }
        }
        self.slots[at].plugged = true;
        self.modem_path(modem).await.map(drop)
    }

    /// Pulls a modem out, its network interface with it, and waits until ModemManager has removed it.
    ///
    /// # Errors
    /// [`LabError::TimedOut`] when ModemManager keeps it.
    pub async fn unplug(&mut self, modem: &Modem) -> Result<(), LabError> {
        let at = self.slot(modem)?;
        if !std::mem::take(&mut self.slots[at].plugged) {
            return Ok(());
        }
        let device = self.slots[at].device(self.dir.path());
        match (self.options.kind, &self.room) {
            (Kind::Kernel, Some(room)) => {
                let ports = self.slots[at].ports();
                modem.detach();
                for port in &ports {
                    match port.subsystem {
                        "net" => room.remove_link(&port.name)?,
                        _ => room.remove_device(&port.name)?,
                    }
                    self.client.report_event(port, "remove").await?;
                }
                UsbDevice::new(self.dir.path(), self.slots[at].number).remove(&ports)?;
                self.write_events()?;
            }
            _ => {
                self.client.inhibit(&device, true).await?;
                self.slots[at].inhibited = true;
            }
        }
        modem.power_cycle();
        self.client.wait_for_removal(&device).await
    }

    /// Enables a modem and waits until it is registered; returns its object path.
    ///
    /// # Errors
    /// [`LabError::TimedOut`], also when the simulated network does not register it.
    pub async fn enable(&self, modem: &Modem) -> Result<OwnedObjectPath, LabError> {
        let path = self.modem_path(modem).await?;
        self.client.enable(&path).await?;
        Ok(path)
    }

    /// Disables a modem.
    ///
    /// # Errors
    /// [`LabError::Bus`] with ModemManager's reason.
    pub async fn disable(&self, modem: &Modem) -> Result<(), LabError> {
        self.client.set_enabled(&self.modem_path(modem).await?, false).await
    }

    /// Waits until ModemManager shows the modem with its first state settled and returns its object path, which
    /// changes with every unplug, SIM change and restart.
    ///
    /// # Errors
    /// [`LabError::TimedOut`].
    pub async fn modem_path(&self, modem: &Modem) -> Result<OwnedObjectPath, LabError> {
        let at = self.slot(modem)?;
        self.client.modem_path(&self.slots[at].device(self.dir.path())).await
    }

    /// The modem's `Device` property: what identifies it across object paths.
    ///
    /// # Errors
    /// [`LabError::Unknown`].
    pub fn device(&self, modem: &Modem) -> Result<String, LabError> {
        Ok(self.slots[self.slot(modem)?].device(self.dir.path()))
    }

    /// The network interface of a u-blox modem in the kernel kind (`wwan0`), for traffic over it.
    /// Good until the modem is unplugged.
    ///
    /// # Errors
    /// [`LabError::Unknown`] when the modem has none.
    pub fn link(&self, modem: &Modem) -> Result<Link, LabError> {
        let slot = &self.slots[self.slot(modem)?];
        match &self.room {
            Some(room) if slot.plugged && slot.interface().is_some() => {
                let (near_net, far_net) = room.nets()?;
                Ok(Link { near_net, far_net, near: [10, 64, slot.number, 2], far: [10, 64, slot.number, 1] })
            }
            _ => Err(LabError::Unknown {
                what: "only a plugged-in u-blox modem in the kernel kind has an interface",
            }),
        }
    }

    // --- ModemManager ---

    /// Kills ModemManager (`SIGKILL`).
    pub fn mm_kill(&mut self) {
        if let Some(mut daemon) = self.modem_manager.take() {
            daemon.kill();
        }
    }

    /// Ends ModemManager (`SIGTERM`).
    pub fn mm_stop(&mut self) {
        if let Some(mut daemon) = self.modem_manager.take() {
            daemon.stop();
        }
    }

    /// Starts ModemManager and waits until it knows every modem that is plugged in.
    ///
    /// # Errors
    /// [`LabError::TimedOut`].
    pub async fn mm_start(&mut self) -> Result<(), LabError> {
        if self.modem_manager.is_some() {
            return Ok(());
        }
        self.client.wait_for_no_name("org.freedesktop.ModemManager1").await?;
        let mut command = self.command(MODEM_MANAGER.find()?)?;
        command.args(["--test-no-udev", "--no-auto-scan", "--test-no-suspend-resume", "--test-no-qrtr"]);
        if self.options.bus == Bus::Session {
            command.arg("--test-session");
        }
        if self.options.debug {
            command.arg("--debug");
        }
        match self.options.kind {
            Kind::Virtual => command.arg("--test-enable"),
            Kind::Kernel => {
                let events = self.write_events()?;
                command.arg(format!("--initial-kernel-events={}", events.display()))
            }
        };
        self.modem_manager =
            Some(self.starter.start_logged(command, &self.dir.path().join("modemmanager.log"))?);
        self.client.wait_for_name("org.freedesktop.ModemManager1").await?;
        for slot in self.slots.iter().filter(|slot| slot.plugged) {
            if self.options.kind == Kind::Virtual {
                self.set_profile(slot).await?;
            }
            self.client.modem_path(&slot.device(self.dir.path())).await?;
        }
        Ok(())
    }

    async fn set_profile(&self, slot: &Slot) -> Result<(), LabError> {
        self.client.set_profile(&slot.id(), slot.modem.profile().plugin, &slot.sockets).await
    }

    /// Shows the modem's ports in the lab's `/dev`, sysfs and network.
    fn furnish(&self, at: usize) -> Result<(), LabError> {
        let Some(room) = &self.room else { return Ok(()) };
        let slot = &self.slots[at];
        let ports = slot.ports();
        for (index, port) in (0u8..).zip(&ports) {
            match port.subsystem {
                "net" => room.add_link(&port.name, slot.number)?,
                _ => room.add_device(&port.name, &slot.modem.open_tty(index)?)?,
            }
        }
        UsbDevice::new(self.dir.path(), slot.number).write(&slot.modem.profile(), &ports)?;
        self.write_events()?;
        Ok(())
    }

    /// Writes what ModemManager finds plugged in when it starts.
    fn write_events(&self) -> Result<PathBuf, LabError> {
        let file = self.dir.path().join("kernel-events");
        let events: Vec<String> = self
            .slots
            .iter()
            .filter(|slot| slot.plugged)
            .flat_map(|slot| slot.ports())
            .map(|port| port.event("add"))
            .collect();
        std::fs::write(&file, events.join("\n") + "\n")
            .map_err(|source| LabError::File { path: file.clone(), source })?;
        Ok(file)
    }

    fn slot(&self, modem: &Modem) -> Result<usize, LabError> {
        self.slots
            .iter()
            .position(|slot| slot.modem.same(modem))
            .ok_or(LabError::Unknown { what: "this modem is not one of this lab" })
    }
}
