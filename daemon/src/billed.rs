//! As billed, from the ledger: for the core's sums, for the spans of a question, and for an instant gone by.

mod place;
mod walk;

use simbell_api::{BilledPage, GetUsageParams};
use simbell_core::billing::{Tariff, Units};
use simbell_core::cycle::cycle_at;
use simbell_core::ident::Iccid;
use simbell_core::ledger::{EpochId, When};
use simbell_core::observation::Spent;
use simbell_core::plan::Plan;
use simbell_core::state::State;
use simbell_core::time::{Span, Stamp, Timestamp};
use simbell_core::zone::ZoneRules;
use simbell_store::{QueryError, SessionSlot, Store};

use crate::control::Answer;
use crate::usage::{self, Ledger};
use place::Place;
use walk::Walk;

/// A page ends where so many slots were looked at, in the midst of a cycle too: it is answered soon, whatever it spans.
const SLOTS_LOOKED_AT: usize = 1_500;

/// Where a bucket with no end is looked at: after all that a ledger holds.
const FAR: Timestamp = Timestamp::from_secs(7_258_118_400);

/// What a SIM carried in a half-open span, by what its plan rounds; nothing where sums by zone say it all.
///
/// # Errors
/// When the ledger cannot be read, or a sum does not fit.
pub fn units(
    state: &State,
    store: &Store,
    iccid: &Iccid,
    from: Timestamp,
    until: Option<Timestamp>,
) -> Result<Units, QueryError> {
    match state.tariff(iccid).filter(|tariff| tariff.plan.bills_by_unit()) {
        Some(tariff) => all_units(&tariff, store, iccid, from, until),
        None => Ok(Units::default()),
    }
}

fn all_units(
    tariff: &Tariff<'_>,
    store: &Store,
    iccid: &Iccid,
    from: Timestamp,
    until: Option<Timestamp>,
) -> Result<Units, QueryError> {
    let mut units = Units::default();
    let mut fits = true;
    store.session_slots(iccid, from, until, |slot| {
        fits = add(tariff, &mut units, &slot);
        fits
    })?;
    if fits { Ok(units) } else { Err(overflow()) }
}

fn add(tariff: &Tariff<'_>, units: &mut Units, slot: &SessionSlot) -> bool {
    units.add(tariff, slot.session, &slot.zone, &When::Hour(slot.start), slot.volume)
}

fn overflow() -> QueryError {
    QueryError::Overflow { what: "billed usage" }
}

/// What the cycle that `at` lies in came to by then: whole slots by their starts. None where it lies in no cycle.
///
/// # Errors
/// When the ledger cannot be read, or a sum does not fit.
pub fn spent(
    tariff: &Tariff<'_>,
    store: &Store,
    iccid: &Iccid,
    at: Timestamp,
) -> Result<Option<Spent>, QueryError> {
    let Some(cycle) = cycle_at(&tariff.plan.period, tariff.zone.date(at)) else { return Ok(None) };
    let (cycle_start, _) = cycle.bounds(tariff.zone);
    let billed = all_units(tariff, store, iccid, cycle_start, Some(at))?.billed(tariff.plan.counts);
    let until = at.saturating_add(Span(1));
    let corrections = store.corrections_between(iccid, cycle_start, until)?;
    let corrections = corrections
        .iter()
        .try_fold(0_i64, |sum, (_, bytes)| sum.checked_add(*bytes))
        .ok_or(QueryError::Overflow { what: "corrections" })?;
    Ok(Some(Spent { cycle_start, billed, corrections }))
}

/// What the whole cycle that `at` lies in came to, as a SIM's plan bills it; without a plan as measured in the month. An
/// imported epoch can be left out. None where it lies in no cycle.
///
/// # Errors
/// When the ledger cannot be read, or a sum does not fit.
pub fn spent_by_end(
    state: &State,
    store: &Store,
    iccid: &Iccid,
    at: Timestamp,
    without: Option<EpochId>,
) -> Result<Option<Spent>, QueryError> {
    let zone = state.zone_of(iccid);
    let Some(cycle) = cycle_at(&state.period_of(iccid), zone.date(at)) else { return Ok(None) };
    let (cycle_start, end) = cycle.bounds(zone);
    let tariff = state.tariff(iccid);
    let (mut units, mut measured, mut fits) = (Units::default(), Some(0_u64), true);
    store.session_slots(iccid, cycle_start, end, |slot| {
        if without == Some(slot.session) {
            return true;
        }
        measured = measured.zip(slot.volume.both()).and_then(|(sum, more)| sum.checked_add(more));
        fits = measured.is_some() && tariff.as_ref().is_none_or(|tariff| add(tariff, &mut units, &slot));
        fits
    })?;
    let billed = measured.filter(|_| fits).ok_or_else(overflow)?;
    let billed = tariff.map_or(billed, |tariff| units.billed(tariff.plan.counts));
    let corrections = corrections(store, iccid, cycle_start, end)?;
    let corrections = corrections.iter().try_fold(0_i64, |sum, (_, bytes)| sum.checked_add(*bytes));
    let corrections = corrections.ok_or(QueryError::Overflow { what: "corrections" })?;
    Ok(Some(Spent { cycle_start, billed, corrections }))
}

