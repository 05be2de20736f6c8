//! The carrier's view on behalf of callers: as billed, corrections taken back, and the carrier's own figures.

use simbell_api::{
    BilledPage, ControlError, CorrectionsPage, EntriesParams, GetUsageParams, ObservationReply,
    ObservationsPage, ObserveUsageParams, UndoCorrectionParams, UndoneReply, WithdrawObservationParams,
};
use simbell_core::bytes::Bytes;
use simbell_core::cycle::cycle_at;
use simbell_core::effect::Change;
use simbell_core::event::Event;
use simbell_core::ident::Iccid;
use simbell_core::ledger::Correction;
use simbell_core::observation::{
    MOST_USED, Observation, ObservationId, ObservationSource, ObserveError, Observed, Overdrawn, Spent, plain,
};
use simbell_core::time::Timestamp;
use simbell_store::QueryError;

use super::Engine;
use super::request::Reply;
use crate::control::Answer;
use crate::{billed, convert, usage};

/// As billed is shown beside as measured, which is asked for just before: both are of one reading then.
const SAME_ANSWER_MS: u64 = 2_000;

/// Entries on a page, unless fewer are asked for: each may hold texts of 200 characters.
const PAGE_ENTRIES: u32 = 16;

/// What a caller asks about the carrier's view.
pub enum CarrierRequest {
    /// One page of days or cycles as billed.
    Billed(GetUsageParams, Reply<BilledPage>),
    /// One page of corrections.
    Corrections(EntriesParams, Reply<CorrectionsPage>),
    /// A correction is to be taken back; on behalf of a user id.
    Undo(UndoCorrectionParams, u32, Reply<UndoneReply>),
    /// One page of observations.
    Observations(EntriesParams, Reply<ObservationsPage>),
    /// The carrier's own figure; on behalf of a user id.
    Observe(ObserveUsageParams, u32, Reply<ObservationReply>),
    /// An observation is to be taken back; on behalf of a user id.
    Withdraw(WithdrawObservationParams, u32, Reply<ObservationReply>),
}

impl Engine {
    pub(super) async fn serve_carrier(&mut self, request: CarrierRequest) {
        // A caller that has gone away needs no answer.
        match request {
            CarrierRequest::Billed(question, reply) => {
                let now = self.stamp().boot_ms;
                let told = self.asked_boot_ms.is_some_and(|at| now.saturating_sub(at) < SAME_ANSWER_MS);
                // Later pages tell of the moment of the first.
                if question.after.is_none() && !told {
                    self.fresh().await;
                    self.flush().await;
                }
                let asked = billed::Question::of(&self.state, self.stamp(), &question);
                self.beside(reply, asked, billed::Question::page);
            }
            CarrierRequest::Corrections(question, reply) => {
                let _ = reply.send(self.corrections(&question));
            }
            CarrierRequest::Undo(which, uid, reply) => {
                let answer = self.undo_correction(which, uid).await;
                let _ = reply.send(answer);
            }
            CarrierRequest::Observations(question, reply) => {
                let _ = reply.send(self.observations(&question));
            }
            CarrierRequest::Observe(figure, uid, reply) => {
                let answer = self.observe(figure, uid).await;
                let _ = reply.send(answer);
            }
            CarrierRequest::Withdraw(which, uid, reply) => {
                let answer = self.withdraw(which, uid).await;
                let _ = reply.send(answer);
            }
        }
    }

    fn corrections(&self, question: &EntriesParams) -> Answer<CorrectionsPage> {
        let (iccid, before, limit) = self.entries(question)?;
        let kept = self.ledger()?.corrections(iccid.as_ref(), before, limit).map_err(unreadable)?;
        let next = next(kept.len(), limit, kept.last().map(|kept| kept.id));
        let corrections = kept.iter().map(|kept| convert::correction(&self.state, kept)).collect();
        Ok(CorrectionsPage { corrections, next })
    }

    fn observations(&self, question: &EntriesParams) -> Answer<ObservationsPage> {
        let (iccid, before, limit) = self.entries(question)?;
        let before = before.map(ObservationId);
        let kept = self.ledger()?.observations(iccid.as_ref(), before, limit).map_err(unreadable)?;
        let next = next(kept.len(), limit, kept.last().map(|kept| kept.id.0));
        let observations = kept.iter().map(|kept| convert::observation(&self.state, kept)).collect();
        Ok(ObservationsPage { observations, next })
    }

