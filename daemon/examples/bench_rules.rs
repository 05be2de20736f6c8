//! What rules cost: for `contrib/bench`.
//!
//! `bench_rules each PLUGINS`: each rule of a folder on each of its occasions, where all is well and where it reminds.
//! A line each: the rule, its trigger, `quiet` or `reminds`; the medians of asking it and of the bare call of its
//! compiled function, in nanoseconds; allocations of both; the most bytes held.
//!
//! `bench_rules event PLUGINS SIMS`: usage events, each of which has every rule be asked about every SIM, as the service
//! takes them in. A line each: `first`, `quiet`, `rings` or `rung`; evaluations; reminders that stand after it; and
//! microseconds of the thread's CPU time: until the rules are asked, of the rules, until their answers are taken in.
//!
//! `bench_rules loaded FEW MANY`: the rules of two folders. A line: how many there are in each, and bytes of heap held.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement that fails shall say where")]

#[path = "inside/fleet.rs"]
mod fleet;
#[path = "inside/occasions.rs"]
mod occasions;
#[path = "inside/shipped.rs"]
mod shipped;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use simbell_core::effect::Effects;
use simbell_core::event::Event;
use simbell_core::ident::{BootId, Iccid, RuleName};
use simbell_core::reminder::ReminderState;
use simbell_core::state::State;
use simbell_core::state::restored::Restored;
use simbell_core::time::{Stamp, Timestamp};
use simbell_core::view::{RuleInput, Trigger};
use simbell_rules::{Outcome, RuleSet};

use fleet::{NOON, link, modem, settings};
use shipped::load;

/// As in the service: what a rule allocates is counted.
#[global_allocator]
static ALLOCATOR: simbell_alloc::CountingAllocator = simbell_alloc::CountingAllocator;

const ROUNDS: usize = 1_000;
/// Events before and after the one that makes rules ring.
const EVENTS: u64 = 9;
/// By how much each grows a SIM's usage: more than a hundredth of its allowance.
const GROWTH: u64 = 1_200_000_000;
/// By how much the one does that does: to beyond the first threshold.
const BEYOND: u64 = 50 * GROWTH;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["each", plugins] => each(Path::new(plugins)),
        ["event", plugins, sims] => event(Path::new(plugins), sims.parse().expect("a number of SIMs")),
        ["loaded", few, many] => loaded(Path::new(few), Path::new(many)),
        _ => {
            eprintln!("usage: bench_rules each PLUGINS | event PLUGINS SIMS | loaded FEW MANY");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Every rule of a folder, those included that do not run by themselves.
fn all(plugins: &Path) -> RuleSet {
    let idle = load(plugins, Vec::new()).idle().iter().map(|rule| rule.name.to_string()).collect();
    let rules = load(plugins, idle);
    let wrong: Vec<_> = rules.descriptions().into_iter().filter_map(|rule| rule.problem).collect();
    assert!(wrong.is_empty() && rules.problems().is_empty() && rules.idle().is_empty(), "{wrong:?}");
    rules
}

fn each(plugins: &Path) {
    let rules = all(plugins);
    let iccid = Iccid::new("8900100000000000017").expect("an ICCID");
    let inputs = occasions::inputs(&iccid);
    for rule in rules.descriptions() {
        for trigger in occasions::triggers(&iccid, Timestamp::from_secs(NOON)) {
            if !rule.triggers.iter().any(|kind| kind == trigger.kind()) {
                continue;
            }
            let reminds = |input: &Arc<RuleInput>| {
                let outcome = rules.evaluate(&rule.name, &trigger, input);
                assert!(outcome.error.is_none(), "{:?}", outcome.error);
                !outcome.findings.is_empty()
            };
            let (reminding, quiet): (Vec<_>, Vec<_>) = inputs.iter().partition(|input| reminds(input));
            for (case, input) in [("quiet", quiet.first()), ("reminds", reminding.first())] {
                if let Some(input) = input {
                    tell(&rules, &rule.name, &trigger, case, input);
                }
            }
        }
    }
}

fn tell(rules: &RuleSet, name: &RuleName, trigger: &Trigger, case: &str, input: &Arc<RuleInput>) {
    let ask = || rules.evaluate(name, trigger, input);
    let bare = || assert!(rules.call_bare(name, trigger, input));
    let (ours, peer) = medians(|| drop(ask()), bare);
    let (asked, allocations) = allocations(ask);
    let ((), of_peer) = self::allocations(bare);
    let Outcome { stats, .. } = asked;
    println!("{name} {} {case} {ours} {peer} {allocations} {of_peer} {}", trigger.kind(), stats.peak_bytes);
}

fn allocations<T>(call: impl FnOnce() -> T) -> (T, u64) {
    let meter = simbell_alloc::Meter::arm();
    let came = call();
    let made = simbell_alloc::made();
    drop(meter);
    (came, made)
}

/// Of two calls made in turn, so that whatever else the machine does falls on both.
fn medians(mut ours: impl FnMut(), mut peer: impl FnMut()) -> (u128, u128) {
    let mut spans = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        spans.0.push(span(&mut ours));
        spans.1.push(span(&mut peer));
    }
    let median = |mut spans: Vec<u128>| {
        spans.sort_unstable();
        spans.get(spans.len() / 2).copied().unwrap_or(0)
    };
    (median(spans.0), median(spans.1))
}

