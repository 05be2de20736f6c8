//! Rules, plugins and the configuration are read and compiled beside the engine, which measures meanwhile. One reading
//! follows the other, and what it found takes the place of what runs between two events.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use simbell_api::{DecidePluginParams, PluginReply, ReloadReply, RestoreReply};
use simbell_core::ident::ChannelName;
use simbell_core::plugin::{PluginChoice, PluginStandings};
use simbell_notify::Channel;
use simbell_rules::RuleSet;
use tokio::task::{JoinError, JoinHandle};

use super::request::{Reloaded, Reply};
use super::{Engine, Reload};
use crate::convert;
use crate::scripted::ScriptedChannels;

/// What a reading is for.
pub(super) enum Then {
    /// Files changed, or what was decided about plugins.
    Nothing,
    /// Somebody decides about a plugin, as it is on disk now.
    Decide(PluginChoice, DecidePluginParams, u32, Reply<PluginReply>),
    /// Somebody decided about the plugin of this name, which has its effect before the answer.
    Decided(PluginChoice, String, Reply<PluginReply>),
    /// A copy of the ledger brought other decisions, which have their effect before the answer.
    Restored(RestoreReply, Reply<RestoreReply>),
    /// The configuration is to be read, too.
    Configuration(Reply<ReloadReply>),
}

/// What was found on disk.
pub(super) enum Found {
    /// Rules, and the channels that go by plugins.
    Rules(Box<(RuleSet, ScriptedChannels, BTreeMap<ChannelName, Channel>)>),
    /// All of the configuration, or what is wrong with it.
    Configuration(Reload, Box<Result<Reloaded, Vec<String>>>),
}

/// Readings under way and to come.
#[derive(Default)]
pub(super) struct Readings {
    task: Option<JoinHandle<Found>>,
    /// What was decided about plugins as the reading began.
    standings: PluginStandings,
    /// What the reading under way is for.
    now: Vec<Then>,
    /// What the ones after it are for: what is on disk may have changed since it began.
    next: VecDeque<Then>,
}

impl Readings {
    /// The end of the reading under way; never where there is none.
    pub(super) async fn ended(&mut self) -> Result<Found, JoinError> {
        let Some(task) = &mut self.task else { return std::future::pending().await };
        let found = task.await;
        self.task = None;
        found
    }

    /// What the next reading is for: the configuration by itself, rules for all that wait for them.
    fn begin(&mut self) {
        if matches!(self.next.front(), Some(Then::Configuration(_))) {
            self.now.extend(self.next.pop_front());
            return;
        }
        while self.next.front().is_some_and(|then| !matches!(then, Then::Configuration(_))) {
            self.now.extend(self.next.pop_front());
        }
    }
}

impl Engine {
    /// Has rules, plugins and texts read as they are on disk from now on.
    pub(super) fn read(&mut self, then: Then) {
        let again = matches!((&then, self.readings.next.back()), (Then::Nothing, Some(Then::Nothing)));
        if !again {
            self.readings.next.push_back(then);
        }
        self.read_on();
    }

    fn read_on(&mut self) {
        if self.readings.task.is_some() {
            return;
        }
        self.readings.begin();
        if self.readings.now.is_empty() {
            return;
        }
        let standings = self.state.plugins().clone();
        self.readings.standings.clone_from(&standings);
        let (before, mut scripted) = (Arc::clone(&self.rules), self.scripted.clone());
        let task = if matches!(self.readings.now.first(), Some(Then::Configuration(_))) {
            let Some(mut reload) = self.reload.take() else {
                let told = "an earlier reading of the configuration ended unexpectedly: restart the service";
                self.readings.now.drain(..).for_each(|then| refuse(then, told));
                return self.read_on();
            };
            self.notifier.reloading();
            tokio::task::spawn_blocking(move || {
                let result = reload(&standings, &before, &scripted);
                Found::Configuration(reload, Box::new(result))
            })
        } else {
            let source = Arc::clone(&self.source);
            tokio::task::spawn_blocking(move || {
                let rules = source.load(&standings, Some(&before));
                let renewed = scripted.read_anew(&rules);
                Found::Rules(Box::new((rules, scripted, renewed)))
            })
        };
        self.readings.task = Some(task);
    }

    /// A reading has ended: what it found is used, and whoever waits for it goes on.
    pub(super) async fn was_read(&mut self, found: Result<Found, JoinError>) {
        let now = std::mem::take(&mut self.readings.now);
        let outdated = self.readings.standings != *self.state.plugins();
        match found {
            Ok(Found::Rules(_)) if outdated => {
                // Another ledger brought other decisions meanwhile.
                now.into_iter().rev().for_each(|then| self.readings.next.push_front(then));
            }
            Ok(Found::Rules(found)) => {
                let (rules, scripted, renewed) = *found;
                self.take_rules(rules, scripted, renewed).await;
                for then in now {
                    self.go_on(then).await;
                }
            }
            Ok(Found::Configuration(reload, result)) => {
                self.reload = Some(reload);
                let answer = self.take_configuration(*result).await;
                for then in now {
                    if let Then::Configuration(reply) = then {
                        // A caller that has gone away needs no answer.
                        let _ = reply.send(answer.clone());
                    }
                }
                if outdated {
                    self.readings.next.push_back(Then::Nothing);
                }
            }
            Err(panic) => {
                tracing::error!(%panic, "reading rules ended unexpectedly; what ran before runs on");
                let told = "reading what is on disk ended unexpectedly; what ran before runs on";
                now.into_iter().for_each(|then| refuse(then, told));
            }
        }
        self.read_on();
    }

    async fn go_on(&mut self, then: Then) {
        match then {
            Then::Decide(choice, which, uid, reply) => match self.decide_plugin(choice, &which, uid).await {
                Ok(()) => self.readings.next.push_back(Then::Decided(choice, which.name, reply)),
                Err(error) => {
                    let _ = reply.send(Err(error));
                }
            },
            Then::Decided(choice, name, reply) => {
                let _ = reply.send(self.plugin_decided(choice, &name));
            }
            Then::Restored(done, reply) => {
                let _ = reply.send(Ok(done));
            }
            Then::Nothing | Then::Configuration(_) => {}
        }
    }
}

fn refuse(then: Then, told: &str) {
    let error = || convert::internal(told);
    match then {
        Then::Nothing => {}
        Then::Decide(_, _, _, reply) | Then::Decided(_, _, reply) => {
            let _ = reply.send(Err(error()));
        }
        Then::Restored(_, reply) => {
            let _ = reply.send(Err(error()));
        }
        Then::Configuration(reply) => {
            let _ = reply.send(Err(error()));
        }
    }
}
