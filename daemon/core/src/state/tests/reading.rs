//! When counters are read and rules asked: early enough, and no more often than that.

use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;

const LINE: u64 = 125_000_000;
const GB: u64 = 1_000_000_000;

/// A connected modem on one link, driven as the engine drives it; rules that compare usage with thresholds.
struct Line {
    state: State,
    at: Stamp,
    /// Bytes that have passed.
    passed: u64,
    /// Bytes a second.
    rate: u64,
    /// What each rule compares usage with.
    thresholds: BTreeMap<RuleName, Vec<u64>>,
    unknown: bool,
    /// By rule, the usage it was asked about, in order.
    asked: BTreeMap<RuleName, Vec<u64>>,
    reads: u32,
    wakes: u32,
    followed: bool,
}

fn name(text: &str) -> RuleName {
    RuleName::new(text).unwrap()
}

fn with_data(data: Option<u64>) -> Settings {
    let mut settings = settings();
    settings.max_unsaved_bytes = None;
    settings.sample_every = Span::secs(60);
    for sim in settings.sims.values_mut() {
        if let Some(plan) = sim.plan.as_mut() {
            plan.data = data.map(Bytes);
        }
    }
    settings
}

impl Line {
    fn new(settings: Settings, thresholds: &[(&str, &[u64])]) -> Self {
        let at = Stamp { wall: Timestamp::from_secs(DAY + 43_200), boot_ms: 1_000_000, trusted: true };
        let mut line = Self {
            state: State::restored(settings, Restored::empty()),
            at,
            passed: 0,
            rate: 0,
            thresholds: thresholds.iter().map(|(rule, list)| (name(rule), list.to_vec())).collect(),
            unknown: false,
            asked: BTreeMap::new(),
            reads: 0,
            wakes: 0,
            followed: false,
        };
        let rules: Vec<RuleDescription> =
            line.thresholds.keys().map(|rule| super::rule(rule.as_str(), "usage", vec![])).collect();
        line.feed(Event::Started { boot: BootId::new("boot-1").unwrap(), links: vec![line.link()] });
        line.feed(Event::RulesLoaded(rules));
        line.feed(Event::ModemSeen(Box::new(modem(Registration::Home, true))));
        // Past the beginning, in which all rules are asked anew.
        line.run(61_000);
        line.asked.clear();
        (line.reads, line.wakes) = (0, 0);
        line
    }

    fn link(&self) -> LinkReading {
        LinkReading { counters: LinkCounters { rx_bytes: self.passed, ..LinkCounters::default() }, ..link(0) }
    }

    fn used(&self) -> u64 {
        self.state.used(&iccid())
    }

    fn feed(&mut self, event: Event) {
        let mut events = std::collections::VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let fx = self.state.step(self.at, &event);
            for query in fx.load_totals {
                events.push_back(Event::TotalsLoaded {
                    query,
                    by_zone: Vec::new(),
                    units: Vec::new(),
                    corrections: 0,
                    first_at: None,
                });
            }
            if !fx.evaluate.is_empty() {
                events.push_back(Event::RulesEvaluated(fx.evaluate.iter().map(|e| self.answer(e)).collect()));
            }
        }
    }

    fn answer(&mut self, asked: &Evaluation) -> RuleResult {
        let used = asked.input.sim.as_ref().unwrap().used_bytes;
        self.asked.entry(asked.rule.clone()).or_default().push(used);
        let thresholds = self.thresholds.get(&asked.rule).map(Vec::as_slice).unwrap_or_default();
        let at = thresholds.iter().copied().filter(|threshold| *threshold > used).min();
        RuleResult {
            watch: Watch { at, unknown: self.unknown },
            ..RuleResult::nothing(asked.rule.clone(), asked.trigger.clone())
        }
    }

    /// Lets so much time pass, as the engine waits and wakes.
    fn run(&mut self, millis: u64) {
        let until = self.at.boot_ms + millis;
        loop {
            let read = self.state.next_read(self.at, self.followed);
            let wake = self.state.next_wake(self.at).map(|wake| wake.after);
            let Some(after) = read.into_iter().chain(wake).min() else { break };
            let after = u64::try_from(after.as_millis()).unwrap();
            if self.at.boot_ms + after > until {
                break;
            }
            self.pass(after);
            self.wakes += 1;
            if read.is_some_and(|read| read.as_millis().unsigned_abs() <= after) {
                self.reads += 1;
                self.feed(Event::LinksRead(vec![self.link()]));
            }
            if wake.is_some_and(|wake| wake.as_millis().unsigned_abs() <= after) {
                self.feed(Event::WakeReached);
            }
        }
        self.pass(until - self.at.boot_ms);
    }

    fn pass(&mut self, millis: u64) {
        self.at.boot_ms += millis;
        self.at.wall = self.at.wall.saturating_add(Span(i64::try_from(millis).unwrap()));
        self.passed += self.rate * millis / 1000;
    }

    fn asked_of(&self, rule: &str) -> &[u64] {
        self.asked.get(&name(rule)).map(Vec::as_slice).unwrap_or_default()
    }
}

