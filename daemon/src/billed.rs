//! As billed, from the ledger: for the core's sums, for the spans of a question, and for an instant gone by.

use chrono::Days;
use simbell_api::{BilledPage, BilledSpan, GetUsageParams};
use simbell_core::billing::{Per, Tariff, Units};
use simbell_core::cycle::cycle_at;
use simbell_core::ident::Iccid;
use simbell_core::ledger::When;
use simbell_core::observation::Spent;
use simbell_core::plan::{Counts, Plan};
use simbell_core::state::State;
use simbell_core::time::{Span, Stamp, Timestamp};
use simbell_store::{QueryError, SessionSlot, SlotSpan, Store};

use crate::control::Answer;
use crate::usage;

/// A page ends with the span in which so many slots were looked at: it is answered soon, whatever it spans.
const SLOTS_LOOKED_AT: usize = 6_000;

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

/// One page of days or cycles of the SIMs that have a plan.
///
/// # Errors
/// When a parameter makes no sense, no such SIM is known, or the ledger cannot be read.
pub fn page(state: &State, store: &Store, at: Stamp, question: &GetUsageParams) -> Answer<BilledPage> {
    let by_cycle = match question.by.as_str() {
        "day" => false,
        "cycle" => true,
        _ => return Err(usage::invalid("by", "as billed is shown by day or cycle", "give day or cycle")),
    };
    let sims = usage::sims_of(state, question.sim.as_deref())?;
    let limit = question.limit.map_or(64, |limit| usize::try_from(limit).unwrap_or(64)).max(1);
    let cursor = question.after.as_deref().map(usage::cursor).transpose()?;
    let mut page = BilledPage { spans: Vec::new(), next: None };
    for iccid in &sims {
        let Some(tariff) = state.tariff(iccid) else { continue };
        let until = match &question.to {
            Some(text) => usage::instant(text, tariff.zone, "to")?,
            None => at.wall.saturating_add(Span(1)),
        };
        let from = match &cursor {
            Some((done, _)) if iccid < done => continue,
            Some((current, millis)) if iccid == current => Timestamp::from_millis(*millis),
            _ => match &question.from {
                Some(text) => usage::instant(text, tariff.zone, "from")?,
                None => beginning(&tariff, at.wall, until, by_cycle),
            },
        };
        if from >= until {
            continue;
        }
        if page.spans.len() >= limit {
            page.next = Some(format!("{iccid}:{}", from.as_millis()));
            break;
        }
        let room = limit.saturating_sub(page.spans.len());
        let walk = Walk::new(tariff, by_cycle, from, until);
        let (spans, next) = walk.run(store, iccid, room).map_err(|error| usage::unreadable(&error))?;
        page.spans.extend(spans.into_iter().map(|span| span.reply(iccid, &tariff)));
        if let Some(next) = next {
            page.next = Some(format!("{iccid}:{}", next.as_millis()));
            break;
        }
    }
    Ok(page)
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

/// A span that is being summed up.
struct Sum {
    start: Timestamp,
    end: Timestamp,
    measured: u64,
    billed: Option<u64>,
    corrections: i64,
}

impl Sum {
    fn reply(self, iccid: &Iccid, tariff: &Tariff<'_>) -> BilledSpan {
        BilledSpan {
            iccid: iccid.as_str().to_owned(),
            start: tariff.zone.rfc3339(self.start),
            end: tariff.zone.rfc3339(self.end),
            measured_bytes: self.measured,
            billed_bytes: self.billed,
            correction_bytes: self.corrections,
        }
    }
}

/// Slots in order of time: each raises what its cycle is billed at.
struct Walk<'a> {
    tariff: Tariff<'a>,
    by_cycle: bool,
    from: Timestamp,
    until: Timestamp,
    units: Units,
    /// The cycle that `units` are of.
    cycle: (Timestamp, Timestamp),
    sums: Vec<Sum>,
}

const FAR: Timestamp = Timestamp::from_millis(i64::MAX);

