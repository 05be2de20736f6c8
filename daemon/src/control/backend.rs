//! What stands behind the socket.

use std::future::Future;
use std::sync::Arc;

use simbell_api::{
    Backup, BilledPage, CallsPage, Channel, ChannelTest, ControlError, CorrectionsPage, DecidePluginParams,
    EntriesParams, ExplainPage, ExplainReminderParams, ExplainReminderReply, ExplainUsageParams,
    ExportUsageParams, GetUsageParams, ImportReply, ImportUsageParams, MessagesPage, Method, MonitorEvent,
    ObservationReply, ObservationsPage, ObserveUsageParams, Plan, Plugin, PluginReply, ReloadReply, Reminder,
    RestoreReply, Rule, SetUsageParams, Sim, StatusReply, UndoCorrectionParams, UndoImportParams,
    UndoneReply, UsageChange, UsagePage, WithdrawObservationParams,
};
use tokio::sync::{broadcast, mpsc};

/// Who calls, by `SO_PEERCRED`: as they were when they connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Process, where the kernel tells it; for messages only, since ids are reused.
    pub pid: Option<i32>,
    /// Whether changing is allowed. The socket refuses changes of others by itself.
    pub may_change: bool,
}

/// What a method comes to.
pub type Answer<T> = Result<T, ControlError>;

/// What a follower is given: the state, and what changes from that very moment on.
#[derive(Debug)]
pub struct Following {
    /// The full state: `service`, then each `sim`, `reminder` (not resolved) and `channel`. `ready` is added by the
    /// socket.
    pub state: Vec<MonitorEvent>,
    /// Changes since `state` was taken. Its capacity bounds how far a follower may fall behind.
    pub changes: broadcast::Receiver<Arc<MonitorEvent>>,
}

