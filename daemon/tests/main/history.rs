//! The ledger's past: exported, copied, taken back, and damaged, under traffic.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt as _;

use chrono::NaiveDate;
use simbell_api::ExportUsageParams;
use simbell_core::cycle::cycle_at;
use simbell_core::effect::Change;
use simbell_core::ident::Iccid;
use simbell_core::ledger::{EpochId, Source, UsageSlot, When, Zone};
use simbell_core::plan::{AnchorDay, Period};
use simbell_core::time::Timestamp;
use simbell_core::zone::ZoneRules;
use simbell_store::{Store, StoreOptions};
use simbelld::config::zone_rules;

use crate::fixture::*;

const HOUR: i64 = 3_600_000;
const SMALL_STEPS: &str = "[counting]\nmax_unsaved_bytes = \"60 kB\"\n[history]\nbackups = 0\n";

fn aside(scene: &Scene, word: &str) -> Vec<String> {
    let entries = fs::read_dir(scene.place.state()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(word) && !name.ends_with("-wal")).collect()
}

fn ctl(scene: &Scene, arguments: &[&str]) -> String {
    let output = scene.place.ctl(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_ledger_damaged_while_the_service_was_dead_costs_nothing_that_the_counters_know() {
    let scene = Scene::new("damaged-start", modem_spec(), SMALL_STEPS).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    let copy = daemon.client().await.create_backup().await.unwrap();
    traffic.pass(300_000, 20);
    traffic.is_counted(&daemon).await;
    daemon.kill();
    fs::write(scene.place.state().join("ledger.db"), vec![0x5a; 50_000]).unwrap();
    fs::remove_file(scene.place.state().join("ledger.db-wal")).unwrap();
    traffic.pass(7, 7);

    let daemon = Daemon::start(&scene.place, None).await;
    let said = daemon.warned("ledger-damaged").await;
    assert!(said.contains(".damaged-") && said.contains(".recover"), "{said}");
    // The copy's baseline and the counter that still runs tell all of it.
    traffic.is_counted(&daemon).await;
    traffic.pass(1, 1);
    traffic.is_counted(&daemon).await;
    assert_eq!(aside(&scene, "damaged").len(), 1);
    assert_eq!(fs::read(scene.place.state().join(&aside(&scene, "damaged")[0])).unwrap(), vec![0x5a; 50_000]);
    until("the gap is told", async || {
        scene.place.gaps().contains(&"ledger-damaged".to_owned()).then_some(())
    })
    .await;
    let log = scene.place.log();
    assert!(log.contains("the ledger was damaged and is set aside") && log.contains(&copy.name), "{log}");
    // It is said until somebody has looked into it.
    fs::remove_file(scene.place.state().join(&aside(&scene, "damaged")[0])).unwrap();
    daemon.client().await.reload().await.unwrap();
    daemon.well("ledger-damaged").await;
}

#[tokio::test]
async fn a_ledger_damaged_under_way_is_set_aside_and_counting_goes_on() {
    let scene = Scene::new("damaged-run", modem_spec(), SMALL_STEPS).await;
    let daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    daemon.client().await.create_backup().await.unwrap();
    for round in 1..=3 {
        traffic.pass(100_000, 3);
        traffic.is_counted(&daemon).await;
        // Every page but the first, and what the log would mend.
        let file = fs::OpenOptions::new().write(true).open(scene.place.state().join("ledger.db")).unwrap();
        let length = file.metadata().unwrap().len().max(4_096);
        file.write_all_at(&vec![0xa5; usize::try_from(length).unwrap() - 1_024], 1_024).unwrap();
        let log = fs::OpenOptions::new().write(true).open(scene.place.state().join("ledger.db-wal")).unwrap();
        let length = log.metadata().unwrap().len();
        log.write_all_at(&vec![0xa5; usize::try_from(length).unwrap()], 0).unwrap();
        traffic.pass(90_000, 5);
        // Answers may fail while it is found out.
        until("it is set aside", async || {
            let question = simbell_api::GetUsageParams { by: "hour".to_owned(), ..Default::default() };
            let _ = daemon.client().await.usage(&question).await;
            traffic.scene.look.publish_stats();
            (aside(&scene, "damaged").len() >= round).then_some(())
        })
        .await;
        traffic.pass(80_000, 1);
        traffic.is_counted(&daemon).await;
        daemon.warned("ledger-damaged").await;
        assert!(aside(&scene, "damaged").len() == round, "{:?}", aside(&scene, "damaged"));
    }
}

#[tokio::test]
async fn what_a_person_says_as_the_ledger_is_found_damaged_is_in_the_next_one_once_or_refused() {
    const PLAN: &str = "[sims.home.plan]\ndata = \"10 GB\"\nevery = \"month\"\n";
    let set = |bytes| simbell_api::SetUsageParams { sim: Some(HOME.to_owned()), bytes, reason: None };
    let saw = simbell_api::ObserveUsageParams {
        sim: Some(HOME.to_owned()),
        bytes: 3_000_000_000,
        at: None,
        note: None,
    };
    for (name, observed, cut) in [
        ("said-observed", true, true),
        ("said-observed-2", true, false),
        ("said-set", false, true),
        ("said-set-2", false, false),
    ] {
        let scene = Scene::new(name, modem_spec(), &format!("{PLAN}{SMALL_STEPS}")).await;
        let mut daemon = Daemon::start(&scene.place, None).await;
        let mut traffic = Traffic::begin(&scene, &daemon).await;
        traffic.pass(500_000, 1);
        traffic.is_counted(&daemon).await;
        daemon.client().await.set_usage(&set(2_000_000_000)).await.unwrap();
        daemon.client().await.create_backup().await.unwrap();
        // All of it is in the file, and little of the file in memory.
        assert!(daemon.terminate().success());
        let mut daemon = Daemon::start(&scene.place, None).await;
        daemon.sim_is("it goes on", HOME, |sim| sim.used_bytes == 2_000_000_000).await;
        if cut {
            let file =
                fs::OpenOptions::new().write(true).open(scene.place.state().join("ledger.db")).unwrap();
            file.set_len(10_000).unwrap();
        } else {
            fs::write(scene.place.state().join("ledger.db"), vec![0x5a; 60_000]).unwrap();
        }
        let answer = if observed {
            daemon.client().await.observe_usage(&saw).await.map(drop)
        } else {
            daemon.client().await.set_usage(&set(9_000_000_000)).await.map(drop)
        };
        // What is answered as done is in the ledger: once, and as it was wanted.
        let used = daemon.sim(HOME).await.used_bytes;
        assert!(answer.is_err() || observed || used == 9_000_000_000, "{answer:?}, and {used} used");
        until("it is found", async || {
            asks_by_hour(&daemon).await;
            (aside(&scene, "damaged").len() == 1).then_some(())
        })
        .await;
        daemon.warned("ledger-damaged").await;
        traffic.pass(300_000, 7);
        until("it goes on", async || {
            traffic.scene.look.publish_stats();
            (daemon.counted(HOME).await == traffic.total).then_some(())
        })
        .await;
        let change = daemon.client().await.set_usage(&set(5_000_000_000)).await.unwrap();
        assert_eq!(change.bytes, 5_000_000_000);
        let seen = daemon.client().await.observations(None).await.unwrap();
        assert!(seen.len() <= usize::from(observed), "{seen:?}");
        assert!(answer.is_err() || seen.len() == usize::from(observed), "{name}: {answer:?}: {seen:?}");
        assert!(daemon.terminate().success());
        let log = scene.place.log();
        assert!(
            !log.contains("could not be written before the end") && !log.contains("can never be made"),
            "{log}"
        );
        assert!(scene.place.gaps().contains(&"ledger-damaged".to_owned()), "{:?}", scene.place.gaps());
    }
}

/// A bit that flipped in a word, which no look at the pages finds.
fn garble_words(scene: &Scene) {
    assert!(scene.place.ledger().execute("UPDATE usage SET source = 'kerneL'", []).unwrap() > 0);
}

async fn asks_by_hour(daemon: &Daemon) {
    let question = simbell_api::GetUsageParams { by: "hour".to_owned(), ..Default::default() };
    let _refused = daemon.client().await.usage(&question).await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_damage_and_the_last_good_copy_goes_on() {
    let scene = Scene::new("damaged-row", modem_spec(), SMALL_STEPS).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    daemon.client().await.create_backup().await.unwrap();
    assert!(daemon.terminate().success());
    // A copy made of it since is no good one.
    garble_words(&scene);
    let backups = scene.place.state().join("backups");
    fs::copy(scene.place.state().join("ledger.db"), backups.join("daily-20990101T000000Z.db")).unwrap();
    let daemon = Daemon::start(&scene.place, None).await;
    asks_by_hour(&daemon).await;
    let said = daemon.warned("ledger-damaged").await;
    assert!(said.contains(".damaged-"), "{said}");
    traffic.pass(7, 7);
    traffic.is_counted(&daemon).await;
    assert_eq!(aside(&scene, "damaged").len(), 1);
    assert!(scene.place.log().contains("daily-20990101T000000Z.db"));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_costs_no_other_where_there_is_no_good_copy() {
    let scene = Scene::new("damaged-row-alone", modem_spec(), SMALL_STEPS).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    let set = simbell_api::SetUsageParams { sim: Some(HOME.to_owned()), bytes: 1_130_000_000, reason: None };
    daemon.client().await.set_usage(&set).await.unwrap();
    assert!(daemon.terminate().success());
    // The copy of the day may have been made before there was anything to lose, or after.
    let _none = fs::remove_dir_all(scene.place.state().join("backups"));
    garble_words(&scene);
    let daemon = Daemon::start(&scene.place, None).await;
    for _again in 0..3 {
        asks_by_hour(&daemon).await;
    }
    let said = daemon.warned("ledger-damaged").await;
    assert!(said.contains("kerneL") && said.contains("no good copy"), "{said}");
    assert_eq!(aside(&scene, "damaged"), [""; 0]);
    assert_eq!(daemon.client().await.corrections(None).await.unwrap().len(), 1);
    // Better a copy with that row than none.
    until("it is copied", async || daemon.client().await.create_backup().await.ok()).await;
}

/// Bits that flipped in the newest entry of an index.
fn garble_index(scene: &Scene, index: &str) {
    let ledger = scene.place.ledger();
    let (root, size): (u32, u32) = ledger
        .query_row(
            "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = ?1",
            [index],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let end = u64::from(root) * u64::from(size) - 40;
    // What the log holds is in the file after that.
    ledger.close().unwrap();
    let path = scene.place.state().join("ledger.db");
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut bytes = [0; 40];
    file.read_exact_at(&mut bytes, end).unwrap();
    assert!(bytes.windows(18).any(|digits| digits.iter().all(u8::is_ascii_digit)), "an ICCID: {bytes:?}");
    file.write_all_at(&bytes.map(|byte| byte ^ 0x15), end).unwrap();
}

#[tokio::test]
async fn a_damaged_index_is_made_anew_is_said_and_costs_nothing() {
    let scene = Scene::new("damaged-index", modem_spec(), SMALL_STEPS).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    let copy = daemon.client().await.create_backup().await.unwrap();
    let set = simbell_api::SetUsageParams { sim: Some(HOME.to_owned()), bytes: 1_130_000_000, reason: None };
    daemon.client().await.set_usage(&set).await.unwrap();
    assert!(daemon.terminate().success());
    garble_index(&scene, "correction_by_sim");
    traffic.pass(300_000, 20);

    let daemon = Daemon::start(&scene.place, None).await;
    let said = daemon.warned("ledger-damaged").await;
    assert!(said.contains("correction_by_sim") && said.contains("nothing is missing"), "{said}");
    until("it is counted", async || (daemon.counted(HOME).await == traffic.total).then_some(())).await;
    let used = 1_130_000_000 + 300_020;
    let sim = daemon.sim(HOME).await;
    assert_eq!(sim.used_bytes, used, "what was set, and what passed since: {sim:?}");
    assert_eq!((aside(&scene, "damaged"), scene.place.gaps()), (vec![], vec![]));
    // It is whole: a copy can be made, and nothing took its place.
    let next = daemon.client().await.create_backup().await.unwrap();
    assert_ne!(next.name, copy.name);
    daemon.client().await.reload().await.unwrap();
    daemon.well("ledger-damaged").await;
}

#[tokio::test]
async fn a_ledger_that_is_removed_under_way_is_put_back_with_all_that_it_held() {
    let scene = Scene::new("removed", modem_spec(), SMALL_STEPS).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    for suffix in ["", "-wal", "-shm", "-lock"] {
        let _none = fs::remove_file(scene.place.state().join(format!("ledger.db{suffix}")));
    }
    let set = simbell_api::SetUsageParams { sim: Some(HOME.to_owned()), bytes: 6_000_000_000, reason: None };
    let change = daemon.client().await.set_usage(&set).await.unwrap();
    assert_eq!(change.bytes, 6_000_000_000);
    assert!(scene.place.log().contains("all that it held was written to its place again"));
    daemon.kill();
    let daemon = Daemon::start(&scene.place, None).await;
    let corrections = daemon.client().await.corrections(None).await.unwrap();
    assert_eq!(corrections.len(), 1, "what was answered is there");
    traffic.pass(80_000, 3);
    until("it is counted", async || (daemon.counted(HOME).await == traffic.total).then_some(())).await;
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn without_any_copy_it_begins_anew_and_says_so() {
    let scene = Scene::new("damaged-anew", modem_spec(), SMALL_STEPS).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    daemon.kill();
    fs::write(scene.place.state().join("ledger.db"), "garbage").unwrap();
    fs::remove_file(scene.place.state().join("ledger.db-wal")).unwrap();
    let daemon = Daemon::start(&scene.place, None).await;
    daemon.warned("ledger-damaged").await;
    // What nobody knows any more is not invented.
    assert_eq!(daemon.counted(HOME).await, (0, 0));
    traffic.total = (0, 0);
    // Nobody knows how much of the connection's figure the ledger had: it counts from a figure on that is surely fresh.
    let mut passed = (0, 0);
    let counted = until("it is measured again", async || {
        traffic.pass(70_000, 2);
        passed = (passed.0 + 70_000, passed.1 + 2);
        let counted = daemon.counted(HOME).await;
        (counted != (0, 0)).then_some(counted)
    })
    .await;
    assert!(counted.0 <= passed.0 && counted.1 <= passed.1, "{counted:?} of {passed:?}");
    // A figure tells all that passed before it: once the odd byte is there, the rest is too.
    traffic.pass(1, 0);
    traffic.total = until("all of it is there", async || {
        let counted = daemon.counted(HOME).await;
        (counted.0 % 70_000 == 1 && counted.1 == counted.0 / 70_000 * 2).then_some(counted)
    })
    .await;
    traffic.pass(80_000, 3);
    traffic.is_counted(&daemon).await;
    until("the gap is told", async || {
        scene.place.gaps().contains(&"ledger-damaged".to_owned()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_copy_is_made_and_taken_back_under_traffic() {
    let scene = Scene::new("restore", modem_spec(), SMALL_STEPS).await;
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

#[tokio::test]
async fn a_copy_from_before_the_clock_ran_ahead_makes_it_believed_at_once() {
    let scene = Scene::new("restore-clock", modem_spec(), SMALL_STEPS).await;
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
    let scene = Scene::new("export", modem_spec(), SMALL_STEPS).await;
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
    let more = SMALL_STEPS.replace("backups = 0", "backups = 2");
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
