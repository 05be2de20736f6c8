//! The kernel's figures beside ModemManager's: how far apart they are, and whose count where the owner says whose.

use serde_json::Value;
use simbell_modemsim::lookalike::{BearerHandle, BearerSpec};

use crate::fixture::*;
use crate::wire::Wire;

fn ctl(scene: &Scene, arguments: &[&str]) -> String {
    let output = scene.place.ctl(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Connects over the wire, with ModemManager's first figure known: 0.
async fn connect(scene: &Scene, daemon: &Daemon) -> BearerHandle {
    daemon.sim_is("the SIM is in use", HOME, |sim| sim.active == Some(true)).await;
    scene.look.set_signal(0, 33).unwrap();
    scene.look.dial(0).unwrap();
    daemon.sim_is("it is seen to dial", HOME, |sim| sim.signal_percent == Some(33)).await;
    let bearer = scene.look.connect_bearer(0, BearerSpec { stats: true, ..over_link() }).unwrap();
    // As ModemManager does, it tells figures as the connection begins.
    scene.look.publish_stats();
    is_told(daemon, (0, 0)).await;
    bearer
}

/// Waits until the service knows these figures of ModemManager's.
async fn is_told(daemon: &Daemon, figures: (u64, u64)) {
    let told = |sim: &simbell_api::Sim| {
        let of = |session: &simbell_api::Session| session.modem_rx_bytes.zip(session.modem_tx_bytes);
        sim.measured && sim.sessions.iter().any(|session| of(session) == Some(figures))
    };
    daemon.sim_is("ModemManager's figures are known", HOME, told).await;
}

/// Starts the service anew: it reads all figures as it begins, and in five minutes at the latest otherwise.
async fn again(scene: &Scene, wire: &Wire, mut daemon: Daemon) -> Daemon {
    assert!(daemon.terminate().success());
    Daemon::start(&scene.place, Some(&wire.near)).await
}

/// The one connection as `simbellctl --json sims` tells it.
fn session(scene: &Scene) -> Value {
    let sims: Vec<Value> = ctl(scene, &["--json", "sims"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|sim: &Value| sim["iccid"] == HOME)
        .collect();
    let [sim] = sims.as_slice() else { panic!("one SIM: {sims:?}") };
    let [session] = sim["sessions"].as_array().unwrap().as_slice() else { panic!("one connection: {sim}") };
    session.clone()
}

#[tokio::test]
async fn how_far_both_figures_are_apart_is_told_either_way() {
    let wire = Wire::new();
    let scene = Scene::new("apart", modem_spec(), BARE).await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    let bearer = connect(&scene, &daemon).await;
    wire.some_traffic();
    let kernel = wire.truth();
    // Ahead by less than what is taken for traffic that bypasses the kernel; of what is sent it tells less.
    let told = (kernel.0 + 700_013, kernel.1 - 13);
    scene.look.set_stats(&bearer, told.0, told.1).unwrap();
    let daemon = again(&scene, &wire, daemon).await;
    is_told(&daemon, told).await;

    let ahead = session(&scene);
    assert_eq!((&ahead["source"], &ahead["bypass"]), (&"kernel".into(), &false.into()), "{ahead}");
    assert_eq!((&ahead["kernel_rx_bytes"], &ahead["kernel_tx_bytes"]), (&kernel.0.into(), &kernel.1.into()));
    assert_eq!((&ahead["modem_rx_bytes"], &ahead["modem_tx_bytes"]), (&told.0.into(), &told.1.into()));
    assert_eq!(ahead["gap_bytes"], 700_000, "ModemManager's minus the kernel's, of both directions");
    let column = |gap: &str| {
        let page = ctl(&scene, &["sims"]);
        let heading = page.lines().find(|line| line.contains("GAP")).unwrap_or_else(|| panic!("{page}"));
        assert_eq!(in_one_line(heading), "SIM INTERFACE COUNTED BY KERNEL MODEM GAP");
        let row = page.lines().find(|line| line.contains(PORT)).unwrap_or_else(|| panic!("{page}"));
        assert!(
            in_one_line(row).starts_with("home wwan0 kernel ") && row.trim_end().ends_with(gap),
            "{page}"
        );
    };
    column(" +700.00 kB");
    let explained = || -> (Value, String) {
        let json = serde_json::from_str(&ctl(&scene, &["--json", "usage", "explain"])).unwrap();
        (json, in_one_line(&ctl(&scene, &["usage", "explain"])))
    };
    let (json, text) = explained();
    assert_eq!(
        json["sessions"][0]["difference_bytes"], -700_000,
        "the kernel's minus ModemManager's: {json}"
    );
    assert!(text.contains("; ModemManager counts 700,000 more ("), "{text}");

    // The kernel counts on, and ModemManager has not told yet: now it lags.
    wire.download(800, 1_333);
    let (rx, tx) = wire.truth();
    let lag = rx + tx - told.0 - told.1;
    assert!(lag > 100_000, "{lag}");
    assert_eq!(daemon.counted(HOME).await, (rx, tx), "the kernel's figures count");
    let behind = session(&scene);
    assert_eq!(behind["gap_bytes"], -i64::try_from(lag).unwrap(), "{behind}");
    let hundredths = (lag + 5) / 10;
    column(&format!(" -{}.{:02} kB", hundredths / 100, hundredths % 100));
    let (json, text) = explained();
    assert_eq!(json["sessions"][0]["difference_bytes"], lag, "{json}");
    assert!(
        text.contains(&format!("; the kernel counts {},{:03} more (", lag / 1_000, lag % 1_000)),
        "{text}"
    );
    assert_eq!(json["sum"]["bytes"], rx + tx, "{json}");
}

#[tokio::test]
async fn where_the_owner_says_so_modemmanagers_figures_count() {
    let wire = Wire::new();
    let scene = Scene::new("by-modem", modem_spec(), &format!("source = \"modem\"\n{BARE}")).await;
    let mut daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    let bearer = connect(&scene, &daemon).await;
    // Less than the kernel's, and far from what would change the source by itself.
    for round in 1..=3_u64 {
        wire.some_traffic();
        let told = (round * 1_009, round * 103);
        scene.look.set_stats(&bearer, told.0, told.1).unwrap();
        scene.look.publish_stats();
        until("they count", async || (daemon.counted(HOME).await == told).then_some(())).await;
        let shown = session(&scene);
        assert_eq!((&shown["source"], &shown["bypass"]), (&"modem".into(), &false.into()), "{shown}");
        let kernel = wire.truth();
        assert_eq!(
            (&shown["kernel_rx_bytes"], &shown["kernel_tx_bytes"]),
            (&kernel.0.into(), &kernel.1.into())
        );
        if round == 2 {
            daemon.kill();
            daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
            is_told(&daemon, told).await;
            assert_eq!(daemon.counted(HOME).await, told, "a kill changes nothing of it");
        }
    }
    let rows = daemon.usage(HOME).await.rows;
    assert!(rows.iter().all(|row| row.source.as_deref() == Some("modem")), "{rows:?}");
    assert_eq!(daemon.sim(HOME).await.measured_bytes, 3 * (1_009 + 103));
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn a_connection_that_is_none_of_the_plans_is_not_counted() {
    let wire = Wire::new();
    let scene = Scene::new("left-out", modem_spec(), &format!("uncounted_apns = [\"ims\"]\n{BARE}")).await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    connect(&scene, &daemon).await;
    let ims = BearerSpec { apn: "IMS.mnc001.mcc262.gprs".to_owned(), stats: true, ..BearerSpec::default() };
    let ims = scene.look.connect_bearer(0, ims).unwrap();
    wire.some_traffic();
    scene.look.set_stats(&ims, 7_000_000, 900_000).unwrap();
    scene.look.publish_stats();
    scene.look.set_signal(0, 44).unwrap();
    let sim =
        daemon.sim_is("its figures were told before that", HOME, |sim| sim.signal_percent == Some(44)).await;
    assert!(sim.measured, "nothing is missing: {sim:?}");
    assert_eq!(daemon.counted(HOME).await, wire.truth());
    session(&scene);
    let text = in_one_line(&ctl(&scene, &["usage", "explain"]));
    assert!(text.contains("Not counted, as `uncounted_apns` says: connections to ims."), "{text}");
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn left_out_and_counted_again_midway_each_byte_is_on_its_side_of_the_reload() {
    let wire = Wire::new();
    // Read once an hour by itself.
    let bare = "[counting]\nsample_every = \"1h\"\n[history]\nbackups = 0\n";
    let scene = Scene::new("midway", modem_spec(), bare).await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    let mut due = (0, 0);
    let mut before = (0, 0);
    for round in 0..4 {
        wire.some_traffic();
        let left_out = if round % 2 == 0 { "uncounted_apns = [\"internet\"]\n" } else { "" };
        scene.place.configure(&scene.bus.address(), &format!("{left_out}{bare}"));
        daemon.client().await.reload().await.unwrap();
        let now = wire.truth();
        if round % 2 == 0 {
            due = (due.0 + now.0 - before.0, due.1 + now.1 - before.1);
        }
        before = now;
        assert_eq!(daemon.counted(HOME).await, due, "round {round}");
    }
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn where_the_owner_says_so_the_kernels_figures_count_however_far_modemmanager_is_ahead() {
    let wire = Wire::new();
    let scene = Scene::new("by-kernel", modem_spec(), &format!("source = \"kernel\"\n{BARE}")).await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    let bearer = connect(&scene, &daemon).await;
    wire.some_traffic();
    let kernel = wire.truth();
    // By itself the service would take this for traffic that bypasses the kernel.
    let told = (kernel.0 + 50_000_000, kernel.1 + 1_000);
    scene.look.set_stats(&bearer, told.0, told.1).unwrap();
    let daemon = again(&scene, &wire, daemon).await;
    is_told(&daemon, told).await;
    wire.some_traffic();
    let kernel = wire.truth();
    assert_eq!(daemon.counted(HOME).await, kernel);
    let shown = session(&scene);
    assert_eq!((&shown["source"], &shown["bypass"]), (&"kernel".into(), &false.into()), "{shown}");
    let gap = i64::try_from(told.0 + told.1).unwrap() - i64::try_from(kernel.0 + kernel.1).unwrap();
    assert_eq!(shown["gap_bytes"], gap, "it is told all the same: {shown}");
    scene.disconnect(&daemon, HOME, &bearer).await;
    assert_eq!(daemon.counted(HOME).await, kernel, "also as the last figures come with the end");
    let rows = daemon.usage(HOME).await.rows;
    assert!(rows.iter().all(|row| row.source.as_deref() == Some("kernel")), "{rows:?}");
    assert!(
        daemon.status().await.service.warnings.is_empty(),
        "{:?}",
        daemon.status().await.service.warnings
    );
    assert_eq!(scene.place.gaps(), [""; 0]);
}
