//! The wall clock jumps under traffic: whatever it shows, the entries add up to what passed, and each is dated as the
//! clock that was believed then dates it.

use super::*;
use crate::effect::Change;
use crate::ledger::When;
use crate::time::Span;

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
/// 2024-10-04.
const TODAY: i64 = 20_000 * 24 * HOUR;

/// A machine whose two clocks go apart.
struct Machine {
    state: State,
    wall: i64,
    boot: i64,
    trusted: bool,
    counter: u64,
    /// Bytes by the instant that their slot begins at; milliseconds.
    dated: std::collections::BTreeMap<i64, u64>,
    /// First instant by boot time, and bytes.
    undated: Vec<(i64, u64)>,
    gaps: usize,
}

impl Machine {
    fn connected(wall: i64, trusted: bool) -> Self {
        let state = State::restored(settings(), Restored::empty());
        let mut machine = Self {
            state,
            wall,
            boot: 100,
            trusted,
            counter: 0,
            dated: std::collections::BTreeMap::new(),
            undated: Vec::new(),
            gaps: 0,
        };
        machine.feed(&Event::Started { boot: BootId::new("boot-1").unwrap(), links: Vec::new() });
        machine.feed(&Event::LinkAppeared(link(0)));
        machine.feed(&Event::ModemSeen(Box::new(modem(Registration::Home, true))));
        machine
    }

    fn at(&self) -> Stamp {
        let boot_ms = u64::try_from(self.boot * 1000).unwrap();
        Stamp { wall: Timestamp::from_secs(self.wall), boot_ms, trusted: self.trusted }
    }

    fn feed(&mut self, event: &Event) {
        let fx = self.state.step(self.at(), event);
        self.commit(fx.changes);
        for query in fx.load_totals {
            let loaded =
                Event::TotalsLoaded { query, by_zone: vec![], units: vec![], corrections: 0, first_at: None };
            let fx = self.state.step(self.at(), &loaded);
            self.commit(fx.changes);
        }
    }

    fn commit(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::AddUsage(slot) => {
                    let bytes = slot.rx_bytes + slot.tx_bytes;
                    match slot.when {
                        When::Hour(start) => *self.dated.entry(start.as_millis()).or_default() += bytes,
                        When::Undated { .. } => self.undated.push((slot.from, bytes)),
                    }
                }
                Change::DateEntries { offset_ms, .. } => {
                    for (from, bytes) in std::mem::take(&mut self.undated) {
                        *self.dated.entry(from + offset_ms).or_default() += bytes;
                    }
                }
                Change::AppendGap(_) => self.gaps += 1,
                _ => {}
            }
        }
    }

    /// Time passes, and so much traffic; then the counters are read.
    fn pass(&mut self, secs: i64, bytes: u64) {
        self.wall += secs;
        self.boot += secs;
        self.counter += bytes;
        self.feed(&Event::LinksRead(vec![link(self.counter)]));
    }

    /// The clock is set: the kernel wakes the service, which reads and looks.
    fn set(&mut self, wall: i64, trusted: bool) {
        self.wall = wall;
        self.trusted = trusted;
        self.feed(&Event::ClockChanged);
    }

    fn flushed(&mut self) -> u64 {
        let changes = self.state.flush(self.at());
        self.commit(changes);
        assert_eq!(self.gaps, 0, "nothing was lost");
        self.dated.values().sum::<u64>() + self.undated.iter().map(|(_, bytes)| bytes).sum::<u64>()
    }
}

#[test]
fn set_back_and_forward_by_minutes_hours_and_days_it_counts_every_byte() {
    for step in [-6 * MINUTE, 6 * MINUTE, -HOUR, HOUR, -30 * 24 * HOUR, 30 * 24 * HOUR, -1, 1] {
        let noon = TODAY + 12 * HOUR;
        let mut machine = Machine::connected(noon, true);
        for _ in 0..10 {
            machine.pass(30, 1_000);
        }
        machine.set(machine.wall + step, true);
        for _ in 0..10 {
            machine.pass(30, 70);
        }
        assert_eq!(machine.flushed(), 10_700, "step of {step} s");
        assert!(machine.undated.is_empty());
        // Neither frozen until the clock catches up, nor booked to a time that has not been.
        let last = machine.dated.keys().next_back().copied().unwrap() / 1000;
        assert!(last <= noon.max(noon + step) + 600, "step of {step} s: an entry at {last}");
        if step.abs() >= 2 * HOUR {
            let after = Timestamp::from_secs(machine.wall).hour_start().as_millis();
            let before = after - step * 1000;
            let near = |instant: i64| -> u64 {
                machine
                    .dated
                    .range(instant - HOUR * 1000..=instant + HOUR * 1000)
                    .map(|(_, bytes)| bytes)
                    .sum()
            };
            assert_eq!(
                (near(before), near(after)),
                (10_000, 700),
                "each at the time that was then: {step} s"
            );
        }
    }
}

