//! The service as the control socket sees it: questions become requests to the engine.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use simbell_api::{
    Backup, BilledPage, CallsPage, Channel, ChannelTest, ControlError, CorrectionsPage, DecidePluginParams,
    EntriesParams, ExplainPage, ExplainReminderParams, ExplainReminderReply, ExplainUsageParams,
    ExportUsageParams, GetUsageParams, ImportReply, ImportUsageParams, MessagesPage, Method,
    ObservationReply, ObservationsPage, ObserveUsageParams, Plan, Plugin, PluginReply, ReloadReply, Reminder,
    RestoreReply, Rule, SetUsageParams, Sim, StatusReply, UndoCorrectionParams, UndoImportParams,
    UndoneReply, UsageChange, UsagePage, WithdrawObservationParams,
};
use simbell_core::plugin::PluginChoice;
use tokio::sync::{mpsc, oneshot};

use crate::control::{Answer, ControlBackend, Following, Peer};
use crate::engine::{CarrierRequest, Request};
use crate::export;

/// A test message is waited for this long; then its outcome shows in `channels`.
const TEST_WAIT: Duration = Duration::from_secs(20);

/// Hands requests to the engine and waits for its answers.
#[derive(Debug, Clone)]
pub struct Backend {
    requests: mpsc::Sender<Box<Request>>,
    shared: Arc<RwLock<Shared>>,
}

/// What the socket needs without asking the engine.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Groups whose members may change things.
    pub admin_groups: Vec<String>,
    /// The folder that the owner's plugins are copied into.
    pub plugins_folder: Option<String>,
    /// Zone of times in heartbeats.
    pub zone: simbell_core::zone::ZoneRules,
}

impl Backend {
    /// A backend that asks by `requests`.
    #[must_use]
    pub fn new(requests: mpsc::Sender<Box<Request>>, shared: Arc<RwLock<Shared>>) -> Self {
        Self { requests, shared }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<Answer<T>>) -> Request) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        let busy = || ControlError::Busy {
            message: "the service is stopping".to_owned(),
            hint: "try again when it is up: `systemctl status simbell`".to_owned(),
        };
        self.requests.send(Box::new(request(reply))).await.map_err(|_| busy())?;
        answer.await.map_err(|_| busy())?
    }
}

impl ControlBackend for Backend {
    fn now(&self) -> String {
        let at = crate::clock::wall();
        match self.shared.read() {
            Ok(shared) => shared.zone.rfc3339(at),
            Err(_) => simbell_core::zone::ZoneRules::utc().rfc3339(at),
        }
    }

    fn admin_groups(&self) -> Vec<String> {
        self.shared.read().map(|shared| shared.admin_groups.clone()).unwrap_or_default()
    }

    fn plugins_folder(&self) -> Option<String> {
        self.shared.read().ok().and_then(|shared| shared.plugins_folder.clone())
    }

    async fn status(&self, _: Peer) -> Answer<StatusReply> {
        self.ask(Request::Status).await
    }

    async fn sims(&self, _: Peer) -> Answer<Vec<Sim>> {
        self.ask(Request::Sims).await
    }

    async fn usage(&self, _: Peer, question: GetUsageParams) -> Answer<UsagePage> {
        self.ask(|reply| Request::Usage(question, reply)).await
    }

    async fn calls(&self, _: Peer, question: GetUsageParams) -> Answer<CallsPage> {
        self.ask(|reply| Request::Calls(question, reply)).await
    }

    async fn messages(&self, _: Peer, question: GetUsageParams) -> Answer<MessagesPage> {
        self.ask(|reply| Request::Messages(question, reply)).await
    }

    async fn explain(&self, _: Peer, question: ExplainUsageParams) -> Answer<ExplainPage> {
        self.ask(|reply| Request::Explain(question, reply)).await
    }

    async fn create_backup(&self, _: Peer) -> Answer<Backup> {
        self.ask(Request::CreateBackup).await
    }

    async fn backups(&self, _: Peer) -> Answer<Vec<Backup>> {
        self.ask(Request::Backups).await
    }

    async fn restore_backup(&self, _: Peer, name: String) -> Answer<RestoreReply> {
        self.ask(|reply| Request::RestoreBackup(name, reply)).await
    }

    async fn export(&self, _: Peer, question: ExportUsageParams) -> Answer<mpsc::Receiver<Answer<Vec<u8>>>> {
        let export = self.ask(|reply| Request::Export(question, reply)).await?;
        let (sender, receiver) = mpsc::channel(export::PARTS_AHEAD);
        if export.is_beside() {
            tokio::task::spawn_blocking(move || export.run(&sender));
        } else {
            // Through the writer, in turn with everything else that the service does.
            let backend = self.clone();
            tokio::spawn(async move {
                let mut export = export;
                loop {
                    let step = backend.ask(|reply| Request::ExportOn(Box::new(export), reply)).await;
                    let (parts, next) = match step {
                        Ok((parts, next)) => (parts.into_iter().map(Ok).collect(), next),
                        Err(error) => (vec![Err(error)], None),
                    };
                    for part in parts {
                        if sender.send(part).await.is_err() {
                            return;
                        }
                    }
                    let Some(next) = next else { return };
                    export = *next;
                }
            });
        }
        Ok(receiver)
    }

