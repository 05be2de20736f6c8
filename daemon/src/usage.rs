//! Answers to questions about usage: which SIMs, which span, which page.

use chrono::{DateTime, NaiveDate};
use simbell_api::{ControlError, GetUsageParams, UsagePage, UsageRow, UsageTotal};
use simbell_core::cycle::cycle_at;
use simbell_core::ident::Iccid;
use simbell_core::ledger::{EpochId, Source, Volume, Zone};
use simbell_core::state::State;
use simbell_core::time::{Span, Stamp, Timestamp};
use simbell_core::voice::{CallGroups, CallRecord, SmsGroups, SmsRecord};
use simbell_core::zone::ZoneRules;
use simbell_store::{
    Columns, Entry, ErrorKind, ExplainQuery, Mark, QueryError, Reader, SessionSlot, Store, Sums, UsageBy,
    UsageQuery,
};

use crate::control::Answer;
use crate::convert;

const HOUR: Span = Span::secs(3_600);

/// Without `from`, so many cycles are shown by cycle.
pub(crate) const CYCLES_SHOWN: usize = 12;

/// The ledger as it is read: beside its writer, or through it where the file system does not let two have it.
#[derive(Debug)]
pub enum Ledger<'a> {
    /// Beside the writer.
    Beside(&'a Reader),
    /// Through the writer.
    Through(&'a Store),
}

macro_rules! either {
    ($self:ident, $ledger:ident => $call:expr) => {
        match $self {
            Ledger::Beside($ledger) => $call,
            Ledger::Through($ledger) => $call,
        }
    };
}

impl Ledger<'_> {
    pub(crate) fn sums(&self, span: &Asked) -> Result<Sums, QueryError> {
        self.span_sums(&span.iccid, span.from, span.until)
    }

    pub(crate) fn span_sums(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Sums, QueryError> {
        either!(self, ledger => ledger.sums(iccid, from, until))
    }

    pub(crate) fn explain(&self, query: &ExplainQuery) -> Result<simbell_store::ExplainPage, QueryError> {
        either!(self, ledger => ledger.explain(query))
    }

    pub(crate) fn usage(&self, query: &UsageQuery) -> Result<simbell_store::UsagePage, QueryError> {
        either!(self, ledger => ledger.usage(query))
    }

    pub(crate) fn columns(&self, query: &UsageQuery) -> Result<(Columns, Option<Timestamp>), QueryError> {
        either!(self, ledger => ledger.columns(query))
    }

    pub(crate) fn marks(
        &self,
        iccid: Option<&Iccid>,
        (from, until): (Timestamp, Timestamp),
        after: (i64, i64),
        most: u32,
    ) -> Result<Vec<(i64, Mark)>, QueryError> {
        either!(self, ledger => ledger.marks(iccid, from, until, after, most))
    }

    pub(crate) fn calls(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Timestamp,
        each: impl FnMut(CallRecord) -> bool,
    ) -> Result<(), QueryError> {
        either!(self, ledger => ledger.calls(iccid, from, Some(until), each))
    }

    pub(crate) fn messages(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Timestamp,
        each: impl FnMut(SmsRecord) -> bool,
    ) -> Result<(), QueryError> {
        either!(self, ledger => ledger.messages(iccid, from, Some(until), each))
    }

    pub(crate) fn call_groups(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<(CallGroups, usize), QueryError> {
        either!(self, ledger => ledger.call_groups(iccid, from, Some(until)))
    }

    pub(crate) fn message_groups(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<(SmsGroups, usize), QueryError> {
        either!(self, ledger => ledger.message_groups(iccid, from, Some(until)))
    }

    pub(crate) fn first_call(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, QueryError> {
        either!(self, ledger => ledger.first_call(iccid, from, until))
    }

    pub(crate) fn first_message(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, QueryError> {
        either!(self, ledger => ledger.first_message(iccid, from, until))
    }

    pub(crate) fn session_slots(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Option<Timestamp>,
        each: impl FnMut(SessionSlot) -> bool,
    ) -> Result<(), QueryError> {
        either!(self, ledger => ledger.session_slots(iccid, from, until, each))
    }

    pub(crate) fn slots_of_session(
        &self,
        iccid: &Iccid,
        session: EpochId,
        span: (Timestamp, Timestamp),
        each: impl FnMut(SessionSlot) -> bool,
    ) -> Result<(), QueryError> {
        either!(self, ledger => ledger.slots_of_session(iccid, session, span, each))
    }

    pub(crate) fn session_began(&self, session: EpochId) -> Result<Option<Timestamp>, QueryError> {
        either!(self, ledger => ledger.session_began(session))
    }

    pub(crate) fn first_slot(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, QueryError> {
        either!(self, ledger => ledger.first_slot(iccid, from, until))
    }

    pub(crate) fn volumes(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Zone, Source, Volume)>, QueryError> {
        either!(self, ledger => ledger.volumes(iccid, from, until))
    }

    pub(crate) fn corrections_between(
        &self,
        iccid: &Iccid,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Timestamp, i64)>, QueryError> {
        either!(self, ledger => ledger.corrections_between(iccid, from, until))
    }

    pub(crate) fn generation(&self) -> Result<i64, QueryError> {
        either!(self, ledger => ledger.generation())
    }
}

/// One SIM's part of a question.
#[derive(Debug, Clone)]
pub struct Asked {
    pub(crate) iccid: Iccid,
    pub(crate) name: String,
    pub(crate) zone: ZoneRules,
    pub(crate) by: UsageBy,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

/// A page that is asked for: all that the state has to say to it.
#[derive(Debug, Clone)]
pub struct Question {
    spans: Vec<Asked>,
    after: Option<(Iccid, i64)>,
    limit: usize,
}

impl Question {
    /// Understands a question.
    ///
    /// # Errors
    /// When a parameter makes no sense, or no such SIM is known.
    pub fn of(state: &State, at: Stamp, asked: &GetUsageParams) -> Answer<Self> {
        let limit = asked.limit.map_or(100, |limit| usize::try_from(limit).unwrap_or(100)).max(1);
        let after = asked.after.as_deref().map(cursor).transpose()?;
        let spans = sims_of(state, asked.sim.as_deref())?;
        let spans = spans
            .iter()
            .map(|iccid| Asked::by_hours(state, iccid, at, asked, false))
            .collect::<Answer<_>>()?;
        Ok(Self { spans, after, limit })
    }

    /// The page.
    ///
    /// # Errors
    /// When the ledger cannot be read, or a sum does not fit.
    pub fn page(&self, ledger: &Ledger<'_>) -> Result<UsagePage, QueryError> {
        let mut page = UsagePage { rows: Vec::new(), total: UsageTotal::default(), next: None };
        for asked in &self.spans {
            add_sums(&mut page.total, &ledger.sums(asked)?)?;
            let iccid = &asked.iccid;
            let from = match &self.after {
                Some((done, _)) if iccid < done => continue,
                Some((current, millis)) if iccid == current => Timestamp::from_millis(*millis),
                _ => asked.from,
            };
            if page.next.is_some() || from >= asked.until {
                continue;
            }
            let room = self.limit.saturating_sub(page.rows.len());
            if room == 0 {
                page.next = Some(format!("{iccid}:{}", from.as_millis()));
                continue;
            }
            let query = UsageQuery {
                iccid: iccid.clone(),
                by: asked.by.clone(),
                from,
                until: asked.until,
                limit: room,
            };
            let found = ledger.usage(&query)?;
            page.rows.extend(found.rows.into_iter().map(|row| row_reply(iccid, &asked.zone, &row)));
            page.next = found.next.map(|next| format!("{iccid}:{}", next.as_millis()));
        }
        Ok(page)
    }
}

pub(crate) fn add_sums(total: &mut UsageTotal, sums: &Sums) -> Result<(), QueryError> {
    let too_large = || QueryError::Overflow { what: "usage" };
    total.rx_bytes = total.rx_bytes.checked_add(sums.volume.rx).ok_or_else(too_large)?;
    total.tx_bytes = total.tx_bytes.checked_add(sums.volume.tx).ok_or_else(too_large)?;
    total.correction_bytes = total.correction_bytes.checked_add(sums.corrections).ok_or_else(too_large)?;
    Ok(())
}

/// The SIM that is named, or every SIM.
pub(crate) fn sims_of(state: &State, name: Option<&str>) -> Answer<Vec<Iccid>> {
    Ok(match name {
        Some(name) => vec![convert::sim_named(state, Some(name))?],
        None => state.sims().map(|s| s.record.iccid.clone()).collect(),
    })
}

impl Asked {
    /// Of what is kept by the hour; `ever`: without `from` everything there is, rather than the current cycle.
    pub(crate) fn by_hours(
        state: &State,
        iccid: &Iccid,
        at: Stamp,
        question: &GetUsageParams,
        ever: bool,
    ) -> Answer<Self> {
        Self::read(state, iccid, at, question, (whole_from, whole_to), ever)
    }

    /// Of what is kept by the instant.
    pub(crate) fn of(state: &State, iccid: &Iccid, at: Stamp, question: &GetUsageParams) -> Answer<Self> {
        Self::read(state, iccid, at, question, (|at, _| at, |at, _| at), false)
    }

    fn read(
        state: &State,
        iccid: &Iccid,
        at: Stamp,
        question: &GetUsageParams,
        (widened_from, widened_to): (Widen, Widen),
        ever: bool,
    ) -> Answer<Self> {
        let zone = state.zone_of(iccid);
        let cycle = state.sims().find(|s| s.record.iccid == *iccid).and_then(|s| s.bounds);
        let until = match &question.to {
            Some(text) => widened_to(instant(text, zone, "to")?, zone),
            // What is being used at this very moment is asked for too.
            None => at.wall.saturating_add(Span(1)),
        };
        let from = question.from.as_deref().map(|text| instant(text, zone, "from")).transpose()?;
        let from = from.map(|from| widened_from(from, zone));
        let from = from.or_else(|| ever.then(|| Timestamp::from_millis(0).min(until)));
        if from.is_some_and(|from| from > until) {
            return Err(match question.to {
                Some(_) => invalid("from", "from is after to", "give the earlier one as --from"),
                None => invalid("from", "from is in the future", "give an earlier --from"),
            });
        }
        let cycle_start = cycle.map_or_else(|| zone.day_start(zone.date(at.wall)), |(start, _)| start);
        let (by, from) = match question.by.as_str() {
            "hour" => (UsageBy::hours_of(zone), from.unwrap_or(cycle_start)),
            "day" => (UsageBy::Day(zone.clone()), from.unwrap_or(cycle_start)),
            "cycle" => {
                let starts = cycle_starts(state, iccid, zone, from, until);
                let first = from.or_else(|| starts.first().copied()).unwrap_or(cycle_start);
                (UsageBy::Bounds(starts), first)
            }
            _ => {
                return Err(invalid(
                    "by",
                    "usage is shown by hour, day or cycle",
                    "give --by hour, day or cycle",
                ));
            }
        };
        let (iccid, name) = (iccid.clone(), state.sim_name(iccid));
        Ok(Self { iccid, name, zone: zone.clone(), by, from: from.min(until), until })
    }
}

/// Starts of the cycles that touch the span, ascending; without `from`, of the last twelve.
fn cycle_starts(
    state: &State,
    iccid: &Iccid,
    zone: &ZoneRules,
    from: Option<Timestamp>,
    until: Timestamp,
) -> Vec<Timestamp> {
    let period = state.period_of(iccid);
    let mut starts = Vec::new();
    let mut date = zone.date(until.saturating_add(Span(-1)));
    let most = if from.is_some() { 1200 } else { CYCLES_SHOWN };
    while starts.len() < most {
        let Some(cycle) = cycle_at(&period, date) else { break };
        let start = zone.day_start(cycle.start);
        starts.push(start);
        let done = from.is_some_and(|from| start <= from);
        match cycle.start.pred_opt() {
            Some(before) if !done => date = before,
            _ => break,
        }
    }
    starts.reverse();
    starts
}

/// An instant of a question, as it is taken where the zone's days are these.
type Widen = fn(Timestamp, &ZoneRules) -> Timestamp;

/// Usage is kept by the hour, so one that a span begins in belongs to it as a whole; a day may begin within one.
pub(crate) fn whole_from(at: Timestamp, zone: &ZoneRules) -> Timestamp {
    at.hour_start().max(zone.day_start(zone.date(at)).min(at))
}

/// As [`whole_from`], of the hour that a span ends in.
pub(crate) fn whole_to(at: Timestamp, zone: &ZoneRules) -> Timestamp {
    if whole_from(at, zone) == at {
        return at;
    }
    let end = at.hour_start().saturating_add(HOUR);
    let tomorrow = zone.date(at).succ_opt().map(|next| zone.day_start(next));
    tomorrow.filter(|tomorrow| *tomorrow > at).map_or(end, |tomorrow| end.min(tomorrow))
}

pub(crate) fn instant(text: &str, zone: &ZoneRules, argument: &str) -> Answer<Timestamp> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(zone.day_start(date));
    }
    DateTime::parse_from_rfc3339(text).map(|at| Timestamp::from_millis(at.timestamp_millis())).map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        invalid(
            argument,
            &format!("{argument} is {shown:?}, which is neither a date nor an instant"),
            "write 2026-11-01, or 2026-11-01T07:00:00+01:00",
        )
    })
}

pub(crate) fn cursor(text: &str) -> Answer<(Iccid, i64)> {
    text.split_once(':')
        .and_then(|(iccid, millis)| Some((Iccid::new(iccid).ok()?, millis.parse().ok()?)))
        .ok_or_else(|| {
            invalid("after", "this is no place to go on from", "pass on the `next` of the page before")
        })
}

fn row_reply(iccid: &Iccid, zone: &ZoneRules, row: &simbell_store::UsageRow) -> UsageRow {
    let blank = UsageRow {
        iccid: Some(iccid.as_str().to_owned()),
        start: Some(zone.rfc3339(row.start)),
        end: Some(zone.rfc3339(row.end)),
        zone: "unknown".to_owned(),
        rx_bytes: 0,
        tx_bytes: 0,
        source: None,
        correction_bytes: None,
        gap: None,
    };
    match &row.entry {
        Entry::Usage { zone, source, volume } => UsageRow {
            zone: zone.to_text(),
            rx_bytes: volume.rx,
            tx_bytes: volume.tx,
            source: Some(source.as_str().to_owned()),
            ..blank
        },
        Entry::Correction { bytes } => {
            UsageRow { source: Some("user".to_owned()), correction_bytes: Some(*bytes), ..blank }
        }
        Entry::Gap { reason } => UsageRow { gap: Some(reason.as_str().to_owned()), ..blank },
    }
}

pub(crate) fn invalid(argument: &str, message: &str, hint: &str) -> ControlError {
    ControlError::InvalidArgument {
        argument: argument.to_owned(),
        message: message.to_owned(),
        hint: hint.to_owned(),
    }
}

pub(crate) fn unreadable(error: &QueryError) -> ControlError {
    if error.kind() != ErrorKind::Damaged {
        return convert::internal(&error.to_string());
    }
    ControlError::Busy {
        message: error.to_string(),
        hint: "the service looks into it, and goes on from the last good copy where it has to: try again in some seconds, \
               and see `simbellctl status`"
            .to_owned(),
    }
}

pub(crate) fn too_large() -> ControlError {
    convert::internal("a sum of usage does not fit into 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_widened_to_whole_hours_and_never_over_the_edge_of_a_day() {
        let utc = |text: &str| {
            Timestamp::from_millis(text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis())
        };
        let kolkata =
            ZoneRules { name: "Asia/Kolkata".to_owned(), first_offset_s: 19_800, transitions: Vec::new() };
        for (zone, at, from, to) in [
            (&ZoneRules::utc(), "2026-11-29T02:00:00Z", "2026-11-29T02:00:00Z", "2026-11-29T02:00:00Z"),
            (&ZoneRules::utc(), "2026-11-29T02:50:00Z", "2026-11-29T02:00:00Z", "2026-11-29T03:00:00Z"),
            (&ZoneRules::utc(), "2026-11-29T23:59:59.999Z", "2026-11-29T23:00:00Z", "2026-11-30T00:00:00Z"),
            (&kolkata, "2026-11-29T02:50:00Z", "2026-11-29T02:00:00Z", "2026-11-29T03:00:00Z"),
            // Midnight there, which slots do not span.
            (&kolkata, "2026-11-29T18:30:00Z", "2026-11-29T18:30:00Z", "2026-11-29T18:30:00Z"),
            (&kolkata, "2026-11-29T18:10:00Z", "2026-11-29T18:00:00Z", "2026-11-29T18:30:00Z"),
            (&kolkata, "2026-11-29T18:40:00Z", "2026-11-29T18:30:00Z", "2026-11-29T19:00:00Z"),
        ] {
            assert_eq!(whole_from(utc(at), zone), utc(from), "from {at} in {}", zone.name);
            assert_eq!(whole_to(utc(at), zone), utc(to), "to {at} in {}", zone.name);
        }
    }
}
