//! The ledger's past: read beside the service, and tidied once a day.

use chrono::Days;
use simbell_api::{GetUsageParams, UsagePage};
use simbell_core::state::State;
use simbell_core::time::{Span, Stamp, Timestamp};
use simbell_store::{Fold, QueryError, Reader, Retention, Store};

use super::Engine;
use super::ledger::watch;
use super::request::{Reply, no_ledger};
use crate::config::HistorySettings;
use crate::control::Answer;
use crate::usage::{Ledger, Question, unreadable};

const DAY_MS: u64 = 86_400_000;

/// What is done to the ledger once a day, after a commit.
#[derive(Debug)]
pub(super) struct Tidy {
    now: Timestamp,
    folds: Vec<Fold>,
}

impl Tidy {
    fn of(state: &State, at: Stamp, history: &HistorySettings) -> Self {
        let folds = state.sims().map(|sim| {
            let iccid = &sim.record.iccid;
            let zone = state.zone_of(iccid);
            let today = zone.date(at.wall);
            // The current cycle stays as it was counted, whatever its length.
            let cycle = sim.bounds.map_or(at.wall, |(start, _)| start);
            let until = |kept: Option<Span>| {
                let days = u64::try_from(kept?.as_millis()).ok()?.div_ceil(DAY_MS);
                Some(zone.day_start(today.checked_sub_days(Days::new(days))?).min(cycle))
            };
            Fold {
                iccid: iccid.clone(),
                zone: zone.clone(),
                period: state.period_of(iccid),
                hours_until: until(history.hours),
                days_until: until(history.days),
            }
        });
        Self { now: at.wall, folds: folds.collect() }
    }

    /// Whether there is more to be done soon. What fails is tried again the next day: nothing depends on it.
    pub(super) fn run(self, store: &mut Store) -> bool {
        if let Err(error) = store.prune(self.now, &Retention::default()) {
            tracing::warn!(%error, "old rows of the ledger could not be forgotten");
        }
        let mut more = false;
        for fold in &self.folds {
            match store.fold(fold) {
                Ok(folded) => more |= folded.more,
                Err(error) => tracing::warn!(%error, "old usage could not be folded"),
            }
        }
        if let Err(error) = store.roll_up(self.now) {
            tracing::warn!(%error, "usage could not be summed by day; totals are summed from hours");
        }
        more
    }
}

impl Engine {
    /// Once a day, while the date can be believed.
    pub(super) fn tidy_due(&mut self) -> Option<Tidy> {
        let at = self.stamp();
        let due =
            at.trusted && self.tidied_boot_ms.is_none_or(|last| at.boot_ms.saturating_sub(last) >= DAY_MS);
        due.then(|| {
            self.tidied_boot_ms = Some(at.boot_ms);
            Tidy::of(&self.state, at, &self.history)
        })
    }

    /// A connection to read the ledger by, beside the service's own; none where the file system allows but one.
    pub(super) fn reader(&self) -> Option<Reader> {
        let store = self.store.as_ref().filter(|store| store.is_shared())?;
        match watch(&self.ledger.damage, Reader::open(store.path())) {
            Ok(reader) => Some(reader),
            Err(error) => {
                tracing::warn!(%error, "the ledger cannot be read beside its writer");
                None
            }
        }
    }

    pub(super) async fn usage_page(&mut self, asked: &GetUsageParams, reply: Reply<UsagePage>) {
        // The pages that follow are of the same answer.
        if asked.after.is_none() {
            self.fresh().await;
            self.flush().await;
        }
        self.beside(reply, Question::of(&self.state, self.stamp(), asked), Question::page);
    }

    /// Answers from the ledger beside the engine, where the file system lets two have it: nothing waits for a long read.
    pub(super) fn beside<Q: Send + 'static, T: Send + 'static>(
        &self,
        reply: Reply<T>,
        question: Answer<Q>,
        page: fn(&Q, &Ledger<'_>) -> Result<T, QueryError>,
    ) {
        let answer = match (question, self.reader(), &self.store) {
            (Ok(question), Some(reader), _) => {
                let damage = self.ledger.damage.clone();
                tokio::task::spawn_blocking(move || {
                    let page = watch(&damage, page(&question, &Ledger::Beside(&reader)));
                    // A caller that has gone away needs no answer.
                    let _ = reply.send(page.map_err(|e| unreadable(&e)));
                });
                return;
            }
            (Ok(question), None, Some(store)) => {
                watch(&self.ledger.damage, page(&question, &Ledger::Through(store)))
                    .map_err(|e| unreadable(&e))
            }
            (Ok(_), None, None) => Err(no_ledger()),
            (Err(error), ..) => Err(error),
        };
        let _ = reply.send(answer);
    }
}
