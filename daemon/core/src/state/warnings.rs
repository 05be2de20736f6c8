//! What is wrong with the service, and telling the rules that answer to it.

use super::State;
use crate::effect::{Effects, Notice};
use crate::health::{Warning, WarningCode};
use crate::time::{Span, Stamp};
use crate::view::Trigger;

/// What held before a restart is not found again at once: so long nothing about health, and nothing about a SIM that no
/// modem has shown yet, is held to be over.
pub(super) const SETTLES_MS: u64 = 60_000;

impl State {
    pub(super) fn warn(&mut self, code: WarningCode, subject: &str, text: String, fx: &mut Effects) {
        let key = (code, subject.to_owned());
        if self.warnings.get(&key).is_some_and(|w| w.text == text) {
            return;
        }
        let since = self.warnings.get(&key).map_or(self.now.wall, |w| w.since);
        self.warnings.insert(key, Warning { code, subject: subject.to_owned(), text, since });
        self.health_changed = true;
        fx.notices.push(Notice::StatusChanged);
    }

    pub(super) fn well(&mut self, code: WarningCode, subject: &str, fx: &mut Effects) {
        // Mostly all is well.
        if !self.warnings.is_empty() && self.warnings.remove(&(code, subject.to_owned())).is_some() {
            self.health_changed = true;
            fx.notices.push(Notice::StatusChanged);
        }
    }

    /// How long what held before the start is held not to be over yet, though no rule raises it; none once that is over.
    #[must_use]
    pub fn beginning_left(&self, at: Stamp) -> Option<Span> {
        let left = self.settles_at?.saturating_sub(at.boot_ms);
        Some(Span(i64::try_from(left).unwrap_or(i64::MAX)))
    }

    /// Once the beginning is over, the rules are asked again: what is not found by now is over.
    pub(super) fn end_beginning(&mut self, at: Stamp) {
        if self.settles_at.is_some_and(|due| at.boot_ms >= due) {
            self.settles_at = None;
            self.health_changed = true;
            for sim in self.sims.values_mut() {
                sim.evaluate_soon();
            }
        }
    }

    pub(super) fn evaluate_health(&mut self, at: Stamp, fx: &mut Effects) {
        if std::mem::take(&mut self.health_changed) {
            self.ask_rules(&[Trigger::Health], at, fx);
        }
    }
}
