//! The ledger was replaced by an older copy, or by an empty one, while the service runs.
//!
//! Counting begins anew from the baselines of the copy, as after a restart: what the kernel and ModemManager counted since
//! them is booked once, whole; what nobody can know any more becomes a gap. Usage in memory that is not committed is
//! forgotten, for the counters tell it again. Everything else in memory is newer than the copy, and is committed to it.

use std::collections::BTreeSet;

use super::accounting::Accounting;
use super::restored::Restored;
use super::usage::Sim;
use super::{State, carrier};
use crate::counter::LinkReading;
use crate::effect::{Change, Effects, Notice};
use crate::ledger::{Gap, GapReason};
use crate::reminder::{Delivery, DeliveryState, Reminder, ReminderState};
use crate::time::{Stamp, Timestamp};

impl State {
    pub(super) fn ledger_replaced(
        &mut self,
        restored: &Restored,
        links: &[LinkReading],
        reason: GapReason,
        at: Stamp,
        fx: &mut Effects,
    ) {
        let Some(boot) = self.boot.clone() else { return };
        if at.trusted {
            self.nothing_yet_to_come(at.wall);
        }
        let next_epoch = self.accounting.next_epoch().max(restored.next_epoch);
        let copy = Accounting::restored(
            next_epoch.0,
            restored.baselines.clone(),
            restored.epochs.clone(),
            restored.sessions.clone(),
        );
        self.accounting = self.accounting.replaced(copy, &restored.ended, links, reason, at);
        self.accounting.started(&boot, links, at);
        self.last_read_boot_ms = at.boot_ms;
        // An empty ledger says nothing of when it knew something last.
        fx.changes.push(Change::AppendGap(Gap {
            iccid: None,
            from: restored.newest,
            until: at.trusted.then_some(at.wall),
            reason,
            detail: "what the ledger held since the copy that took its place".to_owned(),
        }));
        for record in &restored.sims {
            self.sims.entry(record.iccid.clone()).or_insert_with(|| Sim::new(record.clone()));
        }
        self.midnight = None;
        for sim in self.sims.values_mut() {
            fx.changes.push(Change::KeepSim(sim.record.clone()));
            sim.forget_cycle();
            sim.unsaved = 0;
        }
        fx.changes.extend(self.reminders.values().cloned().map(Change::KeepReminder));
        fx.changes.extend(self.deliveries.values().cloned().map(Change::KeepDelivery));
        let marks = self.marks.iter();
        fx.changes.extend(
            marks.map(|(key, served)| Change::KeepScheduleMark { key: key.clone(), served: *served }),
        );
        let seen = self.sms_seen.iter();
        fx.changes.extend(seen.map(|(digest, at)| Change::KeepSmsDigest { digest: digest.clone(), at: *at }));
        let memories = self.memories.iter();
        fx.changes.extend(
            memories
                .map(|(rule, memory)| Change::KeepMemory { rule: rule.clone(), memory: (**memory).clone() }),
        );
        fx.changes.extend(self.actions.values().cloned().map(Change::KeepAction));
        self.plugins_replaced(&restored.plugin_decisions, at, fx);
        fx.changes.extend(self.fleet.records().cloned().map(Change::KeepModem));
        // What persons wrote since the copy is theirs, unless they asked for the copy.
        if reason == GapReason::LedgerDamaged {
            let known: BTreeSet<_> = restored.observations.iter().map(|o| o.id).collect();
            let newer = self.observations.values().flatten().filter(|o| !known.contains(&o.id));
            fx.changes.extend(newer.cloned().map(Change::AppendObservation));
            self.next_observation = self.next_observation.max(restored.next_observation);
        } else {
            self.observations = carrier::by_sim(restored.observations.clone());
            self.next_observation = restored.next_observation;
        }
        self.over_since(restored, at, fx);
        self.calls_replaced(restored, at, fx);
        self.messages_replaced(restored, fx);
        self.party_key = restored.party_key;
        self.undated.clone_from(&restored.undated_boots);
        if at.trusted {
            // What the copy holds undated of this boot is dated, as at a start.
            self.clock_trust_changed(at, fx);
        }
        self.claim_again(at, fx);
        self.accounting.settled_anew();
        fx.notices.push(Notice::StatusChanged);
    }

    /// The ledger that is gone may be one of a clock that once ran ahead: what was dated by it must not make the next start
    /// doubt the clock that is right.
    fn nothing_yet_to_come(&mut self, now: Timestamp) {
        for sim in self.sims.values_mut() {
            sim.record.first_seen = sim.record.first_seen.min(now);
            sim.record.last_seen = sim.record.last_seen.min(now);
        }
        for reminder in self.reminders.values_mut() {
            reminder.raised_at = reminder.raised_at.min(now);
        }
        for delivery in self.deliveries.values_mut() {
            delivery.created_at = delivery.created_at.min(now);
        }
        for instant in self.marks.values_mut().chain(self.sms_seen.values_mut()) {
            *instant = (*instant).min(now);
        }
    }

    /// What only the copy knows to be live ended since it was made: a restart must not say it again.
    fn over_since(&self, restored: &Restored, at: Stamp, fx: &mut Effects) {
        let resolved = |reminder: &&Reminder| matches!(reminder.state, ReminderState::Resolved { .. });
        let live = restored.reminders.iter().filter(|reminder| !resolved(reminder));
        for reminder in live.filter(|reminder| !self.reminders.contains_key(&reminder.key)) {
            fx.changes.push(Change::KeepReminder(Reminder {
                state: ReminderState::Resolved { at: at.wall },
                next_at: None,
                ..reminder.clone()
            }));
        }
        let waits = |d: &&Delivery| matches!(d.state, DeliveryState::Queued | DeliveryState::Sending);
        let waiting = restored.deliveries.iter().filter(waits);
        for delivery in waiting.filter(|delivery| !self.deliveries.contains_key(&delivery.id)) {
            let why = "what became of it only the ledger knows that a copy took the place of";
            fx.changes.push(Change::KeepDelivery(Delivery {
                state: DeliveryState::Failed,
                next_at: None,
                last_error: Some(why.to_owned()),
                ..delivery.clone()
            }));
        }
    }
}
