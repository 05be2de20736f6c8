//! What the service tells systemd, and what it takes from it.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::json;

use super::house::{House, SIMBELLD, Systemd, call, until};

/// Value of `STATUS=` in a message.
fn status(message: &str) -> &str {
    message.lines().find_map(|line| line.strip_prefix("STATUS=")).expect("a status")
}

#[test]
fn systemd_is_told_of_readiness_changes_and_the_end() {
    let house = House::new();
    let systemd = Systemd::listen(&house.path("notify"));
    let mut command = house.command();
    command.env("NOTIFY_SOCKET", house.path("notify"));
    let mut service = house.start(command);

    let ready = systemd.wait("READY=1");
    assert_eq!(status(&ready), "no SIM in use");
    let answer = house.call("org.simbell.Control.GetVersion", &json!({ "client": null }));
    assert_eq!(
        answer["parameters"]["version"],
        env!("CARGO_PKG_VERSION"),
        "ready means that it answers: {answer}"
    );

    // The bus is not there, which the service finds out and says.
    let mut changed = systemd.wait("STATUS=");
    while !changed.contains("1 warning") {
        changed = systemd.wait("STATUS=");
    }
    assert!(status(&changed).starts_with("no SIM in use; "), "{changed}");

    service.signal(Signal::TERM);
    systemd.wait("STOPPING=1");
    assert_eq!(service.end().code(), Some(0));
    assert!(!house.path("control.sock").exists(), "its socket goes with it");
    assert!(house.path("state/ledger.db").exists());
}

#[test]
fn the_watchdog_is_told_again_and_again() {
    let house = House::new();
    let mut command = house.command();
    command.env("WATCHDOG_USEC", "200000");
    let (_service, systemd) = house.start_notified(command);
    for _ in 0..3 {
        systemd.wait("WATCHDOG=1");
    }
}

#[test]
fn a_watchdog_of_another_process_is_left_alone() {
    let house = House::new();
    let mut command = house.command();
    command.env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let (service, systemd) = house.start_notified(command);
    service.signal(Signal::TERM);
    loop {
        let message = systemd.next();
        assert!(!message.contains("WATCHDOG=1"), "{message}");
        if message.contains("STOPPING=1") {
            break;
        }
    }
}

#[test]
fn a_reload_is_told_from_its_beginning_to_its_end() {
    let house = House::new();
    let (service, systemd) = house.start_notified(house.command());
    house.configure("language = \"zh\"\n");
    service.signal(Signal::HUP);
    let reloading = systemd.wait("RELOADING=1");
    let since = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect(&reloading);
    assert!(since.parse::<u64>().unwrap() > 0, "{reloading}");
    systemd.wait("READY=1");
}

#[test]
fn a_reload_of_a_wrong_configuration_ends_with_the_old_one_in_use() {
    let house = House::new();
    let (_service, systemd) = house.start_notified(house.command());
    house.configure("langauge = \"zh\"\n");
    let answer = house.call("org.simbell.Control.Reload", &json!({}));
    assert_eq!(answer["error"], "org.simbell.Control.ReloadRejected", "{answer}");
    assert!(answer["parameters"]["problems"][0].as_str().unwrap().contains("langauge"), "{answer}");
    systemd.wait("RELOADING=1");
    systemd.wait("READY=1");
    let answer = house.call("org.simbell.Control.GetStatus", &json!({}));
    assert_eq!(answer["parameters"]["service"]["state"], "degraded", "{answer}");
}

#[test]
fn a_socket_that_systemd_passes_is_served_and_left_where_it_is() {
    let house = House::new();
    let socket = house.path("control.sock");
    let systemd = Systemd::listen(&house.path("notify"));
    let mut command = Command::new("systemd-socket-activate");
    command.arg("--listen").arg(&socket);
    command.arg("--setenv").arg(format!("NOTIFY_SOCKET={}", house.path("notify").display()));
    command.arg(SIMBELLD);
    house.arguments(&mut command);
    let mut service = house.start(command);
    // A name is there before anybody listens on it, and connecting would wake the service already.
    until(|| listens(&socket).then_some(()));
    // The connection that wakes the service is the one it answers first.
    let answer = house.call("org.simbell.Control.GetVersion", &json!({ "client": null }));
    assert_eq!(answer["parameters"]["version"], env!("CARGO_PKG_VERSION"), "{answer}");
    systemd.wait("READY=1");
    service.signal(Signal::TERM);
    assert_eq!(service.end().code(), Some(0));
    assert!(socket.exists(), "systemd still listens on it");
}

/// By the flags of proc_net_unix(5).
fn listens(socket: &Path) -> bool {
    const ACCEPTS: &str = "00010000";
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    sockets.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.nth(3) == Some(ACCEPTS) && words.next_back().is_some_and(|path| Path::new(path) == socket)
    })
}

#[test]
fn sockets_passed_to_another_process_are_not_taken() {
    let house = House::new();
    let mut command = house.command();
    command.env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let (mut service, _systemd) = house.start_notified(command);
    house.call("org.simbell.Control.GetVersion", &json!({ "client": null }));
    service.signal(Signal::TERM);
    assert_eq!(service.end().code(), Some(0));
    assert!(!house.path("control.sock").exists(), "it was the service's own");
}

#[test]
fn directories_come_from_systemd() {
    let house = House::new();
    fs::create_dir_all(house.path("run")).unwrap();
    // Without the arguments that would win.
    let mut command = Command::new(SIMBELLD);
    command.arg("--config").arg(house.path("etc")).args(["--bus", "unix:path=/nonexistent"]);
    command.env("STATE_DIRECTORY", house.path("state")).env("RUNTIME_DIRECTORY", house.path("run"));
    let (mut service, _systemd) = house.start_notified(command);
    let socket = house.path("run/control.sock");
    call(&socket, "org.simbell.Control.GetVersion", &json!({ "client": null }));
    assert!(house.path("state/ledger.db").exists());
    service.signal(Signal::INT);
    assert_eq!(service.end().code(), Some(0));
}
