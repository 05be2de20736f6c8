//! Random lives of a modem and its service.

use proptest::prelude::*;

use super::left_out::leave_out;
use super::sources::choose;
use super::*;
use crate::ledger::Figures;
use crate::settings::SourceChoice;
use crate::view::SimFacts;

#[derive(Debug, Clone)]
enum Op {
    Connect,
    Disconnect,
    Traffic(u32, u32),
    /// Passes over the link while no bearer uses it.
    Stray(u32),
    Read,
    Commit,
    Roam,
    Recreate,
    /// As [`Op::Recreate`], of a link that sets back what it received since it was read.
    SetBack,
    Reset,
    Swap,
    ModemManagerCrash,
    ModemManagerReturn,
    Kill,
    Start,
    Reboot,
    Trust,
    /// ModemManager polls its figures.
    Poll,
    /// Megabytes that the kernel sees a fiftieth of.
    Bypass(u8),
    Source(SourceChoice),
    /// Connections are none of the plan's from now on, or are again.
    LeaveOut(bool),
    /// Another slot or eSIM profile comes into use while the connection stays.
    Switch,
    ClockStep(i64),
    Suspend(u16),
    /// The bus is gone, and ModemManager goes on.
    OutOfSight,
    InSight,
    /// A copy of the ledger is made, or the newest, or the oldest that is left, takes its place.
    Copy,
    Restore,
    RestoreOldest,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Connect),
        1 => Just(Op::Disconnect),
        8 => (0..20_000_u32, 0..20_000_u32).prop_map(|(rx, tx)| Op::Traffic(rx, tx)),
        1 => (1..5_000_u32).prop_map(Op::Stray),
        3 => Just(Op::Read),
        1 => Just(Op::Commit),
        1 => Just(Op::Roam),
        2 => Just(Op::Recreate),
        1 => Just(Op::SetBack),
        1 => Just(Op::Reset),
        1 => Just(Op::Swap),
        1 => Just(Op::ModemManagerCrash),
        2 => Just(Op::ModemManagerReturn),
        2 => Just(Op::Kill),
        4 => Just(Op::Start),
        1 => Just(Op::Reboot),
        1 => Just(Op::Trust),
        4 => Just(Op::Poll),
        2 => (1..40_u8).prop_map(Op::Bypass),
        1 => prop_oneof![Just(SourceChoice::Auto), Just(SourceChoice::Kernel), Just(SourceChoice::Modem)]
            .prop_map(Op::Source),
        1 => any::<bool>().prop_map(Op::LeaveOut),
        1 => Just(Op::Switch),
        1 => (-200_000..200_000_i64).prop_map(Op::ClockStep),
        1 => any::<u16>().prop_map(Op::Suspend),
        1 => Just(Op::OutOfSight),
        2 => Just(Op::InSight),
        1 => Just(Op::Copy),
        1 => Just(Op::Restore),
        1 => Just(Op::RestoreOldest),
    ]
}

/// One thing that happens, or some that seldom happen in a row by chance.
fn turn() -> impl Strategy<Value = Vec<Op>> {
    let passes = || (0..20_000_u32, 0..20_000_u32).prop_map(|(rx, tx)| Op::Traffic(rx, tx));
    let anew = |first: Op, last: Op| {
        (passes(), passes()).prop_map(move |(before, after)| {
            let connection = |passes: Op| [Op::Connect, passes, Op::Poll];
            let mut ops = connection(before).to_vec();
            ops.extend([first.clone(), Op::Disconnect]);
            ops.extend(connection(after));
            ops.extend([last.clone(), Op::Poll]);
            ops
        })
    };
    prop_oneof![
        50 => op().prop_map(|op| vec![op]),
        1 => anew(Op::Kill, Op::Start),
        1 => anew(Op::Copy, Op::Restore),
        1 => anew(Op::RestoreOldest, Op::Restore),
    ]
}

/// What really happens, and what of it nobody can know.
struct World {
    bench: Bench,
    running: bool,
    modemmanager: bool,
    out_of_sight: bool,
    index: u32,
    counter: (u64, u64),
    sim: usize,
    connected: bool,
    roaming: bool,
    truth: [(u64, u64); 2],
    /// Bytes passed that cannot be known, and a gap must say so.
    lost: [bool; 2],
    /// Bytes passed of which the ledger can know nothing, such as a first connection while the service did not run.
    unseen: [bool; 2],
    ever_untrusted: bool,
    swapped_unseen: bool,
    /// Whether ModemManager tells figures, and whether the modem goes on counting over a reconnect.
    modem: Modem,
    choice: SourceChoice,
    left_out: bool,
    /// Bytes that ModemManager's figures alone have: what follows their last poll is lost, which a gap says.
    approximate: [bool; 2],
    ever_stepped: bool,
    /// What passed: when, whose, received and sent.
    passed: Vec<(i64, usize, u64, u64)>,
    /// Bytes passed that a link alone knew of that was reset or swapped back unseen.
    untraceable: [bool; 2],
    /// In the order of their making.
    copies: Vec<Copy>,
    connections: usize,
    /// The last figure of the connection before, where nothing but a lower one tells this one from it.
    seems: Option<(i64, i64)>,
    /// How much had passed as the connection began, where the service has not seen it yet.
    unseen_since: Option<usize>,
    /// What the counter said as the connection began, where the service has watched it ever since.
    whole: Option<(u64, u64)>,
    /// Whether the service has seen both counters of the connection since it began.
    compared: bool,
}

