//! Expectations of requests, and of what becomes of a message.

use rhai::{Dynamic, Map};
use rust_decimal::Decimal;
use serde_json::Value;

use super::Fate;
use super::language::{Ctx, desk};
use super::shown::Shown;
use crate::channel::json_of;
use crate::problem::nearest;
use crate::registry::Registry;
use crate::text::{harmless, short};
use crate::trial::expect::list;
use crate::trial::plan::known;
use crate::value::{Fallible, Span, fail};

const REQUEST_KEYS: [&str; 5] = ["headers", "json", "form", "text", "contains"];
const REFUSED_KEYS: [&str; 1] = ["contains"];
const RETRY_KEYS: [&str; 2] = ["contains", "after"];

/// So much of a text is quoted.
const MOST_TEXT: usize = 200;

pub(super) fn register(registry: &mut Registry<'_>) {
    registry
        .function(
            "expect_request(method: string, url: string)",
            "expect_request(\"POST\", \"[url]/message\")",
            "That was sent to this address.",
            |c: Ctx<'_>, method: &str, url: &str| request(&c, method, url, &Map::new()),
        )
        .function(
            "expect_request(method: string, url: string, how: map)",
            "expect_request(\"POST\", \"[url]/message\", #{ json: #{ text: \"80% used\", token: \"[token]\" } })",
            "That was sent to this address, and as the map has it.",
            |c: Ctx<'_>, method: &str, url: &str, how: Map| request(&c, method, url, &how),
        )
        .function(
            "expect_not_sent()",
            "expect_not_sent()",
            "A message is not sent, whatever is said of it.",
            |c: Ctx<'_>| not_sent(&c, Map::new(), ""),
        )
        .function(
            "expect_not_sent(why: string)",
            "expect_not_sent(\"which the plugin's manifest does not name\")",
            "A message is not sent, and what is said of it contains that.",
            |c: Ctx<'_>, why: &str| not_sent(&c, Map::new(), why),
        )
        .function(
            "expect_not_sent(message: map, why: string)",
            "expect_not_sent(#{ urgency: \"info\" }, \"the channel failed\")",
            "That message is not sent, and what is said of it contains that.",
            |c: Ctx<'_>, message: Map, why: &str| not_sent(&c, message, why),
        )
        .function("expect_delivered()", "expect_delivered()", "After the answer the message is delivered.", |c: Ctx<'_>| {
            fate(&c, Wanted::Delivered, &Map::new())
        })
        .function(
            "expect_refused()",
            "expect_refused()",
            "After the answer the message is given up.",
            |c: Ctx<'_>| fate(&c, Wanted::Refused, &Map::new()),
        )
        .function(
            "expect_refused(how: map)",
            "expect_refused(#{ contains: \"chat not found\" })",
            "After the answer the message is given up, for a reason that contains that.",
            |c: Ctx<'_>, how: Map| fate(&c, Wanted::Refused, &how),
        )
        .function(
            "expect_retry()",
            "expect_retry()",
            "After the answer the message is to be tried again.",
            |c: Ctx<'_>| fate(&c, Wanted::Retried, &Map::new()),
        )
        .function(
            "expect_retry(how: map)",
            "expect_retry(#{ contains: \"too many\", after: 10.minutes })",
            "After the answer the message is to be tried again, as the map has it.",
            |c: Ctx<'_>, how: Map| fate(&c, Wanted::Retried, &how),
        );
}

fn request(context: &Ctx<'_>, method: &str, url: &str, how: &Map) -> Fallible<()> {
    let wanted = WantedRequest::read(method, url, how).or_else(fail)?;
    desk(context)?.play(move |desk| {
        let differs = wanted.differs(desk.sent()?);
        match differs {
            None => Ok(()),
            Some((differs, hint)) => {
                desk.hint = hint;
                Err(differs)
            }
        }
    })
}

