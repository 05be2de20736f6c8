//! Findings to reminders: one per key, said again as often as asked, until somebody answers or it no longer holds.

use std::collections::BTreeMap;

use super::State;
use crate::effect::{Change, Effects, Notice};
use crate::event::RuleResult;
use crate::ident::{ChannelName, Iccid, ReminderKey, RuleName};
use crate::reminder::{Finding, Reminder, ReminderState, Repeat, Urgency};
use crate::time::{Span, Stamp, Timestamp};
use crate::view::Trigger;

/// From this on a reminder says that it is late.
pub(super) const LATE_FROM: Span = Span::secs(60);

/// News, of a schedule or a message, that nobody answered is over after this long.
const NEWS_FOR: Span = Span::secs(24 * 3_600);

/// Resolved reminders are remembered this long.
const REMEMBERED: Span = Span::secs(7 * 86_400);

impl State {
    /// All that one step asked for: a rule that failed for each SIM failed once.
    pub(super) fn rules_evaluated(&mut self, results: &[RuleResult], at: Stamp, fx: &mut Effects) {
        // Once for all of them: what they resolve now is remembered.
        self.forget_resolved(at);
        let mut failed: BTreeMap<&RuleName, &str> = BTreeMap::new();
        for result in results {
            let asked = self.asked.entry(result.rule.clone()).or_insert(0);
            *asked = asked.saturating_add(1);
            if let Some(error) = &result.error {
                failed.entry(&result.rule).or_insert(error);
            }
            self.rule_evaluated(result, at, fx);
        }
        self.look_at_channels(fx);
        for result in results {
            if !failed.contains_key(&result.rule) {
                self.rule_went_well(&result.rule, fx);
            }
        }
        for (rule, error) in failed {
            if self.rules.contains_key(rule) {
                self.rule_failed(rule, error, fx);
            }
        }
    }

    fn rule_evaluated(&mut self, result: &RuleResult, at: Stamp, fx: &mut Effects) {
        self.served(&result.trigger, result, fx);
        if let Trigger::Usage { sim } = &result.trigger {
            self.watch_learnt(sim, &result.rule, result.watch);
        }
        // Asked before a reload that took it away.
        if !self.rules.contains_key(&result.rule) {
            return;
        }
        // What was raised before stays: nobody knows whether it still holds.
        if result.error.is_some() {
            return;
        }
        self.remember(result, fx);
        let mut raised = Vec::new();
        for finding in &result.findings {
            if let Some(key) = self.key_of(result, finding) {
                self.raise(&key, result, finding, at, fx);
                self.names_channels(&result.rule, finding.channels.as_deref().unwrap_or_default());
                raised.push(key);
            }
        }
        if result.trigger.is_level() {
            self.resolve_others(result, &raised, at, fx);
        }
        if let Trigger::SimChanged { before, .. } = &result.trigger {
            self.resolve_changed_from(result, before, &raised, at, fx);
        }
        for key in &result.resolved {
            self.resolve_named(result, key, &raised, at, fx);
        }
        self.take_wishes(result, at, fx);
    }

    /// What a trigger stood for is done with, in the same transaction as what came of it.
    fn served(&mut self, trigger: &Trigger, result: &RuleResult, fx: &mut Effects) {
        match trigger {
            Trigger::Schedule { sim, index, due } => {
                self.schedule_served(&result.rule, *index, sim.as_ref(), *due, fx);
            }
            Trigger::Sms { sms, .. } => {
                let at = self.now.wall;
                fx.changes.push(Change::KeepSmsDigest { digest: sms.digest.clone(), at });
            }
            Trigger::CycleBegan { sim } | Trigger::CycleEnded { sim, .. } => self.cycle_served(sim, fx),
            Trigger::Usage { .. }
            | Trigger::Roaming { .. }
            | Trigger::SimChanged { .. }
            | Trigger::Modems
            | Trigger::Health => {}
        }
    }

