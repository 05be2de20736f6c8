//! Effects: carried out in order, after their commit; what comes back goes through the state again.

use std::collections::BTreeMap;
use std::sync::Arc;

use simbell_core::effect::{Effects, Evaluation, Notice};
use simbell_core::event::{DeliveryOutcome, Event, Recorded, RuleResult};
use simbell_core::reminder::Delivery;

use super::Engine;
use crate::{billed, convert};

impl Engine {
    /// Hands one event to the state and carries out everything that follows from it.
    pub(super) async fn feed(&mut self, event: Event) {
        let fx = self.step(event);
        self.backlog.then.push(fx);
        self.settle().await;
    }

    pub(super) fn step(&mut self, event: Event) -> Effects {
        let at = self.stamp();
        let mut fx = self.state.step(at, &event);
        self.recording.keep(Recorded { at, event });
        self.backlog.changes.append(&mut fx.changes);
        fx
    }

    /// Commits what waits, then does what waited, until nothing is left to do.
    pub(super) async fn settle(&mut self) {
        loop {
            if self.backlog.then.iter().any(|fx| !fx.load_totals.is_empty()) {
                // A sum of the ledger replaces that in memory: all of the usage in memory has to be in it.
                let at = self.stamp();
                let changes = self.state.flush(at);
                self.backlog.changes.extend(changes);
            }
            let committed = self.commit_backlog_once().await;
            if !committed {
                self.send_despite_failure();
                return;
            }
            if !self.backlog.changes.is_empty() {
                // What the commit itself brought about is committed too before it is done.
                continue;
            }
            let mut todo = std::mem::take(&mut self.backlog.then);
            if todo.is_empty() {
                break;
            }
            self.load_totals(&mut todo);
            self.perform(todo).await;
        }
        self.log_warnings();
        self.listen();
        self.notifier.status(|| convert::summary(&self.state));
    }

    /// Where ModemManager's figures are what counts, they are wanted as they are told.
    fn listen(&self) {
        self.commands.listen(self.state.told_by_modem().cloned().collect());
    }

    /// Each warning reaches the log once as it is raised, and once as it is over. Their subjects can be identities of
    /// modems: the texts tell which without them.
    fn log_warnings(&mut self) {
        let unchanged = self.logged.len() == self.state.warnings().count()
            && self.state.warnings().all(|w| self.logged.get(&(w.code, w.subject.clone())) == Some(&w.text));
        if unchanged {
            return;
        }
        let now: BTreeMap<_, _> =
            self.state.warnings().map(|w| ((w.code, w.subject.clone()), w.text.clone())).collect();
        for (key, text) in &now {
            if self.logged.get(key) != Some(text) {
                tracing::warn!(code = key.0.as_str(), "{text}");
            }
        }
        for (key, _) in self.logged.iter().filter(|(key, _)| !now.contains_key(*key)) {
            tracing::info!(code = key.0.as_str(), "this is over");
        }
        self.logged = now;
    }

    /// Reminders about the service's own health leave while the ledger cannot be written: rules about health are
    /// asked, and what they raise is sent under its dedupe key. Everything else waits; so does a short message, which
    /// costs money and has to be committed as being sent first.
    fn send_despite_failure(&mut self) {
        for _ in 0..4 {
            let mut evaluations = Vec::new();
            let mut deliveries = Vec::new();
            for fx in &mut self.backlog.then {
                let (health, rest) = std::mem::take(&mut fx.evaluate)
                    .into_iter()
                    .partition(|e: &Evaluation| e.trigger.kind() == "health");
                fx.evaluate = rest;
                evaluations.extend::<Vec<Evaluation>>(health);
                let state = &self.state;
                let costs = |d: &Delivery| {
                    let channels = &state.settings().channels;
                    channels.iter().any(|channel| channel.name == d.channel && channel.kind == "sms")
                };
                let about_health = |d: &Delivery| {
                    state.reminders().any(|r| r.key == d.reminder && r.trigger == "health") && !costs(d)
                };
                let (urgent, rest) = std::mem::take(&mut fx.deliver).into_iter().partition(about_health);
                fx.deliver = rest;
                deliveries.extend::<Vec<Delivery>>(urgent);
            }
            if evaluations.is_empty() && deliveries.is_empty() {
                break;
            }
            for delivery in deliveries {
                self.hand_over(delivery);
            }
            if !evaluations.is_empty() {
                // Health changes rarely, and each rule ends within its limits.
                let results = self.rules.evaluate_all(evaluations.clone());
                let fx = self.decided(evaluations, results);
                self.backlog.then.push(fx);
            }
        }
    }

