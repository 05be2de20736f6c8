//! Rehearsals: the real state and the real rules in a made-up world, whose clock goes as fast as it is told to.
//!
//! A rehearsal does what the service's engine does (step, commit, sum, deliver, ask the rules) over a ledger in memory,
//! modems that are only values, and channels that accept every message. It obeys the state's own wishes to be woken, so
//! that schedules, repetitions, quiet hours and cycles come when they would; no time passes by itself.

mod clock;
mod flow;
mod ledger;
mod past;
mod seat;
mod timeline;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use simbell_core::action::{ActionRecord, ActionState};
use simbell_core::effect::{Change, Effects, Notice};
use simbell_core::event::{DeliveryOutcome, Event};
use simbell_core::health::WarningCode;
use simbell_core::ident::{Iccid, IdentError, ModemId, OperatorCode, ReminderKey};
use simbell_core::ledger::{Correction, EpochId, Volume, Zone};
use simbell_core::modem::{CallState, CallView, SmsView};
use simbell_core::reminder::{Reminder, ReminderState};
use simbell_core::settings::Settings;
use simbell_core::state::State;
use simbell_core::state::restored::Restored;
use simbell_core::time::{Span, Timestamp};

use crate::ruleset::{LoadOptions, RuleSet};
use clock::FakeClock;
use ledger::Ledger;
use seat::Seat;

pub use flow::Flow;
pub use timeline::{Happening, Moment, Saying};

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

