//! One HTTP/1.1 client for every push: verified TLS, no redirects, no proxy, no connection kept open.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{DATE, LOCATION, RETRY_AFTER};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use simbell_core::request::HttpAnswer;
use simbell_core::time::Span;

use crate::channel::Receipt;
use crate::error::{Problem, SendError, SendErrorKind, is_tls};
use crate::redact::{LONGEST, Redactor};
use crate::text::one_line;

/// What is read of an answer: enough for its first line, or what a script looks for in it.
const LONGEST_ANSWER: usize = 16 * 1024;

/// Of where an answer points to, in characters.
const LONGEST_TARGET: usize = 150;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(15);

/// TLS sessions that may be resumed: of four receivers. There is room for all from the start, of which the library's own
/// 256 would take 15 kB.
const SESSIONS: usize = 32;

/// A `Retry-After` beyond this is cut to it.
const LONGEST_AFTER: Span = Span::secs(86_400);

/// The clients, one for each set of trusted authorities: a private authority of one receiver is not to
/// vouch for another.
#[derive(Default)]
pub(crate) struct HttpClients {
    by_ca: BTreeMap<Option<PathBuf>, Arc<HttpClient>>,
}

impl HttpClients {
    pub(crate) fn get(&mut self, ca_file: Option<&PathBuf>) -> Result<Arc<HttpClient>, Problem> {
        if let Some(client) = self.by_ca.get(&ca_file.cloned()) {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(HttpClient::new(ca_file)?);
        self.by_ca.insert(ca_file.cloned(), Arc::clone(&client));
        Ok(client)
    }
}

/// A client that trusts one set of authorities.
pub(crate) struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl HttpClient {
    fn new(ca_file: Option<&PathBuf>) -> Result<Self, Problem> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let fault = |error: rustls::Error| Problem::new("ca_file", format!("TLS cannot be set up: {error}"));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(fault)?;
        let config = match ca_file {
            None => config.with_webpki_roots(),
            Some(path) => config.with_root_certificates(authorities(path)?),
        };
        let mut config = config.with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        let builder = HttpsConnectorBuilder::new().with_tls_config(config);
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        // Shared among the addresses of a host. After 300 ms the other address family is tried as well.
        http.set_connect_timeout(Some(CONNECT));
        let connector = builder.https_or_http().enable_http1().wrap_connector(http);
        // A connection kept open would wake the service for nothing: pushes are hours apart.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .retry_canceled_requests(false)
            .build(connector);
        Ok(Self { client })
    }

    /// Sends `request` and judges the answer by its status; `place` names the receiver in texts.
    pub(crate) async fn push(
        &self,
        request: Request<Full<Bytes>>,
        place: &str,
        timeout: Duration,
        redactor: &Redactor,
    ) -> Result<Receipt, SendError> {
        let until = tokio::time::Instant::now() + timeout;
        let response = self.response(request, place, timeout, redactor).await?;
        if response.status().is_success() {
            return Ok(Receipt { text: format!("{place} answered {}", response.status().as_u16()) });
        }
        Answer::read(response, until, redactor).await.by_status(place, redactor)
    }

    /// Sends `request` and reads the answer, whatever it is.
    pub(crate) async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        place: &str,
        timeout: Duration,
        redactor: &Redactor,
    ) -> Result<Answer, SendError> {
        let until = tokio::time::Instant::now() + timeout;
        let response = self.response(request, place, timeout, redactor).await?;
        Ok(Answer::read(response, until, redactor).await)
    }

    async fn response(
        &self,
        request: Request<Full<Bytes>>,
        place: &str,
        timeout: Duration,
        redactor: &Redactor,
    ) -> Result<Response<Incoming>, SendError> {
        match tokio::time::timeout(timeout, self.client.request(request)).await {
            Err(_) => {
                // What is left of a limit of 3 s is a little less.
                let seconds = timeout.as_millis().div_ceil(1_000);
                let text = format!("{place}: no answer within {seconds} s");
                Err(SendError::again(SendErrorKind::TimedOut, text))
            }
            Ok(Err(error)) => Err(connection_error(&error, place, redactor)),
            Ok(Ok(response)) => Ok(response),
        }
    }
}

/// An answer as far as it was read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Not before this long, where the receiver said so.
    pub(crate) after: Option<Span>,
    /// Where it points to.
    location: Option<String>,
    /// Bounded; hostile text that may hold secrets.
    pub(crate) body: String,
    /// Whether the body goes on.
    cut: bool,
}

