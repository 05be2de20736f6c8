//! Why the service could not be asked.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::ControlError;

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens on the socket.
    #[error("the service is not running: nothing listens on {}", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The socket may not be opened.
    #[error("you may not open {}", path.display())]
    NotPermitted {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The socket cannot be reached for another reason.
    #[error("{} cannot be reached", path.display())]
    NotReachable {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The connection ended before the answer.
    #[error("the connection to {} was lost", path.display())]
    Lost {
        /// The socket.
        path: PathBuf,
        /// What happened.
        source: zlink::Error,
    },
    /// No answer came.
    #[error("the service on {} did not answer within {seconds} seconds", path.display())]
    Stuck {
        /// The socket.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The service refused.
    #[error("{error}")]
    Refused {
        /// What it said.
        error: ControlError,
    },
    /// The two sides do not understand each other.
    #[error("{message}")]
    Protocol {
        /// In words.
        message: String,
        /// What a difference of versions has to do with it.
        skew: Option<String>,
    },
}

impl ClientError {
    /// A stable name, for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotRunning { .. } => "NotRunning",
            Self::NotPermitted { .. } => "NotPermitted",
            Self::NotReachable { .. } => "NotReachable",
            Self::Lost { .. } => "ConnectionLost",
            Self::Stuck { .. } => "NoAnswer",
            Self::Refused { error } => error.kind(),
            Self::Protocol { .. } => "Protocol",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotRunning { .. } => {
                "start it with `systemctl start simbell`, or name its socket with --socket".to_owned()
            }
            Self::NotPermitted { path, .. } => format!(
                "reading needs membership in the group of {}, usually simbell: `sudo usermod -aG simbell $USER`, \
                 then log in again; or run this as root",
                path.display()
            ),
            Self::NotReachable { path, .. } if path.is_dir() => format!(
                "--socket names the socket itself, and {} is a folder: a service keeps its socket as control.sock in its own",
                path.display()
            ),
            Self::NotReachable { .. } => "check the path given with --socket".to_owned(),
            Self::Lost { .. } | Self::Stuck { .. } => {
                "see how the service is with `systemctl status simbell` and `journalctl -u simbell`"
                    .to_owned()
            }
            Self::Refused { error } => error.hint().to_owned(),
            Self::Protocol { skew, .. } => return skew.clone(),
        })
    }

    /// Whether the service is not there to be asked.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::NotRunning { .. } | Self::NotReachable { .. } | Self::Lost { .. } | Self::Stuck { .. }
        )
    }

    /// Whether the caller lacks a right.
    #[must_use]
    pub const fn is_not_permitted(&self) -> bool {
        matches!(self, Self::NotPermitted { .. } | Self::Refused { error: ControlError::NotPermitted { .. } })
    }

    /// Whether what was asked makes no sense whatever the service knows.
    #[must_use]
    pub const fn is_misuse(&self) -> bool {
        matches!(self, Self::Refused { error: ControlError::InvalidArgument { .. } })
    }

    pub(super) fn from_connect(path: &Path, error: zlink::Error) -> Self {
        let path = path.to_owned();
        let source = match error {
            zlink::Error::Io(source) => source,
            other => return Self::Lost { path, source: other },
        };
        match source.kind() {
            // Where there is a folder, no service is that could be started.
            _ if path.is_dir() => Self::NotReachable { path, source },
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Self::NotRunning { path, source },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { path, source },
            _ => Self::NotReachable { path, source },
        }
    }

    pub(super) fn lost(path: &Path, source: zlink::Error) -> Self {
        Self::Lost { path: path.to_owned(), source }
    }

    /// Whether too many are asking at once: a full backlog, or a full house.
    pub(super) fn is_crowd(&self) -> bool {
        match self {
            Self::NotReachable { source, .. } => source.kind() == io::ErrorKind::WouldBlock,
            Self::Refused { error: ControlError::TooManyClients { .. } } => true,
            _ => false,
        }
    }
}
