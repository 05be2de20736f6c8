//! Rules that are due at a local time. A missed time still rings: once, and marked late.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::State;
use super::facts::answers;
use crate::effect::{Change, Effects};
use crate::ident::{Iccid, RuleName};
use crate::schedule::Schedule;
use crate::time::{Stamp, Timestamp};
use crate::view::Trigger;

/// When the next schedule is due, so that not each event asks the calendar about every rule and SIM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// Worked out at this instant; void when the clock is set before it.
    at: Timestamp,
    next: Option<Timestamp>,
}

/// Under this key the ledger keeps up to when a schedule was served. The schedule's own words are part of it: one that
/// was changed owes nothing for the time before.
fn mark_key(rule: &RuleName, index: usize, schedule: &Schedule, sim: Option<&Iccid>) -> String {
    match sim {
        Some(iccid) => format!("{rule}#{index} {schedule}#{iccid}"),
        None => format!("{rule}#{index} {schedule}"),
    }
}

impl State {
    /// Which schedules there are: each rule's, for each SIM, or once where no SIM is known.
    fn schedules(&self) -> Vec<(RuleName, usize, Schedule, Option<Iccid>)> {
        let sims: Vec<Option<Iccid>> =
            if self.sims.is_empty() { vec![None] } else { self.sims.keys().cloned().map(Some).collect() };
        let mut all = Vec::new();
        for rule in self.rules.values().filter(|rule| answers(rule, "schedule")) {
            for (index, schedule) in rule.schedules.iter().enumerate() {
                for sim in &sims {
                    all.push((rule.name.clone(), index, *schedule, sim.clone()));
                }
            }
        }
        all
    }

    /// Asks the rules whose time has come. The clock is trusted, and the sums are known.
    pub(super) fn serve_schedules(&mut self, at: Stamp, fx: &mut Effects) {
        let settled = self
            .schedules_known
            .is_some_and(|known| known.at <= at.wall && known.next.is_none_or(|next| at.wall < next));
        if settled {
            return;
        }
        let mut next: Option<Timestamp> = None;
        let mut shared = None;
        for (rule, index, schedule, sim) in self.schedules() {
            let zone = sim.as_ref().map_or(&self.settings.zone, |iccid| self.zone_of(iccid));
            let coming = schedule.next_due(zone, at.wall);
            next = Some(next.map_or(coming, |next| next.min(coming)));
            let key = mark_key(&rule, index, &schedule, sim.as_ref());
            if self.marks_in_flight.contains_key(&key) {
                continue;
            }
            // New here: what was due before it was there is not owed. A mark beyond the next time was made by a clock
            // that ran ahead: it must not silence the schedule until then. One at the next time was served already, and
            // the clock was put back a little.
            let served = self.marks.get(&key).copied().filter(|served| *served <= coming);
            let Some(served) = served else {
                self.marks.insert(key.clone(), at.wall);
                fx.changes.push(Change::KeepScheduleMark { key, served: at.wall });
                continue;
            };
            let Some(due) = schedule.last_due(zone, served, at.wall) else { continue };
            self.marks_in_flight.insert(key, due);
            let trigger = Trigger::Schedule { sim, index, due };
            let shared = shared.get_or_insert_with(|| self.shared_facts(at));
            let input = Arc::new(self.rule_input(&trigger, shared, at));
            fx.evaluate.push(self.evaluation(rule, trigger, input));
        }
        self.schedules_known = Some(Known { at: at.wall, next });
    }

    pub(super) fn next_schedule(&self) -> Option<Timestamp> {
        if self.totals_awaited() {
            return None;
        }
        self.schedules_known.and_then(|known| known.next)
    }

    /// A rule has answered to a time: it is not asked about it again.
    pub(super) fn schedule_served(
        &mut self,
        rule: &RuleName,
        index: usize,
        sim: Option<&Iccid>,
        due: Timestamp,
        fx: &mut Effects,
    ) {
        let schedule = self.rules.get(rule).and_then(|rule| rule.schedules.get(index)).copied();
        let Some(schedule) = schedule else { return };
        let key = mark_key(rule, index, &schedule, sim);
        // Another time may have come meanwhile.
        self.schedules_known = None;
        if self.marks_in_flight.remove(&key).is_some() {
            self.marks.insert(key.clone(), due);
            fx.changes.push(Change::KeepScheduleMark { key, served: due });
        }
    }

    /// Answers about schedules that are there no more will not come.
    pub(super) fn forget_schedules(&mut self) {
        let all: BTreeSet<String> = self
            .schedules()
            .into_iter()
            .map(|(rule, index, schedule, sim)| mark_key(&rule, index, &schedule, sim.as_ref()))
            .collect();
        self.marks_in_flight.retain(|key, _| all.contains(key));
        self.schedules_known = None;
    }
}
