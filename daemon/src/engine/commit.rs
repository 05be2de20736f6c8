//! The commit: changes wait here until the ledger has them.

use std::collections::BTreeMap;

use simbell_core::effect::{Change, Effects, TotalsQuery};
use simbell_core::event::Event;
use simbell_core::health::WarningCode;
use simbell_core::ledger::Baseline;
use simbell_store::{ApplyError, ErrorKind, Store};

use super::{COMMIT_AGAIN, Engine};

/// What waits for the ledger: changes to be made, and what follows once they are.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pub(super) changes: Vec<Change>,
    pub(super) then: Vec<Effects>,
    pub(super) failing: bool,
    /// Sums that the ledger could not give yet.
    pub(super) unread: Vec<TotalsQuery>,
}

impl Backlog {
    /// A ledger that cannot be written for days must not fill memory: what replaces or adds to an earlier change
    /// takes its place.
    fn compact(&mut self) {
        let mut out: Vec<Change> = Vec::with_capacity(self.changes.len());
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for change in std::mem::take(&mut self.changes) {
            if matches!(change, Change::DateEntries { .. } | Change::DateEarlierBoots { .. }) {
                // Undated usage before it is dated by it; what follows is not.
                places.retain(|key, _| !key.starts_with("usage"));
            }
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
        self.compact_effects();
    }

    /// What waits for the commit becomes one: rules are asked once, on what was seen last.
    fn compact_effects(&mut self) {
        let mut all = Effects::default();
        for fx in std::mem::take(&mut self.then) {
            for query in fx.load_totals {
                // A cycle that is over is asked about beside the one that follows it.
                all.load_totals.retain(|earlier| earlier.iccid != query.iccid || apart(earlier, &query));
                all.load_totals.push(query);
            }
            for asked in fx.evaluate {
                all.evaluate.retain(|earlier| earlier.rule != asked.rule || earlier.trigger != asked.trigger);
                all.evaluate.push(asked);
            }
            all.deliver.extend(fx.deliver);
            all.act.extend(fx.act);
            for notice in fx.notices {
                if !all.notices.contains(&notice) {
                    all.notices.push(notice);
                }
            }
        }
        self.then.push(all);
    }
}

fn key(change: &Change) -> Option<String> {
    match change {
        // The last word on a counter holds: a baseline set anew must not be dropped by what came before it.
        Change::SetBaseline(Baseline { counter, .. }) | Change::DropBaseline { counter } => {
            Some(format!("baseline {counter}"))
        }
        Change::AddUsage(slot) => Some(format!("usage {:?} {:?}", slot.epoch, slot.when)),
        Change::KeepReminder(reminder) => Some(format!("reminder {}", reminder.key)),
        Change::KeepDelivery(delivery) => Some(format!("delivery {}", delivery.id)),
        Change::KeepScheduleMark { key, .. } => Some(format!("mark {key}")),
        Change::KeepSim(sim) => Some(format!("sim {}", sim.iccid)),
        Change::KeepMemory { rule, .. } => Some(format!("memory {rule}")),
        Change::KeepDecision { reminder, .. } => Some(format!("decision {reminder}")),
        Change::KeepAction(record) => Some(format!("action {}", record.key)),
        Change::KeepModem(modem) => Some(format!("modem {}", modem.id)),
        Change::KeepSession(session) => Some(format!("session {}", session.id.0)),
        _ => None,
    }
}

fn apart(a: &TotalsQuery, b: &TotalsQuery) -> bool {
    let before = |a: &TotalsQuery, b: &TotalsQuery| a.until.is_some_and(|until| until <= b.from);
    before(a, b) || before(b, a)
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
        if self.store.is_none() && !self.recover(None).await {
            return false;
        }
        if self.backlog.changes.is_empty() {
            self.nothing_to_commit();
            return true;
        }
        // A ledger that fails is not hammered by every event; the end is a last try.
        if self.backlog.failing && !self.stopping && self.commit_again.is_some() {
            return false;
        }
        if let Err(why) = self.put_back().await {
            return self.cannot_commit(&why);
        }
        if let Err(error) = self.writer.ready() {
            return self.cannot_commit(&format!("the thread that writes it cannot be started: {error}"));
        }
        let Some(mut store) = self.store.take() else { return false };
        let changes = std::mem::take(&mut self.backlog.changes);
        let tidy = self.tidy_due();
        let tidied = tidy.is_some();
        let write = move || {
            let result = store.apply(&changes);
            let more = match (&result, tidy) {
                (Ok(()), Some(tidy)) => tidy.run(&mut store),
                _ => false,
            };
            (store, changes, result, more)
        };
        match self.writer.run(write).await {
            Ok((store, _, Ok(()), more)) => {
                self.store = Some(store);
                if more {
                    self.tidied_boot_ms = None;
                }
                if tidied {
                    self.copy_if_due();
                }
                self.nothing_to_commit();
                if std::mem::take(&mut self.backlog.failing) {
                    tracing::info!("the ledger can be written again");
                    let fx = self.step(Event::Committed);
                    self.backlog.then.push(fx);
                }
                true
            }
            Ok((store, mut changes, Err(error), _))
                if error.impossible().is_some_and(|index| index < changes.len()) =>
            {
                // Trying again cannot mend it: the rest must not wait for it.
                self.store = Some(store);
                let left_out = error.impossible().map(|index| changes.remove(index));
                self.backlog.changes = changes;
                self.left_out(&error, left_out.as_ref());
                Box::pin(self.commit_backlog_once()).await
            }
            Ok((store, changes, Err(error), _)) if error.kind() == ErrorKind::Damaged => {
                self.store = Some(store);
                self.backlog.changes = changes;
                self.ledger.cannot_go_on();
                if !self.recover(Some(error.to_string())).await {
                    return false;
                }
                Box::pin(self.commit_backlog_once()).await
            }
            Ok((store, changes, Err(error), _)) => {
                self.store = Some(store);
                self.backlog.changes = changes;
                self.cannot_commit(&error.to_string())
            }
            Err(panic) => {
                tracing::error!(%panic, "the thread that writes the ledger ended unexpectedly");
                self.stopping = true;
                false
            }
        }
    }

