//! What rules ask the service to do, and what became of it: at most once, and only what is allowed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ident::{Iccid, RuleName};
use crate::time::Timestamp;

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Action {
    /// Send a short message by the SIM's modem. Costs money.
    SendSms {
        /// To whom: an international number, or a short code of the network.
        to: String,
        /// What; hostile text where the rule made it of one.
        text: String,
    },
    /// Ask the network by USSD.
    SendUssd {
        /// The code, such as `*100#`.
        code: String,
    },
    /// End every packet data connection of the SIM.
    Disconnect,
}

/// What a rule may ask for: named by its plugin's manifest, and allowed by the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Send short messages.
    SendSms,
    /// Talk to the network by USSD.
    SendUssd,
    /// End connections.
    Disconnect,
}

/// A rule's wish, under a key of its own: the same key is the same wish for as long as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRequest {
    /// The rule's own part of the key.
    pub key: String,
    /// What.
    pub action: Action,
}

/// An action as kept in the ledger: as intended before anything is done, then what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRecord {
    /// `RULE/KEY/ICCID`, unique.
    pub key: String,
    /// Whose wish.
    pub rule: RuleName,
    /// By which SIM.
    pub sim: Iccid,
    /// What.
    pub action: Action,
    /// What became of it.
    pub state: ActionState,
    /// When it was asked for.
    pub at: Timestamp,
    /// What kind of trigger asked for it; only the same kind ends the wish.
    pub trigger: String,
    /// Whether the rule still asks for it; where it does, it is not done again.
    pub wished: bool,
    /// The answer, or what went wrong; hostile text.
    pub note: Option<String>,
}

/// What became of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionState {
    /// To be done. Found at a start, nobody knows whether it was: it is not done again.
    Intended,
    /// Done.
    Done,
    /// Not done.
    Failed,
    /// Nobody knows.
    Unknown,
    /// Not allowed, or too many in a day.
    Refused,
}

impl Action {
    /// What is needed to ask for it.
    #[must_use]
    pub const fn permission(&self) -> Permission {
        match self {
            Self::SendSms { .. } => Permission::SendSms,
            Self::SendUssd { .. } => Permission::SendUssd,
            Self::Disconnect => Permission::Disconnect,
        }
    }
}

impl ActionState {
    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
        }
    }
}

impl Permission {
    /// Every permission there is.
    pub const ALL: [Self; 3] = [Self::SendSms, Self::SendUssd, Self::Disconnect];

    /// As manifests and the configuration name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendSms => "send-sms",
            Self::SendUssd => "send-ussd",
            Self::Disconnect => "disconnect",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text names no permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no permission: there are send-sms, send-ussd and disconnect")]
pub struct PermissionError;

impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or(PermissionError)
    }
}
