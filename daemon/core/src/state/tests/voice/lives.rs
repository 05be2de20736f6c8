//! Random lives of a telephone, beside what really happened.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Op {
    Passes(u64),
    /// Somebody calls, or a call is dialled, to one of a few numbers.
    Begins(bool, u8),
    Answered(usize),
    Held(usize, bool),
    /// A call ends; whether ModemManager hears of it.
    Ends(usize, bool),
    /// Somebody removes an ended call from ModemManager's list.
    Deleted(usize),
    /// What happens while the service is dead, so long before and after it.
    ServiceKilled(u64, Vec<Op>, u64),
    /// ModemManager is killed and started anew; whether it then shows the calls. Where it does not, they have ended.
    ModemManagerKilled(u64, bool),
    Unplugged,
}

/// A call as it really is.
#[derive(Debug, Clone)]
struct Truth {
    number: u8,
    incoming: bool,
    answered: Option<u64>,
    ended: Option<u64>,
    /// What ModemManager shows, and where.
    shown: Option<(String, CallState)>,
}

fn changes() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (0_usize..4).prop_map(Op::Answered),
        1 => (0_usize..4, any::<bool>()).prop_map(|(call, held)| Op::Held(call, held)),
        4 => (0_usize..4, prop::bool::weighted(0.8)).prop_map(|(call, heard)| Op::Ends(call, heard)),
        1 => (0_usize..4).prop_map(Op::Deleted),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let killed = (1_u64..100_000, proptest::collection::vec(changes(), 0..3), 0_u64..100_000);
    let op = prop_oneof![
        6 => (1_u64..200_000).prop_map(Op::Passes),
        5 => (any::<bool>(), 0_u8..3).prop_map(|(incoming, number)| Op::Begins(incoming, number)),
        11 => changes(),
        2 => killed.prop_map(|(before, changes, after)| Op::ServiceKilled(before, changes, after)),
        1 => (1_u64..100_000, any::<bool>()).prop_map(|(millis, shows)| Op::ModemManagerKilled(millis, shows)),
        1 => Just(Op::Unplugged),
    ];
    proptest::collection::vec(op, 1..40)
}

struct Life {
    phone: Phone,
    truth: Vec<Truth>,
    paths: u32,
    dead: bool,
}

impl Life {
    fn live(&mut self, op: &Op) {
        let now = self.phone.now;
        match op {
            Op::Passes(millis) => {
                self.phone.passes(*millis);
            }
            Op::Begins(incoming, number) => self.begins(*incoming, *number),
            Op::Answered(nth) => {
                let Some(call) = self.nth(*nth, |t| t.ended.is_none() && t.answered.is_none()) else {
                    return;
                };
                self.truth[call].answered = Some(now);
                self.show(call, Active);
            }
            Op::Held(nth, held) => {
                let Some(call) = self.nth(*nth, |t| t.ended.is_none() && t.answered.is_some()) else {
                    return;
                };
                self.show(call, if *held { Held } else { Active });
            }
            Op::Ends(nth, heard) => {
                let Some(call) = self.nth(*nth, |t| t.ended.is_none()) else { return };
                self.truth[call].ended = Some(now);
                // What rings is polled: its end is never missed.
                if *heard || self.truth[call].answered.is_none() {
                    self.show(call, Terminated);
                }
            }
            Op::Deleted(nth) => {
                let ended = |t: &Truth| matches!(t.shown, Some((_, Terminated)));
                let Some(call) = self.nth(*nth, ended) else { return };
                self.truth[call].shown = None;
            }
            Op::ServiceKilled(before, changes, after) => {
                self.dead = true;
                self.phone.now += before;
                changes.iter().for_each(|op| self.live(op));
                self.dead = false;
                self.phone.killed_for(*after);
                self.seen();
            }
            Op::ModemManagerKilled(millis, shows) => {
                self.phone.feed(Event::ModemManagerVanished);
                self.phone.passes(*millis);
                self.phone.service += 1;
                self.paths = 0;
                for call in &mut self.truth {
                    call.shown = None;
                    if call.ended.is_some() {
                        continue;
                    }
                    if *shows {
                        let state = match (call.answered, call.incoming) {
                            (Some(_), _) => Active,
                            (None, true) => RingingIn,
                            (None, false) => RingingOut,
                        };
                        call.shown = Some((self.paths.to_string(), state));
                        self.paths += 1;
                    } else {
                        call.ended = Some(now + millis / 2);
                    }
                }
                self.phone.feed(Event::ModemManagerAppeared { version: "1.20".to_owned() });
                self.seen();
            }
            Op::Unplugged => {
                for call in &mut self.truth {
                    call.ended = call.ended.or(Some(now));
                    call.shown = None;
                }
                self.phone.feed(Event::ModemVanished { modem: home_modem().id });
                self.seen();
            }
        }
    }

