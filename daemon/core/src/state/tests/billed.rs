//! What the state says is billed, beside the ledger: at any time the same.

use proptest::prelude::*;

use super::ledger::Ledger;
use super::*;
use crate::billing::{FreeHours, Increment, Per, Tariff, Units};
use crate::effect::TotalsQuery;
use crate::ledger::When;
use crate::observation::{Observation, ObservationSource, Observed, Spent};
use crate::zone::tests::{berlin, utc};

mod corrected;

/// A service with its ledger, a modem, and a clock that the test turns.
struct Life {
    state: State,
    ledger: Ledger,
    at: Stamp,
    settings: Settings,
    counter: (u64, u64),
    connected: bool,
    roaming: bool,
    /// Received and sent while a connection was up.
    truth: (u64, u64),
}

fn with_plan(change: impl FnOnce(&mut Plan)) -> Settings {
    let mut settings = settings();
    let sim = settings.sims.get_mut(&iccid()).unwrap();
    sim.zone = berlin();
    change(sim.plan.as_mut().unwrap());
    settings
}

fn step(bytes: u64, per: Per) -> Option<Increment> {
    Some(Increment { bytes: Bytes(bytes), per })
}

fn nights() -> FreeHours {
    FreeHours { from: "00:00".parse().unwrap(), until: "06:00".parse().unwrap(), days: (1..=7).collect() }
}

impl Life {
    fn new(settings: Settings, from: &str) -> Self {
        let at = Stamp { wall: utc(from), boot_ms: 1_000_000, trusted: true };
        let state = State::restored(settings.clone(), Restored::empty());
        let mut life = Self {
            state,
            ledger: Ledger::default(),
            at,
            settings,
            counter: (0, 0),
            connected: false,
            roaming: false,
            truth: (0, 0),
        };
        life.begin();
        life
    }

    fn begin(&mut self) {
        let links = vec![self.link()];
        self.feed(&Event::Started { boot: BootId::new("boot-1").unwrap(), links });
        self.show();
    }

    fn link(&self) -> LinkReading {
        let (rx_bytes, tx_bytes) = self.counter;
        LinkReading { counters: LinkCounters { rx_bytes, rx_packets: 1, tx_bytes, tx_packets: 1 }, ..link(0) }
    }

    fn feed(&mut self, event: &Event) {
        let fx = self.state.step(self.at, event);
        self.keep(fx.changes);
        for query in fx.load_totals {
            let changes = self.state.flush(self.at);
            self.keep(changes);
            let loaded = self.answer(query);
            let more = self.state.step(self.at, &loaded);
            self.keep(more.changes);
            assert!(more.load_totals.is_empty());
        }
    }

    fn keep(&mut self, changes: Vec<Change>) {
        for change in changes {
            self.ledger.apply(change);
        }
    }

    /// As the shell answers: units by the plan as it is now.
    fn answer(&self, query: TotalsQuery) -> Event {
        let units = match self.state.tariff(&query.iccid).filter(|t| t.plan.bills_by_unit()) {
            Some(tariff) => units(&self.ledger, &tariff, query.from),
            None => Units::default(),
        };
        let Event::TotalsLoaded { query, by_zone, corrections, first_at, .. } = self.ledger.answer(query)
        else {
            panic!("totals")
        };
        Event::TotalsLoaded { query, by_zone, units: units.into_sums(), corrections, first_at }
    }

    fn show(&mut self) {
        let registration = if self.roaming { Registration::Roaming } else { Registration::Home };
        let links = vec![self.link()];
        self.feed(&Event::LinksRead(links));
        self.feed(&Event::ModemSeen(Box::new(modem(registration, self.connected))));
    }

    fn pass(&mut self, millis: i64) {
        self.at.wall = self.at.wall.saturating_add(Span(millis));
        self.at.boot_ms += u64::try_from(millis).unwrap();
    }

    fn wait(&mut self, millis: i64) {
        self.pass(millis);
        self.feed(&Event::WakeReached);
    }

    /// Read just before and just after: what passes lands where it belongs.
    fn traffic(&mut self, rx: u64, tx: u64) {
        let links = vec![self.link()];
        self.feed(&Event::LinksRead(links));
        self.pass(1_000);
        self.counter = (self.counter.0 + rx, self.counter.1 + tx);
        if self.connected {
            self.truth = (self.truth.0 + rx, self.truth.1 + tx);
        }
        let links = vec![self.link()];
        self.feed(&Event::LinksRead(links));
    }

    fn connect(&mut self, connected: bool) {
        self.connected = connected;
        self.show();
    }

