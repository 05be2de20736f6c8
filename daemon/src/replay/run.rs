//! One run of one rule over the past.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use simbell_core::ident::Iccid;
use simbell_core::ledger::{Volume, Zone};
use simbell_core::observation::ObservationId;
use simbell_core::settings::Settings;
use simbell_core::time::{Span, Timestamp};
use simbell_rules::{Flow, Rehearsal, RuleSet};

use super::ReplayError;
use super::past::{Past, SimPast, rows};
use super::rings::{Outcome, Rings};

const HOUR: Span = Span::secs(3_600);

/// What is used in an hour has passed so long before its end: then it lies in it beyond doubt.
const BEFORE: Span = Span(-2);

/// So often may the state be stepped in all, and for each day and SIM: a service that keeps saying something every
/// second stops here.
const STEPS: u64 = 20_000;
const STEPS_A_DAY: u64 = 2_000;

/// What a SIM had used as a day ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DayEnd {
    pub iccid: Iccid,
    pub date: NaiveDate,
    pub used: u64,
    pub allowance: Option<u64>,
}

/// What a run came to, and how often the rule was asked.
pub(super) struct Ran {
    pub outcome: Outcome,
    pub days: Vec<DayEnd>,
    pub evaluations: u64,
}

/// Runs the only rule of `rules` over the past.
pub(super) fn run(rules: Arc<RuleSet>, settings: &Settings, past: &Past) -> Result<Ran, ReplayError> {
    let window = past.window;
    let mut rehearsal = Rehearsal::begin(settings.clone(), Arc::clone(&rules), window.began)?;
    let days = window.until.since(window.began).as_secs().unsigned_abs() / 86_400 + 1;
    let sims = u64::try_from(past.sims.len()).unwrap_or(u64::MAX).max(1);
    rehearsal.bound(STEPS.saturating_add(STEPS_A_DAY.saturating_mul(days).saturating_mul(sims)));
    let mut run = Run {
        rehearsal,
        rings: Rings::within(window.from, window.until),
        days: Vec::new(),
        sims: past.sims.iter().map(|(iccid, sim)| (iccid.clone(), Playing::of(sim))).collect(),
        figures: BTreeMap::new(),
        past,
    };
    run.begin()?;
    run.play(settings)?;
    let asked = |rule: &simbell_core::view::RuleDescription| run.rehearsal.state().times_asked(&rule.name);
    let evaluations = run.rehearsal.state().rules().map(asked).sum();
    Ok(Ran { outcome: run.rings.end(), days: run.days, evaluations })
}

/// A slot of usage that is passing: a zone's bytes from an instant until another.
struct Slot {
    start: Timestamp,
    end: Timestamp,
    zone: Zone,
    volume: Volume,
}

impl Slot {
    /// How much of it has passed by an instant.
    fn passed(&self, at: Timestamp) -> Volume {
        let length = u128::try_from(self.end.since(self.start).as_millis()).unwrap_or(1).max(1);
        let part = u128::try_from(at.since(self.start).as_millis()).unwrap_or(0).min(length);
        let of = |total: u64| {
            u64::try_from(u128::from(total).saturating_mul(part).checked_div(length).unwrap_or_default())
                .unwrap_or(total)
        };
        Volume { rx: of(self.volume.rx), tx: of(self.volume.tx) }
    }

    fn between(&self, from: Timestamp, until: Timestamp) -> Volume {
        let (before, after) = (self.passed(from), self.passed(until));
        Volume { rx: after.rx.saturating_sub(before.rx), tx: after.tx.saturating_sub(before.tx) }
    }
}

type Slots<'p> = Peekable<Box<dyn Iterator<Item = Slot> + 'p>>;

/// A SIM's past as it passes.
struct Playing<'p> {
    past: &'p SimPast,
    coming: Slots<'p>,
    passing: Vec<Slot>,
    /// How many of its corrections, calls and messages are done.
    corrections: usize,
    calls: usize,
    messages: usize,
    inserted: bool,
}

impl<'p> Playing<'p> {
    fn of(past: &'p SimPast) -> Self {
        let slots = rows(&past.hours).map(|(start, end, zone, volume)| Slot {
            start,
            end: end.saturating_add(BEFORE).max(start.saturating_add(Span(1))),
            zone: zone.clone(),
            volume,
        });
        let coming: Box<dyn Iterator<Item = Slot> + 'p> = Box::new(slots);
        let coming = coming.peekable();
        Self { past, coming, passing: Vec::new(), corrections: 0, calls: 0, messages: 0, inserted: false }
    }

    /// When something new of it comes.
    fn next_event(&mut self) -> Option<Timestamp> {
        let correction = self.past.corrections.get(self.corrections).map(|(at, _)| *at);
        let call = self.past.calls.get(self.calls).and_then(|call| call.began);
        let message = self.past.messages.get(self.messages).and_then(|sms| sms.at);
        let slot = self.coming.peek().map(|slot| slot.start);
        let seen = if self.inserted { None } else { self.past.first_seen };
        [correction, call, message, slot, seen].into_iter().flatten().min()
    }
}

