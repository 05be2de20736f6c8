//! Readings of byte counters.

use serde::{Deserialize, Serialize};

use crate::ident::IfIndex;

/// Ethernet header in bytes, which the kernel counts and a carrier does not.
pub const ETHERNET_HEADER: u64 = 14;

/// What a network interface's counters say (`rtnl_link_stats64`), with the link type needed to make IP bytes of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkReading {
    /// Interface index.
    pub ifindex: IfIndex,
    /// Interface name now.
    pub name: String,
    /// Whether frames carry a 14-byte Ethernet header (`ARPHRD_ETHER`).
    pub ethernet: bool,
    /// Whether it is a link of the point-to-point protocol (`ARPHRD_PPP`), which pppd makes once a modem has dialled.
    #[serde(default)]
    pub ppp: bool,
    /// The counters.
    pub counters: LinkCounters,
}

/// Raw 64-bit kernel counters since the interface was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkCounters {
    /// Link-layer bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Link-layer bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
}

impl LinkReading {
    /// The counters as IP bytes, received and sent: what a carrier counts.
    #[must_use]
    pub fn ip_bytes(&self) -> (u64, u64) {
        self.counters.ip_bytes(self.ethernet)
    }
}

impl LinkCounters {
    /// As IP bytes, received and sent.
    #[must_use]
    pub fn ip_bytes(&self, ethernet: bool) -> (u64, u64) {
        if ethernet {
            (
                self.rx_bytes.saturating_sub(self.rx_packets.saturating_mul(ETHERNET_HEADER)),
                self.tx_bytes.saturating_sub(self.tx_packets.saturating_mul(ETHERNET_HEADER)),
            )
        } else {
            (self.rx_bytes, self.tx_bytes)
        }
    }
}
