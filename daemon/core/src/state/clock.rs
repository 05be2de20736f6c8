//! The wall clock is set: what was put off by the old one must not wait for an instant that is years away.

use super::State;
use crate::effect::Effects;
use crate::reminder::{Delivery, DeliveryState, Reminder, ReminderState, Repeat};
use crate::time::{Span, Stamp, Timestamp};

/// A clock that is disciplined goes back by less.
const SET_BACK_FROM: Span = Span::secs(1);

/// Nothing held back by quiet hours, and no try of a delivery, is further away.
const LONGEST_WAIT: Span = Span::secs(25 * 3_600);

impl State {
    /// Puts right what an earlier reading of the wall clock decided, when it is trusted at last or was set back.
    pub(super) fn clock_moved(&mut self, before: Stamp, at: Stamp, fx: &mut Effects) {
        let trusted_now = at.trusted && !before.trusted;
        let set_back = at.trusted && before.wall.since(at.wall) > SET_BACK_FROM;
        if trusted_now && before.boot_ms > 0 {
            self.shift_untrusted(before, at, fx);
        }
        if trusted_now || set_back {
            self.schedules_known = None;
            self.reminders_again(at, fx);
            self.deliveries_again(at, fx);
        }
    }

    /// What was put in the outbox under the wrong clock is as old as it is, not as old as that clock was wrong.
    fn shift_untrusted(&mut self, before: Stamp, at: Stamp, fx: &mut Effects) {
        let boot = |stamp: Stamp| Span(i64::try_from(stamp.boot_ms).unwrap_or(i64::MAX));
        let back = |wall: Timestamp, span: Span| wall.saturating_add(Span(span.as_millis().saturating_neg()));
        let shift = back(at.wall, boot(at)).since(back(before.wall, boot(before)));
        let began = back(before.wall, boot(before));
        let under_it = |instant: Timestamp| instant >= began && instant <= before.wall;
        let deliveries: Vec<Delivery> =
            self.deliveries.values().filter(|d| waits(d) && under_it(d.created_at)).cloned().collect();
        for mut delivery in deliveries {
            delivery.created_at = delivery.created_at.saturating_add(shift);
            delivery.next_at = delivery.next_at.map(|next| next.saturating_add(shift));
            self.keep_delivery(delivery, fx);
        }
        let reminders: Vec<Reminder> = self
            .reminders
            .values()
            .filter(|r| under_it(r.raised_at) && r.next_at.is_some())
            .cloned()
            .collect();
        for mut reminder in reminders {
            reminder.next_at = reminder.next_at.map(|next| next.saturating_add(shift));
            self.keep(reminder, fx);
        }
    }

    fn reminders_again(&mut self, at: Stamp, fx: &mut Effects) {
        let live: Vec<Reminder> = self.reminders.values().filter(|r| r.next_at.is_some()).cloned().collect();
        for mut reminder in live {
            let zone = reminder.sim.as_ref().map_or(&self.settings.zone, |iccid| self.zone_of(iccid));
            let latest = match (&reminder.state, &reminder.repeat) {
                (ReminderState::Firing, Repeat::Every(span)) => at.wall.saturating_add(*span),
                // The next time may have been said already, before the clock was put back a little.
                (ReminderState::Firing, Repeat::At(schedule)) => {
                    schedule.next_due(zone, schedule.next_due(zone, at.wall))
                }
                (ReminderState::Pending, _) => at.wall.saturating_add(LONGEST_WAIT),
                _ => continue,
            };
            if reminder.next_at.is_some_and(|next| next > latest) {
                reminder.next_at = match reminder.state {
                    ReminderState::Pending => Some(at.wall),
                    _ => self.next_time(&reminder, at.wall),
                };
                self.keep(reminder, fx);
            }
        }
    }

    fn deliveries_again(&mut self, at: Stamp, fx: &mut Effects) {
        let latest = at.wall.saturating_add(LONGEST_WAIT);
        let ahead: Vec<Delivery> = self
            .deliveries
            .values()
            .filter(|d| waits(d) && (d.created_at > at.wall || d.next_at.is_some_and(|next| next > latest)))
            .cloned()
            .collect();
        for mut delivery in ahead {
            delivery.created_at = delivery.created_at.min(at.wall);
            delivery.next_at = delivery.next_at.map(|next| if next > latest { at.wall } else { next });
            self.keep_delivery(delivery, fx);
        }
    }
}

const fn waits(delivery: &Delivery) -> bool {
    matches!(delivery.state, DeliveryState::Queued | DeliveryState::Sending)
}
