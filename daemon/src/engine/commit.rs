//! The commit: changes wait here until the ledger has them.

use std::collections::BTreeMap;

use simbell_core::effect::{Change, Effects};
use simbell_core::event::Event;

use super::{COMMIT_AGAIN, Engine};

/// What waits for the ledger: changes to be made, and what follows once they are.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pub(super) changes: Vec<Change>,
    pub(super) then: Vec<Effects>,
    pub(super) failing: bool,
}

impl Backlog {
    /// A ledger that cannot be written for days must not fill memory: what replaces or adds to an earlier change
    /// takes its place.
    fn compact(&mut self) {
        let mut out: Vec<Change> = Vec::with_capacity(self.changes.len());
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for change in std::mem::take(&mut self.changes) {
            let Some(key) = key(&change) else {
                out.push(change);
                continue;
            };
            match places.get(&key).copied() {
                Some(place) => {
                    if let Some(slot) = out.get_mut(place) {
                        merge(slot, change);
                    }
                }
                None => {
                    places.insert(key, out.len());
                    out.push(change);
                }
            }
        }
        self.changes = out;
    }
}

fn key(change: &Change) -> Option<String> {
    match change {
        Change::SetBaseline(base) => Some(format!("baseline {}", base.counter)),
        Change::AddUsage(slot) => Some(format!("usage {:?} {:?}", slot.epoch, slot.when)),
        Change::KeepReminder(reminder) => Some(format!("reminder {}", reminder.key)),
        Change::KeepDelivery(delivery) => Some(format!("delivery {}", delivery.id)),
        Change::KeepScheduleMark { key, .. } => Some(format!("mark {key}")),
        Change::KeepSim(sim) => Some(format!("sim {}", sim.iccid)),
        _ => None,
    }
}

fn merge(into: &mut Change, change: Change) {
    match (into, change) {
        (Change::AddUsage(sum), Change::AddUsage(more)) => {
            sum.rx_bytes = sum.rx_bytes.saturating_add(more.rx_bytes);
            sum.tx_bytes = sum.tx_bytes.saturating_add(more.tx_bytes);
            sum.from = sum.from.min(more.from);
            sum.until = sum.until.max(more.until);
        }
        (into, change) => *into = change,
    }
}

impl Engine {
    /// Tries to commit what waits; once. Tells whether everything is in the ledger now.
    pub(super) async fn commit_backlog_once(&mut self) -> bool {
        if self.backlog.changes.is_empty() {
            return true;
        }
        let Some(mut store) = self.store.take() else { return false };
        let changes = std::mem::take(&mut self.backlog.changes);
        let done = tokio::task::spawn_blocking(move || {
            let result = store.apply(&changes);
            (store, changes, result)
        })
        .await;
        match done {
            Ok((store, _, Ok(()))) => {
                self.store = Some(store);
                self.commit_again = None;
                if std::mem::take(&mut self.backlog.failing) {
                    tracing::info!("the ledger can be written again");
                    let fx = self.step(&Event::Committed);
                    self.backlog.then.push(fx);
                }
                true
            }
            Ok((store, changes, Err(error))) => {
                self.store = Some(store);
                self.backlog.changes = changes;
                self.backlog.compact();
                self.commit_again = Some(tokio::time::Instant::now() + COMMIT_AGAIN);
                if !self.backlog.failing {
                    self.backlog.failing = true;
                    tracing::error!(%error, "the ledger cannot be written; changes are kept and tried again");
                    let fx = self.step(&Event::CommitFailed(error.to_string()));
                    self.backlog.then.push(fx);
                }
                false
            }
            Err(panic) => {
                tracing::error!(%panic, "the ledger's task ended unexpectedly");
                self.stopping = true;
                false
            }
        }
    }

    /// Tries again to commit what waits, and does what waited for it.
    pub(super) async fn commit_backlog(&mut self) {
        self.settle().await;
    }
}
