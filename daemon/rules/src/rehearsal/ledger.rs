//! The ledger of a rehearsal, in memory: what a step committed, what is summed of it, and what a restart finds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use simbell_core::action::ActionRecord;
use simbell_core::billing::{Tariff, Unit, UnitSum};
use simbell_core::effect::{Change, ModemRecord, SimRecord, TotalsQuery};
use simbell_core::event::Event;
use simbell_core::ident::{BootId, Iccid, ModemId, ReminderKey, RuleName};
use simbell_core::ledger::{Baseline, Epoch, EpochId, Session, Volume, When, Zone};
use simbell_core::memory::Memory;
use simbell_core::reminder::{Delivery, Reminder};
use simbell_core::state::restored::{Restored, ScheduleMark, SmsDigest};
use simbell_core::time::Timestamp;
use simbell_core::voice::{CallEnd, CallId, CallRecord, SmsId, SmsRecord, VoiceCounts};

/// What one connection carried in one zone and slot.
type Slots = BTreeMap<(Timestamp, EpochId, Zone), Volume>;

/// Everything committed.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    usage: BTreeMap<Iccid, Slots>,
    /// Of SIMs whose oldest usage was let go.
    first: BTreeMap<Iccid, Timestamp>,
    corrections: BTreeMap<Iccid, Vec<(Timestamp, i64)>>,
    baselines: BTreeMap<Arc<str>, Baseline>,
    epochs: BTreeMap<EpochId, Epoch>,
    sessions: BTreeMap<EpochId, Session>,
    sims: BTreeMap<Iccid, SimRecord>,
    reminders: BTreeMap<ReminderKey, Reminder>,
    deliveries: BTreeMap<String, Delivery>,
    marks: BTreeMap<String, Timestamp>,
    digests: BTreeMap<String, Timestamp>,
    memories: BTreeMap<RuleName, Memory>,
    actions: BTreeMap<String, ActionRecord>,
    modems: BTreeMap<ModemId, ModemRecord>,
    calls: BTreeMap<CallId, CallRecord>,
    messages: BTreeMap<SmsId, SmsRecord>,
}

