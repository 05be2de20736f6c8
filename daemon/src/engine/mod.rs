//! The engine: one consumer that hands each event to the pure state, commits, and only then acts.
//!
//! **Invariant:** what a step changes is in the ledger before anything is said of it: no reminder leaves, no
//! follower is told and no caller is answered before the commit. One exception: while the ledger cannot be
//! written, reminders about the service's own health are sent all the same, since they are the ones that say so.

mod act;
mod armed;
mod carrier;
mod commit;
mod decisions;
mod frugal;
mod history;
mod import;
pub mod ledger;
mod perform;
mod plugins;
mod readings;
mod recording;
mod request;
mod why;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use simbell_alloc::GivenBack;
use simbell_core::event::Event;
use simbell_core::health::WarningCode;
use simbell_core::ident::BootId;
use simbell_core::modem::ModemView;
use simbell_core::plugin::PluginStandings;
use simbell_core::state::State;
use simbell_core::time::{Span, Stamp};
use simbell_modem::ModemCommands;
use simbell_modem::links::{LinkEvent, Links};
use simbell_notify::{Dispatcher, Ended};
use simbell_rules::RuleSet;
use simbell_store::{Recovery, Store, StoreOptions};
use tokio::sync::{broadcast, mpsc};

use crate::clock::{Clock, ClockWatch};
use crate::config::HistorySettings;
use crate::files::RuleSource;
use crate::quota::Quotas;
use crate::scripted::ScriptedChannels;
use crate::service::Notifier;
use simbell_api::MonitorEvent;

pub use carrier::CarrierRequest;
pub use request::{Reloaded, Request};

/// How far a follower of the control socket may fall behind.
const FOLLOWERS_BEHIND: usize = 256;

/// Who has begun to follow is shown figures of a few seconds' age for so long. A desktop's session follows for days: it
/// must not keep the processor awake.
const LOOKED_ON_MS: u64 = 10 * 60_000;

/// Deliveries under way at the end may take this long.
const LAST_DELIVERIES: Duration = Duration::from_secs(5);

/// A reading that is due so soon after something else comes before it.
const MOMENT_MS: u64 = 10;

/// A commit that failed is tried again after this long.
const COMMIT_AGAIN: Duration = Duration::from_secs(5);

/// Everything that the engine drives. Parts are handed in, so that a test can put others in their place.
pub struct Parts {
    /// The clocks.
    pub clock: Clock,
    /// Tells when the wall clock is set.
    pub clock_watch: ClockWatch,
    /// The ledger.
    pub store: Store,
    /// The state as restored from it.
    pub state: State,
    /// The kernel's links.
    pub links: Links,
    /// What the modem watcher sees.
    pub modems: mpsc::Receiver<Event>,
    /// What it is asked for.
    pub commands: ModemCommands,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// The channels.
    pub dispatcher: Dispatcher,
    /// Those of them that go by a plugin.
    pub scripted: ScriptedChannels,
    /// Ends of deliveries.
    pub ended: mpsc::Receiver<Ended>,
    /// What callers of the control socket and signals ask for.
    pub requests: mpsc::Receiver<Box<Request>>,
    /// Reads rules and plugins.
    pub source: Arc<RuleSource>,
    /// Reads configuration, rules and channels again.
    pub reload: Reload,
    /// Tells systemd.
    pub notifier: Notifier,
    /// This boot.
    pub boot: BootId,
    /// How long usage is kept in which detail.
    pub history: HistorySettings,
    /// The quota helper, where one is asked for.
    pub quotas: Quotas,
    /// How the ledger is opened.
    pub store_options: StoreOptions,
    /// What was done as it was opened.
    pub recovery: Option<Recovery>,
    /// The configuration that the command line names; none where it is the system's.
    pub config: Option<PathBuf>,
}

/// Reads everything anew: with what was decided about plugins, beside the rules and the channels that run.
pub type Reload =
    Box<dyn FnMut(&PluginStandings, &RuleSet, &ScriptedChannels) -> Result<Reloaded, Vec<String>> + Send>;

