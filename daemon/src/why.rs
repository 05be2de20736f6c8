//! Why a reminder is as it is, in words.

use simbell_api::{Decision, ExplainReminderReply, Input, Raised, Rule, RuleAction};
use simbell_core::action::{Action, ActionRecord};
use simbell_core::bytes::Bytes;
use simbell_core::decision;
use simbell_core::health::WarningCode;
use simbell_core::ident::{ChannelName, Iccid, RuleName};
use simbell_core::memory::Remembered;
use simbell_core::reminder::{DeliveryState, Reminder, ReminderState};
use simbell_core::state::State;
use simbell_core::text::{is_control, is_hidden};
use simbell_core::time::{Span, Timestamp};
use simbell_core::view::Trigger;
use simbell_core::zone::ZoneRules;

use crate::convert;

/// Most actions that are told of.
const ACTIONS: usize = 16;

/// What is to be explained.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The rule.
    pub name: &'a RuleName,
    /// The SIM it is about.
    pub sim: Option<&'a Iccid>,
    /// The reminder, where there is one.
    pub reminder: Option<&'a Reminder>,
    /// How long nothing that held before the start is over, though it is not raised.
    pub beginning: Option<Span>,
}

/// The whole explanation. `kept`: whether the decision is what the ledger keeps.
#[must_use]
pub fn explanation(
    state: &State,
    asked: &Asked<'_>,
    decision: Option<&decision::Decision>,
    kept: bool,
) -> ExplainReminderReply {
    let zone = asked.sim.map_or(&state.settings().zone, |iccid| state.zone_of(iccid));
    let mut standing = Vec::new();
    if let Some(reminder) = asked.reminder {
        let left = asked.beginning.filter(|_| {
            decision.is_some_and(|decision| !kept && waits_to_be_over(state, reminder, decision))
        });
        let resolved = |decision: &decision::Decision| {
            decision.result.resolved.iter().any(|key| calls_it(reminder, key))
        };
        standing.extend(where_it_stands(reminder, left, decision.is_some_and(resolved), zone));
        standing.extend(which_way_it_goes(state, reminder));
        standing.extend(where_its_messages_stand(state, reminder, zone));
    }
    standing.extend(what_holds_it_back(state, asked, decision));
    let about = |record: &&ActionRecord| {
        record.rule == *asked.name && asked.sim.is_none_or(|iccid| record.sim == *iccid)
    };
    let mut actions: Vec<&ActionRecord> = state.actions().filter(about).collect();
    actions.sort_by_key(|record| std::cmp::Reverse(record.at));
    ExplainReminderReply {
        rule: rule(state, asked.name),
        reminder: asked.reminder.and_then(|reminder| convert::reminder_by_key(state, &reminder.key)),
        standing,
        decision: decision.map(|decision| told(state, decision, zone, kept)),
        actions: actions.into_iter().take(ACTIONS).map(|record| action(record, zone)).collect(),
    }
}

fn rule(state: &State, name: &RuleName) -> Rule {
    let loaded = state.rules().find(|rule| rule.name == *name);
    loaded.map(|loaded| convert::rule(state, loaded)).unwrap_or_else(|| Rule {
        name: name.as_str().to_owned(),
        file: String::new(),
        plugin: false,
        summary: String::new(),
        triggers: Vec::new(),
        schedules: Vec::new(),
        enabled: false,
        problem: Some("it is not loaded (any more)".to_owned()),
        outdated: None,
        suspended: false,
        failures: 0,
        may: Vec::new(),
        evaluations: state.times_asked(name),
    })
}

/// Whether the rule did not raise it when it was asked last, which only the service's beginning keeps from being its end.
fn waits_to_be_over(state: &State, reminder: &Reminder, decision: &decision::Decision) -> bool {
    let result = &decision.result;
    let unknown_yet = match &result.trigger {
        Trigger::Health | Trigger::Modems => true,
        Trigger::Usage { sim } => state.facts(sim).is_none_or(|facts| !facts.active),
        _ => false,
    };
    unknown_yet
        && result.error.is_none()
        && result.trigger.kind() == reminder.trigger
        && !result.findings.iter().any(|finding| calls_it(reminder, &finding.key))
}

