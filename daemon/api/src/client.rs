//! A client of the control socket: one connection, one call at a time.

mod export;
mod failure;
mod stream;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use zlink::{Call, tokio::unix};

pub use export::Export;
pub use failure::ClientError;
pub use stream::{Onward, Pages, Stream};

use crate::carrier::{
    BilledPage, BilledSpan, Correction, CorrectionsPage, EntriesParams, Observation, ObservationReply,
    ObservationsPage, ObserveUsageParams, UndoCorrectionParams, UndoneReply, WithdrawObservationParams,
};
use crate::error::ControlError;
use crate::explain::{ExplainPage, ExplainUsageParams};
use crate::import::{ImportReply, ImportUsageParams, UndoImportParams};
use crate::method::{
    AcknowledgeParams, ChannelsPage, GetUsageParams, GetVersionParams, Method, PageParams, PlansPage,
    ReloadReply, ReminderReply, RemindersPage, RulesPage, SetUsageParams, ShowPlanParams, ShowPlanReply,
    SimsPage, SnoozeParams, StatusReply, TestChannelParams, VersionReply,
};
use crate::{
    CallsOutput, ChannelTest, INTERFACE, MessagesOutput, MonitorEvent, Plan, Reminder, UsageChange,
    UsageOutput,
};
use crate::{DecidePluginParams, PluginReply, PluginsPage};
use crate::{ExplainReminderParams, ExplainReminderReply, ResumeRuleParams, RuleReply};

/// How long a call may take before the service counts as stuck.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a channel may take to say a test message, above the service's own limits.
const TEST_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a full backlog or a full house is waited out.
const CROWD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long between two tries meanwhile.
const CROWD_PAUSE: Duration = Duration::from_millis(50);

/// How often an explanation is read anew because counters moved between its pages.
const EXPLAIN_TRIES: u32 = 5;

/// A connection to the service. Needs a tokio runtime with I/O and time; one thread is enough.
#[derive(Debug)]
pub struct Client {
    connection: unix::Connection,
    path: PathBuf,
    service_version: String,
}