/// The engine.
pub struct Engine {
    clock: Clock,
    clock_watch: ClockWatch,
    store: Option<Store>,
    state: State,
    links: Links,
    links_broken: bool,
    modems: mpsc::Receiver<Event>,
    commands: ModemCommands,
    rules: Arc<RuleSet>,
    /// None once the engine has begun to end.
    dispatcher: Option<Dispatcher>,
    scripted: ScriptedChannels,
    /// What is wrong on disk and was left out, as was told.
    outdated: BTreeSet<(WarningCode, String)>,
    ended: mpsc::Receiver<Ended>,
    /// Ends of actions: both halves, since each action's task takes one.
    acted: (mpsc::Sender<act::Acted>, mpsc::Receiver<act::Acted>),
    decisions: decisions::Decisions,
    requests: mpsc::Receiver<Box<Request>>,
    source: Arc<RuleSource>,
    /// Plugins that wait for something to be approved, as was told.
    waiting: BTreeSet<String>,
    /// None while it reads, and where that ended unexpectedly.
    reload: Option<Reload>,
    readings: readings::Readings,
    notifier: Notifier,
    boot: BootId,
    history: HistorySettings,
    quotas: Quotas,
    ledger: ledger::LedgerFile,
    recovery: Option<Recovery>,
    config: Option<PathBuf>,
    /// A damaged ledger was set aside, and the warning does not name it yet.
    damage_untold: bool,
    /// Another ledger brought other decisions about plugins, and the rules were not read with them yet.
    plugins_moved: bool,
    followers: broadcast::Sender<Arc<MonitorEvent>>,
    /// By `CLOCK_BOOTTIME`: so long counters are read for those who look on.
    followed_until: u64,
    recording: recording::Recording,
    frugal: frugal::Frugal,
    backlog: commit::Backlog,
    writer: writer::Writer,
    commit_again: Option<tokio::time::Instant>,
    tidied_boot_ms: Option<u64>,
    /// When usage was last asked for and read for it.
    asked_boot_ms: Option<u64>,
    /// Warnings that the log knows of, with their texts.
    logged: BTreeMap<(WarningCode, String), String>,
    stopping: bool,
}

/// Why the engine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to stop, and everything is in the ledger.
    Clean,
    /// It was asked to stop, and the ledger could not be written: the last usage is lost where the kernel forgets it.
    Uncommitted,
}

