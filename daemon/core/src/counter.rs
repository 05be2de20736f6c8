//! Readings of byte counters.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ident::IfIndex;

/// Ethernet header in bytes, which the kernel counts and a carrier does not.
pub const ETHERNET_HEADER: u64 = 14;

/// What a network interface's counters say (`rtnl_link_stats64`), with the link type needed to make IP bytes of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkReading {
    /// Interface index.
    pub ifindex: IfIndex,
    /// Interface name now.
    pub name: LinkName,
    /// Whether frames carry a 14-byte Ethernet header (`ARPHRD_ETHER`).
    pub ethernet: bool,
    /// Whether it is a link of the point-to-point protocol (`ARPHRD_PPP`), which pppd makes once a modem has dialled.
    #[serde(default)]
    pub ppp: bool,
    /// The counters.
    pub counters: LinkCounters,
}

/// What a link says as it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkEnd {
    /// Its final counters: never less than what was read of them.
    #[serde(flatten)]
    pub reading: LinkReading,
    /// It set figures back as it went, and was in use since they were read: what they counted meanwhile is nowhere.
    #[serde(default)]
    pub set_back: bool,
}

/// Name of a network interface, 15 bytes at most (`IFNAMSIZ` less its NUL); a longer one is cut. Kept in place, since a
/// reading of many links would be made of little else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LinkName {
    bytes: [u8; LinkName::MOST],
    length: u8,
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

impl LinkName {
    /// The most bytes.
    pub const MOST: usize = 15;

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let length = usize::from(self.length);
        self.bytes.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl From<&str> for LinkName {
    fn from(text: &str) -> Self {
        let most =
            (0..=Self::MOST.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let mut name = Self { length: u8::try_from(most).unwrap_or(0), ..Self::default() };
        for (place, byte) in name.bytes.iter_mut().zip(text.bytes().take(most)) {
            *place = byte;
        }
        name
    }
}

impl<T: AsRef<str> + ?Sized> PartialEq<T> for LinkName {
    fn eq(&self, other: &T) -> bool {
        self.as_str() == other.as_ref()
    }
}

impl From<String> for LinkName {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl Serialize for LinkName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for LinkName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl LinkReading {
    /// The counters as IP bytes, received and sent: what a carrier counts.
    #[must_use]
    pub fn ip_bytes(&self) -> (u64, u64) {
        self.counters.ip_bytes(self.ethernet)
    }
}

impl From<LinkReading> for LinkEnd {
    /// A link that told everything as it went.
    fn from(reading: LinkReading) -> Self {
        Self { reading, set_back: false }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_whole_or_cut_between_letters() {
        for (text, kept) in [
            ("", ""),
            ("wwan0", "wwan0"),
            ("fifteen-letters", "fifteen-letters"),
            ("sixteen--letters", "sixteen--letter"),
            ("wwan\u{fffd}\u{fffd}\u{fffd}\u{fffd}", "wwan\u{fffd}\u{fffd}\u{fffd}"),
        ] {
            let name = LinkName::from(text);
            assert_eq!((name.as_str(), name.to_string().as_str()), (kept, kept));
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(serde_json::from_str::<LinkName>(&json).unwrap(), name);
        }
    }
}
