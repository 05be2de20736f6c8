//! What can go wrong between us and the kernel's link counters.

use std::io;

/// Why the kernel's counters could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LinksError {
    /// A netlink socket could not be made or used.
    #[error("netlink: cannot {action}: {source}")]
    Socket {
        /// What was tried, such as `open the socket`.
        action: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused a dump.
    #[error("netlink: the kernel refused to list {what}: {source}")]
    Refused {
        /// `links` or `counters`.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel did not end a dump.
    #[error("netlink: the kernel's list of {what} has no end; it is asked again at the next reading")]
    NoEnd {
        /// `links` or `counters`.
        what: &'static str,
    },
}

impl LinksError {
    /// A stable name of the kind of failure.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Socket { .. } => "netlink-socket",
            Self::Refused { .. } => "netlink-refused",
            Self::NoEnd { .. } => "netlink-no-end",
        }
    }
}
