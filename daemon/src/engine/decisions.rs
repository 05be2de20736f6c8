//! What rules said last: the newest in memory, and in the ledger what each reminder comes from.

use std::collections::BTreeMap;
use std::sync::Arc;

use simbell_core::decision::Decision;
use simbell_core::effect::{Change, Effects, Evaluation};
use simbell_core::event::{Event, RuleResult};
use simbell_core::ident::{Iccid, ReminderKey, RuleName};
use simbell_core::memory::Memory;
use simbell_core::reminder::{Reminder, ReminderState};
use simbell_core::view::{RuleInput, Sight};

use super::Engine;

/// Most that are held in memory: with more rules and SIMs, those of which nothing came longest ago are forgotten.
const HELD: usize = 256;

/// Rule, SIM and kind of occasion.
type Occasion = (RuleName, Option<Iccid>, &'static str);

/// The newest decisions, by rule, SIM and kind of occasion.
#[derive(Debug, Default)]
pub struct Decisions {
    newest: BTreeMap<Occasion, (u64, Decision)>,
    count: u64,
}

impl Decisions {
    fn keep(&mut self, decision: Decision) {
        let trigger = &decision.result.trigger;
        let occasion = (decision.result.rule.clone(), trigger.sim().cloned(), trigger.kind());
        self.count = self.count.saturating_add(1);
        self.newest.insert(occasion, (self.count, decision));
        if self.newest.len() > HELD {
            let oldest = self.newest.iter().min_by_key(|(_, (count, _))| *count).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.newest.remove(&key));
        }
    }

    /// The newest on which this rule failed.
    pub fn failure(&self, rule: &RuleName) -> Option<&Decision> {
        let failed = self
            .newest
            .iter()
            .filter(|((name, ..), (_, decision))| name == rule && decision.result.error.is_some());
        failed.max_by_key(|(_, (count, _))| *count).map(|(_, (_, decision))| decision)
    }

    /// The newest about this rule and SIM, of one kind of occasion or of any.
    pub fn newest(&self, rule: &RuleName, sim: Option<&Iccid>, kind: Option<&str>) -> Option<&Decision> {
        let of_rule = self.newest.iter().filter(|((name, about, on), _)| {
            name == rule && (sim.is_none() || about.as_ref() == sim) && kind.is_none_or(|kind| kind == *on)
        });
        of_rule.max_by_key(|(_, (count, _))| *count).map(|(_, (_, decision))| decision)
    }
}

impl Engine {
    /// Takes what rules said into the state, and keeps why.
    pub(super) fn decided(&mut self, asked: Vec<Evaluation>, results: Vec<RuleResult>) -> Effects {
        let decisions = together(asked, &results);
        let before: BTreeMap<ReminderKey, (ReminderState, u32)> =
            self.state.reminders().map(|r| (r.key.clone(), (r.state.clone(), r.occurrence))).collect();
        let waiting = self.backlog.changes.len();
        let fx = self.step(Event::RulesEvaluated(results));
        let made = self.backlog.changes.get(waiting..).unwrap_or_default();
        for reminder in changed(made, &before) {
            let whose = |decision: &&Decision| {
                let trigger = &decision.result.trigger;
                let about = trigger.sim().is_none() || trigger.sim() == reminder.sim.as_ref();
                about && decision.result.rule == reminder.rule
            };
            // A reminder can be raised on one occasion and resolved on another of the same step.
            let kind = |decision: &&Decision| decision.result.trigger.kind() == reminder.trigger;
            let found = decisions.iter().rfind(|one| whose(one) && kind(one));
            if let Some(decision) = found.or_else(|| decisions.iter().rfind(whose)) {
                self.backlog.changes.push(Change::KeepDecision {
                    reminder: reminder.key,
                    decision: Box::new(decision.clone()),
                });
            }
        }
        decisions.into_iter().for_each(|decision| self.decisions.keep(decision));
        fx
    }
}