    fn roam(&mut self) {
        self.roaming = !self.roaming;
        self.show();
    }

    fn reload(&mut self, settings: Settings) {
        self.settings = settings.clone();
        self.feed(&Event::SettingsLoaded(Box::new(settings)));
    }

    /// What the service held and had not committed is gone; the kernel remembers it.
    fn kill(&mut self) {
        let boot = BootId::new("boot-1").unwrap();
        self.state = State::restored(self.settings.clone(), self.ledger.restored(&boot));
        self.pass(5_000);
        self.begin();
    }

    fn billed(&self) -> u64 {
        self.state.facts(&iccid()).unwrap().billed_bytes
    }

    /// From the ledger, with what waits for it, alone.
    fn recomputed(&self) -> u64 {
        let (mut state, mut ledger) = (self.state.clone(), self.ledger.clone());
        for change in state.flush(self.at) {
            ledger.apply(change);
        }
        let tariff = self.state.tariff(&iccid()).unwrap();
        let Some((start, _)) = self.state.sims().next().unwrap().bounds else { return 0 };
        units(&ledger, &tariff, start).billed(tariff.plan.counts)
    }

    fn agrees(&self) {
        assert_eq!(self.billed(), self.recomputed());
    }
}

fn units(ledger: &Ledger, tariff: &Tariff<'_>, from: Timestamp) -> Units {
    let mut units = Units::default();
    for (session, zone, when, volume) in ledger.by_session(&iccid()) {
        if matches!(when, When::Hour(at) if at >= from) {
            assert!(units.add(tariff, session, &zone, &when, volume));
        }
    }
    units
}

const HOUR: i64 = 3_600_000;

#[test]
fn a_connection_is_one_through_a_kill_and_is_rounded_anew_abroad_and_in_the_next_cycle() {
    let by_session = with_plan(|plan| plan.increment = step(100, Per::Session));
    let mut life = Life::new(by_session, "2026-11-29T12:00:00");
    life.connect(true);
    life.traffic(10, 0);
    assert_eq!(life.billed(), 100);
    life.kill();
    life.traffic(10, 0);
    assert_eq!(life.billed(), 100, "the same connection");
    life.roam();
    life.traffic(10, 0);
    assert_eq!(life.billed(), 200, "another network");
    life.roam();
    life.traffic(10, 0);
    assert_eq!(life.billed(), 200, "the first network again, in the same connection");
    life.connect(false);
    life.connect(true);
    life.traffic(10, 0);
    assert_eq!(life.billed(), 300, "another connection");
    life.wait(48 * HOUR);
    assert_eq!(life.billed(), 0);
    life.traffic(10, 0);
    assert_eq!(life.billed(), 100, "the same connection, in another cycle");
    life.agrees();
}

#[test]
fn a_change_of_plan_in_mid_cycle_works_everything_out_anew() {
    let mut life = Life::new(with_plan(|_| ()), "2026-11-10T12:00:00");
    life.connect(true);
    life.traffic(130, 20);
    life.connect(false);
    life.connect(true);
    life.traffic(10, 200);
    life.wait(14 * HOUR);
    // At three in the morning.
    life.traffic(40, 0);
    assert_eq!(life.billed(), 400);
    for (change, billed) in [
        (with_plan(|plan| plan.increment = step(100, Per::Session)), 200 + 300),
        (with_plan(|plan| plan.increment = step(100, Per::Day)), 400 + 100),
        (with_plan(|plan| plan.free_hours = vec![nights()]), 360),
        (
            with_plan(|plan| {
                plan.free_hours = vec![nights()];
                plan.increment = step(1_000, Per::Session);
            }),
            2_000,
        ),
        (with_plan(|plan| plan.counts = Counts::Max), 220),
        (with_plan(|_| ()), 400),
    ] {
        life.reload(change);
        assert_eq!(life.billed(), billed);
        life.agrees();
    }
}

#[test]
fn a_slot_spans_no_edge_of_the_hours_that_cost_nothing() {
    // Half past four in the morning; hours end at a quarter to five.
    let hours = FreeHours { until: "04:45".parse().unwrap(), ..nights() };
    let mut life = Life::new(with_plan(|plan| plan.free_hours = vec![hours]), "2026-11-10T03:30:00");
    life.connect(true);
    life.traffic(10, 0);
    assert_eq!(life.billed(), 0);
    life.wait(15 * 60_000 - 2_000);
    life.traffic(5, 0);
    assert_eq!(life.billed(), 0, "the last second of them");
    life.traffic(7, 0);
    assert_eq!(life.billed(), 7);
    life.agrees();
    // All of it lies in one hour of UTC.
    life.wait(300_000);
    let starts: std::collections::BTreeSet<_> =
        life.ledger.by_session(&iccid()).into_iter().map(|(_, _, when, _)| when).collect();
    assert_eq!(starts.len(), 2, "{starts:?}");
}

