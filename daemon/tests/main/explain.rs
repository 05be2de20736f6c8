//! What a total is made of, of real traffic: the parts are nftables' counts.

use simbell_api::{ExplainPage, ExplainSum, ExplainUsageParams, SetUsageParams};
use simbell_modemsim::lookalike::Network;

use crate::fixture::*;
use crate::wire::Wire;

async fn explained(daemon: &Daemon) -> ExplainPage {
    let question = ExplainUsageParams { sim: Some("home".to_owned()), ..ExplainUsageParams::default() };
    daemon.client().await.explain(&question).await.unwrap()
}

#[tokio::test]
async fn every_byte_of_a_cycle_is_explained() {
    let wire = Wire::new();
    let scene = Scene::new("explain", modem_spec(), "").await;
    let mut daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    wire.some_traffic();
    let home = wire.truth();
    assert_eq!(daemon.counted(HOME).await, home);

    let abroad = Network::Roaming { code: "26202".to_owned(), name: "Abroad".to_owned() };
    scene.look.move_to(0, abroad, std::time::Duration::ZERO).await.unwrap();
    until("the network is known", async || {
        wire.upload(1, 100);
        daemon.usage(HOME).await.rows.iter().any(|row| row.zone == "roaming:26202").then_some(())
    })
    .await;
    wire.download(7, 700);
    let known = daemon.counted(HOME).await;
    assert_eq!(known, wire.truth());

    // What is lost while nobody looks is no part of any sum, and is said.
    wire.download(3, 300);
    daemon.kill();
    wire.replug();
    let before = wire.truth();
    daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    daemon.sim_is("the SIM is confirmed", HOME, |sim| sim.connected == Some(true) && sim.measured).await;
    wire.some_traffic();
    let after = wire.truth();
    let counted = (known.0 + after.0 - before.0, known.1 + after.1 - before.1);
    let bytes = counted.0 + counted.1;
    let change =
        SetUsageParams { sim: None, bytes: bytes + 5_000, reason: Some("the app says so".to_owned()) };
    daemon.client().await.set_usage(&change).await.unwrap();

    let whole = explained(&daemon).await;
    assert!(whole.adds_up && whole.next.is_none(), "{whole:#?}");
    assert_eq!((whole.sum.rx_bytes, whole.sum.tx_bytes), counted, "nftables counted the same");
    assert_eq!((whole.sum.correction_bytes, whole.sum.bytes), (5_000, i64::try_from(bytes).unwrap() + 5_000));
    assert!(whole.span.cycle && whole.undated.is_empty());
    let of = |zone: &str| -> u64 {
        whole.runs.iter().filter(|run| run.zone == zone).map(|run| run.rx_bytes + run.tx_bytes).sum()
    };
    // The counters are read before the zone changes: all that passed before is of the old one.
    assert!(of("home") >= home.0 + home.1, "{whole:#?}");
    assert_eq!(of("home") + of("roaming") + of("roaming:26202"), bytes);
    assert!(whole.runs.len() >= 3, "two zones, and another interface: {whole:#?}");
    for run in &whole.runs {
        assert_eq!((run.source.as_str(), run.interface.as_deref()), ("kernel", Some(PORT)));
        assert_eq!(run.apn.as_deref(), Some("internet"));
        assert!(run.modem.is_some() && run.from.is_some() && run.until.is_some(), "{run:?}");
    }
    let [gap] = whole.gaps.as_slice() else { panic!("one gap: {:#?}", whole.gaps) };
    assert_eq!(gap.reason, "interface-vanished");
    assert!(gap.text.contains("while the service was not running"), "{gap:?}");
    let [correction] = whole.corrections.as_slice() else { panic!("one correction") };
    assert_eq!((correction.bytes, correction.reason.as_str()), (5_000, "the app says so"));
    assert!(correction.author.starts_with("uid "), "{correction:?}");

    // A connection that goes on is told as `sims` tells it, not as the ledger last kept it.
    let sims = daemon.client().await.sims().await.unwrap();
    let mut up = sims.iter().flat_map(|sim| &sim.sessions);
    let (Some(up), None) = (up.next(), up.next()) else { panic!("one connection: {sims:#?}") };
    let told = whole.sessions.iter().find(|told| told.id == up.id).unwrap();
    assert!(!told.over && told.kernel_rx_bytes > Some(0), "{told:?}");
    assert_eq!(
        (told.kernel_rx_bytes, told.kernel_tx_bytes, told.modem_rx_bytes),
        (up.kernel_rx_bytes, up.kernel_tx_bytes, up.modem_rx_bytes)
    );

    // A span beside it holds nothing, and says so without a complaint.
    let question = ExplainUsageParams { day: Some("2026-01-01".to_owned()), ..ExplainUsageParams::default() };
    let empty = daemon.client().await.explain(&question).await.unwrap();
    assert!(empty.adds_up && empty.runs.is_empty() && empty.sum.bytes == 0 && !empty.span.cycle);
    for question in [
        ExplainUsageParams { from: Some("2016-01-01".to_owned()), ..ExplainUsageParams::default() },
        ExplainUsageParams { day: Some("soon".to_owned()), ..ExplainUsageParams::default() },
        ExplainUsageParams { day: Some("2126-11-01".to_owned()), ..ExplainUsageParams::default() },
        ExplainUsageParams { cycle: Some("2026-13-01".to_owned()), ..ExplainUsageParams::default() },
        ExplainUsageParams {
            after: None,
            from: Some("2026-11-22".to_owned()),
            to: Some("2026-11-01".to_owned()),
            ..ExplainUsageParams::default()
        },
    ] {
        let refused = daemon.client().await.explain(&question).await.unwrap_err();
        assert_eq!(refused.kind(), "InvalidArgument", "{question:?}: {refused}");
    }
}

#[tokio::test]
async fn a_page_ends_anywhere_and_tells_of_the_moment_of_the_first() {
    let wire = Wire::new();
    let scene = Scene::new("explain-pages", modem_spec(), "").await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    for _ in 0..5 {
        let bearer = scene.connect(&daemon, HOME, over_link()).await;
        wire.upload(2, 100);
        scene.disconnect(&daemon, HOME, &bearer).await;
    }
    let (flood, _bearer) = (wire.flood(), scene.connect(&daemon, HOME, over_link()).await);
    let mut client = daemon.client().await;
    let mut question = ExplainUsageParams { limit: Some(2), ..ExplainUsageParams::default() };
    let (mut runs, mut pages, mut sum) = (Vec::new(), 0, ExplainSum::default());
    loop {
        let page: ExplainPage = client.explain_page(&question).await.unwrap();
        pages += 1;
        assert!(page.runs.len() <= 2);
        if !page.runs.is_empty() {
            sum = page.sum;
        }
        runs.extend(page.runs);
        question.after = page.next;
        if question.after.is_none() {
            break;
        }
    }
    flood.end();
    assert!(pages >= 3 && runs.len() >= 6, "{pages} pages, {runs:?}");
    let mut epochs: Vec<i64> = runs.iter().map(|run| run.epoch).collect();
    epochs.dedup();
    assert_eq!(epochs.len(), runs.len(), "each once, in order");
    let sent: u64 = runs.iter().map(|run| run.tx_bytes).sum();
    assert_eq!(sent, sum.tx_bytes);
}
