//! Random lives of a state: it never asks to be woken for nothing, and the same life is lived the same way twice.

use proptest::prelude::*;

use super::*;

/// What may happen next.
#[derive(Debug, Clone)]
enum Op {
    /// Time passes, seconds.
    Passes(u32),
    /// Until the next wake.
    Woken,
    /// The wall clock is set, by so many seconds.
    ClockSet(i64),
    Trust(bool),
    Traffic(u32),
    Seen(Registration, bool),
    Unplugged,
    Sms(u8),
    /// A reminder is acknowledged or snoozed.
    Answered(usize, Option<u32>),
    Reloaded {
        quiet: bool,
        rules: u8,
    },
    LedgerFails,
    LedgerWorks,
    Followed,
}

/// What rules and channels answer from now on, and whether the ledger does.
#[derive(Debug, Clone)]
struct World {
    raise: u8,
    repeat: Repeat,
    outcome: DeliveryOutcome,
    ledger_answers: bool,
}

fn ops() -> impl Strategy<Value = Vec<(Op, World)>> {
    let op = prop_oneof![
        4 => (1_u32..200_000).prop_map(Op::Passes),
        8 => Just(Op::Woken),
        1 => (-40_000_000_i64..40_000_000).prop_map(Op::ClockSet),
        1 => (-100_i64..100).prop_map(Op::ClockSet),
        1 => any::<bool>().prop_map(Op::Trust),
        3 => (0_u32..100_000).prop_map(Op::Traffic),
        2 => (prop_oneof![Just(Registration::Home), Just(Registration::Roaming), Just(Registration::Searching)],
            any::<bool>()).prop_map(|(registration, up)| Op::Seen(registration, up)),
        1 => Just(Op::Unplugged),
        2 => any::<u8>().prop_map(Op::Sms),
        1 => (0_usize..8, proptest::option::of(1_u32..100_000)).prop_map(|(n, s)| Op::Answered(n, s)),
        1 => (any::<bool>(), 0_u8..32).prop_map(|(quiet, rules)| Op::Reloaded { quiet, rules }),
        1 => Just(Op::LedgerFails),
        1 => Just(Op::LedgerWorks),
        1 => Just(Op::Followed),
    ];
    let seven = Schedule::Daily(TimeOfDay { hour: 7, minute: 0 });
    let repeat = prop_oneof![
        Just(Repeat::Once),
        Just(Repeat::Every(Span::secs(2))),
        Just(Repeat::Every(Span::secs(86_400))),
        Just(Repeat::At(seven)),
    ];
    let failed = || "no".to_owned();
    let outcome = prop_oneof![
        Just(DeliveryOutcome::Delivered),
        Just(DeliveryOutcome::Retry { error: failed(), after: None }),
        Just(DeliveryOutcome::Retry { error: failed(), after: Some(Span::secs(7_200)) }),
        Just(DeliveryOutcome::Refused { error: failed() }),
    ];
    let world = (any::<u8>(), repeat, outcome, prop::bool::weighted(0.9)).prop_map(
        |(raise, repeat, outcome, ledger_answers)| World { raise, repeat, outcome, ledger_answers },
    );
    proptest::collection::vec((op, world), 1..60)
}

struct Life {
    state: State,
    at: Stamp,
    carried: u64,
    /// Everything that was asked for.
    effects: Vec<Effects>,
}

impl Life {
    fn new() -> Self {
        let at = Stamp { wall: Timestamp::from_secs(DAY + 43_200), boot_ms: 60_000, trusted: true };
        let mut life = Self {
            state: State::restored(settings(), Restored::empty()),
            at,
            carried: 0,
            effects: Vec::new(),
        };
        let world = World {
            raise: 0,
            repeat: Repeat::Once,
            outcome: DeliveryOutcome::Delivered,
            ledger_answers: true,
        };
        life.feed(Event::Started { boot: BootId::new("boot-1").unwrap(), links: vec![link(0)] }, &world);
        life.feed(Event::RulesLoaded(rules(31)), &world);
        life
    }

    fn passes(&mut self, millis: i64) {
        self.at.wall = self.at.wall.saturating_add(Span(millis));
        self.at.boot_ms += u64::try_from(millis).unwrap();
    }

    /// As the engine does it: what comes back goes through the state again.
    fn feed(&mut self, event: Event, world: &World) {
        let mut events = std::collections::VecDeque::from([event]);
        let mut left = 200;
        while let Some(event) = events.pop_front() {
            left -= 1;
            if left == 0 {
                break;
            }
            let fx = self.state.step(self.at, &event);
            if world.ledger_answers {
                for query in fx.load_totals.clone() {
                    let by_zone = Vec::new();
                    events.push_back(Event::TotalsLoaded {
                        query,
                        by_zone,
                        units: Vec::new(),
                        corrections: 0,
                        first_at: None,
                    });
                }
            }
            let results: Vec<RuleResult> = fx.evaluate.iter().map(|e| result(e, world)).collect();
            if !results.is_empty() {
                events.push_back(Event::RulesEvaluated(results));
            }
            for delivery in fx.deliver.clone() {
                events.push_back(Event::DeliveryEnded { id: delivery.id, outcome: world.outcome.clone() });
            }
            self.effects.push(fx);
        }
    }

