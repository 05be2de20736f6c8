//! Secrets: found where systemd puts them, and shown nowhere.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::house::{House, calls};

/// Written down nowhere else.
const CANARY: &str = "canary-6f1d0c5e-in-a-mine";
const TOPIC: &str = "canary-topic-2b7e";
const HOOK: &str = "canary-hook-91ac";

/// A port of this machine that nobody listens on.
fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An HTTP server that refuses everything, and says in every way what it was asked for.
fn echoing_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let asked = lines.by_ref().take_while(|line| !line.is_empty()).collect::<Vec<_>>();
            let path = asked[0].split(' ').nth(1).unwrap_or_default().to_owned();
            let body = format!("Cannot POST {}", asked.join("; "));
            let head = format!("HTTP/1.1 404 Not Found {path}\r\nlocation: {path}\r\nconnection: close");
            // Who hangs up meanwhile has heard enough.
            let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        }
    });
    port
}

fn channels(port: u16, server: u16) -> String {
    format!(
        r#"
[channels.mail]
kind = "email"
host = "127.0.0.1"
port = {port}
tls = "none"
user = "me"
password = {{ credential = "smtp-password" }}
from = "simbell@example.org"
to = ["me@example.org"]
timeout = "5s"

[channels.phone]
kind = "ntfy"
url = "http://127.0.0.1:{server}"
topic = {{ credential = "ntfy-topic" }}
timeout = "5s"

[channels.chat]
kind = "webhook"
url = {{ credential = "chat-url" }}
headers = {{ Authorization = {{ credential = "chat-login" }} }}
timeout = "5s"

[service]
log = "trace"
"#
    )
}

fn house_with_credentials(server: u16) -> House {
    let house = House::new();
    house.configure(&channels(dead_port(), server));
    fs::create_dir(house.path("credentials")).unwrap();
    let hook = format!("http://127.0.0.1:{server}/services/{HOOK}?key={HOOK}");
    for (name, secret) in [
        ("smtp-password", CANARY),
        ("ntfy-topic", TOPIC),
        ("chat-url", hook.as_str()),
        ("chat-login", CANARY),
    ] {
        let file = house.path("credentials").join(name);
        fs::write(&file, format!("{secret}\n")).unwrap();
        // As systemd leaves them.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    }
    house
}

#[test]
fn a_credential_that_was_not_passed_is_a_problem_of_its_key() {
    let house = house_with_credentials(dead_port());
    let mut service = house.start(house.command());
    assert_eq!(service.end().code(), Some(78));
    let said = service.log();
    assert!(said.contains("channels.mail.password.credential: no credentials were handed"), "{said}");
    assert!(said.contains("LoadCredential=smtp-password"), "it says what to do: {said}");
}

#[test]
fn secrets_show_nowhere() {
    let server = echoing_server();
    let house = house_with_credentials(server);
    let mut command = house.command();
    command.env("CREDENTIALS_DIRECTORY", house.path("credentials"));
    let (mut service, _systemd) = house.start_notified(command);

    let mut shown: Vec<(String, Vec<u8>)> = Vec::new();
    let mut answer = |what: &str, answers: Vec<Value>| {
        shown.push((what.to_owned(), answers.iter().map(Value::to_string).collect::<String>().into_bytes()));
    };
    for (name, reason) in [("mail", "refused"), ("phone", "404"), ("chat", "404")] {
        let tested = house.call("org.simbell.Control.TestChannel", &json!({ "name": name }));
        let error = tested["parameters"]["error"].as_str();
        assert!(error.is_some_and(|error| error.contains(reason)), "the secret was in use: {tested}");
        answer("TestChannel", vec![tested]);
    }
    let page = json!({ "after": null, "limit": null });
    for (method, parameters) in [
        ("GetStatus", json!({})),
        ("ListChannels", page.clone()),
        ("ListReminders", page.clone()),
        ("ListRules", page),
        ("Reload", json!({})),
    ] {
        let said = house.call(&format!("org.simbell.Control.{method}"), &parameters);
        assert!(said["error"].is_null(), "{method}: {said}");
        answer(method, vec![said]);
    }
    let report = json!({ "method": "org.simbell.Control.BugReport", "parameters": {}, "more": true });
    let recording = calls(&house.path("control.sock"), &report);
    assert!(
        recording.iter().any(|part| part["parameters"]["text"].as_str().is_some_and(|text| !text.is_empty()))
    );
    answer("BugReport", recording);

    // A reload that fails shows lines of the configuration.
    house.configure(&channels(dead_port(), server).replace("smtp-password", CANARY));
    let rejected = house.call("org.simbell.Control.Reload", &json!({}));
    assert_eq!(rejected["error"], "org.simbell.Control.ReloadRejected", "{rejected}");
    house.configure(&format!("{}password = \"{CANARY}\"\n[x", channels(dead_port(), server)));
    answer("Reload", vec![house.call("org.simbell.Control.Reload", &json!({}))]);

    for file in ["cmdline", "environ"] {
        shown.push((file.to_owned(), fs::read(format!("/proc/{}/{file}", service.pid())).unwrap()));
    }
    service.signal(Signal::TERM);
    assert_eq!(service.end().code(), Some(0));
    let state = house.path("state");
    let copies = fs::read_dir(state.join("backups")).into_iter().flatten();
    for entry in fs::read_dir(&state).unwrap().chain(copies) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        shown.push((path.display().to_string(), fs::read(&path).unwrap()));
    }
    let log = service.log();
    assert!(log.contains("mail"), "the log tells of the channel: {log}");
    shown.push(("log".to_owned(), log.into_bytes()));
    for (what, bytes) in &shown {
        for secret in [CANARY, TOPIC, HOOK] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{what} shows a secret: {}", String::from_utf8_lossy(bytes));
        }
    }
}
