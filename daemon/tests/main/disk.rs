//! The whole service on a disk that fails, stalls or loses power as it is told.

use std::fs;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use simbell_faultfs::{Cuts, Disk, Errno, FaultFs, Image, Kind, Op, Request, Verdict};

use crate::fixture::*;
use crate::wire::Wire;

/// A change of the ledger or of what belongs to it.
fn changes(request: &Request) -> bool {
    request.kind.changes() && !request.path.ends_with("-lock")
}

/// Holds the `nth` change from now on.
fn hold(fs: &FaultFs, nth: usize, kind: impl Fn(Kind) -> bool + Send + 'static) {
    let mut seen = 0;
    fs.on_each(move |request| {
        if !changes(request) || !kind(request.kind) {
            return Verdict::Pass;
        }
        seen += 1;
        if seen == nth + 1 { Verdict::Hold } else { Verdict::Pass }
    });
}

/// Reasons of the gaps in a copy of the ledger: beside its service nobody may open it on this file system.
fn gaps(scene: &Scene) -> Vec<String> {
    let copy = Place::new("copy");
    Image::read_from(&scene.place.state()).write_to(&copy.state());
    copy.gaps()
}

fn is_held(fs: &FaultFs) -> Option<Request> {
    fs.wait_until_held(Duration::ZERO)
}

#[tokio::test]
async fn killed_at_each_write_of_a_commit_it_loses_and_doubles_nothing() {
    let scene = Scene::new("kill-writes", modem_spec(), BARE).await;
    let disk = FaultFs::mount(&scene.place.state());
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(70_003, 7);
    traffic.is_counted(&daemon).await;
    let mut points = Vec::new();
    for nth in 0.. {
        hold(&disk, nth, |_| true);
        traffic.pass(70_003, 7);
        // The answer waits for the commit.
        let mut client = daemon.client().await;
        let asked = tokio::spawn(async move {
            let by = "hour".to_owned();
            client.usage(&simbell_api::GetUsageParams { by, ..Default::default() }).await.is_ok()
        });
        let held = until("a write is held, or all are done", async || match is_held(&disk) {
            Some(request) => Some(Some(request)),
            None => asked.is_finished().then_some(None),
        })
        .await;
        let Some(request) = held else { break };
        points.push((request.kind, request.path));
        kill_process(daemon.pid(), Signal::KILL).unwrap();
        // A kill lets nobody tidy up.
        disk.on_each(|request| if changes(request) { Verdict::Fail(Errno::IO) } else { Verdict::Pass });
        // The last write may be done or not: it was asked for before the kill.
        disk.release(if nth % 2 == 0 { Verdict::Pass } else { Verdict::Fail(Errno::IO) });
        daemon.kill();
        disk.heal();
        let _ended = asked.await;
        daemon = Daemon::start(&scene.place, None).await;
        traffic.is_counted(&daemon).await;
    }
    assert!(points.len() >= 5, "{points:?}");
    assert!(points.iter().any(|(kind, _)| *kind == Kind::Sync), "{points:?}");
    disk.heal();
    assert!(daemon.terminate().success());
    assert_eq!(gaps(&scene), [""; 0]);
}

#[tokio::test]
async fn after_a_power_cut_at_any_write_it_starts_and_counts_on() {
    let scene = Scene::new("cuts", modem_spec(), BARE).await;
    let disk = FaultFs::mount(&scene.place.state());
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    for _ in 0..5 {
        traffic.pass(70_003, 7);
        traffic.is_counted(&daemon).await;
        disk.mark(traffic.total.0);
    }
    daemon.kill();
    let log = disk.log();
    drop(disk);
    // The modem's own counters outlive it, as behind a USB hub with its own supply.
    let bare = Cuts { exhaustive: 0, alone: 0, random: 3 };
    let first = log.iter().position(|op| matches!(op, Op::Mark(_))).unwrap();
    let places: Vec<usize> = (first..log.len()).filter(|place| !matches!(log[*place], Op::Mark(_))).collect();
    assert!(places.len() > 16, "{} writes", places.len());
    let every = places.len().div_ceil(12);
    let mut started = 0;
    for (nth, cut) in places.iter().step_by(every).enumerate() {
        let mut after = Disk::default();
        log[..=*cut].iter().for_each(|op| after.take(op));
        let images = after.images(bare, u64::try_from(*cut).unwrap());
        images[nth % images.len()].write_to(&scene.place.state());
        daemon = Daemon::start(&scene.place, None).await;
        traffic.is_counted(&daemon).await;
        daemon.kill();
        started += 1;
    }
    assert!(started >= 8, "{started} cuts");
    assert!(!scene.place.log().contains("set aside"), "whole, whatever was lost");
    assert_eq!(gaps(&scene), [""; 0]);
}

