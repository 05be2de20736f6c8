//! What sends short messages: the modem, behind a wall.

use std::future::Future;
use std::pin::Pin;

use simbell_core::ident::PhoneNumber;

/// One message for one number.
#[derive(Debug, Clone, Copy)]
pub struct SmsRequest<'a> {
    /// Name or ICCID of the SIM that sends; any that can where none.
    pub via: Option<&'a str>,
    /// The recipient.
    pub to: &'a PhoneNumber,
    /// The text, already short enough.
    pub text: &'a str,
}

/// A message on its way: the parts sent, once the network accepted it.
pub type SmsSending<'a> = Pin<Box<dyn Future<Output = Result<u32, GatewayError>> + Send + 'a>>;

/// Sends short messages.
pub trait SmsGateway: Send + Sync {
    /// Sends one message. The future may be dropped when it takes too long: then the outcome is unknown.
    ///
    /// # Errors
    /// [`GatewayError`] says whether anything may have left.
    fn send<'a>(&'a self, request: SmsRequest<'a>) -> SmsSending<'a>;
}

/// Why a message was not, or may not have been, sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// Nothing left the modem.
    #[error("{text}")]
    NotSent {
        /// What went wrong; hostile text.
        text: String,
        /// Whether a later try may succeed: no modem, no network, no SIM yet.
        retry: bool,
    },
    /// It was handed to the modem and no answer came: it may have left.
    #[error("{text}")]
    Unknown {
        /// What went wrong; hostile text.
        text: String,
    },
}
