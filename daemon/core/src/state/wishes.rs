//! What rules remember, what they want done, and rules that fail.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::State;
use crate::action::{Action, ActionRecord, ActionRequest, ActionState};
use crate::effect::{Change, Effects, Notice};
use crate::event::RuleResult;
use crate::health::WarningCode;
use crate::ident::{Iccid, RuleName};
use crate::memory::Memory;
use crate::time::{Span, Stamp};

/// An action that is over is remembered this long: for the count of a day, and for who asks why.
const REMEMBERED: Span = Span::secs(2 * 86_400);

impl State {
    /// What a rule remembers.
    #[must_use]
    pub fn memory(&self, rule: &RuleName) -> Arc<Memory> {
        self.memories.get(rule).map_or_else(Arc::default, Arc::clone)
    }

    /// What rules wanted done lately, by key.
    pub fn actions(&self) -> impl Iterator<Item = &ActionRecord> {
        self.actions.values()
    }

    /// How often a rule failed in a row by now.
    #[must_use]
    pub fn failures(&self, rule: &RuleName) -> u32 {
        self.failures.get(rule).copied().unwrap_or(0)
    }

    /// How often a rule was asked since the service began.
    #[must_use]
    pub fn times_asked(&self, rule: &RuleName) -> u64 {
        self.asked.get(rule).copied().unwrap_or(0)
    }

    pub(super) fn remember(&mut self, result: &RuleResult, fx: &mut Effects) {
        if let Some(memory) = &result.memory {
            self.memories.insert(result.rule.clone(), Arc::new(memory.clone()));
            fx.changes.push(Change::KeepMemory { rule: result.rule.clone(), memory: memory.clone() });
        }
    }

    /// What a rule wants done is in the ledger, as intended, before it is done, and is done once for as long as the rule
    /// goes on asking for it.
    pub(super) fn take_wishes(&mut self, result: &RuleResult, at: Stamp, fx: &mut Effects) {
        let Some(sim) = result.trigger.sim().cloned() else { return };
        let level = result.trigger.is_level();
        let mut asked = BTreeSet::new();
        for request in &result.actions {
            let base = format!("{}/{}/{}", result.rule, request.key, sim);
            let key = if level { base } else { format!("{base}@{}", at.wall.as_millis()) };
            let same = self.actions.get(&key);
            let goes_on = same.is_some_and(|same| same.wished || same.state == ActionState::Intended);
            asked.insert(key.clone());
            if !goes_on {
                self.wish(key, result, request, &sim, at, fx);
            }
        }
        if level {
            let over = |record: &&ActionRecord| {
                record.wished
                    && record.rule == result.rule
                    && record.trigger == result.trigger.kind()
                    && record.sim == sim
                    && !asked.contains(&record.key)
            };
            let over: Vec<ActionRecord> = self.actions.values().filter(over).cloned().collect();
            for record in over {
                self.keep_action(ActionRecord { wished: false, ..record }, fx);
            }
        }
        self.actions.retain(|_, record| {
            record.wished || record.state == ActionState::Intended || at.wall.since(record.at) < REMEMBERED
        });
    }

    fn wish(
        &mut self,
        key: String,
        result: &RuleResult,
        request: &ActionRequest,
        sim: &Iccid,
        at: Stamp,
        fx: &mut Effects,
    ) {
        let refused = self.refused(&result.rule, &request.action, at);
        let record = ActionRecord {
            key,
            rule: result.rule.clone(),
            sim: sim.clone(),
            action: request.action.clone(),
            state: if refused.is_some() { ActionState::Refused } else { ActionState::Intended },
            at: at.wall,
            trigger: result.trigger.kind().to_owned(),
            wished: result.trigger.is_level(),
            note: refused.clone(),
        };
        match refused {
            Some(why) => self.warn(WarningCode::ActionFailed, result.rule.as_str(), why, fx),
            None => fx.act.push(record.clone()),
        }
        self.keep_action(record, fx);
    }

    /// Why an action is not done, where it is not.
    fn refused(&self, rule: &RuleName, action: &Action, at: Stamp) -> Option<String> {
        let permission = action.permission();
        let of_rule = self.rules.get(rule);
        if !of_rule.is_some_and(|rule| rule.may.contains(&permission)) {
            let how = if of_rule.is_some_and(|rule| rule.plugin) {
                format!(
                    "name \"{permission}\" in `permissions` of its plugin.toml, and in `allow` of [plugins.{rule}] in the \
                     configuration"
                )
            } else {
                format!("name \"{permission}\" under `{rule}` of [rules.allow] in the configuration")
            };
            return Some(format!(
                "The rule {rule} wanted to {}, and may not. To let it: {how}.",
                what(action)
            ));
        }
        let today = self.settings.zone.date(at.wall);
        let done = self.actions.values().filter(|record| {
            record.rule == *rule
                && record.state != ActionState::Refused
                && self.settings.zone.date(record.at) == today
        });
        let most = self.settings.actions_a_day;
        (u32::try_from(done.count()).unwrap_or(u32::MAX) >= most).then(|| {
            format!(
                "The rule {rule} wanted to {}, but has had {most} things done today, which is the most \
                 (rules.actions_a_day).",
                what(action)
            )
        })
    }