    async fn set_usage(&self, peer: Peer, change: SetUsageParams) -> Answer<UsageChange> {
        self.ask(|reply| Request::SetUsage(change, peer.uid, reply)).await
    }

    async fn billed(&self, _: Peer, question: GetUsageParams) -> Answer<BilledPage> {
        self.ask(|reply| Request::Carrier(CarrierRequest::Billed(question, reply))).await
    }

    async fn corrections(&self, _: Peer, question: EntriesParams) -> Answer<CorrectionsPage> {
        self.ask(|reply| Request::Carrier(CarrierRequest::Corrections(question, reply))).await
    }

    async fn undo_correction(&self, peer: Peer, which: UndoCorrectionParams) -> Answer<UndoneReply> {
        self.ask(|reply| Request::Carrier(CarrierRequest::Undo(which, peer.uid, reply))).await
    }

    async fn observations(&self, _: Peer, question: EntriesParams) -> Answer<ObservationsPage> {
        self.ask(|reply| Request::Carrier(CarrierRequest::Observations(question, reply))).await
    }

    async fn observe(&self, peer: Peer, figure: ObserveUsageParams) -> Answer<ObservationReply> {
        self.ask(|reply| Request::Carrier(CarrierRequest::Observe(figure, peer.uid, reply))).await
    }

    async fn withdraw(&self, peer: Peer, which: WithdrawObservationParams) -> Answer<ObservationReply> {
        self.ask(|reply| Request::Carrier(CarrierRequest::Withdraw(which, peer.uid, reply))).await
    }

    async fn import(&self, _: Peer, question: ImportUsageParams) -> Answer<ImportReply> {
        self.ask(|reply| Request::Import(question, reply)).await
    }

    async fn undo_import(&self, _: Peer, question: UndoImportParams) -> Answer<ImportReply> {
        self.ask(|reply| Request::UndoImport(question, reply)).await
    }

    async fn plans(&self, _: Peer) -> Answer<Vec<Plan>> {
        self.ask(Request::Plans).await
    }

    async fn plan(&self, _: Peer, sim: Option<String>) -> Answer<Plan> {
        self.ask(|reply| Request::Plan(sim, reply)).await
    }

    async fn rules(&self, _: Peer) -> Answer<Vec<Rule>> {
        self.ask(Request::Rules).await
    }

    async fn reminders(&self, _: Peer) -> Answer<Vec<Reminder>> {
        self.ask(Request::Reminders).await
    }

    async fn acknowledge(&self, _: Peer, key: String) -> Answer<Reminder> {
        self.ask(|reply| Request::Acknowledge(key, reply)).await
    }

    async fn snooze(&self, _: Peer, key: String, seconds: u64) -> Answer<Reminder> {
        self.ask(|reply| Request::Snooze(key, seconds, reply)).await
    }

    async fn explain_reminder(
        &self,
        _: Peer,
        question: ExplainReminderParams,
    ) -> Answer<ExplainReminderReply> {
        self.ask(|reply| Request::Why(question, reply)).await
    }

    async fn resume_rule(&self, _: Peer, name: String) -> Answer<Rule> {
        self.ask(|reply| Request::ResumeRule(name, reply)).await
    }

    async fn plugins(&self, _: Peer) -> Answer<Vec<Plugin>> {
        self.ask(Request::Plugins).await
    }

    async fn decide_plugin(
        &self,
        peer: Peer,
        method: Method,
        which: DecidePluginParams,
    ) -> Answer<PluginReply> {
        let choice = match method {
            Method::EnablePlugin => PluginChoice::Enable,
            Method::DisablePlugin => PluginChoice::Disable,
            _ => PluginChoice::Approve,
        };
        self.ask(|reply| Request::DecidePlugin(choice, which, peer.uid, reply)).await
    }

    async fn channels(&self, _: Peer) -> Answer<Vec<Channel>> {
        self.ask(Request::Channels).await
    }

    async fn test_channel(&self, _: Peer, name: String) -> Answer<ChannelTest> {
        let id = self.ask(|reply| Request::TestChannel(name, reply)).await?;
        let deadline = tokio::time::Instant::now() + TEST_WAIT;
        loop {
            let outcome = self.ask(|reply| Request::DeliveryState(id.clone(), reply)).await?;
            if outcome.state != "queued" || outcome.error.is_some() || tokio::time::Instant::now() >= deadline
            {
                return Ok(outcome);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn monitor(&self, _: Peer) -> Answer<Following> {
        self.ask(Request::Monitor).await
    }

    async fn reload(&self, _: Peer) -> Answer<ReloadReply> {
        self.ask(Request::Reload).await
    }

    async fn bug_report(&self, _: Peer) -> Answer<mpsc::Receiver<String>> {
        let lines = self.ask(Request::BugReport).await?;
        let (sender, receiver) = mpsc::channel(16);
        tokio::spawn(async move {
            for line in lines {
                if sender.send(format!("{line}\n")).await.is_err() {
                    break;
                }
            }
        });
        Ok(receiver)
    }
}
