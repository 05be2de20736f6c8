//! Short messages: each one received is counted once and shown to the rules once, however often ModemManager shows it.

use std::collections::{BTreeSet, VecDeque};

use chrono::DateTime;

use super::State;
use super::restored::Restored;
use crate::effect::{Change, Effects, Notice};
use crate::ident::ModemId;
use crate::ledger::Zone;
use crate::modem::SmsView;
use crate::segments;
use crate::time::{Span, Stamp, Timestamp};
use crate::view::Trigger;
use crate::voice::{SmsDirection, SmsId, SmsRecord};

/// A message older than this when first seen lay in the modem's storage all along: it is history, not news.
const NEWS_FOR: Span = Span::secs(3 * 86_400);

/// So many messages are remembered; the oldest is forgotten first.
const REMEMBERED: usize = 2_000;

/// So many digests of counted messages are remembered: more than the stores of a modem and its SIM hold.
const COUNTED: usize = 4_096;

/// So many messages of unknown outcome are remembered: one may yet be told to have left.
const UNKNOWN: usize = 32;

/// What is needed to count each message once.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Messages {
    next: i64,
    /// Digests of messages received and counted.
    counted: BTreeSet<String>,
    /// The same, the oldest first.
    order: VecDeque<String>,
    /// Messages of which nobody knows whether they left.
    unknown: VecDeque<(ModemId, SmsRecord)>,
}

impl Messages {
    pub(super) fn restored(next: SmsId, counted: Vec<String>) -> Self {
        Self {
            next: next.0,
            counted: counted.iter().cloned().collect(),
            order: counted.into(),
            unknown: VecDeque::new(),
        }
    }

    /// Another ledger took the place of the one that these are in: it knows which it counted. Those of unknown outcome
    /// that it does not hold are given back, to be kept there; of the others nobody can tell which of its entries they are.
    fn replaced(&mut self, next: SmsId, counted: Vec<String>) -> Vec<SmsRecord> {
        let mut unknown = std::mem::take(&mut self.unknown);
        unknown.retain(|(_, sms)| sms.id >= next);
        *self = Self { unknown, ..Self::restored(SmsId(next.0.max(self.next)), counted) };
        self.unknown.iter().map(|(_, sms)| sms.clone()).collect()
    }

    /// Whether a message is seen for the first time.
    fn is_new(&mut self, digest: &str) -> bool {
        if !self.counted.insert(digest.to_owned()) {
            return false;
        }
        self.order.push_back(digest.to_owned());
        if self.order.len() > COUNTED
            && let Some(oldest) = self.order.pop_front()
        {
            self.counted.remove(&oldest);
        }
        true
    }

    fn next_id(&mut self) -> SmsId {
        let id = SmsId(self.next);
        self.next = self.next.saturating_add(1);
        id
    }
}

impl State {
    pub(super) fn messages_replaced(&mut self, restored: &Restored, fx: &mut Effects) {
        if self.party_key != restored.party_key {
            // The recipients' digests say nothing under another key.
            self.messages.unknown.iter_mut().for_each(|(_, sms)| sms.party = None);
        }
        let kept = self.messages.replaced(restored.next_sms, restored.counted_sms.clone());
        fx.changes.extend(kept.into_iter().map(Change::KeepSms));
        for seen in &restored.sms_digests {
            self.sms_seen.entry(seen.digest.clone()).or_insert(seen.at);
        }
    }

    /// A message left, did not, or nobody knows.
    pub(super) fn sms_left(
        &mut self,
        modem: &ModemId,
        parts: u32,
        to: Option<&str>,
        direction: SmsDirection,
        at: Stamp,
        fx: &mut Effects,
    ) {
        let party = self.judge_number(modem, to, false).party.map(|number| self.party_key.digest(&number));
        let same =
            |(other, sms): &(ModemId, SmsRecord)| other == modem && sms.parts == parts && sms.party == party;
        let place = self.messages.unknown.iter().position(same).filter(|_| direction == SmsDirection::Sent);
        if let Some((_, mut sms)) = place.and_then(|place| self.messages.unknown.remove(place)) {
            // It was under way, and is told now to have left.
            self.uncount_unknown(&sms);
            sms.direction = SmsDirection::Sent;
            self.keep_sms(sms, fx);
            return;
        }
        let iccid = self.sim_of(modem);
        let sms = SmsRecord {
            id: self.messages.next_id(),
            zone: self.zone_now(iccid.as_ref()),
            iccid,
            direction,
            parts,
            party,
            at: at.trusted.then_some(at.wall),
            boot: self.boot.clone(),
            at_boot_ms: at.boot_ms,
            digest: None,
        };
        if direction == SmsDirection::Unknown {
            self.messages.unknown.push_back((modem.clone(), sms.clone()));
            if self.messages.unknown.len() > UNKNOWN {
                self.messages.unknown.pop_front();
            }
        }
        self.keep_sms(sms, fx);
    }

