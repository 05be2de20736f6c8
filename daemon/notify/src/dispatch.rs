//! Performs deliveries: one worker a channel, so that a dead or slow receiver delays no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use simbell_core::event::DeliveryOutcome;
use simbell_core::ident::ChannelName;
use simbell_core::reminder::{Delivery, Message};
use simbell_core::time::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::channel::{Channel, Receipt};
use crate::error::{SendError, SendErrorKind};

/// Deliveries that may wait for one channel; one more is handed back to be tried later.
pub const QUEUE: usize = 64;

/// How long a worker may take to report after it was told to let go of what it is sending.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A delivery that came to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// [`Delivery::id`].
    pub id: String,
    /// By which channel.
    pub channel: ChannelName,
    /// How.
    pub outcome: DeliveryOutcome,
}

/// Performs deliveries and reports each once.
///
/// Must be used within a tokio runtime. Whoever receives the outcomes goes on doing so until
/// [`Self::stop`] has returned.
pub struct Dispatcher {
    workers: BTreeMap<ChannelName, Worker>,
    /// Workers of channels that were taken out of the configuration, until they have let go.
    leaving: Vec<JoinHandle<()>>,
    outcomes: mpsc::Sender<Ended>,
    phase: watch::Sender<Phase>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// What is being sent is finished, what waits is handed back.
    Draining,
    /// What is being sent is let go of.
    Halted,
}

struct Worker {
    /// Boxed: a queue holds room for 32 of what it carries, however empty it is.
    queue: mpsc::Sender<Box<Delivery>>,
    channel: watch::Sender<Option<Arc<Channel>>>,
    pending: Pending,
    task: JoinHandle<()>,
}

/// Ids that wait or are being sent.
type Pending = Arc<Mutex<BTreeSet<String>>>;

impl Dispatcher {
    /// Starts a worker for each channel; each delivery's end is sent to `outcomes`.
    #[must_use]
    pub fn new(channels: BTreeMap<ChannelName, Channel>, outcomes: mpsc::Sender<Ended>) -> Self {
        let (phase, _) = watch::channel(Phase::Running);
        let mut dispatcher = Self { workers: BTreeMap::new(), leaving: Vec::new(), outcomes, phase };
        dispatcher.replace(channels);
        dispatcher
    }

    /// Puts other channels in place of the present ones. What waits for a channel that stays goes by its new
    /// configuration; what waits for one that is gone is refused; what is being sent is finished as it is.
    pub fn replace(&mut self, channels: BTreeMap<ChannelName, Channel>) {
        self.leaving.retain(|task| !task.is_finished());
        let gone: Vec<ChannelName> =
            self.workers.keys().filter(|name| !channels.contains_key(name)).cloned().collect();
        for name in gone {
            if let Some(worker) = self.workers.remove(&name) {
                worker.channel.send_replace(None);
                self.leaving.push(worker.task);
            }
        }
        for (name, channel) in &channels {
            if let Some(caution) = channel.caution() {
                tracing::warn!(channel = %name, "{caution}");
            }
        }
        self.renew(channels);
    }

    /// Puts these channels in place of those of their names, and leaves the others. What waits for one goes by its new
    /// configuration; what is being sent is finished as it is.
    pub fn renew(&mut self, channels: BTreeMap<ChannelName, Channel>) {
        for (name, channel) in channels {
            let channel = Some(Arc::new(channel));
            match self.workers.get(&name) {
                Some(worker) if !worker.task.is_finished() => {
                    worker.channel.send_replace(channel);
                }
                _ => {
                    let worker = self.start(name.clone(), channel);
                    self.workers.insert(name, worker);
                }
            }
        }
    }

    /// Names and kinds of the channels, in order of name.
    pub fn channels(&self) -> impl Iterator<Item = (&ChannelName, String)> {
        self.workers.iter().map(|(name, worker)| {
            (
                name,
                worker
                    .channel
                    .borrow()
                    .as_ref()
                    .map_or_else(String::new, |channel| channel.kind().to_owned()),
            )
        })
    }

    /// Takes a delivery over. A delivery that already waits or is being sent is not taken twice.
    ///
    /// # Errors
    /// The end itself where there is no such channel (refused) or its queue is full (to be tried later):
    /// for these nothing comes by the outcomes.
    pub fn deliver(&self, delivery: Delivery) -> Result<(), Ended> {
        let ended =
            |id: String, channel: ChannelName, error: SendError| Ended { id, channel, outcome: error.into() };
        let Some(worker) = self.workers.get(&delivery.channel) else {
            let error = not_configured(&delivery.channel);
            return Err(ended(delivery.id, delivery.channel, error));
        };
        if !lock(&worker.pending).insert(delivery.id.clone()) {
            return Ok(());
        }
        worker.queue.try_send(Box::new(delivery)).map_err(|error| {
            let (delivery, kind, text) = match error {
                mpsc::error::TrySendError::Full(delivery) => {
                    let text = format!("{QUEUE} messages wait for channel {} already", delivery.channel);
                    (delivery, SendErrorKind::Busy, text)
                }
                mpsc::error::TrySendError::Closed(delivery) => {
                    let text = format!("the worker of channel {} has ended", delivery.channel);
                    (delivery, SendErrorKind::Fault, text)
                }
            };
            lock(&worker.pending).remove(&delivery.id);
            ended(delivery.id, delivery.channel, SendError::again(kind, text))
        })
    }

