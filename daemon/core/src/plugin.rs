//! What was decided about plugins: who switched one on or off, and what it may ask for was approved.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One decision. Decisions are kept one after the other; none is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginDecision {
    /// The plugin's name.
    pub plugin: String,
    /// Where the plugin lies that it is about; none in ledgers of before places were kept.
    #[serde(default)]
    pub place: Option<PluginPlace>,
    /// When.
    pub at: Timestamp,
    /// By whom: `uid 1000`, or `configuration` for a plugin that it names.
    pub author: String,
    /// What.
    pub what: PluginChoice,
    /// All permissions that are approved from then on, as manifests name them; none where that stays as it is.
    pub approved: Option<BTreeSet<String>>,
}

/// Where a plugin lies. One of the same name in the other place is another plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginPlace {
    /// In a folder of plugins that somebody else keeps, such as the program's package.
    Shipped,
    /// In the owner's own folder.
    Owner,
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

/// What follows from decisions about every plugin, by its name.
pub type PluginStandings = BTreeMap<String, PluginDecided>;

/// What follows from all decisions about one name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PluginDecided {
    /// Whether the newest word is that it is not to run, which holds wherever it lies.
    off: bool,
    /// What was decided before places were kept; it holds for the place that is decided about first.
    unplaced: PluginStanding,
    places: BTreeMap<PluginPlace, PluginStanding>,
}

/// What follows from decisions about the plugin in one place.
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

impl PluginPlace {
    /// As the ledger keeps it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shipped => "shipped",
            Self::Owner => "owner",
        }
    }
}

impl PluginDecided {
    /// A decision is made.
    pub fn decide(&mut self, decision: &PluginDecision) {
        let standing = match decision.place {
            Some(place) if self.places.is_empty() => {
                self.places.entry(place).or_insert(std::mem::take(&mut self.unplaced))
            }
            Some(place) => self.places.entry(place).or_default(),
            None => &mut self.unplaced,
        };
        match decision.what {
            PluginChoice::Enable => standing.enabled = Some(true),
            PluginChoice::Disable => standing.enabled = Some(false),
            PluginChoice::Approve => {}
        }
        if let Some(approved) = &decision.approved {
            standing.approved = Some(approved.clone());
        }
        self.off = standing.enabled.map_or(self.off, |enabled| match decision.what {
            PluginChoice::Approve => self.off,
            PluginChoice::Enable | PluginChoice::Disable => !enabled,
        });
    }

    /// What holds for the plugin in a place.
    #[must_use]
    pub fn at(&self, place: PluginPlace) -> PluginStanding {
        let standing = if self.places.is_empty() { Some(&self.unplaced) } else { self.places.get(&place) };
        let mut standing = standing.cloned().unwrap_or_default();
        if self.off {
            standing.enabled = Some(false);
        }
        standing
    }

    /// Whether what it asks for was looked at, wherever it lay then.
    #[must_use]
    pub fn was_looked_at(&self) -> bool {
        self.unplaced.approved.is_some() || self.places.values().any(|standing| standing.approved.is_some())
    }

    /// Whether something was decided, and nobody knows about the plugin in which place.
    #[must_use]
    pub fn is_unplaced(&self) -> bool {
        self.places.is_empty() && self.unplaced != PluginStanding::default()
    }

    /// The decisions that make all of this so where something else was decided before.
    fn again(&self, plugin: &str, at: Timestamp, author: &str) -> Vec<PluginDecision> {
        let placed = self.places.iter().map(|(place, standing)| (Some(*place), standing));
        let mut all: Vec<_> = [(None, &self.unplaced)].into_iter().chain(placed).collect();
        all.retain(|(_, standing)| **standing != PluginStanding::default());
        // The newest word on whether it is to run is the last.
        all.sort_by_key(|(_, standing)| standing.enabled == Some(!self.off));
        let decision = |(place, standing): (Option<PluginPlace>, &PluginStanding)| PluginDecision {
            plugin: plugin.to_owned(),
            place,
            at,
            author: author.to_owned(),
            what: match standing.enabled {
                Some(true) => PluginChoice::Enable,
                Some(false) => PluginChoice::Disable,
                None => PluginChoice::Approve,
            },
            approved: standing.approved.clone(),
        };
        all.into_iter().map(decision).collect()
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
    for (plugin, decided) in now {
        let decisions = decided.again(plugin, at, "the ledger before");
        let known = all.standings.get(plugin).cloned().unwrap_or_default();
        let mut settled = known.clone();
        decisions.iter().for_each(|decision| settled.decide(decision));
        if settled != known {
            all.standings.insert(plugin.clone(), settled);
            all.decisions.extend(decisions);
            all.kept.push(plugin.clone());
        }
    }
    let nothing = PluginDecided::default();
    let moved = all.standings.iter().filter(|(plugin, held)| now.get(*plugin).unwrap_or(&nothing) != *held);
    all.back = moved.map(|(plugin, _)| plugin.clone()).collect();
    all
}
