//! The outbox: what is to be said, kept until it is said or given up.

use super::State;
use crate::backoff::next_attempt;
use crate::effect::{Change, Effects};
use crate::event::DeliveryOutcome;
use crate::health::WarningCode;
use crate::ident::{ChannelName, ReminderKey};
use crate::modem::Registration;
use crate::reminder::{Delivery, DeliveryState, Message, Reminder, Urgency};
use crate::settings::ChannelSettings;
use crate::time::{Span, Stamp, Timestamp};

/// A message that waited this long in the outbox says so.
const DELAYED_FROM: Span = Span::secs(600);

/// So many finished deliveries are kept in memory for `status`; the ledger keeps its own.
const FINISHED_KEPT: usize = 200;

impl State {
    pub(super) fn put_in_outbox(&mut self, reminder: &Reminder, again: bool, at: Stamp, fx: &mut Effects) {
        for channel in self.ways(reminder) {
            let id = format!(
                "{}@{}#{}:{}",
                reminder.key,
                reminder.raised_at.as_secs(),
                reminder.occurrence,
                channel
            );
            if self.deliveries.contains_key(&id) {
                continue;
            }
            let message = self.message(reminder, &id);
            let (attempts, next_at) = if again { self.supersede(reminder, &channel, fx) } else { (0, None) };
            let next_at = next_at.filter(|next| *next > at.wall).unwrap_or(at.wall);
            let first = Delivery {
                id,
                reminder: reminder.key.clone(),
                channel,
                state: DeliveryState::Queued,
                attempts,
                created_at: at.wall,
                next_at: Some(next_at),
                last_error: None,
                message,
            };
            self.enqueue(first, at, fx);
        }
    }

    /// What repeats while its last saying still waits takes its place, and its turn: a dead network must not pile up
    /// what is then said a thousand times. Gives how often that one was tried, and when it would have been.
    fn supersede(
        &mut self,
        reminder: &Reminder,
        channel: &ChannelName,
        fx: &mut Effects,
    ) -> (u32, Option<Timestamp>) {
        let prefix = format!("{}@{}#", reminder.key, reminder.raised_at.as_secs());
        let waiting: Vec<Delivery> = self
            .deliveries
            .values()
            .filter(|d| {
                d.channel == *channel
                    && d.state == DeliveryState::Queued
                    && !self.in_flight.contains(&d.id)
                    && d.id.starts_with(&prefix)
            })
            .cloned()
            .collect();
        let (mut attempts, mut next_at) = (0, None);
        for mut delivery in waiting {
            attempts = attempts.max(delivery.attempts);
            next_at = next_at.max(delivery.next_at);
            delivery.state = DeliveryState::Suppressed;
            delivery.next_at = None;
            delivery.last_error = Some("said again before it could be said".to_owned());
            self.keep_delivery(delivery, fx);
        }
        self.forget_finished();
        (attempts, next_at)
    }

    fn enqueue(&mut self, mut delivery: Delivery, at: Stamp, fx: &mut Effects) {
        match self.channel(&delivery.channel) {
            None => {
                delivery.state = DeliveryState::Failed;
                delivery.last_error =
                    Some("there is no channel of this name in the configuration".to_owned());
            }
            Some(channel) => {
                if let Some(why) = self.forbidden(channel, at) {
                    delivery.state = DeliveryState::Suppressed;
                    delivery.last_error = Some(why);
                }
            }
        }
        if delivery.state != DeliveryState::Queued {
            delivery.next_at = None;
        }
        self.keep_delivery(delivery, fx);
    }

    fn channel(&self, name: &ChannelName) -> Option<&ChannelSettings> {
        self.settings.channels.iter().find(|c| c.name == *name)
    }

    fn costs(&self, name: &ChannelName) -> bool {
        self.channel(name).is_some_and(|channel| channel.kind == "sms")
    }

    /// A message that costs money and was being sent when the service ended may have left: it is not sent again.
    pub(super) fn give_up_unknown(&mut self, fx: &mut Effects) {
        let unknown: Vec<Delivery> =
            self.deliveries.values().filter(|d| d.state == DeliveryState::Sending).cloned().collect();
        for mut delivery in unknown {
            if self.costs(&delivery.channel) {
                delivery.state = DeliveryState::Failed;
                delivery.last_error = Some(
                    "the service ended while the message was being sent; whether it left is not known, and it costs \
                     money, so it is not sent again"
                        .to_owned(),
                );
            } else {
                delivery.state = DeliveryState::Queued;
            }
            self.keep_delivery(delivery, fx);
        }
    }

    /// Whether a finished delivery may not be forgotten yet: its channel has a cap, and it left today.
    fn counts_towards_cap(&self, delivery: &Delivery) -> bool {
        let zone = &self.settings.zone;
        delivery.state != DeliveryState::Suppressed
            && self.channel(&delivery.channel).is_some_and(|channel| channel.daily_cap.is_some())
            && zone.date(delivery.created_at) == zone.date(self.now.wall)
    }