/// The service as the socket sees it.
///
/// A future of a changing method resolves after the commit: the reply is sent then. Each is given the peer;
/// the socket has checked already that those who change may. Lists are given whole, in any order: the socket pages.
pub trait ControlBackend: Send + Sync + 'static {
    /// The time now, RFC 3339 with offset, for heartbeats.
    fn now(&self) -> String;

    /// Names of the groups whose members may change things, as configured now.
    fn admin_groups(&self) -> Vec<String>;

    /// The folder that the owner's plugins are copied into, as configured now.
    fn plugins_folder(&self) -> Option<String>;

    /// How the service and ModemManager are.
    fn status(&self, peer: Peer) -> impl Future<Output = Answer<StatusReply>> + Send;

    /// Every SIM known.
    fn sims(&self, peer: Peer) -> impl Future<Output = Answer<Vec<Sim>>> + Send;

    /// One page of usage: at most `limit` rows (always set here, and small), oldest first, after `after`, which is
    /// a `next` of this backend's own making.
    fn usage(&self, peer: Peer, question: GetUsageParams) -> impl Future<Output = Answer<UsagePage>> + Send;

    /// One page of calls, as [`ControlBackend::usage`] gives usage.
    fn calls(&self, peer: Peer, question: GetUsageParams) -> impl Future<Output = Answer<CallsPage>> + Send;

    /// One page of short messages, as [`ControlBackend::usage`] gives usage.
    fn messages(
        &self,
        peer: Peer,
        question: GetUsageParams,
    ) -> impl Future<Output = Answer<MessagesPage>> + Send;

    /// One page of what a total is made of: at most `limit` parts (always set here, and small), after `after`, which is
    /// a `next` of this backend's own making.
    fn explain(
        &self,
        peer: Peer,
        question: ExplainUsageParams,
    ) -> impl Future<Output = Answer<ExplainPage>> + Send;
    /// Makes a copy of the ledger.
    fn create_backup(&self, peer: Peer) -> impl Future<Output = Answer<Backup>> + Send;

    /// Every copy of the ledger.
    fn backups(&self, peer: Peer) -> impl Future<Output = Answer<Vec<Backup>>> + Send;

    /// Has the copy with this name take the ledger's place.
    fn restore_backup(&self, peer: Peer, name: String) -> impl Future<Output = Answer<RestoreReply>> + Send;

    /// Usage in bulk, as messages made by [`super::part`]; ended by dropping the sender. An error ends it too.
    fn export(
        &self,
        peer: Peer,
        question: ExportUsageParams,
    ) -> impl Future<Output = Answer<mpsc::Receiver<Answer<Vec<u8>>>>> + Send;

    /// Corrects the usage of the cycle.
    fn set_usage(
        &self,
        peer: Peer,
        change: SetUsageParams,
    ) -> impl Future<Output = Answer<UsageChange>> + Send;

    /// One page of days or cycles as measured and as billed; `by` is day or cycle, `limit` set and small.
    fn billed(&self, peer: Peer, question: GetUsageParams)
    -> impl Future<Output = Answer<BilledPage>> + Send;

    /// One page of corrections, newest first.
    fn corrections(
        &self,
        peer: Peer,
        question: EntriesParams,
    ) -> impl Future<Output = Answer<CorrectionsPage>> + Send;

    /// Takes a correction back.
    fn undo_correction(
        &self,
        peer: Peer,
        which: UndoCorrectionParams,
    ) -> impl Future<Output = Answer<UndoneReply>> + Send;

    /// One page of the carrier's own figures, newest entry first.
    fn observations(
        &self,
        peer: Peer,
        question: EntriesParams,
    ) -> impl Future<Output = Answer<ObservationsPage>> + Send;

    /// Keeps the carrier's own figure.
    fn observe(
        &self,
        peer: Peer,
        figure: ObserveUsageParams,
    ) -> impl Future<Output = Answer<ObservationReply>> + Send;

    /// Takes one of the carrier's own figures back.
    fn withdraw(
        &self,
        peer: Peer,
        which: WithdrawObservationParams,
    ) -> impl Future<Output = Answer<ObservationReply>> + Send;

    /// Takes usage in that another program measured.
    fn import(
        &self,
        peer: Peer,
        question: ImportUsageParams,
    ) -> impl Future<Output = Answer<ImportReply>> + Send;

    /// Takes an import out again.
    fn undo_import(
        &self,
        peer: Peer,
        question: UndoImportParams,
    ) -> impl Future<Output = Answer<ImportReply>> + Send;

    /// Every plan.
    fn plans(&self, peer: Peer) -> impl Future<Output = Answer<Vec<Plan>>> + Send;

    /// The plan of the SIM with this name or ICCID; of the only SIM where none is named.
    fn plan(&self, peer: Peer, sim: Option<String>) -> impl Future<Output = Answer<Plan>> + Send;

    /// Every rule, those that cannot run included.
    fn rules(&self, peer: Peer) -> impl Future<Output = Answer<Vec<Rule>>> + Send;

    /// Every reminder that is not resolved.
    fn reminders(&self, peer: Peer) -> impl Future<Output = Answer<Vec<Reminder>>> + Send;

    /// Marks a reminder as seen.
    fn acknowledge(&self, peer: Peer, key: String) -> impl Future<Output = Answer<Reminder>> + Send;

    /// Puts a reminder off by `seconds`, at least 1.
    fn snooze(&self, peer: Peer, key: String, seconds: u64) -> impl Future<Output = Answer<Reminder>> + Send;

    /// Why a reminder is as it is, or why a rule says nothing.
    fn explain_reminder(
        &self,
        peer: Peer,
        question: ExplainReminderParams,
    ) -> impl Future<Output = Answer<ExplainReminderReply>> + Send;

    /// Takes up a suspended rule again.
    fn resume_rule(&self, peer: Peer, name: String) -> impl Future<Output = Answer<Rule>> + Send;

    /// Every plugin.
    fn plugins(&self, peer: Peer) -> impl Future<Output = Answer<Vec<Plugin>>> + Send;

    /// Switches a plugin on or off, or approves what it asks for, as `method` says.
    fn decide_plugin(
        &self,
        peer: Peer,
        method: Method,
        which: DecidePluginParams,
    ) -> impl Future<Output = Answer<PluginReply>> + Send;

    /// Every channel.
    fn channels(&self, peer: Peer) -> impl Future<Output = Answer<Vec<Channel>>> + Send;

    /// Has a channel say a test message; waits for its outcome within reason.
    fn test_channel(&self, peer: Peer, name: String) -> impl Future<Output = Answer<ChannelTest>> + Send;

    /// The state and what changes from then on, taken in one moment.
    fn monitor(&self, peer: Peer) -> impl Future<Output = Answer<Following>> + Send;

    /// Reads configuration, rules and plugins again.
    fn reload(&self, peer: Peer) -> impl Future<Output = Answer<ReloadReply>> + Send;

    /// A pseudonymised recording as text of any portions; ended by dropping the sender.
    fn bug_report(&self, peer: Peer) -> impl Future<Output = Answer<mpsc::Receiver<String>>> + Send;
}
