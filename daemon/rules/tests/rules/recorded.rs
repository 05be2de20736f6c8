//! Recordings of events, played to the state with the rules behind it: the same recording gives the same reminders, and
//! a rule is asked only on the occasions that it has a hook for.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use simbell_core::bytes::Bytes;
use simbell_core::effect::Effects;
use simbell_core::event::{Event, Recorded};
use simbell_core::ident::{ChannelName, Iccid, PlanName, RuleName, SimName};
use simbell_core::number::OwnNumbers;
use simbell_core::plan::{AnchorDay, Counts, Period, Plan};
use simbell_core::settings::{ChannelSettings, Settings, SimSettings, SourceChoice};
use simbell_core::state::State;
use simbell_core::state::restored::Restored;
use simbell_core::time::{Span, Stamp};
use simbell_core::zone::ZoneRules;
use simbell_rules::{LoadOptions, RuleSet};

use crate::inputs::{Folder, rule};

/// Where the child process writes what came of the recordings.
const OUT: &str = "SIMBELL_RECORDED_OUT";

/// One rule for each kind of occasion, and one that remembers, asks for things and reads all it can.
const RULES: [(&str, &str); 10] = [
    ("usage", "fn on_usage(sim) { remind(\"u\", `${sim.used} of ${sim.plan}, ${sim.zone}, ${now().local}`); }"),
    ("roaming", "fn on_roaming(sim) { remind(\"r\", `${sim.zone}`); }"),
    ("sms", "fn on_sms(sms) { remind(\"s\", sms.text); }"),
    ("schedule", "fn schedule() { [cron(\"*/5 * * * *\"), at(\"07:00\")] } fn on_schedule(sim) { remind(\"t\", `${occasion().due} ${sim.used}`); }"),
    ("cycle-start", "fn on_cycle_start(sim) { remind(\"c\", `${sim.cycle.start}`); }"),
    ("cycle-end", "fn on_cycle_end(sim, ended) { remind(\"e\", `${ended.used} until ${ended.end}`); }"),
    ("sim-change", "fn on_sim_change(sim, before) { remind(\"x\", sim.name); }"),
    ("modems", "fn on_modems(modems) { for m in modems { remind(`m-${m.id}`, `${m.present} ${m.sim}`); } }"),
    ("health", "fn on_health(health) { for w in health { remind(w.code, `${w.subject} ${w.since}`); } }"),
    (
        "keeper",
        "import \"std/text\" as text;
         fn on_usage(sim) {
             let seen = recall(\"seen\", []);
             if seen.len() < 20 { seen.push(sim.used); remember(\"seen\", seen); }
             remind(\"k\", text::join(seen, \", \"), #{ repeat: cron(\"0 9 * * mon\") });
             if sim.remaining != () && sim.remaining < 500.B { send_ussd(\"q\", \"*100#\"); disconnect(\"d\"); }
             if sim.share != () && sim.share < 20.percent { resolve(\"k\"); }
         }",
    ),
];

fn recordings() -> Vec<(String, Vec<Recorded>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/scenarios");
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir).expect("recordings").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| !path.to_string_lossy().ends_with(".expected.jsonl"));
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a text");
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line"));
        // What else stands there is what the recording is about, and settings other than these here.
        let events = lines
            .filter(|line| line.get("event").is_some())
            .map(|line| serde_json::from_value::<Recorded>(line).expect("an event"));
        (path.file_stem().expect("a name").to_string_lossy().into_owned(), events.collect())
    };
    files.into_iter().map(read).collect()
}

fn settings() -> Settings {
    let plan = Plan {
        name: PlanName::new("home").expect("valid"),
        data: Some(Bytes(1_000)),
        period: Period::Monthly(AnchorDay::Day(1)),
        counts: Counts::Both,
        roaming_counts: true,
        increment: None,
        free_hours: Vec::new(),
        calibrate: false,
    };
    let sim = SimSettings {
        name: SimName::new("home").ok(),
        plan: Some(plan),
        zone: ZoneRules::utc(),
        source: SourceChoice::Auto,
        uncounted_apns: Vec::new(),
        numbers: OwnNumbers::default(),
    };
    let mail = ChannelName::new("mail").expect("valid");
    Settings {
        zone: ZoneRules::utc(),
        language: "en".to_owned(),
        sims: BTreeMap::from([(Iccid::new("8900100000000000017").expect("valid"), sim)]),
        sample_every: Span::secs(20),
        line_rate: 125_000_000,
        max_unsaved_bytes: Some(1),
        max_unsaved_time: Span::secs(300),
        default_channels: vec![mail.clone()],
        channels: vec![ChannelSettings {
            name: mail,
            kind: "email".to_owned(),
            daily_cap: None,
            while_roaming: true,
            deadline: Span::secs(86_400),
        }],
        quiet: None,
        suspend_after: 3,
        actions_a_day: 10,
        ppp_interface: None,
    }
}

fn rules(folder: &Folder) -> RuleSet {
    for (name, text) in RULES {
        folder.write(&format!("{name}.rhai"), text);
    }
    let rules = RuleSet::load(&LoadOptions {
        user_dir: Some(folder.path().to_owned()),
        plugin_dirs: vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")],
        language: "en".to_owned(),
        ..LoadOptions::default()
    });
    for description in rules.descriptions() {
        assert_eq!(description.problem, None, "{}", description.name);
    }
    rules
}

/// What came of one recording.
struct Played {
    state: State,
    /// Everything that is committed, delivered and done, a line each.
    lines: Vec<String>,
    /// How often each rule was asked, by the kind of occasion.
    asked: BTreeMap<(RuleName, &'static str), u64>,
}

fn play(events: &[Recorded], rules: &RuleSet) -> Played {
    let mut played = Played {
        state: State::restored(settings(), Restored::empty()),
        lines: Vec::new(),
        asked: BTreeMap::new(),
    };
    let mut began = false;
    for Recorded { at, event } in events {
        played.step(*at, event.clone(), rules);
        if !began {
            began = true;
            // File names differ from folder to folder.
            let described = rules.descriptions().into_iter().map(|rule| {
                let file = format!("{}.rhai", rule.name);
                simbell_core::view::RuleDescription { file, ..rule }
            });
            played.step(*at, Event::RulesLoaded(described.collect()), rules);
        }
    }
    played
}

impl Played {
    /// One event, and all that follows from it at the same instant.
    fn step(&mut self, at: Stamp, event: Event, rules: &RuleSet) {
        let mut waiting = VecDeque::from([event]);
        while let Some(event) = waiting.pop_front() {
            let Effects { changes, load_totals, evaluate, act, deliver, .. } = self.state.step(at, &event);
            let json = |line: Result<String, serde_json::Error>| line.expect("a line");
            self.lines.extend(changes.iter().map(|change| json(serde_json::to_string(change))));
            self.lines.extend(deliver.iter().map(|one| json(serde_json::to_string(one))));
            self.lines.extend(act.iter().map(|one| json(serde_json::to_string(one))));
            // Each recording begins with an empty ledger.
            for query in load_totals {
                waiting.push_back(Event::CountsLoaded { query: query.clone(), counts: Box::default() });
                let none = (Vec::new(), Vec::new());
                let (by_zone, units) = none;
                waiting.push_back(Event::TotalsLoaded {
                    query,
                    by_zone,
                    units,
                    corrections: 0,
                    first_at: None,
                });
            }
            if evaluate.is_empty() {
                continue;
            }
            for one in &evaluate {
                *self.asked.entry((one.rule.clone(), one.trigger.kind())).or_default() += 1;
            }
            waiting.push_back(Event::RulesEvaluated(rules.evaluate_all(evaluate)));
        }
    }
}

#[test]
fn the_same_recording_gives_the_same_reminders_byte_for_byte() {
    if let Some(out) = std::env::var_os(OUT) {
        let folder = Folder::new();
        let rules = rules(&folder);
        let mut text = String::new();
        for (name, events) in recordings() {
            text.push_str(&format!("{name}\n{}\n", play(&events, &rules).lines.join("\n")));
        }
        fs::write(out, text).expect("written");
        return;
    }
    // Each in a process of its own: other addresses, other seeds, other folders.
    let folder = Folder::new();
    let run = |name: &str| {
        let out = folder.path().join(name);
        let ended = std::process::Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "recorded::the_same_recording_gives_the_same_reminders_byte_for_byte"])
            .env(OUT, &out)
            .output()
            .expect("the test runs");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
        fs::read(out).expect("it has written")
    };
    let (first, second) = (run("first"), run("second"));
    let text = String::from_utf8(first.clone()).expect("a text");
    for said in
        ["keep-reminder", "keep-delivery", "keep-memory", "keep-action", "data-80", "keep-schedule-mark"]
    {
        assert!(text.contains(said), "no {said} in {} lines", text.lines().count());
    }
    for rule in ["usage", "schedule", "cycle-start", "roaming", "modems", "health"] {
        assert!(
            text.contains(&format!("\"key\":\"{rule}/")) || text.contains(&format!("{rule}/")),
            "{rule} says nothing"
        );
    }
    assert!(first == second, "the two differ");
}

#[test]
fn a_rule_is_asked_only_on_its_occasions() {
    let folder = Folder::new();
    let rules = rules(&folder);
    let triggers: BTreeMap<RuleName, Vec<String>> =
        rules.descriptions().into_iter().map(|rule| (rule.name, rule.triggers)).collect();
    let mut total: BTreeMap<(RuleName, &'static str), u64> = BTreeMap::new();
    for (name, events) in recordings() {
        let played = play(&events, &rules);
        for (rule, kinds) in &triggers {
            let asked: u64 = played
                .asked
                .iter()
                .filter(|((asked, _), _)| asked == rule)
                .map(|((_, kind), count)| {
                    assert!(kinds.iter().any(|known| known == kind), "{name}: {rule} is asked on {kind}");
                    count
                })
                .sum();
            assert_eq!(played.state.times_asked(rule), asked, "{name}: {rule}");
        }
        for (key, count) in played.asked {
            *total.entry(key).or_default() += count;
        }
    }
    let times = |name: &str| -> u64 {
        total.iter().filter(|((asked, _), _)| *asked == rule(name)).map(|(_, count)| count).sum()
    };
    // No message comes in any of the recordings; usage does all the time.
    assert_eq!(times("sms"), 0);
    assert!(
        times("usage") > 20 && times("usage") == times("keeper"),
        "{} {}",
        times("usage"),
        times("keeper")
    );
    assert!(times("roaming") > 0 && times("roaming") < times("usage"));
    for occasion in ["schedule", "modems", "health", "cycle-start", "cycle-end", "sim-change"] {
        assert!(times(occasion) > 0 && times(occasion) < times("usage"), "{occasion}: {}", times(occasion));
    }
}
