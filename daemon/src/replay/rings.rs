//! What came of a run: reminders from the first time they were said until they were over, and failures.

use std::collections::BTreeMap;

use simbell_core::ident::{Iccid, ReminderKey};
use simbell_core::reminder::Urgency;
use simbell_core::state::State;
use simbell_core::time::{Span, Timestamp};
use simbell_rules::{Happening, Moment, Saying};

/// A rule that rings more often than this tells nobody anything.
const MOST: usize = 10_000;

/// A rule that fails again and again says the same each time.
const MOST_FAILURES: usize = 20;

/// A reminder that would have been said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ring {
    pub key: ReminderKey,
    /// As the rule knows it.
    pub name: String,
    pub iccid: Option<Iccid>,
    pub raised: Timestamp,
    /// The first time within the span.
    pub at: Timestamp,
    pub last: Timestamp,
    pub times: u64,
    pub urgency: Urgency,
    pub text: String,
    pub trigger: String,
    pub late: Option<Span>,
    pub resolved: Option<Timestamp>,
}

/// The rule failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub at: Timestamp,
    pub iccid: Option<Iccid>,
    pub error: String,
    pub suspended: bool,
}

/// What is gathered of a run.
#[derive(Debug)]
pub(super) struct Rings {
    /// What is told: from the first, included, until the second.
    span: (Timestamp, Timestamp),
    all: Vec<Ring>,
    /// The one of each key that is not over, by its place.
    open: BTreeMap<ReminderKey, usize>,
    /// Raised, and held back by quiet hours.
    held: BTreeMap<ReminderKey, Timestamp>,
    failures: Vec<Failure>,
    failed: u64,
    suspended: Option<Timestamp>,
}

/// What a run came to.
#[derive(Debug)]
pub(super) struct Outcome {
    /// In order of time.
    pub rings: Vec<Ring>,
    /// The first of them.
    pub failures: Vec<Failure>,
    /// How many there were.
    pub failed: u64,
    pub suspended: Option<Timestamp>,
}

impl Rings {
    pub(super) const fn within(from: Timestamp, until: Timestamp) -> Self {
        Self {
            span: (from, until),
            all: Vec::new(),
            open: BTreeMap::new(),
            held: BTreeMap::new(),
            failures: Vec::new(),
            failed: 0,
            suspended: None,
        }
    }

    /// Takes in what happened, in order; `state` is as it is now. False once there is more than anybody reads.
    pub(super) fn take(&mut self, moments: Vec<Moment>, state: &State) -> bool {
        for moment in moments {
            match &moment.what {
                Happening::Held(saying) => {
                    self.held.entry(saying.reminder.clone()).or_insert(moment.at);
                }
                Happening::Said(saying) => self.said(&moment, saying, state),
                Happening::Resolved(key) => {
                    self.held.remove(key);
                    if let Some(ring) = self.open.remove(key).and_then(|place| self.all.get_mut(place)) {
                        ring.resolved = Some(moment.at);
                    }
                }
                Happening::Failed(error) => self.fail(&moment, error),
                Happening::Reworded(_)
                | Happening::Acknowledged(_)
                | Happening::Snoozed(..)
                | Happening::Acted(_) => {}
            }
        }
        if self.suspended.is_none() && state.rules().any(|rule| rule.suspended) {
            self.suspended = self.failures.last_mut().map(|last| {
                last.suspended = true;
                last.at
            });
        }
        self.all.len() <= MOST
    }

    fn tells_of(&self, at: Timestamp) -> bool {
        at >= self.span.0 && at < self.span.1
    }

    fn said(&mut self, moment: &Moment, saying: &Saying, state: &State) {
        let key = &saying.reminder;
        let counts = u64::from(self.tells_of(moment.at));
        let held = self.held.remove(key);
        let open = self.open.get(key).and_then(|place| self.all.get_mut(*place));
        // News is raised anew each time, and told apart from a repetition by its number.
        if let Some(ring) = open.filter(|_| saying.occurrence > 1) {
            if ring.times == 0 && counts > 0 {
                ring.at = moment.at;
                ring.text.clone_from(&saying.text);
                ring.urgency = saying.urgency;
            }
            ring.last = moment.at;
            ring.times = ring.times.saturating_add(counts);
            return;
        }
        let trigger = state.reminders().find(|known| known.key == *key);
        let ring = Ring {
            key: key.clone(),
            name: moment.own_key().unwrap_or_default().to_owned(),
            iccid: moment.sim.clone(),
            raised: held.unwrap_or(moment.at),
            at: moment.at,
            last: moment.at,
            times: counts,
            urgency: saying.urgency,
            text: saying.text.clone(),
            trigger: trigger.map(|reminder| reminder.trigger.clone()).unwrap_or_default(),
            late: saying.late,
            resolved: None,
        };
        self.open.insert(key.clone(), self.all.len());
        self.all.push(ring);
    }

    /// One that fails for each SIM of an occasion failed once.
    fn fail(&mut self, moment: &Moment, error: &str) {
        if self.failures.last().is_some_and(|last| last.at == moment.at && last.error == error) {
            return;
        }
        if self.tells_of(moment.at) {
            self.failed = self.failed.saturating_add(1);
        }
        if self.failures.len() < MOST_FAILURES {
            let (iccid, error) = (moment.sim.clone(), error.to_owned());
            self.failures.push(Failure { at: moment.at, iccid, error, suspended: false });
        }
    }

    pub(super) fn end(self) -> Outcome {
        let mut rings: Vec<Ring> = self.all.into_iter().filter(|ring| ring.times > 0).collect();
        rings.sort_by(|a, b| (a.at, &a.iccid, &a.key).cmp(&(b.at, &b.iccid, &b.key)));
        Outcome { rings, failures: self.failures, failed: self.failed, suspended: self.suspended }
    }
}
