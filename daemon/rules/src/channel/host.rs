//! What the script of a channel sees and gives: the message, the answer, the request as a value.

use rhai::{Dynamic, ImmutableString, Map};
use simbell_core::reminder::{Message, Urgency};
use simbell_core::request::{BodyKind, HttpAnswer, HttpBody, HttpMethod, HttpRequest, OWN_HEADERS, Verdict};
use simbell_core::time::{Span as CoreSpan, Timestamp};

use super::body::{MOST_BODY, Pieces, percent, read, scalar};
use super::marks;
use crate::host::properties;
use crate::registry::Registry;
use crate::text::{cut, harmless, short};
use crate::value::{Fallible, Span, fail, kind};

/// The most bytes of an address, and of one header.
const MOST_LINE: usize = 8 << 10;

const MOST_HEADERS: usize = 32;

/// The message to carry.
#[derive(Debug, Clone)]
pub(super) struct MessageView {
    title: ImmutableString,
    text: ImmutableString,
    urgency: &'static str,
    key: ImmutableString,
    sim: Dynamic,
    raised_at: Moment,
    sent_at: Moment,
    language: ImmutableString,
    id: ImmutableString,
}

/// What the receiver answered.
#[derive(Debug, Clone)]
pub(super) struct AnswerView {
    status: u16,
    body: ImmutableString,
}

/// An instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(Timestamp);

/// A request that a script made.
#[derive(Debug, Clone)]
pub(super) struct RequestValue(pub(super) HttpRequest);

/// What a script says of an answer.
#[derive(Debug, Clone)]
pub(super) struct VerdictValue(pub(super) Verdict);

/// A body to be sent as a form.
#[derive(Debug, Clone)]
struct Form(Map);

impl MessageView {
    /// `message` as sent at `now`, its texts made harmless and free of marks.
    pub(super) fn new(message: &Message, now: Timestamp) -> Self {
        let line = |text: &str, most| harmless(&marks::unmarked(text), most).replace('\n', " ");
        Self {
            title: line(&message.title, 250).into(),
            text: harmless(&marks::unmarked(&message.text), 4_000).trim().into(),
            urgency: match message.urgency {
                Urgency::Info => "info",
                Urgency::Warning => "warning",
                Urgency::Critical => "critical",
            },
            key: line(&message.key, 200).into(),
            sim: message.sim_name.as_deref().map_or(Dynamic::UNIT, |sim| line(sim, 64).into()),
            raised_at: Moment(message.raised_at),
            sent_at: Moment(now),
            language: line(&message.language, 35).into(),
            id: line(&message.id, 400).into(),
        }
    }
}

impl AnswerView {
    pub(super) fn new(answer: &HttpAnswer) -> Self {
        Self { status: answer.status, body: marks::unmarked(&answer.body).into() }
    }
}

properties!(register_message, MessageView, "Message", "The message that `send` is to carry.", {
    "title": "string", "Its title, one line." => |message: &mut MessageView| message.title.clone(),
    "text": "string", "What the reader is told, perhaps of several lines." => |message: &mut MessageView| {
        message.text.clone()
    },
    "urgency": "string", "`\"info\"`, `\"warning\"` or `\"critical\"`." => |message: &mut MessageView| message.urgency,
    "key": "string", "The reminder's key." => |message: &mut MessageView| message.key.clone(),
    "sim": "string?", "The name of the SIM that it is about." => |message: &mut MessageView| message.sim.clone(),
    "raised_at": "Moment", "When the reminder was raised." => |message: &mut MessageView| message.raised_at,
    "sent_at": "Moment", "When it is sent: now." => |message: &mut MessageView| message.sent_at,
    "language": "string", "The language of the text, such as `\"en\"`." => |message: &mut MessageView| {
        message.language.clone()
    },
    "id": "string", "What makes a message that is sent twice the same message." => |message: &mut MessageView| {
        message.id.clone()
    },
});

properties!(register_answer, AnswerView, "Answer", "What the service answered, for `accepted`.", {
    "status": "int", "The status of HTTP, such as 200." => |answer: &mut AnswerView| i64::from(answer.status),
    "ok": "bool", "Whether the status is one of success." => |answer: &mut AnswerView| {
        (200..300).contains(&answer.status)
    },
    "body": "string", "The text, 16 kB at most." => |answer: &mut AnswerView| answer.body.clone(),
    "json": "map", "The text as JSON; an empty map where it is none." => |answer: &mut AnswerView| read(&answer.body),
});