#[test]
fn usage_of_an_hour_that_comes_twice_and_of_a_leap_day() {
    let free = with_plan(|plan| plan.free_hours = vec![nights()]);
    let mut life = Life::new(free, "2026-10-25T00:30:00");
    life.connect(true);
    for _ in 0..3 {
        // 02:30 twice, then 03:30.
        life.traffic(10, 0);
        life.wait(HOUR - 1_000);
    }
    assert_eq!(life.billed(), 0);
    life.wait(2 * HOUR);
    life.traffic(3, 0);
    assert_eq!(life.billed(), 3, "half past five and an hour");
    let by_day = with_plan(|plan| plan.increment = step(100, Per::Day));
    let mut life = Life::new(by_day, "2028-02-28T12:00:00");
    life.connect(true);
    for (days, billed) in [(0, 100), (1, 200)] {
        life.wait(days * 24 * HOUR);
        life.traffic(1, 0);
        assert_eq!(life.billed(), billed);
    }
    life.wait(24 * HOUR);
    life.traffic(1, 0);
    assert_eq!(life.billed(), 100, "the first of March begins a cycle");
    life.agrees();
}

#[test]
fn undated_usage_counts_at_once_and_rightly_once_it_is_dated() {
    let free = with_plan(|plan| {
        plan.free_hours = vec![nights()];
        plan.increment = step(100, Per::Day);
    });
    // Two in the morning, and nobody vouches for the clock.
    let mut life = Life::new(free, "2026-11-10T01:00:00");
    life.connect(true);
    life.at.trusted = false;
    life.feed(&Event::ClockChanged);
    life.traffic(10, 0);
    assert_eq!(life.billed(), 100, "at which hour is not known");
    life.at.trusted = true;
    life.feed(&Event::ClockChanged);
    assert_eq!(life.billed(), 0, "it was free");
    life.agrees();
}

/// What a carrier says, judged by the state as it is.
fn observe(life: &mut Life, bytes: u64) -> Observation {
    let spent: Spent = life.state.spent(&iccid()).unwrap();
    let observed = Observed {
        iccid: iccid(),
        at: life.at.wall,
        bytes,
        source: ObservationSource::User,
        author: "uid 0".to_owned(),
        note: String::new(),
    };
    let observation = life.state.observation(observed, spent).unwrap();
    life.feed(&Event::UsageObserved(observation.clone()));
    observation
}

#[test]
fn only_a_plan_that_says_so_goes_by_the_calibrated_figure() {
    let mut life = Life::new(
        with_plan(|plan| {
            plan.data = Some(Bytes(1_000_000_000));
            plan.increment = step(1_000_000, Per::Session);
        }),
        "2026-11-10T12:00:00",
    );
    life.connect(true);
    life.traffic(99_500_000, 0);
    observe(&mut life, 106_000_000);
    let facts = life.state.facts(&iccid()).unwrap();
    assert_eq!((facts.measured_bytes, facts.billed_bytes), (99_500_000, 100_000_000));
    assert_eq!((facts.calibrated_bytes, facts.used_bytes), (Some(106_000_000), 100_000_000));
    life.reload(with_plan(|plan| {
        plan.data = Some(Bytes(1_000_000_000));
        plan.increment = step(1_000_000, Per::Session);
        plan.calibrate = true;
    }));
    let facts = life.state.facts(&iccid()).unwrap();
    assert_eq!((facts.used_bytes, facts.remaining_bytes), (106_000_000, Some(894_000_000)));
    // One more byte of the increment begun costs nothing; the first beyond it a million times the factor.
    assert_eq!(life.state.bytes_until(&iccid(), 106_000_000), Some(0));
    assert_eq!(life.state.bytes_until(&iccid(), 106_000_001), Some(500_001));
    life.traffic(500_000, 0);
    assert_eq!(life.state.used(&iccid()), 106_000_000);
    assert_eq!(life.state.bytes_until(&iccid(), 107_060_000), Some(1));
    life.traffic(1, 0);
    assert_eq!(life.state.used(&iccid()), 107_060_000);
    // Other terms, nothing learnt.
    life.reload(with_plan(|plan| {
        plan.data = Some(Bytes(1_000_000_000));
        plan.calibrate = true;
    }));
    let facts = life.state.facts(&iccid()).unwrap();
    assert_eq!((facts.calibration, facts.used_bytes), (None, 100_000_001));
}