#[test]
fn set_back_again_and_again_nothing_is_counted_twice() {
    let mut machine = Machine::connected(TODAY + 12 * HOUR, true);
    let mut truth = 0;
    for turn in 0..50_i64 {
        let bytes = 100 + u64::try_from(turn).unwrap();
        machine.pass(400, bytes);
        truth += bytes;
        let step = if turn % 2 == 0 { -6 * MINUTE } else { 5 * MINUTE };
        machine.set(machine.wall + step, true);
    }
    assert_eq!(machine.flushed(), truth);
}

#[test]
fn booted_in_1970_it_counts_at_once_and_dates_it_when_the_clock_is_right() {
    let mut machine = Machine::connected(5, false);
    for _ in 0..10 {
        machine.pass(30, 1_000);
    }
    let began = machine.boot - 300;
    assert_eq!(machine.flushed(), 10_000);
    assert!(machine.dated.is_empty(), "nothing is dated 1970");
    machine.pass(60, 500);
    let right = TODAY + 12 * HOUR;
    machine.set(right, true);
    machine.pass(30, 7);
    assert_eq!(machine.flushed(), 10_507);
    assert!(machine.undated.is_empty());
    let first = machine.dated.keys().next().copied().unwrap() / 1000;
    let passed = machine.boot - 30 - began;
    assert!(
        (right - passed - HOUR..=right).contains(&first),
        "what was measured {passed} s before noon is dated then: {first}"
    );
}

#[test]
fn asleep_for_hours_it_books_what_came_after_to_its_own_time() {
    let mut machine = Machine::connected(TODAY + 10 * HOUR, true);
    machine.pass(30, 1_000);
    machine.flushed();
    // CLOCK_BOOTTIME goes on in suspend, as the wall clock does.
    machine.pass(9 * HOUR, 0);
    machine.pass(30, 5);
    assert_eq!(machine.flushed(), 1_005);
    let woken = Timestamp::from_secs(machine.wall).hour_start();
    assert_eq!(machine.dated.get(&woken.as_millis()), Some(&5));
    assert!(Timestamp::from_secs(machine.wall).since(woken) < Span::secs(HOUR));
}

#[test]
fn who_asks_for_the_next_wake_does_not_put_off_the_next_look_at_the_clock() {
    let mut bench = Bench::new(settings(), &[]);
    bench.trusted = false;
    bench.feed(&Event::ClockChanged);
    let wake = |bench: &Bench| bench.state.next_wake(bench.at()).unwrap();
    assert_eq!(wake(&bench).after, Span::secs(5));
    bench.secs += 3;
    assert_eq!(wake(&bench).after, Span::secs(2));
    bench.secs += 3;
    assert_eq!(wake(&bench).after.as_millis().max(0), 0);
    bench.trusted = true;
    assert_eq!(wake(&bench).after, Span::ZERO, "somebody vouches for it now");
    bench.feed(&Event::WakeReached);
    assert_ne!(wake(&bench).after, Span::ZERO);
}

#[test]
fn why_the_clock_is_not_believed_is_said() {
    let newest = Timestamp::from_secs(TODAY);
    for (wall, why) in [
        (
            5,
            "it says 1970-01-01T00:00:05Z, which is before the newest entry of the ledger, 2024-10-04T00:00:00Z.",
        ),
        (TODAY + 24 * HOUR, "it is not synchronised, or says a date before this version was made."),
    ] {
        let restored = Restored { newest: Some(newest), ..Restored::empty() };
        let mut state = State::restored(settings(), restored);
        let at = Stamp { wall: Timestamp::from_secs(wall), boot_ms: 5_000, trusted: false };
        state.step(at, &Event::Started { boot: BootId::new("boot").unwrap(), links: Vec::new() });
        let warning = state.warnings().find(|warning| warning.code == WarningCode::ClockUntrusted).unwrap();
        let expected = format!("The clock cannot be believed yet: {why} Usage is measured and dated later;");
        assert!(warning.text.starts_with(&expected), "{}", warning.text);
    }
}
