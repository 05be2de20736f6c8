//! Rehearsals: the real state and the real rules in a made-up world, whose clock goes as fast as it is told to.
//!
//! A rehearsal does what the service's engine does (step, commit, sum, deliver, ask the rules) over a ledger in memory,
//! modems that are only values, and channels that accept every message. It obeys the state's own wishes to be woken, so
//! that schedules, repetitions, quiet hours and cycles come when they would; no time passes by itself.

mod clock;
mod error;
mod flow;
mod ledger;
mod past;
mod seat;
mod timeline;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use simbell_core::action::{ActionRecord, ActionState};
use simbell_core::effect::{Change, Effects, Notice};
use simbell_core::event::{DeliveryOutcome, Event};
use simbell_core::health::WarningCode;
use simbell_core::ident::{Iccid, ReminderKey};
use simbell_core::ledger::{Correction, EpochId, Volume, Zone};
use simbell_core::reminder::{Reminder, ReminderState};
use simbell_core::settings::Settings;
use simbell_core::state::State;
use simbell_core::state::restored::Restored;
use simbell_core::time::{Span, Timestamp};

use crate::ruleset::{LoadOptions, RuleSet};
use clock::FakeClock;
use ledger::Ledger;
use seat::Seat;

pub use error::RehearsalError;
pub use flow::Flow;
pub use timeline::{Happening, Moment, Saying};
pub use world::network_code;

/// The service is held to have run for so long before a rehearsal begins: what holds back its first minute is over.
const WARM: Span = Span::secs(3_600);

/// Epoch of usage that was in the ledger before the rehearsal: none that the state gives out.
const BEFORE: EpochId = EpochId(0);

/// The made-up world, the state that watches it, and what came of that.
#[derive(Debug)]
pub struct Rehearsal {
    state: State,
    rules: Arc<RuleSet>,
    /// Asked the same as the rules, and not listened to.
    shadow: Option<Arc<RuleSet>>,
    clock: FakeClock,
    ledger: Ledger,
    seats: BTreeMap<Iccid, Seat>,
    /// Modems made so far.
    modems: u32,
    /// When the counters were read last.
    read_at: Option<Timestamp>,
    /// Whether the service runs.
    running: bool,
    timeline: Vec<Moment>,
    steps: u64,
    most_steps: u64,
}

impl Rehearsal {
    /// A world without SIMs, in which the service has run for an hour at `began`. With `settings.channels` empty
    /// reminders are said all the same: the timeline does not hang on channels.
    ///
    /// # Errors
    /// When the rules are so busy that the bound is met at once.
    pub fn begin(settings: Settings, rules: Arc<RuleSet>, began: Timestamp) -> Result<Self, RehearsalError> {
        let mut rehearsal = Self::warming(settings, rules, began)?;
        rehearsal.power_on()?;
        rehearsal.advance_to(began)?;
        Ok(rehearsal)
    }

    /// As [`Rehearsal::begin`], but the rules are asked nothing before `began`: whatever they do belongs to the story. The
    /// shadow is asked the same from the first asking on.
    pub(crate) fn begin_story(
        settings: Settings,
        rules: Arc<RuleSet>,
        shadow: Arc<RuleSet>,
        began: Timestamp,
    ) -> Result<Self, RehearsalError> {
        let none = Arc::new(RuleSet::empty(&LoadOptions::default()));
        let mut rehearsal = Self::warming(settings, none, began)?;
        rehearsal.power_on()?;
        rehearsal.advance_to(began)?;
        rehearsal.shadow(Some(shadow));
        rehearsal.set_rules(rules)?;
        Ok(rehearsal)
    }

