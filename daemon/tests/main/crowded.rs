//! Too much of everything: starts, signals, news, and too few file descriptors.

use std::fs;
use std::os::unix::net::UnixStream;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use crate::fixture::*;
use crate::wire::Wire;

fn descriptors(daemon: &Daemon) -> u64 {
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.pid().as_raw_pid())).unwrap();
    u64::try_from(open.count()).unwrap()
}

fn limit(daemon: &Daemon, descriptors: u64) {
    let limit = Rlimit { current: Some(descriptors), ..getrlimit(Resource::Nofile) };
    prlimit(Some(daemon.pid()), Resource::Nofile, limit).unwrap();
}

#[tokio::test]
async fn without_a_file_descriptor_left_it_counts_says_so_and_recovers() {
    let Scene { look, bus, place } = Scene::new("descriptors", modem_spec(), BARE).await;
    let scene = Scene { look, bus, place };
    let daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(70_003, 7);
    traffic.is_counted(&daemon).await;
    // Whoever is connected already goes on being answered.
    let mut inside = daemon.client().await;
    inside.status().await.unwrap();
    limit(&daemon, descriptors(&daemon));
    let outside: Vec<UnixStream> =
        (0..20).map(|_| UnixStream::connect(scene.place.socket()).unwrap()).collect();
    until("it is said", async || {
        scene.place.log().contains("a connection could not be accepted").then_some(())
    })
    .await;
    for _ in 0..10 {
        traffic.pass(70_003, 7);
    }
    // Those that idle give theirs: whoever asks is answered in the end.
    let all = traffic.total.0 + traffic.total.1;
    until("it counts", async || {
        let mut client = daemon.client().await;
        let sims = client.sims().await.ok()?;
        sims.iter().any(|sim| sim.iccid == HOME && sim.measured_bytes == all).then_some(())
    })
    .await;
    drop(outside);
    limit(&daemon, 1_024);
    traffic.pass(70_003, 7);
    traffic.is_counted(&daemon).await;
    until("it is over", async || scene.place.log().contains("connections are accepted again").then_some(()))
        .await;
    // A bus that restarts meanwhile is found again afterwards.
    limit(&daemon, descriptors(&daemon));
    let path = scene.place.dir.join("bus");
    drop(scene.bus);
    until("the bus is lost", async || scene.place.log().contains("bus-lost").then_some(())).await;
    let bus = Bus::start(&path);
    scene.look.crash();
    scene.look.revive();
    scene.look.serve_on(&bus.address()).await.unwrap();
    limit(&daemon, 1_024);
    daemon.well("bus-lost").await;
    daemon.sim_is("the SIM is in use", HOME, |sim| sim.active == Some(true)).await;
}

