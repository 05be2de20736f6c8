//! Answers to questions about calls and short messages: which SIMs, which span, which page.

use std::collections::{BTreeMap, BTreeSet};

use simbell_api::{
    CallsPage, CallsRow, CallsTotal, GetUsageParams, MessagesPage, MessagesRow, MessagesTotal,
};
use simbell_core::ident::Iccid;
use simbell_core::state::State;
use simbell_core::time::{Stamp, Timestamp};
use simbell_core::voice::{
    CallGroups, CallKey, CallRecord, CallSums, SmsKey, SmsRecord, SmsSums, VoiceCounts, VoiceSums,
};
use simbell_store::QueryError;

use crate::control::Answer;
use crate::usage::{Asked, Ledger, cursor, sims_of};

/// A page ends with the span in which so many entries were looked at: it is answered soon.
const ENTRIES_LOOKED_AT: usize = 1_200;

/// Asking for a span by itself takes as long as looking at so many entries.
const LOOKS_A_SPAN: usize = 10;

/// A page that is asked for: all that the state has to say to it.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Each SIM's part, and its calls under way.
    sims: Vec<(Asked, Vec<CallRecord>)>,
    after: Option<(Iccid, i64)>,
    limit: usize,
    /// Entries that a page may look at.
    looks: usize,
}

impl Question {
    /// Understands a question.
    ///
    /// # Errors
    /// When a parameter makes no sense, or no such SIM is known.
    pub(crate) fn of(state: &State, at: Stamp, question: &GetUsageParams) -> Answer<Self> {
        let limit = question.limit.map_or(100, |limit| usize::try_from(limit).unwrap_or(100)).max(1);
        let after = question.after.as_deref().map(cursor).transpose()?;
        let sims = sims_of(state, question.sim.as_deref())?.into_iter().map(|iccid| {
            let asked = Asked::of(state, &iccid, at, question)?;
            Ok((asked, state.calls_under_way(&iccid, at)))
        });
        Ok(Self { sims: sims.collect::<Answer<_>>()?, after, limit, looks: ENTRIES_LOOKED_AT })
    }

