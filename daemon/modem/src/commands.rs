//! What modems are asked to do: send a message, run a USSD code.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use simbell_core::ident::ModemId;
use simbell_core::segments;
use tokio::sync::watch;
use zbus::wire::DynamicType;
use zbus::{Connection, DBusError, Message, OwnedObjectPath, OwnedVariant, Variant};

use crate::names;
use crate::watcher::Timing;

/// Longest answer kept, in characters.
const TEXT: usize = 2000;

/// The modems that can be called now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    /// None while ModemManager is not there.
    pub connection: Option<Connection>,
    /// ModemManager's unique name, none peer to peer: a call meant for one never reaches its successor.
    pub destination: Option<String>,
    /// Object paths by identity.
    pub modems: BTreeMap<ModemId, String>,
}

/// Paths of the messages that [`ModemCommands`] sends: whoever sends by it learns the outcome from it, and the
/// watcher tells only of messages that others send.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnMessages(Arc<Mutex<BTreeSet<String>>>);

impl OwnMessages {
    fn add(&self, path: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
    }

    /// Forgets a message; whether it was one of ours.
    pub fn remove(&self, path: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(path)
    }

    /// Forgets all: paths are reused.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Calls modems; cheap to clone.
#[derive(Debug, Clone)]
pub struct ModemCommands {
    directory: watch::Receiver<Directory>,
    own: OwnMessages,
    listened: Arc<watch::Sender<BTreeSet<ModemId>>>,
    timing: Timing,
}

/// A message that left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmsReceipt {
    /// How many parts the network bills.
    pub parts: u32,
    /// `Sms.MessageReference`: of the last part; none where the modem tells none.
    pub reference: Option<u32>,
}

/// Why a modem did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// ModemManager is not on the bus.
    #[error("cannot {action}: ModemManager is not running; it is tried again when it is back")]
    ModemManagerGone {
        /// What was to be done.
        action: &'static str,
    },
    /// The modem is not there.
    #[error("cannot {action}: the modem is not there; `mmcli -L` lists the modems")]
    UnknownModem {
        /// What was to be done.
        action: &'static str,
    },
    /// polkit or the bus's policy says no.
    #[error(
        "cannot {action}: not authorized ({text}); install simbell's polkit rule \
         (/usr/share/polkit-1/rules.d/50-simbell.rules) and see that its user is the one simbelld runs as"
    )]
    NotAuthorized {
        /// What was to be done.
        action: &'static str,
        /// What was said; hostile text.
        text: String,
    },
    /// The modem has no such function.
    #[error("cannot {action}: this modem does not offer it ({text})")]
    Unsupported {
        /// What was to be done.
        action: &'static str,
        /// What was said; hostile text.
        text: String,
    },
    /// No answer, and nothing has left the modem.
    #[error("cannot {action}: ModemManager did not answer in {} s", .after.as_secs())]
    Timeout {
        /// What was to be done.
        action: &'static str,
        /// After how long.
        after: Duration,
    },
    /// No answer, and it may have happened: to try again may do it twice.
    #[error("it is not known whether the modem could {action}: {text}")]
    OutcomeUnknown {
        /// What was to be done.
        action: &'static str,
        /// What was said; hostile text.
        text: String,
    },
    /// The modem or the network refused.
    #[error("cannot {action}: the modem or the network refused: {text} ({name})")]
    Refused {
        /// What was to be done.
        action: &'static str,
        /// The D-Bus error's name; hostile text.
        name: String,
        /// What was said; hostile text.
        text: String,
    },
}

impl CommandError {
    /// A stable name of the kind of failure.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ModemManagerGone { .. } => "modemmanager-gone",
            Self::UnknownModem { .. } => "unknown-modem",
            Self::NotAuthorized { .. } => "not-authorized",
            Self::Unsupported { .. } => "unsupported",
            Self::Timeout { .. } => "timeout",
            Self::OutcomeUnknown { .. } => "outcome-unknown",
            Self::Refused { .. } => "refused",
        }
    }
}

impl ModemCommands {
    pub(crate) const fn new(
        directory: watch::Receiver<Directory>,
        own: OwnMessages,
        listened: Arc<watch::Sender<BTreeSet<ModemId>>>,
        timing: Timing,
    ) -> Self {
        Self { directory, own, listened, timing }
    }