    fn entries(&self, question: &EntriesParams) -> Answer<(Option<Iccid>, Option<i64>, u32)> {
        let iccid = question.sim.as_deref().map(|name| self.sim_named(Some(name))).transpose()?;
        let before = question.after.as_deref().map(|text| {
            let no_place =
                || usage::invalid("after", "this is no place to go on from", "pass on the `next` before");
            text.parse().map_err(|_| no_place())
        });
        Ok((iccid, before.transpose()?, question.limit.unwrap_or(PAGE_ENTRIES).clamp(1, PAGE_ENTRIES)))
    }

    /// Why a correction that was taken back is not taken back again. What took it back may have been taken back in turn, and
    /// so on: the last of them decides whether it holds.
    fn taken_back(&self, id: i64, by: i64) -> Answer<ControlError> {
        let (mut last, mut holds) = (by, false);
        while let Some(next) =
            self.ledger()?.correction(last).map_err(unreadable)?.and_then(|kept| kept.undone_by)
        {
            (last, holds) = (next, !holds);
        }
        let (message, hint) = if holds {
            (
                format!("correction {id} was taken back by {by}, and holds again by {last}"),
                format!("take {last} back to take it out: `simbellctl usage undo {last} --reason TEXT`"),
            )
        } else {
            (
                format!("correction {id} was taken back by {by}"),
                format!(
                    "take {last} back in turn if it is to hold again: `simbellctl usage undo {last} --reason TEXT`"
                ),
            )
        };
        Ok(ControlError::AlreadyUndone { message, hint })
    }

    async fn undo_correction(&mut self, which: UndoCorrectionParams, uid: u32) -> Answer<UndoneReply> {
        is_reason(&which.reason)?;
        let kept = self.ledger()?.correction(which.id).map_err(unreadable)?;
        let kept = kept
            .ok_or_else(|| unknown(&format!("no correction has the number {}", which.id), "corrections"))?;
        if let Some(by) = kept.undone_by {
            return Err(self.taken_back(which.id, by)?);
        }
        let waits = |change: &Change| matches!(change, Change::AppendCorrection(other) if other.undoes == Some(which.id));
        if self.backlog.changes.iter().any(waits) {
            return Err(waiting(&format!("correction {} is being taken back already", which.id)));
        }
        let bytes = kept
            .correction
            .bytes
            .checked_neg()
            .ok_or_else(|| convert::internal("the amount is too large"))?;
        self.fresh().await;
        let iccid = kept.correction.iccid;
        // Judged by the state that takes it: nothing happens in between.
        let spent = self.cycle_of(&iccid, kept.correction.at)?;
        if let Some(spent) = spent {
            spent.corrected_by(bytes).map_err(|error| overdrawn(which.id, error))?;
            if spent.exceeds_with(bytes) {
                return Err(ControlError::Refused {
                    message: format!(
                        "correction {} is not taken back: more than {} would be used in its cycle",
                        which.id,
                        Bytes(MOST_USED)
                    ),
                    hint: "say what was used: `simbellctl usage set`".to_owned(),
                });
            }
        }
        // Of a cycle gone by nothing moves meanwhile.
        let past = spent.filter(|_| !self.is_of_this_cycle(&iccid, kept.correction.at));
        let past = past.map(|spent| {
            let left = |used: i128| u64::try_from(used.max(0)).unwrap_or(u64::MAX);
            (left(spent.used()), left(spent.used() + i128::from(bytes)))
        });
        let before = past.map_or_else(|| self.state.used(&iccid), |(before, _)| before);
        let replaced = self.ledger.replaced;
        let correction = Correction {
            iccid: iccid.clone(),
            at: kept.correction.at,
            bytes,
            author: format!("uid {uid}"),
            reason: which.reason,
            undoes: Some(which.id),
        };
        self.feed(Event::UsageCorrected(correction)).await;
        self.committed_to(replaced)?;
        let by = self.ledger()?.correction(which.id).map_err(unreadable)?.and_then(|kept| kept.undone_by);
        let entry = by.map(|by| self.ledger()?.correction(by).map_err(unreadable)).transpose()?.flatten();
        let entry = entry.ok_or_else(|| convert::internal("the entry is not in the ledger"))?;
        Ok(UndoneReply {
            correction: convert::correction(&self.state, &entry),
            before_bytes: before,
            bytes: past.map_or_else(|| self.state.used(&iccid), |(_, after)| after),
        })
    }

