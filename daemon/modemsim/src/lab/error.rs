//! What can go wrong in the lab.

use std::path::PathBuf;
use std::time::Duration;

use crate::at::AtError;

/// An error of the lab.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// A program the lab runs is not installed.
    #[error("{program} is not installed; install the Debian package {package} (apt-get install {package})")]
    Missing {
        /// The program.
        program: &'static str,
        /// The Debian package it comes from.
        package: &'static str,
    },
    /// The lab needs rights the process does not have.
    #[error("{what} needs root; run the tests as root, or use the virtual kind on a session bus")]
    NotRoot {
        /// What needs them.
        what: &'static str,
    },
    /// A file or directory of the lab could not be made.
    #[error("{path}: {source}; is there room and a right to write there?")]
    File {
        /// The path.
        path: PathBuf,
        /// The reason the system gave.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("{program} could not be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// The reason the system gave.
        source: std::io::Error,
    },
    /// A program ended with a failure.
    #[error("{command} failed ({status}): {output}")]
    Failed {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        status: String,
        /// What it wrote, at most 2000 characters.
        output: String,
    },
    /// D-Bus said no.
    #[error("{action}: {source}")]
    Bus {
        /// What was tried.
        action: &'static str,
        /// The error of the bus.
        source: zbus::Error,
    },
    /// The simulated modem failed.
    #[error(transparent)]
    Modem(#[from] AtError),
    /// The modem is not one of this lab, or has no network interface.
    #[error("{what}")]
    Unknown {
        /// What is not known.
        what: &'static str,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {waited:?}; the end of ModemManager's log:\n{log}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
        /// The last lines of ModemManager's log, at most 4000 bytes.
        log: String,
    },
}

impl LabError {
    /// Returns a stable word for the kind of error.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::NotRoot { .. } => "not-root",
            Self::File { .. } => "file",
            Self::Start { .. } => "start",
            Self::Failed { .. } => "failed",
            Self::Bus { .. } => "bus",
            Self::Modem(error) => error.kind(),
            Self::Unknown { .. } => "unknown",
            Self::TimedOut { .. } => "timed-out",
        }
    }
}