    /// The modems whose bearers' figures are wanted as ModemManager tells them, every 30 s: it replaces those asked for
    /// before. The figures of others, which the kernel counts, are told now and then.
    pub fn listen(&self, modems: BTreeSet<ModemId>) {
        self.listened.send_if_modified(|listened| {
            let changed = *listened != modems;
            *listened = modems;
            changed
        });
    }

    /// The modems that can be called now.
    #[must_use]
    pub fn modems(&self) -> Vec<ModemId> {
        self.directory.borrow().modems.keys().cloned().collect()
    }

    /// Sends a short message, split by ModemManager where it is long. Costs money.
    ///
    /// The message object is deleted afterwards, so that none pile up in ModemManager; where it is not known
    /// whether the message left, it stays.
    ///
    /// # Errors
    /// See [`CommandError`]; only [`CommandError::OutcomeUnknown`] leaves open whether it was sent.
    pub async fn send_sms(
        &self,
        modem: &ModemId,
        number: &str,
        text: &str,
    ) -> Result<SmsReceipt, CommandError> {
        const ACTION: &str = "send a message";
        let target = self.target(modem, ACTION)?;
        let draft: HashMap<&str, Variant<'_>> =
            HashMap::from([("number", number.into()), ("text", text.into())]);
        let created = target
            .call(&target.modem, names::MESSAGING, "Create", &draft, target.timing.command)
            .await
            .map_err(|failure| failure.before(ACTION))?;
        let message: OwnedObjectPath =
            created.body().deserialize().map_err(|error| CommandError::Refused {
                action: ACTION,
                name: "invalid-reply".to_owned(),
                text: error.to_string(),
            })?;
        self.own.add(message.as_str());
        let sent = target.call(message.as_str(), names::SMS, "Send", &(), target.timing.network).await;
        let outcome = match sent {
            Ok(_) => {
                let reference = target.reference(message.as_str()).await;
                Ok(SmsReceipt { parts: segments::parts(text), reference })
            }
            Err(failure) => Err(failure.after(ACTION)),
        };
        if outcome.is_err() {
            // Should it leave after all, the watcher tells.
            self.own.remove(message.as_str());
        }
        if !matches!(outcome, Err(CommandError::OutcomeUnknown { .. })) {
            let deleted =
                target.call(&target.modem, names::MESSAGING, "Delete", &message, target.timing.command).await;
            if let Err(failure) = deleted {
                tracing::debug!(?failure, "a message that is done with could not be deleted");
            }
        }
        outcome
    }

    /// Runs a USSD code and gives the network's answer; hostile text. May cost money.
    ///
    /// A session that the network keeps open for a reply is ended.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn ussd(&self, modem: &ModemId, code: &str) -> Result<String, CommandError> {
        const ACTION: &str = "run a USSD code";
        let target = self.target(modem, ACTION)?;
        let answer = target
            .call(&target.modem, names::USSD, "Initiate", &code, target.timing.network)
            .await
            .map_err(|failure| failure.after(ACTION))?;
        let text: String = answer.body().deserialize().map_err(|error| CommandError::Refused {
            action: ACTION,
            name: "invalid-reply".to_owned(),
            text: error.to_string(),
        })?;
        if target.ussd_waits().await {
            let _ = target.call(&target.modem, names::USSD, "Cancel", &(), target.timing.command).await;
        }
        Ok(text.chars().take(TEXT).collect())
    }

    /// Ends every packet data connection of a modem: `Modem.Simple.Disconnect("/")`.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn disconnect(&self, modem: &ModemId) -> Result<(), CommandError> {
        const ACTION: &str = "disconnect";
        let target = self.target(modem, ACTION)?;
        let all = OwnedObjectPath::try_from("/").map_err(|error| CommandError::Refused {
            action: ACTION,
            name: "invalid-path".to_owned(),
            text: error.to_string(),
        })?;
        target
            .call(&target.modem, names::SIMPLE, "Disconnect", &all, target.timing.network)
            .await
            .map(drop)
            .map_err(|failure| failure.before(ACTION))
    }

    fn target(&self, modem: &ModemId, action: &'static str) -> Result<Target, CommandError> {
        let directory = self.directory.borrow();
        let connection = directory.connection.clone().ok_or(CommandError::ModemManagerGone { action })?;
        let path = directory.modems.get(modem).ok_or(CommandError::UnknownModem { action })?;
        let destination = directory.destination.clone();
        Ok(Target { connection, destination, modem: path.clone(), timing: self.timing })
    }
}

