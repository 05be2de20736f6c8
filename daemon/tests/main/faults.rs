//! What goes wrong around the service, and what it does about it: it lives, says what is wrong, and loses nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime, clock_settime};

use crate::fixture::*;
use crate::wire::run;

/// A file system of one test, in the place of the state directory.
struct Mount(PathBuf);

impl Mount {
    fn on(place: &Place, options: &str) -> Self {
        run(&format!("mount {options} {}", place.state().display()));
        Self(place.state())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let umount = std::process::Command::new("umount")
            .arg("--lazy")
            .arg(&self.0)
            .stderr(std::process::Stdio::null())
            .status();
        let _ = umount;
    }
}

const SMALL_STEPS: &str = "[counting]\nmax_unsaved_bytes = \"60 kB\"\n";

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_is_lost() {
    let scene = Scene::new("full", modem_spec(), SMALL_STEPS).await;
    let _mount = Mount::on(&scene.place, "-t tmpfs -o size=1m tmpfs");
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(1_000_001, 10_001);
    traffic.is_counted(&daemon).await;

    let copy = daemon.client().await.create_backup().await.unwrap();
    let filler = scene.place.state().join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    while file.write_all(&[1]).is_ok() {}
    drop(file);
    let said = until("the full disk is noticed", async || {
        traffic.pass(70_003, 7);
        traffic.is_measured(&daemon).await;
        let warnings = daemon.status().await.service.warnings;
        warnings.into_iter().find(|w| w.code == "ledger-not-writable").map(|w| w.text)
    })
    .await;
    assert!(said.contains("full"), "{said}");
    assert_eq!(daemon.status().await.service.state, "degraded");
    for _ in 0..20 {
        traffic.pass(90_001, 3);
        traffic.is_measured(&daemon).await;
    }
    // What a caller changes is not said to be done.
    let set = simbell_api::SetUsageParams { sim: None, bytes: 5_000_000_000, reason: None };
    let refused = daemon.client().await.set_usage(&set).await.unwrap_err();
    assert_eq!(refused.kind(), "LedgerNotWritable", "{refused}");
    // Nor is what is not kept said to be kept.
    let undo = simbell_api::UndoImportParams { sim: None, interface: "wwan9".to_owned() };
    let refused = daemon.client().await.undo_import(&undo).await.unwrap_err();
    assert!(refused.kind() == "LedgerNotWritable" && refused.to_string().contains("nothing was changed"));
    let refused = daemon.client().await.restore_backup(&copy.name).await.unwrap_err();
    assert_eq!(refused.kind(), "LedgerNotWritable", "{refused}");
    assert!(!refused.to_string().contains("tried again"), "nobody does: {refused}");
    let refused = daemon.client().await.create_backup().await.unwrap_err();
    assert_eq!(refused.kind(), "LedgerNotWritable", "{refused}");
    assert!(!format!("{refused:?}").contains("tried again"), "nobody does: {refused:?}");
    assert!(format!("{refused:?}").contains("ask for it again"), "{refused:?}");
    assert!(!scene.place.state().join("ledger.db.new").exists(), "half a copy takes what room there is");

    fs::remove_file(&filler).unwrap();
    daemon.well("ledger-not-writable").await;
    until("it is counted", async || (daemon.counted(HOME).await == traffic.total).then_some(())).await;
    // The change was kept, as was said.
    daemon.sim_is("the correction is made", HOME, |sim| sim.measured_bytes == 5_000_000_000).await;
    assert!(daemon.terminate().success());
    daemon = Daemon::start(&scene.place, None).await;
    until("it is counted", async || (daemon.counted(HOME).await == traffic.total).then_some(())).await;
    daemon.sim_is("the correction is there", HOME, |sim| sim.measured_bytes == 5_000_000_000).await;
    // Others may not read the ledger on a tmpfs while it is served.
    assert!(daemon.terminate().success());
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn killed_while_the_disk_is_full_it_takes_up_what_the_modem_still_knows() {
    let scene = Scene::new("full-kill", modem_spec(), SMALL_STEPS).await;
    let _mount = Mount::on(&scene.place, "-t tmpfs -o size=1m tmpfs");
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(100_000, 1);
    traffic.is_counted(&daemon).await;
    let filler = scene.place.state().join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);
    until("the full disk is noticed", async || {
        traffic.pass(70_003, 7);
        traffic.is_measured(&daemon).await;
        let warnings = daemon.status().await.service.warnings;
        warnings.iter().any(|w| w.code == "ledger-not-writable").then_some(())
    })
    .await;
    traffic.pass(12_345, 67);
    traffic.is_measured(&daemon).await;
    daemon.kill();
    fs::remove_file(&filler).unwrap();
    let daemon = Daemon::start(&scene.place, None).await;
    traffic.is_counted(&daemon).await;
}