impl Client {
    /// Connects to the socket at `path` and asks the service for its version.
    ///
    /// # Errors
    /// Says whether nothing listens there, the socket may not be opened, or the service does not answer.
    pub async fn connect(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        let path = path.as_ref();
        let deadline = tokio::time::Instant::now() + CROWD_TIMEOUT;
        loop {
            match Self::connect_once(path).await {
                Err(error) if error.is_crowd() && tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(CROWD_PAUSE).await;
                }
                other => return other,
            }
        }
    }

    /// The version the service told.
    #[must_use]
    pub fn service_version(&self) -> &str {
        &self.service_version
    }

    /// What a difference between the service's version and this program's means and what to do; none when equal.
    #[must_use]
    pub fn skew(&self) -> Option<String> {
        skew(&self.service_version, crate::VERSION)
    }

    /// How the service and ModemManager are.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn status(&mut self) -> Result<StatusReply, ClientError> {
        self.call(Method::GetStatus, &Empty {}).await
    }

    /// Every SIM, every page.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn sims(&mut self) -> Result<Vec<crate::Sim>, ClientError> {
        self.all::<SimsPage>(PageParams::default()).await
    }

    /// Every plan, every page.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn plans(&mut self) -> Result<Vec<Plan>, ClientError> {
        self.all::<PlansPage>(PageParams::default()).await
    }

    /// Every rule, every page.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn rules(&mut self) -> Result<Vec<crate::Rule>, ClientError> {
        self.all::<RulesPage>(PageParams::default()).await
    }

    /// Every reminder that is not resolved, every page.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn reminders(&mut self) -> Result<Vec<Reminder>, ClientError> {
        self.all::<RemindersPage>(PageParams::default()).await
    }

    /// Every channel, every page.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn channels(&mut self) -> Result<Vec<crate::Channel>, ClientError> {
        self.all::<ChannelsPage>(PageParams::default()).await
    }

    /// The plan of one SIM, by name or ICCID; of the only one where none is named.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn plan(&mut self, sim: Option<String>) -> Result<Plan, ClientError> {
        let reply: ShowPlanReply = self.call(Method::ShowPlan, &ShowPlanParams { sim }).await?;
        Ok(reply.plan)
    }

    /// Usage, every page; `after` and `limit` of the question are ignored.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn usage(&mut self, question: &GetUsageParams) -> Result<UsageOutput, ClientError> {
        let mut question = GetUsageParams { after: None, limit: None, ..question.clone() };
        let mut rows = Vec::new();
        loop {
            let page: crate::UsagePage = self.call(Method::GetUsage, &question).await?;
            rows.extend(page.rows);
            if page.next.is_none() || page.next == question.after {
                return Ok(UsageOutput { rows, total: page.total, billed: Vec::new() });
            }
            question.after = page.next;
        }
    }

    /// Calls, every page; `after` and `limit` of the question are ignored.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn calls(&mut self, question: &GetUsageParams) -> Result<CallsOutput, ClientError> {
        let mut question = GetUsageParams { after: None, limit: None, ..question.clone() };
        let mut rows = Vec::new();
        loop {
            let page: crate::CallsPage = self.call(Method::GetCalls, &question).await?;
            rows.extend(page.rows);
            if page.next.is_none() || page.next == question.after {
                return Ok(CallsOutput { rows, total: page.total });
            }
            question.after = page.next;
        }
    }

    /// Short messages, every page; `after` and `limit` of the question are ignored.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn messages(&mut self, question: &GetUsageParams) -> Result<MessagesOutput, ClientError> {
        let mut question = GetUsageParams { after: None, limit: None, ..question.clone() };
        let mut rows = Vec::new();
        loop {
            let page: crate::MessagesPage = self.call(Method::GetMessages, &question).await?;
            rows.extend(page.rows);
            if page.next.is_none() || page.next == question.after {
                return Ok(MessagesOutput { rows, total: page.total });
            }
            question.after = page.next;
        }
    }

    /// What a total is made of, every page; `after` and `limit` of the question are ignored. Where counters move while
    /// it is read, it is read again, a few times.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn explain(&mut self, question: &ExplainUsageParams) -> Result<ExplainPage, ClientError> {
        let mut tries = 0_u32;
        loop {
            tries = tries.saturating_add(1);
            let mut question = ExplainUsageParams { after: None, limit: None, ..question.clone() };
            let mut whole = self.explain_page(&question).await?;
            let mut steady = true;
            while steady && whole.next.is_some() {
                question.after = whole.next.take();
                steady = whole.join(self.explain_page(&question).await?);
            }
            if steady || tries >= EXPLAIN_TRIES {
                whole.next = None;
                whole.check();
                return Ok(whole);
            }
        }
    }

    /// One page of what a total is made of.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn explain_page(&mut self, question: &ExplainUsageParams) -> Result<ExplainPage, ClientError> {
        self.call(Method::ExplainUsage, question).await
    }

    /// Says what the usage of the cycle really is; resolves after the commit.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn set_usage(&mut self, params: &SetUsageParams) -> Result<UsageChange, ClientError> {
        self.call(Method::SetUsage, params).await
    }

    /// Usage by day or cycle as measured and as billed, every page; `after` and `limit` of the question are ignored.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn billed(&mut self, question: &GetUsageParams) -> Result<Vec<BilledSpan>, ClientError> {
        let question = GetUsageParams { after: None, limit: None, ..question.clone() };
        self.all::<BilledPage>(question).await
    }

    /// Corrections of a SIM, or of every SIM, newest first, every page.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn corrections(&mut self, sim: Option<String>) -> Result<Vec<Correction>, ClientError> {
        self.all::<CorrectionsPage>(EntriesParams { sim, ..EntriesParams::default() }).await
    }

    /// Takes a correction back; resolves after the commit.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn undo_correction(
        &mut self,
        params: &UndoCorrectionParams,
    ) -> Result<UndoneReply, ClientError> {
        self.call(Method::UndoCorrection, params).await
    }

    /// The carrier's own figures of a SIM, or of every SIM, newest entry first, every page.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn observations(&mut self, sim: Option<String>) -> Result<Vec<Observation>, ClientError> {
        self.all::<ObservationsPage>(EntriesParams { sim, ..EntriesParams::default() }).await
    }

    /// Keeps the carrier's own figure; resolves after the commit.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn observe_usage(
        &mut self,
        params: &ObserveUsageParams,
    ) -> Result<ObservationReply, ClientError> {
        self.call(Method::ObserveUsage, params).await
    }

    /// Takes usage in that another program measured; resolves after the commit.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn import_usage(&mut self, params: &ImportUsageParams) -> Result<ImportReply, ClientError> {
        self.call(Method::ImportUsage, params).await
    }

    /// Takes an import out again; resolves after the commit.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn undo_import(&mut self, params: &UndoImportParams) -> Result<ImportReply, ClientError> {
        self.call(Method::UndoImport, params).await
    }

    /// Takes an observation back; resolves after the commit.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn withdraw_observation(
        &mut self,
        params: &WithdrawObservationParams,
    ) -> Result<ObservationReply, ClientError> {
        self.call(Method::WithdrawObservation, params).await
    }

    /// Acknowledges a reminder; resolves after the commit.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn acknowledge(&mut self, key: &str) -> Result<Reminder, ClientError> {
        let params = AcknowledgeParams { key: key.to_owned() };
        let reply: ReminderReply = self.call(Method::Acknowledge, &params).await?;
        Ok(reply.reminder)
    }

    /// Puts a reminder off by `seconds`; resolves after the commit.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn snooze(&mut self, key: &str, seconds: u64) -> Result<Reminder, ClientError> {
        let params = SnoozeParams { key: key.to_owned(), seconds };
        let reply: ReminderReply = self.call(Method::Snooze, &params).await?;
        Ok(reply.reminder)
    }

    /// Tells why a reminder is as it is, or why a rule says nothing.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn explain_reminder(
        &mut self,
        key: &str,
        sim: Option<&str>,
    ) -> Result<ExplainReminderReply, ClientError> {
        let params = ExplainReminderParams { key: key.to_owned(), sim: sim.map(str::to_owned) };
        self.call(Method::ExplainReminder, &params).await
    }

    /// Takes up a rule again that was suspended.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn resume_rule(&mut self, name: &str) -> Result<crate::Rule, ClientError> {
        let params = ResumeRuleParams { name: name.to_owned() };
        let reply: RuleReply = self.call(Method::ResumeRule, &params).await?;
        Ok(reply.rule)
    }

    /// Every plugin, every page.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn plugins(&mut self) -> Result<Vec<crate::Plugin>, ClientError> {
        self.all::<PluginsPage>(PageParams::default()).await
    }

    /// The folder that the owner's plugins are copied into.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn plugins_folder(&mut self) -> Result<Option<String>, ClientError> {
        let params = PageParams { limit: Some(1), ..PageParams::default() };
        self.call::<_, PluginsPage>(Method::ListPlugins, &params).await.map(|page| page.folder)
    }

    /// Lets a plugin run, and approves what was shown that it asks for.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn enable_plugin(
        &mut self,
        name: &str,
        approve: &[String],
    ) -> Result<PluginReply, ClientError> {
        self.decide_plugin(Method::EnablePlugin, name, approve).await
    }

    /// Switches a plugin off.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn disable_plugin(&mut self, name: &str) -> Result<PluginReply, ClientError> {
        self.decide_plugin(Method::DisablePlugin, name, &[]).await
    }

    /// Approves what was shown that a plugin asks for.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn approve_plugin(
        &mut self,
        name: &str,
        approve: &[String],
    ) -> Result<PluginReply, ClientError> {
        self.decide_plugin(Method::ApprovePlugin, name, approve).await
    }

    async fn decide_plugin(
        &mut self,
        method: Method,
        name: &str,
        approve: &[String],
    ) -> Result<PluginReply, ClientError> {
        let params = DecidePluginParams { name: name.to_owned(), approve: approve.to_vec() };
        self.call(method, &params).await
    }

    /// Has a channel say a test message.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn test_channel(&mut self, name: &str) -> Result<ChannelTest, ClientError> {
        let params = TestChannelParams { name: name.to_owned() };
        let call = self.call_within(Method::TestChannel, &params, TEST_TIMEOUT);
        call.await
    }

    /// Has configuration, rules and plugins read again.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn reload(&mut self) -> Result<ReloadReply, ClientError> {
        self.call_within(Method::Reload, &Empty {}, TEST_TIMEOUT).await
    }

    /// Follows what happens, the full state first. Ends the use of this connection for anything else.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn monitor(mut self) -> Result<Stream<MonitorEvent>, ClientError> {
        self.start(Method::Monitor).await?;
        Ok(Stream::new(self))
    }

    /// Makes a copy of the ledger; resolves when it is on the disk.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn create_backup(&mut self) -> Result<crate::Backup, ClientError> {
        let reply: crate::BackupReply =
            self.call_within(Method::CreateBackup, &Empty {}, TEST_TIMEOUT).await?;
        Ok(reply.backup)
    }

    /// Every copy of the ledger, every page.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn backups(&mut self) -> Result<Vec<crate::Backup>, ClientError> {
        self.all::<crate::BackupsPage>(PageParams::default()).await
    }

    /// Has a copy take the ledger's place.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn restore_backup(&mut self, name: &str) -> Result<crate::RestoreReply, ClientError> {
        let params = crate::RestoreBackupParams { name: name.to_owned() };
        self.call_within(Method::RestoreBackup, &params, TEST_TIMEOUT).await
    }

    /// Usage in bulk, part by part. Ends the use of this connection for anything else.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn export(self, params: &crate::ExportUsageParams) -> Result<Export, ClientError> {
        Export::begin(self, params).await
    }

    /// A pseudonymised recording, part by part. Ends the use of this connection for anything else.
    ///
    /// # Errors
    /// What the service refused, or why it could not be asked.
    pub async fn bug_report(mut self) -> Result<Stream<crate::BugReportChunk>, ClientError> {
        self.start(Method::BugReport).await?;
        Ok(Stream::new(self))
    }

    async fn connect_once(path: &Path) -> Result<Self, ClientError> {
        let connection = unix::connect(path).await.map_err(|error| ClientError::from_connect(path, error))?;
        let mut client =
            Self { connection, path: path.to_owned(), service_version: crate::VERSION.to_owned() };
        let params = GetVersionParams { client: Some(crate::VERSION.to_owned()) };
        let reply: VersionReply = client.call(Method::GetVersion, &params).await?;
        client.service_version = reply.version;
        Ok(client)
    }

    /// Every page of a list.
    async fn all<P: Pages>(&mut self, mut params: P::Params) -> Result<Vec<P::Item>, ClientError> {
        let mut items = Vec::new();
        loop {
            let page: P = self.call(P::METHOD, &params).await?;
            let (some, next) = page.into_parts();
            items.extend(some);
            if next.is_none() || next == *params.after() {
                return Ok(items);
            }
            *params.after() = next;
        }
    }

    async fn call<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: Method,
        params: &P,
    ) -> Result<R, ClientError> {
        self.call_within(method, params, CALL_TIMEOUT).await
    }

    async fn call_within<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: Method,
        params: &P,
        limit: Duration,
    ) -> Result<R, ClientError> {
        let exchange = async {
            let sent = self.connection.send_call(&outgoing(method, params)?, Vec::new()).await;
            // A service that turns a caller away says why before it hangs up: what it said is worth more
            // than the broken pipe.
            let received = self.receive().await;
            match (sent, received) {
                (_, Ok(reply)) => Ok(reply),
                (_, Err(error @ ClientError::Refused { .. })) => Err(error),
                (Err(error), Err(_)) => Err(ClientError::lost(&self.path, error)),
                (Ok(()), Err(error)) => Err(error),
            }
        };
        let (value, _) = match tokio::time::timeout(limit, exchange).await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(ClientError::Stuck { path: self.path.clone(), seconds: limit.as_secs() }),
        };
        self.decode(method.name(), value)
    }

    async fn start(&mut self, method: Method) -> Result<(), ClientError> {
        let call = outgoing(method, &Empty {})?.set_more(true);
        self.connection.send_call(&call, Vec::new()).await.map_err(|e| ClientError::lost(&self.path, e))
    }

    /// One reply and whether more follow.
    async fn receive(&mut self) -> Result<(Value, bool), ClientError> {
        let received = self.connection.receive_reply::<Value, AnyError>().await;
        match received {
            Ok((Ok(reply), _)) => {
                let continues = reply.continues().unwrap_or(false);
                Ok((reply.into_parameters().unwrap_or(Value::Null), continues))
            }
            Ok((Err(error), _)) => Err(self.refused(error)),
            Err(zlink::Error::VarlinkService(error)) => Err(ClientError::Protocol {
                message: format!("the service said: {}", error.inner()),
                skew: self.skew(),
            }),
            Err(error) => Err(ClientError::lost(&self.path, error)),
        }
    }

    fn refused(&self, error: AnyError) -> ClientError {
        let whole = serde_json::json!({ "error": error.error, "parameters": error.parameters });
        match serde_json::from_value::<ControlError>(whole) {
            Ok(error) => ClientError::Refused { error },
            Err(_) => ClientError::Protocol {
                message: format!("the service said {}, which this program does not know", error.error),
                skew: self.skew(),
            },
        }
    }

    fn decode<R: DeserializeOwned>(&self, what: &str, value: Value) -> Result<R, ClientError> {
        serde_json::from_value(value).map_err(|error| ClientError::Protocol {
            message: format!("the service's answer to {what} could not be read: {error}"),
            skew: self.skew(),
        })
    }
}

