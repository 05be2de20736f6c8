//! A ModemManager that tells nonsense, twice, late, or nothing of what passes by the kernel.

use simbell_modemsim::lookalike::BearerSpec;

use crate::fixture::*;
use crate::wire::Wire;

/// With figures beside the link.
fn told_over_link() -> BearerSpec {
    BearerSpec { stats: true, ..over_link() }
}

fn says(scene: &Scene, traffic: &Traffic<'_>, figures: (u64, u64)) {
    scene.look.set_stats(&traffic.bearer, figures.0, figures.1).unwrap();
    scene.look.publish_stats();
}

#[tokio::test]
async fn nonsense_in_its_figures_is_a_gap_and_never_usage() {
    let scene = Scene::new("nonsense", modem_spec(), BARE).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    let mut gaps = 0;
    for nonsense in [u64::MAX, u64::MAX >> 1, 1 << 45, u64::MAX - 70_002] {
        for way in 0..3 {
            traffic.pass(70_003, 7);
            traffic.is_counted(&daemon).await;
            let now = traffic.total;
            let lie = match way {
                0 => (nonsense, now.1),
                1 => (now.0, nonsense),
                _ => (nonsense, nonsense),
            };
            says(&scene, &traffic, lie);
            // And as it was: a counter that fell.
            gaps += 2;
            until("both are gaps", async || {
                scene.look.publish_stats();
                if scene.place.gaps().len() == gaps - 1 {
                    says(&scene, &traffic, now);
                }
                daemon.counted(HOME).await;
                (scene.place.gaps().len() == gaps).then_some(())
            })
            .await;
            assert_eq!(daemon.counted(HOME).await, now, "{lie:?}");
        }
        daemon.kill();
        daemon = Daemon::start(&scene.place, None).await;
        traffic.is_counted(&daemon).await;
    }
    assert!(scene.place.gaps().iter().all(|reason| reason == "counter-reset"), "{:?}", scene.place.gaps());
    assert_eq!(daemon.status().await.service.warnings.len(), 0);
}

#[tokio::test]
async fn what_it_tells_again_and_again_and_out_of_order_counts_once() {
    let scene = Scene::new("again", modem_spec(), BARE).await;
    let daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    for turn in 0..200_u32 {
        traffic.pass(1_003, 7);
        for _ in 0..turn % 5 {
            scene.look.publish_stats();
        }
        scene.look.set_signal(0, turn % 101).unwrap();
    }
    traffic.is_counted(&daemon).await;
    // Connections that begin and end faster than anybody looks, each under the next path.
    let spec = || BearerSpec { interface: Some("cdc-wdm0".to_owned()), stats: true, ..over_link() };
    for _ in 0..20 {
        scene.look.disconnect(&traffic.bearer, None);
        traffic.bearer = scene.look.connect_bearer(0, spec()).unwrap();
        scene.look.publish_stats();
    }
    scene.disconnect(&daemon, HOME, &traffic.bearer).await;
    traffic.bearer = scene.connect(&daemon, HOME, spec()).await;
    traffic.pass(500_000, 5);
    traffic.is_counted(&daemon).await;
    // One that began within the second of the one before looks like it, with a counter that fell. What follows the last
    // figure of one that ends is not known.
    let known = |reason: &String| reason == "counter-reset" || reason == "no-counter";
    assert!(scene.place.gaps().iter().all(known), "{:?}", scene.place.gaps());
}

#[tokio::test]
async fn where_the_kernel_counts_no_figure_of_its_own_can_add_a_byte() {
    let wire = Wire::new();
    let scene = Scene::new("figures", modem_spec(), BARE).await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    let mut outside = (0, 0);
    for nonsense in [u64::MAX, 1 << 45, 0] {
        let bearer = scene.connect(&daemon, HOME, told_over_link()).await;
        wire.some_traffic();
        scene.look.set_stats(&bearer, nonsense, nonsense).unwrap();
        scene.look.publish_stats();
        // It is read at the latest as the connection ends.
        scene.disconnect(&daemon, HOME, &bearer).await;
        let counted = (wire.truth().0 - outside.0, wire.truth().1 - outside.1);
        until("everything is counted", async || (daemon.counted(HOME).await == counted).then_some(())).await;
        let before = wire.truth();
        wire.some_traffic();
        outside = (outside.0 + wire.truth().0 - before.0, outside.1 + wire.truth().1 - before.1);
    }
    assert_eq!(scene.place.gaps(), [""; 0]);
    assert_eq!(daemon.status().await.service.warnings.len(), 0);
}

#[tokio::test]
async fn traffic_that_begins_to_bypass_the_kernel_in_mid_session_is_noticed_and_counted() {
    let wire = Wire::new();
    let scene = Scene::new("bypass", modem_spec(), BARE).await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    daemon.sim_is("the SIM is in use", HOME, |sim| sim.active == Some(true)).await;
    scene.look.set_signal(0, 33).unwrap();
    scene.look.dial(0).unwrap();
    daemon.sim_is("it is seen to dial", HOME, |sim| sim.signal_percent == Some(33)).await;
    let bearer = scene.look.connect_bearer(0, told_over_link()).unwrap();
    // As ModemManager does, it tells figures as the connection begins.
    scene.look.publish_stats();
    let begun = |sim: &simbell_api::Sim| sim.sessions.iter().any(|session| session.modem_rx_bytes == Some(0));
    daemon.sim_is("both figures are known", HOME, |sim| sim.measured && begun(sim)).await;
    // Both see this.
    wire.some_traffic();
    let truth = wire.truth();
    scene.look.add_traffic(&bearer, truth.0, truth.1).unwrap();
    until("the kernel counts", async || (daemon.counted(HOME).await == truth).then_some(())).await;
    // Offload is switched on: the modem alone sees the rest.
    let (rx, tx) = (truth.0 + 50_000_000, truth.1 + 1_000);
    scene.look.set_stats(&bearer, rx, tx).unwrap();
    scene.look.publish_stats();
    let said = daemon.warned("counters-bypassed").await;
    assert!(said.contains("offload"), "{said}");
    until("all of it counts", async || (daemon.counted(HOME).await == (rx, tx)).then_some(())).await;
    // From now on its figures are heard as they come.
    scene.look.add_traffic(&bearer, 7_000_000, 9).unwrap();
    scene.look.publish_stats();
    let all = (rx + 7_000_000, tx + 9);
    until("the rest too", async || (daemon.counted(HOME).await == all).then_some(())).await;
    assert_eq!(scene.place.gaps(), [""; 0]);
}
