//! ntfy and webhooks.

use std::time::Duration;

use serde_json::{Value, json};
use simbell_core::event::DeliveryOutcome;
use simbell_core::reminder::Urgency;
use simbell_core::time::Span;
use simbell_notify::{
    ChannelConfig, HeaderConfig, Login, NtfyAuth, NtfyConfig, SendError, SendErrorKind, WebhookConfig,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{DEADLINE, NOW, Server, certificates, channel, message, problem};

fn ntfy(url: String) -> NtfyConfig {
    NtfyConfig {
        url,
        topic: "bell-topic".into(),
        auth: NtfyAuth::None,
        tags: vec!["sim".to_owned()],
        click: None,
        ca_file: None,
        timeout: Duration::from_secs(20),
    }
}

fn webhook(url: String) -> WebhookConfig {
    WebhookConfig {
        url: url.into(),
        method: "POST".to_owned(),
        headers: vec![],
        template: None,
        content_type: "application/json".to_owned(),
        ca_file: None,
        timeout: Duration::from_secs(20),
    }
}

fn at(server: &Server, path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", server.port)
}

fn replies(replies: &[Value]) -> Server {
    let texts: Vec<String> = replies.iter().map(ToString::to_string).collect();
    Server::http(&texts.iter().flat_map(|text| ["--reply", text]).collect::<Vec<_>>())
}

async fn refused(reply: Value) -> SendError {
    let server = replies(&[reply]);
    let config = webhook(at(&server, "/hook"));
    channel(ChannelConfig::Webhook(config)).send(&message("1"), NOW).await.unwrap_err()
}

#[tokio::test]
async fn ntfy_gets_the_message_as_json_with_a_token() {
    let mut server = replies(&[json!({"status": 200, "body": "{\"id\":\"abc\"}"})]);
    let mut config = ntfy(at(&server, ""));
    config.auth = NtfyAuth::Token("tk_0123456789".into());
    config.click = Some("https://carrier.test/top-up".to_owned());
    let channel = channel(ChannelConfig::Ntfy(config));
    channel.send(&message("data/80#1/push"), NOW).await.unwrap();
    channel.send(&message("data/80#1/push"), NOW).await.unwrap();
    channel.send(&message("data/80#2/push"), NOW).await.unwrap();
    let request = server.received().await;
    assert_eq!((&request["method"], &request["path"]), (&json!("POST"), &json!("/")));
    assert_eq!(request["headers"]["authorization"], "Bearer tk_0123456789");
    assert_eq!(request["headers"]["content-type"], "application/json");
    let body: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["topic"], "bell-topic");
    assert_eq!(body["title"], "流量已用 80%");
    assert_eq!(body["message"], "漫游卡：已用 8 GB，共 10 GB。\n还剩 3 天。");
    assert_eq!(body["priority"], 5);
    assert_eq!(body["tags"], json!(["sim", "rotating_light"]));
    assert_eq!(body["click"], "https://carrier.test/top-up");
    // What ntfy's server takes: [-_A-Za-z0-9]{1,64}.
    let sequence = body["sequence_id"].as_str().unwrap();
    assert!((1..=64).contains(&sequence.len()) && sequence.bytes().all(|b| b.is_ascii_alphanumeric()));
    assert_eq!(server.received().await["body"], request["body"]);
    assert_ne!(server.received().await["body"], request["body"]);
}

