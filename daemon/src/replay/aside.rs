//! The past from a ledger or a copy of one, as it lies.

use std::path::Path;

use simbell_core::effect::SimRecord;
use simbell_core::ident::Iccid;
use simbell_core::settings::Settings;
use simbell_core::time::{Span, Timestamp};
use simbell_store::{Mark, Reader};

use super::past::{Past, SimPast, Window};
use super::{ReplayError, Wanted};

/// Rows, and corrections and gaps, read at once.
const ROWS: usize = 5_000;
const MARKS: u32 = 500;

/// Before anything that a ledger holds.
const EVER: Timestamp = Timestamp::from_millis(0);

/// Reads the past of every SIM.
pub(super) fn read(path: &Path, settings: &Settings, wanted: &Wanted) -> Result<Past, ReplayError> {
    let reader = Reader::open_aside(path)?;
    let known: Vec<SimRecord> = reader.sims()?;
    let newest = reader.newest()?.ok_or_else(|| ReplayError::Empty)?;
    // To the end of the hour that it lies in: usage is known by the hour.
    let end = newest.hour_start().saturating_add(Span::secs(3_600));
    let window = wanted.window(settings, end)?;
    let mut past = Past::new(window);
    for record in &known {
        let sim = past.sim(settings, &record.iccid);
        sim.operator.clone_from(&record.operator);
        sim.first_seen = Some(record.first_seen);
        usage(&reader, &record.iccid, window, sim)?;
        voice(&reader, &record.iccid, window, sim)?;
        marks(&reader, Some(&record.iccid), &mut past)?;
    }
    marks(&reader, None, &mut past)?;
    past.observations = reader.newest_observations()?;
    past.sims.values_mut().for_each(SimPast::settle);
    Ok(past)
}

fn usage(reader: &Reader, iccid: &Iccid, window: Window, sim: &mut SimPast) -> Result<(), ReplayError> {
    let mut from = Some(EVER);
    while let Some(start) = from {
        let (columns, next) = reader.hours(iccid, start, window.until, ROWS)?;
        for (start, end, zone, volume) in super::past::rows(&columns) {
            sim.used(window, (start, end), zone.clone(), volume);
        }
        from = next;
    }
    Ok(())
}

fn voice(reader: &Reader, iccid: &Iccid, window: Window, sim: &mut SimPast) -> Result<(), ReplayError> {
    reader.calls(iccid, EVER, Some(window.until), |call| {
        if call.began.is_some_and(|began| sim.counts(window, began)) {
            sim.calls.push(call);
        }
        true
    })?;
    reader.messages(iccid, EVER, Some(window.until), |sms| {
        if sms.at.is_some_and(|at| sim.counts(window, at)) {
            sim.messages.push(sms);
        }
        true
    })?;
    Ok(())
}

fn marks(reader: &Reader, iccid: Option<&Iccid>, past: &mut Past) -> Result<(), ReplayError> {
    let window = past.window;
    let mut after = (0, 0);
    loop {
        let found = reader.marks(iccid, EVER, window.until, after, MARKS)?;
        if found.is_empty() {
            return Ok(());
        }
        for (id, mark) in found {
            match mark {
                Mark::Correction(correction) => {
                    after.0 = id;
                    if let Some(sim) = past.sims.get_mut(&correction.iccid) {
                        sim.corrected(window, correction.at, correction.bytes);
                    }
                }
                Mark::Gap(gap) => {
                    after.1 = id;
                    past.gap(gap.iccid, gap.from, gap.until);
                }
            }
        }
    }
}
