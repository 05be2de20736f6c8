//! Why a reminder is as it is, and a rule taken up again.

use simbell_api::{ControlError, ExplainReminderParams, ExplainReminderReply, Rule};
use simbell_core::decision::Decision;
use simbell_core::event::Event;
use simbell_core::ident::{Iccid, ReminderKey, RuleName};
use simbell_core::reminder::{Reminder, ReminderState};

use super::Engine;
use super::request::has_part;
use crate::control::Answer;
use crate::{convert, why};

impl Engine {
    pub(super) fn why(&self, question: &ExplainReminderParams) -> Answer<ExplainReminderReply> {
        let (name, reminder) = match self.reminder_explained(&question.key) {
            Ok(reminder) => (reminder.rule.clone(), Some(reminder)),
            Err(unknown) => (self.rule_named(&question.key).map_err(|_| unknown)?, None),
        };
        let sim = match (&reminder, question.sim.as_deref()) {
            (None, Some(sim)) => Some(self.sim_named(Some(sim))?),
            (Some(reminder), _) => reminder.sim.clone(),
            (None, None) => None,
        };
        let (decision, kept) = self.decision(&name, sim.as_ref(), reminder.as_ref())?;
        let asked = why::Asked {
            name: &name,
            sim: sim.as_ref(),
            reminder: reminder.as_ref(),
            beginning: self.state.beginning_left(self.stamp()),
        };
        Ok(why::explanation(&self.state, &asked, decision.as_ref(), kept))
    }

    pub(super) async fn resume(&mut self, name: &str) -> Answer<Rule> {
        let name = self.rule_named(name)?;
        if !self.state.rules().any(|rule| rule.name == name && rule.suspended) {
            return Err(ControlError::Refused {
                message: format!("the rule `{name}` is not suspended"),
                hint: "`simbellctl rules` shows how each one stands; one with an error in its text runs again after it \
                       is mended and `simbellctl reload`"
                    .to_owned(),
            });
        }
        self.feed(Event::RuleResumed(name.clone())).await;
        let rule = self.state.rules().find(|rule| rule.name == name);
        rule.map(|rule| convert::rule(&self.state, rule)).ok_or_else(|| convert::internal("the rule is gone"))
    }

    fn rule_named(&self, name: &str) -> Answer<RuleName> {
        let found = self.state.rules().find(|rule| rule.name.as_str() == name);
        found.map(|rule| rule.name.clone()).ok_or_else(|| {
            let shown: String = name.chars().take(80).collect();
            ControlError::UnknownRule {
                message: format!("no rule is called {shown:?}"),
                hint: "`simbellctl rules` lists those that run".to_owned(),
            }
        })
    }

    /// The reminder with this key, resolved or not; or the only live one with this part in its key, or where nothing lives
    /// that has it, the newest that is over.
    fn reminder_explained(&self, key: &str) -> Answer<Reminder> {
        let named = |key: &str| self.state.reminders().find(|reminder| reminder.key.as_str() == key).cloned();
        if let Some(reminder) = named(key) {
            return Ok(reminder);
        }
        // A rule's whole name is part of the keys of all that it raised.
        if self.rule_named(key).is_ok() {
            return Err(ControlError::UnknownReminder { message: String::new(), hint: String::new() });
        }
        let live = self.reminder_named(key).or_else(|error| {
            let fits = || self.state.reminders().filter(|reminder| has_part(reminder, key));
            let lives = |reminder: &Reminder| !matches!(reminder.state, ReminderState::Resolved { .. });
            let newest = fits().max_by_key(|reminder| reminder.raised_at).filter(|_| !fits().any(lives));
            newest.map(|reminder| reminder.key.clone()).ok_or(error)
        });
        let live: ReminderKey = live.map_err(|error| match error {
            ControlError::UnknownReminder { message, .. } => ControlError::UnknownReminder {
                message: format!("{message}, and no rule has this name"),
                hint: match self.rules.plugin(key) {
                    Some(plugin) if !plugin.enabled => {
                        format!("the plugin {key} is off: `simbellctl plugins enable {key}` has it run")
                    }
                    _ => "`simbellctl reminders` and `simbellctl rules` list what can be asked about"
                        .to_owned(),
                },
            },
            other => other,
        })?;
        named(live.as_str()).ok_or_else(|| convert::internal("the reminder is gone"))
    }

    /// The newest decision that has to do with it; else the one that the ledger keeps. Whether it is the latter.
    fn decision(
        &self,
        rule: &RuleName,
        sim: Option<&Iccid>,
        reminder: Option<&Reminder>,
    ) -> Answer<(Option<Decision>, bool)> {
        let Some(reminder) = reminder else {
            // Of a rule that fails, what is wanted is why it fails.
            let fails = self.state.failures(rule) > 0;
            let failure = self.decisions.failure(rule).filter(|_| fails);
            return Ok((failure.or_else(|| self.decisions.newest(rule, sim, None)).cloned(), false));
        };
        let newest = self.decisions.newest(rule, sim, Some(&reminder.trigger));
        let speaks = |decision: &&Decision| {
            let result = &decision.result;
            let names = |key: &str| reminder.key.as_str().starts_with(&format!("{rule}/{key}"));
            result.trigger.is_level()
                || result.findings.iter().any(|finding| names(&finding.key))
                || result.resolved.iter().any(|key| names(key))
        };
        if let Some(newest) = newest.filter(speaks) {
            return Ok((Some(newest.clone()), false));
        }
        if let Some(store) = &self.store {
            let read = super::ledger::watch(&self.ledger.damage, store.decision(&reminder.key));
            let kept =
                read.map_err(|error| convert::internal(&format!("the ledger cannot be read: {error}")))?;
            if kept.is_some() {
                return Ok((kept, true));
            }
        }
        // Of a message or a schedule that is over, what the rule said of another one explains nothing.
        let over = matches!(reminder.state, ReminderState::Resolved { .. });
        Ok((newest.filter(|_| !over).cloned(), false))
    }
}