#[tokio::test]
async fn ntfy_under_a_path_with_a_login() {
    let mut server = Server::http(&[]);
    let mut config = ntfy(at(&server, "/push"));
    config.auth = NtfyAuth::Login(Login { user: "Aladdin".to_owned(), password: "open sesame".into() });
    let mut message = message("1");
    message.urgency = Urgency::Info;
    channel(ChannelConfig::Ntfy(config)).send(&message, NOW).await.unwrap();
    let request = server.received().await;
    assert_eq!(request["path"], "/push/");
    // The example of RFC 7617, section 2.
    assert_eq!(request["headers"]["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let body: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["priority"], 3);
}

#[tokio::test]
async fn retry_after_is_handed_on() {
    let error =
        refused(json!({"status": 429, "headers": {"Retry-After": "120"}, "body": "slow down\nplease"})).await;
    assert!(error.text.ends_with("answered 429: slow down"), "{}", error.text);
    assert_eq!(
        DeliveryOutcome::from(error.clone()),
        DeliveryOutcome::Retry { error: error.text, after: Some(Span::secs(120)) },
    );
    let error = refused(json!({"status": 503})).await;
    assert_eq!((error.kind, error.retry, error.after), (SendErrorKind::Busy, true, None));
}

#[tokio::test]
async fn a_refusal_is_for_good_and_in_the_receivers_words() {
    let server = replies(&[json!({
        "status": 403,
        "body": "{\"code\":40301,\"http\":403,\"error\":\"forbidden\",\"link\":\"https://ntfy.sh/docs\"}",
    })]);
    let error =
        channel(ChannelConfig::Ntfy(ntfy(at(&server, "")))).send(&message("1"), NOW).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (SendErrorKind::Login, false));
    assert_eq!(error.text, format!("{} answered 403: forbidden", at(&server, "")));

    let error =
        refused(json!({"status": 404, "body": "\n\u{1b}]0;evil\u{7}no such hook\u{202e}\n<html>"})).await;
    assert_eq!((error.kind, error.retry), (SendErrorKind::Refused, false));
    assert!(error.text.ends_with("answered 404: ]0;evil no such hook"), "{}", error.text);
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let mut server = replies(&[json!({"status": 301, "headers": {"Location": "https://elsewhere.test/x"}})]);
    let error = channel(ChannelConfig::Webhook(webhook(at(&server, "/h"))))
        .send(&message("1"), NOW)
        .await
        .unwrap_err();
    assert!(!error.retry);
    assert!(
        error.text.contains("points to https://elsewhere.test/x; redirects are not followed"),
        "{}",
        error.text
    );
    server.received().await;
    assert_eq!(server.rest().await, [] as [Value; 0]);
}

#[tokio::test]
async fn tls_is_verified() {
    let made = certificates();
    let mut server = Server::http(&["--cert", &made.cert, "--key", &made.key]);
    let mut config = webhook(format!("https://localhost:{}/hook", server.port));
    let error = channel(ChannelConfig::Webhook(config.clone())).send(&message("1"), NOW).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (SendErrorKind::Tls, true), "{}", error.text);
    assert!(error.text.contains("certificate"), "{}", error.text);
    config.ca_file = Some(made.ca.clone());
    channel(ChannelConfig::Webhook(config)).send(&message("1"), NOW).await.unwrap();
    assert_eq!(server.received().await["path"], "/hook");
}

#[tokio::test]
async fn a_webhook_is_filled_in_for_its_content_type() {
    let mut server = Server::http(&[]);
    let mut hostile = message("data/流量#1/hook");
    hostile.title = "say \"80%\" & {{text}}".to_owned();

    let mut config = webhook(at(&server, "/json"));
    config.headers = vec![HeaderConfig { name: "X-Room".to_owned(), value: "7".into(), secret: false }];
    config.template = Some(r#"{"msg": "{{title}}: {{ text }}", "level": "{{urgency}}"}"#.to_owned());
    channel(ChannelConfig::Webhook(config)).send(&hostile, NOW).await.unwrap();
    let request = server.received().await;
    let body: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({
            "msg": "say \"80%\" & {{text}}: 漫游卡：已用 8 GB，共 10 GB。\n还剩 3 天。",
            "level": "critical",
        }),
    );
    assert_eq!(request["headers"]["x-room"], "7");
    assert_eq!(request["headers"]["idempotency-key"], "data/%E6%B5%81%E9%87%8F#1/hook");

    let mut config = webhook(at(&server, "/form"));
    config.method = "put".to_owned();
    config.content_type = "application/x-www-form-urlencoded".to_owned();
    config.template = Some("a={{title}}&b={{sim}}".to_owned());
    channel(ChannelConfig::Webhook(config)).send(&hostile, NOW).await.unwrap();
    let request = server.received().await;
    assert_eq!(request["method"], "PUT");
    assert_eq!(request["headers"]["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(request["body"], "a=say%20%2280%25%22%20%26%20%7B%7Btext%7D%7D&b=%E6%BC%AB%E6%B8%B8%E5%8D%A1",);

    let mut config = webhook(at(&server, "/plain"));
    config.content_type = "text/plain; charset=utf-8".to_owned();
    channel(ChannelConfig::Webhook(config)).send(&hostile, NOW).await.unwrap();
    let body = server.received().await["body"].clone();
    assert_eq!(body, "say \"80%\" & {{text}}\n漫游卡：已用 8 GB，共 10 GB。\n还剩 3 天。");

    let mut config = webhook(at(&server, "/key/{{title}}?level={{urgency}}"));
    config.method = "GET".to_owned();
    channel(ChannelConfig::Webhook(config)).send(&hostile, NOW).await.unwrap();
    let request = server.received().await;
    assert_eq!(request["method"], "GET");
    assert_eq!(request["path"], "/key/say%20%2280%25%22%20%26%20%7B%7Btext%7D%7D?level=critical");
    assert_eq!(request["body"], "");
}

#[tokio::test]
async fn an_answer_without_end_ends_at_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = socket.read(&mut request).await.unwrap();
        socket.write_all(b"HTTP/1.1 500 No\r\n\r\n").await.unwrap();
        // Until the client has had enough.
        while socket.write_all(&[b'x'; 4096]).await.is_ok() {}
    });
    let mut config = webhook(url);
    config.timeout = Duration::from_secs(3_600);
    let (channel, message) = (channel(ChannelConfig::Webhook(config)), message("1"));
    let error = tokio::time::timeout(DEADLINE, channel.send(&message, NOW)).await.unwrap().unwrap_err();
    assert!(error.text.contains("answered 500: xxx"), "{}", error.text);
    assert!(error.text.chars().count() < 400, "{}", error.text);
    server.await.unwrap();
}

