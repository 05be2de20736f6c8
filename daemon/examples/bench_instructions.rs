//! Inner operations so many times over, for `contrib/bench`, which counts their instructions under callgrind.
//!
//! `bench_instructions sample TIMES`: one reading of every link of this network namespace.
//! `bench_instructions commit TIMES LEDGER`: one commit of one connection's growth to a new ledger.
//! `bench_instructions rule TIMES PLUGINS`: one question to a shipped rule.
//! `bench_instructions step TIMES SIMS`: one reading of the links of so many SIMs' connections, as the core takes it in.
//! `bench_instructions seen TIMES SIMS`: one modem of so many tells other figures of its connection.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a measurement that fails shall say where")]

#[path = "inside/asked.rs"]
mod asked;
#[path = "inside/fleet.rs"]
mod fleet;
#[path = "inside/shipped.rs"]
mod shipped;

use std::path::Path;
use std::process::ExitCode;

use simbell_core::effect::{Change, Evaluation};
use simbell_core::event::{Event, RuleResult};
use simbell_core::ident::{BootId, IfIndex, RuleName};
use simbell_core::ledger::{Baseline, Epoch, EpochId, Session, Source, UsageSlot, When, Zone};
use simbell_core::modem::{BearerStats, ModemView};
use simbell_core::state::State;
use simbell_core::state::restored::Restored;
use simbell_core::time::{Stamp, Timestamp};
use simbell_core::view::RuleDescription;
use simbell_core::watch::Watch;
use simbell_modem::links::Links;
use simbell_store::{Store, StoreOptions};

use fleet::{NOON, iccid, link, modem, settings};

