//! Wakes simbelld at the packet that crosses a threshold.
//!
//! simbelld itself has no privilege. This helper, an opt-in unit of its own with `CAP_NET_ADMIN` and nothing else,
//! keeps named nftables quotas in a table of its own, `inet simbell`, and passes on what the kernel tells when one is
//! used up. It decides nothing and remembers nothing: simbelld says how many bytes are left, and reads the counters
//! itself when it is woken. Without the helper the same is noticed at the next reading.
//!
//! What is armed lives as long as the connection that armed it; nothing is left behind.

mod error;
pub mod protocol;
mod ruleset;
mod serve;
pub mod table;
pub mod watch;
pub mod wire;

pub use error::TableError;
pub use ruleset::TABLE;
pub use serve::{Options, ServeError, serve};
pub use table::{Sharing, Table};
pub use watch::Watch;
