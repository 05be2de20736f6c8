//! One SIM's days or cycles as billed, a page of them.

use chrono::Days;
use simbell_api::BilledSpan;
use simbell_core::billing::{Part, Per, Tariff, Units};
use simbell_core::cycle::{cycle_after, cycle_at};
use simbell_core::ident::Iccid;
use simbell_core::ledger::{Volume, When};
use simbell_core::plan::{Counts, Plan};
use simbell_core::time::{Span, Timestamp};
use simbell_store::{QueryError, SessionSlot, SlotSpan};

use super::place::{Begun, Place};
use super::{add, overflow};
use crate::usage::Ledger;

/// A span that is being summed up.
#[derive(Debug)]
pub(super) struct Sum {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) measured: u64,
    pub(super) billed: Option<u64>,
    pub(super) corrections: i64,
}

impl Sum {
    pub(super) fn reply(self, iccid: &Iccid, tariff: &Tariff<'_>) -> BilledSpan {
        BilledSpan {
            iccid: iccid.as_str().to_owned(),
            start: tariff.zone.rfc3339(self.start),
            end: tariff.zone.rfc3339(self.end),
            measured_bytes: self.measured,
            billed_bytes: self.billed,
            correction_bytes: self.corrections,
        }
    }

    fn correct(&mut self, bytes: i64) -> Result<(), QueryError> {
        let sum = self.corrections.checked_add(bytes);
        self.corrections = sum.ok_or(QueryError::Overflow { what: "corrections" })?;
        Ok(())
    }
}

/// Some spans, and where to go on.
type Page = (Vec<Sum>, Option<Place>);

/// What happens in order of time: each slot raises what its cycle is billed at.
pub(super) struct Walk<'a> {
    tariff: Tariff<'a>,
    by_cycle: bool,
    from: Timestamp,
    until: Timestamp,
    place: Place,
    /// Where the slots begin that are looked at.
    begin: Timestamp,
    units: Units,
    /// The cycle that `units` are of.
    cycle: (Timestamp, Timestamp),
    /// In order of time.
    sums: Vec<Sum>,
}

const FAR: Timestamp = Timestamp::from_millis(i64::MAX);
/// Where the time before a plan's first cycle begins: before all that a ledger holds.
const BEFORE: Timestamp = Timestamp::from_millis(0);
const HOUR: Span = Span::secs(3_600);
const DAY: Span = Span::secs(86_400);

impl<'a> Walk<'a> {
    pub(super) fn new(
        tariff: Tariff<'a>,
        by_cycle: bool,
        (from, until): (Timestamp, Timestamp),
        place: Place,
    ) -> Self {
        let units = Units::midway(place.rounded);
        let cycle = (place.at, place.at);
        let begin = place.at;
        Self { tariff, by_cycle, from, until, place, begin, units, cycle, sums: Vec::new() }
    }

    /// Where the first page begins: which direction is the greater depends on all of the cycle; what came before in a
    /// unit is looked up by itself.
    pub(super) fn beginning(tariff: Tariff<'a>, from: Timestamp) -> Place {
        let plan = tariff.plan;
        if plan.counts != Counts::Max || !plan.bills_by_unit() {
            return Place::at(from);
        }
        Place::at(Self::new(tariff, true, (from, from), Place::at(from)).cycle_of(from).0)
    }

    /// A page of at most `room` spans. It looks at so many slots, which it takes off; a span in the midst of which they
    /// are used up is begun, and told once it is over.
    pub(super) fn page(
        mut self,
        ledger: &Ledger<'_>,
        iccid: &Iccid,
        room: usize,
        slots: &mut usize,
    ) -> Result<Page, QueryError> {
        if !self.tariff.plan.bills_by_unit() {
            return self.summed(ledger, iccid, room);
        }
        self.cycle = self.cycle_of(self.begin);
        self.walked(ledger, iccid, room, slots)
    }