/// Copies that are kept.
const COPIES: usize = 3;

/// A copy of the ledger, and what had passed by then.
#[derive(Clone)]
struct Copy {
    ledger: Ledger,
    passed: Vec<(i64, usize, u64, u64)>,
    connections: usize,
}

/// What ModemManager says of a connection.
#[derive(Debug, Clone, Copy)]
struct Modem {
    tells: bool,
    goes_on: bool,
    /// Whether there is a link whose counters the kernel keeps.
    link: bool,
    /// Whether it says when a connection began.
    starts: bool,
    /// Whether a connection is there for a moment before its first figure is.
    late: bool,
    counted: (u64, u64),
    polled: (u64, u64),
    start: i64,
    /// By the clock that nobody sets.
    began: i64,
    polled_at: i64,
}

impl Modem {
    fn new([tells, goes_on, link, starts, late]: [bool; 5]) -> Self {
        let tells = tells || !link;
        Self {
            tells,
            goes_on,
            link,
            starts,
            late,
            counted: (0, 0),
            polled: (0, 0),
            start: 0,
            began: 0,
            polled_at: 0,
        }
    }

    fn connects(&mut self, now: i64, wall: i64) {
        if !self.goes_on {
            self.counted = (0, 0);
        }
        // Two connections of one second are told apart all the same.
        self.start = wall.max(self.start + 1);
        self.began = now;
        self.polls(now);
    }

    fn polls(&mut self, now: i64) {
        self.polled = self.counted;
        self.polled_at = now;
    }

    fn carries(&mut self, rx: u64, tx: u64) {
        self.counted = (self.counted.0 + rx, self.counted.1 + tx);
    }
}

impl World {
    fn new(modem: Modem) -> Self {
        let links: &[LinkReading] = if modem.link { &[reading(5, 0, 0)] } else { &[] };
        let mut world = Self {
            bench: Bench::new(links),
            running: true,
            modemmanager: true,
            out_of_sight: false,
            index: 5,
            counter: (0, 0),
            sim: 0,
            connected: false,
            roaming: false,
            truth: [(0, 0); 2],
            lost: [false; 2],
            unseen: [false; 2],
            ever_untrusted: false,
            swapped_unseen: false,
            modem,
            choice: SourceChoice::Auto,
            left_out: false,
            approximate: [!modem.link; 2],
            ever_stepped: false,
            passed: Vec::new(),
            untraceable: [false; 2],
            copies: Vec::new(),
            connections: 0,
            seems: None,
            unseen_since: None,
            whole: None,
            compared: false,
        };
        world.show();
        world
    }

    fn link(&self) -> LinkReading {
        reading(self.index, self.counter.0, self.counter.1)
    }

    fn links(&self) -> Vec<LinkReading> {
        if self.modem.link { vec![self.link()] } else { Vec::new() }
    }

    fn watched(&self) -> bool {
        self.running && self.modemmanager && !self.out_of_sight
    }

    /// ModemManager polls its figures twice a minute.
    fn poll_due(&mut self) {
        if self.connected && self.modemmanager && self.bench.secs - self.modem.polled_at >= 30 {
            self.modem.polls(self.bench.secs);
            self.show();
        }
    }

    /// And how much of that the kernel saw, received.
    fn carries(&mut self, rx: u64, tx: u64, by_kernel: u64) {
        self.modem.carries(rx, tx);
        if self.left_out {
            return;
        }
        let truth = &mut self.truth[self.sim];
        *truth = (truth.0 + rx, truth.1 + tx);
        // Of a SIM of which nothing was ever counted nobody asks what it carried before.
        if self.watched() || self.bench.ledger.usage.keys().any(|(iccid, _)| iccid == SIMS[self.sim]) {
            // What bypasses the kernel is noticed where it is much.
            let rx = if self.modem.link { by_kernel } else { rx };
            self.passed.push((self.bench.secs + self.bench.off, self.sim, rx, tx));
        }
    }

    fn ends(&mut self) {
        self.forget_unseen();
        self.connected = false;
    }

    fn begins(&mut self) {
        self.connected = true;
        self.connections += 1;
        self.unseen_since = Some(self.passed.len());
        self.seems = self.may_seem().filter(|_| !self.modem.starts && !self.watched());
        self.modem.connects(self.bench.secs, self.bench.secs + self.bench.off);
    }