/// What was asked, as far as the rule looked at it, beside what was said. Within a step a rule remembers what it said to
/// the question before.
fn together(asked: Vec<Evaluation>, results: &[RuleResult]) -> Vec<Decision> {
    let mut memories: BTreeMap<RuleName, Arc<Memory>> = BTreeMap::new();
    // All rules that are asked on one occasion share its input, and what is left of it.
    let mut seen: Vec<(Arc<RuleInput>, Sight, Arc<RuleInput>)> = Vec::new();
    let one = |(mut asked, result): (Evaluation, &RuleResult)| {
        if let Some(memory) = memories.get(&asked.rule) {
            asked.memory = Arc::clone(memory);
        }
        let left =
            seen.iter().find(|(whole, sight, _)| Arc::ptr_eq(whole, &asked.input) && *sight == result.sight);
        let left = left.map(|(.., left)| Arc::clone(left)).unwrap_or_else(|| {
            let left = Arc::new(asked.input.seen(result.sight, &asked.trigger));
            seen.push((Arc::clone(&asked.input), result.sight, Arc::clone(&left)));
            left
        });
        asked.input = left;
        if let Some(memory) = &result.memory {
            memories.insert(asked.rule.clone(), Arc::new(memory.clone()));
        }
        Decision::new(&asked, result)
    };
    asked.into_iter().zip(results).map(one).collect()
}

/// Reminders that stand otherwise than before, or were said anew: what only changed its words is not written down each
/// time, for the sake of flash memory.
fn changed(changes: &[Change], before: &BTreeMap<ReminderKey, (ReminderState, u32)>) -> Vec<Reminder> {
    let mut found: BTreeMap<ReminderKey, Reminder> = BTreeMap::new();
    for change in changes {
        if let Change::KeepReminder(reminder) = change
            && before.get(&reminder.key).is_none_or(|(state, occurrence)| {
                *state != reminder.state || *occurrence != reminder.occurrence
            })
        {
            found.insert(reminder.key.clone(), reminder.clone());
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use simbell_core::time::Timestamp;
    use simbell_core::view::{LocalNow, ModemFacts, Trigger};

    use super::*;

    /// With each SIM's decision stood the facts of all the others, which the rule had not looked at.
    #[test]
    fn what_a_rule_did_not_look_at_is_not_kept() {
        let at = Timestamp::from_millis(0);
        let modem = ModemFacts {
            name: "modem".to_owned(),
            tail: "1".to_owned(),
            present: true,
            lost_since: None,
            state: None,
            unusable: None,
            sim: None,
            network: None,
            access: Vec::new(),
            signal_percent: None,
        };
        let input = Arc::new(RuleInput {
            now: LocalNow { at, date: String::new(), time: String::new(), weekday: 1, day: 1, hour: 0 },
            language: String::new(),
            sim: None,
            sims: Arc::from([]),
            modems: vec![modem; 8].into(),
            deliveries: Arc::from([]),
            warnings: Vec::new(),
            late_s: 7,
        });
        let sim = Iccid::new("8900100000000000017").unwrap();
        let rule = |name: &str| RuleName::new(name).unwrap();
        let asked = |name: &str| Evaluation {
            rule: rule(name),
            trigger: Trigger::Usage { sim: sim.clone() },
            input: Arc::clone(&input),
            memory: Arc::default(),
        };
        let said = |name: &str, sight| RuleResult {
            sight,
            ..RuleResult::nothing(rule(name), Trigger::Usage { sim: sim.clone() })
        };
        let made = together(
            vec![asked("own"), asked("all"), asked("other")],
            &[said("own", Sight::NOTHING), said("all", Sight::ALL), said("other", Sight::NOTHING)],
        );
        let modems: Vec<usize> = made.iter().map(|decision| decision.input.modems.len()).collect();
        assert_eq!(modems, [0, 8, 0]);
        assert!(made.iter().all(|decision| decision.input.late_s == 7));
        assert!(Arc::ptr_eq(&made[0].input, &made[2].input), "what is left is shared");
    }
}
