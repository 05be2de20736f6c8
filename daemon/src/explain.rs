//! Answers to the question what a total is made of.

use simbell_api::{
    ExplainPage, ExplainSpan, ExplainSum, ExplainUsageParams, ExplainedCorrection, ExplainedGap,
    ExplainedObservation, ExplainedRun, ExplainedSession, UsageTotal,
};
use simbell_core::cycle::cycle_at;
use simbell_core::ident::Iccid;
use simbell_core::ledger::{Session, Volume};
use simbell_core::observation::{Observation, ObservationSource};
use simbell_core::state::State;
use simbell_core::time::{Span, Stamp, Timestamp};
use simbell_core::zone::ZoneRules;
use simbell_store::{ExplainCursor, ExplainQuery, Part, QueryError, Run, STRETCH};

use crate::control::Answer;
use crate::convert;
use crate::usage::{Ledger, instant, invalid, too_large, whole_from, whole_to};

/// A page that is asked for: all that the state has to say to it.
#[derive(Debug, Clone)]
pub struct Question {
    query: ExplainQuery,
    zone: ZoneRules,
    name: Option<String>,
    /// The cycle of now.
    cycle: bool,
    billed: Option<u64>,
    uncounted_apns: Vec<String>,
    /// Connections that are up: the ledger keeps their figures only now and then.
    up: Vec<Session>,
}

impl Question {
    /// Understands a question.
    ///
    /// # Errors
    /// When a parameter makes no sense, or no such SIM is known.
    pub fn of(state: &State, at: Stamp, question: &ExplainUsageParams) -> Answer<Self> {
        let iccid = convert::sim_named(state, question.sim.as_deref())?;
        let Asked { from, mut until, cycle } = Asked::of(state, &iccid, at, question)?;
        let after = question.after.as_deref().map(cursor).transpose()?;
        if let Some((first_until, _)) = after {
            until = first_until;
        }
        let after = after.map(|(_, cursor)| cursor);
        Ok(Self {
            zone: state.zone_of(&iccid).clone(),
            name: convert::named(state, &iccid),
            cycle,
            billed: state
                .facts(&iccid)
                .filter(|facts| cycle && facts.plan.is_some())
                .map(|facts| facts.billed_bytes),
            uncounted_apns: state
                .settings()
                .sims
                .get(&iccid)
                .map(|sim| sim.uncounted_apns.iter().map(|apn| apn.as_str().to_owned()).collect())
                .unwrap_or_default(),
            up: state
                .sessions()
                .filter(|(session, _)| session.iccid == iccid)
                .map(|(session, _)| session.clone())
                .collect(),
            query: ExplainQuery { iccid, from, until, after, limit: question.limit.unwrap_or(64).max(1) },
        })
    }

    /// The page.
    ///
    /// # Errors
    /// When the ledger cannot be read, or a sum does not fit.
    pub fn page(&self, ledger: &Ledger<'_>) -> Result<ExplainPage, QueryError> {
        let (iccid, zone) = (&self.query.iccid, &self.zone);
        let (from, until) = (self.query.from, self.query.until);
        let found = ledger.explain(&self.query)?;
        let total = ledger.span_sums(iccid, from, until)?;
        let total = UsageTotal {
            rx_bytes: total.volume.rx,
            tx_bytes: total.volume.tx,
            correction_bytes: total.corrections,
        };
        let sum = ExplainSum {
            rx_bytes: found.counted.rx,
            tx_bytes: found.counted.tx,
            correction_bytes: found.corrections,
            bytes: sum(found.counted, found.corrections)?,
            undated_bytes: found.undated.total(),
        };
        let adds_up = sum.rx_bytes == total.rx_bytes
            && sum.tx_bytes == total.tx_bytes
            && sum.correction_bytes == total.correction_bytes;
        let span = ExplainSpan {
            iccid: iccid.as_str().to_owned(),
            name: self.name.clone(),
            start: zone.rfc3339(from),
            end: zone.rfc3339(until),
            cycle: self.cycle,
            billed_bytes: self.billed,
            uncounted_apns: self.uncounted_apns.clone(),
        };
        let mut page = ExplainPage {
            span,
            runs: Vec::new(),
            corrections: Vec::new(),
            gaps: Vec::new(),
            sessions: Vec::new(),
            observations: Vec::new(),
            undated: Vec::new(),
            sum,
            total,
            adds_up,
            next: found.next.map(|next| place(until, next)),
        };
        for part in found.parts {
            let part = match part {
                Part::Session(kept) if !kept.over => {
                    Part::Session(self.up.iter().find(|up| up.id == kept.id).cloned().unwrap_or(kept))
                }
                part => part,
            };
            add(&mut page, part, zone);
        }
        Ok(page)
    }
}