/// Whether the reminder's rule means it by this key.
fn calls_it(reminder: &Reminder, key: &str) -> bool {
    let whole = reminder.key.as_str();
    let own = whole.strip_prefix(reminder.rule.as_str()).and_then(|own| own.strip_prefix('/'));
    own.is_some_and(|own| own == key || own.strip_prefix(key).is_some_and(|rest| rest.starts_with('/')))
}

/// `ended`: whether its rule said that it is over.
fn where_it_stands(reminder: &Reminder, left: Option<Span>, ended: bool, zone: &ZoneRules) -> Vec<String> {
    let when = |at: Timestamp| at_words(zone, at);
    let until_when = |at: Timestamp| format!("until {}", moment_words(zone, at));
    let times = match reminder.occurrence {
        0 => "It has not been said yet.".to_owned(),
        1 => "It has been said once.".to_owned(),
        n => format!("It has been said {n} times."),
    };
    let first = match (&reminder.state, reminder.next_at) {
        (ReminderState::Pending, Some(until)) => {
            format!("Quiet hours hold it back {}: it is not critical.", until_when(until))
        }
        (ReminderState::Pending, None) => "It waits until the clock can be trusted.".to_owned(),
        (ReminderState::Firing, _) if left.is_some() => {
            let seconds = left.unwrap_or(Span::ZERO).as_secs().saturating_add(1);
            format!(
                "Its rule did not raise it when it was asked last: it is over in {seconds} s unless it is raised again. So \
                 soon after the start nothing that held before is over at once."
            )
        }
        (ReminderState::Firing, Some(next)) => {
            format!("It holds, and is said again {} unless somebody acknowledges it.", when(next))
        }
        (ReminderState::Firing, None) => {
            "It holds, and is said once: its rule asks for no repetition.".to_owned()
        }
        (ReminderState::Acknowledged { at }, _) => {
            format!("Somebody acknowledged it {}: it is not said again while it holds.", when(*at))
        }
        (ReminderState::Snoozed { until }, _) => format!("Somebody put it off {}.", until_when(*until)),
        (ReminderState::Resolved { at }, _) => {
            let why = match (ended, level(reminder)) {
                (true, _) => "its rule said so",
                (false, true) => "its rule no longer raised it",
                (false, false) => "news is news for a day",
            };
            format!("It was over {}: {why}.", when(*at))
        }
    };
    let mut all = vec![first, times];
    if let Some(late) = reminder.late {
        all.push(format!(
            "It was said {} s after it was due: the service or its clock was not there.",
            late.as_secs()
        ));
    }
    all
}

/// Where that is another way than it was meant to go, or none.
fn which_way_it_goes(state: &State, reminder: &Reminder) -> Option<String> {
    let ways = state.ways(reminder);
    let list = |names: &[&ChannelName]| names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let missing: Vec<&ChannelName> =
        reminder.channels.iter().filter(|name| !state.has_channel(name)).collect();
    let goes = match ways.as_slice() {
        [] => "no channel says it",
        _ if missing.len() == reminder.channels.len() => "it goes as a reminder without `channels` does, by",
        _ => "it goes by",
    };
    match (missing.as_slice(), ways.as_slice()) {
        ([], []) => {
            Some("No channel says it: neither the rule nor `channels` of [reminders] names one.".to_owned())
        }
        ([], _) => None,
        (missing, ways) => {
            let by = list(&ways.iter().collect::<Vec<_>>());
            let said = format!("The configuration has no channel {}: {goes} {by}", list(missing));
            Some(format!("{}.", said.trim_end()))
        }
    }
}

fn level(reminder: &Reminder) -> bool {
    matches!(reminder.trigger.as_str(), "usage" | "roaming" | "modems" | "health")
}

/// What became of the newest message by each channel, where it is worth a word.
fn where_its_messages_stand(state: &State, reminder: &Reminder, zone: &ZoneRules) -> Vec<String> {
    let prefix = format!("{}@{}#{}:", reminder.key, reminder.raised_at.as_secs(), reminder.occurrence);
    let newest = state.deliveries().filter(|delivery| delivery.id.starts_with(&prefix));
    newest
        .map(|delivery| {
            let why = delivery.last_error.as_deref().map(|error| harmless(error, 200)).unwrap_or_default();
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            let channel = &delivery.channel;
            match delivery.state {
                DeliveryState::Delivered => format!("Channel {channel} has delivered it."),
                DeliveryState::Suppressed => format!("Channel {channel} did not send it{why}."),
                DeliveryState::Failed => {
                    format!("Channel {channel} gave up after {} attempts{why}.", delivery.attempts)
                }
                DeliveryState::Sending => format!("Channel {channel} is sending it."),
                DeliveryState::Queued => {
                    let next = delivery
                        .next_at
                        .map(|at| format!(", next {}", at_words(zone, at)))
                        .unwrap_or_default();
                    format!("Channel {channel} has tried {} times{next}{why}.", delivery.attempts)
                }
            }
        })
        .collect()
}