    /// `rule/key`, and the end of the ICCID where it is about a SIM. Whole only where two SIMs end alike.
    fn key_of(&self, result: &RuleResult, finding: &Finding) -> Option<ReminderKey> {
        let sim = finding.sim.as_ref();
        let short = match sim {
            Some(iccid) => format!("{}/{}/{}", result.rule, finding.key, iccid.tail()),
            None => format!("{}/{}", result.rule, finding.key),
        };
        let short = ReminderKey::new(short).ok()?;
        let Some(iccid) = sim else { return Some(short) };
        let long = ReminderKey::new(format!("{}/{}/{}", result.rule, finding.key, iccid)).ok();
        let taken = self.reminders.get(&short).is_some_and(|other| other.sim.as_ref() != sim);
        let keeps = long.as_ref().is_some_and(|long| self.live(long).is_some());
        if taken || keeps { long } else { Some(short) }
    }

    fn raise(
        &mut self,
        key: &ReminderKey,
        result: &RuleResult,
        finding: &Finding,
        at: Stamp,
        fx: &mut Effects,
    ) {
        let late = match &result.trigger {
            Trigger::Schedule { due, .. } => Some(at.wall.since(*due)).filter(|late| *late >= LATE_FROM),
            _ => None,
        };
        let live = self.reminders.get(key).filter(|r| !matches!(r.state, ReminderState::Resolved { .. }));
        if let Some(live) = live {
            let mut reminder = live.clone();
            reminder.text.clone_from(&finding.text);
            reminder.urgency = finding.urgency;
            reminder.repeat = finding.repeat.clone();
            reminder.channels = self.channels_for(finding);
            let again = !result.trigger.is_level();
            if again {
                // A schedule or a message is news each time, even where the last one was acknowledged. Two of one
                // second are told apart by their number.
                if reminder.raised_at.as_secs() != at.wall.as_secs() {
                    reminder.occurrence = 0;
                }
                reminder.raised_at = at.wall;
                reminder.late = late;
                self.say_or_hold(reminder, false, at, fx);
            } else if &reminder != live {
                let urgent = reminder.urgency == Urgency::Critical && live.urgency != Urgency::Critical;
                if urgent && reminder.state == ReminderState::Pending {
                    // Held back by quiet hours, which hold back nothing critical.
                    self.say(reminder, false, at, fx);
                    return;
                }
                if reminder.state == ReminderState::Firing && reminder.repeat != live.repeat {
                    reminder.next_at = self.next_time(&reminder, at.wall);
                }
                self.keep(reminder, fx);
            }
            return;
        }
        let reminder = Reminder {
            key: key.clone(),
            rule: result.rule.clone(),
            sim: finding.sim.clone(),
            state: ReminderState::Pending,
            urgency: finding.urgency,
            text: finding.text.clone(),
            repeat: finding.repeat.clone(),
            channels: self.channels_for(finding),
            raised_at: at.wall,
            next_at: None,
            occurrence: 0,
            trigger: result.trigger.kind().to_owned(),
            late,
        };
        self.say_or_hold(reminder, false, at, fx);
    }

    fn channels_for(&self, finding: &Finding) -> Vec<ChannelName> {
        let mut channels = finding.channels.clone().unwrap_or_else(|| self.settings.default_channels.clone());
        channels.dedup();
        channels
    }

    fn say_or_hold(&mut self, mut reminder: Reminder, again: bool, at: Stamp, fx: &mut Effects) {
        let quiet = self.settings.quiet.filter(|_| reminder.urgency != Urgency::Critical);
        let until = quiet
            .filter(|quiet| quiet.contains(self.settings.zone.civil(at.wall)))
            .and_then(|quiet| quiet.ends_at(&self.settings.zone, at.wall));
        if let Some(until) = until {
            reminder.state = ReminderState::Pending;
            reminder.next_at = Some(until);
            self.keep(reminder, fx);
        } else {
            self.say(reminder, again, at, fx);
        }
    }

    /// `again`: for the same reason as the last time.
    fn say(&mut self, mut reminder: Reminder, again: bool, at: Stamp, fx: &mut Effects) {
        reminder.occurrence = reminder.occurrence.saturating_add(1);
        reminder.state = ReminderState::Firing;
        reminder.next_at = self.next_time(&reminder, at.wall);
        self.put_in_outbox(&reminder, again, at, fx);
        fx.notices.push(Notice::ReminderSaid { key: reminder.key.clone(), occurrence: reminder.occurrence });
        self.keep(reminder, fx);
    }

