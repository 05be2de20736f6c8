//! What callers of the control socket and signals ask of the engine.

use std::sync::Arc;

use simbell_api::{
    Backup, CallsPage, Channel, ChannelTest, ControlError, DecidePluginParams, ExplainPage,
    ExplainReminderParams, ExplainReminderReply, ExplainUsageParams, ExportUsageParams, GetUsageParams,
    ImportReply, ImportUsageParams, MessagesPage, Plan, Plugin, PluginReply, ReloadReply, Reminder,
    RestoreReply, Rule, SetUsageParams, Sim, StatusReply, UndoImportParams, UsageChange, UsagePage,
};
use simbell_core::effect::Notice;
use simbell_core::event::Event;
use simbell_core::health::WarningCode;
use simbell_core::ident::{ChannelName, Iccid, ModemId, ReminderKey};
use simbell_core::ledger::Correction;
use simbell_core::modem::{ModemState, ModemView, Registration};
use simbell_core::plugin::PluginChoice;
use simbell_core::reminder::{self, DeliveryState, ReminderState};
use simbell_core::settings::Settings;
use simbell_core::time::Span;
use simbell_notify::Channel as Transport;
use simbell_rules::RuleSet;
use simbell_store::Store;
use tokio::sync::oneshot;

use super::readings::Then;
use super::{CarrierRequest, Engine};
use crate::clock::Trust;
use crate::config::HistorySettings;
use crate::control::{Answer, Following};
use crate::export::Export;
use crate::scripted::ScriptedChannels;
use crate::{convert, explain, usage, voice};

/// What a reload brings: everything read anew and found good.
pub struct Reloaded {
    /// For the core.
    pub settings: Settings,
    /// The rules.
    pub rules: RuleSet,
    /// The channels.
    pub channels: std::collections::BTreeMap<ChannelName, Transport>,
    /// Those of them that go by a plugin.
    pub scripted: ScriptedChannels,
    /// How far the clock is believed.
    pub trust: Trust,
    /// How long usage is kept in which detail.
    pub history: HistorySettings,
    /// Things to know that do not stand in the way.
    pub problems: Vec<String>,
    /// Where the quota helper listens, where one is asked for.
    pub quota: Option<std::path::PathBuf>,
}

/// Messages of an export, and what is left of it.
pub type ExportStep = (Vec<Vec<u8>>, Option<Box<Export>>);

/// The place that an answer is sent to.
pub type Reply<T> = oneshot::Sender<Answer<T>>;

/// One request.
pub enum Request {
    /// How the service is.
    Status(Reply<StatusReply>),
    /// Every SIM.
    Sims(Reply<Vec<Sim>>),
    /// One page of usage.
    Usage(GetUsageParams, Reply<UsagePage>),
    /// One page of what a total is made of.
    Explain(ExplainUsageParams, Reply<ExplainPage>),
    /// One page of calls.
    Calls(GetUsageParams, Reply<CallsPage>),
    /// One page of short messages.
    Messages(GetUsageParams, Reply<MessagesPage>),
    /// Make a copy of the ledger.
    CreateBackup(Reply<Backup>),
    /// Every copy of the ledger.
    Backups(Reply<Vec<Backup>>),
    /// Have a copy take the ledger's place.
    RestoreBackup(String, Reply<RestoreReply>),
    /// An export to be begun.
    Export(ExportUsageParams, Reply<Export>),
    /// The next parts of an export that goes through the service, and the rest of it.
    ExportOn(Box<Export>, Reply<ExportStep>),
    /// The carrier's view.
    Carrier(CarrierRequest),
    /// Usage that another program measured.
    Import(ImportUsageParams, Reply<ImportReply>),
    /// An import to be taken out again.
    UndoImport(UndoImportParams, Reply<ImportReply>),
    /// What usage really is; on behalf of a user id.
    SetUsage(SetUsageParams, u32, Reply<UsageChange>),
    /// Every plan.
    Plans(Reply<Vec<Plan>>),
    /// One plan.
    Plan(Option<String>, Reply<Plan>),
    /// Every rule.
    Rules(Reply<Vec<Rule>>),
    /// Every plugin.
    Plugins(Reply<Vec<Plugin>>),
    /// Switch a plugin on or off, or approve what it asks for; on behalf of a user id.
    DecidePlugin(PluginChoice, DecidePluginParams, u32, Reply<PluginReply>),
    /// Every reminder.
    Reminders(Reply<Vec<Reminder>>),
    /// Seen.
    Acknowledge(String, Reply<Reminder>),
    /// Put off, by seconds.
    Snooze(String, u64, Reply<Reminder>),
    /// Why a reminder is as it is.
    Why(ExplainReminderParams, Reply<ExplainReminderReply>),
    /// Take up a suspended rule again.
    ResumeRule(String, Reply<Rule>),
    /// Every channel.
    Channels(Reply<Vec<Channel>>),
    /// Put a test message in a channel's outbox; gives its delivery id.
    TestChannel(String, Reply<String>),
    /// How a delivery stands.
    DeliveryState(String, Reply<ChannelTest>),
    /// The state and what follows.
    Monitor(Reply<Following>),
    /// Give memory back that only the start needed, or what came since.
    GiveBack,
    /// Rules, plugins or texts changed on disk.
    FilesChanged,
    /// Read everything anew.
    Reload(Reply<ReloadReply>),
    /// The recording, as lines.
    BugReport(Reply<Vec<String>>),
    /// The modem that a message leaves by: that of the SIM with this name or ICCID, or any that is registered.
    ModemForSms(Option<String>, oneshot::Sender<Result<ModemId, String>>),
    /// A message left.
    SmsLeft {
        /// By which modem.
        modem: ModemId,
        /// How many parts.
        parts: u32,
        /// To whom.
        to: String,
    },
    /// A message did not leave by this modem, or nobody knows.
    SmsFailed {
        /// By which modem.
        modem: ModemId,
        /// How many parts.
        parts: u32,
        /// To whom.
        to: String,
        /// Whether it may have left.
        unknown: bool,
    },
    /// ModemManager refused to send a message to a service without rights, and why; none where it let one leave.
    SmsRefused(Option<String>),
    /// Stop.
    Stop,
}

