//! Secrets: found where systemd puts them, and shown nowhere.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::house::{House, calls};

/// Written down nowhere else.
const CANARY: &str = "canary-6f1d0c5e-in-a-mine";
const TOPIC: &str = "canary-topic-2b7e";

/// A port of this machine that nobody listens on.
fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn channels(port: u16) -> String {
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
url = "http://127.0.0.1:{port}"
topic = {{ credential = "ntfy-topic" }}
timeout = "5s"

[service]
log = "trace"
"#
    )
}

fn house_with_credentials() -> House {
    let house = House::new();
    house.configure(&channels(dead_port()));
    fs::create_dir(house.path("credentials")).unwrap();
    for (name, secret) in [("smtp-password", CANARY), ("ntfy-topic", TOPIC)] {
        let file = house.path("credentials").join(name);
        fs::write(&file, format!("{secret}\n")).unwrap();
        // As systemd leaves them.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    }
    house
}

#[test]
fn a_credential_that_was_not_passed_is_a_problem_of_its_key() {
    let house = house_with_credentials();
    let mut service = house.start(house.command());
    assert_eq!(service.end().code(), Some(78));
    let said = service.log();
    assert!(said.contains("channels.mail.password.credential: no credentials were handed"), "{said}");
    assert!(said.contains("LoadCredential=smtp-password"), "it says what to do: {said}");
}

#[test]
fn secrets_show_nowhere() {
    let house = house_with_credentials();
    let mut command = house.command();
    command.env("CREDENTIALS_DIRECTORY", house.path("credentials"));
    let (mut service, _systemd) = house.start_notified(command);

    let mut shown: Vec<(String, Vec<u8>)> = Vec::new();
    let mut answer = |what: &str, answers: Vec<Value>| {
        shown.push((what.to_owned(), answers.iter().map(Value::to_string).collect::<String>().into_bytes()));
    };
    for name in ["mail", "phone"] {
        let tested = house.call("org.simbell.Control.TestChannel", &json!({ "name": name }));
        let error = tested["parameters"]["error"].as_str();
        assert!(error.is_some_and(|error| error.contains("refused")), "the secret was in use: {tested}");
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
    house.configure(&channels(dead_port()).replace("smtp-password", CANARY));
    let rejected = house.call("org.simbell.Control.Reload", &json!({}));
    assert_eq!(rejected["error"], "org.simbell.Control.ReloadRejected", "{rejected}");
    house.configure(&format!("{}password = \"{CANARY}\"\n[x", channels(dead_port())));
    answer("Reload", vec![house.call("org.simbell.Control.Reload", &json!({}))]);

    for file in ["cmdline", "environ"] {
        shown.push((file.to_owned(), fs::read(format!("/proc/{}/{file}", service.pid())).unwrap()));
    }
    service.signal(Signal::TERM);
    assert_eq!(service.end().code(), Some(0));
    for entry in fs::read_dir(house.path("state")).unwrap() {
        let path = entry.unwrap().path();
        shown.push((path.display().to_string(), fs::read(&path).unwrap()));
    }
    let log = service.log();
    assert!(log.contains("mail"), "the log tells of the channel: {log}");
    shown.push(("log".to_owned(), log.into_bytes()));
    for (what, bytes) in &shown {
        for secret in [CANARY, TOPIC] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{what} shows a secret: {}", String::from_utf8_lossy(bytes));
        }
    }
}