    /// Why a channel may not be used now: its cap for today is reached, or it would cost roaming fees.
    fn forbidden(&self, channel: &ChannelSettings, at: Stamp) -> Option<String> {
        if let Some(cap) = channel.daily_cap {
            let today = self.settings.zone.date(at.wall);
            let sent = self
                .deliveries
                .values()
                .filter(|d| {
                    d.channel == channel.name
                        && !matches!(d.state, DeliveryState::Suppressed)
                        && self.settings.zone.date(d.created_at) == today
                })
                .count();
            if u32::try_from(sent).unwrap_or(u32::MAX) >= cap {
                return Some(format!("the daily cap of {cap} is reached"));
            }
        }
        self.roaming_forbids(channel)
    }

    fn roaming_forbids(&self, channel: &ChannelSettings) -> Option<String> {
        let roams = self.modems.values().any(|m| m.registration == Registration::Roaming);
        let home = self.modems.values().any(|m| m.registration == Registration::Home);
        if channel.kind == "sms" && !channel.while_roaming && roams && !home {
            return Some("the SIM roams, and while_roaming is not allowed for this channel".to_owned());
        }
        None
    }

    fn message(&self, reminder: &Reminder, id: &str) -> Message {
        let chinese = self.settings.language.starts_with("zh");
        let sim_name = reminder.sim.as_ref().map(|iccid| self.sim_name(iccid));
        let title = match (&sim_name, reminder.urgency, chinese) {
            (Some(name), Urgency::Critical, false) => format!("{name}: urgent"),
            (Some(name), Urgency::Critical, true) => format!("{name}：紧急"),
            (Some(name), _, false) => format!("{name}: reminder"),
            (Some(name), _, true) => format!("{name}：提醒"),
            (None, _, false) => "simbell: reminder".to_owned(),
            (None, _, true) => "simbell：提醒".to_owned(),
        };
        let text = match reminder.late {
            Some(late) => format!("{}{}", reminder.text, late_note(late, chinese)),
            None => reminder.text.clone(),
        };
        Message {
            title,
            text,
            urgency: reminder.urgency,
            key: reminder.key.as_str().to_owned(),
            sim_name,
            raised_at: reminder.raised_at,
            id: id.to_owned(),
            language: self.settings.language.clone(),
        }
    }

    pub(super) fn deliver_due(&mut self, at: Stamp, fx: &mut Effects) {
        let due: Vec<Delivery> = self
            .deliveries
            .values()
            .filter(|d| {
                matches!(d.state, DeliveryState::Queued | DeliveryState::Sending)
                    && !self.in_flight.contains(&d.id)
                    && d.next_at.is_none_or(|next| next <= at.wall)
            })
            .cloned()
            .collect();
        for mut delivery in due {
            // It may have been at home when the message was put in the outbox.
            if let Some(why) = self.channel(&delivery.channel).and_then(|c| self.roaming_forbids(c)) {
                delivery.state = DeliveryState::Suppressed;
                delivery.next_at = None;
                delivery.last_error = Some(why);
                self.keep_delivery(delivery, fx);
                continue;
            }
            self.in_flight.insert(delivery.id.clone());
            if self.costs(&delivery.channel) {
                // In the ledger before it leaves: after a crash a message that costs money is not sent again.
                delivery.state = DeliveryState::Sending;
                self.keep_delivery(delivery.clone(), fx);
            }
            let waited = at.wall.since(delivery.created_at);
            if waited >= DELAYED_FROM {
                let chinese = self.settings.language.starts_with("zh");
                delivery.message.text.push_str(&late_note(waited, chinese));
            }
            fx.deliver.push(delivery);
        }
    }

    pub(super) fn delivery_ended(
        &mut self,
        id: &str,
        outcome: &DeliveryOutcome,
        at: Stamp,
        fx: &mut Effects,
    ) {
        self.in_flight.remove(id);
        let Some(mut delivery) = self.deliveries.get(id).cloned() else { return };
        delivery.attempts = delivery.attempts.saturating_add(1);
        let subject = delivery.channel.as_str().to_owned();
        let failed = match outcome {
            DeliveryOutcome::Delivered => {
                delivery.state = DeliveryState::Delivered;
                delivery.next_at = None;
                delivery.last_error = None;
                self.well(WarningCode::ChannelFailing, &subject, fx);
                None
            }
            DeliveryOutcome::Retry { error, after } => {
                let deadline = self.channel(&delivery.channel).map_or(Span::ZERO, |c| c.deadline);
                let next =
                    next_attempt(delivery.attempts, *after, delivery.created_at, deadline, at.wall, id);
                delivery.state = if next.is_some() { DeliveryState::Queued } else { DeliveryState::Failed };
                delivery.next_at = next;
                Some(error)
            }
            DeliveryOutcome::Refused { error } => {
                delivery.state = DeliveryState::Failed;
                delivery.next_at = None;
                Some(error)
            }
        };
        if let Some(error) = failed {
            delivery.last_error = Some(error.clone());
            let next = match delivery.state {
                DeliveryState::Queued => "It is tried again.",
                _ => "It was given up.",
            };
            let text = format!(
                "The channel {subject} failed: {error}. {next} Try it with `simbellctl channels test {subject}`."
            );
            self.warn(WarningCode::ChannelFailing, &subject, text, fx);
        }
        self.keep_delivery(delivery, fx);
        self.forget_finished();
    }

