//! The request that a channel's script gives, from the script to what goes over the wire. Inputs are scripts as text,
//! scripts made of bytes, and (past the script) requests made of bytes. Whatever they are: what goes out goes to a host
//! that is allowed, is one well-formed request within its limits with no mark left in it, and no text shows a secret.

#![no_main]

use std::cell::RefCell;
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
use simbell_rules_fuzz::receiver::{Receiver, read_request};
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

/// Secrets that no input holds by chance, each with something that one of its places cannot carry as it is.
const TOKEN: &str = "7:Qz0/f\"Lk&9ü Wx+3";
const KEY: &str = "hV5tRw8mYpD2";
const LINE: &str = "uE6j\r\nX-Evil: cN1b";
const HOST: &str = "kT4gevil.example.net";
const PATH: &str = "aJ9sUo3xBq7i";
const SECRETS: [&str; 5] = [TOKEN, KEY, LINE, HOST, PATH];

/// Of each secret, what its forms have in common, and how an encoded mark begins. libFuzzer learns texts that are compared,
/// and writes them into inputs: those tell nothing of what leaks.
const LEARNT: [&str; 11] = [
    "Qz0", "hV5t", "uE6j", "kT4g", "aJ9s", "517a30", "68563574", "7545366a", "6b543467", "614a3973",
    "%F4%8F%B",
];

const TEXT_INPUT: &str = "fn ";
const MOST_URL: usize = 8 << 10;
const MOST_HEADERS: usize = 16 << 10;
const MOST_BODY: usize = 64 << 10;