fn not_sent(context: &Ctx<'_>, message: Map, why: &str) -> Fallible<()> {
    let why = why.to_owned();
    desk(context)?.play(move |desk| {
        let sent_before = desk.sent().is_ok();
        match desk.send_another(&message) {
            Err(said) if said.contains(&why) => Ok(()),
            Err(said) => Err(format!(
                "the message is not sent, but what is said of it does not contain \"{}\": {}",
                short(&why),
                quoted(&said)
            )),
            Ok(()) => {
                let hint = "it is a message of its own: give it what send() was given, and leave send() out";
                desk.hint = sent_before.then(|| hint.to_owned());
                let to = desk.sent().map(|shown| quoted(&shown.url)).unwrap_or_default();
                Err(format!("the message was sent, to {to}"))
            }
        }
    })
}

/// What of a request is expected.
#[derive(Debug)]
struct WantedRequest {
    method: String,
    url: String,
    /// None where a header is not to be there.
    headers: Vec<(String, Option<String>)>,
    json: Option<Value>,
    form: Option<Vec<(String, String)>>,
    text: Option<String>,
    contains: Vec<String>,
}

impl WantedRequest {
    fn read(method: &str, url: &str, how: &Map) -> Result<Self, String> {
        known(how, &REQUEST_KEYS, "an expectation of a request")?;
        if !["GET", "POST", "PUT"].contains(&method) {
            return Err(format!("`{}` is no method: it is \"GET\", \"POST\" or \"PUT\"", short(method)));
        }
        let map = |key: &str| match how.get(key) {
            None => Ok(None),
            Some(value) => match value.read_lock::<Map>() {
                Some(map) => Ok(Some(map.clone())),
                None => Err(format!("`{key}` is a map, such as #{{ name: \"value\" }}")),
            },
        };
        let header = |(name, value): (&rhai::Identifier, &Dynamic)| {
            (name.to_string(), (!value.is_unit()).then(|| value.to_string()))
        };
        Ok(Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: map("headers")?.iter().flatten().map(header).collect(),
            json: how.get("json").map(json_of).transpose()?,
            form: map("form")?
                .map(|form| form.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()),
            text: how.get("text").map(Dynamic::to_string),
            contains: how.get("contains").map(list).unwrap_or_default(),
        })
    }

    /// What a request is that it should not be, and what may help.
    fn differs(&self, sent: &Shown) -> Option<(String, Option<String>)> {
        let plain = |text: String| Some((text, None));
        if sent.method != self.method {
            return plain(format!("the request is a {}, not a {}", sent.method, self.method));
        }
        if sent.url != self.url {
            return plain(format!("the request goes to {}, not to {}", quoted(&sent.url), quoted(&self.url)));
        }
        for (name, wanted) in &self.headers {
            match (sent.header(name), wanted) {
                (found, wanted) if found == wanted.as_deref() => {}
                (Some(found), Some(wanted)) => {
                    return plain(format!(
                        "the header `{}` is {}, not {}",
                        short(name),
                        quoted(found),
                        quoted(wanted)
                    ));
                }
                (Some(found), None) => {
                    return plain(format!("the header `{}` is there: {}", short(name), quoted(found)));
                }
                (None, _) => {
                    let names = sent.headers.iter().map(|(name, _)| name.as_str());
                    let hint = nearest(name, names).map(|near| format!("did you mean `{near}`?"));
                    return Some((format!("the request has no header `{}`", short(name)), hint));
                }
            }
        }
        if let Some(wanted) = &self.json {
            match sent.json() {
                None => return plain(format!("the body is no JSON: {}", quoted(&sent.body))),
                Some(found) => {
                    if let Some(differs) = json_differs(&found, wanted, "") {
                        return plain(differs);
                    }
                }
            }
        }
        if let Some(wanted) = &self.form {
            let Some(found) = &sent.form else {
                return plain(format!("the body is no form: {}", quoted(&sent.body)));
            };
            if let Some(differs) = form_differs(found, wanted) {
                return plain(differs);
            }
        }
        if self.text.as_ref().is_some_and(|text| *text != sent.body) {
            return plain(format!("the body is {}", quoted(&sent.body)));
        }
        let missing = self.contains.iter().find(|part| !sent.body.contains(part.as_str()))?;
        plain(format!("the body does not contain {}: {}", quoted(missing), quoted(&sent.body)))
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", harmless(text, MOST_TEXT).replace('\n', "\\n"))
}

