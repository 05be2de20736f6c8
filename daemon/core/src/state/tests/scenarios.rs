//! Recorded scenarios: `scenarios/NAME.jsonl` is what happens, line by line, `NAME.expected.jsonl` what comes of it.
//!
//! Line 0 names the pitfall, and what has to be in the ledger at the end: `truth` by the last four digits of the ICCID,
//! bytes received and sent, also of each local day and of each cycle by its first day where that is the point, and the
//! reasons of all gaps. The other lines are events with their stamps, as a bug report
//! records them, or settings. An event `started` begins the service anew from what the ledger holds: what was not
//! committed is lost, as by kill -9. `SIMBELL_WRITE=1` writes the expected files anew; the truth is written by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use chrono::NaiveDate;
use serde::Deserialize;

use super::ledger::Ledger;
use super::*;
use crate::cycle::cycle_at;
use crate::event::Recorded;
use crate::settings::SourceChoice;

/// Received and sent.
type ByDate = BTreeMap<NaiveDate, (u64, u64)>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    n: u32,
    pitfall: String,
    truth: BTreeMap<String, (u64, u64)>,
    #[serde(default)]
    days: BTreeMap<String, ByDate>,
    #[serde(default)]
    cycles: BTreeMap<String, ByDate>,
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
    // By the zone and the plan of the end.
    let date = |iccid: &Iccid, at| play.state.zone_of(iccid).date(at);
    for (sim, truth) in &head.days {
        assert_eq!(play.ledger.by_date(sim, date), *truth, "{name}: local days of {sim}");
    }
    let first_day =
        |iccid: &Iccid, at| cycle_at(&play.state.period_of(iccid), date(iccid, at)).unwrap().start;
    for (sim, truth) in &head.cycles {
        assert_eq!(play.ledger.by_date(sim, first_day), *truth, "{name}: cycles of {sim}");
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

/// All of them, so that none vanishes unnoticed.
const PITFALLS: [&str; 48] = [
    "a-boot-whose-clock-was-never-right",
    "a-fall-is-no-wrap",
    "a-link-sets-figures-back-as-it-goes",
    "a-midnight-that-comes-twice",
    "a-midnight-that-does-not-exist",
    "a-modem-that-goes-on-counting-over-a-reconnect",
    "a-modems-counter-begins-anew-beside-the-kernels",
    "a-modems-counter-begins-anew-without-the-kernels",
    "a-new-counter-overtakes-the-old",
    "a-plan-changed-mid-cycle",
    "a-stall-across-the-end-of-a-cycle",
    "a-stall-of-minutes",
    "a-wrong-year-in-the-ledger",
    "an-epoch-that-began-after-the-last-sample",
    "another-boot",
    "another-zone",
    "between-modemmanagers-return-and-the-next-connection",
    "connected-while-the-service-was-stopped",
    "day-31-clamps-and-comes-back",
    "days-that-begin-at-half-past",
    "esim-profile-switched-mid-session",
    "ethernet-header-is-not-usage",
    "figures-that-stay-zero-are-none",
    "kill-9-and-another-interface",
    "kill-9-loses-nothing",
    "leap-day",
    "modemmanager-counts-where-there-is-no-interface",
    "modemmanagers-figure-falls-mid-session",
    "multiplexed-links",
    "netlink-lost-messages",
    "no-clock-boots-at-the-build-date",
    "no-clock-boots-in-1970",
    "offload-bypasses-the-kernel",
    "ppp-link-appears-after-it-dialled",
    "raw-ip-is-counted-as-it-is",
    "roaming-splits-the-sum",
    "several-modems",
    "sim-changed-while-nobody-watched",
    "sim-swapped-mid-session",
    "slot-switched-mid-session",
    "suspend-and-resume",
    "the-clock-is-set-back",
    "the-clock-is-set-forward",
    "the-clocks-go-back",
    "the-clocks-go-forward",
    "the-tail-after-the-last-poll",
    "totals-die-with-the-bearer",
    "two-bearers-on-one-link",
];

#[test]
fn every_pitfall_is_a_scenario_that_ends_as_it_did() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let write = std::env::var_os("SIMBELL_WRITE").is_some();
    let mut files: Vec<String> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !write || !name.ends_with(".expected.jsonl"))
        .collect();
    files.sort();
    let suffixes = if write { &[".jsonl"][..] } else { &[".expected.jsonl", ".jsonl"] };
    let named = PITFALLS.iter().flat_map(|name| suffixes.iter().map(move |suffix| format!("{name}{suffix}")));
    assert_eq!(files, named.collect::<Vec<_>>(), "each scenario is named here and has what comes of it");
    for name in PITFALLS {
        let found = play(&dir.join(format!("{name}.jsonl")));
        let file = dir.join(format!("{name}.expected.jsonl"));
        if write {
            std::fs::write(&file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap();
        assert_eq!(found, expected, "{}: write it anew with SIMBELL_WRITE=1", file.display());
    }
}
