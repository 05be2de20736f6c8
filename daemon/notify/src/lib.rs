//! Channels that carry a reminder to its reader.
//!
//! [`build_channels`] checks a configuration and makes [`Channel`]s of it, [`Dispatcher`] performs
//! [`simbell_core::reminder::Delivery`] values on them, one worker a channel, and reports an [`Ended`]
//! for each. When a failed delivery is tried again is decided by `simbell_core::backoff`, not here; the
//! outbox itself is kept by the ledger.
//!
//! No text of an error, a log line or a `Debug` output holds a secret of a channel, also where the
//! receiver sent it back; all texts from outside are bounded and free of control characters.

mod channel;
mod config;
mod dispatch;
mod email;
mod error;
mod http;
mod journal;
mod ntfy;
mod redact;
mod script;
mod sms;
mod template;
mod text;
mod webhook;

pub use channel::{Channel, Receipt, build_channels, test_message};
pub use config::{
    ChannelConfig, EmailConfig, HeaderConfig, Login, NtfyAuth, NtfyConfig, Reach, ScriptConfig, ScriptValue,
    SmsConfig, SmtpTls, WebhookConfig, default_timeout,
};
pub use dispatch::{Dispatcher, Ended, QUEUE};
pub use error::{ChannelError, SendError, SendErrorKind};
pub use script::composer::{Composer, Composing, Judging};
pub use script::fill::Outgoing;
pub use script::script_outcome;
pub use sms::gateway::{GatewayError, SmsGateway, SmsRequest, SmsSending};
pub use sms::segments::{Encoding, Fitted, fit};
pub use template::{DEFAULT_TEMPLATE, PLACEHOLDERS};
