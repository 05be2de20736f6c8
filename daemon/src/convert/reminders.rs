//! Reminders, and the channels that they go by.

use simbell_api::{Channel, Delivery, Reminder};
use simbell_core::health::WarningCode;
use simbell_core::ident::{ChannelName, ReminderKey};
use simbell_core::reminder::{DeliveryState, ReminderState, Urgency};
use simbell_core::state::State;
use simbell_core::time::Timestamp;

/// Every reminder that is not resolved.
#[must_use]
pub fn reminders(state: &State) -> Vec<Reminder> {
    state
        .reminders()
        .filter(|r| !matches!(r.state, ReminderState::Resolved { .. }))
        .filter_map(|r| reminder_by_key(state, &r.key))
        .collect()
}

/// One reminder, resolved or not.
#[must_use]
pub fn reminder_by_key(state: &State, key: &ReminderKey) -> Option<Reminder> {
    let reminder = state.reminders().find(|r| r.key == *key)?;
    let zone = reminder.sim.as_ref().map_or(&state.settings().zone, |iccid| state.zone_of(iccid));
    let (word, until) = match &reminder.state {
        ReminderState::Pending => ("pending", None),
        ReminderState::Firing => ("firing", None),
        ReminderState::Acknowledged { .. } => ("acknowledged", None),
        ReminderState::Snoozed { until } => ("snoozed", Some(*until)),
        ReminderState::Resolved { .. } => ("resolved", None),
    };
    let prefix = format!("{}@{}#{}:", reminder.key, reminder.raised_at.as_secs(), reminder.occurrence);
    Some(Reminder {
        key: key.as_str().to_owned(),
        rule: reminder.rule.as_str().to_owned(),
        sim: reminder.sim.as_ref().map(|iccid| iccid.as_str().to_owned()),
        sim_name: reminder.sim.as_ref().map(|iccid| state.sim_name(iccid)),
        state: word.to_owned(),
        urgency: urgency(reminder.urgency).to_owned(),
        text: reminder.text.clone(),
        raised_at: zone.rfc3339(reminder.raised_at),
        next_at: reminder.next_at.map(|at| zone.rfc3339(at)),
        snoozed_until: until.map(|at| zone.rfc3339(at)),
        occurrence: reminder.occurrence,
        late_seconds: reminder.late.and_then(|late| u64::try_from(late.as_secs()).ok()),
        deliveries: state
            .deliveries()
            .filter(|d| d.id.starts_with(&prefix))
            .map(|d| Delivery {
                channel: d.channel.as_str().to_owned(),
                state: delivery_word(d.state).to_owned(),
                attempts: d.attempts,
                last_error: d.last_error.clone(),
            })
            .collect(),
    })
}

pub(crate) const fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Info => "info",
        Urgency::Warning => "warning",
        Urgency::Critical => "critical",
    }
}

const fn delivery_word(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Queued => "queued",
        DeliveryState::Sending => "sending",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Failed => "failed",
        DeliveryState::Suppressed => "suppressed",
    }
}

/// Every channel.
#[must_use]
pub fn channels(state: &State) -> Vec<Channel> {
    state.settings().channels.iter().filter_map(|c| channel(state, &c.name)).collect()
}

fn channel(state: &State, name: &ChannelName) -> Option<Channel> {
    let settings = state.settings();
    let channel = settings.channels.iter().find(|c| c.name == *name)?;
    let failing =
        state.warnings().any(|w| w.code == WarningCode::ChannelFailing && w.subject == name.as_str());
    let last_error = state
        .deliveries()
        .filter(|d| d.channel == *name && d.last_error.is_some() && d.state != DeliveryState::Suppressed)
        .max_by_key(|d| d.created_at)
        .and_then(|d| d.last_error.clone());
    let delivered: Option<Timestamp> = state
        .deliveries()
        .filter(|d| d.channel == *name && d.state == DeliveryState::Delivered)
        .map(|d| d.created_at)
        .max();
    let word = match (failing, delivered) {
        (true, _) => "failing",
        (false, Some(_)) => "ok",
        (false, None) => "unused",
    };
    Some(Channel {
        name: name.as_str().to_owned(),
        kind: channel.kind.clone(),
        is_default: settings.default_channels.contains(name),
        state: word.to_owned(),
        last_error: last_error.filter(|_| failing),
        last_delivered_at: delivered.map(|at| settings.zone.rfc3339(at)),
        daily_cap: channel.daily_cap,
        while_roaming: channel.while_roaming,
    })
}
