//! What was decided about plugins.

use std::collections::BTreeMap;

use super::State;
use crate::effect::{Change, Effects, Notice};
use crate::plugin::{PluginChoice, PluginDecision, PluginStanding};
use crate::time::Stamp;

/// What follows from decisions, by plugin.
pub(super) fn standings(decisions: &[PluginDecision]) -> BTreeMap<String, PluginStanding> {
    let mut standings: BTreeMap<String, PluginStanding> = BTreeMap::new();
    for decision in decisions {
        standings.entry(decision.plugin.clone()).or_default().decide(decision);
    }
    standings
}

impl State {
    /// What was decided about plugins, by name.
    #[must_use]
    pub const fn plugins(&self) -> &BTreeMap<String, PluginStanding> {
        &self.plugins
    }

    pub(super) fn plugin_decided(&mut self, decision: &PluginDecision, fx: &mut Effects) {
        self.plugins.entry(decision.plugin.clone()).or_default().decide(decision);
        fx.changes.push(Change::AppendPluginDecision(decision.clone()));
        fx.notices.push(Notice::StatusChanged);
    }

    /// Another ledger took the place of the one that held them: it learns what it does not know.
    pub(super) fn plugins_replaced(&self, decisions: &[PluginDecision], at: Stamp, fx: &mut Effects) {
        let known = standings(decisions);
        for (plugin, standing) in
            self.plugins.iter().filter(|(name, standing)| known.get(*name) != Some(standing))
        {
            let what = match standing.enabled {
                Some(true) => PluginChoice::Enable,
                Some(false) => PluginChoice::Disable,
                None => PluginChoice::Approve,
            };
            fx.changes.push(Change::AppendPluginDecision(PluginDecision {
                plugin: plugin.clone(),
                at: at.wall,
                author: "the ledger before".to_owned(),
                what,
                approved: standing.approved.clone(),
            }));
        }
    }
}