    /// Sends `message` at once, past the queue and the outbox, for a test fire asked for at `at`.
    ///
    /// The future holds nothing of the dispatcher: it can be spawned. Ends within the channel's timeout.
    ///
    /// # Errors
    /// As [`Channel::send`], or that there is no such channel.
    pub fn send_test(
        &self,
        channel: &ChannelName,
        message: Message,
        at: Timestamp,
    ) -> impl Future<Output = Result<Receipt, SendError>> + Send + use<> {
        let found = self.workers.get(channel).and_then(|worker| worker.channel.borrow().clone());
        let missing = not_configured(channel);
        async move {
            match found {
                Some(channel) => channel.send(&message, at).await,
                None => Err(missing),
            }
        }
    }

    /// Ends the workers: what waits is handed back to be tried later, what is being sent may take `grace`.
    ///
    /// After that it is let go of: a message that costs nothing comes back to be tried later, one that costs
    /// money is refused, its outcome unknown.
    pub async fn stop(self, grace: Duration) {
        self.phase.send_replace(Phase::Draining);
        let mut tasks = self.leaving;
        for worker in self.workers.into_values() {
            tasks.push(worker.task);
        }
        let mut ends = JoinSet::new();
        let abort: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        for task in tasks {
            ends.spawn(task);
        }
        let all = async { while ends.join_next().await.is_some() {} };
        tokio::pin!(all);
        if tokio::time::timeout(grace, &mut all).await.is_err() {
            self.phase.send_replace(Phase::Halted);
            if tokio::time::timeout(LAST_WORDS, &mut all).await.is_err() {
                abort.iter().for_each(tokio::task::AbortHandle::abort);
            }
        }
    }

    fn start(&self, name: ChannelName, channel: Option<Arc<Channel>>) -> Worker {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (channel, current) = watch::channel(channel);
        let pending = Pending::default();
        let work = Work {
            name,
            waiting,
            current,
            pending: Arc::clone(&pending),
            outcomes: self.outcomes.clone(),
            phase: self.phase.subscribe(),
        };
        Worker { queue, channel, pending, task: tokio::spawn(work.run()) }
    }
}

/// What a worker has.
struct Work {
    name: ChannelName,
    waiting: mpsc::Receiver<Box<Delivery>>,
    current: watch::Receiver<Option<Arc<Channel>>>,
    pending: Pending,
    outcomes: mpsc::Sender<Ended>,
    phase: watch::Receiver<Phase>,
}

impl Work {
    async fn run(mut self) {
        loop {
            let next = tokio::select! {
                biased;
                // An error means that the dispatcher was dropped without a stop: the queue's end tells, too.
                Ok(_) = self.phase.wait_for(|phase| *phase != Phase::Running) => break,
                next = self.waiting.recv() => next,
            };
            let Some(delivery) = next else { return };
            let outcome = self.attempt(&delivery).await;
            self.report(delivery.id, outcome).await;
        }
        self.waiting.close();
        while let Some(delivery) = self.waiting.recv().await {
            let text = "the service was stopped before this was tried".to_owned();
            self.report(delivery.id, SendError::again(SendErrorKind::Unavailable, text).into()).await;
        }
    }

    async fn attempt(&mut self, delivery: &Delivery) -> DeliveryOutcome {
        let Some(channel) = self.current.borrow_and_update().clone() else {
            return not_configured(&self.name).into();
        };
        let costs = channel.costs();
        let (message, queued) = (delivery.message.clone(), delivery.created_at);
        // A task of its own: a panic in a protocol library ends this try, not the worker.
        let mut sending = JoinSet::new();
        sending.spawn(async move { channel.send(&message, queued).await });
        let result = tokio::select! {
            biased;
            result = sending.join_next() => match result {
                Some(Ok(result)) => result,
                _ => Err(cut_short(costs, SendErrorKind::Fault, "a fault of the service ended the try")),
            },
            Ok(_) = self.phase.wait_for(|phase| *phase == Phase::Halted) => {
                Err(cut_short(costs, SendErrorKind::Unavailable, "the service was stopped while this was sent"))
            }
        };
        match result {
            Ok(receipt) => {
                tracing::debug!(channel = %self.name, id = %delivery.id, "{}", receipt.text);
                DeliveryOutcome::Delivered
            }
            Err(error) => {
                tracing::warn!(channel = %self.name, kind = error.kind(), retry = error.retry, "{}", error.text);
                error.into()
            }
        }
    }

    async fn report(&self, id: String, outcome: DeliveryOutcome) {
        // Before the report: whoever hears it may hand the delivery in again at once.
        lock(&self.pending).remove(&id);
        // Nobody listens any more only when the service ends without a stop.
        let _ = self.outcomes.send(Ended { id, channel: self.name.clone(), outcome }).await;
    }
}

fn cut_short(costs: bool, kind: SendErrorKind, text: &str) -> SendError {
    if costs {
        let text = format!("{text}; whether it left is not known; not sent again, as it costs money");
        return SendError::for_good(SendErrorKind::OutcomeUnknown, text);
    }
    SendError::again(kind, text.to_owned())
}

fn not_configured(channel: &ChannelName) -> SendError {
    let text = format!(
        "there is no channel {channel}; `simbellctl channels` lists those that are there, a rule or `channels` under \
         [reminders] names it"
    );
    SendError::for_good(SendErrorKind::Unavailable, text)
}

fn lock(pending: &Pending) -> MutexGuard<'_, BTreeSet<String>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}
