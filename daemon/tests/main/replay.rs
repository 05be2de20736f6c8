//! `simbelld replay`: what a rule would have rung over the past of a real ledger.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use simbell_core::time::{Span, Timestamp};
use simbell_rules::{Limits, LoadOptions, RuleSet};
use simbelld::config::{Environment, load};

use crate::fixture::{HOME, OTHER, Place, SIMBELLD};
use crate::life::{Life, Rang};

const HOUR: Span = Span::secs(3_600);
const DAY: Span = Span::secs(86_400);
const FROM: &str = "2026-03-20";
const TO: &str = "2026-05-08T00:00:00+02:00";
const MB: u64 = 1_000_000;

const PLANS: &str = r#"timezone = "Europe/Berlin"
[rules]
plugin_dirs = []
# What a busy machine holds up must not be ended: the same is to be said each time.
[rules.limits]
time = "2s"
[reminders]
quiet = { from = "22:00", until = "07:00" }
[sims.home]
iccid = "8900100000000000017"
[sims.home.plan]
name = "Home"
data = "6 GB"
every = "month"
day = 1
[sims.travel]
iccid = "8900100000000000025"
[sims.travel.plan]
name = "30 days"
data = "3 GB"
every = "30 days"
start = 2026-03-15
renews = true
"#;

const RULE: &str = r#"// Says much, on every occasion that the past knows.
const SHARES = [50.percent, 80.percent, 100.percent];

fn schedule() { [weekly("mon", "08:00"), monthly("last", "20:00")] }

fn on_usage(sim) {
    if sim.share == () { return; }
    for share in SHARES {
        if sim.share >= share {
            remind(`used-${share.number}`, `${sim.name}: ${share} used`, #{
                urgency: if share >= 100.percent { "critical" } else { "warning" },
                repeat: daily("09:00"),
            });
        }
    }
}

fn on_roaming(sim) {
    if sim.roaming == true {
        remind("roams", `${sim.name} roams`);
    }
}

fn on_schedule(sim) {
    let weeks = recall("weeks", 0) + 1;
    remember("weeks", weeks);
    remind("look", `${sim.name}: a look`);
}

fn on_cycle_end(sim, ended) {
    remind("ended", `${sim.name}: the cycle from ${ended.start} is over`);
}
"#;

fn configure(place: &Place) {
    fs::write(place.config().join("simbell.toml"), PLANS).unwrap();
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_millis(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
}

/// Seventy days of two SIMs: what was said as they passed, and what each SIM had used at the end of 7 May.
fn live(place: &Place, rule: &Path) -> (Vec<Rang>, Vec<u64>) {
    let settings = load(&place.config(), &Environment::of_process()).unwrap().settings;
    let limits = Limits { deadline: Duration::from_secs(2), ..Limits::default() };
    let rules = RuleSet::load_one(&LoadOptions { limits, ..LoadOptions::default() }, rule);
    let began = at("2026-02-27T12:00:00+01:00");
    let mut life = Life::begin(&place.state().join("ledger.db"), settings, rules, began);
    life.insert(HOME);
    life.insert(OTHER);
    // The same each time, and never the same twice.
    let mut dice = 12_345_u64;
    let mut roll = |most: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % most
    };
    let mut used = Vec::new();
    for hour in 1..=70 * 24 {
        if hour == 24 * 24 + 5 {
            life.roam(0, true);
        } else if hour == 28 * 24 + 5 {
            life.roam(0, false);
        } else if hour == 30 * 24 {
            life.correct(0, 1_500_000_000);
        }
        if began.saturating_add(Span(HOUR.as_millis() * (hour - 1))) == at(TO) {
            used = vec![life.used(0), life.used(1)];
        }
        let asleep = hour % 24 < 6;
        for part in 1..=6 {
            let until = began
                .saturating_add(Span(HOUR.as_millis() * (hour - 1)))
                .saturating_add(Span(HOUR.as_millis() * part / 6));
            let more = if asleep { [0, 0] } else { [roll(3 * MB), roll(2 * MB)] };
            // A reading at the full hour leaves no doubt whose it is.
            life.pass(until.saturating_add(Span(-1)), &more);
            life.wait(until);
        }
    }
    assert_eq!(life.now(), began.saturating_add(Span(DAY.as_millis() * 70)));
    (life.end(), used)
}

fn replay(place: &Place, arguments: &[&str]) -> Output {
    let mut command = Command::new(SIMBELLD);
    command.args(["replay", "--config"]).arg(place.config()).args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'v>(lines: &'v [Value], record: &str) -> Vec<&'v Value> {
    lines.iter().filter(|line| line["record"] == record).collect()
}

