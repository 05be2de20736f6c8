//! Usage that another program measured, taken in and out on behalf of callers.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, Months, NaiveDateTime, TimeDelta};
use simbell_api::{
    ControlError, CorrectedCycle, ImportReply, ImportUsageParams, ImportedRow, UndoImportParams,
};
use simbell_core::cycle::cycle_at;
use simbell_core::event::Event;
use simbell_core::ident::Iccid;
use simbell_core::ledger::{EpochId, Volume};
use simbell_core::observation::Spent;
use simbell_core::state::State;
use simbell_core::time::Timestamp;
use simbell_core::zone::ZoneRules;
use simbell_store::vnstat::FASTEST;
use simbell_store::{ImportRow, Imported, QueryError, Store};

use super::Engine;
use super::request::no_ledger;
use crate::config::{Environment, system_zone, zone_rules};
use crate::control::Answer;
use crate::{billed, convert, usage};

/// Most rows of one call.
const MOST: usize = 500;

/// Longest name of an interface (`IFNAMSIZ` less its NUL).
const NAME: usize = 15;

impl Engine {
    pub(super) async fn import(&mut self, question: ImportUsageParams) -> Answer<ImportReply> {
        let iccid = self.sim_named(question.sim.as_deref())?;
        named(&question.interface)?;
        if question.rows.len() > MOST {
            return Err(usage::invalid(
                "rows",
                "a call holds at most 500 rows",
                "send the rest in further calls",
            ));
        }
        // A clock that is not believed knows nothing of what is still to come; vnStat's dates are as good as they are.
        let at = self.stamp();
        let now = at.trusted.then_some(at.wall);
        let zone = machine_zone(&Environment::of_process())?;
        let given: Vec<Option<ImportRow>> =
            question.rows.iter().map(|given| row(given, &zone, now)).collect::<Answer<_>>()?;
        let impossible = given.iter().filter(|row| row.is_none()).count();
        let rows: Vec<ImportRow> = given.into_iter().flatten().collect();
        // What is used now is in the ledger before anything is compared with it.
        self.fresh().await;
        self.flush().await;
        self.writable()?;
        let dry = question.dry_run.unwrap_or(false);
        let starts = rows.iter().map(|row| row.start);
        let held =
            held(&self.state, self.ledger()?, &iccid, starts).map_err(|error| usage::unreadable(&error))?;
        let store = self.store.as_mut().ok_or_else(no_ledger)?;
        let state = &self.state;
        let with = |store: &Store| changed(state, store, &iccid, &held, None);
        let done = store.import_seen(&iccid, &question.interface, &rows, dry, with);
        let done = done.map_err(|error| convert::internal(&format!("nothing was taken in: {error}")))?;
        let (done, corrected) = done.map_err(|error| usage::unreadable(&error))?;
        if !dry && done.rows > 0 {
            self.feed(Event::HistoryChanged).await;
        }
        let impossible_rows = u64::try_from(impossible).unwrap_or(u64::MAX);
        Ok(ImportReply { impossible_rows, corrected, ..reply(&iccid, done) })
    }

    pub(super) async fn undo_import(&mut self, question: UndoImportParams) -> Answer<ImportReply> {
        let iccid = self.sim_named(question.sim.as_deref())?;
        named(&question.interface)?;
        self.fresh().await;
        self.flush().await;
        self.writable()?;
        let corrected = self.may_be_taken_out(&iccid, &question.interface)?;
        let store = self.store.as_mut().ok_or_else(no_ledger)?;
        let done = store.undo_import(&iccid, &question.interface);
        let done = done.map_err(|error| convert::internal(&format!("nothing was taken out: {error}")))?;
        if done.rows > 0 {
            self.feed(Event::HistoryChanged).await;
        }
        Ok(ImportReply { corrected, ..reply(&iccid, done) })
    }

    /// Whether each cycle has enough without what was imported: a person may have corrected it with that in view. Then which
    /// of those that somebody corrected it changes.
    fn may_be_taken_out(&self, iccid: &Iccid, interface: &str) -> Answer<Option<Vec<CorrectedCycle>>> {
        let store = self.ledger()?;
        let failed = |error| convert::internal(&format!("nothing was taken out: {error}"));
        let Some((epoch, starts)) = store.imported(iccid, interface).map_err(failed)? else {
            return Ok(None);
        };
        let unreadable = |error| usage::unreadable(&error);
        let held = held(&self.state, store, iccid, starts.into_iter()).map_err(unreadable)?;
        for cycle in &held {
            let without = spent(&self.state, store, iccid, cycle.start, Some(epoch)).map_err(unreadable)?;
            let Some(without) = without else { continue };
            let taken = i64::try_from(without.used().saturating_sub(cycle.before.used())).unwrap_or(i64::MIN);
            cycle.before.corrected_by(taken).map_err(|error| ControlError::Refused {
                message: format!("what was imported of {interface} stays: {error}"),
                hint: "take corrections of that cycle back first: `simbellctl usage corrections` lists them"
                    .to_owned(),
            })?;
        }
        changed(&self.state, store, iccid, &held, Some(epoch)).map_err(unreadable)
    }
}