/// What is made once: the plugin, the channel, and whom it may reach.
struct Bench {
    folder: Folder,
    plugin: ChannelPlugin,
    engine: ChannelEngine,
    given: BTreeMap<String, Given>,
    config: ScriptConfig,
    channel: Channel,
    stage: Arc<Stage>,
    receiver: Receiver,
    runtime: tokio::runtime::Runtime,
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
        let receiver = Receiver::new();
        let url = format!("http://{}/base/{PATH}", receiver.address());
        // This one ends at its host.
        let hook = "https://hook.example.org";
        let secret = |text: &str| ScriptValue::Secret(SecretString::from(text));
        let address = |text: &str| ScriptValue::Url(SecretString::from(text));
        let values: BTreeMap<String, ScriptValue> = [
            ("url", address(&url)),
            ("webhook", address(hook)),
            ("token", secret(TOKEN)),
            ("key", secret(KEY)),
            ("sendkey", secret(LINE)),
            ("secret", secret(HOST)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let mut given: BTreeMap<String, Given> =
            values.keys().map(|name| (name.clone(), Given::Sealed)).collect();
        given.insert("room".to_owned(), Given::Value("room".into()));
        let named = |host: &str, port, approved| Reach {
            host: host.to_owned(),
            port,
            plain: false,
            permission: format!("host:{host}"),
            approved,
        };
        let of = |url: &str, name: &str| Reach::of_address(url, format!("host:{{{name}}}")).expect("right");
        let stage = Arc::new(Stage::default());
        let config = ScriptConfig {
            plugin: "bell".to_owned(),
            composer: Arc::<Stage>::clone(&stage),
            values,
            reach: vec![
                named("api.example.org", 443, true),
                named("api.example.org", 8443, true),
                named("new.example.org", 443, false),
                of(&url, "url"),
                of(hook, "webhook"),
            ],
            ca_file: None,
            timeout: Duration::from_secs(10),
        };
        let name = ChannelName::new("bell").expect("valid");
        let built = build_channels([(name.clone(), ChannelConfig::Script(config.clone()))], None);
        let channel = built.expect("right").remove(&name).expect("built");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let engine = ChannelEngine::new(&Limits { deadline: Duration::from_secs(5), ..Limits::default() });
        Self { folder, plugin, engine, given, config, channel, stage, receiver, runtime }
    }

    fn run(&mut self, data: &[u8]) {
        if LEARNT.iter().any(|text| data.windows(text.len()).any(|window| window == text.as_bytes())) {
            return;
        }
        match std::str::from_utf8(data) {
            Ok(text) if text.contains(TEXT_INPUT) => self.script(text, text, text.len()),
            _ => {
                let mut bytes = Bytes::new(data);
                if bytes.choice(4) == 0 {
                    let request = bytes.request();
                    self.sent(&request, &message("title", "text"), bytes.choice(64), false);
                } else {
                    let script = bytes.script();
                    let said = bytes.text();
                    self.script(&script, &said, bytes.choice(64));
                }
            }
        }
    }

    /// A script asked for its request, which is sent on.
    fn script(&mut self, text: &str, said: &str, seed: usize) {
        self.folder.write("main.rhai", text);
        let script = self.plugin.script(&self.engine, &self.given);
        if let Some(problem) = script.problem() {
            return assert_quoted(&problem.to_string(), text);
        }
        let message = message(said, said);
        match script.request(&message, Timestamp::from_secs(1_795_327_500)) {
            Ok(request) => {
                self.sent(&request, &message, seed, true);
                self.judged(&script, said);
            }
            Err(problem) => assert_quoted(&problem.to_string(), text),
        }
    }

    /// The script's word on hostile answers is a verdict or a problem, in harmless text.
    fn judged(&self, script: &ChannelScript, said: &str) {
        for (status, body) in
            [(200, said), (400, "{\"a\":{\"a\":[1e999,null]},\"errcode\":-1,\"id\":\"\u{10fff0}\"}")]
        {
            match script.judge(&HttpAnswer { status, body: body.to_owned() }) {
                Ok(Verdict::Refused(Some(why)) | Verdict::Later { why, .. }) => assert_said(&why),
                Ok(_) => {}
                Err(problem) => assert_said(&problem.to_string()),
            }
        }
    }

    /// A request filled in and checked; what the sender refuses is refused in harmless words.
    fn sent(&self, request: &HttpRequest, message: &Message, seed: usize, by_script: bool) {
        let said = match self.config.outgoing(request, &message.id) {
            Ok(outgoing) => {
                self.assert_right(&outgoing, request, by_script);
                let local = outgoing.request().uri().host() == Some("127.0.0.1");
                if !local || seed % 4 != 0 {
                    return;
                }
                self.over_the_wire(&outgoing, request, message, seed)
            }
            Err(_) => self.send(request, message).expect_err("it is refused"),
        };
        assert_said(&said);
        assert!(said.chars().count() <= 300, "{said}");
    }

    fn send(&self, request: &HttpRequest, message: &Message) -> Result<String, String> {
        *self.stage.request.lock().expect("no panic") = Some(request.clone());
        let sent = self.runtime.block_on(self.channel.send(message, message.raised_at));
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
        self.receiver.answer_with([200, 301, 400, 503][seed / 4 % 4]);
        *self.stage.verdict.lock().expect("no panic") = match seed / 16 {
            0 => Some(Ok(Verdict::ByStatus)),
            1 => Some(Ok(Verdict::Accepted)),
            _ => None,
        };
        let said = self.send(request, message).unwrap_or_else(|error| error);
        let raw = self.receiver.received().expect("it was sent");
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
        if let Some(answer) = self.stage.answer.lock().expect("no panic").take() {
            assert_no_secret(&answer.body);
        }
        said
    }

    fn assert_right(&self, outgoing: &Outgoing, given: &HttpRequest, by_script: bool) {
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
        assert!(!by_script || !marked(&address), "a mark in the address");

        let mut bytes = 0;
        for (name, value) in request.headers() {
            let forbidden = ["host", "content-length", "transfer-encoding", "connection", "upgrade"];
            assert!(!forbidden.contains(&name.as_str()), "{name}");
            assert_eq!(request.headers().get_all(name).iter().count(), 1, "{name} is there twice");
            assert!(value.as_bytes().iter().all(|b| *b >= b' ' && *b != 0x7f || *b == b'\t'), "{value:?}");
            bytes += name.as_str().len() + value.len();
            if by_script && let Ok(text) = std::str::from_utf8(value.as_bytes()) {
                assert!(!marked(text), "a mark in {name}");
            }
        }
        assert!(bytes <= MOST_HEADERS + 200, "{bytes} bytes of headers");
        assert!(
            request.headers().contains_key("idempotency-key") && request.headers().contains_key("user-agent")
        );

        let body = std::str::from_utf8(request.body()).expect("a text");
        assert!(body.len() <= MOST_BODY, "{} bytes of body", body.len());
        assert_eq!(given.body.is_none() && !body.is_empty(), false);
        let Some(given) = given.body.as_ref().filter(|_| by_script) else { return };
        assert!(!marked(body), "a mark in the body");
        match given.kind {
            BodyKind::Form => {}
            // What a script writes as text with a JSON type of its own is its own affair.
            BodyKind::Json if starts_as_json(&given.pieces) => {
                serde_json::from_str::<serde_json::Value>(body).expect("JSON");
            }
            BodyKind::Json | BodyKind::Text => {}
        }
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

fn marked(text: &str) -> bool {
    text.chars().any(|c| ('\u{10fe00}'..='\u{10fff2}').contains(&c))
        || text.contains("%F4%8F%B8")
        || text.contains("%F4%8F%B9")
        || text.contains("%F4%8F%BF%B")
}

fn assert_said(said: &str) {
    assert_harmless(said);
    assert!(!marked(said), "a mark in {said:?}");
    assert_no_secret(said);
}

/// What is said of a script, whose lines may be quoted: what looks like a mark there was never one.
fn assert_quoted(said: &str, script: &str) {
    if marked(script) {
        assert_harmless(said);
        assert_no_secret(said);
    } else {
        assert_said(said);
    }
}

/// No secret in any form in which it goes out.
fn assert_no_secret(text: &str) {
    for secret in SECRETS {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let percent = |keep: &str| -> String {
            let kept = |b: u8| b.is_ascii_alphanumeric() || keep.as_bytes().contains(&b);
            secret
                .bytes()
                .map(|b| if kept(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
                .collect()
        };
        let json = serde_json::Value::from(secret).to_string();
        let forms =
            [secret.to_owned(), hex, percent("-._~"), percent("-._~:"), json.trim_matches('"').to_owned()];
        for form in forms {
            assert!(!text.contains(&form), "a secret in {text:?}");
        }
    }
}
