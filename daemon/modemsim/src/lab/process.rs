//! Programs the lab runs: found, started, and gone with the lab whatever happens to it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use super::error::LabError;

/// A program and the Debian package it comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program {
    pub name: &'static str,
    pub package: &'static str,
}

pub(super) const MODEM_MANAGER: Program = Program { name: "ModemManager", package: "modemmanager" };
pub(super) const MMCLI: Program = Program { name: "mmcli", package: "modemmanager" };
pub(super) const DBUS_DAEMON: Program = Program { name: "dbus-daemon", package: "dbus-daemon" };
pub(super) const POLKITD: Program = Program { name: "polkitd", package: "polkitd" };
pub(super) const SETPRIV: Program = Program { name: "setpriv", package: "util-linux" };
pub(super) const UNSHARE: Program = Program { name: "unshare", package: "util-linux" };
pub(super) const NSENTER: Program = Program { name: "nsenter", package: "util-linux" };
pub(super) const IP: Program = Program { name: "ip", package: "iproute2" };

impl Program {
    /// Finds the program in PATH or where Debian puts daemons.
    pub fn find(self) -> Result<PathBuf, LabError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(["/usr/sbin", "/sbin", "/usr/bin", "/usr/lib/polkit-1"].map(PathBuf::from))
            .map(|dir| dir.join(self.name))
            .find(|file| file.is_file())
            .ok_or(LabError::Missing { program: self.name, package: self.package })
    }
}

/// A thread that starts the lab's programs.
///
/// The kernel kills them with the thread that started them (`PR_SET_PDEATHSIG`), so they need one that lives as
/// long as the lab: a test's or the runtime's own may end before.
#[derive(Debug)]
pub(super) struct Starter {
    requests: Option<mpsc::Sender<(Command, mpsc::Sender<std::io::Result<Child>>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Starter {
    pub fn new() -> Result<Self, LabError> {
        let (requests, queue) = mpsc::channel::<(Command, mpsc::Sender<std::io::Result<Child>>)>();
        let thread = std::thread::Builder::new()
            .name("lab-starter".to_owned())
            .spawn(move || {
                for (mut command, reply) in queue {
                    let _ = reply.send(command.spawn());
                }
            })
            .map_err(|source| LabError::Start { program: "a thread".to_owned(), source })?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }

    /// Starts a program that dies with the lab; what it writes is for [`Running`] to read.
    pub fn start(&self, command: Command) -> Result<Running, LabError> {
        let mut bound = bound(&command)?;
        bound.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.spawn(bound, shown(&command))
    }

    /// Starts a program that dies with the lab and writes to a file.
    pub fn start_logged(&self, command: Command, log: &Path) -> Result<Running, LabError> {
        let failed = |source| LabError::File { path: log.to_owned(), source };
        let file = File::options().create(true).append(true).open(log).map_err(failed)?;
        let mut bound = bound(&command)?;
        bound.stderr(file.try_clone().map_err(failed)?).stdout(file);
        self.spawn(bound, shown(&command))
    }

    fn spawn(&self, command: Command, program: String) -> Result<Running, LabError> {
        let gone = || std::io::Error::other("the lab is being taken down");
        let (reply, result) = mpsc::channel();
        let sent = self.requests.as_ref().and_then(|requests| requests.send((command, reply)).ok());
        let child = sent
            .ok_or_else(gone)
            .and_then(|()| result.recv().map_err(|_| gone())?)
            .map_err(|source| LabError::Start { program, source })?;
        Ok(Running { child })
    }
}

/// Wraps a command so that the kernel kills it with the thread that starts it.
fn bound(command: &Command) -> Result<Command, LabError> {
    let mut bound = Command::new(SETPRIV.find()?);
    bound.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(key, value),
            None => bound.env_remove(key),
        };
    }
    bound.stdin(Stdio::null());
    Ok(bound)
}

impl Drop for Starter {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A running program; it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads the first line the program prints; empty when it ends without one.
    pub fn first_line(&mut self) -> String {
        let mut line = String::new();
        if let Some(output) = self.child.stdout.take() {
            let _ = BufReader::new(output).read_line(&mut line);
        }
        line.trim().to_owned()
    }

    /// Reads what the program wrote to its standard error, to the end: only for one that has ended.
    pub fn complaint(&mut self) -> String {
        self.child.stderr.take().and_then(|e| std::io::read_to_string(e).ok()).unwrap_or_default()
    }

    /// Kills the program (`SIGKILL`) and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks the program to end (`SIGTERM`) and waits for its end.
    pub fn stop(&mut self) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if id.is_some_and(|id| rustix::process::kill_process(id, rustix::process::Signal::TERM).is_ok()) {
            let _ = self.child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command to its end and returns what it printed.
pub(super) fn run(mut command: Command) -> Result<String, LabError> {
    let shown = shown(&command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| LabError::Start { program: shown.clone(), source })?;
    finished(shown, &output)
}

/// Judges a finished command.
pub(super) fn finished(command: String, output: &std::process::Output) -> Result<String, LabError> {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let said = format!("{}{printed}", String::from_utf8_lossy(&output.stderr));
    Err(LabError::Failed {
        command,
        status: output.status.to_string(),
        output: said.chars().take(2000).collect::<String>().trim().to_owned(),
    })
}

/// Writes a command as a person would type it.
pub(super) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_package() {
        let error = Program { name: "no-such-program", package: "its-package" }.find().unwrap_err();
        assert_eq!(error.kind(), "missing");
        assert!(error.to_string().contains("install the Debian package its-package"), "{error}");
    }

    #[test]
    fn a_failed_command_says_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no room >&2; exit 3"]);
        let error = run(command).unwrap_err().to_string();
        assert!(error.contains("no room") && error.contains('3'), "{error}");
    }

    #[test]
    fn a_running_program_ends_with_its_handle() {
        let starter = Starter::new().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo up; exec sleep 1000"]);
        let mut running = starter.start(command).unwrap();
        assert_eq!(running.first_line(), "up");
        let process = PathBuf::from(format!("/proc/{}", running.id()));
        assert!(process.exists());
        drop(running);
        assert!(!process.exists());
    }
}
