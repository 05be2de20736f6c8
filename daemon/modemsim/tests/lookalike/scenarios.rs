//! Scenarios: read, refused, played.

use std::time::Duration;

use simbell_modemsim::lookalike::Report;
use simbell_modemsim::scenario::{Scenario, ScenarioError, play};
use zbus::Variant;

use super::client::{Client, Properties, Signal, at};

fn problems(text: &str) -> Vec<String> {
    match Scenario::parse(text) {
        Err(ScenarioError::Wrong(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("expected problems, got {other:?}"),
    }
}

#[test]
fn every_block_of_the_readme_is_a_scenario() {
    let readme = include_str!("../../README.md");
    let blocks: Vec<&str> =
        readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 9, "{}", blocks.len());
    for block in blocks {
        Scenario::parse(block).unwrap_or_else(|error| panic!("{error}\n{block}"));
    }
}

#[test]
fn every_action_is_in_the_readme() {
    let readme = include_str!("../../README.md");
    let text = problems("[[step]]\naction = 'nothing'").remove(0);
    let actions = text.split("there are ").nth(1).unwrap();
    assert!(actions.split(", ").count() > 20);
    for action in actions.split(", ") {
        assert!(readme.contains(&format!("action = \"{action}\"")), "{action}");
    }
}

#[test]
fn shipped_scenarios_are_right() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let scenario =
                Scenario::load(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(Some(scenario.name.as_str()), path.file_stem().and_then(|stem| stem.to_str()));
            scenario.name
        })
        .collect();
    names.sort();
    assert_eq!(names, ["demo", "restart", "travel", "unplug"]);
}

