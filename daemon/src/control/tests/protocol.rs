//! What a client that behaves gets.

use std::process::Stdio;

use simbell_api::{Client, GetUsageParams, MonitorKind};

use super::*;

#[tokio::test]
async fn a_client_of_another_make_calls_every_method() {
    let served = start(Fake::new(16), Limits::default(), me());
    let python = std::env::var("SIMBELL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut child = tokio::process::Command::new(&python)
        .args(["-", served.path.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{python}: {error}; install Python, or name it in SIMBELL_TEST_PYTHON")
        });
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(include_bytes!("foreign.py")).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}{}", said, String::from_utf8_lossy(&output.stderr));
    let all = format!("every method answered: {}", simbell_api::Method::ALL.len());
    assert!(said.contains(&all), "{said}");
}

#[tokio::test]
async fn our_own_client_gets_every_page() {
    let served = start(Fake::new(16).with_sims(200), Limits::default(), me());
    let mut client = Client::connect(&served.path).await.unwrap();
    assert_eq!(client.skew(), None);
    let sims = client.sims().await.unwrap();
    assert_eq!(sims.len(), 200);
    assert!(sims.is_sorted_by(|a, b| a.iccid < b.iccid));
    let question = GetUsageParams { by: "hour".into(), sim: Some("sim-3".into()), ..Default::default() };
    let usage = client.usage(&question).await.unwrap();
    assert_eq!(usage.rows.len(), 101);
    assert_eq!(usage.total.rx_bytes, 3_000_000_000);
}

#[tokio::test]
async fn calls_in_a_row_are_answered_in_order() {
    let served = start(Fake::new(16), Limits::default(), me());
    let mut raw = Raw::connect(&served.path).await;
    let many = format!(
        "{STATUS}\0{}\0{STATUS}\0{}",
        r#"{"method":"org.simbell.Control.Acknowledge","parameters":{"key":"data-threshold/80/0011"},"oneway":true}"#,
        r#"{"method":"org.simbell.Control.ListReminders"}"#
    );
    raw.send(&many).await;
    assert_eq!(raw.next().await.unwrap()["parameters"]["service"]["state"], "running");
    assert!(raw.next().await.unwrap()["parameters"]["service"].is_object());
    // The one-way call had no reply, but its effect.
    let reminders = raw.next().await.unwrap();
    assert_eq!(reminders["parameters"]["reminders"][0]["state"], "acknowledged");
}

#[tokio::test]
async fn a_follower_gets_the_state_then_changes_then_heartbeats() {
    let limits = Limits { heartbeat: Duration::from_millis(50), ..Limits::default() };
    let served = start(Fake::new(16), limits, me());
    let client = Client::connect(&served.path).await.unwrap();
    let mut stream = client.monitor().await.unwrap();
    let mut kinds = Vec::new();
    loop {
        let event = stream.next().await.unwrap().unwrap();
        kinds.push(event.kind());
        if event.kind() == MonitorKind::Ready {
            break;
        }
    }
    use MonitorKind::{Channel, Ready, Reminder, Service, Sim};
    assert_eq!(kinds, [Service, Sim, Sim, Reminder, Channel, Ready]);
    served.fake.say("data-threshold/95/0011");
    let mut beats = 0;
    let said = loop {
        let event = stream.next().await.unwrap().unwrap();
        match event.kind() {
            MonitorKind::Heartbeat => beats += 1,
            _ => break event,
        }
    };
    assert_eq!(said.kind(), MonitorKind::Said);
    assert_eq!(said.reminder.unwrap().key, "data-threshold/95/0011");
    while beats == 0 {
        beats += u32::from(stream.next().await.unwrap().unwrap().kind() == MonitorKind::Heartbeat);
    }
    assert_eq!(served.fake.followers(), 1);
    drop(stream);
    eventually("the closed stream is noticed", || served.fake.followers() == 0).await;
}

