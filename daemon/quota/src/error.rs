//! What can go wrong between us and nftables.

use std::io;

use crate::protocol::QUOTAS_MOST;

/// Why the table could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The netlink socket failed.
    #[error("netlink: cannot {action}: {source}")]
    Socket {
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// This process may not change nftables.
    #[error("nftables cannot be used without CAP_NET_ADMIN; start simbell-quota by its unit, or as root")]
    NotPermitted,
    /// Another helper has the table.
    #[error(
        "the table inet simbell belongs to another program, most likely another simbell-quota that still runs"
    )]
    Taken,
    /// What was asked is out of bounds.
    #[error("{0}")]
    Invalid(String),
    /// As many quotas as there may be.
    #[error("{QUOTAS_MOST} quotas are armed already")]
    TooMany,
    /// A link counts against one quota a direction.
    #[error("the link with index {0} counts against another quota already; disarm that first")]
    LinkTaken(u32),
    /// The kernel refused.
    #[error("nftables: the kernel refused to {action}: {source}")]
    Refused {
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl TableError {
    /// A stable name of the kind of failure.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Socket { .. } => "netlink-socket",
            Self::NotPermitted => "not-permitted",
            Self::Taken => "taken",
            Self::Invalid(_) => "invalid",
            Self::TooMany => "too-many",
            Self::LinkTaken(_) => "link-taken",
            Self::Refused { .. } => "refused",
        }
    }
}
