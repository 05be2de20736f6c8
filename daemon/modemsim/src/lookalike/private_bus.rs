//! A message bus of one's own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A `dbus-daemon` of its own in a temporary directory; killed, and the directory removed, when dropped.
#[derive(Debug)]
pub struct PrivateBus {
    address: String,
    directory: PathBuf,
    child: Child,
}

/// Why there is no private bus.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The directory cannot be made.
    #[error("cannot make a directory for a private bus: {0}; check TMPDIR")]
    Directory(#[source] std::io::Error),
    /// It cannot be run.
    #[error("cannot run dbus-daemon: {0}; install the package dbus")]
    Spawn(#[source] std::io::Error),
    /// It said no address.
    #[error("dbus-daemon printed no address")]
    Address,
}

impl PrivateBus {
    /// Starts it; any user of this machine's session policy may own any name on it.
    ///
    /// # Errors
    /// [`BusError`].
    pub async fn start() -> Result<Self, BusError> {
        let directory = temporary_directory().map_err(BusError::Directory)?;
        let spawned = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .arg(format!("--address=unix:path={}", directory.join("bus").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // It grumbles at every start that is not root's.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let mut bus = match spawned {
            Ok(child) => Self { address: String::new(), directory, child },
            Err(source) => {
                // Empty and ours; a leftover harms nobody.
                let _ = std::fs::remove_dir(&directory);
                return Err(BusError::Spawn(source));
            }
        };
        let stdout = bus.child.stdout.take().ok_or(BusError::Address)?;
        let line = BufReader::new(stdout).lines().next_line().await.ok().flatten();
        bus.address = line.filter(|line| !line.is_empty()).ok_or(BusError::Address)?;
        Ok(bus)
    }

    /// D-Bus address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its directory, for other temporary things that are to go with it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        // Gone already, perhaps; and a temporary directory left behind harms nobody.
        let _ = self.child.start_kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn temporary_directory() -> std::io::Result<PathBuf> {
    let base = std::env::temp_dir();
    let process = std::process::id();
    for number in 0..1000_u32 {
        let path = base.join(format!("simbell-bus-{process}-{number}"));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::Error::from(std::io::ErrorKind::AlreadyExists))
}