#[tokio::test]
async fn a_sum_that_does_not_fit_is_said_and_keeps_nothing_else_from_the_ledger() {
    let scene = Scene::new("overflow", modem_spec(), SMALL_STEPS).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(1_000, 1);
    traffic.is_counted(&daemon).await;
    // Somebody wrote into the ledger: one byte more does not fit into that sum.
    let ledger = scene.place.ledger();
    let fill = |received: i64| {
        assert_eq!(ledger.execute("UPDATE usage SET rx_bytes = ?1", [received]).unwrap(), 1);
    };
    fill(i64::MAX);
    traffic.pass(70_000, 7);
    daemon.warned("overflow").await;
    fill(1_000);
    assert!(daemon.terminate().success());
    // What was refused is missing, what came with it and after it is there.
    daemon = Daemon::start(&scene.place, None).await;
    traffic.total = daemon.counted(HOME).await;
    assert!(traffic.total.0 <= 71_000, "{:?}", traffic.total);
    traffic.pass(80_000, 8);
    traffic.is_counted(&daemon).await;
}

#[tokio::test]
async fn a_read_only_state_directory_at_the_start_is_an_error_that_says_so() {
    let scene = Scene::new("ro-start", modem_spec(), "").await;
    let _mount = Mount::on(&scene.place, "-t tmpfs -o ro tmpfs");
    let mut daemon = Daemon::spawn(&scene.place, None);
    assert_eq!(daemon.ended().await.code(), Some(1));
    let log = scene.place.log();
    assert!(log.contains("ledger.db") && log.contains("Read-only file system"), "{log}");
    assert!(log.contains("make the state directory writable"), "{log}");
}

#[tokio::test]
async fn a_disk_that_turns_read_only_is_said_and_what_is_known_elsewhere_comes_back() {
    let scene = Scene::new("ro-later", modem_spec(), SMALL_STEPS).await;
    let image = scene.place.dir.join("disk");
    run(&format!("truncate -s 16M {0} && mkfs.ext4 -q -F {0}", image.display()));
    let options = format!("-o loop,errors=remount-ro {}", image.display());
    let mount = Mount::on(&scene.place, &options);
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(1_000_000, 1);
    traffic.is_counted(&daemon).await;
    // What the kernel does after an error of the disk.
    run(&format!("mount -o remount,abort {} || true", scene.place.state().display()));
    until("it is noticed", async || {
        traffic.pass(70_003, 7);
        traffic.is_measured(&daemon).await;
        let warnings = daemon.status().await.service.warnings;
        warnings.iter().any(|w| w.code == "ledger-not-writable").then_some(())
    })
    .await;
    traffic.pass(90_001, 3);
    traffic.is_measured(&daemon).await;
    let status = daemon.terminate();
    assert_eq!(status.code(), Some(1), "an end that could not be written is no success");
    assert!(scene.place.log().contains("could not be written"), "{}", scene.place.log());

    drop(mount);
    // A copy: another test's network namespace may keep the disk as it is mounted now.
    let mended = scene.place.dir.join("mended");
    run(&format!(
        "cp {0} {1} && e2fsck -fy {1} >/dev/null || test $? -le 2",
        image.display(),
        mended.display()
    ));
    let _mount = Mount::on(&scene.place, &format!("-o loop {}", mended.display()));
    let daemon = Daemon::start(&scene.place, None).await;
    traffic.is_counted(&daemon).await;
}

