//! What a test of a channel can say.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rhai::{Dynamic, Map, NativeCallContext};
use simbell_core::time::Span as CoreSpan;
use simbell_core::zone::ZoneRules;

use super::desk::Desk;
use crate::channel::{json_of, value_of};
use crate::host::Tag;
use crate::registry::{Book, Registry};
use crate::text::short;
use crate::trial::expect::plain;
use crate::trial::language::{not_in_a_test, setting};
use crate::trial::stage::Stage;
use crate::value::{Fallible, LocalTime, Span, fail};

/// Makes the functions known to an engine of tests.
pub(crate) fn register(registry: &mut Registry<'_>) {
    world(registry.section("Tests of channels: messages and answers"));
    super::expect::register(registry.section("Tests of channels: expectations"));
    let such_as = [
        "expect(request().body.bytes <= 2048)",
        "expect(request().body.bytes <= 2048, \"too long\")",
        "expect_equal(request().json.priority, 7)",
    ];
    plain(registry.section("Tests of channels: expectations"), such_as);
}

/// The functions, for hints and the reference: made when the first one needs them.
pub(crate) fn book() -> &'static Book {
    static BOOK: OnceLock<Book> = OnceLock::new();
    Book::kept(&BOOK, register)
}

pub(super) type Ctx<'a> = NativeCallContext<'a>;

/// Where a function was called.
pub(super) fn desk(context: &Ctx<'_>) -> Fallible<Stage<Desk>> {
    let desk = context.tag().and_then(|tag| tag.read_lock::<Tag>().and_then(|tag| tag.desk.clone()));
    match desk {
        Some(desk) => Ok(desk),
        None => not_in_a_test(context),
    }
}

fn world(registry: &mut Registry<'_>) {
    registry
        .function(
            "settings(given: map)",
            "settings(#{ room: \"!hall:example.org\" })",
            "Settings of the channel, as the configuration gives them; `()` takes one away.",
            |c: Ctx<'_>, given: Map| {
                let mut values = BTreeMap::new();
                for (name, value) in &given {
                    let value = if value.is_unit() { None } else { Some(setting(value)?) };
                    values.insert(name.to_string(), value);
                }
                desk(&c)?.play(move |desk| desk.settings(values))
            },
        )
        .function(
            "clock(time: string)",
            "clock(\"2026-11-20 07:00\")",
            "The time at which messages are sent from now on, in UTC.",
            |c: Ctx<'_>, text: &str| {
                let text = text.to_owned();
                desk(&c)?.play(move |desk| desk.set_clock(&text))
            },
        )
        .function(
            "advance(span: Span)",
            "advance(10.minutes)",
            "So much time passes.",
            |c: Ctx<'_>, span: Span| desk(&c)?.play(move |desk| desk.advance(CoreSpan(span.0))),
        )
        .function("now() -> LocalTime", "now()", "The time of the test.", |c: Ctx<'_>| {
            desk(&c)?.play(|desk| Ok(LocalTime(ZoneRules::utc().civil(desk.now()))))
        })
        .function(
            "language(language: string)",
            "language(\"zh\")",
            "The language of messages from now on.",
            |c: Ctx<'_>, language: &str| {
                let language = language.to_owned();
                desk(&c)?.play(move |desk| {
                    desk.set_language(&language);
                    Ok(())
                })
            },
        )
        .function(
            "send()",
            "send()",
            "The channel is to carry a message; what it says does not matter.",
            |c: Ctx<'_>| send(&c, Map::new()),
        )
        .function(
            "send(message: map)",
            "send(#{ title: \"SIM home\", text: \"80% used\", urgency: \"critical\" })",
            "The channel is to carry a message with these properties.",
            |c: Ctx<'_>, message: Map| send(&c, message),
        )
        .function(
            "answer(status: int)",
            "answer(200)",
            "The service answers, with an empty body.",
            |c: Ctx<'_>, status: i64| answer(&c, status, &"".into()),
        )
        .function(
            "answer(status: int, body: string | map | list)",
            "answer(200, #{ ok: true })",
            "The service answers; a map or a list is JSON.",
            |c: Ctx<'_>, status: i64, body: Dynamic| answer(&c, status, &body),
        )
        .function(
            "request() -> map",
            "request().json.text",
            "What was sent: `method`, `url`, `headers`, `body`; `json` or `form` where it is one.",
            |c: Ctx<'_>| {
                desk(&c)?.play(|desk| {
                    let shown = desk.sent()?;
                    let texts = |list: &[(String, String)]| -> Map {
                        list.iter().map(|(name, text)| (name.as_str().into(), text.clone().into())).collect()
                    };
                    let mut map = Map::new();
                    map.insert("method".into(), shown.method.into());
                    map.insert("url".into(), shown.url.clone().into());
                    map.insert("headers".into(), texts(&shown.headers).into());
                    map.insert("body".into(), shown.body.clone().into());
                    map.insert("json".into(), shown.json().map_or(Dynamic::UNIT, value_of));
                    let form = shown.form.as_ref().map(|form| texts(form));
                    map.insert("form".into(), form.map_or(Dynamic::UNIT, Dynamic::from));
                    Ok(map)
                })
            },
        );
}

fn send(context: &Ctx<'_>, message: Map) -> Fallible<()> {
    desk(context)?.play(move |desk| desk.send(&message))
}

fn answer(context: &Ctx<'_>, status: i64, body: &Dynamic) -> Fallible<()> {
    let Some(status) = u16::try_from(status).ok().filter(|status| (200..600).contains(status)) else {
        return fail(format!("{status} is no status of an answer: it is 200 to 599"));
    };
    let body = match body.as_immutable_string_ref() {
        Ok(text) => text.to_string(),
        Err(_) if body.is_map() || body.is_array() => json_of(body).or_else(fail)?.to_string(),
        Err(_) => {
            let given = short(&body.to_string());
            return fail(format!("an answer's body is a text, a map or a list, not {given}"));
        }
    };
    desk(context)?.play(move |desk| desk.answer(status, body))
}