    /// What is switched on an hour before `began`.
    fn warming(
        mut settings: Settings,
        rules: Arc<RuleSet>,
        began: Timestamp,
    ) -> Result<Self, RehearsalError> {
        // Each reading is committed: nothing is ever waiting for it.
        settings.max_unsaved_bytes = Some(1);
        Ok(Self {
            state: State::restored(settings, Restored::empty()),
            rules,
            shadow: None,
            clock: FakeClock::at(began.saturating_add(Span(WARM.as_millis().saturating_neg())))?,
            ledger: Ledger::default(),
            seats: BTreeMap::new(),
            modems: 0,
            read_at: None,
            running: false,
            timeline: Vec::new(),
            steps: 0,
            most_steps: 5_000_000,
        })
    }

    /// Bounds how often the state may be stepped from now on.
    pub fn bound(&mut self, steps: u64) {
        self.most_steps = self.steps.saturating_add(steps);
    }

    /// Rules that are asked the same from now on and not listened to: those whose lines are followed, which takes them
    /// longer than their limits allow.
    pub(crate) fn shadow(&mut self, rules: Option<Arc<RuleSet>>) {
        self.shadow = rules;
    }

    /// What came of it so far, in order.
    #[must_use]
    pub fn timeline(&self) -> &[Moment] {
        &self.timeline
    }

