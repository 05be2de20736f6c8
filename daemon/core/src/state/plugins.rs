//! What was decided about plugins.

use super::State;
use crate::effect::{Change, Effects, Notice};
use crate::plugin::{PluginDecision, PluginStandings, reconciled};
use crate::time::Stamp;

impl State {
    /// What was decided about plugins, by name.
    #[must_use]
    pub const fn plugins(&self) -> &PluginStandings {
        &self.plugins
    }

    pub(super) fn plugin_decided(&mut self, decision: &PluginDecision, fx: &mut Effects) {
        self.plugins.entry(decision.plugin.clone()).or_default().decide(decision);
        fx.changes.push(Change::AppendPluginDecision(decision.clone()));
        fx.notices.push(Notice::StatusChanged);
    }

    /// Another ledger took the place of the one that held them. In force is from now on what a restart finds in it.
    pub(super) fn plugins_replaced(&mut self, decisions: &[PluginDecision], at: Stamp, fx: &mut Effects) {
        let all = reconciled(&self.plugins, decisions, at.wall);
        fx.changes.extend(all.decisions.into_iter().map(Change::AppendPluginDecision));
        self.plugins = all.standings;
    }
}