impl Engine {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            clock: parts.clock,
            clock_watch: parts.clock_watch,
            state: parts.state,
            links: parts.links,
            links_broken: false,
            modems: parts.modems,
            commands: parts.commands,
            rules: parts.rules,
            dispatcher: Some(parts.dispatcher),
            scripted: parts.scripted,
            outdated: BTreeSet::new(),
            ended: parts.ended,
            acted: mpsc::channel(64),
            decisions: decisions::Decisions::default(),
            requests: parts.requests,
            source: parts.source,
            waiting: BTreeSet::new(),
            reload: Some(parts.reload),
            readings: readings::Readings::default(),
            notifier: parts.notifier,
            boot: parts.boot,
            history: parts.history,
            quotas: parts.quotas,
            ledger: ledger::LedgerFile::new(parts.store.path(), parts.store_options),
            recovery: parts.recovery,
            config: parts.config,
            damage_untold: false,
            plugins_moved: false,
            store: Some(parts.store),
            followers: broadcast::channel(FOLLOWERS_BEHIND).0,
            followed_until: 0,
            recording: recording::Recording::default(),
            frugal: frugal::Frugal::default(),
            backlog: commit::Backlog::default(),
            writer: writer::Writer::default(),
            commit_again: None,
            tidied_boot_ms: None,
            asked_boot_ms: None,
            logged: BTreeMap::new(),
            stopping: false,
        }
    }

    /// Runs until it is asked to stop.
    pub async fn run(mut self) -> Ending {
        self.begin().await;
        self.notifier.ready(&self.summary());
        while !self.stopping {
            // Not left to chance: a flood of requests or events must not look like a loop that hangs.
            self.notifier.alive_if_due();
            self.turn().await;
            self.keep_armed().await;
            if std::mem::take(&mut self.damage_untold) {
                self.tell_of_damage().await;
            }
            if std::mem::take(&mut self.plugins_moved) {
                self.read(readings::Then::Nothing);
            }
        }
        self.end().await
    }

    async fn begin(&mut self) {
        // A list, and not a reading: that would leave out links about which there is news, and a link left out here
        // would count as vanished.
        let links = match self.links.resync() {
            Ok(links) => links,
            Err(error) => {
                tracing::error!(%error, "the kernel's links cannot be listed");
                self.links_broken = true;
                Vec::new()
            }
        };
        self.feed(Event::Started { boot: self.boot.clone(), links }).await;
        self.feed(Event::RulesLoaded(self.rules.descriptions())).await;
        self.look_at_plugins().await;
        let recovery = self.recovery.take();
        self.begin_with_ledger(recovery).await;
    }

    /// Waits for one thing to happen, and handles it.
    async fn turn(&mut self) {
        let at = self.stamp();
        let wake = self.state.next_wake(at);
        let read = self.next_read(at).filter(|_| !self.links_broken);
        let wake_at = wake.as_ref().map(|w| boot_after(at, w.after));
        let timer = self.clock_watch.until(first_due(wake_at, read.map(|after| boot_after(at, after))));
        tokio::select! {
            biased;
            event = self.links.event(), if !self.links_broken => match event {
                Ok(event) => self.link_event(event).await,
                Err(error) => self.links_failed(&error).await,
            },
            event = self.modems.recv(), if !self.modems.is_closed() || !self.modems.is_empty() => match event {
                Some(event) => self.modem_event(event).await,
                None => {
                    let text = "The task that watches ModemManager has ended. Restart the service: \
                                `systemctl restart simbell`.";
                    self.report(WarningCode::TaskRestarted, "modem watcher", Some(text.to_owned())).await;
                }
            },
            follows = self.quotas.news() => self.quota_news(follows).await,
            Some(acted) = self.acted.1.recv() => self.action_ended(acted).await,
            ended = self.ended.recv() => if let Some(ended) = ended {
                self.feed(Event::DeliveryEnded { id: ended.id, outcome: ended.outcome }).await;
            },
            clock_set = timer => {
                if clock_set {
                    self.feed(Event::ClockChanged).await;
                }
                self.woken(wake_at).await;
            }
            why = self.ledger.damaged.recv() => if let Some(why) = why {
                self.hear_of_damage(why).await;
            },
            _ = self.ledger.copies.recv() => self.copy_ended(),
            found = self.readings.ended() => self.was_read(found).await,
            () = sleep_until(self.commit_again) => self.commit_backlog().await,
            // Last: callers who never stop asking must not keep a reminder from being said.
            request = self.requests.recv() => match request.map(|request| *request) {
                Some(Request::GiveBack) => self.give_back().await,
                Some(request) => {
                    self.frugal.asked(self.stamp().boot_ms);
                    self.serve(request).await;
                }
                None => self.stopping = true,
            },
            () = self.notifier.watchdog_due() => {}
        }
    }

    /// `wake_at`: when the state asked to be woken, by `CLOCK_BOOTTIME`. It is not asked again here: of what has come
    /// due by now it may only tell what comes next.
    async fn woken(&mut self, wake_at: Option<u64>) {
        let at = self.stamp();
        if self.next_read(at).is_some_and(|after| after.as_millis() <= 0) {
            self.sample_links().await;
        }
        if wake_at.is_some_and(|due| due <= at.boot_ms) {
            self.feed(Event::WakeReached).await;
        }
        if self.frugal.due(at.boot_ms) {
            self.give_back().await;
        }
    }

    /// Returns memory that nothing needs now; what is asked of the ledger next is prepared and read anew.
    async fn give_back(&mut self) {
        if let Some(store) = &self.store
            && let Err(error) = store.give_back()
        {
            tracing::debug!(%error, "the ledger gives no memory back");
        }
        let GivenBack { files, kept } = simbell_alloc::give_back();
        tracing::debug!(files, kept, "memory was given back");
        // What a reading and a commit use is mapped again while the kernel still has it in memory: minutes later it may have
        // to be read from the disk.
        if self.next_read(self.stamp()).is_some() && !self.links_broken {
            self.sample_links().await;
            self.flush().await;
        }
    }

    fn next_read(&self, at: Stamp) -> Option<Span> {
        let followed = self.followers.receiver_count() > 0 && at.boot_ms < self.followed_until;
        self.state.next_read(at, followed)
    }

    /// The kernel's counters as they are now: usage up to this instant lands where it belongs.
    async fn read_links(&mut self) {
        match self.links.read(None) {
            Ok(links) => self.feed(Event::LinksRead(links)).await,
            Err(error) => self.links_failed(&error).await,
        }
    }

    /// As [`Engine::read_links`], on the timer's occasion: nothing else waits to be told first.
    async fn sample_links(&mut self) {
        match self.links.sample() {
            Ok(links) => self.feed(Event::LinksRead(links)).await,
            Err(error) => self.links_failed(&error).await,
        }
    }

    async fn link_event(&mut self, event: LinkEvent) {
        let event = match event {
            LinkEvent::Appeared(link) | LinkEvent::Changed(link) => Event::LinkAppeared(link),
            LinkEvent::Vanished(end) => Event::LinkVanished(end),
            LinkEvent::Resynchronised(links) => Event::LinksResynchronised(links),
        };
        self.feed(event).await;
    }

    async fn links_failed(&mut self, error: &simbell_modem::links::LinksError) {
        self.links_broken = true;
        let text = format!(
            "The kernel's counters cannot be read ({error}). Usage is not measured. Restart the service: \
             `systemctl restart simbell`."
        );
        self.report(WarningCode::NotMeasured, "kernel", Some(text)).await;
        match Links::open() {
            Ok(links) => {
                self.links = links;
                self.links_broken = false;
                match self.links.read(None) {
                    Ok(links) => {
                        self.feed(Event::LinksResynchronised(links)).await;
                        self.report(WarningCode::NotMeasured, "kernel", None).await;
                    }
                    Err(error) => {
                        // Asked again at once it would be a loop.
                        self.links_broken = true;
                        tracing::error!(%error, "the kernel's counters cannot be read");
                    }
                }
            }
            Err(error) => tracing::error!(%error, "netlink cannot be opened again"),
        }
    }

    async fn modem_event(&mut self, mut event: Event) {
        // Figures of several bearers come at once: all are taken in before what follows from them is done.
        while let Event::ModemSeen(view) = &event
            && self.only_stats_moved(view)
        {
            let fx = self.step(event);
            self.backlog.then.push(fx);
            event = match self.modems.try_recv() {
                Ok(next) => next,
                Err(_) => return self.figures_taken_in().await,
            };
        }
        // A change of owner is preceded by a reading: growth so far belongs to the owner so far. What the reading
        // comes upon is older than the modem's news: it comes first.
        let owner_may_change = matches!(
            event,
            Event::ModemSeen(_)
                | Event::ModemVanished { .. }
                | Event::ModemManagerVanished
                | Event::BusLost(_)
        );
        if owner_may_change {
            self.read_links().await;
            while let Some(event) = self.links.come_upon() {
                self.link_event(event).await;
            }
        }
        self.feed(event).await;
    }

    /// Does what follows from figures that were told. Those of connections that the kernel counts are read every few
    /// minutes, as usage is committed: both are one wake-up then.
    async fn figures_taken_in(&mut self) {
        let often = self.state.told_by_modem().next().is_some();
        if !often && self.state.commit_is_near(self.stamp()) {
            return self.flush().await;
        }
        self.settle().await;
    }

    /// Whether a modem is as it was but for its bearers' figures, which each bearer tells twice a minute.
    fn only_stats_moved(&self, view: &ModemView) -> bool {
        let Some(before) = self.state.modems().find(|modem| modem.id == view.id) else { return false };
        let mut before = before.clone();
        for (before, now) in before.bearers.iter_mut().zip(&view.bearers) {
            if let (Some(before), Some(now)) = (before.stats.as_mut(), now.stats) {
                before.rx_bytes = now.rx_bytes;
                before.tx_bytes = now.tx_bytes;
                before.duration_s = now.duration_s;
            }
        }
        before == *view
    }

    /// Reports something about the service itself, or that it is well again.
    async fn report(&mut self, code: WarningCode, subject: &str, text: Option<String>) {
        self.feed(Event::HealthReported { code, subject: subject.to_owned(), text }).await;
    }

    fn stamp(&self) -> Stamp {
        self.clock.stamp()
    }

    async fn end(mut self) -> Ending {
        self.notifier.stopping();
        if let Ok(links) = self.links.read(None) {
            self.feed(Event::LinksRead(links)).await;
        }
        while let Some(event) = self.links.come_upon() {
            self.link_event(event).await;
        }
        self.feed(Event::StopRequested).await;
        let mut last = Vec::new();
        if let Some(dispatcher) = self.dispatcher.take() {
            let stopped = dispatcher.stop(LAST_DELIVERIES);
            tokio::pin!(stopped);
            loop {
                tokio::select! {
                    () = &mut stopped => break,
                    Some(one) = self.ended.recv() => last.push(one),
                    // A short message on its way asks which modem it leaves by; everybody else is told to come again.
                    Some(request) = self.requests.recv() => match *request {
                        Request::ModemForSms(via, reply) => {
                            let _ = reply.send(self.modem_for_sms(via.as_deref()));
                        }
                        Request::SmsLeft { modem, parts, to } => {
                            drop(self.step(Event::SmsSent { modem, parts, to: Some(to) }));
                        }
                        _ => {}
                    },
                }
            }
        }
        while let Ok(one) = self.ended.try_recv() {
            last.push(one);
        }
        while let Ok(request) = self.requests.try_recv() {
            if let Request::SmsLeft { modem, parts, to } = *request {
                drop(self.step(Event::SmsSent { modem, parts, to: Some(to) }));
            }
        }
        for one in last {
            drop(self.step(Event::DeliveryEnded { id: one.id, outcome: one.outcome }));
        }
        let committed = self.commit_backlog_once().await;
        // Without the ledger what was handed to it is not known to be there.
        if committed && self.store.is_some() {
            Ending::Clean
        } else {
            tracing::error!(
                changes = self.backlog.changes.len(),
                "the ledger could not be written before the end"
            );
            Ending::Uncommitted
        }
    }

    fn summary(&self) -> String {
        crate::convert::summary(&self.state)
    }
}