impl Ledger {
    /// Makes one change.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::AddUsage(slot) => {
                let volume = Volume { rx: slot.rx_bytes, tx: slot.tx_bytes };
                // The clock of a rehearsal is trusted, but for what somebody says it is not: that stays undated.
                if let When::Hour(at) = slot.when {
                    self.add(slot.iccid, at, slot.epoch, slot.zone, volume);
                }
            }
            Change::AppendCorrection(correction) => {
                self.corrections.entry(correction.iccid).or_default().push((correction.at, correction.bytes));
            }
            Change::SetBaseline(base) => drop(self.baselines.insert(base.counter.clone(), base)),
            Change::DropBaseline { counter } => drop(self.baselines.remove(&counter)),
            Change::OpenEpoch(epoch) => drop(self.epochs.insert(epoch.id, epoch)),
            Change::KeepSession(session) => drop(self.sessions.insert(session.id, *session)),
            Change::KeepSim(sim) => drop(self.sims.insert(sim.iccid.clone(), sim)),
            Change::KeepReminder(reminder) => drop(self.reminders.insert(reminder.key.clone(), reminder)),
            Change::KeepDelivery(delivery) => drop(self.deliveries.insert(delivery.id.clone(), delivery)),
            Change::KeepScheduleMark { key, served } => drop(self.marks.insert(key, served)),
            Change::KeepSmsDigest { digest, at } => drop(self.digests.insert(digest, at)),
            Change::KeepMemory { rule, memory } => drop(self.memories.insert(rule, memory)),
            Change::KeepAction(record) => drop(self.actions.insert(record.key.clone(), record)),
            Change::KeepModem(modem) => drop(self.modems.insert(modem.id.clone(), modem)),
            Change::KeepCall(call) => drop(self.calls.insert(call.id, call)),
            Change::KeepSms(sms) => drop(self.messages.entry(sms.id).or_insert(sms)),
            _ => {}
        }
    }

    /// Adds usage of the past.
    pub(super) fn add(&mut self, iccid: Iccid, at: Timestamp, epoch: EpochId, zone: Zone, volume: Volume) {
        let sum = self.usage.entry(iccid).or_default().entry((at, epoch, zone)).or_default();
        *sum = Volume { rx: sum.rx.saturating_add(volume.rx), tx: sum.tx.saturating_add(volume.tx) };
    }

    /// Lets go of a SIM's usage before an instant; when its first entry was stays known.
    pub(super) fn forget_usage(&mut self, iccid: &Iccid, before: Timestamp) {
        let Some(slots) = self.usage.get_mut(iccid) else { return };
        if let Some((first, ..)) = slots.keys().next() {
            self.first.entry(iccid.clone()).or_insert(*first);
        }
        // No epoch has a number so low.
        *slots = slots.split_off(&(before, EpochId(i64::MIN), Zone::Unknown));
    }

    /// A reminder as it was committed last.
    pub(super) fn reminder(&self, key: &ReminderKey) -> Option<&Reminder> {
        self.reminders.get(key)
    }

    /// An action as it was committed last.
    pub(super) fn action(&self, key: &str) -> Option<&ActionRecord> {
        self.actions.get(key)
    }

    /// The answers to a question for sums: of calls and messages, and of data.
    pub(super) fn answer(&self, query: TotalsQuery, tariff: Option<&Tariff<'_>>) -> [Event; 2] {
        let within = |at: Timestamp| at >= query.from && query.until.is_none_or(|until| at < until);
        let none = Slots::new();
        let mine = self.usage.get(&query.iccid).unwrap_or(&none);
        let mut by_zone: BTreeMap<Zone, Volume> = BTreeMap::new();
        let mut units: BTreeMap<Unit, Volume> = BTreeMap::new();
        let add = |sum: &mut Volume, more: Volume| {
            *sum = Volume { rx: sum.rx.saturating_add(more.rx), tx: sum.tx.saturating_add(more.tx) };
        };
        let tariff = tariff.filter(|tariff| tariff.plan.bills_by_unit());
        for ((at, epoch, zone), volume) in mine.iter().filter(|((at, ..), _)| within(*at)) {
            add(by_zone.entry(zone.clone()).or_default(), *volume);
            let session = self.epochs.get(epoch).and_then(|epoch| epoch.session).unwrap_or(*epoch);
            if let Some(unit) = tariff.and_then(|tariff| tariff.unit(session, zone, &When::Hour(*at))) {
                add(units.entry(unit).or_default(), *volume);
            }
        }
        let corrections = self.corrections.get(&query.iccid).into_iter().flatten();
        let corrections = corrections
            .filter(|(at, _)| within(*at))
            .fold(0_i64, |sum, (_, bytes)| sum.saturating_add(*bytes));
        let counts =
            Event::CountsLoaded { counts: Box::new(self.counts(&query, &within)), query: query.clone() };
        let totals = Event::TotalsLoaded {
            by_zone: by_zone.into_iter().collect(),
            units: units.into_iter().map(|(unit, volume)| UnitSum { unit, volume }).collect(),
            corrections,
            first_at: self.first.get(&query.iccid).or(mine.keys().next().map(|(at, ..)| at)).copied(),
            query,
        };
        [counts, totals]
    }

    fn counts(&self, query: &TotalsQuery, within: &dyn Fn(Timestamp) -> bool) -> VoiceCounts {
        let mut counts = VoiceCounts::default();
        let mine = |iccid: &Option<Iccid>, at: Option<Timestamp>| {
            iccid.as_ref() == Some(&query.iccid) && at.is_some_and(within)
        };
        for call in self.calls.values().filter(|call| mine(&call.iccid, call.began)) {
            if !matches!(call.end, CallEnd::Open(_)) {
                counts.sums.add_call(call);
            }
        }
        for sms in self.messages.values().filter(|sms| mine(&sms.iccid, sms.at)) {
            counts.add_sms(sms.direction, sms.parts, &sms.zone, sms.party.as_deref());
        }
        counts
    }

    /// What a restart in this boot finds.
    pub(super) fn restored(&self, boot: &BootId) -> Restored {
        let named: BTreeSet<EpochId> = self.baselines.values().filter_map(|base| base.epoch).collect();
        let next = |last: Option<i64>| last.map_or(1, |last| last.saturating_add(1));
        let reminders = self.reminders.values().map(|reminder| reminder.raised_at);
        let newest = self.baselines.values().filter_map(|base| base.read_at).chain(reminders).max();
        let open = |call: &&CallRecord| matches!(call.end, CallEnd::Open(_));
        Restored {
            sims: self.sims.values().cloned().collect(),
            baselines: self.baselines.values().filter(|base| base.boot == *boot).cloned().collect(),
            epochs: self.epochs.values().filter(|epoch| named.contains(&epoch.id)).cloned().collect(),
            sessions: self.sessions.values().filter(|session| !session.over).cloned().collect(),
            next_epoch: EpochId(next(self.epochs.keys().next_back().map(|epoch| epoch.0))),
            newest,
            reminders: self.reminders.values().cloned().collect(),
            deliveries: self.deliveries.values().cloned().collect(),
            schedule_marks: self
                .marks
                .iter()
                .map(|(key, served)| ScheduleMark { key: key.clone(), served: *served })
                .collect(),
            memories: self.memories.iter().map(|(rule, memory)| (rule.clone(), memory.clone())).collect(),
            actions: self.actions.values().cloned().collect(),
            modems: self.modems.values().cloned().collect(),
            sms_digests: self
                .digests
                .iter()
                .map(|(digest, at)| SmsDigest { digest: digest.clone(), at: *at })
                .collect(),
            open_calls: self.calls.values().filter(open).cloned().collect(),
            next_call: CallId(next(self.calls.keys().next_back().map(|call| call.0))),
            next_sms: SmsId(next(self.messages.keys().next_back().map(|sms| sms.0))),
            counted_sms: self.messages.values().filter_map(|sms| sms.digest.clone()).collect(),
            ..Restored::empty()
        }
    }
}