    fn walked(
        mut self,
        ledger: &Ledger<'_>,
        iccid: &Iccid,
        room: usize,
        slots: &mut usize,
    ) -> Result<Page, QueryError> {
        if let Some(begun) = self.place.begun {
            let end = self.span_of(begun.start).1.min(self.until);
            let (measured, billed) = (begun.measured, begun.billed);
            self.sums.push(Sum { start: begun.start, end, measured, billed, corrections: 0 });
        }
        let corrected_from = self.place.begun.map_or(self.place.at.max(self.from), |begun| begun.start);
        let corrections = ledger.corrections_between(iccid, corrected_from, self.until)?;
        let mut corrections = corrections.into_iter().peekable();
        let mut next: Result<Option<Place>, QueryError> = Ok(None);
        let mut before: Option<Timestamp> = None;
        ledger.session_slots(iccid, self.begin, Some(self.until), |slot| {
            while let Some((at, bytes)) = corrections.next_if(|(at, _)| *at <= slot.start) {
                next = self.correct(at, bytes, room);
                if !matches!(next, Ok(None)) {
                    return false;
                }
            }
            // What is looked at ends at an instant: slots of one instant stay together.
            if *slots == 0 && before.is_some_and(|before| before < slot.start) {
                next = Ok(Some(self.midway(slot.start)));
                return false;
            }
            next = self.take(ledger, iccid, &slot, room);
            *slots = slots.saturating_sub(1);
            before = Some(slot.start);
            matches!(next, Ok(None))
        })?;
        let mut next = next?;
        while next.is_none()
            && let Some((at, bytes)) = corrections.next()
        {
            next = self.correct(at, bytes, room)?;
        }
        Ok((self.sums, next))
    }

    /// Where nothing is rounded or free, sums by zone say what is billed.
    fn summed(mut self, ledger: &Ledger<'_>, iccid: &Iccid, room: usize) -> Result<Page, QueryError> {
        let mut at = self.place.at.max(self.from);
        let corrections = ledger.corrections_between(iccid, at, self.until)?;
        let mut corrections = corrections.into_iter().peekable();
        loop {
            let slot = ledger.first_slot(iccid, at, self.until)?;
            let correction = corrections.peek().map(|(at, _)| *at);
            let Some(first) = [slot, correction].into_iter().flatten().min() else { break };
            let (start, end) = self.clipped(first);
            if self.sums.len() >= room {
                return Ok((self.sums, Some(Place::at(start))));
            }
            let (measured, billed) = self.volumes(ledger, iccid, start, end)?;
            let mut sum = Sum { start, end, measured, billed: Some(billed), corrections: 0 };
            while let Some((_, bytes)) = corrections.next_if(|(at, _)| *at < end) {
                sum.correct(bytes)?;
            }
            self.sums.push(sum);
            at = end;
        }
        Ok((self.sums, None))
    }

