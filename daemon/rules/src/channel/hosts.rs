//! Where a channel plugin may send to.

use std::fmt;
use std::str::FromStr;

/// The port of HTTPS, where a manifest names none.
const HTTPS: u16 = 443;

/// One host of a manifest's `hosts`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// A host that the manifest itself names, reached by HTTPS only.
    Named {
        /// Its name or address, in small letters.
        host: String,
        /// Its port.
        port: u16,
    },
    /// The host of the address that the owner gives to this setting, which has the type `url`.
    OfSetting(String),
}

/// Why a text names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no host: write a name such as \"api.example.org\" without scheme and path, or \"{{NAME}}\" for the host of the setting NAME"
)]
pub struct HostError;

impl fmt::Display for Host {
    /// As a manifest writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { host, port: HTTPS } => f.write_str(host),
            Self::Named { host, port } => write!(f, "{host}:{port}"),
            Self::OfSetting(name) => write!(f, "{{{name}}}"),
        }
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            return Ok(Self::OfSetting(name.to_owned()));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| HostError)?),
            None => (text, HTTPS),
        };
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if port == 0 || host.len() > 253 || !host.split('.').all(label) {
            return Err(HostError);
        }
        Ok(Self::Named { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_no_address() {
        for text in ["api.telegram.org", "localhost:8443", "127.0.0.1:80", "{url}"] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), text);
        }
        assert_eq!("example.org:443".parse::<Host>().unwrap().to_string(), "example.org");
        for text in [
            "",
            "https://a.org",
            "a.org/x",
            "*.a.org",
            "a.org:0",
            "a.org:x",
            "A.org",
            "a..org",
            "-a.org",
            "u@a",
        ] {
            assert_eq!(text.parse::<Host>(), Err(HostError), "{text}");
        }
    }
}