/// The corrections of a cycle, in order of time.
///
/// # Errors
/// When the ledger cannot be read.
pub fn corrections(
    store: &Store,
    iccid: &Iccid,
    from: Timestamp,
    end: Option<Timestamp>,
) -> Result<Vec<(Timestamp, i64)>, QueryError> {
    store.corrections_between(iccid, from, end.unwrap_or(FAR))
}

/// A page of days or cycles of the SIMs that have a plan: all that the state has to say to it.
#[derive(Debug, Clone)]
pub struct Question {
    sims: Vec<Asked>,
    by_cycle: bool,
    limit: usize,
    after: Option<(Iccid, Place)>,
}

/// One SIM's part of a question.
#[derive(Debug, Clone)]
struct Asked {
    iccid: Iccid,
    plan: Plan,
    zone: ZoneRules,
    from: Timestamp,
    until: Timestamp,
}

impl Question {
    /// Understands a question.
    ///
    /// # Errors
    /// When a parameter makes no sense, or no such SIM is known.
    pub fn of(state: &State, at: Stamp, asked: &GetUsageParams) -> Answer<Self> {
        let by_cycle = match asked.by.as_str() {
            "day" => false,
            "cycle" => true,
            _ => return Err(usage::invalid("by", "as billed is shown by day or cycle", "give day or cycle")),
        };
        let limit = asked.limit.map_or(64, |limit| usize::try_from(limit).unwrap_or(64)).max(1);
        let after = asked.after.as_deref().map(place::read).transpose()?;
        let mut sims = Vec::new();
        for iccid in usage::sims_of(state, asked.sim.as_deref())? {
            let Some(tariff) = state.tariff(&iccid) else { continue };
            let until = match &asked.to {
                Some(text) => usage::whole_to(usage::instant(text, tariff.zone, "to")?, tariff.zone),
                None => at.wall.saturating_add(Span(1)),
            };
            let from = match &asked.from {
                Some(text) => usage::whole_from(usage::instant(text, tariff.zone, "from")?, tariff.zone),
                None => beginning(&tariff, at.wall, until, by_cycle),
            };
            let (plan, zone) = (tariff.plan.clone(), tariff.zone.clone());
            sims.push(Asked { iccid, plan, zone, from, until });
        }
        Ok(Self { sims, by_cycle, limit, after })
    }

    /// The page.
    ///
    /// # Errors
    /// When the ledger cannot be read, or a sum does not fit.
    pub fn page(&self, ledger: &Ledger<'_>) -> Result<BilledPage, QueryError> {
        let mut page = BilledPage { spans: Vec::new(), next: None };
        let mut slots = SLOTS_LOOKED_AT;
        for asked in &self.sims {
            let iccid = &asked.iccid;
            let tariff = Tariff { plan: &asked.plan, zone: &asked.zone };
            let place = match &self.after {
                Some((done, _)) if iccid < done => continue,
                Some((current, place)) if iccid == current => place.clone(),
                _ => Walk::beginning(tariff, asked.from),
            };
            if place.at >= asked.until || asked.from >= asked.until {
                continue;
            }
            let room = self.limit.saturating_sub(page.spans.len());
            if room == 0 || slots == 0 {
                page.next = Some(place.to_text(iccid));
                break;
            }
            let walk = Walk::new(tariff, self.by_cycle, (asked.from, asked.until), place);
            let (spans, next) = walk.page(ledger, iccid, room, &mut slots)?;
            page.spans.extend(spans.into_iter().map(|span| span.reply(iccid, &tariff)));
            if let Some(next) = next {
                page.next = Some(next.to_text(iccid));
                break;
            }
        }
        Ok(page)
    }
}

/// Where a question without `from` begins: with the cycle, or so many of them.
fn beginning(tariff: &Tariff<'_>, now: Timestamp, until: Timestamp, by_cycle: bool) -> Timestamp {
    let cycle_start = |at: Timestamp| {
        let cycle = cycle_at(&tariff.plan.period, tariff.zone.date(at))?;
        Some(tariff.zone.day_start(cycle.start))
    };
    if !by_cycle {
        return cycle_start(now).unwrap_or_else(|| tariff.zone.day_start(tariff.zone.date(now)));
    }
    let newest = cycle_start(until.saturating_add(Span(-1)));
    let starts = std::iter::successors(newest, |start| cycle_start(start.saturating_add(Span(-1))));
    starts.take(usage::CYCLES_SHOWN).last().unwrap_or(until)
}

#[cfg(test)]
mod tests;
