//! Mail.

use std::time::Duration;

use serde_json::Value;
use simbell_core::event::DeliveryOutcome;
use simbell_notify::{ChannelConfig, EmailConfig, Login, SendErrorKind, SmtpTls};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::support::{NOW, Server, certificates, channel, message, problem};

const PASSWORD: &str = "corr3ct horse";

fn config(port: u16, tls: SmtpTls) -> EmailConfig {
    EmailConfig {
        host: "localhost".to_owned(),
        port: Some(port),
        tls,
        login: None,
        from: "simbell <bell@router.test>".to_owned(),
        to: vec!["owner@mail.test".to_owned()],
        hello: None,
        ca_file: Some(certificates().ca.clone()),
        timeout: Duration::from_secs(20),
    }
}

fn login(password: &str) -> Option<Login> {
    Some(Login { user: "bell".to_owned(), password: password.into() })
}

fn header<'a>(mail: &'a Value, name: &str) -> Vec<&'a str> {
    let all = mail["headers"].as_array().unwrap().iter();
    all.filter(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(name))
        .map(|pair| pair[1].as_str().unwrap())
        .collect()
}

fn server(tls: &str, more: &[&str]) -> Server {
    let made = certificates();
    let mut arguments = vec!["--tls", tls];
    if tls != "none" {
        arguments.extend(["--cert", &made.cert, "--key", &made.key]);
    }
    arguments.extend(more);
    Server::smtp(&arguments)
}

#[tokio::test]
async fn a_chinese_mail_arrives_by_starttls_with_a_login() {
    for mechanism in ["PLAIN", "LOGIN"] {
        let mut server =
            server("starttls", &["--user", "bell", "--password", PASSWORD, "--mechanism", mechanism]);
        let mut config = config(server.port, SmtpTls::StartTls);
        config.login = login(PASSWORD);
        config.to = vec!["owner@mail.test".to_owned(), "Zweite <second@mail.test>".to_owned()];
        let receipt =
            channel(ChannelConfig::Email(config)).send(&message("data/80#1/mail"), NOW).await.unwrap();
        assert!(receipt.text.contains("accepted"), "{}", receipt.text);
        let mail = server.received().await;
        assert_eq!(mail["tls"], true);
        assert_eq!(mail["login"], "bell");
        assert_eq!(mail["sender"], "bell@router.test");
        assert_eq!(mail["recipients"], serde_json::json!(["owner@mail.test", "second@mail.test"]));
        assert_eq!(header(&mail, "Subject"), ["流量已用 80%"]);
        assert_eq!(header(&mail, "Date"), ["Wed, 18 Nov 2026 11:06:40 +0000"]);
        assert_eq!(header(&mail, "Auto-Submitted"), ["auto-generated"]);
        assert_eq!(header(&mail, "Importance"), ["high"]);
        assert_eq!(header(&mail, "Message-ID").len(), 1);
        assert!(header(&mail, "Message-ID")[0].ends_with("@router.test>"));
        let text = mail["text"].as_str().unwrap();
        assert!(
            text.starts_with("漫游卡：已用 8 GB，共 10 GB。\n还剩 3 天。\n\n-- \nsimbell: data/80/0014"),
            "{text}"
        );
        assert_eq!(mail["ascii"], true);
    }
}