    pub(super) fn next_time(&self, reminder: &Reminder, now: Timestamp) -> Option<Timestamp> {
        match &reminder.repeat {
            Repeat::Once => None,
            Repeat::Every(span) => Some(now.saturating_add(Span(span.as_millis().max(1000)))),
            Repeat::At(schedule) => {
                let zone = reminder.sim.as_ref().map_or(&self.settings.zone, |iccid| self.zone_of(iccid));
                Some(schedule.next_due(zone, now))
            }
        }
    }

    pub(super) fn say_due_reminders(&mut self, at: Stamp, fx: &mut Effects) {
        if !at.trusted {
            return;
        }
        let due: Vec<Reminder> = self
            .reminders
            .values()
            .filter(|r| match &r.state {
                ReminderState::Pending | ReminderState::Firing => {
                    r.next_at.is_some_and(|next| next <= at.wall)
                }
                ReminderState::Snoozed { until } => *until <= at.wall,
                ReminderState::Acknowledged { .. } | ReminderState::Resolved { .. } => false,
            })
            .cloned()
            .collect();
        for mut reminder in due {
            let was_due = match &reminder.state {
                ReminderState::Snoozed { until } => Some(*until),
                _ => reminder.next_at,
            };
            reminder.late = was_due.map(|due| at.wall.since(due)).filter(|late| *late >= LATE_FROM);
            self.say_or_hold(reminder, true, at, fx);
        }
        // Also what was said for the last time just now: it would have the service woken once more at once.
        let old_news: Vec<ReminderKey> = self
            .reminders
            .values()
            .filter(|r| old_news_at(r).is_some_and(|over| over <= at.wall))
            .map(|r| r.key.clone())
            .collect();
        for key in old_news {
            self.resolve(&key, at, fx);
        }
    }

    fn resolve_others(&mut self, result: &RuleResult, raised: &[ReminderKey], at: Stamp, fx: &mut Effects) {
        let unknown_yet = match &result.trigger {
            Trigger::Health | Trigger::Modems => true,
            Trigger::Usage { sim } => self.modem_with(sim).is_none(),
            Trigger::Roaming { .. }
            | Trigger::Schedule { .. }
            | Trigger::Sms { .. }
            | Trigger::CycleBegan { .. }
            | Trigger::CycleEnded { .. }
            | Trigger::SimChanged { .. } => false,
        };
        if unknown_yet && self.settles_at.is_some() {
            return;
        }
        let sim = result.trigger.sim();
        let kind = result.trigger.kind();
        let over = |r: &Reminder| r.trigger == kind && r.sim.as_ref() == sim;
        self.resolve_of(&result.rule, raised, over, at, fx);
    }

    /// Ends what a rule raised before and does not raise now. Keys begin with the rule's name: no other rule's are looked at.
    fn resolve_of(
        &mut self,
        rule: &RuleName,
        raised: &[ReminderKey],
        over: impl Fn(&Reminder) -> bool,
        at: Stamp,
        fx: &mut Effects,
    ) {
        let live = |r: &&Reminder| !matches!(r.state, ReminderState::Resolved { .. });
        let own = self.reminders_of(rule).filter(live).filter(|r| over(r) && !raised.contains(&r.key));
        let over: Vec<ReminderKey> = own.map(|r| r.key.clone()).collect();
        for key in over {
            self.resolve(&key, at, fx);
        }
    }

    /// What a rule raised, in order of key.
    fn reminders_of(&self, rule: &RuleName) -> impl Iterator<Item = &Reminder> {
        let prefix = format!("{rule}/");
        let from = ReminderKey::new(&prefix).ok();
        let from = from.map(|from| self.reminders.range(from..)).into_iter().flatten();
        let own = from.map(|(_, reminder)| reminder).take_while(move |r| r.key.as_str().starts_with(&prefix));
        own.filter(|r| r.rule == *rule)
    }

    /// That a SIM came into use is no news any more once the modem uses another one.
    fn resolve_changed_from(
        &mut self,
        result: &RuleResult,
        before: &Iccid,
        raised: &[ReminderKey],
        at: Stamp,
        fx: &mut Effects,
    ) {
        if self.modem_with(before).is_some() {
            return;
        }
        let kind = result.trigger.kind();
        let over = |r: &Reminder| r.trigger == kind && r.sim.as_ref() == Some(before);
        self.resolve_of(&result.rule, raised, over, at, fx);
    }

