//! Many clients at once.

use std::sync::atomic::Ordering;

use simbell_api::Client;

use super::*;

#[tokio::test]
async fn a_thousand_clients_leave_room_for_one_that_behaves() {
    let served = start(Fake::new(16), Limits::default(), me());
    let mut crowd = Vec::new();
    for _ in 0..1000 {
        crowd.push(Raw::connect(&served.path).await);
    }
    let mut client = Client::connect(&served.path).await.unwrap();
    client.status().await.unwrap();
    client.sims().await.unwrap();
    // Everyone beyond the cap was told why, by name.
    let mut told = 0;
    for raw in &mut crowd[..900] {
        let said = raw.next().await.unwrap();
        assert_eq!(error_of(&said), "org.simbell.Control.TooManyClients");
        assert!(!said["parameters"]["hint"].as_str().unwrap().is_empty());
        assert_eq!(raw.next().await, None);
        told += 1;
    }
    assert_eq!(told, 900);
    // The one that asked keeps its place while more come.
    for _ in 0..200 {
        crowd.push(Raw::connect(&served.path).await);
        client.status().await.unwrap();
    }
}

#[tokio::test]
async fn a_thousand_clients_that_ask_and_stay_are_served_too() {
    let served = start(Fake::new(16), Limits::default(), me());
    let mut crowd = Vec::new();
    for _ in 0..1000 {
        let mut raw = Raw::connect(&served.path).await;
        assert!(raw.ask(STATUS).await["parameters"].is_object());
        crowd.push(raw);
    }
    let mut client = Client::connect(&served.path).await.unwrap();
    client.status().await.unwrap();
}

#[tokio::test]
async fn streams_leave_room_for_calls() {
    let served = start(Fake::new(16), Limits::default(), me());
    let mut followers = Vec::new();
    for n in 0..40 {
        let mut raw = Raw::connect(&served.path).await;
        raw.send(r#"{"method":"org.simbell.Control.Monitor","more":true}"#).await;
        let first = raw.next().await.unwrap();
        if n < 32 {
            assert_eq!(first["parameters"]["event"], "service", "{n}");
        } else {
            assert_eq!(error_of(&first), "org.simbell.Control.TooManyClients", "{n}");
        }
        followers.push(raw);
    }
    Client::connect(&served.path).await.unwrap().status().await.unwrap();
}

#[tokio::test]
async fn one_user_cannot_take_every_place() {
    // Nobody is trusted here, so that the one user there is counts as any other.
    let access = Access::new(vec![], "/nonexistent".into(), "/nonexistent".into());
    let limits = Limits { per_user: 8, ..Limits::default() };
    let served = start(Fake::new(16), limits, access);
    let mut crowd = Vec::new();
    for _ in 0..9 {
        let mut raw = Raw::connect(&served.path).await;
        assert!(raw.ask(STATUS).await["parameters"].is_object());
        crowd.push(raw);
    }
    assert_eq!(error_of(&crowd[0].next().await.unwrap()), "org.simbell.Control.TooManyClients");
    assert!(crowd[8].ask(STATUS).await["parameters"].is_object());
}

/// Run anew as a process of its own, with few file descriptors.
#[test]
fn running_out_of_file_descriptors_is_survived() {
    const CHILD: &str = "SIMBELL_TEST_FEW_DESCRIPTORS";
    if std::env::var_os(CHILD).is_some() {
        few_descriptors();
        return;
    }
    let output = std::process::Command::new("prlimit")
        .args(["--nofile=60:60"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "control::tests::house_rules::running_out_of_file_descriptors_is_survived",
        ])
        .env(CHILD, "1")
        .output()
        .unwrap_or_else(|error| panic!("prlimit: {error}; install util-linux"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

fn few_descriptors() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let served = start(Fake::new(16), Limits::default(), me());
        // Clients and service share the 60: accepting fails long before the cap of connections.
        let mut crowd = Vec::new();
        let mut full = false;
        for _ in 0..60 {
            match UnixStream::connect(&served.path).await {
                Ok(stream) => crowd.push(stream),
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(24), "{error}");
                    full = true;
                    break;
                }
            }
        }
        assert!(full, "file descriptors never ran out");
        crowd.truncate(crowd.len() / 2);
        let mut client = Client::connect(&served.path).await.unwrap();
        client.status().await.unwrap();
        drop(crowd);
        Client::connect(&served.path).await.unwrap().status().await.unwrap();
    });
}

/// One call by a client that does not try again.
fn ask_once(path: &Path) -> String {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
    let _turned_away = stream.write_all(format!("{STATUS}\0").as_bytes());
    let mut reply = Vec::new();
    let _hung_up = BufReader::new(stream).read_until(0, &mut reply);
    String::from_utf8_lossy(&reply).into_owned()
}

#[tokio::test]
async fn one_that_behaves_is_answered_in_a_storm_of_connections() {
    let served = start(Fake::new(16), Limits::default(), me());
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let storm = {
        let (path, over) = (served.path.clone(), Arc::clone(&over));
        tokio::task::spawn_blocking(move || {
            let mut held = std::collections::VecDeque::new();
            let mut count = 0_u32;
            while !over.load(Ordering::Relaxed) {
                held.extend(std::os::unix::net::UnixStream::connect(&path));
                if held.len() > 250 {
                    held.pop_front();
                }
                count += 1;
            }
            count
        })
    };
    for _ in 0..20 {
        let path = served.path.clone();
        let said = tokio::task::spawn_blocking(move || ask_once(&path)).await.unwrap();
        assert!(said.contains("\"state\":\"running\""), "{said}");
    }
    over.store(true, Ordering::Relaxed);
    assert!(storm.await.unwrap() > 100, "that was no storm");
}