impl Answer {
    async fn read(response: Response<Incoming>, until: tokio::time::Instant, redactor: &Redactor) -> Self {
        let headers = response.headers();
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, after) = (response.status(), retry_after(headers));
        let mut body = response.into_body();
        let mut bytes: Vec<u8> = Vec::new();
        let mut cut = false;
        // What comes too late is left out: the status is known.
        while let Ok(Some(Ok(frame))) = tokio::time::timeout_at(until, body.frame()).await {
            if let Some(data) = frame.data_ref() {
                bytes.extend_from_slice(data);
            }
            if bytes.len() > LONGEST_ANSWER {
                bytes.truncate(LONGEST_ANSWER);
                cut = true;
                break;
            }
        }
        let body = if cut {
            // Neither a character nor a secret that the limit has split.
            redactor.masked_to_the_cut(&without_split_character(&bytes))
        } else {
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Self { status, after, location, body, cut }
    }

    /// One of a status and a body alone; none where it is no status.
    pub(crate) fn of(answer: &HttpAnswer) -> Option<Self> {
        let status = StatusCode::from_u16(answer.status).ok()?;
        Some(Self { status, after: None, location: None, body: answer.body.clone(), cut: false })
    }

    /// What the status means.
    pub(crate) fn by_status(&self, place: &str, redactor: &Redactor) -> Result<Receipt, SendError> {
        if self.status.is_success() {
            return Ok(Receipt { text: format!("{place} answered {}", self.status.as_u16()) });
        }
        Err(judged(self, &self.said(redactor), place, redactor))
    }

    /// The first line of the body, or what a JSON body says of the error, bounded and clean.
    pub(crate) fn said(&self, redactor: &Redactor) -> String {
        const WORDS: [&str; 6] = ["error", "message", "detail", "description", "errmsg", "msg"];
        let text = &self.body;
        let json = (!self.cut).then(|| serde_json::from_str::<serde_json::Value>(text).ok()).flatten();
        let line = json
            .as_ref()
            .and_then(|json| WORDS.iter().find_map(|key| json.get(key)?.as_str()))
            .or_else(|| text.lines().map(str::trim).find(|line| !line.is_empty()));
        redactor.clean(line.unwrap_or_default())
    }
}

/// Text without the character that a cut after its last byte has split.
fn without_split_character(bytes: &[u8]) -> Cow<'_, str> {
    let whole = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => bytes.get(..error.valid_up_to()).unwrap_or_default(),
        _ => bytes,
    };
    String::from_utf8_lossy(whole)
}

/// A time to wait that somebody else asks for, kept within reason.
pub(crate) fn bounded_after(after: Span) -> Span {
    after.clamp(Span::ZERO, LONGEST_AFTER)
}