    /// Says that a change that can never be made was not made.
    fn left_out(&mut self, error: &ApplyError, change: Option<&Change>) {
        let (what, text) = match error {
            ApplyError::Overflow { figure, .. } => {
                (*figure, format!("A sum ({figure}) does not fit into the ledger and was not booked."))
            }
            _ => {
                let kind = change.map_or("change", simbell_store::kind_of);
                (kind, format!("An entry ({kind}) cannot be written into the ledger and was left out."))
            }
        };
        tracing::error!(%error, change = what, "a change can never be made and is left out");
        let fx = self.step(Event::HealthReported {
            code: WarningCode::Overflow,
            subject: what.to_owned(),
            text: Some(format!("{text} Please report this with `simbellctl bug-report`.")),
        });
        self.backlog.then.push(fx);
    }

    /// Changes are kept, and tried again.
    fn cannot_commit(&mut self, error: &str) -> bool {
        self.backlog.compact();
        self.commit_again = Some(tokio::time::Instant::now() + COMMIT_AGAIN);
        if !self.backlog.failing {
            self.backlog.failing = true;
            tracing::error!(%error, "the ledger cannot be written; changes are kept and tried again");
            let fx = self.step(Event::CommitFailed(error.to_owned()));
            self.backlog.then.push(fx);
        }
        false
    }

    /// A ledger whose file was taken away while it is open goes on in a new one in its place, with all that it held.
    async fn put_back(&mut self) -> Result<(), String> {
        if self.store.as_ref().is_none_or(Store::is_in_place) {
            return Ok(());
        }
        let Some(store) = self.store.take() else { return Ok(()) };
        let (path, options, now) = (self.ledger.path.clone(), self.ledger.options.clone(), self.stamp().wall);
        let done = tokio::task::spawn_blocking(move || match store.put_back(now) {
            Ok(()) => {
                drop(store);
                Ok(Store::open(&path, &options))
            }
            Err(error) => Err(Box::new((store, error))),
        })
        .await;
        let gone = |why: String| format!("its file was taken away while it was open, and {why}");
        match done {
            Ok(Ok(Ok(store))) => {
                tracing::error!(
                    "the file of the ledger was taken away while the service had it open; all that it held was written \
                     to its place again"
                );
                self.store = Some(store);
                self.note_mended();
                Ok(())
            }
            // The next try opens it, or goes on from a copy.
            Ok(Ok(Err(error))) => Err(gone(format!("the new one cannot be opened: {error}"))),
            Ok(Err(failed)) => {
                let (store, error) = *failed;
                self.store = Some(store);
                Err(gone(format!("cannot be written anew: {error}")))
            }
            Err(panic) => Err(gone(panic.to_string())),
        }
    }