struct Run<'p> {
    rehearsal: Rehearsal,
    rings: Rings,
    days: Vec<DayEnd>,
    sims: BTreeMap<Iccid, Playing<'p>>,
    /// The numbers that the carrier's figures have here, by those that they have in the ledger.
    figures: BTreeMap<ObservationId, ObservationId>,
    past: &'p Past,
}

impl Run<'_> {
    /// What was there before.
    fn begin(&mut self) -> Result<(), ReplayError> {
        for (iccid, playing) in &self.sims {
            for (start, _, zone, volume) in rows(&playing.past.before) {
                self.rehearsal.add_history(iccid, start, zone.clone(), volume);
            }
        }
        let began = self.past.window.began;
        for (iccid, playing) in &mut self.sims {
            while let Some((at, bytes)) =
                playing.past.corrections.get(playing.corrections).filter(|(at, _)| *at < began)
            {
                playing.corrections = playing.corrections.saturating_add(1);
                self.rehearsal.add_correction(iccid, *at, *bytes);
            }
        }
        let there = |playing: &Playing<'_>| {
            let first = [playing.past.first_entry, playing.past.first_seen].into_iter().flatten().min();
            first.is_some_and(|first| first < began)
        };
        let known: Vec<Iccid> =
            self.sims.iter().filter(|(_, playing)| there(playing)).map(|(iccid, _)| iccid.clone()).collect();
        for iccid in known {
            self.insert(&iccid)?;
        }
        self.rehearsal.history_added()?;
        Ok(())
    }

    fn insert(&mut self, iccid: &Iccid) -> Result<(), ReplayError> {
        let Some(playing) = self.sims.get_mut(iccid).filter(|playing| !playing.inserted) else {
            return Ok(());
        };
        playing.inserted = true;
        let operator = playing.past.operator.clone();
        Ok(self.rehearsal.insert(iccid, operator.as_deref())?)
    }

    fn play(&mut self, settings: &Settings) -> Result<(), ReplayError> {
        let window = self.past.window;
        let zone_of = |iccid: &Iccid| settings.sims.get(iccid).map_or(&settings.zone, |sim| &sim.zone);
        let mut day_ends: BTreeMap<Iccid, (NaiveDate, Timestamp)> = self
            .sims
            .keys()
            .map(|iccid| {
                let zone = zone_of(iccid);
                let date = zone.date(window.from);
                (iccid.clone(), (date, day_end(zone, date)))
            })
            .collect();
        let mut now = window.began;
        while now < window.until {
            self.happen(now)?;
            let next = self.next_stop(now, day_ends.values().map(|(_, end)| *end));
            self.pass(now, next)?;
            now = next;
            if !self.rings.take(self.rehearsal.take_timeline(), self.rehearsal.state()) {
                return Err(ReplayError::RingsWithoutEnd(now.to_utc().to_rfc3339()));
            }
            for (iccid, (date, end)) in &mut day_ends {
                if *end > now && now < window.until {
                    continue;
                }
                if let Some(facts) = self.rehearsal.state().facts(iccid) {
                    self.days.push(DayEnd {
                        iccid: iccid.clone(),
                        date: *date,
                        used: facts.used_bytes,
                        allowance: facts.allowance_bytes,
                    });
                }
                let zone = zone_of(iccid);
                *date = date.checked_add_days(Days::new(1)).unwrap_or(*date);
                *end = day_end(zone, *date);
                if let Some((start, _)) = self.bounds_of(iccid) {
                    // The cycle before is summed once more as it ends.
                    let keep = start.min(now.saturating_add(Span(-86_400_000)));
                    self.rehearsal.forget_usage(iccid, keep);
                }
            }
        }
        // What is due at the very end would ring after it.
        Ok(())
    }

    fn bounds_of(&self, iccid: &Iccid) -> Option<(Timestamp, Option<Timestamp>)> {
        self.rehearsal.state().sims().find(|sim| sim.record.iccid == *iccid).and_then(|sim| sim.bounds)
    }

    /// What comes by now: SIMs, usage that begins, corrections, calls, messages, figures of the carrier.
    fn happen(&mut self, now: Timestamp) -> Result<(), ReplayError> {
        let sims: Vec<Iccid> = self.sims.keys().cloned().collect();
        let mut voice = false;
        for iccid in sims {
            let Some(playing) = self.sims.get_mut(&iccid) else { continue };
            if playing.next_event().is_none_or(|at| at > now) {
                continue;
            }
            while let Some(slot) = playing.coming.next_if(|slot| slot.start <= now) {
                playing.passing.push(slot);
            }
            let past = playing.past;
            let mut corrections = Vec::new();
            while let Some((_, bytes)) =
                past.corrections.get(playing.corrections).filter(|(at, _)| *at <= now)
            {
                playing.corrections = playing.corrections.saturating_add(1);
                corrections.push(*bytes);
            }
            let due = |at: Option<Timestamp>| at.is_none_or(|at| at <= now);
            while let Some(call) = past.calls.get(playing.calls).filter(|call| due(call.began)) {
                playing.calls = playing.calls.saturating_add(1);
                self.rehearsal.add_call(call.clone());
                voice = true;
            }
            while let Some(sms) = past.messages.get(playing.messages).filter(|sms| due(sms.at)) {
                playing.messages = playing.messages.saturating_add(1);
                self.rehearsal.add_message(sms.clone());
                voice = true;
            }
            self.insert(&iccid)?;
            for bytes in corrections {
                self.rehearsal.correct(&iccid, bytes)?;
            }
        }
        if voice {
            self.rehearsal.history_added()?;
        }
        self.observe(now)
    }

    fn observe(&mut self, now: Timestamp) -> Result<(), ReplayError> {
        while let Some(figure) = self.past.observations.get(self.figures.len()).filter(|one| one.at <= now) {
            let place = i64::try_from(self.figures.len()).unwrap_or(i64::MAX).saturating_add(1);
            self.figures.insert(figure.id, ObservationId(place));
            let withdraws = figure.withdraws.and_then(|whose| self.figures.get(&whose)).copied();
            self.rehearsal.observe(simbell_core::observation::Observation { withdraws, ..figure.clone() })?;
        }
        Ok(())
    }

    /// The next instant at which something begins, ends or is to be looked at; the next hour at the latest while
    /// something passes.
    fn next_stop(&mut self, now: Timestamp, day_ends: impl Iterator<Item = Timestamp>) -> Timestamp {
        let events = self.sims.values_mut().filter_map(Playing::next_event).filter(|at| *at > now).min();
        let ends = self.sims.values().flat_map(|playing| &playing.passing).map(|slot| slot.end).min();
        let passes = self.sims.values().any(|playing| !playing.passing.is_empty());
        let hour = passes.then(|| now.hour_start().saturating_add(HOUR));
        let figure = self.past.observations.get(self.figures.len()).map(|one| one.at).filter(|at| *at > now);
        let day_ends = day_ends.filter(|end| *end > now);
        let stops = [events, ends, hour, figure].into_iter().flatten();
        stops.chain(day_ends).chain([self.past.window.until]).min().unwrap_or(self.past.window.until)
    }

    /// Lets the time pass, and what is used in it.
    fn pass(&mut self, now: Timestamp, next: Timestamp) -> Result<(), ReplayError> {
        // By SIM and zone; a SIM that was in several zones is in one after the other, first where it is already.
        let mut zones: BTreeMap<Iccid, Vec<(Zone, Volume)>> = BTreeMap::new();
        for (iccid, playing) in &mut self.sims {
            for slot in &playing.passing {
                let more = slot.between(now, next);
                if more.total() == 0 {
                    continue;
                }
                let parts = zones.entry(iccid.clone()).or_default();
                match parts.iter_mut().find(|(zone, _)| *zone == slot.zone) {
                    Some((_, sum)) => {
                        sum.rx = sum.rx.saturating_add(more.rx);
                        sum.tx = sum.tx.saturating_add(more.tx);
                    }
                    None => parts.push((slot.zone.clone(), more)),
                }
            }
            playing.passing.retain(|slot| slot.end > next);
        }
        for (iccid, parts) in &mut zones {
            let here = self.rehearsal.state().sims().find(|sim| sim.record.iccid == *iccid);
            let here = here.map(|sim| sim.zone.clone());
            parts.sort_by_key(|(zone, _)| Some(zone) != here.as_ref());
        }
        let most = zones.values().map(Vec::len).max().unwrap_or(0);
        if most == 0 {
            return Ok(self.rehearsal.advance_to(next)?);
        }
        let whole = Slot { start: now, end: next, zone: Zone::Unknown, volume: Volume::default() };
        let parts = u64::try_from(most).unwrap_or(1);
        let cut = |nth: usize| {
            let length = next.since(now).as_millis().unsigned_abs();
            let way = u64::try_from(nth).unwrap_or(0).saturating_mul(length).checked_div(parts).unwrap_or(0);
            now.saturating_add(Span(i64::try_from(way).unwrap_or(i64::MAX)))
        };
        for nth in 0..most {
            let (begins, ends) = (cut(nth), cut(nth.saturating_add(1)));
            let flows: Vec<Flow> = zones
                .iter()
                .filter_map(|(iccid, parts)| {
                    let (zone, volume) = match parts.as_slice() {
                        [(zone, volume)] => {
                            let all = Slot { zone: zone.clone(), volume: *volume, ..whole.copy() };
                            (zone, all.between(begins, ends))
                        }
                        several => several.get(nth).map(|(zone, volume)| (zone, *volume))?,
                    };
                    Some(Flow { iccid: iccid.clone(), zone: Some(zone.clone()), volume })
                })
                .collect();
            self.rehearsal.flow(&flows, ends)?;
        }
        Ok(())
    }
}

impl Slot {
    /// Its span alone.
    const fn copy(&self) -> Self {
        Self { start: self.start, end: self.end, zone: Zone::Unknown, volume: Volume { rx: 0, tx: 0 } }
    }
}

/// When a day is looked at: all of its usage has passed, and no other day's.
fn day_end(zone: &simbell_core::zone::ZoneRules, date: NaiveDate) -> Timestamp {
    let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
    zone.day_start(next).saturating_add(BEFORE)
}