/// A cycle that holds corrections, before rows come in or go out.
struct Held {
    start: Timestamp,
    end: Option<Timestamp>,
    before: Spent,
    /// The newest that was not taken back; none where all were.
    newest: Option<Timestamp>,
}

/// What a cycle comes to as rules see it.
fn spent(
    state: &State,
    store: &Store,
    iccid: &Iccid,
    at: Timestamp,
    without: Option<EpochId>,
) -> Result<Option<Spent>, QueryError> {
    let spent = billed::spent_by_end(state, store, iccid, at, without)?;
    Ok(spent.map(|spent| state.as_used(iccid, spent)))
}

/// The cycles with corrections that rows begin in, oldest first.
fn held(
    state: &State,
    store: &Store,
    iccid: &Iccid,
    starts: impl Iterator<Item = Timestamp>,
) -> Result<Vec<Held>, QueryError> {
    let (zone, period) = (state.zone_of(iccid), state.period_of(iccid));
    let cycles: BTreeMap<Timestamp, Option<Timestamp>> =
        starts.filter_map(|at| cycle_at(&period, zone.date(at))).map(|cycle| cycle.bounds(zone)).collect();
    let mut held = Vec::new();
    for (start, end) in cycles {
        let corrections = billed::corrections(store, iccid, start, end)?;
        if corrections.is_empty() {
            continue;
        }
        let Some(before) = spent(state, store, iccid, start, None)? else { continue };
        // One that takes another back counts at the same instant.
        let mut sums: BTreeMap<Timestamp, i128> = BTreeMap::new();
        for (at, bytes) in corrections {
            let sum = sums.entry(at).or_default();
            *sum = sum.saturating_add(i128::from(bytes));
        }
        let newest = sums.iter().rev().find(|(_, sum)| **sum != 0).map(|(at, _)| *at);
        held.push(Held { start, end, before, newest });
    }
    Ok(held)
}

/// Of cycles that somebody corrected those that come to something else by now, or without an imported epoch; none where there
/// are none.
fn changed(
    state: &State,
    store: &Store,
    iccid: &Iccid,
    held: &[Held],
    without: Option<EpochId>,
) -> Result<Option<Vec<CorrectedCycle>>, QueryError> {
    let zone = state.zone_of(iccid);
    let now = state.sims().find(|sim| sim.record.iccid == *iccid).and_then(|sim| sim.bounds);
    let mut changed = Vec::new();
    for cycle in held {
        let Some(newest) = cycle.newest else { continue };
        let Some(after) = spent(state, store, iccid, cycle.start, without)? else { continue };
        let shown = |spent: Spent| u64::try_from(spent.used().max(0)).unwrap_or(u64::MAX);
        if after.used() == cycle.before.used() {
            continue;
        }
        changed.push(CorrectedCycle {
            start: zone.rfc3339(cycle.start),
            end: cycle.end.map(|end| zone.rfc3339(end)),
            current: now.is_some_and(|(start, _)| start == cycle.start),
            correction_bytes: cycle.before.corrections,
            corrected_at: zone.rfc3339(newest),
            before_bytes: shown(cycle.before),
            bytes: shown(after),
        });
    }
    Ok((!changed.is_empty()).then_some(changed))
}

fn named(interface: &str) -> Answer<()> {
    let plain = |c: char| c.is_ascii_graphic() && c != '/';
    if (1..=NAME).contains(&interface.len()) && interface.chars().all(plain) {
        return Ok(());
    }
    Err(usage::invalid(
        "interface",
        "this is no name of an interface",
        "give it as vnStat knows it, such as wwan0",
    ))
}

/// The zone whose days and hours another program on this machine counts by: not that of a SIM's plan, which may be abroad.
fn machine_zone(machine: &Environment) -> Answer<ZoneRules> {
    let name = system_zone(&machine.localtime, &machine.timezone);
    zone_rules(&machine.zoneinfo_dir, &name).map_err(|error| {
        convert::internal(&format!("the zone of this machine, {name}, is not known: {error}"))
    })
}