    /// One page of calls.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn calls(&self, ledger: &Ledger<'_>) -> Result<CallsPage, QueryError> {
        let mut sums = VoiceSums::default();
        let (rows, next) = self.pages(|asked, under_way, part| {
            let iccid = &asked.iccid;
            let inside = |call: &CallRecord, from| {
                call.began.is_some_and(|began| began >= from && began < asked.until)
            };
            let (groups, _) = ledger.call_groups(iccid, asked.from, asked.until)?;
            groups.iter().for_each(|(key, group)| sums.add_calls(key, group));
            under_way.iter().filter(|call| inside(call, asked.from)).for_each(|call| sums.add_call(call));
            let Some((from, room)) = part else { return Ok(Found::default()) };

            let mut spans: Spans<CallKey, (CallSums, u64)> = Spans::new(asked, room);
            if asked.by.is_long() {
                let first = |from| ledger.first_call(iccid, from, asked.until);
                spans.whole(from, first, |start, end, add| {
                    let (groups, took) = ledger.call_groups(iccid, start, end)?;
                    groups.into_iter().for_each(|(key, sums)| add.entry(key).or_default().0.add_sums(&sums));
                    Ok(took)
                })?;
            } else {
                ledger.calls(iccid, from, asked.until, |call| {
                    let Some(began) = call.began else { return true };
                    spans.take(began, call.key(), |(sum, _)| sum.add(&call))
                })?;
            }
            for call in under_way.iter().filter(|call| inside(call, from)) {
                let Some(began) = call.began else { continue };
                spans.put(began, call.key(), |(sum, open)| {
                    sum.add(call);
                    *open = open.saturating_add(1);
                });
            }
            Ok(spans.rows(|start, end, (incoming, class, zone), (sum, open)| CallsRow {
                iccid: iccid.as_str().to_owned(),
                start,
                end,
                direction: if incoming { "taken" } else { "made" }.to_owned(),
                number_class: class.as_str().to_owned(),
                zone: zone.to_text(),
                answered: sum.answered,
                unanswered: sum.unanswered,
                end_unknown: sum.end_unknown,
                under_way: open,
                seconds: sum.seconds,
                seconds_min: sum.seconds_min,
            }))
        })?;
        Ok(CallsPage { rows, total: calls_total(&sums), next })
    }

    /// One page of short messages.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn messages(&self, ledger: &Ledger<'_>) -> Result<MessagesPage, QueryError> {
        let mut all = VoiceCounts::default();
        let (rows, next) = self.pages(|asked, _, part| {
            let iccid = &asked.iccid;
            let (groups, _) = ledger.message_groups(iccid, asked.from, asked.until)?;
            all.add_groups(&CallGroups::default(), groups);
            let Some((from, room)) = part else { return Ok(Found::default()) };

            let mut spans: Spans<SmsKey, (SmsSums, BTreeSet<String>)> = Spans::new(asked, room);
            if asked.by.is_long() {
                let first = |from| ledger.first_message(iccid, from, asked.until);
                spans.whole(from, first, |start, end, add| {
                    let (groups, took) = ledger.message_groups(iccid, start, end)?;
                    add.extend(groups);
                    Ok(took)
                })?;
            } else {
                ledger.messages(iccid, from, asked.until, |sms| {
                    let SmsRecord { at: Some(at), direction, zone, parts, party, .. } = sms else {
                        return true;
                    };
                    spans.take(at, (direction, zone), |(sum, parties)| {
                        sum.add(parts);
                        parties.extend(party);
                    })
                })?;
            }
            Ok(spans.rows(|start, end, (direction, zone), (sum, parties)| MessagesRow {
                iccid: iccid.as_str().to_owned(),
                start,
                end,
                direction: direction.as_str().to_owned(),
                zone: zone.to_text(),
                messages: sum.messages,
                parts: sum.parts,
                recipients: count(parties.len()),
            }))
        })?;
        let total = messages_total(&all.sums, count(all.recipients.len()));
        Ok(MessagesPage { rows, total, next })
    }

    /// SIM by SIM: each is asked for its sums, and for its part of the page where it has one.
    fn pages<T>(
        &self,
        mut sim: impl FnMut(&Asked, &[CallRecord], Part) -> Result<Found<T>, QueryError>,
    ) -> Result<(Vec<T>, Option<String>), QueryError> {
        let (mut rows, mut next) = (Vec::new(), None);
        let mut looks = self.looks;
        for (asked, under_way) in &self.sims {
            let iccid = &asked.iccid;
            let from = match &self.after {
                Some((done, _)) if iccid < done => None,
                Some((current, millis)) if iccid == current => Some(Timestamp::from_millis(*millis)),
                _ => Some(asked.from),
            };
            let from = from.filter(|from| next.is_none() && *from < asked.until);
            let room = Room { rows: self.limit.saturating_sub(rows.len()), looks };
            let part = from.filter(|_| !room.is_full()).map(|from| (from, room));
            if let (Some(from), None) = (from, part) {
                next = Some(format!("{iccid}:{}", from.as_millis()));
            }
            let found = sim(asked, under_way, part)?;
            rows.extend(found.rows);
            looks = looks.saturating_sub(found.looked_at);
            if let Some(rest) = found.next {
                next = Some(format!("{iccid}:{}", rest.as_millis()));
            }
        }
        Ok((rows, next))
    }
}

/// Sums of calls as they are told.
pub(crate) const fn calls_total(sums: &VoiceSums) -> CallsTotal {
    CallsTotal {
        made: sums.made.answered,
        unanswered: sums.made.unanswered,
        made_seconds: sums.made.seconds,
        made_seconds_min: sums.made.seconds_min,
        made_free_seconds: sums.made_free.seconds,
        made_roaming_seconds: sums.made_roaming.seconds,
        taken: sums.taken.answered,
        missed: sums.taken.unanswered,
        taken_seconds: sums.taken.seconds,
        taken_seconds_min: sums.taken.seconds_min,
        taken_roaming_seconds: sums.taken_roaming.seconds,
        end_unknown: sums.made.end_unknown.saturating_add(sums.taken.end_unknown),
    }
}

/// Sums of messages as they are told.
pub(crate) const fn messages_total(sums: &VoiceSums, recipients: u64) -> MessagesTotal {
    MessagesTotal {
        sent: sums.sent.messages,
        sent_parts: sums.sent.parts,
        sent_roaming_parts: sums.sent_roaming.parts,
        recipients,
        received: sums.received.messages,
        received_parts: sums.received.parts,
        failed: sums.failed.messages,
        unknown: sums.unknown.messages,
    }
}

