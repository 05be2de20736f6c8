//! ModemManager over D-Bus and the kernel's interface counters.

pub mod links;
