//! What the configuration asks of the shell around the core.

use std::collections::BTreeMap;
use std::path::PathBuf;

use simbell_core::action::Permission;
use simbell_core::ident::{ChannelName, RuleName};
use simbell_core::time::Span;
use simbell_notify::ChannelConfig;

use crate::clock::Trust;
use crate::scripted::Scripted;

/// Everything that the configuration decides for the shell.
#[derive(Debug)]
pub struct ServiceSettings {
    /// Directory of the ledger.
    pub state_dir: PathBuf,
    /// Control socket.
    pub socket: PathBuf,
    /// D-Bus address; none for the system bus.
    pub bus: Option<String>,
    /// Groups whose members may change things, besides root.
    pub admin_groups: Vec<String>,
    /// What is logged.
    pub log_level: LogLevel,
    /// How far the wall clock is believed.
    pub clock_trust: Trust,
    /// The ledger's way with the disk.
    pub storage: StorageSettings,
    /// How long usage is kept in which detail, and copies of the ledger.
    pub history: HistorySettings,
    /// Where the quota helper listens; none to do without one.
    pub quota: Option<PathBuf>,
    /// Rules and plugins.
    pub rules: RulesSettings,
    /// Plugins that the configuration speaks of, by name; others are enabled with their own defaults.
    pub plugins: BTreeMap<RuleName, PluginSettings>,
    /// Every channel with all that it needs to send, by name.
    pub channels: BTreeMap<ChannelName, ChannelConfig>,
    /// Those channels that go by a plugin, as they can be made anew when its files change.
    pub scripted: BTreeMap<ChannelName, Scripted>,
    /// Secrets that were assumed and not read, one line each; empty unless the environment allows it
    /// ([`super::Environment::assuming_secrets`]).
    pub unchecked_secrets: Vec<String>,
}

/// What is logged: this and everything above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What may fail soon.
    Warn,
    /// What happened.
    Info,
    /// How it happened. Holds identities of SIMs.
    Debug,
    /// Every message. Holds identities of SIMs.
    Trace,
}

impl LogLevel {
    /// As configured, such as `info`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The ledger's way with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageSettings {
    /// When a commit counts as done.
    pub durability: Durability,
}

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When the disk has it: a power cut loses no commit.
    Full,
    /// When the kernel has it: a power cut may lose the newest commits, never the order; fewer flash writes.
    Normal,
}

/// How long usage is kept in which detail, and copies of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistorySettings {
    /// Hours become days after this long; never where none.
    pub hours: Option<Span>,
    /// Days become billing cycles after this long; never where none.
    pub days: Option<Span>,
    /// So many automatic copies are kept, the newest; 0 makes none.
    pub backups: u32,
}

impl Default for HistorySettings {
    fn default() -> Self {
        const DAY: i64 = 86_400;
        Self { hours: Some(Span::secs(730 * DAY)), days: Some(Span::secs(3_650 * DAY)), backups: 3 }
    }
}

/// Rules and plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesSettings {
    /// Directory of the owner's single rules.
    pub dir: PathBuf,
    /// Directories of plugins, later ones win by name.
    pub plugin_dirs: Vec<PathBuf>,
    /// That of them which plugins are copied into: each waits there until somebody enables it.
    pub owner_plugin_dir: Option<PathBuf>,
    /// Folders that the configuration itself names, each with its key.
    pub named_dirs: Vec<(&'static str, PathBuf)>,
    /// Where names of rules and plugins, and settings of plugins, stand: `file:line` by key.
    pub places: BTreeMap<String, String>,
    /// Rules that are not run.
    pub disabled: Vec<RuleName>,
    /// What one evaluation may use.
    pub limits: simbell_rules::Limits,
    /// What the owner's own rules may have done.
    pub allowed: BTreeMap<RuleName, Vec<Permission>>,
    /// A rule that fails so many times in a row is suspended.
    pub suspend_after: u32,
    /// What rules want done is refused beyond so many a day and rule.
    pub actions_a_day: u32,
}

/// What the configuration says of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSettings {
    /// Whether it is loaded.
    pub enabled: bool,
    /// What it may have done, where its manifest names it too.
    pub allowed: Vec<Permission>,
    /// What it is given: texts, whole numbers, true and false, lists and maps of them.
    pub settings: serde_json::Map<String, serde_json::Value>,
}
