//! Random lives of a modem and its service.

use proptest::prelude::*;

use super::sources::choose;
use super::*;
use crate::settings::SourceChoice;

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
    /// Another slot or eSIM profile comes into use while the connection stays.
    Switch,
    ClockStep(i64),
    Suspend(u16),
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
        1 => Just(Op::Switch),
        1 => (-200_000..200_000_i64).prop_map(Op::ClockStep),
        1 => any::<u16>().prop_map(Op::Suspend),
    ]
}

/// What really happens, and what of it nobody can know.
struct World {
    bench: Bench,
    running: bool,
    modemmanager: bool,
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
    /// Bytes that ModemManager's figures alone have: what follows their last poll is lost, and that is no gap.
    approximate: [bool; 2],
    ever_stepped: bool,
}

/// What ModemManager says of a connection.
#[derive(Debug, Clone, Copy)]
struct Modem {
    tells: bool,
    goes_on: bool,
    counted: (u64, u64),
    polled: (u64, u64),
    start: i64,
    duration_s: u32,
}

impl Modem {
    fn new(tells: bool, goes_on: bool) -> Self {
        Self { tells, goes_on, counted: (0, 0), polled: (0, 0), start: 1_000, duration_s: 0 }
    }

    fn connects(&mut self) {
        if !self.goes_on {
            self.counted = (0, 0);
        }
        self.polled = self.counted;
        self.start += 1;
        self.duration_s = 0;
    }

    fn carries(&mut self, rx: u64, tx: u64) {
        self.counted = (self.counted.0 + rx, self.counted.1 + tx);
    }
}

impl World {
    fn new(modem: Modem) -> Self {
        let mut world = Self {
            bench: Bench::new(&[reading(5, 0, 0)]),
            running: true,
            modemmanager: true,
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
            approximate: [false; 2],
            ever_stepped: false,
        };
        world.show();
        world
    }

    fn link(&self) -> LinkReading {
        reading(self.index, self.counter.0, self.counter.1)
    }

    fn watched(&self) -> bool {
        self.running && self.modemmanager
    }

    fn view(&self, state: ModemState) -> ModemView {
        let mut bearer = bearer(state == ModemState::Connected, None);
        if self.modem.tells && bearer.connected {
            let Modem { polled, start, duration_s, .. } = self.modem;
            let start = Some(Timestamp::from_secs(start));
            bearer.stats = Some(BearerStats { rx_bytes: polled.0, tx_bytes: polled.1, duration_s, start });
            bearer.stats_supported = true;
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
            let state = if self.connected { ModemState::Connected } else { ModemState::Registered };
            let (link, view) = (self.link(), self.view(state));
            self.bench.seen(&[link], view);
        }
    }

    /// The SIM whose bytes the link counts, by the ledger.
    fn by_ledger(&self) -> Option<usize> {
        let boot = format!("boot-{}", self.bench.boot);
        let mut bases = self.bench.ledger.baselines.values();
        let base = bases.find(|b| b.ifindex == Some(IfIndex(self.index)) && b.boot.as_str() == boot)?;
        SIMS.iter().position(|sim| base.iccid.as_ref().is_some_and(|iccid| iccid.as_str() == *sim))
    }

    /// Whether the ledger knows of the connection that there is.
    fn known(&self) -> bool {
        self.by_ledger() == Some(self.sim)
    }

