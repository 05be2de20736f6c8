//! An HTTP request as a value: what a channel's script wants sent. Whoever sends it decides whether, and alone knows
//! what its sealed pieces stand for.

use crate::time::Span;

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
