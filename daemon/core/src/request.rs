//! An HTTP request as a value: what a channel's script wants sent. Whoever sends it decides whether, and alone knows
//! what its sealed pieces stand for.

use std::fmt::Write as _;

use crate::time::Span;

/// Headers that say how a request travels, or who sends it. They are the service's own: nobody else gives them.
pub const OWN_HEADERS: [&str; 12] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "user-agent",
    "idempotency-key",
];

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// How.
    pub method: HttpMethod,
    /// Where to: an absolute URL.
    pub url: Vec<Piece>,
    /// Headers by name, in order.
    pub headers: Vec<(String, Vec<Piece>)>,
    /// What, if anything.
    pub body: Option<HttpBody>,
}

/// The methods there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpMethod {
    /// Asks.
    Get,
    /// Hands in.
    Post,
    /// Puts in place.
    Put,
}

/// A body, and how sealed pieces are written into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpBody {
    /// What it is.
    pub kind: BodyKind,
    /// Its text, already in that form but for the sealed pieces.
    pub pieces: Vec<Piece>,
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/json`; sealed pieces stand within strings.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Anything else, as it is.
    Text,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// Known to the sender only.
    Sealed(Sealed),
}

/// What a script may have put into its request without seeing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    /// A setting of the channel: a secret, or an address.
    Setting(String),
    /// HMAC with SHA-256 (RFC 2104), 32 bytes.
    HmacSha256 {
        /// The key.
        key: Vec<Piece>,
        /// What is signed.
        text: Vec<Piece>,
    },
    /// Base 64 with padding (RFC 4648, section 4).
    Base64(Vec<Piece>),
    /// Small hexadecimal digits.
    Hex(Vec<Piece>),
}

/// What a receiver answered, as a script may see it: bounded, and without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// Body; hostile text.
    pub body: String,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// What its status says.
    ByStatus,
    /// The receiver has taken the message.
    Accepted,
    /// It has not, and will not; why, where the script says so.
    Refused(Option<String>),
    /// It may take it later.
    Later {
        /// Why.
        why: String,
        /// Not before this long.
        after: Option<Span>,
    },
}

impl HttpMethod {
    /// As in the request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// Percent-encodes each byte that `keep` does not keep (RFC 3986, section 2.1).
#[must_use]
pub fn percent(text: &str, keep: fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if keep(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Unreserved characters of RFC 3986, section 2.3.
#[must_use]
pub const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The inside of a JSON string.
#[must_use]
pub fn json_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_escaped_is_as_a_json_writer_has_it(text in "[\u{0}-\u{ff}]{0,40}|.{0,40}") {
            let quoted = serde_json::Value::from(text.as_str()).to_string();
            prop_assert_eq!(format!("\"{}\"", json_escape(&text)), quoted);
        }
    }

    #[test]
    fn what_is_not_kept_is_percent_encoded() {
        assert_eq!(percent("a-Z_~. /é%", is_unreserved), "a-Z_~.%20%2F%C3%A9%25");
    }
}
