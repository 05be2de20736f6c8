//! Secrets stay inside, also where the receiver sends them back; the journal gets its line.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use simbell_core::event::DeliveryOutcome;
use simbell_notify::{
    ChannelConfig, Dispatcher, EmailConfig, HeaderConfig, Login, NtfyAuth, NtfyConfig, SmtpTls, WebhookConfig,
};
use tokio::sync::mpsc;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{DEADLINE, Server, certificates, channels, delivery, message};

const CANARY: &str = "c4nary";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// From here on this thread's events of every level, those of the libraries as well, are kept.
    fn open() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(log.clone())
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .without_time()
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn secret(what: &str) -> String {
    format!("{CANARY}-{what}")
}

fn configs(smtp: &Server, http: &Server) -> Vec<(&'static str, ChannelConfig)> {
    let url = format!("http://127.0.0.1:{}", http.port);
    let timeout = Duration::from_secs(20);
    let login = |what: &str| Login { user: "bell".to_owned(), password: secret(what).into() };
    let ntfy = |auth| {
        ChannelConfig::Ntfy(NtfyConfig {
            url: url.clone(),
            topic: secret("topic").into(),
            auth,
            tags: vec![],
            click: None,
            ca_file: None,
            timeout,
        })
    };
    let header = |name: &str, value: String, secret| HeaderConfig {
        name: name.to_owned(),
        value: value.into(),
        secret,
    };
    vec![
        (
            "mail",
            ChannelConfig::Email(EmailConfig {
                host: "localhost".to_owned(),
                port: Some(smtp.port),
                tls: SmtpTls::StartTls,
                login: Some(login("smtp")),
                from: "bell@router.test".to_owned(),
                to: vec!["owner@mail.test".to_owned()],
                hello: None,
                ca_file: Some(certificates().ca.clone()),
                timeout,
            }),
        ),
        ("push-login", ntfy(NtfyAuth::Login(login("ntfy")))),
        ("push-token", ntfy(NtfyAuth::Token(secret("token").into()))),
        (
            "hook",
            ChannelConfig::Webhook(WebhookConfig {
                url: format!("{url}/{}?key={}", secret("path"), secret("query")).into(),
                method: "POST".to_owned(),
                headers: vec![
                    header("Authorization", format!("Bearer {}", secret("bearer")), false),
                    header("X-Api-Key", secret("header"), true),
                ],
                template: None,
                content_type: "application/json".to_owned(),
                ca_file: None,
                timeout,
            }),
        ),
    ]
}

/// Servers that refuse everything and repeat whatever they were given.
fn servers() -> (Server, Server) {
    let made = certificates();
    let smtp = Server::smtp(&[
        "--tls",
        "starttls",
        "--cert",
        &made.cert,
        "--key",
        &made.key,
        "--user",
        "bell",
        "--password",
        "another",
        "--echo",
    ]);
    let refused = |status: u16, body: &str| {
        json!({"status": status, "body": body, "headers": {"Location": "http://127.0.0.1:1{path}"}})
            .to_string()
    };
    let (body, redirect) = (refused(401, "{echo}"), refused(302, ""));
    let http = Server::http(&[
        "--reply", &body, "--reply", &body, "--reply", &body, "--reply", &redirect, "--reply", &body,
    ]);
    (smtp, http)
}

#[tokio::test]
async fn no_secret_is_in_a_debug_output_an_error_or_a_log() {
    let (smtp, mut http) = servers();
    let debug = format!("{:?}", configs(&smtp, &http));
    assert!(debug.contains("push-token") && !debug.contains(CANARY), "{debug}");

    let (log, _guard) = Log::open();
    let (sender, mut outcomes) = mpsc::channel(8);
    let dispatcher = Dispatcher::new(channels(configs(&smtp, &http), None), sender);
    let mut errors = Vec::new();
    for (n, channel) in ["mail", "push-login", "push-token", "hook", "hook"].into_iter().enumerate() {
        dispatcher.deliver(delivery(channel, &format!("{n}"))).unwrap();
        let ended = tokio::time::timeout(DEADLINE, outcomes.recv()).await.unwrap().unwrap();
        match ended.outcome {
            DeliveryOutcome::Refused { error } => errors.push(error),
            other => panic!("{channel}: {other:?}"),
        }
    }
    dispatcher.stop(DEADLINE).await;

    // The receivers did get them: what is not found below was there to be found.
    let requests = [http.received().await, http.received().await, http.received().await];
    assert_eq!(requests[1]["headers"]["authorization"], format!("Bearer {}", secret("token")));
    assert_eq!(requests[2]["path"], format!("/{}?key={}", secret("path"), secret("query")));
    assert_eq!(errors.len(), 5);
    for error in &errors {
        assert!(!error.contains(CANARY), "{error}");
        assert!(error.contains("[secret]"), "{error}");
    }
    for (error, place) in errors.iter().zip(["wrong: [secret]", "Basic [secret]", "Bearer [secret]"]) {
        assert!(error.contains(place), "{error}");
    }
    // Base 64: the canary, `bell:c4nary-ntfy` and `\0bell\0c4nary-smtp`.
    let encoded = ["YzRuYXJ5", "YmVsbDpjNG5hcnktbnRmeQ==", "AGJlbGwAYzRuYXJ5LXNtdHA="];
    let log = log.text();
    assert!(log.contains("answered 401"), "{log}");
    for needle in encoded.into_iter().chain([CANARY]) {
        assert!(!errors.iter().any(|error| error.contains(needle)), "{errors:?}");
        let line = log.lines().find(|line| line.contains(needle));
        assert_eq!(line, None);
    }
}

#[tokio::test]
async fn the_journal_gets_one_harmless_line() {
    let (log, _guard) = Log::open();
    let channel = channels(vec![("journal", ChannelConfig::Journal)], None).pop_first().unwrap().1;
    let mut message = message("data/80#1/journal");
    message.text = "line one\nline two\u{1b}[2J\u{202e}".to_owned();
    channel.send(&message, crate::support::NOW).await.unwrap();
    let text = log.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("simbell::reminder")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(lines[0].contains("流量已用 80%: line one line two [2J"), "{text}");
    assert!(lines[0].contains("INFO") && lines[0].contains("key=data/80/0014"), "{text}");
    assert!(!text.contains(['\u{1b}', '\u{202e}']));
}