    fn step(&mut self, op: &Op) {
        match *op {
            // Nobody but ModemManager makes a connection.
            Op::Connect if !self.connected && self.modemmanager => {
                if self.watched() {
                    let (link, view) = (self.link(), self.view(ModemState::Connecting));
                    self.bench.seen(&[link], view);
                }
                self.connected = true;
                self.modem.connects();
                self.show();
            }
            Op::Disconnect if self.connected => {
                self.connected = false;
                self.show();
            }
            Op::Traffic(rx, tx) if self.connected => {
                let (rx, tx) = (u64::from(rx), u64::from(tx));
                self.counter = (self.counter.0 + rx, self.counter.1 + tx);
                self.modem.carries(rx, tx);
                let truth = &mut self.truth[self.sim];
                *truth = (truth.0 + rx, truth.1 + tx);
                if !self.watched() && !self.known() {
                    self.unseen[self.sim] = true;
                }
            }
            Op::Poll if self.modem.tells && self.connected && self.modemmanager => {
                self.bench.secs += 31;
                self.modem.polled = self.modem.counted;
                self.modem.duration_s = 60;
                self.show();
            }
            Op::Bypass(mb) if self.modem.tells && self.connected => {
                let bytes = u64::from(mb) * 1_000_000;
                self.counter.0 += bytes / 50;
                self.modem.carries(bytes, 0);
                self.truth[self.sim].0 += bytes;
                self.approximate[self.sim] = true;
            }
            Op::Source(choice) if self.modem.tells && self.running => {
                self.choice = choice;
                choose(&mut self.bench, choice);
                if choice == SourceChoice::Modem {
                    self.approximate = [true; 2];
                }
            }
            Op::Switch if self.connected && self.watched() => {
                let link = self.link();
                self.bench.feed(&Event::LinksRead(vec![link]));
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
            }
            // While nobody watches, a disconnection cannot be told from silence: nothing else passes then.
            Op::Stray(bytes) if !self.connected && self.watched() => self.counter.0 += u64::from(bytes),
            Op::Read if self.running => {
                let link = self.link();
                self.bench.feed(&Event::LinksRead(vec![link]));
            }
            Op::Commit if self.running => self.bench.commit(),
            Op::Roam => {
                self.roaming = !self.roaming;
                self.show();
            }
            Op::Recreate => self.recreate(),
            Op::Reset => {
                if let Some(sim) = self.by_ledger() {
                    self.lost[sim] = true;
                    // A fall to no less than the last reading cannot be told from growth.
                    self.unseen[sim] |= !self.running;
                }
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
                self.connected = false;
                if self.watched() {
                    let link = self.link();
                    self.bench.feed(&Event::LinksRead(vec![link]));
                    self.bench
                        .feed(&Event::ModemVanished { modem: ModemId::new("350000000000000").unwrap() });
                }
                self.sim = 1 - self.sim;
                if !self.watched() {
                    // Where it is swapped back unseen, nobody ever knew.
                    self.unseen = [true; 2];
                }
                self.show();
            }
            Op::ModemManagerCrash if self.modemmanager => {
                self.modemmanager = false;
                if self.running {
                    let link = self.link();
                    self.bench.feed(&Event::LinksRead(vec![link]));
                    self.bench.feed(&Event::ModemManagerVanished);
                }
            }
            Op::ModemManagerReturn if !self.modemmanager => self.modemmanager_returns(),
            Op::Kill => self.running = false,
            Op::Start if !self.running => {
                self.running = true;
                let link = self.link();
                self.bench.start(&[link]);
                self.show();
            }
            Op::Reboot => {
                if let Some(sim) = self.by_ledger() {
                    self.lost[sim] = true;
                }
                self.unseen[self.sim] |= self.connected && !self.known();
                self.running = false;
                self.connected = false;
                self.bench.boot += 1;
                self.index = 2;
                self.counter = (0, 0);
                self.modemmanager = true;
            }
            Op::Trust => {
                self.bench.trusted = !self.bench.trusted;
                self.ever_untrusted = true;
            }
            _ => {}
        }
    }

    fn recreate(&mut self) {
        let last = self.link();
        if let Some(sim) = self.by_ledger().filter(|_| !self.watched()) {
            self.lost[sim] = true;
        }
        if self.connected && !self.watched() {
            self.unseen[self.sim] = true;
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
            self.modem.connects();
        }
        if !self.running {
            return;
        }
        let version = "1.20.4".to_owned();
        self.bench.feed(&Event::ModemManagerAppeared { version });
        let states = [ModemState::Disabled, ModemState::Registered, ModemState::Connecting];
        for state in &states[..if self.connected { 3 } else { 2 }] {
            let (link, view) = (self.link(), self.view(*state));
            self.bench.seen(&[link], view);
        }
        self.show();
    }

    fn check(&self) {
        for sim in 0..2 {
            let (sum, truth) = (self.bench.ledger.sum(sim), self.truth[sim]);
            assert!(sum.0 <= truth.0 && sum.1 <= truth.1, "invented: {sum:?} of {truth:?}");
        }
    }

    fn check_at_the_end(&mut self) {
        self.step(&Op::Start);
        self.step(&Op::ModemManagerReturn);
        self.step(&Op::Read);
        self.bench.commit();
        self.check();
        for (sim, name) in SIMS.iter().enumerate() {
            let (sum, truth) = (self.bench.ledger.sum(sim), self.truth[sim]);
            if self.unseen[sim] || self.approximate[sim] {
                continue;
            }
            let gap = self.bench.ledger.gaps.iter().any(|(iccid, _)| iccid == name);
            assert!(sum == truth || (self.lost[sim] && gap), "{sum:?} of {truth:?}, gap: {gap}");
            if !self.ever_untrusted && !self.ever_stepped {
                assert_eq!(self.bench.measured(sim), sum.0 + sum.1, "in memory as in the ledger");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]
    #[test]
    fn the_ledger_holds_what_passed_and_never_more(
        ops in prop::collection::vec(op(), 1..60),
        tells in any::<bool>(),
        goes_on in any::<bool>(),
    ) {
        let mut world = World::new(Modem::new(tells, goes_on));
        for op in &ops {
            world.step(op);
            world.check();
        }
        world.check_at_the_end();
    }
}