#[tokio::test]
async fn a_mail_arrives_by_tls_from_the_first_byte() {
    let mut server = server("tls", &["--user", "bell", "--password", PASSWORD]);
    let mut config = config(server.port, SmtpTls::Tls);
    config.login = login(PASSWORD);
    channel(ChannelConfig::Email(config)).send(&message("1"), NOW).await.unwrap();
    let mail = server.received().await;
    assert_eq!((&mail["tls"], &mail["login"]), (&true.into(), &"bell".into()));
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_tried_again() {
    let server = server("starttls", &["--user", "bell", "--password", PASSWORD, "--echo"]);
    let mut config = config(server.port, SmtpTls::StartTls);
    config.login = login("wr0ng-canary");
    let error = channel(ChannelConfig::Email(config)).send(&message("1"), NOW).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (SendErrorKind::Login, false));
    assert!(error.text.contains("535"), "{}", error.text);
    assert!(error.text.contains("check `user` and `password`"), "{}", error.text);
    assert!(error.text.contains("wrong: [secret]"), "{}", error.text);
    assert!(!error.text.contains("canary"), "{}", error.text);
    assert_eq!(server.rest().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_mail_put_off_is_the_same_mail_on_the_next_try() {
    let mut server = server("none", &["--reply", "451 4.3.0 disk full", "--reply", "250 fine"]);
    let channel = channel(ChannelConfig::Email(config(server.port, SmtpTls::None)));
    let error = channel.send(&message("data/80#1/mail"), NOW).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (SendErrorKind::Busy, true));
    assert!(error.text.contains("451 4.3.0 disk full"), "{}", error.text);
    channel.send(&message("data/80#1/mail"), NOW).await.unwrap();
    channel.send(&message("data/80#2/mail"), NOW).await.unwrap();
    let (first, second, other) = (server.received().await, server.received().await, server.received().await);
    assert_eq!(first["headers"], second["headers"]);
    assert_eq!(first["text"], second["text"]);
    assert_ne!(header(&first, "Message-ID"), header(&other, "Message-ID"));
}

#[tokio::test]
async fn a_mail_refused_is_refused_for_good_with_the_servers_words() {
    let server = server("none", &["--reply", "554 5.7.1 spam\u{1b}[31m"]);
    let error = channel(ChannelConfig::Email(config(server.port, SmtpTls::None)))
        .send(&message("1"), NOW)
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.retry), (SendErrorKind::Refused, false));
    assert!(error.text.contains("554 5.7.1 spam"), "{}", error.text);
    assert!(!error.text.contains('\u{1b}'));
    assert!(matches!(DeliveryOutcome::from(error), DeliveryOutcome::Refused { .. }));
}

#[tokio::test]
async fn one_recipient_does_not_keep_the_mail_from_another() {
    let mut server = server("none", &[]);
    let mut config = config(server.port, SmtpTls::None);
    config.to = ["owner@mail.test", "grey@mail.test", "bad@mail.test"].map(str::to_owned).to_vec();
    let channel = channel(ChannelConfig::Email(config));
    let error = channel.send(&message("1"), NOW).await.unwrap_err();
    assert!(error.retry);
    assert!(error.text.contains("accepted for 1 of 3 recipients"), "{}", error.text);
    assert_eq!(server.received().await["recipients"], serde_json::json!(["owner@mail.test"]));
    let error = channel.send(&message("1"), NOW).await.unwrap_err();
    assert!(!error.retry);
    assert!(error.text.contains("accepted for 2 of 3 recipients"), "{}", error.text);
    assert!(error.text.contains("bad@mail.test: 550 5.1.1"), "{}", error.text);
    assert_eq!(server.received().await["recipients"], serde_json::json!(["grey@mail.test"]));
}

#[tokio::test]
async fn a_title_cannot_add_a_header() {
    let mut server = server("none", &[]);
    let mut message = message("1");
    message.title = "80%\r\nBcc: evil@mail.test\r\n\r\nbody".to_owned();
    message.id = "x\r\nX-Evil: 1".to_owned();
    channel(ChannelConfig::Email(config(server.port, SmtpTls::None))).send(&message, NOW).await.unwrap();
    let mail = server.received().await;
    assert_eq!(header(&mail, "Subject"), ["80% Bcc: evil@mail.test body"]);
    assert!(header(&mail, "Bcc").is_empty() && header(&mail, "X-Evil").is_empty());
    assert_eq!(mail["recipients"], serde_json::json!(["owner@mail.test"]));
}

#[tokio::test]
async fn without_starttls_nothing_is_sent_unprotected() {
    let server = server("none", &[]);
    let error = channel(ChannelConfig::Email(config(server.port, SmtpTls::StartTls)))
        .send(&message("1"), NOW)
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.retry), (SendErrorKind::Tls, true));
    assert!(error.text.contains("does not offer STARTTLS"), "{}", error.text);
    assert_eq!(server.rest().await, [] as [Value; 0]);
}