#[test]
fn a_replay_rings_as_the_service_rang() {
    let place = Place::new("replay");
    configure(&place);
    let rule = place.config().join("rules.d/much.rhai");
    fs::write(&rule, RULE).unwrap();
    let (rang, used) = live(&place, &rule);
    let ledger = place.state().join("ledger.db");
    let before = fs::read(&ledger).unwrap();
    let arguments =
        ["--ledger", ledger.to_str().unwrap(), "--from", FROM, "--to", TO, rule.to_str().unwrap()];
    let output = replay(&place, &arguments);
    let told = lines(&output);

    // Each time that something was said, whole: a reminder's first time, its repetitions, news.
    let span = (at("2026-03-20T00:00:00+01:00"), at(TO));
    let rang: Vec<&Rang> = rang.iter().filter(|rang| rang.at >= span.0 && rang.at < span.1).collect();
    let times: u64 = of(&told, "ring").iter().map(|ring| ring["times"].as_u64().unwrap()).sum();
    assert!(rang.len() > 60, "{rang:#?}");
    assert_eq!(times, u64::try_from(rang.len()).unwrap());
    for ring in of(&told, "ring") {
        let key = ring["key"].as_str().unwrap();
        let first = at(ring["at"].as_str().unwrap());
        let near =
            |rang: &&&Rang| rang.key == key && rang.at.since(first).as_millis().abs() <= HOUR.as_millis();
        let real = rang.iter().find(near).unwrap_or_else(|| panic!("{ring} never rang: {rang:#?}"));
        assert_eq!(real.text, ring["text"], "{ring}");
        // Only usage is known by the hour; what a calendar brings is exact.
        if ring["trigger"] == "schedule" {
            assert_eq!(real.at.as_secs(), first.as_secs(), "{ring}");
        }
    }
    for name in ["used-50", "used-80", "used-100", "roams", "look", "ended"] {
        assert!(of(&told, "ring").iter().any(|ring| ring["name"] == name), "{name} is missing");
    }
    let held = of(&told, "ring").into_iter().find(|ring| ring["name"] == "ended").unwrap();
    assert!(held["at"].as_str().unwrap().contains("T07:00:00"), "quiet hours held it back: {held}");
    assert!(held["raised_at"].as_str().unwrap().contains("T00:00:00"), "{held}");

    let last = of(&told, "day").into_iter().filter(|day| day["date"] == "2026-05-07");
    let last: Vec<u64> = last.map(|day| day["used_bytes"].as_u64().unwrap()).collect();
    assert_eq!(last, used, "to the byte, from hours and a correction");

    // The same ledger and the same rule give the same bytes, and the ledger is as it was.
    assert_eq!(replay(&place, &arguments).stdout, output.stdout);
    assert_eq!(fs::read(&ledger).unwrap(), before);
    assert!(!place.state().join("ledger.db-shm").exists(), "nothing is put beside it");
}

/// Three days of one SIM, 40 MB an hour by day: a ledger that is soon made.
fn short(place: &Place) -> String {
    configure(place);
    let settings = load(&place.config(), &Environment::of_process()).unwrap().settings;
    let ledger = place.state().join("ledger.db");
    let began = at("2026-03-02T00:00:00+01:00");
    let rules = RuleSet::load(&LoadOptions::default());
    let mut life = Life::begin(&ledger, settings, rules, began);
    life.insert(HOME);
    for hour in 1..=72 {
        let until = began.saturating_add(Span(HOUR.as_millis() * hour - 1));
        life.pass(until, &[40 * MB]);
    }
    life.end();
    ledger.to_str().unwrap().to_owned()
}