#[tokio::test]
async fn a_socket_that_is_served_is_left_to_its_service() {
    let scene = Scene::new("served", modem_spec(), "").await;
    let first = Daemon::start(&scene.place, None).await;
    let before = fs::metadata(scene.place.state().join("ledger.db")).unwrap().modified().unwrap();
    let mut second = Daemon::spawn(&scene.place, None);
    assert_eq!(second.ended().await.code(), Some(1));
    let log = scene.place.log();
    assert!(log.contains("already served by process"), "{log}");
    assert_eq!(fs::metadata(scene.place.state().join("ledger.db")).unwrap().modified().unwrap(), before);
    first.sim_is("the first goes on", HOME, |sim| sim.active == Some(true)).await;
}

#[tokio::test]
async fn garbage_and_endless_requests_do_not_disturb_the_counting() {
    let scene = Scene::new("garbage", modem_spec(), "").await;
    let daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    let socket = scene.place.socket();
    let attackers: Vec<_> = (0..4)
        .map(|kind| {
            let socket = socket.clone();
            std::thread::spawn(move || {
                for round in 0..12_usize {
                    attack(&socket, kind, round);
                }
            })
        })
        .collect();
    while attackers.iter().any(|attacker| !attacker.is_finished()) {
        traffic.pass(1_001, 11);
        traffic.is_measured(&daemon).await;
    }
    for attacker in attackers {
        attacker.join().unwrap();
    }
    traffic.is_counted(&daemon).await;
    assert_eq!(daemon.status().await.service.warnings.len(), 0);
}

fn attack(socket: &Path, kind: usize, round: usize) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The service hangs up in the middle of what is sent: that is an answer too.
    let _ = match kind {
        0 => stream.write_all(&[0xff, 0xfe, b'{', 0, b'}', 0, b'[', 0, 0, 0]),
        1 => (0..400).try_for_each(|_| stream.write_all(&[b'a'; 8192])),
        2 => {
            let nested = "[".repeat(100_000 + round);
            stream.write_all(
                format!("{{\"method\":\"org.simbell.Control.GetStatus\",\"parameters\":{nested}\0")
                    .as_bytes(),
            )
        }
        _ => (0..200).try_for_each(|_| {
            stream.write_all(b"{\"method\":\"org.simbell.Control.NoSuch\",\"parameters\":{\"x\":1e999}}\0")
        }),
    };
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.take(1 << 20).read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    assert!(!text.contains("GetStatus") || text.contains("error"), "{text}");
}