fn what_holds_it_back(
    state: &State,
    asked: &Asked<'_>,
    decision: Option<&decision::Decision>,
) -> Vec<String> {
    let mut all = Vec::new();
    let loaded = state.rules().find(|rule| rule.name == *asked.name);
    match loaded {
        None => all.push("The rule is not loaded (any more): nothing asks it.".to_owned()),
        Some(rule) if rule.suspended => all.push(format!(
            "The rule is suspended, since it failed again and again: `simbellctl rules resume {}` takes it up again.",
            rule.name
        )),
        Some(rule) if rule.problem.is_some() => all.push("The rule does not run: it has an error.".to_owned()),
        Some(_) => {
            let failures = state.failures(asked.name);
            if failures > 0 {
                all.push(format!(
                    "The rule failed {failures} time{} in a row; what it raised before stays.",
                    if failures == 1 { "" } else { "s" }
                ));
            }
        }
    }
    if state.warnings().any(|warning| warning.code == WarningCode::ClockUntrusted) {
        all.push("The clock is not trusted: what hangs on date or hour waits until it is.".to_owned());
    }
    if let Some(decision) = decision
        && asked.reminder.is_none()
        && decision.result.error.is_none()
        && decision.result.findings.is_empty()
    {
        all.push("When it was asked last it raised nothing.".to_owned());
    }
    if decision.is_none() {
        all.push(match state.times_asked(asked.name) {
            0 => "The rule was not asked since the service began: no occasion that it answers has come."
                .to_owned(),
            _ => "What it was asked last is not known any more.".to_owned(),
        });
    }
    all
}

fn told(state: &State, decision: &decision::Decision, zone: &ZoneRules, kept: bool) -> Decision {
    let result = &decision.result;
    Decision {
        at: zone.rfc3339(decision.at),
        trigger: result.trigger.kind().to_owned(),
        occasion: occasion(state, &result.trigger, zone),
        inputs: inputs(decision, zone),
        raised: result
            .findings
            .iter()
            .map(|finding| Raised {
                key: finding.key.clone(),
                urgency: convert::urgency(finding.urgency).to_owned(),
                text: finding.text.clone(),
            })
            .collect(),
        resolved: result.resolved.clone(),
        wanted: result.actions.iter().map(|wish| what(&wish.action)).collect(),
        error: result.error.clone(),
        asked_again_at_bytes: result.watch.at,
        kept,
        // What came from the ledger or from memory can be written as JSON.
        record: serde_json::to_string(decision).unwrap_or_default(),
    }
}

