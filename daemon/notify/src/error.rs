//! What can be wrong with a channel, and what can go wrong on it.

use simbell_core::event::DeliveryOutcome;
use simbell_core::ident::ChannelName;
use simbell_core::time::Span;

/// Why a channel cannot be used as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("channel {channel}: {key}: {problem}")]
pub struct ChannelError {
    /// Which channel.
    pub channel: ChannelName,
    /// Which key of its configuration.
    pub key: &'static str,
    /// What is wrong and what to write instead; without secrets.
    pub problem: String,
}

/// What is wrong with one key, before the channel's name is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) key: &'static str,
    pub(crate) problem: String,
}

impl Problem {
    pub(crate) fn new(key: &'static str, problem: impl Into<String>) -> Self {
        Self { key, problem: problem.into() }
    }
}

/// Why one try failed, by its nature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendErrorKind {
    /// No connection: name not found, refused, cut.
    Unreachable,
    /// The connection could not be protected, or the certificate is not trusted.
    Tls,
    /// It took too long.
    TimedOut,
    /// The receiver does not accept the login.
    Login,
    /// The receiver refused the message.
    Refused,
    /// The receiver asks to come back later.
    Busy,
    /// The receiver's answer makes no sense.
    BadAnswer,
    /// Whether it left is not known, and a second try would cost money.
    OutcomeUnknown,
    /// The channel cannot carry it: not configured, not served here.
    Unavailable,
    /// A fault of the service itself.
    Fault,
}

impl SendErrorKind {
    /// Stable word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::TimedOut => "timed-out",
            Self::Login => "login",
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::BadAnswer => "bad-answer",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::Unavailable => "unavailable",
            Self::Fault => "fault",
        }
    }
}

/// Why one try failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct SendError {
    /// By its nature.
    pub kind: SendErrorKind,
    /// Whether another try may succeed, and does no harm.
    pub retry: bool,
    /// Not before this long, where the receiver said so.
    pub after: Option<Span>,
    /// What, where and why, in one bounded line without secrets or control characters.
    pub text: String,
}

impl SendError {
    pub(crate) const fn again(kind: SendErrorKind, text: String) -> Self {
        Self { kind, retry: true, after: None, text }
    }

    pub(crate) const fn for_good(kind: SendErrorKind, text: String) -> Self {
        Self { kind, retry: false, after: None, text }
    }

    /// Stable word for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind.as_str()
    }
}

impl From<SendError> for DeliveryOutcome {
    fn from(error: SendError) -> Self {
        if error.retry {
            Self::Retry { error: error.text, after: error.after }
        } else {
            Self::Refused { error: error.text }
        }
    }
}

/// Whether TLS is what failed somewhere in the chain. An I/O error's source is that of the error inside it,
/// so that the inside is looked at as well.
pub(crate) fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>()
        || inside.is_some_and(|inside| is_tls(inside))
        || error.source().is_some_and(is_tls)
}
