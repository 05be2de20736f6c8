//! A generic webhook: one HTTP request made of templates.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};
use secrecy::ExposeSecret;
use simbell_core::reminder::Message;
use simbell_core::request::{OWN_HEADERS, percent};

use crate::channel::{AGENT, Receipt, http_url, plain_http_caution};
use crate::config::WebhookConfig;
use crate::error::{Problem, SendError, SendErrorKind};
use crate::http::{HttpClient, HttpClients};
use crate::redact::Redactor;
use crate::template::{DEFAULT_TEMPLATE, Escape, Template};

/// The header that carries the dedupe key.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(crate) struct Webhook {
    client: Arc<HttpClient>,
    url: Template,
    sample: Uri,
    place: String,
    method: Method,
    headers: HeaderMap,
    body: Option<(Template, Escape)>,
    content_type: HeaderValue,
    redactor: Redactor,
    timeout: Duration,
}

impl Webhook {
    pub(crate) fn new(config: &WebhookConfig, clients: &mut HttpClients) -> Result<Self, Problem> {
        let url = Template::parse(config.url.expose_secret()).map_err(|text| Problem::new("url", text))?;
        // Slash after the host: no placeholder may decide where the message goes.
        if url.has_placeholders() && url.head().matches('/').count() < 3 {
            return Err(Problem::new("url", "placeholders may stand in the path and the query only"));
        }
        let (sample, place) = http_url("url", &url.render_sample(Escape::Percent))?;
        let method = method(&config.method)?;
        let body = (method != Method::GET).then(|| body(config)).transpose()?;
        if method == Method::GET && config.template.is_some() {
            return Err(Problem::new(
                "template",
                "GET has no body; put placeholders into `url`, or set method = \"POST\"",
            ));
        }
        let content_type = HeaderValue::from_str(&config.content_type)
            .map_err(|_| Problem::new("content_type", "must not hold control characters"))?;
        let (headers, mut secrets) = headers(config)?;
        // What follows the host, in whole and by parts: an answer may repeat any of it.
        let behind = |text: &str| text.get(place.len()..).unwrap_or_default().to_owned();
        secrets.push(behind(config.url.expose_secret()));
        secrets.extend(
            url.literals()
                .flat_map(|text| text.strip_prefix(&place).unwrap_or(text).split(['/', '?', '&', '=']))
                .filter(|part| part.len() >= 8)
                .map(str::to_owned),
        );
        secrets.retain(|secret| secret.len() > 1);
        let redactor = Redactor::new(secrets.iter().map(String::as_str));
        let client = clients.get(config.ca_file.as_ref())?;
        let timeout = config.timeout;
        Ok(Self { client, url, sample, place, method, headers, body, content_type, redactor, timeout })
    }

    pub(crate) fn caution(&self) -> Option<String> {
        plain_http_caution(&self.sample, true)
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let fault = |text: String| SendError::for_good(SendErrorKind::Fault, self.redactor.clean(&text));
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(self.url.render(message, Escape::Percent))
            .header(USER_AGENT, AGENT)
            .header(IDEMPOTENCY_KEY, idempotency_key(&message.id));
        let mut bytes = Bytes::new();
        if let Some((template, escape)) = &self.body {
            request = request.header(CONTENT_TYPE, self.content_type.clone());
            bytes = Bytes::from(template.render(message, *escape));
        }
        let mut request = request.body(Full::new(bytes)).map_err(|error| fault(error.to_string()))?;
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        self.client.push(request, &self.place, self.timeout, &self.redactor).await
    }
}

/// The dedupe key as a header can carry it: every byte but visible ASCII, and `%`, percent-encoded.
pub(crate) fn idempotency_key(id: &str) -> String {
    percent(id, |byte| byte.is_ascii_graphic() && byte != b'%')
}

fn method(text: &str) -> Result<Method, Problem> {
    match text.to_ascii_uppercase().as_str() {
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        "GET" => Ok(Method::GET),
        _ => Err(Problem::new("method", "must be POST, PUT, PATCH or GET")),
    }
}

fn body(config: &WebhookConfig) -> Result<(Template, Escape), Problem> {
    let kind = config.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let escape = match kind.as_str() {
        "application/json" => Escape::Json,
        kind if kind.starts_with("application/") && kind.ends_with("+json") => Escape::Json,
        "application/x-www-form-urlencoded" => Escape::Percent,
        "text/plain" => Escape::Plain,
        _ => {
            return Err(Problem::new(
                "content_type",
                "must be application/json, application/x-www-form-urlencoded or text/plain: for others it is \
                 not known how texts are escaped",
            ));
        }
    };
    let text = match (&config.template, escape) {
        (Some(text), _) => text,
        (None, Escape::Json) => DEFAULT_TEMPLATE,
        (None, Escape::Percent) => "title={{title}}&text={{text}}&key={{key}}&urgency={{urgency}}&id={{id}}",
        (None, Escape::Plain) => "{{title}}\n{{text}}",
    };
    let template = Template::parse(text).map_err(|text| Problem::new("template", text))?;
    if escape == Escape::Json {
        serde_json::from_str::<serde_json::Value>(&template.render_sample(escape)).map_err(|error| {
            let text = format!(
                "is not JSON once filled in ({error}); placeholders stand in quotes: \"{{{{title}}}}\""
            );
            Problem::new("template", text)
        })?;
    }
    Ok((template, escape))
}

fn headers(config: &WebhookConfig) -> Result<(HeaderMap, Vec<String>), Problem> {
    let mut headers = HeaderMap::new();
    let mut secrets = Vec::new();
    for header in &config.headers {
        let name = HeaderName::try_from(header.name.as_str()).map_err(|_| {
            Problem::new("headers", "the name of a header may hold letters, digits and `-` only")
        })?;
        // Who sends it the owner may say otherwise; what it holds has a key of its own.
        if OWN_HEADERS.contains(&name.as_str()) && name != USER_AGENT || name == CONTENT_TYPE {
            return Err(Problem::new("headers", format!("`{name}` is set by the service itself; remove it")));
        }
        let text = header.value.expose_secret();
        let mut value = HeaderValue::from_str(text).map_err(|_| {
            Problem::new("headers", format!("the value of `{name}` must not hold control characters"))
        })?;
        let credential = matches!(name.as_str(), "authorization" | "proxy-authorization" | "cookie");
        if header.secret || credential {
            value.set_sensitive(true);
            secrets.push(text.to_owned());
            // `Bearer TOKEN`: the token alone is the secret.
            secrets.extend(text.split_whitespace().skip(1).map(str::to_owned));
        }
        headers.insert(name, value);
    }
    Ok((headers, secrets))
}
