//! Random lives under a clock that is wrong, not believed, set and believed again: after every step what is told of a cycle
//! is the sum of the ledger's entries in it, and nothing that goes by the date happens before the clock is believed.

use proptest::prelude::*;

use super::ledger::Ledger;
use super::*;
use crate::effect::TotalsQuery;
use crate::ledger::{Volume, Zone};

/// What may happen next.
#[derive(Debug, Clone)]
enum Op {
    /// Time passes, seconds, and the service wakes.
    Passes(u32),
    /// The wall clock is set, by so many seconds.
    ClockSet(i64),
    Trust(bool),
    /// So many bytes, read or not.
    Traffic(u32, bool),
    Seen(Registration, bool),
    Commit,
    /// The service dies, and begins again: in the same boot, or in another, with the clock at so many seconds.
    Killed,
    Rebooted(Option<i64>),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let registration =
        || prop_oneof![Just(Registration::Home), Just(Registration::Roaming), Just(Registration::Searching)];
    let op = prop_oneof![
        4 => (1_u32..200_000).prop_map(Op::Passes),
        2 => (1_u32..4_000).prop_map(Op::Passes),
        // Up to two cycles, and up to decades.
        2 => (-6_000_000_i64..6_000_000).prop_map(Op::ClockSet),
        1 => (-2_000_000_000_i64..2_000_000_000).prop_map(Op::ClockSet),
        1 => (-100_i64..100).prop_map(Op::ClockSet),
        3 => any::<bool>().prop_map(Op::Trust),
        8 => (0_u32..100_000, any::<bool>()).prop_map(|(bytes, read)| Op::Traffic(bytes, read)),
        3 => (registration(), prop::bool::weighted(0.8)).prop_map(|(registration, up)| Op::Seen(registration, up)),
        1 => Just(Op::Commit),
        1 => Just(Op::Killed),
        1 => proptest::option::of(0_i64..2_500_000_000).prop_map(Op::Rebooted),
    ];
    proptest::collection::vec(op, 1..60)
}

struct Life {
    state: State,
    ledger: Ledger,
    at: Stamp,
    boot: u32,
    carried: u64,
}

impl Life {
    fn new() -> Self {
        let at = Stamp { wall: Timestamp::from_secs(DAY + 43_200), boot_ms: 60_000, trusted: true };
        let state = State::restored(settings(), Restored::empty());
        let mut life = Self { state, ledger: Ledger::default(), at, boot: 1, carried: 0 };
        life.begins();
        life
    }

    fn begins(&mut self) {
        let boot = BootId::new(format!("boot-{}", self.boot)).unwrap();
        self.state = State::restored(settings(), self.ledger.restored(&boot));
        self.feed(Event::Started { boot, links: vec![link(self.carried)] });
        let schedule = vec![Schedule::Every(3_600)];
        self.feed(Event::RulesLoaded(vec![
            rule("usage", "usage", Vec::new()),
            rule("hourly", "schedule", schedule),
            rule("cycles", "cycle-start", Vec::new()),
            rule("ended", "cycle-end", Vec::new()),
        ]));
        self.feed(Event::ModemSeen(Box::new(modem(Registration::Home, true))));
    }

    fn feed(&mut self, event: Event) {
        let mut events = std::collections::VecDeque::from([event]);
        let mut left = 200;
        while let Some(event) = events.pop_front() {
            left -= 1;
            assert!(left > 0, "{event:?} goes on and on");
            let fx = self.state.step(self.at, &event);
            for change in fx.changes {
                self.ledger.apply(change);
            }
            if !self.at.trusted {
                assert_eq!(fx.load_totals, [], "sums of a cycle that nobody knows");
                let dated: Vec<&str> = fx.evaluate.iter().map(|asked| asked.trigger.kind()).collect();
                assert_eq!(dated, [""; 0], "what goes by the date is not asked");
            }
            events.extend(fx.load_totals.into_iter().map(|query| self.ledger.answer(query)));
            let results: Vec<RuleResult> = fx
                .evaluate
                .iter()
                .map(|asked| RuleResult::nothing(asked.rule.clone(), asked.trigger.clone()))
                .collect();
            if !results.is_empty() {
                events.push_back(Event::RulesEvaluated(results));
            }
        }
    }

    fn read(&mut self) {
        self.feed(Event::LinksRead(vec![link(self.carried)]));
    }

    fn live(&mut self, op: &Op) {
        match op {
            Op::Passes(secs) => {
                self.at.wall = self.at.wall.saturating_add(Span::secs(i64::from(*secs)));
                self.at.boot_ms += u64::from(*secs) * 1_000;
                self.feed(Event::WakeReached);
            }
            Op::ClockSet(secs) => {
                self.at.wall = self.at.wall.saturating_add(Span::secs(*secs));
                self.feed(Event::ClockChanged);
            }
            Op::Trust(trusted) => {
                self.at.trusted = *trusted;
                self.feed(Event::ClockChanged);
            }
            Op::Traffic(bytes, read) => {
                self.carried += u64::from(*bytes);
                if *read {
                    self.read();
                }
            }
            Op::Seen(registration, up) => {
                self.read();
                self.feed(Event::ModemSeen(Box::new(modem(*registration, *up))));
            }
            Op::Commit => {
                for change in self.state.flush(self.at) {
                    self.ledger.apply(change);
                }
            }
            Op::Killed => self.begins(),
            Op::Rebooted(wall) => {
                self.boot += 1;
                self.carried = 0;
                self.at.boot_ms = 20_000;
                if let Some(secs) = wall {
                    self.at = Stamp { wall: Timestamp::from_secs(*secs), trusted: false, ..self.at };
                }
                self.begins();
            }
        }
    }

    /// What is told of the cycle is in the ledger, or about to be.
    fn check(&self) {
        let mut ledger = self.ledger.clone();
        for change in self.state.clone().flush(self.at) {
            ledger.apply(change);
        }
        let Some(sim) = self.state.sims().find(|sim| sim.is_of_cycle()) else { return };
        let (from, until) = sim.bounds.unwrap();
        let query = TotalsQuery { iccid: sim.record.iccid.clone(), from, until };
        let Event::TotalsLoaded { by_zone, .. } = ledger.answer(query) else { unreachable!() };
        let carried = |zones: &BTreeMap<Zone, Volume>| -> Vec<(Zone, Volume)> {
            zones.iter().filter(|(_, sum)| sum.total() > 0).map(|(zone, sum)| (zone.clone(), *sum)).collect()
        };
        assert_eq!(carried(&sim.totals.by_zone), carried(&by_zone.into_iter().collect()), "of the cycle");
        assert_eq!(carried(&sim.totals.undated), carried(&ledger.undated()), "without a date");
        if self.at.trusted {
            assert_eq!(ledger.undated(), BTreeMap::new(), "what was measured before is dated");
            assert!(
                self.at.wall >= from && until.is_none_or(|until| self.at.wall < until),
                "the cycle is another"
            );
        }
    }
}

proptest! {
    #[test]
    fn a_total_is_the_sum_of_its_entries_whatever_the_clock_does(life in ops()) {
        let mut state = Life::new();
        for op in &life {
            state.live(op);
            state.check();
        }
    }
}
