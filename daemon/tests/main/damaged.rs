//! The ledger damaged, garbled or taken away, while the service is dead and under traffic.

use std::fs;
use std::os::unix::fs::FileExt as _;

use crate::fixture::*;

#[tokio::test]
async fn a_ledger_damaged_while_the_service_was_dead_costs_nothing_that_the_counters_know() {
    let scene = Scene::new("damaged-start", modem_spec(), BARE).await;
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
    let scene = Scene::new("damaged-run", modem_spec(), BARE).await;
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
        let scene = Scene::new(name, modem_spec(), &format!("{PLAN}{BARE}")).await;
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
    let scene = Scene::new("damaged-row", modem_spec(), BARE).await;
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
    let scene = Scene::new("damaged-row-alone", modem_spec(), BARE).await;
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
    let scene = Scene::new("damaged-index", modem_spec(), BARE).await;
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
    let scene = Scene::new("removed", modem_spec(), BARE).await;
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
    let scene = Scene::new("damaged-anew", modem_spec(), BARE).await;
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
async fn a_log_that_is_lost_with_a_kill_costs_nothing_that_the_counters_know() {
    let scene = Scene::new("lost-log", modem_spec(), BARE).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    daemon.client().await.create_backup().await.unwrap();
    traffic.pass(300_000, 20);
    traffic.is_counted(&daemon).await;
    daemon.kill();
    // Nearly all of a ledger that was made just now is in its log.
    fs::remove_file(scene.place.state().join("ledger.db-wal")).unwrap();
    let mut daemon = Daemon::start(&scene.place, None).await;
    let said = daemon.warned("ledger-damaged").await;
    assert!(said.contains(".damaged-"), "{said}");
    traffic.is_counted(&daemon).await;

    // Closed once, the ledger is newer than its copy, and goes on itself.
    assert!(daemon.terminate().success());
    fs::remove_file(scene.place.state().join(&aside(&scene, "damaged")[0])).unwrap();
    daemon = Daemon::start(&scene.place, None).await;
    traffic.pass(200_000, 2);
    traffic.is_counted(&daemon).await;
    daemon.kill();
    let log = fs::OpenOptions::new().write(true).open(scene.place.state().join("ledger.db-wal")).unwrap();
    log.write_all_at(&[0xa5; 4_000], 0).unwrap();
    daemon = Daemon::start(&scene.place, None).await;
    let said = daemon.warned("ledger-damaged").await;
    assert!(said.contains("the head of its log is garbled"), "{said}");
    traffic.is_counted(&daemon).await;
    until("both gaps are told", async || {
        (scene.place.gaps().iter().filter(|reason| *reason == "ledger-damaged").count() == 2).then_some(())
    })
    .await;
    daemon.client().await.reload().await.unwrap();
    daemon.well("ledger-damaged").await;
}

#[tokio::test]
async fn a_ledger_that_loses_a_table_under_way_is_set_aside_and_counting_goes_on() {
    let scene = Scene::new("lost-table", modem_spec(), BARE).await;
    let daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    daemon.client().await.create_backup().await.unwrap();
    scene.place.ledger().execute_batch("DROP TABLE baseline").unwrap();
    traffic.pass(90_000, 5);
    traffic.is_counted(&daemon).await;
    let said = daemon.warned("ledger-damaged").await;
    assert!(said.contains(".damaged-"), "{said}");
    traffic.pass(80_000, 1);
    traffic.is_counted(&daemon).await;
    assert_eq!(aside(&scene, "damaged").len(), 1);
}

#[tokio::test]
async fn a_ledger_that_is_emptied_under_way_loses_nothing() {
    let scene = Scene::new("emptied-run", modem_spec(), BARE).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(500_000, 1);
    traffic.is_counted(&daemon).await;
    fs::OpenOptions::new()
        .write(true)
        .open(scene.place.state().join("ledger.db"))
        .unwrap()
        .set_len(0)
        .unwrap();
    traffic.pass(90_000, 5);
    let question = simbell_api::GetUsageParams { by: "hour".to_owned(), ..Default::default() };
    until("it answers again", async || daemon.client().await.usage(&question).await.ok()).await;
    traffic.is_counted(&daemon).await;
    assert!(daemon.terminate().success());
    let daemon = Daemon::start(&scene.place, None).await;
    traffic.is_counted(&daemon).await;
}
