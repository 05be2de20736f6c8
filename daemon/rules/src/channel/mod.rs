//! Channel plugins: scripts that say which HTTP request carries a reminder.

mod hosts;

pub use hosts::{Host, HostError};
