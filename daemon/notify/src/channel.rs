//! The channels, and how they are made of a configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Uri;
use simbell_core::ident::ChannelName;
use simbell_core::reminder::{Message, Urgency};
use simbell_core::time::Timestamp;

use crate::config::ChannelConfig;
use crate::email::Email;
use crate::error::{ChannelError, Problem, SendError, SendErrorKind};
use crate::http::HttpClients;
use crate::journal;
use crate::ntfy::Ntfy;
use crate::script::Script;
use crate::sms::Sms;
use crate::sms::gateway::SmsGateway;
use crate::webhook::Webhook;

/// What the service calls itself to receivers.
pub(crate) const AGENT: &str = concat!("simbell/", env!("CARGO_PKG_VERSION"));

/// What a receiver said when it accepted a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// One bounded line without secrets.
    pub text: String,
}

/// A receiver that can be sent to.
pub struct Channel {
    kind: String,
    caution: Option<String>,
    inner: Inner,
}

enum Inner {
    Email(Box<Email>),
    Ntfy(Box<Ntfy>),
    Webhook(Box<Webhook>),
    Script(Box<Script>),
    Sms(Sms),
    Desktop,
    Journal,
}

impl Channel {
    /// `email`, `ntfy`, `webhook`, `sms`, `desktop`, `journal`, or the name of a plugin.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What the owner should know of this channel though it works: secrets that cross a network in the clear.
    #[must_use]
    pub fn caution(&self) -> Option<&str> {
        self.caution.as_deref()
    }

    /// Whether a second try after an unknown outcome costs money.
    #[must_use]
    pub const fn costs(&self) -> bool {
        matches!(self.inner, Inner::Sms(_))
    }

    /// Sends `message`, which was put in the outbox at `queued`; ends within the channel's own timeout.
    ///
    /// # Errors
    /// Says what went wrong and whether another try may succeed. [`ChannelConfig::Desktop`] always fails:
    /// followers of the control socket show those.
    pub async fn send(&self, message: &Message, queued: Timestamp) -> Result<Receipt, SendError> {
        match &self.inner {
            Inner::Email(email) => email.send(message, queued).await,
            Inner::Ntfy(ntfy) => ntfy.send(message).await,
            Inner::Webhook(webhook) => webhook.send(message).await,
            Inner::Script(script) => script.send(message).await,
            Inner::Sms(sms) => sms.send(message).await,
            Inner::Journal => Ok(journal::say(message)),
            Inner::Desktop => Err(SendError::for_good(
                SendErrorKind::Unavailable,
                "shown by `simbellctl watch --notify` in the owner's session, not sent from here".to_owned(),
            )),
        }
    }

    fn new(
        config: ChannelConfig,
        clients: &mut HttpClients,
        gateway: Option<&Arc<dyn SmsGateway>>,
    ) -> Result<Self, Problem> {
        let kind = config.kind().to_owned();
        let mut caution = None;
        let inner = match config {
            ChannelConfig::Email(config) => {
                let email = Email::new(&config)?;
                caution = email.caution();
                Inner::Email(Box::new(email))
            }
            ChannelConfig::Ntfy(config) => {
                let ntfy = Ntfy::new(config, clients)?;
                caution = ntfy.caution();
                Inner::Ntfy(Box::new(ntfy))
            }
            ChannelConfig::Webhook(config) => {
                let webhook = Webhook::new(&config, clients)?;
                caution = webhook.caution();
                Inner::Webhook(Box::new(webhook))
            }
            ChannelConfig::Script(config) => {
                let script = Script::new(config, clients)?;
                caution = script.caution();
                Inner::Script(Box::new(script))
            }
            ChannelConfig::Sms(config) => Inner::Sms(Sms::new(config, gateway)?),
            ChannelConfig::Desktop => Inner::Desktop,
            ChannelConfig::Journal => Inner::Journal,
        };
        Ok(Self { kind, caution, inner })
    }
}

/// Checks `configs` and makes channels of them. SMS channels send through `gateway`.
///
/// # Errors
/// Every problem found, at most one a channel: a broken address, URL or template, a certificate file that
/// cannot be read.
pub fn build_channels(
    configs: impl IntoIterator<Item = (ChannelName, ChannelConfig)>,
    gateway: Option<&Arc<dyn SmsGateway>>,
) -> Result<BTreeMap<ChannelName, Channel>, Vec<ChannelError>> {
    let mut clients = HttpClients::default();
    let mut channels = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, config) in configs {
        match Channel::new(config, &mut clients, gateway) {
            Ok(channel) => {
                channels.insert(name, channel);
            }
            Err(Problem { key, problem }) => errors.push(ChannelError { channel: name, key, problem }),
        }
    }
    if errors.is_empty() { Ok(channels) } else { Err(errors) }
}

/// The message of a test fire, asked for at `at`.
#[must_use]
pub fn test_message(channel: &ChannelName, at: Timestamp, language: &str) -> Message {
    let (title, text) = if language.starts_with("zh") {
        ("simbell 测试", format!("渠道“{channel}”工作正常：提醒会送到这里。"))
    } else {
        ("simbell test", format!("Channel {channel} works: reminders arrive here."))
    };
    Message {
        title: title.to_owned(),
        text,
        urgency: Urgency::Info,
        key: format!("test/{channel}"),
        sim_name: None,
        raised_at: at,
        id: format!("test/{channel}/{}", at.as_millis()),
        language: language.to_owned(),
    }
}

pub(crate) const fn urgency_word(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Info => "info",
        Urgency::Warning => "warning",
        Urgency::Critical => "critical",
    }
}

/// Reads an address of the web; the text is `scheme://host:port`, which may be shown.
pub(crate) fn http_url(key: &'static str, text: &str) -> Result<(Uri, String), Problem> {
    let problem = |what: &str| Problem::new(key, what);
    let uri: Uri = text.trim().parse().map_err(|_| problem("is not a URL; expected https://host/path"))?;
    let scheme = match uri.scheme_str() {
        Some(scheme @ ("http" | "https")) => scheme,
        _ => return Err(problem("must begin with https:// (or http://, unprotected)")),
    };
    let authority = uri.authority().ok_or_else(|| problem("names no host; expected https://host/path"))?;
    if authority.as_str().contains('@') {
        return Err(problem("must not hold a login; use a header or the channel's own keys for it"));
    }
    let place = format!("{scheme}://{authority}");
    Ok((uri, place))
}

/// What to tell the owner where credentials would go over plain HTTP to another machine.
pub(crate) fn plain_http_caution(uri: &Uri, secrets: bool) -> Option<String> {
    let host = uri.host().unwrap_or_default();
    (secrets && uri.scheme_str() == Some("http") && !is_loopback(host))
        .then(|| format!("what is sent to {host} can be read on the way, secrets too: use https://"))
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
