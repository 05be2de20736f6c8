//! When the state wants to be woken, and why.

use super::State;
use crate::effect::Wake;
use crate::reminder::{DeliveryState, ReminderState};
use crate::time::{Span, Stamp, Timestamp};

/// What is due so soon after something else is done with it: a timer of its own would wake the processor again.
pub(super) const SLACK_MS: u64 = 1_000;

/// How often a clock that is not believed is judged anew.
const CLOCK_ASKED_MS: u64 = 5_000;

/// The first midnight of any SIM after an instant: with many SIMs the calendar is not asked at each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Midnight {
    from: Timestamp,
    next: Option<Timestamp>,
}

impl Midnight {
    fn holds(self, at: Timestamp) -> bool {
        at >= self.from && self.next.is_none_or(|next| at < next)
    }
}

impl State {
    /// Looks up the next midnight where the last one found is over, or the clock was set back before it was looked for.
    pub(super) fn find_midnight(&mut self, at: Stamp) {
        if !self.midnight.is_some_and(|known| known.holds(at.wall)) {
            self.midnight = Some(Midnight { from: at.wall, next: self.next_midnight(at.wall) });
        }
    }

    fn next_midnight(&self, at: Timestamp) -> Option<Timestamp> {
        let midnights = self.sims.keys().filter_map(|iccid| {
            let zone = self.zone_of(iccid);
            zone.date(at).succ_opt().map(|tomorrow| zone.day_start(tomorrow))
        });
        midnights.min()
    }

    /// After how long an event [`crate::event::Event::WakeReached`] is due, and for what. None while nothing is
    /// at stake: an idle service sleeps.
    ///
    /// Instants by the wall clock hold only until it is set: ask again after each event.
    #[must_use]
    pub fn next_wake(&self, at: Stamp) -> Option<Wake> {
        let boot = |due: u64| Span(i64::try_from(due.saturating_sub(at.boot_ms)).unwrap_or(i64::MAX));
        let wall = |due: Timestamp| Span(due.since(at.wall).as_millis().max(0));
        let mut wakes: Vec<Wake> = Vec::new();
        if let (_, Some(since)) = self.accounting.unsaved() {
            let due = since.saturating_add(self.settings.max_unsaved_time.as_millis().unsigned_abs());
            wakes.push(Wake { after: boot(due), reason: "commit" });
        }
        wakes.extend(self.calls.next_look().map(|due| Wake { after: boot(due), reason: "call" }));
        wakes.extend(
            self.next_look_at_modems().map(|due| Wake { after: boot(due), reason: "a modem is gone" }),
        );
        wakes.extend(self.settles_at.map(|due| Wake { after: boot(due), reason: "the beginning is over" }));
        wakes.extend(self.links_settle_at.map(|due| Wake { after: boot(due), reason: "links have settled" }));
        if at.trusted != self.now.trusted {
            // Noticed while it was asked for the next wake: no event has told yet.
            wakes.push(Wake { after: Span::ZERO, reason: "the clock is judged anew" });
        } else if !at.trusted {
            // Whoever vouches for the clock need not set it: nothing else would tell. Since the last event, not since
            // this question: who asks for the status often must not put it off.
            let due = self.now.boot_ms.saturating_add(CLOCK_ASKED_MS);
            wakes.push(Wake { after: boot(due), reason: "the clock may be vouched for" });
        }
        if at.trusted {
            // Only where somebody will look: a wake that changes nothing would come again at once.
            if self.answers("usage") && !self.totals_awaited() {
                let stale = self.sims.values().filter_map(|sim| sim.asking.stale_at());
                wakes.extend(stale.min().map(|due| Wake { after: boot(due), reason: "usage not looked at" }));
            }
            let ends = self.sims.values().filter_map(|sim| sim.bounds?.1);
            wakes.extend(ends.min().map(|end| Wake { after: wall(end), reason: "cycle ends" }));
            // What depends on the date changes at midnight: what rules say of it, and whether a bundle has begun.
            if self.answers("usage") || self.sims.values().any(|sim| sim.bounds.is_none()) {
                let known = self.midnight.filter(|known| known.holds(at.wall));
                let next = known.map_or_else(|| self.next_midnight(at.wall), |known| known.next);
                wakes.extend(next.map(|due| Wake { after: wall(due), reason: "a new day" }));
            }
            for reminder in self.reminders.values() {
                let due = match &reminder.state {
                    ReminderState::Pending | ReminderState::Firing => reminder.next_at,
                    ReminderState::Snoozed { until } => Some(*until),
                    ReminderState::Acknowledged { .. } | ReminderState::Resolved { .. } => None,
                };
                wakes.extend(due.map(|due| Wake { after: wall(due), reason: "reminder" }));
            }
            wakes.extend(self.old_news().min().map(|due| Wake { after: wall(due), reason: "old news" }));
            wakes.extend(self.next_schedule().map(|due| Wake { after: wall(due), reason: "schedule" }));
        }
        for delivery in self.deliveries.values() {
            let waits = matches!(delivery.state, DeliveryState::Queued | DeliveryState::Sending)
                && !self.in_flight.contains(&delivery.id);
            if let (true, Some(due)) = (waits, delivery.next_at) {
                wakes.push(Wake { after: wall(due), reason: "delivery" });
            }
        }
        wakes.into_iter().min_by_key(|wake| wake.after)
    }
}