/// Where two values of JSON differ first, in words.
fn json_differs(found: &Value, wanted: &Value, path: &str) -> Option<String> {
    let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let place =
        if path.is_empty() { "the JSON".to_owned() } else { format!("`{}` of the JSON", short(path)) };
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            if let Some(key) = wanted.keys().find(|key| !found.contains_key(*key)) {
                return Some(format!("the JSON has no `{}`", short(&at(key))));
            }
            if let Some((key, value)) = found.iter().find(|(key, _)| !wanted.contains_key(*key)) {
                return Some(format!("the JSON has `{}` besides: {}", short(&at(key)), shown(value)));
            }
            found.iter().find_map(|(key, value)| json_differs(value, wanted.get(key)?, &at(key)))
        }
        (Value::Array(found), Value::Array(wanted)) => {
            if found.len() != wanted.len() {
                return Some(format!("{place} has {} elements, not {}", found.len(), wanted.len()));
            }
            let pairs = found.iter().zip(wanted).enumerate();
            pairs
                .into_iter()
                .find_map(|(nth, (found, wanted))| json_differs(found, wanted, &at(&nth.to_string())))
        }
        _ if found == wanted || same_number(found, wanted) => None,
        _ => Some(format!("{place} is {}, not {}", shown(found), shown(wanted))),
    }
}

/// 1.0 is 1.
fn same_number(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Number(number) => number.to_string().parse::<Decimal>().ok(),
        _ => None,
    };
    number(a).is_some_and(|a| number(b) == Some(a))
}

fn shown(value: &Value) -> String {
    harmless(&value.to_string(), MOST_TEXT)
}

fn form_differs(found: &[(String, String)], wanted: &[(String, String)]) -> Option<String> {
    for (name, value) in wanted {
        match found.iter().find(|(known, _)| known == name) {
            None => return Some(format!("the form has no `{}`", short(name))),
            Some((_, text)) if text != value => {
                return Some(format!(
                    "`{}` of the form is {}, not {}",
                    short(name),
                    quoted(text),
                    quoted(value)
                ));
            }
            Some(_) => {}
        }
    }
    let (name, value) = found.iter().find(|(name, _)| !wanted.iter().any(|(known, _)| known == name))?;
    Some(format!("the form has `{}` besides: {}", short(name), quoted(value)))
}

/// What of a message's end is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Delivered,
    Refused,
    Retried,
}

impl Wanted {
    const fn words(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused for good",
            Self::Retried => "tried again",
        }
    }
}

fn fate(context: &Ctx<'_>, wanted: Wanted, how: &Map) -> Fallible<()> {
    let keys: &[&str] = if wanted == Wanted::Retried { &RETRY_KEYS } else { &REFUSED_KEYS };
    known(how, keys, "an expectation of an end").or_else(fail)?;
    let contains: Vec<String> = how.get("contains").map(list).unwrap_or_default();
    let after = match how.get("after") {
        None => None,
        Some(value) => match value.read_lock::<Span>() {
            Some(span) => Some(span.0.div_euclid(1_000)),
            None => return fail("`after` is a span such as 10.minutes"),
        },
    };
    desk(context)?.play(move |desk| {
        let fate = desk.fate()?;
        let (found, why, waits) = match fate {
            Fate::Delivered => (Wanted::Delivered, "", None),
            Fate::Refused { why } => (Wanted::Refused, why.as_str(), None),
            Fate::Retried { why, after } => {
                (Wanted::Retried, why.as_str(), after.map(|after| after.as_secs()))
            }
        };
        if found != wanted {
            let wanted = wanted.words();
            return Err(format!("the message was expected to be {wanted}; it is {}", quoted_fate(fate)));
        }
        if let Some(missing) = contains.iter().find(|part| !why.contains(part.as_str())) {
            return Err(format!("the reason does not contain {}: {}", quoted(missing), quoted(why)));
        }
        match (after, waits) {
            (None, _) => Ok(()),
            (Some(wanted), Some(found)) if wanted == found => Ok(()),
            (Some(wanted), Some(found)) => {
                Err(format!("it is to be tried again after {found} s, not {wanted} s"))
            }
            (Some(wanted), None) => {
                Err(format!("nothing says after how long it is to be tried again, expected {wanted} s"))
            }
        }
    })
}

fn quoted_fate(fate: &Fate) -> String {
    harmless(&fate.to_string(), MOST_TEXT)
}
