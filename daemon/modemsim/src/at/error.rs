//! What can go wrong while a simulated modem is driven.

use std::time::Duration;

/// An error of the simulated modem.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AtError {
    /// The modem's own thread could not be started.
    #[error(
        "the simulated modem's thread could not be started: {source}; check the limits on threads and open files"
    )]
    Thread {
        /// The reason the system gave.
        source: std::io::Error,
    },
    /// The socket or terminal of a port could not be opened.
    #[error("port {port} of the simulated modem could not be opened: {source}; is the name in use already?")]
    Port {
        /// The port's name: a socket name or a device path.
        port: String,
        /// The reason the system gave.
        source: std::io::Error,
    },
    /// What the caller waited for did not happen in time.
    #[error("the simulated modem waited {waited:?} for {what}, in vain; look at ModemManager's log")]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// How long.
        waited: Duration,
    },
    /// A text or number cannot be put into an SMS.
    #[error("the SMS cannot be encoded: {reason}")]
    Sms {
        /// What does not fit.
        reason: &'static str,
    },
    /// There is no call in the needed state.
    #[error("there is no call that could be {action}")]
    NoCall {
        /// What was to be done with it.
        action: &'static str,
    },
}

impl AtError {
    /// Returns a stable word for the kind of error.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Thread { .. } => "thread",
            Self::Port { .. } => "port",
            Self::TimedOut { .. } => "timed-out",
            Self::Sms { .. } => "sms",
            Self::NoCall { .. } => "no-call",
        }
    }
}