/// Why a rehearsal cannot go on, or cannot do what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RehearsalError {
    /// Time does not go backward.
    Backward,
    /// More happens than is allowed: so many steps of the state.
    TooMuch(u64),
    /// The SIM is in no modem.
    NoModem(Iccid),
    /// The SIM's modem is gone, locked or not connected: nothing passes through it.
    NotConnected(Iccid),
    /// The service does not run.
    Off,
    /// No reminder has this key.
    NoReminder(String),
    /// A text names nothing.
    Ident(IdentError),
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

    /// Puts a SIM into a modem of its own, at home and connected. A SIM that is in one stays there.
    ///
    /// # Errors
    /// See [`RehearsalError`].
    pub fn insert(&mut self, iccid: &Iccid, operator: Option<&str>) -> Result<(), RehearsalError> {
        if self.seats.contains_key(iccid) {
            return Ok(());
        }
        self.modems = self.modems.saturating_add(1);
        let seat = Seat::new(self.modems, iccid.clone(), operator.map(str::to_owned))?;
        let link = seat.reading();
        self.seats.insert(iccid.clone(), seat);
        self.feed(Event::LinkAppeared(link))?;
        self.show(iccid)
    }

    /// Another SIM is in the modem of `before` from now on: by hand, by slot or by eSIM profile.
    ///
    /// # Errors
    /// When `before` is in no modem, or `after` is in one.
    pub fn swap(&mut self, before: &Iccid, after: &Iccid) -> Result<(), RehearsalError> {
        self.read_links()?;
        if before == after {
            return self.seat(before).map(drop);
        }
        if let Some(seat) = self.seats.remove(after) {
            self.feed(Event::ModemVanished { modem: seat.modem.clone() })?;
            self.feed(Event::LinkVanished(seat.reading()))?;
        }
        let seat = self.seats.remove(before).ok_or_else(|| RehearsalError::NoModem(before.clone()))?;
        self.seats.insert(after.clone(), Seat { sim: after.clone(), ..seat });
        self.show(after)
    }

    /// The SIM is at home again, or roams in a network of that code and name.
    ///
    /// # Errors
    /// When the SIM is in no modem.
    pub fn place(&mut self, iccid: &Iccid, zone: Zone, network: Option<&str>) -> Result<(), RehearsalError> {
        self.change(iccid, |seat| {
            seat.zone = zone;
            seat.visited = network.map(str::to_owned);
        })
    }

    /// The SIM's connection is up, or down.
    ///
    /// # Errors
    /// When the SIM is in no modem.
    pub fn connect(&mut self, iccid: &Iccid, connected: bool) -> Result<(), RehearsalError> {
        self.change(iccid, |seat| seat.connected = connected)
    }

    /// The SIM's modem asks for a PIN, or no more.
    ///
    /// # Errors
    /// When the SIM is in no modem.
    pub fn lock(&mut self, iccid: &Iccid, locked: bool) -> Result<(), RehearsalError> {
        self.change(iccid, |seat| seat.locked = locked)
    }

    /// The signal of the SIM's modem, 0 to 100.
    ///
    /// # Errors
    /// When the SIM is in no modem.
    pub fn signal(&mut self, iccid: &Iccid, percent: u8) -> Result<(), RehearsalError> {
        self.change(iccid, |seat| seat.signal_percent = Some(percent))
    }

    /// The SIM's modem is gone from the bus.
    ///
    /// # Errors
    /// When the SIM is in no modem.
    pub fn lose_modem(&mut self, iccid: &Iccid) -> Result<(), RehearsalError> {
        self.read_links()?;
        let seat = self.seat(iccid)?;
        seat.present = false;
        let (modem, link) = (seat.modem.clone(), seat.reading());
        seat.counters = simbell_core::counter::LinkCounters::default();
        self.feed(Event::LinkVanished(link))?;
        self.feed(Event::ModemVanished { modem })
    }

    /// The SIM's modem is back.
    ///
    /// # Errors
    /// When the SIM is in no modem.
    pub fn bring_back_modem(&mut self, iccid: &Iccid) -> Result<(), RehearsalError> {
        let seat = self.seat(iccid)?;
        if seat.present {
            return Ok(());
        }
        seat.present = true;
        let link = seat.reading();
        self.feed(Event::LinkAppeared(link))?;
        self.show(iccid)
    }

    /// A short message came in.
    ///
    /// # Errors
    /// When the SIM is in no modem, or its modem is gone.
    pub fn receive_sms(&mut self, iccid: &Iccid, number: &str, text: &str) -> Result<(), RehearsalError> {
        let at = self.clock.wall;
        let nth = self.steps;
        let modem = self.usable(iccid)?;
        let sms = SmsView {
            number: number.to_owned(),
            text: text.to_owned(),
            timestamp: Some(at.to_utc().to_rfc3339()),
            digest: format!("{:016x}{nth:016x}", at.as_millis()),
        };
        self.feed(Event::SmsReceived { modem, sms })
    }

    /// A short message left by somebody's hand.
    ///
    /// # Errors
    /// When the SIM is in no modem, or its modem is gone.
    pub fn send_sms(&mut self, iccid: &Iccid, to: &str, parts: u32) -> Result<(), RehearsalError> {
        let modem = self.usable(iccid)?;
        self.feed(Event::SmsSent { modem, parts, to: Some(to.to_owned()) })
    }

    /// A call is made, or taken, and lasts so long.
    ///
    /// # Errors
    /// When the SIM is in no modem, or its modem is gone.
    pub fn call(
        &mut self,
        iccid: &Iccid,
        number: &str,
        incoming: bool,
        span: Span,
    ) -> Result<(), RehearsalError> {
        let modem = self.usable(iccid)?;
        let path = format!("/org/freedesktop/ModemManager1/Call/{}", self.steps);
        let event = |state| Event::CallChanged {
            modem: modem.clone(),
            call: CallView {
                service: Some(":1.1".to_owned()),
                path: path.clone(),
                number: Some(number.to_owned()),
                incoming,
                state,
            },
        };
        self.feed(event(if incoming { CallState::RingingIn } else { CallState::Dialing }))?;
        self.feed(event(CallState::Active))?;
        self.advance_to(self.now().saturating_add(span))?;
        self.feed(event(CallState::Terminated))
    }

    /// The SIM's modem, where it is there and unlocked.
    fn usable(&mut self, iccid: &Iccid) -> Result<ModemId, RehearsalError> {
        let seat = self.seat(iccid)?;
        if seat.present && !seat.locked {
            Ok(seat.modem.clone())
        } else {
            Err(RehearsalError::NotConnected(iccid.clone()))
        }
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

    fn seat(&mut self, iccid: &Iccid) -> Result<&mut Seat, RehearsalError> {
        self.seats.get_mut(iccid).ok_or_else(|| RehearsalError::NoModem(iccid.clone()))
    }

    /// Changes something of a SIM's modem, growth until then being counted first.
    fn change(&mut self, iccid: &Iccid, how: impl FnOnce(&mut Seat)) -> Result<(), RehearsalError> {
        if self.running {
            self.read_links()?;
        }
        how(self.seat(iccid)?);
        if self.running { self.show(iccid) } else { Ok(()) }
    }

    /// ModemManager shows the SIM's modem as it is now.
    fn show(&mut self, iccid: &Iccid) -> Result<(), RehearsalError> {
        let view = self.seat(iccid)?.view();
        self.feed(Event::ModemSeen(Box::new(view)))?;
        if self.state.next_read(self.clock.stamp(), false).is_some_and(|after| after <= Span::ZERO) {
            self.read_links()?;
        }
        Ok(())
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

/// The code of a network in a rehearsal, made of its name where only that is known: the same name, the same network.
///
/// # Errors
/// Never for a name; for a code of 5 or 6 digits that is none.
pub fn network_code(name: &str) -> Result<OperatorCode, IdentError> {
    if name.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() {
        return OperatorCode::new(name);
    }
    let sum = name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    OperatorCode::new(format!("999{:02}", sum % 100))
}

impl fmt::Display for RehearsalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backward => f.write_str("time does not go backward"),
            Self::TooMuch(steps) => {
                write!(
                    f,
                    "more happens than can be rehearsed: after {steps} steps there was still more to do"
                )
            }
            Self::NoModem(iccid) => write!(f, "the SIM …{} is in no modem", iccid.tail()),
            Self::NotConnected(iccid) => {
                write!(f, "the SIM …{} is not connected: its modem is gone, locked or offline", iccid.tail())
            }
            Self::Off => f.write_str("the machine is switched off"),
            Self::NoReminder(key) => write!(f, "no reminder has the key `{key}`"),
            Self::Ident(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RehearsalError {}

impl From<IdentError> for RehearsalError {
    fn from(error: IdentError) -> Self {
        Self::Ident(error)
    }
}