#[tokio::test]
async fn answers_slipped_in_before_tls_are_not_believed() {
    let server = server("starttls", &["--tamper"]);
    let config = config(server.port, SmtpTls::StartTls);
    let error = channel(ChannelConfig::Email(config)).send(&message("1"), NOW).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (SendErrorKind::Tls, true), "{}", error.text);
    assert_eq!(server.rest().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_certificate_nobody_trusts_is_not_taken() {
    for (tls, mode) in [("starttls", SmtpTls::StartTls), ("tls", SmtpTls::Tls)] {
        let server = server(tls, &[]);
        let mut config = config(server.port, mode);
        config.ca_file = None;
        let error = channel(ChannelConfig::Email(config)).send(&message("1"), NOW).await.unwrap_err();
        assert_eq!((error.kind, error.retry), (SendErrorKind::Tls, true), "{}", error.text);
        assert!(error.text.contains("certificate"), "{}", error.text);
        assert_eq!(server.rest().await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn a_closed_port_is_told_apart_from_a_silent_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut config = config(port, SmtpTls::None);
    config.timeout = Duration::from_secs(1);
    let channel = channel(ChannelConfig::Email(config));

    let silent = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let (mut socket2, _) = listener.accept().await.unwrap();
        socket2.write_all(b"220 hello\r\n").await.unwrap();
        let mut lines = BufReader::new(socket2).lines();
        let hello = lines.next_line().await.unwrap().unwrap();
        (socket, lines, hello)
    });
    // Accepts and says nothing; then greets and falls silent.
    for _ in 0..2 {
        let error = channel.send(&message("1"), NOW).await.unwrap_err();
        assert_eq!((error.kind, error.retry), (SendErrorKind::TimedOut, true), "{}", error.text);
    }
    let (socket, lines, hello) = silent.await.unwrap();
    assert_eq!(hello, "EHLO router.test");
    drop((socket, lines));

    let error = channel.send(&message("1"), NOW).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (SendErrorKind::Unreachable, true), "{}", error.text);
    assert!(error.text.contains("refused"), "{}", error.text);
}

#[tokio::test]
async fn a_server_that_hangs_up_or_talks_nonsense_is_tried_again() {
    for (words, kind) in [
        (&b"220 hello\r\n"[..], SendErrorKind::BadAnswer),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", SendErrorKind::BadAnswer),
        (b"421 4.3.2 shutting down\r\n", SendErrorKind::Busy),
        (b"554 5.7.1 not you\r\n", SendErrorKind::Refused),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let channel =
            channel(ChannelConfig::Email(config(listener.local_addr().unwrap().port(), SmtpTls::None)));
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(words).await.unwrap();
            socket.shutdown().await.unwrap();
            // Held open for reading: the client's last words do not meet a reset.
            let mut lines = BufReader::new(socket).lines();
            while let Ok(Some(_)) = lines.next_line().await {}
        });
        let error = channel.send(&message("1"), NOW).await.unwrap_err();
        assert_eq!(error.kind, kind, "{}", error.text);
        assert_eq!(error.retry, kind != SendErrorKind::Refused, "{}", error.text);
        server.await.unwrap();
    }
}

#[test]
fn wrong_configurations_are_named_by_key() {
    let with = |change: fn(&mut EmailConfig)| {
        let mut config = config(25, SmtpTls::None);
        change(&mut config);
        problem(ChannelConfig::Email(config))
    };
    assert!(with(|c| c.to.clear()).contains("channel it: to: names no recipient"));
    assert!(with(|c| c.from = "nobody".to_owned()).contains("from: `nobody` is not an address"));
    assert!(
        with(|c| c.to = vec!["a@b.test\r\nBcc: c@d.test".to_owned()]).contains("to: must not hold control")
    );
    assert!(with(|c| c.host = "smtp://x".to_owned()).contains("host: must be"));
    assert!(with(|c| c.ca_file = Some("/nonexistent.pem".into())).contains("ca_file: /nonexistent.pem"));
}

#[test]
fn an_unprotected_way_to_another_machine_is_told() {
    let mut config = config(25, SmtpTls::None);
    assert_eq!(channel(ChannelConfig::Email(config.clone())).caution(), None);
    config.host = "mail.example.org".to_owned();
    assert!(channel(ChannelConfig::Email(config)).caution().unwrap().contains("use starttls or tls"));
}