    /// Nothing is tried again but sums that could not be read.
    fn nothing_to_commit(&mut self) {
        if self.backlog.unread.is_empty() {
            self.commit_again = None;
        }
    }

    /// Tries again to commit what waits, and does what waited for it.
    pub(super) async fn commit_backlog(&mut self) {
        self.commit_again = None;
        let load_totals = std::mem::take(&mut self.backlog.unread);
        self.backlog.then.push(Effects { load_totals, ..Effects::default() });
        self.settle().await;
    }
}

#[cfg(test)]
mod tests {
    use simbell_core::ident::{BootId, Iccid, IfIndex};
    use simbell_core::ledger::{EpochId, Source, UsageSlot, When, Zone};
    use simbell_core::time::Timestamp;

    use super::*;

    fn baseline(rx_bytes: u64) -> Change {
        Change::SetBaseline(Baseline {
            counter: "link:5".into(),
            boot: BootId::new("boot").unwrap(),
            ifindex: Some(IfIndex(5)),
            interface: None,
            rx_bytes,
            tx_bytes: 0,
            connection_start: None,
            modem: None,
            apn: None,
            iccid: None,
            zone: Zone::Home,
            epoch: None,
            read_at: None,
            read_boot_ms: 0,
        })
    }

    fn usage(epoch: i64, rx_bytes: u64) -> Change {
        Change::AddUsage(UsageSlot {
            epoch: EpochId(epoch),
            iccid: Iccid::new("8900100000000000017").unwrap(),
            zone: Zone::Home,
            source: Source::Kernel,
            when: When::Hour(Timestamp::from_millis(0)),
            rx_bytes,
            tx_bytes: 1,
            from: 0,
            until: 1,
        })
    }

    fn compacted(changes: Vec<Change>) -> Vec<Change> {
        let mut backlog = Backlog { changes, ..Backlog::default() };
        backlog.compact();
        backlog.changes
    }

    /// What follows a commit that fails for days is asked for once.
    #[test]
    fn effects_that_wait_do_not_pile_up() {
        use std::sync::Arc;

        use simbell_core::effect::{Evaluation, Notice};
        use simbell_core::ident::RuleName;
        use simbell_core::view::{LocalNow, RuleInput, Trigger};

        let iccid = Iccid::new("8900100000000000017").unwrap();
        let mut backlog = Backlog::default();
        for n in 0..1_000 {
            let at = Timestamp::from_millis(n);
            let now = LocalNow { at, date: String::new(), time: String::new(), weekday: 1, day: 1, hour: 0 };
            let input = RuleInput {
                now,
                language: String::new(),
                sim: None,
                sims: Arc::from([]),
                modems: Arc::from([]),
                deliveries: Arc::from([]),
                warnings: Vec::new(),
                late_s: n,
            };
            backlog.then.push(Effects {
                load_totals: vec![TotalsQuery { iccid: iccid.clone(), from: at, until: None }],
                evaluate: vec![Evaluation {
                    rule: RuleName::new("r").unwrap(),
                    trigger: Trigger::Usage { sim: iccid.clone() },
                    input: Arc::new(input),
                    memory: Arc::default(),
                }],
                notices: vec![Notice::UsageGrew(iccid.clone())],
                ..Effects::default()
            });
            backlog.compact();
        }
        assert_eq!(backlog.then.len(), 1);
        let fx = &backlog.then[0];
        assert_eq!((fx.load_totals.len(), fx.evaluate.len(), fx.notices.len()), (1, 1, 1));
        assert_eq!(fx.evaluate[0].input.late_s, 999, "on what was seen last");
        assert_eq!(fx.load_totals[0].from, Timestamp::from_millis(999));
    }

    #[test]
    fn the_last_word_on_a_counter_holds() {
        let drop = || Change::DropBaseline { counter: "link:5".into() };
        assert_eq!(compacted(vec![baseline(1), drop(), baseline(2)]), [baseline(2)]);
        assert_eq!(compacted(vec![drop(), baseline(1), drop()]), [drop()]);
    }

    #[test]
    fn usage_of_one_slot_is_added_up() {
        let Change::AddUsage(mut sum) = usage(1, 30) else { panic!("usage") };
        sum.tx_bytes = 2;
        assert_eq!(
            compacted(vec![usage(1, 10), usage(2, 5), usage(1, 20)]),
            [Change::AddUsage(sum), usage(2, 5)]
        );
    }
}