properties!(register_moment, Moment, "Moment", "An instant; as a text in UTC, such as `2026-11-22T06:05:00Z`.", {
    "seconds": "int", "Seconds since 1970." => |moment: &mut Moment| moment.0.as_secs(),
    "millis": "int", "Milliseconds since 1970." => |moment: &mut Moment| moment.0.as_millis(),
});

/// Makes all of it known to the scripts of channels.
pub(super) fn register(registry: &mut Registry<'_>) {
    crate::host::register_constants(registry.engine());
    crate::settings::Settings::register(registry);
    register_message(registry);
    register_answer(registry);
    register_moment(registry);
    registry
        .kind::<RequestValue>("Request", "An HTTP request as a value; what `send` gives.")
        .kind::<VerdictValue>("Verdict", "What an answer means; what `accepted` gives.")
        .kind::<Form>("Form", "Names with values, as a form sends them.");
    let text = |moment: &mut Moment| moment.0.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    registry.engine().register_fn("to_string", text).register_fn("to_debug", text);
    register_requests(registry.section("Channels: requests"));
    register_texts(registry.section("Channels: texts"));
    registry
        .section("Channels: answers")
        .function("refused() -> Verdict", "refused()", "The service does not take the message.", || {
            VerdictValue(Verdict::Refused(None))
        })
        .function(
            "refused(why: any) -> Verdict",
            "refused(answer.json.errmsg)",
            "It does not take the message, and says why.",
            |why: Dynamic| VerdictValue(Verdict::Refused(Some(why_of(&why)))),
        )
        .function(
            "retry(why: any) -> Verdict",
            "retry(\"too many messages\")",
            "It may take the message later.",
            |why: Dynamic| VerdictValue(Verdict::Later { why: why_of(&why), after: None }),
        )
        .function(
            "retry(why: any, after: Span) -> Verdict",
            "retry(\"too many messages\", 1.minute)",
            "It may take the message later, but not before so long.",
            |why: Dynamic, after: Span| {
                let after = Some(CoreSpan::secs(after.0.div_euclid(1_000)));
                VerdictValue(Verdict::Later { why: why_of(&why), after })
            },
        );
}

fn register_requests(registry: &mut Registry<'_>) {
    registry
        .function(
            "http_post(url: string, body: string | map | list | Form) -> Request",
            "http_post(settings.webhook, #{ text: message.text })",
            "POST: a map or a list is sent as JSON, a text as it is.",
            |url: &str, body: Dynamic| request(HttpMethod::Post, url, &Map::new(), Some(&body)),
        )
        .function(
            "http_post(url: string, headers: map, body: string | map | list | Form) -> Request",
            "http_post(`${settings.url}/message`, #{ \"X-Key\": settings.token }, #{ text: message.text })",
            "POST with headers.",
            |url: &str, headers: Map, body: Dynamic| request(HttpMethod::Post, url, &headers, Some(&body)),
        )
        .function(
            "http_put(url: string, body: string | map | list | Form) -> Request",
            "http_put(settings.url, #{ text: message.text })",
            "PUT, otherwise as POST.",
            |url: &str, body: Dynamic| request(HttpMethod::Put, url, &Map::new(), Some(&body)),
        )
        .function(
            "http_put(url: string, headers: map, body: string | map | list | Form) -> Request",
            "http_put(settings.url, #{ Authorization: `Bearer ${settings.token}` }, #{ text: message.text })",
            "PUT with headers.",
            |url: &str, headers: Map, body: Dynamic| request(HttpMethod::Put, url, &headers, Some(&body)),
        )
        .function(
            "http_get(url: string) -> Request",
            "http_get(`${settings.url}?text=${url_encode(message.text)}`)",
            "GET: asks, without a body.",
            |url: &str| request(HttpMethod::Get, url, &Map::new(), None),
        )
        .function(
            "http_get(url: string, headers: map) -> Request",
            "http_get(settings.url, #{ Authorization: `Bearer ${settings.token}` })",
            "GET with headers.",
            |url: &str, headers: Map| request(HttpMethod::Get, url, &headers, None),
        )
        .function(
            "form(fields: map) -> Form",
            "form(#{ title: message.title, message: message.text })",
            "A body as a form sends it; what is absent is left out.",
            Form,
        );
}