/// A modem to be called.
struct Target {
    connection: Connection,
    destination: Option<String>,
    modem: String,
    timing: Timing,
}

impl Target {
    async fn call<B: serde::Serialize + DynamicType>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
        limit: Duration,
    ) -> Result<Message, Failure> {
        let call =
            self.connection.call_method(self.destination.as_deref(), path, Some(interface), method, body);
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(Failure::from(error)),
            Err(_) => Err(Failure::Silence(limit)),
        }
    }

    async fn property(&self, path: &str, interface: &str, name: &str) -> Option<u32> {
        let reply =
            self.call(path, names::PROPERTIES, "Get", &(interface, name), self.timing.command).await.ok()?;
        let value: OwnedVariant = reply.body().deserialize().ok()?;
        u32::try_from(value).ok()
    }

    async fn reference(&self, message: &str) -> Option<u32> {
        self.property(message, names::SMS, "MessageReference").await
    }

    async fn ussd_waits(&self) -> bool {
        // MM_MODEM_3GPP_USSD_SESSION_STATE_USER_RESPONSE
        self.property(&self.modem, names::USSD, "State").await == Some(3)
    }
}

/// How a call failed.
#[derive(Debug)]
enum Failure {
    /// An error reply: its name and text.
    Reply(String, String),
    /// The connection broke.
    Broken(String),
    /// No answer in time.
    Silence(Duration),
}

impl From<zbus::Error> for Failure {
    fn from(error: zbus::Error) -> Self {
        let (name, text) = match &error {
            zbus::Error::MethodError(name, text, _) => {
                (name.as_str().to_owned(), text.clone().unwrap_or_default())
            }
            zbus::Error::FDO(error) => {
                (error.name().as_str().to_owned(), error.description().unwrap_or_default().to_owned())
            }
            error => return Self::Broken(error.to_string()),
        };
        Self::Reply(name, text.chars().take(TEXT).collect())
    }
}

impl Failure {
    /// As the failure of a call that nothing leaves the modem for.
    fn before(self, action: &'static str) -> CommandError {
        match self {
            Self::Silence(after) => CommandError::Timeout { action, after },
            Self::Broken(_) => CommandError::ModemManagerGone { action },
            Self::Reply(name, text) => named(action, name, text)
                .unwrap_or_else(|(name, text)| CommandError::Refused { action, name, text }),
        }
    }

    /// As the failure of a call that reaches the network: without an answer it may have happened.
    fn after(self, action: &'static str) -> CommandError {
        match self {
            Self::Silence(after) => {
                let text = format!("ModemManager did not answer in {} s", after.as_secs());
                CommandError::OutcomeUnknown { action, text }
            }
            Self::Broken(text) => CommandError::OutcomeUnknown { action, text },
            // What the bus says when ModemManager ends with the call in its hands.
            Self::Reply(name, text) if name.ends_with(".NoReply") || name.ends_with(".Disconnected") => {
                CommandError::OutcomeUnknown { action, text }
            }
            // The modem gave no answer in ModemManager's time; the network may have got it.
            Self::Reply(name, text) if name.ends_with(".ResponseTimeout") => {
                CommandError::OutcomeUnknown { action, text }
            }
            Self::Reply(name, text) => named(action, name, text)
                .unwrap_or_else(|(name, text)| CommandError::Refused { action, name, text }),
        }
    }
}

fn named(action: &'static str, name: String, text: String) -> Result<CommandError, (String, String)> {
    let last = name.rsplit('.').next().unwrap_or_default();
    match last {
        "Unauthorized" | "AccessDenied" | "InteractiveAuthorizationRequired" | "AuthFailed" => {
            Ok(CommandError::NotAuthorized { action, text })
        }
        "ServiceUnknown" | "NameHasNoOwner" => Ok(CommandError::ModemManagerGone { action }),
        "UnknownObject" => Ok(CommandError::UnknownModem { action }),
        "UnknownMethod" | "UnknownInterface" | "Unsupported" => {
            Ok(CommandError::Unsupported { action, text })
        }
        _ => Err((name, text)),
    }
}