/// None where it cannot be: vnStat dates by whatever the clock says, and where there is none it says 1970 (or, where it was
/// wrong once, the future); a figure that no network can carry is a counter's nonsense.
fn row(given: &ImportedRow, zone: &ZoneRules, now: Option<Timestamp>) -> Answer<Option<ImportRow>> {
    let bad = |message: &str| usage::invalid("rows", message, "send rows as a vnStat database holds them");
    let local =
        |text: &str, message| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").map_err(|_| bad(message));
    let start = local(&given.start, "a row begins at no local time")?;
    let end = match given.span.as_str() {
        "hour" => start.checked_add_signed(TimeDelta::hours(1)),
        "day" => start.checked_add_days(Days::new(1)),
        "month" => start.checked_add_months(Months::new(1)),
        "year" => start.checked_add_months(Months::new(12)),
        _ => return Err(bad("a row is of an hour, day, month or year")),
    };
    let mut end = end.ok_or_else(|| bad("a row ends beyond the calendar"))?;
    if let Some(until) = &given.until {
        let until = local(until, "a row ends at no local time")?;
        if until <= start || until > end {
            return Err(bad("a row ends before it begins, or beyond its span"));
        }
        end = until;
    }
    if !(1990..2200).contains(&start.year()) {
        return Ok(None);
    }
    let (start, end) = (zone.instant(start), zone.instant(end));
    // Where a clock is set forward an hour may be none at all.
    let end = if end > start { end } else { start.saturating_add(simbell_core::time::Span::secs(3_600)) };
    let volume = Volume { rx: given.rx_bytes, tx: given.tx_bytes };
    if now.is_some_and(|now| start > now) || !is_credible(volume, end.since(start).as_secs()) {
        return Ok(None);
    }
    Ok(Some(ImportRow { start, end, last: now.map_or(end, |now| end.min(now)), volume }))
}

fn is_credible(volume: Volume, seconds: i64) -> bool {
    let most = FASTEST.saturating_mul(u64::try_from(seconds).unwrap_or(0));
    volume.rx < most && volume.tx < most
}

fn reply(iccid: &Iccid, done: Imported) -> ImportReply {
    ImportReply {
        iccid: iccid.as_str().to_owned(),
        rows: done.rows,
        rx_bytes: done.volume.rx,
        tx_bytes: done.volume.tx,
        left_out_rows: done.left_out_rows,
        left_out_rx_bytes: done.left_out.rx,
        left_out_tx_bytes: done.left_out.tx,
        impossible_rows: 0,
        corrected: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A travel SIM's plan keeps the days of Paris; vnStat on a machine in Shanghai does not.
    #[test]
    fn rows_are_of_the_machines_own_days() {
        let dir = tempfile::tempdir().unwrap();
        let localtime = dir.path().join("localtime");
        std::os::unix::fs::symlink("/usr/share/zoneinfo/Asia/Shanghai", &localtime).unwrap();
        let machine = Environment { localtime, ..Environment::of_process() };
        let given = ImportedRow {
            start: "2026-11-22T00:00".to_owned(),
            span: "day".to_owned(),
            until: None,
            rx_bytes: 1,
            tx_bytes: 2,
        };
        let zone = machine_zone(&machine).unwrap();
        let now = Timestamp::from_millis(1_795_300_000_000);
        let taken = row(&given, &zone, Some(now)).unwrap().unwrap();
        // 2026-11-21T16:00:00Z.
        assert_eq!(taken.start, Timestamp::from_millis(1_795_276_800_000));
        assert_eq!(taken.end.since(taken.start).as_millis(), 86_400_000);
        assert_eq!(taken.last, now, "the day is not over");
        let at = |start: &str, rx_bytes| ImportedRow { start: start.to_owned(), rx_bytes, ..given.clone() };
        for impossible in [
            at("1970-01-01T00:00", 1),
            at("2026-11-23T00:00", 1),
            at("2106-02-07T00:00", 1),
            at("2026-11-21T00:00", u64::MAX),
            at("2026-11-21T00:00", 2_500_000_000 * 86_400),
        ] {
            assert_eq!(row(&impossible, &zone, Some(now)).unwrap(), None, "{impossible:?}");
        }
        let most = at("2026-11-21T00:00", 2_500_000_000 * 86_400 - 2);
        assert!(row(&most, &zone, Some(now)).unwrap().is_some());
        // Where the clock is not believed nothing is known to be still to come.
        let later = at("2150-01-01T00:00", 1);
        assert_eq!(row(&later, &zone, Some(now)).unwrap(), None);
        assert!(row(&later, &zone, None).unwrap().is_some());
        assert!(row(&at("yesterday", 1), &zone, Some(now)).is_err());
        // What is left of a longer row ends where the first shorter one begins.
        let until = |until: &str| ImportedRow { until: Some(until.to_owned()), ..given.clone() };
        let rest = row(&until("2026-11-22T03:00"), &zone, Some(now)).unwrap().unwrap();
        assert_eq!(rest.end.since(rest.start).as_millis(), 3 * 3_600_000);
        for never in ["2026-11-22T00:00", "2026-11-23T00:01", "noon"] {
            assert!(row(&until(never), &zone, Some(now)).is_err(), "{never}");
        }
    }
}