    /// Of a connection that came and went while nobody watched there is no trace.
    fn forget_unseen(&mut self) {
        if let Some(before) = self.unseen_since.take() {
            self.passed.truncate(before);
        }
    }

    fn view(&self, state: ModemState) -> ModemView {
        let mut bearer = bearer(state == ModemState::Connected, None);
        if self.modem.tells && bearer.connected {
            let Modem { polled, start, starts, began, polled_at, .. } = self.modem;
            let duration_s = u32::try_from(polled_at - began).unwrap();
            let start = starts.then_some(Timestamp::from_secs(start));
            bearer.stats = Some(BearerStats { rx_bytes: polled.0, tx_bytes: polled.1, duration_s, start });
            bearer.stats_supported = true;
        }
        if !self.modem.link {
            bearer.interface = None;
        }
        let mut view = view(self.sim, state, vec![bearer]);
        if self.roaming {
            view.registration = Registration::Roaming;
            view.operator_code = Some(OperatorCode::new("26202").unwrap());
        }
        view
    }

    fn show(&mut self) {
        if self.watched() {
            self.swapped_unseen = false;
            self.unseen_since = None;
            let (rx, tx) = self.modem.polled;
            if let Some(last) = self.seems.take().filter(|_| self.connected) {
                self.untraceable[self.sim] |= last.0 <= rx.cast_signed() && last.1 <= tx.cast_signed();
            }
            let state = if self.connected { ModemState::Connected } else { ModemState::Registered };
            let (links, view) = (self.links(), self.view(state));
            self.bench.seen(&links, view);
        }
    }

    /// The SIM whose bytes the link counts, by the ledger.
    fn by_ledger(&self) -> Option<usize> {
        let boot = format!("boot-{}", self.bench.boot);
        let mut bases = self.bench.ledger.baselines.values();
        let base = bases.find(|b| b.ifindex == Some(IfIndex(self.index)) && b.boot.as_str() == boot)?;
        SIMS.iter().position(|sim| base.iccid.as_ref().is_some_and(|iccid| iccid.as_str() == *sim))
    }

    /// The last figure of the connection that one which begins now, without a start, may seem: of that the ledger knows when
    /// the service saw it, and of this one within the age of a figure, and some seconds, when it began.
    fn may_seem(&self) -> Option<(i64, i64)> {
        let Ledger { baselines, epochs, sessions, .. } = &self.bench.ledger;
        let bases = baselines.values().filter(|base| base.counter.starts_with("bearer:"));
        let mut known = bases.filter_map(|base| sessions.get(&epochs[&base.epoch?].session?));
        let told = known.find(|session| {
            let seen = i64::try_from(session.began_boot_ms / 1_000).unwrap();
            self.bench.secs - NOON - seen <= 36
        })?;
        let Figures { grown, from_rx, from_tx } = told.told?;
        Some((from_rx + grown.rx.cast_signed(), from_tx + grown.tx.cast_signed()))
    }

    /// Whether the ledger knows of the connection that there is.
    fn known(&self) -> bool {
        self.by_ledger() == Some(self.sim)
    }

