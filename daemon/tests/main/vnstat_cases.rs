//! Where vnStat 2.10 fails. Each case is a test; "Faults" in daemon/README.md names them all.

use std::time::Duration;

use rustix::process::{Signal, kill_process};
use simbell_modemsim::lookalike::{Lookalike, ModemSpec};

use crate::fixture::*;
use crate::wire::{Wire, run};

/// Nothing is read but what the test asks for.
const SELDOM: &str = "[counting]\nsample_every = \"1h\"\n";

async fn begin(name: &str, more: &str) -> (Wire, Scene, Daemon) {
    let wire = Wire::new();
    let scene = Scene::new(name, modem_spec(), more).await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    (wire, scene, daemon)
}

async fn counted_is(daemon: &Daemon, truth: (u64, u64)) {
    until("everything is counted", async || (daemon.counted(HOME).await == truth).then_some(())).await;
}

fn stop(daemon: &Daemon) {
    kill_process(daemon.pid(), Signal::STOP).unwrap();
    // The signal takes a moment to reach every thread.
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid().as_raw_pid())).unwrap();
        let stopped = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap());
        if stopped.into_iter().all(|stat| stat.rsplit(") ").next().unwrap().starts_with('T')) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "it does not stop");
        std::thread::yield_now();
    }
}

fn go_on(daemon: &Daemon) {
    kill_process(daemon.pid(), Signal::CONT).unwrap();
}