#[test]
fn far_from_a_threshold_readings_are_rare_and_meet_the_minute() {
    let mut line = Line::new(with_data(Some(100 * GB)), &[("half", &[50 * GB])]);
    line.rate = 10_000;
    line.run(3_600_000);
    assert!((60..=61).contains(&line.reads), "{} readings in an hour", line.reads);
    // The rules are asked once for staleness, and at nothing else.
    assert!(line.wakes <= line.reads + 1, "{} wake-ups for {} readings", line.wakes, line.reads);
    assert!(line.asked_of("half").len() <= 1, "{:?}", line.asked_of("half"));
    let next = line.state.next_read(line.at, false).unwrap();
    assert_eq!(line.at.wall.saturating_add(next).as_millis() % 60_000, 0);
    line.followed = true;
    line.reads = 0;
    line.run(60_000);
    assert!((29..=31).contains(&line.reads), "{} readings while somebody looks", line.reads);
}

#[test]
fn near_a_threshold_readings_come_each_second() {
    let mut line = Line::new(with_data(Some(100 * GB)), &[("half", &[5 * GB])]);
    line.run(123_000);
    assert!((2..=4).contains(&line.reads), "a reading each 41 s: {}", line.reads);
    line.rate = LINE / 10;
    while line.passed < 5 * GB - LINE / 2 {
        line.run(1_000);
    }
    line.reads = 0;
    line.run(5_000);
    assert!((3..=6).contains(&line.reads), "{}", line.reads);
    while line.passed < 5 * GB + LINE {
        line.run(1_000);
    }
    assert!(
        line.asked_of("half").iter().any(|used| (5 * GB..5 * GB + LINE).contains(used)),
        "{:?}",
        line.asked
    );
    line.rate = 0;
    line.run(1_000);
    line.reads = 0;
    line.run(600_000);
    assert!(line.reads <= 12, "what is behind is behind: {}", line.reads);
}

#[test]
fn a_rule_is_asked_where_its_own_answer_changes_and_the_others_are_not() {
    let data = 1_000 * GB;
    let mut line =
        Line::new(with_data(Some(data)), &[("early", &[GB, 2 * GB]), ("late", &[600 * GB]), ("never", &[])]);
    line.rate = 10_000_000;
    line.run(300_000);
    // Three gigabytes in five minutes: less than a hundredth, in less than an hour.
    assert_eq!(line.asked_of("early").len(), 2, "{:?}", line.asked);
    assert_eq!(line.asked_of("late").len() + line.asked_of("never").len(), 0, "{:?}", line.asked);
    // Nothing more is used: after an hour all are asked, once.
    line.rate = 0;
    line.run(7_200_000);
    assert_eq!(line.asked_of("never").len(), 1, "{:?}", line.asked);
    line.run(3_600_000);
    assert_eq!(line.asked_of("never").len(), 1, "without growth nobody asks: {:?}", line.asked);
}

#[test]
fn every_rule_is_asked_as_the_allowance_is_used_up_and_by_each_hundredth() {
    let mut line = Line::new(with_data(Some(10 * GB)), &[("never", &[])]);
    line.rate = 10_000_000;
    line.run(990_000);
    let hundredths = line.asked_of("never").len();
    assert!((80..=100).contains(&hundredths), "{hundredths}");
    line.rate = 500_000;
    line.run(250_000);
    let over = line.asked_of("never").iter().filter(|used| **used >= 10 * GB).count();
    assert_eq!(over, 1, "{:?}", line.asked_of("never").last());
}

#[test]
fn an_unknown_threshold_is_each_whole_percent() {
    let mut line = Line::new(with_data(Some(100 * GB)), &[("own", &[])]);
    line.unknown = true;
    line.feed(Event::UsageCorrected(crate::ledger::Correction {
        iccid: iccid(),
        at: line.at.wall,
        bytes: 10_400_000_000,
        author: "uid 0".to_owned(),
        reason: "counted".to_owned(),
        undoes: None,
    }));
    line.asked.clear();
    line.rate = 20_000_000;
    line.run(40_000);
    let [asked] = line.asked_of("own") else { panic!("once, not {:?}", line.asked) };
    assert!((11 * GB..11 * GB + 20_000_000 * 2).contains(asked), "{asked}");
}

#[test]
fn what_a_power_cut_may_cost_is_read_in_time() {
    let mut line = Line::new(with_data(Some(10 * GB)), &[("never", &[])]);
    line.rate = 1_000_000;
    line.run(120_000);
    line.reads = 0;
    line.run(60_000);
    assert!((6..=8).contains(&line.reads), "{} readings a minute", line.reads);
    line.rate = 0;
    line.run(60_000);
    line.reads = 0;
    line.run(300_000);
    assert!(line.reads <= 6, "{} readings in five minutes without growth", line.reads);
}

/// Nothing flows, and all that the line carries may begin to.
#[test]
fn an_amount_that_is_named_is_held_to_at_the_line_s_rate() {
    for (seconds, readings) in [(20, 3), (2, 30), (0, 60)] {
        let mut settings = with_data(Some(1_000 * GB));
        settings.max_unsaved_bytes = Some(seconds * LINE + 60_000);
        let mut line = Line::new(settings, &[("never", &[])]);
        line.run(60_000);
        line.reads = 0;
        line.run(60_000);
        assert!((readings - 1..=readings + 1).contains(&line.reads), "{} in a minute", line.reads);
    }
}