    fn step(&mut self, op: &Op) {
        if matches!(
            op,
            Op::Recreate
                | Op::SetBack
                | Op::Reset
                | Op::Switch
                | Op::Kill
                | Op::ModemManagerCrash
                | Op::OutOfSight
                | Op::Restore
                | Op::RestoreOldest
        ) {
            self.compared = false;
        }
        // What one counter is ahead of the other is known to half a minute only, where they were not compared from the
        // connection's beginning on: also where the kernel counts until ModemManager's figure can be compared.
        let awaits_figure = self.choice == SourceChoice::Modem && self.known();
        if matches!(op, Op::Source(SourceChoice::Modem) | Op::Bypass(_)) && self.modem.link || awaits_figure {
            self.untraceable[self.sim] |= self.connected && !self.compared;
        }
        if matches!(op, Op::Bypass(_) | Op::Source(_)) || self.choice == SourceChoice::Modem {
            self.whole = None;
        }
        self.compared &= !matches!(op, Op::Source(SourceChoice::Auto | SourceChoice::Kernel));
        self.whole = self.whole.filter(|_| self.compared || matches!(op, Op::Restore | Op::RestoreOldest));
        match *op {
            // Nobody but ModemManager makes a connection.
            Op::Connect if !self.connected && self.modemmanager && !self.out_of_sight => {
                if self.watched() {
                    let (links, view) = (self.links(), self.view(ModemState::Connecting));
                    self.bench.seen(&links, view);
                }
                self.begins();
                self.compared = self.watched();
                self.whole = Some(self.told()).filter(|_| self.watched() && !self.left_out);
                if self.modem.late && self.modem.tells && self.watched() {
                    let mut view = self.view(ModemState::Connected);
                    view.bearers[0].stats = None;
                    let links = self.links();
                    self.bench.seen(&links, view);
                }
                self.show();
            }
            Op::Disconnect if self.connected => {
                self.ends();
                self.show();
            }
            Op::Traffic(rx, tx) if self.connected => {
                let (rx, tx) = (u64::from(rx), u64::from(tx));
                self.counter = (self.counter.0 + rx, self.counter.1 + tx);
                self.carries(rx, tx, rx);
                if !self.watched() && !self.known() {
                    self.unseen[self.sim] = true;
                }
            }
            Op::Poll if self.modem.tells && self.connected && self.modemmanager => {
                self.bench.secs += 31;
                self.poll_due();
            }
            Op::Bypass(mb) if self.modem.tells && self.connected => {
                let bytes = u64::from(mb) * 1_000_000;
                self.counter.0 += bytes / 50;
                self.carries(bytes, 0, bytes / 50);
                self.approximate[self.sim] = true;
            }
            // Where there is no link, nothing else than ModemManager counts.
            Op::Source(choice)
                if self.modem.tells
                    && self.running
                    && (self.modem.link || choice != SourceChoice::Kernel) =>
            {
                self.choice = choice;
                choose(&mut self.bench, choice);
                if choice == SourceChoice::Modem {
                    self.approximate = [true; 2];
                }
            }
            Op::LeaveOut(left_out) if self.watched() && self.left_out != left_out => {
                self.step(&Op::Read);
                self.left_out = left_out;
                leave_out(&mut self.bench, if left_out { &["internet"] } else { &[] });
                self.whole = None;
                self.compared = false;
                if self.modem.tells {
                    self.approximate = [true; 2];
                }
            }
            Op::Switch if self.connected && self.watched() => {
                let links = self.links();
                self.bench.feed(&Event::LinksRead(links));
                // By ModemManager's figures it counts from the next one on.
                self.approximate[1 - self.sim] |= self.approximate[self.sim];
                self.sim = 1 - self.sim;
                self.show();
            }
            Op::ClockStep(secs) => {
                self.bench.off += secs;
                self.ever_stepped = true;
                if self.running {
                    self.bench.feed(&Event::ClockChanged);
                }
            }
            Op::Suspend(secs) => {
                self.bench.secs += i64::from(secs);
                if self.running {
                    self.bench.feed(&Event::WakeReached);
                }
                self.poll_due();
            }
            // While nobody watches, a disconnection cannot be told from silence: nothing else passes then.
            Op::Stray(bytes) if !self.connected && self.watched() => self.counter.0 += u64::from(bytes),
            Op::Read if self.running => {
                let links = self.links();
                self.bench.feed(&Event::LinksRead(links));
            }
            Op::Commit if self.running => self.bench.commit(),
            Op::Roam => {
                self.roaming = !self.roaming;
                self.show();
            }
            Op::Recreate if self.modem.link => self.recreate(self.link().into()),
            Op::SetBack if self.modem.link => {
                let read = self.bench.state.accounting.links.get(&IfIndex(self.index));
                let received = read.map_or(self.counter.0, |link| link.latest.0.min(self.counter.0));
                let set_back = received < self.counter.0;
                if set_back && self.running {
                    self.lost = [true; 2];
                }
                self.recreate(LinkEnd { reading: reading(self.index, received, self.counter.1), set_back });
            }
            Op::Reset if self.modem.link => {
                if let Some(sim) = self.by_ledger() {
                    self.lost[sim] = true;
                    // A fall to no less than the last reading cannot be told from growth.
                    self.unseen[sim] |= !self.running;
                }
                // Where nobody knows yet whose it is, a fall leaves no trace.
                self.untraceable[self.sim] |= !self.watched();
                self.step(&Op::Read);
                self.counter = (0, 0);
                self.step(&Op::Read);
            }
            // Swapped and swapped back unseen, on a link that stays, leaves no trace at all.
            Op::Swap if self.watched() || !self.swapped_unseen => {
                self.swapped_unseen = !self.watched();
                if let Some(sim) = self.by_ledger().filter(|_| !self.watched()) {
                    self.lost[sim] = true;
                }
                self.ends();
                if self.watched() {
                    let links = self.links();
                    self.bench.feed(&Event::LinksRead(links));
                    self.bench
                        .feed(&Event::ModemVanished { modem: ModemId::new("350000000000000").unwrap() });
                }
                self.sim = 1 - self.sim;
                if !self.watched() {
                    // Where it is swapped back unseen, nobody ever knew.
                    self.unseen = [true; 2];
                    self.untraceable = [true; 2];
                }
                self.show();
            }
            Op::ModemManagerCrash if self.modemmanager => {
                self.modemmanager = false;
                if self.running {
                    let links = self.links();
                    self.bench.feed(&Event::LinksRead(links));
                    self.bench.feed(&Event::ModemManagerVanished);
                }
            }
            Op::OutOfSight if !self.out_of_sight => {
                self.out_of_sight = true;
                if self.running && self.modemmanager {
                    let links = self.links();
                    self.bench.feed(&Event::LinksRead(links));
                    self.bench.feed(&Event::ModemManagerVanished);
                }
            }
            Op::InSight if self.out_of_sight => {
                self.out_of_sight = false;
                self.show();
            }
            Op::Copy if self.running => {
                self.bench.commit();
                if self.copies.len() == COPIES {
                    self.copies.remove(0);
                }
                let (ledger, passed) = (self.bench.ledger.clone(), self.passed.clone());
                self.copies.push(Copy { ledger, passed, connections: self.connections });
            }
            Op::Restore if self.running => self.restore(self.copies.last().cloned()),
            Op::RestoreOldest if self.running => self.restore(self.copies.first().cloned()),
            Op::ModemManagerReturn if !self.modemmanager && !self.out_of_sight => self.modemmanager_returns(),
            Op::Kill => self.running = false,
            Op::Start if !self.running => {
                self.running = true;
                let links = self.links();
                self.bench.start(&links);
                self.show();
            }
            Op::Reboot => {
                if let Some(sim) = self.by_ledger() {
                    self.lost[sim] = true;
                }
                self.unseen[self.sim] |= self.connected && !self.known();
                self.running = false;
                self.ends();
                self.bench.boot += 1;
                self.index = 2;
                self.counter = (0, 0);
                self.modemmanager = true;
                self.out_of_sight = false;
            }
            Op::Trust => {
                self.bench.trusted = !self.bench.trusted;
                self.ever_untrusted = true;
            }
            _ => {}
        }
    }

