//! From a call to its answer.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use simbell_api::{
    AcknowledgeParams, BackupReply, BackupsPage, ChannelsPage, ControlError, DESCRIPTION, DecidePluginParams,
    EntriesParams, ExplainReminderParams, ExplainUsageParams, ExportUsageParams, GetUsageParams,
    GetVersionParams, INTERFACE, ImportUsageParams, Method, ObserveUsageParams, PageParams, PlansPage,
    PluginsPage, ReminderReply, RemindersPage, RestoreBackupParams, ResumeRuleParams, RuleReply, RulesPage,
    SetUsageParams, ShowPlanParams, ShowPlanReply, SimsPage, SnoozeParams, TestChannelParams,
    UndoCorrectionParams, UndoImportParams, VersionReply, WithdrawObservationParams,
};
use simbell_core::bytes::Bytes;
use simbell_core::observation::MOST_USED;
use tokio::sync::mpsc;
use tokio::time::timeout;
use zlink::idl::Type;
use zlink::introspect;
use zlink::varlink_service::{self, Info};

use super::backend::{Answer, ControlBackend, Following, Peer};
use super::limits::Limits;
use super::page::{PAGE_PARTS, PAGE_ROWS, page};
use super::wire;

const VARLINK: &str = "org.varlink.service";
/// The longest a reminder can be put off.
const LONGEST_SNOOZE: u64 = 366 * 86_400;
/// A channel has its own limits; this only bounds a fault.
const TEST_ANSWER: Duration = Duration::from_secs(110);

/// What becomes of a call.
pub(super) enum Outcome {
    /// One message, without its NUL.
    Reply(Vec<u8>),
    /// A stream of events.
    Follow(Following),
    /// A text in parts.
    Report(mpsc::Receiver<String>),
    /// Usage in bulk, as messages.
    Export(mpsc::Receiver<Answer<Vec<u8>>>),
}

/// Has the backend answer a call.
pub(super) async fn dispatch<B: ControlBackend>(
    backend: &B,
    limits: &Limits,
    peer: Peer,
    call: &wire::Incoming,
    more: bool,
) -> Outcome {
    let Some((interface, member)) = call.method.rsplit_once('.') else {
        return not_found(&call.method);
    };
    if interface == VARLINK {
        return Outcome::Reply(describe(member, call));
    }
    if interface != INTERFACE {
        let interface = Cow::Borrowed(interface);
        return refuse(&varlink_service::Error::InterfaceNotFound { interface });
    }
    let Some(method) = Method::from_full_name(&call.method) else { return not_found(&call.method) };
    if method.streams() && !more {
        return refuse(&varlink_service::Error::ExpectedMore);
    }
    if method.changes() && !peer.may_change {
        return Outcome::Reply(wire::error(&not_permitted(method, backend)));
    }
    let long = matches!(method, Method::TestChannel | Method::CreateBackup | Method::RestoreBackup);
    let patience = if long { TEST_ANSWER } else { limits.answer };
    match timeout(patience, ask(backend, peer, method, call.parameters.as_ref())).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Outcome::Reply(wire::error(&error)),
        Err(_) => Outcome::Reply(wire::error(&ControlError::Busy {
            message: format!(
                "{} took longer than {} s; a change may still be made",
                method.name(),
                patience.as_secs()
            ),
            hint: "see `journalctl -u simbell` for what keeps the service busy, then try again".to_owned(),
        })),
    }
}

