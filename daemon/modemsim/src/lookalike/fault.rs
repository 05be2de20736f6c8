//! Errors as ModemManager names them on D-Bus.

/// A method call's error reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {text}")]
pub struct Fault {
    /// Full D-Bus error name.
    pub name: String,
    /// Text for people.
    pub text: String,
}

impl Fault {
    /// `org.freedesktop.ModemManager1.Error.` and `tail`; `tail` alone where it is a full name.
    #[must_use]
    pub fn new(tail: &str, text: &str) -> Self {
        let name = if tail.starts_with("org.") {
            tail.to_owned()
        } else {
            format!("org.freedesktop.ModemManager1.Error.{tail}")
        };
        Self { name, text: text.to_owned() }
    }

    pub(crate) fn core(tail: &str, text: &str) -> Self {
        Self::new(&format!("Core.{tail}"), text)
    }

    pub(crate) fn dbus(tail: &str, text: &str) -> Self {
        Self::new(&format!("org.freedesktop.DBus.Error.{tail}"), text)
    }
}