#[test]
fn each_hour_and_each_cycle_s_beginning_is_met_by_a_reading() {
    let mut settings = with_data(Some(1_000 * GB));
    settings.sample_every = Span::secs(7 * 60);
    settings.max_unsaved_time = Span::secs(3_600);
    let mut line = Line::new(settings, &[("never", &[])]);
    line.rate = 1_000;
    let hour = 3_600_000;
    for _ in 0..21 * 24 {
        let to_hour = hour - line.at.wall.as_millis().unsigned_abs() % hour;
        line.run(to_hour - 1);
        let before = line.reads;
        line.run(1);
        assert_eq!(line.reads, before + 1, "at {:?}", line.at.wall);
    }
    assert!(line.reads <= 21 * 24 * 10, "{}", line.reads);
}

#[test]
fn readings_come_to_whole_steps_whatever_instant_one_came_at() {
    for (every, early) in [(4, 3), (4, 400), (4, 999), (20, 999), (60, 1_001), (60, 20_000)] {
        let mut settings = with_data(Some(1_000 * GB));
        settings.sample_every = Span::secs(every);
        let mut line = Line::new(settings, &[("never", &[])]);
        let step = every.unsigned_abs() * 1_000;
        let to_step = step - line.at.wall.as_millis().unsigned_abs() % step;
        line.run(to_step + step - early);
        // On some other occasion.
        line.feed(Event::LinksRead(vec![line.link()]));
        line.reads = 0;
        line.run(early + 10 * step);
        let next = line.state.next_read(line.at, false).unwrap();
        assert_eq!(next, Span::secs(every), "{every} s, {early} ms before");
        assert_eq!(line.reads, 11, "{every} s, {early} ms before");
    }
}

#[test]
fn a_commit_is_left_to_a_reading_that_comes_in_time() {
    let mut settings = with_data(Some(1_000 * GB));
    (settings.sample_every, settings.max_unsaved_time) = (Span::secs(4), Span::secs(12));
    let mut line = Line::new(settings, &[("never", &[])]);
    line.rate = 1_000;
    line.run(12_000);
    for _ in 0..10 {
        while line.state.accounting.unsaved().1.is_none_or(|since| line.at.boot_ms - since != 11_500) {
            line.run(500);
        }
        line.feed(Event::ClockChanged);
        assert!(line.state.accounting.unsaved().0 > 0, "committed half a second before the reading");
        line.run(500);
        assert_eq!(line.state.accounting.unsaved(), (0, None), "all of it is committed by the reading");
    }
}

#[test]
fn nothing_connected_nothing_read() {
    let mut line = Line::new(with_data(Some(GB)), &[("half", &[500_000_000])]);
    assert!(line.state.next_read(line.at, false).is_some());
    line.feed(Event::ModemSeen(Box::new(modem(Registration::Home, false))));
    assert_eq!(line.state.next_read(line.at, false), None);
    assert_eq!(line.state.next_read(line.at, true), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever passes, up to the line's rate: a threshold is noticed within a second of the line's rate.
    #[test]
    fn a_crossing_is_noticed_in_time(
        data in prop_oneof![10_000_000_u64..1_000 * GB, Just(0)],
        parts in proptest::collection::vec(1_u64..1_000, 1..5),
        phases in proptest::collection::vec((0_u64..=LINE, 1_u64..200_000, 0_u32..4), 1..30),
        every in 1_i64..600,
    ) {
        let scale = if data == 0 { 100 * GB } else { data };
        let thresholds: Vec<u64> = parts.iter().map(|part| scale / 1000 * part).collect();
        let mut settings = with_data((data > 0).then_some(data));
        settings.sample_every = Span::secs(every);
        let mut line = Line::new(settings, &[("r", &thresholds)]);
        let mut crossings: Vec<u64> = thresholds.iter().copied().chain((data > 0).then_some(data)).collect();
        crossings.sort_unstable();
        crossings.dedup();
        for (rate, millis, shift) in phases {
            line.rate = rate >> (shift * 8);
            line.run(millis);
            // The last reading is at most a second of the line's rate behind, where a threshold is in between.
            let (used, passed) = (line.used(), line.passed);
            for crossing in &crossings {
                prop_assert!(
                    used >= *crossing || passed < *crossing || passed - *crossing <= LINE + LINE / 500,
                    "{} passed, {} known, {}", passed, used, crossing
                );
            }
        }
        // Each of them was asked about, at once: with what was read as it was met.
        let asked = line.asked_of("r");
        for crossing in crossings.iter().filter(|crossing| line.used() >= **crossing) {
            let first = asked.iter().copied().filter(|used| used >= crossing).min();
            let limit = (crossing + LINE + LINE / 500).max(*crossing + data / 1000);
            prop_assert!(first.is_some_and(|first| first <= limit), "{} of {:?}, asked at {:?}", crossing, thresholds, first);
        }
    }
}
