//! The program itself.

use std::process::Stdio;

use simbell_modemsim::lookalike::PrivateBus;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::client::{Client, DEADLINE, at};

#[tokio::test]
async fn serves_a_socket_until_its_standard_input_closes() {
    // Only its directory is used, which goes with it.
    let scratch = PrivateBus::start().await.unwrap();
    let socket = scratch.directory().join("mm sock");
    let scenario = scratch.directory().join("scenario.toml");
    std::fs::write(
        &scenario,
        "[[step]]\nat='50ms'\naction='restart'\nfor='50ms'\n[[step]]\nat='200ms'\naction='crash'\n\
         [[step]]\nat='300ms'\naction='start'",
    )
    .unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_simbell-modemsim"))
        .args(["lookalike", "--until-stdin-closes", "--socket"])
        .arg(&socket)
        .arg("--scenario")
        .arg(&scenario)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut line = async || {
        let line = tokio::time::timeout(DEADLINE, lines.next_line()).await.expect("a line in time");
        serde_json::from_str::<serde_json::Value>(&line.unwrap().expect("it runs")).unwrap()
    };
    let ready = line().await;
    assert_eq!(ready["ready"]["address"], format!("unix:path={}", socket.display()));
    while line().await.get("scenario_ended").is_none() {}
    let client = Client::at(ready["ready"]["address"].as_str().unwrap()).await;
    assert!(client.managed().await.keys().any(|path| path.as_str() == at("Modem", 0)));
    drop(program.stdin.take());
    let status = tokio::time::timeout(DEADLINE, program.wait()).await.expect("it ends in time").unwrap();
    assert!(status.success());
    assert!(!socket.exists());
}

#[tokio::test]
async fn serves_on_when_nobody_reads_its_reports() {
    let scratch = PrivateBus::start().await.unwrap();
    let socket = scratch.directory().join("mm.sock");
    let mut program = Command::new(env!("CARGO_BIN_EXE_simbell-modemsim"))
        .args(["lookalike", "--socket"])
        .arg(&socket)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    tokio::time::timeout(DEADLINE, lines.next_line()).await.expect("a line in time").unwrap().unwrap();
    drop(lines);
    let client = Client::at(&format!("unix:path={}", socket.display())).await;
    let ussd = "org.freedesktop.ModemManager1.Modem.Modem3gpp.Ussd";
    for _ in 0..3 {
        // Each is reported, to nobody.
        assert!(client.call(&at("Modem", 0), ussd, "Initiate", &"*1#").await.is_err());
    }
    assert_eq!(client.managed().await.len(), 1);
}

#[tokio::test]
async fn a_wrong_scenario_is_refused() {
    let scratch = PrivateBus::start().await.unwrap();
    let scenario = scratch.directory().join("scenario.toml");
    std::fs::write(&scenario, "[[step]]\naction = 'conect'").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_simbell-modemsim"))
        .arg("check")
        .arg(&scenario)
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("line 2: step[0].action") && text.contains("“connect”"), "{text}");
}
