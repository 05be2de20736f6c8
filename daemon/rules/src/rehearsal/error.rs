//! Why a rehearsal cannot go on.

use std::fmt;

use simbell_core::ident::{Iccid, IdentError};

/// Why a rehearsal cannot go on, or cannot do what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RehearsalError {
    /// Time does not go backward.
    Backward,
    /// More happens than is allowed: so many steps of the state.
    TooMuch(u64),
    /// The SIM is in no modem.
    NoModem(Iccid),
    /// The SIM's modem is gone, locked or not connected: nothing passes through it.
    NotConnected(Iccid),
    /// The service does not run.
    Off,
    /// No reminder has this key.
    NoReminder(String),
    /// A text names nothing.
    Ident(IdentError),
}

impl fmt::Display for RehearsalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backward => f.write_str("time does not go backward"),
            Self::TooMuch(steps) => {
                write!(
                    f,
                    "more happens than can be rehearsed: after {steps} steps there was still more to do"
                )
            }
            Self::NoModem(iccid) => write!(f, "the SIM …{} is in no modem", iccid.tail()),
            Self::NotConnected(iccid) => {
                write!(f, "the SIM …{} is not connected: its modem is gone, locked or offline", iccid.tail())
            }
            Self::Off => f.write_str("the machine is switched off"),
            Self::NoReminder(key) => write!(f, "no reminder has the key `{key}`"),
            Self::Ident(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RehearsalError {}

impl From<IdentError> for RehearsalError {
    fn from(error: IdentError) -> Self {
        Self::Ident(error)
    }
}
