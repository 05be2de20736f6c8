//! What the configuration takes from the process and the system, named so that tests can replace it.

use std::path::PathBuf;

/// Where the surroundings of a configuration are.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Directory of the credentials that systemd hands over (`$CREDENTIALS_DIRECTORY`).
    pub credentials_dir: Option<PathBuf>,
    /// Directory of the ledger that systemd prepares (`$STATE_DIRECTORY`).
    pub state_dir: Option<PathBuf>,
    /// Directory of the socket that systemd prepares (`$RUNTIME_DIRECTORY`).
    pub runtime_dir: Option<PathBuf>,
    /// Directory of the time zones.
    pub zoneinfo_dir: PathBuf,
    /// Link to the system's time zone.
    pub localtime: PathBuf,
    /// File with the name of the system's time zone, where the link does not tell.
    pub timezone: PathBuf,
    /// The user whose secret files are accepted besides root's.
    pub uid: u32,
    /// Whether secrets that only the service may read are taken as given; see [`Environment::assuming_secrets`].
    pub assume_secrets: bool,
}

impl Environment {
    /// Of this process.
    #[must_use]
    pub fn of_process() -> Self {
        // systemd separates several directories by colons; the first is ours.
        let first = |name: &str| {
            let value = std::env::var_os(name)?.into_string().ok()?;
            value.split(':').next().filter(|path| path.starts_with('/')).map(PathBuf::from)
        };
        Self {
            credentials_dir: first("CREDENTIALS_DIRECTORY"),
            state_dir: first("STATE_DIRECTORY"),
            runtime_dir: first("RUNTIME_DIRECTORY"),
            zoneinfo_dir: PathBuf::from("/usr/share/zoneinfo"),
            localtime: PathBuf::from("/etc/localtime"),
            timezone: PathBuf::from("/etc/timezone"),
            uid: rustix::process::geteuid().as_raw(),
            assume_secrets: false,
        }
    }

    /// For a check by somebody who is not the service: a credential that was not handed over, or a secret file
    /// that may not be read, is no problem. Settings made so hold placeholders and are not fit to run.
    #[must_use]
    pub fn assuming_secrets(self) -> Self {
        Self { assume_secrets: true, ..self }
    }
}