/// As in the service: what a rule allocates is counted.
#[global_allocator]
static ALLOCATOR: simbell_alloc::CountingAllocator = simbell_alloc::CountingAllocator;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let times = words.get(1).and_then(|times| times.parse::<i64>().ok());
    match (words.as_slice(), times) {
        (["sample", _], Some(times)) => sample(times),
        (["commit", _, ledger], Some(times)) => commit(times, Path::new(ledger)),
        (["rule", _, plugins], Some(times)) => rule(times, Path::new(plugins)),
        (["step", _, sims], Some(times)) => Fleet::connected(number(sims)).read(times, number(sims)),
        (["seen", _, sims], Some(times)) => Fleet::connected(number(sims)).seen(times),
        _ => {
            eprintln!(
                "usage: bench_instructions sample TIMES | step|seen TIMES SIMS | commit TIMES LEDGER | rule TIMES PLUGINS"
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn sample(times: i64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let mut links = Links::open().expect("netlink");
    for _ in 0..times {
        assert!(!links.read(None).expect("a reading").is_empty());
    }
}

fn rule(times: i64, plugins: &Path) {
    let (rules, name, trigger, input) = asked::asked(plugins);
    for _ in 0..times {
        assert!(rules.evaluate(&name, &trigger, &input).error.is_none());
    }
}

fn commit(times: i64, ledger: &Path) {
    let mut store = Store::open(ledger, &StoreOptions::default()).expect("a ledger");
    let boot = BootId::new("boot").expect("a boot");
    let epoch = Epoch {
        id: EpochId(1),
        iccid: iccid(0),
        zone: Zone::Home,
        source: Source::Kernel,
        boot: boot.clone(),
        ifindex: Some(IfIndex(7)),
        interface: Some("wwan0".into()),
        apn: Some("internet".into()),
        began: Some(Timestamp::from_secs(NOON)),
        began_boot_ms: 0,
        session: Some(EpochId(1)),
        modem: None,
    };
    store.apply(&[Change::OpenEpoch(epoch)]).expect("a commit");
    for minute in 0..times {
        let at = Timestamp::from_secs(NOON.saturating_add(minute.saturating_mul(60)));
        let slot = UsageSlot {
            epoch: EpochId(1),
            iccid: iccid(0),
            zone: Zone::Home,
            source: Source::Kernel,
            when: When::Hour(at.hour_start()),
            rx_bytes: 37_500_000,
            tx_bytes: 1_500_000,
            from: at.as_millis(),
            until: at.as_millis(),
        };
        let baseline = Baseline {
            counter: "link:7".into(),
            boot: boot.clone(),
            ifindex: Some(IfIndex(7)),
            interface: Some("wwan0".into()),
            rx_bytes: at.as_millis().unsigned_abs(),
            tx_bytes: 5,
            connection_start: None,
            modem: None,
            apn: Some("internet".into()),
            iccid: Some(iccid(0)),
            zone: Zone::Home,
            epoch: Some(EpochId(1)),
            read_at: Some(at),
            read_boot_ms: 0,
        };
        store.apply(&[Change::AddUsage(slot), Change::SetBaseline(baseline)]).expect("a commit");
    }
}

fn number(word: &str) -> u32 {
    word.parse().expect("a number of SIMs")
}

/// SIMs with a connection each, and rules that are far from asking about them.
struct Fleet {
    state: State,
}

/// So many rules answer to usage.
const RULES: u32 = 8;

impl Fleet {
    fn connected(sims: u32) -> Self {
        let mut fleet = Self { state: State::restored(settings(sims), Restored::empty()) };
        fleet.feed(0, &Event::Started { boot: BootId::new("boot").expect("a boot"), links: Vec::new() });
        let rules = (0..RULES).map(rule_of_usage).collect();
        fleet.feed(0, &Event::RulesLoaded(rules));
        for sim in 0..sims {
            fleet.feed(1, &Event::LinkAppeared(link(sim, 0)));
            fleet.feed(2, &Event::ModemSeen(Box::new(told(sim, 0))));
        }
        fleet
    }

    fn feed(&mut self, secs: i64, event: &Event) {
        let at = Stamp {
            wall: Timestamp::from_secs(NOON.saturating_add(secs)),
            boot_ms: secs.unsigned_abs().saturating_add(1_000).saturating_mul(1_000),
            trusted: true,
        };
        let fx = self.state.step(at, event);
        for query in fx.load_totals {
            let loaded =
                Event::TotalsLoaded { query, by_zone: vec![], units: vec![], corrections: 0, first_at: None };
            self.feed(secs, &loaded);
        }
        let answers: Vec<RuleResult> = fx.evaluate.into_iter().map(far).collect();
        if !answers.is_empty() {
            self.feed(secs, &Event::RulesEvaluated(answers));
        }
    }

    fn read(&mut self, times: i64, sims: u32) {
        for secs in 3..times.saturating_add(3) {
            let links = (0..sims).map(|sim| link(sim, secs.unsigned_abs().saturating_mul(1_000))).collect();
            self.feed(secs, &Event::LinksRead(links));
        }
        let counted = self.state.facts(&iccid(0)).expect("a SIM").used_bytes;
        assert!(times == 0 || counted > 0, "nothing was counted");
    }

    fn seen(&mut self, times: i64) {
        for secs in 3..times.saturating_add(3) {
            let modem = told(0, secs.unsigned_abs().saturating_mul(1_000));
            self.feed(secs, &Event::ModemSeen(Box::new(modem)));
        }
        let told = |session: &Session| session.told.is_some_and(|told| told.grown.rx > 0);
        assert!(times == 0 || self.state.sessions().any(|(session, _)| told(session)), "no figures");
    }
}

fn told(number: u32, rx_bytes: u64) -> ModemView {
    let mut view = modem(number);
    for bearer in &mut view.bearers {
        bearer.stats_supported = true;
        bearer.stats = Some(BearerStats { rx_bytes, tx_bytes: 0, duration_s: 1, start: None });
    }
    view
}

fn rule_of_usage(number: u32) -> RuleDescription {
    RuleDescription {
        name: RuleName::new(format!("rule-{number}")).expect("a name"),
        file: String::new(),
        plugin: true,
        summary: String::new(),
        triggers: vec!["usage".to_owned()],
        schedules: Vec::new(),
        problem: None,
        suspended: false,
        may: Vec::new(),
        outdated: None,
        version: "1".to_owned(),
        channels: Vec::new(),
    }
}

/// The answer of a rule that waits for 50 GB.
fn far(asked: Evaluation) -> RuleResult {
    RuleResult { watch: Watch::at(50_000_000_000), ..RuleResult::nothing(asked.rule, asked.trigger) }
}
