//! The ledger's past: exported, copied and taken back, under traffic.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use simbell_api::ExportUsageParams;
use simbell_core::cycle::cycle_at;
use simbell_core::effect::Change;
use simbell_core::ident::Iccid;
use simbell_core::ledger::{EpochId, Source, UsageSlot, When, Zone};
use simbell_core::plan::{AnchorDay, Period};
use simbell_core::time::Timestamp;
use simbell_core::zone::ZoneRules;
use simbell_store::{Backups, Occasion, Store, StoreOptions};
use simbelld::config::zone_rules;

use crate::fixture::*;

const HOUR: i64 = 3_600_000;

fn ctl(scene: &Scene, arguments: &[&str]) -> String {
    let output = scene.place.ctl(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_copy_is_made_and_taken_back_under_traffic() {
    let scene = Scene::new("restore", modem_spec(), BARE).await;
    let daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    let copied = ctl(&scene, &["--json", "backup", "create"]);
    let name =
        serde_json::from_str::<serde_json::Value>(&copied).unwrap()["name"].as_str().unwrap().to_owned();
    traffic.pass(300_000, 2);
    traffic.is_counted(&daemon).await;
    let listed = ctl(&scene, &["backup", "list"]);
    assert!(listed.contains(&name), "{listed}");
    let mut client = daemon.client().await;
    client
        .set_usage(&simbell_api::SetUsageParams { sim: None, bytes: 9_000_000, reason: None })
        .await
        .unwrap();
    for other in ["../ledger.db", "/etc/passwd", "nosuch"] {
        let refused = client.restore_backup(other).await.unwrap_err();
        assert_eq!(refused.kind(), "UnknownEntry", "{other}: {refused}");
    }
    let nameless = scene.place.ctl(&["backup", "restore", "nosuch"]);
    assert_eq!(nameless.status.code(), Some(1), "nothing has the name: {nameless:?}");
    // A copy that cannot be used is refused, which is no wrong usage; the ledger is as it was.
    let backups = scene.place.state().join("backups");
    let spoilt = "daily-20200101T000000Z.db";
    std::fs::write(backups.join(spoilt), vec![7; 8_192]).unwrap();
    let refused = scene.place.ctl(&["--json", "backup", "restore", spoilt]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(said["error"]["kind"], "Refused", "{said}");
    assert_eq!(daemon.counted(HOME).await, traffic.total);
    ctl(&scene, &["backup", "restore", &name]);
    // The correction came after the copy; what was carried since is told by the counter.
    traffic.pass(10, 10);
    traffic.is_counted(&daemon).await;
    assert_eq!(daemon.usage(HOME).await.total.correction_bytes, 0);
    until("the gap is told", async || {
        scene.place.gaps().contains(&"ledger-restored".to_owned()).then_some(())
    })
    .await;
    assert_eq!(aside(&scene, "replaced").len(), 1);
    assert!(!daemon.status().await.service.warnings.iter().any(|w| w.code == "ledger-damaged"));
}

/// One connection has two numbers once an empty copy took the ledger's place and the service began anew.
#[tokio::test]
async fn copies_that_number_a_connection_otherwise_count_nothing_twice() {
    let scene = Scene::new("restore-number", modem_spec(), BARE).await;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("ledger.db"), &StoreOptions::default()).unwrap();
    let backups = Backups::of(&scene.place.state().join("ledger.db"));
    let empty = store.copy_to(&backups, Occasion::Asked, Timestamp::from_secs(1_700_000_000)).unwrap();
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    let knows = daemon.client().await.create_backup().await.unwrap();
    for round in 0..2 {
        daemon.client().await.restore_backup(&empty.name).await.unwrap();
        traffic.pass(30_000, round);
        traffic.is_counted(&daemon).await;
        assert!(daemon.terminate().success());
        daemon = Daemon::start(&scene.place, None).await;
        traffic.pass(400, 4);
        traffic.is_counted(&daemon).await;
        let live: i64 =
            scene.place.ledger().query_row("SELECT max(id) FROM session", [], |row| row.get(0)).unwrap();
        assert!(live > 1, "it has another number by now");
        daemon.client().await.restore_backup(&knows.name).await.unwrap();
        traffic.pass(10, 10);
        traffic.is_counted(&daemon).await;
    }
}

#[tokio::test]
async fn a_copy_from_before_the_clock_ran_ahead_makes_it_believed_at_once() {
    let scene = Scene::new("restore-clock", modem_spec(), BARE).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    let copy = daemon.client().await.create_backup().await.unwrap();
    assert!(daemon.terminate().success());
    let later: i64 = 400 * 86_400_000;
    let ledger = scene.place.ledger();
    assert!(ledger.execute("UPDATE usage SET last_ms = last_ms + ?1", [later]).unwrap() > 0);
    // A clock that ran ahead dated all that is dated.
    assert_eq!(ledger.execute("UPDATE sim SET last_seen_ms = last_seen_ms + ?1", [later]).unwrap(), 1);
    let mark = "INSERT INTO schedule_mark SELECT 'some#1', last_seen_ms FROM sim";
    assert_eq!(ledger.execute(mark, []).unwrap(), 1);
    drop(ledger);
    daemon = Daemon::start(&scene.place, None).await;
    daemon.warned("clock-untrusted").await;
    traffic.pass(70_000, 7);

    daemon.client().await.restore_backup(&copy.name).await.unwrap();
    daemon.well("clock-untrusted").await;
    assert!(daemon.status().await.service.clock_trusted);
    traffic.pass(5, 5);
    traffic.is_counted(&daemon).await;
    daemon.kill();
    // Nor does what was taken over from the one set aside bring the doubt back.
    daemon = Daemon::start(&scene.place, None).await;
    assert!(daemon.status().await.service.clock_trusted);
    traffic.pass(3, 3);
    traffic.is_counted(&daemon).await;
    let undated = "SELECT count(*) FROM usage_undated";
    assert_eq!(scene.place.ledger().query_row(undated, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[tokio::test]
async fn an_export_is_the_usage_whole() {
    let scene = Scene::new("export", modem_spec(), BARE).await;
    let daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    let set =
        simbell_api::SetUsageParams { sim: None, bytes: 9_000_000, reason: Some("=SUM(A1), \"x\"".into()) };
    daemon.client().await.set_usage(&set).await.unwrap();
    let lines = ctl(&scene, &["usage", "export"]);
    let records: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sum = |key: &str| records.iter().filter_map(|record| record[key].as_u64()).sum::<u64>();
    assert_eq!((sum("rx_bytes"), sum("tx_bytes")), traffic.total);
    assert_eq!(sum("correction_bytes"), 9_000_000 - 500_001);
    let total = daemon.usage(HOME).await.total;
    for by in ["hour", "day", "cycle"] {
        let params = ExportUsageParams { by: by.to_owned(), ..ExportUsageParams::default() };
        let mut export = daemon.client().await.export(&params).await.unwrap();
        let mut got = (0, 0);
        let mut last = None;
        while let Some(part) = export.next().await.unwrap() {
            got = (got.0 + part.rx_bytes.iter().sum::<u64>(), got.1 + part.tx_bytes.iter().sum::<u64>());
            last = part.total;
        }
        assert_eq!((got, last.as_ref()), (traffic.total, Some(&total)), "{by}");
    }
    let csv = ctl(&scene, &["usage", "export", "--format", "csv", "--by", "day"]);
    assert!(csv.contains("\"'=SUM(A1), \"\"x\"\"\""), "{csv}");
}

#[tokio::test]
async fn a_copy_comes_by_itself_once_a_day() {
    let more = BARE.replace("backups = 0", "backups = 2");
    let scene = Scene::new("daily", modem_spec(), &more).await;
    let daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    until("a copy is made", async || {
        let copies = daemon.client().await.backups().await.unwrap();
        copies.iter().any(|copy| copy.occasion == "daily").then_some(())
    })
    .await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    drop(daemon);
    let daemon = Daemon::start(&scene.place, None).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    assert_eq!(daemon.client().await.backups().await.unwrap().len(), 1, "one a day");
}

/// Usage of years, every seventh hour of two SIMs, is in the ledger as the service begins: by other terms and zones, so that
/// their days and cycles differ.
#[tokio::test]
async fn what_is_old_becomes_days_and_cycles_by_itself_and_every_sum_stays() {
    const DAY: i64 = 24 * HOUR;
    let terms = format!(
        "timezone = \"Europe/Berlin\"\nplan = {{ every = \"month\", day = 15 }}\n\
         [sims.other]\niccid = \"{OTHER}\"\ntimezone = \"Asia/Kolkata\"\n\
         plan = {{ every = \"28 days\", start = 2020-01-03, renews = true }}\n\
         [counting]\nmax_unsaved_bytes = \"60 kB\"\n\
         [history]\nhours = \"40 days\"\ndays = \"500 days\"\nbackups = 0\n"
    );
    let scene = Scene::new("years", modem_spec(), &terms).await;
    let zone = |name: &str| zone_rules(std::path::Path::new("/usr/share/zoneinfo"), name).unwrap();
    let sims = [
        (HOME, zone("Europe/Berlin"), Period::Monthly(AnchorDay::Day(15))),
        (
            OTHER,
            zone("Asia/Kolkata"),
            Period::Days { days: 28, start: "2020-01-03".parse().unwrap(), renews: true },
        ),
    ];
    let hour = simbelld::clock::wall().as_millis() / HOUR * HOUR;
    let begun = Timestamp::from_millis(hour);

    // By SIM, first day of the cycle and zone: received and sent.
    let mut given: BTreeMap<(String, NaiveDate, String), (u64, u64)> = BTreeMap::new();
    let mut store = Store::open(&scene.place.state().join("ledger.db"), &StoreOptions::default()).unwrap();
    for (sim, (iccid, zone, period)) in sims.iter().enumerate() {
        let slots = (1..4_500_i64).map(|n| {
            let start = Timestamp::from_millis(hour - 7 * n * HOUR);
            let place =
                [Zone::Home, Zone::Roaming(None), Zone::Unknown][usize::try_from(n % 5 / 2).unwrap()].clone();
            let (rx, tx) = (1_000 + u64::try_from(n).unwrap(), 7 * u64::try_from(n).unwrap() + 3);
            let cycle = cycle_at(period, zone.date(start)).unwrap().start;
            let sum = given.entry(((*iccid).to_owned(), cycle, place.to_text())).or_default();
            *sum = (sum.0 + rx, sum.1 + tx);
            Change::AddUsage(UsageSlot {
                epoch: EpochId(1 + i64::try_from(sim).unwrap()),
                iccid: Iccid::new(*iccid).unwrap(),
                zone: place,
                source: Source::Kernel,
                when: When::Hour(start),
                rx_bytes: rx,
                tx_bytes: tx,
                from: start.as_millis(),
                until: start.as_millis() + HOUR,
            })
        });
        store.apply(&slots.collect::<Vec<_>>()).unwrap();
    }
    drop(store);

    let daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    let spans = |iccid: &str, what: &str, limit: Timestamp| -> i64 {
        let sql = format!("SELECT count(*) FROM usage WHERE iccid = ?1 AND {what}");
        scene
            .place
            .ledger()
            .query_row(&sql, rusqlite::params![iccid, limit.as_millis()], |row| row.get(0))
            .unwrap()
    };
    // As of an instant: until then hours are folded, and days. The current cycle is left alone.
    let folded_until = |zone: &ZoneRules, period: &Period, kept: u64, at: Timestamp| {
        let today = zone.date(at);
        let cycle = zone.day_start(cycle_at(period, today).unwrap().start);
        zone.day_start(today.checked_sub_days(chrono::Days::new(kept)).unwrap()).min(cycle)
    };
    // It comes with a commit, a part at a time.
    until("all that is old is folded", async || {
        traffic.pass(70_001, 7);
        daemon.counted(HOME).await;
        let old = sims.iter().map(|(iccid, zone, period)| {
            let hours = folded_until(zone, period, 40, begun);
            let days = folded_until(zone, period, 500, begun);
            // Of a cycle that is not old enough as a whole the days stay.
            let cycles = zone.day_start(cycle_at(period, zone.date(days)).unwrap().start);
            let left = spans(iccid, "span = 'hour' AND start_ms < ?2", hours);
            left + spans(iccid, "span = 'day' AND start_ms < ?2", cycles)
        });
        (old.sum::<i64>() == 0).then_some(())
    })
    .await;
    let ended = Timestamp::from_millis(hour + 2 * DAY);
    for (iccid, zone, period) in &sims {
        let (hours, days) = (folded_until(zone, period, 40, ended), folded_until(zone, period, 500, ended));
        assert_eq!(spans(iccid, "span != 'hour' AND coalesce(until_ms, start_ms) > ?2", hours), 0, "{iccid}");
        assert_eq!(spans(iccid, "span = 'cycle' AND until_ms > ?2", days), 0, "{iccid}");
        assert!(spans(iccid, "span = 'day' AND start_ms < ?2", hours) > 400, "days are there");
        assert!(spans(iccid, "span = 'cycle' AND start_ms < ?2", days) > 60, "and cycles");
    }

    let today = cycle_at(&sims[0].2, sims[0].1.date(begun)).unwrap().start;
    let passed = given.entry((HOME.to_owned(), today, Zone::Home.to_text())).or_default();
    *passed = (passed.0 + traffic.total.0, passed.1 + traffic.total.1);
    let current = given.iter().filter(|((iccid, cycle, _), _)| iccid == HOME && *cycle == today);
    let measured: u64 = current.map(|(_, (rx, tx))| rx + tx).sum();
    daemon.sim_is("the last of it is measured", HOME, |sim| sim.measured_bytes == measured).await;
    let mut found: BTreeMap<(String, NaiveDate, String), (u64, u64)> = BTreeMap::new();
    for (iccid, ..) in &sims {
        let question = simbell_api::GetUsageParams {
            sim: Some((*iccid).to_owned()),
            by: "cycle".to_owned(),
            from: Some("2020-01-03".to_owned()),
            ..Default::default()
        };
        for row in daemon.client().await.usage(&question).await.unwrap().rows {
            let first = row.start.unwrap()[..10].parse().unwrap();
            let sum = found.entry(((*iccid).to_owned(), first, row.zone)).or_default();
            *sum = (sum.0 + row.rx_bytes, sum.1 + row.tx_bytes);
        }
    }
    assert_eq!(found, given);
}