    fn live(&mut self, op: &Op, world: &World) {
        let event = match op {
            Op::Passes(secs) => {
                self.passes(i64::from(*secs) * 1000);
                Event::WakeReached
            }
            Op::Woken => {
                let Some(wake) = self.state.next_wake(self.at) else { return };
                self.passes(wake.after.as_millis().clamp(0, 400 * 86_400_000));
                Event::WakeReached
            }
            Op::ClockSet(secs) => {
                self.at.wall = self.at.wall.saturating_add(Span::secs(*secs));
                Event::ClockChanged
            }
            Op::Trust(trusted) => {
                self.at.trusted = *trusted;
                Event::ClockChanged
            }
            Op::Traffic(bytes) => {
                self.carried += u64::from(*bytes);
                Event::LinksRead(vec![link(self.carried)])
            }
            Op::Seen(registration, up) => Event::ModemSeen(Box::new(modem(*registration, *up))),
            Op::Unplugged => Event::ModemVanished { modem: ModemId::new("350000000000017").unwrap() },
            Op::Sms(n) => Event::SmsReceived {
                modem: ModemId::new("350000000000017").unwrap(),
                sms: SmsView {
                    number: "1".to_owned(),
                    text: "x".to_owned(),
                    timestamp: None,
                    digest: n.to_string(),
                },
            },
            Op::Answered(n, snooze) => {
                let Some(key) = self.state.reminders().nth(*n).map(|r| r.key.clone()) else { return };
                match snooze {
                    Some(secs) => Event::ReminderSnoozed { key, span: Span::secs(i64::from(*secs)) },
                    None => Event::ReminderAcknowledged(key),
                }
            }
            Op::Reloaded { quiet, rules: kinds } => {
                let mut settings = settings();
                settings.quiet = quiet.then_some(QuietHours {
                    from: TimeOfDay { hour: 22, minute: 0 },
                    until: TimeOfDay { hour: 7, minute: 0 },
                });
                self.feed(Event::SettingsLoaded(Box::new(settings)), world);
                Event::RulesLoaded(rules(*kinds))
            }
            Op::LedgerFails => Event::CommitFailed("disk full".to_owned()),
            Op::LedgerWorks => Event::Committed,
            Op::Followed => Event::FollowerArrived,
        };
        self.feed(event, world);
    }

    /// Whether a wake that is due is cleared by the step it leads to.
    fn rests(&mut self, world: &World) -> Result<(), TestCaseError> {
        for _ in 0..3 {
            let Some(wake) = self.state.next_wake(self.at) else { return Ok(()) };
            if wake.after.as_millis() > 400 * 86_400_000 {
                return Ok(());
            }
            self.passes(wake.after.as_millis().max(0));
            self.feed(Event::WakeReached, world);
            let next = self.state.next_wake(self.at);
            prop_assert!(
                next.as_ref().is_none_or(|next| next.after > Span::ZERO),
                "{:?} is asked for after {:?} was served",
                next,
                wake
            );
        }
        Ok(())
    }
}

fn rules(kinds: u8) -> Vec<RuleDescription> {
    let schedules = || vec![Schedule::Daily(TimeOfDay { hour: 7, minute: 0 }), Schedule::Every(3_600)];
    ["usage", "schedule", "sms", "roaming", "health"]
        .into_iter()
        .enumerate()
        .filter(|(n, _)| kinds & (1 << n) != 0)
        .map(|(_, kind)| rule(kind, kind, if kind == "schedule" { schedules() } else { Vec::new() }))
        .collect()
}

fn result(asked: &Evaluation, world: &World) -> RuleResult {
    let findings = (0..2_u8)
        .filter(|n| world.raise & (1 << n) != 0)
        .map(|n| Finding {
            sim: asked.trigger.sim().cloned(),
            repeat: world.repeat.clone(),
            urgency: if world.raise & 4 == 0 { Urgency::Warning } else { Urgency::Critical },
            channels: (world.raise & 8 != 0).then(|| vec![ChannelName::new("sms").unwrap()]),
            ..finding(&n.to_string())
        })
        .collect();
    let error = (world.raise >= 250).then(|| "boom".to_owned());
    let used = asked.input.sim.as_ref().map_or(0, |facts| facts.used_bytes);
    let watch = Watch {
        at: (world.raise & 16 != 0).then(|| used.saturating_add(u64::from(world.raise) * 50)),
        unknown: world.raise & 32 != 0,
    };
    RuleResult { findings, error, watch, ..RuleResult::nothing(asked.rule.clone(), asked.trigger.clone()) }
}

proptest! {
    #[test]
    fn no_wake_is_asked_for_that_its_step_does_not_clear(life in ops()) {
        let mut state = Life::new();
        for (op, world) in &life {
            state.live(op, world);
            state.rests(world)?;
        }
    }

    #[test]
    fn the_same_events_give_the_same_state_and_effects(life in ops()) {
        let (mut one, mut other) = (Life::new(), Life::new());
        for (op, world) in &life {
            one.live(op, world);
            other.live(op, world);
        }
        prop_assert_eq!(one.effects, other.effects);
        prop_assert!(one.state == other.state);
    }
}