/// The main things of what the rule saw; all of it is in the record.
fn inputs(decision: &decision::Decision, zone: &ZoneRules) -> Vec<Input> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut saw = |name: &str, value: Option<String>| {
        all.extend(value.map(|value| (name.to_owned(), harmless(&value, 200))));
    };
    let input = &decision.input;
    saw("now", Some(format!("{} {}", input.now.date, input.now.time)));
    if let Some(sim) = &input.sim {
        saw("sim.name", Some(sim.name.clone()));
        saw("sim.used", Some(Bytes(sim.used_bytes).to_string()));
        saw("sim.allowance", sim.allowance_bytes.map(|bytes| Bytes(bytes).to_string()));
        saw("sim.remaining", sim.remaining_bytes.map(|bytes| Bytes(bytes).to_string()));
        let share = sim.used_share.and_then(|share| share.checked_mul(100.into()));
        saw("sim.share", share.map(|share| format!("{} %", share.round_dp(2).normalize())));
        saw("sim.plan", sim.plan.clone());
        saw("sim.cycle.end", sim.cycle.as_ref().and_then(|cycle| cycle.end.clone()));
        saw(
            "sim.cycle.days_left",
            sim.cycle.as_ref().and_then(|cycle| cycle.days_left).map(|days| days.to_string()),
        );
        saw(
            "sim.forecast.exhausted_at",
            sim.exhausted_at.map(|at| zone.civil(at).format("%Y-%m-%d %H:%M").to_string()),
        );
        saw("sim.roaming", sim.roaming.map(|roaming| roaming.to_string()));
        saw("sim.connected", Some(sim.connected.to_string()));
        saw("sim.network", sim.network.clone());
        let voice = &sim.voice;
        let some = |count: u64| Some(count).filter(|count| *count > 0).map(|count| count.to_string());
        let time =
            |seconds: u64| Some(seconds).filter(|s| *s > 0).map(|s| format!("{} min {} s", s / 60, s % 60));
        saw("sim.calls.made", some(voice.made.answered));
        saw("sim.calls.unanswered", some(voice.made.unanswered));
        saw("sim.calls.time_out", time(voice.made.seconds));
        saw("sim.calls.taken", some(voice.taken.answered));
        saw("sim.calls.missed", some(voice.taken.unanswered));
        saw("sim.calls.time_in", time(voice.taken.seconds));
        saw("sim.sms.sent", some(voice.sent.parts));
        saw("sim.sms.received", some(voice.received.messages));
        saw("sim.sms.failed", some(voice.failed.messages));
    }
    match &decision.result.trigger {
        Trigger::Sms { sms, .. } => {
            saw("sms.number", Some(sms.number.clone()));
            saw("sms.text", Some(sms.text.clone()));
        }
        Trigger::CycleEnded { ended, .. } => {
            saw("ended.start", Some(ended.start.clone()));
            saw("ended.used", Some(Bytes(ended.used_bytes).to_string()));
        }
        Trigger::Modems => {
            for modem in input.modems.iter() {
                let there = if modem.present { "there" } else { "lost" };
                saw("modem", Some(format!("{} …{}: {there}", modem.name, modem.tail)));
            }
        }
        Trigger::Health => {
            for warning in &input.warnings {
                saw("warning", Some(format!("{} {}", warning.code.as_str(), warning.subject)));
            }
        }
        Trigger::Schedule { .. } if input.late_s > 0 => {
            saw("occasion().late", Some(format!("{} s", input.late_s)))
        }
        _ => {}
    }
    for (key, value) in &decision.memory.0 {
        saw(&format!("recall({key:?})"), Some(remembered(value)));
    }
    all.into_iter().map(|(name, value)| Input { name, value }).collect()
}