fn boot_after(at: Stamp, after: Span) -> u64 {
    at.boot_ms.saturating_add(u64::try_from(after.as_millis()).unwrap_or(0))
}

/// When what is due by `CLOCK_BOOTTIME` first is to be done: what the state asks to be woken for, or a reading. A reading a
/// moment later is waited for: a commit without what it finds would be followed by one that is due a reading earlier, and
/// usage would be written half as often again.
fn first_due(wake_at: Option<u64>, read_at: Option<u64>) -> Option<u64> {
    match (wake_at, read_at) {
        // One more: the reading may be due by the wall clock, and both are told in whole milliseconds.
        (Some(wake), Some(read)) if (wake..=wake.saturating_add(MOMENT_MS)).contains(&read) => {
            Some(read.saturating_add(1))
        }
        (wake, read) => wake.into_iter().chain(read).min(),
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_is_due_a_moment_later_is_waited_for() {
        for (wake, read, due) in [
            (Some(12_000), Some(12_000), Some(12_001)),
            (Some(12_000), Some(12_010), Some(12_011)),
            (Some(12_000), Some(12_011), Some(12_000)),
            (Some(12_000), Some(11_999), Some(11_999)),
            (Some(12_000), None, Some(12_000)),
            (None, Some(4_000), Some(4_000)),
            (None, None, None),
        ] {
            assert_eq!(first_due(wake, read), due, "{wake:?} {read:?}");
        }
    }
}