#[tokio::test]
async fn a_closed_port_is_told_apart_from_a_silent_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = webhook(format!("http://{}/", listener.local_addr().unwrap()));
    config.timeout = Duration::from_secs(1);
    let channel = channel(ChannelConfig::Webhook(config));
    let error = channel.send(&message("1"), NOW).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (SendErrorKind::TimedOut, true));
    drop(listener);
    let error = channel.send(&message("1"), NOW).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (SendErrorKind::Unreachable, true));
    assert!(error.text.contains("Connection refused"), "{}", error.text);
}

#[test]
fn wrong_webhooks_are_named_by_key() {
    let with = |change: fn(&mut WebhookConfig)| {
        let mut config = webhook("https://hook.test/x".to_owned());
        change(&mut config);
        problem(ChannelConfig::Webhook(config))
    };
    let template = |text: &str| {
        let mut config = webhook("https://hook.test/x".to_owned());
        config.template = Some(text.to_owned());
        problem(ChannelConfig::Webhook(config))
    };
    assert!(
        template(r#"{"a":"{{tilte}}"}"#).contains("template: unknown placeholder `{{tilte}}`; did you mean")
    );
    assert!(template(r#"{"a":{{title}}}"#).contains("template: is not JSON once filled in"));
    assert!(with(|c| c.content_type = "text/html".to_owned()).contains("content_type: must be"));
    assert!(with(|c| c.method = "DELETE".to_owned()).contains("method: must be"));
    assert!(with(|c| c.url = "ftp://hook.test/".into()).contains("url: must begin with https://"));
    assert!(with(|c| c.url = "https://u:p@hook.test/".into()).contains("url: must not hold a login"));
    assert!(
        with(|c| c.url = "https://{{title}}/".into()).contains("url: placeholders may stand in the path")
    );
    assert!(with(|c| c.url = "https://hook.test{{title}}".into()).contains("url: placeholders may stand"));
    let header = |name: &str, value: &str| {
        let mut config = webhook("https://hook.test/x".to_owned());
        config.headers = vec![HeaderConfig { name: name.to_owned(), value: value.into(), secret: true }];
        problem(ChannelConfig::Webhook(config))
    };
    assert!(header("Host", "x").contains("headers: `host` is set by the service itself"));
    let told = header("X-Key", "canary\r\nX-Evil: 1");
    assert!(told.contains("`x-key` must not hold control") && !told.contains("canary"), "{told}");
}

#[test]
fn wrong_ntfy_channels_are_named_by_key() {
    let with = |change: fn(&mut NtfyConfig)| {
        let mut config = ntfy("https://ntfy.test".to_owned());
        change(&mut config);
        problem(ChannelConfig::Ntfy(config))
    };
    let told = with(|c| c.topic = "no blanks".into());
    assert!(told.contains("topic: must be") && !told.contains("blanks,"), "{told}");
    assert!(with(|c| c.url = "ntfy.test".to_owned()).contains("url: must begin with"));
    assert!(with(|c| c.url = "https://ntfy.test/?auth=x".to_owned()).contains("without a query"));
    assert!(
        with(|c| c.ca_file = Some("/dev/null".into())).contains("ca_file: /dev/null: holds no certificate")
    );
}

#[test]
fn an_unprotected_way_to_another_machine_is_told() {
    let told =
        |url: &str| channel(ChannelConfig::Webhook(webhook(url.to_owned()))).caution().map(str::to_owned);
    assert_eq!(told("http://127.0.0.1:8/x"), None);
    assert_eq!(told("http://[::1]:8/x"), None);
    assert_eq!(told("https://hook.test/x"), None);
    assert!(told("http://hook.test/x").unwrap().contains("use https://"));
}