    fn is_of_this_cycle(&self, iccid: &Iccid, at: Timestamp) -> bool {
        let bounds = self.state.sims().find(|sim| sim.record.iccid == *iccid).and_then(|sim| sim.bounds);
        bounds.is_some_and(|(start, end)| at >= start && end.is_none_or(|end| at < end))
    }

    /// What the cycle that an instant lies in came to as rules see it, what the ledger does not have yet included: of that of
    /// now as the state knows it. None in no cycle.
    fn cycle_of(&self, iccid: &Iccid, at: Timestamp) -> Answer<Option<Spent>> {
        if self.is_of_this_cycle(iccid, at) {
            return Ok(self.state.spent(iccid).map(|spent| self.state.as_used(iccid, spent)));
        }
        let spent = billed::spent_by_end(&self.state, self.ledger()?, iccid, at, None).map_err(unreadable)?;
        let cycle = |at| cycle_at(&self.state.period_of(iccid), self.state.zone_of(iccid).date(at));
        let waiting = self.backlog.changes.iter().filter_map(|change| match change {
            Change::AppendCorrection(other) if other.iccid == *iccid && cycle(other.at) == cycle(at) => {
                Some(other.bytes)
            }
            _ => None,
        });
        let waiting = waiting.fold(0_i64, i64::saturating_add);
        let spent = spent.map(|spent| self.state.as_used(iccid, spent));
        Ok(spent.map(|spent| Spent { corrections: spent.corrections.saturating_add(waiting), ..spent }))
    }

    async fn observe(&mut self, figure: ObserveUsageParams, uid: u32) -> Answer<ObservationReply> {
        let iccid = self.sim_named(figure.sim.as_deref())?;
        self.fresh().await;
        let at = figure
            .at
            .as_deref()
            .map(|text| usage::instant(text, self.state.zone_of(&iccid), "at"))
            .transpose()?;
        let spent = self.spent(&iccid, at).await?;
        let observed = Observed {
            iccid: iccid.clone(),
            // As the state knows it: a figure of now is not of a moment that it has yet to come to.
            at: at.unwrap_or_else(|| self.state.now().wall),
            bytes: figure.bytes,
            source: ObservationSource::User,
            author: format!("uid {uid}"),
            note: figure.note.unwrap_or_default(),
        };
        let observation = self.state.observation(observed, spent).map_err(|error| refused(&error))?;
        self.observed(&iccid, observation).await
    }

    /// What the cycle came to by then: as known now, or from the ledger where a time is given.
    async fn spent(&mut self, iccid: &Iccid, at: Option<Timestamp>) -> Answer<Spent> {
        let outside = || refused(&ObserveError::OutsideCycles);
        let Some(at) = at else {
            // Without a plan or a clock that is believed the state says so itself.
            let none = Spent { cycle_start: self.stamp().wall, billed: 0, corrections: 0 };
            let known = self.state.tariff(iccid).is_some() && self.stamp().trusted;
            return self.state.spent(iccid).or((!known).then_some(none)).ok_or_else(outside);
        };
        let first = self.state.sims().find(|sim| sim.record.iccid == *iccid).and_then(|sim| sim.first_at);
        if first.is_none_or(|first| at < first) {
            return Err(refused(&ObserveError::BeforeMeasurement));
        }
        self.flush().await;
        let tariff = self.state.tariff(iccid).ok_or_else(|| refused(&ObserveError::NoPlan))?;
        billed::spent(&tariff, self.ledger()?, iccid, at).map_err(unreadable)?.ok_or_else(outside)
    }

    async fn withdraw(&mut self, which: WithdrawObservationParams, uid: u32) -> Answer<ObservationReply> {
        plain(&which.note).map_err(|error| {
            usage::invalid("note", &format!("the reason {error}"), "say it in one short line")
        })?;
        let id = ObservationId(which.id);
        let none = || unknown(&format!("no observation has the number {}", which.id), "observations");
        let (found, withdrawn) = self.ledger()?.observation(id).map_err(unreadable)?.ok_or_else(none)?;
        if let Some(other) = found.withdraws {
            return Err(unknown(
                &format!("{} is the entry that takes {} back, not an observation", which.id, other.0),
                "observations",
            ));
        }
        if let Some(by) = withdrawn {
            return Err(ControlError::AlreadyUndone {
                message: format!("observation {} was taken back by {}", which.id, by.0),
                hint: "if it is to hold again, observe it anew: `simbellctl usage observe`".to_owned(),
            });
        }
        let waits = |change: &Change| matches!(change, Change::AppendObservation(other) if other.withdraws == Some(id));
        if self.backlog.changes.iter().any(waits) {
            return Err(waiting(&format!("observation {} is being taken back already", which.id)));
        }
        let iccid = found.iccid.clone();
        let entry = Observation {
            bytes: 0,
            billed: 0,
            corrections: 0,
            source: ObservationSource::User,
            author: format!("uid {uid}"),
            note: which.note,
            withdraws: Some(id),
            ..found
        };
        self.observed(&iccid, entry).await
    }

