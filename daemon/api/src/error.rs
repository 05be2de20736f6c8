//! What can be refused, and what to do then.

use zlink::{ReplyError, introspect};

/// Errors of the interface. Each has a stable name, a `message` for people and a `hint` at what to do next.
#[derive(Debug, Clone, PartialEq, Eq, ReplyError, introspect::ReplyError)]
#[zlink(interface = "org.simbell.Control")]
pub enum ControlError {
    /// The caller may read but not change.
    NotPermitted {
        /// What was refused.
        message: String,
        /// What to do.
        hint: String,
    },
    /// No SIM has this name or ICCID, or there are several and none was named.
    UnknownSim {
        /// Which was asked for.
        message: String,
        /// What to do.
        hint: String,
    },
    /// No reminder has this key.
    UnknownReminder {
        /// Which was asked for.
        message: String,
        /// What to do.
        hint: String,
    },
    /// No rule has this name.
    UnknownRule {
        /// Which was asked for.
        message: String,
        /// What to do.
        hint: String,
    },
    /// No plugin has this name.
    UnknownPlugin {
        /// Which was asked for.
        message: String,
        /// What to do.
        hint: String,
    },
    /// No channel has this name.
    UnknownChannel {
        /// Which was asked for.
        message: String,
        /// What to do.
        hint: String,
    },
    /// No correction, observation or copy of the ledger is called so, or it is of another kind.
    UnknownEntry {
        /// Which was asked for.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The correction or observation was taken back before.
    AlreadyUndone {
        /// By which entry.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The SIM has no plan.
    NoPlan {
        /// Which SIM.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A parameter has a value that makes no sense.
    InvalidArgument {
        /// Which parameter.
        argument: String,
        /// What is wrong with it.
        message: String,
        /// What to do.
        hint: String,
    },
    /// It makes sense, but is not done as things are; nothing was changed.
    Refused {
        /// What, and why not.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The configuration or the rules on disk have errors; what was in use stays in use.
    ReloadRejected {
        /// In one line.
        message: String,
        /// Each error with file, line and key.
        problems: Vec<String>,
        /// What to do.
        hint: String,
    },
    /// The change could not be committed and was not made.
    LedgerNotWritable {
        /// What failed.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The service is starting, stopping or overloaded.
    Busy {
        /// With what.
        message: String,
        /// What to do.
        hint: String,
    },
    /// More connections or streams than the service serves, in all or of one user.
    TooManyClients {
        /// Which limit.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The call is longer than the service reads.
    MessageTooLarge {
        /// The limit, bytes.
        limit: u32,
        /// In words.
        message: String,
        /// What to do.
        hint: String,
    },
    /// What came in is no Varlink call.
    Malformed {
        /// What is wrong with it.
        message: String,
        /// What to do.
        hint: String,
    },
    /// No whole call came in for too long, and the place is needed.
    TimedOut {
        /// What was waited for.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The follower reads more slowly than things happen; what it missed is lost to it.
    TooSlow {
        /// How much was missed.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A fault of the service itself.
    Internal {
        /// What failed.
        message: String,
        /// What to do.
        hint: String,
    },
}

impl ControlError {
    /// The stable name, without the interface: `NotPermitted` and so on.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotPermitted { .. } => "NotPermitted",
            Self::UnknownSim { .. } => "UnknownSim",
            Self::UnknownReminder { .. } => "UnknownReminder",
            Self::UnknownRule { .. } => "UnknownRule",
            Self::UnknownPlugin { .. } => "UnknownPlugin",
            Self::UnknownChannel { .. } => "UnknownChannel",
            Self::UnknownEntry { .. } => "UnknownEntry",
            Self::AlreadyUndone { .. } => "AlreadyUndone",
            Self::NoPlan { .. } => "NoPlan",
            Self::InvalidArgument { .. } => "InvalidArgument",
            Self::Refused { .. } => "Refused",
            Self::ReloadRejected { .. } => "ReloadRejected",
            Self::LedgerNotWritable { .. } => "LedgerNotWritable",
            Self::Busy { .. } => "Busy",
            Self::TooManyClients { .. } => "TooManyClients",
            Self::MessageTooLarge { .. } => "MessageTooLarge",
            Self::Malformed { .. } => "Malformed",
            Self::TimedOut { .. } => "TimedOut",
            Self::TooSlow { .. } => "TooSlow",
            Self::Internal { .. } => "Internal",
        }
    }

    /// For people.
    #[must_use]
    pub fn message(&self) -> &str {
        self.texts().0
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &str {
        self.texts().1
    }

    fn texts(&self) -> (&str, &str) {
        match self {
            Self::NotPermitted { message, hint }
            | Self::UnknownSim { message, hint }
            | Self::UnknownReminder { message, hint }
            | Self::UnknownRule { message, hint }
            | Self::UnknownPlugin { message, hint }
            | Self::UnknownChannel { message, hint }
            | Self::UnknownEntry { message, hint }
            | Self::AlreadyUndone { message, hint }
            | Self::NoPlan { message, hint }
            | Self::InvalidArgument { message, hint, .. }
            | Self::Refused { message, hint }
            | Self::ReloadRejected { message, hint, .. }
            | Self::LedgerNotWritable { message, hint }
            | Self::Busy { message, hint }
            | Self::TooManyClients { message, hint }
            | Self::MessageTooLarge { message, hint, .. }
            | Self::Malformed { message, hint }
            | Self::TimedOut { message, hint }
            | Self::TooSlow { message, hint }
            | Self::Internal { message, hint } => (message, hint),
        }
    }
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for ControlError {}
