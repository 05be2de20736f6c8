//! What a channel is made of, as plain types.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use simbell_core::ident::PhoneNumber;

use crate::script::composer::Composer;

/// How to reach one receiver.
#[derive(Debug)]
pub enum ChannelConfig {
    /// Mail by SMTP submission.
    Email(EmailConfig),
    /// Push by an ntfy server.
    Ntfy(NtfyConfig),
    /// An HTTP request of the owner's making.
    Webhook(WebhookConfig),
    /// Short messages through the modem.
    Sms(SmsConfig),
    /// An HTTP request that a plugin's script makes.
    Script(ScriptConfig),
    /// Notifications in the owner's session, shown by followers of the control socket.
    Desktop,
    /// One line in the journal, or on the terminal where the service runs in one.
    Journal,
}

impl ChannelConfig {
    /// The kind as the configuration and `ChannelSettings.kind` name it.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Script(config) => &config.plugin,
            Self::Email(_) => "email",
            Self::Ntfy(_) => "ntfy",
            Self::Webhook(_) => "webhook",
            Self::Sms(_) => "sms",
            Self::Desktop => "desktop",
            Self::Journal => "journal",
        }
    }
}

/// The time one try may take in all where the configuration names none; by kind of channel.
///
/// A modem may need minutes for a message of several parts in a bad cell.
#[must_use]
pub fn default_timeout(kind: &str) -> Duration {
    Duration::from_secs(if kind == "sms" { 120 } else { 30 })
}

/// A name and what proves it.
#[derive(Debug, Clone)]
pub struct Login {
    /// User.
    pub user: String,
    /// Password.
    pub password: SecretString,
}

/// How an SMTP connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Plain at first, then STARTTLS, which the server must offer (RFC 3207). Port 587.
    StartTls,
    /// TLS from the first byte (RFC 8314). Port 465.
    Tls,
    /// Not at all. Port 25.
    None,
}

impl SmtpTls {
    /// The port where the configuration names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// Mail by SMTP submission.
#[derive(Debug, Clone)]
pub struct EmailConfig {
    /// Name or address of the server; the name its certificate must carry.
    pub host: String,
    /// Port; by `tls` where none.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Login (PLAIN or LOGIN), where the server asks for one.
    pub login: Option<Login>,
    /// Sender: `user@example.org` or `Name <user@example.org>`.
    pub from: String,
    /// Recipients, at least one, in the same form.
    pub to: Vec<String>,
    /// What the client calls itself in EHLO; the sender's domain where none.
    pub hello: Option<String>,
    /// PEM file of the only authorities to trust; Mozilla's, built in, where none.
    pub ca_file: Option<PathBuf>,
    /// The time one try may take in all.
    pub timeout: Duration,
}

/// How an ntfy server knows the sender.
#[derive(Debug, Clone)]
pub enum NtfyAuth {
    /// It does not.
    None,
    /// Access token, `tk_…`.
    Token(SecretString),
    /// User and password.
    Login(Login),
}

/// Push by an ntfy server.
#[derive(Debug, Clone)]
pub struct NtfyConfig {
    /// Base URL, such as `https://ntfy.sh`, without the topic.
    pub url: String,
    /// Topic. On a public server whoever knows it reads along: it is kept out of texts like a password.
    pub topic: SecretString,
    /// How the server knows the sender.
    pub auth: NtfyAuth,
    /// Tags added to each message.
    pub tags: Vec<String>,
    /// URL that a click opens.
    pub click: Option<String>,
    /// PEM file of the only authorities to trust; Mozilla's, built in, where none.
    pub ca_file: Option<PathBuf>,
    /// The time one try may take in all.
    pub timeout: Duration,
}

/// One header of a webhook.
#[derive(Debug, Clone)]
pub struct HeaderConfig {
    /// Name.
    pub name: String,
    /// Value.
    pub value: SecretString,
    /// Whether the value is kept out of texts; `Authorization` always is.
    pub secret: bool,
}

/// An HTTP request of the owner's making.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// URL. Placeholders may stand in its path and query. Many services put their key there, so everything
    /// after the host is kept out of texts.
    pub url: SecretString,
    /// `POST`, `PUT`, `PATCH` or `GET`.
    pub method: String,
    /// Headers.
    pub headers: Vec<HeaderConfig>,
    /// Body with placeholders, see [`crate::PLACEHOLDERS`]; [`crate::DEFAULT_TEMPLATE`] where none.
    pub template: Option<String>,
    /// `application/json` (or `…+json`), `application/x-www-form-urlencoded` or `text/plain`.
    pub content_type: String,
    /// PEM file of the only authorities to trust; Mozilla's, built in, where none.
    pub ca_file: Option<PathBuf>,
    /// The time one try may take in all.
    pub timeout: Duration,
}

/// An HTTP request that a plugin's script makes.
#[derive(Debug, Clone)]
pub struct ScriptConfig {
    /// The plugin's name, which is the channel's kind.
    pub plugin: String,
    /// The script.
    pub composer: Arc<dyn Composer>,
    /// What the script may put into its request without seeing it, by setting.
    pub values: BTreeMap<String, ScriptValue>,
    /// Where requests may go.
    pub reach: Vec<Reach>,
    /// PEM file of the only authorities to trust; Mozilla's, built in, where none.
    pub ca_file: Option<PathBuf>,
    /// The time one try may take in all.
    pub timeout: Duration,
}

/// What a script does not see.
#[derive(Debug, Clone)]
pub enum ScriptValue {
    /// A secret.
    Secret(SecretString),
    /// An address, `https://host/path`; what follows the host is kept out of texts.
    Url(SecretString),
}

/// A host that a channel by script may send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Name or address, in small letters.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether plain HTTP will do: only where the owner's own address says so.
    pub plain: bool,
    /// What the plugin's manifest says of it, such as `host:api.example.org`.
    pub permission: String,
    /// Whether the owner agrees.
    pub approved: bool,
}

impl Reach {
    /// The host of an address that the owner gave, by the scheme that it has; none where it is no such address.
    #[must_use]
    pub fn of_address(url: &str, permission: String) -> Option<Self> {
        let (uri, _) = crate::channel::http_url("url", url).ok()?;
        let plain = uri.scheme_str() == Some("http");
        let port = uri.port_u16().unwrap_or(if plain { 80 } else { 443 });
        Some(Self { host: uri.host()?.to_ascii_lowercase(), port, plain, permission, approved: true })
    }

    /// Whether what goes to `to` goes here, and no less protected.
    #[must_use]
    pub fn leads_as(&self, to: &Self) -> bool {
        self.host == to.host && self.port == to.port && (self.plain || !to.plain)
    }
}

/// Short messages through the modem.
#[derive(Debug, Clone)]
pub struct SmsConfig {
    /// Recipients, at least one.
    pub to: Vec<PhoneNumber>,
    /// Name or ICCID of the SIM that sends; any that can where none.
    pub via: Option<String>,
    /// A longer text is shortened to this many segments, each paid for.
    pub max_segments: u32,
    /// How long the modem may take for one recipient.
    pub timeout: Duration,
}