#[tokio::test]
async fn a_disk_that_stalls_holds_up_answers_and_loses_nothing() {
    let wire = Wire::new();
    let scene = Scene::new("stalls", modem_spec(), BARE).await;
    let disk = FaultFs::mount(&scene.place.state());
    let mut daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    for verdict in [Verdict::Pass, Verdict::Fail(Errno::IO), Verdict::Forget(Errno::IO)] {
        wire.some_traffic();
        hold(&disk, 0, |kind| kind == Kind::Sync);
        let mut client = daemon.client().await;
        let asked = tokio::spawn(async move {
            let by = "hour".to_owned();
            client.usage(&simbell_api::GetUsageParams { by, ..Default::default() }).await.is_ok()
        });
        until("the sync is held", async || is_held(&disk)).await;
        // All this passes while nobody reads: what the kernel tells of it waits.
        wire.upload(70, 700);
        wire.replug();
        wire.upload(7, 700);
        wire.replug();
        wire.some_traffic();
        assert!(!asked.is_finished(), "nothing is said before it is committed");
        disk.release(verdict);
        disk.heal();
        let _answered = asked.await.unwrap();
        let truth = wire.truth();
        until("everything is counted", async || (daemon.counted(HOME).await == truth).then_some(())).await;
        daemon.well("ledger-not-writable").await;
    }
    assert!(daemon.terminate().success());
    // What the first of each two received since it was read nobody can tell.
    assert_eq!(gaps(&scene), ["counter-reset"; 3]);
}

/// Says what is wrong with the service, and what messages say.
const TALKS: &str = r#"
fn on_health(health) {
    for warning in health {
        if warning.code == "ledger-not-writable" { remind("wrong", "the ledger cannot be written"); }
    }
}
fn on_sms(sim, sms) { remind(`sms-${slug(sms.text)}`, `passed on: ${sms.text}`); }
"#;

#[tokio::test]
async fn while_no_ledger_can_be_written_it_is_said_but_never_by_a_message_that_costs_money() {
    let channels = "[channels.phone]\nkind = \"sms\"\nto = [\"+15550100999\"]\ndaily_cap = 20\n\
                    [channels.log]\nkind = \"journal\"\n[reminders]\nchannels = [\"phone\", \"log\"]\n";
    let scene = Scene::new("no-sms", modem_spec(), &format!("{BARE}{channels}")).await;
    scene.place.rule("talks", TALKS);
    let disk = FaultFs::mount(&scene.place.state());
    let daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    let sent = || -> Vec<String> { scene.look.sent_sms().into_iter().map(|sms| sms.text).collect() };
    for (nth, errno) in [Errno::NOSPC, Errno::IO, Errno::ROFS, Errno::DQUOT].into_iter().enumerate() {
        traffic.pass(70_003, 7);
        traffic.is_counted(&daemon).await;
        until("nothing is under way", async || {
            let reminders = daemon.client().await.reminders().await.unwrap();
            let mut all = reminders.iter().flat_map(|reminder| &reminder.deliveries);
            all.all(|one| one.state != "queued" && one.state != "sending").then_some(())
        })
        .await;
        let before = sent();
        disk.on_each(move |request| if changes(request) { Verdict::Fail(errno) } else { Verdict::Pass });
        until("it is noticed", async || {
            traffic.pass(70_003, 7);
            traffic.is_measured(&daemon).await;
            let warnings = daemon.status().await.service.warnings;
            warnings.into_iter().find(|w| w.code == "ledger-not-writable").map(|w| w.text)
        })
        .await;
        // In the first minute of a service it is held to last, and is said once.
        let said = || scene.place.log().contains("key=talks/wrong").then_some(());
        until("it is said in the log", async || said()).await;
        // Something to be passed on by a message comes in.
        scene.look.receive_sms(0, "10086", &format!("news {nth}"), None).unwrap();
        for _ in 0..5 {
            traffic.pass(70_003, 7);
            traffic.is_measured(&daemon).await;
        }
        assert_eq!(sent(), before, "{errno:?}");
        disk.heal();
        daemon.well("ledger-not-writable").await;
        until("the news leaves once it is committed", async || {
            sent().iter().any(|text| text.contains(&format!("news {nth}"))).then_some(())
        })
        .await;
        traffic.is_counted(&daemon).await;
    }
    let news = sent().iter().filter(|text| text.contains("news")).count();
    assert_eq!(news, 4, "each once: {:?}", sent());
}

#[tokio::test]
async fn a_log_garbled_while_it_was_dead_costs_nothing_that_the_counters_know() {
    let scene = Scene::new("garbled-log", modem_spec(), BARE).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(70_003, 7);
    traffic.is_counted(&daemon).await;
    // Closed in order, all of the log is in the ledger.
    assert!(daemon.terminate().success());
    daemon = Daemon::start(&scene.place, None).await;
    let log = scene.place.state().join("ledger.db-wal");
    for place in [1, 3, 7] {
        for _ in 0..4 {
            traffic.pass(70_003, 7);
            traffic.is_counted(&daemon).await;
        }
        daemon.kill();
        let mut bytes = fs::read(&log).unwrap();
        let from = bytes.len() * place / 8;
        bytes[from..].fill(0xa5);
        fs::write(&log, &bytes).unwrap();
        let _ = fs::write(scene.place.state().join("ledger.db-shm"), [0x5a; 32_768]);
        daemon = Daemon::start(&scene.place, None).await;
        traffic.is_counted(&daemon).await;
    }
    assert!(!scene.place.log().contains("set aside"), "the last whole commit holds");
    assert_eq!(gaps(&scene), [""; 0]);
}
