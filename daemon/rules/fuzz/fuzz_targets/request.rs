//! The request that a channel's script gives, from the script to what goes over the wire. Inputs are scripts as text,
//! scripts made of bytes, and (past the script) requests made of bytes. Whatever they are:
//!
//! - What goes out goes to a host that is allowed, by HTTPS but where the owner's own address says otherwise, is one
//!   well-formed request within its limits, and has no mark left in it, neither as it is nor percent-encoded.
//! - No piece of a secret shows, as it is (which is also how percent-encoding and JSON write it), in hexadecimal digits
//!   or in base 64: not in an error or a receipt, not in a script's word on an answer, not in a `Debug` form, and not in
//!   an answer as the script is shown it, whatever the receiver sends back.
//! - What is said is harmless text of bounded length.
//!
//! The secrets are drawn anew for each input. libFuzzer learns what is compared and writes it into later inputs, where it is
//! of no use: the text of an input never holds a secret of its own run, so that one that shows is a leak.

#![no_main]

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use simbell_core::ident::ChannelName;
use simbell_core::reminder::{Message, Urgency};
use simbell_core::request::{BodyKind, HttpAnswer, HttpRequest, Piece, Verdict};
use simbell_core::time::Timestamp;
use simbell_notify::{
    Channel, ChannelConfig, Composer, Composing, Judging, Outgoing, Reach, ScriptConfig, ScriptValue,
    build_channels,
};
use simbell_rules::{ChannelEngine, ChannelPlugin, ChannelScript, Given, Limits};
use simbell_rules_fuzz::grammar::Bytes;
use simbell_rules_fuzz::receiver::{Echo, Receiver, read_request};
use simbell_rules_fuzz::secrets::{Random, Secrets};
use simbell_rules_fuzz::{Folder, assert_harmless};

#[global_allocator]
static ALLOCATOR: simbell_alloc::CountingAllocator = simbell_alloc::CountingAllocator;

const MANIFEST: &str = r#"
api = 1
name = "bell"
kind = "channel"
description = "Rings."
hosts = ["api.example.org", "api.example.org:8443", "new.example.org", "{url}", "{webhook}"]
settings.url = { type = "url" }
settings.webhook = { type = "url" }
settings.token = { type = "secret" }
settings.key = { type = "secret" }
settings.sendkey = { type = "secret" }
settings.secret = { type = "secret" }
settings.room = { type = "text" }
settings.user = { type = "secret", optional = true }
settings.chat = { type = "text", default = "chat" }
settings.mention = { type = "text", list = true, default = [] }
settings.sound = { type = "text", optional = true }
settings.service = { type = "text", default = "notify" }
settings.username = { type = "text", optional = true }
"#;

const TEXT_INPUT: &str = "fn ";
const MOST_URL: usize = 8 << 10;
const MOST_HEADERS: usize = 16 << 10;
const MOST_BODY: usize = 64 << 10;

/// What is made once: the plugin, and whom it may reach.
struct Bench {
    folder: Folder,
    plugin: ChannelPlugin,
    engine: ChannelEngine,
    given: BTreeMap<String, Given>,
    stage: Arc<Stage>,
    receiver: Receiver,
    runtime: tokio::runtime::Runtime,
    random: Random,
}

/// One input's: the channel with its secrets.
struct Trial<'a> {
    bench: &'a Bench,
    secrets: Secrets,
    config: ScriptConfig,
    /// Made where something is sent.
    channel: OnceCell<Channel>,
}

/// The script's part, played from what is laid out here.
#[derive(Debug, Default)]
struct Stage {
    request: Mutex<Option<HttpRequest>>,
    answer: Mutex<Option<HttpAnswer>>,
    verdict: Mutex<Option<Result<Verdict, String>>>,
}

impl Composer for Stage {
    fn compose<'a>(&'a self, _: &'a Message) -> Composing<'a> {
        let request = self.request.lock().expect("no panic").take().ok_or_else(|| "nothing".to_owned());
        Box::pin(async move { request })
    }

    fn judge(&self, answer: HttpAnswer) -> Judging<'_> {
        *self.answer.lock().expect("no panic") = Some(answer.clone());
        let verdict = self.verdict.lock().expect("no panic").take();
        // A script that repeats all it is told.
        let verdict = verdict.unwrap_or_else(|| Ok(Verdict::Refused(Some(answer.body))));
        Box::pin(async move { verdict })
    }
}

thread_local! {
    static BENCH: RefCell<Option<Bench>> = const { RefCell::new(None) };
}