/// Whether a person's word for a reminder is a part of its key, between slashes.
pub(super) fn has_part(reminder: &reminder::Reminder, word: &str) -> bool {
    !word.is_empty() && format!("/{}/", reminder.key).contains(&format!("/{word}/"))
}

impl Engine {
    pub(super) async fn serve(&mut self, request: Request) {
        // A caller that has gone away needs no answer.
        match request {
            Request::Status(reply) => {
                let _ = reply.send(Ok(convert::status(&self.state, self.stopping)));
            }
            Request::Sims(reply) => {
                self.fresh().await;
                let _ = reply.send(Ok(convert::sims(&self.state)));
            }
            Request::Usage(question, reply) => self.usage_page(&question, reply).await,
            Request::CreateBackup(reply) => {
                self.flush().await;
                self.create_backup(reply);
            }
            Request::Backups(reply) => {
                let _ = reply.send(self.list_backups());
            }
            Request::RestoreBackup(name, reply) => match self.restore_backup(&name).await {
                Ok(done) if std::mem::take(&mut self.plugins_moved) => {
                    self.read(Then::Restored(done, reply));
                }
                answer => {
                    let _ = reply.send(answer);
                }
            },
            Request::Export(question, reply) => {
                self.fresh().await;
                self.flush().await;
                let reader = self.reader();
                let _ = reply.send(Export::of(&self.state, self.stamp(), question, reader));
            }
            Request::ExportOn(mut export, reply) => {
                let step = self.ledger().and_then(|store| export.step(&usage::Ledger::Through(store)));
                let rest = |parts| (parts, (!export.is_over()).then_some(export));
                let _ = reply.send(step.map(rest));
            }
            Request::Explain(question, reply) => {
                // Later pages tell of the moment of the first.
                if question.after.is_none() {
                    self.fresh().await;
                    self.flush().await;
                }
                let asked = explain::Question::of(&self.state, self.stamp(), &question);
                self.beside(reply, asked, explain::Question::page);
            }
            Request::Calls(question, reply) => {
                let asked = voice::Question::of(&self.state, self.stamp(), &question);
                self.beside(reply, asked, voice::Question::calls);
            }
            Request::Messages(question, reply) => {
                let asked = voice::Question::of(&self.state, self.stamp(), &question);
                self.beside(reply, asked, voice::Question::messages);
            }
            Request::Carrier(request) => self.serve_carrier(request).await,
            Request::Import(question, reply) => {
                let answer = self.import(question).await;
                let _ = reply.send(answer);
            }
            Request::UndoImport(question, reply) => {
                let answer = self.undo_import(question).await;
                let _ = reply.send(answer);
            }
            Request::SetUsage(change, uid, reply) => {
                let answer = self.set_usage(change, uid).await;
                let _ = reply.send(answer);
            }
            Request::Plans(reply) => {
                let _ = reply.send(Ok(convert::plans(&self.state)));
            }
            Request::Plan(sim, reply) => {
                let answer =
                    self.sim_named(sim.as_deref()).and_then(|iccid| convert::plan(&self.state, &iccid));
                let _ = reply.send(answer);
            }
            Request::Rules(reply) => {
                let _ = reply.send(Ok(convert::rules(&self.state)));
            }
            Request::Plugins(reply) => {
                let _ = reply.send(Ok(self.plugins_shown()));
            }
            Request::DecidePlugin(choice, which, uid, reply) => {
                // What is on disk now is what is decided about.
                self.read(Then::Decide(choice, which, uid, reply));
            }
            Request::Reminders(reply) => {
                let _ = reply.send(Ok(convert::reminders(&self.state)));
            }
            Request::Acknowledge(key, reply) => {
                let answer = match self.reminder_named(&key) {
                    Ok(key) => self.changed(Event::ReminderAcknowledged(key.clone()), &key).await,
                    Err(error) => Err(error),
                };
                let _ = reply.send(answer);
            }
            Request::Snooze(key, seconds, reply) => {
                let answer = match self.reminder_named(&key) {
                    Ok(key) => {
                        let span = Span::secs(i64::try_from(seconds).unwrap_or(i64::MAX));
                        self.changed(Event::ReminderSnoozed { key: key.clone(), span }, &key).await
                    }
                    Err(error) => Err(error),
                };
                let _ = reply.send(answer);
            }
            Request::Why(question, reply) => {
                let _ = reply.send(self.why(&question));
            }
            Request::ResumeRule(name, reply) => {
                let answer = self.resume(&name).await;
                let _ = reply.send(answer);
            }
            Request::Channels(reply) => {
                let _ = reply.send(Ok(convert::channels(&self.state)));
            }
            Request::TestChannel(name, reply) => {
                let answer = self.test_channel(&name).await;
                let _ = reply.send(answer);
            }
            Request::DeliveryState(id, reply) => {
                let _ = reply.send(Ok(self.delivery_state(&id)));
            }
            Request::Monitor(reply) => {
                let changes = self.followers.subscribe();
                self.followed_until = self.stamp().boot_ms.saturating_add(super::LOOKED_ON_MS);
                let state = convert::monitor_state(&self.state, self.stamp());
                let _ = reply.send(Ok(Following { state, changes }));
                // A reminder for the desktop may have waited for somebody to follow.
                self.feed(Event::FollowerArrived).await;
            }
            Request::Reload(reply) => {
                self.read(Then::Configuration(reply));
            }
            Request::GiveBack => self.give_back().await,
            Request::FilesChanged => self.read(Then::Nothing),
            Request::BugReport(reply) => {
                let lines = self.recording.lines();
                let _ = reply.send(Ok(lines));
            }
            Request::ModemForSms(via, reply) => {
                let _ = reply.send(self.modem_for_sms(via.as_deref()));
            }
            Request::SmsLeft { modem, parts, to } => {
                self.feed(Event::SmsSent { modem, parts, to: Some(to) }).await;
            }
            Request::SmsFailed { modem, parts, to, unknown } => {
                self.feed(Event::SmsFailed { modem, parts, to: Some(to), unknown }).await;
            }
            Request::SmsRefused(text) => {
                self.report(WarningCode::NotAuthorized, "messages", text).await;
            }
            Request::Stop => self.stopping = true,
        }
    }