fn register_texts(registry: &mut Registry<'_>) {
    registry
        .function(
            "hmac_sha256(key: string, text: string) -> string",
            "base64(hmac_sha256(settings.secret, message.text))",
            "Signs a text; secrets may be in both. Stands in `base64(…)` or `hex(…)`.",
            marks::hmac_sha256,
        )
        .function("base64(text: string) -> string", "base64(`${settings.user}:${settings.password}`)", "Base 64, of \
             secrets too.", marks::base64)
        .function("hex(text: string) -> string", "hex(hmac_sha256(settings.secret, message.text))", "Hexadecimal \
             digits, of secrets too.", marks::hex)
        .function(
            "url_encode(text: string) -> string",
            "url_encode(message.id)",
            "A text as a part of an address. Secrets are encoded by themselves.",
            |text: &str| -> Fallible<String> {
                if marks::unmarked(text).len() == text.len() {
                    return Ok(percent(text));
                }
                fail("`url_encode` cannot encode a secret: it is encoded by itself where it stands in an address")
            },
        )
        .function(
            "shorten(text: string, most: int) -> string",
            "shorten(message.text, 1000)",
            "A text of so many characters at most; a longer one ends in `…`.",
            |text: &str, most: i64| -> String {
                let most = usize::try_from(most).unwrap_or(0);
                if text.chars().count() <= most {
                    return text.to_owned();
                }
                text.chars().take(most.saturating_sub(1)).chain((most > 0).then_some('…')).collect()
            },
        )
        .function(
            "shorten_bytes(text: string, most: int) -> string",
            "shorten_bytes(message.text, 2048)",
            "A text of so many bytes of UTF-8 at most; a longer one ends in `…`.",
            |text: &str, most: i64| -> String {
                let most = usize::try_from(most).unwrap_or(0);
                match most.checked_sub('…'.len_utf8()) {
                    _ if text.len() <= most => text.to_owned(),
                    Some(room) => format!("{}…", cut(text, room)),
                    None => cut(text, most).to_owned(),
                }
            },
        );
}

fn request(method: HttpMethod, url: &str, headers: &Map, body: Option<&Dynamic>) -> Fallible<RequestValue> {
    if headers.len() > MOST_HEADERS {
        return fail(format!("a request has {MOST_HEADERS} headers at most"));
    }
    let mut typed = None;
    let mut list = Vec::new();
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_unit()) {
        if !is_token(name) {
            return fail(format!("`{}` is not the name of a header", short(name)));
        }
        if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            return fail(format!("the header `{}` is the service's own: leave it out", short(name)));
        }
        let text = said(scalar(value, name))?;
        if text.chars().any(char::is_control) {
            return fail(format!("the header `{}` has a line break or a control character", short(name)));
        }
        if name.eq_ignore_ascii_case("content-type") {
            typed = Some(kind_of(&text));
        }
        list.push((name.to_string(), said(Pieces::plain(&text, MOST_LINE))?));
    }
    let url = said(Pieces::plain(url.trim(), MOST_LINE).map_err(|error| format!("the address: {error}")))?;
    let body = body.map(|body| said(body_of(body, typed))).transpose()?;
    Ok(RequestValue(HttpRequest { method, url, headers: list, body }))
}

fn body_of(body: &Dynamic, typed: Option<BodyKind>) -> Result<HttpBody, String> {
    if let Some(form) = body.read_lock::<Form>() {
        return Ok(HttpBody { kind: BodyKind::Form, pieces: Pieces::form(&form.0)? });
    }
    if let Ok(text) = body.as_immutable_string_ref() {
        let pieces = Pieces::plain(&text, MOST_BODY)?;
        return Ok(HttpBody { kind: typed.unwrap_or(BodyKind::Text), pieces });
    }
    if body.is_map() || body.is_array() {
        return Ok(HttpBody { kind: BodyKind::Json, pieces: Pieces::json(body)? });
    }
    Err(format!("the body is {}: give a text, a map for JSON, or form(#{{ … }})", kind(body)))
}

/// How secrets are written into a text of this media type.
fn kind_of(media: &str) -> BodyKind {
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        "application/x-www-form-urlencoded" => BodyKind::Form,
        media if media == "application/json" || media.ends_with("+json") => BodyKind::Json,
        _ => BodyKind::Text,
    }
}

/// A token (RFC 9110, section 5.6.2).
fn is_token(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn said<T>(result: Result<T, String>) -> Fallible<T> {
    result.or_else(fail)
}

fn why_of(why: &Dynamic) -> String {
    let text = scalar(why, "the reason").unwrap_or_else(|_| why.to_string());
    harmless(&marks::masked(&text), 300)
}