    fn begins(&mut self, incoming: bool, number: u8) {
        let under_way = |t: &Truth| t.ended.is_none();
        // A network lets one call ring at a time, and one wait beside it.
        if self.truth.iter().filter(|t| under_way(t)).count() >= 2
            || self.truth.iter().any(|t| under_way(t) && t.answered.is_none())
        {
            return;
        }
        let state = match (incoming, self.truth.iter().any(under_way)) {
            (true, true) => Waiting,
            (true, false) => RingingIn,
            (false, _) => Dialing,
        };
        let shown = Some((self.paths.to_string(), state));
        self.paths += 1;
        self.truth.push(Truth { number, incoming, answered: None, ended: None, shown });
        self.show(self.truth.len() - 1, state);
        // ModemManager asks for all calls now, and finds those that ended unheard.
        self.phone.passes(2_000);
        for stale in 0..self.truth.len() {
            let (ended, shown) = (self.truth[stale].ended, self.truth[stale].shown.clone());
            if ended.is_some() && shown.is_some_and(|(_, state)| state != Terminated) {
                self.show(stale, Terminated);
            }
        }
    }

    fn nth(&self, nth: usize, wanted: impl Fn(&Truth) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..self.truth.len()).filter(|call| wanted(&self.truth[*call])).collect();
        (!all.is_empty()).then(|| all[nth % all.len()])
    }

    /// ModemManager shows a call in this state, where it shows it at all.
    fn show(&mut self, call: usize, state: CallState) {
        let truth = &mut self.truth[call];
        let Some((path, shown)) = &mut truth.shown else { return };
        *shown = state;
        let view = self.phone.view(&path.clone(), truth.incoming, state, &number(truth.number));
        if !self.dead {
            self.phone.feed(Event::CallChanged { modem: home_modem().id, call: view });
        }
    }

    /// The modem and all its calls are seen anew.
    fn seen(&mut self) {
        self.phone.feed(Event::ModemSeen(Box::new(home_modem())));
        let view = |t: &Truth| {
            let (path, state) = t.shown.as_ref()?;
            Some(self.phone.view(path, t.incoming, *state, &number(t.number)))
        };
        let calls = self.truth.iter().filter_map(view).collect();
        self.phone.feed(Event::CallsListed { modem: home_modem().id, calls });
    }

    fn seconds(&self) -> u64 {
        let now = self.phone.now;
        let length = |t: &Truth| t.answered.map_or(0, |from| t.ended.unwrap_or(now) - from);
        self.truth.iter().map(|t| length(t).div_ceil(1000)).sum()
    }
}

fn number(which: u8) -> String {
    format!("+861380013800{which}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn the_truth_lies_within_the_bounds_and_nothing_counts_twice(ops in ops()) {
        let mut life = Life { phone: Phone::new(), truth: Vec::new(), paths: 0, dead: false };
        for op in &ops {
            life.live(op);
            // Memory and ledger say the same, whatever happened.
            let facts = life.phone.state.facts(&iccid()).unwrap().voice;
            let kept = life.phone.counts(&iccid(), Timestamp::from_millis(0)).sums;
            let open = life.phone.calls.values().filter(|c| c.answered && matches!(c.end, CallEnd::Open(_)));
            let open = u64::try_from(open.count()).unwrap();
            prop_assert_eq!(
                facts.made.answered + facts.taken.answered,
                kept.made.answered + kept.taken.answered + open
            );
        }
        // In the end all is over: the modem is pulled.
        let truth = life.seconds();
        life.live(&Op::Unplugged);
        life.phone.passes(10_000);
        let kept = life.phone.kept();
        prop_assert!(kept.iter().all(|(_, _, _, end)| *end != "open"), "{:?}", kept);
        let least: u64 = kept.iter().map(|(_, least, _, _)| u64::from(*least)).sum();
        let most: u64 = kept.iter().map(|(_, _, most, _)| u64::from(*most)).sum();
        prop_assert!(least <= truth, "{} seconds, {} at least: {:?}", truth, least, kept);
        prop_assert!(truth <= most, "{} seconds, {} at most: {:?}", truth, most, kept);
        prop_assert!(kept.len() <= life.truth.len(), "{} of {} calls", kept.len(), life.truth.len());
        for record in life.phone.calls.values() {
            prop_assert!(record.seconds_min <= record.seconds);
        }
    }
}
