//! The past as the service told it: lines of [`PastLine`], from standard input.

use std::io::BufRead;

use chrono::{DateTime, NaiveDate};
use simbell_api::{CallsRow, ExportPart, MessagesRow, PastLine};
use simbell_core::ident::Iccid;
use simbell_core::ledger::{Volume, Zone};
use simbell_core::number::NumberClass;
use simbell_core::observation::{Observation, ObservationId, ObservationSource, terms};
use simbell_core::settings::Settings;
use simbell_core::time::Timestamp;
use simbell_core::voice::{CallEnd, CallId, CallRecord, SmsDirection, SmsId, SmsRecord};

use super::past::{Past, SimPast, Window};
use super::{ReplayError, Wanted};

/// The longest line: a part of an export is far shorter.
const LONGEST: u64 = 4 << 20;

/// The calls or messages of an hour that are told apart; beyond that they are one.
const MOST_OF_AN_HOUR: u64 = 1_000;

/// Reads the past; `now` is where it ends.
pub(super) fn read(
    input: &mut impl BufRead,
    settings: &Settings,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Past, ReplayError> {
    // The hour that has begun is not known yet.
    let window = wanted.window(settings, now.hour_start())?;
    let mut told = Told { past: Past::new(window), settings, window, number: 0 };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = std::io::Read::take(&mut *input, LONGEST).read_until(b'\n', &mut line);
        if read.map_err(ReplayError::Stdin)? == 0 {
            return Err(ReplayError::CutOff);
        }
        match serde_json::from_slice(&line).map_err(ReplayError::Line)? {
            PastLine::Sim(sim) => {
                let iccid = iccid(&sim.iccid)?;
                told.past.sim(settings, &iccid).operator = sim.operator;
            }
            PastLine::Part(part) => told.part(&part)?,
            PastLine::Calls(row) => told.calls(&row)?,
            PastLine::Messages(row) => told.messages(&row)?,
            PastLine::Observation(figure) => told.observation(&figure)?,
            PastLine::End => break,
        }
    }
    let mut past = told.past;
    past.sims.values_mut().for_each(SimPast::settle);
    past.observations.sort_by_key(|figure| figure.id);
    Ok(past)
}

struct Told<'a> {
    past: Past,
    settings: &'a Settings,
    window: Window,
    /// Of the last call or message.
    number: i64,
}