    /// Somebody follows: what waits for a session is tried now.
    pub(super) fn desktop_again(&mut self, at: Stamp, fx: &mut Effects) {
        let waiting: Vec<Delivery> = self
            .deliveries
            .values()
            .filter(|d| {
                d.state == DeliveryState::Queued
                    && !self.in_flight.contains(&d.id)
                    && self.channel(&d.channel).is_some_and(|channel| channel.kind == "desktop")
            })
            .cloned()
            .collect();
        for mut delivery in waiting {
            delivery.next_at = Some(at.wall);
            self.keep_delivery(delivery, fx);
        }
    }

    /// What was acknowledged or put off need not be said any more.
    pub(super) fn withdraw(&mut self, key: &ReminderKey, fx: &mut Effects) {
        let waiting: Vec<Delivery> = self
            .deliveries
            .values()
            .filter(|d| {
                d.reminder == *key && d.state == DeliveryState::Queued && !self.in_flight.contains(&d.id)
            })
            .cloned()
            .collect();
        for mut delivery in waiting {
            delivery.state = DeliveryState::Suppressed;
            delivery.next_at = None;
            delivery.last_error = Some("answered before it was said".to_owned());
            self.keep_delivery(delivery, fx);
        }
    }

    pub(super) fn channel_tested(&mut self, channel: &ChannelName, at: Stamp, fx: &mut Effects) {
        let Ok(key) = ReminderKey::new(format!("test/{channel}")) else { return };
        let chinese = self.settings.language.starts_with("zh");
        let id = format!("{key}@{}#1:{channel}", at.wall.as_millis());
        let message = Message {
            title: if chinese { "simbell：测试" } else { "simbell: test" }.to_owned(),
            text: if chinese {
                format!("这是通道“{channel}”的测试消息。看到它，说明提醒能送达这里。")
            } else {
                format!("This is a test of the channel {channel}. If you can read it, reminders arrive here.")
            },
            urgency: Urgency::Info,
            key: key.as_str().to_owned(),
            sim_name: None,
            raised_at: at.wall,
            id: id.clone(),
            language: self.settings.language.clone(),
        };
        let test = Delivery {
            id,
            reminder: key,
            channel: channel.clone(),
            state: DeliveryState::Queued,
            attempts: 0,
            created_at: at.wall,
            next_at: Some(at.wall),
            last_error: None,
            message,
        };
        self.enqueue(test, at, fx);
    }

    pub(super) fn keep_delivery(&mut self, delivery: Delivery, fx: &mut Effects) {
        fx.changes.push(Change::KeepDelivery(delivery.clone()));
        self.deliveries.insert(delivery.id.clone(), delivery);
    }

    /// What a cap counts is kept while its day lasts, wherever that is.
    fn forget_finished(&mut self) {
        let mut finished: Vec<(Timestamp, String)> = self
            .deliveries
            .values()
            .filter(|d| !matches!(d.state, DeliveryState::Queued | DeliveryState::Sending))
            .filter(|d| !self.counts_towards_cap(d))
            .map(|d| (d.created_at, d.id.clone()))
            .collect();
        if finished.len() > FINISHED_KEPT {
            finished.sort();
            let surplus = finished.len().saturating_sub(FINISHED_KEPT);
            for (_, id) in finished.into_iter().take(surplus) {
                self.deliveries.remove(&id);
            }
        }
    }
}

fn late_note(late: Span, chinese: bool) -> String {
    let minutes = late.as_secs() / 60;
    let (hours, days) = (minutes / 60, minutes / 1440);
    match (chinese, days, hours) {
        (false, 0, 0) => format!(" (late by {minutes} min)"),
        (false, 0, _) => format!(" (late by {hours} h)"),
        (false, _, _) => format!(" (late by {days} d)"),
        (true, 0, 0) => format!("（迟到 {minutes} 分钟）"),
        (true, 0, _) => format!("（迟到 {hours} 小时）"),
        (true, _, _) => format!("（迟到 {days} 天）"),
    }
}