/// No parameters.
#[derive(Debug, Serialize)]
struct Empty {}

/// Method and parameters as they travel.
#[derive(Debug, Serialize)]
struct Outgoing {
    method: String,
    parameters: Value,
}

fn outgoing<P: Serialize>(method: Method, params: &P) -> Result<Call<Outgoing>, ClientError> {
    let parameters = serde_json::to_value(params).map_err(|error| ClientError::Protocol {
        message: format!("the parameters of {} could not be written: {error}", method.name()),
        skew: None,
    })?;
    Ok(Call::new(Outgoing { method: format!("{INTERFACE}.{}", method.name()), parameters }))
}

/// Any error, known to this version or not.
#[derive(Debug, serde::Deserialize)]
struct AnyError {
    error: String,
    #[serde(default)]
    parameters: Value,
}

/// Explains a difference of versions.
fn skew(service: &str, program: &str) -> Option<String> {
    if service == program {
        return None;
    }
    Some(match (numbers(service), numbers(program)) {
        (Some(theirs), Some(ours)) if theirs < ours => format!(
            "the service ({service}) is older than this program ({program}): restart it with \
             `systemctl restart simbell`"
        ),
        (Some(theirs), Some(ours)) if theirs > ours => format!(
            "this program ({program}) is older than the service ({service}): install the simbellctl of the \
             same version"
        ),
        _ => format!(
            "the service ({service}) and this program ({program}) are of different versions: install both \
             from the same place and restart the service with `systemctl restart simbell`"
        ),
    })
}

fn numbers(version: &str) -> Option<Vec<u64>> {
    let core = version.split(['-', '+']).next()?;
    core.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_side_is_older() {
        assert_eq!(skew("0.1.0", "0.1.0"), None);
        assert!(skew("0.9.0", "0.10.0").unwrap().starts_with("the service (0.9.0) is older"));
        assert!(skew("1.0.0", "0.10.0").unwrap().starts_with("this program (0.10.0) is older"));
        assert!(skew("nightly", "0.10.0").unwrap().contains("different versions"));
    }
}