    pub(super) fn modem_for_sms(&self, via: Option<&str>) -> Result<ModemId, String> {
        let ready = |modem: &&ModemView| {
            matches!(modem.registration, Registration::Home | Registration::Roaming)
                && !matches!(modem.state, ModemState::Failed | ModemState::Locked | ModemState::Disabled)
        };
        if let Some(name) = via {
            let iccid = self.sim_named(Some(name)).map_err(|error| error.message().to_owned())?;
            let modem = self.state.modem_with(&iccid).filter(ready);
            return modem
                .map(|modem| modem.id.clone())
                .ok_or_else(|| format!("the SIM {name} is in no modem that is registered"));
        }
        let home = |modem: &&ModemView| modem.registration == Registration::Home;
        let any = self.state.modems().filter(ready).find(home).or_else(|| self.state.modems().find(ready));
        any.map(|modem| modem.id.clone()).ok_or_else(|| "no modem is registered with a network".to_owned())
    }

    /// Counters as of now, so that an answer is not a sample interval old.
    pub(super) async fn fresh(&mut self) {
        if self.state.next_read(self.stamp(), false).is_some() && !self.links_broken {
            self.read_links().await;
        }
    }

    pub(super) async fn flush(&mut self) {
        let at = self.stamp();
        let changes = self.state.flush(at);
        self.backlog.changes.extend(changes);
        self.settle().await;
    }

