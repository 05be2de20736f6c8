//! The ways a reminder goes: the channels that its rule names, as far as they are there.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use crate::effect::Effects;
use crate::health::WarningCode;
use crate::ident::{ChannelName, RuleName};
use crate::reminder::Reminder;
use crate::view::RuleDescription;

/// So many names of channels are remembered of each rule: it may make up a new one each time.
const NAMES_KEPT: usize = 16;

/// Most names that a warning lists.
const NAMES_SHOWN: usize = 12;

impl State {
    /// The channels that say a reminder: those that it names and that are there. Where none of them is, it goes as if
    /// its rule had named none, since what nobody says is lost.
    #[must_use]
    pub fn ways(&self, reminder: &Reminder) -> Vec<ChannelName> {
        let there: Vec<ChannelName> =
            reminder.channels.iter().filter(|name| self.has_channel(name)).cloned().collect();
        if there.is_empty() { self.settings.default_channels.clone() } else { there }
    }

    /// Whether the configuration has a channel of this name.
    #[must_use]
    pub fn has_channel(&self, name: &ChannelName) -> bool {
        self.settings.channels.iter().any(|channel| channel.name == *name)
    }

    /// What the rules' texts name from now on; what a rule that is as it was named beyond that while it ran is kept.
    pub(super) fn rules_name_channels(
        &mut self,
        rules: &[RuleDescription],
        before: &BTreeMap<RuleName, RuleDescription>,
    ) {
        let mut named = std::mem::take(&mut self.channels_named);
        for rule in rules {
            let same = before
                .get(&rule.name)
                .is_some_and(|before| !rule.version.is_empty() && before.version == rule.version);
            let kept = named.remove(&rule.name).filter(|_| same).unwrap_or_default();
            self.channels_named.insert(rule.name.clone(), kept);
            self.names_channels(&rule.name, &rule.channels);
        }
    }

    /// A rule named channels, in its text or while it ran.
    pub(super) fn names_channels(&mut self, rule: &RuleName, channels: &[ChannelName]) {
        if let Some(named) = self.channels_named.get_mut(rule) {
            for channel in channels {
                if named.len() < NAMES_KEPT {
                    named.insert(channel.clone());
                }
            }
        }
    }

    /// Warns of rules that name channels which are not there.
    pub(super) fn look_at_channels(&mut self, fx: &mut Effects) {
        let mut wrong: BTreeMap<String, String> = BTreeMap::new();
        // A rehearsal has none at all, and misses none.
        if !self.settings.channels.is_empty() {
            for (rule, named) in &self.channels_named {
                let missing: BTreeSet<&ChannelName> =
                    named.iter().filter(|name| !self.has_channel(name)).collect();
                if !missing.is_empty() {
                    wrong.insert(rule.as_str().to_owned(), self.not_there(rule, &missing));
                }
            }
        }
        let over: Vec<String> = self
            .warnings
            .keys()
            .filter(|(code, rule)| *code == WarningCode::ChannelUnknown && !wrong.contains_key(rule))
            .map(|(_, rule)| rule.clone())
            .collect();
        for rule in over {
            self.well(WarningCode::ChannelUnknown, &rule, fx);
        }
        for (rule, text) in wrong {
            self.warn(WarningCode::ChannelUnknown, &rule, text, fx);
        }
    }

    fn not_there(&self, rule: &RuleName, missing: &BTreeSet<&ChannelName>) -> String {
        let there = || self.settings.channels.iter().map(|channel| channel.name.as_str());
        let said: Vec<String> = missing
            .iter()
            .map(|name| match nearest(name.as_str(), there()) {
                Some(nearest) => format!("\"{name}\" (did you mean \"{nearest}\"?)"),
                None => format!("\"{name}\""),
            })
            .collect();
        format!(
            "The rule {rule} reminds by {}, and the configuration has no such channel; there are: {}. Its reminders go by \
             the others that it names, or else the way of a reminder that names none.",
            said.join(", "),
            there().take(NAMES_SHOWN).collect::<Vec<_>>().join(", ")
        )
    }
}

/// The name most like one, where one is like enough to be meant.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let most = (name.chars().count() / 3).max(1);
    names
        .map(|other| (strsim::osa_distance(&name.to_lowercase(), &other.to_lowercase()), other))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, other)| other)
}
