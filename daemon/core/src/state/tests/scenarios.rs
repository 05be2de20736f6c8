//! Recorded scenarios: `scenarios/NAME.jsonl` is what happens, line by line, `NAME.expected.jsonl` what comes of it.
//!
//! Line 0 names the pitfall, and what has to be in the ledger at the end: `truth` by the last four digits of the ICCID,
//! bytes received and sent, and the reasons of all gaps. The other lines are events with their stamps, as a bug report
//! records them, or settings. An event `started` begins the service anew from what the ledger holds: what was not
//! committed is lost, as by kill -9. `SIMBELL_WRITE=1` writes the expected files anew; the truth is written by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ledger::Ledger;
use super::*;
use crate::event::Recorded;
use crate::settings::SourceChoice;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    n: u32,
    pitfall: String,
    truth: BTreeMap<String, (u64, u64)>,
    gaps: Vec<String>,
    settings: Given,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Given {
    zone: Option<String>,
    /// A plan that begins anew on this day of the month.
    day: Option<u8>,
    #[serde(default)]
    source: SourceChoice,
}

#[derive(Deserialize)]
struct Line {
    n: u32,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum What {
    Event(Box<Recorded>),
    Settings { at: Stamp, settings: Given },
}

/// Civil time of the zones that the scenarios need, as far as they need it.
fn zone(name: &str) -> ZoneRules {
    let (first_offset_s, transitions) = match name {
        "Europe/Berlin" => (3_600, vec![(1_774_746_000, 7_200), (1_792_890_000, 3_600)]),
        "America/Santiago" => (-10_800, vec![(1_775_358_000, -14_400), (1_788_667_200, -10_800)]),
        "Atlantic/Azores" => (-3_600, vec![(1_774_746_000, 0), (1_792_890_000, -3_600)]),
        "Asia/Kolkata" => (19_800, Vec::new()),
        other => panic!("no zone {other}"),
    };
    ZoneRules { name: name.to_owned(), first_offset_s, transitions }
}

fn given(given: &Given) -> Settings {
    let zone = given.zone.as_deref().map_or_else(ZoneRules::utc, zone);
    let mut settings = settings();
    settings.zone = zone.clone();
    let (sim, mut known) = settings.sims.pop_first().unwrap();
    known.source = given.source;
    known.zone = zone;
    known.plan = known.plan.filter(|_| given.day.is_some()).map(|plan| Plan {
        data: None,
        period: Period::Monthly(AnchorDay::new(given.day.unwrap()).unwrap()),
        ..plan
    });
    settings.sims.insert(sim, known);
    settings
}

struct Play {
    state: State,
    settings: Settings,
    ledger: Ledger,
}

impl Play {
    fn line(&mut self, what: What) -> Vec<String> {
        let (at, event) = match what {
            What::Event(recorded) => (recorded.at, recorded.event),
            What::Settings { at, settings } => {
                self.settings = given(&settings);
                (at, Event::SettingsLoaded(Box::new(self.settings.clone())))
            }
        };
        if let Event::Started { boot, .. } = &event {
            self.state = State::restored(self.settings.clone(), self.ledger.restored(boot));
        }
        let before = self.used();
        let mut out = Vec::new();
        let mut waiting = std::collections::VecDeque::from([event]);
        while let Some(event) = waiting.pop_front() {
            let mut fx = self.state.step(at, &event);
            if !fx.load_totals.is_empty() {
                fx.changes.extend(self.state.flush(at));
            }
            for change in fx.changes {
                out.extend(self.ledger.apply(change));
            }
            waiting.extend(fx.load_totals.into_iter().map(|query| self.ledger.answer(query)));
        }
        for (sim, used) in self.used() {
            if before.get(&sim) != Some(&used) {
                out.push(format!("{sim} has used {used}"));
            }
        }
        out
    }

    /// What each SIM has used in its cycle, as shown.
    fn used(&self) -> BTreeMap<String, String> {
        let shown = self.state.sims().map(|sim| {
            let cycle = sim
                .cycle
                .map_or_else(|| "no known cycle".to_owned(), |c| format!("the cycle of {}", c.start));
            (ledger::tail(&sim.record.iccid), format!("{} in {cycle}", sim.totals.measured()))
        });
        shown.collect()
    }
}

fn play(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut lines = text.lines();
    let head: Head = serde_json::from_str(lines.next().unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(head.n == 0 && !head.pitfall.is_empty(), "{name}: line 0 names the pitfall");
    let settings = given(&head.settings);
    let state = State::restored(settings.clone(), Restored::empty());
    let mut play = Play { state, settings, ledger: Ledger::default() };
    let mut out = String::new();
    for (n, line) in lines.enumerate() {
        let line: Line = serde_json::from_str(line).unwrap_or_else(|e| panic!("{name}, line {}: {e}", n + 1));
        assert_eq!(usize::try_from(line.n).unwrap(), n + 1, "{name}: lines are numbered");
        let does = play.line(line.what);
        if !does.is_empty() {
            writeln!(out, "{}", serde_json::json!({ "n": line.n, "does": does })).unwrap();
        }
    }
    for (sim, truth) in &head.truth {
        assert_eq!(play.ledger.sum(sim), *truth, "{name}: what {sim} used");
    }
    assert_eq!(play.ledger.gaps, head.gaps, "{name}: gaps");
    writeln!(
        out,
        "{}",
        serde_json::json!({ "slots": play.ledger.slots(), "sessions": play.ledger.sessions() })
    )
    .unwrap();
    out
}

#[test]
fn every_pitfall_is_a_scenario_that_ends_as_it_did() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.to_string_lossy().ends_with(".jsonl") && !path.to_string_lossy().ends_with(".expected.jsonl")
        })
        .collect();
    paths.sort();
    assert!(paths.len() >= 40, "{}", paths.len());
    for path in paths {
        let found = play(&path);
        let file = path.with_extension("expected.jsonl");
        if std::env::var_os("SIMBELL_WRITE").is_some() {
            std::fs::write(&file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(found, expected, "{}: write it anew with SIMBELL_WRITE=1", file.display());
    }
}