    pub(super) fn action_ended(
        &mut self,
        key: &str,
        state: ActionState,
        note: Option<&str>,
        fx: &mut Effects,
    ) {
        let Some(record) = self.actions.get(key).cloned() else { return };
        let (rule, action) = (record.rule.clone(), record.action.clone());
        self.keep_action(ActionRecord { state, note: note.map(str::to_owned), ..record }, fx);
        let why = note.unwrap_or("no reason given");
        match state {
            ActionState::Failed => {
                let text = format!("The rule {rule} wanted to {}, and it failed: {why}.", what(&action));
                self.warn(WarningCode::ActionFailed, rule.as_str(), text, fx);
            }
            ActionState::Unknown => {
                let text = format!(
                    "The rule {rule} wanted to {}; whether that was done is not known ({why}). It is not tried again.",
                    what(&action)
                );
                self.warn(WarningCode::ActionFailed, rule.as_str(), text, fx);
            }
            ActionState::Done => self.well(WarningCode::ActionFailed, rule.as_str(), fx),
            ActionState::Intended | ActionState::Refused => {}
        }
    }

    /// What was to be done as the service ended may have been: it is not done again.
    pub(super) fn give_up_intended(&mut self, fx: &mut Effects) {
        let open = self.actions.values().filter(|record| record.state == ActionState::Intended);
        let open: Vec<String> = open.map(|record| record.key.clone()).collect();
        for key in open {
            let note = "the service ended meanwhile";
            self.action_ended(&key, ActionState::Unknown, Some(note), fx);
        }
    }

    fn keep_action(&mut self, record: ActionRecord, fx: &mut Effects) {
        fx.changes.push(Change::KeepAction(record.clone()));
        self.actions.insert(record.key.clone(), record);
    }

    /// A rule failed, on one occasion, about one SIM or several: it is asked again, a few times.
    pub(super) fn rule_failed(&mut self, rule: &RuleName, error: &str, fx: &mut Effects) {
        let most = self.settings.suspend_after.max(1);
        let failures = self.failures.entry(rule.clone()).or_insert(0);
        *failures = failures.saturating_add(1);
        if *failures < most {
            let times = if *failures == 1 { "once".to_owned() } else { format!("{failures} times in a row") };
            let text = format!("{error}\nIt failed {times}; after {most} times in a row it is suspended.");
            self.warn(WarningCode::RuleFailing, rule.as_str(), text, fx);
            return;
        }
        if let Some(rule) = self.rules.get_mut(rule) {
            rule.problem = Some(error.to_owned());
            rule.suspended = true;
        }
        self.well(WarningCode::RuleFailing, rule.as_str(), fx);
        let text = format!(
            "{error}\nIt failed {most} times in a row and is suspended. Mend it, or take it up again: `simbellctl rules \
             resume {rule}`."
        );
        self.warn(WarningCode::RuleDisabled, rule.as_str(), text, fx);
        fx.notices.push(Notice::StatusChanged);
    }

    pub(super) fn rule_went_well(&mut self, rule: &RuleName, fx: &mut Effects) {
        if self.failures.remove(rule).is_some() {
            self.well(WarningCode::RuleFailing, rule.as_str(), fx);
        }
    }

    pub(super) fn rule_resumed(&mut self, name: &RuleName, fx: &mut Effects) {
        let Some(rule) = self.rules.get_mut(name).filter(|rule| rule.suspended) else { return };
        rule.suspended = false;
        rule.problem = None;
        self.failures.remove(name);
        self.well(WarningCode::RuleDisabled, name.as_str(), fx);
        self.health_changed = true;
        self.roaming_unasked.extend(self.active_sims());
        self.fleet.ask_soon();
        for sim in self.sims.values_mut() {
            sim.evaluate_soon();
        }
        fx.notices.push(Notice::StatusChanged);
    }
}

fn what(action: &Action) -> &'static str {
    match action {
        Action::SendSms { .. } => "send a short message",
        Action::SendUssd { .. } => "ask the network by USSD",
        Action::Disconnect => "disconnect",
    }
}