    async fn observed(&mut self, iccid: &Iccid, entry: Observation) -> Answer<ObservationReply> {
        let replaced = self.ledger.replaced;
        self.feed(Event::UsageObserved(entry)).await;
        self.committed_to(replaced)?;
        let kept = self.state.observations(iccid).last().map(|(kept, _)| (*kept).clone());
        let kept = kept.ok_or_else(|| convert::internal("the entry is not there"))?;
        Ok(ObservationReply {
            observation: convert::observation(&self.state, &kept),
            calibration: convert::calibration(&self.state, iccid),
            calibrated_bytes: self.state.calibrated(iccid),
            parts: convert::parts(&self.state, iccid),
        })
    }
}

/// Where the next page begins: with entries of lower numbers.
fn next(got: usize, limit: u32, last: Option<i64>) -> Option<String> {
    let full = u32::try_from(got).is_ok_and(|got| got >= limit);
    last.filter(|_| full).map(|last| last.to_string())
}

fn unreadable(error: QueryError) -> ControlError {
    usage::unreadable(&error)
}

fn unknown(message: &str, list: &str) -> ControlError {
    ControlError::UnknownEntry {
        message: message.to_owned(),
        hint: format!("`simbellctl usage {list}` lists them with their numbers"),
    }
}

/// Whether a text can be kept as the reason of a change.
pub(super) fn is_reason(text: &str) -> Answer<()> {
    let refused = |why: &str| usage::invalid("reason", why, "say it in one short line");
    if text.trim().is_empty() {
        return Err(refused("the reason is empty"));
    }
    plain(text).map_err(|error| refused(&format!("the reason {error}")))
}

fn overdrawn(id: i64, error: Overdrawn) -> ControlError {
    ControlError::Refused {
        message: format!("correction {id} is not taken back: {error}"),
        hint: "take the later ones back first, newest first (`simbellctl usage corrections` lists them); or say what was \
               used: `simbellctl usage set`"
            .to_owned(),
    }
}

fn waiting(message: &str) -> ControlError {
    ControlError::AlreadyUndone {
        message: message.to_owned(),
        hint: "the ledger cannot be written now: see `simbellctl status`".to_owned(),
    }
}

fn refused(error: &ObserveError) -> ControlError {
    let (argument, hint) = match error {
        ObserveError::NoPlan => {
            return ControlError::NoPlan {
                message: error.to_string(),
                hint: "`simbellctl plan add` asks what is needed and writes a plan".to_owned(),
            };
        }
        ObserveError::ClockUntrusted => {
            return ControlError::Busy {
                message: error.to_string(),
                hint: "set the clock or wait for NTP; see service.clock in the configuration".to_owned(),
            };
        }
        ObserveError::OutsideCycles | ObserveError::BeforeMeasurement => {
            return ControlError::Refused {
                message: error.to_string(),
                hint: "leave --at out where the figure is of now".to_owned(),
            };
        }
        ObserveError::TooFar { .. } => {
            return ControlError::Refused {
                message: error.to_string(),
                hint: "see what was billed with `simbellctl usage --by cycle`; usage from before simbell ran is told by \
                       `simbellctl usage set`"
                    .to_owned(),
            };
        }
        ObserveError::Future => ("at", "leave --at out where the figure is of now"),
        ObserveError::Nothing | ObserveError::TooLarge => {
            ("bytes", "give what the carrier says was used in this cycle, such as 4.2GB")
        }
        ObserveError::Note(_) => ("note", "say it in one short line"),
    };
    let message = match error {
        ObserveError::Note(error) => format!("the note {error}"),
        error => error.to_string(),
    };
    usage::invalid(argument, &message, hint)
}