    /// The clock now.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.clock.wall
    }

    /// The state, to look at.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Puts a usage into the ledger that was there before: at that instant, in that zone. Sums are read anew by
    /// [`Rehearsal::history_added`].
    pub fn add_history(&mut self, iccid: &Iccid, at: Timestamp, zone: Zone, volume: Volume) {
        self.ledger.add(iccid.clone(), at, BEFORE, zone, volume);
    }

    /// Has the state read its sums anew, as after an import.
    ///
    /// # Errors
    /// See [`RehearsalError`]; so everywhere.
    pub fn history_added(&mut self) -> Result<(), RehearsalError> {
        self.feed(Event::HistoryChanged)
    }

    /// Other settings hold from now on.
    ///
    /// # Errors
    /// See [`RehearsalError`].
    pub fn set_settings(&mut self, mut settings: Settings) -> Result<(), RehearsalError> {
        settings.max_unsaved_bytes = Some(1);
        self.feed(Event::SettingsLoaded(Box::new(settings)))
    }

    /// Other rules hold from now on.
    ///
    /// # Errors
    /// See [`RehearsalError`].
    pub fn set_rules(&mut self, rules: Arc<RuleSet>) -> Result<(), RehearsalError> {
        self.rules = rules;
        self.feed(Event::RulesLoaded(self.rules.descriptions()))
    }

    /// Something about the service itself went wrong, or is well again (no text).
    ///
    /// # Errors
    /// See [`RehearsalError`].
    pub fn health(
        &mut self,
        code: WarningCode,
        subject: &str,
        text: Option<&str>,
    ) -> Result<(), RehearsalError> {
        self.feed(Event::HealthReported { code, subject: subject.to_owned(), text: text.map(str::to_owned) })
    }

    /// Somebody corrects what a SIM used.
    ///
    /// # Errors
    /// See [`RehearsalError`].
    pub fn correct(&mut self, iccid: &Iccid, bytes: i64) -> Result<(), RehearsalError> {
        self.feed(Event::UsageCorrected(Correction {
            iccid: iccid.clone(),
            at: self.clock.wall,
            bytes,
            author: "rehearsal".to_owned(),
            reason: String::new(),
            undoes: None,
        }))
    }

    /// Somebody acknowledges a reminder, by its whole key.
    ///
    /// # Errors
    /// When there is none of this key.
    pub fn acknowledge(&mut self, key: &ReminderKey) -> Result<(), RehearsalError> {
        self.known(key)?;
        self.feed(Event::ReminderAcknowledged(key.clone()))
    }

    /// Somebody puts a reminder off, by its whole key.
    ///
    /// # Errors
    /// When there is none of this key.
    pub fn snooze(&mut self, key: &ReminderKey, span: Span) -> Result<(), RehearsalError> {
        self.known(key)?;
        self.feed(Event::ReminderSnoozed { key: key.clone(), span })
    }

    /// The machine is switched off: the clock goes on, and nothing is seen of it.
    ///
    /// # Errors
    /// When it is off.
    pub fn power_off(&mut self) -> Result<(), RehearsalError> {
        self.read_links()?;
        self.feed(Event::StopRequested)?;
        self.running = false;
        Ok(())
    }

    /// The machine is switched on: another boot, whose state is what the ledger knows.
    ///
    /// # Errors
    /// See [`RehearsalError`].
    pub fn power_on(&mut self) -> Result<(), RehearsalError> {
        if self.running {
            return Ok(());
        }
        self.clock.boot_anew()?;
        let settings = self.state.settings().clone();
        self.state = State::restored(settings, self.ledger.restored(&self.clock.boot));
        self.running = true;
        self.feed(Event::Started { boot: self.clock.boot.clone(), links: Vec::new() })?;
        self.feed(Event::RulesLoaded(self.rules.descriptions()))?;
        self.feed(Event::BusConnected)?;
        self.feed(Event::ModemManagerAppeared { version: "1.24.0".to_owned() })?;
        let sims: Vec<Iccid> = self.seats.keys().cloned().collect();
        for iccid in sims {
            let seat = self.seat(&iccid)?;
            seat.counters = simbell_core::counter::LinkCounters::default();
            if seat.present {
                let link = seat.reading();
                self.feed(Event::LinkAppeared(link))?;
                self.show(&iccid)?;
            }
        }
        Ok(())
    }

    /// Lets the time pass until then, doing on the way what the state asks to be woken for.
    ///
    /// # Errors
    /// When `until` is behind, or more happens than is allowed.
    pub fn advance_to(&mut self, until: Timestamp) -> Result<(), RehearsalError> {
        if until < self.clock.wall {
            return Err(RehearsalError::Backward);
        }
        while let Some(due) = self.next_wake().filter(|due| *due <= until) {
            self.clock.go_to(due);
            self.feed(Event::WakeReached)?;
            if self.next_wake() == Some(due) {
                // Nothing came of it: a moment later it will.
                self.clock.go_to(until.min(due.saturating_add(Span(1))));
                if self.clock.wall == due {
                    break;
                }
            }
        }
        self.clock.go_to(until);
        Ok(())
    }

    /// When the state wants to be woken; none while the service is off.
    fn next_wake(&self) -> Option<Timestamp> {
        let wake = self.running.then(|| self.state.next_wake(self.clock.stamp())).flatten()?;
        Some(self.clock.wall.saturating_add(wake.after))
    }

    fn known(&self, key: &ReminderKey) -> Result<(), RehearsalError> {
        let known = self.state.reminders().any(|reminder| reminder.key == *key);
        if known { Ok(()) } else { Err(RehearsalError::NoReminder(key.as_str().to_owned())) }
    }

    fn read_links(&mut self) -> Result<(), RehearsalError> {
        let links = self.seats.values().filter(|seat| seat.present).map(Seat::reading).collect();
        self.read_at = Some(self.clock.wall);
        self.feed(Event::LinksRead(links))
    }

    /// One event and all that follows from it, in the engine's order: committed, summed, said, and the rules last.
    fn feed(&mut self, event: Event) -> Result<(), RehearsalError> {
        if !self.running {
            return Err(RehearsalError::Off);
        }
        let mut waiting = VecDeque::from([event]);
        while let Some(event) = waiting.pop_front() {
            self.steps = self.steps.saturating_add(1);
            if self.steps > self.most_steps {
                return Err(RehearsalError::TooMuch(self.most_steps));
            }
            let mut fx = self.state.step(self.clock.stamp(), &event);
            if !fx.load_totals.is_empty() {
                fx.changes.extend(self.state.flush(self.clock.stamp()));
            }
            let Effects { changes, load_totals, evaluate, act, deliver, notices, .. } = fx;
            for change in changes {
                self.commit(change);
            }
            for notice in notices {
                self.note(&notice);
            }
            for (nth, query) in load_totals.into_iter().enumerate() {
                let tariff = self.state.tariff(&query.iccid);
                let [counts, totals] = self.ledger.answer(query, tariff.as_ref());
                // Before anything else, as after a commit.
                waiting.insert(nth.saturating_mul(2), counts);
                waiting.insert(nth.saturating_mul(2).saturating_add(1), totals);
            }
            for delivery in deliver {
                waiting
                    .push_back(Event::DeliveryEnded { id: delivery.id, outcome: DeliveryOutcome::Delivered });
            }
            for action in act {
                let ended = Event::ActionEnded { key: action.key, state: ActionState::Done, note: None };
                waiting.push_back(ended);
            }
            if !evaluate.is_empty() {
                if let Some(shadow) = &self.shadow {
                    // Told to its trail.
                    drop(shadow.evaluate_all(evaluate.clone()));
                }
                let results = self.rules.evaluate_all(evaluate);
                for result in &results {
                    if let Some(error) = &result.error {
                        let failed = Happening::Failed(error.clone());
                        let moment = Moment {
                            at: self.clock.wall,
                            rule: result.rule.clone(),
                            sim: result.trigger.sim().cloned(),
                            what: failed,
                        };
                        self.timeline.push(moment);
                    }
                }
                waiting.push_back(Event::RulesEvaluated(results));
            }
        }
        Ok(())
    }

    fn commit(&mut self, change: Change) {
        match &change {
            Change::KeepReminder(reminder) => {
                let before = self.ledger.reminder(&reminder.key).map(|before| &before.state);
                let what = match &reminder.state {
                    now if before == Some(now) => None,
                    ReminderState::Pending => Some(Happening::Held(saying(reminder))),
                    ReminderState::Acknowledged { .. } => Some(Happening::Acknowledged(reminder.key.clone())),
                    ReminderState::Snoozed { until } => {
                        Some(Happening::Snoozed(reminder.key.clone(), *until))
                    }
                    ReminderState::Resolved { .. } => Some(Happening::Resolved(reminder.key.clone())),
                    ReminderState::Firing => None,
                };
                let reworded = self.ledger.reminder(&reminder.key).is_some_and(|before| {
                    before.text != reminder.text
                        && before.occurrence == reminder.occurrence
                        && before.raised_at == reminder.raised_at
                        && reminder.state == ReminderState::Firing
                });
                let what = what.or_else(|| reworded.then(|| Happening::Reworded(saying(reminder))));
                if let Some(what) = what {
                    self.happened(reminder, what);
                }
            }
            Change::KeepAction(record) => {
                let new = self.ledger.action(&record.key).is_none_or(|before| before.at != record.at);
                if new && matches!(record.state, ActionState::Intended | ActionState::Refused) {
                    self.acted(record.clone());
                }
            }
            _ => {}
        }
        self.ledger.apply(change);
    }

    fn note(&mut self, notice: &Notice) {
        if let Notice::ReminderSaid { key, .. } = notice
            && let Some(reminder) = self.ledger.reminder(key).cloned()
        {
            self.happened(&reminder, Happening::Said(saying(&reminder)));
        }
    }

    fn happened(&mut self, reminder: &Reminder, what: Happening) {
        let (rule, sim) = (reminder.rule.clone(), reminder.sim.clone());
        self.timeline.push(Moment { at: self.clock.wall, rule, sim, what });
    }

    fn acted(&mut self, record: ActionRecord) {
        let (rule, sim) = (record.rule.clone(), Some(record.sim.clone()));
        self.timeline.push(Moment { at: self.clock.wall, rule, sim, what: Happening::Acted(record) });
    }
}

fn saying(reminder: &Reminder) -> Saying {
    Saying {
        reminder: reminder.key.clone(),
        text: reminder.text.clone(),
        urgency: reminder.urgency,
        occurrence: reminder.occurrence,
        late: reminder.late,
        channels: reminder.channels.clone(),
    }
}