async fn ask<B: ControlBackend>(
    backend: &B,
    peer: Peer,
    method: Method,
    given: Option<&Value>,
) -> Answer<Outcome> {
    Ok(match method {
        Method::GetVersion => {
            let params: GetVersionParams = params(given)?;
            tracing::debug!(
                uid = peer.uid,
                same = params.client.as_deref() == Some(simbell_api::VERSION),
                "asked for the version"
            );
            reply(&VersionReply { version: simbell_api::VERSION.to_owned() })
        }
        Method::GetStatus => {
            nothing(given)?;
            reply(&backend.status(peer).await?)
        }
        Method::ListSims => {
            let which = params(given)?;
            let (sims, next) = page(backend.sims(peer).await?, |sim| &sim.iccid, &which);
            reply(&SimsPage { sims, next })
        }
        Method::GetUsage => {
            let question = paged(given)?;
            reply(&backend.usage(peer, question).await?)
        }
        Method::GetCalls => reply(&backend.calls(peer, paged(given)?).await?),
        Method::GetMessages => reply(&backend.messages(peer, paged(given)?).await?),
        Method::ExplainUsage => {
            let mut question: ExplainUsageParams = params(given)?;
            question.limit = Some(question.limit.unwrap_or(PAGE_PARTS).clamp(1, PAGE_PARTS));
            reply(&backend.explain(peer, question).await?)
        }

        Method::CreateBackup => {
            nothing(given)?;
            reply(&BackupReply { backup: backend.create_backup(peer).await? })
        }
        Method::ListBackups => {
            let which = params(given)?;
            let (backups, next) = page(backend.backups(peer).await?, |backup| &backup.name, &which);
            reply(&BackupsPage { backups, next })
        }
        Method::RestoreBackup => {
            let which: RestoreBackupParams = params(given)?;
            reply(&backend.restore_backup(peer, which.name).await?)
        }
        Method::ExportUsage => {
            let question: ExportUsageParams = params(given)?;
            if !matches!(question.by.as_str(), "hour" | "day" | "cycle") {
                return Err(invalid("by", "`by` must be hour, day or cycle"));
            }
            Outcome::Export(backend.export(peer, question).await?)
        }
        Method::SetUsage => {
            let change: SetUsageParams = params(given)?;
            can_be_used(change.bytes)?;
            reply(&backend.set_usage(peer, change).await?)
        }
        Method::GetBilled => {
            let mut question: GetUsageParams = params(given)?;
            if !matches!(question.by.as_str(), "day" | "cycle") {
                return Err(invalid("by", "`by` must be day or cycle"));
            }
            question.limit = Some(question.limit.unwrap_or(PAGE_ROWS).clamp(1, PAGE_ROWS));
            reply(&backend.billed(peer, question).await?)
        }
        Method::ListCorrections => {
            let question: EntriesParams = params(given)?;
            reply(&backend.corrections(peer, question).await?)
        }
        Method::UndoCorrection => {
            let which: UndoCorrectionParams = params(given)?;
            reply(&backend.undo_correction(peer, which).await?)
        }
        Method::ListObservations => {
            let question: EntriesParams = params(given)?;
            reply(&backend.observations(peer, question).await?)
        }
        Method::ObserveUsage => {
            let figure: ObserveUsageParams = params(given)?;
            can_be_used(figure.bytes)?;
            reply(&backend.observe(peer, figure).await?)
        }
        Method::WithdrawObservation => {
            let which: WithdrawObservationParams = params(given)?;
            reply(&backend.withdraw(peer, which).await?)
        }
        Method::ImportUsage => {
            let question: ImportUsageParams = params(given)?;
            reply(&backend.import(peer, question).await?)
        }
        Method::UndoImport => {
            let question: UndoImportParams = params(given)?;
            reply(&backend.undo_import(peer, question).await?)
        }
        Method::ListPlans => {
            let which = params(given)?;
            let (plans, next) = page(backend.plans(peer).await?, |plan| &plan.iccid, &which);
            reply(&PlansPage { plans, next })
        }
        Method::ShowPlan => {
            let which: ShowPlanParams = params(given)?;
            reply(&ShowPlanReply { plan: backend.plan(peer, which.sim).await? })
        }
        Method::ListRules => {
            let which = params(given)?;
            let (rules, next) = page(backend.rules(peer).await?, |rule| &rule.name, &which);
            reply(&RulesPage { rules, next })
        }
        Method::ListPlugins => {
            let which = params(given)?;
            let (plugins, next) = page(backend.plugins(peer).await?, |plugin| &plugin.name, &which);
            reply(&PluginsPage { plugins, folder: backend.plugins_folder(), next })
        }
        Method::EnablePlugin | Method::DisablePlugin | Method::ApprovePlugin => {
            let which: DecidePluginParams = params(given)?;
            reply(&backend.decide_plugin(peer, method, which).await?)
        }
        Method::ListReminders => {
            let which: PageParams = params(given)?;
            let (reminders, next) = page(backend.reminders(peer).await?, |reminder| &reminder.key, &which);
            reply(&RemindersPage { reminders, next })
        }
        Method::Acknowledge => {
            let which: AcknowledgeParams = params(given)?;
            reply(&ReminderReply { reminder: backend.acknowledge(peer, which.key).await? })
        }
        Method::Snooze => {
            let which: SnoozeParams = params(given)?;
            if !(1..=LONGEST_SNOOZE).contains(&which.seconds) {
                return Err(invalid("seconds", "`seconds` must be 1 to a year"));
            }
            reply(&ReminderReply { reminder: backend.snooze(peer, which.key, which.seconds).await? })
        }
        Method::ExplainReminder => {
            let which: ExplainReminderParams = params(given)?;
            reply(&backend.explain_reminder(peer, which).await?)
        }
        Method::ResumeRule => {
            let which: ResumeRuleParams = params(given)?;
            reply(&RuleReply { rule: backend.resume_rule(peer, which.name).await? })
        }
        Method::ListChannels => {
            let which = params(given)?;
            let (channels, next) = page(backend.channels(peer).await?, |channel| &channel.name, &which);
            reply(&ChannelsPage { channels, next })
        }
        Method::TestChannel => {
            let which: TestChannelParams = params(given)?;
            reply(&backend.test_channel(peer, which.name).await?)
        }
        Method::Monitor => {
            nothing(given)?;
            Outcome::Follow(backend.monitor(peer).await?)
        }
        Method::Reload => {
            nothing(given)?;
            reply(&backend.reload(peer).await?)
        }
        Method::BugReport => {
            nothing(given)?;
            Outcome::Report(backend.bug_report(peer).await?)
        }
    })
}