    fn recreate(&mut self, last: LinkEnd) {
        if let Some(sim) = self.by_ledger().filter(|_| !self.watched()) {
            self.lost[sim] = true;
        }
        if self.connected && !self.watched() {
            self.unseen[self.sim] = true;
            self.untraceable[self.sim] = true;
        }
        self.index += 1;
        self.counter = (0, 0);
        if self.running {
            let next = self.link();
            self.bench.feed(&Event::LinkVanished(last));
            self.bench.feed(&Event::LinkAppeared(next));
        }
    }

    /// It finds the modem disabled, whatever the modem does, and connects it anew.
    fn modemmanager_returns(&mut self) {
        self.modemmanager = true;
        if self.connected {
            // Nobody saw the last one end: what it carried since its last figure is a gap.
            self.forget_unseen();
            self.begins();
        }
        if !self.running {
            return;
        }
        let version = "1.20.4".to_owned();
        self.bench.feed(&Event::ModemManagerAppeared { version });
        let states = [ModemState::Disabled, ModemState::Registered, ModemState::Connecting];
        for state in &states[..if self.connected { 3 } else { 2 }] {
            let (links, view) = (self.links(), self.view(*state));
            self.bench.seen(&links, view);
        }
        self.show();
    }

    fn restore(&mut self, copy: Option<Copy>) {
        let Some(copy) = copy else { return };
        // Whatever the counters tell of it again, what passed since the copy is a gap.
        let links = self.links();
        self.bench.restore(copy.ledger.clone(), &links);
        self.bench.commit();
        self.unseen_since = self.unseen_since.map(|before| before.min(copy.passed.len()));
        self.passed.clone_from(&copy.passed);
        self.lost = [true; 2];
        // All but what passed in a connection that was watched from its beginning.
        if let Some(from) = self.whole.filter(|_| self.connected && copy.connections < self.connections) {
            let (now, before, sum) =
                (self.told(), copy.ledger.sum(self.sim), self.bench.ledger.sum(self.sim));
            let all = (before.0 + now.0 - from.0, before.1 + now.1 - from.1);
            assert!(sum.0 >= all.0 && sum.1 >= all.1, "{sum:?} of {all:?}, and the copy {before:?}");
        }
    }

    /// What the one counter that counts says.
    fn told(&self) -> (u64, u64) {
        if self.modem.link { self.counter } else { self.modem.polled }
    }

    /// What passed at a time of which no gap speaks is in the ledger.
    fn check_spans(&self, sim: usize) {
        let gaps: Vec<(i64, i64)> = self
            .bench
            .ledger
            .gaps
            .iter()
            .zip(&self.bench.ledger.gap_spans)
            .filter(|((iccid, _), _)| iccid == SIMS[sim] || iccid.is_empty())
            .map(|(_, (from, until))| (from.map_or(i64::MIN, |f| f - 1), until.map_or(i64::MAX, |u| u + 1)))
            .collect();
        let mut due = (0, 0);
        for (at, whose, rx, tx) in &self.passed {
            if *whose == sim && !gaps.iter().any(|(from, until)| from <= at && at <= until) {
                due = (due.0 + rx, due.1 + tx);
            }
        }
        let sum = self.bench.ledger.sum(sim);
        assert!(
            sum.0 >= due.0 && sum.1 >= due.1,
            "unsaid: {sum:?} of {due:?}; gaps: {:?} {gaps:?}; passed: {:?}",
            self.bench.ledger.gaps,
            self.passed
        );
    }