/// A remembered value, sizes in the form of all others.
fn remembered(value: &Remembered) -> String {
    match value {
        Remembered::Size(size) => match size.normalize().to_string().parse() {
            Ok(bytes) => Bytes(bytes).to_string(),
            // Less than nothing, or a part of a byte.
            Err(_) => value.to_string(),
        },
        Remembered::List(list) => list.iter().map(remembered).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn occasion(state: &State, trigger: &Trigger, zone: &ZoneRules) -> String {
    let named = |iccid: &Iccid| state.sim_name(iccid);
    match trigger {
        Trigger::Usage { sim } => format!("usage, plan or cycle of {} changed", named(sim)),
        Trigger::Schedule { due, .. } => format!("its schedule was due {}", at_words(zone, *due)),
        Trigger::Sms { sms, .. } => format!("a message from {} came in", harmless(&sms.number, 40)),
        Trigger::Roaming { sim } => format!("{} began or ended to roam, or roams elsewhere", named(sim)),
        Trigger::CycleBegan { sim } => format!("a billing cycle of {} began", named(sim)),
        Trigger::CycleEnded { sim, ended } => {
            format!("the cycle of {} from {} was over", named(sim), ended.start)
        }
        Trigger::SimChanged { sim, before } => format!("{} took the place of {}", named(sim), named(before)),
        Trigger::Modems => "a modem was lost, came back or changed".to_owned(),
        Trigger::Health => "the health of the service changed".to_owned(),
    }
}

fn action(record: &ActionRecord, zone: &ZoneRules) -> RuleAction {
    RuleAction {
        key: record.key.clone(),
        what: what(&record.action),
        state: record.state.as_str().to_owned(),
        at: zone.rfc3339(record.at),
        note: record.note.as_deref().map(|note| harmless(note, 200)),
    }
}

fn what(action: &Action) -> String {
    match action {
        Action::SendSms { to, text } => {
            format!("send a short message to {}: {}", harmless(to, 40), harmless(text, 200))
        }
        Action::SendUssd { code } => format!("ask the network {} by USSD", harmless(code, 40)),
        Action::Disconnect => "disconnect".to_owned(),
    }
}

/// `on 2026-11-22 at 21:00`.
fn at_words(zone: &ZoneRules, at: Timestamp) -> String {
    format!("on {}", moment_words(zone, at))
}

/// `2026-11-22 at 21:00`.
fn moment_words(zone: &ZoneRules, at: Timestamp) -> String {
    zone.civil(at).format("%Y-%m-%d at %H:%M").to_string()
}

/// One line of hostile text.
fn harmless(text: &str, longest: usize) -> String {
    text.chars()
        .filter(|c| !is_hidden(*c))
        .map(|c| if is_control(c) { ' ' } else { c })
        .take(longest)
        .collect()
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use simbell_core::ident::ReminderKey;
    use simbell_core::reminder::{Repeat, Urgency};

    use super::*;

    #[test]
    fn a_remembered_size_has_the_form_of_the_others() {
        let size = |bytes: i64| Remembered::Size(Decimal::from(bytes));
        assert_eq!(remembered(&size(3_295_591_475)), Bytes(3_295_591_475).to_string());
        let list = Remembered::List(vec![size(5), Remembered::Bool(true)]);
        assert_eq!(remembered(&list), "5 B, true");
        assert_eq!(remembered(&size(-5_000)), "-5000 B");
    }

    fn warning() -> Reminder {
        Reminder {
            key: ReminderKey::new("watch/ledger").unwrap(),
            rule: RuleName::new("watch").unwrap(),
            sim: None,
            state: ReminderState::Firing,
            urgency: Urgency::Warning,
            text: "The ledger was damaged.".to_owned(),
            repeat: Repeat::Once,
            channels: Vec::new(),
            raised_at: Timestamp::from_millis(0),
            next_at: Some(Timestamp::from_millis(86_400_000)),
            occurrence: 1,
            trigger: "health".to_owned(),
            late: None,
        }
    }

    fn stands(reminder: &Reminder, left: Option<Span>, ended: bool) -> String {
        where_it_stands(reminder, left, ended, &ZoneRules::utc()).swap_remove(0)
    }

    #[test]
    fn what_is_not_raised_any_more_is_said_to_be_over_soon() {
        let said = |left| stands(&warning(), left, false);
        assert!(said(None).starts_with("It holds, and is said again on 1970-01-02"));
        let soon = said(Some(Span(41_300)));
        assert!(soon.contains("over in 42 s unless it is raised again") && !soon.contains("said again"));
    }

    #[test]
    fn each_state_is_told_in_words() {
        let at = Timestamp::from_millis(0);
        let until = Timestamp::from_millis(3_600_000);
        let said = |state| stands(&Reminder { state, ..warning() }, None, false);
        assert_eq!(
            said(ReminderState::Pending),
            "Quiet hours hold it back until 1970-01-02 at 00:00: it is not critical."
        );
        assert_eq!(said(ReminderState::Snoozed { until }), "Somebody put it off until 1970-01-01 at 01:00.");
        let over = Reminder { state: ReminderState::Resolved { at }, ..warning() };
        assert_eq!(
            stands(&over, None, false),
            "It was over on 1970-01-01 at 00:00: its rule no longer raised it."
        );
        assert_eq!(stands(&over, None, true), "It was over on 1970-01-01 at 00:00: its rule said so.");
        let news = Reminder { trigger: "schedule".to_owned(), repeat: Repeat::Every(Span(1)), ..over };
        assert_eq!(stands(&news, None, false), "It was over on 1970-01-01 at 00:00: news is news for a day.");
    }

    #[test]
    fn a_key_is_of_its_rule_with_its_sim_behind_it_or_without() {
        let reminder = Reminder { key: ReminderKey::new("watch/ledger/0017").unwrap(), ..warning() };
        assert!(calls_it(&reminder, "ledger") && calls_it(&warning(), "ledger"));
        assert!(!calls_it(&reminder, "ledge") && !calls_it(&warning(), "watch/ledger"));
    }
}
