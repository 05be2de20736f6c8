//! What was decided about plugins: who switched one on or off, and what it may ask for was approved.

use std::collections::{BTreeMap, BTreeSet};

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

/// Decisions about every plugin, by its name.
pub type PluginStandings = BTreeMap<String, PluginStanding>;

/// What follows from decisions about one plugin.
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

    /// The decision that makes all of this so where something else was decided before.
    fn again(&self, plugin: &str, at: Timestamp, author: &str) -> PluginDecision {
        PluginDecision {
            plugin: plugin.to_owned(),
            at,
            author: author.to_owned(),
            what: match self.enabled {
                Some(true) => PluginChoice::Enable,
                Some(false) => PluginChoice::Disable,
                None => PluginChoice::Approve,
            },
            approved: self.approved.clone(),
        }
    }
}

/// What follows from decisions, by plugin.
#[must_use]
pub fn standings(decisions: &[PluginDecision]) -> PluginStandings {
    let mut standings = PluginStandings::new();
    for decision in decisions {
        standings.entry(decision.plugin.clone()).or_default().decide(decision);
    }
    standings
}

/// What is in force once a copy of the ledger takes the place of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reconciled {
    /// What was decided, from now on: the same that the copy gives with `decisions` in it.
    pub standings: PluginStandings,
    /// What the copy has to learn.
    pub decisions: Vec<PluginDecision>,
    /// Plugins of which what was decided since the copy stays in force.
    pub kept: Vec<String>,
    /// Plugins of which something is in force again that only the copy knew.
    pub back: Vec<String>,
}

/// What is decided now outranks the copy, whatever its age: a plugin that was switched off stays off, and an approval that
/// the copy does not know goes on. What nothing is decided about now is as the copy has it, from now on.
#[must_use]
pub fn reconciled(now: &PluginStandings, copy: &[PluginDecision], at: Timestamp) -> Reconciled {
    let mut all = Reconciled { standings: standings(copy), ..Reconciled::default() };
    for (plugin, standing) in now {
        let decision = standing.again(plugin, at, "the ledger before");
        let known = all.standings.get(plugin).cloned().unwrap_or_default();
        let mut settled = known.clone();
        settled.decide(&decision);
        if settled != known {
            all.standings.insert(plugin.clone(), settled);
            all.decisions.push(decision);
            all.kept.push(plugin.clone());
        }
    }
    let nothing = PluginStanding::default();
    let moved = all.standings.iter().filter(|(plugin, held)| now.get(*plugin).unwrap_or(&nothing) != *held);
    all.back = moved.map(|(plugin, _)| plugin.clone()).collect();
    all
}
