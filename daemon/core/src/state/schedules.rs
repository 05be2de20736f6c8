//! Rules that are due at a local time. A missed time still rings: once, and marked late.

use std::sync::Arc;

use super::State;
use crate::effect::{Change, Effects};
use crate::ident::{Iccid, RuleName};
use crate::schedule::Schedule;
use crate::time::{Stamp, Timestamp};
use crate::view::Trigger;

/// Under this key the ledger keeps up to when a schedule was served.
pub(super) fn mark_key(rule: &RuleName, index: usize, sim: Option<&Iccid>) -> String {
    match sim {
        Some(iccid) => format!("{rule}#{index}#{iccid}"),
        None => format!("{rule}#{index}"),
    }
}

impl State {
    /// Which schedules there are: each rule's, for each SIM, or once where no SIM is known.
    fn schedules(&self) -> Vec<(RuleName, usize, Schedule, Option<Iccid>)> {
        let sims: Vec<Option<Iccid>> =
            if self.sims.is_empty() { vec![None] } else { self.sims.keys().cloned().map(Some).collect() };
        let mut all = Vec::new();
        for rule in
            self.rules.values().filter(|r| r.problem.is_none() && r.triggers.iter().any(|t| t == "schedule"))
        {
            for (index, schedule) in rule.schedules.iter().enumerate() {
                for sim in &sims {
                    all.push((rule.name.clone(), index, *schedule, sim.clone()));
                }
            }
        }
        all
    }

    pub(super) fn serve_schedules(&mut self, at: Stamp, fx: &mut Effects) {
        if !at.trusted {
            return;
        }
        for (rule, index, schedule, sim) in self.schedules() {
            let key = mark_key(&rule, index, sim.as_ref());
            if self.marks_in_flight.contains_key(&key) {
                continue;
            }
            let Some(served) = self.marks.get(&key).copied() else {
                // New here: what was due before it was there is not owed.
                self.marks.insert(key.clone(), at.wall);
                fx.changes.push(Change::KeepScheduleMark { key, served: at.wall });
                continue;
            };
            let zone = sim.as_ref().map_or(&self.settings.zone, |iccid| self.zone_of(iccid));
            let Some(due) = schedule.last_due(zone, served, at.wall) else { continue };
            self.marks_in_flight.insert(key, due);
            let trigger = Trigger::Schedule { sim, index, due };
            let input = Arc::new(self.rule_input(&trigger, at));
            fx.evaluate.push(crate::effect::Evaluation { rule, trigger, input });
        }
    }

    pub(super) fn next_schedule(&self, at: Stamp) -> Option<Timestamp> {
        self.schedules()
            .into_iter()
            .map(|(rule, index, schedule, sim)| {
                let zone = sim.as_ref().map_or(&self.settings.zone, |iccid| self.zone_of(iccid));
                let key = mark_key(&rule, index, sim.as_ref());
                // What is due and not served yet is due now; the next time after now would never come.
                let owed = self
                    .marks
                    .get(&key)
                    .filter(|_| !self.marks_in_flight.contains_key(&key))
                    .and_then(|served| schedule.last_due(zone, *served, at.wall));
                owed.unwrap_or_else(|| schedule.next_due(zone, at.wall))
            })
            .min()
    }
}