/// What a page has room for.
#[derive(Debug, Clone, Copy)]
struct Room {
    rows: usize,
    /// Entries that may still be looked at.
    looks: usize,
}

impl Room {
    const fn is_full(self) -> bool {
        self.rows == 0 || self.looks == 0
    }
}

/// Where a page begins in the entries of a SIM, and what there is room for.
type Part = Option<(Timestamp, Room)>;

/// A SIM's part of a page, and where the rest of the SIM begins.
struct Found<T> {
    rows: Vec<T>,
    next: Option<Timestamp>,
    looked_at: usize,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), next: None, looked_at: 0 }
    }
}

/// Entries of one SIM, span by span; a span's rows are never torn apart.
struct Spans<'a, K, S> {
    asked: &'a Asked,
    room: Room,
    spans: BTreeMap<Timestamp, (Timestamp, BTreeMap<K, S>)>,
    rows: usize,
    looked_at: usize,
    next: Option<Timestamp>,
}

impl<'a, K: Ord, S: Default> Spans<'a, K, S> {
    const fn new(asked: &'a Asked, room: Room) -> Self {
        Self { asked, room, spans: BTreeMap::new(), rows: 0, looked_at: 0, next: None }
    }

    /// The part that was asked for of the span that an instant lies in.
    fn span(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let (start, end) = self.asked.by.span(at);
        (start.max(self.asked.from), end.min(self.asked.until))
    }

    const fn is_full(&self) -> bool {
        self.rows >= self.room.rows || self.looked_at >= self.room.looks
    }

    /// Takes an entry in; false where the page is full before it. Entries come in the order of their time.
    fn take(&mut self, at: Timestamp, key: K, add: impl FnOnce(&mut S)) -> bool {
        let (start, end) = self.span(at);
        if self.is_full() && !self.spans.contains_key(&start) {
            self.next = Some(start);
            return false;
        }
        self.looked_at = self.looked_at.saturating_add(1);
        self.add((start, end), key, add);
        true
    }

    /// Takes an entry of any time in, whatever room there is, unless its span is of a later page.
    fn put(&mut self, at: Timestamp, key: K, add: impl FnOnce(&mut S)) {
        let (start, end) = self.span(at);
        if self.next.is_none_or(|next| start < next) {
            self.add((start, end), key, add);
        }
    }

    fn add(&mut self, (start, end): (Timestamp, Timestamp), key: K, add: impl FnOnce(&mut S)) {
        let (_, sums) = self.spans.entry(start).or_insert_with(|| (end, BTreeMap::new()));
        let before = sums.len();
        add(sums.entry(key).or_default());
        self.rows = self.rows.saturating_add(sums.len().saturating_sub(before));
    }

    /// Takes whole spans in: where there is an entry next, and what a span comes to with how many were looked at.
    fn whole(
        &mut self,
        from: Timestamp,
        first: impl Fn(Timestamp) -> Result<Option<Timestamp>, QueryError>,
        sums_of: impl Fn(Timestamp, Timestamp, &mut BTreeMap<K, S>) -> Result<usize, QueryError>,
    ) -> Result<(), QueryError> {
        let mut from = from;
        while from < self.asked.until {
            let Some(at) = first(from)? else { break };
            let (start, end) = self.span(at);
            if self.is_full() {
                self.next = Some(start);
                break;
            }
            let mut sums = BTreeMap::new();
            let looked_at = sums_of(start, end, &mut sums)?;
            self.looked_at = self.looked_at.saturating_add(looked_at).saturating_add(LOOKS_A_SPAN);
            self.rows = self.rows.saturating_add(sums.len());
            self.spans.insert(start, (end, sums));
            from = end;
        }
        Ok(())
    }

    fn rows<T>(self, row: impl Fn(String, String, K, S) -> T) -> Found<T> {
        let zone = &self.asked.zone;
        let rows = self.spans.into_iter().flat_map(|(start, (end, sums))| {
            sums.into_iter()
                .map(|(key, sum)| row(zone.rfc3339(start), zone.rfc3339(end), key, sum))
                .collect::<Vec<T>>()
        });
        Found { rows: rows.collect(), next: self.next, looked_at: self.looked_at }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
