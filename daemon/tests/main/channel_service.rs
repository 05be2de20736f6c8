//! Channels by plugin in the service as it runs: the notifier of the guide, and a script that goes wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::bell::{Home, beside, until};
use crate::receivers::Receiver;
use crate::stage::Stage;

const TOKEN: &str = "c4nary-of-the-bell";

/// Passes on every message.
const PASS_ON: &str = "fn on_sms(sim, sms) { remind(slug(sms.text), sms.text); }";

/// The blocks of the guide of one kind.
fn blocks(kind: &str) -> Vec<String> {
    let guide =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/README.md")).unwrap();
    let parts: Vec<&str> = guide.split("\n```").collect();
    let inside = parts.iter().skip(1).step_by(2);
    inside
        .filter_map(|part| part.strip_prefix(&format!("{kind}\n")).map(|text| format!("{text}\n")))
        .collect()
}

/// A home whose channel `hall` goes by the notifier of the guide, with another script where one is given.
fn home(bell: &Receiver, more: &str, script: Option<&str>) -> Home {
    let of = |kind: &str, word: &str| blocks(kind).into_iter().find(|text| text.contains(word)).unwrap();
    let channel = of("toml", "[channels.hall]")
        .replace("http://192.168.1.20", &format!("http://127.0.0.1:{}", bell.port));
    let home = Home::new(&format!("{channel}\n{more}")).with_rule("pass-on", PASS_ON);
    let plugin = home.path("etc/plugins/doorbell");
    fs::create_dir_all(&plugin).unwrap();
    fs::write(plugin.join("plugin.toml"), of("toml", "kind = \"channel\"")).unwrap();
    fs::write(plugin.join("main.rhai"), script.unwrap_or(&of("rhai channel", "fn send"))).unwrap();
    fs::write(home.path("etc/conf.d/20-own.toml"), "[rules]\nplugin_dirs = [\"../plugins\"]\n").unwrap();
    home.credential("doorbell-token", TOKEN);
    home
}

/// Whether a test message was delivered, and what is said of it.
fn tested(home: &Home) -> (bool, String) {
    let mut ctl = Command::new(beside("simbellctl"));
    let output = ctl.arg("--socket").arg(home.socket()).args(["channels", "test", "hall"]).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn body(request: &Value) -> Value {
    serde_json::from_str(request["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn the_notifier_of_the_guide_rings() {
    let stage = Stage::new().await;
    let rings = json!({"status": 200, "body": "{\"ringing\": true}"}).to_string();
    let silent = json!({"status": 200, "body": "{\"ringing\": false, \"error\": \"{echo}\"}"}).to_string();
    let mut hall = Receiver::http(&["--reply", &rings, "--reply", &rings, "--reply", &silent]);
    let home = home(&hall, "", None);
    let bell = stage.bell(&home).await;
    let (delivered, said) = tested(&home);
    assert!(delivered, "{said}");
    let request = hall.received().await;
    assert_eq!((&request["method"], &request["path"]), (&json!("POST"), &json!("/ring")));
    assert_eq!(request["headers"]["authorization"], format!("Bearer {TOKEN}"));
    let text = "This is a test of the channel hall. If you can read it, reminders arrive here.";
    assert_eq!(body(&request), json!({"title": "simbell: test", "text": text, "loud": false}));

    stage.says("low on data");
    assert_eq!(body(&hall.received().await)["text"], "low on data");
    let channel = until("the channel to be well", async || {
        Some(bell.channel("hall").await).filter(|channel| channel.last_delivered_at.is_some())
    })
    .await;
    assert_eq!((channel.kind.as_str(), channel.state.as_str()), ("doorbell", "ok"));

    // It answers 200 and does not ring: that is no delivery.
    let (delivered, said) = tested(&home);
    assert!(!delivered && said.contains("answered 200: ") && !said.contains(TOKEN), "{said}");
    bell.stop().await;
    assert!(!home.log().contains(TOKEN), "{}", home.log());
}

#[tokio::test]
async fn a_script_that_loops_fails_with_its_place_holds_up_nobody_and_can_be_mended() {
    let stage = Stage::new().await;
    let mut hall =
        Receiver::http(&["--reply", &json!({"status": 200, "body": "{\"ringing\": true}"}).to_string()]);
    let mut push = Receiver::http(&[]);
    let hook = format!("[channels.push]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}/\"\n", push.port);
    let loops = "fn send(message) {\n    let n = 0;\n    loop { n += 1; }\n}\n";
    let home = home(&hall, &hook, Some(loops));
    let bell = stage.bell(&home).await;
    for text in ["one", "two"] {
        stage.says(text);
        assert_eq!(body(&push.received().await)["text"], text);
    }
    let failing = bell.warns("channel-failing").await;
    assert!(failing.contains("hall") && failing.contains("doorbell/main.rhai"), "{failing}");
    let error = bell.channel("hall").await.last_error.unwrap();
    assert!(error.contains("doorbell/main.rhai:1:1: ") && error.contains("the script was ended"), "{error}");
    assert_eq!(bell.channel("push").await.state, "ok");

    // It does not compile: said at the reload and by the status, with line and column; what it was stays in use.
    let script = home.path("etc/plugins/doorbell/main.rhai");
    fs::write(&script, "fn send(message) {\n    http_post(settings.url, massage.text)\n}\n").unwrap();
    let reloaded = bell.reload().await.unwrap();
    assert!(
        format!("{reloaded:?}").contains("doorbell/main.rhai:2:29: unknown variable `massage`"),
        "{reloaded:?}"
    );
    let mut says = async |text: &str, error: &str| {
        stage.says(text);
        assert_eq!(body(&push.received().await)["text"], text);
        until(error, async || bell.warning("channel-outdated").await.filter(|it| it.text.contains(error)))
            .await
    };
    says("three", "doorbell/main.rhai:2:29: unknown variable `massage`").await;

    // Gone altogether.
    fs::remove_file(&script).unwrap();
    bell.reload().await.unwrap();
    says("four", "doorbell/main.rhai: the file cannot be read").await;

    // Mended: what waited arrives.
    fs::write(&script, "fn send(message) { http_post(settings.url, #{ text: message.text }) }").unwrap();
    bell.reload().await.unwrap();
    let mut texts = Vec::new();
    for _ in 0..4 {
        texts.push(body(&hall.received().await)["text"].as_str().unwrap().to_owned());
    }
    texts.sort();
    assert_eq!(texts, ["four", "one", "three", "two"]);
    bell.is_well("channel-failing").await;
}