impl<'a> Walk<'a> {
    fn new(tariff: Tariff<'a>, by_cycle: bool, from: Timestamp, until: Timestamp) -> Self {
        let cycle = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MIN));
        Self { tariff, by_cycle, from, until, units: Units::default(), cycle, sums: Vec::new() }
    }

    fn run(
        mut self,
        store: &Store,
        iccid: &Iccid,
        room: usize,
    ) -> Result<(Vec<Sum>, Option<Timestamp>), QueryError> {
        for (at, bytes) in store.corrections_between(iccid, self.from, self.until)? {
            let sum = self.sum_at(at);
            sum.corrections =
                sum.corrections.checked_add(bytes).ok_or(QueryError::Overflow { what: "corrections" })?;
        }
        // What a slot is billed at may depend on what came before it in its cycle.
        let alone = !self.tariff.plan.bills_by_unit() && self.tariff.plan.counts != Counts::Max;
        let begin = if alone { self.from } else { self.cycle_of(self.from).0.min(self.from) };
        let (mut looked_at, mut fits, mut next) = (0_usize, true, None);
        store.session_slots(iccid, begin, Some(self.until), |slot| {
            looked_at = looked_at.saturating_add(1);
            let known = self.sums.iter().any(|sum| sum.start <= slot.start && slot.start < sum.end);
            let begun = self.sums.iter().filter(|sum| sum.start <= slot.start).count();
            if !known && begun > 0 && (begun >= room || looked_at >= SLOTS_LOOKED_AT) {
                next = Some(self.span_of(slot.start).0);
                return false;
            }
            fits = self.take(&slot);
            fits
        })?;
        if !fits {
            return Err(overflow());
        }
        self.sums.sort_by_key(|sum| sum.start);
        if let Some(next) = next {
            self.sums.retain(|sum| sum.start < next);
        }
        if self.sums.len() > room {
            let cut = self.sums.get(room).map(|sum| sum.start);
            self.sums.truncate(room);
            return Ok((self.sums, cut));
        }
        Ok((self.sums, next))
    }

    fn take(&mut self, slot: &SessionSlot) -> bool {
        if slot.start >= self.cycle.1 || slot.start < self.cycle.0 {
            self.cycle = self.cycle_of(slot.start);
            self.units = Units::default();
        }
        let counts = self.tariff.plan.counts;
        let before = self.units.billed(counts);
        if !add(&self.tariff, &mut self.units, slot) {
            return false;
        }
        let Some(grown) = self.units.billed(counts).checked_sub(before) else { return false };
        if slot.start < self.from {
            return true;
        }
        let known = is_known(self.tariff.plan, slot.span);
        let measured = slot.volume.both();
        let sum = self.sum_at(slot.start);
        let billed = match sum.billed {
            Some(billed) if known => billed.checked_add(grown).map(Some),
            _ => Some(None),
        };
        let (Some(billed), Some(measured)) =
            (billed, measured.and_then(|more| sum.measured.checked_add(more)))
        else {
            return false;
        };
        sum.billed = billed;
        sum.measured = measured;
        true
    }

    fn sum_at(&mut self, at: Timestamp) -> &mut Sum {
        let place = match self.sums.iter().position(|sum| sum.start <= at && at < sum.end) {
            Some(place) => place,
            None => {
                let (start, end) = self.span_of(at);
                let (start, end) = (start.max(self.from), end.min(self.until));
                self.sums.push(Sum { start, end, measured: 0, billed: Some(0), corrections: 0 });
                self.sums.len().saturating_sub(1)
            }
        };
        &mut self.sums[place]
    }

    fn span_of(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        if self.by_cycle {
            return self.cycle_of(at);
        }
        let zone = self.tariff.zone;
        let date = zone.date(at);
        let end = date.checked_add_days(Days::new(1)).map_or(FAR, |next| zone.day_start(next));
        // Where a clock set back repeats midnight, the day's second part belongs to it too.
        (zone.day_start(date).min(at), if end > at { end } else { at.saturating_add(Span::secs(3_600)) })
    }

    /// The cycle that an instant lies in; the day where it lies in none.
    fn cycle_of(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let zone = self.tariff.zone;
        let date = zone.date(at);
        match cycle_at(&self.tariff.plan.period, date) {
            Some(cycle) => {
                let (start, end) = cycle.bounds(zone);
                (start.min(at), end.unwrap_or(FAR))
            }
            None => {
                let end = date.checked_add_days(Days::new(1)).map_or(FAR, |next| zone.day_start(next));
                (zone.day_start(date).min(at), end)
            }
        }
    }
}

/// Whether what was folded into such a slot still says what the plan bills of it.
fn is_known(plan: &Plan, span: SlotSpan) -> bool {
    match span {
        SlotSpan::Hour => true,
        SlotSpan::Day => plan.free_hours.is_empty() && plan.increment.is_none_or(|step| step.per == Per::Day),
        SlotSpan::Cycle => !plan.bills_by_unit(),
    }
}

#[cfg(test)]
mod tests;