#[tokio::test]
async fn a_follower_that_goes_is_noticed_before_the_next_heartbeat() {
    let limits = Limits { heartbeat: Duration::from_secs(3600), ..Limits::default() };
    let served = start(Fake::new(16), limits, me());
    let mut raw = Raw::connect(&served.path).await;
    raw.send(r#"{"method":"org.simbell.Control.Monitor","more":true}"#).await;
    while raw.next().await.unwrap()["parameters"]["event"] != "ready" {}
    assert_eq!(served.fake.followers(), 1);
    drop(raw);
    eventually("it is noticed", || served.fake.followers() == 0).await;

    // One that talks meanwhile is told to use another connection.
    let mut raw = Raw::connect(&served.path).await;
    raw.send(r#"{"method":"org.simbell.Control.Monitor","more":true}"#).await;
    while raw.next().await.unwrap()["parameters"]["event"] != "ready" {}
    assert_eq!(error_of(&raw.ask(STATUS).await), "org.simbell.Control.Malformed");
    assert_eq!(raw.next().await, None);
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_by_name() {
    let served = start(Fake::new(16), Limits::default(), me());
    let mut raw = Raw::connect(&served.path).await;
    for (call, error) in [
        (r#"{"method":"org.simbell.Control.Nosuch"}"#, "org.varlink.service.MethodNotFound"),
        (r#"{"method":"nosuch"}"#, "org.varlink.service.MethodNotFound"),
        (r#"{"method":"org.example.Other.Get"}"#, "org.varlink.service.InterfaceNotFound"),
        (r#"{"method":"org.simbell.Control.Monitor"}"#, "org.varlink.service.ExpectedMore"),
        (r#"{"method":"org.simbell.Control.Snooze"}"#, "org.simbell.Control.InvalidArgument"),
        (
            r#"{"method":"org.simbell.Control.GetStatus","parameters":{"verbose":true}}"#,
            "org.simbell.Control.InvalidArgument",
        ),
        (
            r#"{"method":"org.simbell.Control.GetUsage","parameters":{"by":"year"}}"#,
            "org.simbell.Control.InvalidArgument",
        ),
        (
            r#"{"method":"org.simbell.Control.Snooze","parameters":{"key":"k","seconds":0}}"#,
            "org.simbell.Control.InvalidArgument",
        ),
        (
            r#"{"method":"org.simbell.Control.GetStatus","parameters":[]}"#,
            "org.simbell.Control.InvalidArgument",
        ),
    ] {
        assert_eq!(error_of(&raw.ask(call).await), error, "{call}");
    }
    // A parameter that a newer program knows and leaves unset does no harm.
    let reply = raw.ask(r#"{"method":"org.simbell.Control.GetStatus","parameters":{"verbose":null}}"#).await;
    assert!(reply["parameters"]["service"].is_object(), "{reply}");
}

#[tokio::test]
async fn reading_is_for_all_and_changing_for_some() {
    let dir = tempfile::tempdir().unwrap();
    let (groups, users) = (dir.path().join("group"), dir.path().join("passwd"));
    let uid = rustix::process::geteuid().as_raw();
    std::fs::write(&users, format!("tester:x:{uid}:54321::/:/bin/sh\n")).unwrap();
    std::fs::write(&groups, "netdev:x:107:someone\n").unwrap();
    let access = Access::new(vec![], groups.clone(), users);
    let served = start(Fake::new(16).with_admin_groups(&["netdev"]), Limits::default(), access);
    let change = r#"{"method":"org.simbell.Control.Reload"}"#;

    let mut raw = Raw::connect(&served.path).await;
    assert!(raw.ask(STATUS).await["parameters"]["service"].is_object());
    let refused = raw.ask(change).await;
    assert_eq!(error_of(&refused), "org.simbell.Control.NotPermitted");
    assert!(refused["parameters"]["hint"].as_str().unwrap().contains("netdev"), "{refused}");

    // Joining the group holds for the next connection.
    std::fs::write(&groups, "netdev:x:107:someone,tester\n").unwrap();
    let mut raw = Raw::connect(&served.path).await;
    assert_eq!(raw.ask(change).await["parameters"]["rules"], 1);
}