/// The interface every Varlink service has.
fn describe(member: &str, call: &wire::Incoming) -> Vec<u8> {
    match member {
        "GetInfo" => {
            let interfaces = [VARLINK, INTERFACE];
            match Info::new("simbell", "simbelld", simbell_api::VERSION, "", interfaces) {
                Ok(info) => wire::success(&info, None),
                Err(error) => wire::error(&ControlError::Internal {
                    message: error.to_string(),
                    hint: "report this".to_owned(),
                }),
            }
        }
        "GetInterfaceDescription" => {
            let wanted = call.parameters.as_ref().and_then(|p| p.get("interface")).and_then(Value::as_str);
            let description = match wanted {
                Some(VARLINK) => varlink_service::DESCRIPTION.to_string(),
                Some(INTERFACE) => DESCRIPTION.to_owned(),
                Some(other) => {
                    let interface = Cow::Borrowed(other);
                    return wire::service_error(&varlink_service::Error::InterfaceNotFound { interface });
                }
                None => {
                    let parameter = Cow::Borrowed("interface");
                    return wire::service_error(&varlink_service::Error::InvalidParameter { parameter });
                }
            };
            wire::success(&serde_json::json!({ "description": description }), None)
        }
        _ => wire::service_error(&varlink_service::Error::MethodNotFound {
            method: Cow::Borrowed(&call.method),
        }),
    }
}

/// Reads parameters. Unknown ones are passed over when null, and refused when they ask for something: a newer caller
/// must not believe that it got what it asked for.
fn params<T: DeserializeOwned + introspect::Type>(given: Option<&Value>) -> Answer<T> {
    let none = Value::Object(serde_json::Map::new());
    let given = match given {
        None | Some(Value::Null) => &none,
        Some(given) => given,
    };
    let Value::Object(members) = given else {
        return Err(invalid("parameters", "`parameters` must be an object"));
    };
    let known = |name: &str| match T::TYPE {
        Type::Object(fields) => fields.iter().any(|field| field.name().as_str() == name),
        _ => false,
    };
    if let Some((name, _)) = members.iter().find(|(name, value)| !value.is_null() && !known(name)) {
        let name: String = name.chars().take(64).collect();
        return Err(invalid(&name, "this method has no such parameter"));
    }
    T::deserialize(given).map_err(|error| {
        let said = error.to_string();
        // serde names the key between backquotes; the wrong type of a key is told without its name.
        let argument = said.split('`').nth(1).filter(|name| known(name)).unwrap_or("parameters");
        invalid(argument, &said)
    })
}

/// A question by hour, day or cycle, for one page.
fn paged(given: Option<&Value>) -> Answer<GetUsageParams> {
    let mut question: GetUsageParams = params(given)?;
    if !matches!(question.by.as_str(), "hour" | "day" | "cycle") {
        return Err(invalid("by", "`by` must be hour, day or cycle"));
    }
    question.limit = Some(question.limit.unwrap_or(PAGE_ROWS).clamp(1, PAGE_ROWS));
    Ok(question)
}

fn nothing(given: Option<&Value>) -> Answer<()> {
    params::<Nothing>(given).map(|Nothing {}| ())
}

#[derive(Debug, serde::Deserialize, introspect::Type)]
struct Nothing {}

fn can_be_used(bytes: u64) -> Result<(), ControlError> {
    if bytes > MOST_USED {
        let most = Bytes(MOST_USED);
        return Err(ControlError::InvalidArgument {
            argument: "bytes".to_owned(),
            message: format!("`bytes` is more than any SIM can have used in a cycle: {most} at most"),
            hint: "give what the carrier says was used in this cycle, such as 6GB".to_owned(),
        });
    }
    Ok(())
}

fn invalid(argument: &str, message: &str) -> ControlError {
    ControlError::InvalidArgument {
        argument: argument.to_owned(),
        message: message.to_owned(),
        hint: "see what each method takes with `varlinkctl introspect SOCKET org.simbell.Control`".to_owned(),
    }
}

fn not_permitted<B: ControlBackend>(method: Method, backend: &B) -> ControlError {
    let groups = backend.admin_groups();
    let hint = if groups.is_empty() {
        "run this as root; or name a group you are in under `admin_groups` in simbell.toml".to_owned()
    } else {
        format!("run this as root, or as a member of {} (log in again after joining)", groups.join(" or "))
    };
    ControlError::NotPermitted {
        message: format!("you may read, but not change things ({})", method.name()),
        hint,
    }
}

fn reply<T: Serialize>(parameters: &T) -> Outcome {
    Outcome::Reply(wire::success(parameters, None))
}

fn refuse(error: &varlink_service::Error<'_>) -> Outcome {
    Outcome::Reply(wire::service_error(error))
}

fn not_found(method: &str) -> Outcome {
    refuse(&varlink_service::Error::MethodNotFound { method: Cow::Borrowed(method) })
}