fn sum(counted: Volume, corrections: i64) -> Result<i64, QueryError> {
    let all = i128::from(counted.rx) + i128::from(counted.tx) + i128::from(corrections);
    i64::try_from(all).map_err(|_| QueryError::Overflow { what: "usage" })
}

fn add(page: &mut ExplainPage, part: Part, zone: &ZoneRules) {
    match part {
        Part::Counted(run) => page.runs.push(run_reply(run, zone)),
        Part::Undated(run) => page.undated.push(run_reply(run, zone)),
        Part::Corrected(kept) => page.corrections.push(ExplainedCorrection {
            id: kept.id,
            at: zone.rfc3339(kept.correction.at),
            bytes: kept.correction.bytes,
            author: kept.correction.author,
            reason: kept.correction.reason,
            undoes: kept.correction.undoes,
            undone_by: kept.undone_by,
        }),
        Part::Gap(kept) => page.gaps.push(ExplainedGap {
            iccid: kept.gap.iccid.map(String::from),
            from: kept.gap.from.map(|at| zone.rfc3339(at)),
            until: kept.gap.until.map(|at| zone.rfc3339(at)),
            reason: kept.gap.reason.as_str().to_owned(),
            text: kept.gap.reason.in_words().to_owned(),
            detail: kept.gap.detail,
        }),
        Part::Session(session) => page.sessions.push(session_reply(session, zone)),
        Part::Observed { observation, withdrawn } => {
            page.observations.push(observation_reply(observation, withdrawn, zone));
        }
    }
}

fn run_reply(run: Run, zone: &ZoneRules) -> ExplainedRun {
    ExplainedRun {
        epoch: run.epoch.0,
        session: run.session.map(|session| session.0),
        source: run.source.as_str().to_owned(),
        zone: run.zone.to_text(),
        apn: run.apn,
        interface: run.interface,
        modem: run.modem.map(String::from),
        about: run.about,
        from: run.measured.map(|(first, _)| zone.rfc3339(first)),
        until: run.measured.map(|(_, last)| zone.rfc3339(last)),
        rx_bytes: run.volume.rx,
        tx_bytes: run.volume.tx,
    }
}

fn session_reply(session: Session, zone: &ZoneRules) -> ExplainedSession {
    let kernel = session.kernel.map(|figures| figures.grown);
    let modem = session.told.map(|figures| figures.grown);
    ExplainedSession {
        id: session.id.0,
        source: session.source.as_str().to_owned(),
        modem: session.modem.map(String::from),
        apn: session.apn.map(|apn| apn.to_string()),
        interface: session.interface.map(|name| name.to_string()),
        began: session.began.map(|at| zone.rfc3339(at)),
        ended: session.ended.map(|at| zone.rfc3339(at)),
        over: session.over,
        kernel_rx_bytes: kernel.map(|volume| volume.rx),
        kernel_tx_bytes: kernel.map(|volume| volume.tx),
        modem_rx_bytes: modem.map(|volume| volume.rx),
        modem_tx_bytes: modem.map(|volume| volume.tx),
        difference_bytes: kernel
            .zip(modem)
            .and_then(|(kernel, modem)| difference(kernel.total(), modem.total())),
    }
}

fn observation_reply(observation: Observation, withdrawn: bool, zone: &ZoneRules) -> ExplainedObservation {
    // What persons corrected is the carrier's already.
    let ours = i128::from(observation.billed) + i128::from(observation.corrections);
    let ours = u64::try_from(ours.max(0)).unwrap_or(u64::MAX);
    ExplainedObservation {
        id: observation.id.0,
        at: zone.rfc3339(observation.at),
        bytes: observation.bytes,
        billed_bytes: ours,
        difference_bytes: difference(observation.bytes, ours).unwrap_or(i64::MAX),
        source: match observation.source {
            ObservationSource::User => "user",
            ObservationSource::Ussd => "ussd",
            ObservationSource::Sms => "sms",
        }
        .to_owned(),
        author: observation.author,
        note: observation.note,
        withdraws: observation.withdraws.map(|id| id.0),
        withdrawn,
    }
}