fn rule(place: &Place, name: &str, text: &str) -> String {
    let file = place.config().join("rules.d").join(name);
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// What it refuses: the exit status, and all that it said.
fn refused(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let output = replay(place, arguments);
    assert!(output.stdout.is_empty(), "half an answer: {}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_cannot_be_replayed_says_why() {
    let place = Place::new("replay-refused");
    let ledger = short(&place);
    let good =
        rule(&place, "good.rhai", "fn on_usage(sim) { if sim.used > 1.GB { remind(\"much\", \"much\"); } }");
    let bad = rule(&place, "bad.rhai", "fn on_usage(sim) {\n    remind(\"x\", sim.)\n}");
    let each_second = rule(
        &place,
        "each-second.rhai",
        "fn on_usage(sim) { remind(\"x\", \"x\", #{ repeat: 1.seconds }); }",
    );
    let beside = |name: &str| place.dir.join(name).to_str().unwrap().to_owned();
    let copy = |name: &str, change: &dyn Fn(&Path)| {
        let path = place.dir.join(name);
        fs::copy(&ledger, &path).unwrap();
        change(&path);
        path.to_str().unwrap().to_owned()
    };
    let version = |number: i32| {
        move |path: &Path| {
            let conn = rusqlite::Connection::open(path).unwrap();
            conn.pragma_update(None, "user_version", number).unwrap();
        }
    };
    let newer = copy("newer.db", &version(99));
    let older = copy("older.db", &version(2));
    let damaged = copy("damaged.db", &|path| {
        let length = fs::metadata(path).unwrap().len();
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        let garbage = vec![0xa5; usize::try_from(length).unwrap() - 1_024];
        std::os::unix::fs::FileExt::write_all_at(&file, &garbage, 1_024).unwrap();
    });
    let foreign = beside("foreign.db");
    fs::write(&foreign, "Dear diary").unwrap();
    let other = beside("other.db");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let empty = beside("empty.db");
    drop(simbell_store::Store::open(Path::new(&empty), &simbell_store::StoreOptions::default()).unwrap());
    let (gone, folder) = (beside("gone.db"), beside("state"));
    let channel = beside("ringer");
    fs::create_dir(&channel).unwrap();
    fs::write(
        Path::new(&channel).join("plugin.toml"),
        "api = 1\nname = \"ringer\"\nkind = \"channel\"\ndescription = \"Rings.\"\nhosts = [\"example.org\"]\n",
    )
    .unwrap();
    fs::write(
        Path::new(&channel).join("main.rhai"),
        "fn send(message) { http_get(\"https://example.org/\") }\n",
    )
    .unwrap();

    for (ledger, arguments, code, part) in [
        (&ledger, &["./none.rhai"][..], 1, "./none.rhai: there is no such file"),
        (
            &ledger,
            &["none"],
            1,
            "no rule or plugin of this name; `simbellctl rules` lists them\n  hint: it was looked for in",
        ),
        (&ledger, &[channel.as_str()], 1, "is a plugin, but no rule: only rules are replayed"),
        (&ledger, &[folder.as_str()], 1, "this folder is no plugin, for it has no plugin.toml"),
        (&ledger, &[bad.as_str()], 1, "bad.rhai:2:21: expecting name of a property\n  2 |"),
        (&ledger, &["--old", good.as_str(), bad.as_str()], 1, "    |                     ^"),
        (&ledger, &["--days", "1", each_second.as_str()], 1, "Make the rule say less often what it says"),
        (&ledger, &["--set", "limit=5", good.as_str()], 2, "has no settings: it is no plugin"),
        (&ledger, &["--days", "0", good.as_str()], 2, "--days takes 1 to 4000"),
        (&ledger, &["--days", "100000", good.as_str()], 2, "--days takes 1 to 4000"),
        (&ledger, &["--from", "yesterday", good.as_str()], 2, "neither a date nor an instant"),
        (&ledger, &["--from", "2026-03-04", "--to", "2026-03-04", good.as_str()], 2, "the span is empty"),
        (&ledger, &["--from", "2001-01-01", good.as_str()], 2, "longer than 4000 days"),
        (
            &ledger,
            &["--from", "2025-01-01", "--to", "2025-02-01", good.as_str()],
            1,
            "knows nothing of 2025-01-01",
        ),
        (
            &ledger,
            &["--sim", "nobody", good.as_str()],
            1,
            "knows no SIM \"nobody\"; `simbellctl sims` lists them",
        ),
        (
            &gone,
            &[good.as_str()],
            1,
            "gone.db: there is no such file; name the service's ledger, ledger.db in",
        ),
        (&folder, &[good.as_str()], 1, "state: this is a folder; name the service's ledger"),
        (
            &foreign,
            &[good.as_str()],
            1,
            "foreign.db: this is no ledger of simbell; name the service's ledger",
        ),
        (&other, &[good.as_str()], 1, "other.db: this is no ledger of simbell; name the service's ledger"),
        (&newer, &[good.as_str()], 1, "has schema version 99, written by a newer simbelld"),
        (&older, &[good.as_str()], 1, "has schema version 2, written by an older simbelld"),
        (&damaged, &[good.as_str()], 1, "malformed"),
        (&empty, &[good.as_str()], 1, "the ledger is empty"),
    ] {
        let bytes = fs::read(ledger).ok();
        let (status, said) = refused(&place, &[&["--ledger", ledger], arguments].concat());
        assert_eq!(status, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
        assert_eq!(fs::read(ledger).ok(), bytes, "{ledger} is as it was");
    }
    // A pipe that nobody writes is not waited for.
    let pipe = beside("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (status, said) = refused(&place, &["--ledger", &pipe, good.as_str()]);
    assert!(status == Some(1) && said.contains("this is no ledger of simbell"), "{said}");
    // Told on standard input, and not to the end, or something else.
    for (past, part) in [
        ("", "was cut off"),
        ("\"end\"\n", "knows nothing of"),
        ("{\"part\":{}}\n", "is not understood"),
        ("never\n", "use simbellctl and simbelld of one version"),
    ] {
        let file = beside("past");
        fs::write(&file, past).unwrap();
        let mut command = Command::new(SIMBELLD);
        command.args(["replay", "--config"]).arg(place.config()).arg(&good);
        let output = command.stdin(fs::File::open(&file).unwrap()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(part), "{past}: {said}");
    }
}

/// As where the service is asked; what lies ahead stands for the hour that has begun, so that no test waits for its end.
#[test]
fn a_ledger_is_replayed_to_the_end_of_the_last_hour_that_is_over() {
    let place = Place::new("replay-hours");
    configure(&place);
    let settings = load(&place.config(), &Environment::of_process()).unwrap().settings;
    let zone = settings.zone.clone();
    let good = rule(&place, "good.rhai", "fn on_usage(sim) { }");
    let now = simbelld::clock::wall;
    let ledger = |name: &str, began: Timestamp, hours: i64| {
        let path = place.state().join(name);
        let rules = RuleSet::load(&LoadOptions::default());
        let mut life = Life::begin(&path, settings.clone(), rules, began);
        life.insert(HOME);
        for hour in 1..=hours {
            life.pass(began.saturating_add(Span(HOUR.as_millis() * hour - 1)), &[40 * MB]);
        }
        life.end();
        path.to_str().unwrap().to_owned()
    };
    let tomorrow = now().hour_start().saturating_add(DAY);
    let young = ledger("young.db", tomorrow, 1);
    let (status, said) = refused(&place, &["--ledger", &young, &good]);
    let over = zone.rfc3339(tomorrow.saturating_add(HOUR));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains(&format!("wait until {over}, or")) && !said.contains("widen"), "{said}");
    lines(&replay(&place, &["--ledger", &young, "--to", &over, &good]));

    let yesterday = now().hour_start().saturating_add(Span(-DAY.as_millis()));
    let older = ledger("older.db", yesterday, 48);
    let before = zone.rfc3339(now().hour_start());
    let told = lines(&replay(&place, &["--ledger", &older, "--days", "1", &good]));
    let after = zone.rfc3339(now().hour_start());
    let to = of(&told, "summary")[0]["to"].as_str().unwrap().to_owned();
    assert!(to == before || to == after, "{to} is not {before}");
}

#[test]
fn a_rule_that_fails_is_named_at_the_instant_and_suspended_as_the_service_would() {
    let place = Place::new("replay-fails");
    let ledger = short(&place);
    let failing = rule(
        &place,
        "failing.rhai",
        "fn schedule() { every(1.hours) }\nfn on_schedule(sim) {\n    if sim.used > 1.GB { let x = 1 / 0; }\n}",
    );
    let told = lines(&replay(&place, &["--ledger", &ledger, &failing]));
    let failures = of(&told, "failure");
    assert_eq!(failures.len(), 3, "{failures:?}");
    assert!(failures[0]["error"].as_str().unwrap().contains("failing.rhai:3:"), "{failures:?}");
    // 40 MB an hour: past a gigabyte in the 26th hour.
    assert_eq!(failures[0]["at"], "2026-03-03T02:00:00+01:00");
    assert_eq!(
        failures.iter().map(|one| one["suspended"].as_bool().unwrap()).collect::<Vec<_>>(),
        [false, false, true]
    );
    let summary = of(&told, "summary")[0];
    assert_eq!(summary["rules"][0]["failures"], 3);
    assert_eq!(summary["rules"][0]["suspended_at"], failures[2]["at"]);
    // One that never ends is ended by its limits, each time.
    let endless = rule(
        &place,
        "endless.rhai",
        "fn on_usage(sim) { loop { } }\nfn on_sms(sms) { remind(\"x\", \"x\"); }",
    );
    let told = lines(&replay(&place, &["--ledger", &ledger, &endless]));
    assert_eq!(of(&told, "failure").len(), 3, "{told:?}");
    let notes = of(&told, "summary")[0]["notes"].to_string();
    assert!(notes.contains("Not replayed, since the ledger does not know it: on_sms"), "{notes}");
}

#[test]
fn two_versions_of_a_plugin_are_compared_with_its_settings() {
    let place = Place::new("replay-diff");
    let ledger = short(&place);
    let plugin = |name: &str, more: &str| {
        let dir = place.dir.join(name).join("big-day");
        fs::create_dir_all(&dir).unwrap();
        let manifest = "api = 1\nname = \"big-day\"\nkind = \"rule\"\nenabled = false\ndescription = \"x\"\n\
                        [settings.limit]\ntype = \"size\"\ndefault = \"1 TB\"\ndescription = \"x\"\n";
        fs::write(dir.join("plugin.toml"), manifest).unwrap();
        let text = format!(
            "fn on_usage(sim) {{\n    if sim.used > settings.limit {{ remind(\"over\", \"over\"); }}\n{more}}}\n"
        );
        fs::write(dir.join("main.rhai"), text).unwrap();
        dir.to_str().unwrap().to_owned()
    };
    let old = plugin("old", "    if sim.used > 1.5.GB { remind(\"old\", \"old\"); }\n");
    let new = plugin("new", "    if sim.used > 2.GB { remind(\"new\", \"new\"); }\n");
    let arguments = ["--ledger", &ledger, "--set", "limit=1 GB", "--old", &old, &new];
    let told = lines(&replay(&place, &arguments));
    let rings: Vec<(&str, &str)> = of(&told, "ring")
        .into_iter()
        .map(|ring| (ring["side"].as_str().unwrap(), ring["name"].as_str().unwrap()))
        .collect();
    assert_eq!(rings, [("both", "over"), ("old", "old"), ("new", "new")]);
    let summary = of(&told, "summary")[0];
    assert_eq!([&summary["only_old"], &summary["only_new"], &summary["both"]], [1, 1, 1]);
    // Beside itself it is the same.
    let told = lines(&replay(&place, &["--ledger", &ledger, "--set", "limit=1 GB", "--old", &new, &new]));
    assert!(of(&told, "ring").iter().all(|ring| ring["side"] == "both" && ring["old_text"].is_null()));
    for (setting, part) in
        [("limit=much", "the setting `limit` of `big-day` is"), ("limt=1 GB", "did you mean `limit`?")]
    {
        let (status, said) = refused(&place, &["--ledger", &ledger, "--set", setting, &new]);
        assert_eq!(status, Some(2), "what was given is wrong, not the rule");
        assert!(said.contains(part), "{said}");
    }
}

/// The service tells its past to whoever may ask it, and goes on.
#[tokio::test]
async fn the_past_of_a_running_service_is_replayed() {
    let scene = crate::fixture::Scene::new("replay-live", crate::fixture::modem_spec(), "").await;
    scene.place.rule(
        "much",
        "fn on_usage(sim) { if sim.used >= 300.kB { remind(\"much\", `${sim.name}: much`); } }",
    );
    let daemon = crate::fixture::Daemon::start(&scene.place, None).await;
    let mut traffic = crate::fixture::Traffic::begin(&scene, &daemon).await;
    traffic.pass(400_000, 1);
    traffic.is_counted(&daemon).await;
    let reminder = crate::fixture::until("it rings", async || {
        daemon.client().await.reminders().await.unwrap().into_iter().next()
    })
    .await;
    // The hour that has not ended is replayed where that is asked for.
    let raised = chrono::DateTime::parse_from_rfc3339(&reminder.raised_at).unwrap();
    let day = chrono::Days::new(1);
    let (from, to) = (raised - day, raised + day);
    let config = scene.place.config();
    let output = scene.place.ctl(&[
        "--json",
        "rules",
        "replay",
        "much",
        "--config",
        config.to_str().unwrap(),
        "--from",
        &from.to_rfc3339(),
        "--to",
        &to.to_rfc3339(),
    ]);
    let told = lines(&output);
    let rings = of(&told, "ring");
    assert_eq!(rings.len(), 1, "{told:?}");
    assert_eq!(rings[0]["key"], reminder.key);
    assert_eq!(rings[0]["text"], reminder.text);
    let days = of(&told, "day");
    assert!(days.iter().any(|day| day["used_bytes"] == 400_001), "{days:?}");
    traffic.pass(1, 1);
    traffic.is_counted(&daemon).await;
}