    pub(super) fn ledger(&self) -> Answer<&Store> {
        self.store.as_ref().ok_or_else(no_ledger)
    }

    pub(super) fn sim_named(&self, name: Option<&str>) -> Answer<Iccid> {
        convert::sim_named(&self.state, name)
    }

    /// The live reminder with this key, or the only one with this part in its key.
    pub(super) fn reminder_named(&self, key: &str) -> Answer<ReminderKey> {
        let live = || self.state.reminders().filter(|r| !matches!(r.state, ReminderState::Resolved { .. }));
        if let Some(exact) = live().find(|r| r.key.as_str() == key) {
            return Ok(exact.key.clone());
        }
        let mut fits = live().filter(|r| has_part(r, key));
        let shown: String = key.chars().take(80).collect();
        let message = match (fits.next(), fits.next()) {
            (Some(only), None) => return Ok(only.key.clone()),
            (Some(one), Some(other)) => {
                format!("{shown:?} fits several reminders, {} and {}", one.key, other.key)
            }
            (None, _) => format!("no reminder has the key {shown:?} now"),
        };
        let hint = "`simbellctl reminders` lists them".to_owned();
        Err(ControlError::UnknownReminder { message, hint })
    }

    async fn changed(&mut self, event: Event, key: &ReminderKey) -> Answer<Reminder> {
        self.feed(event).await;
        self.committed()?;
        convert::reminder_by_key(&self.state, key).ok_or_else(|| convert::internal("the reminder is gone"))
    }

    pub(super) fn committed(&self) -> Answer<()> {
        if self.backlog.changes.is_empty() {
            return Ok(());
        }
        Err(ControlError::LedgerNotWritable {
            message: "the ledger cannot be written now; the change is made as soon as it can, unless the service ends before"
                .to_owned(),
            hint: "see `simbellctl status` for the reason; free or mend the disk of the state directory"
                .to_owned(),
        })
    }

    /// As [`Self::committed`], of an entry that was made for the ledger as it was: none where another took its place since.
    pub(super) fn committed_to(&self, replaced: u32) -> Answer<()> {
        if self.ledger.replaced == replaced {
            return self.committed();
        }
        Err(ControlError::LedgerNotWritable {
            message: "the ledger was found damaged meanwhile and is set aside; its last good copy goes on, and the entry \
                      may be in it or not"
                .to_owned(),
            hint: "see `simbellctl status`, then what is there with `simbellctl usage corrections` and `simbellctl usage \
                   observations`; say it again where it is missing"
                .to_owned(),
        })
    }

    /// As [`Self::committed`], of what is not begun where the ledger cannot be written.
    pub(super) fn writable(&self) -> Answer<()> {
        self.committed().map_err(|_| ControlError::LedgerNotWritable {
            message: "the ledger cannot be written now: nothing was changed".to_owned(),
            hint: "see `simbellctl status` for the reason; free or mend the disk of the state directory, and try again"
                .to_owned(),
        })
    }

    async fn set_usage(&mut self, change: SetUsageParams, uid: u32) -> Answer<UsageChange> {
        let iccid = self.sim_named(change.sim.as_deref())?;
        let reason = change.reason.unwrap_or_else(|| "usage set".to_owned());
        super::carrier::is_reason(&reason)?;
        let at = self.stamp();
        if !at.trusted {
            return Err(ControlError::Busy {
                message: "the clock cannot be believed yet, so the cycle is not known".to_owned(),
                hint: "set the clock or wait for NTP; see service.clock in the configuration".to_owned(),
            });
        }
        self.fresh().await;
        // A cycle may have begun meanwhile.
        let at = self.stamp();
        let replaced = self.ledger.replaced;
        let before = self.state.facts(&iccid).map_or(0, |f| f.used_bytes);
        let bytes =
            self.state.correction_to(&iccid, change.bytes).ok_or_else(|| ControlError::InvalidArgument {
                argument: "bytes".to_owned(),
                message: "the amount is too large".to_owned(),
                hint: "give what the carrier says was used in this cycle, such as 6GB".to_owned(),
            })?;
        if bytes != 0 {
            let correction = Correction {
                iccid: iccid.clone(),
                at: at.wall,
                bytes,
                author: format!("uid {uid}"),
                reason,
                undoes: None,
            };
            self.feed(Event::UsageCorrected(correction)).await;
            self.committed_to(replaced)?;
        }
        let after = self.state.facts(&iccid).map_or(0, |f| f.used_bytes);
        Ok(UsageChange {
            iccid: iccid.as_str().to_owned(),
            before_bytes: before,
            bytes: after,
            correction_bytes: bytes,
        })
    }

