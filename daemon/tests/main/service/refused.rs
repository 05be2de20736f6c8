//! Starts that are refused, each with a word that helps.

use rustix::process::Signal;
use serde_json::json;

use super::house::House;

#[test]
fn a_wrong_configuration_ends_with_78_and_every_problem() {
    let house = House::new();
    house.configure("langauge = \"en\"\n[sims.home]\niccid = \"12\"\n");
    let mut service = house.start(house.command());
    assert_eq!(service.end().code(), Some(78));
    let said = service.log();
    assert!(said.contains("simbell.toml:1:1: langauge: unknown key; did you mean `language`?"), "{said}");
    assert!(said.contains("simbell.toml:3:9: sims.home.iccid: "), "{said}");
    assert!(!house.path("state").exists(), "nothing is touched");
}

#[test]
fn a_socket_already_served_is_left_to_the_first() {
    let house = House::new();
    let (first, _systemd) = house.start_notified(house.command());
    let mut second = house.start(house.command());
    assert_eq!(second.end().code(), Some(1));
    let said = second.log();
    assert!(said.contains(&format!("control.sock is already served by process {}", first.pid())), "{said}");
    assert!(said.contains("--socket"), "it says what to do: {said}");
    let answer = house.call("org.simbell.Control.GetStatus", &json!({}));
    assert!(answer["parameters"]["service"].is_object(), "the first answers as before: {answer}");
}

#[test]
fn a_ledger_in_use_is_left_to_the_first() {
    let house = House::new();
    let (first, _systemd) = house.start_notified(house.command());
    let mut command = house.command();
    command.arg("--socket").arg(house.path("other.sock"));
    let mut second = house.start(command);
    assert_eq!(second.end().code(), Some(1));
    let said = second.log();
    assert!(said.contains("ledger.db") && said.contains(&first.pid().to_string()), "{said}");
    assert!(!house.path("other.sock").exists(), "the socket it made is taken away again");
    let answer = house.call("org.simbell.Control.GetStatus", &json!({}));
    assert!(answer["parameters"]["service"].is_object(), "the first answers as before: {answer}");
}

#[test]
fn what_a_killed_service_left_is_no_hindrance() {
    let house = House::new();
    let (mut first, _systemd) = house.start_notified(house.command());
    first.signal(Signal::KILL);
    assert_eq!(first.end().code(), None);
    assert!(house.path("control.sock").exists());
    let (_second, _systemd) = house.start_notified(house.command());
    house.call("org.simbell.Control.GetStatus", &json!({}));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let house = House::new();
    let mut command = house.command();
    command.args(["--state-dir", "/proc/nowhere"]);
    let mut service = house.start(command);
    assert_eq!(service.end().code(), Some(1));
    let said = service.log();
    assert!(said.contains("/proc/nowhere cannot be made"), "{said}");
}
