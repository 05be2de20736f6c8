//! Answers to questions about usage: which SIMs, which span, which page.

use chrono::{DateTime, NaiveDate};
use simbell_api::{ControlError, GetUsageParams, UsagePage, UsageRow, UsageTotal};
use simbell_core::cycle::cycle_at;
use simbell_core::effect::TotalsQuery;
use simbell_core::ident::Iccid;
use simbell_core::state::State;
use simbell_core::time::{Span, Stamp, Timestamp};
use simbell_core::zone::ZoneRules;
use simbell_store::{Entry, Store, UsageBy, UsageQuery};

use crate::control::Answer;
use crate::convert;

/// Without `from`, so many cycles are shown by cycle.
const CYCLES_SHOWN: usize = 12;

/// One page of what was asked.
///
/// # Errors
/// When a parameter makes no sense, no such SIM is known, or the ledger cannot be read.
pub fn page(state: &State, store: &Store, at: Stamp, question: &GetUsageParams) -> Answer<UsagePage> {
    let sims: Vec<Iccid> = match question.sim.as_deref() {
        Some(name) => vec![convert::sim_named(state, Some(name))?],
        None => state.sims().map(|s| s.record.iccid.clone()).collect(),
    };
    let limit = question.limit.map_or(100, |limit| usize::try_from(limit).unwrap_or(100)).max(1);
    let cursor = question.after.as_deref().map(cursor).transpose()?;
    let mut page = UsagePage { rows: Vec::new(), total: UsageTotal::default(), next: None };
    let mut rx: u64 = 0;
    let mut tx: u64 = 0;
    let mut corrections: i64 = 0;
    for iccid in &sims {
        let asked = Asked::of(state, iccid, at, question)?;
        let query = TotalsQuery { iccid: iccid.clone(), from: asked.from, until: Some(asked.until) };
        let sums = store.totals(&query).map_err(|e| unreadable(&e))?;
        for (_, volume) in &sums.by_zone {
            rx = rx.checked_add(volume.rx).ok_or_else(too_large)?;
            tx = tx.checked_add(volume.tx).ok_or_else(too_large)?;
        }
        corrections = corrections.checked_add(sums.corrections).ok_or_else(too_large)?;
        let from = match &cursor {
            Some((done, _)) if iccid < done => continue,
            Some((current, millis)) if iccid == current => Timestamp::from_millis(*millis),
            _ => asked.from,
        };
        if page.next.is_some() || from >= asked.until {
            continue;
        }
        let room = limit.saturating_sub(page.rows.len());
        if room == 0 {
            page.next = Some(format!("{iccid}:{}", from.as_millis()));
            continue;
        }
        let query = UsageQuery { iccid: iccid.clone(), by: asked.by, from, until: asked.until, limit: room };
        let found = store.usage(&query).map_err(|e| unreadable(&e))?;
        let zone = state.zone_of(iccid);
        page.rows.extend(found.rows.into_iter().map(|row| row_reply(iccid, zone, &row)));
        page.next = found.next.map(|next| format!("{iccid}:{}", next.as_millis()));
    }
    page.total = UsageTotal { rx_bytes: rx, tx_bytes: tx, correction_bytes: corrections };
    Ok(page)
}

struct Asked {
    by: UsageBy,
    from: Timestamp,
    until: Timestamp,
}

impl Asked {
    fn of(state: &State, iccid: &Iccid, at: Stamp, question: &GetUsageParams) -> Answer<Self> {
        let zone = state.zone_of(iccid);
        let cycle = state.sims().find(|s| s.record.iccid == *iccid).and_then(|s| s.bounds);
        let until = match &question.to {
            Some(text) => instant(text, zone, "to")?,
            // What is being used at this very moment is asked for too.
            None => at.wall.saturating_add(Span(1)),
        };
        let from = question.from.as_deref().map(|text| instant(text, zone, "from")).transpose()?;
        if from.is_some_and(|from| from > until) {
            return Err(match question.to {
                Some(_) => invalid("from", "from is after to", "give the earlier one as --from"),
                None => invalid("from", "from is in the future", "give an earlier --from"),
            });
        }
        let cycle_start = cycle.map_or_else(|| zone.day_start(zone.date(at.wall)), |(start, _)| start);
        let (by, from) = match question.by.as_str() {
            "hour" => (UsageBy::Hour, from.unwrap_or(cycle_start)),
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
        Ok(Self { by, from: from.min(until), until })
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

fn cursor(text: &str) -> Answer<(Iccid, i64)> {
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

pub(crate) fn unreadable(error: &impl std::fmt::Display) -> ControlError {
    convert::internal(&format!("the ledger cannot be read: {error}"))
}

pub(crate) fn too_large() -> ControlError {
    convert::internal("a sum of usage does not fit into 64 bits")
}