    async fn test_channel(&mut self, name: &str) -> Answer<String> {
        let known = self.state.settings().channels.iter().find(|c| c.name.as_str() == name);
        let Some(channel) = known.map(|c| c.name.clone()) else {
            return Err(ControlError::UnknownChannel {
                message: format!("no channel is called {name:?}"),
                hint: "`simbellctl channels` lists them; they are set under [channels] in the configuration"
                    .to_owned(),
            });
        };
        let at = self.stamp();
        self.feed(Event::ChannelTested(channel.clone())).await;
        let prefix = format!("test/{channel}@");
        self.state
            .deliveries()
            .filter(|d| d.id.starts_with(&prefix) && d.created_at >= at.wall)
            .map(|d| d.id.clone())
            .max()
            .ok_or_else(|| convert::internal("the test message was not put in the outbox"))
    }

    fn delivery_state(&self, id: &str) -> ChannelTest {
        let delivery = self.state.deliveries().find(|d| d.id == id);
        let (state, error) = match delivery {
            None => ("queued", None),
            Some(d) => match d.state {
                DeliveryState::Delivered => ("delivered", None),
                DeliveryState::Failed | DeliveryState::Suppressed => ("failed", d.last_error.clone()),
                DeliveryState::Queued | DeliveryState::Sending => ("queued", d.last_error.clone()),
            },
        };
        ChannelTest { state: state.to_owned(), error }
    }

    /// What was read of the configuration takes the place of what is in use, where it is right.
    pub(super) async fn take_configuration(
        &mut self,
        result: Result<Reloaded, Vec<String>>,
    ) -> Answer<ReloadReply> {
        let answer = match result {
            Ok(new) => {
                self.clock.set_trust(new.trust);
                self.history = new.history;
                if self.quotas.change(new.quota) {
                    self.report(WarningCode::QuotaHelper, "", None).await;
                }
                self.rules = Arc::new(new.rules);
                if let Some(dispatcher) = &mut self.dispatcher {
                    dispatcher.replace(new.channels);
                }
                self.scripted = new.scripted;
                // Whose the counters are, and whether they count, may be another's from now on.
                if !self.links_broken {
                    self.read_links().await;
                }
                self.feed(Event::SettingsLoaded(Box::new(new.settings))).await;
                self.feed(Event::RulesLoaded(self.rules.descriptions())).await;
                self.look_at_plugins().await;
                self.report(WarningCode::ConfigRejected, "", None).await;
                self.looked_into().await;
                let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                Ok(ReloadReply {
                    sims: count(self.state.settings().sims.len()),
                    rules: count(self.state.rules().filter(|r| r.problem.is_none()).count()),
                    problems: new.problems,
                })
            }
            Err(problems) => {
                // The problems themselves go to whoever asked: a line of a configuration can hold what was pasted into
                // the wrong place, and warnings reach the log.
                let named = self.config.as_ref().map(|path| format!(" --config {}", path.display()));
                let text = format!(
                    "The configuration on disk has errors ({}) and is not in use; what was read before stays in use. \
                     `simbellctl config check{}` shows them.",
                    problems.len(),
                    named.unwrap_or_default()
                );
                self.report(WarningCode::ConfigRejected, "", Some(text)).await;
                Err(ControlError::ReloadRejected {
                    message: "the configuration on disk has errors; what was in use stays in use".to_owned(),
                    problems,
                    hint: "mend them, then `simbellctl reload`".to_owned(),
                })
            }
        };
        self.notifier.ready(&self.summary());
        self.publish(Notice::StatusChanged);
        answer
    }
}

/// Another one is about to take its place, or its task ended unexpectedly.
pub(super) fn no_ledger() -> ControlError {
    convert::internal("the ledger is not there")
}