    /// A rule says itself that what it raised is over, whatever the occasion it raised it on.
    fn resolve_named(
        &mut self,
        result: &RuleResult,
        key: &str,
        raised: &[ReminderKey],
        at: Stamp,
        fx: &mut Effects,
    ) {
        let sim = result.trigger.sim();
        let whole = format!("{}/{key}", result.rule);
        let named = |r: &Reminder| {
            // What is about a SIM has the end of its ICCID behind it.
            let own = match sim {
                Some(_) => r.key.as_str().rsplit_once('/').map(|(own, _)| own),
                None => Some(r.key.as_str()),
            };
            own == Some(whole.as_str()) && r.sim.as_ref() == sim
        };
        self.resolve_of(&result.rule, raised, named, at, fx);
    }

    /// Reminders of a rule that is no longer there, or no longer asked on that occasion, hold for nobody.
    pub(super) fn resolve_ownerless(&mut self, at: Stamp, fx: &mut Effects) {
        let over: Vec<ReminderKey> = self
            .reminders
            .values()
            .filter(|r| {
                let held = self.rules.get(&r.rule).is_some_and(|rule| {
                    rule.problem.is_some() || !level(r) || rule.triggers.contains(&r.trigger)
                });
                !held && !matches!(r.state, ReminderState::Resolved { .. })
            })
            .map(|r| r.key.clone())
            .collect();
        for key in over {
            self.resolve(&key, at, fx);
        }
    }

    fn resolve(&mut self, key: &ReminderKey, at: Stamp, fx: &mut Effects) {
        if let Some(mut reminder) = self.reminders.get(key).cloned() {
            reminder.state = ReminderState::Resolved { at: at.wall };
            reminder.next_at = None;
            self.keep(reminder, fx);
        }
    }

    pub(super) fn acknowledge(&mut self, key: &ReminderKey, at: Stamp, fx: &mut Effects) {
        if let Some(mut reminder) = self.live(key) {
            reminder.state = ReminderState::Acknowledged { at: at.wall };
            reminder.next_at = None;
            self.keep(reminder, fx);
            self.withdraw(key, fx);
        }
    }

    pub(super) fn snooze(&mut self, key: &ReminderKey, span: Span, at: Stamp, fx: &mut Effects) {
        if let Some(mut reminder) = self.live(key) {
            reminder.state = ReminderState::Snoozed { until: at.wall.saturating_add(span) };
            reminder.next_at = None;
            self.keep(reminder, fx);
            self.withdraw(key, fx);
        }
    }

    fn live(&self, key: &ReminderKey) -> Option<Reminder> {
        self.reminders.get(key).filter(|r| !matches!(r.state, ReminderState::Resolved { .. })).cloned()
    }

    pub(super) fn keep(&mut self, reminder: Reminder, fx: &mut Effects) {
        fx.changes.push(Change::KeepReminder(reminder.clone()));
        fx.notices.push(Notice::ReminderChanged(reminder.key.clone()));
        self.reminders.insert(reminder.key.clone(), reminder);
    }

    /// When news that is not said again stops being news, for all of it.
    pub(super) fn old_news(&self) -> impl Iterator<Item = Timestamp> {
        self.reminders.values().filter_map(old_news_at)
    }

    fn forget_resolved(&mut self, at: Stamp) {
        self.reminders.retain(|_, r| match r.state {
            ReminderState::Resolved { at: since } => at.wall.since(since) < REMEMBERED,
            _ => true,
        });
    }
}

/// Whether it holds for as long as it is raised (see [`Trigger::is_level`]).
fn level(reminder: &Reminder) -> bool {
    matches!(reminder.trigger.as_str(), "usage" | "roaming" | "modems" | "health")
}

/// No rule takes back what a schedule or a message raised, so that time has to.
fn old_news_at(reminder: &Reminder) -> Option<Timestamp> {
    let said = matches!(reminder.state, ReminderState::Firing | ReminderState::Acknowledged { .. });
    (!level(reminder) && said && reminder.next_at.is_none())
        .then(|| reminder.raised_at.saturating_add(NEWS_FOR))
}
