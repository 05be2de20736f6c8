//! The past from a ledger or a copy of one, as it lies.

use std::path::Path;

use simbell_core::effect::SimRecord;
use simbell_core::ident::Iccid;
use simbell_core::settings::Settings;
use simbell_core::time::Timestamp;
use simbell_core::voice::{CallRecord, SmsRecord};
use simbell_store::{Mark, Reader};

use super::past::{Past, SimPast, Window};
use super::{ReplayError, Wanted, next_hour};

/// Rows, and corrections and gaps, read at once.
const ROWS: usize = 5_000;
const MARKS: u32 = 500;

/// Before anything that a ledger holds.
const EVER: Timestamp = Timestamp::from_millis(0);

/// So often a ledger is read that is written meanwhile.
const TRIES: u32 = 5;

/// Reads the past of every SIM; `now` is where it ends at the latest.
pub(super) fn read(
    path: &Path,
    settings: &Settings,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Past, ReplayError> {
    steady(path, |reader| all(reader, settings, wanted, now))
}

/// What is read of a ledger that nobody writes meanwhile: where somebody does, such as a service that is started, all of it
/// is read again.
fn steady<T>(path: &Path, mut read: impl FnMut(&Reader) -> Result<T, ReplayError>) -> Result<T, ReplayError> {
    for _ in 1..TRIES {
        let reader = Reader::open_aside(path)?;
        let found = read(&reader);
        if reader.is_unchanged() {
            return found;
        }
    }
    let reader = Reader::open_aside(path)?;
    let found = read(&reader);
    // Beside a service that writes all the time each question is answered of one state, if not all of the same.
    if reader.is_unchanged() || reader.is_beside_a_writer() { found } else { Err(ReplayError::Written) }
}

fn all(reader: &Reader, settings: &Settings, wanted: &Wanted, now: Timestamp) -> Result<Past, ReplayError> {
    let known: Vec<SimRecord> = reader.sims()?;
    let newest = reader.newest()?.ok_or_else(|| ReplayError::Empty)?;
    // To the end of the hour that it lies in: usage is known by the hour, and the one that has begun is not known yet.
    let window = wanted.window(settings, next_hour(newest).min(now.hour_start()))?;
    let mut past = Past::new(window);
    for record in &known {
        let sim = past.sim(settings, &record.iccid);
        sim.operator.clone_from(&record.operator);
        sim.first_seen = Some(record.first_seen);
        usage(reader, &record.iccid, window, sim)?;
        voice(reader, &record.iccid, window, sim)?;
        marks(reader, Some(&record.iccid), &mut past)?;
    }
    marks(reader, None, &mut past)?;
    past.observations = reader.newest_observations()?;
    past.later = Some(newest).filter(|newest| *newest >= window.until);
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
            sim.calls.push(CallRecord { iccid: Some(iccid.clone()), ..call });
        }
        true
    })?;
    reader.messages(iccid, EVER, Some(window.until), |sms| {
        if sms.at.is_some_and(|at| sim.counts(window, at)) {
            sim.messages.push(SmsRecord { iccid: Some(iccid.clone()), ..sms });
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

#[cfg(test)]
mod tests {
    use simbell_core::effect::Change;
    use simbell_store::{Store, StoreOptions};

    use super::*;

    fn sim(iccid: &str) -> Change {
        Change::KeepSim(SimRecord {
            iccid: Iccid::new(iccid).unwrap(),
            imsi: None,
            eid: None,
            operator: None,
            first_seen: EVER,
            last_seen: EVER,
        })
    }

    #[test]
    fn a_ledger_that_a_service_opens_meanwhile_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let open = || Store::open(&path, &StoreOptions::default()).unwrap();
        open().apply(&[sim("8900100000000000017")]).unwrap();
        let mut service = None;
        let mut counts = Vec::new();
        let found = steady(&path, |reader| {
            let count = reader.sims()?.len();
            counts.push(count);
            if service.is_none() {
                let mut store = open();
                store.apply(&[sim("8900100000000000025")]).unwrap();
                service = Some(store);
            }
            Ok(count)
        });
        assert_eq!((found.unwrap(), counts), (2, vec![1, 2]));

        // One that came and went is noticed as well, and one that never rests on a still file is an error.
        drop(service);
        let mut next = 100;
        let mut told = Vec::new();
        let found = steady(&path, |reader| {
            told.push(reader.is_beside_a_writer());
            open().apply(&[sim(&format!("8900100000000000{next}"))]).unwrap();
            next += 1;
            Ok(())
        });
        assert!(matches!(found, Err(ReplayError::Written)), "{found:?}");
        assert_eq!(told, [false; 5]);
    }
}