    /// Sums asked for, read at once after a commit: before anything else can happen.
    fn load_totals(&mut self, todo: &mut [Effects]) {
        let queries: Vec<_> = todo.iter_mut().flat_map(|fx| std::mem::take(&mut fx.load_totals)).collect();
        for query in queries {
            let Some(store) = &self.store else { continue };
            let loaded = store.totals(&query).and_then(|sums| {
                let units = billed::units(&self.state, store, &query.iccid, query.from, query.until)?;
                Ok((sums, units, store.counts(&query)?))
            });
            match super::ledger::watch(&self.ledger.damage, loaded) {
                Ok((sums, units, counts)) => {
                    let event = Event::CountsLoaded { query: query.clone(), counts: Box::new(counts) };
                    let fx = self.step(event);
                    self.backlog.then.push(fx);
                    let event = Event::TotalsLoaded {
                        query,
                        by_zone: sums.by_zone,
                        units: units.into_sums(),
                        corrections: sums.corrections,
                        first_at: sums.first_at,
                    };
                    let fx = self.step(event);
                    self.backlog.then.push(fx);
                }
                Err(error) => {
                    tracing::error!(%error, "a sum of the ledger cannot be read; it is tried again");
                    self.backlog.unread.push(query);
                    self.commit_again = Some(tokio::time::Instant::now() + super::COMMIT_AGAIN);
                }
            }
        }
    }

    /// Everything asked for so far, after its commit, the sums being known; rules last, since what comes of them is
    /// not committed yet.
    async fn perform(&mut self, todo: Vec<Effects>) {
        let mut all = Effects::default();
        let followed = self.followers.receiver_count() > 0;
        for fx in todo {
            all.evaluate.extend(fx.evaluate);
            all.deliver.extend(fx.deliver);
            all.act.extend(fx.act);
            for notice in fx.notices.into_iter().filter(|_| followed) {
                if !all.notices.contains(&notice) {
                    all.notices.push(notice);
                }
            }
        }
        for notice in all.notices {
            self.publish(notice);
        }
        for delivery in all.deliver {
            self.hand_over(delivery);
        }
        for action in all.act {
            self.act(action);
        }
        if !all.evaluate.is_empty() {
            self.ask_rules(all.evaluate).await;
        }
    }

    async fn ask_rules(&mut self, evaluations: Vec<Evaluation>) {
        let rules = Arc::clone(&self.rules);
        let asked = evaluations.clone();
        let results = tokio::task::spawn_blocking(move || rules.evaluate_all(evaluations)).await;
        let results = results.unwrap_or_else(|panic| {
            tracing::error!(%panic, "evaluating rules ended unexpectedly");
            // Not the same as having found nothing: what was raised before stays.
            let error = Some("evaluating it ended in a fault of the service; please report this".to_owned());
            let failed = |one: &Evaluation| RuleResult {
                error: error.clone(),
                ..RuleResult::nothing(one.rule.clone(), one.trigger.clone())
            };
            asked.iter().map(failed).collect()
        });
        let fx = self.decided(asked, results);
        self.backlog.then.push(fx);
    }

    fn hand_over(&mut self, delivery: Delivery) {
        let desktop = self
            .state
            .settings()
            .channels
            .iter()
            .any(|channel| channel.name == delivery.channel && channel.kind == "desktop");
        if desktop {
            let outcome = self.show_to_followers(&delivery);
            let fx = self.step(Event::DeliveryEnded { id: delivery.id, outcome });
            self.backlog.then.push(fx);
            return;
        }
        // While the service ends nothing new leaves: the ledger keeps it for the next start.
        let Some(dispatcher) = &self.dispatcher else { return };
        if let Err(ended) = dispatcher.deliver(delivery) {
            let fx = self.step(Event::DeliveryEnded { id: ended.id, outcome: ended.outcome });
            self.backlog.then.push(fx);
        }
    }

    /// The desktop is reached through `simbellctl watch --notify` in somebody's session.
    fn show_to_followers(&self, delivery: &Delivery) -> DeliveryOutcome {
        let said = convert::said(&self.state, self.stamp(), &delivery.reminder, Some(&delivery.message));
        match said.map(|event| self.followers.send(Arc::new(event))) {
            Some(Ok(_)) => DeliveryOutcome::Delivered,
            Some(Err(_)) | None => DeliveryOutcome::Retry {
                error: "nobody follows: no session runs `simbellctl watch --notify`".to_owned(),
                after: None,
            },
        }
    }

    pub(super) fn publish(&mut self, notice: Notice) {
        if self.followers.receiver_count() == 0 {
            return;
        }
        let at = self.stamp();
        for event in convert::notice(&self.state, at, &notice) {
            // Nobody follows any more: nothing to tell.
            let _ = self.followers.send(Arc::new(event));
        }
    }
}