#[tokio::test]
async fn of_many_started_at_once_one_serves_and_none_harms_the_ledger() {
    let scene = Scene::new("many", modem_spec(), BARE).await;
    let mut first = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &first).await;
    traffic.pass(70_003, 7);
    traffic.is_counted(&first).await;
    for round in 0..6 {
        first.kill();
        let mut all: Vec<Daemon> = (0..5).map(|_| Daemon::spawn(&scene.place, None)).collect();
        traffic.pass(1_000, 1);
        let ended = until("all but one have ended", async || {
            let ended: Vec<usize> =
                all.iter_mut().enumerate().filter_map(|(nth, one)| one.has_ended().then_some(nth)).collect();
            (ended.len() == 4).then_some(ended)
        })
        .await;
        let mut left = None;
        for (nth, mut one) in all.into_iter().enumerate() {
            if ended.contains(&nth) {
                assert_eq!(one.ended().await.code(), Some(1), "round {round}");
            } else {
                left = Some(one);
            }
        }
        first = left.unwrap();
        until("it answers", async || simbell_api::Client::connect(scene.place.socket()).await.ok()).await;
        traffic.is_counted(&first).await;
    }
    assert!(first.terminate().success());
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn stopped_and_started_again_and_again_it_loses_nothing() {
    let wire = Wire::new();
    let scene = Scene::new("restarts", modem_spec(), BARE).await;
    let mut daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    let flood = wire.trickle();
    for round in 0..40 {
        // Every other one before it has seen anything.
        if round % 2 == 0 {
            kill_process(daemon.pid(), Signal::TERM).unwrap();
            let status = daemon.ended().await;
            assert!(status.success(), "round {round}: {status}");
            daemon = Daemon::spawn(&scene.place, Some(&wire.near));
            until("it begins", async || {
                let served = scene.place.log().matches(" serves").count();
                (served > round + 1 || daemon.has_ended()).then_some(())
            })
            .await;
        } else {
            daemon.kill();
            daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
        }
    }
    flood.end();
    daemon.sim_is("the SIM is confirmed", HOME, |sim| sim.connected == Some(true) && sim.measured).await;
    let truth = wire.truth();
    until("everything is counted", async || (daemon.counted(HOME).await == truth).then_some(())).await;
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn a_flood_of_signals_from_all_sides_loses_nothing_and_stops_nobody() {
    let wire = Wire::new();
    let scene = Scene::new("signals", modem_spec(), BARE).await;
    let mut daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    wire.some_traffic();
    // The bus: more news than anybody wants. The system: reload, again and again. The kernel: traffic.
    let flood = wire.trickle();
    for turn in 0..3_000_u32 {
        scene.look.set_signal(0, turn % 101).unwrap();
        if turn % 10 == 0 {
            kill_process(daemon.pid(), Signal::HUP).unwrap();
            scene.look.publish_stats();
        }
        if turn % 500 == 0 {
            assert!(!daemon.has_ended());
            daemon.sim_is("it answers meanwhile", HOME, |sim| sim.connected == Some(true)).await;
        }
    }
    flood.end();
    scene.look.set_signal(0, 42).unwrap();
    let truth = wire.truth();
    until("everything is counted", async || (daemon.counted(HOME).await == truth).then_some(())).await;
    assert_eq!(daemon.status().await.service.warnings.len(), 0);
    for _ in 0..50 {
        // It ends once, in order, however often it is asked to.
        let _gone = kill_process(daemon.pid(), Signal::TERM);
    }
    let status = daemon.ended().await;
    assert!(status.success(), "{status}");
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn whatever_becomes_of_the_configuration_what_was_read_before_stays_in_use() {
    let scene = Scene::new("config", modem_spec(), BARE).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    let file = scene.place.config().join("simbell.toml");
    let good = fs::read(&file).unwrap();
    let half = good[..good.len() / 2].to_vec();
    for (what, bytes) in [
        ("half of it", [half, b"\n[counting\n".to_vec()].concat()),
        ("NULs", vec![0; 4_096]),
        ("no UTF-8", vec![0xff; 512]),
        ("another program's", b"<html>\n".to_vec()),
        ("without end", b"a = 1\n".repeat(400_000)),
    ] {
        fs::write(&file, &bytes).unwrap();
        let refused = daemon.client().await.reload().await.unwrap_err();
        assert_eq!(refused.kind(), "ReloadRejected", "{what}: {refused}");
        daemon.warned("config-rejected").await;
        traffic.pass(70_003, 7);
        traffic.is_counted(&daemon).await;
    }
    // Started with it, it says so and is not started again and again.
    fs::write(&file, vec![0; 4_096]).unwrap();
    daemon.kill();
    let mut refused = Daemon::spawn(&scene.place, None);
    assert_eq!(refused.ended().await.code(), Some(78));
    fs::write(&file, &good).unwrap();
    let daemon = Daemon::start(&scene.place, None).await;
    traffic.is_counted(&daemon).await;
    daemon.client().await.reload().await.unwrap();
    daemon.well("config-rejected").await;
}
