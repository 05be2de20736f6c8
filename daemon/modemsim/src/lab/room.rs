//! Namespaces the lab's programs live in, so that the host sees nothing of its devices and interfaces.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::LabError;
use super::process::{IP, NSENTER, Running, Starter, UNSHARE, run};

/// A mount namespace with its own `/dev`, `/sys/class/{tty,net}` and polkit rules and, where modems have network
/// interfaces, two network namespaces: the host's side of the modem and the mobile network behind it.
#[derive(Debug)]
pub(super) struct Room {
    host: Running,
    network: Option<Running>,
}

/// Prepares the mounts and waits; $1 is the lab's directory.
///
/// `/dev` is a fresh tmpfs, so that ports can be called ttyACM0 without a trace on the host.
const PREPARE: &str = r#"
set -e
cd "$1"
mkdir -p old-dev sys/class/tty sys/class/net sys/bus/usb/drivers/usb sys/bus/usb/drivers/option1 sys/bus/usb/drivers/cdc_ether
mkdir -p sys/devices/usb1 rules.d
chmod 755 rules.d
mount --rbind /dev old-dev
mount -t tmpfs -o mode=755 tmpfs /dev
for node in null zero full random urandom tty; do
  touch /dev/$node
  mount --bind old-dev/$node /dev/$node
done
mkdir /dev/pts
mount --rbind old-dev/pts /dev/pts
ln -s pts/ptmx /dev/ptmx
mount --bind sys/class/tty /sys/class/tty
mount --bind sys/class/net /sys/class/net
if [ -d /etc/polkit-1/rules.d ]; then mount --bind rules.d /etc/polkit-1/rules.d; fi
ip link set lo up || true
echo ready
exec sleep infinity
"#;

const PREPARE_NETWORK: &str = "ip link set lo up; echo ready; exec sleep infinity";

impl Room {
    /// Makes the namespaces and waits until they are furnished.
    ///
    /// Without `links` the network is the host's: abstract sockets are seen only within one network namespace.
    pub fn new(dir: &Path, starter: &Starter, links: bool) -> Result<Self, LabError> {
        if !rustix::process::geteuid().is_root() {
            return Err(LabError::NotRoot {
                what: "a lab with namespaces of its own (kernel events, system bus)",
            });
        }
        IP.find()?;
        NSENTER.find()?;
        let unshare = UNSHARE.find()?;
        let mut host = Command::new(&unshare);
        host.args(["--mount", "--propagation", "private"]);
        if !links {
            host.args(["sh", "-c", PREPARE, "sh"]).arg(dir);
            return Ok(Self { host: ready(starter.start(host)?)?, network: None });
        }
        host.args(["--net", "sh", "-c", PREPARE, "sh"]).arg(dir);
        let mut network = Command::new(&unshare);
        network.args(["--net", "sh", "-c", PREPARE_NETWORK]);
        Ok(Self { host: ready(starter.start(host)?)?, network: Some(ready(starter.start(network)?)?) })
    }

    /// Wraps a command so that it runs in the host's namespaces.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command, LabError> {
        let mut command = Command::new(NSENTER.find()?);
        let id = self.host.id();
        command.arg(format!("--mount=/proc/{id}/ns/mnt"));
        if self.network.is_some() {
            command.arg(format!("--net=/proc/{id}/ns/net"));
        }
        command.arg("--").arg(program);
        Ok(command)
    }

    /// Shows a terminal as `/dev/<name>`.
    pub fn add_device(&self, name: &str, terminal: &Path) -> Result<(), LabError> {
        let mut command = self.command("sh")?;
        command.args(["-c", r#"touch "/dev/$1" && mount --bind "$2" "/dev/$1""#, "sh", name]).arg(terminal);
        run(command).map(drop)
    }

    /// Takes `/dev/<name>` away.
    pub fn remove_device(&self, name: &str) -> Result<(), LabError> {
        let mut command = self.command("sh")?;
        command.args(["-c", r#"umount -l "/dev/$1" && rm "/dev/$1""#, "sh", name]);
        run(command).map(drop)
    }

    /// Makes the network interface of modem `number` and its far end, both up, silent but for what is sent on purpose.
    pub fn add_link(&self, name: &str, number: u8) -> Result<(), LabError> {
        let script = r#"
set -e
ip link add "$1" address 02:00:00:00:00:02 type veth peer name "far$2" address 02:00:00:00:00:01 netns "$3"
ip link set "$1" addrgenmode none multicast off
ip address add "10.64.$2.2/30" dev "$1"
ip neighbour replace "10.64.$2.1" lladdr 02:00:00:00:00:01 dev "$1" nud permanent
ip link set "$1" up"#;
        let mut near = self.command("sh")?;
        let network = self.network_id()?;
        near.args(["-c", script, "sh", name, &number.to_string(), &network.to_string()]);
        run(near)?;
        let script = r#"
set -e
ip link set "far$1" addrgenmode none multicast off
ip address add "10.64.$1.1/30" dev "far$1"
ip neighbour replace "10.64.$1.2" lladdr 02:00:00:00:00:02 dev "far$1" nud permanent
ip link set "far$1" up"#;
        let mut far = Command::new(NSENTER.find()?);
        far.arg(format!("--net=/proc/{network}/ns/net"));
        far.args(["--", "sh", "-c", script, "sh", &number.to_string()]);
        run(far).map(drop)
    }

    /// Takes an interface away, its far end with it.
    pub fn remove_link(&self, name: &str) -> Result<(), LabError> {
        let mut command = self.command("ip")?;
        command.args(["link", "delete", name]);
        run(command).map(drop)
    }

    /// The network namespaces of the modem's host and of the mobile network.
    pub fn nets(&self) -> Result<(PathBuf, PathBuf), LabError> {
        let path = |id: u32| PathBuf::from(format!("/proc/{id}/ns/net"));
        Ok((path(self.host.id()), path(self.network_id()?)))
    }

    fn network_id(&self) -> Result<u32, LabError> {
        let network =
            self.network.as_ref().ok_or(LabError::Unknown { what: "this lab has no network interfaces" })?;
        Ok(network.id())
    }
}

fn ready(mut holder: Running) -> Result<Running, LabError> {
    if holder.first_line() == "ready" {
        return Ok(holder);
    }
    holder.kill();
    Err(LabError::Failed {
        command: "unshare".to_owned(),
        status: "the namespaces could not be furnished".to_owned(),
        output: holder.complaint(),
    })
}