    fn check(&self) {
        for (sim, name) in SIMS.iter().enumerate() {
            let (sum, truth) = (self.bench.ledger.sum(sim), self.truth[sim]);
            assert!(sum.0 <= truth.0 && sum.1 <= truth.1, "invented: {sum:?} of {truth:?}");
            if self.running && !self.ever_untrusted && !self.ever_stepped {
                let state = &self.bench.state;
                let pending = state.accounting.pending.iter().filter(|slot| slot.iccid.as_str() == *name);
                let uncommitted: u64 = pending.map(|slot| slot.rx_bytes + slot.tx_bytes).sum();
                let known = self.bench.measured(sim);
                assert_eq!(known, sum.0 + sum.1 + uncommitted, "a total is the sum of its entries");
            }
        }
    }

    /// What is told of each SIM, but for what goes by the time that has passed.
    fn facts(&self) -> [Option<SimFacts>; 2] {
        SIMS.map(|sim| {
            let facts = self.bench.state.facts(&Iccid::new(sim).unwrap())?;
            let timeless = SimFacts { cycle: None, exhausted_at: None, end_of_cycle_bytes: None, ..facts };
            Some(SimFacts { forecast_reliable: false, ..timeless })
        })
    }

    /// A service that is started on what the ledger holds tells the same as the one before it.
    fn check_restored(&mut self) {
        if self.ever_untrusted || self.ever_stepped {
            return;
        }
        let before = self.facts();
        self.step(&Op::Kill);
        self.step(&Op::Start);
        assert_eq!(before, self.facts());
    }

    fn check_at_the_end(&mut self) {
        self.step(&Op::Start);
        self.step(&Op::InSight);
        self.step(&Op::ModemManagerReturn);
        self.step(&Op::Read);
        // What waits for a figure that is late enough has it.
        for _ in 0..2 {
            self.step(&Op::Poll);
        }
        self.step(&Op::Disconnect);
        self.bench.commit();
        self.check();
        for (sim, name) in SIMS.iter().enumerate() {
            if !self.ever_untrusted && !self.ever_stepped && !self.untraceable[sim] {
                self.check_spans(sim);
            }
            let (sum, truth) = (self.bench.ledger.sum(sim), self.truth[sim]);
            if !self.ever_untrusted && !self.ever_stepped {
                assert_eq!(self.bench.measured(sim), sum.0 + sum.1, "in memory as in the ledger");
            }
            if self.unseen[sim] || self.approximate[sim] {
                continue;
            }
            let gap = self.bench.ledger.gaps.iter().any(|(iccid, _)| iccid == name || iccid.is_empty());
            assert!(sum == truth || (self.lost[sim] && gap), "{sum:?} of {truth:?}, gap: {gap}");
        }
        self.check_restored();
    }
}

fn live(modem: [bool; 5], ops: &[Op]) {
    let mut world = World::new(Modem::new(modem));
    for op in ops {
        world.poll_due();
        world.step(op);
        world.check();
    }
    world.check_at_the_end();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(1_500),
        ..ProptestConfig::default()
    })]
    #[test]
    fn the_ledger_holds_what_passed_and_never_more(
        turns in prop::collection::vec(turn(), 1..60),
        modem in any::<[bool; 5]>(),
    ) {
        live(modem, &turns.concat());
    }
}