    /// What a span within a cycle measured, and by how much it raised what the cycle is billed at.
    fn volumes(
        &self,
        ledger: &Ledger<'_>,
        iccid: &Iccid,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<(u64, u64), QueryError> {
        let plan = self.tariff.plan;
        let charged = |from, until| -> Result<(u64, Volume), QueryError> {
            let (mut all, mut charged) = (0_u64, Volume::default());
            for (zone, _, volume) in ledger.volumes(iccid, from, until)? {
                all = volume.both().and_then(|more| all.checked_add(more)).ok_or_else(overflow)?;
                if plan.charges(&zone) {
                    charged = charged.checked_add(volume).ok_or_else(overflow)?;
                }
            }
            Ok((all, charged))
        };
        let (measured, volume) = charged(start, end)?;
        let before = match plan.counts {
            Counts::Max => charged(self.cycle_of(start).0.min(start), start)?.1,
            Counts::Both | Counts::Download | Counts::Upload => Volume::default(),
        };
        let after = before.checked_add(volume).ok_or_else(overflow)?;
        let of = |volume| plan.counts.of(volume).ok_or_else(overflow);
        Ok((measured, of(after)?.checked_sub(of(before)?).ok_or_else(overflow)?))
    }

    /// In the midst of a cycle, and of the newest span where that is not over.
    fn midway(&mut self, at: Timestamp) -> Place {
        let begun = self.sums.pop_if(|sum| at < sum.end);
        let begun = begun.map(|Sum { start, measured, billed, .. }| Begun { start, measured, billed });
        Place { at, rounded: self.rounded(at), begun }
    }

    fn rounded(&self, at: Timestamp) -> Volume {
        let matters = self.tariff.plan.counts == Counts::Max && self.cycle.0 <= at && at < self.cycle.1;
        if matters { self.units.rounded() } else { Volume::default() }
    }

    /// Takes a correction in; says where to go on where there is no room for its span.
    fn correct(&mut self, at: Timestamp, bytes: i64, room: usize) -> Result<Option<Place>, QueryError> {
        match self.sum_at(at, room) {
            Ok(sum) => sum.correct(bytes).map(|()| None),
            Err(place) => Ok(Some(place)),
        }
    }

    /// Takes a slot in; says where to go on where there is no room for its span.
    fn take(
        &mut self,
        ledger: &Ledger<'_>,
        iccid: &Iccid,
        slot: &SessionSlot,
        room: usize,
    ) -> Result<Option<Place>, QueryError> {
        let told = slot.start >= self.from;
        if told && let Err(place) = self.sum_at(slot.start, room) {
            return Ok(Some(place));
        }
        if slot.start >= self.cycle.1 || slot.start < self.cycle.0 {
            self.cycle = self.cycle_of(slot.start);
            self.units = Units::default();
        }
        self.recall(ledger, iccid, slot)?;
        let counts = self.tariff.plan.counts;
        let before = self.units.billed(counts);
        if !add(&self.tariff, &mut self.units, slot) {
            return Err(overflow());
        }
        let grown = self.units.billed(counts).checked_sub(before).ok_or_else(overflow)?;
        if !told {
            return Ok(None);
        }
        let known = is_known(self.tariff.plan, slot.span);
        let measured = slot.volume.both().ok_or_else(overflow)?;
        let sum = match self.sum_at(slot.start, room) {
            Ok(sum) => sum,
            Err(place) => return Ok(Some(place)),
        };
        sum.measured = sum.measured.checked_add(measured).ok_or_else(overflow)?;
        sum.billed = match sum.billed {
            Some(billed) if known => Some(billed.checked_add(grown).ok_or_else(overflow)?),
            _ => None,
        };
        Ok(None)
    }

    /// What the slot's unit carried in its cycle before the slots that are looked at.
    fn recall(&mut self, ledger: &Ledger<'_>, iccid: &Iccid, slot: &SessionSlot) -> Result<(), QueryError> {
        let unit = self.tariff.unit(slot.session, &slot.zone, &When::Hour(slot.start));
        let Some(unit) = unit.filter(|unit| self.cycle.0 < self.begin && !self.units.knows(unit)) else {
            return Ok(());
        };
        let mut carried = Some(Volume::default());
        let tariff = self.tariff;
        let mut sum = |slot: SessionSlot| {
            if tariff.unit(slot.session, &slot.zone, &When::Hour(slot.start)).as_ref() == Some(&unit) {
                carried = carried.and_then(|sum| sum.checked_add(slot.volume));
            }
            carried.is_some()
        };
        match &unit.part {
            Part::Session(session) => {
                // A slot begins with the hour, or as late as its boot can have been.
                let began = ledger.session_began(*session)?.map(|at| at.saturating_add(Span(-DAY.0)));
                let from = began.map_or(self.cycle.0, |began| began.max(self.cycle.0));
                if from < self.begin {
                    ledger.slots_of_session(iccid, *session, (from, self.begin), &mut sum)?;
                }
            }
            Part::Day(date) => {
                let from = self.tariff.zone.day_start(*date).max(self.cycle.0);
                if from < self.begin {
                    ledger.session_slots(iccid, from, Some(self.begin), &mut sum)?;
                }
            }
            // Without an increment it does not matter what came before.
            Part::Whole | Part::Undated(_) => return Ok(()),
        }
        self.units.recall(unit, carried.ok_or_else(overflow)?);
        Ok(())
    }

    /// The span's sum, which is the newest one; where to go on where there is no room for it.
    fn sum_at(&mut self, at: Timestamp, room: usize) -> Result<&mut Sum, Place> {
        let newest = self.sums.last().is_some_and(|sum| at < sum.end);
        if !newest {
            let (start, end) = self.clipped(at);
            if self.sums.len() >= room {
                return Err(Place { at: start, rounded: self.rounded(start), begun: None });
            }
            self.sums.push(Sum { start, end, measured: 0, billed: Some(0), corrections: 0 });
        }
        let place = Place::at(at);
        self.sums.last_mut().ok_or(place)
    }

    fn clipped(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let (start, end) = self.span_of(at);
        (start.max(self.from), end.min(self.until))
    }

    fn span_of(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        if self.by_cycle {
            return self.cycle_of(at);
        }
        let zone = self.tariff.zone;
        let date = zone.date(at);
        let end = date.checked_add_days(Days::new(1)).map_or(FAR, |next| zone.day_start(next));
        // Where a clock set back repeats midnight, the day's second part belongs to it too.
        (zone.day_start(date).min(at), if end > at { end } else { at.saturating_add(HOUR) })
    }

    /// The cycle that an instant lies in; all the time before the first one; the day where the plan is over.
    fn cycle_of(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let zone = self.tariff.zone;
        let date = zone.date(at);
        match cycle_at(&self.tariff.plan.period, date) {
            Some(cycle) => {
                let (start, end) = cycle.bounds(zone);
                (start.min(at), end.unwrap_or(FAR))
            }
            None => match cycle_after(&self.tariff.plan.period, date) {
                Some(first) => (BEFORE.min(at), zone.day_start(first.start)),
                None => {
                    let end = date.checked_add_days(Days::new(1)).map_or(FAR, |next| zone.day_start(next));
                    (zone.day_start(date).min(at), end)
                }
            },
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