#[tokio::test]
async fn a_thousand_clients_leave_room_for_one_that_behaves() {
    let scene = Scene::new("crowd", modem_spec(), "").await;
    let daemon = Daemon::start(&scene.place, None).await;
    let socket = scene.place.socket();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(&scene.place.dir, fs::Permissions::from_mode(0o755)).unwrap();
    let limit = rustix::process::Rlimit { current: Some(8192), maximum: Some(8192) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let crowd = std::thread::spawn(move || {
        // On Linux a user id belongs to a thread: this one is nobody from here to its end.
        let nobody = rustix::process::Uid::from_raw(65534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        let mut all = Vec::new();
        while all.len() < 1_000 {
            // A full backlog is waited out.
            match UnixStream::connect(&socket) {
                Ok(stream) => all.push(stream),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}"),
            }
        }
        all
    });
    let mut answered = 0;
    while !crowd.is_finished() || answered < 20 {
        until("it is answered within a second", async || {
            let status = async { daemon.client().await.status().await.unwrap() };
            tokio::time::timeout(Duration::from_secs(1), status).await.ok()
        })
        .await;
        answered += 1;
    }
    let mut turned_away = 0;
    for mut stream in crowd.join().unwrap() {
        let mut answer = Vec::new();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // Those that were let in hear that they said nothing for too long; a few are reset.
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        turned_away += usize::from(text.contains("org.simbell.Control.TooManyClients"));
    }
    assert!(turned_away > 800, "{turned_away} were told that there are too many");
    daemon.sim_is("it goes on", HOME, |sim| sim.active == Some(true)).await;
}

#[tokio::test]
async fn a_broken_rule_is_shown_with_its_place_and_the_others_fire() {
    // Unoptimised, on a busy machine, the operations that it may take are longer than the time that it may take.
    let scene = Scene::new("rules", modem_spec(), "[rules.limits]\ntime = \"10s\"\n").await;
    scene.place.rule("broken", "// A rule.\nfn on_usage(sim) {\n    let x = ;\n}\n");
    scene.place.rule("throws", "fn on_usage(sim) {\n    sim.no_such_thing.at_all\n}\n");
    scene.place.rule("endless", "fn on_usage(sim) {\n    loop { }\n}\n");
    scene
        .place
        .rule("good", "fn on_usage(sim) {\n    remind(\"used\", `${sim.name} used ${sim.used}`);\n}\n");
    let daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(5_000_000, 1);
    let client = async || daemon.client().await;
    until("the good rule fires", async || {
        let reminders = client().await.reminders().await.unwrap();
        reminders.into_iter().find(|r| r.rule == "good" && r.state == "firing")
    })
    .await;
    for (rule, place) in [
        ("broken", "broken.rhai:3:13"),
        ("throws", "throws.rhai:2:"),
        ("endless", "endless.rhai:1:1: the rule was ended: too many operations"),
    ] {
        let text = until(&format!("{rule} is shown"), async || {
            let warnings = daemon.status().await.service.warnings;
            warnings.into_iter().find(|w| w.code == "rule-disabled" && w.subject == rule).map(|w| w.text)
        })
        .await;
        assert!(text.contains(place), "{text}");
    }
    traffic.is_counted(&daemon).await;
    // Mended and read again, it is well.
    for rule in ["broken", "throws", "endless"] {
        scene.place.rule(rule, "fn on_usage(sim) { }\n");
    }
    let reply = client().await.reload().await.unwrap();
    assert_eq!((reply.rules, reply.problems), (4, Vec::new()));
    daemon.well("rule-disabled").await;
}

#[tokio::test]
async fn wrong_toml_ends_with_78_and_every_problem() {
    let place = Place::new("toml");
    place.configure("system", "[sims.other]\niccid = 12\nplam = 1\n[counting]\nsample_every = \"5m\"\n[channels.x]\nkind = \"pigeon\"\n");
    let mut daemon = Daemon::spawn(&place, None);
    assert_eq!(daemon.ended().await.code(), Some(78));
    let log = place.log();
    for part in [
        "simbell.toml:13:9: sims.other.iccid",
        "simbell.toml:14:1: sims.other.plam",
        "did you mean `plan`?",
        "simbell.toml:16:16: counting.sample_every",
        "simbell.toml:18:8: channels.x.kind",
    ] {
        assert!(log.contains(part), "{part} is not in:\n{log}");
    }
    assert!(!place.state().join("ledger.db").exists(), "nothing was begun");
}

#[tokio::test]
async fn a_ledger_that_cannot_be_used_is_refused_and_not_touched() {
    let scene = Scene::new("ledger", modem_spec(), "").await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(1_000, 1);
    traffic.is_counted(&daemon).await;
    assert!(daemon.terminate().success());
    let ledger = scene.place.state().join("ledger.db");
    let good = fs::read(&ledger).unwrap();
    let newer = {
        let mut newer = good.clone();
        // user_version, in the header: https://www.sqlite.org/fileformat.html
        newer[60..64].copy_from_slice(&999_u32.to_be_bytes());
        newer
    };
    // One that is damaged is set aside instead: see the tests of history.
    let bad: [(&str, Vec<u8>); 2] = [
        ("written by a newer simbelld", newer),
        ("no ledger of simbelld", {
            let other = scene.place.dir.join("other.db");
            let database = rusqlite::Connection::open(&other).unwrap();
            database.execute_batch("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)").unwrap();
            drop(database);
            fs::read(&other).unwrap()
        }),
    ];
    let _ = fs::remove_dir_all(scene.place.state().join("backups"));
    for (said, contents) in bad {
        // Beside its lock or copies of it, a file that is no ledger is one that lost its header.
        let _ = fs::remove_file(scene.place.state().join("ledger.db-lock"));
        fs::write(&ledger, &contents).unwrap();
        fs::write(scene.place.dir.join("log"), "").unwrap();
        let mut daemon = Daemon::spawn(&scene.place, None);
        assert_eq!(daemon.ended().await.code(), Some(1), "{said}");
        let log = scene.place.log();
        assert!(log.contains(said) && log.contains("ledger.db"), "{said}: {log}");
        assert!(fs::read(&ledger).unwrap() == contents, "{said}: byte for byte as it was");
    }
    fs::write(&ledger, &good).unwrap();
    let daemon = Daemon::start(&scene.place, None).await;
    traffic.is_counted(&daemon).await;
}

#[tokio::test]
async fn modemmanager_may_come_later() {
    let place = Place::new("absent");
    let bus = Bus::start(&place.dir.join("bus"));
    place.configure(&bus.address(), "");
    let daemon = Daemon::start(&place, None).await;
    let said = daemon.warned("modemmanager-gone").await;
    assert!(said.contains("systemctl start ModemManager"), "{said}");
    assert!(!daemon.status().await.modemmanager.present);
    let look = look_alike(modem_spec());
    look.serve_on(&bus.address()).await.unwrap();
    daemon.well("modemmanager-gone").await;
    let seen = daemon.status().await.modemmanager;
    assert_eq!((seen.present, seen.version.as_deref()), (true, Some("1.20.4")));
    daemon.sim_is("its SIM is in use", HOME, |sim| sim.active == Some(true)).await;
}

#[tokio::test]
async fn a_bus_that_restarts_is_followed() {
    let Scene { look, bus, place } = Scene::new("bus", modem_spec(), "").await;
    let daemon = Daemon::start(&place, None).await;
    daemon.sim_is("the SIM is in use", HOME, |sim| sim.active == Some(true)).await;
    let path = place.dir.join("bus");
    drop(bus);
    let said = daemon.warned("bus-lost").await;
    assert!(said.contains("tries again by itself"), "{said}");
    assert_eq!(daemon.sim(HOME).await.active, None, "nobody can tell");
    let bus = Bus::start(&path);
    look.crash();
    look.revive();
    look.serve_on(&bus.address()).await.unwrap();
    daemon.well("bus-lost").await;
    daemon.sim_is("the SIM is in use", HOME, |sim| sim.active == Some(true)).await;
    assert_eq!(daemon.status().await.service.warnings.len(), 0);
}

#[tokio::test]
async fn before_the_clock_is_believed_usage_is_undated_and_nothing_bound_to_the_date_fires() {
    let scene = Scene::new("clock", modem_spec(), "").await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(1_000, 1);
    traffic.is_counted(&daemon).await;
    assert!(daemon.terminate().success());
    // The ledger speaks of a day to come: the clock must be wrong.
    let ledger = scene.place.ledger();
    let later: i64 = 10 * 86_400_000;
    assert_eq!(ledger.execute("UPDATE usage SET last_ms = last_ms + ?1", [later]).unwrap(), 1);
    scene.place.rule(
        "often",
        "fn schedule() { every(1.seconds) }\nfn on_schedule(sim) { remind(\"tick\", \"tick\"); }\n",
    );
    scene.place.rule("used", "fn on_usage(sim) { remind(\"used\", \"used\"); }\n");
    daemon = Daemon::start(&scene.place, None).await;
    daemon.warned("clock-untrusted").await;
    assert!(!daemon.status().await.service.clock_trusted);
    traffic.pass(5_000_000, 50);
    let sim = daemon
        .sim_is("it is measured", HOME, |sim| sim.connected == Some(true) && sim.measured_bytes >= 5_000_050)
        .await;
    // What was used since the service began is not said to be all of the cycle.
    assert!(!sim.cycle_known && sim.remaining_bytes.is_none());
    let status = scene.place.ctl(&["status"]);
    assert!(String::from_utf8_lossy(&status.stdout).contains(">= 5.00 MB"), "{status:?}");
    let check = scene.place.ctl(&["usage", "--check", "1TB"]);
    assert_eq!(check.status.code(), Some(1), "{check:?}");
    assert!(String::from_utf8_lossy(&check.stderr).contains("is not known before the clock"), "{check:?}");
    assert_eq!(scene.place.ctl(&["usage", "--check", "1MB"]).status.code(), Some(5));
    daemon.kill();
    daemon = Daemon::start(&scene.place, None).await;
    traffic.pass(70, 7);
    let undated = || -> (i64, i64) {
        let sql = "SELECT coalesce(sum(rx_bytes), 0), coalesce(sum(tx_bytes), 0) FROM usage_undated";
        ledger.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    until("all of it is in the ledger, undated", async || {
        daemon.counted(HOME).await;
        (undated() == (5_000_070, 57)).then_some(())
    })
    .await;
    assert_eq!(daemon.client().await.reminders().await.unwrap().len(), 0);
    daemon.kill();

    assert_eq!(ledger.execute("UPDATE usage SET last_ms = last_ms - ?1", [later]).unwrap(), 1);
    daemon = Daemon::start(&scene.place, None).await;
    assert!(daemon.status().await.service.clock_trusted);
    traffic.is_counted(&daemon).await;
    daemon.sim_is("its cycle is known", HOME, |sim| sim.cycle_known).await;
    assert_eq!(undated(), (0, 0));
    for rule in ["often", "used"] {
        until(&format!("{rule} fires"), async || {
            let reminders = daemon.client().await.reminders().await.unwrap();
            reminders.into_iter().find(|r| r.rule == rule)
        })
        .await;
    }
    assert_eq!(scene.place.gaps(), [""; 0]);
}

/// The ledger speaks of what comes so many seconds after an hour, by which a clock may be behind it: until they are over,
/// the clock must be wrong.
fn wrong_for(ledger: &rusqlite::Connection, seconds: i64) {
    let last = simbelld::clock::wall().as_millis() + (3_600 + seconds) * 1_000;
    assert!(ledger.execute("UPDATE usage SET last_ms = ?1", [last]).unwrap() > 0);
}

#[tokio::test]
async fn a_clock_that_is_set_under_way_is_judged_at_once_and_dates_what_was_measured_before() {
    let scene = Scene::new("clock-set", modem_spec(), SMALL_STEPS).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(1_000, 1);
    traffic.is_counted(&daemon).await;
    let ledger = scene.place.ledger();
    let undated = || -> i64 {
        let sql = "SELECT coalesce(sum(rx_bytes), 0) FROM usage_undated";
        ledger.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    // The clock of the machine stays as it is: it becomes right as the ledger's hour comes. Longer where that comes before
    // the service has started.
    for wrong_s in [10, 30, 80] {
        daemon.kill();
        wrong_for(&ledger, 10 * 86_400);
        daemon = Daemon::start(&scene.place, None).await;
        daemon.warned("clock-untrusted").await;
        traffic.pass(70_003, 7);
        until("it is in the ledger, undated", async || {
            daemon.counted(HOME).await;
            (undated() == 70_003).then_some(())
        })
        .await;
        daemon.kill();
        wrong_for(&ledger, wrong_s);
        daemon = Daemon::start(&scene.place, None).await;
        if !daemon.status().await.service.clock_trusted {
            break;
        }
        until("it is dated", async || (undated() == 0).then_some(())).await;
    }
    assert_eq!(undated(), 70_003, "it was dated before the clock was set");
    let newest: i64 = ledger.query_row("SELECT max(last_ms) FROM usage", [], |row| row.get(0)).unwrap();
    until("the clock is right", async || {
        (simbelld::clock::wall().as_millis() >= newest - 3_600_000).then_some(())
    })
    .await;
    // To what it is: the kernel tells of it as of any other setting. Nobody asks the service meanwhile.
    clock_settime(ClockId::Realtime, clock_gettime(ClockId::Realtime))
        .expect("the tests run as root, who may set the clock");
    until("it is dated", async || (undated() == 0).then_some(())).await;
    let mut report = daemon.client().await.bug_report().await.unwrap();
    let mut events = String::new();
    while let Some(part) = report.next().await.unwrap() {
        events += &part.text;
    }
    let told = events
        .lines()
        .any(|line| line.contains("\"event\":\"clock-changed\"") && line.contains("\"trusted\":true"));
    assert!(told, "the kernel told of it, and the service judged then: {events}");
    traffic.is_counted(&daemon).await;
    assert_eq!(scene.place.gaps(), [""; 0]);
}
