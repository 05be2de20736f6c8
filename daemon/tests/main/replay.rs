//! `simbelld replay`: what a rule would have rung over the past of a real ledger.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use simbell_core::time::{Span, Timestamp};
use simbell_rules::{LoadOptions, RuleSet};
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
    let rules = RuleSet::load_one(&LoadOptions::default(), rule);
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
