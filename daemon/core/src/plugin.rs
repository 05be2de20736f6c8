//! What was decided about plugins: who switched one on or off, and what it may ask for was approved.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One decision. Decisions are kept one after the other; none is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginDecision {
    /// The plugin's name.
    pub plugin: String,
    /// When.
    pub at: Timestamp,
    /// By whom: `uid 1000`, or `configuration` for a plugin that it names.
    pub author: String,
    /// What.
    pub what: PluginChoice,
    /// All permissions that are approved from then on, as manifests name them; none where that stays as it is.
    pub approved: Option<BTreeSet<String>>,
}

/// What a decision does besides approving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginChoice {
    /// The plugin is to run.
    Enable,
    /// It is not to run.
    Disable,
    /// Neither.
    Approve,
}

/// What follows from all decisions about one plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PluginStanding {
    /// Whether it is to run, where somebody decided.
    pub enabled: Option<bool>,
    /// What it may ask for; none where that was never looked at.
    pub approved: Option<BTreeSet<String>>,
}

impl PluginChoice {
    /// As the ledger keeps it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Approve => "approve",
        }
    }
}

impl PluginStanding {
    /// A decision is made.
    pub fn decide(&mut self, decision: &PluginDecision) {
        match decision.what {
            PluginChoice::Enable => self.enabled = Some(true),
            PluginChoice::Disable => self.enabled = Some(false),
            PluginChoice::Approve => {}
        }
        if let Some(approved) = &decision.approved {
            self.approved = Some(approved.clone());
        }
    }
}