fn span(call: &mut impl FnMut()) -> u128 {
    let start = Instant::now();
    call();
    start.elapsed().as_nanos()
}

fn event(plugins: &Path, sims: u32) {
    let rules = all(plugins);
    let mut service = Service { rules, state: State::restored(settings(sims), Restored::empty()), secs: 0 };
    service.step(&Event::Started { boot: BootId::new("boot").expect("a boot"), links: Vec::new() });
    for number in 0..sims {
        service.step(&Event::LinkAppeared(link(number, 0)));
        service.step(&Event::ModemSeen(Box::new(modem(number))));
    }
    service.pass("first", &Event::RulesLoaded(service.rules.descriptions()));
    let mut used = 0;
    for number in 1..EVENTS * 2 {
        let case = match number {
            EVENTS => "rings",
            number if number < EVENTS => "quiet",
            _ => "rung",
        };
        used += if number == EVENTS { BEYOND } else { GROWTH };
        service.secs += 900;
        let links = (0..sims).map(|number| link(number, used)).collect();
        let asked = service.pass(case, &Event::LinksRead(links));
        assert!(asked > 0, "an event that no rule is asked about");
    }
}

/// The service without its ledger and its modems.
struct Service {
    rules: RuleSet,
    state: State,
    secs: i64,
}

impl Service {
    /// One step; totals that are asked for are answered with nothing in the ledger.
    fn step(&mut self, event: &Event) -> Effects {
        let at = Stamp {
            wall: Timestamp::from_secs(NOON.saturating_add(self.secs)),
            boot_ms: self.secs.unsigned_abs().saturating_add(1_000).saturating_mul(1_000),
            trusted: true,
        };
        let mut fx = self.state.step(at, event);
        for query in std::mem::take(&mut fx.load_totals) {
            let loaded =
                Event::TotalsLoaded { query, by_zone: vec![], units: vec![], corrections: 0, first_at: None };
            fx.evaluate.extend(self.state.step(at, &loaded).evaluate);
        }
        fx
    }

    /// Has the state take an event in, the rules be asked, and the state take in what they say.
    fn pass(&mut self, case: &str, event: &Event) -> usize {
        let began = cpu_us();
        let evaluations = self.step(event).evaluate;
        // As the service does, which keeps what was asked beside what was said.
        let asked = evaluations.clone();
        let until_asked = cpu_us();
        let results = self.rules.evaluate_all(evaluations);
        let until_said = cpu_us();
        drop(self.step(&Event::RulesEvaluated(results)));
        let until_taken = cpu_us();
        let standing =
            self.state.reminders().filter(|one| !matches!(one.state, ReminderState::Resolved { .. })).count();
        let [before, rules, after] =
            [(began, until_asked), (until_asked, until_said), (until_said, until_taken)].map(|(a, b)| b - a);
        println!("{case} {} {standing} {before} {rules} {after}", asked.len());
        asked.len()
    }
}

/// Of this thread: what other programs do is not in it.
fn cpu_us() -> i64 {
    let clock = clock_gettime(ClockId::ThreadCPUTime);
    clock.tv_sec * 1_000_000 + clock.tv_nsec / 1_000
}

fn loaded(few: &Path, many: &Path) {
    let held = |plugins: &Path| {
        let meter = simbell_alloc::Meter::arm();
        let rules = all(plugins);
        let held = simbell_alloc::held();
        drop(meter);
        (rules.descriptions().len(), held)
    };
    // What the first load makes for good is in neither.
    held(few);
    let ((few, of_few), (many, of_many)) = (held(few), held(many));
    println!("{few} {of_few} {many} {of_many}");
}