#[tokio::test]
async fn stalled_under_traffic_it_loses_nothing() {
    let (wire, scene, daemon) = begin("stalled", "").await;
    wire.some_traffic();
    for _ in 0..3 {
        stop(&daemon);
        let flood = wire.flood();
        let goal = wire.truth().0 + 500_000;
        until("traffic passes meanwhile", async || (wire.truth().0 >= goal).then_some(())).await;
        go_on(&daemon);
        flood.end();
        counted_is(&daemon, wire.truth()).await;
    }
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn stalled_while_the_interface_is_new_twice_it_loses_nothing() {
    let (wire, scene, daemon) = begin("stalled-replug", "").await;
    wire.some_traffic();
    counted_is(&daemon, wire.truth()).await;
    stop(&daemon);
    // Sent bytes alone while links go: a veth end sets back what it received.
    wire.upload(7, 700);
    wire.replug();
    wire.upload(70, 700);
    wire.replug();
    wire.some_traffic();
    go_on(&daemon);
    counted_is(&daemon, wire.truth()).await;
    // Whether the first received anything since it was read nobody can tell.
    assert_eq!(scene.place.gaps(), ["counter-reset"]);
}

#[tokio::test]
async fn a_stop_under_traffic_loses_nothing() {
    let (wire, scene, mut daemon) = begin("stopped", SELDOM).await;
    for _ in 0..5 {
        let flood = wire.flood();
        let goal = wire.truth().0 + 50_000;
        until("traffic passes", async || (wire.truth().0 >= goal).then_some(())).await;
        assert!(daemon.terminate().success());
        daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
        flood.end();
        daemon.sim_is("the SIM is confirmed", HOME, |sim| sim.connected == Some(true) && sim.measured).await;
        counted_is(&daemon, wire.truth()).await;
    }
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn a_new_counter_overtakes_between_two_readings() {
    let (wire, scene, daemon) = begin("overtakes", SELDOM).await;
    wire.some_traffic();
    counted_is(&daemon, wire.truth()).await;
    for more in 2..6 {
        // Stalled, so that no reading falls between: what comes after is more than all that was before.
        stop(&daemon);
        wire.replug();
        wire.download(61 * more, 1_400);
        wire.upload(30 * more, 1_400);
        go_on(&daemon);
        counted_is(&daemon, wire.truth()).await;
    }
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn a_new_counter_overtakes_while_it_is_dead() {
    let (wire, scene, mut daemon) = begin("overtakes-dead", "").await;
    wire.some_traffic();
    let mut counted = wire.truth();
    counted_is(&daemon, counted).await;
    for more in 2..6 {
        daemon.kill();
        wire.replug();
        wire.download(61 * more, 1_400);
        wire.upload(30 * more, 1_400);
        daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
        daemon.sim_is("the SIM is confirmed", HOME, |sim| sim.connected == Some(true) && sim.measured).await;
        // Which of it passed before, and what the old one had counted last, nobody knows: not even the difference counts.
        assert_eq!(daemon.counted(HOME).await, counted);
        assert_eq!(scene.place.gaps().len(), more - 1);
        let before = wire.truth();
        wire.some_traffic();
        let after = wire.truth();
        counted = (counted.0 + after.0 - before.0, counted.1 + after.1 - before.1);
        counted_is(&daemon, counted).await;
    }
    assert!(scene.place.gaps().iter().all(|reason| reason == "interface-vanished"));
}

#[tokio::test]
async fn the_same_name_on_another_device_is_another_sims() {
    let wire = Wire::new();
    let other =
        ModemSpec { net_port: PORT.to_owned(), slots: vec![vec![sim_spec(OTHER)]], ..ModemSpec::numbered(1) };
    let look = Lookalike::builder().modem(modem_spec()).modem(other).stats_every(Duration::ZERO).start();
    look.unplug(1).unwrap();
    let scene = Scene::with("device", look, "").await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    wire.some_traffic();
    let home = wire.truth();
    counted_is(&daemon, home).await;
    wire.upload(9, 99);
    let home = wire.truth();
    // One device goes, another comes under its name.
    wire.unplug();
    scene.look.unplug(0).unwrap();
    wire.plug();
    scene.look.plug(1).unwrap();
    daemon.sim_is("the other SIM is in use", OTHER, |sim| sim.active == Some(true)).await;
    scene.look.connect_bearer(1, over_link()).unwrap();
    daemon.sim_is("it is connected", OTHER, |sim| sim.connected == Some(true) && sim.measured).await;
    // More than the first had counted: a counter that overtakes it under the same name.
    wire.download(200, 1_400);
    wire.upload(100, 1_400);
    let truth = wire.truth();
    let theirs = (truth.0 - home.0, truth.1 - home.1);
    until("the other's bytes are the other's", async || {
        (daemon.counted(OTHER).await == theirs).then_some(())
    })
    .await;
    assert_eq!(daemon.counted(HOME).await, home);
    // What the first received since it was read, beside what it sent, went with it.
    assert!(scene.place.gaps().iter().all(|reason| reason == "counter-reset"), "{:?}", scene.place.gaps());
}

/// So much happens to links that the kernel throws messages away; fails where it did not.
fn flood_of_links(wire: &Wire) {
    let before = drops(wire);
    let lines: String = (0..6_000).map(|n| format!("link set dev flap0 mtu {}\n", 1_000 + n % 400)).collect();
    let near = &wire.near;
    let file = format!("/tmp/{near}-flood");
    std::fs::write(&file, lines).unwrap();
    run(&format!(
        "ip -n {near} link add flap0 type bridge; ip -n {near} -b {file}; ip -n {near} link del flap0; rm {file}"
    ));
    assert!(drops(wire) > before, "the flood was none: the kernel threw nothing away");
}

/// Messages that the kernel threw away because a subscribed routing socket was full, from /proc/net/netlink: the service
/// has the only one here.
fn drops(wire: &Wire) -> u64 {
    let table = run(&format!("ip netns exec {} cat /proc/net/netlink", wire.near));
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[1] == "0" && row[3] != "00000000").map(|row| row[8].parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn a_flood_of_links_loses_nothing_of_one_that_stays() {
    let (wire, scene, daemon) = begin("links", "").await;
    for _ in 0..3 {
        wire.some_traffic();
        stop(&daemon);
        flood_of_links(&wire);
        wire.some_traffic();
        go_on(&daemon);
        wire.some_traffic();
        counted_is(&daemon, wire.truth()).await;
    }
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn a_link_that_goes_in_a_flood_is_a_gap_or_counted_whole() {
    let (wire, scene, daemon) = begin("links-gone", "").await;
    wire.some_traffic();
    let known = wire.truth();
    counted_is(&daemon, known).await;
    stop(&daemon);
    wire.upload(10, 1_000);
    flood_of_links(&wire);
    wire.replug();
    go_on(&daemon);
    daemon.sim_is("it is measured again", HOME, |sim| sim.measured).await;
    let gap = until("it is said", async || scene.place.gaps().first().cloned()).await;
    assert_eq!(gap, "events-lost");
    let back = daemon.counted(HOME).await;
    assert_eq!(back, known, "what only the lost message told is not guessed");
    let before = wire.truth();
    wire.some_traffic();
    let after = wire.truth();
    counted_is(&daemon, (back.0 + after.0 - before.0, back.1 + after.1 - before.1)).await;
    assert_eq!(scene.place.gaps(), ["events-lost"]);
}
