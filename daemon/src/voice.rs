//! Answers to questions about calls and short messages: which SIMs, which span, which page.

use std::collections::{BTreeMap, BTreeSet};

use simbell_api::{
    CallsPage, CallsRow, CallsTotal, GetUsageParams, MessagesPage, MessagesRow, MessagesTotal,
};
use simbell_core::effect::TotalsQuery;
use simbell_core::ident::Iccid;
use simbell_core::ledger::Zone;
use simbell_core::number::NumberClass;
use simbell_core::state::State;
use simbell_core::time::{Stamp, Timestamp};
use simbell_core::voice::{CallRecord, CallSums, SmsDirection, SmsRecord, SmsSums, VoiceCounts, VoiceSums};
use simbell_store::QueryError;

use crate::control::Answer;
use crate::usage::{Asked, Ledger, cursor, sims_of};

/// A page ends with the span in which so many entries were looked at: it is answered soon.
const ENTRIES_LOOKED_AT: usize = 1_500;

/// Entries of one kind in one span: calls by way, kind of number and zone.
type CallKey = (bool, NumberClass, Zone);

/// A page that is asked for: all that the state has to say to it.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Each SIM's part, and its calls under way.
    sims: Vec<(Asked, Vec<CallRecord>)>,
    after: Option<(Iccid, i64)>,
    limit: usize,
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
            let asked = Asked::of(state, &iccid, at, question, false)?;
            Ok((asked, state.calls_under_way(&iccid, at)))
        });
        Ok(Self { sims: sims.collect::<Answer<_>>()?, after, limit })
    }

    /// One page of calls.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn calls(&self, ledger: &Ledger<'_>) -> Result<CallsPage, QueryError> {
        let mut sums = VoiceSums::default();
        let (rows, next) = self.pages(|asked, under_way, part| {
            let inside = |call: &CallRecord, from| {
                call.began.is_some_and(|began| began >= from && began < asked.until)
            };
            let counts = counts(ledger, asked)?;
            add(&mut sums, &counts.sums);
            under_way.iter().filter(|call| inside(call, asked.from)).for_each(|call| sums.add_call(call));
            let Some((from, room)) = part else { return Ok((Vec::new(), None)) };

            let mut spans: Spans<CallKey, (CallSums, u64)> = Spans::new(asked, room);
            let key = |call: &CallRecord| (call.incoming, call.class, call.zone.clone());
            ledger.calls(&asked.iccid, from, asked.until, |call| {
                let Some(began) = call.began else { return true };
                spans.take(began, key(&call), |(sum, _)| sum.add(&call))
            })?;
            for call in under_way.iter().filter(|call| inside(call, from)) {
                let Some(began) = call.began else { continue };
                spans.take(began, key(call), |(sum, open)| {
                    sum.add(call);
                    *open = open.saturating_add(1);
                });
            }
            Ok(spans.rows(|start, end, (incoming, class, zone), (sum, open)| CallsRow {
                iccid: asked.iccid.as_str().to_owned(),
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
            let counts = counts(ledger, asked)?;
            add(&mut all.sums, &counts.sums);
            all.recipients.extend(counts.recipients);
            let Some((from, room)) = part else { return Ok((Vec::new(), None)) };

            let mut spans: Spans<(SmsDirection, Zone), (SmsSums, BTreeSet<String>)> = Spans::new(asked, room);
            ledger.messages(&asked.iccid, from, asked.until, |sms| {
                let SmsRecord { at: Some(at), direction, zone, parts, party, .. } = sms else { return true };
                spans.take(at, (direction, zone), |(sum, parties)| {
                    sum.add(parts);
                    parties.extend(party);
                })
            })?;
            Ok(spans.rows(|start, end, (direction, zone), (sum, parties)| MessagesRow {
                iccid: asked.iccid.as_str().to_owned(),
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
        mut sim: impl FnMut(&Asked, &[CallRecord], Part) -> Result<(Vec<T>, Option<Timestamp>), QueryError>,
    ) -> Result<(Vec<T>, Option<String>), QueryError> {
        let (mut rows, mut next) = (Vec::new(), None);
        for (asked, under_way) in &self.sims {
            let iccid = &asked.iccid;
            let from = match &self.after {
                Some((done, _)) if iccid < done => None,
                Some((current, millis)) if iccid == current => Some(Timestamp::from_millis(*millis)),
                _ => Some(asked.from),
            };
            let from = from.filter(|from| next.is_none() && *from < asked.until);
            let room = self.limit.saturating_sub(rows.len());
            if let (Some(from), 0) = (from, room) {
                next = Some(format!("{iccid}:{}", from.as_millis()));
                sim(asked, under_way, None)?;
                continue;
            }
            let (found, rest) = sim(asked, under_way, from.map(|from| (from, room)))?;
            rows.extend(found);
            if let Some(rest) = rest {
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

/// Where a page begins in the entries of a SIM, and for how many rows there is room.
type Part = Option<(Timestamp, usize)>;

/// Entries of one SIM, span by span; a span's rows are never torn apart.
struct Spans<'a, K, S> {
    asked: &'a Asked,
    room: usize,
    spans: BTreeMap<Timestamp, (Timestamp, BTreeMap<K, S>)>,
    rows: usize,
    looked_at: usize,
    next: Option<Timestamp>,
}

impl<'a, K: Ord, S: Default> Spans<'a, K, S> {
    const fn new(asked: &'a Asked, room: usize) -> Self {
        Self { asked, room, spans: BTreeMap::new(), rows: 0, looked_at: 0, next: None }
    }

    /// Takes an entry in; false where the page is full before it.
    fn take(&mut self, at: Timestamp, key: K, add: impl FnOnce(&mut S)) -> bool {
        let (start, end) = self.asked.by.span(at);
        let start = start.max(self.asked.from);
        if self.next.is_some_and(|next| start >= next) {
            return false;
        }
        let full = self.rows >= self.room || self.looked_at >= ENTRIES_LOOKED_AT;
        if full && !self.spans.contains_key(&start) {
            self.next = Some(start);
            return false;
        }
        self.looked_at = self.looked_at.saturating_add(1);
        let (_, sums) =
            self.spans.entry(start).or_insert_with(|| (end.min(self.asked.until), BTreeMap::new()));
        let before = sums.len();
        add(sums.entry(key).or_default());
        self.rows = self.rows.saturating_add(sums.len().saturating_sub(before));
        true
    }

    fn rows<T>(self, row: impl Fn(String, String, K, S) -> T) -> (Vec<T>, Option<Timestamp>) {
        let zone = &self.asked.zone;
        let rows = self.spans.into_iter().flat_map(|(start, (end, sums))| {
            sums.into_iter()
                .map(|(key, sum)| row(zone.rfc3339(start), zone.rfc3339(end), key, sum))
                .collect::<Vec<T>>()
        });
        (rows.collect(), self.next)
    }
}

fn counts(ledger: &Ledger<'_>, asked: &Asked) -> Result<VoiceCounts, QueryError> {
    let query = TotalsQuery { iccid: asked.iccid.clone(), from: asked.from, until: Some(asked.until) };
    ledger.counts(&query)
}

fn add(all: &mut VoiceSums, more: &VoiceSums) {
    let calls = [
        (&mut all.made, &more.made),
        (&mut all.made_free, &more.made_free),
        (&mut all.made_roaming, &more.made_roaming),
        (&mut all.taken, &more.taken),
        (&mut all.taken_roaming, &more.taken_roaming),
    ];
    for (sum, more) in calls {
        sum.answered = sum.answered.saturating_add(more.answered);
        sum.unanswered = sum.unanswered.saturating_add(more.unanswered);
        sum.end_unknown = sum.end_unknown.saturating_add(more.end_unknown);
        sum.seconds = sum.seconds.saturating_add(more.seconds);
        sum.seconds_min = sum.seconds_min.saturating_add(more.seconds_min);
    }
    let messages = [
        (&mut all.sent, &more.sent),
        (&mut all.sent_roaming, &more.sent_roaming),
        (&mut all.received, &more.received),
        (&mut all.failed, &more.failed),
        (&mut all.unknown, &more.unknown),
    ];
    for (sum, more) in messages {
        sum.messages = sum.messages.saturating_add(more.messages);
        sum.parts = sum.parts.saturating_add(more.parts);
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
