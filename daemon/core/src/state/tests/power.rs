//! What a power cut costs: random traffic, the state's own readings and commits, the power gone at any instant. What was
//! committed is in the ledger, whatever the disk does then (the store's tests prove that); the rest is gone.

use proptest::prelude::*;

use super::ledger::Ledger;
use super::*;

/// So many bytes a second, from an instant on.
#[derive(Debug, Clone, Copy)]
struct Flow {
    since_ms: u64,
    passed: u64,
    rate: u64,
}

struct Life {
    settings: Settings,
    state: State,
    ledger: Ledger,
    boot: u32,
    at: Stamp,
    /// Of this boot.
    flows: Vec<Flow>,
    /// When the counters were read last, and the time before, by `CLOCK_BOOTTIME`.
    reads: [u64; 2],
    /// Everything that passed in earlier boots, and what of it the ledger has.
    before: (u64, u64),
    cuts: usize,
}

impl Life {
    fn new(settings: Settings) -> Self {
        let at = Stamp { wall: Timestamp::from_secs(DAY), boot_ms: 20_000, trusted: true };
        let state = State::restored(settings.clone(), Restored::empty());
        let ledger = Ledger::default();
        let (flows, reads) = (Vec::new(), [0; 2]);
        let mut life = Self { settings, state, ledger, boot: 0, at, flows, reads, before: (0, 0), cuts: 0 };
        life.starts();
        life
    }

    fn boot_id(&self) -> BootId {
        BootId::new(format!("boot-{}", self.boot)).unwrap()
    }

    /// The machine is up, the service begins, and the modem connects again.
    fn starts(&mut self) {
        self.boot += 1;
        self.at.boot_ms = 20_000;
        self.flows = vec![Flow { since_ms: 20_000, passed: 0, rate: 0 }];
        self.reads = [20_000; 2];
        self.before.1 = self.ledger.sum("0017").0;
        let boot = self.boot_id();
        self.state = State::restored(self.settings.clone(), self.ledger.restored(&boot));
        self.feed(Event::Started { boot, links: vec![link(0)] });
        self.feed(Event::RulesLoaded(Vec::new()));
        self.feed(Event::ModemSeen(Box::new(modem(Registration::Home, true))));
    }

    fn feed(&mut self, event: Event) {
        let mut events = std::collections::VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut fx = self.state.step(self.at, &event);
            if !fx.load_totals.is_empty() {
                fx.changes.extend(self.state.flush(self.at));
            }
            for change in fx.changes {
                self.ledger.apply(change);
            }
            events.extend(fx.load_totals.into_iter().map(|query| self.ledger.answer(query)));
        }
    }

    /// What had passed in this boot at an instant.
    fn passed(&self, at_ms: u64) -> u64 {
        let flow = self.flows.iter().rev().find(|flow| flow.since_ms <= at_ms).unwrap_or(&self.flows[0]);
        flow.passed + flow.rate * at_ms.saturating_sub(flow.since_ms) / 1_000
    }

    fn flows(&mut self, rate: u64) {
        let (since_ms, passed) = (self.at.boot_ms, self.passed(self.at.boot_ms));
        self.flows.push(Flow { since_ms, passed, rate });
    }

    /// As the engine waits and wakes.
    fn runs(&mut self, millis: u64) {
        let until = self.at.boot_ms + millis;
        loop {
            let read = self.state.next_read(self.at, false);
            let wake = self.state.next_wake(self.at).map(|wake| wake.after);
            let Some(after) = read.into_iter().chain(wake).min() else { break };
            let after = after.as_millis().unsigned_abs();
            if self.at.boot_ms + after > until {
                break;
            }
            self.waits(after);
            if read.is_some_and(|read| read.as_millis().unsigned_abs() <= after) {
                self.reads = [self.at.boot_ms, self.reads[0]];
                self.feed(Event::LinksRead(vec![link(self.passed(self.at.boot_ms))]));
            }
            if wake.is_some_and(|wake| wake.as_millis().unsigned_abs() <= after) {
                self.feed(Event::WakeReached);
            }
        }
        self.waits(until - self.at.boot_ms);
    }

    fn waits(&mut self, millis: u64) {
        self.at.boot_ms += millis;
        self.at.wall = self.at.wall.saturating_add(Span(i64::try_from(millis).unwrap()));
    }

    fn budget(&self) -> u64 {
        let plan = self.settings.sims[&iccid()].plan.as_ref().and_then(|plan| plan.data);
        let thousandth = plan.map_or(100_000_000, |data| (data.0 / 1_000).max(10_000_000));
        self.settings.max_unsaved_bytes.unwrap_or(thousandth)
    }

    /// The power goes: what is lost is bounded, and what comes after is counted from nothing.
    fn cut(&mut self, off_ms: i64) {
        let now = self.at.boot_ms;
        let (there, passed) = (self.ledger.sum("0017").0 - self.before.1, self.passed(now));
        assert!(there <= passed, "{there} of {passed}: bytes are invented");
        let lost = passed - there;
        let since_read = passed - self.passed(self.reads[0]);
        assert!(
            lost < self.budget() + since_read.max(1),
            "{lost} lost, {since_read} of it since the last reading"
        );
        let old = now.saturating_sub(self.settings.max_unsaved_time.as_millis().unsigned_abs());
        assert!(there >= self.passed(old), "what passed at {old} is lost at {now}");
        if let Some(budget) = self.settings.max_unsaved_bytes {
            // Whatever began to flow.
            let most = budget + self.settings.line_rate + 1;
            assert!(lost <= most, "{lost} of {most} lost, {since_read} of it since the last reading");
        }
        let rate = self.flows[self.flows.len() - 1];
        if rate.since_ms <= self.reads[1] && self.reads[1] < self.reads[0] {
            // As fast as before: within the budget, or a second's worth where that is more.
            let most = self.budget().max(rate.rate + 1);
            assert!(lost <= most, "{lost} of {most} lost at {} a second", rate.rate);
        }
        self.before.0 += passed;
        self.at.wall = self.at.wall.saturating_add(Span(off_ms));
        self.cuts += 1;
        self.starts();
        assert_eq!(self.ledger.sum("0017").0, self.before.1, "nothing is booked for what nobody knows");
        assert_eq!(self.ledger.gaps, vec!["rebooted"; self.cuts]);
    }
}

fn lives() -> impl Strategy<Value = Settings> {
    let bytes = proptest::option::of(60_000_u64..300_000_000);
    let data = proptest::option::of(1_000_000_000_u64..1_000_000_000_000);
    (bytes, 5_i64..600, 1_i64..300, data).prop_map(|(bytes, unsaved, every, data)| {
        let mut settings = settings();
        settings.max_unsaved_bytes = bytes;
        settings.max_unsaved_time = Span::secs(unsaved);
        settings.sample_every = Span::secs(every);
        for sim in settings.sims.values_mut() {
            sim.plan.as_mut().unwrap().data = data.map(Bytes);
        }
        settings
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_power_cut_costs_no_more_than_was_said(
        settings in lives(),
        boots in proptest::collection::vec(
            (proptest::collection::vec((prop_oneof![Just(0), 1_u64..20_000, 1_u64..125_000_000], 1_u64..200_000), 1..6),
            0_i64..100_000_000),
            1..5,
        ),
    ) {
        let mut life = Life::new(settings);
        for (flows, off_ms) in boots {
            for (rate, millis) in flows {
                life.flows(rate);
                life.runs(millis);
            }
            life.cut(off_ms);
        }
    }
}