/// Lives in which something was counted twice, or was nowhere, before these cases were met.
#[test]
fn lives_that_were_told_wrong_once_are_told_right() {
    use Op::{
        Commit, Connect, Copy, Disconnect, InSight, Kill, ModemManagerCrash, OutOfSight, Poll, Recreate,
        Restore, RestoreOldest, Roam, Source, Start, Stray, Suspend, Switch, Traffic,
    };
    const KERNEL: [bool; 5] = [false, false, true, false, false];
    const BOTH: [bool; 5] = [true, false, true, true, false];
    const FIGURES: [bool; 5] = [true, false, false, true, false];
    const GOES_ON: [bool; 5] = [true, true, false, true, false];
    const NO_STARTS: [bool; 5] = [true, false, false, false, false];
    const BOTH_NO_STARTS: [bool; 5] = [true, false, true, false, false];
    let modem = Source(SourceChoice::Modem);
    let kernel = Source(SourceChoice::Kernel);
    let passes = Traffic(0, 1_000);
    // Another connection than the one that was seen before the service was dead.
    let unseen = [Connect, Poll, Kill, Disconnect, Connect, Poll, Start, Poll];
    let lives: [(_, &[Op]); 44] = [
        // One connection has two numbers, in copies of which one did not know it.
        (KERNEL, &[Copy, Connect, passes.clone(), Copy, RestoreOldest, Kill, Start, Restore]),
        (
            FIGURES,
            &[Copy, Connect, passes.clone(), Poll, Copy, RestoreOldest, Kill, Start, Poll, Restore, Poll],
        ),
        // One number is of two connections, of two SIMs.
        (
            KERNEL,
            &[
                Copy,
                Connect,
                passes.clone(),
                Copy,
                Switch,
                RestoreOldest,
                Disconnect,
                Kill,
                Start,
                Connect,
                passes.clone(),
                Restore,
            ],
        ),
        // What is settled between two readings is no reading: the gap begins with the last one.
        (BOTH, &[Connect, Traffic(1_000, 0), kernel.clone(), kernel.clone(), Op::SetBack]),
        // The figures that come after a kill hold what the kernel's counter that is gone had counted.
        (BOTH, &[Connect, Recreate, modem.clone(), passes.clone(), Recreate, Kill, Start, Poll]),
        (BOTH, &[Connect, modem.clone(), Recreate, passes.clone(), Kill, Start, Kill, Start, Poll]),
        // And those of another SIM, however often the service is killed.
        (FIGURES, &[Connect, passes.clone(), Poll, passes.clone(), Switch, Kill, Start, Kill, Start, Poll]),
        (FIGURES, &[Connect, Switch, passes.clone(), Switch, Poll, passes.clone(), Poll]),
        // A connection of one figure only, by a modem that goes on counting.
        (GOES_ON, &[Connect, passes.clone(), Poll, passes.clone(), Disconnect, Connect, Disconnect, Connect]),
        // What passed over a link that no bearer used any more, of which a copy says that one does.
        (KERNEL, &[Connect, Copy, Disconnect, Stray(1_000), Restore]),
        (KERNEL, &[Connect, Copy, Disconnect, Connect, Restore, Disconnect, Stray(1_000), Restore]),
        (
            KERNEL,
            &[
                Connect,
                passes.clone(),
                Op::Read,
                Copy,
                Disconnect,
                Op::Reset,
                Connect,
                passes.clone(),
                Restore,
            ],
        ),
        (KERNEL, &[Connect, Copy, Disconnect, Stray(1_000), Connect, passes.clone(), Restore]),
        (NO_STARTS, &[Connect, Copy, Switch, passes.clone(), Switch, Restore]),
        (FIGURES, &[Connect, Copy, passes.clone(), Switch, Restore, Kill, Start, Poll]),
        (BOTH, &[modem.clone(), Connect, passes.clone(), Switch, Op::Bypass(2), Source(SourceChoice::Auto)]),
        (NO_STARTS, &[Connect, Switch, Copy, Op::Swap, Connect, passes.clone(), Suspend(25), Restore]),
        (BOTH, &[Connect, passes.clone(), Op::Read, Copy, modem.clone(), Restore, Poll]),
        // A figure is up to half a minute old as it is seen first.
        (FIGURES, &[Connect, passes.clone(), Kill, Start, ModemManagerCrash]),
        (FIGURES, &[Connect, passes.clone(), Roam, Copy, ModemManagerCrash, Restore]),
        (FIGURES, &[Connect, passes.clone(), Commit, OutOfSight, passes.clone(), InSight, Poll]),
        (
            FIGURES,
            &[
                Connect,
                Copy,
                Disconnect,
                Connect,
                passes.clone(),
                Poll,
                ModemManagerCrash,
                Restore,
                passes.clone(),
            ],
        ),
        (
            BOTH,
            &[
                Connect,
                passes.clone(),
                Op::Read,
                Copy,
                Disconnect,
                Connect,
                Restore,
                passes.clone(),
                modem.clone(),
                Restore,
                Poll,
            ],
        ),
        // Another connection over the same link, whose source was configured anew meanwhile.
        (
            BOTH,
            &[
                Connect,
                passes.clone(),
                Op::Read,
                ModemManagerCrash,
                modem.clone(),
                Kill,
                Op::ModemManagerReturn,
                passes.clone(),
                Start,
                Poll,
            ],
        ),
        // The kernel was ahead as the figures of a modem took over that goes on counting.
        (
            [true, true, true, true, false],
            &[Connect, passes.clone(), Op::Read, modem.clone(), Disconnect, Connect, Poll],
        ),
        // Another connection while the service was dead.
        (NO_STARTS, &[Connect, passes.clone(), Kill, Suspend(60), Disconnect, Connect]),
        // The kernel's counter cannot say what ModemManager's last figure lacks.
        (BOTH, &[modem.clone(), Connect, passes.clone(), Recreate, kernel.clone()]),
        (BOTH, &[modem.clone(), Connect, passes.clone(), Recreate, Kill, Start, kernel.clone()]),
        // Another connection while the service was dead, which nothing but its lower figure tells from the one before.
        (
            BOTH_NO_STARTS,
            &[
                modem.clone(),
                Connect,
                passes.clone(),
                Poll,
                Commit,
                Kill,
                Disconnect,
                Connect,
                Traffic(0, 1),
                Poll,
                Start,
                Poll,
            ],
        ),
        // And one that nothing tells from it, as the service saw that one later than it began.
        (
            BOTH_NO_STARTS,
            &[
                modem.clone(),
                Connect,
                Suspend(33),
                ModemManagerCrash,
                Op::ModemManagerReturn,
                passes.clone(),
                Poll,
                Commit,
                Kill,
                Disconnect,
                Connect,
                Traffic(0, 2_000),
                Poll,
                Start,
                Poll,
            ],
        ),
        // After a kill the session of a link is older than its connection, which its figures seem not to be of then.
        (
            BOTH_NO_STARTS,
            &[
                unseen.as_slice(),
                &[passes.clone(), Poll, passes.clone(), Op::Read, modem.clone(), Kill, Start, Poll],
            ]
            .concat(),
        ),
        (
            BOTH_NO_STARTS,
            &[
                Connect,
                Poll,
                Op::Bypass(2),
                Poll,
                Kill,
                Disconnect,
                Connect,
                Poll,
                Start,
                Poll,
                passes.clone(),
                Disconnect,
            ],
        ),
        // Its counters were not compared from the connection's beginning on, and another SIM comes into use.
        (
            BOTH_NO_STARTS,
            &[unseen.as_slice(), &[modem.clone(), Switch, passes.clone(), Poll, passes.clone()]].concat(),
        ),
        // Another SIM while the service was dead, and a copy that knows neither connection.
        (
            KERNEL,
            &[
                Connect,
                Copy,
                Disconnect,
                Connect,
                Restore,
                Kill,
                Op::Swap,
                Connect,
                ModemManagerCrash,
                passes.clone(),
                Disconnect,
                Start,
                Restore,
                Recreate,
            ],
        ),
        // The kernel's counter was not read since the copy took the ledger's place.
        (BOTH_NO_STARTS, &[modem.clone(), Connect, passes.clone(), Copy, Poll, Restore, kernel.clone()]),
        // A connection that nobody saw since the copy, either.
        (
            FIGURES,
            &[
                Connect,
                passes.clone(),
                Poll,
                Copy,
                passes.clone(),
                Poll,
                Op::Reboot,
                Connect,
                OutOfSight,
                Start,
                Restore,
                ModemManagerCrash,
                passes.clone(),
            ],
        ),
        // ModemManager's next figure after a change of source may be of before it.
        (BOTH_NO_STARTS, &[Connect, Op::Bypass(1), Op::Read, modem.clone(), kernel.clone(), modem.clone()]),
        // What the kernel counted beside another SIM's figures, of which a copy says that it is the first one's.
        (
            BOTH,
            &[
                Connect,
                passes.clone(),
                Poll,
                Copy,
                Disconnect,
                Connect,
                Poll,
                Restore,
                Poll,
                modem.clone(),
                Op::Swap,
                Connect,
                ModemManagerCrash,
                Op::Bypass(1),
                Restore,
                Op::Swap,
            ],
        ),
        // ModemManager, whose figures count by now, is out of sight, and a copy knows the connection by the kernel's.
        (
            BOTH,
            &[
                Connect,
                Poll,
                passes.clone(),
                Op::Read,
                Copy,
                modem.clone(),
                Recreate,
                OutOfSight,
                Restore,
                InSight,
                Poll,
            ],
        ),
        // What follows ModemManager's last figure, whose figures count by now, or still do.
        (BOTH, &[Connect, passes.clone(), modem.clone(), Disconnect]),
        (BOTH, &[modem.clone(), Connect, Source(SourceChoice::Auto), passes.clone(), Disconnect]),
        // Nobody counted it until now, and its next figure is another SIM's.
        (NO_STARTS, &[Op::LeaveOut(true), Connect, Poll, Op::LeaveOut(false), passes.clone(), Switch, Poll]),
        // Another SIM had a part of it before nobody counted it.
        (NO_STARTS, &[Connect, Switch, Op::LeaveOut(true), Op::LeaveOut(false), passes.clone(), Disconnect]),
        // What a link that is left out carries is not of the SIM of which a copy says that it counts.
        (
            BOTH_NO_STARTS,
            &[
                Connect,
                passes.clone(),
                Poll,
                Copy,
                Op::LeaveOut(true),
                OutOfSight,
                Restore,
                passes.clone(),
                InSight,
            ],
        ),
    ];
    for (modem, ops) in lives {
        live(modem, ops);
    }
}
