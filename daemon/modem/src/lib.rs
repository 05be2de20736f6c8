//! ModemManager over D-Bus and the kernel's interface counters.
//!
//! [`watcher`] follows ModemManager and tells events, [`commands`] has modems do things, [`links`] reads and
//! follows network interfaces. None of them polls: while nothing happens, nothing runs.

pub mod commands;
pub mod links;
mod names;
mod props;
mod sms;
mod view;
pub mod watcher;

pub use commands::{CommandError, ModemCommands, SmsReceipt};
pub use links::{LinkEvent, Links, LinksError};
pub use watcher::{BusAddress, Timing, Watcher};