fn difference(one: u64, other: u64) -> Option<i64> {
    i64::try_from(i128::from(one) - i128::from(other)).ok()
}

struct Asked {
    from: Timestamp,
    until: Timestamp,
    /// The cycle of now.
    cycle: bool,
}

impl Asked {
    fn of(state: &State, iccid: &Iccid, at: Stamp, question: &ExplainUsageParams) -> Answer<Self> {
        let zone = state.zone_of(iccid);
        let ways = [
            question.day.is_some(),
            question.cycle.is_some(),
            question.from.is_some() || question.to.is_some(),
        ];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            return Err(invalid(
                "day",
                "a day, a cycle and a span exclude each other",
                "give one of --day, --cycle and --from with --to",
            ));
        }
        let now = at.wall.saturating_add(Span(1));
        let bounds = state.sims().find(|sim| sim.record.iccid == *iccid).and_then(|sim| sim.bounds);
        let asked = if let Some(text) = &question.day {
            let date = civil(text, "day")?;
            let next = date.succ_opt().ok_or_else(too_large)?;
            Self { from: zone.day_start(date), until: zone.day_start(next), cycle: false }
        } else if let Some(text) = &question.cycle {
            let date = civil(text, "cycle")?;
            let cycle = cycle_at(&state.period_of(iccid), date).ok_or_else(|| {
                invalid("cycle", "no cycle of the plan holds this day", "give a day on which the plan ran")
            })?;
            let (from, end) = cycle.bounds(zone);
            Self { from, until: end.unwrap_or(now), cycle: Some(from) == bounds.map(|(start, _)| start) }
        } else if question.from.is_some() || question.to.is_some() {
            let start = bounds.map_or_else(|| zone.day_start(zone.date(at.wall)), |(start, _)| start);
            let from = question.from.as_deref().map(|text| instant(text, zone, "from")).transpose()?;
            let until = question.to.as_deref().map(|text| instant(text, zone, "to")).transpose()?;
            let from = from.map(|from| whole_from(from, zone));
            let until = until.map(|until| whole_to(until, zone));
            Self { from: from.unwrap_or(start), until: until.unwrap_or(now), cycle: false }
        } else {
            // Before the clock is believed nobody knows the cycle, and a plan that is over has none.
            let (from, end) = bounds.unwrap_or_else(|| (zone.day_start(zone.date(at.wall)), None));
            Self { from, until: end.unwrap_or(now), cycle: bounds.is_some() }
        };
        if asked.from > asked.until {
            return Err(invalid("from", "the span ends before it begins", "give the earlier one as --from"));
        }
        if asked.from > now {
            let (argument, hint) = match (&question.day, &question.cycle) {
                (Some(_), _) => ("day", "give an earlier --day"),
                (_, Some(_)) => ("cycle", "give an earlier --cycle"),
                _ => ("from", "give an earlier --from"),
            };
            return Err(invalid(argument, &format!("{argument} is in the future"), hint));
        }
        if asked.until.since(asked.from) > STRETCH && !asked.cycle {
            return Err(invalid(
                "from",
                "more than 400 days are too long to explain at once",
                "give a shorter span; `simbellctl usage` shows the sums of longer ones",
            ));
        }
        Ok(asked)
    }
}

fn civil(text: &str, argument: &str) -> Answer<chrono::NaiveDate> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        invalid(argument, &format!("{argument} is {shown:?}, which is no date"), "write 2026-11-22")
    })
}

/// `END:KIND:GIVEN`, and `:STRETCH` in a long span: one that ends now ends at the same instant on every page.
fn place(until: Timestamp, next: ExplainCursor) -> String {
    let stretch = next.stretch.map_or_else(String::new, |from| format!(":{}", from.as_millis()));
    format!("{}:{}:{}{stretch}", until.as_millis(), next.kind, next.given)
}

/// Reads what [`place`] wrote.
fn cursor(text: &str) -> Answer<(Timestamp, ExplainCursor)> {
    let mut parts = text.split(':');
    let mut read = || {
        let until = parts.next()?.parse().ok()?;
        let (kind, given) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let stretch = parts.next().map(|from| from.parse().map(Timestamp::from_millis)).transpose().ok()?;
        let cursor = ExplainCursor { kind, given, stretch };
        parts.next().is_none().then_some((Timestamp::from_millis(until), cursor))
    };
    read().ok_or_else(|| {
        invalid("after", "this is no place to go on from", "pass on the `next` of the page before")
    })
}
