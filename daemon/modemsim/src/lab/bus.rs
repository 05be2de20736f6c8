//! The private bus: a session bus, or a system-type bus with Debian's own policy files.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::LabError;
use super::process::{DBUS_DAEMON, MODEM_MANAGER, POLKITD, Program, Running, Starter};

/// The kind of bus the lab runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bus {
    /// Everyone may do everything; a polkit that always consents answers ModemManager.
    #[default]
    Session,
    /// Debian's D-Bus policy files for ModemManager and polkit, and the real polkitd. Needs root.
    System,
}

/// Where packages put policy files; which one differs between releases of Debian.
const POLICIES: [&str; 2] = ["/usr/share/dbus-1/system.d", "/etc/dbus-1/system.d"];

/// Starts dbus-daemon and returns it with its address, once it listens.
pub(super) fn start(kind: Bus, dir: &Path, starter: &Starter) -> Result<(Running, String), LabError> {
    let socket = dir.join("bus");
    let config = dir.join("bus.conf");
    let text = match kind {
        Bus::Session => session(&socket),
        Bus::System => system(&socket)?,
    };
    std::fs::write(&config, text).map_err(|source| LabError::File { path: config.clone(), source })?;
    let mut command = Command::new(DBUS_DAEMON.find()?);
    command.arg("--nofork").arg("--nosyslog").arg("--print-address=1");
    command.arg(format!("--config-file={}", config.display()));
    let mut daemon = starter.start(command)?;
    if daemon.first_line().is_empty() {
        daemon.kill();
        return Err(LabError::Failed {
            command: "dbus-daemon".to_owned(),
            status: "it gave no address".to_owned(),
            output: daemon.complaint(),
        });
    }
    Ok((daemon, format!("unix:path={}", socket.display())))
}

fn session(socket: &Path) -> String {
    config(
        "session",
        socket,
        r#"<policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>"#,
    )
}

/// Writes the rules of Debian's own system.conf, and includes the policy files of the services that run here.
fn system(socket: &Path) -> Result<String, LabError> {
    let modem_manager = policy_file("org.freedesktop.ModemManager1.conf", MODEM_MANAGER)?;
    let polkit = policy_file("org.freedesktop.PolicyKit1.conf", POLKITD)?;
    let policy = format!(
        r#"<policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
  </policy>
  <include>{}</include>
  <include>{}</include>"#,
        modem_manager.display(),
        polkit.display()
    );
    Ok(config("system", socket, &policy))
}

fn policy_file(name: &str, of: Program) -> Result<PathBuf, LabError> {
    let found = POLICIES.iter().map(|dir| Path::new(dir).join(name)).find(|file| file.is_file());
    found.ok_or(LabError::Missing { program: of.name, package: of.package })
}

fn config(kind: &str, socket: &Path, policy: &str) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>{kind}</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  {policy}
</busconfig>
"#,
        socket.display()
    )
}
