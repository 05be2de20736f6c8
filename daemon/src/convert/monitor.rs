//! What followers are told.

use simbell_api::{MonitorEvent, Reminder};
use simbell_core::effect::Notice;
use simbell_core::ident::ReminderKey;
use simbell_core::reminder::Message;
use simbell_core::state::State;
use simbell_core::time::Stamp;

use super::{channels, modemmanager, reminder_by_key, reminders, service, sim_reply, sims, urgency};

/// The full state, for a follower that has just come.
#[must_use]
pub fn monitor_state(state: &State, at: Stamp) -> Vec<MonitorEvent> {
    let now = || state.settings().zone.rfc3339(at.wall);
    let mut events = vec![MonitorEvent::service(now(), service(state, false), modemmanager(state))];
    events.extend(sims(state).into_iter().map(|sim| MonitorEvent::sim(now(), sim)));
    events.extend(reminders(state).into_iter().map(|r| MonitorEvent::reminder(now(), r)));
    events.extend(channels(state).into_iter().map(|c| MonitorEvent::channel(now(), c)));
    events
}

/// What followers are told of one change.
#[must_use]
pub fn notice(state: &State, at: Stamp, notice: &Notice) -> Vec<MonitorEvent> {
    let now = || state.settings().zone.rfc3339(at.wall);
    match notice {
        Notice::UsageGrew(iccid) => {
            sim_reply(state, iccid).map(|sim| MonitorEvent::sim(now(), sim)).into_iter().collect()
        }
        Notice::ReminderChanged(key) => {
            reminder_by_key(state, key).map(|r| MonitorEvent::reminder(now(), r)).into_iter().collect()
        }
        Notice::ReminderSaid { key, .. } => said(state, at, key, None).into_iter().collect(),
        Notice::StatusChanged => {
            let mut events = vec![MonitorEvent::service(now(), service(state, false), modemmanager(state))];
            events.extend(sims(state).into_iter().map(|sim| MonitorEvent::sim(now(), sim)));
            events
        }
        Notice::Happened(text) => vec![MonitorEvent::happened(now(), text.clone())],
    }
}

/// A reminder (or a test message) that is said now.
#[must_use]
pub fn said(state: &State, at: Stamp, key: &ReminderKey, message: Option<&Message>) -> Option<MonitorEvent> {
    let now = state.settings().zone.rfc3339(at.wall);
    if let Some(reminder) = reminder_by_key(state, key) {
        return Some(MonitorEvent::said(now, reminder));
    }
    let message = message?;
    Some(MonitorEvent::said(
        now.clone(),
        Reminder {
            key: message.key.clone(),
            rule: "test".to_owned(),
            sim: None,
            sim_name: message.sim_name.clone(),
            state: "firing".to_owned(),
            urgency: urgency(message.urgency).to_owned(),
            text: message.text.clone(),
            raised_at: now,
            next_at: None,
            snoozed_until: None,
            occurrence: 1,
            late_seconds: None,
            deliveries: Vec::new(),
        },
    ))
}