    fn uncount_unknown(&mut self, sms: &SmsRecord) {
        if let Some(sim) = sms.iccid.as_ref().and_then(|iccid| self.sims.get_mut(iccid))
            && sim.counts_now(sms.at)
        {
            let unknown = &mut sim.counts.sums.unknown;
            unknown.messages = unknown.messages.saturating_sub(1);
            unknown.parts = unknown.parts.saturating_sub(u64::from(sms.parts));
        }
    }

    fn keep_sms(&mut self, sms: SmsRecord, fx: &mut Effects) {
        if let Some(iccid) = &sms.iccid
            && let Some(sim) = self.sims.get_mut(iccid)
        {
            if sim.counts_now(sms.at) {
                sim.counts.add_sms(sms.direction, sms.parts, &sms.zone, sms.party.as_deref());
            }
            sim.evaluate_soon();
            fx.notices.push(Notice::UsageGrew(iccid.clone()));
        }
        fx.changes.push(Change::KeepSms(sms));
    }

    /// Counts a message received, whatever the rules say of it. One that lay in the modem's storage before its SIM was
    /// ever seen here is not counted: nobody knows whose it was.
    fn count_received(&mut self, modem: &ModemId, sms: &SmsView, at: Stamp, fx: &mut Effects) {
        if !self.messages.is_new(&sms.digest) {
            return;
        }
        let iccid = self.sim_of(modem);
        let sent = sent_at(sms);
        let old = at.trusted && sent.is_some_and(|sent| at.wall.since(sent) > NEWS_FOR);
        let first_seen =
            iccid.as_ref().and_then(|iccid| self.sims.get(iccid)).map(|sim| sim.record.first_seen);
        if old && (first_seen.is_none() || sent < first_seen) {
            return;
        }
        let record = SmsRecord {
            id: self.messages.next_id(),
            // Where it was when an old one came in, nobody knows.
            zone: if old { Zone::Unknown } else { self.zone_now(iccid.as_ref()) },
            iccid,
            direction: SmsDirection::Received,
            parts: segments::parts(&sms.text),
            party: None,
            at: if old { sent } else { at.trusted.then_some(at.wall) },
            boot: if old { None } else { self.boot.clone() },
            at_boot_ms: at.boot_ms,
            digest: Some(sms.digest.clone()),
        };
        self.keep_sms(record, fx);
    }

    /// Messages that came before rules could be asked are news now.
    pub(super) fn sms_waited(&mut self, at: Stamp, fx: &mut Effects) {
        for (modem, sms) in std::mem::take(&mut self.sms_waiting) {
            self.sms_received(&modem, &sms, at, fx);
        }
    }

    pub(super) fn sms_received(&mut self, modem: &ModemId, sms: &SmsView, at: Stamp, fx: &mut Effects) {
        if self.sms_seen.contains_key(&sms.digest) {
            return;
        }
        self.count_received(modem, sms, at, fx);
        if !at.trusted || self.totals_awaited() {
            if self.sms_waiting.len() < REMEMBERED {
                self.sms_waiting.push((modem.clone(), sms.clone()));
            }
            return;
        }
        self.sms_seen.insert(sms.digest.clone(), at.wall);
        if self.sms_seen.len() > REMEMBERED {
            let oldest = self.sms_seen.iter().min_by_key(|(_, at)| **at).map(|(digest, _)| digest.clone());
            oldest.and_then(|digest| self.sms_seen.remove(&digest));
        }
        let sent = sent_at(sms);
        let history = sent.is_some_and(|sent| at.wall.since(sent) > NEWS_FOR);
        if history {
            fx.changes.push(Change::KeepSmsDigest { digest: sms.digest.clone(), at: at.wall });
            return;
        }
        fx.notices.push(Notice::Happened("a short message came in".to_owned()));
        let trigger = Trigger::Sms { sim: self.sim_of(modem), sms: sms.clone() };
        let asked = fx.evaluate.len();
        self.ask_rules(std::slice::from_ref(&trigger), at, fx);
        if fx.evaluate.len() == asked {
            fx.changes.push(Change::KeepSmsDigest { digest: sms.digest.clone(), at: at.wall });
        }
    }
}

/// When the service centre got a message.
fn sent_at(sms: &SmsView) -> Option<Timestamp> {
    let sent = sms.timestamp.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok())?;
    Some(Timestamp::from_millis(sent.timestamp_millis()))
}
