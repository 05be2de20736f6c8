//! What lab to start.

use super::bus::Bus;

/// How modems are shown to ModemManager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Abstract sockets and the test interface.
    #[default]
    Virtual,
    /// Terminals and a network interface, reported by kernel events.
    Kernel,
}

/// What lab to start.
#[derive(Debug, Clone, Default)]
pub struct LabOptions {
    /// How modems are shown to ModemManager.
    pub kind: Kind,
    /// The bus they are on.
    pub bus: Bus,
    /// polkit rules (JavaScript) in force from the start, on a system bus; [`super::Lab::polkit_rules`] changes them later.
    pub polkit_rules: String,
    /// Writes every AT command to ModemManager's log; it is then ten times slower.
    pub debug: bool,
}

impl LabOptions {
    /// Terminals and a network interface, on a session bus.
    #[must_use]
    pub fn kernel() -> Self {
        Self { kind: Kind::Kernel, ..Self::default() }
    }

    /// Virtual modems on a system-type bus with Debian's own policy and the real polkitd.
    #[must_use]
    pub fn system(polkit_rules: &str) -> Self {
        Self { bus: Bus::System, polkit_rules: polkit_rules.to_owned(), ..Self::default() }
    }
}