#[derive(Debug, Clone)]
enum Op {
    Connect,
    Disconnect,
    Traffic(u64, u64),
    /// Passes unread until the next reading, however long that is.
    Unread(u64, u64),
    Wait(i64),
    Roam,
    Commit,
    Kill,
    Plan(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => Just(Op::Connect),
        1 => Just(Op::Disconnect),
        8 => (0..500_u64, 0..500_u64).prop_map(|(rx, tx)| Op::Traffic(rx, tx)),
        3 => (0..500_u64, 0..500_u64).prop_map(|(rx, tx)| Op::Unread(rx, tx)),
        6 => prop_oneof![1_000..HOUR, HOUR..30 * HOUR, 24 * HOUR..20 * 24 * HOUR].prop_map(Op::Wait),
        1 => Just(Op::Roam),
        1 => Just(Op::Commit),
        1 => Just(Op::Kill),
        1 => (0..6_usize).prop_map(Op::Plan),
    ]
}

fn plans(which: usize) -> Settings {
    with_plan(|plan| {
        let edge = FreeHours {
            from: "22:30".parse().unwrap(),
            until: "02:30".parse().unwrap(),
            days: [5, 6, 7].into_iter().collect(),
        };
        match which {
            0 => plan.increment = step(100, Per::Session),
            1 => plan.increment = step(100, Per::Day),
            2 => plan.free_hours = vec![edge, nights()],
            3 => {
                plan.free_hours = vec![edge];
                plan.increment = step(7, Per::Session);
                plan.counts = Counts::Max;
            }
            4 => {
                plan.free_hours = vec![nights()];
                plan.increment = step(1_000, Per::Day);
                plan.roaming_counts = false;
                plan.counts = Counts::Download;
            }
            _ => plan.counts = Counts::Upload,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_state_is_as_the_ledger_at_any_time(
        first in 0..6_usize,
        from in prop_oneof![
            Just("2026-03-28T20:00:00"), Just("2026-10-24T20:00:00"), Just("2028-02-27T20:00:00"), Just("2026-11-29T09:00:00"),
        ],
        ops in proptest::collection::vec(op(), 1..60),
    ) {
        let mut life = Life::new(plans(first), from);
        life.connect(true);
        for op in ops {
            match op {
                Op::Connect => life.connect(true),
                Op::Disconnect => life.connect(false),
                Op::Traffic(rx, tx) => life.traffic(rx, tx),
                Op::Unread(rx, tx) if life.connected => {
                    life.counter = (life.counter.0 + rx, life.counter.1 + tx);
                    life.truth = (life.truth.0 + rx, life.truth.1 + tx);
                }
                Op::Unread(..) => {}
                Op::Wait(millis) => life.wait(millis),
                Op::Roam => life.roam(),
                Op::Commit => {
                    let changes = life.state.flush(life.at);
                    life.keep(changes);
                }
                Op::Kill => life.kill(),
                Op::Plan(which) => life.reload(plans(which)),
            }
            prop_assert_eq!(life.billed(), life.recomputed());
        }
        let links = vec![life.link()];
        life.feed(&Event::LinksRead(links));
        let changes = life.state.flush(life.at);
        life.keep(changes);
        prop_assert_eq!(life.ledger.sum("0017"), life.truth, "measured is what passed, to the byte");
        prop_assert_eq!(life.billed(), life.recomputed());
    }
}

/// The state's answer is never later than the crossing, whichever connection the bytes pass in.
#[test]
fn so_many_bytes_and_no_fewer_reach_a_target() {
    for which in 0..6 {
        let mut life = Life::new(plans(which), "2026-11-10T12:00:00");
        life.connect(true);
        life.traffic(321, 123);
        for target in [1, 100, 500, 777, 5_000] {
            let mut trial = Life::new(plans(which), "2026-11-10T12:00:00");
            trial.connect(true);
            trial.traffic(321, 123);
            let fewest = trial.state.bytes_until(&iccid(), target).unwrap();
            assert_eq!(fewest == 0, trial.state.used(&iccid()) >= target, "plan {which}, {target}");
            if fewest > 0 {
                trial.traffic(fewest / 2, fewest - fewest / 2 - 1);
                assert!(trial.state.used(&iccid()) < target, "plan {which}, {target}: {fewest}");
            }
        }
        life.agrees();
    }
}