fn authorities(path: &PathBuf) -> Result<RootCertStore, Problem> {
    let problem = |what: String| Problem::new("ca_file", format!("{}: {what}", path.display()));
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| problem(error.to_string()))? {
        let certificate = certificate.map_err(|error| problem(error.to_string()))?;
        store.add(certificate).map_err(|error| problem(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(problem("holds no certificate; expected PEM blocks `BEGIN CERTIFICATE`".to_owned()));
    }
    Ok(store)
}

fn judged(answer: &Answer, said: &str, place: &str, redactor: &Redactor) -> SendError {
    let code = answer.status.as_u16();
    let answered = if said.is_empty() {
        format!("{place} answered {code}")
    } else {
        // With its beginning it may be longer than a text of an error is.
        one_line(&format!("{place} answered {code}: {said}"), LONGEST)
    };
    if answer.status.is_redirection() {
        let target = answer.location.as_deref().unwrap_or("nowhere");
        let text = format!(
            "{place} answered {code} and points to {}; redirects are not followed: write the final address \
             to `url`",
            one_line(&redactor.clean(target), LONGEST_TARGET),
        );
        return SendError::for_good(SendErrorKind::Refused, one_line(&text, LONGEST));
    }
    match code {
        401 | 403 | 407 => SendError::for_good(SendErrorKind::Login, answered),
        // 408 Request Timeout, 425 Too Early, 429 Too Many Requests.
        408 | 425 | 429 | 500..=599 => {
            SendError { kind: SendErrorKind::Busy, retry: true, after: answer.after, text: answered }
        }
        _ => SendError::for_good(SendErrorKind::Refused, answered),
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3); a date counts from the answer's own
/// `Date`, so that no clock is read and a receiver's wrong clock does no harm.
fn retry_after(headers: &HeaderMap) -> Option<Span> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    let span = if let Ok(seconds) = asked.parse::<u32>() {
        Span::secs(i64::from(seconds))
    } else {
        let until = chrono::DateTime::parse_from_rfc2822(asked).ok()?;
        let from = chrono::DateTime::parse_from_rfc2822(text(DATE)?).ok()?;
        Span::secs(until.signed_duration_since(from).num_seconds())
    };
    Some(bounded_after(span))
}

fn connection_error(error: &(dyn StdError + 'static), place: &str, redactor: &Redactor) -> SendError {
    let kind = if is_tls(error) { SendErrorKind::Tls } else { SendErrorKind::Unreachable };
    let mut words: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let word = cause.to_string();
        // Several layers repeat the text of the one below.
        if !words.iter().any(|known| known.contains(&word)) {
            words.push(word);
        }
        next = cause.source();
    }
    SendError::again(kind, redactor.clean(&format!("{place}: {}", words.join(": "))))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn after(pairs: &[(hyper::header::HeaderName, &'static str)]) -> Option<Span> {
        retry_after(
            &pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect(),
        )
    }

    #[test]
    fn retry_after_in_both_forms() {
        let date = "Sun, 22 Nov 2026 10:00:00 GMT";
        assert_eq!(after(&[(RETRY_AFTER, "120")]), Some(Span::secs(120)));
        assert_eq!(after(&[(RETRY_AFTER, "4294967295")]), Some(LONGEST_AFTER));
        assert_eq!(
            after(&[(RETRY_AFTER, "Sun, 22 Nov 2026 10:05:00 GMT"), (DATE, date)]),
            Some(Span::secs(300)),
        );
        assert_eq!(after(&[(RETRY_AFTER, "Sun, 22 Nov 2026 09:00:00 GMT"), (DATE, date)]), Some(Span::ZERO));
        assert_eq!(after(&[(RETRY_AFTER, "Sun, 22 Nov 2026 10:05:00 GMT")]), None);
        assert_eq!(after(&[(RETRY_AFTER, "soon")]), None);
        assert_eq!(after(&[(RETRY_AFTER, "-5")]), None);
        assert_eq!(after(&[]), None);
    }

    #[test]
    fn each_status_has_its_consequence() {
        for (code, retry, kind) in [
            (301, false, SendErrorKind::Refused),
            (400, false, SendErrorKind::Refused),
            (401, false, SendErrorKind::Login),
            (404, false, SendErrorKind::Refused),
            (408, true, SendErrorKind::Busy),
            (429, true, SendErrorKind::Busy),
            (500, true, SendErrorKind::Busy),
            (507, true, SendErrorKind::Busy),
        ] {
            let status = StatusCode::from_u16(code).unwrap();
            let answer = Answer { status, after: None, location: None, body: String::new(), cut: false };
            let error = judged(&answer, "why", "http://h", &Redactor::default());
            assert_eq!((error.retry, error.kind), (retry, kind), "{code}");
            assert!(error.text.contains(&code.to_string()), "{}", error.text);
        }
    }

    #[test]
    fn what_is_said_of_a_refusal_is_bounded_with_its_beginning() {
        let long = "x".repeat(1_000);
        for code in [301, 400, 503] {
            let status = StatusCode::from_u16(code).unwrap();
            let answer =
                Answer { status, after: None, location: Some(long.clone()), body: long.clone(), cut: false };
            let text =
                answer.by_status("https://push.example.org:8443", &Redactor::default()).unwrap_err().text;
            assert!(text.chars().count() <= LONGEST, "{} characters", text.chars().count());
            assert!(text.starts_with(&format!("https://push.example.org:8443 answered {code}")), "{text}");
            assert!(code != 301 || text.ends_with("write the final address to `url`"), "{text}");
        }
    }

    #[test]
    fn a_character_that_a_cut_has_split_is_left_out() {
        let bytes = "aü".as_bytes();
        assert_eq!(without_split_character(bytes), "aü");
        assert_eq!(without_split_character(&bytes[..2]), "a");
        assert_eq!(without_split_character(b"a\xff"), "a\u{fffd}");
    }
}