/// The README has a first look at the demo last so long, and its first screen promises each of these.
#[test]
fn the_demo_keeps_its_promises_within_a_first_look() {
    let readme = include_str!("../../../../README.md");
    let after =
        readme.split("contrib/demo --seconds ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let looks = Duration::from_secs(after.unwrap().parse().unwrap());
    let demo = Scenario::parse(include_str!("../../scenarios/demo.toml")).unwrap();
    for action in ["traffic", "sms", "roam", "switch-profile"] {
        let first = demo.steps.iter().find(|step| step.name == action).unwrap();
        // What is promised is a reminder of it: a profile takes a moment to be there.
        assert!(first.at + Duration::from_secs(3) <= looks, "{action} comes at {:?}", first.at);
    }
}

#[test]
fn every_problem_is_told_with_line_and_nearest_key() {
    let found = problems(
        "nmae = 'x'\n[[modem]]\nimie = '1'\nslots = [['hom']]\n[[sim]]\nname = 'home'\niccid = '1'\n\n\
         [[step]]\nat = 'soon'\naction = 'connect'\napm = 'x'\n[[step]]\naction = 'sms'\nmodem = 'modem9'",
    );
    let expected = [
        "line 1: nmae: unknown key; did you mean “name”?",
        "line 3: modem[0].imie: unknown key; did you mean “imei”?",
        "line 4: modem[0].slots: no [[sim]] is named “hom”; did you mean “home”?",
        "line 10: step[0].at: expected a span such as \"500ms\", \"2s\", \"1m\"",
        "line 12: step[0].apm: unknown key; did you mean “apn”?",
        "line 13: step[1].from: this key is needed",
        "line 13: step[1].text: this key is needed",
        "line 15: step[1].modem: no modem is named “modem9”; did you mean “modem0”?",
    ];
    assert_eq!(found, expected);
}

#[test]
fn broken_toml_is_told_with_its_lines() {
    let found = problems("name = \n[[step]\nat='1s'");
    assert!(found[0].starts_with("line 1: TOML: "), "{found:?}");
    assert!(found.iter().any(|problem| problem.starts_with("line 2: ")), "{found:?}");
}

#[test]
fn keys_of_other_actions_are_refused() {
    let found = problems("[[step]]\naction = 'unplug'\napn = 'x'");
    assert!(found[0].starts_with("line 3: step[0].apn: unknown key"), "{found:?}");
    let found = problems("[[step]]\naction = 'traffic'\nrx = 1\nrx_rate = 1");
    assert!(found[0].contains("and not both"), "{found:?}");
    let found = problems("[[modem]]\nname='a'\n[[modem]]\nname='a'\n[[step]]\naction='switch-slot'\nslot=2");
    assert!(found[0].starts_with("line 3: modem[1].name: “a” is there twice"), "{found:?}");
    assert!(found[1].ends_with("expected a slot from 1 to 1"), "{found:?}");
    let found = problems("[[step]]\naction = 'signal'");
    assert!(found[0].contains("percent: expected a percentage"), "{found:?}");
    let found = problems("[[step]]\naction = 'home'\ntimes = 2");
    assert!(found[0].contains("“every”"), "{found:?}");
}

#[tokio::test]
async fn traffic_is_exact_in_sum_and_ends_with_the_bearer() {
    let scenario = Scenario::parse(
        "stats_every = '20ms'\n\
         [[step]]\naction = 'connect'\n\
         [[step]]\nat = '10ms'\naction = 'traffic'\nrx = 1000003\ntx = 77\nfor = '350ms'\n\
         [[step]]\nat = '10ms'\nevery = '100ms'\ntimes = 3\naction = 'traffic'\ntx = '1kB'",
    )
    .unwrap();
    let lookalike = scenario.lookalike().start();
    let mut client = Client::direct(&lookalike).await;
    play(&scenario, &lookalike).await;
    lookalike.publish_stats();
    client.drain().await;
    let stats = client.get(&at("Bearer", 0), "org.freedesktop.ModemManager1.Bearer", "Stats").await;
    let stats = Properties::try_from(stats).unwrap();
    assert_eq!(*stats["rx-bytes"], Variant::U64(1_000_003));
    assert_eq!(*stats["tx-bytes"], Variant::U64(3_077));

    // A rate without a span ends with its bearer, and so the scenario ends.
    let scenario = Scenario::parse(
        "[[step]]\naction = 'connect'\n[[step]]\nat = '10ms'\naction = 'traffic'\nrx_rate = '1MB'\n\
         [[step]]\nat = '150ms'\naction = 'disconnect'",
    )
    .unwrap();
    play(&scenario, &scenario.lookalike().start()).await;
}

#[tokio::test]
async fn a_scenario_is_seen_by_a_client() {
    let scenario = Scenario::parse(
        "[[sim]]\nname='a'\ntype='esim'\niccid='1'\nimsi='1'\n[[sim]]\nname='b'\ntype='esim'\niccid='2'\nimsi='2'\n\
         [[modem]]\nslots=[['a','b']]\n\
         [[step]]\naction='sms'\nfrom='x'\ntext='hello'\nparts=2\ngap='5ms'\n\
         [[step]]\nat='30ms'\naction='call'\ndirection='incoming'\nnumber='1'\nanswer_after='10ms'\nduration='10ms'\n\
         [[step]]\nat='60ms'\naction='ussd'\ntext='low'\n\
         [[step]]\nat='1s'\naction='switch-profile'\nsim='b'\ngap='50ms'\n\
         [[step]]\nat='1500ms'\naction='stats'\n",
    )
    .unwrap();
    let lookalike = scenario.lookalike().start();
    let mut client = Client::direct(&lookalike).await;
    let mut reports = lookalike.reports();
    let playing = tokio::spawn({
        let (scenario, lookalike) = (scenario.clone(), lookalike.clone());
        async move { play(&scenario, &lookalike).await }
    });
    // Steps run beside each other: what belongs together is in order, the rest may mix.
    let mut awaited: Vec<fn(&Signal) -> bool> = vec![
        |s| s.member == "Added",
        |s| s.interface.ends_with(".Sms") && s.value("State") == Some("U32(3)"),
        |s| s.member == "StateChanged" && s.message == "4 7 0",
        |s| s.value("NetworkNotification").is_some(),
        |s| s.member == "InterfacesRemoved",
    ];
    client
        .until(|signal| {
            awaited.retain(|wanted| !wanted(signal));
            awaited.is_empty()
        })
        .await;
    let added = client.until(|s| s.member == "InterfacesAdded").await.pop().unwrap();
    assert!(added.message.starts_with(&at("Modem", 1)), "{added:?}");
    playing.await.unwrap();
    let mut failed = Vec::new();
    while let Ok(report) = reports.try_recv() {
        if let Report::StepFailed { action, .. } = report {
            failed.push(action);
        }
    }
    assert_eq!(failed, ["stats"]);
}

#[tokio::test]
async fn a_loop_plays_again() {
    let scenario =
        Scenario::parse("loop = '50ms'\n[[step]]\nat = '10ms'\naction = 'sms'\nfrom = 'x'\ntext = 'y'")
            .unwrap();
    assert_eq!(scenario.repeat, Some(Duration::from_millis(50)));
    let lookalike = scenario.lookalike().start();
    let mut client = Client::direct(&lookalike).await;
    let playing = tokio::spawn(async move { play(&scenario, &lookalike).await });
    for number in 0..3 {
        let added = client.until(|s| s.member == "Added").await.pop().unwrap();
        assert_eq!(added.message, format!("{} true", at("SMS", number)));
    }
    playing.abort();
}

#[tokio::test]
async fn generated_datagrams_are_exact_in_ip_bytes() {
    for (amount, how) in [(100_000_u64, "for = '150ms'"), (1_240, ""), (1_228, ""), (28, "")] {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let scenario = format!(
            "[[step]]\naction = 'traffic'\ntx = {amount}\n{how}\ngenerate = '{}'\ninterface = 'lo'",
            socket.local_addr().unwrap()
        );
        let scenario = Scenario::parse(&scenario).unwrap();
        let lookalike = scenario.lookalike().start();
        let mut reports = lookalike.reports();
        let playing = tokio::spawn(async move { play(&scenario, &lookalike).await });
        let mut buffer = [0; 2048];
        let mut received = 0;
        while received < amount {
            let next = tokio::time::timeout(super::client::DEADLINE, socket.recv(&mut buffer)).await;
            received += next.expect("a datagram in time").unwrap() as u64 + 28;
        }
        playing.await.unwrap();
        assert_eq!(received, amount);
        assert!(socket.try_recv(&mut buffer).is_err(), "no more than asked for");
        while let Ok(report) = reports.try_recv() {
            assert!(!matches!(report, Report::StepFailed { .. }), "{report:?}");
        }
    }
}