fuzz_target!(|data: &[u8]| {
    BENCH.with_borrow_mut(|bench| bench.get_or_insert_with(Bench::new).run(data));
});

impl Bench {
    fn new() -> Self {
        let folder = Folder::new(&[("plugin.toml", MANIFEST), ("main.rhai", "")]);
        let plugin = ChannelPlugin::load(folder.path()).expect("right").expect("a channel");
        let sealed = ["url", "webhook", "token", "key", "sendkey", "secret"];
        let mut given: BTreeMap<String, Given> = sealed.map(|name| (name.to_owned(), Given::Sealed)).into();
        given.insert("room".to_owned(), Given::Value("room".into()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let engine = ChannelEngine::new(&Limits { deadline: Duration::from_secs(5), ..Limits::default() });
        Self {
            folder,
            plugin,
            engine,
            given,
            stage: Arc::default(),
            receiver: Receiver::new(),
            runtime,
            random: Random::new(),
        }
    }

    fn run(&mut self, data: &[u8]) {
        let secrets = Secrets::draw(&mut self.random);
        let config = self.config(&secrets);
        let trial = Trial { bench: self, secrets, config, channel: OnceCell::new() };
        trial.nothing_shows(&format!("{:?}", trial.config));
        match std::str::from_utf8(data) {
            Ok(text) if text.contains(TEXT_INPUT) => trial.script(text, text, text.len()),
            _ => {
                let mut bytes = Bytes::new(data);
                if bytes.choice(4) == 0 {
                    let request = bytes.request();
                    trial.sent(&request, &message("title", "text"), bytes.choice(64), None);
                } else {
                    let script = bytes.script();
                    let said = bytes.text();
                    trial.script(&script, &said, bytes.choice(64));
                }
            }
        }
    }

    fn config(&self, secrets: &Secrets) -> ScriptConfig {
        let url = format!("http://{}/base/{}", self.receiver.address(), secrets.path());
        // This one ends at its host.
        let hook = "https://hook.example.org";
        let secret = |text: &str| ScriptValue::Secret(SecretString::from(text));
        let address = |text: &str| ScriptValue::Url(SecretString::from(text));
        let values = [
            ("url", address(&url)),
            ("webhook", address(hook)),
            ("token", secret(&secrets.token())),
            ("key", secret(secrets.key())),
            ("sendkey", secret(&secrets.line())),
            ("secret", secret(&secrets.host())),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        let named = |host: &str, port, approved| Reach {
            host: host.to_owned(),
            port,
            plain: false,
            permission: format!("host:{host}"),
            approved,
        };
        let of = |url: &str, name: &str| Reach::of_address(url, format!("host:{{{name}}}")).expect("right");
        ScriptConfig {
            plugin: "bell".to_owned(),
            composer: Arc::<Stage>::clone(&self.stage),
            values: values.into(),
            reach: vec![
                named("api.example.org", 443, true),
                named("api.example.org", 8443, true),
                named("new.example.org", 443, false),
                of(&url, "url"),
                of(hook, "webhook"),
            ],
            ca_file: None,
            timeout: Duration::from_secs(10),
        }
    }
}

impl Trial<'_> {
    /// A script asked for its request, which is sent on.
    fn script(&self, text: &str, said: &str, seed: usize) {
        self.bench.folder.write("main.rhai", text);
        let source = Source { script: text, said };
        let script = self.bench.plugin.script(&self.bench.engine, &self.bench.given);
        self.nothing_shows(&format!("{script:?}"));
        if let Some(problem) = script.problem() {
            return self.assert_said(&problem.to_string(), Some(source));
        }
        let message = message(said, said);
        match script.request(&message, Timestamp::from_secs(1_795_327_500)) {
            Ok(request) => {
                self.sent(&request, &message, seed, Some(source));
                self.judged(&script, source);
            }
            Err(problem) => self.assert_said(&problem.to_string(), Some(source)),
        }
    }

    /// The script's word on hostile answers is a verdict or a problem, in harmless text.
    fn judged(&self, script: &ChannelScript, source: Source<'_>) {
        let hostile = "{\"a\":{\"a\":[1e999,null]},\"errcode\":-1,\"id\":\"\u{10fff0}\"}";
        for (status, body) in [(200, source.said), (400, hostile)] {
            match script.judge(&HttpAnswer { status, body: body.to_owned() }) {
                Ok(Verdict::Refused(Some(why)) | Verdict::Later { why, .. }) => {
                    self.assert_said(&why, Some(source));
                }
                Ok(_) => {}
                Err(problem) => self.assert_said(&problem.to_string(), Some(source)),
            }
        }
    }

    /// A request filled in and checked; what the sender refuses is refused in harmless words.
    fn sent(&self, request: &HttpRequest, message: &Message, seed: usize, source: Option<Source<'_>>) {
        let said = match self.config.outgoing(request, &message.id) {
            Ok(outgoing) => {
                self.assert_right(&outgoing, request, source);
                self.nothing_shows(&format!("{outgoing:?}"));
                let local = outgoing.request().uri().host() == Some("127.0.0.1");
                if !local {
                    return;
                }
                self.over_the_wire(&outgoing, request, message, seed)
            }
            Err(_) => self.send(request, message).expect_err("it is refused"),
        };
        self.assert_said(&said, source);
        assert!(said.chars().count() <= 300, "{said}");
    }

    fn send(&self, request: &HttpRequest, message: &Message) -> Result<String, String> {
        let channel = self.channel.get_or_init(|| {
            let name = ChannelName::new("bell").expect("valid");
            let config = ChannelConfig::Script(self.config.clone());
            build_channels([(name.clone(), config)], None).expect("right").remove(&name).expect("built")
        });
        *self.bench.stage.request.lock().expect("no panic") = Some(request.clone());
        let sent = self.bench.runtime.block_on(channel.send(message, message.raised_at));
        self.nothing_shows(&format!("{sent:?}"));
        sent.map(|receipt| receipt.text).map_err(|error| error.text)
    }

    /// Sends it to a receiver that sends all of it back, and gives what is then said of it.
    fn over_the_wire(
        &self,
        outgoing: &Outgoing,
        request: &HttpRequest,
        message: &Message,
        seed: usize,
    ) -> String {
        self.bench.receiver.answer_with([200, 301, 400, 503][seed % 4], Echo::ALL[seed / 4 % 4]);
        *self.bench.stage.verdict.lock().expect("no panic") = match seed / 16 {
            0 => Some(Ok(Verdict::ByStatus)),
            1 => Some(Ok(Verdict::Accepted)),
            _ => None,
        };
        let said = self.send(request, message).unwrap_or_else(|error| error);
        let raw = self.bench.receiver.received().expect("it was sent");
        let (line, headers, body) = read_request(&raw).expect("one request");
        let expected = outgoing.request();
        let target = expected.uri().path_and_query().map_or("/", |target| target.as_str());
        assert_eq!(line, format!("{} {target} HTTP/1.1", expected.method()));
        // Those of the request, the host, and the length where there is a body.
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let travel = ["host", "content-length"];
        let given = names.iter().filter(|name| !travel.contains(name)).count();
        assert_eq!(given, expected.headers().len(), "{names:?}");
        for name in travel {
            assert!(names.iter().filter(|known| **known == name).count() <= 1, "{names:?}");
        }
        assert_eq!(body, expected.body().as_ref());
        if let Some(answer) = self.bench.stage.answer.lock().expect("no panic").take() {
            self.nothing_shows(&answer.body);
            // As `answer.json` gives it.
            if let Ok(json) = serde_json::from_str::<serde_json::Value>(&answer.body) {
                strings(&json, &mut |text| self.nothing_shows(text));
            }
        }
        said
    }

    fn assert_right(&self, outgoing: &Outgoing, given: &HttpRequest, source: Option<Source<'_>>) {
        let request = outgoing.request();
        assert!(["GET", "POST", "PUT"].contains(&request.method().as_str()));
        let uri = request.uri();
        let authority = uri.authority().expect("absolute");
        assert!(!authority.as_str().contains('@'), "a login");
        let plain = match uri.scheme_str() {
            Some("http") => true,
            Some("https") => false,
            other => panic!("scheme {other:?}"),
        };
        let port = authority.port_u16().unwrap_or(if plain { 80 } else { 443 });
        let host = authority.host().to_ascii_lowercase();
        let reached = self.config.reach.iter().any(|reach| {
            reach.approved && reach.host == host && reach.port == port && (reach.plain || !plain)
        });
        assert!(reached, "{authority} is none that is allowed");
        // To the letter: nothing hides in it.
        let shown: Vec<String> =
            [host.clone(), format!("{host}:{port}"), format!("{host}:")].into_iter().collect();
        assert!(shown.contains(&authority.as_str().to_ascii_lowercase()), "{authority}");
        let address = uri.to_string();
        assert!(address.len() <= MOST_URL + 1, "{} bytes", address.len());
        assert!(address.bytes().all(|b| b > b' ' && b != 0x7f), "{address:?}");
        assert_unmarked(&address, source);

        let mut bytes = 0;
        for (name, value) in request.headers() {
            let forbidden = ["host", "content-length", "transfer-encoding", "connection", "upgrade"];
            assert!(!forbidden.contains(&name.as_str()), "{name}");
            assert_eq!(request.headers().get_all(name).iter().count(), 1, "{name} is there twice");
            assert!(value.as_bytes().iter().all(|b| *b >= b' ' && *b != 0x7f || *b == b'\t'), "{value:?}");
            bytes += name.as_str().len() + value.len();
            assert_unmarked(&String::from_utf8_lossy(value.as_bytes()), source);
        }
        assert!(bytes <= MOST_HEADERS + 200, "{bytes} bytes of headers");
        assert!(
            request.headers().contains_key("idempotency-key") && request.headers().contains_key("user-agent")
        );

        let body = std::str::from_utf8(request.body()).expect("a text");
        assert!(body.len() <= MOST_BODY, "{} bytes of body", body.len());
        assert_eq!(given.body.is_none() && !body.is_empty(), false);
        let Some(given) = given.body.as_ref().filter(|_| source.is_some()) else { return };
        assert_unmarked(body, source);
        match given.kind {
            BodyKind::Form => {}
            // What a script writes as text with a JSON type of its own is its own affair.
            BodyKind::Json if starts_as_json(&given.pieces) => {
                serde_json::from_str::<serde_json::Value>(body).expect("JSON");
            }
            BodyKind::Json | BodyKind::Text => {}
        }
    }

    /// What is said of `source`, whose lines may be quoted.
    fn assert_said(&self, said: &str, source: Option<Source<'_>>) {
        assert_harmless(said);
        if !source.is_some_and(|source| raw_marks(source.script) > 0) {
            assert_unmarked(said, source);
        }
        self.nothing_shows(said);
    }

    fn nothing_shows(&self, text: &str) {
        self.secrets.assert_hidden_in(text);
    }
}

/// Whether a body was written by the service: those of scripts are made to begin otherwise.
fn starts_as_json(pieces: &[Piece]) -> bool {
    matches!(pieces.first(), Some(Piece::Text(text)) if text.starts_with("{\"made\":"))
}

fn message(title: &str, text: &str) -> Message {
    Message {
        title: title.to_owned(),
        text: text.to_owned(),
        urgency: Urgency::Warning,
        key: "data-thresholds/80/8949".to_owned(),
        sim_name: Some(title.to_owned()),
        raised_at: Timestamp::from_secs(1_795_327_500),
        // Made of a key and a channel's name, which are bounded.
        id: format!("data-thresholds/80#1/{}", title.chars().take(40).collect::<String>()),
        language: "en".to_owned(),
    }
}

/// What a request was made of, where a script made it. Marks mean something there only.
#[derive(Clone, Copy)]
struct Source<'a> {
    script: &'a str,
    said: &'a str,
}

/// No mark, neither as it is nor percent-encoded; who spells one in percents has it sent as any other text.
fn assert_unmarked(text: &str, source: Option<Source<'_>>) {
    let Some(source) = source else { return };
    assert_eq!(raw_marks(text), 0, "a mark in {text:?}");
    if !spells_marks(source.script) && !spells_marks(source.said) {
        assert!(!spells_marks(text), "an encoded mark in {text:?}");
    }
}

fn raw_marks(text: &str) -> usize {
    text.chars().filter(|c| ('\u{10fe00}'..='\u{10fff2}').contains(c)).count()
}

/// Whether it has more marks once percent-encoding is undone.
fn spells_marks(text: &str) -> bool {
    let (mut decoded, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).expect("two digits"));
                rest = &after[2..];
            }
            _ => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    raw_marks(&String::from_utf8_lossy(&decoded)) > raw_marks(text)
}

/// Every text of a JSON value, names of fields too.
fn strings(json: &serde_json::Value, with: &mut impl FnMut(&str)) {
    match json {
        serde_json::Value::String(text) => with(text),
        serde_json::Value::Array(list) => list.iter().for_each(|value| strings(value, with)),
        serde_json::Value::Object(map) => map.iter().for_each(|(name, value)| {
            with(name);
            strings(value, with);
        }),
        _ => {}
    }
}
