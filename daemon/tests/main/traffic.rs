//! Real traffic over a veth pair between network namespaces, compared with nftables.

use std::time::Duration;

use simbell_api::SetUsageParams;
use simbell_modemsim::lookalike::{BearerSpec, ModemSpec, Network};

use crate::fixture::*;
use crate::wire::Wire;

async fn start(name: &str, spec: ModemSpec, more: &str) -> (Wire, Scene, Daemon) {
    let wire = Wire::new();
    let scene = Scene::new(name, spec, more).await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    (wire, scene, daemon)
}

fn plus(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    (a.0 + b.0, a.1 + b.1)
}

fn minus(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    (a.0 - b.0, a.1 - b.1)
}

#[tokio::test]
async fn what_passes_while_connected_is_counted_to_the_byte_and_nothing_else() {
    let (wire, scene, mut daemon) = start("connected", modem_spec(), "").await;
    wire.some_traffic();
    let before = wire.truth();
    let bearer = scene.connect(&daemon, HOME, over_link()).await;
    wire.some_traffic();
    let first = minus(wire.truth(), before);
    assert!(first.0 > 80_000 && first.1 > 3_000, "traffic passed: {first:?}");
    assert_eq!(daemon.counted(HOME).await, first);
    assert_eq!(daemon.sim(HOME).await.measured_bytes, first.0 + first.1);

    scene.disconnect(&daemon, HOME, &bearer).await;
    wire.some_traffic();
    assert_eq!(daemon.counted(HOME).await, first);
    let before = wire.truth();
    scene.connect(&daemon, HOME, over_link()).await;
    wire.some_traffic();
    let both = plus(first, minus(wire.truth(), before));
    assert_eq!(daemon.counted(HOME).await, both);

    let status = daemon.terminate();
    assert!(status.success(), "{status}");
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    assert_eq!(daemon.counted(HOME).await, both, "a restart keeps every total");
    daemon.sim_is("the total is back", HOME, |sim| sim.measured_bytes == both.0 + both.1).await;
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn the_last_traffic_before_the_interface_goes_is_counted() {
    let (wire, scene, daemon) = start("replug", modem_spec(), "").await;
    scene.connect(&daemon, HOME, over_link()).await;
    for _ in 0..10 {
        wire.download(31, 999);
        // A veth end sets back what it received the moment it goes; other links tell it to the end.
        assert_eq!(daemon.counted(HOME).await, wire.truth());
        wire.upload(29, 888);
        wire.replug();
    }
    // In use to the end and idle at its end: nothing came after the last reading.
    wire.download(31, 999);
    assert_eq!(daemon.counted(HOME).await, wire.truth());
    wire.replug();
    wire.some_traffic();
    let truth = wire.truth();
    // The last appearance may still be on its way through netlink; what passed since is not lost by that.
    until("everything is counted", async || (daemon.counted(HOME).await == truth).then_some(())).await;
    assert_eq!(daemon.sim(HOME).await.measured_bytes, truth.0 + truth.1);
    // Whether something was received beside what was sent last nobody can tell: but for a chance reading right before.
    let gaps = scene.place.gaps();
    assert!(
        (1..=10).contains(&gaps.len()) && gaps.iter().all(|reason| reason == "counter-reset"),
        "{gaps:?}"
    );
}

#[tokio::test]
async fn under_traffic_without_a_pause_nothing_is_lost_or_invented_by_new_interfaces() {
    let (wire, scene, daemon) = start("flood", modem_spec(), "").await;
    scene.connect(&daemon, HOME, over_link()).await;
    let start = wire.truth();
    let mut at_least = (0, 0);
    let mut life = start;
    for _ in 0..6 {
        let flood = wire.flood();
        let goal = plus(daemon.counted(HOME).await, (100_000, 20_000));
        let read = until("traffic is counted", async || {
            Some(daemon.counted(HOME).await).filter(|now| now.0 >= goal.0 && now.1 >= goal.1)
        })
        .await;
        // Received: what was read before. Sent: all that passed before, read or not.
        let passed = wire.truth();
        wire.unplug();
        flood.end();
        at_least = (read.0, at_least.1 + passed.1 - life.1);
        wire.plug();
        life = wire.truth();
    }
    wire.some_traffic();
    let truth = minus(wire.truth(), start);
    at_least = plus(at_least, minus(wire.truth(), life));
    let counted = until("everything is counted", async || {
        Some(daemon.counted(HOME).await).filter(|now| now.0 >= at_least.0 && now.1 >= at_least.1)
    })
    .await;
    assert!(counted.0 <= truth.0 && counted.1 <= truth.1, "invented: {counted:?} of {truth:?}");
    let gaps = scene.place.gaps();
    assert!(gaps.len() <= 6 && gaps.iter().all(|reason| reason == "counter-reset"), "{gaps:?}");
    assert!(counted == truth || !gaps.is_empty(), "lost unsaid: {counted:?} of {truth:?}");
}

#[tokio::test]
async fn roaming_splits_the_sum_by_network() {
    let (wire, scene, daemon) = start("roaming", modem_spec(), "").await;
    scene.connect(&daemon, HOME, over_link()).await;
    let mut parts = Vec::new();
    let mut before = (0, 0);
    let abroad = |code: &str| Network::Roaming { code: code.to_owned(), name: "Abroad".to_owned() };
    for (network, roams) in [(Network::Home, false), (abroad("26202"), true), (abroad("20801"), true)] {
        let code = match &network {
            Network::Roaming { code, .. } => format!("roaming:{code}"),
            _ => "home".to_owned(),
        };
        scene.look.move_to(0, network, Duration::from_millis(20)).await.unwrap();
        daemon.sim_is("it roams", HOME, |sim| sim.roaming == Some(roams)).await;
        if code == "roaming:20801" {
            // Roaming before and after: the zone alone tells when it has moved.
            until("the network is known", async || {
                wire.upload(1, 100);
                let rows = daemon.usage(HOME).await.rows;
                rows.iter().any(|row| row.zone == code).then_some(())
            })
            .await;
        }
        wire.some_traffic();
        parts.push((code, minus(wire.truth(), before)));
        before = wire.truth();
        assert_eq!(daemon.counted(HOME).await, before);
    }
    let zone = |rows: &[simbell_api::UsageRow], code: &str| {
        let mine = rows.iter().filter(|row| row.zone == code);
        mine.fold((0, 0), |sum, row| plus(sum, (row.rx_bytes, row.tx_bytes)))
    };
    let rows = daemon.usage(HOME).await.rows;
    assert_eq!(zone(&rows, "home"), parts[0].1);
    // What passed while the move from one foreign network to the next was not settled is of either.
    let foreign = plus(zone(&rows, "roaming:26202"), zone(&rows, "roaming:20801"));
    assert_eq!(foreign, plus(parts[1].1, parts[2].1));
    assert!(zone(&rows, "roaming:26202").0 >= parts[1].1.0 && zone(&rows, "roaming:20801").0 >= parts[1].1.0);
    assert_eq!(daemon.sim(HOME).await.roaming_bytes, foreign.0 + foreign.1);
}

#[tokio::test]
async fn killed_at_any_moment_it_loses_nothing_while_the_interface_stays() {
    let more = "[counting]\nsample_every = \"1s\"\nmax_unsaved_bytes = \"60 kB\"\n";
    let (wire, scene, mut daemon) = start("kill", modem_spec(), more).await;
    scene.connect(&daemon, HOME, over_link()).await;
    let flood = wire.flood();
    for round in 0_u64..20 {
        // Moments that no cycle of the service's own meets: traffic, not time, decides.
        let goal = wire.truth().0 + 20_000 + round * 7_919;
        until("traffic passes", async || (wire.truth().0 >= goal).then_some(())).await;
        daemon.kill();
        let goal = wire.truth().0 + 10_000;
        until("traffic passes meanwhile", async || (wire.truth().0 >= goal).then_some(())).await;
        daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
        if round % 3 > 0 {
            daemon
                .sim_is("the SIM is confirmed", HOME, |sim| sim.connected == Some(true) && sim.measured)
                .await;
        }
    }
    flood.end();
    daemon.sim_is("the SIM is confirmed", HOME, |sim| sim.connected == Some(true) && sim.measured).await;
    let truth = wire.truth();
    assert_eq!(daemon.counted(HOME).await, truth);
    assert_eq!(daemon.sim(HOME).await.measured_bytes, truth.0 + truth.1);
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn what_vanished_while_it_was_dead_is_a_gap_and_no_byte_is_invented() {
    let (wire, scene, mut daemon) = start("vanished", modem_spec(), "").await;
    scene.connect(&daemon, HOME, over_link()).await;
    wire.some_traffic();
    let committed = daemon.counted(HOME).await;
    assert_eq!(committed, wire.truth());
    wire.some_traffic();
    daemon.kill();
    wire.some_traffic();
    wire.replug();
    wire.some_traffic();
    let unseen = minus(wire.truth(), committed);
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    daemon.sim_is("the SIM is confirmed", HOME, |sim| sim.connected == Some(true) && sim.measured).await;
    let after = daemon.counted(HOME).await;
    assert_eq!(after, committed, "{unseen:?} cannot be known");
    assert_eq!(scene.place.gaps(), ["interface-vanished"]);
    let rows = daemon.usage(HOME).await.rows;
    assert!(rows.iter().any(|row| row.gap.as_deref() == Some("interface-vanished")), "it is shown");
    // From here on it is exact again.
    wire.some_traffic();
    assert_eq!(daemon.counted(HOME).await, minus(wire.truth(), unseen));
    assert_eq!(scene.place.gaps(), ["interface-vanished"]);
}

/// What the file of the ledger holds. Asking the service would have it commit.
fn written(ledger: &rusqlite::Connection) -> (u64, u64) {
    let sql = "SELECT coalesce(sum(rx_bytes), 0), coalesce(sum(tx_bytes), 0) FROM usage";
    let sums: (i64, i64) = ledger.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    (sums.0.unsigned_abs(), sums.1.unsigned_abs())
}

/// Killed, and its counters gone with the interface: what it finds in the ledger, as after a power cut.
async fn after_a_cut(mut daemon: Daemon, wire: &Wire, scene: &Scene) -> (u64, u64) {
    daemon.kill();
    wire.replug();
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    daemon.sim_is("the SIM is confirmed", HOME, |sim| sim.connected == Some(true) && sim.measured).await;
    assert_eq!(scene.place.gaps(), ["interface-vanished"]);
    daemon.counted(HOME).await
}

#[tokio::test]
async fn unasked_it_commits_within_the_time_that_usage_may_be_unsaved() {
    let more = "[counting]\nsample_every = \"1h\"\nmax_unsaved_time = \"1s\"\nmax_unsaved_bytes = \"1 GB\"\n\
                [history]\nbackups = 0\n";
    let (wire, scene, daemon) = start("unsaved-time", modem_spec(), more).await;
    scene.connect(&daemon, HOME, over_link()).await;
    let ledger = scene.place.ledger();
    let mut truth = (0, 0);
    for _ in 0..4 {
        wire.some_traffic();
        truth = wire.truth();
        until("it is in the ledger", async || (written(&ledger) == truth).then_some(())).await;
    }
    // Too young to be there for sure.
    wire.some_traffic();
    let all = wire.truth();
    let kept = after_a_cut(daemon, &wire, &scene).await;
    assert!(kept.0 >= truth.0 && kept.1 >= truth.1, "lost: {kept:?} are left of {truth:?}");
    assert!(kept.0 <= all.0 && kept.1 <= all.1, "invented: {kept:?} of {all:?}");
}

#[tokio::test]
async fn unasked_it_commits_before_more_bytes_are_unsaved_than_may_be() {
    const MOST: u64 = 60_000;
    let more = "[counting]\nsample_every = \"1s\"\nmax_unsaved_time = \"1h\"\nmax_unsaved_bytes = \"60 kB\"\n\
                [history]\nbackups = 0\n";
    let (wire, scene, daemon) = start("unsaved-bytes", modem_spec(), more).await;
    scene.connect(&daemon, HOME, over_link()).await;
    let ledger = scene.place.ledger();
    let sum = |bytes: (u64, u64)| bytes.0 + bytes.1;
    // Some are less than what may be unsaved, some are more.
    for datagrams in [7, 19, 31, 83, 13, 29, 41, 5] {
        wire.download(datagrams, 1_333);
        wire.upload(datagrams / 2, 701);
        let truth = sum(wire.truth());
        until("all but so much is in the ledger", async || {
            (sum(written(&ledger)) + MOST > truth).then_some(())
        })
        .await;
    }
    let truth = wire.truth();
    let kept = after_a_cut(daemon, &wire, &scene).await;
    assert!(sum(kept) + MOST > sum(truth), "lost: {kept:?} are left of {truth:?}");
    assert!(kept.0 <= truth.0 && kept.1 <= truth.1, "invented: {kept:?} of {truth:?}");
}

#[tokio::test]
async fn a_stop_loses_nothing_even_if_the_interface_goes_right_after() {
    let (wire, scene, mut daemon) = start("stop", modem_spec(), "").await;
    scene.connect(&daemon, HOME, over_link()).await;
    wire.some_traffic();
    let truth = wire.truth();
    assert!(daemon.terminate().success());
    wire.unplug();
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    assert_eq!(daemon.counted(HOME).await, truth);
}

#[tokio::test]
async fn another_boot_is_a_gap_and_no_byte_is_invented() {
    let (wire, scene, mut daemon) = start("reboot", modem_spec(), "").await;
    let bearer = scene.connect(&daemon, HOME, over_link()).await;
    wire.some_traffic();
    let committed = daemon.counted(HOME).await;
    daemon.kill();
    let ledger = scene.place.ledger();
    let boot = "11111111-2222-3333-4444-555555555555";
    assert_eq!(ledger.execute("UPDATE baseline SET boot = ?1", [boot]).unwrap(), 1);
    drop(ledger);
    scene.look.disconnect(&bearer, None);
    wire.replug();
    let before = wire.truth();
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    wire.some_traffic();
    assert_eq!(daemon.counted(HOME).await, plus(committed, minus(wire.truth(), before)));
    assert_eq!(scene.place.gaps(), ["rebooted"]);
}

#[tokio::test]
async fn bytes_go_to_the_sim_in_use() {
    let (wire, scene, daemon) = start("swap", modem_spec(), "").await;
    scene.connect(&daemon, HOME, over_link()).await;
    wire.some_traffic();
    let home = wire.truth();
    scene.look.swap_sim(0, 1, vec![sim_spec(OTHER)], Duration::from_millis(50)).await.unwrap();
    scene.connect(&daemon, OTHER, over_link()).await;
    wire.download(11, 1_111);
    let other = minus(wire.truth(), home);
    assert_eq!((daemon.counted(HOME).await, daemon.counted(OTHER).await), (home, other));
    scene.look.swap_sim(0, 1, vec![sim_spec(HOME)], Duration::ZERO).await.unwrap();
    scene.connect(&daemon, HOME, over_link()).await;
    wire.upload(13, 777);
    let home = minus(wire.truth(), other);
    assert_eq!((daemon.counted(HOME).await, daemon.counted(OTHER).await), (home, other));
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn bytes_go_to_the_esim_profile_in_use() {
    let esim = |iccid| simbell_modemsim::lookalike::SimSpec {
        esim: true,
        eid: "89033023001211360000000000000001".to_owned(),
        ..sim_spec(iccid)
    };
    let spec = ModemSpec { slots: vec![vec![esim(HOME), esim(OTHER)]], ..modem_spec() };
    let (wire, scene, daemon) = start("profile", spec, "").await;
    scene.connect(&daemon, HOME, over_link()).await;
    wire.some_traffic();
    let home = wire.truth();
    scene.look.switch_profile(0, OTHER, Duration::from_millis(50)).await.unwrap();
    scene.connect(&daemon, OTHER, over_link()).await;
    wire.some_traffic();
    let other = minus(wire.truth(), home);
    assert_eq!((daemon.counted(HOME).await, daemon.counted(OTHER).await), (home, other));
}

/// Traffic does not pause while the modem goes and comes back with its other slot: no connection carries it then.
#[tokio::test]
async fn bytes_go_to_the_slot_in_use_while_traffic_passes_through_the_switch() {
    let spec = ModemSpec { slots: vec![vec![sim_spec(HOME)], vec![sim_spec(OTHER)]], ..modem_spec() };
    let (wire, scene, daemon) = start("slot", spec, "").await;
    let passes = async |more: u64| {
        let goal = plus(wire.truth(), (more, more / 10));
        let enough = || Some(wire.truth()).is_some_and(|now| now.0 >= goal.0 && now.1 >= goal.1);
        until("traffic passes", async || enough().then_some(())).await;
    };
    let within = |counted: (u64, u64), least: (u64, u64), most: (u64, u64)| {
        let is = least.0 <= counted.0 && counted.0 <= most.0 && least.1 <= counted.1 && counted.1 <= most.1;
        assert!(is, "{counted:?} of {least:?} to {most:?}");
    };
    daemon.sim_is("both slots are known", OTHER, |sim| sim.present == Some(true)).await;
    for (iccid, next, slot) in [(HOME, OTHER, 2), (OTHER, HOME, 1), (HOME, OTHER, 2)] {
        let idle = daemon.counted(next).await;
        let before = daemon.counted(iccid).await;
        let flood = wire.flood();
        passes(20_000).await;
        let dialled = wire.truth();
        scene.connect(&daemon, iccid, over_link()).await;
        let connected = wire.truth();
        passes(50_000).await;
        flood.end();
        let now = wire.truth();
        let known = daemon.counted(iccid).await;
        within(minus(known, before), minus(now, connected), minus(now, dialled));
        wire.some_traffic();
        let known = plus(known, minus(wire.truth(), now));
        assert_eq!(daemon.counted(iccid).await, known, "to the byte once it is connected");

        let begun = wire.truth();
        let flood = wire.flood();
        passes(50_000).await;
        let last = wire.truth();
        scene.look.switch_slot(0, slot, Duration::from_millis(50)).await.unwrap();
        daemon.sim_is("the other slot is in use", next, |sim| sim.active == Some(true)).await;
        let gone = wire.truth();
        passes(20_000).await;
        flood.end();
        let ended = daemon.counted(iccid).await;
        within(minus(ended, known), minus(last, begun), minus(gone, begun));
        wire.some_traffic();
        assert_eq!(daemon.counted(iccid).await, ended, "no connection carries it");
        assert_eq!(daemon.counted(next).await, idle, "and nothing of it is the other's");
    }
    // What passed between the modem's last sign and the other SIM's first nobody can say.
    assert_eq!(scene.place.gaps(), ["sim-changed"; 3]);
}

/// Nothing but its number is known of a SIM in a slot that is not in use; that it was there is known all the same.
#[tokio::test]
async fn a_sim_that_was_in_a_slot_that_is_not_in_use_was_seen() {
    let spec = ModemSpec { slots: vec![vec![sim_spec(HOME)], vec![sim_spec(OTHER)]], ..modem_spec() };
    let scene = Scene::new("idle-slot", spec, "").await;
    let daemon = Daemon::start(&scene.place, None).await;
    daemon.sim_is("it is there", OTHER, |sim| sim.present == Some(true)).await;
    // When it was last seen is kept to the second.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    scene.look.unplug(0).unwrap();
    daemon.sim_is("it is gone", OTHER, |sim| sim.present == Some(false)).await;
    assert!(daemon.sim(OTHER).await.last_seen.is_some());
}

#[tokio::test]
async fn modemmanagers_death_under_traffic_loses_nothing() {
    let (wire, scene, daemon) = start("crash", modem_spec(), "").await;
    let mut outside = (0, 0);
    for _ in 0..3 {
        scene.connect(&daemon, HOME, over_link()).await;
        let flood = wire.flood();
        let goal = wire.truth().0 + 50_000;
        until("traffic passes", async || (wire.truth().0 >= goal).then_some(())).await;
        scene.look.crash();
        until("it is missed", async || (!daemon.status().await.modemmanager.present).then_some(())).await;
        let goal = wire.truth().0 + 50_000;
        until("traffic passes", async || (wire.truth().0 >= goal).then_some(())).await;
        flood.end();
        assert!(!daemon.sim(HOME).await.measured, "nobody can say which SIM is in use");
        scene.look.revive();
        daemon
            .sim_is("the SIM is confirmed", HOME, |sim| {
                sim.active == Some(true) && sim.connected == Some(false)
            })
            .await;
        assert_eq!(daemon.counted(HOME).await, minus(wire.truth(), outside));
        // No connection any more: what passes now is nobody's.
        let before = wire.truth();
        wire.some_traffic();
        outside = plus(outside, minus(wire.truth(), before));
    }
    // Whether the old connections carried it nobody knows; it is said as the next ones begin.
    assert_eq!(scene.place.gaps(), ["connected-unseen"; 2]);
}

#[tokio::test]
async fn without_an_interface_modemmanagers_figures_count() {
    let (wire, scene, mut daemon) = start("stats", modem_spec(), "").await;
    let spec = BearerSpec { interface: Some("cdc-wdm0".to_owned()), stats: true, ..over_link() };
    let bearer = scene.connect(&daemon, HOME, spec).await;
    wire.some_traffic();
    scene.look.add_traffic(&bearer, 123_456, 7_890).unwrap();
    scene.look.publish_stats();
    until("they are counted", async || (daemon.counted(HOME).await == (123_456, 7_890)).then_some(())).await;
    let rows = daemon.usage(HOME).await.rows;
    assert!(rows.iter().all(|row| row.source.as_deref() == Some("modem")), "{rows:?}");

    daemon.kill();
    scene.look.add_traffic(&bearer, 1_000, 1).unwrap();
    scene.look.publish_stats();
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    until("they are counted", async || (daemon.counted(HOME).await == (124_456, 7_891)).then_some(())).await;
    scene.look.add_traffic(&bearer, 44, 9).unwrap();
    scene.disconnect(&daemon, HOME, &bearer).await;
    assert_eq!(daemon.counted(HOME).await, (124_500, 7_900), "the last figures come with the end");
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn usage_from_before_the_installation_is_entered_once() {
    let plan = "[sims.home.plan]\ndata = \"6 GB\"\nevery = \"month\"\n";
    let (wire, scene, mut daemon) = start("set", modem_spec(), plan).await;
    scene.connect(&daemon, HOME, over_link()).await;
    wire.some_traffic();
    let truth = wire.truth();
    let measured = truth.0 + truth.1;
    let set = SetUsageParams { sim: None, bytes: 2_000_000_000, reason: Some("before".to_owned()) };
    let change = daemon.client().await.set_usage(&set).await.unwrap();
    assert_eq!((change.before_bytes, change.bytes), (measured, 2_000_000_000));
    assert_eq!(change.correction_bytes, 2_000_000_000 - i64::try_from(measured).unwrap());
    let again = daemon.client().await.set_usage(&set).await.unwrap();
    assert_eq!(again.correction_bytes, 0, "it is there already");
    wire.some_traffic();
    let truth = wire.truth();
    let billed = 2_000_000_000 + truth.0 + truth.1 - measured;
    for round in 0..2 {
        let sim = daemon.sim_is("it adds up", HOME, |sim| sim.billed_bytes == Some(billed)).await;
        assert_eq!(sim.remaining_bytes, Some(6_000_000_000 - billed));
        assert_eq!(daemon.counted(HOME).await, truth, "what was measured stays as it was");
        if round == 0 {
            daemon.kill();
            daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
        }
    }
}