impl Told<'_> {
    fn part(&mut self, part: &ExportPart) -> Result<(), ReplayError> {
        let whose = part.iccid.as_deref().map(iccid).transpose()?;
        let zones: Vec<Zone> = part.kinds.iter().map(|kind| Zone::from_text(&kind.zone)).collect();
        if let Some(iccid) = &whose {
            let sim = self.past.sim(self.settings, iccid);
            let mut figures = part.rx_bytes.iter().zip(&part.tx_bytes);
            for run in &part.runs {
                let zone = usize::try_from(run.kind).ok().and_then(|kind| zones.get(kind));
                let mut start = run.start_ms;
                for _ in 0..run.rows.max(0) {
                    // No more rows than figures, whatever a run says of itself.
                    let Some((rx, tx)) = figures.next() else { break };
                    let end = start.saturating_add(run.length_ms.max(1));
                    let span = (Timestamp::from_millis(start), Timestamp::from_millis(end));
                    let zone = zone.cloned().unwrap_or(Zone::Unknown);
                    sim.used(self.window, span, zone, Volume { rx: *rx, tx: *tx });
                    start = end;
                }
            }
            for correction in &part.corrections {
                sim.corrected(self.window, instant(&correction.at)?, correction.bytes);
            }
        }
        for gap in &part.gaps {
            let at = |side: &Option<String>| side.as_deref().map(instant).transpose();
            self.past.gap(whose.clone(), at(&gap.start)?, at(&gap.end)?);
        }
        Ok(())
    }

    /// Calls of an hour, made into as many: what each of them lasted is not told.
    fn calls(&mut self, row: &CallsRow) -> Result<(), ReplayError> {
        let (iccid, began) = (iccid(&row.iccid)?, instant(&row.start)?);
        let sim = self.past.sim(self.settings, &iccid);
        if !sim.counts(self.window, began) {
            return Ok(());
        }
        let all = row.answered.saturating_add(row.unanswered).min(MOST_OF_AN_HOUR);
        let each = |sum: u64, nth: u64| share(sum, nth, row.answered.min(all));
        for nth in 0..all {
            self.number = self.number.saturating_add(1);
            let answered = nth < row.answered;
            let seconds = |sum| if answered { u32::try_from(each(sum, nth)).unwrap_or(u32::MAX) } else { 0 };
            let unknown = nth < row.end_unknown;
            sim.calls.push(CallRecord {
                id: CallId(self.number),
                iccid: Some(iccid.clone()),
                incoming: row.direction == "taken",
                class: NumberClass::from_text(&row.number_class),
                party: None,
                zone: Zone::from_text(&row.zone),
                answered,
                began: Some(began),
                boot: None,
                began_boot_ms: 0,
                seconds: seconds(row.seconds),
                seconds_min: seconds(row.seconds_min),
                end: if unknown { CallEnd::Unknown } else { CallEnd::Seen },
            });
        }
        Ok(())
    }

    /// Messages of an hour, made into as many, to as many recipients as were told apart in the hour.
    fn messages(&mut self, row: &MessagesRow) -> Result<(), ReplayError> {
        let (iccid, at) = (iccid(&row.iccid)?, instant(&row.start)?);
        let sim = self.past.sim(self.settings, &iccid);
        if !sim.counts(self.window, at) {
            return Ok(());
        }
        let direction = match row.direction.as_str() {
            "sent" => SmsDirection::Sent,
            "received" => SmsDirection::Received,
            "failed" => SmsDirection::Failed,
            _ => SmsDirection::Unknown,
        };
        let all = row.messages.min(MOST_OF_AN_HOUR);
        for nth in 0..all {
            self.number = self.number.saturating_add(1);
            let recipient = nth.checked_rem(row.recipients).map(|who| format!("{}#{who}", row.start));
            sim.messages.push(SmsRecord {
                id: SmsId(self.number),
                iccid: Some(iccid.clone()),
                direction,
                parts: u32::try_from(share(row.parts, nth, all)).unwrap_or(u32::MAX),
                zone: Zone::from_text(&row.zone),
                party: recipient,
                at: Some(at),
                boot: None,
                at_boot_ms: 0,
                digest: None,
            });
        }
        Ok(())
    }

    fn observation(&mut self, told: &simbell_api::Observation) -> Result<(), ReplayError> {
        let iccid = iccid(&told.iccid)?;
        let plan = self.settings.sims.get(&iccid).and_then(|sim| sim.plan.as_ref());
        let zone = self.settings.sims.get(&iccid).map_or(&self.settings.zone, |sim| &sim.zone);
        let cycle_start = told.cycle_start.parse::<NaiveDate>().map(|date| zone.day_start(date));
        let cycle_start = cycle_start.map_err(|error| ReplayError::Told(error.to_string()))?;
        // The service says whether it was about this plan.
        let about = plan.filter(|_| told.standing != "other-plan").map(terms).unwrap_or_default();
        self.past.observations.push(Observation {
            id: ObservationId(told.id),
            iccid,
            at: instant(&told.at)?,
            cycle_start,
            bytes: told.observed_bytes,
            billed: told.billed_bytes,
            corrections: told.correction_bytes,
            terms: about,
            source: ObservationSource::User,
            author: told.author.clone(),
            note: told.note.clone(),
            withdraws: told.withdraws.map(ObservationId),
        });
        Ok(())
    }
}

/// The nth of `all` parts of a sum, which add up to it.
fn share(sum: u64, nth: u64, all: u64) -> u64 {
    let (Some(each), Some(rest)) = (sum.checked_div(all), sum.checked_rem(all)) else { return 0 };
    each.saturating_add(u64::from(nth < rest))
}

fn iccid(text: &str) -> Result<Iccid, ReplayError> {
    Iccid::new(text).map_err(|error| ReplayError::Told(error.to_string()))
}

fn instant(text: &str) -> Result<Timestamp, ReplayError> {
    DateTime::parse_from_rfc3339(text).map(|at| Timestamp::from_millis(at.timestamp_millis())).map_err(
        |error| ReplayError::Told(format!("{:?}: {error}", text.chars().take(40).collect::<String>())),
    )
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_add_up() {
        let all: Vec<u64> = (0..3).map(|nth| share(10, nth, 3)).collect();
        assert_eq!(all, [4, 3, 3]);
        assert_eq!(share(5, 0, 0), 0);
    }
}
