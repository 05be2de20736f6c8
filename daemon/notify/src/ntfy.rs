//! Push by an ntfy server: its JSON publish API, which carries UTF-8 titles.
//!
//! Source: docs.ntfy.sh/publish, "Publish as JSON".

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};
use secrecy::ExposeSecret;
use simbell_core::reminder::{Message, Urgency};

use crate::channel::{AGENT, Receipt};
use crate::config::{NtfyAuth, NtfyConfig};
use crate::error::{Problem, SendError, SendErrorKind};
use crate::http::{HttpClient, HttpClients};
use crate::redact::{Redactor, base64, stable_name};
use crate::text::{lines_of_bytes, one_line};

pub(crate) struct Ntfy {
    client: Arc<HttpClient>,
    uri: Uri,
    place: String,
    config: NtfyConfig,
    authorization: Option<HeaderValue>,
    redactor: Redactor,
    timeout: Duration,
}

impl Ntfy {
    pub(crate) fn new(config: NtfyConfig, clients: &mut HttpClients) -> Result<Self, Problem> {
        let (uri, place) = base(&config.url)?;
        let topic = config.topic.expose_secret();
        // ntfy: ^[-_A-Za-z0-9]{1,64}$
        if topic.is_empty()
            || topic.len() > 64
            || !topic.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        {
            return Err(Problem::new("topic", "must be 1 to 64 letters, digits, `-` and `_`"));
        }
        let (authorization, secrets) = match &config.auth {
            NtfyAuth::None => (None, vec![]),
            NtfyAuth::Token(token) => {
                let token = token.expose_secret().to_owned();
                (Some(format!("Bearer {token}")), vec![token])
            }
            NtfyAuth::Login(login) => {
                let password = login.password.expose_secret();
                let pair = base64(format!("{}:{password}", login.user).as_bytes());
                (Some(format!("Basic {pair}")), vec![password.to_owned(), pair])
            }
        };
        let authorization = authorization
            .map(|text| HeaderValue::from_str(&text))
            .transpose()
            .map_err(|_| Problem::new("token", "must not hold control characters"))?
            .map(|mut value| {
                value.set_sensitive(true);
                value
            });
        let redactor = Redactor::new(secrets.iter().map(String::as_str).chain([topic]));
        let client = clients.get(config.ca_file.as_ref())?;
        Ok(Self { client, uri, place, timeout: config.timeout, authorization, redactor, config })
    }

    pub(crate) fn caution(&self) -> Option<String> {
        crate::channel::plain_http_caution(&self.uri, self.authorization.is_some())
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let fault = |text: String| SendError::for_good(SendErrorKind::Fault, text);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(self.body(message))))
            .map_err(|error| fault(error.to_string()))?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        self.client.push(request, &self.place, self.timeout, &self.redactor).await
    }

    fn body(&self, message: &Message) -> String {
        let mut tags = self.config.tags.clone();
        tags.push(tag(message.urgency).to_owned());
        let mut body = serde_json::json!({
            "topic": self.config.topic.expose_secret(),
            "title": one_line(&message.title, 250),
            // Above 4,096 bytes ntfy makes an attachment of the text.
            "message": lines_of_bytes(&message.text, 4_000),
            "priority": priority(message.urgency),
            "tags": tags,
            // A second copy of the same message replaces the first (ntfy 2.16); older servers ignore it.
            "sequence_id": stable_name(&message.id),
        });
        if let (Some(click), Some(fields)) = (&self.config.click, body.as_object_mut()) {
            fields.insert("click".to_owned(), click.as_str().into());
        }
        body.to_string()
    }
}

/// The URL to publish to, and the text that names it.
fn base(url: &str) -> Result<(Uri, String), Problem> {
    let (uri, place) = crate::channel::http_url("url", url)?;
    if uri.query().is_some() {
        return Err(Problem::new("url", "must be the server's base address, without a query"));
    }
    let path = uri.path().trim_matches('/');
    let text = if path.is_empty() { format!("{place}/") } else { format!("{place}/{path}/") };
    let uri = text.parse().map_err(|error| Problem::new("url", format!("{error}")))?;
    Ok((uri, place))
}

/// ntfy's priorities: 3 default, 4 high, 5 urgent (rings through "do not disturb").
const fn priority(urgency: Urgency) -> u8 {
    match urgency {
        Urgency::Info => 3,
        Urgency::Warning => 4,
        Urgency::Critical => 5,
    }
}

/// ntfy shows these as emoji.
const fn tag(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Info => "bell",
        Urgency::Warning => "warning",
        Urgency::Critical => "rotating_light",
    }
}
